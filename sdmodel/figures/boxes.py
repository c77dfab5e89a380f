"""Scenario discovery: the trade-off between coverage and density, and the ranges of the constants that each box restricts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..dataset import describe_model
from ..errors import FigureError
from .labels import label_bars, write_beside
from .panels import (
    COLOURS,
    GREY,
    GRID,
    NORMAL,
    PanelAxes,
    add_frame,
    add_note,
    is_narrow,
    make_panels,
    style_panel,
    wrap,
)
from .text import plain_text

_HEIGHT, _ROW, _HEAD = 2.5, 0.28, 1.0
"""Inches: the least height of a panel, the height of a constant, and of what stands above and below the bars of a panel."""
_MOST = 12
"""The number of constants in a panel; the rest are restricted with less certainty than all of these."""
_NAME_LINE, _PAGE_LINE = 24, 145
_ROOM = 0.25
"""The room for a number on each side of the range of the sample, as a share of it."""
_DOUBTFUL = 0.45
"""The opacity of a bar with an end that may be due to chance."""
_TICKS = np.linspace(0, 1, 6)


@plain_text
def plot_boxes(found: xr.Dataset, *, title: str | None = None, axes: PanelAxes = None) -> Figure:
    r"""Plot boxes of scenario discovery: how coverage trades for density, and the ranges of the constants in each box.

    The first panel has a line for each box: the steps of its trade-off, with a ring for the box itself. The others have a
    bar for each restricted constant, in the range of the sample (grey), with the values of the constant at its ends. A pale
    bar has an end that may be due to chance.

    Parameters
    ----------
    found : xarray.Dataset
        What `sdmodel.discover_scenarios` returns: one panel for the trade-off, and one per box.
    title : str, optional
        The title of the figure.
    axes : Axes or sequence of Axes, optional
        Axes of your own figure, one for each panel; by default a new figure is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its panels are `figure.axes`.

    Raises
    ------
    FigureError
        If there is no box, or another number of axes than panels.

    Examples
    --------
    >>> import sdmodel as sd  # doctest: +SKIP
    >>> found = sd.discover_scenarios(sd.open_run("runs/spread.zarr"), "beds needed", "max", above=5000)  # doctest: +SKIP
    >>> figure = sd.plot_boxes(found)  # doctest: +SKIP
    """
    count = found.sizes.get("box", 0)
    if not 0 < count <= len(COLOURS):
        message = f"the figure: has {count} boxes; give 1 to {len(COLOURS)}"
        raise FigureError(message)
    boxes = [found.isel(box=place) for place in range(count)]
    rows = max(len(_restricted(box)) for box in boxes)
    columns = 1 if is_narrow() else 2
    figure, panels = make_panels(count + 1, columns, max(_HEIGHT, _ROW * rows + _HEAD), 0.75, axes)
    style_panel(panels[0], "trade-off", "", columns)
    for box, colour in zip(boxes, COLOURS, strict=False):
        _draw_steps(panels[0], box, colour)
    panels[0].axhline(float(found.attrs["wanted_density"]), color=GREY, linewidth=0.7, linestyle=(0, (3, 2)))
    _scale_shares(panels[0])
    for panel, box, colour in zip(panels[1:], boxes, COLOURS, strict=False):
        shares = f"coverage {_percent(box['coverage'])}, density {_percent(box['density'])}"
        style_panel(panel, f"box {int(box['box'])}: {shares}", "", columns)
        _draw_ranges(panel, box, colour)
    handles: list[Any] = [
        Line2D([], [], color=colour, marker="o", markersize=3, linewidth=0.8, label=f"box {int(box['box'])}")
        for box, colour in zip(boxes, COLOURS, strict=False)
    ]
    handles += [Patch(color=GRID, label="range of the sample")]
    if any(_is_doubtful(box).any() for box in boxes):
        handles += [Patch(color=COLOURS[0], alpha=_DOUBTFUL, linewidth=0, label="an end may be due to chance")]
    cases = f"{found.attrs['outcome']}: {found.attrs['cases']:,} of {found.attrs['members']:,} members"
    scenario = str(found.attrs.get("scenario_name", ""))
    origin = [describe_model(found), *wrap("; ".join(filter(None, (cases, scenario))), _PAGE_LINE)]
    add_frame(panels, title, [handles], origin, columnspacing=1.4)
    return figure


def _percent(share: xr.DataArray) -> str:
    return f"{100 * float(share):.3g} %"


def _restricted(box: xr.Dataset) -> xr.DataArray:
    """The places of the constants that a box restricts, the most certain first."""
    chances = np.fmin(box["low_p"].values, box["high_p"].values)
    return xr.DataArray(np.argsort(chances)[: int(np.isfinite(chances).sum())], dims="parameter")


def _is_doubtful(box: xr.Dataset) -> NDArray[np.bool_]:
    """Whether each constant has an end that may be due to chance."""
    return np.fmax(box["low_p"].values, box["high_p"].values) > box.attrs["doubtful_above"]


def _draw_steps(axes: Axes, box: xr.Dataset, colour: str) -> None:
    coverage, density = box["step_coverage"].values, box["step_density"].values
    axes.plot(coverage, density, color=colour, marker="o", markersize=2.2, linewidth=0.8)
    axes.plot(
        float(box["coverage"]), float(box["density"]), "o", markersize=8, markerfacecolor="none", markeredgecolor=colour
    )


def _scale_shares(axes: Axes) -> None:
    for axis, name in (
        (axes.xaxis, "coverage: share of all cases inside"),
        (axes.yaxis, "density: share of cases inside"),
    ):
        axis.set_label_text(name, fontsize=NORMAL, color=GREY)
        axis.set_ticks(_TICKS, [f"{100 * tick:.0f} %" for tick in _TICKS])
    axes.set_xlim(-0.02, 1.04)
    axes.set_ylim(0, 1.04)


def _draw_ranges(axes: Axes, box: xr.Dataset, colour: str) -> None:
    """Plot the range of each restricted constant as a share of the range of its sample."""
    places = _restricted(box)
    shown = box.isel(parameter=places[:_MOST])
    columns = (shown[name].values for name in ("low", "high", "least", "most"))
    for row, (low, high, least, most, doubtful) in enumerate(zip(*columns, _is_doubtful(shown), strict=True)):
        start, end = ((value - least) / (most - least) for value in (np.fmax(low, least), np.fmin(high, most)))
        alpha = _DOUBTFUL if doubtful else None
        axes.barh(row, 1.0, height=0.62, color=GRID, linewidth=0)
        axes.barh(row, end - start, left=start, height=0.38, color=colour, alpha=alpha, linewidth=0)
        for value, at, side in ((low, start, -1), (high, end, 1)):
            if math.isfinite(value):
                write_beside(axes, value, (at, row), side)
    label_bars(axes, shown, _NAME_LINE, units=True)
    axes.set_ylim(max(shown.sizes["parameter"], 3) - 0.4, -0.6)  # bars of a few constants are not thicker
    axes.set_xlim(-_ROOM, 1 + _ROOM)
    axes.set_xticks([0, 1], ["least", "most"])
    axes.grid(visible=False)
    if len(places) > _MOST:
        add_note(axes, f"the {_MOST} most certain of {len(places)} restricted constants")
