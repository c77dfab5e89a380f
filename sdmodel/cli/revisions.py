"""Models in files and in git: what a path, a revision or `REV:path` stands for."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import Fault, ModelError
from ..files import read_bytes
from .project import model_path

_HEAD = "HEAD"


@dataclass(frozen=True)
class Version:
    """A model's text and where it is from; `path` is the file in the working directory that goes with it."""

    name: str
    content: bytes
    path: Path


def version_of(given: str, model: str | None) -> Version:
    """The model that is meant: a file, `REV:path` as git writes it, or a revision of the model."""
    if os.path.lexists(given):
        return _of_file(Path(given))
    revision, colon, path = given.partition(":")
    if colon and path:
        return Version(given, _blob(revision, path, given, Path.cwd(), given), _beside(path))
    if given.lower().endswith(".mdl"):
        return _of_file(model_path(given))
    meant = model_path(model)
    name = f"{revision}:{meant.as_posix()}"
    content = _blob(revision, f"./{meant.name}", given, meant.parent, name)
    return Version(name, content, meant)


def two_versions(old: str | None, new: str | None, model: str | None) -> tuple[Version, Version]:
    """The two models that are to be compared: without NEW, what git has of a model and the file as it is now."""
    if old is not None and new is not None:
        return version_of(old, model), version_of(new, model)
    if old is not None and (os.path.lexists(old) or (":" not in old and old.lower().endswith(".mdl"))):
        after = version_of(old, model)
        return version_of(_HEAD, old), after
    before = version_of(old or _HEAD, model)
    return before, _of_file(before.path)


def run_git(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """What git answers, in a folder or the working directory."""
    program = shutil.which("git")
    if program is None:
        raise ModelError([Fault("git", "is not installed; install it, or name two files")])
    command = [program, *(["-C", str(folder)] if folder else []), *words]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"})  # noqa: S603 - a list of words, no shell


def _of_file(path: Path) -> Version:
    return Version(str(path), read_bytes(path, error=ModelError, wanted="the .mdl file"), path)


def _blob(revision: str, path: str, given: str, folder: Path, name: str) -> bytes:
    """The bytes of a file in a revision; an empty revision is what is staged."""
    _check_revision(revision, given, folder)
    found = run_git("cat-file", "blob", f"{revision}:{path}", folder=folder)
    if found.returncode:
        raise ModelError([Fault(name, "git has no such file there; write REV:path, with the path it had then")])
    return found.stdout


def _check_revision(revision: str, given: str, folder: Path) -> None:
    if run_git("rev-parse", "--git-dir", folder=folder).returncode:
        what = "there is no such file, and this is no git repository; name two files"
        raise ModelError([Fault(given, what)])
    if revision.startswith("-") or (
        revision and run_git("rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}", folder=folder).returncode
    ):
        what = "is neither a file nor a revision that git knows; `git log` lists them"
        raise ModelError([Fault(given, what)])


def _beside(path: str) -> Path:
    """The file in the working directory that a path of git's stands for: from the repository's top, unless it says `./`."""
    if path.startswith(("./", "../")):
        return Path(path)
    top = run_git("rev-parse", "--show-cdup").stdout.decode().strip()
    return Path(top, PurePosixPath(path))
