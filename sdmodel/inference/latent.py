"""The free constants on a scale on which their prior is the standard normal distribution: bounds lie at infinity there.

A posterior that presses on a bound, or leans on a prior that is cut off, is smooth and without edges on that scale, so
that a walk over it is hardly ever turned back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .likelihood import log_likelihood
from .parameters import Parameter
from .problem import Problem, modelled_at

_BISECTIONS = 60
_LARGEST = float(np.nextafter(1, 0))
_FAR = 1e-9
"""A prior probability beyond which no place is told apart from a bound: six standard deviations."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of one constant: `first` and `last` are the prior probabilities of what lies below its bounds."""

    parameter: Parameter
    first: float
    last: float

    def values(self, latent: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values, in the constant's units, at places of the scale; a prior quantile each."""
        from scipy.special import ndtr

        shares = np.minimum(self.first + (self.last - self.first) * ndtr(latent), _LARGEST)
        low, high = self.parameter.low, self.parameter.high
        if self.parameter.prior is None:
            return np.clip(low + (high - low) * shares, low, high)
        return np.clip(self.parameter.prior.quantile(shares), low, high)

    def places(self, values: NDArray[np.float64], margin: float = _FAR) -> NDArray[np.float64]:
        """The places of values, none beyond the prior quantiles `margin` and 1 - `margin`."""
        from scipy.special import ndtri

        shares = (_shares_below(self.parameter, values) - self.first) / (self.last - self.first)
        return np.asarray(ndtri(np.clip(shares, margin, 1 - margin)), dtype=float)


def scales_of(parameters: Sequence[Parameter]) -> tuple[Scale, ...]:
    """The scale of each constant; bounds within those of its prior leave a part of that."""
    found = []
    for each in parameters:
        if each.prior is None:
            found.append(Scale(each, 0.0, 1.0))
            continue
        first, last = _shares_below(each, np.array([each.low, each.high], dtype=float))
        whole = each.low <= each.prior.minimum, each.high >= each.prior.maximum
        found.append(Scale(each, 0.0 if whole[0] else float(first), 1.0 if whole[1] else float(last)))
    return tuple(found)


def values_at(scales: Sequence[Scale], latent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points, shape (members, parameters), in the units of each constant."""
    return np.column_stack([each.values(latent[:, place]) for place, each in enumerate(scales)])


def latent_of(scales: Sequence[Scale], points: NDArray[np.float64], margin: float = _FAR) -> NDArray[np.float64]:
    """The places of points, shape (members, parameters), dimensionless."""
    return np.column_stack([each.places(points[:, place], margin) for place, each in enumerate(scales)])


def latent_log_posterior(problem: Problem, scales: Sequence[Scale], latent: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the posterior density over the scales, up to a constant, shape (members,).

    It is that of the standard normal distribution times the likelihood: values that are prior quantiles need no other
    density of a prior. Where a simulation fails it is minus infinity.
    """
    found = log_likelihood(problem.series, modelled_at(problem, values_at(scales, latent)))
    with np.errstate(over="ignore"):
        found -= 0.5 * np.sum(latent * latent, axis=1)
    return np.where(np.isnan(found), -np.inf, found)


def _shares_below(parameter: Parameter, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The prior probabilities of what lies below values, found between those that are certainly too small and too large."""
    low, high = np.zeros(values.shape), np.ones(values.shape)
    if parameter.prior is None:
        return (values - parameter.low) / (parameter.high - parameter.low)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        below = parameter.prior.quantile(np.minimum(middle, _LARGEST)) < values
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)
