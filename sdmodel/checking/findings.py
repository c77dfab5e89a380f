"""Findings: the records that a check returns, their order, and the faults of a model that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..errors import Fault, FileFault, ModelError, Place

Level = Literal["error", "warning", "advice"]
LEVELS: tuple[Level, ...] = ("error", "warning", "advice")
"""The levels of findings, the most serious first."""

_FAULT_RULES = {
    "simultaneous": ("simultaneous equations",),
    "doubly-defined": ("is defined a second time",),
    "undefined": (
        "is not defined",
        "is neither a function nor a lookup",
        "is neither a subscript range nor a label",
        "has no equation",
    ),
    "unsupported": ("is not supported",),
}
"""The rule that a fault breaks, by parts of its message; that of a file breaks `file`, and any other fault `syntax`."""


@dataclass(frozen=True)
class Finding:
    """One fault or doubtful point: its rule, its place, the variable (or an empty string), what is wrong and what to do.

    `numbers` are the measured values, in the units that the message names.
    """

    level: Level
    rule: str
    place: Place | str
    variable: str
    message: str
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by level, then by place, without duplicates."""
    found: dict[tuple[int, str, int, int, str, str], Finding] = {}
    for finding in findings:
        place = finding.place if isinstance(finding.place, Place) else Place(finding.place, 0, 0)
        where = (place.path, place.line, place.column)
        found[LEVELS.index(finding.level), *where, finding.rule, finding.message] = finding
    return tuple(found[order] for order in sorted(found))


def fault_findings(error: ModelError) -> Iterator[Finding]:
    """Yield a finding, always an error, for every fault of a model that cannot be read."""
    for fault in error.faults:
        if isinstance(fault, FileFault):
            yield file_finding(fault)
            continue
        name = fault.what[1:].partition("'")[0] if fault.what.startswith("'") else ""
        rules = (rule for rule, parts in _FAULT_RULES.items() if any(part in fault.what for part in parts))
        yield Finding("error", next(rules, "syntax"), fault.where, name, fault.what)


def file_finding(fault: Fault) -> Finding:
    """Return the finding of a file that a model cannot read; its file stands for the variable."""
    return Finding("error", "file", fault.where, fault.what[1:].partition("'")[0], fault.what)
