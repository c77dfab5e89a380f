"""How figures look: colours that everyone can tell apart, font sizes for a printed page, axes and their numbers."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito (2008) for all kinds of colour vision, clearest on white first, without the yellow."""
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
GREY, DARK, GRID = "#555555", "#222222", "#DDDDDD"
SMALL, NORMAL, LARGE = 6.5, 7.5, 9.5
"""Font sizes in points."""

_TITLE_LETTERS, _LABEL_LETTERS = 84, 26
"""Letters that fit a title as wide as the page, and a line beside an axis."""
_POWER_LETTERS = 8
"""Letters of a power of ten that are not printed."""
_LEGEND_LINE = 9.0
"""Points: the height of a line of the legend above a panel."""
_PLAIN = (1e-2, 1e5)
"""Numbers in this range are written without a power of ten; on a logarithmic axis, those in the next."""
_PLAIN_LOGARITHMIC = (0.999e-3, 0.999e5)
_FEW_DECADES, _DEEPEST = 3, 1e6
"""A longer logarithmic axis shows powers of ten only; the deepest spans this factor."""
_LOGARITHMIC = "log scale"
_UNITS = {"dmnl": "dimensionless"}
"""Units that a figure writes in other words."""
_STEPS = [1, 2, 2.5, 5, 10]


def style_panel(axes: Axes, title: str, units: str, columns: int, *, legend_lines: int = 0) -> None:
    """Set the title and units of a panel, one of `columns` in a row, draw quiet axes and leave room for a legend above."""
    pad = 5 + _LEGEND_LINE * legend_lines
    title = _wrap(title, _TITLE_LETTERS // columns)
    axes.set_title(title, loc="left", fontsize=NORMAL + 0.5, fontweight="bold", pad=pad)
    _label_y_axis(axes, units)
    style_ticks(axes)
    axes.grid(axis="y", color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_linewidth(0.6)
        spine.set_color("#999999")


def style_ticks(axes: Axes) -> None:
    """Draw small grey ticks."""
    axes.tick_params(labelsize=NORMAL - 0.5, length=2.5, width=0.6, color=GREY, labelcolor=GREY)


def format_y_axis(axes: Axes, units: str, values: NDArray[np.float64]) -> None:
    """Keep the numbers of the y axis short: a power of a thousand moves into the label; small positive values start at 0."""
    finite = values[np.isfinite(values)]
    power = _format_ticks(axes.yaxis, values)
    if power:
        _label_y_axis(axes, with_power(units, power), spare=_POWER_LETTERS)
    if finite.size and finite.min() >= 0:
        largest = float(finite.max())
        level = finite.min() == largest
        axes.set_ylim(
            bottom=0 if level or finite.min() <= largest / 2 else None, top=1.5 * largest or 1 if level else None
        )


def format_x_axis(axes: Axes, units: str, values: NDArray[np.float64], *, prefix: str = "") -> None:
    """Keep the numbers of the x axis short and label it with its units; a power of a thousand moves into the label."""
    label = with_power(_UNITS.get(units, units.replace("_", " ")), _format_ticks(axes.xaxis, values))
    axes.set_xlabel(", ".join(filter(None, (prefix, label))), fontsize=NORMAL, color=GREY)


def _format_ticks(axis: Axis, values: NDArray[np.float64]) -> int:
    """Write few numbers along an axis without their shared power of ten, and return that power."""
    power = shared_power(values)
    axis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value / 10.0**power, 10)))
    return power


def shared_power(values: NDArray[np.float64]) -> int:
    """Return the power of ten, a multiple of three, to take out of long numbers; 0 if they are short."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    return 0 if largest == 0 or _PLAIN[0] <= largest < _PLAIN[1] else 3 * math.floor(math.log10(largest) / 3)


def with_power(units: str, power: int) -> str:
    """Return units with a power of ten before them."""
    return f"$10^{{{power}}}$ {units}".strip() if power else units


def format_number(value: float, digits: int = 6) -> str:
    """Return a number with a typographic minus sign."""
    return f"{value:.{digits}g}".replace("-", "\u2212")


def format_units(units: str) -> str:
    """Return units as a figure writes them."""
    return _UNITS.get(units.casefold(), units.replace("_", " "))


def set_logarithmic(axes: Axes, positive: NDArray[np.float64], *, lowest: float = math.inf) -> None:
    """Make the y axis logarithmic over `positive` values, at most six decades deep unless `lowest` lies deeper.

    Numbers between powers of ten are marked on short axes.
    """
    axes.set_yscale("log")
    high = 1.2 * float(positive.max())
    low = min(max(float(positive.min()), 1.2 * high / _DEEPEST), lowest) / 1.2
    axes.set_ylim(low, high)
    decades = math.log10(high / low)
    powers = LogLocator(10, subs=(1.0,) if decades > _FEW_DECADES else (1.0, 2.0, 5.0), numticks=8)
    axes.yaxis.set_major_locator(powers if decades > 1 else MaxNLocator(5, steps=_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(_format_logarithmic))
    axes.yaxis.set_minor_locator(NullLocator())


def label_logarithmic(axes: Axes) -> None:
    """Add "log scale" to the label of the y axis."""
    units = axes.get_ylabel()
    separator = "" if not units else ", " if len(units) < _LABEL_LETTERS - len(_LOGARITHMIC) else ",\n"
    axes.set_ylabel(f"{units}{separator}{_LOGARITHMIC}")


def _format_logarithmic(value: float, _position: object = None) -> str:
    if _PLAIN_LOGARITHMIC[0] <= value < _PLAIN_LOGARITHMIC[1]:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    factor = "" if mantissa == "1" else rf"{mantissa}\times "
    return f"${factor}10^{{{int(exponent)}}}$"


def format_time_axis(axes: Axes, units: object, *, dated: bool) -> None:
    """Format the x axis as dates, months and days where a run is short, or label it with the units of time."""
    if not dated:
        axes.set_xlabel(str(units or "Time"), fontsize=NORMAL, color=GREY)
        return
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.xaxis.get_offset_text().set_fontsize(NORMAL - 0.5)


def _label_y_axis(axes: Axes, units: str, spare: int = 0) -> None:
    axes.set_ylabel(_wrap(format_units(units), _LABEL_LETTERS + spare), fontsize=NORMAL, color=GREY)


def _wrap(text: str, width: int) -> str:
    """Break a text between words into lines shorter than `width` letters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) < width:
            lines[-1] = f"{lines[-1]} {word}".strip()
        else:
            lines.append(word)
    return "\n".join(line for line in lines if line)
