"""What is to be believed of the free constants after the data: a walk of many walkers through the posterior density."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..extras import load_extra
from .chain import Chain
from .identification import Identification
from .latent import Scale, latent_log_posterior, latent_of, scales_of, values_at
from .problem import Problem, log_posterior
from .search import Search

_WIDER = 1.5
"""How much wider than the normal approximation the walkers begin, so that their agreement means something."""
_RIVAL = 5.0
"""Walkers begin at minima whose posterior density is at least exp(-5), some 1/150, of the best one's."""
_TRIES = 30
_VARIED = 0.45
"""The share of other steps by differences whose length varies, by half of it: bent and narrow ridges are left sooner."""
_JUMP = 0.15
"""The share of steps that may lead from one mode to another: a whole difference between walkers is added."""
_DIFFERENCES = 0.15
"""The share of other steps by differences once mean and covariance are told."""
_ANEW = (0.35, 0.6)
"""How much of a step around them is drawn anew; the larger, the rarer it is taken."""
_FIRST_TOLD = 200
"""Steps after which they are told for the first time."""
_TOLD_BY = 10_000
"""Points of the walk that tell them, at most."""
_INSIDE = 1e-3
"""Walkers begin between these prior quantiles and not on a bound, from which it is a long way on their scale."""

Saved = Callable[[Chain], None]
Told = Callable[[int], None]


def least_walkers(count: int) -> int:
    """So many walkers for that many constants, at least: half of them must span all directions, twice over."""
    return max(32, 4 * count)


def sample(
    problem: Problem,
    begin: NDArray[np.float64] | Chain,
    steps: int,
    seed: int,
    *,
    saved: Saved | None = None,
    told: Told | None = None,
) -> Chain:
    """Walkers through the posterior density until `steps` are made, from points of shape (walkers, parameters), or on from
    a chain, as if that had never stopped.

    They move over the scales on which the prior is standard normal. At first half of them move at a time, in one
    simulation: by the difference of two of the other half (ter Braak 2006, Stat. Comput. 16:239-249; Nelson, Ford and Payne
    2014, ApJS 210:11), times a number that makes for good acceptance, or varies around it, or is one. Once there are
    enough steps to tell the posterior's mean and covariance, most steps draw anew around them and keep a part of where the
    walker is (preconditioned Crank-Nicolson steps: Cotter et al. 2013, Statist. Sci. 28:424-446; around a normal
    approximation: Rudolf and Sprungk 2018, Found. Comput. Math. 18:309-343). Mean and covariance are told again whenever
    the steps have doubled, ever more rarely, so that the walk still has the posterior for its limit (Roberts and Rosenthal
    2007, J. Appl. Probab. 44:458-475). `saved` is given the chain after every step; `told` how many more points were
    proposed.
    """
    emcee = module_of_calibrate("emcee")
    scales = scales_of(problem.parameters)
    if isinstance(begin, Chain):
        before = begin
        state = emcee.State(begin.latent, log_prob=begin.heights[-1], random_state=begin.dice)
    else:
        before = Chain(np.empty((0, *begin.shape)), np.empty((0, len(begin))), ())
        first = latent_of(scales, begin, _INSIDE)
        state = emcee.State(first, random_state=np.random.RandomState(seed).get_state())
    walk = _Walk(problem, scales, np.empty((max(steps, before.steps), *before.points.shape[1:])))
    heights = np.empty(walk.points.shape[:2])
    walk.points[: before.steps], heights[: before.steps] = before.points, before.heights
    dice, latent = before.dice, before.latent
    for place, each in _steps(walk, state, before.steps, steps):
        walk.points[place], heights[place] = values_at(scales, each.coords), each.log_prob
        dice, latent = each.random_state, each.coords.copy()
        if told:
            told(len(latent))
        if saved:
            saved(Chain(walk.points[: place + 1], heights[: place + 1], dice, latent))
    return Chain(walk.points, heights, dice, latent)


@dataclass(frozen=True, eq=False)
class _Walk:
    """What a walk goes over, and the points that it has come to, shape (steps, walkers, parameters)."""

    problem: Problem
    scales: tuple[Scale, ...]
    points: NDArray[np.float64]


def _steps(walk: _Walk, state: Any, done: int, steps: int) -> Iterator[tuple[int, Any]]:
    """Every step from `done` on, by the moves of its stage: which they are depends on the steps before it alone."""
    emcee = module_of_calibrate("emcee")
    density = partial(latent_log_posterior, walk.problem, walk.scales)
    while done < steps:
        stage = _FIRST_TOLD
        while 2 * stage <= done:
            stage *= 2
        learnt, until = (True, 2 * stage) if done >= stage else (False, stage)
        moves = _moves_around(_told_by(walk, stage)) if learnt else []
        share = _DIFFERENCES if learnt else 1 - _JUMP
        sampler = emcee.EnsembleSampler(
            *walk.points.shape[1:],
            density,
            vectorize=True,
            moves=[
                (emcee.moves.DEMove(), (1 - _VARIED) * share),
                (emcee.moves.DEMove(sigma=0.5), _VARIED * share),
                (emcee.moves.DEMove(gamma0=1.0), _JUMP),
                *((move, (1 - _JUMP - share) / len(moves)) for move in moves),
            ],
        )
        sampler.log_prob_fn = density  # emcee wraps what it is given, and prints whatever ends it
        count = min(until, steps) - done
        for place, each in enumerate(
            sampler.sample(state, iterations=count, store=False, skip_initial_state_check=True)
        ):
            state = each
            yield done + place, each
        done += count


@dataclass(frozen=True, eq=False)
class _Normal:
    """A normal distribution over the scales: its mean, a root of its covariance, and the inverse of that."""

    mean: NDArray[np.float64]
    root: NDArray[np.float64]
    inverse: NDArray[np.float64]


def _told_by(walk: _Walk, steps: int) -> _Normal:
    """The normal distribution with the mean and covariance of the second half of so many first steps."""
    flat = walk.points[steps // 2 : steps].reshape(-1, walk.points.shape[2])
    picked = np.linspace(0, len(flat) - 1, min(len(flat), _TOLD_BY)).round().astype(int)
    latent = latent_of(walk.scales, flat[picked])
    covariance = np.atleast_2d(np.cov(latent, rowvar=False)) + 1e-6 * np.eye(latent.shape[1])
    root = np.asarray(np.linalg.cholesky(covariance), dtype=float)
    return _Normal(latent.mean(axis=0), root, np.asarray(np.linalg.inv(root), dtype=float))


def _moves_around(normal: _Normal) -> list[Any]:
    """The moves that draw anew around a normal distribution, a smaller or larger part of what they keep."""
    emcee = module_of_calibrate("emcee")

    def proposed(
        part: float, latent: NDArray[np.float64], dice: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        own = (latent - normal.mean) @ normal.inverse.T
        drawn = np.sqrt(1 - part * part) * own + part * dice.standard_normal(own.shape)
        factors = 0.5 * (np.sum(drawn * drawn, axis=1) - np.sum(own * own, axis=1))
        return normal.mean + drawn @ normal.root.T, factors

    return [emcee.moves.MHMove(partial(proposed, part)) for part in _ANEW]


def starting_points(
    problem: Problem, search: Search, identification: Identification, walkers: int, seed: int
) -> NDArray[np.float64]:
    """Points around the best ones, shape (walkers, parameters): normal, wider than the posterior should be, within bounds.

    Minima nearly as high as the best one have as many walkers each, since walkers hardly find a mode that none begins in.
    What falls outside is reflected inside. Where a point is impossible another is drawn, ever nearer to its minimum.
    """
    dice = np.random.default_rng(seed)
    low, high = (np.array([getattr(each, end) for each in problem.parameters]) for end in ("low", "high"))
    root = np.linalg.cholesky(identification.covariance + np.diag(1e-12 * (high - low) ** 2)) * _WIDER
    tops = [each.values for each in search.distinct if each.cost < search.best.cost + _RIVAL]
    middles = np.array([tops[walker % len(tops)] for walker in range(walkers)])
    points = np.empty((walkers, len(low)))
    lacking = np.ones(walkers, dtype=bool)
    for attempt in range(_TRIES):
        drawn = middles + dice.standard_normal(points.shape) @ root.T * 0.8**attempt
        points[lacking] = _reflected(drawn, low, high)[lacking]
        lacking[lacking] = ~np.isfinite(log_posterior(problem, points[lacking]))
        if not lacking.any():
            return points
    message = (
        "the posterior density is zero nearly everywhere around the best point; narrow the bounds, or widen the errors"
    )
    raise CalibrationError(message)


def _reflected(points: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    width = high - low
    folded = np.mod(points - low, 2 * width)
    return np.clip(low + np.minimum(folded, 2 * width - folded), low, high)


def draws(chain: Chain, burn: int, count: int) -> NDArray[np.float64]:
    """Posterior draws, shape (count, parameters), evenly spread over what comes after `burn` steps, as many as there are."""
    flat = chain.points[burn:].reshape(-1, chain.points.shape[2])
    picked = np.unique(np.linspace(0, len(flat) - 1, min(count, len(flat))).round().astype(int))
    return flat[picked]


def module_of_calibrate(name: str) -> ModuleType:
    """A module of the extra `calibrate`.

    Raises
    ------
    CalibrationError
        If it is not installed; it says how to.
    """
    return load_extra(name, extra="calibrate", task="a posterior", error=CalibrationError)
