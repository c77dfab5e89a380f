"""Builds elements from statements: their equations, their kind and the ranges they span."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from sympy import Add, Expr, Indexed, Mul, S, Symbol

from ...errors import Fault
from ...model import (
    REFUSED,
    Element,
    Equation,
    Kind,
    Numbers,
    Table,
    VensimFunction,
    display_name,
    key,
    split_reference,
    unknown_function,
)
from ..document import Document
from .ranges import spanned
from .statements import Statement
from .syntax import comment_of, one_line, units_of
from .translation import Names, Scope, read_expression

_CALLED = re.compile(r"\s*([A-Za-z][\w ]*)\(")
_REFUSED = frozenset(map(key, REFUSED))


def elements_of(statements: Iterable[Statement], names: Names) -> dict[str, Element]:
    """Return the elements that statements define, by key in file order; those that macro calls create come last."""
    grouped: dict[str, list[Statement]] = {}
    equations: dict[str, list[Equation]] = {}
    for statement in statements:
        scope = Scope(names, statement.offset, statement.subscripts)
        grouped.setdefault(statement.key, []).append(statement)
        equations.setdefault(statement.key, []).append(equation_of(statement, scope))
    labels = {label for subscript in names.subscripts.values() for label in subscript.keys}
    elements: dict[str, Element] = {}
    for name, own in grouped.items():
        shown = display_name(own[0].name)
        dimensions = tuple(_dimensions(shown, equations[name], names, labels))
        elements[name] = element_of(shown, own, equations[name], dimensions, names.document)
    for element in names.hidden:
        elements.setdefault(element.key, element)
    return _with_flows(elements)


def element_of(
    name: str,
    statements: Sequence[Statement],
    equations: Sequence[Equation],
    dimensions: tuple[str, ...],
    document: Document,
    *,
    hidden: bool = False,
) -> Element:
    """Return the element that statements define; units, range, comment and group come from the first that has one."""
    segments = [statement.segment for statement in statements]
    units = [units_of(document.slice(segment.units)) for segment in segments]
    return Element(
        name=name,
        kind=kind_of(equations),
        equations=tuple(equations),
        dimensions=dimensions,
        units=next((text for text, _ in units if text), ""),
        range=next((limits for _, limits in units if limits), None),
        comment=next(filter(None, (comment_of(document.slice(segment.comment)) for segment in segments)), ""),
        group=next((statement.group for statement in statements if statement.group), ""),
        supplementary=any(segment.supplementary.end > segment.supplementary.start for segment in segments),
        fixed=any(statement.kind == "fixed" for statement in statements),
        hidden=hidden,
    )


def equation_of(statement: Statement, scope: Scope) -> Equation:
    """Return the equation of one statement; a data variable is a fault."""
    document = scope.names.document
    expression: Expr = S.Zero
    if statement.kind == "data":
        scope.fault(statement.name, f"'{display_name(statement.name)}' is a data variable{_remedy(statement)}")
    else:
        expression = read_expression(statement.body[1], scope, statement.name)
    return Equation(
        expression=expression,
        subscripts=statement.subscripts,
        exceptions=statement.exceptions,
        text=one_line(document.text[statement.right : statement.segment.main.end]),
        place=document.place(statement.segment.start),
        places=MappingProxyType(scope.places),
        parts=MappingProxyType(scope.parts),
    )


def _remedy(statement: Statement) -> str:
    """Say what to do about a data variable; a function that reads files has its own message."""
    called = _CALLED.match(str(statement.body[-1])) if statement.body else None
    if called is not None and key(called[1]) in _REFUSED:
        return f": {unknown_function(called[1])}"
    return ", which is not supported; use a lookup of Time"


def _dimensions(name: str, equations: Sequence[Equation], names: Names, labels: set[str]) -> Iterator[str]:
    """Yield the range at each position of the left-hand side, over all equations of an element."""
    first = equations[0]
    fitting = [equation for equation in equations if len(equation.subscripts) == len(first.subscripts)]
    for position in range(len(first.subscripts)):
        named = [equation.subscripts[position] for equation in fitting]
        found = spanned(named, names.subscripts)
        if found is None and all(label in names.subscripts or label in labels for label in named):
            what = f"no subscript range contains all of {', '.join(map(repr, dict.fromkeys(named)))}; declare one"
            names.doubts.append(Fault(first.place, f"'{name}': {what}"))
        yield found or named[0]


def kind_of(equations: Sequence[Equation]) -> Kind:
    """Return the kind that the form of the equations shows; which auxiliaries are flows depends on the stocks."""
    expressions = [equation.expression for equation in equations]
    if any(is_integral(expression) for expression in expressions):
        return "stock"
    if all(isinstance(expression, Table) for expression in expressions):
        return "lookup"
    if all(expression.is_Number or isinstance(expression, Numbers) for expression in expressions):
        return "constant"
    return "auxiliary"


def is_integral(expression: Expr) -> bool:
    """Whether an expression is one call of INTEG."""
    return isinstance(expression, VensimFunction) and expression.name == "INTEG"


def _with_flows(elements: dict[str, Element]) -> dict[str, Element]:
    """Return the elements with `flow` as the kind of every auxiliary that a stock's net flow adds or subtracts."""
    flowing = {
        split_reference(term)[0]
        for element in elements.values()
        for equation in element.equations
        if is_integral(equation.expression)
        for term in _terms(equation.expression.args[0])
    }
    return {
        name: replace(element, kind="flow") if element.kind == "auxiliary" and name in flowing else element
        for name, element in elements.items()
    }


def _terms(rate: Expr) -> Iterator[Expr]:
    """Yield the references that a rate adds or subtracts."""
    if isinstance(rate, Symbol | Indexed):
        yield rate
    elif isinstance(rate, Add) or (isinstance(rate, Mul) and len(rate.args) == 2 and rate.args[0] == S.NegativeOne):  # noqa: PLR2004 - a sign and its operand
        for part in rate.args:
            yield from _terms(part)
