"""Questions about levers: a design, many simulations and one reduction, joined."""

from .factors import Factor, factors_of
from .questions import Question, questions_of
from .sensitivity import IMPORTANCE, find_sensitivities

__all__ = [
    "IMPORTANCE",
    "Factor",
    "Question",
    "factors_of",
    "find_sensitivities",
    "questions_of",
]
