"""Mapping files: which series they make, and that what pairs nothing with nothing is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdmodel.errors import ObservationError
from sdmodel.inference import read_observations, read_series, series_beside
from sdmodel.model import Model
from sdmodel.testing import tiny_model
from sdmodel.vensim import model_from_text, read_model

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


def test_a_line_pairs_a_formula_over_the_model_with_one_over_the_data(read):
    """Units are those of the model's variable; a formula over several series holds where all have a value."""
    (series,) = read("all,Chips Sold,(gpu + TPU)/1000,relative,10%,as published\n")
    assert series.times.tolist() == [2022, 2023]
    assert series.values == pytest.approx([0.035, 0.046])
    assert (series.name, series.model_text, series.note) == ("all", "Chips Sold", "as published")
    assert series.error.size == pytest.approx(0.1)
    assert series.deviations == pytest.approx([0.0035, 0.0046])
    assert series.left_out == ("1 without a value of 'gpu'", "2 without a value of 'tpu'")


def test_since_and_until_bound_the_times_both_included(read):
    """What lies outside is told."""
    (series,) = read("a,Chips Sold,gpu,log,0.2,,2021-01-01,2022\n")
    assert series.times.tolist() == [2021, 2022]
    assert series.left_out == ("2 outside of since and until",)


def test_lines_of_one_name_are_one_series(read):
    """A sum gains a part when it begins to be published; all dates are used, so nothing is left out but the last."""
    (series,) = read("a,Chips Sold,gpu,absolute,1,,,2021-12-31\nA,chips_sold,gpu + tpu,absolute,1,,2022,\n")
    assert series.times.tolist() == [2020, 2021, 2022, 2023]
    assert series.values.tolist() == [10, 20, 35, 46]
    assert series.left_out == ("1 outside of all its lines, or without a value of every series",)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a,Chip Sold,gpu,log,1", "2:3: 'chip sold' is not in the model; did you mean 'Chips Sold'?"),
        ("a,Chips Sold,gup,log,1", "2:14: 'gup' is not a series of data.csv; did you mean 'gpu'?"),
        ("a,Chips Sold,qqqq,log,1", "2:14: 'qqqq' is not a series of data.csv; write a name as it stands there"),
        ("a,Chips Sold,gpu[x],log,1", "2:14: 'gpu[x]' is not a series of data.csv"),
        ("a,Chips Sold[x],gpu,log,1", "2:3: 'Chips Sold' has no subscripts"),
        ("a,Chips Sold +,gpu,log,1", "2:3: 'Chips Sold +'"),
        ('a,Chips Sold,"SMOOTH(gpu,2)",log,1', "2:14: 'SMOOTH(gpu,2)'"),
        ("a,Chips Sold,,log,1", "2:14: the formula is empty"),
        ("a,Chips Sold,5,log,1", "2:14: '5' names nothing"),
        ("a,Time,gpu,log,1", "2:3: 'Time' names nothing"),
        (",Chips Sold,gpu,log,1", "2:1: the series has no name"),
        ("a,Chips Sold,gpu,gauss,1", "2:18: 'gauss' is no error model; write one of absolute, relative, log"),
        ("a,Chips Sold,gpu,logs,1", "2:18: 'logs' is no error model; did you mean 'log'?"),
        ("a,Chips Sold,gpu,log,0", "2:22: the size of an error is 0; write a number above zero"),
        ("a,Chips Sold,gpu,log,-1", "2:22: the size of an error is -1"),
        ("a,Chips Sold,gpu,log,", "2:22: '' is no number"),
        ("a,Chips Sold,gpu,absolute,10%", "2:27: an absolute error is in the units of the series"),
        ("a,Chips Sold,gpu,log,1,,soon,", "2:25: 'soon' is no date"),
        ("a,Chips Sold,gpu,log,1,,2023,2022", "2:30: until is before since"),
        ("a,Chips Sold,gpu,log,1,,2025,", "2:14: 'gpu' has no value at any time that its series share since 2025"),
        ("a,Chips Sold,gpu + cold,log,1,,2022,", "2:14: 'gpu + cold' has no value at any time"),
        ("a,Chips Sold,LN(gpu - 20),absolute,1", "2:14: 'a' at 2020 is not finite"),
    ],
)
def test_what_pairs_nothing_is_told_with_its_place_and_cure(read, line: str, told: str):
    """Names, formulas, error models and bounds, each at its own entry."""
    found = read(line + "\n")
    assert isinstance(found, list)
    assert found[0].removeprefix("tiny.series.csv:").startswith(told)
    assert ";" in found[0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a,Chips Sold,cold,log,1", ["data.csv:9:17: 'a' at 2020 is -3, which a log error", "data.csv:10:17: 'a' at 2021"]),
        ("a,Chips Sold,cold,relative,1", ["data.csv:10:17: 'a' at 2021 is 0, which a relative error"]),
        ("a,Chips Sold,twice,absolute,1", ["data.csv:12:18: 'twice' has another value at this time, 1"]),
    ],
)  # fmt: skip
def test_observations_that_an_error_model_cannot_take_are_told_where_they_stand(read, line: str, told: list[str]):
    """At the value itself, in the file of observations; doubt only counts where a series is used."""
    found = read(line + "\n")
    assert [each.startswith(start) for each, start in zip(found, told, strict=True)] == [True] * len(told)
    assert read("a,Chips Sold,cold,absolute,1\n")[0].values.tolist() == [-3, 0]


def test_lines_of_one_name_must_agree_and_must_not_overlap(read):
    """Another error model, and a time that both have."""
    found = read("a,Chips Sold,gpu,log,1\na,Chips Sold,tpu,log,2\n")
    assert "3:1: 'a' has another model or error in line 2" in found[0]
    assert ["another value at 2022" in found[1], "another value at 2023" in found[2]] == [True, True]


def test_all_faults_of_a_mapping_are_told_at_once(read):
    """Every line, and both sides of one."""
    assert len(read("a,Chip Sold,gup,gauss,0\nb,Chips Sold,tup,log,1\n")) == 5
    assert "pairs nothing" in read("")[0]


def test_a_subscripted_variable_needs_a_label(read):
    """A series is one number at a time; a lookup is none."""
    labelled = model_from_text(LABELLED)
    (series,) = read("a,Sold[south] + 2*Sold[north],gpu,log,1\n", labelled)
    assert series.units == "MW"
    for line, told in (
        ("a,Sold,gpu,log,1\n", "'Sold' has the subscripts region; write one label for each: Sold[label]"),
        ("a,Sold[suoth],gpu,log,1\n", "'Sold' has no label 'suoth'; did you mean 'south'?"),
        ("a,table,gpu,log,1\n", "'table' is a lookup"),
    ):
        assert told in read(line, labelled)[0]


def test_dates_need_a_model_that_counts_in_years(read, tmp_path: Path):
    """Numbers of the model's own time do not."""
    monthly = model_from_text(LABELLED.replace("~ Year ~", "~ Month ~"))
    assert "but the model counts time in 'Month'" in read("a,Sold[north],gpu,log,1\n", monthly)[0]
    (tmp_path / "plain.csv").write_text("series,date,value\ngpu,2020,1\n", "utf-8")
    observations = read_observations(tmp_path / "plain.csv")
    (series,) = read_series(tmp_path / "tiny.series.csv", observations, monthly)
    assert series.times.tolist() == [2020]


def test_the_mapping_beside_a_model_is_found(tmp_path: Path):
    """`m.series.csv` beside `m.mdl`."""
    assert series_beside(tmp_path / "m.mdl") is None
    (tmp_path / "m.series.csv").write_text("", "utf-8")
    assert series_beside(tmp_path / "m.mdl") == tmp_path / "m.series.csv"


def test_the_mapping_of_the_project_holds(tmp_path: Path):
    """Every line of it reads, has a reason for its error, and leaves observations out only where another seller has none."""
    path = series_beside(MODELS / "ai_compute.mdl")
    assert path is not None
    series = read_series(
        path, read_observations(MODELS / "data" / "observations.csv"), read_model(MODELS / "ai_compute.mdl")
    )
    assert all(each.note for each in series)
    assert {each.name for each in series if each.left_out} <= {"token revenue"}
    chips = next(each for each in series if each.name == "chips sold")
    assert chips.times.size == 15
    assert np.all(np.diff(chips.values) > 0)
