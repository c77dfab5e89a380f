"""How far runs are from a baseline: the constants that differ, values at dates, and the largest gap of each variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..dataset import TIME, find_variable, long_name, member_dims, subscript_dims
from ..model import key
from .alignment import Numbers, Pair, common_times, labels_along, pair_of, pairs_of, time_frame, values_at, with_labels

Extent = tuple[float, float]
"""The least and the largest value of a constant over the members of a run; the same where it does not vary."""

_ROUNDING = 1e-14
"""Of the largest number in some units, what rounding leaves in a sum of such numbers that should be zero."""


@dataclass(frozen=True, slots=True)
class ConstantDifference:
    """A constant, or the cell of it that `labels` name, whose value is not the same in all runs; none where a run has none."""

    constant: str
    labels: tuple[str, ...]
    units: str
    values: tuple[Extent | None, ...]

    @property
    def name(self) -> str:
        """The constant with its labels."""
        return with_labels(self.constant, self.labels)


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest distance of a variable, or one label of it, from its baseline, and where it is.

    `absolute` is in the variable's units, `before` and `after` are its values then. `relative` is the same distance as a share
    of the largest size that the baseline has at any of the times compared: it does not explode where the baseline passes
    zero, and is infinite only where that is zero throughout. It is 0 where both runs stay so far below the largest number in
    the same units that rounding alone may have made them, such as the error of a balance. `without_number` counts the times at which one run alone has a
    finite number, the first of them being `without_from`; they take no part in the rest.
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
        """What gaps are sorted by: missing numbers first, then the largest share, then the largest distance."""
        return -min(self.without_number, 1), -self.relative, -self.absolute

    def exceeds(self, absolute: float = 0.0, relative: float = 0.0) -> bool:
        """Whether it is larger than both thresholds, `relative` being a share; where a number lacks, it always is."""
        return self.without_number > 0 or (self.absolute > absolute and self.relative > relative)


@dataclass(frozen=True, slots=True)
class Standing:
    """A variable, or one label of it, at some times: its values in each run, not a number outside of a run's own time."""

    name: str
    units: str
    times: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def differences(self, run: int) -> tuple[float, ...]:
        """How far a run, by its place, is above the first, in the variable's units."""
        return tuple(after - before for before, after in zip(self.values[0], self.values[run], strict=True))

    def per_cent(self, run: int) -> tuple[float, ...]:
        """The same in per cent of the first run's size at that time; not a number where that is zero."""
        pairs = zip(self.values[0], self.differences(run), strict=True)
        return tuple(100 * gap / abs(before) if before else float("nan") for before, gap in pairs)


def differing_constants(runs: Mapping[str, xr.Dataset]) -> list[ConstantDifference]:
    """The constants that are not the same in all runs, label by label, in the order of the first."""
    cells = [dict(_cells(run)) for run in runs.values()]
    found = []
    for cell in dict.fromkeys(cell for each in cells for cell in each):
        given = [each.get(cell) for each in cells]
        known = [each for each in given if each is not None]
        if len(known) == len(given) and all(_equal(each.values, known[0].values) for each in known):
            continue
        extents = (None if each is None else (float(each.values.min()), float(each.values.max())) for each in given)
        found.append(ConstantDifference(known[0].constant, known[0].labels, known[0].units, tuple(extents)))
    return found


def gaps_of(
    before: xr.Dataset, after: xr.Dataset, names: Sequence[str] = (), *, run: str = ""
) -> tuple[list[Gap], list[str]]:
    """The gap of every label of every variable of single runs that moves, the largest share first, and names without one.

    Without one are variables, and labels of them, that are not in both. The others are held against each other at the stored times of the first within those of the second, which is interpolated
    linearly where it has not stored one. `names` restricts the variables.

    Raises
    ------
    DatasetError
        If a run lacks one of the names.
    """
    times = common_times(before, after)
    if names:
        asked = [(find_variable(before, name), find_variable(after, name)) for name in names]
        paired = [(long_name(first), pair_of(first, second)) for first, second in asked]
        pairs = [pair for _, pair in paired if pair is not None]
        apart = [name for name, pair in paired if pair is None]
    else:
        pairs, apart = pairs_of(before, after)
    apart += [with_labels(pair.name, [label]) for pair in pairs for label in pair.labels_left_out]
    gaps: list[Gap] = []
    if times.size:
        sizes = _sizes(before)
        for pair in pairs:
            gaps += _gaps(pair, times, run, _ROUNDING * sizes.get(pair.units, 0.0))
    return sorted(gaps, key=lambda gap: gap.order), apart


def differences_from(before: xr.Dataset, after: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """How far variables of a run are above those of a baseline, at the times that gaps are of, dims time and labels.

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
            first, second = (values_at(each, times, dims) for each in (pair.before, pair.after))
            variable = xr.DataArray(second - first, dims=(TIME, *dims), attrs=pair.before.attrs)
            found[name.replace("/", " per ")] = variable.assign_coords({dim: pair.before[dim] for dim in dims})
    return time_frame(before, times).assign(found).assign_attrs(after.attrs)


def standings_of(runs: Mapping[str, xr.Dataset], names: Sequence[str], at: Sequence[float]) -> list[Standing]:
    """The values of variables at some times in each run, label by label as the first run has them.

    Raises
    ------
    DatasetError
        If a run lacks one of the names.
    """
    found: list[Standing] = []
    for name in names:
        variables = [find_variable(run, name) for run in runs.values()]
        common: xr.DataArray | None = variables[0]
        for each in variables:
            pair = None if common is None else pair_of(common, each)
            common = None if pair is None else pair.before
        if common is not None:
            found += _standings(common, [pair_of(common, each) for each in variables], tuple(at))
    return found


def _standings(first: xr.DataArray, pairs: Sequence[Pair | None], at: tuple[float, ...]) -> Iterator[Standing]:
    """One variable label by label."""
    dims = subscript_dims(first)
    rows = [_within(pair.after, np.array(at, dtype=float), dims) for pair in pairs if pair is not None]
    for place, labels in labels_along(first, dims):
        values = tuple(tuple(map(float, np.moveaxis(row, 0, -1)[place])) for row in rows)
        yield Standing(with_labels(long_name(first), labels), str(first.attrs.get("units", "")), at, values)


def _within(variable: xr.DataArray, at: Numbers, dims: Sequence[str]) -> Numbers:
    """A variable at some times, not a number at those outside of its own."""
    if TIME not in variable.dims:
        return values_at(variable, at, dims)
    times = variable[TIME].values
    inside = (at >= times[0]) & (at <= times[-1])
    found = np.full((len(at), *(variable.sizes[dim] for dim in dims)), np.nan)
    if inside.any():
        found[inside] = values_at(variable, at[inside], dims)
    return found


@dataclass(frozen=True, eq=False, slots=True)
class _Cell:
    """One number of a constant, or as many as it has over members."""

    constant: str
    labels: tuple[str, ...]
    units: str
    values: Numbers


def _cells(run: xr.Dataset) -> Iterator[tuple[str, _Cell]]:
    """The constants of a run label by label, by the key of name and labels."""
    kinds = {name: run.variables[name].attrs.get("kind") for name in run.data_vars}
    for variable in (run[name] for name, kind in kinds.items() if kind == "constant"):
        dims = subscript_dims(variable)
        values = variable.transpose(*dims, *member_dims(variable)).values
        spelt, units = long_name(variable), str(variable.attrs.get("units", ""))
        for place, labels in labels_along(variable, dims):
            cell = _Cell(spelt, labels, units, np.asarray(values[place], dtype=float))
            yield key(with_labels(spelt, labels)), cell


def _equal(first: Numbers, second: Numbers) -> bool:
    """Whether a constant is the same in two runs; one that does not vary is that of every member."""
    alike = first.shape == second.shape or 1 in (first.size, second.size)
    return alike and bool(np.all((first == second) | (np.isnan(first) & np.isnan(second))))


def _sizes(run: xr.Dataset) -> dict[str, float]:
    """The largest size of any number over time in each of the units that a run has."""
    found: dict[str, float] = {}
    for name in run.data_vars:
        variable = run.variables[name]
        units = str(variable.attrs.get("units", ""))
        if units and TIME in variable.dims:
            values = np.abs(variable.values)
            found[units] = max(found.get(units, 0.0), float(values[np.isfinite(values)].max(initial=0.0)))
    return found


def _gaps(pair: Pair, times: Numbers, run: str, rounding: float) -> Iterator[Gap]:
    """The gap of each label of a variable."""
    dims = subscript_dims(pair.before)
    before, after = (values_at(each, times, dims) for each in (pair.before, pair.after))
    for place, labels in labels_along(pair.before, dims):
        first, second = (np.moveaxis(each, 0, -1)[place] for each in (before, after))
        yield _gap((with_labels(pair.name, labels), pair.name, run, pair.units), times, first, second, rounding)


def _gap(told: tuple[str, str, str, str], times: Numbers, before: Numbers, after: Numbers, rounding: float) -> Gap:
    """The largest distance between two series, shape (times,), of some name, variable, run and units.

    Where both stay below `rounding`, it is no share of anything.
    """
    alike = (before == after) | (np.isnan(before) & np.isnan(after))
    counted = np.isfinite(before) & np.isfinite(after)
    lacking = times[~alike & ~counted]
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.where(alike | ~counted, 0.0, np.abs(after - before))
    place = int(distance.argmax())
    absolute = float(distance[place])
    size, other = (float(np.abs(each[np.isfinite(each)]).max(initial=0.0)) for each in (before, after))
    relative = absolute / size if size else np.inf if absolute else 0.0
    relative = relative if max(size, other) > rounding else 0.0
    at, first, second = (float(each[place]) for each in (times, before, after))
    since = float(lacking[0]) if lacking.size else float("nan")
    return Gap(*told, absolute, relative, at, first, second, lacking.size, since)
