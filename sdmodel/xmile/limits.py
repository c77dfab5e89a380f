"""Limits of flows: outflows of stocks that may not become negative, by Stella's rule; and what varies, as a transit time may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from sympy import Expr, Indexed, Symbol

from ..model import (
    Element,
    Equation,
    VensimFunction,
    add,
    divide,
    key,
    make_reference,
    negate,
    references_in,
    signed_terms,
    split_reference,
    transform,
    walk,
)
from .functions import TIMES, row
from .names import plain_name
from .scope import Variable
from .tree import Node


def limit_outflows(
    elements: dict[str, Element], variables: Mapping[str, Variable], is_limited: Callable[[Node], bool]
) -> dict[str, Element]:
    """Return elements in which the outflows of non-negative stocks take no more than there is, in their order.

    An outflow takes at most what is in the stock and flows in during a time step, less what the outflows before it take (Stella's
    rule). An inflow that itself depends on the outflow does not count. A stock that shares an outflow, or has one with other
    dimensions or cells, has its net flow limited.
    """
    drains: dict[str, list[str]] = {}
    for variable in variables.values():
        for part in variable.node.all("outflow") if variable.node.tag == "stock" else ():
            drains.setdefault(key(variable.prefix + plain_name(part.text)), []).append(variable.key)
    for name, variable in variables.items():
        if variable.node.tag == "stock" and not variable.source and is_limited(variable.node) and name in elements:
            outflows = [key(variable.prefix + plain_name(part.text)) for part in variable.node.all("outflow")]
            shape = elements[name].dimensions
            alone = all(
                len(drains[flow]) == 1 and flow in elements and elements[flow].dimensions == shape for flow in outflows
            )
            limited = _limit_flows(elements[name], outflows, elements) if alone else None
            elements |= _limit_net(name, elements) if limited is None else limited
    return elements


def _limit_net(name: str, elements: Mapping[str, Element]) -> dict[str, Element]:
    def limit(equation: Equation) -> Equation:
        rate, initial = equation.expression.args
        most = negate(divide(make_reference(name, *equation.subscripts), TIMES["dt"]))
        return replace(equation, expression=row("INTEG", row("MAX", rate, most), initial))

    element = elements[name]
    return {name: replace(element, equations=tuple(map(limit, element.equations)))}


def _limit_flows(stock: Element, outflows: Sequence[str], elements: Mapping[str, Element]) -> dict[str, Element] | None:
    """Return the limited outflows, or None if the cells of their equations are not those of the stock's."""
    changed: dict[str, Element] = {}
    for place, flow in enumerate(outflows):
        depends = cache(lambda name, flow=flow: flow in _causes(name, elements))
        equations = []
        for equation in elements[flow].equations:
            own = equation.subscripts
            if (rate := _rate_in(stock, own)) is None:
                return None
            most = [divide(make_reference(stock.key, *own), TIMES["dt"])]
            for term, sign in signed_terms(rate):
                is_outflow = isinstance(term, Symbol | Indexed) and split_reference(term)[0] in outflows
                if not is_outflow and not any(map(depends, _references_of(term))):
                    most.append(term if sign > 0 else negate(term))
            most += [negate(make_reference(before, *own)) for before in outflows[:place]]
            equations.append(replace(equation, expression=row("MIN", equation.expression, add(*most))))
        changed[flow] = replace(elements[flow], kind="flow", equations=tuple(equations))
    return changed


def _references_of(expression: Expr) -> list[str]:
    """Return the keys of the variables that an expression names."""
    return [split_reference(part)[0] for part in references_in(expression)]


def _rate_in(stock: Element, subscripts: tuple[str, ...]) -> Expr | None:
    """Return the rate of a stock in the cells of another equation, or None if the stock's equations do not say it."""
    first = stock.equations[0]
    own = next((equation for equation in stock.equations if equation.subscripts == subscripts), first)
    rate: Expr = own.expression.args[0]
    if own.subscripts == subscripts:
        return rate
    instead = dict(zip(first.subscripts, subscripts, strict=True))
    is_plain = all(isinstance(term, Symbol | Indexed) for term, _ in signed_terms(rate))  # flows of the cell itself
    if len(instead) < len(subscripts) or (len(stock.equations) > 1 and not is_plain):
        return None

    def change(part: Expr) -> Expr | None:
        name, indices = split_reference(part) if isinstance(part, Indexed) else ("", ())
        return make_reference(name, *(instead.get(index, index) for index in indices)) if name else None

    return transform(rate, change)


def _causes(name: str, elements: Mapping[str, Element]) -> set[str]:
    """Return what a variable depends on at the same time, itself included: a stock depends on nothing."""
    found, waiting = {name}, [name]
    while waiting:
        element = elements.get(waiting.pop())
        if element is None or element.kind == "stock":
            continue
        for cause in (part for equation in element.equations for part in _references_of(equation.expression)):
            if cause not in found:
                found.add(cause)
                waiting.append(cause)
    return found


def what_varies(
    expression: Expr, elements: Mapping[str, Element], *, above: frozenset[str] = frozenset()
) -> str | None:
    """Return the name of something in an expression that varies in time, or None if it is the same at all times."""
    for part in walk(expression):
        if isinstance(part, VensimFunction) and (
            part.row.reads_time or part.row.memory or part.row.expand or part.row.draws
        ):
            return part.name
    for name in _references_of(expression):
        element = elements.get(name)
        if element is None or name in above or element.kind not in ("constant", "auxiliary", "flow", "lookup"):
            return name if element is None else element.name
        for equation in element.equations if element.kind not in ("constant", "lookup") else ():
            if what_varies(equation.expression, elements, above=above | {name}) is not None:
                return element.name
    return None
