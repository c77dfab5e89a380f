"""`sdmodel show`: one stored run whole."""

from __future__ import annotations

import math

import click
import xarray as xr

from ..dataset import TIME, find_variable, member_dims
from ..store import find_run, open_run
from .headlines import Line, headline_lines, headline_names, print_headlines
from .project import json_option, runs_folder, runs_option
from .tables import exact, note, number, print_json, print_table

_FIRST = (
    "model",
    "model_sha256",
    "scenario_name",
    "scenario",
    "changes",
    "integrator",
    "engine",
    "time_step",
    "saveper",
)
_HIDDEN = frozenset({"model_text", "headlines"})


@click.command("show", epilog="Example: sdmodel show base")
@click.argument("run", metavar="RUN")
@runs_option
@json_option
def command(run: str, folder: str | None, *, as_json: bool) -> None:
    """Show a stored run whole: where it comes from, its headlines, its constants, and what else at its start and end.

    RUN is the name of a stored run, or the path of its file.
    """
    path = find_run(run, runs_folder(folder))
    stored = open_run(path)
    members = math.prod(stored.sizes[dim] for dim in member_dims(stored))
    if members > 1:
        note(f"numbers are medians of {members} members")
    lines = headline_lines(stored, headline_names(stored), quiet=True)
    every = headline_lines(_ends(stored), [str(name) for name in stored.data_vars])
    record = _record(stored)
    if as_json:
        variables = [vars(line) for line in every]
        told = {"run": path.stem, "path": str(path), "attributes": record}
        print_json(told | {"headlines": [vars(line) for line in lines], "variables": variables})
        return
    print_table({"": "left", path.stem: "fold"}, ((name, _short(str(value))) for name, value in record.items()))
    units = str(stored[TIME].attrs.get("units", ""))
    print_headlines(lines, units)
    kinds = {line.name: _kind(stored, line) for line in every}
    constant = [line for line in every if kinds[line.name] == "constant"]
    moving = [line for line in every if kinds[line.name] != "constant"]
    if constant:
        rows = ([line.name, exact(line.values[0]), line.units] for line in constant)
        print_table({"constant": "fold", "value": "right", "units": "fold"}, rows)
    if moving:
        columns = {"variable": "fold", "kind": "left", "units": "fold", "start": "right", "end": "right"}
        print_table(columns, ([line.name, kinds[line.name], line.units, *_ends_of(line)] for line in moving))


def _record(run: xr.Dataset) -> dict[str, object]:
    """Where a run comes from, the most important first, without what is empty."""
    names = dict.fromkeys(name for name in (*_FIRST, *map(str, run.attrs)) if name not in _HIDDEN)
    return {name: run.attrs[name] for name in names if run.attrs.get(name, "") != ""}


def _ends(run: xr.Dataset) -> xr.Dataset:
    """The run at its first and last time."""
    return run.isel({TIME: sorted({0, run.sizes[TIME] - 1})})


def _kind(run: xr.Dataset, line: Line) -> str:
    """What a variable is; a name with a label is that of the variable before the bracket."""
    return str(find_variable(run, line.name).attrs.get("kind", ""))


def _ends_of(line: Line) -> list[str]:
    return [number(line.values[place], line.units) for place in (0, -1)]


def _short(text: str) -> str:
    """A value on one line where it is one, else line by line."""
    return "\n".join(line.rstrip() for line in text.splitlines())
