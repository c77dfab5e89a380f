"""`sdmodel loops`: output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import sdmodel as sd
from sdmodel.testing import model_text


def _without_rules(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and "─" not in line]


def test_loop_is_printed_link_by_link_with_its_polarity(tea: Path, sdmodel):
    """Cause, sign and effect of each link, then the polarity of the loop and the share of the run."""
    done = sdmodel("loops", "--through", "tea_temperature", "--through", "Heat Loss")
    assert done.exit_code == 0, done.output
    assert _without_rules(done.stdout) == [
        "cause link effect without effect",
        "Tea Temperature + heat loss",
        "heat loss - Tea Temperature",
        "balancing loop (B), 2 links: B 100 % of the time",
    ]


def test_without_way_points_each_stock_has_one_line(tea: Path, sdmodel):
    """A first overview of a model."""
    done = sdmodel("loops")
    assert done.exit_code == 0, done.output
    assert _without_rules(done.stdout) == [
        "stock polarity links acts loop",
        "Tea Temperature B 2 100 % Tea Temperature -> heat loss -> Tea Temperature",
    ]


def test_loops_json_equals_the_python_function(tea: Path, sdmodel):
    """The command adds nothing to `find_loops`."""
    (output,) = json.loads(sdmodel("loops", "--through", "heat loss", "--json").stdout)
    (loop,) = sd.find_loops(sd.read_model(tea / "models" / "ai_compute.mdl"), "heat loss")
    assert output["variables"] == list(loop.variables)
    assert (output["polarity"], output["negative"], output["changes"]) == (loop.polarity, loop.shares[1], [])
    assert [(link["cause"], link["polarity"]) for link in output["links"]] == [
        (link.cause, link.polarity) for link in loop.links
    ]


def test_open_path_ends_at_its_last_variable(tea: Path, sdmodel):
    """How one variable acts on another, without the way back."""
    done = sdmodel("loops", "--path", "--through", "heat loss", "--through", "Tea Temperature")
    assert "more of 'heat loss' makes less of 'Tea Temperature' (-), 1 link: - 100 % of the time" in done.stdout


def test_changes_apply_to_the_run_of_the_loops(tea: Path, sdmodel):
    """With a negative cooling time, cooling reinforces itself."""
    way = ["--through", "heat loss"]
    assert "balancing" in sdmodel("loops", *way, "--set", "cooling time = 5", "-c", "models/scenarios/cold.cin").stdout
    assert "reinforcing" in sdmodel("loops", *way, "--set", "cooling time = -5").stdout


def test_unknown_way_point_is_one_line(tea: Path, sdmodel):
    """It suggests the nearest variable."""
    done = sdmodel("loops", "--through", "heat los")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "way point 'heat los': is not in the model; did you mean 'heat loss'?\n"


def test_path_without_way_points_is_a_usage_error(tea: Path, sdmodel):
    """`--path` needs `--through`."""
    done = sdmodel("loops", "--path")
    assert done.exit_code == 2
    assert "--through" in done.stderr


def test_independent_loops_of_a_model(tea: Path, sdmodel):
    """They are listed like those of the stocks; variables for them are a usage error."""
    done = sdmodel("loops", "--independent")
    assert done.exit_code == 0, done.output
    assert _without_rules(done.stdout)[1:] == [
        "Tea Temperature B 2 100 % Tea Temperature -> heat loss -> Tea Temperature"
    ]
    wrong = sdmodel("loops", "--independent", "--through", "heat loss")
    assert (wrong.exit_code, "leave out --through" in wrong.stderr) == (2, True)


def test_causal_loop_diagram_is_not_run(tmp_path: Path, sdmodel):
    """Its loops are listed without times, and a note says where polarities come from."""
    file = tmp_path / "m.mdl"
    file.write_text(model_text("x = A FUNCTION OF( y )\ny = 3 - x"), "utf-8")
    done = sdmodel("loops", str(file))
    assert _without_rules(done.stdout) == ["polarity links loop", "unknown 2 x -> y -> x"]
    assert "has incomplete equations, so that it is not run" in done.stderr
    around = sdmodel("loops", str(file), "--through", "x")
    assert _without_rules(around.stdout)[1:] == ["x - y", "y unknown x", "loop of unknown polarity, 2 links"]
