"""Where runs are: paths of this machine, and addresses such as `s3://bucket/a.zarr`, which fsspec reads and writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import StoreError
from ..extras import load_extra
from ..files import Location

if TYPE_CHECKING:
    from typing_extensions import TypeIs
    from upath import UPath

_LOCAL = frozenset({"", "file", "local"})


def checked_path(path: object) -> Location:
    """Return a user's path as a `Path`, or an address as an object that behaves like one.

    Raises StoreError if it is neither, or a package for this kind of address is not installed.
    """
    if not isinstance(path, str | os.PathLike) and not is_address(path):
        message = f"{path!r}: is not a path; give the name of a file or folder, or an address"
        raise StoreError(message)
    if "://" not in str(path):
        return Path(cast("str", path))
    upath = load_extra("upath", extra="remote", task=f"the address {path}", error=StoreError)
    try:
        found = upath.UPath(path)
        found.fs.invalidate_cache()  # others may have written there
    except (ImportError, OSError, ValueError) as cause:
        message = f"{path}: cannot be reached ({cause}); check the address, and install what it needs"
        raise StoreError(message) from cause
    return Path(found.path) if found.protocol in _LOCAL else found


def is_address(path: object) -> TypeIs[UPath]:
    """Whether a path that `checked_path` returned is on no file system of this machine."""
    return not isinstance(path, Path) and hasattr(path, "fs")


def exists(path: Location) -> bool:
    """Whether anything has a path, even a broken link."""
    return path.exists() if is_address(path) else os.path.lexists(path)


def read_bytes(path: Location) -> bytes:
    """Read a file; at an address in one request, since another process may replace the file between two."""
    return (
        cast("bytes", cast("Any", path).fs.cat_file(cast("Any", path).path)) if is_address(path) else path.read_bytes()
    )


def place_at_address(made: Path, path: Location, first_read: str, *, force: bool) -> None:
    """Copy a finished folder to an address; the file that is read first comes last, so that no reader sees a part.

    With `force`, what is there is removed before. Nothing keeps other processes from doing the same meanwhile.
    """
    fs: Any = cast("Any", path).fs
    target = cast("Any", path).path
    if force and path.exists():
        fs.rm(target, recursive=True)
    document = made / first_read
    content = document.read_bytes()
    document.unlink()
    files = sorted(file for file in made.rglob("*") if file.is_file())
    fs.put([str(file) for file in files], [f"{target}/{file.relative_to(made).as_posix()}" for file in files])
    (path / first_read).write_bytes(content)
