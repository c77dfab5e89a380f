"""Names: compared as in Vensim, quoted where needed, and split from their labels."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.model import (
    display_name,
    identifiers,
    join_name,
    key,
    nearest,
    quote_name,
    signed_terms,
    split_list,
    split_name,
)
from sdmodel.vensim import read_formula

WRITTEN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("ab [],'\"=&\\"))
_UNPAIRED = re.compile(r'(?<!\\)(?:\\\\)*\\("|$)')
"""A backslash that would take a quote or the end of the name with it; no name in a file has one."""
NAMES = WRITTEN.map(display_name).filter(lambda name: name.strip() and not _UNPAIRED.search(name))


def test_names_are_compared_as_in_vensim():
    """Case, blanks, underscores and quotes make no difference."""
    assert key("Grid  Delay") == key("grid_delay") == key('"Grid Delay"') == key("GRID\n\tdelay")
    assert key("Wärme Ä") == key("Wa\u0308rme A\u0308")  # the same letters, as macOS writes names of files
    assert nearest("Grid Dely", ["Other", "Grid Delay"]) == "Grid Delay"
    assert nearest("zzz", ["Other", "Grid Delay"]) is None


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("price", "price", ()),
        (" price [ chat ] ", "price", ("chat",)),
        ("price[chat, code]", "price", ("chat", "code")),
        ('"x, [y]"[A, "B, C"]', "x, [y]", ("A", "B, C")),
        ('"a[b]"', "a[b]", ()),
        ("price[", "price[", ()),
        ("price]", "price]", ()),
        ("", "", ()),
    ],
)
def test_split_name_separates_labels(text: str, name: str, labels: tuple[str, ...]):
    """Brackets and commas inside quotes belong to a name; a text without both brackets is a name."""
    assert split_name(text) == (name, labels)


@given(NAMES, st.lists(NAMES, max_size=3))
def test_names_and_labels_survive_joining_and_splitting(name: str, labels: list[str]):
    """Whatever characters they contain, names and labels are found again, written for a file or for people."""
    for text in (quote_name(name, labels), join_name(name, labels)):
        assert split_name(text) == (name, tuple(labels))
    assert split_list(f"{quote_name(name, labels)}, x") == [quote_name(name, labels), "x"]


@given(NAMES)
def test_quotes_are_removed_and_added_only_once(name: str):
    """The bare name stays what it is, however often its quotes are removed, and so does the name in quotes."""
    assert display_name(name) == name == display_name(quote_name(name))
    assert quote_name(quote_name(name)) == quote_name(name)
    assert key(name) == key(quote_name(name))


def test_a_name_that_looks_like_a_name_with_labels():
    """A name of the model that has brackets is found without quotes; shown beside others, it has them."""
    assert split_name("a[b]") == ("a", ("b",))
    assert split_name("A[b]", {"a[b]"}) == ("A[b]", ())
    assert join_name("a[b]") == '"a[b]"'
    assert join_name("a, b", ["c", "d, e"]) == '"a, b"[c,"d, e"]'
    assert join_name("price (USD)", ["c"]) == "price (USD)[c]"


@pytest.mark.parametrize(
    "name", ["rate", "Little's law", "cost in $", "a_1", "\u0928\u093f \u0926\u0930", "\u0645\u064f\u062d", "\xe9"]
)
def test_plain_names_have_no_quotes(name: str):
    """Letters, digits, blanks, apostrophes, dollars and underscores need no quotes; vowel signs belong to letters."""
    assert quote_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "half.life",
        "R&D",
        "cost #2",
        "a@b",
        "x%",
        "who?",
        "1st",
        "_a",
        "$x",
        "'x",
        "x\xb2",
        "a\u2013b",
        "\xbd",
        "INTEG",
        "max",
        "With_Lookup",
    ],
)
def test_other_names_have_quotes(name: str):
    """Everything that another reader may take for an operator, a number or a function is in quotes."""
    assert quote_name(name) == f'"{name}"'


def test_identifiers_keep_the_signs_of_every_script():
    """Vowel signs and accents distinguish words, and Python allows them inside an identifier."""
    words = [
        "\u0928\u093f\u0927\u093f",
        "\u0928\u0940\u0927\u0940",
        "\u0e19\u0e49\u0e33",
        "\u0645\u064f\u062d",
        "\u05e9\u05c1",
        "e\u0301",
    ]
    found = identifiers(words)
    assert all(identifier.isidentifier() for identifier in found.values())
    assert [unicodedata.normalize("NFKC", word) for word in words] == list(found.values())
    assert identifiers(["var_(1)", "1st", "\u0301a", "a_-_b"]) == {
        "var_(1)": "var__1", "1st": "v_1st", "\u0301a": "v_\u0301a", "a_-_b": "a___b",
    }  # fmt: skip


def test_signed_terms_of_a_sum():
    """The terms of a net flow come without their signs; a product is one term."""
    assert [sign for _, sign in signed_terms(read_formula("a - b + c*d"))] == [1, -1, 1]
