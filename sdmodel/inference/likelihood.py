"""What a run says at the times of observations, and how probable the observations are given the run."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import interpolate
from ..dataset import TIME, evaluate_formula, find_variable, member_blocks, member_dims
from ..errors import DatasetError, Fault, ObservationError
from ..model import references_in, split_reference
from .series import Series, error_memory

_NUMBERS = 2**23
"""Numbers of a run that are read at a time: 64 MiB."""
_ROUNDING = 1e-9


def evaluate_series(series: Sequence[Series], run: xr.Dataset) -> NDArray[np.float64]:
    """Return a run's values of all series at their times, shape (observations of all series, members), in their units.

    Values between saved times are interpolated linearly. A run without members counts as one member; an ensemble that is
    opened lazily is read block by block.

    Raises
    ------
    ObservationError
        If the run lacks a variable that a series needs, or ends before the last observation of one.
    """
    names = _variables(series, run)
    saved = np.asarray(run[TIME].values, dtype=float)
    _check_times(series, saved)
    after = np.searchsorted(saved, np.concatenate([item.times for item in series]))
    needed = np.unique(np.clip(np.concatenate([after - 1, after]), 0, len(saved) - 1))
    part = run[[*names, TIME]].isel({TIME: needed})  # with its times, since a constant has none of its own
    values = np.empty((sum(item.times.size for item in series), _member_count(part)))
    for first, last, block in _member_blocks(part, len(saved)):
        for item, rows in by_series(series, values):
            rows[:, first:last] = interpolate(saved[needed], _over_members(block, item), item.times)
    return values


def split_series(series: Sequence[Series], run: xr.Dataset) -> tuple[tuple[Series, ...], tuple[Fault, ...]]:
    """Return the series whose variables a run contains, and the faults of the others."""
    held: list[Series] = []
    faults: list[Fault] = []
    for item in series:
        try:
            _variables([item], run)
        except ObservationError as error:
            faults += error.faults
        else:
            held.append(item)
    return tuple(held), tuple(faults)


def _variables(series: Sequence[Series], run: xr.Dataset) -> list[Hashable]:
    """Return the names, in a run, of the variables that the series need."""
    variables: dict[Hashable, None] = {}
    faults = []
    for item in series:
        for name, subscripts in dict.fromkeys(map(split_reference, references_in(item.model))):
            if name == TIME:
                continue
            full_name = f"{name}[{','.join(subscripts)}]" if subscripts else name
            try:
                variables[find_variable(run, full_name.replace("_", " ")).name] = None
            except DatasetError as fault:
                faults.append(Fault(item.place, f"'{item.name}': {fault}"))
    if faults:
        raise ObservationError(faults)
    return list(variables)


def _check_times(series: Sequence[Series], saved: NDArray[np.float64]) -> None:
    faults = []
    for item in series:
        outside = item.times[(item.times < saved[0] - _ROUNDING) | (item.times > saved[-1] + _ROUNDING)]
        if outside.size:
            what = f"{outside.size} of the observations of '{item.name}' lie outside the run, the first at {outside[0]:.7g}"
            cure = f"run the model over more than {saved[0]:.7g} to {saved[-1]:.7g}, or bound them with since and until"
            faults.append(Fault(item.place, f"{what}; {cure}"))
    if faults:
        raise ObservationError(faults)


def _member_count(part: xr.Dataset) -> int:
    return math.prod(part.sizes[dim] for dim in member_dims(part))


def _member_blocks(part: xr.Dataset, times: int) -> Iterator[tuple[int, int, xr.Dataset]]:
    """Yield members in whole blocks of a store, loaded into memory, with the numbers of the first and the end."""
    dims = member_dims(part)
    count = _member_count(part)
    if len(dims) != 1:
        yield 0, count, part.load()
        return
    row = sum(
        variable.size // variable.sizes[dims[0]] for variable in part.data_vars.values() if dims[0] in variable.dims
    )
    numbers = row // max(1, part.sizes[TIME]) * times  # a store reads all times of a block together
    for first, last, block in member_blocks(part, dims[0], max(1, _NUMBERS // max(1, numbers))):
        yield first, last, block.load()


def _over_members(block: xr.Dataset, series: Series) -> NDArray[np.float64]:
    """Evaluate a series in a block, shape (times, members)."""
    dims = (TIME, *member_dims(block))
    values = evaluate_formula(block, series.model)
    missing = {dim: block.sizes[dim] for dim in dims if dim not in values.dims}
    bare = values.drop_vars([name for name in values.coords if name in missing])
    return np.asarray(bare.expand_dims(missing).transpose(*dims).values, dtype=float).reshape(block.sizes[TIME], -1)


def standardised(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return observations minus modelled values in standard deviations of their errors, shape (observations, members).

    For a log error both are logarithms; a modelled value that is not above zero is then infinitely far away.
    """
    parts = []
    for item, values in by_series(series, modelled):
        observed, sd = item.values[:, np.newaxis], item.deviations[:, np.newaxis]
        with np.errstate(all="ignore"):
            if item.error.kind == "log":
                outside = np.where(np.isnan(values), np.nan, np.inf)
                errors = np.where(values > 0, np.log(observed) - np.log(values), outside)
            else:
                errors = observed - values
        parts.append(errors / sd)
    return np.concatenate(parts) if parts else np.empty((0, modelled.shape[1]))


def residuals(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the new part of each standardised error in its own standard deviation, shape (observations, members).

    If the model is right, these are independent standard normal numbers. For errors e that are correlated in time it is
    (e_i - rho_i e_(i-1))/sqrt(1 - rho_i^2), where rho_i is the correlation with the error before; other errors stay.
    """
    standardised_errors = standardised(series, modelled)
    for item, errors in by_series(series, standardised_errors):
        if item.error.correlation > 0:
            carried, new = (part[1:, np.newaxis] for part in error_memory(item))
            with np.errstate(invalid="ignore", over="ignore"):
                errors[1:] = (errors[1:] - carried * errors[:-1]) / new
    return standardised_errors


def log_likelihood(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural logarithm of the density of all observations for each member, shape (members,).

    It is normalised: for a log error it is the density of the lognormal distribution of the observation itself, so that
    error models can be compared. A member that is not finite at an observation has minus infinity.
    """
    errors = residuals(series, modelled)
    constant = 0.0
    for item in series:
        scale = item.deviations * item.values if item.error.kind == "log" else item.deviations
        constant -= float(np.sum(np.log(scale))) + 0.5 * math.log(2 * math.pi) * item.times.size
        if item.error.correlation > 0:
            constant -= float(np.sum(np.log(error_memory(item)[1])))
    with np.errstate(over="ignore", invalid="ignore"):
        density = constant - 0.5 * np.sum(errors * errors, axis=0)
    return np.where(np.isfinite(density), density, -np.inf)


def predictive_draws(series: Sequence[Series], modelled: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return simulated observations, modelled values with random errors, one per member, shape (observations, members).

    The errors are those of `series`, correlated where these are, from a random stream seeded with `seed`.
    """
    noise = np.random.default_rng(seed).standard_normal(modelled.shape)
    parts = []
    for (item, values), (_, errors) in zip(by_series(series, modelled), by_series(series, noise), strict=True):
        if item.error.correlation > 0:
            for place, (carried, new) in enumerate(zip(*error_memory(item), strict=True)):
                errors[place] = new * errors[place] + (carried * errors[place - 1] if place else 0)
        scaled = item.deviations[:, np.newaxis] * errors
        parts.append(values * np.exp(scaled) if item.error.kind == "log" else values + scaled)
    return np.concatenate(parts) if parts else modelled


def by_series(series: Sequence[Series], rows: NDArray[np.float64]) -> Iterator[tuple[Series, NDArray[np.float64]]]:
    """Yield each series with its rows, which are views."""
    row = 0
    for item in series:
        yield item, rows[row : row + item.times.size]
        row += item.times.size
