"""`sdmodel diagram`: the views of a model's sketch as pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from ...errors import FigureError
from ...figures import Shades, choose_view, plot_diagram, save_figure
from ...model import Sketch, View, lay_out
from ...vensim import read_sketch
from ..project import (
    check_drawable,
    force_option,
    json_option,
    model_argument,
    model_path,
    model_read,
    runs_folder,
    runs_option,
)
from ..tables import note, patience, print_json, print_table

_COLUMNS = {"view": "fold", "variables": "right", "shown again": "right", "flows": "right", "influences": "right"}
_ODD = re.compile(r"[^\w .+()=,@-]+")
_LONGEST = 60


@click.command("diagram", epilog="Example: sdmodel diagram models/ai_compute.mdl --view Overview -o overview.svg")
@model_argument
@click.option("--view", "name", metavar="NAME", help="Which view to draw (default: the only one).")
@click.option("--all", "every", is_flag=True, help="Draw every view, as MODEL-VIEW.png in the folder that -o names.")
@click.option(
    "-o", "output", metavar="FILE", help="A .svg, .png or .pdf file, or a folder (default: MODEL-VIEW.png here)."
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="RUN",
    help="Colour variables by a stored run, or by the change from one to another.",
)
@click.option("--at", "date", metavar="DATE", help="With --run: a time of the model or a day (default: the end).")
@runs_option
@click.option("--list", "listed", is_flag=True, help="List the views and draw nothing.")
@json_option
@force_option
def command(
    model: str | None,
    name: str | None,
    output: str | None,
    runs: tuple[str, ...],
    date: str | None,
    folder: str | None,
    *,
    every: bool,
    listed: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Draw the stock-and-flow diagram of a view, as its author laid it out in Vensim.

    Stocks have boxes, flows are double lines with valves and clouds, arrows are influences with their polarity. Constants
    and tables are told apart by their letters; what is drawn elsewhere too is grey and in brackets. With a folder as -o and no --view, every view is drawn.
    A model without a sketch gets a layout: one view, or, if it has more than sixty variables, one for each group.

    With --run each variable has its value at a date below its name, on a colour that tells how high that is within its own
    range over time; with a second --run, its change in percent from the first run to the second.
    """
    if every and name is not None:
        message = "choose one of --view and --all"
        raise click.UsageError(message)
    if as_json and not listed:
        message = "--json goes with --list"
        raise click.UsageError(message)
    _check_runs(runs, date)
    path = model_path(model)
    with patience(f"reading {path.name}"):
        sketch = _with_views(read_sketch(path), path)
    if listed:
        _list_views(sketch, as_json=as_json)
        return
    views = _chosen(sketch, name, output, every=every)
    targets = _targets(Path(sketch.path).stem, views, output)
    check_drawable(targets, force=force)
    shades = _shades(sketch, runs, folder, date)
    for view, target in zip(views, targets, strict=True):
        with patience(f"drawing {view.name}"):
            save_figure(plot_diagram(sketch, view, shades=shades), target, force=force)
        click.echo(f"drawn in {target}")


def _with_views(sketch: Sketch, path: Path) -> Sketch:
    """The sketch, with views laid out anew if nothing is drawn in it."""
    if any(view.words for view in sketch.views):
        return sketch
    note(f"{path}: has no sketch; its diagram is laid out anew")
    return replace(sketch, views=lay_out(model_read(path)))


def _check_runs(runs: Sequence[str], date: str | None) -> None:
    """Make sure that it is clear what is to be shown."""
    if len(runs) > 2:  # noqa: PLR2004 - from one to another
        message = "--run is given once for values, twice for the change from the first to the second"
        raise click.UsageError(message)
    if date is not None and not runs:
        message = "--at goes with --run"
        raise click.UsageError(message)


def _shades(sketch: Sketch, runs: Sequence[str], folder: str | None, date: str | None) -> Shades | None:
    """What is shown of runs, if any are named."""
    if not runs:
        return None
    from ..views.shading import shades_of

    names = (word.text for view in sketch.views for word in view.words if word.kind == "variable")
    return shades_of(runs, runs_folder(folder), date, names)


def _chosen(sketch: Sketch, name: str | None, output: str | None, *, every: bool) -> list[View]:
    """The views to draw; of all, those in which something is drawn."""
    everything = every or (name is None and output is not None and _is_folder(output))
    if not everything or not sketch.views:
        return [choose_view(sketch, name)]
    drawn = [view for view in sketch.views if any(not word.hidden for word in view.words)]
    for view in sketch.views:
        if view not in drawn:
            note(f"{sketch.path}: view '{view.name}' is empty and left out")
    return drawn


def _is_folder(output: str) -> bool:
    """Whether a path is meant as a folder: there is one, or it has no ending."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir() or not Path(output).suffix


def _targets(stem: str, views: Sequence[View], output: str | None) -> list[Path]:
    """Where each view goes: into the file that is named, or as MODEL-VIEW.png into the folder."""
    if output is not None and not _is_folder(output):
        if len(views) > 1:
            message = f"{output}: is one file for {len(views)} views; name a folder"
            raise FigureError(message)
        return [Path(output)]
    folder, taken = Path(output or "."), set[str]()
    found = []
    for view in views:
        plain = f"{stem}-{_ODD.sub('-', view.name).strip(' .-')[:_LONGEST] or 'view'}"
        name, count = plain, 1
        while name.casefold() in taken:
            count += 1
            name = f"{plain}-{count}"
        taken.add(name.casefold())
        found.append(folder / f"{name}.png")
    return found


def _list_views(sketch: Sketch, *, as_json: bool) -> None:
    """Print what each view shows."""
    rows = [_counted(view) for view in sketch.views]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(_COLUMNS, [[str(row[column]) for column in _COLUMNS] for row in rows])
    else:
        note(f"{sketch.path}: has no sketch; open the model in Vensim, draw a view and save it")


def _counted(view: View) -> dict[str, str | int]:
    """How much of each kind a view shows, without what is hidden."""
    words = [word for word in view.words if not word.hidden]
    variables = [word for word in words if word.kind == "variable"]
    return {
        "view": view.name,
        "variables": sum(not word.shadow for word in variables),
        "shown again": sum(word.shadow for word in variables),
        "flows": sum(word.kind == "valve" for word in words),
        "influences": sum(not arrow.pipe and not arrow.hidden for arrow in view.arrows),
    }
