"""`sdmodel plot`: stored runs over time."""

from __future__ import annotations

from pathlib import Path

import click

from ..figures import plot_runs, save_figure
from ..store import find_run, open_run
from .headlines import headline_names
from .project import force_option, on_option, runs_folder, runs_option


@click.command("plot", epilog="Example: sdmodel plot base power-first --on 'Ghost Compute Backlog' -o ghost.png")
@click.argument("runs", nargs=-1, required=True, metavar="RUN ...")
@on_option("A variable to draw (default: the headlines of the first run)")
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
    figure = plot_runs(opened, names or headline_names(next(iter(opened.values()))), title=title)
    target = Path(output) if output else place / f"{'+'.join(opened)}.png"
    click.echo(f"drawn in {save_figure(figure, target, force=force)}")
