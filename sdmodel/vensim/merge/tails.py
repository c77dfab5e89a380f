"""What follows the equations, that is the sketch, graphs and settings: differences of two versions, and three-way merge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ...errors import format_count
from ..document import Document
from ..read.syntax import LINE_END, METHODS, integration_method
from ..sketch.views import (
    ARROW,
    NAME,
    NUMBER,
    POSITION,
    SOURCE,
    TARGET,
    VARIABLE,
    Record,
    ViewId,
    ViewText,
    split_fields,
    views_by_name,
    whole_number,
)
from .parts import text_of_kind
from .three_way import merge_order, merge_value, same_text
from .tokens import with_line_ends

LineId = tuple[str, int]
"""The code of a line, and its number among the lines of that code."""

_SUBJECTS = {
    "1": "result files", "4": "workbench time", "5": "workbench variable", "6": "subscript selection",
    "8": "custom graphs", "9": "run name", "10": "change files", "11": "optimization control", "12": "payoff definition",
    "13": "data files", "15": "integrator", "18": "sensitivity control", "20": "save list", "22": "units that are the same",
    "24": "first time shown", "25": "last time shown", "26": "last time", "30": "data aliases",
}  # fmt: skip
"""The meaning of each code, as far as Vensim's manual describes it."""

_INTEGRATOR, _UNITS = "15", "22"
_ESSENTIAL = frozenset({_INTEGRATOR, "30"})
"""Codes that change results and of which two versions cannot be combined."""


def sketch_differences(old: Document, new: Document, names: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Return the differences between two sketches as (kind, view, old, new); `names` are new names by old ones.

    A view that only one of them has is of the kind `view`; what differs inside a view is counted, kind `sketch`.
    """
    before, after = views_by_name(old), views_by_name(new)
    for name, view in before.items():
        if name not in after:
            yield "view", view.name, _size(view), ""
    for name, view in after.items():
        if name not in before:
            yield "view", view.name, "", _size(view)
        elif changes := _changes(before[name], view, names):
            yield "sketch", view.name, "", changes
    if set(before) == set(after) and list(before) != list(after):
        yield "sketch", "", ", ".join(view.name for view in before.values()), "views in another order"


def _size(view: ViewText) -> str:
    return _counted(Counter(("", record.kind == ARROW) for record in view.records))


def _changes(old: ViewText, new: ViewText, names: Mapping[str, str]) -> str:
    """Describe the differences inside a view: how many words and arrows were moved, changed, added, removed."""
    pairs, removed, added = _matched(old, new, names)
    counts = Counter((_change(before, after), before.kind == ARROW) for before, after in pairs)
    counts.update(("removed", record.kind == ARROW) for record in removed)
    counts.update(("added", record.kind == ARROW) for record in added)
    styles = ["".join(record.text for record in view.head).split() for view in (old, new)]
    found = [_counted(counts), "its style changed" if styles[0] != styles[1] else ""]
    return ", ".join(text for text in found if text)


def _counted(counts: Counter[tuple[str, bool]]) -> str:
    """Describe numbers of words and arrows, by what happened to them and whether they are arrows."""
    found: list[str] = []
    for change, is_arrow in product(("", "moved", "changed", "added", "removed"), (False, True)):
        if number := counts[change, is_arrow]:
            found.append(f"{format_count(number, 'arrow' if is_arrow else 'word')} {change}".rstrip())
    return ", ".join(found)


def _matched(
    old: ViewText, new: ViewText, names: Mapping[str, str]
) -> tuple[list[tuple[Record, Record]], list[Record], list[Record]]:
    """Return pairs of records that show the same thing, if possible under the same number; removed and added records."""
    left = _keyed(new)
    pairs: list[tuple[Record, Record]] = []
    rest: list[Record] = []
    for mark, record in _keyed(old).items():
        other = left.get(mark)
        if other is not None and _identity(other, {}) == _identity(record, names):
            pairs.append((record, left.pop(mark)))
        else:
            rest.append(record)
    removed = []
    for record in rest:
        shown = _identity(record, names)
        same = [m for m, other in left.items() if other.kind in (0, VARIABLE) and _identity(other, {}) == shown]
        if same:
            pairs.append((record, left.pop(same[0])))
        else:
            removed.append(record)
    return pairs, removed, list(left.values())


def _keyed(view: ViewText) -> dict[tuple[int, str, int], Record]:
    """Return records by number, and other lines by their text; those that agree in these are numbered."""
    seen: Counter[tuple[int, str]] = Counter()
    found: dict[tuple[int, str, int], Record] = {}
    for record in view.records:
        mark = record.number, "" if record.kind else record.text.strip()
        found[*mark, seen[mark]] = record
        seen[mark] += 1
    return found


def _identity(record: Record, names: Mapping[str, str]) -> tuple[int, str]:
    """Return the kind of a record, and the variable of a word."""
    return record.kind, names.get(record.variable, record.variable)


def _change(old: Record, new: Record) -> str:
    """Classify the difference of two records of one thing; `same` where only the number or the spelling differs."""
    texts = (with_line_ends(record.text, "\n") for record in (old, new))
    before, after = ([field.strip() for field in split_fields(text)] for text in texts)
    if old.kind:  # a line of another kind may have fewer fields
        before[NUMBER] = after[NUMBER]
    if old.variable:
        before[NAME] = after[NAME]
    if before == after:
        return "same"
    if old.kind not in (0, ARROW):
        before[POSITION] = after[POSITION]
    return "moved" if before == after else "changed"


def settings_differences(old: Document, new: Document) -> Iterator[tuple[str, str, str]]:
    """Return the settings that differ as (subject, old, new), without the lines that both have."""
    before, after = (_by_code(text_of_kind(document, "setting")) for document in (old, new))
    for code in dict.fromkeys([*before, *after]):
        was, now = before.get(code, []), after.get(code, [])
        one, other = map(integration_method, (was, now))
        if code == _INTEGRATOR and one != other:
            yield _subject(code), METHODS.get(one, one), METHODS.get(other, other)
            continue
        only = Counter(was) - Counter(now), Counter(now) - Counter(was)
        if any(only):
            removed, added = ("\n".join(line.partition(":")[2] for line in lines.elements()) for lines in only)
            yield _subject(code), removed, added


def _merge_settings(base: str, ours: str, theirs: str, *, notes: list[str], marks: int) -> tuple[str, list[str]]:
    """Return the merged settings, and the names of those that conflict.

    Where both sides changed a line, ours is kept and added to `notes`; it is a conflict only if it changes results.
    """
    text, clash = merge_value(base, ours, theirs, same=same_text)
    if not clash:
        return text, []
    was, mine, other = _by_code(base), _by_code(ours), _by_code(theirs)
    conflicts: list[str] = []
    chosen: dict[LineId, str] = {}
    for code in dict.fromkeys([*mine, *other]):
        versions = was.get(code, []), mine.get(code, []), other.get(code, [])
        lines, clash = (_merge_units(*versions), False) if code == _UNITS else merge_value(*versions)
        subject = _subject(code)
        if clash and code in _ESSENTIAL:
            conflicts.append(f"settings: {subject}")
            start, end = f"{'<' * marks} ours: {subject}", f"{'>' * marks} theirs: {subject}"
            lines = ["\n".join([start, *versions[1], "=" * marks, *versions[2], end])]
        elif clash:
            notes.append(f"both sides changed the settings' {subject}; ours is kept")
        chosen |= {(code, number): line for number, line in enumerate(lines)}
    order = merge_order(_ids(base), _ids(ours), _ids(theirs), chosen)
    order += [line for line in chosen if line not in order]
    end = found[0] if (found := LINE_END.search(ours)) else "\n"
    return "".join(with_line_ends(f"{chosen[line]}\n", end) for line in order), conflicts


def _merge_units(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    """Return the synonyms of units without those that one side removed, with those that either added."""
    kept = [line for line in ours if line in theirs or line not in base]
    return kept + [line for line in theirs if line not in base and line not in ours]


def _subject(code: str) -> str:
    return _SUBJECTS.get(code, f"line {code}")


def _lines(text: str) -> list[tuple[str, str]]:
    """Return the lines that are not blank, each with its code."""
    return [(line.partition(":")[0], line) for line in LINE_END.split(text) if line.strip()]


def _by_code(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code, line in _lines(text):
        found.setdefault(code, []).append(line)
    return found


def _ids(text: str) -> list[LineId]:
    codes = [code for code, _ in _lines(text)]
    return [(code, codes[:place].count(code)) for place, code in enumerate(codes)]


def merge_tails(
    base: Document, ours: Document, theirs: Document, notes: list[str], marks: int
) -> tuple[str, list[str]]:
    """Return the merged sketch, graphs and settings, and the names of conflicts; what is lost is added to `notes`."""
    versions = base, ours, theirs
    graphs, clash = merge_value(*(text_of_kind(version, "graph") for version in versions), same=same_text)
    if clash:
        notes.append("both sides changed the custom graphs; ours are kept")
    texts = (text_of_kind(version, "setting") for version in versions)
    settings, conflicts = _merge_settings(*texts, notes=notes, marks=marks)
    views = "".join(view.text for view in _merge_views(*map(views_by_name, versions), notes=notes))
    end = text_of_kind(ours, "sketch end") or text_of_kind(theirs, "sketch end")
    marker = text_of_kind(ours, "marker") or text_of_kind(theirs, "marker")
    return views + end + graphs + marker + settings, conflicts


def _merge_views(
    base: dict[ViewId, ViewText], ours: dict[ViewId, ViewText], theirs: dict[ViewId, ViewText], *, notes: list[str]
) -> list[ViewText]:
    """Return each view from the side that changed it, merged if both did."""
    chosen: dict[ViewId, ViewText] = {}
    for view in dict.fromkeys([*ours, *theirs]):
        was, mine, other = base.get(view), ours.get(view), theirs.get(view)
        text, clash = merge_value(_text(was), _text(mine), _text(other), same=same_text)
        if clash and mine and other:
            chosen[view] = _merge_view(was or ViewText((), ()), mine, other, notes)
        elif clash:
            notes.append(f"view '{view[0]}': one side removed it and the other changed it; it is kept")
            chosen[view] = mine or other  # type: ignore[assignment] # one of them has it
        elif text is not None:
            chosen[view] = mine if mine and text == mine.text else other  # type: ignore[assignment] # the same
    return [chosen[view] for view in merge_order(list(base), list(ours), list(theirs), chosen)]


def _merge_view(base: ViewText, ours: ViewText, theirs: ViewText, notes: list[str]) -> ViewText:
    """Return a view that both sides changed; ours with a note if records have no numbers of their own."""
    if not all(_is_numbered(view) for view in (base, ours, theirs)):
        notes.append(f"view '{ours.name}': both sides changed it and its lines have no numbers; ours is kept")
        return ours
    head, clash = merge_value(base.head, ours.head, theirs.head, same=_same_records)
    if clash and base.head:
        notes.append(f"view '{ours.name}': both sides changed its style; ours is kept")
    was, mine = ({record.number: record for record in view.records} for view in (base, ours))
    other = _renumbered(was, mine, theirs.records)
    chosen: dict[int, Record] = {}
    for number in dict.fromkeys([*mine, *other]):
        record, clash = _merge_records(was.get(number), mine.get(number), other.get(number))
        if record:
            chosen[number] = record
        if clash:
            name = mine[number].fields[NAME] if mine[number].kind != ARROW else f"arrow {number}"
            notes.append(f"view '{ours.name}': both sides moved or changed '{name}'; ours is kept")
    known = {*was, *chosen}
    for number, record in list(chosen.items()):
        if any(end in known and end not in chosen for end in record.ends):
            del chosen[number]
            notes.append(f"view '{ours.name}': an arrow to what the other side removed is left out")
    order = merge_order(list(was), list(mine), list(other), chosen)
    return ViewText(head, tuple(chosen[number] for number in order))


def _renumbered(was: dict[int, Record], mine: dict[int, Record], theirs: Sequence[Record]) -> dict[int, Record]:
    """Return their records; those that they added get numbers that ours has not given to something else."""
    added = [record for record in theirs if record.number not in was]
    added.sort(key=lambda record: record.kind == ARROW)  # whether arrows agree depends on the words that they join
    own = {(record.kind, record.variable): record.number for record in mine.values() if record.number not in was}
    free = max([*was, *mine, *(record.number for record in theirs)], default=0) + 1
    numbers: dict[int, int] = {}
    for record in added:
        twin = own.get((record.kind, record.variable)) if record.variable else None
        if twin is not None:
            numbers[record.number] = twin
        elif record.number in mine and not same_text(mine[record.number].text, _renumber(record, numbers).text):
            numbers[record.number] = free
            free += 1
    found: dict[int, Record] = {}
    for record in theirs:
        renumbered = _renumber(record, numbers)
        found.setdefault(renumbered.number, renumbered)
    return found


def _merge_records(was: Record | None, mine: Record | None, other: Record | None) -> tuple[Record | None, bool]:
    """Return a record merged field by field, ours where a field conflicts, and whether one does."""
    text, clash = merge_value(_text(was), _text(mine), _text(other), same=same_text)
    if not clash:
        return mine if mine and text == mine.text else (other if text is not None else None), False
    if mine is None or other is None:
        return None, False
    if was is None:
        return mine, False
    versions = [split_fields(record.text) for record in (was, mine, other)]
    if len({len(fields) for fields in versions}) > 1:
        return mine, True
    merged = [merge_value(*fields, same=same_text) for fields in zip(*versions, strict=True)]
    return Record(",".join(text for text, _ in merged)), any(clash for _, clash in merged)


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
