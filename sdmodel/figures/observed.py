"""What was observed of the variables that a figure draws: points with error bars, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..dataset import dates_of
from ..model import key
from .style import DARK

_MARKS = ("o", "s", "^", "D")
_SIZE = 2.9
_POINTS: dict[str, Any] = {"color": DARK, "markersize": _SIZE, "markeredgewidth": 0.5}


@dataclass(frozen=True, eq=False)
class Observed:
    """One series of observations `about` a variable, in its units: `values` at model times `times`, shape (n,).

    `least` and `most` are the ends of their error bars, one standard deviation away; `sources` name who published them.
    """

    name: str
    about: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    sources: tuple[str, ...] = ()


def observed_of(observed: Iterable[Observed], name: str) -> list[Observed]:
    """The series that are about a variable, or a label of it."""
    return [each for each in observed if key(each.about) == key(name)]


def draw_points(axes: Axes, series: Observed, place: int, colour: str, *, dated: bool) -> None:
    """The points of a series, the one at that place in its panel, over the lines; those outside of the panel's time are not drawn."""
    times = dates_of(series.times) if dated else series.times
    bars = np.array([series.values - series.least, series.most - series.values])
    axes.errorbar(
        times, series.values, bars, fmt=_mark(place), markerfacecolor=colour, ecolor=DARK, elinewidth=0.7, capsize=1.2,
        capthick=0.7, zorder=4, markeredgecolor=DARK, **_POINTS,
    )  # fmt: skip


def point_handle(label: str, place: int = 0, colour: str = DARK) -> Line2D:
    """What a legend shows of points."""
    mark = _mark(place)
    return Line2D([], [], linestyle="", marker=mark, markerfacecolor=colour, label=label, **_POINTS)


def source_line(observed: Sequence[Observed]) -> str:
    """The sources of what is drawn, series by series; series of the same sources together."""
    together: dict[tuple[str, ...], list[str]] = {}
    for each in observed:
        together.setdefault(each.sources, []).append(each.name)
    told = [f"{', '.join(names)}: {', '.join(sources) or 'no source named'}" for sources, names in together.items()]
    return f"Observed: {'; '.join(told)}" if told else ""


def _mark(place: int) -> str:
    return _MARKS[place % len(_MARKS)]
