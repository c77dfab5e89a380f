"""Scenario files, single changes and save lists: reading and writing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel import simulate
from sdmodel.errors import ScenarioError
from sdmodel.model import Table, key
from sdmodel.scenario import Change, Scenario, TextChange, with_tables
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change, read_savelist, read_scenario, scenario_text


def _scenario(tmp_path, text):
    file = tmp_path / "fast power.cin"
    file.write_text(text, "utf-8")
    return read_scenario(file)


def test_a_change_of_a_text_with_an_odd_name_is_named(tmp_path):
    """Any mark may stand in a name in quotes."""
    assert _scenario(tmp_path, "\"a: b!\" :IS: 'x'\n").texts == (TextChange("a: b!", "x"),)


def test_scenario_files_are_read(tmp_path):
    """They have constants, arrays, tables, comments, strings, blank lines, and results of the optimiser."""
    scenario = _scenario(
        tmp_path,
        "{Power comes first. }\n\n"
        "grid connection time = 1.5 {years}\n"
        '"odd = name"[a, B b, "c, d"] = 1, -2 ,\n  3;4\n'
        "f( [(0,0)-(2,2)],(0,0),\n(1,+ 2),\n (2,1e-3) )\n"
        "title :IS: 'any = text'\n"
        "!*** for validation\n ! price elasticity = 2\n"
        ":COM found by the optimiser\n"
        "0 <= price elasticity = 0.8 <= 2\n"
        "*ADJ = 3\n",
    )
    assert scenario.texts == (TextChange("title", "any = text"),)
    assert (scenario.name, scenario.comment) == ("fast power", "Power comes first.")
    grid, odd, table, price, adjusted = scenario.changes
    assert (grid.name, grid.values, grid.place.line) == ("grid connection time", (1.5,), 3)
    assert (odd.name, odd.subscripts, odd.values) == ("odd = name", ("a", "b_b", "c,_d"), (1, -2, 3, 4))
    assert table.table == Table([(0, 0), (1, 2), (2, 0.001)], ((0, 0), (2, 2)))
    assert (price.name, price.values, price.place.column) == ("price elasticity", (0.8,), 6)
    assert (adjusted.name, adjusted.values) == ("ADJ", (3,))


@pytest.mark.parametrize(
    ("line", "name", "subscripts", "exceptions", "values"),
    [
        ("0.0<= NORM FRAC BIRTH[CHINA] = .015 <= .1 FRAC", "NORM FRAC BIRTH", ("china",), (), (0.015,)),
        ("-1<=x=1e-3<=+2|FRAC=0.1", "x", (), (), (0.001,)),
        ("0 <= x = 1 <= 2 | abs = .5", "x", (), (), (1,)),
        ("x = 1 <= 2 ABS", "x", (), (), (1,)),
        ("lowest price <= price = 4 <= highest price", "price", (), (), (4,)),
        ("g[f, y] = TABBED ARRAY(\n1\t-2\n 3 +4e1\n)", "g", ("f", "y"), (), (1, -2, 3, 40)),
        ("g = tabbed array( 7 )", "g", (), (), (7,)),
        ("g[f,y] :EXCEPT: [A,old] = 5", "g", ("f", "y"), (("a", "old"),), (5,)),
        ('g[f,y]:except:["A, b",old] , [B,y]=1,2;3,4;', "g", ("f", "y"), (("a,_b", "old"), ("b", "y")), (1, 2, 3, 4)),
        ("g[f]:EXCEPT: [A] = TABBED ARRAY(1\n2)", "g", ("f",), (("a",),), (1, 2)),
    ],
)
def test_changes_may_have_the_forms_of_models_and_of_optimisation_files(
    tmp_path, line, name, subscripts, exceptions, values
):
    (change,) = _scenario(tmp_path, f"{line}\n").changes
    found = (change.name, change.subscripts, change.exceptions, change.values)
    assert found == (name, subscripts, exceptions, values)
    again = _scenario(tmp_path, scenario_text([change])).changes[0]
    assert (again.name, again.subscripts, again.exceptions, again.values) == found


FUNDS = """
f: A, B, C
sub: A, B
y: young, old
g[f,y] = 1, 2; 3, 4; 5, 6;
n[f] = 1, 2, 3
t[f]((0,0),(10,10))
one((0,0),(10,10))
h[f,y] = g[f,y] + 0*n[f]
r[f] = t[f](5)
s = one(5) + SUM(n[f!])
"""


@pytest.mark.parametrize(
    ("lines", "name", "expected"),
    [
        ("g[f,y] :EXCEPT: [A,old],[sub,young] = 9", "h", [[1, 2], [3, 9], [9, 9]]),
        ("g[f,y] :EXCEPT: [A,y] = 7,8,9,10", "h", [[1, 2], [7, 8], [9, 10]]),
        ("g[f,y] = TABBED ARRAY(7 8\n9 10\n11 12)", "h", [[7, 8], [9, 10], [11, 12]]),
        ("0 <= g[B,y] = 7 <= 8 FRAC", "h", [[1, 2], [7, 7], [5, 6]]),
        ("t[B]((0,0),(10,20))", "r", [5, 10, 5]),
        ("t[sub]((0,0),(10,20))", "r", [10, 10, 5]),
        ("t[f] :EXCEPT: [sub] ((0,0),(10,20))", "r", [5, 5, 10]),
        ("t((0,0),(10,20))\nt[A]((0,0),(10,30))\nt[f]:EXCEPT:[A],[C]((0,0),(10,40))", "r", [15, 20, 10]),
        ("one((0,0),(10,20))", "s", 16),
    ],
)
def test_changes_reach_the_cells_that_they_name_and_no_others(tmp_path, lines, name, expected):
    run = simulate(tiny_model(FUNDS), scenario=_scenario(tmp_path, lines))
    assert run[name].values[0].tolist() == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("g[f,y] :EXCEPT: [f,y] = 9", "'g': :EXCEPT: leaves nothing to change; remove it"),
        ("g[f,y] :EXCEPT: [A] = 9", "'g' has 2 subscripts, not 1; write one label for each"),
        ("g[f,y] :EXCEPT: [A,D] = 9", r"'g' has no cell \[a, d\]"),
        ("g[f,y] :EXCEPT: [A,old] = 1,2,3", "'g' has 5 cells but 3 numbers; give one per cell, or one for all"),
        ("t[D]((0,0),(10,20))", r"'t' has no cell \[d\]; write labels as in the model"),
        ("t[f,y]((0,0),(10,20))", "'t' has 1 subscript, not 2"),
        ("g[f,y] = TABBED ARRAY(1 2 3)", "'g' has 6 cells but 3 numbers"),
    ],
)
def test_changes_that_reach_nothing_are_faults(tmp_path, line, words):
    with pytest.raises(ScenarioError, match=rf"fast power\.cin:2:1: {words}"):
        simulate(tiny_model(FUNDS), scenario=_scenario(tmp_path, f"\n{line}\n"))


def test_scenarios_keep_their_text(tmp_path):
    """A stored run can show the changes in it."""
    text = "a = 1\nb = 2\n"
    assert _scenario(tmp_path, text).text == text


@pytest.mark.parametrize(
    ("line", "where", "words"),
    [
        ("a = b", "2:5", "takes only numbers"),
        ("a = 1 +", "2:5", "takes only numbers"),
        ("  a", "2:3", "write 'name = value'"),
        ("a =", "2:4", "has no value"),
        ("f((1,2),(3))", "2:3", "takes only numbers"),
        ("a = 1e999", "2:1", "too large"),
        ("f(1,2,3)", "2:1", "odd number of values"),
        ("x[d] :EXCEPT: [a = 1", "2:1", "write 'name = value'"),
        ("x[d] = TABBED ARRAY(1, 2)", "2:8", "takes only numbers"),
        ("0 <= x = 1 <= 2 FRACTION", "2:10", "takes only numbers"),
        ("0 <= x <= 2", "2:1", "write 'name = value'"),
    ],
)
def test_faults_have_a_place(tmp_path, line, where, words):
    """They give file, line and column."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(tmp_path, f"x = 1\n{line}\n")
    (fault,) = caught.value.faults
    assert str(fault.where).endswith(f"fast power.cin:{where}")
    assert words in fault.what


def test_all_faults_of_a_scenario_file_are_reported(tmp_path):
    """A user corrects it once."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(tmp_path, "a = b\nc = 1\nd\n")
    assert [fault.where.line for fault in caught.value.faults] == [1, 3]


def test_faults_of_a_change_on_the_command_line_name_the_option():
    """There is no file to name."""
    change = read_change("price  elasticity=0.8")
    assert (change.name, change.values) == ("price elasticity", (0.8,))
    with pytest.raises(ScenarioError, match=r"^--set:1:1: .*write 'name = value'"):
        read_change("0.8")


@given(st.text(max_size=40))
def test_any_text_is_a_change_or_a_fault(text):
    """No input ends in a traceback."""
    with contextlib.suppress(ScenarioError):
        change = read_change(text)
        assert bool(change.values) is (change.table is None)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_exact(values):
    """They are read to the last bit."""
    assert read_change(f"a[d] = {','.join(map(repr, values))}").values == tuple(values)


def test_save_lists_have_one_name_per_line(tmp_path):
    """Subscripts stay with their name; comments and blank lines are skipped."""
    file = tmp_path / "keep.lst"
    file.write_bytes(b'{headlines}\r\nannual revenue\r\n\r\n "odd [name]"[a, b]\r\n')
    assert read_savelist(file) == ("annual revenue", '"odd [name]"[a, b]')
    file.write_text("a\nb = 3\n")
    with pytest.raises(ScenarioError, match=r"keep\.lst:2:1: this is not a name"):
        read_savelist(file)


@pytest.mark.parametrize("read", [read_scenario, read_savelist])
def test_files_that_cannot_be_read_are_reported(tmp_path, read):
    """A missing file, a folder and binary data are one line each."""
    (tmp_path / "binary").write_bytes(b"\x00")
    for name, words in (("none", "check the path"), ("", "directory"), ("binary", "not text")):
        with pytest.raises(ScenarioError, match=words):
            read(tmp_path / name)


def test_empty_save_lists_are_reported(tmp_path):
    """An empty list is a mistake; the message names the file."""
    (tmp_path / "few.lst").write_text("{none}\n\n")
    with pytest.raises(ScenarioError, match=r"few\.lst: the list has no names; write one per line"):
        read_savelist(tmp_path / "few.lst")


def test_tables_for_other_variables_are_reported():
    """The advice depends on whether the model has lookups."""
    scenario = Scenario("", (read_change("zz((0,0),(1,1))"),))
    with pytest.raises(ScenarioError, match=r"^--set:1:1: 'zz' is not a lookup of the model; see the lookups"):
        with_tables(tiny_model("f((0,0),(1,1))"), scenario)
    with pytest.raises(ScenarioError, match="it has none"):
        with_tables(tiny_model("x = 1"), scenario)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("writing") / "s.cin"


NAMES = (
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="{}\\~|_"), min_size=1)
    .map(lambda name: " ".join(name.split()))
    .filter(bool)
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LINES = st.tuples(
    NAMES,
    st.lists(NAMES, max_size=2),
    st.one_of(
        st.lists(NUMBERS, min_size=1, max_size=3),
        st.tuples(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=3), st.none() | st.tuples(*[NUMBERS] * 4)),
    ),
    st.text(),
)


def change(name, labels, values):
    """The record of a line."""
    subscripts = tuple(map(key, labels))
    if isinstance(values, list):
        return Change(name, subscripts, tuple(values))
    points, corners = values
    return Change(name, subscripts, table=Table(points, corners and (corners[:2], corners[2:])))


def content(found):
    """Everything in a change except its place."""
    return found.name, found.subscripts, found.values, found.table and (found.table.points, found.table.limits)


@given(st.lists(LINES, max_size=4), st.text())
def test_scenario_files_round_trip(path, lines, comment):
    """Names, labels, exact numbers and tables come back; comments and notes change nothing."""
    changes = [change(*line[:3]) for line in lines]
    path.write_bytes(
        scenario_text(changes, comment=comment, notes=[line[3] for line in lines]).encode("utf-8", "replace")
    )
    assert list(map(content, read_scenario(path).changes)) == list(map(content, changes))


def test_comments_are_at_the_top_and_notes_after_changes(path):
    """Each is on one line, without braces inside."""
    text = scenario_text(
        [Change("a", values=(0.1,)), Change("odd=b", ("x", "y z"), (1.0, 2e30))],
        comment="Best\n {of} all",
        notes=["was 0.2", ""],
    )
    assert text == '{UTF-8}\n{Best of all}\na = 0.1  {was 0.2}\n"odd=b"[x,y z] = 1, 2e+30\n'
    path.write_text(text, "utf-8")
    assert read_scenario(path).comment == "Best of all"


def test_notes_need_one_text_per_change(path):
    """A shorter list would put notes at the wrong changes."""
    with pytest.raises(ValueError, match="zip"):
        scenario_text([Change("a", values=(1.0,)), Change("b", values=(1.0,))], notes=["one"])


def test_written_scenarios_run_like_their_changes(path):
    """The changes go through the file into a simulation."""
    model = tiny_model("k = 1\nf((0,0),(1,1))\ny = k + f(0.5)")
    changes = [Change("k", values=(0.1 + 0.2,)), Change("f", table=Table([(0, 1), (1, 4)]))]
    path.write_text(scenario_text(changes), "utf-8")
    assert simulate(model, scenario=path).y[0] == 0.1 + 0.2 + 2.5
