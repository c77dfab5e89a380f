"""`sdmodel runs`: the stored runs."""

from __future__ import annotations

import math
from pathlib import Path

import click

from ...store import StoredRun, runs_in
from ..project import json_option, runs_folder, runs_option
from ..tables import note, print_json, print_table

_COLUMNS = {
    "run": "fold", "made": "left", "model": "fold", "hash": "left", "scenario": "fold", "changes": "fold",
    "by": "left", "members": "right",
}  # fmt: skip

_SPARE = ("made", "members", "model", "by", "hash")
"""What a narrow terminal leaves out, the least important first."""


@click.command("runs", epilog="Example: sdmodel runs --json")
@runs_option
@json_option
def command(folder: str | None, *, as_json: bool) -> None:
    """List the stored runs, oldest first: model and its hash, scenario, changes, integrator and engine.

    Ensembles are among them; of one that is not finished, how many members are stored. Files of the folder that are no runs,
    or are damaged, are named on stderr.
    """
    place = runs_folder(folder)
    catalogue = runs_in(place)
    for fault in catalogue.faults:
        note(str(fault))
    if as_json:
        print_json([_record(run) for run in catalogue.runs])
    elif catalogue.runs:
        print_table(_COLUMNS, map(_row, catalogue.runs), spare=_SPARE)
    else:
        note(f"{place} holds no runs yet; `sdmodel run` makes one")


def _record(run: StoredRun) -> dict[str, object]:
    return {"run": run.name, "path": str(run.path), "dims": dict(run.dims), **run.attributes}


def _row(run: StoredRun) -> list[str]:
    told = run.attributes
    scenario = told.get("scenario_name", "") or (told.get("scenario", "") and "(unnamed)")
    return [
        run.name,
        told["created"][:16].replace("T", " "),
        Path(told["model"]).name,
        told["model_sha256"][:8],
        scenario,
        "; ".join(told.get("changes", "").splitlines()),
        told["integrator"] if told["engine"] == "native" else f"{told['integrator']}, {told['engine']}",
        _members(run),
    ]


def _members(run: StoredRun) -> str:
    """How many members a run has, and of how many if it is an ensemble that is not finished; of an analysis, which it is."""
    if "analysis" in run.attributes:
        return run.attributes["analysis"]
    if not run.members:
        return ""
    count = math.prod(run.members.values())
    wanted = run.attributes.get("members_wanted", str(count))
    return str(count) if wanted == str(count) else f"{count} of {wanted}"
