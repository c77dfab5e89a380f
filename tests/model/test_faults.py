"""Faults of a model that was read: all together, each at its place, each with a cure."""

from __future__ import annotations

import pytest

from sdmodel.errors import ModelError
from sdmodel.model import key, nearest
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text

# What is written, and what is said of it.
CASES = {
    "a = Grid Dely\nGrid Delay = 1": "'Grid Dely' is not defined; did you mean 'Grid Delay'?",
    "a = 1\na = 2": "'a' is defined a second time; first at line",
    "a = f(1)": "'f' is neither a function nor a lookup",
    "a = SMOTH(1, 2)": "did you mean SMOOTH?",
    "f((0,0),(1,1))\na = f": "'f' is a lookup; give it an argument",
    "b = 1\na = b(2)": "'b' is not a lookup",
    "d: A, B\nx[d] = 1, 2, 3": "has 2 elements here but 3 numbers",
    "d: A, B\nx[d] = 1, 2\ny = x": "has 1 subscripts but 0 here",
    "d: A, B\nx[d] = 1, 2\ny = x[C]": "'c' is neither a subscript range nor a label",
    "d: A, B\ne: C, D\nx[d] = 1, 2\ny[e] = x[d]": "stands for nothing here",
    "d: A, B\nx[A] = 1\ny = x[B]": "'x[B]' has no equation",
    "x[q] = 1": "'q' is neither a subscript range nor a label",
    "d: A, B\nx[d] = 1\nx[A] = 2": "'x[A]' is defined a second time",
}


@pytest.mark.parametrize("equations", CASES)
def test_a_fault_is_told_with_its_place_and_cure(equations):
    """Each thing that a model cannot mean is told as `file:line:column: what; cure`."""
    with pytest.raises(ModelError) as caught:
        tiny_model(equations)
    told = str(caught.value)
    assert CASES[equations] in told
    assert told.startswith("tiny.mdl:")


def test_all_faults_of_a_model_come_together_in_the_order_of_the_file():
    """A user mends a model in one go."""
    with pytest.raises(ModelError) as caught:
        tiny_model("a = b\nc = d\ne = 1\ne = 2")
    lines = [fault.where.line for fault in caught.value.faults]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_a_model_without_time_is_refused():
    """INITIAL TIME, FINAL TIME and TIME STEP are a model's own."""
    text = model_text("a = 1").replace("FINAL TIME", "LAST TIME")
    with pytest.raises(ModelError, match="FINAL TIME is not defined"):
        model_from_text(text, "m.mdl")


def test_names_are_compared_as_vensim_does():
    """Case, blanks, underscores and quotes make no difference."""
    assert key("Grid  Delay") == key("grid_delay") == key('"Grid Delay"') == key("GRID\n\tdelay")
    assert nearest("Grid Dely", ["Other", "Grid Delay"]) == "Grid Delay"
    assert nearest("zzz", ["Other", "Grid Delay"]) is None
