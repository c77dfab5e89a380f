"""`sdmodel backtest`: the table, the stored result in other commands, resuming, and error messages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sdmodel.reading import read_model
from sdmodel.simulation import simulate
from sdmodel.store import open_run

CUTS = ("--cut", "2025", "--cut", "2027-07-02")
SHORT = ("--free", "cooling time=1:8", "--starts", "2", "--steps", "60", "--samples", "50", "--name", "bt")


@pytest.fixture
def observed(tea: Path) -> Path:
    """A project with yearly observations of the tea in two files, the second of which continues the first."""
    model = read_model("models/ai_compute.mdl")
    run = simulate(model, {"cooling time": 3.5})
    times = np.arange(2022.5, 2031)
    values = np.interp(times, run.time, run.tea_temperature) + np.random.default_rng(3).normal(0, 0.4, times.size)
    rows = [f"thermometer,{t!r},{v!r}\n" for t, v in zip(times.tolist(), values.tolist(), strict=True)]
    (tea / "models" / "data").mkdir()
    (tea / "models" / "data" / "observations.csv").write_text("series,date,value\n" + "".join(rows[:5]), "utf-8")
    (tea / "later.csv").write_text("series,date,value\n" + "".join(rows[5:]), "utf-8")
    (tea / "models" / "ai_compute.series.csv").write_text(
        "name,model,data,error,size,lag\ntea,Tea Temperature,thermometer,relative,1%,0.25\n", "utf-8"
    )
    return tea


DATA = ("-d", "models/data/observations.csv", "-d", "later.csv")


def test_backtest_prints_scores_and_other_commands_know_the_result(observed: Path, sdmodel):
    """A table by series and by horizon, a verdict, a figure, the errors; then show, plot, report and runs."""
    done = sdmodel("backtest", *CUTS, *DATA, *SHORT, "--horizon", "1", "--horizon", "3", "--plot", "--error", "e.csv")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        *["series", "n", "log", "CRPS", "persistence", "trend", "bias", "in", "50", "%", "in", "90", "%"],
        *["with", "error", "PIT"],
    ]
    assert [line.split()[:2] for line in lines[2:4]] == [["tea", "10"], ["all", "series"]]
    assert "10 forecasts: better than the last value" in done.stdout
    assert (observed / "runs" / "bt.png").stat().st_size > 5000
    errors = Path("e.csv").read_text("utf-8").splitlines()
    assert errors[1] == "series,model,last,horizon,forecasts,error"
    assert [line.split(",")[1:5] for line in errors[2:]] == [
        ["Tea Temperature", "2030.5", "1", "2"],
        ["Tea Temperature", "2030.5", "3", "4"],
        ["Tea Temperature", "2030.5", "", "4"],
    ]
    shown = sdmodel("show", "bt")
    assert shown.exit_code == 0, shown.output
    assert "10 forecasts: better than the last value" in shown.stdout
    record = json.loads(sdmodel("show", "bt", "--json").stdout)
    assert record["cuts"] == pytest.approx([2025, 2027.5], abs=0.01)
    assert record["scores"][-1]["count"] == 10
    assert 0 <= record["scores"][-1]["in_90"] <= record["scores"][-1]["in_90_with_error"] <= 1
    table = sdmodel("show", "bt", "--format", "csv").stdout.splitlines()
    assert len(table) == 1 + len(record["scores"])
    assert sdmodel("plot", "bt", "-o", "again.png").exit_code == 0
    assert sdmodel("plot", "bt", "--on", "tea", "-o", "one.png").exit_code == 0
    assert (
        "'cup' is not a series of the back-test; it has tea"
        in sdmodel("plot", "bt", "--on", "cup", "-o", "c.png").stderr
    )
    assert sdmodel("report", "bt", "-o", "page.html").exit_code == 0
    page = Path("page.html").read_text("utf-8")
    assert "Back-test bt" in page
    assert "Scores by series and horizon" in page
    assert "backtest" in sdmodel("runs").stdout


def test_an_unfinished_backtest_is_continued(observed: Path, sdmodel, monkeypatch: pytest.MonkeyPatch):
    """What is stored after the first cut is kept, and the numbers are those of an uninterrupted one."""
    words = ("backtest", *CUTS, *DATA, *SHORT)
    whole = sdmodel(*words)
    assert whole.exit_code == 0, whole.output
    expected = open_run("runs/bt.nc").load()
    part = expected.copy(deep=True)
    part["draws"][1], part["done"][1] = np.nan, 0
    from sdmodel.store import save_run

    save_run(part, "runs/bt.nc", force=True)
    assert "have not been run; continue with --resume" in sdmodel("show", "bt").stderr
    again = sdmodel(*words, "--resume")
    assert again.exit_code == 0, again.output
    np.testing.assert_array_equal(open_run("runs/bt.nc")["draws"].values, expected["draws"].values)
    other = sdmodel(*words, "--seed", "5", "--resume")
    assert other.exit_code == 1
    assert "start again with --force" in other.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cut", "soon"), "--cut: 'soon' is not a date; "),
        (("--cut", "2021"), "--cut 2021: nothing was published before this date"),
        (("--cut", "2025", "-d", "later.csv", "-d", "later.csv"), "has a value at this time in later.csv too"),
        (("--cut", "2025", "--since", "2040"), "--since, --until: no series has an observation between"),
    ],
)
def test_user_errors_are_one_line(observed: Path, sdmodel, words, message):
    """The exit code is 1 and nothing is stored."""
    done = sdmodel("backtest", *(word for word in SHORT), *words)
    assert done.exit_code == 1, done.output
    assert message in done.stderr
    assert not list((observed / "runs").glob("*")) if (observed / "runs").exists() else True


def test_fit_uses_observations_since_and_until(observed: Path, sdmodel):
    """Both ends are included, and a note says what is left out."""
    assert sdmodel("run", "--name", "base").exit_code == 0
    done = sdmodel("fit", "base", *DATA, "--since", "2024.5", "--until", "2026.5", "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["series"]
    assert row["count"] == 3
    assert row["log_crps"] > 0
    assert "6 outside --since and --until" in done.stderr


def test_bands_include_the_model_error_beside_the_model(observed: Path, sdmodel):
    """Tables and figures of ensembles say so, and the bands are wider after the last observation."""
    Path("cup.vsc").write_text("50,L,7,,0\ncooling time = RANDOM_UNIFORM(3,4)\n", "utf-8")
    words = ("ensemble", "-e", "cup.vsc", "--on", "Tea Temperature", "--name", "many", "--force", "--json")

    def bands():
        done = sdmodel(*words)
        assert done.exit_code == 0, done.output
        (found,) = json.loads(done.stdout)["headlines"]
        return found, done.stderr

    before, _ = bands()
    assert sdmodel("backtest", *CUTS, *DATA, *SHORT, "--error", "models/ai_compute.error.csv").exit_code == 0
    after, noted = bands()
    assert "bands of Tea Temperature include the model error of ai_compute.error.csv" in noted
    assert before != after
    assert sdmodel("show", "many", "--json").exit_code == 0
