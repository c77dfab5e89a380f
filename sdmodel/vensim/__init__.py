"""Text in and out: the files that Vensim and its users write."""

from __future__ import annotations

from .changes import read_change, read_scenario
from .document import Document, read_document
from .formulas import read_formula
from .reader import model_from_text, read_model
from .savelist import read_savelist

__all__ = [
    "Document",
    "model_from_text",
    "read_change",
    "read_document",
    "read_formula",
    "read_model",
    "read_savelist",
    "read_scenario",
]
