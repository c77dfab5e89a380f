"""Gaps between runs as counted one by one, constants label by label, and what is said where no number is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sdmodel.comparison import Gap, differences_from, differing_constants, gaps_of, mismatches, standings_of
from sdmodel.errors import DatasetError

TIMES = np.arange(2020.0, 2026)
FINITE = arrays.arrays(float, (2, len(TIMES)), elements=st.floats(-1e6, 1e6).map(lambda each: round(each, 3)))
ANY = arrays.arrays(
    float, (2, len(TIMES)), elements=st.one_of(st.floats(-9, 9), st.sampled_from([np.nan, np.inf, -np.inf]))
)


def _run(values: np.ndarray, *, units: str = "", times: np.ndarray = TIMES, **attributes: object) -> xr.Dataset:
    record = {"model": "a.mdl", "model_sha256": "0" * 64, "integrator": "euler", "engine": "native", "created": "x"}
    stock = ("time", values, {"long_name": "Stock", "units": units, "kind": "stock"})
    return xr.Dataset({"stock": stock}, {"time": times}, record | attributes)


def _gap(before: np.ndarray, after: np.ndarray, **options: object) -> Gap:
    (gap,), _ = gaps_of(_run(before, **options), _run(after, **options))
    return gap


@settings(deadline=None)
@given(FINITE)
def test_a_gap_is_the_largest_distance_and_its_share_of_the_largest_size(values: np.ndarray):
    """Where it is, what both are there, and the same distance from either side."""
    before, after = values
    gap = _gap(before, after)
    distance = np.abs(after - before)
    assert gap.absolute == distance.max() == abs(gap.after - gap.before)
    assert distance[list(TIMES).index(gap.at)] == gap.absolute
    if np.abs(before).max():
        assert gap.relative == gap.absolute / np.abs(before).max()
    else:
        assert gap.relative == (math.inf if gap.absolute else 0)
    assert _gap(after, before).absolute == gap.absolute


@settings(deadline=None)
@given(FINITE, st.sampled_from([2.0**power for power in (-20, -3, 5, 30)]))
def test_a_share_does_not_depend_on_the_units(values: np.ndarray, factor: float):
    """The distance grows with them, the share stays."""
    gap, scaled = _gap(*values), _gap(*(factor * values))
    assert scaled.relative == gap.relative
    assert scaled.absolute == factor * gap.absolute


@settings(deadline=None)
@given(ANY)
def test_where_one_alone_has_a_number_is_counted_and_nothing_else_of_it(values: np.ndarray):
    """Two that have none, or are infinite alike, are the same."""
    before, after = values
    gap = _gap(before, after)
    both = np.isfinite(before) & np.isfinite(after)
    lacking = ~both & ~((before == after) | (np.isnan(before) & np.isnan(after)))
    assert gap.without_number == lacking.sum()
    assert gap.absolute == np.abs(after[both] - before[both]).max(initial=0)
    assert gap.exceeds(math.inf, math.inf) == bool(lacking.any())
    if lacking.any():
        assert gap.without_from == TIMES[lacking][0]


def test_a_gap_exceeds_both_thresholds_or_none():
    """A large share of little, and a small share of much, are both left out."""
    gap = _gap(np.full(6, 100.0), np.full(6, 110.0))
    assert gap.exceeds()
    assert gap.exceeds(9, 0.09)
    assert not gap.exceeds(9, 0.11)
    assert not gap.exceeds(11, 0.09)
    assert not _gap(np.ones(6), np.ones(6)).exceeds()


def test_near_zero_a_share_does_not_explode():
    """A baseline that passes zero is measured by the largest size that it has."""
    gap = _gap(np.linspace(-10, 10, 6) + 1e-12, np.linspace(-10, 10, 6) + 1)
    assert gap.relative == pytest.approx(0.1)


def test_what_rounding_leaves_is_no_gap():
    """An error of a balance, in the units of what is balanced; in units of its own, or without any, it is one."""
    error = {"long_name": "Error", "units": "GW"}
    runs = [_run(np.full(6, 100.0), units="GW") for _ in range(2)]
    first, second = (
        run.assign(error=("time", np.full(6, size), error)) for run, size in zip(runs, (1e-14, 3e-13), strict=True)
    )
    names = [gap.name for gap in gaps_of(first, second)[0] if gap.exceeds()]
    assert names == []
    second["error"].attrs["units"] = first["error"].attrs["units"] = ""
    assert [gap.name for gap in gaps_of(first, second)[0] if gap.exceeds()] == ["Error"]


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(-50, 50), st.floats(-50, 50))
def test_straight_lines_are_the_same_on_any_time_axis(first: int, second: int, slope: float, start: float):
    """Linear interpolation is exact on them, so that no gap comes from the times."""
    axes = [np.linspace(0, 8, count + 1) for count in (first, second)]
    before, after = (_run(start + slope * times, times=times) for times in axes)
    (gap,), _ = gaps_of(before, after)
    assert gap.absolute <= 1e-9 * (1 + abs(start) + abs(slope))


def test_tea_that_cools_towards_a_colder_room_is_apart_by_the_closed_form():
    """The distance of two decays is one itself, largest at the end: 20 (1 - exp(-t/10))."""
    times = np.linspace(0, 30, 31)
    warm, cold = (_run(room + (180 - room) * np.exp(-times / 10), times=times) for room in (70, 50))
    (gap,), _ = gaps_of(warm, cold)
    assert (gap.at, gap.absolute) == (30, pytest.approx(20 * (1 - math.exp(-3))))
    assert gap.relative == pytest.approx(gap.absolute / 180)
    differences = differences_from(warm, cold, ["stock"])["stock"]
    assert differences.values == pytest.approx(-20 * (1 - np.exp(-times / 10)))


def test_every_label_has_its_gap():
    """By its own size, so that a small one counts."""
    labels = ("tier", ["high", "low"], {"kind": "subscript", "long_name": "tier"})
    attributes = {"long_name": "Price", "units": "USD"}
    frame = _run(np.zeros(6)).assign_coords(tier=labels)
    before = frame.assign(price=(("time", "tier"), np.tile([100.0, 1.0], (6, 1)), attributes))
    after = frame.assign(price=(("time", "tier"), np.tile([101.0, 2.0], (6, 1)), attributes))
    gaps, _ = gaps_of(before, after, ["price"])
    assert [(gap.name, gap.relative) for gap in gaps] == [("Price[low]", 1), ("Price[high]", 0.01)]
    (gap,), _ = gaps_of(before, after, ["price[high]"])
    assert gap.name == "Price[high]"
    assert differences_from(before, after, ["price"])["price"].sizes == {"time": 6, "tier": 2}


def test_a_label_that_one_run_lacks_is_named():
    """What both have is compared."""
    runs = [
        _run(np.zeros(6))
        .assign_coords(tier=("tier", labels, {"kind": "subscript"}))
        .assign(price=(("time", "tier"), np.ones((6, 2))))
        for labels in (["a", "b"], ["b", "c"])
    ]
    gaps, apart = gaps_of(*runs)
    assert [gap.name for gap in gaps] == ["Stock", "price[b]"]
    assert apart == ["price[a]", "price[c]"]


def test_values_stand_side_by_side_and_are_nothing_outside_of_a_run():
    """Between stored times linearly; a run that ends early has no number after it."""
    runs = {"a": _run(np.arange(6.0)), "b": _run(np.arange(3.0) * 2, times=TIMES[:3])}
    (standing,) = standings_of(runs, ["stock"], [2020.5, 2022, 2025])
    assert standing.values[0] == (0.5, 2, 5)
    assert standing.values[1][:2] == (1, 4)
    assert standing.differences(1)[:2] == (0.5, 2)
    assert standing.per_cent(1)[:2] == (100, 100)
    assert math.isnan(standing.values[1][2])
    assert math.isnan(standings_of(runs, ["stock"], [2020])[0].per_cent(1)[0])
    with pytest.raises(DatasetError, match="did you mean 'Stock'"):
        standings_of(runs, ["stok"], [2020])


def test_constants_differ_label_by_label_and_over_members():
    """One that is drawn has an extent, and none that is drawn alike in all runs differs."""
    tier = ("tier", ["a", "b"], {"kind": "subscript"})
    told = {"kind": "constant", "units": "Year"}
    frame = _run(np.zeros(6)).assign_coords(tier=tier, member=[0, 1, 2])
    first = frame.assign(
        delay=("tier", [1.0, 2], told | {"long_name": "Delay"}),
        drawn=("member", [1.0, 2, 3], told),
        alike=("member", [1.0, 2, 3], told),
        lost=((), 1.0, told),
    )
    second = first.drop_vars("lost").assign(
        delay=("tier", [1.0, 5], told | {"long_name": "Delay"}), drawn=((), 2.0, told)
    )
    found = {each.name: each.values for each in differing_constants({"a": first, "b": second})}
    assert found == {"Delay[b]": ((2, 2), (5, 5)), "drawn": ((1, 3), (2, 2)), "lost": ((1, 1), None)}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"model_sha256": "1" * 64, "model": "b.mdl"},
            "the model differs: a.mdl (00000000) in a; b.mdl (11111111) in b",
        ),
        ({"integrator": "rk4"}, "the integrator differs: euler in a; rk4 in b"),
        ({"engine": "pysd"}, "the engine differs: native in a; pysd in b"),
        ({"time_step": 0.5}, "the time step differs: not told in a; 0.5 in b"),
        ({"times": TIMES + 1}, "the stored times differ: 2020 to 2025 every 1 in a; 2021 to 2026 every 1 in b"),
    ],
)
def test_what_makes_runs_hard_to_compare_is_told(change: dict, told: str):
    """Each by itself, with what it is in which run; runs alike in all of it are told nothing of."""
    plain = _run(np.zeros(6))
    other = _run(np.zeros(6), **change)
    (found,) = mismatches({"a": plain, "b": other})
    assert found.startswith(told)
    assert mismatches({"a": plain, "b": plain, "c": plain}) == []
