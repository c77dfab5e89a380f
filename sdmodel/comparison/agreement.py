"""How well numbers of a model agree with observed ones: errors, Theil's shares of them, coverage and CRPS of samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_EQUAL = 1e-12
"""Below this share of the largest number a spread is what rounding leaves of none."""


class TheilShares(NamedTuple):
    """The shares of a mean square error, dimensionless, which add up to 1; all are 0 where there is no error."""

    bias: float
    variation: float
    covariation: float


def mean_error(simulated: Numbers, observed: Numbers) -> float:
    """The mean of simulated less observed numbers, in their units: above zero where the model is too high."""
    return float(np.mean(simulated - observed))


def mean_absolute_error(simulated: Numbers, observed: Numbers) -> float:
    """The mean distance of simulated from observed numbers, in their units."""
    return float(np.mean(np.abs(simulated - observed)))


def root_mean_square_error(simulated: Numbers, observed: Numbers) -> float:
    """The root of the mean square distance of simulated from observed numbers, in their units."""
    gaps = np.abs(simulated - observed)
    largest = float(np.max(gaps))
    return largest * float(np.sqrt(np.mean((gaps / largest) ** 2))) if 0 < largest < np.inf else largest


def mean_absolute_percentage_error(simulated: Numbers, observed: Numbers) -> float:
    """The mean distance of simulated from observed numbers in per cent of these; infinite where only these are zero."""
    gaps = np.abs(simulated - observed)
    with np.errstate(divide="ignore", over="ignore"):
        shares = np.divide(gaps, np.abs(observed), out=np.zeros(gaps.shape), where=gaps > 0)
    return 100 * float(np.mean(shares))


def squared_correlation(simulated: Numbers, observed: Numbers) -> float:
    """The square of the correlation of simulated and observed numbers, 0 to 1; 0 where one of them does not vary.

    It tells of shape alone: a model that is everywhere twice too high has 1.
    """
    _, first, second, apart = _moments(simulated, observed)
    return max(-1.0, 1 - apart / 2) ** 2 if first > 0 and second > 0 else 0.0


def theil_shares(simulated: Numbers, observed: Numbers) -> TheilShares:
    """How much of the mean square error comes from unequal means, unequal variation and unequal covariation.

    Source: Theil's inequality statistics as in Sterman (1984), Dynamica 10, 51-66; zero by zero is zero.
    """
    gap, first, second, apart = _moments(simulated, observed)
    parts = (gap**2, (first - second) ** 2, first * second * apart)
    total = sum(parts)
    return TheilShares(*(part / total for part in parts)) if total > 0 else TheilShares(0.0, 0.0, 0.0)


def _moments(simulated: Numbers, observed: Numbers) -> tuple[float, float, float, float]:
    """The gap of means and both standard deviations of the population, in units of the largest number, and 2 - 2 r.

    This last, r being the correlation, is a sum of squares here, so that what is alike leaves no rounding in it.
    """
    scale = float(max(np.max(np.abs(simulated)), np.max(np.abs(observed)))) or 1.0
    x, y = simulated / scale, observed / scale
    gap = float(np.mean(x) - np.mean(y))
    first, second = (0.0 if np.std(each) < _EQUAL else float(np.std(each)) for each in (x, y))
    if not (first > 0 and second > 0):
        return gap, first, second, 0.0
    apart = float(np.mean(((x - np.mean(x)) / first - (y - np.mean(y)) / second) ** 2))
    return gap, first, second, apart


AGREEMENT: Mapping[str, Callable[[Numbers, Numbers], float]] = MappingProxyType(
    {
        "mape": mean_absolute_percentage_error,
        "rmse": root_mean_square_error,
        "mae": mean_absolute_error,
        "bias": mean_error,
        "r2": squared_correlation,
        "um": lambda simulated, observed: theil_shares(simulated, observed).bias,
        "us": lambda simulated, observed: theil_shares(simulated, observed).variation,
        "uc": lambda simulated, observed: theil_shares(simulated, observed).covariation,
    }
)
"""Measures of agreement by the name under which they are reported: functions of simulated and observed numbers, shape (n,)."""


def band(sample: Numbers, probability: float) -> tuple[Numbers, Numbers]:
    """The edges of the middle part of a sample that holds a probability, each of shape (n,), of a sample (n, members)."""
    edges = [np.quantile(row, (0.5 - probability / 2, 0.5 + probability / 2)) for row in sample]
    low, high = np.array(edges).reshape(-1, 2).T
    return low, high


def covered_share(sample: Numbers, observed: Numbers, probability: float) -> float:
    """The share of observations, shape (n,), inside the band of a probability of a sample, shape (n, members)."""
    low, high = band(sample, probability)
    return float(np.mean((low <= observed) & (observed <= high)))


def band_width(sample: Numbers, probability: float) -> float:
    """The mean width of the band of a probability of a sample, shape (n, members), in its units."""
    low, high = band(sample, probability)
    return float(np.mean(high - low))


def crps(sample: Numbers, observed: Numbers) -> Numbers:
    """The continuous ranked probability score of a sample, shape (n, members), for each observation, in their units.

    That of the sample's own distribution function, E|X - y| - E|X - X'|/2; of a single member it is the absolute error.
    Source: Gneiting and Raftery (2007), J. Amer. Statist. Assoc. 102, 359-378, equation 21, over sorted members.
    """
    members = sample.shape[1]
    weights = 2.0 * np.arange(1, members + 1) - members - 1
    scores = [
        np.mean(np.abs(row - value)) - np.dot(weights / members, np.sort(row)) / members
        for row, value in zip(sample, observed, strict=True)
    ]
    return np.array(scores, dtype=float)


def crps_skill(scores: Numbers, observed: Numbers) -> float:
    """How much better mean scores are than those of the observed numbers taken as a forecast of each: 1 perfect, 0 no better.

    That reference knows the range of the observations but not their times; a trend makes it easy to beat.
    """
    count = observed.size
    weights = 2.0 * np.arange(1, count + 1) - count - 1
    reference = float(np.dot(weights / count, np.sort(observed))) / count  # half their mean distance from each other
    return 1 - float(np.mean(scores)) / reference if reference > 0 else float("nan")
