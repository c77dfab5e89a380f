"""`sdmodel new` copies the model of the package, which is never changed where it is installed; names of scenarios."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sdmodel.cli import locations


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """The package as a wheel installs it: its code, with the models inside."""
    place = tmp_path_factory.mktemp("environment") / "lib" / "site-packages" / "sdmodel"
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project / "sdmodel", place, ignore=without)
    shutil.copytree(project / "models", place / "models", ignore=without)
    return place


def test_the_copy_is_complete_and_becomes_the_model_of_its_folder(tmp_path, monkeypatch, sdmodel, project):
    """The printed commands work there, and runs are stored beside the copy."""
    monkeypatch.chdir(tmp_path)
    done = sdmodel("new", "my models")
    assert (done.exit_code, done.stderr) == (0, "")
    copied = _tree(tmp_path / "my models" / "models")
    assert copied == {name: data for name, data in _tree(project / "models").items() if "__pycache__" not in name}
    assert {
        "ai_compute.mdl",
        "scenarios/power-first.cin",
        "ai_compute.vsc",
        "ai_compute.lst",
    } <= copied.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["my models"]
    steps = [line.strip() for line in done.stdout.splitlines()[1:]]
    assert steps == [
        "cd 'my models'", "sdmodel levers", "sdmodel run -c power-first", 'sdmodel edit set "price elasticity = 0.9"'
    ]  # fmt: skip
    monkeypatch.chdir("my models")
    assert sdmodel("run", "-c", "power-first").stdout.endswith("stored as runs/power-first.nc\n")
    assert sdmodel("edit", "set", "price elasticity = 0.9").stdout == "saved in models/ai_compute.mdl\n"
    assert sdmodel("new", "..").exit_code == 0


def test_the_working_directory_can_be_the_folder(tmp_path, monkeypatch, sdmodel):
    """What it has stays; a second copy is refused, and so is a file."""
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("mine")
    done = sdmodel("new", ".")
    assert done.stdout.splitlines()[1] == "  sdmodel levers"
    before = _tree(tmp_path)
    again = sdmodel("new", ".")
    assert (again.exit_code, again.stderr) == (1, "models: exists already; choose another folder\n")
    file = sdmodel("new", "notes.txt")
    assert (file.exit_code, len(file.stderr.splitlines())) == (1, 1)
    assert _tree(tmp_path) == before


def test_an_installed_model_runs_but_is_never_changed(installed, tmp_path):
    """`edit`, `fmt` and writing beside it are refused with the way out; a copy can be edited."""
    before = _tree(installed)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-B", "-c", "from sdmodel.cli import main; main()", *words]
        path = {"PYTHONPATH": str(installed.parent), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"}
        return subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True, check=False)

    model = str(installed / "models" / "ai_compute.mdl")
    cure = "is part of an installed package; `sdmodel new FOLDER` makes a copy of the model to work on\n"
    for words in (["edit", "set", "price elasticity = 0.9"], ["fmt", model, "--by-group"]):
        done = run(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"{model}: {cure}"
    assert "stored as runs/power-first.nc" in run("run", "-c", "power-first").stdout
    assert run("new", "copy").returncode == 0
    assert _tree(tmp_path / "copy" / "models") == _tree(installed / "models")
    assert _tree(installed) == before


@pytest.mark.parametrize("given", ["cold", "cold.cin", "models/scenarios/cold", "models/scenarios/cold.cin"])
def test_scenarios_are_found_by_name(tea, sdmodel, given):
    """Everywhere that change files are taken, beside the model and in its folder `scenarios`."""
    assert sdmodel("run", "-c", given).stdout.endswith("stored as runs/cold.nc\n")
    assert sdmodel("check", "-c", given).exit_code == 0
    assert sdmodel("loops", "-c", given).exit_code == 0
    done = sdmodel("attribute", "--set", "cooling time = 5", "--from", given, "--name", "parts")
    assert done.exit_code == 0, done.output
    assert sdmodel("convert", "models/ai_compute.mdl", "-c", given, "-o", "cold.csv").exit_code == 0


def test_a_file_of_the_user_comes_before_the_scenario_of_that_name(tea, sdmodel):
    """Then the one beside the model, and a folder of that name is no scenario."""
    Path("models/cold.cin").write_text("room temperature = 40\n")
    Path("cold").mkdir()
    assert locations.scenario_path("cold", Path("models/ai_compute.mdl")) == Path("models/cold.cin")
    Path("cold").rmdir()
    Path("cold").write_text("room temperature = 30\n")
    assert locations.scenario_path("cold", Path("models/ai_compute.mdl")) == Path("cold")


def test_ensembles_are_found_by_name(tea, sdmodel):
    """Beside the model and in its folder `ensembles`, for all commands that sample."""
    Path("models/ensembles").mkdir()
    Path("models/ensembles/cups.vsc").write_text("4,L,1,,0\ncooling time = RANDOM_UNIFORM(1,4)\n")
    assert sdmodel("ensemble", "-e", "cups").stdout.endswith("stored as runs/cups.zarr\n")
    done = sdmodel("sensitivity", "-e", "cups", "--on", "Tea Temperature", "-o", "s.csv")
    assert done.exit_code == 0, done.output
    wrong = sdmodel("ensemble", "-e", "cup")
    assert wrong.stderr == "cup: there is no such file; did you mean cups?\n"


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("clod", "did you mean cold?"),
        ("clod.cin", "did you mean cold?"),
        ("models/scenarios/clod.cin", "did you mean models/scenarios/cold?"),
        ("nowhere/at/all.cin", "check the path"),
        ("scenarios/cold.cin", "did you mean models/scenarios/cold.cin?"),
        ("xyz", "choose from cold"),
        ("models", "choose from cold"),
    ],
)
def test_an_unknown_scenario_is_one_line_with_a_suggestion(tea, sdmodel, given, cure):
    """It names what there is."""
    done = sdmodel("run", "-c", given)
    assert (done.exit_code, done.stderr) == (1, f"{given}: there is no such file; {cure}\n")
