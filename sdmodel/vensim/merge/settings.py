"""The settings at the end of a model file, line by line: their differences, and the merge of three versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..document import Document
from ..read.syntax import integrator_of
from ..read.tokens import LINE_END
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


def settings_text(document: Document) -> str:
    """Return the lines of the settings as they are."""
    return "".join(document.text[line.start : line.end] for line in document.segments if line.kind == "setting")


def settings_differences(old: Document, new: Document) -> Iterator[tuple[str, str, str]]:
    """Return the settings that differ as (subject, old, new), without the lines that both have."""
    before, after = _by_code(settings_text(old)), _by_code(settings_text(new))
    for code in dict.fromkeys([*before, *after]):
        was, now = before.get(code, []), after.get(code, [])
        if code == _INTEGRATOR and integrator_of(was) != integrator_of(now):
            yield _subject(code), integrator_of(was), integrator_of(now)
            continue
        only = Counter(was) - Counter(now), Counter(now) - Counter(was)
        if any(only):
            removed, added = ("\n".join(line.partition(":")[2] for line in lines.elements()) for lines in only)
            yield _subject(code), removed, added


def merge_settings(base: str, ours: str, theirs: str, notes: list[str], marks: int) -> tuple[str, list[str]]:
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
    end = "\r\n" if "\r\n" in ours else "\n"
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
    seen: Counter[str] = Counter()
    found: list[LineId] = []
    for code, _ in _lines(text):
        found.append((code, seen[code]))
        seen[code] += 1
    return found
