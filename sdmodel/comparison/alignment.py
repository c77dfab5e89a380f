"""Two runs side by side: the variables that both have, label by label, at the times of the first within the second's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import TIME, long_name, subscript_dims
from ..model import SETTINGS, key

Numbers = NDArray[np.float64]

_COINCIDE = 1e-6
"""The part of a step by which two times may differ, for what rounding leaves, and still be one."""

_SETTINGS = frozenset(map(key, (*SETTINGS, "SAVEPER")))


@dataclass(frozen=True, eq=False)
class Pair:
    """A variable of two runs, `before` and `after`, with the labels that both have, in the order of the first."""

    name: str
    units: str
    before: xr.DataArray
    after: xr.DataArray
    labels_left_out: tuple[str, ...] = ()


def pair_of(before: xr.DataArray, after: xr.DataArray) -> Pair | None:
    """A variable of two runs at the labels that both have; none if they have different subscripts or share no label."""
    dims = subscript_dims(before)
    if set(dims) != set(subscript_dims(after)):
        return None
    shared: dict[str, tuple[list[int], list[int]]] = {}
    lacking: list[str] = []
    for dim in dims:
        first, second = (_places(each, dim) for each in (before, after))
        common = [label for label in first if label in second]
        lacking += [text for own in (first, second) for label, (_, text) in own.items() if label not in common]
        shared[dim] = [first[label][0] for label in common], [second[label][0] for label in common]
    if any(not places for places, _ in shared.values()):
        return None
    if lacking:
        before = before.isel({dim: places for dim, (places, _) in shared.items()})
    moved = {dim: places for dim, (_, places) in shared.items() if places != list(range(after.sizes[dim]))}
    after = after.isel(moved) if moved else after
    return Pair(long_name(before), str(before.attrs.get("units", "")), before, after, tuple(lacking))


def pairs_of(before: xr.Dataset, after: xr.Dataset) -> tuple[list[Pair], list[str]]:
    """The variables that move in one of two runs and that both have, by the author's spelling, and the names of others.

    The others are not in both, or have other subscripts. Constants are among neither, nor what settings a model computes.
    """
    runs = (before, after)
    names = [_spellings(run) for run in runs]
    moving = (
        spelt for run, own in zip(runs, names, strict=True) for spelt in own if TIME in run.variables[own[spelt]].dims
    )
    found: list[Pair] = []
    apart: list[str] = []
    for spelt in dict.fromkeys(each for each in moving if each not in _SETTINGS):
        known = [run[own[spelt]] for run, own in zip(runs, names, strict=True) if spelt in own]
        pair = pair_of(*known) if len(known) == len(runs) else None
        if pair is None:
            apart.append(long_name(known[0]))
        else:
            found.append(pair)
    return found, apart


def _spellings(run: xr.Dataset) -> dict[str, Any]:
    """The variables of a run by the key of their spelling; to make an array of each, with its coordinates, takes long."""
    return {key(str(run.variables[name].attrs.get("long_name", name))): name for name in run.data_vars}


def common_times(before: xr.Dataset, after: xr.Dataset) -> Numbers:
    """The stored times of the first run within those of the second; none if the second ends before the first begins."""
    times, others = (np.asarray(each[TIME].values, dtype=float) for each in (before, after))
    steps = [float(np.diff(each).min()) for each in (times, others) if len(each) > 1]
    spare = _COINCIDE * min(steps, default=1.0)
    return times[(times >= others[0] - spare) & (times <= others[-1] + spare)]


def time_frame(run: xr.Dataset, times: Numbers) -> xr.Dataset:
    """Some times of a run and nothing else, with their dates if the run has stored all of them."""
    stored = np.isin(np.asarray(run[TIME].values, dtype=float), times)
    if stored.sum() < len(times):
        return xr.Dataset(coords={TIME: ((TIME,), times, run[TIME].attrs)})
    own = {name: each.variable for name, each in run.coords.items() if each.dims == (TIME,)}
    return xr.Dataset(coords=own).isel({TIME: stored})


def interpolated(times: Numbers, values: NDArray[Any], wanted: Numbers) -> Numbers:
    """Values, shape (times, ...), at wanted times between the first and the last, linearly, shape (wanted, ...).

    A stored time needs no number beside it to be finite.
    """
    numbers = np.asarray(values, dtype=float)
    before, after, share = _brackets(times, wanted)
    return _between(numbers[before], numbers[after], share)


def values_at(variable: xr.DataArray, wanted: Numbers, dims: Sequence[str]) -> Numbers:
    """A variable at wanted times, its other dimensions in the order of `dims`; a constant is the same at all times.

    Of a stored ensemble nothing is read but what lies around these times.
    """
    if TIME not in variable.dims:
        level = np.asarray(variable.transpose(*dims).values, dtype=float)
        return np.broadcast_to(level, (len(wanted), *level.shape))
    before, after, share = _brackets(np.asarray(variable[TIME].values, dtype=float), wanted)
    between = (share > 0) & (share < 1)
    needed = np.unique(np.concatenate([np.where(share < 1, before, after), after[between]]))
    part = np.asarray(variable.isel({TIME: needed}).transpose(TIME, *dims).values, dtype=float)
    low, high = (np.minimum(np.searchsorted(needed, each), len(needed) - 1) for each in (before, after))
    if not between.any():
        return part[np.where(share < 1, low, high)]
    return _between(part[low], part[high], share)


def _brackets(times: Numbers, wanted: Numbers) -> tuple[NDArray[np.intp], NDArray[np.intp], Numbers]:
    """The positions of the stored times around each wanted one, and how far it is from the first to the second, 0 to 1."""
    after = np.clip(np.searchsorted(times, wanted), min(1, len(times) - 1), len(times) - 1)
    before = np.maximum(after - 1, 0)
    length = np.where(after > before, times[after] - times[before], 1.0)
    share = np.clip((wanted - times[before]) / length, 0.0, 1.0) * (after > before)
    return before, after, np.where(share < _COINCIDE, 0.0, np.where(share > 1 - _COINCIDE, 1.0, share))


def _between(low: Numbers, high: Numbers, share: Numbers) -> Numbers:
    """Numbers that are so far from the first, shape (wanted, ...), to the second; at its ends the very numbers there."""
    spread = share.reshape(-1, *(1,) * (low.ndim - 1))
    with np.errstate(invalid="ignore", over="ignore"):
        between = (1 - spread) * low + spread * high
    return np.where(spread == 0.0, low, np.where(spread == 1.0, high, between))


def labels_along(variable: xr.DataArray, dims: Sequence[str]) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Every place along some subscripts, with the labels there."""
    for place in itertools.product(*(range(variable.sizes[dim]) for dim in dims)):
        yield place, tuple(str(variable.coords[dim].values[at]) for dim, at in zip(dims, place, strict=True))


def with_labels(name: str, labels: Sequence[str]) -> str:
    """A name with labels, behind those that it has already."""
    if not labels:
        return name
    told = ",".join(labels)
    return f"{name.removesuffix(']')},{told}]" if name.endswith("]") else f"{name}[{told}]"


def _places(variable: xr.DataArray, dim: str) -> dict[str, tuple[int, str]]:
    return {key(str(label)): (place, str(label)) for place, label in enumerate(variable.coords[dim].values)}
