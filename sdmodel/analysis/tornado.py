"""Tornado: one constant after the other from its low end to its high one, all others as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .factors import Factor
from .layouts import Layout, Measures, Settings

_SHARES = np.linspace(0.0, 1.0, 5)
"""Where between its ends a constant is tried: what peaks or dips inside is not seen at the ends."""
_ROUNDING, _LEVEL = 1e-9, 1e-12
"""The part of an outcome by which it may move back, and in all, for what rounding leaves."""


def tornado(factors: Sequence[Factor], base: NDArray[np.float64], settings: Settings) -> Layout:
    """Each factor at five places from its low end to its high one, evenly by probability, all others at the base."""
    points = np.tile(base, (len(factors) * _SHARES.size, 1))
    for place, factor in enumerate(factors):
        points[place * _SHARES.size : (place + 1) * _SHARES.size, place] = factor.between(_SHARES)
    return Layout(points, 1, _measures)


def _measures(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> Measures:
    """`low` and `high` are the outcomes at the ends, `least` and `most` the extremes of all that are finite.

    `swing` lies between these two, nothing if rounding explains it. `bent` tells whether the way from one end to the other is not only up or only down.
    """
    every = np.full(kept.size, np.nan)
    every[kept] = answers
    rows = every.reshape(-1, _SHARES.size)
    several = np.isfinite(rows).sum(axis=1) > 1
    least, most = np.fmin.reduce(rows, axis=1), np.fmax.reduce(rows, axis=1)
    swing = np.where(several, most - least, np.nan)
    swing[swing <= _LEVEL * np.fmax(np.abs(least), np.abs(most))] = 0.0
    return {
        "low": rows[:, 0],
        "high": rows[:, -1],
        "least": least,
        "most": most,
        "swing": swing,
        "bent": np.array([_bends(row[np.isfinite(row)]) for row in rows]),
    }


def _bends(row: NDArray[np.float64]) -> bool:
    """Whether outcomes in a row go both up and down."""
    steps, small = np.diff(row), _ROUNDING * np.abs(row).max(initial=0.0)
    return bool((steps > small).any() and (steps < -small).any())
