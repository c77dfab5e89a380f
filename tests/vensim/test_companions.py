"""All the files that go with a model: whatever stands in them, they are read or refused with their path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import FaultsError
from sdmodel.vensim import read_data, read_optimisation, read_payoff, read_samples, read_sampling

READERS = {
    "d.dat": read_data,
    "d.csv": read_data,
    "d.tab": read_data,
    "e.vsc": read_sampling,
    "s.tab": read_samples,
    "o.voc": read_optimisation,
    "p.vpd": read_payoff,
}
PIECES = st.sampled_from([
    "Time", "rate", '"a b"', '"', "[A]", "[", "]", "(", ")", "=", "<=", ",", "\t", " ", "\n", "\r\n", "|", "/", ":", "*C", "*",
    "{", "}", "\\", "1", "-2.5", "1e999", ".", "200,L,1,,0\n", "2,F,1,e.vsc,0\n", "2,F,1,..,0\n", "RANDOM_UNIFORM(0,1)",
    "RANDOM_LOOKUP(0,1,f,0,1)", "RANDOM_BINOMIAL(0,1e9,.5,1e9,0,1)", "VECTOR(0,1,1e-300)", ":OPTIMIZER=", "\x1c", "\u2028", "é",
])  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("companions")


def faults(reader, path):
    """What is wrong with a file."""
    try:
        reader(path)
    except FaultsError as error:
        return error.faults
    return None


@pytest.mark.parametrize("name", READERS)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_read_or_refused(folder, name, text):
    """Nothing else comes of a file from a stranger; every fault names the file and has a cure."""
    path = folder / name
    path.write_bytes(text.encode())
    told = faults(READERS[name], path)
    assert told is None or told
    assert all(str(fault).startswith(str(folder)) and "; " in fault.what for fault in told or ())
