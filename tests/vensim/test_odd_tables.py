"""Workbooks and tables as people keep them: signs in numbers, other separators, other formats; each one line with place and cure."""

from __future__ import annotations

import warnings
import zipfile

import openpyxl
import pytest
from openpyxl.workbook.defined_name import DefinedName

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.numerals import number_cure
from sdmodel.testing import model_text
from sdmodel.vensim import read_data

CURES = {
    "12%": "write 0.12",
    "-2,5 %": "write -0.025",
    "12,5": "write 12.5, with a point",
    "1,234": "write 1234 or 1.234",
    "1,234.5": "write it without separators of thousands",
    "1 234": "write it without separators of thousands",
    "1\u00a0234\u00a0567,8": "write it without separators of thousands",
    "1.234.567": "write it without separators of thousands",
    "#N/A": "that is an error value; correct its formula, or leave it empty",
    "#DIV/0!": "that is an error value; correct its formula, or leave it empty",
    "n/a": "do something",
    "#1": "do something",
    "#US": "do something",
    "1.2.3": "do something",
}


@pytest.mark.parametrize("text", CURES)
def test_a_text_that_people_read_as_a_number_has_a_cure(text):
    """Others have the one that is given."""
    assert number_cure(text, "do something") == CURES[text]


def read(folder, equation, *, final=3):
    """The model with an equation in a folder."""
    return sd.model_from_text(model_text(equation, final=final), str(folder / "m.mdl"))


def refusal(folder, equation):
    """What a model with an equation is refused with."""
    with pytest.raises(ModelError) as caught:
        read(folder, equation)
    assert len(caught.value.faults) == 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


TABLES = {
    "Year;x\n2000;1,5\n2001;2,5\n": ("'t.csv': the file has semicolons between its cells; write ';' as the tab",) * 2,
    "Year\tx\n2000\t1\n": (r"'t.csv': the file has tabs between its cells; write '\t' as the tab",) * 2,
    "": ("'t.csv': the file is empty; export it again",) * 2,
    "\n \n": ("'t.csv': the file is empty; export it again",) * 2,
    "<html><table><tr><td>1</td></tr></table></html>": (
        "'t.csv': the file is a web page, which is not read; save it as .xlsx",
    )
    * 2,
    "Year,x\n2000,12%\n2001,13%\n": ("'t.csv': cell B2 has the text '12%', not a number; write 0.12",) * 2,
    'Year,x\n2000,"1,234"\n': ("'t.csv': cell B2 has the text '1,234', not a number; write 1234 or 1.234",) * 2,
    "Year,x\n2000-01-01,1\n": ("", "'t.csv': cell A2 has the text '2000-01-01', not a time; write a number"),
}


@pytest.mark.parametrize("text", TABLES, ids=range(len(TABLES)))
def test_a_table_with_other_separators_or_signs_has_a_cure(tmp_path, text):
    """As a constant and as a series; what is written as a number in one column may be read although another one is odd."""
    (tmp_path / "t.csv").write_text(text, "utf-8")
    constant, series = TABLES[text]
    if constant:
        assert constant in refusal(tmp_path, "x = GET DIRECT CONSTANTS('t.csv', ',', 'B2')")
    assert series in refusal(tmp_path, "x := GET DIRECT DATA('t.csv', ',', 'A', 'B2')")


def test_texts_with_other_signs_in_some_lines_are_read_as_they_are(tmp_path):
    """Not every line has as many semicolons, or the first has the delimiter."""
    for text in ("a;b,x\nc;d,1\n", "note; of the author\nx,1\n"):
        (tmp_path / "t.csv").write_text(text, "utf-8")
        assert sd.simulate(read(tmp_path, "x = GET DIRECT CONSTANTS('t.csv', ',', 'B2')"))["x"].values.ravel()[0] == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_marks_at_the_start_of_a_text_are_no_cells(tmp_path, encoding):
    """As spreadsheet programs save it."""
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "t.csv").write_bytes(f"{mark}0,1\n1,2\n".encode(encoding))
    assert sd.simulate(read(tmp_path, "x := GET DIRECT DATA('t.csv', ',', 'A', 'B1')"))["x"].values.tolist() == [
        1,
        2,
        2,
        2,
    ]


FORMATS = {
    "content.xml": "is an OpenDocument file (.ods), which is not read; save it as .xlsx in a spreadsheet program",
    "xl/workbook.bin": "is a binary workbook (.xlsb), which is not read",
    "word/document.xml": "is a document of Word, which is not read",
}


@pytest.mark.parametrize("part", FORMATS)
def test_other_packages_are_named(tmp_path, part):
    """Whatever the name of the file says."""
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as packed:
        packed.writestr(part, "<a/>")
    assert FORMATS[part] in refusal(tmp_path, "x = GET XLS CONSTANTS('t.xlsx', 'Data', 'B2')")


def test_a_workbook_with_a_password_is_named(tmp_path):
    """It is a package in the older format, with a stream of that name."""
    stream = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(2000)
    (tmp_path / "t.xlsx").write_bytes(stream)
    expected = "'t.xlsx': the workbook is protected by a password; save it without"
    assert expected in refusal(tmp_path, "x = GET XLS CONSTANTS('t.xlsx', 'Data', 'B2')")


@pytest.fixture
def workbook(tmp_path):
    """A folder with a workbook with odd names, cells and times."""
    book = openpyxl.Workbook()
    book.active.title = "Data"
    for row in (["t", "v"], [0, 1], [1, "#N/A"], [1, 3], ["Q3", 4]):
        book.active.append(row)
    names = {
        "gone": "#REF!$A$1",
        "computed": "OFFSET(Data!$A$1,0,0,2,2)",
        "two": "Data!$A$1:$A$2,Data!$C$1:$C$2",
        "whole": "Data!$B:$B",
    }
    for name, meaning in names.items():
        book.defined_names[name] = DefinedName(name, attr_text=meaning)
    book.save(tmp_path / "t.xlsx")
    (tmp_path / "folder.xlsx").mkdir()
    return tmp_path


PLACES = {
    ("t.xlsx", "gone"): "'gone' names cells that were deleted (#REF!$A$1); correct it in the workbook",
    ("t.xlsx", "computed"): "'computed' names OFFSET(Data!$A$1,0,0,2,2), not one rectangle of cells; define it as one",
    ("t.xlsx", "two"): "'two' names Data!$A$1:$A$2,Data!$C$1:$C$2, not one rectangle of cells",
    ("t.xlsx", "whole"): "'whole' names Data!$B:$B, not one rectangle of cells",
    ("t.xlsx", "B2:B3"): "'B2:B3' is neither a cell nor an area that the workbook names; write its first cell, B2",
    ("t.xlsx", "B3"): "cell B3 has the text '#N/A', not a number; that is an error value; correct its formula",
    ("folder.xlsx", "B2"): "'folder.xlsx': this is a folder, not a file; name a file in it",
    ("t", "B2"): "'t': there is no such file; did you mean 't.xlsx'?",
    ("", "B2"): "the name of the file is empty; name one",
    ("https://example.org/t.xlsx", "B2"): "an address on the internet, which a model does not read; download the file",
}


@pytest.mark.parametrize(("file", "cell"), PLACES)
def test_files_and_areas_that_are_none_have_a_cure(workbook, file, cell):
    """Names of workbooks may mean anything that a formula can be."""
    assert PLACES[file, cell] in refusal(workbook, f"x = GET XLS CONSTANTS('{file}', 'Data', '{cell}')")


def test_a_cell_may_have_the_signs_of_a_formula(workbook):
    """`$B$2` is B2."""
    assert sd.simulate(read(workbook, "x = GET XLS CONSTANTS('t.xlsx', 'Data', '$B$2')"))["x"].values.ravel()[0] == 1


def test_times_that_a_series_repeats_are_noted(workbook):
    """The later value counts; the first odd cell is shown, and how many there are."""
    with pytest.warns(
        sd.RunWarning, match=r"cell B3 has the text '#N/A', left out as in Vensim; that is an error value"
    ):
        run = sd.simulate(read(workbook, "x := GET XLS DATA('t.xlsx', 'Data', 'A', 'B2')"))
    assert run["x"].values.tolist() == [1, 3, 3, 3]
    book = openpyxl.load_workbook(workbook / "t.xlsx")
    book["Data"]["B3"] = 2
    book.save(workbook / "t.xlsx")
    with pytest.warns(sd.RunWarning, match=r"cell A4 repeats the time 1, and its value counts; write each time once"):
        sd.simulate(read(workbook, "x := GET XLS DATA('t.xlsx', 'Data', 'A', 'B2')"))


SERIES = {
    "Time;x\n2000;1,5\n": "1:1: the columns are separated by semicolons; save the table with commas, and with points in numbers",
    "Year,x\n2000,1\n2001,2\n": "1:1: the first heading of the table is 'Year'; write Time there",
    "Time,x\n2000,12%\n": "2:1: '12%' is not a number; write 0.12",
    "Time,x\n2000,#N/A\n": "2:1: '#N/A' is not a number; that is an error value; correct its formula, or leave it empty",
    "Time,y[a,b]\n2000,1,2\n": "1:1: the bracket in 'y[a' is not closed; put a name with commas in quotes",
    "Time,x,X\n2000,1,2\n": "1:1: 'x' is the heading of several columns; delete all but one",
    "x\n2000 1\n2001 1,5\n": "3:1: '1,5' has a comma; write it with a point",
    "PK\x03\x04": "this is a workbook or another package, not text; save what it has as text, such as .csv",
}


@pytest.mark.parametrize("text", SERIES, ids=range(len(SERIES)))
def test_an_odd_file_of_series_has_a_cure(tmp_path, text):
    """A decimal comma in a list was its whole part, and names with commas were two."""
    path = tmp_path / "d.csv"
    path.write_bytes(text.encode("latin-1") + (b"\0" if text.startswith("PK") else b""))
    with pytest.raises(sd.ObservationError) as caught:
        read_data(path)
    assert SERIES[text] in str(caught.value.faults[0])


@pytest.mark.parametrize("title", ["My data,,\n\n", "# a comment\n"])
def test_titles_above_a_table_are_no_series(tmp_path, title):
    """The heading is the line that begins with Time; lines keep their numbers."""
    path = tmp_path / "d.csv"
    path.write_text(f"{title}Time,x\n2000,1\n2001,?\n", "utf-8")
    with pytest.raises(sd.ObservationError, match=f"d.csv:{title.count(chr(10)) + 3}:1: '.' is not a number"):
        read_data(path)
    path.write_text(f"{title}Time,x\n2000,1\n", "utf-8")
    assert {name: own.values.tolist() for name, own in read_data(path).items()} == {"x": [1]}


def test_a_formula_may_give_an_empty_text(tmp_path):
    """As `=IF(A2>0, "", 1)` does: its value is stored, as a text without characters; it counts as an empty cell."""
    book = openpyxl.Workbook()
    for row in ([0, 1], [1, '=IF(1,"","")'], [2, 3]):
        book.active.append(row)
    book.save(tmp_path / "unsaved.xlsx")
    with zipfile.ZipFile(tmp_path / "unsaved.xlsx") as old, zipfile.ZipFile(tmp_path / "saved.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'<c r="B2">', b'<c r="B2" t="str">'))
    series = "x := GET XLS DATA('{}.xlsx', 'Sheet', 'A', 'B1')"
    assert sd.simulate(read(tmp_path, series.format("saved")))["x"].values.tolist() == [1, 2, 3, 3]
    assert "cell B2 has a formula without a stored value" in refusal(tmp_path, series.format("unsaved"))


@pytest.fixture
def edited(tmp_path):
    """Writes a workbook whose cell B1 is 1, with other texts in its parts."""

    def write(*changes):
        book = openpyxl.Workbook()
        book.active["B1"] = 1
        book.save(tmp_path / "plain.xlsx")
        with zipfile.ZipFile(tmp_path / "plain.xlsx") as old, zipfile.ZipFile(tmp_path / "t.xlsx", "w") as new:
            for name in old.namelist():
                content = old.read(name)
                for before, after in changes:
                    content = content.replace(before, after)
                new.writestr(name, content)
        return tmp_path

    return write


def test_parts_of_a_workbook_that_no_number_depends_on_are_passed_over(edited):
    """Openpyxl warns of each; they would be lines about its own code."""
    rules = b'<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    folder = edited((b"</worksheet>", rules))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = sd.simulate(read(folder, "x = GET XLS CONSTANTS('t.xlsx', 'Sheet', 'B1')"))
    assert run["x"].values.ravel()[0] == 1


def test_a_chart_sheet_without_a_chart_is_named(edited, tmp_path):
    book = openpyxl.Workbook()
    book.create_chartsheet("Chart")
    book.save(tmp_path / "charts.xlsx")
    assert "has a chart sheet without a chart, so it cannot be read; delete that sheet" in refusal(
        tmp_path, "x = GET XLS CONSTANTS('charts.xlsx', 'Sheet', 'A1')"
    )


def test_a_workbook_in_the_strict_format_is_named(edited):
    """Openpyxl finds no sheets in it."""
    schemas = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    folder = edited(
        (schemas, b"http://purl.oclc.org/ooxml/spreadsheetml/main"),
        (relations, b"http://purl.oclc.org/ooxml/officeDocument/relationships"),
    )
    assert "save it as .xlsx, not as Strict Open XML" in refusal(
        folder, "x = GET XLS CONSTANTS('t.xlsx', 'Sheet', 'B1')"
    )


LABELS = {
    ("North", "South", "north"): "cell C1 repeats the label 'north'; delete one of them",
    ("North", "#N/A"): "cell B1 has the error value #N/A, not a name; correct its formula",
    ("North", True): "cell B1 is TRUE, not a label; write a name",
    ("North", "=1+1"): "cell B1 has a formula without a stored value; save the workbook in a spreadsheet program",
}


@pytest.mark.parametrize("row", LABELS, ids=range(len(LABELS)))
def test_labels_of_a_range_are_names_and_differ(tmp_path, row):
    """One that is left out would shift the numbers of the others."""
    book = openpyxl.Workbook()
    book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert LABELS[row] in refusal(tmp_path, "R: GET XLS SUBSCRIPT('t.xlsx', 'Sheet', 'A1', '1', '')\nx[R] = 1")
