"""Comparison and logic: true is 1, false is 0, and any finite number but 0 counts as true."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from sympy import Expr, S

from .row import FunctionRow, from_numpy


def constant_almost_everywhere(*arguments: Expr) -> Sequence[Expr]:
    """Derivatives of a function that changes only in jumps."""
    return (S.Zero,) * len(arguments)


def _comparison(
    sign: str, latex: str, meaning: str, compare: Callable[..., Any], arrays: Callable[..., Any]
) -> FunctionRow:
    return FunctionRow(
        f"{sign}(left, right)",
        meaning,
        "u, u -> 1",
        kinds=("finite", "finite"),
        evaluate=lambda left, right: float(compare(left, right)),
        arrays=arrays,
        emit=lambda f, left, right: f.compare(sign, left, right),
        derivative=constant_almost_everywhere,
        latex=rf"\left({{0}} {latex} {{1}}\right)",
        gives_truth=True,
    )


def _logic(word: str, meaning: str, test: Callable[..., bool], arrays: Callable[..., Any], latex: str) -> FunctionRow:
    """The function `:AND:` or `:OR:`."""
    return FunctionRow(
        f":{word.upper()}:(left, right)",
        meaning,
        "1, 1 -> 1",
        kinds=("condition", "condition"),
        evaluate=lambda left, right: float(test(left, right)),
        arrays=arrays,
        emit=lambda f, left, right: f.logic(word, left, right),
        derivative=constant_almost_everywhere,
        latex=latex,
        gives_truth=True,
    )


def _choice_derivatives(condition: Expr, *_: Expr) -> Sequence[Expr]:
    return S.Zero, IF_THEN_ELSE.build(condition, S.One, S.Zero), IF_THEN_ELSE.build(condition, S.Zero, S.One)


# A row per function: what it is, how it is computed, how it is differentiated and shown
# fmt: off
LESS_OR_EQUAL = _comparison("<=", r"\leq", "1 where the left side is not larger", operator.le, from_numpy("less_equal"))
GREATER = _comparison(">", ">", "1 where the left side is larger", operator.gt, from_numpy("greater"))
GREATER_OR_EQUAL = _comparison(">=", r"\geq", "1 where the left side is not smaller", operator.ge, from_numpy("greater_equal"))
IF_THEN_ELSE = FunctionRow(
    "IF THEN ELSE(condition, then, otherwise)", "one of two values; only the chosen one matters", "1, u, u -> u",
    kinds=("condition", "branch", "branch"),
    evaluate=lambda condition, then, otherwise: then() if condition else otherwise(), arrays=from_numpy("where"),
    emit=lambda f, condition, then, otherwise: f.choose(condition, then, otherwise),
    derivative=_choice_derivatives, latex=r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
)

ROWS = (
    _comparison("=", "=", "1 where both sides are the same number", operator.eq, from_numpy("equal")),
    _comparison("<>", r"\neq", "1 where the sides differ", operator.ne, from_numpy("not_equal")),
    _comparison("<", "<", "1 where the left side is smaller", operator.lt, from_numpy("less")),
    LESS_OR_EQUAL,
    GREATER,
    GREATER_OR_EQUAL,
    _logic("and", "1 where both are true", operator.and_, from_numpy("logical_and"), r"{0} \land {1}"),
    _logic("or", "1 where one is true", operator.or_, from_numpy("logical_or"), r"{0} \lor {1}"),
    FunctionRow(
        ":NOT:(condition)", "1 where the condition is 0", "1 -> 1",
        kinds=("condition",), evaluate=lambda condition: float(not condition), arrays=from_numpy("logical_not"),
        emit=lambda f, condition: f.invert(condition),
        derivative=constant_almost_everywhere, latex=r"\lnot {0}", gives_truth=True,
    ),
    IF_THEN_ELSE,
)
# fmt: on
