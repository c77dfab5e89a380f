"""`sdmodel diagram` as users type it: which view is drawn, where it goes, and what is told instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

START = "\\\\\\---/// Sketch information - do not modify anything except names"
VERSION = "V300  Do not put anything below this section - it will be ignored"
ROOM = "10,1,room temperature,300,100,60,12,8,3,0,0,0,0,0,0"
TEA = "10,2,Tea Temperature,300,200,60,20,3,3,0,0,0,0,0,0"
ARROW = "1,3,1,2,1,0,43,0,0,64,0,-1--1--1,,1|(0,0)|"


def _drawn(*views: tuple[str, tuple[str, ...]]) -> str:
    """A sketch with those views."""
    pages = (line for name, records in views for line in (START, VERSION, f"*{name}", *records))
    return "\n".join((*pages, "///---\\\\\\", ""))


@pytest.fixture
def cup(tea: Path) -> Path:
    """The project with three views drawn, one of them empty."""
    model = tea / "models" / "ai_compute.mdl"
    sketch = _drawn(("Cup", (ROOM, TEA, ARROW)), ("Room / air", (ROOM,)), ("Later", ()))
    model.write_text(f"{model.read_text('utf-8')}\n{sketch}", "utf-8")
    return tea


def test_a_view_is_drawn_where_it_is_told(cup: Path, sdmodel):
    """The format follows the name of the file."""
    done = sdmodel("diagram", "--view", "cup", "-o", "cup.svg")
    assert (done.exit_code, done.stdout) == (0, "plotted in cup.svg\n")
    text = (cup / "cup.svg").read_text("utf-8")
    assert "<svg" in text
    assert 'id="variable-2-box"' in text


def test_a_view_without_a_place_goes_beside(cup: Path, sdmodel):
    """Its name has the model's and its own, in letters that every system takes."""
    assert sdmodel("diagram", "--view", "Room / air").exit_code == 0
    assert (cup / "ai_compute-Room - air.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [("--all", "-o", "out"), ("-o", "out/"), ("-o", "out")])
def test_all_views_go_into_a_folder(words: tuple[str, ...], cup: Path, sdmodel):
    """An empty one is told and left out."""
    done = sdmodel("diagram", *words)
    assert done.exit_code == 0, done.output
    assert "view 'Later' is empty and left out" in done.stderr
    assert sorted(each.name for each in (cup / "out").iterdir()) == ["ai_compute-Cup.png", "ai_compute-Room - air.png"]


def test_views_of_one_name_get_files_of_their_own(tea: Path, sdmodel):
    """No picture replaces another."""
    (tea / "two.mdl").write_text(_drawn(("A", (ROOM,)), ("a", (TEA,))))
    assert sdmodel("diagram", "two.mdl", "--all").exit_code == 0
    assert sorted(each.name for each in tea.glob("*.png")) == ["two-A.png", "two-a-2.png"]


def test_the_only_view_needs_no_name(tea: Path, sdmodel):
    """A file's equations need not be sound."""
    (tea / "one.mdl").write_text("a = * 2 ~~|\n" + _drawn(("A", (ROOM,))))
    assert sdmodel("diagram", "one.mdl").stdout == "plotted in one-A.png\n"


def test_nothing_is_replaced_without_force(cup: Path, sdmodel):
    """Nor is any other view drawn before that is told."""
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
    ("words", "told"),
    [
        ((), "has 3 views; choose one of 'Cup', 'Room / air', 'Later'"),
        (("--view", "Cub"), "has no view 'Cub'; did you mean 'Cup'?"),
        (("--view", "Later"), "view 'Later' is empty; "),
        (("--view", "Cup", "-o", "cup.jpg"), "cup.jpg: is not a format for figures; "),
        (("--all", "-o", "all.png"), "all.png: is one file for 2 views; name a folder"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(words: tuple[str, ...], told: str, cup: Path, sdmodel):
    """With what to do, and nothing is left behind."""
    done = sdmodel("diagram", *words)
    assert done.exit_code == 1
    assert told in done.stderr.splitlines()[-1]
    assert {each.name for each in cup.iterdir()} == {"models"}


def test_a_broken_sketch_is_told_with_its_line(tea: Path, sdmodel):
    """As a broken equation is."""
    (tea / "bad.mdl").write_text(_drawn(("A", (ROOM, "10,2,b,x"))))
    done = sdmodel("diagram", "bad.mdl")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("bad.mdl:5:8: the x is 'x'; ")


def test_the_views_are_listed(cup: Path, sdmodel):
    """With how much each shows, as a table or as JSON."""
    rows = json.loads(sdmodel("diagram", "--list", "--json").stdout)
    assert [row["view"] for row in rows] == ["Cup", "Room / air", "Later"]
    assert rows[0] == {"view": "Cup", "variables": 2, "shown again": 0, "flows": 0, "influences": 1}
    assert "Room / air" in sdmodel("diagram", "--list").stdout


@pytest.mark.parametrize("words", [("--all", "--view", "Cup"), ("--json",)])
def test_options_that_do_not_go_together_are_a_mistake_of_usage(words: tuple[str, ...], cup: Path, sdmodel):
    """They end with 2."""
    assert sdmodel("diagram", *words).exit_code == 2


def test_a_view_shows_the_values_of_a_run_or_its_change(cup: Path, sdmodel):
    """The number of each variable stands below its name; what the colours mean is told below."""
    sdmodel("run", "--name", "base")
    sdmodel("run", "--name", "hot", "--set", "room temperature=77")
    done = sdmodel("diagram", "--view", "Cup", "--run", "base", "--at", "2024-01-01", "-o", "value.svg")
    assert done.exit_code == 0
    assert 'id="number-1"' in (cup / "value.svg").read_text("utf-8")
    done = sdmodel("diagram", "--view", "Cup", "--run", "base", "--run", "hot", "-o", "change.svg")
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--at", "2024"), "goes with --run"),
        (("--run", "base", "--at", "2050"), "outside the run"),
        (("--run", "base", "--at", "soon"), "is not a date"),
        (("--run", "bse"), "did you mean 'base'?"),
        (("--run", "base", "--run", "base", "--run", "base"), "twice"),
    ],
)
def test_what_cannot_be_shown_of_runs_is_told(words: tuple[str, ...], told: str, cup: Path, sdmodel):
    """In one line, and nothing is drawn."""
    sdmodel("run", "--name", "base")
    done = sdmodel("diagram", "--view", "Cup", "-o", "x.png", *words)
    assert done.exit_code in (1, 2)
    assert told in done.stderr
    assert not (cup / "x.png").exists()


def test_a_model_without_a_sketch_gets_a_layout(tea: Path, sdmodel):
    """Which is told; it can be coloured like any other."""
    sdmodel("run", "--name", "base")
    done = sdmodel("diagram", "-o", "tea.svg", "--run", "base")
    assert (done.exit_code, done.stdout) == (0, "plotted in tea.svg\n")
    assert "so its diagram gets a new layout" in done.stderr
    assert "flow-" in (tea / "tea.svg").read_text("utf-8")
    listed = json.loads(sdmodel("diagram", "--list", "--json").stdout)
    assert listed == [{"view": "View 1", "variables": 4, "shown again": 0, "flows": 1, "influences": 3}]
