"""What a check finds: one record for each doubt, and the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..errors import Place

Level = Literal["error", "warning", "advice"]
LEVELS: tuple[Level, ...] = ("error", "warning", "advice")
"""From what keeps a model from being believed to what makes it easier to trust."""


@dataclass(frozen=True)
class Finding:
    """One fault or doubt: its rule, its place, the variable it is about (or none), what is wrong and what to do.

    `numbers` are what was measured, in the units that the message names.
    """

    level: Level
    rule: str
    place: Place | str
    variable: str
    message: str
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by level, then by place; each told once."""
    found = {(each.level, each.rule, str(each.place), each.message): each for each in findings}
    return tuple(sorted(found.values(), key=_order))


def at_least(findings: Iterable[Finding], level: Level) -> tuple[Finding, ...]:
    """The findings that weigh as much as a level, or more."""
    wanted = LEVELS[: LEVELS.index(level) + 1]
    return tuple(each for each in findings if each.level in wanted)


def _order(finding: Finding) -> tuple[int, str, int, int, str, str]:
    place = finding.place
    where = (place.path, place.line, place.column) if isinstance(place, Place) else (place, 0, 0)
    return LEVELS.index(finding.level), *where, finding.rule, finding.message
