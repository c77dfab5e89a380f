"""Differences between runs: aligned variables, constants that differ, values at dates, largest differences, groups of runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import (
    MEMBER,
    RATIO,
    TIME,
    arrays_of,
    bare_variables,
    find_variable,
    labels_along,
    long_name,
    member_dims,
    subscript_dims,
    with_labels,
)
from ..errors import DatasetError
from ..model import RUN_SETTING_KEYS, key

Numbers = NDArray[np.float64]
ValueRange = tuple[float, float]
"""The smallest and the largest value of a constant over the members of a run; equal where it does not vary."""

_SAME_TIME = 1e-6
"""Tolerance, as a share of a step, for two times that are meant to be equal."""
_ROUNDING = 1e-14
"""The rounding error of a sum that should be zero, as a share of the largest number with the same units."""
_GROWS, _LOOKS = 10.0, 33
"""A variable that changes by this factor is compared by ratios; and the number of times at which this is looked up."""


@dataclass(frozen=True, slots=True)
class ConstantDifference:
    """A constant, or the cell of it at `labels`, that differs between runs; its value is None where a run does not have it."""

    constant: str
    labels: tuple[str, ...]
    units: str
    values: tuple[ValueRange | None, ...]

    @property
    def name(self) -> str:
        """The constant with its labels."""
        return with_labels(self.constant, self.labels)


@dataclass(frozen=True, slots=True)
class LargestDifference:
    """The largest difference of a variable, or one label of it, between a run and its baseline, and when it occurs.

    `absolute` is in the variable's units, `before` and `after` are the two values then. `relative` is the difference as a
    share of the largest size that the baseline has at any compared time: it does not explode where the baseline crosses
    zero, and is infinite only if the baseline is always zero. It is 0 where both runs are so small against the largest number
    with the same units that they may be rounding errors, such as the error of a balance. `without_number` counts the times at
    which only one run has a finite number, from `without_from` on; they are left out of the rest.
    """

    name: str
    variable: str
    run: str
    units: str
    absolute: float
    relative: float
    at: float
    before: float
    after: float
    without_number: int = 0
    without_from: float = float("nan")

    @property
    def order(self) -> tuple[int, float, float]:
        """The sort key: missing numbers first, then the largest share, then the largest difference."""
        return -min(self.without_number, 1), -self.relative, -self.absolute

    def exceeds(self, absolute: float = 0.0, relative: float = 0.0) -> bool:
        """Whether it exceeds both thresholds, `relative` being a share; a missing number always does."""
        return self.without_number > 0 or (self.absolute > absolute and self.relative > relative)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A variable, or one label of it, at some times: its values in each run, NaN outside the times of a run."""

    name: str
    units: str
    times: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def differences(self, run: int) -> tuple[float, ...]:
        """Return the run at position `run` minus the first run, in the variable's units."""
        return tuple(after - before for before, after in zip(self.values[0], self.values[run], strict=True))

    def per_cent(self, run: int) -> tuple[float, ...]:
        """Return the differences in per cent of the first run's size at that time; NaN where that is zero."""
        pairs = zip(self.values[0], self.differences(run), strict=True)
        return tuple(100 * difference / abs(before) if before else float("nan") for before, difference in pairs)


@dataclass(frozen=True, eq=False)
class Pair:
    """A variable of two runs, `before` and `after`, at the labels that both have, in the order of the first."""

    name: str
    units: str
    before: xr.DataArray
    after: xr.DataArray
    labels_left_out: tuple[str, ...] = ()


def pair_of(before: xr.DataArray, after: xr.DataArray) -> Pair | None:
    """Align a variable of two runs at the labels that both have; None if subscripts differ or no label is shared."""
    dims = subscript_dims(before)
    if set(dims) != set(subscript_dims(after)):
        return None
    shared: dict[str, tuple[list[int], list[int]]] = {}
    left_out: list[str] = []
    for dim in dims:
        first, second = _positions(before, dim), _positions(after, dim)
        common = [label for label in first if label in second]
        left_out += [text for own in (first, second) for label, (_, text) in own.items() if label not in common]
        shared[dim] = [first[label][0] for label in common], [second[label][0] for label in common]
    if any(not places for places, _ in shared.values()):
        return None
    if left_out:
        before = before.isel({dim: places for dim, (places, _) in shared.items()})
    moved = {dim: places for dim, (_, places) in shared.items() if places != list(range(after.sizes[dim]))}
    after = after.isel(moved) if moved else after
    return Pair(long_name(before), str(before.attrs.get("units", "")), before, after, tuple(left_out))


def _positions(variable: xr.DataArray, dim: str) -> dict[str, tuple[int, str]]:
    """The position and spelling of each label, by its key."""
    return {key(str(label)): (place, str(label)) for place, label in enumerate(variable.coords[dim].values)}


def pairs_of(before: xr.Dataset, after: xr.Dataset) -> tuple[list[Pair], list[str]]:
    """Align the variables that move in one of two runs and that both have; also return the names of the others.

    The others are in one run only, or have different subscripts. Constants and time settings are in neither list.
    """
    runs = [  # with the names of their bare variables, since arrays take long to make
        (run, {key(str(variable.attrs.get("long_name", name))): name for name, variable in bare_variables(run).items()})
        for run in (before, after)
    ]
    moving = (name for run, own in runs for name in own if TIME in run.variables[own[name]].dims)
    pairs: list[Pair] = []
    others: list[str] = []
    arrays = [(arrays_of(run), own) for run, own in runs]
    for name in dict.fromkeys(name for name in moving if name not in RUN_SETTING_KEYS):
        known = [array(own[name]) for array, own in arrays if name in own]
        pair = pair_of(*known) if len(known) == len(runs) else None
        if pair is None:
            others.append(long_name(known[0]))
        else:
            pairs.append(pair)
    return pairs, others


def common_times(before: xr.Dataset, after: xr.Dataset) -> Numbers:
    """Return the stored times of the first run within the times of the second; none if they do not overlap."""
    times, others = (np.asarray(run[TIME].values, dtype=float) for run in (before, after))
    steps = [float(np.diff(axis).min()) for axis in (times, others) if len(axis) > 1]
    tolerance = _SAME_TIME * min(steps, default=1.0)
    return times[(times >= others[0] - tolerance) & (times <= others[-1] + tolerance)]


def time_frame(run: xr.Dataset, times: Numbers) -> xr.Dataset:
    """Return a dataset with only these times of a run, and their dates if the run has stored all of them."""
    stored = np.isin(np.asarray(run[TIME].values, dtype=float), times)
    if stored.sum() < len(times):
        return xr.Dataset(coords={TIME: ((TIME,), times, run[TIME].attrs)})
    own = {name: coordinate.variable for name, coordinate in run.coords.items() if coordinate.dims == (TIME,)}
    return xr.Dataset(coords=own).isel({TIME: stored})


def interpolate(times: Numbers, values: NDArray[Any], at: Numbers) -> Numbers:
    """Interpolate values, shape (times, ...), linearly at times within the first and the last, shape (at, ...).

    At a stored time the stored value counts alone, even if its neighbours are not finite.
    """
    numbers = np.asarray(values, dtype=float)
    before, after, share = _brackets(times, at)
    return _between(numbers[before], numbers[after], share)


def values_at(variable: xr.DataArray, at: Numbers, dims: Sequence[str]) -> Numbers:
    """Return a variable at some times, its other dimensions in the order of `dims`; a constant is the same at all times.

    Of a stored ensemble only the values around these times are read.
    """
    if TIME not in variable.dims:
        constant = np.asarray(variable.transpose(*dims).values, dtype=float)
        return np.broadcast_to(constant, (len(at), *constant.shape))
    times = np.asarray(variable[TIME].values, dtype=float)
    if np.array_equal(times, at):
        return np.asarray(variable.transpose(TIME, *dims).values, dtype=float)
    before, after, share = _brackets(times, at)
    between = (share > 0) & (share < 1)
    needed = np.unique(np.concatenate([np.where(share < 1, before, after), after[between]]))
    part = np.asarray(variable.isel({TIME: needed}).transpose(TIME, *dims).values, dtype=float)
    low, high = (np.minimum(np.searchsorted(needed, places), len(needed) - 1) for places in (before, after))
    if not between.any():
        return part[np.where(share < 1, low, high)]
    return _between(part[low], part[high], share)


def _brackets(times: Numbers, at: Numbers) -> tuple[NDArray[np.intp], NDArray[np.intp], Numbers]:
    """The positions of the stored times around each requested one, and its share of the way between them, 0 to 1."""
    after = np.clip(np.searchsorted(times, at), min(1, len(times) - 1), len(times) - 1)
    before = np.maximum(after - 1, 0)
    length = np.where(after > before, times[after] - times[before], 1.0)
    share = np.clip((at - times[before]) / length, 0.0, 1.0) * (after > before)
    return before, after, np.where(share < _SAME_TIME, 0.0, np.where(share > 1 - _SAME_TIME, 1.0, share))


def _between(low: Numbers, high: Numbers, share: Numbers) -> Numbers:
    """Interpolate between two arrays, shape (at, ...); exactly at shares 0 and 1 and between equal values."""
    share = share.reshape(-1, *(1,) * (low.ndim - 1))
    with np.errstate(invalid="ignore", over="ignore"):
        between = low + share * (high - low)
    return np.where((share == 0.0) | (low == high), low, np.where(share == 1.0, high, between))


def differing_constants(runs: Mapping[str, xr.Dataset]) -> list[ConstantDifference]:
    """List the constants that differ between runs, label by label, in the order of the first run."""
    cells = [dict(_constant_cells(run)) for run in runs.values()]
    found = []
    for name in dict.fromkeys(name for own in cells for name in own):
        given = [own.get(name) for own in cells]
        known = [cell for cell in given if cell is not None]
        constant, labels, units, first = known[0]
        if len(known) == len(given) and all(_equal(values, first) for *_, values in known):
            continue
        ranges = (None if cell is None else (float(cell[-1].min()), float(cell[-1].max())) for cell in given)
        found.append(ConstantDifference(constant, labels, units, tuple(ranges)))
    return found


def _constant_cells(run: xr.Dataset) -> Iterator[tuple[str, tuple[str, tuple[str, ...], str, Numbers]]]:
    """The constants of a run label by label, by the key of name and labels: name, labels, units, and one or all values."""
    kinds = {name: run.variables[name].attrs.get("kind") for name in run.data_vars}
    for variable in map(arrays_of(run), (name for name, kind in kinds.items() if kind == "constant")):
        dims = subscript_dims(variable)
        values = variable.transpose(*dims, *member_dims(variable)).values
        name, units = long_name(variable), str(variable.attrs.get("units", ""))
        for place, labels in labels_along(variable, dims):
            yield key(with_labels(name, labels)), (name, labels, units, np.asarray(values[place], dtype=float))


def _equal(first: Numbers, second: Numbers) -> bool:
    """Whether a constant is the same in two runs; a single value counts for every member."""
    comparable = first.shape == second.shape or 1 in (first.size, second.size)
    return comparable and bool(np.all((first == second) | (np.isnan(first) & np.isnan(second))))


def largest_differences(
    before: xr.Dataset, after: xr.Dataset, names: Sequence[str] = (), *, run: str = ""
) -> tuple[list[LargestDifference], list[str]]:
    """Find the largest difference of every moving variable of two single runs, label by label, the largest share first.

    The runs are compared at the stored times of the first within those of the second, which is interpolated linearly. Also
    return the names of variables and labels that are not in both runs. `names` restricts the variables. Raises DatasetError
    if a run lacks one of the names.
    """
    times = common_times(before, after)
    if names:
        variables = [(find_variable(before, name), find_variable(after, name)) for name in names]
        aligned = [(long_name(first), pair_of(first, second)) for first, second in variables]
        pairs = [pair for _, pair in aligned if pair is not None]
        others = [name for name, pair in aligned if pair is None]
    else:
        pairs, others = pairs_of(before, after)
    others += [with_labels(pair.name, [label]) for pair in pairs for label in pair.labels_left_out]
    sizes: dict[str, float] = {}  # the largest absolute value over time among all variables with the same units
    for name in before.data_vars:
        variable = before.variables[name]
        units = str(variable.attrs.get("units", ""))
        if units and TIME in variable.dims:
            sizes[units] = max(sizes.get(units, 0.0), _size(variable.values))
    found: list[LargestDifference] = []
    for pair in pairs if times.size else ():
        dims = subscript_dims(pair.before)
        first, second = (np.moveaxis(values_at(array, times, dims), 0, -1) for array in (pair.before, pair.after))
        for place, labels in labels_along(pair.before, dims):
            largest = _largest(times, first[place], second[place], _ROUNDING * sizes.get(pair.units, 0.0))
            found.append(LargestDifference(with_labels(pair.name, labels), pair.name, run, pair.units, *largest))
    return sorted(found, key=lambda difference: difference.order), others


def _size(values: Numbers) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _largest(
    times: Numbers, before: Numbers, after: Numbers, rounding: float
) -> tuple[float, float, float, float, float, int, float]:
    """The largest difference of two series, from `absolute` to `without_from`; no share if both stay below `rounding`."""
    equal = (before == after) | (np.isnan(before) & np.isnan(after))
    counted = np.isfinite(before) & np.isfinite(after)
    without = times[~equal & ~counted]
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.where(equal | ~counted, 0.0, np.abs(after - before))
    place = int(distance.argmax())
    absolute = float(distance[place])
    size = _size(before)
    relative = absolute / size if size else np.inf if absolute else 0.0
    relative = relative if max(size, _size(after)) > rounding else 0.0
    since = float(without[0]) if without.size else float("nan")
    at, first, second = float(times[place]), float(before[place]), float(after[place])
    return absolute, relative, at, first, second, without.size, since


def run_differences(
    before: xr.Dataset, after: xr.Dataset, names: Sequence[str], *, ratios: Collection[str] = ()
) -> xr.Dataset:
    """Return variables of a run minus those of a baseline at their common times, dims time and labels.

    Those that are in `ratios` too are divided by the baseline instead. Raises DatasetError if a run lacks one of the names.
    """
    times = common_times(before, after)
    found = {}
    for name in names:
        pair = pair_of(find_variable(before, name), find_variable(after, name))
        if pair is not None and times.size:
            dims = subscript_dims(pair.before)
            first, second = (values_at(variable, times, dims) for variable in (pair.before, pair.after))
            attributes = ratio_attributes(pair.before) if name in ratios else pair.before.attrs
            values = set_against(first, second, ratio=name in ratios)
            difference = xr.DataArray(values, dims=(TIME, *dims), attrs=attributes)
            found[name.replace("/", " per ")] = difference.assign_coords({dim: pair.before[dim] for dim in dims})
    return time_frame(before, times).assign(found).assign_attrs(after.attrs)


def set_against(before: Numbers, after: Numbers, *, ratio: bool) -> Numbers:
    """Return `after` minus `before`, or divided by it; the ratio of equal numbers is 1."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return np.where(after == before, 1.0, after / before) if ratio else after - before


def ratio_attributes(variable: xr.DataArray) -> dict[str, Any]:
    """The attributes of a variable that is divided by its baseline."""
    return dict(variable.attrs) | {"units": "Dmnl", RATIO: 1}


def shown_as_ratios(before: xr.Dataset, runs: Sequence[xr.Dataset], names: Sequence[str]) -> list[str]:
    """Return the variables that ratios to a baseline show better than differences: positive ones that grow or fall tenfold.

    Only times count at which a run differs from the baseline; of these, a few. Raises DatasetError if a run lacks one of the
    names.
    """
    return [name for name in names if all(_ratio_shows(before, run, name) for run in runs)]


def _ratio_shows(before: xr.Dataset, after: xr.Dataset, name: str) -> bool:
    times = common_times(before, after)
    pair = pair_of(find_variable(before, name), find_variable(after, name))
    if pair is None or not times.size:
        return False
    places = np.unique(np.linspace(0, len(times) - 1, min(_LOOKS, len(times))).astype(int))
    dims = subscript_dims(pair.before)
    first, second = (
        values_at(variable, times[places], [*dims, *member_dims(variable)]) for variable in (pair.before, pair.after)
    )
    first, second = (
        values.reshape(len(places), math.prod(pair.before.sizes[dim] for dim in dims), -1) for values in (first, second)
    )
    differ = (first != second).any(axis=(1, 2))
    if not differ.any():
        return False
    first, second = first[differ], second[differ]
    if not (min(first.min(), second.min()) > 0 and np.isfinite(first).all() and np.isfinite(second).all()):
        return False
    return float(np.median(first.max(axis=0) / first.min(axis=0))) > _GROWS


def take_snapshots(runs: Mapping[str, xr.Dataset], names: Sequence[str], at: Sequence[float]) -> list[Snapshot]:
    """Return the values of variables at some times in each run, for the labels that all runs share.

    Raises DatasetError if a run lacks one of the names.
    """
    found: list[Snapshot] = []
    for name in names:
        variables = [find_variable(run, name) for run in runs.values()]
        common: xr.DataArray | None = variables[0]
        for variable in variables:
            pair = None if common is None else pair_of(common, variable)
            common = None if pair is None else pair.before
        if common is None:
            continue
        dims, units = subscript_dims(common), str(common.attrs.get("units", ""))
        pairs = (pair_of(common, variable) for variable in variables)
        rows = [_inside(pair.after, np.array(at, dtype=float), dims) for pair in pairs if pair is not None]
        for place, labels in labels_along(common, dims):
            values = tuple(tuple(map(float, np.moveaxis(row, 0, -1)[place])) for row in rows)
            found.append(Snapshot(with_labels(long_name(common), labels), units, tuple(at), values))
    return found


def _inside(variable: xr.DataArray, at: Numbers, dims: Sequence[str]) -> Numbers:
    """A variable at some times, NaN at times outside its own."""
    if TIME not in variable.dims:
        return values_at(variable, at, dims)
    times = variable[TIME].values
    inside = (at >= times[0]) & (at <= times[-1])
    found = np.full((len(at), *(variable.sizes[dim] for dim in dims)), np.nan)
    if inside.any():
        found[inside] = values_at(variable, at[inside], dims)
    return found


def _times(run: xr.Dataset) -> str:
    times = np.asarray(run[TIME].values, dtype=float)
    every = f" every {np.diff(times).mean():.6g}" if len(times) > 1 else ""
    return f"{times[0]:.10g} to {times[-1]:.10g}{every} {run[TIME].attrs.get('units', '')}".strip()


_ASPECTS: Mapping[str, tuple[Callable[[xr.Dataset], str], str]] = {
    "model": (lambda run: str(run.attrs["model_sha256"]), "their equations may differ, not only constants"),
    "stored times": (_times, "the others are interpolated at the times of the first that they cover"),
    "time step": (
        lambda run: f"{float(run.attrs['time_step']):.10g}" if "time_step" in run.attrs else "",
        "part of the differences comes from the integration",
    ),
    "integrator": (lambda run: str(run.attrs["integrator"]), "part of the differences comes from the integration"),
    "engine": (lambda run: str(run.attrs["engine"]), "part of the differences comes from the engine"),
}
"""What runs may differ in besides constants: how to describe it, and what it means for a comparison."""


def metadata_differences(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """List what runs differ in besides their constants, one sentence each, with the value of each run."""
    found = []
    for aspect, (describe, meaning) in _ASPECTS.items():
        known: dict[str, list[str]] = {}
        for name, run in runs.items():
            known.setdefault(describe(run), []).append(name)
        texts = {value: value or "unknown" for value in known}
        if aspect == "model":  # the name of the file, and the start of the hash
            files = {value: Path(str(runs[names[0]].attrs["model"])).name for value, names in known.items()}
            texts = {value: f"{file} ({value[:8]})" for value, file in files.items()}
        if len(known) > 1:
            values = (f"{texts[value]} in {', '.join(names)}" for value, names in known.items())
            found.append(f"the {aspect} differ{'' if aspect.endswith('s') else 's'}: {'; '.join(values)}; {meaning}")
    return found


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

    Raises DatasetError if one is an ensemble: its members have no value of a lever in common.
    """
    found: dict[str, xr.Dataset] = {}
    for name, run in runs.items():
        if MEMBER in run.dims:
            message = f"run '{name}': is an ensemble, which has no single value of a lever; compare it without --by"
            raise DatasetError(message)
        dims = member_dims(run)
        if not dims:
            found[name] = run
            continue
        for place in itertools.product(*(range(run.sizes[dim]) for dim in dims)):
            point = run.isel(dict(zip(dims, place, strict=True)))
            levers = [dim for dim in dims if dim in point.coords and "long_name" in point[dim].attrs]
            point = point.reset_coords(levers)  # a lever is a constant of each run
            for dim in levers:
                point[dim].attrs["kind"] = "constant"
            labels = (f"{run[dim].values[at]:.6g}" for dim, at in zip(dims, place, strict=True))
            found[f"{name}[{','.join(labels)}]"] = point
    return found


def group_by_lever(runs: Mapping[str, xr.Dataset], lever: str) -> dict[float, dict[str, xr.Dataset]]:
    """Group single runs by the value of a constant, the smallest first.

    Raises DatasetError if a run lacks the constant, or it is not a single number.
    """
    groups: dict[float, dict[str, xr.Dataset]] = {}
    for name, run in runs.items():
        try:
            variable = find_variable(run, lever)
        except DatasetError as fault:
            message = f"run '{name}': {fault}"
            raise DatasetError(message) from fault
        if variable.dims:
            dims = ", ".join(map(str, variable.dims))
            message = f"--by: '{long_name(variable)}' is not a single number but varies along {dims}; name a constant, or name[label]"
            raise DatasetError(message)
        value = float(f"{float(variable):.12g}")  # rounded, so that equal numbers from different sources agree
        groups.setdefault(value, {})[name] = run
    return dict(sorted(groups.items()))


def group_rows(
    groups: Mapping[float, Mapping[str, xr.Dataset]], names: Sequence[str], at: Sequence[float]
) -> list[GroupRow]:
    """Return the range of variables in each group at some times, label by label, in their units.

    Raises DatasetError if a run lacks one of the variables.
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
