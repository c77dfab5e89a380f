"""What a scenario moves, lever by lever: cells of constants with the values they get, and lookups with their new tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import AnalysisError
from ..model import Cell, Model, display, key, nearest
from ..scenario import Change, Scenario, constant_values


@dataclass(frozen=True)
class Move:
    """What one lever of a scenario does: the constants that it sets, by cell in their own units, and the lookups that it replaces."""

    name: str
    values: Mapping[Cell, float] = field(default_factory=dict)
    tables: tuple[Change, ...] = ()


def levers_of(
    model: Model,
    scenario: Scenario,
    base: Mapping[Cell, float],
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    drawn: Collection[Cell] = (),
) -> tuple[Move, ...]:
    """The levers that a scenario moves away from `base`, in its own order; those of a group are one, by the group's name.

    A constant with subscripts is one lever. What is set to the value that it has anyway is none, unless
    members have other values of it, since it is `drawn`.
    """
    single = {lever.name: lever for lever in _single(model, scenario, base, drawn)}
    if not single:
        message = f"scenario '{scenario.name}': moves nothing away from its baseline; name a change file with -c"
        raise AnalysisError(message)
    owner = _owners(single, groups or {})
    members: dict[str, list[Move]] = {}
    for name, lever in single.items():
        members.setdefault(owner.get(name, name), []).append(lever)
    return tuple(_joined(name, levers) for name, levers in members.items())


def _single(model: Model, scenario: Scenario, base: Mapping[Cell, float], drawn: Collection[Cell]) -> Iterator[Move]:
    """Each constant and each lookup that a scenario moves."""
    values: dict[str, dict[Cell, float]] = {}
    for cell, value in constant_values(model, scenario).items():
        if value != base[cell] or cell in drawn:
            values.setdefault(cell.key, {})[cell] = value
    for name, cells in values.items():
        yield Move(display(model.elements[name].name), cells)
    tables: dict[str, list[Change]] = {}
    for change in scenario.changes:
        if change.table is not None:
            tables.setdefault(key(change.name), []).append(change)
    for name, changes in tables.items():
        element = model.elements.get(name)
        yield Move(display(element.name if element else changes[0].name), tables=tuple(changes))


def _owners(single: Mapping[str, Move], groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The group of each lever that has one."""
    known = {key(name): name for name in single}
    owner: dict[str, str] = {}
    for group, names in groups.items():
        if key(group) in known and key(group) not in map(key, names):
            message = f"group '{group}': a lever has this name; call the group otherwise"
            raise AnalysisError(message)
        for name in names:
            found = known.get(key(name))
            if found is None:
                close = nearest(name, single)
                cure = f"did you mean '{close}'?" if close else f"it moves {', '.join(single)}"
                message = f"group '{group}': the scenario does not move '{name}'; {cure}"
                raise AnalysisError(message)
            if owner.setdefault(found, group) != group:
                message = f"group '{group}': '{found}' is in group '{owner[found]}' too; keep it in one"
                raise AnalysisError(message)
    return owner


def _joined(name: str, levers: Sequence[Move]) -> Move:
    values = {cell: value for lever in levers for cell, value in lever.values.items()}
    return Move(name, values, tuple(change for lever in levers for change in lever.tables))
