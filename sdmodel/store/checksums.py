"""Checksums of whole files: of a netCDF file, with a record for the catalogue, and of the JSON documents of a Zarr folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKSUM = "document_sha256"
"""The attribute with the checksum of a JSON document."""
_CONTENT = "content_sha256"

_MARK = b"sdmodel\n"
_END = 64 + 16 + len(_MARK)
"""Bytes at the end of a file: the checksum of the record, its length, and a mark."""
_HEAD = 48
_CHUNK = 2**20
_CHANGED = "the file differs from what was written"


def netcdf_length(head: bytes | memoryview) -> int | None:
    """Return the length of a netCDF file from its first bytes, or None if it is of a kind that does not state it.

    The superblock of HDF5, versions 2 and 3, has the length of the file (HDF5 file format specification, level 0A).
    """
    stated = len(head) >= _HEAD and bytes(head[:8]) == b"\x89HDF\r\n\x1a\n" and head[8] in (2, 3)
    eight_bytes = 8
    return int.from_bytes(head[28:36], "little") if stated and head[9] == eight_bytes else None


def seal(content: bytes | memoryview, record: Mapping[str, Any]) -> bytes:
    """Return the content of a netCDF file followed by its seal."""
    return b"".join((content, _seal_of(hashlib.sha256(content).hexdigest(), record)))


def seal_file(path: Path, record: Mapping[str, Any]) -> None:
    """Append its seal to a netCDF file."""
    with path.open("r+b") as file:
        file.truncate(
            netcdf_length(file.read(_HEAD))
        )  # without spare room at its end, which would not be found to be there
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.write(_seal_of(digest, record))


def _seal_of(digest: str, record: Mapping[str, Any]) -> bytes:
    """A record and the checksums of the content and of itself, which other readers ignore.

    The record is what the catalogue shows: a list of runs then needs no netCDF library, which is slow for models with many
    variables and may wait forever for a damaged file.
    """
    text = json.dumps({**record, _CONTENT: digest}).encode()
    return text + _end_of(text)


def read_seal(path: Path, *, whole: bool) -> dict[str, Any] | None:
    """Read the record at the end of a netCDF file, or None if it has none: an older file, or one of another program.

    `whole` also compares the content with its checksum. Raises ValueError if the file differs from what was written, and
    OSError if it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END))
        end = file.read()
        if not end.endswith(_MARK):
            file.seek(0)
            if (netcdf_length(file.read(_HEAD)) or size) < size:
                raise ValueError(_CHANGED)  # something was there after the content
            return None
        length = size - len(end) - int(end[64:80], 16)
        file.seek(length)
        text = file.read()[: -len(end)]
        if end != _end_of(text):
            raise ValueError(_CHANGED)
        record: dict[str, Any] = json.loads(text)
        if whole:
            digest = hashlib.sha256()
            file.seek(0)
            for left in range(length, 0, -_CHUNK):
                digest.update(file.read(min(left, _CHUNK)))
            if digest.hexdigest() != record[_CONTENT]:
                raise ValueError(_CHANGED)
    return record


def _end_of(text: bytes) -> bytes:
    return f"{hashlib.sha256(text).hexdigest()}{len(text):016x}".encode() + _MARK


def json_checksum(attributes: Mapping[str, Any], others: Any) -> str:
    """Return the checksum of attributes, without the one that holds it, and of something else with them."""
    return hashlib.sha256(json.dumps([unsealed(attributes), others], sort_keys=True).encode()).hexdigest()


def unsealed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes without the one that holds their checksum."""
    return {name: value for name, value in attributes.items() if name != CHECKSUM}
