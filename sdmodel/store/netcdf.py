"""A run as a netCDF file that xarray, and any other reader of netCDF-4, opens."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..dataset import DATE, check_run
from ..errors import DatasetError, StoreError
from ..files import write_file

SUFFIX = ".nc"
ORDER = "variable_order"
"""The attribute of a file that keeps the order of the model, which a file made in memory forgets."""
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError)
"""What readers of netCDF raise on a file that is damaged or of another kind."""

_SUPERBLOCKS, _WIDTH = (2, 3), 8
_EPOCH = "seconds since 1970-01-01"


def save_run(run: xr.Dataset, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a run to a netCDF file, complete or not at all, and return where it is.

    The file is made in memory first: a full disk then breaks off a plain write, not the netCDF library halfway.

    Raises
    ------
    StoreError
        If the file exists and `force` is not given, or cannot be written.
    DatasetError
        If the dataset is not a run.
    """
    target = Path(path)
    check_run(run, str(target))
    ordered = run.drop_encoding().assign_attrs({ORDER: "\n".join(map(str, run.data_vars))})
    content = memoryview(ordered.to_netcdf(engine="netcdf4", format="NETCDF4", encoding=_encoding(run)))
    write_file(target, content[: _length(content)], force=force, error=StoreError)
    return target


def save_new_run(run: xr.Dataset, folder: str | os.PathLike[str], name: str) -> Path:
    """Write a run under a name that no run of the folder has: the name itself, or with `-2`, `-3` and so on.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    for count in itertools.count(1):
        path = Path(folder) / f"{name}{'' if count == 1 else f'-{count}'}{SUFFIX}"
        if path.exists():
            continue
        try:
            return save_run(run, path)
        except StoreError:
            if not path.exists():  # else another process has just taken the name
                raise
    raise AssertionError  # the count has no end


def open_run(path: str | os.PathLike[str]) -> xr.Dataset:
    """The run that a netCDF file holds, read into memory, as it was saved.

    Raises
    ------
    StoreError
        If there is no such file, or it is damaged, or does not hold a run.
    """
    source = Path(path)
    if not source.is_file():
        message = f"{source}: there is no such run; `sdmodel runs` lists those there are"
        raise StoreError(message)
    try:
        with xr.open_dataset(source, engine="netcdf4", decode_times=False) as stored:
            check_run(stored, str(source))
            run = _as_saved(stored.load())
    except DatasetError as fault:
        raise StoreError(str(fault)) from fault
    except UNREADABLE as cause:
        message = f"{source}: cannot be read as a run, it is damaged or of another kind; make it again or remove it"
        raise StoreError(message) from cause
    return run


def _length(content: memoryview) -> int:
    """Where a file made in memory ends: without the spare room behind it, a lost end is noticed when it is opened.

    The superblock of HDF5, versions 2 and 3, tells it (HDF5 file format specification, level 0A).
    """
    version, width = content[8], content[9]
    return int.from_bytes(content[28:36], "little") if version in _SUPERBLOCKS and width == _WIDTH else len(content)


def _encoding(run: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Checksums on all arrays, dates as whole seconds, and no marker for missing values: NaN is NaN."""
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in run.variables.items():
        numeric = variable.dtype.kind in "fiu"
        encoding[str(name)] = {"fletcher32": True} if variable.ndim and variable.size and numeric else {}
        encoding[str(name)] |= {"_FillValue": None} if variable.dtype.kind == "f" else {}
    if DATE in run.coords:
        encoding[DATE] = {"units": _EPOCH, "dtype": "int64", "fletcher32": True}
    return encoding


def _as_saved(stored: xr.Dataset) -> xr.Dataset:
    """Undo what the file format does to a run: the order of its variables, dates, text labels, plain numbers."""
    plain = stored.drop_encoding()
    order = str(plain.attrs.pop(ORDER, "")).splitlines()
    run = xr.Dataset({name: plain[name] for name in order}, plain.coords, plain.attrs)
    if DATE in run.coords and run[DATE].attrs.get("units") == _EPOCH:
        dates = run[DATE].values.astype("datetime64[s]").astype("datetime64[ns]")
        kept = {name: value for name, value in run[DATE].attrs.items() if name not in ("units", "calendar")}
        run = run.assign_coords({DATE: (run[DATE].dims, dates, kept)})
    for name in [name for name, each in run.coords.items() if each.dtype.kind == "O"]:
        run = run.assign_coords({name: (run[name].dims, run[name].values.astype(str), run[name].attrs)})
    for attributes in (run.attrs, *(each.attrs for each in run.variables.values())):
        attributes.update({name: each.item() for name, each in attributes.items() if isinstance(each, np.generic)})
    return run
