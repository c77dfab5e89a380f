"""Geometry of a diagram: regions, arcs through three points, where a line leaves one shape and reaches another, heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_FEWEST, _MOST = 32, 2000
"""The number of points along a line: enough for a smooth curve, and few enough for a line across a huge page."""
_FLAT = 1e-3
"""An arc is a straight line if its triangle has less than this height divided by its base."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle or, if `round`, the ellipse in it, by its centre and half sizes."""

    x: float
    y: float
    half_width: float
    half_height: float
    round: bool = False

    def grown(self, by: float) -> Region:
        """Return the region with a margin around it."""
        return Region(self.x, self.y, self.half_width + by, self.half_height + by, self.round)

    def contains(self, points: Points) -> NDArray[np.bool_]:
        """Return which of the points, shape (points, 2), are inside."""
        size = np.maximum((self.half_width, self.half_height), 1e-9)
        scaled = np.abs((points - (self.x, self.y)) / size)
        reach = np.hypot(scaled[:, 0], scaled[:, 1]) if self.round else scaled.max(axis=1)
        return np.asarray(reach <= 1)


def polyline(corners: Sequence[tuple[float, float]]) -> Points:
    """Return closely spaced points along straight lines from corner to corner, shape (points, 2)."""
    ends = np.array(corners, dtype=float)
    along = distances_along(ends)
    at = np.unique(np.concatenate([np.linspace(0, along[-1], _point_count(along[-1])), along]))
    return np.column_stack([np.interp(at, along, ends[:, axis]) for axis in (0, 1)])


def arc(start: tuple[float, float], through: tuple[float, float], end: tuple[float, float]) -> Points:
    """Return closely spaced points on the circle through three points, from the first through the second to the third.

    Three points on one line make a straight line. If the first is the last, the second is the other end of a diameter.
    """
    a, b, c = (np.array(point, dtype=float) for point in (start, through, end))
    base = float(np.hypot(*(c - a)))
    doubled = float((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0])
    if base == 0:
        centre, turn = (a + b) / 2, 2 * math.pi
    elif abs(doubled) < _FLAT * base * base:
        return polyline([start, end])
    else:
        # the centre is where the perpendicular bisectors of two chords intersect; `doubled` is twice the triangle's area
        to_b, to_c = b - a, c - a
        squares = np.array([to_b @ to_b, to_c @ to_c])
        offset = np.array([to_c[1] * squares[0] - to_b[1] * squares[1], to_b[0] * squares[1] - to_c[0] * squares[0]])
        centre = a + offset / (2 * doubled)
        angle_a, angle_b, angle_c = (math.atan2(*(point - centre)[::-1]) for point in (a, b, c))
        half, whole = (angle_b - angle_a) % (2 * math.pi), (angle_c - angle_a) % (2 * math.pi)
        turn = whole if half <= whole else whole - 2 * math.pi
    first = math.atan2(*(a - centre)[::-1])
    radius = float(np.hypot(*(a - centre)))
    angles = first + np.linspace(0, turn, _point_count(radius * abs(turn)))
    return centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])


def _point_count(length: float) -> int:
    return int(min(max(length, _FEWEST), _MOST))


def distances_along(points: Points) -> Points:
    """Return the distances of points from the first, along the line."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def between(points: Points, source: Sequence[Region], target: Sequence[Region]) -> Points | None:
    """Return the part of a line after it has left the regions of its source, until it reaches a region of its target.

    None if nothing is left of it.
    """
    left = points
    for region in source:
        inside = np.flatnonzero(region.contains(left))
        left = left[inside[-1] + 1 if inside.size else 0 :]
    if not len(left):
        return None
    reached = np.flatnonzero(np.any([np.zeros(len(left), dtype=bool), *(r.contains(left) for r in target)], axis=0))
    part = left[: reached[0] + 1] if reached.size else left
    return part if len(part) > 1 else None


def shortened(points: Points, by: float) -> Points:
    """Return a line without its last stretch; at least one point is left."""
    along = distances_along(points)
    return points[: max(1, int((along[-1] - along >= by).sum()))]


def point_before_end(points: Points, by: float) -> tuple[Points, Points]:
    """Return the point at a distance before the end of a line, and the unit vector from there to the end."""
    start = shortened(points, by)[-1]
    forward = points[-1] - start
    size = float(np.hypot(*forward))
    return start, forward / size if size else np.array([1.0, 0.0])


def arrow_head(points: Points, length: float, half_width: float) -> Points:
    """Return the triangle at the end of a line, in the direction of its last stretch, shape (3, 2)."""
    _, forward = point_before_end(points, length)
    tip = points[-1]
    base, aside = tip - length * forward, half_width * np.array([-forward[1], forward[0]])
    return np.array([tip, base + aside, base - aside])
