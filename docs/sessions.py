"""Run the code blocks of the documents, in order, and compare or rewrite the output that they show.

`python docs/sessions.py` runs every document and rewrites the output in its `console` blocks; `--check` only reports.

Pictures in `docs/images/gallery` are files that the session of the document writes; rewriting replaces them too.

The blocks of one document are one session in one folder with the project's models and examples:

* `sh`: commands. A line may go on after a backslash.
* `console`: commands after `$ `, each followed by what it prints; `...` stands for any text, also for any lines.
  The folder of the session is shown as `~/sdmodel`.
* `python`: a program; each block starts afresh.

Blocks in any other language are not run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from click.testing import CliRunner

from sdmodel.cli import main as sdmodel

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(path for path in (PROJECT / "docs").rglob("*.md") if "_build" not in path.parts),
]
ELSEWHERE = ("pip install", "-m pytest", "benchmarks/", "nox", "pre-commit")
"""Commands with these words install something or take minutes; continuous integration runs most of them."""

OPTIONAL = {"ema.md": "ema_workbench"}
"""The optional package that a document needs; without it, the document is not run."""

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"\]\((?:[^)\s]*/)?images/gallery/([^)\s]+)\)")
_GALLERY, _COLOURS = PROJECT / "docs" / "images" / "gallery", 256
_SHELL = re.compile(r"[|<>;&$`*]")


class SessionError(Exception):
    """A command or snippet of a document fails, or prints something else than the document shows."""


def session(document: Path, folder: Path, *, rewrite: bool = False) -> str:
    """Run the blocks of a document in a folder and return its text, with new output if `rewrite` is set."""
    for name in ("models", "docs/examples"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    text = document.read_text("utf-8")
    with _working_in(folder):
        text = _FENCE.sub(lambda found: _run_block(found, folder, rewrite=rewrite), text)
    for name in _PICTURE.findall(text):
        made = list(folder.rglob(name))
        if len(made) != 1:
            message = f"{document}: {name} is written by {len(made)} commands; let one command write it"
            raise SessionError(message)
        if rewrite:
            _store_picture(made[0], _GALLERY / name)
    return text


def _store_picture(made: Path, target: Path) -> None:
    """Store a picture with few colours, a third of its size, unless it looks the same as before."""
    from PIL import Image

    with Image.open(made) as picture:
        small = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, "png", optimize=True)
    target.parent.mkdir(exist_ok=True)
    if not target.is_file() or target.read_bytes() != buffer.getvalue():
        target.write_bytes(buffer.getvalue())


def commands(document: Path) -> list[str]:
    """Return the command lines of a document, in order, continued lines joined."""
    return [line for language, text in _FENCE.findall(document.read_text("utf-8")) for line in _lines(language, text)]


def has_session(document: Path) -> bool:
    """Whether a document has blocks that a session runs."""
    return any(language in {"sh", "console", "python"} for language, _ in _FENCE.findall(document.read_text("utf-8")))


def lacks(document: Path) -> str | None:
    """Return the optional package that a document needs, if it is not installed."""
    package = OPTIONAL.get(document.name)
    return package if package and find_spec(package) is None else None


def _lines(language: str, text: str) -> list[str]:
    lines = text.replace("\\\n", " ").splitlines()
    if language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.startswith("#")] if language == "sh" else []


def _run_block(found: re.Match[str], folder: Path, *, rewrite: bool) -> str:
    language, text = found.groups()
    if language == "sh":
        for line in _lines(language, text):
            _run_line(line)
    elif language == "python":
        _run_python(text)
    elif language == "console":
        text = "".join(_run_shown(command, shown, folder, rewrite=rewrite) for command, shown in _shown(text))
    return f"```{language}\n{text}```"


def _shown(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a `console` block, as written, with the output below it."""
    for part in re.split(r"^(?=\$ )", text, flags=re.MULTILINE):
        if part.strip():
            command, shown = re.fullmatch(r"(\$ (?:[^\n]*\\\n)*[^\n]*\n)(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
            yield command, shown


def _run_shown(command: str, shown: str, folder: Path, *, rewrite: bool) -> str:
    printed = _run_line(command[2:].replace("\\\n", " ").strip()).replace(str(folder), "~/sdmodel")
    printed = "".join(f"{line.rstrip()}\n" for line in printed.strip("\n").splitlines())
    if _agrees(printed, shown):
        return command + shown
    if rewrite:
        return command + _cut(printed, shown)
    message = f"{command}prints\n{printed}\nbut the document shows\n{shown}"
    raise SessionError(message)


def _agrees(printed: str, shown: str) -> bool:
    """Whether the printed text is that shown, `...` standing for any text."""
    pattern = ".*?".join(re.escape(part) for part in re.split(r"\.\.\.\n?", shown))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def _cut(printed: str, shown: str) -> str:
    """New output with the old one's `...`: at the end, and in lines that still agree."""
    lines, old = printed.splitlines(), shown.splitlines()
    if old and old[-1] == "..." and len(lines) >= len(old):
        lines = [*lines[: len(old) - 1], "..."]
    open_lines = [line for line in old if "..." in line.removesuffix("...")]
    return "".join(f"{next((kept for kept in open_lines if _agrees(line, kept)), line)}\n" for line in lines)


def _run_line(line: str) -> str:
    """Run one command line, without the parts that are run elsewhere, and return what it prints."""
    return "".join(_run_command(part) for part in here(line))


def here(line: str) -> list[str]:
    """Return the commands of a line that a session runs."""
    return [part for part in line.split(" && ") if part and not any(word in part for word in ELSEWHERE)]


def _run_command(command: str) -> str:
    words, cause = shlex.split(command, comments=True), None
    if words[:1] == ["cd"]:
        os.chdir(words[1])
        return ""
    if words[:3] == ["python", "-m", "sdmodel"]:
        words = words[2:]
    if words[:1] == ["sdmodel"] and not _SHELL.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command)):
        done = CliRunner().invoke(sdmodel, words[1:], prog_name="sdmodel")
        code, printed, cause = done.exit_code, done.output, done.exception
    else:
        code, printed = _run_shell(command)
    if code:
        message = f"{command}\nends with exit code {code} after printing\n{printed}"
        raise SessionError(message) from cause
    return printed


def _run_shell(command: str) -> tuple[int, str]:
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def _run_python(program: str) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(program, "snippet", "exec"), {"__name__": "__main__"})  # noqa: S102 - the document's own
    except Exception as cause:
        message = f"{program}\nraises {type(cause).__name__}: {cause}"
        raise SessionError(message) from cause


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, in 100 columns, and draw without a screen."""
    before, environment = Path.cwd(), dict(os.environ)
    os.environ.update(MPLBACKEND="Agg", COLUMNS="100")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


def main() -> None:
    """Run the documents that are named, or all of them."""
    parser = argparse.ArgumentParser(
        description="Run the code blocks of the documents and rewrite the output they show."
    )
    parser.add_argument("documents", nargs="*", type=Path)
    parser.add_argument(
        "--check", action="store_true", help="Rewrite nothing; fail if a document shows something else."
    )
    options = parser.parse_args()
    for document in [path.resolve() for path in options.documents] or DOCUMENTS:
        if lacks(document):
            print(f"{document.relative_to(PROJECT)}: not run, {lacks(document)} is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            before = os.times()
            text = session(document, Path(folder), rewrite=not options.check)
            after = os.times()
        if text != document.read_text("utf-8"):
            document.write_text(text, "utf-8")
        seconds = sum(after[:4]) - sum(before[:4])
        print(f"{document.relative_to(PROJECT)}: {seconds:.1f} s of processor time")


if __name__ == "__main__":
    main()
