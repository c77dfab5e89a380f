"""`sdmodel edit`: what it changes and prints, and how to undo it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from sdmodel.reading import read_model
from sdmodel.testing import model_text

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


OTHER_FORMS = """x = ((y + 1)*2) ~~|
spare(
	[(0,0)-(1,1)],(0,0),(1,1)) ~~|
y = 3 ~~|
seen ~~|
read:RAW: ~~|
late := y ~~|"""


@pytest.mark.parametrize(
    ("words", "undo"),
    [
        (["set", "x = (y + 1)*3"], ["set", "x = ((y + 1)*2)"]),
        (["set", "spare((0,1),(1,1))"], ["set", "spare(\n\t[(0,0)-(1,1)],(0,0),(1,1))"]),
        (["remove", "x"], ["add", "x = ((y + 1)*2)"]),
        (["remove", "spare"], ["add", "spare(\n\t[(0,0)-(1,1)],(0,0),(1,1))"]),
        (["remove", "seen"], None),
        (["remove", "late"], None),
        (["set", "spare = 3.5"], "'spare' is a lookup; write its points, as in 'spare((0,0),(1,1))'"),
        (["set", "seen = 3"], "'seen' is a data variable, without an equation; remove it, and add it with an equation"),
        (["set", "read = 3"], "'read' is a data variable, without an equation; remove it, and add it with an equation"),
    ],
)
def test_forms_that_look_alike_are_edited_as_what_they_are(tea: Path, sdmodel, words, undo):
    """An equation in parentheses is not a lookup, a lookup has no equals sign, and `add` does not write data variables."""
    Path("forms.mdl").write_text(model_text(OTHER_FORMS), "utf-8")
    done = sdmodel("edit", "forms.mdl", *words)
    if isinstance(undo, str):
        assert (done.exit_code, undo in done.stderr) == (1, True)
    else:
        back = shlex.split(done.stderr.removeprefix("undo with: "))
        assert (done.exit_code, back[3:]) == (0, undo or [])
        assert not undo or sdmodel(*back[1:]).exit_code == 0


@pytest.mark.parametrize("name", ["set", "add", "rename", "remove", "units", "comment", "range", "group"])
def test_every_subcommand_has_help_with_an_example(name: str, sdmodel):
    """Like every command."""
    done = sdmodel("edit", name, "--help")
    assert done.exit_code == 0
    assert f"Example: sdmodel edit {name}" in done.stdout
