"""Functions at the edges of their rules: zero, equal arguments, and divisors that just count as zero."""

from __future__ import annotations

import math
import warnings
from itertools import product

import numpy as np
import pytest

from sdmodel.model import FUNCTIONS, Cell, Start, evaluate
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

EDGES = (0.0, 1e-6, -1e-6, 0.5, 0.6, 1.0, -1.0, 2.0)
ARGUMENTS = ("a", "b", "c", "d")
POINTS = [*product(EDGES, EDGES, (1.0,), (3.0,)), *((1.0, 2.0, *rest) for rest in product(EDGES, EDGES))]
CALLS = {
    name: f"a {name} b"
    if not name[0].isalpha() and len(row.kinds) == 2
    else f"{name} {', '.join(ARGUMENTS[: len(row.kinds)])}"
    if not name[0].isalpha()
    else f"{name}({', '.join(ARGUMENTS[: len(row.kinds)])})"
    for name, row in FUNCTIONS.items()
    if not row.memory
    and not row.expand
    and not row.added
    and len(row.kinds) <= len(ARGUMENTS)
    and not {"table", "range", "terms", "vector", "matrix", "array"} & set(row.kinds)
}

WITHOUT_VALUE = {"LOG"}
"""Functions that divide by a base of 1 on the way to a number: the manual gives none."""


@pytest.fixture(scope="module")
def model():
    """Every function of numbers as a variable."""
    lines = [f"y{index} = {call}" for index, call in enumerate(CALLS.values())]
    return tiny_model("\n".join([*lines, *(f"{name} = 1" for name in ARGUMENTS)]), initial=1, final=1)


@pytest.fixture(scope="module")
def run(model):
    """What the machine code computes at all points."""
    columns = np.array(POINTS).T
    with warnings.catch_warnings():  # outside a function's domain the value is nan
        warnings.simplefilter("ignore")
        return simulate(model, {name: column.tolist() for name, column in zip(ARGUMENTS, columns, strict=True)})


@pytest.mark.parametrize("name", CALLS)
def test_scalar_and_compiled_values_agree_at_edges(name, model, run):
    """One rule in two places: a comparison that is strict in one and not in the other differs only here."""
    label = f"y{list(CALLS).index(name)}"
    equation = model.elements[label].equations[0]
    found = np.broadcast_to(run[label].isel(time=0).values, len(POINTS))
    for point, value in zip(POINTS, found.tolist(), strict=True):
        given = {Cell(key): number for key, number in zip(ARGUMENTS, point, strict=True)}
        expected = evaluate(model.subscripts, equation.expression, {}, Start(model, given).read)
        if math.isfinite(expected) or (math.isfinite(value) and name not in WITHOUT_VALUE):
            assert value == pytest.approx(expected, rel=1e-12, abs=4e-15), (
                CALLS[name],
                point,
            )  # GAMMA LN is a difference near its zeros


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("QUANTUM(2.5, 0)", 2.5),
        ("QUANTUM(2.5, -1)", 2.5),
        ("QUANTUM(-2.5, 0.5)", -2.5),
        ("ZIDZ(1, 1e-6)", 1e6),
        ("ZIDZ(1, 0.999e-6)", 0),
        ("XIDZ(1, -1e-6, 5)", -1e6),
        ("XIDZ(1, -0.999e-6, 5)", 5),
        ("MODULO(6, -3)", 0),
        ("INTEGER(-0.5)", 0),
    ],
)
def test_the_manual_at_edges(call, value):
    """A quantum of zero or less changes nothing, and a divisor of 1e-6 is the smallest that divides."""
    model = tiny_model(f"y = {call}", final=1)
    assert float(simulate(model).y.values.flat[0]) == value
    assert evaluate({}, model.elements["y"].equations[0].expression, {}, Start(model).read) == value
