"""Free places in a view: for a new word, and for the valve and pipes of a new flow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from ...model import View

_FREE = 4
"""Units left free around a word."""
_EDGE = 5
"""Units left free at the edges of a view."""
_STEP, _REACH, _FARTHEST = 20, 240, 40_000
"""Step and first reach of the search for a free place, and the reach at which it ends."""
_PIPE = 3
_VALVE_LONG, _VALVE_HIGH = 6, 8
_CLOUD = (10, 8)
_LENGTHS = (75, 95, 120, 60)
"""Distances from a stock to the valve and from the valve to the cloud, in the order in which they are tried."""
_BLOCKED = 1000
"""Crossings of a route with words on other words; more than any route has."""
_OFFSETS = (0, *(sign * distance for distance in range(40, 801, 40) for sign in (1, -1)))
"""Distances between a flow and the middle of its stock, in the order in which they are tried."""
_SHIFTS = (0, 0.5)
"""Ends of a flow that bends towards its stock: the middle of the stock, or halfway to its corner."""

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
        start = _middle(self.valve)
        return [
            piece
            for bend, end in zip(self.bends, self.ends, strict=True)
            for piece in _pieces((start, bend, _edge(bend, end)))
        ]


@dataclass
class Plane:
    """The contents of a view: boxes of words by their numbers, influences as lines, and pieces of pipes."""

    boxes: dict[int, Box]
    lines: list[tuple[Point, ...]]
    pipes: list[Box]

    @classmethod
    def of(cls, view: View) -> Plane:
        """Return the contents of a view."""
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
            boxes = _around(near, reach, half_width, half_height)
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
        best, fewest = self._anywhere(source, sink, label), _BLOCKED
        for route in candidates:
            crossings = self._crossings(route, joined)
            if crossings < fewest:
                best, fewest = route, crossings
            if not fewest:
                break
        return best

    def _anywhere(self, source: int | None, sink: int | None, label: tuple[int, int]) -> Route:
        """Return a route with its valve in a free place, whatever its pipes cross."""
        box = self.spot(self.centre, _LENGTHS[0] + label[0], _CLOUD[1] + 2 * label[1])
        left, right = (
            Box(box.x + way * _LENGTHS[0], box.y, *_CLOUD) if end is None else self.boxes[end]
            for way, end in ((-1, source), (1, sink))
        )
        return _run(left, right, box.x, box.y, label)

    def _crossings(self, route: Route, joined: Sequence[Box]) -> int:
        """Count the pieces of a route's pipes that cross words or run along other pipes; its own words must be free."""
        words = [route.valve, route.label, *(end for end in route.ends if end not in joined)]
        if not all(map(self.is_free, words)):
            return _BLOCKED
        return sum(not self.is_open(pipe, joined) for pipe in route.pipes)

    @property
    def centre(self) -> Point:
        """The middle of the words."""
        if not self.boxes:
            return 200, 200
        xs, ys = [box.x for box in self.boxes.values()], [box.y for box in self.boxes.values()]
        return (min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2


def _middle(box: Box) -> Point:
    return box.x, box.y


def _around(near: Point, reach: int, half_width: int, half_height: int) -> Iterator[Box]:
    steps = range(-reach, reach + 1, max(_STEP, reach // 12))
    for down in steps:
        for right in steps:
            yield Box(near[0] + right, near[1] + down, half_width, half_height)


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


def _edge(bend: Point, end: Box) -> Point:
    """Return the point at which a pipe from its bend meets the edge of what it joins."""
    x, y = bend
    if abs(x - end.x) <= end.half_width:
        return x, end.y + (end.half_height if y > end.y else -end.half_height)
    return end.x + (end.half_width if x > end.x else -end.half_width), y


def _between_stocks(source: Box, sink: Box, label: tuple[int, int]) -> Iterator[Route]:
    """Return routes from one stock to another: straight ones first, then ones farther and farther aside."""
    upright = abs(sink.x - source.x) < source.half_width + sink.half_width + 2 * _VALVE_LONG
    for offset in _OFFSETS:
        for turned in (upright, not upright):
            first, second = (_flip(source), _flip(sink)) if turned else (source, sink)
            for base in (first, second):
                for shift in _SHIFTS:
                    across = (first.x + second.x) // 2
                    yield _run(first, second, across, base.y + offset, label, shift=shift, upright=turned)


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
    """Return a route along x at a level; an upright one is turned at the end.

    A pipe that passes above or below its end bends towards it, `shift` half widths from the middle of the end.
    """
    valve = Box(across, level, _VALVE_LONG, _VALVE_HIGH)
    width, height = label
    name = Box(across, level + _VALVE_HIGH + height, width, height)
    if upright:
        name = Box(level + _VALVE_HIGH + 2 + width, across, width, height)
    bends = _bend(source, across, level, shift), _bend(sink, across, level, shift)
    route = Route(valve, name, upright, bends, (source, sink))
    return _turned(route) if upright else route


def _bend(end: Box, across: int, level: int, shift: float) -> Point:
    """Return the point at which a pipe bends towards its end; for a straight pipe, its middle."""
    way = 1 if across > end.x else -1
    if abs(level - end.y) < end.half_height:
        return (end.x + way * end.half_width + across) // 2, level
    return end.x + way * round(shift * end.half_width), level


def _flip(box: Box) -> Box:
    return Box(box.y, box.x, box.half_height, box.half_width)


def _turned(route: Route) -> Route:
    """Return a route along y from one along x; its label is not turned."""
    (x0, y0), (x1, y1) = route.bends
    ends = _flip(route.ends[0]), _flip(route.ends[1])
    return replace(route, valve=_flip(route.valve), bends=((y0, x0), (y1, x1)), ends=ends)
