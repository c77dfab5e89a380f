"""Three-way merge of a model, variable by variable: changes of different variables do not conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from ...errors import Fault, ModelError
from ...model import join_name
from ..document import AnyDocument, Document
from ..read.reader import model_of
from .formatting import part_text, usual_line_end
from .parts import Part, parts_of, tail_start
from .renames import with_new_names
from .tails import merge_tails
from .three_way import merge_order, merge_value
from .tokens import with_line_ends

Id = tuple[str, str, str, tuple[str, ...], int]
"""The identity of a part: kind, macro, name, left-hand subscripts, and its number among the parts that agree in these."""


@dataclass(frozen=True, slots=True)
class Merge:
    """The result of a merge: its text, the conflicts, which are between marks in the text, and notes for the user.

    `faults` are those of the merged model that neither side has, such as the use of a variable that the other side removed.
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
    """A part of one version: its text, the blanks after it, and whether it needs lines of its own."""

    part: Part
    text: str
    blank: str
    alone: bool = False


@dataclass
class _Side:
    """One version: the text before its parts, and the parts in order."""

    document: Document
    start: str
    items: dict[Id, _Item] = field(default_factory=dict)

    def group(self, item: Id) -> str | None:
        """Return the group of a part, if this version has it."""
        return self.items[item].part.group if item in self.items else None


def merge_documents(base: AnyDocument, ours: AnyDocument, theirs: AnyDocument, *, marks: int = 7) -> Merge:
    """Merge two edited versions of a model with their common base: blocks, groups, views and their records, settings.

    A block that one side changed is taken from that side; changes of layout do not count. A block that both sides changed
    differently, or that one changed and the other removed, is a conflict: the text has both versions between git's marks.
    A name that one side gave to a variable or a range replaces the old one in what the other side changed or added.
    A record of the sketch that both changed is merged field by field; where a field differs, ours is kept, with a note.

    Parameters
    ----------
    base : Document or OpenDocument
        The version from which both sides started, from `open_document`, or from `Document.from_bytes`.
    ours, theirs : Document or OpenDocument
        The two edited versions.
    marks : int
        Number of characters of a conflict mark; git's have 7.

    Returns
    -------
    Merge
        The merged `text`, and `conflicts`, `notes` and `faults`; `is_clean` says that nothing is left to decide.

    Raises
    ------
    ModelError
        If the text of one of them cannot be split into blocks.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.vensim import Document
    >>> def version(a, b):
    ...     return Document.from_bytes(f"a = {a} ~~|{chr(10)}b = {b} ~~|".encode(), "model.mdl")
    >>> merge = sd.merge_documents(version(1, 2), version(3, 2), version(1, 4))
    >>> print(merge.text)
    a = 3 ~~|
    b = 4 ~~|
    >>> sd.merge_documents(version(1, 2), version(3, 2), version(5, 2)).conflicts
    ('a',)
    """
    base, ours, theirs = base.document, ours.document, theirs.document
    if problems := base.faults + ours.faults + theirs.faults:
        raise ModelError(problems)
    end = usual_line_end(ours)
    base, theirs = _with_ends(base, end), _with_ends(theirs, end)
    notes: list[str] = []
    base, ours, theirs = with_new_names(base, ours, theirs, notes)
    body, conflicts = _merge_bodies(_side(base), _side(ours), _side(theirs), end, marks, notes)
    tail, clashes = merge_tails(base, ours, theirs, notes, marks)
    text = body + tail
    conflicts += clashes
    faults: list[Fault] = []
    if not conflicts:
        known = {fault.what for side in (ours, theirs) for fault in model_of(side)[1]}
        found = dict.fromkeys(model_of(Document(ours.path, text, ours.encoding))[1])
        faults = [fault for fault in found if fault.what not in known]
    return Merge(text, tuple(conflicts), tuple(dict.fromkeys(notes)), tuple(faults))


def _with_ends(document: Document, end: str) -> Document:
    text = with_line_ends(document.text, end)
    return document if text == document.text else Document(document.path, text, document.encoding)


def _side(document: Document) -> _Side:
    parts = parts_of(document)
    starts = [*(part.segment.start for part in parts[1:]), tail_start(document)]
    side = _Side(document, document.text[: parts[0].segment.start if parts else tail_start(document)])
    seen: Counter[tuple[object, ...]] = Counter()
    for part, following in zip(parts, starts, strict=False):
        identity = (part.kind, part.scope, part.key if part.kind != "text" else part.text, part.subscripts)
        side.items[(*identity, seen[identity])] = _Item(part, part.text, document.text[part.segment.end : following])
        seen[identity] += 1
    return side


def _merge_bodies(
    base: _Side, ours: _Side, theirs: _Side, end: str, marks: int, notes: list[str]
) -> tuple[str, list[str]]:
    """Return the merged equations, and the names of those that conflict."""
    chosen: dict[Id, _Item] = {}
    conflicts: list[str] = []
    for item in dict.fromkeys([*ours.items, *theirs.items]):
        was, mine, other = (side.items.get(item) for side in (base, ours, theirs))
        taken, clash = merge_value(was, mine, other, same=_same_text)
        if clash:
            taken, clash = merge_value(was, mine, other, same=_same_form)
        if clash:
            name, chosen[item] = _conflict(item, mine, other, end, marks)
            conflicts.append(name)
        elif taken is not None:
            chosen[item] = taken
            if was and mine and other:
                chosen[item] = replace(taken, blank=merge_value(was.blank, mine.blank, other.blank)[0])
    moved = [
        item
        for item in chosen
        if base.group(item) == ours.group(item) and theirs.group(item) not in (base.group(item), None)
    ]
    orders = list(base.items), list(ours.items), list(theirs.items)
    order = merge_order(*orders, chosen, begins=lambda item: item[0] == "group", moved=moved)
    notes += _group_notes(order, chosen, base, ours, theirs)
    start, _ = merge_value(base.start, ours.start, theirs.start)
    body = start + "".join(_join(order, chosen, end))
    has_tail = any(tail_start(side.document) < len(side.document.text) for side in (ours, theirs))
    return body if body.endswith(end) or not has_tail else body + end, conflicts


def _same_text(one: _Item | None, other: _Item | None) -> bool:
    return (one and one.text) == (other and other.text)


def _same_form(one: _Item | None, other: _Item | None) -> bool:
    """Whether two versions of a part differ at most in layout."""
    return (one and part_text(one.part, "\n")) == (other and part_text(other.part, "\n"))


def _conflict(identity: Id, ours: _Item | None, theirs: _Item | None, end: str, marks: int) -> tuple[str, _Item]:
    """Return the name of a part, and both versions of it between git's marks."""
    item = ours or theirs
    assert item is not None  # noqa: S101 - one side has it
    kind, scope, _, subscripts, _ = identity
    before = f"{kind} " if kind in ("group", "macro") else f"{scope}: " if scope else ""
    name = f"{before}{join_name(item.part.name, subscripts)}"
    mine, other = (f"{side.text}{end}" if side else "" for side in (ours, theirs))
    text = f"{'<' * marks} ours: {name}{end}{mine}{'=' * marks}{end}{other}{'>' * marks} theirs: {name}"
    return name, _Item(item.part, text, item.blank, alone=True)


def _join(order: Sequence[Id], chosen: Mapping[Id, _Item], end: str) -> Iterator[str]:
    """Return the texts with the blanks after them, with an empty line around what must begin a line."""
    for identity, following in zip_longest(order, order[1:]):
        item, after = chosen[identity], chosen.get(following) if following else None
        yield item.text
        apart = after is not None and (item.alone or after.alone or after.part.kind == "group")
        yield item.blank if end in item.blank or not apart else end * 2


def _group_notes(
    order: Sequence[Id], chosen: Mapping[Id, _Item], base: _Side, ours: _Side, theirs: _Side
) -> Iterator[str]:
    """Note the blocks that are in another group than the sides put them into."""
    group = ""
    for item in order:
        if item[0] == "group":
            group = chosen[item].part.name
        if item[0] != "block":
            continue
        was, mine, other = (side.group(item) for side in (base, ours, theirs))
        intended = other if mine in (was, None) and other is not None else mine
        if intended is not None and intended != group:
            yield f"'{chosen[item].part.name}' is in group '{group}' now, not in '{intended}'"
