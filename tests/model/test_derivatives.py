"""Partial derivatives: those of the table of functions, and those of a cell over the times of a run, against differences."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sdmodel as sd
from sdmodel.checking.feedback import _links
from sdmodel.model import FUNCTIONS, LOOKUPS, REDUCTIONS, Cell, Links, Table, evaluate, refer
from sdmodel.model.expansion import STATES
from sdmodel.testing import tiny_model

BECOME_STOCKS = {name for name, row in FUNCTIONS.items() if not row.code}
"""What is expanded into stocks before anything is differentiated."""
OF_NUMBERS = [name for name in FUNCTIONS if name not in {*STATES, *BECOME_STOCKS, *REDUCTIONS, "ELMCOUNT"}]
NUDGE = 1e-6

DOMAINS = dict.fromkeys(("LN", "LOG", "SQRT", "POWER", "QUANTUM"), (5, 150)) | dict.fromkeys(
    ("ARCSIN", "ARCCOS"), (-45, 45)
)
"""Where a function has values, in fiftieths; all others are tried from -3 to 3."""


def _numbers(name: str) -> st.SearchStrategy[float]:
    """Numbers off the round ones, at which many functions have their corners."""
    return st.integers(*DOMAINS.get(name, (-150, 150))).map(lambda fiftieths: fiftieths / 50 + 0.007)


def _value(expression: sp.Expr, point: dict[str, float]) -> float:
    return evaluate({}, expression, {}, lambda cell: point[cell.key])


@pytest.mark.parametrize("name", OF_NUMBERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_derivative_of_the_table_is_that_of_the_numbers(name: str, data: st.DataObject):
    """Each partial derivative is the slope of the values, wherever these have the same slope to both sides."""
    row = FUNCTIONS[name]
    names = [f"a{index}" for index in range(len(row.arguments))]
    points = st.lists(st.tuples(_numbers(name), _numbers(name)), min_size=1, max_size=5)
    first = Table(data.draw(points)) if name in LOOKUPS else refer("a0")
    expression = row.build(first, *map(refer, names[1:]))
    point = {each: data.draw(_numbers(name)) for each in (*names, "time")} | {"time_step": 0.125}
    for each in names[1:] if name in LOOKUPS else names:
        low, middle, high = (_value(expression, point | {each: point[each] + side}) for side in (-NUDGE, 0, NUDGE))
        before, after = (middle - low) / NUDGE, (high - middle) / NUDGE
        assume(abs(after - before) <= 1e-3 * (1 + abs(before)) and max(map(abs, (low, middle, high))) < 1e3)
        slope = _value(expression.diff(refer(each)), point)
        assert slope == pytest.approx((high - low) / (2 * NUDGE), rel=1e-3, abs=1e-4), (each, point)


def test_a_guarded_quotient_answers_to_what_stands_in_for_it_next_to_zero():
    """Where the divisor counts as zero, neither it nor the dividend matters."""
    expression = FUNCTIONS["XIDZ"].build(refer("a"), refer("b"), refer("c"))
    point = {"a": 2.0, "b": 1e-7, "c": 3.0}
    assert [_value(expression.diff(refer(each)), point) for each in "abc"] == [0, 0, 1]


def test_every_function_has_a_derivative_or_becomes_something_that_has():
    """No link is unknown because the table lacks a row."""
    lacking = {name for name, row in FUNCTIONS.items() if getattr(row.build, "partials", True) is None}
    assert lacking == {*BECOME_STOCKS, *REDUCTIONS, "INTEG", "ELMCOUNT"}


def test_the_slope_of_a_lookup_by_name_is_refused():
    """Without its points a table has no slope; silence would be a link without effect."""
    with pytest.raises(NotImplementedError, match="put the table in the place of its name"):
        FUNCTIONS["LOOKUP"].build(refer("table"), refer("x")).diff(refer("x"))


# Equations of `y[d]` in which a change of `x[A]` or `x[B]` can be followed; `x[d]` moves, since it is a stock.
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
    """The derivative, with what goes through a sum that several cells share."""
    direct = links.effects[cause]
    shared = [
        each * links.effects[cell][effect]
        for cell, each in direct.items()
        if effect in links.effects[cell] and links.is_hidden(cell)
    ]
    return np.sum([direct.get(effect, np.zeros(5)), *shared], axis=0)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_a_cell_answers_to_what_it_reads_as_a_difference_of_runs_shows(equation: str):
    """What subscripts, reductions, tables and functions of time make of a derivative is checked by running the model."""
    model = tiny_model(AROUND.format(equation), final=4)
    links = _links(model, ())
    for label, start in (("A", 1.3), ("B", 2.6)):
        low, high = (sd.simulate(model, {f"start[{label}]": start + side}).y.values for side in (-NUDGE, NUDGE))
        for own, slope in zip("ab", ((high - low) / (2 * NUDGE)).T, strict=True):
            found = _through(links, Cell("x", (label.lower(),)), Cell("y", (own,)))
            assert found == pytest.approx(slope, rel=1e-4, abs=1e-6), (label, own)


def test_what_is_kept_from_earlier_answers_to_nothing_now():
    """A sample follows its input while it is taken, and not afterwards; a delay follows it always, one delay later."""
    text = "x = INTEG(1, 1)\ny = SAMPLE IF TRUE(x < 3, x^2, 0)\nw = DELAY FIXED(x, 2, 0)\nz = INTEG(y + w, 0)"
    effects = _links(tiny_model(text, final=4), ()).effects[Cell("x")]
    assert effects[Cell("y")].tolist() == [2, 4, 0, 0, 0]
    assert effects[Cell("w")].tolist() == [1] * 5


def test_a_branch_that_is_not_taken_may_divide_by_zero():
    """The switch of 1 and 0 chooses; it does not multiply infinity."""
    model = tiny_model("x = INTEG(1, 0)\ny = IF THEN ELSE(x > 0, 1/x, x)\nz = INTEG(y, 0)", final=2)
    slope = _links(model, ()).effects[Cell("x")][Cell("y")]
    assert slope.tolist() == [1, -1, -0.25]


def test_what_cannot_be_told_makes_the_link_unknown():
    """A delay whose time changes answers to it by what has happened since, which no derivative at one time knows."""
    text = "x = INTEG(1, 1)\ny = DELAY FIXED(x, x, 0)\nz = INTEG(-y, 0)"
    slope = _links(tiny_model(text, final=3), ()).effects[Cell("x")][Cell("y")]
    assert np.isnan(slope).all()
