"""`sdmodel plot`: stored runs over time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import xarray as xr

from ..dataset import find_variable, long_name
from ..errors import DatasetError, FigureError
from ..figures import plot_runs, save_figure
from ..model import key
from ..store import find_run, open_run
from .headlines import has_variable, headline_names
from .project import force_option, on_option, runs_folder, runs_option

_NEAR = 5


@click.command("plot", epilog="Example: sdmodel plot base power-first --on 'Ghost Compute Backlog' -o ghost.png")
@click.argument("runs", nargs=-1, required=True, metavar="RUN ...")
@on_option("A variable to draw (default: the headlines of the first run that all have)")
@click.option("-o", "output", metavar="FILE", help="A .png, .svg or .pdf file (default: RUN.png beside the runs).")
@click.option("--title", metavar="TEXT", help="A title above the figure.")
@runs_option
@force_option
def command(
    runs: tuple[str, ...],
    names: tuple[str, ...],
    output: str | None,
    title: str | None,
    folder: str | None,
    *,
    force: bool,
) -> None:
    """Draw stored runs over time, one panel a variable and one colour a run.

    RUN is the name of a stored run, or the path of its file.
    """
    place = runs_folder(folder)
    paths = [find_run(run, place) for run in runs]
    opened = {path.stem: open_run(path) for path in paths}
    target = Path(output) if output else place / f"{'+'.join(opened)}.png"
    if os.path.lexists(target) and not force:
        message = f"{target}: exists already; name another with -o, or --force to replace it"
        raise FigureError(message)
    for name in names:
        _check_name(name, opened)
    figure = plot_runs(opened, names or _shared(list(opened.values())), title=title)
    click.echo(f"drawn in {save_figure(figure, target, force=force)}")


def _check_name(name: str, runs: Mapping[str, xr.Dataset]) -> None:
    """Make sure that the runs have a variable; a word of a longer name leads to it.

    Raises
    ------
    DatasetError
        If one has none; it tells the names that are near.
    """
    for called, run in runs.items():
        try:
            find_variable(run, name)
        except DatasetError as fault:
            longer = [long_name(each) for each in run.data_vars.values() if key(name) in key(long_name(each))]
            if "did you mean" in str(fault) or not longer:
                message = f"run '{called}': {fault}"
            else:
                told = ", ".join(f"'{each}'" for each in longer[:_NEAR]) + (" or others" if len(longer) > _NEAR else "")
                message = f"run '{called}': '{name}' is not in the run; did you mean {told}?"
            raise DatasetError(message) from fault


def _shared(runs: Sequence[xr.Dataset]) -> list[str]:
    """The headlines of the first run that all the others have.

    Raises
    ------
    DatasetError
        If there are none.
    """
    names = [name for name in headline_names(runs[0]) if all(has_variable(run, name) for run in runs)]
    if not names:
        message = "the runs share no headline; choose with --on"
        raise DatasetError(message)
    return names
