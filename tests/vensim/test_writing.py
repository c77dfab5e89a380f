"""Change files as they are written: the same changes come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel import simulate
from sdmodel.model import Table, key
from sdmodel.scenario import Change
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_scenario, scenario_text


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("writing") / "s.cin"


NAMES = (
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="{}\\~|_"), min_size=1)
    .map(lambda each: " ".join(each.split()))
    .filter(bool)
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LINES = st.tuples(
    NAMES,
    st.lists(NAMES.filter(lambda each: "," not in each), max_size=2),
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


def parts(each):
    """What a change says, apart from where it stands."""
    return each.name, each.subscripts, each.values, each.table and (each.table.points, each.table.limits)


@given(st.lists(LINES, max_size=4), st.text())
def test_what_is_written_is_read_back_the_same(path, lines, comment):
    """Names, labels, numbers to the last digit and tables; what is said beside them disturbs nothing."""
    changes = [change(*line[:3]) for line in lines]
    path.write_bytes(
        scenario_text(changes, comment=comment, notes=[line[3] for line in lines]).encode("utf-8", "replace")
    )
    assert list(map(parts, read_scenario(path).changes)) == list(map(parts, changes))


def test_the_comment_stands_at_the_head_and_the_notes_behind(path):
    """On one line each, and without the braces that they cannot hold."""
    text = scenario_text(
        [Change("a", values=(0.1,)), Change("odd=b", ("x", "y z"), (1.0, 2e30))],
        comment="Best\n {of} all",
        notes=["was 0.2", ""],
    )
    assert text == '{UTF-8}\n{Best of all}\na = 0.1  {was 0.2}\n"odd=b"[x,y z] = 1, 2e+30\n'
    path.write_text(text, "utf-8")
    assert read_scenario(path).comment == "Best of all"


def test_every_change_has_its_note_or_none_has(path):
    """A list that is too short would shift what is said."""
    with pytest.raises(ValueError, match="zip"):
        scenario_text([Change("a", values=(1.0,)), Change("b", values=(1.0,))], notes=["one"])


def test_a_scenario_that_is_written_runs_as_its_changes_do(path):
    """Through the file and back into a simulation."""
    model = tiny_model("k = 1\nf((0,0),(1,1))\ny = k + f(0.5)")
    changes = [Change("k", values=(0.1 + 0.2,)), Change("f", table=Table([(0, 1), (1, 4)]))]
    path.write_text(scenario_text(changes), "utf-8")
    assert simulate(model, scenario=path).y[0] == 0.1 + 0.2 + 2.5
