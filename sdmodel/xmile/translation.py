"""Translates XMILE's expressions into the algebra of the model; what has no translation becomes a fault, and reading goes on.

Arrays: a name without subscripts means, within an array, the same cell of the other array, and within SUM or a similar function
the whole array; `*` runs over a dimension. An equation that needs the number of a cell, as `A[@1]` or `A[Month - 1]` do, is
written once per cell.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from sympy import Expr, S

from ..errors import format_count
from ..model import (
    FUNCTIONS,
    MARK,
    Cell,
    Subscript,
    add,
    copy_ranges,
    divide,
    evaluate,
    inverse,
    is_reduction,
    key,
    make_reference,
    multiply,
    nearest,
    negate,
    number,
    power,
    unclaimed_ranges,
    with_copies,
)
from .declarations import NUMBER
from .extensions import file_function
from .functions import (
    BUILTINS,
    CONSTANTS,
    REDUCTIONS,
    ROWS,
    SETTINGS,
    TIMES,
    UnsupportedError,
    area_under,
    cell_with,
    cure_of,
    history,
    interpolate,
    inverse_of,
    look_up,
    modulo,
    quotient,
    row,
    smaller_cells,
    standard_deviation,
    unknown_builtin,
)
from .names import label_of, name_key, plain_name, quoted, without_namespace
from .scope import Scope, Variable, gf_of_cell, is_lookup
from .syntax import SyntaxProblemError, Term, parse_expression
from .tree import Node

_MOST_PARTS = 1_000_000
"""Maximum number of parts of all expressions: an argument is repeated wherever a macro uses it."""
_MOST_CELLS = 20_000
"""Maximum number of cells of an equation that is written once per cell."""


class CellsNeededError(Exception):
    """An equation depends on the position of its cell, so it must be written once per cell."""


class CellOutsideError(Exception):
    """A computed subscript is outside of its dimension; XMILE reads 0 there."""


class LooseArrayError(UnsupportedError):
    """A whole array where a number is needed."""


def read_equation(scope: Scope, node: Node, term: Term | None = None) -> Expr:
    """Return the expression in a node's text, or of a term in it; what cannot be read is a fault and counts as zero."""
    scope = replace(scope, node=node)
    if function := file_function(node.text):
        what = f"{function} reads a file, which a model in XMILE does not do here; open the .mdl file that it was made from"
        scope.names.fault(node.place_at(0), f"'{scope.owner.name}': {what}")
        return S.Zero
    try:
        return translate(term or parse_expression(node.text), scope)
    except SyntaxProblemError as problem:
        scope.names.fault(node.place_at(problem.at), f"'{scope.owner.name}': {problem.what}")
    except LooseArrayError as problem:
        scope.names.fault(node.place_at(0), f"'{scope.owner.name}': {problem}")
    except RecursionError:
        scope.names.fault(node.place, f"the equation of '{scope.owner.name}' nests too deep; split it into several")
    return S.Zero


def read_cells(scope: Scope, read: Callable[[Scope], Expr]) -> list[tuple[tuple[str, ...], Expr]]:
    """Return the expressions of an equation with their subscripts: one, or one per cell where it depends on its position."""
    try:
        return [(scope.subscripts, read(scope))]
    except CellsNeededError:
        ranges = scope.names.subscripts
        axes = [ranges[name].keys if name in ranges else (name,) for name in scope.subscripts]
        if math.prod(map(len, axes)) > _MOST_CELLS:
            what = f"'{scope.owner.name}' needs an equation for each of more than {_MOST_CELLS:,} cells; use shorter dimensions"
            scope.names.fault(scope.owner.node.place, what)
            return [(scope.subscripts, S.Zero)]
        return [(labels, read(replace(scope, subscripts=labels))) for labels in product(*axes)]


def translate(term: Term, scope: Scope) -> Expr:
    """Return the expression of a term, in the author's form."""
    names = scope.names
    names.parts += 1
    if names.parts > _MOST_PARTS:
        if names.parts == _MOST_PARTS + 1:
            what = f"the equations have more than {_MOST_PARTS:,} terms, since macros repeat their arguments; use fewer macros"
            names.fault(scope.place(term), what)
        return S.Zero
    try:
        return _TERMS[term.kind](term, scope)
    except LooseArrayError:
        raise
    except UnsupportedError as unsupported:
        names.fault(scope.place(term), f"'{scope.owner.name}': {unsupported}")
        return S.Zero


def _number(term: Term, _: Scope) -> Expr:
    value = float(term.text)
    if math.isinf(value):
        message = f"{term.text} is too large; write at most 1e308"
        raise UnsupportedError(message)
    return number(value)


def _binary(term: Term, scope: Scope) -> Expr:
    """Join two operands; a sum or product of many stays flat, so that long ones do not nest deep."""
    left, right = (translate(part, scope) for part in term.parts)
    if (operator := term.text) in FUNCTIONS:
        return row(operator, left, right)
    return _OPERATORS[operator](left, right)


def _flat(kind: str, left: Expr, right: Expr) -> Expr:
    join = add if kind == "Add" else multiply
    return join(*left.args, right) if type(left).__name__ == kind and not _is_sign(left) else join(left, right)


def _is_sign(expression: Expr) -> bool:
    return expression.args[0] is S.NegativeOne


_OPERATORS: Mapping[str, Callable[[Expr, Expr], Expr]] = {
    "+": lambda left, right: _flat("Add", left, right),
    "-": lambda left, right: _flat("Add", left, negate(right)),
    "*": lambda left, right: _flat("Mul", left, right),
    "/": lambda left, right: _flat("Mul", left, inverse(right)),
    "//": lambda left, right: quotient(left, right, safe=True),
    "^": power,
    "mod": modulo,
    "and": lambda left, right: row(":AND:", left, right),
    "or": lambda left, right: row(":OR:", left, right),
}


def _if(term: Term, scope: Scope) -> Expr:
    """Return a choice; one that keeps its own last value is SAMPLE IF TRUE."""
    condition, then, otherwise = term.parts
    if otherwise.kind == "call" and key(otherwise.text) == "previous" and len(otherwise.parts) == 2:  # noqa: PLR2004 - PREVIOUS(SELF, initial)
        own, initial = otherwise.parts
        if own.kind == "name" and key(own.text) == "self":
            return row("SAMPLE IF TRUE", *(translate(part, scope) for part in (condition, then, initial)))
    return row("IF THEN ELSE", *(translate(part, scope) for part in term.parts))


def _name(term: Term, scope: Scope) -> Expr:
    """Return a reference to a variable, or what another name stands for."""
    own = name_key(term.text)
    if scope.own is not None and own.endswith("$"):  # Vensim's mark of a variable outside of the macro
        return _name(replace(term, text=term.text.removesuffix("$")), replace(scope, own=None))
    if scope.own is not None and own in scope.own:
        if term.subscripts:
            message = f"'{plain_name(term.text)}' has no subscripts in a macro; leave them out"
            raise UnsupportedError(message)
        return scope.own[own]
    if own in TIMES and not term.text.startswith('"'):  # a variable of that name stands in quotes
        return TIMES[own]
    found = scope.find(term.text)
    if found is None:
        return _other_name(term, name_key(without_namespace(term.text)), scope)
    scope.places.setdefault(found, scope.place(term))
    chosen: list[tuple[str, Expr]] = []
    inner = replace(scope, chosen=None if scope.marks else chosen)
    try:
        reference = make_reference(found, *_subscripts_of(scope.names.variables[found], term, inner))
    except CellOutsideError:
        return S.Zero
    return _choice_of(reference, chosen) if chosen else reference


def _choice_of(reference: Expr, chosen: Sequence[tuple[str, Expr]]) -> Expr:
    """Return the cell of an array whose labels are computed: the sum over all, of which the others count as 0; outside it is 0."""
    tests = []
    for name, value in chosen:
        place = make_reference(name, f"{name}{MARK}")
        tests += [row("<=", place, value), row("<", value, add(place, S.One))]
    whole = tests[0]
    for test in tests[1:]:
        whole = row(":AND:", whole, test)
    return row("SUM", row("IF THEN ELSE", whole, reference, S.Zero))


def _other_name(term: Term, own: str, scope: Scope) -> Expr:
    """Return a time, a constant, the variable itself, or the number of a label."""
    if own == "self":
        return make_reference(scope.owner.key, *scope.subscripts)
    if own in TIMES:
        return TIMES[own]
    if own in CONSTANTS or own in SETTINGS:
        return {**SETTINGS, **CONSTANTS}[own]
    ranges = scope.names.subscripts
    if own in ranges:
        return _position(own, scope)
    dimension = own.partition(".")[0]
    if dimension in ranges and (label := label_of(ranges[dimension], own)) is not None:
        return number(ranges[dimension].positions[label] + 1)
    shown = plain_name(term.text)
    if (cure := cure_of(own)) is not None:
        message = f"{shown.upper()} is not supported; {cure}"
        raise UnsupportedError(message)
    variables = [variable.name for variable in scope.names.variables.values()]
    if own in BUILTINS or own in ROWS:
        message = f"{shown.upper()} is a function; give it its arguments in parentheses"
        raise UnsupportedError(message)
    close = nearest(shown, variables) if len(scope.names.faults) < _GUESSES else None
    cure = f"did you mean '{close}'?" if close else "define it or correct the name"
    message = f"'{shown}' is not defined; {cure}"
    raise UnsupportedError(message)


_GUESSES = 20
"""Number of unknown names for which a similar one is suggested."""


def _position(dimension: str, scope: Scope) -> Expr:
    """Return the number of the cell along a dimension."""
    bound = scope.bound.get(dimension)
    if bound is None:
        if scope.marks:
            return make_reference(dimension, f"{dimension}{MARK}")
        message = (
            f"the dimension '{scope.names.subscripts[dimension].name}' is not one of '{scope.owner.name}'; add it there"
        )
        raise UnsupportedError(message)
    if bound in scope.names.subscripts:
        raise CellsNeededError
    return number(scope.names.subscripts[dimension].positions[bound] + 1)


def _subscripts_of(variable: Variable, term: Term, scope: Scope) -> list[str]:
    """Return the subscripts of a reference, one per dimension of the variable."""
    given, dimensions = term.subscripts, variable.dimensions
    if given is None:
        return [_implied(place, dimension, variable, scope) for place, dimension in enumerate(dimensions)]
    if len(given) > len(dimensions):
        _refuse_slats(term, scope)
    if len(given) != len(dimensions):
        message = f"'{variable.name}' has {format_count(len(dimensions), 'dimension')} but {format_count(len(given), 'subscript')} here; write {len(dimensions)}"
        raise UnsupportedError(message)
    return [_subscript(part, dimension, scope) for part, dimension in zip(given, dimensions, strict=True)]


def _implied(place: int, dimension: str, variable: Variable, scope: Scope) -> str:
    """Return the subscript for a dimension that is not written."""
    if scope.marks:
        return f"{dimension}{MARK}"
    if dimension in scope.bound:
        return scope.bound[dimension]
    ranges = scope.names.subscripts
    same_shape = len(variable.dimensions) == len(scope.owner.dimensions) == len(scope.subscripts)
    if same_shape and len(ranges[scope.owner.dimensions[place]].keys) == len(ranges[dimension].keys):
        bound = scope.subscripts[place]  # another dimension of the same length: position by position
        if bound in ranges:
            raise CellsNeededError
        return ranges[dimension].keys[ranges[scope.owner.dimensions[place]].positions[bound]]
    message = f"'{variable.name}' is an array; write its subscripts, or put it into SUM or a similar function"
    raise LooseArrayError(message)


def _subscript(term: Term, dimension: str, scope: Scope) -> str:
    """Return one subscript: a label, a range, or a range with a mark."""
    ranges, own = scope.names.subscripts, scope.names.subscripts[dimension]
    if term.kind == "all":
        if not scope.marks:
            message = "'*' runs over a dimension only inside SUM, MEAN, MIN, MAX and similar functions; name a label"
            raise LooseArrayError(message)
        inner = name_key(term.parts[0].text) if term.parts else dimension
        if inner not in ranges:
            message = f"'{term.parts[0].text}' is not a dimension; define it or correct the name"
            raise UnsupportedError(message)
        return f"{inner}{MARK}"
    if term.kind == "position":
        return _at_position(term, scope)
    if term.kind == "range":
        return _range_of(term, own, scope)
    if term.kind == "name" and term.subscripts is None:
        name = name_key(term.text)
        if (label := label_of(own, name)) is not None:
            return label
        if name in ranges:
            return _dimension_subscript(name, own, scope)
    return _computed(term, own, scope)


def _range_of(term: Term, own: Subscript, scope: Scope) -> str:
    """Return the mark of a dimension with the labels from one to another, `a:b`; it is added if there is none yet."""
    ranges = scope.names.subscripts
    if not scope.marks:
        message = "a range a:b is for SUM, MEAN, MIN, MAX and similar functions; name a label"
        raise LooseArrayError(message)
    try:
        ends = [_subscript(part, key(own.name), replace(scope, marks=False)) for part in term.parts]
    except CellOutsideError:
        ends = [""]
    if any(label not in own.positions for label in ends):
        message = f"a range of '{own.name}' goes from a label to a label; name two of them"
        raise UnsupportedError(message)
    first, last = (own.positions[label] for label in ends)
    labels = own.labels[first : last + 1]
    if not labels:
        message = f"the range goes from '{own.labels[first]}' back to '{own.labels[last]}'; exchange them"
        raise UnsupportedError(message)
    name = f"{own.name} {labels[0]} to {labels[-1]}"
    while key(name) in scope.names.variables or (key(name) in ranges and ranges[key(name)].labels != labels):
        name += " 2"
    ranges.setdefault(key(name), Subscript(name, labels, place=own.place))
    return f"{key(name)}{MARK}"


def _dimension_subscript(name: str, own: Subscript, scope: Scope) -> str:
    """Return the subscript that a dimension by its name means: the cell's own, or all of it in a function over arrays."""
    bound = scope.bound.get(name)
    if bound is None and scope.marks:
        return f"{name}{MARK}"
    if bound is None and any(
        mapping.target in scope.bound for mapping in scope.names.subscripts[name].mappings
    ):  # as Vensim's export has them
        return name
    if bound is None:
        message = (
            f"the dimension '{scope.names.subscripts[name].name}' is not one of '{scope.owner.name}'; add it there"
        )
        raise UnsupportedError(message)
    if bound in scope.names.subscripts or bound in own.positions:
        return bound
    index = scope.names.subscripts[name].positions[bound]
    if index >= len(own.keys):
        raise CellOutsideError
    return own.keys[index]


def _at_position(term: Term, scope: Scope) -> str:
    place = int(term.text) - 1 if term.text.isdigit() else -1
    if not 0 <= place < len(scope.subscripts):
        message = (
            f"@{term.text} is not a dimension of '{scope.owner.name}', which has {len(scope.subscripts)}; correct it"
        )
        raise UnsupportedError(message)
    return scope.subscripts[place]


def _computed(term: Term, own: Subscript, scope: Scope) -> str:
    """Return the label whose number an expression gives if it depends on nothing but the cell, else a range of which one is chosen."""
    faults = len(scope.names.faults)
    value = translate(term, replace(scope, chosen=None))
    if len(scope.names.faults) > faults:
        return own.keys[0]  # the fault is reported
    if value.free_symbols and (scope.chosen is None or any(name == key(own.name) for name, _ in scope.chosen)):
        message = f"a subscript of '{own.name}' that changes during a run is not supported here; make it a variable of its own"
        raise UnsupportedError(message)
    if value.free_symbols and scope.chosen is not None:
        scope.chosen.append((key(own.name), value))
        return f"{key(own.name)}{MARK}"
    place = evaluate(scope.names.subscripts, value, {}, _nothing) - 1
    if not 0 <= place < len(own.keys):
        raise CellOutsideError
    return own.keys[int(place)]


def _nothing(cell: Cell) -> float:
    message = f"'{cell.key}' has no value here; name a label"
    raise UnsupportedError(message)


def _call(term: Term, scope: Scope) -> Expr:
    """Translate a call of a graphical function, a macro or a function, whichever has the name."""
    named = scope.find(term.text)
    term = replace(term, text=term.text if named else without_namespace(term.text))
    own = name_key(term.text)
    if (table := scope.table(term.text)) is not None:
        return _read_table(table, term, term.parts, scope)
    if own in scope.names.macros:
        arguments = [translate(part, scope) for part in term.parts]
        return scope.names.expand(scope.names.macros[own], arguments, scope, term.outputs)
    if term.outputs:
        message = "only a call of a macro has results after a colon; delete them"
        raise UnsupportedError(message)
    if (found := _special(own, term, scope)) is not None:
        return found
    if own in BUILTINS or own in ROWS:
        return _function(own, term, scope)
    if named is not None:
        message = f"'{plain_name(term.text)}' is not a graphical function; write * for a product"
        raise UnsupportedError(message)
    raise UnsupportedError(unknown_builtin(plain_name(term.text)))


def _special(own: str, term: Term, scope: Scope) -> Expr | None:
    """Return a call of a function whose arguments are not all numbers, or that has none; None for other functions."""
    count = len(term.parts)
    if (plain := own.removeprefix("array")) in REDUCTIONS:  # the prefix is iThink's
        own = plain
    first = term.parts[0] if own == "lookup" and count == 2 else term  # noqa: PLR2004 - a table and its argument
    if first.kind == "name" and (table := scope.table(first.text)) is not None:
        return _read_table(table, first, term.parts[1:], scope)
    if own == "size" and count == 1:
        return _size(term.parts[0], scope)
    if own in REDUCTIONS and count == 1 and not scope.marks:
        return _reduction(REDUCTIONS[own], own, term.parts[0], scope)
    if own in ("min", "max") and count > 1:
        return _extreme(own, term.parts, scope)
    if own in _JOINS and count > 1:
        return _JOINS[own](*(_reduced(own, part, scope) for part in term.parts))
    if own in _WITH_TERMS and count in _WITH_TERMS[own][0]:
        return _WITH_TERMS[own][1](term.parts, scope)
    return {**TIMES, **CONSTANTS}.get(own) if not count else None


def _function(own: str, term: Term, scope: Scope) -> Expr:
    """Return a call of a function of XMILE, or of one that has Vensim's name and arguments."""
    builtin, ours = BUILTINS.get(own), ROWS.get(own)
    parts = tuple(builtin.given(term.parts)) if builtin else term.parts
    kinds = ours.kinds if ours and not builtin and len(ours.kinds) == len(parts) and not scope.marks else ()
    scopes = [replace(scope, marks=True) if kind == "terms" else scope for kind in kinds] or [scope] * len(parts)
    arguments = [_argument(part, inner) for part, inner in zip(parts, scopes, strict=True)]
    counts = builtin.counts if builtin else range(len(ours.arguments), len(ours.arguments) + 1) if ours else range(0)
    if len(arguments) not in counts:
        signature = builtin.signature if builtin else ours.signature if ours else own
        message = f"{own.upper()} does not take {format_count(len(arguments), 'argument')}; write {signature}"
        raise UnsupportedError(message)
    return (builtin or ROWS[own]).build(*arguments)


def _argument(term: Term, scope: Scope) -> Expr:
    """Return an argument; a variable that is nothing but a graphical function stands for its table."""
    table = scope.table(term.text) if term.kind == "name" else None
    if table is not None and table.node.find("eqn") is None:
        return make_reference(table.key, *_subscripts_of(table, term, scope))
    return translate(term, scope)


def _read_table(variable: Variable, term: Term, arguments: Sequence[Term], scope: Scope) -> Expr:
    """Return the value of a variable's graphical function at an argument."""
    if len(arguments) != 1:
        message = f"the graphical function '{variable.name}' takes one argument, not {len(arguments)}"
        raise UnsupportedError(message)
    x = translate(arguments[0], scope)
    subscripts = tuple(_subscripts_of(variable, term, replace(scope, chosen=None)))
    scope.places.setdefault(variable.key, scope.place(term))
    if is_lookup(variable):
        return look_up(variable.tables[0].how, make_reference(variable.key, *subscripts), x)
    return read_gf(variable, subscripts, x, scope)


def read_gf(variable: Variable, subscripts: tuple[str, ...], x: Expr, scope: Scope) -> Expr:
    """Return the graphical function of a cell at x; one that a lookup must hold gets a lookup of its own."""
    ranges, tables = scope.names.subscripts, variable.tables
    own = gf_of_cell(variable, subscripts)
    cells = math.prod(len(ranges[name].keys) for name in variable.dimensions)
    some = len(tables) < cells and bool(tables[0].subscripts)
    if own is None and (some or len({gf.how for gf in tables}) > 1):
        if any(name in ranges for name in subscripts):
            raise CellsNeededError
        message = f"'{variable.name}' has no graphical function for this cell; add it there"
        raise UnsupportedError(message)
    how = (own or tables[0]).how
    if own is not None and how == "continuous":
        return look_up(how, own.table, x)
    return look_up(how, scope.keep_table(variable, subscripts, own if some else None), x)


def _reduction(name: str, own: str, term: Term, scope: Scope) -> Expr:
    """Return a function over the cells of arrays; the mean divides by their number."""
    inner = translate(term, replace(scope, marks=True))
    marks = unclaimed_ranges(inner)
    if not marks:
        if own != "sum":
            _refuse_slats(term, scope)
        if own == "mean" or is_reduction(inner) or not inner.args:
            return inner
        message = f"{own.upper()} with one argument is for an array; name one"
        raise UnsupportedError(message)
    count = _count(mark.removesuffix(MARK) for mark in marks)
    if own == "stddev":
        return standard_deviation(inner, count)
    whole = row(name, inner)
    return divide(whole, count) if own == "mean" else whole


def _ranked(parts: Sequence[Term], scope: Scope) -> Expr:
    """Return the number of the cell that has a place in the order of size of an array, from the smallest."""
    ranges = scope.names.subscripts
    keys = [translate(part, replace(scope, marks=True)) for part in (parts[0], *parts[2:])]
    outside = tuple(name for name in scope.subscripts if name in ranges)
    copies = copy_ranges(keys, outside, ranges, scope.names.variables)
    if len(copies) != 1:
        message = "RANK is for an array with one dimension, and another of the same; name one, with `*` in its place"
        raise UnsupportedError(message)
    ((mark, copy),) = copies.items()
    keys.append(make_reference(mark.removesuffix(MARK), mark))
    smaller = smaller_cells(keys, [with_copies(own, copies) for own in keys])
    before = scope.keep("order", smaller, (*outside, copy))
    number_of = make_reference(copy, f"{copy}{MARK}")
    return cell_with(make_reference(before, *outside, f"{copy}{MARK}"), number_of, translate(parts[1], scope))


def _interpolated(parts: Sequence[Term], scope: Scope) -> Expr:
    """Return the value between the cells of an array, along each of the dimensions that `*` runs over."""
    points = translate(parts[0], replace(scope, marks=True))
    marks = [name.removesuffix(MARK) for name in unclaimed_ranges(points)]
    if len(marks) != len(parts) - 1 or parts[0].kind != "name":
        message = "INTERPOLATE is for an array and a number for each dimension that `*` runs over; write as many"
        raise UnsupportedError(message)
    return interpolate(points, {name: translate(part, scope) for name, part in zip(marks, parts[1:], strict=True)})


def _of_table(build: Callable[..., Expr]) -> Callable[[Sequence[Term], Scope], Expr]:
    """Return the reading of a function of a whole graphical function and of numbers."""

    def read(parts: Sequence[Term], scope: Scope) -> Expr:
        variable = scope.table(parts[0].text) if parts[0].kind == "name" else None
        subscripts = () if variable is None else tuple(_subscripts_of(variable, parts[0], scope))
        gf = None if variable is None else gf_of_cell(variable, subscripts)
        if any(name in scope.names.subscripts for name in subscripts) and gf is None:
            raise CellsNeededError
        if variable is None or gf is None or gf.how == "discrete":
            message = "the first argument is not a graphical function of the type continuous or extrapolate; name one"
            raise UnsupportedError(message)
        kept = gf if gf.subscripts else None
        lookup = is_lookup(variable)
        table = make_reference(variable.key, *subscripts) if lookup else scope.keep_table(variable, subscripts, kept)
        return build(table, gf.table, gf.how, *(translate(part, scope) for part in parts[1:]))

    return read


def _earlier(parts: Sequence[Term], scope: Scope) -> Expr:
    """Return the value of an expression at an earlier time."""
    x, time = (translate(part, scope) for part in parts)
    return history(x, time, lambda own: _is_constant(own, scope))


def _is_constant(expression: Expr, scope: Scope) -> bool:
    """Whether an expression is made of numbers, settings of the run, and variables whose equation is a number."""
    variables = scope.names.variables

    def is_number(name: str) -> bool:
        own = variables.get(name)
        text = "" if own is None or own.source or own.node.tag != "aux" else own.node.text_of("eqn")
        return bool(re.fullmatch(NUMBER, text))

    return all(name in SETTINGS or is_number(name) for name in map(str, expression.free_symbols))


def _refuse_slats(term: Term, scope: Scope) -> None:
    """Refuse what is on the parts of a conveyor, of which only the whole content is kept."""
    found = scope.find(term.text) if term.kind == "name" else None
    if found is not None and scope.names.variables[found].node.find("conveyor") is not None:
        message = f"what is on each part of the conveyor '{scope.names.variables[found].name}' is not kept; use its whole content by its name"
        raise UnsupportedError(message)


def _count(dimensions: Iterable[str]) -> Expr:
    return multiply(*(row("ELMCOUNT", make_reference(name)) for name in dimensions))


def _size(term: Term, scope: Scope) -> Expr:
    """Return the number of cells of an array, or of the part that `*` runs over."""
    own = name_key(term.text)
    if own in scope.names.subscripts:
        return _count([own])
    found = scope.owner.key if own == "self" else scope.find(term.text)
    if term.kind != "name" or found is None:
        message = "SIZE is for an array or a dimension; name one"
        raise UnsupportedError(message)
    dimensions = scope.names.variables[found].dimensions
    if term.subscripts is None:
        if not dimensions:
            _refuse_slats(term, scope)
        return _count(dimensions)
    pairs = zip(term.subscripts, dimensions, strict=False)
    whole = [pair for pair in pairs if pair[0].kind in ("all", "range")]
    return _count(
        _subscript(part, dimension, replace(scope, marks=True)).removesuffix(MARK) for part, dimension in whole
    )


def _extreme(own: str, parts: Sequence[Term], scope: Scope) -> Expr:
    """Return the smallest or largest of several numbers and arrays."""
    whole, *rest = (_reduced(own, part, scope) for part in parts)
    for value in rest:
        whole = row(own.upper(), whole, value)
    return whole


def _reduced(own: str, part: Term, scope: Scope) -> Expr:
    """Return an argument of a function over numbers and arrays; an array is reduced first."""
    try:
        return translate(part, scope)
    except LooseArrayError:
        return _reduction(REDUCTIONS[own], own, part, scope)


def flow_of(name: str, scope: Scope) -> Expr:
    """Return a flow by its name in quotes; of one with more dimensions than the stock, the sum, as Stella takes it."""
    term = Term("name", 0, name)
    try:
        return translate(term, scope)
    except LooseArrayError:
        dimensions = scope.names.variables[str(scope.find(name))].dimensions
    subscripts = tuple(
        Term("name" if own in scope.bound else "all", 0, quoted(own) if own in scope.bound else "*")
        for own in dimensions
    )
    return _reduction("SUM", "sum", replace(term, subscripts=subscripts), scope)


def _average(*values: Expr) -> Expr:
    return divide(add(*values), number(len(values)))


def _allocate(parts: Sequence[Term], scope: Scope) -> Expr:
    """Return Vensim's ALLOCATE BY PRIORITY, whose arguments converters give in another order, with the whole dimension as `D.*`."""
    supply, over, *arrays, width = parts
    dimension = name_key(over.text)
    if scope.bound.get(dimension) not in scope.names.subscripts:
        message = f"ALLOCATE gives a value to each cell of '{plain_name(over.text)}'; use it alone in an array of that dimension"
        raise UnsupportedError(message)
    asked, priority = (translate(_of_whole(part, dimension), scope) for part in arrays)
    values = [translate(part, scope) for part in (supply, width)]
    return row("ALLOCATE BY PRIORITY", asked, priority, _count([dimension]), values[1], values[0])


def _of_whole(term: Term, dimension: str) -> Term:
    """Return a reference with the name of a dimension in place of `*` over it."""
    subscripts = (
        None
        if term.subscripts is None
        else tuple(
            part.parts[0] if part.kind == "all" and part.parts and name_key(part.parts[0].text) == dimension else part
            for part in term.subscripts
        )
    )
    return replace(term, subscripts=subscripts)


_JOINS: Mapping[str, Callable[..., Expr]] = {"sum": add, "mean": _average, "prod": multiply}
"""What a function over numbers makes of several."""
_WITH_TERMS: Mapping[str, tuple[range, Callable[[Sequence[Term], Scope], Expr]]] = {
    "allocate": (range(5, 6), _allocate),
    "rank": (range(2, 4), _ranked),
    "interpolate": (range(2, 99), _interpolated),
    "history": (range(2, 3), _earlier),
    "lookuparea": (range(1, 4), _of_table(area_under)),
    "lookupinv": (range(2, 3), _of_table(inverse_of)),
}
"""The functions that need their arguments as written, with the numbers of arguments that they take."""


_TERMS: Mapping[str, Callable[[Term, Scope], Expr]] = {
    "number": _number,
    "name": _name,
    "call": _call,
    "negative": lambda term, scope: negate(translate(term.parts[0], scope)),
    "not": lambda term, scope: row(":NOT:", translate(term.parts[0], scope)),
    "if": _if,
    "binary": _binary,
}
"""The translation of each kind of term; the kinds of subscripts are translated with their reference."""
