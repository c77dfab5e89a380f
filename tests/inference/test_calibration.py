"""The best point: closed solutions, bounds that bind, simulations that fail, and what the data identify."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr

from sdmodel.errors import CalibrationError, Place, SimulationError
from sdmodel.inference import (
    Calibration,
    ErrorModel,
    Series,
    calibrate_model,
    close_pairs,
    free_constants,
    leading,
    log_likelihood,
    marks,
    modelled,
)
from sdmodel.inference.lockstep import Ending, differences, jacobian, minimise_together
from sdmodel.inference.parameters import real_points
from sdmodel.inference.problem import PENALTY, log_posterior, make_problem, modelled_at, penalised, residuals_at
from sdmodel.inference.search import _settled, latin_hypercube
from sdmodel.model import Model
from sdmodel.scenario import Distribution, Sampling, Variation
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

LINE = tiny_model("y = base + slope*Time\nbase = 1\nslope = 1\nidle = 0\nStock = INTEG(0, base)", step=0.5)
TIMES = np.array([0.25, 1.0, 3.5, 6.25, 9.75])
FREE = ("base=-50:50", "slope=-20:20")


def series_of(text: str, values: Sequence[float], error: ErrorModel, times: Sequence[float] = TIMES) -> Series:
    """A series by itself."""
    formula: Expr = read_formula(text)
    return Series(
        text, formula, text, np.array(times), np.array(values, dtype=float), error, "", Place("series.csv", 2)
    )


def calibrated(model: Model, series: Sequence[Series], free: Sequence[str], **options) -> Calibration:
    """A calibration from a few starts."""
    return calibrate_model(model, series, free_constants(model, free), starts=8, **options)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-30, 30), min_size=5, max_size=5),
    st.floats(0.1, 10),
)
def test_the_best_point_of_a_linear_model_is_that_of_least_squares(values, size):
    """With its covariance (X'X)^-1 s^2, where the priors are wide against the data."""
    found = calibrated(LINE, [series_of("y", values, ErrorModel("absolute", size))], FREE)
    design = np.column_stack([np.ones(5), TIMES])
    expected = np.linalg.lstsq(design, np.array(values), rcond=None)[0]
    inside = np.all(np.abs(expected) < [50, 20])
    assert not inside or found.search.best.values == pytest.approx(expected, abs=1e-5)
    cost = 0.5 * np.sum(((design @ expected - values) / size) ** 2)
    assert not inside or found.search.best.cost == pytest.approx(cost, abs=1e-6)
    spreads = np.array([each.spread() for each in found.parameters])
    exact = np.linalg.inv(design.T @ design / size**2 + np.diag(spreads**-2.0))
    assert found.identification.covariance == pytest.approx(exact, rel=1e-5, abs=1e-9)


def test_a_bound_that_keeps_the_fit_from_improving_is_met_and_told():
    """The constant lies on it to the last bit; one that merely lies near a bound is not told of."""
    values = 3 + 2 * TIMES
    found = calibrated(LINE, [series_of("y", values, ErrorModel("absolute", 1))], ["base=-20:20", "slope=0.5:1.5"])
    assert found.search.binding == ("", "high")
    assert found.search.best.values[1] == 1.5
    free = calibrated(LINE, [series_of("y", values, ErrorModel("absolute", 1))], ["base=-5:5", "slope=1:2.001"])
    assert free.search.binding == ("", "")


@pytest.mark.parametrize("near", [1e-3, 1e-7, 1e-15])
def test_a_search_that_nears_a_bound_is_put_on_it_where_that_fits_better(near):
    """And on that of a constant that does nothing; one whose fit would become worse stays where it is."""
    series = [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 1))]
    problem = make_problem(LINE, series, free_constants(LINE, ["base=-20:20", "slope=0.5:1.5", "idle=0:1"]))

    def evaluate(shares):
        return residuals_at(problem, real_points(problem.parameters, shares))

    shares = np.array([1e-3, 1 - near, near])
    cost = 0.5 * float(np.sum(evaluate(shares[np.newaxis]) ** 2))
    found = _settled(problem, Ending(shares, cost, 1, converged=True), evaluate)
    assert found.values[1:].tolist() == [1.5, 0.0]
    assert found.shares[0] == 1e-3
    assert found.cost <= cost * (1 + 1e-9)


def test_a_constant_that_nothing_depends_on_is_not_identified():
    """Its direction is its own, keeps its whole prior variance, and the search says that minima form a valley."""
    found = calibrated(LINE, [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 1))], [*FREE, "idle=0:10"])
    last = found.identification.directions[-1]
    assert (last.strength, last.left, last.identified) == (0, 1, False)
    assert leading(last, ["base", "slope", "idle"]) == [("idle", 1)]
    assert found.identification.gains[2] == 0
    assert found.identification.freedom == pytest.approx(2, abs=0.01)
    assert found.search.valley


def test_constants_that_only_act_together_are_told_of_as_a_pair():
    """The data know their sum; their difference keeps its prior variance."""
    model = tiny_model("y = one + other + 0*Time\none = 1\nother = 1")
    found = calibrated(model, [series_of("y", [7.0] * 5, ErrorModel("absolute", 0.01))], ["one=0:10", "other=0:10"])
    weak = found.identification.directions[1]
    assert weak.left == pytest.approx(1, abs=1e-6)
    assert [part for _, part in leading(weak, ["one", "other"])] == pytest.approx([0.5**0.5, -(0.5**0.5)])
    spread = np.sqrt(np.diag(found.identification.covariance))
    pairs = close_pairs(found.identification.covariance / np.outer(spread, spread), ["one", "other"])
    assert [(one, other) for one, other, _ in pairs] == [("one", "other")]
    assert pairs[0][2] == pytest.approx(-1, abs=1e-4)


def test_directions_are_whole():
    """Their parts are perpendicular and of length one, the strongest first, and variance left falls with strength."""
    found = calibrated(LINE, [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 4))], [*FREE, "idle=0:10"])
    parts = np.array([each.parts for each in found.identification.directions])
    assert parts @ parts.T == pytest.approx(np.eye(3), abs=1e-12)
    strengths = [each.strength for each in found.identification.directions]
    assert strengths == sorted(strengths, reverse=True)
    assert [each.left for each in found.identification.directions] == pytest.approx(
        [1 / (1 + s * s) for s in strengths]
    )


def test_a_prior_pulls_the_best_point_as_much_as_its_spread_says():
    """A normal prior and one normal observation meet at their mean, weighted by 1/variance."""
    model = tiny_model("y = level + 0*Time\nlevel = 1")
    prior = Sampling(
        "multivariate", variations=(Variation("level", (), Distribution("RANDOM_NORMAL", (-50, 50, 2, 3))),)
    )
    series = [series_of("y", [10.0], ErrorModel("absolute", 4), [5.0])]
    found = calibrate_model(model, series, free_constants(model, prior=prior), starts=4)
    weights = np.array([1 / 3**2, 1 / 4**2])
    assert found.search.best.values[0] == pytest.approx(weights @ [2, 10] / weights.sum(), abs=1e-5)


def test_minima_of_different_height_are_told_apart():
    """A square does not know the sign; data on the cube as well prefer one."""
    model = tiny_model("y = a*a + 0.1*a + 0*Time\na = 0.5")
    found = calibrate_model(
        model, [series_of("y", [4.0], ErrorModel("absolute", 0.1), [1.0])], free_constants(model, ["a=-5:5"])
    )
    places = sorted(float(each.values[0]) for each in found.search.distinct)
    assert places == pytest.approx([-2.0506, 1.9506], abs=1e-3)
    assert found.search.valley
    uneven = calibrate_model(
        model, [series_of("y + 0.3*a", [4.0, 4.0], ErrorModel("absolute", 0.1), [1.0, 2.0]),
                series_of("a", [1.9], ErrorModel("absolute", 1), [1.0])], free_constants(model, ["a=-5:5"]),
    )  # fmt: skip
    assert not uneven.search.valley
    assert uneven.search.reached < len(uneven.search.ends)


def test_simulations_that_fail_turn_the_search_back_and_are_counted():
    """The square root of a negative number is none; the best point lies where the model works."""
    model = tiny_model("y = SQRT(a) + 0*Time\na = 1")
    found = calibrated(model, [series_of("y", [2.0] * 5, ErrorModel("absolute", 0.1))], ["a=-10:10"])
    assert found.search.best.values[0] == pytest.approx(4, abs=1e-4)
    assert found.search.failed > 0
    assert found.search.best.cost < 1e-6


def test_a_model_that_fails_everywhere_is_told():
    """There is nothing to follow downhill then."""
    model = tiny_model("y = SQRT(a) + 0*Time\na = -1")
    with pytest.raises(CalibrationError, match="all 9 starts give values that are not finite"):
        calibrated(model, [series_of("y", [2.0] * 5, ErrorModel("absolute", 0.1))], ["a=-10:-1"])


def test_one_failed_member_gets_a_large_finite_residual():
    """The others keep theirs."""
    found, failed = penalised(np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert found.tolist() == [[1, PENALTY], [2, PENALTY]]
    assert failed.tolist() == [False, True]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-40, 40), st.floats(-15, 15)), min_size=1, max_size=6),
    st.sampled_from(["absolute", "relative"]),
)
def test_what_a_problem_says_is_what_a_run_says(points, kind):
    """The quick way and the labelled one agree to the last bit, and so do posterior and residuals up to a constant."""
    series = [
        series_of("y - 2*base", 3 + TIMES, ErrorModel(kind, 0.5)),
        series_of("MAX(Stock, y)/(1 + Time)", [3, 4, 5], ErrorModel("absolute", 2), [0.0, 5.0, 10.0]),
    ]
    problem = make_problem(LINE, series, free_constants(LINE, FREE))
    chosen = np.array(points)
    several = np.vstack([chosen, chosen])
    run = simulate(LINE, {"base": several[:, 0], "slope": several[:, 1]})
    said = modelled(series, run)[:, : len(chosen)]
    assert np.array_equal(modelled_at(problem, chosen), said)
    heights = log_posterior(problem, chosen)
    assert heights == pytest.approx(log_likelihood(series, said) - np.log(100 * 40), rel=1e-12)
    costs = 0.5 * np.sum(residuals_at(problem, chosen) ** 2, axis=0)
    assert np.ptp(heights + costs) < 1e-8 * (1 + costs.max())


def test_outside_the_bounds_nothing_is_possible():
    """Whatever the data say."""
    problem = make_problem(LINE, [series_of("y", TIMES, ErrorModel("absolute", 1))], free_constants(LINE, FREE))
    heights = log_posterior(problem, np.array([[51.0, 0.0], [0.0, -21.0], [0.0, 1.0]]))
    assert np.isneginf(heights[:2]).all()
    assert np.isfinite(heights[2])


def test_the_same_seed_gives_the_same_numbers_and_another_one_the_same_minimum():
    """Chance decides the way, not the end."""
    series = [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 1))]
    one, two, other = (calibrated(LINE, series, FREE, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.search.best.values, two.search.best.values)
    assert one.search.best.cost == two.search.best.cost
    assert one.search.best.values == pytest.approx(other.search.best.values, abs=1e-4)


def test_searches_do_not_depend_on_those_beside_them():
    """Each ends at the same number, to the last bit, alone and in company."""

    def evaluate(shares):
        return np.stack([10 * (shares[:, 1] - shares[:, 0] ** 2), 1 - shares[:, 0], shares[:, 0] * shares[:, 1]])

    starts = np.random.default_rng(2).random((6, 2))
    together = minimise_together(evaluate, starts)
    for start, ending in zip(starts, together, strict=True):
        alone = minimise_together(evaluate, start[np.newaxis])[0]
        assert np.array_equal(alone.shares, ending.shares)
        assert alone.cost == ending.cost


def test_questions_of_all_searches_are_answered_at_once():
    """One ensemble holds the points of all that still run: as many rounds as the longest search asks."""
    sizes = []

    def evaluate(shares):
        sizes.append(len(shares))
        return np.stack([10 * (shares[:, 1] - shares[:, 0] ** 2), 1 - shares[:, 0]])

    starts = np.random.default_rng(2).random((5, 2))
    minimise_together(evaluate, starts)
    assert sizes[:2] == [5, 25]
    alone = []
    for start in starts:
        sizes.clear()
        minimise_together(evaluate, start[np.newaxis])
        alone.append(len(sizes))
    sizes.clear()
    minimise_together(evaluate, starts)
    assert len(sizes) <= max(alone) + min(alone)
    assert sum(sizes) > 0


def test_a_fault_of_an_evaluation_ends_all_searches():
    """No thread is left waiting, and the fault reaches whoever asked."""

    def evaluate(shares):
        message = "broken"
        raise SimulationError(message)

    with pytest.raises(SimulationError, match="broken"):
        minimise_together(evaluate, np.full((4, 2), 0.5))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_the_jacobian_of_a_line_is_exact_up_to_the_bounds(shares):
    """Differences never leave the bounds."""
    slopes = np.arange(1.0, len(shares) + 1)
    points = differences(np.array(shares))
    assert points.min() >= 0
    assert points.max() <= 1
    assert jacobian(points, (points @ slopes)[np.newaxis]) == pytest.approx(slopes[np.newaxis], rel=1e-8)


def test_the_jacobian_does_without_a_side_that_fails():
    """And without both it is flat."""
    points = differences(np.array([0.5, 0.5]))
    found = (3 * points[:, 0] + points[:, 1])[np.newaxis].copy()
    found[0, [1, 2, 4]] = np.nan
    assert jacobian(points, found) == pytest.approx(np.array([[3.0, 0.0]]))


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 9))
def test_a_latin_hypercube_has_one_point_in_every_slice(count, dimensions, seed):
    """Of every dimension."""
    points = latin_hypercube(count, dimensions, np.random.default_rng(seed))
    assert np.array_equal(
        np.sort(np.floor(points * count), axis=0), np.tile(np.arange(count)[:, np.newaxis], dimensions)
    )


@pytest.mark.parametrize(
    ("series", "free", "told"),
    [
        ([], FREE, "there is no observation"),
        ([("y", [], [])], FREE, "there is no observation"),
        ([("y", [1.0], [11.0])], FREE, "an observation at 11 lies outside the run, 0 to 10"),
    ],
)
def test_what_cannot_be_held_against_data_is_told(series, free, told):
    """Before any simulation."""
    made = [series_of(text, values, ErrorModel("absolute", 1), times) for text, values, times in series]
    with pytest.raises(CalibrationError, match=told):
        calibrated(LINE, made, free)


@pytest.mark.parametrize(
    ("option", "told"), [({"seed": -1}, "the seed is -1"), ({"starts": 0}, "0 starts are asked for")]
)
def test_settings_that_make_no_calibration_are_told(option, told):
    """With what would."""
    series = [series_of("y", TIMES, ErrorModel("absolute", 1))]
    with pytest.raises(CalibrationError, match=told):
        calibrate_model(LINE, series, free_constants(LINE, FREE), **{"starts": 2} | option)


def test_a_constant_that_decides_the_times_is_refused():
    """All points of a search share one run's times."""
    series = [series_of("y", TIMES, ErrorModel("absolute", 1))]
    with pytest.raises(SimulationError, match="decides the times"):
        calibrated(LINE, series, ["FINAL TIME=10:20"])


def test_marks_differ_where_a_calibration_does():
    """Each by its own name, so that a refusal can say what it is."""
    series = [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 1))]
    base = marks(calibrated(LINE, series, FREE), 32)
    assert base == marks(calibrated(LINE, series, FREE), 32)
    others = {
        "set of series": marks(calibrated(LINE, [series_of("y", 4 + 2 * TIMES, ErrorModel("absolute", 1))], FREE), 32),
        "set of free constants, bounds or priors": marks(calibrated(LINE, series, ["base=-50:49", "slope=-20:20"]), 32),
        "seed": marks(calibrated(LINE, series, FREE, seed=2), 32),
        "integrator": marks(calibrated(LINE, series, FREE, integrator="rk4"), 32),
        "number of walkers": marks(calibrated(LINE, series, FREE), 64),
    }
    for name, other in others.items():
        assert [each for each in base if base[each] != other[each]] == [name]


def test_the_simulation_ends_with_the_last_observation_and_keeps_its_numbers():
    """At the first saved time behind it; an equation that mentions FINAL TIME does not notice."""
    model = tiny_model("y = base*FINAL TIME + slope*Time\nbase = 1\nslope = 1", step=0.5)
    parameters = free_constants(model, FREE)
    series = series_of("y", [3.0, 4.0], ErrorModel("absolute", 1), [1.0, 3.25])
    problem = make_problem(model, [series], parameters)
    assert problem.repetition.times.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
    points = np.array([[2.0, 0.5], [-1.0, 3.0]])
    final = simulate(model).time.values[-1]
    expected = points[:, 0] * final + points[:, 1] * np.array([[1.0], [3.25]])
    assert modelled_at(problem, points) == pytest.approx(expected)
    whole = make_problem(model, [series, series_of("y", [1.0], ErrorModel("absolute", 1), [final])], parameters)
    assert whole.repetition.times[-1] == final
    assert np.array_equal(modelled_at(whole, points)[:2], modelled_at(problem, points))
