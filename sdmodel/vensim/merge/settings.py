"""The settings at the end of a model's text, line by line: what differs between two, and three made into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..document import Document
from ..read.fields import integrator_of
from .pieces import LINE_END, with_line_ends
from .threeway import merged_order, merged_value, same_text

LineId = tuple[str, int]
"""The code of a line, and its number among the lines of that code."""

_ABOUT = {
    "1": "result files", "4": "workbench time", "5": "workbench variable", "6": "subscript selection",
    "8": "custom graphs", "9": "run name", "10": "change files", "11": "optimization control", "12": "payoff definition",
    "13": "data files", "15": "integrator", "18": "sensitivity control", "20": "save list", "22": "units that are the same",
    "24": "first time shown", "25": "last time shown", "26": "last time", "30": "data aliases",
}  # fmt: skip
"""What the lines are about, by their code, as far as Vensim's manual tells."""

_INTEGRATOR, _UNITS = "15", "22"
_TELLING = frozenset({_INTEGRATOR, "30"})
"""Codes of which two versions cannot be put together and which change results."""


def settings_text(document: Document) -> str:
    """The lines of the settings as they stand."""
    return "".join(document.text[each.start : each.end] for each in document.segments if each.kind == "setting")


def settings_differences(old: Document, new: Document) -> Iterator[tuple[str, str, str]]:
    """The settings that differ, as (what it is, old, new); lines that both have are left out."""
    before, after = _by_code(settings_text(old)), _by_code(settings_text(new))
    for code in dict.fromkeys([*before, *after]):
        was, now = before.get(code, []), after.get(code, [])
        if code == _INTEGRATOR and integrator_of(was) != integrator_of(now):
            yield _about(code), integrator_of(was), integrator_of(now)
            continue
        only = Counter(was) - Counter(now), Counter(now) - Counter(was)
        if any(only):
            gone, come = ("\n".join(line.partition(":")[2] for line in each.elements()) for each in only)
            yield _about(code), gone, come


def merged_settings(base: str, ours: str, theirs: str, notes: list[str], marks: int) -> tuple[str, list[str]]:
    """The settings of the side that changed them, or line by line what both did; and the names of those that clash.

    Of a line that both changed ours is kept, which is told in `notes`, unless it changes results.
    """
    text, clash = merged_value(base, ours, theirs, same=same_text)
    if not clash:
        return text, []
    was, mine, other = _by_code(base), _by_code(ours), _by_code(theirs)
    conflicts: list[str] = []
    chosen: dict[LineId, str] = {}
    for code in dict.fromkeys([*mine, *other]):
        versions = was.get(code, []), mine.get(code, []), other.get(code, [])
        lines, clash = _merged_units(*versions) if code == _UNITS else merged_value(*versions)
        if clash and code in _TELLING:
            conflicts.append(f"settings: {_about(code)}")
            lines = ["\n".join(_marked(_about(code), versions[1], versions[2], marks))]
        elif clash:
            notes.append(f"both sides changed the settings' {_about(code)}; ours is kept")
        chosen |= {(code, number): line for number, line in enumerate(lines)}
    order = merged_order(_ids(base), _ids(ours), _ids(theirs), chosen)
    order += [each for each in chosen if each not in order]
    end = "\r\n" if "\r\n" in ours else "\n"
    return "".join(with_line_ends(f"{chosen[each]}\n", end) for each in order), conflicts


def _merged_units(base: list[str], ours: list[str], theirs: list[str]) -> tuple[list[str], bool]:
    """The names of units that mean the same: without those that one side removed, with those that either added."""
    kept = [each for each in ours if each in theirs or each not in base]
    return kept + [each for each in theirs if each not in base and each not in ours], False


def _marked(name: str, ours: list[str], theirs: list[str], marks: int) -> list[str]:
    return [f"{'<' * marks} ours: {name}", *ours, "=" * marks, *theirs, f"{'>' * marks} theirs: {name}"]


def _about(code: str) -> str:
    return _ABOUT.get(code, f"line {code}")


def _lines(text: str) -> list[tuple[str, str]]:
    """The lines that say something, each with its code."""
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
