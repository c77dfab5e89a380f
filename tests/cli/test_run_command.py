"""`sdmodel run`: the stored run, its headline variables, JSON and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from sdmodel.cli.options import RunOptions
from sdmodel.cli.views.headlines import round_times
from sdmodel.store import open_run
from sdmodel.testing import model_text


def test_run_stores_a_run_and_prints_its_headlines(tea: Path, sdmodel):
    """Runs the default model; prints its stocks by year and where the run is stored."""
    done = sdmodel("run")
    assert done.exit_code == 0, done.output
    header, _, line = done.stdout.splitlines()[:3]
    assert header.split() == ["Time", "(Year)", "units", *map(str, range(2022, 2033))]
    assert line.split()[:4] == ["Tea", "Temperature", "°F", "180"]
    assert "stored as runs/ai_compute.nc" in done.stdout
    run = open_run(tea / "runs" / "ai_compute.nc")
    assert run.tea_temperature.values[-1] == pytest.approx(70 + 110 * (1 - 0.125 / 2.5) ** 80)


def test_scenario_and_changes_are_applied_in_order_and_recorded(tea: Path, sdmodel):
    """`--set` comes after the change files; the run is named after its scenario."""
    sdmodel("run", "-c", "models/scenarios/cold.cin", "--set", "Cooling_Time = 1", "--integrator", "rk4")
    run = open_run(tea / "runs" / "cold.nc")
    assert (float(run.room_temperature), float(run.cooling_time)) == (50, 1)
    assert run.attrs["scenario_name"] == "cold"
    assert "room temperature = 50" in run.attrs["scenario"]
    assert run.attrs["changes"] == "Cooling_Time = 1"
    assert run.attrs["integrator"] == "rk4"


def test_a_change_of_a_text_chooses_a_file(tea: Path, sdmodel):
    """For all commands that take change files, though the file that the model names is not there; `rerun` repeats the run."""
    equations = "c = GET DIRECT CONSTANTS(source, ',', 'A1')\nstock = INTEG(c*f, 0)\nf = 1\nsource :IS: 'none.csv'"
    (tea / "m.mdl").write_text(model_text(equations), "utf-8")
    (tea / "x.csv").write_text("7\n", "utf-8")
    (tea / "x.cin").write_text("source :IS: 'x.csv'\n", "utf-8")
    assert "m.mdl:3:5: 'none.csv': there is no such file" in sdmodel("run", "m.mdl").stderr
    for words in (["run"], ["check"], ["sweep", "--lever", "f=1,2"], ["rank", "--on", "stock", "--lever", "f=1:2"]):
        done = sdmodel(*words[:1], "m.mdl", *words[1:], "-c", "x.cin")
        assert done.exit_code == 0, done.output
    assert float(open_run(tea / "runs" / "x.nc").c) == 7
    assert sdmodel("rerun", "x").exit_code == 0
    sdmodel("run", "m.mdl", "-c", "x.cin", "--set", "f = 2", "--name", "y")
    assert sdmodel("compare", "x", "y").exit_code == 0
    lever = sdmodel("attribute", "m.mdl", "-c", "x.cin", "--from", "x.cin", "--set", "f = 2", "--on", "stock")
    assert lever.exit_code == 0, lever.output
    (tea / "wrong.cin").write_text("sources :IS: 'x.csv'\n", "utf-8")
    wrong = sdmodel("run", "m.mdl", "-c", "wrong.cin")
    assert wrong.stderr == "wrong.cin:1:1: 'sources' is not a string variable of the model; did you mean 'source'?\n"


def test_default_run_names_are_numbered_and_given_names_protected(tea: Path, sdmodel):
    """Without `--force` a given name is never overwritten; the error comes before any work."""
    for _ in range(2):
        assert sdmodel("run").exit_code == 0
    assert sdmodel("run", "--name", "mine").exit_code == 0
    again = sdmodel("run", "--name", "mine", "--set", "room temperature = 60")
    assert again.exit_code == 1
    assert again.stderr == "runs/mine.nc: exists already; choose another --name, or --force to replace it\n"
    assert sdmodel("run", "--name", "mine", "--set", "room temperature = 60", "--force").exit_code == 0
    assert sorted(path.stem for path in (tea / "runs").iterdir()) == ["ai_compute", "ai_compute-2", "mine"]
    assert float(open_run(tea / "runs" / "mine.nc").room_temperature) == 60


def test_save_list_beside_the_model_names_the_headlines(tea: Path, sdmodel):
    """They replace the stocks in every later output of the run; an unknown name is reported and skipped."""
    (tea / "models" / "ai_compute.lst").write_text("heat loss\nheat lost\n")
    done = sdmodel("run", "--json")
    assert [line["name"] for line in json.loads(done.stdout)["headlines"]] == ["heat loss"]
    assert "the model has no heat lost" in done.stderr
    shown = json.loads(sdmodel("show", "ai_compute", "--json").stdout)
    assert [line["name"] for line in shown["headlines"]] == ["heat loss"]


def test_save_limits_the_stored_variables(tea: Path, sdmodel):
    """Only the variables in the list are stored."""
    (tea / "wrong.lst").write_text("Tea Temperature\nTea Temperatures\n")
    done = sdmodel("run", "--save", "wrong.lst")
    assert done.exit_code == 1
    assert done.stderr == "wrong.lst:2:1: 'Tea Temperatures' is not in the model; did you mean 'Tea Temperature'?\n"
    (tea / "few.lst").write_text("Tea Temperature\n")
    assert sdmodel("run", "--save", "few.lst").exit_code == 0
    assert list(open_run(tea / "runs" / "ai_compute.nc").data_vars) == ["tea_temperature"]


def test_a_save_list_is_read_once(tea: Path):
    """So that it may come from a pipe."""
    path = tea / "few.lst"
    path.write_text("Tea Temperature\n")
    request = RunOptions(savelist=str(path)).request()
    path.unlink()
    assert "Tea Temperature" in request.load_model()
    assert request.save == ("Tea Temperature",)


def test_run_plots_the_headlines(tea: Path, sdmodel):
    """The figure is stored beside the run."""
    done = sdmodel("run", "--plot", "--name", "a")
    assert "plotted in runs/a.png" in done.stdout
    assert (tea / "runs" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_all_of_stdout(tea: Path, sdmodel):
    """Programs read only JSON on stdout, whatever notes are on stderr."""
    output = json.loads(sdmodel("run", "--json").stdout)
    assert output["run"] == "ai_compute"
    assert output["headlines"][0]["values"][0] == 180
    (tea / "runs" / "broken.nc").write_text("no run")
    assert [run["run"] for run in json.loads(sdmodel("runs", "--json").stdout)] == ["ai_compute"]
    assert len(json.loads(sdmodel("show", "ai_compute", "--json").stdout)["variables"]) == 8
    assert json.loads(sdmodel("rerun", "ai_compute", "--json").stdout)["equal"] is True


def test_run_that_is_not_finite_is_stored_and_exits_with_one(tea: Path, sdmodel):
    """The numbers before that time help to find the cause; the exit code stops a script."""
    done = sdmodel("run", "--set", "cooling time = 0", "--name", "broken")
    assert done.exit_code == 1
    assert re.search(r"^run 'broken': '.*' is not finite from time 2022.*\n\Z", done.stderr, re.MULTILINE)
    assert not np.isfinite(open_run(tea / "runs" / "broken.nc").tea_temperature.values[-1])


def test_long_scenario_names_are_shortened_in_run_names(tea: Path, sdmodel):
    """The run is stored whatever the change files are called."""
    for letter in "ab":
        (tea / f"{letter * 150}.cin").write_text("room temperature = 60\n")
    done = sdmodel("run", "-c", f"{'a' * 150}.cin", "-c", f"{'b' * 150}.cin")
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tea / "runs").iterdir()] == [f"{'a' * 120}.nc"]
    assert sdmodel("rerun", "a" * 120).exit_code == 0


def test_failed_figure_says_that_the_run_is_stored(tea: Path, sdmodel):
    """The user need not run the model again."""
    (tea / "runs" / "a.png").mkdir(parents=True)
    done = sdmodel("run", "--name", "a", "--plot")
    assert done.exit_code == 1
    assert done.stderr.startswith("run 'a': is stored as runs/a.nc, but runs/a.png: exists already; ")
    assert open_run("runs/a.nc").sizes["time"] == 21


def test_unquoted_change_is_shown_with_quotes(tea: Path, sdmodel):
    """The shell has split it, but the intended words are clear."""
    for words in (["room", "temperature", "=", "60"], ["room", "temperature=60"], ["room", "=", "60"]):
        done = sdmodel("run", "--set", *words)
        assert done.exit_code == 2
        assert f'put the change in quotes: --set "{" ".join(words)}"' in done.stderr
    assert "unexpected extra arguments (b)" in sdmodel("run", "a", "b").stderr
    assert not (tea / "runs").exists()


def test_runs_are_stored_in_the_project_from_any_folder(tea: Path, sdmodel, monkeypatch: pytest.MonkeyPatch):
    """In a subfolder, the default model and the runs folder are still the project's; `--runs` names another folder."""
    (tea / "notes").mkdir()
    monkeypatch.chdir(tea / "notes")
    assert sdmodel("run").exit_code == 0
    assert (tea / "runs" / "ai_compute.nc").is_file()
    assert sdmodel("run", "--runs", "here").exit_code == 0
    assert Path("here", "ai_compute.nc").is_file()
    assert sdmodel("show", "ai_compute").exit_code == 0


@pytest.mark.parametrize(
    ("last", "columns", "shown"),
    [(10, 3, [0, 5, 10]), (10, 4, [0, 5, 10]), (30, 3, [0, 15, 30]), (10, 6, [0, 2, 4, 6, 8, 10])],
)
def test_headline_times_are_evenly_spaced_if_possible(last: int, columns: int, shown: list[int]):
    """A table with uneven steps is easily misread."""
    times = np.linspace(0, last, 8 * last + 1)
    assert times[round_times(times, columns)].tolist() == shown


@pytest.mark.parametrize("columns", range(3, 30))
def test_headline_times_are_round_and_fill_the_width(columns: int):
    """The first and the last time are always among them."""
    times = np.linspace(2022, 2032, 81)
    shown = times[round_times(times, columns)]
    assert len(shown) <= columns
    assert (shown[0], shown[-1]) == (2022, 2032)
    assert columns < 11 or set(shown) >= set(range(2022, 2033))


def test_data_files_reach_the_model_and_are_recorded(tea: Path, sdmodel):
    """`--data` and `--allow-files`; without them the run says what is missing. A changed file is noticed by `rerun`."""
    model = tea / "models" / "ai_compute.mdl"
    text = model.read_text("utf-8").replace("room temperature = 70", "room temperature :INTERPOLATE:")
    model.write_text(
        text.replace("cooling time = 2.5", "cooling time = GET DIRECT CONSTANTS('../numbers.csv', ',', 'B1')"), "utf-8"
    )
    (tea / "numbers.csv").write_text("cooling time,2\n", "utf-8")
    (tea / "room.tab").write_text("Time\troom temperature\n2022\t60\n2032\t80\n", "utf-8")
    refused = sdmodel("run", "--data", "room.tab")
    assert refused.exit_code == 1
    assert "'../numbers.csv': the file is outside of the model's folder" in refused.stderr
    lacking = sdmodel("run", "--allow-files", ".")
    assert lacking.exit_code == 1
    assert lacking.stderr.count("\n") == 1
    assert (
        "'room temperature' is a data variable without data; give a file that has it with --data FILE" in lacking.stderr
    )
    given = ("--data", "room.tab", "--allow-files", ".")
    assert sdmodel("run", *given, "--name", "warm").exit_code == 0
    run = open_run(tea / "runs" / "warm.nc")
    assert (float(run.room_temperature[-1]), float(run.cooling_time)) == (80, 2)
    assert [line.split()[1] for line in run.attrs["sources"].splitlines()] == ["../numbers.csv", "*../room.tab"]
    assert sdmodel("rerun", "warm").exit_code == 0
    assert sdmodel("check", *given, "--level", "error", "--json").stdout.strip() == "[]"
    (tea / "room.tab").write_text("Time\troom temperature\n2022\t61\n2032\t80\n", "utf-8")
    changed = sdmodel("rerun", "warm")
    assert changed.exit_code == 1
    assert changed.stderr == (
        "run 'warm': models/../room.tab, which it has data from, has changed since; restore the file, or make the run again\n"
    )
