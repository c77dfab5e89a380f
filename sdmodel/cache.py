"""What takes long to compute and is the same in every process, kept in the user's cache folder: machine code, the grammar's
table, and the options of all commands for completion.

An entry is found by a hash of everything that decides its content, and begins with a hash of its content: a damaged one is made
again. Machine code is run as it is read, so the folder must belong to the user and nobody else may look into it, else nothing
is read from it or written to it. Nothing in an entry is unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE

from .errors import SdmodelError, StoreError
from .files import write_file

SETTING = "SDMODEL_CACHE"
"""The environment variable that names the folder in which the cache is, or is `off`."""
OFF = "off"

_MOST_BYTES = 2**28
"""The size of all entries; when a new one exceeds it, those that were not used for longest are removed."""
_MOST_ENTRY = _MOST_BYTES // 4
_OTHERS = 0o077


def cached(kind: str, identity: str, make: Callable[[], bytes]) -> bytes:
    """Return an entry, or make and store it. `identity` is everything that decides its content."""
    found = find_cached(kind, identity)
    if found is None:
        found = make()
        store_cached(kind, identity, found)
    return found


def find_cached(kind: str, identity: str) -> bytes | None:
    """Return the content of an entry, or None if there is none that is complete."""
    path = _path(kind, identity)
    if path is None:
        return None
    try:
        content = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    digest, content = content[:32], content[32:]
    return content if hashlib.sha256(content).digest() == digest else None


def store_cached(kind: str, identity: str, content: bytes) -> None:
    """Store an entry, which other processes see complete or not at all; a cache that cannot be written stays as it is."""
    path = _path(kind, identity)
    if path is None or len(content) > _MOST_ENTRY:
        return
    with contextlib.suppress(OSError, SdmodelError):
        write_file(path, hashlib.sha256(content).digest() + content, force=True, error=StoreError)
        _remove_oldest(path.parent)


def _path(kind: str, identity: str) -> Path | None:
    """The file of an entry, in a folder to which only this user has access, which is made if necessary."""
    folder = _folder()
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, ValueError):
        return None
    if os.name == "posix" and (status.st_uid != os.geteuid() or S_IMODE(status.st_mode) & _OTHERS):
        return None
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return folder / f"{kind}-{digest}"


def _folder() -> Path | None:
    """The cache folder by the convention of the system, or in the folder that the user names; None if it is switched off."""
    given = os.environ.get(SETTING, "")
    if given.lower() == OFF:
        return None
    home = os.path.expanduser("~")  # noqa: PTH111 - unlike `Path.home`, no error without a home
    if given:
        base = given
    elif sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")  # noqa: PTH118 - as above
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else os.path.join(home, ".cache")  # noqa: PTH117, PTH118 - as above
    return Path(base, "sdmodel", "entries") if given or os.path.isabs(base) else None  # noqa: PTH117 - as above


def _remove_oldest(folder: Path) -> None:
    """Keep the size of all entries within its limit."""
    entries = []
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):  # another process has just removed it
            status = entry.stat()
            entries.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= _MOST_BYTES:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - a path as text
        total -= size
