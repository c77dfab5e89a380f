"""How well a run, or an ensemble of them, agrees with observations: a row of measures for each series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import AGREEMENT, band, band_width, covered_share, crps, crps_skill
from ..dataset import DATE, PROBABILITY, TIME, dates_of, member_dims
from ..errors import Fault, ObservationError
from .likelihood import log_likelihood, modelled, predictive
from .series import Series

BANDS = (0.5, 0.9)
FEW = 5
"""Below so many observations shares of an error, correlation and skill say nothing and are not a number."""

_OF_MANY = ("r2", "um", "us", "uc")
_DRAWS = 2000
"""At least so many draws make a predictive sample, so that its bands hold for a small ensemble too."""
_NUMBERS = 2**22
"""So many numbers, 32 MiB, are kept for a panel; of a larger ensemble every second, third... member is drawn."""
_AROUND = 0.1


@dataclass(frozen=True)
class BandFit:
    """How many observations lie in the middle band of a `probability` of the members, and of draws with errors, as shares.

    `width` and `predictive_width` are the mean widths of these bands, in units of the series.
    """

    probability: float
    coverage: float
    width: float
    predictive_coverage: float
    predictive_width: float


@dataclass(frozen=True)
class SeriesFit:
    """One series: its measures of agreement, of an ensemble those of the median; and what an ensemble's spread is worth.

    `crps` and `predictive_crps`, in units of the series, are means over observations, of the members and of draws with
    errors; `skill` is that of the draws. They are not a number for a single run, which has no spread.
    """

    name: str
    units: str
    error: str
    size: float
    count: int
    measures: Mapping[str, float]
    bands: tuple[BandFit, ...] = ()
    crps: float = math.nan
    predictive_crps: float = math.nan
    skill: float = math.nan


@dataclass(frozen=True)
class FitTable:
    """A row for each series, how many members they rest on, and how many were left out because they are not finite.

    `log_likelihood` is that of all observations under the best member.
    """

    rows: tuple[SeriesFit, ...]
    members: int
    not_finite: int = 0
    log_likelihood: float = field(default=math.nan)


def fit_run(run: xr.Dataset, series: Sequence[Series], *, bands: Sequence[float] = BANDS, seed: int = 0) -> FitTable:
    """How well a run agrees with each series, in its units; an ensemble, lazily opened or not, by its median and spread.

    Draws with errors are decided by `seed`. A member that is not finite at some observation is left out of all rows.

    Raises
    ------
    ObservationError
        If the run lacks a variable that a series is about, ends before its last observation, or is nowhere finite.
    """
    said = modelled(series, run)
    finite = np.isfinite(said).all(axis=0)
    if not finite.any():
        at = np.flatnonzero(~np.isfinite(said).any(axis=1)) if said.size else np.empty(0, dtype=int)
        raise ObservationError([_nowhere(series, int(at[0]) if at.size else 0)])
    said = said if finite.all() else said[:, finite]
    best = float(log_likelihood(series, said).max())
    rows, row = [], 0
    for place, each in enumerate(series):
        rows.append(_row(each, said[row : row + each.times.size], bands, seed + place))
        row += each.times.size
    return FitTable(tuple(rows), said.shape[1], int(np.sum(~finite)), best)


def _nowhere(series: Sequence[Series], row: int) -> Fault:
    """What to say of a run that is not finite where it is needed."""
    for each in series:
        if row < each.times.size:
            break
        row -= each.times.size
    told = f"what the run says of '{each.name}' is not finite at {each.times[row]:.7g}"
    return Fault(each.place, f"{told}; run the model with a smaller TIME STEP, or other constants")


def _row(series: Series, said: NDArray[np.float64], bands: Sequence[float], seed: int) -> SeriesFit:
    """The row of one series; `said` has the shape (observations, members)."""
    middle, observed = np.median(said, axis=1), series.values
    few = observed.size < FEW
    measures = {
        name: math.nan if few and name in _OF_MANY else measure(middle, observed) for name, measure in AGREEMENT.items()
    }
    row = SeriesFit(
        series.name, series.units, series.error.kind, series.error.size, observed.size, MappingProxyType(measures)
    )
    members = said.shape[1]
    if members == 1:
        return row
    drawn = predictive([series], np.repeat(said, math.ceil(_DRAWS / members), axis=1), seed)
    scores = crps(drawn, observed)
    return replace(
        row,
        bands=tuple(_band_fit(said, drawn, observed, each) for each in bands),
        crps=float(np.mean(crps(said, observed))),
        predictive_crps=float(np.mean(scores)),
        skill=math.nan if few else crps_skill(scores, observed),
    )


def _band_fit(
    said: NDArray[np.float64], drawn: NDArray[np.float64], observed: NDArray[np.float64], probability: float
) -> BandFit:
    plain = covered_share(said, observed, probability), band_width(said, probability)
    return BandFit(probability, *plain, covered_share(drawn, observed, probability), band_width(drawn, probability))


def fit_panels(run: xr.Dataset, series: Sequence[Series], *, bands: Sequence[float] = BANDS) -> dict[str, xr.Dataset]:
    """What a figure shows of each series, in its units: the run around the time of all observations, and these.

    Raises
    ------
    ObservationError
        If the run lacks a variable that a series is about, or ends before its last observation.
    """
    saved = np.asarray(run[TIME].values, dtype=float)
    first, last = min(float(each.times[0]) for each in series), max(float(each.times[-1]) for each in series)
    around = _AROUND * (last - first or saved[-1] - saved[0])
    shown = saved[(saved >= first - around) & (saved <= last + around)]
    part = _thinned(run, len(shown))
    time = xr.Variable((TIME,), dates_of(shown) if DATE in run.coords else shown, run[TIME].attrs)
    return {each.name: _panel(each, time, modelled([replace(each, times=shown)], part), bands) for each in series}


def _thinned(run: xr.Dataset, times: int) -> xr.Dataset:
    """So few members, evenly chosen, that what is drawn of one series stays in memory."""
    dims = member_dims(run)
    if len(dims) != 1:
        return run
    step = math.ceil(run.sizes[dims[0]] * times / _NUMBERS)
    return run if step <= 1 else run.isel({dims[0]: slice(None, None, step)})


def _panel(series: Series, time: xr.Variable, said: NDArray[np.float64], bands: Sequence[float]) -> xr.Dataset:
    """One series as `plot_fit` takes it; a single run has no bands."""
    many = said.shape[1] > 1
    said = said[:, np.isfinite(said).all(axis=0)] if many else said
    probabilities = sorted(bands) if many else []
    edges = np.array([band(said, each) for each in probabilities]).reshape(len(probabilities), 2, len(said))
    spread, observed, units = series.deviations, series.values, {"units": series.units}
    factors = np.exp(spread)
    least, most = (
        (observed / factors, observed * factors)
        if series.error.kind == "log"
        else (observed - spread, observed + spread)
    )
    at = dates_of(series.times) if time.dtype.kind == "M" else series.times
    return xr.Dataset(
        {
            "middle": ((TIME,), np.median(said, axis=1), units),
            "low": ((PROBABILITY, TIME), edges[:, 0], units),
            "high": ((PROBABILITY, TIME), edges[:, 1], units),
            "observed": (("observation",), observed, units),
            "least": (("observation",), least, units),
            "most": (("observation",), most, units),
        },
        {TIME: time, PROBABILITY: probabilities, "at": (("observation",), at)},
    )
