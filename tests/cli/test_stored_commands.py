"""`sdmodel runs`, `show` and `rerun`: stored runs are listed, shown and repeated."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sdmodel.reading import read_model
from sdmodel.simulation import simulate
from sdmodel.store import open_run, save_run
from sdmodel.vensim import model_from_text


def test_runs_lists_runs_and_reports_unreadable_files(tea: Path, sdmodel):
    """A folder without runs is reported too."""
    assert "holds no runs yet" in sdmodel("runs").stderr
    sdmodel("run", "-c", "models/scenarios/cold.cin", "--set", "cooling time = 1")
    (tea / "runs" / "broken.nc").write_text("no run")
    done = sdmodel("runs")
    assert done.exit_code == 0
    assert re.search(
        r"cold +\d{4}-\d\d-\d\d \d\d:\d\d +ai_compute.mdl +\w{8} +cold +cooling time = 1 +euler", done.stdout
    )
    assert "broken.nc: cannot be read" in done.stderr


def test_show_prints_the_origin_and_every_variable(tea: Path, sdmodel):
    """Metadata, changes, headlines, constants as written, and start and end of everything else."""
    sdmodel("run", "--set", "cooling time = 1", "--set", "room temperature = 2025.75", "--name", "a")
    shown = sdmodel("show", "a").stdout
    assert re.search(r"changes +cooling time = 1", shown)
    assert re.search(r"Tea Temperature +stock +°F +180 +2,026", shown)
    assert re.search(r"room temperature +2025.75 +°F\n", shown)
    assert re.search(r"INITIAL TIME +2022 +Year\n", shown)


def test_rerun_needs_only_the_record(tea: Path, sdmodel):
    """The numbers are the same to the last digit although the model has changed and its scenario is gone."""
    sdmodel("run", "-c", "models/scenarios/cold.cin", "--set", "cooling time = 1", "--name", "a")
    (tea / "models" / "scenarios" / "cold.cin").unlink()
    model = tea / "models" / "ai_compute.mdl"
    model.write_text(model.read_text("utf-8").replace("180", "90"), "utf-8")
    done = sdmodel("rerun", "a")
    assert done.exit_code == 0, done.output
    assert "all 8 variables are equal" in done.stdout
    assert [path.name for path in (tea / "runs").iterdir()] == ["a.nc"]


def test_rerun_reports_the_largest_difference(tea: Path, sdmodel):
    """It finds a single changed number with its time, and exits with 1."""
    sdmodel("run", "--name", "a")
    run = open_run(tea / "runs" / "a.nc")
    run.tea_temperature.values[4] += 18
    save_run(run, tea / "runs" / "a.nc", force=True)
    done = sdmodel("rerun", "a")
    assert done.exit_code == 1
    assert done.stdout == "run 'a': 'Tea Temperature' differs most, by 18 at 2024, 10 % of its largest value\n"


def test_rerun_without_the_text_of_the_model_says_what_to_do(tea: Path, sdmodel):
    """A record that does not match its checksum is not used."""
    sdmodel("run", "--name", "a")
    run = open_run(tea / "runs" / "a.nc").assign_attrs(model_text="something else")
    save_run(run, tea / "runs" / "a.nc", force=True)
    done = sdmodel("rerun", "a")
    assert done.exit_code == 1
    assert "does not hold the text of its model; run models/ai_compute.mdl again" in done.stderr


def test_run_of_a_model_text_is_repeated(tea: Path, sdmodel):
    """A model need not be a file: the run holds its text and the changes."""
    text = (tea / "models" / "ai_compute.mdl").read_text("utf-8")
    run = simulate(model_from_text(text), {"room temperature": 60})
    save_run(run, "runs/text.nc")
    done = sdmodel("rerun", "text")
    assert (done.exit_code, done.stdout[:28]) == (0, "run 'text': all 8 variables "), done.output
    assert float(run.room_temperature) == 60


def test_names_in_a_record_are_not_paths(tea: Path, sdmodel):
    """A stored run may come from anyone, so the names in it are never used as paths to write to."""
    sdmodel("run", "--name", "a")
    named = {"scenario_name": str(tea / "outside"), "model": ".."}
    save_run(open_run("runs/a.nc").assign_attrs(named), "runs/a.nc", force=True)
    assert sdmodel("rerun", "a").exit_code == 0
    assert not (tea / "outside.cin").exists()


def test_run_stored_from_python_has_the_headlines_of_its_model(tea: Path, sdmodel):
    """Its record lists none; the save list beside the model does."""
    (tea / "models" / "ai_compute.lst").write_text("heat loss\n")
    save_run(simulate(read_model("models/ai_compute.mdl")), "runs/own.nc")
    shown = json.loads(sdmodel("show", "own", "--json").stdout)
    assert [line["name"] for line in shown["headlines"]] == ["heat loss"]


def test_damage_to_any_stored_kind_is_one_line_for_every_command(tea: Path, sdmodel):
    """Of a run, a sweep, an attribution and an ensemble: every command that reads it names the file, and writes nothing."""
    (tea / "tea.vsc").write_text("4,L,1,1,m.vdf,0\ncooling time=RANDOM_UNIFORM(1,3)\n", "utf-8")
    for words in (
        ("run", "--name", "run"), ("sweep", "--lever", "room temperature=50,90", "--name", "sweep"),
        ("attribute", "-c", "models/scenarios/cold.cin", "--name", "attribution"),
        ("ensemble", "-e", "tea.vsc", "--name", "ensemble"), ("run", "--name", "base"),
    ):  # fmt: skip
        assert sdmodel(*words).exit_code == 0, words
    commands = (("show",), ("rerun",), ("compare", "base"), ("plot", "-o", "a.png"), ("report", "-o", "a.html"), ("convert", "-o", "a.nc"))  # fmt: skip
    files = [Path("runs", f"{kind}.nc") for kind in ("run", "sweep", "attribution")]
    files += [file for file in Path("runs/ensemble.zarr").rglob("*") if file.is_file()]
    for file in files:
        name, content = file.parts[1], file.read_bytes()
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 4
        file.write_bytes(damaged)
        for command, *options in commands:
            done = sdmodel(command, name, *options)
            unread = "/c/" in str(file) and done.exit_code == 0  # a chunk that this command does not need
            assert unread or (done.exit_code == 1 and name in done.stderr.splitlines()[-1]), (file, command)
            assert unread or not done.stdout, (file, command)
            for written in ("a.png", "a.html", "a.nc"):
                assert unread or not Path(written).exists()
                Path(written).unlink(missing_ok=True)
        listed = sdmodel("runs")
        assert "/c/" in str(file) or f"runs/{name}: " in listed.stderr
        file.write_bytes(content)
