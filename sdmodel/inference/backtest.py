"""Back-tests: calibrate a model on what was published at a past date, forecast, and compare with what came."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import crps, logarithms, naive_forecasts
from ..dataset import ANALYSIS, DATE, TIME, make_run
from ..errors import CalibrationError, Fault, ObservationError
from ..model import Cell, Integrator, Model, takes_model
from ..scenario import Scenario
from ..workers import Workers, run_tasks
from .calibration import SEED, calibrate_model, digest_of, problem_fingerprints, sample_posterior
from .likelihood import by_series, make_problem, modelled_at, predictive_draws
from .model_error import MeasuredError
from .parameters import Parameter
from .posterior import check_posterior_extra, default_walkers
from .results import ExtraConstants, ensemble_samples
from .series import Series

BACKTEST = "backtest"
"""The value of the attribute `analysis` of a back-test."""
CUT, OBSERVATION, DRAW, SERIES, LEVEL = "cut", "observation", "draw", "series", "level"
"""Dimensions: the dates of the cuts, the observations of all series, the draws, the series, and quantile levels of paths."""
HORIZONS = (0.25, 0.5, 1.0)
"""Upper ends of the horizons that are scored together, in the model's unit of time; what lies beyond is one more group."""
CUT_STARTS, CUT_STEPS, SAMPLES = 16, 1000, 400
"""Starts of the search and steps of each walker at a cut, and draws of each forecast."""
WIDTHS = (0.5, 0.9)
"""Probabilities of the central bands whose coverage is reported."""

_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
ALL_SERIES, ALL_HORIZONS = "all series", "all"
"""Names of the groups with all series, and with all horizons."""

Numbers = NDArray[np.float64]
CutProgress = Callable[[int, int, int], None]
"""Called with the number of the cut, the number of cuts, and the points simulated since the last call."""


@dataclass(frozen=True)
class Score:
    """The scores of the forecasts of one group: a series at a horizon, or several together.

    `log_crps`, `persistence` and `trend` are mean absolute differences of natural logarithms: of the whole forecast, of the
    last published value, and of the line through the last two. `bias` is the mean logarithm of observation over median, and
    `rms` its root mean square. `coverage` and `coverage_with_error` give the shares of observations inside the bands of
    `WIDTHS`, the latter of bands widened by the model error of the other cuts. `pit` is the mean share of draws below what
    came: 0.5 is unbiased.
    """

    series: str
    horizon: str
    count: int
    log_crps: float
    persistence: float
    trend: float
    bias: float
    rms: float
    coverage: tuple[float, ...]
    coverage_with_error: tuple[float, ...]
    pit: float


def published_by(series: Series, cut: float) -> Series | None:
    """Return the observations of a series that were published by a date; None if there were none."""
    known = series.times + series.lag <= cut
    return replace(series, times=series.times[known], values=series.values[known]) if known.any() else None


@takes_model
def backtest_model(
    model: Model,
    series: Sequence[Series],
    parameters: Sequence[Parameter],
    cuts: Sequence[float],
    *,
    scenario: Scenario | None = None,
    integrator: Integrator | None = None,
    starts: int = CUT_STARTS,
    steps: int = CUT_STEPS,
    walkers: int | None = None,
    samples: int = SAMPLES,
    seed: int = SEED,
    extra: ExtraConstants | None = None,
    known: xr.Dataset | None = None,
    checkpoint: Callable[[xr.Dataset], None] | None = None,
    executor: Workers | None = None,
    progress: CutProgress | None = None,
) -> xr.Dataset:
    r"""Calibrate a model on what was published by each of several dates, and forecast what was published later.

    Parameters
    ----------
    model : Model
        The model.
    series : sequence of Series
        What `read_series` returns. The `lag` of a series is the time from the date of an observation to its publication, in
        the model's unit of time.
    parameters : sequence of Parameter
        The free constants with bounds and priors, the same for every cut.
    cuts : sequence of float
        The dates, in the model's unit of time.
    scenario : Scenario, optional
        Changes of other constants under which the model is calibrated and forecasts.
    integrator : {"euler", "rk4"}, optional
        The integration method; the model's own by default.
    starts, steps, walkers : int, optional
        The search and the sampling of each posterior, as in `calibrate_model` and `sample_posterior`.
    samples : int, default 400
        Number of posterior draws of each forecast.
    seed : int, default 1
        Seed of everything random.
    extra : ExtraConstants, optional
        Constants that have the values of free ones, and constants that the forecasts sample besides, such as those about
        which past observations say nothing.
    known : Dataset, optional
        An unfinished back-test of the same model, series and settings; its cuts are kept.
    checkpoint : callable, optional
        Called with the back-test so far after each cut.
    executor : concurrent.futures.Executor or dask client, optional
        Other processes, such as `WorkerProcesses`, each of which forecasts from one cut at a time. The numbers do not depend
        on it.
    progress : callable, optional
        Called with the number of the cut, the number of cuts and the number of points simulated since the last call.

    Returns
    -------
    Dataset
        `draws` (cut, observation, draw) are forecasts of each observation with its error, NaN where it was known; `path`
        (cut, series, level, time) are quantiles of the series over time, without errors. Coordinates name the series, the
        time and the observed value of each observation. `score_backtest` computes the scores.

    Raises
    ------
    CalibrationError
        If there are no cuts, a cut has no observations before or after it, or `known` belongs to another back-test.
    ObservationError
        If an observation is not above zero, so that forecasts have no logarithm to compare.

    Examples
    --------
    >>> import numpy as np
    >>> import sdmodel as sd
    >>> from sdmodel.errors import Place
    >>> from sdmodel.inference import ErrorModel, Series, backtest_model, free_constants, score_backtest
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(Stock*rate, 1)\nrate = 0.2")
    >>> times = np.arange(1.0, 7)
    >>> seen = Series(
    ...     "seen", sd.read_formula("Stock"), "Stock", times, 1.1**times, ErrorModel("log", 0.1), "kg", Place("example", 1)
    ... )
    >>> free = free_constants(model, ["rate=0:0.5"])
    >>> found = backtest_model(model, [seen], free, [3, 4], starts=2, steps=60, samples=100)
    >>> found["draws"].dims, found["draws"].shape
    (('cut', 'observation', 'draw'), (2, 6, 100))
    >>> score_backtest(found)[-1].log_crps < score_backtest(found)[-1].persistence
    True
    """
    dates = sorted(set(map(float, cuts)))
    _check(series, dates)
    given, others = scenario or Scenario(""), extra or ExtraConstants()
    whole = make_problem(model, series, parameters, scenario=given, integrator=integrator, equal=others.equal)
    grid = whole.simulation.times
    seen = (*whole.series, *(_on_grid(item, grid) for item in series))
    known_by = problem_fingerprints(model, whole, given, integrator or model.integrator)
    settings = (dates, [item.lag for item in series], starts, steps, walkers, samples, seed, others.text)
    digest = digest_of([*known_by.values(), repr(settings)])
    cells = [*(one.cell for one in parameters), *(one.cell for one in others.equal), *others.sampled_cells]
    found = _empty(model, series, dates, grid, samples, {"backtest_digest": digest})
    done: set[float] = set()
    if known is not None:
        if known.attrs.get("backtest_digest") != digest:
            message = "the stored back-test has another model, other data or other settings; start again with --force"
            raise CalibrationError(message)
        found, done = known.load().copy(deep=True), set(known["cut"].values[known["done"].values.astype(bool)].tolist())
    waiting = [(place, cut) for place, cut in enumerate(dates) if cut not in done]
    work = _CutWork(
        model, tuple(series), tuple(parameters), given, integrator, starts, steps, walkers, samples, seed, others,
        cells, seen,
    )  # fmt: skip

    def keep(place: int, forecast: _CutForecast) -> None:
        later = np.concatenate([item.times + item.lag > dates[place] for item in series])
        found["draws"][place, :, : forecast.draws.shape[1]] = np.where(later[:, np.newaxis], forecast.draws, np.nan)
        found["path"][place] = forecast.path
        found["doubts"][place] = forecast.doubts
        found["done"][place] = 1
        if checkpoint:
            checkpoint(found)

    if executor is None:
        for place, cut in waiting:
            keep(place, work.forecast(place, cut, partial(progress, place + 1, len(dates)) if progress else None)[1])
    else:
        for count, (place, forecast) in enumerate(run_tasks(executor, work.forecast, waiting), len(done) + 1):
            keep(place, forecast)
            if progress:
                progress(count, len(dates), forecast.points)
    return found


@dataclass(frozen=True, eq=False)
class _CutForecast:
    """What is forecast from one cut: draws by observation, quantiles by series, doubts about the posterior, simulated points."""

    draws: Numbers
    path: Numbers
    doubts: int
    points: int


@dataclass(frozen=True, eq=False)
class _CutWork:
    """All that a forecast needs besides its cut, so that any process can make it."""

    model: Model
    series: tuple[Series, ...]
    parameters: tuple[Parameter, ...]
    scenario: Scenario
    integrator: Integrator | None
    starts: int
    steps: int
    walkers: int | None
    samples: int
    seed: int
    extra: ExtraConstants
    cells: Sequence[Cell]
    seen: Sequence[Series]

    def forecast(
        self, place: int, cut: float, progress: Callable[[int], None] | None = None
    ) -> tuple[int, _CutForecast]:
        """Calibrate on what was published by a cut, and forecast all observations and the path of each series."""
        done = 0

        def report(points: int) -> None:
            nonlocal done
            done += points
            if progress:
                progress(points)

        calibration = calibrate_model(
            self.model,
            [part for item in self.series if (part := published_by(item, cut)) is not None],
            self.parameters,
            scenario=self.scenario,
            integrator=self.integrator,
            starts=self.starts,
            seed=self.seed,
            equal=self.extra.equal,
            progress=report,
        )
        walkers = self.walkers or default_walkers(len(self.parameters))
        posterior = sample_posterior(calibration, steps=self.steps, walkers=walkers, progress=report).posterior
        if posterior is None:
            raise AssertionError
        _, points = ensemble_samples(
            self.model, self.parameters, posterior, self.extra, count=self.samples, seed=self.seed
        )
        members = [
            Parameter(cell.key, cell, "", float(values.min()), float(values.max()), float(values[0]))
            for cell, values in zip(self.cells, points.T, strict=True)
        ]
        problem = make_problem(self.model, self.seen, members, scenario=self.scenario, integrator=self.integrator)
        parts = [values for _, values in by_series(self.seen, modelled_at(problem, points))]
        own = self.seen[: len(self.series)]
        draws = predictive_draws(own, np.concatenate(parts[: len(own)]), self.seed + place)
        path = np.array([np.nanquantile(values, _LEVELS, axis=1) for values in parts[len(own) :]])
        return place, _CutForecast(draws, path, len(posterior.doubts), done)


SCORE_HEADINGS = (
    "n", "log CRPS", "persistence", "trend", "bias", "in 50 %", "in 90 %", "with error", "PIT"
)  # fmt: skip
"""The headings of `score_cells`."""


def score_cells(score: Score) -> list[str]:
    """Return the numbers of a score as text, under `SCORE_HEADINGS`; nothing for those that do not exist."""
    numbers = (score.log_crps, score.persistence, score.trend)
    cells = [str(score.count), *("" if math.isnan(number) else f"{number:.2f}" for number in numbers)]
    cells += [f"{score.bias:+.2f}", *(f"{share:.0%}" for share in (*score.coverage[:2], score.coverage_with_error[1]))]
    return [*cells, f"{score.pit:.2f}"]


def score_backtest(found: xr.Dataset, *, horizons: Sequence[float] = HORIZONS) -> list[Score]:
    """Score a back-test against what came; the forecasts are compared with the last value and the last trend.

    Parameters
    ----------
    found : xarray.Dataset
        What `backtest_model` returns, whose example also scores.
    horizons : sequence of float, default (0.25, 0.5, 1.0)
        Upper ends of the horizons that are scored together, in the model's unit of time; what lies beyond is one more group.

    Returns
    -------
    list of Score
        The scores of each series at each horizon, of each series, and of all series in the same way; the last is that of all
        forecasts.
    """
    forecasts = _forecasts(found)
    errors = {id(one): _model_error(one, forecasts, horizons) for one in forecasts}
    scores = []
    for name in (*_names(found), ALL_SERIES):
        own = [one for one in forecasts if name in (one.series, ALL_SERIES)]
        groups = [(label, group) for label, _, group in _by_horizon(own, horizons)]
        scores += [_score(name, label, group, errors) for label, group in (*groups, (ALL_HORIZONS, own)) if group]
    return scores


def model_errors(found: xr.Dataset, *, horizons: Sequence[float] = HORIZONS) -> list[MeasuredError]:
    """Return the root mean square of ln(observation / median) by series and horizon."""
    forecasts = _forecasts(found)
    rows = []
    for place, name in enumerate(_names(found)):
        last = float(found["at"].values[found["observed_series"].values.astype(str) == name].max())
        for _, high, own in _by_horizon([one for one in forecasts if one.series == name], horizons):
            if own:
                error = math.sqrt(np.mean([one.miss**2 for one in own]))
                rows.append(MeasuredError(name, str(found["formula"].values[place]), last, high, len(own), error))
    return rows


def backtest_panels(found: xr.Dataset, names: Sequence[str] = ()) -> dict[str, xr.Dataset]:
    """Return the data of a figure for each series: the forecast of each cut over time, and what came.

    Parameters
    ----------
    found : xarray.Dataset
        What `backtest_model` returns.
    names : sequence of str, optional
        The series; all by default.

    Returns
    -------
    dict of str to xarray.Dataset
        The panel of each series by its name, in its units, as `plot_backtest` takes it.

    Raises
    ------
    CalibrationError
        If the back-test has no series of one of the names.
    """
    dated = DATE in found.coords
    unknown = [name for name in names if name not in _names(found)]
    if unknown:
        message = f"'{unknown[0]}' is not a series of the back-test; it has {', '.join(_names(found))}"
        raise CalibrationError(message)
    panels = {}
    of_series = found["observed_series"].values.astype(str)
    for place, name in enumerate(_names(found)):
        if names and name not in names:
            continue
        own = of_series == name
        path = found["path"].isel(series=place)
        low, middle, high = (path.sel(level=level, method="nearest", drop=True) for level in (0.05, 0.5, 0.95))
        observed = (("observation",), found["observed"].values[own], {"units": str(found["units"].values[place])})
        panels[name] = xr.Dataset(
            {"low": low, "middle": middle, "high": high, "observed": observed},
            {"at": (("observation",), found["at"].values[own])},
            {"dated": int(dated)},
        ).drop_vars([DATE, "series"], errors="ignore")
    return panels


@dataclass(frozen=True, eq=False)
class _Forecast:
    """One forecast of one observation, in natural logarithms: `miss` is the observation minus the median of the draws."""

    series: str
    cut: float
    horizon: float
    observed: float
    draws: Numbers
    median: float
    variance: float
    persistence: float
    trend: float

    @property
    def miss(self) -> float:
        return self.observed - self.median


def _forecasts(found: xr.Dataset) -> list[_Forecast]:
    at, observed = found["at"].values, found["observed"].values
    names, published = found["observed_series"].values.astype(str), found["published"].values
    forecasts = []
    for place, cut in enumerate(found[CUT].values.tolist()):
        draws = found["draws"].values[place]
        for row in np.flatnonzero(np.isfinite(draws).any(axis=1)):
            own = draws[row][np.isfinite(draws[row])]
            past = np.flatnonzero((names == names[row]) & (published <= cut))
            naive = naive_forecasts(at[past], observed[past], float(at[row]))
            (logs,) = np.sort(logarithms(own[np.newaxis], observed[row : row + 1]))
            spread = float(np.median(logs)), float(np.var(logs))
            name, horizon = str(names[row]), float(at[row] - cut)
            forecasts.append(_Forecast(name, cut, horizon, float(np.log(observed[row])), logs, *spread, *naive))
    return forecasts


def _by_horizon(
    forecasts: Sequence[_Forecast], horizons: Sequence[float]
) -> Iterator[tuple[str, float, list[_Forecast]]]:
    """Yield the label, the end and the forecasts of each group: a forecast belongs to the first whose end it does not pass."""
    ends = [0.0, *horizons, math.inf]
    for low, high in pairwise(ends):
        label = f"> {low:g}" if math.isinf(high) else f"{high:g}"
        yield label, high, [one for one in forecasts if low < one.horizon <= high]


def _score(series: str, horizon: str, group: Sequence[_Forecast], errors: dict[int, float]) -> Score:
    scores = [float(crps(one.draws[np.newaxis], np.array([one.observed]))[0]) for one in group]
    misses = np.array([one.miss for one in group])
    known = [one for one in group if math.isfinite(one.persistence)]
    persistence, trend = (
        float(np.mean([abs(one.observed - getattr(one, name)) for one in known])) if known else math.nan
        for name in ("persistence", "trend")
    )
    plain = np.mean([_within(one, 0.0) for one in group], axis=0)
    wide = np.mean([_within(one, errors[id(one)]) for one in group], axis=0)
    return Score(
        series=series,
        horizon=horizon,
        count=len(group),
        log_crps=float(np.mean(scores)),
        persistence=persistence,
        trend=trend,
        bias=float(misses.mean()),
        rms=float(np.sqrt(np.mean(misses**2))),
        coverage=tuple(plain.tolist()),
        coverage_with_error=tuple(wide.tolist()),
        pit=float(np.mean([np.mean(one.draws < one.observed) for one in group])),
    )


def _within(forecast: _Forecast, variance: float) -> list[bool]:
    """Whether the observation lies in each band, of draws whose distance from the median is widened by a variance."""
    middle, own = forecast.median, forecast.variance
    stretch = math.sqrt((own + variance) / own) if own > 0 else 1.0
    inside = []
    for width in WIDTHS:
        low, high = np.quantile(forecast.draws, (0.5 - width / 2, 0.5 + width / 2))
        inside.append(
            bool(middle + stretch * (low - middle) <= forecast.observed <= middle + stretch * (high - middle))
        )
    return inside


def _model_error(forecast: _Forecast, forecasts: Sequence[_Forecast], horizons: Sequence[float]) -> float:
    """The variance that forecasts of other cuts lacked: of the same series and horizon, else of all series at the horizon."""
    end = next(end for end in (*horizons, math.inf) if forecast.horizon <= end)
    others = [one for one in forecasts if one.cut != forecast.cut]
    alike = next(group for _, high, group in _by_horizon(others, horizons) if high == end)
    own = [one for one in alike if one.series == forecast.series] or alike
    return max(0.0, float(np.mean([one.miss**2 - one.variance for one in own]))) if own else 0.0


def _check(series: Sequence[Series], cuts: Sequence[float]) -> None:
    check_posterior_extra()
    if not cuts:
        message = "there are no cuts; give at least one date with --cut"
        raise CalibrationError(message)
    faults = []
    for item in series:
        bad = item.times[item.values <= 0]
        if bad.size:
            what = f"'{item.name}' is not above zero at {bad[0]:.7g}, and scores compare logarithms"
            faults.append(Fault(item.place, f"{what}; leave the series out, or exclude that time with since and until"))
    if faults:
        raise ObservationError(faults)
    published = np.concatenate([item.times + item.lag for item in series]) if series else np.empty(0)
    for cut in cuts:
        if not (published <= cut).any() or not (published > cut).any():
            side = "before" if not (published <= cut).any() else "after"
            message = f"--cut {cut:.7g}: nothing was published {side} this date; choose another"
            raise CalibrationError(message)


def _on_grid(series: Series, grid: Numbers) -> Series:
    """The series at the saved times of the run, to see its path."""
    return replace(series, times=grid, values=np.ones_like(grid), error=replace(series.error, correlation=0.0))


def _names(found: xr.Dataset) -> list[str]:
    return [str(name) for name in found[SERIES].values]


def _empty(
    model: Model,
    series: Sequence[Series],
    cuts: Sequence[float],
    grid: Numbers,
    samples: int,
    attributes: dict[str, str],
) -> xr.Dataset:
    """The dataset of a back-test before its first cut."""
    run = make_run(model, grid, {}, attributes={ANALYSIS: BACKTEST} | attributes)
    count = sum(item.times.size for item in series)
    names = [item.name for item in series]
    coordinates = {
        CUT: ((CUT,), np.array(cuts), {"units": model.time_units, "long_name": "date of the cut"}),
        SERIES: ((SERIES,), np.array(names, dtype=str)),
        LEVEL: ((LEVEL,), np.array(_LEVELS)),
    }
    by_observation = {
        "observed_series": np.repeat(np.array(names, dtype=str), [item.times.size for item in series]),
        "at": np.concatenate([item.times for item in series]),
        "published": np.concatenate([item.times + item.lag for item in series]),
        "observed": np.concatenate([item.values for item in series]),
    }
    variables: dict[str, Any] = {name: ((OBSERVATION,), values) for name, values in by_observation.items()}
    variables["units"] = ((SERIES,), np.array([item.units for item in series], dtype=str))
    variables["formula"] = ((SERIES,), np.array([item.model_text for item in series], dtype=str))
    variables["draws"] = ((CUT, OBSERVATION, DRAW), np.full((len(cuts), count, samples), np.nan))
    shape = (len(cuts), len(series), len(_LEVELS), len(grid))
    variables["path"] = ((CUT, SERIES, LEVEL, TIME), np.full(shape, np.nan))
    variables |= {name: ((CUT,), np.zeros(len(cuts))) for name in ("done", "doubts")}
    return run.assign_coords(coordinates).assign(variables)
