"""The panels of a figure of runs: lines of variables and their labels, scales, what was observed, and legends above."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import DATE, TIME, find_variable, long_name, member_dims, subscript_dims
from ..errors import FigureError
from .observed import Observed, draw_points, observed_of, point_handle
from .page import Panel, Scale
from .panels import WORDS, evenly_chosen, level_line, time_axis
from .style import (
    COLOURS,
    DARK,
    DASHES,
    GREY,
    SMALL,
    dress,
    legend_grid,
    scale_logarithmic,
    scale_numbers,
    tell_logarithmic,
)

THIN = 20
"""So many members are drawn as lines; more of them as bands."""
_BANDS = ((0.05, 0.95, 0.15), (0.25, 0.75, 0.25))
_WIDEST, _THINNEST = 2.0, 0.9
"""Points: of several runs the first is the widest, the last lies on top and is the thinnest, so that equals show."""
_FAR = 1e3
"""Numbers above zero that lie so many times apart are read on a logarithmic scale."""
_BEYOND, _CLIPPED = 4.0, 1.25
"""A run that goes so many times beyond all others leaves the panel, whose axis ends so far above these."""
_LETTERS = 100
"""So many small letters stand on a line as wide as all panels beside each other."""
_SAMPLE = 5
"""Letters that are as wide as the sample of a line and what is around it."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What one label of one variable did in one run: `values` of shape (time, members)."""

    run: int
    name: str
    label: str
    times: NDArray[Any]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contents:
    """What a panel shows: traces, those of their labels that are drawn, and what was observed of them.

    `common` are labels that are the same in all runs, drawn once and grey.
    """

    title: str
    units: str
    time_units: str
    traces: tuple[Trace, ...]
    every: tuple[str, ...]
    labels: tuple[str, ...]
    common: frozenset[str]
    observed: tuple[Observed, ...]
    scale: Scale
    dims: str


def run_width(run: int, runs: int) -> float:
    """Points: each run is thinner than those that it is drawn over."""
    return _WIDEST - (_WIDEST - _THINNEST) * run / max(1, runs - 1)


def contents_of(panel: Panel, runs: Mapping[str, xr.Dataset], observed: Sequence[Observed], *, dated: bool) -> Contents:
    """What a panel shows of all runs."""
    several = len(panel.lines) > 1
    variables = [
        (place, (label or name) if several else "", level_line(run, find_variable(run, name)))
        for place, run in enumerate(runs.values())
        for name, label in panel.lines.items()
    ]
    first = variables[0][2]
    title = panel.title or long_name(first)
    if several:
        _check_units(title, [variable for *_, variable in variables])
    traces = [each for place, line, one in variables for each in _traces(place, one, line, dated=dated)]
    every = tuple(dict.fromkeys(each.label for each in traces))
    labels = tuple(evenly_chosen(every, len(COLOURS) if len(runs) == 1 else len(DASHES)))
    drawn = tuple(each for each in traces if each.label in labels)
    known = (each for name in dict.fromkeys(each.name for each in drawn) for each in observed_of(observed, name))
    common = frozenset(_equal_in_all(drawn, len(runs))) if several else frozenset[str]()
    dims = " and ".join(long_name(first.coords[dim]) for dim in subscript_dims(first))
    units, time_units = (str(each.attrs.get("units", "")) for each in (first, first.coords[TIME]))
    return Contents(title, units, time_units, drawn, every, labels, common, tuple(known), panel.scale, dims)


def _check_units(title: str, variables: Sequence[xr.DataArray]) -> None:
    """Make sure that the variables of a panel have one unit."""
    units = {str(each.attrs.get("units", "")): long_name(each) for each in reversed(variables)}
    if len(units) > 1:
        told = ", ".join(f"'{name}' is in '{unit}'" for unit, name in reversed(units.items()))
        message = f"panel '{title}': {told}; give each unit a panel of its own"
        raise FigureError(message)


def _traces(run: int, variable: xr.DataArray, line: str, *, dated: bool) -> Iterator[Trace]:
    """A variable label by label; the name of its line comes before each."""
    dims = subscript_dims(variable)
    ordered = variable.transpose(TIME, *dims, *member_dims(variable))
    times = variable.coords[DATE if dated else TIME].values
    for place in itertools.product(*(range(variable.sizes[dim]) for dim in dims)):
        part = ordered.isel(dict(zip(dims, place, strict=True)))
        values = np.asarray(part.values, dtype=float).reshape(len(times), -1)
        spelt = [str(variable.coords[dim].values[at]) for dim, at in zip(dims, place, strict=True)]
        name = f"{long_name(variable)}[{','.join(spelt)}]" if spelt else long_name(variable)
        label = ", ".join(filter(None, (line, *spelt)))
        yield Trace(run, name, label, times, np.where(np.isfinite(values), values, np.nan))


def _equal_in_all(traces: Iterable[Trace], runs: int) -> Iterator[str]:
    """The labels of which several runs say the same at all times."""
    together: dict[str, list[Trace]] = {}
    for each in traces:
        together.setdefault(each.label, []).append(each)
    for label, (first, *others) in together.items():
        same = all(
            np.array_equal(each.times, first.times) and np.array_equal(each.values, first.values, equal_nan=True)
            for each in others
        )
        if same and len(others) == runs - 1 > 0:
            yield label


def draw_panel(
    axes: Axes, contents: Contents, names: Sequence[str], columns: int, *, dated: bool, logarithmic: bool
) -> None:
    """One panel of all runs, which have these names."""
    handles = _handles(contents, len(names))
    ordered, beside = legend_grid([handles], _LETTERS // columns, _SAMPLE)
    dress(axes, contents.title, contents.units, columns, above=len(ordered) // max(1, beside))
    for trace in contents.traces:
        if trace.label not in contents.common or trace.run == 0:
            _draw_trace(axes, trace, _look(trace, contents, len(names)))
    for place, each in enumerate(contents.observed):
        draw_points(axes, each, place, _point_colour(each, contents, len(names)), dated=dated)
    times = np.concatenate([each.times for each in contents.traces])
    axes.set_xlim(times.min(), times.max())
    _scale(axes, contents, names, logarithmic=logarithmic)
    time_axis(axes, contents.time_units, dated=dated)
    if handles:
        axes.legend(
            handles=ordered, fontsize=SMALL, ncols=beside, loc="lower left", bbox_to_anchor=(-0.013 * columns, 1.0), frameon=False,
            borderaxespad=0.1, borderpad=0.1, handlelength=1.2 if len(names) == 1 else 1.8, handletextpad=0.5,
            columnspacing=0.9, labelspacing=0.25,
        )  # fmt: skip
    if len(contents.labels) < len(contents.every):
        _tell_rest(axes, contents)


def _look(trace: Trace, contents: Contents, runs: int) -> dict[str, Any]:
    """Colour and dashes: runs have colours and labels dashes; with a single run, labels have the colours."""
    place = contents.labels.index(trace.label)
    if runs == 1:
        return {"color": COLOURS[place]}
    if trace.label in contents.common:
        return {"color": GREY, "linestyle": DASHES[place], "linewidth": _THINNEST}
    return {"color": COLOURS[trace.run], "linestyle": DASHES[place], "linewidth": run_width(trace.run, runs)}


def _draw_trace(axes: Axes, trace: Trace, look: dict[str, Any]) -> None:
    """A line, several thin lines, or a median with bands."""
    members = trace.values.shape[1]
    if members <= THIN:
        thin = {} if members == 1 else {"linewidth": 0.6, "alpha": 0.6}
        axes.plot(trace.times, trace.values, **({"linewidth": 1.3} | look | thin))
        return
    for low, high, alpha in _BANDS:
        edges = np.nanquantile(trace.values, (low, high), axis=1)
        axes.fill_between(trace.times, *edges, color=look["color"], alpha=alpha, linewidth=0)
    axes.plot(trace.times, np.nanmedian(trace.values, axis=1), **(look | {"linewidth": 1.3}))


def _point_colour(series: Observed, contents: Contents, runs: int) -> str:
    """Points have the colour of their line, where there is one of it."""
    label = next(each.label for each in contents.traces if observed_of([series], each.name))
    return COLOURS[contents.labels.index(label)] if runs == 1 else DARK


def _handles(contents: Contents, runs: int) -> list[Line2D]:
    """What a legend above the panel names: labels if there are several, and series if one word does not do for them."""
    alone = runs == 1
    handles = [
        Line2D([], [], linewidth=1.3, label=textwrap.shorten(label, 2 * WORDS, placeholder=" …"), **look)
        for place, label in enumerate(contents.labels)
        for look in ({"color": COLOURS[place]} if alone else {"color": GREY, "linestyle": DASHES[place]},)
        if len(contents.labels) > 1
    ]
    if len(contents.observed) > 1:
        handles += [
            point_handle(each.name, place, _point_colour(each, contents, runs))
            for place, each in enumerate(contents.observed)
        ]
    return handles


def _scale(axes: Axes, contents: Contents, names: Sequence[str], *, logarithmic: bool) -> None:
    """A logarithmic axis where it is asked for, or numbers lie far apart, and none is below zero; it is told."""
    points = [part for each in contents.observed for part in (each.least, each.most)]
    values = np.concatenate([*(each.values.ravel() for each in contents.traces), *points])
    finite = values[np.isfinite(values)]
    above = finite[finite > 0]
    far = 0 < above.size == finite.size and float(above.max()) > _FAR * float(above.min())
    wanted = logarithmic or contents.scale == "log" or (far and not contents.scale)
    if wanted and above.size and float(finite.min()) >= 0:
        scale_logarithmic(axes, above, seen=min((float(each.min()) for each in points), default=np.inf))
        tell_logarithmic(axes)
    else:
        scale_numbers(axes, contents.units, values)
        _clip(axes, contents, names)


def _clip(axes: Axes, contents: Contents, names: Sequence[str]) -> None:
    """Let a run that goes far beyond all others leave the panel, so that these can be seen, and say how far it goes."""
    tops = np.array(
        [
            max(float(np.nanmax(each.values, initial=-np.inf)) for each in contents.traces if each.run == run)
            for run in range(len(names))
        ]
    )
    top = int(tops.argmax())
    seen = [float(each.most.max()) for each in contents.observed]
    others = max([*np.delete(tops, top), *seen], default=0.0)
    if len(names) > 1 and 0 < _BEYOND * others < tops[top] < np.inf:
        axes.set_ylim(top=_CLIPPED * others)
        axes.text(
            0.02, 0.99, f"{names[top]}: up to {tops[top]:,.3g}, beyond this axis", transform=axes.transAxes,
            fontsize=SMALL, color=COLOURS[top], va="top", zorder=5,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5},
        )  # fmt: skip


def _tell_rest(axes: Axes, contents: Contents) -> None:
    """Say under a panel how many labels it leaves out, and how to choose them."""
    told = f"{len(contents.labels)} of {len(contents.every)} labels of {contents.dims}; name[label] chooses others"
    axes.set_xlabel(f"{axes.get_xlabel()}\n{textwrap.fill(told, 2 * WORDS)}".strip(), fontsize=SMALL, color=GREY)
