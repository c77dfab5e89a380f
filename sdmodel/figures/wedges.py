"""What levers contribute: wedges over time between a baseline and a scenario, and bars at one date."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import DATE, TIME
from ..errors import FigureError
from .panels import time_axis
from .style import COLOURS, DARK, GREY, LARGE, NORMAL, SMALL, dress, legend_grid, page_of_panels, scale_numbers

_MOST, _COLUMNS = 6, 3
"""So many variables at most, and so many beside each other."""
_ALONE = "the rest"
_HEIGHT, _FOOT = 1.9, 0.11
"""Inches: of a panel, and of a line below all of them."""
_LEGEND, _SAMPLE, _PAGE = 118, 8, 150
"""Letters: of a line of the legend, of the swatch beside a name, of a line below."""
_SWATCH = 6.0
_RING: dict[str, Any] = {
    "color": DARK,
    "linestyle": "",
    "marker": "o",
    "markerfacecolor": "white",
    "markersize": 4,
    "zorder": 4,
}
_DIAMOND: dict[str, Any] = {"color": DARK, "linestyle": "", "marker": "D", "markersize": 3, "zorder": 4}
_WITHOUT: dict[str, Any] = {"color": GREY, "linestyle": (0, (4, 1.5)), "linewidth": 1.4}
_BAR, _ROW, _NAMES = 0.62, 0.21, 30
"""The share of a row that its bar fills, the inches of a row, and the letters of a lever's name on a line."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """What levers contribute to one variable, in its units: `shares` has dims time and lever, the others time.

    `spread` are quantiles of the shares over members, dims probability, time and lever; `alone` and `last` are what a lever
    does when it is moved first and when it is moved last, dims time and lever.
    """

    title: str
    units: str
    baseline: xr.DataArray
    scenario: xr.DataArray
    shares: xr.DataArray
    alone: xr.DataArray | None = None
    last: xr.DataArray | None = None
    spread: xr.DataArray | None = None


def plot_wedges(
    variables: Sequence[Contributions],
    *,
    names: tuple[str, str] = ("baseline", "scenario"),
    title: str | None = None,
    origin: Sequence[str] = (),
) -> Figure:
    """For each variable, its baseline and its scenario over time, and below them what each lever adds or takes away.

    What adds is stacked above zero and what takes away below, each lever with one colour on the whole page, the six that
    do most and the rest together; the black line is what all do. `origin` are lines below.

    Raises
    ------
    FigureError
        If there is nothing to draw, or more than six variables.
    """
    _check(variables)
    colours = _colours(variables)
    columns = min(len(variables), _COLUMNS)
    foot = [line for each in origin for line in textwrap.wrap(each, _PAGE, subsequent_indent="    ")]
    blocks = -(-len(variables) // columns)
    figure, places = page_of_panels(2 * blocks * columns, columns, _HEIGHT, 0.6 + _FOOT * len(foot))
    dated = all(DATE in each.baseline.coords for each in variables)
    grid = np.asarray(places).reshape(2 * blocks, columns)
    for place in range(blocks * columns):
        above, below = grid[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]
        if place >= len(variables):
            above.set_visible(False)
            below.set_visible(False)
            continue
        _draw_lines(above, variables[place], columns, dated=dated)
        _draw_wedges(below, variables[place], colours, columns, dated=dated)
    figure.align_ylabels(list(grid.ravel()))
    handles = [
        [
            Line2D([], [], label=names[0], **_WITHOUT),
            Line2D([], [], color=DARK, linewidth=1.3, label=names[1]),
        ],
        [Line2D([], [], color=colour, linewidth=_SWATCH, label=name) for name, colour in colours.items()],
    ]
    _frame(figure, handles, title, foot)
    return figure


def _frame(figure: Figure, handles: Sequence[Sequence[Line2D]], title: str | None, foot: Sequence[str]) -> None:
    """Legend and title above, where the numbers come from below."""
    ordered, beside = legend_grid(handles, _LEGEND, _SAMPLE)
    figure.legend(
        handles=ordered, loc="outside upper left", ncols=beside, fontsize=NORMAL, frameon=False, title=title,
        alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3, columnspacing=1.4,
        handlelength=1.4,
    )  # fmt: skip
    figure.supxlabel("\n".join(foot), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def _check(variables: Sequence[Contributions]) -> None:
    """Make sure that there is something to draw, and no more than fits a page."""
    if not 0 < len(variables) <= _MOST:
        message = f"the figure: {len(variables)} variables do not make a page; choose 1 to {_MOST} with --on"
        raise FigureError(message)


def _colours(variables: Sequence[Contributions]) -> dict[str, str]:
    """A colour for each lever that is drawn by itself, the first in the scenario first, and grey for the rest."""
    levers = list(map(str, variables[0].shares["lever"].values))
    if len(levers) <= len(COLOURS):
        return dict(zip(levers, COLOURS, strict=False))
    weights = np.zeros(len(levers))
    for each in variables:
        sizes = np.nan_to_num(np.abs(_values(each.shares))).sum(axis=0)
        weights += sizes / (sizes.sum() or 1.0)
    kept = sorted(np.argsort(-weights, kind="stable")[: len(COLOURS) - 1])
    found = {levers[place]: COLOURS[order] for order, place in enumerate(kept)}
    return found | {_ALONE: "#AAAAAA"}


def _values(shares: xr.DataArray) -> NDArray[np.float64]:
    """What levers contribute, shape (times, levers)."""
    return np.asarray(shares.transpose(TIME, "lever").values, dtype=float)


def _drawn(variable: Contributions, colours: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """The contributions by name of a colour, each over time; those without a colour of their own together."""
    values = _values(variable.shares)
    levers = list(map(str, variable.shares["lever"].values))
    found = {name: values[:, levers.index(name)] for name in colours if name in levers}
    rest = [place for place, name in enumerate(levers) if name not in colours]
    return found | ({_ALONE: values[:, rest].sum(axis=1)} if rest else {})


def _times(variable: Contributions, *, dated: bool) -> NDArray[Any]:
    return np.asarray(variable.baseline.coords[DATE if dated else TIME].values)


def _draw_lines(axes: Axes, variable: Contributions, columns: int, *, dated: bool) -> None:
    """The variable without and with all levers."""
    times = _times(variable, dated=dated)
    dress(axes, variable.title, variable.units, columns)
    axes.plot(times, variable.baseline.values, **_WITHOUT)
    axes.plot(times, variable.scenario.values, color=DARK, linewidth=1.3)
    scale_numbers(axes, variable.units, np.concatenate([variable.baseline.values, variable.scenario.values]))
    axes.margins(x=0)
    time_axis(axes, variable.baseline[TIME].attrs.get("units"), dated=dated)


def _draw_wedges(axes: Axes, variable: Contributions, colours: Mapping[str, str], columns: int, *, dated: bool) -> None:
    """What each lever adds above zero, what each takes away below, and what all do."""
    times, parts = _times(variable, dated=dated), _drawn(variable, colours)
    dress(axes, "difference, by lever", variable.units, columns)
    above, below = np.zeros(len(times)), np.zeros(len(times))
    for name in sorted(parts, key=lambda each: -float(np.nansum(np.abs(parts[each])))):
        adds, takes = np.clip(parts[name], 0, None), np.clip(parts[name], None, 0)
        for start, end in ((above, above + adds), (below, below + takes)):
            axes.fill_between(times, start, end, color=colours[name], linewidth=0, label=name)
        above, below = above + adds, below + takes
    axes.plot(times, variable.scenario.values - variable.baseline.values, color="black", linewidth=1.1, label="all")
    axes.axhline(0, color=GREY, linewidth=0.6)
    scale_numbers(axes, variable.units, np.concatenate([above, below]))
    axes.margins(x=0)
    time_axis(axes, variable.baseline[TIME].attrs.get("units"), dated=dated)


def plot_contributions(
    variables: Sequence[Contributions],
    *,
    when: str,
    title: str | None = None,
    origin: Sequence[str] = (),
) -> Figure:
    """For each variable, a bar for each lever at the one time that its arrays hold: its share of what all do together.

    A ring is what the lever does alone, a diamond what it does when all others are moved already; where members are known,
    a line reaches over the middle 90 % of them. The lever that does most is on top; the last bar is what all do. `when` says which time.

    Raises
    ------
    FigureError
        If there is nothing to draw, or more than six variables.
    """
    _check(variables)
    columns = min(len(variables), _COLUMNS)
    colours = _colours(variables)
    rows = max(len(_drawn(each, colours)) for each in variables) + 1
    foot = [line for each in origin for line in textwrap.wrap(each, _PAGE, subsequent_indent="    ")]
    figure, places = page_of_panels(len(variables), columns, 0.75 + _ROW * rows, 0.55 + _FOOT * len(foot))
    for axes, variable in zip(places, variables, strict=True):
        _draw_bars(axes, variable, colours, when, columns)
    handles = [
        Line2D([], [], color=GREY, linewidth=_SWATCH, label="share of the whole (Shapley value)"),
        Line2D([], [], label="alone", **_RING),
        Line2D([], [], label="after all others", **_DIAMOND),
    ]
    if any(each.spread is not None for each in variables):
        handles.append(Line2D([], [], color=DARK, linewidth=0.9, label="90 % of members"))
    _frame(figure, [handles], title, foot)
    return figure


def _draw_bars(axes: Axes, variable: Contributions, colours: Mapping[str, str], when: str, columns: int) -> None:
    """The bars of one variable."""
    parts = {name: float(values[0]) for name, values in _drawn(variable, colours).items()}
    ordered = sorted(parts, key=lambda name: (name == _ALONE, -abs(parts[name])))
    total = float((variable.scenario - variable.baseline).values.ravel()[0])
    dress(axes, f"{variable.title}, {when}", "", columns)
    places = -np.arange(len(ordered) + 1, dtype=float)
    widths = [*(parts[name] for name in ordered), total]
    axes.barh(places, widths, height=_BAR, color=[*(colours[name] for name in ordered), DARK])
    for place, name in zip(places, ordered, strict=False):
        _draw_marks(axes, variable, name, float(place))
    axes.axvline(0, color=GREY, linewidth=0.6)
    labels = [textwrap.fill(name, _NAMES) for name in ordered]
    axes.set_yticks(places, [*labels, "all together"], fontsize=NORMAL - 0.5)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.5)
    axes.set_xlabel(variable.units.replace("_", " "), fontsize=NORMAL, color=GREY)
    axes.locator_params(axis="x", nbins=5)


def _draw_marks(axes: Axes, variable: Contributions, name: str, place: float) -> None:
    """What a lever does alone and last, and how far its members reach."""
    if name == _ALONE:
        return
    marks: tuple[tuple[xr.DataArray | None, dict[str, Any]], ...] = ((variable.alone, _RING), (variable.last, _DIAMOND))
    for values, look in marks:
        if values is not None:
            axes.plot(float(values.sel(lever=name).values.ravel()[0]), place, **look)
    if variable.spread is not None:
        ends = variable.spread.sel(lever=name).values.ravel()
        axes.plot([ends[0], ends[-1]], [place, place], color=DARK, linewidth=0.9, zorder=3)
