"""Runs over time: one panel a variable, or several of one unit, one colour a run."""

from __future__ import annotations

import math
import re
import textwrap
from calendar import month_name
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import DATE, TIME, dates_of, find_variable, headlines, long_name, member_dims
from ..errors import DatasetError
from .observed import Observed, point_handle, source_line
from .page import Panel
from .panels import model_lines
from .style import (
    COLOURS,
    GREY,
    LARGE,
    NORMAL,
    SMALL,
    check_distinct,
    columns_for,
    legend_grid,
    page_of_panels,
)
from .traces import THIN, Contents, contents_of, draw_panel, run_width

_LINE, _PAGE = 240, 160
"""So many letters tell what a run changes; so many stand on a line."""
_COMMENT = re.compile(r"\{([^}]*)\}")
_HEIGHTS = {1: 3.9, 2: 2.4, 3: 1.85}
_MANY, _LOW = 9, 1.6
"""More panels than these are lower, so that five lines of them stand on a page."""
_HEAD, _FOOT = 0.45, 0.11
"""Inches: the height of title and legend, and of a line below the panels."""
_MARK: dict[str, Any] = {"color": GREY, "linewidth": 0.7}
_DOTS = (0, (2, 2))
_LEGEND, _SAMPLE = 124, 7
"""So many letters of the legend stand on a line of the page; so wide is the sample of a line beside them."""


def plot_runs(
    runs: Mapping[str, xr.Dataset],
    names: Sequence[str | Panel],
    *,
    title: str | None = None,
    observed: Sequence[Observed] = (),
    marks: Mapping[str, str] | None = None,
    logarithmic: bool = False,
) -> Figure:
    """Small multiples over time, one panel for each of the variables `names`, or for several of one unit, in their units.

    Colours are runs; with one run, labels of a subscript or variables of a panel. Of more labels than a legend can tell
    apart, some are drawn, from the first to the last, and the panel says so. Up to 20 members are thin lines, more are a
    median with bands of 50 % and 90 % of them. `observed` are points over the lines of the variables that they are about.
    `marks` are labels of constants that are times, each a thin line across all panels. An axis is logarithmic where numbers
    above zero lie three decades apart, or with `logarithmic` where none is below zero; a run that goes far beyond all others
    leaves its panel, which says so. A line below tells model, scenarios, changes and sources.

    Raises
    ------
    FigureError
        If there is nothing to draw, too many runs to tell apart, or variables of several units in a panel.
    DatasetError
        If a run lacks one of the variables.
    """
    check_distinct(runs, names)
    panels = _panels(runs, names)
    dated = all(DATE in run.coords for run in runs.values())
    within = _within(runs, observed)
    contents = [contents_of(each, runs, within, dated=dated) for each in panels]
    drawn = [series for each in contents for series in each.observed]
    origin = [*_origin(runs), *_folded(source_line(list(dict.fromkeys(drawn))))]
    columns = columns_for(len(contents))
    figure, places = page_of_panels(
        len(contents),
        columns,
        _LOW if len(contents) > _MANY else _HEIGHTS[columns],
        _HEAD + _FOOT * len(origin),
    )
    times = _mark_times(runs, marks or {})
    for axes, each in zip(places, contents, strict=True):
        draw_panel(axes, each, list(runs), columns, dated=dated, logarithmic=logarithmic)
        _draw_marks(axes, times, dated=dated)
    figure.align_ylabels(places)
    _frame(figure, title, _handles(list(runs), contents, times, dated=dated))
    figure.supxlabel("\n".join(origin), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)
    return figure


def _panels(runs: Mapping[str, xr.Dataset], names: Sequence[str | Panel]) -> list[Panel]:
    """The panels that are asked for, a variable that is asked for twice once; what a run lacks is told with its name."""
    wanted = [name for each in names for name in ([each] if isinstance(each, str) else each.lines)]
    for called, run in runs.items():
        try:
            headlines(run, wanted)
        except DatasetError as fault:
            message = "\n".join(f"run '{called}': {line}" for line in str(fault).splitlines())
            raise DatasetError(message) from fault
    first = next(iter(runs.values()))
    found: dict[object, Panel] = {}
    for each in names:
        if isinstance(each, str):
            found.setdefault(long_name(find_variable(first, each)), Panel("", {each: ""}))
        else:
            found[each.title, tuple(each.lines)] = each
    return list(found.values())


def _within(runs: Mapping[str, xr.Dataset], observed: Sequence[Observed]) -> list[Observed]:
    """The series that have a point in the time of some run."""
    start = min(float(run[TIME].values[0]) for run in runs.values())
    end = max(float(run[TIME].values[-1]) for run in runs.values())
    return [each for each in observed if np.any((each.times >= start) & (each.times <= end))]


def _mark_times(runs: Mapping[str, xr.Dataset], marks: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """The times that the runs have for each label; a run may be stored without the constant, and a mark may lie outside."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, label in marks.items():
        times = set[float]()
        for run in runs.values():
            try:
                values = np.unique(find_variable(run, name).values)
            except DatasetError:
                continue
            times |= {float(each) for each in values if run[TIME].values[0] < each < run[TIME].values[-1]}
        if times:
            found[label] = np.array(sorted(times))
    return found


def _draw_marks(axes: Axes, times: Mapping[str, NDArray[np.float64]], *, dated: bool) -> None:
    """Thin lines from top to bottom, below all others."""
    for each in times.values():
        for at in dates_of(each) if dated else each:
            axes.axvline(at, linestyle=_DOTS, zorder=0.5, **_MARK)


def _handles(
    runs: Sequence[str], contents: Sequence[Contents], times: Mapping[str, NDArray[np.float64]], *, dated: bool
) -> list[list[Line2D]]:
    """What the legend of the page names: runs if there are several; below, what was observed and the times that are marked."""
    lines = [
        Line2D([], [], color=COLOURS[place], linewidth=run_width(place, len(runs)), label=name)
        for place, name in enumerate(runs)
        if len(runs) > 1
    ]
    if any(each.common for each in contents):
        lines.append(Line2D([], [], color=GREY, linewidth=1.1, label="the same in all"))
    signs = [point_handle("observed, with one standard deviation")] if any(each.observed for each in contents) else []
    for label, each in times.items():
        told = ", ".join(map(_month, dates_of(each)) if dated else map("{:g}".format, each))
        signs.append(Line2D([], [], linestyle=_DOTS, label=f"{label}: {told}", **_MARK))
    return [lines, signs]


def _month(date: np.datetime64) -> str:
    year, month = str(date.astype("datetime64[M]")).split("-")
    return f"{month_name[int(month)]} {year}"


def _folded(text: str) -> list[str]:
    """A text of the page on lines that fit it."""
    return textwrap.wrap(text, _PAGE, subsequent_indent="    ")


def _frame(figure: Figure, title: str | None, handles: Sequence[Sequence[Line2D]]) -> None:
    """Title and legend above."""
    ordered, beside = legend_grid(handles, _LEGEND, _SAMPLE)
    if ordered:
        figure.legend(
            handles=ordered, loc="outside upper left", ncols=beside, fontsize=NORMAL, frameon=False, title=title,
            alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3, columnspacing=1.4,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")


def _origin(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Model, hash, scenario and changes: once for all runs that share a model."""
    lines = model_lines(runs)
    methods = {name: _method(run) for name, run in runs.items()}
    differ = len(set(methods.values())) > 1
    for name, run in runs.items():
        members = math.prod(run.sizes[dim] for dim in member_dims(run))
        bands = f"; median and bands of 50 % and 90 % of {members} members" if members > THIN else ""
        told = f"{name}: {_changes(name, run)}{f'; {methods[name]}' if differ else ''}{bands}"
        lines += _folded(told)
    return lines


def _method(run: xr.Dataset) -> str:
    """What a run was computed with."""
    return ", ".join(filter(None, (str(run.attrs.get(each, "")) for each in ("engine", "integrator"))))


def _changes(name: str, run: xr.Dataset) -> str:
    """What a run changes: its scenario's name, unless it bears that itself, and what the scenario says or does."""
    scenario, text = (str(run.attrs.get(each, "")) for each in ("scenario_name", "scenario"))
    done = "; ".join(" ".join(line.split()) for line in _COMMENT.sub("", text).splitlines() if line.strip())
    said = "" if "+" in scenario else _said(text, scenario or name)  # of several, the first does not speak for all
    own = _bare(scenario) == _bare(name)
    ways = (said, done) if own else (": ".join(filter(None, (scenario, said))), scenario or done)
    told = ["; ".join(filter(None, (way, *str(run.attrs.get("changes", "")).splitlines()))) for way in ways]
    fitting = next((each for each in told if each and len(each) <= _LINE), told[-1]) or "no changes"
    return fitting if len(fitting) <= _LINE else f"{fitting[:_LINE]}…"


def _said(scenario: str, name: str) -> str:
    """The first sentence of the comment that a scenario begins with, without the name before it."""
    comment = _COMMENT.match(scenario.lstrip())
    sentence = " ".join(comment[1].split()).partition(". ")[0].rstrip(".") if comment else ""
    title, colon, rest = sentence.partition(":")
    return rest.strip() if colon and _bare(title) == _bare(name) else sentence


def _bare(name: str) -> str:
    """A name without what separates its words."""
    return re.sub(r"[\W_]+", " ", name).strip().lower()
