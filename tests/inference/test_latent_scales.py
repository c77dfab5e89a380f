"""Latent scales, on which priors are standard normal: they are invertible, and leave the posterior unchanged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.errors import Place
from sdmodel.inference import ErrorModel, Parameter, Series
from sdmodel.inference.likelihood import log_posterior, make_problem
from sdmodel.inference.posterior import latent_log_posterior, latent_of, scales_of, values_at
from sdmodel.model import Cell
from sdmodel.scenario import Distribution
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

PRIORS = [
    None,
    Distribution("RANDOM_NORMAL", (0.0, 10.0, 3.0, 2.0)),
    Distribution("RANDOM_TRIANGULAR", (0.0, 10.0, 0.0, 2.0, 10.0)),
    Distribution("RANDOM_WEIBULL", (0.0, 10.0, 2.0, 0.0, 4.0)),
]
BOUNDS = st.sampled_from([(0.0, 10.0), (1.0, 10.0), (0.5, 6.0)])


def _parameter(prior: Distribution | None, bounds: tuple[float, float]) -> Parameter:
    return Parameter("x", Cell("x"), "", *bounds, 2.0, prior)


@pytest.mark.parametrize("prior", PRIORS)
@given(bounds=BOUNDS, latent=st.lists(st.floats(-5, 5), min_size=1, max_size=5))
def test_scales_map_into_the_bounds_and_back(prior, bounds, latent):
    """In the same order; beyond six standard deviations a place counts as the bound."""
    scales = scales_of([_parameter(prior, bounds)])
    there = values_at(scales, np.array(latent)[:, np.newaxis])
    assert np.all((there >= bounds[0]) & (there <= bounds[1]))
    assert latent_of(scales, there)[:, 0] == pytest.approx(latent, abs=1e-4)
    ends = values_at(scales, np.array([[-40.0], [40.0]]))[:, 0]
    assert ends == pytest.approx(bounds, rel=1e-6)
    assert np.isfinite(latent_of(scales, np.array(bounds)[:, np.newaxis])).all()


@settings(max_examples=20, deadline=None)
@pytest.mark.parametrize("prior", PRIORS)
@given(bounds=BOUNDS)
def test_the_density_over_the_scale_matches_that_of_the_constant(prior, bounds):
    """It is the density of the constant times dx/dz, up to a constant factor."""
    model = tiny_model("y = x + 0*Time\nx = 2")
    series = Series(
        "y", read_formula("y"), "y", np.array([1.0]), np.array([0.9]), ErrorModel("absolute", 2.0), "", Place("s", 1)
    )
    problem = make_problem(model, [series], [_parameter(prior, bounds)])
    scales = scales_of(problem.parameters)
    latent, step = np.linspace(-2, 2, 41)[:, np.newaxis], 1e-4
    slopes = (values_at(scales, latent + step) - values_at(scales, latent - step))[:, 0] / (2 * step)
    expected = log_posterior(problem, values_at(scales, latent)) + np.log(slopes)
    difference = latent_log_posterior(problem, scales, latent) - expected
    assert difference == pytest.approx(np.full(41, difference[20]), abs=1e-3)
