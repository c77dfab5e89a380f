"""Whether a walk may be trusted: how long it remembers, how far its walkers agree, how many independent draws it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .chain import Chain
from .parameters import Parameter
from .posterior import module_of_calibrate

RHAT = 1.05
EFFECTIVE = 400
"""A walk is called converged up to that R-hat and from that many effective draws, in bulk and tails, of every constant."""

IDENTIFIED = 0.5
"""Of a constant that the data identify they leave at most so much of the prior standard deviation."""
UNTOLD = 0.9
"""Of a constant that they say nothing of they leave at least so much."""
PRESSED = 0.05
"""A bound presses if at least so many draws lie in the hundredth of the way between the bounds that is next to it."""

_EDGE = 0.01
_FORGOTTEN = 5
"""So many autocorrelation times at the start are left out."""


@dataclass(frozen=True, slots=True)
class Marginal:
    """What is believed of one constant, in its units: mean, standard deviation, median and 90 % interval, and how surely.

    `gain` is the part of the prior variance that the data remove, `contraction` the standard deviation as a part of the
    prior one. `near_low` and `near_high` are the shares of draws within a hundredth of the way between the bounds of each.
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
    def untold(self) -> bool:
        """Whether they leave nearly all of it."""
        return self.contraction >= UNTOLD

    @property
    def pressed(self) -> bool:
        """Whether many draws lie close to a bound."""
        return max(self.near_low, self.near_high) >= PRESSED


@dataclass(frozen=True, eq=False)
class Posterior:
    """A walk judged: `burn` steps left out, the autocorrelation time in steps, the share of proposals taken.

    `doubts` says what speaks against it, and is empty if it has converged. `correlations` has shape (parameters, parameters).
    """

    chain: Chain
    marginals: tuple[Marginal, ...]
    correlations: NDArray[np.float64]
    burn: int
    memory: float
    doubts: tuple[str, ...]

    @property
    def kept(self) -> NDArray[np.float64]:
        """The steps behind the ones left out, shape (steps, walkers, parameters)."""
        return self.chain.points[self.burn :]


def judge(chain: Chain, parameters: Sequence[Parameter]) -> Posterior:
    """What a walk says of each constant and whether to believe it.

    Five autocorrelation times are left out at the start, a tenth at least and half at most (Goodman and Weare 2010, Comm.
    App. Math. Comp. Sci. 5:65-80). Each walker counts as a chain for the rank-normalised split R-hat and the effective
    draws (Vehtari et al. 2021, Bayesian Analysis 16:667-718). Walkers are many and short: R-hat is about the root of
    1 + 2 t/n, t being the autocorrelation time and n the steps kept, so that 1.05 asks for some twenty times t; and they
    move by each other's positions, so that none of it can tell of a mode that no walker has seen.
    """
    memory = _memory(chain.points)
    burn = int(min(chain.steps // 2, max(chain.steps // 10, np.ceil(_FORGOTTEN * memory))))
    kept = chain.points[burn:]
    marginals = tuple(_marginal(each, kept[:, :, place].T) for place, each in enumerate(parameters))
    flat = kept.reshape(-1, len(parameters))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.nan_to_num(np.atleast_2d(np.corrcoef(flat, rowvar=False)))
    return Posterior(chain, marginals, correlations, burn, memory, _doubts(marginals, chain))


def _memory(points: NDArray[np.float64]) -> float:
    """The longest integrated autocorrelation time of the constants, in steps."""
    times = module_of_calibrate("emcee.autocorr").integrated_time
    half = points[len(points) // 2 :]
    if len(half) < 2 or (half == half[:1]).all(axis=0).any():  # noqa: PLR2004 - nothing to compare; who never moves remembers all
        return float(len(points))
    return float(np.max(times(half, tol=0, quiet=True)))


def _marginal(parameter: Parameter, values: NDArray[np.float64]) -> Marginal:
    """One constant's marginal, from values of shape (walkers, steps)."""
    statistics = module_of_calibrate("arviz_stats.base").array_stats
    low, median, high = (float(each) for each in np.quantile(values, (0.05, 0.5, 0.95)))
    enough = values.shape[1] >= 4 and np.ptp(values) > 0  # noqa: PLR2004 - each half of a chain has two draws
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
    """What speaks against a walk."""
    worst = max(marginals, key=lambda each: each.rhat)
    fewest = min(marginals, key=lambda each: min(each.ess_bulk, each.ess_tail))
    least = min(fewest.ess_bulk, fewest.ess_tail)
    doubts = []
    if not worst.rhat <= RHAT:
        doubts.append(f"R-hat of '{worst.name}' is {worst.rhat:.3f}, above {RHAT}")
    if not least >= EFFECTIVE:
        doubts.append(f"'{fewest.name}' has {least:.0f} effective draws, below {EFFECTIVE}")
    if chain.acceptance < 0.01:  # noqa: PLR2004 - one step in a hundred
        doubts.append(f"only {chain.acceptance:.1%} of the proposals were taken")
    return tuple(doubts)
