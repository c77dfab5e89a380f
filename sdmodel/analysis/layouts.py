"""What a method of sensitivity analysis makes of factors: points to simulate, and what their answers say of each factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Measures = Mapping[str, NDArray[Any]]
"""Numbers by name: shape (factors,), (factors, factors) for what two do together, or () for what all do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How many simulations a method may take, and where its chance begins.

    Morris takes so many `trajectories` over so many `levels`, Sobol so many base `samples`, for pairs too with `second_order`.
    """

    seed: int
    trajectories: int = 20
    levels: int = 4
    samples: int = 1024
    second_order: bool = False


@dataclass(frozen=True, eq=False)
class Layout:
    """Points of shape (runs, factors), in the units of each factor.

    So many in turn belong `together`: where one of them has no answer the others count for nothing; without it each counts
    by itself. `measure` makes measures of the answers and of which runs they are from, shape (runs,).
    """

    points: NDArray[np.float64]
    together: int
    measure: Callable[[NDArray[np.float64], NDArray[np.bool_]], Measures]
