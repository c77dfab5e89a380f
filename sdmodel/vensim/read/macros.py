"""Expands macro calls into hidden elements: the macro's equations with the call's arguments in place of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lark import Token
from sympy import Expr, S, Symbol

from ...errors import Fault
from ...model import Element, Equation, display_name, key, make_reference
from .elements import element_of, equation_of
from .statements import Macro, Statement
from .translation import Names, Scope

MOST_CALLS = 10_000
"""Maximum number of macro calls in a file, including calls inside macros."""


def expand(macro: Macro, token: Token, arguments: Sequence[Expr], results: Sequence[Token], scope: Scope) -> Expr:
    """Return the value of one call; add the elements that it creates to the model's names."""
    names = scope.names
    if wrong := _misuse(macro, arguments, results, scope):
        return scope.fault(token, wrong)
    names.expansions += 1
    ranges = tuple(name for name in scope.subscripts if name in names.subscripts)
    by_name: dict[str, list[Statement]] = {}
    for statement in macro.statements:
        by_name.setdefault(statement.key, []).append(statement)
    hidden = {name: _new_name(macro, name, names) for name in by_name}
    own = dict(zip(macro.inputs, arguments, strict=True))
    own |= {name: make_reference(key(new_name), *ranges) for name, new_name in hidden.items()}
    for name, statements in by_name.items():
        names.hidden.append(_element(hidden[name], statements, ranges, replace(scope, own=own), key(macro.name)))
    for result, output in zip(results, macro.outputs, strict=True):
        names.hidden.append(_output(result, own[output], ranges, scope))
    return own[key(macro.name)]


def _misuse(macro: Macro, arguments: Sequence[Expr], results: Sequence[Token], scope: Scope) -> str:
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
    if any(symbol.name.endswith("!") for argument in arguments for symbol in argument.atoms(Symbol)):
        return (
            f"the macro '{macro.name}' cannot run over a range marked with '!'; put the call in an equation of its own"
        )
    return ""


def _new_name(macro: Macro, name: str, names: Names) -> str:
    """Return a name for a macro's element that nothing else in the model has."""
    count = names.expansions
    while key(f"{macro.name} {count} {name}") in names.defined:
        count += 1
    new_name = f"{macro.name} {count} {name.replace('_', ' ')}"
    names.defined.add(key(new_name))
    return new_name


def _element(name: str, statements: Sequence[Statement], ranges: tuple[str, ...], caller: Scope, macro: str) -> Element:
    """Return one element of an expanded macro, with the ranges of the equation that calls it."""
    names = caller.names
    equations = []
    for statement in statements:
        if statement.subscripts:
            what = f"'{display_name(statement.name)}' has subscripts in a macro; remove them, the call's apply"
            names.faults.append(Fault(names.document.place(statement.offset), what))
        scope = Scope(names, statement.offset, ranges, caller.own, (*caller.open_macros, macro))
        equations.append(replace(equation_of(statement, scope), subscripts=ranges))
    return element_of(name, statements, equations, ranges, names.document, hidden=True)


def _output(result: Token, value: Expr, ranges: tuple[str, ...], scope: Scope) -> Element:
    """Return the element that a call names for an additional output of its macro."""
    place = scope.place(result)
    equation = Equation(value, ranges, text=display_name(result), place=place)
    return Element(display_name(result), "auxiliary" if value is not S.Zero else "constant", (equation,), ranges)
