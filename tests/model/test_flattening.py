"""Models without subscripts: other names, the same numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.dataset import subscript_dims
from sdmodel.errors import ModelError
from sdmodel.model import Cell, key, without_subscripts
from sdmodel.simulation import simulate
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import mdl_text, model_from_text

ARRAYS = """
d: North, South, West
e: small, large
cities: North, South
share[d,e] = 1, 2; 3, 4; 5, 6;
price[d] = 2, 3, 4
Table[d]((0,0),(1,1),(5,7))
Level[d] = INTEG(price[d]*share[d,small] - Level[d]/3, price[d])
"""
EQUATIONS = (
    "out[d] = SUM(share[d,e!]*Level[d])",
    "out = SUM(share[d!,e!])",
    "out[e] = VMAX(share[d!,e])*VMIN(Level[d!]) - PROD(price[d!])",
    "out[d] = Level[d]*d + ELMCOUNT(e)",
    "out[North] = 1\nout[cities] :EXCEPT: [North] = 2\nout[West] = Level[South]",
    "out[d] = Table[d](Level[d]/3) + SMOOTH3(Level[d], price[d])",
    "out[d] = WITH LOOKUP(Level[d], ([(0,0)-(9,9)],(0,0),(4,2.5),(9,9)))",
    "out[d] = IF THEN ELSE(d = North, 1, IF THEN ELSE(:NOT: Level[d] > 2 :AND: (Time > 1 :OR: Time < 0), 2, -3^2))",
    "out[d] = DELAY FIXED(Level[d], 2, 0) + SAMPLE IF TRUE(Time > 3, Level[d], 1)",
)


def _cells(run):
    """Return the values of every cell, by the keys of element and labels."""
    for variable in run.data_vars.values():
        dims = subscript_dims(variable)
        for place in itertools.product(*(range(variable.sizes[dim]) for dim in dims)):
            labels = (key(str(variable[dim].values[at])) for dim, at in zip(dims, place, strict=True))
            yield (
                Cell(key(variable.attrs["long_name"]), tuple(labels)),
                variable.isel(dict(zip(dims, place, strict=True))),
            )


def _assert_same(model):
    scalars = without_subscripts(model)
    text = mdl_text(scalars.model)
    made = model_from_text(text)
    assert not made.subscripts
    assert "[" not in "".join(equation.text for element in made for equation in element.equations if element.kind != "lookup").replace("[(", "")  # fmt: skip
    before, after = simulate(model), simulate(made)
    for cell, values in _cells(before):
        if cell in scalars.names:
            found = after[made.identifiers[key(scalars.names[cell])]]
            np.testing.assert_array_equal(found.broadcast_like(values), values, err_msg=str(cell))


@pytest.mark.parametrize("equations", EQUATIONS)
def test_every_cell_becomes_a_variable_with_the_same_numbers(equations):
    """Sums, products and extremes are written out; ranges and labels that stand for numbers become numbers."""
    _assert_same(tiny_model(ARRAYS + equations))


@settings(max_examples=8, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6), st.sampled_from(["SUM", "VMIN", "VMAX", "PROD"]))
def test_numbers_are_exact_to_the_last_digit(numbers, function):
    """The written text reads back as the same numbers."""
    rows = ";".join(",".join(map(repr, numbers[at : at + 2])) for at in (0, 2, 4))
    _assert_same(tiny_model(f"d: A, B, C\ne: x, y\nq[d,e] = {rows};\nout[e] = {function}(q[d!,e]) - q[A,x]"))


def test_duplicate_names_get_a_number_and_are_reported():
    """Names of elements without subscripts stay."""
    scalars = without_subscripts(tiny_model("d: A, B\nprice[d] = 1, 2\nprice A = 5\nout = price A + price[A]"))
    assert scalars.renamed == ("price A 2",)
    assert scalars.names[Cell("price", ("a",))] == "price A 2"
    assert set(simulate(model_from_text(mdl_text(scalars.model)))["out"].values) == {6}


def test_units_ranges_comments_and_groups_stay():
    """Each variable keeps what its element says."""
    text = """d: A, B ~ ~ |
    ***
    .Policy levers
    ***~ What moves. |
    price[d] = 1, 2 ~ $/GW [0,?,0.5] ~ What a very long comment says, with more words than fit into one single line of text. |
    """
    model = tiny_model(text)
    made = model_from_text(mdl_text(without_subscripts(model).model))
    assert made.groups[0].comment == "What moves."
    for name in ("price A", "price B"):
        for field in ("units", "range", "comment", "group"):
            assert getattr(made[name], field) == getattr(model["price"], field)


def test_data_become_lookups(tmp_path):
    """One for each way in which equations read the points; a function that asks for more is named with its line."""
    text = model_text("""
S: A, B
d[S] :INTERPOLATE:
r[S] :RAW:
same[S] = d[S]
at[S] = GET DATA AT TIME(d[S], 3)
due[S] = IF THEN ELSE(r[S] = :NA:, -1, r[S])
total[S] := CUMULATE(r[S])
""")
    data = tmp_path / "data.csv"
    data.write_text("Time,d[A],d[B],r[A],r[B],d\n0,1,2,1,4,1\n3,7,,2,5,7\n10,9,5,3,6,9\n", "utf-8")
    _assert_same(model_from_text(text, data=data))
    asking = model_from_text(model_text("d\nx = GET DATA MEAN(d, 0, 3)"), data=data)
    with pytest.raises(ModelError, match=":8:1: GET DATA MEAN asks for more than a value at a time of data"):
        without_subscripts(asking)
