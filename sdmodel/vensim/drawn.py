"""What differs between the sketches and the settings of two documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from .document import Document
from .fields import integrator_of
from .sheets import ARROW, NAME, NUMBER, POSITION, VARIABLE, Record, Sheet, settings_of, sheets_by_name

SETTINGS = {
    "1": "result files", "4": "workbench time", "5": "workbench variable", "6": "subscript selection",
    "8": "custom graphs", "9": "run name", "10": "change files", "11": "optimization control", "12": "payoff definition",
    "13": "data files", "15": "integrator", "18": "sensitivity control", "20": "save list", "22": "units that are the same",
    "24": "first time shown", "25": "last time shown", "26": "last time", "30": "data aliases",
}  # fmt: skip
"""What the lines of settings are about, by their code, as far as Vensim's manual tells."""


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


def settings_differences(old: Document, new: Document) -> Iterator[tuple[str, str, str]]:
    """The settings that differ, as (what it is, old, new); lines that both have are left out."""
    before, after = settings_of(old), settings_of(new)
    for code in dict.fromkeys([*before, *after]):
        was, now = before.get(code, []), after.get(code, [])
        if was == now:
            continue
        if code == "15" and integrator_of(was) != integrator_of(now):
            yield SETTINGS[code], integrator_of(was), integrator_of(now)
            continue
        only = (Counter(was) - Counter(now), Counter(now) - Counter(was))
        told = ["\n".join(line.partition(":")[2] for line in each.elements()) for each in only]
        if any(only):
            yield SETTINGS.get(code, f"line {code}"), told[0], told[1]


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
