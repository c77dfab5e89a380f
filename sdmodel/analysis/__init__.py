"""Analyses of many runs: attribution to levers, sensitivity to constants, sweeps, and comparisons of stored runs."""

from .attribution import (
    ATTRIBUTION,
    EXACT,
    LEVER,
    MEASURE,
    OTHER,
    PAIRS,
    VariableAttribution,
    attribute_levers,
    attributed_variables,
    contribution_rows,
    contributions_to,
    greatest_difference,
)
from .run_comparison import (
    Changes,
    Comparison,
    LookupDifference,
    change_text,
    changes_between,
    compare_members,
    compare_runs,
    model_of_run,
)
from .sensitivity import IMPORTANCE, Factor, Response, check_method_extra, factors_of, find_sensitivities, responses_of
from .sweep import sweep_levers

__all__ = [
    "ATTRIBUTION",
    "EXACT",
    "IMPORTANCE",
    "LEVER",
    "MEASURE",
    "OTHER",
    "PAIRS",
    "Changes",
    "Comparison",
    "Factor",
    "LookupDifference",
    "Response",
    "VariableAttribution",
    "attribute_levers",
    "attributed_variables",
    "change_text",
    "changes_between",
    "check_method_extra",
    "compare_members",
    "compare_runs",
    "contribution_rows",
    "contributions_to",
    "factors_of",
    "find_sensitivities",
    "greatest_difference",
    "model_of_run",
    "responses_of",
    "sweep_levers",
]
