"""A parse tree to the algebra of the model; what cannot be said in it becomes a fault, and reading goes on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lark import Token
from sympy import Expr, S

from ...errors import Fault, Place
from ...model import (
    FUNCTIONS,
    NA,
    REFUSED,
    Element,
    FunctionRow,
    Numbers,
    Subscript,
    Table,
    add,
    display,
    inverse,
    key,
    multiply,
    negate,
    number,
    power,
    refer,
    unknown_function,
)
from ..document import Document
from .grammar import Node
from .statements import Macro, subscript_keys

_SIGNED = re.compile(r"(?:[-+]\s*)?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_ROWS: Mapping[str, FunctionRow] = {key(name): row for name, row in FUNCTIONS.items()}
_REFUSED = frozenset(map(key, REFUSED))
_GUESSES = 20
"""Unknown functions of a file for which another is suggested: each is held against the whole table."""
_CHAIN = 20
"""Comparisons in a row, which nest when they are read: far more than mean anything."""
_DEPTH = 150
"""How deep an expression may nest: what works on it goes a few calls down for each level."""
_NO_TABLE = Table(())
"""Stands for a table that cannot be read, so that its name still counts as a lookup's."""


@dataclass(slots=True)
class Names:
    """What all equations of a model share: what it defines, and the hidden elements that its macros become.

    `doubts` are faults only if every block of the document could be read.
    """

    document: Document
    defined: set[str]
    subscripts: Mapping[str, Subscript]
    macros: Mapping[str, Macro]
    expand: Callable[[Macro, Token, Sequence[Expr], Sequence[Token], Scope], Expr]
    faults: list[Fault] = field(default_factory=list)
    doubts: list[Fault] = field(default_factory=list)
    made: list[Element] = field(default_factory=list)
    expansions: int = 0


@dataclass(slots=True)
class Scope:
    """Where one equation stands: its offset in the document, and, inside a macro, what its own names mean.

    `places` collects where each key is first mentioned, `parts` where each part of the expression first begins.
    """

    names: Names
    offset: int
    subscripts: tuple[str, ...] = ()
    own: Mapping[str, Expr] | None = None
    open_macros: tuple[str, ...] = ()
    places: dict[str, Place] = field(default_factory=dict)
    parts: dict[Expr, Place] = field(default_factory=dict)

    def place(self, token: Token) -> Place:
        """Line and column of a token."""
        return self.names.document.place(self.offset + (token.start_pos or 0))

    def mention(self, name: str, token: Token) -> None:
        """Notes where a key is first mentioned."""
        if name not in self.places:
            self.places[name] = self.place(token)

    def locate(self, part: Expr, node: Node) -> None:
        """Notes where a part of the expression first begins."""
        if part not in self.parts:
            while not isinstance(node, Token):
                node = node.children[0]
            self.parts[part] = self.place(node)

    def fault(self, token: Token, what: str) -> Expr:
        """Notes a fault; zero stands for what cannot be read, so that the rest of the equation is checked too."""
        self.names.faults.append(Fault(self.place(token), what))
        return S.Zero


def read_expression(node: Node, scope: Scope, name: Token) -> Expr:
    """The expression of the equation of a name, unless it nests too deep to work on."""
    expression = translate(node, scope)
    level = [expression]
    for _ in range(_DEPTH):
        level = [part for each in level for part in each.args if part.args]
        if not level:
            return expression
    return scope.fault(name, f"the equation of '{display(name)}' nests too deep; split it into several")


def translate(node: Node, scope: Scope) -> Expr:
    """The expression that a parse tree means, in the author's form."""
    expression = _NODES[node.data](node, scope)
    if expression.args:
        scope.locate(expression, node)
    return expression


def _number(node: Node, scope: Scope) -> Expr:
    token = node.children[0]
    value = float(token)
    if math.isinf(value):
        return scope.fault(token, f"{token} is larger than any number here; write at most 1e308")
    return number(value)


def _numbers(node: Node, scope: Scope) -> Expr:
    token = node.children[0]
    text = token[token.index("(") + 1 :] if token.type == "TABBED" else token
    values = _values(text)
    if not values or not all(map(math.isfinite, values)):
        return scope.fault(token, "these are no numbers for an array; write one for each element")
    return Numbers(values)


def _values(text: str) -> list[float]:
    return [float("".join(part.split())) for part in _SIGNED.findall(text)]


def _missing(node: Node, scope: Scope) -> Expr:
    return number(NA)


def _string(node: Node, scope: Scope) -> Expr:
    token = node.children[0]
    return scope.fault(token, f"{token} is a text, not a number; only functions that read files take one")


def _name(node: Node, scope: Scope) -> Expr:
    token, *rest = node.children
    return mention(token, subscript_keys(rest[0]) if rest else [], rest[0] if rest else None, scope)


def mention(token: Token, subscripts: Sequence[str], brackets: Node | None, scope: Scope) -> Expr:
    """A reference to an element, or inside a macro to what stands for the name there."""
    name = key(token)
    if scope.own is not None:
        if name in scope.own:
            own = scope.own[name]
            return (
                scope.fault(token, f"'{display(token)}' has no subscripts in a macro; leave them out")
                if brackets
                else own
            )
        if name.endswith("$"):
            name = key(name[:-1])
    scope.mention(name, token)
    if brackets is not None:
        for label, where in zip(subscripts, (t for t in brackets.children if t.type != "BANG"), strict=True):
            scope.mention(label.rstrip("!"), where)
    return refer(name, *subscripts)


def _sum(node: Node, scope: Scope) -> Expr:
    first, *rest = node.children
    terms = [translate(first, scope)]
    for operator, operand in zip(rest[::2], rest[1::2], strict=True):
        term = translate(operand, scope)
        terms.append(term if operator.type == "PLUS" else negate(term))
    return add(*terms)


def _product(node: Node, scope: Scope) -> Expr:
    first, *rest = node.children
    factors = [translate(first, scope)]
    for operator, operand in zip(rest[::2], rest[1::2], strict=True):
        factor = translate(operand, scope)
        factors.append(factor if operator.type == "TIMES" else inverse(factor))
    return multiply(*factors)


def _power(node: Node, scope: Scope) -> Expr:
    base, exponent = node.children
    return power(translate(base, scope), translate(exponent, scope))


def _sign(node: Node, scope: Scope) -> Expr:
    sign, operand = node.children
    value = translate(operand, scope)
    return negate(value) if sign.type == "MINUS" else value


def _negation(node: Node, scope: Scope) -> Expr:
    return FUNCTIONS[":NOT:"].build(translate(node.children[1], scope))


def _comparison(node: Node, scope: Scope) -> Expr:
    """Comparisons from left to right, each of the truth so far."""
    first, *rest = node.children
    if len(rest) > 2 * _CHAIN:
        return scope.fault(rest[0], f"more than {_CHAIN} comparisons stand in a row; join them with :AND:")
    value = translate(first, scope)
    for operator, operand in zip(rest[::2], rest[1::2], strict=True):
        value = FUNCTIONS[operator].build(value, translate(operand, scope))
    return value


def _logic(node: Node, scope: Scope) -> Expr:
    """Conditions joined by one operator, two and two, so that many of them do not nest deep; the order means nothing."""
    build = FUNCTIONS[node.children[1].upper()].build
    values = [translate(each, scope) for each in node.children[::2]]
    while len(values) > 1:
        pairs = [build(left, right) for left, right in zip(values[::2], values[1::2], strict=False)]
        values = [*pairs, *values[2 * len(pairs) :]]
    return values[0]


def table(node: Node, scope: Scope) -> Expr:
    """The points of a lookup; the old form lists all x before all y."""
    limits: tuple[tuple[float, float], tuple[float, float]] | None = None
    points: list[tuple[float, float]] = []
    for token in node.children:
        values = _values(token)
        if not all(map(math.isfinite, values)):
            scope.fault(token, "a table takes finite numbers; write at most 1e308")
            return _NO_TABLE
        if token.type == "LIMITS":
            if len(values) < 4 or len(values) % 2:  # noqa: PLR2004 - two corners
                scope.fault(token, "the corners of the graph cannot be read; write [(x0,y0)-(x1,y1)]")
                return _NO_TABLE
            limits = ((values[0], values[1]), (values[2], values[3]))
        elif token.type == "POINTS":
            points = list(zip(values[::2], values[1::2], strict=True))
        elif len(values) % 2:
            scope.fault(token, "the table has an odd count of numbers; list every x and then every y")
        else:
            half = len(values) // 2
            points = list(zip(values[:half], values[half:], strict=True))
    return Table(points, limits)


def _with_lookup(node: Node, scope: Scope) -> Expr:
    _, x, points = node.children
    return FUNCTIONS["LOOKUP"].build(table(points, scope), translate(x, scope))


def _call(node: Node, scope: Scope) -> Expr:
    """A call of a function, a macro or a lookup, whichever the name means."""
    token, *rest = node.children
    brackets = next((part for part in rest if part.data == "subscripts"), None)
    outputs = next((part for part in rest if part.data == "outputs"), None)
    arguments = [part for part in rest if part.data not in {"subscripts", "outputs"}]
    name = key(token)
    own = scope.own is not None and name in scope.own and name not in scope.names.macros
    if brackets is None and not own:
        if name in scope.names.macros:
            results = [] if outputs is None else [each for each in outputs.children if each.type == "NAME"]
            return scope.names.expand(
                scope.names.macros[name], token, [translate(each, scope) for each in arguments], results, scope
            )
        if outputs is None and name in _ROWS:
            return _function(_ROWS[name], token, arguments, scope)
    if own or name in scope.names.defined or name.endswith("$"):
        return _lookup(token, brackets, arguments, scope)
    scope.fault(token, unknown_function(display(token), guess=len(scope.names.faults) < _GUESSES))
    if name in _REFUSED:
        return _NO_TABLE if name.endswith("lookups") else S.Zero
    for each in arguments:
        translate(each, scope)
    return S.Zero


def _function(row: FunctionRow, token: Token, arguments: Sequence[Node], scope: Scope) -> Expr:
    values = [translate(argument, scope) for argument in arguments]
    if len(values) != len(row.arguments):
        wanted = f"{len(row.arguments)} argument{'s' * (len(row.arguments) != 1)}"
        return scope.fault(token, f"{row.name} takes {wanted}, not {len(values)}; write {row.signature}")
    return row.build(*values)


def _lookup(token: Token, brackets: Node | None, arguments: Sequence[Node], scope: Scope) -> Expr:
    values = [translate(argument, scope) for argument in arguments]
    if len(values) != 1:
        what = f"the lookup '{display(token)}' takes one argument, not {len(values)}; write '{display(token)}(x)'"
        return scope.fault(token, what)
    points = mention(token, [] if brackets is None else subscript_keys(brackets), brackets, scope)
    return FUNCTIONS["LOOKUP"].build(points, values[0])


_NODES: Mapping[str, Callable[[Node, Scope], Expr]] = {
    "number": _number,
    "numbers": _numbers,
    "missing": _missing,
    "string": _string,
    "name": _name,
    "sum": _sum,
    "product": _product,
    "power": _power,
    "signed": _sign,
    "negation": _negation,
    "and": _logic,
    "or": _logic,
    "comparison": _comparison,
    "table": table,
    "with_lookup": _with_lookup,
    "call": _call,
}
"""How each kind of node is read, by its name in the grammar."""
