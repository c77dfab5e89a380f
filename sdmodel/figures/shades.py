"""Colours and numbers that a diagram shows of runs beside the names of variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..errors import FigureError
from .lettering import Font, fitted
from .style import DARK, GREY
from .words import WORDS_ABOVE, Placed, is_boxed

_MAPS = {"value": ("YlGnBu", 0.03, 0.45), "change": ("RdBu", 0.26, 0.74)}
"""Colours for values from low to high, and for falls and rises around white; light enough for dark letters on them."""
_STILL = "#EFEFEF"
_SMALL, _LEAST = 0.8, 6.5
"""The size of numbers against that of names, and of the words below the drawing in points."""
_BAR = (1.5, 0.11)
_STEPS = 64
_INCH = 72.0
_BELOW = 2.0


@dataclass(frozen=True, slots=True)
class Shade:
    """What is shown of one variable: a place on the colours from 0 to 1, none where nothing moves, and a text below its name."""

    place: float | None
    text: str


@dataclass(frozen=True)
class Shades:
    """What is shown of runs: a shade for each variable by key, which colours, what they mean, and what their two ends are."""

    colours: Literal["value", "change"]
    meaning: str
    ends: tuple[str, str]
    by_key: Mapping[str, Shade] = field(default_factory=lambda: MappingProxyType({}))


def colour_of(shades: Shades, shade: Shade) -> str:
    """The colour behind a name."""
    if shade.place is None:
        return _STILL
    if not 0 <= shade.place <= 1:
        message = f"the diagram: {shade.place} is no place on its colours; give one from 0 to 1"
        raise FigureError(message)
    name, low, high = _MAPS[shades.colours]
    return to_hex(colormaps[name](low + shade.place * (high - low)))


def draw_number(axes: Axes, placed: Placed, shade: Shade, unit: float) -> None:
    """The text of a variable right below its name or box."""
    font = Font(_SMALL * placed.label.font.size)
    y = placed.region.y + placed.region.half_height + (_BELOW if is_boxed(placed.word, placed.kind) else 0)
    axes.text(
        placed.word.x, y, shade.text, ha="center", va="top", color=DARK, parse_math=False, zorder=WORDS_ABOVE + 2,
        gid=f"number-{placed.word.number}", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8},
        **font.look(unit),
    )  # fmt: skip


def lines_below(shades: Shades, width: float) -> list[str]:
    """What the colours mean, in lines that fit a page so many inches wide."""
    room = (width - 0.4) * _INCH
    return fitted(shades.meaning, Font(_LEAST), room, 0, firm=False).text.split("\n")


def draw_scale(figure: Figure, shades: Shades, left: float, bottom: float, row: float) -> None:
    """What the colours mean and, below, the colours from end to end; all in inches from the left and lower edges."""
    width, height = figure.get_size_inches()
    across, along = _BAR
    name, low, high = _MAPS[shades.colours]
    look = {"color": GREY, "va": "bottom", "parse_math": False, **Font(_LEAST).look(1)}
    figure.text(left / width, bottom / height, shades.ends[0], **look)
    start = left + 2 * fitted(shades.ends[0], Font(_LEAST), width * _INCH, 0, firm=False).half_width / _INCH + 0.06
    figure.text((start + across + 0.06) / width, bottom / height, shades.ends[1], **look)
    place = (start / width, bottom / height, across / width, along / height)
    axes = figure.add_axes(place, label="scale")
    axes.imshow(np.linspace(low, high, _STEPS)[None], cmap=name, vmin=0, vmax=1, aspect="auto")
    axes.set_axis_off()
    for count, line in enumerate(reversed(lines_below(shades, width)), 1):
        figure.text(left / width, (bottom + count * row) / height, line, **look)
