"""`sdmodel diff`: files and revisions, the differences, and their effect on the headlines."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

MODEL = Path("models", "ai_compute.mdl")


def _git(*words: str) -> None:
    names = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *names, *words], check=True, capture_output=True)


def _edit(old: str, new: str, path: Path = MODEL) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def repository(tea):
    """The tea project under git, with one revision."""
    _git("init")
    _git("add", "-A")
    _git("commit", "-m", "first")
    return tea


def test_working_copy_is_compared_with_the_revision(repository, sdmodel):
    """Without arguments, with a revision, a file, or `REV:path`: the same answer, numbers included."""
    _edit("= 70", "= 60")
    for words in ((), ("HEAD",), (str(MODEL),), (f"HEAD:{MODEL}",), ("HEAD", str(MODEL)), (f"HEAD:./{MODEL}",)):
        done = sdmodel("diff", *words)
        assert done.exit_code == 0, done.output
        lines = done.stdout.splitlines()
        assert lines[0].split() == ["room", "temperature", "equation", "70", "->", "60"]
        assert lines[1] == ""
        assert lines[4].split() == ["Tea", "Temperature", "°F", "2022", "180", "180", "same"]
    rows = json.loads(sdmodel("diff", "--json").stdout)["headlines"]
    assert {row["name"] for row in rows} == {"Tea Temperature"}
    assert rows[0]["old"] == rows[0]["new"] == 180
    assert rows[-1]["percent"] == pytest.approx(100 * (rows[-1]["new"] / rows[-1]["old"] - 1))
    assert rows[-1]["new"] < rows[-1]["old"]


def test_two_revisions_are_compared_from_any_folder(repository, sdmodel, monkeypatch):
    """A revision stands for the project's model in it."""
    _edit("= 2.5 ~ Year", "= 3 ~ Month")
    _git("commit", "-am", "second")
    monkeypatch.chdir("models")
    done = sdmodel("diff", "HEAD~1", "HEAD", "--no-run")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["cooling", "time", "equation", "2.5", "->", "3"],
        ["units", "Year", "->", "Month"],
    ]


def test_exit_code_is_one_only_on_request(tea, sdmodel):
    """Differences are not an error; a script asks for 1 with `--exit-code`, as with git."""
    other = tea / "other.mdl"
    other.write_text(MODEL.read_text("utf-8").replace("\n", "\r\n"), "utf-8", newline="")
    same = sdmodel("diff", str(MODEL), str(other), "--exit-code")
    assert same.exit_code == 0
    assert same.stdout == "no difference in meaning; only blanks, line breaks, order or spelling differ\n"
    assert sdmodel("diff", str(MODEL), str(MODEL), "--exit-code").stdout == "no difference\n"
    _edit("The tea.", "Tea.", other)
    assert sdmodel("diff", str(MODEL), str(other), "--exit-code").exit_code == 1
    assert sdmodel("diff", str(MODEL), str(other)).exit_code == 0


def test_renamed_headlines_are_compared(tea, sdmodel):
    """Renaming changes no number; other changes are listed under the new name."""
    (tea / "models" / "ai_compute.lst").write_text("Cup\nheat loss\n", "utf-8")
    old = tea / "old.mdl"
    old.write_text(MODEL.read_text("utf-8"), "utf-8")
    _edit("Tea Temperature", "Cup")
    done = sdmodel("diff", str(old), str(MODEL))
    assert done.stdout.splitlines() == ["Cup  renamed     Tea Temperature -> Cup"]
    _edit("= 70", "= 60")
    rows = json.loads(sdmodel("diff", str(old), str(MODEL), "--json").stdout)["headlines"]
    assert {row["name"] for row in rows} == {"Cup", "heat loss"}


def test_model_that_does_not_run_has_no_numbers(tea, sdmodel):
    """Its differences are listed; a note says why there are no numbers."""
    broken = tea / "broken.mdl"
    broken.write_text(MODEL.read_text("utf-8").replace("/cooling time", "/colling time"), "utf-8")
    done = sdmodel("diff", str(MODEL), str(broken))
    assert done.exit_code == 0
    assert "equation" in done.stdout
    assert "date" not in done.stdout
    assert "broken.mdl does not run, so no numbers are compared: " in done.stderr


def test_long_texts_show_the_words_that_differ(tea, sdmodel):
    """A long comment with one changed word takes one line per version."""
    long = " ".join(f"word{n}" for n in range(200))
    other = tea / "other.mdl"
    other.write_text(MODEL.read_text("utf-8").replace("The tea.", long), "utf-8")
    _edit("The tea.", long.replace("word99 ", ""))
    lines = sdmodel("diff", str(other), str(MODEL)).stdout.splitlines()
    assert lines[0].split() == ["Tea", "Temperature", "comment"]
    assert lines[1].split() == ["-", "…", *(f"word{n}" for n in range(93, 106)), "…"]
    assert lines[2].split() == ["+", "…", *(f"word{n}" for n in range(93, 106) if n != 99), "…"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nosuch",), "nosuch: is neither a file nor a git revision"),
        (("HEAD:no.mdl", "HEAD"), "HEAD:no.mdl: git has no such file there; write REV:path"),
        (("no.mdl",), "no.mdl: there is no such file"),
        (("models",), "models: this is a directory; name the .mdl file in it"),
        (("HEAD", "HEAD", "--model", "models/other.mdl"), "HEAD:models/other.mdl: git has no such file there"),
        (("HEAD:models", "HEAD"), "HEAD:models: git has no such file there"),
    ],
)
def test_missing_revisions_and_files_are_one_line(repository, sdmodel, words, message):
    """A revision, a path in a revision, or a folder."""
    done = sdmodel("diff", *words)
    assert done.exit_code == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_files_are_compared_without_git(tea, sdmodel, monkeypatch):
    """Two files need no git; a revision outside a repository is an error."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tea.parent))
    assert "this is not a git repository; name two files" in sdmodel("diff", "HEAD").stderr
    monkeypatch.setenv("PATH", "")
    assert sdmodel("diff", "HEAD").stderr == "git: is not installed; install it, or name two files\n"
    assert sdmodel("diff", str(MODEL), str(MODEL)).exit_code == 0
