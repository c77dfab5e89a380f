"""An ensemble as a Zarr folder that grows block by block of members; a block counts once the folder's record says so.

Each variable lies in chunks of all times and labels by one block of members. Zarr gives a chunk its name only when it
is whole, and the record of how many members are done is written after the chunks of a block, so that a process may end
at any moment: what is recorded is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import BLOCK, MEMBER, check_run
from ..errors import DatasetError, StoreError
from ..files import remove_stale
from .chunks import RECORD, missing_chunks
from .forms import AS_STORED, ORDER, UNREADABLE, as_saved, besides, check_attributes, coordinates_told
from .locks import Identity, identity_of, locked

ENSEMBLE_SUFFIX = ".zarr"
DONE, WANTED, BROKEN = "members_done", "members_wanted", "members_not_finite"
"""Attributes of a stored ensemble: how many members are stored, of how many, and how many of them have values that are not
finite."""
FIRST = "first_not_finite"
"""The attribute that names the first members that are not finite, if there are some."""

_FORMAT: Final = 3
"""Of Zarr: what is stored in the older one may hold Python objects, which run code when they are read."""
_BLOCK_BYTES = 2**26
_CHUNK_BYTES = 2**23
_MOST = 4096
_NAMED = 5
_EVERY: Mapping[str, Any] = {"write_empty_chunks": True}
"""Zarr leaves out a file whose numbers are all the filling; then one that is lost could not be told from it."""
_CODEC: Mapping[str, Any] = {"cname": "lz4", "clevel": 1, "shuffle": "shuffle", "typesize": 8}
"""Of the codecs measured on an ensemble, the one that costs least, plain writing included, since it leaves less to write."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A stored ensemble that members are added to; no other process adds to it meanwhile.

    `folder` is which folder it is, whatever has its name later.
    """

    path: Path
    folder: Identity | None
    group: Any
    arrays: Mapping[str, Any]
    block: int
    count: int

    @property
    def done(self) -> int:
        """How many members are stored."""
        return int(self.group.attrs[DONE])

    @property
    def broken(self) -> int:
        """How many of them have values that are not finite."""
        return int(self.group.attrs[BROKEN])


def block_members(template: xr.Dataset, count: int) -> int:
    """How many members of an ensemble are stored together: a power of two that only what is saved decides.

    Neither memory nor threads change it, so that the same ensemble is the same files.
    """
    sizes = [
        each.dtype.itemsize * each.size // max(1, each.sizes[MEMBER])
        for each in template.data_vars.values()
        if MEMBER in each.dims
    ]
    fitting = min(_BLOCK_BYTES // max(1, sum(sizes)), _CHUNK_BYTES // max(1, *sizes, 1), _MOST)
    whole = 1 << max(0, fitting.bit_length() - 1)
    return min(whole, 1 << max(0, count - 1).bit_length())


def create_ensemble(template: xr.Dataset, path: Path, *, count: int, force: bool = False) -> None:
    """Make the folder of an ensemble of `count` members, none of them stored yet, complete or not at all.

    The variables of `template`, a run of some members, tell what each member will have.

    Raises
    ------
    StoreError
        If the folder exists and `force` is not given, or another process adds to it now, or it cannot be written.
    DatasetError
        If the template is not a run.
    """
    check_run(template, str(path))
    check_attributes(template, path)
    if os.path.lexists(path) and not force:
        raise StoreError(_exists(path))
    made = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path)
        made = Path(tempfile.mkdtemp(prefix=f".{path.name}-{os.getpid()}-", suffix=".part", dir=path.parent))
        made.chmod(0o777 & ~_umask())
        _write_structure(template, made, count)
        _put_in_place(made, path, force=force)
    except FileExistsError as cause:
        raise StoreError(_exists(path) if os.path.lexists(path) else _unwritable(path, cause)) from cause
    except (OSError, ValueError) as cause:
        raise StoreError(_unwritable(path, cause)) from cause
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def added_to(path: Path) -> Iterator[Ensemble]:
    """The stored ensemble, to add members to; what a process that was killed has left half written is removed.

    Raises
    ------
    StoreError
        If it cannot be read, or files of it are missing, or another process adds to it now.
    """
    import zarr

    with locked(path):
        try:
            for part in path.rglob("*.partial"):
                part.unlink(missing_ok=True)
            group = zarr.open_group(path, mode="r+", zarr_format=_FORMAT, use_consolidated=False)
            found: dict[str, Any] = dict(group.arrays())
            drawn = {name: each for name, each in found.items() if MEMBER in _dims(each) and name != MEMBER}
            arrays = {name: each.with_config(_EVERY) for name, each in drawn.items()}
            record: Mapping[str, Any] = group.attrs.asdict()
            block, count = int(record[BLOCK]), int(record[WANTED])
            _check_chunks(path, int(record[DONE]))
        except UNREADABLE as cause:
            raise StoreError(_unreadable(path)) from cause
        yield Ensemble(path, identity_of(path), group, arrays, block, count)


def add_members(ensemble: Ensemble, run: xr.Dataset) -> None:
    """Store the members that come next, block by block; each block is recorded once it is whole.

    Raises
    ------
    StoreError
        If the disk is full or fails; the blocks before stay. If the folder is not the one any more that was opened.
    """
    first, size = ensemble.done, run.sizes[MEMBER]
    values = {name: _values(run, name, _dims(array)) for name, array in ensemble.arrays.items()}
    if (size % ensemble.block and first + size != ensemble.count) or first + size > ensemble.count:
        message = f"{ensemble.path}: {size} members do not fill its blocks of {ensemble.block}; add whole blocks"
        raise StoreError(message)
    for start in range(0, size, ensemble.block):
        part = slice(start, min(start + ensemble.block, size))
        if identity_of(ensemble.path) != ensemble.folder:
            message = f"{ensemble.path}: has been removed or replaced meanwhile; choose another name, or --force"
            raise StoreError(message)
        try:
            _add_block(ensemble, {name: each[..., part] for name, each in values.items()}, first + start)
        except OSError as cause:
            message = (
                f"{ensemble.path}: cannot be written ({cause.strerror or cause}); {first + start:,} of "
                f"{ensemble.count:,} members are stored, make room there and go on with --resume"
            )
            raise StoreError(message) from cause


def open_ensemble(path: Path) -> xr.Dataset:
    """The members of a stored ensemble that are done, read from the disk only where they are asked for."""
    ensemble_record(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Zarr wonders at what another process is just writing
            stored = xr.open_dataset(
                path, engine="zarr", consolidated=False, zarr_format=_FORMAT, chunks=None, decode_times=False,
                mask_and_scale=False, cache=False,
            )  # fmt: skip
        check_run(stored, str(path))
        run = as_saved(stored)
        done = int(run.attrs[DONE])
        _check_chunks(path, done)
    except DatasetError as fault:
        raise StoreError(str(fault)) from fault
    except UNREADABLE as cause:
        raise StoreError(_unreadable(path)) from cause
    if not done:
        message = f"{path}: no member is stored yet; go on with --resume, or make it again with --force"
        raise StoreError(message)
    return run if done == run.sizes[MEMBER] else run.isel({MEMBER: slice(0, done)})


def loaded(run: xr.Dataset, name: str) -> xr.Dataset:
    """A part of the ensemble of that name, which is open, read into memory.

    Raises
    ------
    StoreError
        If the files that hold it are damaged, which shows only now.
    """
    try:
        return run.load()
    except UNREADABLE as cause:
        message = f"{name}: its files are damaged ({' '.join(str(cause).split())}); make it again with --force"
        raise StoreError(message) from cause


def ensemble_record(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """What a stored ensemble says of itself: its attributes, and the lengths of its dimensions, `member` being those done.

    Nothing but records is read, and none of Zarr's code.

    Raises
    ------
    StoreError
        If the folder is not an ensemble.
    """
    try:
        record = json.loads((path / RECORD).read_bytes())
        attributes = record["attributes"] if record["zarr_format"] == _FORMAT else {}
        arrays = [json.loads(each.read_bytes()) for each in path.glob(f"*/{RECORD}")]
        dims = {
            dim: int(size)
            for record in arrays
            for dim, size in zip(record.get("dimension_names") or (), record["shape"], strict=True)
        }
        dims |= {MEMBER: int(attributes[DONE])}
    except UNREADABLE as cause:
        raise StoreError(_unreadable(path)) from cause
    return attributes, dims


def is_ensemble(path: Path) -> bool:
    """Whether a folder is made as ensembles are; a pipe or a file is none."""
    try:
        return path.suffix == ENSEMBLE_SUFFIX and (path / RECORD).is_file()
    except (OSError, ValueError):
        return False


def _check_chunks(path: Path, done: int) -> None:
    """Make sure that no file of the members that are done is missing, which Zarr reads as NaN."""
    missing = missing_chunks(path, done)
    if missing:
        told = (
            f"{len(missing):,} of its files are missing, the first" if len(missing) > 1 else "a file of it is missing,"
        )
        message = f"{path}: {told} {missing[0]}; make it again with --force"
        raise StoreError(message)


def _dims(array: Any) -> tuple[str, ...]:
    """The names of an array's dimensions."""
    return tuple(array.metadata.dimension_names or ())


def _values(run: xr.Dataset, name: str, dims: tuple[str, ...]) -> NDArray[Any]:
    """A variable of some members, members last; one that is the same for all of them is spread over them."""
    variable = run[name]
    if MEMBER not in variable.dims:
        variable = variable.expand_dims({MEMBER: run.sizes[MEMBER]})
    values: NDArray[Any] = variable.transpose(*dims).values
    return values


def _add_block(ensemble: Ensemble, values: Mapping[str, NDArray[Any]], first: int) -> None:
    broken = np.zeros(1, dtype=bool)
    last = first
    for name, block in values.items():
        last = first + block.shape[-1]
        ensemble.arrays[name][..., first:last] = block
        with np.errstate(invalid="ignore", over="ignore"):
            whole = np.isfinite(block.sum())  # several times quicker than to look at each number
        if not whole:
            broken = broken | ~np.isfinite(block).reshape(-1, block.shape[-1]).all(axis=0)
    # all at once: attributes that are set one by one are as many files, and a process may end between two of them
    record: dict[str, Any] = {DONE: last, BROKEN: ensemble.broken + int(broken.sum())}
    named = [*str(ensemble.group.attrs.get(FIRST, "")).split(), *map(str, first + np.flatnonzero(broken)[:_NAMED])]
    ensemble.group.update_attributes(record | ({FIRST: " ".join(named[:_NAMED])} if named else {}))


def _write_structure(template: xr.Dataset, folder: Path, count: int) -> None:
    """Everything of an ensemble but its members."""
    import zarr

    block = block_members(template, count)
    beside = besides(template)
    told = {ORDER: "\n".join(map(str, template.data_vars)), DONE: 0, WANTED: count, BROKEN: 0, BLOCK: block}
    attributes = _plain(template.attrs) | told | coordinates_told(beside, template.dims)
    group = zarr.create_group(folder, zarr_format=_FORMAT, attributes=attributes)
    for name, variable in template.variables.items():
        further = {} if name in template.coords else coordinates_told(beside, variable.dims)
        if name == MEMBER:
            _write_whole(group, MEMBER, xr.Variable((MEMBER,), np.arange(count), variable.attrs), {})
        elif MEMBER in variable.dims:
            _define_blocks(group, str(name), variable, count, block, further)
        else:
            _write_whole(group, str(name), variable, further)
    if MEMBER not in template.variables:
        _write_whole(group, MEMBER, xr.Variable((MEMBER,), np.arange(count)), {})


def _define_blocks(
    group: Any, name: str, variable: xr.Variable, count: int, block: int, further: dict[str, str]
) -> None:
    """The place of a variable that members differ in, in chunks with a checksum."""
    from zarr.codecs import BloscCodec, Crc32cCodec

    dims = [*(dim for dim in variable.dims if dim != MEMBER), MEMBER]
    shape = [variable.sizes[dim] for dim in dims[:-1]]
    group.create_array(
        name,
        shape=(*shape, count),
        chunks=(*(max(1, size) for size in shape), block),
        dtype=variable.dtype,
        compressors=[BloscCodec(**_CODEC), Crc32cCodec()],
        fill_value=np.nan if variable.dtype.kind == "f" else 0,
        dimension_names=dims,
        attributes=_plain(variable.attrs) | further,
    )


def _write_whole(group: Any, name: str, variable: xr.Variable, further: dict[str, str]) -> None:
    """A variable that is the same for all members."""
    as_file, kept, attributes = AS_STORED[variable.dtype.kind]
    array = group.create_array(
        name,
        shape=variable.shape,
        chunks=tuple(max(1, size) for size in variable.shape),
        dtype=kept or variable.dtype,
        config={**_EVERY},
        dimension_names=variable.dims,
        attributes=_plain(variable.attrs) | attributes | further,
    )
    array[...] = as_file(variable.values)


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON holds them."""
    return {str(name): value.tolist() if hasattr(value, "tolist") else value for name, value in attributes.items()}


def _put_in_place(made: Path, path: Path, *, force: bool) -> None:
    """Give the finished folder its name; what had it before is set aside first and removed then."""
    if not os.path.lexists(path):
        made.rename(path)
        return
    if not force:
        raise FileExistsError
    aside = made.with_name(f"{made.stem}x{made.suffix}")
    with locked(path) if is_ensemble(path) else contextlib.nullcontext():
        path.rename(aside)
        made.rename(path)
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside)
    else:
        aside.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _exists(path: Path) -> str:
    return f"{path}: exists already; choose another name, go on with --resume, or force it to be replaced"


def _unreadable(path: Path) -> str:
    return f"{path}: cannot be read as an ensemble, it is damaged or of another kind; make it again or remove it"


def _unwritable(path: Path, cause: OSError | ValueError) -> str:
    return f"{path}: cannot be written ({getattr(cause, 'strerror', None) or cause}); choose another folder or make room there"
