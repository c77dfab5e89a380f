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
def test_samples_round_trip(path, names, data):
    """Every number is exact, and a missing one is an empty cell; each sample has at least one number."""
    numbers = arrays(float, (3, len(names)), elements=st.floats(allow_infinity=False))
    values = data.draw(numbers.filter(lambda rows: not np.isnan(rows).all(axis=1).any()))
    path.write_text(samples_text(names, values), "utf-8")
    found = read_samples(path)
    assert found == Samples(tuple(names), values)
    np.testing.assert_array_equal(np.signbit(found.values), np.signbit(np.where(np.isnan(values), 1.0, values)))


def test_samples_without_numbers_are_not_written():
    """Their lines would be blank, and readers skip blank lines."""
    with pytest.raises(ScenarioError, match="sample 2 has no numbers; leave it out"):
        samples_text(["a", "b"], np.array([[1.0, math.nan], [math.nan, math.nan]]))


def test_empty_cells_are_missing_values(path):
    """They may be at the end of a row too; blank lines are skipped."""
    path.write_bytes(b"\xef\xbb\xbfprice of steel\tx[A, B]\r\n1.36\t\r\n\r\n\t-2E3\r\n")
    found = read_samples(path)
    assert found.names == ("price of steel", "x[A, B]")
    np.testing.assert_array_equal(found.values, [[1.36, math.nan], [math.nan, -2000]])
    assert [str(place) for place in found.places] == [f"{path}:1:1", f"{path}:1:16"]


FAULTS = {
    "": ("", "the file has no samples"),
    "a\tb\n": ("", "the file has no samples"),
    "a\tb\n1\t2\n3\n": (":3:1", "the number of cells, 1, is not the number of names, 2"),
    "a\tb\n1\t2\t3\n": (":2:1", "the number of cells, 3, is not"),
    "a\tb\n1\tx\n": (":2:3", "'x' is not a number; write numbers"),
    "a\tb\n1\t1,5\n": (":2:3", "'1,5' is not a number; write numbers with a decimal point"),
    "a\tb\n1\tnan\n": (":2:3", "'nan' is not a number"),
    "a\tb\n1\t1_0\n": (":2:3", "'1_0' is not a number"),
    "a\tb\n1e999\t1\n": (":2:1", "a number is too large"),
    "a\t\n1\t2\n": (":1:3", "a column has no name"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_have_a_place(path, text):
    """They give line and column, and what to do."""
    place, message = FAULTS[text]
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError) as caught:
        read_samples(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert message in str(caught.value)


def test_at_most_twenty_faults_are_reported(path):
    """More of them mean that the file is something else."""
    path.write_text("a\n" + "word\n" * 1000, "utf-8")
    with pytest.raises(ScenarioError) as caught:
        read_samples(path)
    assert len(caught.value.faults) == 20


def test_samples_between_commas_are_refused_in_one_line(path):
    for header in ("a,b", '"a,b",c', "a[A,B],b"):
        path.write_text(f"{header}\n1,2\n3,4\n", "utf-8")
        with pytest.raises(
            ScenarioError, match=r"s\.tab:1:1: names are separated by commas; separate names and"
        ) as caught:
            read_samples(path)
        assert len(caught.value.faults) == 1
    path.write_text('"a,b"\n1\n', "utf-8")
    assert read_samples(path).names == ('"a,b"',)
