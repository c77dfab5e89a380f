"""Models in files and in git: what a path, a revision or `REV:path` refers to."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import Fault, ModelError
from ..files import read_bytes
from .locations import model_path

_HEAD = "HEAD"


@dataclass(frozen=True)
class Version:
    """The text of a model and its origin; `path` is the corresponding file in the working directory."""

    name: str
    content: bytes
    path: Path


def two_versions(old: str | None, new: str | None, model: str | None) -> tuple[Version, Version]:
    """The two models to compare; without `new`, the model in git and the file as it is now."""
    if old is not None and new is not None:
        return _version(old, model), _version(new, model)
    if old is not None and (os.path.lexists(old) or (":" not in old and old.lower().endswith(".mdl"))):
        after = _version(old, model)
        return _version(_HEAD, old), after
    before = _version(old or _HEAD, model)
    return before, _from_file(before.path)


def run_git(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder, by default the working directory."""
    program = shutil.which("git")
    if program is None:
        raise ModelError([Fault("git", "is not installed; install it, or name two files")])
    command = [program, *(["-C", str(folder)] if folder else []), *words]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"})  # noqa: S603 - a list of words, no shell


def _version(given: str, model: str | None) -> Version:
    """The model in a file, in `REV:path` as git writes it, or in a revision."""
    if os.path.lexists(given):
        return _from_file(Path(given))
    revision, colon, path = given.partition(":")
    if colon and path:
        return Version(given, _blob(revision, path, given, Path.cwd(), given), _working_file(path))
    if given.lower().endswith(".mdl"):
        return _from_file(model_path(given))
    file = model_path(model)
    name = f"{revision}:{file.as_posix()}"
    content = _blob(revision, f"./{file.name}", given, file.parent, name)
    return Version(name, content, file)


def _from_file(path: Path) -> Version:
    return Version(str(path), read_bytes(path, error=ModelError, wanted="the .mdl file"), path)


def _blob(revision: str, path: str, given: str, folder: Path, name: str) -> bytes:
    """The bytes of a file in a revision; an empty revision means the staged file."""
    _check_revision(revision, given, folder)
    found = run_git("cat-file", "blob", f"{revision}:{path}", folder=folder)
    if found.returncode:
        raise ModelError([Fault(name, "git has no such file there; write REV:path, with the path it had then")])
    return found.stdout


def _check_revision(revision: str, given: str, folder: Path) -> None:
    if run_git("rev-parse", "--git-dir", folder=folder).returncode:
        what = "there is no such file, and this is not a git repository; name two files"
        raise ModelError([Fault(given, what)])
    if revision.startswith("-") or (
        revision and run_git("rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}", folder=folder).returncode
    ):
        what = "is neither a file nor a git revision; `git log` lists revisions"
        raise ModelError([Fault(given, what)])


def _working_file(path: str) -> Path:
    """The file in the working directory for a path of git's: from the top of the repository, unless it starts with `./`."""
    if path.startswith(("./", "../")):
        return Path(path)
    top = run_git("rev-parse", "--show-cdup").stdout.decode().strip()
    return Path(top, PurePosixPath(path))
