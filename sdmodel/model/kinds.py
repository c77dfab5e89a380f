"""The kind of an element, which the form of its equations shows; which auxiliaries are flows depends on the stocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sympy import Add, Expr, Mul, S

from .algebra import Numbers, Table, VensimFunction, is_reference, split_reference
from .records import Element, Kind


def kind_of(expressions: Sequence[Expr]) -> Kind:
    """Return the kind that the right-hand sides of an element show; a flow is an auxiliary so far."""
    if any(map(is_integral, expressions)):
        return "stock"
    if all(isinstance(expression, Table) for expression in expressions):
        return "lookup"
    if all(expression.is_Number or isinstance(expression, Numbers) for expression in expressions):
        return "constant"
    return "auxiliary"


def with_flows(elements: Mapping[str, Element]) -> dict[str, Element]:
    """Return elements in which the auxiliaries that the rate of a stock adds or subtracts are flows."""
    flows = {
        split_reference(term)[0] for element in elements.values() for rate in rates_of(element) for term in _terms(rate)
    }
    return {
        name: replace(element, kind="flow") if name in flows and element.kind == "auxiliary" else element
        for name, element in elements.items()
    }


def rates_of(element: Element) -> list[Expr]:
    """Return the rates of an element's equations; some cells of a stock may be constants or auxiliaries."""
    return [own.expression.args[0] for own in element.equations if is_integral(own.expression)]


def is_integral(expression: Expr) -> bool:
    """Whether an expression is the INTEG of a stock."""
    return isinstance(expression, VensimFunction) and expression.name == "INTEG"


def _terms(rate: Expr) -> Iterator[Expr]:
    """Yield the references that a rate adds or subtracts."""
    if is_reference(rate):
        yield rate
    elif isinstance(rate, Add) or (isinstance(rate, Mul) and len(rate.args) == 2 and rate.args[0] == S.NegativeOne):  # noqa: PLR2004 - a sign and its operand
        for part in rate.args:
            yield from _terms(part)
