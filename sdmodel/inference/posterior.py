"""What is to be believed of the free constants after the data: a walk of many walkers through the posterior density."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from .chain import Chain
from .identification import Identification
from .problem import Problem, log_posterior
from .search import Search

_WIDER = 1.5
"""How much wider than the normal approximation the walkers begin, so that their agreement means something."""
_RIVAL = 5.0
"""Walkers begin at minima whose posterior density is at least exp(-5), some 1/150, of the best one's."""
_TRIES = 30
_VARIED = 0.4
"""The share of steps whose length varies, by half of it: bent and narrow ridges are left sooner."""
_JUMP = 0.1
"""The share of steps that may lead from one mode to another: a whole difference between walkers is added."""

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

    Half of the walkers move at a time, in one simulation: by the difference of two of the other half (ter Braak 2006, Stat.
    Comput. 16:239-249; Nelson, Ford and Payne 2014, ApJS 210:11), times a number that makes for good acceptance, or varies
    around it, or is one. `saved` is given the chain after every step; `told` how many more points were proposed.

    Raises
    ------
    CalibrationError
        If emcee is not installed.
    """
    emcee = module_of_calibrate("emcee")
    walkers, count = begin.points.shape[1:] if isinstance(begin, Chain) else begin.shape
    sampler = emcee.EnsembleSampler(
        walkers,
        count,
        partial(log_posterior, problem),
        vectorize=True,
        moves=[
            (emcee.moves.DEMove(), 1 - _VARIED - _JUMP),
            (emcee.moves.DEMove(sigma=0.5), _VARIED),
            (emcee.moves.DEMove(gamma0=1.0), _JUMP),
        ],
    )
    sampler.log_prob_fn = partial(log_posterior, problem)  # emcee wraps what it is given, and prints whatever ends it
    if isinstance(begin, Chain):
        before = begin
        state = emcee.State(begin.points[-1], log_prob=begin.heights[-1], random_state=begin.dice)
    else:
        before = Chain(np.empty((0, walkers, count)), np.empty((0, walkers)), ())
        state = emcee.State(begin, random_state=np.random.RandomState(seed).get_state())
    return _walk(sampler, state, before, steps, saved, told)


def _walk(sampler: Any, state: Any, before: Chain, steps: int, saved: Saved | None, told: Told | None) -> Chain:
    """The chain grown to that many steps."""
    done = before.steps
    walkers, count = before.points.shape[1:]
    points, heights = np.empty((max(steps, done), walkers, count)), np.empty((max(steps, done), walkers))
    points[:done], heights[:done] = before.points, before.heights
    dice = before.dice
    following = sampler.sample(state, iterations=max(0, steps - done), store=False, skip_initial_state_check=True)
    for place, each in enumerate(following, done):
        points[place], heights[place], dice = each.coords, each.log_prob, each.random_state
        if told:
            told(walkers)
        if saved:
            saved(Chain(points[: place + 1], heights[: place + 1], dice))
    return Chain(points, heights, dice)


def starting_points(
    problem: Problem, search: Search, identification: Identification, walkers: int, seed: int
) -> NDArray[np.float64]:
    """Points around the best ones, shape (walkers, parameters): normal, wider than the posterior should be, within bounds.

    Minima nearly as high as the best one have as many walkers each, since walkers hardly find a mode that none begins in.
    What falls outside is reflected inside. Where a point is impossible another is drawn, ever nearer to its minimum.

    Raises
    ------
    CalibrationError
        If nearly all points around the best one are impossible.
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
    try:
        return importlib.import_module(name)
    except ImportError:
        message = (
            f'a posterior needs {name.partition(".")[0]}, which is not installed; pip install "sdmodel[calibrate]"'
        )
        raise CalibrationError(message) from None
