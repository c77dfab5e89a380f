"""A model against observations: one panel per series, the model as a line or bands and the observations as points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..dataset import PROBABILITY
from ..errors import FigureError
from .panels import add_frame, column_count, make_panels
from .style import COLOURS, format_time_axis, format_y_axis, style_panel

_OPACITIES = (0.15, 0.25, 0.35, 0.45)
_HEIGHTS = {1: 3.9, 2: 2.4, 3: 1.85}
_MODEL, _POINTS = COLOURS[0], COLOURS[1]


def plot_fit(panels: Mapping[str, xr.Dataset], *, title: str | None = None, origin: str = "") -> Figure:
    """Plot a model against series of observations as small multiples, one panel per series, in its units.

    Parameters
    ----------
    panels : mapping of str to xarray.Dataset
        The panel of each series: the model's `middle` over `time`, the edges of its bands, `low` and `high`, over
        `probability` and `time`; the points `observed` and the ends of their bars, `least` and `most`, over `observation`,
        with their times as the coordinate `at`.
    title : str, optional
        The title of the figure.
    origin : str, optional
        A line below the panels.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    FigureError
        If there is nothing to plot.
    """
    if not panels:
        message = "the figure: has no series; name a file that maps at least one"
        raise FigureError(message)
    columns = column_count(len(panels))
    figure, places = make_panels(len(panels), columns, _HEIGHTS[columns], 0.7)
    for axes, (name, panel) in zip(places, panels.items(), strict=True):
        _draw_panel(axes, name, panel, columns)
    figure.align_ylabels(places)
    handles = _handles(next(iter(panels.values())))
    add_frame(figure, title, handles, [origin] if origin else [], columns=5)
    return figure


def _draw_panel(axes: Axes, name: str, panel: xr.Dataset, columns: int) -> None:
    """Plot one series, bands lowest and points on top."""
    units, times = str(panel["observed"].attrs.get("units", "")), panel["time"].values
    style_panel(axes, name, units, columns)
    for band, opacity in zip(_bands(panel), _OPACITIES, strict=False):
        edges = panel.sel(probability=band)
        axes.fill_between(times, edges["low"].values, edges["high"].values, color=_MODEL, alpha=opacity, linewidth=0)
    axes.plot(times, panel["middle"].values, color=_MODEL, linewidth=1.3)
    observed = panel["observed"].values
    bars = np.abs(np.array([panel["least"].values, panel["most"].values]) - observed)
    axes.errorbar(
        panel["at"].values, observed, bars, fmt="o", color=_POINTS, markersize=3.2, elinewidth=0.8, capsize=1.5,
        capthick=0.8, zorder=3,
    )  # fmt: skip
    format_y_axis(axes, units, np.concatenate([np.ravel(values.values) for values in panel.data_vars.values()]))
    axes.margins(x=0.03)
    format_time_axis(axes, panel["time"].attrs.get("units"), dated=times.dtype.kind == "M")


def _bands(panel: xr.Dataset) -> list[float]:
    """Return the probabilities of the bands, the widest first."""
    return sorted(map(float, panel[PROBABILITY].values), reverse=True)


def _handles(panel: xr.Dataset) -> list[Any]:
    """Return what line, bands and points mean."""
    bands = _bands(panel)
    opacities = 1 - np.cumprod([1 - opacity for opacity in _OPACITIES])  # narrow bands lie on wide ones
    return [
        Line2D([], [], color=_MODEL, linewidth=1.3, label="median" if bands else "model"),
        *(
            Patch(color=_MODEL, alpha=float(opacity), linewidth=0, label=f"{100 * band:g} % of members")
            for band, opacity in zip(bands, opacities, strict=False)
        ),
        Line2D(
            [], [], color=_POINTS, marker="o", markersize=3.2, linewidth=0.8, label="observed, with one standard deviation",
        ),
    ]  # fmt: skip
