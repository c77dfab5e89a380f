"""One function simulates everything: labelled constants broadcast, times are checked, faults are reported."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.errors import ScenarioError, SimulationError
from sdmodel.scenario import Change, Scenario
from sdmodel.simulation import NotFiniteWarning, RunWarning, simulate
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text, scenario_from_text

GROWTH = "rate = 0.1\nstart = 100\nPopulation = INTEG(births, start)\nbirths = rate * Population"


def test_a_run_has_time_and_every_variable():
    """All elements are saved by default, constants without time."""
    run = simulate(tiny_model(GROWTH))
    assert run.population.dims == ("time",)
    assert run.rate.dims == ()
    assert float(run.population[-1]) == pytest.approx(100 * 1.1**10)
    assert run.population.attrs["kind"] == "stock"
    assert run.births.attrs["kind"] == "flow"


def test_labelled_constants_broadcast_like_xarray():
    """Arrays with different dimensions give a run over all combinations, each value at its place."""
    rates = xr.DataArray([0.1, 0.2, 0.3], dims="growth", coords={"growth": [1, 2, 3]})
    starts = xr.DataArray([1.0, 10.0], dims="size")
    run = simulate(tiny_model(GROWTH), {"rate": rates, "start": starts})
    assert dict(run.sizes) == {"time": 11, "growth": 3, "size": 2}
    expected = starts * (1 + rates) ** 10
    found = run.population.isel(time=-1).transpose(*expected.dims)
    assert np.allclose(found, expected)
    assert found.growth.values.tolist() == [1, 2, 3]
    assert run.rate.dims == ("growth",)


def test_a_sequence_and_a_dataset_over_member_are_equivalent():
    """A plain sequence lies along `member`; a dataset over `member` is a design."""
    model = tiny_model(GROWTH)
    sequence = simulate(model, {"rate": [0.1, 0.2]})
    design = simulate(model, xr.Dataset({"rate": ("member", [0.1, 0.2])}))
    assert sequence.population.dims == ("time", "member")
    assert np.array_equal(sequence.population, design.population)


def test_subscripted_constants_take_labels_ranges_and_arrays():
    """`name[label]` sets one cell; an array over the range sets all, by label, in any order."""
    model = tiny_model("d: A, B, C\nx[d] = 1, 2, 3\ny[d] = x[d] * 2")
    assert simulate(model, {"x[B]": 7}).y[0].values.tolist() == [2, 14, 6]
    assert simulate(model, {"x": 5}).y[0].values.tolist() == [10, 10, 10]
    array = xr.DataArray([30, 20, 10], dims="d", coords={"d": ["C", "B", "A"]})
    assert simulate(model, {"x": array}).y[0].values.tolist() == [20, 40, 60]
    many = simulate(model, {"x[A]": [1, 2], "x[C]": xr.DataArray([5.0, 6.0, 7.0], dims="z")})
    assert many.y.dims == ("time", "d", "member", "z")
    assert many.x.sel(d="C").isel(member=1).values.tolist() == [5, 6, 7]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3))
def test_numbers_do_not_depend_on_threads(members, threads):
    """Any split of the work gives the same numbers."""
    model = tiny_model(GROWTH)
    rates = np.linspace(0, 0.5, members)
    whole = simulate(model, {"rate": rates}, threads=1, save=["Population"])
    split = simulate(model, {"rate": rates}, threads=threads, save=["Population"])
    assert np.array_equal(whole.population, split.population)
    assert np.allclose(whole.population[-1], 100 * (1 + rates) ** 10)


def test_save_and_saveper_limit_the_run():
    """`save` limits variables, SAVEPER limits times."""
    run = simulate(tiny_model(GROWTH, step=0.25, saveper=1), save=["population"])
    assert set(run.data_vars) == {"population"}
    assert run.time.values.tolist() == [float(t) for t in range(11)]


def test_time_settings_can_be_set():
    """TIME STEP, FINAL TIME and SAVEPER are constants like others."""
    run = simulate(tiny_model(GROWTH), {"TIME STEP": 0.5, "FINAL TIME": 2})
    assert run.time.values.tolist() == [0, 0.5, 1, 1.5, 2]
    assert run.attrs["time_step"] == 0.5


BAD_TIMES = {
    ("TIME STEP", 0): "TIME STEP is 0; it must be above 0",
    ("TIME STEP", -1): "TIME STEP is -1; it must be above 0",
    ("TIME STEP", 1e-12): "over a billion steps",
    ("FINAL TIME", -5): "FINAL TIME is -5, before INITIAL TIME, 0",
}


@pytest.mark.parametrize("change", BAD_TIMES)
def test_impossible_times_are_refused(change):
    """Each message says what to do."""
    with pytest.raises(SimulationError, match=BAD_TIMES[change]):
        simulate(tiny_model(GROWTH), dict([change]))


@pytest.mark.parametrize(
    ("saveper", "step", "times"),
    [
        (0.25, 0.5, [0, 0.5, 1, 1.5, 2]),
        (0.6, 0.5, [0, 0.5, 1, 2]),
        (0.75, 0.5, [0, 1, 1.5]),
        (0.6, 0.25, [0, 0.5, 1.25, 1.75]),
        (0.35, 0.1, [0, 0.4, 0.7, 1.1, 1.4, 1.8]),  # 3.4999999999999996 steps
        (3, 0.5, [0]),
    ],
)
@pytest.mark.parametrize("members", [1, 3])
def test_values_are_saved_at_the_step_nearest_to_each_saveper(saveper, step, times, members):
    """A SAVEPER beside the grid is reported; the saved times are those of the values."""
    model = tiny_model("level = INTEG(1 + 0*rate, 0)\nrate = 1", final=2, step=step, saveper=saveper)
    with pytest.warns(RunWarning, match=r"nearest step|is not saved"):
        run = simulate(model, {"rate": np.ones(members)} if members > 1 else None)
    assert run.time.values.tolist() == pytest.approx(times)
    assert np.allclose(run.level.values.reshape(len(times), -1).T, times)


def test_a_value_that_fails_is_blank_from_its_step_on_beside_the_grid():
    """Saved lines and steps are kept apart where the two have no common multiple."""
    model = tiny_model("level = INTEG(1/(5 - Time), 0)", saveper=1.4)
    with (
        pytest.warns(RunWarning, match="nearest"),
        pytest.warns(NotFiniteWarning, match="'level' is not finite from time 6"),
    ):
        run = simulate(model)
    assert run.time.values.tolist() == [0, 1, 3, 4, 6, 7, 8, 10]
    assert np.isfinite(run.level.values).tolist() == [True] * 4 + [False] * 4


def test_times_must_be_the_same_for_all_members():
    """One dataset has one time axis."""
    with pytest.raises(SimulationError, match="'TIME STEP' decides the times of a run"):
        simulate(tiny_model(GROWTH), {"TIME STEP": [0.5, 1]})


BAD_CONSTANTS = {
    "rat": "'rat' is not in the model; did you mean 'rate'?",
    "Population": "'Population' is a stock, not a constant",
    "births": "'births' is a flow, not a constant",
    "rate[A]": "has 0 subscripts, not 1",
}


@pytest.mark.parametrize("name", BAD_CONSTANTS)
def test_only_constants_can_be_set(name):
    """Unknown names and other kinds are refused by name."""
    with pytest.raises(ScenarioError) as caught:
        simulate(tiny_model(GROWTH), {name: 1})
    assert BAD_CONSTANTS[name] in str(caught.value)


@pytest.mark.parametrize("value", ["fast", float("nan"), None, [1, "x"], ("member", [1, 2])])
def test_values_must_be_finite_numbers(value):
    """Text and missing values are refused before anything runs."""
    with pytest.raises(ScenarioError, match="'rate' is given"):
        simulate(tiny_model(GROWTH), {"rate": value})


def test_unchangeable_constants_cannot_be_set():
    """`==` means that nothing may set it."""
    with pytest.raises(ScenarioError, match="unchangeable"):
        simulate(tiny_model("k == 3\nx = k"), {"k": 4})


def test_all_faults_of_the_constants_are_reported_together():
    """A user can correct them at the same time."""
    with pytest.raises(ScenarioError) as caught:
        simulate(tiny_model(GROWTH), {"rat": 1, "births": 2})
    assert len(caught.value.faults) == 2


def test_unknown_names_to_save_are_refused():
    """A misspelt save list does not save less by accident."""
    with pytest.raises(SimulationError, match="did you mean 'Population'"):
        simulate(tiny_model(GROWTH), save=["Populaton"])


def test_a_result_larger_than_memory_is_refused():
    """The message says what to do; memory stays within the limit."""
    with pytest.raises(SimulationError, match=r"above the limit of .*; save fewer variables"):
        simulate(tiny_model(GROWTH), {"rate": np.zeros(100_000)}, memory="1MiB")
    with pytest.raises(SimulationError, match="write a size like"):
        simulate(tiny_model(GROWTH), memory="plenty")


def test_a_failed_run_is_kept_up_to_the_failure():
    """A stock that is not finite is named with its time and member; other members are not affected."""
    model = tiny_model("k = 1\nStock = INTEG(k * Stock * Stock, 10)", final=20)
    with pytest.warns(NotFiniteWarning, match="member 1: 'Stock' is not finite from time") as caught:
        run = simulate(model, {"k": [0, 1]})
    assert np.isfinite(run.stock.isel(member=0)).all()
    broken = run.stock.isel(member=1)
    first = int(np.argmin(np.isfinite(broken.values)))
    assert first > 3
    assert np.isnan(broken[first:]).all()
    assert run.attrs["not_finite"] == str(caught[0].message)
    assert f"from time {run.time.values[first]:g}" in run.attrs["not_finite"]


def test_an_auxiliary_may_be_infinite_for_a_while():
    """It is reported, and the run continues."""
    with pytest.warns(NotFiniteWarning, match="'y' is not finite from time 0; look for a division by zero"):
        run = simulate(tiny_model("y = 1 / Time\ns = INTEG(1, 0)"))
    assert run.s.values[-1] == 10
    assert run.y.values[2] == 0.5


def test_only_what_depends_on_a_failed_stock_is_blank():
    """Everything else keeps its value after a stock has failed."""
    model = tiny_model("""
        Broken = INTEG(Broken * Broken, 10)
        uses = MIN(Broken, 5)
        Whole = INTEG(1, 0)
        sees = IF THEN ELSE(Broken > 3, Whole, 0)
        ignores = IF THEN ELSE(Time >= 0, Whole, Broken)
    """, final=20)  # fmt: skip
    with pytest.warns(NotFiniteWarning, match="'Broken' is not finite from time"):
        run = simulate(model)
    assert run["whole"].values.tolist() == run["ignores"].values.tolist() == list(range(21))
    failed = np.isnan(run["broken"].values)
    assert failed.sum() > 5
    for name in ("uses", "sees"):
        assert np.isnan(run[name].values).tolist() == failed.tolist()


@pytest.mark.parametrize("saveper", [1, 5])
def test_the_message_names_what_broke_first(saveper):
    """The first operation is far from what shows it: in a delay, between saved times, in a variable that is not saved."""
    model = tiny_model(
        "cause = IF THEN ELSE(Time = 3, LN(-1), 1)\nlate = DELAY FIXED(cause, 4, 1)\ns = INTEG(late, 0)",
        final=20,
        saveper=saveper,
    )
    with pytest.warns(
        NotFiniteWarning, match="'cause' is not finite from time 3; look for a division by zero"
    ) as caught:
        run = simulate(model, save=["s"])
    assert len(caught) == 1
    assert np.isfinite(run["s"].values).tolist() == [time < 8 for time in run.time.values]


def test_the_members_of_an_ensemble_hide_nothing_either():
    """Members run side by side in vectors: the member that divides by zero is named, the others are right."""
    model = tiny_model(
        "k = 1\na = MAX(1 / k, 0.25)\ns = INTEG(IF THEN ELSE(1 / k > 0, 1, 2), 0)\nd = LOOKUP BACKWARD(f, 1/k)\nf((0,1),(1,2))"
    )
    with pytest.warns(NotFiniteWarning, match="member 3: 'a' is not finite from time 0"):
        run = simulate(model, {"k": [1.0, 2.0, -1.0, 0.0, 4.0]})
    assert np.isnan(run["a"].values[-1]).tolist() == [False, False, False, True, False]
    assert run["a"].values[-1, :3].tolist() == [1, 0.5, 0.25]
    assert run["s"].values[-1, [0, 2]].tolist() == [10, 20]
    assert np.isnan(run["s"].values[1:, 3]).all()
    assert run["d"].values[-1, [0, 1]].tolist() == [2, 1]
    assert np.isnan(run["d"].values[:, 3]).all()


def test_progress_is_reported_up_to_the_last_member():
    """The caller gets a report of each batch."""
    heard = []
    simulate(tiny_model(GROWTH), {"rate": np.zeros(5000)}, progress=lambda done, of: heard.append((done, of)))
    assert heard[-1] == (5000, 5000)
    assert len(heard) > 1


def test_cells_without_an_equation_are_missing():
    """They have no number."""
    run = simulate(tiny_model("d: A, B, C\nx[A] = Time\nx[C] = 2 * Time"))
    assert run.x.dims == ("time", "d")
    assert np.isnan(run.x.sel(d="B")).all()
    assert run.x.sel(d="C").values[-1] == 20


@pytest.mark.parametrize("twin", ["Other: s1, s2", "Other <-> Sector"], ids=["own labels", "alias"])
def test_a_range_follows_the_range_that_it_maps_to(twin):
    """Not another with the same labels that comes first, as in tables between sectors of regions; in either direction."""
    model = tiny_model(
        f"Sector: s1, s2\n{twin}\nAll: n1, m1, n2, m2\nAgain <-> All\n"
        "North: n1, n2 -> Sector\nNorth again: n1, n2 -> Other\nSouth again: m1, m2 -> Other\n"
        "flows[All, Again] = 11, 12, 13, 14; 21, 22, 23, 24; 31, 32, 33, 34; 41, 42, 43, 44;\n"
        "within[Sector, Other] = flows[North, North again]\nout[Sector, Other] = flows[North, South again]*Time/Time\n"
        "start[Sector, Other] = INTEG(0, flows[North, South again])\nback[North, South again] = within[Sector, Other]",
        initial=1,
    )
    run = simulate(model)
    assert (
        run["within"].isel(time=0).values.tolist() == run["back"].isel(time=0).values.tolist() == [[11, 13], [31, 33]]
    )
    assert run["out"].isel(time=0).values.tolist() == run["start"].isel(time=0).values.tolist() == [[12, 14], [32, 34]]


def test_constants_without_an_equation_are_missing_in_models_without_stocks():
    """Nothing writes them while such a model runs; another constant's value must not take their place."""
    model = tiny_model("d: A, B, C\nfirst = 5\ng[d] :EXCEPT: [A] = 7\nk[B] = 8\nm[d] = first * 2")
    for changes in ({}, {"g[B]": [7, 7]}):
        run = simulate(model, changes)
        for name, expected in (("g", [np.nan, 7, 7]), ("k", [np.nan, 8, np.nan])):
            found = run[name].isel(member=0) if "member" in run[name].dims else run[name]
            np.testing.assert_array_equal(found.isel(time=0) if "time" in found.dims else found, expected)


def test_the_memory_of_an_ensemble_stays_within_its_estimate():
    """The allocated memory is the estimate, and little more."""
    import tracemalloc

    model = tiny_model(GROWTH)
    rates = np.zeros(50_000)
    simulate(model, {"rate": [0.1, 0.2]})
    tracemalloc.start()
    run = simulate(model, {"rate": rates}, save=["Population"], memory="16MiB")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert run.population.nbytes == 11 * 50_000 * 8
    assert peak < 16 * 2**20


@pytest.mark.parametrize("saveper", [2.0**64 + 4096, 1e308, 2.0**65, 0, -1])
def test_times_beyond_machine_numbers_are_refused(saveper):
    """No number of a model file overflows the counters of the machine code."""
    with pytest.raises(SimulationError, match="SAVEPER is"):
        simulate(tiny_model(GROWTH, final=1e6, saveper=saveper))


def test_an_unsaved_final_time_is_reported():
    """A run that ends before FINAL TIME says so."""
    with pytest.warns(RunWarning, match="FINAL TIME, 10, is not saved: the last saved time is 9"):
        run = simulate(tiny_model(GROWTH, step=3))
    assert run.time.values[-1] == 9
    assert "is not saved" in run.attrs["remarks"]


@pytest.mark.parametrize("options", [{"integrator": "RK4"}, {"threads": 0}, {"threads": "2"}, {"integrator": 3}])
def test_unknown_options_are_refused(options):
    """A misspelt option is never ignored."""
    with pytest.raises(Exception, match=r"it must be|violates"):
        simulate(tiny_model(GROWTH), **options)


@pytest.mark.parametrize("value", [[], np.zeros((2, 2)), "3", np.datetime64("2020-01-01"), 10**400])
def test_values_other_than_labelled_numbers_are_refused(value):
    """Empty, without a name, or not numbers: each is reported."""
    with pytest.raises(ScenarioError, match="'rate' is given"):
        simulate(tiny_model(GROWTH), {"rate": value})


def test_member_labels_may_be_missing_values():
    """Dimensions are equal if their labels are, missing ones included."""
    labels = {"m": [1.0, np.nan]}
    arrays = {name: xr.DataArray([0.1, 0.2], dims="m", coords=labels) for name in ("rate", "start")}
    assert simulate(tiny_model(GROWTH), arrays).population.sizes["m"] == 2


def test_a_failure_at_the_start_is_named():
    """An initial value that is not finite is reported by name, from the first time on."""
    with pytest.warns(NotFiniteWarning, match="'a' is not finite from time 0"):
        simulate(tiny_model("z = 0\na = 1 / z\ns = INTEG(a, 0)"))


def test_a_large_array_of_constants_is_set_by_label():
    """Labels are looked up once, in any order."""
    model = tiny_model("d: (a1-a900)\nx[d] = 1\ntotal = SUM(x[d!])")
    labels = [f"a{n}" for n in range(900, 0, -1)]
    run = simulate(model, {"x": xr.DataArray(np.arange(900.0), dims="d", coords={"d": labels})})
    assert float(run.x.sel(d="a900")) == 0
    assert run.total.values.flat[0] == 900 * 899 / 2


def test_the_order_of_a_delay_follows_the_constants_of_a_run():
    """A DELAY N has the order that its expression has at the start of this run, and no stage shorter than a time step."""
    equations = "o = {}\nt = {}\nx = DELAY N(Time, t, 0, o)"
    for o, t in ((1, 4), (3, 6), (2, 1)):
        with warnings.catch_warnings(record=True) as reported:
            warnings.simplefilter("always")
            asked = simulate(tiny_model(equations.format(3, 4)), {"o": o, "t": t})
            written = simulate(tiny_model(equations.format(o, t)))
        assert len(reported) == 2 * (t < o)
        assert asked.x.values.tolist() == written.x.values.tolist()
    with pytest.raises(SimulationError, match="of different orders"):
        simulate(tiny_model(equations.format(3, 4)), {"o": [1, 2]})
    many = simulate(tiny_model(equations.format(3, 4)), {"t": [4, 5]})
    assert many.x.sizes["member"] == 2


def test_a_dimension_of_one_constant_has_its_values_as_labels():
    """An array without labels gives its dimension its own values, with the constant's name; a shared one stays counted."""
    model = tiny_model(GROWTH)
    values = xr.DataArray([0.1, 0.3], dims="growth")
    run = simulate(model, {"rate": values})
    assert run.growth.values.tolist() == [0.1, 0.3]
    assert run.growth.attrs["long_name"] == "rate"
    assert np.allclose(run.population.sel(growth=0.3)[-1], 100 * 1.3**10)
    both = simulate(model, {"rate": values, "start": xr.DataArray([1.0, 2.0], dims="growth")})
    assert both.growth.values.tolist() == [0, 1]
    assert simulate(model, {"rate": [0.1, 0.3]}).member.values.tolist() == [0, 1]


def test_one_name_to_save_may_be_a_plain_text():
    """A single name is not split into its letters."""
    assert set(simulate(tiny_model(GROWTH), save="Population").data_vars) == {"population"}


def test_a_value_outside_its_range_is_reported():
    """The run is made all the same: a user may leave the range on purpose."""
    text = model_text("k = 1\n\t~\tDmnl [0,2]\n\t~\t\n\t|\n\ns = INTEG(k, 0)\n\t~\t\n\t~\t\n\t|")
    with pytest.warns(RunWarning, match="'k' is set to 99, outside its range: above 2"):
        run = simulate(model_from_text(text, "m.mdl"), {"k": 99})
    assert run.s[-1] == 990


def test_the_changes_of_a_run_do_not_repeat_its_scenario():
    """What is in the scenario's text is not listed again among the changes."""
    scenario = Scenario("fast", (Change("rate", values=(0.5,)),), text="rate = 0.5")
    run = simulate(tiny_model(GROWTH), {"start": 7}, scenario=scenario)
    assert run.attrs["scenario_name"] == "fast"
    assert run.attrs["changes"] == "start = 7.0"
    assert simulate(tiny_model(GROWTH), {"rate": 0.6}, scenario=scenario).attrs["changes"] == "rate = 0.6"


def test_a_lookup_takes_points():
    """For all its labels or one; the record of the run holds them with all digits."""
    model = tiny_model(
        "f: a, b ~~|\ntable((0,0),(10,10)) ~~|\nown[f]((0,0),(1,1)) ~~|\ny = table(Time) + SUM(own[f!](1)) ~~|\nc = 1 ~~|"
    )
    given = {"table": [(0, 0), (10, 1 / 3)], "own[b]": np.array([[0, 0], [1, 7]]), "c": 2}
    run = simulate(model, given)
    assert run["y"].values.tolist() == pytest.approx((np.arange(11) / 30 + 8).tolist())
    text = run.attrs["changes"]
    assert "table((0,0),(10,0.3333333333333333))" in text.replace(" ", "")
    again = simulate(model, scenario=scenario_from_text(text))
    assert np.array_equal(again["y"], run["y"])
    assert again.attrs["scenario"] == text
    assert again.attrs["changes"] == ""


@pytest.mark.parametrize("value", [3, [1, 2], [], "steep", [(0, math.nan)], [(0, 1, 2)]])
def test_a_lookup_takes_nothing_else(value):
    """The error shows how points are written."""
    model = tiny_model("table((0,0),(10,10)) ~~|\ny = table(Time) ~~|")
    with pytest.raises(ScenarioError, match=r"'table' is a lookup; give it points: \[\(0, 0\), \(1, 1\)\]"):
        simulate(model, {"table": value})
