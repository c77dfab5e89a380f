"""Files and folders that appear complete or not at all, also several together, and files read with errors that say what to do.

What is not complete yet has a hidden name, `.NAME-HOST-PROCESS-RANDOM`, with one of three endings: `.part` is a new file or
folder, `.old` a folder that is being replaced, `.undo` the old content of files that change together. What a killed process
leaves is removed, or undone, by the next command that looks into the folder.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, Union

from .errors import Complaint, Fault, FaultsError, Place, SdmodelError

if TYPE_CHECKING:
    import upath

Location = Union[Path, "upath.UPath"]
"""A path of this machine, or an address, which behaves like one."""
LINE_END = re.compile(r"\r{0,2}\n|\r")
"""The end of a line: also CR CR LF, which converting CR LF once more leaves behind."""
CONFLICT = "git left two versions here; keep one, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>"
"""What is wrong with a file that a merge with conflicts wrote."""

_MARK = 7
"""Characters of a conflict mark of git."""
_CONFLICT = re.compile(r"(?<![^\r\n])(<{7,}|>{7,})(?: [^\r\n]*)?(?![^\r\n])")
_PART, _OLD, _UNDO = ".part", ".old", ".undo"
_HOST = f"{zlib.crc32(os.uname().nodename.encode()):08x}" if os.name == "posix" else "0" * 8
_HIDDEN = re.compile(
    r"(?s)\.(?P<name>.+)-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}(?P<ending>\.(part|old|undo))"
)
_IN_USE: set[str] = set()
"""The hidden names that this process uses."""
_STALE = 3600.0
"""Seconds after which a hidden file that has not been written to is left over."""
_PATIENCE = 10.0
"""Seconds to wait for another process that changes files of the same folder."""
_WRITABLE = 0o222
_WINDOWS = os.name == "nt"
"""Whether a file that another program has open can be neither replaced nor renamed."""
_BUSY, _WAIT = 2.0, 0.05
"""Seconds for which such a file is tried again, since virus scanners and indexers open new files for a moment; and between tries."""
_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Folders of package managers; a change there is lost when the package is updated."""


def write_file(
    path: Path, content: bytes | memoryview | Callable[[Path], None], *, force: bool, error: Complaint
) -> None:
    """Write a file that others see complete or, if anything fails, not at all; only `force` replaces an existing one.

    `content` may be what writes the file under another name. A file that replaces another keeps its permissions. Raises `error` if the file exists and `force` is not given, or if it
    cannot be written.
    """
    try:
        if os.path.lexists(path) and not force:
            raise error(already_exists(path))
        with _hidden(path, _PART) as made:
            if callable(content):
                content(made)
            with made.open("ab" if callable(content) else "xb") as file:
                if path.is_file():
                    with contextlib.suppress(OSError):  # a file system without permissions
                        made.chmod(S_IMODE(path.stat().st_mode))
                if not callable(content):
                    file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if not _link(made, path, force=force):
                raise error(already_exists(path))
    except (OSError, ValueError) as cause:
        raise error(unwritable(path, cause)) from cause


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder next to `path`, to be filled and given to `place_folder`; what is left of it is removed."""
    with _hidden(path, _PART) as made:
        made.mkdir()
        yield made


def place_folder(
    made: Path, path: Path, *, force: bool, lock: contextlib.AbstractContextManager[None] | None = None
) -> None:
    """Give a finished folder its name; with `force`, what has it already is put aside, and removed once this is done.

    `lock` is held while the names change.
    """
    if not os.path.lexists(path):
        _rename(made, path)
        return
    if not force:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with lock or contextlib.nullcontext(), _in_use(path, _OLD) as aside:
        _rename(path, aside)
        try:
            _rename(made, path)
        except BaseException:
            _rename(aside, path)
            raise
    _remove(aside)


def replace_files(changes: Mapping[Path, tuple[bytes | None, bytes]], *, error: Complaint) -> None:
    """Replace the old content of files by new content, in all of them or in none; None stands for a file yet to be made.

    They are in the folder of the first or in folders inside it. If the process is killed, `recover` undoes what was done.
    Raises `error` if a file is inside an installed package, is read-only, no longer has its old content, or cannot be written.
    """
    files, first = dict(changes), next(iter(changes))
    for path in files:
        if is_installed(path):
            raise error(unwritable(path, PermissionError()))
    with contextlib.ExitStack() as stack:
        try:
            first.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_folder(first.parent, patience=_PATIENCE))
            for path, (old, new) in files.items():
                _check_replaceable(path, old, new, error)
            undo = stack.enter_context(_in_use(first, _UNDO))
        except (OSError, ValueError) as cause:
            raise error(unwritable(first, cause)) from cause
        files = {path: (old, new) for path, (old, new) in files.items() if old != new}
        if len(files) > 1:
            write_file(undo, _undo_record(first.parent, files), force=False, error=error)
        try:
            for path, (old, new) in files.items():
                write_file(path, new, force=old is not None, error=error)
            undo.unlink(missing_ok=True)  # from here on, nothing is undone
        except BaseException as cause:
            with contextlib.suppress(OSError, SdmodelError):  # else `recover` does it
                _restore({path: (old, _digest(new)) for path, (old, new) in files.items()}, error)
                undo.unlink(missing_ok=True)
            if isinstance(cause, OSError):
                raise error(unwritable(first, cause)) from cause
            raise


def _check_replaceable(path: Path, old: bytes | None, new: bytes, error: Complaint) -> None:
    now = path.read_bytes() if os.path.lexists(path) else None
    if now != old:
        message = f"{path}: the file has changed since it was opened; open it again and repeat the edits"
        raise error(message)
    if old not in (None, new) and not path.stat().st_mode & _WRITABLE:
        message = f"{path}: the file is read-only; allow writing, or name another file with -o"
        raise error(message)


def recover(folder: Path, *, error: Complaint) -> list[Path]:
    """Remove or undo what killed processes have left in a folder; return the files that have their old content again.

    Raises `error` if an interrupted change of several files cannot be undone.
    """
    restored: list[Path] = []
    for entry, found in _leftovers(folder):
        if found["ending"] != _UNDO:
            _clear(entry, found)
            continue
        with contextlib.suppress(FileNotFoundError):  # another process has just undone it
            try:
                with lock_folder(folder, patience=_PATIENCE):
                    old = _undo_content(entry)
                    for place in {path.parent for path in old}:
                        for leftover in _leftovers(place):
                            _clear(*leftover)
                    restored += _restore(old, error)
                    entry.unlink()
            except FileNotFoundError:
                raise
            except (OSError, ValueError, TypeError, AttributeError) as cause:
                reason = getattr(cause, "strerror", None) or cause
                cure = "make room, or restore the files by hand and remove this record"
                message = f"{entry}: a change that was interrupted cannot be undone ({reason}); {cure}"
                raise error(message) from cause
    return restored


def _undo_record(folder: Path, files: Mapping[Path, tuple[bytes | None, bytes]]) -> bytes:
    """The old content of files, and the hash of the new one, by their paths from the folder."""
    return json.dumps({
        os.path.relpath(path, folder): (None if old is None else base64.b64encode(old).decode(), _digest(new))
        for path, (old, new) in files.items()
    }).encode()  # fmt: skip


def _undo_content(path: Path) -> dict[Path, tuple[bytes | None, str]]:
    """What a record restores; it may come from elsewhere, so nothing outside its folder."""
    found = {}
    for name, (text, digest) in json.loads(path.read_bytes()).items():
        file = path.parent / name
        if not file.parent.resolve().is_relative_to(path.parent.resolve()):
            message = f"{name} is in another folder"
            raise ValueError(message)
        found[file] = (None if text is None else base64.b64decode(text, validate=True), digest)
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _restore(files: Mapping[Path, tuple[bytes | None, str]], error: Complaint) -> list[Path]:
    """Give files their old content where they have the new one, and return them; what the user has changed since stays."""
    restored = []
    for path, (old, new) in files.items():
        if os.path.lexists(path) and _digest(path.read_bytes()) == new:
            if old is None:
                path.unlink()
            else:
                write_file(path, old, force=True, error=error)
            restored.append(path)
    return restored


@contextlib.contextmanager
def lock_folder(folder: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Keep other processes from locking a folder; the system releases the lock of a process that ends.

    Raises BlockingIOError if another process holds the lock longer than `patience` seconds.
    """
    try:
        import fcntl
    except ImportError:  # a system without such locks
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BlockingIOError(errno.EAGAIN, "another process is changing files there") from None
                time.sleep(0.02)
                continue
            except OSError:  # a file system without locks
                pass
            break
        yield
    finally:
        os.close(descriptor)


def page_path(path: str | os.PathLike[str], *, force: bool, error: Complaint) -> Path:
    """Return the path of a web page to write; an error, before any work is done, for another ending or an existing file."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        message = f"{target}: is not a name for a page; let it end in .html"
        raise error(message)
    if os.path.lexists(target) and not force:
        message = f"{target}: exists already; name another with -o, or --force to replace it"
        raise error(message)
    return target


def is_installed(path: Location) -> bool:
    """Whether a path is inside an installed package, where no file may be changed."""
    try:
        place = path.parent.resolve()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
        return False
    return isinstance(place, Path) and (place.is_relative_to(_PACKAGE) or not _INSTALLED.isdisjoint(place.parts))


def already_exists(path: Path) -> str:
    """Return the message for a file that may not be replaced."""
    return f"{path}: exists already; choose another name or force it to be replaced"


def unwritable(path: Location, cause: Exception) -> str:
    """Return the message for a file or folder that cannot be written."""
    if is_installed(path):
        return f"{path}: is part of an installed package; `sdmodel new FOLDER` makes a copy of the model to work on"
    reason = getattr(cause, "strerror", None) or cause
    if isinstance(cause, ValueError) or getattr(cause, "errno", None) == errno.ENAMETOOLONG:
        return f"{str(path)!r:.80}: is not a valid file name ({reason}); choose a shorter or plainer one"
    if _WINDOWS and isinstance(cause, PermissionError):
        return f"{path}: cannot be written ({reason}); close it in other programs, or choose another folder"
    return f"{path}: cannot be written ({reason}); choose another folder or make room there"


@contextlib.contextmanager
def _hidden(path: Path, ending: str) -> Iterator[Path]:
    """A hidden name next to `path` for what is not complete yet, which is removed if it still exists at the end."""
    if is_installed(path):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in _leftovers(path.parent):
        _clear(*leftover)
    with _in_use(path, ending) as made:
        try:
            yield made
        finally:
            _remove(made)


@contextlib.contextmanager
def _in_use(path: Path, ending: str) -> Iterator[Path]:
    """A hidden name next to `path` that other threads and processes leave alone meanwhile."""
    hidden = path.with_name(f".{path.name}-{_HOST}-{os.getpid()}-{os.urandom(4).hex()}{ending}")
    _IN_USE.add(hidden.name)
    try:
        yield hidden
    finally:
        _IN_USE.discard(hidden.name)


def _leftovers(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    """The hidden files and folders that no process uses any more."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return
    for name in names:
        found = _HIDDEN.fullmatch(name) if name.startswith(".") else None
        if found and _is_stale(folder / name, found):
            yield folder / name, found


def _is_stale(path: Path, found: re.Match[str]) -> bool:
    """Whether no process uses a hidden file any more; only POSIX says reliably which processes exist, and only on this host."""
    if path.name in _IN_USE:
        return False
    process = int(found["process"])
    try:
        if os.name == "posix" and found["host"] == _HOST:
            if process == os.getpid():
                return True
            with contextlib.suppress(PermissionError, OverflowError):
                os.kill(process, 0)
        return time.time() - path.lstat().st_mtime > _STALE
    except ProcessLookupError:
        return True
    except OSError:  # its process has just finished with it
        return False


def _clear(path: Path, found: re.Match[str]) -> None:
    """Remove what is left over; a folder that was put aside gets its name back if nothing else has it.

    What `recover` undoes stays.
    """
    final = path.with_name(found["name"])
    if found["ending"] == _OLD and not os.path.lexists(final):
        with contextlib.suppress(OSError):  # another process does the same
            path.rename(final)
    elif found["ending"] != _UNDO:
        _remove(path)


def _remove(path: Path) -> None:
    """Remove a hidden file or folder; if this fails, a later command does it."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _link(made: Path, path: Path, *, force: bool) -> bool:
    """Give the finished file its name, and return whether it has it: not if the name was taken meanwhile."""
    if not force:
        try:
            os.link(made, path)  # unlike a replacement, this fails if the name is taken
        except OSError:
            if os.path.lexists(path):
                return False
        else:
            return True
    _rename(made, path)  # also on a file system without links
    return True


def _rename(old: Path, new: Path) -> None:
    """Give a file or folder its name; a file that has the name is replaced."""
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            old.replace(new)
        except PermissionError:
            if not _WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(_WAIT)
        else:
            return


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_ODD = re.compile(r"...|[\x80-\x9f\u0192\u02c6]")
_FEWEST_SIGNS, _ODD_SHARE = 6, 0.4
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_MULTIBYTE = ("cp932", "big5", "gbk")
"""Encodings in which a sign may have the byte of a mark of Vensim's language, such as `|`; the usual signs of GBK and Korean do not."""


_OWN: ContextVar[str] = ContextVar("own", default="cp1252")
"""The encoding of files that are not in Unicode: that of Windows for Western languages, unless a user says which."""


@contextlib.contextmanager
def reading_as(encoding: str | None) -> Iterator[None]:
    """Read files that are not in Unicode in an encoding, where there is one."""
    token = _OWN.set(encoding or _OWN.get())
    try:
        yield
    finally:
        _OWN.reset(token)


def decode(content: bytes) -> tuple[str, str]:
    """Return a text and its encoding: UTF-16 by its byte order mark, which stays in the text, or UTF-8, else that of `reading_as`."""
    marked = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(content[:2])
    for encoding in (marked, "utf-8", _OWN.get()):  # older files of Vensim, whatever encoding they claim
        with contextlib.suppress(UnicodeError):
            if encoding:
                text = content.decode(encoding)
                if encoding in {marked, "utf-8", "cp1252"} or text.encode(encoding) == content:
                    return text, encoding
    return content.decode("latin-1"), "latin-1"  # has every byte


def decode_text(content: bytes) -> str:
    """Decode the bytes of a model; `encode_text` makes the same bytes from the text."""
    return decode(content)[0]


_WIDER = {
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "ascii": "utf-8",
}
"""Encodings that have all characters of another one, which users often name in their place."""


def encoding_name(encoding: str, *, error: type[FaultsError], where: str = "encoding") -> str:
    """Return the usual name of an encoding of text. Raises `error` for a name of none."""
    from difflib import get_close_matches
    from encodings.aliases import aliases

    if name := _text_encoding(encoding):
        return name
    known = [*filter(_text_encoding, {*aliases.values()})]
    close = get_close_matches(str(encoding).lower(), known, 1)
    cure = f"did you mean '{close[0]}'?" if close else "name one such as gbk, big5, shift_jis, cp1251 or utf-8"
    raise error([Fault(where, f"{encoding!r:.40} is not an encoding of text; {cure}")])


def _text_encoding(name: str) -> str:
    """The usual name of an encoding of text, or an empty text."""
    try:
        return codecs.lookup(name).name if "a".encode(name) else ""
    except (AttributeError, LookupError, TypeError, ValueError):
        return ""


def decode_as(content: bytes, encoding: str, path: str, *, error: type[FaultsError]) -> tuple[str, str]:
    """Return the text of a file in an encoding, and the name of this; the text gives the same bytes again.

    Raises `error`, with line and byte, if the bytes are not text in it, or the text has other bytes in it.
    """
    name = encoding_name(encoding, error=error)
    what = "is not text in"
    try:
        text = content.decode(name)
        again = text.encode(name)
        if again == content:
            return text, name
        start = next((at for at, (old, new) in enumerate(zip(content, again, strict=False)) if old != new), len(again))
        what = "does not survive reading and writing in"
    except UnicodeDecodeError as cause:
        start = cause.start
    except UnicodeError:
        start = 0
    before = content[:start]
    lines = LINE_END.split(before.decode(name, "replace"))
    column = start - max(before.rfind(b"\n"), before.rfind(b"\r"))
    byte = f"byte {column} of the line" + (f", 0x{content[start]:02x}," if start < len(content) else "")
    cure = "name the encoding in which the file was saved, or convert it to UTF-8"
    with contextlib.suppress(KeyError, UnicodeError):
        wider = _WIDER[name]
        cure = f"it is in {wider}; name that" if content.decode(wider).encode(wider) == content else cure
    raise error([Fault(Place(path, len(lines), len(lines[-1]) + 1), f"{byte} {what} {name}; {cure}")])


def encode_text(text: str, sha256: str, encoding: str = "") -> bytes | None:
    """Return the bytes of a model that have that hash, or None if the text does not give them; `encoding` is its own, if named."""
    usual = ("utf-8", "cp1252", "latin-1", "utf-16-le", "utf-16-be")
    for name in (encoding, *usual) if encoding else usual:
        with contextlib.suppress(LookupError, UnicodeError):  # the name in a record may be wrong
            content = text.encode(name, "replace")
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
    return None


def misread_word(content: bytes) -> str:
    """Return the first word of a model that is decoded as Windows' text but looks like that of another encoding, else nothing.

    In Western languages at most two letters with accents stand side by side; text in GBK, Shift-JIS or a Cyrillic encoding, read
    as if it were Western, has more of them in a row, or signs that do not occur in words.
    """
    text, encoding = decode(content)
    words = _BEYOND_ASCII.findall(text) if encoding in {"cp1252", "latin-1"} else []
    odd = list(filter(_ODD.search, words))
    return odd[0] if len("".join(odd)) >= max(_FEWEST_SIGNS, _ODD_SHARE * len("".join(words))) else ""


def multibyte_encodings(content: bytes) -> Iterator[str]:
    """Yield the encodings of Eastern Asia that may be that of a file whose text is misread as Western, the likeliest first."""
    if not misread_word(content):
        return
    for name in _MULTIBYTE:
        with contextlib.suppress(UnicodeError):
            signs = "".join(_BEYOND_ASCII.findall(content.decode(name)))
            if len(_HALF_WIDTH.findall(signs)) < _ODD_SHARE * len(signs):
                yield name


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


def is_plain_file(path: Location) -> bool:
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
    return text_of(read_bytes(path, error=error, wanted=wanted), path, error=error, wanted=wanted)


ZIP_MARK, OLE_MARK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
"""What .xlsx files and other packages begin with, and what .xls files and others of that time do."""


def text_of(content: bytes, path: str | os.PathLike[str], *, error: type[FaultsError], wanted: str = "a file") -> str:
    """Return the text of a file that was read, as `read_text` does; it raises `error` for the same faults."""
    text = decode_text(content).removeprefix("\ufeff")
    name = os.fspath(path)
    if "\x00" in text:
        is_packed = content.startswith((ZIP_MARK, OLE_MARK))
        what = (
            "this is a workbook or another package, not text; save what it has as text, such as .csv"
            if is_packed
            else ""
        )
        raise error([Fault(name, what or f"this is not text; name {wanted} that is, best in UTF-8")])
    if conflicts := conflicts_in(text):
        raise error([Fault(Place(name, 1 + len(LINE_END.findall(text, 0, at))), CONFLICT) for at in conflicts])
    return text
