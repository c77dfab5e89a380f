"""Figures of single runs: the page beside their model or headline variables, with observations over the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from ...dataset import find_variable, has_variable, long_name
from ...errors import SdmodelError
from ...figures import Layout, Observed, Panel, find_layout, plot_runs, read_layout, save_figure
from ...inference import Series, error_bars
from ...model import join_name, references_in, split_reference
from ..observations import series_of_run, stored_model_file
from ..output import note
from .headlines import shared_headlines


def plot_runs_to(
    runs: Mapping[Path, xr.Dataset],
    target: Path,
    *,
    names: Sequence[str] = (),
    title: str | None = None,
    logarithmic: bool = False,
    force: bool = False,
) -> Path:
    """Plot runs, by their files, to a file."""
    return save_figure(figure_of(runs, names=names, title=title, logarithmic=logarithmic), target, force=force)


def figure_of(
    runs: Mapping[Path, xr.Dataset], *, names: Sequence[str] = (), title: str | None = None, logarithmic: bool = False
) -> Figure:
    """The figure of runs, by their files: of named variables, else the page beside the first run's model, else headlines."""
    opened = {path.stem: run for path, run in runs.items()}
    first_path, first = next(iter(runs.items()))
    page = _page(first, list(opened.values()), quiet=bool(names))
    panels: Sequence[str | Panel] = names or page.panels or shared_headlines(list(opened.values()))
    observed = _observed(first, first_path)
    return plot_runs(opened, panels, title=title, observed=observed, marks=page.marks, logarithmic=logarithmic)


def _page(first: xr.Dataset, runs: Sequence[xr.Dataset], *, quiet: bool) -> Layout:
    """The page beside the model of the first run, without lines that some run lacks; noted unless `quiet`."""
    path = find_layout(stored_model_file(first))
    if path is None:
        return Layout(())
    page = read_layout(path)
    names = dict.fromkeys(name for panel in page.panels for name in panel.lines)
    lacking = {name for name in names if not all(has_variable(run, name) for run in runs)}
    if lacking and not quiet:
        note(f"{path}: left out, since not all runs have them: {', '.join(name for name in names if name in lacking)}")
    panels = (
        replace(panel, lines={name: label for name, label in panel.lines.items() if name not in lacking})
        for panel in page.panels
    )
    return replace(page, panels=tuple(panel for panel in panels if panel.lines))


def _observed(run: xr.Dataset, path: Path) -> list[Observed]:
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
    if not (formula.is_Symbol or formula.is_Indexed):
        return None
    name, labels = split_reference(next(iter(references_in(formula))))
    full_name = join_name(name, labels)
    if not has_variable(run, full_name):
        return None
    variable = long_name(find_variable(run, full_name))
    return Observed(series.name, variable, series.times, series.values, *error_bars(series), series.sources)
