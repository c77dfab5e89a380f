"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from .errors import Fault, FaultsError, SdmodelError

_PART = ".part"
_STALE = 3600.0
"""So many seconds after its last byte no process still writes a file."""
_MAKER = re.compile(rf"-(\d+)-[^-]*{re.escape(_PART)}$")


def write_file(path: Path, content: bytes | memoryview, *, force: bool, error: type[SdmodelError]) -> None:
    """Write a file that others see complete or, if anything breaks off, not at all; only `force` replaces another.

    Raises
    ------
    SdmodelError
        Of the class `error`, if the file exists and `force` is not given, or if it cannot be written.
    """
    try:
        if os.path.lexists(path) and not force:
            raise error(_exists(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-{os.getpid()}-", suffix=_PART, dir=path.parent)
    except (OSError, ValueError) as cause:
        raise error(_unwritable(path, cause)) from cause
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            _open_to_readers(name)
        _put_in_place(Path(name), path, force=force)
    except FileExistsError as cause:
        raise error(_exists(path)) from cause
    except OSError as cause:
        raise error(_unwritable(path, cause)) from cause
    finally:
        Path(name).unlink(missing_ok=True)


def remove_stale(path: Path) -> None:
    """Remove what processes that were killed have left of this file or folder."""
    for each in path.parent.glob(f".{glob.escape(path.name)}-*{_PART}"):
        with contextlib.suppress(OSError):  # another process may remove it too
            if _is_left(each):
                shutil.rmtree(each) if each.is_dir() else each.unlink()


def _is_left(part: Path) -> bool:
    """Whether nobody writes a temporary file any more; which processes there are is told safely by POSIX alone."""
    maker = _MAKER.search(part.name)
    if maker and os.name == "posix":
        try:
            os.kill(int(maker[1]), 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            pass
    return time.time() - part.stat().st_mtime > _STALE


def _put_in_place(made: Path, path: Path, *, force: bool) -> None:
    """Give the finished file its name; a link fails where a name is taken, which a replacement would not notice."""
    if force:
        made.replace(path)
        return
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError from None
        made.replace(path)


def _open_to_readers(name: str) -> None:
    """Give a temporary file, private at first, the rights of any other new file."""
    mask = os.umask(0)
    os.umask(mask)
    with contextlib.suppress(OSError):
        Path(name).chmod(0o666 & ~mask)


def _exists(path: Path) -> str:
    return f"{path}: exists already; choose another name or force it to be replaced"


def _unwritable(path: Path, cause: OSError | ValueError) -> str:
    if isinstance(cause, ValueError) or cause.errno == errno.ENAMETOOLONG:
        return f"{str(path)!r:.80}: is no name for a file ({getattr(cause, 'strerror', cause)}); choose a shorter or plainer one"
    return f"{path}: cannot be written ({cause.strerror or cause}); choose another folder or make room there"


def decoded(content: bytes) -> str:
    """Bytes of a model as text from which `encoded` makes the same bytes again."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def encoded(text: str, sha256: str) -> bytes | None:
    """The bytes of a model that have that hash, or none if the text does not give them."""
    contents = (text.encode("utf-8"), text.encode("latin-1", errors="replace"))
    return next((each for each in contents if hashlib.sha256(each).hexdigest() == sha256), None)


def is_plain_file(path: Path) -> bool:
    """Whether there is a file to read: a folder is none, nor a pipe, nor a name longer than names can be."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_bytes(path: str | os.PathLike[str], *, error: type[FaultsError], wanted: str = "a file") -> bytes:
    """The bytes of a file; `wanted` is what to name where a folder is named.

    Raises
    ------
    FaultsError
        Of the class `error`, if there is no such file or it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        what = "there is no such file; check the path"
    except IsADirectoryError:
        what = f"this is a directory; name {wanted} in it"
    except (OSError, ValueError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        what = f"the file cannot be read ({reason}); check the path and its permissions"
    raise error([Fault(os.fspath(path), what)])


def read_text(path: str | os.PathLike[str], *, error: type[FaultsError], wanted: str = "a file") -> str:
    """The text of a file, in whichever encoding it keeps to, without a byte order mark.

    Raises
    ------
    FaultsError
        Of the class `error`, if it cannot be read, or is no text.
    """
    content = read_bytes(path, error=error, wanted=wanted)
    if b"\x00" in content:
        raise error([Fault(os.fspath(path), f"this is not text; name {wanted} that is")])
    return decoded(content).removeprefix("\ufeff")
