"""Data from files: where it stands in them, which files a model may read, and what is said about bad ones."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xarray as xr
from openpyxl.workbook.defined_name import DefinedName

import sdmodel as sd
from sdmodel.dataset import POINTS, SOURCES
from sdmodel.errors import ModelError, ObservationError, ScenarioError, SimulationError
from sdmodel.testing import model_text, wasm_difference
from sdmodel.vensim.edit.companions import rename_in_file
from sdmodel.vensim.edit.names import Renaming
from sdmodel.xmile import xmile_text

ROWS = [
    ["time", 0, 1, 2, 3],
    ["a", 10, 11, None, 13],
    ["b", 20, 21, 22, 23],
    ["labels", "North", "South", None, None],
]


@pytest.fixture
def folder(tmp_path):
    """A folder with the same table as text and as a workbook."""
    lines = [["" if cell is None else str(cell) for cell in row] for row in ROWS]
    (tmp_path / "t.csv").write_text("\n".join(map(",".join, lines)), "utf-8")
    (tmp_path / "t.tab").write_text("\n".join(map("\t".join, lines)), "utf-8")
    (tmp_path / "semi.txt").write_text("\n".join(map(";".join, lines)), "utf-8")
    book = openpyxl.Workbook()
    book.active.title = "Table"
    for row in ROWS:
        book.active.append(row)
    book.defined_names["times"] = DefinedName("times", attr_text="Table!$B$1:$E$1")
    book.defined_names["bs"] = DefinedName("bs", attr_text="Table!$B$3:$E$3")
    book.active.defined_names["first"] = DefinedName("first", attr_text="Table!$B$2:$C$3")
    book.save(tmp_path / "t.xlsx")
    return tmp_path


def read(folder, equations, **options):
    """The model with some equations in a folder."""
    path = folder / "m.mdl"
    path.write_text(model_text(equations, final=3), "utf-8")
    return sd.read_model(path, **options)


SETTINGS = "\n\\\\\\---/// Sketch\n///---\\\\\\\n:L\x7f<%^E!@\n"
"""What stands between the equations of a model and its settings."""


def run(folder, equations, **options):
    return sd.simulate(read(folder, equations, **options))


SOURCES_OF = ["'t.csv', ','", "'t.csv', ''", "'t.tab', ''", "'semi.txt', ';'", "'t.xlsx', 'Table'", "'t.xlsx', 'table'"]


@pytest.mark.parametrize("source", SOURCES_OF)
@pytest.mark.parametrize("kind", ["DIRECT", "XLS"])
def test_data_constants_lookups_and_labels_of_every_kind_of_file(folder, source, kind):
    """A table reads the same from text and from a workbook."""
    found = run(
        folder,
        f"""
        place: GET {kind} SUBSCRIPT({source}, 'B4', 'E4', 'at ')
        row: r1, r2
        d[place] := GET {kind} DATA({source}, '1', 'B2')
        c[row, place] = GET {kind} CONSTANTS({source}, 'B2')
        down[row, place] = GET {kind} CONSTANTS({source}, 'B2*')
        one = GET {kind} CONSTANTS({source}, 'E3')
        f[place](GET {kind} LOOKUPS({source}, '1', 'B2'))
        g[place] = f[place](1.5)
        """.replace("        ", ""),
    )
    assert found["place"].to_numpy().tolist() == ["at North", "at South"]
    assert found["d"].to_numpy().tolist() == [[10, 20], [11, 21], [12, 22], [13, 23]]
    assert found["c"].to_numpy().tolist() == [[10, 11], [20, 21]]
    assert found["down"].to_numpy().tolist() == [[10, 20], [11, 21]]
    assert found["one"] == 23
    assert found["g"].isel(time=0).to_numpy().tolist() == [11.5, 21.5]


def test_times_run_down_a_column(folder):
    (folder / "down.csv").write_text("t,x,y\n0,1,5\n2,3,7\n", "utf-8")
    found = run(folder, "p: A, B\nd[p] := GET DIRECT DATA('down.csv', ',', 'A', 'B2')")
    assert found["d"].to_numpy().tolist() == [[1, 5], [2, 6], [3, 7], [3, 7]]


def test_areas_that_a_workbook_names(folder):
    """Of the whole workbook, or of one sheet."""
    source = "'t.xlsx', 'Table'"
    found = run(
        folder,
        f"d := GET XLS DATA({source}, 'times', 'bs')\nr: A, B\nq: E, F\nc[r, q] = GET XLS CONSTANTS({source}, 'first')",
    )
    assert found["d"].to_numpy().tolist() == [20, 21, 22, 23]
    assert found["c"].to_numpy().tolist() == [[10, 11], [20, 21]]


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("", [2, 2, 3, 4, 6, 6, 6]),
        (":INTERPOLATE:", [2, 2, 3, 4, 6, 6, 6]),
        (":LOOK FORWARD:", [2, 2, 4, 4, 6, 6, 6]),
        (":HOLD BACKWARD:", [2, 2, 2, 4, 6, 6, 6]),
        (":RAW:", [np.nan, 2, np.nan, 4, 6, np.nan, np.nan]),
    ],
)
def test_keywords_say_what_stands_between_and_beyond_the_points(folder, keyword, expected):
    """Vensim's manual, "Data Equations": the nearest value beyond the ends, `:NA:` for raw data."""
    (folder / "x.dat").write_text("x\n1\t2\n3\t4\n4\t6\n", "utf-8")
    path = folder / "m.mdl"
    path.write_text(model_text(f"x {keyword}\ny = x", final=6), "utf-8")
    found = sd.simulate(sd.read_model(path, data=folder / "x.dat"))
    for name in ("x", "y"):
        np.testing.assert_array_equal(found[name].values, expected)


def test_data_is_shifted_computed_and_read_with_another_keyword(folder):
    (folder / "x.dat").write_text("x\n0\t0\n2\t4\n", "utf-8")
    found = run(
        folder,
        "x\nlater := TIME SHIFT(x, k)\nk = 1\nahead :LOOK FORWARD: := x\nboth := x + later\nyear = TIME BASE(2000, 0.5)",
        data=folder / "x.dat",
    )
    assert found["later"].to_numpy().tolist() == [2, 4, 4, 4]
    assert found["ahead"].to_numpy().tolist() == [0, 4, 4, 4]
    assert found["both"].to_numpy().tolist() == [2, 6, 8, 8]
    assert found["year"].to_numpy().tolist() == [2000, 2000.5, 2001, 2001.5]


def test_data_that_repeats_data_has_its_points(folder):
    """A keyword then holds for the points of the first one, also through ranges, and in a macro that takes data as its input."""
    (folder / "x.csv").write_text("Time,x[A],x[B]\n0,1,-1\n2,3,5\n", "utf-8")
    macro = ":MACRO: POINTS(series, other)\nPOINTS = IF THEN ELSE(raw = :NA:, -1, raw + same)\n~~|\nraw :RAW: := series\n~~|\nsame := other\n~~|\n:END OF MACRO:\n"
    equations = """p: A, B
x[p]
again[p] := x[p]
third[p] := again[p]
raw[p] :RAW: := third[p]
one :RAW: := again[B]
twice :RAW: := 2 * again[A]
next :LOOK FORWARD: := 10 * third[B]
count = GET DATA TOTAL POINTS(third[A], 0, 9)
later := TIME SHIFT(third[A], 1)
called[p] = POINTS(again[p], Time)"""
    path = folder / "m.mdl"
    path.write_text(macro + model_text(equations, final=3)[len("{UTF-8}") :], "utf-8")
    found = sd.simulate(sd.read_model(path, data=folder / "x.csv"))
    expected = {
        "raw": [[1, -1], [np.nan] * 2, [3, 5], [np.nan] * 2],
        "one": [-1, np.nan, 5, np.nan],
        "twice": [2, np.nan, 6, np.nan],
        "next": [-10, 50, 50, 50],
        "count": [2] * 4,
        "later": [2, 3, 3, 3],
        "called": [[1, -1], [-1, -1], [5, 7], [-1, -1]],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, name)


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("", [2, 2, 4, 6, 3, 3, 3]),
        (":LOOK FORWARD:", [2, 2, 6, 6, 3, 3, 3]),
        (":HOLD BACKWARD:", [2, 2, 2, 6, 3, 3, 3]),
        (":RAW:", [np.nan, 2, np.nan, 6, 3, np.nan, np.nan]),
    ],
)
def test_data_is_accumulated(folder, keyword, expected):
    """Vensim's manual, CUMULATE: the first point, the first two, and so on, without the time between; CUMULATEF: only the last sum."""
    (folder / "x.dat").write_text("x\n3\t4\n1\t2\n4\t-3\n", "utf-8")
    text = f"x\nsums {keyword} := CUMULATE(x)\nlast {keyword} := CUMULATEF(x)\nplus = 1 + sums"
    path = folder / "m.mdl"
    path.write_text(model_text(text, final=6), "utf-8")
    model = sd.read_model(path, data=folder / "x.dat")
    found = sd.simulate(model)
    np.testing.assert_array_equal(found["sums"], expected)
    np.testing.assert_array_equal(found["plus"], np.add(expected, 1))
    raw = keyword == ":RAW:"
    np.testing.assert_array_equal(found["last"], [3 if not raw or time == 4 else np.nan for time in range(7)])
    (folder / "again.mdl").write_text(sd.mdl_text(model), "utf-8")
    again = sd.read_model(folder / "again.mdl", data=folder / "x.dat")
    xr.testing.assert_equal(sd.simulate(copy.deepcopy(again)), found)
    assert wasm_difference(model, found) == 0


def test_data_that_is_missing_counts_as_a_number_where_some_is_known(folder):
    """Vensim's manual, X IF MISSING: computed when any of the data has a value; a single series stays as it is."""
    (folder / "x.csv").write_text("Time,x[A],x[B],w\n0,1,,2\n1,3,5,\n3,,7,4\n", "utf-8")
    text = """p: A, B
x[p]
w
total :RAW: := X IF MISSING(SUM(x[p!]), 0)
ratio :RAW: := X IF MISSING(x[A]/w, 10)
strict :RAW: := X IF MISSING(x[A]/w, :NA:)
alone :RAW: := X IF MISSING(2*x[A], 0)
each[p] :RAW: := X IF MISSING(x[p] + w, 100)"""
    found = run(folder, text, data=folder / "x.csv")
    none = np.nan
    np.testing.assert_array_equal(found["total"], [1, 8, none, 7])
    np.testing.assert_array_equal(found["ratio"], [0.5, 0.3, none, 2.5])
    np.testing.assert_array_equal(found["strict"], [0.5, none, none, none])
    np.testing.assert_array_equal(found["alone"], [2, 6, none, none])
    np.testing.assert_array_equal(found["each"], [[3, 102], [103, 105], [none, none], [104, 11]])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("y := X IF MISSING(x + 1, 0)", "runs only in raw data.*write y :RAW: := X IF MISSING"),
        ("y :RAW: := X IF MISSING(x + 1)", "takes an expression of data and a number"),
        ("y :RAW: := X IF MISSING(x + 1, x)", "takes an expression of data and a number"),
        ("y :RAW: := 1 + X IF MISSING(x, 0)", "X IF MISSING must be the whole right-hand side of a data equation"),
    ],
)
def test_missing_data_that_cannot_be_filled(folder, line, message):
    with pytest.raises(ModelError, match=message):
        read(folder, f"x\n{line}")


def test_data_is_accumulated_in_each_cell(folder):
    (folder / "x.csv").write_text("Time,x[A],x[B]\n0,1,-1\n2,2,5\n", "utf-8")
    found = run(folder, "p: A, B\nx[p]\nsums[p] := CUMULATE(x[p])\nlast := CUMULATEF(x[B])", data=folder / "x.csv")
    assert found["sums"].to_numpy().tolist() == [[1, -1], [2, 1.5], [3, 4], [3, 4]]
    assert found["last"].to_numpy().tolist() == [4, 4, 4, 4]


def test_a_model_without_data_is_read_but_does_not_run(folder):
    """One line per variable says what is missing and how to give it."""
    model = read(folder, "p: A, B\nx[p]\ny = SUM(x[p!])")
    with pytest.raises(
        ModelError, match=r"m.mdl:\d+:1: 'x\[A\]' is a data variable without data \(and 1 more.*--data FILE"
    ):
        sd.simulate(model)


def test_cells_without_data_are_missing_where_others_have_data(folder):
    """So are data variables that nothing reads; the run and `check` say so, and what cannot express it is refused."""
    (folder / "x.csv").write_text("Time,x[A],x[C]\n0,1,3\n", "utf-8")
    equations = "p: A, B, C\nx[p]\nspare[p]\nknown = SUM(IF THEN ELSE(x[p!] = :NA:, 0, x[p!]))\nraw[p] :RAW: := x[p]"
    model = read(folder, equations, data=folder / "x.csv")
    with pytest.warns(sd.RunWarning, match=r"'x\[B\]' is a data variable without data, and so :NA:.*\n.*'spare\[A\]'"):
        found = sd.simulate(model)
    assert found["known"].values.tolist() == [4] * 4
    np.testing.assert_array_equal(found["x"], [[1, np.nan, 3]] * 4)
    assert np.isnan(found["raw"].values[1:]).all()
    assert np.isnan(found["spare"]).all()
    findings = sd.check_model(model, only=["data", "run"])
    assert [(own.level, own.rule, own.variable) for own in findings] == [
        ("warning", "data", "x[B]"),
        ("warning", "data", "spare[A]"),
    ]
    with pytest.raises(ModelError, match=r"'x\[B\]' is a data variable without data"):
        xmile_text(model)


SWITCHED_OFF = {
    "a = (1 - off) * 2 + off * d": "off = 0",
    "a = IF THEN ELSE(off, d, 2)": "off = 2 - 2 ",
    "a = IF THEN ELSE(off = 1 :AND: Time > 1, d, 2)": "off = 0",
    "a = IF THEN ELSE(d = :NA: :OR: Time > 1, 2, d)": "",
    "pick = IF THEN ELSE(Time = :NA: :OR: r = :NA:, 0, 1)\na = 2 + pick * r\nr :RAW: := d": "",
    "a = MAX(2, off * (3 + d / 2))": "off = MIN(0, 1)",
    "S: p, q\nv[S] = 1 + off * d\nrank[S] = VECTOR RANK(v[S], 1)\na = rank[q]": "off = 0",
}


@pytest.mark.parametrize("equations", SWITCHED_OFF)
def test_data_that_constants_switch_off_may_be_missing(folder, equations):
    """As in Vensim's models with a switch between data and a model; with the switch on, the data is needed."""
    constant = SWITCHED_OFF[equations]
    with pytest.warns(sd.RunWarning, match="'d' is a data variable without data, and so :NA:"):
        found = sd.simulate(read(folder, f"d\n{equations}\n{constant}\nlevel = INTEG(a, 0)"))
    assert found["a"].values.tolist() == [2] * 4
    assert found["level"].values[-1] == 6
    for needed in (
        f"{equations}\noff = 1" if constant else "a = d",
        "a = IF THEN ELSE(Time < 2, d, 2)",
        "a = Time * d",
    ):
        with pytest.raises(ModelError, match="'d' is a data variable without data; give"):
            sd.simulate(read(folder, f"d\n{needed}"))


COMPARED = """p: A, B
d[p]
e
err[p] = IF THEN ELSE(on = 1, d[p] - level * w[p], 0)
w[p] = 1, 2
on = 1
pay = SMOOTH(SUM(err[p!]^2), 2)
total[p] = INTEG(err[p], 0)
late = DELAY FIXED(pay, 2, 0)
flag = IF THEN ELSE(pay = :NA:, 1, 0)
half[A] = e * 2
half[B] = level
own = IF THEN ELSE(d[A] = :NA:, level, d[A])
level = INTEG(2, 4)"""


def test_what_compares_a_model_with_missing_data_is_missing(folder):
    """The manual of Vensim, "Simulation Errors": it warns, and goes on. A stock stays one; what does not need the data is right."""
    model = read(folder, COMPARED)
    remark = "'d.A.' is a data variable without data .*:NA:, as are 'err' and 4 more that need it; give .*\n'e' .*, as is 'half'; give"
    with pytest.warns(sd.RunWarning, match=remark):
        found = sd.simulate(model)
    for name in ("d", "e", "err", "pay", "total", "late", "flag"):
        assert np.isnan(found[name]).all(), name
    assert found["total"].attrs["kind"] == "stock"
    np.testing.assert_array_equal(found["half"], [[np.nan, 4], [np.nan, 6], [np.nan, 8], [np.nan, 10]])
    assert found["own"].values.tolist() == found["level"].values.tolist() == [4, 6, 8, 10]
    findings = sd.check_model(model, only=["data", "run", "table-end"])
    assert [(own.level, own.rule, own.variable) for own in findings] == [
        ("warning", "data", "d[A]"),
        ("warning", "data", "e"),
    ]
    given = sd.simulate(
        model, data={"d": xr.DataArray([[6.0, 9.0]], {"time": [0]}, ("time", "p")), "e": pd.Series([3.0], [0])}
    )
    assert given["total"].values[-1].tolist() == [0, -9]


@pytest.mark.parametrize(
    "equations",
    [
        "level = INTEG(d, 0)",
        "level = INTEG(1, INITIAL(d))\nother = INTEG(level, 0)",
        "s: A, B\nlevel = INTEG(1, 0)\nshelf[s] = INTEG(d, 0)\nx = SHIFT IF TRUE(shelf[A], Time > 1, 2, 0, 9)",
    ],
)
def test_a_model_that_cannot_do_without_its_data_does_not_run(folder, equations):
    with pytest.raises(ModelError, match="'d' is a data variable without data; give"):
        sd.simulate(read(folder, f"d\n{equations}"))


def test_constants_of_a_run_do_not_switch_on_missing_data(folder):
    model = read(folder, "d\na = (1 - off) * 2 + off * d\noff = 0\nother = 1\nlevel = INTEG(a * other, 0)")
    missing = "'d' is a data variable without data; give"
    with pytest.warns(sd.RunWarning, match=":NA:"):
        assert sd.simulate(model, {"other": 2})["level"].values[-1] == 12
    for off in (1, xr.DataArray([0, 1], dims="member")):
        with pytest.raises(ModelError, match=missing):
            sd.simulate(model, {"off": off})
    with pytest.warns(sd.RunWarning, match=":NA:"):
        sd.simulate(model, {"off": xr.DataArray([0, 0], dims="member")})


def test_missing_data_is_shown_as_such_where_nothing_else_is_missing(folder):
    with pytest.warns(sd.RunWarning, match=":NA:, as is 'twice'"):
        found = sd.simulate(read(folder, "d\ntwice = 2*d\nlevel = INTEG(1, 0)"))
    assert np.isnan(found["d"]).all()
    assert np.isnan(found["twice"]).all()


def test_series_of_a_file_reach_their_cells_and_the_last_file_counts(folder):
    (folder / "one.csv").write_text("Time,x[A],x[B],unknown\n0,1,2,9\n", "utf-8")
    (folder / "two.dat").write_text("x[B]\n0\t7\n", "utf-8")
    model = read(folder, "p: A, B\nx[p]", data=[folder / "one.csv", folder / "two.dat"])
    assert sd.simulate(model)["x"].isel(time=0).to_numpy().tolist() == [1, 7]
    assert [(own.path, own.is_series) for own in model.sources] == [("one.csv", True), ("two.dat", True)]
    (folder / "other.dat").write_text("xx\n0\t7\n", "utf-8")
    with pytest.raises(ModelError, match="other.dat: no series of the file is a data variable.*did you mean 'x'"):
        read(folder, "x", data=folder / "other.dat")


def test_a_data_file_is_read_once(folder, monkeypatch):
    """Its hash is that of the bytes that its series come from."""
    opened = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or whole(path))
    (folder / "series.csv").write_text("Time,x\n0,1\n3,4\n", "utf-8")
    model = read(folder, "x ~~|\ny = x ~~|", data=[folder / "series.csv"])
    assert opened.count("series.csv") == 1
    assert model.sources[-1].sha256 == hashlib.sha256(b"Time,x\n0,1\n3,4\n").hexdigest()


def test_settings_name_data_files_and_workbooks(folder):
    (folder / "x.dat").write_text("x\n0\t5\n", "utf-8")
    text = model_text("x\nd := GET XLS DATA('?Numbers', 'Table', '1', 'B3')", final=3)
    text += SETTINGS + "13:C:\\other\\y.vdf,x.dat\n30:?numbers=t.xlsx\n"
    (folder / "m.mdl").write_text(text, "utf-8")
    found = sd.simulate(sd.read_model(folder / "m.mdl"))
    assert found["x"].to_numpy().tolist() == [5, 5, 5, 5]
    assert found["d"].to_numpy().tolist() == [20, 21, 22, 23]


def test_a_name_that_nothing_defines_is_data_where_a_file_has_it(folder):
    """Vensim's manual, "Data Equations": something that is used and not defined is exogenous. The settings may name the file."""
    (folder / "x.csv").write_text('time,Price,"cost[B]",cost[A],other\n0,1,2,3,4\n2,3,4,5,6\n', "utf-8")
    equations = "r: A, B, C\ntwo: A, B\ny = price * 10 + SUM(cost[two!])"
    found = run(folder, equations, data=folder / "x.csv")
    assert found["y"].to_numpy().tolist() == [15, 27, 39, 39]
    assert (found["price"].attrs["long_name"], found["price"].attrs["kind"]) == ("Price", "auxiliary")
    assert found["cost"].dims == ("time", "two")
    assert found.attrs[SOURCES].endswith("*x.csv")
    path = folder / "m.mdl"
    path.write_text(path.read_text("utf-8") + "13:x.csv\n", "utf-8")
    assert sd.simulate(sd.read_model(path))["y"].to_numpy().tolist() == [15, 27, 39, 39]
    with pytest.raises(ModelError, match="m.mdl:3:13: 'prise' is not defined"):
        read(folder, "y = 2 * x + prise\nx = 1", data=folder / "x.csv")
    with pytest.raises(ModelError, match="y.csv: there is no such file"):
        read(folder, "y = price", data=folder / "y.csv")
    with pytest.raises(ModelError, match="'cost' has 1 subscript but 0 here"):
        read(folder, f"{equations} + cost", data=folder / "x.csv")


def test_a_file_may_have_more_labels_than_the_model(folder):
    """A data set of all places serves a model of some; of a variable that nothing defines, too."""
    (folder / "x.csv").write_text('Time,"x[A]","x[B]","y[B]","y[A]",other[B]\n0,1,2,3,4,5\n', "utf-8")
    found = run(folder, "r: A\nx[r]\nz[r] = x[r] + y[r]", data=folder / "x.csv")
    assert found["z"][0].to_numpy().tolist() == [5]
    with pytest.raises(ModelError, match=r"x.csv: 'x\[A\]' is not a cell of 'x'; write its labels as in the model"):
        read(folder, "r: C\nx[r]\nz[r] = x[r]", data=folder / "x.csv")
    with pytest.raises(ModelError, match="'y' is not defined"):
        read(folder, "r: C\nz[r] = y[r]", data=folder / "x.csv")


def test_files_in_vensims_own_format_are_read_by_pysimlin(folder, monkeypatch):
    """Names come as Simlin writes them, a cell in a column; where a variable has no value there is none."""
    table = pd.DataFrame(
        {
            "gas_price": [1.0, np.nan, 3.0],
            "cost[north]": [2.0, 4.0, 6.0],
            "cost[south]": [5.0, 5.0, 5.0],
            "r&d/x": [1.0, 2.0, 3.0],
        },
        index=pd.Index([0.0, 1.0, 2.0], name="time"),
    )
    pytest.importorskip("simlin")
    read_copies = []
    monkeypatch.setattr("simlin.load_vdf", lambda path: read_copies.append(path.read_bytes()) or table)
    (folder / "old.vdfx").write_bytes(b"run")
    equations = 'place: North, South\nGas Price :INTERPOLATE:\n"R&D/x" :INTERPOLATE:\ncost[place] :INTERPOLATE:\ny = Gas Price + SUM(cost[place!]) + "R&D/x"'
    found = run(folder, equations, data=folder / "old.vdfx")
    assert found["y"].to_numpy().tolist() == [9, 13, 17, 17]
    assert read_copies == [b"run"]
    assert "old.vdfx" in found.attrs[SOURCES]
    text = (folder / "m.mdl").read_text("utf-8")
    for named in ("C:\\other\\y.vdf,old.vdfx", "old"):  # older versions of Vensim leave out the ending
        (folder / "m.mdl").write_text(f"{text}{SETTINGS}13:{named}\n", "utf-8")
        assert sd.simulate(sd.read_model(folder / "m.mdl"))["y"].to_numpy().tolist() == [9, 13, 17, 17]
    table.iloc[:] = np.nan
    with pytest.raises(ModelError, match="old.vdfx: the file has no series with values"):
        read(folder, equations, data=folder / "old.vdfx")


def test_a_file_in_vensims_own_format_that_pysimlin_cannot_read(folder, monkeypatch):
    """Not what it should be, or without pysimlin; each with its cure."""
    pytest.importorskip("simlin")
    for content, cause in (
        (b"\x7f\xf7\x17\x52" + bytes(200), "parsing VDF: .*"),
        (b"Time", "not a VDF file.*"),
        (b"", ".*"),
    ):
        (folder / "old.vdf").write_bytes(content)
        with pytest.raises(
            ModelError, match=rf"old.vdf: pysimlin cannot read the file \({cause}\); export it from Vensim as .dat"
        ):
            read(folder, "x", data=folder / "old.vdf")
    settings = SETTINGS + "13:old.vdf\n"
    (folder / "s.mdl").write_text(model_text("x :INTERPOLATE:\ny = x", final=3) + settings, "utf-8")
    (folder / "x.csv").write_text("Time,x\n0,7\n", "utf-8")
    assert float(sd.simulate(sd.read_model(folder / "s.mdl", data=folder / "x.csv"))["y"][0]) == 7
    with pytest.raises(ModelError, match="'x' is a data variable without data"):
        sd.simulate(sd.read_model(folder / "s.mdl"))
    with pytest.raises(ModelError, match="no.vdf: there is no such file"):
        read(folder, "x", data=folder / "no.vdf")
    monkeypatch.setitem(sys.modules, "simlin", None)
    with pytest.raises(
        ObservationError, match=r"old.vdf: reading Vensim's own format needs simlin, .* pip install .sdmodel\[vdf\]"
    ):
        sd.read_observations(folder / "old.vdf")


def test_runs_are_read_by_get_vdf(folder):
    """Vensim's manual, "GET VDF CONSTANTS": the first value before the times, the last one after them, the time without a file.

    "GET VDF DATA": time in the model is start + slope * time in the file, and both are ignored if the slope is not above 0.
    """
    (folder / "old.dat").write_text(
        "pop[North]\n1\t60\n2\t61\n3\t62\npop[South]\n1\t300\n2\t301\nMean X\n0\t5\n", "utf-8"
    )
    equations = """
        place: North, South, East
        two: North, South
        File :IS: 'old.vdf'
        first[two] = GET VDF CONSTANTS(File, 'Pop[two]', -1)
        between[two] = GET VDF CONSTANTS('old', 'pop[two]', 2.5)
        last = GET VDF CONSTANTS(File, 'pop[South]', 9)
        mean = GET VDF CONSTANTS(File, 'mean x', 0)
        without[two] = GET VDF CONSTANTS('', 'pop[two]', 1.5)
        shifted[two] := GET VDF DATA(File, 'pop[two]', -1, 2)
        same := GET VDF DATA('old.dat', 'pop[North]', 7, 0)
        bend[two](GET VDF LOOKUPS(File, 'pop[two]', 0, 1))
        bent[two] = bend[two](1.5)
    """
    with pytest.warns(sd.RunWarning, match="old.vdf is not there; old.dat is read instead"):
        found = run(folder, equations)
    constants = {"first": [60, 300], "between": [61, 301], "last": 301, "mean": 5, "without": [1.5, 1.5]}
    assert {name: found[name].to_numpy().tolist() for name in constants} == constants
    assert found["shifted"].to_numpy().tolist() == [[60, 300], [60, 300], [60.5, 300.5], [61, 301]]
    assert found["same"].to_numpy().tolist() == [60, 60, 61, 62]
    assert found["bent"][0].to_numpy().tolist() == [60.5, 300.5]
    assert [(own.path, own.instead_of) for own in read(folder, equations).sources] == [("old.dat", "old.vdf")]
    with pytest.warns(sd.RunWarning, match=r"'d\[East\]' is a data variable without data"):
        run(folder, "place: North, South, East\nd[place] := GET VDF DATA('old.dat', 'pop[place]', 0, 1)")


@pytest.mark.parametrize(
    ("equation", "what"),
    [
        ("x = GET VDF CONSTANTS('old', 'pip[a]', 0)", "'old': the file has no 'pip[a]'; did you mean 'pop'?"),
        ("x[r] = GET VDF CONSTANTS('old', 'pop[r]', 0)", "'old': the file has no 'pop[b]'; add it, or correct"),
        ("x[r] = GET VDF CONSTANTS('old', 'pop[a]', 0)", "'pop[a]' has 1 cell, and the variable needs 2"),
        ("x[r](GET VDF LOOKUPS('old', 'pop[r]', 0, 1))", "'old': the file has no 'pop[b]'"),
        ("x = GET VDF CONSTANTS('none', 'pop', 0)", "'none': there is no such file"),
        ("x = GET VDF CONSTANTS('../old', 'pop', 0)", "the file is outside of the model's folder"),
        ("x = GET VDF CONSTANTS('odd.dat', 'pop', 0)", "'odd.dat': there is no name above this time and value"),
        ("x := GET VDF DATA('old', 'pop[a]', 0)", "write GET VDF DATA('file', 'variable', start, slope)"),
        ("x := GET VDF DATA('old', 'pop[a]', 0, y)", "texts in single quotes or string variables, and numbers"),
        ("x = GET VDF CONSTANTS('old', 'pop[a]', '0')", "write GET VDF CONSTANTS('file', 'variable', time)"),
        ("x = 1 + GET VDF CONSTANTS('old', 'pop[a]', 0)", "GET VDF CONSTANTS must be the whole right-hand side"),
    ],
)
def test_what_get_vdf_cannot_read_has_a_cure(folder, equation, what):
    (folder / "old.dat").write_text("pop[a]\n1\t60\n", "utf-8")
    (folder / "odd.dat").write_text("1\t60\n", "utf-8")
    with pytest.raises(ModelError) as caught:
        read(folder, f"r: a, b\ny = 2\n{equation}")
    assert what in str(caught.value)


def test_only_files_of_the_models_folder_are_read_unless_allowed(tmp_path, folder):
    """Not by a path with dots, not by an absolute one, not through a link."""
    inner = folder / "inner"
    inner.mkdir()
    for name in ("../t.csv", str(folder / "t.csv"), "link.csv"):
        if name == "link.csv":
            (inner / name).symlink_to(folder / "t.csv")
        equations = f"c = GET DIRECT CONSTANTS('{name}', ',', 'B2')"
        with pytest.raises(ModelError, match="outside of the model's folder.*--allow-files FOLDER"):
            read(inner, equations)
        assert sd.simulate(read(inner, equations, allow_files=[folder]))["c"] == 10


def book_with(folder, value):
    book = openpyxl.Workbook()
    book.active.append([0, 1])
    book.active.append([5, value])
    book.save(folder / "b.xlsx")


DATA = "d := GET XLS DATA('b.xlsx', 'Sheet', '1', 'A2')"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            dt.date(2020, 1, 2),
            "'b.xlsx', sheet 'Sheet', cell B2 is a date or time .2020-01-02.*, not a number; write a number",
        ),
        (True, "cell B2 is TRUE, not a number; write 1 or 0"),
        ("=A2*2", "cell B2 has a formula without a stored value; save the workbook in a spreadsheet program"),
    ],
)
def test_bad_cells_are_one_line_with_file_sheet_and_cell(folder, value, message):
    book_with(folder, value)
    with pytest.raises(ModelError, match=message) as caught:
        read(folder, DATA)
    assert str(caught.value).count("\n") == 0


ODD_ROWS = ["time,0,1,2,,3", "a,10,n/a,12,,13", "time,0,1,2,end,3", "b,20,21,22,23,24"]


@pytest.mark.parametrize("down", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_points_without_a_time_or_with_a_text_are_left_out(tmp_path, ending, down):
    """As in Vensim, a series of GET XLS goes on after a gap in its times, and one of GET DIRECT ends there, which the run reports.

    So it does for the first text among the values.
    """
    rows = [line.split(",") for line in ODD_ROWS]
    width = max(map(len, rows))
    rows = [row + [""] * (width - len(row)) for row in rows]
    rows = [list(column) for column in zip(*rows, strict=True)] if down else rows
    (tmp_path / "o.csv").write_text("\n".join(map(",".join, rows)), "utf-8")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([float(cell) if cell.isdigit() else cell or None for cell in row])
    book.save(tmp_path / "o.xlsx")
    tab = "," if ending == "csv" else "Sheet"
    (times, a), (others, b) = (("A", "B2"), ("C", "D2")) if down else (("1", "B2"), ("3", "B4"))
    for way, last, text in (
        ("XLS", 1, "has the text 'n/a', left out"),
        ("DIRECT", 0, "is not a time and ends the series"),
    ):
        model = read(
            tmp_path,
            f"b := GET {way} DATA('o.{ending}', '{tab}', '{others}', '{b}')\n"
            f"a := GET {way} DATA('o.{ending}', '{tab}', '{times}', '{a}')\n"
            f"t = GET {way} LOOKUPS('o.{ending}', '{tab}', '{times}', '{a}')\ny = t(Time)",
        )
        with pytest.warns(
            sd.RunWarning, match=rf"o\.{ending}: .*{text}, as in Vensim|o\.{ending}: .*{text} as in Vensim"
        ):
            found = sd.simulate(model)
        assert found["a"].values.tolist() == found["y"].values.tolist() == [10, 11, 12, 12 + last]
        assert found["b"].values.tolist() == [20, 21, 22, 22 + 2 * last]


def test_an_empty_cell_among_constants_is_zero_with_a_remark(folder):
    """A text there stays an error, as in Vensim; so does an array without any number."""
    model = read(folder, "d: x, y, z\nc[d] = GET XLS CONSTANTS('t.xlsx', 'Table', 'C2')\ne = SUM(c[d!])")
    with pytest.warns(
        sd.RunWarning, match="t.xlsx: sheet 'Table', cell D2 is empty and read as 0, as in Vensim; write"
    ):
        assert sd.simulate(model)["e"].values[0] == 24


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("c = GET XLS CONSTANTS('tt.xlsx', 'Table', 'B2')", "'tt.xlsx': there is no such file; did you mean 't.xlsx'?"),
        (
            "c = GET XLS CONSTANTS('t.xlsx', 'Tabel', 'B2')",
            "'t.xlsx': there is no sheet 'Tabel'; did you mean 'Table'?",
        ),
        ("c = GET XLS CONSTANTS('t.xlsx', 'Table', 'D2')", "sheet 'Table', cell D2 is empty; write a number there"),
        ("c = GET XLS CONSTANTS('t.xlsx', 'Table', 'nowhere')", "'nowhere' is neither a cell nor an area"),
        ("c = GET DIRECT CONSTANTS('t.csv', ',', 'A2')", "'t.csv': cell A2 has the text 'a', not a number"),
        (
            "c = GET XLS CONSTANTS('t.xlsx', 'Table', 'first')",
            "the area 'first' has 2 rows and 2 columns, and the variable needs 1 and 1",
        ),
        (
            "d := GET XLS DATA('t.xlsx', 'Table', 'times', 'first')",
            "the area 'first' does not fit the 4 values of 'times'",
        ),
        ("d := GET XLS DATA('t.xlsx', 'Table', '9', 'B2')", "cell B2: no number stands there or after it with a time"),
        ("d := GET XLS DATA('?tag', 'Table', '1', 'B2')", "'.tag': the model's settings do not say which file this is"),
        ("d := GET XLS DATA('broken.xlsx', 'Table', '1', 'B2')", "'broken.xlsx': the workbook cannot be read"),
        ("p: GET XLS SUBSCRIPT('t.xlsx', 'Table', 'B9', 'E9', '')", "cell B9: no label stands there"),
        ("c = GET ODBC CONSTANTS('a', 'b')", "GET ODBC CONSTANTS is not supported"),
        ("x = GET DATA MEAN(Time, 0, 1)", "GET DATA MEAN reads a data variable"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_a_cure(folder, equation, message):
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ModelError) as caught:
        read(folder, equation)
    assert message.replace(".tag", "?tag") in str(caught.value)
    assert len(caught.value.faults) == 1


def test_workbooks_larger_than_memory_are_refused(folder, monkeypatch):
    from sdmodel.vensim.external import tables

    monkeypatch.setattr(tables, "_MOST_BYTES", 100)
    book_with(folder, 3)
    with pytest.raises(ModelError, match="unpacks to .* GiB"):
        read(folder, DATA)


def test_case_in_names_of_files_does_not_matter(folder):
    """Models come from systems that do not tell it apart."""
    assert run(folder, "c = GET DIRECT CONSTANTS('T.CSV', ',', 'B2')")["c"] == 10


def test_a_path_on_another_computer_means_the_file_of_that_name_here(folder, tmp_path_factory):
    """Beside the model or in an allowed folder; so does the file that a tag stands for, whose own name may be a path too."""
    scenarios = tmp_path_factory.mktemp("scenarios")
    (scenarios / "s.csv").write_text("a,7\n", "utf-8")
    settings = "30:?times=D:\\x\\t.csv\n30:?../s.csv=Z:\\y\\none.csv\n"
    equations = r"""c = GET DIRECT CONSTANTS('C:\Users\me\t.csv', ',', 'B2')
t = GET DIRECT CONSTANTS('?times', ',', 'C2')
u = GET DIRECT CONSTANTS('?t.csv', ',', 'B3')
s = GET DIRECT CONSTANTS('/home/me/s.csv', ',', 'B1')"""
    path = folder / "m.mdl"
    path.write_text(model_text(equations) + settings, "utf-8")
    model = sd.read_model(path, allow_files=[scenarios])
    with pytest.warns(sd.RunWarning, match="/t.csv is not there; t.csv is read instead"):
        found = sd.simulate(model)
    assert [float(found[name]) for name in "ctus"] == [10, 11, 20, 7]
    (folder / "link.csv").symlink_to(scenarios / "s.csv")
    path.write_text(model_text("c = GET DIRECT CONSTANTS('C:/link.csv', ',', 'B1')"), "utf-8")
    with pytest.raises(ModelError, match="outside of the model's folder"):
        sd.read_model(path)


def test_a_path_on_another_computer_means_the_file_here_that_ends_most_like_it(folder):
    """A folder within that of the model counts; a path that starts with a slash is one of another computer too."""
    (folder / "in" / "deep").mkdir(parents=True)
    for place, value in (("", 1), ("in", 2), ("in/deep", 3)):
        (folder / place / "p.csv").write_text(f"a,{value}\n", "utf-8")
    names = {"/in/p.csv": 2, "C:\\me\\in\\deep\\p.csv": 3, "/deep/p.csv": 1, "/in/../in/p.csv": 2}
    equations = "\n".join(f"c{place} = GET DIRECT CONSTANTS('{name}', ',', 'B1')" for place, name in enumerate(names))
    path = folder / "m.mdl"
    path.write_text(model_text(equations), "utf-8")
    with pytest.warns(sd.RunWarning, match="/in/p.csv is not there; in/p.csv is read instead"):
        found = sd.simulate(sd.read_model(path))
    assert [float(found[f"c{place}"]) for place in range(len(names))] == [*names.values()]


def test_a_tag_may_be_the_path_of_its_file(folder):
    inner = folder / "models"
    inner.mkdir()
    path = inner / "m.mdl"
    text = model_text("c = GET DIRECT CONSTANTS('?../t.csv', ',', 'B2')")
    path.write_text(text + "30:?../t.csv=Z:\\y\\none.csv\n", "utf-8")
    with pytest.warns(sd.RunWarning, match="Z:/y/none.csv is not there; ../t.csv is read instead"):
        assert sd.simulate(sd.read_model(path, allow_files=[folder]))["c"] == 10
    with pytest.raises(ModelError, match="outside of the model's folder.*--allow-files FOLDER"):
        sd.read_model(path)


def test_a_workbook_in_the_newer_format_stands_for_the_older_one(folder):
    """The run says what it reads instead, and its record names the file that was read."""
    (folder / "sub").mkdir()
    (folder / "t.xlsx").rename(folder / "sub/t.xlsx")
    (folder / "t.csv").rename(folder / "t.csvx")
    with pytest.warns(sd.RunWarning, match="sub/T.xls is not there; sub/t.xlsx is read instead"):
        found = run(folder, "c = GET XLS CONSTANTS('sub/T.xls', 'Table', 'B2')")
    assert found["c"] == 10
    assert found.attrs[SOURCES].endswith(" sub/t.xlsx")
    with pytest.raises(ModelError, match="'t.csv': there is no such file"):
        read(folder, "c = GET XLS CONSTANTS('t.csv', ',', 'B2')")


def test_string_variables_name_files_sheets_and_cells(folder):
    """Also those that are defined after their use; a name that is not a string variable is refused."""
    found = run(
        folder, "c = GET XLS CONSTANTS(file, sheet, cell)\nfile :IS: 't.xlsx'\nsheet :IS: 'Table'\ncell :IS: 'C3'"
    )
    assert found["c"] == 21
    with pytest.raises(ModelError, match="m.mdl:3:5: the arguments are texts in single quotes or string variables"):
        read(folder, "c = GET XLS CONSTANTS(file, 'Table', 'B2')\nfile = 3")


def test_excepted_cells_take_no_place_of_others(folder):
    found = run(folder, "p: K, L, M\nc[p] :EXCEPT: [L] = GET DIRECT CONSTANTS('t.csv', ',', 'B3')\nc[L] = 0")
    assert found["c"].to_numpy().tolist() == [20, 0, 22]


def test_runs_record_what_they_read(folder):
    """The path relative to the model, and the hash of the file."""
    found = run(folder, "c = GET DIRECT CONSTANTS('t.csv', ',', 'B2')")
    digest = hashlib.sha256((folder / "t.csv").read_bytes()).hexdigest()
    assert found.attrs[SOURCES] == f"{digest}  t.csv"


class TestTimeCoursesFromPython:
    """`simulate(..., data=...)` and `with_data`."""

    MODEL = "p: A, B\nx[p]\nz\ny[p] = x[p] + z"

    def test_labelled_arrays_and_series(self, folder):
        model = read(folder, self.MODEL)
        x = xr.DataArray([[1.0, 3.0], [10.0, np.nan]], {"p": ["B", "A"], "time": [0, 2]})
        found = sd.simulate(model, data={"x": x, "z": pd.Series([0.0, 100.0], index=[1, 2])})
        assert found["y"].sel(p="B").to_numpy().tolist() == [1, 2, 103, 103]
        assert found["y"].sel(p="A").to_numpy().tolist() == [10, 10, 110, 110]

    def test_a_data_frame_has_a_column_per_cell(self, folder):
        frame = pd.DataFrame({"x[A]": [1.0], "x[B]": [2.0], "z": [3.0]}, index=[0])
        model = sd.with_data(read(folder, self.MODEL), frame)
        assert sd.simulate(model)["y"].isel(time=0).to_numpy().tolist() == [4, 5]
        assert (
            sd.simulate(model).attrs[POINTS]
            == '[["x", ["a"], [[0.0, 1.0]]], ["x", ["b"], [[0.0, 2.0]]], ["z", [], [[0.0, 3.0]]]]'
        )

    @pytest.mark.parametrize(
        ("name", "course", "message"),
        [
            ("zz", pd.Series([1.0]), "'zz' is not a data variable of the model; did you mean 'z'?"),
            ("y", pd.Series([1.0]), "'y' is not a data variable"),
            ("z", 3.0, "'z' is given float; give an xarray.DataArray"),
            ("z", xr.DataArray([1.0], dims="member"), "'z' is given no times"),
            ("z", pd.Series(["a"]), "not numbers over numbers of time"),
            ("z", pd.Series([np.nan]), "only missing values"),
            ("x[C]", pd.Series([1.0]), "'x' has no cell [c]"),
            ("z", xr.DataArray([[1.0]], {"time": [0], "q": [1]}), "'z' is given the dimensions time, q"),
        ],
    )
    def test_anything_else_is_refused(self, folder, name, course, message):
        with pytest.raises(ScenarioError) as caught:
            sd.simulate(read(folder, self.MODEL), data={name: course})
        assert message in str(caught.value)

    def test_a_path_is_no_data(self, folder):
        for give in (sd.with_data, lambda model, data: sd.simulate(model, data=data)):
            with pytest.raises(
                ScenarioError, match=r"str cannot hold time courses; .* a file to read_model\(path, data=FILE"
            ):
                give(read(folder, self.MODEL), "x.csv")

    def test_ensembles_take_a_model_with_data(self, folder):
        model = sd.with_data(read(folder, "z\ny = k*z\nk = 1"), {"z": pd.Series([1.0, 3.0], index=[0, 2])})
        found = sd.simulate(model, {"k": [1.0, 2.0]})
        assert found["y"].to_numpy().tolist() == [[1, 2], [2, 4], [3, 6], [3, 6]]


def test_simulation_error_is_not_a_missing_file(folder):
    """A model whose times are wrong says so, with or without data."""
    with pytest.raises(SimulationError, match="FINAL TIME is -1"):
        sd.simulate(read(folder, "z"), {"final time": -1}, data={"z": pd.Series([1.0])})


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.dat", "demand\n0\t1\n3\t7\ndemand share\n0\t5\n", "total demand\n0\t1\n3\t7\ndemand share\n0\t5\n"),
        ("x.tab", "Time\tdemand\tprice\n0\t1\t3\n", "Time\ttotal demand\tprice\n0\t1\t3\n"),
        ("x.csv", "Time,price,Demand\n0,1,3\n", "Time,price,total demand\n0,1,3\n"),
        ("x.csv", 'Time,"demand[A,B]"\n0,1\n', 'Time,"demand[A,B]"\n0,1\n'),
        ("x.csv", "name,demand\nprice,3\n", "name,demand\nprice,3\n"),
    ],
)
def test_a_renamed_variable_keeps_its_series(tmp_path, name, text, expected):
    """In the files of time series beside the model; other tables are left alone."""
    (tmp_path / name).write_text(text, "utf-8")
    _, after = rename_in_file(tmp_path / name, [Renaming("demand", "total demand", is_label=False)])
    assert after.decode() == expected


def test_a_written_model_reads_its_data_from_the_same_files(folder):
    """Data variables are written with their keywords, without their points."""
    (folder / "x.dat").write_text("x\n0\t5\n3\t8\n", "utf-8")
    equations = """x :LOOK FORWARD:
d :RAW: := GET XLS DATA('t.xlsx', 'Table', '1', 'B2')
later :HOLD BACKWARD: := TIME SHIFT(x, 1)
one = GET DATA AT TIME(x, 3)
mean = 2 * GET DATA MEAN(d, 0, 3)
c = GET XLS CONSTANTS('t.xlsx', 'Table', 'B3')"""
    model = read(folder, equations, data=folder / "x.dat")
    (folder / "again.mdl").write_text(sd.mdl_text(model), "utf-8")
    again = sd.read_model(folder / "again.mdl", data=folder / "x.dat")
    xr.testing.assert_equal(sd.simulate(again), sd.simulate(model))
