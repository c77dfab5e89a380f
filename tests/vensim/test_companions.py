"""Any text in the files that go with a model: it is read, or refused with the file's path."""

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
    """Return the faults of a file, None if it is read."""
    try:
        reader(path)
    except FaultsError as error:
        return error.faults
    return None


@pytest.mark.parametrize("name", READERS)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_read_or_refused(folder, name, text):
    """No other error comes from a stranger's file; every fault names the file and a cure."""
    path = folder / name
    path.write_bytes(text.encode())
    found = faults(READERS[name], path)
    assert found is None or found
    assert all(str(fault).startswith(str(folder)) and "; " in fault.what for fault in found or ())
