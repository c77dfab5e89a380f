"""Levers and their values as users type them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdmodel.errors import ScenarioError
from sdmodel.scenario import Grid
from sdmodel.vensim import read_grid

WHERE = "--lever"
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9 ]{0,20}[A-Za-z0-9]", fullmatch=True).map(lambda name: " ".join(name.split()))


@given(NAMES, NUMBERS, NUMBERS, st.none() | st.integers(0, 10**6), st.sampled_from(["", "log", "LOG"]))
def test_bounds_count_and_log_are_read(name: str, low: float, high: float, count: int | None, mark: str):
    """The numbers between colons are read to the last digit."""
    parts = [repr(low), repr(high), *([] if count is None else [str(count)]), *filter(None, [mark])]
    expected = Grid(name, (), (), low, high, count, bool(mark), WHERE)
    assert read_grid(f" {name} = {' : '.join(parts)} ") == expected


@given(NAMES, st.lists(NUMBERS, min_size=1, max_size=8))
def test_listed_values_are_read(name: str, values: list[float]):
    """Commas separate values."""
    assert read_grid(f"{name}={','.join(map(repr, values))}") == Grid(name, (), tuple(values), where=WHERE)


def test_labels_quotes_and_bare_names_are_read():
    """The rules are those of Vensim's files."""
    assert read_grid("growth[chat, code]") == Grid("growth", ("chat", "code"), where=WHERE)
    assert read_grid('"a:b=c"=1') == Grid("a:b=c", (), (1.0,), where=WHERE)
    assert read_grid('x["a, b", c] = 1') == Grid("x", ("a, b", "c"), (1.0,), where=WHERE)


@given(st.text(max_size=40))
@example("0" * 19 + "\x1f" * 6 + "{" + "\U00018d09" * 10)  # so long when it is escaped that the message is cut
def test_any_text_is_a_grid_or_a_fault(text: str):
    """No input ends in a traceback, and every fault shows the correct form."""
    refused = ""
    try:
        read_grid(text)
    except ScenarioError as fault:
        refused = str(fault)
    assert not refused or re.fullmatch(r"--lever: .*; write 'name=low:high:count'.*", refused, re.DOTALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=", "has no values"),
        ("x=1:2:3:4", "colons separate"),
        ("x=1:log", "colons separate"),
        ("x=1:2:2.5", "'2.5' is not a number of values"),
        ("x=1,,2", "'' is not a number"),
        ("x=1e999", "too large"),
        ("=3", "is not a lever"),
    ],
)
def test_faults_name_the_wrong_part(text: str, message: str):
    """The message says which part of the text does not fit."""
    with pytest.raises(ScenarioError, match=message):
        read_grid(text)
