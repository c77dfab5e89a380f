"""A ranking of levers: the effect of each on the target, and the trade-off with another outcome."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from .. import numerals
from ..dataset import PROBABILITY, TIME, describe_model
from ..errors import FigureError
from .labels import label_points
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
    describe_changes,
    format_number,
    format_units,
    format_x_axis,
    format_y_axis,
    is_narrow,
    make_panels,
    style_panel,
    wrap,
)
from .text import plain_text

_MOST = 20
"""The number of levers in the figure; the rest do less than all of these."""
_ROW, _HEAD, _LOWEST, _WIDE = 0.21, 1.0, 3.4, 9.6
"""Inches: the height of a lever, of what stands above and below the bars, of the panels at least, and the width of the figure."""
_BAR, _NAME_LINE, _PAGE_LINE, _LABEL_WIDTH = 0.62, 34, 190, 78.0
"""The share of a row that its bar fills, letters on a line, and the width of a label in points."""
_AXIS_LINE = 30
"""Letters on a line below a panel in a narrow column."""
_OTHERS = "#AAAAAA"
_POINT: dict[str, Any] = {"color": DARK, "marker": "o", "markersize": 5, "linewidth": 0}
_NAMED = 0.02
"""A lever has a name beside its arrow if it moves one axis by at least this share of the longest arrow."""
_ROOM, _MORE_ROOM = 0.18, 0.3
"""The room for names around the arrows, as a share of their reach, and more of it on the side of the baseline."""
_ON_ARROW = np.linspace(0.2, 0.95, 12)[:, None]


@plain_text
def plot_ranking(found: xr.Dataset, *, title: str | None = None, axes: PanelAxes = None) -> Figure:
    r"""Plot the effect of each lever on the target as bars, and each lever's trade-off with another outcome as arrows.

    The bars are in the order of the ranking, with lines for 90 % of the members of an ensemble and the share of members in
    which a lever ranks first. The arrows lead from the baseline to the outcomes with one lever moved; the other outcome is the
    value over time, or else the first further outcome. Without one, there are bars only.

    Parameters
    ----------
    found : xarray.Dataset
        A ranking, as `sdmodel.rank_levers` returns it.
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
        If there is no lever.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> found = sd.rank_levers(model, "level", levers={"inflow": (0, 2), "share": (0, 1)}, goal="max")
    >>> figure = sd.plot_ranking(found)
    """
    levers = found.sizes.get("lever", 0) - 1
    if levers < 1:
        message = "the figure: has no lever; rank at least one"
        raise FigureError(message)
    rows = np.append(np.arange(min(levers, _MOST)), levers)
    shown = found.isel(lever=rows)
    traded = found.sizes["outcome"] > 1
    colours = _colours(shown)
    side_by_side = traded and not is_narrow()
    height = max(_LOWEST, _HEAD + _ROW * len(rows))
    figure, panels = make_panels(1 + traded, 1 + side_by_side, height, 0.7, axes)
    if side_by_side and axes is None:
        figure.set_figwidth(_WIDE)
    _draw_bars(panels[0], shown, colours, 4 if is_narrow() else 1 + traded)
    if levers > _MOST:
        add_note(panels[0], f"the first {_MOST} of {levers} levers")
    add_frame(panels, title, [_handles(shown)], _origin(found))
    if traded:
        _draw_trade_off(figure, panels[1], shown, colours)
    return figure


def _colours(shown: xr.Dataset) -> list[str]:
    """A colour for each of the levers that move the outcomes most, dark for all together, and grey for the rest."""
    moved = _relative(shown).max(axis=1)[:-1]
    largest = [int(place) for place in np.argsort(-moved, kind="stable")[: len(COLOURS) - 1] if moved[place] > _NAMED]
    colours = [_OTHERS] * len(moved)
    for place, colour in zip(sorted(largest), COLOURS, strict=False):
        colours[place] = colour
    return [*colours, DARK]


def _relative(shown: xr.Dataset) -> NDArray[np.float64]:
    """The sizes of effects on the plotted outcomes as shares of the largest of a single lever, shape (levers, outcomes)."""
    sizes = np.nan_to_num(np.abs(shown["effect"].transpose("lever", "outcome").values[:, :2]))
    largest = sizes[:-1].max(axis=0)
    return np.asarray(sizes / np.where(largest > 0, largest, 1.0))


def _handles(shown: xr.Dataset) -> list[Line2D]:
    swatch: dict[str, Any] = {"linewidth": 6.0}
    handles = [Line2D([], [], color=GREY, label="one lever alone", **swatch)]
    handles.append(Line2D([], [], color=DARK, label="all levers together", **swatch))
    if PROBABILITY in shown.dims:
        handles.append(Line2D([], [], color=DARK, linewidth=0.9, label="90 % of members"))
    if shown.sizes["outcome"] > 1:
        handles.append(Line2D([], [], label="baseline", **_POINT))
    return handles


def _draw_bars(axes: Axes, shown: xr.Dataset, colours: Sequence[str], columns: int) -> None:
    effects = shown["effect"].isel(outcome=0).values
    rows = np.append(np.arange(len(effects) - 1), len(effects) - 0.6)
    units, name = str(shown["units"].values[0]), str(shown["outcome"].values[0])
    style_panel(axes, f"Effect of each lever on {name} {shown['when'].values[0]}", "", columns)
    axes.barh(rows, np.nan_to_num(effects), height=_BAR, color=list(colours), linewidth=0)
    reached = [effects[np.isfinite(effects)], np.zeros(1)]
    if PROBABILITY in shown.dims:
        spread = shown["effect_spread"].isel(outcome=0).transpose("lever", PROBABILITY).values[:, [0, -1]]
        halo = [withStroke(linewidth=2.2, foreground="white")]
        axes.hlines(rows, *spread.T, color=DARK, linewidth=0.9, zorder=3, path_effects=halo)
        reached.append(spread[np.isfinite(spread)])
    for row, effect, side in zip(rows, effects, shown["side"].values, strict=True):
        if side == "present" or np.isnan(effect):
            words = "no gain" if side == "present" else "not finite"
            right = np.nansum(effects) > 0  # on the side of the bars, since the shares of members are at the right
            style: Any = {"textcoords": "offset points", "va": "center", "fontsize": SMALL, "color": GREY}
            axes.annotate(words, (0, row), (3 if right else -3, 0), ha="left" if right else "right", **style)
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.set_yticks(
        rows, [textwrap.fill(_describe(shown, place), _NAME_LINE) for place in range(len(rows))], fontsize=NORMAL - 0.5
    )
    axes.tick_params(axis="y", length=0, labelcolor=DARK)
    axes.set_ylim(rows[-1] + 0.6, -0.6)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    base = numerals.format_number(float(shown["baseline"].values[0]), units).replace("-", "\u2212")
    format_x_axis(axes, units, np.concatenate(reached), prefix=f"change from {base}")
    if PROBABILITY in shown.dims:
        _draw_shares(axes, rows, shown["ranks_first"].values)


def _describe(shown: xr.Dataset, place: int) -> str:
    """The name of a lever, and where it moves to."""
    name, chosen = str(shown["lever"].values[place]), float(shown["chosen"].values[place])
    side = str(shown["side"].values[place])
    if side not in ("low", "high"):
        return name
    return f"{name}, {side} end" if np.isnan(chosen) else f"{name}\u00a0→\u00a0{format_number(chosen, 4)}"


def _draw_shares(axes: Axes, rows: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """Write the share of members in which each lever ranks first in a column at the right of the bars."""
    style: Any = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "fontsize": SMALL,
        "color": DARK,
    }
    axes.annotate("first in", (1, -0.6), (30, 3), ha="right", va="bottom", **style)
    for row, share in zip(rows, shares, strict=True):
        if np.isfinite(share):
            axes.annotate(f"{100 * share:.0f} %", (1, row), (30, 0), ha="right", va="center", **style)


def _draw_trade_off(figure: Figure, axes: Axes, shown: xr.Dataset, colours: Sequence[str]) -> None:
    baseline = shown["baseline"].values[:2]
    ends = baseline + shown["effect"].transpose("lever", "outcome").values[:, :2]
    names, units = shown["outcome"].values[:2], shown["units"].values[:2]
    when = shown["when"].values[:2]
    style_panel(axes, f"Trade-off with {names[1]} {when[1]}", str(units[1]), 3 if is_narrow() else 2)
    known = np.isfinite(ends).all(axis=1)
    far = _relative(shown).max(axis=1) >= _NAMED
    drawn = [int(place) for place in np.flatnonzero(known & far)]
    for place in reversed(drawn):  # the best on top
        axes.annotate(
            "", tuple(ends[place]), tuple(baseline),
            arrowprops={"arrowstyle": "-|>", "color": colours[place], "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0,
                        "mutation_scale": 7},
        )  # fmt: skip
    axes.plot(*baseline, zorder=4, **_POINT)
    reached = np.vstack([ends[drawn], baseline])
    low, high = reached.min(axis=0), reached.max(axis=0)
    room = _ROOM * np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    smaller = "smaller" if shown.attrs.get("goal") == "min" else "larger"
    format_x_axis(axes, str(units[0]), reached[:, 0], prefix=f"{names[0]} {when[0]} ({smaller} is better)")
    axes.set_xlabel("\n".join(textwrap.wrap(axes.get_xlabel(), _AXIS_LINE if is_narrow() else _PAGE_LINE)))
    format_y_axis(axes, str(units[1]), reached[:, 1])
    more = _MORE_ROOM / _ROOM * room[0]
    right = 2 * baseline[0] > low[0] + high[0]
    axes.set_xlim(low[0] - room[0] - (0 if right else more), high[0] + room[0] + (more if right else 0))
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    if not known.all():
        add_note(axes, "levers without a finite outcome are left out")
    far_first = sorted(drawn, key=lambda place: -float(_relative(shown)[place].max()))
    along = (baseline + _ON_ARROW * (ends[place] - baseline) for place in drawn)
    label_points(
        figure,
        axes,
        [str(shown["lever"].values[place]) for place in far_first],
        ends[far_first].reshape(-1, 2),
        width=_LABEL_WIDTH,
        avoid=np.vstack([*along, baseline]),
    )


def _origin(found: xr.Dataset) -> list[str]:
    record = found.attrs
    members = f"; {record['members']:,} members, each run with and without each lever" if record.get("members") else ""
    lines = ["; ".join((f"{record.get('runs', 0):,} runs", *describe_changes(found))) + members]
    if "value" in record:
        units = format_units(str(found[TIME].attrs.get("units", ""))) or "unit of time"
        rate = f"discounted at {100 * record['rate']:.4g} % per {units}" if record["rate"] else "not discounted"
        lines.append(f"value of {record['value']} from {record['since']:.10g} to {record['until']:.10g}, {rate}")
    return [describe_model(found), *(part for line in lines for part in wrap(line, _PAGE_LINE))]
