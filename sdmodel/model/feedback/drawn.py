"""The links of a causal loop diagram: what its equations name, with the polarity that its arrows have in the sketch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from sympy import Expr, Indexed, Symbol

from ..algebra import references_in, signed_terms, split_reference
from ..diagram.views import View
from ..functions.refused import Unfinished
from ..names import key
from ..records import Element, Model
from ..subscripts import Cell
from .links import Links, Series

_SIGNS = {"+": 1.0, "s": 1.0, "-": -1.0, "o": -1.0}
"""The effect that the letter at an arrow stands for: more, same, less, opposite."""


def drawn_links(model: Model, views: Iterable[View]) -> Links:
    """Return the links of a model that does not run, at one time, without labels; those without a polarity are nan.

    An equation that is complete gives the polarity of what it adds or subtracts.
    """
    drawn = {link: sign for view in views for link, sign in _polarities(view)}
    elements = {element.key: element for element in model if element.kind != "lookup" and not element.hidden}
    effects: dict[Cell, dict[Cell, Series]] = {Cell(name): {} for name in elements}
    for name, element in elements.items():
        for cause, sign in _causes(element):
            if cause in elements:
                own = effects[Cell(cause)].setdefault(Cell(name), np.array([drawn.get((cause, name), sign)]))
                own[own != drawn.get((cause, name), sign)] = math.nan  # it is named twice, with different effects
    return Links(model, np.zeros(1), effects)


def _polarities(view: View) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield the polarity of each arrow that has one, and of the flows into and out of stocks, by cause and effect."""
    shown = {word.number: key(word.text) for word in view.words if word.kind == "variable"}
    named = zip(view.words, view.words[1:], strict=False)
    shown |= {valve.number: key(word.text) for valve, word in named if valve.kind == "valve" and word.attached}
    for arrow in view.arrows:
        ends = shown.get(arrow.source, ""), shown.get(arrow.target, "")
        sign = (1.0 if arrow.head else -1.0) if arrow.pipe else _SIGNS.get(arrow.polarity.lower())
        if sign is not None:
            yield ends, sign


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
    return float(sign) if not is_list and isinstance(term, Symbol | Indexed) else math.nan
