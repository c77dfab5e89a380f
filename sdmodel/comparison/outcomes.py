"""Outcomes: one number for a whole run, such as a variable at a date or a statistic over time, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import TIME, long_name
from ..errors import DatasetError, format_count
from .differences import Numbers, interpolate

_NEAR = 1e-9
"""Tolerance, as a share of the largest time, for a date outside the time axis."""


def _total(times: Numbers, values: Numbers) -> Numbers:
    return np.asarray(np.trapezoid(values, times, axis=0))


def _time_of(pick: Callable[..., NDArray[np.intp]]) -> Callable[[Numbers, Numbers], Numbers]:
    """The first time at which values are extreme; NaN where no value is finite."""

    def time_of(times: Numbers, values: Numbers) -> Numbers:
        finite = np.isfinite(values)
        found = times[pick(np.where(finite, values, np.inf if pick is np.argmin else -np.inf), axis=0)]
        return np.where(finite.any(axis=0), found, np.nan)

    return time_of


STATISTICS: Mapping[str, Callable[[Numbers, Numbers], Numbers]] = {
    "last": lambda _, values: values[-1],
    "min": lambda _, values: values.min(axis=0),
    "max": lambda _, values: values.max(axis=0),
    "mean": lambda times, values: values[0] if len(times) == 1 else _total(times, values) / (times[-1] - times[0]),
    "total": _total,
    "time of min": _time_of(np.argmin),
    "time of max": _time_of(np.argmax),
}
"""Functions of times, shape (times,), and values, shape (times, ...), to numbers of the remaining shape.

`mean` and `total` are integrals by the trapezoidal rule, so that unevenly spaced times count by their length.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A number to compute from a variable: its value `at` a time, in the model's unit, or else a `statistic` over time."""

    statistic: str = "last"
    at: float | None = None

    def __str__(self) -> str:
        return self.statistic if self.at is None else f"at {self.at:.10g}"

    def of(self, times: Numbers, values: Numbers) -> Numbers:
        """Compute the outcome of values, shape (times, ...); between stored times they are interpolated linearly.

        Raises
        ------
        DatasetError
            If the time is outside the run, or the statistic does not exist.
        """
        if self.at is None:
            if self.statistic not in STATISTICS:
                message = f"outcome: '{self.statistic}' is not a statistic; choose one of {', '.join(STATISTICS)}"
                raise DatasetError(message)
            return np.asarray(STATISTICS[self.statistic](times, values), dtype=float)
        first, last = float(times[0]), float(times[-1])
        tolerance = _NEAR * max(1.0, abs(first), abs(last))
        if not first - tolerance <= self.at <= last + tolerance:
            message = f"outcome: {self.at:.10g} is outside the run, which goes from {first:.10g} to {last:.10g}"
            raise DatasetError(message)
        return np.asarray(interpolate(times, values, np.array([self.at], dtype=float))[0])

    def units(self, units: str, time_units: str) -> str:
        """Return the units of the outcome of a variable with these units."""
        if self.at is None and self.statistic.startswith("time of"):
            return time_units
        integrated = self.at is None and self.statistic == "total"
        return "*".join(filter(None, (units, time_units))) if integrated else units


OutcomeLike = Outcome | float | int | str
"""An outcome, a date, or the name of a statistic over time."""


def as_outcome(requested: OutcomeLike) -> Outcome:
    """Return the outcome for a date, the name of a statistic or an outcome."""
    if isinstance(requested, Outcome):
        return requested
    return Outcome(requested) if isinstance(requested, str) else Outcome(at=float(requested))


def outcome_of(variable: xr.DataArray, outcome: Outcome) -> xr.DataArray:
    """Compute the outcome of a variable of a run, over all its dimensions but time; a constant is its own outcome.

    Raises DatasetError if the time is outside the run, or the statistic does not exist.
    """
    if TIME not in variable.dims:
        return variable
    ordered = variable.transpose(TIME, ...)
    times = np.asarray(ordered[TIME].values, dtype=float)
    frame = ordered.isel({TIME: 0}, drop=True)
    time_units = str(ordered[TIME].attrs.get("units", ""))
    attributes = dict(variable.attrs) | {
        "long_name": long_name(variable),
        "units": outcome.units(str(variable.attrs.get("units", "")), time_units),
        "outcome": str(outcome),
    }
    coords = {name: labels for name, labels in frame.coords.items() if TIME not in labels.dims and name != "date"}
    return xr.DataArray(outcome.of(times, ordered.values), coords, frame.dims, attrs=attributes)


@dataclass(frozen=True, eq=False)
class Position:
    """The values of a variable's cells at a date, in its units, and their place in its range over time.

    `place` is 0 at the smallest and 1 at the largest value, the mean over cells; NaN if nothing changes over time.
    """

    values: Numbers
    place: float


def position_of(variable: xr.DataArray, at: Outcome) -> Position:
    """Return where a variable stands at a date within its own range over time."""
    values, place = _flat(outcome_of(variable, at)), np.nan
    if TIME in variable.dims:
        course = variable.transpose(TIME, ...).values.reshape(variable.sizes[TIME], -1)
        low, high = course.min(axis=0), course.max(axis=0)
        moving = high > low
        if moving.any():
            place = float(np.mean((values[moving] - low[moving]) / (high[moving] - low[moving])))
    return Position(values, place)


def relative_changes(before: xr.DataArray, after: xr.DataArray, at: Outcome) -> Numbers:
    """Return the change of each cell of a variable at a date between two runs, as a share of its size in the first.

    A change from zero is infinite. Raises DatasetError if the two have different numbers of cells.
    """
    then, now = _flat(outcome_of(before, at)), _flat(outcome_of(after, at))
    if then.shape != now.shape:
        sizes = f"{format_count(then.size, 'cell')} in one run and {now.size} in the other"
        message = f"'{before.name}' has {sizes}; give runs of one model"
        raise DatasetError(message)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(now == then, 0.0, (now - then) / np.abs(then))


def _flat(values: xr.DataArray) -> Numbers:
    return np.asarray(values.values, dtype=float).ravel()
