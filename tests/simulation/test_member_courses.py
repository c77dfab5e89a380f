"""Time courses that differ between members: the numbers of single runs, however they are given, split, stored and repeated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

from sdmodel.analysis import attribute_levers, compare_runs, rank_levers, sweep_levers
from sdmodel.cli import main
from sdmodel.ensemble import run_ensemble
from sdmodel.errors import AnalysisError, EnsembleError, ScenarioError
from sdmodel.explore import make_explorer
from sdmodel.model import INTEGRATORS
from sdmodel.scenario import Distribution, Sampling, Scenario, Variation, make_design
from sdmodel.simulation import RunWarning, open_simulation, simulate, with_data
from sdmodel.store import open_run, save_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import change_text, read_change

pytestmark = pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")

TEXT = (
    "f: a, b ~~|\nrate = 0.3 ~~|\nmore[f] = 1, 2 ~~|\nlife = 3 ~~|\ndemand ~~|\n"
    "stock[f] = INTEG(rate*stock[f]*more[f] + demand - stock[f]/life, 1) ~~|\n"
    "late = DELAY FIXED(rate, 2, 7) ~~|\ndouble = rate*2 ~~|\nslow = SMOOTH3(double, 3) ~~|\nbegan = INITIAL(double) ~~|\n"
)
MODEL = with_data(tiny_model(TEXT, step=0.25), {"demand": pd.Series([0.0, 0.5], index=[0, 9])})
TIMES = np.array([1.0, 3.0, 3.1, 6.5, 8.0])
COUNT = 11
VALUES = np.random.default_rng(3).normal(0.1, 0.3, (5, COUNT))
RATES = xr.DataArray(VALUES, {"time": TIMES}, ("time", "member"))
DEMANDS = pd.DataFrame(VALUES, index=TIMES)
LEVEL = Variation("life", (), Distribution("RANDOM_UNIFORM", (2.0, 4.0)))


def _written(values: Any, way: str) -> str:
    """The rate as a modeller writes it."""
    if way == "linear":
        return f"WITH LOOKUP(Time, ({','.join(f'({t!r},{v!r})' for t, v in zip(TIMES.tolist(), values, strict=True))}))"
    text = repr(values[0])
    for time, value in zip(TIMES.tolist()[1:], values[1:], strict=True):
        text = f"IF THEN ELSE(STEP(1, {time!r}), {value!r}, {text})"
    return text


def _assert_members_equal(run: xr.Dataset, member: int, alone: xr.Dataset) -> None:
    for name in alone.data_vars:
        found = run[name].isel(member=member) if "member" in run[name].dims else run[name]
        assert np.array_equal(found, alone[name], equal_nan=True), name


def test_courses_of_members_outside_the_range_are_reported(tmp_path: Path):
    """By a run, and by an ensemble whose first members stay inside."""
    model = tiny_model("stock = INTEG(rate, 1) ~~|\nrate = 1 ~ dmnl [0,3] ~|\n")
    courses = {"rate": pd.DataFrame({0: [1, 2], 1: [2, 1], 2: [1, 9]}, index=[0, 5])}
    with pytest.warns(RunWarning, match="'rate' is set to 9, outside its range: above 3"):
        simulate(model, courses)
    with pytest.warns(RunWarning, match="^some members have values outside the range of 'rate'$"):
        run_ensemble(model, make_design(model, courses=courses), tmp_path / "a.zarr")


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("way", ["steps", "linear"])
def test_each_member_has_the_numbers_of_its_own_run_and_of_its_own_model(way: str, integrator: Any):
    """To the last bit; the model has no function that the C library and its vectors round otherwise."""
    rates = RATES.assign_attrs(interpolation=way)
    run = simulate(MODEL, {"rate": rates}, integrator=integrator)
    assert run["rate"].dims == ("time", "member")
    for member in range(COUNT):
        _assert_members_equal(run, member, simulate(MODEL, {"rate": rates.isel(member=member)}, integrator=integrator))
    text = TEXT.replace("rate = 0.3", f"rate = {_written(VALUES[:, 4].tolist(), way)}")
    written = with_data(tiny_model(text, step=0.25), {"demand": pd.Series([0.0, 0.5], index=[0, 9])})
    _assert_members_equal(run, 4, simulate(written, integrator=integrator))


def test_random_times_and_a_single_point():
    """Also times outside of the run, one point, and many evenly spaced points."""
    model, chance = tiny_model("stock = INTEG(rate*stock, 1) ~~|\nrate = 1 ~~|\n"), np.random.default_rng(5)
    many = [np.sort(chance.uniform(-3, 14, chance.integers(2, 40))) for _ in range(3)]
    for times in [np.array([4.0]), np.arange(0.0, 10.0, 0.25), np.array([20.0, 30.0]), *many]:
        for way in ("steps", "linear"):
            rates = pd.DataFrame(chance.normal(0, 0.2, (len(times), 3)), index=times)
            rates.attrs["interpolation"] = way
            run = simulate(model, {"rate": rates}, integrator="rk2")
            own = pd.Series(rates[1].to_numpy(), pd.Index(times, name="time"))
            own.attrs["interpolation"] = way
            _assert_members_equal(run, 1, simulate(model, {"rate": own}, integrator="rk2"))


@pytest.mark.parametrize("keyword", ["", ":INTERPOLATE:", ":LOOK FORWARD:", ":HOLD BACKWARD:", ":RAW:"])
def test_data_of_members_is_read_as_the_keyword_says(keyword: str):
    """Also shifted, and its first and last time."""
    model = tiny_model(
        f"demand {keyword} ~~|\nserved = 2*demand ~~|\nlater := TIME SHIFT(demand, 1) ~~|\n"
        "near = GET DATA BETWEEN TIMES(demand, Time + 0.5, Time - 5) ~~|\n"
        "span = GET DATA LAST TIME(demand) - GET DATA FIRST TIME(demand) + GET DATA TOTAL POINTS(demand, 0, 7) ~~|\n"
    )
    run = simulate(model, data={"demand": DEMANDS})
    for member in range(COUNT):
        _assert_members_equal(run, member, simulate(model, data={"demand": DEMANDS[member]}))
    wrong = tiny_model("demand ~~|\nmost = GET DATA MAX(demand, 0, 5) ~~|\ntotal := CUMULATE(demand) ~~|\n")
    with pytest.raises(
        ScenarioError, match="which GET DATA MAX cannot read; give the result as data of its own"
    ) as error:
        simulate(wrong, data={"demand": DEMANDS})
    assert "which CUMULATE cannot read" in str(error.value)


@pytest.mark.parametrize("members", [{}, {"member": range(2)}], ids=["one course", "a course for each member"])
def test_the_keyword_of_data_is_not_overridden(members: dict[str, Any]):
    """An array that says how to interpolate is refused, since the model decides that for data."""
    model = tiny_model("demand ~~|\nserved = 2*demand ~~|\n")
    shape = (3, *map(len, members.values()))
    own = {"time": [0.0, 1, 2], **members}
    array = xr.DataArray(np.ones(shape), own, tuple(own), attrs={"interpolation": "steps"})
    with pytest.raises(ScenarioError, match=r"'demand': its keyword in the model.*leave out the interpolation"):
        simulate(model, data={"demand": array})


def test_subscripts_are_matched_by_label():
    """In any order of dimensions and labels; one label may be given alone; what all members share may have subscripts too."""
    values = np.random.default_rng(7).uniform(0, 0.2, (2, 5, COUNT))
    more = xr.DataArray(values, {"f": ["b", "a"], "time": TIMES}, ("f", "time", "member"))
    run = simulate(MODEL, {"more": more.transpose("member", "f", "time")})
    part = simulate(MODEL, {"more[b]": more.sel(f="b", drop=True)})
    for member in range(COUNT):
        own = more.isel(member=member)
        alone = simulate(MODEL, {"more[a]": own.sel(f="a", drop=True), "more[b]": own.sel(f="b", drop=True)})
        _assert_members_equal(run, member, alone)
        assert np.array_equal(simulate(MODEL, {"more": own})["stock"], alone["stock"])
        assert np.array_equal(part["stock"].isel(member=member).sel(f="b"), alone["stock"].sel(f="b"))
    assert (part["more"].sel(f="a") == 1).all()
    model = tiny_model("f: a, b ~~|\ndemand[f] ~~|\nserved[f] = demand[f] ~~|\n")
    given = simulate(model, data={"demand": more})
    assert np.array_equal(
        given["served"].isel(member=2), simulate(model, data={"demand": more.isel(member=2)})["served"]
    )


def test_members_meet_by_their_labels():
    """A constant, a course and data of the same members; a dataset over `member` holds courses as it holds constants."""
    labels = np.arange(COUNT)[::-1]
    mixed = RATES.assign_coords(member=np.arange(COUNT)).sel(member=labels)
    lives = xr.DataArray(np.linspace(2, 4, COUNT), {"member": np.arange(COUNT)}, "member")
    run = simulate(MODEL, {"life": lives, "rate": mixed}, data={"demand": DEMANDS})
    design = xr.Dataset({"life": lives, "rate": RATES.assign_coords(member=np.arange(COUNT))})
    again = simulate(MODEL, design, data={"demand": DEMANDS[labels]})
    assert np.array_equal(run["stock"], again["stock"])
    alone = simulate(MODEL, {"life": float(lives[3]), "rate": RATES.isel(member=3)}, data={"demand": DEMANDS[3]})
    assert np.array_equal(run["stock"].isel(member=3), alone["stock"])


def test_blocks_threads_and_processes_change_nothing(tmp_path: Path):
    """Nor does a resumed ensemble; with its design the run is repeated, and another course is noticed."""
    count = 2100
    values = np.random.default_rng(1).normal(0, 0.1, (5, count))
    demands = pd.DataFrame(values, index=TIMES)
    rates = xr.DataArray(values[::-1], {"time": TIMES}, ("time", "member"), attrs={"interpolation": "linear"})
    whole = simulate(MODEL, {"rate": rates}, data={"demand": demands}, save=["stock"])
    design = make_design(MODEL, courses={"rate": rates, "demand": demands})
    assert design.count == count
    with ThreadPoolExecutor(2) as pool:
        for options in ({"threads": 1}, {"threads": 2}, {"executor": pool}):
            run = simulate(MODEL, {"rate": rates}, data={"demand": demands}, save=["stock"], **options)  # type: ignore[arg-type]
            assert np.array_equal(run["stock"], whole["stock"])
        for name, workers in (("a", None), ("b", pool)):
            path = run_ensemble(MODEL, design, tmp_path / f"{name}.zarr", save=["stock"], executor=workers)
            stored = open_run(path)
            assert np.array_equal(stored["stock"], whole["stock"])
            assert np.array_equal(stored["rate_course"], rates)
    other = make_design(MODEL, courses={"rate": rates + 1e-12, "demand": demands})
    with pytest.raises(EnsembleError, match="cannot be resumed, the design differs from"):
        run_ensemble(MODEL, other, tmp_path / "a.zarr", save=["stock"], resume=True)
    assert run_ensemble(MODEL, design, tmp_path / "a.zarr", save=["stock"], resume=True)
    found = CliRunner().invoke(main, ["rerun", str(tmp_path / "a.zarr")])
    assert "all 3 variables are equal in 1,000 of 2,100 members, to the last digit" in found.stdout
    shown = CliRunner().invoke(main, ["show", str(tmp_path / "a.zarr")]).stdout
    assert "rate = by member: linear at 1, 3, 3.1, 6.5, 8" in shown
    assert "rate course" not in shown


def test_a_stored_run_is_repeated_from_its_record(tmp_path: Path):
    """Although it was stored with few variables; a run with another course differs, and `compare_runs` says where."""
    model = tiny_model(TEXT.replace("demand ~~|\n", "demand = 0 ~~|\n"), step=0.25)
    run = simulate(model, {"rate": RATES}, save=["stock"])
    path = save_run(run, tmp_path / "own.nc")
    assert "all 2 variables are equal, to the last digit" in CliRunner().invoke(main, ["rerun", str(path)]).stdout
    stored = open_run(path)
    points = stored["rate_course"].values.copy()
    points[3, 3] += 0.5
    save_run(stored.assign(rate_course=stored["rate_course"].copy(data=points)), tmp_path / "changed.nc")
    found = CliRunner().invoke(main, ["rerun", str(tmp_path / "changed.nc")])
    assert (found.exit_code, "'stock' differs most" in found.stdout) == (1, True)
    alone = {name: open_run(tmp_path / f"{name}.nc").isel(member=3) for name in ("own", "changed")}
    changed = compare_runs(alone, on=["stock"]).changes.constants
    assert [(own.constant, own.labels) for own in changed] == [("rate course", ("6.5",))]


def test_a_run_goes_on_from_one_of_its_members():
    """With the course of this member, or another one, or a number."""
    run = simulate(MODEL, {"rate": RATES}, data={"demand": DEMANDS})
    one = run.isel(member=3)
    later = simulate(MODEL, start=one, at=4)
    assert np.array_equal(later["stock"], one["stock"].sel(time=slice(4, None)))
    assert (simulate(MODEL, {"rate": 0.5}, start=one, at=4)["rate"] == 0.5).all()
    others = simulate(MODEL, {"rate": RATES.isel(time=slice(1, None))}, start=one, at=4)
    assert np.array_equal(others["rate"].isel(time=-1), run["rate"].isel(time=-1))
    with pytest.raises(ScenarioError, match="have several members"):
        open_simulation(MODEL, {"rate": RATES})


def test_analyses_over_a_design_with_courses():
    """Each member has its own course in a sweep, an attribution, a ranking and the explorer's page; a lever has none."""
    design = make_design(MODEL, Sampling("latin hypercube", variations=(LEVEL,)), courses={"rate": RATES}, seed=1)
    assert (design.count, design.names[:2]) == (COUNT, ("life", 'rate course["1"]'))
    lives = design.values(0, COUNT)[0]
    swept = sweep_levers(MODEL, {"more[a]": [1, 3]}, design=design, save=["stock"])
    run = simulate(MODEL, {"life": lives, "rate": RATES, "more[a]": 3}, save=["stock"])
    assert np.array_equal(swept["stock"].isel(more_a=-1).transpose(*run["stock"].dims), run["stock"])
    base = simulate(MODEL, {"life": lives, "rate": RATES}, save=["stock"])
    policy = Scenario("policy", (read_change("more[a] = 3"),))
    found = attribute_levers(MODEL, policy, save=["stock"], design=design)
    moved = (run["stock"] - base["stock"]).sel(f="a").isel(time=-1)
    total = found["stock"].sel(f="a", measure="shapley").isel(time=-1).sum("lever")
    np.testing.assert_allclose(total, moved.mean("member"), rtol=1e-9)
    ranked = rank_levers(MODEL, "stock[a]", levers={"more[a]": (1, 3)}, design=design)
    assert ranked.attrs["members"] == COUNT
    page = make_explorer(MODEL, design=design, on=["stock"])
    assert "members" in page.text
    with pytest.raises(
        AnalysisError, match="'rate' has a course of its own in each member of the design; sweep another lever"
    ):
        sweep_levers(MODEL, {"rate": [1, 3]}, design=design)
    assert np.array_equal(simulate(MODEL, design.constants())["stock"], base["stock"])
    assert np.array_equal(simulate(MODEL, design.dataset(3, 7))["stock"], base["stock"].isel(member=slice(3, 7)))
    both = make_design(MODEL, courses={"rate": RATES, "demand": DEMANDS.iloc[1:]})
    with pytest.raises(ScenarioError, match=r"the time courses have different times.*take them from `constants\(\)`"):
        both.dataset()
    run = simulate(MODEL, {"rate": RATES}, data={"demand": DEMANDS.iloc[1:]})
    assert np.array_equal(simulate(MODEL, both.constants())["stock"], run["stock"])
    bare = tiny_model(TEXT, step=0.25)  # whose data the members alone have
    own = make_design(bare, courses={"demand": DEMANDS})
    data = simulate(bare, data={"demand": DEMANDS}, save=["stock"])["stock"]
    assert np.array_equal(
        sweep_levers(bare, {"life": [3, 4]}, design=own)["stock"].isel(life=0).transpose(*data.dims), data
    )
    assert attribute_levers(bare, policy, save=["stock"], design=own).attrs["members"] == COUNT
    assert rank_levers(bare, "stock[a]", levers={"life": (2, 4)}, design=own).attrs["members"] == COUNT
    assert "members" in make_explorer(bare, design=own, on=["stock"]).text
    for analysis in (
        lambda: attribute_levers(MODEL, Scenario("p", (read_change("rate = 1"),)), save=["stock"], design=design),
        lambda: make_explorer(MODEL, design=design, scenarios={"p": Scenario("p", (read_change("rate = 1"),))}),
    ):
        with pytest.raises(
            ScenarioError, match="'rate' has a course of its own in each member of the design; leave out"
        ):
            analysis()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            RATES.rename(member="world"),
            "'rate' has the dimension 'world'; a course has 'time', 'member' and the subscript ranges",
        ),
        (RATES.expand_dims(f=["a", "b"]), "'rate' has the dimension 'f'"),
        (RATES.drop_vars("time"), "'rate': a time course has numbers over numbers of time"),
        (RATES.astype(str), "'rate': a time course has numbers over numbers of time"),
        (RATES.isel(time=[1, 0, 2]), "'rate': the times of a time course must rise; write them in order"),
        (RATES.isel(time=[0, 0, 2]), "'rate': the times of a time course must rise; write them in order"),
        (RATES.where(RATES[2, 5] != RATES), "'rate': there is no finite number at time 3.1, member 5; give one"),
        (RATES.assign_attrs(interpolation="cubic"), "'rate': the interpolation is 'cubic'; choose 'steps' or 'linear'"),
        (RATES.assign_attrs(interpolation=["linear"]), "'rate': the interpolation is .*; choose 'steps' or 'linear'"),
        (RATES.isel(member=slice(0, 4)), "'rate' is given courses of 4 members, where the others have 11"),
        (
            RATES.assign_coords(member=[*range(10), 17]),
            "'rate' is given no course for member 10; give one course for each",
        ),
        (RATES.assign_coords(member=[0, *range(10)]), "'rate': two courses have the same label of 'member'"),
        (RATES.isel(member=[]), "'rate': there are no values"),
    ],
)
def test_a_wrong_course_is_one_error(value: Any, message: str):
    """With what to give instead."""
    with pytest.raises(ScenarioError, match=message) as error:
        simulate(MODEL, {"life": np.linspace(2, 4, COUNT), "rate": value})
    assert len(error.value.faults) == 1


def test_wrong_names_labels_and_designs():
    """A label that is missing, data for one label, a model that cannot hold members, members that do not agree."""
    wrong = {
        ("a",): "no value for 'b'; give one for every label",
        ("a", "b", "c"): "a value for 'c', which is not a label of 'f'; leave it out",
        ("a", "b", "B"): "two values for one label of 'f'",
        None: "3 values along 'f', which has 2 labels",
    }
    for labels, message in wrong.items():
        more = RATES.expand_dims(f=labels or 3)
        for value in (more, more.isel(member=0), more.isel(time=0)):
            with pytest.raises(ScenarioError, match=f"'more' .*{message}"):
                simulate(MODEL, {"more": value})
    with pytest.raises(ScenarioError, match="'stock' is a stock, not a constant"):
        simulate(MODEL, {"stock": RATES})
    with pytest.raises(ScenarioError, match="'demand' has courses of its members; give them to simulate with data="):
        with_data(MODEL, {"demand": DEMANDS})
    cases: list[tuple[dict[str, Any], str]] = [
        ({"rate": RATES.isel(member=0)}, "'rate' has one course for all members; give it in a scenario"),
        ({"rate": 4}, "'rate' is given int; give an xarray.DataArray over time and member"),
        ({"rate": RATES, "demand": DEMANDS[[0, 1]]}, "'demand' is given courses of 2 members, and the design has 11"),
        (
            {"rate": RATES.assign_coords(member=range(1, 12))},
            "'rate' is given no course for member 0; label the members 0 to 10",
        ),
    ]
    for courses, message in cases:
        with pytest.raises(ScenarioError, match=message):
            make_design(MODEL, courses=courses)
    life = RATES.assign_attrs(interpolation="linear")
    with pytest.raises(ScenarioError, match="'life' has time courses of its members and is sampled too; keep one"):
        make_design(MODEL, Sampling("latin hypercube", variations=(LEVEL,)), courses={"life": life})


def test_members_may_have_names_unless_their_numbers_count(tmp_path: Path):
    """As for a model with random functions, of which each number depends on that of the member. Names in pandas are objects."""
    named = RATES.assign_coords(member=[f"path {place}" for place in range(COUNT)])
    for value in (named, named.transpose("time", ...).to_pandas()):
        run = simulate(MODEL, {"rate": value})
        assert run.sel(member="path 3")["rate"].isel(time=-1) == VALUES[-1, 3]
        assert open_run(save_run(run, tmp_path / "a.nc", force=True)).identical(run)
    noisy = tiny_model("rate = 0.1 ~~|\ndemand = rate*RANDOM UNIFORM(0, 1, 0) ~~|\n")
    assert np.unique(simulate(noisy, {"rate": RATES})["demand"].isel(time=3)).size == COUNT
    with pytest.raises(ScenarioError, match=r"the labels of 'member' are \['path 0', 'path 1'\] ...; number them"):
        simulate(noisy, {"rate": named})


@pytest.mark.parametrize(
    "text",
    [
        "rate = by member: steps at 1, 2, 4",
        "more[a] = by member: linear at 0 to 10 by 0.25",
        "rate = by member: steps at 0, 1e-12, 1, 2, 3",  # a range of them would have millions of millions
    ],
)
def test_the_record_of_a_course_is_read_again(text: str):
    """The numbers are in a constant, so that the record stays short."""
    change = read_change(text)
    assert (change_text(change), read_change(change_text(change))) == (text, change)
    for wrong in ("rate = by member: steps at 2, 1", "rate = by member: steps at 0 to 1 by 0"):
        with pytest.raises(ScenarioError, match="must rise"):
            read_change(wrong)
