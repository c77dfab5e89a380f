"""Sweeps of levers: lines over time coloured by the value of a lever, and heat maps of outcomes over two levers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ..dataset import (
    DATE,
    PROBABILITY,
    TIME,
    base_positions,
    describe_model,
    describe_sampling,
    find_variable,
    find_variables,
    held_positions,
    labels_along,
    lever_dims,
    long_name,
    subscript_dims,
    with_labels,
)
from ..errors import FigureError
from .bands import find_bands
from .layout import Scale
from .panels import (
    GREY,
    NORMAL,
    SMALL,
    PanelAxes,
    add_frame,
    choose_evenly,
    describe_changes,
    format_number,
    format_time_axis,
    format_units,
    is_narrow,
    make_grid,
    make_panels,
    mark_extrapolation,
    over_time,
    scale_y_axis,
    shared_power,
    style_panel,
    style_ticks,
    with_power,
    wrap,
)
from .text import plain_text

_FAR_APART = 30.0
"""A lever with positive values gets a logarithmic scale from this ratio on."""
_COLOURS = (0.1, 0.9)
"""The part of viridis for lines: below, they would be as dark as the base; above, too pale on white."""
_BASE: Mapping[str, Any] = {"color": "black", "linewidth": 1.5}
_HEAD, _MAP_HEAD = 1.0, 0.75
"""Inches: the height of what stands above and below all panels."""
_TICKS = 24
"""Values of a lever that fit beside the colours."""
_MOST_LABELS = 4
"""At most this many labels of a variable get a panel each."""
_MAP_HEIGHTS = {1: 4.4, 2: 3.1}
_CELLS = {1: 20, 2: 8}
"""Cells in a row that can hold readable numbers, by the number of columns of maps; a column holds twice as many."""
_DIGITS, _LONG, _LIGHT = 3, 1000.0, 0.5
_RING: Mapping[str, Any] = {
    "marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 1.3, "linestyle": "",
}  # fmt: skip
_PAGE_LINE = 145


@dataclass(frozen=True)
class _ColourScale:
    """The values of a lever as colours; `base` is the position of the lever's own value."""

    lever: xr.DataArray
    colours: Colormap
    norm: Normalize
    base: int | None

    def colour(self, position: int) -> Any:
        """Return the colour of a value."""
        return self.colours(self.norm(float(self.lever[position])))

    @property
    def ends(self) -> list[int]:
        """The positions of the values that get bands: the lowest and the highest, unless they are the lever's own."""
        return [position for position in sorted({0, self.lever.size - 1}) if position != self.base]


@plain_text
def plot_sweep(
    run: xr.Dataset,
    names: Sequence[str],
    *,
    lever: str | None = None,
    title: str | None = None,
    scales: Mapping[str, Scale] | None = None,
    extrapolation: float | None = None,
    logarithmic: bool = False,
    axes: PanelAxes = None,
) -> Figure:
    r"""Plot variables of a sweep over time as small multiples, one line per value of a lever.

    Lines are coloured by the lever's value, the lowest darkest; the line at the lever's own value is black. Other levers are
    held at their own values, which a line below names.

    Parameters
    ----------
    run : xarray.Dataset
        The sweep. If it has quantiles over the dimension `probability`, lines are medians, with bands at the lowest and the
        highest value of the lever.
    names : sequence of str
        The variables; each label of a subscripted variable gets a panel, at most four.
    lever : str, optional
        The dimension of the lever that is shown; by default the first.
    title : str, optional
        The title of the figure.
    scales : mapping of str to {"", "linear", "log"}, optional
        The scale of the y axis by the name of the variable.
    extrapolation : float, optional
        The time from which values are extrapolation; they are drawn lighter.
    logarithmic : bool, default False
        Use a logarithmic y axis in every panel without negative values.
    axes : Axes or sequence of Axes, optional
        Axes of your own figure, one for each panel; by default a new figure is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its panels are `figure.axes`.

    Raises
    ------
    FigureError
        If there is nothing to plot, or no such lever.
    DatasetError
        If the run lacks one of the variables.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> figure = sd.plot_sweep(sd.sweep_levers(model, {"inflow": [0.5, 1, 2]}), ["level"])
    >>> figure.axes[0].get_title(loc="left")
    'level'
    """
    if not names:
        message = "the figure: has no variables; name at least one"
        raise FigureError(message)
    find_variables(run, names)
    dim = _shown_lever(run, lever)
    part, held = _slice_at_base(run, [dim])
    scale = _colour_scale(part[dim])
    panels = [
        (*panel, (scales or {}).get(name, ""))
        for name in names
        for panel in _panels(over_time(part, find_variable(part, name)))
    ]
    figure, places, columns = make_grid(len(panels), (3.9, 2.5, 1.9, 1.6), _HEAD, axes)
    dated = DATE in part.coords
    for place, (name, values, chosen) in zip(places, panels, strict=True):
        units = str(values.attrs.get("units", ""))
        style_panel(place, name, units, columns)
        _draw_lines(place, values, scale, dated=dated)
        numbers = np.asarray(values.values, dtype=float).ravel()
        scale_y_axis(place, units, numbers, scale="log" if logarithmic else chosen)
        format_time_axis(place, part[TIME].attrs.get("units"), dated=dated)
    mark_extrapolation(list(places), extrapolation, part[DATE if dated else TIME].values, dated=dated)
    figure.align_ylabels(places)
    _add_colour_bar(figure, places, scale)
    _add_frame(places, title, _handles(part, scale), run, held)
    return figure


def _shown_lever(run: xr.Dataset, lever: str | None) -> str:
    """Return the dimension of the lever along which lines differ."""
    dims = lever_dims(run)
    if not dims or lever not in (None, *dims):
        cure = f"it has {', '.join(dims)}" if dims else "plot a run of `sdmodel sweep`"
        message = f"the figure: the run has no lever{f' {lever!r}' if lever and dims else ''}; {cure}"
        raise FigureError(message)
    return lever or dims[0]


def _add_colour_bar(figure: Figure, places: NDArray[Any], scale: _ColourScale) -> None:
    """Show which colour is which value of the lever, with a line at its own value."""
    bar = figure.colorbar(
        ScalarMappable(scale.norm, scale.colours), ax=list(places), location="right", aspect=35, fraction=0.04, pad=0.015,
        shrink=min(1.0, 3.9 / (figure.get_figheight() - _HEAD)), anchor=(0.0, 1.0),
    )  # fmt: skip
    _style_colour_bar(bar, _describe_lever(scale.lever))
    _set_lever_ticks(bar.ax.yaxis, scale.lever, _TICKS)
    if scale.base is not None:
        bar.ax.axhline(float(scale.lever[scale.base]), color="black", linewidth=1.5)


def _handles(part: xr.Dataset, scale: _ColourScale) -> list[Any]:
    """Return the legend: the lever's own value, and over members the median and the band of each end."""
    handles: list[Any] = []
    if scale.base is not None:
        handles.append(Line2D([], [], label=f"base: {_describe_value(scale.lever, scale.base)}", **_BASE))
    if PROBABILITY in part.dims:
        levels = part[PROBABILITY].values
        handles.append(Line2D([], [], color=GREY, linewidth=1.1, label="medians of members"))
        for low, high in find_bands(levels)[:1]:
            share = f"{100 * (levels[high] - levels[low]):.4g} % of members"
            for position in scale.ends:
                label = f"{share} at {format_number(float(scale.lever[position]))}"
                handles.append(Patch(facecolor=scale.colour(position), alpha=0.35, linewidth=0, label=label))
    return handles


@plain_text
def plot_heat_map(
    outcomes: xr.Dataset, *, levers: Sequence[str] | None = None, title: str | None = None, axes: PanelAxes = None
) -> Figure:
    r"""Plot outcomes over two levers as heat maps, one per outcome, coloured by the outcome, in its units.

    A few cells are equally large and hold their numbers, with a frame around the base. Many cells lie on the scales of the
    levers, with contours and a ring around the base. Other levers are held at their own values, which a line below names.

    Parameters
    ----------
    outcomes : xarray.Dataset
        The outcomes; their dimensions are levers, and the attributes `long_name` and `outcome` name them.
    levers : sequence of str, optional
        The dimensions of the levers along x and y; by default the first two.
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
        If there is nothing to plot, or there are not two levers.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> swept = sd.sweep_levers(model, {"inflow": [0.5, 1, 2], "share": [0, 0.5, 1]}, save=["level"])
    >>> last = swept[["level"]].isel(time=-1).assign_attrs(swept.attrs)
    >>> figure = sd.plot_heat_map(last)
    """
    dims = tuple(levers or lever_dims(outcomes)[:2])
    if len(dims) != 2 or not set(dims) <= set(lever_dims(outcomes)) or not outcomes.data_vars:  # noqa: PLR2004 - a map is flat
        message = f"the figure: a map needs outcomes over two levers, not {len(dims)}; sweep two"
        raise FigureError(message)
    part, held = _slice_at_base(outcomes, dims)
    maps = [values.transpose(*dims) for values in part.data_vars.values()]
    columns = 2 if is_narrow() else min(2, len(maps))
    figure, places = make_panels(len(maps), 1 if is_narrow() else columns, _MAP_HEIGHTS[columns], _MAP_HEAD, axes)
    for place, values in zip(places, maps, strict=True):
        _draw_map(figure, place, values, columns)
    style = dict(_RING) | ({"marker": "s"} if _holds_numbers(maps[0], columns) else {})
    handles = [Line2D([], [], label="base", **style)] if set(dims) <= set(base_positions(part)) else []
    _add_frame(places, title, handles, outcomes, held)
    return figure


def _slice_at_base(run: xr.Dataset, shown: Sequence[str]) -> tuple[xr.Dataset, list[str]]:
    """Return a run at the own (or middle) values of the levers that are not shown, and a description of these values."""
    positions = held_positions(run, shown)
    return run.isel(positions), [_describe_value(run[dim], position) for dim, position in positions.items()]


def _describe_value(lever: xr.DataArray, position: int) -> str:
    units = format_units(str(lever.attrs.get("units", "")))
    suffix = "" if units in ("", "dimensionless") else f" {units}"
    return f"{long_name(lever)} {format_number(float(lever[position]))}{suffix}"


def _describe_lever(lever: xr.DataArray) -> str:
    units = format_units(str(lever.attrs.get("units", "")))
    return f"{long_name(lever)}{f' ({units})' if units else ''}"


def _is_logarithmic(lever: xr.DataArray) -> bool:
    return bool(lever.min() > 0 and lever.max() >= _FAR_APART * lever.min())


def _on_scale(lever: xr.DataArray) -> NDArray[np.float64]:
    """Return the values of a lever, or their logarithms if its scale is logarithmic."""
    return np.log(lever.values) if _is_logarithmic(lever) else np.asarray(lever.values, dtype=float)


def _colour_scale(lever: xr.DataArray) -> _ColourScale:
    """Return colours from viridis, whose lightness grows evenly for all kinds of colour vision."""
    low, high = float(lever.min()), float(lever.max())
    if low == high:
        low, high = low - 1, high + 1
    norm = LogNorm(low, high) if _is_logarithmic(lever) else Normalize(low, high)
    colours = ListedColormap(mpl.colormaps["viridis"](np.linspace(*_COLOURS, 256)))
    return _ColourScale(lever, colours, norm, base_positions(lever).get(str(lever.name)))


def _panels(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the title and the values of a panel per label; of many labels, some from the first to the last."""
    dims = subscript_dims(variable)
    places = list(labels_along(variable, dims))
    chosen = choose_evenly(places, _MOST_LABELS)
    for place, labels in chosen:
        count = (
            f" ({_MOST_LABELS} of {len(places)} labels)" if len(chosen) < len(places) and place == chosen[0][0] else ""
        )
        yield with_labels(long_name(variable), labels) + count, variable.isel(dict(zip(dims, place, strict=True)))


def _draw_lines(axes: Axes, values: xr.DataArray, scale: _ColourScale, *, dated: bool) -> None:
    """Plot a line per value of the lever, its own on top, and bands below all lines."""
    times = values[DATE if dated else TIME].values
    dim = str(scale.lever.name)
    lines = values if dim in values.dims else values.expand_dims({dim: scale.lever})
    if PROBABILITY in lines.dims:
        for position in scale.ends:
            levels = lines.isel({dim: position}).transpose(PROBABILITY, TIME)
            style: Any = {"color": scale.colour(position), "alpha": 0.2, "linewidth": 0}
            for low, high in find_bands(lines[PROBABILITY].values)[:1]:
                axes.fill_between(times, levels[low].values, levels[high].values, **style)
        lines = lines.sel({PROBABILITY: 0.5}, method="nearest")
    for position in range(scale.lever.size):
        is_base = position == scale.base
        style = {**_BASE, "zorder": 3} if is_base else {"color": scale.colour(position), "linewidth": 1.1}
        marker: Any = {"marker": "o"} if times.size == 1 else {}
        axes.plot(times, lines.isel({dim: position}).transpose(TIME).values, solid_capstyle="butt", **style, **marker)
    axes.margins(x=0)


def _style_colour_bar(bar: Any, label: str) -> None:
    bar.set_label(label, fontsize=NORMAL, color=GREY)
    style_ticks(bar.ax)
    bar.outline.set_visible(False)


def _set_lever_ticks(axis: Any, lever: xr.DataArray, room: float) -> None:
    """Write the values of a lever along an axis with room for `room` of them: its own first, then from the lowest up."""
    values = _on_scale(lever)
    distance = (values[-1] - values[0]) / room
    base = base_positions(lever).get(str(lever.name))
    chosen: list[int] = [] if base is None else [base]
    for position in range(values.size):
        if all(abs(values[position] - values[other]) >= distance for other in chosen if other != position):
            chosen.append(position)
    axis.set_minor_locator(NullLocator())
    axis.set_ticks([float(lever[position]) for position in sorted(set(chosen))])
    digits = 3 if _is_logarithmic(lever) else 6
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(float(f"{value:.{digits}g}"))))


def _draw_map(figure: Figure, axes: Axes, values: xr.DataArray, columns: int) -> None:
    """Plot one outcome with numbers in its cells and a frame around the base, or with contours and a ring."""
    across, along = (values[dim] for dim in values.dims)
    style_panel(axes, f"{long_name(values)} {values.attrs.get('outcome', '')}".strip(), "", columns)
    axes.grid(visible=False)
    power = shared_power(np.asarray(values.values, dtype=float))
    numbers = np.ma.masked_invalid(values.values.T / 10.0**power)
    written = _holds_numbers(values, columns)
    edges = (_cell_edges(lever, even=written) for lever in (across, along))
    mesh = axes.pcolormesh(*edges, numbers, cmap="viridis", rasterized=True)
    bar = figure.colorbar(mesh, ax=axes, aspect=25, pad=0.02)
    _style_colour_bar(bar, with_power(format_units(str(values.attrs.get("units", ""))), power))
    base = base_positions(values)
    if written:
        for axis, lever in ((axes.xaxis, across), (axes.yaxis, along)):
            axis.set_ticks(range(lever.size), [format_number(float(value)) for value in lever])
        for (row, column), value in np.ndenumerate(numbers.filled(np.nan)):
            colour = _contrasting(mesh, value)
            axes.text(column, row, cell_text(value), ha="center", va="center", fontsize=SMALL, color=colour)
        if len(base) == len(values.dims):
            left, bottom = (base[str(dim)] - 0.5 for dim in values.dims)
            axes.add_patch(Rectangle((left, bottom), 1, 1, fill=False, edgecolor="black", linewidth=1.8, zorder=3))
    else:
        axes.set_xscale("log" if _is_logarithmic(across) else "linear")
        axes.set_yscale("log" if _is_logarithmic(along) else "linear")
        _set_lever_ticks(axes.xaxis, across, _CELLS[columns])
        _set_lever_ticks(axes.yaxis, along, _CELLS[columns])
        if min(numbers.shape) > 1 and numbers.count() and numbers.min() < numbers.max():
            levels = MaxNLocator(8).tick_values(float(numbers.min()), float(numbers.max()))
            colours = [_contrasting(mesh, level) for level in levels]
            lines = axes.contour(across.values, along.values, numbers, levels, colors=colours, linewidths=0.7)
            axes.clabel(lines, fontsize=SMALL, fmt=lambda value: f"{value:.3g}")
        if len(base) == len(values.dims):
            axes.plot(*(float(values[dim][base[str(dim)]]) for dim in values.dims), **_RING)
    axes.set_xlabel(_describe_lever(across), fontsize=NORMAL, color=GREY)
    axes.set_ylabel(_describe_lever(along), fontsize=NORMAL, color=GREY)


def _holds_numbers(values: xr.DataArray, columns: int) -> bool:
    return bool(values.shape[0] <= _CELLS[columns] and values.shape[1] <= 2 * _CELLS[columns])


def _cell_edges(lever: xr.DataArray, *, even: bool) -> NDArray[np.float64]:
    """Return the edges of the cells around the values of a lever: halfway between, and as far outside the ends as inside."""
    values = np.arange(float(lever.size)) if even else _on_scale(lever)
    if values.size == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    middles = (values[1:] + values[:-1]) / 2
    found = np.concatenate([[2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]])
    return np.exp(found) if _is_logarithmic(lever) and not even else found


def cell_text(value: float) -> str:
    """Return the number in a cell, or nothing if it is not finite; a year keeps its last digit."""
    digits = _DIGITS if abs(value) < _LONG else _DIGITS + 2
    return format_number(float(f"{value:.{digits}g}")) if np.isfinite(value) else ""


def _contrasting(mesh: Any, value: float) -> str:
    red, green, blue, _ = mesh.cmap(mesh.norm(value))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > _LIGHT else "white"


def _add_frame(
    panels: NDArray[Any], title: str | None, handles: Sequence[Any], run: xr.Dataset, held: Sequence[str]
) -> None:
    """Add title, legend and origin: model, scenario and changes, members, and the values at which other levers are held."""
    parts = describe_changes(run)
    if sampling := describe_sampling(run):
        parts.append(f"{run.attrs.get('members', '')} members, {sampling}".strip())
    parts += [f"held constant: {', '.join(held)}"] if held else []
    origin = [describe_model(run), *wrap("; ".join(filter(None, parts)) or "no other changes", _PAGE_LINE)]
    add_frame(panels, title, [handles], origin, columnspacing=1.6)
