"""Faults, doubts and feedback loops of a model: what its text tells, and what it does when it is run."""

from __future__ import annotations

from .feedback import find_loops, find_paths
from .findings import LEVELS, Finding, Level
from .inspection import check_model
from .rules import RULES, Rule

__all__ = ["LEVELS", "RULES", "Finding", "Level", "Rule", "check_model", "find_loops", "find_paths"]
