"""How figures look: colours that everyone can tell apart, sizes for a printed page, numbers on axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence, Sized
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ..errors import FigureError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours for all kinds of colour vision (2008), the clearest on white first, without the yellow."""
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
GREY, DARK = "#555555", "#222222"
SMALL, NORMAL, LARGE = 6.5, 7.5, 9.5
WIDTH = 7.2
"""Inches: the width of a page's text in most journals."""

_APART = 0.06
"""The share of a panel's width that is kept free between panels, enough to tell the last year of one from the first of the next."""
_PLAIN = (1e-2, 1e5)
_SHORT = (0.999e-3, 0.999e5)
"""Numbers between these are written out; beside a logarithmic axis, further ones."""
_DECADES, _DEEPEST = 3, 1e6
"""On so many decades only powers of ten are written; so deep a logarithmic axis goes at most."""
_LABEL = 26
_LOGARITHMIC = "log scale"
_UNITS = {"dmnl": "dimensionless"}
"""What a reader of a page knows other words for."""
_LEGEND_LINE = 9.0
"""Points: the height of a line of the legend above a panel."""


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
    """Make sure that there is something to draw, and not more of it than can be told apart."""
    if not runs or not names:
        message = "the figure: has neither runs nor variables; name at least one of each"
        raise FigureError(message)
    if len(runs) > len(COLOURS):
        message = f"the figure: {len(runs)} runs are too many to tell apart; draw at most {len(COLOURS)}"
        raise FigureError(message)


def legend_grid(handles: Sequence[Sequence[Artist]], width: int, sample: int) -> tuple[list[Artist], int]:
    """Handles of a legend, each sequence of them beginning a line, in the order that matplotlib wants, and how many stand in a line.

    As many are in a line as fit a `width` in letters, with `sample` letters for each line that is shown beside its words.
    """
    longest = max(map(len, handles), default=1)
    for count in range(max(1, longest), 0, -1):
        lines = [list(group[at : at + count]) for group in handles for at in range(0, len(group), count)]
        columns = list(itertools.zip_longest(*lines))
        widths = [max(len(str(each.get_label())) for each in column if each is not None) for column in columns]
        if sum(widths) + sample * len(widths) <= width or count == 1:
            break
    blank = Line2D([], [], linestyle="", label=" ")
    return [each or blank for column in columns for each in column], len(columns)


def columns_for(count: int) -> int:
    """Panels beside each other: as few as fill the page, for they are easier to read when large."""
    return 1 if count == 1 else 2 if count in (2, 4) else 3


def dress(axes: Axes, title: str, units: str, columns: int, *, above: int = 0) -> None:
    """Give a panel, one of `columns` beside each other, its title, its units and quiet axes; `above` are lines left for a legend."""
    pad = 5 + _LEGEND_LINE * above
    axes.set_title(_folded(title, 84 // columns), loc="left", fontsize=NORMAL + 0.5, fontweight="bold", pad=pad)
    _name_units(axes, units)
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
    power = _shorten(axes.yaxis, values)
    if power:
        _name_units(axes, _with_power(units, power), spare=8)
    if finite.size and np.nanmin(values[np.isfinite(values)]) >= 0:
        largest = float(finite.max())
        level = finite.min() == largest
        axes.set_ylim(
            bottom=0 if level or finite.min() <= largest / 2 else None, top=1.5 * largest or 1 if level else None
        )


def scale_across(axes: Axes, units: str, values: NDArray[np.float64], *, prefix: str = "") -> None:
    """Keep the numbers of the x axis short, with units below; a power of a thousand moves there, too."""
    power = _shorten(axes.xaxis, values)
    told = _with_power(_UNITS.get(units, units.replace("_", " ")), power)
    axes.set_xlabel(", ".join(filter(None, (prefix, told))), fontsize=NORMAL, color=GREY)


def _shorten(axis: Axis, values: NDArray[np.float64]) -> int:
    """Write few numbers along an axis, without a power of ten that they share, which is given back."""
    power = power_of(values)
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.10g}".replace("-", "\u2212")))
    return power


def _with_power(units: str, power: int) -> str:
    return f"$10^{{{power}}}$ {units}".strip() if power else units


def power_of(values: NDArray[np.float64]) -> int:
    """The power of ten, a multiple of three, by which numbers are divided to be short; 0 if they are."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    return 0 if largest == 0 or _PLAIN[0] <= largest < _PLAIN[1] else 3 * math.floor(math.log10(largest) / 3)


def scale_logarithmic(axes: Axes, above: NDArray[np.float64], *, seen: float = math.inf) -> None:
    """Powers of ten, six at most unless `seen` lies deeper; the numbers between them are marked where they are few.

    `above` are numbers above zero.
    """
    axes.set_yscale("log")
    high = 1.2 * float(above.max())
    low = min(max(float(above.min()), 1.2 * high / _DEEPEST), seen) / 1.2
    axes.set_ylim(low, high)
    decades = math.log10(high / low)
    powers = LogLocator(10, subs=(1.0,) if decades > _DECADES else (1.0, 2.0, 5.0), numticks=8)
    axes.yaxis.set_major_locator(powers if decades > 1 else MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(_power))
    axes.yaxis.set_minor_locator(NullLocator())


def tell_logarithmic(axes: Axes) -> None:
    """Say beside a panel that its scale is logarithmic."""
    units = axes.get_ylabel()
    between = "" if not units else ", " if len(units) < _LABEL - len(_LOGARITHMIC) else ",\n"
    axes.set_ylabel(f"{units}{between}{_LOGARITHMIC}")


def _name_units(axes: Axes, units: str, spare: int = 0) -> None:
    """Units beside an axis, on lines that fit; `spare` letters take no room."""
    axes.set_ylabel(_folded(told_units(units), _LABEL + spare), fontsize=NORMAL, color=GREY)


def told_units(units: str) -> str:
    """Units as a page says them."""
    return _UNITS.get(units.casefold(), units.replace("_", " "))


def _power(value: float, _place: object = None) -> str:
    """A number beside a logarithmic axis: a power of ten where it would be long."""
    if _SHORT[0] <= value < _SHORT[1]:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    factor = "" if mantissa == "1" else rf"{mantissa}\times "
    return f"${factor}10^{{{int(exponent)}}}$"


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
