"""A disk that fails, or a process that is killed, at a chosen call: every call of a command that changes a file has a number.

Calls are seen by an audit hook, which Python asks before it opens, renames, links or removes a file, whichever package does
it, and by files that count what is written to them. A command runs in a forked child, so that nothing has to be undone.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from click.testing import CliRunner

from sdmodel import dataset
from sdmodel.cli import main
from sdmodel.inference import results

KILLED = 137
ONCE, FULL, KILL = "once", "full", "kill"
"""What happens at the call: it fails, it and all later ones that need room fail, or the process ends."""
_NEED_ROOM = frozenset({"open", "mkdir", "link", "write", "flush", "fsync", "close"})
_PATHS = {
    "open": 1, "os.rename": 2, "os.link": 2, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.chmod": 1, "os.truncate": 1,
    "os.utime": 1, "os.symlink": 2,
}  # fmt: skip
"""The number of paths among the arguments of an audited event."""


@dataclass
class Injector:
    """Counts the calls in a folder, and lets the one of that number go wrong."""

    folder: str
    at: int | None
    how: str
    calls: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)
    inside: bool = False
    opened: str = ""

    def install(self) -> None:
        """From now on, for the rest of the process."""
        sys.addaudithook(self._audit)
        plain_open, plain_fsync = io.open, os.fsync

        def counted_open(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            opened = plain_open(file, mode, *rest, **named)
            writes = not isinstance(file, int) and set(mode) & set("wxa+")
            if writes:
                self.opened = str(file)
            return _File(opened, self, str(file)) if writes and self._is_ours(file) else opened

        def counted_fsync(descriptor: int) -> None:
            self.call("fsync", self.opened)
            plain_fsync(descriptor)

        io.open = counted_open  # what pathlib calls
        os.fsync = counted_fsync

    def _is_ours(self, path: Any) -> bool:
        return isinstance(path, (str, os.PathLike)) and str(Path.cwd() / path).startswith(self.folder)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _PATHS or self.inside:
            return
        if event == "open" and (arguments[2] is None or not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        paths = [path for path in arguments[: _PATHS[event]] if self._is_ours(path)]
        if paths:
            self.call(event.removeprefix("os."), os.fspath(paths[-1]))

    def call(self, name: str, path: str, partly: Callable[[], object] = lambda: None) -> None:
        """Count a call; `partly` does what a disk or process does of it before it fails."""
        with self.lock:
            number = len(self.calls)
            self.calls.append(f"{name} {path.removeprefix(self.folder)}")
            if (
                self.at is None
                or number < self.at
                or (number > self.at and (self.how != FULL or name not in _NEED_ROOM))
            ):
                return
            self.inside = True
            partly()
            self.inside = False
            if self.how == KILL:
                os._exit(KILLED)
        # the message of a failing device; the last argument makes it an error of a file
        raise OSError(errno.ENOSPC if name in _NEED_ROOM else errno.EACCES, "injected", path)


class _File:
    """A file open for writing whose calls are counted."""

    def __init__(self, file: Any, injector: Injector, path: str) -> None:
        self._file, self._injector, self._path = file, injector, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, content: Any) -> int:
        def half() -> None:
            self._file.write(content[: len(content) // 2])
            self._file.flush()

        self._injector.call("write", self._path, half)
        return self._file.write(content)

    def flush(self) -> None:
        self._injector.call("flush", self._path)
        self._file.flush()

    def close(self) -> None:
        if not self._file.closed:
            try:
                self._injector.call("close", self._path)
            finally:
                self._file.close()


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    stderr: str = ""
    calls: Sequence[str] = ()
    trace: str = ""


class _Clock(datetime):
    """A clock that has stopped, so that the same command gives the same bytes."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2026, 1, 1, tzinfo=tz)


def run_forked(words: Sequence[str], folder: Path, at: int | None = None, how: str = ONCE) -> Outcome:
    """Run a command in a folder, in a forked process in which call number `at` goes wrong."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            outcome = _run(words, folder, at, how)
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(outcome, pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return pickle.loads(content) if content else Outcome(status)  # noqa: S301 - what the child has written


def _run(words: Sequence[str], folder: Path, at: int | None, how: str) -> Outcome:
    dataset.datetime = results.datetime = _Clock
    os.chdir(folder)
    injector = Injector(f"{folder}{os.sep}", at, how)
    injector.install()
    result = CliRunner().invoke(main, list(words))
    injector.inside = True
    trace = ""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        trace = "".join(traceback.format_exception(result.exception))
    return Outcome(result.exit_code, result.stderr, injector.calls, trace)


@contextlib.contextmanager
def small_blocks() -> Iterator[None]:
    """Store ensembles in blocks of two members, one block at a time."""
    from sdmodel.ensemble import streaming
    from sdmodel.store import ensembles

    before = ensembles._MAX_BLOCK, streaming._SLAB_BYTES
    ensembles._MAX_BLOCK, streaming._SLAB_BYTES = 2, 1
    try:
        yield
    finally:
        ensembles._MAX_BLOCK, streaming._SLAB_BYTES = before
