"""Runs in files for other programs: tables as text, Excel, Parquet or pandas, Vensim's `.dat`, netCDF and Zarr."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import TIME, check_run, find_variable, find_variables, long_name, member_dims, subscript_dims
from ..errors import StoreError
from ..extras import check_extra
from ..files import already_exists, temporary_folder, unwritable, write_file
from ..model import NA, number_text, quote_name, split_name
from .addresses import checked_path, is_address
from .ensembles import put_in_place
from .netcdf import UNREADABLE, file_attributes, save_run

if TYPE_CHECKING:
    import pandas as pd

MAX_COLUMNS_OF_MEMBERS = 50
"""The most members that a table shows side by side."""
EXPORT_ENDINGS = (".csv", ".tab", ".dat", ".xlsx", ".parquet", ".nc", ".zarr")
"""The endings of the files to which a run can be exported."""
_DELIMITERS = {".csv": ",", ".tab": "\t"}
_FRAMES = (".xlsx", ".parquet")
"""The endings of tables that pandas writes."""
_SHEET = (1_048_576, 16_384)
"""The most rows and columns of a sheet of Excel."""
_MISSING = NA / 4
"""Values below this are Vensim's missing value, not numbers."""


@dataclass(frozen=True, eq=False)
class _Column:
    """The numbers of one cell in one member, over time; a constant has one number."""

    name: str
    member: str
    values: NDArray[np.float64]
    units: str


def export_run(
    run: xr.Dataset, path: str | os.PathLike[str], *, names: Sequence[str] = (), long: bool = False, force: bool = False
) -> Path:
    r"""Write the numbers of a run, with all their digits, to a file for another program.

    Missing and infinite values are empty in text files. Excel keeps 16 digits.

    Parameters
    ----------
    run : xarray.Dataset
        A run, as `simulate` or `open_run` return it.
    path : path
        The file to write. Its ending selects the format: `.csv`, `.tab`, `.xlsx` (Excel) and `.parquet` are tables with a column
        for each cell, `name[label]`; `.dat` is Vensim's format, in which a constant has one number, at the start; `.nc` (netCDF) and `.zarr`
        keep all attributes and dimensions.
    names : sequence of str, optional
        Variables to write, `name` or `name[label]`; all by default.
    long : bool, default False
        Write tables with one line per number.
    force : bool, default False
        Replace an existing file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    StoreError
        If the ending is not supported, the file exists and `force` is not given, or the format cannot hold all members.
    DatasetError
        If the dataset is not a run, or lacks a variable.

    Examples
    --------
    >>> import tempfile
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> run = sd.simulate(tiny_model("level = INTEG(inflow, 5)\ninflow = 2", final=2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = sd.export_run(run, f"{folder}/run.csv", names=["level", "inflow"])
    ...     print(path.read_text())
    Time,level,inflow
    0,5,2
    1,7,2
    2,9,2
    <BLANKLINE>
    """
    target = checked_path(path)
    check_run(run, str(target))
    ending = target.suffix.lower()
    if is_address(target):
        message = f"{target}: exports are files of this machine; name one, and copy it"
        raise StoreError(message)
    if ending not in EXPORT_ENDINGS:
        message = f"{target}: the supported endings are {', '.join(EXPORT_ENDINGS)}; choose one of them"
        raise StoreError(message)
    if names:
        chosen = {str(variable.name) for variable in find_variables(run, names).values()}
        run = run.drop_vars([name for name in run.data_vars if name not in chosen])
    _check_members(run, target, ending, long=long)
    run = run.load()
    if ending == ".nc":
        save_run(run, target, force=force)
    elif ending == ".zarr":
        _write_zarr(run, target, force=force)
    elif ending in _FRAMES:
        write_file(target, _frame_bytes(run, names, target, long=long), force=force, error=StoreError)
    else:
        text = io.StringIO()
        if ending == ".dat":
            text.write(_dat_text(run, names))
        else:
            rows = _long_rows(run, names) if long else _wide_rows(run, names)
            csv.writer(text, delimiter=_DELIMITERS[ending], lineterminator="\n").writerows(rows)
        write_file(target, text.getvalue().encode(), force=force, error=StoreError)
    return target


def to_pandas(run: xr.Dataset, names: Sequence[str] = (), *, long: bool = False) -> pd.DataFrame:
    r"""Return the numbers of a run as a pandas table, as `export_run` writes them.

    Parameters
    ----------
    run : xarray.Dataset
        A run, as `simulate` or `open_run` return it.
    names : sequence of str, optional
        Variables to return, `name` or `name[label]`; all by default.
    long : bool, default False
        Return one row for each number instead of one column for each cell.

    Returns
    -------
    pandas.DataFrame
        A column for each cell, `name[label]`, in the model's units, with the times as index `Time`; constants are repeated. If
        `long`, the columns `variable`, `member` (where there are several), `time`, `value` and `units`; a constant has one row,
        without a time. Vensim's missing value is NaN.

    Raises
    ------
    DatasetError
        If the dataset is not a run, or lacks a variable.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> run = sd.simulate(tiny_model("level = INTEG(inflow, 5)\ninflow = 2", final=2))
    >>> sd.to_pandas(run, ["level", "inflow"])
          level  inflow
    Time
    0.0     5.0     2.0
    1.0     7.0     2.0
    2.0     9.0     2.0
    """
    from pandas import DataFrame, Index, concat

    check_run(run, "the dataset")
    times, several = run[TIME].values, bool(member_dims(run))
    columns = [replace(own, values=np.where(own.values > _MISSING, own.values, np.nan)) for own in _columns(run, names)]
    if not long:
        table = {f"{own.name} {own.member}".strip(): np.broadcast_to(own.values, times.shape).copy() for own in columns}
        return DataFrame(table, Index(times, name="Time"))
    parts = [
        DataFrame({
            "variable": own.name,
            **({"member": own.member} if several else {}),
            "time": times if own.values.ndim else [np.nan],
            "value": own.values.reshape(-1),
            "units": own.units,
        })
        for own in columns
    ]  # fmt: skip
    return concat(parts, ignore_index=True)


def _frame_bytes(run: xr.Dataset, names: Sequence[str], target: Path, *, long: bool) -> bytes:
    """The bytes of a table that pandas writes: a sheet of Excel, or Parquet."""
    frame = to_pandas(run, names, long=long)
    content = io.BytesIO()
    if target.suffix.lower() == ".parquet":
        check_extra("parquet", task="Parquet", error=StoreError)
        frame.to_parquet(content, engine="pyarrow")
        return content.getvalue()
    if len(frame) >= _SHEET[0] or len(frame.columns) >= _SHEET[1]:
        message = f"{target}: {len(frame):,} rows and {len(frame.columns):,} columns are more than a sheet holds; write .parquet"
        raise StoreError(message)
    frame.replace([np.inf, -np.inf], np.nan).to_excel(content, sheet_name="run", index=not long, engine="openpyxl")
    return content.getvalue()


def _check_members(run: xr.Dataset, target: Path, ending: str, *, long: bool) -> None:
    count = int(np.prod([run.sizes[dim] for dim in member_dims(run)], dtype=int))
    cure = "write .nc or .zarr, or one member with --member"
    if ending == ".dat" and count > 1:
        message = f"{target}: Vensim's .dat holds one run, not {count:,} members; {cure}"
        raise StoreError(message)
    if ending in (*_DELIMITERS, *_FRAMES) and not long and count > MAX_COLUMNS_OF_MEMBERS:
        message = f"{target}: {count:,} members are too many columns; {cure}, or a line for each number with --long"
        raise StoreError(message)


def _wide_rows(run: xr.Dataset, names: Sequence[str]) -> Iterator[list[str]]:
    """A column for each cell; constants are repeated in every row."""
    times = run[TIME].values
    columns = list(_columns(run, names))
    yield ["Time", *(f"{column.name} {column.member}".strip() for column in columns)]
    values = [np.broadcast_to(column.values, times.shape) for column in columns]
    for row, time in enumerate(times):
        yield [number_text(time), *(_format(series[row]) for series in values)]


def _long_rows(run: xr.Dataset, names: Sequence[str]) -> Iterator[list[str]]:
    """A line for each number; a constant has one, without a time."""
    members = [""] if member_dims(run) else []
    yield ["variable", *(["member"] if members else []), "time", "value", "units"]
    times = [number_text(time) for time in run[TIME].values]
    for column in _columns(run, names):
        start = [column.name, *([column.member] if members else [])]
        for time, value in zip(times if column.values.ndim else [""], column.values.ravel(), strict=True):
            yield [*start, time, _format(value), column.units]


def _dat_text(run: xr.Dataset, names: Sequence[str]) -> str:
    """The name of each cell and below it one line per time (manual, "DAT Format")."""
    times = [number_text(time) for time in run[TIME].values]
    lines: list[str] = []
    for column in _columns(run, names):
        values = [_format(value) for value in column.values.ravel()]
        pairs = [f"{time}\t{value}" for time, value in zip(times, values, strict=False) if value]
        lines += [column.name, *pairs] if pairs else []
    return "\n".join(lines) + "\n"


def _write_zarr(run: xr.Dataset, target: Path, *, force: bool) -> None:
    """Write a Zarr folder that `xarray.open_zarr` opens, complete or not at all."""
    if os.path.lexists(target) and not force:
        raise StoreError(already_exists(target))
    texts = {
        name: (coordinate.dims, coordinate.values.astype(object), coordinate.attrs)
        for name, coordinate in run.coords.items()
        if coordinate.dtype.kind == "U"
    }
    try:
        with temporary_folder(target) as made:
            plain = run.assign_coords(texts).assign_attrs(file_attributes(run)).drop_encoding()
            plain.to_zarr(made, mode="w", zarr_format=3, consolidated=False)
            put_in_place(made, target, force=force)
    except UNREADABLE as cause:
        raise StoreError(unwritable(target, cause)) from cause


def _columns(run: xr.Dataset, names: Sequence[str]) -> Iterator[_Column]:
    """Every cell of the named variables, or of all, in each member."""
    variables = [find_variable(run, name) for name in names] if names else [run[name] for name in run.data_vars]
    for variable in variables:
        whole = run[variable.name]
        dims, members = subscript_dims(variable), member_dims(variable)
        units, name = str(variable.attrs.get("units", "")), split_name(long_name(whole))[0]
        sizes = [variable.sizes[dim] for dim in (*dims, *members)]
        values = variable.transpose(*dims, *members, ...).values
        for place in itertools.product(*map(range, sizes)):
            at = dict(zip((*dims, *members), place, strict=True))
            labels = [_label(variable, dim, at.get(dim)) for dim in subscript_dims(whole)]
            member = " ".join(f"{dim}={_label(variable, dim, at[dim])}" for dim in members)
            yield _Column(quote_name(name, labels), member, np.asarray(values[place], dtype=float), units)


def _label(variable: xr.DataArray, dim: str, at: int | None) -> str:
    """The label at a position of a dimension, or the position if it has no labels; None stands for a selected label."""
    if dim not in variable.coords:
        return str(at)
    value = variable.coords[dim].values if at is None else variable.coords[dim].values[at]
    return number_text(value) if np.issubdtype(type(value), np.floating) else str(value)


def _format(value: float) -> str:
    """A number with all its digits, or an empty text if it is missing or not finite."""
    return number_text(value) if np.isfinite(value) and value > _MISSING else ""
