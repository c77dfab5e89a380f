"""What commands draw of single runs: the page beside their model or its headlines, with what was observed over the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ...dataset import find_variable, has_variable, long_name
from ...errors import DatasetError, SdmodelError
from ...figures import Observed, Page, Panel, page_beside, plot_runs, read_page, save_figure
from ...inference import Series
from ...model import references, referred
from ..observed import series_of_run, stored_model_file
from ..tables import note
from .headlines import headline_names


def draw_runs(
    runs: Mapping[Path, xr.Dataset],
    target: Path,
    *,
    names: Sequence[str] = (),
    title: str | None = None,
    logarithmic: bool = False,
    force: bool = False,
) -> Path:
    """Draw runs, by their files, to a file."""
    return save_figure(picture_of(runs, names=names, title=title, logarithmic=logarithmic), target, force=force)


def picture_of(
    runs: Mapping[Path, xr.Dataset],
    *,
    names: Sequence[str] = (),
    title: str | None = None,
    logarithmic: bool = False,
) -> Figure:
    """The figure of runs, by their files: variables of those names, else the page beside the first run's model, else headlines."""
    opened = {path.stem: run for path, run in runs.items()}
    first_path, first = next(iter(runs.items()))
    page = _page(first, list(opened.values()), quiet=bool(names))
    panels: Sequence[str | Panel] = names or page.panels or shared_headlines(list(opened.values()))
    observed = _observed(first, first_path)
    return plot_runs(opened, panels, title=title, observed=observed, marks=page.marks, logarithmic=logarithmic)


def shared_headlines(runs: Sequence[xr.Dataset]) -> list[str]:
    """The headlines of the first run that all the others have."""
    names = [name for name in headline_names(runs[0]) if all(has_variable(run, name) for run in runs)]
    if not names:
        message = "the runs share no headline; choose with --on"
        raise DatasetError(message)
    return names


def _page(first: xr.Dataset, runs: Sequence[xr.Dataset], *, quiet: bool) -> Page:
    """The page beside the model of the first run, as far as all runs have what it shows; what is left out is told unless `quiet`."""
    beside = page_beside(stored_model_file(first))
    if beside is None:
        return Page(())
    page = read_page(beside)
    wanted = dict.fromkeys(name for panel in page.panels for name in panel.lines)
    lacking = {name for name in wanted if not all(has_variable(run, name) for run in runs)}
    if lacking and not quiet:
        note(f"{beside}: left out, for not all runs have them: {', '.join(name for name in wanted if name in lacking)}")
    panels = (
        replace(panel, lines={name: label for name, label in panel.lines.items() if name not in lacking})
        for panel in page.panels
    )
    return replace(page, panels=tuple(panel for panel in panels if panel.lines))


def _observed(run: xr.Dataset, path: Path) -> list[Observed]:
    """What was observed of variables of a run, from the files beside its model; a figure does without what has faults."""
    try:
        series = series_of_run(run, path)
    except SdmodelError as fault:
        note(f"no observations are drawn: {fault}")
        return []
    return [each for each in (_points(one, run) for one in series) if each is not None]


def _points(series: Series, run: xr.Dataset) -> Observed | None:
    """The points of a series with their error bars, if it is about a variable by itself that the run has."""
    formula = series.model
    if not (formula.is_Symbol or formula.is_Indexed):
        return None
    name, labels = referred(next(iter(references(formula))))
    spelt = f"{name}[{','.join(labels)}]" if labels else name
    if not has_variable(run, spelt):
        return None
    about = long_name(find_variable(run, spelt))
    observed, spread = series.values, series.deviations
    factors = np.exp(spread)
    ends = (observed / factors, observed * factors) if series.error.kind == "log" else (observed - spread, observed + spread)  # fmt: skip
    return Observed(series.name, about, series.times, observed, *ends, series.sources)
