"""What is held against a model: a formula over it, what was observed of that, and how far the two may lie apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..errors import Place

ErrorKind = Literal["absolute", "relative", "log"]

_SUFFIX = ".series.csv"


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """How far an observation y may lie from what the model says, x: `size` is one standard deviation.

    absolute: y ~ N(x, size), in the units of y. relative: y ~ N(x, size |y|), a share of the observation, so that the weight
    is fixed as it is in Vensim's payoffs. log: ln y ~ N(ln x, size), for errors that are factors.
    """

    kind: ErrorKind
    size: float


@dataclass(frozen=True, eq=False)
class Series:
    """A formula over a model and what was observed of it: `values` at model times `times`, shape (n,), both in `units`.

    `left_out` tells which observations are not among them, and why.
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

    @property
    def deviations(self) -> NDArray[np.float64]:
        """One standard deviation of each observation, shape (n,), in `units`; of its logarithm under a log error."""
        sizes = np.full(self.values.shape, float(self.error.size))
        return sizes * np.abs(self.values) if self.error.kind == "relative" else sizes


def series_beside(model_path: str | os.PathLike[str]) -> Path | None:
    """The file that pairs a model with observations, `MODEL.series.csv` beside `MODEL.mdl`, if there is one."""
    path = Path(model_path).with_suffix(_SUFFIX)
    return path if path.is_file() else None
