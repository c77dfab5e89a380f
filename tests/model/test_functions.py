"""The table of functions: every row runs, and says what it means."""

from __future__ import annotations

import math

import pytest
import sympy as sp

from sdmodel.model import FUNCTIONS, REFUSED, Table, number, refer, unknown_function
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

# One call of each function in an equation of its own, with the value that Vensim's manual gives it at Time 2 (TIME STEP 1).
EXAMPLES = {
    "=": ("IF THEN ELSE(x = 2.5, 1, 0)", 1),
    "<>": ("IF THEN ELSE(x <> 2.5, 1, 0)", 0),
    "<": ("IF THEN ELSE(x < 3, 1, 0)", 1),
    "<=": ("IF THEN ELSE(x <= 2.5, 1, 0)", 1),
    ">": ("IF THEN ELSE(x > 3, 1, 0)", 0),
    ">=": ("IF THEN ELSE(x >= 2.5, 1, 0)", 1),
    ":AND:": ("IF THEN ELSE(x > 1 :AND: x < 2, 1, 0)", 0),
    ":OR:": ("IF THEN ELSE(x < 1 :OR: x > 2, 1, 0)", 1),
    ":NOT:": ("IF THEN ELSE(:NOT: x > 1, 1, 0)", 0),
    "IF THEN ELSE": ("IF THEN ELSE(x, 3, 4)", 3),
    "ABS": ("ABS(-x)", 2.5),
    "MIN": ("MIN(x, 2)", 2),
    "MAX": ("MAX(x, 2)", 2.5),
    "EXP": ("EXP(x)", math.exp(2.5)),
    "LN": ("LN(x)", math.log(2.5)),
    "LOG": ("LOG(x, 10)", math.log10(2.5)),
    "SQRT": ("SQRT(x)", math.sqrt(2.5)),
    "POWER": ("POWER(x, 3)", 2.5**3),
    "SIN": ("SIN(x)", math.sin(2.5)),
    "COS": ("COS(x)", math.cos(2.5)),
    "TAN": ("TAN(x)", math.tan(2.5)),
    "ARCSIN": ("ARCSIN(x/10)", math.asin(0.25)),
    "ARCCOS": ("ARCCOS(x/10)", math.acos(0.25)),
    "ARCTAN": ("ARCTAN(x)", math.atan(2.5)),
    "SINH": ("SINH(x)", math.sinh(2.5)),
    "COSH": ("COSH(x)", math.cosh(2.5)),
    "TANH": ("TANH(x)", math.tanh(2.5)),
    "INTEGER": ("INTEGER(-9.9)", -9),
    "MODULO": ("MODULO(-10, 3)", -1),
    "QUANTUM": ("QUANTUM(-1.9, 1)", -1),
    "ZIDZ": ("ZIDZ(x, 1e-7)", 0),
    "XIDZ": ("XIDZ(x, 1e-7, 5)", 5),
    "STEP": ("STEP(3, 2)", 3),
    "RAMP": ("RAMP(2, 1, 5)", 2),
    "PULSE": ("PULSE(2, 1)", 1),
    "PULSE TRAIN": ("PULSE TRAIN(0, 1, 2, 2)", 1),
    "LOOKUP": ("table(x)", 15),
    "LOOKUP EXTRAPOLATE": ("LOOKUP EXTRAPOLATE(table, 2*x)", 40),
    "LOOKUP FORWARD": ("LOOKUP FORWARD(table, x)", 20),
    "LOOKUP BACKWARD": ("LOOKUP BACKWARD(table, x)", 10),
    "INTEG": ("INTEG(x, 1)", 6),
    "INITIAL": ("INITIAL(Time + x)", 2.5),
    "REINITIAL": ("REINITIAL(Time + x)", 2.5),
    "ACTIVE INITIAL": ("ACTIVE INITIAL(Time + x, 1)", 4.5),
    "SAMPLE IF TRUE": ("SAMPLE IF TRUE(Time = 1, Time, 7)", 1),
    "DELAY FIXED": ("DELAY FIXED(Time, 1, 9)", 1),
    "SMOOTH": ("SMOOTH(STEP(4, 1), 2)", 2),
    "SMOOTHI": ("SMOOTHI(4, 2, 0)", 3),
    "SMOOTH3": ("SMOOTH3(STEP(27, 1), 3)", 0),
    "SMOOTH3I": ("SMOOTH3I(27, 3, 0)", 0),
    "SMOOTH N": ("SMOOTH N(STEP(4, 0), 4, 0, 2)", 1),
    "DELAY1": ("DELAY1(STEP(4, 1), 2)", 2),
    "DELAY1I": ("DELAY1I(4, 2, 0)", 3),
    "DELAY3": ("DELAY3(STEP(27, 1), 3)", 0),
    "DELAY3I": ("DELAY3I(27, 3, 0)", 0),
    "DELAY N": ("DELAY N(STEP(4, 0), 4, 0, 2)", 1),
    "TREND": ("TREND(4, 2, 0.5)", 1 / 14),
    "FORECAST": ("FORECAST(4 + STEP(4, 1), 2, 1)", 8 * (1 + (8 - 6) / (2 * 6))),
    "GAME": ("GAME(x)", 2.5),
    "SUM": ("SUM(v[d!])", 6),
    "PROD": ("PROD(v[d!])", 6),
    "VMIN": ("VMIN(v[d!])", 1),
    "VMAX": ("VMAX(v[d!])", 3),
    "ELMCOUNT": ("ELMCOUNT(d)", 3),
}

_AROUND = """
d: A, B, C
v[d] = 1, 2, 3
x = 2.5
table((1,0),(2,10),(3,20))
y = {}
"""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_table_gives_what_the_manual_says(name):
    """A function that is in the table runs, and gives Vensim's number."""
    call, expected = EXAMPLES[name]
    run = simulate(tiny_model(_AROUND.format(call), final=2))
    assert float(run.y[-1]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", REFUSED)
def test_every_refused_function_is_named_with_what_to_use_instead(name):
    """What Vensim has and we do not is refused by name, with an alternative."""
    told = unknown_function(name.lower())
    assert name in told
    assert "; " in told
    assert name not in FUNCTIONS


def test_every_row_has_a_meaning_and_as_many_units_as_arguments():
    """The table is complete: meaning, argument units and a result's units in each row."""
    for row in FUNCTIONS.values():
        arguments, _, result = row.units.partition(" -> ")
        assert row.meaning, row.name
        assert result, row.name
        assert len(arguments.split(",")) == len(row.arguments), row.name


def test_every_function_is_set_in_latex():
    """LaTeX exists for each row, from SymPy or from the table."""
    for row in FUNCTIONS.values():
        text = sp.latex(row.build(*[refer(f"a{index}") for index in range(len(row.arguments))]))
        assert "a_{0}" in text, row.name


def test_a_table_keeps_its_points_in_the_authors_order():
    """A lookup is what its author wrote; sorting is the program's business."""
    assert Table([(2, 1), (0, 5)]).points == ((2.0, 1.0), (0.0, 5.0))
    assert str(number(3)) == "3"
