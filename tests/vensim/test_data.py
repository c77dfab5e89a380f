"""Time series files: every layout gives the same numbers."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import ObservationError
from sdmodel.vensim import read_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def read(folder, text, name="d.dat"):
    path = folder / name
    path.write_text(text, "utf-8")
    return read_data(path)


def plain(found):
    """Name to (time, value) pairs."""
    return {
        name: list(zip(points.times.tolist(), points.values.tolist(), strict=True)) for name, points in found.items()
    }


def dat(series):
    return "".join(f"{name}\n" + "".join(f"{t!r}\t{v!r}\n" for t, v in pairs) for name, pairs in series.items())


def listed(series, mark="\t"):
    """The list layout: name, labels, time and value on every line."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=mark)
    writer.writerow(["variable", "subscript", "time", "value"])
    for name, pairs in series.items():
        head, _, labels = name.rstrip("]").partition("[")
        for time, value in pairs:
            writer.writerow([head, *(labels.split(",") if labels else []), repr(time), repr(value)])
    return stream.getvalue()


def table(series, mark="\t", *, across):
    """A table with an empty cell for each missing value."""
    times = sorted({time for pairs in series.values() for time, _ in pairs})
    known = {name: dict(pairs) for name, pairs in series.items()}
    rows = [["Time (Year)", *map(repr, times)]]
    rows += [[name, *(repr(values[t]) if t in values else "" for t in times)] for name, values in known.items()]
    stream = io.StringIO()
    csv.writer(stream, delimiter=mark).writerows(rows if across else zip(*rows, strict=True))
    return stream.getvalue()


LAYOUTS = {
    "d.dat": dat,
    "list.dat": listed,
    "list.tab": listed,
    "list.csv": lambda series: listed(series, ","),
    "across.tab": lambda series: table(series, across=True),
    "across.csv": lambda series: table(series, ",", across=True),
    "down.tab": lambda series: table(series, across=False),
    "down.csv": lambda series: table(series, ",", across=False),
}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SERIES = st.dictionaries(
    st.from_regex(r"[a-z]([a-z ]*[a-z])?(\[[A-Z]+(,[A-Z]+)?\])?", fullmatch=True).filter(
        lambda name: not name.startswith("time")
    ),
    st.dictionaries(NUMBERS, NUMBERS, min_size=1, max_size=4).map(lambda values: sorted(values.items())),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("name", LAYOUTS)
@given(series=SERIES)
def test_every_layout_gives_the_same_series(folder, name, series):
    """Times are in order, values exact, subscripts part of the name."""
    known = {" ".join(title.split()): pairs for title, pairs in series.items()}
    assert plain(read(folder, LAYOUTS[name](known), name)) == known


def test_dat_files_may_have_comments_time_bases_and_parts(folder):
    """A slash starts a comment after a name, anything may follow a number; parts of a series are joined, later values win."""
    found = read(
        folder,
        '\ufeffPrice[North, a 1] <Year> / dollars\n2001  2.5e0 a guess\n\n  2000\t1 \n"odd / name"\n1, 2\nPRICE[north, a 1]\n2001 3\n'
        "Price [x]\n5 6\n",
    )
    assert plain(found) == {"Price[North, a 1]": [(2000, 1), (2001, 3)], "odd / name": [(1, 2)], "Price [x]": [(5, 6)]}
    assert [(points.place.line, points.place.column) for points in found.values()] == [(1, 1), (5, 1), (9, 1)]


def test_results_of_a_published_run_are_read(shared):
    """The table has time down, as other tools write it too: every variable at every time."""
    path = shared / "test-models" / "samples" / "SIR" / "output.csv"
    found = read_data(path)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(found) == len(rows[0]) - 1
    np.testing.assert_array_equal(
        found["Infectious"].values, [float(row[rows[0].index("Infectious")]) for row in rows[1:]]
    )


def test_a_table_may_have_titles_above(folder):
    """Which may hold numbers, but no series; in a list, a name may begin with Time."""
    assert plain(read(folder, "Prices\nSource: x, 2020\nTime (Year),A,B\n1,2,3\n", "t.csv")) == {
        "A": [(1, 2)],
        "B": [(1, 3)],
    }
    listed = read(folder, "variable,time,value\ntime to adjust,1,2\nb,1,3\n", "list.csv")
    assert plain(listed) == {"time to adjust": [(1, 2)], "b": [(1, 3)]}


FAULTS = {
    ("d.dat", ""): ("", "the file has no series"),
    ("d.dat", "1 2\nname\n"): (":1:1", "there is no name above this time and value"),
    ("d.dat", "name\n1 2\n3\n"): (":3:1", "neither a name nor a time and a value"),
    ("t.csv", "Time,a\n1,2\n2,x\n"): (":3:1", "'x' is not a number; write numbers"),
    ("t.csv", "Time,a\nx,2\n"): (":2:1", "'x' is not a number"),
    ("t.csv", "Time,a\n1,2,3\n"): (":2:1", "the value '3' has no name above it"),
    ("t.csv", "a,1,2\nTime,b\n1,2\n"): (":2:1", "here begins a table with times; delete the lines above it"),
    ("t.csv", "a,1,2,3\n"): (":1:1", "'a' has a time and several values; write Time"),
    ("t.tab", "Time\t1\na\t2\t3\n"): (":2:1", "'' is not a number"),
}


@pytest.mark.parametrize("case", FAULTS, ids=str)
def test_faults_have_a_place(folder, case):
    """They give line and column, and what to do."""
    name, text = case
    place, message = FAULTS[case]
    with pytest.raises(ObservationError, match="; ") as caught:
        read(folder, text, name)
    assert str(caught.value).startswith(f"{folder / name}{place}: ")
    assert message in str(caught.value)


def test_missing_files_are_reported(folder):
    """The error is one of observations."""
    with pytest.raises(ObservationError, match="there is no such file; check the path"):
        read_data(folder / "none.dat")


@pytest.mark.parametrize(("name", "start"), [("d.dat", ""), ("d.csv", 'Time,A\n1,"')])
def test_cells_that_are_too_long_are_reported(folder, name, start):
    """A quote that is never closed includes the rest of the file."""
    with pytest.raises(ObservationError, match=r"is not a table or a list of values .*; close its quotes"):
        read(folder, start + "a " * 100_000 + "<", name)
