"""All commands: one-line errors, exit codes and help pages."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from sdmodel.cli import main
from sdmodel.testing import model_text

BAD_NAMES = ("../a", "x" * 300, "a\0b", "a\nb", "a\x1bb", "a*", " ", "", " a", "a\\b")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nowhere.mdl"], r"nowhere\.mdl: .*; "),
        (["run", "-c", "nowhere.cin"], r"nowhere\.cin: .*; "),
        (["run", "--set", "rom temperature = 1"], "'rom temperature' .* did you mean 'room temperature'"),
        (["run", "--set", "room temperature"], "this is not a change; "),
        *((["run", "--name", name], r"is not a name for a file; choose another") for name in BAD_NAMES),
        (
            ["run", "--runs", "models/ai_compute.mdl"],
            r"cannot hold runs \(models/ai_compute\.mdl is not a folder\); name",
        ),
        (["run", "--runs", "models/ai_compute.mdl/a"], r"cannot hold runs .*; name a folder"),
        (["runs", "--runs", "models/ai_compute.mdl"], r"cannot hold runs .*; name a folder"),
        (["runs", "--runs", "x" * 300], r"cannot hold runs .*; name a folder"),
        (["show", f"{'x' * 300}.nc"], r"is not a name for a file; "),
        (["show", "nothing"], "run 'nothing': is not in runs; "),
        (["rerun", "nothing"], "run 'nothing': is not in runs; "),
        (["plot", "nothing"], "run 'nothing': is not in runs; "),
        (["levers", "nowhere.mdl"], r"nowhere\.mdl: .*; "),
        (["levers", "ai_compute.mdl"], r"^ai_compute\.mdl: .*; did you mean models/ai_compute\.mdl\?$"),
        (["run", "-c", "cld"], r"^cld: .*; did you mean cold\?$"),
        (["levers", "notes.md"], r"^notes\.md: not a Vensim model: .*; name a \.mdl file$"),
    ],
)
@pytest.mark.usefixtures("tea")
def test_user_errors_are_one_line_on_stderr(words: list[str], message: str, sdmodel):
    """Nothing on stdout, exit code 1, nothing stored."""
    Path("notes.md").write_text("# Notes\n\n- one, of *many*\n- `two`\n")
    done = sdmodel(*words)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert re.search(message, done.stderr)
    assert not Path("runs").exists()


@pytest.mark.parametrize("words", [["bogus"], ["run", "--bogus"], ["run", "--integrator", "rk7"], ["show"], ["plot"]])
def test_usage_errors_of_any_command_exit_with_two(words: list[str], sdmodel):
    """As is usual for command lines."""
    assert sdmodel(*words).exit_code == 2


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_with_an_example(name: str, sdmodel):
    """A line in the overview, a paragraph, a text for every option, and an example of the command."""
    done = sdmodel(name, "--help")
    assert done.exit_code == 0
    assert f"Example: sdmodel {name}" in done.stdout
    command = main.get_command(click.Context(main), name)
    assert all(option.help for option in command.params if option.param_type_name == "option")
    assert main.commands[name].short_help in sdmodel("--help").stdout


@pytest.mark.parametrize(
    ("text", "encoding", "is_noted"),
    [
        ("人口 = 出生 * 3 ~ 人 ~~| 出生 = 2 ~ 人 ~ 總數 |", "gbk", True),
        ("テスト = データ * 3 ~ 個 ~~| データ = 1 ~~|", "shift_jis", True),
        ("能力表 = データ * 3 ~ 個 ~~| データ = 1 ~~|", "shift_jis", True),
        ("население = темп * 3 ~~| темп = 1 ~~|", "cp1251", True),
        ("人口 = 出生 * 3 ~ 人 ~~| 出生 = 2 ~ 人 ~ 總數 |", "utf-8", False),
        ("人口 = 出生 * 3 ~ 人 ~~| 出生 = 2 ~ 人 ~ 總數 |", "utf-16", False),
        ("größe = prix créé ~ €/m² ~~| prix créé = 1 ~ € ~ l’été, “doux” – à la mode, façade. |", "cp1252", False),
    ],
)
def test_an_encoding_that_gives_other_letters_is_noted_once(tea, sdmodel, text, encoding, is_noted):
    """Names in it would be unreadable, without a reason."""
    Path("far.mdl").write_bytes(model_text(text).encode(encoding))
    result = sdmodel("levers", "far.mdl")
    assert result.stderr.count("looks like another encoding, such as GBK") == is_noted
    assert ("far.mdl: it is read as cp932, since it cannot be" in result.stderr) == (encoding == "shift_jis")
