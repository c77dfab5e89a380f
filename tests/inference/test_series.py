"""Mapping files: the series that they make, and the faults that they report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdmodel.errors import ObservationError
from sdmodel.inference import Series, find_series_file, read_observations, read_series
from sdmodel.model import Model
from sdmodel.reading import read_model
from sdmodel.testing import tiny_model
from sdmodel.vensim import model_from_text

MODELS = Path(__file__).resolve().parents[2] / "models"
HEADER = "name,model,data,error,size,note,since,until\n"
DATA = (
    "series,date,value,unit\n"
    + "".join(f"gpu,202{year}-01-01,{value},MW\n" for year, value in enumerate([10, 20, 30, 40]))
    + "tpu,2022-01-01,5,MW\ntpu,2023-01-01,6,MW\ntpu,2024-01-01,7,MW\n"
    + "cold,2020-01-01,-3,K\ncold,2021-01-01,0,K\ntwice,2020-01-01,1,K\ntwice,2020-01-01,2,K\n"
)
LABELLED = """{UTF-8}
region: north, south ~ ~ |
Sold[region] = INTEG(selling[region], 0) ~ MW ~ |
selling[region] = 1, 2 ~ MW/Year ~ |
table((0,0),(1,1)) ~ ~ |
INITIAL TIME = 2020 ~ Year ~ |
FINAL TIME = 2030 ~ Year ~ |
TIME STEP = 1 ~ Year ~ |
SAVEPER = 1 ~ Year ~ |
"""


@pytest.fixture
def model() -> Model:
    """A model that counts in years."""
    return tiny_model("Chips Sold = INTEG(shipping, 0)\nshipping = 2", initial=2020, final=2030)


@pytest.fixture
def read(tmp_path: Path, model: Model):
    """Reads a mapping of the observations above; a fault's path is left out."""
    (tmp_path / "data.csv").write_text(DATA, "utf-8")
    observations = read_observations(tmp_path / "data.csv")

    def reading(lines: str, of: Model = model):
        path = tmp_path / "tiny.series.csv"
        path.write_text(HEADER + lines, "utf-8")
        try:
            return read_series(path, observations, of)
        except ObservationError as error:
            return [str(fault).replace(f"{tmp_path}/", "") for fault in error.faults]

    return reading


def test_a_row_pairs_a_model_formula_with_a_data_formula(read):
    """Units are those of the model's variable; a formula over several series is used where all have a value."""
    (series,) = read("all,Chips Sold,(gpu + TPU)/1000,relative,10%,as published\n")
    assert series.times.tolist() == [2022, 2023]
    assert series.values == pytest.approx([0.035, 0.046])
    assert (series.name, series.model_text, series.note) == ("all", "Chips Sold", "as published")
    assert series.error.size == pytest.approx(0.1)
    assert series.deviations == pytest.approx([0.0035, 0.0046])
    assert series.left_out == ("1 without a value of 'gpu'", "2 without a value of 'tpu'")


def test_since_and_until_bound_the_times_inclusively(read):
    """Times outside are counted."""
    (series,) = read("a,Chips Sold,gpu,log,0.2,,2021-01-01,2022\n")
    assert series.times.tolist() == [2021, 2022]
    assert series.left_out == ("2 outside since and until",)


def test_rows_of_one_name_form_one_series(read):
    """A sum gains a term when that begins to be published; only the last date is not used."""
    (series,) = read("a,Chips Sold,gpu,absolute,1,,,2021-12-31\nA,chips_sold,gpu + tpu,absolute,1,,2022,\n")
    assert series.times.tolist() == [2020, 2021, 2022, 2023]
    assert series.values.tolist() == [10, 20, 35, 46]
    assert series.left_out == ("1 outside all its lines, or without a value of every series",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,Chip Sold,gpu,log,1", "2:3: 'chip sold' is not in the model; did you mean 'Chips Sold'?"),
        ("a,Chips Sold,gup,log,1", "2:14: 'gup' is not a series of data.csv; did you mean 'gpu'?"),
        ("a,Chips Sold,qqqq,log,1", "2:14: 'qqqq' is not a series of data.csv; use a name from that file"),
        ("a,Chips Sold,gpu[x],log,1", "2:14: 'gpu[x]' is not a series of data.csv"),
        ("a,Chips Sold[x],gpu,log,1", "2:3: 'Chips Sold' has no subscripts"),
        ("a,Chips Sold +,gpu,log,1", "2:3: 'Chips Sold +'"),
        ('a,Chips Sold,"SMOOTH(gpu,2)",log,1', "2:14: 'SMOOTH(gpu,2)'"),
        ("a,Chips Sold,,log,1", "2:14: the formula is empty"),
        ("a,Chips Sold,5,log,1", "2:14: '5' names no variable"),
        ("a,Time,gpu,log,1", "2:3: 'Time' names no variable"),
        (",Chips Sold,gpu,log,1", "2:1: the series has no name"),
        ("a,Chips Sold,gpu,gauss,1", "2:18: 'gauss' is not an error model; write one of absolute, relative, log"),
        ("a,Chips Sold,gpu,logs,1", "2:18: 'logs' is not an error model; did you mean 'log'?"),
        ("a,Chips Sold,gpu,log,0", "2:22: the size of an error is 0; write a number above zero"),
        ("a,Chips Sold,gpu,log,-1", "2:22: the size of an error is -1"),
        ("a,Chips Sold,gpu,log,", "2:22: '' is not a number"),
        ("a,Chips Sold,gpu,absolute,10%", "2:27: an absolute error is in the units of the series"),
        ("a,Chips Sold,gpu,log,1,,soon,", "2:25: 'soon' is not a date"),
        ("a,Chips Sold,gpu,log,1,,2023,2022", "2:30: until is before since"),
        ("a,Chips Sold,gpu,log,1,,2025,", "2:14: 'gpu' has no value at any time that its series share since 2025"),
        ("a,Chips Sold,gpu + cold,log,1,,2022,", "2:14: 'gpu + cold' has no value at any time"),
        ("a,Chips Sold,LN(gpu - 20),absolute,1", "2:14: 'a' at 2020 is not finite"),
    ],
)
def test_faults_of_a_row_are_reported_with_place_and_cure(read, line: str, message: str):
    """Names, formulas, error models and bounds, each at its entry."""
    found = read(line + "\n")
    assert isinstance(found, list)
    assert found[0].removeprefix("tiny.series.csv:").startswith(message)
    assert ";" in found[0]


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ("a,Chips Sold,cold,log,1", ["data.csv:9:17: 'a' at 2020 is -3, which does not suit a log error", "data.csv:10:17: 'a' at 2021"]),
        ("a,Chips Sold,cold,relative,1", ["data.csv:10:17: 'a' at 2021 is 0, which does not suit a relative error"]),
        ("a,Chips Sold,twice,absolute,1", ["data.csv:12:18: 'twice' has another value at this time, 1"]),
    ],
)  # fmt: skip
def test_values_that_do_not_suit_the_error_model_are_reported(read, line: str, messages: list[str]):
    """At the value, in the file of observations, and only where a series is used."""
    found = read(line + "\n")
    assert [fault.startswith(start) for fault, start in zip(found, messages, strict=True)] == [True] * len(messages)
    assert read("a,Chips Sold,cold,absolute,1\n")[0].values.tolist() == [-3, 0]


def test_rows_of_one_name_must_agree_and_not_overlap(read):
    """Another error model and a common time are faults."""
    found = read("a,Chips Sold,gpu,log,1\na,Chips Sold,tpu,log,2\n")
    assert "3:1: 'a' has another model, error or lag in line 2" in found[0]
    assert ["another value at 2022" in found[1], "another value at 2023" in found[2]] == [True, True]


def test_all_faults_of_a_mapping_are_reported_together(read):
    """Of every row, and of both formulas."""
    assert len(read("a,Chip Sold,gup,gauss,0\nb,Chips Sold,tup,log,1\n")) == 5
    assert "has no rows" in read("")[0]


def test_a_subscripted_variable_needs_a_label(read):
    """A series is one number at a time; a lookup is not."""
    labelled = model_from_text(LABELLED)
    (series,) = read("a,Sold[south] + 2*Sold[north],gpu,log,1\n", labelled)
    assert series.units == "MW"
    for line, message in (
        ("a,Sold,gpu,log,1\n", "'Sold' has the subscripts region; write one label for each: Sold[label]"),
        ("a,Sold[suoth],gpu,log,1\n", "'Sold' has no label 'suoth'; did you mean 'south'?"),
        ("a,table,gpu,log,1\n", "'table' is a lookup"),
    ):
        assert message in read(line, labelled)[0]


def test_dates_need_a_model_that_counts_in_years(read, tmp_path: Path):
    """Numbers in the model's unit of time do not."""
    monthly = model_from_text(LABELLED.replace("~ Year ~", "~ Month ~"))
    assert "but the model counts time in 'Month'" in read("a,Sold[north],gpu,log,1\n", monthly)[0]
    (tmp_path / "plain.csv").write_text("series,date,value\ngpu,2020,1\n", "utf-8")
    observations = read_observations(tmp_path / "plain.csv")
    (series,) = read_series(tmp_path / "tiny.series.csv", observations, monthly)
    assert series.times.tolist() == [2020]


def test_the_mapping_next_to_a_model_is_found(tmp_path: Path):
    """`m.series.csv` next to `m.mdl`."""
    assert find_series_file(tmp_path / "m.mdl") is None
    (tmp_path / "m.series.csv").write_text("", "utf-8")
    assert find_series_file(tmp_path / "m.mdl") == tmp_path / "m.series.csv"


def test_the_flagship_mapping_is_valid(tmp_path: Path):
    """Every row has a note; only series whose dates meet seldom, and prices of another quality, leave observations out."""
    path = find_series_file(MODELS / "ai_compute.mdl")
    assert path is not None
    series = read_series(
        path, read_observations(MODELS / "data" / "observations.csv"), read_model(MODELS / "ai_compute.mdl")
    )
    assert all(own.note for own in series)
    assert {own.name for own in series if own.left_out} <= {"two firms", "two firms in 2025", "list price"}
    chips = next(own for own in series if own.name == "chips sold")
    assert chips.times.size == 16
    assert np.all(np.diff(chips.values) > 0)


SOURCED = """series,date,value,source
a,1,1,First
a,2,2,Second
a,3,3,Third
b,1,5,Other
b,2,6,
"""


def _sourced(folder: Path, lines: str, data: str = SOURCED):
    (folder / "o.csv").write_text(data, "utf-8")
    (folder / "m.series.csv").write_text(f"name,model,data,error,size,since,until\n{lines}", "utf-8")
    model = tiny_model("x = Time ~~|")
    return read_series(folder / "m.series.csv", read_observations(folder / "o.csv"), model)


def test_a_series_names_the_sources_of_its_values_only(tmp_path: Path):
    """Each source once, from all parts of a formula and all rows; empty sources do not count."""
    one, two, three = _sourced(tmp_path, "one,x,a,absolute,1,2,\ntwo,x,a + b,absolute,1,,\nthree,x,a,absolute,1,,1\nthree,x,b,absolute,1,2,\n")  # fmt: skip
    assert one.sources == ("Second", "Third")
    assert two.sources == ("First", "Second", "Other")
    assert three.sources == ("First",)


def test_joined_dates_bring_the_sources_of_every_series(tmp_path: Path, model: Model):
    """Those of the values that are used, though their dates are not those of the first series."""
    data = "series,date,value,unit,source\na,2023.0,1,GW,First\nb,2023.1,10,GW,Near\nb,2024.4,20,GW,Far\n"
    (tmp_path / "d.csv").write_text(data, "utf-8")
    path = tmp_path / "m.series.csv"
    path.write_text("name,model,data,error,size,within\nsum,Chips Sold,a + b,log,0.1,0.2\n", "utf-8")
    (series,) = read_series(path, read_observations(tmp_path / "d.csv"), model)
    assert series.sources == ("First", "Near")


def test_sources_are_optional(tmp_path: Path):
    """Without the column, there are none."""
    (series,) = _sourced(tmp_path, "one,x,a,absolute,1,,\n", "series,date,value\na,1,1\n")
    assert series.sources == ()


def test_dates_that_differ_are_joined_within_a_tolerance(tmp_path: Path, model: Model):
    """The dates of the first series count, each value is used once, and the nearest wins."""
    data = "series,date,value,unit\na,2023.0,1,GW\na,2024.0,2,GW\na,2025.0,4,GW\nb,2023.1,10,GW\nb,2023.95,20,GW\nb,2025.4,40,GW\n"
    (tmp_path / "d.csv").write_text(data, "utf-8")
    known = read_observations(tmp_path / "d.csv")

    def reading(within: str) -> Series:
        path = tmp_path / "m.series.csv"
        path.write_text(f"name,model,data,error,size,within,lag\nsum,Chips Sold,a + b,log,0.1,{within},0.5\n", "utf-8")
        (series,) = read_series(path, known, model)
        return series

    assert reading("0.2").times.tolist() == [2023, 2024]
    assert reading("0.2").values.tolist() == [11, 22]
    assert reading("0.5").values.tolist() == [11, 22, 44]
    assert reading("0.06").values.tolist() == [22]
    assert reading("0.2").lag == 0.5
    with pytest.raises(ObservationError, match="no value at any time that its series share"):
        reading("0.01")
    with pytest.raises(ObservationError, match="-1 is below zero; write a time span"):
        reading("-1")
