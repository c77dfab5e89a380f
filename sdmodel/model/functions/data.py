"""Functions of data variables: the first argument is the points of one, as a lookup's table.

A time matches that of a point if they are equal in single precision, in which Vensim stores times. CUMULATE and CUMULATEF make new
points from those of other data, which are read like any points.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from statistics import median
from types import MappingProxyType

from sympy import Expr, S

from ..algebra import NA, Table
from .arithmetic import ABS, MAX, MIN
from .logic import IF_THEN_ELSE, LESS_OR_EQUAL, constant_almost_everywhere
from .lookups import BACKWARD, FORWARD, LOOKUP, look_up, slope_of
from .row import Absent, ArrayEmitter, Emitter, FunctionRow, R

PRECISION = 1e-7
"""The relative distance of times that are equal in single precision."""
_NO_ARRAYS = Absent("a formula over arrays has no data variables")


def time_slack(time: float) -> float:
    """Return the distance at which another time is still the same."""
    return PRECISION * (1 + abs(time))


def _emit_slack(f: Emitter[R], time: R) -> R:
    return f.binary("*", f.constant(PRECISION), f.binary("+", f.constant(1.0), ABS.emit(f, time)))


def _at(table: Table, time: float) -> float:
    found = look_up("backward", Table([(x, x) for x, _ in table.points]), time + time_slack(time))
    return look_up("backward", table, time + time_slack(time)) if abs(found - time) <= time_slack(time) else NA


def _emit_at(f: Emitter[R], table: Table, time: R) -> R:
    slack = _emit_slack(f, time)
    late = f.binary("+", time, slack)
    found = f.look_up("backward", Table([(x, x) for x, _ in table.points]), late)
    near = f.compare("<=", ABS.emit(f, f.binary("-", found, time)), slack)
    return f.choose(near, f.look_up("backward", table, late), f.constant(NA))


_WAYS = ((0.5, "forward"), (-0.5, "between"))
"""The way of looking up above each mode; below all of them it is `backward`."""


def _between(table: Table, time: float, mode: float) -> float:
    points, slack = table.by_x, time_slack(time)
    if time < points[0][0] - slack or time > points[-1][0] + slack:
        return NA
    return look_up(next((way for least, way in _WAYS if mode >= least), "backward"), table, time)


def _emit_between(f: Emitter[R], table: Table, time: R, mode: R) -> R:
    points, slack = table.by_x, _emit_slack(f, time)
    value = f.look_up("backward", table, time)
    for least, way in reversed(_WAYS):
        value = f.choose(f.compare(">=", mode, f.constant(least)), f.look_up(way, table, time), value)
    late = f.compare("<=", f.constant(points[0][0]), f.binary("+", time, slack))
    early = f.compare(">=", f.constant(points[-1][0]), f.binary("-", time, slack))
    return f.choose(f.logic("and", late, early), value, f.constant(NA))


def _within(table: Table, start: float, end: float) -> list[float]:
    """The values of the points from one time to another."""
    points = table.by_x
    times = [time for time, _ in points]
    return [
        y for _, y in points[bisect_left(times, start - time_slack(start)) : bisect_right(times, end + time_slack(end))]
    ]


def _emit_over(
    f: ArrayEmitter[R],
    points: Sequence[tuple[float, float]],
    start: R,
    end: R,
    add: Callable[..., Sequence[R]],
    *first: float,
) -> tuple[R, ...]:
    """Go through those of the points from one time to another: `add` makes the next results from a value and those so far."""
    begin, stop = f.binary("-", start, _emit_slack(f, start)), f.binary("+", end, _emit_slack(f, end))
    times, values = (Table([(float(place), point[axis]) for place, point in enumerate(points)]) for axis in (0, 1))

    def body(counter: R, *before: R) -> Sequence[R]:
        place = f.real(counter)
        time, value = (f.look_up("backward", table, place) for table in (times, values))
        inside = f.logic("and", f.compare(">=", time, begin), f.compare("<=", time, stop))
        return [f.choose(inside, after, own) for after, own in zip(add(value, *before), before, strict=True)]

    return f.loop(len(points), body, *map(f.constant, first))


def _next(f: Emitter[R], count: R) -> R:
    return f.binary("+", count, f.constant(1.0))


def _emit_points(f: ArrayEmitter[R], table: Table, start: R, end: R) -> R:
    """The number of points; all of them from the start on without an end, which is then `:NA:`."""
    last = f.choose(f.compare("<=", end, f.constant(NA)), f.constant(-NA), end)
    (count,) = _emit_over(f, table.by_x, start, last, lambda _, count: [_next(f, count)], 0.0)
    return count


def _if_any(f: Emitter[R], count: R, value: R) -> R:
    return f.choose(f.compare(">", count, f.constant(0.0)), value, f.constant(NA))


def _emit_average(f: ArrayEmitter[R], table: Table, start: R, end: R, of: Callable[[R], R]) -> tuple[R, R]:
    """The mean of what a function makes of the values, and their number; the mean is 0 without values."""

    def add(value: R, total: R, count: R) -> Sequence[R]:
        return [f.binary("+", total, of(value)), _next(f, count)]

    total, count = _emit_over(f, table.by_x, start, end, add, 0.0, 0.0)
    return f.binary("/", total, MAX.emit(f, count, f.constant(1.0))), count


def _emit_mean(f: ArrayEmitter[R], table: Table, start: R, end: R) -> R:
    mean, count = _emit_average(f, table, start, end, lambda value: value)
    return _if_any(f, count, mean)


def _emit_deviation(f: ArrayEmitter[R], table: Table, start: R, end: R) -> R:
    mean, _ = _emit_average(f, table, start, end, lambda value: value)

    def square(value: R) -> R:
        distance = f.binary("-", value, mean)
        return f.binary("*", distance, distance)

    variance, count = _emit_average(f, table, start, end, square)
    return _if_any(f, count, f.call("sqrt", variance))


def _emit_extreme(largest: FunctionRow, first: float) -> Callable[..., str]:
    def emit(f: ArrayEmitter[R], table: Table, start: R, end: R) -> R:
        def add(value: R, best: R, count: R) -> Sequence[R]:
            return [largest.emit(f, best, value), _next(f, count)]

        best, count = _emit_over(f, table.by_x, start, end, add, first, 0.0)
        return _if_any(f, count, best)

    return emit


def _emit_median(f: ArrayEmitter[R], table: Table, start: R, end: R) -> R:
    """The mean of the two values in the middle, or twice the same: go through the points by their values, and count."""
    _, count = _emit_average(f, table, start, end, lambda value: value)
    half = f.binary("*", count, f.constant(0.5))
    lasts = [half, f.binary("+", half, f.constant(0.5))]

    def add(value: R, passed: R, *found: R) -> Sequence[R]:
        early = [f.compare("<", passed, last) for last in lasts]
        return [_next(f, passed), *(f.choose(own, value, last) for own, last in zip(early, found, strict=True))]

    by_value = sorted(table.points, key=lambda point: point[1])
    _, *found = _emit_over(f, by_value, start, end, add, 0.0, 0.0, 0.0)
    return _if_any(f, count, f.binary("*", f.binary("+", *found), f.constant(0.5)))


def _deviation(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _statistic(
    name: str,
    meaning: str,
    of: Callable[[Sequence[float]], float],
    emit: Callable[..., str],
    *,
    empty: float = NA,
    optional: int = 0,
) -> FunctionRow:
    def evaluate(table: Table, start: float, end: float) -> float:
        values = _within(table, start, -NA if optional and end == NA else end)
        return of(values) if values else empty

    return FunctionRow(
        f"GET DATA {name}(data, start, end)",
        meaning,
        f"v, t, t -> {'1' if empty == 0 else 'v'}",
        kinds=("table", "finite", "finite"),
        evaluate=evaluate,
        arrays=_NO_ARRAYS,
        emit=emit,
        derivative=constant_almost_everywhere,
        gives_missing=empty == NA,
        optional=optional,
        loops=True,
    )


def _slope_between(table: Expr, time: Expr, mode: Expr) -> Sequence[Expr]:
    """The slope between points where the mode is to interpolate; elsewhere the data is level."""
    _, slope = slope_of("between")(table, time)
    near_zero = LESS_OR_EQUAL.build(ABS.build(mode), S.Half)
    return S.Zero, IF_THEN_ELSE.build(near_zero, slope, S.Zero), S.Zero


def _sums(table: Table) -> Table:
    """The sum of all values until each point."""
    points = table.by_x
    return Table(list(zip((time for time, _ in points), accumulate(y for _, y in points), strict=True)))


TOTALS: Mapping[str, Callable[[Table], Table]] = MappingProxyType(
    {"CUMULATE": _sums, "CUMULATEF": lambda table: Table(_sums(table).points[-1:])}
)
"""The points of data that accumulates other data, by the function that does so."""


def _totals_of(name: str, read: FunctionRow) -> FunctionRow:
    """The function that reads what `name` of `TOTALS` makes of points, in the way in which `read` reads them."""
    total = TOTALS[name]

    def derivative(table: Expr, time: Expr) -> Sequence[Expr]:
        return read.derivative(total(table) if isinstance(table, Table) else table, time)

    return FunctionRow(
        f"{name} {read.name}(data, time)",
        f"{read.meaning}, after {name}",
        read.units,
        kinds=read.kinds,
        evaluate=lambda table, time: read.evaluate(total(table), time),
        arrays=_NO_ARRAYS,
        emit=lambda f, table, time: read.emit(f, total(table), time),
        derivative=derivative,
        stays_finite=read.stays_finite,
        gives_missing=read.gives_missing,
    )


# fmt: off
AT_TIME = FunctionRow(
    "GET DATA AT TIME(data, time)", "the value of the data's point at a time; :NA: without one", "v, t -> v",
    kinds=("table", "finite"), evaluate=_at, arrays=_NO_ARRAYS, emit=_emit_at,
    derivative=constant_almost_everywhere, gives_missing=True,
)

TOTALLED: Mapping[tuple[str, str], FunctionRow] = MappingProxyType(
    {(name, read.name): _totals_of(name, read) for name in TOTALS for read in (LOOKUP, FORWARD, BACKWARD, AT_TIME)}
)
"""The function that reads accumulated data, by CUMULATE or CUMULATEF and the function that reads points."""

# fmt: on


def _read_at_points(table: Table) -> Table:
    """A lookup with what `GET DATA AT TIME` gives: the value close to the time of each point, and `:NA:` elsewhere."""
    near = ((-2, None), (-1, 1), (1, 1), (2, None))
    return Table(
        [
            (time + steps * time_slack(time), value if own else NA)
            for time, value in dict(table.by_x).items()
            for steps, own in near
        ]
    )


def as_lookup(name: str, table: Table) -> tuple[Table, FunctionRow] | None:
    """Return other points, and the function of lookups that gives the same with them as a function of data does, by its name.

    None for a function that gives no value of the data at a time, such as a mean.
    """
    reads = {AT_TIME.name: ("", AT_TIME.name)} | {row.name: way for way, row in TOTALLED.items()}
    if name not in reads:
        return None
    total, read = reads[name]
    points = TOTALS[total](table) if total else table
    ways = {row.name: row for row in (LOOKUP, FORWARD, BACKWARD)}
    return (points, ways[read]) if read in ways else (_read_at_points(points), LOOKUP)


# fmt: off
ROWS = (
    AT_TIME,
    FunctionRow(
        "GET DATA BETWEEN TIMES(data, time, mode)",
        "the data at a time: interpolated (mode 0), from the next point (1) or the last one (-1); :NA: beyond the ends",
        "v, t, 1 -> v", kinds=("table", "finite", "finite"), evaluate=_between, arrays=_NO_ARRAYS, emit=_emit_between,
        derivative=_slope_between, gives_missing=True,
    ),
    FunctionRow(
        "GET DATA FIRST TIME(data)", "the time of the data's first point", "v -> t", kinds=("table",),
        evaluate=lambda table: table.by_x[0][0], arrays=_NO_ARRAYS, emit=lambda f, table: f.constant(table.by_x[0][0]),
        derivative=constant_almost_everywhere, stays_finite=True,
    ),
    FunctionRow(
        "GET DATA LAST TIME(data)", "the time of the data's last point", "v -> t", kinds=("table",),
        evaluate=lambda table: table.by_x[-1][0], arrays=_NO_ARRAYS, emit=lambda f, table: f.constant(table.by_x[-1][0]),
        derivative=constant_almost_everywhere, stays_finite=True,
    ),
    _statistic("MIN", "the smallest value of the data from start to end; :NA: without points", min, _emit_extreme(MIN, math.inf)),
    _statistic("MAX", "the largest value of the data from start to end; :NA: without points", max, _emit_extreme(MAX, -math.inf)),
    _statistic(
        "MEAN", "the mean of the data's points from start to end; :NA: without points",
        lambda values: math.fsum(values) / len(values), _emit_mean,
    ),
    _statistic("MEDIAN", "the median of the data's points from start to end; :NA: without points", median, _emit_median),
    _statistic("STDV", "the standard deviation of the data's points from start to end; :NA: without points", _deviation, _emit_deviation),
    _statistic(
        "TOTAL POINTS", "the number of the data's points from start to end, or of all points without these", len, _emit_points,
        empty=0.0, optional=2,
    ),
)
# fmt: on
