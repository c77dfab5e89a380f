"""Which stocks cannot be negative, and what flows into and out of them."""

from __future__ import annotations

import re

from sympy import Expr, Indexed, Mul, S, Symbol

from ..model import Element, referred
from .subject import Subject

_SIGNED_UNITS = re.compile(
    r"[$€£¥°]|\b(?:usd|eur|dollars?|euros?|pounds?|money|currency|cash|degrees?|deg|celsius|fahrenheit|kelvin|[cfk])\b",
    re.IGNORECASE,
)
"""Units of what may well be negative: money, which can be owed, and temperature."""


def is_kept(subject: Subject, stock: Element) -> bool:
    """Whether a stock cannot be negative.

    Its range says so if it has a minimum. Else it is taken for something that is kept and moved if its units are neither
    money nor a temperature, it is never negative in the run as it stands, and its net flow is a sum of flows that are not
    either, at least one of which leaves it. What is averaged or expected has a net flow that is no such sum.
    """
    if stock.range is not None and stock.range.minimum is not None:
        return stock.range.minimum >= 0
    flows = flows_of(stock)
    if is_signed(stock) or flows is None or all(sign > 0 for _, sign in flows):
        return False
    elements = subject.model.elements
    if any(name not in elements or elements[name].hidden for name, _ in flows):
        return False
    return not any((subject.values(subject.base, name) < 0).any() for name in (stock.key, *(name for name, _ in flows)))


def is_signed(stock: Element) -> bool:
    """Whether the units of a stock are those of what may well be negative, whatever its range says."""
    return bool(_SIGNED_UNITS.search(stock.units))


def flows_of(stock: Element) -> tuple[tuple[str, int], ...] | None:
    """The flows of a stock by key, 1 for what fills it and -1 for what drains it; none if its net flow is no sum of names."""
    found = [part for equation in stock.equations for part in _signed(equation.expression.args[0])]
    return (
        None
        if any(not isinstance(part, Symbol | Indexed) for part, _ in found)
        else tuple((referred(part)[0], sign) for part, sign in found)
    )


def _signed(rate: Expr) -> list[tuple[Expr, int]]:
    """The terms of a net flow with their signs."""
    terms = rate.args if rate.is_Add else (rate,)
    return [(each.args[1], -1) if _is_negative(each) else (each, 1) for each in terms]


def _is_negative(term: Expr) -> bool:
    return isinstance(term, Mul) and len(term.args) == 2 and term.args[0] is S.NegativeOne  # noqa: PLR2004 - a sign and what it turns
