"""Questions about levers: a design, many simulations and one reduction, joined."""

from .attribution import LEVELS, PAIRS, attribute_levers
from .factors import Factor, factors_of
from .questions import Question, questions_of
from .reduction import EXACT
from .sensitivity import IMPORTANCE, find_sensitivities
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
    "LEVELS",
    "LEVER",
    "MEASURE",
    "OTHER",
    "PAIRS",
    "Attributed",
    "Factor",
    "Question",
    "attribute_levers",
    "attributed",
    "attributed_names",
    "factors_of",
    "find_sensitivities",
    "questions_of",
]
