"""A new element in the sketch: its word, arrows from its causes, and for a flow valve and pipes, as Vensim writes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from ...errors import Fault, ModelError
from ...model import Kind, Sketch, View, Word, display, key, nearest
from ..document import Document
from ..edit.edits import Edit
from ..edit.filling import line_end
from ..files.spelling import quoted
from ..read.segments import Span
from .placement import Box, Plane, Point
from .reading import views_of
from .records import records_of

_LONG = 20
"""Letters of a name that stand on one line; a longer one takes two."""
_LETTER, _LINE = 0.285, 0.67
"""Half the width of a letter and half the height of a line, of the letters' size."""
_POINTS, _INCH = 12.0, 72
_WIDTH, _STOCK = 20, (40, 20)
_NEW_FIELDS, _MORE = 21, ",0,0,0,0,0,0"
"""Vensim ends words with six more numbers since its version 8.2.1."""
_BOX, _CLEAR, _ON_VALVE = 3, 8, 40
_VALVES = {False: (34, 1), True: (33, 4)}
"""Shape of a valve and where its text stands, on a pipe along and on one up or down."""
_ARC = 30


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An element to draw: its name as spelt and its kind; what it depends on, by key the name and whether only at its start.

    A flow has the keys of the stocks that it joins, empty for a cloud; `company` are the keys of its group.
    """

    name: str
    kind: Kind
    causes: Mapping[str, tuple[str, bool]]
    source: str = ""
    sink: str = ""
    company: frozenset[str] = frozenset()


@dataclass
class _Page:
    """A view while it is drawn in: what lies there, and the lines that come to it."""

    view: View
    plane: Plane
    numbers: Iterator[int]
    more: str
    lines: list[str] = field(default_factory=list)

    def word(self, kind: int, name: str, box: Box, rest: str) -> int:
        """Draws a word and gives its number."""
        number = next(self.numbers)
        self.plane.boxes[number] = box
        self.lines.append(
            f"{kind},{number},{name},{box.x},{box.y},{box.half_width},{box.half_height},{rest}{self.more}"
        )
        return number

    def arrow(self, source: int, target: int, rest: str, point: Point) -> None:
        """Draws an arrow."""
        self.lines.append(f"1,{next(self.numbers)},{source},{target},{rest},-1--1--1,,1|({point[0]},{point[1]})|")


def sketched(document: Document, newcomer: Newcomer, view: str | None = None) -> tuple[list[Edit], str]:
    """The edits that draw an element, and the name of the view; none and no name if the file has no sketch to draw in."""
    try:
        sketch = Sketch(document.path, views=views_of(document))
    except ModelError:
        sketch = Sketch(document.path)
    if view is not None and sketch.find(view) is None:
        close = nearest(view, [each.name for each in sketch.views])
        cure = f"did you mean '{close}'?" if close else "name a view of the sketch"
        raise ModelError([Fault(document.path, f"there is no view '{view}'; {cure}")])
    if not sketch.views:
        return [], ""
    chosen = (sketch.find(view) if view is not None else None) or _best(sketch, newcomer)
    page = _page(document, chosen)
    target = _flow(page, newcomer) if newcomer.kind == "flow" else _variable(page, newcomer)
    for name, initial in newcomer.causes.values():
        _influence(page, name, target, initial=initial)
    return [_behind(document, chosen, page.lines)], chosen.name


def _best(sketch: Sketch, newcomer: Newcomer) -> View:
    """The view that shows most of what the element depends on, then most of its group."""

    def worth(view: View) -> tuple[int, int, int]:
        own = {key(word.text) for word in view.words if word.kind == "variable" and not word.shadow}
        ends = {newcomer.source, newcomer.sink} & own
        return len(ends), len(own & newcomer.causes.keys()), len(own & newcomer.company)

    return max(sketch.views, key=worth)


def _page(document: Document, view: View) -> _Page:
    numbers = [*(word.number for word in view.words), *(arrow.number for arrow in view.arrows)]
    fields = max((record.fields for record in records_of(document)), default=0)
    return _Page(view, Plane.of(view), count(max(numbers, default=0) + 1), _MORE if fields >= _NEW_FIELDS else "")


def _find(page: _Page, name: str, *, own: bool = False) -> int | None:
    """The word that shows a variable, the one where it belongs before others."""
    found = [each for each in page.view.words if each.kind == "variable" and key(each.text) == name]
    best: Word | None = min(found, key=lambda word: word.shadow, default=None)
    return None if best is None or (own and best.shadow) else best.number


def _size(page: _Page, name: str) -> tuple[int, int]:
    """Half the width and height that a name takes, on one line or two."""
    points = (page.view.lettering.points or _POINTS) * page.view.density / _INCH
    letters = len(display(name))
    lines = 1 if letters <= _LONG else 2
    width = max(_WIDTH, math.ceil(letters / lines * points * _LETTER) + (lines - 1) * math.ceil(points / 2))
    return width, math.ceil(lines * points * _LINE)


def _near(page: _Page, newcomer: Newcomer) -> tuple[Point, list[int]]:
    """The middle of an element's causes, else of its group, else of the view; and its causes there."""
    causes = [number for each in newcomer.causes if (number := _find(page, each)) is not None]
    company = [number for each in newcomer.company if (number := _find(page, each, own=True)) is not None]
    boxes = [page.plane.boxes[number] for number in causes or company]
    if not boxes:
        return page.plane.centre, causes
    return (sum(box.x for box in boxes) // len(boxes), sum(box.y for box in boxes) // len(boxes)), causes


def _variable(page: _Page, newcomer: Newcomer) -> int:
    near, causes = _near(page, newcomer)
    size = _size(page, newcomer.name)
    if newcomer.kind == "stock":
        size = max(size[0], _STOCK[0]), max(size[1], _STOCK[1])
    shape = _BOX if newcomer.kind == "stock" else _CLEAR
    return page.word(10, newcomer.name, page.plane.spot(near, *size, causes), f"{shape},3,0,0,0,0,0,0")


def _flow(page: _Page, newcomer: Newcomer) -> int:
    """Clouds where no stock is, two halves of a pipe, the valve and then its label, the order in which Vensim has them."""
    stocks = [_find(page, each, own=True) if each else None for each in (newcomer.source, newcomer.sink)]
    route = page.plane.route(stocks[0], stocks[1], _size(page, newcomer.name))
    ends = [
        page.word(12, "48", Box(end.x, end.y, 10, 8), "0,3,0,0,-1,0,0,0") if number is None else number
        for number, end in zip(stocks, route.ends, strict=True)
    ]
    pipes = next(page.numbers), next(page.numbers)
    valve = next(page.numbers)
    for number, end, bend, shape in zip(pipes, reversed(ends), reversed(route.bends), (4, 100), strict=True):
        page.lines.append(f"1,{number},{valve},{end},{shape},0,0,22,0,0,0,-1--1--1,,1|({bend[0]},{bend[1]})|")
    shape, text = _VALVES[route.upright]
    box = route.valve
    page.plane.boxes[valve] = box
    page.plane.pipes += route.pipes
    page.lines.append(
        f"11,{valve},48,{box.x},{box.y},{box.half_width},{box.half_height},{shape},3,0,0,{text},0,0,0{page.more}"
    )
    return page.word(10, newcomer.name, route.label, f"{_ON_VALVE},3,0,0,-1,0,0,0")


def _influence(page: _Page, cause: str, target: int, *, initial: bool) -> None:
    """An arrow from a cause, which is shown once more where the view does not have it; one along a pipe is bent."""
    to = page.plane.boxes[target]
    source = _find(page, key(cause))
    if source is None:
        box = page.plane.spot((to.x - to.half_width, to.y - 3 * to.half_height), *_size(page, cause), [target])
        look = f"128-128-128,0-0-0,|{page.view.lettering.points or 0:.0f}||128-128-128"
        source = page.word(10, quoted(cause), box, f"8,2,0,3,-1,0,0,0,{look}")
    start = page.plane.boxes[source]
    middle = (start.x + to.x) // 2, (start.y + to.y) // 2
    shape = 0
    if start.y == to.y or abs(start.y - to.y) < start.half_height + to.half_height:
        shape, middle = 1, (middle[0], middle[1] + _ARC)
    page.arrow(source, target, f"{shape},0,0,0,0,64,{int(initial)}", middle)


def _behind(document: Document, view: View, lines: list[str]) -> Edit:
    """The lines behind the last one of a view."""
    inside = False
    last = Span(0, 0)
    for segment in document.segments:
        if segment.kind == "view" and document.text.startswith("\\\\", segment.start):
            inside = document.place(segment.start) == view.place
        if inside and segment.kind in ("view", "record"):
            last = Span(segment.start, segment.end)
    end = line_end(document.text)
    text = "".join(line + end for line in lines)
    whole = document.text[last.start : last.end].endswith(("\n", "\r"))
    return Edit(Span(last.end, last.end), text if whole else end + text.removesuffix(end))
