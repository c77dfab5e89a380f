"""Equations that read files, and data variables: their trees as calls, tables and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import TypeVar

from sympy import Expr

from ...errors import format_count
from ...model import (
    FILE_FUNCTIONS,
    FUNCTIONS,
    NA,
    NO_POINTS,
    NOW,
    Equation,
    Numbers,
    Table,
    add,
    bindings,
    computed_data,
    data_reference,
    data_value,
    display_name,
    key,
    labels_of,
    multiply,
    number,
    transform,
    unclaimed_ranges,
)
from ..external.access import Access
from ..external.calls import (
    read_constants,
    read_labels,
    read_runs,
    read_series,
    reads_runs,
    signature,
    takes,
    what_is_read,
)
from ..external.tables import TableProblemError
from .grammar import Node
from .statements import Statement
from .table import Token, Tree
from .translation import Names, Scope, read_expression, translate

_T = TypeVar("_T")
_FUNCTIONS = frozenset(map(key, FILE_FUNCTIONS))
_QUOTED_TEXT = re.compile(r"'[^']*'")
_BASE = key("TIME BASE")
_FILLED = key("X IF MISSING")
_TOTALS = frozenset({key("CUMULATE"), key("CUMULATEF")})
_FROM_DATA = {
    key(form.partition("(")[0]): form for form in ("TIME SHIFT(data, shift)", "CUMULATE(data)", "CUMULATEF(data)")
}
"""How to write each function that makes a data variable from another one."""


def file_function(node: Node) -> str:
    """Return the function that reads a file, if a tree is a call of one, or an empty text."""
    name = str(node.children[0]) if isinstance(node, Tree) and node.data == "call" else ""
    return name if key(name) in _FUNCTIONS else ""


def is_data(statement: Statement) -> bool:
    """Whether a statement defines a data variable with points of its own, from a file or given later."""
    if statement.kind == "data" and not _has_right_side(statement):
        return True
    function = file_function(statement.body[-1]) if statement.body else ""
    return bool(function) and what_is_read(function) == "DATA"


def _has_right_side(statement: Statement) -> bool:
    return any(isinstance(part, Token) and part.type == "DEFINED" for part in statement.body)


def arguments_of(call: Node, access: Access) -> list[str]:
    """Return the texts and numbers that a call of a function that reads files is given; raises TableProblemError for anything else."""
    name, *parts = call.children
    found = [_number_of(part) or _text_of(part, access) for part in parts]
    texts = [text for text in found if text is not None]
    if len(texts) != len(parts) or not takes(name, [bool(_number_of(part)) for part in parts]):
        message = f"the arguments are texts in single quotes or string variables{', and numbers' if reads_runs(name) else ''}; write {signature(name)}"
        raise TableProblemError(message)
    return texts


def _number_of(node: Node) -> str:
    """Return a number as written, or an empty text."""
    if node.data == "signed":
        sign, size = node.children
        return (sign if sign == "-" else "") + _number_of(size)
    return str(node.children[0]) if node.data == "number" else ""


def _text_of(node: Node, access: Access) -> str | None:
    """Return a text in quotes, or that of a string variable."""
    if node.data == "string":
        return str(node.children[0])[1:-1]
    return access.texts.get(key(node.children[0])) if node.data == "name" and len(node.children) == 1 else None


def repeated_data(statements: Iterable[Statement], names: Names) -> Mapping[str, tuple[Sequence[str], Expr]]:
    """Return the data equations that only repeat other data, `name[ranges] := other[ranges]`, by key."""
    found: dict[str, tuple[Sequence[str], Expr] | None] = {}
    for own in statements:
        plain = own.kind == "data" and _has_right_side(own) and own.body[-1].data == "name" and not own.exceptions
        whole = plain and own.key not in found and all(subscript in names.subscripts for subscript in own.subscripts)
        found[own.key] = (own.subscripts, translate(own.body[-1], Scope(names, own.offset))) if whole else None
    return {name: one for name, one in found.items() if one is not None}


def texts_of(statements: Iterable[Statement]) -> dict[str, str]:
    """Return the texts of the string variables, `name :IS: 'text'`, by key."""
    found = ((own.key, str(own.body[-1]).strip()) for own in statements if own.is_string and not own.subscripts)
    return {name: text[1:-1] for name, text in found if _QUOTED_TEXT.fullmatch(text)}


def labels_from(call: Node, access: Access) -> tuple[str, ...]:
    """Return the labels of GET DIRECT SUBSCRIPT, as a range lists them; raises TableProblemError if they cannot be read."""
    if what_is_read(file_function(call)) != "SUBSCRIPT":
        message = f"a range takes its labels from GET DIRECT SUBSCRIPT, not {display_name(call.children[0])}"
        raise TableProblemError(message)
    return tuple(map(display_name, read_labels(access, arguments_of(call, access))))


def is_outside(statement: Statement) -> bool:
    """Whether a statement reads a file, defines a data variable or another unit of time."""
    right: Node = statement.body[-1] if statement.body else None
    return statement.kind == "data" or bool(file_function(right)) or _calls(right, _BASE)


def outside_equations(statement: Statement, scope: Scope, equation: Equation) -> list[Equation]:
    """Return the equations of a statement that `is_outside`.

    `equation` is complete but for its expression. The points of a data variable are added to those of the scope's names.
    """
    right: Node = statement.body[-1] if statement.body else None
    function = file_function(right)
    if not function and statement.kind != "data":
        return [replace(equation, expression=_time_base(right, scope))]
    if not function and _has_right_side(statement):
        return [replace(equation, expression=_other_data(right, statement, scope))]
    if scope.own is not None:
        what = f"'{display_name(statement.name)}' has data in a macro; define it outside and pass it to the macro"
        return [replace(equation, expression=scope.fault(statement.name, what))]
    what = what_is_read(function) if function else "DATA"
    tables: list[Equation] = []
    if what == "SUBSCRIPT":
        scope.fault(
            statement.name, f"{display_name(function)} gives the labels of a range; write range: {signature(function)}"
        )
    try:
        if what == "CONSTANTS":
            return [replace(equation, expression=_constants(right, scope, equation))]
        if function:
            tables = list(_tables(right, scope, equation))
    except TableProblemError as problem:
        scope.table_fault(right.children[0], problem)
    if what != "DATA":
        return tables or [replace(equation, expression=NO_POINTS if what == "LOOKUPS" else Numbers([math.nan]))]
    points = scope.names.points.setdefault(statement.key, [])
    points += tables or [replace(equation, expression=NO_POINTS)]
    reference = data_reference(statement.key, *equation.subscripts)
    return [replace(equation, expression=data_value(reference, NOW, _keyword(statement)))]


def _keyword(statement: Statement) -> str:
    return next((part for part in statement.body if isinstance(part, Token) and part.type == "INTERPOLATION"), "")


def _calls(node: Node, function: str) -> bool:
    return isinstance(node, Tree) and node.data == "call" and key(str(node.children[0])) == function


def _time_base(call: Node, scope: Scope) -> Expr:
    """Return another unit of time, `TIME BASE(start, slope)`, as a sum."""
    values = [translate(part, scope) for part in call.children[1:]]
    if len(values) != 2:  # noqa: PLR2004 - its arguments
        return scope.fault(call.children[0], "TIME BASE takes 2 arguments; write TIME BASE(start, slope)")
    return add(values[0], multiply(values[1], NOW))


def _other_data(right: Node, statement: Statement, scope: Scope) -> Expr:
    """Return the value of data that is computed, shifted in time or accumulated, or other data with a keyword of its own."""
    function = next((name for name in _FROM_DATA if _calls(right, name)), "")
    keyword = _keyword(statement)
    if _calls(right, _FILLED):
        return _filled_data(right, statement, scope)
    if not function and right.data != "name":
        return computed_data(read_expression(right, scope, statement.name), keyword, scope.names.data_behind)
    values = [translate(part, scope) for part in right.children[1:]] if function else [translate(right, scope)]
    form = _FROM_DATA.get(function, "")
    shown, _, arguments = form.removesuffix(")").partition("(")
    if len(values) != (count := len(arguments.split(", "))):
        what = f"{shown} takes {format_count(count, 'argument')}, not {len(values)}; write {form}"
        return scope.fault(right.children[0], what)
    found = scope.names.data_behind(values[0])
    if found is None:
        if not function:
            return values[0]
        what = f"{shown} takes a data variable that is declared without an equation or reads a file; name one"
        return scope.fault(right.children[0], what)
    points = data_reference(found[0], *found[1])
    if function in _TOTALS:
        return data_value(points, NOW, keyword, total=shown)
    return data_value(points, add(NOW, *values[1:]) if function else NOW, keyword)


def _filled_data(call: Node, statement: Statement, scope: Scope) -> Expr:
    """Return what `X IF MISSING(expression, number)` computes at the times when some of the data has a value.

    What is missing then counts as the number; a single data variable, or one whose place :NA: takes, stays missing.
    """
    name, *parts = call.children
    values = [translate(part, scope) for part in parts]
    form = f"{display_name(statement.name)} :RAW: := X IF MISSING(expression, number)"
    if len(values) != 2 or not values[1].is_Number:  # noqa: PLR2004 - its arguments
        return scope.fault(name, f"X IF MISSING takes an expression of data and a number; write {form}")
    if "RAW" not in _keyword(statement).upper():
        return scope.fault(
            name, f"X IF MISSING runs only in raw data, whose values count at their own times; write {form}"
        )
    expression, filling = values
    missing: list[Expr] = []

    def filled(part: Expr) -> Expr | None:
        found = scope.names.data_behind(part)
        if found is None:
            return None
        value = data_value(data_reference(found[0], *found[1]), NOW, ":RAW:")
        missing.append(FUNCTIONS["="].build(value, number(NA)))
        return _if(missing[-1], filling, value)

    result = transform(expression, filled)
    if not missing:
        return expression
    some = filling != number(NA)  # then one value is enough
    counted = [_if(test, number(0 if some else 1), number(1 if some else 0)) for test in missing]
    count = add(*(FUNCTIONS["SUM"].build(own) if unclaimed_ranges(own) else own for own in counted))
    nothing = FUNCTIONS["=" if some else ">"].build(count, number(0))
    return _if(nothing, number(NA), result)


def _if(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    return FUNCTIONS["IF THEN ELSE"].build(condition, then, otherwise)


def _constants(call: Node, scope: Scope, equation: Equation) -> Expr:
    access = scope.names.access
    ranges = [name for name in equation.subscripts if name in scope.names.subscripts]
    sizes = [len(labels_of(scope.names.subscripts, name)) for name in ranges]
    arguments = arguments_of(call, access)
    if not reads_runs(file_function(call)):
        values = read_constants(access, arguments, sizes)
    elif not arguments[0].strip():  # Vensim's manual, "GET VDF CONSTANTS": then the time is the value
        values = [float(arguments[2])] * prod(sizes)
    else:
        tables = read_runs(access, file_function(call), arguments, scope.names.subscripts, prod(sizes))
        values = [_value_at(table, float(arguments[2])) for table in tables]
    return Numbers([value for _, value in _in_cells(scope, equation, values)]) if ranges else number(values[0])


def _value_at(table: Table, time: float) -> float:
    """The value of a run's last point until a time, or else of its first one (Vensim's manual, "GET VDF CONSTANTS")."""
    return next((value for own, value in reversed(table.points) if own <= time), table.points[0][1])


def _tables(call: Node, scope: Scope, equation: Equation) -> Iterator[Equation]:
    """Yield one equation per cell, with its points."""
    access, function, arguments = scope.names.access, file_function(call), arguments_of(call, scope.names.access)
    count = prod(len(labels_of(scope.names.subscripts, name)) for name in equation.subscripts)
    if reads_runs(function):
        start, slope = map(float, arguments[2:])
        start, slope = (start, slope) if slope > 0 else (0.0, 1.0)  # as the manual says, "GET VDF DATA"
        found = read_runs(access, function, arguments, scope.names.subscripts, count)
        tables = [Table([(start + slope * time, value) for time, value in table.points]) for table in found]
    else:
        tables = read_series(access, function, arguments, count)
    for labels, table in _in_cells(scope, equation, tables):
        yield replace(equation, expression=table, subscripts=labels, exceptions=())


def _in_cells(scope: Scope, equation: Equation, values: Sequence[_T]) -> Iterator[tuple[tuple[str, ...], _T]]:
    """Yield the value of each cell of an equation; those that it excepts have a value in the file too."""
    subscripts = scope.names.subscripts
    kept = {labels for labels, _ in bindings(subscripts, equation)}
    cells = product(*(labels_of(subscripts, name) for name in equation.subscripts))
    return ((labels, value) for labels, value in zip(cells, values, strict=True) if labels in kept)
