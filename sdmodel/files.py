"""Files and folders that appear complete or not at all, and files read with errors that say what to do."""

from __future__ import annotations

import codecs
import contextlib
import errno
import glob
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import Fault, FaultsError, Place, SdmodelError

LINE_END = re.compile(r"\r\n?|\n")
CONFLICT = "git left two versions here; keep one, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>"
"""What is wrong with a file that a merge with conflicts wrote."""

_PART = ".part"
_MARK = 7
"""Characters of a conflict mark of git."""
_STALE = 3600.0
"""Seconds after which a temporary file that nobody has written to is left over."""
_CONFLICT = re.compile(r"(?<![^\r\n])(<{7,}|>{7,})(?: [^\r\n]*)?(?![^\r\n])")
_MAKER = re.compile(rf"-(\d+)-[^-]*{re.escape(_PART)}$")


def write_file(path: Path, content: bytes | memoryview, *, force: bool, error: type[SdmodelError]) -> None:
    """Write a file that others see complete or, if anything fails, not at all; only `force` replaces an existing one.

    Raises `error` if the file exists and `force` is not given, or if it cannot be written.
    """
    try:
        if os.path.lexists(path) and not force:
            raise error(already_exists(path))
        descriptor, name = tempfile.mkstemp(prefix=_prepare(path), suffix=_PART, dir=path.parent)
    except (OSError, ValueError) as cause:
        raise error(_unwritable(path, cause)) from cause
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(OSError):
                Path(name).chmod(0o666 & ~_umask())
        _put_in_place(Path(name), path, force=force)
    except FileExistsError as cause:
        raise error(already_exists(path)) from cause
    except OSError as cause:
        raise error(_unwritable(path, cause)) from cause
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder next to `path`, to be filled and renamed to it; it is removed if it still exists at the end.

    It has the permissions of any other new folder.
    """
    made = Path(tempfile.mkdtemp(prefix=_prepare(path), suffix=_PART, dir=path.parent))
    try:
        made.chmod(0o777 & ~_umask())
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def already_exists(path: Path) -> str:
    """Return the message for a file that may not be replaced."""
    return f"{path}: exists already; choose another name or force it to be replaced"


def _prepare(path: Path) -> str:
    """Make the parent folder, remove what killed processes have left in it, and return the start of a temporary name.

    This is the final name and the process that makes the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for part in path.parent.glob(f".{glob.escape(path.name)}-*{_PART}"):
        with contextlib.suppress(OSError):  # another process may remove it too
            if _is_stale(part):
                shutil.rmtree(part) if part.is_dir() else part.unlink()
    return f".{path.name}-{os.getpid()}-"


def _is_stale(part: Path) -> bool:
    """Whether nobody writes a temporary file any more; only POSIX says reliably which processes exist."""
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
    """Give the finished file its name; unlike a replacement, a link fails if the name is taken meanwhile."""
    if force:
        made.replace(path)
        return
    try:
        os.link(made, path)
    except OSError as cause:
        if path.exists() or isinstance(cause, FileExistsError):
            raise FileExistsError from cause
        made.replace(path)  # a file system without links


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(path: Path, cause: OSError | ValueError) -> str:
    if isinstance(cause, ValueError) or cause.errno == errno.ENAMETOOLONG:
        reason = getattr(cause, "strerror", cause)
        return f"{str(path)!r:.80}: is not a valid file name ({reason}); choose a shorter or plainer one"
    return f"{path}: cannot be written ({cause.strerror or cause}); choose another folder or make room there"


def decode(content: bytes) -> tuple[str, str]:
    """Return a text and its encoding: UTF-16 by its byte order mark, which stays in the text, or UTF-8, else Latin-1."""
    for encoding in ({codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(content[:2]), "utf-8"):
        with contextlib.suppress(UnicodeDecodeError):
            if encoding:
                return content.decode(encoding), encoding
    return content.decode("latin-1"), "latin-1"  # older files of Vensim, whatever encoding they claim


def decode_text(content: bytes) -> str:
    """Decode the bytes of a model; `encode_text` makes the same bytes from the text."""
    return decode(content)[0]


def encode_text(text: str, sha256: str) -> bytes | None:
    """Return the bytes of a model that have that hash, or None if the text does not give them."""
    contents = (text.encode(encoding, "replace") for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"))
    return next((content for content in contents if hashlib.sha256(content).hexdigest() == sha256), None)


def conflicts_in(text: str) -> list[int]:
    """Return the offsets at which git marks the beginning of two versions of the same lines, or an end without one.

    Marks have 7 characters; longer ones, which git can be made to write, count only as pairs, since some are ornaments.
    """
    marks = [*_CONFLICT.finditer(text)] if "<<<<<<<" in text or ">>>>>>>" in text else []
    sizes = [{len(mark[1]) for mark in marks if mark[1][0] == sign} for sign in "<>"]
    found: list[int] = []
    is_open = False
    for mark in marks:
        begins = mark[1][0] == "<"
        if len(mark[1]) == _MARK or len(mark[1]) in sizes[0] & sizes[1]:
            found += [] if is_open and not begins else [mark.start()]
            is_open = begins
    return found


def is_plain_file(path: Path) -> bool:
    """Whether a file can be read there: not a folder, a pipe, or a name longer than names can be."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_bytes(path: str | os.PathLike[str], *, error: type[FaultsError], wanted: str = "a file") -> bytes:
    """Read the bytes of a file; `wanted` is what the error asks for if the path is a folder.

    Raises `error` if the file does not exist or cannot be read.
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
    """Read the text of a file in UTF-8, UTF-16 or Latin-1, without a byte order mark.

    Raises `error` if the file cannot be read, is not text, or has conflicts that git left.
    """
    text = decode_text(read_bytes(path, error=error, wanted=wanted)).removeprefix("\ufeff")
    name = os.fspath(path)
    if "\x00" in text:
        raise error([Fault(name, f"this is not text; name {wanted} that is, best in UTF-8")])
    if conflicts := conflicts_in(text):
        raise error([Fault(Place(name, 1 + len(LINE_END.findall(text, 0, at))), CONFLICT) for at in conflicts])
    return text
