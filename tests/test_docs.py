"""The documents: their commands and snippets run, their outputs are what is printed, their links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import sdmodel
from sdmodel.cli import main

PROJECT = Path(__file__).resolve().parents[1]
README = PROJECT / "README.md"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def load(path: Path) -> ModuleType:
    """Import a module that is not in a package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sessions = load(PROJECT / "docs" / "sessions.py")
DOCUMENTS = sessions.DOCUMENTS
LINKED = [*DOCUMENTS, PROJECT / "CHANGELOG.md", PROJECT / "models" / "README.md"]


def name(document: Path) -> str:
    return document.relative_to(PROJECT).as_posix()


@pytest.mark.parametrize("document", list(filter(sessions.has_session, DOCUMENTS)), ids=name)
def test_commands_and_snippets_run_and_print_what_is_shown(document: Path, tmp_path: Path):
    """The blocks of a document are one session in one folder, from top to bottom."""
    if sessions.lacks(document):
        pytest.skip(f"{sessions.lacks(document)} is not installed")
    sessions.session(document, tmp_path)


@pytest.mark.parametrize("document", LINKED, ids=name)
def test_links_and_pictures_inside_the_project_exist(document: Path):
    """Links are relative to the document."""
    targets = [link for link in LINK.findall(document.read_text("utf-8")) if "://" not in link]
    assert not [link for link in targets if not (document.parent / link).exists()]


def test_readme_shows_one_picture():
    """Three panels at most; whoever wants more reads on."""
    pictures = [link for link in LINK.findall(README.read_text("utf-8")) if link.endswith(".png")]
    assert len(pictures) == 1
    assert (PROJECT / pictures[0]).read_bytes().startswith(b"\x89PNG")


def test_readme_starts_with_the_two_commands_that_set_up():
    """A newcomer needs one line to see a run, and one to see the tests pass."""
    assert sessions.commands(README)[:2] == [
        "python -m pip install -e . && python -m sdmodel run",
        'python -m pip install -e ".[test]" && python -m pytest',
    ]


def test_readme_is_a_page_long():
    """The README is a landing page; details belong in the guides."""
    assert len(README.read_text("utf-8").split()) <= 900


def test_every_command_has_an_example_in_the_documents():
    """The examples run, so every command that they show exists."""
    lines = [line for document in DOCUMENTS for line in sessions.commands(document)]
    shown = {word for line in lines for word in re.findall(r"(?<![\w-])sdmodel ([a-z-]+)", line)}
    assert shown == set(main.commands)


def test_api_reference_lists_every_public_name_once():
    """A new public name needs a place in `docs/api.md`."""
    names = re.findall(r"^   (\w+)$", (PROJECT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(sdmodel.__all__)


def test_glossary_is_sorted():
    """Terms are easy to find."""
    text = (PROJECT / "CONTRIBUTING.md").read_text("utf-8").split("<!-- glossary -->")[1].split("<!-- end")[0]
    terms = re.findall(r"^\| ([\w -]+) \|", text, re.MULTILINE)[1:]
    assert len(terms) > 30
    assert terms == sorted(terms, key=str.casefold)


def test_a_session_skips_only_what_is_run_elsewhere():
    """The part of a line that a reader sees is the part that is tested."""
    assert sessions.here("python -m pip install -e . && python -m sdmodel run") == ["python -m sdmodel run"]
    assert sessions.here('python -m pip install -e ".[test]" && python -m pytest') == []
    assert sessions.here("sdmodel levers") == ["sdmodel levers"]


def document(folder: Path, text: str) -> Path:
    """Write a document of one session."""
    path = folder / "page.md"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nsdmodel levers no-such-file.mdl\n```\n",
        "```sh\nfalse\n```\n",
        "```python\nraise ValueError('no')\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ printf 'one\\ntwo\\nthree\\n'\none\n...\nfour\n```\n",
    ],
)
def test_a_session_reports_what_fails(tmp_path: Path, text: str):
    """Commands, shell lines, snippets and outputs."""
    with pytest.raises(sessions.SessionError):
        sessions.session(document(tmp_path, text), tmp_path / "session")


def test_a_session_accepts_elisions_and_rewrites_outputs(tmp_path: Path):
    """`...` stands for any text and survives a rewriting where the rest of its line still agrees."""
    text = "```console\n$ printf 'one 1 s\\ntwo\\nthree\\n'\none ... s\n...\nthree\n```\n"
    assert sessions.session(document(tmp_path, text), tmp_path / "first") == text
    stale = "```console\n$ printf 'one 1 s\\ntwo\\nthree\\n'\none ... s\n2\n...\n```\n"
    fresh = stale.replace("\n2\n", "\ntwo\n")
    assert sessions.session(document(tmp_path, stale), tmp_path / "second", rewrite=True) == fresh
