"""What the members of an ensemble say together: quantiles, and the share of them in which a statement holds.

An ensemble that is opened from its folder is read piece by piece, so that a million members need no more memory than some.
What is not finite takes no part and is counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Expr

from ..dataset import BLOCK, MEMBER, PROBABILITY, TIME, evaluate_formula, find_variable, long_name
from ..errors import DatasetError

LEFT_OUT = "members_left_out"
"""The attribute of a variable's quantiles that tells how many members at most had no number at one time."""

_PIECE = 2**28
"""Bytes of a variable that are read at a time. Every piece reads all files of the variable, so that few are quicker."""
_SORTED = 2**24
"""Bytes of it that are copied and sorted at a time."""
_MEMBERS = 4096


def quantiles(
    run: xr.Dataset, names: str | Iterable[str], probabilities: Sequence[float], *, over: str = MEMBER
) -> xr.Dataset:
    """Quantiles of variables over members, dims probability, time and labels, in the units of each variable.

    Numbers between two members are interpolated linearly (definition 7 of Hyndman and Fan, 1996, which is NumPy's). Members
    that are not finite at a time are left out there; the attribute `members_left_out` tells how many at most.

    Raises
    ------
    DatasetError
        If the run lacks one of the variables, or a probability is not between 0 and 1.
    """
    check_probabilities(probabilities)
    given = [names] if isinstance(names, str) else list(names)
    levels = xr.Variable((PROBABILITY,), np.asarray(probabilities, dtype=float))
    found = {name: _quantiles_of(find_variable(run, name), levels, over) for name in given}
    return xr.Dataset({name.replace("/", " per "): each for name, each in found.items()}, attrs=run.attrs)


def check_probabilities(probabilities: Sequence[float]) -> None:
    """Make sure that there are probabilities and nothing else."""
    wrong = [each for each in probabilities if not 0 <= each <= 1]
    if wrong or not len(probabilities):
        message = f"quantiles: {wrong[0] if wrong else 'nothing'} is no probability; give numbers from 0 to 1"
        raise DatasetError(message)


def share_where(run: xr.Dataset, expression: Expr, *, over: str = MEMBER) -> xr.DataArray:
    """The share of members in which a statement holds, dims time and labels, from 0 to 1.

    Its coordinates tell more: `counted`, how many members have a number at that time, of which it is the share; `ever` and
    `always`, the shares of those in which it holds at some time and at all times, both of the `throughout` members that
    have a number at all times.

    Raises
    ------
    DatasetError
        If the run lacks a variable that the statement mentions.
    """
    if over not in run.dims:
        run = run.expand_dims({over: 1})
    sums: Mapping[str, xr.DataArray] = {}
    for part in _blocks(run, over):
        with reading("members"):
            values = evaluate_formula(part, expression)
        if over not in values.dims:
            values = values.expand_dims({over: part.sizes[over]})
        found = _counts(values, over)
        sums = {name: sums[name] + each if sums else each for name, each in found.items()}
    share = sums["true"] / sums["counted"].where(sums["counted"] > 0)
    whole = sums["throughout"].where(sums["throughout"] > 0)
    return share.assign_coords(
        counted=sums["counted"],
        ever=sums["ever"] / whole,
        always=sums["always"] / whole,
        throughout=sums["throughout"],
    ).rename("share")


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Say of members whose files are damaged, which shows only when they are read, that they are."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as cause:
        told = " ".join(str(cause).split())
        message = f"{what}: cannot be read, the files of the ensemble are damaged ({told}); make it again"
        raise DatasetError(message) from cause


def _blocks(run: xr.Dataset, over: str) -> Iterator[xr.Dataset]:
    """A run in blocks of members, as they are stored together."""
    size = int(run.attrs.get(BLOCK, _MEMBERS))
    for first in range(0, run.sizes[over], size):
        yield run.isel({over: slice(first, first + size)})


def _counts(values: xr.DataArray, over: str) -> dict[str, xr.DataArray]:
    """In how many of some members a statement is true and has a number: at each time, ever and always."""
    known = values.notnull()
    true = known & (values != 0)
    times = [TIME] if TIME in values.dims else []
    throughout = known.all(times)
    return {
        "true": true.sum(over),
        "counted": known.sum(over),
        "ever": (true.any(times) & throughout).sum(over),
        "always": (true.all(times) & throughout).sum(over),
        "throughout": throughout.sum(over),
    }


def _quantiles_of(variable: xr.DataArray, levels: xr.Variable, over: str) -> xr.DataArray:
    """The quantiles of one variable; one that all members share is its own at every level."""
    attributes = dict(variable.attrs)
    if over not in variable.dims:
        spread = variable.expand_dims({PROBABILITY: levels.values})
        return spread.assign_attrs(attributes | {LEFT_OUT: 0})
    ordered = variable.transpose(..., over)
    members = ordered.sizes[over]
    timed = ordered.dims[0] == TIME
    row = 8 * members * int(np.prod(ordered.shape[1:-1] if timed else ordered.shape[:-1], dtype=int))
    step = max(1, _PIECE // max(1, row)) if timed else 1
    starts = range(0, ordered.sizes[TIME], step) if timed else [0]
    pieces, left_out = [], 0
    for start in starts:
        part = ordered.isel({TIME: slice(start, start + step)}) if timed else ordered
        with reading(f"'{long_name(variable)}'"):
            values = part.values
        for few in np.array_split(values, max(1, values.nbytes // _SORTED)) if timed else [values]:
            found, lacking = sorted_quantiles(np.array(few, dtype=float), levels.values)
            pieces.append(found)
            left_out = max(left_out, lacking)
    frame = ordered.isel({over: 0}, drop=True)
    whole = np.concatenate(pieces, axis=1) if timed else pieces[0]
    coords: dict[Any, Any] = {**frame.coords, PROBABILITY: levels.values}
    return xr.DataArray(whole, coords, (PROBABILITY, *frame.dims), attrs=attributes | {LEFT_OUT: left_out})


def sorted_quantiles(values: NDArray[np.float64], levels: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Quantiles along the last axis, which is sorted in place, shape (levels, the other axes), and how many lack at most."""
    values[~np.isfinite(values)] = np.nan
    values.sort(axis=-1)  # what is not a number comes last
    counts = values.shape[-1] - np.isnan(values).sum(axis=-1)
    places = np.maximum(counts - 1, 0) * levels.reshape(-1, *(1,) * counts.ndim)
    below = np.floor(places).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(counts - 1, 0))
    low, high = (
        np.moveaxis(np.take_along_axis(values, np.moveaxis(each, 0, -1), axis=-1), -1, 0) for each in (below, above)
    )
    share = places - below
    return low * (1 - share) + high * share, int((values.shape[-1] - counts).max(initial=0))
