"""How large a model becomes, told from the lengths of its ranges before anything is written out.

A line of text can ask for more numbers than any machine holds: such a model is refused instead of tried.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from sympy import Expr, Indexed

from ..errors import Fault
from .records import Element, Equation, Model, Subscript
from .subscripts import is_reduction, labels_of, marked

MOST_CELLS = 1_000_000
"""Cells of a model's elements, all together."""
MOST_TERMS = 3_000_000
"""Numbers, references and operations of all equations, written out for every cell and every label that a SUM runs over."""
MOST_HIDDEN = 200_000
"""Cells of the stocks and auxiliaries that delays, smooths and the like become."""


def count(subscripts: Mapping[str, Subscript], names: Iterable[str]) -> int:
    """How many cells some subscripts span."""
    return math.prod(len(labels_of(subscripts, name)) for name in names)


def terms(subscripts: Mapping[str, Subscript], expression: Expr) -> int:
    """How many parts an expression has for one cell, its reductions written out."""
    if isinstance(expression, Indexed) or not expression.args:
        return 1
    inside = sum(terms(subscripts, argument) for argument in expression.args)
    return inside * count(subscripts, marked(expression)) if is_reduction(expression) else inside + 1


def too_many_cells(model: Model) -> Iterator[Fault]:
    """The first element with which a model has more cells than can be worked with."""
    total = 0
    for element, equation in _equations(model):
        total += count(model.subscripts, equation.subscripts)
        if total > MOST_CELLS:
            what = f"the model comes to more than {MOST_CELLS:,} cells with '{element.name}'"
            yield Fault(equation.place, f"{what}; give it fewer subscripts or shorter ranges")
            return


def too_many_terms(model: Model) -> Iterator[Fault]:
    """The first equation with which a model has more to compute than can be compiled."""
    total = 0
    for element, equation in _equations(model):
        cells = count(model.subscripts, equation.subscripts)
        total += cells * terms(model.subscripts, equation.expression) if equation.expression.args else 0
        if total > MOST_TERMS:
            what = f"the equations come to more than {MOST_TERMS:,} terms with '{element.name.split('#')[0]}'"
            yield Fault(equation.place, f"{what}; sum over shorter ranges, or in steps")
            return


def _equations(model: Model) -> Iterator[tuple[Element, Equation]]:
    return ((element, equation) for element in model for equation in element.equations)
