"""`sdmodel rerun`: a stored run again, from nothing but its own record."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import xarray as xr

from ...analysis import ANALYSIS
from ...dataset import MEMBER, TIME, long_name, member_dims
from ...errors import StoreError
from ...files import encoded
from ...numerals import number
from ...store import find_run, is_ensemble, loaded, open_run
from ...vensim import read_scenario
from ..making import Engine, Order, integrator_of, make_ordered
from ..project import json_option, runs_folder, runs_option
from ..tables import print_json

_STRETCHES = 3
_ELSEWHERE = re.compile(r"=\s*(?:over |\()")


@dataclass(frozen=True)
class Gap:
    """The largest difference between two runs, against the largest value of that variable, and where it is."""

    name: str
    difference: float
    share: float
    time: float | None


@click.command("rerun", epilog="Example: sdmodel rerun base")
@click.argument("run", metavar="RUN")
@click.option("--members", type=click.IntRange(1), default=1000, show_default=True, help="Of an ensemble, so many.")
@runs_option
@json_option
@click.pass_context
def command(context: click.Context, run: str, members: int, folder: str | None, *, as_json: bool) -> None:
    """Make a stored run again from the model text, scenario, changes, integrator and engine in its own record.

    Of an ensemble some members are made again, from the start, the middle and the end. Nothing is stored. The exit code is 1 if a number differs; the largest difference is told. RUN is the name of a
    stored run, or the path of its file.
    """
    path = find_run(run, runs_folder(folder))
    stored = open_run(path)
    if ANALYSIS in stored.attrs:
        message = (
            f"run '{path.stem}': is an {stored.attrs[ANALYSIS]} and no run; the command that made it makes it again"
        )
        raise StoreError(message)
    many = is_ensemble(path)
    count = stored.sizes[MEMBER] if many else 0
    stored = loaded(_some(stored, members), str(path)) if many else stored
    gap = _largest_gap(stored, _again(path, stored, save=tuple(map(str, stored.data_vars)) if many else None))
    if as_json:
        told = {"members": min(count, members), "of": count} if many else {}
        print_json({"run": path.stem, "equal": gap is None, "largest": gap and vars(gap)} | told)
    elif gap is None:
        part = f" in {min(count, members):,} of {count:,} members" if many else ""
        click.echo(f"run '{path.stem}': all {len(stored.data_vars)} variables are equal{part}, to the last digit")
    else:
        when = "" if gap.time is None else f" at {gap.time:.10g}"
        share = f"{100 * gap.share:.2g} % of its largest value"
        click.echo(f"run '{path.stem}': '{gap.name}' differs most, by {number(gap.difference)}{when}, {share}")
        click.echo(f"it was made with {stored.attrs.get('versions', 'unknown versions')}", err=True)
    context.exit(0 if gap is None else 1)


def _some(stored: xr.Dataset, members: int) -> xr.Dataset:
    """So many members of an ensemble, from stretches at its start, in its middle and at its end.

    One alone comes twice, as it was made: code for a single run rounds otherwise.
    """
    count = stored.sizes[MEMBER]
    if members >= count:
        return stored.isel({MEMBER: [0, 0] if count == 1 else slice(None)})
    length = -(-members // _STRETCHES)
    starts = np.linspace(0, count - length, _STRETCHES).astype(int)
    chosen = np.unique(np.concatenate([np.arange(start, start + length) for start in starts]))[:members]
    return stored.isel({MEMBER: np.repeat(chosen, 2) if chosen.size == 1 else chosen})


def _again(path: Path, stored: xr.Dataset, *, save: tuple[str, ...] | None = None) -> xr.Dataset:
    """The run that the record of a stored run describes."""
    record = stored.attrs
    content = encoded(str(record.get("model_text", "")), str(record["model_sha256"]))
    if content is None:
        message = f"{path}: its record does not hold the text of its model; run {record['model']} again"
        raise StoreError(message)
    with tempfile.TemporaryDirectory() as folder:
        model, scenario = Path(folder, "model.mdl"), Path(folder, "scenario.cin")  # names in a record prove nothing
        try:
            model.write_bytes(content)
            scenario.write_text(str(record.get("scenario", "")), "utf-8", newline="")
        except OSError as cause:
            message = (
                f"{folder}: cannot be written ({cause.strerror}); make room there, or set TMPDIR to another folder"
            )
            raise StoreError(message) from cause
        order = Order(
            model,
            (read_scenario(scenario),),
            _typed(str(record.get("changes", ""))),
            integrator_of(stored),
            cast("Engine", str(record["engine"])),
            save,
        )
        return make_ordered(order, _varied(stored))


def _typed(changes: str) -> tuple[str, ...]:
    """The changes that are numbers; tables stand in the scenario, and what varies over members in the run itself."""
    return tuple(line for line in changes.splitlines() if not _ELSEWHERE.search(line))


def _varied(stored: xr.Dataset) -> dict[str, Any]:
    """The constants that differ between members, as the run keeps them."""
    variables = [stored[name] for name in stored.variables]
    return {long_name(each): each for each in variables if each.attrs.get("kind") == "constant" and member_dims(each)}


def _largest_gap(stored: xr.Dataset, again: xr.Dataset) -> Gap | None:
    """The variable that differs most for its size, or none if every number is the same."""
    gaps = [_gap(stored[name], again.get(str(name))) for name in stored.data_vars]
    return max((gap for gap in gaps if gap is not None), key=lambda gap: gap.share, default=None)


def _gap(stored: xr.DataArray, again: xr.DataArray | None) -> Gap | None:
    """How far a variable is from what it was; another shape, or a number where none was, is as far as can be."""
    name = long_name(stored)
    if again is not None and set(again.dims) < set(stored.dims):
        lacking = [stored.sizes[dim] for dim in stored.dims if dim not in again.dims]
        if stored.attrs.get("kind") == "constant" or set(lacking) == {1}:
            again = again.broadcast_like(stored)  # the members made again may all have the same number, or be one
    if again is None or dict(stored.sizes) != dict(again.sizes):
        return Gap(name, np.inf, np.inf, None)
    before, after = stored.values, again.transpose(*stored.dims).values
    if np.array_equal(before, after, equal_nan=True):
        return None
    with np.errstate(invalid="ignore"):
        differences = np.where((before == after) | (np.isnan(before) & np.isnan(after)), 0.0, np.abs(before - after))
    differences = np.nan_to_num(differences, nan=np.inf)
    place = np.unravel_index(int(differences.argmax()), differences.shape)
    largest = float(differences[place])
    size = float(np.nanmax(np.abs(np.where(np.isfinite(before), before, np.nan)), initial=0.0))
    time = float(stored[TIME].values[place[stored.dims.index(TIME)]]) if TIME in stored.dims else None
    return Gap(name, largest, largest / size if size else np.inf, time)
