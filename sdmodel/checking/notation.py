"""Rules about the text of a model: its documentation, how equations are written, units, causes and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise, takewhile

from sympy import Expr, Indexed, Pow, S, Symbol

from ..model import NA, RC_START_TIME, Table, VensimFunction, key, references_in, split_name, split_reference, walk
from ..reading import is_xmile, views_of_model
from ..vensim import Document
from .checked_model import CheckedModel
from .findings import Finding

_WORDS = (
    "source", "judgement", "judgment", "assumed", "assumption", "estimat", "guess", "calibrat", "fitted", "measur", "observed", "observation",
    "data", "survey", "census", "statistic", "report", "publish", "literature", "paper", "according to", "based on",
    "taken from", "derived", "definition", "convention", "conversion", "arbitrary", "hypothetical", "illustrat", "expert",
    "experiment", "et al", "table", "ibid", "p.", "pp.",
)  # fmt: skip
"""Beginnings of words that say where a number comes from, including assumptions."""
_SOURCE = re.compile(
    rf"\b(?i:{'|'.join(map(re.escape, _WORDS))})"
    r"|https?://|www\.|\bdoi\b"  # an address
    r"|^[^\s:.;][^:.;]{1,60}:\s"  # a comment that begins with a name and a colon
    r"|\b[A-Z][\w'-]+,? \(?(?:1[89]|20)\d\d\b"  # an author and a year
    r"|\b[A-Za-z0-9]+_\w+\b",  # the name of a series
    re.MULTILINE,
)
_SHOWN = re.compile(r'10,\d+,(?P<name>"(?:[^"\\]|\\.)*"|[^,\r\n]*),')
"""The record of a variable in a sketch."""


def find_unfinished(checked: CheckedModel) -> Iterator[Finding]:
    """Find equations that only list what a variable depends on."""
    for fault in checked.unfinished:
        yield Finding("error", "incomplete", fault.where, fault.what.split("'")[1], fault.what)


def find_uncommented(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements without a comment."""
    for element in checked.elements:
        if not element.comment:
            what = f"'{element.name}' has no comment; say what it means"
            yield Finding("advice", "comment", element.place, element.name, what)


def find_unsourced(checked: CheckedModel) -> Iterator[Finding]:
    """Find constants and lookups whose comment does not say where their numbers come from.

    A comment names a source if it has an address, an author with a year, the name of a series (`like_this`), a name and a
    colon at its start, or a word such as source, judgement, assumed, estimated, fitted, measured, reported, definition.
    """
    for element in checked.elements:
        if element.kind in {"constant", "lookup"} and element.comment and not _SOURCE.search(element.comment):
            what = f"the comment of '{element.name}' names no source; say where the number comes from, or 'judgement'"
            yield Finding("advice", "source", element.place, element.name, what)


def find_unitless(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements without units, and the units that follow from the equations."""
    for element in checked.elements:
        if not element.units:
            inferred = checked.units.inferred.get(element.key)
            cure = f"its equations give it {inferred}" if inferred else "give them, or 'Dmnl' for a pure number"
            yield Finding("advice", "no-units", element.place, element.name, f"'{element.name}' has no units; {cure}")


def find_unused(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements that no other element reads, as Vensim's model check does.

    Elements marked `:SUPPLEMENTARY` or in the save list of headline variables are not reported.
    """
    used = checked.used | {key(split_name(name)[0]) for name in checked.listed}
    if checked.model.reality_checks:
        used |= {key(RC_START_TIME)}
    is_marked = not is_xmile(checked.model.text, checked.model.path)
    cure = "use it, delete it, or mark it :SUPPLEMENTARY" if is_marked else "use it or delete it"
    for element in checked.elements:
        if element.key not in used and not element.supplementary:
            what = f"'{element.name}' is used by nothing; {cure}"
            yield Finding("warning", "unused", element.place, element.name, what)


def find_hidden(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements that are in no view of the sketch, if the model has a sketch with variables."""
    model = checked.model
    if is_xmile(model.text, model.path):
        shown = {key(word.text) for view in views_of_model(model) for word in view.words}
    else:
        document = Document.from_bytes(model.text.encode("utf-8", "surrogatepass"), model.path)
        records = (_SHOWN.match(document.text, part.start) for part in document.segments if part.kind == "record")
        shown = {key(record["name"]) for record in records if record}
    for element in checked.elements if shown else ():
        if element.key not in shown:
            what = f"'{element.name}' is in no view; add it to the view where it belongs"
            yield Finding("advice", "no-view", element.place, element.name, what)


_MOST_CAUSES = 7
_STRUCTURAL = frozenset({-2.0, -1.0, 0.0, 1.0, 2.0})
_STRUCTURAL_EXPONENTS = _STRUCTURAL | {-0.5, 0.5}
_ORDERED = frozenset({"DELAY N", "SMOOTH N"})
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_JOINTS = frozenset({":AND:", ":OR:", ","})
_OPERATORS = _COMPARISONS | _JOINTS | {"+", "-", "*", "/", "^", ":NOT:"}
_COMMENT = re.compile(r"\{[^{}]*\}")
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|:[A-Za-z ]+:|<=|>=|<>|[-+*/^(),<>=\[\]]|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|'
    r"(?:[^\W\d]|[^\x00-\x7f])(?:[\w $'.&%#@?\x80-\U0010ffff]*[\w$'.&%#@?\x80-\U0010ffff])?"
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
        buried = [*_buried(expression)]
        written = _written_numbers(equation.text) if buried else {}
        found = [*dict.fromkeys(written.get(value, f"{value:g}") for value in buried)]
        if found:
            many = len(found) > 1
            what = f"number{'s' * many} {', '.join(found)} in the equation; make {'each' if many else 'it'} a constant"
            message = f"'{element.name}' has the {what} with units and a source"
            yield Finding("advice", "buried-number", equation.place, element.name, message)


def _written_numbers(text: str) -> dict[float, str]:
    """Return the spelling of each number in an equation; in `x - 5` both 5 and -5 are written `5`, in `x*-5` -5 is `-5`."""
    found: dict[float, str] = {}
    before = ["", ""]
    for word in _TOKEN.findall(_COMMENT.sub(" ", text)):
        if word[0] in ".0123456789":
            value = float(word)
            is_signed = before[1] == "-" and (before[0] in _OPERATORS or before[0] in {"", "(", "["})
            found.setdefault(-value if is_signed else value, f"-{word}" if is_signed else word)
            if before[1] == "-":
                found.setdefault(-value, word)
        before = [before[1], word]
    return found


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
    signs: list[str] = []  # the operators in order, with one empty string for each operand between them
    for part in group:
        if not isinstance(part, str):
            yield from _ambiguities(part)
        if isinstance(part, str) and part in _OPERATORS:
            signs.append(part)
        elif not signs or signs[-1]:
            signs.append("")  # a name with its brackets and arguments is one operand
    yield from _powers(signs)
    conditions = (
        takewhile(lambda sign: sign not in _JOINTS, signs[n:]) for n, a in enumerate(signs, 1) if a == ":NOT:"
    )
    if any(not _COMPARISONS.isdisjoint(condition) for condition in conditions):
        yield "':NOT:' before a comparison"
    for comma, argument in groupby(signs, ",".__eq__):
        if not comma and {":AND:", ":OR:"} <= set(argument):
            yield "':AND:' and ':OR:' side by side"


def _powers(signs: Sequence[str]) -> Iterator[str]:
    powers = [n for n, sign in enumerate(signs) if sign == "^"]
    for n in powers:
        if n > 1 and signs[n - 2] == "-" and (n == 2 or signs[n - 3]):  # noqa: PLR2004 - a sign, an operand, ^
            yield "a minus sign before a power"
        following = next((later for later in powers if later > n), len(signs))
        between = signs[n + 1 : following]
        if following < len(signs) and between.count("") == 1 and not between[-1]:
            yield "a power of a power"


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
    series: set[str] = set()
    tables = []
    for element, equation, expression in checked.equations:
        for part in walk(expression):
            if getattr(part, "name", "").startswith("LOOKUP") and "time" in map(str, part.args[1].free_symbols):
                series.add(element.key)
                series |= {split_reference(name)[0] for name in part.args[:1] if isinstance(name, Symbol | Indexed)}
            elif isinstance(part, Table):
                tables.append((element, equation, [after[1] - before[1] for before, after in pairwise(part.points)]))
    for element, equation, steps in tables:
        if element.key not in series and min(steps, default=0) < 0 < max(steps, default=0):
            what = f"the table of '{element.name}' both rises and falls; check its points, or say why in the comment"
            yield Finding("advice", "table-turns", equation.place, element.name, what)


def find_points_outside_graph(checked: CheckedModel) -> Iterator[Finding]:
    """Find tables with points outside of the graph that is set up for them."""
    for element, equation, expression in checked.equations:
        for part in walk(expression):
            if not isinstance(part, Table) or part.limits is None:
                continue
            (left, bottom), (right, top) = part.limits
            inside = all(left <= x <= right and bottom <= y <= top for x, y in part.points)
            if left < right and bottom < top and not inside:  # corners that are all equal do not make a graph
                what = f"the table of '{element.name}' has points outside of its graph; widen the graph or correct them"
                yield Finding("advice", "table-graph", equation.place, element.name, what)
