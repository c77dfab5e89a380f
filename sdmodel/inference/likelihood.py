"""What a run says at the times of observations, and how probable these are under it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import BLOCK, TIME, evaluate_formula, find_variable, member_dims
from ..errors import DatasetError, Fault, ObservationError
from ..model import references, referred
from .series import Series, carried

_NUMBERS = 2**23
"""So many numbers of a run are read at a time, 64 MiB."""
_ROUNDING = 1e-9


def modelled(series: Sequence[Series], run: xr.Dataset) -> NDArray[np.float64]:
    """What a run says of all series, shape (observations of one series after the other, members), in their units.

    Between saved times it is interpolated linearly. A run without members is one member; an ensemble that is opened
    lazily is read block by block.

    Raises
    ------
    ObservationError
        If the run lacks a variable that a series is about, or ends before the last observation of one.
    """
    names = _variables(series, run)
    saved = np.asarray(run[TIME].values, dtype=float)
    _check_times(series, saved)
    spots = [_spots(each.times, saved) for each in series]
    needed = np.unique(np.concatenate([np.concatenate([each.left, each.right]) for each in spots]))
    part = run[[*names, TIME]].isel({TIME: needed})  # with its times, for a constant has none of its own
    members = math.prod(part.sizes[dim] for dim in member_dims(part))
    found = np.empty((sum(each.times.size for each in series), members))
    for first, last, block in _blocks(part, len(saved)):
        row = 0
        for each, spot in zip(series, spots, strict=True):
            values = _over_members(block, each)
            found[row : row + each.times.size, first:last] = spot.interpolated(values, needed)
            row += each.times.size
    return found


def parted_series(series: Sequence[Series], run: xr.Dataset) -> tuple[tuple[Series, ...], tuple[Fault, ...]]:
    """The series that are about variables which a run holds, and what it lacks for each of the others."""
    held: list[Series] = []
    lacking: list[Fault] = []
    for each in series:
        try:
            _variables([each], run)
        except ObservationError as error:
            lacking += error.faults
        else:
            held.append(each)
    return tuple(held), tuple(lacking)


@dataclass(frozen=True, eq=False)
class _Spots:
    """Where times lie between saved ones: positions of the two beside each, and its share of the way, shape (n, 1)."""

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    share: NDArray[np.float64]

    def interpolated(self, values: NDArray[np.float64], needed: NDArray[np.intp]) -> NDArray[np.float64]:
        """Values, shape (needed saved times, members), at the times; on a saved time the next one does not count."""
        left = values[np.searchsorted(needed, self.left)]
        right = values[np.searchsorted(needed, self.right)]
        with np.errstate(invalid="ignore", over="ignore"):
            return np.where(self.share == 0, left, left + self.share * (right - left))


def _spots(times: NDArray[np.float64], saved: NDArray[np.float64]) -> _Spots:
    left = np.clip(np.searchsorted(saved, times + _ROUNDING, side="right") - 1, 0, len(saved) - 1)
    right = np.minimum(left + 1, len(saved) - 1)
    width, beyond = saved[right] - saved[left], times - saved[left]
    share = np.divide(beyond, width, out=np.zeros(len(times)), where=(width > 0) & (beyond > _ROUNDING))
    return _Spots(left, right, share[:, np.newaxis])


def _variables(series: Sequence[Series], run: xr.Dataset) -> list[Hashable]:
    """The variables of a run that the series are about."""
    found: dict[Hashable, None] = {}
    faults = []
    for each in series:
        for name, subscripts in dict.fromkeys(map(referred, references(each.model))):
            if name == TIME:
                continue
            spelt = f"{name}[{','.join(subscripts)}]" if subscripts else name
            try:
                found[find_variable(run, spelt.replace("_", " ")).name] = None
            except DatasetError as fault:
                faults.append(Fault(each.place, f"'{each.name}': {fault}"))
    if faults:
        raise ObservationError(faults)
    return list(found)


def _check_times(series: Sequence[Series], saved: NDArray[np.float64]) -> None:
    """Make sure that a run covers the observations."""
    faults = []
    for each in series:
        outside = each.times[(each.times < saved[0] - _ROUNDING) | (each.times > saved[-1] + _ROUNDING)]
        if outside.size:
            told = f"{outside.size} of the observations of '{each.name}' lie outside of the run, the first at {outside[0]:.7g}"
            cure = (
                f"run the model for longer than {saved[0]:.7g} to {saved[-1]:.7g}, or bound them with since and until"
            )
            faults.append(Fault(each.place, f"{told}; {cure}"))
    if faults:
        raise ObservationError(faults)


def _blocks(part: xr.Dataset, times: int) -> Iterator[tuple[int, int, xr.Dataset]]:
    """Some members at a time, in whole blocks of a store, read into memory, and which they are."""
    dims = member_dims(part)
    count = math.prod(part.sizes[dim] for dim in dims)
    if len(dims) != 1:
        yield 0, count, part.load()
        return
    stored = int(part.attrs.get(BLOCK, 1))
    row = sum(each.size // each.sizes[dims[0]] for each in part.data_vars.values() if dims[0] in each.dims)
    numbers = row // max(1, part.sizes[TIME]) * times  # a store is read for all times of a block at once
    step = max(1, _NUMBERS // max(1, numbers * stored)) * stored
    for first in range(0, count, step):
        last = min(first + step, count)
        yield first, last, part.isel({dims[0]: slice(first, last)}).load()


def _over_members(block: xr.Dataset, series: Series) -> NDArray[np.float64]:
    """What a block says of a series at its times, shape (times, members)."""
    dims = (TIME, *member_dims(block))
    values = evaluate_formula(block, series.model)
    missing = {dim: block.sizes[dim] for dim in dims if dim not in values.dims}
    bare = values.drop_vars([name for name in values.coords if name in missing])
    return np.asarray(bare.expand_dims(missing).transpose(*dims).values, dtype=float).reshape(block.sizes[TIME], -1)


def standardised(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Observations less what the model says of them, in standard deviations of their errors, shape (observations, members).

    Under a log error both are logarithms; a model that is not above zero there is infinitely far away.
    """
    parts = []
    for each, values in _parts(series, modelled):
        observed, sd = each.values[:, np.newaxis], each.deviations[:, np.newaxis]
        with np.errstate(all="ignore"):
            if each.error.kind == "log":
                gap = np.where(
                    values > 0, np.log(observed) - np.log(values), np.where(np.isnan(values), np.nan, np.inf)
                )
            else:
                gap = observed - values
        parts.append(gap / sd)
    return np.concatenate(parts) if parts else np.empty((0, modelled.shape[1]))


def residuals(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is new in each standardised error, in standard deviations of that, shape (observations, members).

    If the model is right they are independent standard normal numbers: of errors e that are correlated in time it is
    (e_i - rho_i e_(i-1))/sqrt(1 - rho_i^2), rho_i being the correlation with the point before; others are as they are.
    """
    gaps = standardised(series, modelled)
    for each, errors in _parts(series, gaps):
        if each.error.correlation > 0:
            old, new = (part[1:, np.newaxis] for part in carried(each))
            with np.errstate(invalid="ignore", over="ignore"):
                errors[1:] = (errors[1:] - old * errors[:-1]) / new
    return gaps


def log_likelihood(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """The natural logarithm of the density of all observations under each member, shape (members,).

    It is normalised: under a log error it is the density of the lognormal distribution, of the observation itself, so that
    error models can be held against each other. A member that is not finite at an observation has minus infinity.
    """
    gaps = residuals(series, modelled)
    constant = 0.0
    for each in series:
        scale = each.deviations * each.values if each.error.kind == "log" else each.deviations
        constant -= float(np.sum(np.log(scale))) + 0.5 * math.log(2 * math.pi) * each.times.size
        if each.error.correlation > 0:
            constant -= float(np.sum(np.log(carried(each)[1])))
    with np.errstate(over="ignore", invalid="ignore"):
        found = constant - 0.5 * np.sum(gaps * gaps, axis=0)
    return np.where(np.isfinite(found), found, -np.inf)


def predictive(series: Sequence[Series], modelled: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """What would be observed if the model were right, one draw for each member, shape (observations, members).

    The errors are those of `series`, correlated where these are, drawn from a stream that `seed` decides.
    """
    noise = np.random.default_rng(seed).standard_normal(modelled.shape)
    parts = []
    for (each, values), (_, draws) in zip(_parts(series, modelled), _parts(series, noise), strict=True):
        if each.error.correlation > 0:
            for place, (old, new) in enumerate(zip(*carried(each), strict=True)):
                draws[place] = new * draws[place] + (old * draws[place - 1] if place else 0)
        spread = each.deviations[:, np.newaxis] * draws
        parts.append(values * np.exp(spread) if each.error.kind == "log" else values + spread)
    return np.concatenate(parts) if parts else modelled


def _parts(series: Sequence[Series], modelled: NDArray[np.float64]) -> Iterator[tuple[Series, NDArray[np.float64]]]:
    """The rows of each series."""
    row = 0
    for each in series:
        yield each, modelled[row : row + each.times.size]
        row += each.times.size
