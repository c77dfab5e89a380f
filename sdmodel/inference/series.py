"""What is held against a model: a formula over it, what was observed of that, and how far the two may lie apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..errors import Fault, ObservationError, Place

ErrorKind = Literal["absolute", "relative", "log"]

_SUFFIX = ".series.csv"


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """How far an observation y may lie from what the model says, x: `size` is one standard deviation.

    absolute: y ~ N(x, size), in the units of y. relative: y ~ N(x, size |y|), a share of the observation, so that the weight
    is fixed as it is in Vensim's payoffs. log: ln y ~ N(ln x, size), for errors that are factors.

    With a `correlation` time above 0, in the model's unit of time, the errors of a series in standard deviations are a
    stationary Ornstein-Uhlenbeck process: two that lie dt apart have the correlation exp(-dt/correlation).
    """

    kind: ErrorKind
    size: float
    correlation: float = 0.0


@dataclass(frozen=True, eq=False)
class Series:
    """A formula over a model and what was observed of it: `values` at model times `times`, shape (n,), both in `units`.

    `left_out` tells which observations are not among them, and why; `sources` who published those that are.
    """

    name: str
    model: Expr
    model_text: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    error: ErrorModel
    units: str
    place: Place
    note: str = ""
    left_out: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make sure that correlated errors have an order."""
        wrong = np.flatnonzero(np.diff(self.times) <= 0)
        if wrong.size and self.error.correlation > 0:
            at = self.times[wrong[0] + 1]
            what = (
                f"'{self.name}' has correlated errors and a second or earlier time at {at:.7g}; keep one value for each "
                "time, in order, or leave its correlation empty"
            )
            raise ObservationError([Fault(self.place, what)])

    @property
    def deviations(self) -> NDArray[np.float64]:
        """One standard deviation of each observation, shape (n,), in `units`; of its logarithm under a log error."""
        sizes = np.full(self.values.shape, float(self.error.size))
        return sizes * np.abs(self.values) if self.error.kind == "relative" else sizes


def series_beside(model_path: str | os.PathLike[str]) -> Path | None:
    """The file that pairs a model with observations, `MODEL.series.csv` beside `MODEL.mdl`, if there is one."""
    path = Path(model_path).with_suffix(_SUFFIX)
    return path if path.is_file() else None


def carried(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of each standardised error comes from the one before, exp(-dt/correlation), and how much is new, sqrt(1 -
    that^2), both of shape (n,); of the first point, and of independent errors, all is new.

    Source: Uhlenbeck and Ornstein (1930), Phys. Rev. 36:823-841; sampled at times it is an autoregressive process of the
    first order, so that each error depends on the others before it through the last one alone.
    """
    old, new = np.zeros(series.times.size), np.ones(series.times.size)
    if series.error.correlation > 0:
        apart = np.diff(series.times) / series.error.correlation
        old[1:], new[1:] = np.exp(-apart), np.sqrt(-np.expm1(-2 * apart))
    return old, new
