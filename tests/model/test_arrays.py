"""Formulas over arrays, compared with scalar evaluation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Symbol

from sdmodel.model import (
    ARRAY_FUNCTIONS,
    FUNCTIONS,
    Cell,
    add,
    divide,
    evaluate,
    evaluate_arrays,
    inverse,
    make_reference,
    multiply,
    negate,
    number,
    power,
)

NAMES = ("a", "b", "c")
NUMBERS = st.sampled_from([-7.5, -2.0, -1.0, -1e-7, 0.0, 1e-7, 0.5, 1.0, 3.0, 12.0])


def _build(draw, depth):
    """A random formula over the three names."""
    if depth == 0:
        return draw(st.sampled_from([*map(Symbol, NAMES), number(2), number(0.25)]))
    kind = draw(st.sampled_from(["add", "subtract", "multiply", "divide", "reciprocal", "power", "call", "call"]))
    part = lambda: _build(draw, depth - 1)  # noqa: E731
    if kind == "call":
        name = draw(st.sampled_from(sorted(ARRAY_FUNCTIONS)))
        return FUNCTIONS[name].build(*(part() for _ in FUNCTIONS[name].arguments))
    if kind == "power":
        return power(part(), number(draw(st.sampled_from([0.5, 2.0, -1.5]))))
    if kind == "reciprocal":
        return multiply(inverse(part()), part())
    return {"add": add, "subtract": lambda x, y: add(x, negate(y), x), "multiply": multiply, "divide": divide}[kind](
        part(), part()
    )


@st.composite
def formulas(draw):
    return _build(draw, draw(st.integers(1, 3)))


@pytest.mark.parametrize("name", sorted(ARRAY_FUNCTIONS))
@given(data=st.data())
def test_every_function_agrees_with_scalar_evaluation(name, data):
    """The two evaluations agree; what cannot be computed may be infinite in one and nan in the other."""
    row = FUNCTIONS[name]
    values = [data.draw(NUMBERS) for _ in row.arguments]
    call = row.build(*(Symbol(f"x{place}") for place, _ in enumerate(values)))
    known = {f"x{place}": value for place, value in enumerate(values)}
    expected = evaluate({}, call, {}, lambda cell: known[cell.key])
    found = float(evaluate_arrays(call, lambda name, _: known[name]))
    if math.isfinite(expected):
        assert found == pytest.approx(expected, rel=1e-12)
    else:
        assert not math.isfinite(found) or name == "LOG"  # to base 0: C divides by its infinite logarithm


@given(formula=formulas(), rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_each_entry_of_an_array_is_computed_as_if_alone(formula, rows):
    """A formula over arrays is the same formula at each of their positions, in the order in which it is written."""
    columns = dict(zip(NAMES, np.array(rows).T, strict=True))
    found = np.broadcast_to(evaluate_arrays(formula, lambda name, _: columns[name]), (len(rows),))
    for place, row in enumerate(rows):
        alone = dict(zip(NAMES, row, strict=True))
        expected = evaluate({}, formula, {}, lambda cell, alone=alone: alone[cell.key])
        if math.isfinite(expected) and math.isfinite(found[place]):
            assert found[place] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "name", [name for name in ARRAY_FUNCTIONS if FUNCTIONS[name].gives_truth and len(FUNCTIONS[name].arguments) == 2]
)
def test_a_comparison_with_nan_is_nan(name):
    """A member whose run stopped counts neither for a statement nor against it."""
    statement = FUNCTIONS[name].build(Symbol("a"), Symbol("b"))
    values = {"a": np.array([1.0, np.nan, 2.0]), "b": np.array([1.0, 1.0, np.nan])}
    found = evaluate_arrays(statement, lambda name, _: values[name])
    assert np.isnan(found).tolist() == [False, True, True]


def test_subscripts_reach_the_reader_of_a_formula():
    """A name with subscripts is not the name alone."""
    read = []
    evaluate_arrays(add(make_reference("x", "north"), make_reference("x")), lambda *name: read.append(name) or 1.0)
    assert read == [("x", ("north",)), ("x", ())]
    assert Cell("x", ("north",)) != Cell("x")
