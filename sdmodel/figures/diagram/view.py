"""A view of a model's sketch as a figure: stocks, flows, influences and comments, with values of runs behind their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ...errors import FigureError
from ...model import Kind, Sketch, View, key, suggest
from ..panels import DARK, GREY
from ..text import FittedText, Font, PlainFigure, drawable, fit_text, plain_text
from .arrows import Line, colour_of, draw_line, place_lines, place_signs
from .geometry import Region
from .words import INK, KIND_COLOURS, SHADOW, WORD_LEVEL, PlacedWord, draw_word, ink_of, place_words

_MARGIN, _FOOT_LINE = 0.2, 0.15
_SMALLEST, _LARGEST = 5.0, 30.0
"""Inches: the smallest width of a page, and its largest width and height."""
_INCH = 72.0
_SMALL = Font(7.0)
_MOST_NAMES = 6
_MAPS = {"value": ("YlGnBu", 0.03, 0.45), "change": ("RdBu", 0.26, 0.74)}
"""Colours from low to high values, and for decreases and increases around white; light enough for dark text on them."""
_CONSTANT = "#EFEFEF"
_NUMBER_SIZE, _BELOW_BOX = 0.8, 2.0
"""The font size of numbers divided by that of names, and the distance of a number from the box above."""
_SCALE_FONT, _SCALE, _STEPS = Font(6.5), (1.5, 0.11), 64
"""The font of the colour scale, its width and height in inches, and its number of colours."""


@dataclass(frozen=True, slots=True)
class ShadedValue:
    """The value of one variable: its position on the colour scale, 0 to 1, and the text below.

    The position is None if the value is constant, which is grey, or does not change between runs, which has no colour.
    """

    position: float | None
    text: str


@dataclass(frozen=True)
class Shading:
    """The values of runs in a diagram, by the key of the variable, with the colours, their meaning and the ends of the scale."""

    colours: Literal["value", "change"]
    meaning: str
    ends: tuple[str, str]
    by_key: Mapping[str, ShadedValue] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, eq=False)
class PlacedView:
    """The visible words of a view by number, its visible arrows, and the places of their signs by the arrow's number."""

    words: Mapping[int, PlacedWord]
    lines: tuple[Line, ...]
    signs: Mapping[int, tuple[float, float]]


def place_view(view: View, kinds: Mapping[str, Kind]) -> PlacedView:
    """Return where the words and lines of a view are, in its units; `kinds` are those of the variables by key."""
    words = place_words(view, kinds)
    lines = place_lines(view, words)
    return PlacedView(words, tuple(lines), place_signs(lines, words.values(), view))


@plain_text
def plot_diagram(sketch: Sketch, view: View | str | None = None, *, shading: Shading | None = None) -> Figure:
    r"""Draw the stock-and-flow diagram of one view of a sketch, in the size of the sketch.

    Stocks have boxes, flows are double lines with valves and clouds, and influences are curves with the polarity that the
    sketch gives them. Constants and lookups have coloured italic names. Shadow variables are grey, in angle brackets. Dashed
    lines are influences on initial values. The model, its hash and the view are named below.

    Parameters
    ----------
    sketch : Sketch
        The sketch of a model, as `read_sketch` returns it.
    view : View or str, optional
        The view or its name; it may be left out if the sketch has only one view.
    shading : Shading, optional
        Values of runs: a colour behind the name of each variable, a number below it, and the colour scale below the diagram.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `figure.savefig` writes it to a file.

    Raises
    ------
    FigureError
        If the sketch has no such view, or the view is empty.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.model import Sketch
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Tea = INTEG(-loss, 90)\nloss = Tea/10")
    >>> sketch = Sketch("tea.mdl", model.sha256, sd.lay_out(model))
    >>> figure = sd.plot_diagram(sketch)
    >>> [text.get_text() for text in figure.axes[0].texts][:2]
    ['Tea', 'loss']
    """
    chosen = view if isinstance(view, View) else find_view(sketch, view)
    words = place_words(chosen, sketch.kinds)
    if not words:
        message = f"{sketch.path}: view '{chosen.name}' is empty; draw its variables in Vensim, or choose another view"
        raise FigureError(message)
    values = {
        number: shading.by_key[key(placed.word.text)]
        for number, placed in words.items()
        if shading and placed.word.kind == "variable" and key(placed.word.text) in shading.by_key
    }
    backgrounds = {number: _colour_of(shading, value) for number, value in values.items() if shading}
    numbers = {number: _place_number(words[number], value) for number, value in values.items()}
    # arrows end at the number below a word, which would hide their heads
    words = {
        number: replace(placed, parts=(*placed.parts, numbers[number][1])) if number in numbers else placed
        for number, placed in words.items()
    }
    lines = place_lines(chosen, words)
    shown = shading if values else None
    figure, axes, unit = _make_page(words.values(), lines, chosen.density, shown)
    signs = place_signs(lines, words.values(), chosen)
    for line in lines:
        draw_line(axes, line, chosen, unit, signs.get(line.arrow.number))
    for number, placed in words.items():
        draw_word(axes, placed, unit, backgrounds.get(number))
        if number in numbers:
            _draw_number(axes, placed, *numbers[number], unit)
    if shown:
        _draw_scale(figure, shown, _MARGIN, 2 * _FOOT_LINE + 0.08, _FOOT_LINE)
    origin = f"Model {Path(sketch.path).name}, sha256 {sketch.sha256[:12]}, view {chosen.name}"
    shaded = {number for number, background in backgrounds.items() if background}
    _write_foot(figure, origin, _legend(words, lines, chosen, shaded))
    return figure


def find_view(sketch: Sketch, name: str | None) -> View:
    """Return the view with a name; without a name, the only view.

    Raises
    ------
    FigureError
        If there is no such view, or there are several and no name is given.
    """
    names = [view.name for view in sketch.views]
    if not names:
        problem = "has no sketch, so there is nothing to plot; open it in Vensim, draw a view and save it"
        message = f"{sketch.path}: {problem}"
        raise FigureError(message)
    listed = ", ".join(f"'{name}'" for name in names[:_MOST_NAMES]) + (" or others" if len(names) > _MOST_NAMES else "")
    if name is None and len(names) > 1:
        message = f"{sketch.path}: has {len(names)} views; choose one of {listed}"
        raise FigureError(message)
    found = sketch.views[0] if name is None else sketch.find(name)
    if found is None:
        cure = suggest(str(name), names, f"choose one of {listed}")
        message = f"{sketch.path}: has no view '{name}'; {cure}"
        raise FigureError(message)
    return found


def _make_page(
    words: Iterable[PlacedWord], lines: Iterable[Line], density: int, shading: Shading | None
) -> tuple[Figure, Axes, float]:
    """Return a page with room for the drawing and the lines below, and the number of points in a unit of the view."""
    regions = [region for placed in words for region in (placed.region, *placed.parts)]
    corners = [(r.x + side * r.half_width, r.y + side * r.half_height) for r in regions for side in (-1, 1)]
    points = np.concatenate([np.array(corners, dtype=float), *(line.points for line in lines)])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    inches = np.array([right - left, bottom - top]) / density + 2 * _MARGIN
    scale = min(1.0, *(_LARGEST / inches))
    width = max(_SMALLEST, scale * inches[0])
    room = (2 + (1 + len(_meaning_lines(shading, width)) if shading else 0)) * _FOOT_LINE + 0.1
    height = scale * inches[1] + room
    figure = PlainFigure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, room / height, 1, 1 - room / height))
    units = density / scale  # per inch
    across, along = width * units, (height - room) * units
    x, y = (left + right) / 2, (top + bottom) / 2
    axes.set(xlim=(x - across / 2, x + across / 2), ylim=(y + along / 2, y - along / 2))
    axes.set_axis_off()
    return figure, axes, _INCH / units


def _legend(
    words: Mapping[int, PlacedWord], lines: Iterable[Line], view: View, shaded: Collection[int]
) -> list[tuple[str, str]]:
    """Return the kinds of words and lines with the colours that they have here; the author may have chosen others.

    `shaded` are the numbers of the words whose background is the colour of a value.
    """
    inks = {number: ink_of(placed, shaded=number in shaded) for number, placed in words.items() if placed.label.text}
    legend = [
        (kind, colour)
        for kind, colour in KIND_COLOURS.items()
        if any(words[number].kind == kind and ink == colour for number, ink in inks.items())
    ]
    shadows = {inks[number] for number, placed in words.items() if placed.word.shadow and number in inks}
    initial = {colour_of(line.arrow, view) for line in lines if line.arrow.initial and not line.arrow.pipe}
    for text, colours in (("<shadow variable>", shadows), ("dashed: initial value only", initial)):
        if colours:
            legend.append((text, colours.pop() if len(colours) == 1 else DARK))
    known = {*KIND_COLOURS.values(), INK, SHADOW}
    own = any(ink not in known for ink in inks.values()) or any(line.arrow.colour for line in lines)
    own = own or any(placed.word.fill and number not in shaded for number, placed in words.items())
    return [*legend, ("other colours: the author's", DARK)] if own else legend


def _write_foot(figure: Figure, origin: str, legend: Iterable[tuple[str, str]]) -> None:
    """Write two lines at the left below the drawing: the kinds of text and lines with their colours, and the origin."""
    width, height = figure.get_size_inches()
    style: Any = {"va": "bottom"}
    across, row = _MARGIN, _FOOT_LINE + 0.05
    for text, colour in legend:
        font = replace(_SMALL, italic=text in KIND_COLOURS)
        figure.text(across / width, row / height, text, color=colour, **style, **font.properties(1))
        across += 2 * fit_text(text, font, width * _INCH, 0, shrink=False).half_width / _INCH + 0.15
    text = drawable(" ".join(origin.split()))
    figure.text(_MARGIN / width, 0.05 / height, text, color=GREY, **style, **_SMALL.properties(1))


def _colour_of(shading: Shading, value: ShadedValue) -> str | None:
    if value.position is None:
        return _CONSTANT if shading.colours == "value" else None
    if not 0 <= value.position <= 1:
        message = f"the diagram: {value.position} is not a position on its colour scale; give one from 0 to 1"
        raise FigureError(message)
    name, low, high = _MAPS[shading.colours]
    return to_hex(colormaps[name](low + value.position * (high - low)))


def _place_number(placed: PlacedWord, value: ShadedValue) -> tuple[FittedText, Region]:
    """Return the text of a value and where it stands, below the name of its variable."""
    text = fit_text(value.text, Font(_NUMBER_SIZE * placed.label.font.size), np.inf, np.inf, shrink=False)
    below = _BELOW_BOX if placed.boxed else 0.0
    top = placed.region.y + placed.region.half_height + below
    return text, Region(placed.word.x, top + text.half_height, text.half_width, text.half_height)


def _draw_number(axes: Axes, placed: PlacedWord, text: FittedText, region: Region, unit: float) -> None:
    axes.text(
        region.x, region.y, text.text, ha="center", va="center", color=DARK, zorder=WORD_LEVEL + 2,
        gid=f"number-{placed.word.number}", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8},
        **text.font.properties(unit),
    )  # fmt: skip


def _meaning_lines(shading: Shading, width: float) -> list[str]:
    """Return the meaning of the colours in lines that fit a page of some width in inches."""
    return fit_text(shading.meaning, _SCALE_FONT, (width - 0.4) * _INCH, 0, shrink=False).text.split("\n")


def _draw_scale(figure: Figure, shading: Shading, left: float, bottom: float, row: float) -> None:
    """Draw the colour scale and its meaning above it; positions are inches from the lower left corner."""
    width, height = figure.get_size_inches()
    across, along = _SCALE
    name, low, high = _MAPS[shading.colours]
    style: dict[str, Any] = {"color": GREY, "va": "bottom", **_SCALE_FONT.properties(1)}
    figure.text(left / width, bottom / height, shading.ends[0], **style)
    label = fit_text(shading.ends[0], _SCALE_FONT, width * _INCH, 0, shrink=False)
    start = left + 2 * label.half_width / _INCH + 0.06
    figure.text((start + across + 0.06) / width, bottom / height, shading.ends[1], **style)
    axes = figure.add_axes((start / width, bottom / height, across / width, along / height), label="scale")
    axes.imshow(np.linspace(low, high, _STEPS)[None], cmap=name, vmin=0, vmax=1, aspect="auto")
    axes.set_axis_off()
    for count, line in enumerate(reversed(_meaning_lines(shading, width)), 1):
        figure.text(left / width, (bottom + count * row) / height, line, **style)
