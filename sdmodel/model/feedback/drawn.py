"""The links of a causal loop diagram: what its equations name, with the polarity that its arrows have in the sketch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from sympy import Expr

from ..algebra import is_reference, references_in, signed_terms, split_reference
from ..functions.refused import Unfinished
from ..records import Element, Model
from ..subscripts import Cell
from .links import Links, Series


def drawn_links(model: Model, drawn: Mapping[tuple[str, str], float]) -> Links:
    """Return the links of a model that does not run, at one time, without labels; those without a polarity are nan.

    `drawn` has the polarities of arrows, as in `View.polarities`. An equation that is complete gives that of what it adds or
    subtracts.
    """
    elements = {element.key: element for element in model if element.kind != "lookup" and not element.hidden}
    effects: dict[Cell, dict[Cell, Series]] = {Cell(name): {} for name in elements}
    for name, element in elements.items():
        for cause, sign in _causes(element):
            if cause in elements:
                own = effects[Cell(cause)].setdefault(Cell(name), np.array([drawn.get((cause, name), sign)]))
                own[own != drawn.get((cause, name), sign)] = math.nan  # it is named twice, with different effects
    return Links(model, np.zeros(1), effects)


def _causes(element: Element) -> Iterator[tuple[str, float]]:
    """Yield the key of each variable that the equations of an element name, with the sign of its effect."""
    for equation in element.equations:
        expression = equation.expression
        is_list = isinstance(expression, Unfinished)
        driver = expression.args[0] if element.kind == "stock" and expression.args else expression
        terms = [(term, 1) for term in expression.args] if is_list else [*signed_terms(driver)]
        for whole, sign in terms:
            for term, own in signed_terms(whole):
                for reference in references_in(term):
                    yield split_reference(reference)[0], _sign_of(term, sign * own, is_list=is_list)


def _sign_of(term: Expr, sign: int, *, is_list: bool) -> float:
    """The effect of what a term names: known if it is subtracted, or alone in a sum."""
    if sign < 0 and is_list:
        return -1.0
    return float(sign) if not is_list and is_reference(term) else math.nan
