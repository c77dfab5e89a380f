"""The point at which a model agrees best with data: many starts spread over the bounds, the best of them followed downhill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from .lockstep import Ending, differences, jacobian, minimise_together
from .parameters import real_points, unit_points
from .problem import PENALTY, Problem, penalised, residuals_at

FOLLOWED = 8
"""So many starts, the best ones, are followed downhill."""

_SAME_COST = 0.1
"""Minima are of one height if the logarithms of their posterior densities differ by less."""
_SAME_PLACE = 0.02
"""Minima are in one place if no constant differs by more, as a share of the way between its bounds."""
_NEAR = 1e-2
_AT_BOUND = 1e-6
_ROUNDING = 1e-9
_ENSEMBLE = 1024

Evaluations = Callable[[int], None]
"""Told how many more points were evaluated."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """A minimum: values in the units of the constants, minus the logarithm of the posterior density up to a constant.

    `shares` are the values as parts of the way between the bounds.
    """

    values: NDArray[np.float64]
    shares: NDArray[np.float64]
    cost: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Search:
    """What was found: the best minimum, every followed start's own, and the minima that are not one and the same.

    `before` is the cost where the constants started, infinite if the simulation fails there. `slopes` are the derivatives
    of all residuals to shares at the best point, shape (observations + parameters, parameters). `binding` tells of each
    constant whether it lies on a bound that keeps the fit from improving: "low", "high" or nothing.
    """

    best: Optimum
    ends: tuple[Optimum, ...]
    distinct: tuple[Optimum, ...]
    before: float
    starts: int
    evaluations: int
    failed: int
    slopes: NDArray[np.float64]
    binding: tuple[str, ...]

    @property
    def reached(self) -> int:
        """How many followed starts end as low as the best."""
        return sum(each.cost < self.best.cost + _SAME_COST for each in self.ends)

    @property
    def valley(self) -> bool:
        """Whether minima of one height lie in different places, so that the data do not tell them apart."""
        return any(each is not self.best and each.cost < self.best.cost + _SAME_COST for each in self.distinct)


def find_best(
    problem: Problem, *, starts: int = 64, followed: int = FOLLOWED, seed: int = 0, told: Evaluations | None = None
) -> Search:
    """The point of the highest posterior density, from `starts` points of a Latin hypercube and where the constants are."""
    count = {"points": 0, "failed": 0}

    def evaluate(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [
            residuals_at(problem, real_points(problem.parameters, shares[first : first + _ENSEMBLE]))
            for first in range(0, len(shares), _ENSEMBLE)
        ]
        found = np.concatenate(parts, axis=1)
        count["points"] += len(shares)
        count["failed"] += int((~np.isfinite(found).all(axis=0)).sum())
        if told:
            told(len(shares))
        return found

    initial = np.array([each.initial for each in problem.parameters])
    shares = np.concatenate([
        unit_points(problem.parameters, initial[np.newaxis]),
        latin_hypercube(starts, len(initial), np.random.default_rng(seed)),
    ])  # fmt: skip
    found, failed = penalised(evaluate(shares))
    if failed.all():
        message = f"all {len(shares)} starts give values that are not finite; narrow the bounds, or see `sdmodel run`"
        raise CalibrationError(message)
    costs = _costs(found)
    before = float(np.where(failed, np.inf, costs)[0])
    chosen = [0, *(place for place in np.argsort(costs, kind="stable") if place != 0)][: max(1, followed)]
    chosen = [place for place in chosen if not failed[place]] or [int(costs.argmin())]
    endings = minimise_together(evaluate, shares[chosen])
    ends = sorted((_settled(problem, each, evaluate) for each in endings), key=lambda each: each.cost)
    best = ends[0]
    around = differences(best.shares)
    residual = evaluate(around)
    slopes = jacobian(around, residual)
    return Search(
        best, tuple(ends), tuple(_distinct(ends)), before, len(shares), count["points"], count["failed"],
        slopes, _binding(best.shares, slopes.T @ residual[:, 0]),
    )  # fmt: skip


def latin_hypercube(count: int, dimensions: int, dice: np.random.Generator) -> NDArray[np.float64]:
    """Points in the unit cube, shape (count, dimensions), with one in each of `count` slices of every dimension.

    McKay, Beckman and Conover (1979), Technometrics 21:239-245.
    """
    slices = np.column_stack([dice.permutation(count) for _ in range(dimensions)])
    return (slices + dice.random((count, dimensions))) / max(count, 1)


def _costs(found: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * np.sum(np.clip(found, -PENALTY, PENALTY) ** 2, axis=0)


def _settled(
    problem: Problem, ending: Ending, evaluate: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Optimum:
    """A minimum with the constants that come near a bound put on it, wherever the fit stays the same or improves.

    The search stays inside the bounds and only nears the ones that bind.
    """
    shares, cost = ending.shares, ending.cost
    for place in np.flatnonzero(np.minimum(shares, 1 - shares) < _NEAR):
        moved = shares.copy()
        moved[place] = round(shares[place])
        height = float(_costs(penalised(evaluate(moved[np.newaxis]))[0])[0])
        if height <= cost + _ROUNDING * (1 + cost):
            shares, cost = moved, height
    return Optimum(real_points(problem.parameters, shares[np.newaxis])[0], shares, cost, ending.converged)


def _distinct(ends: list[Optimum]) -> list[Optimum]:
    """The minima that differ from every better one in height or in place."""
    found: list[Optimum] = []
    for each in ends:
        same = (
            abs(each.cost - other.cost) < _SAME_COST and np.abs(each.shares - other.shares).max() < _SAME_PLACE
            for other in found
        )
        if not any(same):
            found.append(each)
    return found


def _binding(shares: NDArray[np.float64], gradient: NDArray[np.float64]) -> tuple[str, ...]:
    """On which bound each constant lies while the fit would improve beyond it."""
    low = (shares < _AT_BOUND) & (gradient > 0)
    high = (shares > 1 - _AT_BOUND) & (gradient < 0)
    return tuple("low" if below else "high" if above else "" for below, above in zip(low, high, strict=True))
