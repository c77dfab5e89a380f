"""Differences between the sketches of two documents: views, and the numbers of words and arrows that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ..document import Document
from .records import ARROW, NAME, NUMBER, POSITION, VARIABLE, Record, ViewText, split_fields, views_by_name


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
    arrows = sum(record.kind == ARROW for record in view.records)
    return ", ".join(_counted({"word": len(view.records) - arrows, "arrow": arrows}, ""))


def _changes(old: ViewText, new: ViewText, names: Mapping[str, str]) -> str:
    """Describe the differences inside a view: how many words and arrows were moved, changed, added, removed."""
    words: Counter[str] = Counter()
    arrows: Counter[str] = Counter()
    pairs, rest = _matched(old, new, names)
    for before, after in pairs:
        (arrows if before.kind == ARROW else words)[_change(before, after, names)] += 1
    for change, records in rest.items():
        for record in records:
            (arrows if record.kind == ARROW else words)[change] += 1
    found = [
        text
        for change in ("moved", "changed", "added", "removed")
        for text in _counted({"word": words[change], "arrow": arrows[change]}, f" {change}")
    ]
    styles = ["".join(record.text for record in view.head).split() for view in (old, new)]
    return ", ".join([*found, *(["its style changed"] if styles[0] != styles[1] else [])])


def _counted(counts: Mapping[str, int], what: str) -> Iterator[str]:
    for name, count in counts.items():
        if count:
            yield f"{count} {name}{'s' * (count > 1)}{what}"


def _matched(
    old: ViewText, new: ViewText, names: Mapping[str, str]
) -> tuple[list[tuple[Record, Record]], dict[str, list[Record]]]:
    """Return pairs of records that show the same thing, if possible under the same number, and the other records."""
    left = {record.number: record for record in new.records}
    pairs: list[tuple[Record, Record]] = []
    rest: list[Record] = []
    for record in old.records:
        other = left.get(record.number)
        if other is not None and _identity(other, {}) == _identity(record, names):
            pairs.append((record, left.pop(record.number)))
        else:
            rest.append(record)
    removed = []
    for record in rest:
        wanted = _identity(record, names)
        same = [n for n, other in left.items() if other.kind == VARIABLE and _identity(other, {}) == wanted]
        if same:
            pairs.append((record, left.pop(same[0])))
        else:
            removed.append(record)
    return pairs, {"removed": removed, "added": list(left.values())}


def _identity(record: Record, names: Mapping[str, str]) -> tuple[int, str]:
    """Return the kind of a record, and the variable of a word."""
    return record.kind, names.get(record.variable, record.variable)


def _change(old: Record, new: Record, names: Mapping[str, str]) -> str:
    """Classify the difference of two records of one thing; `same` where only the number or the spelling differs."""
    before, after = ([field.strip() for field in split_fields(record.text)] for record in (old, new))
    if not old.kind:
        return "same" if before == after else "changed"
    if _identity(old, names)[1]:
        before[NAME] = after[NAME]
    before[NUMBER] = after[NUMBER]
    if before == after:
        return "same"
    if old.kind == ARROW:
        return "changed"
    before[POSITION] = after[POSITION]
    return "moved" if before == after else "changed"
