"""The comparison with Vensim's output files: their formats, and when two numbers count as equal."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from expected_outputs import MISSING, differences, read_expected

TIMES = np.arange(3.0)
HEADER = ["Time", "level", "price[coal]", "price[gas]", "rate"]
ROWS = [["0", "100", "1", "2.5", "0"], ["1", "90", "1", "", "0.333333"], ["2", "81", "", "", "1e-05"]]


def written(folder, rows, *, header=HEADER, name="output.tab", end="\r\n", encoding="utf-8"):
    path = folder / name
    text = end.join(("\t" if name.endswith("tab") else ",").join(row) for row in (header, *rows))
    path.write_bytes(text.encode(encoding))
    return path


def run(**changed):
    """A run with all the numbers of the file above, except those changed."""
    found = {"level": [100.0, 90, 81], "price": [1.0, 2.5], "rate": [0, 1 / 3, 1e-5]} | changed
    price = np.asarray(found["price"])
    return xr.Dataset(
        {
            "level": ("time", found["level"], {"long_name": "Level"}),
            "price": (("time", "fuel")[-price.ndim :], price, {"long_name": "price"}),
            "rate": ("time", found["rate"], {"long_name": "rate"}),
        },
        {"time": TIMES, "fuel": ["Coal", "GAS"]},
    )


@pytest.mark.parametrize("name", ["output.tab", "output.csv"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_run_with_the_numbers_of_the_file_agrees(tmp_path, name, end):
    """Tabs or commas, any line ends, any case; a constant stands in the first row only."""
    rows = [row[:] for row in ROWS]
    rows[1][2] = ""
    assert not differences(run(), read_expected(written(tmp_path, rows, name=name, end=end)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"level": [100, 90.05, 81]}, "level: 90.05 at 1, expected 90"),
        ({"level": [100, 90, np.nan]}, "level: nan at 2, expected 81"),
        ({"level": [100, 90, np.inf]}, "level: inf at 2, expected 81"),
        ({"price": [1, 2.6]}, "price[gas]: 2.6 at 0, expected 2.5"),
        ({"rate": [1e-4, 1 / 3, 1e-5]}, "rate: 0.0001 at 0, expected 0"),
    ],
)
def test_wrong_number_is_found_with_its_time(tmp_path, changed, message):
    """More than printing and single precision explain."""
    rows = [row[:] for row in ROWS]
    rows[1][2] = ""
    assert differences(run(**changed), read_expected(written(tmp_path, rows))) == [message]


def test_empty_cell_means_a_missing_value(tmp_path):
    """Vensim leaves the cell of `:NA:` empty; a number in its place is wrong, and so is the reverse."""
    expected = read_expected(written(tmp_path, ROWS))
    price = np.array([[1, 2.5], [1, 2.5], [1, 2.5]])
    assert [line.split(":")[0] for line in differences(run(price=price), expected)] == ["price[coal]"]
    price[2, 0] = MISSING
    assert not differences(run(price=price), expected)
    price[1, 0] = 2 * MISSING
    assert [line.split(":")[0] for line in differences(run(price=price), expected)] == ["price[coal]"]


def test_column_missing_from_the_run_is_reported(tmp_path):
    """By name or by label."""
    header = [*HEADER[:3], "price[oil]", "speed"]
    found = differences(run(), read_expected(written(tmp_path, ROWS[:1] * 3, header=header)))
    assert "times" in found[0]
    rows = [[time, *row[1:]] for time, row in zip("012", [ROWS[0]] * 3, strict=True)]
    found = differences(run(level=[100, 100, 100]), read_expected(written(tmp_path, rows, header=header)))
    assert found == ["price[oil]: not in the run", "speed: not in the run"]


def test_times_must_equal_those_of_the_file(tmp_path):
    """A run that ends at another time, or saves other times, differs."""
    found = differences(run(), read_expected(written(tmp_path, ROWS[:2])))
    assert found == ["times 0 to 2 in 3 rows, expected 0 to 1 in 2 rows"]


def test_quoted_names_and_labels_are_read(tmp_path):
    """Vensim quotes a whole title, or writes the quotes of a name as part of it; text may be in Latin-1."""
    header = ["Time", '"price[Coal,Gas]"', '"""1995 £/$"""', '"""odd [name]"""']
    path = written(tmp_path, [["0", "1", "2", "3"]], header=header, encoding="latin-1")
    found = [column.key_and_labels for column in read_expected(path).columns]
    assert found == [("price", ("coal", "gas")), ("1995_£/$", ()), ("odd_[name]", ())]


def test_rounded_numbers_are_compared_to_half_the_last_decimal(tmp_path):
    """A column with five decimals says nothing about the sixth."""
    rows = [["0", "0.02575"], ["1", "-0.00053"], ["2", "0.0358"]]
    expected = read_expected(written(tmp_path, rows, header=["Time", "level"]))
    assert not differences(run(level=[0.025754, -0.000534, 0.035796]), expected)
    assert differences(run(level=[0.025754, -0.000537, 0.035796]), expected)
