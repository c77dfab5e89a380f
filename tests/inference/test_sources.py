"""Who published what a series holds: kept from the file of observations to the series that a mapping makes."""

from __future__ import annotations

from pathlib import Path

from sdmodel.inference import read_observations, read_series
from sdmodel.testing import tiny_model

DATA = """series,date,value,source
a,1,1,First
a,2,2,Second
a,3,3,Third
b,1,5,Other
b,2,6,
"""


def _series(folder: Path, lines: str, data: str = DATA):
    (folder / "o.csv").write_text(data, "utf-8")
    (folder / "m.series.csv").write_text(f"name,model,data,error,size,since,until\n{lines}", "utf-8")
    model = tiny_model("x = Time ~~|")
    return read_series(folder / "m.series.csv", read_observations(folder / "o.csv"), model)


def test_a_series_names_the_sources_of_the_values_it_holds_and_no_others(tmp_path: Path):
    """Each once, those of all parts of a formula and of all lines; an empty source is none."""
    one, two, three = _series(tmp_path, "one,x,a,absolute,1,2,\ntwo,x,a + b,absolute,1,,\nthree,x,a,absolute,1,,1\nthree,x,b,absolute,1,2,\n")  # fmt: skip
    assert one.sources == ("Second", "Third")
    assert two.sources == ("First", "Second", "Other")
    assert three.sources == ("First",)


def test_a_file_need_not_name_sources(tmp_path: Path):
    """Then nothing is said of them."""
    (series,) = _series(tmp_path, "one,x,a,absolute,1,,\n", "series,date,value\na,1,1\n")
    assert series.sources == ()
