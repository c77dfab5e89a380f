"""A view of a model's sketch as a figure: stocks, flows with valves and clouds, influences, shadow variables, comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...errors import FigureError
from ...model import Sketch, View, key, nearest
from ..style import GREY
from ..text import Font, drawable, fit_text
from .arrows import Line, draw_line, place_lines, place_signs
from .shading import Shading, colour_of, draw_number, draw_scale, meaning_lines
from .words import KIND_COLOURS, SHADOW, PlacedWord, draw_word, place_words

_MARGIN = 0.2
"""Inches around the drawing."""
_SMALLEST, _LARGEST = 5.0, 30.0
"""Inches: the smallest width of a page, and its largest width and height."""
_FOOT_LINE = 0.15
_INCH = 72.0
_SMALL = 7.0
_MOST_NAMES = 6


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
    lines = place_lines(chosen, words)
    figure, axes, unit = _make_page(_extent(words.values(), lines), chosen.density, shading)
    signs = place_signs(lines, words.values(), chosen)
    for line in lines:
        draw_line(axes, line, chosen, unit, signs.get(line.arrow.number))
    for placed in words.values():
        value = shading.by_key.get(key(placed.word.text)) if shading and placed.word.kind == "variable" else None
        draw_word(axes, placed, unit, colour_of(shading, value) if shading and value else None)
        if value:
            draw_number(axes, placed, value, unit)
    if shading:
        draw_scale(figure, shading, _MARGIN, 2 * _FOOT_LINE + 0.08, _FOOT_LINE)
    _write_foot(figure, _origin(sketch, chosen), _legend(words.values(), lines))
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
        message = (
            f"{sketch.path}: has no sketch, so there is nothing to plot; open it in Vensim, draw a view and save it"
        )
        raise FigureError(message)
    if name is None:
        if len(names) == 1:
            return sketch.views[0]
        message = f"{sketch.path}: has {len(names)} views; choose one of {_list_names(names)}"
        raise FigureError(message)
    found = sketch.find(name)
    if found is None:
        close = nearest(name, names)
        cure = f"did you mean '{close}'?" if close else f"choose one of {_list_names(names)}"
        message = f"{sketch.path}: has no view '{name}'; {cure}"
        raise FigureError(message)
    return found


def _list_names(names: Sequence[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names[:_MOST_NAMES])
    return listed if len(names) <= _MOST_NAMES else f"{listed} or others"


def _extent(words: Iterable[PlacedWord], lines: Iterable[Line]) -> NDArray[np.float64]:
    """Return left, top, right and bottom of the drawing in the units of the view."""
    edges = [(w.region.x, w.region.y, w.region.half_width, w.region.half_height) for w in words]
    x, y, across, along = np.array(edges, dtype=float).T
    corners = [np.stack([x - across, y - along]).T, np.stack([x + across, y + along]).T]
    points = np.concatenate([*corners, *(line.points for line in lines)])
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _make_page(extent: NDArray[np.float64], density: int, shading: Shading | None) -> tuple[Figure, Axes, float]:
    """Return a page with room for the drawing and the lines below, and the number of points in a unit of the view."""
    left, top, right, bottom = extent
    inches = np.array([right - left, bottom - top]) / density + 2 * _MARGIN
    scale = min(1.0, *(_LARGEST / inches))
    width = max(_SMALLEST, scale * inches[0])
    room = (2 + (1 + len(meaning_lines(shading, width)) if shading else 0)) * _FOOT_LINE + 0.1
    height = scale * inches[1] + room
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, room / height, 1, 1 - room / height))
    units = density / scale  # per inch
    across, along = width * units, (height - room) * units
    x, y = (left + right) / 2, (top + bottom) / 2
    axes.set(xlim=(x - across / 2, x + across / 2), ylim=(y + along / 2, y - along / 2))
    axes.set_axis_off()
    return figure, axes, _INCH / units


def _origin(sketch: Sketch, view: View) -> str:
    text = f"Model {Path(sketch.path).name}, sha256 {sketch.sha256[:12]}, view {view.name}"
    return drawable(" ".join(text.split()))


def _legend(words: Iterable[PlacedWord], lines: Iterable[Line]) -> list[tuple[str, str]]:
    """Return the meaning of the kinds of text and lines in the drawing, each with its colour."""
    placed = list(words)
    kinds = {word.kind for word in placed if not word.word.shadow}
    found: list[tuple[str, str]] = [(kind, colour) for kind, colour in KIND_COLOURS.items() if kind in kinds]
    if any(word.word.shadow for word in placed):
        found.append(("<shadow variable>", SHADOW))
    if any(line.arrow.initial for line in lines):
        found.append(("dashed: initial value only", SHADOW))
    return found


def _write_foot(figure: Figure, origin: str, legend: Sequence[tuple[str, str]]) -> None:
    """Write the legend and the origin on two lines at the left below the drawing."""
    width, height = figure.get_size_inches()
    across, row = _MARGIN, _FOOT_LINE + 0.05
    for text, colour in legend:
        font = Font(_SMALL, italic=text in KIND_COLOURS)
        figure.text(
            across / width, row / height, text, color=colour, va="bottom", parse_math=False, **font.properties(1)
        )
        across += 2 * fit_text(text, font, width * _INCH, 0, shrink=False).half_width / _INCH + 0.15
    figure.text(
        _MARGIN / width, 0.05 / height, origin, color=GREY, va="bottom", parse_math=False, **Font(_SMALL).properties(1)
    )
