"""Which constants matter: a tornado, Morris's elementary effects, and Sobol's shares of the variance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from .labels import label_bars, label_points, write_beside
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
    format_x_axis,
    format_y_axis,
    make_panels,
    style_panel,
    wrap,
)
from .text import plain_text

_MOST = 15
"""The number of constants in a panel; the rest matter less than all of these."""
_BAR, _HEAD = 0.2, 1.15
"""Inches: the height of a constant, and of what stands above and below the bars of a panel."""
_NAME_LINE, _PAGE_LINE = 34, 145
_LOW, _HIGH = COLOURS[0], COLOURS[1]
_RATIOS = (0.1, 0.5, 1.0)
"""Ratios of sigma to mu* up to which an effect is almost linear, monotonic and almost monotonic (Garcia Sanchez et al.,
Energy and Buildings 68, 2014)."""
_GUIDE: dict[str, Any] = {"color": GREY, "linewidth": 0.7, "linestyle": (0, (3, 2))}
_ON_INTERVAL = np.linspace(-1, 1, 41)
"""Places along an interval, which names keep away from."""
_SIGMA = "sigma, standard deviation of effects"


@plain_text
def plot_tornado(found: xr.Dataset, *, title: str | None = None, axes: PanelAxes = None) -> Figure:
    r"""Plot a tornado: bars from the base outcome to the outcomes at the two ends of each constant, the widest on top.

    At the tips stand the values of the constant. A thin line shows outcomes between the ends that exceed both.

    Parameters
    ----------
    found : xarray.Dataset
        A tornado of `sdmodel.find_sensitivities`, one panel per outcome.
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
        If there is no outcome or no constant, or another number of axes than outcomes.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.scenario import Distribution, Sampling, Variation
    >>> uniform = Distribution("RANDOM_UNIFORM", (0.0, 2.0))
    >>> sampling = Sampling("multivariate", variations=(Variation("inflow", (), uniform), Variation("share", (), uniform)))
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> found = sd.find_sensitivities(model, "level", sampling=sampling)
    >>> figure = sd.plot_tornado(found, title="Which constant moves the level?")
    """
    handles: list[Any] = [
        Patch(color=_LOW, label="at the low end"),
        Patch(color=_HIGH, label="at the high end"),
        Line2D([], [], color=DARK, linewidth=0.8, label="base value"),
    ]
    if any(bool(_ranked(found, index)["bent"][:_MOST].any()) for index in range(found.sizes.get("outcome", 0))):
        handles.append(Line2D([], [], color=GREY, linewidth=1.0, label="range between the ends"))
    return _plot(found, _draw_tornado, handles, title, axes)[0]


@plain_text
def plot_sobol(found: xr.Dataset, *, title: str | None = None, axes: PanelAxes = None) -> Figure:
    r"""Plot Sobol's indices: two bars per constant, its share of the variance alone and in total, with 95 % intervals.

    Parameters
    ----------
    found : xarray.Dataset
        Sobol's indices of `sdmodel.find_sensitivities`, one panel per outcome.
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
        If there is no outcome or no constant, or another number of axes than outcomes.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.scenario import Distribution, Sampling, Variation
    >>> uniform = Distribution("RANDOM_UNIFORM", (0.0, 2.0))
    >>> sampling = Sampling("multivariate", variations=(Variation("inflow", (), uniform), Variation("share", (), uniform)))
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> found = sd.find_sensitivities(model, "level", method="sobol", sampling=sampling, samples=64, seed=1)
    >>> figure = sd.plot_sobol(found)
    """
    handles = [
        Patch(color=_LOW, label="ST: total, with interactions"),
        Patch(color=_HIGH, label="S1: alone"),
        Line2D([], [], color=DARK, linewidth=0.8, label="95 % interval"),
    ]
    return _plot(found, _draw_sobol, handles, title, axes)[0]


@plain_text
def plot_morris(found: xr.Dataset, *, title: str | None = None, axes: PanelAxes = None) -> Figure:
    r"""Plot Morris's elementary effects: a point per constant, its mean absolute effect mu* against the deviation sigma.

    Lines from the origin separate effects that are almost the same everywhere from those that depend on other constants or
    change sign.

    Parameters
    ----------
    found : xarray.Dataset
        Elementary effects of `sdmodel.find_sensitivities`, one panel per outcome.
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
        If there is no outcome or no constant, or another number of axes than outcomes.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.scenario import Distribution, Sampling, Variation
    >>> uniform = Distribution("RANDOM_UNIFORM", (0.0, 2.0))
    >>> sampling = Sampling("multivariate", variations=(Variation("inflow", (), uniform), Variation("share", (), uniform)))
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> found = sd.find_sensitivities(model, "level", method="morris", sampling=sampling, seed=1)
    >>> figure = sd.plot_morris(found)
    """
    point: Any = {"color": _LOW, "marker": "o", "markersize": 3.5, "linewidth": 0.5}
    handles = [
        Line2D([], [], label="a constant, with its 95 % interval", **point),
        Line2D([], [], label="sigma / mu*: up to 0.1 almost linear, up to 1 almost monotonic", **_GUIDE),
    ]
    figure, panels = _plot(found, _draw_morris, handles, title, axes, height=3.9)
    for index, panel in enumerate(panels):
        shown = _ranked(found, index).isel(parameter=slice(_MOST))
        names = list(map(str, shown["parameter"].values))
        effects, deviations = shown["mu_star"].values, shown["sigma"].values
        along = effects + _ON_INTERVAL[:, None] * np.nan_to_num(shown["mu_star_conf"].values)
        intervals = np.column_stack([along.ravel(), np.tile(deviations, len(_ON_INTERVAL))])
        label_points(figure, panel, names, np.column_stack([effects, deviations]), avoid=intervals)
    return figure


def _plot(
    found: xr.Dataset,
    draw: Callable[[Axes, xr.Dataset], None],
    handles: Sequence[Any],
    title: str | None,
    axes: PanelAxes,
    height: float | None = None,
) -> tuple[Figure, NDArray[Any]]:
    if not found.sizes.get("outcome") or not found.sizes.get("parameter"):
        message = "the figure: has no outcome or no constant; request at least one of each"
        raise FigureError(message)
    shown = min(found.sizes["parameter"], _MOST)
    figure, panels = make_panels(found.sizes["outcome"], 1, height or _BAR * shown + _HEAD, 0.75, axes)
    for index, panel in enumerate(panels):
        ranked = _ranked(found, index)
        style_panel(panel, str(ranked["outcome"].values), "", 1)
        draw(panel, ranked)
    attributes = found.attrs
    settings = (f"{attributes[name]:,} {name}" for name in ("trajectories", "levels", "samples") if name in attributes)
    seed = (f"seed {attributes['seed']}",) if "seed" in attributes else ()
    method = ", ".join((str(attributes.get("method", "")), *settings, f"{attributes.get('runs', 0):,} runs", *seed))
    origin = [describe_model(found), *wrap("; ".join((method, *describe_changes(found))), _PAGE_LINE)]
    add_frame(panels, title, [handles], origin, columnspacing=1.4)
    return figure, panels


def _ranked(found: xr.Dataset, outcome: int) -> xr.Dataset:
    part = found.isel(outcome=outcome)
    return part.isel(parameter=np.argsort(part["rank"].values))


def _draw_tornado(axes: Axes, ranked: xr.Dataset) -> None:
    """Plot bars from the base, with the values of the constant at their tips; see `plot_tornado`."""
    shown = ranked.isel(parameter=slice(_MOST))
    base = float(ranked["base"])
    reached = [shown[name].values for name in ("low", "high", "least", "most")]
    known = np.array([*np.concatenate(reached), base])
    known = known[np.isfinite(known)]
    start = base if np.isfinite(base) else float(known.mean()) if known.size else 0.0
    columns = (*reached, *(shown[name].values for name in ("bent", "low_value", "high_value")))
    for row, (low, high, least, most, bent, low_value, high_value) in enumerate(zip(*columns, strict=True)):
        for end, colour in sorted([(low, _LOW), (high, _HIGH)], key=lambda bar: -abs(bar[0] - start)):
            axes.barh(row, end - start, left=start, height=0.66, color=colour, linewidth=0)  # the shorter on the longer
        if bent:
            axes.plot([least, most], [row, row], color=GREY, linewidth=1.0)
        # if both bars point one way, the value of the shorter is on the other side
        tips = sorted((low, high, *((least, most) if bent else ())))
        labels = [(low_value, _LOW), (high_value, _HIGH)]
        ends = (min(tips[0], start), max(tips[-1], start))
        for end, (value, colour), side in zip(ends, labels if low <= high else labels[::-1], (-1, 1), strict=True):
            if np.isfinite(end):
                write_beside(axes, value, (end, row), side, colour)
    if np.isfinite(base):
        axes.axvline(base, color=DARK, linewidth=0.8)
    span = float(np.ptp(known)) if known.size else 0.0
    left, right, room = (known.min(), known.max(), 0.1 * span) if span else (start, start, abs(start) or 1.0)
    axes.set_xlim(float(left) - room, float(right) + room)  # room for a number beside each tip
    _label_rows(axes, shown, units=True)
    format_x_axis(axes, str(ranked["outcome_units"].values), known)
    _note_rest(axes, ranked, "swings by at most {:.3g}", "swing")


def _draw_sobol(axes: Axes, ranked: xr.Dataset) -> None:
    shown = ranked.isel(parameter=slice(_MOST))
    rows = np.arange(shown.sizes["parameter"])
    reached = []
    for name, colour, shift in (("ST", _LOW, -0.2), ("S1", _HIGH, 0.2)):
        shares, halves = shown[name].values, shown[f"{name}_conf"].values
        axes.barh(
            rows + shift, shares, xerr=halves, height=0.36, color=colour, linewidth=0,
            error_kw={"elinewidth": 0.7, "ecolor": DARK},
        )  # fmt: skip
        reached += [shares - halves, shares + halves]
    axes.axvline(0.0, color=DARK, linewidth=0.8)
    _label_rows(axes, shown)
    known = np.concatenate(reached)
    if not np.isfinite(known).any():
        style: Any = {"ha": "center", "fontsize": NORMAL, "color": GREY}
        axes.text(0.5, 0.5, "the outcome does not vary", transform=axes.transAxes, **style)
        axes.set_xlim(0, 1)
    format_x_axis(axes, "", known, prefix="share of the variance")
    _note_rest(axes, ranked, "has a share of at most {:.2g}", "ST")
    doubt = str(ranked["doubt"].values) if "doubt" in ranked else ""
    if doubt:
        add_note(axes, f"Not credible: {doubt}. More samples are needed.")


def _draw_morris(axes: Axes, ranked: xr.Dataset) -> None:
    effects, deviations = ranked["mu_star"].values, ranked["sigma"].values
    halves = ranked["mu_star_conf"].values
    right, top = 1.05 * float((effects + np.nan_to_num(halves)).max()) or 1.0, 1.12 * float(deviations.max()) or 1.0
    for ratio in _RATIOS:
        end = min(right, top / ratio)
        axes.plot([0, end], [0, ratio * end], **_GUIDE)
        axes.annotate(
            f"{ratio:g}", (0.95 * end, 0.95 * ratio * end), ha="center", va="center", fontsize=SMALL, color=GREY,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
        )  # fmt: skip
    axes.hlines(deviations, effects - halves, effects + halves, color=_LOW, linewidth=0.5, alpha=0.5)
    axes.plot(effects, deviations, "o", color=_LOW, markersize=3.5)
    format_x_axis(axes, str(ranked["outcome_units"].values), effects, prefix="mu*, mean absolute effect")
    axes.set_ylabel(_SIGMA, fontsize=NORMAL, color=GREY)
    format_y_axis(axes, _SIGMA, deviations)
    axes.set_xlim(0, right)
    axes.set_ylim(0, top)
    if ranked.sizes["parameter"] > _MOST:
        add_note(axes, f"the first {_MOST} of {ranked.sizes['parameter']} constants are labelled")


def _label_rows(axes: Axes, shown: xr.Dataset, *, units: bool = False) -> None:
    label_bars(axes, shown, _NAME_LINE, units=units)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=GRID, linewidth=0.5)


def _note_rest(axes: Axes, ranked: xr.Dataset, what: str, measure: str) -> None:
    """Note the largest measure among the constants that are not in the panel."""
    rest = ranked[measure].values[_MOST:]
    if np.isfinite(rest).any():
        count = f"{_MOST} of {ranked.sizes['parameter']} constants"
        add_note(axes, f"{count}; each of the others {what.format(rest[np.isfinite(rest)].max())}")
