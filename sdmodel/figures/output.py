"""Figures as files."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, cast

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..errors import FigureError
from ..files import write_file

_METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""The metadata that a format leaves out, so that the same figure gives the same file."""
_SMALL: dict[Any, Any] = {"svg.fonttype": "none"}
"""Settings for a small SVG: texts are letters of the reader's fonts, not shapes."""
_FAMILIES = "'DejaVu Sans', Verdana, sans-serif"
"""Fonts of a small SVG: Verdana is as wide as the font of figures, others are narrower."""
_TAG = re.compile(r"<[^>]+>")
_PLACES = re.compile(r' (?:d|x|y|points)="[^"]*"')
_DIGITS = re.compile(r"(\.\d)\d+")
_LINES = re.compile(r"[ML] \S+ \S+(?:\s+L \S+ \S+)+")
_FONT = re.compile(r"font-family: [^;\"]*;? ?")
_OVERHEAD = re.compile(r"\s*<metadata>.*?</metadata>|<!--.*?-->|<!DOCTYPE[^>]*>|(?<=>)\s+(?=<)", re.DOTALL)


def save_figure(figure: Figure, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a figure to a file; if anything fails, no file appears.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : str or path
        A path that ends in `.png` (200 dots per inch), `.svg` or `.pdf`.
    force : bool, default False
        Replace an existing file.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    FigureError
        If the format is another, the file exists and `force` is not given, or it cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        message = f"{target}: is not a format for figures; let the name end in .png, .svg or .pdf"
        raise FigureError(message)
    write_file(target, render_figure(figure, kind), force=force, error=FigureError)
    return target


def render_figure(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a `png` (200 dots per inch), `svg` or `pdf` file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "sdmodel"}):
        figure.savefig(buffer, format=kind, dpi=200, metadata=_METADATA[kind])
    # a text keeps the renderer, up to 140 MB of pixels, until a full garbage collection
    for text in figure.findobj(Text):
        cast("Any", text)._renderer = None  # noqa: SLF001
    return buffer.getvalue()


def render_small_svg(figure: Figure) -> bytes:
    """Return a figure as a small SVG for a web page: texts as letters, places to a tenth of a point."""
    with rc_context(_SMALL):
        text = render_figure(figure, "svg").decode()
    small = _TAG.sub(lambda tag: _shorten(tag[0]), _OVERHEAD.sub("", text))
    return small.replace(
        '<style type="text/css">', f'<style type="text/css">text{{font-family: {_FAMILIES}}}', 1
    ).encode()


def _shorten(tag: str) -> str:
    """Return a tag of an SVG with fewer digits, without the letters of lines and fonts that it repeats."""
    return _PLACES.sub(lambda place: _shorten_path(place[0]), _FONT.sub("", tag))


def _shorten_path(path: str) -> str:
    rounded = " ".join(_DIGITS.sub(r"\1", path).split())
    return " " + _LINES.sub(lambda lines: lines[0][0] + lines[0][1:].replace(" L", ""), rounded)
