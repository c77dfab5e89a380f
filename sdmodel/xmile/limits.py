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
    make_reference,
    negate,
    references_in,
    signed_terms,
    split_reference,
    transform,
    walk,
)
from .functions import SETTINGS, TIMES, row
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
        for flow in variable.outflows if variable.node.tag == "stock" else ():
            drains.setdefault(flow, []).append(variable.key)
    read: dict[str, list[str]] = {}
    for name, variable in variables.items():
        if variable.node.tag == "stock" and not variable.source and is_limited(variable.node) and name in elements:
            outflows = variable.outflows
            shape = elements[name].dimensions
            alone = all(
                len(drains[flow]) == 1 and flow in elements and elements[flow].dimensions == shape for flow in outflows
            )
            limited = _limit_flows(elements[name], outflows, elements, read) if alone else None
            elements |= _limit_net(name, elements) if limited is None else limited
            for flow in outflows:
                read.pop(flow, None)
    return elements


def _limit_net(name: str, elements: Mapping[str, Element]) -> dict[str, Element]:
    def limit(equation: Equation) -> Equation:
        rate, initial = equation.expression.args
        most = negate(divide(make_reference(name, *equation.subscripts), TIMES["dt"]))
        return replace(equation, expression=row("INTEG", row("MAX", rate, most), initial))

    element = elements[name]
    return {name: replace(element, equations=tuple(map(limit, element.equations)))}


def _limit_flows(
    stock: Element, outflows: Sequence[str], elements: Mapping[str, Element], read: dict[str, list[str]]
) -> dict[str, Element] | None:
    """Return the limited outflows, or None if the cells of their equations are not those of the stock's.

    `read` takes what equations read, by key.
    """
    changed: dict[str, Element] = {}
    for place, flow in enumerate(outflows):
        depends = cache(lambda name, flow=flow: flow in _causes(name, elements, read))
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


def _causes(name: str, elements: Mapping[str, Element], read: dict[str, list[str]]) -> set[str]:
    """Return what a variable depends on at the same time, itself included: a stock depends on nothing."""
    found, waiting = {name}, [name]
    while waiting:
        element = elements.get(waiting.pop())
        if element is None or element.kind == "stock":
            continue
        if element.key not in read:
            parts = (part for equation in element.equations for part in _references_of(equation.expression))
            read[element.key] = [*dict.fromkeys(parts)]
        for cause in read[element.key]:
            if cause not in found:
                found.add(cause)
                waiting.append(cause)
    return found


def what_varies(expression: Expr, elements: Mapping[str, Element]) -> str | None:
    """Return the name of something in an expression that varies in time, or None if it is the same at all times."""
    if (call := _varying_call(expression)) is not None:
        return call
    read: dict[str, list[str]] = {}
    for name in _references_of(expression):
        if any(cause not in SETTINGS and _varies(elements.get(cause)) for cause in _causes(name, elements, read)):
            return elements[name].name if name in elements else name
    return None


def _varies(element: Element | None) -> bool:
    """Whether a variable varies in time by itself: a stock, or one whose equations call what varies."""
    if element is None or element.kind not in ("constant", "auxiliary", "flow", "lookup"):
        return True
    return any(_varying_call(equation.expression) is not None for equation in element.equations)


def _varying_call(expression: Expr) -> str | None:
    """Return the name of a function in an expression whose value depends on the time, on the past or on chance."""
    calls = (part for part in walk(expression) if isinstance(part, VensimFunction))
    return next(
        (own.name for own in calls if own.row.reads_time or own.row.memory or own.row.expand or own.row.draws), None
    )
