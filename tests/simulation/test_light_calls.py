"""Light calls of a compiled model: the numbers of `simulate` as plain arrays."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

from sdmodel.errors import ScenarioError, SimulationError
from sdmodel.model import INTEGRATORS
from sdmodel.scenario import Scenario
from sdmodel.simulation import NotFiniteWarning, PreparedSimulation, compile_model, simulate
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change

MODEL = tiny_model(
    "funds: first, second ~~|\nages: young, old ~~|\nrate = 0.3 ~~|\nstart[funds] = 1, 2 ~~|\ntable((0,0),(5,9)) ~~|\n"
    "stock[funds] = INTEG(SMOOTH(rate*stock[funds], 2) + read, start[funds]) ~~|\n"
    "late = DELAY FIXED(rate*Time, 2, 7) ~~|\nread = table(Time)*rate ~~|\nsome[young] = rate*2 ~~|\n"
    "both[funds, ages] = stock[funds]*2 ~~|\nlength = 2 ~~|\norder = 2 ~~|\nslow = SMOOTH N(rate*Time, length, 0, order) ~~|\n"
)
NAMES = ("stock", "late", "read", "both", "slow", "rate")


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_a_call_gives_the_numbers_of_simulate(integrator: Any):
    """One member alone and several, with subscripts, delays and constants; to the last bit."""
    run = compile_model(MODEL, save=NAMES, constants=["rate", "start"], integrator=integrator)
    assert run.constants == ("rate", "start[first]", "start[second]")
    assert run.times.tolist() == list(range(11))
    points = np.random.default_rng(1).uniform(0.1, 0.5, (5, 3))
    many = run(points)
    given = {name: points[:, place] for place, name in enumerate(run.constants)}
    runs = simulate(MODEL, given, integrator=integrator)
    for name in NAMES:
        whole = runs[name].broadcast_like(runs["late"])
        assert np.array_equal(many[name], whole.transpose("member", "time", ...))
    alone = run(points[2].tolist())
    single = simulate(
        MODEL, {name: points[2, place] for place, name in enumerate(run.constants)}, integrator=integrator
    )
    for name in NAMES[:-1]:
        assert np.array_equal(alone[name], single[name])
    assert np.array_equal(alone["rate"], np.full(11, points[2, 0]))
    for name in NAMES:  # whichever members are computed together
        assert np.array_equal(run(points[2:3])[name], many[name][2:3])


def test_a_label_selects_one_cell_and_undefined_cells_are_nan():
    """Names as in the model, in any spelling."""
    run = compile_model(MODEL, save=["STOCK[second]", "some"], constants=["start[ Second ]"], until=3)
    found = run([5.0])
    whole = simulate(MODEL, {"start[second]": 5.0})
    assert list(found) == ["STOCK[second]", "some"]
    assert np.array_equal(found["STOCK[second]"], whole["stock"].sel(funds="second")[:4])
    assert np.array_equal(found["some"], whole["some"][:4], equal_nan=True)


def test_a_model_may_have_no_constants_and_a_batch_no_members():
    """Arrays keep their shapes."""
    run = compile_model(MODEL, save="late")
    assert np.array_equal(run()["late"], simulate(MODEL)["late"])
    assert np.array_equal(run(np.empty((3, 0)))["late"], [simulate(MODEL)["late"]] * 3)
    assert compile_model(MODEL, save=["both"], constants=["rate"])(np.empty((0, 1)))["both"].shape == (0, 11, 2, 2)


def test_a_scenario_holds_in_every_call():
    """Constants of the call come after it."""
    changes = Scenario("", (read_change("table((0,1),(1,1))"), read_change("rate = 9"), read_change("start = 3")))
    run = compile_model(MODEL, save=["stock"], constants=["rate"], scenario=changes)
    assert np.array_equal(run([0.2])["stock"], simulate(MODEL, {"rate": 0.2}, scenario=changes)["stock"])


def test_what_is_not_finite_is_nan_without_a_warning():
    """As in `simulate`, but silent, since searches pass through such places."""
    model = tiny_model("x = INTEG(x*x*rate, 1)\nrate = 0.1", final=40)
    with pytest.warns(NotFiniteWarning):
        expected = simulate(model, {"rate": 1e9})["x"]
    assert np.array_equal(compile_model(model, save=["x"], constants=["rate"])([1e9])["x"], expected, equal_nan=True)


@pytest.mark.wrong_types
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constants": ["rat"]}, r"'rat' is not in the model; did you mean 'rate'\?"),
        ({"constants": ["rate", "rate"]}, "'rate' is given twice; name it once"),
        ({"constants": ["order"]}, "'order' decides the times of a run, its tolerances or the order of a delay"),
        ({"constants": ["length"]}, "'length' decides the times of a run"),
        ({"constants": ["FINAL TIME"]}, "'FINAL TIME' decides the times of a run"),
        ({"save": ["stok"]}, r"'stok' is not in the model; did you mean 'stock'\?"),
        (
            {"save": ["both[first]"]},
            r"'both\[first\]' is not in the model; give one label for each of its 2 subscripts",
        ),
        ({"integrator": "best"}, "integrator is 'best'"),
    ],
)
def test_what_cannot_be_compiled_is_named(options: dict[str, Any], message: str):
    """Before anything runs."""
    with pytest.raises((ScenarioError, SimulationError), match=message):
        compile_model(MODEL, **{"save": ["stock"], **options})


@pytest.mark.wrong_types
@pytest.mark.parametrize(
    ("point", "message"),
    [
        ([1.0, 2.0], r"the shape is \(2,\); give 1 number \(rate\), or rows of 1"),
        ([[[1.0]]], r"the shape is \(1, 1, 1\)"),
        ([np.nan], "a value is not finite"),
        ({"rate": 1}, "dict does not hold numbers alone; give an array with one for each of rate"),
        ([[1], [2, 3]], "list does not hold numbers alone"),
    ],
)
def test_wrong_numbers_are_refused(point: Any, message: str):
    """The machine code takes finite numbers alone."""
    with pytest.raises(ScenarioError, match=message):
        compile_model(MODEL, save=["stock"], constants=["rate"])(point)


def test_one_constant_takes_a_number_alone():
    """As optimisers of one number give it."""
    run = compile_model(MODEL, save=["stock"], constants=["rate"])
    assert np.array_equal(run(0.4)["stock"], run([0.4])["stock"])


@pytest.mark.wrong_types
@pytest.mark.parametrize("until", [-1, "2030", math.nan])
def test_a_run_ends_at_a_time_of_its_own(until: Any):
    """A time before the run is not taken for none."""
    with pytest.raises(SimulationError, match="until is .*; give a time"):
        compile_model(MODEL, save=["stock"], until=until)


def test_a_compiled_model_works_in_other_processes():
    """It is made again there, and gives the same numbers."""
    run = compile_model(MODEL, save=["stock"], constants=["rate"], until=5)
    again: PreparedSimulation = pickle.loads(pickle.dumps(run))  # noqa: S301 - made here
    assert np.array_equal(again([0.4])["stock"], run([0.4])["stock"])
    points = [[0.1], [0.2], [0.3]]
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(run, points))
    assert all(np.array_equal(own["stock"], run(point)["stock"]) for own, point in zip(found, points, strict=True))
