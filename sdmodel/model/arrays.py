"""Formulas over arrays: a statement about runs, or a sum of observed series, worked out for all numbers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from .algebra import VensimFunction, referred
from .evaluation import NEXT_TO_ZERO
from .functions.table import FUNCTIONS

Values = NDArray[np.float64] | np.float64
ReadArray = Callable[[str, tuple[str, ...]], Any]
"""How a formula gets at what a name stands for: by its key and the keys of its subscripts, as an array or a number."""


def evaluate_arrays(expression: Expr, read: ReadArray) -> NDArray[np.float64]:
    """The values of a formula, in its own units, of the shape to which all that it reads broadcasts.

    Truth is 1 and untruth 0, as in Vensim; what rests on a number that is not finite is neither, but not a number.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_value(expression, read), dtype=float)


def _value(expression: Expr, read: ReadArray) -> Values:
    if expression.is_Number:
        return np.float64(expression)
    if isinstance(expression, Symbol | Indexed):
        return np.asarray(read(*referred(expression)), dtype=float)
    if isinstance(expression, Mul):
        return _product(expression, read)
    values = [_value(each, read) for each in expression.args]
    if isinstance(expression, Add):
        return np.sum(np.stack(np.broadcast_arrays(*values)), axis=0) if len(values) > 2 else values[0] + values[1]  # noqa: PLR2004 - pairs need no stack
    if isinstance(expression, Pow):
        return np.power(values[0], values[1])
    name = expression.name if isinstance(expression, VensimFunction) else _SYMPY[type(expression)]
    return ARRAY_FUNCTIONS[name](*values)


def _product(expression: Expr, read: ReadArray) -> Values:
    total: Values = np.float64(1)
    for factor in expression.args:
        if isinstance(factor, Pow) and factor.exp is S.NegativeOne:
            total = total / _value(factor.base, read)
        else:
            total = total * _value(factor, read)
    return total


def _truth(test: Callable[..., Any]) -> Callable[..., Values]:
    """A test whose answer is a number, and is none where what it tests is not finite."""

    def tell(*values: Values) -> Values:
        return test(*values) + 0.0 * sum(values)

    return tell


def _choose(condition: Values, then: Values, otherwise: Values) -> Values:
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, then, otherwise))


def _guarded_quotient(dividend: Values, divisor: Values, otherwise: Values | float = 0.0) -> Values:
    return np.where(np.abs(divisor) < NEXT_TO_ZERO, otherwise, dividend / divisor)


def _quantum(x: Values, quantum: Values) -> Values:
    return np.where(quantum <= 0, x, quantum * np.trunc(x / quantum))


ARRAY_FUNCTIONS: Mapping[str, Callable[..., Values]] = MappingProxyType(
    {
        "=": _truth(np.equal),
        "<>": _truth(np.not_equal),
        "<": _truth(np.less),
        "<=": _truth(np.less_equal),
        ">": _truth(np.greater),
        ">=": _truth(np.greater_equal),
        ":AND:": _truth(np.logical_and),
        ":OR:": _truth(np.logical_or),
        ":NOT:": _truth(np.logical_not),
        "IF THEN ELSE": _choose,
        "ABS": np.abs,
        "MIN": np.minimum,
        "MAX": np.maximum,
        "EXP": np.exp,
        "LN": np.log,
        "LOG": lambda x, base: np.log(x) / np.log(base),
        "SQRT": np.sqrt,
        "POWER": np.power,
        "SIN": np.sin,
        "COS": np.cos,
        "TAN": np.tan,
        "ARCSIN": np.arcsin,
        "ARCCOS": np.arccos,
        "ARCTAN": np.arctan,
        "SINH": np.sinh,
        "COSH": np.cosh,
        "TANH": np.tanh,
        "INTEGER": np.trunc,
        "MODULO": np.fmod,
        "QUANTUM": _quantum,
        "ZIDZ": _guarded_quotient,
        "XIDZ": _guarded_quotient,
        "GAME": np.asarray,
    }
)
"""The functions that a formula may use, by Vensim's name: those that need nothing but their arguments."""

_SYMPY: Mapping[type[Expr], str] = MappingProxyType(
    {type(FUNCTIONS[name].build(Symbol("x"))): name for name in ARRAY_FUNCTIONS if len(FUNCTIONS[name].arguments) == 1}
)
