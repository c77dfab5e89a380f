"""Names: compared as in Vensim, quoted where needed, and split from their labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.model import display_name, key, nearest, quote_name, signed_terms, split_name
from sdmodel.vensim import read_formula

NAMES = st.text("ab [],'\"=&", min_size=1).filter(lambda name: name == " ".join(name.split()))


def test_names_are_compared_as_in_vensim():
    """Case, blanks, underscores and quotes make no difference."""
    assert key("Grid  Delay") == key("grid_delay") == key('"Grid Delay"') == key("GRID\n\tdelay")
    assert nearest("Grid Dely", ["Other", "Grid Delay"]) == "Grid Delay"
    assert nearest("zzz", ["Other", "Grid Delay"]) is None


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("price", "price", ()),
        (" price [ chat ] ", "price", ("chat",)),
        ("price[chat, code]", "price", ("chat", "code")),
        ('"x, [y]"[A, "B, C"]', '"x, [y]"', ("A", '"B, C"')),
        ('"a[b]"', '"a[b]"', ()),
        ("price[", "price[", ()),
        ("price]", "price]", ()),
        ("", "", ()),
    ],
)
def test_split_name_separates_labels(text: str, name: str, labels: tuple[str, ...]):
    """Brackets and commas inside quotes belong to a name; a text without both brackets is a name."""
    assert split_name(text) == (name, labels)


@given(NAMES, st.lists(NAMES, max_size=3))
def test_quoted_names_and_labels_survive_splitting(name: str, labels: list[str]):
    """Whatever characters they contain, quoted names and labels are found again."""
    text = quote_name(name) + (f"[{', '.join(map(quote_name, labels))}]" if labels else "")
    found, parts = split_name(text)
    assert display_name(found) == name
    assert [display_name(part) for part in parts] == labels


def test_signed_terms_of_a_sum():
    """The terms of a net flow come without their signs; a product is one term."""
    assert [sign for _, sign in signed_terms(read_formula("a - b + c*d"))] == [1, -1, 1]
