"""`sdmodel levers`: what can be changed in a model."""

from __future__ import annotations

import json
import re
from pathlib import Path


def test_levers_lists_the_groups_of_levers(tea: Path, sdmodel):
    """Value, range, units and comment, by kind."""
    levers = json.loads(sdmodel("levers", "--json").stdout)
    assert [(lever["name"], lever["kind"]) for lever in levers] == [
        ("room temperature", "policy lever"), ("cooling time", "uncertainty"),
    ]  # fmt: skip
    room = levers[0]
    assert (room["values"], room["minimum"], room["maximum"], room["step"], room["units"]) == ([70], 40, 100, 5, "°F")
    assert room["meaning"] == "judgement: a warm room. Low 60, high 80."
    assert re.search(r"uncertainty .*\n.*\n *cooling time +2.5 +0.5 to any +Year", sdmodel("levers").stdout)


def test_without_groups_constants_with_a_range_are_levers(tea: Path, sdmodel):
    """In any model; time settings are not levers."""
    model = tea / "models" / "ai_compute.mdl"
    text = model.read_text("utf-8").replace(".Policy levers", ".Tea").replace(".Uncertainties", ".Tea too")
    model.write_text(text, "utf-8")
    assert [row["name"] for row in json.loads(sdmodel("levers", "--json").stdout)] == [
        "room temperature",
        "cooling time",
    ]
