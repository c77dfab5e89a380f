"""The error of a model's forecasts, as a back-test measured it: the file beside the model, and bands that include it."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri

from ..comparison import quantiles
from ..dataset import MODEL_ERROR, PROBABILITY, TIME, labels_along, long_name, subscript_dims
from ..errors import Fault, ObservationError
from ..model import is_reference, key, split_name, split_reference
from ..vensim import read_formula
from .observations import number_of, read_rows

_SUFFIX = ".error.csv"
Reference = tuple[str, tuple[str, ...]]
"""The key of a variable, and the keys of its labels."""
_COLUMNS = ("series", "model", "last", "horizon", "forecasts", "error")


@dataclass(frozen=True, slots=True)
class MeasuredError:
    """The root mean square logarithmic error of forecasts of one series up to a horizon, infinite for the last group.

    `formula` is the series over the model, `last` the date of its last observation, in the model's unit of time.
    """

    series: str
    formula: str
    last: float
    horizon: float
    count: int
    error: float


def find_errors_file(model_path: str | os.PathLike[str]) -> Path | None:
    """Return the file with the errors of a model's forecasts, `MODEL.error.csv` beside `MODEL.mdl`, if it exists."""
    path = Path(model_path).with_suffix(_SUFFIX)
    return path if path.is_file() else None


def errors_text(errors: Sequence[MeasuredError]) -> str:
    """Return the text of the file of errors."""
    target = io.StringIO()
    target.write(
        "# Root mean square of ln(observed / median of the forecast), from a back-test; an empty horizon means longer.\n"
    )
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in errors:
        horizon = "" if math.isinf(one.horizon) else f"{one.horizon:g}"
        writer.writerow([one.series, one.formula, f"{one.last:.9g}", horizon, one.count, f"{one.error:.4g}"])
    return target.getvalue()


def read_errors(path: str | os.PathLike[str]) -> tuple[MeasuredError, ...]:
    """Read the file of errors.

    Raises
    ------
    ObservationError
        If a column is missing, or an entry is not a number; every such place is listed.
    """
    rows, faults = read_rows(path, _COLUMNS, ())
    found = []
    for row in rows:
        last, count, error = (number_of(row[name], faults) for name in ("last", "forecasts", "error"))
        horizon = number_of(row["horizon"], faults) if row["horizon"].text else math.inf
        if error < 0:
            faults.append(Fault(row["error"].place, f"the error is {error:g}; write a number of at least 0"))
        found.append(
            MeasuredError(
                row["series"].text, row["model"].text, last, horizon, 0 if math.isnan(count) else int(count), error
            )
        )
    if faults:
        raise ObservationError(dict.fromkeys(faults))
    return tuple(found)


def quantiles_with_error(
    run: xr.Dataset, names: Sequence[str], probabilities: Sequence[float], model_path: str | os.PathLike[str]
) -> xr.Dataset:
    """Return quantiles over the members of an ensemble, with the model error that a file beside the model has.

    Raises
    ------
    DatasetError
        If the run lacks one of the variables.
    ObservationError
        If the file cannot be read.
    """
    found, file = quantiles(run, names, probabilities), find_errors_file(model_path)
    return widen_bands(found, read_errors(file), file.name) if file else found


def widen_bands(found: xr.Dataset, errors: Sequence[MeasuredError], file: str) -> xr.Dataset:
    """Return quantiles of variables over time in which forecasts include the model error, where it is known.

    After the last observation of a series, a quantile at p lies further from the median m on a logarithmic scale: the
    distance becomes the root of (ln q - ln m)^2 + (z e)^2, with z the normal quantile of p and e the error at that horizon.
    Only variables that are themselves a series have a known error. They get the attribute `model_error`.
    """
    changed = {}
    for name, variable in found.data_vars.items():
        if PROBABILITY not in variable.dims or TIME not in variable.dims:
            continue
        sizes = error_sizes(errors, np.asarray(variable[TIME].values, dtype=float))
        known = [(place, size) for one, size in sizes.items() if (place := _place(variable, *one)) is not None]
        if known:
            changed[name] = _widened(variable, known).assign_attrs({MODEL_ERROR: file})
    return found.assign(changed)


def error_sizes(errors: Sequence[MeasuredError], times: NDArray[np.float64]) -> dict[Reference, NDArray[np.float64]]:
    """Return the model error at each time, by the name and labels of the number whose error is known.

    Of several series about one number the one observed last counts. Before its last observation the error is 0.
    """
    latest: dict[Reference, str] = {}
    for one in sorted({one.series: one for one in errors}.values(), key=lambda one: one.last):
        formula = read_formula(one.formula, one.series)
        if is_reference(formula):
            latest[split_reference(formula)] = one.series
    found = {}
    for reference, series in latest.items():
        own = sorted((one for one in errors if one.series == series), key=lambda one: one.horizon)
        found[reference] = _error_at(own, times - own[0].last)
    return found


def _place(variable: xr.DataArray, name: str, labels: tuple[str, ...]) -> dict[str, int] | None:
    """The labels of a reference in a variable, as positions by dimension; None if it refers to something else."""
    bare, own = split_name(long_name(variable))
    if key(bare) != name:
        return None
    dims = subscript_dims(variable)
    places = labels_along(variable, dims) if dims else [((), own)]
    found = (place for place, names in places if tuple(map(key, names)) == labels)
    return next((dict(zip(dims, place, strict=True)) for place in found), None)


def _widened(variable: xr.DataArray, places: Iterable[tuple[dict[str, int], NDArray[np.float64]]]) -> xr.DataArray:
    """The variable with an error over time at each place."""
    levels = np.asarray(variable[PROBABILITY].values)
    middle = int(np.abs(levels - 0.5).argmin())
    wide = variable.transpose(..., PROBABILITY, TIME).copy(deep=True)
    for place, size in places:
        part = wide.isel(place).values
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(part)
            centre = logs[middle]
            far = np.sqrt((logs - centre) ** 2 + (ndtri(levels)[:, np.newaxis] * size) ** 2)
            moved = np.exp(centre + np.sign(levels - 0.5)[:, np.newaxis] * far)
        wide[place] = np.where(np.isfinite(moved) & (size > 0), moved, part)
    return wide.transpose(*variable.dims)


def _error_at(errors: Sequence[MeasuredError], horizons: NDArray[np.float64]) -> NDArray[np.float64]:
    """The error at each horizon: that of the group that it belongs to, the last one beyond, and none before the forecast."""
    ends = np.array([one.horizon for one in errors])
    sizes = np.array([one.error for one in errors])
    group = np.minimum(np.searchsorted(ends, horizons - 1e-9), len(sizes) - 1)
    return np.where(horizons > 0, np.maximum.accumulate(sizes)[group], 0.0)
