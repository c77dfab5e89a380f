"""A new element in a model's file: its block in the file's own style, its place in the sketch, its stocks if it flows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import Fault, ModelError
from ...model import Kind, Model, Range, display, key
from ..document import Document
from ..read.grammar import SyntaxProblemError, parse
from ..read.heads import asked, head_of
from ..read.segments import Segment, Span, blanked
from ..sketch.adding import Newcomer, sketched
from .edits import Edit
from .filling import check_group, check_range, check_text, check_units, comment_text, line_end, with_range
from .layout import inserted, is_control, layout_of
from .mentions import mentions
from .naming import NOW, new_head

_INTEGRAL = re.compile(r"\s*INTEG\s*\(", re.IGNORECASE)
_MARKS = re.compile(r'"(?:[^"\\]|\\[\s\S])*"|\'[^\']*\'|[()\[\],]')
_LOOSE = frozenset({"or", "and", "negation", "comparison"})
"""What binds less than a sum."""
_NOTHING = re.compile(r"0*\.?0*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What is to be added, as a user asks for it; `source` and `sink` are the stocks that a flow drains and fills."""

    name: str
    equation: str
    kind: Kind | None = None
    units: str = ""
    comment: str = ""
    range: Range | tuple[float | None, ...] | None = None
    group: str | None = None
    view: str | None = None
    source: str = ""
    sink: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """The edits that add something, whether they begin a group, and the view in which it is drawn, if there is one."""

    edits: list[Edit]
    groups: int
    view: str


def added(document: Document, model: Model, wanted: Addition) -> Added:
    """How an element is added to a document that says a model."""
    left = new_head(wanted.name, document, model)
    right = _right_side(document, left, wanted)
    head = head_of(left)
    stocks = {way: _stock(document, model, name) for way, name in _ends(document, wanted) if name}
    causes = MappingProxyType(dict(_causes(model, right, head.key)))
    group = _group(document, model, wanted, [*causes, *stocks.values()])
    layout = layout_of(document.text, document.segments)
    limits = check_range(wanted.range, document.path)
    units = with_range(check_units(wanted.units, document.path), limits)
    comment = comment_text(check_text(wanted.comment, "a comment", document.path), line_end(document.text))
    block = layout.block(left, right, units, comment)
    edits = inserted(document.text, document.segments, block, group)
    for way, stock in stocks.items():
        edits += _flowing(document, stock, head.name, bool(head.subscripts), way)
    newcomer = Newcomer(
        name=head.name.strip(),
        kind=_kind(wanted, right),
        causes=causes,
        source=stocks.get("-", ""),
        sink=stocks.get("+", ""),
        company=frozenset(each.key for each in model if key(each.group) == key(group)),
    )
    drawn, view = sketched(document, newcomer, wanted.view)
    return Added([*edits, *drawn], int(document.lacks_group(group)), view)


def _ends(document: Document, wanted: Addition) -> Iterator[tuple[str, str]]:
    """The stocks of a flow, by what it does to them."""
    if wanted.kind == "flow" and not (wanted.source or wanted.sink):
        what = f"'{display(wanted.name)}' is to be a flow; name the stock that it comes from or the one that it goes to"
        raise ModelError([Fault(document.path, what)])
    if wanted.kind not in ("flow", None) and (wanted.source or wanted.sink):
        raise ModelError([Fault(document.path, f"a {wanted.kind} comes from no stock and goes to none; add a flow")])
    if wanted.source and key(wanted.source) == key(wanted.sink):
        raise ModelError(
            [Fault(document.path, f"a flow from '{display(wanted.source)}' to itself does nothing; name another stock")]
        )
    yield "-", wanted.source
    yield "+", wanted.sink


def _kind(wanted: Addition, right: str) -> Kind:
    """What an element is drawn as."""
    if wanted.source or wanted.sink:
        return "flow"
    return "stock" if _INTEGRAL.match(right) else wanted.kind or "auxiliary"


def _right_side(document: Document, left: str, wanted: Addition) -> str:
    """The right-hand side as a file has it: a lookup in parentheses, a stock's as an integral of nothing yet."""
    text = wanted.equation.strip()
    for lookup in (text, f"({text})"):
        if wanted.kind in (None, "lookup") and lookup.startswith("(") and _is_lookup(left + lookup):
            return lookup
    if wanted.kind == "stock" and not _INTEGRAL.match(text):
        text = f"INTEG(0, {text})"
    try:
        tree = parse(blanked(f"{left}={text}"))
    except SyntaxProblemError as error:
        raise ModelError([Fault(document.path, f"'{display(wanted.name)}': {error.problem.what}")]) from None
    if wanted.kind == "lookup" or tree.data != "assignment" or not text:
        what = f"'{display(wanted.name)}': this is no {wanted.kind or 'equation'}; write "
        raise ModelError([Fault(document.path, what + ("(x,y),(x,y)" if wanted.kind == "lookup" else "an expression"))])
    return text


def _is_lookup(text: str) -> bool:
    try:
        tree = parse(blanked(text))
    except SyntaxProblemError:
        return False
    return bool(tree.data == "lookup" and tree.children[-1].data == "table")


def _stock(document: Document, model: Model, name: str) -> str:
    """The key of a stock."""
    segment = document.find(asked(name).name)[0]
    found = asked(name).key
    if found not in model.elements or model.elements[found].kind != "stock":
        raise ModelError([Fault(document.place(segment.start), f"'{display(name)}' is no stock; name one")])
    return found


def _causes(model: Model, right: str, own: str) -> Iterator[tuple[str, tuple[str, bool]]]:
    """What an equation depends on, by key: its name, and whether only the start of a stock does."""
    start = _first_argument(right).end if _INTEGRAL.match(right) else len(right)
    running = {each.key for each in mentions(right[:start]) if not each.bracketed}
    for each in mentions(right):
        if each.bracketed or each.key == own:
            continue
        if each.key in model.elements:
            yield each.key, (model.elements[each.key].name, each.key not in running)
        elif each.key == key(NOW):
            yield each.key, (NOW, False)


def _group(document: Document, model: Model, wanted: Addition, causes: list[str]) -> str:
    """The group that is asked for, else the one of most causes, else what stands before the first header, or behind it."""
    if wanted.group is not None:
        return check_group(wanted.group, document.path)
    found = [model.elements[each] for each in causes if each in model.elements]
    moving = [each for each in found if each.kind != "constant"] or found
    counts = Counter(each.group for each in moving if not is_control(each.group))
    if counts:
        return counts.most_common(1)[0][0]
    others = (each.name for each in model.groups if not is_control(each.name))
    loose = any(not each.group and not each.hidden for each in model)
    return "" if loose else next(others, "")


def _first_argument(right: str) -> Span:
    """Where the first argument of a call stands, in a text that begins with the call."""
    text = blanked(right)
    depth, start = 0, text.index("(") + 1
    for mark in _MARKS.finditer(text, start):
        depth += (mark[0] in "([") - (mark[0] in ")]")
        if depth < 0 or (mark[0] == "," and depth == 0):
            raw = text[start : mark.start()]
            begin = start + len(raw) - len(raw.lstrip())
            return Span(begin, begin + len(raw.strip()))
    return Span(start, len(text))


def _flowing(document: Document, stock: str, name: str, has_subscripts: bool, way: str) -> Iterator[Edit]:  # noqa: FBT001 - a fact of the name
    """The edits by which a stock's net flow has a new flow added or subtracted, in each of its blocks."""
    for segment in document.find(stock):
        right = document.right_side(segment)
        text = document.slice(right)
        if not _INTEGRAL.match(text):
            what = f"'{display(stock)}' is no plain INTEG; write the flow into its equation by hand"
            raise ModelError([Fault(document.place(segment.start), what)])
        yield _into(text, right.start, name.strip() + _subscripts(document, segment, has_subscripts), way)


def _subscripts(document: Document, segment: Segment, has_subscripts: bool) -> str:  # noqa: FBT001 - as above
    found = document.left(segment)
    return found[found.index("[") : found.index("]") + 1] if has_subscripts and "[" in found else ""


def _into(text: str, offset: int, flow: str, way: str) -> Edit:
    """The edit that adds a flow to the first argument of an integral which begins at an offset of the document."""
    rate = _first_argument(text)
    before = text[rate.start : rate.end]
    if _NOTHING.fullmatch(before):
        return Edit(Span(offset + rate.start, offset + rate.end), flow if way == "+" else f"-{flow}")
    new = f" {way} {flow}"
    if parse(blanked(f"rate={before}")).children[-1].data in _LOOSE:
        return Edit(Span(offset + rate.start, offset + rate.end), f"({before}){new}")
    return Edit(Span(offset + rate.end, offset + rate.end), new)
