"""Formulas by themselves: what they may say, and what they are told that they may not."""

from __future__ import annotations

import numpy as np
import pytest

from sdmodel import ScenarioError, simulate
from sdmodel.dataset import evaluate_formula
from sdmodel.errors import DatasetError
from sdmodel.model import ARRAY_FUNCTIONS, FUNCTIONS
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

MODEL = tiny_model("Stock = INTEG(inflow, 1)\ninflow = rate * Stock\nrate = 0.1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the formula is empty"),
        ("{only a comment}", "the formula is empty"),
        ("a >", "breaks off after '>'"),
        ("a := 3", "cannot stand here"),
        ("a ~ b", "'~' cannot stand here"),
        ("grow(a)", "'grow' is neither a function nor a lookup"),
        ("1, 2, 3", "a table or a list of numbers"),
        ("SUM(a[b!]) > 1", "SUM needs a model around it"),
        ("GET XLS DATA('x', 'y', 'A', 'B2')", "GET XLS DATA"),
    ],
)
def test_what_is_no_formula_is_told_in_one_line(text, told):
    """The text stands in the message, since a formula has no file to look into."""
    with pytest.raises(ScenarioError, match="^--where: ") as caught:
        read_formula(text, "--where")
    assert told in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(ARRAY_FUNCTIONS) - {"ELMCOUNT"}))
def test_every_other_function_is_refused_by_name(name):
    """A function with a memory would need the steps of a run."""
    arguments = ", ".join("abcdefgh"[: len(FUNCTIONS[name].arguments)])
    with pytest.raises(ScenarioError, match=f"{name} needs a model around it"):
        read_formula(f"{name}({arguments})")


def test_a_formula_is_worked_out_over_the_variables_of_a_run_and_time():
    """Names are matched as in the model, over every member, and `Time` is the run's."""
    run = simulate(MODEL, {"rate": [0.1, 0.2]})
    found = evaluate_formula(run, read_formula("STOCK*2 > 4 :AND: time >= 5 - rate*0"))
    wanted = (run.stock * 2 > 4) & (run.time >= 5)
    assert found.dims == ("time", "member")
    assert np.array_equal(found.values, wanted.transpose("time", "member").values)


def test_a_name_that_the_run_lacks_is_told_with_its_nearest():
    """A slip of the pen is the usual cause."""
    run = simulate(MODEL)
    with pytest.raises(DatasetError, match="'stok' is not in the run; did you mean 'Stock'"):
        evaluate_formula(run, read_formula("stok > 1"))


def test_a_formula_without_names_is_a_number():
    """It holds for every time."""
    assert float(evaluate_formula(simulate(MODEL), read_formula("2 + 3 * 4"))) == 14
