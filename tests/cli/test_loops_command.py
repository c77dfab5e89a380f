"""`sdmodel loops` as users type it: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import sdmodel as sd


def _without_rules(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and "─" not in line]


def test_a_loop_is_told_link_by_link_with_its_polarity(tea: Path, sdmodel):
    """Cause, sign and effect of each link; then what the loop is, and for how much of the run."""
    done = sdmodel("loops", "--through", "tea_temperature", "--through", "Heat Loss")
    assert done.exit_code == 0, done.output
    assert _without_rules(done.stdout) == [
        "cause link effect without effect",
        "Tea Temperature + heat loss",
        "heat loss - Tea Temperature",
        "balancing loop (B), 2 links: B 100 % of the time",
    ]


def test_without_way_points_each_stock_has_a_line(tea: Path, sdmodel):
    """A first look at what a model is made of."""
    done = sdmodel("loops")
    assert done.exit_code == 0, done.output
    assert _without_rules(done.stdout) == [
        "stock polarity links acts loop",
        "Tea Temperature B 2 100 % Tea Temperature -> heat loss -> Tea Temperature",
    ]


def test_the_json_is_what_the_function_finds(tea: Path, sdmodel):
    """The command adds nothing to the function behind it."""
    (told,) = json.loads(sdmodel("loops", "--through", "heat loss", "--json").stdout)
    (loop,) = sd.find_loops(sd.read_model(tea / "models" / "ai_compute.mdl"), "heat loss")
    assert told["variables"] == list(loop.variables)
    assert (told["polarity"], told["negative"], told["changes"]) == (loop.polarity, loop.shares[1], [])
    assert [(each["cause"], each["polarity"]) for each in told["links"]] == [
        (each.cause, each.polarity) for each in loop.links
    ]


def test_an_open_path_ends_at_its_last_variable(tea: Path, sdmodel):
    """How one variable acts on another, without the way back."""
    done = sdmodel("loops", "--path", "--through", "heat loss", "--through", "Tea Temperature")
    assert "more of 'heat loss' makes less of 'Tea Temperature' (-), 1 link: - 100 % of the time" in done.stdout


def test_changes_act_on_the_run_in_which_loops_are_found(tea: Path, sdmodel):
    """With its sign turned, cooling feeds itself."""
    way = ["--through", "heat loss"]
    assert "balancing" in sdmodel("loops", *way, "--set", "cooling time = 5", "-c", "models/scenarios/cold.cin").stdout
    assert "reinforcing" in sdmodel("loops", *way, "--set", "cooling time = -5").stdout


def test_a_fault_is_one_line_and_exit_code_one(tea: Path, sdmodel):
    """What is no variable is told with the nearest that is."""
    done = sdmodel("loops", "--through", "heat los")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "way point 'heat los': is not in the model; did you mean 'heat loss'?\n"


def test_a_path_without_ends_is_a_fault_of_usage(tea: Path, sdmodel):
    """The option says how way points are read; without any it says nothing."""
    done = sdmodel("loops", "--path")
    assert done.exit_code == 2
    assert "--through" in done.stderr
