"""Figures of single runs: the page beside their model or headline variables, with observations over the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from ...dataset import find_variable, has_variable, long_name
from ...errors import SdmodelError
from ...figures import Layout, Observed, Panel, find_layout, plot_runs, save_figure
from ...files import Location
from ...inference import Series, error_bars
from ...model import is_reference, join_name, split_reference
from ..observations import series_of_run, stored_model_file
from ..output import note
from .headlines import shared_headlines
from .panels import first_panels, layout_of


def plot_runs_to(runs: Mapping[Location, xr.Dataset], target: Path, *, force: bool = False, **options: Any) -> Path:
    """Plot runs, by their files, to a file, with the options of `figure_of`."""
    return save_figure(figure_of(runs, **options), target, force=force)


def figure_of(
    runs: Mapping[Location, xr.Dataset],
    *,
    names: Sequence[str] = (),
    title: str | None = None,
    logarithmic: bool = False,
    every: bool = False,
) -> Figure:
    """The figure of runs, by their files: named variables, else the first six panels of their page, or `every` one."""
    panels, style = _page_of(runs, names)
    shown = first_panels(panels, every=every or bool(names))
    opened = {path.stem: run for path, run in runs.items()}
    return plot_runs(opened, shown, title=title, logarithmic=logarithmic, **style)


def figures_of(runs: Mapping[Location, xr.Dataset], *, names: Sequence[str] = ()) -> list[Figure]:
    """A figure for each panel of runs, by their files."""
    panels, style = _page_of(runs, names)
    opened = {path.stem: run for path, run in runs.items()}
    return [plot_runs(opened, [panel], **style) for panel in panels]


def _page_of(runs: Mapping[Location, xr.Dataset], names: Sequence[str]) -> tuple[Sequence[str | Panel], dict[str, Any]]:
    """The panels of runs: named variables, else the page beside the first run's model, else headlines; and what they show."""
    opened = {path.stem: run for path, run in runs.items()}
    first_path, first = next(iter(runs.items()))
    page = _page(first, list(opened.values()), quiet=bool(names))
    panels: Sequence[str | Panel] = names or page.panels or shared_headlines(list(opened.values()))
    panels = [Panel("", {item: ""}, page.scale_of(item)) if isinstance(item, str) else item for item in panels]
    style = {"observed": _observed(first, first_path), "marks": page.marks, "extrapolation": page.extrapolation}
    return panels, style


def _page(first: xr.Dataset, runs: Sequence[xr.Dataset], *, quiet: bool) -> Layout:
    """The page beside the model of the first run, without lines that some run lacks; noted unless `quiet`."""
    page = layout_of(first)
    names = dict.fromkeys(name for panel in page.panels for name in panel.lines)
    lacking = {name for name in names if not all(has_variable(run, name) for run in runs)}
    if lacking and not quiet:
        path = find_layout(stored_model_file(first))
        note(f"{path}: left out, since not all runs have them: {', '.join(name for name in names if name in lacking)}")
    panels = (
        replace(panel, lines={name: label for name, label in panel.lines.items() if name not in lacking})
        for panel in page.panels
    )
    return replace(page, panels=tuple(panel for panel in panels if panel.lines))


def _observed(run: xr.Dataset, path: Location) -> list[Observed]:
    """Observations of a run's variables, from the files beside its model; none if these have faults."""
    try:
        series = series_of_run(run, path)
    except SdmodelError as error:
        note(f"observations are not plotted: {error}")
        return []
    return [points for one in series if (points := _points(one, run)) is not None]


def _points(series: Series, run: xr.Dataset) -> Observed | None:
    """The points of a series with their error bars, if it is about a single variable that the run has."""
    formula = series.model
    if not is_reference(formula):
        return None
    name, labels = split_reference(formula)
    full_name = join_name(name, labels)
    if not has_variable(run, full_name):
        return None
    variable = long_name(find_variable(run, full_name))
    return Observed(series.name, variable, series.times, series.values, *error_bars(series), series.sources)
