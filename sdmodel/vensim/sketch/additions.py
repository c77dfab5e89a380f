"""A new element in the sketch: its word, arrows from its causes, and the valve and pipes of a flow, as Vensim writes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from ...errors import Fault, ModelError
from ...model import Arrow, Kind, Lettering, Sketch, View, Word, WordKind, display_name, key, nearest, quote_name
from ..document import Document
from ..edit.edits import Edit
from ..edit.layout import line_end
from ..read.segments import Span
from .placement import Box, Plane, Point
from .records import view_texts
from .views import GREY, arrow_line, views_of, word_line

_ONE_LINE = 20
"""Characters of a name that fit on one line; a longer name takes two."""
_LETTER, _LINE = 0.285, 0.67
"""Half the width of a letter and half the height of a line, as shares of the size of the letters."""
_POINTS, _POINTS_PER_INCH = 12.0, 72
_NAME_WIDTH, _STOCK, _CLOUD = 20, (40, 20), (10, 8)
"""The least half width of a name, and half the sizes of a stock and of a cloud."""
_NEW_FIELDS, _MORE = 21, ",0,0,0,0,0,0"
"""Vensim ends words with six more numbers since its version 8.2.1."""
_TEXT_BELOW, _TEXT_BESIDE = 1, 4
"""Positions of a valve's name."""
_ARC = 30
"""Units by which an arrow along a pipe is bent."""


@dataclass(frozen=True, slots=True)
class NewElement:
    """An element to draw.

    `causes` has, by key, the name of each cause and whether only the initial value depends on it. A flow has the keys of
    the stocks that it joins, empty for a cloud. `companions` are the keys of the elements in its group.
    """

    name: str
    kind: Kind
    causes: Mapping[str, tuple[str, bool]]
    source: str = ""
    sink: str = ""
    companions: frozenset[str] = frozenset()


@dataclass
class _Page:
    """A view while elements are added to it."""

    view: View
    plane: Plane
    numbers: Iterator[int]
    more: str
    lines: list[str] = field(default_factory=list)

    def add_word(
        self,
        kind: WordKind,
        name: str,
        box: Box,
        *,
        number: int | None = None,
        valve_text: int = _TEXT_BELOW,
        shadow: bool = False,
        attached: bool = False,
        upright: bool = False,
        stock: bool = False,
    ) -> int:
        """Add a word and return its number."""
        number = next(self.numbers) if number is None else number
        self.plane.boxes[number] = box
        word = Word(
            number, kind, name, box.x, box.y, box.half_width, box.half_height,
            shape="box" if stock else "clear",
            shadow=shadow,
            attached=attached,
            upright=upright,
            lettering=Lettering(points=self.view.lettering.points or 0.0),
            border=GREY,
        )  # fmt: skip
        self.lines.append(word_line(word, name=name, valve_text=valve_text) + self.more)
        return number

    def find(self, name: str, *, own: bool = False) -> int | None:
        """Find the word that shows a variable, before its shadows; with `own` only that."""
        found = [word for word in self.view.words if word.kind == "variable" and key(word.text) == name]
        best: Word | None = min(found, key=lambda word: word.shadow, default=None)
        return None if best is None or (own and best.shadow) else best.number

    def size(self, name: str) -> tuple[int, int]:
        """Return half the width and height that a name takes, on one line or two."""
        points = (self.view.lettering.points or _POINTS) * self.view.density / _POINTS_PER_INCH
        letters = len(display_name(name))
        lines = 1 if letters <= _ONE_LINE else 2
        width = max(_NAME_WIDTH, math.ceil(letters / lines * points * _LETTER) + (lines - 1) * math.ceil(points / 2))
        return width, math.ceil(lines * points * _LINE)


def draw_element(document: Document, element: NewElement, view: str | None = None) -> tuple[list[Edit], str]:
    """Return the edits that draw an element, and the name of the view; no edits and no name if the file has no sketch."""
    try:
        sketch = Sketch(document.path, views=views_of(document))
    except ModelError:
        sketch = Sketch(document.path)
    if view is not None and sketch.find(view) is None:
        close = nearest(view, [known.name for known in sketch.views])
        cure = f"did you mean '{close}'?" if close else "name a view of the sketch"
        raise ModelError([Fault(document.path, f"there is no view '{view}'; {cure}")])
    if not sketch.views:
        return [], ""
    chosen = (sketch.find(view) if view is not None else None) or _best_view(sketch, element)
    page = _page(document, chosen)
    target = _draw_flow(page, element) if element.kind == "flow" else _draw_variable(page, element)
    for name, initial in element.causes.values():
        _draw_influence(page, name, target, initial=initial)
    return [_append(document, chosen, page.lines)], chosen.name


def _best_view(sketch: Sketch, element: NewElement) -> View:
    """Return the view that shows most of the element's stocks, then of its causes, then of its group."""

    def worth(view: View) -> tuple[int, int, int]:
        own = {key(word.text) for word in view.words if word.kind == "variable" and not word.shadow}
        ends = {element.source, element.sink} & own
        return len(ends), len(own & element.causes.keys()), len(own & element.companions)

    return max(sketch.views, key=worth)


def _page(document: Document, view: View) -> _Page:
    numbers = [*(word.number for word in view.words), *(arrow.number for arrow in view.arrows)]
    records = (record for text in view_texts(document) for record in text.records if record.is_word)
    fields = max((len(record.fields) for record in records), default=0)
    return _Page(view, Plane.of(view), count(max(numbers, default=0) + 1), _MORE if fields >= _NEW_FIELDS else "")


def _neighbourhood(page: _Page, element: NewElement) -> tuple[Point, list[int]]:
    """Return the middle of an element's causes, else of its group, else of the view; and its causes there."""
    causes = [number for cause in element.causes if (number := page.find(cause)) is not None]
    group = [number for name in element.companions if (number := page.find(name, own=True)) is not None]
    boxes = [page.plane.boxes[number] for number in causes or group]
    if not boxes:
        return page.plane.centre, causes
    return (sum(box.x for box in boxes) // len(boxes), sum(box.y for box in boxes) // len(boxes)), causes


def _draw_variable(page: _Page, element: NewElement) -> int:
    near, causes = _neighbourhood(page, element)
    size, stock = page.size(element.name), element.kind == "stock"
    if stock:
        size = max(size[0], _STOCK[0]), max(size[1], _STOCK[1])
    return page.add_word("variable", element.name, page.plane.spot(near, *size, causes), stock=stock)


def _draw_flow(page: _Page, element: NewElement) -> int:
    """Add clouds where there is no stock, two halves of a pipe, the valve and its name, in Vensim's order."""
    stocks = [page.find(stock, own=True) if stock else None for stock in (element.source, element.sink)]
    route = page.plane.route(stocks[0], stocks[1], page.size(element.name))
    ends = [
        page.add_word("cloud", "", Box(end.x, end.y, *_CLOUD)) if number is None else number
        for number, end in zip(stocks, route.ends, strict=True)
    ]
    pipes = next(page.numbers), next(page.numbers)
    valve = next(page.numbers)
    for number, end, bend, head in zip(pipes, reversed(ends), reversed(route.bends), (True, False), strict=True):
        pipe = Arrow(number, valve, end, "path", (bend,), pipe=True, head=head)
        page.lines.append(arrow_line(pipe))
    page.plane.pipes += route.pipes
    position = _TEXT_BESIDE if route.upright else _TEXT_BELOW
    page.add_word("valve", "", route.valve, number=valve, upright=route.upright, valve_text=position)
    return page.add_word("variable", element.name, route.label, attached=True)


def _draw_influence(page: _Page, cause: str, target: int, *, initial: bool) -> None:
    """Add an arrow from a cause, with a shadow of it where the view does not show it; bend an arrow along a pipe."""
    to = page.plane.boxes[target]
    source = page.find(key(cause))
    if source is None:
        box = page.plane.spot((to.x - to.half_width, to.y - 3 * to.half_height), *page.size(cause), [target])
        source = page.add_word("variable", quote_name(cause), box, shadow=True)
    start = page.plane.boxes[source]
    x, y = (start.x + to.x) // 2, (start.y + to.y) // 2
    bent = start.y == to.y or abs(start.y - to.y) < start.half_height + to.half_height
    form, point = ("arc", (x, y + _ARC)) if bent else ("straight", (x, y))
    page.lines.append(arrow_line(Arrow(next(page.numbers), source, target, form, (point,), initial=initial)))  # type: ignore[arg-type]


def _append(document: Document, view: View, lines: list[str]) -> Edit:
    """Return the edit that appends lines to a view."""
    spans = (text.span for text in view_texts(document))
    last = next(span.end for span in spans if document.place(span.start) == view.place)
    end = line_end(document.text)
    text = "".join(line + end for line in lines)
    whole = document.text[:last].endswith(("\n", "\r"))
    return Edit(Span(last, last), text if whole else end + text.removesuffix(end))
