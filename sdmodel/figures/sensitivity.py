"""Which constants matter: a tornado, Morris's effects against their spread, Sobol's shares of the variance."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..errors import FigureError
from .panels import model_lines
from .points import label_points
from .style import COLOURS, DARK, GREY, LARGE, NORMAL, SMALL, dress, page_of_panels, scale_across, scale_numbers

_MOST = 15
"""So many constants fit a panel; the rest matter less than all of these."""
_BAR, _HEAD = 0.2, 1.15
"""Inches: of a constant, and of what stands above and below the bars of a panel."""
_NAME, _PAGE = 34, 145
_BARE = frozenset({"", "dmnl", "1"})
"""Units of numbers that need none."""
_LOW, _HIGH = COLOURS[0], COLOURS[1]
_RATIOS = (0.1, 0.5, 1.0)
"""Ratios of sigma to mu* up to which an effect is linear, one way, and nearly so (Garcia Sanchez et al., Energy and
Buildings 68, 2014)."""
_GUIDE: dict[str, Any] = {"color": GREY, "linewidth": 0.7, "linestyle": (0, (3, 2))}


def plot_tornado(found: xr.Dataset, *, title: str | None = None) -> Figure:
    """Bars from the outcome where nothing moves to those at the two ends of each constant, the largest swing on top.

    At the tips stand the constant's own values. Where what lies between the ends goes beyond them a thin line shows how far.
    There is one panel for each outcome, in its units.

    Raises
    ------
    FigureError
        If there is nothing to draw.
    """
    handles: list[Any] = [
        Patch(color=_LOW, label="at the low end"),
        Patch(color=_HIGH, label="at the high end"),
        Line2D([], [], color=DARK, linewidth=0.8, label="where nothing moves"),
    ]
    if any(bool(_first(_ranked(found, place))["bent"].any()) for place in range(found.sizes.get("outcome", 0))):
        handles.append(Line2D([], [], color=GREY, linewidth=1.0, label="reached between the ends"))
    return _page(found, _draw_tornado, handles, title)


def plot_sobol(found: xr.Dataset, *, title: str | None = None) -> Figure:
    """Two bars for each constant, the share of the variance that it decides by itself and in all, with intervals of 95 %.

    Raises
    ------
    FigureError
        If there is nothing to draw.
    """
    handles = [
        Patch(color=_LOW, label="ST: together with others"),
        Patch(color=_HIGH, label="S1: by itself"),
        Line2D([], [], color=DARK, linewidth=0.8, label="interval of 95 %"),
    ]
    return _page(found, _draw_sobol, handles, title)


def plot_morris(found: xr.Dataset, *, title: str | None = None) -> Figure:
    """A point for each constant: how large its effect is on the mean, and how much it differs from place to place.

    Lines from the corner part effects that are nearly the same everywhere from those that depend on other constants, or
    turn round.

    Raises
    ------
    FigureError
        If there is nothing to draw.
    """
    handles = [
        Line2D(
            [], [], color=_LOW, marker="o", markersize=3.5, linewidth=0.5, label="a constant, with the interval of 95 %"
        ),
        Line2D([], [], label="sigma / mu*: up to 0.1 nearly linear, up to 1 mostly one way", **_GUIDE),
    ]
    figure = _page(found, _draw_morris, handles, title, height=3.9)
    for place, axes in enumerate(figure.axes):
        shown = _first(_ranked(found, place))
        names = [str(each) for each in shown["parameter"].values]
        label_points(axes, names, shown["mu_star"].values, shown["sigma"].values)
    return figure


def _page(
    found: xr.Dataset,
    draw: Callable[[Axes, xr.Dataset], None],
    handles: Sequence[Any],
    title: str | None,
    height: float | None = None,
) -> Figure:
    """A panel for each outcome, one below the other, and what its signs mean above; where the numbers come from, below."""
    if not found.sizes.get("outcome") or not found.sizes.get("parameter"):
        message = "the figure: has no outcome or no constant; ask for at least one of each"
        raise FigureError(message)
    shown = min(found.sizes["parameter"], _MOST)
    figure, panels = page_of_panels(found.sizes["outcome"], 1, height or _BAR * shown + _HEAD, 0.75)
    for place, axes in enumerate(panels):
        ranked = _ranked(found, place)
        dress(axes, str(ranked["outcome"].values), "", 1)
        draw(axes, ranked)
    figure.legend(
        handles=handles, loc="outside upper left", ncols=4, fontsize=NORMAL, frameon=False, title=title, alignment="left",
        title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3, columnspacing=1.4,
    )  # fmt: skip
    figure.supxlabel("\n".join(_origin(found)), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)
    return figure


def _draw_tornado(axes: Axes, ranked: xr.Dataset) -> None:
    shown = _first(ranked)
    low, high, least, most = (shown[name].values for name in ("low", "high", "least", "most"))
    known = np.array([*low, *high, *least, *most, float(ranked["base"])])
    known = known[np.isfinite(known)]
    base = float(ranked["base"])
    start = base if np.isfinite(base) else float(known.mean()) if known.size else 0.0
    places = np.arange(len(low))
    for place in places:
        ends = [(low[place], _LOW), (high[place], _HIGH)]
        for end, colour in sorted(ends, key=lambda each: -abs(each[0] - start)):  # the shorter bar lies on the longer
            axes.barh(place, end - start, left=start, height=0.66, color=colour, linewidth=0)
        if shown["bent"].values[place]:
            axes.plot([least[place], most[place]], [place, place], color=GREY, linewidth=1.0)
    if np.isfinite(base):
        axes.axvline(base, color=DARK, linewidth=0.8)
    span = np.ptp(known) if known.size else 0.0
    axes.set_xlim(*_widened(known, start, span))
    _name_tips(axes, shown, start)
    _name_rows(axes, shown, units=True)
    scale_across(axes, str(ranked["outcome_units"].values), known)
    _tell_rest(axes, ranked, "swings by {:.3g} at most", "swing")


def _widened(known: NDArray[np.float64], start: float, span: float) -> tuple[float, float]:
    """The ends of an axis that leave room for a number beside each tip."""
    if not span:
        return start - (abs(start) or 1.0), start + (abs(start) or 1.0)
    return float(known.min()) - 0.1 * span, float(known.max()) + 0.1 * span


def _name_tips(axes: Axes, shown: xr.Dataset, start: float) -> None:
    """The values of each constant at the tips of its bars; where both bars go one way, the shorter's on the other side."""
    for place in range(shown.sizes["parameter"]):
        part = shown.isel(parameter=place)
        low, high = float(part["low"]), float(part["high"])
        left_is_low = low <= high
        tips = sorted((low, high, *((float(part["least"]), float(part["most"])) if part["bent"] else ())))
        values = [float(part[name]) for name in ("low_value", "high_value")]
        texts = values if left_is_low else values[::-1]
        colours = (_LOW, _HIGH) if left_is_low else (_HIGH, _LOW)
        ends = (min(tips[0], start), max(tips[-1], start))
        for end, value, colour, side in zip(ends, texts, colours, (-1, 1), strict=True):
            if np.isfinite(end):
                axes.annotate(
                    f"{value:.4g}".replace("-", "\u2212"), (end, place), (3 * side, 0), textcoords="offset points",
                    ha="right" if side < 0 else "left", va="center", fontsize=SMALL - 0.5, color=colour,
                )  # fmt: skip


def _draw_sobol(axes: Axes, ranked: xr.Dataset) -> None:
    shown = _first(ranked)
    places = np.arange(shown.sizes["parameter"])
    reached = []
    for name, colour, shift in (("ST", _LOW, -0.2), ("S1", _HIGH, 0.2)):
        shares, halves = shown[name].values, shown[f"{name}_conf"].values
        axes.barh(
            places + shift, shares, xerr=halves, height=0.36, color=colour, linewidth=0,
            error_kw={"elinewidth": 0.7, "ecolor": DARK},
        )  # fmt: skip
        reached += [shares - halves, shares + halves]
    axes.axvline(0.0, color=DARK, linewidth=0.8)
    _name_rows(axes, shown)
    known = np.concatenate(reached)
    if not np.isfinite(known).any():
        axes.text(0.5, 0.5, "does not vary", transform=axes.transAxes, ha="center", fontsize=NORMAL, color=GREY)
        axes.set_xlim(0, 1)
    scale_across(axes, "", known, prefix="share of the variance")
    _tell_rest(axes, ranked, "has a share of {:.2g} at most", "ST")


def _draw_morris(axes: Axes, ranked: xr.Dataset) -> None:
    sizes, spreads = ranked["mu_star"].values, ranked["sigma"].values
    right, top = 1.15 * float(sizes.max()) or 1.0, 1.12 * float(spreads.max()) or 1.0
    for ratio in _RATIOS:
        end = min(right, top / ratio)
        axes.plot([0, end], [0, ratio * end], **_GUIDE)
        axes.annotate(
            f"{ratio:g}", (0.95 * end, 0.95 * ratio * end), ha="center", va="center", fontsize=SMALL, color=GREY,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
        )  # fmt: skip
    halves = ranked["mu_star_conf"].values
    axes.hlines(spreads, sizes - halves, sizes + halves, color=_LOW, linewidth=0.5, alpha=0.5)
    axes.plot(sizes, spreads, "o", color=_LOW, markersize=3.5)
    scale_across(axes, str(ranked["outcome_units"].values), sizes, prefix="mu*, the mean size of effects")
    axes.set_ylabel("sigma, their standard deviation", fontsize=NORMAL, color=GREY)
    scale_numbers(axes, "sigma, their standard deviation", spreads)
    axes.set_xlim(0, right)
    axes.set_ylim(0, top)
    if ranked.sizes["parameter"] > _MOST:
        _add_below(axes, f"the first {_MOST} of {ranked.sizes['parameter']} constants are named")


def _ranked(found: xr.Dataset, place: int) -> xr.Dataset:
    """One outcome with its constants by rank."""
    part = found.isel(outcome=place)
    return part.isel(parameter=np.argsort(part["rank"].values))


def _first(ranked: xr.Dataset) -> xr.Dataset:
    """The constants that matter most, as many as a panel holds."""
    return ranked.isel(parameter=slice(_MOST))


def _name_rows(axes: Axes, shown: xr.Dataset, *, units: bool = False) -> None:
    """The names of constants beside their bars, the first on top, with the `units` of their numbers."""
    names = []
    for name, own in zip(shown["parameter"].values, shown["parameter_units"].values, strict=True):
        told = f"{name} ({str(own).replace('_', ' ')})" if units and str(own).lower() not in _BARE else str(name)
        names.append("\n".join(textwrap.wrap(told, _NAME)))
    axes.set_yticks(range(len(names)), names, fontsize=NORMAL - 0.5, color=DARK)
    for each in axes.get_yticklabels():
        each.set_parse_math(False)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.5)


def _tell_rest(axes: Axes, ranked: xr.Dataset, what: str, measure: str) -> None:
    """How much the constants matter at most that the panel does not hold."""
    rest = ranked[measure].values[_MOST:]
    rest = rest[np.isfinite(rest)]
    if rest.size:
        _add_below(
            axes, f"{_MOST} of {ranked.sizes['parameter']} constants; each of the rest {what.format(rest.max())}"
        )


def _add_below(axes: Axes, text: str) -> None:
    """A line more below a panel."""
    axes.set_xlabel(f"{axes.get_xlabel()}\n{text}".strip(), fontsize=SMALL, color=GREY)


def _origin(found: xr.Dataset) -> list[str]:
    """Model and hash; how many runs, and what the scenario is."""
    told = found.attrs
    settings = (f"{told[name]:,} {name}" for name in ("trajectories", "levels", "samples") if name in told)
    seed = (f"seed {told['seed']}",) if "seed" in told else ()
    changes = (str(told.get("scenario_name", "")), *str(told.get("changes", "")).splitlines())
    way = ", ".join((str(told.get("method", "")), *settings, f"{told.get('runs', 0):,} runs", *seed))
    text = "; ".join((way, *filter(None, changes)))
    return [*model_lines({"": found}), *textwrap.wrap(text, _PAGE, subsequent_indent="    ")]
