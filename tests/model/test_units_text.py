"""Units as text: read as in Vensim, and written so that they read back the same."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.model import check_units
from sdmodel.model.units.dimensions import UnitSyntaxError, combine, parse_units, raised, vocabulary_of
from sdmodel.testing import block_text, model_text
from sdmodel.vensim import model_from_text

READ = {
    "Widget": {"widget": 1},
    "1": {},
    "1/Year": {"year": -1},
    "$/(Person*Year)": {"$": 1, "person": -1, "year": -1},
    "Widget/Year/Year": {"widget": 1, "year": -2},
    "Widget / Year * Year": {"widget": 1},
    "Year^2": {"year": 2},
    "Year^-1": {"year": -1},
    "Year^0.5": {"year": Fraction(1, 2)},
    "Year^(1/3)": {"year": Fraction(1, 3)},
    "(m/s)^2": {"m": 2, "s": -2},
    "1/(kg*m)^2": {"kg": -2, "m": -2},
    "billion USD/Year": {"billion_usd": 1, "year": -1},
    '"CO2/t"*kg': {"co2/t": 1, "kg": 1},
    "man-hour": {"man-hour": 1},
    "Degrees Fahrenheit/Minute": {"degrees_fahrenheit": 1, "minute": -1},
    "100 km": {"100_km": 1},
}

REFUSED = {
    "Widget/": "a name is missing in the units 'Widget/' at the end",
    "*Widget": "a name is missing in the units '*Widget' before '*'",
    "Widget//Year": "a name is missing in the units 'Widget//Year' before '/'",
    "(Widget": "is not closed; add ')'",
    "Widget)": "does not belong there; remove it",
    "Year^": "an exponent that is not a number",
    "Year^x": "an exponent that is not a number",
    "Year^(1/0)": "an exponent that is not a number",
    "Widget [0,1,2,3]": "the range in the units 'Widget [0,1,2,3]' cannot be read",
    '"Widget': "a name in quotes in the units '\"Widget' is empty or not closed",
    '""': "a name in quotes in the units '\"\"' is empty or not closed",
    "()": "a name is missing in the units '()' before ')'",
    "(" * 60 + "m" + ")" * 60: "a name is missing",
}


@pytest.mark.parametrize("text", READ)
def test_units_are_names_with_exponents(text):
    """Names multiply and divide from left to right; case, blanks and underscores make no difference."""
    assert parse_units(text) == READ[text]
    assert parse_units(f"  {text.upper()} ") == {name: READ[text][name] for name in READ[text]}


@pytest.mark.parametrize("text", REFUSED)
def test_unreadable_units_are_refused_with_a_cure(text):
    """The message quotes the text and says what to do."""
    with pytest.raises(UnitSyntaxError) as caught:
        parse_units(text)
    assert REFUSED[text] in str(caught.value)
    assert "; " in str(caught.value)


@given(st.text(alphabet='ab1.-+*/^() "[]\n\té', max_size=30))
def test_every_text_is_read_or_refused(text):
    """No text in a units field breaks the check."""
    with contextlib.suppress(UnitSyntaxError):
        assert "" not in parse_units(text)


NAMES = ("Widget", "Year", "$", "billion USD", "man-hour")
UNITS = st.dictionaries(
    st.sampled_from(NAMES), st.fractions(-3, 3, max_denominator=4).filter(bool), max_size=len(NAMES)
)


@given(UNITS)
def test_written_unit_reads_back_the_same(unit):
    """Text and dimensions round-trip in the spelling of the model."""
    words = vocabulary_of(NAMES, ())
    keys = {parse_units(name).popitem()[0]: power for name, power in unit.items()}
    text = words.text(keys)
    assert words.unit(text) == keys
    assert all(name in text for name in unit)


@given(UNITS, UNITS, st.fractions(-3, 3, max_denominator=4).filter(bool))
def test_units_multiply_as_numbers_do(left, right, power):
    """Products commute, have inverses, and powers go through them."""
    assert combine(left, right) == combine(right, left)
    assert combine(combine(left, right), right, -1) == left
    assert raised(combine(left, right), power) == combine(raised(left, power), raised(right, power))


def test_synonyms_plurals_and_pure_numbers_are_the_same_unit():
    """Lists of synonyms that share a name are joined; a plural equals its singular if the model has it; m and ms differ."""
    texts = ["Widget", "Widgets", "Frogs", "m", "ms", "$", "Dollars", "Thing", "percent"]
    words = vocabulary_of(texts, [("$", "Dollar"), ("Dollar", "Dollars", "USD"), ("share", "Dmnl")])
    same = [
        ("Widgets/USD", "widget/$"),
        ("Dollars", "dollar"),
        ("share", "fraction"),
        ("Dmnl", "1"),
        ("Dimensionless", ""),
    ]
    for left, right in same:
        assert words.unit(left) == (words.unit(right) if right else {})
    joined = vocabulary_of(["Buck", "$"], [("$", "Dollar"), ("USD", "Buck"), ("Buck", "Dollar")])
    assert len({str(joined.unit(name)) for name in ("$", "Dollar", "USD", "Buck")}) == 1
    different = [("Frogs", "Frog"), ("m", "ms"), ("percent", "1"), ("Things", "Widget")]
    for left, right in different:
        assert words.unit(left) != words.unit(right)
    assert words.unit("") is None
    assert words.unit("?") is None


@pytest.mark.parametrize(
    ("row", "sound"), [("22:Box,Boxes", True), ("22:boxes , BOX", True), ("22:Box,Crate", False), ("", False)]
)
def test_synonyms_come_from_the_settings_of_the_file(row, sound):
    """Box and Boxes cancel once the model lists them as synonyms, as in Vensim's manual."""
    blocks = [
        block_text("nails shipped = boxes shipped*nails per box", units="Nails/Year"),
        block_text("nails per box = 1000", units="Nails/Box"),
        block_text("boxes shipped = 50", units="Boxes/Year"),
    ]
    mismatches = check_units(model_from_text(model_text("\n\n".join(blocks)) + row + "\n")).mismatches
    assert (mismatches == ()) == sound
    if not sound:
        assert (mismatches[0].left, mismatches[0].right) == ("Nails/Year", "Boxes*Nails/(Box*Year)")
