"""XMILE, the interchange format of system dynamics (OASIS, version 1.0): reading models and their diagrams, and writing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import lazy_names

if TYPE_CHECKING:  # the names of the table below, for type checkers
    from .reader import read_xmile, read_xmile_sketch
    from .writer import XmileText, xmile_text

_NAMES = {"reader": "read_xmile read_xmile_sketch", "writer": "XmileText xmile_text"}
"""Names that are imported when they are used, by module."""

__getattr__ = lazy_names(__name__, _NAMES)

XMILE_ENDINGS = frozenset({".xmile", ".stmx", ".xml", ".itmx"})
"""The endings of file names of models in XMILE."""

__all__ = ["XMILE_ENDINGS", "XmileText", "read_xmile", "read_xmile_sketch", "xmile_text"]
