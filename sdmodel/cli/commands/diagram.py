"""`sdmodel diagram`: the views of a model's sketch as figures, coloured by stored runs if wanted."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from ...errors import DatasetError, FigureError
from ...model import Sketch, View, key, lay_out, numbered
from ...numerals import format_number
from ...reading import read_sketch
from ..locations import check_not_there, given_encoding, load_model, model_path, runs_folder
from ..options import OutcomeOptions, force_option, model_argument, runs_option
from ..output import Part, Result, Table, busy, note, output_options, progress_bar, wants_table
from ..requests import plain_name

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from ...comparison import Outcome
    from ...figures import Shading

_COLUMNS = {"view": "fold", "variables": "right", "shown again": "right", "flows": "right", "influences": "right"}
_LONGEST_NAME = 60
_SCALE_ENDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Ends of the colour scale for changes; changes beyond 100 % look like 100 %."""
_ROUNDING = 1e-6
"""A smaller change, as a share of the variable's size, may be a rounding error and counts as none."""


@click.command("diagram", epilog="Example: sdmodel diagram models/ai_compute.mdl --view Overview -o overview.svg")
@model_argument
@click.option("--view", "name", metavar="NAME", help="The view to draw (default: the only one; of several, a list).")
@click.option("--all", "every", is_flag=True, help="Draw every view, as MODEL-VIEW.png in the folder given by -o.")
@click.option(
    "-o", "output", metavar="FILE", help="A .svg, .png or .pdf file, or a folder (default: MODEL-VIEW.png here)."
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="RUN",
    help="Colour variables by a stored run; given twice, by the change from the first run to the second.",
)
@click.option("--at", "date", metavar="DATE", help="With --run: a time of the model or a day (default: the end).")
@runs_option
@click.option("--list", "listed", is_flag=True, help="List the views and draw nothing.")
@force_option
@output_options
def diagram(
    *,
    model: str | None,
    name: str | None,
    every: bool,
    output: str | None,
    runs: tuple[str, ...],
    date: str | None,
    folder: str | None,
    listed: bool,
    force: bool,
) -> Result:
    """Draw the stock-and-flow diagram of a view, as its author laid it out in Vensim.

    Stocks have boxes, flows are double lines with valves and clouds, and arrows are influences with their polarity.
    Constants and lookups have letters of their own; variables drawn elsewhere too are grey and in brackets. Without --view,
    the views of a model with several are listed; with a folder as -o, every view is drawn. A model without a sketch gets a
    layout: one view, or one per group if it has more than sixty variables.

    With --run, each variable shows its value at a date below its name, coloured by its place within its own range over
    time. With a second --run it shows its change in per cent from the first run to the second; changes of rounding size have
    no colour.
    """
    if every and name is not None:
        message = "choose one of --view and --all"
        raise click.UsageError(message)
    _check_runs(runs, date)
    path = model_path(model)
    with busy(f"reading {path.name}"):
        sketch = _with_views(read_sketch(path, encoding=given_encoding()), path)
    nothing_named = name is None and not every and output is None and len(sketch.views) > 1
    if listed or nothing_named:
        if nothing_named and not listed:
            note("draw a view with --view NAME, or every view with --all")
        return _view_list(sketch)
    if not wants_table():
        message = "--format prints the list of views; add --list"
        raise click.UsageError(message)
    views = _chosen_views(sketch, name, output, every=every)
    targets = _targets(Path(sketch.path).stem, views, output)
    check_not_there(targets, force=force)
    names = (word.text for view in sketch.views for word in view.words if word.kind == "variable")
    shades = _shades(runs, runs_folder(folder), date, names) if runs else None
    from ...figures import plot_diagram, save_figure

    with progress_bar(f"drawing {path.name}", "views") as progress:
        for place, (view, target) in enumerate(zip(views, targets, strict=True)):
            if progress:
                progress(place, len(views))
            if shades and not any(key(word.text) in shades.by_key for word in view.words if word.kind == "variable"):
                note(f"{path}: view '{view.name}' shows no variable of the runs, so it has no colours")
            save_figure(plot_diagram(sketch, view, shading=shades), target, force=force)
    return Result(lambda: [str(target) for target in targets], lambda: (), figures=targets)


def _with_views(sketch: Sketch, path: Path) -> Sketch:
    if any(view.words for view in sketch.views):
        return sketch
    note(f"{path}: has no sketch, so its diagram gets a new layout")
    return replace(sketch, views=lay_out(load_model(path, without_data=True)))


def _check_runs(runs: Sequence[str], date: str | None) -> None:
    if len(runs) > 2:  # noqa: PLR2004 - from one to another
        message = "--run is given once for values, twice for the change from the first run to the second"
        raise click.UsageError(message)
    if date is not None and not runs:
        message = "--at goes with --run"
        raise click.UsageError(message)


def _chosen_views(sketch: Sketch, name: str | None, output: str | None, *, every: bool) -> list[View]:
    """The views to draw; of all, those that are not empty."""
    from ...figures import find_view

    all_views = every or (name is None and output is not None and _is_folder(output))
    if not all_views or not sketch.views:
        return [find_view(sketch, name)]
    filled = [view for view in sketch.views if any(not word.hidden for word in view.words)]
    for view in sketch.views:
        if view not in filled:
            note(f"{sketch.path}: view '{view.name}' is empty and left out")
    return filled


def _is_folder(output: str) -> bool:
    """Whether a path means a folder: it is one, or has no ending."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir() or not Path(output).suffix


def _targets(stem: str, views: Sequence[View], output: str | None) -> list[Path]:
    """The file of each view: the one that is named, or MODEL-VIEW.png in the folder."""
    if output is not None and not _is_folder(output):
        if len(views) > 1:
            message = f"{output}: is one file for {len(views)} views; name a folder"
            raise FigureError(message)
        return [Path(output)]
    folder, taken = Path(output or "."), set[str]()
    found = []
    for view in views:
        plain = f"{stem}-{plain_name(view.name, longest=_LONGEST_NAME, default='view')}"
        name = next(own for own in numbered(plain) if own.casefold() not in taken)
        taken.add(name.casefold())
        found.append(folder / f"{name}.png")
    return found


def _view_list(sketch: Sketch) -> Result:
    rows = [_view_record(view) for view in sketch.views]

    def parts() -> Iterator[Part]:
        if rows:
            yield Table(_COLUMNS, [[str(row[column]) for column in _COLUMNS] for row in rows])
        else:
            note(f"{sketch.path}: has no sketch; open the model in Vensim, draw a view and save it")

    return Result(lambda: rows, parts)


def _view_record(view: View) -> dict[str, str | int]:
    words = [word for word in view.words if not word.hidden]
    variables = [word for word in words if word.kind == "variable"]
    return {
        "view": view.name,
        "variables": sum(not word.shadow for word in variables),
        "shown again": sum(word.shadow for word in variables),
        "flows": sum(word.kind == "valve" for word in words),
        "influences": sum(not arrow.pipe and not arrow.hidden for arrow in view.arrows),
    }


# Colours by stored runs


def _shades(names: Sequence[str], folder: Path, date: str | None, variables: Iterable[str]) -> Shading:
    """The colours and texts of a sketch's variables, for one run or for the change from one run to another."""
    from ...dataset import TIME, has_variable
    from ...store import find_run, open_run

    runs = {name: open_run(find_run(name, folder)) for name in names}
    for name, run in runs.items():
        _check_single(name, run)
    first = next(iter(runs.values()))
    when = date or f"{float(first[TIME].values[-1]):.10g}"
    at, *_ = [OutcomeOptions((when,)).outcomes(run)[0] for run in runs.values()]
    known = [name for name in dict.fromkeys(variables) if all(has_variable(run, name) for run in runs.values())]
    if not known:
        message = f"run '{names[0]}': has no variable that the sketch shows; choose a run of this model"
        raise DatasetError(message)
    if len(runs) == 1:
        return _value_shades(names[0], first, known, at, when)
    return _change_shades(names, list(runs.values()), known, at, when)


def _check_single(name: str, run: xr.Dataset) -> None:
    from ...dataset import member_dims

    if member_dims(run):
        cure = "choose a single run, or take one member with `sdmodel convert --member`"
        message = f"run '{name}': has several members; {cure}"
        raise DatasetError(message)


def _value_shades(name: str, run: xr.Dataset, variables: Sequence[str], at: Outcome, date: str) -> Shading:
    """Each variable's value, coloured by its place within its own range over time."""
    from ...comparison import position_of
    from ...dataset import find_variable
    from ...figures import ShadedValue, Shading

    shades = {}
    for variable_name in variables:
        variable = find_variable(run, variable_name)
        units = str(variable.attrs.get("units", ""))
        position = position_of(variable, at)
        place = min(1.0, max(0.0, position.place)) if math.isfinite(position.place) else None
        text = _range_text([format_number(value, units) for value in _ends(position.values)])
        shades[key(variable_name)] = ShadedValue(place, text)
    meaning = f"Run {name} at {date}: value, coloured by its place between the variable's smallest and largest value over time; grey: constant"
    return Shading("value", meaning, ("smallest", "largest"), MappingProxyType(shades))


def _change_shades(
    names: Sequence[str], runs: Sequence[xr.Dataset], variables: Sequence[str], at: Outcome, date: str
) -> Shading:
    """Each variable's change in per cent, for an array the median, on colours around zero."""
    import numpy as np

    from ...comparison import relative_changes
    from ...dataset import find_variable
    from ...figures import ShadedValue, Shading

    changes = {
        name: _without_rounding(relative_changes(find_variable(runs[0], name), find_variable(runs[1], name), at))
        for name in variables
    }
    medians = {name: float(np.median(np.nan_to_num(values, nan=0.0))) for name, values in changes.items()}
    widest = max(abs(value) for value in medians.values())
    end = next((end for end in _SCALE_ENDS if end >= widest), _SCALE_ENDS[-1])
    shades = {}
    for name, values in changes.items():
        place = 0.5 + 0.5 * float(np.clip(medians[name] / end, -1, 1)) if medians[name] else None
        shades[key(name)] = ShadedValue(place, _range_text([_percent(value) for value in _ends(values)]))
    if not widest:
        note(f"the runs do not differ at {date} in the variables of the sketch")
    beyond = ", cut off at the ends" if widest > end else ""
    meaning = f"Run {names[1]} against {names[0]} at {date}: change in % of its size; for arrays, the median{beyond}; no colour: no change"
    return Shading("change", meaning, (f"\u2212{100 * end:g} %", f"+{100 * end:g} %"), MappingProxyType(shades))


def _without_rounding(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Changes, those of rounding size as zero."""
    import numpy as np

    return np.where(np.abs(changes) < _ROUNDING, 0.0, changes)


def _ends(values: NDArray[np.float64]) -> list[float]:
    return [float(values.min()), float(values.max())] if values.size > 1 else [float(values[0])]


def _range_text(texts: Sequence[str]) -> str:
    """Both ends of a range, or one text if they are printed the same."""
    return " \u2013 ".join(dict.fromkeys(texts)).replace("-", "\u2212")


def _percent(share: float) -> str:
    if math.isnan(share):
        return "?"
    if math.isinf(share):
        return "from 0"
    return f"{100 * share:+.3g} %" if share else "0 %"
