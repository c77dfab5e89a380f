"""`sdmodel git-install`: real repositories in which git itself calls the installed commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdmodel import simulate
from sdmodel.reading import read_model
from sdmodel.testing import model_text

WORDS = "10,1,a,100,100,40,20,3,3,0,0,0,0,0,0\n"
TEXT = model_text(
    """
    a = INTEG(b - c, 1) ~ m ~ Stock. |
    b = 2 ~ m/Year ~ |
    c = 3 ~ m/Year ~ |
    """
).replace("///---\\", WORDS + "///---\\")
MODEL = Path("model with blanks.mdl")


def _git(*words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["git", *words], check=False, capture_output=True, text=True, errors="surrogateescape")
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done


def _edit(*replacements: tuple[str, str]) -> None:
    text = MODEL.read_text("utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    MODEL.write_text(text, "utf-8")
    _git("commit", "-am", "edit")


@pytest.fixture
def repository(tmp_path, monkeypatch, sdmodel):
    """A repository with a model, set up by the command, and two branches."""
    monkeypatch.chdir(tmp_path)
    _git("init")
    _git("config", "user.name", "A Tester")
    _git("config", "user.email", "tester@example.org")
    MODEL.write_text(TEXT, "utf-8")
    done = sdmodel("git-install")
    assert done.exit_code == 0, done.output
    _git("add", "-A")
    _git("commit", "-m", "first")
    _git("branch", "theirs")
    return tmp_path


def test_branches_that_change_different_variables_merge_and_the_model_runs(repository):
    """Adjacent blocks change, and each side adds a variable and its word in the sketch; plain git would conflict."""
    word = "10,2,{},300,{},40,20,8,3,0,0,0,0,0,0\n"
    _edit(("b = 2", "b = 2.5"), ("///---", word.format("new one", 1) + "///---"), ("c = 3", "new one = 1 ~~|\nc = 3"))
    _git("checkout", "theirs")
    _edit(("c = 3", "c = 3*d"), ("///---", word.format("d", 2) + "///---"), ("b = 2", "d = 0.5 ~~|\nb = 2"))
    versions = {"base": "HEAD~1", "mine": "HEAD", "other": "@{-1}"}
    for name, revision in versions.items():
        Path(".git", name).write_text(_git("cat-file", "blob", f"{revision}:{MODEL}").stdout, "utf-8")
    assert _git("merge-file", "-p", ".git/mine", ".git/base", ".git/other", code=None).returncode > 0
    _git("merge", "-", "-m", "both")
    assert _git("status", "--porcelain").stdout == ""
    run = simulate(read_model(MODEL))
    assert run["a"].values[-1] == pytest.approx(1 + 10 * (2.5 - 1.5))
    assert "new_one" in run
    text = MODEL.read_text("utf-8")
    assert "\n10,2,d,300,2," in text
    assert "\n10,3,new one,300,1," in text


def test_change_of_the_same_variable_is_a_named_conflict(repository, sdmodel):
    """Git stops; only the block of that variable has conflict marks."""
    _edit(("b = 2", "b = 4"), ("Stock.", "A stock."))
    _git("checkout", "theirs")
    _edit(("b = 2", "b = 5"), ("c = 3", "c = 6"))
    done = _git("merge", "-", "-m", "both", code=1)
    assert f"{MODEL}: conflict in 'b', which both sides changed" in done.stdout + done.stderr
    assert _git("status", "--porcelain").stdout.startswith("UU ")
    text = MODEL.read_text("utf-8")
    conflict = text[text.index("<<<<<<<") : text.index(">>>>>>>")]
    assert conflict.count("~ m/Year ~ |") == 2
    assert "b = 5" in conflict
    assert "b = 4" in conflict
    assert "c = 6" in text.replace(conflict, "")
    assert "A stock." in text.replace(conflict, "")
    assert "b = 4" in sdmodel("git-text", str(MODEL)).stdout  # a file with marks can be shown


def test_git_diff_shows_equations_by_name_and_views_as_one_line(repository):
    """Layout is hidden, a moved word is one line, and a hunk header names a variable."""
    text = TEXT.replace("b = 2 ~ m/Year ~ |", "b =\n\t2\n\t~\tm/Year\n\t~\t\n\t|")
    MODEL.write_text(text.replace("a,100,100", "a,200,100").replace("FINAL TIME = 10", "FINAL TIME = 20"), "utf-8")
    lines = [line for line in _git("diff", "-U0").stdout.splitlines() if line[:3] not in ("+++", "---")]
    assert [line.partition(",")[0] for line in lines if line[0] in "+-"] == [
        "-\t10", "+\t20", "-*View 1: 1 line", "+*View 1: 1 line",
    ]  # fmt: skip
    assert next(line for line in lines if line.startswith("@@")).endswith("@@ FINAL TIME =")


def test_other_files_are_merged_by_lines(repository):
    """A file that cannot be split into blocks is merged by git; nothing is lost."""
    broken = "one {\ntwo\nthree\nfour\nfive\n"
    MODEL.write_text(broken, "utf-8")
    _git("commit", "-am", "broken")
    _git("branch", "-f", "theirs")
    _edit(("one", "1"))
    _git("checkout", "theirs")
    _edit(("five", "5"))
    done = _git("merge", "-", "-m", "both")
    assert "is merged by lines" in done.stdout + done.stderr
    assert MODEL.read_text("utf-8") == "1 {\ntwo\nthree\nfour\n5\n"


@pytest.mark.parametrize("before", [None, "*.nc binary\n", "*.nc binary", "*.nc binary\r\n", "*.png binary\n\n"])
def test_remove_restores_the_configuration_exactly(tmp_path, monkeypatch, sdmodel, before):
    """Configuration and `.gitattributes` are restored byte for byte; installing twice equals once."""
    monkeypatch.chdir(tmp_path)
    _git("init")
    config = (tmp_path / ".git" / "config").read_bytes()
    attributes = tmp_path / ".gitattributes"
    if before is not None:
        attributes.write_bytes(before.encode())
    for _ in range(2):
        assert sdmodel("git-install").exit_code == 0
    text = attributes.read_text("utf-8")
    assert text.startswith(before.strip() if before else "*.mdl")
    assert text.count("merge=sdmodel") == 1
    assert sys.executable in _git("config", "merge.sdmodel.driver").stdout
    assert _git("check-attr", "merge", "x/y.mdl").stdout == "x/y.mdl: merge: sdmodel\n"
    for _ in range(2):
        assert sdmodel("git-install", "--uninstall").exit_code == 0
    assert (tmp_path / ".git" / "config").read_bytes() == config
    assert (attributes.read_bytes().decode() if attributes.exists() else None) == before


HOSTILE = ("-x.mdl", "'it's' \"$(touch x)\" `touch x`; touch x.mdl", "new\nline 模型.mdl", "%A %P \\.mdl")
MORE = (
    "--marks.mdl", "--.mdl", " a b .mdl", "it's.mdl", 'quo"te.mdl', "$(touch x).mdl", "`touch x`.mdl", "a;touch x.mdl", "*.mdl",
    "~.mdl", "#.mdl", "a/-x.mdl", "%O.mdl", "back\\slash.mdl", "ünïcode.mdl", os.fsdecode(b"latin\xff.mdl"),
)  # fmt: skip


@pytest.mark.parametrize("names", [HOSTILE, pytest.param(MORE, marks=pytest.mark.nightly)], ids=["few", "more"])
def test_models_with_hostile_names_lose_neither_side(repository, names):
    """No name is taken for an option, a pattern, a part of the driver's command or a command of the shell.

    Both sides change `b`, which is a conflict; theirs also changes `c`, which is merged.
    """

    def commit(*replacements: tuple[str, str]) -> None:
        text = TEXT
        for old, new in replacements:
            text = text.replace(old, new)
        for name in names:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text, "utf-8")
        _git("add", "-A")
        _git("commit", "-m", "all")

    commit()
    _git("branch", "-f", "theirs")
    Path(names[0]).write_text(TEXT.replace("b = 2", "b = 7"), "utf-8")
    assert "+\t7" in _git("diff").stdout.splitlines()  # git shows the file of the working directory by its name
    commit(("b = 2", "b = 4"))
    _git("checkout", "theirs")
    commit(("b = 2", "b = 5"), ("c = 3", "c = 6"))
    _git("checkout", "-")
    done = _git("merge", "theirs", "-m", "both", code=1)
    named = [line for line in (done.stdout + done.stderr).splitlines() if ": conflict in 'b', which both sides" in line]
    assert len(named) == len(names)
    for name in names:
        text = Path(name).read_text("utf-8")
        conflict = text[text.index("<<<<<<<") : text.index(">>>>>>>")]
        assert ("b = 5" in conflict, "b = 4" in conflict, "c = 6" in text) == (True, True, True), name
    assert {path.name for path in repository.iterdir()} == {
        ".git", ".gitattributes", MODEL.name, *(name.partition("/")[0] for name in names),
    }  # fmt: skip


def test_a_merge_that_cannot_be_written_stops(tmp_path, monkeypatch, sdmodel):
    """The exit code is one that git does not take for a conflict, which would be settled with only our side in the file."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "site-packages"  # where nothing may be written, not even by root
    folder.mkdir()
    for name, text in {
        "base": TEXT,
        "ours": TEXT.replace("b = 2", "b = 4"),
        "theirs": TEXT.replace("c = 3", "c = 6"),
    }.items():
        (folder / name).write_text(text, "utf-8")
    done = sdmodel("merge-file", *(f"site-packages/{name}" for name in ("base", "ours", "theirs")))
    assert done.exit_code == 255
    assert done.stderr.startswith("site-packages/ours: is part of an installed package; ")
    assert len(done.stderr.splitlines()) == 1


def test_outside_a_repository_the_error_has_a_cure(tmp_path, monkeypatch, sdmodel):
    """There is nothing to set up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = sdmodel("git-install")
    assert done.exit_code == 1
    assert "is not in a git repository" in done.stderr


def test_internal_git_commands_are_not_listed(sdmodel):
    """Users do not type them."""
    assert "merge-file" not in sdmodel("--help").output
    assert sdmodel("merge-file", "--help").exit_code == 0
    assert sdmodel("git-text", "--help").exit_code == 0
