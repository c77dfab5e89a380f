"""A new element in the sketch: free places for it, and its word, arrows, valve and pipes as Vensim writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise, product

from ...errors import Fault, ModelError
from ...model import Arrow, Kind, Lettering, Sketch, View, Word, WordKind, display_name, key, nearest, quote_name
from ..document import Document
from ..edit.layout import Edit, line_end
from ..read.segments import Span
from .views import GREY, arrow_line, view_texts, views_of, word_line

_FREE, _EDGE = 4, 5
"""Units left free around a word, and at the edges of a view."""
_STEP, _REACH, _FARTHEST = 20, 240, 40_000
"""Step and first reach of the search for a free place, and the reach at which it ends."""
_PIPE, _VALVE_LONG, _VALVE_HIGH, _CLOUD = 3, 6, 8, (10, 8)
"""Half the width of a pipe, and half the sizes of a valve and of a cloud."""
_LENGTHS = (75, 95, 120, 60)
"""Distances from a stock to the valve and from the valve to the cloud, in the order in which they are tried."""
_OFFSETS = (0, *(sign * distance for distance in range(40, 801, 40) for sign in (1, -1)))
"""Distances between a flow and the middle of its stock, in the order in which they are tried."""
_SHIFTS = (0, 0.5)
"""Ends of a flow that bends towards its stock: the middle of the stock, or halfway to its corner."""
_ONE_LINE = 20
"""Characters of a name that fit on one line; a longer name takes two."""
_LETTER, _LINE = 0.285, 0.67
"""Half the width of a letter and half the height of a line, as shares of the size of the letters."""
_POINTS, _POINTS_PER_INCH = 12.0, 72
_NAME_WIDTH, _STOCK = 20, (40, 20)
"""The least half width of a name, and half the size of a stock."""
_NEW_FIELDS, _MORE = 21, ",0,0,0,0,0,0"
"""Vensim ends words with six more numbers since its version 8.2.1."""
_TEXT_BELOW, _TEXT_BESIDE = 1, 4  # positions of a valve's name
_ARC = 30
"""Units by which an arrow along a pipe is bent."""

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its middle and half its width and height, in the units of its view."""

    x: int
    y: int
    half_width: int
    half_height: int

    def meets(self, other: Box, distance: int = _FREE) -> bool:
        """Whether two boxes are closer than a distance."""
        return (
            abs(self.x - other.x) < self.half_width + other.half_width + distance
            and abs(self.y - other.y) < self.half_height + other.half_height + distance
        )

    def holds(self, point: Point) -> bool:
        """Whether a point is in the box."""
        return abs(point[0] - self.x) <= self.half_width and abs(point[1] - self.y) <= self.half_height


@dataclass(frozen=True, slots=True)
class Route:
    """A flow: its valve, its label, and the bends and ends of its two pipes; an upright valve is on a vertical pipe."""

    valve: Box
    label: Box
    upright: bool
    bends: tuple[Point, Point]
    ends: tuple[Box, Box]

    @property
    def pipes(self) -> list[Box]:
        """The pieces of the pipes, up to the edges of what they join."""
        found: list[Box] = []
        for (x, y), end in zip(self.bends, self.ends, strict=True):
            edge = end.x + (end.half_width if x > end.x else -end.half_width), y
            if abs(x - end.x) <= end.half_width:
                edge = x, end.y + (end.half_height if y > end.y else -end.half_height)
            found += _pieces((_middle(self.valve), (x, y), edge))
        return found


@dataclass
class Plane:
    """The contents of a view: boxes of words by their numbers, influences as lines, and pieces of pipes."""

    boxes: dict[int, Box]
    lines: list[tuple[Point, ...]]
    pipes: list[Box]

    @classmethod
    def of(cls, view: View) -> Plane:
        """Read the contents of a view."""
        boxes = {word.number: Box(word.x, word.y, word.half_width, word.half_height) for word in view.words}
        lines = [
            (arrow.pipe, (_middle(boxes[arrow.source]), *arrow.points, _middle(boxes[arrow.target])))
            for arrow in view.arrows
            if arrow.source in boxes and arrow.target in boxes
        ]
        pipes = [piece for is_pipe, line in lines if is_pipe for piece in _pieces(line)]
        return cls(boxes, [line for is_pipe, line in lines if not is_pipe], pipes)

    def is_free(self, box: Box) -> bool:
        """Whether a box is inside the view and off all words and pipes."""
        inside = box.x >= box.half_width + _EDGE and box.y >= box.half_height + _EDGE
        return inside and not any(box.meets(other) for other in (*self.boxes.values(), *self.pipes))

    def is_open(self, pipe: Box, joined: Sequence[Box]) -> bool:
        """Whether a piece of a pipe crosses no word except those that it joins, and runs along no other pipe."""
        words = (box for box in self.boxes.values() if box not in joined)
        along = (other for other in self.pipes if (other.half_width > _PIPE) is (pipe.half_width > _PIPE))
        return min(pipe.x, pipe.y) > 0 and not any(pipe.meets(other, 0) for other in (*words, *along))

    def spot(self, near: Point, half_width: int, half_height: int, causes: Sequence[int] = ()) -> Box:
        """Return a place for a word near a point: off other words, and if possible off lines and in sight of its causes."""
        reach = _REACH
        while reach < _FARTHEST:
            steps = range(-reach, reach + 1, max(_STEP, reach // 12))
            boxes = [Box(near[0] + right, near[1] + down, half_width, half_height) for down in steps for right in steps]
            ranked = sorted((math.dist(_middle(box), near) / _STEP, number, box) for number, box in enumerate(boxes))
            best: tuple[float, int, Box] | None = None
            for distance, number, box in ranked:
                if best and distance > best[0]:  # no later box can have a lower cost
                    break
                if self.is_free(box):
                    found = self._cost(box, distance, causes), number, box
                    best = min(best, found) if best else found
            if best:
                return best[2]
            reach *= 2
        below = max((box.y + box.half_height for box in self.boxes.values()), default=0)
        return Box(half_width + _EDGE, below + half_height + 2 * _FREE, half_width, half_height)

    def _cost(self, box: Box, distance: float, causes: Sequence[int]) -> float:
        """Rate a place: distance, lines through it, and words between it and its causes."""
        crossed = sum(any(box.holds(point) for point in _along(line)) for line in self.lines)
        hidden = sum(
            any(other.holds(point) for point in _along((_middle(self.boxes[cause]), _middle(box))))
            for cause in causes
            for number, other in self.boxes.items()
            if number != cause
        )
        return distance + 8 * crossed + 6 * hidden

    def route(self, source: int | None, sink: int | None, label: tuple[int, int]) -> Route:
        """Return a route for a flow; a stock that is None is replaced by a cloud."""
        joined = [self.boxes[number] for number in (source, sink) if number is not None]
        candidates: Iterable[Route] = ()
        if len(joined) == 2:  # noqa: PLR2004 - both ends
            candidates = _between_stocks(joined[0], joined[1], label)
        elif joined:
            candidates = _to_cloud(joined[0], label, out=source is not None)
        box = self.spot(self.centre, _LENGTHS[0] + label[0], _CLOUD[1] + 2 * label[1])
        left, right = (
            Box(box.x + way * _LENGTHS[0], box.y, *_CLOUD) if end is None else self.boxes[end]
            for way, end in ((-1, source), (1, sink))
        )
        best, fewest = _run(left, right, box.x, box.y, label), math.inf  # a free valve, whatever its pipes cross
        for route in candidates:
            words = [route.valve, route.label, *(end for end in route.ends if end not in joined)]
            if all(map(self.is_free, words)):
                crossings = sum(not self.is_open(pipe, joined) for pipe in route.pipes)
                if crossings < fewest:
                    best, fewest = route, crossings
            if not fewest:
                break
        return best

    @property
    def centre(self) -> Point:
        """The middle of the words."""
        if not self.boxes:
            return 200, 200
        xs, ys = [box.x for box in self.boxes.values()], [box.y for box in self.boxes.values()]
        return (min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2


def _middle(box: Box) -> Point:
    return box.x, box.y


def _along(line: Sequence[Point]) -> Iterator[Point]:
    """Return points on a line, closer together than the size of a word."""
    for (x0, y0), (x1, y1) in pairwise(line):
        count = max(1, int(math.dist((x0, y0), (x1, y1)) // 10))
        for n in range(count + 1):
            yield x0 + (x1 - x0) * n // count, y0 + (y1 - y0) * n // count


def _pieces(line: Sequence[Point]) -> Iterator[Box]:
    """Return the pieces of a pipe as boxes; a slanted piece becomes many small ones."""
    for start, end in pairwise(line):
        (x0, y0), (x1, y1) = start, end
        if min(abs(x1 - x0), abs(y1 - y0)) > _PIPE:
            yield from (Box(x, y, _PIPE, _PIPE) for x, y in _along((start, end)))
        else:
            wide, high = (max(_PIPE, abs(a - b) // 2) for a, b in ((x0, x1), (y0, y1)))
            yield Box((x0 + x1) // 2, (y0 + y1) // 2, wide, high)


def _between_stocks(source: Box, sink: Box, label: tuple[int, int]) -> Iterator[Route]:
    """Return routes from one stock to another: straight ones first, then ones farther and farther aside."""
    upright = abs(sink.x - source.x) < source.half_width + sink.half_width + 2 * _VALVE_LONG
    for offset, turned, base, shift in product(_OFFSETS, (upright, not upright), (0, 1), _SHIFTS):
        ends = (_flip(source), _flip(sink)) if turned else (source, sink)
        across = (ends[0].x + ends[1].x) // 2
        yield _run(*ends, across, ends[base].y + offset, label, shift=shift, upright=turned)


def _to_cloud(stock: Box, label: tuple[int, int], *, out: bool) -> Iterator[Route]:
    """Return routes between a stock and a cloud: to the right or from the left first, then elsewhere."""
    ways = (1, -1) if out else (-1, 1)
    for offset, length, upright, way, shift in product(_OFFSETS, _LENGTHS, (False, True), ways, _SHIFTS):
        base = _flip(stock) if upright else stock
        valve = base.x + way * (base.half_width + length)
        cloud = Box(valve + way * length, base.y + offset, *_CLOUD)
        first, second = (base, cloud) if out else (cloud, base)
        yield _run(first, second, valve, base.y + offset, label, shift=shift, upright=upright)


def _run(
    source: Box, sink: Box, across: int, level: int, label: tuple[int, int], *, shift: float = 0, upright: bool = False
) -> Route:
    """Return a route along x at a level, or along y if it is upright.

    A pipe that passes above or below its end bends towards it, `shift` half widths from the middle of the end.
    """
    valve = Box(across, level, _VALVE_LONG, _VALVE_HIGH)
    width, height = label
    name = Box(across, level + _VALVE_HIGH + height, width, height)
    if upright:
        name = Box(level + _VALVE_HIGH + 2 + width, across, width, height)
    bends = _bend(source, across, level, shift), _bend(sink, across, level, shift)
    if not upright:
        return Route(valve, name, upright, bends, (source, sink))
    (x0, y0), (x1, y1) = bends
    return Route(_flip(valve), name, upright, ((y0, x0), (y1, x1)), (_flip(source), _flip(sink)))


def _bend(end: Box, across: int, level: int, shift: float) -> Point:
    """Return the point at which a pipe bends towards its end; for a straight pipe, its middle."""
    way = 1 if across > end.x else -1
    if abs(level - end.y) < end.half_height:
        return (end.x + way * end.half_width + across) // 2, level
    return end.x + way * round(shift * end.half_width), level


def _flip(box: Box) -> Box:
    return Box(box.y, box.x, box.half_height, box.half_width)


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
        """Add a word; return its number."""
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

    def worth(shown: View) -> tuple[int, int, int]:
        """Count the element's stocks in a view, then its causes, then its group."""
        own = {key(word.text) for word in shown.words if word.kind == "variable" and not word.shadow}
        ends = {element.source, element.sink} & own
        return len(ends), len(own & element.causes.keys()), len(own & element.companions)

    chosen = (sketch.find(view) if view is not None else None) or max(sketch.views, key=worth)
    records = [record for text in view_texts(document) for record in text.records if record.is_word]
    more = _MORE if any(len(record.fields) >= _NEW_FIELDS for record in records) else ""
    numbers = [*(word.number for word in chosen.words), *(arrow.number for arrow in chosen.arrows)]
    page = _Page(chosen, Plane.of(chosen), count(max(numbers, default=0) + 1), more)
    target = _draw_flow(page, element) if element.kind == "flow" else _draw_variable(page, element)
    for name, initial in element.causes.values():
        _draw_influence(page, name, target, initial=initial)
    spans = (text.span for text in view_texts(document))
    last = next(span.end for span in spans if document.place(span.start) == chosen.place)
    end = line_end(document.text)
    text = "".join(line + end for line in page.lines)
    is_whole = document.text[:last].endswith(("\n", "\r"))
    return [Edit(Span(last, last), text if is_whole else end + text.removesuffix(end))], chosen.name


def _draw_variable(page: _Page, element: NewElement) -> int:
    """Add a word near the middle of the element's causes, else of its group, else of the view."""
    causes = [number for cause in element.causes if (number := page.find(cause)) is not None]
    group = [number for name in element.companions if (number := page.find(name, own=True)) is not None]
    boxes = [page.plane.boxes[number] for number in causes or group]
    near = page.plane.centre
    if boxes:
        near = sum(box.x for box in boxes) // len(boxes), sum(box.y for box in boxes) // len(boxes)
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
    *pipes, valve = (next(page.numbers) for _ in range(3))
    for number, end, bend, head in zip(pipes, reversed(ends), reversed(route.bends), (True, False), strict=True):
        page.lines.append(arrow_line(Arrow(number, valve, end, "path", (bend,), pipe=True, head=head)))
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
