"""How well a model agrees with observations: error measures, Theil's decomposition, coverage and CRPS of samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from .differences import Numbers

_EQUAL = 1e-12
"""A standard deviation below this share of the largest number is rounding error."""
_LOG_FLOOR = 1e-6
"""A member below this share of an observation counts as that share of it, where logarithms are compared."""


class TheilShares(NamedTuple):
    """Theil's shares of a mean square error, dimensionless; they add up to 1, or are all 0 if there is no error."""

    bias: float
    variation: float
    covariation: float


def mean_error(simulated: Numbers, observed: Numbers) -> float:
    """Return the mean of simulated minus observed numbers, in their units: positive if the model is too high."""
    return float(np.mean(simulated - observed))


def mean_absolute_error(simulated: Numbers, observed: Numbers) -> float:
    """Return the mean absolute error, in the units of the numbers."""
    return float(np.mean(np.abs(simulated - observed)))


def root_mean_square_error(simulated: Numbers, observed: Numbers) -> float:
    """Return the root mean square error, in the units of the numbers."""
    errors = np.abs(simulated - observed)
    largest = float(np.max(errors))
    return largest * float(np.sqrt(np.mean((errors / largest) ** 2))) if 0 < largest < np.inf else largest


def mean_absolute_percentage_error(simulated: Numbers, observed: Numbers) -> float:
    """Return the mean absolute error in per cent of the observed numbers; infinite if only the observed number is zero."""
    errors = np.abs(simulated - observed)
    with np.errstate(divide="ignore", over="ignore"):
        shares = np.divide(errors, np.abs(observed), out=np.zeros(errors.shape), where=errors > 0)
    return 100 * float(np.mean(shares))


def squared_correlation(simulated: Numbers, observed: Numbers) -> float:
    """Return the squared correlation of simulated and observed numbers, 0 to 1; 0 if one of them does not vary.

    It compares shapes only: a model that is always twice as high as the observations has 1.
    """
    _, first, second, apart = _moments(simulated, observed)
    return max(-1.0, 1 - apart / 2) ** 2 if first > 0 and second > 0 else 0.0


def theil_shares(simulated: Numbers, observed: Numbers) -> TheilShares:
    """Return the shares of the mean square error due to unequal means, unequal variation and imperfect covariation.

    Source: Theil's inequality statistics as in Sterman (1984), Dynamica 10, 51-66.
    """
    bias, first, second, apart = _moments(simulated, observed)
    parts = (bias**2, (first - second) ** 2, first * second * apart)
    total = sum(parts)
    return TheilShares(*(part / total for part in parts)) if total > 0 else TheilShares(0.0, 0.0, 0.0)


def _moments(simulated: Numbers, observed: Numbers) -> tuple[float, float, float, float]:
    """The difference of means and both standard deviations, in units of the largest number, and 2 - 2 r.

    Here 2 - 2 r, r being the correlation, is a sum of squares, so that equal series give exactly zero.
    """
    scale = float(max(np.max(np.abs(simulated)), np.max(np.abs(observed)))) or 1.0
    x, y = simulated / scale, observed / scale
    bias = float(np.mean(x) - np.mean(y))
    first, second = (0.0 if np.std(series) < _EQUAL else float(np.std(series)) for series in (x, y))
    if not (first > 0 and second > 0):
        return bias, first, second, 0.0
    apart = float(np.mean(((x - np.mean(x)) / first - (y - np.mean(y)) / second) ** 2))
    return bias, first, second, apart


AGREEMENT: Mapping[str, Callable[[Numbers, Numbers], float]] = {
    "mape": mean_absolute_percentage_error,
    "rmse": root_mean_square_error,
    "mae": mean_absolute_error,
    "bias": mean_error,
    "r2": squared_correlation,
    "um": lambda simulated, observed: theil_shares(simulated, observed).bias,
    "us": lambda simulated, observed: theil_shares(simulated, observed).variation,
    "uc": lambda simulated, observed: theil_shares(simulated, observed).covariation,
}
"""Measures of agreement by their names in reports: functions of simulated and observed numbers, shape (n,)."""


def band(sample: Numbers, probability: float) -> tuple[Numbers, Numbers]:
    """Return the limits of the central interval that holds a probability, shape (n,) each, of a sample (n, members)."""
    edges = [np.quantile(row, (0.5 - probability / 2, 0.5 + probability / 2)) for row in sample]
    low, high = np.array(edges).reshape(-1, 2).T
    return low, high


def band_coverage(sample: Numbers, observed: Numbers, probability: float) -> float:
    """Return the share of observations, shape (n,), inside the band of a sample, shape (n, members)."""
    low, high = band(sample, probability)
    return float(np.mean((low <= observed) & (observed <= high)))


def band_width(sample: Numbers, probability: float) -> float:
    """Return the mean width of the band of a sample, shape (n, members), in its units."""
    low, high = band(sample, probability)
    return float(np.mean(high - low))


def crps(sample: Numbers, observed: Numbers) -> Numbers:
    """Return the continuous ranked probability score of a sample, shape (n, members), per observation, in its units.

    It is that of the empirical distribution function, E|X - y| - E|X - X'|/2; for a single member, the absolute error.
    Source: Gneiting and Raftery (2007), J. Amer. Statist. Assoc. 102, 359-378, equation 21, over sorted members.
    """
    pairs = zip(sample, observed, strict=True)
    return np.array([np.mean(np.abs(row - value)) - _half_distance(row) for row, value in pairs], dtype=float)


def _half_distance(numbers: Numbers) -> float:
    """Half the mean distance between two numbers of a sample, E|X - X'|/2."""
    count = numbers.size
    weights = 2.0 * np.arange(1, count + 1) - count - 1
    return float(np.dot(weights / count, np.sort(numbers))) / count


def log_crps(sample: Numbers, observed: Numbers) -> Numbers:
    """Return the CRPS of natural logarithms, per observation; NaN where an observation is not above zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(observed > 0, crps(logarithms(sample, observed), np.log(observed)), np.nan)


def logarithms(sample: Numbers, observed: Numbers) -> Numbers:
    """Return the natural logarithms of a sample, shape (n, members), that is compared with observations above zero.

    A member at or below zero counts as a millionth of the observation, so that it costs much, but not everything.
    """
    return np.log(np.maximum(sample, _LOG_FLOOR * observed[:, np.newaxis]))


def naive_forecasts(times: Numbers, values: Numbers, at: float) -> tuple[float, float]:
    """Return the logarithms that the last of some values, and the line through the logarithms of the last two, give at a time.

    Both are NaN without values, and equal with only one.
    """
    if not values.size or values[-1] <= 0:
        return float("nan"), float("nan")
    last = float(np.log(values[-1]))
    if values.size == 1 or values[-2] <= 0 or times[-1] <= times[-2]:
        return last, last
    slope = (last - float(np.log(values[-2]))) / float(times[-1] - times[-2])
    return last, last + slope * float(at - times[-1])


def crps_skill(scores: Numbers, observed: Numbers) -> float:
    """Return the skill of mean scores against the observations as a forecast of themselves: 1 is perfect, 0 no better.

    That reference knows the range of the observations but not their times; a trend makes it easy to beat.
    """
    reference = _half_distance(observed)
    return 1 - float(np.mean(scores)) / reference if reference > 0 else float("nan")
