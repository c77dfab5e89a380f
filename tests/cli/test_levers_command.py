"""`sdmodel levers`: what can be changed in a model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from sdmodel import find_levers, read_model

MODEL = Path(__file__).parents[2] / "models" / "ai_compute.mdl"


def test_levers_lists_the_groups_of_levers(tea: Path, sdmodel):
    """Value, range, units and comment, by kind."""
    levers = json.loads(sdmodel("levers", "--json").stdout)
    assert [(lever["name"], lever["kind"]) for lever in levers] == [
        ("room temperature", "policy lever"), ("cooling time", "uncertainty"),
    ]  # fmt: skip
    room = levers[0]
    assert (room["values"], room["minimum"], room["maximum"], room["step"], room["units"]) == ([70], 40, 100, 5, "°F")
    assert room["meaning"] == "judgement: a warm room. Low 60, high 80."
    assert re.search(r"uncertainty .*\n.*\n *cooling time +2.5 +Year +0.5 to any +From a ", sdmodel("levers").stdout)


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_a_lever_takes_one_line(columns: str, sdmodel, monkeypatch):
    """The first words of its meaning fill the line, without its source; --long has all of it."""
    monkeypatch.setenv("COLUMNS", columns)
    found = find_levers(read_model(MODEL))
    lines = sdmodel("levers", str(MODEL)).stdout.splitlines()
    for lever in found:
        (line,) = [line for line in lines if line.startswith(f" {lever.name} ")]
        assert cell_len(line) <= int(columns)
        assert "judgement" not in line
    kinds = {lever.kind for lever in found}
    assert len(lines) == len(found) + 3 * len(kinds)
    whole = sdmodel("levers", "--long", str(MODEL)).stdout
    assert "industry return" in " ".join(whole.split())


def test_a_named_lever_is_shown_in_full(tea: Path, sdmodel):
    """Any constant may be named, in any spelling; the plausible range is that of the file beside the model."""
    (tea / "models" / "ai_compute.vsc").write_text(
        "9,L,1\nroom temperature=RANDOM_TRIANGULAR(60,80,60,70,80)\n", "utf-8"
    )
    done = sdmodel("levers", "Room_Temperature", "TIME STEP")
    rows = dict(re.findall(r"^ (\w[\w ]*?) {2,}(.*)$", done.stdout.partition("TIME STEP")[0], re.MULTILINE))
    assert rows == {
        "kind": "policy lever", "units": "°F", "range in the model": "40 to 100", "value": "70",
        "plausible range": "60 to 80", "meaning": "judgement: a warm room. Low 60, high 80.",
    }  # fmt: skip
    found = json.loads(sdmodel("levers", "models/ai_compute.mdl", "room temperature", "--json").stdout)
    assert found[0]["cells"] == [{"name": "room temperature", "value": 70.0, "plausible": [60.0, 80.0]}]
    wrong = sdmodel("levers", "room temprature", "heat loss")
    assert wrong.exit_code == 1
    assert "did you mean 'room temperature'?" in wrong.stderr
    assert "'heat loss' is a flow, not a constant" in wrong.stderr


def test_without_groups_constants_with_a_range_are_levers(tea: Path, sdmodel):
    """In any model; time settings are not levers."""
    model = tea / "models" / "ai_compute.mdl"
    text = model.read_text("utf-8").replace(".Policy levers", ".Tea").replace(".Uncertainties", ".Tea too")
    model.write_text(text, "utf-8")
    assert [row["name"] for row in json.loads(sdmodel("levers", "--json").stdout)] == [
        "room temperature",
        "cooling time",
    ]
