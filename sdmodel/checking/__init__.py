"""Check a model: faults and doubtful points in its text and in its runs, and its feedback loops."""

from __future__ import annotations

from .findings import LEVELS, Finding, Level, fault_findings, ordered
from .loops import find_loops, find_paths, is_unfinished
from .reality import Outcome, RealityResult, check_reality
from .rules import RULES, Rule, check_model

__all__ = [
    "LEVELS", "RULES", "Finding", "Level", "Outcome", "RealityResult", "Rule", "check_model", "check_reality", "fault_findings", "find_loops", "find_paths", "is_unfinished", "ordered",
]  # fmt: skip
