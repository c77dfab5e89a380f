"""The error of forecasts: its file, and bands that include it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from sdmodel.comparison import quantiles
from sdmodel.dataset import MODEL_ERROR
from sdmodel.errors import ObservationError
from sdmodel.inference import MeasuredError, errors_text, find_errors_file, read_errors, widen_bands
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

ERRORS = (
    MeasuredError("sales, world", "Stock", 2.0, 0.5, 4, 0.3),
    MeasuredError("sales, world", "Stock", 2.0, 1.0, 3, 0.2),
    MeasuredError("sales, world", "Stock", 2.0, math.inf, 2, 0.4),
    MeasuredError("both", "Stock*2", 2.0, 1.0, 2, 5.0),
    MeasuredError("north", "By Region[north]", 1.0, 1.0, 2, 0.5),
)
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]


@pytest.fixture(scope="module")
def found() -> xr.Dataset:
    """Quantiles of an ensemble of growth, for a stock and an array."""
    model = tiny_model(
        "Region: north, south\nStock = INTEG(Stock*rate, 100)\nrate = 0.1\nBy Region[Region] = Stock\nother = Stock - 200",
        final=6,
    )
    run = simulate(model, {"rate": np.linspace(0, 0.2, 41)})
    return quantiles(run, ["Stock", "By Region", "other"], LEVELS)


def test_the_file_is_read_as_it_was_written(tmp_path: Path):
    """Names with commas and the open last horizon survive; the file is found beside its model."""
    path = tmp_path / "m.error.csv"
    assert find_errors_file(tmp_path / "m.mdl") is None
    path.write_text(errors_text(ERRORS), "utf-8")
    assert read_errors(path) == ERRORS
    assert find_errors_file(tmp_path / "m.mdl") == path


def test_faults_in_the_file_have_places(tmp_path: Path):
    """Every line that is wrong is listed."""
    path = tmp_path / "m.error.csv"
    path.write_text("series,model,last,horizon,forecasts,error\na,Stock,2025,x,3,0.1\nb,Stock,2025,1,3,-1\n", "utf-8")
    with pytest.raises(ObservationError) as error:
        read_errors(path)
    faults = [str(fault).removeprefix(f"{path}:") for fault in error.value.faults]
    assert faults[0].startswith("2:14: 'x' is not a number")
    assert faults[1].startswith("3:18: the error is -1")


def test_bands_widen_by_the_error_at_each_horizon(found: xr.Dataset):
    """On a logarithmic scale, by the root of the sum of squares; the past, the median and what has no error stay."""
    wide = widen_bands(found, ERRORS, "m.error.csv")
    before, after = found["Stock"].transpose("probability", "time"), wide["Stock"].transpose("probability", "time")
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    np.testing.assert_allclose(after[2], before[2], rtol=1e-15)
    for place, error in (
        (3, 0.3),
        (4, 0.4),
        (6, 0.4),
    ):  # at most a year ahead, where an earlier error was larger; beyond
        distances = np.log(before[:, place] / before[2, place])
        expected = np.sign(distances) * np.sqrt(distances**2 + (norm.ppf(LEVELS) * error) ** 2)
        np.testing.assert_allclose(np.log(after[:, place] / after[2, place]), expected, atol=1e-12)
    assert after.attrs[MODEL_ERROR] == "m.error.csv"
    assert MODEL_ERROR not in wide["other"].attrs


def test_of_two_series_about_one_variable_the_later_counts(found: xr.Dataset):
    """Their errors are not added up."""
    older = MeasuredError("sales of a year", "Stock", 1.0, math.inf, 9, 2.0)
    both, alone = (widen_bands(found, errors, "m.error.csv") for errors in ((older, *ERRORS), ERRORS))
    np.testing.assert_array_equal(both["Stock"], alone["Stock"])


def test_an_error_of_one_label_widens_that_label_alone(found: xr.Dataset):
    """A series of an array is about one of its labels."""
    wide = widen_bands(found, ERRORS, "m.error.csv")
    before, after = found["By Region"], wide["By Region"]
    labels = {dim: list(after[dim].values) for dim in after.dims if dim not in ("time", "probability")}
    (dim,) = labels
    assert not np.allclose(after.sel({dim: "north"}), before.sel({dim: "north"}))
    np.testing.assert_array_equal(after.sel({dim: "south"}), before.sel({dim: "south"}))


def test_what_is_not_above_zero_stays():
    """A band that reaches zero has no logarithm there."""
    model = tiny_model("Stock = INTEG(rate, 1)\nrate = 0", final=4)
    found = quantiles(simulate(model, {"rate": np.linspace(-1, 1, 11)}), ["Stock"], LEVELS)
    wide = widen_bands(found, ERRORS, "m.error.csv")
    low = wide["Stock"].sel(probability=0.05)
    assert np.isfinite(wide["Stock"]).all()
    np.testing.assert_array_equal(low, found["Stock"].sel(probability=0.05))
