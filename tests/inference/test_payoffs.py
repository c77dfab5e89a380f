"""Vensim's payoffs as series: the same sums of squares, or a fault with its cure."""

from __future__ import annotations

import numpy as np
import pytest

from sdmodel.errors import ObservationError
from sdmodel.inference import read_observations, residuals, series_from_payoff
from sdmodel.model import evaluate_arrays
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_payoff

MODEL = tiny_model("Stock = INTEG(rate, 1)\nrate = 2\nscale = 0.5\nsquare = scale*scale", final=10)
OBSERVATIONS = "series,date,value\nseen,1,3.5\nseen,2,5.5\nseen,12,9\nother,2,2\n"


@pytest.fixture
def observed(tmp_path):
    """A few observations, one of them after the end of the run."""
    path = tmp_path / "observed.csv"
    path.write_text(OBSERVATIONS)
    return read_observations(path)


def _series(tmp_path, observed, text: str):
    path = tmp_path / "payoff.vpd"
    path.write_text(text)
    return series_from_payoff(read_payoff(path), observed, MODEL)


@pytest.mark.parametrize(
    ("kind", "weight", "deviation"),
    [
        ("*C", "2", 0.5),
        ("*CALIBRATION", "0.1", 10),
        ("*CK", "9", 3),
        ("*CL", "4", 0.25),
        ("*C", "scale", 2),
        ("*C", "(1/scale)", 0.5),
    ],
)
def test_a_weight_is_an_inverse_standard_deviation(tmp_path, observed, kind, weight, deviation):
    """A squared residual is what Vensim adds to its payoff, ((model - data) weight)^2; for *CK the weight is a variance."""
    (found,) = _series(tmp_path, observed, f"{kind}\nStock|seen/{weight}\n")
    assert found.times.tolist() == [1, 2]
    assert found.deviations == pytest.approx(np.full(2, deviation))
    modelled = np.array([[3.0], [5.0]])
    difference = np.log([3.5, 5.5]) - np.log([3, 5]) if kind == "*CL" else np.array([0.5, 0.5])
    assert residuals([found], modelled)[:, 0] == pytest.approx(difference / deviation)


def test_terms_of_several_kinds_become_several_series(tmp_path, observed):
    """Both sides may be formulas."""
    found = _series(tmp_path, observed, "*C\nStock|seen/2\n*CL\nStock/2|other/3\n")
    assert [(series.name, series.error.kind) for series in found] == [("Stock", "absolute"), ("Stock/2", "log")]
    assert evaluate_arrays(found[1].model, lambda *_: np.array([8.0])).tolist() == [4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*P\nStock/1\n", "payoff.vpd:2:1: *P is not a sum of squares over data; calibration needs data"),
        ("*CR\nStock|seen/1\n", "payoff.vpd:2:1: *CR is not a sum of squares over data; write one of *C, *CL, *CK"),
        ("*C\nStock|seen/0\n", "the weight '0' is 0; write a number above 0"),
        ("*C\nStock|seen/Stock\n", "the weight 'Stock' depends on 'stock', which is not a constant"),
        ("*C\nStick|seen/1\n", "'Stick' is not in the model; did you mean 'Stock'?"),
        ("*C\nStock|sean/1\n", "'sean' is not a series"),
    ],
)
def test_terms_that_are_not_likelihoods_are_reported(tmp_path, observed, text, message):
    """One line per term, with its place."""
    with pytest.raises(ObservationError) as caught:
        _series(tmp_path, observed, text)
    assert message.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)
