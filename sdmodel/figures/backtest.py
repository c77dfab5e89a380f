"""Back-tests: what was forecast at each cut, and what came, a panel per series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..dataset import TIME, dates_of
from ..errors import FigureError
from .panels import COLOURS, DARK, PanelAxes, add_frame, format_time_axis, make_grid, scale_y_axis, style_panel
from .text import plain_text

_WIDE = 20.0
"""A panel whose values span at least this factor has a logarithmic axis."""
_BAND, _BEFORE = 0.18, 0.35
"""Opacity of the bands, and the share of the panel's time span that is shown before the first cut."""


@plain_text
def plot_backtest(
    panels: Mapping[str, xr.Dataset], *, title: str | None = None, origin: Sequence[str] = (), axes: PanelAxes = None
) -> Figure:
    """Plot the forecasts of each cut over the observations as small multiples, one panel per series, in its units.

    Parameters
    ----------
    panels : mapping of str to xarray.Dataset
        The panel of each series: `low`, `middle` and `high` over `cut` and `time`, and `observed` over `observation` with its
        times as the coordinate `at`. `time` has the units of time, `observed` those of the series; the attribute `dated` says
        whether times are years.
    title : str, optional
        The title of the figure.
    origin : sequence of str, optional
        Lines below the panels.
    axes : Axes or sequence of Axes, optional
        Axes of your own figure, one for each panel; by default a new figure is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its panels are `figure.axes`.

    Raises
    ------
    FigureError
        If there are no panels, or more cuts than colours.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> import xarray as xr
    >>> panel = xr.Dataset(
    ...     {part: (("cut", "time"), [[level, level + 1]]) for part, level in (("low", 0), ("middle", 1), ("high", 2))},
    ...     {"cut": [0.0], "time": [0.0, 1.0], "at": ("observation", [1.0])},
    ... ).assign(observed=("observation", [1.5], {"units": "Widget"}))
    >>> figure = sd.plot_backtest({"level": panel})  # of a back-test: sd.plot_backtest(sd.backtest_panels(found))
    >>> figure.axes[0].get_title(loc="left")
    'level'
    """
    if not panels:
        message = "the figure: has no series; back-test at least one"
        raise FigureError(message)
    first = next(iter(panels.values()))
    cuts = first["cut"].values
    if len(cuts) > len(COLOURS):
        message = f"the figure: {len(cuts)} cuts are too many to distinguish; plot at most {len(COLOURS)}"
        raise FigureError(message)
    figure, places, columns = make_grid(len(panels), (3.9, 2.5, 2.0, 2.0), 0.8, axes)
    for place, (name, panel) in zip(places, panels.items(), strict=True):
        _draw_panel(place, name, panel, columns)
    figure.align_ylabels(places)
    handles: list[Any] = [
        Line2D([], [], color=colour, linewidth=1.4, label=f"forecast at {cut:.6g}")
        for cut, colour in zip(cuts, COLOURS, strict=False)
    ]
    handles.append(Patch(color=COLOURS[0], alpha=_BAND, linewidth=0, label="90 % of draws"))
    handles.append(Line2D([], [], color=DARK, marker="o", markersize=3.2, linewidth=0, label="observed"))
    add_frame(places, title, [handles], origin)
    return figure


def _draw_panel(axes: Axes, name: str, panel: xr.Dataset, columns: int) -> None:
    units, time_units = str(panel["observed"].attrs.get("units", "")), panel[TIME].attrs.get("units")
    dated = bool(panel.attrs.get("dated"))
    times, at = panel[TIME].values, panel["at"].values
    last = max(float(at.max()), float(panel["cut"].values.max()))
    start = min(float(at.min()), float(panel["cut"].values.min()) - _BEFORE * (last - float(at.min())))
    shown = []
    for place, (cut, colour) in enumerate(zip(panel["cut"].values, COLOURS, strict=False)):
        own = panel.isel(cut=place)
        after = (times >= cut - 1e-9) & (times <= last + 0.02 * (last - start))
        if not np.isfinite(own["middle"].values[after]).any():
            continue
        x = dates_of(times[after]) if dated else times[after]
        axes.fill_between(
            x, own["low"].values[after], own["high"].values[after], color=colour, alpha=_BAND, linewidth=0
        )
        axes.plot(x, own["middle"].values[after], color=colour, linewidth=1.3)
        shown += [own[part].values[after] for part in ("low", "middle", "high")]
    observed = panel["observed"].values
    axes.plot(dates_of(at) if dated else at, observed, color=DARK, marker="o", markersize=3.0, linewidth=0, zorder=3)
    values = np.concatenate([*shown, observed])
    style_panel(axes, name, units, columns)
    wide = values.min() > 0 and values.max() > _WIDE * values.min()
    scale_y_axis(axes, units, values, scale="log" if wide else "linear")
    margin = 0.03 * (last - start)
    ends = np.array([start - margin, last + margin])
    axes.set_xlim(*(dates_of(ends) if dated else ends))
    format_time_axis(axes, time_units, dated=dated)
