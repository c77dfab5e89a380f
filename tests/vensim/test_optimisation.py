"""Optimisation control files and payoff definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import ScenarioError
from sdmodel.scenario import FreeConstant, PayoffTerm
from sdmodel.vensim import read_optimisation, read_payoff


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("optimisation")


def optimisation(folder, text):
    path = folder / "o.voc"
    path.write_text(text, "utf-8")
    return read_optimisation(path)


def payoff(folder, text):
    path = folder / "p.vpd"
    path.write_text(text, "utf-8")
    return read_payoff(path)


def test_settings_and_constants_are_read(folder):
    """Bounds, initial value and the tolerance after a bar are optional; constants may have labels."""
    found = optimisation(
        folder,
        ":OPTIMIZER=Powell\r\n:SENSITIVITY=PAYOFF_VALUE=4\r\n:stochastic\r\n:COM -1 <= this = says <= 1\r\n\r\n{a comment}\r\n"
        ' .05 <= Contact Infectivity = 3E-1 <= 1\r\n4<=WORK SPEED<=10|frac = 0.1\r\n-2.048<=x[ i , j ]=0<=2.048\r\n"a/b"=5\r\n',
    )
    assert dict(found.settings) == {"OPTIMIZER": "Powell", "SENSITIVITY": "PAYOFF_VALUE=4", "STOCHASTIC": ""}
    assert found.free == (
        FreeConstant("Contact Infectivity", (), 0.05, 0.3, 1.0),
        FreeConstant("WORK SPEED", (), 4.0, None, 10.0, "FRAC=0.1"),
        FreeConstant("x", ("i", "j"), -2.048, 0.0, 2.048),
        FreeConstant("a/b", (), None, 5.0, None),
    )
    assert [(constant.place.line, constant.place.column) for constant in found.free] == [
        (7, 2),
        (8, 1),
        (9, 1),
        (10, 1),
    ]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3, unique=True).map(sorted))
def test_numbers_are_exact(folder, numbers):
    """Every digit counts."""
    low, initial, high = numbers
    found = optimisation(folder, f"{low!r}<=rate={initial!r}<={high!r}\n")
    assert found.free == (FreeConstant("rate", (), low, initial, high),)


SEARCHES = {
    "": ("", "the file has no constants to search"),
    ":OPTIMIZER=OFF\n": ("", "the file has no constants to search"),
    "0<=a=1<=2\nword\n": (":2:1", "neither a setting nor a constant"),
    "0 <= a = other <= 2\n": (":1:1", "bounds as numbers"),
    "  low <= a = 1 <= 2\n": (":1:3", "bounds as numbers"),
    "2 <= a <= 1\n": (":1:1", "'a': the lower bound 2 is not below the upper 1"),
    "0 <= a = 5 <= 1\n": (":1:1", "'a': the initial value 5 is outside"),
    "0 <= a <= 1e400\n": (":1:1", "'a': a number is too large"),
    "0 <= a <= 1\n0 <= b <= 1\n0 <= A <= 2\n": (":3:1", "'A' is searched twice, first on line 1"),
    "0 <= a <= 10|DIS=1\n": (":1:1", "'DIS' after the bar is not supported"),
}


@pytest.mark.parametrize("text", SEARCHES)
def test_faults_of_a_search_have_a_place(folder, text):
    """They give line and column, and what to do."""
    place, message = SEARCHES[text]
    with pytest.raises(ScenarioError, match="; ") as caught:
        optimisation(folder, text)
    assert str(caught.value).startswith(f"{folder / 'o.voc'}{place}: ")
    assert message in str(caught.value)


def test_payoff_terms_have_the_kind_above_them(folder):
    """Formulas stay as written: bars and slashes inside quotes and brackets belong to them."""
    found = payoff(
        folder,
        '*C\r\nwolves|measured wolves/1\r\n"a/b|c"[x]|(d/2)/w{weight}\r\n*CGL\r\nx|y/1/sigma\r\n*Policy\r\n\r\nprofit/-1\r\n'
        "*PLI\r\nconstraint\r\n*ri\r\nlog prior/1\r\n",
    )
    assert found.terms == (
        PayoffTerm("wolves", "measured wolves", "1", "C"),
        PayoffTerm('"a/b|c"[x]', "(d/2)", "w", "C"),
        PayoffTerm("x", "y/1", "sigma", "CGL"),
        PayoffTerm("profit", "", "-1", "P"),
        PayoffTerm("constraint", "", "1", "PLI"),
        PayoffTerm("log prior", "", "1", "RI"),
    )
    assert [term.place.line for term in found.terms] == [2, 3, 5, 8, 10, 12]


@pytest.mark.parametrize("transformed", ["", "L", "X"])
@pytest.mark.parametrize("spread", ["", *"GKORYHBPD"])
def test_calibration_kinds_may_have_a_transformation_and_a_distribution(folder, transformed, spread):
    """The manual has both orders."""
    for kind in (f"C{spread}{transformed}", f"C{transformed}{spread}"):
        assert payoff(folder, f"*{kind}\nx|y/1\n").terms == (PayoffTerm("x", "y", "1", kind),)


PAYOFFS = {
    "": ("", "the payoff has no terms"),
    "x|y/1\n": (":1:1", "there is no kind above this term"),
    "*Q\nx|y/1\n": (":1:1", "'*Q' is not a kind of payoff"),
    "*CZ\nx|y/1\n": (":1:1", "'*CZ' is not a kind of payoff"),
    "*C\nx/1\n": (":2:1", "a calibration term needs data"),
    "*P\n  x|y/1\n": (":2:3", "a policy term has no data"),
    "*P\n/1\n": (":2:1", "needs a variable and"),
    '*P\n"x/1\n': (":2:1", "a quote is not closed"),
    "*P\nx/\n": (":2:1", "after a slash, a weight"),
}


@pytest.mark.parametrize("text", PAYOFFS)
def test_faults_of_a_payoff_have_a_place(folder, text):
    """They give line and column, and what to do; an unknown kind is reported once, not for every term below it."""
    place, message = PAYOFFS[text]
    with pytest.raises(ScenarioError, match="; ") as caught:
        payoff(folder, text)
    assert len(caught.value.faults) == 1
    assert str(caught.value).startswith(f"{folder / 'p.vpd'}{place}: ")
    assert message in str(caught.value)
