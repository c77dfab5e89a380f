"""Runs compared with a baseline: constants that were not stored, and change files between two runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.analysis import change_text, changes_between, compare_members, compare_runs
from sdmodel.ensemble import run_ensemble
from sdmodel.errors import AnalysisError, DatasetError
from sdmodel.scenario import Distribution, Sampling, Scenario, Variation, make_design
from sdmodel.simulation import simulate
from sdmodel.store import open_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change, scenario_from_text

MODEL = tiny_model("""
    tier: high, low
    "odd: rate"[tier] = 1, 2
    speed = 3
    Stock[tier] = INTEG("odd: rate"[tier]*speed*shape(Time) + offset, 0)
    offset = 0
    shape((0,1),(10,2))
""")
VALUES = st.floats(-1e3, 1e3)


def _scenario(*lines: str) -> Scenario:
    return scenario_from_text("\n".join(lines), "changed.cin")


def test_a_comparison_has_changes_values_and_differences():
    """Constants, values at a date, and differences with the largest share first."""
    runs = {"base": simulate(MODEL), "fast": simulate(MODEL, {"speed": 6}), "same": simulate(MODEL)}
    found = compare_runs(runs, headlines=["stock[low]"], at=[10])
    assert [(constant.name, constant.values) for constant in found.changes.constants] == [
        ("speed", ((3, 3), (6, 6), (3, 3)))
    ]
    assert found.changes.remarks == found.remarks == ()
    assert found.snapshots[0].per_cent(1) == pytest.approx((100,))
    assert {difference.name for difference in found.differences if difference.exceeds()} == {
        "Stock[high]",
        "Stock[low]",
    }
    assert {
        (difference.run, difference.at, difference.relative) for difference in found.differences if difference.exceeds()
    } == {("fast", 10, 1)}
    assert not [difference for difference in found.differences if difference.run == "same" and difference.exceeds()]
    assert len(found.differences) == 4
    few = compare_runs(runs, on=["Stock[high]"])
    assert {difference.name for difference in few.differences} == {"Stock[high]"}
    assert [(snapshot.name, snapshot.times) for snapshot in few.snapshots] == [("Stock[high]", (10,))]


@settings(deadline=None, max_examples=8)
@given(VALUES, VALUES, VALUES, st.sampled_from([[], ["shape((0,2),(10,1))"]]))
def test_the_change_file_turns_one_run_into_the_other(low: float, speed: float, offset: float, tables: list[str]):
    """Exactly, with labels, quoted names and lookups, whether or not the runs contain their constants."""
    lines = [f'"odd: rate"[low] = {low!r}', f"offset = {offset!r}", *tables]
    for save in (None, ["Stock"]):
        base = simulate(MODEL, {"speed": speed}, save=save)
        other = simulate(MODEL, scenario=_scenario(*lines), save=save)
        text = change_text(changes_between({"a": base, "b": other}), "a", "b")
        made = simulate(MODEL, scenario=[_scenario(f"speed = {speed!r}"), scenario_from_text(text)], save=["Stock"])
        assert np.array_equal(made.stock, other.stock)


def test_constants_that_were_not_stored_come_from_the_record():
    """From the model's text, the scenario and other changes; a remark says so."""
    whole = {"a": simulate(MODEL), "b": simulate(MODEL, {"odd: rate[high]": 7}, scenario=_scenario("speed = 4"))}
    few = {
        "a": simulate(MODEL, save=["Stock"]),
        "b": simulate(MODEL, {"odd: rate[high]": 7}, scenario=_scenario("speed = 4"), save=["Stock"]),
    }
    assert changes_between(few).constants == changes_between(whole).constants
    assert [constant.name for constant in changes_between(few).constants] == ["odd: rate[high]", "speed"]
    assert changes_between(whole).remarks == ()
    (remark,) = changes_between(few).remarks
    assert remark == "constants not stored with a, b come from the record: model, scenario, changes"


def test_an_incomplete_record_is_remarked_on():
    """The stored constants are compared."""
    runs = {"a": simulate(MODEL, save=["speed"]), "b": simulate(MODEL, {"speed": 9}, save=["speed", "Stock"])}
    runs["b"].attrs["model_text"] = ""
    changes = changes_between(runs)
    assert ("speed", ((3, 3), (9, 9))) in [(constant.name, constant.values) for constant in changes.constants]
    assert any(
        "run 'b': only the constants that it was stored with are compared" in remark for remark in changes.remarks
    )


def test_replaced_lookups_are_changes():
    """With their table in every run."""
    other = simulate(MODEL, scenario=_scenario("shape((0,5),(10,6))"))
    (lookup,) = changes_between({"a": simulate(MODEL), "b": other}).lookups
    assert lookup.name == "shape"
    assert [table.points for table in lookup.tables if table] == [((0, 1), (10, 2)), ((0, 5), (10, 6))]
    assert changes_between({"b": other, "c": other}).lookups == ()
    from_python = simulate(MODEL, scenario=Scenario("", (read_change("shape((0,5),(10,6))"),)))
    assert changes_between({"b": other, "c": from_python}).lookups == ()


def test_runs_of_two_models_are_compared_in_shared_variables():
    """Remarks say that the models differ, and which variables are left out."""
    other = tiny_model("Stock = INTEG(speed, 0)\nspeed = 3\nextra = 2*speed\nlevel = INTEG(1, 1)\n", final=5)
    found = compare_runs({"a": simulate(other), "b": simulate(tiny_model("Stock = INTEG(speed, 1)\nspeed = 3\n"))})
    assert [(difference.name, difference.absolute) for difference in found.differences] == [("Stock", 1)]
    assert "the model differs" in found.changes.remarks[0]
    assert found.remarks == (
        "2 variables are not compared, missing in a or b, or with other subscripts there: 'extra', 'level'",
    )


def test_members_are_compared_pair_by_pair(tmp_path: Path):
    """An offset per year makes the same difference in every member, whatever else is sampled."""
    sampled = (Variation("speed", (), Distribution("RANDOM_UNIFORM", (1, 9))),)
    design = make_design(MODEL, Sampling("multivariate", 20, 3, sampled))
    run_ensemble(MODEL, design, tmp_path / "a.zarr", save=["Stock"])
    run_ensemble(MODEL, design, tmp_path / "b.zarr", save=["Stock"], scenario=Scenario("", (read_change("offset=2"),)))
    first, second = open_run(tmp_path / "a.zarr"), open_run(tmp_path / "b.zarr")
    found = compare_members(first, second, ["stock[low]"])
    assert found.members == 20
    assert found.quantiles["stock[low]"].isel(time=-1).values == pytest.approx([20, 20, 20])
    assert list(found.above["stock[low]"].values) == [0] + [1] * 10
    (constant,) = changes_between({"a": first, "b": second}).constants
    assert (constant.name, constant.values) == ("offset", ((0, 0), (2, 2)))


def test_runs_that_cannot_be_compared_are_reported():
    """A single run, members without a design, a grid, a missing name."""
    base, many = simulate(MODEL), simulate(MODEL, {"speed": [1, 2]})
    with pytest.raises(AnalysisError, match="1 run cannot be compared"):
        compare_runs({"a": base})
    with pytest.raises(AnalysisError, match="run 'b': has the dimensions member; compare_members compares ensembles"):
        compare_runs({"a": base, "b": many})
    grid = simulate(MODEL, {"speed": xr.DataArray([1.0, 2], dims="s")})
    with pytest.raises(AnalysisError, match="run 'b': has the dimensions s; select one"):
        compare_runs({"a": base, "b": grid})
    with pytest.raises(AnalysisError, match="neither run has members"):
        compare_members(base, base, "Stock")
    with pytest.raises(AnalysisError, match="different designs"):
        compare_members(many, simulate(MODEL, {"speed": [1, 3]}), "Stock")
    with pytest.raises(DatasetError, match="did you mean 'Stock'"):
        compare_runs({"a": base, "b": base}, on=["stok"])
