"""Formulas over arrays: a statement about runs, or a sum of observed series, computed for all numbers at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from .algebra import split_reference
from .functions.table import row_of

_Values = NDArray[np.float64] | np.float64
ReadArray = Callable[[str, tuple[str, ...]], Any]
"""Returns the values of a name, by its key and the keys of its subscripts, as an array or a number."""


def evaluate_arrays(expression: Expr, read: ReadArray) -> NDArray[np.float64]:
    """The values of a formula, in its own units; the shape is that to which everything it reads broadcasts.

    True is 1 and false is 0, as in Vensim; a comparison of a number that is not finite is nan.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_value(expression, read), dtype=float)


def _value(expression: Expr, read: ReadArray) -> _Values:
    if expression.is_Number:
        return np.float64(expression)
    if isinstance(expression, Symbol | Indexed):
        return np.asarray(read(*split_reference(expression)), dtype=float)
    if isinstance(expression, Mul):
        return _product(expression, read)
    values = [_value(argument, read) for argument in expression.args]
    if isinstance(expression, Add):
        return np.sum(np.stack(np.broadcast_arrays(*values)), axis=0) if len(values) > 2 else values[0] + values[1]  # noqa: PLR2004 - pairs need no stack
    if isinstance(expression, Pow):
        return np.power(values[0], values[1])
    return row_of(expression).arrays(*values)


def _product(expression: Expr, read: ReadArray) -> _Values:
    total: _Values = np.float64(1)
    for factor in expression.args:
        if isinstance(factor, Pow) and factor.exp is S.NegativeOne:
            total = total / _value(factor.base, read)
        else:
            total = total * _value(factor, read)
    return total
