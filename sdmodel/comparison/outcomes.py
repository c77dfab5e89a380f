"""Outcomes: one number that stands for a whole run, a variable at a date or a statistic of it over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import TIME, long_name
from ..errors import DatasetError
from .alignment import interpolated

Numbers = NDArray[np.float64]

_NEAR = 1e-9
"""A part of the time axis by which a date may lie outside it, for what rounding leaves."""


def _total(times: Numbers, values: Numbers) -> Numbers:
    """The integral over time by the trapezoidal rule, in units times those of time."""
    return np.asarray(np.trapezoid(values, times, axis=0))


def _place_of(pick: Callable[..., NDArray[np.intp]]) -> Callable[[Numbers, Numbers], Numbers]:
    """The first time at which values are extreme; not a number where no value is one."""

    def place(times: Numbers, values: Numbers) -> Numbers:
        known = np.isfinite(values)
        filling = np.inf if pick is np.argmin else -np.inf
        found = times[pick(np.where(known, values, filling), axis=0)]
        return np.where(known.any(axis=0), found, np.nan)

    return place


STATISTICS: Mapping[str, Callable[[Numbers, Numbers], Numbers]] = MappingProxyType(
    {
        "last": lambda _, values: values[-1],
        "min": lambda _, values: values.min(axis=0),
        "max": lambda _, values: values.max(axis=0),
        "mean": lambda times, values: values[0] if len(times) == 1 else _total(times, values) / (times[-1] - times[0]),
        "total": _total,
        "time of min": _place_of(np.argmin),
        "time of max": _place_of(np.argmax),
    }
)
"""Functions of times, shape (times,), and values, shape (times, ...), to numbers of the remaining shape.

`mean` and `total` are integrals by the trapezoidal rule, so that unevenly stored times count for how long they last.
"""
_TIMED, _INTEGRATED = frozenset({"time of min", "time of max"}), frozenset({"total"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is asked of a variable: its value `at` a time, in the model's unit of time, or else a `statistic` over time."""

    statistic: str = "last"
    at: float | None = None

    def __str__(self) -> str:
        return self.statistic if self.at is None else f"at {self.at:.10g}"

    def of(self, times: Numbers, values: Numbers) -> Numbers:
        """The outcome of values, shape (times, ...), in the units that `units` tells.

        Between two stored times a value is interpolated linearly.

        Raises
        ------
        DatasetError
            If the time lies outside the run, or there is no such statistic.
        """
        if self.at is None:
            if self.statistic not in STATISTICS:
                message = f"outcome: '{self.statistic}' is no statistic; there are {', '.join(STATISTICS)}"
                raise DatasetError(message)
            return np.asarray(STATISTICS[self.statistic](times, values), dtype=float)
        first, last = float(times[0]), float(times[-1])
        spare = _NEAR * max(1.0, abs(first), abs(last))
        if not first - spare <= self.at <= last + spare:
            message = f"outcome: {self.at:.10g} is outside the run, which goes from {first:.10g} to {last:.10g}"
            raise DatasetError(message)
        return np.asarray(interpolated(times, values, np.array([self.at], dtype=float))[0])

    def units(self, units: str, time_units: str) -> str:
        """The units of the outcome of a variable in some units."""
        if self.at is None and self.statistic in _TIMED:
            return time_units
        if self.at is None and self.statistic in _INTEGRATED:
            return "*".join(filter(None, (units, time_units)))
        return units


def outcome_of(variable: xr.DataArray, outcome: Outcome) -> xr.DataArray:
    """The outcome of a variable of a run, with all its dimensions but time; a constant is its own.

    Raises
    ------
    DatasetError
        If the time lies outside the run, or there is no such statistic.
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
    coords = {name: each for name, each in frame.coords.items() if TIME not in each.dims and name != "date"}
    return xr.DataArray(outcome.of(times, ordered.values), coords, frame.dims, attrs=attributes)
