"""Tells at the end of a test run how far the public models agree."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # for `expected_outputs`, which is no test module

OUTCOME = "conformance"


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    told = [value for report in reports for name, value in report.user_properties if name == OUTCOME]
    if told:
        counts = Counter(told)
        total = counts.total()
        rest = ", ".join(f"{counts[each]} {each}" for each in sorted(counts) if each != "match")
        terminalreporter.write_line(f"conformance: {counts['match']} of {total} public models match, {rest}")
