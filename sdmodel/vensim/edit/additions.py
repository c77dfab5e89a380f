"""Adding an element to a model file: its block, its word in the sketch, and the equations of the stocks that a flow joins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import Fault, ModelError
from ...model import Kind, Model, Range, display_name, key
from ..document import Document
from ..read.grammar import SyntaxProblemError, parse
from ..read.segments import Segment, Span, blank_comments
from ..read.syntax import head_of, parse_name
from ..sketch.additions import NewElement, draw_element
from .blocks import check_group, check_range, check_text, check_units, comment_text, replace_range
from .edits import Edit
from .layout import insert_block, is_control, layout_of, line_end
from .names import NOW, find_names, new_head

_INTEGRAL = re.compile(r"\s*INTEG\s*\(", re.IGNORECASE)
_MARKS = re.compile(r'"(?:[^"\\]|\\[\s\S])*"|\'[^\']*\'|[()\[\],]')
_LOOSE = frozenset({"or", "and", "negation", "comparison"})
"""Operators that bind less than a sum."""
_ZERO = re.compile(r"0*\.?0*")


@dataclass(frozen=True, slots=True)
class Addition:
    """The element that a user adds; `source` and `sink` are the stocks that a flow drains and fills."""

    name: str
    equation: str
    kind: Kind | None
    units: str
    comment: str
    range: Range | tuple[float | None, ...] | None
    group: str | None
    view: str | None
    source: str
    sink: str


@dataclass(frozen=True, slots=True)
class AdditionEdits:
    """The edits that add an element, the number of new groups, and the view that shows it (empty without a sketch)."""

    edits: list[Edit]
    groups: int
    view: str


def add_element(document: Document, model: Model, addition: Addition) -> AdditionEdits:
    """Return the edits that add an element to a document."""
    left = new_head(addition.name, document, model)
    right = _right_side(document, left, addition)
    head = head_of(left)
    stocks = {sign: _stock(document, model, name) for sign, name in _ends(document, addition) if name}
    causes = MappingProxyType(dict(_causes(model, right, head.key)))
    group = _group(document, model, addition, [*causes, *stocks.values()])
    layout = layout_of(document.text, document.segments)
    limits = check_range(addition.range, document.path)
    units = replace_range(check_units(addition.units, document.path), limits)
    comment = comment_text(check_text(addition.comment, "a comment", document.path), line_end(document.text))
    block = layout.block(left, right, units, comment)
    edits = insert_block(document.text, document.segments, block, group)
    subscripted = bool(head.subscripts)
    for sign, stock in stocks.items():
        edits += _change_stock(document, stock, head.name, sign, subscripted=subscripted)
    kind: Kind = "stock" if _INTEGRAL.match(right) else addition.kind or "auxiliary"
    element = NewElement(
        name=head.name.strip(),
        kind="flow" if addition.source or addition.sink else kind,
        causes=causes,
        source=stocks.get("-", ""),
        sink=stocks.get("+", ""),
        companions=frozenset(element.key for element in model if key(element.group) == key(group)),
    )
    in_sketch, view = draw_element(document, element, addition.view)
    return AdditionEdits([*edits, *in_sketch], int(document.lacks_group(group)), view)


def _ends(document: Document, addition: Addition) -> Iterator[tuple[str, str]]:
    """Return the stocks of a flow, by the sign with which it enters them."""
    name, source, sink = addition.name, addition.source, addition.sink
    what = ""
    if addition.kind == "flow" and not (source or sink):
        what = f"the flow '{display_name(name)}' has no stock; name the stock that it comes from or the one that it goes to"
    elif addition.kind not in ("flow", None) and (source or sink):
        what = f"a {addition.kind} has no source or sink; add a flow"
    elif source and key(source) == key(sink):
        what = f"a flow from '{display_name(source)}' to itself has no effect; name another stock"
    if what:
        raise ModelError([Fault(document.path, what)])
    yield "-", source
    yield "+", sink


def _right_side(document: Document, left: str, addition: Addition) -> str:
    """Return the right-hand side as files have it: a lookup in parentheses, a stock as an integral with a rate of 0."""
    text = addition.equation.strip()
    for lookup in (text, f"({text})"):
        if addition.kind in (None, "lookup") and lookup.startswith("(") and _is_lookup(left + lookup):
            return lookup
    if addition.kind == "stock" and not _INTEGRAL.match(text):
        text = f"INTEG(0, {text})"
    name = display_name(addition.name)
    try:
        tree = parse(blank_comments(f"{left}={text}"))
    except SyntaxProblemError as error:
        raise ModelError([Fault(document.path, f"'{name}': {error.problem.what}")]) from None
    if addition.kind == "lookup":
        raise ModelError([Fault(document.path, f"'{name}': this is not a lookup; write (x,y),(x,y)")])
    if tree.data != "assignment" or not text:
        raise ModelError([Fault(document.path, f"'{name}': this is not an equation; write an expression")])
    return text


def _is_lookup(text: str) -> bool:
    try:
        tree = parse(blank_comments(text))
    except SyntaxProblemError:
        return False
    return bool(tree.data == "lookup" and tree.children[-1].data == "table")


def _stock(document: Document, model: Model, name: str) -> str:
    """Return the key of a stock."""
    segment = document.find(parse_name(name).name)[0]
    found = parse_name(name).key
    if found not in model.elements or model.elements[found].kind != "stock":
        raise ModelError([Fault(document.place(segment.start), f"'{display_name(name)}' is not a stock; name one")])
    return found


def _causes(model: Model, right: str, own: str) -> Iterator[tuple[str, tuple[str, bool]]]:
    """Return the causes of an equation, by key: the name, and whether only a stock's initial value depends on it."""
    start = _first_argument(right).end if _INTEGRAL.match(right) else len(right)
    running = {found.key for found in find_names(right[:start]) if not found.bracketed}
    for found in find_names(right):
        if found.bracketed or found.key == own:
            continue
        if found.key in model.elements:
            yield found.key, (model.elements[found.key].name, found.key not in running)
        elif found.key == key(NOW):
            yield found.key, (NOW, False)


def _group(document: Document, model: Model, addition: Addition, causes: list[str]) -> str:
    """Return the requested group, else the group of most causes, else the first part of the file that has elements."""
    if addition.group is not None:
        return check_group(addition.group, document.path)
    found = [model.elements[cause] for cause in causes if cause in model.elements]
    moving = [element for element in found if element.kind != "constant"] or found
    counts = Counter(element.group for element in moving if not is_control(element.group))
    if counts:
        return counts.most_common(1)[0][0]
    others = (group.name for group in model.groups if not is_control(group.name))
    loose = any(not element.group and not element.hidden for element in model)
    return "" if loose else next(others, "")


def _first_argument(right: str) -> Span:
    """Return the place of the first argument of a call with which a text begins."""
    text = blank_comments(right)
    depth, start = 0, text.index("(") + 1
    for mark in _MARKS.finditer(text, start):
        depth += (mark[0] in "([") - (mark[0] in ")]")
        if depth < 0 or (mark[0] == "," and depth == 0):
            raw = text[start : mark.start()]
            begin = start + len(raw) - len(raw.lstrip())
            return Span(begin, begin + len(raw.strip()))
    return Span(start, len(text))


def _change_stock(document: Document, stock: str, flow: str, sign: str, *, subscripted: bool) -> Iterator[Edit]:
    """Add a flow to the net flow of a stock, or subtract it, in each block of the stock."""
    for segment in document.find(stock):
        right = document.right_side(segment)
        text = document.slice(right)
        if not _INTEGRAL.match(text):
            what = f"'{display_name(stock)}' is not a plain INTEG; write the flow into its equation by hand"
            raise ModelError([Fault(document.place(segment.start), what)])
        name = flow.strip() + (_subscripts(document, segment) if subscripted else "")
        yield _change_rate(text, right.start, name, sign)


def _subscripts(document: Document, segment: Segment) -> str:
    found = document.left(segment)
    return found[found.index("[") : found.index("]") + 1] if "[" in found else ""


def _change_rate(text: str, offset: int, flow: str, sign: str) -> Edit:
    """Return the edit that adds a flow to the first argument of an integral that begins at an offset of the document."""
    rate = _first_argument(text)
    before = text[rate.start : rate.end]
    span = Span(offset + rate.start, offset + rate.end)
    if _ZERO.fullmatch(before):
        return Edit(span, flow if sign == "+" else f"-{flow}")
    if parse(blank_comments(f"rate={before}")).children[-1].data in _LOOSE:
        return Edit(span, f"({before}) {sign} {flow}")
    return Edit(Span(span.end, span.end), f" {sign} {flow}")
