"""Sweeps compared with closed solutions and single runs; the dataset that they return, and errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.analysis import sweep_levers
from sdmodel.dataset import base_positions, lever_dims
from sdmodel.errors import AnalysisError, ScenarioError
from sdmodel.scenario import Change, Design, Distribution, Sampling, Scenario, Variation, make_design
from sdmodel.simulation import RunWarning, simulate
from sdmodel.store import open_run, save_run
from sdmodel.testing import tiny_model

MODEL = tiny_model(
    """
    kind: a, b
    Stock = INTEG(rate * Stock + push, start)
    rate = 0.1
    start = 100
    push = 2
    share[kind] = 0.25, 0.75
    same[kind] = 3
    total[kind] = share[kind] * same[kind] * Stock
    """
)
VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=5)


def _design(count: int = 4) -> Design:
    sampled = tuple(Variation(name, (), Distribution("RANDOM_UNIFORM", arguments)) for name, arguments in (("start", (50, 150)), ("push", (0, 4))))  # fmt: skip
    return make_design(MODEL, Sampling("multivariate", variations=sampled), count=count, seed=1)


@settings(max_examples=12, deadline=None)
@given(VALUES, VALUES)
def test_every_point_of_a_sweep_is_the_single_run(rates: list[float], pushes: list[float]):
    """Values are sorted, without repetitions, and include the model's own."""
    run = sweep_levers(MODEL, {"rate": rates, "push": pushes}, save=["Stock"])
    assert run["rate"].values.tolist() == sorted({*rates, 0.1})
    assert run["push"].values.tolist() == sorted({*pushes, 2.0})
    assert run.stock.dims == ("time", "rate", "push")
    for rate, push in ((run["rate"].values[0], run["push"].values[-1]), (0.1, 2.0)):
        alone = simulate(MODEL, {"rate": rate, "push": push}, save=["Stock"])
        assert run.stock.sel(rate=rate, push=push).values == pytest.approx(alone.stock.values, rel=1e-12)


def test_a_sweep_of_growth_matches_the_closed_solution():
    """Euler's method with step 1 gives start * (1 + rate)^time."""
    run = sweep_levers(MODEL, {"rate": np.linspace(0, 0.5, 6)}, scenario=Scenario("", (Change("push", (), (0.0,)),)))
    expected = 100 * (1 + run["rate"]) ** run["time"]
    assert run.stock.values == pytest.approx(expected.transpose("time", "rate").values)


def test_levers_are_coordinates_with_their_base():
    """`base` is the lever's value in the scenario or, if that does not set it, in the model."""
    scenario = Scenario("", (Change("push", (), (5.0,)),))
    run = sweep_levers(MODEL, {"push": [1, 3], "share[a]": [0.5], "same": [1]}, scenario=scenario)
    assert lever_dims(run) == ("push", "share_a", "same_values")
    assert {dim: run[dim].attrs["base"] for dim in lever_dims(run)} == {"push": 5, "share_a": 0.25, "same_values": 3}
    assert [run[dim].attrs["long_name"] for dim in lever_dims(run)] == ["push", "share[a]", "same"]
    assert base_positions(run) == {"push": 2, "share_a": 0, "same_values": 1}
    base = simulate(MODEL, scenario=scenario)
    assert run.total.isel(base_positions(run)).values == pytest.approx(base.total.values)


def test_a_lever_may_be_one_cell_of_a_constant():
    """`name[label]` varies one cell; a name without labels varies all cells together."""
    run = sweep_levers(MODEL, {"share[a]": [0.5]})
    assert run.share.sel(kind="a").values.tolist() == [0.25, 0.5]
    assert run.share.sel(kind="b").values.tolist() == [0.75, 0.75]
    whole = sweep_levers(MODEL, {"share": [0.5, 0.6]})
    assert whole.share.dims == ("kind", "share_values")
    assert "base" not in whole.share_values.attrs  # its cells differ


def test_without_base_only_the_given_values_are_run():
    """A value that nearly equals the lever's own is replaced by it."""
    run = sweep_levers(MODEL, {"rate": [0.3, 0.1 + 1e-15, 0.2]}, base=False)
    assert run["rate"].values.tolist() == [0.1, 0.2, 0.3]
    assert base_positions(sweep_levers(MODEL, {"rate": [0.3]}, base=False)) == {}


def test_members_are_paired_across_lever_values():
    """Each member keeps its constants, and its runs are those of the ensemble."""
    design = _design()
    run = sweep_levers(MODEL, {"rate": [0.0, 0.2]}, design=design, save=["Stock"])
    assert run.stock.dims == ("time", "rate", "member")
    assert run.start.dims == ("member",)
    many = simulate(MODEL, design.dataset(), save=["Stock"])
    assert run.stock.sel(rate=0.1).values.tolist() == many.stock.values.tolist()
    assert (run.attrs["seed"], run.attrs["design_method"]) == (1, "multivariate")


def test_a_lever_overrides_the_design():
    """With a warning; a design of swept levers only is an error."""
    with pytest.warns(RunWarning, match="'start': swept, so not sampled"):
        run = sweep_levers(MODEL, {"start": [1, 2]}, design=_design())
    assert run["start"].values.tolist() == [1, 2, 100]
    with pytest.raises(AnalysisError, match="samples only swept levers"):
        sweep_levers(MODEL, {"start": [1], "push": [1]}, design=_design())


def test_sweeps_survive_storage(tmp_path):
    """With levers, their bases and the record."""
    run = sweep_levers(MODEL, {"rate": [0.0, 0.2], "share[b]": [0.1]}, design=_design())
    stored = open_run(save_run(run, tmp_path / "a.nc"))
    xr.testing.assert_identical(stored, run)
    assert stored.attrs["changes"] == "rate = over 0, 0.1, 0.2\nshare[b] = over 0.1, 0.75"


def test_a_sweep_larger_than_the_memory_limit_is_not_run():
    """Its size follows from that of one run."""
    with pytest.raises(AnalysisError, match=r"10,000,000,000 runs take .* GiB, more than 1GiB; use fewer values"):
        sweep_levers(MODEL, {"rate": np.linspace(0, 1, 99_999), "push": np.linspace(3, 4, 99_999)}, memory="1GiB")


@pytest.mark.parametrize(
    ("levers", "message"),
    [
        ({}, "has no levers"),
        ({"rate": []}, "give a sequence of numbers"),
        ({"rate": ["fast"]}, "give a sequence of numbers"),
        ({"rate": [np.nan]}, "give a sequence of numbers"),
        ({"rate": [1], "Rate": [2]}, "'rate' is swept by 'rate' already"),
        ({"share": [1], "share[a]": [2]}, r"'share\[a\]' is swept by 'share' already"),
    ],
)
def test_invalid_levers_are_reported(levers: dict, message: str):
    """No values, values that are not numbers, and levers that overlap."""
    with pytest.raises(AnalysisError, match=message):
        sweep_levers(MODEL, levers)


def test_for_an_unknown_lever_the_nearest_is_suggested():
    """As for every name of a constant."""
    with pytest.raises(ScenarioError, match="did you mean 'rate'"):
        sweep_levers(MODEL, {"rat": [1]})
