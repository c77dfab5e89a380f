"""The point at which a model agrees best with data, and which directions around it the data identify.

The search starts at many points spread over the bounds and follows the best of them downhill, in parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from .likelihood import PENALTY, Problem, penalised, residuals_at
from .parameters import Parameter, real_points, unit_points

_FOLLOWED = 8
"""Number of starts, the best ones, that are followed downhill."""

_STEP = 1e-4
"""Half the step of a difference quotient, as a share of the way between the bounds: large compared with rounding."""
_TOLERANCE, _ROUNDS = 1e-10, 100
"""The tolerances of a search, and its steps at most."""
_SAME_COST = 0.1
"""Minima whose logarithms of the posterior density differ by less count as equally good."""
_SAME_PLACE = 0.02
"""Minima in which no constant differs by more, as a share of the way between its bounds, count as the same place."""
_NEAR_BOUND = 1e-2
_AT_BOUND = 1e-6
_ROUNDING = 1e-9
_ENSEMBLE = 1024
_LEADING = 0.3
"""Least part of a direction, in prior standard deviations, with which a constant leads it."""
_CLOSE = 0.9
"""Correlation beyond which data hardly distinguish two constants."""

Evaluate = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Takes points of shape (members, parameters), returns residuals of shape (residuals, members)."""
Evaluations = Callable[[int], None]
"""Called with the number of points evaluated since the last call."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """A minimum: values in the units of the constants, and minus the logarithm of the posterior density up to a constant.

    `shares` are the values as shares of the way between the bounds.
    """

    values: NDArray[np.float64]
    shares: NDArray[np.float64]
    cost: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Search:
    """The result of a search: the best minimum, the end of every followed start, and the distinct minima.

    `before` is the cost at the initial values, infinite if the simulation fails there. `slopes` are the derivatives of all
    residuals with respect to shares at the best point, shape (observations + parameters, parameters). `binding` says for
    each constant whether it lies on a bound that keeps the fit from improving: "low", "high" or "".
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
        """The number of followed starts that end as low as the best."""
        return sum(end.cost < self.best.cost + _SAME_COST for end in self.ends)

    @property
    def valley(self) -> bool:
        """Whether equally good minima lie in different places, so that the data do not distinguish them."""
        return any(end is not self.best and end.cost < self.best.cost + _SAME_COST for end in self.distinct)


def find_best(problem: Problem, *, starts: int, seed: int, progress: Evaluations | None = None) -> Search:
    """Find the point of highest posterior density, from a Latin hypercube of `starts` points and the initial values."""
    count = {"points": 0, "failed": 0}

    def evaluate(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [
            residuals_at(problem, real_points(problem.parameters, shares[first : first + _ENSEMBLE]))
            for first in range(0, len(shares), _ENSEMBLE)
        ]
        found = np.concatenate(parts, axis=1)
        count["points"] += len(shares)
        count["failed"] += int((~np.isfinite(found).all(axis=0)).sum())
        if progress:
            progress(len(shares))
        return found

    initial = np.array([parameter.initial for parameter in problem.parameters])
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
    chosen = [0, *(place for place in np.argsort(costs, kind="stable") if place != 0)][:_FOLLOWED]
    chosen = [place for place in chosen if not failed[place]] or [int(costs.argmin())]
    endings = minimise_together(evaluate, shares[chosen])
    ends = sorted((_settled(problem, ending, evaluate) for ending in endings), key=lambda end: end.cost)
    best = ends[0]
    around = differences(best.shares)
    residual = evaluate(around)
    slopes = jacobian(around, residual)
    gradient = slopes.T @ residual[:, 0]
    low, high = (best.shares < _AT_BOUND) & (gradient > 0), (best.shares > 1 - _AT_BOUND) & (gradient < 0)
    binding = tuple("low" if below else "high" if above else "" for below, above in zip(low, high, strict=True))
    return Search(
        best, tuple(ends), tuple(_distinct(ends)), before, len(shares), count["points"], count["failed"],
        slopes, binding,
    )  # fmt: skip


def latin_hypercube(count: int, dimensions: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return points in the unit cube, shape (count, dimensions), one in each of `count` slices of every dimension.

    McKay, Beckman and Conover (1979), Technometrics 21:239-245. Written here although SciPy has one: stored calibrations
    can be repeated only as long as a seed gives the same starts.
    """
    slices = np.column_stack([rng.permutation(count) for _ in range(dimensions)])
    return (slices + rng.random((count, dimensions))) / max(count, 1)


def _costs(found: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * np.sum(np.clip(found, -PENALTY, PENALTY) ** 2, axis=0)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one search: shares of the way between the bounds, half the sum of squares there, and its steps."""

    shares: NDArray[np.float64]
    cost: float
    rounds: int
    converged: bool


def _settled(problem: Problem, ending: Ending, evaluate: Evaluate) -> Optimum:
    """Move constants that come near a bound onto it if the fit stays the same or improves.

    The search stays strictly inside the bounds, so it only approaches those that bind.
    """
    shares, cost = ending.shares, ending.cost
    for place in np.flatnonzero(np.minimum(shares, 1 - shares) < _NEAR_BOUND):
        moved = shares.copy()
        moved[place] = round(shares[place])
        moved_cost = float(_costs(penalised(evaluate(moved[np.newaxis]))[0])[0])
        if moved_cost <= cost + _ROUNDING * (1 + cost):
            shares, cost = moved, moved_cost
    return Optimum(real_points(problem.parameters, shares[np.newaxis])[0], shares, cost, ending.converged)


def _distinct(ends: list[Optimum]) -> list[Optimum]:
    """Return the minima that differ from every better one in cost or in place."""
    distinct: list[Optimum] = []
    for end in ends:
        same = (
            abs(end.cost - other.cost) < _SAME_COST and np.abs(end.shares - other.shares).max() < _SAME_PLACE
            for other in distinct
        )
        if not any(same):
            distinct.append(end)
    return distinct


_Points = tuple[int, NDArray[np.float64]]
"""The place of a search, and the points that it waits for."""


def minimise_together(evaluate: Evaluate, starts: NDArray[np.float64]) -> list[Ending]:
    """Minimise the sum of squares within [0, 1] from each start, with SciPy's trust-region search (Branch, Coleman and Li
    1999, SIAM J. Sci. Comput. 21:1-23), evaluating what all searches request at one time as one ensemble.

    Each search has a thread, which only waits or does algebra. Requests are answered when all running searches have made
    one, in their order, so that results are reproducible.
    """
    inbox: SimpleQueue[_Points | None] = SimpleQueue()
    queues: list[SimpleQueue[Any]] = [SimpleQueue() for _ in starts]
    with ThreadPoolExecutor(max(1, len(starts))) as pool:
        try:
            futures = [pool.submit(_search, place, start, inbox, queues[place]) for place, start in enumerate(starts)]
            for future in futures:
                future.add_done_callback(lambda _: inbox.put(None))  # however it ends
            _answer_all(evaluate, inbox, queues)
        except BaseException as fault:  # every waiting thread must receive the fault, or it would never end
            for queue in queues:
                queue.put(fault)
            raise
        return [future.result() for future in futures]


def differences(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points of a Jacobian: the given one, then each parameter slightly lower, then each slightly higher."""
    count = len(shares)
    points = np.tile(shares, (2 * count + 1, 1))
    index = np.arange(count)
    points[1 + index, index] = np.maximum(shares - _STEP, 0)
    points[1 + count + index, index] = np.minimum(shares + _STEP, 1)
    return points


def jacobian(points: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derivatives of residuals with respect to shares, from the residuals at the points of `differences`.

    The shape is (residuals, parameters). Where one side fails, the other side and the middle are used; where both fail, the
    derivative is 0.
    """
    count = points.shape[1]
    index = np.arange(count)
    finite = np.asarray(np.isfinite(found).all(axis=0))
    low = np.where(finite[1 : count + 1], 1 + index, 0)
    high = np.where(finite[count + 1 :], 1 + count + index, 0)
    width = points[high, index] - points[low, index]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(width > 0, (found[:, high] - found[:, low]) / width, 0.0)


def _search(
    place: int, start: NDArray[np.float64], inbox: SimpleQueue[_Points | None], answers: SimpleQueue[Any]
) -> Ending:
    from scipy.optimize import least_squares

    def request(points: NDArray[np.float64]) -> NDArray[np.float64]:
        inbox.put((place, points))
        answer = answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    found = least_squares(
        lambda shares: penalised(request(shares[np.newaxis]))[0][:, 0],
        np.clip(start, _STEP, 1 - _STEP),
        jac=lambda shares: jacobian(differences(shares), request(differences(shares))),
        bounds=(0, 1),
        max_nfev=_ROUNDS,
        **dict.fromkeys(("ftol", "xtol", "gtol"), _TOLERANCE),
    )
    return Ending(np.clip(found.x, 0, 1), float(found.cost), int(found.nfev), found.status > 0)


def _answer_all(evaluate: Evaluate, inbox: SimpleQueue[_Points | None], queues: Sequence[SimpleQueue[Any]]) -> None:
    running = len(queues)
    waiting: dict[int, NDArray[np.float64]] = {}
    while running:
        request = inbox.get()
        if request is None:
            running -= 1
        else:
            place, points = request
            waiting[place] = points
        if waiting and len(waiting) == running:
            places = sorted(waiting)
            parts = [waiting.pop(place) for place in places]
            ends = np.cumsum([len(part) for part in parts])[:-1]
            for place, answer in zip(places, np.split(evaluate(np.concatenate(parts)), ends, axis=1), strict=True):
                queues[place].put(answer)


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction among the constants, each measured in its prior standard deviation, at the best point.

    `strength` is the singular value s: by how many standard deviations of the data's errors the residuals move when the
    constants move by one prior standard deviation along it. `left` is the share of the prior variance that the data leave,
    1/(1 + s^2). `parts` are the constants' components of the direction; their squares add up to 1.
    """

    strength: float
    left: float
    parts: tuple[float, ...]

    @property
    def identified(self) -> bool:
        """Whether the data say more about it than the prior does."""
        return self.strength > 1


@dataclass(frozen=True, eq=False)
class Identification:
    """What data say near the best point: `directions`, strongest first, and the `covariance` of the constants in their units.

    `freedom` is the number of directions that the data determine, the sum of s^2/(1 + s^2); `gains` are, for each
    constant, the share of its prior variance that the data remove.
    """

    directions: tuple[Direction, ...]
    freedom: float
    gains: tuple[float, ...]
    covariance: NDArray[np.float64]


def identify(parameters: Sequence[Parameter], search: Search) -> Identification:
    """Find the directions that the data identify, by the singular values of the Jacobian of the standardised residuals, each
    constant measured in its prior standard deviation.

    Near the best point, residuals are taken as linear and priors as normal; then the posterior covariance is the inverse of
    I + J'J in these units (Rodgers, Inverse Methods for Atmospheric Sounding, 2000, section 2.4: degrees of freedom for
    signal; Cui et al. 2014, Inverse Problems 30:114015: data-informed directions).
    """
    count = len(parameters)
    spreads = np.array([parameter.spread() for parameter in parameters])
    per_share = [
        value * float(np.log(one.high / one.low)) if one.logarithmic else one.high - one.low
        for one, value in zip(parameters, search.best.values, strict=True)
    ]
    of_data = search.slopes[: len(search.slopes) - count] * (spreads / np.array(per_share))
    _, strengths, directions = np.linalg.svd(of_data, full_matrices=True)
    strengths = np.concatenate([strengths, np.zeros(count - len(strengths))])
    left = 1 / (1 + strengths**2)
    spread_left = (directions.T * left) @ directions
    signs = (1 if direction[np.abs(direction).argmax()] > 0 else -1 for direction in directions)
    found = tuple(
        Direction(float(strength), float(part), tuple(map(float, sign * direction)))
        for strength, part, sign, direction in zip(strengths, left, signs, directions, strict=True)
    )
    gains = tuple(map(float, 1 - np.diag(spread_left)))
    return Identification(found, float(np.sum(1 - left)), gains, spread_left * np.outer(spreads, spreads))


def leading_constants(direction: Direction, names: Sequence[str]) -> list[tuple[str, float]]:
    """Return the constants with large components of a direction, the largest first."""
    parts = sorted(zip(names, direction.parts, strict=True), key=lambda pair: -abs(pair[1]))
    return [(name, part) for name, part in parts if abs(part) >= _LEADING]


def close_pairs(correlations: NDArray[np.float64], names: Sequence[str]) -> list[tuple[str, str, float]]:
    """Return the pairs of constants whose correlation exceeds 0.9 in size: data hardly distinguish them."""
    return [
        (names[one], names[other], float(correlations[one, other]))
        for one, other in combinations(range(len(names)), 2)
        if abs(correlations[one, other]) > _CLOSE
    ]
