"""Runs grouped by the value of a lever, and the range of a variable in each group."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..dataset import MEMBER, find_variable, long_name, member_dims
from ..errors import DatasetError
from .differences import take_snapshots

_DIGITS = 12
"""Significant digits in which two equal values of a lever agree."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A variable, or one label of it, over the runs in which a lever has one value: mean, least and most at each time."""

    name: str
    units: str
    lever: float
    runs: tuple[str, ...]
    times: tuple[float, ...]
    mean: tuple[float, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]


def separate_runs(runs: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Split runs with dimensions of levers into single runs, named `name[value,value]`; single runs stay as they are.

    Raises
    ------
    DatasetError
        If one is an ensemble: its members have no value of a lever in common.
    """
    found: dict[str, xr.Dataset] = {}
    for name, run in runs.items():
        if MEMBER in run.dims:
            message = f"run '{name}': is an ensemble, which has no single value of a lever; compare it without --by"
            raise DatasetError(message)
        found |= dict(_points(name, run))
    return found


def group_by_lever(runs: Mapping[str, xr.Dataset], lever: str) -> dict[float, dict[str, xr.Dataset]]:
    """Group single runs by the value of a constant, the smallest first.

    Raises
    ------
    DatasetError
        If a run lacks the constant, or it is not a single number.
    """
    groups: dict[float, dict[str, xr.Dataset]] = {}
    for name, run in runs.items():
        groups.setdefault(_value(name, run, lever), {})[name] = run
    return dict(sorted(groups.items()))


def group_rows(
    groups: Mapping[float, Mapping[str, xr.Dataset]], names: Sequence[str], at: Sequence[float]
) -> list[GroupRow]:
    """Return the range of variables in each group at some times, label by label, in their units.

    Raises
    ------
    DatasetError
        If a run lacks one of the variables.
    """
    every = {name: run for group in groups.values() for name, run in group.items()}
    places = {name: place for place, name in enumerate(every)}
    rows = []
    for snapshot in take_snapshots(every, names, at):
        values = np.array(snapshot.values)
        for lever, group in groups.items():
            part = values[[places[name] for name in group]]
            statistics = (tuple(map(float, reduce(part, axis=0))) for reduce in (np.mean, np.min, np.max))
            rows.append(GroupRow(snapshot.name, snapshot.units, lever, tuple(group), snapshot.times, *statistics))
    return rows


def _points(name: str, run: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """The single runs in a run, by the labels of its member dimensions; levers become constants of each."""
    dims = member_dims(run)
    if not dims:
        yield name, run
        return
    for place in itertools.product(*(range(run.sizes[dim]) for dim in dims)):
        point = run.isel(dict(zip(dims, place, strict=True)))
        levers = [dim for dim in dims if dim in point.coords and "long_name" in point[dim].attrs]
        point = point.reset_coords(levers)
        for dim in levers:
            point[dim].attrs["kind"] = "constant"
        labels = (f"{run[dim].values[at]:.6g}" for dim, at in zip(dims, place, strict=True))
        yield f"{name}[{','.join(labels)}]", point


def _value(name: str, run: xr.Dataset, lever: str) -> float:
    """The value of a constant in a run, rounded so that equal numbers from different sources agree."""
    try:
        variable = find_variable(run, lever)
    except DatasetError as fault:
        message = f"run '{name}': {fault}"
        raise DatasetError(message) from fault
    if variable.dims:
        dims = ", ".join(str(dim) for dim in variable.dims)
        message = f"--by: '{long_name(variable)}' is not a single number but varies along {dims}; name a constant, or name[label]"
        raise DatasetError(message)
    return float(f"{float(variable):.{_DIGITS}g}")
