"""Largest differences between runs as counted one by one, constants label by label, and missing numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sdmodel.comparison import (
    LargestDifference,
    differing_constants,
    largest_differences,
    metadata_differences,
    run_differences,
    shown_as_ratios,
    take_snapshots,
)
from sdmodel.errors import DatasetError

TIMES = np.arange(2020.0, 2026)
FINITE = arrays.arrays(float, (2, len(TIMES)), elements=st.floats(-1e6, 1e6).map(lambda number: round(number, 3)))
ANY = arrays.arrays(
    float, (2, len(TIMES)), elements=st.one_of(st.floats(-9, 9), st.sampled_from([np.nan, np.inf, -np.inf]))
)


def _run(values: np.ndarray, *, units: str = "", times: np.ndarray = TIMES, **attributes: object) -> xr.Dataset:
    record = {"model": "a.mdl", "model_sha256": "0" * 64, "integrator": "euler", "engine": "native", "created": "x"}
    stock = ("time", values, {"long_name": "Stock", "units": units, "kind": "stock"})
    return xr.Dataset({"stock": stock}, {"time": times}, record | attributes)


def _difference(before: np.ndarray, after: np.ndarray, **options: object) -> LargestDifference:
    (difference,), _ = largest_differences(_run(before, **options), _run(after, **options))
    return difference


@settings(deadline=None)
@given(FINITE)
def test_the_largest_difference_and_its_share(values: np.ndarray):
    """When it occurs, both values then, and the same difference in either direction."""
    before, after = values
    difference = _difference(before, after)
    distance = np.abs(after - before)
    assert difference.absolute == distance.max() == abs(difference.after - difference.before)
    assert distance[list(TIMES).index(difference.at)] == difference.absolute
    if np.abs(before).max():
        assert difference.relative == difference.absolute / np.abs(before).max()
    else:
        assert difference.relative == (math.inf if difference.absolute else 0)
    assert _difference(after, before).absolute == difference.absolute


@settings(deadline=None)
@given(FINITE, st.sampled_from([2.0**power for power in (-20, -3, 5, 30)]))
def test_a_share_does_not_depend_on_units(values: np.ndarray, factor: float):
    """The difference scales with the units, the share does not."""
    difference, scaled = _difference(*values), _difference(*(factor * values))
    assert scaled.relative == difference.relative
    assert scaled.absolute == factor * difference.absolute


@settings(deadline=None)
@given(ANY)
def test_times_with_one_number_only_are_counted(values: np.ndarray):
    """Two missing values, or two equal infinities, are equal."""
    before, after = values
    difference = _difference(before, after)
    both = np.isfinite(before) & np.isfinite(after)
    lacking = ~both & ~((before == after) | (np.isnan(before) & np.isnan(after)))
    assert difference.without_number == lacking.sum()
    assert difference.absolute == np.abs(after[both] - before[both]).max(initial=0)
    assert difference.exceeds(math.inf, math.inf) == bool(lacking.any())
    if lacking.any():
        assert difference.without_from == TIMES[lacking][0]


def test_a_difference_must_exceed_both_thresholds():
    """A large share of a small number, and a small share of a large one, are both left out."""
    difference = _difference(np.full(6, 100.0), np.full(6, 110.0))
    assert difference.exceeds()
    assert difference.exceeds(9, 0.09)
    assert not difference.exceeds(9, 0.11)
    assert not difference.exceeds(11, 0.09)
    assert not _difference(np.ones(6), np.ones(6)).exceeds()


def test_a_share_does_not_explode_near_zero():
    """A baseline that crosses zero is measured by its largest size."""
    difference = _difference(np.linspace(-10, 10, 6) + 1e-12, np.linspace(-10, 10, 6) + 1)
    assert difference.relative == pytest.approx(0.1)


def test_rounding_is_not_a_difference():
    """An error of a balance, in the units of what is balanced; in other units, or without any, it counts."""
    error = {"long_name": "Error", "units": "GW"}
    runs = [_run(np.full(6, 100.0), units="GW") for _ in range(2)]
    first, second = (
        run.assign(error=("time", np.full(6, size), error)) for run, size in zip(runs, (1e-14, 3e-13), strict=True)
    )
    names = [difference.name for difference in largest_differences(first, second)[0] if difference.exceeds()]
    assert names == []
    second["error"].attrs["units"] = first["error"].attrs["units"] = ""
    assert [difference.name for difference in largest_differences(first, second)[0] if difference.exceeds()] == [
        "Error"
    ]


@pytest.mark.parametrize(("before", "after", "relative"), [(0.0, 5.0, np.inf), (5.0, 0.0, 1.0), (0.0, 1e-13, 0.0)])
def test_only_two_sizes_within_rounding_are_equal(before, after, relative):
    """A variable that is zero in one run alone differs; the largest number with the same units is 100."""
    first, second = (
        _run(np.full(6, 100.0), units="GW").assign(
            other=("time", np.full(6, value), {"long_name": "Other", "units": "GW"})
        )
        for value in (before, after)
    )
    (difference,) = [found for found in largest_differences(first, second)[0] if found.name == "Other"]
    assert difference.absolute == abs(after - before)
    assert difference.relative == relative


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(-50, 50), st.floats(-50, 50))
def test_straight_lines_are_equal_on_any_time_axis(first: int, second: int, slope: float, start: float):
    """Linear interpolation is exact for them, so the times cause no difference."""
    axes = [np.linspace(0, 8, count + 1) for count in (first, second)]
    before, after = (_run(start + slope * times, times=times) for times in axes)
    (difference,), _ = largest_differences(before, after)
    assert difference.absolute <= 1e-9 * (1 + abs(start) + abs(slope))


def test_tea_in_a_colder_room_differs_by_the_closed_form():
    """The difference of two decays is a decay, largest at the end: 20 (1 - exp(-t/10))."""
    times = np.linspace(0, 30, 31)
    warm, cold = (_run(room + (180 - room) * np.exp(-times / 10), times=times) for room in (70, 50))
    (difference,), _ = largest_differences(warm, cold)
    assert (difference.at, difference.absolute) == (30, pytest.approx(20 * (1 - math.exp(-3))))
    assert difference.relative == pytest.approx(difference.absolute / 180)
    differences = run_differences(warm, cold, ["stock"])["stock"]
    assert differences.values == pytest.approx(-20 * (1 - np.exp(-times / 10)))


def test_ratios_suit_positive_variables_that_grow_tenfold():
    """Where the runs differ: growth before they part does not count, nor does a variable that is zero or negative there."""
    times = np.linspace(0, 10, 11)
    growth = _run(np.exp(times), times=times)
    assert shown_as_ratios(growth, [growth * 1.5], ["stock"]) == ["stock"]
    late = growth.assign(stock=growth["stock"] + (times > 8))
    assert shown_as_ratios(growth, [late], ["stock"]) == []
    for before, after in (
        (growth * 0 + 5, growth * 0 + 6),
        (growth - 1, growth * 2),
        (growth, growth),
        (-growth, growth),
    ):
        assert shown_as_ratios(before, [after], ["stock"]) == []
    assert shown_as_ratios(growth, [growth * 2, growth - 20], ["stock"]) == []
    zero = _run(np.where(times < 3, 0.0, np.exp(times)), times=times)
    found = run_differences(zero, zero * 2, ["stock"], ratios=["stock"])["stock"]
    assert list(found.values) == [1.0] * 3 + [2.0] * 8
    assert (found.attrs["units"], "is_ratio" in found.attrs) == ("Dmnl", True)


def test_every_label_has_its_own_difference():
    """By its own size, so that a small label counts."""
    labels = ("tier", ["high", "low"], {"kind": "subscript", "long_name": "tier"})
    attributes = {"long_name": "Price", "units": "USD"}
    frame = _run(np.zeros(6)).assign_coords(tier=labels)
    before = frame.assign(price=(("time", "tier"), np.tile([100.0, 1.0], (6, 1)), attributes))
    after = frame.assign(price=(("time", "tier"), np.tile([101.0, 2.0], (6, 1)), attributes))
    differences, _ = largest_differences(before, after, ["price"])
    assert [(difference.name, difference.relative) for difference in differences] == [
        ("Price[low]", 1),
        ("Price[high]", 0.01),
    ]
    (difference,), _ = largest_differences(before, after, ["price[high]"])
    assert difference.name == "Price[high]"
    assert run_differences(before, after, ["price"])["price"].sizes == {"time": 6, "tier": 2}


def test_a_label_in_one_run_only_is_named():
    """Labels in both are compared."""
    runs = [
        _run(np.zeros(6))
        .assign_coords(tier=("tier", labels, {"kind": "subscript"}))
        .assign(price=(("time", "tier"), np.ones((6, 2))))
        for labels in (["a", "b"], ["b", "c"])
    ]
    differences, apart = largest_differences(*runs)
    assert [difference.name for difference in differences] == ["Stock", "price[b]"]
    assert apart == ["price[a]", "price[c]"]


def test_snapshots_are_nan_outside_a_run():
    """Between stored times they are linear; a run that ends early has no number after its end."""
    runs = {"a": _run(np.arange(6.0)), "b": _run(np.arange(3.0) * 2, times=TIMES[:3])}
    (standing,) = take_snapshots(runs, ["stock"], [2020.5, 2022, 2025])
    assert standing.values[0] == (0.5, 2, 5)
    assert standing.values[1][:2] == (1, 4)
    assert standing.differences(1)[:2] == (0.5, 2)
    assert standing.per_cent(1)[:2] == (100, 100)
    assert math.isnan(standing.values[1][2])
    assert math.isnan(take_snapshots(runs, ["stock"], [2020])[0].per_cent(1)[0])
    with pytest.raises(DatasetError, match="did you mean 'Stock'"):
        take_snapshots(runs, ["stok"], [2020])


def test_constants_differ_label_by_label_and_over_members():
    """A sampled constant has a range of values, and one sampled equally in all runs does not differ."""
    tier = ("tier", ["a", "b"], {"kind": "subscript"})
    attributes = {"kind": "constant", "units": "Year"}
    frame = _run(np.zeros(6)).assign_coords(tier=tier, member=[0, 1, 2])
    first = frame.assign(
        delay=("tier", [1.0, 2], attributes | {"long_name": "Delay"}),
        sampled=("member", [1.0, 2, 3], attributes),
        alike=("member", [1.0, 2, 3], attributes),
        lost=((), 1.0, attributes),
    )
    second = first.drop_vars("lost").assign(
        delay=("tier", [1.0, 5], attributes | {"long_name": "Delay"}), sampled=((), 2.0, attributes)
    )
    found = {constant.name: constant.values for constant in differing_constants({"a": first, "b": second})}
    assert found == {"Delay[b]": ((2, 2), (5, 5)), "sampled": ((1, 3), (2, 2)), "lost": ((1, 1), None)}


@pytest.mark.parametrize(
    ("change", "attributes"),
    [
        (
            {"model_sha256": "1" * 64, "model": "b.mdl"},
            "the model differs: a.mdl (00000000) in a; b.mdl (11111111) in b",
        ),
        ({"integrator": "rk4"}, "the integrator differs: euler in a; rk4 in b"),
        ({"engine": "pysd"}, "the engine differs: native in a; pysd in b"),
        ({"time_step": 0.5}, "the time step differs: unknown in a; 0.5 in b"),
        ({"times": TIMES + 1}, "the stored times differ: 2020 to 2025 every 1 in a; 2021 to 2026 every 1 in b"),
    ],
)
def test_metadata_that_differs_is_reported(change: dict, attributes: str):
    """One sentence each, with the value in each run; nothing if the runs agree."""
    plain = _run(np.zeros(6))
    other = _run(np.zeros(6), **change)
    (found,) = metadata_differences({"a": plain, "b": other})
    assert found.startswith(attributes)
    assert metadata_differences({"a": plain, "b": plain, "c": plain}) == []
