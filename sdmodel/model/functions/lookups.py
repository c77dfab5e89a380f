"""Lookups: the first argument is a table, or the name of one."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

from sympy import Expr, S

from ..algebra import Table
from .logic import constant_almost_everywhere
from .row import Absent, FunctionRow


def look_up(way: str, table: Table, x: float) -> float:
    """The value of a table at x, by one of the ways: `between`, `extrapolate`, `forward` or `backward`."""
    points = sorted(table.points, key=lambda point: point[0])
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    if way == "forward":
        return ys[min(bisect_left(xs, x), len(xs) - 1)]
    if way == "backward":
        return ys[max(bisect_right(xs, x) - 1, 0)]
    if len(xs) == 1:
        return ys[0]
    within = way == "between"
    x = min(max(x, xs[0]), xs[-1]) if within else x
    left = min(max(bisect_right(xs, x) - 1, 0), len(xs) - (1 if within else 2))
    width = xs[left + 1] - xs[left] if left + 1 < len(xs) else 0.0
    return ys[left] + (x - xs[left]) * ((ys[left + 1] - ys[left]) / width if width else 0.0)


def slope_of(way: str) -> Callable[[Expr, Expr], Sequence[Expr]]:
    """The slope of the line that x lies on; beyond the ends it is 0, except where a lookup extrapolates."""

    def derivatives(table: Expr, x: Expr) -> Sequence[Expr]:
        if not isinstance(table, Table):
            message = "the slope of a lookup follows from its points; put the table in the place of its name"
            raise NotImplementedError(message)
        points = sorted(table.points, key=lambda point: point[0])
        pairs = [(*left, *right) for left, right in pairwise(points)]
        slopes = [(x0, (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0) for x0, y0, x1, y1 in pairs]
        if way == "between" or not slopes:
            slopes = [(math.nextafter(points[0][0], -math.inf), 0.0), *slopes, (points[-1][0], 0.0)]
        return S.Zero, BACKWARD.build(Table(slopes), x)

    return derivatives


def _lookup(
    name: str, way: str, meaning: str, derivative: Callable[[Expr, Expr], Sequence[Expr]] | None = None
) -> FunctionRow:
    return FunctionRow(
        f"{name}(table, x)",
        meaning,
        "v, u -> v",
        kinds=("table", "finite"),
        evaluate=lambda table, x: look_up(way, table, x),
        arrays=Absent("a formula over arrays has no lookups"),
        emit=lambda f, table, x: f.look_up(way, table, x),
        derivative=derivative or constant_almost_everywhere,
        stays_finite=way != "extrapolate",
    )


BACKWARD = _lookup("LOOKUP BACKWARD", "backward", "the table's last point at or before x")

ROWS = (
    _lookup(
        "LOOKUP", "between", "the table at x: lines between the points, level beyond the ends", slope_of("between")
    ),
    _lookup("LOOKUP EXTRAPOLATE", "extrapolate", "as a lookup, with the end lines extended", slope_of("extrapolate")),
    _lookup("LOOKUP FORWARD", "forward", "the table's next point at or after x"),
    BACKWARD,
)
