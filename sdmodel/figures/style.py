"""How figures look: colours that everyone can tell apart, sizes for a printed page, numbers on axes."""

from __future__ import annotations

import math
from collections.abc import Sized
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from ..errors import FigureError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours for all kinds of colour vision (2008), the clearest on white first, without the yellow."""
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
GREY = "#555555"
SMALL, NORMAL, LARGE = 6.5, 7.5, 9.5
WIDTH = 7.2
"""Inches: the width of a page's text in most journals."""

_APART = 0.06
"""The share of a panel's width that is kept free between panels, enough to tell the last year of one from the first of the next."""
_PLAIN = (1e-2, 1e5)
_LABEL = 26


def page_of_panels(count: int, columns: int, height: float, head: float) -> tuple[Figure, NDArray[Any]]:
    """A page with `count` panels in that many columns, each so many inches high, below a head of some inches; none is drawn."""
    rows = math.ceil(count / columns)
    figure = Figure(
        figsize=(WIDTH, height * rows + head), layout=ConstrainedLayoutEngine(wspace=_APART), facecolor="white"
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in panels[count:]:
        spare.set_visible(False)
    return figure, panels[:count]


def check_distinct(runs: Sized, names: Sized) -> None:
    """Make sure that there is something to draw, and not more of it than can be told apart.

    Raises
    ------
    FigureError
        If there is not, or too much.
    """
    if not runs or not names:
        message = "the figure: has neither runs nor variables; name at least one of each"
        raise FigureError(message)
    if len(runs) > len(COLOURS):
        message = f"the figure: {len(runs)} runs are too many to tell apart; draw at most {len(COLOURS)}"
        raise FigureError(message)


def columns_for(count: int) -> int:
    """Panels beside each other: as few as fill the page, for they are easier to read when large."""
    return 1 if count == 1 else 2 if count in (2, 4) else 3


def dress(axes: Axes, title: str, units: str, columns: int) -> None:
    """Give a panel, one of `columns` beside each other, its title, its units and quiet axes."""
    axes.set_title(_folded(title, 84 // columns), loc="left", fontsize=NORMAL + 0.5, fontweight="bold", pad=5)
    axes.set_ylabel(_folded(units.replace("_", " "), _LABEL), fontsize=NORMAL, color=GREY)
    axes.tick_params(labelsize=NORMAL - 0.5, length=2.5, width=0.6, color=GREY, labelcolor=GREY)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.5)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_linewidth(0.6)
        spine.set_color("#999999")


def scale_numbers(axes: Axes, units: str, values: NDArray[np.float64]) -> None:
    """Keep the numbers of the y axis short: a power of a thousand moves into the label; small heights start at zero."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    power = 0 if largest == 0 or _PLAIN[0] <= largest < _PLAIN[1] else 3 * math.floor(math.log10(largest) / 3)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.10g}".replace("-", "\u2212")))
    if power:
        axes.set_ylabel(
            _folded(f"$10^{{{power}}}$ {units.replace('_', ' ')}".strip(), _LABEL + 8), fontsize=NORMAL, color=GREY
        )
    if finite.size and np.nanmin(values[np.isfinite(values)]) >= 0:
        level = finite.min() == largest
        axes.set_ylim(
            bottom=0 if level or finite.min() <= largest / 2 else None, top=1.5 * largest or 1 if level else None
        )


def date_axis(axes: Axes) -> None:
    """Years, or months and days where a run is short."""
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.xaxis.get_offset_text().set_fontsize(NORMAL - 0.5)


def _folded(text: str, width: int) -> str:
    """Long words on lines that fit a panel."""
    lines = [""]
    for word in text.split():
        fits = len(lines[-1]) + len(word) < width
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if fits else [*lines, word]
    return "\n".join(line for line in lines if line)
