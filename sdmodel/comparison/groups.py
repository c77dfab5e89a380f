"""Runs by the value of a lever: which of them share one, and what a variable does in each group."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..dataset import MEMBER, find_variable, long_name, member_dims
from ..errors import DatasetError
from .differences import standings_of

_DIGITS = 12
"""Significant digits in which two values of a lever are the same."""


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


def single_runs(runs: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Every run by itself: of one with dimensions of its own, each point as `name[value,value]`.

    Raises
    ------
    DatasetError
        If one is an ensemble, whose members stand for no lever.
    """
    found: dict[str, xr.Dataset] = {}
    for name, run in runs.items():
        if MEMBER in run.dims:
            message = f"run '{name}': is an ensemble, which has no value of a lever; compare it without --by"
            raise DatasetError(message)
        found |= dict(_points(name, run))
    return found


def grouped_by(runs: Mapping[str, xr.Dataset], lever: str) -> dict[float, dict[str, xr.Dataset]]:
    """Single runs by the value of a constant, the least first.

    Raises
    ------
    DatasetError
        If a run lacks the constant, or it is no single number.
    """
    groups: dict[float, dict[str, xr.Dataset]] = {}
    for name, run in runs.items():
        groups.setdefault(_value(name, run, lever), {})[name] = run
    return dict(sorted(groups.items()))


def group_rows(
    groups: Mapping[float, Mapping[str, xr.Dataset]], names: Sequence[str], at: Sequence[float]
) -> list[GroupRow]:
    """What variables do in each group at some times, label by label, in their units.

    Raises
    ------
    DatasetError
        If a run lacks one of the variables.
    """
    every = {name: run for group in groups.values() for name, run in group.items()}
    places = {name: place for place, name in enumerate(every)}
    found = []
    for each in standings_of(every, names, at):
        values = np.array(each.values)
        for lever, group in groups.items():
            part = values[[places[name] for name in group]]
            ends = (tuple(map(float, end(part, axis=0))) for end in (np.mean, np.min, np.max))
            found.append(GroupRow(each.name, each.units, lever, tuple(group), each.times, *ends))
    return found


def _points(name: str, run: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """The runs in a run, by the labels of its own dimensions; what these label is a constant of each."""
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
        told = (f"{run[dim].values[at]:.6g}" for dim, at in zip(dims, place, strict=True))
        yield f"{name}[{','.join(told)}]", point


def _value(name: str, run: xr.Dataset, lever: str) -> float:
    """The value of a constant in a run, to so many digits that the same number from elsewhere is the same."""
    try:
        variable = find_variable(run, lever)
    except DatasetError as fault:
        message = f"run '{name}': {fault}"
        raise DatasetError(message) from fault
    if variable.dims:
        labels = ", ".join(str(dim) for dim in variable.dims)
        message = f"--by: '{long_name(variable)}' is no single number but differs along {labels}; name a constant, or name[label]"
        raise DatasetError(message)
    return float(f"{float(variable):.{_DIGITS}g}")
