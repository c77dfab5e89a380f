"""The arrows of a diagram: influences with heads, signs and delay marks, and flows as double lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path

from ...model import Arrow, View
from .geometry import Points, Region, arc, arrow_head, between, point_before_end, polyline, shortened
from .words import INK, PlacedWord, hexadecimal

_ARROWS = "#3B6FA5"
"""A calmer blue than Vensim's default for arrows."""
_VENSIM_BLUE = (0, 0, 255)
_INITIAL = "#9A9A9A"
_THIN, _PIPE, _INNER = 1.0, 5.4, 3.2
"""The width of an arrow, and of a pipe with and without its walls, in screen units."""
_HEAD, _HEAD_HALF = 8.0, 3.1
_PIPE_HEAD, _PIPE_HEAD_HALF = 10.0, 6.5
_SIGN, _ASIDE, _BEFORE_END = 11.0, 7.5, (11.0, 20.0, 30.0)
"""The size of a sign, its distance from the line, and its possible distances from the end of the line."""
_CLEAR, _HALF_SIGN, _THINNING = 7.6, 5.0, 3
"""The distance of a sign from other lines, half its size, and the step between the points of a line that are checked."""
_BAR, _BARS_APART = 5.0, 4.0
_PIPE_LEVEL, _LINE_LEVEL, _SIGN_LEVEL = 1, 3, 4
"""The drawing levels: flows lowest, then influences, then their signs; words lie above all."""


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow with the points along it, shape (points, 2), in the units of the view."""

    arrow: Arrow
    points: Points


def place_lines(view: View, words: Mapping[int, PlacedWord]) -> list[Line]:
    """Return the visible arrows; those from or to hidden or missing words are left out."""
    found = []
    for arrow in view.arrows:
        if arrow.hidden or arrow.source not in words or arrow.target not in words:
            continue
        source, target = words[arrow.source], words[arrow.target]
        start = () if arrow.pipe else _parts(source, words)
        end = target.parts if arrow.pipe else _parts(target, words)
        if arrow.pipe and target.word.kind == "cloud" and not arrow.head:
            end = ()  # a pipe runs on below its valve, and below a cloud unless its head shows there
        points = between(_course(arrow, source, target), start, end)
        if points is not None:
            found.append(Line(arrow, points))
    return found


def _parts(placed: PlacedWord, words: Mapping[int, PlacedWord]) -> tuple[Region, ...]:
    """Return where an influence may end at a word; the name of a flow and its valve count as one."""
    return placed.parts if placed.partner is None else (*placed.parts, *words[placed.partner].parts)


def _course(arrow: Arrow, source: PlacedWord, target: PlacedWord) -> Points:
    start: tuple[float, float] = (source.word.x, source.word.y)
    end: tuple[float, float] = (target.word.x, target.word.y)
    if arrow.form == "arc":
        return arc(start, arrow.points[0], end)
    if arrow.form == "straight":
        return polyline([start, end])
    if arrow.pipe:  # straight on from the last corner if the stock is there, else to its centre
        (x, y), region = arrow.points[-1], target.region
        level = abs(y - region.y) <= region.half_height
        end = (region.x, y) if level else (x if abs(x - region.x) <= region.half_width else region.x, region.y)
    return polyline([start, *arrow.points, end])


def _draw_pipe(axes: Axes, line: Line, view: View, unit: float) -> None:
    """Draw two walls with white between them, and the head over the end."""
    screen = view.density / 96
    colour = hexadecimal(line.arrow.colour) if line.arrow.colour else INK
    points = shortened(line.points, 0.8 * _PIPE_HEAD * screen) if line.arrow.head else line.points
    for width, ink, above in ((_PIPE, colour, 0.0), (_INNER, "white", 0.5)):
        axes.add_patch(_stroke(points, ink, width * screen * unit, _PIPE_LEVEL + above, f"flow-{line.arrow.number}"))
    if line.arrow.head:
        corners = arrow_head(line.points, _PIPE_HEAD * screen, _PIPE_HEAD_HALF * screen)
        axes.add_patch(
            Polygon(
                corners, closed=True, facecolor="white", edgecolor=colour, linewidth=_THIN * screen * unit,
                joinstyle="miter", zorder=_PIPE_LEVEL + 0.7, gid=f"flow-{line.arrow.number}-head",
            )
        )  # fmt: skip


def draw_line(axes: Axes, line: Line, view: View, unit: float, sign: tuple[float, float] | None) -> None:
    """Draw a pipe, or a thin line with a filled head, its sign at the given place, and bars across the middle for a delay.

    A unit of the view is `unit` points.
    """
    if line.arrow.pipe:
        _draw_pipe(axes, line, view, unit)
        return
    arrow, screen = line.arrow, view.density / 96
    colour = colour_of(arrow, view)
    width = (_THIN + 0.25 * min(arrow.thickness, 16)) * screen * unit
    points = shortened(line.points, 0.7 * _HEAD * screen)
    name = f"influence-{arrow.number}"
    axes.add_patch(_stroke(points, colour, width, _LINE_LEVEL, name, dashed=arrow.initial))
    size = screen * (1 + 0.1 * min(arrow.thickness, 16))
    corners = arrow_head(line.points, _HEAD * size, _HEAD_HALF * size)
    axes.add_patch(Polygon(corners, closed=True, color=colour, linewidth=0, zorder=_LINE_LEVEL, gid=f"{name}-head"))
    if arrow.delayed:  # two short lines across the middle
        middle = len(line.points) // 2
        forward = line.points[min(middle + 1, len(line.points) - 1)] - line.points[max(middle - 1, 0)]
        forward = forward / max(float(np.hypot(*forward)), 1e-9)
        aside = _BAR * screen * np.array([-forward[1], forward[0]])
        for side in (-1, 1):
            centre = line.points[middle] + side * _BARS_APART / 2 * screen * forward
            bar = np.array([centre - aside, centre + aside])
            axes.add_patch(_stroke(bar, colour, 1.5 * width, _LINE_LEVEL, f"{name}-delay"))
    if sign:
        axes.text(
            sign[0], sign[1], arrow.polarity.replace("-", "\u2212"), ha="center", va="center", color=colour,
            size=_SIGN * screen * unit, weight="bold", zorder=_SIGN_LEVEL, gid=f"{name}-sign",
        )  # fmt: skip


def _stroke(points: Points, colour: str, width: float, level: float, name: str, *, dashed: bool = False) -> PathPatch:
    return PathPatch(
        Path(points), fill=False, edgecolor=colour, linewidth=width, capstyle="butt", joinstyle="miter", zorder=level,
        linestyle=(0, (4, 2.5)) if dashed else "-", gid=name,
    )  # fmt: skip


def colour_of(arrow: Arrow, view: View) -> str:
    """Return the arrow's own colour, else grey for an influence on an initial value, else the view's."""
    if arrow.colour:
        return hexadecimal(arrow.colour)
    if arrow.initial:
        return _INITIAL
    return hexadecimal(view.arrow_colour) if view.arrow_colour not in (None, _VENSIM_BLUE) else _ARROWS


def place_signs(lines: Sequence[Line], words: Iterable[PlacedWord], view: View) -> dict[int, tuple[float, float]]:
    """Return the place of the sign of each arrow, by the arrow's number: beside its head, clear of everything else if possible.

    The outer side of a curve is tried first, then the inner side, then both farther from the head.
    """
    screen = view.density / 96
    taken = [part.grown(_HALF_SIGN / 2 * screen) for placed in words for part in placed.parts]
    found: dict[int, tuple[float, float]] = {}
    for line in lines:
        if line.arrow.polarity and not line.arrow.pipe:
            others = [other.points[::_THINNING] for other in lines if other is not line]
            places = _sign_places(line.points, screen)
            clearances = []  # distances from the nearest other line; 0 inside a taken region
            for place in places:
                covered = any(bool(region.contains(place[None])[0]) for region in taken)
                distances = (float(np.hypot(*(points - place).T).min()) for points in others)
                clearances.append(0.0 if covered else min(distances, default=math.inf))
            enough = (index for index, clearance in enumerate(clearances) if clearance >= _CLEAR * screen)
            x, y = places[next(enough, int(np.argmax(clearances)))]
            taken.append(Region(x, y, 2 * _HALF_SIGN * screen, 2 * _HALF_SIGN * screen))
            found[line.arrow.number] = (float(x), float(y))
    return found


def _sign_places(points: Points, screen: float) -> list[Points]:
    """Return possible places of a sign, the best first."""
    bulge = points[len(points) // 2] - (points[0] + points[-1]) / 2
    places = []
    for distance in _BEFORE_END:
        before, forward = point_before_end(points, distance * screen)
        normal = np.array([-forward[1], forward[0]])
        outer = normal if normal @ bulge >= 0 else -normal
        places += [before + side * _ASIDE * screen * outer for side in (1, -1)]
    return places
