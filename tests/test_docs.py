"""What the README and the docs tell users to type works as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("**/*.md"))]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
ELSEWHERE = ("pip install", "-m pytest", "benchmarks/")
"""Parts of a line that `.ci/run` runs in an environment of their own, or that measure for minutes."""


def _name(document: Path) -> str:
    return str(document.relative_to(PROJECT))


def _blocks(document: Path, *languages: str) -> list[tuple[str, str]]:
    """The code blocks of some languages, in order, as (language, text)."""
    return [block for block in FENCE.findall(document.read_text("utf-8")) if block[0] in languages]


def _here(line: str) -> str:
    """A line without what is run elsewhere."""
    parts = [part for part in line.split(" && ") if not any(word in part for word in ELSEWHERE)]
    return " && ".join(parts)


def _command(language: str, text: str) -> list[str]:
    if language == "python":
        return [sys.executable, "-c", text]
    return ["bash", "-euo", "pipefail", "-c", "\n".join(map(_here, text.splitlines()))]


def _session(document: Path, workplace: Path) -> str:
    """Types a document's blocks one after another, in a folder with the project's models and nothing else; the first failure."""
    shutil.copytree(PROJECT / "models", workplace / "models")
    scripts = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "MPLBACKEND": "Agg"}
    for language, text in _blocks(document, "sh", "python"):
        done = subprocess.run(
            _command(language, text),
            cwd=workplace,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            return f"{text}\n{done.stdout}\n{done.stderr}"
    return ""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Future[str]]]:
    """What goes wrong in each document; as many at a time as there are processors, since this process only waits."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {each: pool.submit(_session, each, tmp_path_factory.mktemp(each.stem)) for each in DOCUMENTS}


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_command_and_snippet_runs(document: Path, sessions: dict[Path, Future[str]]):
    """The blocks of a document are one session in one folder, from the top to the end."""
    failure = sessions[document].result()
    assert not failure, failure


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_link_and_picture_inside_the_project_is_there(document: Path):
    """A broken link is a promise not kept."""
    targets = [link for link in LINK.findall(document.read_text("utf-8")) if "://" not in link]
    assert not [link for link in targets if not (document.parent / link).exists()]


def test_the_readme_shows_a_picture():
    """A run is easier seen than described."""
    pictures = [link for link in LINK.findall(DOCUMENTS[0].read_text("utf-8")) if link.endswith(".png")]
    assert pictures
    for picture in pictures:
        assert (PROJECT / picture).read_bytes().startswith(b"\x89PNG")


def test_the_readme_starts_with_the_two_lines_that_set_up():
    """A newcomer needs one line to see a run, and one to see the tests pass."""
    lines = [line for _, text in _blocks(DOCUMENTS[0], "sh") for line in text.splitlines()]
    assert lines[:2] == [
        "python -m pip install -e . && python -m sdmodel run",
        'python -m pip install -e ".[test]" && python -m pytest',
    ]


def test_every_command_stands_in_the_readme_with_an_example():
    """What is not shown is not found; what is shown exists, since the blocks are run."""
    from sdmodel.cli import main

    lines = [line for _, text in _blocks(DOCUMENTS[0], "sh") for line in text.splitlines()]
    shown = {word for line in lines for word in re.findall(r"(?<![\w-])sdmodel ([a-z-]+)", line)}
    assert shown == set(main.commands)


def test_a_line_loses_only_what_is_run_elsewhere():
    """The part of a line that a reader sees is the part that is tested."""
    assert _here("python -m pip install -e . && python -m sdmodel run") == "python -m sdmodel run"
    assert _here('python -m pip install -e ".[test]" && python -m pytest') == ""
    assert _here("sdmodel levers") == "sdmodel levers"
