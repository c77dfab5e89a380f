"""Limits of flows: outflows of stocks that may not become negative, by Stella's rule; and what varies, as a transit time may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from sympy import Expr

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
    split_reference,
    walk,
)
from .functions import row
from .names import plain_name
from .scope import Variable
from .tree import Node

_TIME_STEP = make_reference("time_step")


def limit_outflows(
    elements: dict[str, Element], variables: Mapping[str, Variable], is_limited: Callable[[Node], bool]
) -> dict[str, Element]:
    """Return elements in which the outflows of non-negative stocks take no more than there is, in their order.

    An outflow takes at most what is in the stock and flows in during a time step, less what the outflows before it take (Stella's
    rule). An inflow that itself depends on the outflow does not count. A stock that shares an outflow, or has one with other
    dimensions, has its net flow limited.
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
            if not variable.node.all("outflow"):
                continue
            elements |= _limit_flows(name, outflows, elements) if alone else _limit_net(name, elements)
    return elements


def _limit_net(name: str, elements: Mapping[str, Element]) -> dict[str, Element]:
    def limit(equation: Equation) -> Equation:
        rate, initial = equation.expression.args
        most = negate(divide(make_reference(name, *equation.subscripts), _TIME_STEP))
        return replace(equation, expression=row("INTEG", row("MAX", rate, most), initial))

    element = elements[name]
    return {name: replace(element, equations=tuple(map(limit, element.equations)))}


def _limit_flows(name: str, outflows: Sequence[str], elements: Mapping[str, Element]) -> dict[str, Element]:
    changed: dict[str, Element] = {}
    inflows = references_of(elements[name].equations[0].expression.args[0]) if elements[name].equations else []
    for place, flow in enumerate(outflows):
        element = elements[flow]
        shape = element.dimensions
        counted = [part for part in inflows if part not in outflows and elements[part].dimensions == shape]
        counted = [part for part in counted if flow not in _causes(part, elements)]
        limit = partial(_limited, name, counted, outflows[:place])
        changed[flow] = replace(element, kind="flow", equations=tuple(map(limit, element.equations)))
    return changed


def references_of(expression: Expr) -> list[str]:
    """Return the keys of the variables that an expression names."""
    return [split_reference(part)[0] for part in references_in(expression)]


def _limited(stock: str, inflows: Sequence[str], before: Sequence[str], equation: Equation) -> Equation:
    """Return the equation of an outflow that takes at most what a stock has and gets in a time step, after other outflows."""
    own = equation.subscripts
    most = [divide(make_reference(stock, *own), _TIME_STEP), *(make_reference(flow, *own) for flow in inflows)]
    most += [negate(make_reference(flow, *own)) for flow in before]
    return replace(equation, expression=row("MIN", equation.expression, add(*most) if len(most) > 1 else most[0]))


def _causes(name: str, elements: Mapping[str, Element]) -> set[str]:
    """Return what a variable depends on at the same time, itself included: a stock depends on nothing."""
    found, waiting = {name}, [name]
    while waiting:
        element = elements.get(waiting.pop())
        if element is None or element.kind == "stock":
            continue
        for cause in (part for equation in element.equations for part in references_of(equation.expression)):
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
    for name in references_of(expression):
        element = elements.get(name)
        if element is None or name in above or element.kind not in ("constant", "auxiliary", "flow", "lookup"):
            return name if element is None else element.name
        for equation in element.equations if element.kind not in ("constant", "lookup") else ():
            if what_varies(equation.expression, elements, above=above | {name}) is not None:
                return element.name
    return None
