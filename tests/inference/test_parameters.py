"""Free constants: which they are, their bounds, and their priors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import CalibrationError, ScenarioError
from sdmodel.inference import Parameter, free_constants
from sdmodel.inference.parameters import causes, real_points, unit_points
from sdmodel.model import Cell
from sdmodel.scenario import DISTRIBUTIONS, Distribution, FreeConstant, Sampling, Scenario, Variation
from sdmodel.vensim import model_from_text, read_change

MODEL = model_from_text(
    """{UTF-8}
region: north, south ~ ~ |
Stock = INTEG(rate - Stock/lifetime, start) ~ ~ |
other = 3*elsewhere ~ ~ |
rate = 2 ~ 1/Year [0,10] ~ |
open = 1 ~ [0,?] ~ |
fixed == 4 ~ [0,10] ~ |
odd[region] = 1, 2 ~ [0,5] ~ |
far = 50 ~ [1,10] ~ |
"in = quotes" = 1 ~ [0,2] ~ |
********************************************************
	.Uncertainties
********************************************************~
	|
lifetime = 5 ~ Year [1,20] ~ |
start = 7 ~ ~ |
elsewhere = 1 ~ [0,2] ~ |
********************************************************
	.Control
********************************************************~
	|
INITIAL TIME = 0 ~ ~ |
FINAL TIME = 10 ~ ~ |
TIME STEP = 1 ~ ~ |
SAVEPER = 1 ~ ~ |
""",
    "model.mdl",
)
PRIORS = {
    "RANDOM_UNIFORM": (0, 10),
    "RANDOM_NORMAL": (0, 10, 4, 2),
    "RANDOM_TRIANGULAR": (0, 10, -1, 3, 12),
    "RANDOM_BETA": (0, 10, 2, 3, 0, 10),
    "RANDOM_EXPONENTIAL": (0, 10, 0, 3),
    "RANDOM_GAMMA": (0, 10, 2, 0, 2),
    "RANDOM_WEIBULL": (0, 10, 2, 0, 4),
}


def _bounds(*texts: str, **options) -> dict[str, tuple[float, float]]:
    return {own.name: (own.low, own.high) for own in free_constants(MODEL, texts, **options)}


def _prior(name: str, *arguments: float) -> Sampling:
    return Sampling("multivariate", variations=(Variation("rate", (), Distribution(name, arguments)),))


def test_bounds_are_the_given_ones_or_those_of_the_model():
    """The range in the units field is the default; the command line overrides it."""
    assert _bounds("rate", "LIFETIME = 2 : 8") == {"rate": (0, 10), "lifetime": (2, 8)}


def test_equals_signs_inside_quotes_belong_to_the_name():
    """With bounds after it or without."""
    (bounds,) = _bounds('"in = quotes"').values()
    assert bounds == (0, 2)
    (bounds,) = _bounds('"in = quotes"=0:3').values()
    assert bounds == (0, 3)


def test_an_optimisation_file_gives_bounds_and_starts():
    """Missing bounds are the model's, and the command line overrides the file."""
    listed = (FreeConstant("rate", low=1.0, initial=3.0, high=4.0), FreeConstant("lifetime", low=2.0))
    found = {own.name: own for own in free_constants(MODEL, ["rate=0:9"], listed=listed)}
    assert (found["rate"].low, found["rate"].high, found["rate"].initial) == (0, 9, 2)
    assert (found["lifetime"].low, found["lifetime"].high) == (2, 20)
    assert free_constants(MODEL, listed=listed)[0].initial == 3


def test_each_cell_of_an_array_is_free_separately():
    """A name without labels means all cells."""
    assert _bounds("odd") == {"odd[north]": (0, 5), "odd[south]": (0, 5)}
    assert _bounds("odd[South]=1:3") == {"odd[south]": (1, 3)}


def test_uncertainties_that_a_series_depends_on_are_free_by_default():
    """Not those without a complete range, or on which no series depends."""
    assert _bounds(moving=["stock"]) == {"lifetime": (1, 20)}
    assert _bounds(moving=["other"]) == {"elsewhere": (0, 2)}


def test_constants_with_a_prior_are_free_by_default():
    """A sensitivity file names what is uncertain."""
    assert _bounds(prior=_prior("RANDOM_NORMAL", 1, 6, 4, 2)) == {"rate": (1, 6)}


def test_a_prior_narrows_the_bounds():
    """Its density is zero elsewhere."""
    assert _bounds("rate=2:50", prior=_prior("RANDOM_NORMAL", 0, 6, 4, 2)) == {"rate": (2, 6)}


def test_constants_start_where_the_scenario_sets_them():
    """The model is calibrated with these changes."""
    scenario = Scenario("", (read_change("rate = 9"),))
    assert free_constants(MODEL, ["rate"], scenario=scenario)[0].initial == 9


def test_causes_include_flows_and_initial_values():
    """Everything that a variable depends on."""
    assert causes(MODEL, ["stock"]) == {"stock", "rate", "lifetime", "start"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["rat"], "--free: 'rat' is not in the model; did you mean 'rate'?"),
        (["rate=5:2"], "'rate' has the bounds 5 to 2; write the lower one first"),
        (["rate=2:2"], "'rate' has the bounds 2 to 2"),
        (["rate=3:8"], "'rate' starts at 2, outside its bounds 3 to 8; widen them"),
        (["far"], "'far' starts at 50, outside its bounds 1 to 10"),
        (["fixed"], "'fixed' is unchangeable (==)"),
        (["open"], "'open' has no range [low,high] in the model; write --free \"open=low:high\""),
        (["Stock=0:1"], "'Stock' is a stock, not a constant"),
        (["rate=a:b"], "has bounds that are not numbers"),
        (["rate=5"], "'rate=5' has no bounds; write \"rate=low:high\""),
        (["rate=0:inf"], "'rate' has bounds that are not finite"),
        (["rate=nan:1"], "'rate' has bounds that are not finite"),
        (["rate=-1e308:1e308"], "'rate' has bounds that are not finite, or too far apart"),
        (['"share = odd"=1'], "'\"share = odd\"=1' has no bounds"),
        (["rate", "RATE=0:5"], "'rate' is named twice"),
        (["odd[east]"], "east"),
    ],
)
def test_constants_that_cannot_be_free_are_reported(texts, message):
    """One line per constant, with what to do."""
    with pytest.raises(ScenarioError) as caught:
        free_constants(MODEL, texts)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faulty_constants_are_reported_together():
    """Nobody wants to fix them one at a time."""
    with pytest.raises(ScenarioError) as caught:
        free_constants(MODEL, ["rat", "rate=5:2", "fixed"])
    assert len(caught.value.faults) == 3


def test_no_free_constant_is_reported():
    """If no series depends on an uncertainty."""
    with pytest.raises(CalibrationError, match="no constant is free; name some with --free"):
        free_constants(MODEL, moving=["open"])


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS))
def test_every_distribution_is_a_prior_or_is_rejected(name):
    """Densities are priors; discrete distributions and missing tables are not."""
    if name in PRIORS:
        found = free_constants(MODEL, prior=_prior(name, *PRIORS[name]))[0]
        values = np.linspace(0, 10, 200_001)[1:-1]
        density = np.exp(found.log_density(values))
        assert np.trapezoid(density, values) == pytest.approx(1, abs=1e-3)
        mean = np.trapezoid(values * density, values)
        assert found.spread() == pytest.approx(np.sqrt(np.trapezoid((values - mean) ** 2 * density, values)), rel=5e-3)
        assert np.isneginf(found.log_density(np.array([-1.0, 11.0]))).all()
    else:
        arguments = {"RANDOM_LOOKUP": (0, 10, 0, 1), "RANDOM_POISSON": (0, 10, 4, 0, 1)}.get(
            name, (0, 10, 0.5, 6, 0, 1)
        )
        lookup = "table" if name == "RANDOM_LOOKUP" else ""
        variation = Variation("rate", (), Distribution(name, arguments, lookup))
        with pytest.raises(ScenarioError, match="the prior of 'rate' has no density"):
            free_constants(MODEL, prior=Sampling("multivariate", variations=(variation,)))


def test_all_densities_are_tested():
    """A density added to the table needs a case above."""
    assert set(PRIORS) < set(DISTRIBUTIONS)


@given(st.floats(1e-3, 1e3), st.floats(1.01, 1e6), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_shares_and_values_convert_both_ways(low, ratio, shares):
    """On either scale; the bounds are exact."""
    parameter = Parameter("x", Cell("x"), "", low, low * ratio, low)
    points = np.array([*shares, 0.0, 1.0])[:, np.newaxis]
    values = real_points([parameter], points)
    assert values[-2:, 0].tolist() == [parameter.low, parameter.high]
    assert np.all((values >= parameter.low) & (values <= parameter.high))
    assert unit_points([parameter], values) == pytest.approx(points, abs=1e-9)
    assert parameter.logarithmic == (low * ratio / low >= 100)


def test_flagship_series_depend_on_uncertainties(project: Path):
    """The command's default finds free constants."""
    from sdmodel.reading import read_model

    found = free_constants(read_model(project / "models" / "ai_compute.mdl"), moving=["active_users", "chips_sold_tdp"])
    assert found
    assert all(own.low < own.high for own in found)
