"""Texts that fit their places: broken into lines at blanks, measured, and in letters that the fonts have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.textpath import TextToPath

LINE = 1.25
"""The height of a line against its letters."""

_FAMILY = "DejaVu Sans"
"""The font that comes with matplotlib, so that a figure looks the same everywhere."""
_WIDER = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Malgun Gothic",
    "Arial Unicode MS", "Noto Sans",
)  # fmt: skip
"""Fonts for other scripts, where they are installed."""
_LONGEST = 2000
_SHRINKING = (0.92, 0.85, 0.78, 0.7)
_UNKNOWN = "\u25a1"


@dataclass(frozen=True, slots=True)
class Font:
    """Letters of a size, in whatever unit the page has."""

    size: float
    bold: bool = False
    italic: bool = False

    def look(self, unit: float) -> dict[str, Any]:
        """The same for matplotlib, on a page on which the unit is so many points."""
        return {
            "family": list(families()),
            "weight": "bold" if self.bold else "normal",
            "style": "italic" if self.italic else "normal",
            "size": self.size * unit,
        }


@dataclass(frozen=True, slots=True)
class Label:
    """A text in lines, how large its letters are, and how wide each line is, in the unit of the page."""

    text: str
    font: Font
    widths: tuple[float, ...]

    @property
    def half_width(self) -> float:
        """Half the width of the longest line."""
        return max(self.widths, default=0.0) / 2

    @property
    def half_height(self) -> float:
        """Half the height of all lines together."""
        return LINE * self.font.size * len(self.widths) / 2


def fitted(text: str, font: Font, width: float, height: float, *, firm: bool) -> Label:
    """A text in lines of at most that width, where its words allow; if the place is `firm`, smaller until it fits there."""
    clean = drawable(text)
    made = _set(clean, font, width)
    for factor in _SHRINKING if firm else ():
        if 2 * made.half_width <= width and 2 * made.half_height <= height:
            break
        made = _set(clean, replace(font, size=factor * font.size), width)
    return made


def _set(text: str, font: Font, width: float) -> Label:
    measured = _measure(font)
    lines = [line for part in text.split("\n") for line in _broken(part, width, measured)]
    return Label("\n".join(lines), font, tuple(map(measured, lines)))


def _broken(text: str, width: float, measured: Callable[[str], float]) -> list[str]:
    """A paragraph in lines; a word that is wider than all has its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measured(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _measure(font: Font) -> Callable[[str], float]:
    """How wide a text is."""
    properties, outlines = FontProperties(**font.look(1)), TextToPath()

    def width(text: str) -> float:
        return float(outlines.get_text_width_height_descent(text, properties, ismath=False)[0])

    return width


def drawable(text: str) -> str:
    """A text without what no font draws, and no longer than a page holds."""
    known = _characters()
    kept = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    spaced = "".join(" " if each in "\t\r\f\v" else each for each in kept)
    return "".join(each if each == "\n" or ord(each) in known else _UNKNOWN for each in spaced)


@cache
def families() -> tuple[str, ...]:
    """The fonts that letters are looked for in, in turn."""
    installed = set(fontManager.get_font_names())
    return (_FAMILY, *(name for name in _WIDER if name in installed))


@cache
def _characters() -> frozenset[int]:
    """All letters that the fonts have."""
    paths = (findfont(FontProperties(family=name)) for name in families())
    return frozenset(code for path in paths for code in get_font(path).get_charmap() if chr(code).isprintable())
