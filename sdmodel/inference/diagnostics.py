"""Whether a chain can be trusted, and what it says about each constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .parameters import Parameter
from .posterior import Chain, load_calibrate_module

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
    integrated_time = load_calibrate_module("emcee.autocorr").integrated_time
    half = points[len(points) // 2 :]
    if len(half) < 2 or (half == half[:1]).all(axis=0).any():  # noqa: PLR2004 - too short, or a walker that never moves
        return float(len(points))
    return float(np.max(integrated_time(half, tol=0, quiet=True)))


def _marginal(parameter: Parameter, values: NDArray[np.float64]) -> Marginal:
    """Summarise one constant from values of shape (walkers, steps)."""
    statistics = load_calibrate_module("arviz_stats.base").array_stats
    low, median, high = (float(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
    enough = values.shape[1] >= 4 and np.ptp(values) > 0  # noqa: PLR2004 - each half of a chain needs two draws
    axes = {"chain_axis": 0, "draw_axis": 1}
    edge = _EDGE * (parameter.high - parameter.low)
    return Marginal(
        parameter.name,
        float(values.mean()),
        float(values.std()),
        low,
        median,
        high,
        1 - float(values.var()) / parameter.spread() ** 2,
        float(statistics.rhat(values, **axes)) if enough else float("inf"),
        float(statistics.ess(values, method="bulk", **axes)) if enough else 0.0,
        float(statistics.ess(values, method="tail", prob=(0.05, 0.95), **axes)) if enough else 0.0,
        float(values.std()) / parameter.spread(),
        float(np.mean(values <= parameter.low + edge)),
        float(np.mean(values >= parameter.high - edge)),
    )


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
