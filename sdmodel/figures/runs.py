"""Runs over time: one panel per variable, or per group of variables with one unit, and one colour per run."""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from calendar import month_name
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import (
    DATE,
    TIME,
    dates_of,
    find_variable,
    find_variables,
    has_variable,
    labels_along,
    long_name,
    member_dims,
    subscript_dims,
    with_labels,
)
from ..errors import DatasetError, FigureError
from ..model import key
from .layout import Panel, Scale
from .panels import (
    COLOURS,
    DARK,
    DASHES,
    GREY,
    SMALL,
    PanelAxes,
    add_frame,
    add_legend,
    add_note,
    arrange_legend,
    check_runs,
    choose_evenly,
    describe_models,
    ends_lie_apart,
    format_time_axis,
    make_grid,
    mark_extrapolation,
    name_ends,
    named_runs,
    over_time,
    scale_y_axis,
    set_title,
    style_panel,
    wrap,
)
from .text import plain_text

_HEIGHTS = (3.9, 2.4, 1.85, 1.6)
_LEGEND_LINES, _LEGEND_LINE, _NOTE = 3, 0.125, 100
"""The lines of a legend that these heights have room for, and the height of each further one in inches; and the letters of notes
below the panels of a row."""
"""Inches: the height of a panel in one, two and three columns, and of one of many panels, so that five rows fit a page."""
_HEAD, _FOOT_LINE = 0.45, 0.11
"""Inches: the height of title and legend, and of a line below the panels."""
_CHANGES, _PAGE_LINE = 240, 160
"""Letters that describe the changes of a run, and letters on a line of the page."""
_PANEL_LINE, _PANEL_SAMPLE, _LABEL = 100, 5, 48
"""Letters on a line of the legend that is as wide as all panels in a row, those as wide as a sample, and the longest label."""
_MANY_COLUMNS = 3
"""From this number of columns on, panels have no room for the names of runs beside their lines."""
_THIN_MEMBERS = 20  # more members are plotted as bands
_BANDS = ((0.05, 0.95, 0.15), (0.25, 0.75, 0.25))
_WIDEST, _THINNEST = 2.0, 0.9
"""Points: the first run is the widest line, the last lies on top and is the thinnest, so that equal runs all show."""
_MARK: dict[str, Any] = {"color": GREY, "linewidth": 0.7, "linestyle": (0, (2, 2))}
_MARKERS = ("o", "s", "^", "D")
_POINTS: dict[str, Any] = {"color": DARK, "markersize": 2.9, "markeredgewidth": 0.5}
_COMMENT = re.compile(r"\{([^}]*)\}")


@dataclass(frozen=True, eq=False)
class Observed:
    """One series of observations of a `variable`, in its units: `values` at model times `times`, shape (n,).

    `low` and `high` are the ends of the error bars, one standard deviation away; `sources` say who published the series.
    """

    name: str
    variable: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    sources: tuple[str, ...] = ()

    def is_about(self, name: str) -> bool:
        """Whether the series observes the variable, or cell of a variable, with this name."""
        return key(self.variable) == key(name)


@dataclass(frozen=True, eq=False)
class _Trace:
    """One cell of one variable in one run: `values` of shape (time, members)."""

    run: int
    cell: str
    label: str
    times: NDArray[Any]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Contents:
    """The contents of a panel: traces, all labels and those that are plotted, and the observations of these.

    `common` are labels with the same values in all runs, plotted once in grey.
    """

    title: str
    units: str
    time_units: str
    traces: tuple[_Trace, ...]
    all_labels: tuple[str, ...]
    labels: tuple[str, ...]
    common: tuple[str, ...]
    observed: tuple[Observed, ...]
    scale: Scale
    subscripts: str


@plain_text
def plot_runs(
    runs: xr.Dataset | Mapping[str, xr.Dataset],
    names: str | Sequence[str | Panel],
    *,
    title: str | None = None,
    observed: Sequence[Observed] = (),
    marks: Mapping[str, str] | None = None,
    extrapolation: float | None = None,
    logarithmic: bool = False,
    axes: PanelAxes = None,
) -> Figure:
    r"""Plot variables of runs over time as small multiples, one panel per variable or per `Panel`.

    With several runs, colours are runs; with one run, colours are the labels of a subscripted variable or the variables
    of a panel. If a variable has more labels than a legend can distinguish, some of them are plotted, from the first to the
    last, and a note says so. Up to 20 members are thin lines; more are a median with bands of 50 % and 90 % of the members.
    The y axis is logarithmic where positive values span more than three decades. Where the lines of a panel end apart, their
    names stand at their ends, else in a legend. Model, scenarios, changes and sources are named below.

    Parameters
    ----------
    runs : xarray.Dataset or mapping of str to xarray.Dataset
        A run, or runs by name, at most seven.
    names : str, or sequence of str or Panel
        Variables, or panels of several variables with one unit.
    title : str, optional
        The title of the figure.
    observed : sequence of Observed, optional
        Observations, plotted as points with error bars over the lines of their variables.
    marks : mapping of str to str, optional
        Labels by the name of a constant that is a time; each time is a thin vertical line in every panel.
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
        If there is nothing to plot, there are too many runs, or the variables of a panel differ in units.
    DatasetError
        If a run lacks one of the variables.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1")
    >>> runs = {"base": sd.simulate(model), "twice": sd.simulate(model, {"inflow": 2})}
    >>> figure = sd.plot_runs(runs, ["level"], title="Two runs")
    >>> page, axes = plt.subplots()
    >>> sd.plot_runs(runs, "level", axes=axes) is page
    True
    >>> plt.close(page)
    """
    runs, names = named_runs(runs), [names] if isinstance(names, str) else names
    check_runs(runs, names)
    panels = _requested_panels(runs, names)
    dated = all(DATE in run.coords for run in runs.values())
    start = min(float(run[TIME].values[0]) for run in runs.values())
    end = max(float(run[TIME].values[-1]) for run in runs.values())
    within = [series for series in observed if np.any((series.times >= start) & (series.times <= end))]
    contents = [_panel_contents(panel, runs, within, dated=dated) for panel in panels]
    origin = _origin(runs)
    by_sources: dict[tuple[str, ...], list[str]] = {}
    for plotted in dict.fromkeys(series for content in contents for series in content.observed):
        by_sources.setdefault(plotted.sources, []).append(plotted.name)
    if by_sources:
        parts = [f"{', '.join(series)}: {', '.join(by) or 'no source named'}" for by, series in by_sources.items()]
        origin += wrap(f"Observed: {'; '.join(parts)}", _PAGE_LINE)
    heights = [
        height + _legend_height(contents, columns) for height, columns in zip(_HEIGHTS, (1, 2, 3, 3), strict=True)
    ]
    figure, places, columns = make_grid(len(contents), heights, _HEAD + _FOOT_LINE * len(origin), axes)
    times = _mark_times(runs, marks or {})
    ends = []
    for place, content in zip(places, contents, strict=True):
        shown = replace(content, scale="log") if logarithmic else content
        _draw_panel(place, shown, len(runs), columns, dated=dated)
        single = len(content.labels) == 1 and columns < _MANY_COLUMNS
        lines = [(list(runs)[trace.run], _last(trace), COLOURS[trace.run]) for trace in content.traces if single]
        ends.append((place, lines))
        for at in (at for marked in times.values() for at in (dates_of(marked) if dated else marked)):
            place.axvline(at, zorder=0.5, **_MARK)
    shown_times = np.concatenate([run[DATE if dated else TIME].values for run in runs.values()])
    mark_extrapolation(list(places), extrapolation, shown_times, dated=dated)
    figure.align_ylabels(places)
    named = all(ends_lie_apart(*pair) for pair in ends)  # else a legend names all runs
    for pair in ends if named else ():
        name_ends(*pair)
    in_legend = [] if named else list(runs)
    add_frame(places, title, _page_handles(in_legend, contents, times, dated=dated), origin, columnspacing=1.4)
    return figure


def _requested_panels(runs: Mapping[str, xr.Dataset], names: Sequence[str | Panel]) -> list[Panel]:
    """Return the requested panels without repetitions; a run that lacks a variable is named in the error."""
    needed = [name for item in names for name in ([item] if isinstance(item, str) else item.lines)]
    for run_name, run in runs.items():
        try:
            find_variables(run, needed)
        except DatasetError as fault:
            message = "\n".join(f"run '{run_name}': {line}" for line in str(fault).splitlines())
            raise DatasetError(message) from fault
    first = next(iter(runs.values()))
    found: dict[object, Panel] = {}
    for item in names:
        if isinstance(item, str):
            found.setdefault(long_name(find_variable(first, item)), Panel("", {item: ""}))
        else:
            found[item.title, tuple(item.lines)] = item
    return list(found.values())


def _mark_times(runs: Mapping[str, xr.Dataset], marks: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Return the times for each label; a run may lack the constant, and a time outside the run is left out."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, label in marks.items():
        times = set[float]()
        for run in runs.values():
            values = find_variable(run, name).values.ravel() if has_variable(run, name) else ()
            times |= {float(value) for value in values if run[TIME].values[0] < value < run[TIME].values[-1]}
        if times:
            found[label] = np.array(sorted(times))
    return found


def _panel_contents(
    panel: Panel, runs: Mapping[str, xr.Dataset], observed: Sequence[Observed], *, dated: bool
) -> _Contents:
    several = len(panel.lines) > 1
    variables = [
        (index, (label or name) if several else "", over_time(run, find_variable(run, name)))
        for index, run in enumerate(runs.values())
        for name, label in panel.lines.items()
    ]
    first = variables[0][2]
    title = panel.title or long_name(first)
    names_by_unit = {str(array.attrs.get("units", "")): long_name(array) for *_, array in reversed(variables)}
    if several and len(names_by_unit) > 1:
        differing = ", ".join(f"'{name}' is in '{unit}'" for unit, name in reversed(names_by_unit.items()))
        message = f"panel '{title}': {differing}; give each unit a panel of its own"
        raise FigureError(message)
    traces = [trace for index, line, one in variables for trace in _traces(index, one, line, dated=dated)]
    all_labels = tuple(dict.fromkeys(trace.label for trace in traces))
    labels = tuple(choose_evenly(all_labels, len(COLOURS) if len(runs) == 1 else len(DASHES)))
    shown = tuple(trace for trace in traces if trace.label in labels)
    plotted_cells = dict.fromkeys(trace.cell for trace in shown)
    known = (series for cell in plotted_cells for series in observed if series.is_about(cell))
    common = []
    for label in labels if several and len(runs) > 1 else ():
        a, *others = (trace for trace in shown if trace.label == label)
        same = (np.array_equal(a.times, b.times) and np.array_equal(a.values, b.values, equal_nan=True) for b in others)
        common += [label] if len(others) == len(runs) - 1 and all(same) else []
    subscripts = " and ".join(long_name(first.coords[dim]) for dim in subscript_dims(first))
    units, time_units = (str(array.attrs.get("units", "")) for array in (first, first.coords[TIME]))
    plotted = (shown, all_labels, labels, tuple(common), tuple(known))
    return _Contents(title, units, time_units, *plotted, panel.scale, subscripts)


def _traces(run: int, variable: xr.DataArray, line: str, *, dated: bool) -> Iterator[_Trace]:
    """Yield a trace per cell of a variable; its label begins with the name of the line."""
    dims = subscript_dims(variable)
    values = np.asarray(variable.transpose(*dims, TIME, *member_dims(variable)).values, dtype=float)
    finite = np.where(np.isfinite(values), values, np.nan)
    times = variable.coords[DATE if dated else TIME].values
    for place, labels in labels_along(variable, dims):
        label = ", ".join(filter(None, (line, *labels)))
        yield _Trace(run, with_labels(long_name(variable), labels), label, times, finite[place].reshape(len(times), -1))


def _draw_panel(axes: Axes, contents: _Contents, runs: int, columns: int, *, dated: bool) -> None:
    for trace in contents.traces:
        if trace.label not in contents.common or trace.run == 0:
            _draw_trace(axes, trace, contents, runs)
    for series, marker in zip(contents.observed, itertools.cycle(_MARKERS), strict=False):
        axes.errorbar(
            dates_of(series.times) if dated else series.times, series.values,
            np.array([series.values - series.low, series.high - series.values]), fmt=marker,
            markerfacecolor=_point_colour(series, contents, runs), ecolor=DARK, elinewidth=0.7, capsize=1.2, capthick=0.7,
            zorder=4, markeredgecolor=DARK, **_POINTS,
        )  # fmt: skip
    times = np.concatenate([trace.times for trace in contents.traces])
    axes.set_xlim(times.min(), times.max())
    ends = [end for series in contents.observed for end in (series.low, series.high)]
    values = np.concatenate([*(trace.values.ravel() for trace in contents.traces), *ends])
    style_panel(axes, contents.title, contents.units, columns)
    lowest = min((float(end.min()) for end in ends), default=np.inf)
    scale_y_axis(axes, contents.units, values, scale=contents.scale, lowest=lowest)
    ordered, legend_columns = _panel_legend(axes, contents, runs, columns)
    set_title(axes, contents.title, columns, legend_lines=len(ordered) // max(1, legend_columns))
    format_time_axis(axes, contents.time_units, dated=dated)
    if ordered:
        add_legend(
            axes, ordered, fontsize=SMALL, ncols=legend_columns, loc="lower left", bbox_to_anchor=(-0.013 * columns, 1.0), frameon=False,
            borderaxespad=0.1, borderpad=0.1, handlelength=1.2 if runs == 1 else 1.8, handletextpad=0.5,
            columnspacing=0.9, labelspacing=0.25,
        )  # fmt: skip
    if len(contents.labels) < len(contents.all_labels):
        count = f"{len(contents.labels)} of {len(contents.all_labels)} labels of {contents.subscripts}"
        add_note(axes, textwrap.fill(f"{count}; choose others by name[label]", _NOTE // columns))


def _legend_height(contents: Sequence[_Contents], columns: int) -> float:
    """The height in inches that the longest legend of a panel may need beyond the usual one."""
    lines = 0
    for labels in (content.labels for content in contents if len(content.labels) > 1):
        beside = max(1, _NOTE // columns // (max(map(len, labels)) + 5))
        lines = max(lines, math.ceil(len(labels) / beside))
    return _LEGEND_LINE * max(0, lines - _LEGEND_LINES)


def _panel_legend(axes: Axes, contents: _Contents, runs: int, columns: int) -> tuple[list[Artist], int]:
    """Name lines at their ends where these lie apart; return the handles of the others and of series, and their columns."""
    handles = []
    lines = contents.labels if len(contents.labels) > 1 else ()
    ends = [(trace.label, _last(trace), COLOURS[contents.labels.index(trace.label)]) for trace in contents.traces]
    if runs == 1 and ends_lie_apart(axes, ends):
        name_ends(axes, ends)
    else:
        for index, label in enumerate(lines):
            style: Any = {"color": COLOURS[index]} if runs == 1 else {"color": GREY, "linestyle": DASHES[index]}
            name = textwrap.shorten(label, _LABEL, placeholder=" …")
            handles.append(Line2D([], [], linewidth=1.3, label=name, **style))
    for index, series in enumerate(contents.observed if len(contents.observed) > 1 else ()):
        handles.append(_point_handle(series.name, index, _point_colour(series, contents, runs)))
    return arrange_legend([handles], _PANEL_LINE // columns, _PANEL_SAMPLE)


def _last(trace: _Trace) -> float:
    """Return the last value of a line, of members the median."""
    return float(np.median(trace.values[-1])) if np.isfinite(trace.values[-1]).all() else math.nan


def _line_width(run: int, runs: int) -> float:
    return _WIDEST - (_WIDEST - _THINNEST) * run / max(1, runs - 1)


def _draw_trace(axes: Axes, trace: _Trace, contents: _Contents, runs: int) -> None:
    """Plot a line, several thin lines, or a median with bands.

    Colours are labels with a single run; else colours are runs and dashes are labels.
    """
    index = contents.labels.index(trace.label)
    if runs == 1:
        style: dict[str, Any] = {"color": COLOURS[index]}
    elif trace.label in contents.common:
        style = {"color": GREY, "linestyle": DASHES[index], "linewidth": _THINNEST}
    else:
        style = {"color": COLOURS[trace.run], "linestyle": DASHES[index], "linewidth": _line_width(trace.run, runs)}
    members = trace.values.shape[1]
    if members <= _THIN_MEMBERS:
        thin = {} if members == 1 else {"linewidth": 0.6, "alpha": 0.6}
        axes.plot(trace.times, trace.values, **({"linewidth": 1.3} | style | thin))
        return
    for low, high, alpha in _BANDS:
        edges = np.nanquantile(trace.values, (low, high), axis=1)
        axes.fill_between(trace.times, *edges, color=style["color"], alpha=alpha, linewidth=0)
    axes.plot(trace.times, np.nanmedian(trace.values, axis=1), **(style | {"linewidth": 1.3}))


def _point_colour(series: Observed, contents: _Contents, runs: int) -> str:
    """Return the colour of points: that of their line if colours are labels."""
    label = next(trace.label for trace in contents.traces if series.is_about(trace.cell))
    return COLOURS[contents.labels.index(label)] if runs == 1 else DARK


def _point_handle(label: str, index: int = 0, colour: str = DARK) -> Line2D:
    marker = _MARKERS[index % len(_MARKERS)]
    return Line2D([], [], linestyle="", marker=marker, markerfacecolor=colour, label=label, **_POINTS)


def _page_handles(
    runs: Sequence[str], contents: Sequence[_Contents], times: Mapping[str, NDArray[np.float64]], *, dated: bool
) -> list[list[Line2D]]:
    """Return the legend of the page: runs if there are several; on a new line, observations and marked times."""
    lines = []
    for index, name in enumerate(runs if len(runs) > 1 else ()):
        lines.append(Line2D([], [], color=COLOURS[index], linewidth=_line_width(index, len(runs)), label=name))
    if any(content.common for content in contents):
        lines.append(Line2D([], [], color=GREY, linewidth=1.1, label="same in all runs"))
    signs = []
    if any(content.observed for content in contents):
        signs.append(_point_handle("observed, with one standard deviation"))
    for label, marked in times.items():
        days = dates_of(marked).astype("datetime64[D]").tolist() if dated else []
        dates = [f"{month_name[day.month]} {day.year}" for day in days] or [f"{time:g}" for time in marked]
        signs.append(Line2D([], [], label=f"{label}: {', '.join(dates)}", **_MARK))
    return [lines, signs]


def _origin(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Describe the models and, for each run, its scenario and changes; engines only where they differ."""
    lines = describe_models(runs)
    methods = {}
    for name, run in runs.items():
        methods[name] = ", ".join(str(run.attrs[kind]) for kind in ("engine", "integrator") if run.attrs.get(kind))
    differ = len(set(methods.values())) > 1
    for name, run in runs.items():
        members = math.prod(run.sizes[dim] for dim in member_dims(run))
        bands = f"; median and bands of 50 % and 90 % of {members} members" if members > _THIN_MEMBERS else ""
        method = f"; {methods[name]}" if differ else ""
        lines += wrap(f"{name}: {_describe_changes(name, run)}{method}{bands}", _PAGE_LINE)
    return lines


def _describe_changes(name: str, run: xr.Dataset) -> str:
    """Describe the changes of a run: the scenario's name, unless it is the run's, and what the scenario says or does."""
    scenario, text = (str(run.attrs.get(attribute, "")) for attribute in ("scenario_name", "scenario"))
    settings = "; ".join(" ".join(line.split()) for line in _COMMENT.sub("", text).splitlines() if line.strip())
    # the first sentence of the comment that begins a scenario; that of the first does not describe a combination of several
    match = None if "+" in scenario else _COMMENT.match(text.lstrip())
    comment = " ".join(match[1].split()).partition(". ")[0].rstrip(".") if match else ""
    title, colon, rest = comment.partition(":")
    if colon and _normalise(title) == _normalise(scenario or name):
        comment = rest.strip()
    own = _normalise(scenario) == _normalise(name)
    ways = (comment, settings) if own else (": ".join(filter(None, (scenario, comment))), scenario or settings)
    texts = ["; ".join(filter(None, (way, *str(run.attrs.get("changes", "")).splitlines()))) for way in ways]
    fitting = next((text for text in texts if text and len(text) <= _CHANGES), texts[-1]) or "no changes"
    return fitting if len(fitting) <= _CHANGES else f"{fitting[:_CHANGES]}…"


def _normalise(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().lower()
