"""Ensembles of one design against each other: what the differences between paired members say, not those of quantiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER, PROBABILITY, TIME, find_variable, long_name, subscript_dims
from ..errors import DatasetError
from .alignment import Numbers, Pair, common_times, pair_of, time_frame, values_at
from .members import LEFT_OUT, check_probabilities, reading, sorted_quantiles

DIGEST = "design_sha256"
"""The attribute of an ensemble that is a hash of all that decides the constants of its members."""

_PIECE = 2**26
"""Bytes of the differences that are held at a time."""


@dataclass(frozen=True, eq=False)
class PairedDifferences:
    """What the members of two ensembles differ by, member by member, in datasets by variable.

    `quantiles` have the dims probability, time and labels, in the units of each variable; `above` and `below` are the shares
    of members whose difference is above and below zero, dims time and labels, of those that have a finite one.
    """

    quantiles: xr.Dataset
    above: xr.Dataset
    below: xr.Dataset
    members: int


def are_paired(before: xr.Dataset, after: xr.Dataset) -> bool:
    """Whether member by member two ensembles have the same constants drawn; a single run is paired with every member.

    Of ensembles that do not record their design, the constants that vary are compared.
    """
    if MEMBER not in before.dims or MEMBER not in after.dims:
        return True
    digests = [str(run.attrs.get(DIGEST, "")) for run in (before, after)]
    if any(digests):
        return digests[0] == digests[1]
    drawn = [{str(name) for name, each in run.data_vars.items() if _is_drawn(each)} for run in (before, after)]
    same_members = before.sizes[MEMBER] == after.sizes[MEMBER]
    return same_members and drawn[0] == drawn[1] and all(before[name].equals(after[name]) for name in drawn[0])


def paired_differences(
    before: xr.Dataset,
    after: xr.Dataset,
    names: str | Iterable[str],
    probabilities: Sequence[float],
    *,
    at: Sequence[float] | None = None,
) -> PairedDifferences:
    """Quantiles over members of how far `after` is above `before`, member by member, and in which share it is at all.

    Either may be a single run, which is held against every member. Where one ensemble has fewer members stored, those that
    both have count. `at` are the times, all that the first has stored within the second's by default. They are read piece by piece, so that a million members need no more memory than some.

    Raises
    ------
    DatasetError
        If a run lacks one of the variables, a probability is not between 0 and 1, or a time is not in both runs.
    """
    check_probabilities(probabilities)
    members = min((run.sizes[MEMBER] for run in (before, after) if MEMBER in run.dims), default=1)
    first, second = (run.isel({MEMBER: slice(members)}) if MEMBER in run.dims else run for run in (before, after))
    times = common_times(first, second) if at is None else _within(first, second, at)
    quantiles, above, below = (time_frame(first, times).assign_attrs(after.attrs) for _ in range(3))
    for name in [names] if isinstance(names, str) else names:
        pair = pair_of(find_variable(first, name), find_variable(second, name))
        if pair is not None and times.size:
            called = name.replace("/", " per ")
            quantiles[called], above[called], below[called] = _differences(pair, times, members, probabilities)
    return PairedDifferences(quantiles, above, below, members)


def _within(before: xr.Dataset, after: xr.Dataset, at: Sequence[float]) -> Numbers:
    """Times that are asked for, in order."""
    wanted = np.sort(np.asarray(at, dtype=float))
    first = max(float(run[TIME].values[0]) for run in (before, after))
    last = min(float(run[TIME].values[-1]) for run in (before, after))
    outside = wanted[(wanted < first) | (wanted > last)]
    if outside.size:
        message = f"differences: {outside[0]:.10g} is outside what both runs cover, {first:.10g} to {last:.10g}"
        raise DatasetError(message)
    return wanted


def _is_drawn(variable: xr.DataArray) -> bool:
    return variable.attrs.get("kind") == "constant" and MEMBER in variable.dims


def _differences(
    pair: Pair, times: Numbers, members: int, probabilities: Sequence[float]
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Quantiles of the difference of one variable, and the shares of members in which it is above and below zero."""
    dims = subscript_dims(pair.before)
    levels, left_out = np.asarray(probabilities, dtype=float), 0
    pieces: list[Numbers] = []
    above: list[Numbers] = []
    below: list[Numbers] = []
    for values in _pieces(pair, times, dims, members):
        known = np.isfinite(values).sum(axis=-1)
        for found, side in ((above, values > 0), (below, values < 0)):
            found.append(np.where(known, side.sum(axis=-1) / np.maximum(known, 1), np.nan))
        ordered, lacking = sorted_quantiles(values, levels)
        pieces.append(ordered)
        left_out = max(left_out, lacking)
    coords = {dim: pair.before[dim] for dim in dims} | {TIME: times}
    attributes = pair.before.attrs | {"long_name": long_name(pair.before), LEFT_OUT: left_out}
    quantiles = xr.DataArray(
        np.concatenate(pieces, axis=1), {PROBABILITY: levels, **coords}, (PROBABILITY, TIME, *dims), attrs=attributes
    )
    shares = attributes | {"units": "Dmnl"}
    more, less = (xr.DataArray(np.concatenate(each), coords, (TIME, *dims), attrs=shares) for each in (above, below))
    return quantiles, more, less


def _pieces(pair: Pair, times: Numbers, dims: Sequence[str], members: int) -> Iterator[NDArray[np.float64]]:
    """The differences at some times after the other, shape (times, labels, members), finite or not a number."""
    row = 8 * members * int(np.prod([pair.before.sizes[dim] for dim in dims], dtype=int))
    step = max(1, _PIECE // max(1, row))
    for start in range(0, len(times), step):
        wanted = times[start : start + step]
        with reading(f"'{pair.name}'"):
            first, second = (_over_members(each, wanted, dims) for each in (pair.before, pair.after))
        difference = np.empty((len(wanted), *first.shape[1:-1], members))
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(second, first, out=difference)
        difference[~np.isfinite(difference)] = np.nan
        yield difference


def _over_members(variable: xr.DataArray, wanted: Numbers, dims: Sequence[str]) -> Numbers:
    """A variable at some times with its members last, one if it has none."""
    spread = variable if MEMBER in variable.dims else variable.expand_dims(MEMBER)
    return values_at(spread, wanted, [*dims, MEMBER])
