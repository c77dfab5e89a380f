"""Lines between words: circles through three points, where a line leaves one shape and reaches another, arrow heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_FEWEST, _MOST = 32, 2000
"""Points along a line: so many that a curve is smooth, and so few that a line across a huge page costs little."""
_FLAT = 1e-3
"""The height of a triangle against its base below which its circle is a straight line."""


@dataclass(frozen=True, slots=True)
class Region:
    """The place that a word takes: a rectangle or, if `round`, the ellipse in it, by its centre and half sizes."""

    x: float
    y: float
    half_width: float
    half_height: float
    round: bool = False

    def grown(self, by: float) -> Region:
        """The same place with a margin around it."""
        return Region(self.x, self.y, self.half_width + by, self.half_height + by, self.round)

    def holds(self, points: Points) -> NDArray[np.bool_]:
        """Which of the points, shape (points, 2), are inside."""
        size = np.maximum((self.half_width, self.half_height), 1e-9)
        across = np.abs((points - (self.x, self.y)) / size)
        reach = np.hypot(across[:, 0], across[:, 1]) if self.round else across.max(axis=1)
        return np.asarray(reach <= 1)


def straight(corners: Sequence[tuple[float, float]]) -> Points:
    """Points close to each other along straight lines from corner to corner, shape (points, 2)."""
    ends = np.array(corners, dtype=float)
    lengths = np.hypot(*np.diff(ends, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.unique(np.concatenate([np.linspace(0, along[-1], _count(along[-1])), along]))
    return np.column_stack([np.interp(at, along, ends[:, axis]) for axis in (0, 1)])


def arc(start: tuple[float, float], through: tuple[float, float], end: tuple[float, float]) -> Points:
    """Points close to each other on the circle through three points, from the first over the second to the third.

    The centre is where the perpendicular bisectors of two chords meet. Points on one line make a straight line; where the
    first is the last, the circle has its diameter from there to the second.
    """
    a, b, c = (np.array(each, dtype=float) for each in (start, through, end))
    base = float(np.hypot(*(c - a)))
    doubled = float((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0])
    if base == 0:
        centre, turn = (a + b) / 2, 2 * math.pi
    elif abs(doubled) < _FLAT * base * base:
        return straight([start, end])
    else:
        centre = _centre(a, b, c, doubled)
        turn = _turn(a - centre, b - centre, c - centre)
    first = math.atan2(*(a - centre)[::-1])
    radius = float(np.hypot(*(a - centre)))
    angles = first + np.linspace(0, turn, _count(radius * abs(turn)))
    return centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])


def _centre(a: Points, b: Points, c: Points, doubled: float) -> Points:
    """The centre of the circle through three points, of which `doubled` is twice the area between them."""
    to_b, to_c = b - a, c - a
    squares = np.array([to_b @ to_b, to_c @ to_c])
    offset = np.array([to_c[1] * squares[0] - to_b[1] * squares[1], to_b[0] * squares[1] - to_c[0] * squares[0]])
    return np.asarray(a + offset / (2 * doubled))


def _turn(a: Points, b: Points, c: Points) -> float:
    """The angle from the first direction over the second to the third, positive where angles grow."""
    first, second, third = (math.atan2(each[1], each[0]) for each in (a, b, c))
    over, whole = (second - first) % (2 * math.pi), (third - first) % (2 * math.pi)
    return whole if over <= whole else whole - 2 * math.pi


def _count(length: float) -> int:
    return int(min(max(length, _FEWEST), _MOST))


def between(points: Points, source: Sequence[Region], target: Sequence[Region]) -> Points | None:
    """The part of a line from where it has left the regions of its source to where it reaches one of its target's.

    None if nothing is left of it.
    """
    left = points
    for region in source:
        inside = np.flatnonzero(region.holds(left))
        left = left[inside[-1] + 1 if inside.size else 0 :]
    if not len(left):
        return None
    reached = np.flatnonzero(np.any([np.zeros(len(left), dtype=bool), *(each.holds(left) for each in target)], axis=0))
    part = left[: reached[0] + 1] if reached.size else left
    return part if len(part) > 1 else None


def length_of(points: Points) -> float:
    """How long a line is."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def shortened(points: Points, by: float) -> Points:
    """A line without its last stretch, of which a point is left at least."""
    rest = length_of(points) - np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return points[: max(1, int((rest >= by).sum()))]


def point_before_end(points: Points, by: float) -> tuple[Points, Points]:
    """The point so far before the end of a line, and the unit vector from there to the end."""
    start = shortened(points, by)[-1]
    forward = points[-1] - start
    size = float(np.hypot(*forward))
    return start, forward / size if size else np.array([1.0, 0.0])


def arrow_head(points: Points, length: float, half_width: float) -> Points:
    """The triangle at the end of a line, in the direction of its last stretch, shape (3, 2)."""
    _, forward = point_before_end(points, length)
    tip = points[-1]
    base, aside = tip - length * forward, half_width * np.array([-forward[1], forward[0]])
    return np.array([tip, base + aside, base - aside])
