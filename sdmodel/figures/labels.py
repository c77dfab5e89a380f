"""Names beside points, where they overlap nothing, and names and numbers beside bars."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from .panels import DARK, GREY, NORMAL, SMALL, format_number
from .text import Font, fit_text

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (5.0, 10.0, 16.0, 24.0, 34.0)
"""Points between a name and its point; beyond the first distance a line connects them."""
_DOT, _MARGIN = 2.5, 1.0
"""Points: half the size of a point, and the margin around a name."""
_NO_UNITS = frozenset({"", "dmnl", "1"})


def label_points(
    figure: Figure,
    axes: Axes,
    names: Sequence[str],
    places: NDArray[np.float64],
    *,
    width: float = np.inf,
    avoid: NDArray[np.float64] | None = None,
) -> None:
    """Write each name beside its point, without overlaps and inside the panel; later names without room are left out.

    Names are broken into lines of a width in points, and kept away from the points `avoid`, shape (points, 2). Everything else
    must be drawn before, since it decides the position of the panel.
    """
    figure.draw_without_rendering()
    points = 72 / figure.dpi
    low, high = np.asarray(axes.get_window_extent().get_points()) * points
    dots = axes.transData.transform(places) * points
    others = np.empty((0, 2)) if avoid is None else axes.transData.transform(avoid) * points
    taken = [Bbox([dot - _DOT, dot + _DOT]) for dot in (*dots, *others)]
    for index, (name, dot) in enumerate(zip(names, dots, strict=True)):
        label = fit_text(name, Font(SMALL), width, np.inf, shrink=False)
        half = np.array([label.half_width, label.half_height]) + _MARGIN
        shifts = [np.array(direction) * (half + distance) for distance in _DISTANCES for direction in _DIRECTIONS]
        boxes = [(shift, Bbox([dot + shift - half, dot + shift + half])) for shift in shifts]
        free = [
            (shift, box)
            for shift, box in boxes
            if np.all(box.min >= low) and np.all(box.max <= high) and not box.count_overlaps(taken)
        ]
        # a name that is nearer to another point reads as that point's
        outside = (np.maximum(np.maximum(box.min - dots, dots - box.max), 0.0) for _, box in free)
        nearest = [place for place, apart in zip(free, outside, strict=True) if np.hypot(*apart.T).argmin() == index]
        for shift, box in (nearest or free)[:1]:
            taken.append(box)
            note = axes.annotate(
                label.text, (float(places[index, 0]), float(places[index, 1])), tuple(shift), textcoords="offset points", ha="center", va="center",
                fontsize=SMALL, color=DARK, bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.3},
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2},
            )  # fmt: skip
            note.set_in_layout(False)


def label_bars(axes: Axes, shown: xr.Dataset, width: int, *, units: bool = False) -> None:
    """Write the names of constants beside their bars, the first on top, with their units on request.

    Names are broken into lines of `width` letters.
    """
    names = []
    for name, own in zip(shown["parameter"].values, shown["parameter_units"].values, strict=True):
        label = f"{name} ({str(own).replace('_', ' ')})" if units and str(own).lower() not in _NO_UNITS else str(name)
        names.append(textwrap.fill(label, width))
    axes.set_yticks(range(len(names)), names, fontsize=NORMAL - 0.5, color=DARK)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)


def write_beside(axes: Axes, value: float, end: tuple[float, float], side: int, colour: str = DARK) -> None:
    """Write a number beside the end of a bar: on its left if `side` is -1, on its right if it is 1."""
    axes.annotate(
        format_number(value, 4), end, (3 * side, 0), textcoords="offset points",
        ha="right" if side < 0 else "left", va="center", fontsize=SMALL - 0.5, color=colour,
    )  # fmt: skip
