"""Which cell of a model acts on which during a run, and how: the graph of causes that feedback loops are found in."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..order import Plan
from ..subscripts import Cell
from .derivatives import Readings, Series, derivatives

Pairs = Mapping[Cell, Mapping[Cell, Series]]
"""The derivative of each effect by each cause, by cause and then effect."""


@dataclass(frozen=True, eq=False)
class Links:
    """The derivatives of a model's cells by one another over the times of a run, by cause and then effect.

    What acts on a stock is what acts on its rate; its initial value is past.
    """

    plan: Plan
    times: Series
    effects: Pairs

    @cached_property
    def active(self) -> Pairs:
        """Those links that have some effect, or an unknown one, at some time."""
        return {
            cause: {effect: each for effect, each in found.items() if np.any(each != 0)}
            for cause, found in self.effects.items()
        }

    @cached_property
    def phases(self) -> tuple[Pairs, ...]:
        """Those links that have an effect, or an unknown one, at one time: for each set of them that occurs in the run."""
        found = [(cause, effect, each) for cause, those in self.effects.items() for effect, each in those.items()]
        acting = np.array([each != 0 for *_, each in found], dtype=bool).reshape(len(found), len(self.times))
        phases = []
        for pattern in np.unique(acting, axis=1).T:
            pairs: dict[Cell, dict[Cell, Series]] = {cause: {} for cause in self.effects}
            for cause, effect, each in itertools.compress(found, pattern):
                pairs[cause][effect] = each
            phases.append(pairs)
        return tuple(phases)

    def is_hidden(self, cell: Cell) -> bool:
        """Whether a cell is no work of the author's, such as the level inside a SMOOTH."""
        return self.plan.model.elements[cell.key].hidden


@dataclass(frozen=True, slots=True)
class Link:
    """How one variable acts on another: shares of all saved times and labels at which it raises it, lowers it, does
    neither, or does what cannot be told.

    `cause` and `effect` are spelt as by the author. Around a loop only those labels count that the loop can pass.
    """

    cause: str
    effect: str
    raising: float
    lowering: float
    idle: float
    unknown: float

    @property
    def polarity(self) -> str:
        """`+` or `-`, `mixed` where both occur, `0` where there is never an effect, `unknown` where none can be told."""
        return polarity_of("+-", self.raising, self.lowering, self.unknown)


def polarity_of(names: str, positive: float, negative: float, unknown: float) -> str:
    """The word for shares of signs; `names` are the letters of the positive and the negative one."""
    if positive and negative:
        return "mixed"
    if positive or negative:
        return names[0] if positive else names[1]
    return "unknown" if unknown else "0"


def shares(signs: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """The shares of signs that are positive, negative, zero and unknown."""
    found = ((signs > 0), (signs < 0), (signs == 0), np.isnan(signs))
    raising, lowering, idle, unknown = (float(np.mean(each)) for each in found)
    return raising, lowering, idle, unknown


def find_links(plan: Plan, times: Series, values: Mapping[Cell, Series]) -> Links:
    """Every link between cells that change during a run, from the values of all computed cells at its times."""
    moving = {each.cell: each for each in (*plan.stocks, *plan.delays, *plan.step)}
    readings = Readings(plan, times, values)
    effects: dict[Cell, dict[Cell, Series]] = {cell: {} for cell in moving}
    for cell, assignment in moving.items():
        for cause, derivative in derivatives(readings, assignment, moving):
            effects[cause][cell] = derivative
    return Links(plan, times, effects)
