"""Files of observations: what is read, and that every fault is told with its place."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.dataset import dates_of, decimal_year
from sdmodel.errors import ObservationError
from sdmodel.inference import read_observations

MODELS = Path(__file__).resolve().parents[2] / "models"
HEADER = "series,date,value,unit\n"


def _read(folder: Path, text: str, name: str = "data.csv"):
    path = folder / name
    path.write_text(text, "utf-8")
    return read_observations(path)


def _faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ObservationError) as error:
        _read(folder, text)
    return [str(fault).removeprefix(f"{folder}/") for fault in error.value.faults]


@given(st.datetimes(datetime(1700, 1, 1), datetime(2200, 12, 31)).map(lambda moment: moment.replace(microsecond=0)))  # noqa: DTZ001 - dates of models have no zone
def test_a_date_and_its_decimal_year_are_the_same(moment: datetime):
    """`dates_of` takes a decimal year back to the second it came from."""
    assert dates_of(np.array([decimal_year(moment)]))[0] == np.datetime64(moment)


@given(st.dictionaries(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.floats(-1e300, 1e300), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_values_come_back_in_the_order_of_time(tmp_path_factory: pytest.TempPathFactory, points, ending: str):
    """Whatever the order of the lines, to the last digit."""
    folder = tmp_path_factory.mktemp("round")
    lines = [HEADER.strip(), *(f"users,{day},{value!r},million" for day, value in points.items())]
    series = _read(folder, ending.join(lines)).series["users"]
    days = sorted(points)
    assert dates_of(series.times).astype("datetime64[D]").tolist() == days
    assert series.values.tolist() == [points[day] for day in days]
    assert (series.units, series.dated) == ("million", True)


def test_columns_stand_in_any_order_with_others_between(tmp_path: Path):
    """Names are matched as Vensim matches them; quoted entries hold commas, quotes and line breaks; `#` is a comment."""
    text = '# made by hand\nnote,Value,SERIES,date\n"a, ""b""\n c",3,Weekly Users,2024.5\n\n# and so on\n,4,weekly_users,2025\n'
    series = _read(tmp_path, text).series["weekly_users"]
    assert series.times.tolist() == [2024.5, 2025]
    assert series.values.tolist() == [3, 4]
    assert not series.dated
    assert [place.line for place in series.places] == [4, 7]


def test_a_line_without_a_value_is_left_out(tmp_path: Path):
    """A table with a gap is no fault."""
    assert _read(tmp_path, HEADER + "a,2024,,\na,2025,1,\n").series["a"].times.tolist() == [2025]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,2024-01-01,ten,kg\n", "data.csv:2:14: 'ten' is no number"),
        ("a,2024-01-01, 1e999,kg\n", "data.csv:2:15: 1e999 is too large"),
        ("a,2024-01-01,nan,kg\n", "data.csv:2:14: 'nan' is no number"),
        ("a,2024-01-01,1_000,kg\n", "data.csv:2:14: '1_000' is no number"),
        ('a,2024-01-01,"1,5",kg\n', "data.csv:2:14: '1,5' is no number"),
        ("a,2024-02-30,1,kg\n", "data.csv:2:3: there is no such date as 2024-02-30"),
        ("a,30.6.2024,1,kg\n", "data.csv:2:3: '30.6.2024' is no date"),
        ("a,,1,kg\n", "data.csv:2:3: '' is no date"),
        (",2024,1,kg\n", "data.csv:2:1: the series has no name"),
        ("a,2024,1,kg,more\n", "data.csv:2:13: this line has 5 entries but the header names 4"),
        ('"a,2024,1,kg\n', "data.csv:2:1: a quote is not closed"),
        ("a,2024,1,kg\na,2025,1,t\n", "data.csv:3:8: 'a' is in 'kg' before and in 't' here"),
        ("a,2024,1,kg\na,2025-01-01,1,kg\n", "data.csv:3:3: 'a' has dates and numbers of time"),
    ],
)
def test_bad_input_is_told_with_line_and_column(tmp_path: Path, text: str, told: str):
    """Each fault names the entry that it is about, and its cure."""
    found = _faults(tmp_path, HEADER + text)
    assert found[0].startswith(told)
    assert ";" in found[0]


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path):
    """In the order of the file."""
    found = _faults(tmp_path, HEADER + "a,2024,x,\na,yesterday,1,\nb,2024,1,\n")
    assert [each.partition(": ")[0] for each in found] == ["data.csv:2:8", "data.csv:3:3"]


def test_missing_columns_and_empty_files_are_told(tmp_path: Path):
    """A misspelt column leads to the right one."""
    assert _faults(tmp_path, "series,date,values\na,2024,1\n") == [
        "data.csv:1:1: there is no column 'value' (is it 'values'?); let the first line name series, date, value"
    ]
    assert len(_faults(tmp_path, "")) == 3
    assert "holds no observation" in _faults(tmp_path, HEADER)[0]


@pytest.mark.parametrize("content", [None, b"\x00\x01"])
def test_what_is_no_text_file_is_told(tmp_path: Path, content: bytes | None):
    """A missing file, and one that is not text."""
    if content:
        (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(ObservationError, match="data.csv: (there is no such file|this is not text); "):
        read_observations(tmp_path / "data.csv")


def test_what_vensim_exports_is_read(tmp_path: Path):
    """A `.dat` file, and a table with its times in the first column, give the same series."""
    listed = _read(tmp_path, "Users\n2024\t1\n2025\t2\nStock[north]\n2024\t3\n", "data.dat")
    table = _read(tmp_path, 'Time,Users,"Stock[north]"\n2024,1,3\n2025,2,\n')
    for each in (listed, table):
        assert each.series["users"].times.tolist() == [2024, 2025]
        assert each.series["users"].values.tolist() == [1, 2]
        assert each.series["stock[north]"].values.tolist() == [3]


def test_every_observation_of_the_project_has_a_source():
    """Facts are nothing without where they come from."""
    observations = read_observations(MODELS / "data" / "observations.csv")
    assert all(each.dated and each.units for each in observations.series.values())
    lines = (MODELS / "data" / "observations.csv").read_text("utf-8").splitlines()
    assert lines[0].split(",")[4:7] == ["source", "address", "confidence"]
    assert sum(each.times.size for each in observations.series.values()) == len(lines) - 1


@pytest.mark.parametrize(("mark", "told"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_file_parted_by_other_marks_than_commas_is_told_once(tmp_path: Path, mark: str, told: str):
    """As a spreadsheet writes it where the comma is the decimal point."""
    text = f"{HEADER}users,2024,1,m\n".replace(",", mark)
    assert _faults(tmp_path, text) == [f"data.csv:1:1: {told} stand between the entries; put commas there"]


def test_of_very_many_faults_the_first_are_told_and_the_others_counted(tmp_path: Path):
    """A column of the wrong kind has a fault in every line; all are there for a program."""
    with pytest.raises(ObservationError) as error:
        _read(tmp_path, HEADER + "users,2024,many,m\n" * 1500)
    assert len(error.value.faults) == 1500
    *told, last = str(error.value).splitlines()
    assert last == f"and {1500 - len(told):,} more faults"
    assert told == [str(fault) for fault in error.value.faults[: len(told)]]


def test_lines_of_another_layout_are_no_series_without_values(tmp_path: Path):
    """A list of observations under another ending reads as names alone, of which nothing can be said."""
    with pytest.raises(ObservationError, match="the file has no series with values"):
        _read(tmp_path, "series,date,value\nusers,2024,1\n", "data.txt")
