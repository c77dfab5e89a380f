"""`sdmodel discover`: the numbers of the Python function, files, and error messages."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import sdmodel as sd

Command = Callable[..., Result]
ASK = ("discover", "many", "tea temperature", "--at", "2024", "--above", "120", "--density", "0.7")
SAMPLING = "200,M,7\ncooling time=RANDOM_UNIFORM(1,4)\nroom temperature=RANDOM_UNIFORM(60,80)\n"


@pytest.fixture
def cups(tea: Path, sdmodel: Command) -> Path:
    """A project with a stored ensemble."""
    (tea / "cup.vsc").write_text(SAMPLING, "utf-8")
    assert sdmodel("ensemble", "-e", "cup.vsc", "--name", "many").exit_code == 0
    return tea


def test_the_numbers_are_those_of_the_python_function(cups: Path, sdmodel: Command):
    """In JSON, in the files, and rounded in the tables."""
    pytest.importorskip("ema_workbench", reason="ema_workbench is not installed")
    done = sdmodel(*ASK, "-o", "boxes.csv", "-o", "boxes.json", "--plot", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    found = sd.discover_scenarios(sd.open_run("runs/many.zarr"), "Tea Temperature", 2024, above=120, density=0.7)
    assert [box["coverage"] for box in record["boxes"]] == found["coverage"].values.tolist()
    first = record["boxes"][0]["constants"][0]
    assert first["name"] == "cooling time"
    assert first["low"] == float(found["low"].sel(parameter="cooling time")[0])
    assert {name: value for name, value in record.items() if name not in {"run", "files"}} == json.loads(
        Path("boxes.json").read_text("utf-8")
    )
    assert float(next(csv.DictReader(io.StringIO(Path("boxes.csv").read_text("utf-8"))))["low"]) == first["low"]
    assert record["files"] == ["boxes.csv", "boxes.json", "runs/many-boxes.png"]
    assert Path("runs/many-boxes.png").read_bytes().startswith(b"\x89PNG")
    again = sdmodel(*ASK, "-o", "boxes.csv")
    assert "boxes.csv: exists already; name another with -o, or --force to replace it" in again.stderr
    assert "cooling time" in sdmodel(*ASK).stdout


def test_one_outcome_is_asked_for(cups: Path, sdmodel: Command):
    """Two dates would be two questions."""
    pytest.importorskip("ema_workbench", reason="ema_workbench is not installed")
    done = sdmodel(*ASK, "--over", "max")
    assert (done.exit_code, done.stderr) == (
        1,
        "at 2024, max: boxes are those of one outcome; give one --at or --over\n",
    )


def test_without_the_workbench_one_line_says_what_to_install(
    tea: Path, sdmodel: Command, monkeypatch: pytest.MonkeyPatch
):
    """Before the run is looked for; a missing threshold is reported too."""
    monkeypatch.setitem(sys.modules, "ema_workbench", None)
    done = sdmodel(*ASK)
    cure = 'scenario discovery needs ema_workbench, which is not installed; pip install "sdmodel[ema]"\n'
    assert (done.exit_code, done.stderr) == (1, cure)
    done = sdmodel("discover", "many", "tea temperature")
    assert (done.exit_code, done.stderr) == (
        1,
        "the threshold: give either above (--above) or below (--below), one number\n",
    )
