"""`sdmodel completion`: what a shell is offered, and how it is quoted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel import Model, read_model
from sdmodel.cli.shell import SCRIPTS, names_in_text, open_quote, quoted
from sdmodel.testing import model_text
from sdmodel.vensim import model_from_text

FLAGSHIP = Path(__file__).parents[2] / "models" / "ai_compute.mdl"
ODD = '"odd: $(touch x) `y` \\"z\\" * ~ !, [1]" = 3 ~ Dmnl [0,9] ~ judgement: odd. |\n'

Complete = Callable[..., list[list[str]]]


@pytest.fixture
def environment(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A shell of a user with a cache of their own, in which Python imports this checkout."""
    cache = tmp_path_factory.getbasetemp() / "completion"
    return os.environ | {"PYTHONPATH": str(project), "SDMODEL_CACHE": str(cache)}


@pytest.fixture
def complete(tea: Path, environment: dict[str, str]) -> Complete:
    """Ask for completions as a shell does."""

    def ask(line: str, shell: str = "zsh") -> list[list[str]]:
        own = environment | {"_SDMODEL_COMPLETE": shell, "COMP_LINE": line}
        done = subprocess.run(
            [sys.executable, "-m", "sdmodel"], env=own, cwd=tea, capture_output=True, text=True, check=True
        )
        assert not done.stderr
        return [row.split("\t") for row in done.stdout.splitlines()]

    return ask


def _values(rows: list[list[str]]) -> list[str]:
    return [row[1] for row in rows]


def test_commands_options_and_choices_are_completed(complete: Complete):
    """With their help; those that git calls are hidden."""
    assert complete("sdmodel ens") == [["plain", "ensemble", "Run many members with sampled constants."]]
    commands = _values(complete("sdmodel "))
    assert {"run", "completion"} <= set(commands)
    assert "merge-file" not in commands
    assert ["plain", "--set", "Change a constant, after the change files."] in complete("sdmodel run --")
    assert _values(complete("sdmodel sensitivity --method ")) == ["tornado", "morris", "sobol"]
    assert _values(complete("sdmodel edit re")) == ["remove", "rename"]


def test_runs_scenarios_and_names_are_completed(tea: Path, complete: Complete):
    """Names with blanks whole; a name that needs a value ends with `=`."""
    (tea / "runs").mkdir()
    for name in ("base.nc", "cold.nc", "many.zarr", "notes.txt"):
        (tea / "runs" / name).touch()
    assert _values(complete("sdmodel compare base ")) == ["base", "cold", "many"]
    assert complete("sdmodel run -c ")[0][:2] == ["plain", "cold"]
    assert complete("sdmodel run --set roo")[0][:2] == ["start", "room temperature="]
    assert complete('sdmodel run --set "room T')[0][:2] == ["start", "room temperature="]
    assert _values(complete("sdmodel sweep --lever ")) == ["room temperature", "cooling time"]
    assert _values(complete("sdmodel ensemble --on tea")) == ["Tea Temperature"]
    assert _values(complete("sdmodel levers c")) == ["cooling time"]
    assert _values(complete("sdmodel run --set=roo")) == ["--set=room temperature="]
    assert complete("sdmodel run mod")[0][:2] == ["file", "mod"]


def test_names_are_those_of_the_model_on_the_line(tea: Path, complete: Complete):
    """If it is there already."""
    (tea / "odd.mdl").write_text(model_text(ODD), "utf-8")
    assert _values(complete("sdmodel run odd.mdl --set odd")) == ['odd: $(touch x) `y` "z" * ~ !, [1]=']


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize("start", ["", '"', "'"])
def test_bash_inserts_a_name_that_means_itself(start: str, tea: Path, environment: dict[str, str]):
    """Whatever characters it has, and whichever quotation mark is open."""
    (tea / "odd.mdl").write_text(model_text(ODD), "utf-8")
    command = tea / "sdmodel"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m sdmodel "$@"\n')
    command.chmod(0o755)
    line = f"sdmodel run odd.mdl --set {start}odd"
    script = """
        eval "$(sdmodel completion bash)" && COMP_LINE=$LINE COMP_POINT=${#LINE} && _sdmodel_completion sdmodel 2>/dev/null
        printf '%s' "${COMPREPLY[0]}"
    """
    own = environment | {"PATH": f"{tea}:{os.environ['PATH']}", "LINE": line}
    inserted = subprocess.run(["bash", "-c", script], env=own, cwd=tea, capture_output=True, text=True, check=True)
    begun = "" if start else "odd:"  # bash completes only what follows a colon without quotes
    whole = f"{start}{begun if not start and not inserted.stdout.startswith('odd') else ''}{inserted.stdout}{start}"
    read = subprocess.run(["bash", "-c", f"printf %s {whole}"], cwd=tea, capture_output=True, text=True, check=True)
    assert read.stdout == 'odd: $(touch x) `y` "z" * ~ !, [1]='
    assert not (tea / "x").exists()


PRINTABLE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=20)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@given(st.lists(st.tuples(PRINTABLE, st.sampled_from(["", '"', "'"])), min_size=1, max_size=50))
@settings(max_examples=20, deadline=None)
def test_quoted_values_mean_themselves(values: list[tuple[str, str]]):
    """Bash reads back every text, without quotes or after either mark, as it was."""
    words = " ".join(f"{mark}{quoted(text, '', mark)}{mark}" for text, mark in values)
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [text for text, _ in values]


@pytest.mark.parametrize(
    ("line", "mark"), [("a b", ""), ('a "b', '"'), ("a 'b\"", "'"), ('a "b"', ""), ('a \\"b', ""), ("a 'b\\'", "")]
)
def test_an_open_quotation_mark_is_noticed(line: str, mark: str):
    """Not one that is quoted itself."""
    assert open_quote(line) == mark


def _same_names(model: Model, text: str) -> None:
    found = names_in_text(text)
    shown = [element for element in model if not element.hidden and element.kind != "lookup"]
    assert sorted(found["variables"]) == sorted(element.name for element in shown)
    assert sorted(found["constants"]) == sorted(element.name for element in shown if element.kind == "constant")


def test_names_in_a_text_are_those_of_the_model():
    """Groups, lookups, ranges, macros, line breaks, arrays and comments in braces do not mislead it."""
    _same_names(read_model(FLAGSHIP), FLAGSHIP.read_text("utf-8"))
    equations = """
{a comment = 1} left = 2 ~ Dmnl ~ | "quoted = name" = left*2 ~ ~ |
R: a, b ~~|  table((0,0),(1,1)) ~~|  array[R] = 1, \\
 2 ~~|  mixed[a] = left ~~| mixed[b] = 3 ~~|
"""
    text = model_text(equations)
    _same_names(model_from_text(text), text)


def test_levers_are_those_of_the_groups_else_all_constants(tea_text: str):
    """As `sdmodel levers` lists them."""
    assert names_in_text(tea_text)["levers"] == ["room temperature", "cooling time"]
    assert "price" in names_in_text("price = 1 ~ ~ |")["levers"]


def test_completion_imports_no_heavy_package(tea: Path, environment: dict[str, str]):
    """Once the options are in the cache, so that an answer takes a tenth of a second."""
    code = "import sys; from sdmodel.cli import main\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    own = environment | {"_SDMODEL_COMPLETE": "bash", "COMP_LINE": "sdmodel run --set roo"}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], env=own, cwd=tea, capture_output=True, text=True, check=True
        )
    assert "room" in done.stdout
    assert not {"numpy", "xarray", "sympy", "rich", "lark"} & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_of_each_shell_is_printed(shell: str, sdmodel, monkeypatch, tmp_path: Path):
    """It asks this program for completions."""
    monkeypatch.setenv("SDMODEL_CACHE", str(tmp_path))
    done = sdmodel("completion", shell)
    assert done.exit_code == 0
    assert f"_SDMODEL_COMPLETE={shell}" in done.stdout
    assert [*tmp_path.rglob("completion-*")]


def test_a_damaged_cache_is_made_again(complete: Complete, environment: dict[str, str]):
    """It holds nothing that cannot be found again."""
    assert _values(complete("sdmodel backt")) == ["backtest"]
    (path,) = Path(environment["SDMODEL_CACHE"]).rglob("completion-*")
    path.write_text('{"identity": 1', "utf-8")
    assert _values(complete("sdmodel backt")) == ["backtest"]
    assert path.read_bytes().endswith(b"}")
