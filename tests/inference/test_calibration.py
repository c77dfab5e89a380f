"""The best point: closed solutions, binding bounds, failing simulations, and what the data identify."""

from __future__ import annotations

import subprocess
import sys
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
    evaluate_series,
    fingerprints,
    free_constants,
    leading_constants,
    log_likelihood,
    split_series,
)
from sdmodel.inference.likelihood import (
    PENALTY,
    _peak,
    log_posterior,
    make_problem,
    modelled_at,
    penalised,
    residuals_at,
)
from sdmodel.inference.optimum import Ending, _settled, differences, jacobian, latin_hypercube, minimise_together
from sdmodel.inference.parameters import Parameter, real_points
from sdmodel.model import Cell, Model
from sdmodel.scenario import Distribution, Sampling, Variation
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

LINE = tiny_model("y = base + slope*Time\nbase = 1\nslope = 1\nidle = 0\nStock = INTEG(0, base)", step=0.5)
TIMES = np.array([0.25, 1.0, 3.5, 6.25, 9.75])
FREE = ("base=-50:50", "slope=-20:20")

_SEARCHES = """
import numpy as np
from sdmodel.inference.optimum import minimise_together

def search(before, fault):
    calls = []

    def evaluate(points):
        calls.append(points)
        if len(calls) > before:
            if fault:
                raise fault
            return None
        return points.T - 0.5

    try:
        minimise_together(evaluate, np.array([[0.1, 0.9], [0.3, 0.2], [0.8, 0.8]]))
    except BaseException as error:
        print(type(error).__name__, flush=True)

for fault in (KeyboardInterrupt, None):
    for before in (0, 1, 2):
        search(before, fault)
"""


def series_of(text: str, values: Sequence[float], error: ErrorModel, times: Sequence[float] = TIMES) -> Series:
    """A series that no file describes."""
    formula: Expr = read_formula(text)
    return Series(
        text, formula, text, np.array(times), np.array(values, dtype=float), error, "", Place("series.csv", 2)
    )


def calibrated(model: Model, series: Sequence[Series], free: Sequence[str], **options) -> Calibration:
    """A calibration from a few starts."""
    return calibrate_model(model, series, free_constants(model, free), starts=8, **options)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(-30, 30), min_size=5, max_size=5),
    st.floats(0.1, 10),
)
def test_a_linear_model_gives_the_least_squares_solution(values, size):
    """With its covariance (X'X)^-1 s^2, since the priors are wide."""
    found = calibrated(LINE, [series_of("y", values, ErrorModel("absolute", size))], FREE)
    design = np.column_stack([np.ones(5), TIMES])
    expected = np.linalg.lstsq(design, np.array(values), rcond=None)[0]
    inside = np.all(np.abs(expected) < [50, 20])
    assert not inside or found.search.best.values == pytest.approx(expected, abs=1e-5)
    cost = 0.5 * np.sum(((design @ expected - values) / size) ** 2)
    assert not inside or found.search.best.cost == pytest.approx(cost, abs=1e-6)
    spreads = np.array([own.spread() for own in found.parameters])
    exact = np.linalg.inv(design.T @ design / size**2 + np.diag(spreads**-2.0))
    assert found.identification.covariance == pytest.approx(exact, rel=1e-5, abs=1e-9)


def test_a_binding_bound_is_reached_exactly_and_reported():
    """A constant that only lies near a bound is not reported."""
    values = 3 + 2 * TIMES
    found = calibrated(LINE, [series_of("y", values, ErrorModel("absolute", 1))], ["base=-20:20", "slope=0.5:1.5"])
    assert found.search.binding == ("", "high")
    assert found.search.best.values[1] == 1.5
    free = calibrated(LINE, [series_of("y", values, ErrorModel("absolute", 1))], ["base=-5:5", "slope=1:2.001"])
    assert free.search.binding == ("", "")


@pytest.mark.parametrize("near", [1e-3, 1e-7, 1e-15])
def test_constants_near_a_bound_move_onto_it_if_that_fits_better(near):
    """So do constants without effect; one whose fit would become worse stays."""
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


def test_a_constant_without_effect_is_not_identified():
    """It is a direction of its own, keeps all its prior variance, and the minima form a valley."""
    found = calibrated(LINE, [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 1))], [*FREE, "idle=0:10"])
    last = found.identification.directions[-1]
    assert (last.strength, last.left, last.identified) == (0, 1, False)
    assert leading_constants(last, ["base", "slope", "idle"]) == [("idle", 1)]
    assert found.identification.gains[2] == 0
    assert found.identification.freedom == pytest.approx(2, abs=0.01)
    assert found.search.valley


def test_constants_that_act_only_as_a_sum_are_a_close_pair():
    """The data determine their sum; their difference keeps its prior variance."""
    model = tiny_model("y = one + other + 0*Time\none = 1\nother = 1")
    found = calibrated(model, [series_of("y", [7.0] * 5, ErrorModel("absolute", 0.01))], ["one=0:10", "other=0:10"])
    weak = found.identification.directions[1]
    assert weak.left == pytest.approx(1, abs=1e-6)
    assert [part for _, part in leading_constants(weak, ["one", "other"])] == pytest.approx([0.5**0.5, -(0.5**0.5)])
    spread = np.sqrt(np.diag(found.identification.covariance))
    pairs = close_pairs(found.identification.covariance / np.outer(spread, spread), ["one", "other"])
    assert [(one, other) for one, other, _ in pairs] == [("one", "other")]
    assert pairs[0][2] == pytest.approx(-1, abs=1e-4)


def test_directions_are_orthonormal_and_sorted():
    """The strongest comes first; the variance left falls with strength."""
    found = calibrated(LINE, [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 4))], [*FREE, "idle=0:10"])
    parts = np.array([direction.parts for direction in found.identification.directions])
    assert parts @ parts.T == pytest.approx(np.eye(3), abs=1e-12)
    strengths = [direction.strength for direction in found.identification.directions]
    assert strengths == sorted(strengths, reverse=True)
    assert [direction.left for direction in found.identification.directions] == pytest.approx(
        [1 / (1 + s * s) for s in strengths]
    )


def test_a_normal_prior_and_observation_combine_by_inverse_variance():
    """The best point is their mean, weighted by 1/variance."""
    model = tiny_model("y = level + 0*Time\nlevel = 1")
    prior = Sampling(
        "multivariate", variations=(Variation("level", (), Distribution("RANDOM_NORMAL", (-50, 50, 2, 3))),)
    )
    series = [series_of("y", [10.0], ErrorModel("absolute", 4), [5.0])]
    found = calibrate_model(model, series, free_constants(model, prior=prior), starts=4)
    weights = np.array([1 / 3**2, 1 / 4**2])
    assert found.search.best.values[0] == pytest.approx(weights @ [2, 10] / weights.sum(), abs=1e-5)


def test_equal_minima_form_a_valley_and_unequal_ones_do_not():
    """A square hides the sign; data on the constant itself prefer one sign."""
    model = tiny_model("y = a*a + 0.1*a + 0*Time\na = 0.5")
    found = calibrate_model(
        model, [series_of("y", [4.0], ErrorModel("absolute", 0.1), [1.0])], free_constants(model, ["a=-5:5"])
    )
    places = sorted(float(end.values[0]) for end in found.search.distinct)
    assert places == pytest.approx([-2.0506, 1.9506], abs=1e-3)
    assert found.search.valley
    uneven = calibrate_model(
        model, [series_of("y + 0.3*a", [4.0, 4.0], ErrorModel("absolute", 0.1), [1.0, 2.0]),
                series_of("a", [1.9], ErrorModel("absolute", 1), [1.0])], free_constants(model, ["a=-5:5"]),
    )  # fmt: skip
    assert not uneven.search.valley
    assert uneven.search.reached < len(uneven.search.ends)


def test_failing_simulations_are_avoided_and_counted():
    """The square root of a negative number fails; the best point lies where the model works."""
    model = tiny_model("y = SQRT(a) + 0*Time\na = 1")
    found = calibrated(model, [series_of("y", [2.0] * 5, ErrorModel("absolute", 0.1))], ["a=-10:10"])
    assert found.search.best.values[0] == pytest.approx(4, abs=1e-4)
    assert found.search.failed > 0
    assert found.search.best.cost < 1e-6


def test_a_model_that_fails_everywhere_is_reported():
    """There is no start to follow."""
    model = tiny_model("y = SQRT(a) + 0*Time\na = -1")
    with pytest.raises(CalibrationError, match="all 9 starts give values that are not finite"):
        calibrated(model, [series_of("y", [2.0] * 5, ErrorModel("absolute", 0.1))], ["a=-10:-1"])


def test_a_failed_member_gets_a_large_finite_residual():
    """Other members keep theirs."""
    found, failed = penalised(np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert found.tolist() == [[1, PENALTY], [2, PENALTY]]
    assert failed.tolist() == [False, True]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-40, 40), st.floats(-15, 15)), min_size=1, max_size=6),
    st.sampled_from(["absolute", "relative"]),
)
def test_a_problem_gives_the_same_values_as_a_run(points, kind):
    """To the last bit; posterior and residuals agree up to a constant."""
    series = [
        series_of("y - 2*base", 3 + TIMES, ErrorModel(kind, 0.5)),
        series_of("MAX(Stock, y)/(1 + Time)", [3, 4, 5], ErrorModel("absolute", 2), [0.0, 5.0, 10.0]),
    ]
    problem = make_problem(LINE, series, free_constants(LINE, FREE))
    chosen = np.array(points)
    several = np.vstack([chosen, chosen])
    run = simulate(LINE, {"base": several[:, 0], "slope": several[:, 1]})
    modelled = evaluate_series(series, run)[:, : len(chosen)]
    assert np.array_equal(modelled_at(problem, chosen), modelled)
    densities = log_posterior(problem, chosen)
    assert densities == pytest.approx(log_likelihood(series, modelled) - np.log(100 * 40), rel=1e-12)
    costs = 0.5 * np.sum(residuals_at(problem, chosen) ** 2, axis=0)
    assert np.ptp(densities + costs) < 1e-8 * (1 + costs.max())


def test_points_outside_the_bounds_have_zero_density():
    """Whatever the data."""
    problem = make_problem(LINE, [series_of("y", TIMES, ErrorModel("absolute", 1))], free_constants(LINE, FREE))
    densities = log_posterior(problem, np.array([[51.0, 0.0], [0.0, -21.0], [0.0, 1.0]]))
    assert np.isneginf(densities[:2]).all()
    assert np.isfinite(densities[2])


def test_a_seed_repeats_all_numbers():
    """Another seed gives the same minimum."""
    series = [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 1))]
    one, two, other = (calibrated(LINE, series, FREE, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.search.best.values, two.search.best.values)
    assert one.search.best.cost == two.search.best.cost
    assert one.search.best.values == pytest.approx(other.search.best.values, abs=1e-4)


def test_parallel_searches_do_not_affect_each_other():
    """Each ends at the same numbers, to the last bit, alone and with others."""

    def evaluate(shares):
        return np.stack([10 * (shares[:, 1] - shares[:, 0] ** 2), 1 - shares[:, 0], shares[:, 0] * shares[:, 1]])

    starts = np.random.default_rng(2).random((6, 2))
    together = minimise_together(evaluate, starts)
    for start, ending in zip(starts, together, strict=True):
        alone = minimise_together(evaluate, start[np.newaxis])[0]
        assert np.array_equal(alone.shares, ending.shares)
        assert alone.cost == ending.cost


def test_requests_of_all_searches_are_evaluated_together():
    """One ensemble contains the points of all running searches, so the longest one decides the number of rounds."""
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


def test_an_error_in_an_evaluation_stops_all_searches():
    """No thread keeps waiting, and the caller gets the error."""

    def evaluate(shares):
        message = "broken"
        raise SimulationError(message)

    with pytest.raises(SimulationError, match="broken"):
        minimise_together(evaluate, np.full((4, 2), 0.5))


def test_an_exception_in_an_evaluation_stops_all_searches():
    """Also while answers are handed out, at the first round or later; no thread keeps waiting."""
    ended = subprocess.run(
        [sys.executable, "-c", _SEARCHES], capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    assert ended.stdout.split() == ["KeyboardInterrupt"] * 3 + ["TypeError"] * 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_the_jacobian_of_a_line_is_exact_at_the_bounds_too(shares):
    """Differences never leave the bounds."""
    slopes = np.arange(1.0, len(shares) + 1)
    points = differences(np.array(shares))
    assert points.min() >= 0
    assert points.max() <= 1
    assert jacobian(points, (points @ slopes)[np.newaxis]) == pytest.approx(slopes[np.newaxis], rel=1e-8)


def test_the_jacobian_skips_sides_that_fail():
    """If both sides fail, the derivative is 0."""
    points = differences(np.array([0.5, 0.5]))
    found = (3 * points[:, 0] + points[:, 1])[np.newaxis].copy()
    found[0, [1, 2, 4]] = np.nan
    assert jacobian(points, found) == pytest.approx(np.array([[3.0, 0.0]]))


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 9))
def test_a_latin_hypercube_has_one_point_in_every_slice(count, dimensions, seed):
    """In every dimension."""
    points = latin_hypercube(count, dimensions, np.random.default_rng(seed))
    assert np.array_equal(
        np.sort(np.floor(points * count), axis=0), np.tile(np.arange(count)[:, np.newaxis], dimensions)
    )


@pytest.mark.parametrize(
    ("series", "free", "message"),
    [
        ([], FREE, "there are no observations"),
        ([("y", [], [])], FREE, "there are no observations"),
        (
            [("y", [1.0], [11.0])],
            FREE,
            "'y' has an observation at 11, outside the run, 0 to 10; bound it with since and until",
        ),
    ],
)
def test_missing_observations_are_reported(series, free, message):
    """Before any simulation; so are observations outside the run."""
    made = [series_of(text, values, ErrorModel("absolute", 1), times) for text, values, times in series]
    with pytest.raises(CalibrationError, match=message):
        calibrated(LINE, made, free)


@pytest.mark.parametrize(
    ("option", "message"), [({"seed": -1}, "the seed is -1"), ({"starts": 0}, "the number of starts is 0")]
)
def test_invalid_settings_are_reported(option, message):
    """With valid ones."""
    series = [series_of("y", TIMES, ErrorModel("absolute", 1))]
    with pytest.raises(CalibrationError, match=message):
        calibrate_model(LINE, series, free_constants(LINE, FREE), **{"starts": 2} | option)


def test_constants_that_set_the_times_cannot_be_free():
    """All points of a search share one run's times."""
    series = [series_of("y", TIMES, ErrorModel("absolute", 1))]
    with pytest.raises(SimulationError, match="decides the times"):
        calibrated(LINE, series, ["FINAL TIME=10:20"])


def test_fingerprints_show_what_differs():
    """Each difference changes one named fingerprint, so that a message can name it."""
    series = [series_of("y", 3 + 2 * TIMES, ErrorModel("absolute", 1))]
    base = fingerprints(calibrated(LINE, series, FREE), 32)
    assert base == fingerprints(calibrated(LINE, series, FREE), 32)
    others = {
        "set of series": fingerprints(
            calibrated(LINE, [series_of("y", 4 + 2 * TIMES, ErrorModel("absolute", 1))], FREE), 32
        ),
        "set of free constants, bounds or priors": fingerprints(
            calibrated(LINE, series, ["base=-50:49", "slope=-20:20"]), 32
        ),
        "seed": fingerprints(calibrated(LINE, series, FREE, seed=2), 32),
        "integrator": fingerprints(calibrated(LINE, series, FREE, integrator="rk4"), 32),
        "number of walkers": fingerprints(calibrated(LINE, series, FREE), 64),
    }
    for name, other in others.items():
        assert [key for key in base if base[key] != other[key]] == [name]


def test_the_simulation_ends_at_the_last_observation():
    """At the first saved time after it; FINAL TIME stays the same in equations."""
    model = tiny_model("y = base*FINAL TIME + slope*Time\nbase = 1\nslope = 1", step=0.5)
    parameters = free_constants(model, FREE)
    series = series_of("y", [3.0, 4.0], ErrorModel("absolute", 1), [1.0, 3.25])
    problem = make_problem(model, [series], parameters)
    assert problem.simulation.times.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
    points = np.array([[2.0, 0.5], [-1.0, 3.0]])
    final = simulate(model).time.values[-1]
    expected = points[:, 0] * final + points[:, 1] * np.array([[1.0], [3.25]])
    assert modelled_at(problem, points) == pytest.approx(expected)
    whole = make_problem(model, [series, series_of("y", [1.0], ErrorModel("absolute", 1), [final])], parameters)
    assert whole.simulation.times[-1] == final
    assert np.array_equal(modelled_at(whole, points)[:2], modelled_at(problem, points))


@pytest.mark.parametrize("sd", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("mean", [-7.123456, 0.0, 9.9999])
def test_the_peak_of_a_prior_is_found_between_the_points_of_a_grid(sd, mean):
    """The residual of a prior is zero at its peak, however narrow it is; a wrong peak would shift all residuals."""
    prior = Distribution("RANDOM_NORMAL", (-10.0, 10.0, mean, sd))
    parameter = Parameter("base", Cell("base"), "", -10.0, 10.0, 0.0, prior)
    assert _peak(parameter) == pytest.approx(float(prior.log_density(np.array([mean]))[0]), abs=1e-6)


def test_series_are_split_by_what_a_run_contains():
    """A run that saved only some variables is compared with the series of these; the faults name the others."""
    run = simulate(LINE, save=["y"])
    absolute = ErrorModel("absolute", 1.0)
    inside, outside = (series_of(text, np.ones(5), absolute) for text in ("y*2", "y + Stock"))
    held, faults = split_series([inside, outside], run)
    assert held == (inside,)
    assert [str(fault.where) for fault in faults] == ["series.csv:2:1"]
    assert "'y + Stock': 'stock' is not in the run" in faults[0].what
