"""Files of observations: what is read, and that every fault is reported with its place."""

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
def test_dates_survive_conversion_to_decimal_years(moment: datetime):
    """`dates_of` converts a decimal year back to the second it came from."""
    assert dates_of(np.array([decimal_year(moment)]))[0] == np.datetime64(moment)


@given(st.dictionaries(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.floats(-1e300, 1e300), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_values_are_sorted_by_time(tmp_path_factory: pytest.TempPathFactory, points, ending: str):
    """Whatever the order of the lines, and exactly."""
    folder = tmp_path_factory.mktemp("round")
    lines = [HEADER.strip(), *(f"users,{day},{value!r},million" for day, value in points.items())]
    series = _read(folder, ending.join(lines)).series["users"]
    days = sorted(points)
    assert dates_of(series.times).astype("datetime64[D]").tolist() == days
    assert series.values.tolist() == [points[day] for day in days]
    assert (series.units, series.dated) == ("million", True)


def test_columns_may_be_in_any_order_among_others(tmp_path: Path):
    """Names match as in Vensim; quoted entries may contain commas, quotes and line breaks; `#` starts a comment."""
    text = '# made by hand\nnote,Value,SERIES,date\n"a, ""b""\n c",3,Weekly Users,2024.5\n\n# and so on\n,4,weekly_users,2025\n'
    series = _read(tmp_path, text).series["weekly_users"]
    assert series.times.tolist() == [2024.5, 2025]
    assert series.values.tolist() == [3, 4]
    assert not series.dated
    assert [place.line for place in series.places] == [4, 7]


def test_rows_without_a_value_are_skipped(tmp_path: Path):
    """A table with a gap is not a fault."""
    assert _read(tmp_path, HEADER + "a,2024,,\na,2025,1,\n").series["a"].times.tolist() == [2025]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,2024-01-01,ten,kg\n", "data.csv:2:14: 'ten' is not a number"),
        ("a,2024-01-01, 1e999,kg\n", "data.csv:2:15: 1e999 is too large"),
        ("a,2024-01-01,nan,kg\n", "data.csv:2:14: 'nan' is not a number"),
        ("a,2024-01-01,1_000,kg\n", "data.csv:2:14: '1_000' is not a number"),
        ('a,2024-01-01,"1,5",kg\n', "data.csv:2:14: '1,5' is not a number"),
        ("a,2024-02-30,1,kg\n", "data.csv:2:3: the date 2024-02-30 does not exist"),
        ("a,30.6.2024,1,kg\n", "data.csv:2:3: '30.6.2024' is not a date"),
        ("a,,1,kg\n", "data.csv:2:3: '' is not a date"),
        (",2024,1,kg\n", "data.csv:2:1: the series has no name"),
        ("a,2024,1,kg,more\n", "data.csv:2:13: this line has 5 entries but the header names 4"),
        ('"a,2024,1,kg\n', "data.csv:2:1: a quote is not closed"),
        ("a,2024,1,kg\na,2025,1,t\n", "data.csv:3:8: 'a' has the unit 'kg' above and 't' here"),
        ("a,2024,1,kg\na,2025-01-01,1,kg\n", "data.csv:3:3: 'a' mixes dates and numbers as times"),
    ],
)
def test_bad_input_is_reported_with_line_and_column(tmp_path: Path, text: str, message: str):
    """Each fault names the entry and says what to do."""
    found = _faults(tmp_path, HEADER + text)
    assert found[0].startswith(message)
    assert ";" in found[0]


def test_all_faults_of_a_file_are_reported_together(tmp_path: Path):
    """In the order of the file."""
    found = _faults(tmp_path, HEADER + "a,2024,x,\na,yesterday,1,\nb,2024,1,\n")
    assert [fault.partition(": ")[0] for fault in found] == ["data.csv:2:8", "data.csv:3:3"]


def test_missing_columns_and_empty_files_are_reported(tmp_path: Path):
    """For a misspelt column the right one is suggested."""
    assert _faults(tmp_path, "series,date,values\na,2024,1\n") == [
        "data.csv:1:1: there is no column 'value' (is it 'values'?); the first line must name series, date, value"
    ]
    assert _faults(tmp_path, "") == ["data.csv:1:1: the file is empty; the first line must name series, date, value"]
    (fault,) = _faults(tmp_path, "Year,x\n2000,1\n")
    assert fault.startswith(
        "data.csv:1:1: the first line names none of these columns: series, date, value; write them there, or Time"
    )
    assert "has no observations" in _faults(tmp_path, HEADER)[0]


@pytest.mark.parametrize("content", [None, b"\x00\x01"])
def test_missing_and_binary_files_are_reported(tmp_path: Path, content: bytes | None):
    """Both with the name of the file."""
    if content:
        (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(ObservationError, match="data.csv: (there is no such file|this is not text); "):
        read_observations(tmp_path / "data.csv")


def test_vensim_exports_are_read(tmp_path: Path):
    """A `.dat` file and a table with times in the first column give the same series."""
    listed = _read(tmp_path, "Users\n2024\t1\n2025\t2\nStock[north]\n2024\t3\n", "data.dat")
    table = _read(tmp_path, 'Time,Users,"Stock[north]"\n2024,1,3\n2025,2,\n')
    for observations in (listed, table):
        assert observations.series["users"].times.tolist() == [2024, 2025]
        assert observations.series["users"].values.tolist() == [1, 2]
        assert observations.series["stock[north]"].values.tolist() == [3]


def test_flagship_observations_have_sources():
    """Every row has a date, a unit and a source."""
    observations = read_observations(MODELS / "data" / "observations.csv")
    assert all(series.dated and series.units for series in observations.series.values())
    lines = (MODELS / "data" / "observations.csv").read_text("utf-8").splitlines()
    assert lines[0].split(",")[4:7] == ["source", "address", "confidence"]
    assert sum(series.times.size for series in observations.series.values()) == len(lines) - 1


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_than_commas_are_reported_once(tmp_path: Path, mark: str, name: str):
    """Spreadsheets write them where the comma is the decimal point."""
    text = f"{HEADER}users,2024,1,m\n".replace(",", mark)
    assert _faults(tmp_path, text) == [f"data.csv:1:1: entries are separated by {name}; use commas"]


def test_only_the_first_of_very_many_faults_are_printed(tmp_path: Path):
    """The others are counted; a program can get all of them."""
    with pytest.raises(ObservationError) as error:
        _read(tmp_path, HEADER + "users,2024,many,m\n" * 1500)
    assert len(error.value.faults) == 1500
    *printed, last = str(error.value).splitlines()
    assert last == f"and {1500 - len(printed):,} more faults"
    assert printed == [str(fault) for fault in error.value.faults[: len(printed)]]


def test_a_csv_file_with_another_ending_is_reported(tmp_path: Path):
    """Read in Vensim's format it has names but no values."""
    with pytest.raises(ObservationError, match="the file has no series with values"):
        _read(tmp_path, "series,date,value\nusers,2024,1\n", "data.txt")
