"""Modelled values at observation times, the likelihood of observations, and the table of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sdmodel.comparison import AGREEMENT, crps
from sdmodel.ensemble import run_ensemble
from sdmodel.errors import ObservationError, Place
from sdmodel.inference import (
    ErrorModel,
    Series,
    error_bars,
    evaluate_series,
    fit_panels,
    fit_run,
    log_likelihood,
    predictive_draws,
    residuals,
)
from sdmodel.scenario import Sampling, Variation, make_design
from sdmodel.scenario.distributions import Distribution
from sdmodel.simulation import simulate
from sdmodel.store import open_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

KINDS = ("absolute", "relative", "log")
GROWTH = tiny_model("Stock = INTEG(growing, 1)\ngrowing = rate\nrate = 2\nslope = Time - 3", final=10)


def _series(
    model: str, times: Sequence[float], values: Sequence[float], kind: str = "absolute", size: float = 1.0
) -> Series:
    error = ErrorModel(kind, size)  # type: ignore[arg-type]
    place = Place("tiny.series.csv", 2)
    return Series(
        model, read_formula(model), model, np.array(times, float), np.array(values, float), error, "kg", place
    )


@given(st.lists(st.floats(0, 10).map(lambda time: round(time, 5)), min_size=1, max_size=10))
def test_runs_are_interpolated_linearly_between_saved_times(times: list[float]):
    """A straight line is exact at any time; constants and time may be part of a formula."""
    run = simulate(GROWTH)
    modelled = evaluate_series([_series("Stock + 0*rate", times, times), _series("2*Time", times, times)], run)
    assert modelled[:, 0] == pytest.approx([*(1 + 2 * np.array(times)), *(2 * np.array(times))], abs=1e-8)


@pytest.mark.parametrize("difference", [-1e-7, 1e-7])
def test_times_within_a_millionth_of_a_step_count_as_saved(difference: float):
    """So that rounding in dates does not pull in a neighbouring value that may not be finite."""
    run = simulate(GROWTH)
    run["stock"][{"time": [2, 4]}] = np.nan
    assert evaluate_series([_series("Stock", [3 + difference], [1])], run)[:, 0].tolist() == [7]


def test_formulas_are_evaluated_at_saved_times_then_interpolated():
    """Between two saved times the square of a line is its chord."""
    modelled = evaluate_series([_series("Stock*Stock", [0, 0.5, 1], [1, 1, 1])], simulate(GROWTH))
    assert modelled[:, 0].tolist() == [1, 5, 9]


def test_at_a_saved_time_the_next_one_does_not_count():
    """A run that fails later still has its values before."""
    run = simulate(GROWTH)
    run["stock"][{"time": slice(4, None)}] = np.nan
    modelled = evaluate_series([_series("Stock", [3, 3.5, 4], [1, 1, 1])], run)[:, 0]
    assert np.array_equal(modelled, [7, np.nan, np.nan], equal_nan=True)


def test_members_of_any_dimensions_become_columns():
    """A constant that varies along one dimension is the same along the other; each column is one member."""
    rates = xr.DataArray([1.0, 2.0, 3.0], dims="rate_value")
    starts = xr.DataArray([0.0, 5.0], dims="start")
    model = tiny_model("Stock = INTEG(rate, begin)\nrate = 2\nbegin = 0")
    run = simulate(model, {"rate": rates, "begin": starts})
    modelled = evaluate_series([_series("Stock", [10], [1]), _series("rate", [10], [1])], run)
    assert sorted(modelled[0]) == [10, 15, 20, 25, 30, 35]
    assert modelled.shape == (2, 6)
    assert np.array_equal(np.sort(modelled[0] - 10 * modelled[1]), [0, 0, 0, 5, 5, 5])


def test_missing_variables_are_reported():
    """With the place of the series."""
    run = simulate(GROWTH, save=["Stock"])
    with pytest.raises(ObservationError, match="^tiny.series.csv:2:1: 'slope': 'slope' is not in the run; "):
        evaluate_series([_series("slope", [1], [1])], run)


@pytest.mark.parametrize(("times", "count", "first"), [([-1.0, 5], 1, "-1"), ([5.0, 10.5, 11], 2, "10.5")])
def test_observations_outside_the_run_are_reported(times: list[float], count: int, first: str):
    """They are not dropped silently; the message says how to bound them."""
    message = f"{count} of the observations of 'Stock' lie outside the run, the first at {first}; .*since and until"
    with pytest.raises(ObservationError, match=message):
        evaluate_series([_series("Stock", times, times)], simulate(GROWTH))


@given(
    st.sampled_from(KINDS),
    st.floats(0.05, 2),
    st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=1, max_size=6),
)
def test_the_likelihood_matches_scipy_distributions(kind: str, size: float, pairs: list[tuple[float, float]]):
    """Normal for absolute and relative errors, lognormal for log errors, normalised in the units of the observation."""
    observed, modelled = np.array(pairs).T
    if kind == "log":
        expected = stats.lognorm.logpdf(observed, size, scale=modelled).sum()
    else:
        expected = stats.norm.logpdf(observed, modelled, size * (observed if kind == "relative" else 1)).sum()
    found = log_likelihood([_series("a", range(len(pairs)), observed, kind, size)], modelled[:, None])
    assert found == pytest.approx([expected], rel=1e-9, abs=1e-9)


def test_residuals_are_in_standard_deviations():
    """Positive where the observation is above the model."""
    modelled = np.array([[8.0, 10.0]])
    for kind, size, expected in (
        ("absolute", 2, [1, 0]),
        ("relative", 0.1, [2, 0]),
        ("log", 0.5, [2 * math.log(1.25), 0]),
    ):
        assert residuals([_series("a", [0], [10], kind, size)], modelled)[0] == pytest.approx(expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_members_that_are_not_finite_have_zero_likelihood(kind: str, value: float):
    """For a log error, so have members that are not positive."""
    series = [_series("a", [0, 1], [10, 10], kind, 0.5)]
    found = log_likelihood(series, np.array([[10.0, 10.0, 10.0], [10.0, value, 0.0]]))
    assert math.isfinite(found[0])
    assert found[1] == -math.inf
    assert math.isfinite(found[2]) is (kind != "log")


@pytest.mark.parametrize("kind", KINDS)
def test_predictive_draws_have_the_spread_of_the_error_model(kind: str):
    """Their standardised distance from the model is standard normal (Kolmogorov-Smirnov test); a seed repeats them."""
    series = [_series("a", [0, 1], [5, 20], kind, 0.2), _series("b", [2], [3], "absolute", 7)]
    modelled = np.tile([[4.0], [25.0], [0.0]], (1, 4000))
    draws = predictive_draws(series, modelled, 3)
    assert np.array_equal(draws, predictive_draws(series, modelled, 3))
    assert not np.array_equal(draws, predictive_draws(series, modelled, 4))
    errors = np.log(draws[:2] / modelled[:2]) if kind == "log" else draws[:2] - modelled[:2]
    scaled = [*(errors / series[0].deviations[:, None]), draws[2] / 7]
    assert all(stats.kstest(row, "norm").pvalue > 1e-3 for row in scaled)


def test_the_table_of_a_run_has_the_measures_of_each_series():
    """They are those of `AGREEMENT`; correlation and shares of the error need five observations."""
    run = simulate(GROWTH)
    times, observed = np.arange(1.0, 7), np.array([3.0, 4, 8, 9, 12, 12])
    table = fit_run(run, [_series("Stock", times, observed), _series("slope", times[:2], [1, 1])])
    long, short = table.rows
    for name, measure in AGREEMENT.items():
        assert long.measures[name] == measure(1 + 2 * times, observed), name
        assert math.isnan(short.measures[name]) is (name in ("r2", "um", "us", "uc"))
    assert (table.members, long.count, short.count, long.units, long.bands) == (1, 6, 2, "kg", ())
    assert math.isnan(long.crps)
    assert table.log_likelihood == pytest.approx(
        stats.norm.logpdf(1 + 2 * times, observed).sum() + stats.norm.logpdf([-2, -1], 1).sum()
    )


def _ensemble(members: int = 400, seed: int = 0) -> tuple[xr.Dataset, np.ndarray]:
    rates = np.random.default_rng(seed).normal(2, 0.5, members)
    return simulate(GROWTH, {"rate": rates}), rates


def test_the_table_of_an_ensemble_describes_its_spread():
    """Measures are those of the median; CRPS is the mean over observations; draws with errors are wider than members."""
    run, rates = _ensemble()
    times, observed = np.arange(1.0, 7), np.array([3.0, 4, 8, 9, 12, 12])
    (row,) = fit_run(run, [_series("Stock", times, observed)]).rows
    modelled = 1 + np.outer(times, rates)
    assert row.measures["mae"] == pytest.approx(np.abs(np.median(modelled, axis=1) - observed).mean())
    assert row.crps == pytest.approx(crps(modelled, observed).mean())
    assert [band.probability for band in row.bands] == [0.5, 0.9]
    assert all(band.predictive_width > band.width > 0 for band in row.bands)
    assert row.bands[1].width > row.bands[0].width
    assert row.skill < 1


def test_predictive_bands_have_their_nominal_coverage():
    """For truths sampled like the members, with random errors; bands of members alone are too narrow.

    The shares over many truths lie within four standard errors.
    """
    run, _ = _ensemble(1000)
    truths = np.random.default_rng(5).normal(2, 0.5, 300)
    noise = np.random.default_rng(6).normal(0, 3, 300)
    rows = [fit_run(run, [_series("Stock", [5], [1 + 5 * rate + error], size=3)]).rows[0] for rate, error in zip(truths, noise, strict=True)]  # fmt: skip
    for place, nominal in enumerate((0.5, 0.9)):
        error = 4 * math.sqrt(nominal * (1 - nominal) / 300)
        assert np.mean([row.bands[place].predictive_coverage for row in rows]) == pytest.approx(nominal, abs=error)
        assert np.mean([row.bands[place].coverage for row in rows]) < nominal - 0.1


def test_draws_are_made_for_some_observations_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """The measures are those of all draws at once; the memory is that of a block, not of 2,000 draws an observation."""
    run = simulate(tiny_model("Stock = INTEG(rate, 0)\nrate = 2"), {"rate": [1.0, 1.5, 2.0, 2.5]})
    times = np.linspace(0.5, 9.5, 97)
    error = ErrorModel("absolute", 0.5)
    series = Series("seen", read_formula("Stock"), "Stock", times, 2 * times + 0.1, error, "kg", Place("example", 1))
    whole = fit_run(run, [series]).rows[0]
    monkeypatch.setattr("sdmodel.inference.fit._NUMBERS", 10_000)
    largest = 0

    def draw(*arguments: Any) -> np.ndarray:
        nonlocal largest
        found = predictive_draws(*arguments)
        largest = max(largest, found.size)
        return found

    monkeypatch.setattr("sdmodel.inference.fit.predictive_draws", draw)
    parts = fit_run(run, [series]).rows[0]
    assert largest <= 10_000
    assert parts.predictive_crps == pytest.approx(whole.predictive_crps, rel=1e-12)
    assert parts.skill == pytest.approx(whole.skill, rel=1e-12)
    for one, other in zip(parts.bands, whole.bands, strict=True):
        assert one.predictive_coverage == pytest.approx(other.predictive_coverage, rel=1e-12)
        assert one.predictive_width == pytest.approx(other.predictive_width, rel=1e-12)


def test_members_that_are_not_finite_are_counted_and_left_out():
    """If none is left, the series and the time are reported."""
    run, _ = _ensemble(20)
    part = run.isel(member=slice(1, None))
    run["stock"][{"member": 0, "time": 5}] = np.inf
    series = [_series("Stock", [4, 5], [9, 11])]
    table, expected = fit_run(run, series), fit_run(part, series)
    assert (table.members, table.not_finite) == (19, 1)
    assert repr(replace(table.rows[0], measures=expected.rows[0].measures)) == repr(expected.rows[0])  # nan is not nan
    run["stock"][{"time": 5}] = np.nan
    with pytest.raises(ObservationError, match="the run's value of 'Stock' is not finite at 5; .*TIME STEP"):
        fit_run(run, series)


def test_a_stored_ensemble_is_read_in_blocks_with_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However few numbers are read at a time."""
    uniform = Variation("rate", (), Distribution("RANDOM_UNIFORM", (1.0, 3.0)))
    design = make_design(GROWTH, Sampling("multivariate", 300, 1, (uniform,)))
    path = run_ensemble(GROWTH, design, tmp_path / "e.zarr", save=["Stock", "slope"])
    series = [_series("Stock*rate", [1.5, 5], [9, 11]), _series("slope", [2], [0])]
    whole = evaluate_series(series, simulate(GROWTH, design.dataset(0, 300)))
    stored = open_run(path)
    assert np.array_equal(evaluate_series(series, stored), whole)
    monkeypatch.setattr("sdmodel.inference.likelihood._NUMBERS", 1)
    assert np.array_equal(evaluate_series(series, stored.assign_attrs(members_in_a_block=64)), whole)


def test_panels_contain_what_a_figure_shows():
    """Median and band edges around the observed times, and observations with one standard deviation either way."""
    rates = np.random.default_rng(0).normal(2, 0.5, 400)
    model = tiny_model("Stock = INTEG(rate, 1)\nrate = 2\nslope = Time - 2017", initial=2020, final=2030)
    run = simulate(model, {"rate": rates})
    series = [_series("Stock", [2022, 2026], [5, 12], "relative", 0.1), _series("slope", [2025], [2], "log", 0.5)]
    panels = fit_panels(run, series, bands=(0.8,))
    assert list(panels) == ["Stock", "slope"]
    stock = panels["Stock"]
    assert stock.time.dtype.kind == "M"
    assert stock.sizes["time"] == 5
    assert stock.middle.values == pytest.approx(1 + np.median(rates) * np.arange(2, 7))
    assert stock.low.values[0] == pytest.approx(1 + np.quantile(rates, 0.1) * np.arange(2, 7))
    assert stock.high.values[0] == pytest.approx(1 + np.quantile(rates, 0.9) * np.arange(2, 7))
    assert (stock.least.values.tolist(), stock.most.values.tolist()) == (
        pytest.approx([4.5, 10.8]),
        pytest.approx([5.5, 13.2]),
    )
    factor = math.exp(0.5)
    assert (panels["slope"].least, panels["slope"].most) == (pytest.approx(2 / factor), pytest.approx(2 * factor))


def test_panels_of_large_errors_give_no_warning():
    """One standard deviation of a relative error of a large number is not an exponent."""
    panel = fit_panels(simulate(GROWTH), [_series("Stock", [2, 6], [90_000, 80_000], "relative", 0.5)])["Stock"]
    assert panel.least.values.tolist() == [45_000, 40_000]


def test_error_bars_span_one_standard_deviation_either_way():
    """Of logarithms for a log error, where even an absurd size gives no warning."""
    low, high = error_bars(_series("Stock", [2], [90_000], "absolute", 1000))
    assert (low.tolist(), high.tolist()) == ([89_000], [91_000])
    low, high = error_bars(_series("Stock", [2, 3], [8, 6], "log", math.log(2)))
    assert (low, high) == (pytest.approx([4, 3]), pytest.approx([16, 12]))
    low, high = error_bars(_series("Stock", [2], [8], "log", 1000))
    assert (low.tolist(), high.tolist()) == ([0], [math.inf])


def test_a_large_ensemble_is_thinned_for_a_figure(monkeypatch: pytest.MonkeyPatch):
    """It uses evenly spaced members."""
    run, rates = _ensemble(50)
    monkeypatch.setattr("sdmodel.inference.fit._NUMBERS", 5 * 10)
    panel = fit_panels(run, [_series("Stock", [2, 6], [5, 12])])["Stock"]
    assert panel.middle.values == pytest.approx(1 + np.median(rates[::5]) * np.arange(2, 7))


def test_a_series_may_be_a_constant():
    """A constant has the same value at every time."""
    run = simulate(GROWTH, {"rate": [1.0, 4.0]})
    assert evaluate_series([_series("rate", [2, 3.5], [1, 1])], run).tolist() == [[1, 4], [1, 4]]
