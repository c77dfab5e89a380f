"""Translates parse trees into the algebra of the model; what has no translation becomes a fault, and reading goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from pathlib import Path

from sympy import Expr, Indexed, S, Symbol

from ...errors import Fault, Place, format_count
from ...model import (
    FUNCTIONS,
    NA,
    REFUSED,
    UNFINISHED,
    Calendar,
    Element,
    Equation,
    FunctionRow,
    Numbers,
    Subscript,
    Table,
    add,
    data_reference,
    display_name,
    inverse,
    is_reference,
    key,
    labels_of,
    make_reference,
    multiply,
    negate,
    number,
    power,
    split_reference,
    unclaimed_ranges,
    unfinished,
    unknown_function,
)
from ..document import Document, Lines
from ..external.access import Access
from ..external.tables import TableProblemError, fault_of
from .grammar import Node
from .segments import foreign_operator
from .statements import Macro, subscript_keys
from .syntax import numbers_in
from .table import Token

_ROWS: Mapping[str, FunctionRow] = {key(name): row for name, row in FUNCTIONS.items()} | {
    "tabxl": FUNCTIONS["LOOKUP EXTRAPOLATE"]  # the name that it has in models that come from DYNAMO
}
_UNFINISHED = key(UNFINISHED)
_REFUSED = frozenset(map(key, REFUSED))
_PAIRS = ("MIN", "MAX")
"""Functions of two numbers that other programs take more of."""
_PIPELINE, _MESSAGE = key("DELAYP"), key("MESSAGE")
_GUESSES = 20
"""Number of unknown functions for which a similar one is suggested: each search goes through the whole table."""
_MOST_COMPARISONS = 20
"""Maximum number of comparisons in a row, which nest when they are read."""
_MOST_PARTS = 1_000_000
"""Maximum number of parts of all expressions and arguments of macros: an argument is repeated wherever a macro uses it."""
_DEPTH = 150
"""Maximum nesting of an expression: code that works on it recurses a few calls per level."""
_TOO_DEEP = "the equation of '{}' nests too deep; split it into several"
_NO_TABLE = Table(())
"""Replaces a table that cannot be read, so that its name still counts as a lookup."""


@dataclass
class Names:
    """What all equations of a model share: the names it defines, and the hidden elements that macro calls create.

    `doubts` are faults only if every block of the document can be read; `parts` counts the parts of all expressions. `outputs` are
    the variables that macro calls define besides their value, by key. `data` are the data variables by key, `repeated` the
    subscripts and the right-hand side of data equations that only repeat other data, `points` the
    equations with the points of data, which are read through `access`. `takes_arrays` is set by a function of
    whole arrays.
    """

    document: Document
    defined: set[str]
    subscripts: dict[str, Subscript]
    macros: Mapping[str, Macro]
    expand: Callable[[Macro, Token, Sequence[Expr], Sequence[Node], Scope], Expr]
    faults: list[Fault] = field(default_factory=list)
    doubts: list[Fault] = field(default_factory=list)
    hidden: list[Element] = field(default_factory=list)
    outputs: dict[str, Element] = field(default_factory=dict)
    expansions: int = 0
    parts: int = 0
    access: Access = field(default_factory=lambda: Access(Path()))
    data: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()
    repeated: Mapping[str, tuple[Sequence[str], Expr]] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    points: dict[str, list[Equation]] = field(default_factory=dict)
    takes_arrays: bool = False

    @cached_property
    def labels(self) -> frozenset[str]:
        """The keys of all labels of ranges."""
        return frozenset(label for subscript in self.subscripts.values() for label in subscript.keys)

    def data_behind(self, expression: Expr) -> tuple[str, tuple[str, ...]] | None:
        """Return the data variable with points that an expression names, itself or through data equations that repeat it."""
        for _ in range(len(self.repeated) + 1):
            name, subscripts = split_reference(expression) if isinstance(expression, Symbol | Indexed) else ("", ())
            if name in self.data:
                return name, subscripts
            own, target = self.repeated.get(name, ((), S.Zero))
            if target is S.Zero or len(own) != len(subscripts):
                break
            root, indices = split_reference(target)
            meaning = dict(zip(own, subscripts, strict=True))
            expression = make_reference(root, *(meaning.get(index, index) for index in indices))
        return None


class PartPlaces(Mapping[Expr, Place]):
    """The first place of each part of an expression, found when one is asked for: few are."""

    def __init__(self, lines: Lines, parts: Sequence[tuple[Expr, int]]) -> None:
        self.lines, self.parts = lines, parts

    @cached_property
    def _known(self) -> dict[Expr, Place]:
        first: dict[Expr, int] = {}
        for part, offset in self.parts:
            first.setdefault(part, offset)
        return {part: self.lines.place(offset) for part, offset in first.items()}

    def __getitem__(self, part: Expr) -> Place:
        return self._known[part]

    def __iter__(self) -> Iterator[Expr]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@dataclass(slots=True)
class Scope:
    """The surroundings of one equation: its offset in the document and, inside a macro, the meaning of the macro's names.

    `places` collects the first mention of each key, `parts` each part of the expression with its offset.
    """

    names: Names
    offset: int
    subscripts: tuple[str, ...] = ()
    own: Mapping[str, Expr] | None = None
    open_macros: tuple[str, ...] = ()
    exceptions: tuple[tuple[str, ...], ...] = ()
    places: dict[str, Place] = field(default_factory=dict)
    parts: list[tuple[Expr, int]] = field(default_factory=list)

    def place(self, token: Token) -> Place:
        """Return the line and column of a token."""
        return self.names.document.lines.place(self.offset + token.start_pos)

    def mention(self, name: str, token: Token) -> None:
        """Record the first mention of a key."""
        if name not in self.places:
            self.places[name] = self.place(token)

    def locate(self, part: Expr, node: Node) -> None:
        """Record the position of a part of the expression."""
        while not isinstance(node, Token):
            node = node.children[0]
        self.parts.append((part, self.offset + node.start_pos))

    def fault(self, token: Token, what: str) -> Expr:
        """Record a fault and return zero in place of the unreadable part, so that the rest is checked too."""
        self.names.faults.append(Fault(self.place(token), what))
        return S.Zero

    def table_fault(self, token: Token, problem: TableProblemError) -> None:
        """Record what is wrong with a file of data, or with how an equation reads it."""
        self.names.faults.append(fault_of(problem, self.place(token)))


def read_expression(node: Node, scope: Scope, name: Token) -> Expr:
    """Return the expression of the equation that defines `name`; one that nests too deep or is too long is a fault."""
    try:
        return check_size(translate(node, scope), scope, name)
    except RecursionError:  # macros that call macros
        if scope.open_macros:
            raise
        return scope.fault(name, _TOO_DEEP.format(display_name(name)))


def check_size(expression: Expr, scope: Scope, token: Token) -> Expr:
    """Return an expression at a token, or zero if it nests too deep, or macros have multiplied it, which is a fault."""
    names, level = scope.names, [expression]
    if not expression.args:
        return expression
    for _ in range(_DEPTH):
        parts = [part for parent in level for part in parent.args]
        if names.parts + len(parts) > _MOST_PARTS:
            first, names.parts = names.parts <= _MOST_PARTS, _MOST_PARTS + 1
            what = (
                f"the equations have more than {_MOST_PARTS:,} terms, since macros repeat the terms of their arguments"
            )
            cure = "make each argument that is an expression a variable of its own"
            return scope.fault(token, f"{what}; {cure}") if first else S.Zero
        names.parts += len(parts)
        level = [part for part in parts if part.args]
        if not level:
            return expression
    return scope.fault(token, _TOO_DEEP.format(display_name(token)))


def translate(node: Node, scope: Scope) -> Expr:
    """Return the expression of a parse tree, in the author's form."""
    expression = _NODES[node.data](node, scope)
    if expression.args:
        scope.locate(expression, node)
    return expression


def _number(node: Node, scope: Scope) -> Expr:
    token = node.children[0]
    value = float(token)
    if math.isinf(value):
        return scope.fault(token, f"{token} is too large; write at most 1e308")
    return number(value)


def _numbers(node: Node, scope: Scope) -> Expr:
    token = node.children[0]
    text = token[token.index("(") + 1 :] if token.type == "TABBED" else token
    values = numbers_in(text)
    if not values or not all(map(math.isfinite, values)):
        return scope.fault(token, "an array needs finite numbers; write one for each cell")
    return Numbers(values)


def _string(node: Node, scope: Scope) -> Expr:
    token = node.children[0]
    return scope.fault(token, f"{token} is text, not a number; only functions that read files take text")


def _name(node: Node, scope: Scope) -> Expr:
    token, *brackets = node.children
    return _reference(token, brackets, scope)


def _reference(token: Token, brackets: Sequence[Node], scope: Scope) -> Expr:
    """Return a reference to an element or, inside a macro, the expression that replaces the name."""
    name = key(token)
    if scope.own is not None:
        if name in scope.own:
            if brackets:
                return scope.fault(token, f"'{display_name(token)}' has no subscripts in a macro; leave them out")
            return scope.own[name]
        if name.endswith("$"):
            name = key(name[:-1])
    scope.mention(name, token)
    if not brackets:
        return make_reference(name)
    for label in (part for subscripts in brackets for part in subscripts.children if part.type != "BANG"):
        scope.mention(key(label), label)
    return make_reference(name, *(label for subscripts in brackets for label in subscript_keys(subscripts)))


def _marked(node: Node, scope: Scope) -> Expr:
    """Return the number of each label of a range that a SUM runs over: `R!` reads as `R[R!]`."""
    token = node.children[0]
    scope.mention(key(token), token)
    return make_reference(key(token), f"{key(token)}!")


def _chain(node: Node, scope: Scope) -> Expr:
    """Join the terms of a sum or the factors of a product; `-` negates its operand, `/` inverts it."""
    join, plain, opposite = _CHAINS[node.data]
    first, *rest = node.children
    parts = [translate(first, scope)]
    for operator, operand in zip(rest[::2], rest[1::2], strict=True):
        part = translate(operand, scope)
        parts.append(part if operator.type == plain else opposite(part))
    return join(*parts)


def _sign(node: Node, scope: Scope) -> Expr:
    sign, operand = node.children
    value = translate(operand, scope)
    return negate(value) if sign.type == "MINUS" else value


def _comparison(node: Node, scope: Scope) -> Expr:
    """Compare from left to right: each operator compares the result so far."""
    first, *rest = node.children
    if len(rest) > 2 * _MOST_COMPARISONS:
        return scope.fault(rest[0], f"more than {_MOST_COMPARISONS} comparisons in a row; join them with :AND:")
    for left, operator in zip(node.children[::2], rest[::2], strict=False):
        if operator == "=" and getattr(left, "data", "") == "marked":
            marked, bang = left.children
            if bang.end_pos == operator.start_pos and key(marked) not in scope.names.subscripts:
                return scope.fault(bang, foreign_operator("!="))
    value = translate(first, scope)
    for operator, operand in zip(rest[::2], rest[1::2], strict=True):
        value = FUNCTIONS[operator].build(value, translate(operand, scope))
    return value


def _logic(node: Node, scope: Scope) -> Expr:
    """Join conditions pairwise, so that many of them do not nest deep; their order has no meaning."""
    build = FUNCTIONS[node.children[1].upper()].build
    values = [translate(condition, scope) for condition in node.children[::2]]
    while len(values) > 1:
        pairs = [build(left, right) for left, right in zip(values[::2], values[1::2], strict=False)]
        values = [*pairs, *values[2 * len(pairs) :]]
    return values[0]


def _table(node: Node, scope: Scope) -> Expr:
    """Return the points of a lookup; the old form lists all x before all y."""
    limits, points = None, []
    for token in node.children:
        values = numbers_in(token)
        if not all(map(math.isfinite, values)):
            scope.fault(token, "a table needs finite numbers; write at most 1e308")
            return _NO_TABLE
        if token.type == "LIMITS":
            if len(values) < 4 or len(values) % 2:  # noqa: PLR2004 - two corners
                scope.fault(token, "the corners of the graph cannot be read; write [(x0,y0)-(x1,y1)]")
                return _NO_TABLE
            limits = ((values[0], values[1]), (values[2], values[3]))
        elif token.type == "POINTS":
            points = list(zip(values[::2], values[1::2], strict=True))
        elif len(values) % 2:
            scope.fault(token, "the table has an odd number of values; list every x and then every y")
        else:
            half = len(values) // 2
            points = list(zip(values[:half], values[half:], strict=True))
    return Table(points, limits)


def _with_lookup(node: Node, scope: Scope) -> Expr:
    _, x, points = node.children
    return FUNCTIONS["LOOKUP"].build(_table(points, scope), translate(x, scope))


def _call(node: Node, scope: Scope) -> Expr:
    """Translate a call of a function, a macro or a lookup, whichever has the name."""
    token, *rest = node.children
    brackets = [part for part in rest if part.data == "subscripts"]
    outputs = [part for part in rest if part.data == "outputs"]
    arguments = [part for part in rest if part.data not in {"subscripts", "outputs"}]
    name, macros = key(token), scope.names.macros
    if name == _UNFINISHED and name not in macros:
        return unfinished(*(translate(argument, scope) for argument in arguments))
    own = scope.own is not None and name in scope.own and name not in macros
    known = own or name in scope.names.defined or name.endswith("$")
    with_output = name == _PIPELINE and len(outputs) == 1 and len(outputs[0].children) == len(":x")
    called = not brackets and not own and (name in macros or (name in _ROWS and (not outputs or with_output)))
    if called and name == _MESSAGE and name not in macros:
        arguments = [part for part in arguments if part.data != "string"]
    if not called and not known:
        scope.fault(token, unknown_function(display_name(token), guess=len(scope.names.faults) < _GUESSES))
        if name in _REFUSED:
            return _NO_TABLE if name.endswith("lookups") else S.Zero
    values = [translate(argument, scope) for argument in arguments]  # even if only for the faults in them
    if called and name in macros:
        results = [part for output in outputs for part in output.children[1:]]
        return scope.names.expand(macros[name], token, values, results, scope)
    if called:
        result = _call_function(_ROWS[name], token, values, scope)
        if with_output and result is not S.Zero:
            _add_pipeline(outputs[0].children[1], result, scope)
        return result
    return _look_up(token, brackets, values, scope) if known else S.Zero


def _call_function(row: FunctionRow, token: Token, values: Sequence[Expr], scope: Scope) -> Expr:
    if not len(row.written) - row.optional <= len(values) <= len(row.written):
        least = f"{len(row.written) - row.optional} to " if row.optional else ""
        count = f"{least}{format_count(len(row.written), 'argument')}"
        cure = f"write {row.name}({', '.join(row.written)})"
        if row.name in _PAIRS and len(values) > len(row.written):
            cure = f"nest it, as in {row.name}(x1, {row.name}(x2, x3))"
        return scope.fault(token, f"{row.name} takes {count}, not {len(values)}; {cure}")
    values = [*values, *repeat(number(NA), len(row.written) - len(values))]
    if row.added:
        if values[0] not in (S.Zero, S.One):
            what = "its first argument must be 0 (Time) or 1 (INITIAL TIME), since a run on the computer's clock cannot be repeated"
            return scope.fault(token, f"{row.name}: {what}; write 0 or 1")
        values = [*values, *scope.names.calendar.arguments()]
    if row.arguments[:1] == ("data",):
        found = scope.names.data_behind(values[0])
        if found is None and is_reference(values[0]) and split_reference(values[0])[0] in scope.names.computed:
            if not any(map(unclaimed_ranges, values)):
                return row.build(*values)
            return scope.fault(
                token,
                f"{row.name} reads computed data and runs along a range with !; give its value a variable of its own",
            )
        if found is None and scope.names.defined:  # a formula alone has no variables
            what = f"{row.name} reads a data variable, which has no equation, reads a file or is computed with :=; name one"
            return scope.fault(token, what)
        name, subscripts = found or ("", ())
        values = [data_reference(name, *subscripts), *values[1:]]
    scope.names.takes_arrays |= row.takes_arrays
    return row.build(*values)


def inside_of(scope: Scope, copies: tuple[str, ...] = ()) -> Scope:
    """Return the scope of what a call in an equation adds: with the ranges of the equation, copies of others, and its exceptions."""
    subscripts = scope.names.subscripts
    exceptions = []
    for exception in scope.exceptions:
        pairs = list(zip(scope.subscripts, exception, strict=False))
        if all(name in subscripts or name in labels_of(subscripts, label) for name, label in pairs):
            exceptions.append((*(label for name, label in pairs if name in subscripts), *copies))
    ranges = (*(name for name in scope.subscripts if name in subscripts), *copies)
    return replace(scope, subscripts=ranges, exceptions=tuple(exceptions))


def add_output(result: Node, value: Expr, inside: Scope, scope: Scope) -> None:
    """Add an equation of a variable that a call defines besides its value; `inside` is the scope of what the call adds."""
    token, *brackets = result.children
    subscripts = tuple(subscript_keys(brackets[0])) if brackets else inside.subscripts
    excepted = next((known.exceptions for known in (scope, inside) if known.subscripts == subscripts), ())
    equation = Equation(value, subscripts, excepted, display_name(token), scope.place(token))
    local = scope.own.get(key(token)) if scope.own else None  # a macro's call of another one
    shown = split_reference(local)[0].replace("_", " ") if local else display_name(token)
    found = scope.names.outputs.get(key(shown), Element(shown, "auxiliary", (), hidden=local is not None))
    scope.names.outputs[key(shown)] = replace(found, equations=(*found.equations, equation))


def _add_pipeline(output: Node, call: Expr, scope: Scope) -> None:
    """Add the variable that DELAYP defines besides its value: what is on the way."""
    value, delay_time = call.args
    stock = FUNCTIONS["INTEG"].build(add(value, negate(call)), multiply(value, delay_time))
    add_output(output, stock, inside_of(scope), scope)


def _look_up(token: Token, brackets: Sequence[Node], values: Sequence[Expr], scope: Scope) -> Expr:
    if len(values) != 1:
        name = display_name(token)
        return scope.fault(token, f"the lookup '{name}' takes one argument, not {len(values)}; write '{name}(x)'")
    return FUNCTIONS["LOOKUP"].build(_reference(token, brackets, scope), values[0])


_CHAINS: Mapping[str, tuple[Callable[..., Expr], str, Callable[[Expr], Expr]]] = {
    "sum": (add, "PLUS", negate),
    "product": (multiply, "TIMES", inverse),
}
_NODES: Mapping[str, Callable[[Node, Scope], Expr]] = {
    "number": _number,
    "numbers": _numbers,
    "missing": lambda _, __: number(NA),
    "string": _string,
    "name": _name,
    "marked": _marked,
    "sum": _chain,
    "product": _chain,
    "power": lambda node, scope: power(*(translate(operand, scope) for operand in node.children)),
    "signed": _sign,
    "negation": lambda node, scope: FUNCTIONS[":NOT:"].build(translate(node.children[1], scope)),
    "and": _logic,
    "or": _logic,
    "comparison": _comparison,
    "table": _table,
    "with_lookup": _with_lookup,
    "call": _call,
}
"""The translation of each kind of node, by its name in the grammar."""
