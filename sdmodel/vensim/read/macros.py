"""Macros: a call becomes hidden elements, the macro's equations with the call's arguments in place of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lark import Token
from sympy import Expr, S, Symbol

from ...errors import Fault
from ...model import Element, Equation, display, key, refer
from .elements import equation_of, kind_of
from .fields import comment_of, units_of
from .statements import Macro, Statement
from .translation import Names, Scope

_MOST = 10_000
"""Calls that a file may come to, macros within macros included."""


def expand(macro: Macro, token: Token, arguments: Sequence[Expr], results: Sequence[Token], scope: Scope) -> Expr:
    """The value of one call; what the macro computes on the way is added to the model's names."""
    names = scope.names
    wrong = _misuse(macro, arguments, results, scope)
    if wrong:
        return scope.fault(token, wrong)
    names.expansions += 1
    ranges = tuple(name for name in scope.subscripts if name in names.subscripts)
    hidden = {name: _fresh(macro, name, names) for name in dict.fromkeys(each.key for each in macro.statements)}
    own = dict(zip(macro.inputs, arguments, strict=True))
    own |= {name: refer(key(made), *ranges) for name, made in hidden.items()}
    for name, statements in _by_name(macro).items():
        names.made.append(_element(hidden[name], statements, ranges, replace(scope, own=own), key(macro.name)))
    for result, output in zip(results, macro.outputs, strict=True):
        names.made.append(_output(result, own[output], ranges, scope))
    return own[key(macro.name)]


def _misuse(macro: Macro, arguments: Sequence[Expr], results: Sequence[Token], scope: Scope) -> str:
    """What keeps a call from being expanded, or nothing."""
    defined = {statement.key for statement in macro.statements}
    if len(arguments) != len(macro.inputs) or len(results) != len(macro.outputs):
        inputs = ", ".join(macro.inputs)
        outputs = f" : {', '.join(macro.outputs)}" if macro.outputs else ""
        return f"the macro takes other arguments; write {macro.name}({inputs}{outputs})"
    if key(macro.name) in scope.open_macros:
        return f"the macro '{macro.name}' calls itself; write it without"
    if scope.names.expansions >= _MOST:
        return f"the model comes to more than {_MOST:,} calls of macros; write fewer"
    missing = [name for name in (key(macro.name), *macro.outputs) if name not in defined]
    if missing:
        return f"the macro '{macro.name}' does not define '{missing[0]}'; add its equation to the macro"
    if any(symbol.name.endswith("!") for argument in arguments for symbol in argument.atoms(Symbol)):
        return f"the macro '{macro.name}' cannot run over a range marked with '!'; give the call an element of its own"
    return ""


def _fresh(macro: Macro, name: str, names: Names) -> str:
    """A name for a macro's element that nothing else in the model has."""
    count = names.expansions
    while key(f"{macro.name} {count} {name}") in names.defined:
        count += 1
    made = f"{macro.name} {count} {name.replace('_', ' ')}"
    names.defined.add(key(made))
    return made


def _by_name(macro: Macro) -> Mapping[str, list[Statement]]:
    found: dict[str, list[Statement]] = {}
    for statement in macro.statements:
        found.setdefault(statement.key, []).append(statement)
    return found


def _element(name: str, statements: Sequence[Statement], ranges: tuple[str, ...], caller: Scope, macro: str) -> Element:
    """One element of an expanded macro, spread over the ranges of the equation that calls it."""
    names = caller.names
    first = statements[0]
    equations = []
    for statement in statements:
        if statement.subscripts:
            what = f"'{display(statement.name)}' has subscripts in a macro; leave them out, the call's are taken over"
            names.faults.append(Fault(names.document.place(statement.offset), what))
        scope = Scope(names, statement.offset, ranges, caller.own, (*caller.open_macros, macro))
        equations.append(replace(equation_of(statement, scope), subscripts=ranges))
    units, limits = units_of(names.document.slice(first.segment.units))
    return Element(
        name=name,
        kind=kind_of(equations),
        equations=tuple(equations),
        dimensions=ranges,
        units=units,
        range=limits,
        comment=comment_of(names.document.slice(first.segment.comment)),
        group=first.group,
        fixed=first.kind == "fixed",
        hidden=True,
    )


def _output(result: Token, value: Expr, ranges: tuple[str, ...], scope: Scope) -> Element:
    """The element that a call names for a further output of its macro."""
    place = scope.place(result)
    equation = Equation(value, ranges, text=display(result), place=place)
    return Element(display(result), "auxiliary" if value is not S.Zero else "constant", (equation,), ranges)
