"""What the data say of the free constants and what they leave open: directions in which they say more than the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .parameters import Parameter
from .search import Search

_LEADING = 0.3
"""A constant leads a direction if its part of it, in prior standard deviations, is at least so large."""
_CLOSE = 0.9
"""A correlation beyond which two constants are hardly told apart."""


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction among the constants, each measured in its prior standard deviation, at the best point.

    `strength` is the singular value s: how many standard deviations of the data's errors the residuals move when the
    constants move by one prior standard deviation along it. `left` is the part of the prior variance that the data leave,
    1/(1 + s^2). `parts` are the constants' parts of the direction, whose squares add up to 1.
    """

    strength: float
    left: float
    parts: tuple[float, ...]

    @property
    def identified(self) -> bool:
        """Whether the data say more of it than the prior does."""
        return self.strength > 1


@dataclass(frozen=True, eq=False)
class Identification:
    """What data say near the best point: `directions`, the strongest first; `covariance` of the constants in their units.

    `freedom` is how many directions the data decide, the sum of s^2/(1 + s^2); `gains` are for each constant the part of
    its prior variance that the data remove.
    """

    directions: tuple[Direction, ...]
    freedom: float
    gains: tuple[float, ...]
    covariance: NDArray[np.float64]


def identify(parameters: Sequence[Parameter], search: Search) -> Identification:
    """Which directions the data identify, by the singular values of the Jacobian of the standardised residuals, each
    constant measured in its prior standard deviation.

    Near the best point residuals are taken for linear and priors for normal; then the posterior covariance is the inverse
    of I + J'J in these units (Rodgers, Inverse Methods for Atmospheric Sounding, 2000, section 2.4: the degrees of freedom
    for signal; Cui et al. 2014, Inverse Problems 30:114015: the directions that data inform).
    """
    count = len(parameters)
    spreads = np.array([each.spread() for each in parameters])
    steps = np.array([_per_share(each, value) for each, value in zip(parameters, search.best.values, strict=True)])
    of_data = search.slopes[: len(search.slopes) - count] * (spreads / steps)
    _, strengths, directions = np.linalg.svd(of_data, full_matrices=True)
    strengths = np.concatenate([strengths, np.zeros(count - len(strengths))])
    left = 1 / (1 + strengths**2)
    spread_left = (directions.T * left) @ directions
    found = tuple(
        Direction(float(strength), float(part), tuple(map(float, _upright(direction))))
        for strength, part, direction in zip(strengths, left, directions, strict=True)
    )
    return Identification(
        found,
        float(np.sum(1 - left)),
        tuple(map(float, 1 - np.diag(spread_left))),
        spread_left * np.outer(spreads, spreads),
    )


def leading(direction: Direction, names: Sequence[str]) -> list[tuple[str, float]]:
    """The constants that a direction is mostly made of, the largest part first."""
    parts = sorted(zip(names, direction.parts, strict=True), key=lambda pair: -abs(pair[1]))
    return [(name, part) for name, part in parts if abs(part) >= _LEADING]


def close_pairs(correlations: NDArray[np.float64], names: Sequence[str]) -> list[tuple[str, str, float]]:
    """The pairs of constants whose correlation, positive or negative, exceeds 0.9: data tell them hardly apart."""
    return [
        (names[one], names[other], float(correlations[one, other]))
        for one, other in combinations(range(len(names)), 2)
        if abs(correlations[one, other]) > _CLOSE
    ]


def _per_share(parameter: Parameter, value: float) -> float:
    """How much a constant moves for a share of the way between its bounds."""
    width = parameter.high - parameter.low
    return value * float(np.log(parameter.high / parameter.low)) if parameter.logarithmic else width


def _upright(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction or its opposite: that in which its largest part is positive."""
    return direction if direction[np.abs(direction).argmax()] > 0 else -direction
