"""What differs between the sketches of two documents: views, and how many words and arrows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ..document import Document
from .sheets import ARROW, NAME, NUMBER, POSITION, VARIABLE, Record, Sheet, sheets_by_name


def sketch_differences(old: Document, new: Document, names: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """What differs between the views of two sketches, as (kind, view, old, new); `names` are new names by old ones.

    A view that only one of them has is of the kind `view`; what differs inside a view is counted, kind `sketch`.
    """
    before, after = sheets_by_name(old), sheets_by_name(new)
    for name, sheet in before.items():
        if name not in after:
            yield "view", sheet.name, _size(sheet), ""
    for name, sheet in after.items():
        if name not in before:
            yield "view", sheet.name, "", _size(sheet)
        elif told := _told(before[name], sheet, names):
            yield "sketch", sheet.name, "", told
    if set(before) == set(after) and list(before) != list(after):
        yield "sketch", "", ", ".join(each.name for each in before.values()), "views in another order"


def _size(sheet: Sheet) -> str:
    arrows = sum(record.kind == ARROW for record in sheet.records)
    return ", ".join(_counted({"word": len(sheet.records) - arrows, "arrow": arrows}, ""))


def _told(old: Sheet, new: Sheet, names: Mapping[str, str]) -> str:
    """What differs inside a view, in words: how many words and arrows are moved, changed, added, removed."""
    words: Counter[str] = Counter()
    arrows: Counter[str] = Counter()
    before, after = _matched(old, new, names)
    for one, other in before:
        counts = arrows if one.kind == ARROW else words
        counts[_change(one, other, names)] += 1
    for sign, rest in after.items():
        for record in rest:
            (arrows if record.kind == ARROW else words)[sign] += 1
    told = [
        part
        for how in ("moved", "changed", "added", "removed")
        for part in _counted({"word": words[how], "arrow": arrows[how]}, f" {how}")
    ]
    return ", ".join([*told, *(["its style changed"] if old.head.split() != new.head.split() else [])])


def _counted(counts: Mapping[str, int], what: str) -> Iterator[str]:
    for name, count in counts.items():
        if count:
            yield f"{count} {name}{'s' * (count > 1)}{what}"


def _matched(
    old: Sheet, new: Sheet, names: Mapping[str, str]
) -> tuple[list[tuple[Record, Record]], dict[str, list[Record]]]:
    """Records that are the same thing, by number and what they stand for, else by what they stand for; and the rest."""
    left = {record.number: record for record in new.records}
    pairs: list[tuple[Record, Record]] = []
    rest: list[Record] = []
    for record in old.records:
        other = left.get(record.number)
        if other is not None and _stands_for(other, {}) == _stands_for(record, names):
            pairs.append((record, left.pop(record.number)))
        else:
            rest.append(record)
    gone = []
    for record in rest:
        wanted = _stands_for(record, names)
        alike = [number for number, each in left.items() if each.kind == VARIABLE and _stands_for(each, {}) == wanted]
        if alike:
            pairs.append((record, left.pop(alike[0])))
        else:
            gone.append(record)
    return pairs, {"removed": gone, "added": list(left.values())}


def _stands_for(record: Record, names: Mapping[str, str]) -> tuple[int, str]:
    """What kind of thing a record is, and for a variable which."""
    return record.kind, names.get(record.variable, record.variable)


def _change(old: Record, new: Record, names: Mapping[str, str]) -> str:
    """How two records of one thing differ; `same` where only the number or the spelling does."""
    before, after = ([field.strip() for field in record.fields] for record in (old, new))
    if _stands_for(old, names)[1]:
        before[NAME] = after[NAME]
    before[NUMBER] = after[NUMBER]
    if before == after:
        return "same"
    if old.kind == ARROW:
        return "changed"
    before[POSITION] = after[POSITION]
    return "moved" if before == after else "changed"
