"""Files of samples: round trips and faults."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sdmodel.errors import ScenarioError
from sdmodel.scenario import Samples
from sdmodel.vensim import read_samples, samples_text


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("samples") / "s.tab"


@given(
    st.lists(st.from_regex(r"[a-z]([a-z ]*[a-z])?(\[A,B\])?", fullmatch=True), min_size=2, max_size=4),
    st.data(),
)
def test_what_is_written_is_read_back_the_same(path, names, data):
    """Every number to its last digit, an empty place for one that is missing; each sample has some number."""
    numbers = arrays(float, (3, len(names)), elements=st.floats(allow_infinity=False))
    values = data.draw(numbers.filter(lambda drawn: not np.isnan(drawn).all(axis=1).any()))
    path.write_text(samples_text(names, values), "utf-8")
    found = read_samples(path)
    assert found == Samples(tuple(names), values)
    np.testing.assert_array_equal(np.signbit(found.values), np.signbit(np.where(np.isnan(values), 1.0, values)))


def test_a_sample_without_any_number_is_not_written():
    """Its line would be blank, and blank lines do not count when a file is read."""
    with pytest.raises(ScenarioError, match="sample 2 has no number at all; leave it out"):
        samples_text(["a", "b"], np.array([[1.0, math.nan], [math.nan, math.nan]]))


def test_an_empty_place_is_a_missing_value(path):
    """At the end of a row too; blank lines do not count."""
    path.write_bytes(b"\xef\xbb\xbfprice of steel\tx[A, B]\r\n1.36\t\r\n\r\n\t-2E3\r\n")
    found = read_samples(path)
    assert found.names == ("price of steel", "x[A, B]")
    np.testing.assert_array_equal(found.values, [[1.36, math.nan], [math.nan, -2000]])
    assert [str(each) for each in found.places] == [f"{path}:1:1", f"{path}:1:16"]


FAULTS = {
    "": ("", "the file has no samples"),
    "a\tb\n": ("", "the file has no samples"),
    "a\tb\n1\t2\n3\n": (":3:1", "the row has 1 places, the first row 2 names"),
    "a\tb\n1\t2\t3\n": (":2:1", "the row has 3 places"),
    "a\tb\n1\tx\n": (":2:3", "'x' is no number; give numbers"),
    "a\tb\n1\t1,5\n": (":2:3", "'1,5' is no number; give numbers, with a point"),
    "a\tb\n1\tnan\n": (":2:3", "'nan' is no number"),
    "a\tb\n1\t1_0\n": (":2:3", "'1_0' is no number"),
    "a\tb\n1e999\t1\n": (":2:1", "a number is too large"),
    "a\t\n1\t2\n": (":1:3", "a column has no name"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_what_is_no_sample_is_told_at_its_place(path, text):
    """Line and column, and what to do."""
    place, told = FAULTS[text]
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError) as caught:
        read_samples(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert told in str(caught.value)


def test_a_file_that_is_nothing_of_the_kind_is_told_in_a_few_lines(path):
    """Twenty rows are enough to see it."""
    path.write_text("a\n" + "word\n" * 1000, "utf-8")
    with pytest.raises(ScenarioError) as caught:
        read_samples(path)
    assert len(caught.value.faults) == 20
