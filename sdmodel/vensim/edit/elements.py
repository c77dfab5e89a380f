"""Adding and removing an element of a model file: its blocks, what shows it in the sketch, and the stocks that a flow joins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from ...errors import Fault, ModelError
from ...model import Kind, Model, Range, display_name, key
from ..document import Document
from ..read.grammar import SyntaxProblemError, parse
from ..read.segments import Segment, Span, blank_comments
from ..read.syntax import Head, head_of, parse_name
from ..sketch.additions import NewElement, draw_element
from ..sketch.views import ARROW, VALVE, view_texts
from .blocks import check_group, check_range, check_text, check_units, comment_text, range_text, units_field
from .layout import Edit, grouped_segments, insert_block, is_control, layout_of, line_end, remove_blocks
from .names import CLOCK, NOW, find_names, new_head

_INTEGRAL = re.compile(r"\s*INTEG\s*\(", re.IGNORECASE)
_MARKS = re.compile(r'"(?:[^"\\]|\\[\s\S])*"|\'[^\']*\'|[()\[\],]')
_LOOSE = frozenset({"or", "and", "negation", "comparison"})
"""Operators that bind less than a sum."""
_ZERO = re.compile(r"0*\.?0*")
_LISTED = 5


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


def add_element(document: Document, model: Model, addition: Addition) -> tuple[list[Edit], int, str]:
    """Return the edits that add an element, the number of new groups, and the view that shows it, empty without a sketch."""
    left = new_head(addition.name, document, model)
    right, is_lookup = _right_side(document, left, addition)
    head = head_of(left)
    stocks = _stocks(document, model, addition)
    causes = MappingProxyType(dict(_causes(model, right, head.key)))
    group = _group(document, model, addition, [*causes, *stocks.values()])
    layout = layout_of(document.text, document.segments)
    limits = range_text(check_range(addition.range, document.path))
    units = units_field(check_units(addition.units, document.path), limits=limits)
    comment = comment_text(check_text(addition.comment, "a comment", document.path), line_end(document.text))
    edits = insert_block(
        document.text, document.segments, layout.block(left, right, units, comment, is_lookup=is_lookup), group
    )
    for sign, stock in stocks.items():
        edits += _change_stock(document, stock, head, sign)
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
    return [*edits, *in_sketch], int(document.lacks_group(group)), view


def _stocks(document: Document, model: Model, addition: Addition) -> dict[str, str]:
    """Return the keys of the stocks of a flow, by the sign with which it enters them."""
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
    found: dict[str, str] = {}
    for sign, stock in (("-", source), ("+", sink)):
        if stock:
            head = parse_name(stock)
            place = document.place(document.find(head.name)[0].start)
            if head.key not in model.elements or model.elements[head.key].kind != "stock":
                raise ModelError([Fault(place, f"'{display_name(stock)}' is not a stock; name one")])
            found[sign] = head.key
    return found


def _right_side(document: Document, left: str, addition: Addition) -> tuple[str, bool]:
    """Return the right-hand side as files have it, and whether it is a lookup's, in parentheses; a stock is an integral of 0."""
    text = addition.equation.strip()
    for lookup in (text, f"({text})"):
        if addition.kind in (None, "lookup") and lookup.startswith("("):
            with suppress(SyntaxProblemError):
                tree = parse(blank_comments(left + lookup))
                if tree.data == "lookup" and tree.children[-1].data == "table":
                    return lookup, True
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
    return text, False


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


def _change_stock(document: Document, stock: str, flow: Head, sign: str) -> Iterator[Edit]:
    """Add a flow to the net flow of a stock, or subtract it, in each block of the stock."""
    for segment in document.find(stock):
        right = document.right_side(segment)
        text, left = document.slice(right), document.left(segment)
        if not _INTEGRAL.match(text):
            what = f"'{display_name(stock)}' is not a plain INTEG; write the flow into its equation by hand"
            raise ModelError([Fault(document.place(segment.start), what)])
        inside = left[left.index("[") : left.index("]") + 1] if flow.subscripts and "[" in left else ""
        name = flow.name.strip() + inside
        rate = _first_argument(text)
        before = text[rate.start : rate.end]
        span = Span(right.start + rate.start, right.start + rate.end)
        if _ZERO.fullmatch(before):
            yield Edit(span, name if sign == "+" else f"-{name}")
        elif parse(blank_comments(f"rate={before}")).children[-1].data in _LOOSE:
            yield Edit(span, f"({before}) {sign} {name}")
        else:
            yield Edit(Span(span.end, span.end), f" {sign} {name}")


def remove_element(document: Document, name: str) -> list[Edit]:
    """Return the edits that remove all blocks that define a name, and what shows it in the sketch."""
    head = parse_name(name)
    blocks = document.find(head.name)
    if head.key in map(key, CLOCK):
        raise ModelError([Fault(document.path, f"'{head.name}': every model needs it; keep it")])
    if head.subscripts:
        what = f"'{display_name(name)}': an element is removed with all of its blocks; leave out the subscripts"
        raise ModelError([Fault(document.path, what)])
    users = list(dict.fromkeys(_users(document, head.key, blocks)))
    if users:
        listed = ", ".join(f"'{user}'" for user in users[:_LISTED])
        more = f" and {len(users) - _LISTED} more" * (len(users) > _LISTED)
        what = f"'{head.name}' is used by {listed}{more}; change those first"
        raise ModelError([Fault(document.place(blocks[0].start), what)])
    return [*remove_blocks(document.segments, blocks), *_remove_from_sketch(document, head.key)]


def _users(document: Document, removed: str, blocks: Sequence[Segment]) -> Iterator[str]:
    """Return the names of the elements that use a key, except in its own blocks."""
    for grouped in grouped_segments(document.text, document.segments):
        segment = grouped.segment
        if segment.kind == "block" and segment not in blocks:
            used = f"{removed}$" if grouped.in_macro else removed
            if any(found.key == used for found in find_names(document.slice(segment.main))):
                yield display_name(document.head(segment).name)


def _remove_from_sketch(document: Document, removed: str) -> Iterator[Edit]:
    """Remove a variable's words, their arrows, its valve with pipes, and the clouds and shadows that only it needed."""
    for view in view_texts(document):
        words = [record for record in view.records if record.is_word]
        arrows = [record for record in view.records if record.ends]
        gone = {word.number for word in words if word.shown == removed}
        for valve, name in pairwise(record for record in view.records if record.is_word or record.kind == ARROW):
            if valve.kind == VALVE and name.is_attached and name.shown == removed:  # the name follows its valve
                gone.add(valve.number)
        cut = [arrow for arrow in arrows if gone.intersection(arrow.ends)]
        joined = {number for arrow in arrows if arrow not in cut for number in arrow.ends}
        loose = {number for arrow in cut for number in arrow.ends} - joined
        gone |= {word.number for word in words if (word.is_cloud or word.is_shadow) and word.number in loose}
        yield from (Edit(record.span, "") for record in (*cut, *(word for word in words if word.number in gone)))
