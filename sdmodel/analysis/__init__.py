"""Questions about levers: a design, many simulations and one reduction, joined; and stored runs against each other."""

from .comparing import Changes, Comparison, change_text, changes_between, compare_members, compare_runs
from .recorded import LookupDifference, recorded_model

__all__ = [
    "Changes",
    "Comparison",
    "LookupDifference",
    "change_text",
    "changes_between",
    "compare_members",
    "compare_runs",
    "recorded_model",
]
