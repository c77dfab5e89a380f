"""A model as records and algebra: its elements and equations, what they mean, and the order in which they are computed."""

from typing import TYPE_CHECKING

from ..extras import lazy_names
from .algebra import (
    NA,
    Numbers,
    Site,
    Slice,
    Table,
    VensimFunction,
    add,
    divide,
    divides,
    inverse,
    make_reference,
    multiply,
    negate,
    number,
    power,
    product_factors,
    rebuild,
    references_in,
    signed_terms,
    split_reference,
    transform,
    unsigned,
    walk,
)
from .calendar import UNITS as CALENDAR_UNITS
from .calendar import Calendar
from .data import (
    NO_POINTS,
    NOW,
    data_keyword,
    data_reference,
    data_value,
    data_variables,
    has_points,
    missing_data,
    points_in,
    points_name,
    with_points,
)
from .evaluation import ReadArray, Start, evaluate, evaluate_arrays
from .expansion import DelayOrder, delay_orders, expand
from .faults import find_faults
from .functions.arithmetic import NEXT_TO_ZERO
from .functions.chance.draws import DEFAULT_SEED, MEMBER_NUMBER, NOISE_SEED, SEED
from .functions.reductions import is_reduction, reduction_ranges, unclaimed_ranges
from .functions.refused import FILE_FUNCTIONS, REFUSED, UNFINISHED, WHOLE_EQUATIONS, unfinished, unknown_function
from .functions.row import AXES, NOTHING_DUE, Absent, Array, ArrayEmitter, Emitter, FunctionRow
from .functions.table import ARRAY_FUNCTIONS, FUNCTIONS, LOOKUPS, REDUCTIONS, row_of
from .kinds import kind_of, with_flows
from .names import MARK, display_name, identifiers, join_name, key, nearest, split_list, split_name
from .order import Assignment, Plan, cell_name, plan, quoted_cell, unfinished_equations
from .records import (
    INTEGRATORS,
    NOWHERE,
    RC_START_TIME,
    REQUIRED_SETTINGS,
    RUN_SETTINGS,
    Element,
    Equation,
    Group,
    Integrator,
    Kind,
    Model,
    Range,
    RealityCheck,
    Source,
    Subscript,
    SubscriptMapping,
    Unchanging,
)
from .subscripts import (
    TIME,
    Binding,
    Cell,
    SubscriptFault,
    bindings,
    cells_in,
    counts_labels,
    inner_bindings,
    labels_of,
    picked_cell,
    position,
    resolve,
    result_place,
    slice_cells,
    slice_place,
    with_slices,
)
from .text import equation_source, equation_text, number_text, quote_name, table_text

if TYPE_CHECKING:  # the names of the table below, for type checkers
    from .diagram.layout import lay_out
    from .diagram.views import Arrow, Colour, Lettering, Shape, Sketch, View, Word, WordKind
    from .feedback.links import Link, Links, find_links
    from .feedback.loops import CausalPath, causal_paths, stock_loops
    from .flattening import FlatModel, without_subscripts
    from .units.checking import UnitMismatch, UnitReport, check_units, formula_units

_NAMES = {
    "diagram.layout": "lay_out",
    "diagram.views": "Arrow Colour Lettering Shape Sketch View Word WordKind",
    "feedback.links": "Link Links find_links",
    "feedback.loops": "CausalPath causal_paths stock_loops",
    "flattening": "FlatModel without_subscripts",
    "units.checking": "UnitMismatch UnitReport check_units formula_units",
}
"""Names that are imported when they are used, by module."""

__getattr__ = lazy_names(__name__, _NAMES)

__all__ = [
    "ARRAY_FUNCTIONS", "AXES", "CALENDAR_UNITS", "DEFAULT_SEED", "FILE_FUNCTIONS", "FUNCTIONS", "INTEGRATORS",
    "LOOKUPS", "MARK", "MEMBER_NUMBER", "NA", "NEXT_TO_ZERO", "NOISE_SEED", "NOTHING_DUE", "NOW", "NOWHERE",
    "NO_POINTS", "RC_START_TIME", "REDUCTIONS", "REFUSED", "REQUIRED_SETTINGS", "RUN_SETTINGS", "SEED", "TIME", "UNFINISHED",
    "WHOLE_EQUATIONS", "Absent", "Array", "ArrayEmitter", "Arrow", "Assignment", "Binding", "Calendar", "CausalPath",
    "Cell", "Colour", "DelayOrder", "Element", "Emitter", "Equation", "FlatModel", "FunctionRow", "Group",
    "Integrator", "Kind", "Lettering", "Link", "Links", "Model", "Numbers", "Plan", "Range", "ReadArray", "RealityCheck", "Shape",
    "Site", "Sketch", "Slice", "Source", "Start", "Subscript", "SubscriptFault",
    "SubscriptMapping", "Table", "Unchanging", "UnitMismatch", "UnitReport", "VensimFunction", "View", "Word",
    "WordKind", "add", "bindings", "causal_paths", "cell_name", "cells_in", "check_units", "counts_labels", "data_keyword",
    "data_reference", "data_value", "data_variables", "delay_orders", "display_name", "divide", "divides", "equation_source",
    "equation_text", "evaluate", "evaluate_arrays", "expand", "find_faults", "find_links", "formula_units",
    "has_points", "identifiers", "inner_bindings", "inverse", "is_reduction", "join_name", "key", "kind_of", "labels_of",
    "lay_out", "make_reference", "missing_data", "multiply", "nearest", "negate", "number", "number_text", "picked_cell", "plan",
    "points_in", "points_name", "position", "power", "product_factors", "quote_name", "quoted_cell", "rebuild",
    "reduction_ranges", "references_in", "resolve", "result_place", "row_of", "signed_terms", "slice_cells", "slice_place", "split_list", "split_name",
    "split_reference", "stock_loops", "table_text", "transform", "unclaimed_ranges", "unfinished",
    "unfinished_equations", "unknown_function", "unsigned", "walk",
    "with_flows", "with_points", "with_slices", "without_subscripts",
]  # fmt: skip
