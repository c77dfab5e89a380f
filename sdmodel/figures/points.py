"""Names beside points that overlap neither each other nor the points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from .lettering import Font, fitted
from .style import DARK, GREY, SMALL

_WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (5.0, 10.0, 16.0, 24.0, 34.0)
"""Points between a name and its point; behind the first a line leads there."""
_DOT, _ROOM = 2.5, 1.0
"""Points that belong to the sign of a point on each side, and those kept free around a name."""


def label_points(axes: Axes, names: Sequence[str], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> None:
    """Write each name beside its point, where there is room inside the panel; the first come first, others are left out.

    It comes last, since everything else decides where the panel lies.
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        return
    figure.draw_without_rendering()
    points = 72 / figure.dpi
    low, high = np.asarray(axes.get_window_extent().get_points()) * points
    dots = axes.transData.transform(np.column_stack([xs, ys])) * points
    taken = [Bbox([dot - _DOT, dot + _DOT]) for dot in dots]
    for place, (name, dot) in enumerate(zip(names, dots, strict=True)):
        label = fitted(name, Font(SMALL), np.inf, np.inf, firm=False)
        free = [
            (shift, box)
            for shift, box in _candidates(dot, label.half_width, label.half_height)
            if np.all(box.min >= low) and np.all(box.max <= high) and not box.count_overlaps(taken)
        ]
        own = [each for each in free if _gaps(each[1], dots).argmin() == place]  # a name goes with the point next to it
        for shift, box in (own or free)[:1]:
            taken.append(box)
            _write(axes, name, (float(xs[place]), float(ys[place])), shift)


def _gaps(box: Bbox, dots: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far points, shape (points, 2), are from a box."""
    outside = np.maximum(np.maximum(box.min - dots, dots - box.max), 0.0)
    return np.hypot(outside[:, 0], outside[:, 1])


def _candidates(
    dot: NDArray[np.float64], half_width: float, half_height: float
) -> Iterator[tuple[NDArray[np.float64], Bbox]]:
    """Places for a name around its point, the nearest first: how far its middle is away, and the box that it takes."""
    half = np.array([half_width, half_height]) + _ROOM
    for distance in _DISTANCES:
        for way in _WAYS:
            shift = np.array(way) * (half + distance)
            yield shift, Bbox([dot + shift - half, dot + shift + half])


def _write(axes: Axes, name: str, at: tuple[float, float], shift: NDArray[np.float64]) -> None:
    note = axes.annotate(
        name, at, tuple(shift), textcoords="offset points", ha="center", va="center", fontsize=SMALL, color=DARK,
        arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2}, parse_math=False,
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
    )  # fmt: skip
    note.set_in_layout(False)
