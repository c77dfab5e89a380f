"""A run as a netCDF file that xarray, and any other reader of netCDF-4, opens."""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from netCDF4 import Dataset

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
    target = _path(path)
    check_run(run, str(target))
    _check_attributes(run, target)
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


def open_run(path: str | os.PathLike[str]) -> xr.Dataset:
    """The run that a netCDF file holds, read into memory, as it was saved.

    Raises
    ------
    StoreError
        If there is no such file, or it is damaged, or does not hold a run.
    """
    source = _path(path)
    if not is_plain_file(source):
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


def is_plain_file(path: Path) -> bool:
    """Whether there is a file to read: a folder is none, nor a pipe, nor a name longer than names can be."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _path(path: object) -> Path:
    if isinstance(path, str | os.PathLike):
        return Path(path)
    message = f"{path!r}: is no path of a file; give the name of a {SUFFIX} file"
    raise StoreError(message)


def _check_attributes(run: xr.Dataset, target: Path) -> None:
    """Attributes are texts, numbers, or lists of one of them: what else there is in Python, other readers do not know.

    Raises
    ------
    StoreError
        If one is something else.
    """
    holders = {"the run": run.attrs} | {f"'{name}'": each.attrs for name, each in run.variables.items()}
    for holder, attributes in holders.items():
        for name, value in attributes.items():
            if not isinstance(name, str) or np.asarray(value).dtype.kind not in "Ufiu" or np.ndim(value) > 1:
                told = " ".join(repr(value).split())
                message = f"{target}: attribute {name!r} of {holder} is {told:.60}; make it a text or a number"
                raise StoreError(message)


def _content(run: xr.Dataset) -> memoryview:
    """The bytes of a netCDF file, with checksums on arrays of numbers.

    Through netCDF's own interface, and all definitions before all numbers: three times as fast as xarray, and half as
    large, where a model has a thousand elements.
    """
    file = Dataset("run", "w", format="NETCDF4", memory=1)
    try:
        beside = {str(name): set(each.dims) for name, each in run.coords.items() if name not in run.dims}
        order = "\n".join(map(_stored_name, run.data_vars))
        file.setncatts(run.attrs | {ORDER: order} | _coordinates(beside, run.dims))
        for dim, size in run.sizes.items():
            file.createDimension(_stored_name(dim), size)
        coordinates = set(run.coords)
        filled = [
            (
                _defined(
                    file, _stored_name(name), each, {} if name in coordinates else _coordinates(beside, each.dims)
                ),
                each,
            )
            for name, each in run.variables.items()
        ]
        for stored, variable in filled:
            stored[...] = _AS_STORED[variable.dtype.kind][0](variable.values)
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


def _coordinates(beside: Mapping[str, set[Hashable]], dims: Iterable[Hashable]) -> dict[str, str]:
    """The attribute by which readers that know the CF conventions find dates and other coordinates beside dimensions."""
    names = [name for name, own in beside.items() if own.issubset(dims)]
    return {"coordinates": " ".join(names)} if names else {}


def _defined(file: Dataset, name: str, variable: xr.Variable, further: dict[str, str]) -> Any:
    """The place of one variable in a file, without a marker for missing values: NaN is NaN."""
    kind = variable.dtype.kind
    if kind not in _AS_STORED:
        message = f"'{name}' holds neither numbers nor texts"
        raise TypeError(message)
    _, kept, attributes = _AS_STORED[kind]
    stored = file.createVariable(
        name,
        kept or variable.dtype,
        tuple(map(_stored_name, variable.dims)),
        fill_value=None if kind == "U" else False,
        fletcher32=bool(variable.ndim and variable.size and kind != "U"),
    )
    stored.set_auto_maskandscale(False)
    stored.setncatts(variable.attrs | attributes | further)
    return stored


_AS_STORED: Mapping[str, tuple[Callable[[Any], Any], Any, dict[str, str]]] = {
    **dict.fromkeys("fiu", (np.asarray, None, {})),
    "b": (lambda values: values.astype("i1"), "i1", {"dtype": "bool"}),
    "M": (lambda values: values.astype("datetime64[s]").astype("int64"), "i8", {"units": _EPOCH}),
    "U": (lambda values: values.astype(object), str, {}),
}
"""For each kind of NumPy's arrays how it is stored, as what type (its own if none), and what tells its reader so."""


def _as_saved(stored: xr.Dataset) -> xr.Dataset:
    """Undo what the file format does to a run: the order of its variables, dates, text labels, plain numbers."""
    plain = stored.drop_encoding()
    order = str(plain.attrs.pop(ORDER, "\n".join(map(str, plain.data_vars)))).splitlines()
    others = {name: each for name, each in plain.variables.items() if name not in order}
    run = xr.Dataset({name: plain.variables[name] for name in order}, others, plain.attrs)
    if DATE in run.coords and run[DATE].attrs.get("units") == _EPOCH:
        dates = run[DATE].values.astype("datetime64[s]").astype("datetime64[ns]")
        kept = {name: value for name, value in run[DATE].attrs.items() if name not in ("units", "calendar")}
        run = run.assign_coords({DATE: (run[DATE].dims, dates, kept)})
    for name in [name for name, each in run.coords.items() if each.dtype.kind == "O"]:
        run = run.assign_coords({name: (run[name].dims, run[name].values.astype(str), run[name].attrs)})
    for attributes in (run.attrs, *(each.attrs for each in run.variables.values())):
        attributes.update({name: each.item() for name, each in attributes.items() if isinstance(each, np.generic)})
    return run
