"""Statistics over the members of an ensemble: quantiles, shares, and differences between the members of two ensembles.

An ensemble that is opened from its folder is read piece by piece, so that memory does not grow with the number of members.
Values that are not finite are left out and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from sympy import Expr

from ..dataset import (
    BLOCK,
    DIGEST,
    MEMBER,
    PROBABILITY,
    TIME,
    bare_variables,
    evaluate_formula,
    find_variable,
    long_name,
    member_blocks,
    subscript_dims,
)
from ..errors import DatasetError
from ..resources import available_threads, free_memory
from .differences import (
    Numbers,
    Pair,
    common_times,
    pair_of,
    ratio_attributes,
    set_against,
    time_frame,
    values_at,
)

MEDIAN = 0.5
LEFT_OUT = "members_left_out"
"""The attribute of quantiles with the largest number of members left out at one time."""

_READ_BYTES = 2**28
"""Bytes of a variable to read at a time if little memory is free."""
_READ_SHARE = 4
"""The part of the free memory to read at a time, at most: each piece reads all files of the variable, best all at once."""
_SORTED_BYTES = 2**24
"""Bytes of a variable to copy and sort at a time."""
_DIFFERENCE_BYTES = 2**26
"""Bytes of differences to hold at a time."""
_MEMBERS = 4096
"""Members to evaluate at a time if the run is not stored in blocks."""


def levels_of(bands: Sequence[float]) -> list[float]:
    """Return the probabilities at the ends of bands, given by the shares of members within them, and the median, in order."""
    ends = (end for width in bands for end in (round((1 - width) / 2, 9), round((1 + width) / 2, 9)))
    return sorted({MEDIAN, *ends})


def quantiles(
    run: xr.Dataset, names: str | Iterable[str], probabilities: Sequence[float], *, over: str = MEMBER
) -> xr.Dataset:
    r"""Compute quantiles of variables over the members of an ensemble.

    Between two members the quantile is interpolated linearly (definition 7 of Hyndman and Fan, 1996, NumPy's default).

    Parameters
    ----------
    run : xarray.Dataset
        An ensemble, as `simulate` or `open_run` return it.
    names : str or iterable of str
        Variables, `name` or `name[label]`.
    probabilities : sequence of float
        Probabilities of the quantiles, from 0 to 1.
    over : str, default "member"
        The dimension of the members.

    Returns
    -------
    xarray.Dataset
        One variable per name, with dimensions `probability`, `time` and subscripts, in the variable's units. Members that are
        not finite at a time are left out there; the attribute `members_left_out` is the largest number of them.

    Raises
    ------
    DatasetError
        If the run lacks one of the variables, or a probability is not between 0 and 1.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate, 0)\nrate = 1", final=2)
    >>> ensemble = sd.simulate(model, {"rate": [1.0, 2.0, 3.0, 4.0, 5.0]})
    >>> sd.quantiles(ensemble, "stock", [0.25, 0.5])["stock"].isel(time=-1).values.tolist()
    [4.0, 6.0]
    """
    check_probabilities(probabilities)
    given = [names] if isinstance(names, str) else list(names)
    levels = xr.Variable((PROBABILITY,), np.asarray(probabilities, dtype=float))
    found = {name: _quantiles_of(find_variable(run, name), levels, over) for name in given}
    return xr.Dataset({name.replace("/", " per "): array for name, array in found.items()}, attrs=run.attrs)


def check_probabilities(probabilities: Sequence[float]) -> None:
    """Check that there are probabilities, from 0 to 1."""
    wrong = [probability for probability in probabilities if not 0 <= probability <= 1]
    if wrong or not len(probabilities):
        message = f"quantiles: {wrong[0] if wrong else 'nothing'} is not a probability; give numbers from 0 to 1"
        raise DatasetError(message)


def share_where(run: xr.Dataset, expression: Expr, *, over: str = MEMBER) -> xr.DataArray:
    r"""Compute the share of an ensemble's members in which a condition holds.

    Parameters
    ----------
    run : xarray.Dataset
        An ensemble, as `simulate` or `open_run` return it.
    expression : sympy.Expr
        The condition, as `read_formula` returns it.
    over : str, default "member"
        The dimension of the members.

    Returns
    -------
    xarray.DataArray
        The share at each time, from 0 to 1, with dimensions `time` and subscripts. Coordinates: `counted` is the number of
        members that have a number at that time, the base of the share; `ever` and `always` are the shares of members in
        which the condition holds at some time and at all times, of the `throughout` members that have a number at all times.

    Raises
    ------
    DatasetError
        If the run lacks a variable of the condition.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate, 0)\nrate = 1", final=2)
    >>> ensemble = sd.simulate(model, {"rate": [1.0, 2.0, 3.0, 4.0]})
    >>> share = sd.share_where(ensemble, sd.read_formula("stock > 3"))
    >>> share.values.tolist(), float(share.ever)
    ([0.0, 0.25, 0.75], 0.75)
    """
    if over not in run.dims:
        run = run.expand_dims({over: 1})
    sums: Mapping[str, xr.DataArray] = {}
    for _, _, part in member_blocks(run, over, 1 if BLOCK in run.attrs else _MEMBERS):
        values = evaluate_formula(part, expression)
        if over not in values.dims:
            values = values.expand_dims({over: part.sizes[over]})
        known = values.notnull()
        true = known & (values != 0)
        times = [TIME] if TIME in values.dims else []
        throughout = known.all(times)
        found = {
            "true": true.sum(over),
            "counted": known.sum(over),
            "ever": (true.any(times) & throughout).sum(over),
            "always": (true.all(times) & throughout).sum(over),
            "throughout": throughout.sum(over),
        }
        sums = {name: sums[name] + count if sums else count for name, count in found.items()}
    share = sums["true"] / sums["counted"].where(sums["counted"] > 0)
    whole = sums["throughout"].where(sums["throughout"] > 0)
    shares = {"ever": sums["ever"] / whole, "always": sums["always"] / whole}
    coords = {"counted": sums["counted"], **shares, "throughout": sums["throughout"]}
    return share.assign_coords(coords).rename("share")


def _quantiles_of(variable: xr.DataArray, levels: xr.Variable, over: str) -> xr.DataArray:
    """The quantiles of one variable; one that is the same for all members is its own quantile."""
    attributes = dict(variable.attrs)
    if over not in variable.dims:
        spread = variable.expand_dims({PROBABILITY: levels.values})
        return spread.assign_attrs(attributes | {LEFT_OUT: 0})
    ordered = variable.transpose(..., over)
    members = ordered.sizes[over]
    timed = ordered.dims[0] == TIME
    row = 8 * members * int(np.prod(ordered.shape[1:-1] if timed else ordered.shape[:-1], dtype=int))
    step = max(1, max(_READ_BYTES, free_memory() // _READ_SHARE) // max(1, row)) if timed else 1
    starts = range(0, ordered.sizes[TIME], step) if timed else [0]
    pieces, left_out = [], 0
    with ThreadPoolExecutor(available_threads()) as pool:  # NumPy sorts without Python's lock
        for start in starts:
            values = (ordered.isel({TIME: slice(start, start + step)}) if timed else ordered).values
            parts = np.array_split(values, max(1, values.nbytes // _SORTED_BYTES)) if timed else [values]
            for found, lacking in pool.map(
                lambda few: _sorted_quantiles(np.array(few, dtype=float), levels.values), parts
            ):
                pieces.append(found)
                left_out = max(left_out, lacking)
    frame = ordered.isel({over: 0}, drop=True)
    whole = np.concatenate(pieces, axis=1) if timed else pieces[0]
    coords: dict[Any, Any] = {**frame.coords, PROBABILITY: levels.values}
    return xr.DataArray(whole, coords, (PROBABILITY, *frame.dims), attrs=attributes | {LEFT_OUT: left_out})


def _sorted_quantiles(values: Numbers, levels: Numbers) -> tuple[Numbers, int]:
    """Quantiles along the last axis, which is sorted in place, shape (levels, other axes), and the most values left out."""
    finite = np.isfinite(values)
    counts = finite.sum(axis=-1)
    if counts.size and counts.min() < values.shape[-1]:
        values[~finite] = np.nan
    values.sort(axis=-1)  # NaN comes last
    places = np.maximum(counts - 1, 0) * levels.reshape(-1, *(1,) * counts.ndim)
    below = np.floor(places).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(counts - 1, 0))
    low, high = (
        np.moveaxis(np.take_along_axis(values, np.moveaxis(index, 0, -1), axis=-1), -1, 0) for index in (below, above)
    )
    share = places - below
    return low * (1 - share) + high * share, int((values.shape[-1] - counts).max(initial=0))


@dataclass(frozen=True, eq=False)
class PairedDifferences:
    """The differences between the members of two ensembles, member by member, in datasets by variable.

    `quantiles` have the dims probability, time and labels, in the units of each variable. `above` and `below` are the shares
    of members with a positive and a negative difference, dims time and labels, of those that have a finite one.
    """

    quantiles: xr.Dataset
    above: xr.Dataset
    below: xr.Dataset
    members: int


def are_paired(before: xr.Dataset, after: xr.Dataset) -> bool:
    """Whether two ensembles have the same sampled constants member by member; a single run pairs with every member.

    If neither ensemble records its design, the constants that vary are compared.
    """
    if MEMBER not in before.dims or MEMBER not in after.dims:
        return True
    digests = [str(run.attrs.get(DIGEST, "")) for run in (before, after)]
    if any(digests):
        return digests[0] == digests[1]
    first, second = (
        {
            name
            for name, variable in bare_variables(run).items()
            if variable.attrs.get("kind") == "constant" and MEMBER in variable.dims
        }
        for run in (before, after)
    )
    same_size = before.sizes[MEMBER] == after.sizes[MEMBER]
    return same_size and first == second and all(before[name].equals(after[name]) for name in first)


def paired_differences(
    before: xr.Dataset,
    after: xr.Dataset,
    names: str | Iterable[str],
    probabilities: Sequence[float],
    *,
    at: Sequence[float] | None = None,
    ratios: Collection[str] = (),
) -> PairedDifferences:
    """Compute the quantiles over members of `after` minus `before`, member by member, and the shares above and below zero.

    Quantiles of the variables that are in `ratios` too are those of `after` divided by `before`. Either may be a single run,
    which is compared with every member. If one ensemble has fewer stored members, only the
    members of both count. `at` are the times; by default the stored times of `before` within those of `after`. The
    ensembles are read piece by piece. Raises DatasetError if a run lacks one of the variables, a probability is not between
    0 and 1, or a time is not in both runs.
    """
    check_probabilities(probabilities)
    members = min((run.sizes[MEMBER] for run in (before, after) if MEMBER in run.dims), default=1)
    first, second = (run.isel({MEMBER: slice(members)}) if MEMBER in run.dims else run for run in (before, after))
    times = common_times(first, second) if at is None else np.sort(np.asarray(at, dtype=float))
    start = max(float(run[TIME].values[0]) for run in (first, second))
    end = min(float(run[TIME].values[-1]) for run in (first, second))
    outside = times[(times < start) | (times > end)]
    if outside.size and at is not None:
        message = f"differences: {outside[0]:.10g} is outside the times of both runs, {start:.10g} to {end:.10g}"
        raise DatasetError(message)
    quantiles, above, below = (time_frame(first, times).assign_attrs(after.attrs) for _ in range(3))
    for name in [names] if isinstance(names, str) else names:
        pair = pair_of(find_variable(first, name), find_variable(second, name))
        if pair is not None and times.size:
            own = name.replace("/", " per ")
            quantiles[own], above[own], below[own] = _pair_statistics(
                pair, times, members, probabilities, ratio=name in ratios
            )
    return PairedDifferences(quantiles, above, below, members)


def _pair_statistics(
    pair: Pair, times: Numbers, members: int, probabilities: Sequence[float], *, ratio: bool
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """The quantiles of the difference or ratio of one variable, and the shares of members with more and with less.

    The differences are computed for some times after the other.
    """
    dims = subscript_dims(pair.before)
    levels, left_out = np.asarray(probabilities, dtype=float), 0
    pieces: list[Numbers] = []
    above: list[Numbers] = []
    below: list[Numbers] = []
    row = 8 * members * int(np.prod([pair.before.sizes[dim] for dim in dims], dtype=int))
    step = max(1, _DIFFERENCE_BYTES // max(1, row))
    for part in (times[start : start + step] for start in range(0, len(times), step)):
        first, second = (
            values_at(array if MEMBER in array.dims else array.expand_dims(MEMBER), part, [*dims, MEMBER])
            for array in (pair.before, pair.after)
        )
        values = np.empty((len(part), *first.shape[1:-1], members))
        values[:] = set_against(first, second, ratio=ratio)
        values[~np.isfinite(values)] = np.nan
        known = np.isfinite(values).sum(axis=-1)
        for found, side in ((above, values > ratio), (below, values < ratio)):
            found.append(np.where(known, side.sum(axis=-1) / np.maximum(known, 1), np.nan))
        piece, lacking = _sorted_quantiles(values, levels)
        pieces.append(piece)
        left_out = max(left_out, lacking)
    coords = {dim: pair.before[dim] for dim in dims} | {TIME: times}
    attributes = ratio_attributes(pair.before) if ratio else pair.before.attrs
    attributes = attributes | {"long_name": long_name(pair.before), LEFT_OUT: left_out}
    quantiles = xr.DataArray(
        np.concatenate(pieces, axis=1), {PROBABILITY: levels, **coords}, (PROBABILITY, TIME, *dims), attrs=attributes
    )
    shares = attributes | {"units": "Dmnl"}
    more, less = (xr.DataArray(np.concatenate(side), coords, (TIME, *dims), attrs=shares) for side in (above, below))
    return quantiles, more, less
