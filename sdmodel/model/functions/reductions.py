"""Functions over subscript ranges: SUM and its relatives over ranges marked with `!`, and ELMCOUNT."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce

from sympy import Expr, Indexed

from ..algebra import VensimFunction, add, make_reference, multiply, rebuild, split_reference
from ..names import MARK
from .arithmetic import MAX, MIN
from .row import Absent, Emitter, FunctionRow, R


def reduction_ranges(call: Expr) -> tuple[str, ...]:
    """Return the ranges that a reduction runs over: the indices with `!` in it that no reduction inside it claims."""
    return tuple(dict.fromkeys(name for argument in call.args for name in unclaimed_ranges(argument)))


def unclaimed_ranges(expression: Expr) -> tuple[str, ...]:
    """Return the indices with `!` in an expression that no reduction in it claims."""
    found: dict[str, None] = {}
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if not (arguments := part.args):
            continue
        if isinstance(part, Indexed):
            found.update(dict.fromkeys(name for name in split_reference(part)[1] if name.endswith(MARK)))
        elif not is_reduction(part):
            waiting += arguments[::-1]
    return tuple(found)


def is_reduction(expression: Expr) -> bool:
    """Whether an expression runs over marked ranges, as SUM does."""
    return isinstance(expression, VensimFunction) and "terms" in expression.row.kinds


def with_copies(expression: Expr, copies: Mapping[str, str]) -> Expr:
    """Return an expression with copies in place of the ranges marked with `!` that no reduction in it claims."""
    if isinstance(expression, Indexed):
        name, indices = split_reference(expression)
        if indices == (f"{name}{MARK}",) and indices[0] in copies:  # the number of a label
            return make_reference(copies[indices[0]])
        return make_reference(name, *(copies.get(index, index) for index in indices))
    if not copies or not expression.args or is_reduction(expression):
        return expression
    return rebuild(expression, [with_copies(argument, copies) for argument in expression.args])


def _reduction(
    name: str,
    meaning: str,
    evaluate: Callable[[list[float]], float],
    emit: Callable[[Emitter[R], R, R], R],
    written_out: Callable[[Sequence[Expr]], Expr],
    units: str = "u -> u",
) -> FunctionRow:
    """A function over terms; `emit` adds one term to the result so far."""
    latex = name.lower().removeprefix("v")
    return FunctionRow(
        f"{name}(x)",
        meaning,
        units,
        kinds=("terms",),
        evaluate=evaluate,
        arrays=Absent("a formula over arrays has no subscript ranges"),
        emit=emit,
        derivative=Absent("it is written out, label by label, before it is differentiated"),
        latex=rf"\{latex} {{0}}",
        written_out=lambda terms: terms[0] if len(terms) == 1 else written_out(terms),
    )


def _in_halves(row: FunctionRow) -> Callable[[Sequence[Expr]], Expr]:
    """A function of two numbers over many; halving keeps the expression flat."""

    def build(terms: Sequence[Expr]) -> Expr:
        half = len(terms) // 2
        return row.build(build(terms[:half]), build(terms[half:])) if half else terms[0]

    return build


def _emit_extreme(row: FunctionRow) -> Callable[[Emitter[R], R, R], R]:
    """One more term of VMIN or VMAX."""
    return lambda f, so_far, term: f.strict(row.emit(f, term, so_far), term, so_far)


# fmt: off
SUM = _reduction(
    "SUM", "the sum over the marked ranges",
    partial(reduce, operator.add), lambda f, total, term: f.binary("+", total, term), lambda terms: add(*terms),
)
PROD = _reduction(
    "PROD", "the product over the marked ranges",
    partial(reduce, operator.mul), lambda f, total, term: f.binary("*", total, term),
    lambda terms: multiply(*terms), "1 -> 1",
)
VMIN = _reduction("VMIN", "the smallest value over the marked ranges", min, _emit_extreme(MIN), _in_halves(MIN))
VMAX = _reduction("VMAX", "the largest value over the marked ranges", max, _emit_extreme(MAX), _in_halves(MAX))
ELMCOUNT = FunctionRow(
    "ELMCOUNT(range)", "the number of labels of a range", "* -> 1",
    kinds=("range",), evaluate=lambda count: count, arrays=Absent("a formula over arrays has no subscript ranges"),
    emit=lambda f, count: f.constant(count),
    derivative=Absent("a range is not a number"),
)
ROWS = (SUM, PROD, VMIN, VMAX, ELMCOUNT)
# fmt: on
