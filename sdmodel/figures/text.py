"""Text that fits its place: broken into lines, measured, and in characters that the fonts have."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache, wraps
from types import MappingProxyType
from typing import Any, ParamSpec

from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.textpath import TextToPath

P = ParamSpec("P")

LINE_HEIGHT = 1.25
"""The height of a line divided by the font size."""

_FAMILY = "DejaVu Sans"
"""The font that comes with matplotlib, so that a figure looks the same everywhere."""
_FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Malgun Gothic",
    "Arial Unicode MS", "Noto Sans",
)  # fmt: skip
"""Fonts for other scripts, used where they are installed."""
PLAIN: Mapping[Any, Any] = MappingProxyType(
    {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}
)
"""Settings of matplotlib under which a text is drawn as it is: names and units may hold dollars and backslashes."""
_LONGEST = 2000
_NOTEBOOK_DPI = 100
_SHRINKING = (0.92, 0.85, 0.78, 0.7)
_UNKNOWN = "\u25a1"


def plain_text(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw all texts of its figure as they are, and none as mathematics."""

    @wraps(plot)
    def plot_plainly(*arguments: P.args, **options: P.kwargs) -> Figure:
        fonts: dict[Any, Any] = {"font.family": [*rcParams["font.family"], *_families()]}
        with rc_context({**PLAIN, **fonts}):
            return plot(*arguments, **options)

    return plot_plainly


class PlainFigure(Figure):
    """A figure that draws as it is what matplotlib writes only while it draws: the numbers along the axes.

    A character that no font has is a box, as in a diagram, without a warning. `origin` are lines that say where its numbers
    come from.
    """

    origin: tuple[str, ...] = ()

    def draw(self, renderer: Any) -> None:
        """Draw the figure."""
        with rc_context(dict(PLAIN)), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        """Return what a notebook shows."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_NOTEBOOK_DPI)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Font:
    """A font of some size, in the unit of the drawing."""

    size: float
    bold: bool = False
    italic: bool = False

    def properties(self, unit: float) -> dict[str, Any]:
        """Return matplotlib's arguments for text; a unit of the drawing is `unit` points."""
        return {
            "family": list(_families()),
            "weight": "bold" if self.bold else "normal",
            "style": "italic" if self.italic else "normal",
            "size": self.size * unit,
        }


@dataclass(frozen=True, slots=True)
class FittedText:
    """A text in lines, its font, and the width of each line in the unit of the drawing."""

    text: str
    font: Font
    widths: tuple[float, ...]

    @property
    def half_width(self) -> float:
        """Half the width of the longest line."""
        return max(self.widths, default=0.0) / 2

    @property
    def half_height(self) -> float:
        """Half the height of all lines."""
        return LINE_HEIGHT * self.font.size * len(self.widths) / 2


def fit_text(text: str, font: Font, width: float, height: float, *, shrink: bool) -> FittedText:
    """Break a text between words into lines of at most that width; on request, shrink it until it fits the place."""
    clean = drawable(text)
    fitted = _break_lines(clean, font, width)
    for factor in _SHRINKING if shrink else ():
        if 2 * fitted.half_width <= width and 2 * fitted.half_height <= height:
            break
        fitted = _break_lines(clean, replace(font, size=factor * font.size), width)
    return fitted


def _break_lines(text: str, font: Font, width: float) -> FittedText:
    """Break each paragraph into lines; a word wider than all gets a line of its own."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        start = len(lines)
        for word in paragraph.split():
            longer = f"{lines[-1]} {word}" if len(lines) > start else word
            if len(lines) > start and _width(longer, font) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
    return FittedText("\n".join(lines), font, tuple(_width(line, font) for line in lines))


@lru_cache(maxsize=4096)
def _width(text: str, font: Font) -> float:
    properties = FontProperties(**font.properties(1))
    return float(TextToPath().get_text_width_height_descent(text, properties, ismath=False)[0])


def drawable(text: str) -> str:
    """Return a text with a box for each character that no font has, cut to a length that fits a page."""
    known = _characters()
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    spaced = "".join(" " if character in "\t\r\f\v" else character for character in short)
    return "".join(character if character == "\n" or ord(character) in known else _UNKNOWN for character in spaced)


@cache
def _families() -> tuple[str, ...]:
    installed = set(fontManager.get_font_names())
    return (_FAMILY, *(name for name in _FALLBACKS if name in installed))


@cache
def _characters() -> frozenset[int]:
    paths = (findfont(FontProperties(family=name)) for name in _families())
    return frozenset(code for path in paths for code in get_font(path).get_charmap() if chr(code).isprintable())
