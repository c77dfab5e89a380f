"""`sdmodel fit`: the table, the figure, notes and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sdmodel.ensemble import run_ensemble
from sdmodel.reading import read_model
from sdmodel.scenario import Sampling, Variation, make_design
from sdmodel.scenario.distributions import Distribution
from sdmodel.store import open_run

HEADER = "name,model,data,error,size,since\n"


@pytest.fixture
def measured(tea: Path, sdmodel) -> Path:
    """The tea project with measurements, one degree too high, and a stored run."""
    assert sdmodel("run", "--name", "base").exit_code == 0
    run = open_run(tea / "runs" / "base.nc")
    lines = [
        f"thermometer,{float(time)},{float(value) + 1}\n"
        for time, value in zip(run.time, run.tea_temperature, strict=True)
    ]
    (tea / "models" / "data").mkdir()
    (tea / "models" / "data" / "observations.csv").write_text("series,date,value\n" + "".join(lines[1:9]), "utf-8")
    (tea / "models" / "ai_compute.series.csv").write_text(
        f"{HEADER}tea,Tea Temperature,thermometer,absolute,1,\nlate,Tea Temperature,thermometer,log,0.1,2026\n", "utf-8"
    )
    return tea


def _json(done) -> dict:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_run_is_compared_with_observations_beside_its_model(measured: Path, sdmodel):
    """One line per series; the measures of a shift of one degree are known; shares need five observations."""
    done = sdmodel("fit", "base")
    assert done.exit_code == 0, done.output
    header, _, tea, late = done.stdout.splitlines()[:4]
    assert header.split() == [
        "series",
        "units",
        "error",
        "n",
        *["MAPE", "%", "RMSE", "MAE", "bias", "R2", "Um", "Us", "Uc", "log", "CRPS", "last", "trend"],
    ]
    assert tea.split()[:5] == ["tea", "°F", "absolute", "1", "8"]
    assert tea.split()[6:13] == ["1", "1", "-1", "1.00", "1.00", "0.00", "0.00"]
    assert late.split()[:5] == ["late", "°F", "log", "0.1", "1"]
    assert len(late.split()) == 10
    assert done.stderr == "'late': observations used: 1; not used: 7 outside since and until\n"


def test_fit_json_has_the_same_numbers(measured: Path, sdmodel):
    """Missing numbers are null."""
    output = _json(sdmodel("fit", "base", "--json"))
    tea, late = output["series"]
    assert (tea["name"], tea["count"], tea["error"], tea["size"]) == ("tea", 8, "absolute", 1)
    assert (tea["rmse"], tea["um"]) == (pytest.approx(1), pytest.approx(1))
    assert (tea["bands"], tea["crps"], late["r2"]) == ([], None, None)
    assert (output["members"], output["not_finite"], output["run"], output["figure"]) == (1, 0, "base", None)


def test_other_observation_files_may_be_given(measured: Path, sdmodel):
    """For a model without observations and mapping beside it."""
    for name in ("ai_compute.series.csv", "data/observations.csv"):
        (measured / "models" / name).rename(measured / Path(name).name)
    missing = sdmodel("fit", "base")
    assert missing.exit_code == 1
    assert missing.stderr == (
        "models/ai_compute.mdl: has no file ai_compute.series.csv beside it; write one, or name another with --series\n"
    )
    half = sdmodel("fit", "base", "--series", "ai_compute.series.csv")
    assert (
        half.stderr
        == "models/ai_compute.mdl: has no observations beside it in data/observations.csv; name them with -d FILE\n"
    )
    output = _json(sdmodel("fit", "base", "-d", "observations.csv", "--series", "ai_compute.series.csv", "--json"))
    assert output["series"][0]["count"] == 8


def test_fit_figure_is_not_replaced_without_force(measured: Path, sdmodel):
    """The error comes before any work."""
    done = sdmodel("fit", "base", "--plot")
    assert done.stdout.endswith("plotted in runs/base-fit.png\n")
    assert (measured / "runs" / "base-fit.png").read_bytes().startswith(b"\x89PNG")
    again = sdmodel("fit", "base", "--plot")
    assert (again.exit_code, again.stderr) == (
        1,
        "runs/base-fit.png: exists already; move it away, or --force to replace it\n",
    )
    assert sdmodel("fit", "base", "--plot", "--force").exit_code == 0


def test_ensemble_fit_has_bands_and_scores(measured: Path, sdmodel):
    """Shares inside the requested bands; a wide predictive band holds every observation."""
    model = read_model("models/ai_compute.mdl")
    room = Variation("room temperature", (), Distribution("RANDOM_UNIFORM", (60.0, 80.0)))
    design = make_design(model, Sampling("latin hypercube", 50, 1, (room,)))
    run_ensemble(model, design, "runs/many.zarr", save=["Tea Temperature"])
    done = sdmodel("fit", "many", "--bands", "80")
    assert "in 80 %" in done.stdout.splitlines()[0]
    assert "errors are those of the median of 50 members" in done.stderr
    tea = _json(sdmodel("fit", "many", "--bands", "80,99", "--json"))["series"][0]
    assert [band["probability"] for band in tea["bands"]] == [0.8, 0.99]
    assert tea["bands"][1]["predictive_coverage"] == 1
    assert 0 < tea["crps"] < tea["bands"][1]["width"]
    assert np.isclose(tea["predictive_crps"], _json(sdmodel("fit", "many", "--json"))["series"][0]["predictive_crps"])


def test_the_figure_of_an_ensemble_at_an_address_is_in_the_folder_of_runs(measured: Path, sdmodel):
    """Since only ensembles are stored at addresses."""
    pytest.importorskip("upath", reason="needs universal-pathlib")
    model = read_model("models/ai_compute.mdl")
    room = Variation("room temperature", (), Distribution("RANDOM_UNIFORM", (60.0, 80.0)))
    design = make_design(model, Sampling("latin hypercube", 2, 1, (room,)))
    run_ensemble(model, design, "memory://measured/far.zarr", save=["Tea Temperature"])
    done = sdmodel("fit", "memory://measured/far.zarr", "--plot")
    assert done.stdout.endswith("plotted in runs/far-fit.png\n")
    assert sdmodel("plot", "memory://measured/far.zarr").stdout == "plotted in runs/far.png\n"


def test_run_without_an_observed_variable_is_reported(measured: Path, sdmodel):
    """One line, with the place in the mapping that needs it."""
    (measured / "few.lst").write_text("heat loss\n", "utf-8")
    sdmodel("run", "--save", "few.lst", "--name", "few")
    done = sdmodel("fit", "few")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-2].startswith(
        "models/ai_compute.series.csv:2:1: 'tea': 'tea temperature' is not in the run; "
    )


def test_faults_of_both_files_are_one_line_each(measured: Path, sdmodel):
    """Each has file, line and column."""
    data = measured / "models" / "data" / "observations.csv"
    data.write_text(data.read_text("utf-8") + "thermometer,2027,warm\n", "utf-8")
    done = sdmodel("fit", "base")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "models/data/observations.csv:10:18: 'warm' is not a number; write one such as 0.45 or 2e9\n"


@pytest.mark.parametrize("bands", ["0", "100", "50,", "wide", "nan", "-5"])
def test_invalid_bands_are_usage_errors(measured: Path, sdmodel, bands: str):
    """The exit code is 2."""
    done = sdmodel("fit", "base", "--bands", bands)
    assert done.exit_code == 2
    assert "is not a list of percentages between 0 and 100" in done.stderr


def test_fit_of_series_chosen_by_name(measured: Path, sdmodel):
    """Only these are printed; an unknown name is reported with the nearest one."""
    output = _json(sdmodel("fit", "base", "--on", "Tea", "--json"))
    assert [series["name"] for series in output["series"]] == ["tea"]
    wrong = sdmodel("fit", "base", "--on", "tee")
    assert wrong.exit_code == 1
    assert wrong.stderr == "--on: 'tee' is not a series; did you mean 'tea'?\n"


def test_series_of_unsaved_variables_are_skipped_with_a_note(measured: Path, sdmodel):
    """An ensemble stores only the requested variables and is compared with their series."""
    (measured / "few.lst").write_text("heat loss\n", "utf-8")
    mapping = measured / "models" / "ai_compute.series.csv"
    mapping.write_text(
        f"{HEADER}tea,Tea Temperature,thermometer,absolute,1,\nloss,heat loss,thermometer/10,absolute,1,\n",
        "utf-8",
    )
    assert sdmodel("run", "--name", "part", "--save", "few.lst").exit_code == 0
    done = sdmodel("fit", "part", "--json")
    assert [series["name"] for series in _json(done)["series"]] == ["loss"]
    assert done.stderr == "'tea': left out, since run 'part' was stored without its variables\n"
