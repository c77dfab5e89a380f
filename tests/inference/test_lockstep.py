"""Searches side by side: whatever ends them ends all of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SEARCH = """
import numpy as np
from sdmodel.inference.lockstep import minimise_together

asked = 0

def evaluate(points):
    global asked
    asked += 1
    if asked > {before}:
        {fault}
    return points.T - 0.5

try:
    minimise_together(evaluate, np.array([[0.1, 0.9], [0.3, 0.2], [0.8, 0.8]]))
except BaseException as fault:
    print(type(fault).__name__)
"""


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize(
    ("fault", "told"), [("raise KeyboardInterrupt", "KeyboardInterrupt"), ("return None", "TypeError")]
)
def test_a_fault_anywhere_between_question_and_answer_ends_all_searches(before, fault, told):
    """An interruption may come while answers are handed out as well; no thread waits for ever then."""
    ended = subprocess.run(
        [sys.executable, "-c", _SEARCH.format(before=before, fault=fault)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ended.stdout.strip() == told
