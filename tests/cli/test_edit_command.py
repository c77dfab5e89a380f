"""`sdmodel edit`: what it changes and prints, and how to undo it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from sdmodel.reading import read_model

MODEL = "models/ai_compute.mdl"


def _bytes(tea: Path) -> bytes:
    return (tea / MODEL).read_bytes()


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [
        (["set", "room temperature = 60"], b"= 70 ~", b"= 60 ~"),
        (["units", "Room_Temperature", "degF"], "70 ~ °F [".encode(), b"70 ~ degF ["),
        (["range", "room temperature", "-5", "?"], b"[40,100,5]", b"[-5,?]"),
        (["range", "room temperature", "0", "9", "0.1"], b"[40,100,5]", b"[0,9,0.1]"),
        (["range", "room temperature", "--none"], b" [40,100,5]", b""),
        (["comment", "cooling time", "Guessed."], b"From a thermometer.", b"Guessed."),
    ],
)
def test_edit_changes_only_its_bytes_and_prints_the_undo(tea: Path, sdmodel, words, before, after):
    """The printed command restores the file byte for byte."""
    old = _bytes(tea)
    done = sdmodel("edit", *words)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"saved in {MODEL}\n"
    assert _bytes(tea) == old.replace(before, after)
    assert _bytes(tea) != old
    back = done.stderr.removeprefix("undo with: sdmodel ")
    assert sdmodel(*shlex.split(back)).exit_code == 0
    assert _bytes(tea) == old


def test_model_may_be_named_before_the_subcommand(tea: Path, sdmodel):
    """The default is the project's model."""
    (tea / "other.mdl").write_bytes(_bytes(tea))
    assert sdmodel("edit", "other.mdl", "set", "room temperature = 60", "cooling time = 3").exit_code == 0
    assert read_model("other.mdl")["cooling time"].equations[0].text == "3"
    assert sdmodel("edit", "none.mdl", "set", "a = 1").stderr == "none.mdl: there is no such file; check the path\n"
    wrong = sdmodel("edit", "sett", "a = 1")
    assert wrong.exit_code == 2
    assert "Did you mean 'set'" in wrong.stderr


def test_dry_run_prints_a_diff_and_changes_nothing(tea: Path, sdmodel):
    """With `-o` the model stays as it is too."""
    old = _bytes(tea)
    done = sdmodel("edit", "set", "cooling time = 3", "--dry-run")
    assert [line for line in done.stdout.splitlines() if line[0] in "+-"][2:] == [
        "-cooling time = 2.5 ~ Year [0.5,?] ~ From a thermometer. |",
        "+cooling time = 3 ~ Year [0.5,?] ~ From a thermometer. |",
    ]
    assert sdmodel("edit", "set", "cooling time = 3", "-o", "new.mdl").stdout == "saved in new.mdl\n"
    assert _bytes(tea) == old
    assert sdmodel("edit", "set", "cooling time = 4", "-o", "new.mdl").exit_code == 1
    assert sdmodel("edit", "set", "cooling time = 4", "-o", "new.mdl", "--force").exit_code == 0
    assert b"cooling time = 4 ~" in Path("new.mdl").read_bytes()
    assert sdmodel("edit", "set", "cooling time = 2.5").stderr.endswith("nothing changed\n")


def test_element_is_added_and_removed(tea: Path, sdmodel):
    """It joins the group of its causes or the given one; a flow also joins its stock's equation."""
    old = _bytes(tea)
    given = ["--units", "°F", "--comment", "To go.", "--range", "0", "?", "--group", "Gaps"]
    done = sdmodel("edit", "add", "gap = Tea Temperature - room temperature", *given)
    assert done.exit_code == 0
    assert "gap = Tea Temperature - room temperature ~ °F [0,?] ~ To go. |".encode() in _bytes(tea)
    assert "is not drawn" in done.stderr
    assert read_model(MODEL)["gap"].group == "Gaps"
    assert sdmodel("edit", "remove", "gap").exit_code == 0
    assert sdmodel("edit", "add", "sipping = 1", "--from", "Tea Temperature").exit_code == 0
    assert b"INTEG(-heat loss - sipping, 180)" in _bytes(tea)
    assert sdmodel("edit", "set", "Tea Temperature = INTEG(-heat loss, 180)").exit_code == 0
    assert sdmodel("edit", "remove", "sipping").exit_code == 0
    rest = b"*" * 56 + b"\n\t.Gaps\n" + b"*" * 56 + b"~\n\t|"
    assert _bytes(tea).replace(rest + b"\n", b"") == old  # the header of the group stays


def test_rename_changes_scenarios_unless_model_only(tea: Path, sdmodel):
    """Every changed file is listed."""
    done = sdmodel("edit", "rename", "Room Temperature", "kitchen")
    assert done.stdout == f"saved in {MODEL}\nsaved in models/scenarios/cold.cin\n"
    assert "kitchen = 50" in (tea / "models/scenarios/cold.cin").read_text()
    assert sdmodel("run", "-c", "models/scenarios/cold.cin").exit_code == 0
    assert sdmodel("edit", "rename", "kitchen", "hall", "--model-only").exit_code == 0
    assert "kitchen = 50" in (tea / "models/scenarios/cold.cin").read_text()


def test_block_moves_to_another_group(tea: Path, sdmodel):
    """This turns a constant into a lever, or back."""
    assert sdmodel("edit", "group", "room temperature", "Uncertainties").exit_code == 0
    assert read_model(MODEL)["room temperature"].group == "Uncertainties"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["set", "room temperture = 1"], 1, "did you mean 'room temperature'?"),
        (["set", "room temperature = 1 +"], 1, f"{MODEL}:8:1: the equation is incomplete"),
        (["set", "room temperature = nothing"], 1, f"{MODEL}:8:20: 'nothing' is not defined"),
        (["set", "room temperature"], 1, "write 'name = equation'"),
        (["add", "room temperature = 1"], 1, f"is taken at {MODEL}:8:1"),
        (["remove", "room temperature"], 1, "is used by 'heat loss'; change"),
        (["rename", "room temperature", "heat loss"], 1, "is taken at"),
        (["comment", "cooling time", "a|b"], 1, "cannot hold '|'"),
        (["range", "cooling time", "x", "1"], 1, "'x' is not a number"),
        (["range", "cooling time", "1"], 2, "give a minimum and a maximum, or --none"),
        (["range", "cooling time"], 2, "give a minimum and a maximum, or --none"),
        (["add", "x = 1", "--view", "Main"], 1, "there is no view 'Main'"),
    ],
)
def test_edit_errors_are_one_line_and_change_nothing(tea: Path, sdmodel, words, code, message):
    """They say where, what is wrong, and what to do."""
    old = _bytes(tea)
    done = sdmodel("edit", *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr
    assert code == 2 or done.stderr.count("\n") == 1
    assert _bytes(tea) == old


@pytest.mark.parametrize("name", ["set", "add", "rename", "remove", "units", "comment", "range", "group"])
def test_every_subcommand_has_help_with_an_example(name: str, sdmodel):
    """Like every command."""
    done = sdmodel("edit", name, "--help")
    assert done.exit_code == 0
    assert f"Example: sdmodel edit {name}" in done.stdout
