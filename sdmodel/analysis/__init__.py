"""Analyses of many runs: attribution to levers, sensitivity to constants, sweeps, and comparisons of stored runs."""

from .attribution import (
    ATTRIBUTION,
    EXACT,
    LEVER,
    MEASURE,
    OTHER,
    PAIRS,
    attribute_levers,
    attributed_variables,
    contribution_rows,
    contributions_to,
    greatest_difference,
)
from .discovery import check_discovery, discover_scenarios
from .lever_ranges import Group
from .ranking import OUTCOME, RANKING, Goal, rank_levers
from .ranking_text import TextColumn, ranking_answers, ranking_columns
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
from .sensitivity import (
    IMPORTANCE,
    Factor,
    Response,
    check_method_extra,
    factors_of,
    find_sensitivities,
    responses_of,
    single_cell,
)
from .sweep import sweep_levers
from .variation import vary_constants

__all__ = [
    "ATTRIBUTION",
    "EXACT",
    "IMPORTANCE",
    "LEVER",
    "MEASURE",
    "OTHER",
    "OUTCOME",
    "PAIRS",
    "RANKING",
    "Changes",
    "Comparison",
    "Factor",
    "Goal",
    "Group",
    "LookupDifference",
    "Response",
    "TextColumn",
    "attribute_levers",
    "attributed_variables",
    "change_text",
    "changes_between",
    "check_discovery",
    "check_method_extra",
    "compare_members",
    "compare_runs",
    "contribution_rows",
    "contributions_to",
    "discover_scenarios",
    "factors_of",
    "find_sensitivities",
    "greatest_difference",
    "model_of_run",
    "rank_levers",
    "ranking_answers",
    "ranking_columns",
    "responses_of",
    "single_cell",
    "sweep_levers",
    "vary_constants",
]
