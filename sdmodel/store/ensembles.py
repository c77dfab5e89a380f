"""A stored ensemble: a Zarr folder that grows block by block of members, safe against processes that end at any moment.

Each variable is stored in chunks of all times and labels by one block of members. Zarr gives a chunk its name only when it
is complete, and the record of a block is written after its chunks: what is recorded exists. Blocks may come in any order, and
several processes may write chunks; one of them has the folder open for appending and keeps the record.
Every chunk ends with a checksum; every JSON document holds one of itself, and that of the folder covers those of its arrays.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..dataset import BLOCK, MEMBER, bare_variables, check_run
from ..errors import DatasetError, StoreError
from ..files import Location, lock_folder, place_folder, temporary_folder, unwritable
from .addresses import exists, is_address, place_at_address, read_bytes
from .checksums import CHECKSUM, json_checksum, unsealed
from .netcdf import (
    ENCODINGS,
    ORDER,
    UNREADABLE,
    auxiliary_coordinates,
    check_attributes,
    coordinates_attribute,
    decode,
    file_attributes,
)

ENSEMBLE_SUFFIX = ".zarr"
DONE, WANTED, BROKEN = "members_done", "members_wanted", "members_not_finite"
"""Attributes of a stored ensemble: the number of stored members, of all members, and of stored members that are not finite."""
FIRST = "first_not_finite"
"""The attribute that lists the first members that are not finite, if there are any."""
BLOCKS = "blocks_done"
"""The attribute that says which blocks are stored, while others before them are not: a bit for each, in hexadecimal digits."""
_PROGRESS = frozenset({DONE, BROKEN, FIRST, BLOCKS, CHECKSUM})
"""The attributes that change while an ensemble is made."""
_MOST_NUMBERED = 10_000_000
"""The most members whose numbers are stored; those of more need memory only to be counted again."""

_RECORD = "zarr.json"
"""The file in which Zarr describes a folder or an array."""
_FORMAT: Final = 3
"""Zarr's format; the older one may hold Python objects, which run code when they are read."""
_BLOCK_BYTES = 2**26
_CHUNK_BYTES = 2**23
_MAX_BLOCK = 4096
_MAX_LISTED = 5
_WRITE_ALL: Mapping[str, Any] = {"write_empty_chunks": True}
"""Zarr leaves out chunks that hold only the fill value; a lost one could then not be noticed."""
_CODEC: Mapping[str, Any] = {"cname": "lz4", "clevel": 1, "shuffle": "shuffle", "typesize": 8}
"""The fastest of the codecs measured on an ensemble; faster even than no codec, since it leaves less to write."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A stored ensemble, open for appending; no other process can append to it meanwhile.

    `folder` is the device and inode number of the folder, which stay the same if another one takes its name. `checksums`
    are those of the documents of its arrays; an ensemble of an older version has none.
    """

    path: Location
    folder: tuple[int, int] | None
    group: Any
    arrays: Mapping[str, Any]
    checksums: Mapping[str, str]
    block: int
    count: int

    @property
    def done(self) -> int:
        """The number of stored members."""
        return int(self.group.attrs[DONE])

    @property
    def fingerprint(self) -> str:
        """What is the same as long as this ensemble is made, and differs for another of the same name."""
        return _fingerprint(self.group.attrs.asdict(), self.checksums)

    def missing(self) -> Iterator[tuple[int, int]]:
        """The members that are not stored: the first of each gap, and the one after its last."""
        bits = f"{_stored_blocks(self.group.attrs.asdict()):0{-(-self.count // self.block)}b}"[::-1]
        for gap in re.finditer("0+", bits):
            yield gap.start() * self.block, min(gap.end() * self.block, self.count)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of members whose chunks are written: `first` up to but without `last`, those that are not finite, and the first of these."""

    first: int
    last: int
    broken: int
    listed: tuple[int, ...]


class _StoredArray(BackendArray):
    """An array that is read from the disk where its values are needed; damage, found only then, is reported with its place."""

    def __init__(self, array: Any, path: Location) -> None:
        self._array, self._path, self.shape, self.dtype = array, path, array.shape, array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, place: tuple[Any, ...]) -> Any:
        try:
            return self._array.oindex[place]
        except IndexError:
            raise
        except UNREADABLE as cause:
            reason = getattr(cause, "strerror", None) or "it is damaged"
            message = f"{self._path}: cannot be read, {reason}; make the ensemble again"
            raise StoreError(message) from cause


def members_per_block(template: xr.Dataset, count: int) -> int:
    """Return the number of members that an ensemble stores together: a power of two.

    It depends only on what is saved, not on memory or threads, so that the same ensemble gives the same files.
    """
    sizes = [
        variable.dtype.itemsize * variable.size // max(1, variable.sizes[MEMBER])
        for variable in bare_variables(template).values()
        if MEMBER in variable.dims
    ]
    fitting = min(_BLOCK_BYTES // max(1, sum(sizes)), _CHUNK_BYTES // max(1, *sizes, 1), _MAX_BLOCK)
    whole = 1 << max(0, fitting.bit_length() - 1)
    return min(whole, 1 << max(0, count - 1).bit_length())


def create_ensemble(
    template: xr.Dataset, path: Location, *, count: int, force: bool = False, first: xr.Dataset | None = None
) -> None:
    """Make the folder of an ensemble of `count` members, complete or not at all; only the members `first` are stored yet.

    `template` is a run of a few members; it has the variables that each member will have. Raises StoreError if the folder
    exists and `force` is not given, another process is appending to it, or it cannot be written, and DatasetError if the
    template is not a run.
    """
    check_run(template, str(path))
    check_attributes(template, path)
    taken = f"{path}: exists already; choose another name, continue with --resume, or force it to be replaced"
    if exists(path) and not force:
        raise StoreError(taken)
    try:
        with _new_folder(path) as made:
            _write_structure(template, made, count)
            if first is not None:
                with open_for_append(made) as ensemble:
                    add_members(ensemble, first)
            put_in_place(made, path, force=force)
    except (OSError, ValueError) as cause:
        message = taken if isinstance(cause, FileExistsError) and exists(path) else unwritable(path, cause)
        raise StoreError(message) from cause


@contextlib.contextmanager
def _new_folder(path: Location) -> Iterator[Path]:
    """An empty folder beside a path; for an address, one of this machine."""
    if is_address(path):
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        with temporary_folder(path) as made:
            yield made


@contextlib.contextmanager
def open_for_append(path: Location) -> Iterator[Ensemble]:
    """Open a stored ensemble to append members; first remove the incomplete chunks that a killed process has left.

    Raises StoreError if it cannot be read, files of it are missing, or another process is appending to it; at an address,
    nothing shows whether one is.
    """
    with _locked(path):
        try:
            for part in () if is_address(path) else path.rglob("*.partial"):
                part.unlink(missing_ok=True)
            found, documents = _open(path)
            _check_chunks(path, documents, _stored_blocks(found.group.attrs.asdict()))
        except UNREADABLE as cause:
            raise StoreError(_unreadable(path)) from cause
        yield found


def open_for_writing(path: Location, fingerprint: str) -> Ensemble:
    """Open the ensemble that another process has open for appending, to write chunks of it.

    Raises StoreError if another one has its name now, or it cannot be read.
    """
    try:
        found = _open(path)[0]
    except UNREADABLE as cause:
        raise StoreError(_unreadable(path)) from cause
    if found.fingerprint != fingerprint:
        raise StoreError(_replaced(path))
    return found


def _open(path: Location) -> tuple[Ensemble, dict[str, Any]]:
    group = _open_group(path, "r+")
    record, documents = _documents(path)
    arrays = {  # by name, since a list of the folder would have what another process is writing
        name: group[name].with_config(_WRITE_ALL)
        for name, document in documents.items()
        if MEMBER in (document.get("dimension_names") or ()) and name != MEMBER
    }
    block, count = int(record[BLOCK]), int(record[WANTED])
    return Ensemble(path, _identity(path), group, arrays, _checksums(documents), block, count), documents


def _open_group(path: Location, mode: Literal["r", "r+"]) -> Any:
    import zarr

    place: Any = str(path) if is_address(path) else path
    return zarr.open_group(place, mode=mode, zarr_format=_FORMAT, use_consolidated=False)


def add_members(ensemble: Ensemble, run: xr.Dataset, first: int | None = None) -> None:
    """Store members, by default the next ones, block by block; each block is recorded once it is complete.

    Raises StoreError if the disk is full or fails, while the blocks before stay, or if another process has removed or
    replaced the folder.
    """
    for block in _written_blocks(ensemble, run, ensemble.done if first is None else first):
        record_blocks(ensemble, [block])


def write_members(ensemble: Ensemble, run: xr.Dataset, first: int) -> list[Block]:
    """Store members without recording them, which is for the process that has the ensemble open for appending.

    Raises StoreError as `add_members`.
    """
    return list(_written_blocks(ensemble, run, first))


def _written_blocks(ensemble: Ensemble, run: xr.Dataset, first: int) -> Iterator[Block]:
    size = run.sizes[MEMBER]
    values: dict[str, NDArray[Any]] = {}
    for name, array in ensemble.arrays.items():  # what is the same for all members is repeated
        variable = run[name] if MEMBER in run[name].dims else run[name].expand_dims({MEMBER: size})
        values[name] = variable.transpose(*_dims(array)).to_numpy()
    last = first + size
    if first % ensemble.block or (size % ensemble.block and last != ensemble.count) or last > ensemble.count:
        message = f"{ensemble.path}: {size} members do not fill its blocks of {ensemble.block}; add whole blocks"
        raise StoreError(message)
    for start in range(0, size, ensemble.block):
        part = slice(start, min(start + ensemble.block, size))
        with _writing(ensemble):
            block = {name: array[..., part] for name, array in values.items()}
            written = _write_block(ensemble, block, first + start, first + part.stop)
        yield written


@contextlib.contextmanager
def _writing(ensemble: Ensemble) -> Iterator[None]:
    """Report that the folder is another one now, or cannot be written."""
    if _identity(ensemble.path) != ensemble.folder:
        raise StoreError(_replaced(ensemble.path))
    try:
        yield
    except OSError as cause:
        message = (
            f"{ensemble.path}: cannot be written ({cause.strerror or cause}); {ensemble.done:,} of "
            f"{ensemble.count:,} members are stored, make room there and continue with --resume"
        )
        raise StoreError(message) from cause


def record_blocks(ensemble: Ensemble, blocks: Sequence[Block]) -> None:
    """Record that blocks are stored.

    Raises StoreError as `add_members`.
    """
    before = ensemble.group.attrs.asdict()
    stored, size, count = _stored_blocks(before), ensemble.block, ensemble.count
    listed = [int(member) for member in str(before.get(FIRST, "")).split()]
    for block in blocks:
        stored |= 1 << block.first // size
        listed += block.listed
    whole = -(-count // size)
    lacking = (whole * size - count) * (stored >> whole - 1)  # if the last block, which may be shorter, is stored
    record = {name: value for name, value in before.items() if name != BLOCKS}
    record |= {
        DONE: stored.bit_count() * size - lacking,
        BROKEN: int(before[BROKEN]) + sum(block.broken for block in blocks),
    }
    record |= {FIRST: " ".join(map(str, sorted(listed)[:_MAX_LISTED]))} if listed else {}
    record |= {BLOCKS: f"{stored:x}"} if stored & (stored + 1) else {}
    if any(ensemble.checksums.values()):
        record[CHECKSUM] = json_checksum(record, ensemble.checksums)
    with _writing(ensemble):  # in one call: attributes that are set one by one are written one by one
        ensemble.group.attrs.put(record)


def _stored_blocks(record: Mapping[str, Any]) -> int:
    """The stored blocks of an ensemble, a bit for each; without the attribute, they are those of the first members."""
    if BLOCKS in record:
        return int(record[BLOCKS], 16)
    if not 0 <= int(record[DONE]) <= int(record[WANTED]):
        message = f"{DONE} is {record[DONE]}"
        raise ValueError(message)
    return (1 << -(-int(record[DONE]) // int(record[BLOCK]))) - 1


def _fingerprint(record: Mapping[str, Any], checksums: Mapping[str, str]) -> str:
    return json_checksum({name: value for name, value in record.items() if name not in _PROGRESS}, checksums)


def open_ensemble(path: Location) -> xr.Dataset:
    """Open the finished members of a stored ensemble; values are read from the disk only when they are needed."""
    try:
        attributes, documents = _documents(path)
        stored_blocks = _stored_blocks(attributes)
        _check_chunks(path, documents, stored_blocks)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Zarr warns about files that another process is writing
            arrays = dict[str, Any](_open_group(path, "r").arrays())
        variables: dict[str, Any] = {
            name: (_dims(array), indexing.LazilyIndexedArray(_StoredArray(array, path / name)), unsealed(array.attrs))
            for name, array in arrays.items()
        }
        if MEMBER not in variables:
            variables[MEMBER] = (MEMBER, pd.RangeIndex(int(attributes[WANTED])))
        stored = xr.Dataset(variables, attrs=unsealed(attributes))
        stored = xr.decode_cf(stored, mask_and_scale=False, decode_times=False)
        check_run(stored, str(path))
        run = decode(stored)
    except DatasetError as fault:
        raise StoreError(str(fault)) from fault
    except (*UNREADABLE, MemoryError) as cause:
        raise StoreError(_unreadable(path)) from cause
    done, block = int(attributes[DONE]), int(attributes[BLOCK])
    if not done:
        message = f"{path}: no member is stored yet; continue with --resume, or make it again with --force"
        raise StoreError(message)
    if BLOCKS in attributes:
        starts = np.array(_set_bits(stored_blocks), dtype=np.int64) * block
        members = (starts[:, np.newaxis] + np.arange(block)).ravel()
        return run.isel({MEMBER: members[members < run.sizes[MEMBER]]})
    return run if done == run.sizes[MEMBER] else run.isel({MEMBER: slice(0, done)})


def ensemble_record(path: Location) -> tuple[dict[str, Any], dict[str, int]]:
    """Read the attributes of a stored ensemble and the sizes of its dimensions; `member` counts the finished members.

    Only the JSON records are read, not the numbers, and without loading Zarr. Raises StoreError if the folder is not an
    ensemble.
    """
    try:
        attributes, documents = _documents(path)
        dims = {
            dim: int(size)
            for document in documents.values()
            for dim, size in zip(document.get("dimension_names") or (), document["shape"], strict=True)
        }
        dims |= {MEMBER: int(attributes[DONE])}
    except UNREADABLE as cause:
        raise StoreError(_unreadable(path)) from cause
    return unsealed(attributes), dims


def is_ensemble(path: Location) -> bool:
    """Whether a path is a folder with the files of an ensemble."""
    try:
        return path.suffix == ENSEMBLE_SUFFIX and (path / _RECORD).is_file()
    except (OSError, ValueError):
        return False


def _documents(path: Location) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the attributes of an ensemble and the JSON documents of its arrays, and compare them with their checksums.

    Those of an older version have none; but if one document has a checksum, all must.
    """
    group = json.loads(read_bytes(path / _RECORD))
    attributes: dict[str, Any] = group["attributes"] if group["zarr_format"] == _FORMAT else {}
    files: dict[str, Location] = {file.parent.name: file for file in path.glob(f"*/{_RECORD}")}
    documents = {name: json.loads(read_bytes(files[name])) for name in sorted(files)}
    found = _checksums(documents)
    if CHECKSUM in attributes or any(found.values()):
        damaged = [f"{name}/{_RECORD}" for name, document in documents.items() if found[name] != _checksum(document)]
        damaged += [_RECORD] if attributes.get(CHECKSUM) != json_checksum(attributes, found) else []
        if damaged:
            message = f"{path}: its file {damaged[0]} differs from what was written; make it again or remove it"
            raise StoreError(message)
    return attributes, documents


def _checksums(documents: Mapping[str, Any]) -> dict[str, str]:
    return {name: document.get("attributes", {}).get(CHECKSUM, "") for name, document in documents.items()}


def _checksum(document: Mapping[str, Any]) -> str:
    return json_checksum(document["attributes"], {name: document[name] for name in document if name != "attributes"})


def seal_documents(folder: Path) -> None:
    """Add checksums to the JSON documents of a new ensemble."""
    files = {file.parent.name: file for file in sorted(folder.glob(f"*/{_RECORD}"))}
    documents = {name: json.loads(file.read_bytes()) for name, file in files.items()}
    for name, document in documents.items():
        document["attributes"][CHECKSUM] = _checksum(document)
        files[name].write_text(json.dumps(document, indent=2), "utf-8")
    group = json.loads((folder / _RECORD).read_bytes())
    group["attributes"][CHECKSUM] = json_checksum(group["attributes"], _checksums(documents))
    (folder / _RECORD).write_text(json.dumps(group, indent=2), "utf-8")


def _check_chunks(path: Location, documents: Mapping[str, Any], stored: int) -> None:
    """Check that no file of the stored blocks is missing; Zarr would read NaN instead.

    Every chunk is written, whatever it holds, so a missing file is a lost one. An array has one file per block of members, or
    a single one.
    """
    missing: list[str] = []
    for name, array in documents.items():
        shape, dims = array["shape"], len(array["shape"])
        chunk = array["chunk_grid"]["configuration"]["chunk_shape"]
        blocked = bool(dims and name != MEMBER and array["dimension_names"][-1] == MEMBER)
        whole = dims - blocked
        if [max(1, size) for size in shape[:whole]] != chunk[:whole] or (
            blocked and stored.bit_length() > -(-shape[-1] // chunk[-1])
        ):
            raise StoreError(_unreadable(path))  # wrong sizes, without a checksum, could take any time and memory
        inner = "/".join((name, "c", *["0"] * (dims - 1)) if dims else (name,))
        there = {file.name for file in (path / inner).iterdir()} if (path / inner).is_dir() else set()
        chunks = ["c"] if not dims else ["0"] if not blocked else _set_bits(stored)
        missing += [f"{inner}/{chunk}" for chunk in chunks if chunk not in there]
    if missing:
        what = f"{len(missing):,} of its files are missing, the first is {missing[0]}"
        what = what if len(missing) > 1 else f"its file {missing[0]} is missing"
        message = f"{path}: {what}; make it again with --force"
        raise StoreError(message)


def _set_bits(bits: int) -> list[str]:
    return [str(place) for place, bit in enumerate(f"{bits:b}"[::-1]) if bit == "1"]


def _dims(array: Any) -> tuple[str, ...]:
    return tuple(array.metadata.dimension_names or ())


def _write_block(ensemble: Ensemble, values: Mapping[str, NDArray[Any]], first: int, last: int) -> Block:
    broken = np.zeros(last - first, dtype=bool)
    for name, block in values.items():
        ensemble.arrays[name][..., first:last] = block
        with np.errstate(invalid="ignore", over="ignore"):
            total = block.sum()
        if not np.isfinite(total):  # several times as fast as testing each number
            broken |= ~np.isfinite(block).reshape(-1, last - first).all(axis=0)
    return Block(first, last, int(broken.sum()), tuple((first + np.flatnonzero(broken)[:_MAX_LISTED]).tolist()))


def _write_structure(template: xr.Dataset, folder: Path, count: int) -> None:
    """Write everything of an ensemble but its members."""
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    block = members_per_block(template, count)
    auxiliary = auxiliary_coordinates(template)
    progress = {ORDER: "\n".join(map(str, template.data_vars)), DONE: 0, WANTED: count, BROKEN: 0, BLOCK: block}
    attributes = (
        _json_attributes(file_attributes(template)) | progress | coordinates_attribute(auxiliary, template.dims)
    )
    group: Any = zarr.create_group(folder, zarr_format=_FORMAT, attributes=attributes)
    numbers = xr.Variable(
        (MEMBER,), np.arange(min(count, _MOST_NUMBERED)), template[MEMBER].attrs if MEMBER in template.coords else {}
    )
    variables = {name: variable for name, variable in template.variables.items() if name != MEMBER}
    for name, variable in (variables | ({MEMBER: numbers} if count <= _MOST_NUMBERED else {})).items():
        plain = name == MEMBER or name in template.coords
        own = _json_attributes(variable.attrs)
        further = {} if plain else coordinates_attribute(auxiliary, variable.dims)
        if name != MEMBER and MEMBER in variable.dims:
            dims = [*(dim for dim in variable.dims if dim != MEMBER), MEMBER]
            shape = [variable.sizes[dim] for dim in dims[:-1]]
            group.create_array(
                str(name),
                shape=(*shape, count),
                chunks=(*(max(1, size) for size in shape), block),
                dtype=variable.dtype,
                compressors=[BloscCodec(**_CODEC), Crc32cCodec()],
                fill_value=np.nan if variable.dtype.kind == "f" else 0,
                dimension_names=dims,
                attributes=own | further,
            )
        else:
            encode, dtype, attributes = ENCODINGS[variable.dtype.kind]
            array = group.create_array(
                str(name),
                shape=variable.shape,
                chunks=tuple(max(1, size) for size in variable.shape),
                dtype=dtype or variable.dtype,
                compressors=[Crc32cCodec()],
                config={**_WRITE_ALL},
                dimension_names=variable.dims,
                attributes=own | attributes | further,
            )
            array[...] = encode(variable.values)
    seal_documents(folder)


def _json_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value.tolist() if hasattr(value, "tolist") else value for name, value in attributes.items()}


def put_in_place(made: Path, path: Location, *, force: bool) -> None:
    """Give the finished folder its name; an ensemble to which another process adds members is not replaced."""
    if is_address(path):
        place_at_address(made, path, _RECORD, force=force)
    else:
        place_folder(made, path, force=force, lock=_locked(path) if is_ensemble(path) else None)


def _identity(path: Location) -> tuple[int, int] | None:
    """The device and inode number of the folder that has a name now, or None; also for an address."""
    if is_address(path):
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _locked(path: Location) -> Iterator[None]:
    """Keep other processes from appending to a folder, or replacing it; an address has no lock."""
    if is_address(path):
        yield
        return
    with contextlib.ExitStack() as stack:
        before = _identity(path)
        try:
            stack.enter_context(lock_folder(path))
        except OSError as cause:
            message = f"{path}: cannot be opened ({cause.strerror}); make it again or remove it"
            if isinstance(cause, BlockingIOError):
                message = f"{path}: another process is adding members to it; wait for it to end"
            raise StoreError(message) from cause
        if _identity(path) != before:
            message = f"{path}: another process has just replaced it; try again"
            raise StoreError(message)
        yield


def _replaced(path: Location) -> str:
    return f"{path}: was removed or replaced by another process; choose another name, or --force"


def _unreadable(path: Location) -> str:
    return f"{path}: cannot be read as an ensemble, it is damaged or of another kind; make it again or remove it"
