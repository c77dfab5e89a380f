"""Vensim's files: reading, editing, comparing, merging and writing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import lazy_names

if TYPE_CHECKING:  # the names of the table below, for type checkers
    from .document import Document, document_of, read_document
    from .edit.editor import OpenDocument, open_document, split_statement
    from .external.access import Access
    from .external.offers import absent_series, data_beside, lacking_data
    from .external.series import with_data_files
    from .external.tables import TableProblemError
    from .files.data import Points, read_data
    from .files.lines import check_names, read_placed_names, read_savelist, save_list_of
    from .files.optimisation import read_optimisation, read_payoff
    from .files.scenarios import (
        ScenarioLike,
        change_text,
        load_scenario,
        looks_like_course,
        read_bounds,
        read_change,
        read_grid,
        read_scenario,
        scenario_from_text,
        scenario_text,
    )
    from .files.sensitivity import (
        default_sampling,
        plausible_file,
        plausible_sampling,
        read_samples,
        read_sampling,
        samples_text,
        sampling_of_ranges,
        sampling_text,
        split_levers,
    )
    from .merge.comparison import Difference, DifferenceKind, compare_documents
    from .merge.formatting import format_document, text_for_diff, unformatted_parts
    from .merge.merging import Merge, merge_documents
    from .read.again import under_scenario
    from .read.reader import model_from_text, read_formula
    from .read.reality import Relation, read_reality_check
    from .sketch.views import sketch_from_text, views_of
    from .writer import mdl_text

_NAMES = {
    "document": "Document document_of read_document",
    "edit.editor": "OpenDocument open_document split_statement",
    "external.access": "Access",
    "external.offers": "absent_series data_beside lacking_data",
    "external.series": "with_data_files",
    "external.tables": "TableProblemError",
    "files.data": "Points read_data",
    "files.lines": "check_names read_placed_names read_savelist save_list_of",
    "files.optimisation": "read_optimisation read_payoff",
    "files.scenarios": "ScenarioLike change_text load_scenario looks_like_course read_bounds read_change read_grid read_scenario scenario_from_text scenario_text",
    "files.sensitivity": "default_sampling plausible_file plausible_sampling read_samples read_sampling samples_text sampling_of_ranges sampling_text split_levers",
    "merge.comparison": "Difference DifferenceKind compare_documents",
    "merge.formatting": "format_document text_for_diff unformatted_parts",
    "merge.merging": "Merge merge_documents",
    "read.again": "under_scenario",
    "read.reader": "model_from_text read_formula",
    "read.reality": "Relation read_reality_check",
    "sketch.views": "sketch_from_text views_of",
    "writer": "mdl_text",
}
"""Names that are imported when they are used, by module."""

__getattr__ = lazy_names(__name__, _NAMES)

__all__ = [
    "Access", "Difference", "DifferenceKind", "Document", "Merge", "OpenDocument", "Points", "Relation", "ScenarioLike", "TableProblemError", "absent_series", "change_text",
    "check_names", "compare_documents", "data_beside", "default_sampling", "document_of", "format_document", "lacking_data", "load_scenario", "looks_like_course",
    "mdl_text", "merge_documents", "model_from_text", "open_document", "plausible_file", "plausible_sampling",
    "read_bounds", "read_change", "read_data", "read_document", "read_formula", "read_grid",
    "read_optimisation", "read_payoff", "read_placed_names", "read_reality_check",
    "read_samples", "read_sampling", "read_savelist", "read_scenario", "samples_text",
    "sampling_of_ranges", "sampling_text", "save_list_of", "scenario_from_text", "scenario_text", "sketch_from_text",
    "split_levers", "split_statement", "text_for_diff", "under_scenario", "unformatted_parts", "views_of", "with_data_files",
]  # fmt: skip
