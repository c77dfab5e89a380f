"""The words of a diagram: where a word is, how large it is, and how its kind is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, Patch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path

from ...model import Colour, Kind, View, Word, key
from ..text import LINE_HEIGHT, FittedText, Font, fit_text
from .geometry import Region

INK, SHADOW = "#1A1A1A", "#8A8A8A"
"""The colour of words, and of shadow variables."""
KIND_COLOURS = {"constant": "#00664F", "lookup": "#9A4A00"}
"""The colours of text by kind, dark enough for print; such text is italic too."""
WORD_LEVEL = 5
"""The drawing level of words; lines lie below."""

_DEFAULT_POINTS, _SMALLEST_POINTS = 10.0, 5.0
_SIZE, _NARROW_SIZE = 0.85, 0.76
"""The font size divided by that of the sketch, whose fonts are narrower than the one of the figure."""
_NARROW = ("times", "garamond", "georgia", "serif", "narrow")
_ROOM, _GAP = 1.08, 2.5
"""Lines of text may be longer than their place by this factor; arrows stop this many units before text."""
_BUMPS, _INSIDE = 9, 0.94
_CONTROLS = frozenset({"control", "picture"})
_LINE, _BORDER = 1.1, 1.4
"""The width of thin lines and of the borders of boxes, in screen units."""


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word with its text in lines and the region it takes, in the units of the view.

    `parts` are the regions where arrows end: a box, a symbol, or the lines of a text. `partner` is the number of the valve of
    a flow's name, or of the name of a valve: arrows to one may end at the other.
    """

    word: Word
    kind: Kind | None
    label: FittedText
    region: Region
    parts: tuple[Region, ...]
    partner: int | None = None

    @property
    def boxed(self) -> bool:
        """Whether the word has a border."""
        return _is_boxed(self.word, self.kind)

    @property
    def is_symbol(self) -> bool:
        """Whether the word is drawn as a symbol without text: a valve or a cloud."""
        return self.word.kind in _SYMBOLS


def place_words(view: View, kinds: Mapping[str, Kind]) -> dict[int, PlacedWord]:
    """Return the visible words of a view by number; in the file, the name of a flow follows its valve."""
    placed: dict[int, PlacedWord] = {}
    before: PlacedWord | None = None
    for word in view.words:
        if word.hidden:
            continue
        current = _place(word, view, kinds)
        if word.kind == "variable" and word.attached and before and before.word.kind == "valve":
            current = replace(current, partner=before.word.number)
            placed[before.word.number] = replace(before, partner=word.number)
        placed[word.number] = before = current
    return placed


def _place(word: Word, view: View, kinds: Mapping[str, Kind]) -> PlacedWord:
    kind = kinds.get(key(word.text)) if word.kind == "variable" else None
    boxed, is_symbol = _is_boxed(word, kind), word.kind in _SYMBOLS
    text = "" if is_symbol else f"<{word.text}>" if word.shadow else word.text
    width = 2 * word.half_width * (_INSIDE if boxed else _ROOM)
    shrink = boxed or word.kind == "comment"
    label = fit_text(text, _font(word, kind, view), width, 2 * word.half_height, shrink=shrink)
    if boxed or is_symbol:
        is_round = word.kind == "cloud" or (boxed and word.shape == "round")
        region = Region(word.x, word.y, word.half_width, word.half_height, is_round)
        return PlacedWord(word, kind, label, region, (region,))
    margin = _GAP * view.density / 96
    region = Region(word.x, word.y, label.half_width, label.half_height).grown(margin)
    return PlacedWord(word, kind, label, region, tuple(_line_regions(word, label, margin)))


def _line_regions(word: Word, label: FittedText, margin: float) -> Iterator[Region]:
    height = LINE_HEIGHT * label.font.size
    for index, width in enumerate(label.widths):
        middle = word.y - label.half_height + (index + 0.5) * height
        yield Region(word.x, middle, width / 2, height / 2).grown(margin)


def _is_boxed(word: Word, kind: Kind | None) -> bool:
    """Whether a word has a border."""
    if word.kind in ("valve", "cloud"):
        return False
    return word.kind in _CONTROLS or word.shape in ("box", "round") or (word.shape == "default" and kind == "stock")


def _font(word: Word, kind: Kind | None, view: View) -> Font:
    """Return the font of a word in the units of the view: its own properties where it has some, else the view's."""
    own, default = word.lettering, view.lettering
    narrow = any(name in (own.face or default.face).lower() for name in _NARROW)
    points = (own.points or default.points or _DEFAULT_POINTS) * (_NARROW_SIZE if narrow else _SIZE)
    marks = own.marks or default.marks
    return Font(max(points, _SMALLEST_POINTS) * view.density / 72, "B" in marks, "I" in marks or kind in KIND_COLOURS)


def hexadecimal(colour: Colour) -> str:
    """Return a colour in matplotlib's notation."""
    return "#{:02X}{:02X}{:02X}".format(*colour)


def draw_word(axes: Axes, placed: PlacedWord, unit: float, background: str | None = None) -> None:
    """Draw one word, with a background colour if one is given; a unit of the view is `unit` points."""
    word = placed.word
    gid = f"{word.kind}-{word.number}"
    if placed.is_symbol:
        patch = _SYMBOLS[word.kind](placed.region)
        patch.set(facecolor="white", edgecolor=INK, linewidth=_LINE * unit, zorder=WORD_LEVEL + 0.5, gid=gid)
        axes.add_patch(patch)
        return
    fill = background or (hexadecimal(word.fill) if word.fill else "white")
    if placed.boxed:
        edge = hexadecimal(word.border) if word.border and word.kind == "comment" else SHADOW if word.shadow else INK
        border: Any = {"linewidth": _BORDER * unit, "linestyle": "--" if word.kind in _CONTROLS else "-"}
        axes.add_patch(_filled(placed.region, facecolor=fill, edgecolor=edge, gid=f"{gid}-box", **border))
    else:  # lines seem to run behind the word
        for part in (placed.region,) if background or word.fill else _line_regions(word, placed.label, 0):
            axes.add_patch(_filled(part, facecolor=fill, edgecolor="none", gid=f"{gid}-ground"))
    if placed.label.text:
        axes.text(
            word.x, word.y, placed.label.text, ha="center", va="center", multialignment="center",
            color=ink_of(placed, shaded=background is not None),
            linespacing=1.15, zorder=WORD_LEVEL + 1, gid=gid, **placed.label.font.properties(unit),
        )  # fmt: skip


def ink_of(placed: PlacedWord, *, shaded: bool) -> str:
    """Return the colour of a word's text; `shaded` is a word with a background colour."""
    word = placed.word
    if word.shadow:
        return INK if shaded else SHADOW
    if word.lettering.colour and any(word.lettering.colour):  # the sketch's colour, unless it is black
        return hexadecimal(word.lettering.colour)
    return KIND_COLOURS.get(placed.kind or "", INK)


def _filled(region: Region, **style: Any) -> Patch:
    width, height = 2 * region.half_width, 2 * region.half_height
    if region.round:
        return Ellipse((region.x, region.y), width, height, zorder=WORD_LEVEL, **style)
    corner = (region.x - region.half_width, region.y - region.half_height)
    return Rectangle(corner, width, height, zorder=WORD_LEVEL, **style)


def _valve(region: Region) -> Patch:
    """Return two triangles that meet in the middle, side by side across the pipe."""
    x, y, across, along = region.x, region.y, region.half_width, region.half_height
    upright = across > along
    turned = [(x - across, y + along), (x + across, y - along)]
    corners = [(x - across, y - along), *(turned if upright else turned[::-1]), (x + across, y + along)]
    return Polygon(corners, closed=True, joinstyle="miter")


def _cloud(region: Region) -> Patch:
    """Return a ring of bumps around an ellipse."""
    angles = np.linspace(0, 2 * math.pi, 2 * _BUMPS + 1)
    reach = np.where(np.arange(angles.size) % 2, 1.35, 0.85)
    xs = region.x + reach * region.half_width * np.cos(angles)
    ys = region.y + reach * region.half_height * np.sin(angles)
    codes = [Path.MOVETO, *([Path.CURVE3] * (2 * _BUMPS))]
    return PathPatch(Path(np.column_stack([xs, ys]), codes))


_SYMBOLS: Mapping[str, Callable[[Region], Patch]] = {"valve": _valve, "cloud": _cloud}
