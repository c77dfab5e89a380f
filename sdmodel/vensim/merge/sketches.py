"""Three versions of a sketch into one: view by view, and record by record where both sides changed a view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..document import Document
from ..sketch.sheets import ARROW, NAME, NUMBER, SOURCE, TARGET, Record, Sheet, SheetId, sheets_by_name
from .settings import merged_settings, settings_text
from .threeway import merged_order, merged_value, same_text


@dataclass(frozen=True)
class _Tail:
    """What follows the equations and is no setting, in its parts."""

    sheets: dict[SheetId, Sheet]
    end: str
    graphs: str
    marker: str


def merged_tail(
    base: Document, ours: Document, theirs: Document, notes: list[str], marks: int
) -> tuple[str, list[str]]:
    """The sketch, the graphs and the settings, and what clashes in them; what is lost is told in `notes`."""
    was, mine, other = _tail(base), _tail(ours), _tail(theirs)
    graphs, clash = merged_value(was.graphs, mine.graphs, other.graphs, same=same_text)
    if clash:
        notes.append("both sides changed the custom graphs; ours are kept")
    texts = settings_text(base), settings_text(ours), settings_text(theirs)
    settings, conflicts = merged_settings(*texts, notes, marks)
    views = "".join(sheet.text for sheet in _views(was.sheets, mine.sheets, other.sheets, notes))
    return views + (mine.end or other.end) + graphs + (mine.marker or other.marker) + settings, conflicts


def _tail(document: Document) -> _Tail:
    found: dict[str, str] = dict.fromkeys(("sketch end", "graph", "marker"), "")
    for segment in document.segments:
        if segment.kind in found:
            found[segment.kind] += document.text[segment.start : segment.end]
    return _Tail(sheets_by_name(document), found["sketch end"], found["graph"], found["marker"])


def _views(
    base: dict[SheetId, Sheet], ours: dict[SheetId, Sheet], theirs: dict[SheetId, Sheet], notes: list[str]
) -> list[Sheet]:
    """The views: of those that one side changed its own, of those that both changed what both did."""
    chosen: dict[SheetId, Sheet] = {}
    for each in dict.fromkeys([*ours, *theirs]):
        was, mine, other = base.get(each), ours.get(each), theirs.get(each)
        text, clash = merged_value(_text(was), _text(mine), _text(other), same=same_text)
        if clash and mine and other:
            chosen[each] = _View(was or Sheet("", "", ()), mine, other, notes).merged()
        elif clash:
            notes.append(f"view '{each[0]}': one side removed it and the other changed it; it is kept")
            chosen[each] = mine or other  # type: ignore[assignment] # one of them has it
        elif text is not None:
            chosen[each] = mine if mine and text == mine.text else other  # type: ignore[assignment] # the same
    return [chosen[each] for each in merged_order(list(base), list(ours), list(theirs), chosen)]


class _View:
    """One view that both sides changed."""

    def __init__(self, base: Sheet, ours: Sheet, theirs: Sheet, notes: list[str]) -> None:
        self.base, self.ours, self.theirs, self.notes = base, ours, theirs, notes
        self.name = ours.name

    def merged(self) -> Sheet:
        """The view with what both sides did, or ours, which is told, if its numbers do not tell its records apart."""
        if not all(_is_plain(sheet) for sheet in (self.base, self.ours, self.theirs)):
            self.notes.append(f"view '{self.name}': both sides changed it and its lines have no numbers; ours is kept")
            return self.ours
        head, clash = merged_value(self.base.head, self.ours.head, self.theirs.head, same=same_text)
        if clash and self.base.head:
            self.notes.append(f"view '{self.name}': both sides changed its style; ours is kept")
        was, mine = ({each.number: each for each in sheet.records} for sheet in (self.base, self.ours))
        other = {each.number: each for each in self._renumbered(was, mine)}
        chosen: dict[int, Record] = {}
        for number in dict.fromkeys([*mine, *other]):
            record = self._record(was.get(number), mine.get(number), other.get(number))
            if record is not None:
                chosen[number] = record
        self._drop_loose(chosen)
        order = merged_order(list(was), list(mine), list(other), chosen)
        return Sheet(self.name, head, tuple(chosen[number] for number in order))

    def _renumbered(self, was: dict[int, Record], mine: dict[int, Record]) -> Iterator[Record]:
        """Their records, those that they added with numbers that ours did not give to something else."""
        added = [each for each in self.theirs.records if each.number not in was]
        added.sort(key=lambda each: each.kind == ARROW)  # which arrows are the same depends on the words they join
        own = {(each.kind, each.variable): each.number for each in mine.values() if each.number not in was}
        free = max([*was, *mine, *(each.number for each in self.theirs.records)], default=0) + 1
        numbers: dict[int, int] = {}
        for each in added:
            twin = own.get((each.kind, each.variable)) if each.variable else None
            if twin is not None:
                numbers[each.number] = twin
            elif each.number in mine and not same_text(mine[each.number].text, _with_numbers(each, numbers).text):
                numbers[each.number] = free
                free += 1
        seen: set[int] = set()
        for each in self.theirs.records:
            record = _with_numbers(each, numbers)
            if record.number not in seen:
                seen.add(record.number)
                yield record

    def _record(self, was: Record | None, mine: Record | None, other: Record | None) -> Record | None:
        """One record that some side has; of fields that both changed ours."""
        text, clash = merged_value(_text(was), _text(mine), _text(other), same=same_text)
        if not clash:
            return mine if mine and text == mine.text else (other if text is not None else None)
        if mine is None or other is None:
            return None
        if was is None:
            return mine
        parts = was.fields, mine.fields, other.fields
        if len({len(each) for each in parts}) > 1:
            self._keep_ours(mine)
            return mine
        merged = [merged_value(*each, same=same_text) for each in zip(*parts, strict=True)]
        if any(clash for _, clash in merged):
            self._keep_ours(mine)
        return Record(mine.kind, mine.number, ",".join(text for text, _ in merged))

    def _keep_ours(self, record: Record) -> None:
        name = record.fields[NAME] if record.kind != ARROW else f"arrow {record.number}"
        self.notes.append(f"view '{self.name}': both sides moved or changed '{name}'; ours is kept")

    def _drop_loose(self, chosen: dict[int, Record]) -> None:
        """Leave out arrows to or from what the other side removed."""
        known = {*(each.number for each in self.base.records), *chosen}
        for number, record in list(chosen.items()):
            if record.kind == ARROW:
                ends = {int(each.strip()) for each in record.fields[SOURCE : TARGET + 1] if each.strip().isdecimal()}
                if any(end in known and end not in chosen for end in ends):
                    del chosen[number]
                    self.notes.append(f"view '{self.name}': an arrow to what the other side removed is left out")


def _text(what: Sheet | Record | None) -> str | None:
    return what.text if what else None


def _is_plain(sheet: Sheet) -> bool:
    """Whether every line is a record with a number of its own."""
    numbers = [each.number for each in sheet.records]
    return all(each.kind for each in sheet.records) and len(set(numbers)) == len(numbers)


def _with_numbers(record: Record, numbers: dict[int, int]) -> Record:
    """The same record where records have other numbers; what an arrow joins is among them."""
    places = (NUMBER, SOURCE, TARGET) if record.kind == ARROW else (NUMBER,)
    fields = list(record.fields)
    for place in places:
        if place < len(fields) and fields[place].strip().isdecimal():
            old = int(fields[place].strip())
            fields[place] = str(numbers[old]) if old in numbers else fields[place]
    return Record(record.kind, numbers.get(record.number, record.number), ",".join(fields))
