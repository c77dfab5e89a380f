"""`sdmodel plot`: stored runs over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import xarray as xr

from ...analysis import ANALYSIS, ATTRIBUTION, attributed_names
from ...dataset import DATE, MEMBER, TIME, lever_dims, member_dims
from ...errors import FigureError
from ...store import find_run, is_ensemble, open_run
from ..moments import at_option, outcomes_of, over_option
from ..project import check_drawable, force_option, on_option, runs_folder, runs_option
from ..tables import patience
from ..views.headlines import check_name, headline_names
from ..views.pictures import draw_runs, shared_headlines
from ..views.spread import bands_option, draw_bands, note_broken, note_unfinished
from ..views.swept_figures import draw_sweep


@click.command("plot", epilog="Example: sdmodel plot base power-first --on 'Ghost Compute Backlog' -o ghost.png")
@click.argument("runs", nargs=-1, required=True, metavar="RUN ...")
@on_option("A variable to draw (default: the panels, or else the headlines, of the first run that all have)")
@click.option("-o", "output", metavar="FILE", help="A .png, .svg or .pdf file (default: RUN.png beside the runs).")
@at_option
@over_option
@click.option("--title", metavar="TEXT", help="A title above the figure.")
@bands_option
@click.option(
    "--spaghetti", type=click.IntRange(0), default=0, metavar="N", help="Of an ensemble, so many members as lines."
)
@click.option("--log", "logarithmic", is_flag=True, help="Logarithmic axes where nothing is below zero.")
@runs_option
@force_option
def command(
    runs: tuple[str, ...],
    names: tuple[str, ...],
    output: str | None,
    dates: tuple[str, ...],
    statistics: tuple[str, ...],
    title: str | None,
    bands: tuple[float, ...],
    spaghetti: int,
    folder: str | None,
    *,
    logarithmic: bool,
    force: bool,
) -> None:
    """Draw stored runs over time, one panel a variable and one colour a run.

    The page beside the model (`ai_compute.figure.csv`) says which variables share a panel; else every headline has one.
    Observations beside the model are points over the lines. Of an ensemble the median and bands of the headlines are drawn,
    with single runs as lines over them; of a sweep, lines coloured by the value of its first lever, or with --at or --over a map
    of its first two; of an attribution, its wedges. RUN is the name of a stored run, or the path of its file.
    """
    place = runs_folder(folder)
    paths = [find_run(run, place) for run in runs]
    paths = list({path.stem: path for path in paths}.values())
    opened = {path.stem: open_run(path) for path in paths}
    target = Path(output) if output else place / f"{'+'.join(opened)}.png"
    check_drawable([target], force=force)
    for name in names:
        check_name(name, opened)
    only = opened[paths[0].stem]
    attributions = [name for name, run in opened.items() if run.attrs.get(ANALYSIS) == ATTRIBUTION]
    swept = len(opened) == 1 and not attributions and bool(lever_dims(only))
    outcomes = outcomes_of(dates, statistics, only[TIME].values, dated=DATE in only.coords)
    if outcomes and not (swept and len(lever_dims(only)) > 1):
        message = "--at and --over: draw maps of a sweep over two levers or more; leave them out, or name one such run"
        raise FigureError(message)
    if attributions:
        _draw_wedges(opened, attributions, names, target, title, force=force)
    elif swept:
        shown = names or headline_names(only)
        draw_sweep(only, shown, target, outcomes=outcomes, title=title, logarithmic=logarithmic, force=force)
    elif any(is_ensemble(path) for path in paths):
        _check_members(opened)
        with patience("reading the members"):
            draw_bands(
                opened,
                names or shared_headlines(list(opened.values())),
                target,
                bands=bands,
                spaghetti=spaghetti,
                logarithmic=logarithmic,
                title=title,
                force=force,
            )
    else:
        told = dict(zip(paths, opened.values(), strict=True))
        draw_runs(told, target, names=names, title=title, logarithmic=logarithmic, force=force)
    click.echo(f"drawn in {target}")


def _draw_wedges(
    runs: Mapping[str, xr.Dataset],
    attributions: Sequence[str],
    names: Sequence[str],
    target: Path,
    title: str | None,
    *,
    force: bool,
) -> None:
    """The wedges of an attribution."""
    if len(runs) > 1:
        message = f"run '{attributions[0]}': is an attribution, whose wedges fill a page; draw it alone"
        raise FigureError(message)
    from ..views.attribution import moment_of
    from ..views.attribution_figures import draw_attribution

    (found,) = runs.values()
    shown = list(names) or attributed_names(found)
    draw_attribution(found, shown, moment_of(found, shown), [target], title=title or attributions[0], force=force)


def _check_members(runs: Mapping[str, xr.Dataset]) -> None:
    """Make sure that beside an ensemble there are ensembles and single runs only, and tell what is not whole."""
    for name, run in runs.items():
        others = [dim for dim in member_dims(run) if dim != MEMBER]
        if others:
            message = f"run '{name}': differs along {', '.join(others)}, which bands cannot show; draw it alone"
            raise FigureError(message)
        note_unfinished(run)
        note_broken(run)
