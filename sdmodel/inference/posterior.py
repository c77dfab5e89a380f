"""The posterior density of the free constants, sampled by an ensemble of walkers, and the chain that they leave on disk.

Walkers move over latent scales, on which the prior of each constant is the standard normal distribution and bounds lie at
infinity. A posterior that presses on a bound, or on a truncated prior, is smooth on these scales, so that hardly any
proposal is rejected there.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..extras import check_extra, load_extra
from ..files import write_file
from .likelihood import Problem, log_likelihood, log_posterior, modelled_at
from .optimum import Evaluations, Identification, Search
from .parameters import Parameter

RHAT = 1.05
EFFECTIVE = 400
"""A chain counts as converged up to this R-hat and from this effective sample size, in bulk and tails, of every constant."""

IDENTIFIED = 0.5
"""Largest share of the prior standard deviation that the data leave of an identified constant."""
NOT_IDENTIFIED = 0.9
"""Smallest share that they leave of a constant about which they say nothing."""
AT_BOUND = 0.05
"""Share of draws in the hundredth of the range next to a bound from which a constant counts as being at the bound."""
_EDGE = 0.01
_BURN = 5
"""Autocorrelation times that are left out at the start."""

_TASK = "a posterior"
"""What the extra `calibrate` is for."""
_STATE_WORDS = 624
"""Words in the state of a Mersenne twister."""
_BISECTIONS = 60
_LARGEST = float(np.nextafter(1, 0))
_FAR = 1e-9
"""Prior probability beyond which a place counts as the bound: six standard deviations."""
_WIDER = 1.5
"""How much wider than the normal approximation the walkers start, so that their agreement means something."""
_RIVAL = 5.0
"""Walkers also start at minima whose posterior density is at least exp(-5), about 1/150, of the best one's."""
_TRIES = 30
_VARIED = 0.45
"""Share of difference moves whose length varies by half of it: walkers leave bent and narrow ridges sooner."""
_JUMP = 0.15
"""Share of moves that can lead from one mode to another: they add a whole difference between walkers."""
_DIFFERENCES = 0.15
"""Share of other difference moves once mean and covariance are estimated."""
_RESAMPLED = (0.35, 0.6)
"""Shares of a Crank-Nicolson step that are resampled; the larger, the less often a step is accepted."""
_FIRST_ESTIMATE = 200
"""Steps after which mean and covariance are estimated for the first time."""
_ESTIMATE_POINTS = 10_000
"""Largest number of points that they are estimated from."""
_INSIDE = 1e-3
"""Walkers start between these prior quantiles and not on a bound, which is far away on a latent scale."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The steps that walkers have made: `points` of shape (steps, walkers, parameters) in the constants' units.

    `log_densities` are the logarithms of the posterior density there, over the latent scales, shape (steps, walkers). After
    the last step, `random_state` is the state of NumPy's `RandomState`, and `latent` are the places on the latent scales,
    shape (walkers, parameters).
    """

    points: NDArray[np.float64]
    log_densities: NDArray[np.float64]
    random_state: tuple[Any, ...]
    latent: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.points)

    @property
    def acceptance(self) -> float:
        """The share of proposals that were accepted."""
        moved = (self.points[1:] != self.points[:-1]).any(axis=2)
        return float(moved.mean()) if moved.size else 0.0


Checkpoint = Callable[[Chain], None]


def write_chain(path: Path, chain: Chain, fingerprints: Mapping[str, str], *, force: bool) -> None:
    """Write a chain with the `fingerprints` of its calibration, completely or not at all.

    Raises
    ------
    CalibrationError
        If the file cannot be written.
    """
    name, words, position, has_gauss, gauss = chain.random_state
    buffer = io.BytesIO()
    np.savez(
        buffer,
        points=chain.points,
        heights=chain.log_densities,
        latent=chain.latent,
        words=np.asarray(words, dtype=np.uint32),
        dice=np.array([position, has_gauss, gauss], dtype=float),
        marks=np.array(json.dumps(dict(fingerprints) | {"dice": name})),
    )
    write_file(path, buffer.getbuffer(), force=force, error=CalibrationError)


def read_chain(path: Path, fingerprints: Mapping[str, str]) -> Chain:
    """Read a stored chain, which must belong to the calibration with these `fingerprints`.

    Raises
    ------
    CalibrationError
        If the file is missing or unreadable, or belongs to another calibration; the message says what differs.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            parts = {name: stored[name] for name in ("points", "heights", "latent", "words", "dice", "marks")}
        marks = json.loads(str(parts["marks"]))
        chain = _checked_chain(parts, str(marks["dice"]))
    except FileNotFoundError:
        message = f"{path}: there is no calibration to resume; leave out --resume"
        raise CalibrationError(message) from None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as cause:
        message = f"{path}: is not the state of a calibration ({type(cause).__name__}); start again with --force"
        raise CalibrationError(message) from cause
    differing = [name for name, mark in fingerprints.items() if marks.get(name) != mark]
    if differing:
        message = f"{path}: was made with another {' and '.join(differing)}; repeat it with the same, or start again with --force"
        raise CalibrationError(message)
    return chain


def _checked_chain(parts: Mapping[str, NDArray[Any]], generator: str) -> Chain:
    points, heights, words, state = (parts[name] for name in ("points", "heights", "words", "dice"))
    steps, walkers, count = points.shape  # another number of dimensions raises ValueError
    fits = heights.shape == (steps, walkers) and words.shape == (_STATE_WORDS,) and state.shape == (3,)
    fits = fits and parts["latent"].shape in {(walkers, count), (0, 0)}
    if not fits or not steps or not np.isfinite(points).all():
        message = "the parts do not fit"
        raise ValueError(message)
    return Chain(points, heights, (generator, words, int(state[0]), int(state[1]), float(state[2])), parts["latent"])


@dataclass(frozen=True, slots=True)
class Scale:
    """The latent scale of one constant: `first` and `last` are the prior probabilities below its bounds."""

    parameter: Parameter
    first: float
    last: float

    def values(self, latent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values, in the constant's units, at places of the scale: prior quantiles."""
        from scipy.special import ndtr

        shares = np.minimum(self.first + (self.last - self.first) * ndtr(latent), _LARGEST)
        low, high = self.parameter.low, self.parameter.high
        if self.parameter.prior is None:
            return np.clip(low + (high - low) * shares, low, high)
        return np.clip(self.parameter.prior.quantile(shares), low, high)

    def places(self, values: NDArray[np.float64], margin: float = _FAR) -> NDArray[np.float64]:
        """Return the places of values, none beyond the prior quantiles `margin` and 1 - `margin`."""
        from scipy.special import ndtri

        shares = (_probabilities_below(self.parameter, values) - self.first) / (self.last - self.first)
        return np.asarray(ndtri(np.clip(shares, margin, 1 - margin)), dtype=float)


def scales_of(parameters: Sequence[Parameter]) -> tuple[Scale, ...]:
    """Return the latent scale of each constant; bounds inside those of its prior truncate it."""
    scales = []
    for parameter in parameters:
        prior, low, high = parameter.prior, parameter.low, parameter.high
        if prior is None:
            scales.append(Scale(parameter, 0.0, 1.0))
            continue
        first, last = map(float, _probabilities_below(parameter, np.array([low, high], dtype=float)))
        scales.append(Scale(parameter, 0.0 if low <= prior.minimum else first, 1.0 if high >= prior.maximum else last))
    return tuple(scales)


def values_at(scales: Sequence[Scale], latent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert latent places to points, shape (members, parameters), in the units of each constant."""
    return np.column_stack([scale.values(latent[:, place]) for place, scale in enumerate(scales)])


def latent_of(scales: Sequence[Scale], points: NDArray[np.float64], margin: float = _FAR) -> NDArray[np.float64]:
    """Convert points to latent places, shape (members, parameters), dimensionless."""
    return np.column_stack([scale.places(points[:, place], margin) for place, scale in enumerate(scales)])


def latent_log_posterior(problem: Problem, scales: Sequence[Scale], latent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the posterior density over the latent scales, up to a constant, shape (members,).

    It is that of the standard normal distribution times the likelihood, since values are prior quantiles. Where a
    simulation fails it is minus infinity.
    """
    density = log_likelihood(problem.series, modelled_at(problem, values_at(scales, latent)))
    with np.errstate(over="ignore"):
        density -= 0.5 * np.sum(latent * latent, axis=1)
    return np.where(np.isnan(density), -np.inf, density)


def _probabilities_below(parameter: Parameter, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the prior probabilities below values, by bisection of the quantile function."""
    low, high = np.zeros(values.shape), np.ones(values.shape)
    if parameter.prior is None:
        return (values - parameter.low) / (parameter.high - parameter.low)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        below = parameter.prior.quantile(np.minimum(middle, _LARGEST)) < values
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def default_walkers(count: int) -> int:
    """Return the default number of walkers for a number of constants: half of them must span all directions twice."""
    return max(32, 4 * count)


def sample(
    problem: Problem,
    start: NDArray[np.float64] | Chain,
    steps: int,
    seed: int,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Evaluations | None = None,
) -> Chain:
    """Walk through the posterior density until `steps` are made, from points of shape (walkers, parameters), or from a
    chain, exactly as if it had never stopped.

    Walkers move over the latent scales. At first half of them move at a time, in one simulation: by the difference of two
    walkers of the other half (ter Braak 2006, Stat. Comput. 16:239-249; Nelson, Ford and Payne 2014, ApJS 210:11), times a
    factor that gives good acceptance, or varies around it, or is one. Once there are enough steps to estimate the
    posterior's mean and covariance, most steps resample around them and keep a share of the walker's position
    (preconditioned Crank-Nicolson steps: Cotter et al. 2013, Statist. Sci. 28:424-446; around a normal approximation:
    Rudolf and Sprungk 2018, Found. Comput. Math. 18:309-343). Both are estimated again whenever the number of steps has
    doubled, ever more rarely, so that the walk still converges to the posterior (Roberts and Rosenthal 2007, J. Appl.
    Probab. 44:458-475).

    `checkpoint` is called with the chain after every step, `progress` with the number of points proposed.
    """
    emcee = _load("emcee")
    scales = scales_of(problem.parameters)
    if isinstance(start, Chain):
        before = start
        state = emcee.State(start.latent, log_prob=start.log_densities[-1], random_state=start.random_state)
    else:
        before = Chain(np.empty((0, *start.shape)), np.empty((0, len(start))), ())
        first = latent_of(scales, start, _INSIDE)
        state = emcee.State(first, random_state=np.random.RandomState(seed).get_state())
    points = np.empty((max(steps, before.steps), *before.points.shape[1:]))
    densities = np.empty(points.shape[:2])
    points[: before.steps], densities[: before.steps] = before.points, before.log_densities
    density, chain = partial(latent_log_posterior, problem, scales), before
    while chain.steps < steps:
        stage = _FIRST_ESTIMATE
        while 2 * stage <= chain.steps:
            stage *= 2
        estimated, until = (True, 2 * stage) if chain.steps >= stage else (False, stage)
        moves = _crank_nicolson_moves(scales, points[stage // 2 : stage]) if estimated else []
        share = _DIFFERENCES if estimated else 1 - _JUMP
        weighted = [
            (emcee.moves.DEMove(), (1 - _VARIED) * share),
            (emcee.moves.DEMove(sigma=0.5), _VARIED * share),
            (emcee.moves.DEMove(gamma0=1.0), _JUMP),
            *((move, (1 - _JUMP - share) / len(moves)) for move in moves),
        ]
        sampler = emcee.EnsembleSampler(*points.shape[1:], density, vectorize=True, moves=weighted)
        sampler.log_prob_fn = density  # emcee's wrapper prints whatever ends the walk
        count = min(until, steps) - chain.steps
        walk = sampler.sample(state, iterations=count, store=False, skip_initial_state_check=True)
        for place, step in enumerate(walk, chain.steps):
            state = step
            points[place], densities[place] = values_at(scales, step.coords), step.log_prob
            chain = Chain(points[: place + 1], densities[: place + 1], step.random_state, step.coords.copy())
            if progress:
                progress(points.shape[1])
            if checkpoint:
                checkpoint(chain)
    return chain


def _crank_nicolson_moves(scales: Sequence[Scale], points: NDArray[np.float64]) -> list[Any]:
    """Return moves around the normal distribution with the mean and covariance of `points` on the latent scales."""
    emcee = _load("emcee")
    flat = points.reshape(-1, points.shape[2])
    chosen = np.linspace(0, len(flat) - 1, min(len(flat), _ESTIMATE_POINTS)).round().astype(int)
    sampled = latent_of(scales, flat[chosen])
    mean = sampled.mean(axis=0)
    covariance = np.atleast_2d(np.cov(sampled, rowvar=False)) + 1e-6 * np.eye(sampled.shape[1])
    root = np.asarray(np.linalg.cholesky(covariance), dtype=float)
    inverse = np.asarray(np.linalg.inv(root), dtype=float)

    def propose(share: float, latent: NDArray[np.float64], rng: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        current = (latent - mean) @ inverse.T
        proposed = np.sqrt(1 - share * share) * current + share * rng.standard_normal(current.shape)
        factors = 0.5 * (np.sum(proposed * proposed, axis=1) - np.sum(current * current, axis=1))
        return mean + proposed @ root.T, factors

    return [emcee.moves.MHMove(partial(propose, share)) for share in _RESAMPLED]


def starting_points(
    problem: Problem, search: Search, identification: Identification, walkers: int, seed: int
) -> NDArray[np.float64]:
    """Return starting points around the minima, shape (walkers, parameters): normal, wider than the posterior, in bounds.

    Minima nearly as good as the best one get as many walkers each, since walkers hardly find a mode in which none starts.
    Points outside the bounds are reflected inside. An impossible point is replaced by others, ever nearer to its minimum.
    """
    rng = np.random.default_rng(seed)
    low, high = (np.array([getattr(parameter, end) for parameter in problem.parameters]) for end in ("low", "high"))
    width = high - low
    root = np.linalg.cholesky(identification.covariance + np.diag(1e-12 * width**2)) * _WIDER
    minima = [optimum.values for optimum in search.distinct if optimum.cost < search.best.cost + _RIVAL]
    middles = np.array([minima[walker % len(minima)] for walker in range(walkers)])
    points = np.empty((walkers, len(low)))
    missing = np.ones(walkers, dtype=bool)
    for attempt in range(_TRIES):
        sampled = middles + rng.standard_normal(points.shape) @ root.T * 0.8**attempt
        folded = np.mod(sampled - low, 2 * width)
        points[missing] = np.clip(low + np.minimum(folded, 2 * width - folded), low, high)[missing]
        missing[missing] = ~np.isfinite(log_posterior(problem, points[missing]))
        if not missing.any():
            return points
    cure = "narrow the bounds, or widen the errors"
    message = f"the posterior density is zero nearly everywhere around the best point; {cure}"
    raise CalibrationError(message)


def posterior_draws(chain: Chain, burn: int, count: int) -> NDArray[np.float64]:
    """Return up to `count` posterior draws, shape (draws, parameters), evenly spread over the steps after `burn`."""
    flat = chain.points[burn:].reshape(-1, chain.points.shape[2])
    chosen = np.unique(np.linspace(0, len(flat) - 1, min(count, len(flat))).round().astype(int))
    return flat[chosen]


def check_posterior_extra() -> None:
    """Check before any work that the packages that a posterior needs are installed.

    Raises
    ------
    CalibrationError
        If one is not installed; the message says how to install it.
    """
    check_extra("calibrate", task=_TASK, error=CalibrationError)


def _load(name: str) -> ModuleType:
    return load_extra(name, extra="calibrate", task=_TASK, error=CalibrationError)


@dataclass(frozen=True, slots=True)
class Marginal:
    """The posterior of one constant, in its units: mean, standard deviation, median and 90 % interval, with diagnostics.

    `gain` is the share of the prior variance that the data remove, `contraction` the standard deviation as a share of the
    prior's. `near_low` and `near_high` are the shares of draws within a hundredth of the range next to each bound.
    """

    name: str
    mean: float
    sd: float
    low: float
    median: float
    high: float
    gain: float
    rhat: float
    ess_bulk: float
    ess_tail: float
    contraction: float
    near_low: float
    near_high: float

    @property
    def identified(self) -> bool:
        """Whether the data leave at most half of the prior standard deviation."""
        return self.contraction <= IDENTIFIED

    @property
    def not_identified(self) -> bool:
        """Whether the data leave nearly all of the prior standard deviation."""
        return self.contraction >= NOT_IDENTIFIED

    @property
    def at_bound(self) -> bool:
        """Whether many draws lie close to a bound."""
        return max(self.near_low, self.near_high) >= AT_BOUND


@dataclass(frozen=True, eq=False)
class Posterior:
    """A chain with its diagnostics: `burn` steps are left out at the start; the autocorrelation time is in steps.

    `doubts` says what speaks against the chain; it is empty if it has converged. `correlations` has shape (parameters,
    parameters).
    """

    chain: Chain
    marginals: tuple[Marginal, ...]
    correlations: NDArray[np.float64]
    burn: int
    autocorrelation_time: float
    doubts: tuple[str, ...]

    @property
    def points(self) -> NDArray[np.float64]:
        """The steps after the ones left out, shape (steps, walkers, parameters)."""
        return self.chain.points[self.burn :]


def judge(chain: Chain, parameters: Sequence[Parameter]) -> Posterior:
    """Summarise a chain for each constant, and judge whether it has converged.

    Five autocorrelation times are left out at the start, at least a tenth and at most half of the chain (Goodman and Weare
    2010, Comm. App. Math. Comp. Sci. 5:65-80). Each walker counts as a chain for the rank-normalised split R-hat and the
    effective sample size (Vehtari et al. 2021, Bayesian Analysis 16:667-718). Walkers are many and short: R-hat is about the
    root of 1 + 2 t/n for an autocorrelation time t and n steps used, so 1.05 requires about twenty times t. Since walkers
    move by each other's positions, none of this can reveal a mode that no walker has visited.
    """
    memory = _autocorrelation_time(chain.points)
    burn = int(min(chain.steps // 2, max(chain.steps // 10, np.ceil(_BURN * memory))))
    points = chain.points[burn:]
    marginals = tuple(_marginal(parameter, points[:, :, place].T) for place, parameter in enumerate(parameters))
    with np.errstate(invalid="ignore", divide="ignore"):
        flat = points.reshape(-1, len(parameters))
        correlations = np.nan_to_num(np.atleast_2d(np.corrcoef(flat, rowvar=False)))
    return Posterior(chain, marginals, correlations, burn, memory, _doubts(marginals, chain))


def _autocorrelation_time(points: NDArray[np.float64]) -> float:
    """Return the longest integrated autocorrelation time of the constants, in steps."""
    half = points[len(points) // 2 :]
    if len(half) < 2 or (half == half[:1]).all(axis=0).any():  # noqa: PLR2004 - too short, or a walker that never moves
        return float(len(points))
    return float(np.max(_load("emcee.autocorr").integrated_time(half, tol=0, quiet=True)))


def _marginal(parameter: Parameter, values: NDArray[np.float64]) -> Marginal:
    """Summarise one constant from values of shape (walkers, steps)."""
    statistics = _load("arviz_stats.base").array_stats
    low, median, high = (float(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
    rhat, bulk, tail = math.inf, 0.0, 0.0
    if values.shape[1] >= 4 and np.ptp(values) > 0:  # noqa: PLR2004 - each half of a chain needs two draws
        axes = {"chain_axis": 0, "draw_axis": 1}
        rhat, bulk = float(statistics.rhat(values, **axes)), float(statistics.ess(values, method="bulk", **axes))
        tail = float(statistics.ess(values, method="tail", prob=(0.05, 0.95), **axes))
    mean, sd, prior_sd = float(values.mean()), float(values.std()), parameter.spread()
    gain = 1 - float(values.var()) / prior_sd**2
    edge = _EDGE * (parameter.high - parameter.low)
    near = float(np.mean(values <= parameter.low + edge)), float(np.mean(values >= parameter.high - edge))
    return Marginal(parameter.name, mean, sd, low, median, high, gain, rhat, bulk, tail, sd / prior_sd, *near)


def _doubts(marginals: Sequence[Marginal], chain: Chain) -> tuple[str, ...]:
    worst = max(marginals, key=lambda marginal: marginal.rhat)
    fewest = min(marginals, key=lambda marginal: min(marginal.ess_bulk, marginal.ess_tail))
    least = min(fewest.ess_bulk, fewest.ess_tail)
    doubts = []
    if not worst.rhat <= RHAT:
        doubts.append(f"R-hat of '{worst.name}' is {worst.rhat:.3f}, above {RHAT}")
    if not least >= EFFECTIVE:
        doubts.append(f"'{fewest.name}' has {least:.0f} effective draws, below {EFFECTIVE}")
    if chain.acceptance < 0.01:  # noqa: PLR2004 - one step in a hundred
        doubts.append(f"only {chain.acceptance:.1%} of the proposals were accepted")
    return tuple(doubts)
