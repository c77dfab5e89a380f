"""Going on from a state: runs that continue another, initial values of stocks, and single steps."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sdmodel.errors import DatasetError, ScenarioError, SimulationError
from sdmodel.model import INTEGRATORS
from sdmodel.reading import read_model
from sdmodel.scenario import Scenario
from sdmodel.simulation import open_simulation, simulate
from sdmodel.store import open_run, save_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import model_from_text, read_change

pytestmark = pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")

TEXT = (  # every kind of memory: stocks, smooths, delays, samples, what is kept from the start, and what depends on constants alone
    "funds: first, second ~~|\nrate = 0.3 ~~|\ndouble = rate*2 ~~|\nstart[funds] = 1, 2 ~~|\ntable((0,0),(5,9)) ~~|\n"
    "stock[funds] = INTEG(SMOOTH3(double*stock[funds], 2) + read, start[funds]*2) ~~|\n"
    "late = DELAY FIXED(rate*stock[first], 2.5, 7) ~~|\nread = table(Time)*rate ~~|\nbegan = INITIAL(double + late) ~~|\n"
    "lowest = SAMPLE IF TRUE(MODULO(Time, 3) < 1, Time*rate, 2) ~~|\nslow = SMOOTH N(rate*Time, 3, 0, 2) ~~|\n"
    "total = began + lowest + slow + late + SUM(stock[funds!]) ~~|\n"
)
MODEL = tiny_model(TEXT, step=0.25, saveper=0.25)
TIMES = (0.0, 0.25, 3.0, 4.75, 10.0)
WITH_CHANGE = tiny_model(TEXT.replace("rate = 0.3", "rate = 0.4 + STEP(0.1 - 0.4, 3)"), step=0.25)


def _same(part: xr.Dataset, whole: xr.Dataset, at: float) -> None:
    rest = whole.sel(time=slice(at - 1e-9, None))
    assert np.array_equal(part["time"], rest["time"])
    assert list(part.data_vars) == list(rest.data_vars)
    for name in rest.data_vars:
        assert np.array_equal(part[name], rest[name], equal_nan=True), name


@pytest.mark.parametrize("saveper", [0.25, 1.0, 0.6])
@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_a_run_that_goes_on_equals_the_uninterrupted_one(integrator: Any, saveper: float):
    """To the last bit: all memories, every integrator, and saved times that are no multiples of the step."""
    options = {"constants": {"rate": 0.4, "SAVEPER": saveper}, "integrator": integrator}
    whole = simulate(MODEL, **options)
    for at in TIMES:
        _same(simulate(MODEL, start=whole, at=at), whole, at)


@pytest.mark.parametrize("integrator", ["euler", "diff", "rk4"])
def test_members_may_go_on_from_one_run(integrator: Any):
    """Each as if it had run from the start with the constants of the run before."""
    whole = simulate(MODEL, {"rate": 0.4}, integrator=integrator)
    later = simulate(MODEL, {"rate": [0.4, 0.1, 0.4]}, start=whole, at=3)
    same = simulate(MODEL, {"rate": [0.4, 0.4]}, integrator=integrator).sel(time=slice(3, None))
    for name in ("stock", "late", "total"):
        assert np.array_equal(later[name].isel(member=[0, 2]).values, same[name].values)
        assert not np.array_equal(later[name].isel(member=1), same[name].isel(member=1))


@pytest.mark.parametrize("integrator", ["euler", "rk2", "rk4"])
def test_a_constant_that_changes_equals_a_step_in_the_model(integrator: Any):
    """Also what depends on constants alone changes; what is kept from the start stays."""
    whole = simulate(MODEL, {"rate": 0.4}, integrator=integrator)
    later = simulate(MODEL, {"rate": 0.1}, start=whole, at=3)
    written = simulate(WITH_CHANGE, integrator=integrator).sel(time=slice(3, None))
    for name in ("stock", "late", "read", "began", "lowest", "slow", "total"):
        np.testing.assert_allclose(later[name], written[name], rtol=1e-13, atol=0)
    assert np.all(later["double"] == 0.2)


def test_a_run_may_go_on_again_and_again(tmp_path):
    """The record of each holds all before it, also in a file."""
    changes = Scenario("fast", (read_change("rate = 0.5"),), text="rate = 0.5\n")
    first = simulate(MODEL, {"start[first]": 3.0}, scenario=changes, integrator="rk4")
    second = simulate(MODEL, {"rate": 0.1}, start=first, at=3)
    third = simulate(MODEL, scenario=Scenario("slow", (read_change("table((0,1),(1,1))"),), text="table((0,1),(1,1))\n"), start=second, at=6)  # fmt: skip
    assert [run.attrs["scenario_name"] for run in (first, second, third)] == ["fast", "fast", "fast+slow"]
    assert third.attrs["integrator"] == "rk4"
    stored = open_run(save_run(third, tmp_path / "third.nc"))
    for at in (6, 8):
        _same(simulate(MODEL, start=stored, at=at), third, at)
    _same(simulate(MODEL, start=stored, at=4).sel(time=slice(None, 5.9)), second.sel(time=slice(None, 5.9)), 4)
    _same(simulate(MODEL, start=stored, at=2).sel(time=slice(None, 2.9)), first.sel(time=slice(None, 2.9)), 2)


def test_the_flagship_goes_on(project):
    """A whole model, from the middle of its run."""
    model = read_model(project / "models" / "ai_compute.mdl")
    whole = simulate(model)
    at = float(whole["time"][len(whole["time"]) // 3])
    _same(simulate(model, start=whole, at=at), whole, at)


def test_a_changed_model_goes_on_with_the_same_stocks():
    """New variables are computed; a memory that the run does not have is an error."""
    whole = simulate(MODEL)
    other = model_from_text(MODEL.text.replace("double = rate*2", "double = rate*2*more ~~|\nmore = 1"))
    later = simulate(other, start=whole, at=5)
    assert np.array_equal(later["stock"], whole["stock"].sel(time=slice(5, None)))
    assert float(later["more"]) == 1
    with pytest.raises(
        SimulationError, match="the run to go on from has no 'extra'; the model must have the same stocks"
    ):
        simulate(
            model_from_text(MODEL.text.replace("rate = 0.3", "rate = 0.3 ~~|\nextra = INTEG(1, 0)")), start=whole, at=5
        )
    with pytest.raises(SimulationError, match="has another INITIAL TIME or TIME STEP"):
        simulate(MODEL, {"TIME STEP": 0.5}, start=whole, at=5)


def test_a_member_of_an_ensemble_is_a_run_to_go_on_from():
    """Its constants are in the dataset."""
    runs = simulate(MODEL, {"rate": [0.1, 0.2]})
    later = simulate(MODEL, start=runs.isel(member=1), at=5)
    np.testing.assert_allclose(later["total"], runs["total"].isel(member=1).sel(time=slice(5, None)), rtol=1e-13)
    with pytest.raises(DatasetError, match=r"several members; choose one of them, such as run.isel\(member=0\)"):
        simulate(MODEL, start=runs, at=5)
    alone = simulate(MODEL, {"rate": [0.1, 0.2]}, save=["stock"]).isel(member=1)
    with pytest.raises(DatasetError, match="does not hold its value of rate; make the run again with all variables"):
        simulate(MODEL, start=alone, at=5)


@pytest.mark.wrong_types
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": 3.1}, r"no time step ends at 3.1; choose 3 or 3.25"),
        ({"at": 11}, "11 is outside the run, which goes from 0 to 10"),
        ({}, "give the time at which to go on from it"),
        ({"start": None, "at": 3}, "at is the time of a run to go on from; give the run"),
        ({"start": 3}, "start is int; give a run, as open_run returns it, or initial values of stocks by name"),
        ({"start": "base.nc", "at": 3}, "start is str; give a run"),
        ({"at": "3"}, "'3' is not a time; give a number, in the model's unit of time"),
        ({"start": {"rate": 3}}, "'rate' is not a stock of the model; name stocks"),
        ({"start": {"stok": 3}}, r"'stok' is not a stock of the model; did you mean 'stock'\?"),
        ({"start": {"stock[third]": 3}}, r"'stock' has no cell \[third\]"),
        ({"start": {"stock": "much"}}, "'stock' is given 'much'; give a number"),
    ],
)
def test_wrong_beginnings_are_named(options: dict[str, Any], message: str):
    """With what to do."""
    with pytest.raises((ScenarioError, SimulationError), match=message):
        simulate(MODEL, **{"start": simulate(MODEL), **options})


@pytest.mark.parametrize(
    "changes",
    [
        {"earlier": '[{"until": "x", "scenario": "", "changes": "", "initial": {}, "integrator": "euler"}]'},
        {"earlier": '[{"until": 1, "scenario": "", "changes": "", "initial": [], "integrator": "euler"}]'},
        {"earlier": '[{"until": 1, "scenario": "", "changes": "", "initial": {}, "integrator": "best"}]'},
        {"earlier": '[{"until": 1, "scenario": "", "changes": "", "initial": {}, "integrator": "euler", "seed": "x"}]'},
        {"earlier": f'[{{"until": {10**400}, "scenario": "", "changes": "", "initial": {{}}, "integrator": "euler"}}]'},
        {"earlier": '[{"until": 1, "scenario": "", "initial": {}, "integrator": "euler"}]'},
        {"earlier": "[3]"},
        {"earlier": "3"},
        {"noise_seed": "x"},
        {"noise_member": float("inf")},
        {"initial": "{"},
        {"integrator": "best"},
    ],
)
def test_a_damaged_record_is_refused(changes: dict[str, str]):
    """What a file says is not trusted."""
    with pytest.raises(DatasetError, match="of the run is damaged; make the run again"):
        simulate(MODEL, start=simulate(MODEL).assign_attrs(changes), at=5)


# initial values


def test_initial_values_of_stocks_equal_those_in_the_model():
    """Some labels, all of them, and several members; what depends on initial values follows."""
    text = "funds: first, second ~~|\nstart = 3 ~~|\nstock[funds] = INTEG(0.1*stock[funds], start) ~~|\n"
    text += "other = INTEG(1, stock[first]*2) ~~|\nbegan = INITIAL(stock[first]) ~~|\n"
    model = tiny_model(text)
    run = simulate(model, start={"stock[first]": 5})
    written = simulate(tiny_model(text.replace("stock[funds] = INTEG(0.1*stock[funds], start)", "stock[first] = INTEG(0.1*stock[first], 5) ~~|\nstock[second] = INTEG(0.1*stock[second], start)")))  # fmt: skip
    for name in ("stock", "other", "began"):
        assert np.array_equal(run[name], written[name])
    both = simulate(model, start={"STOCK": xr.DataArray([7.0, 8.0], dims="funds")})
    assert both["stock"].values[0].tolist() == [7, 8]
    members = simulate(model, start={"stock": [1.0, 2.0]})
    assert members["other"].values[0].tolist() == [2, 4]
    assert run.attrs["changes"] == ""
    later = simulate(model, start=run, at=5)
    assert np.array_equal(later["stock"], run["stock"].sel(time=slice(5, None)))


# steps


@pytest.mark.parametrize("integrator", ["euler", "rk4", "rk4-auto"])
def test_steps_give_the_numbers_of_a_run(integrator: Any):
    """To the last bit, whatever the number of steps at a time, and in copies."""
    run = simulate(MODEL, {"rate": 0.4}, integrator=integrator)
    simulation = open_simulation(MODEL, {"rate": 0.4}, integrator=integrator)
    for count in (0, 1, 2, 5, 20, 12):
        simulation.step(count)
        simulation = pickle.loads(pickle.dumps(copy.copy(simulation)))  # noqa: S301 - made here
        now = run.sel(time=simulation.time)
        for name in ("stock", "late", "read", "began", "lowest", "slow", "total", "rate"):
            assert np.array_equal(simulation[name], now[name]), (simulation.time, name)
    assert simulation.finished
    assert simulation.state == {
        f"stock[{label}]": float(now["stock"].sel(funds=label)) for label in ("first", "second")
    }
    assert simulation["stock[second]"] == float(now["stock"].sel(funds="second"))


def test_what_is_set_holds_from_now_on():
    """Constants and stocks; a copy goes its own way."""
    simulation = open_simulation(MODEL, {"rate": 0.4})
    simulation.run_until(3)
    other = copy.copy(simulation)
    simulation.set("rate", 0.1)
    assert simulation["double"] == 0.2
    assert other["double"] == 0.8
    simulation.run_until(10)
    later = simulate(MODEL, {"rate": 0.1}, start=simulate(MODEL, {"rate": 0.4}), at=3).isel(time=-1)
    for name in ("stock", "late", "total"):
        assert np.array_equal(simulation[name], later[name])
    other.set({"stock": 4, "stock[second]": 5})
    assert other.state == {"stock[first]": 4.0, "stock[second]": 5.0}
    other.set(other.state)
    other.set("stock", other["stock"] * 2)
    assert other["stock"].tolist() == [8.0, 10.0]
    begun = open_simulation(MODEL, start=simulate(MODEL, {"rate": 0.4}), at=3)
    assert begun["double"] == 0.8
    assert begun.time == 3


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda game: game.step(41), "41 steps from 0 end beyond FINAL TIME, 10; take fewer"),
        (lambda game: game.step(-1), "-1 is not a number of steps; give a whole number, at least 0"),
        (lambda game: game.step(1.5), "1.5 is not a number of steps"),
        (
            lambda game: (copied := copy.copy(game)).run_until(3) or copied.run_until(2),
            "2 is before now, 3; a simulation",
        ),
        (lambda game: game.run_until("3"), "'3' is not a time; give a number"),
        (lambda game: game.set("stok", 1), r"'stok' is not in the model; did you mean 'stock'\?"),
        (lambda game: game.set("stock", [1, 2, 3]), r"'stock' is given \[1, 2, 3\]; give a number, or an array of 2"),
        (lambda game: game.run_until(0.3), "no time step ends at 0.3; choose 0.25 or 0.5"),
        (lambda game: game.set("rat", 1), r"'rat' is not in the model; did you mean 'rate'\?"),
        (lambda game: game.set("total", 1), "'total' is an auxiliary, not a constant"),
        (
            lambda game: game.set("FINAL TIME", 1),
            "'FINAL TIME' decides the times of the run, its tolerances or the order of a delay",
        ),
        (lambda game: game.set("rate", np.nan), "'rate' is given nan; give a number"),
        (lambda game: game.set("rate"), "'rate' is given None; give a number"),
        (lambda game: game["stok"], r"'stok' is not in the model; did you mean 'stock'\?"),
        (
            lambda _: open_simulation(MODEL, {"rate": [1, 2]}),
            "have several members; give one number for each constant",
        ),
    ],
)
def test_wrong_moves_are_named(act: Any, message: str):
    """And change nothing."""
    game = open_simulation(MODEL)
    with pytest.raises((ScenarioError, SimulationError), match=message):
        act(game)
    assert (game.time, game["rate"], repr(game)) == (0, 0.3, "<OpenSimulation of tiny.mdl at 0>")
