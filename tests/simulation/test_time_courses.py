"""Time courses of constants: steps and lines, as texts, arrays and series; the numbers of the equivalent model text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sdmodel.analysis import attribute_levers, compare_runs
from sdmodel.ensemble import run_ensemble
from sdmodel.errors import ScenarioError, SimulationError
from sdmodel.model import INTEGRATORS
from sdmodel.scenario import Distribution, Sampling, Scenario, Variation, make_design, with_tables
from sdmodel.simulation import compile_model, simulate
from sdmodel.store import open_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import change_text, read_change, scenario_from_text, scenario_text

pytestmark = pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")

TEXT = (
    "f: a, b ~~|\nrate = 0.3 ~~|\nmore[f] = 1, 2 ~~|\nstock[f] = INTEG(rate*stock[f]*more[f], 1) ~~|\n"
    "late = DELAY FIXED(rate, 2, 7) ~~|\ndouble = rate*2 ~~|\nslow = SMOOTH3(double, 3) ~~|\nbegan = INITIAL(double) ~~|\n"
)
MODEL = tiny_model(TEXT, step=0.25)
STEPS = "0.4 until 3, then 0.1 until 6.5, then 0.2"
LINE = "linear: 0.4 at 2, 0.1 at 6.5"
WRITTEN = {
    STEPS: "IF THEN ELSE(STEP(1, 6.5), 0.2, IF THEN ELSE(STEP(1, 3), 0.1, 0.4))",
    LINE: "WITH LOOKUP(Time, ((2,0.4),(6.5,0.1)))",
}


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("course", [STEPS, LINE])
def test_a_time_course_gives_the_numbers_of_the_equivalent_model(course: str, integrator: Any):
    """To the last bit, also of what depends on constants alone, of delays and of what is kept from the start."""
    run = simulate(MODEL, {"rate": course}, integrator=integrator)
    written = simulate(
        tiny_model(TEXT.replace("rate = 0.3", f"rate = {WRITTEN[course]}"), step=0.25), integrator=integrator
    )
    assert list(run.data_vars) == list(written.data_vars)
    for name in run.data_vars:
        assert np.array_equal(run[name], written[name]), name


def test_steps_in_euler_equal_a_condition_on_time():
    """The value changes at the time step that is nearest."""
    written = tiny_model(TEXT.replace("rate = 0.3", "rate = IF THEN ELSE(Time < 3, 0.4, 0.1)"), step=0.25)
    for given in ("0.4 until 3, then 0.1", "0.4 UNTIL 3.1 , Then .1"):
        assert np.array_equal(simulate(MODEL, {"Rate": given})["stock"], simulate(written)["stock"])


def _series(course: str, index: Any) -> pd.Series:
    found = pd.Series([0.4, 0.1], index=index)
    found.attrs["interpolation"] = course
    return found


@pytest.mark.parametrize("index", [pd.Index([2, 6], name="time"), pd.Index([2.0, 6.0])])
def test_arrays_and_series_over_time(index: pd.Index):
    """Steps unless they say that they are linear; a series over whole numbers without that name holds members."""
    for course, text in (("steps", "0.4 until 6, then 0.1"), ("linear", "linear: 0.4 at 2, 0.1 at 6")):
        series = _series(course, index)
        array = xr.DataArray(series.to_numpy(), {"time": index.to_numpy()}, "time", attrs=series.attrs)
        runs = [simulate(MODEL, {"rate": given}) for given in (text, series, array)]
        assert all(np.array_equal(run["stock"], runs[0]["stock"]) for run in runs)
    assert np.array_equal(simulate(MODEL, {"rate": pd.Series([0.4, 0.1], index=index)})["stock"], simulate(MODEL, {"rate": "0.4 until 6, then 0.1"})["stock"])  # fmt: skip
    assert simulate(MODEL, {"rate": pd.Series([0.4, 0.1])}).sizes["member"] == 2


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (pd.Series([0.4, 0.1], pd.Index([0, 6], name="Time")), "0.4 until 6, then 0.1"),
        (xr.DataArray([0.4, 0.1], {"Time": [0, 6]}, "Time"), "0.4 until 6, then 0.1"),
    ],
)
def test_time_may_be_spelt_as_in_the_model(given: Any, text: str):
    """In capitals, too."""
    assert np.array_equal(simulate(MODEL, {"rate": given})["stock"], simulate(MODEL, {"rate": text})["stock"])


@pytest.mark.parametrize("index", [[2025, 2030], ["a", "b"], [1, 0], pd.MultiIndex.from_tuples([(0, 1), (0, 2)])])
def test_a_series_without_the_name_of_its_index_is_not_guessed(index: Any):
    """Whole numbers may be times, members or labels."""
    with pytest.raises(ScenarioError, match="name its index 'time', 'member' or a subscript range"):
        simulate(MODEL, {"rate": pd.Series([0.4, 0.1], index)})


@pytest.mark.parametrize(
    "index", [pd.date_range("2020-01-01", periods=2), pd.period_range("2020", periods=2, freq="Y"), pd.to_timedelta([1, 2], "D")]
)  # fmt: skip
def test_dates_are_not_times(index: Any):
    """A model counts time in a unit of its own."""
    with pytest.raises(ScenarioError, match="give times as numbers in the model's unit, not as dates"):
        simulate(MODEL, {"rate": pd.Series([0.4, 0.1], index)})


def test_the_name_of_an_index_is_a_dimension():
    """That of a subscript range, of members with their labels, or a new one, as for arrays."""
    assert simulate(MODEL, {"more": pd.Series([2, 1], pd.Index(["b", "a"], name="f"))})["more"].values.tolist() == [
        1,
        2,
    ]
    run = simulate(MODEL, {"rate": pd.Series([0.4, 0.1], pd.Index([7, 9], name="member"))})
    assert run["member"].values.tolist() == [7, 9]
    frame = pd.DataFrame({"rate": [0.4, 0.1], "more[b]": [3, 4]})
    assert simulate(MODEL, frame).equals(simulate(MODEL, {name: frame[name].to_numpy() for name in frame}))
    assert float(simulate(MODEL, pd.Series({"rate": 0.2}))["rate"]) == 0.2
    with pytest.raises(ScenarioError, match="'rate' is there twice"):
        simulate(MODEL, pd.DataFrame([[1, 2]], columns=["rate", "rate"]))


@pytest.mark.parametrize(
    ("course", "remark"),
    [
        ("1 until 20, then 2", "the time course of 'rate' changes only after the run ends at 10; check its times"),
        ("1 until -2, then 2", "the time course of 'rate' changes only before the run begins at 0; check its times"),
        (
            "linear: 1 at -5, 2 at -2",
            "the time course of 'rate' changes only before the run begins at 0; check its times",
        ),
        ("1 until 10, then 2", ""),
        ("linear: 1 at -5, 2 at 20", ""),
        ("0.5 until 2, then 9", "'rate' is set to 9, outside its range: above 3"),
    ],
)
def test_a_course_that_is_likely_a_mistake_is_reported(course: str, remark: str):
    """One without effect, and one that leaves the range of its constant."""
    model = tiny_model("stock = INTEG(rate, 1) ~~|\nrate = 1 ~ dmnl [0,3] ~|\n")
    assert simulate(model, {"rate": course}).attrs.get("remarks", "") == remark
    assert not simulate(model, {"rate": 1}, scenario=Scenario("", (read_change(f"rate = {course}"),))).attrs.get(
        "remarks"
    )


def test_one_label_may_have_a_time_course():
    """The others keep their numbers, those of the scenario too; the last change to a cell wins."""
    run = simulate(MODEL, {"more[a]": "1 until 4, then 3"})
    assert run["more"].sel(time=[3, 4, 5]).to_numpy().tolist() == [[1, 2], [3, 2], [3, 2]]
    assert run["more"].attrs["equation"] == "time course: 1 until 4, then 3; time course: 2"
    changes = [read_change(text) for text in ("more = 7", "more[a] = 1 until 4, then 3")]
    run = simulate(MODEL, scenario=Scenario("", tuple(changes)))
    assert run["more"].sel(time=4).to_numpy().tolist() == [3, 7]
    plain = simulate(MODEL, scenario=Scenario("", tuple(reversed(changes))))
    assert plain["more"].to_numpy().tolist() == [7, 7]
    given = simulate(MODEL, {"more": 7}, scenario=Scenario("", tuple(changes)))
    assert given["more"].to_numpy().tolist() == [7, 7]


def test_a_record_holds_time_courses():
    """Reading it gives the same run; so does going on from the run."""
    run = simulate(MODEL, {"rate": STEPS, "more[b]": LINE, "more[a]": 5})
    again = simulate(MODEL, scenario=scenario_from_text(run.attrs["changes"]))
    assert np.array_equal(again["stock"], run["stock"])
    assert np.array_equal(simulate(MODEL, start=run, at=5)["stock"], run["stock"].sel(time=slice(5, None)))


@pytest.mark.parametrize(
    "text", ["rate = 0.4 until 3, then 0.1 until 6.5, then 0.2", "more[a] = linear: 0.4 at 2, 1e-05 at 6.5"]
)
def test_a_file_holds_time_courses(text: str):
    """Written and read again, it is the same."""
    change = read_change(text)
    assert change_text(change) == text
    (same,) = scenario_from_text(scenario_text([change])).changes
    assert (same.name, same.subscripts, same.table, same.course) == (
        change.name,
        change.subscripts,
        change.table,
        change.course,
    )


def test_members_ensembles_and_light_calls_keep_the_time_course(tmp_path):
    """Other constants vary around it; the model is compiled once for all."""
    scenario = Scenario("waves", (read_change(f"rate = {STEPS}"),), text=f"rate = {STEPS}\n")
    alone = simulate(MODEL, {"more": 1.5}, scenario=scenario)
    many = simulate(MODEL, {"more": xr.DataArray([1.0, 1.5], dims="member")}, scenario=scenario)
    np.testing.assert_allclose(many["stock"].isel(member=1), alone["stock"], rtol=1e-12)
    light = compile_model(MODEL, save=["stock"], constants=["more"], scenario=scenario)
    assert np.array_equal(light([1.5, 1.5])["stock"], alone["stock"])
    design = make_design(MODEL, Sampling("multivariate", variations=(Variation("more", (), Distribution("RANDOM_UNIFORM", (1.0, 2.0))),)), count=5, seed=1)  # fmt: skip
    path = run_ensemble(MODEL, design, tmp_path / "runs.zarr", scenario=scenario, save=["stock", "rate"])
    stored = open_run(path)
    assert np.array_equal(stored["stock"].transpose("member", "time", "f"), light(design.values(0, 5).T)["stock"])
    assert with_tables(MODEL, scenario) is with_tables(MODEL, scenario)


def test_attribution_takes_a_time_course_as_a_lever():
    """Its contributions add up to the difference."""
    scenario = Scenario("both", (read_change(f"rate = {STEPS}"), read_change("more = 1.5")))
    parts = attribute_levers(MODEL, scenario, save=["late", "slow", "stock"])
    shares = parts["stock"].sel(measure="shapley")
    difference = simulate(MODEL, scenario=scenario)["stock"] - simulate(MODEL)["stock"]
    np.testing.assert_allclose(shares.sum("lever").transpose(*difference.dims), difference, rtol=1e-9, atol=1e-9)
    assert sorted(parts["lever"].to_numpy().tolist()) == ["more", "rate"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "4 until 3",
            "this is not a time course of 'rate'; write 'rate = 4 until 2027, then 1' or 'rate = linear: 4 at 2025",
        ),
        ("4 until 3, then 2 until 1, then 3", "the times of a time course must rise; write them in order"),
        ("linear: 3", "this is not a time course of 'rate'"),
        ("fast", "'rate' is given 'fast'; give a number"),
        (
            xr.DataArray([1.0, 2.0], dims="time"),
            "'rate': a time course has numbers over numbers of time",
        ),
        (xr.DataArray([1.0, 2.0], {"time": [1, 1]}, "time"), "'rate': the times of a time course must rise"),
        (
            xr.DataArray([1.0, np.nan], {"time": [1, 2]}, "time"),
            "'rate': there is no finite number at time 2; give one",
        ),
        (_series("cubic", pd.Index([0.0, 1.0])), "'rate': the interpolation is 'cubic'; choose 'steps' or 'linear'"),
    ],
)
def test_wrong_time_courses_are_named(value: Any, message: str):
    """With how to write them."""
    with pytest.raises(ScenarioError, match=message):
        simulate(MODEL, {"rate": value})


def test_only_constants_have_time_courses():
    """And TIME STEP only where steps of different lengths are supported."""
    with pytest.raises(ScenarioError, match="'double' is an auxiliary, not a constant"):
        simulate(MODEL, {"double": STEPS})
    with pytest.raises(
        SimulationError, match="TIME STEP or SAVEPER changes during the run, and a DELAY FIXED counts time steps"
    ):
        simulate(MODEL, {"TIME STEP": STEPS})
    scenario = Scenario("", (read_change(f"rate = {STEPS}"),))
    with pytest.raises(ScenarioError, match="'rate' has a time course in the scenario; leave out one of the two"):
        compile_model(MODEL, save=["stock"], constants=["rate"], scenario=scenario)
    with pytest.raises(ScenarioError, match="'rate' has a time course, and so cannot have several numbers"):
        simulate(MODEL, {"rate": [1, 2]}, scenario=scenario)


def test_runs_with_a_time_course_are_compared():
    """The comparison says what it is, also where the constant is not stored."""
    base = simulate(MODEL)
    runs = {"base": base, "waves": simulate(MODEL, {"rate": STEPS, "more[a]": LINE}, save=["stock"])}
    found = compare_runs(runs, at=[5.0])
    assert f"run 'waves': rate = {STEPS}" in found.changes.remarks
    assert f"run 'waves': more[a] = {LINE}" in found.changes.remarks
    assert [difference.name for difference in found.changes.constants] == ["rate", "more[a]", "more[b]"]
    values = [difference.values for difference in found.changes.constants]
    assert all(after is None for _, after in values)
