"""Runs grouped by the value of a lever: each point of a grid is a run, and a group has a mean and limits."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sdmodel.comparison import differing_constants, group_by_lever, group_rows, separate_runs
from sdmodel.errors import DatasetError
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

MODEL = tiny_model("Stock = INTEG(rate*speed, 0)\nrate = 2\nspeed = 1\n", final=3)


def test_runs_are_grouped_by_their_stored_value():
    """Two runs with one value are one row, with their mean and limits, the smallest value first."""
    runs = {
        "slow": simulate(MODEL, {"rate": 1}),
        "base": simulate(MODEL),
        "twice": simulate(MODEL, {"speed": 3}),
        "rounded": simulate(MODEL, {"rate": 0.1 + 0.2}),
        "typed": simulate(MODEL, {"rate": 0.3}),
    }
    groups = group_by_lever(runs, "Rate")
    assert {lever: list(group) for lever, group in groups.items()} == {
        0.3: ["rounded", "typed"], 1: ["slow"], 2: ["base", "twice"],
    }  # fmt: skip
    rows = group_rows(groups, ["stock"], [1.5, 3])
    assert rows[2].runs == ("base", "twice")
    assert (rows[2].mean, rows[2].least, rows[2].most) == ((6, 12), (3, 6), (9, 18))
    assert rows[1].mean == rows[1].least == rows[1].most == (1.5, 3)


@pytest.mark.parametrize("save", [None, ["Stock"]])
@pytest.mark.parametrize("dim", ["rate", "r"])
def test_every_point_of_a_grid_is_a_run_with_its_constants(dim: str, save: list[str] | None):
    """Whatever its dimensions are called, and whether or not the constants were saved."""
    rates, speeds = xr.DataArray([1.0, 2.0], dims=dim), xr.DataArray([1.0, 5.0, 7.0], dims="s")
    grid = simulate(MODEL, {"rate": rates, "speed": speeds}, save=save)
    singles = separate_runs({"grid": grid, "base": simulate(MODEL)})
    assert list(singles) == [f"grid[{rate},{speed}]" for rate in (1, 2) for speed in (1, 5, 7)] + ["base"]
    names = [
        {
            variable.attrs.get("long_name")
            for variable in one.variables.values()
            if variable.attrs.get("kind") == "constant"
        }
        for one in singles.values()
    ]
    assert all({"rate", "speed"} <= constants for constants in names)
    groups = group_by_lever(singles, "rate")
    assert [len(group) for group in groups.values()] == [3, 4]
    assert {constant.name for constant in differing_constants(singles)} >= {"rate", "speed"}
    first, second = group_rows(groups, ["Stock"], [3])
    assert (first.least, first.most) == ((3,), (21,))
    assert second.mean == (np.mean([6, 30, 42, 6]),)


def test_only_single_constants_group_runs():
    """Missing names, constants with labels and ensembles are refused."""
    labelled = tiny_model("tier: a, b\nrate[tier] = 1, 2\nStock = INTEG(rate[a], 0)\n")
    with pytest.raises(DatasetError, match=r"run 'base': 'rat' is not in the run; did you mean 'rate'\?"):
        group_by_lever({"base": simulate(MODEL)}, "rat")
    with pytest.raises(DatasetError, match=r"'rate' is not a single number but varies along tier"):
        group_by_lever({"base": simulate(labelled)}, "rate")
    assert list(group_by_lever({"base": simulate(labelled)}, "rate[b]")) == [2]
    with pytest.raises(DatasetError, match="run 'many': is an ensemble"):
        separate_runs({"many": simulate(MODEL, {"rate": [1, 2]})})
