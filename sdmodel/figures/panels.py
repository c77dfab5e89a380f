"""What panels over time share: time axes, constants as level lines, legends of labels, and where the numbers come from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..dataset import DATE, TIME
from .style import COLOURS, DASHES, GREY, NORMAL, SMALL, date_axis

WORDS = 24
"""So many letters of a label stand on a line."""


def level_line(run: xr.Dataset, variable: xr.DataArray) -> xr.DataArray:
    """A variable of a run over time; a constant is the same at all times."""
    if TIME in variable.dims:
        return variable
    level = variable.expand_dims({TIME: run[TIME]})
    return level.assign_coords({DATE: run[DATE]}) if DATE in run.coords else level


def time_axis(axes: Axes, units: object, *, dated: bool) -> None:
    """The axis below a panel: dates, or time in its units."""
    if dated:
        date_axis(axes)
    else:
        axes.set_xlabel(str(units or "Time"), fontsize=NORMAL, color=GREY)


def evenly_chosen(labels: Sequence[str], most: int) -> list[str]:
    """As many labels as can be told apart, evenly from the first to the last."""
    if len(labels) <= most:
        return list(labels)
    return [labels[int(place)] for place in np.linspace(0, len(labels) - 1, most).round()]


def name_labels(axes: Axes, labels: Sequence[str], *, alone: bool, linewidth: float, handlelength: float) -> None:
    """A small legend beside the panel, where it hides no line: colours with a single run, else dashes, as colours are runs."""
    handles = [
        Line2D([], [], linewidth=linewidth, label=textwrap.fill(label, WORDS), **look)
        for place, label in enumerate(labels)
        for look in ({"color": COLOURS[place]} if alone else {"color": GREY, "linestyle": DASHES[place]},)
    ]
    axes.legend(
        handles=handles, fontsize=SMALL, handlelength=handlelength, labelspacing=0.25, borderpad=0.2, frameon=False,
        loc="upper left", bbox_to_anchor=(1.0, 1.0),
    )  # fmt: skip


def model_lines(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Model and hash, once for all runs that share one."""
    models = {(str(run.attrs.get("model", "")), str(run.attrs.get("model_sha256", ""))) for run in runs.values()}
    return [f"Model {Path(model).name}, sha256 {sha256[:12]}" for model, sha256 in sorted(models)]
