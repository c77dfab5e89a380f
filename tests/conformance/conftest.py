"""Print at the end of a test run how many public models agree."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # for `expected_outputs`, which is not a test module

OUTCOME = "conformance"


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    outcomes = [value for report in reports for name, value in report.user_properties if name == OUTCOME]
    if outcomes:
        counts = Counter(outcomes)
        total = counts.total()
        rest = ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts) if outcome != "match")
        terminalreporter.write_line(f"conformance: {counts['match']} of {total} public models match, {rest}")
