"""Three-way merge of what follows the equations: views, record by record where both sides changed a view, and settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..document import Document
from ..sketch.records import (
    ARROW,
    NAME,
    NUMBER,
    SOURCE,
    TARGET,
    Record,
    ViewId,
    ViewText,
    split_fields,
    views_by_name,
    whole_number,
)
from .settings import merge_settings, settings_text
from .three_way import merge_order, merge_value, same_text


@dataclass(frozen=True)
class _Tail:
    """What follows the equations, apart from the settings."""

    views: dict[ViewId, ViewText]
    end: str
    graphs: str
    marker: str

    @classmethod
    def of(cls, document: Document) -> _Tail:
        found: dict[str, str] = dict.fromkeys(("sketch end", "graph", "marker"), "")
        for segment in document.segments:
            if segment.kind in found:
                found[segment.kind] += document.text[segment.start : segment.end]
        return cls(views_by_name(document), found["sketch end"], found["graph"], found["marker"])


def merge_tails(
    base: Document, ours: Document, theirs: Document, notes: list[str], marks: int
) -> tuple[str, list[str]]:
    """Return the merged sketch, graphs and settings, and the names of conflicts; what is lost is added to `notes`."""
    was, mine, other = _Tail.of(base), _Tail.of(ours), _Tail.of(theirs)
    graphs, clash = merge_value(was.graphs, mine.graphs, other.graphs, same=same_text)
    if clash:
        notes.append("both sides changed the custom graphs; ours are kept")
    texts = settings_text(base), settings_text(ours), settings_text(theirs)
    settings, conflicts = merge_settings(*texts, notes, marks)
    views = "".join(view.text for view in _merge_views(was.views, mine.views, other.views, notes))
    return views + (mine.end or other.end) + graphs + (mine.marker or other.marker) + settings, conflicts


def _merge_views(
    base: dict[ViewId, ViewText], ours: dict[ViewId, ViewText], theirs: dict[ViewId, ViewText], notes: list[str]
) -> list[ViewText]:
    """Return each view from the side that changed it, merged if both did."""
    chosen: dict[ViewId, ViewText] = {}
    for view in dict.fromkeys([*ours, *theirs]):
        was, mine, other = base.get(view), ours.get(view), theirs.get(view)
        text, clash = merge_value(_text(was), _text(mine), _text(other), same=same_text)
        if clash and mine and other:
            chosen[view] = _ViewMerge(was or ViewText("", (), ()), mine, other, notes).result()
        elif clash:
            notes.append(f"view '{view[0]}': one side removed it and the other changed it; it is kept")
            chosen[view] = mine or other  # type: ignore[assignment] # one of them has it
        elif text is not None:
            chosen[view] = mine if mine and text == mine.text else other  # type: ignore[assignment] # the same
    return [chosen[view] for view in merge_order(list(base), list(ours), list(theirs), chosen)]


class _ViewMerge:
    """The merge of one view that both sides changed."""

    def __init__(self, base: ViewText, ours: ViewText, theirs: ViewText, notes: list[str]) -> None:
        self.base, self.ours, self.theirs, self.notes = base, ours, theirs, notes
        self.name = ours.name

    def result(self) -> ViewText:
        """Return the view with the changes of both sides; ours with a note if records have no numbers of their own."""
        if not all(_is_numbered(view) for view in (self.base, self.ours, self.theirs)):
            self.notes.append(f"view '{self.name}': both sides changed it and its lines have no numbers; ours is kept")
            return self.ours
        head, clash = merge_value(self.base.head, self.ours.head, self.theirs.head, same=_same_records)
        if clash and self.base.head:
            self.notes.append(f"view '{self.name}': both sides changed its style; ours is kept")
        was, mine = ({record.number: record for record in view.records} for view in (self.base, self.ours))
        other = {record.number: record for record in self._renumbered(was, mine)}
        chosen: dict[int, Record] = {}
        for number in dict.fromkeys([*mine, *other]):
            record = self._merge_records(was.get(number), mine.get(number), other.get(number))
            if record is not None:
                chosen[number] = record
        self._drop_loose_arrows(chosen)
        order = merge_order(list(was), list(mine), list(other), chosen)
        return ViewText(self.name, head, tuple(chosen[number] for number in order))

    def _renumbered(self, was: dict[int, Record], mine: dict[int, Record]) -> Iterator[Record]:
        """Return their records; those that they added get numbers that ours has not given to something else."""
        added = [record for record in self.theirs.records if record.number not in was]
        added.sort(key=lambda record: record.kind == ARROW)  # whether arrows agree depends on the words that they join
        own = {(record.kind, record.variable): record.number for record in mine.values() if record.number not in was}
        free = max([*was, *mine, *(record.number for record in self.theirs.records)], default=0) + 1
        numbers: dict[int, int] = {}
        for record in added:
            twin = own.get((record.kind, record.variable)) if record.variable else None
            if twin is not None:
                numbers[record.number] = twin
            elif record.number in mine and not same_text(mine[record.number].text, _renumber(record, numbers).text):
                numbers[record.number] = free
                free += 1
        seen: set[int] = set()
        for record in self.theirs.records:
            renumbered = _renumber(record, numbers)
            if renumbered.number not in seen:
                seen.add(renumbered.number)
                yield renumbered

    def _merge_records(self, was: Record | None, mine: Record | None, other: Record | None) -> Record | None:
        """Return a record merged field by field; ours where a field conflicts."""
        text, clash = merge_value(_text(was), _text(mine), _text(other), same=same_text)
        if not clash:
            return mine if mine and text == mine.text else (other if text is not None else None)
        if mine is None or other is None:
            return None
        if was is None:
            return mine
        versions = [split_fields(record.text) for record in (was, mine, other)]
        if len({len(fields) for fields in versions}) > 1:
            self._keep_ours(mine)
            return mine
        merged = [merge_value(*fields, same=same_text) for fields in zip(*versions, strict=True)]
        if any(clash for _, clash in merged):
            self._keep_ours(mine)
        return Record(",".join(text for text, _ in merged))

    def _keep_ours(self, record: Record) -> None:
        name = record.fields[NAME] if record.kind != ARROW else f"arrow {record.number}"
        self.notes.append(f"view '{self.name}': both sides moved or changed '{name}'; ours is kept")

    def _drop_loose_arrows(self, chosen: dict[int, Record]) -> None:
        """Leave out arrows to or from what the other side removed."""
        known = {*(record.number for record in self.base.records), *chosen}
        for number, record in list(chosen.items()):
            if any(end in known and end not in chosen for end in record.ends):
                del chosen[number]
                self.notes.append(f"view '{self.name}': an arrow to what the other side removed is left out")


def _text(part: ViewText | Record | None) -> str | None:
    return part.text if part else None


def _same_records(one: Sequence[Record], other: Sequence[Record]) -> bool:
    texts = ["".join(record.text for record in records) for records in (one, other)]
    return same_text(*texts)


def _is_numbered(view: ViewText) -> bool:
    """Whether every line is a record with a number of its own."""
    numbers = [record.number for record in view.records]
    return all(record.kind for record in view.records) and len(set(numbers)) == len(numbers)


def _renumber(record: Record, numbers: dict[int, int]) -> Record:
    """Return the same record where records have other numbers, including the ends of arrows."""
    fields = list(split_fields(record.text))
    for place in (NUMBER, SOURCE, TARGET) if record.kind == ARROW else (NUMBER,):
        number = whole_number(fields[place]) if place < len(fields) else None
        if number in numbers:
            fields[place] = str(numbers[number])
    return Record(",".join(fields))
