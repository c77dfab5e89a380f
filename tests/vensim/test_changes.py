"""Change files, single changes and save lists."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import ScenarioError
from sdmodel.model import Table
from sdmodel.scenario import Scenario, with_tables
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change, read_savelist, read_scenario


def _scenario(tmp_path, text):
    file = tmp_path / "fast power.cin"
    file.write_text(text, "utf-8")
    return read_scenario(file)


def test_a_change_file_is_a_scenario(tmp_path):
    """Constants, arrays, tables, comments, strings, blank lines, and what the optimiser writes."""
    scenario = _scenario(
        tmp_path,
        "{Power comes first. }\n\n"
        "grid connection time = 1.5 {years}\n"
        '"odd = name"[a, B b] = 1, -2 ,\n  3;4\n'
        "f( [(0,0)-(2,2)],(0,0),\n(1,+ 2),\n (2,1e-3) )\n"
        "title :IS: any = text\n"
        ":COM found by the optimiser\n"
        "0 <= price elasticity = 0.8 <= 2\n"
        "*ADJ = 3\n",
    )
    assert (scenario.name, scenario.comment) == ("fast power", "Power comes first.")
    grid, odd, table, price, adjusted = scenario.changes
    assert (grid.name, grid.values, grid.place.line) == ("grid connection time", (1.5,), 3)
    assert (odd.name, odd.subscripts, odd.values) == ("odd = name", ("a", "b_b"), (1, -2, 3, 4))
    assert table.table == Table([(0, 0), (1, 2), (2, 0.001)], ((0, 0), (2, 2)))
    assert (price.name, price.values, price.place.column) == ("price elasticity", (0.8,), 6)
    assert (adjusted.name, adjusted.values) == ("ADJ", (3,))


def test_a_scenario_keeps_its_text(tmp_path):
    """So that a stored run can tell what changed it."""
    text = "a = 1\nb = 2\n"
    assert _scenario(tmp_path, text).text == text


@pytest.mark.parametrize(
    ("line", "where", "words"),
    [
        ("a = b", "2:5", "takes numbers only"),
        ("a = 1 +", "2:5", "takes numbers only"),
        ("  a", "2:3", "write 'name = value'"),
        ("a =", "2:4", "gets no value"),
        ("f((1,2),(3))", "2:3", "takes numbers only"),
        ("a = 1e999", "2:1", "too large"),
        ("f(1,2,3)", "2:1", "odd count"),
    ],
)
def test_a_line_that_is_no_change_says_where_and_what_to_do(tmp_path, line, where, words):
    """File, line and column."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(tmp_path, f"x = 1\n{line}\n")
    (fault,) = caught.value.faults
    assert str(fault.where).endswith(f"fast power.cin:{where}")
    assert words in fault.what


def test_all_faults_of_a_change_file_come_together(tmp_path):
    """A user mends it once."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(tmp_path, "a = b\nc = 1\nd\n")
    assert [fault.where.line for fault in caught.value.faults] == [1, 3]


def test_a_change_on_the_command_line_names_its_option():
    """The place is the option, not a file."""
    change = read_change("price  elasticity=0.8")
    assert (change.name, change.values) == ("price elasticity", (0.8,))
    with pytest.raises(ScenarioError, match=r"^--set:1:1: .*write 'name = value'"):
        read_change("0.8")


@given(st.text(max_size=40))
def test_any_text_is_a_change_or_a_fault(text):
    """Nothing else may come of it."""
    with contextlib.suppress(ScenarioError):
        change = read_change(text)
        assert bool(change.values) is (change.table is None)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_as_they_were(values):
    """To the last bit."""
    assert read_change(f"a[d] = {','.join(map(repr, values))}").values == tuple(values)


def test_a_save_list_is_names_one_a_line(tmp_path):
    """Subscripts stay with their name; comments and blank lines are left out."""
    file = tmp_path / "keep.lst"
    file.write_bytes(b'{headlines}\r\nannual revenue\r\n\r\n "odd [name]"[a, b]\r\n')
    assert read_savelist(file) == ("annual revenue", '"odd [name]"[a, b]')
    file.write_text("a\nb = 3\n")
    with pytest.raises(ScenarioError, match=r"keep\.lst:2:1: this is no name"):
        read_savelist(file)


@pytest.mark.parametrize("read", [read_scenario, read_savelist])
def test_a_file_that_is_not_there_is_one_clear_line(tmp_path, read):
    """As is a folder, and what is no text."""
    (tmp_path / "binary").write_bytes(b"\x00")
    for name, words in (("none", "check the path"), ("", "directory"), ("binary", "not text")):
        with pytest.raises(ScenarioError, match=words):
            read(tmp_path / name)


def test_a_save_list_that_names_nothing_is_told_by_its_file(tmp_path):
    """An empty list is a mistake, and which list it is matters."""
    (tmp_path / "few.lst").write_text("{none}\n\n")
    with pytest.raises(ScenarioError, match=r"few\.lst: the list names nothing; write one name a line"):
        read_savelist(tmp_path / "few.lst")


def test_a_table_for_no_lookup_says_whether_there_are_any():
    """The cure depends on what the model has."""
    scenario = Scenario("", (read_change("zz((0,0),(1,1))"),))
    with pytest.raises(ScenarioError, match=r"^--set:1:1: 'zz' is not a lookup of the model; see the lookups"):
        with_tables(tiny_model("f((0,0),(1,1))"), scenario)
    with pytest.raises(ScenarioError, match="it has none"):
        with_tables(tiny_model("x = 1"), scenario)
