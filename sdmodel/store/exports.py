"""Numbers of a run in files that other programs read: tables as `.csv` and `.tab`, Vensim's `.dat`, netCDF and Zarr."""

from __future__ import annotations

import csv
import io
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import TIME, check_run, find_variable, headlines, long_name, member_dims, subscript_dims
from ..errors import StoreError
from ..files import remove_stale, write_file
from ..model import NA, digits, quoted
from .ensembles import loaded
from .forms import UNREADABLE
from .netcdf import path_given, save_run

MOST_MEMBERS = 50
"""Members that a table shows beside each other; more are told one below another."""
_TABLES = frozenset({".csv", ".tab"})
_MISSING = NA / 4
"""What lies below is no number but Vensim's missing value."""

Series = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Column:
    """The numbers of one cell in one member, over time or, of a constant, just one."""

    name: str
    member: str
    values: Series
    units: str


@dataclass(frozen=True, eq=False)
class _Export:
    """A run, where it goes to, which variables by what names, and how."""

    run: xr.Dataset
    target: Path
    names: tuple[str, ...]
    long: bool
    force: bool


def export_run(
    run: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] = (),
    long: bool = False,
    force: bool = False,
) -> Path:
    """Write a run's numbers, to the last digit, to a file whose ending says how; `names` choose variables (default: all).

    `.csv` and `.tab` have a column for each cell, `name[label]`, as Vensim exports them, or, `long`, a line for each number.
    `.dat` is Vensim's; a constant has one number there, at the start. `.nc` and `.zarr` keep all attributes and dimensions.
    What is missing or not finite is left empty in text.

    Raises
    ------
    StoreError
        If the ending is another, the file exists and `force` is not given, or the form cannot hold so many members.
    DatasetError
        If the dataset is no run, or lacks a variable.
    """
    target = path_given(path)
    check_run(run, str(target))
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        message = f"{target}: numbers go into {', '.join(EXPORT_ENDINGS)}; choose one of these endings"
        raise StoreError(message)
    if names:
        chosen = [str(each.name) for each in headlines(run, names).values()]
        run = run.drop_vars([name for name in run.data_vars if name not in chosen])
    _check_members(run, target, long=long)
    run = loaded(run, str(target))
    write(_Export(run, target, tuple(names), long=long, force=force))
    return target


def _check_members(run: xr.Dataset, target: Path, *, long: bool) -> None:
    """Make sure that a text can hold so many members."""
    count, ending = len(_members(run)), target.suffix.lower()
    cure = "write .nc or .zarr, or one member with --member"
    if ending == ".dat" and count > 1:
        message = f"{target}: Vensim's .dat holds one run, not {count:,} members; {cure}"
        raise StoreError(message)
    if ending in _TABLES and not long and count > MOST_MEMBERS:
        message = f"{target}: {count:,} members are too many columns; {cure}, or a line for each number with --long"
        raise StoreError(message)


def _write_table(order: _Export) -> None:
    rows = _long_rows(order.run, order.names) if order.long else _wide_rows(order.run, order.names)
    text = io.StringIO()
    csv.writer(text, delimiter="," if order.target.suffix.lower() == ".csv" else "\t", lineterminator="\n").writerows(
        rows
    )
    write_file(order.target, text.getvalue().encode(), force=order.force, error=StoreError)


def _wide_rows(run: xr.Dataset, names: Sequence[str]) -> Iterator[list[str]]:
    """A column for each cell; constants stand in every row."""
    times = run[TIME].values
    columns = list(_columns(run, names))
    yield ["Time", *(f"{each.name} {each.member}".strip() for each in columns)]
    values = [np.broadcast_to(each.values, times.shape) for each in columns]
    for row, time in enumerate(times):
        yield [digits(time), *(_cell(each[row]) for each in values)]


def _long_rows(run: xr.Dataset, names: Sequence[str]) -> Iterator[list[str]]:
    """A line for each number; a constant has one, without a time."""
    members = [""] if member_dims(run) else []
    yield ["variable", *(["member"] if members else []), "time", "value", "units"]
    times = [digits(time) for time in run[TIME].values]
    for each in _columns(run, names):
        start = [each.name, *([each.member] if members else [])]
        for time, value in zip(times if each.values.ndim else [""], each.values.ravel(), strict=True):
            yield [*start, time, _cell(value), each.units]


def _write_dat(order: _Export) -> None:
    """Each cell's name, and below it a time and a value a line (manual, "DAT Format")."""
    times = [digits(time) for time in order.run[TIME].values]
    lines: list[str] = []
    for each in _columns(order.run, order.names):
        values = [_cell(value) for value in each.values.ravel()]
        pairs = [f"{time}\t{value}" for time, value in zip(times, values, strict=False) if value]
        lines += [each.name, *pairs] if pairs else []
    write_file(order.target, ("\n".join(lines) + "\n").encode(), force=order.force, error=StoreError)


def _write_netcdf(order: _Export) -> None:
    save_run(order.run, order.target, force=order.force)


def _write_zarr(order: _Export) -> None:
    """A Zarr folder that `xarray.open_zarr` opens, complete or not at all."""
    target = order.target
    if os.path.lexists(target) and not order.force:
        message = f"{target}: exists already; choose another name or force it to be replaced"
        raise StoreError(message)
    made = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(target)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}-{os.getpid()}-", suffix=".part", dir=target.parent))
        texts = {
            name: (each.dims, each.values.astype(object), each.attrs)
            for name, each in order.run.coords.items()
            if each.dtype.kind == "U"
        }
        order.run.assign_coords(texts).drop_encoding().to_zarr(made, mode="w", zarr_format=3, consolidated=False)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif os.path.lexists(target):
            target.unlink()
        made.rename(target)
    except UNREADABLE as cause:
        message = (
            f"{target}: cannot be written ({getattr(cause, 'strerror', None) or cause}); choose another folder or name"
        )
        raise StoreError(message) from cause
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


_WRITERS: Mapping[str, Callable[[_Export], None]] = MappingProxyType(
    {".csv": _write_table, ".tab": _write_table, ".dat": _write_dat, ".nc": _write_netcdf, ".zarr": _write_zarr}
)
EXPORT_ENDINGS = tuple(_WRITERS)
"""What a run's numbers are written as."""


def _columns(run: xr.Dataset, names: Sequence[str]) -> Iterator[Column]:
    """Every cell of the variables that are named, or of all, in each member."""
    variables = [find_variable(run, name) for name in names] if names else [run[name] for name in run.data_vars]
    for variable in variables:
        whole = run[variable.name]
        dims, members = subscript_dims(variable), member_dims(variable)
        units, name = str(variable.attrs.get("units", "")), quoted(long_name(whole))
        sizes = [variable.sizes[dim] for dim in (*dims, *members)]
        values = variable.transpose(*dims, *members, ...).values
        for place in itertools.product(*map(range, sizes)):
            at = dict(zip((*dims, *members), place, strict=True))
            labels = [quoted(_told(variable, dim, at.get(dim))) for dim in subscript_dims(whole)]
            member = " ".join(f"{dim}={_told(variable, dim, at[dim])}" for dim in members)
            inside = f"[{','.join(labels)}]" if labels else ""
            yield Column(name + inside, member, np.asarray(values[place], dtype=float), units)


def _told(variable: xr.DataArray, dim: str, at: int | None) -> str:
    """A place along a dimension by its coordinate, if it has one; a label that was picked has no other place."""
    if dim not in variable.coords:
        return str(at)
    value = variable.coords[dim].values if at is None else variable.coords[dim].values[at]
    return digits(value) if np.issubdtype(type(value), np.floating) else str(value)


def _members(run: xr.Dataset) -> list[tuple[int, ...]]:
    """Every member of a run, by its places along the dimensions in which runs differ."""
    return list(itertools.product(*(range(run.sizes[dim]) for dim in member_dims(run))))


def _cell(value: float) -> str:
    """A number with all of its digits; nothing where there is none."""
    return digits(value) if np.isfinite(value) and value > _MISSING else ""
