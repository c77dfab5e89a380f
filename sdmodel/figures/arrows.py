"""The lines of a diagram: influences with their heads and marks, and flows as double lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path

from ..model import Arrow, View
from .curves import Points, Region, arc, arrow_head, between, point_before_end, shortened, straight
from .words import INK, Placed, hexadecimal

_ARROWS = "#3B6FA5"
"""A calmer blue than the one that Vensim draws arrows with unless it is told otherwise."""
_VENSIM_BLUE = (0, 0, 255)
_INITIAL = "#9A9A9A"
_THIN, _PIPE, _INNER = 1.0, 5.4, 3.2
"""Thickness of an arrow, and of a pipe with and without its walls, in units of a screen."""
_HEAD, _HEAD_HALF = 8.0, 3.1
_PIPE_HEAD, _PIPE_HEAD_HALF = 10.0, 6.5
_SIGN, _ASIDE, _BACKS = 11.0, 7.5, (11.0, 20.0, 30.0)
"""The size of a polarity, and where it may stand: so far beside the line, and so far before its end."""
_CLEAR, _HALF, _THINNED = 7.6, 5.0, 3
"""So far a sign keeps from other lines, and half its own size; of a line every third point is looked at."""
_BAR, _BARS_APART = 5.0, 4.0
_PIPES, _LINES, _SIGNS = 1, 3, 4
"""Flows lie lowest, then influences, then their signs; words lie above all."""


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow with the points along it, shape (points, 2), in the view's units."""

    arrow: Arrow
    points: Points


def place_lines(view: View, words: Mapping[int, Placed]) -> list[Line]:
    """The arrows that are seen; those from or to what is hidden or missing are not."""
    found = []
    for arrow in view.arrows:
        if arrow.hidden or arrow.source not in words or arrow.target not in words:
            continue
        source, target = words[arrow.source], words[arrow.target]
        whole = _course(arrow, source, target)
        ends = _pipe_ends(arrow, target) if arrow.pipe else (_parts(source, words), _parts(target, words))
        part = between(whole, *ends)
        if part is not None:
            found.append(Line(arrow, part))
    return found


def _parts(placed: Placed, words: Mapping[int, Placed]) -> tuple[Region, ...]:
    """Where an influence may end at a word; a flow's name and its valve are one."""
    return placed.parts if placed.partner is None else (*placed.parts, *words[placed.partner].parts)


def _pipe_ends(arrow: Arrow, target: Placed) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """Where a pipe begins and ends: it runs on below its valve, and below a cloud unless its head shows there."""
    return (), () if target.word.kind == "cloud" and not arrow.head else target.parts


def _course(arrow: Arrow, source: Placed, target: Placed) -> Points:
    """The line from the middle of one word to the middle of the other."""
    start, end = (source.word.x, source.word.y), (target.word.x, target.word.y)
    if arrow.form == "arc":
        return arc(start, arrow.points[0], end)
    if arrow.form == "straight":
        return straight([start, end])
    return straight([start, *arrow.points, _met(arrow.points[-1], target.region) if arrow.pipe else end])


def _met(last: tuple[int, int], region: Region) -> tuple[float, float]:
    """Where a pipe goes to from its last corner: on a level with it, if the stock is there, else to the middle."""
    if abs(last[1] - region.y) <= region.half_height:
        return region.x, last[1]
    if abs(last[0] - region.x) <= region.half_width:
        return last[0], region.y
    return region.x, region.y


def draw_line(axes: Axes, line: Line, view: View, unit: float, sign: tuple[float, float] | None) -> None:
    """Draw one line, with its sign at that place, on a page on which the view's unit is so many points."""
    if line.arrow.pipe:
        _draw_pipe(axes, line, view, unit)
    else:
        _draw_influence(axes, line, view, unit, sign)


def _draw_pipe(axes: Axes, line: Line, view: View, unit: float) -> None:
    """Two walls with white between them; the head lies over its end."""
    screen = view.density / 96
    colour = hexadecimal(line.arrow.colour) if line.arrow.colour else INK
    points = shortened(line.points, 0.8 * _PIPE_HEAD * screen) if line.arrow.head else line.points
    for width, ink, above in ((_PIPE, colour, 0.0), (_INNER, "white", 0.5)):
        axes.add_patch(_stroke(points, ink, width * screen * unit, _PIPES + above, f"flow-{line.arrow.number}"))
    if line.arrow.head:
        corners = arrow_head(line.points, _PIPE_HEAD * screen, _PIPE_HEAD_HALF * screen)
        axes.add_patch(
            Polygon(
                corners, closed=True, facecolor="white", edgecolor=colour, linewidth=_THIN * screen * unit,
                joinstyle="miter", zorder=_PIPES + 0.7, gid=f"flow-{line.arrow.number}-head",
            )
        )  # fmt: skip


def _draw_influence(axes: Axes, line: Line, view: View, unit: float, sign: tuple[float, float] | None) -> None:
    """A thin line with a filled head, its sign beside the head and bars across its middle where it is delayed."""
    arrow, screen = line.arrow, view.density / 96
    colour = _colour(arrow, view)
    width = (_THIN + 0.25 * min(arrow.thickness, 16)) * screen * unit
    points = shortened(line.points, 0.7 * _HEAD * screen)
    name = f"influence-{arrow.number}"
    axes.add_patch(_stroke(points, colour, width, _LINES, name, dashed=arrow.initial))
    size = screen * (1 + 0.1 * min(arrow.thickness, 16))
    corners = arrow_head(line.points, _HEAD * size, _HEAD_HALF * size)
    axes.add_patch(Polygon(corners, closed=True, color=colour, linewidth=0, zorder=_LINES, gid=f"{name}-head"))
    if arrow.delayed:
        for bar in _bars(line.points, screen):
            axes.add_patch(_stroke(bar, colour, 1.5 * width, _LINES, f"{name}-delay"))
    if sign:
        axes.text(
            sign[0], sign[1], arrow.polarity.replace("-", "\u2212"), ha="center", va="center", color=colour, parse_math=False,
            size=_SIGN * screen * unit, weight="bold", zorder=_SIGNS, gid=f"{name}-sign",
        )  # fmt: skip


def _stroke(points: Points, colour: str, width: float, level: float, name: str, *, dashed: bool = False) -> PathPatch:
    return PathPatch(
        Path(points), fill=False, edgecolor=colour, linewidth=width, capstyle="butt", joinstyle="miter", zorder=level,
        linestyle=(0, (4, 2.5)) if dashed else "-", gid=name,
    )  # fmt: skip


def _colour(arrow: Arrow, view: View) -> str:
    """The arrow's own colour, else grey where only the start depends on it, else the view's."""
    if arrow.colour:
        return hexadecimal(arrow.colour)
    if arrow.initial:
        return _INITIAL
    return hexadecimal(view.arrow_colour) if view.arrow_colour not in (None, _VENSIM_BLUE) else _ARROWS


def _bars(points: Points, screen: float) -> list[Points]:
    """Two short lines across the middle of a line."""
    middle = len(points) // 2
    forward = points[min(middle + 1, len(points) - 1)] - points[max(middle - 1, 0)]
    forward = forward / max(float(np.hypot(*forward)), 1e-9)
    aside = _BAR * screen * np.array([-forward[1], forward[0]])
    centres = (points[middle] + sign * _BARS_APART / 2 * screen * forward for sign in (-1, 1))
    return [np.array([centre - aside, centre + aside]) for centre in centres]


def place_signs(lines: Sequence[Line], words: Iterable[Placed], view: View) -> dict[int, tuple[float, float]]:
    """Where the polarity of each arrow stands, by the arrow's number: beside its head, where nothing else is if there is such a place.

    The outer side of a curve comes first, then the inner one, then the same farther from the head.
    """
    screen = view.density / 96
    taken = [part.grown(_HALF / 2 * screen) for placed in words for part in placed.parts]
    found: dict[int, tuple[float, float]] = {}
    for line in lines:
        if line.arrow.polarity and not line.arrow.pipe:
            others = [each.points[::_THINNED] for each in lines if each is not line]
            places = _beside(line.points, screen)
            room = [_room(at, taken, others) for at in places]
            enough = (place for place, free in enumerate(room) if free >= _CLEAR * screen)
            x, y = places[next(enough, int(np.argmax(room)))]
            taken.append(Region(x, y, 2 * _HALF * screen, 2 * _HALF * screen))
            found[line.arrow.number] = (float(x), float(y))
    return found


def _beside(points: Points, screen: float) -> list[Points]:
    """Places for a sign, the best first."""
    middle = points[len(points) // 2] - (points[0] + points[-1]) / 2
    places = []
    for back in _BACKS:
        before, forward = point_before_end(points, back * screen)
        normal = np.array([-forward[1], forward[0]])
        outer = normal if normal @ middle >= 0 else -normal
        places += [before + side * _ASIDE * screen * outer for side in (1, -1)]
    return places


def _room(at: Points, taken: Iterable[Region], others: Iterable[Points]) -> float:
    """How far the nearest other line is from a place, which must be in no word; nothing if it is."""
    if any(bool(region.holds(at[None])[0]) for region in taken):
        return 0.0
    return min((float(np.hypot(*(each - at).T).min()) for each in others), default=math.inf)
