"""Aligning two runs: shared times and labels, and values between stored times."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.comparison import common_times, interpolate
from sdmodel.comparison.differences import pair_of, pairs_of, values_at

STEPS = st.lists(st.floats(0.01, 3), min_size=1, max_size=12)
NUMBERS = st.floats(-1e6, 1e6)


def _run(times: np.ndarray, **values: np.ndarray) -> xr.Dataset:
    variables = {name: ("time", series, {"long_name": name.title()}) for name, series in values.items()}
    return xr.Dataset(variables, {"time": times})


@settings(deadline=None)
@given(STEPS, st.data())
def test_interpolation_is_linear_and_exact_at_stored_times(steps: list[float], data: st.DataObject):
    """As NumPy interpolates; a stored time has exactly the stored number."""
    times = 2000 + np.cumsum(steps)
    values = np.array(data.draw(st.lists(NUMBERS, min_size=len(times), max_size=len(times))))
    requested = np.array(sorted(data.draw(st.lists(st.floats(times[0], times[-1]), min_size=1, max_size=5))))
    assert interpolate(times, values, requested) == pytest.approx(np.interp(requested, times, values), rel=1e-5, abs=3)
    assert np.array_equal(interpolate(times, values, times), values)


def test_a_stored_time_needs_no_finite_neighbour():
    """A failure or infinity later does not spoil the last time before it."""
    times, values = np.array([0.0, 1, 2]), np.array([5.0, 7, np.nan])
    assert list(interpolate(times, values, np.array([0.5, 1.0]))) == [6, 7]
    assert np.isnan(interpolate(times, values, np.array([1.5])))


def test_times_that_differ_by_rounding_are_equal():
    """A time axis that is summed up and one that is multiplied have the same times."""
    added, times = np.cumsum([0.0] + [0.1] * 30), np.arange(31) * 0.1
    assert not np.array_equal(added, times)
    values = np.where(np.arange(31) % 2, np.nan, np.arange(31.0))
    assert np.array_equal(interpolate(added, values, times), values, equal_nan=True)
    assert common_times(_run(times), _run(added)).size == 31


def test_common_times_are_those_of_the_first_within_the_second():
    """Wherever they begin and end; none if they do not overlap."""
    first, second = _run(np.arange(0.0, 11)), _run(np.arange(2.5, 8.1, 0.5))
    assert list(common_times(first, second)) == [3, 4, 5, 6, 7, 8]
    assert common_times(second, first).size == 12
    assert common_times(first, _run(np.array([40.0]))).size == 0
    assert list(common_times(_run(np.array([5.0])), first)) == [5]


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(0, 40), st.integers(1, 5))
def test_only_values_around_the_times_are_read(count: int, start: int, length: int):
    """A few times give the same numbers as all of them."""
    times = np.linspace(0, 4, count)
    variable = _run(times, stock=np.sin(times))["stock"]
    requested = np.linspace(start / 10, min(4, start / 10 + length / 5), 4)
    assert np.array_equal(values_at(variable, requested, []), interpolate(times, variable.values, requested))


def _subscripted(labels: list[str], kind: str = "subscript") -> xr.DataArray:
    values = np.arange(2.0 * len(labels)).reshape(2, -1)
    coords = {"time": [0.0, 1], "tier": ("tier", labels, {"kind": kind})}
    return xr.DataArray(values, coords, ("time", "tier"), name="price", attrs={"long_name": "Price"})


def test_labels_are_matched_by_name():
    """In the order of the first run, whatever the order of the second; labels in one run only are listed."""
    pair = pair_of(_subscripted(["a", "b", "c"]), _subscripted(["C", "d", "a"]))
    assert pair is not None
    assert list(pair.before.tier.values) == ["a", "c"]
    assert list(pair.after.tier.values) == ["a", "C"]
    assert pair.labels_left_out == ("b", "d")
    assert pair_of(_subscripted(["a"]), _subscripted(["b"])) is None
    assert pair_of(_subscripted(["a"]), _run(np.array([0.0]), price=np.array([1.0]))["price"]) is None


def test_variables_are_matched_by_name_without_settings():
    """Constants of both runs are not variables; variables in one run only are named."""
    first, second = (_run(np.array([0.0, 1]), stock=np.zeros(2), saveper=np.ones(2)) for _ in range(2))
    first["delay"], second["delay"] = (((), 3.0), ((), 4.0))
    second = second.rename(stock="STOCK").assign(more=("time", np.zeros(2), {"long_name": "More"}))
    pairs, apart = pairs_of(first, second)
    assert [pair.name for pair in pairs] == ["Stock"]
    assert apart == ["More"]
