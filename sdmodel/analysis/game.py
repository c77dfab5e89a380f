"""Runs of a model with any of some levers moved, and any members of an ensemble: numbers without labels, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..model import Cell, Integrator, Model
from ..scenario import Design, Scenario, Subsets, cell_values, merge
from ..simulation import Repetition, prepare
from .levers import Move

Numbers = NDArray[np.float64]
Told = Callable[[int], None]

SLAB = 2**26
"""Bytes of results that are computed at a time."""


@dataclass(frozen=True, eq=False)
class Game:
    """What a model does when each of its `levers` may be moved or not; `kept` are the cells whose values count.

    `bases` are the values of `cells` where no lever is moved, shape (members, cells); `owner` is which lever moves a cell,
    -1 if none does, and `moved` to what.
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
    told: Told = lambda _: None
    _repetitions: dict[tuple[bool, ...], Repetition] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many levers there are."""
        return len(self.levers)

    @property
    def members(self) -> int:
        """How many members; one where there is no ensemble."""
        return len(self.bases)

    @property
    def times(self) -> Numbers:
        """The saved times, in the model's unit."""
        return self._repetition((False,) * self.count).times

    @property
    def run_bytes(self) -> int:
        """What the results of one run take."""
        return 8 * len(self.times) * len(self.kept)

    def values(self, subsets: Subsets, first: int, last: int) -> Numbers:
        """What is kept, shape (times, kept cells, members, subsets), of members `first` up to but without `last`.

        Values are not numbers from where a stock of a run ceases to be finite.
        """
        tables = np.array([bool(lever.tables) for lever in self.levers])
        combinations, which = np.unique(subsets & tables, axis=0, return_inverse=True)
        shape = (len(self.times), len(self.kept), last - first, len(subsets))
        found = np.empty(shape) if len(combinations) > 1 else None
        for place, combination in enumerate(combinations):
            chosen = np.flatnonzero(which.ravel() == place)
            points = self._points(subsets[chosen], first, last)
            part = self._repetition(tuple(map(bool, combination))).values(points.reshape(-1, len(self.cells)))
            part = part.reshape(*shape[:3], len(chosen))
            if found is None:
                found = part
            else:
                found[..., chosen] = part
        self.told((last - first) * len(subsets))
        return found if found is not None else np.empty(shape)

    def _points(self, subsets: Subsets, first: int, last: int) -> Numbers:
        """The varied constants, shape (members, subsets, cells)."""
        owned = self.owner >= 0
        moves = subsets[:, self.owner] & owned
        return np.where(moves[None], self.moved, self.bases[first:last, None, :])

    def _repetition(self, combination: tuple[bool, ...]) -> Repetition:
        """The simulation in which the lookups of some levers are replaced."""
        if combination not in self._repetitions:
            tables = [
                Scenario(lever.name, lever.tables)
                for lever, moves in zip(self.levers, combination, strict=True)
                if moves and lever.tables
            ]
            ends = np.concatenate([self.bases, self.moved[None]])
            ranges = dict(
                zip(self.cells, zip(ends.min(axis=0).tolist(), ends.max(axis=0).tolist(), strict=True), strict=True)
            )
            self._repetitions[combination] = prepare(
                self.model, ranges, self.kept, scenario=merge([self.baseline, *tables]), integrator=self.integrator
            )
        return self._repetitions[combination]


def game_of(
    model: Model,
    levers: Sequence[Move],
    kept: Sequence[Cell],
    *,
    baseline: Scenario,
    design: Design | None = None,
    integrator: Integrator | None = None,
    told: Told = lambda _: None,
) -> Game:
    """The game of some levers over a baseline, and over what a design draws."""
    owners = {cell: place for place, lever in enumerate(levers) for cell in lever.values}
    moved = {cell: value for lever in levers for cell, value in lever.values.items()}
    drawn = design.cells if design else ()
    cells = tuple(dict.fromkeys((*moved, *drawn)))
    known = cell_values(model, cells, baseline)
    bases = np.repeat([[known[cell] for cell in cells]], design.count if design else 1, axis=0).astype(float)
    if design:
        places = [cells.index(cell) for cell in drawn]
        bases[:, places] = design.values(0, design.count).T
    owner = np.array([owners.get(cell, -1) for cell in cells], dtype=np.intp)
    values = np.array([moved.get(cell, np.nan) for cell in cells])
    values = np.where(owner >= 0, values, bases[0])
    return Game(model, baseline, tuple(levers), tuple(kept), cells, owner, values, bases, integrator, told)
