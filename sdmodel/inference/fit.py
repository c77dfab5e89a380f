"""How well a run or an ensemble agrees with observations: measures for each series, and data for figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import AGREEMENT, band, band_coverage, band_width, crps, crps_skill, log_crps, naive_forecasts
from ..dataset import DATE, PROBABILITY, TIME, dates_of, member_dims
from ..errors import Fault, ObservationError, reports_memory
from .likelihood import by_series, evaluate_series, log_likelihood, predictive_draws
from .series import Series

BANDS = (0.5, 0.9)
FEW = 5
"""With fewer observations, correlation, shares of the error and skill mean nothing and are not a number."""

_NEED_SEVERAL = ("r2", "um", "us", "uc")
_DRAWS = 2000
"""Least number of predictive draws, so that their bands hold for a small ensemble too."""
_NUMBERS = 2**22
"""Numbers (32 MiB) that a panel is made from; of a larger ensemble every second, third... member is used."""
_MARGIN = 0.1
"""Share of the observed time span that a panel shows on either side of it."""


@dataclass(frozen=True)
class BandFit:
    """Share of the observations inside the central band of a `probability`: `coverage` for the members, `predictive_coverage`
    for draws with errors. `width` and `predictive_width` are the mean widths of these bands, in units of the series.
    """

    probability: float
    coverage: float
    width: float
    predictive_coverage: float
    predictive_width: float


@dataclass(frozen=True)
class SeriesFit:
    """One series: the measures of agreement of a run, or of an ensemble's median, and scores of the ensemble's spread.

    `crps` and `predictive_crps`, in units of the series, are means over observations, of the members and of draws with
    errors; `skill` is that of the draws. For a single run, which has no spread, they are not a number.

    `log_crps` is the mean CRPS of natural logarithms, of the draws or of a single run; `persistence` and `trend` are those of
    the observation before and of the line through the two before it, from the third observation on. `pit` is the mean share
    of draws below an observation; 0.5 is unbiased.
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
    log_crps: float = math.nan
    persistence: float = math.nan
    trend: float = math.nan
    pit: float = math.nan


@dataclass(frozen=True)
class FitTable:
    """One row per series, the number of members used, and the number left out because they are not finite.

    `log_likelihood` is that of all observations for the best member.
    """

    rows: tuple[SeriesFit, ...]
    members: int
    not_finite: int = 0
    log_likelihood: float = math.nan


@reports_memory
def fit_run(run: xr.Dataset, series: Sequence[Series], *, bands: Sequence[float] = BANDS, seed: int = 0) -> FitTable:
    r"""Measure how well a run, or the median and spread of an ensemble, agrees with observed series.

    Parameters
    ----------
    run : Dataset
        A run or an ensemble, in memory or opened lazily.
    series : sequence of Series
        What `read_series` returns.
    bands : sequence of float, default (0.5, 0.9)
        Probabilities, between 0 and 1, of the central bands whose coverage is measured.
    seed : int, default 0
        Seed of the random errors that are added to the members.

    Returns
    -------
    FitTable
        `rows` has one `SeriesFit` per series: `measures` by name, such as `mape` in per cent or `rmse` in units of the
        series; for an ensemble also bands and CRPS. A member that is not finite at some observation is left out.

    Raises
    ------
    ObservationError
        If the run lacks a variable that a series needs, ends before the last observation, or has no finite member.

    Examples
    --------
    >>> import numpy as np
    >>> import sdmodel as sd
    >>> from sdmodel.errors import Place
    >>> from sdmodel.inference import ErrorModel, Series
    >>> from sdmodel.testing import tiny_model
    >>> run = sd.simulate(tiny_model("Stock = INTEG(rate, 0)\nrate = 2"))
    >>> times, values, error = np.array([1.0, 2.0]), np.array([2.5, 4.5]), ErrorModel("absolute", 0.5)
    >>> seen = Series("seen", sd.read_formula("Stock"), "Stock", times, values, error, "kg", Place("example", 1))
    >>> sd.fit_run(run, [seen]).rows[0].measures["mae"]
    0.5
    """
    modelled = evaluate_series(series, run)
    finite = np.isfinite(modelled).all(axis=0)
    if not finite.any():
        observations = [(item, time) for item in series for time in item.times]
        item, time = observations[int(np.isfinite(modelled).any(axis=1).argmin())]  # the first that no member reaches
        what = f"the run's value of '{item.name}' is not finite at {time:.7g}"
        cure = "run the model with a smaller TIME STEP, or other constants"
        raise ObservationError([Fault(item.place, f"{what}; {cure}")])
    modelled = modelled if finite.all() else modelled[:, finite]
    best = float(log_likelihood(series, modelled).max())
    rows = [_row(item, part, bands, seed + place) for place, (item, part) in enumerate(by_series(series, modelled))]
    return FitTable(tuple(rows), modelled.shape[1], int(np.sum(~finite)), best)


def _row(series: Series, modelled: NDArray[np.float64], bands: Sequence[float], seed: int) -> SeriesFit:
    """Measure one series; `modelled` has the shape (observations, members)."""
    middle, observed = np.median(modelled, axis=1), series.values
    few = observed.size < FEW
    measures = {
        name: math.nan if few and name in _NEED_SEVERAL else measure(middle, observed)
        for name, measure in AGREEMENT.items()
    }
    error, members = series.error, modelled.shape[1]
    persistence, trend = _naive_scores(series)
    row = SeriesFit(
        series.name, series.units, error.kind, error.size, observed.size, MappingProxyType(measures),
        persistence=persistence, trend=trend,
    )  # fmt: skip
    if members == 1:
        return replace(row, log_crps=float(np.mean(log_crps(modelled, observed))))
    (scores, logarithmic, below), predictive = _score_draws(series, modelled, bands, seed)
    return replace(
        row,
        bands=tuple(
            BandFit(
                probability,
                band_coverage(modelled, observed, probability),
                band_width(modelled, probability),
                *map(float, of_draws),
            )
            for probability, of_draws in zip(bands, predictive, strict=True)
        ),
        crps=float(np.mean(crps(modelled, observed))),
        predictive_crps=float(np.mean(scores)),
        skill=math.nan if few else crps_skill(scores, observed),
        log_crps=float(np.mean(logarithmic)),
        pit=float(np.mean(below)),
    )


def _score_draws(
    series: Series, modelled: NDArray[np.float64], bands: Sequence[float], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores of the draws at each observation, shape (3, n), and the coverage and mean width of their bands.

    The scores are CRPS, CRPS of logarithms, and the share of draws below the observation. The draws are made for some
    observations at a time. Errors are correlated within such a block only, which no measure sees: each of them looks at one
    observation at a time.
    """
    repeats, generator = math.ceil(_DRAWS / modelled.shape[1]), np.random.default_rng(seed)
    rows = max(1, _NUMBERS // (modelled.shape[1] * repeats))
    scores, measures = [], np.zeros((len(bands), 2))
    for first in range(0, len(modelled), rows):
        span = slice(first, first + rows)
        part = replace(series, times=series.times[span], values=series.values[span])
        draws = predictive_draws([part], np.repeat(modelled[span], repeats, axis=1), generator)
        below = np.mean(draws < part.values[:, np.newaxis], axis=1)
        scores.append(np.array([crps(draws, part.values), log_crps(draws, part.values), below]))
        found = [(band_coverage(draws, part.values, share), band_width(draws, share)) for share in bands]
        measures += np.array(found).reshape(-1, 2) * (len(draws) / len(modelled))
    return np.concatenate(scores, axis=1), measures


def _naive_scores(series: Series) -> tuple[float, float]:
    """The mean absolute logarithmic errors of the last value and of the last trend, from the third observation on."""
    times, values = series.times, series.values
    if values.size <= 2 or (values <= 0).any():  # noqa: PLR2004 - a trend needs two values
        return math.nan, math.nan
    naive = [naive_forecasts(times[:at], values[:at], times[at]) for at in range(2, values.size)]
    persistence, trend = np.mean(np.abs(np.array(naive) - np.log(values[2:, np.newaxis])), axis=0).tolist()
    return persistence, trend


def fit_panels(run: xr.Dataset, series: Sequence[Series], *, bands: Sequence[float] = BANDS) -> dict[str, xr.Dataset]:
    r"""Return the data of a figure for each series, in its units: the run around the observed times, and the observations.

    Parameters
    ----------
    run : xarray.Dataset
        A run or an ensemble, in memory or opened lazily.
    series : sequence of Series
        What `read_series` returns.
    bands : sequence of float, default (0.5, 0.9)
        Probabilities, between 0 and 1, of the central bands of an ensemble.

    Returns
    -------
    dict of str to xarray.Dataset
        The panel of each series by its name, as `plot_fit` takes it.

    Raises
    ------
    ObservationError
        If the run lacks a variable that a series needs, or ends before the last observation.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> folder, model = pathlib.Path(tempfile.mkdtemp()), tiny_model("Stock = INTEG(rate, 0)\nrate = 2")
    >>> _ = (folder / "seen.csv").write_text("series,date,value\nseen,1,2.5\nseen,2,4.5\n")
    >>> _ = (folder / "m.series.csv").write_text("name,model,data,error,size\nstock,Stock,seen,absolute,0.5\n")
    >>> series = sd.read_series(folder / "m.series.csv", sd.read_observations(folder / "seen.csv"), model)
    >>> panel = sd.fit_panels(sd.simulate(model), series)["stock"]
    >>> panel["middle"].values.tolist(), panel["observed"].values.tolist()
    ([2.0, 4.0], [2.5, 4.5])
    """
    saved = np.asarray(run[TIME].values, dtype=float)
    first, last = min(float(item.times[0]) for item in series), max(float(item.times[-1]) for item in series)
    margin = _MARGIN * (last - first or saved[-1] - saved[0])
    shown = saved[(saved >= first - margin) & (saved <= last + margin)]
    dims = member_dims(run)
    step = math.ceil(run.sizes[dims[0]] * len(shown) / _NUMBERS) if len(dims) == 1 else 1
    part = run.isel({dims[0]: slice(None, None, step)}) if step > 1 else run
    time = xr.Variable((TIME,), dates_of(shown) if DATE in run.coords else shown, run[TIME].attrs)
    return {
        item.name: _panel(item, time, evaluate_series([replace(item, times=shown)], part), bands) for item in series
    }


def error_bars(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the observations' error bars, one standard deviation below and above, in units of the series."""
    observed, deviations = series.values, series.deviations
    if series.error.kind != "log":
        return observed - deviations, observed + deviations
    with np.errstate(over="ignore"):
        factors = np.exp(deviations)
        return observed / factors, observed * factors


def _panel(series: Series, time: xr.Variable, modelled: NDArray[np.float64], bands: Sequence[float]) -> xr.Dataset:
    """Return one series in the form that `plot_fit` takes; a single run has no bands."""
    many = modelled.shape[1] > 1
    modelled = modelled[:, np.isfinite(modelled).all(axis=0)] if many else modelled
    probabilities = sorted(bands) if many else []
    edges = np.array([band(modelled, probability) for probability in probabilities])
    edges = edges.reshape(len(probabilities), 2, len(modelled))
    units, (least, most) = {"units": series.units}, error_bars(series)
    at = dates_of(series.times) if time.dtype.kind == "M" else series.times
    return xr.Dataset(
        {
            "middle": ((TIME,), np.median(modelled, axis=1), units),
            "low": ((PROBABILITY, TIME), edges[:, 0], units),
            "high": ((PROBABILITY, TIME), edges[:, 1], units),
            "observed": (("observation",), series.values, units),
            "least": (("observation",), least, units),
            "most": (("observation",), most, units),
        },
        {TIME: time, PROBABILITY: probabilities, "at": (("observation",), at)},
        {"scale": "log" if series.error.kind == "log" else "linear"},
    )
