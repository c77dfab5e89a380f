"""A run as a netCDF file that xarray, and any other reader of netCDF-4, opens."""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import xarray as xr
from netCDF4 import Dataset

from ..dataset import check_run
from ..errors import DatasetError, StoreError
from ..files import is_plain_file, write_file
from .forms import AS_STORED, ORDER, UNREADABLE, as_saved, besides, check_attributes, coordinates_told

SUFFIX = ".nc"
_SUPERBLOCKS, _WIDTH = (2, 3), 8


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
    target = path_given(path)
    check_run(run, str(target))
    check_attributes(run, target)
    try:
        content = _content(run)
    except UNREADABLE as cause:
        message = f"{target}: a netCDF file cannot hold this run ({cause}); give its variables plain names and numbers"
        raise StoreError(message) from cause
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
        if os.path.lexists(path):
            continue
        try:
            return save_run(run, path)
        except StoreError:
            if not os.path.lexists(path):  # else another process has just taken the name
                raise
    raise AssertionError  # the count has no end


def open_netcdf(source: Path) -> xr.Dataset:
    """The run that a netCDF file holds, read into memory, as it was saved."""
    if not is_plain_file(source):
        message = f"{source}: there is no such run; `sdmodel runs` lists those there are"
        raise StoreError(message)
    try:
        with xr.open_dataset(source, engine="netcdf4", decode_times=False) as stored:
            check_run(stored, str(source))
            run = as_saved(stored.load())
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


def path_given(path: object) -> Path:
    """What is given as a path."""
    if isinstance(path, str | os.PathLike):
        return Path(path)
    message = f"{path!r}: is no path of a file; give the name of a {SUFFIX} file"
    raise StoreError(message)


def _content(run: xr.Dataset) -> memoryview:
    """The bytes of a netCDF file, with checksums on arrays of numbers.

    Through netCDF's own interface, and all definitions before all numbers: three times as fast as xarray, and half as
    large, where a model has a thousand elements.
    """
    file = Dataset("run", "w", format="NETCDF4", memory=1)
    try:
        beside = besides(run)
        order = "\n".join(map(_stored_name, run.data_vars))
        file.setncatts(run.attrs | {ORDER: order} | coordinates_told(beside, run.dims))
        for dim, size in run.sizes.items():
            file.createDimension(_stored_name(dim), size)
        coordinates = set(run.coords)
        filled = [
            (
                _defined(
                    file, _stored_name(name), each, {} if name in coordinates else coordinates_told(beside, each.dims)
                ),
                each,
            )
            for name, each in run.variables.items()
        ]
        for stored, variable in filled:
            stored[...] = AS_STORED[variable.dtype.kind][0](variable.values)
    except BaseException:
        file.close()
        raise
    content: memoryview = file.close()
    return content


def _stored_name(name: Hashable) -> str:
    """A name as netCDF spells it, composed; a slash would make a group of it."""
    text = unicodedata.normalize("NFC", str(name))
    if "/" in text or text != text.strip() or not text.isprintable() or not text:
        message = f"{text!r} is no name"
        raise ValueError(message)
    return text


def _defined(file: Dataset, name: str, variable: xr.Variable, further: dict[str, str]) -> Any:
    """The place of one variable in a file, without a marker for missing values: NaN is NaN."""
    kind = variable.dtype.kind
    if kind not in AS_STORED:
        message = f"'{name}' holds neither numbers nor texts"
        raise TypeError(message)
    _, kept, attributes = AS_STORED[kind]
    stored = file.createVariable(
        name,
        kept or variable.dtype.newbyteorder("="),  # a Zarr folder tells the order of bytes, though it is the usual one
        tuple(map(_stored_name, variable.dims)),
        fill_value=None if kind == "U" else False,
        fletcher32=bool(variable.ndim and variable.size and kind != "U"),
    )
    stored.set_auto_maskandscale(False)
    stored.setncatts(variable.attrs | attributes | further)
    return stored
