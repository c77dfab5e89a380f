"""Outcomes over two levers as maps: cells around the values that were run, coloured by the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..dataset import base_places, lever_dims, long_name
from ..errors import FigureError
from .levers import far_apart, frame, lever_axis, origin_lines, quieten, short, slice_at_base, steps_of, titled
from .style import GREY, NORMAL, SMALL, dress, page_of_panels, power_of, told_units

_HEIGHTS = {1: 4.4, 2: 3.1}
_HEAD = 0.75
_CELLS = {1: 20, 2: 8}
"""So many cells across hold a number that can be read, by the maps beside each other; along there are twice as many."""
_DIGITS, _LONG = 3, 1000.0
_LIGHT = 0.5
_RING: Mapping[str, Any] = {
    "marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 1.3, "linestyle": "",
}  # fmt: skip


def plot_heat_map(outcomes: xr.Dataset, *, levers: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Outcomes over two levers, a map each: cells around the values that were run, coloured by the outcome, in its units.

    The variables have the levers as dimensions, and are called by their `long_name` and `outcome`. The first two levers are
    shown, or those of the dimensions `levers`; all others are held at their own values, which a line below tells. Where cells are
    few they are equally large and hold their numbers, and a frame is around the base; else they lie on the levers' scales, with
    lines of equal outcome and a ring around the base.

    Raises
    ------
    FigureError
        If there is nothing to draw, or not two levers.
    """
    dims = tuple(levers or lever_dims(outcomes)[:2])
    if len(dims) != 2 or not set(dims) <= set(lever_dims(outcomes)) or not outcomes.data_vars:  # noqa: PLR2004 - a map is flat
        message = f"the figure: a map needs outcomes over two levers, not {len(dims)}; sweep two"
        raise FigureError(message)
    part, held = slice_at_base(outcomes, dims)
    columns = min(2, len(part.data_vars))
    figure, places = page_of_panels(len(part.data_vars), columns, _HEIGHTS[columns], _HEAD)
    for axes, values in zip(places, part.data_vars.values(), strict=True):
        _draw_map(figure, axes, values.transpose(*dims), columns)
    marked = set(dims) <= set(base_places(part))
    first = next(iter(part.data_vars.values())).transpose(*dims)
    look = dict(_RING) | ({"marker": "s"} if _numbered(first, columns) else {})
    handles = [Line2D([], [], label="base", **look)] if marked else []
    frame(figure, title, handles, origin_lines(outcomes, held))
    return figure


def _draw_map(figure: Figure, axes: Axes, values: xr.DataArray, columns: int) -> None:
    """One outcome: the first lever along the x axis, the second along the y axis."""
    across, along = (values[dim] for dim in values.dims)
    dress(axes, f"{long_name(values)} {values.attrs.get('outcome', '')}".strip(), "", columns)
    axes.grid(visible=False)
    power = power_of(np.asarray(values.values, dtype=float))
    numbers = np.ma.masked_invalid(values.values.T / 10.0**power)
    written = _numbered(values, columns)
    mesh = axes.pcolormesh(
        *(_edges(each, even=written) for each in (across, along)), numbers, cmap="viridis", rasterized=True
    )
    bar = figure.colorbar(mesh, ax=axes, aspect=25, pad=0.02)
    units = told_units(str(values.attrs.get("units", "")))
    bar.set_label(f"$10^{{{power}}}$ {units}" if power else units, fontsize=NORMAL, color=GREY)
    quieten(bar)
    if written:
        _write_numbers(axes, values, numbers, mesh)
    else:
        _draw_contours(axes, values, numbers, mesh, columns)
    axes.set_xlabel(titled(across), fontsize=NORMAL, color=GREY)
    axes.set_ylabel(titled(along), fontsize=NORMAL, color=GREY)


def _numbered(values: xr.DataArray, columns: int) -> bool:
    """Whether cells are so few that numbers can stand in them; they are equally large then."""
    return bool(values.shape[0] <= _CELLS[columns] and values.shape[1] <= 2 * _CELLS[columns])


def _edges(lever: xr.DataArray, *, even: bool) -> NDArray[np.float64]:
    """Where the cells around the values of a lever end: halfway between them, at the ends as far out as in."""
    values = np.arange(float(lever.size)) if even else steps_of(lever)
    if values.size == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    middles = (values[1:] + values[:-1]) / 2
    found = np.concatenate([[2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]])
    return np.exp(found) if far_apart(lever) and not even else found


def _write_numbers(axes: Axes, values: xr.DataArray, numbers: Any, mesh: Any) -> None:
    """The numbers of cells, dark on light colours and light on dark ones, and a frame around the base."""
    for axis, dim in zip((axes.xaxis, axes.yaxis), values.dims, strict=True):
        axis.set_ticks(range(values.sizes[dim]), [short(float(each)) for each in values[dim]])
    for (row, column), value in np.ndenumerate(numbers.filled(np.nan)):
        axes.text(
            column, row, _told(value), ha="center", va="center", fontsize=SMALL,
            color=_ink(mesh, value),
        )  # fmt: skip
    own = base_places(values)
    if len(own) == len(values.dims):
        left, bottom = (own[str(dim)] - 0.5 for dim in values.dims)
        axes.add_patch(Rectangle((left, bottom), 1, 1, fill=False, edgecolor="black", linewidth=1.8, zorder=3))


def _told(value: float) -> str:
    """A number in a cell, or nothing; a year keeps its last digit."""
    return short(float(f"{value:.{_DIGITS if abs(value) < _LONG else _DIGITS + 2}g}")) if np.isfinite(value) else ""


def _draw_contours(axes: Axes, values: xr.DataArray, numbers: Any, mesh: Any, columns: int) -> None:
    """Lines of equal outcome over the levers' own scales, and a ring around the base."""
    across, along = (values[dim] for dim in values.dims)
    axes.set_xscale("log" if far_apart(across) else "linear")
    axes.set_yscale("log" if far_apart(along) else "linear")
    lever_axis(axes.xaxis, across, _CELLS[columns])
    lever_axis(axes.yaxis, along, _CELLS[columns])
    if min(numbers.shape) > 1 and numbers.count() and numbers.min() < numbers.max():
        levels = MaxNLocator(8).tick_values(float(numbers.min()), float(numbers.max()))
        inks = [_ink(mesh, each) for each in levels]
        lines = axes.contour(across.values, along.values, numbers, levels, colors=inks, linewidths=0.7)
        axes.clabel(lines, fontsize=SMALL, fmt=lambda value: f"{value:.3g}")
    own = base_places(values)
    if len(own) == len(values.dims):
        axes.plot(*(float(values[dim][own[str(dim)]]) for dim in values.dims), **_RING)


def _ink(mesh: Any, value: float) -> str:
    """The colour in which something is seen on the colour of a value."""
    red, green, blue, _ = mesh.cmap(mesh.norm(value))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > _LIGHT else "white"
