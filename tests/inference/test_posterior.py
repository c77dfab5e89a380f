"""The posterior: closed solutions, convergence checks, and chains that resume exactly."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sdmodel.errors import CalibrationError, Place
from sdmodel.inference import (
    Calibration,
    Chain,
    ErrorModel,
    Series,
    calibrate_model,
    default_walkers,
    free_constants,
    posterior_draws,
    read_chain,
    sample_posterior,
    write_chain,
)
from sdmodel.inference.posterior import judge, sample, starting_points
from sdmodel.scenario import Distribution, Sampling, Variation
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

LINE = tiny_model("y = base + slope*Time\nbase = 1\nslope = 1\nidle = 3", step=0.5)
TIMES = np.array([0.25, 1.0, 3.5, 6.25, 9.75])
OBSERVED = np.array([3.1, 4.7, 10.2, 15.4, 22.9])
MARKS = {"model": "one", "seed": "1"}


@pytest.fixture(scope="module")
def found() -> Calibration:
    """A line through five points, and a constant without effect that has a triangular prior."""
    series = Series("y", read_formula("y"), "y", TIMES, OBSERVED, ErrorModel("absolute", 0.8), "", Place("s", 1))
    triangle = Variation("idle", (), Distribution("RANDOM_TRIANGULAR", (0, 10, 0, 2, 10)))
    prior = Sampling("multivariate", variations=(triangle,))
    free = free_constants(LINE, ["base=-40:40", "slope=-20:20", "idle"], prior=prior)
    return calibrate_model(LINE, [series], free, starts=8)


def test_a_linear_model_has_a_normal_posterior(found):
    """Means, deviations, correlation and quantiles agree as far as the effective draws allow; without data the prior stays."""
    posterior = sample_posterior(found, steps=1000, walkers=32).posterior
    assert posterior is not None
    assert not posterior.doubts
    design = np.column_stack([np.ones(5), TIMES])
    covariance = np.linalg.inv(design.T @ design / 0.8**2)
    means = covariance @ design.T @ OBSERVED / 0.8**2
    deviations = np.sqrt(np.diag(covariance))
    for marginal, mean, deviation in zip(posterior.marginals[:2], means, deviations, strict=True):
        error = deviation / np.sqrt(marginal.ess_bulk)
        assert marginal.mean == pytest.approx(mean, abs=3 * error)
        assert marginal.sd == pytest.approx(deviation, rel=0.1)
        assert (marginal.low, marginal.high) == pytest.approx(
            (mean - 1.645 * deviation, mean + 1.645 * deviation), abs=0.15 * deviation
        )
    assert posterior.correlations[0, 1] == pytest.approx(covariance[0, 1] / deviations.prod(), abs=0.05)
    idle = posterior.marginals[2]
    expected = Distribution("RANDOM_TRIANGULAR", (0, 10, 0, 2, 10)).quantile(np.array([0.05, 0.5, 0.95]))
    assert (idle.low, idle.median, idle.high) == pytest.approx(expected, abs=0.4)
    assert abs(idle.gain) < 0.15
    assert posterior.marginals[0].gain > 0.99


def test_a_bimodal_posterior_has_the_weights_of_its_modes():
    """A square is observed, and a normal prior prefers one of its roots."""
    model = tiny_model("y = x^2 + 0*Time\nx = 0.5")
    prior = Sampling(
        "multivariate", variations=(Variation("x", (), Distribution("RANDOM_NORMAL", (-2.0, 2.0, 0.5, 1.0))),)
    )
    series = Series("y", read_formula("y"), "y", TIMES, np.ones(5), ErrorModel("absolute", 0.4), "", Place("s", 1))
    found = calibrate_model(model, [series], free_constants(model, prior=prior))
    posterior = sample_posterior(found, steps=1500, walkers=32).posterior
    assert posterior is not None
    assert not posterior.doubts
    grid = np.linspace(-2, 2, 4001)
    density = np.exp(-0.5 * 5 * ((grid**2 - 1) / 0.4) ** 2 - 0.5 * (grid - 0.5) ** 2)
    below = density[grid < 0].sum() / density.sum()
    assert 0.2 < below < 0.4
    assert (posterior.points < 0).mean() == pytest.approx(below, abs=0.05)


CUTS = {1: 17, 17: 59, 59: 199, 199: 290, 200: 290, 290: 420, 400: 420}
"""Steps at which a walk is stored, and to which it resumes. Its moves change after 200 and 400 steps."""


@pytest.fixture(scope="module")
def walk(found) -> tuple[Chain, dict[int, Chain]]:
    """A walk of 420 steps, and its state at the cuts."""
    states = {}

    def checkpoint(chain: Chain) -> None:
        if chain.steps in CUTS:
            states[chain.steps] = chain

    start = starting_points(found.problem, found.search, found.identification, 32, 1)
    return sample(found.problem, start, 420, 1, checkpoint=checkpoint), states


def _assert_same(chain: Chain, other: Chain) -> None:
    for name in ("points", "log_densities", "latent"):
        assert np.array_equal(getattr(chain, name), getattr(other, name)), name
    assert np.array_equal(chain.random_state[1], other.random_state[1])
    assert chain.random_state[2:] == other.random_state[2:]


@pytest.mark.parametrize("steps", [17, 200])
def test_a_short_walk_is_the_beginning_of_a_longer_one(found, walk, steps):
    """Also where it stops just before its moves change."""
    start = starting_points(found.problem, found.search, found.identification, 32, 1)
    _assert_same(sample(found.problem, start, steps, 1), walk[1][steps])


@pytest.mark.parametrize(("cut", "until"), CUTS.items())
def test_a_stored_walk_resumes_exactly(found, walk, tmp_path, cut, until):
    """Points, densities and the state of the random numbers, bit for bit, wherever it stopped."""
    whole, states = walk
    write_chain(tmp_path / "walk.npz", states[cut], MARKS, force=True)
    resumed = sample(found.problem, read_chain(tmp_path / "walk.npz", MARKS), until, 1)
    _assert_same(resumed, states.get(until, whole))


def test_a_posterior_at_a_bound_is_a_truncated_normal(found):
    """Its mean and quantiles are known."""
    from scipy.stats import truncnorm

    series = Series("y", read_formula("y"), "y", TIMES, OBSERVED, ErrorModel("absolute", 0.8), "", Place("s", 1))
    model = tiny_model("y = 3 + slope*Time\nslope = 2.1")
    pressed = calibrate_model(model, [series], free_constants(model, ["slope=2.05:4"]), starts=4)
    posterior = sample_posterior(pressed, steps=500, walkers=32).posterior
    assert posterior is not None
    assert not posterior.doubts
    sd = 0.8 / np.sqrt(np.sum(TIMES**2))
    mean = np.sum(TIMES * (OBSERVED - 3)) / np.sum(TIMES**2)
    exact = truncnorm((2.05 - mean) / sd, (4 - mean) / sd, mean, sd)
    (slope,) = posterior.marginals
    assert slope.mean == pytest.approx(exact.mean(), abs=0.1 * exact.std())
    assert (slope.low, slope.median, slope.high) == pytest.approx(exact.ppf([0.05, 0.5, 0.95]), abs=0.1 * exact.std())
    edge = 2.05 + 0.01 * 1.95
    assert slope.near_low == pytest.approx(exact.cdf(edge), abs=0.05)
    assert slope.near_high == 0
    assert slope.at_bound
    assert slope.contraction == pytest.approx(exact.std() * np.sqrt(12) / 1.95, rel=0.1)
    assert slope.identified
    assert not slope.not_identified


def test_a_chain_that_is_long_enough_is_not_changed(found):
    """Fewer steps than it has need no sampling."""
    start = starting_points(found.problem, found.search, found.identification, 32, 1)
    walked = sample(found.problem, start, 20, 1)
    assert np.array_equal(sample(found.problem, walked, 10, 1).points, walked.points)


def test_walkers_that_move_together_are_one_simulation(found):
    """Half of the walkers move at a time: two simulations per step, and one at the start."""
    sizes = []
    values = found.problem.simulation.values

    class Counted:
        times = found.problem.simulation.times

        @staticmethod
        def values(points):
            sizes.append(len(points))
            return values(points)

    problem = replace(found.problem)
    object.__setattr__(problem, "simulation", Counted)
    start = starting_points(found.problem, found.search, found.identification, 32, 1)
    sample(problem, start, 10, 1)
    assert len(sizes) == 21
    assert sizes[0] == 32
    assert max(sizes[1:]) <= 16


def test_walkers_start_inside_the_bounds_with_positive_density(found):
    """And all differ in every constant."""
    points = starting_points(found.problem, found.search, found.identification, 64, 3)
    low, high = (np.array([getattr(own, end) for own in found.parameters]) for end in ("low", "high"))
    assert np.all((points >= low) & (points <= high))
    assert all(len(np.unique(column)) == 64 for column in points.T)
    assert np.isfinite(sample(found.problem, points, 1, 1).log_densities).all()


def test_a_chain_that_is_too_short_has_doubts(found):
    """They name the constant that has not converged."""
    posterior = sample_posterior(found, steps=40, walkers=32).posterior
    assert posterior is not None
    assert any(re.search(r"R-hat of '\w+' is \d", doubt) for doubt in posterior.doubts)
    assert any("effective draws, below 400" in doubt for doubt in posterior.doubts)


def test_walkers_that_never_agree_raise_doubts(found):
    """However many steps they make in their own places."""
    rng = np.random.default_rng(1)
    offsets = np.linspace(-5, 5, 8)[np.newaxis, :, np.newaxis]
    points = offsets + 0.1 * rng.standard_normal((1000, 8, 3))
    posterior = judge(Chain(points, np.zeros((1000, 8)), ()), found.parameters)
    assert min(own.rhat for own in posterior.marginals) > 2
    agreeing = judge(Chain(points - offsets, np.zeros((1000, 8)), ()), found.parameters)
    assert not agreeing.doubts
    assert agreeing.burn == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0, "walkers": 32}, "the number of steps is 0"),
        ({"steps": 5, "walkers": 5}, "the number of walkers is 5; give an even number, at least 6"),
        ({"steps": 5, "walkers": 7}, "even number"),
    ],
)
def test_invalid_sampler_settings_are_reported(found, options, message):
    """With valid ones."""
    with pytest.raises(CalibrationError, match=message):
        sample_posterior(found, **options)


@given(st.integers(1, 40))
def test_the_default_number_of_walkers_spans_all_directions(count):
    """It is even, and half of it is at least twice the number of constants."""
    assert default_walkers(count) % 2 == 0
    assert default_walkers(count) // 2 >= 2 * count


@given(
    arrays(float, st.tuples(st.integers(1, 5), st.just(4), st.integers(1, 3)), elements=st.floats(-1e300, 1e300)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_chains_survive_a_round_trip(tmp_path_factory, points, seed, odd):
    """To the last bit, with the state of the random numbers."""
    path = tmp_path_factory.mktemp("chain") / "x.chain.npz"
    rng = np.random.RandomState(seed)
    if odd:
        rng.standard_normal()
    chain = Chain(points, points[:, :, 0], rng.get_state())
    write_chain(path, chain, MARKS, force=False)
    found = read_chain(path, MARKS)
    assert np.array_equal(found.points, points)
    assert np.array_equal(found.log_densities, chain.log_densities)
    again = np.random.RandomState()
    again.set_state(found.random_state)
    assert again.standard_normal(5).tolist() == rng.standard_normal(5).tolist()


def _chain() -> Chain:
    return Chain(np.zeros((2, 4, 1)), np.zeros((2, 4)), np.random.RandomState(1).get_state())


def test_a_chain_of_another_calibration_is_rejected(tmp_path):
    """The message names what differs, in one line."""
    path = tmp_path / "x.chain.npz"
    write_chain(path, _chain(), MARKS, force=False)
    with pytest.raises(CalibrationError) as caught:
        read_chain(path, MARKS | {"model": "other"})
    assert str(caught.value).startswith(f"{path}: was made with another model; ")
    assert "\n" not in str(caught.value)


def test_files_that_are_not_chains_are_reported(tmp_path):
    """A missing file, text, half a file, another archive, and one that would run code."""
    path = tmp_path / "x.chain.npz"
    with pytest.raises(CalibrationError, match="there is no calibration to resume"):
        read_chain(path, MARKS)
    write_chain(path, _chain(), MARKS, force=False)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-40]):
        path.write_bytes(content)
        with pytest.raises(CalibrationError, match="is not the state of a calibration"):
            read_chain(path, MARKS)
    np.savez(path, points=np.array([print], dtype=object))
    with pytest.raises(CalibrationError, match="is not the state of a calibration"):
        read_chain(path, MARKS)
    np.savez(
        path, points=np.zeros((2, 4)), heights=np.zeros(2), words=np.zeros(3), dice=np.zeros(3), marks=np.array("{}")
    )
    with pytest.raises(CalibrationError, match="is not the state of a calibration"):
        read_chain(path, MARKS)


def test_a_flipped_bit_in_a_chain_is_reported_or_changes_nothing(tmp_path):
    """In the numbers, and in what the archive says about them."""
    path = tmp_path / "x.chain.npz"
    write_chain(path, _chain(), MARKS, force=False)
    content, whole = path.read_bytes(), read_chain(path, MARKS)
    for place in [*range(0, len(content), 50), *range(content.index(b"PK\1\2"), len(content))]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        try:
            found = read_chain(path, MARKS)
        except CalibrationError:
            continue
        assert np.array_equal(found.points, whole.points)
        assert np.array_equal(found.random_state[1], whole.random_state[1])
        assert found.random_state[2:] == whole.random_state[2:]


def test_draws_are_spread_over_the_steps_after_burn_in():
    """As many as requested, or all there are."""
    points = np.arange(40.0).reshape(10, 4, 1)
    chain = Chain(points, np.zeros((10, 4)), ())
    assert posterior_draws(chain, 5, 1000)[:, 0].tolist() == list(range(20, 40))
    few = posterior_draws(chain, 5, 3)[:, 0]
    assert len(few) == 3
    assert few.min() >= 20


@pytest.mark.parametrize("name", ["emcee", "arviz_stats"])
def test_a_missing_extra_is_reported(found, monkeypatch, name):
    """In one line, with the command that installs it."""
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CalibrationError) as caught:
        sample_posterior(found, steps=5, walkers=32)
    assert str(caught.value) == f'a posterior needs {name}, which is not installed; pip install "sdmodel[calibrate]"'


def test_a_stored_chain_is_not_replaced_without_force(tmp_path: Path):
    """Like every other file."""
    path = tmp_path / "x.chain.npz"
    write_chain(path, _chain(), MARKS, force=False)
    with pytest.raises(CalibrationError, match="exists already"):
        write_chain(path, _chain(), MARKS, force=False)
