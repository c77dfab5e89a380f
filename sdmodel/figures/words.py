"""The words of a diagram: where each stands, how large it is, and how it is drawn by its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, Patch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path

from ..model import Colour, Kind, View, Word, key
from .curves import Region
from .lettering import LINE, Font, Label, fitted

INK, SHADE = "#1A1A1A", "#8A8A8A"
"""The colour of what belongs to a view, and of what it shows from elsewhere."""
KIND_COLOURS = {"constant": "#00664F", "lookup": "#9A4A00"}
"""Colours of letters that tell kinds apart, dark enough for print; such letters are slanted too."""
WORDS_ABOVE = 5
"""What lies lower is lines."""

_USUAL_POINTS, _LEAST_POINTS = 10.0, 5.0
_LETTERS, _NARROW_LETTERS = 0.85, 0.76
"""How large letters are against those of the sketch, whose fonts are narrower than the one drawn with."""
_NARROW = ("times", "garamond", "georgia", "serif", "narrow")
_ROOM, _GAP = 1.08, 2.5
"""Lines may be somewhat longer than their place; arrows stop so many units before letters."""
_BUMPS = 9
_CONTROLS = frozenset({"control", "picture"})
_INSIDE = 0.94
_LINE, _BORDER = 1.1, 1.4
"""Thickness of thin lines and of the borders of boxes, in units of a screen."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A word with its text in lines and the place that it takes, in the view's units.

    `parts` are where arrows end: a box, a symbol, or the lines of a text. `partner` is the number of the valve that a flow's name
    goes with, or of the name that goes with a valve: arrows to one may end at the other.
    """

    word: Word
    kind: Kind | None
    label: Label
    region: Region
    parts: tuple[Region, ...]
    partner: int | None = None


def place_words(view: View, kinds: Mapping[str, Kind]) -> dict[int, Placed]:
    """The words of a view that are not hidden, by their numbers; a flow's name follows its valve in the file."""
    placed: dict[int, Placed] = {}
    before: Placed | None = None
    for word in view.words:
        if word.hidden:
            continue
        made = _placed(word, view, kinds)
        if word.kind == "variable" and word.attached and before and before.word.kind == "valve":
            made = replace(made, partner=before.word.number)
            placed[before.word.number] = replace(before, partner=word.number)
        placed[word.number] = before = made
    return placed


def _placed(word: Word, view: View, kinds: Mapping[str, Kind]) -> Placed:
    kind = kinds.get(key(word.text)) if word.kind == "variable" else None
    boxed, bare = is_boxed(word, kind), word.kind in _SYMBOLS
    text = "" if bare else f"<{word.text}>" if word.shadow else word.text
    width = 2 * word.half_width * (_INSIDE if boxed else _ROOM)
    firm = boxed or word.kind == "comment"
    label = fitted(text, _font(word, kind, view), width, 2 * word.half_height, firm=firm)
    if boxed or bare:
        round_ = word.kind == "cloud" or (boxed and word.shape == "round")
        region = Region(word.x, word.y, word.half_width, word.half_height, round_)
        return Placed(word, kind, label, region, (region,))
    gap = _GAP * view.density / 96
    region = Region(word.x, word.y, label.half_width, label.half_height).grown(gap)
    return Placed(word, kind, label, region, tuple(_lines(word, label, gap)))


def _lines(word: Word, label: Label, gap: float) -> Iterator[Region]:
    """Where the lines of a text stand, each with a little room around it."""
    height = LINE * label.font.size
    for place, width in enumerate(label.widths):
        middle = word.y - label.half_height + (place + 0.5) * height
        yield Region(word.x, middle, width / 2, height / 2).grown(gap)


def is_boxed(word: Word, kind: Kind | None) -> bool:
    """Whether a word has a border around it."""
    if word.kind in ("valve", "cloud"):
        return False
    return word.kind in _CONTROLS or word.shape in ("box", "round") or (word.shape == "default" and kind == "stock")


def _font(word: Word, kind: Kind | None, view: View) -> Font:
    """The letters of a word in the view's units: its own as far as it has some, else the view's."""
    own, usual = word.lettering, view.lettering
    narrow = any(each in (own.face or usual.face).lower() for each in _NARROW)
    points = (own.points or usual.points or _USUAL_POINTS) * (_NARROW_LETTERS if narrow else _LETTERS)
    marks = own.marks or usual.marks
    return Font(max(points, _LEAST_POINTS) * view.density / 72, "B" in marks, "I" in marks or kind in KIND_COLOURS)


def hexadecimal(colour: Colour) -> str:
    """A colour as matplotlib takes it."""
    return "#{:02X}{:02X}{:02X}".format(*colour)


def ink_of(placed: Placed) -> str:
    """The colour of a word's letters: its author's where there is one that is not black, else its kind's."""
    word = placed.word
    if word.shadow:
        return SHADE
    if word.lettering.colour and any(word.lettering.colour):
        return hexadecimal(word.lettering.colour)
    return KIND_COLOURS.get(placed.kind or "", INK)


def draw_word(axes: Axes, placed: Placed, unit: float, shade: str | None = None) -> None:
    """Draw one word on a page on which the view's unit is so many points, on a ground of its own colour if one is given."""
    word = placed.word
    if word.kind in _SYMBOLS:
        patch = _SYMBOLS[word.kind](placed.region)
        patch.set(facecolor="white", edgecolor=INK, linewidth=_LINE * unit, zorder=WORDS_ABOVE + 0.5, gid=_gid(word))
        axes.add_patch(patch)
        return
    for patch in _grounds(placed, unit, shade):
        axes.add_patch(patch)
    if placed.label.text:
        axes.text(
            word.x, word.y, placed.label.text, ha="center", va="center", multialignment="center", color=INK if shade and word.shadow else ink_of(placed),
            parse_math=False, linespacing=1.15, zorder=WORDS_ABOVE + 1, gid=_gid(word), **placed.label.font.look(unit),
        )  # fmt: skip


def _gid(word: Word) -> str:
    """What a word is called inside a drawing."""
    return f"{word.kind}-{word.number}"


def _grounds(placed: Placed, unit: float, shade: str | None) -> Iterator[Patch]:
    """What a word stands on: a box with its border, or, without one, white that lines seem to run behind."""
    word = placed.word
    fill = shade or (hexadecimal(word.fill) if word.fill else "white")
    if not is_boxed(word, placed.kind):
        for part in (placed.region,) if shade or word.fill else _lines(word, placed.label, 0):
            yield _filled(part, facecolor=fill, edgecolor="none", gid=f"{_gid(word)}-ground")
        return
    edge = hexadecimal(word.border) if word.border and word.kind == "comment" else SHADE if word.shadow else INK
    dashes = "--" if word.kind in _CONTROLS else "-"
    width = _BORDER * unit
    yield _filled(
        placed.region, facecolor=fill, edgecolor=edge, linewidth=width, linestyle=dashes, gid=f"{_gid(word)}-box"
    )


def _filled(region: Region, **look: Any) -> Patch:
    """A rectangle or an ellipse."""
    across, along = 2 * region.half_width, 2 * region.half_height
    if region.round:
        return Ellipse((region.x, region.y), across, along, zorder=WORDS_ABOVE, **look)
    corner = (region.x - region.half_width, region.y - region.half_height)
    return Rectangle(corner, across, along, zorder=WORDS_ABOVE, **look)


def _valve(region: Region) -> Patch:
    """Two triangles that meet in the middle, one behind the other along the pipe's breadth."""
    x, y, across, along = region.x, region.y, region.half_width, region.half_height
    upright = across > along
    turned = [(x - across, y + along), (x + across, y - along)]
    corners = [(x - across, y - along), *(turned if upright else turned[::-1]), (x + across, y + along)]
    return Polygon(corners, closed=True, joinstyle="miter")


def _cloud(region: Region) -> Patch:
    """A ring of bumps around an ellipse."""
    angles = np.linspace(0, 2 * math.pi, 2 * _BUMPS + 1)
    reach = np.where(np.arange(angles.size) % 2, 1.35, 0.85)
    xs = region.x + reach * region.half_width * np.cos(angles)
    ys = region.y + reach * region.half_height * np.sin(angles)
    codes = [Path.MOVETO, *([Path.CURVE3] * (2 * _BUMPS))]
    return PathPatch(Path(np.column_stack([xs, ys]), codes))


_SYMBOLS: Mapping[str, Callable[[Region], Patch]] = {"valve": _valve, "cloud": _cloud}
