"""Links: which cell of a model acts on which other cell during a run, and in which direction."""

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
"""The derivative of each effect with respect to each cause, by cause and then effect."""


@dataclass(frozen=True, eq=False)
class Links:
    """The derivatives of a model's cells with respect to each other over the times of a run, by cause and then effect.

    The causes of a stock are those of its net flow; its initial value does not count.
    """

    plan: Plan
    times: Series
    effects: Pairs

    @cached_property
    def active(self) -> Pairs:
        """The links that have an effect, or an unknown one, at some time."""
        return {
            cause: {effect: values for effect, values in found.items() if np.any(values != 0)}
            for cause, found in self.effects.items()
        }

    @cached_property
    def phases(self) -> tuple[Pairs, ...]:
        """The sets of links that have an effect, or an unknown one, at the same time, each set once."""
        found = [(cause, effect, own) for cause, links in self.effects.items() for effect, own in links.items()]
        acting = np.array([own != 0 for *_, own in found], dtype=bool).reshape(len(found), len(self.times))
        phases = []
        for pattern in np.unique(acting, axis=1).T:
            pairs: dict[Cell, dict[Cell, Series]] = {cause: {} for cause in self.effects}
            for cause, effect, own in itertools.compress(found, pattern):
                pairs[cause][effect] = own
            phases.append(pairs)
        return tuple(phases)

    def is_hidden(self, cell: Cell) -> bool:
        """Whether a cell is not in the model file, such as the level inside a SMOOTH."""
        return self.plan.model.elements[cell.key].hidden


@dataclass(frozen=True, slots=True)
class Link:
    """A link from one variable to another, with the shares of all saved times and labels at which it has each effect.

    The cause raises the effect, lowers it, does neither (`idle`), or has an unknown effect. `cause` and `effect` are names
    in the spelling of the model. In a loop only the labels that the loop can pass count.
    """

    cause: str
    effect: str
    raising: float
    lowering: float
    idle: float
    unknown: float

    @property
    def polarity(self) -> str:
        """`+` or `-`, `mixed` if both occur, `0` if there is never an effect, `unknown` if no effect is known."""
        return polarity_of("+-", self.raising, self.lowering, self.unknown)


def polarity_of(names: str, positive: float, negative: float, unknown: float) -> str:
    """Return the name of the polarity with these shares; `names` are the letters for positive and negative."""
    if positive and negative:
        return "mixed"
    if positive or negative:
        return names[0] if positive else names[1]
    return "unknown" if unknown else "0"


def shares(signs: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the shares of signs that are positive, negative, zero and unknown."""
    found = ((signs > 0), (signs < 0), (signs == 0), np.isnan(signs))
    raising, lowering, idle, unknown = (float(np.mean(where)) for where in found)
    return raising, lowering, idle, unknown


def find_links(plan: Plan, times: Series, values: Mapping[Cell, Series]) -> Links:
    """Find every link between cells that change during a run, from the values of all computed cells at its times."""
    moving = {assignment.cell: assignment for assignment in (*plan.stocks, *plan.delays, *plan.step)}
    readings = Readings(plan, times, values)
    effects: dict[Cell, dict[Cell, Series]] = {cell: {} for cell in moving}
    for cell, assignment in moving.items():
        for cause, derivative in derivatives(readings, assignment, moving):
            effects[cause][cell] = derivative
    return Links(plan, times, effects)
