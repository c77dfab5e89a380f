"""Functions of whole arrays: selections, order of size, elements by number, lookups, and inverse matrices.

Places in an array count from 0, as in Vensim; a place that is not whole is rounded to the nearest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic

from sympy import Expr, S, Symbol

from ..algebra import NA, divide, multiply, number, power
from ..names import MARK
from .arithmetic import ABS, MAX, MIN
from .logic import GREATER, IF_THEN_ELSE
from .reductions import ELMCOUNT, PROD, SUM, VMAX, VMIN, unclaimed_ranges
from .row import Absent, Array, ArrayEmitter, Emitter, FunctionRow, R

NO_SUBSCRIPTS = Absent("a formula over arrays has no subscript ranges")
NO_SLOPE = Absent("it depends on many numbers at once; their effects are not known one by one")
_ROUNDING = 2.0**-48
"""A difference that is smaller than this part of what is subtracted is only rounding, and counts as zero."""


def _select(selection: Expr, expression: Expr, missing: Expr, action: Expr, error: Expr) -> Expr:
    """What VECTOR SELECT computes, as sums and the like over what is selected; nothing else is evaluated."""
    chosen = ABS.build(selection)  # any number but 0 selects

    def over(reduction: FunctionRow, value: Expr, otherwise: Expr) -> Expr:
        return reduction.build(IF_THEN_ELSE.build(chosen, value, otherwise))

    count = over(SUM, S.One, S.Zero)
    others = [name for name in unclaimed_ranges(expression) if name not in unclaimed_ranges(selection)]
    counts = (ELMCOUNT.build(Symbol(name.removesuffix(MARK))) for name in others)
    terms = multiply(count, *counts) if others else count
    weighted = multiply(selection, expression)
    most = number(-NA)  # Vensim's numbers are smaller
    actions = [
        lambda: over(SUM, weighted, S.Zero),
        lambda: over(PROD, weighted, S.One),
        lambda: over(VMIN, weighted, most),
        lambda: over(VMAX, weighted, number(NA)),
        lambda: divide(over(SUM, weighted, S.Zero), terms),
        lambda: over(PROD, power(expression, selection), S.One),
        lambda: over(SUM, expression, S.Zero),
        lambda: over(PROD, expression, S.One),
        lambda: over(VMIN, expression, most),
        lambda: over(VMAX, expression, number(NA)),
        lambda: divide(over(SUM, expression, S.Zero), terms),
    ]
    undefined = divide(S.Zero, S.Zero)
    value = _by_number(action, [*actions, lambda: undefined])
    found = IF_THEN_ELSE.build(GREATER.build(count, S.Zero), value, missing)
    none = IF_THEN_ELSE.build(GREATER.build(count, S.Zero), found, undefined)
    several = IF_THEN_ELSE.build(GREATER.build(count, S.One), undefined, found)
    both = IF_THEN_ELSE.build(GREATER.build(count, S.One), undefined, none)
    return _by_number(error, [lambda: found, lambda: none, lambda: several, lambda: both])


def _by_number(which: Expr, choices: Sequence[Callable[[], Expr]]) -> Expr:
    """One of several expressions by a number from 0, the last one also for larger numbers; only what can be chosen is built."""
    if which.is_Number:
        return choices[min(max(int(which), 0), len(choices) - 1)]()
    chosen = choices[-1]()
    for index in reversed(range(len(choices) - 1)):
        chosen = IF_THEN_ELSE.build(GREATER.build(number(index + 0.5), which), choices[index](), chosen)
    return chosen


def _emit_element(f: ArrayEmitter[R], array: Array, place: R) -> R:
    """The number at a place; `:NA:` outside of the array."""
    whole = f.call("floor", f.binary("+", place, f.constant(0.5)))
    count = float(array.rows * array.columns)
    inside = f.logic("and", f.compare(">=", whole, f.constant(0.0)), f.compare("<", whole, f.constant(count)))
    return f.choose(inside, f.pick(array, f.choose(inside, whole, f.constant(0.0))), f.constant(NA))


def _element(values: Sequence[float], place: float) -> float:
    nearest = math.floor(place + 0.5)
    return values[nearest] if 0 <= nearest < len(values) else NA


def _order(vector: Sequence[float], direction: float) -> list[int]:
    """The places of the numbers in the order of their size; equal numbers stay in the order of the vector."""
    return sorted(range(len(vector)), key=lambda place: vector[place] if direction > 0 else -vector[place])


def _rank(vector: Sequence[float], direction: float) -> list[float]:
    order = _order(vector, direction)
    return [float(order.index(place) + 1) for place in range(len(vector))]


def _emit_rank(f: ArrayEmitter[R], vector: Array, direction: R, first: float = 1.0) -> Array:
    """The rank of each number: that of the first, and one more for each number that comes before it."""
    sign = f.choose(f.compare(">", direction, f.constant(0.0)), f.constant(1.0), f.constant(-1.0))
    ranks = f.scratch(vector.rows)

    def outer(place: R) -> Sequence[R]:
        own = f.binary("*", sign, f.get(vector, place))

        def inner(other: R, rank: R) -> Sequence[R]:
            value = f.binary("*", sign, f.get(vector, other))
            earlier = f.logic("and", f.compare("=", value, own), f.compare("<", f.real(other), f.real(place)))
            before = f.logic("or", f.compare("<", value, own), earlier)
            return [f.binary("+", rank, f.choose(before, f.constant(1.0), f.constant(0.0)))]

        (rank,) = f.loop(vector.rows, inner, f.constant(first))
        f.put_at(ranks, rank, place)
        return []

    f.loop(vector.rows, outer)
    return ranks


def _emit_order(f: ArrayEmitter[R], vector: Array, direction: R) -> Array:
    ranks, order = _emit_rank(f, vector, direction, 0.0), f.scratch(vector.rows)

    def body(place: R) -> Sequence[R]:
        f.place(order, f.real(place), f.get(ranks, place))
        return []

    f.loop(vector.rows, body)
    return order


def _difference(value: float, product: float) -> float:
    found = value - product
    return 0.0 if abs(found) <= _ROUNDING * abs(product) else found


def _invert(matrix: Sequence[Sequence[float]], _: float) -> list[float]:
    """The inverse by Gauss-Jordan elimination with the largest pivot; of a singular matrix it is not finite."""
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for step in range(size):
        best = max(range(step, size), key=lambda i: abs(rows[i][step]))
        rows[step], rows[best] = rows[best], rows[step]
        pivot = rows[step][step]
        rows[step] = [value / pivot if pivot else math.nan for value in rows[step]]
        for i in (i for i in range(size) if i != step):
            factor = rows[i][step]
            rows[i] = [_difference(value, factor * own) for value, own in zip(rows[i], rows[step], strict=True)]
    return [value for row in rows for value in row[size:]]


@dataclass(frozen=True, slots=True)
class _Elimination(Generic[R]):
    """The code of `_invert`: the rows of the matrix beside those of the unit matrix, a pivot row, and the row that it replaces.

    Each member has a pivot row of its own, so rows are exchanged number by number while they are reduced.
    """

    f: ArrayEmitter[R]
    size: int
    rows: Array
    pivots: Array
    replaced: Array

    def over(self, count: int, body: Callable[[R], object]) -> None:
        """Do something for each place."""

        def do(place: R) -> Sequence[R]:
            body(place)
            return []

        self.f.loop(count, do)

    def begin(self, matrix: Array) -> None:
        f, one, zero = self.f, self.f.constant(1.0), self.f.constant(0.0)

        def number(i: R, j: R) -> None:
            f.put_at(self.rows, f.get(matrix, i, j), i, j)
            unit = f.choose(f.compare("=", f.real(i), f.real(j)), one, zero)
            f.put_at(self.rows, unit, i, f.shifted(j, self.size))

        self.over(self.size, lambda i: self.over(self.size, lambda j: number(i, j)))

    def step(self, step: R) -> None:
        best = self.find_pivot(step)
        self.over(self.size, lambda i: self.reduce(i, step, best))

    def find_pivot(self, step: R) -> R:
        """Choose the row with the largest number in a column, divide it by that number, and keep the row in whose place it comes."""
        f = self.f

        def larger(i: R, size_so_far: R, best: R) -> Sequence[R]:
            own = ABS.emit(f, f.get(self.rows, i, step))
            later = f.compare(">=", f.real(i), f.real(step))
            better = f.logic("and", later, f.compare(">", own, size_so_far))
            return [f.choose(better, own, size_so_far), f.choose(better, f.real(i), best)]

        largest, best = f.loop(self.size, larger, f.constant(0.0), f.real(step))
        first = f.binary("*", best, f.constant(2.0 * self.size))
        pivot = f.pick(self.rows, f.binary("+", first, f.real(step)))
        pivot = f.choose(f.compare(">", largest, f.constant(0.0)), pivot, f.constant(math.nan))

        def divide_number(j: R) -> None:
            f.put_at(self.replaced, f.get(self.rows, step, j), j)
            own = f.pick(self.rows, f.binary("+", first, f.real(j)))
            f.put_at(self.pivots, f.binary("/", own, pivot), j)

        self.over(2 * self.size, divide_number)
        return best

    def reduce(self, i: R, step: R, best: R) -> None:
        """Subtract the pivot row from another so that its number in the column becomes 0."""
        f = self.f
        is_step, is_best = f.compare("=", f.real(i), f.real(step)), f.compare("=", f.real(i), best)
        factor = f.choose(is_best, f.get(self.replaced, step), f.get(self.rows, i, step))

        def number(j: R) -> None:
            own = f.get(self.pivots, j)
            product = f.binary("*", factor, own)
            found = f.binary("-", f.choose(is_best, f.get(self.replaced, j), f.get(self.rows, i, j)), product)
            bound = f.binary("*", f.constant(_ROUNDING), ABS.emit(f, product))
            found = f.choose(f.compare("<=", ABS.emit(f, found), bound), f.constant(0.0), found)
            f.put_at(self.rows, f.choose(is_step, own, found), i, j)

        self.over(2 * self.size, number)


def _emit_invert(f: ArrayEmitter[R], matrix: Array, _: R) -> Array:
    size = matrix.rows
    work: _Elimination[R] = _Elimination(f, size, f.scratch(size, 2 * size), f.scratch(2 * size), f.scratch(2 * size))
    inverse = f.scratch(size, size)

    def take(i: R, j: R) -> None:
        f.put_at(inverse, f.get(work.rows, i, f.shifted(j, size)), i, j)

    work.begin(matrix)
    work.over(size, work.step)
    work.over(size, lambda i: work.over(size, lambda j: take(i, j)))
    return inverse


def emit_by_number(f: Emitter[R], which: R, choices: Mapping[int, R]) -> R:
    """One of several values, by a number; nan for any other number."""
    found = f.constant(math.nan)
    for index, value in choices.items():
        found = f.choose(f.compare("=", which, f.constant(float(index))), value, found)
    return found


def _look_up(vector: Sequence[float], x: float, first: float, last: float, mode: float) -> float:
    """What a lookup with evenly spaced points gives, in one of the ways of the manual; of one point, that point."""
    end = len(vector) - 1
    if end == 0:
        return vector[0]
    step = (last - first) / end or math.nan
    if mode in {5, 8}:
        return first + step * _place_of(vector, x, beyond=mode == 8)  # noqa: PLR2004 - the modes of the manual
    place = (x - first) / step
    within = min(max(place, 0.0), end)
    left = min(math.floor(within), end - 1)  # fails without a step, as what has no value does
    start, rise = vector[left], vector[left + 1] - vector[left]

    def area(to: float) -> float:
        whole = sum((vector[i] + vector[i + 1]) / 2 * step for i in range(left))
        return whole + step * (to - left) * (start + (to - left) * rise / 2)

    found = {
        0: lambda: start + (within - left) * rise,
        1: lambda: area(within),
        2: lambda: vector[math.floor(within)],
        3: lambda: start + (place - left) * rise,
        4: lambda: vector[math.ceil(within)],
        6: lambda: rise / step if place == within else 0.0,
        7: lambda: area(place),
        9: lambda: rise / step,
    }
    return found.get(int(mode), lambda: math.nan)() if mode == int(mode) else math.nan


def _place_of(vector: Sequence[float], value: float, *, beyond: bool) -> float:
    """The first place, also between two points, at which a lookup has a value; else the end that is nearer to it, or beyond."""
    for left, (start, end) in enumerate(pairwise(vector)):
        if min(start, end) <= value <= max(start, end):
            return left + (value - start) / (end - start) if end != start else float(left)
    at_start = abs(value - vector[0]) <= abs(value - vector[-1])
    left = 0 if at_start else len(vector) - 2
    if not beyond:
        return 0.0 if at_start else len(vector) - 1.0
    return left + (value - vector[left]) / (vector[left + 1] - vector[left])


def _emit_look_up(f: ArrayEmitter[R], vector: Array, x: R, first: R, last: R, mode: R) -> R:
    end = vector.rows - 1
    if end == 0:
        return f.get(vector, 0)
    zero, half = f.constant(0.0), f.constant(0.5)
    step = f.binary("/", f.binary("-", last, first), f.constant(float(end)))
    step = f.choose(f.compare("=", step, zero), f.constant(math.nan), step)
    place = f.binary("/", f.binary("-", x, first), step)
    within = MIN.emit(f, MAX.emit(f, place, zero), f.constant(float(end)))
    before = f.call("floor", within)
    after = f.binary("-", zero, f.call("floor", f.binary("-", zero, within)))
    left = MIN.emit(f, before, f.constant(end - 1.0))
    start = f.pick(vector, left)
    rise = f.binary("-", f.pick(vector, f.binary("+", left, f.constant(1.0))), start)

    def line(to: R) -> R:
        return f.binary("+", start, f.binary("*", f.binary("-", to, left), rise))

    def segment(i: R, total: R) -> Sequence[R]:
        both = f.binary("+", f.get(vector, i), f.get(vector, f.shifted(i, 1)))
        own = f.binary("*", f.binary("*", both, half), step)
        return [f.binary("+", total, f.choose(f.compare("<", f.real(i), left), own, zero))]

    (whole,) = f.loop(end, segment, zero)

    def area(to: R) -> R:
        along = f.binary("-", to, left)
        mean = f.binary("+", start, f.binary("*", f.binary("*", along, rise), half))
        return f.binary("+", whole, f.binary("*", f.binary("*", step, along), mean))

    def at(found: R) -> R:
        return f.binary("+", first, f.binary("*", step, found))

    slope, (inside, beyond) = f.binary("/", rise, step), _emit_places(f, vector, x)
    level = f.choose(f.compare("=", place, within), slope, zero)
    ways = (
        line(within), area(within), f.pick(vector, before), line(place), f.pick(vector, after), at(inside), level, area(place),
        at(beyond), slope,
    )  # fmt: skip
    return f.strict(emit_by_number(f, mode, dict(enumerate(ways))), step)


def _emit_places(f: ArrayEmitter[R], vector: Array, value: R) -> tuple[R, R]:
    """As `_place_of`: without and with what is beyond the ends."""
    end, one = vector.rows - 1, f.constant(1.0)

    def between(i: R | int) -> tuple[R, R]:
        start, stop = f.get(vector, i), f.get(vector, i + 1 if isinstance(i, int) else f.shifted(i, 1))
        number = f.constant(float(i)) if isinstance(i, int) else f.real(i)
        share = f.binary("/", f.binary("-", value, start), f.binary("-", stop, start))
        least, most = MIN.emit(f, start, stop), MAX.emit(f, start, stop)
        holds = f.logic("and", f.compare("<=", least, value), f.compare("<=", value, most))
        level = f.compare("=", start, stop)
        flat = f.choose(f.logic("and", level, holds), f.constant(0.0), share)
        return holds, f.binary("+", number, flat)

    def segment(i: R, found: R, place: R) -> Sequence[R]:
        holds, own = between(i)
        new = f.logic("and", holds, f.compare("=", found, f.constant(0.0)))
        return [f.choose(new, one, found), f.choose(new, own, place)]

    found, place = f.loop(end, segment, f.constant(0.0), f.constant(0.0))
    distances = [ABS.emit(f, f.binary("-", value, f.get(vector, i))) for i in (0, end)]
    near = f.compare("<=", *distances)
    ends = f.choose(near, f.constant(0.0), f.constant(float(end)))
    further = f.choose(near, between(0)[1], between(end - 1)[1])
    is_found = f.compare("=", found, one)
    return f.choose(is_found, place, ends), f.choose(is_found, place, further)


# fmt: off
REORDER = FunctionRow(
    "VECTOR REORDER(vector, place)", "the element at a place, from 0; :NA: outside of the vector",
    "u, 1 -> u", kinds=("vector", "finite"), gives_missing=True, picks=True,
    evaluate=_element, arrays=NO_SUBSCRIPTS, emit=_emit_element, derivative=NO_SLOPE,
)
INVERSE = FunctionRow(
    "INVERT MATRIX(matrix, size)", "the inverse of a square matrix; not finite for a singular one",
    "u, 1 -> 1/u", kinds=("matrix", "finite"), spreads=2, scratch=lambda rows: 3 * rows * rows + 4 * rows,
    evaluate=_invert, arrays=NO_SUBSCRIPTS, emit=_emit_invert, derivative=NO_SLOPE, latex="{0}^{{-1}}",
)
ROWS = (
    FunctionRow(
        "VECTOR SELECT(selection, expression, missing, action, error)",
        "the sum, product, smallest, largest or mean of what is selected; missing where nothing is",
        "1, u, u, 1, 1 -> u", kinds=("terms", "terms", "number", "number", "number"), rewrite=_select,
        evaluate=Absent("it is rewritten as sums and the like"), arrays=NO_SUBSCRIPTS,
        emit=Absent("it is rewritten as sums and the like"),
        derivative=Absent("it is rewritten as sums and the like before it is differentiated"),
    ),
    FunctionRow(
        "VECTOR ELM MAP(vector, offset)",
        "the element that is an offset away from the one that is named; :NA: outside of the variable",
        "u, 1 -> u", kinds=("array", "finite"), gives_missing=True, picks=True,
        evaluate=lambda array, offset: _element(array[0], array[1] + offset), arrays=NO_SUBSCRIPTS,
        emit=lambda f, array, offset: _emit_element(f, array[0], f.binary("+", array[1], offset)), derivative=NO_SLOPE,
    ),
    FunctionRow(
        "VECTOR SORT ORDER(vector, direction)",
        "the place of the smallest element, the next and so on, from 0; from the largest if direction is not above 0",
        "u, 1 -> 1", kinds=("vector", "finite"), spreads=1, scratch=lambda rows: 2 * rows,
        evaluate=lambda vector, direction: list(map(float, _order(vector, direction))), arrays=NO_SUBSCRIPTS,
        emit=_emit_order, derivative=NO_SLOPE,
    ),
    FunctionRow(
        "VECTOR RANK(vector, direction)",
        "1 for the smallest element, 2 for the next and so on; 1 for the largest if direction is not above 0",
        "u, 1 -> 1", kinds=("vector", "finite"), spreads=1, scratch=lambda rows: rows,
        evaluate=_rank, arrays=NO_SUBSCRIPTS, emit=_emit_rank, derivative=NO_SLOPE,
    ),
    REORDER,
    FunctionRow(
        "VECTOR LOOKUP(vector, x, first, last, way)",
        "the vector as a lookup with evenly spaced points; the way is 0 for its value, 1 for an area, 5 for its inverse and so on",
        "*, *, v, v, 1 -> *", kinds=("vector", "finite", "finite", "finite", "finite"),
        evaluate=_look_up, arrays=NO_SUBSCRIPTS, emit=_emit_look_up, derivative=NO_SLOPE,
    ),
    INVERSE,
)
# fmt: on
