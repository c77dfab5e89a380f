"""Questions about levers: a design, many simulations and one reduction, joined; and stored runs against each other."""

from .attribution import PAIRS, attribute_levers
from .comparing import (
    Changes,
    Comparison,
    change_text,
    changes_between,
    compare_members,
    compare_runs,
)
from .factors import Factor, factors_of
from .questions import Question, questions_of
from .recorded import LookupDifference, recorded_model
from .reduction import EXACT
from .sensitivity import IMPORTANCE, find_sensitivities
from .sweeping import sweep_levers
from .terms import (
    ANALYSIS,
    ATTRIBUTION,
    LEVER,
    MEASURE,
    OTHER,
    Attributed,
    attributed,
    attributed_names,
)

__all__ = [
    "ANALYSIS",
    "ATTRIBUTION",
    "EXACT",
    "IMPORTANCE",
    "LEVER",
    "MEASURE",
    "OTHER",
    "PAIRS",
    "Attributed",
    "Changes",
    "Comparison",
    "Factor",
    "LookupDifference",
    "Question",
    "attribute_levers",
    "attributed",
    "attributed_names",
    "change_text",
    "changes_between",
    "compare_members",
    "compare_runs",
    "factors_of",
    "find_sensitivities",
    "questions_of",
    "recorded_model",
    "sweep_levers",
]
