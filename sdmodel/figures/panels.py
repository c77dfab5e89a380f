"""What figures share: a grid of panels, legends, notes, the title above and the origin of the numbers below."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import DATE, TIME, subscript_dims
from ..errors import FigureError
from .style import COLOURS, GREY, LARGE, NORMAL, SMALL

_WIDTH = 7.2
"""Inches: the width of the text of a page in most journals."""
_SPACE = 0.06
"""The share of a panel's width between panels: the last year of one stays apart from the first year of the next."""


def make_panels(count: int, columns: int, height: float, margin: float) -> tuple[Figure, NDArray[Any]]:
    """Make a figure with `count` empty panels in `columns` columns, each `height` inches high, and a margin in inches."""
    rows = math.ceil(count / columns)
    figure = Figure(
        figsize=(_WIDTH, height * rows + margin), layout=ConstrainedLayoutEngine(wspace=_SPACE), facecolor="white"
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in panels[count:]:
        spare.set_visible(False)
    return figure, panels[:count]


def column_count(panels: int) -> int:
    """Return the number of columns for panels: as few as fill the page, since large panels are easier to read."""
    return 1 if panels == 1 else 2 if panels in (2, 4) else 3


def check_runs(runs: Sized, names: Sized) -> None:
    """Raise an error if there is nothing to plot, or more runs than there are colours."""
    if not runs or not names:
        message = "the figure: has no runs or no variables; name at least one of each"
        raise FigureError(message)
    if len(runs) > len(COLOURS):
        message = f"the figure: {len(runs)} runs are too many to tell apart; plot at most {len(COLOURS)}"
        raise FigureError(message)


def arrange_legend(groups: Sequence[Sequence[Artist]], width: int, sample: int) -> tuple[list[Artist], int]:
    """Return the handles of a legend in matplotlib's order, column by column, and the number of columns.

    Each group begins a new line. As many columns are used as fit `width` letters, `sample` of them for each line sample.
    """
    longest = max(map(len, groups), default=1)
    for count in range(max(1, longest), 0, -1):
        lines = [list(group[at : at + count]) for group in groups for at in range(0, len(group), count)]
        columns = list(itertools.zip_longest(*lines))
        widths = [max(len(str(handle.get_label())) for handle in column if handle is not None) for column in columns]
        if sum(widths) + sample * len(widths) <= width or count == 1:
            break
    blank = Line2D([], [], linestyle="", label=" ")
    return [handle or blank for column in columns for handle in column], len(columns)


def add_frame(
    figure: Figure,
    title: str | None,
    handles: Sequence[Any],
    origin: Sequence[str],
    *,
    columns: int,
    **spacing: float,
) -> None:
    """Add the title and the legend above the panels, and the origin of the numbers below them."""
    if handles:
        figure.legend(
            handles=handles, loc="outside upper left", ncols=columns, fontsize=NORMAL, frameon=False, title=title,
            alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3, **spacing,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
    if origin:
        figure.supxlabel("\n".join(origin), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def add_note(axes: Axes, text: str) -> None:
    """Add a line below a panel."""
    axes.set_xlabel(f"{axes.get_xlabel()}\n{text}".strip(), fontsize=SMALL, color=GREY)


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines of at most `width` letters, indented after the first."""
    return textwrap.wrap(text, width, subsequent_indent="    ")


def describe_models(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Return a line with name and hash for each model of some runs."""
    models = {(str(run.attrs.get("model", "")), str(run.attrs.get("model_sha256", ""))) for run in runs.values()}
    return [f"Model {Path(model).name}, sha256 {sha256[:12]}" for model, sha256 in sorted(models)]


def over_time(run: xr.Dataset, variable: xr.DataArray) -> xr.DataArray:
    """Return a variable of a run over time; a constant is the same at all times."""
    if TIME in variable.dims:
        return variable
    level = variable.expand_dims({TIME: run[TIME]})
    return level.assign_coords({DATE: run[DATE]}) if DATE in run.coords else level


def cells(variable: xr.DataArray) -> Iterator[tuple[tuple[str, ...], dict[str, int]]]:
    """Yield the labels of each cell of a variable, and the positions along its subscripts that select the cell."""
    dims = subscript_dims(variable)
    for positions in itertools.product(*(range(variable.sizes[dim]) for dim in dims)):
        chosen = dict(zip(dims, positions, strict=True))
        yield tuple(str(variable.coords[dim].values[at]) for dim, at in chosen.items()), chosen


def choose_evenly(labels: Sequence[str], most: int) -> list[str]:
    """Return at most `most` labels, evenly spaced from the first to the last."""
    if len(labels) <= most:
        return list(labels)
    return [labels[int(at)] for at in np.linspace(0, len(labels) - 1, most).round()]
