"""What figures of sweeps share: the scales of levers, at what levers are held that are not shown, the frame and the origin."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from ..dataset import base_places, held_places, long_name
from .panels import model_lines
from .style import GREY, LARGE, NORMAL, SMALL, legend_grid, told_units

_FAR = 30.0
"""A lever whose values lie so many times apart, all above zero, has a logarithmic scale."""
_PAGE = 145
_LEGEND, _SAMPLE = 124, 7
"""So many letters of the legend stand on a line of the page; so wide is the sample of a line beside them."""


def slice_at_base(run: xr.Dataset, shown: Sequence[str]) -> tuple[xr.Dataset, list[str]]:
    """The part of a run at the own values of the levers that are not shown, or their middle ones, and what is told of it."""
    places = held_places(run, shown)
    return run.isel(places), [valued(run[dim], place) for dim, place in places.items()]


def valued(lever: xr.DataArray, place: int) -> str:
    """A lever at one of its values, as a reader is told of it."""
    return f"{long_name(lever)} {short(float(lever[place]))}{_after(lever)}"


def short(value: float) -> str:
    """A number as figures write it."""
    return f"{value:.6g}".replace("-", "\u2212")


def _after(lever: xr.DataArray) -> str:
    """The units of a lever behind a number; what has none has none."""
    units = told_units(str(lever.attrs.get("units", "")))
    return "" if units in ("", "dimensionless") else f" {units}"


def titled(lever: xr.DataArray) -> str:
    """A lever with its units, as an axis is named."""
    units = told_units(str(lever.attrs.get("units", "")))
    return f"{long_name(lever)}{f' ({units})' if units else ''}"


def far_apart(lever: xr.DataArray) -> bool:
    """Whether the values of a lever lie so far apart that they are read by their logarithm."""
    return bool(lever.min() > 0 and lever.max() >= _FAR * lever.min())


def steps_of(lever: xr.DataArray) -> NDArray[np.float64]:
    """The values of a lever as its scale has them."""
    return np.log(lever.values) if far_apart(lever) else np.asarray(lever.values, dtype=float)


def lever_axis(axis: Any, lever: xr.DataArray, room: float) -> None:
    """The values of a lever beside its scale, which has room for so many of them."""
    axis.set_minor_locator(NullLocator())
    axis.set_ticks([float(lever[place]) for place in _apart(lever, room)])
    digits = 3 if far_apart(lever) else 6
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(float(f"{value:.{digits}g}"))))


def _apart(lever: xr.DataArray, room: float) -> list[int]:
    """The values of a lever that can be written beside each other: its own first, then from the lowest up."""
    steps = steps_of(lever)
    least = (steps[-1] - steps[0]) / room
    own = base_places(lever).get(str(lever.name))
    chosen: list[int] = [] if own is None else [own]
    for place in range(steps.size):
        if all(abs(steps[place] - steps[each]) >= least for each in chosen if each != place):
            chosen.append(place)
    return sorted(set(chosen))


def quieten(bar: Any) -> None:
    """A colour bar that looks as axes do."""
    bar.ax.tick_params(labelsize=NORMAL - 0.5, length=2.5, width=0.6, color=GREY, labelcolor=GREY)
    bar.outline.set_visible(False)


def frame(figure: Figure, title: str | None, handles: Sequence[Any], origin: Sequence[str]) -> None:
    """Title and signs above, origin below."""
    if handles:
        ordered, beside = legend_grid([handles], _LEGEND, _SAMPLE)
        figure.legend(
            handles=ordered, loc="outside upper left", ncols=beside, fontsize=NORMAL, frameon=False, title=title,
            alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3, columnspacing=1.6,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
    figure.supxlabel("\n".join(origin), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def origin_lines(run: xr.Dataset, held: Sequence[str]) -> list[str]:
    """Model and hash, scenario and changes, members, and at what the levers are held that are not shown."""
    changes = (line for line in str(run.attrs.get("changes", "")).splitlines() if " = over " not in line)
    told = [str(run.attrs.get("scenario_name", "")), *changes]
    if "design_method" in run.attrs:
        told.append(
            f"{run.attrs.get('members', 'its')} members drawn by {run.attrs['design_method']}, seed {run.attrs.get('seed')}"
        )
    told += [f"held at {', '.join(held)}"] if held else []
    lines = "; ".join(filter(None, told)) or "no other changes"
    return [*model_lines({"": run}), textwrap.fill(lines, _PAGE, subsequent_indent="    ")]
