"""The standard forms of Vensim's random distributions, before shift, stretch and bounds.

A continuous distribution has both tails, their inverses and the logarithm of the density, so that either tail keeps its
digits; a discrete one has the logarithm of the probability of each whole number. Formulas: Johnson, Kotz and Balakrishnan,
Continuous Univariate Distributions (1994); Johnson, Kemp and Kotz, Univariate Discrete Distributions (2005). Vensim's manual
names the distributions in "RANDOM Number Functions" and "Sensitivity Distributions".

`scipy.stats` has all of these but the polygon. It is not used because its exponential, gamma, Weibull, triangular and
discrete distributions differ from these in the last digit, and stored ensembles must be reproduced bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Continuous:
    """A distribution with a density; each function takes an array and then the parameters."""

    below: Callable[..., Any]
    above: Callable[..., Any]
    from_below: Callable[..., Any]
    from_above: Callable[..., Any]
    log_density: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Discrete:
    """A distribution of whole numbers: their log probability, the smallest and largest of them, mean and standard deviation."""

    log_mass: Callable[..., Any]
    support: Callable[[tuple[float, ...]], tuple[float, float]]
    moments: Callable[..., tuple[float, float]]


def _special() -> Any:
    """SciPy's special functions, which take too long to load at every start."""
    from scipy import special

    return special


def _log(values: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(values)


def _where(inside: Any, values: Any) -> Any:
    """A log density, minus infinity outside the support."""
    return np.where(inside, values, -np.inf)


UNIFORM = Continuous(
    below=lambda z: np.clip(z, 0, 1),
    above=lambda z: np.clip(1 - z, 0, 1),
    from_below=lambda p: p,
    from_above=lambda q: 1 - q,
    log_density=lambda z: _where((z >= 0) & (z <= 1), 0.0),
)

NORMAL = Continuous(
    below=lambda z: _special().ndtr(z),
    above=lambda z: _special().ndtr(-z),
    from_below=lambda p: _special().ndtri(p),
    from_above=lambda q: -_special().ndtri(q),
    log_density=lambda z: -0.5 * z**2 - 0.5 * np.log(2 * np.pi),
)

EXPONENTIAL = Continuous(
    below=lambda z: -np.expm1(-np.maximum(z, 0)),
    above=lambda z: np.exp(-np.maximum(z, 0)),
    from_below=lambda p: -np.log1p(-p),
    from_above=lambda q: -_log(q),
    log_density=lambda z: _where(z >= 0, -np.maximum(z, 0)),
)

GAMMA = Continuous(
    below=lambda z, order: _special().gammainc(order, order * np.maximum(z, 0)),
    above=lambda z, order: _special().gammaincc(order, order * np.maximum(z, 0)),
    from_below=lambda p, order: _special().gammaincinv(order, p) / order,
    from_above=lambda q, order: _special().gammainccinv(order, q) / order,
    log_density=lambda z, order: _where(
        z >= 0,
        _special().xlogy(order - 1, np.maximum(z, 0)) - order * z + order * np.log(order) - _special().gammaln(order),
    ),
)

BETA = Continuous(
    below=lambda z, a, b: _special().betainc(a, b, np.clip(z, 0, 1)),
    above=lambda z, a, b: _special().betaincc(a, b, np.clip(z, 0, 1)),
    from_below=lambda p, a, b: _special().betaincinv(a, b, p),
    from_above=lambda q, a, b: _special().betainccinv(a, b, q),
    log_density=lambda z, a, b: _where(
        (z >= 0) & (z <= 1),
        _special().xlogy(a - 1, np.clip(z, 0, 1))
        + _special().xlog1py(b - 1, -np.clip(z, 0, 1))
        - _special().betaln(a, b),
    ),
)


def _weibull_scale(shape: float) -> float:
    """The scale that makes the mean one."""
    return float(np.exp(-_special().gammaln(1 + 1 / shape)))


WEIBULL = Continuous(
    below=lambda z, shape: -np.expm1(-((np.maximum(z, 0) / _weibull_scale(shape)) ** shape)),
    above=lambda z, shape: np.exp(-((np.maximum(z, 0) / _weibull_scale(shape)) ** shape)),
    from_below=lambda p, shape: _weibull_scale(shape) * (-np.log1p(-p)) ** (1 / shape),
    from_above=lambda q, shape: _weibull_scale(shape) * (-_log(q)) ** (1 / shape),
    log_density=lambda z, shape: _where(
        z >= 0,
        np.log(shape / _weibull_scale(shape))
        + _special().xlogy(shape - 1, np.maximum(z, 0) / _weibull_scale(shape))
        - (np.maximum(z, 0) / _weibull_scale(shape)) ** shape,
    ),
)


def _triangle(z: Any, start: float, peak: float, stop: float) -> tuple[Any, Any]:
    """The shares of the area of a triangle left and right of a point."""
    z = np.clip(z, start, stop)
    width, rise, fall = stop - start, peak - start, stop - peak
    left = (z - start) ** 2 / (width * (rise or 1))
    right = (stop - z) ** 2 / (width * (fall or 1))
    rising = z < peak
    return np.where(rising, left, 1 - right), np.where(rising, 1 - left, right)


def _triangle_point(left: Any, right: Any, start: float, peak: float, stop: float) -> Any:
    """The point of a triangle with these shares of its area on either side."""
    width, rise, fall = stop - start, peak - start, stop - peak
    rising = start + np.sqrt(left * width * rise)
    return np.where(left * width < rise, rising, stop - np.sqrt(right * width * fall))


def _triangle_log_density(z: Any, start: float, peak: float, stop: float) -> Any:
    width, rise, fall = stop - start, peak - start, stop - peak
    height = np.where(z < peak, (z - start) / (rise or 1), (stop - z) / fall if fall else 1.0)
    inside = (z >= start) & (z <= stop)
    return _where(inside, _log(2 / width * np.where(inside, np.maximum(height, 0), 0)))


TRIANGULAR = Continuous(
    below=lambda z, *corners: _triangle(z, *corners)[0],
    above=lambda z, *corners: _triangle(z, *corners)[1],
    from_below=lambda p, *corners: _triangle_point(p, 1 - p, *corners),
    from_above=lambda q, *corners: _triangle_point(1 - q, q, *corners),
    log_density=_triangle_log_density,
)


def polygon(points: Pairs) -> Continuous:
    """Return the distribution with a density proportional to a table: linear between its points, zero beyond them."""
    xs, ys = np.array(sorted(points)).T
    areas = np.diff(xs) * (ys[:-1] + ys[1:]) / 2
    total = areas.sum()
    left = np.concatenate(([0.0], np.cumsum(areas))) / total
    right = np.concatenate((np.cumsum(areas[::-1])[::-1], [0.0])) / total
    ys = ys / total
    slopes = np.diff(ys) / np.where(np.diff(xs) > 0, np.diff(xs), 1)

    def piece(z: Any) -> Any:
        return np.clip(np.searchsorted(xs, z, side="right") - 1, 0, len(xs) - 2)

    def below(z: Any) -> Any:
        z = np.clip(z, xs[0], xs[-1])
        at = piece(z)
        step = z - xs[at]
        return left[at] + step * (ys[at] + slopes[at] * step / 2)

    def above(z: Any) -> Any:
        z = np.clip(z, xs[0], xs[-1])
        at = piece(z)
        step = xs[at + 1] - z
        return right[at + 1] + step * (ys[at + 1] - slopes[at] * step / 2)

    def from_below(p: Any) -> Any:
        at = np.clip(np.searchsorted(left, p, side="right") - 1, 0, len(xs) - 2)
        return xs[at] + _leg(p - left[at], ys[at], slopes[at], np.diff(xs)[at])

    def from_above(q: Any) -> Any:
        at = np.clip(len(xs) - np.searchsorted(right[::-1], q, side="right"), 1, len(xs) - 1)
        return xs[at] - _leg(q - right[at], ys[at], -slopes[at - 1], np.diff(xs)[at - 1])

    def log_density(z: Any) -> Any:
        at = piece(z)
        inside = (z >= xs[0]) & (z <= xs[-1])
        return _where(inside, _log(np.where(inside, np.maximum(ys[at] + slopes[at] * (z - xs[at]), 0), 0)))

    return Continuous(below, above, from_below, from_above, log_density)


def _leg(area: Any, height: Any, slope: Any, width: Any) -> Any:
    """The width under a straight line that encloses an area: the stable root of a quadratic."""
    area = np.maximum(area, 0)
    bottom = height + np.sqrt(np.maximum(height**2 + 2 * slope * area, 0))
    return np.clip(2 * area / np.where(bottom > 0, bottom, 1), 0, width)


def points_fault(points: Sequence[tuple[float, float]]) -> str:
    """Return why a table cannot be a density, or an empty text."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return "has fewer than two points"
    xs, ys = np.array(sorted(points)).T
    if (ys < 0).any():
        return "has a point below zero"
    if np.abs((xs, ys)).max() > 1e100:  # noqa: PLR2004 - beyond it a slope may be too small for a double
        return "has points too far out"
    return "" if (np.diff(xs) * (ys[:-1] + ys[1:])).sum() > 0 else "is zero everywhere"


def _binomial_log_mass(k: Any, chance: float, trials: float) -> Any:
    special = _special()
    ways = special.gammaln(trials + 1) - special.gammaln(k + 1) - special.gammaln(trials - k + 1)
    return ways + special.xlogy(k, chance) + special.xlog1py(trials - k, -chance)


def _negative_binomial_log_mass(k: Any, chance: float, successes: float) -> Any:
    special = _special()
    ways = special.gammaln(k) - special.gammaln(successes) - special.gammaln(k - successes + 1)
    return ways + special.xlogy(successes, chance) + special.xlog1py(k - successes, -chance)


BINOMIAL = Discrete(
    log_mass=_binomial_log_mass,
    support=lambda numbers: (0.0, numbers[-1]),
    moments=lambda chance, trials: (trials * chance, (trials * chance * (1 - chance)) ** 0.5),
)

NEGATIVE_BINOMIAL = Discrete(
    log_mass=_negative_binomial_log_mass,
    support=lambda numbers: (numbers[-1], np.inf),
    moments=lambda chance, successes: (successes / chance, (successes * (1 - chance)) ** 0.5 / chance),
)

POISSON = Discrete(
    log_mass=lambda k, mean: _special().xlogy(k, mean) - mean - _special().gammaln(k + 1),
    support=lambda _: (0.0, np.inf),
    moments=lambda mean: (mean, mean**0.5),
)
