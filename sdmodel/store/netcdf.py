"""A run as a netCDF file, which xarray and any other reader of netCDF-4 can open; dates, texts and Booleans in files."""

from __future__ import annotations

import errno
import os
import shutil
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from netCDF4 import Dataset

from ..dataset import DATE, TEXT, TIME, check_run, text_attribute, text_of
from ..errors import DatasetError, StoreError
from ..files import Location, is_plain_file, write_file
from ..model import numbered
from .addresses import checked_path, is_address
from .checksums import netcdf_length, read_seal, seal, seal_file

SUFFIX = ".nc"
ORDER = "variable_order"
"""The attribute of a file that keeps the order of the variables, which file formats lose."""
LONG = frozenset({TEXT, ORDER})
"""Attributes that are too long for a catalogue."""
UNREADABLE = (OSError, RuntimeError, ValueError, ArithmeticError, KeyError, IndexError, TypeError, AttributeError)
"""What readers of files raise on one that is damaged or of another kind."""

DAMAGED = "cannot be read as a run, it is damaged or of another kind; make it again or remove it"

_LARGE = 2**26
"""Runs of more bytes are written to the disk at once."""
_ILLEGAL = "illegal characters"
"""What the netCDF library says of a name; all else that it says comes from a file that it cannot write."""
_HEAP = b"GCOL\x01\0\0\0"
"""The beginning of a global heap in a file."""
_EPOCH = "seconds since 1970-01-01"
_DATES: Mapping[str, str] = {"units": _EPOCH, "calendar": "standard", "standard_name": "time"}
"""The attributes by which readers know dates (CF conventions, chapter 4.4)."""
_CONVENTIONS: Mapping[str, str] = {"Conventions": "CF-1.12"}
"""The attribute that says which conventions a file follows (CF conventions, chapter 2.6.1)."""

ENCODINGS: Mapping[str, tuple[Callable[[Any], Any], Any, dict[str, str]]] = {
    **dict.fromkeys("fiu", (np.asarray, None, {})),
    "b": (lambda values: values.astype("i1"), "i1", {"dtype": "bool"}),
    "M": (lambda values: values.astype("datetime64[s]").astype("int64"), "i8", {**_DATES}),
    "U": (lambda values: values.astype(object), str, {}),
}
"""For each kind of NumPy array: the conversion, the stored type (None: its own), and the attributes that readers need."""


def save_run(run: xr.Dataset, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Save a run as a netCDF file, which appears complete or not at all.

    A file of less than 64 MiB is made in memory first, so that a full disk interrupts a plain write and not the netCDF library.

    Parameters
    ----------
    run : xarray.Dataset
        A run, as `simulate` returns it.
    path : path
        The file to write, usually with the ending `.nc`. Missing folders are created.
    force : bool, default False
        Replace an existing file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    StoreError
        If the file exists and `force` is not given, or it cannot be written.
    DatasetError
        If the dataset is not a run.

    Examples
    --------
    >>> import tempfile
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> run = sd.simulate(tiny_model("level = INTEG(1, 0)"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = sd.save_run(run, f"{folder}/first.nc")
    ...     sd.open_run(path).identical(run)
    True
    """
    target = checked_path(path)
    if is_address(target):
        message = f"{target}: a run is stored in a file of this machine; only ensembles are stored at addresses"
        raise StoreError(message)
    check_run(run, str(target))
    check_attributes(run, target)
    try:
        if run.nbytes > _LARGE:
            write_file(target, lambda path: _write(run, path), force=force, error=StoreError)
            return target
        content = _content(run)
    except UNREADABLE as cause:
        message = f"{target}: a netCDF file cannot hold this run ({cause}); give its variables plain names and numbers"
        raise StoreError(message) from cause
    write_file(target, content, force=force, error=StoreError)
    return target


def save_new_run(run: xr.Dataset, folder: str | os.PathLike[str], name: str) -> Path:
    """Save a run under a name that is free in the folder: the name itself, or with `-2`, `-3` and so on.

    Raises StoreError if the file cannot be written.
    """
    paths = (Path(folder) / f"{own}{SUFFIX}" for own in numbered(name))
    path = next(path for path in paths if not os.path.lexists(path))
    try:
        return save_run(run, path)
    except StoreError:
        if not os.path.lexists(path):
            raise
    return save_new_run(run, folder, name)  # another process has just taken the name


def open_netcdf(source: Location) -> xr.Dataset:
    """Read the run in a netCDF file into memory."""
    if is_address(source):
        message = f"{source}: there is no such ensemble; check the address"
        raise StoreError(message)
    if not is_plain_file(source):
        message = f"{source}: there is no such run; `sdmodel runs` lists the stored runs"
        raise StoreError(message)
    try:
        if read_seal(source, whole=True) is None:
            check_ends(source)
        with xr.open_dataset(source, engine="netcdf4", decode_times=False) as stored:
            check_run(stored, str(source))
            return decode(stored.load())
    except DatasetError as fault:
        raise StoreError(str(fault)) from fault
    except UNREADABLE as cause:
        message = f"{source}: {DAMAGED}"
        raise StoreError(message) from cause


def check_ends(path: Path) -> None:
    """Check that the netCDF library will not read a damaged file forever, stepping through a heap by sizes that lead nowhere.

    A global heap of HDF5 has a header of 16 bytes, then objects: a header of 16 bytes with a size, and that many bytes,
    rounded up to 8. Object 0 is the free room at the end, whose size includes its header. There is no checksum (HDF5 file
    format specification, level 1F). Raises ValueError.
    """
    content = path.read_bytes()
    at = content.find(_HEAP)
    while at >= 0:
        end = min(at + int.from_bytes(content[at + 8 : at + 16], "little"), len(content))
        place = at + 16
        while place + 16 <= end:
            size = int.from_bytes(content[place + 8 : place + 16], "little")
            step = 16 + (size + 7) // 8 * 8 if content[place : place + 2] != b"\0\0" else size
            if step % 2**64 == 0:
                message = "a heap without an end"
                raise ValueError(message)
            place += step
        at = content.find(_HEAP, at + 1)


def _content(run: xr.Dataset) -> bytes:
    """The bytes of a netCDF file, sealed with its record."""
    file = Dataset("run", "w", format="NETCDF4", memory=1)
    try:
        record = _fill(file, run)
    except BaseException:
        file.close()
        raise
    content: memoryview = file.close()
    return seal(content[: netcdf_length(content)], record)  # without the spare room at its end


def _write(run: xr.Dataset, path: Path) -> None:
    """Write a file with the same content as `_content`, without the two copies that it takes in memory."""
    if shutil.disk_usage(path.parent).free < run.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    try:
        with Dataset(path, "w", format="NETCDF4") as file:
            record = _fill(file, run)
    except RuntimeError as cause:
        if _ILLEGAL in str(cause):
            raise
        raise OSError(errno.EIO, f"{cause}, as on a full disk", str(path)) from cause
    seal_file(path, record)


def _fill(file: Dataset, run: xr.Dataset) -> dict[str, Any]:
    """Fill a netCDF file with a run, without fill values, so that NaN stays NaN, and return its record.

    Written with netCDF4, all definitions before all numbers: for a model with a thousand elements three times as fast as
    with xarray, and the file is half as large.
    """
    other = next((name for name, variable in run.variables.items() if variable.dtype.kind not in ENCODINGS), None)
    if other is not None:
        message = f"'{other}' holds neither numbers nor texts"
        raise TypeError(message)
    auxiliary = auxiliary_coordinates(run)
    order = "\n".join(map(_stored_name, run.data_vars))
    file.setncatts(file_attributes(run) | {ORDER: order} | coordinates_attribute(auxiliary, run.dims))
    for dim, size in run.sizes.items():
        file.createDimension(_stored_name(dim), size)
    coordinates = set(run.coords)
    defined = []
    for name, variable in run.variables.items():
        kind = variable.dtype.kind
        _, dtype, attributes = ENCODINGS[kind]
        stored = file.createVariable(
            _stored_name(name),
            # a Zarr folder states the byte order even where it is the native one
            dtype or variable.dtype.newbyteorder("="),
            tuple(map(_stored_name, variable.dims)),
            fill_value=None if kind == "U" else False,
            fletcher32=bool(variable.ndim and variable.size and kind != "U"),
            chunk_cache=1,  # all is written once, and a cache would keep all of it
        )
        stored.set_auto_maskandscale(False)
        further = {} if name in coordinates else coordinates_attribute(auxiliary, variable.dims)
        stored.setncatts(variable.attrs | attributes | further)
        defined.append((stored, variable))
    for stored, variable in defined:
        stored[...] = ENCODINGS[variable.dtype.kind][0](variable.values)
    return read_record(file)


def read_record(file: Dataset) -> dict[str, Any]:
    """Read what the catalogue needs from an open netCDF file; `members` are the dimensions along which runs differ."""
    dims = {name: dimension.size for name, dimension in file.dimensions.items()}
    kinds = {name: getattr(variable, "kind", "") for name, variable in file.variables.items()}
    return {
        "attributes": {name: str(file.getncattr(name)) for name in file.ncattrs() if name not in LONG},
        "dims": dims,
        "members": {name: size for name, size in dims.items() if name != TIME and kinds.get(name) != "subscript"},
        "timed": TIME in file.variables and file.variables[TIME].dimensions == (TIME,),
    }


def _stored_name(name: Hashable) -> str:
    """A name in composed characters, as netCDF requires; a slash would start a group."""
    text = unicodedata.normalize("NFC", str(name))
    if "/" in text or text != text.strip() or not text.isprintable() or not text:
        message = f"{text!r} is not a valid name"
        raise ValueError(message)
    return text


def check_attributes(run: xr.Dataset, target: Location) -> None:
    """Check that attributes are texts, numbers or lists of them; other readers do not know other Python objects."""
    holders = {"the run": run.attrs} | {f"'{name}'": variable.attrs for name, variable in run.variables.items()}
    for holder, attributes in holders.items():
        for name, value in attributes.items():
            if not isinstance(name, str) or np.asarray(value).dtype.kind not in "Ufiu" or np.ndim(value) > 1:
                text = " ".join(repr(value).split())
                message = f"{target}: attribute {name!r} of {holder} is {text:.60}; make it a text or a number"
                raise StoreError(message)


def file_attributes(run: xr.Dataset) -> dict[Any, Any]:
    """Return the attributes of a run as files hold them: the model as text."""
    return run.attrs | dict(_CONVENTIONS) | ({TEXT: text_of(run.attrs)} if TEXT in run.attrs else {})


def auxiliary_coordinates(run: xr.Dataset) -> dict[str, set[Hashable]]:
    """Return the coordinates that are not dimensions, with the dimensions of each."""
    return {str(name): set(coordinate.dims) for name, coordinate in run.coords.items() if name not in run.dims}


def coordinates_attribute(auxiliary: Mapping[str, set[Hashable]], dims: Iterable[Hashable]) -> dict[str, str]:
    """Return the attribute of the CF conventions that lists the auxiliary coordinates of a variable with these dimensions."""
    own = set(dims)
    names = [name for name, needed in auxiliary.items() if needed.issubset(own)]
    return {"coordinates": " ".join(names)} if names else {}


def decode(stored: xr.Dataset) -> xr.Dataset:
    """Make a run from a file's content: restore the order of variables, dates, text labels and plain numbers."""
    plain = stored.drop_encoding()
    plain.attrs = {name: value for name, value in plain.attrs.items() if name not in _CONVENTIONS}
    order = str(plain.attrs.pop(ORDER, "\n".join(map(str, plain.data_vars)))).splitlines()
    others = {name: variable for name, variable in plain.variables.items() if name not in order}
    run = xr.Dataset({name: plain.variables[name] for name in order}, others, plain.attrs)
    if DATE in run.coords and run[DATE].attrs.get("units") == _EPOCH:
        dates = run[DATE].values.astype("datetime64[s]").astype("datetime64[ns]")
        attributes = {name: value for name, value in run[DATE].attrs.items() if name not in _DATES}
        run = run.assign_coords({DATE: (run[DATE].dims, dates, attributes)})
    for name in [name for name, coordinate in run.coords.items() if coordinate.dtype.kind in "OT"]:
        texts = np.array(run[name].values.tolist(), dtype=str)
        run = run.assign_coords({name: (run[name].dims, texts, run[name].attrs)})
    if TEXT in run.attrs:
        run.attrs[TEXT] = text_attribute(text_of(run.attrs))
    for attributes in (run.attrs, *(variable.attrs for variable in run.variables.values())):
        attributes.update({name: value.item() for name, value in attributes.items() if isinstance(value, np.generic)})
    return run
