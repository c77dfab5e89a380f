"""Names with brackets, commas and quotes as options of commands, in their tables and in the files that they write."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from sdmodel.cli import main

MODEL = """{UTF-8}
"a[b]" = 1 ~ $ [0,2] ~ A lever. |
r: "x, y", "[red]z" ~~|
"k, l"[r] = 0.1, 0.2 ~ 1/Year [0,1] ~ |
"s]"[r] = INTEG(f[r], 1) ~ $ ~ |
f[r] = "s]"[r]*"k, l"[r]*"a[b]" ~ $/Year ~ |
INITIAL TIME = 0 ~ Year ~ |
FINAL TIME = 2 ~ Year ~ |
TIME STEP = 1 ~ Year ~ |
SAVEPER = TIME STEP ~ Year ~ |
"""
CELL, LEVER = '"s]"["x, y"]', '"k, l"["x, y"]'
CHANGES = ("--set", '"a[b]"=2', "--set", f"{LEVER}=0.5")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command in a folder with the model, and return what it prints."""
    monkeypatch.chdir(tmp_path)
    Path("m.mdl").write_text(MODEL)

    def invoke(*options: str) -> str:
        done = CliRunner().invoke(main, list(options))
        assert done.exit_code == 0, done.output
        return done.stdout

    return invoke


def rows(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output)))


def test_running_and_comparing(run):
    """A run finds its constants and shows its cells by names in quotes, and a save list keeps them."""
    Path("m.lst").write_text(f'{CELL}\n"s]"["[red]z"]\n')
    assert CELL in run("run", "m.mdl", "--name", "one")
    printed = run("run", "m.mdl", "--name", "two", *CHANGES)
    assert CELL in printed
    assert '"s]"["[red]z"]' in printed
    compared = run("compare", "one", "two", "--on", CELL)
    assert LEVER in compared
    assert '"a[b]"' in compared
    assert "4" in compared


def test_sweeping(run):
    """A lever with a label that has a comma, and the cell that it moves."""
    found = rows(run("sweep", "m.mdl", "--lever", f"{LEVER}=0.1,0.5", "--on", CELL, "--name", "s", "--format", "csv"))
    assert [float(row[f"levers.{LEVER}"]) for row in found] == [0.1, 0.5]
    assert {row["name"] for row in found} == {CELL}


def test_attributing_to_groups(run):
    """The levers of a group are separated by commas outside of quotes and brackets."""
    printed = run("attribute", "m.mdl", *CHANGES, "--group", 'both="k, l","a[b]"', "--on", CELL, "--name", "a")
    assert "both" in printed


def test_sensitivities(run):
    """The constants that vary and the outcome are cells."""
    options = ("--free", f"{LEVER}=0:1", "--free", '"a[b]"=0:1', "--on", CELL, "--format", "csv")
    assert {LEVER, '"a[b]"'} <= {row["name"] for row in rows(run("sensitivity", "m.mdl", *options))}


def test_loops_and_expanding(run):
    """A way point with labels, and the model without subscripts."""
    assert CELL in run("loops", "m.mdl", "--through", CELL)
    run("expand", "m.mdl", "-o", "flat.mdl")
    assert '"s] x, y"' in Path("flat.mdl").read_text()
    assert "s] x, y" in run("run", "flat.mdl", "--name", "flat")


def test_renaming_and_undoing(run):
    """Names and labels are renamed in the files beside the model, in quotes where they need them; the undo is printed."""
    Path("c.cin").write_text(f'"a[b]" = 1\n{LEVER} = 0.3\n')
    Path("m.lst").write_text(f'{CELL}\n"a[b]"\n')
    Path("s.tab").write_text(f'{LEVER}\t"a[b]"\n0.2\t1\n')
    files = [Path("m.mdl"), Path("c.cin"), Path("m.lst"), Path("s.tab")]
    Path("s.vsc").write_text("1,F,1,s.tab,0\n")
    before = [path.read_bytes() for path in files]
    for old, new in (('"a[b]"', "new, one"), ('"x, y"', "x; y"), ('"k, l"', "plain")):
        run("edit", "m.mdl", "rename", old, new)
    assert Path("c.cin").read_text() == '"new, one" = 1\nplain["x; y"] = 0.3\n'
    assert Path("m.lst").read_text() == '"s]"["x; y"]\n"new, one"\n'
    assert Path("s.tab").read_text() == 'plain["x; y"]\t"new, one"\n0.2\t1\n'
    for old, new in (("plain", "k, l"), ('"x; y"', "x, y"), ('"new, one"', '"a[b]"')):
        run("edit", "m.mdl", "rename", old, new)
    assert [path.read_bytes() for path in files] == before
    done = CliRunner().invoke(main, ["edit", "m.mdl", "rename", '"a[b]"', "other"])
    assert """rename other '"a[b]"'""" in done.output
