"""Figures as files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, cast

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..errors import FigureError
from ..files import write_file

_METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""The metadata that a format leaves out, so that the same figure gives the same file."""


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
