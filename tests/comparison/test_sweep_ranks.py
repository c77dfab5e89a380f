"""Differences from the base, and which lever moves an outcome most."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sdmodel.comparison import from_base, lever_ranges, shares_first
from sdmodel.errors import DatasetError


def _outcome(values: np.ndarray, *, base: float | None = 1.0, name: str = "a") -> xr.DataArray:
    """An outcome over a lever with the values 0, 1, 2 and so on, and members."""
    attributes = {"long_name": name, "units": "Year"} | ({} if base is None else {"base": base})
    lever = xr.Variable(("lever_" + name,), np.arange(float(len(values))), attributes)
    return xr.DataArray(values, {lever.dims[0]: lever}, (lever.dims[0], "member"), attrs={"units": "GW"})


TABLES = arrays.arrays(float, (3, 5), elements=st.floats(-1e6, 1e6))


@given(TABLES)
def test_differences_pair_members_and_are_nothing_at_the_base(values: np.ndarray):
    """Each member less itself at the lever's own value, in the same units."""
    found = from_base(_outcome(values))
    assert found.values.tolist() == (values - values[1]).tolist()
    assert not found.isel(lever_a=1).any()
    assert found.attrs["units"] == "GW"


def test_without_a_base_there_are_no_differences():
    """The cure is told."""
    with pytest.raises(DatasetError, match="sweep it with its base"):
        from_base(_outcome(np.zeros((3, 5)), base=None))
    with pytest.raises(DatasetError, match="sweep it with its base"):
        from_base(_outcome(np.zeros((3, 5)), base=7.0))


@given(st.tuples(TABLES, TABLES, TABLES))
def test_the_shares_of_levers_that_move_most_are_one_together(values: tuple[np.ndarray, ...]):
    """Every member that some lever moves is shared out whole; those that none moves do not count."""
    ranges = lever_ranges({name: _outcome(each, name=name) for name, each in zip("abc", values, strict=True)})
    assert ranges.values.tolist() == [(each.max(axis=0) - each.min(axis=0)).tolist() for each in values]
    shares = shares_first(ranges)
    if ranges.any():
        assert float(shares.sum()) == pytest.approx(1)
    else:
        assert np.isnan(shares).all()


def test_ties_are_shared_and_members_without_a_number_do_not_count():
    """Of four members: one for each lever, a tie, and one that is not finite at any value."""
    first = _outcome(np.array([[0, 0, 0, np.nan], [2, 1, 1, np.nan]]), name="a")
    second = _outcome(np.array([[0.0, 0, 0, 0], [1, 2, 1, 1]]), name="b")
    shares = shares_first(lever_ranges({"a": first, "b": second}))
    assert shares.values.tolist() == [0.5, 0.5]


def test_a_single_run_ranks_too():
    """Without members the first lever has it all."""
    parts = {name: _outcome(np.array([[0.0], [move]]), name=name).isel(member=0) for name, move in (("a", 1), ("b", 3))}
    assert shares_first(lever_ranges(parts)).values.tolist() == [0, 1]
    with pytest.raises(DatasetError, match="'x': is not swept"):
        lever_ranges({"x": xr.DataArray(1.0)})
