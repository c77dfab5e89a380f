"""Room in a view: where a new word fits without lying on what is there, and how a new flow runs to its stocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..model import View

_GAP = 4
"""So much is left free around a word."""
_EDGE = 5
_STEP, _REACH, _FARTHEST = 20, 240, 40_000
_PIPE = 3
_VALVE_LONG, _VALVE_HIGH = 6, 8
_CLOUD = (10, 8)
_LENGTHS = (75, 95, 120, 60)
"""From the edge of a stock to the valve, and as far again to the cloud, in the order in which they are tried."""
_OFFSETS = (0, *(sign * distance for distance in range(40, 801, 40) for sign in (1, -1)))
"""How far aside of its stock a flow may run."""

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its middle and half of its width and height, in the units of its view."""

    x: int
    y: int
    half_width: int
    half_height: int

    def meets(self, other: Box, gap: int = _GAP) -> bool:
        """Whether less than a gap lies between two boxes."""
        return (
            abs(self.x - other.x) < self.half_width + other.half_width + gap
            and abs(self.y - other.y) < self.half_height + other.half_height + gap
        )

    def holds(self, point: Point) -> bool:
        """Whether a point lies in the box."""
        return abs(point[0] - self.x) <= self.half_width and abs(point[1] - self.y) <= self.half_height


@dataclass(frozen=True, slots=True)
class Route:
    """A flow: its valve, on a pipe that runs up or down if it is upright, its label, and where its pipes bend and end."""

    valve: Box
    label: Box
    upright: bool
    bends: tuple[Point, Point]
    ends: tuple[Box, Box]


@dataclass
class Plane:
    """What lies in a view: boxes of words by their numbers, and lines from point to point."""

    boxes: dict[int, Box]
    lines: list[tuple[Point, ...]]

    @classmethod
    def of(cls, view: View) -> Plane:
        """The words of a view, and its arrows as lines through their points."""
        boxes = {word.number: Box(word.x, word.y, word.half_width, word.half_height) for word in view.words}
        lines = [
            (_middle(boxes[arrow.source]), *arrow.points, _middle(boxes[arrow.target]))
            for arrow in view.arrows
            if arrow.source in boxes and arrow.target in boxes
        ]
        return cls(boxes, lines)

    def is_free(self, box: Box, gap: int = _GAP, besides: Sequence[Box] = ()) -> bool:
        """Whether a box lies on no word, those besides left out, and inside of the view."""
        inside = box.x >= box.half_width + _EDGE and box.y >= box.half_height + _EDGE
        return inside and not any(box.meets(other, gap) for other in self.boxes.values() if other not in besides)

    def spot(self, near: Point, half_width: int, half_height: int, causes: Sequence[int] = ()) -> Box:
        """Where a word fits: near a point, off other words, and if it can be off the lines, seen from its causes."""
        reach = _REACH
        while reach < _FARTHEST:
            free = [box for box in _around(near, reach, half_width, half_height) if self.is_free(box)]
            if free:
                return min(free, key=lambda box: self._cost(box, near, causes))
            reach *= 2
        below = max((box.y + box.half_height for box in self.boxes.values()), default=0)
        return Box(half_width + _EDGE, below + half_height + 2 * _GAP, half_width, half_height)

    def _cost(self, box: Box, near: Point, causes: Sequence[int]) -> float:
        """How ill a box lies: far away, on lines, or with words between it and its causes."""
        crossed = sum(any(box.holds(point) for point in _along(line)) for line in self.lines)
        hidden = sum(
            any(other.holds(point) for point in _along((_middle(self.boxes[cause]), _middle(box))))
            for cause in causes
            for number, other in self.boxes.items()
            if number != cause
        )
        return math.dist(_middle(box), near) / _STEP + 8 * crossed + 6 * hidden

    def route(self, source: int | None, sink: int | None, label: tuple[int, int]) -> Route:
        """How a flow runs from one stock to another, between a stock and a cloud, or, without stocks, between two clouds."""
        joined = [self.boxes[number] for number in (source, sink) if number is not None]
        tried: Iterable[Route] = ()
        if len(joined) == 2:  # noqa: PLR2004 - both ends
            tried = _between(joined[0], joined[1], label)
        elif joined:
            tried = _beside(joined[0], label, out=source is not None)
        return next((route for route in tried if self._carries(route, joined)), self._apart(label))

    def _apart(self, label: tuple[int, int]) -> Route:
        """A flow between two clouds, where there is room."""
        box = self.spot(self.centre, _LENGTHS[0] + label[0], _CLOUD[1] + 2 * label[1])
        left, right = (Box(box.x + way * _LENGTHS[0], box.y, *_CLOUD) for way in (-1, 1))
        return _run(left, right, box.x, 0, label)

    def _carries(self, route: Route, joined: Sequence[Box]) -> bool:
        """Whether nothing is in a flow's way but the stocks that it joins."""
        words = [route.valve, route.label, *(end for end in route.ends if end not in joined)]
        pipes = [
            _pipe(*piece)
            for bend, end in zip(route.bends, route.ends, strict=True)
            for piece in ((_middle(route.valve), bend), (bend, _middle(end)))
        ]
        return all(self.is_free(word) for word in words) and all(self.is_free(pipe, 0, joined) for pipe in pipes)

    @property
    def centre(self) -> Point:
        """The middle of what is there."""
        if not self.boxes:
            return 200, 200
        xs, ys = [box.x for box in self.boxes.values()], [box.y for box in self.boxes.values()]
        return (min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2


def _middle(box: Box) -> Point:
    return box.x, box.y


def _around(near: Point, reach: int, half_width: int, half_height: int) -> Iterator[Box]:
    """Places on a grid around a point."""
    steps = range(-reach, reach + 1, max(_STEP, reach // 12))
    for down in steps:
        for right in steps:
            yield Box(near[0] + right, near[1] + down, half_width, half_height)


def _along(line: Sequence[Point]) -> Iterator[Point]:
    """Points on a line, close enough for no word to slip between them."""
    for (x0, y0), (x1, y1) in pairwise(line):
        count = max(1, int(math.dist((x0, y0), (x1, y1)) // 10))
        for n in range(count + 1):
            yield x0 + (x1 - x0) * n // count, y0 + (y1 - y0) * n // count


def _pipe(start: Point, end: Point) -> Box:
    """A piece of a pipe, which runs along one of the axes."""
    (x0, y0), (x1, y1) = start, end
    return Box((x0 + x1) // 2, (y0 + y1) // 2, abs(x1 - x0) // 2 + _PIPE, abs(y1 - y0) // 2 + _PIPE)


def _between(source: Box, sink: Box, label: tuple[int, int]) -> Iterator[Route]:
    """Flows from one stock to another: straight where they can, then farther and farther aside."""
    upright = abs(sink.x - source.x) < source.half_width + sink.half_width + 2 * _VALVE_LONG
    for offset in _OFFSETS:
        if upright:
            yield _run(_flip(source), _flip(sink), (source.y + sink.y) // 2, offset, label, upright=True)
        else:
            yield _run(source, sink, (source.x + sink.x) // 2, offset, label)


def _beside(stock: Box, label: tuple[int, int], *, out: bool) -> Iterator[Route]:
    """Flows between a stock and a cloud: to the right or from the left, and where there is no room elsewhere."""
    ways = (1, -1) if out else (-1, 1)
    for offset in _OFFSETS:
        for length in _LENGTHS:
            for upright in (False, True):
                for way in ways:
                    base = _flip(stock) if upright else stock
                    valve = base.x + way * (base.half_width + length)
                    cloud = Box(valve + way * length, base.y + offset, *_CLOUD)
                    ends = (base, cloud) if out else (cloud, base)
                    yield _run(*ends, valve, offset if out else 0, label, upright=upright)


def _run(source: Box, sink: Box, across: int, offset: int, label: tuple[int, int], *, upright: bool = False) -> Route:
    """A flow that runs along x at an offset from the middle of its source; an upright one is turned at the end."""
    level = source.y + offset
    valve = Box(across, level, _VALVE_LONG, _VALVE_HIGH)
    width, height = label
    name = Box(across, level + _VALVE_HIGH + height, width, height)
    if upright:
        name = Box(level + _VALVE_HIGH + 2 + width, across, width, height)
    bends = _bend(source, across, level), _bend(sink, across, level)
    route = Route(valve, name, upright, bends, (source, sink))
    return _turned(route) if upright else route


def _bend(end: Box, across: int, level: int) -> Point:
    """Where a pipe turns towards its end; of a straight one, the middle between the valve and the edge of the end."""
    if abs(level - end.y) < end.half_height:
        edge = end.x + (end.half_width if across > end.x else -end.half_width)
        return (edge + across) // 2, level
    return end.x, level


def _flip(box: Box) -> Box:
    return Box(box.y, box.x, box.half_height, box.half_width)


def _turned(route: Route) -> Route:
    """A flow along y, made of one along x: all but its label is turned."""
    (x0, y0), (x1, y1) = route.bends
    ends = _flip(route.ends[0]), _flip(route.ends[1])
    return replace(route, valve=_flip(route.valve), bends=((y0, x0), (y1, x1)), ends=ends)
