"""Functions over subscript ranges: SUM and its relatives over ranges marked with `!`, and ELMCOUNT."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce

from sympy import Expr

from ..algebra import add, multiply
from .arithmetic import MAX, MIN
from .row import Absent, Emitter, FunctionRow


def _reduction(
    name: str,
    meaning: str,
    evaluate: Callable[[list[float]], float],
    emit: Callable[[Emitter, str, str], str],
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


def _emit_extreme(row: FunctionRow) -> Callable[[Emitter, str, str], str]:
    """One more term of VMIN or VMAX."""
    return lambda f, so_far, term: f.strict(row.emit(f, term, so_far), term, so_far)


# fmt: off
ROWS = (
    _reduction(
        "SUM", "the sum over the marked ranges",
        partial(reduce, operator.add), lambda f, total, term: f.binary("+", total, term), lambda terms: add(*terms),
    ),
    _reduction(
        "PROD", "the product over the marked ranges",
        partial(reduce, operator.mul), lambda f, total, term: f.binary("*", total, term),
        lambda terms: multiply(*terms), "1 -> 1",
    ),
    _reduction(
        "VMIN", "the smallest value over the marked ranges",
        min, _emit_extreme(MIN), _in_halves(MIN),
    ),
    _reduction(
        "VMAX", "the largest value over the marked ranges",
        max, _emit_extreme(MAX), _in_halves(MAX),
    ),
    FunctionRow(
        "ELMCOUNT(range)", "the number of labels of a range", "* -> 1",
        kinds=("range",), evaluate=lambda count: count, arrays=Absent("a formula over arrays has no subscript ranges"),
        emit=lambda f, count: f.constant(count),
        derivative=Absent("a range is not a number"),
    ),
)
# fmt: on
