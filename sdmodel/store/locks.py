"""One process at a time adds to a folder, and notices when another folder has taken its name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreError

Identity = tuple[int, int]
"""Device and number of a folder, which it keeps whatever its name is."""


def identity_of(path: Path) -> Identity | None:
    """Which folder has a name now, or none."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_dev, told.st_ino


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from adding to a folder meanwhile; the system forgets the lock of a process that ends."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        yield
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as cause:
        message = f"{path}: cannot be opened ({cause.strerror}); make it again or remove it"
        raise StoreError(message) from cause
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                message = f"{path}: another process adds members to it now; wait for it to end"
                raise StoreError(message) from cause
        held = os.fstat(descriptor)
        if identity_of(path) != (held.st_dev, held.st_ino):
            message = f"{path}: another process has just replaced it; try again"
            raise StoreError(message)
        yield
    finally:
        os.close(descriptor)
