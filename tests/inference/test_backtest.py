"""Back-tests: what is known at a cut, the scores of forecasts, and continuing after an interruption."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from sdmodel.comparison import log_crps, naive_forecasts
from sdmodel.errors import CalibrationError, ObservationError, Place
from sdmodel.inference import (
    ErrorModel,
    ExtraConstants,
    Series,
    backtest_model,
    extra_constants,
    free_constants,
    model_errors,
    published_by,
    score_backtest,
)
from sdmodel.inference.parameters import Equality
from sdmodel.model import Cell
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula, read_sampling

GROWTH = tiny_model("Stock = INTEG(Stock*(rate + twin)/2, 1)\nrate = 0.2\ntwin = 0.2\nother = 1", final=12, step=0.125)
TIMES = np.arange(0.5, 11)
SHORT = {"starts": 2, "steps": 120, "samples": 200}


def _series(rate: float = 0.3, *, size: float = 0.05, noise: int | None = None, lag: float = 0.0) -> Series:
    """Observations of exponential growth, with or without errors."""
    values = np.exp(rate * TIMES)
    if noise is not None:
        values = values * np.exp(np.random.default_rng(noise).normal(0, size, TIMES.size))
    error = ErrorModel("log", size)
    return Series("seen", read_formula("Stock"), "Stock", TIMES, values, error, "kg", Place("example", 1), lag=lag)


@pytest.fixture(scope="module")
def found() -> xr.Dataset:
    """A back-test of growth at three cuts; the observations have errors of the size that the series states."""
    return backtest_model(
        GROWTH, [_series(noise=4)], free_constants(GROWTH, ["rate=0:0.8", "twin=0:0.8"]), [3, 5, 7], **SHORT
    )


def test_only_what_was_published_by_the_cut_is_known():
    """The lag of a series counts; nothing published is nothing."""
    known = published_by(_series(lag=1.25), 4.0)
    assert known is not None
    assert known.times.tolist() == [0.5, 1.5, 2.5]
    assert published_by(_series(lag=4), 4.0) is None


def test_forecasts_are_made_of_what_was_not_known(found: xr.Dataset):
    """Each cut forecasts exactly the later observations."""
    forecast = np.isfinite(found["draws"].values).all(axis=2)
    assert forecast.tolist() == [[time > cut for time in TIMES] for cut in (3, 5, 7)]
    assert np.isfinite(found["path"].values).all()
    assert found["done"].values.tolist() == [1, 1, 1]


def test_a_model_that_is_right_beats_the_last_value_and_its_bands_hold(found: xr.Dataset):
    """Scores are near those of the known errors; PIT and coverage are near what they should be."""
    scores = score_backtest(found, horizons=(1, 3))
    whole = scores[-1]
    assert (whole.series, whole.horizon, whole.count) == ("all series", "all", 8 + 6 + 4)
    assert whole.log_crps < 0.1 < whole.trend
    assert whole.log_crps < whole.trend < whole.persistence
    assert whole.coverage[1] >= 0.8
    assert 0.2 < whole.pit < 0.8
    assert [score.horizon for score in scores if score.series == "seen"] == ["1", "3", "> 3", "all"]
    assert sum(score.count for score in scores if score.series == "seen" and score.horizon != "all") == whole.count


def test_forecasts_without_a_trend_score_as_the_naive_ones_do():
    """Draws that all equal the last value have its score; the trend of exact growth has none."""
    series = _series()
    found = backtest_model(
        GROWTH, [series], free_constants(GROWTH, ["rate=0:0.8"]), [4], starts=1, steps=20, samples=10
    )
    last = series.values[3]
    draws = np.where(np.isfinite(found["draws"]), last, np.nan)
    flat = score_backtest(found.assign(draws=(found["draws"].dims, draws)))[-1]
    assert flat.log_crps == pytest.approx(flat.persistence)
    assert flat.persistence == pytest.approx(float(np.mean(0.3 * (TIMES[4:] - TIMES[3]))))
    assert flat.trend == pytest.approx(0, abs=1e-12)
    assert flat.bias == pytest.approx(flat.persistence)
    assert (flat.coverage, flat.pit) == ((0, 0), 1)


def test_model_error_comes_from_the_other_cuts(found: xr.Dataset):
    """A forecast that is always off by a factor lies outside its own band, and inside the one that the other cuts widen."""
    off = found.assign(draws=found["draws"] * 1.6)
    scores = score_backtest(off, horizons=(20,))
    assert scores[-1].coverage[1] < 0.3
    assert scores[-1].coverage_with_error[1] > 0.7
    (row,) = model_errors(off, horizons=(20,))
    assert (row.series, row.formula, row.last, row.horizon) == ("seen", "Stock", 10.5, 20)
    assert row.count == scores[-1].count
    assert row.error == pytest.approx(math.log(1.6), abs=0.1)
    alone = off.isel(cut=[0])
    assert score_backtest(alone)[-1].coverage_with_error == score_backtest(alone)[-1].coverage


def test_an_interrupted_backtest_continues_to_the_same_numbers(found: xr.Dataset):
    """The checkpoint after the first cut is enough; another setting is refused."""
    stored: list[xr.Dataset] = []

    def stop(so_far: xr.Dataset) -> None:
        stored.append(so_far.copy(deep=True))
        raise KeyboardInterrupt

    free = free_constants(GROWTH, ["rate=0:0.8", "twin=0:0.8"])
    with pytest.raises(KeyboardInterrupt):
        backtest_model(GROWTH, [_series(noise=4)], free, [3, 5, 7], checkpoint=stop, **SHORT)
    assert stored[0]["done"].values.tolist() == [1, 0, 0]
    with ThreadPoolExecutor(1) as executor:  # which any processes may do
        again = backtest_model(GROWTH, [_series(noise=4)], free, [3, 5, 7], known=stored[0], executor=executor, **SHORT)
    for name in ("draws", "path", "done"):
        np.testing.assert_array_equal(again[name].values, found[name].values)
    with pytest.raises(CalibrationError, match="another model, other data or other settings; start again with --force"):
        backtest_model(GROWTH, [_series(noise=5)], free, [3, 5, 7], known=stored[0], **SHORT)


def test_equal_constants_move_together():
    """A constant that equals a free one halves the uncertainty of neither: the sum is what the data say."""
    ties = (Equality(Cell("twin"), Cell("rate")),)
    tied = backtest_model(
        GROWTH, [_series()], free_constants(GROWTH, ["rate=0:0.8"]), [6], extra=ExtraConstants(equal=ties), **SHORT
    )
    middle = np.median(tied["draws"].values[0, TIMES > 6], axis=1)
    assert middle == pytest.approx(np.exp(0.3 * TIMES[TIMES > 6]), rel=0.06)


def test_constants_beyond_the_posterior_are_sampled_in_the_forecasts(tmp_path):
    """They widen the forecasts by what they do, and take no part in the calibration."""
    (tmp_path / "beyond.vsc").write_text("99,L,1,,0\ntwin=RANDOM_UNIFORM(0.1,0.3)\n", "utf-8")
    free = free_constants(GROWTH, ["rate=0:0.8"])
    extra = extra_constants(GROWTH, free, read_sampling(tmp_path / "beyond.vsc"))
    later = TIMES > 6
    plain, wide = (
        backtest_model(GROWTH, [_series(size=0.01)], free, [6], extra=given, **SHORT)["draws"].values[0, later]
        for given in (None, extra)
    )
    added = np.log(wide).var(axis=1) - np.log(plain).var(axis=1)
    assert added == pytest.approx((TIMES[later] / 2) ** 2 * 0.2**2 / 12, rel=0.2)
    assert np.log(np.median(wide, axis=1)) == pytest.approx(np.log(np.median(plain, axis=1)), abs=0.1)


def test_what_cannot_be_back_tested_is_refused():
    """No cut, nothing before or after it, observations without a logarithm."""
    free = free_constants(GROWTH, ["rate=0:0.8"])
    for cuts, message in (
        ([], "no cuts"),
        ([0.1], "nothing was published before"),
        ([11], "nothing was published after"),
    ):
        with pytest.raises(CalibrationError, match=message):
            backtest_model(GROWTH, [_series()], free, cuts, **SHORT)
    below = replace(_series(), values=-_series().values)
    with pytest.raises(ObservationError, match=r"'seen' is not above zero at 0\.5, and scores compare logarithms"):
        backtest_model(GROWTH, [below], free, [5], **SHORT)


def test_naive_forecasts_and_logarithmic_scores():
    """Closed values; without a logarithm there is no score."""
    assert naive_forecasts(np.array([1.0, 2.0]), np.array([2.0, 4.0]), 4) == pytest.approx((math.log(4), math.log(16)))
    assert naive_forecasts(np.array([2.0]), np.array([4.0]), 4) == pytest.approx((math.log(4), math.log(4)))
    assert np.isnan(naive_forecasts(np.array([]), np.array([]), 4)).all()
    scores = log_crps(np.array([[2.0, 2.0], [1.0, 4.0], [1.0, 1.0]]), np.array([4.0, 2.0, -1.0]))
    assert scores[:2] == pytest.approx([math.log(2), math.log(2) - math.log(4) / 4])
    assert np.isnan(scores[2])
