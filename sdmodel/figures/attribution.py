"""What levers contribute: wedges over time between a baseline and a scenario, and bars at one time."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import DATE, PROBABILITY, TIME
from ..errors import FigureError
from .bands import find_bands
from .panels import (
    COLOURS,
    DARK,
    GREY,
    GRID,
    NORMAL,
    SMALL,
    PanelAxes,
    add_frame,
    add_note,
    format_time_axis,
    format_x_axis,
    format_y_axis,
    is_narrow,
    make_grid,
    make_page,
    make_panels,
    mark_extrapolation,
    style_panel,
    wrap,
)
from .text import plain_text

if TYPE_CHECKING:
    from ..comparison import VariableAttribution

_MOST_VARIABLES, _COLUMNS = 6, 3
_REST = "the rest"
_HEIGHT, _FOOT_LINE, _PAGE_LINE = 1.9, 0.11, 150
"""Inches: the height of a panel, and of a line below all of them; and letters on a line of the page."""
_LEGEND: dict[str, Any] = {"letters": 118, "sample": 8, "columnspacing": 1.4, "handlelength": 1.4}
_SWATCH = 6.0
_MARK: dict[str, Any] = {"clip_on": False, "color": DARK, "linestyle": "", "zorder": 4}
_RING = _MARK | {"marker": "o", "markerfacecolor": "white", "markersize": 4}
_DIAMOND = _MARK | {"marker": "D", "markersize": 3}
_BASELINE: dict[str, Any] = {"color": GREY, "linestyle": (0, (4, 1.5)), "linewidth": 1.4}
_ALL, _TOTAL = "all together", "#8A8A8A"
_LIMIT: dict[str, Any] = {"color": "black", "linewidth": 0.8, "linestyle": (0, (1, 1.2))}
_OPACITY = 0.22
"""The opacity of a band; inner bands lie on outer ones."""
_BESIDE, _SMALL_HEIGHT, _SMALL_LINE = 1.9, 1.25, 24
"""The width of wedges divided by that of a lever's band beside them, the height of such a band below them in inches, and the
letters on a line of its title."""
_BAR, _ROW, _NAME_LINE, _SHORT_NAME = 0.62, 0.21, 30, 14
"""The share of a row that its bar fills, the height of a row in inches, and the letters on a line of a lever's name."""


@plain_text
def plot_wedges(
    variables: Sequence[VariableAttribution],
    *,
    names: tuple[str, str] = ("baseline", "scenario"),
    title: str | None = None,
    extrapolation: float | None = None,
    origin: Sequence[str] = (),
    axes: PanelAxes = None,
) -> Figure:
    r"""Plot baseline and scenario of each variable over time and, below, what each lever adds or takes away.

    What levers add is stacked above zero and what they take away below; the black line is the effect of all. A lever has
    one colour in all panels. Of more than seven levers, the six with the largest contributions have colours; the rest are
    grey, together. If members are known, dotted lines are the ends of the band of the whole difference, and beside the wedges
    each lever, and all together, has a panel with its mean and its bands; a variable then fills a row.

    Parameters
    ----------
    variables : sequence of VariableAttribution
        One to six variables.
    names : tuple of two str, optional
        The names of the baseline and the scenario.
    title : str, optional
        The title of the figure.
    extrapolation : float, optional
        The time from which values are extrapolation; they are drawn lighter.
    origin : sequence of str, optional
        Lines below the panels.
    axes : sequence of Axes, optional
        Axes of your own figure, two for each variable: for the variable and for its wedges. By default a new figure is made,
        and only that has panels for single levers.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its panels are `figure.axes`.

    Raises
    ------
    FigureError
        If there is no variable, or there are more than six.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.scenario import Scenario
    >>> from sdmodel.vensim import read_change
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> policy = Scenario("policy", (read_change("inflow = 2"), read_change("share = 3")))
    >>> found = sd.attribute_levers(model, policy, save=["level"])
    >>> figure = sd.plot_wedges([sd.contributions_to(found, "level")])
    >>> figure.axes[0].get_title(loc="left")
    'level'
    """
    colours = _lever_colours(variables)
    foot = [line for text in origin for line in wrap(text, _PAGE_LINE)]
    dated = all(DATE in variable.baseline.coords for variable in variables)
    margin = 0.6 + _FOOT_LINE * len(foot)
    spread = axes is None and all(variable.spread is not None for variable in variables)
    figure, places, columns = (
        _banded_page(len(variables), colours, margin) if spread else _plain_page(len(variables), margin, axes)
    )
    caption = f"{names[1]} minus {names[0]}, by lever"
    for (above, below, *beside), variable in zip(places, variables, strict=True):
        _draw_wedges(above, below, variable, colours, columns, caption, dated=dated)
        if beside:
            _draw_lever_bands(beside, variable, colours, dated=dated)
    times = variables[0].baseline.coords[DATE if dated else TIME].values
    mark_extrapolation(list(chain(*places)), extrapolation, times, dated=dated)
    figure.align_ylabels([place for above, below, *_ in places for place in (above, below)])
    lines = [Line2D([], [], label=names[0], **_BASELINE), Line2D([], [], color=DARK, linewidth=1.3, label=names[1])]
    swatches = [Line2D([], [], color=colour, linewidth=_SWATCH, label=name) for name, colour in colours.items()]
    signs = [Line2D([], [], color="black", linewidth=1.1, label=f"{_ALL}, mean of members")] if spread else []
    signs += [Line2D([], [], label="90 % of members", **_LIMIT)] if spread else []
    add_frame(places[0], title, [lines, signs, swatches], foot, **_LEGEND)
    return figure


def _plain_page(count: int, margin: float, axes: PanelAxes) -> tuple[Figure, list[list[Axes]], int]:
    """Make a page with two panels for each variable, one above the other."""
    if axes is not None:
        figure, places, columns = make_grid(2 * count, (_HEIGHT,) * 4, margin, axes)
        return figure, [list(pair) for pair in places.reshape(count, 2)], columns
    columns = 1 if is_narrow() else min(count, _COLUMNS)
    blocks = -(-count // columns)
    figure, places = make_panels(2 * blocks * columns, columns, _HEIGHT, margin)
    grid = np.asarray(places).reshape(2 * blocks, columns)
    pairs = [list(pair) for block in range(blocks) for pair in grid[2 * block : 2 * block + 2].T]
    for spare in chain(*pairs[count:]):
        spare.set_visible(False)
    return figure, pairs[:count], 2 if is_narrow() else columns


def _banded_page(count: int, colours: Mapping[str, str], margin: float) -> tuple[Figure, list[list[Axes]], int]:
    """Make a page with two panels for each variable and, beside them or in a narrow column below, one for each lever and all."""
    smalls = sum(name != _REST for name in colours) + 1
    across = 2 if is_narrow() else -(-smalls // 2)
    places = []
    if is_narrow():
        rows = 2 + -(-smalls // across)
        figure = make_page(count * (2 * _HEIGHT + (rows - 2) * _SMALL_HEIGHT) + margin)
        grid = figure.add_gridspec(
            count * rows, across, height_ratios=[_HEIGHT] * 2 * count + [_SMALL_HEIGHT] * (rows - 2) * count
        )
        for top in range(0, count * rows, rows):
            cells = [grid[top, :], grid[top + 1, :]]
            cells += [grid[top + 2 + place // across, place % across] for place in range(smalls)]
            places.append([figure.add_subplot(cell) for cell in cells])
        return figure, places, 2
    figure = make_page(2 * _HEIGHT * count + margin)
    grid = figure.add_gridspec(2 * count, 1 + across, width_ratios=[_BESIDE] + [1] * across)
    for top in range(0, 2 * count, 2):
        cells = [grid[top, 0], grid[top + 1, 0]]
        cells += [grid[top + place // across, 1 + place % across] for place in range(smalls)]
        places.append([figure.add_subplot(cell) for cell in cells])
    return figure, places, 2


@plain_text
def plot_contributions(
    variables: Sequence[VariableAttribution],
    *,
    when: str,
    names: tuple[str, str] = ("baseline", "scenario"),
    title: str | None = None,
    origin: Sequence[str] = (),
    axes: PanelAxes = None,
) -> Figure:
    r"""Plot a bar per lever for each variable, at one time: the lever's share of the difference, the largest on top.

    A ring is the effect of the lever alone, a diamond its effect after all others; if members are known, a line covers
    90 % of them. The last bar is the effect of all levers.

    Parameters
    ----------
    variables : sequence of VariableAttribution
        One to six variables, at a single time.
    when : str
        A description of that time.
    names : tuple of two str, optional
        The names of the baseline and the scenario.
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
        If there is no variable, or there are more than six.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.scenario import Scenario
    >>> from sdmodel.vensim import read_change
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> policy = Scenario("policy", (read_change("inflow = 2"), read_change("share = 3")))
    >>> found = sd.attribute_levers(model, policy, save=["level"])
    >>> figure = sd.plot_contributions([sd.contributions_to(found, "level").at("last")], when="at the end")
    >>> figure.axes[0].get_title(loc="left")
    'level, at the end'
    """
    colours = _lever_colours(variables)
    widest = _COLUMNS if all(len(name) <= _SHORT_NAME for name in colours) else _COLUMNS - 1
    columns = 1 if is_narrow() else min(len(variables), widest)
    rows = max(len(_by_colour(variable, colours)) for variable in variables) + 1
    foot = [line for text in origin for line in wrap(text, _PAGE_LINE)]
    figure, places = make_panels(len(variables), columns, 0.75 + _ROW * rows, 0.55 + _FOOT_LINE * len(foot), axes)
    for place, variable in zip(places, variables, strict=True):
        _draw_bars(place, variable, colours, when, columns, f"{names[1]} minus {names[0]}")
    handles = [
        Line2D([], [], color=GREY, linewidth=_SWATCH, label="share of the total (Shapley value)"),
        Line2D([], [], label="changed alone", **_RING),
        Line2D([], [], label="changed after all others", **_DIAMOND),
    ]
    if any(variable.spread is not None for variable in variables):
        handles.append(Line2D([], [], color=DARK, linewidth=0.9, label="90 % of members"))
    add_frame(places, title, [handles], foot, **_LEGEND)
    return figure


def _lever_colours(variables: Sequence[VariableAttribution]) -> dict[str, str]:
    """Return a colour for each lever that is plotted separately, in the order of the scenario, and grey for the rest."""
    if not 0 < len(variables) <= _MOST_VARIABLES:
        message = f"the figure: has {len(variables)} variables; choose 1 to {_MOST_VARIABLES} with --on"
        raise FigureError(message)
    levers = list(map(str, variables[0].contributions["lever"].values))
    if len(levers) <= len(COLOURS):
        return dict(zip(levers, COLOURS, strict=False))
    weights = np.zeros(len(levers))
    for variable in variables:
        weights += variable.sizes / (variable.sizes.sum() or 1.0)
    largest = sorted(np.argsort(-weights, kind="stable")[: len(COLOURS) - 1])
    found = {levers[index]: colour for index, colour in zip(largest, COLOURS, strict=False)}
    return found | {_REST: "#AAAAAA"}


def _by_colour(variable: VariableAttribution, colours: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Return contributions over time by lever; those of levers without a colour of their own are added up."""
    values = np.asarray(variable.shapley.transpose(TIME, "lever").values, dtype=float)
    levers = list(map(str, variable.contributions["lever"].values))
    found = {name: values[:, levers.index(name)] for name in colours if name in levers}
    rest = [index for index, name in enumerate(levers) if name not in colours]
    return found | ({_REST: values[:, rest].sum(axis=1)} if rest else {})


def _draw_wedges(
    above: Axes,
    below: Axes,
    variable: VariableAttribution,
    colours: Mapping[str, str],
    columns: int,
    caption: str,
    *,
    dated: bool,
) -> None:
    """Plot the variable without and with all levers and, below, stack what levers add above zero and take away below."""
    times = np.asarray(variable.baseline.coords[DATE if dated else TIME].values)
    baseline, scenario, parts = variable.baseline.values, variable.scenario.values, _by_colour(variable, colours)
    above.plot(times, baseline, **_BASELINE)
    above.plot(times, scenario, color=DARK, linewidth=1.3)
    top, bottom = np.zeros(len(times)), np.zeros(len(times))
    for name in sorted(parts, key=lambda name: -float(np.nansum(np.abs(parts[name])))):
        adds, takes = np.clip(parts[name], 0, None), np.clip(parts[name], None, 0)
        for start, end in ((top, top + adds), (bottom, bottom + takes)):
            below.fill_between(times, start, end, color=colours[name], linewidth=0, label=name)
        top, bottom = top + adds, bottom + takes
    below.plot(times, scenario - baseline, color="black", linewidth=1.1, label="all")
    below.axhline(0, color=GREY, linewidth=0.6)
    limits: list[NDArray[np.float64]] = []
    if variable.difference_spread is not None:
        levels = variable.difference_spread.transpose(PROBABILITY, TIME)
        for low, high in find_bands(levels[PROBABILITY].values)[:1]:
            limits = [levels.values[low], levels.values[high]]
            for limit in limits:
                below.plot(times, limit, **_LIMIT)
    panels = ((above, variable.name, [baseline, scenario]), (below, caption, [top, bottom, *limits]))
    for axes, title, values in panels:
        style_panel(axes, title, variable.units, columns)
        format_y_axis(axes, variable.units, np.concatenate(values))
        axes.margins(x=0)
        format_time_axis(axes, variable.baseline[TIME].attrs.get("units"), dated=dated)


def _draw_lever_bands(
    places: Sequence[Axes], variable: VariableAttribution, colours: Mapping[str, str], *, dated: bool
) -> None:
    """Plot the mean and the bands over members of what each lever, and all together, contribute, on one scale."""
    times = np.asarray(variable.baseline.coords[DATE if dated else TIME].values)
    parts = [
        (
            name,
            colour,
            variable.shapley.sel(lever=name),
            None if variable.spread is None else variable.spread.sel(lever=name),
        )
        for name, colour in colours.items()
        if name != _REST
    ]
    parts.append((_ALL, DARK, variable.scenario - variable.baseline, variable.difference_spread))
    reached = []
    for axes, (name, colour, mean, spread) in zip(places, parts, strict=True):
        style_panel(axes, "", "", 1)
        axes.set_title(textwrap.fill(name, _SMALL_LINE), loc="left", fontsize=SMALL, pad=3)
        if spread is not None:
            levels = spread.transpose(PROBABILITY, TIME)
            for low, high in find_bands(levels[PROBABILITY].values):
                edges = levels.values[low], levels.values[high]
                axes.fill_between(times, *edges, color=colour, alpha=_OPACITY, linewidth=0)
                reached += list(edges)
        axes.plot(times, mean.values, color=colour, linewidth=1.2)
        axes.axhline(0, color=GREY, linewidth=0.6)
        reached.append(mean.values)
    values = np.concatenate(reached)
    finite = values[np.isfinite(values)]
    room = 0.05 * float(np.ptp(finite)) if finite.size else 0.0
    for axes in places:
        format_y_axis(axes, variable.units, values)
        if room:
            axes.set_ylim(float(finite.min()) - room, float(finite.max()) + room)
        axes.set_ylabel("")
        axes.margins(x=0)
        format_time_axis(axes, variable.baseline[TIME].attrs.get("units"), dated=dated, most=3)
        axes.tick_params(labelsize=SMALL - 0.5)


def _draw_bars(
    axes: Axes, variable: VariableAttribution, colours: Mapping[str, str], when: str, columns: int, caption: str
) -> None:
    parts = {name: float(values[0]) for name, values in _by_colour(variable, colours).items()}
    ordered = sorted(parts, key=lambda name: (name == _REST, -abs(parts[name])))
    total = float((variable.scenario - variable.baseline).values.ravel()[0])
    style_panel(axes, f"{variable.name}, {when}", "", columns)
    rows = -np.arange(len(ordered) + 1, dtype=float)
    widths = [*(parts[name] for name in ordered), total]
    axes.barh(rows, widths, height=_BAR, color=[*(colours[name] for name in ordered), _TOTAL])
    for row, name in zip(rows, ordered, strict=False):
        if name == _REST:
            continue
        for measure, style in (("alone", _RING), ("last", _DIAMOND)):
            value = variable.contributions.sel(lever=name, measure=measure)
            axes.plot(float(value.values.ravel()[0]), row, **style)
        if variable.spread is not None:  # the range of members
            ends = variable.spread.sel(lever=name).values.ravel()
            axes.plot([ends[0], ends[-1]], [row, row], color=DARK, linewidth=0.9, zorder=3)
    axes.axvline(0, color=GREY, linewidth=0.6)
    if variable.difference_spread is not None:
        ends = variable.difference_spread.values.ravel()
        axes.plot([ends[0], ends[-1]], [rows[-1], rows[-1]], color=DARK, linewidth=0.9, zorder=3)
    labels = [textwrap.fill(name, _NAME_LINE) for name in ordered]
    axes.set_yticks(rows, [*labels, _ALL], fontsize=NORMAL - 0.5)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    reached = [np.asarray(line.get_xdata(), dtype=float).ravel() for line in axes.lines]
    format_x_axis(axes, variable.units, np.concatenate([widths, *reached]))
    add_note(axes, caption)
