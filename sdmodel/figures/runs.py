"""Runs over time: one panel a variable, one colour a run."""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import DATE, TIME, headlines, long_name, member_dims, subscript_dims
from ..errors import DatasetError
from .panels import WORDS, evenly_chosen, level_line, model_lines, name_labels, time_axis
from .style import (
    COLOURS,
    DASHES,
    GREY,
    LARGE,
    NORMAL,
    SMALL,
    check_distinct,
    columns_for,
    dress,
    page_of_panels,
    scale_numbers,
)

_THIN = 20
"""So many members are drawn as lines; more of them as bands."""
_BANDS = ((0.05, 0.95, 0.15), (0.25, 0.75, 0.25))
_LINE, _PAGE = 240, 145
"""So many letters tell what a run changes; so many stand on a line."""
_COMMENT = re.compile(r"\{([^}]*)\}")
_WIDEST, _THINNEST = 2.4, 1.1
"""Points: of several runs the first is the widest, the last lies on top and is the thinnest, so that equals show."""


@dataclass(frozen=True)
class _Curve:
    """What one label of one variable did in one run: `values` of shape (time, members)."""

    run: int
    label: str
    times: NDArray[Any]
    values: NDArray[np.float64]


def plot_runs(runs: Mapping[str, xr.Dataset], names: Sequence[str], *, title: str | None = None) -> Figure:
    """Small multiples over time, one panel for each of the variables `names`, in their own units.

    Colours are runs; with one run, labels of a subscript. Of more labels than a legend can tell apart, some are drawn,
    from the first to the last, and the panel says so. Up to 20 members are thin lines, more are a median with bands of
    50 % and 90 % of them. A line below tells model, scenarios and changes.

    Raises
    ------
    FigureError
        If there is nothing to draw, or too many runs to tell apart.
    DatasetError
        If a run lacks one of the variables.
    """
    check_distinct(runs, names)
    drawn = [_of_run(name, run, names) for name, run in runs.items()]
    count = len(drawn[0])
    labelled = any(subscript_dims(variable) for variables in drawn for variable in variables)
    columns = min(columns_for(count), 2 if labelled else 3)
    figure, panels = page_of_panels(count, columns, {1: 3.9, 2: 2.4, 3: 1.85}[columns], 0.6)
    dated = all(DATE in run.coords for run in runs.values())
    for place, axes in enumerate(panels):
        _draw_panel(axes, [variables[place] for variables in drawn], columns, dated=dated)
    figure.align_ylabels(panels)
    _frame(figure, runs, title, columns)
    return figure


def _of_run(name: str, run: xr.Dataset, names: Sequence[str]) -> list[xr.DataArray]:
    """The variables of one run; what is missing is told with the run's name."""
    try:
        return [level_line(run, variable) for variable in headlines(run, names).values()]
    except DatasetError as fault:
        message = "\n".join(f"run '{name}': {line}" for line in str(fault).splitlines())
        raise DatasetError(message) from fault


def _draw_panel(axes: Axes, variables: Sequence[xr.DataArray], columns: int, *, dated: bool) -> None:
    """One variable in all runs."""
    curves = [curve for run, variable in enumerate(variables) for curve in _curves(run, variable, dated=dated)]
    units = str(variables[0].attrs.get("units", ""))
    dress(axes, long_name(variables[0]), units, columns)
    every = list(dict.fromkeys(curve.label for curve in curves))
    labels = evenly_chosen(every, len(COLOURS) if len(variables) == 1 else len(DASHES))
    curves = [curve for curve in curves if curve.label in labels]
    for curve in curves:
        _draw_curve(axes, curve, _look(curve, labels, len(variables)))
    scale_numbers(axes, units, np.concatenate([curve.values.ravel() for curve in curves]))
    axes.margins(x=0)
    time_axis(axes, variables[0].coords[TIME].attrs.get("units"), dated=dated)
    if len(labels) > 1:
        name_labels(axes, labels, alone=len(variables) == 1, linewidth=1.3, handlelength=2.2)
    if len(labels) < len(every):
        _tell_rest(axes, variables[0], labels, every)


def _curves(run: int, variable: xr.DataArray, *, dated: bool) -> Iterator[_Curve]:
    """A variable label by label."""
    dims = subscript_dims(variable)
    ordered = variable.transpose(TIME, *dims, *member_dims(variable))
    times = variable.coords[DATE if dated else TIME].values
    for place in itertools.product(*(range(variable.sizes[dim]) for dim in dims)):
        part = ordered.isel(dict(zip(dims, place, strict=True)))
        values = np.asarray(part.values, dtype=float).reshape(len(times), -1)
        label = ", ".join(str(variable.coords[dim].values[at]) for dim, at in zip(dims, place, strict=True))
        yield _Curve(run, label, times, np.where(np.isfinite(values), values, np.nan))


def _look(curve: _Curve, labels: Sequence[str], runs: int) -> dict[str, Any]:
    """Colour and dashes: runs have colours and labels dashes; with a single run, labels have the colours."""
    place = labels.index(curve.label)
    if runs == 1:
        return {"color": COLOURS[place]}
    return {"color": COLOURS[curve.run], "linestyle": DASHES[place], "linewidth": _width(curve.run, runs)}


def _width(run: int, runs: int) -> float:
    """Points: each run is thinner than those that it is drawn over."""
    return _WIDEST - (_WIDEST - _THINNEST) * run / max(1, runs - 1)


def _draw_curve(axes: Axes, curve: _Curve, look: dict[str, Any]) -> None:
    """A line, several thin lines, or a median with bands."""
    members = curve.values.shape[1]
    if members <= _THIN:
        thin = {} if members == 1 else {"linewidth": 0.6, "alpha": 0.6}
        axes.plot(curve.times, curve.values, **({"linewidth": 1.3} | look | thin))
        return
    for low, high, alpha in _BANDS:
        edges = np.nanquantile(curve.values, (low, high), axis=1)
        axes.fill_between(curve.times, *edges, color=look["color"], alpha=alpha, linewidth=0)
    axes.plot(curve.times, np.nanmedian(curve.values, axis=1), **(look | {"linewidth": 1.3}))


def _tell_rest(axes: Axes, variable: xr.DataArray, labels: Sequence[str], every: Sequence[str]) -> None:
    """Say under a panel how many labels it leaves out, and how to choose them."""
    dims = " and ".join(long_name(variable.coords[dim]) for dim in subscript_dims(variable))
    told = textwrap.fill(f"{len(labels)} of {len(every)} labels of {dims}; name[label] chooses others", 2 * WORDS)
    axes.set_xlabel(f"{axes.get_xlabel()}\n{told}".strip(), fontsize=SMALL, color=GREY)


def _frame(figure: Figure, runs: Mapping[str, xr.Dataset], title: str | None, columns: int) -> None:
    """Title and legend above, origin below."""
    if len(runs) > 1:
        handles = [
            Line2D([], [], color=COLOURS[place], linewidth=_width(place, len(runs)), label=name)
            for place, name in enumerate(runs)
        ]
        figure.legend(
            handles=handles, loc="outside upper left", ncols=min(len(runs), columns + 1), fontsize=NORMAL, frameon=False,
            title=title, alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
    figure.supxlabel("\n".join(_origin(runs)), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def _origin(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Model, hash, scenario and changes: once for all runs that share a model."""
    lines = model_lines(runs)
    methods = {name: _method(run) for name, run in runs.items()}
    differ = len(set(methods.values())) > 1
    for name, run in runs.items():
        members = math.prod(run.sizes[dim] for dim in member_dims(run))
        bands = f"; median and bands of 50 % and 90 % of {members} members" if members > _THIN else ""
        told = f"{name}: {_changes(name, run)}{f'; {methods[name]}' if differ else ''}{bands}"
        lines.append(textwrap.fill(told, _PAGE, subsequent_indent="    "))
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
