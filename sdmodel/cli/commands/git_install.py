"""`sdmodel git-install`: git shows and merges the models of a repository by variable."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click

from ...errors import Fault, ModelError
from ...files import write_file
from ..revisions import run_git

LINE = "*.mdl diff=sdmodel merge=sdmodel"
"""What `.gitattributes` says of models."""

_ATTRIBUTES = ".gitattributes"
_NAME = r"^([^[:space:]*|~:{}<>=].*)$"
"""Lines that git shows at the head of a hunk: those that begin with a name."""


@click.command("git-install", epilog="Example: sdmodel git-install")
@click.option("--uninstall", is_flag=True, help="Take back what this command has set up.")
def command(*, uninstall: bool) -> None:
    """Let git compare and merge the models of this repository by variable.

    Two things are set up, and told: in the repository's own configuration how models are shown (`git diff`, `git log
    -p`: equations in one layout, the sketch in a line a view) and merged (two people who change different variables
    merge without conflict; a variable that both changed is a conflict that names it); and in `.gitattributes`, which
    can be committed, that this holds for `*.mdl`. Everybody who clones the repository runs this command once.
    """
    top = _top()
    if uninstall:
        _uninstall(top)
    else:
        _install(top)


def settings() -> dict[str, str]:
    """What git's configuration gets; -P, lest Python run a package of that name that lies in the repository."""
    program = f"{shlex.quote(sys.executable.replace(chr(92), '/'))} -P -m sdmodel"
    return {
        "diff.sdmodel.textconv": f"{program} git-text",
        "diff.sdmodel.xfuncname": _NAME,
        "merge.sdmodel.name": "models by variable",
        "merge.sdmodel.driver": f"{program} merge-file %O %A %B %P --marks %L",
    }


def _top() -> Path:
    """The folder at the top of the repository."""
    found = run_git("rev-parse", "--show-toplevel")
    if found.returncode:
        raise ModelError([Fault(str(Path.cwd()), "is in no git repository with files; go to one, or `git init`")])
    return Path(found.stdout.decode().rstrip("\r\n"))


def _install(top: Path) -> None:
    _check_program(top)
    for name, value in settings().items():
        _git("config", "--local", name, value)
        click.echo(f".git/config: {name} = {value}")
    path = top / _ATTRIBUTES
    text = _attributes(path)
    if LINE in text.splitlines():
        click.echo(f"{_ATTRIBUTES}: has '{LINE}' already")
        return
    gap = "" if text.endswith(("\n", "\r")) or not text else "\n"
    _write(path, f"{text}{gap}{LINE}" + ("" if gap else "\n"))  # the last line ends as it did, so that it can go again
    click.echo(f"{_ATTRIBUTES}: '{LINE}' added; commit it, so that it holds for all who run this command")


def _uninstall(top: Path) -> None:
    for section in ("diff.sdmodel", "merge.sdmodel"):
        if run_git("config", "--local", "--get-regexp", f"^{section.replace('.', '[.]')}[.]").stdout:
            _git("config", "--local", "--remove-section", section)
            click.echo(f".git/config: [{section.replace('.', ' ')}] removed")
    path = top / _ATTRIBUTES
    text = _attributes(path)
    if LINE not in text.splitlines():
        click.echo(f"{_ATTRIBUTES}: says nothing of sdmodel")
        return
    kept = [line for line in text.splitlines(keepends=True) if line.rstrip("\r\n") != LINE]
    rest = "".join(kept)
    rest = rest if text.endswith(("\n", "\r")) else rest.rstrip("\r\n")
    if rest:
        _write(path, rest)
    else:
        path.unlink()
    click.echo(f"{_ATTRIBUTES}: '{LINE}' removed" + ("" if rest else ", and the file, which held nothing else"))


def _check_program(top: Path) -> None:
    """Make sure that git can call this program where git calls it."""
    command = [sys.executable, "-P", "-m", "sdmodel", "--version"]
    if subprocess.run(command, cwd=top, capture_output=True, check=False).returncode:  # noqa: S603 - this very program
        what = "does not find sdmodel outside of its checkout; install it (python -m pip install -e .) and try again"
        raise ModelError([Fault(sys.executable, what)])


def _git(*words: str) -> None:
    done = run_git(*words)
    if done.returncode:
        what = f"git cannot write it ({done.stderr.decode(errors='replace').strip()}); check its permissions"
        raise ModelError([Fault(".git/config", what)])


def _attributes(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
    except OSError as cause:
        raise ModelError([Fault(str(path), f"cannot be read ({cause.strerror}); check its permissions")]) from cause


def _write(path: Path, text: str) -> None:
    write_file(path, text.encode("utf-8", "surrogateescape"), force=True, error=ModelError)
