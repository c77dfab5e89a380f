"""How the constants of an ensemble are chosen: a whole `.vsc` file as records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import Place
from ..model import NOWHERE
from .distributions import Distribution, Steps

Method = Literal["univariate", "multivariate", "latin hypercube", "grid", "file"]

SIMULATIONS = 200
"""Vensim's number of simulations where a file gives none (manual, "Sensitivity Control")."""
SEED = 1234
"""Vensim's seed where a file gives none."""


@dataclass(frozen=True)
class Variation:
    """One line of a `.vsc` file: a constant, or cells of it, and what it is drawn from."""

    name: str
    subscripts: tuple[str, ...]
    distribution: Distribution | Steps
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, eq=False)
class Samples:
    """A file of samples: the names of its columns and their numbers, shape (samples, names); NaN where nothing stands.

    `places` say where each name stands.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    path: str = ""
    places: tuple[Place, ...] = ()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Samples)
            and self.names == other.names
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Sampling:
    """A whole `.vsc` file: its first line, its variations, and the samples that a method by file takes.

    `count` are simulations (of each constant if univariate, divisions of each if a grid), `seed` 0 asks for a fresh one.
    `file` is the name of the file of samples as written, `rest` what else the first line holds.
    """

    method: Method
    count: int = SIMULATIONS
    seed: int = SEED
    variations: tuple[Variation, ...] = ()
    samples: Samples | None = None
    file: str = ""
    rest: tuple[str, ...] = ()
    path: str = field(default="", compare=False)
    text: str = field(default="", compare=False)
