"""Questions about levers: a design, many simulations and one reduction, joined."""

from .attribution import LEVELS, PAIRS, attribute_levers
from .reduction import EXACT
from .terms import ANALYSIS, ATTRIBUTION, LEVER, MEASURE, OTHER, Attributed, attributed, attributed_names

__all__ = [
    "ANALYSIS",
    "ATTRIBUTION",
    "EXACT",
    "LEVELS",
    "LEVER",
    "MEASURE",
    "OTHER",
    "PAIRS",
    "Attributed",
    "attribute_levers",
    "attributed",
    "attributed_names",
]
