"""The statements of a model as elements: their equations, what kind they are, and which ranges they span."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sympy import Add, Expr, Indexed, Mul, S, Symbol

from ...errors import Fault
from ...model import (
    REFUSED,
    Element,
    Equation,
    Kind,
    Numbers,
    Range,
    Table,
    VensimFunction,
    display,
    key,
    referred,
    unknown_function,
)
from ..document import Document
from .fields import comment_of, one_line, units_of
from .ranges import spanned
from .statements import Statement
from .translation import Names, Scope, read_expression

_CALLED = re.compile(r"\s*([A-Za-z][\w ]*)\(")
_REFUSED = frozenset(map(key, REFUSED))


@dataclass(slots=True)
class _Draft:
    """An element while its equations are gathered."""

    name: str
    equations: list[Equation] = field(default_factory=list)
    units: str = ""
    range: Range | None = None
    comment: str = ""
    group: str = ""
    supplementary: bool = False
    fixed: bool = False


def elements_of(statements: Iterable[Statement], names: Names) -> dict[str, Element]:
    """The elements that statements define, by key in the order of the file; those that macros become stand last."""
    drafts: dict[str, _Draft] = {}
    for statement in statements:
        draft = drafts.setdefault(statement.key, _Draft(display(statement.name)))
        draft.equations.append(equation_of(statement, Scope(names, statement.offset, statement.subscripts)))
        _describe(draft, statement, names.document)
    labels = {label for subscript in names.subscripts.values() for label in subscript.keys}
    elements = {name: _element(draft, names, labels) for name, draft in drafts.items()}
    for made in names.made:
        elements.setdefault(made.key, made)
    return _with_flows(elements)


def equation_of(statement: Statement, scope: Scope) -> Equation:
    """The equation of one statement; a data variable is refused by name."""
    document = scope.names.document
    expression: Expr = S.Zero
    if statement.kind == "data":
        scope.fault(statement.name, f"'{display(statement.name)}' is a data variable{_why(statement)}")
    else:
        body = statement.body[1]
        expression = read_expression(body, scope, statement.name)
    return Equation(
        expression=expression,
        subscripts=statement.subscripts,
        exceptions=statement.exceptions,
        text=one_line(document.text[statement.right : statement.segment.main.end]),
        place=document.place(statement.segment.start),
        places=MappingProxyType(scope.places),
        parts=MappingProxyType(scope.parts),
    )


def _why(statement: Statement) -> str:
    """What to do about a data variable: its numbers come from a function that reads files, or from nowhere."""
    called = _CALLED.match(str(statement.body[-1])) if statement.body else None
    if called is not None and key(called[1]) in _REFUSED:
        return f": {unknown_function(called[1])}"
    return ", which is not supported; use a lookup of Time"


def _describe(draft: _Draft, statement: Statement, document: Document) -> None:
    """What the first block that says so tells of an element."""
    segment = statement.segment
    units, limits = units_of(document.slice(segment.units))
    draft.units = draft.units or units
    draft.range = draft.range or limits
    draft.comment = draft.comment or comment_of(document.slice(segment.comment))
    draft.group = draft.group or statement.group
    draft.supplementary |= segment.supplementary.end > segment.supplementary.start
    draft.fixed |= statement.kind == "fixed"


def _element(draft: _Draft, names: Names, labels: set[str]) -> Element:
    return Element(
        name=draft.name,
        kind=kind_of(draft.equations),
        equations=tuple(draft.equations),
        dimensions=tuple(_dimensions(draft, names, labels)),
        units=draft.units,
        range=draft.range,
        comment=draft.comment,
        group=draft.group,
        supplementary=draft.supplementary,
        fixed=draft.fixed,
    )


def _dimensions(draft: _Draft, names: Names, labels: set[str]) -> Iterator[str]:
    """The range at each position of the left-hand side, found over all equations of an element."""
    first = draft.equations[0]
    fitting = [each for each in draft.equations if len(each.subscripts) == len(first.subscripts)]
    for position in range(len(first.subscripts)):
        named = [equation.subscripts[position] for equation in fitting]
        found = spanned(named, names.subscripts)
        if found is None and all(name in names.subscripts or name in labels for name in named):
            what = f"no subscript range holds all of {', '.join(map(repr, dict.fromkeys(named)))}; declare one"
            names.doubts.append(Fault(first.place, f"'{draft.name}': {what}"))
        yield found or named[0]


def kind_of(equations: Sequence[Equation]) -> Kind:
    """What an element is by the form of its equations; a flow is told from an auxiliary by the stocks alone."""
    expressions = [equation.expression for equation in equations]
    if any(is_integral(expression) for expression in expressions):
        return "stock"
    if all(isinstance(expression, Table) for expression in expressions):
        return "lookup"
    if all(expression.is_Number or isinstance(expression, Numbers) for expression in expressions):
        return "constant"
    return "auxiliary"


def is_integral(expression: Expr) -> bool:
    """Whether an expression is INTEG as a whole."""
    return isinstance(expression, VensimFunction) and expression.name == "INTEG"


def _with_flows(elements: dict[str, Element]) -> dict[str, Element]:
    """The same elements, with each auxiliary that some stock's net flow adds or subtracts called a flow."""
    flowing = {
        referred(term)[0]
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
    """The references that a rate adds or subtracts."""
    if isinstance(rate, Symbol | Indexed):
        yield rate
    elif isinstance(rate, Add) or (isinstance(rate, Mul) and len(rate.args) == 2 and rate.args[0] == S.NegativeOne):  # noqa: PLR2004 - a sign and its operand
        for part in rate.args:
            yield from _terms(part)
