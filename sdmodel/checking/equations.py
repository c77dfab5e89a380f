"""Rules about equations: how they are written, whether their units fit, how many causes they have, and their tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sympy import Expr, Indexed, Pow, S, Symbol

from ..model import NA, Table, VensimFunction, references_in, split_reference, walk
from .checked_model import CheckedModel
from .findings import Finding

_MOST_CAUSES = 7
_STRUCTURAL = frozenset({-2.0, -1.0, 0.0, 1.0, 2.0})
_STRUCTURAL_EXPONENTS = _STRUCTURAL | {-0.5, 0.5}
_ORDERED = frozenset({"DELAY N", "SMOOTH N"})
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_OPERATORS = _COMPARISONS | {"+", "-", "*", "/", "^", ":AND:", ":OR:", ":NOT:", ","}
_COMMENT = re.compile(r"\{[^{}]*\}")
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|:[A-Za-z ]+:|<=|>=|<>|[-+*/^(),<>=\[\]]|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[^\W\d](?:[\w $\'.&%#]*[\w$\'.&%#])?'
)

_Group = Sequence["str | _Group"]


def find_buried(checked: CheckedModel) -> Iterator[Finding]:
    """Find numbers inside equations that deserve a name, units and a source.

    0, 1, 2 and their negatives, exponents of a half, the order of a delay and the points of a table are part of the
    structure; the initial value of a stock is a number like any other.
    """
    for element, equation, expression in checked.equations:
        if element.kind in {"constant", "lookup"}:
            continue
        found = [f"{value:g}" for value in dict.fromkeys(_buried(expression))]
        if found:
            many = len(found) > 1
            what = f"number{'s' * many} {', '.join(found)} in the equation; make {'each' if many else 'it'} a constant"
            message = f"'{element.name}' has the {what} with units and a source"
            yield Finding("advice", "buried-number", equation.place, element.name, message)


def _buried(expression: Expr, structural: frozenset[float] = _STRUCTURAL) -> Iterator[float]:
    if expression.is_Number:
        if float(expression) not in structural and expression != NA:
            yield float(expression)
    elif isinstance(expression, Pow):
        yield from _buried(expression.base)
        if expression.exp is not S.NegativeOne:
            yield from _buried(expression.exp, _STRUCTURAL_EXPONENTS)
    elif not isinstance(expression, Indexed):
        ordered = isinstance(expression, VensimFunction) and expression.name in _ORDERED
        for argument in expression.args[: -1 if ordered else None]:
            yield from _buried(argument)


def find_ambiguous(checked: CheckedModel) -> Iterator[Finding]:
    """Find forms that programs read with different precedences; parentheses make them unambiguous.

    In Vensim `^` has a higher precedence than a sign and is evaluated from the right, and `:NOT:` has a lower precedence
    than a comparison; PySD gives `:AND:` and `:OR:` the same precedence.
    """
    for element, equation, _ in checked.equations:
        for what in dict.fromkeys(_ambiguities(_grouped(equation.text))):
            message = f"'{element.name}' has {what}, which other programs read differently; put parentheses there"
            yield Finding("advice", "operators", equation.place, element.name, message)


def _grouped(text: str) -> _Group:
    """Return the tokens of an equation, with each pair of parentheses or brackets as a list of its own."""
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
    """Return the operators of a group in order, with one empty string for each operand between them."""
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
    """Yield the arguments of a call."""
    first = 0
    for n, sign in enumerate([*signs, ","]):
        if sign == ",":
            yield signs[first:n]
            first = n + 1


def find_unit_mismatches(checked: CheckedModel) -> Iterator[Finding]:
    """Find sub-expressions whose units do not fit, and units that cannot be read."""
    for mismatch in checked.units.mismatches:
        yield Finding(mismatch.level, "units", mismatch.place, mismatch.variable, mismatch.message)


def find_many_causes(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements with more causes than a reader can keep in mind (Miller 1956: seven, plus or minus two)."""
    for element in checked.elements:
        if element.kind not in {"auxiliary", "flow"}:
            continue
        causes = {split_reference(part)[0] for own in element.equations for part in references_in(own.expression)}
        causes -= {element.key, *checked.model.subscripts, *checked.model.labels}
        if len(causes) > _MOST_CAUSES:
            what = f"'{element.name}' has {len(causes)} causes; name parts of it as variables of their own"
            yield Finding("advice", "causes", element.place, element.name, what, {"causes": float(len(causes))})


def find_turning_tables(checked: CheckedModel) -> Iterator[Finding]:
    """Find tables that both rise and fall: few effects do, so it is a slip or needs a reason.

    A table over time is a time series, which may turn.
    """
    series = _time_series(checked)
    for element, equation, expression in checked.equations:
        for part in walk(expression):
            if isinstance(part, Table) and element.key not in series and _turns([y for _, y in part.points]):
                what = (
                    f"the table of '{element.name}' both rises and falls; check its points, or say why in the comment"
                )
                yield Finding("advice", "table-turns", equation.place, element.name, what)


def _time_series(checked: CheckedModel) -> set[str]:
    """Return the keys of lookups that are read at Time, and of elements whose equation reads its own table at Time."""
    found: set[str] = set()
    for element, _, expression in checked.equations:
        for part in walk(expression):
            if getattr(part, "name", "").startswith("LOOKUP") and "time" in map(str, part.args[1].free_symbols):
                found.add(element.key)
                if isinstance(part.args[0], Symbol | Indexed):
                    found.add(split_reference(part.args[0])[0])
    return found


def _turns(values: Sequence[float]) -> bool:
    steps = [after - before for before, after in pairwise(values)]
    return any(step > 0 for step in steps) and any(step < 0 for step in steps)


def find_points_outside_graph(checked: CheckedModel) -> Iterator[Finding]:
    """Find tables with points outside of the graph that is set up for them."""
    for element, equation, expression in checked.equations:
        for part in walk(expression):
            if isinstance(part, Table) and _is_outside(part):
                what = f"the table of '{element.name}' has points outside of its graph; widen the graph or correct them"
                yield Finding("advice", "table-graph", equation.place, element.name, what)


def _is_outside(table: Table) -> bool:
    """Whether a point lies outside of the graph; corners that are all equal do not make a graph."""
    if table.limits is None:
        return False
    (left, bottom), (right, top) = table.limits
    if left >= right or bottom >= top:
        return False
    return any(not (left <= x <= right and bottom <= y <= top) for x, y in table.points)
