"""Ensembles over time: one panel a variable, its median and the bands that hold so many of its members."""

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

from ..dataset import DATE, PROBABILITY, TIME, find_variable, long_name, subscript_dims
from .panels import evenly_chosen, level_line, model_lines, name_labels, time_axis
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
    scale_logarithmic,
    scale_numbers,
)

_MIDDLE = 0.5
_NEAR = 1e-9
_FAINT, _STRONG = 0.16, 0.34
"""How dense the widest band is, and the narrowest."""
_MOST = 4
"""So many labels, each with its bands, can be told apart in a panel."""
_PAGE = 145


@dataclass(frozen=True)
class _Fan:
    """One label of one variable in one run: quantiles of shape (levels, times), single members of shape (times, members)."""

    label: str
    colour: str
    times: NDArray[Any]
    levels: NDArray[np.float64]
    values: NDArray[np.float64]
    lines: NDArray[np.float64] | None
    dashes: Any = "-"


def plot_bands(
    runs: Mapping[str, xr.Dataset],
    names: Sequence[str],
    *,
    spaghetti: Mapping[str, xr.Dataset] | None = None,
    title: str | None = None,
    logarithmic: bool = False,
) -> Figure:
    """Small multiples over time, one panel for each of the variables `names`, in their own units.

    Each run holds quantiles over `probability`: levels that mirror each other are a band, 0.5 is the line. A run without
    that dimension is a line. `spaghetti` are a few members of a run, drawn thin. Colours are runs; with one run, labels of a
    subscript, which have dashes with several; at most four are drawn. `logarithmic` holds for panels without numbers below zero.

    Raises
    ------
    FigureError
        If there is nothing to draw, or too many runs to tell apart.
    DatasetError
        If a run lacks one of the variables.
    """
    check_distinct(runs, names)
    columns = columns_for(len(names))
    figure, panels = page_of_panels(len(names), columns, {1: 3.9, 2: 2.5, 3: 1.95}[columns], 0.75)
    dated = all(DATE in run.coords for run in runs.values())
    for axes, name in zip(panels, names, strict=True):
        _draw_panel(axes, runs, name, spaghetti or {}, (columns, dated, logarithmic))
    figure.align_ylabels(panels)
    _frame(figure, runs, bool(spaghetti), title)
    return figure


def _draw_panel(
    axes: Axes,
    runs: Mapping[str, xr.Dataset],
    name: str,
    spaghetti: Mapping[str, xr.Dataset],
    form: tuple[int, bool, bool],
) -> None:
    """One variable of all runs, all bands below all lines."""
    columns, dated, logarithmic = form
    first = find_variable(next(iter(runs.values())), name)
    fans = [
        fan for place, run in enumerate(runs) for fan in _fans(runs[run], name, spaghetti.get(run), place, dated=dated)
    ]
    every = list(dict.fromkeys(fan.label for fan in fans))
    labels = evenly_chosen(every, _MOST)
    alone = len(runs) == 1
    fans = [_told_apart(fan, labels, alone=alone) for fan in fans if fan.label in labels]
    units = str(first.attrs.get("units", ""))
    dress(axes, long_name(first), units, columns)
    for fan in fans:
        _draw_fan(axes, fan)
    drawn = np.concatenate([each.ravel() for fan in fans for each in (fan.values, fan.lines) if each is not None])
    if logarithmic and np.nanmin(drawn, initial=np.inf) >= 0 and np.nanmax(drawn, initial=0) > 0:
        scale_logarithmic(axes, drawn[drawn > 0])
    else:
        scale_numbers(axes, units, drawn)
    axes.margins(x=0)
    time = next(iter(runs.values()))[TIME]  # which a constant has none of
    time_axis(axes, time.attrs.get("units"), dated=dated)
    if len(labels) > 1:
        name_labels(axes, labels, alone=alone, linewidth=1.5, handlelength=1.8)
    if len(labels) < len(every):
        told = f"{len(labels)} of {len(every)} labels; name[label] chooses others"
        axes.set_xlabel(f"{axes.get_xlabel()}\n{told}".strip(), fontsize=SMALL, color=GREY)


def _fans(run: xr.Dataset, name: str, members: xr.Dataset | None, place: int, *, dated: bool) -> Iterator[_Fan]:
    """A variable of a run label by label."""
    variable = _spread(find_variable(run, name), run)
    lines = None if members is None else _spread(find_variable(members, name), members)
    dims = subscript_dims(variable)
    times = variable.coords[DATE if dated else TIME].values
    levels = variable.coords[PROBABILITY].values
    for at in itertools.product(*(range(variable.sizes[dim]) for dim in dims)):
        chosen = dict(zip(dims, at, strict=True))
        label = ", ".join(str(variable.coords[dim].values[index]) for dim, index in chosen.items())
        values = variable.isel(chosen).transpose(PROBABILITY, TIME).values
        single = None if lines is None else lines.isel(chosen).transpose(TIME, ...).values.reshape(len(times), -1)
        yield _Fan(label, COLOURS[place], times, levels, np.asarray(values, dtype=float), single)


def _spread(variable: xr.DataArray, run: xr.Dataset) -> xr.DataArray:
    """A constant as a level line, and a single run as its own median."""
    variable = level_line(run, variable)
    return variable if PROBABILITY in variable.dims else variable.expand_dims({PROBABILITY: [_MIDDLE]})


def _told_apart(fan: _Fan, labels: Sequence[str], *, alone: bool) -> _Fan:
    """A label by its colour with a single run, else by the dashes of its median, as colours are runs."""
    place = labels.index(fan.label)
    if len(labels) == 1:
        return fan
    return replace(fan, colour=COLOURS[place]) if alone else replace(fan, dashes=DASHES[place])


def bands_of(levels: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Positions of the levels that mirror each other, the widest band first."""
    ordered = sorted((float(level), index) for index, level in enumerate(levels) if level < _MIDDLE - _NEAR)
    found = []
    for low, index in ordered:
        high = np.flatnonzero(np.abs(levels - (1 - low)) < _NEAR)
        found += [(index, int(high[0]))] if high.size else []
    return found


def _draw_fan(axes: Axes, fan: _Fan) -> None:
    """Bands, a few members, and the median on top."""
    pairs = bands_of(fan.levels)
    for rank, (low, high) in enumerate(pairs):
        axes.fill_between(
            fan.times,
            fan.values[low],
            fan.values[high],
            color=fan.colour,
            alpha=_density(rank, len(pairs)),
            linewidth=0,
        )
    if fan.lines is not None:
        axes.plot(fan.times, fan.lines, color=fan.colour, linewidth=0.35, alpha=0.45)
    for index in np.flatnonzero(np.abs(fan.levels - _MIDDLE) < _NEAR):
        axes.plot(
            fan.times, fan.values[index], linestyle=fan.dashes, color=fan.colour, linewidth=1.5, solid_capstyle="butt"
        )


def _density(rank: int, count: int) -> float:
    """How dense a band is; those inside lie on those around them."""
    return _FAINT + (_STRONG - _FAINT) * rank / max(1, count - 1)


def _frame(figure: Figure, runs: Mapping[str, xr.Dataset], spaghetti: bool, title: str | None) -> None:  # noqa: FBT001
    """What line and bands mean above, origin below."""
    handles: list[Any] = []
    for place, (name, run) in enumerate(runs.items()):
        prefix = f"{name}: " if len(runs) > 1 else ""
        levels = run[PROBABILITY].values if PROBABILITY in run.dims else np.array([_MIDDLE])
        word = f"{prefix}median" if levels.size > 1 else name
        handles.append(Line2D([], [], color=COLOURS[place], linewidth=1.5, label=word))
        pairs = bands_of(levels)
        for rank, (low, high) in reversed(list(enumerate(pairs))):
            share = 100 * (levels[high] - levels[low])
            # a band is seen on those around it, so that what its sample shows is all of them together
            clear = math.prod(1 - _density(each, len(pairs)) for each in range(rank + 1))
            handles.append(
                Patch(facecolor=COLOURS[place], alpha=1 - clear, linewidth=0, label=f"{share:.4g} % of members")
            )
    if spaghetti:
        handles.append(Line2D([], [], color=COLOURS[0], linewidth=0.5, alpha=0.6, label="single members"))
    legend = figure.legend(
        handles=handles, loc="outside upper left", ncols=min(len(handles), 4), fontsize=NORMAL, frameon=False,
        title=title, alignment="left", borderaxespad=0.3, columnspacing=1.6, handlelength=1.8,
        title_fontproperties={"size": LARGE, "weight": "bold"},
    )  # fmt: skip
    legend.set_zorder(0)
    figure.supxlabel("\n".join(_origin(runs)), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def _origin(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Model and hash once, and for each ensemble its scenario, changes, members and how they were drawn."""
    lines = model_lines(runs)
    for name, run in runs.items():
        told = "; ".join(filter(None, (_changes(run), _members(run)))) or "no changes"
        lines.append(textwrap.fill(f"{name}: {told}", _PAGE, subsequent_indent="    "))
    return lines


def _changes(run: xr.Dataset) -> str:
    """The scenario of a run and what else it changes, as far as it is told in numbers."""
    changes = (line for line in str(run.attrs.get("changes", "")).splitlines() if "= over " not in line)
    return "; ".join(filter(None, (str(run.attrs.get("scenario_name", "")), *changes)))


def _members(run: xr.Dataset) -> str:
    """How many members there are, how they were drawn, and how many of them broke off."""
    attributes = run.attrs
    if "members_done" not in attributes:
        return ""
    done, wanted, broken = (int(attributes.get(f"members_{each}", 0)) for each in ("done", "wanted", "not_finite"))
    count = f"{done:,} members" if done == wanted else f"{done:,} of {wanted:,} members"
    way = f"{attributes['design_method']}, seed {attributes.get('seed')}" if "design_method" in attributes else ""
    odd = f"{broken:,} of them not finite, left out from where they break off" if broken else ""
    return ", ".join(filter(None, (count, way, odd)))
