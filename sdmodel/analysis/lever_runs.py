"""The levers that a scenario moves, and runs of a model with any subset of them moved, for any members of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import AnalysisError
from ..model import Cell, Integrator, Model, display_name, key, nearest
from ..scenario import Change, Design, Scenario, Subsets, cell_values, constant_values, merge_scenarios
from ..simulation import PreparedSimulation, prepare_simulation

Numbers = NDArray[np.float64]
RunsDone = Callable[[int], None]
"""Called with the number of runs done since the last call."""

BLOCK_BYTES = 2**26
"""Bytes of results that are computed at a time."""


@dataclass(frozen=True)
class Move:
    """What one lever of a scenario does: the constants that it sets, by cell in their units, and the lookups that it replaces."""

    name: str
    values: Mapping[Cell, float] = field(default_factory=dict)
    tables: tuple[Change, ...] = ()


def levers_of(
    model: Model,
    scenario: Scenario,
    base: Mapping[Cell, float],
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    sampled: Collection[Cell] = (),
) -> tuple[Move, ...]:
    """Return the levers that a scenario moves away from `base`, in its order; those of a group are one, named as the group.

    A constant with subscripts is one lever. A constant that is set to its own value is not a lever, unless it is `sampled`,
    so that members have other values of it.
    """
    single = {lever.name: lever for lever in _single_levers(model, scenario, base, sampled)}
    if not single:
        message = f"scenario '{scenario.name}': moves nothing away from its baseline; name a change file with -c"
        raise AnalysisError(message)
    group_of = _groups_by_lever(single, groups or {})
    members: dict[str, list[Move]] = {}
    for name, lever in single.items():
        members.setdefault(group_of.get(name, name), []).append(lever)
    return tuple(
        Move(
            name,
            {cell: value for lever in levers for cell, value in lever.values.items()},
            tuple(change for lever in levers for change in lever.tables),
        )
        for name, levers in members.items()
    )


def _single_levers(
    model: Model, scenario: Scenario, base: Mapping[Cell, float], sampled: Collection[Cell]
) -> Iterator[Move]:
    """Yield each constant and each lookup that a scenario moves."""
    values: dict[str, dict[Cell, float]] = {}
    for cell, value in constant_values(model, scenario).items():
        if value != base[cell] or cell in sampled:
            values.setdefault(cell.key, {})[cell] = value
    for name, cells in values.items():
        yield Move(display_name(model.elements[name].name), cells)
    tables: dict[str, list[Change]] = {}
    for change in scenario.changes:
        if change.table is not None:
            tables.setdefault(key(change.name), []).append(change)
    for name, changes in tables.items():
        element = model.elements.get(name)
        yield Move(display_name(element.name if element else changes[0].name), tables=tuple(changes))


def _groups_by_lever(single: Mapping[str, Move], groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    known = {key(name): name for name in single}
    group_of: dict[str, str] = {}
    for group, names in groups.items():
        if key(group) in known and key(group) not in map(key, names):
            message = f"group '{group}': a lever has this name; choose another one for the group"
            raise AnalysisError(message)
        for name in names:
            lever = known.get(key(name))
            if lever is None:
                close = nearest(name, single)
                cure = f"did you mean '{close}'?" if close else f"it moves {', '.join(single)}"
                message = f"group '{group}': the scenario does not move '{name}'; {cure}"
                raise AnalysisError(message)
            if group_of.setdefault(lever, group) != group:
                message = f"group '{group}': '{lever}' is in group '{group_of[lever]}' too; keep it in one"
                raise AnalysisError(message)
    return group_of


@dataclass(frozen=True, eq=False)
class LeverRuns:
    """Runs of a model in which each of its `levers` may be moved or not; `kept` are the cells whose values count.

    `bases` are the values of `cells` where no lever is moved, shape (members, cells); `owner` is the lever that moves a cell,
    or -1, and `moved` is the value that it moves it to.
    """

    model: Model
    baseline: Scenario
    levers: tuple[Move, ...]
    kept: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    owner: NDArray[np.intp]
    moved: Numbers
    bases: Numbers
    integrator: Integrator | None = None
    runs_done: RunsDone = lambda _: None
    _simulations: dict[tuple[bool, ...], PreparedSimulation] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of levers."""
        return len(self.levers)

    @property
    def members(self) -> int:
        """The number of members; 1 without an ensemble."""
        return len(self.bases)

    @property
    def times(self) -> Numbers:
        """The saved times, in the model's unit."""
        return self._simulation((False,) * self.count).times

    @property
    def run_bytes(self) -> int:
        """The size of the results of one run."""
        return 8 * len(self.times) * len(self.kept)

    def values(self, subsets: Subsets, first: int, last: int) -> Numbers:
        """Return the kept values, shape (times, kept cells, members, subsets), of the members from `first` to before `last`.

        Values are not a number from where a stock of a run is no longer finite.
        """
        tables = np.array([bool(lever.tables) for lever in self.levers])
        combinations, which = np.unique(subsets & tables, axis=0, return_inverse=True)
        shape = (len(self.times), len(self.kept), last - first, len(subsets))
        values = np.empty(shape) if len(combinations) > 1 else None
        for place, combination in enumerate(combinations):
            chosen = np.flatnonzero(which.ravel() == place)
            moves = subsets[chosen][:, self.owner] & (self.owner >= 0)
            points = np.where(moves[None], self.moved, self.bases[first:last, None, :])
            part = self._simulation(tuple(map(bool, combination))).values(points.reshape(-1, len(self.cells)))
            part = part.reshape(*shape[:3], len(chosen))
            if values is None:
                values = part
            else:
                values[..., chosen] = part
        self.runs_done((last - first) * len(subsets))
        return values if values is not None else np.empty(shape)

    def _simulation(self, combination: tuple[bool, ...]) -> PreparedSimulation:
        """Prepare the simulation in which some levers' lookups are replaced."""
        if combination not in self._simulations:
            tables = [
                Scenario(lever.name, lever.tables)
                for lever, moves in zip(self.levers, combination, strict=True)
                if moves and lever.tables
            ]
            ends = np.concatenate([self.bases, self.moved[None]])
            low, high = ends.min(axis=0).tolist(), ends.max(axis=0).tolist()
            ranges = dict(zip(self.cells, zip(low, high, strict=True), strict=True))
            self._simulations[combination] = prepare_simulation(
                self.model,
                ranges,
                self.kept,
                scenario=merge_scenarios([self.baseline, *tables]),
                integrator=self.integrator,
            )
        return self._simulations[combination]


def make_lever_runs(
    model: Model,
    levers: Sequence[Move],
    kept: Sequence[Cell],
    *,
    baseline: Scenario,
    design: Design | None = None,
    integrator: Integrator | None = None,
) -> LeverRuns:
    """Prepare the runs of levers over a baseline, and over the members of a design."""
    owners = {cell: place for place, lever in enumerate(levers) for cell in lever.values}
    moved = {cell: value for lever in levers for cell, value in lever.values.items()}
    sampled = design.cells if design else ()
    cells = tuple(dict.fromkeys((*moved, *sampled)))
    known = cell_values(model, cells, baseline)
    bases = np.repeat([[known[cell] for cell in cells]], design.count if design else 1, axis=0).astype(float)
    if design:
        places = [cells.index(cell) for cell in sampled]
        bases[:, places] = design.values(0, design.count).T
    owner = np.array([owners.get(cell, -1) for cell in cells], dtype=np.intp)
    values = np.array([moved.get(cell, np.nan) for cell in cells])
    values = np.where(owner >= 0, values, bases[0])
    return LeverRuns(model, baseline, tuple(levers), tuple(kept), cells, owner, values, bases, integrator)
