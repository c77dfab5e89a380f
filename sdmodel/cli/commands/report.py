"""`sdmodel report`: one page about stored runs that opens anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ...analysis import ANALYSIS
from ...comparison import Outcome
from ...dataset import DATE, TIME, find_variable, has_variable, lever_dims, long_name, member_dims
from ...errors import DatasetError, ReportError
from ...report import write_report
from ...store import find_run, open_run
from ..moments import at_option, outcomes_of
from ..project import force_option, on_option, runs_folder, runs_option
from ..tables import patience
from ..views.headlines import headline_names
from ..views.pictures import picture_of
from ..views.spread import note_unfinished
from ..views.swept_figures import sweep_figure


@click.command("report", epilog="Example: sdmodel report base power-first power-first-levers --at 2028 -o power.html")
@click.argument("runs", nargs=-1, required=True, metavar="RUN ...")
@on_option("A variable to tell of (default: the headlines of the first run)")
@at_option
@click.option("--title", metavar="TEXT", help="The title of the page (default: the names of the runs).")
@click.option("-o", "output", metavar="FILE.html", help="Where the page goes (default: beside the runs).")
@runs_option
@force_option
def command(
    runs: tuple[str, ...],
    names: tuple[str, ...],
    dates: tuple[str, ...],
    title: str | None,
    output: str | None,
    folder: str | None,
    *,
    force: bool,
) -> None:
    """Write one HTML page about stored runs, ensembles, sweeps and attributions; it needs no network and no other file.

    Headlines at dates and over time with what was observed, what differs between the runs, bands of ensembles, what each
    lever contributes, what the model lets its user change, and where every run comes from. The first run is what the others
    are held against. RUN is the name of a stored run, or the path of its file.
    """
    place = runs_folder(folder)
    paths = {path.stem: path for path in (find_run(run, place) for run in runs)}
    target = Path(output) if output else place / f"{'+'.join(paths)}.html"
    if os.path.lexists(target) and not force:
        message = f"{target}: exists already; name another with -o, or --force to replace it"
        raise ReportError(message)
    opened = {name: open_run(path) for name, path in paths.items()}
    for run in opened.values():
        note_unfinished(run)
    for name in names:
        _check_known(name, opened)
    first = next(iter(opened.values()))
    moments = [
        each.at
        for each in outcomes_of(dates, (), first[TIME].values, dated=DATE in first.coords)
        if each.at is not None
    ]
    with patience("writing the report"):
        single = {path: opened[name] for name, path in paths.items() if not member_dims(opened[name])}
        picture = picture_of(single, names=names) if single else None
        further = _sweeps(opened, names, moments)
        write_report(opened, target, on=names, at=moments, title=title, picture=picture, further=further, force=force)
    click.echo(f"written to {target} ({_size(target)})")


def _sweeps(runs: Mapping[str, xr.Dataset], names: Sequence[str], moments: Sequence[float]) -> dict[str, Figure]:
    """The figures of sweeps, by their headings: over two levers or more a map of the first date."""
    found = {}
    for called, run in runs.items():
        levers = lever_dims(run)
        if not levers or ANALYSIS in run.attrs:
            continue
        shown = [name for name in names or headline_names(run) if has_variable(run, name)]
        outcomes = [Outcome(at=moments[0] if moments else float(run[TIME].values[-1]))] if len(levers) > 1 else []
        told = " and ".join(long_name(run[each]) for each in levers)
        found[f"Sweep {called}: {told}"] = sweep_figure(run, shown, outcomes=outcomes)
    return found


def _check_known(name: str, runs: Mapping[str, xr.Dataset]) -> None:
    """Make sure that some run has a variable."""
    faults = []
    for called, run in runs.items():
        try:
            find_variable(run, name)
        except DatasetError as fault:
            faults.append(f"run '{called}': {fault}")
    if len(faults) == len(runs):
        raise DatasetError(faults[0])


def _size(path: Path) -> str:
    return f"{int(np.ceil(path.stat().st_size / 1024)):,} KiB"
