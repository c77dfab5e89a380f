"""Errors that are correlated in time, compared with the dense normal density, closed forms, and independent errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from sdmodel.errors import ObservationError, Place
from sdmodel.inference import (
    ErrorModel,
    Series,
    calibrate_model,
    free_constants,
    log_likelihood,
    predictive_draws,
    read_observations,
    read_series,
    residuals,
)
from sdmodel.inference.likelihood import log_posterior, residuals_at, standardised
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

KINDS = st.sampled_from(["absolute", "relative", "log"])
MODEL = tiny_model("Chips Sold = INTEG(shipping, 0)\nshipping = 2", initial=2020, final=2030)


def series_of(times, values, error: ErrorModel) -> Series:
    """A series that no file describes."""
    return Series("y", read_formula("y"), "y", np.array(times), np.array(values), error, "", Place("s.csv", 2))


POINTS = st.tuples(
    st.lists(st.tuples(st.floats(0.02, 3), st.floats(0.5, 50)), min_size=1, max_size=7),
    KINDS,
    st.floats(0.05, 2),
    st.floats(0.1, 5),
)
"""Time steps with values, and an error model."""


def correlated(points) -> Series:
    """A series of any kind with points at uneven times."""
    rows, *error = points
    steps, values = zip(*rows, strict=True)
    return series_of(2020 + np.cumsum(steps), values, ErrorModel(*error))


def _dense(series: Series, modelled: np.ndarray) -> float:
    """The density of the observations from their covariance matrix."""
    distances = np.abs(series.times[:, np.newaxis] - series.times)
    covariance = np.exp(-distances / series.error.correlation) * np.outer(series.deviations, series.deviations)
    if series.error.kind == "log":
        return (
            multivariate_normal.logpdf(np.log(series.values), np.log(modelled), covariance)
            - np.log(series.values).sum()
        )
    return float(multivariate_normal.logpdf(series.values, modelled, covariance))


@settings(deadline=None)
@given(POINTS, POINTS, st.integers(0, 1000))
def test_the_likelihood_matches_the_dense_normal_density(one, other, seed):
    """For two series together, and several members."""
    one, other = correlated(one), correlated(other)
    modelled = np.random.default_rng(seed).uniform(0.5, 50, (one.times.size + other.times.size, 3))
    cut = one.times.size
    expected = [_dense(one, member[:cut]) + _dense(other, member[cut:]) for member in modelled.T]
    assert log_likelihood([one, other], modelled) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_two_points_have_the_bivariate_normal_density():
    """-ln(2 pi s^2 sqrt(1 - r^2)) - (a^2 - 2 r a b + b^2)/(2 (1 - r^2)), r = exp(-dt/tau)."""
    series = series_of([1.0, 1.5], [3.0, 4.0], ErrorModel("absolute", 2.0, 0.7))
    r, a, b = np.exp(-0.5 / 0.7), (3 - 1) / 2, (4 - 5) / 2
    expected = -np.log(2 * np.pi * 4 * np.sqrt(1 - r**2)) - (a * a - 2 * r * a * b + b * b) / (2 * (1 - r**2))
    assert log_likelihood([series], np.array([[1.0], [5.0]])) == pytest.approx([expected])


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.floats(0.2, 4))
def test_the_variance_of_a_mean_accounts_for_correlation(count, correlation):
    """It is s^2 (1 + r)/(n - (n - 2) r) for an AR(1) process, not s^2/n, in the search and in the posterior."""
    model = tiny_model("y = base + 0*Time\nbase = 1")
    series = series_of(np.linspace(0.5, 9.5, count), np.full(count, 1.2), ErrorModel("absolute", 0.5, correlation))
    found = calibrate_model(model, [series], free_constants(model, ["base=-1000:1000"]), starts=2)
    r = np.exp(-9 / (count - 1) / correlation)
    expected = 0.25 * (1 + r) / (count - (count - 2) * r)
    assert found.identification.covariance[0, 0] == pytest.approx(expected, rel=1e-3)
    points = np.array([[1.2], [1.2 + np.sqrt(expected)]])
    best, away = log_posterior(found.problem, points)
    assert best - away == pytest.approx(0.5, rel=1e-6)
    costs = 0.5 * np.sum(residuals_at(found.problem, points) ** 2, axis=0)
    assert costs[1] - costs[0] == pytest.approx(0.5, rel=1e-6)


@given(POINTS, st.integers(0, 1000))
def test_independent_errors_follow_the_plain_formulas_exactly(points, seed):
    """To the last bit: the code for correlation changes nothing."""
    series = correlated(points)
    plain = replace(series, error=replace(series.error, correlation=0.0))
    modelled = np.random.default_rng(seed).uniform(0.5, 50, (plain.times.size, 3))
    errors = standardised([plain], modelled)
    assert np.array_equal(residuals([plain], modelled), errors)
    scale = plain.deviations * (plain.values if plain.error.kind == "log" else 1)
    constant = 0.0 - (float(np.sum(np.log(scale))) + 0.5 * np.log(2 * np.pi) * plain.times.size)
    assert np.array_equal(log_likelihood([plain], modelled), constant - 0.5 * np.sum(errors * errors, axis=0))
    spread = plain.deviations[:, np.newaxis] * np.random.default_rng(seed).standard_normal(modelled.shape)
    draws = modelled * np.exp(spread) if plain.error.kind == "log" else modelled + spread
    assert np.array_equal(predictive_draws([plain], modelled, seed), draws)


@settings(max_examples=20, deadline=None)
@given(POINTS, st.integers(0, 1000))
def test_draws_have_the_correlation_of_their_errors(points, seed):
    """And each has one standard deviation."""
    series = correlated(points)
    modelled = np.repeat(series.values[:, np.newaxis], 8000, axis=1)
    draws = predictive_draws([series], modelled, seed)
    assume(np.all(draws > 0) or series.error.kind != "log")
    noise = np.log(draws / modelled) if series.error.kind == "log" else draws - modelled
    errors = noise / series.deviations[:, np.newaxis]
    distances = np.abs(series.times[:, np.newaxis] - series.times)
    assert np.cov(errors).reshape(distances.shape) == pytest.approx(
        np.exp(-distances / series.error.correlation), abs=0.09
    )


def test_repeated_times_of_a_correlated_series_are_rejected():
    """Their errors would be equal, so there is no density; independent errors may repeat a time."""
    with pytest.raises(ObservationError) as caught:
        series_of([1.0, 2.0, 2.0], [1.0, 1.0, 1.1], ErrorModel("absolute", 1.0, 0.5))
    assert str(caught.value).startswith(
        "s.csv:2:1: 'y' has correlated errors and a repeated or earlier time at 2; keep one"
    )
    series_of([1.0, 2.0, 2.0], [1.0, 1.0, 1.1], ErrorModel("absolute", 1.0))


@pytest.fixture
def read(tmp_path: Path):
    """Reads a mapping with a column `correlation`."""
    rows = "".join(f"gpu,202{year}-01-01,{10 + year},MW\n" for year in range(4))
    (tmp_path / "data.csv").write_text("series,date,value,unit\n" + rows, "utf-8")
    observations = read_observations(tmp_path / "data.csv")

    def reading(lines: str, columns: str = "name,model,data,error,size,correlation,since,until"):
        (tmp_path / "m.series.csv").write_text(f"{columns}\n{lines}", "utf-8")
        try:
            return read_series(tmp_path / "m.series.csv", observations, MODEL)
        except ObservationError as error:
            return [str(fault).replace(f"{tmp_path}/", "") for fault in error.faults]

    return reading


def test_a_mapping_has_correlation_times(read):
    """For all rows of one name, sorted by time; an empty entry and a missing column mean independent errors."""
    (series,) = read("a,Chips Sold,gpu+1,log,0.2,1.5,2022,\na,Chips Sold,gpu,log,0.2,1.5,,2021-12-31\n")
    assert series.error == ErrorModel("log", 0.2, 1.5)
    assert series.times.tolist() == [2020, 2021, 2022, 2023]
    (empty,) = read("a,Chips Sold,gpu,log,0.2,,,\n")
    (absent,) = read("a,Chips Sold,gpu,log,0.2\n", "name,model,data,error,size")
    assert empty.error == absent.error == ErrorModel("log", 0.2)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "a,Chips Sold,gpu,log,1,0,,\n",
            "m.series.csv:2:24: the correlation time of the errors is 0; write a number above",
        ),
        ("a,Chips Sold,gpu,log,1,-2,,\n", "m.series.csv:2:24: the correlation time of the errors is -2; "),
        ("a,Chips Sold,gpu,log,1,long,,\n", "m.series.csv:2:24: 'long' is not a number; "),
        (
            "a,Chips Sold,gpu,log,1,2,,2021\na,Chips Sold,gpu,log,1,3,2022,\n",
            "m.series.csv:3:1: 'a' has another model, error or lag in line 2; ",
        ),
    ],
)
def test_faulty_correlation_times_are_reported(read, lines, message):
    """With their place and what to do."""
    assert read(lines)[0].startswith(message)
