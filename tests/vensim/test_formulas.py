"""Single formulas: what they may use, their faults, and their values over a run."""

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
    ("text", "message"),
    [
        ("", "the formula is empty"),
        ("{only a comment}", "the formula is empty"),
        ("a >", "is incomplete after '>'"),
        ("a := 3", "is not allowed here"),
        ("a ~ b", "'~' is not allowed here"),
        ("grow(a)", "'grow' is neither a function nor a lookup"),
        ("1, 2, 3", "a table or a list of numbers"),
        ("SUM(a[b!]) > 1", "SUM needs a model"),
        ("GET XLS DATA('x', 'y', 'A', 'B2')", "GET XLS DATA"),
    ],
)
def test_faults_of_formulas_are_one_line(text, message):
    """The message quotes the formula, since there is no file to look into."""
    with pytest.raises(ScenarioError, match="^--where: ") as caught:
        read_formula(text, "--where")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(ARRAY_FUNCTIONS) - {"ELMCOUNT"}))
def test_functions_that_need_a_model_are_refused(name):
    """A function with a state would need the steps of a run."""
    row = FUNCTIONS[name]
    arguments = ", ".join(["0" if row.added else "a", *"bcdefghi"][: len(row.written)])
    with pytest.raises(ScenarioError, match=f"{name} needs a model;"):
        read_formula(f"{name}({arguments})")


def test_formulas_are_evaluated_over_a_run():
    """Names match as in the model, every member has a value, and `Time` is the time of the run."""
    run = simulate(MODEL, {"rate": [0.1, 0.2]})
    found = evaluate_formula(run, read_formula("STOCK*2 > 4 :AND: time >= 5 - rate*0"))
    wanted = (run.stock * 2 > 4) & (run.time >= 5)
    assert found.dims == ("time", "member")
    assert np.array_equal(found.values, wanted.transpose("time", "member").values)


def test_unknown_names_get_a_suggestion():
    """A typing mistake is the usual cause."""
    run = simulate(MODEL)
    with pytest.raises(DatasetError, match="'stok' is not in the run; did you mean 'Stock'"):
        evaluate_formula(run, read_formula("stok > 1"))


def test_formulas_without_names_are_numbers():
    """The value does not depend on time."""
    assert float(evaluate_formula(simulate(MODEL), read_formula("2 + 3 * 4"))) == 14
