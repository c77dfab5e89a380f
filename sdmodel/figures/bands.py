"""Bands over time: ensembles, their differences from a baseline, and a model against observations, a panel per variable."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..dataset import (
    DATE,
    MODEL_ERROR,
    PROBABILITY,
    RATIO,
    TIME,
    describe_sampling,
    find_variable,
    labels_along,
    long_name,
    subscript_dims,
)
from ..errors import FigureError, format_count
from .layout import Scale
from .panels import (
    COLOURS,
    DASHES,
    GREY,
    SMALL,
    PanelAxes,
    add_frame,
    add_legend,
    add_note,
    check_runs,
    choose_evenly,
    describe_changes,
    describe_models,
    format_time_axis,
    make_grid,
    mark_extrapolation,
    named_runs,
    over_time,
    scale_y_axis,
    style_panel,
    wrap,
)
from .text import plain_text

_MEDIAN, _NEAR = 0.5, 1e-9
_FAINT, _STRONG = 0.16, 0.34
"""The opacity of the widest band and of the narrowest."""
_MOST_LABELS = 4
"""At most this many labels, each with its bands, can be distinguished in a panel."""
_LABEL_LINE, _PAGE_LINE = 24, 145
"""Letters on a line of a label in the legend, and on a line of the page."""
_RATIO_WIDE = 5.0
"""Ratios that span more than this factor have a logarithmic axis."""
_BELOW_OBSERVED = 100.0
"""A logarithmic axis reaches below the lowest observation by this factor at most, since models may start near zero."""
_FIT_OPACITIES = (0.15, 0.25, 0.35, 0.45)
_MODEL, _POINTS = COLOURS[0], COLOURS[1]


@dataclass(frozen=True)
class _Fan:
    """One label of one variable in one run: quantiles of shape (levels, times), members of shape (times, members)."""

    label: str
    colour: str
    times: NDArray[Any]
    levels: NDArray[np.float64]
    values: NDArray[np.float64]
    members: NDArray[np.float64] | None
    dashes: Any = "-"


@plain_text
def plot_bands(
    runs: xr.Dataset | Mapping[str, xr.Dataset],
    names: str | Sequence[str],
    *,
    spaghetti: Mapping[str, xr.Dataset] | None = None,
    title: str | None = None,
    scales: Mapping[str, Scale] | None = None,
    extrapolation: float | None = None,
    logarithmic: bool = False,
    axes: PanelAxes = None,
) -> Figure:
    r"""Plot medians and bands of ensembles over time as small multiples, one panel per variable, in its units.

    With several runs, colours are runs and dashes are labels of a subscripted variable; with one run, colours are labels.
    At most four labels are plotted. The y axis is logarithmic where positive values span more than three decades, unless
    `scales` chooses.

    Parameters
    ----------
    runs : xarray.Dataset or mapping of str to xarray.Dataset
        Quantiles over the dimension `probability`, as `sdmodel.quantiles` returns them: two levels that mirror each other
        are the edges of a band, 0.5 is the line. A run without that dimension is a line.
    names : str or sequence of str
        The variables.
    spaghetti : mapping of str to xarray.Dataset, optional
        A few members of a run, plotted as thin lines, by the name of the run.
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
        If there is nothing to plot, or there are too many runs.
    DatasetError
        If a run lacks one of the variables.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> members = sd.simulate(model, {"inflow": [1.0, 2.0, 4.0]})
    >>> figure = sd.plot_bands(sd.quantiles(members, "level", [0.05, 0.5, 0.95]), "level")
    >>> figure.axes[0].get_title(loc="left")
    'level'
    """
    runs, names = named_runs(runs), [names] if isinstance(names, str) else names
    check_runs(runs, names)
    figure, panels, columns = make_grid(len(names), (3.9, 2.5, 1.95, 1.95), 0.75, axes)
    dated = all(DATE in run.coords for run in runs.values())
    for panel, name in zip(panels, names, strict=True):
        scale: Scale = "log" if logarithmic else (scales or {}).get(name, "")
        _draw_variable(panel, runs, name, spaghetti or {}, columns, scale, dated=dated)
    times = np.concatenate([run[DATE if dated else TIME].values for run in runs.values()])
    mark_extrapolation(list(panels), extrapolation, times, dated=dated)
    figure.align_ylabels(panels)
    coloured = zip(runs.items(), COLOURS, strict=False)
    groups = [_handles(run, name, colour, several=len(runs) > 1) for (name, run), colour in coloured]
    if spaghetti:
        groups[0].append(Line2D([], [], color=COLOURS[0], linewidth=0.5, alpha=0.6, label="single members"))
    if not any(len(group) > 1 for group in groups):
        groups = [list(itertools.chain(*groups))]
    add_frame(panels, title, groups, _origin(runs), columnspacing=1.6, handlelength=1.8)
    return figure


def _handles(run: xr.Dataset, name: str, colour: str, *, several: bool) -> list[Any]:
    """Return the line of a run in the legend, and its bands, the narrowest first."""
    levels = run[PROBABILITY].values if PROBABILITY in run.dims else np.array([_MEDIAN])
    median = f"{name}: median" if several else "median"
    handles: list[Any] = [Line2D([], [], color=colour, linewidth=1.5, label=median if levels.size > 1 else name)]
    bands = find_bands(levels)
    for rank, (low, high) in reversed(list(enumerate(bands))):
        share = 100 * (levels[high] - levels[low])
        # a band lies on the wider ones, so its sample has the opacity of all of them together
        clear = math.prod(1 - _opacity(outer, len(bands)) for outer in range(rank + 1))
        handles.append(Patch(facecolor=colour, alpha=1 - clear, linewidth=0, label=f"{share:.4g} % of members"))
    return handles


def _origin(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Describe the models and, for each run, its changes, its members, and the model error in its bands."""
    origin = describe_models(runs)
    for name, run in runs.items():
        text = "; ".join(filter(None, (*describe_changes(run), _describe_members(run)))) or "no changes"
        origin += wrap(f"{name}: {text}", _PAGE_LINE)
        wide = [variable for variable in run.data_vars.values() if MODEL_ERROR in variable.attrs]
        if wide:
            variables, file = ", ".join(map(long_name, wide)), wide[0].attrs[MODEL_ERROR]
            origin += wrap(f"bands of {variables} include the model error of {file}", _PAGE_LINE)
    return origin


@plain_text
def plot_differences(
    baseline: str,
    before: xr.Dataset,
    differences: Mapping[str, xr.Dataset],
    names: Sequence[str],
    *,
    title: str | None = None,
    extrapolation: float | None = None,
    axes: PanelAxes = None,
) -> Figure:
    r"""Plot differences from a baseline over time, one panel per variable; the baseline is the level line.

    Colours are runs, the same as those of `plot_runs` with the baseline first. Variables with the attribute `is_ratio` are
    divided by the baseline, and their axes say so.

    Parameters
    ----------
    baseline : str
        The name of the baseline.
    before : xarray.Dataset
        The run of the baseline.
    differences : mapping of str to xarray.Dataset
        The difference of each run from `before`, or quantiles of it over `probability`, which are a median and bands.
    names : sequence of str
        The variables.
    title : str, optional
        The title of the figure; by default it says what is subtracted from what.
    extrapolation : float, optional
        The time from which values are extrapolation; they are drawn lighter.
    axes : Axes or sequence of Axes, optional
        Axes of your own figure, one for each panel; by default a new figure is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its panels are `figure.axes`.

    Raises
    ------
    FigureError
        If there is nothing to plot, or there are too many runs.
    DatasetError
        If one of the differences lacks a variable.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> base, twice = sd.simulate(model), sd.simulate(model, {"inflow": 2})
    >>> figure = sd.plot_differences("base", base, {"twice": (twice - base).assign_attrs(twice.attrs)}, ["level"])
    >>> figure.axes[0].get_title(loc="left")
    'level'
    """
    frames = {name: find_variable(run, name) for run in reversed(list(differences.values())) for name in names}
    levels = {
        name: frame.isel({PROBABILITY: 0}, drop=True) if PROBABILITY in frame.dims else frame
        for name, frame in frames.items()
    }
    ratios = [level.name for level in levels.values() if RATIO in level.attrs]
    shown = {name: _with_ratio_units(run, baseline) for name, run in differences.items()}
    zero = _with_ratio_units(
        xr.Dataset(
            {
                level.name: xr.full_like(level, float(level.name in ratios)).assign_attrs(level.attrs)
                for level in levels.values()
            },
            attrs=before.attrs,
        ),
        baseline,
    )
    some, only = bool(ratios), len(ratios) == len(levels)
    level = "one" if only else "zero, or ratio one" if some else "zero"
    sign = "/" if only else "against" if some else "−"
    runs = {f"{baseline} ({level})": zero} | {f"{name} {sign} {baseline}": run for name, run in shown.items()}
    what = next(iter(differences)) if len(differences) == 1 else "Each run"
    caption = f"{what} {'divided by' if only else 'minus'} {baseline}"
    caption += ", or divided by it where the axis says ratio" if some and not only else ""
    scales = {name: _ratio_scale(list(shown.values()), name) for name in names}
    return plot_bands(runs, names, title=title or caption, scales=scales, extrapolation=extrapolation, axes=axes)


def _ratio_scale(runs: Sequence[xr.Dataset], name: str) -> Scale:
    """Return the scale of the panel of a difference, or of a ratio: logarithmic if it spans a large factor."""
    variables = [find_variable(run, name) for run in runs]
    values = np.concatenate([np.append(np.ravel(variable.values), 1.0) for variable in variables])
    finite = values[np.isfinite(values)]
    wide = RATIO in variables[0].attrs and finite.min() > 0 and finite.max() > _RATIO_WIDE * finite.min()
    return "log" if wide else "linear"


def _with_ratio_units(run: xr.Dataset, baseline: str) -> xr.Dataset:
    """Return a run whose ratios have units that say what they are divided by."""
    ratios = {name: variable for name, variable in run.data_vars.items() if RATIO in variable.attrs}
    return run.assign({name: one.assign_attrs(units=f"ratio to {baseline}") for name, one in ratios.items()})


@plain_text
def plot_fit(
    panels: Mapping[str, xr.Dataset], *, title: str | None = None, origin: str = "", axes: PanelAxes = None
) -> Figure:
    r"""Plot a model against series of observations as small multiples, one panel per series, in its units.

    Parameters
    ----------
    panels : mapping of str to xarray.Dataset
        The panel of each series: the model's `middle` over `time`, the edges of its bands, `low` and `high`, over
        `probability` and `time`; the points `observed` and the ends of their bars, `least` and `most`, over `observation`,
        with their times as the coordinate `at`. The attribute `scale` chooses a logarithmic axis.
    title : str, optional
        The title of the figure.
    origin : str, optional
        A line below the panels.
    axes : Axes or sequence of Axes, optional
        Axes of your own figure, one for each panel; by default a new figure is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its panels are `figure.axes`.

    Raises
    ------
    FigureError
        If there is no series, or another number of axes than series.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> with TemporaryDirectory() as folder:
    ...     observed, mapping = Path(folder, "levels.csv"), Path(folder, "level.series.csv")
    ...     _ = observed.write_text("series,date,value\nseen,1,1.1\nseen,2,1.9\n")
    ...     _ = mapping.write_text("name,model,data,error,size\nlevel,level,seen,absolute,0.2\n")
    ...     series = sd.read_series(mapping, sd.read_observations(observed), model)
    >>> figure = sd.plot_fit(sd.fit_panels(sd.simulate(model), series))
    >>> figure.axes[0].get_title(loc="left")
    'level'
    """
    if not panels:
        message = "the figure: has no series; name a file that maps at least one"
        raise FigureError(message)
    figure, places, columns = make_grid(len(panels), (3.9, 2.4, 1.85, 1.85), 0.7, axes)
    for place, (name, panel) in zip(places, panels.items(), strict=True):
        _draw_fit(place, name, panel, columns)
    figure.align_ylabels(places)
    bands = sorted(next(iter(panels.values()))[PROBABILITY].values, reverse=True)  # the widest first
    opacities = 1 - np.cumprod([1 - opacity for opacity in _FIT_OPACITIES])  # narrow bands lie on wide ones
    handles = [
        Line2D([], [], color=_MODEL, linewidth=1.3, label="median" if bands else "model"),
        *(
            Patch(color=_MODEL, alpha=float(opacity), linewidth=0, label=f"{100 * band:g} % of members")
            for band, opacity in zip(bands, opacities, strict=False)
        ),
        Line2D(
            [], [], color=_POINTS, marker="o", markersize=3.2, linewidth=0.8, label="observed, with one standard deviation",
        ),
    ]  # fmt: skip
    add_frame(places, title, [handles], [origin] if origin else [])
    return figure


def find_bands(levels: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the positions of pairs of levels that mirror each other around the median, the widest band first."""
    ordered = sorted((float(level), index) for index, level in enumerate(levels) if level < _MEDIAN - _NEAR)
    found = []
    for low, index in ordered:
        high = np.flatnonzero(np.abs(levels - (1 - low)) < _NEAR)
        found += [(index, int(high[0]))] if high.size else []
    return found


def _draw_variable(
    axes: Axes,
    runs: Mapping[str, xr.Dataset],
    name: str,
    spaghetti: Mapping[str, xr.Dataset],
    columns: int,
    scale: Scale,
    *,
    dated: bool,
) -> None:
    """Plot one variable of all runs, all bands below all lines; with a single run, colours are labels, else dashes are."""
    first, alone = next(iter(runs.values())), len(runs) == 1
    variable = find_variable(first, name)
    fans = [
        fan
        for run, colour in zip(runs, COLOURS, strict=False)
        for fan in _fans(runs[run], name, spaghetti.get(run), colour, dated=dated)
    ]
    all_labels = list(dict.fromkeys(fan.label for fan in fans))
    labels = choose_evenly(all_labels, _MOST_LABELS)
    fans = [fan for fan in fans if fan.label in labels]
    if len(labels) > 1:
        looks: Any = [{"colour": colour} for colour in COLOURS] if alone else [{"dashes": dashes} for dashes in DASHES]
        fans = [replace(fan, **looks[labels.index(fan.label)]) for fan in fans]
    units = str(variable.attrs.get("units", ""))
    style_panel(axes, long_name(variable), units, columns)
    for fan in fans:
        _draw_fan(axes, fan)
    values = np.concatenate([part.ravel() for fan in fans for part in (fan.values, fan.members) if part is not None])
    scale_y_axis(axes, units, values, scale=scale)
    axes.margins(x=0)
    format_time_axis(axes, first[TIME].attrs.get("units"), dated=dated)
    if len(labels) > 1:
        handles = []
        for label, colour, dashes in zip(labels, COLOURS, DASHES, strict=False):
            style: Any = {"color": colour} if alone else {"color": GREY, "linestyle": dashes}
            handles.append(Line2D([], [], linewidth=1.5, label=textwrap.fill(label, _LABEL_LINE), **style))
        add_legend(  # beside the panel, where it hides no line
            axes, handles, fontsize=SMALL, handlelength=1.8, labelspacing=0.25, borderpad=0.2, frameon=False,
            loc="upper left", bbox_to_anchor=(1.0, 1.0),
        )  # fmt: skip
    if len(labels) < len(all_labels):
        add_note(axes, f"{len(labels)} of {len(all_labels)} labels; choose others by name[label]")


def _fans(run: xr.Dataset, name: str, members: xr.Dataset | None, colour: str, *, dated: bool) -> Iterator[_Fan]:
    """Yield a fan per cell of a variable; a single run is its own median."""
    variable = over_time(run, find_variable(run, name))
    if PROBABILITY not in variable.dims:
        variable = variable.expand_dims({PROBABILITY: [_MEDIAN]})
    dims = subscript_dims(variable)
    times = variable.coords[DATE if dated else TIME].values
    values = np.asarray(variable.transpose(*dims, PROBABILITY, TIME).values, dtype=float)
    lines = None if members is None else over_time(members, find_variable(members, name)).transpose(*dims, TIME, ...)
    for place, labels in labels_along(variable, dims):
        single = None if lines is None else lines.values[place].reshape(len(times), -1)
        yield _Fan(", ".join(labels), colour, times, variable[PROBABILITY].values, values[place], single)


def _draw_fan(axes: Axes, fan: _Fan) -> None:
    bands = find_bands(fan.levels)
    for rank, (low, high) in enumerate(bands):
        style: Any = {"color": fan.colour, "alpha": _opacity(rank, len(bands)), "linewidth": 0}
        axes.fill_between(fan.times, fan.values[low], fan.values[high], **style)
    if fan.members is not None:
        axes.plot(fan.times, fan.members, color=fan.colour, linewidth=0.35, alpha=0.45)
    median: Any = {"linestyle": fan.dashes, "color": fan.colour, "linewidth": 1.5, "solid_capstyle": "butt"}
    for index in np.flatnonzero(np.abs(fan.levels - _MEDIAN) < _NEAR):
        axes.plot(fan.times, fan.values[index], **median)


def _opacity(rank: int, count: int) -> float:
    """Return the opacity of a band; the inner bands lie on the outer ones."""
    return _FAINT + (_STRONG - _FAINT) * rank / max(1, count - 1)


def _describe_members(run: xr.Dataset) -> str:
    """Describe the number of members, how they were sampled, and how many are not finite."""
    attributes = run.attrs
    if "members_done" not in attributes:
        return ""
    done, requested, broken = (int(attributes.get(f"members_{name}", 0)) for name in ("done", "wanted", "not_finite"))
    count = format_count(done, "member") if done == requested else f"{done:,} of {format_count(requested, 'member')}"
    left_out = f"{broken:,} of them not finite, left out from then on" if broken else ""
    return ", ".join(filter(None, (count, describe_sampling(run), left_out)))


def _draw_fit(axes: Axes, name: str, panel: xr.Dataset, columns: int) -> None:
    units, times = str(panel["observed"].attrs.get("units", "")), panel["time"].values
    style_panel(axes, name, units, columns)
    for band, opacity in zip(sorted(panel[PROBABILITY].values, reverse=True), _FIT_OPACITIES, strict=False):
        edges = panel.sel(probability=band)
        axes.fill_between(times, edges["low"].values, edges["high"].values, color=_MODEL, alpha=opacity, linewidth=0)
    axes.plot(times, panel["middle"].values, color=_MODEL, linewidth=1.3)
    observed = panel["observed"].values
    bars = np.abs(np.array([panel["least"].values, panel["most"].values]) - observed)
    axes.errorbar(
        panel["at"].values, observed, bars, fmt="o", color=_POINTS, markersize=3.2, elinewidth=0.8, capsize=1.5,
        capthick=0.8, zorder=3,
    )  # fmt: skip
    values = np.concatenate([np.ravel(values.values) for values in panel.data_vars.values()])
    scale, floor = panel.attrs.get("scale", "linear"), float(panel["least"].min()) / _BELOW_OBSERVED
    scale_y_axis(axes, units, values[values >= floor] if scale == "log" else values, scale=scale)
    axes.margins(x=0.03)
    format_time_axis(axes, panel["time"].attrs.get("units"), dated=times.dtype.kind == "M")
