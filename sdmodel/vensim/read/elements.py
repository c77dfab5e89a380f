"""Builds elements from statements and, in place of macro calls, hidden elements with the macro's equations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sympy import Expr, S

from ...errors import Fault, Place
from ...model import (
    MARK,
    Element,
    Equation,
    Unfinished,
    VensimFunction,
    copy_ranges,
    display_name,
    key,
    kind_of,
    make_reference,
    points_name,
    transform,
    unclaimed_ranges,
    with_copies,
    with_flows,
    with_slices,
)
from ..document import Document
from .grammar import Node
from .outside import is_outside, outside_equations
from .ranges import spanned
from .statements import Macro, Statement
from .syntax import comment_of, one_line, units_of
from .table import Token, Tree
from .translation import Names, PartPlaces, Scope, add_output, check_size, inside_of, read_expression


def elements_of(statements: Iterable[Statement], names: Names) -> dict[str, Element]:
    """Return the elements that statements define, by key in file order; those that macro calls create come last."""
    grouped: dict[str, list[Statement]] = {}
    equations: dict[str, list[Equation]] = {}
    for statement in statements:
        scope = Scope(names, statement.offset, statement.subscripts, exceptions=statement.exceptions)
        grouped.setdefault(statement.key, []).append(statement)
        equations.setdefault(statement.key, []).extend(equations_of(statement, scope))
    elements: dict[str, Element] = {}
    for name, own in grouped.items():
        equations[name] = _finished(equations[name])
        shown = display_name(own[0].name)
        dimensions = dimensions_of(shown, [statement.subscripts for statement in own], equations[name][0].place, names)
        elements[name] = element_of(shown, own, equations[name], dimensions, names.document)
    for name, output in names.outputs.items():
        found = output.equations
        if name in elements:  # a fault, since it is defined twice
            elements[name] = replace(elements[name], equations=(*elements[name].equations, *found))
        else:
            dimensions = dimensions_of(output.name, [own.subscripts for own in found], output.place, names)
            elements[name] = replace(output, kind=kind_of([own.expression for own in found]), dimensions=dimensions)
    for name, points in names.points.items():
        owner = elements[name]
        hidden = replace(
            owner, name=points_name(owner.name), kind="lookup", equations=tuple(points), range=None, hidden=True
        )
        names.hidden.append(hidden)
    for element in names.hidden:
        elements.setdefault(element.key, element)
    if names.takes_arrays:
        elements = {name: _with_slices(element, elements, names) for name, element in elements.items()}
    return with_flows(elements)


def _finished(equations: list[Equation]) -> list[Equation]:
    """Return equations without a list of causes that a sketch left beside the equation itself, as Vensim's files have it."""
    written = {own.subscripts for own in equations if not isinstance(own.expression, Unfinished)}
    return [own for own in equations if own.subscripts not in written or not isinstance(own.expression, Unfinished)]


def _with_slices(element: Element, elements: Mapping[str, Element], names: Names) -> Element:
    """Return an element with slices in calls of functions that work on whole arrays, since all dimensions are known now."""
    equations = []
    for equation in element.equations:
        places = dict(equation.parts)

        def change(part: Expr, places: dict[Expr, Place] = places) -> Expr | None:
            if not isinstance(part, VensimFunction) or not part.row.takes_arrays:
                return None
            changed = with_slices(part, elements, names.subscripts)
            places.setdefault(changed, places.get(part, element.place))
            return changed

        expression = transform(equation.expression, change)
        same = expression is equation.expression
        equations.append(equation if same else replace(equation, expression=expression, parts=MappingProxyType(places)))
    return replace(element, equations=tuple(equations))


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
        kind=kind_of([equation.expression for equation in equations]),
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


def equations_of(statement: Statement, scope: Scope) -> list[Equation]:
    """Return the equation of one statement; one that reads lookups from a file has an equation for each cell."""
    document = scope.names.document
    outside = is_outside(statement)
    equation = Equation(
        expression=S.Zero if outside else read_expression(statement.body[-1], scope, statement.name),
        subscripts=statement.subscripts,
        exceptions=statement.exceptions,
        text=one_line(document.text[statement.right : statement.segment.main.end]),
        place=document.place(statement.segment.start),
        places=MappingProxyType(scope.places),
        parts=PartPlaces(document.lines, scope.parts),
    )
    return outside_equations(statement, scope, equation) if outside else [equation]


def dimensions_of(name: str, subscripts: Sequence[tuple[str, ...]], place: Place, names: Names) -> tuple[str, ...]:
    """Return the range at each position of the left-hand side, over all equations of an element."""
    if not subscripts[0]:
        return ()
    fitting = [own for own in subscripts if len(own) == len(subscripts[0])]
    dimensions = []
    for named in zip(*fitting, strict=True):
        found = spanned(named, names.subscripts)
        if found is None and all(label in names.subscripts or label in names.labels for label in named):
            what = f"no subscript range contains all of {', '.join(map(repr, dict.fromkeys(named)))}; declare one"
            names.doubts.append(Fault(place, f"'{name}': {what}"))
        dimensions.append(found or named[0])
    return tuple(dimensions)


MOST_CALLS = 10_000
"""Maximum number of macro calls in a file, including calls inside macros."""


def expand(macro: Macro, token: Token, arguments: Sequence[Expr], results: Sequence[Node], scope: Scope) -> Expr:
    """Return the value of one call; add the elements that it creates to the model's names."""
    names = scope.names
    arguments = [check_size(argument, scope, token) for argument in arguments]
    if wrong := _misuse(macro, arguments, results, scope):
        return scope.fault(token, wrong)
    names.expansions += 1
    outside = tuple(name for name in scope.subscripts if name in names.subscripts)
    copies = copy_ranges(arguments, outside, names.subscripts, names.defined)
    inside = inside_of(scope, tuple(copies.values()))
    by_name: dict[str, list[Statement]] = {}
    for statement in macro.statements:
        by_name.setdefault(statement.key, []).append(statement)
    hidden: dict[str, str] = {}
    for name in (*by_name, *_outputs_in(macro.statements)):
        count = names.expansions
        while key(f"{macro.name} {count} {name}") in names.defined:
            count += 1
        hidden[name] = f"{macro.name} {count} {name.replace('_', ' ')}"
        names.defined.add(key(hidden[name]))
    own = {name: with_copies(value, copies) for name, value in zip(macro.inputs, arguments, strict=True)}
    own |= {name: make_reference(key(new_name), *inside.subscripts) for name, new_name in hidden.items()}
    for name, statements in by_name.items():
        names.hidden.append(_element(hidden[name], statements, replace(inside, own=own), key(macro.name)))
    for result, output in zip(results, macro.outputs, strict=True):
        add_output(result, own[output], inside, scope)
    return make_reference(key(hidden[key(macro.name)]), *outside, *copies)


def _outputs_in(statements: Iterable[Statement]) -> Iterator[str]:
    """Yield the keys of the outputs that the macro calls in some statements name."""
    trees = (part for statement in statements for part in statement.body if isinstance(part, Tree))
    waiting = list(trees)
    while waiting:
        tree = waiting.pop()
        if tree.data == "output":
            yield key(tree.children[0])
        waiting += (part for part in tree.children if isinstance(part, Tree))


def _misuse(macro: Macro, arguments: Sequence[Expr], results: Sequence[Node], scope: Scope) -> str:
    """Return why a call cannot be expanded, or an empty text."""
    defined = {statement.key for statement in macro.statements}
    if len(arguments) != len(macro.inputs) or len(results) != len(macro.outputs):
        inputs = ", ".join(macro.inputs)
        outputs = f" : {', '.join(macro.outputs)}" if macro.outputs else ""
        return f"the macro has different arguments; write {macro.name}({inputs}{outputs})"
    if key(macro.name) in scope.open_macros:
        return f"the macro '{macro.name}' calls itself; remove that call"
    if scope.names.expansions >= MOST_CALLS:
        return f"the model has more than {MOST_CALLS:,} macro calls, including those inside macros; use fewer"
    missing = [name for name in (key(macro.name), *macro.outputs) if name not in defined]
    if missing:
        return f"the macro '{macro.name}' does not define '{missing[0]}'; add its equation to the macro"
    marks = [mark.removesuffix(MARK) for argument in arguments for mark in unclaimed_ranges(argument)]
    if marks and results:
        return f"the macro '{macro.name}' has several results and a range marked with '!'; call it in its own equation"
    unknown = next((mark for mark in marks if mark not in scope.names.subscripts), "")
    if unknown:
        return f"'{unknown}' is not a subscript range; declare it or correct the name"
    return ""


def _element(name: str, statements: Sequence[Statement], caller: Scope, macro: str) -> Element:
    """Return one element of an expanded macro, with the ranges of the equation that calls it, and what that excepts."""
    names, ranges, excepted = caller.names, caller.subscripts, caller.exceptions
    equations = []
    for statement in statements:
        if statement.subscripts:
            what = f"'{display_name(statement.name)}' has subscripts in a macro; remove them, the call's apply"
            names.faults.append(Fault(names.document.place(statement.offset), what))
        opened = (*caller.open_macros, macro)
        scope = Scope(names, statement.offset, ranges, caller.own, opened, exceptions=excepted)
        found = equations_of(statement, scope)
        equations += [replace(equation, subscripts=ranges, exceptions=excepted) for equation in found]
    return element_of(name, statements, equations, ranges, names.document, hidden=True)
