"""Equations as text: what is shown to people means the same as the model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.model import FUNCTIONS, REDUCTIONS, equation_text, evaluate
from sdmodel.testing import tiny_model
from sdmodel.vensim import mdl_text, model_from_text

AROUND = 'd: North, South\nw = 1\nv = 2\n"a-b" = 3\nq[d] = 1, 2\nTable f((0,0),(1,1))\n'
SAME = (
    "w + v - w*v",
    "-w - (v - w)",
    "-(w + v)",
    "w - 3 - w*2",
    "w/(v*w)/v",
    "w/v*w",
    "w^v^2",
    "(w^v)^2",
    "-w^2",
    "(-w)^2",
    "w^-v",
    '"a-b"*(w + 1)',
    "SUM(q[d!]*w)",
    "q[North] + Time",
    "IF THEN ELSE(w > 1 :AND: (v < 2 :OR: :NOT: w = v), w, v)",
    "(w < v) + 1",
    "Table f(w/v)",
    "SQRT(w) + EXP(-v)",
    "SMOOTH3(w, 0.125)",
    "TIME STEP*1e+20",
    "ELMCOUNT(d)",
)


@pytest.mark.parametrize("text", SAME)
def test_simple_equation_is_shown_as_written(text):
    """Names have the spelling of the model; parentheses appear only where they matter."""
    model = tiny_model(f"{AROUND}x = {text}")
    assert equation_text(model, model["x"].equations[0].expression) == text


PLAIN = [
    name
    for name, row in FUNCTIONS.items()
    if name[0].isalpha() and "table" not in row.kinds and not row.takes_arrays and not row.rewrite
    if name not in {"FIND ZERO", "SHIFT IF TRUE"}
    and not name.startswith("QUEUE")  # these need variables of their own kinds
]
"""Functions of numbers and sums; those of whole arrays are in `test_array_functions.py`."""


@pytest.mark.parametrize("name", PLAIN)
def test_functions_are_shown_by_their_vensim_name(name):
    """Functions that SymPy represents in its own way have Vensim's names too."""
    row = FUNCTIONS[name]
    arguments = ["q[d!]"] if name in REDUCTIONS else ["w"] * len(row.written)
    if row.added:
        arguments[0] = "1"
    text = f"{name}({', '.join('d' if name == 'ELMCOUNT' else argument for argument in arguments)})"
    model = tiny_model(f"{AROUND}x = {text}")
    assert equation_text(model, model["x"].equations[0].expression) == text


ATOMS = st.sampled_from(["w", "v", "2", "0.5", "q[North]", '"a-b"'])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/^<>="), inner).map(lambda parts: f"({parts[0]}){parts[1]}({parts[2]})"),
        inner.map(lambda part: f"-({part})"),
        st.tuples(inner, inner).map(lambda parts: f"MAX({parts[0]}, {parts[1]})"),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]}) :AND: :NOT: ({parts[1]})"),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS)
def test_text_reads_back_as_the_same_equation(text):
    """No parenthesis that matters is lost."""
    first = tiny_model(f"{AROUND}x = {text}")
    written = equation_text(first, first["x"].equations[0].expression)
    second = tiny_model(f"{AROUND}x = {written}")
    assert equation_text(second, second["x"].equations[0].expression) == written
    assert value_of(second) == pytest.approx(value_of(first), nan_ok=True)


def value_of(model):
    """Evaluate an equation with a different number for each name."""
    numbers = {"w": 1.7, "v": -0.6, "q": 2.3, "a-b": 0.4}
    return evaluate(model.subscripts, model["x"].equations[0].expression, {}, lambda cell: numbers[cell.key])


def test_parts_of_an_equation_have_a_place():
    """Sums, products, powers and calls have a place, the first one if the same part occurs twice."""
    model = tiny_model(f"{AROUND}x = w + MAX(v*w, w/v) - (v*w)^2")
    equation = model["x"].equations[0]
    columns = {equation_text(model, part): place.column for part, place in equation.parts.items()}
    assert columns == {
        "w + MAX(v*w, w/v) - (v*w)^2": 5,
        "MAX(v*w, w/v)": 9,
        "v*w": 13,
        "w/v": 18,
        "(v*w)^2": 26,
    }
    assert {place.line for place in equation.parts.values()} == {equation.place.line}


def test_equations_with_data_are_written_as_they_were():
    """Keywords, the times at which they read data, and conditions of the author that resemble those of raw data."""
    text = """d: a, b
e :RAW:
f :RAW:
t[d] :RAW:
twice :RAW: := 2*e
where :RAW: := IF THEN ELSE(e = :NA:, :NA:, f)
total[d] :RAW: := SUM(t[d!])*t[d]
filled :RAW: := X IF MISSING(e*2, 7)
lines :INTERPOLATE: := 3*e
held :HOLD BACKWARD: := e*GET DATA AT TIME(f, Time)
mixed :RAW: := e*GET DATA AT TIME(f, Time)
later = 3*GET DATA AT TIME(e, Time + 2)
now = 3*GET DATA AT TIME(e, Time)
summed := CUMULATE(f)"""
    model = tiny_model(text)
    again = model_from_text(mdl_text(model))
    for element in model:
        wanted, found = ([own.expression for own in each.equations] for each in (element, again[element.name]))
        assert wanted == found, element.name
    assert "where :RAW: :=\n\tIF THEN ELSE(e = :NA:, :NA:, f)\n" in mdl_text(model)
