"""Sweeps over time: one panel a variable, lines coloured by the value of a lever."""

from __future__ import annotations

import itertools
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
from matplotlib.patches import Patch

from ..dataset import (
    DATE,
    PROBABILITY,
    TIME,
    base_places,
    find_variable,
    headlines,
    lever_dims,
    long_name,
    subscript_dims,
)
from ..errors import FigureError
from .bands import bands_of
from .levers import far_apart, frame, lever_axis, origin_lines, quieten, short, slice_at_base, titled, valued
from .panels import evenly_chosen, level_line, time_axis
from .style import (
    GREY,
    NORMAL,
    columns_for,
    dress,
    page_of_panels,
    scale_logarithmic,
    scale_numbers,
    tell_logarithmic,
)

_COLOURS = (0.1, 0.9)
"""Below this share of viridis lines would be as dark as the base, beyond the other too pale on white."""
_BASE: Mapping[str, Any] = {"color": "black", "linewidth": 1.5, "zorder": 4}
_HEIGHTS = {1: 3.9, 2: 2.5, 3: 1.9}
_MANY, _LOW = 9, 1.6
"""More panels than these are lower."""
_HEAD = 1.0
_TICKS = 24
"""So many values of a lever have room beside the colours."""
_LABELS = 4
"""So many labels of a variable have a panel each."""
_MIDDLE = 0.5


@dataclass(frozen=True)
class _Scale:
    """A lever's values as colours: the places of what is drawn, in order, and that of its own value."""

    lever: xr.DataArray
    colours: Colormap
    norm: Normalize
    base: int | None

    def colour(self, place: int) -> Any:
        """The colour of a value."""
        return self.colours(self.norm(float(self.lever[place])))


def plot_sweep(
    run: xr.Dataset,
    names: Sequence[str],
    *,
    lever: str | None = None,
    title: str | None = None,
    logarithmic: bool = False,
) -> Figure:
    """Small multiples over time, one panel for each of the variables `names` or a label of it, a line for each value of a lever.

    Lines are coloured by the lever's value, the darkest the lowest; the one at its own value is black. Of several levers the
    first is shown, or the one of dimension `lever`; the others are held at their own values, which a line below tells. A run
    with quantiles over `probability` has medians, and the bands at the lever's lowest and highest value.

    Raises
    ------
    FigureError
        If there is nothing to draw, or no lever.
    DatasetError
        If the run lacks one of the variables.
    """
    if not names:
        message = "the figure: has no variables; name at least one"
        raise FigureError(message)
    headlines(run, names)
    dim = _chosen(run, lever)
    part, held = slice_at_base(run, [dim])
    scale = _scale(part[dim])
    panels = [each for name in names for each in _panels(level_line(part, find_variable(part, name)))]
    columns = columns_for(len(panels))
    height = _LOW if len(panels) > _MANY else _HEIGHTS[columns]
    figure, places = page_of_panels(len(panels), columns, height, _HEAD)
    dated = DATE in part.coords
    for axes, (name, values) in zip(places, panels, strict=True):
        dress(axes, name, str(values.attrs.get("units", "")), columns)
        _draw_lines(axes, values, scale, dated=dated)
        _scale_axis(axes, values, logarithmic=logarithmic)
        time_axis(axes, part[TIME].attrs.get("units"), dated=dated)
    figure.align_ylabels(places)
    _colour_bar(figure, list(places), scale)
    frame(figure, title, _handles(part, scale), origin_lines(run, held))
    return figure


def _chosen(run: xr.Dataset, lever: str | None) -> str:
    """The lever that has the colours."""
    dims = lever_dims(run)
    if not dims or lever not in (None, *dims):
        cure = f"it has {', '.join(dims)}" if dims else "draw a run of `sdmodel sweep`"
        message = f"the figure: the run has no lever{f' {lever!r}' if lever and dims else ''}; {cure}"
        raise FigureError(message)
    return lever or dims[0]


def _scale(lever: xr.DataArray) -> _Scale:
    """The colours of a lever's values: viridis, whose lightness grows evenly for all kinds of colour vision."""
    low, high = float(lever.min()), float(lever.max())
    if low == high:
        low, high = low - 1, high + 1
    norm = LogNorm(low, high) if far_apart(lever) else Normalize(low, high)
    colours = ListedColormap(mpl.colormaps["viridis"](np.linspace(*_COLOURS, 256)))
    return _Scale(lever, colours, norm, base_places(lever).get(str(lever.name)))


def _panels(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """A variable label by label, of more labels than are drawn some from the first to the last."""
    dims = subscript_dims(variable)
    places = list(itertools.product(*(range(variable.sizes[dim]) for dim in dims)))
    labels = {
        ", ".join(str(variable.coords[dim].values[at]) for dim, at in zip(dims, place, strict=True)): place
        for place in places
    }
    chosen = evenly_chosen(list(labels), _LABELS)
    for label in chosen:
        few = f" ({_LABELS} of {len(labels)} labels)" if len(chosen) < len(labels) and label == chosen[0] else ""
        name = f"{long_name(variable)}[{label}]{few}" if label else long_name(variable)
        yield name, variable.isel(dict(zip(dims, labels[label], strict=True)))


def _draw_lines(axes: Axes, values: xr.DataArray, scale: _Scale, *, dated: bool) -> None:
    """A line for each value of the lever, its own on top; the bands of the ends below all."""
    times = values[DATE if dated else TIME].values
    dim = str(scale.lever.name)
    lines = values if dim in values.dims else values.expand_dims({dim: scale.lever})
    if PROBABILITY in lines.dims:
        for place in _ends(scale):
            levels = lines.isel({dim: place}).transpose(PROBABILITY, TIME)
            for low, high in bands_of(lines[PROBABILITY].values)[:1]:
                axes.fill_between(
                    times, levels[low].values, levels[high].values, color=scale.colour(place), alpha=0.2, linewidth=0
                )
        lines = lines.sel({PROBABILITY: _MIDDLE}, method="nearest")
    for place in range(scale.lever.size):
        look = _BASE if place == scale.base else {"color": scale.colour(place), "linewidth": 1.1}
        alone: dict[str, Any] = {"marker": "o"} if times.size == 1 else {}
        axes.plot(times, lines.isel({dim: place}).transpose(TIME).values, solid_capstyle="butt", **look, **alone)
    axes.margins(x=0)


def _ends(scale: _Scale) -> list[int]:
    """The values of the lever that have bands: the lowest and the highest, but for its own."""
    return [place for place in sorted({0, scale.lever.size - 1}) if place != scale.base]


def _scale_axis(axes: Axes, values: xr.DataArray, *, logarithmic: bool) -> None:
    numbers = np.asarray(values.values, dtype=float).ravel()
    finite = numbers[np.isfinite(numbers)]
    if logarithmic and finite.size and finite.min() >= 0 and finite.max() > 0:
        scale_logarithmic(axes, finite[finite > 0])
        tell_logarithmic(axes)
    else:
        scale_numbers(axes, str(values.attrs.get("units", "")), numbers)


def _colour_bar(figure: Figure, panels: list[Axes], scale: _Scale) -> None:
    """What colours mean, with the lever's name and units; its own value is marked black."""
    bar = figure.colorbar(
        ScalarMappable(scale.norm, scale.colours), ax=panels, location="right", aspect=35, fraction=0.04, pad=0.015,
        shrink=min(1.0, 3.9 / (figure.get_figheight() - _HEAD)), anchor=(0.0, 1.0),
    )  # fmt: skip
    bar.set_label(titled(scale.lever), fontsize=NORMAL, color=GREY)
    lever_axis(bar.ax.yaxis, scale.lever, _TICKS)
    quieten(bar)
    if scale.base is not None:
        bar.ax.axhline(float(scale.lever[scale.base]), color="black", linewidth=1.5)


def _handles(run: xr.Dataset, scale: _Scale) -> list[Any]:
    """What lines and bands mean that the colour bar does not tell."""
    handles: list[Any] = []
    if scale.base is not None:
        told = f"base: {valued(scale.lever, scale.base)}"
        handles.append(Line2D([], [], label=told, **{name: look for name, look in _BASE.items() if name != "zorder"}))
    if PROBABILITY in run.dims:
        levels = run[PROBABILITY].values
        handles.append(Line2D([], [], color=GREY, linewidth=1.1, label="medians of members"))
        for low, high in bands_of(levels)[:1]:
            share = f"{100 * (levels[high] - levels[low]):.4g} % of members"
            handles += [
                Patch(
                    facecolor=scale.colour(place),
                    alpha=0.35,
                    linewidth=0,
                    label=f"{share} at {short(float(scale.lever[place]))}",
                )
                for place in _ends(scale)
            ]
    return handles
