"""What a run says of observations, how probable these are under it, and the table of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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
    fit_panels,
    fit_run,
    log_likelihood,
    modelled,
    predictive,
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


@given(st.lists(st.floats(0, 10), min_size=1, max_size=10))
def test_a_run_is_interpolated_linearly_between_saved_times(times: list[float]):
    """A straight line is itself at any time; constants and time stand for themselves."""
    run = simulate(GROWTH)
    said = modelled([_series("Stock + 0*rate", times, times), _series("2*Time", times, times)], run)
    assert said[:, 0] == pytest.approx([*(1 + 2 * np.array(times)), *(2 * np.array(times))], abs=1e-8)


def test_a_formula_is_worked_out_at_saved_times_and_then_interpolated():
    """Between two saved times the square of a line is its chord."""
    said = modelled([_series("Stock*Stock", [0, 0.5, 1], [1, 1, 1])], simulate(GROWTH))
    assert said[:, 0].tolist() == [1, 5, 9]


def test_on_a_saved_time_the_next_one_does_not_count():
    """A run that breaks off still says what it said before."""
    run = simulate(GROWTH)
    run["stock"][{"time": slice(4, None)}] = np.nan
    said = modelled([_series("Stock", [3, 3.5, 4], [1, 1, 1])], run)[:, 0]
    assert np.array_equal(said, [7, np.nan, np.nan], equal_nan=True)


def test_members_are_columns_whatever_their_dimensions():
    """A constant that varies in one dimension is the same along the other; each column is the run of that member."""
    rates = xr.DataArray([1.0, 2.0, 3.0], dims="rate_value")
    starts = xr.DataArray([0.0, 5.0], dims="start")
    model = tiny_model("Stock = INTEG(rate, begin)\nrate = 2\nbegin = 0")
    run = simulate(model, {"rate": rates, "begin": starts})
    said = modelled([_series("Stock", [10], [1]), _series("rate", [10], [1])], run)
    assert sorted(said[0]) == [10, 15, 20, 25, 30, 35]
    assert said.shape == (2, 6)
    assert np.array_equal(np.sort(said[0] - 10 * said[1]), [0, 0, 0, 5, 5, 5])


def test_what_a_run_does_not_hold_is_told():
    """A variable that was not saved, at the place of the series, with the nearest name."""
    run = simulate(GROWTH, save=["Stock"])
    with pytest.raises(ObservationError, match="^tiny.series.csv:2:1: 'slope': 'slope' is not in the run; "):
        modelled([_series("slope", [1], [1])], run)


@pytest.mark.parametrize(("times", "count", "first"), [([-1.0, 5], 1, "-1"), ([5.0, 10.5, 11], 2, "10.5")])
def test_observations_outside_of_the_run_are_told(times: list[float], count: int, first: str):
    """They are not left out unasked; the cure is to bound them."""
    told = f"{count} of the observations of 'Stock' lie outside of the run, the first at {first}; .*since and until"
    with pytest.raises(ObservationError, match=told):
        modelled([_series("Stock", times, times)], simulate(GROWTH))


@given(
    st.sampled_from(KINDS),
    st.floats(0.05, 2),
    st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=1, max_size=6),
)
def test_the_likelihood_is_that_of_scipys_distributions(kind: str, size: float, pairs: list[tuple[float, float]]):
    """Normal for absolute and relative errors, lognormal for log errors, all normalised in the units of the observation."""
    observed, said = np.array(pairs).T
    if kind == "log":
        expected = stats.lognorm.logpdf(observed, size, scale=said).sum()
    else:
        expected = stats.norm.logpdf(observed, said, size * (observed if kind == "relative" else 1)).sum()
    found = log_likelihood([_series("a", range(len(pairs)), observed, kind, size)], said[:, None])
    assert found == pytest.approx([expected], rel=1e-9, abs=1e-9)


def test_residuals_are_in_standard_deviations():
    """Above zero where the observation is higher than the model."""
    said = np.array([[8.0, 10.0]])
    for kind, size, expected in (
        ("absolute", 2, [1, 0]),
        ("relative", 0.1, [2, 0]),
        ("log", 0.5, [2 * math.log(1.25), 0]),
    ):
        assert residuals([_series("a", [0], [10], kind, size)], said)[0] == pytest.approx(expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_is_not_finite_is_impossible(kind: str, value: float):
    """Its likelihood is zero; under a log error so is that of one not above zero."""
    series = [_series("a", [0, 1], [10, 10], kind, 0.5)]
    found = log_likelihood(series, np.array([[10.0, 10.0, 10.0], [10.0, value, 0.0]]))
    assert math.isfinite(found[0])
    assert found[1] == -math.inf
    assert math.isfinite(found[2]) is (kind != "log")


@pytest.mark.parametrize("kind", KINDS)
def test_predictive_draws_have_the_spread_of_the_error_model(kind: str):
    """Their standardised distance from the model is standard normal (Kolmogorov and Smirnov), seeded and repeatable."""
    series = [_series("a", [0, 1], [5, 20], kind, 0.2), _series("b", [2], [3], "absolute", 7)]
    said = np.tile([[4.0], [25.0], [0.0]], (1, 4000))
    drawn = predictive(series, said, 3)
    assert np.array_equal(drawn, predictive(series, said, 3))
    assert not np.array_equal(drawn, predictive(series, said, 4))
    gaps = np.log(drawn[:2] / said[:2]) if kind == "log" else drawn[:2] - said[:2]
    scaled = [*(gaps / series[0].deviations[:, None]), drawn[2] / 7]
    assert all(stats.kstest(each, "norm").pvalue > 1e-3 for each in scaled)


def test_the_table_of_a_single_run_has_the_measures_of_each_series():
    """The measures of the table are those of the comparison; from five observations on also shares and correlation."""
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


def test_the_table_of_an_ensemble_adds_its_spread():
    """Measures are those of the median; CRPS is the mean over observations; draws with errors are wider than members."""
    run, rates = _ensemble()
    times, observed = np.arange(1.0, 7), np.array([3.0, 4, 8, 9, 12, 12])
    (row,) = fit_run(run, [_series("Stock", times, observed)]).rows
    said = 1 + np.outer(times, rates)
    assert row.measures["mae"] == pytest.approx(np.abs(np.median(said, axis=1) - observed).mean())
    assert row.crps == pytest.approx(crps(said, observed).mean())
    assert [each.probability for each in row.bands] == [0.5, 0.9]
    assert all(each.predictive_width > each.width > 0 for each in row.bands)
    assert row.bands[1].width > row.bands[0].width
    assert row.skill < 1


def test_bands_cover_their_nominal_share_of_what_the_ensemble_itself_would_give():
    """Truths drawn as the members are, with errors of the error model: predictive bands hold, those of members are too narrow.

    Over many truths, so that their shares are within four standard errors.
    """
    run, _ = _ensemble(1000)
    truths = np.random.default_rng(5).normal(2, 0.5, 300)
    noise = np.random.default_rng(6).normal(0, 3, 300)
    rows = [fit_run(run, [_series("Stock", [5], [1 + 5 * rate + gap], size=3)]).rows[0] for rate, gap in zip(truths, noise, strict=True)]  # fmt: skip
    for place, nominal in enumerate((0.5, 0.9)):
        error = 4 * math.sqrt(nominal * (1 - nominal) / 300)
        assert np.mean([row.bands[place].predictive_coverage for row in rows]) == pytest.approx(nominal, abs=error)
        assert np.mean([row.bands[place].coverage for row in rows]) < nominal - 0.1


def test_members_that_are_not_finite_are_left_out_and_counted():
    """The others stay as they are; where none is left, the series and the time are told."""
    run, _ = _ensemble(20)
    part = run.isel(member=slice(1, None))
    run["stock"][{"member": 0, "time": 5}] = np.inf
    series = [_series("Stock", [4, 5], [9, 11])]
    table, expected = fit_run(run, series), fit_run(part, series)
    assert (table.members, table.not_finite) == (19, 1)
    assert replace(table.rows[0], measures=expected.rows[0].measures) == expected.rows[0]
    run["stock"][{"time": 5}] = np.nan
    with pytest.raises(ObservationError, match="what the run says of 'Stock' is not finite at 5; .*TIME STEP"):
        fit_run(run, series)


def test_a_stored_ensemble_is_read_block_by_block_to_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However few numbers are read at a time, as from memory."""
    uniform = Variation("rate", (), Distribution("RANDOM_UNIFORM", (1.0, 3.0)))
    design = make_design(GROWTH, Sampling("multivariate", 300, 1, (uniform,)))
    path = run_ensemble(GROWTH, design, tmp_path / "e.zarr", save=["Stock", "slope"])
    series = [_series("Stock*rate", [1.5, 5], [9, 11]), _series("slope", [2], [0])]
    whole = modelled(series, simulate(GROWTH, design.dataset(0, 300)))
    stored = open_run(path)
    assert np.array_equal(modelled(series, stored), whole)
    monkeypatch.setattr("sdmodel.inference.likelihood._NUMBERS", 1)
    assert np.array_equal(modelled(series, stored.assign_attrs(members_in_a_block=64)), whole)


def test_panels_hold_what_a_figure_shows():
    """The median and band edges over the time of the observations, points with one standard deviation either way."""
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


def test_a_large_ensemble_is_thinned_for_a_figure(monkeypatch: pytest.MonkeyPatch):
    """Every so many members are drawn, evenly chosen."""
    run, rates = _ensemble(50)
    monkeypatch.setattr("sdmodel.inference.fitting._NUMBERS", 5 * 10)
    panel = fit_panels(run, [_series("Stock", [2, 6], [5, 12])])["Stock"]
    assert panel.middle.values == pytest.approx(1 + np.median(rates[::5]) * np.arange(2, 7))


def test_a_series_about_a_constant_alone_is_held_against_it():
    """A constant has no time of its own: it is the same at every one."""
    run = simulate(GROWTH, {"rate": [1.0, 4.0]})
    assert modelled([_series("rate", [2, 3.5], [1, 1])], run).tolist() == [[1, 4], [1, 4]]
