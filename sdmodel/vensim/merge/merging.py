"""Three versions of a model's text into one, variable by variable: what different people changed does not clash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from ...errors import Fault, ModelError
from ..document import Document
from ..read.reader import model_of
from .formatting import line_end, part_text
from .parts import Part, parts_of, tail_start, whole_text
from .pieces import with_line_ends
from .sketches import merged_tail
from .threeway import merged_order, merged_value

Id = tuple[str, str, str, tuple[str, ...], int]
"""What a part is: kind, macro, name, left-hand subscripts, and its number among those that agree in all of this."""

MARKS = 7
"""Characters of a mark of a conflict, as git has them."""


@dataclass(frozen=True, slots=True)
class Merge:
    """The merged text; the names of what both sides changed, which stand in it between marks; what else is to be told.

    `faults` are those of the merged model that neither side has, such as the use of a variable that the other removed.
    """

    text: str
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left for a person to decide."""
        return not self.conflicts and not self.faults


@dataclass(frozen=True)
class _Item:
    """A part of one version: its text, the blanks behind it, and whether it needs lines of its own."""

    document: Document
    part: Part
    text: str
    gap: str
    alone: bool = False


@dataclass
class _Side:
    """One version: what stands before its parts, and these in order, by what they are."""

    document: Document
    start: str
    items: dict[Id, _Item] = field(default_factory=dict)

    def group(self, each: Id) -> str | None:
        """The group that a part stands in, if this version has it."""
        return self.items[each].part.group if each in self.items else None


def merge_documents(base: Document, ours: Document, theirs: Document, *, marks: int = MARKS) -> Merge:
    """What two sides made of one document, together: blocks, groups, views with their records, and settings.

    A block that one side changed is taken from it; one that both changed differently, or that one changed and the other
    removed, stands as both have it between git's marks. Layout is no change. A line of the sketch that both changed is
    merged field by field, ours where a field clashes, which is told.

    Raises
    ------
    ModelError
        If the text of one of them cannot be cut into blocks.
    """
    if faults := base.faults + ours.faults + theirs.faults:
        raise ModelError(faults)
    end = line_end(ours)
    base, theirs = _with_ends(base, end), _with_ends(theirs, end)
    notes: list[str] = []
    body, conflicts = _body(_side(base), _side(ours), _side(theirs), end, marks, notes)
    tail, clashes = merged_tail(base, ours, theirs, notes, marks)
    text = body + tail
    conflicts += clashes
    faults = () if conflicts else tuple(_new_faults(text, ours, theirs))
    return Merge(text, tuple(conflicts), tuple(dict.fromkeys(notes)), faults)


def _with_ends(document: Document, end: str) -> Document:
    """The same document with another line end."""
    text = with_line_ends(document.text, end)
    return document if text == document.text else Document(document.path, text, document.encoding)


def _side(document: Document) -> _Side:
    parts = parts_of(document)
    starts = [*(part.segment.start for part in parts[1:]), tail_start(document)]
    side = _Side(document, document.text[: parts[0].segment.start if parts else tail_start(document)])
    seen: Counter[tuple[object, ...]] = Counter()
    for part, following in zip(parts, starts, strict=False):
        what = (part.kind, part.scope, part.key if part.kind != "text" else whole_text(document, part), part.subscripts)
        gap = document.text[part.segment.end : following]
        side.items[(*what, seen[what])] = _Item(document, part, whole_text(document, part), gap)
        seen[what] += 1
    return side


def _body(base: _Side, ours: _Side, theirs: _Side, end: str, marks: int, notes: list[str]) -> tuple[str, list[str]]:
    """The equations, and the names of those that clash."""
    chosen: dict[Id, _Item] = {}
    conflicts: list[str] = []
    for each in dict.fromkeys([*ours.items, *theirs.items]):
        was, mine, other = (side.items.get(each) for side in (base, ours, theirs))
        taken, clash = merged_value(was, mine, other, same=_same_item)
        if clash:
            taken, clash = merged_value(was, mine, other, same=_same_form)
        if clash:
            conflicts.append(_name(each, mine or other))
            chosen[each] = _conflict(mine, other, conflicts[-1], end, marks)
        elif taken is not None:
            chosen[each] = taken
            if was and mine and other:
                chosen[each] = replace(taken, gap=merged_value(was.gap, mine.gap, other.gap)[0])
    moved = [
        each
        for each in chosen
        if base.group(each) == ours.group(each) and theirs.group(each) not in (base.group(each), None)
    ]
    order = merged_order(
        list(base.items),
        list(ours.items),
        list(theirs.items),
        chosen,
        begins=lambda each: each[0] == "group",
        moved=moved,
    )
    notes += _regrouped(order, chosen, base, ours, theirs)
    start, _ = merged_value(base.start, ours.start, theirs.start)
    body = start + "".join(_joined(order, chosen, end))
    tailed = any(tail_start(side.document) < len(side.document.text) for side in (ours, theirs))
    return body if body.endswith(end) or not tailed else body + end, conflicts


def _same_form(one: _Item | None, other: _Item | None) -> bool:
    """Whether two versions of a part differ in layout at most."""
    return _form(one) == _form(other)


def _form(item: _Item | None) -> str | None:
    return part_text(item.document, item.part, "\n") if item else None


def _same_item(one: _Item | None, other: _Item | None) -> bool:
    return (one and one.text) == (other and other.text)


def _name(each: Id, item: _Item | None) -> str:
    """What a part is called in messages."""
    kind, scope, _, subscripts, _ = each
    name = item.part.name if item else each[2]
    inside = f"[{','.join(subscripts)}]" if subscripts else ""
    before = f"{kind} " if kind in ("group", "macro") else f"{scope}: " if scope else ""
    return f"{before}{name}{inside}"


def _conflict(ours: _Item | None, theirs: _Item | None, name: str, end: str, marks: int) -> _Item:
    """What both sides have, between git's marks."""
    item = ours or theirs
    assert item is not None  # noqa: S101 - one side has it
    mine, other = (f"{each.text}{end}" if each else "" for each in (ours, theirs))
    text = f"{'<' * marks} ours: {name}{end}{mine}{'=' * marks}{end}{other}{'>' * marks} theirs: {name}"
    return _Item(item.document, item.part, text, item.gap, alone=True)


def _joined(order: Sequence[Id], chosen: Mapping[Id, _Item], end: str) -> Iterator[str]:
    """The texts with the blanks behind them; what must begin a line has an empty line before it."""
    for each, following in zip_longest(order, order[1:]):
        item, after = chosen[each], chosen.get(following) if following else None
        yield item.text
        apart = after is not None and (item.alone or after.alone or after.part.kind == "group")
        yield item.gap if end in item.gap or not apart else end * 2


def _regrouped(
    order: Sequence[Id], chosen: Mapping[Id, _Item], base: _Side, ours: _Side, theirs: _Side
) -> Iterator[str]:
    """What is to be told of blocks that stand in another group than the sides put them into."""
    group = ""
    for each in order:
        if each[0] == "group":
            group = chosen[each].part.name
        if each[0] != "block":
            continue
        was, mine, other = (side.group(each) for side in (base, ours, theirs))
        wanted = other if mine in (was, None) and other is not None else mine
        if wanted is not None and wanted != group:
            yield f"'{chosen[each].part.name}' stands in group '{group}' now, not in '{wanted}'"


def _new_faults(text: str, ours: Document, theirs: Document) -> Iterator[Fault]:
    """What is wrong with the merged model and with neither side."""
    known = {fault.what for side in (ours, theirs) for fault in model_of(side)[1]}
    _, faults = model_of(Document(ours.path, text, ours.encoding))
    yield from (fault for fault in dict.fromkeys(faults) if fault.what not in known)
