"""The constants that a sensitivity analysis moves: each with its value, what it is drawn from, and its two ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import AnalysisError
from ..model import Cell, Model, plan, spell
from ..scenario import Distribution, Sampling, Scenario, Steps, columns_of, constant_values

_TAIL = 0.05
"""The part of a distribution that lies beyond each end, unless all of it is equally likely and ends there."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A constant, or one cell of it, with the value that it has without analysis and what it is drawn from, in its own units."""

    name: str
    cell: Cell
    units: str
    value: float
    law: Distribution | Steps

    def quantile(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values below which those shares of the whole distribution lie; steps are equally likely."""
        if isinstance(self.law, Distribution):
            return self.law.quantile(shares)
        places = np.floor(np.asarray(shares) * self.law.count).astype(int)
        return self.law.values[np.minimum(places, self.law.count - 1)]

    def between(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values at shares from 0 to 1 of the way from the low end to the high one, by probability.

        The ends are the bounds of a uniform distribution and of steps, else the quantiles of 5 % and 95 %.
        """
        even = isinstance(self.law, Steps) or self.law.name == "RANDOM_UNIFORM"
        return self.quantile(shares if even else _TAIL + (1 - 2 * _TAIL) * np.asarray(shares))

    @property
    def bounds(self) -> tuple[float, float]:
        """The least value that may be drawn and the largest."""
        if isinstance(self.law, Distribution):
            return self.law.minimum, self.law.maximum
        return float(self.law.values[0]), float(self.law.values[-1])

    @property
    def ends(self) -> tuple[float, float]:
        """The low end and the high one."""
        low, high = self.between(np.array([0.0, 1.0]))
        return float(low), float(high)


def factors_of(model: Model, sampling: Sampling, scenario: Scenario) -> tuple[Factor, ...]:
    """The constants that the lines of a `.vsc` file vary, cell by cell, with the values that they have under a scenario.

    Raises
    ------
    AnalysisError
        If the constants come from a file of samples, which tells no distributions.
    ScenarioError
        With every line that the model does not allow, or if there is none.
    """
    if sampling.method == "file":
        where = sampling.path or "sampling"
        message = (
            f"{where}: a file of samples tells no distributions; write a line such as "
            "'constant = RANDOM_UNIFORM(min,max)' for each constant, by another method"
        )
        raise AnalysisError(message)
    known = dict(plan(model).constants) | constant_values(model, scenario)
    return tuple(
        Factor(
            spell(model, each.cell),
            each.cell,
            model.elements[each.cell.key].units,
            float(known[each.cell]),
            _law(each.distribution),
        )
        for each in columns_of(model, sampling)
    )


def _law(distribution: Distribution | Steps | None) -> Distribution | Steps:
    """What a column is drawn from, which only one of a file of samples lacks."""
    if distribution is None:
        message = "a column has no distribution"
        raise TypeError(message)
    return distribution
