"""Where a variable of a run stands at a date: within its own range over time, or against another run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import TIME
from ..errors import DatasetError
from .outcomes import Outcome, outcome_of

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Position:
    """The values of a variable's cells at a date, in its units, and how high that is between their least and largest over time.

    `place` is from 0 to 1, the mean over cells, or not a number where nothing changes over time.
    """

    values: Numbers
    place: float


def position_of(variable: xr.DataArray, at: Outcome) -> Position:
    """Where a variable stands at a date within its own range over time."""
    values = _flat(outcome_of(variable, at))
    if TIME not in variable.dims:
        return Position(values, np.nan)
    course = variable.transpose(TIME, ...).values.reshape(variable.sizes[TIME], -1)
    low, high = course.min(axis=0), course.max(axis=0)
    moving = high > low
    if not moving.any():
        return Position(values, np.nan)
    places = (values[moving] - low[moving]) / (high[moving] - low[moving])
    return Position(values, float(np.mean(places)))


def relative_changes(before: xr.DataArray, after: xr.DataArray, at: Outcome) -> Numbers:
    """The change of each cell of a variable at a date from one run to another, as a share of the size it had.

    What was zero and is not any more is infinite.

    Raises
    ------
    DatasetError
        If the two have other cells.
    """
    then, now = _flat(outcome_of(before, at)), _flat(outcome_of(after, at))
    if then.shape != now.shape:
        message = (
            f"'{before.name}' has {then.size} cells in one run and {now.size} in the other; give runs of one model"
        )
        raise DatasetError(message)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(now == then, 0.0, (now - then) / np.abs(then))


def _flat(values: xr.DataArray) -> Numbers:
    return np.asarray(values.values, dtype=float).ravel()
