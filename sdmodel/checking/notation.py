"""How equations are written: numbers without a name, and forms that other programs read differently."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sympy import Expr, Indexed, Pow, S

from ..model import NA, VensimFunction
from .findings import Finding
from .subject import Subject

_PLAIN = frozenset({-2.0, -1.0, 0.0, 1.0, 2.0})
_PLAIN_EXPONENTS = _PLAIN | {-0.5, 0.5}
_ORDERED = frozenset({"DELAY N", "SMOOTH N"})
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_OPERATORS = _COMPARISONS | {"+", "-", "*", "/", "^", ":AND:", ":OR:", ":NOT:", ","}
_COMMENT = re.compile(r"\{[^{}]*\}")
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|:[A-Za-z ]+:|<=|>=|<>|[-+*/^(),<>=\[\]]|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[^\W\d](?:[\w $\'.&%#]*[\w$\'.&%#])?'
)

_Group = Sequence["str | _Group"]


def find_buried(subject: Subject) -> Iterator[Finding]:
    """Numbers inside equations that deserve a name, units and a source.

    0, 1, 2 and their negatives are structure, and so are exponents of a half, the order of a delay and the points of a
    table; the initial value of a stock is a number like any other.
    """
    for element, equation, expression in subject.equations:
        if element.kind in {"constant", "lookup"}:
            continue
        found = [f"{value:g}" for value in dict.fromkeys(_buried(expression))]
        if found:
            many = len(found) > 1
            what = f"number{'s' * many} {', '.join(found)} in the equation; make {'each' if many else 'it'} a constant"
            message = f"'{element.name}' has the {what} with units and a source"
            yield Finding("advice", "buried-number", equation.place, element.name, message)


def _buried(expression: Expr, plain: frozenset[float] = _PLAIN) -> Iterator[float]:
    if expression.is_Number:
        if float(expression) not in plain and expression != NA:
            yield float(expression)
    elif isinstance(expression, Pow):
        yield from _buried(expression.base)
        if expression.exp is not S.NegativeOne:
            yield from _buried(expression.exp, _PLAIN_EXPONENTS)
    elif not isinstance(expression, Indexed):
        ordered = isinstance(expression, VensimFunction) and expression.name in _ORDERED
        for argument in expression.args[: -1 if ordered else None]:
            yield from _buried(argument)


def find_ambiguous(subject: Subject) -> Iterator[Finding]:
    """Forms that Vensim reads by rules of its own and other programs by others; parentheses make them plain.

    Vensim binds `^` tighter than a sign and from the right, and `:NOT:` looser than a comparison; PySD puts `:AND:` and
    `:OR:` on one level.
    """
    for element, equation, _ in subject.equations:
        for what in dict.fromkeys(_ambiguities(_grouped(equation.text))):
            message = f"'{element.name}' has {what}, which other programs read differently; put parentheses there"
            yield Finding("advice", "operators", equation.place, element.name, message)


def _grouped(text: str) -> _Group:
    """The tokens of an equation, what stands in parentheses or brackets as a list of its own."""
    whole: list[str | _Group] = []
    stack = [whole]
    for word in _TOKEN.findall(_COMMENT.sub(" ", text)):
        if word in {"(", "["}:
            inner: list[str | _Group] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif word in {")", "]"}:
            del stack[len(stack) - (len(stack) > 1) :]
        else:
            stack[-1].append(word.upper() if word[0] == ":" else word)
    return whole


def _ambiguities(group: _Group) -> Iterator[str]:
    for part in group:
        if not isinstance(part, str):
            yield from _ambiguities(part)
    signs = _signs(group)
    yield from _powers(signs)
    if any(a == ":NOT:" and set(_until_logic(signs[n + 1 :])) & _COMPARISONS for n, a in enumerate(signs)):
        yield "':NOT:' before a comparison"
    for part in _split(signs):
        if ":AND:" in part and ":OR:" in part:
            yield "':AND:' and ':OR:' side by side"


def _signs(group: _Group) -> list[str]:
    """The operators of a group in order, with one empty string for each operand between them."""
    signs: list[str] = []
    for part in group:
        if isinstance(part, str) and part in _OPERATORS:
            signs.append(part)
        elif not signs or signs[-1]:
            signs.append("")  # a name with its brackets and arguments is one operand
    return signs


def _powers(signs: Sequence[str]) -> Iterator[str]:
    powers = [n for n, sign in enumerate(signs) if sign == "^"]
    for n in powers:
        if n > 1 and signs[n - 2] == "-" and (n == 2 or signs[n - 3]):  # noqa: PLR2004 - a sign, an operand, ^
            yield "a minus sign before a power"
        following = next((later for later in powers if later > n), len(signs))
        between = signs[n + 1 : following]
        if following < len(signs) and between.count("") == 1 and not between[-1]:
            yield "a power of a power"


def _until_logic(signs: Sequence[str]) -> Iterator[str]:
    for sign in signs:
        if sign in {":AND:", ":OR:", ","}:
            return
        yield sign


def _split(signs: Sequence[str]) -> Iterator[Sequence[str]]:
    """The arguments of a call, one by one."""
    first = 0
    for n, sign in enumerate([*signs, ","]):
        if sign == ",":
            yield signs[first:n]
            first = n + 1
