"""Analyses of many runs: attribution to levers, sensitivity to constants, sweeps, and comparisons of stored runs."""

from .attribution import PAIRS, attribute_levers
from .contributions import (
    ANALYSIS,
    ATTRIBUTION,
    LEVER,
    MEASURE,
    OTHER,
    VariableAttribution,
    attributed_variables,
    contributions_to,
)
from .experiment import Factor, Response, factors_of, responses_of
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
from .sensitivity import IMPORTANCE, find_sensitivities
from .shapley import EXACT
from .sweep import sweep_levers

__all__ = [
    "ANALYSIS",
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
    "compare_members",
    "compare_runs",
    "contributions_to",
    "factors_of",
    "find_sensitivities",
    "model_of_run",
    "responses_of",
    "sweep_levers",
]
