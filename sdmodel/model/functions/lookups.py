"""Lookups: the first argument is a table, or the name of one.

What the manual leaves open: at its first and last point a table has the slope of its only segment there (LOOKUP SLOPE), and beyond its
ends the area continues level, as a lookup does (LOOKUP AREA).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from sympy import Expr, S

from ..algebra import NA, Table, inverse, multiply, negate
from .logic import GREATER_OR_EQUAL, IF_THEN_ELSE, LESS_OR_EQUAL, constant_almost_everywhere
from .row import Absent, Emitter, FunctionRow, R

_NO_ARRAYS = Absent("a formula over arrays has no lookups")
_HALF = 0.5


def look_up(way: str, table: Table, x: float) -> float:
    """The value of a table at x, by one of the ways: `between`, `extrapolate`, `forward` or `backward`."""
    points = table.by_x
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
        points = table.by_x
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
        arrays=_NO_ARRAYS,
        emit=lambda f, table, x: f.look_up(way, table, x),
        derivative=derivative or constant_almost_everywhere,
        stays_finite=way != "extrapolate",
    )


def areas_of(table: Table) -> tuple[Table, Table, Table]:
    """Tables by x: the area from the first point to each other one, the x of each point, and its y, after a step."""
    points = table.by_x
    pieces = ((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
    xs = [x for x, _ in points]
    areas = Table(list(zip(xs, accumulate(pieces, initial=0.0), strict=True)))
    return areas, Table([(x, x) for x in xs]), Table(list(dict(points).items()))


def _area(table: Table, start: float, end: float) -> float:
    areas, xs, ys = areas_of(table)

    def until(x: float) -> float:
        before = look_up("backward", xs, x)
        height = look_up("backward", ys, x) + look_up("between", table, x)
        return look_up("backward", areas, x) + (x - before) * (height * _HALF)

    return until(end) - until(start)


def _emit_area(f: Emitter[R], table: Table, start: R, end: R) -> R:
    areas, xs, ys = areas_of(table)

    def until(x: R) -> R:
        beyond = f.binary("-", x, f.look_up("backward", xs, x))
        height = f.binary("+", f.look_up("backward", ys, x), f.look_up("between", table, x))
        piece = f.binary("*", beyond, f.binary("*", height, f.constant(_HALF)))
        return f.binary("+", f.look_up("backward", areas, x), piece)

    return f.binary("-", until(end), until(start))


def _segments(table: Table) -> list[tuple[float, float, float, float]]:
    """Each segment: its lowest and highest y, and x as a line of y, `x0 + (y - y0) * slope`; the slope of a level one is 0."""
    points = table.by_x
    pairs = list(pairwise(points)) or [(points[0], points[0])]
    return [(x0, y0, y1, (x1 - x0) / (y1 - y0) if y1 != y0 else 0.0) for (x0, y0), (x1, y1) in pairs]


def _invert(table: Table, y: float) -> float:
    for x0, y0, y1, slope in _segments(table):
        if min(y0, y1) <= y <= max(y0, y1):
            return x0 + (y - y0) * slope
    return NA


def _emit_invert(f: Emitter[R], table: Table, y: R) -> R:
    found = f.constant(NA)
    for x0, y0, y1, slope in reversed(_segments(table)):
        above = f.compare(">=", y, f.constant(min(y0, y1)))
        within = f.logic("and", above, f.compare("<=", y, f.constant(max(y0, y1))))
        rise = f.binary("*", f.binary("-", y, f.constant(y0)), f.constant(slope))
        found = f.choose(within, f.binary("+", f.constant(x0), rise), found)
    return found


def _slopes(table: Table) -> tuple[Table, Table, list[float]]:
    """The slope of the segment after each point and before it, and the places of the steps, which have no slope."""
    points = table.by_x
    sloped = [(x0, x1, (y1 - y0) / (x1 - x0)) for (x0, y0), (x1, y1) in pairwise(points) if x1 > x0]
    sloped = sloped or [(points[0][0], points[0][0], 0.0)]
    steps = [x for x, count in Counter(x for x, _ in points).items() if count > 1]
    return Table([(x0, slope) for x0, _, slope in sloped]), Table([(x1, slope) for _, x1, slope in sloped]), steps


def _slope(table: Table, x: float, mode: float) -> float:
    points, (after, before, steps) = table.by_x, _slopes(table)
    if x in steps:
        return NA
    if points[0][0] <= x <= points[-1][0] or mode >= _HALF:
        return (look_up("forward", before, x) + look_up("backward", after, x)) * _HALF
    return NA if mode <= -_HALF else 0.0


def _emit_slope(f: Emitter[R], table: Table, x: R, mode: R) -> R:
    points, (after, before, steps) = table.by_x, _slopes(table)
    both = f.binary("+", f.look_up("forward", before, x), f.look_up("backward", after, x))
    mean = f.binary("*", both, f.constant(_HALF))
    beyond = f.choose(f.compare("<=", mode, f.constant(-_HALF)), f.constant(NA), f.constant(0.0))
    beyond = f.choose(f.compare(">=", mode, f.constant(_HALF)), mean, beyond)
    late = f.compare(">=", x, f.constant(points[0][0]))
    value = f.choose(f.logic("and", late, f.compare("<=", x, f.constant(points[-1][0]))), mean, beyond)
    for step in steps:
        value = f.choose(f.compare("=", x, f.constant(step)), f.constant(NA), value)
    return value


def _inverse_slope(table: Expr, y: Expr) -> Sequence[Expr]:
    """One over the slope at the x that is found; none where the table is level or never has the value."""
    slope = SLOPE.build(table, INVERT.build(table, y), S.Zero)
    level = multiply(GREATER_OR_EQUAL.build(slope, S.Zero), LESS_OR_EQUAL.build(slope, S.Zero))
    return S.Zero, IF_THEN_ELSE.build(level, S.Zero, inverse(slope))


FORWARD = _lookup("LOOKUP FORWARD", "forward", "the table's next point at or after x")
BACKWARD = _lookup("LOOKUP BACKWARD", "backward", "the table's last point at or before x")
LOOKUP = _lookup(
    "LOOKUP", "between", "the table at x: lines between the points, level beyond the ends", slope_of("between")
)
SLOPE = FunctionRow(
    "LOOKUP SLOPE(table, x, mode)",
    "the slope of the table at x, at a point the mean of both sides, :NA: where it steps; beyond the ends 0 (mode 0), "
    "that of the end (1) or :NA: (-1)",
    "v, u, 1 -> v/u",
    kinds=("table", "finite", "finite"),
    evaluate=_slope,
    arrays=_NO_ARRAYS,
    emit=_emit_slope,
    derivative=constant_almost_everywhere,
    gives_missing=True,
)
INVERT = FunctionRow(
    "LOOKUP INVERT(table, y)",
    "the smallest x at which the table is y; :NA: where it never is",
    "v, v -> *",
    kinds=("table", "finite"),
    evaluate=_invert,
    arrays=_NO_ARRAYS,
    emit=_emit_invert,
    derivative=_inverse_slope,
    gives_missing=True,
)

ROWS = (
    LOOKUP,
    _lookup("LOOKUP EXTRAPOLATE", "extrapolate", "as a lookup, with the end lines extended", slope_of("extrapolate")),
    FORWARD,
    BACKWARD,
    FunctionRow(
        "LOOKUP AREA(table, start, end)",
        "the area under the table from start to end",
        "v, u, u -> u*v",
        kinds=("table", "finite", "finite"),
        evaluate=_area,
        arrays=_NO_ARRAYS,
        emit=_emit_area,
        derivative=lambda table, start, end: (S.Zero, negate(LOOKUP.build(table, start)), LOOKUP.build(table, end)),
    ),
    INVERT,
    SLOPE,
)
