"""Runs over time: one panel a variable, one colour a run."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import DATE, TIME, headlines, long_name, member_dims, subscript_dims
from ..errors import DatasetError, FigureError
from .style import COLOURS, DASHES, GREY, LARGE, NORMAL, SMALL, WIDTH, colours_for, date_axis, dress, scale_numbers

_APART = 0.06
"""The share of a panel's width that is kept free between panels, enough to tell the last year of one from the first of the next."""
_THIN = 20
"""So many members are drawn as lines; more of them as bands."""
_BANDS = ((0.05, 0.95, 0.15), (0.25, 0.75, 0.25))
_LINE = 140
"""So many letters tell what a run changes."""
_COMMENT = re.compile(r"\{([^}]*)\}")
_LEGEND, _SHADES = 9, 20
"""So many labels are all named; so many have colours of their own."""


@dataclass(frozen=True)
class _Curve:
    """What one label of one variable did in one run: `values` of shape (time, members)."""

    run: int
    label: str
    times: NDArray[Any]
    values: NDArray[np.float64]


def plot_runs(runs: Mapping[str, xr.Dataset], names: Sequence[str], *, title: str | None = None) -> Figure:
    """Small multiples over time, one panel for each of the variables `names`, in their own units.

    Colours are runs; with one run, labels of a subscript. Up to 20 members are thin lines, more are a median with bands
    of 50 % and 90 % of them. A line below tells model, scenarios and changes.

    Raises
    ------
    FigureError
        If there is nothing to draw, or too many runs to tell apart.
    DatasetError
        If a run lacks one of the variables.
    """
    if not runs or not names:
        message = "the figure: has neither runs nor variables; name at least one of each"
        raise FigureError(message)
    if len(runs) > len(COLOURS):
        message = f"the figure: {len(runs)} runs are too many to tell apart; draw at most {len(COLOURS)}"
        raise FigureError(message)
    drawn = [_of_run(name, run, names) for name, run in runs.items()]
    columns = _columns(len(names))
    rows = math.ceil(len(names) / columns)
    height = {1: 3.9, 2: 2.4, 3: 1.85}[columns]
    figure = Figure(
        figsize=(WIDTH, height * rows + 0.6), layout=ConstrainedLayoutEngine(wspace=_APART), facecolor="white"
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, axes in enumerate(panels):
        if place < len(names):
            dated = all(DATE in run.coords for run in runs.values())
            _draw_panel(axes, [variables[place] for variables in drawn], columns, dated=dated)
        else:
            axes.set_visible(False)
    figure.align_ylabels(panels)
    _frame(figure, runs, title, columns)
    return figure


def _columns(count: int) -> int:
    """Panels beside each other: as few as fill the page, for they are easier to read when large."""
    return 1 if count == 1 else 2 if count in (2, 4) else 3


def _of_run(name: str, run: xr.Dataset, names: Sequence[str]) -> list[xr.DataArray]:
    """The variables of one run; what is missing is told with the run's name."""
    try:
        return [_over_time(run, variable) for variable in headlines(run, names).values()]
    except DatasetError as fault:
        message = "\n".join(f"run '{name}': {line}" for line in str(fault).splitlines())
        raise DatasetError(message) from fault


def _over_time(run: xr.Dataset, variable: xr.DataArray) -> xr.DataArray:
    """A constant as a level line."""
    if TIME in variable.dims:
        return variable
    level = variable.expand_dims({TIME: run[TIME]})
    return level.assign_coords({DATE: run[DATE]}) if DATE in run.coords else level


def _draw_panel(axes: Axes, variables: Sequence[xr.DataArray], columns: int, *, dated: bool) -> None:
    """One variable in all runs."""
    curves = [curve for run, variable in enumerate(variables) for curve in _curves(run, variable, dated=dated)]
    units = str(variables[0].attrs.get("units", ""))
    dress(axes, long_name(variables[0]), units, columns)
    labels = list(dict.fromkeys(curve.label for curve in curves))
    for curve in curves:
        _draw_curve(axes, curve, _look(curve, labels, len(variables)))
    scale_numbers(axes, units, np.concatenate([curve.values.ravel() for curve in curves]))
    axes.margins(x=0)
    if dated:
        date_axis(axes)
    else:
        axes.set_xlabel(str(variables[0].coords[TIME].attrs.get("units") or "Time"), fontsize=NORMAL, color=GREY)
    if len(labels) > 1:
        _name_labels(axes, variables[0], labels, len(variables))


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
    if len(labels) > _SHADES:
        return {"color": COLOURS[curve.run], "linewidth": 0.5, "alpha": 0.5}
    place = labels.index(curve.label)
    if runs == 1:
        return {"color": colours_for(len(labels))[place], "linestyle": "-"}
    few = len(labels) <= len(DASHES)
    return {"color": COLOURS[curve.run], "linestyle": DASHES[place] if few else "-", "alpha": 1.0 if few else 0.5}


def _draw_curve(axes: Axes, curve: _Curve, look: dict[str, Any]) -> None:
    """A line, several thin lines, or a median with bands."""
    members = curve.values.shape[1]
    if members <= _THIN:
        width = {"linewidth": 1.3} if members == 1 else {"linewidth": 0.6, "alpha": 0.6}
        axes.plot(curve.times, curve.values, **(width | look))
        return
    for low, high, alpha in _BANDS:
        edges = np.nanquantile(curve.values, (low, high), axis=1)
        axes.fill_between(curve.times, *edges, color=look["color"], alpha=alpha, linewidth=0)
    axes.plot(curve.times, np.nanmedian(curve.values, axis=1), **(look | {"linewidth": 1.3}))


def _name_labels(axes: Axes, variable: xr.DataArray, labels: Sequence[str], runs: int) -> None:
    """A small legend of labels; of many, the first, the middle and the last."""
    if len(labels) > (len(DASHES) if runs > 1 else _SHADES):
        dims = " and ".join(long_name(variable.coords[dim]) for dim in subscript_dims(variable))
        axes.set_xlabel(f"a line for each of {len(labels)} labels of {dims}", fontsize=SMALL, color=GREY)
        return
    if runs > 1:
        shown: dict[str, Any] = {
            label: {"color": GREY, "linestyle": DASHES[place]} for place, label in enumerate(labels)
        }
    else:
        looks = dict(zip(labels, colours_for(len(labels)), strict=True))
        kept = labels if len(labels) <= _LEGEND else (labels[0], labels[len(labels) // 2], labels[-1])
        shown = {label: {"color": looks[label]} for label in kept}
    handles = [Line2D([], [], linewidth=1.2, label=label, **look) for label, look in shown.items()]
    aside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if len(handles) > len(DASHES) else {}
    legend = axes.legend(handles=handles, fontsize=SMALL, handlelength=1.6, labelspacing=0.25, borderpad=0.2, **aside)
    legend.get_frame().set(facecolor="white", alpha=0.8, linewidth=0)


def _frame(figure: Figure, runs: Mapping[str, xr.Dataset], title: str | None, columns: int) -> None:
    """Title and legend above, origin below."""
    if len(runs) > 1:
        handles = [Line2D([], [], color=COLOURS[place], linewidth=1.8, label=name) for place, name in enumerate(runs)]
        figure.legend(
            handles=handles, loc="outside upper left", ncols=min(len(runs), columns + 1), fontsize=NORMAL, frameon=False,
            title=title, alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
    figure.supxlabel("\n".join(_origin(runs)), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def _origin(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Model, hash, scenario and changes: once for all runs that share a model."""
    lines = []
    models = {(str(run.attrs.get("model", "")), str(run.attrs.get("model_sha256", ""))) for run in runs.values()}
    for model, sha256 in sorted(models):
        lines.append(f"Model {Path(model).name}, sha256 {sha256[:12]}")
    for name, run in runs.items():
        members = math.prod(run.sizes[dim] for dim in member_dims(run))
        bands = f"; median and bands of 50 % and 90 % of {members} members" if members > _THIN else ""
        lines.append(f"{name}: {_changes(name, run)}{bands}")
    return lines


def _changes(name: str, run: xr.Dataset) -> str:
    """What a run changes: its scenario's name or, where it bears that name itself, what the scenario says or does."""
    scenario, text = (str(run.attrs.get(each, "")) for each in ("scenario_name", "scenario"))
    own = _bare(scenario) == _bare(name)
    done = "; ".join(" ".join(line.split()) for line in _COMMENT.sub("", text).splitlines() if line.strip())
    ways = (_said(text, name), done) if own else (scenario,)
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
