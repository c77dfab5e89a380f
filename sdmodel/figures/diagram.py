"""A view of a model's sketch as a picture: stocks, flows with valves and clouds, influences, shadows and comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import FigureError
from ..model import Sketch, View, key, nearest
from .arrows import Line, draw_line, place_lines, place_signs
from .lettering import Font, drawable, fitted
from .shades import Shades, colour_of, draw_number, draw_scale, lines_below
from .style import GREY
from .words import KIND_COLOURS, SHADE, Placed, draw_word, place_words

_MARGIN = 0.2
"""Inches around what is drawn."""
_SMALLEST, _LARGEST = 5.0, 30.0
"""Inches that a page measures at least across, and at most either way."""
_FOOT_LINE = 0.15
_INCH = 72.0
_SMALL = 7.0
_FIRST = 6


def plot_diagram(sketch: Sketch, view: View | str | None = None, *, shades: Shades | None = None) -> Figure:
    """The stock-and-flow diagram of one view, as large as its author drew it; without a name, of the only view there is.

    Stocks have boxes, flows are double lines with valves and clouds, influences curves with the polarity that the sketch
    gives them. Constants and tables are told apart by their letters, what is shown once more is grey and in brackets,
    dashed lines are influences on the value at the start. Below stand the model, its hash and the view. With `shades`, names
    stand on colours with numbers below them, and what the colours mean is told.

    Raises
    ------
    FigureError
        If the model has no sketch, or no such view, or nothing is in it.
    """
    chosen = view if isinstance(view, View) else choose_view(sketch, view)
    words = place_words(chosen, sketch.kinds)
    if not words:
        message = f"{sketch.path}: view '{chosen.name}' is empty; draw its variables in Vensim, or choose another view"
        raise FigureError(message)
    lines = place_lines(chosen, words)
    corners = _extent(words.values(), lines)
    figure, axes, unit = _page(corners, chosen.density, shades)
    signs = place_signs(lines, words.values(), chosen)
    for line in lines:
        draw_line(axes, line, chosen, unit, signs.get(line.arrow.number))
    for placed in words.values():
        shade = shades.by_key.get(key(placed.word.text)) if shades and placed.word.kind == "variable" else None
        draw_word(axes, placed, unit, colour_of(shades, shade) if shades and shade else None)
        if shade:
            draw_number(axes, placed, shade, unit)
    if shades:
        draw_scale(figure, shades, _MARGIN, 2 * _FOOT_LINE + 0.08, _FOOT_LINE)
    _write_foot(figure, _origin(sketch, chosen), _legend(words.values(), lines))
    return figure


def choose_view(sketch: Sketch, name: str | None) -> View:
    """The view of that name; without one, the only view.

    Raises
    ------
    FigureError
        If there is none, or none is chosen of several; the names are told.
    """
    names = [view.name for view in sketch.views]
    if not names:
        message = f"{sketch.path}: has no sketch, so that there is nothing to draw; open it in Vensim, draw a view and save it"
        raise FigureError(message)
    if name is None:
        if len(names) == 1:
            return sketch.views[0]
        message = f"{sketch.path}: has {len(names)} views; choose one of {_told(names)}"
        raise FigureError(message)
    found = sketch.find(name)
    if found is None:
        close = nearest(name, names)
        cure = f"did you mean '{close}'?" if close else f"choose one of {_told(names)}"
        message = f"{sketch.path}: has no view '{name}'; {cure}"
        raise FigureError(message)
    return found


def _told(names: Sequence[str]) -> str:
    """The first few names."""
    told = ", ".join(f"'{name}'" for name in names[:_FIRST])
    return told if len(names) <= _FIRST else f"{told} or others"


def _extent(words: Iterable[Placed], lines: Iterable[Line]) -> NDArray[np.float64]:
    """The corners of all that is drawn, as left, top, right and bottom in the view's units."""
    edges = [(w.region.x, w.region.y, w.region.half_width, w.region.half_height) for w in words]
    x, y, across, along = np.array(edges, dtype=float).T
    spots = np.concatenate([np.stack([x - across, y - along]).T, np.stack([x + across, y + along]).T])
    spots = np.concatenate([spots, *(line.points for line in lines)])
    return np.concatenate([spots.min(axis=0), spots.max(axis=0)])


def _page(corners: NDArray[np.float64], density: int, shades: Shades | None) -> tuple[Figure, Axes, float]:
    """A page with room for what is drawn and for the lines below, and how many points one unit of the view is."""
    left, top, right, bottom = corners
    inches = np.array([right - left, bottom - top]) / density + 2 * _MARGIN
    scale = min(1.0, *(_LARGEST / inches))
    width = max(_SMALLEST, scale * inches[0])
    room = (2 + (1 + len(lines_below(shades, width)) if shades else 0)) * _FOOT_LINE + 0.1
    height = scale * inches[1] + room
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, room / height, 1, 1 - room / height))
    units = density / scale  # in an inch
    across, along = width * units, (height - room) * units
    x, y = (left + right) / 2, (top + bottom) / 2
    axes.set(xlim=(x - across / 2, x + across / 2), ylim=(y + along / 2, y - along / 2))
    axes.set_axis_off()
    return figure, axes, _INCH / units


def _origin(sketch: Sketch, view: View) -> str:
    """Where the picture comes from."""
    told = f"Model {Path(sketch.path).name}, sha256 {sketch.sha256[:12]}, view {view.name}"
    return drawable(" ".join(told.split()))


def _legend(words: Iterable[Placed], lines: Iterable[Line]) -> list[tuple[str, str]]:
    """What the letters and lines that occur mean, each with its colour."""
    placed = list(words)
    kinds = {each.kind for each in placed if not each.word.shadow}
    found: list[tuple[str, str]] = [(kind, colour) for kind, colour in KIND_COLOURS.items() if kind in kinds]
    if any(each.word.shadow for each in placed):
        found.append(("<drawn elsewhere>", SHADE))
    if any(line.arrow.initial for line in lines):
        found.append(("dashed: at the start only", SHADE))
    return found


def _write_foot(figure: Figure, origin: str, legend: Sequence[tuple[str, str]]) -> None:
    """The meaning of letters and the origin, on two lines at the left below the drawing."""
    width, height = figure.get_size_inches()
    across, row = _MARGIN, _FOOT_LINE + 0.05
    for text, colour in legend:
        font = Font(_SMALL, italic=text in KIND_COLOURS)
        figure.text(across / width, row / height, text, color=colour, va="bottom", parse_math=False, **font.look(1))
        across += 2 * fitted(text, font, width * _INCH, 0, firm=False).half_width / _INCH + 0.15
    figure.text(
        _MARGIN / width, 0.05 / height, origin, color=GREY, va="bottom", parse_math=False, **Font(_SMALL).look(1)
    )
