"""The posterior: closed solutions, doubts that are told, and a walk that goes on as if it had never stopped."""

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
    draws,
    free_constants,
    least_walkers,
    read_chain,
    with_posterior,
    write_chain,
)
from sdmodel.inference.diagnostics import judge
from sdmodel.inference.posterior import sample, starting_points
from sdmodel.scenario import Distribution, Sampling, Variation
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

LINE = tiny_model("y = base + slope*Time\nbase = 1\nslope = 1\nidle = 3", step=0.5)
TIMES = np.array([0.25, 1.0, 3.5, 6.25, 9.75])
OBSERVED = np.array([3.1, 4.7, 10.2, 15.4, 22.9])
MARKS = {"model": "one", "seed": "1"}


@pytest.fixture(scope="module")
def found() -> Calibration:
    """A line through five points, with a constant besides that has a triangular prior and does nothing."""
    series = Series("y", read_formula("y"), "y", TIMES, OBSERVED, ErrorModel("absolute", 0.8), "", Place("s", 1))
    triangle = Variation("idle", (), Distribution("RANDOM_TRIANGULAR", (0, 10, 0, 2, 10)))
    prior = Sampling("multivariate", variations=(triangle,))
    free = free_constants(LINE, ["base=-40:40", "slope=-20:20", "idle"], prior=prior)
    return calibrate_model(LINE, [series], free, starts=8)


def test_the_posterior_of_a_linear_model_is_the_normal_one_and_a_prior_without_data_stays(found):
    """Means, deviations, correlation and quantiles, to the accuracy that the effective draws allow."""
    posterior = with_posterior(found, steps=2500, walkers=32).posterior
    assert posterior is not None
    assert not posterior.doubts
    design = np.column_stack([np.ones(5), TIMES])
    covariance = np.linalg.inv(design.T @ design / 0.8**2)
    means = covariance @ design.T @ OBSERVED / 0.8**2
    deviations = np.sqrt(np.diag(covariance))
    for marginal, mean, deviation in zip(posterior.marginals[:2], means, deviations, strict=True):
        error = deviation / np.sqrt(marginal.ess_bulk)
        assert marginal.mean == pytest.approx(mean, abs=5 * error)
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


def test_a_posterior_of_two_modes_holds_both_by_their_weight():
    """A square is observed and a normal prior prefers one of its roots: each mode's share is that of its density."""
    model = tiny_model("y = x^2 + 0*Time\nx = 0.5")
    prior = Sampling(
        "multivariate", variations=(Variation("x", (), Distribution("RANDOM_NORMAL", (-2.0, 2.0, 0.5, 1.0))),)
    )
    series = Series("y", read_formula("y"), "y", TIMES, np.ones(5), ErrorModel("absolute", 0.4), "", Place("s", 1))
    found = calibrate_model(model, [series], free_constants(model, prior=prior))
    posterior = with_posterior(found, steps=1500, walkers=32).posterior
    assert posterior is not None
    assert not posterior.doubts
    grid = np.linspace(-2, 2, 4001)
    density = np.exp(-0.5 * 5 * ((grid**2 - 1) / 0.4) ** 2 - 0.5 * (grid - 0.5) ** 2)
    below = density[grid < 0].sum() / density.sum()
    assert 0.2 < below < 0.4
    assert (posterior.kept < 0).mean() == pytest.approx(below, abs=0.05)


def test_a_walk_that_is_stored_and_goes_on_is_the_walk_that_never_stopped(found, tmp_path):
    """Points, heights and the state of chance, bit for bit, wherever it is cut."""
    begin = starting_points(found.problem, found.search, found.identification, 32, 1)
    whole = sample(found.problem, begin, 60, 1)
    for cut in (1, 17, 59):
        part = sample(found.problem, begin, cut, 1)
        write_chain(tmp_path / "walk.npz", part, MARKS, force=True)
        rest = sample(found.problem, read_chain(tmp_path / "walk.npz", MARKS), 60, 1)
        assert np.array_equal(rest.points, whole.points)
        assert np.array_equal(rest.heights, whole.heights)
        assert np.array_equal(rest.dice[1], whole.dice[1])
    assert rest.dice[2:] == whole.dice[2:]


@pytest.mark.parametrize("cut", [199, 200, 290, 400])
def test_a_walk_goes_on_the_same_where_its_moves_change(found, tmp_path, cut):
    """Mean and covariance are told after 200 and after 400 steps, by the points that are stored."""
    begin = starting_points(found.problem, found.search, found.identification, 32, 1)
    whole = sample(found.problem, begin, 420, 1)
    write_chain(tmp_path / "walk.npz", sample(found.problem, begin, cut, 1), MARKS, force=True)
    rest = sample(found.problem, read_chain(tmp_path / "walk.npz", MARKS), 420, 1)
    assert np.array_equal(rest.points, whole.points)
    assert np.array_equal(rest.latent, whole.latent)


def test_bounds_do_not_turn_a_walk_back(found):
    """A posterior that presses on a bound: a truncated normal distribution, whose mean and quantiles are known."""
    from scipy.stats import truncnorm

    series = Series("y", read_formula("y"), "y", TIMES, OBSERVED, ErrorModel("absolute", 0.8), "", Place("s", 1))
    model = tiny_model("y = 3 + slope*Time\nslope = 2.1")
    pressed = calibrate_model(model, [series], free_constants(model, ["slope=2.05:4"]), starts=4)
    posterior = with_posterior(pressed, steps=1500, walkers=32).posterior
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
    assert slope.pressed
    assert slope.contraction == pytest.approx(exact.std() * np.sqrt(12) / 1.95, rel=0.1)
    assert slope.identified
    assert not slope.untold


def test_a_walk_that_is_long_enough_stays_as_it_is(found):
    """Fewer steps than there are ask for nothing."""
    begin = starting_points(found.problem, found.search, found.identification, 32, 1)
    walked = sample(found.problem, begin, 20, 1)
    assert np.array_equal(sample(found.problem, walked, 10, 1).points, walked.points)


def test_all_that_move_in_a_step_are_one_simulation(found):
    """Half of the walkers at a time: two simulations a step, one at the start."""
    sizes = []
    values = found.problem.repetition.values

    class Counted:
        times = found.problem.repetition.times

        @staticmethod
        def values(points):
            sizes.append(len(points))
            return values(points)

    problem = replace(found.problem)
    object.__setattr__(problem, "repetition", Counted)
    begin = starting_points(found.problem, found.search, found.identification, 32, 1)
    sample(problem, begin, 10, 1)
    assert len(sizes) == 21
    assert sizes[0] == 32
    assert max(sizes[1:]) <= 16


def test_walkers_begin_inside_the_bounds_where_the_posterior_is_above_zero(found):
    """And they differ from each other in every constant."""
    points = starting_points(found.problem, found.search, found.identification, 64, 3)
    low, high = (np.array([getattr(each, end) for each in found.parameters]) for end in ("low", "high"))
    assert np.all((points >= low) & (points <= high))
    assert all(len(np.unique(column)) == 64 for column in points.T)
    assert np.isfinite(sample(found.problem, points, 1, 1).heights).all()


def test_a_walk_that_is_too_short_is_doubted(found):
    """Not converged is said plainly, with the constant that shows it."""
    posterior = with_posterior(found, steps=40, walkers=32).posterior
    assert posterior is not None
    assert any(re.search(r"R-hat of '\w+' is \d", doubt) for doubt in posterior.doubts)
    assert any("effective draws, below 400" in doubt for doubt in posterior.doubts)


def test_walkers_that_never_agree_are_doubted(found):
    """However many steps they make where they are."""
    dice = np.random.default_rng(1)
    apart = np.linspace(-5, 5, 8)[np.newaxis, :, np.newaxis]
    points = apart + 0.1 * dice.standard_normal((1000, 8, 3))
    posterior = judge(Chain(points, np.zeros((1000, 8)), ()), found.parameters)
    assert min(each.rhat for each in posterior.marginals) > 2
    agreeing = judge(Chain(points - apart, np.zeros((1000, 8)), ()), found.parameters)
    assert not agreeing.doubts
    assert agreeing.burn == 100


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"steps": 0, "walkers": 32}, "0 steps are asked for"),
        ({"steps": 5, "walkers": 5}, "5 walkers are asked for; give an even number from 6 up"),
        ({"steps": 5, "walkers": 7}, "even number"),
    ],
)
def test_settings_that_make_no_walk_are_told(found, options, told):
    """With those that would."""
    with pytest.raises(CalibrationError, match=told):
        with_posterior(found, **options)


@given(st.integers(1, 40))
def test_enough_walkers_are_even_and_span_all_directions_twice_over(count):
    """Half of them are at least twice as many as there are constants."""
    assert least_walkers(count) % 2 == 0
    assert least_walkers(count) // 2 >= 2 * count


@given(
    arrays(float, st.tuples(st.integers(1, 5), st.just(4), st.integers(1, 3)), elements=st.floats(-1e300, 1e300)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_a_stored_chain_is_read_back_the_same(tmp_path_factory, points, seed, odd):
    """To the last bit, with the state of chance."""
    path = tmp_path_factory.mktemp("chain") / "x.chain.npz"
    dice = np.random.RandomState(seed)
    if odd:
        dice.standard_normal()
    chain = Chain(points, points[:, :, 0], dice.get_state())
    write_chain(path, chain, MARKS, force=False)
    found = read_chain(path, MARKS)
    assert np.array_equal(found.points, points)
    assert np.array_equal(found.heights, chain.heights)
    again = np.random.RandomState()
    again.set_state(found.dice)
    assert again.standard_normal(5).tolist() == dice.standard_normal(5).tolist()


def _chain() -> Chain:
    return Chain(np.zeros((2, 4, 1)), np.zeros((2, 4)), np.random.RandomState(1).get_state())


def test_a_walk_of_something_else_does_not_go_on(tmp_path):
    """What differs is named, in one line."""
    path = tmp_path / "x.chain.npz"
    write_chain(path, _chain(), MARKS, force=False)
    with pytest.raises(CalibrationError) as caught:
        read_chain(path, MARKS | {"model": "other"})
    assert str(caught.value).startswith(f"{path}: was made with another model; ")
    assert "\n" not in str(caught.value)


def test_what_is_no_walk_is_told(tmp_path):
    """A missing file, text, half a file, an archive of something else, and one that would run code."""
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


def test_draws_are_spread_over_what_is_kept():
    """As many as asked for, or all there are; none of the steps that are left out."""
    points = np.arange(40.0).reshape(10, 4, 1)
    chain = Chain(points, np.zeros((10, 4)), ())
    assert draws(chain, 5, 1000)[:, 0].tolist() == list(range(20, 40))
    few = draws(chain, 5, 3)[:, 0]
    assert len(few) == 3
    assert few.min() >= 20


@pytest.mark.parametrize("name", ["emcee", "arviz_stats"])
def test_a_missing_extra_is_told_with_what_installs_it(found, monkeypatch, name):
    """One line, as for every fault of a user."""
    for module in [each for each in sys.modules if each.split(".")[0] == name]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CalibrationError) as caught:
        with_posterior(found, steps=5, walkers=32)
    assert str(caught.value) == f'a posterior needs {name}, which is not installed; pip install "sdmodel[calibrate]"'


def test_what_is_stored_is_never_replaced_without_force(tmp_path: Path):
    """Nor is a walk."""
    path = tmp_path / "x.chain.npz"
    write_chain(path, _chain(), MARKS, force=False)
    with pytest.raises(CalibrationError, match="exists already"):
        write_chain(path, _chain(), MARKS, force=False)
