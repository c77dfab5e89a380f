"""Partial derivatives, of functions and of cells over the times of a run, compared with differences of values."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sdmodel as sd
from sdmodel.checking.loops import _links
from sdmodel.model import FUNCTIONS, LOOKUPS, REDUCTIONS, Absent, Cell, Links, Table, evaluate, make_reference
from sdmodel.testing import tiny_model

EXPANDED = {name for name, row in FUNCTIONS.items() if row.expand}
"""Functions that become stocks before anything is differentiated."""
NOT_OF_NUMBERS = {
    *(name for name, row in FUNCTIONS.items() if row.memory),
    *EXPANDED,
    *REDUCTIONS,
    "ELMCOUNT",
    "GET DATA FIRST TIME",
    "GET DATA LAST TIME",
    "LOOKUP SLOPE",
}
OF_NUMBERS = [name for name, row in FUNCTIONS.items() if name not in NOT_OF_NUMBERS and not row.takes_arrays]
NUDGE = 1e-6

DOMAINS = dict.fromkeys(("LN", "LOG", "SQRT", "POWER", "QUANTUM", "GAMMA LN"), (5, 150)) | dict.fromkeys(
    ("ARCSIN", "ARCCOS"), (-45, 45)
)
"""The domain of a function, in fiftieths; the others are tested from -3 to 3."""


def _numbers(name: str) -> st.SearchStrategy[float]:
    """Numbers away from round ones, where many functions have their corners."""
    return st.integers(*DOMAINS.get(name, (-150, 150))).map(lambda fiftieths: fiftieths / 50 + 0.007)


def _value(expression: sp.Expr, point: dict[str, float]) -> float:
    return evaluate({}, expression, {}, lambda cell: point[cell.key])


@pytest.mark.parametrize("name", OF_NUMBERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_derivatives_of_functions_match_differences(name: str, data: st.DataObject):
    """Each partial derivative is the slope of the values, wherever the slope is the same on both sides."""
    row = FUNCTIONS[name]
    names = [f"a{index}" for index in range(len(row.arguments))]
    points = st.lists(st.tuples(_numbers(name), _numbers(name)), min_size=1, max_size=5)
    first = Table(data.draw(points)) if name in LOOKUPS else make_reference("a0")
    expression = row.build(first, *map(make_reference, names[1:]))
    point = {argument: data.draw(_numbers(name)) for argument in (*names, "time")} | {"time_step": 0.125}
    for by in names[1:] if name in LOOKUPS else names:
        low, middle, high = (_value(expression, point | {by: point[by] + side}) for side in (-NUDGE, 0, NUDGE))
        before, after = (middle - low) / NUDGE, (high - middle) / NUDGE
        smooth = abs(after - before) <= 1e-3 * (1 + abs(before)) and max(map(abs, (low, middle, high))) < 1e3
        assume(smooth or low == middle == high)
        slope = _value(expression.diff(make_reference(by)), point)
        assert slope == pytest.approx((high - low) / (2 * NUDGE), rel=1e-3, abs=1e-4), (by, point)


def test_the_derivative_of_xidz_near_zero_is_that_of_its_default():
    """Where the divisor counts as zero, only the third argument matters."""
    expression = FUNCTIONS["XIDZ"].build(make_reference("a"), make_reference("b"), make_reference("c"))
    point = {"a": 2.0, "b": 1e-7, "c": 3.0}
    assert [_value(expression.diff(make_reference(by)), point) for by in "abc"] == [0, 0, 1]


def test_only_expanded_functions_lack_a_derivative():
    """No link is unknown because a function has no derivative, unless it takes whole arrays."""
    lacking = {name for name, row in FUNCTIONS.items() if isinstance(row.derivative, Absent) and not row.algebra}
    arrays = {name for name, row in FUNCTIONS.items() if row.takes_arrays}
    assert lacking - arrays == {*EXPANDED, *REDUCTIONS, "INTEG", "ELMCOUNT"} - arrays


def test_the_derivative_of_a_lookup_by_name_is_refused():
    """Without its points a table has no slope; a silent zero would be a link without effect."""
    with pytest.raises(NotImplementedError, match="put the table in the place of its name"):
        FUNCTIONS["LOOKUP"].build(make_reference("table"), make_reference("x")).diff(make_reference("x"))


# Equations of `y[d]`, to be differentiated by `x[A]` and `x[B]`; `x[d]` varies, since it is a stock.
EQUATIONS = [
    "SUM(x[d!])*x[d]",
    "SUM(x[d!]*x[d] + k[d!])",
    "PROD(x[d!])",
    "VMIN(x[d!]) + VMAX(x[d!])^2",
    "x[d]*ELMCOUNT(d) + d*x[A]",
    "IF THEN ELSE(x[d] > 2, x[A]*x[B], x[d]^0.5)",
    "IF THEN ELSE(x[d] > 1e9, 1/(x[d] - x[d]), x[d])",
    "MIN(x[A], 2*x[B])/MAX(x[B], 0.3)",
    "ZIDZ(x[A], x[B]) + XIDZ(x[B], x[A] - x[A], x[B]^2)",
    "table(x[d]) + LOOKUP EXTRAPOLATE(table, 3*x[d])",
    "STEP(x[A], 2) + RAMP(x[B], 1, 3)*PULSE(2, 1)",
    "EXP(-x[A])*LN(x[B]) - SIN(x[d])^3 + x[A]^x[B]",
    "ACTIVE INITIAL(x[A]*2, 3)",
]
AROUND = """
d: A, B
k[d] = 0.7, 0.2
table((0,1),(1,3),(2,2),(4,5))
x[d] = INTEG(0*x[d], start[d])
start[A] = 1.3
start[B] = 2.6
y[d] = {}
z = INTEG(SUM(y[d!]), 0)
"""


def _through(links: Links, cause: Cell, effect: Cell) -> np.ndarray:
    """The derivative, including the part through a sum that several cells share."""
    direct = links.effects[cause]
    shared = [
        slope * links.effects[cell][effect]
        for cell, slope in direct.items()
        if effect in links.effects[cell] and links.is_hidden(cell)
    ]
    return np.sum([direct.get(effect, np.zeros(5)), *shared], axis=0)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_derivatives_of_a_cell_match_differences_of_runs(equation: str):
    """Running the model checks derivatives through subscripts, reductions, tables and functions of time."""
    model = tiny_model(AROUND.format(equation), final=4)
    links = _links(model)
    for label, start in (("A", 1.3), ("B", 2.6)):
        low, high = (sd.simulate(model, {f"start[{label}]": start + side}).y.values for side in (-NUDGE, NUDGE))
        for own, slope in zip("ab", ((high - low) / (2 * NUDGE)).T, strict=True):
            found = _through(links, Cell("x", (label.lower(),)), Cell("y", (own,)))
            assert found == pytest.approx(slope, rel=1e-4, abs=1e-6), (label, own)


def test_derivatives_of_a_sample_and_of_a_delay():
    """A sample depends on its input while it is taken, and not afterwards; a delay always does, one delay later."""
    text = "x = INTEG(1, 1)\ny = SAMPLE IF TRUE(x < 3, x^2, 0)\nw = DELAY FIXED(x, 2, 0)\nz = INTEG(y + w, 0)"
    effects = _links(tiny_model(text, final=4)).effects[Cell("x")]
    assert effects[Cell("y")].tolist() == [2, 4, 0, 0, 0]
    assert effects[Cell("w")].tolist() == [1] * 5


def test_a_branch_not_taken_may_divide_by_zero():
    """The derivative chooses between branches; it does not multiply infinity by zero."""
    model = tiny_model("x = INTEG(1, 0)\ny = IF THEN ELSE(x > 0, 1/x, x)\nz = INTEG(y, 0)", final=2)
    slope = _links(model).effects[Cell("x")][Cell("y")]
    assert slope.tolist() == [1, -1, -0.25]


def test_a_delay_whose_time_changes_has_an_unknown_derivative():
    """The effect of its delay time depends on what has happened since, which no derivative at one time shows."""
    text = "x = INTEG(1, 1)\ny = DELAY FIXED(x, x, 0)\nz = INTEG(-y, 0)"
    slope = _links(tiny_model(text, final=3)).effects[Cell("x")][Cell("y")]
    assert np.isnan(slope).all()
