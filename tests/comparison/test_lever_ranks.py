"""Differences from the base of a sweep, and the lever that moves an outcome most."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sdmodel.comparison import differences_from_base, outcome_ranges, share_with_largest_range
from sdmodel.errors import DatasetError


def _outcome(values: np.ndarray, *, base: float | None = 1.0, name: str = "a") -> xr.DataArray:
    """An outcome over a lever with the values 0, 1, 2 and so on, and members."""
    attributes = {"long_name": name, "units": "Year"} | ({} if base is None else {"base": base})
    lever = xr.Variable(("lever_" + name,), np.arange(float(len(values))), attributes)
    return xr.DataArray(values, {lever.dims[0]: lever}, (lever.dims[0], "member"), attrs={"units": "GW"})


TABLES = arrays.arrays(float, (3, 5), elements=st.floats(-1e6, 1e6))


@given(TABLES)
def test_differences_pair_members_and_are_zero_at_the_base(values: np.ndarray):
    """Each member minus itself at the lever's own value, in the same units."""
    found = differences_from_base(_outcome(values))
    assert found.values.tolist() == (values - values[1]).tolist()
    assert not found.isel(lever_a=1).any()
    assert found.attrs["units"] == "GW"


def test_a_sweep_without_its_base_is_refused():
    """The message says what to do."""
    with pytest.raises(DatasetError, match="sweep it with its base"):
        differences_from_base(_outcome(np.zeros((3, 5)), base=None))
    with pytest.raises(DatasetError, match="sweep it with its base"):
        differences_from_base(_outcome(np.zeros((3, 5)), base=7.0))


@given(st.tuples(TABLES, TABLES, TABLES))
def test_the_shares_of_largest_ranges_add_up_to_one(values: tuple[np.ndarray, ...]):
    """Every member that some lever moves counts once; members that none moves do not count."""
    ranges = outcome_ranges({name: _outcome(outcome, name=name) for name, outcome in zip("abc", values, strict=True)})
    assert ranges.values.tolist() == [(outcome.max(axis=0) - outcome.min(axis=0)).tolist() for outcome in values]
    shares = share_with_largest_range(ranges)
    if ranges.any():
        assert float(shares.sum()) == pytest.approx(1)
    else:
        assert np.isnan(shares).all()


def test_ties_are_shared_and_members_without_a_number_do_not_count():
    """Of four members: one for each lever, a tie, and one that is not finite at any value."""
    first = _outcome(np.array([[0, 0, 0, np.nan], [2, 1, 1, np.nan]]), name="a")
    second = _outcome(np.array([[0.0, 0, 0, 0], [1, 2, 1, 1]]), name="b")
    shares = share_with_largest_range(outcome_ranges({"a": first, "b": second}))
    assert shares.values.tolist() == [0.5, 0.5]


def test_a_single_run_has_a_largest_range():
    """Without members the first lever has the whole share."""
    parts = {name: _outcome(np.array([[0.0], [move]]), name=name).isel(member=0) for name, move in (("a", 1), ("b", 3))}
    assert share_with_largest_range(outcome_ranges(parts)).values.tolist() == [0, 1]
    with pytest.raises(DatasetError, match="'x': is not swept"):
        outcome_ranges({"x": xr.DataArray(1.0)})
