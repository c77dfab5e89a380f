"""A model beside observations: one panel a series, a line or bands with points over them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..dataset import PROBABILITY
from ..errors import FigureError
from .panels import time_axis
from .style import COLOURS, GREY, LARGE, NORMAL, SMALL, columns_for, dress, page_of_panels, scale_numbers

_SHADES = (0.15, 0.25, 0.35, 0.45)
_HEIGHTS = {1: 3.9, 2: 2.4, 3: 1.85}
_MODEL, _POINTS = COLOURS[0], COLOURS[1]


def plot_fit(panels: Mapping[str, xr.Dataset], *, title: str | None = None, origin: str = "") -> Figure:
    """Small multiples, one panel for each series in its units: the model as a line or bands, points with error bars over it.

    A panel has the model's `middle` over `time`, the edges of its bands, `low` and `high`, over `probability` and `time`, and
    the points `observed` with the ends of their bars, `least` and `most`, over `observation`, of which the coordinate `at`
    tells the time. `origin` is a line below.

    Raises
    ------
    FigureError
        If there is nothing to draw.
    """
    if not panels:
        message = "the figure: has no series; name a file that maps at least one"
        raise FigureError(message)
    columns = columns_for(len(panels))
    figure, places = page_of_panels(len(panels), columns, _HEIGHTS[columns], 0.7)
    for axes, (name, panel) in zip(places, panels.items(), strict=True):
        _draw(axes, name, panel, columns)
    figure.align_ylabels(places)
    _frame(figure, next(iter(panels.values())), title, origin)
    return figure


def _draw(axes: Axes, name: str, panel: xr.Dataset, columns: int) -> None:
    """One series: bands lie lowest, points on top."""
    units, times = str(panel["observed"].attrs.get("units", "")), panel["time"].values
    dress(axes, name, units, columns)
    for band, shade in zip(_bands(panel), _SHADES, strict=False):
        edges = panel.sel(probability=band)
        axes.fill_between(times, edges["low"].values, edges["high"].values, color=_MODEL, alpha=shade, linewidth=0)
    axes.plot(times, panel["middle"].values, color=_MODEL, linewidth=1.3)
    observed = panel["observed"].values
    bars = np.abs(np.array([panel["least"].values, panel["most"].values]) - observed)
    axes.errorbar(
        panel["at"].values, observed, bars, fmt="o", color=_POINTS, markersize=3.2, elinewidth=0.8, capsize=1.5,
        capthick=0.8, zorder=3,
    )  # fmt: skip
    scale_numbers(axes, units, np.concatenate([np.ravel(each.values) for each in panel.data_vars.values()]))
    axes.margins(x=0.03)
    time_axis(axes, panel["time"].attrs.get("units"), dated=times.dtype.kind == "M")


def _bands(panel: xr.Dataset) -> list[float]:
    """The probabilities of the bands, the widest first."""
    return sorted(map(float, panel[PROBABILITY].values), reverse=True)


def _frame(figure: Figure, panel: xr.Dataset, title: str | None, origin: str) -> None:
    """What the signs mean, above; where the numbers come from, below."""
    bands = _bands(panel)
    seen = 1 - np.cumprod([1 - shade for shade in _SHADES])  # narrow bands lie on wide ones
    shades = [
        Patch(color=_MODEL, alpha=float(shade), linewidth=0, label=f"{100 * band:g} % of members")
        for band, shade in zip(bands, seen, strict=False)
    ]
    line = Line2D([], [], color=_MODEL, linewidth=1.3, label="median" if bands else "model")
    points = Line2D(
        [], [], color=_POINTS, marker="o", markersize=3.2, linewidth=0.8, label="observed, with one standard deviation"
    )
    figure.legend(
        handles=[line, *shades, points], loc="outside upper left", ncols=5, fontsize=NORMAL, frameon=False, title=title,
        alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3,
    )  # fmt: skip
    if origin:
        figure.supxlabel(origin, x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)
