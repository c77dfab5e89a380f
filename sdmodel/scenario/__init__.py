"""What changes between runs: levers, scenarios, and the designs of ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import lazy_names

if TYPE_CHECKING:  # the names of the table below, for type checkers
    from .changes import (
        cell_values,
        changed_texts,
        constant_cells,
        constant_values,
        course_fault,
        course_text,
        is_course,
        merge_scenarios,
        select_cells,
        with_constants,
        with_tables,
    )
    from .courses import (
        KEYWORD_DECIDES,
        MemberCourse,
        is_course_array,
        named_cells,
        parts_of,
        read_course,
        varies_by_member,
    )
    from .designs import (
        DEFAULT_SEED,
        DEFAULT_SIMULATIONS,
        NOTHING,
        Design,
        SampledCell,
        Samples,
        Sampling,
        SamplingMethod,
        Variation,
        is_noise_seed,
        make_design,
        plausible_ranges,
        sampled_cells,
    )
    from .distributions import DISTRIBUTIONS, Distribution, Steps, distribution_fault, distribution_syntax
    from .levers import (
        Grid,
        Lever,
        Subsets,
        all_subsets,
        antithetic_orders,
        find_levers,
        grid_values,
        is_policy_lever,
        lever_of,
        nested_subsets,
        range_violation,
    )
    from .member_courses import POINTS_TEXT, evenly_spaced, holds_points, points_names
    from .records import Change, Course, FreeConstant, Optimisation, Payoff, PayoffTerm, Scenario, TextChange

_NAMES = {
    "changes": "cell_values constant_cells constant_values course_fault course_text changed_texts is_course merge_scenarios select_cells with_constants with_tables",
    "courses": "KEYWORD_DECIDES MemberCourse is_course_array named_cells parts_of read_course varies_by_member",
    "designs": "DEFAULT_SEED DEFAULT_SIMULATIONS NOTHING Design SampledCell Samples Sampling SamplingMethod Variation is_noise_seed make_design plausible_ranges sampled_cells",
    "distributions": "DISTRIBUTIONS Distribution Steps distribution_fault distribution_syntax",
    "records": "Change Course FreeConstant Optimisation Payoff PayoffTerm Scenario TextChange",
    "member_courses": "POINTS_TEXT evenly_spaced holds_points points_names",
    "levers": "Grid Lever Subsets all_subsets antithetic_orders find_levers grid_values is_policy_lever lever_of nested_subsets range_violation",
}
"""Names that are imported when they are used, by module."""

__getattr__ = lazy_names(__name__, _NAMES)

__all__ = [
    "DEFAULT_SEED", "DEFAULT_SIMULATIONS", "DISTRIBUTIONS", "KEYWORD_DECIDES", "NOTHING", "POINTS_TEXT", "Change", "Course", "Design",
    "Distribution", "FreeConstant", "Grid", "Lever", "MemberCourse", "Optimisation", "Payoff", "PayoffTerm",
    "SampledCell", "Samples", "Sampling", "SamplingMethod", "Scenario", "Steps", "Subsets", "TextChange", "Variation", "all_subsets",
    "antithetic_orders", "cell_values", "changed_texts", "constant_cells", "constant_values", "course_fault", "course_text",
    "distribution_fault", "distribution_syntax", "evenly_spaced", "find_levers", "grid_values", "holds_points",
    "is_course", "is_course_array", "is_noise_seed", "is_policy_lever", "lever_of", "make_design", "merge_scenarios",
    "named_cells", "nested_subsets", "parts_of", "plausible_ranges", "points_names", "range_violation", "read_course",
    "sampled_cells", "select_cells", "varies_by_member", "with_constants", "with_tables",
]  # fmt: skip
