"""`sdmodel run --watch`: run again whenever a file is saved; while a file has faults, the last good run stays."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import click
import numpy as np
import xarray as xr

from ..dataset import long_name, member_dims, subscript_dims, with_labels
from ..errors import SdmodelError
from ..numerals import format_number
from ..store import save_new_run, save_run
from .output import Table, note, print_part
from .requests import NOT_FINITE, RunRequest, make_run
from .views.headlines import Line, headline_lines, headline_names, headline_tables

_POLL_SECONDS = 0.15
_SHOWN = 8
"""Changed constants, and changed headline variables, that are printed."""

_Signature = tuple[int, int, str] | None


class Interrupts:
    """Ctrl-C while files are watched: Python drops one that comes while an object is finalised, and the next pause notices it."""

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, *_: object) -> None:
        self._came = True
        raise KeyboardInterrupt

    def pause(self, seconds: float) -> None:
        """Sleep, unless Ctrl-C came."""
        if self._came:
            raise KeyboardInterrupt
        time.sleep(seconds)


def saved_files(
    files: Sequence[Path], *, pause: Callable[[float], None] = time.sleep, every: float = _POLL_SECONDS
) -> Iterator[tuple[Path, ...]]:
    """The files whose contents changed, each time that some did, without end.

    Many editors write a file in pieces, or put another in its place: a change counts once the files stay the same from one
    poll to the next. Touching a file is not a change.
    """
    known = {path: _signature(path, None) for path in files}
    seen = dict(known)
    while True:
        pause(every)
        now = {path: _signature(path, seen[path]) for path in files}
        settled, seen = now == seen, now
        changed = tuple(path for path in files if _digest(now[path]) != _digest(known[path]))
        if settled and changed:
            known = now
            yield changed


def _signature(path: Path, before: _Signature) -> _Signature:
    """Time of writing, length and hash of a file; the hash is computed only if time or length changed."""
    try:
        state = path.stat()
        if before is not None and (state.st_mtime_ns, state.st_size) == before[:2]:
            return before
        return state.st_mtime_ns, state.st_size, hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _digest(signature: _Signature) -> str:
    return "" if signature is None else signature[2]


@dataclass(eq=False)
class Watch:
    """A run that is kept up to date: `request` reads what to run, `path` is where it is stored after the first time.

    `plot` makes its figure; `run` and `lines` belong to the last good run.
    """

    request: Callable[[], RunRequest]
    folder: Path
    path: Path | None
    force: bool
    plot: Callable[[xr.Dataset, Path], Path] | None
    run: xr.Dataset | None = None
    lines: list[Line] = field(default_factory=list)


def watch(task: Watch, changes: Iterable[Sequence[Path]]) -> None:
    """Run now and again after each change; faults are printed with their places."""
    refresh(task)
    note("waiting for a file to be saved; Ctrl-C ends")
    for changed in changes:
        note(f"\n{time.strftime('%H:%M:%S')} saved: {', '.join(path.name for path in changed)}")
        refresh(task)


def refresh(task: Watch) -> bool:
    """Run, replace the stored run and print it; returns whether that succeeded."""
    start = time.perf_counter()
    try:
        request = task.request()
        run = make_run(request)
        if task.path:
            path = save_run(run, task.path, force=task.force or task.run is not None)
        else:
            path = save_new_run(run, task.folder, request.default_name)
        lines = headline_lines(run, headline_names(run))
    except SdmodelError as error:
        note(str(error))
        note(f"the last good run stays: {task.path}" if task.run is not None else "there is no run yet")
        return False
    parts = [*headline_tables(lines, run), *(_changes(task.run, run, task.lines, lines) if task.run else ())]
    for part in parts:
        print_part(part)
    if NOT_FINITE in run.attrs:
        note(f"run '{path.stem}': {run.attrs[NOT_FINITE]}")
    click.echo(f"stored as {path} after {time.perf_counter() - start:.2f} s")
    task.run, task.path, task.lines = run, path, lines
    _plot(task, run, path)
    return True


def _plot(task: Watch, run: xr.Dataset, path: Path) -> None:
    if task.plot is None:
        return
    start = time.perf_counter()
    try:
        figure = task.plot(run, path)
    except SdmodelError as error:
        note(str(error))
        return
    click.echo(f"plotted in {figure} after {time.perf_counter() - start:.1f} s")


def _changes(before: xr.Dataset, run: xr.Dataset, old: Sequence[Line], new: Sequence[Line]) -> Iterator[Table | str]:
    """The constants that changed, and the headline variables that changed most, relative to their size."""
    constants = [row for name in run.data_vars if (row := _constant_row(before, run, str(name)))]
    known = {line.name: line for line in old}
    shifts = ((line, *_largest_shift(known[line.name], line)) for line in new if line.name in known)
    moved = sorted((shift for shift in shifts if shift[1] > 0), key=lambda shift: -shift[1])
    if not constants and not moved:
        yield "no headline variable changed\n"
        return
    rows = [_row(line.name, line.units, f"{at:.10g}", then, now) for line, _, at, then, now in moved[:_SHOWN]]
    shown = [*constants[:_SHOWN], *rows]
    columns = {"changed": "fold", "units": "fold", "at": "right", "before": "right", "now": "right", "change": "right"}
    yield Table(columns, shown)
    rest = len(constants) + len(moved) - len(shown)
    if rest:
        note(f"and {rest} more")


def _constant_row(before: xr.Dataset, run: xr.Dataset, name: str) -> list[str] | None:
    """The row of a constant that changed; for an array, of its first label that did."""
    now, then = run[name], before.get(name)
    if now.attrs.get("kind") != "constant" or then is None or now.sizes != then.sizes or member_dims(now):
        return None
    places = np.argwhere(np.asarray(now.values != then.values))
    if not len(places):
        return None
    at = tuple(places[0])
    labels = [str(now.coords[dim].values[place]) for dim, place in zip(subscript_dims(now), at, strict=True)]
    return _row(
        with_labels(long_name(now), labels),
        str(now.attrs.get("units", "")),
        "",
        float(then.values[at]),
        float(now.values[at]),
    )


def _row(name: str, units: str, time: str, before: float, now: float) -> list[str]:
    return [name, units, time, format_number(before, units), format_number(now, units), _percent(before, now)]


def _largest_shift(before: Line, now: Line) -> tuple[float, float, float, float]:
    """The largest change of a variable relative to its largest value, with its time and both values."""
    known = dict(zip(before.times, before.values, strict=True))
    shared = [(time, known[time], value) for time, value in zip(now.times, now.values, strict=True) if time in known]
    size = max((max(abs(then), abs(value)) for _, then, value in shared), default=0.0)
    time, then, value = max(shared, key=lambda point: abs(point[2] - point[1]), default=(0.0, 0.0, 0.0))
    return (abs(value - then) / size if size and np.isfinite(value - then) else 0.0), time, then, value


def _percent(before: float, now: float) -> str:
    return f"{100 * (now / before - 1):+.3g} %" if before and np.isfinite(now / before) else ""
