"""Runs of a sweep against each other: what differs from the levers' own values, and which lever moves an outcome most."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..dataset import MEMBER, base_places, lever_dims
from ..errors import DatasetError

LEVER = "lever"
"""The dimension of a ranking."""


def from_base(values: xr.DataArray) -> xr.DataArray:
    """What values differ by from those of the same member at the levers' own values, in their units and dimensions.

    Raises
    ------
    DatasetError
        If no lever has its own value among those that were run.
    """
    places = base_places(values)
    if not places:
        message = (
            f"'{values.attrs.get('long_name', values.name)}': no lever was run at its own value; sweep it with its base"
        )
        raise DatasetError(message)
    return (values - values.isel(places, drop=True)).assign_attrs(values.attrs)


def lever_ranges(outcomes: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """How far each lever alone moves an outcome, its largest less its smallest value, dims lever and what else there is.

    `outcomes` are those of sweeps of one lever each, by its name; what is not finite takes no part.

    Raises
    ------
    DatasetError
        If one is not the outcome of a sweep.
    """
    found = []
    for name, each in outcomes.items():
        dims = lever_dims(each)
        if not dims:
            message = f"'{name}': is not swept; give the outcome of a sweep"
            raise DatasetError(message)
        known = each.where(np.isfinite(each))
        found.append((known.max(dims) - known.min(dims)).expand_dims({LEVER: [name]}))
    return xr.concat(found, LEVER, coords="minimal", compat="override")


def shares_first(ranges: xr.DataArray, *, over: str = MEMBER) -> xr.DataArray:
    """The share of members in which each lever moves the outcome most, dims lever and what else there is but members.

    Levers that move it equally far share the member; one in which none moves it, or some range is no number, does not count.
    """
    counted = ranges.notnull().all(LEVER) & (ranges.max(LEVER) > 0)
    first = (ranges == ranges.max(LEVER)) & counted
    shares = first / first.sum(LEVER).where(counted)
    return shares.mean(over, skipna=True) if over in ranges.dims else shares
