"""Figures as files."""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from ..errors import FigureError
from ..files import write_file

_SILENT = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""What each format would say of its making; without it the same figure is the same file."""


def save_figure(figure: Figure, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a figure as `.png` (200 dots an inch), `.svg` or `.pdf`, complete or not at all, and return where it is.

    Raises
    ------
    FigureError
        If the format is another, the file exists and `force` is not given, or it cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in _SILENT:
        message = f"{target}: is not a format for figures; let the name end in .png, .svg or .pdf"
        raise FigureError(message)
    write_file(target, figure_bytes(figure, kind), force=force, error=FigureError)
    return target


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as the bytes of a `png` (200 dots an inch), `svg` or `pdf` file; the same figure gives the same bytes."""
    drawn = io.BytesIO()
    with rc_context({"svg.hashsalt": "sdmodel"}):
        figure.savefig(drawn, format=kind, dpi=200, metadata=_SILENT[kind])
    return drawn.getvalue()
