"""Exports for other programs: they read what was simulated, to the last digit."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sdmodel.errors import DatasetError, StoreError
from sdmodel.simulation import simulate
from sdmodel.store import EXPORT_ENDINGS, export_run, open_run, to_pandas
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_data

MODEL = """
d: North, "Far, South"
rate[d] = 0.1, 0.3
"odd/name (€)"[d] = INTEG(rate[d]*"odd/name (€)"[d], 1/3)
gone = IF THEN ELSE(Time > 3, :NA:, SQRT(3 - Time))
constant = 0.1
"""


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    return simulate(tiny_model(MODEL))


@pytest.mark.parametrize("ending", [".csv", ".tab", ".dat"])
def test_vensims_reader_reads_every_number_back(run, ending, tmp_path: Path):
    """Names with labels, times and values; missing values are left out, and a constant has one number in .dat."""
    series = read_data(export_run(run, tmp_path / f"run{ending}"))
    assert len(series) == 10
    grown = series['"odd/name (€)"[North]']
    np.testing.assert_array_equal(grown.times, run["time"])
    np.testing.assert_array_equal(grown.values, run["odd_name"].sel(d="North"))
    np.testing.assert_array_equal(series["gone"].values, run["gone"][:4])
    assert set(series["constant"].values) == {0.1}
    assert len(series["constant"].values) == (1 if ending == ".dat" else 11)


@pytest.mark.parametrize("ending", [".nc", ".zarr"])
def test_netcdf_and_zarr_keep_dimensions_and_attributes(run, ending, tmp_path: Path):
    """Xarray opens both."""
    path = export_run(run, tmp_path / f"run{ending}", names=["odd/name (€)", "constant"])
    opened = open_run(path) if ending == ".nc" else xr.open_zarr(path, chunks=None, consolidated=False)
    assert set(opened.data_vars) == {"odd_name", "constant"}
    np.testing.assert_array_equal(opened["odd_name"], run["odd_name"])
    assert list(opened["d"].values) == ["North", "Far, South"]
    assert opened.attrs["model_sha256"] == run.attrs["model_sha256"]


def test_a_long_table_has_one_line_per_number(run, tmp_path: Path):
    """A constant has one, without a time; one label may be selected."""
    path = export_run(run, tmp_path / "run.csv", names=["odd/name (€)[North]", "constant"], long=True)
    rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    assert rows[0] == ["variable", "time", "value", "units"]
    assert len(rows) == 1 + 11 + 1
    assert rows[-1] == ["constant", "", "0.1", ""]
    assert [float(row[2]) for row in rows[1:-1]] == list(run["odd_name"].sel(d="North").values)


def test_few_members_are_columns_of_a_table(tmp_path: Path):
    """Many need a long table, or a format with dimensions."""
    model = tiny_model("a = 2\nb = a*Time")
    few, many = (simulate(model, {"a": np.arange(count, dtype=float)}) for count in (3, 60))
    header, *rows = csv.reader(export_run(few, tmp_path / "few.csv", names=["b"]).read_text("utf-8").splitlines())
    assert header == ["Time", "b member=0", "b member=1", "b member=2"]
    np.testing.assert_array_equal(np.array(rows, dtype=float)[:, 1:], few["b"])
    with pytest.raises(StoreError, match="60 members are too many columns"):
        export_run(many, tmp_path / "many.csv")
    with pytest.raises(StoreError, match="holds one run, not 3 members"):
        export_run(few, tmp_path / "few.dat")
    long = export_run(many, tmp_path / "long.tab", names=["b"], long=True).read_text("utf-8").splitlines()
    assert len(long) == 1 + 60 * 11


HERE = [ending for ending in EXPORT_ENDINGS if ending != ".parquet" or find_spec("pyarrow")]


@pytest.mark.parametrize("ending", [".xlsx", ".parquet"])
@pytest.mark.parametrize("long", [False, True])
def test_pandas_reads_every_number_back(run, ending, long, tmp_path: Path):
    """The table that `to_pandas` returns; missing values are empty."""
    if ending not in HERE:
        pytest.skip("needs pyarrow")
    path = export_run(run, tmp_path / f"run{ending}", long=long)
    read = (
        pd.read_parquet(path)
        if ending == ".parquet"
        else pd.read_excel(path, index_col=None if long else 0, engine="openpyxl")
    )
    table = to_pandas(run, long=long)
    if long:
        assert list(table.columns) == ["variable", "time", "value", "units"]
        own = table[table["variable"] == '"odd/name (€)"[North]']
        np.testing.assert_array_equal(own["value"], run["odd_name"].sel(d="North"))
        assert table[table["variable"] == "constant"]["value"].tolist() == [0.1]
    else:
        np.testing.assert_array_equal(table["constant"], np.full(11, 0.1))
        np.testing.assert_array_equal(table["gone"], np.where(run["time"] > 3, np.nan, run["gone"]))
        assert table.index.name == read.index.name == "Time"
    pd.testing.assert_frame_equal(
        read.fillna({"units": ""}) if long else read,
        table,
        check_dtype=False,
        check_index_type=False,
        rtol=1e-15 if ending == ".xlsx" else 0,
    )


def test_members_are_columns_or_rows_of_a_pandas_table():
    """With their labels."""
    few = simulate(tiny_model("a = 2\nb = a*Time"), {"a": [1.0, 2.0]})
    assert list(to_pandas(few, ["b"]).columns) == ["b member=0", "b member=1"]
    long = to_pandas(few, ["b"], long=True)
    np.testing.assert_array_equal(long[long["member"] == "member=1"]["value"], few["b"].sel(member=1))


@pytest.mark.parametrize("ending", HERE)
def test_exports_overwrite_nothing_unless_forced(run, ending, tmp_path: Path):
    """In any format."""
    path = export_run(run, tmp_path / f"run{ending}")
    with pytest.raises(StoreError, match="exists already"):
        export_run(run, path)
    export_run(run, path, names=["constant"], force=True)


def test_impossible_exports_are_reported(run, tmp_path: Path):
    """An unknown ending, an unknown name, a folder that is a file."""
    with pytest.raises(StoreError, match=r"the supported endings are \.csv"):
        export_run(run, tmp_path / "run.xls")
    with pytest.raises(DatasetError, match="did you mean 'constant'"):
        export_run(run, tmp_path / "run.csv", names=["constent"])
    (tmp_path / "file").write_text("")
    for ending in HERE:
        with pytest.raises(StoreError, match=r"cannot be written \((?!None|\[Errno)[^)]+\)"):  # the reason in words
            export_run(run, tmp_path / "file" / f"run{ending}")
