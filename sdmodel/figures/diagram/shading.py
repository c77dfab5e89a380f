"""Values of runs in a diagram: a colour behind the name of each variable and a number below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ...errors import FigureError
from ..style import DARK, GREY
from ..text import Font, fit_text
from .words import WORD_LEVEL, PlacedWord, is_boxed

_MAPS = {"value": ("YlGnBu", 0.03, 0.45), "change": ("RdBu", 0.26, 0.74)}
"""Colours from low to high values, and for decreases and increases around white; light enough for dark text on them."""
_CONSTANT = "#EFEFEF"
_NUMBER_SIZE = 0.8
"""The font size of numbers divided by that of names."""
_FONT = Font(6.5)
"""The font below the drawing."""
_BAR = (1.5, 0.11)
_STEPS = 64
_INCH = 72.0
_BELOW_BOX = 2.0


@dataclass(frozen=True, slots=True)
class ShadedValue:
    """The value of one variable: its position on the colour scale, 0 to 1 or None if it is constant, and the text below."""

    position: float | None
    text: str


@dataclass(frozen=True)
class Shading:
    """The values of runs in a diagram, by the key of the variable, with the colours, their meaning and the ends of the scale."""

    colours: Literal["value", "change"]
    meaning: str
    ends: tuple[str, str]
    by_key: Mapping[str, ShadedValue] = field(default_factory=lambda: MappingProxyType({}))


def colour_of(shading: Shading, value: ShadedValue) -> str:
    """Return the colour behind a name."""
    if value.position is None:
        return _CONSTANT
    if not 0 <= value.position <= 1:
        message = f"the diagram: {value.position} is not a position on its colour scale; give one from 0 to 1"
        raise FigureError(message)
    name, low, high = _MAPS[shading.colours]
    return to_hex(colormaps[name](low + value.position * (high - low)))


def draw_number(axes: Axes, placed: PlacedWord, value: ShadedValue, unit: float) -> None:
    """Write the text of a variable below its name or box."""
    font = Font(_NUMBER_SIZE * placed.label.font.size)
    y = placed.region.y + placed.region.half_height + (_BELOW_BOX if is_boxed(placed.word, placed.kind) else 0)
    axes.text(
        placed.word.x, y, value.text, ha="center", va="top", color=DARK, parse_math=False, zorder=WORD_LEVEL + 2,
        gid=f"number-{placed.word.number}", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8},
        **font.properties(unit),
    )  # fmt: skip


def meaning_lines(shading: Shading, width: float) -> list[str]:
    """Return the meaning of the colours in lines that fit a page of some width in inches."""
    return fit_text(shading.meaning, _FONT, (width - 0.4) * _INCH, 0, shrink=False).text.split("\n")


def draw_scale(figure: Figure, shading: Shading, left: float, bottom: float, row: float) -> None:
    """Draw the colour scale and its meaning above it; positions are inches from the lower left corner."""
    width, height = figure.get_size_inches()
    across, along = _BAR
    name, low, high = _MAPS[shading.colours]
    style: dict[str, Any] = {"color": GREY, "va": "bottom", "parse_math": False, **_FONT.properties(1)}
    figure.text(left / width, bottom / height, shading.ends[0], **style)
    label = fit_text(shading.ends[0], _FONT, width * _INCH, 0, shrink=False)
    start = left + 2 * label.half_width / _INCH + 0.06
    figure.text((start + across + 0.06) / width, bottom / height, shading.ends[1], **style)
    axes = figure.add_axes((start / width, bottom / height, across / width, along / height), label="scale")
    axes.imshow(np.linspace(low, high, _STEPS)[None], cmap=name, vmin=0, vmax=1, aspect="auto")
    axes.set_axis_off()
    for count, line in enumerate(reversed(meaning_lines(shading, width)), 1):
        figure.text(left / width, (bottom + count * row) / height, line, **style)
