"""`sdmodel show`: one stored run whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...analysis import ANALYSIS, ATTRIBUTION, attributed_names
from ...dataset import MEMBER, TIME, base_places, find_variable, long_name, member_dims
from ...numerals import exact, number
from ...store import find_run, is_ensemble, open_run
from ..project import json_option, runs_folder, runs_option
from ..tables import note, patience, print_json, print_table
from ..views.attribution import moment_of, print_attribution, told_attribution
from ..views.headlines import Line, headline_lines, headline_names, print_headlines
from ..views.spread import (
    bands_option,
    note_broken,
    note_unfinished,
    print_constants,
    print_shares,
    print_spreads,
    shares_of,
    spreads_of,
    where_option,
)
from ..views.swept import levers_told

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
_FEW = 4
"""So many variables of an attribution are told in full."""


@click.command("show", epilog="Example: sdmodel show base")
@click.argument("run", metavar="RUN")
@where_option
@bands_option
@runs_option
@json_option
def command(
    run: str, statements: tuple[str, ...], bands: tuple[float, ...], folder: str | None, *, as_json: bool
) -> None:
    """Show a stored run whole: where it comes from, its headlines, its constants, and what else at its start and end.

    Of an ensemble, the quantiles of its headlines, of what is drawn, and of what else at the end. RUN is the name of a
    stored run, or the path of its file.
    """
    path = find_run(run, runs_folder(folder))
    stored = open_run(path)
    if stored.attrs.get(ANALYSIS) == ATTRIBUTION:
        _show_attribution(path, stored, as_json=as_json)
    elif is_ensemble(path):
        _show_ensemble(path, stored, statements, bands, as_json=as_json)
    else:
        _show_run(path, stored, statements, as_json=as_json)


def _show_attribution(path: Path, stored: xr.Dataset, *, as_json: bool) -> None:
    """Where an attribution comes from, and what it found."""
    names, record = attributed_names(stored), _record(stored)
    moments = (moment_of(stored, names),)
    if as_json:
        print_json(
            {"run": path.stem, "path": str(path), "attributes": record} | told_attribution(stored, names, moments)
        )
        return
    print_table({"": "left", path.stem: "fold"}, ((name, _short(str(value))) for name, value in record.items()))
    print_attribution(stored, names, moments, brief=len(names) > _FEW)


def _show_ensemble(
    path: Path, stored: xr.Dataset, statements: Sequence[str], bands: Sequence[float], *, as_json: bool
) -> None:
    """Where an ensemble comes from, and what its members say together."""
    names = headline_names(stored)
    drawn = [long_name(each) for each in stored.data_vars.values() if TIME not in each.dims and MEMBER in each.dims]
    with patience("reading the members"):
        spreads, shares = spreads_of(stored, names, bands), shares_of(stored, statements)
        constants = spreads_of(stored, drawn, bands)
    note_unfinished(stored)
    note_broken(stored)
    record = _record(stored)
    if as_json:
        told = {
            "run": path.stem,
            "path": str(path),
            "attributes": record,
            "headlines": [vars(each) for each in spreads],
        }
        print_json(told | {"constants": [vars(each) for each in constants], "shares": [vars(each) for each in shares]})
        return
    print_table({"": "left", path.stem: "fold"}, ((name, _short(str(value))) for name, value in record.items()))
    print_spreads(spreads, bands, str(stored[TIME].attrs.get("units", "")))
    print_constants(constants, bands)
    print_shares(shares)


def _show_run(path: Path, stored: xr.Dataset, statements: Sequence[str], *, as_json: bool) -> None:
    """Where a run comes from and what it holds."""
    levers, stored = levers_told(stored), _at_base(path, stored)
    shares = shares_of(stored, statements)
    members = math.prod(stored.sizes[dim] for dim in member_dims(stored))
    if members > 1:
        note(f"numbers are medians of {members} members")
    lines = headline_lines(stored, headline_names(stored), quiet=True)
    every = headline_lines(_ends(stored), [str(name) for name in stored.data_vars])
    record = _record(stored)
    if as_json:
        variables = [vars(line) for line in every]
        told: dict[str, Any] = {"run": path.stem, "path": str(path), "attributes": record}
        told |= {"headlines": [vars(line) for line in lines], "variables": variables}
        told |= {"levers": levers} if levers else {}
        print_json(told | ({"shares": [vars(each) for each in shares]} if statements else {}))
        return
    print_table({"": "left", path.stem: "fold"}, ((name, _short(str(value))) for name, value in record.items()))
    units = str(stored[TIME].attrs.get("units", ""))
    print_headlines(lines, units)
    print_shares(shares)
    kinds = {line.name: _kind(stored, line) for line in every}
    constant = [line for line in every if kinds[line.name] == "constant"]
    moving = [line for line in every if kinds[line.name] != "constant"]
    if constant:
        rows = ([line.name, exact(line.values[0]), line.units] for line in constant)
        print_table({"constant": "fold", "value": "right", "units": "fold"}, rows)
    if moving:
        columns = {"variable": "fold", "kind": "left", "units": "fold", "start": "right", "end": "right"}
        print_table(columns, ([line.name, kinds[line.name], line.units, *_ends_of(line)] for line in moving))


def _at_base(path: Path, stored: xr.Dataset) -> xr.Dataset:
    """Of a sweep the run at the levers' own values, which is told; any other run as it is."""
    own = base_places(stored)
    if own:
        told = ", ".join(f"{long_name(stored[dim])} {exact(float(stored[dim][at]))}" for dim, at in own.items())
        note(f"numbers are those at the levers' own values, {told}; `sdmodel plot {path.stem}` draws the others")
    return stored.isel(own)


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
