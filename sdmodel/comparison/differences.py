"""Differences between runs: aligned variables, constants that differ, values at dates, largest differences, other metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import TIME, find_variable, labels_along, long_name, member_dims, subscript_dims, with_labels
from ..model import REQUIRED_SETTINGS, key

Numbers = NDArray[np.float64]

ValueRange = tuple[float, float]
"""The smallest and the largest value of a constant over the members of a run; equal where it does not vary."""

_SAME_TIME = 1e-6
"""Tolerance, as a share of a step, for two times that are meant to be equal."""
_ROUNDING = 1e-14
"""The rounding error of a sum that should be zero, as a share of the largest number with the same units."""
_SETTINGS = frozenset(map(key, (*REQUIRED_SETTINGS, "SAVEPER")))


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
    runs = (before, after)
    names = [_names_by_key(run) for run in runs]
    moving = (
        name for run, own in zip(runs, names, strict=True) for name in own if TIME in run.variables[own[name]].dims
    )
    pairs: list[Pair] = []
    others: list[str] = []
    for name in dict.fromkeys(name for name in moving if name not in _SETTINGS):
        known = [run[own[name]] for run, own in zip(runs, names, strict=True) if name in own]
        pair = pair_of(*known) if len(known) == len(runs) else None
        if pair is None:
            others.append(long_name(known[0]))
        else:
            pairs.append(pair)
    return pairs, others


def _names_by_key(run: xr.Dataset) -> dict[str, Any]:
    """The variables of a run by the key of their name in the model; bare variables, since arrays take long to make."""
    return {key(str(run.variables[name].attrs.get("long_name", name))): name for name in run.data_vars}


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


def interpolate(times: Numbers, values: NDArray[Any], wanted: Numbers) -> Numbers:
    """Interpolate values, shape (times, ...), linearly at times within the first and the last, shape (wanted, ...).

    At a stored time the stored value counts alone, even if its neighbours are not finite.
    """
    numbers = np.asarray(values, dtype=float)
    before, after, share = _brackets(times, wanted)
    return _between(numbers[before], numbers[after], share)


def values_at(variable: xr.DataArray, wanted: Numbers, dims: Sequence[str]) -> Numbers:
    """Return a variable at some times, its other dimensions in the order of `dims`; a constant is the same at all times.

    Of a stored ensemble only the values around these times are read.
    """
    if TIME not in variable.dims:
        constant = np.asarray(variable.transpose(*dims).values, dtype=float)
        return np.broadcast_to(constant, (len(wanted), *constant.shape))
    before, after, share = _brackets(np.asarray(variable[TIME].values, dtype=float), wanted)
    between = (share > 0) & (share < 1)
    needed = np.unique(np.concatenate([np.where(share < 1, before, after), after[between]]))
    part = np.asarray(variable.isel({TIME: needed}).transpose(TIME, *dims).values, dtype=float)
    low, high = (np.minimum(np.searchsorted(needed, places), len(needed) - 1) for places in (before, after))
    if not between.any():
        return part[np.where(share < 1, low, high)]
    return _between(part[low], part[high], share)


def _brackets(times: Numbers, wanted: Numbers) -> tuple[NDArray[np.intp], NDArray[np.intp], Numbers]:
    """The positions of the stored times around each wanted one, and its share of the way between them, 0 to 1."""
    after = np.clip(np.searchsorted(times, wanted), min(1, len(times) - 1), len(times) - 1)
    before = np.maximum(after - 1, 0)
    length = np.where(after > before, times[after] - times[before], 1.0)
    share = np.clip((wanted - times[before]) / length, 0.0, 1.0) * (after > before)
    return before, after, np.where(share < _SAME_TIME, 0.0, np.where(share > 1 - _SAME_TIME, 1.0, share))


def _between(low: Numbers, high: Numbers, share: Numbers) -> Numbers:
    """Interpolate between two arrays, shape (wanted, ...); exactly at shares 0 and 1 and between equal values."""
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
        if len(known) == len(given) and all(_equal(cell.values, known[0].values) for cell in known):
            continue
        ranges = (None if cell is None else (float(cell.values.min()), float(cell.values.max())) for cell in given)
        found.append(ConstantDifference(known[0].constant, known[0].labels, known[0].units, tuple(ranges)))
    return found


@dataclass(frozen=True, eq=False, slots=True)
class _ConstantCell:
    """A cell of a constant, with one value or one per member."""

    constant: str
    labels: tuple[str, ...]
    units: str
    values: Numbers


def _constant_cells(run: xr.Dataset) -> Iterator[tuple[str, _ConstantCell]]:
    """The constants of a run label by label, by the key of name and labels."""
    kinds = {name: run.variables[name].attrs.get("kind") for name in run.data_vars}
    for variable in (run[name] for name, kind in kinds.items() if kind == "constant"):
        dims = subscript_dims(variable)
        values = variable.transpose(*dims, *member_dims(variable)).values
        name, units = long_name(variable), str(variable.attrs.get("units", ""))
        for place, labels in labels_along(variable, dims):
            cell = _ConstantCell(name, labels, units, np.asarray(values[place], dtype=float))
            yield key(with_labels(name, labels)), cell


def _equal(first: Numbers, second: Numbers) -> bool:
    """Whether a constant is the same in two runs; a single value counts for every member."""
    comparable = first.shape == second.shape or 1 in (first.size, second.size)
    return comparable and bool(np.all((first == second) | (np.isnan(first) & np.isnan(second))))


def largest_differences(
    before: xr.Dataset, after: xr.Dataset, names: Sequence[str] = (), *, run: str = ""
) -> tuple[list[LargestDifference], list[str]]:
    """Find the largest difference of every moving variable of two single runs, label by label, the largest share first.

    The runs are compared at the stored times of the first within those of the second, which is interpolated linearly. Also
    return the names of variables and labels that are not in both runs. `names` restricts the variables.

    Raises
    ------
    DatasetError
        If a run lacks one of the names.
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
    found: list[LargestDifference] = []
    if times.size:
        sizes = _sizes_by_units(before)
        for pair in pairs:
            found += _largest_by_label(pair, times, run, _ROUNDING * sizes.get(pair.units, 0.0))
    return sorted(found, key=lambda difference: difference.order), others


def _sizes_by_units(run: xr.Dataset) -> dict[str, float]:
    """The largest absolute value over time among all variables with the same units."""
    found: dict[str, float] = {}
    for name in run.data_vars:
        variable = run.variables[name]
        units = str(variable.attrs.get("units", ""))
        if units and TIME in variable.dims:
            values = np.abs(variable.values)
            found[units] = max(found.get(units, 0.0), float(values[np.isfinite(values)].max(initial=0.0)))
    return found


def _largest_by_label(pair: Pair, times: Numbers, run: str, rounding: float) -> Iterator[LargestDifference]:
    dims = subscript_dims(pair.before)
    before, after = (np.moveaxis(values_at(variable, times, dims), 0, -1) for variable in (pair.before, pair.after))
    for place, labels in labels_along(pair.before, dims):
        found = _largest(times, before[place], after[place], rounding)
        yield LargestDifference(with_labels(pair.name, labels), pair.name, run, pair.units, *found)


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
    size, other = (float(np.abs(series[np.isfinite(series)]).max(initial=0.0)) for series in (before, after))
    relative = absolute / size if size else np.inf if absolute else 0.0
    relative = relative if max(size, other) > rounding else 0.0
    since = float(without[0]) if without.size else float("nan")
    at, first, second = float(times[place]), float(before[place]), float(after[place])
    return absolute, relative, at, first, second, without.size, since


def run_differences(before: xr.Dataset, after: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Return variables of a run minus those of a baseline at their common times, dims time and labels.

    Raises
    ------
    DatasetError
        If a run lacks one of the names.
    """
    times = common_times(before, after)
    found = {}
    for name in names:
        pair = pair_of(find_variable(before, name), find_variable(after, name))
        if pair is not None and times.size:
            dims = subscript_dims(pair.before)
            first, second = (values_at(variable, times, dims) for variable in (pair.before, pair.after))
            difference = xr.DataArray(second - first, dims=(TIME, *dims), attrs=pair.before.attrs)
            found[name.replace("/", " per ")] = difference.assign_coords({dim: pair.before[dim] for dim in dims})
    return time_frame(before, times).assign(found).assign_attrs(after.attrs)


def take_snapshots(runs: Mapping[str, xr.Dataset], names: Sequence[str], at: Sequence[float]) -> list[Snapshot]:
    """Return the values of variables at some times in each run, for the labels that all runs share.

    Raises
    ------
    DatasetError
        If a run lacks one of the names.
    """
    found: list[Snapshot] = []
    for name in names:
        variables = [find_variable(run, name) for run in runs.values()]
        common: xr.DataArray | None = variables[0]
        for variable in variables:
            pair = None if common is None else pair_of(common, variable)
            common = None if pair is None else pair.before
        if common is not None:
            found += _snapshots(common, [pair_of(common, variable) for variable in variables], tuple(at))
    return found


def _snapshots(first: xr.DataArray, pairs: Sequence[Pair | None], at: tuple[float, ...]) -> Iterator[Snapshot]:
    """The snapshots of one variable, label by label."""
    dims = subscript_dims(first)
    rows = [_inside(pair.after, np.array(at, dtype=float), dims) for pair in pairs if pair is not None]
    for place, labels in labels_along(first, dims):
        values = tuple(tuple(map(float, np.moveaxis(row, 0, -1)[place])) for row in rows)
        yield Snapshot(with_labels(long_name(first), labels), str(first.attrs.get("units", "")), at, values)


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


_Describe = Callable[[xr.Dataset], str]


def _model(run: xr.Dataset) -> str:
    return f"{Path(str(run.attrs['model'])).name} ({str(run.attrs['model_sha256'])[:8]})"


def _time_step(run: xr.Dataset) -> str:
    return f"{float(run.attrs['time_step']):.10g}" if "time_step" in run.attrs else ""


def _times(run: xr.Dataset) -> str:
    times = np.asarray(run[TIME].values, dtype=float)
    every = f" every {np.diff(times).mean():.6g}" if len(times) > 1 else ""
    return f"{times[0]:.10g} to {times[-1]:.10g}{every} {run[TIME].attrs.get('units', '')}".strip()


def _attribute(name: str) -> _Describe:
    return lambda run: str(run.attrs[name])


_ASPECTS: Mapping[str, tuple[_Describe, _Describe, str]] = MappingProxyType(
    {
        "model": (_attribute("model_sha256"), _model, "their equations may differ, not only constants"),
        "stored times": (_times, _times, "the others are interpolated at the times of the first that they cover"),
        "time step": (_time_step, _time_step, "part of the differences comes from the integration"),
        "integrator": (
            _attribute("integrator"),
            _attribute("integrator"),
            "part of the differences comes from the integration",
        ),
        "engine": (_attribute("engine"), _attribute("engine"), "part of the differences comes from the engine"),
    }
)
"""What runs may differ in besides constants: how to compare it, how to describe it, and what it means for a comparison."""


def metadata_differences(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """List what runs differ in besides their constants, one sentence each, with the value of each run."""
    found = []
    for aspect, (identify, describe, meaning) in _ASPECTS.items():
        known: dict[str, list[str]] = {}
        for name, run in runs.items():
            known.setdefault(identify(run), []).append(name)
        if len(known) > 1:
            values = (f"{describe(runs[names[0]]) or 'unknown'} in {', '.join(names)}" for names in known.values())
            found.append(f"the {aspect} differ{'' if aspect.endswith('s') else 's'}: {'; '.join(values)}; {meaning}")
    return found
