"""Sweeps: lines over time coloured by the value of a lever, and outcomes over two levers as cells of a map."""

from __future__ import annotations

import itertools
import textwrap
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
    base_places,
    find_variable,
    headlines,
    lever_dims,
    long_name,
    subscript_dims,
)
from ..errors import FigureError
from .bands import bands_of
from .panels import evenly_chosen, level_line, model_lines, time_axis
from .style import (
    GREY,
    LARGE,
    NORMAL,
    SMALL,
    columns_for,
    dress,
    legend_grid,
    page_of_panels,
    scale_logarithmic,
    scale_numbers,
    tell_logarithmic,
    told_units,
)

_COLOURS = (0.1, 0.9)
"""Below this share of viridis lines would be as dark as the base, beyond the other too pale on white."""
_BASE: Mapping[str, Any] = {"color": "black", "linewidth": 1.5, "zorder": 4}
_HEIGHTS = {1: 3.9, 2: 2.5, 3: 1.9}
_MAP_HEIGHTS = {1: 4.4, 2: 3.1}
_MANY, _LOW = 9, 1.6
"""More panels than these are lower."""
_HEAD = 1.0
_FAR = 30.0
"""A lever whose values lie so many times apart, all above zero, has a logarithmic scale."""
_TICKS = 24
"""So many values of a lever have room beside the colours."""
_LABELS = 4
"""So many labels of a variable have a panel each."""
_MIDDLE = 0.5
_NEAR = 1e-9
_PAGE = 145
_LEGEND, _SAMPLE = 124, 7
"""So many letters of the legend stand on a line of the page; so wide is the sample of a line beside them."""
_CELLS = {1: 20, 2: 8}
"""So many cells across hold a number that can be read, by the maps beside each other; along there are twice as many."""


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
    part, held = _held(run, [dim])
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
    _frame(figure, title, _handles(part, scale), _origin(run, held))
    return figure


def _chosen(run: xr.Dataset, lever: str | None) -> str:
    """The lever that has the colours.

    Raises
    ------
    FigureError
        If there is none, or none of that name.
    """
    dims = lever_dims(run)
    if not dims or lever not in (None, *dims):
        cure = f"it has {', '.join(dims)}" if dims else "draw a run of `sdmodel sweep`"
        message = f"the figure: the run has no lever{f' {lever!r}' if lever and dims else ''}; {cure}"
        raise FigureError(message)
    return lever or dims[0]


def _held(run: xr.Dataset, shown: Sequence[str]) -> tuple[xr.Dataset, list[str]]:
    """The part of a run at the own values of the levers that are not shown, or their middle ones, and what is told of it."""
    own = base_places(run)
    places = {dim: own.get(dim, run.sizes[dim] // 2) for dim in lever_dims(run) if dim not in shown}
    told = [_valued(run[dim], place) for dim, place in places.items()]
    return run.isel(places), told


def _valued(lever: xr.DataArray, place: int) -> str:
    """A lever at one of its values, as a reader is told of it."""
    return f"{long_name(lever)} {_short(float(lever[place]))}{_after(lever)}"


def _short(value: float) -> str:
    return f"{value:.6g}".replace("-", "\u2212")


def _after(lever: xr.DataArray) -> str:
    """The units of a lever behind a number; what has none has none."""
    units = told_units(str(lever.attrs.get("units", "")))
    return "" if units in ("", "dimensionless") else f" {units}"


def _scale(lever: xr.DataArray) -> _Scale:
    """The colours of a lever's values: viridis, whose lightness grows evenly for all kinds of colour vision."""
    low, high = float(lever.min()), float(lever.max())
    if low == high:
        low, high = low - 1, high + 1
    norm = LogNorm(low, high) if _far(lever) else Normalize(low, high)
    colours = ListedColormap(mpl.colormaps["viridis"](np.linspace(*_COLOURS, 256)))
    return _Scale(lever, colours, norm, base_places(lever).get(str(lever.name)))


def _far(lever: xr.DataArray) -> bool:
    """Whether the values of a lever lie so far apart that they are read by their logarithm."""
    return bool(lever.min() > 0 and lever.max() >= _FAR * lever.min())


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
        alone = {"marker": "o"} if times.size == 1 else {}
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
    bar.set_label(_titled(scale.lever), fontsize=NORMAL, color=GREY)
    _lever_axis(bar.ax.yaxis, scale.lever, _TICKS)
    _quiet(bar)
    if scale.base is not None:
        bar.ax.axhline(float(scale.lever[scale.base]), color="black", linewidth=1.5)


def _titled(lever: xr.DataArray) -> str:
    """A lever with its units, as an axis is named."""
    units = told_units(str(lever.attrs.get("units", "")))
    return f"{long_name(lever)}{f' ({units})' if units else ''}"


def _lever_axis(axis: Any, lever: xr.DataArray, room: float) -> None:
    """The values of a lever beside its scale, which has room for so many of them."""
    axis.set_minor_locator(NullLocator())
    axis.set_ticks([float(lever[place]) for place in _apart(lever, room)])
    digits = 3 if _far(lever) else 6
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(float(f"{value:.{digits}g}"))))


def _apart(lever: xr.DataArray, room: float) -> list[int]:
    """The values of a lever that can be written beside each other: its own first, then from the lowest up."""
    steps = _steps(lever)
    least = (steps[-1] - steps[0]) / room
    own = base_places(lever).get(str(lever.name))
    chosen: list[int] = [] if own is None else [own]
    for place in range(steps.size):
        if all(abs(steps[place] - steps[each]) >= least for each in chosen if each != place):
            chosen.append(place)
    return sorted(set(chosen))


def _steps(lever: xr.DataArray) -> NDArray[np.float64]:
    """The values of a lever as its scale has them."""
    return np.log(lever.values) if _far(lever) else np.asarray(lever.values, dtype=float)


def _handles(run: xr.Dataset, scale: _Scale) -> list[Any]:
    """What lines and bands mean that the colour bar does not tell."""
    handles: list[Any] = []
    if scale.base is not None:
        told = f"base: {_valued(scale.lever, scale.base)}"
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
                    label=f"{share} at {_short(float(scale.lever[place]))}",
                )
                for place in _ends(scale)
            ]
    return handles


def plot_heat_map(outcomes: xr.Dataset, *, levers: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Outcomes over two levers, a map each: cells around the values that were run, coloured by the outcome, in its units.

    The variables have the levers as dimensions, and are called by their `long_name` and `outcome`. The first two levers are
    shown, or those of the dimensions `levers`; all others are held at their own values, which a line below tells. Where cells
    are large enough their numbers stand in them, else lines of equal outcome. The levers' own values are marked by a frame or a ring.

    Raises
    ------
    FigureError
        If there is nothing to draw, or not two levers.
    """
    dims = tuple(levers or lever_dims(outcomes)[:2])
    if len(dims) != 2 or not set(dims) <= set(lever_dims(outcomes)) or not outcomes.data_vars:  # noqa: PLR2004 - a map is flat
        message = f"the figure: a map needs outcomes over two levers, not {len(dims)}; sweep two"
        raise FigureError(message)
    part, held = _held(outcomes, dims)
    columns = min(2, len(part.data_vars))
    figure, places = page_of_panels(len(part.data_vars), columns, _MAP_HEIGHTS[columns], 0.75)
    for axes, values in zip(places, part.data_vars.values(), strict=True):
        _draw_map(figure, axes, values.transpose(*dims), columns)
    marked = set(dims) <= set(base_places(part))
    first = next(iter(part.data_vars.values())).transpose(*dims)
    look = dict(_RING) | ({"marker": "s"} if _numbered(first, columns) else {})
    handles = [Line2D([], [], label="base", **look)] if marked else []
    _frame(figure, title, handles, _origin(outcomes, held))
    return figure


_RING: Mapping[str, Any] = {
    "marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 1.3, "linestyle": "",
}  # fmt: skip


def _draw_map(figure: Figure, axes: Axes, values: xr.DataArray, columns: int) -> None:
    """One outcome: the first lever along the x axis, the second along the y axis."""
    across, along = (values[dim] for dim in values.dims)
    dress(axes, f"{long_name(values)} {values.attrs.get('outcome', '')}".strip(), "", columns)
    axes.grid(visible=False)
    numbers = np.ma.masked_invalid(values.values.T.astype(float))
    written = _numbered(values, columns)
    mesh = axes.pcolormesh(
        *(_edges(each, even=written) for each in (across, along)), numbers, cmap="viridis", rasterized=True
    )
    bar = figure.colorbar(mesh, ax=axes, aspect=25, pad=0.02)
    bar.set_label(told_units(str(values.attrs.get("units", ""))), fontsize=NORMAL, color=GREY)
    _quiet(bar)
    if written:
        _write_numbers(axes, values, numbers, mesh)
    else:
        _draw_contours(axes, values, numbers, mesh, columns)
    axes.set_xlabel(_titled(across), fontsize=NORMAL, color=GREY)
    axes.set_ylabel(_titled(along), fontsize=NORMAL, color=GREY)


def _numbered(values: xr.DataArray, columns: int) -> bool:
    """Whether cells are so few that numbers can stand in them; they are equally large then."""
    return bool(values.shape[0] <= _CELLS[columns] and values.shape[1] <= 2 * _CELLS[columns])


def _edges(lever: xr.DataArray, *, even: bool) -> NDArray[np.float64]:
    """Where the cells around the values of a lever end: halfway between them, at the ends as far out as in."""
    values = np.arange(float(lever.size)) if even else _steps(lever)
    if values.size == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    middles = (values[1:] + values[:-1]) / 2
    found = np.concatenate([[2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]])
    return np.exp(found) if _far(lever) and not even else found


def _write_numbers(axes: Axes, values: xr.DataArray, numbers: Any, mesh: Any) -> None:
    """The numbers of cells, dark on light colours and light on dark ones, and a frame around the base."""
    for axis, dim in zip((axes.xaxis, axes.yaxis), values.dims, strict=True):
        axis.set_ticks(range(values.sizes[dim]), [_short(float(each)) for each in values[dim]])
    for (row, column), value in np.ndenumerate(numbers.filled(np.nan)):
        axes.text(
            column, row, _short(float(f"{value:.3g}")) if np.isfinite(value) else "", ha="center", va="center", fontsize=SMALL,
            color=_ink(mesh, value),
        )  # fmt: skip
    own = base_places(values)
    if len(own) == len(values.dims):
        left, bottom = (own[str(dim)] - 0.5 for dim in values.dims)
        axes.add_patch(Rectangle((left, bottom), 1, 1, fill=False, edgecolor="black", linewidth=1.8, zorder=3))


def _draw_contours(axes: Axes, values: xr.DataArray, numbers: Any, mesh: Any, columns: int) -> None:
    """Lines of equal outcome over the levers' own scales, and a ring around the base."""
    across, along = (values[dim] for dim in values.dims)
    axes.set_xscale("log" if _far(across) else "linear")
    axes.set_yscale("log" if _far(along) else "linear")
    _lever_axis(axes.xaxis, across, _CELLS[columns])
    _lever_axis(axes.yaxis, along, _CELLS[columns])
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
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > _MIDDLE else "white"


def _quiet(bar: Any) -> None:
    """A colour bar that looks as axes do."""
    bar.ax.tick_params(labelsize=NORMAL - 0.5, length=2.5, width=0.6, color=GREY, labelcolor=GREY)
    bar.outline.set_visible(False)


def _frame(figure: Figure, title: str | None, handles: Sequence[Any], origin: Sequence[str]) -> None:
    """Title and signs above, origin below."""
    if handles:
        ordered, beside = legend_grid([handles], _LEGEND, _SAMPLE)
        figure.legend(
            handles=ordered, loc="outside upper left", ncols=beside, fontsize=NORMAL, frameon=False, title=title,
            alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3, columnspacing=1.6,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
    figure.supxlabel("\n".join(origin), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def _origin(run: xr.Dataset, held: Sequence[str]) -> list[str]:
    """Model and hash, scenario and changes, members, and at what the levers are held that are not shown."""
    changes = (line for line in str(run.attrs.get("changes", "")).splitlines() if " = over " not in line)
    told = [str(run.attrs.get("scenario_name", "")), *changes]
    if "design_method" in run.attrs:
        told.append(
            f"{run.attrs.get('members', 'its')} members drawn by {run.attrs['design_method']}, seed {run.attrs.get('seed')}"
        )
    told += [f"held at {', '.join(held)}"] if held else []
    lines = "; ".join(filter(None, told)) or "no other changes"
    return [*model_lines({"": run}), textwrap.fill(lines, _PAGE, subsequent_indent="    ")]
