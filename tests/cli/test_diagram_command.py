"""`sdmodel diagram`: which views are drawn, to which files, and error messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

START = "\\\\\\---/// Sketch information - do not modify anything except names"
VERSION = "V300  Do not put anything below this section - it will be ignored"
ROOM = "10,1,room temperature,300,100,60,12,8,3,0,0,0,0,0,0"
TEA = "10,2,Tea Temperature,300,200,60,20,3,3,0,0,0,0,0,0"
ARROW = "1,3,1,2,1,0,43,0,0,64,0,-1--1--1,,1|(0,0)|"


def _sketch(*views: tuple[str, tuple[str, ...]]) -> str:
    """The text of a sketch with these views."""
    pages = (line for name, records in views for line in (START, VERSION, f"*{name}", *records))
    return "\n".join((*pages, "///---\\\\\\", ""))


@pytest.fixture
def cup(tea: Path) -> Path:
    """A project with three views, one of them empty."""
    model = tea / "models" / "ai_compute.mdl"
    sketch = _sketch(("Cup", (ROOM, TEA, ARROW)), ("Room / air", (ROOM,)), ("Later", ()))
    model.write_text(f"{model.read_text('utf-8')}\n{sketch}", "utf-8")
    return tea


def test_view_is_drawn_to_the_given_file(cup: Path, sdmodel):
    """The file name decides the format."""
    done = sdmodel("diagram", "--view", "cup", "-o", "cup.svg")
    assert (done.exit_code, done.stdout) == (0, "plotted in cup.svg\n")
    text = (cup / "cup.svg").read_text("utf-8")
    assert "<svg" in text
    assert 'id="variable-2-box"' in text


def test_default_file_name_joins_model_and_view(cup: Path, sdmodel):
    """Its characters are valid on every system."""
    assert sdmodel("diagram", "--view", "Room / air").exit_code == 0
    assert (cup / "ai_compute-Room - air.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [("--all", "-o", "out"), ("-o", "out/"), ("-o", "out")])
def test_all_views_go_into_a_folder(words: tuple[str, ...], cup: Path, sdmodel):
    """An empty view is reported and left out."""
    done = sdmodel("diagram", *words)
    assert done.exit_code == 0, done.output
    assert "view 'Later' is empty and left out" in done.stderr
    assert sorted(path.name for path in (cup / "out").iterdir()) == ["ai_compute-Cup.png", "ai_compute-Room - air.png"]


def test_views_with_the_same_name_get_separate_files(tea: Path, sdmodel):
    """No figure replaces another."""
    (tea / "two.mdl").write_text(_sketch(("A", (ROOM,)), ("a", (TEA,))))
    assert sdmodel("diagram", "two.mdl", "--all").exit_code == 0
    assert sorted(path.name for path in tea.glob("*.png")) == ["two-A.png", "two-a-2.png"]


def test_the_only_view_needs_no_name(tea: Path, sdmodel):
    """The equations may have faults."""
    (tea / "one.mdl").write_text("a = * 2 ~~|\n" + _sketch(("A", (ROOM,))))
    assert sdmodel("diagram", "one.mdl").stdout == "plotted in one-A.png\n"


def test_diagrams_are_not_replaced_without_force(cup: Path, sdmodel):
    """No other view is drawn before the error either."""
    (cup / "ai_compute-Room - air.png").write_text("mine")
    done = sdmodel("diagram", "--all")
    assert done.exit_code == 1
    assert done.stderr.endswith(
        "ai_compute-Room - air.png: exists already; name another with -o, or --force to replace it\n"
    )
    assert not (cup / "ai_compute-Cup.png").exists()
    assert (cup / "ai_compute-Room - air.png").read_text() == "mine"
    assert sdmodel("diagram", "--all", "--force").exit_code == 0
    assert (cup / "ai_compute-Room - air.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "cup.png"), "has 3 views; choose one of 'Cup', 'Room / air', 'Later'"),
        (("--view", "Cub"), "has no view 'Cub'; did you mean 'Cup'?"),
        (("--view", "Later"), "view 'Later' is empty; "),
        (("--view", "Cup", "-o", "cup.jpg"), "cup.jpg: is not a format for figures; "),
        (("--all", "-o", "all.png"), "all.png: is one file for 2 views; name a folder"),
    ],
)
def test_diagram_errors_are_one_line(words: tuple[str, ...], message: str, cup: Path, sdmodel):
    """With the cure; no file is left behind."""
    done = sdmodel("diagram", *words)
    assert done.exit_code == 1
    assert message in done.stderr.splitlines()[-1]
    assert {path.name for path in cup.iterdir()} == {"models"}


def test_broken_sketch_is_reported_with_its_line(tea: Path, sdmodel):
    """Like a broken equation."""
    (tea / "bad.mdl").write_text(_sketch(("A", (ROOM, "10,2,b,x"))))
    done = sdmodel("diagram", "bad.mdl")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("bad.mdl:5:8: the x is 'x'; ")


def test_views_are_listed(cup: Path, sdmodel):
    """With the number of symbols, as a table or as JSON."""
    rows = json.loads(sdmodel("diagram", "--list", "--json").stdout)
    assert [row["view"] for row in rows] == ["Cup", "Room / air", "Later"]
    assert rows[0] == {"view": "Cup", "variables": 2, "shown again": 0, "flows": 0, "influences": 1}
    assert "Room / air" in sdmodel("diagram", "--list").stdout


def test_views_are_listed_if_none_is_named(cup: Path, sdmodel):
    """Nothing is drawn; a note says how to draw one."""
    done = sdmodel("diagram")
    assert done.exit_code == 0
    assert "Room / air" in done.stdout
    assert done.stderr == "draw a view with --view NAME, or every view with --all\n"
    assert not list(cup.glob("*.png"))


@pytest.mark.parametrize("words", [("--all", "--view", "Cup"), ("--all", "--json")])
def test_conflicting_diagram_options_are_usage_errors(words: tuple[str, ...], cup: Path, sdmodel):
    """The exit code is 2."""
    assert sdmodel("diagram", *words).exit_code == 2


def test_view_shows_values_or_changes_of_runs(cup: Path, sdmodel):
    """Each variable has its number below its name; a caption explains the colours."""
    sdmodel("run", "--name", "base")
    sdmodel("run", "--name", "hot", "--set", "room temperature=77")
    done = sdmodel("diagram", "--view", "Cup", "--run", "base", "--at", "2024-01-01", "-o", "value.svg")
    assert done.exit_code == 0
    assert 'id="number-1"' in (cup / "value.svg").read_text("utf-8")
    done = sdmodel("diagram", "--view", "Cup", "--run", "base", "--run", "hot", "-o", "change.svg")
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--at", "2024"), "goes with --run"),
        (("--run", "base", "--at", "2050"), "outside the run"),
        (("--run", "base", "--at", "soon"), "is not a date"),
        (("--run", "bse"), "did you mean 'base'?"),
        (("--run", "base", "--run", "base", "--run", "base"), "twice"),
    ],
)
def test_errors_about_shown_runs_are_one_line(words: tuple[str, ...], message: str, cup: Path, sdmodel):
    """Nothing is drawn."""
    sdmodel("run", "--name", "base")
    done = sdmodel("diagram", "--view", "Cup", "-o", "x.png", *words)
    assert done.exit_code in (1, 2)
    assert message in done.stderr
    assert not (cup / "x.png").exists()


def test_model_without_a_sketch_gets_a_layout(tea: Path, sdmodel):
    """A note says so; it can be coloured like any other."""
    sdmodel("run", "--name", "base")
    done = sdmodel("diagram", "-o", "tea.svg", "--run", "base")
    assert (done.exit_code, done.stdout) == (0, "plotted in tea.svg\n")
    assert "so its diagram gets a new layout" in done.stderr
    assert "flow-" in (tea / "tea.svg").read_text("utf-8")
    listed = json.loads(sdmodel("diagram", "--list", "--json").stdout)
    assert listed == [{"view": "View 1", "variables": 4, "shown again": 0, "flows": 1, "influences": 3}]
