"""Text in and out: the files that Vensim and its users write."""

from __future__ import annotations

from .changes import read_change, read_scenario, scenario_from_text
from .comparing import Difference, DifferenceKind, compare_documents
from .composition import mdl_text
from .data import Points, read_data
from .document import Document, read_document
from .editing import OpenDocument, open_document, split_statement
from .formatting import compared_text, format_document, reformatted
from .formulas import read_formula
from .grids import read_grid
from .merging import Merge, merge_documents
from .optimisation import read_optimisation, read_payoff
from .reader import model_from_text, read_model
from .samples import read_samples, samples_text
from .savelist import read_savelist
from .sensitivity import read_sampling, sampling_of_ranges, sampling_text
from .sketch import read_sketch, sketch_from_text
from .writing import scenario_text

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
