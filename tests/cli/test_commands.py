"""The commands as users type them: what they print, where it goes, what they leave behind, how they end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import numpy as np
import pytest

from sdmodel.cli import main
from sdmodel.cli.views.headlines import round_times
from sdmodel.simulation import simulate
from sdmodel.store import open_run, save_run
from sdmodel.vensim import model_from_text, read_model

BAD_NAMES = ("../a", "x" * 300, "a\0b", "a\nb", "a\x1bb", "a*", " ", "", " a", "a\\b")


def test_run_stores_a_run_and_prints_its_headlines(tea: Path, sdmodel):
    """The default model, its stocks by year, and where the run is."""
    done = sdmodel("run")
    assert done.exit_code == 0, done.output
    header, _, line = done.stdout.splitlines()[:3]
    assert header.split() == ["Time", "(Year)", "units", *map(str, range(2022, 2033))]
    assert line.split()[:4] == ["Tea", "Temperature", "°F", "180"]
    assert "stored as runs/ai_compute.nc" in done.stdout
    run = open_run(tea / "runs" / "ai_compute.nc")
    assert run.tea_temperature.values[-1] == pytest.approx(70 + 110 * (1 - 0.125 / 2.5) ** 80)


def test_a_scenario_and_changes_are_applied_in_turn_and_recorded(tea: Path, sdmodel):
    """`--set` comes after the change files; the run is called after its scenario."""
    sdmodel("run", "-c", "models/scenarios/cold.cin", "--set", "Cooling_Time = 1", "--integrator", "rk4")
    run = open_run(tea / "runs" / "cold.nc")
    assert (float(run.room_temperature), float(run.cooling_time)) == (50, 1)
    assert run.attrs["scenario_name"] == "cold"
    assert "room temperature = 50" in run.attrs["scenario"]
    assert run.attrs["changes"] == "Cooling_Time = 1"
    assert run.attrs["integrator"] == "rk4"


def test_default_names_are_numbered_and_given_names_are_kept(tea: Path, sdmodel):
    """A name that was chosen is never overwritten without force, and says so before any work."""
    for _ in range(2):
        assert sdmodel("run").exit_code == 0
    assert sdmodel("run", "--name", "mine").exit_code == 0
    again = sdmodel("run", "--name", "mine", "--set", "room temperature = 60")
    assert again.exit_code == 1
    assert again.stderr == "runs/mine.nc: exists already; choose another --name, or --force to replace it\n"
    assert sdmodel("run", "--name", "mine", "--set", "room temperature = 60", "--force").exit_code == 0
    assert sorted(each.stem for each in (tea / "runs").iterdir()) == ["ai_compute", "ai_compute-2", "mine"]
    assert float(open_run(tea / "runs" / "mine.nc").room_temperature) == 60


def test_a_save_list_beside_the_model_names_the_headlines(tea: Path, sdmodel):
    """They replace the stocks, here and in whatever shows the run later; a wrong name is told and skipped."""
    (tea / "models" / "ai_compute.lst").write_text("heat loss\nheat lost\n")
    done = sdmodel("run", "--json")
    assert [line["name"] for line in json.loads(done.stdout)["headlines"]] == ["heat loss"]
    assert "the model has no heat lost" in done.stderr
    shown = json.loads(sdmodel("show", "ai_compute", "--json").stdout)
    assert [line["name"] for line in shown["headlines"]] == ["heat loss"]


def test_save_limits_what_is_stored(tea: Path, sdmodel):
    """Only what the list names is in the file."""
    (tea / "few.lst").write_text("Tea Temperature\n")
    assert sdmodel("run", "--save", "few.lst").exit_code == 0
    assert list(open_run(tea / "runs" / "ai_compute.nc").data_vars) == ["tea_temperature"]


def test_run_draws_what_it_prints(tea: Path, sdmodel):
    """The figure stands beside the run."""
    done = sdmodel("run", "--plot", "--name", "a")
    assert "plotted in runs/a.png" in done.stdout
    assert (tea / "runs" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_all_of_stdout(tea: Path, sdmodel):
    """What a machine reads is JSON and nothing else, whatever is told beside it."""
    told = json.loads(sdmodel("run", "--json").stdout)
    assert told["run"] == "ai_compute"
    assert told["headlines"][0]["values"][0] == 180
    (tea / "runs" / "broken.nc").write_text("no run")
    assert [run["run"] for run in json.loads(sdmodel("runs", "--json").stdout)] == ["ai_compute"]
    assert len(json.loads(sdmodel("show", "ai_compute", "--json").stdout)["variables"]) == 8
    assert json.loads(sdmodel("rerun", "ai_compute", "--json").stdout)["equal"] is True


def test_a_run_that_is_not_finite_is_stored_and_ends_with_one(tea: Path, sdmodel):
    """The numbers up to there may tell why; the exit code stops a script."""
    done = sdmodel("run", "--set", "cooling time = 0", "--name", "broken")
    assert done.exit_code == 1
    assert re.search(r"^run 'broken': '.*' is not finite from time 2022.*\n\Z", done.stderr, re.MULTILINE)
    assert not np.isfinite(open_run(tea / "runs" / "broken.nc").tea_temperature.values[-1])


def test_runs_lists_runs_and_names_what_is_none(tea: Path, sdmodel):
    """A folder without runs is told too."""
    assert "holds no runs yet" in sdmodel("runs").stderr
    sdmodel("run", "-c", "models/scenarios/cold.cin", "--set", "cooling time = 1")
    (tea / "runs" / "broken.nc").write_text("no run")
    done = sdmodel("runs")
    assert done.exit_code == 0
    assert re.search(
        r"cold +\d{4}-\d\d-\d\d \d\d:\d\d +ai_compute.mdl +\w{8} +cold +cooling time = 1 +euler", done.stdout
    )
    assert "broken.nc: cannot be read" in done.stderr


def test_show_tells_where_a_run_comes_from_and_every_variable(tea: Path, sdmodel):
    """Metadata, changes, headlines, constants once and as they are written, start and end of everything else."""
    sdmodel("run", "--set", "cooling time = 1", "--set", "room temperature = 2025.75", "--name", "a")
    shown = sdmodel("show", "a").stdout
    assert re.search(r"changes +cooling time = 1", shown)
    assert re.search(r"Tea Temperature +stock +°F +180 +2,026", shown)
    assert re.search(r"room temperature +2025.75 +°F\n", shown)
    assert re.search(r"INITIAL TIME +2022 +Year\n", shown)


def test_rerun_needs_only_the_record(tea: Path, sdmodel):
    """The same numbers to the last digit, though the model has changed and its scenario is gone."""
    sdmodel("run", "-c", "models/scenarios/cold.cin", "--set", "cooling time = 1", "--name", "a")
    (tea / "models" / "scenarios" / "cold.cin").unlink()
    model = tea / "models" / "ai_compute.mdl"
    model.write_text(model.read_text("utf-8").replace("180", "90"), "utf-8")
    done = sdmodel("rerun", "a")
    assert done.exit_code == 0, done.output
    assert "all 8 variables are equal" in done.stdout
    assert [each.name for each in (tea / "runs").iterdir()] == ["a.nc"]


def test_rerun_tells_the_largest_difference(tea: Path, sdmodel):
    """One number changed by hand is found, with its time, and ends with 1."""
    sdmodel("run", "--name", "a")
    run = open_run(tea / "runs" / "a.nc")
    run.tea_temperature.values[4] += 18
    save_run(run, tea / "runs" / "a.nc", force=True)
    done = sdmodel("rerun", "a")
    assert done.exit_code == 1
    assert done.stdout == "run 'a': 'Tea Temperature' differs most, by 18 at 2024, 10 % of its largest value\n"


def test_rerun_without_the_text_of_the_model_says_what_to_do(tea: Path, sdmodel):
    """A record that cannot be trusted is not used."""
    sdmodel("run", "--name", "a")
    run = open_run(tea / "runs" / "a.nc").assign_attrs(model_text="something else")
    save_run(run, tea / "runs" / "a.nc", force=True)
    done = sdmodel("rerun", "a")
    assert done.exit_code == 1
    assert "does not hold the text of its model; run models/ai_compute.mdl again" in done.stderr


def test_levers_are_the_groups_of_levers(tea: Path, sdmodel):
    """Value, range, units and what the author says, kind by kind."""
    levers = json.loads(sdmodel("levers", "--json").stdout)
    assert [(each["name"], each["kind"]) for each in levers] == [
        ("room temperature", "policy lever"), ("cooling time", "uncertainty"),
    ]  # fmt: skip
    room = levers[0]
    assert (room["values"], room["minimum"], room["maximum"], room["step"], room["units"]) == ([70], 40, 100, 5, "°F")
    assert room["meaning"] == "judgement: a warm room. Low 60, high 80."
    assert re.search(r"uncertainty .*\n.*\n *cooling time +2.5 +0.5 to any +Year", sdmodel("levers").stdout)


def test_without_groups_constants_with_a_range_are_levers(tea: Path, sdmodel):
    """Of any model, then; its clock is no lever."""
    model = tea / "models" / "ai_compute.mdl"
    text = model.read_text("utf-8").replace(".Policy levers", ".Tea").replace(".Uncertainties", ".Tea too")
    model.write_text(text, "utf-8")
    assert [each["name"] for each in json.loads(sdmodel("levers", "--json").stdout)] == [
        "room temperature",
        "cooling time",
    ]


def test_a_run_made_from_a_text_is_made_again(tea: Path, sdmodel):
    """A model need not be a file: the run holds its text, and what was changed."""
    text = (tea / "models" / "ai_compute.mdl").read_text("utf-8")
    run = simulate(model_from_text(text), {"room temperature": 60})
    save_run(run, "runs/text.nc")
    done = sdmodel("rerun", "text")
    assert (done.exit_code, done.stdout[:28]) == (0, "run 'text': all 8 variables "), done.output
    assert float(run.room_temperature) == 60


def test_long_names_of_scenarios_make_a_shorter_name_of_a_run(tea: Path, sdmodel):
    """Change files may be called what they like; the run is stored."""
    for letter in "ab":
        (tea / f"{letter * 150}.cin").write_text("room temperature = 60\n")
    done = sdmodel("run", "-c", f"{'a' * 150}.cin", "-c", f"{'b' * 150}.cin")
    assert done.exit_code == 0, done.output
    assert [each.name for each in (tea / "runs").iterdir()] == [f"{'a' * 120}.nc"]
    assert sdmodel("rerun", "a" * 120).exit_code == 0


def test_names_in_a_record_lead_nowhere(tea: Path, sdmodel):
    """A stored run may come from anyone: what it calls its model and its scenario is no path to write to."""
    sdmodel("run", "--name", "a")
    named = {"scenario_name": str(tea / "outside"), "model": ".."}
    save_run(open_run("runs/a.nc").assign_attrs(named), "runs/a.nc", force=True)
    assert sdmodel("rerun", "a").exit_code == 0
    assert not (tea / "outside.cin").exists()


def test_a_figure_that_cannot_be_drawn_says_that_the_run_is_stored(tea: Path, sdmodel):
    """Nobody should run it again for that."""
    (tea / "runs" / "a.png").mkdir(parents=True)
    done = sdmodel("run", "--name", "a", "--plot")
    assert done.exit_code == 1
    assert done.stderr.startswith("run 'a': is stored as runs/a.nc, but runs/a.png: exists already; ")
    assert open_run("runs/a.nc").sizes["time"] == 21


def test_plot_by_a_word_of_a_name_offers_the_names(tea: Path, sdmodel):
    """A short word is near to no name, but stands in some."""
    sdmodel("run", "--name", "a")
    told = sdmodel("plot", "a", "--on", "room").stderr
    assert told == "run 'a': 'room' is not in the run; did you mean 'room temperature'?\n"


def test_plot_draws_a_variable_once_however_often_it_is_asked(tea: Path, sdmodel):
    """Whatever its spelling."""
    sdmodel("run", "--name", "a")
    assert sdmodel("plot", "a", "--on", "heat loss", "--on", "Heat_Loss").exit_code == 0


def test_runs_without_a_common_headline_need_a_choice(tea: Path, sdmodel):
    """What only some of them have is no default."""
    sdmodel("run", "--name", "a")
    (tea / "other.mdl").write_text((tea / "models" / "ai_compute.mdl").read_text("utf-8").replace("Tea Temp", "Temp"))
    sdmodel("run", "other.mdl", "--name", "b")
    done = sdmodel("plot", "a", "b")
    assert (done.exit_code, done.stderr) == (1, "the runs share no headline variable; choose with --on\n")


def test_a_change_without_its_quotes_is_shown_with_them(tea: Path, sdmodel):
    """The shell has parted it; what was meant is plain."""
    for words in (["room", "temperature", "=", "60"], ["room", "temperature=60"], ["room", "=", "60"]):
        done = sdmodel("run", "--set", *words)
        assert done.exit_code == 2
        assert f'put the change in quotes: --set "{" ".join(words)}"' in done.stderr
    assert "unexpected extra arguments (b)" in sdmodel("run", "a", "b").stderr
    assert not (tea / "runs").exists()


def test_a_run_made_from_python_has_the_headlines_of_its_model(tea: Path, sdmodel):
    """Its record lists none; the save list beside the model does."""
    (tea / "models" / "ai_compute.lst").write_text("heat loss\n")
    save_run(simulate(read_model("models/ai_compute.mdl")), "runs/own.nc")
    shown = json.loads(sdmodel("show", "own", "--json").stdout)
    assert [line["name"] for line in shown["headlines"]] == ["heat loss"]


@pytest.mark.parametrize(
    ("last", "columns", "shown"),
    [(10, 3, [0, 5, 10]), (10, 4, [0, 5, 10]), (30, 3, [0, 15, 30]), (10, 6, [0, 2, 4, 6, 8, 10])],
)
def test_headlines_are_evenly_apart_where_they_can_be(last: int, columns: int, shown: list[int]):
    """A table with uneven steps is misread."""
    times = np.linspace(0, last, 8 * last + 1)
    assert times[round_times(times, columns)].tolist() == shown


@pytest.mark.parametrize("columns", range(3, 30))
def test_headlines_show_as_many_round_times_as_there_is_room_for(columns: int):
    """The first and the last time are always among them."""
    times = np.linspace(2022, 2032, 81)
    shown = times[round_times(times, columns)]
    assert len(shown) <= columns
    assert (shown[0], shown[-1]) == (2022, 2032)
    assert columns < 11 or set(shown) >= set(range(2022, 2033))


def test_plot_draws_several_runs_on_what_is_asked(tea: Path, sdmodel):
    """Into the file that is named, never over another."""
    for name, room in (("a", 50), ("b", 60)):
        sdmodel("run", "--name", name, "--set", f"room temperature = {room}")
    done = sdmodel("plot", "a", "b", "--on", "heat loss", "-o", "both.svg")
    assert (done.exit_code, done.stdout) == (0, "plotted in both.svg\n")
    again = sdmodel("plot", "a", "b", "-o", "both.svg")
    told = "both.svg: exists already; name another with -o, or --force to replace it\n"
    assert (again.exit_code, again.stderr) == (1, told)
    assert sdmodel("plot", "a", "b").stdout == "plotted in runs/a+b.png\n"
    assert "did you mean 'heat loss'" in sdmodel("plot", "a", "--on", "heat los").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nowhere.mdl"], r"nowhere\.mdl: .*; "),
        (["run", "-c", "nowhere.cin"], r"nowhere\.cin: .*; "),
        (["run", "--set", "rom temperature = 1"], "'rom temperature' .* did you mean 'room temperature'"),
        (["run", "--set", "room temperature"], "this is no change; "),
        *((["run", "--name", name], r"is not a name for a file; choose another") for name in BAD_NAMES),
        (["run", "--runs", "models/ai_compute.mdl"], r"cannot hold runs \(models/ai_compute\.mdl is no folder\); name"),
        (["run", "--runs", "models/ai_compute.mdl/a"], r"cannot hold runs .*; name a folder"),
        (["runs", "--runs", "models/ai_compute.mdl"], r"cannot hold runs .*; name a folder"),
        (["runs", "--runs", "x" * 300], r"cannot hold runs .*; name a folder"),
        (["show", f"{'x' * 300}.nc"], r"is not a name for a file; "),
        (["show", "nothing"], "run 'nothing': is not in runs; "),
        (["rerun", "nothing"], "run 'nothing': is not in runs; "),
        (["plot", "nothing"], "run 'nothing': is not in runs; "),
        (["levers", "nowhere.mdl"], r"nowhere\.mdl: .*; "),
        (["levers", "ai_compute.mdl"], r"^ai_compute\.mdl: .*; did you mean models/ai_compute\.mdl\?$"),
        (["run", "-c", "cold"], r"^cold: .*; did you mean models/scenarios/cold\.cin\?$"),
        (["levers", "notes.md"], r"^notes\.md: not a Vensim model: .*; name a \.mdl file$"),
    ],
)
@pytest.mark.usefixtures("tea")
def test_a_users_fault_is_one_line_on_stderr(words: list[str], message: str, sdmodel):
    """Where, what, and what to do; nothing on stdout; exit code 1; nothing stored."""
    Path("notes.md").write_text("# Notes\n\n- one, of *many*\n- `two`\n")
    done = sdmodel(*words)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert re.search(message, done.stderr)
    assert not Path("runs").exists()


@pytest.mark.parametrize("words", [["bogus"], ["run", "--bogus"], ["run", "--integrator", "rk7"], ["show"], ["plot"]])
def test_a_wrong_use_ends_with_two(words: list[str], sdmodel):
    """As every command line does."""
    assert sdmodel(*words).exit_code == 2


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_with_an_example(name: str, sdmodel):
    """The one line of the overview, a paragraph, every option with its meaning, and an example that names the command."""
    done = sdmodel(name, "--help")
    assert done.exit_code == 0
    assert f"Example: sdmodel {name}" in done.stdout
    command = main.get_command(click.Context(main), name)
    assert all(option.help for option in command.params if option.param_type_name == "option")
    assert main.commands[name].short_help in sdmodel("--help").stdout


def test_runs_are_kept_in_the_project_from_wherever_they_are_made(tea: Path, sdmodel, monkeypatch: pytest.MonkeyPatch):
    """In a folder below, the default model and the runs are still the project's; `--runs` names another place."""
    (tea / "notes").mkdir()
    monkeypatch.chdir(tea / "notes")
    assert sdmodel("run").exit_code == 0
    assert (tea / "runs" / "ai_compute.nc").is_file()
    assert sdmodel("run", "--runs", "here").exit_code == 0
    assert Path("here", "ai_compute.nc").is_file()
    assert sdmodel("show", "ai_compute").exit_code == 0
