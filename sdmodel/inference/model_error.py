"""The error of a model's forecasts, as a back-test measured it: the file beside the model, and bands that include it."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri

from ..dataset import MODEL_ERROR, PROBABILITY, TIME, labels_along, long_name, subscript_dims
from ..errors import Fault, ObservationError
from ..model import key, split_name, split_reference
from ..vensim import read_formula
from .observations import number_of, read_rows

_SUFFIX = ".error.csv"
_COLUMNS = ("series", "model", "last", "horizon", "forecasts", "error")


@dataclass(frozen=True, slots=True)
class ModelError:
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


def errors_text(errors: Sequence[ModelError]) -> str:
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


def read_errors(path: str | os.PathLike[str]) -> tuple[ModelError, ...]:
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
            ModelError(
                row["series"].text, row["model"].text, last, horizon, 0 if math.isnan(count) else int(count), error
            )
        )
    if faults:
        raise ObservationError(dict.fromkeys(faults))
    return tuple(found)


def widen_bands(found: xr.Dataset, errors: Sequence[ModelError], file: str) -> xr.Dataset:
    """Return quantiles of variables over time in which forecasts include the model error, where it is known.

    After the last observation of a series, a quantile at p lies further from the median m on a logarithmic scale: the
    distance becomes the root of (ln q - ln m)^2 + (z e)^2, with z the normal quantile of p and e the error at that horizon.
    Only variables that are themselves a series have a known error. They get the attribute `model_error`.
    """
    changed = {}
    for name, variable in found.data_vars.items():
        own = [one for one in errors if _place(one, variable) is not None]
        if own and PROBABILITY in variable.dims and TIME in variable.dims:
            changed[name] = _widened(variable, own).assign_attrs({MODEL_ERROR: file})
    return found.assign(changed)


def _place(error: ModelError, variable: xr.DataArray) -> dict[str, int] | None:
    """The labels of a variable whose error is known, as positions by dimension; None if the series is another."""
    expression = read_formula(error.formula, error.series)
    if not (expression.is_Symbol or expression.is_Indexed):
        return None
    name, labels = split_reference(expression)
    bare, own = split_name(long_name(variable))
    if key(bare) != name:
        return None
    dims = subscript_dims(variable)
    places = labels_along(variable, dims) if dims else [((), own)]
    found = (place for place, names in places if tuple(map(key, names)) == labels)
    return next((dict(zip(dims, place, strict=True)) for place in found), None)


def _widened(variable: xr.DataArray, errors: Sequence[ModelError]) -> xr.DataArray:
    levels, times = np.asarray(variable[PROBABILITY].values), np.asarray(variable[TIME].values, dtype=float)
    middle = int(np.abs(levels - 0.5).argmin())
    wide = variable.transpose(..., PROBABILITY, TIME).copy(deep=True)
    latest = {}  # several series may be about the same number: the one that was observed last counts
    for one in sorted(errors, key=lambda one: one.last):
        latest[tuple((_place(one, variable) or {}).items())] = one.series
    for items, series in latest.items():
        place = dict(items)
        own = sorted((one for one in errors if one.series == series), key=lambda one: one.horizon)
        size = _error_at(own, times - own[0].last)
        part = wide.isel(place).values
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(part)
            centre = logs[middle]
            far = np.sqrt((logs - centre) ** 2 + (ndtri(levels)[:, np.newaxis] * size) ** 2)
            moved = np.exp(centre + np.sign(levels - 0.5)[:, np.newaxis] * far)
        usable = np.isfinite(moved) & (size > 0)
        wide[place] = np.where(usable, moved, part)
    return wide.transpose(*variable.dims)


def _error_at(errors: Sequence[ModelError], horizons: NDArray[np.float64]) -> NDArray[np.float64]:
    """The error at each horizon: that of the group that it belongs to, the last one beyond, and none before the forecast."""
    ends = np.array([one.horizon for one in errors])
    sizes = np.array([one.error for one in errors])
    group = np.minimum(np.searchsorted(ends, horizons - 1e-9), len(sizes) - 1)
    return np.where(horizons > 0, np.maximum.accumulate(sizes)[group], 0.0)
