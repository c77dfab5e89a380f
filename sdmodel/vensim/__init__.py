"""Text in and out: the files that Vensim and its users write."""

from __future__ import annotations

from .composition import mdl_text
from .document import Document, read_document
from .edit.editing import OpenDocument, open_document, split_statement
from .files.changes import read_change, read_scenario, scenario_from_text
from .files.data import Points, read_data
from .files.grids import read_grid
from .files.optimisation import read_optimisation, read_payoff
from .files.samples import read_samples, samples_text
from .files.savelist import read_savelist
from .files.sensitivity import read_sampling, sampling_of_ranges, sampling_text
from .files.writing import scenario_text
from .merge.comparing import Difference, DifferenceKind, compare_documents
from .merge.formatting import compared_text, format_document, reformatted
from .merge.merging import Merge, merge_documents
from .read.formulas import read_formula
from .read.reader import model_from_text, read_model
from .sketch.reading import read_sketch, sketch_from_text

__all__ = [
    "Difference",
    "DifferenceKind",
    "Document",
    "Merge",
    "OpenDocument",
    "Points",
    "compare_documents",
    "compared_text",
    "format_document",
    "mdl_text",
    "merge_documents",
    "model_from_text",
    "open_document",
    "read_change",
    "read_data",
    "read_document",
    "read_formula",
    "read_grid",
    "read_model",
    "read_optimisation",
    "read_payoff",
    "read_samples",
    "read_sampling",
    "read_savelist",
    "read_scenario",
    "read_sketch",
    "reformatted",
    "samples_text",
    "sampling_of_ranges",
    "sampling_text",
    "scenario_from_text",
    "scenario_text",
    "sketch_from_text",
    "split_statement",
]
