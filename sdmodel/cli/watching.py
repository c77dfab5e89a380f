"""A run that is made again whenever one of its files is saved: what changed is told, a broken file keeps the last good run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import xarray as xr

from ..dataset import TIME, long_name, member_dims, subscript_dims
from ..errors import SdmodelError
from ..numerals import number
from ..store import save_new_run, save_run
from .making import NOT_FINITE, Order, default_name, make_ordered
from .tables import note, print_table
from .views.headlines import Line, headline_lines, headline_names, print_headlines

_EVERY = 0.15
"""Seconds between two looks at the files."""
_MOST_TOLD = 8

_Signature = tuple[int, int, str] | None


def saved_files(
    files: Sequence[Path], *, pause: Callable[[float], None] = time.sleep, every: float = _EVERY
) -> Iterator[tuple[Path, ...]]:
    """Which files have other contents than before, each time that some have, without an end.

    Many editors write a file in parts, or put another in its place: a change counts once the files stay as they are from one
    look to the next. Touching a file changes nothing.
    """
    known = {path: _signature(path, None) for path in files}
    seen = dict(known)
    while True:
        pause(every)
        now = {path: _signature(path, seen[path]) for path in files}
        calm, seen = now == seen, now
        changed = tuple(path for path in files if _content(now[path]) != _content(known[path]))
        if calm and changed:
            known = now
            yield changed


def _signature(path: Path, before: _Signature) -> _Signature:
    """When a file was written, how long it is and the hash of what it holds, which is taken anew only if need be."""
    try:
        state = path.stat()
        if before is not None and (state.st_mtime_ns, state.st_size) == before[:2]:
            return before
        return state.st_mtime_ns, state.st_size, hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _content(signature: _Signature) -> str:
    return "" if signature is None else signature[2]


@dataclass(eq=False)
class Watch:
    """A run that is kept up to date: `order` reads what is to be run, `path` is where it is stored once it is.

    `draw` makes its picture; `run` and `lines` are those of the last good run.
    """

    order: Callable[[], Order]
    folder: Path
    path: Path | None
    force: bool
    draw: Callable[[xr.Dataset, Path], Path] | None
    run: xr.Dataset | None = None
    lines: list[Line] = field(default_factory=list)


def watch(task: Watch, changes: Iterable[Sequence[Path]]) -> None:
    """Make the run now and again after each change; faults are told with their places."""
    renew(task)
    note("waiting for a file to be saved; Ctrl-C ends")
    for changed in changes:
        note(f"\n{time.strftime('%H:%M:%S')} saved: {', '.join(path.name for path in changed)}")
        renew(task)


def renew(task: Watch) -> bool:
    """Make the run, store it over the one before and tell it; whether that went well."""
    begun = time.perf_counter()
    try:
        order = task.order()
        run = make_ordered(order)
        stored = task.run is not None
        path = save_run(run, task.path, force=task.force or stored) if task.path else save_new_run(run, task.folder, default_name(order))  # fmt: skip
        lines = headline_lines(run, headline_names(run))
    except SdmodelError as fault:
        note(str(fault))
        note(f"the last good run stays: {task.path}" if task.run is not None else "there is no run yet")
        return False
    print_headlines(lines, str(run[TIME].attrs.get("units", "")))
    if task.run is not None:
        _tell_changes(task.run, run, task.lines, lines)
    if NOT_FINITE in run.attrs:
        note(f"run '{path.stem}': {run.attrs[NOT_FINITE]}")
    click.echo(f"stored as {path} after {time.perf_counter() - begun:.2f} s")
    task.run, task.path, task.lines = run, path, lines
    _draw(task, run, path)
    return True


def _draw(task: Watch, run: xr.Dataset, path: Path) -> None:
    """The picture, after all else, since it takes longest."""
    if task.draw is None:
        return
    begun = time.perf_counter()
    try:
        picture = task.draw(run, path)
    except SdmodelError as fault:
        note(str(fault))
        return
    click.echo(f"drawn in {picture} after {time.perf_counter() - begun:.1f} s")


def _tell_changes(before: xr.Dataset, run: xr.Dataset, old: Sequence[Line], new: Sequence[Line]) -> None:
    """The constants that are others, and the headlines that changed most for their size, each where it changed most."""
    constants = [row for name in run.data_vars if (row := _constant(before, run, str(name)))]
    known = {line.name: line for line in old}
    shifts = ((line, *_shift(known[line.name], line)) for line in new if line.name in known)
    moved = sorted((each for each in shifts if each[1] > 0), key=lambda each: -each[1])
    if not constants and not moved:
        click.echo("nothing changed in the headlines\n")
        return
    rows = (_row(line.name, line.units, f"{time:.10g}", then, now) for line, _, time, then, now in moved[:_MOST_TOLD])
    told = [*constants[:_MOST_TOLD], *rows]
    columns = {"changed": "fold", "units": "fold", "at": "right", "before": "right", "now": "right", "change": "right"}
    print_table(columns, told)
    rest = len(constants) + len(moved) - len(told)
    if rest:
        note(f"and {rest} more")


def _constant(before: xr.Dataset, run: xr.Dataset, name: str) -> list[str] | None:
    """A constant that is another than before, as a row; of an array, that of its first label that is."""
    now, then = run[name], before.get(name)
    if now.attrs.get("kind") != "constant" or then is None or now.sizes != then.sizes or member_dims(now):
        return None
    places = np.argwhere(np.asarray(now.values != then.values))
    if not len(places):
        return None
    at = tuple(places[0])
    labels = ",".join(str(now.coords[dim].values[place]) for dim, place in zip(subscript_dims(now), at, strict=True))
    spelt = f"{long_name(now)}[{labels}]" if labels else long_name(now)
    return _row(spelt, str(now.attrs.get("units", "")), "", float(then.values[at]), float(now.values[at]))


def _row(name: str, units: str, time: str, before: float, now: float) -> list[str]:
    return [name, units, time, number(before, units), number(now, units), _percent(before, now)]


def _shift(before: Line, now: Line) -> tuple[float, float, float, float]:
    """The largest change of a headline against its largest value, at which of the times that both have, and from what to what."""
    known = dict(zip(before.times, before.values, strict=True))
    shared = [(time, known[time], value) for time, value in zip(now.times, now.values, strict=True) if time in known]
    size = max((max(abs(then), abs(value)) for _, then, value in shared), default=0.0)
    time, then, value = max(shared, key=lambda each: abs(each[2] - each[1]), default=(0.0, 0.0, 0.0))
    return (abs(value - then) / size if size and np.isfinite(value - then) else 0.0), time, then, value


def _percent(before: float, now: float) -> str:
    """The change in percent of what was, where it was not zero."""
    return f"{100 * (now / before - 1):+.3g} %" if before and np.isfinite(now / before) else ""
