"""Models in git: `sdmodel diff`, `git-install`, and the commands that git calls, `git-text` and `merge-file`."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import Fault, ModelError, Place
from ...files import read_bytes, replace_files, unwritable, write_file
from ...model import key
from ...vensim import Difference, Document, Merge, compare_documents, document_of, merge_documents, text_for_diff
from ..options import encoding_option
from ..output import Part, Result, line_width, note, output_options
from ..revisions import Version, run_git, two_versions

if TYPE_CHECKING:
    from ..views.effects import Effect

_SHORT, _WIDEST, _NAME_WIDTH = 72, 110, 44
_CONTEXT = 6
"""Words shown around those that differ."""
_NO_EFFECT = frozenset({"comment", "units", "range", "group", "supplementary", "layout", "view", "sketch", "renamed"})
"""Kinds of differences that change no number."""


@click.command("diff", epilog="Example: sdmodel diff HEAD~3 HEAD")
@click.argument("old", required=False, metavar="[OLD]")
@click.argument("new", required=False, metavar="[NEW]")
@click.option("--model", metavar="MODEL", help="The model whose revisions are compared (default: the project's).")
@click.option("--no-run", is_flag=True, help="Do not run the models to compare headline variables.")
@click.option("--layout", is_flag=True, help="Also list where only blanks, line breaks or spelling differ.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is a difference in meaning.")
@encoding_option
@output_options
def diff(*, old: str | None, new: str | None, model: str | None, no_run: bool, layout: bool, exit_code: bool) -> Result:
    """Show what differs in meaning between two models, variable by variable, and the effect on the headline variables.

    OLD and NEW are files, git revisions (HEAD~3), or files in them (HEAD~3:models/ai_compute.mdl). Without NEW, OLD is
    compared with the file as it is now; without both, HEAD is. Blanks, line breaks and the spelling of names and numbers do
    not count; a renamed variable is shown as such if everything that used the old name uses the new one.
    """
    versions = two_versions(old, new, model)
    documents = [document_of(version.content, version.name) for version in versions]
    found = compare_documents(*documents, layout=layout)
    meaningful = [difference for difference in found if difference.kind != "layout"]
    no_effect = all(difference.kind in _NO_EFFECT for difference in found)
    effects = None if no_run or no_effect else _effects(versions, found)

    def parts() -> Iterator[Part]:
        yield from _difference_lines(versions, found)
        if effects:
            from ..views.effects import effect_parts

            yield from effect_parts(effects)

    return Result(
        lambda: _diff_record(versions, found, effects),
        parts,
        "differences",
        exit_code=int(exit_code and bool(meaningful)),
    )


def _effects(versions: tuple[Version, Version], found: Sequence[Difference]) -> list[Effect] | None:
    from ..views.effects import effects_of

    renamed = {key(difference.new): difference.old for difference in found if difference.kind == "renamed"}
    return effects_of(*versions, renamed)


def _difference_lines(versions: tuple[Version, Version], found: Sequence[Difference]) -> Iterator[str]:
    """The differences, a line for each short one; for others, the words that differ."""
    old, new = versions
    if not found:
        yield (
            "no difference"
            if old.content == new.content
            else "no difference in meaning; only blanks, line breaks, order or spelling differ"
        )
        return
    width = min(_NAME_WIDTH, max(len(_title(difference)) for difference in found))
    before = ""
    for difference in found:
        title = _title(difference)
        yield from _lines(difference, "" if title == before else title, width)
        before = title
    if all(difference.kind in ("view", "sketch") for difference in found):
        note("only the sketch differs")


def _title(difference: Difference) -> str:
    if difference.kind in ("view", "sketch"):
        return f"view '{difference.name}'" if difference.name else "views"
    return f"settings: {difference.name}" if difference.kind == "settings" else difference.name


def _lines(difference: Difference, title: str, width: int) -> Iterator[str]:
    old, new = difference.old, difference.new
    head = f"{title:{width}}  {difference.kind:<10}"
    if difference.kind in ("sketch", "layout"):
        yield f"{head}  {new or 'only blanks, line breaks or spelling'}".rstrip()
    elif difference.kind in ("added", "removed") or (difference.kind == "view" and not (old and new)):
        yield from _one_sided(head, "-" if old else "+", old or new)
    elif len(old) + len(new) <= min(_SHORT, line_width() - len(head) - 6) and "\n" not in old + new:
        yield f"{head}  {old or '(none)'} -> {new or '(none)'}"
    else:
        yield head.rstrip()
        for sign, text in zip("-+", _differing_words(old.split(), new.split()), strict=True):
            yield from _wrapped(sign, text)


def _one_sided(head: str, sign: str, text: str) -> Iterator[str]:
    if len(text) <= min(_SHORT, line_width() - len(head) - 4) and "\n" not in text:
        yield f"{head}  {sign} {text}".rstrip()
        return
    yield head.rstrip()
    for line in text.splitlines():
        yield from _wrapped(sign, line)


def _wrapped(sign: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text or "(none)", min(_WIDEST, line_width() - 6), break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"    {sign if not number else ' '} {line}"


def _differing_words(old: list[str], new: list[str]) -> tuple[str, str]:
    """The words that differ in each of two texts, with a few around them."""
    shortest = min(len(old), len(new))
    start = next((place for place in range(shortest) if old[place] != new[place]), shortest)
    rest = shortest - start
    end = next((place for place in range(rest) if old[-1 - place] != new[-1 - place]), rest)
    first, last = max(0, start - _CONTEXT), max(0, end - _CONTEXT)
    return _excerpt(old, first, last), _excerpt(new, first, last)


def _excerpt(words: list[str], first: int, last: int) -> str:
    text = " ".join(words[first : len(words) - last])
    return f"{'… ' if first else ''}{text}{' …' if last else ''}"


def _diff_record(
    versions: tuple[Version, Version], found: Sequence[Difference], effects: Sequence[Effect] | None
) -> dict[str, Any]:
    old, new = versions
    return {
        "old": old.name,
        "new": new.name,
        "same_meaning": all(difference.kind == "layout" for difference in found),
        "same_text": old.content == new.content,
        "differences": [
            {field: getattr(difference, field) for field in ("kind", "name", "old", "new")}
            | {"old_place": _place(difference.old_place), "new_place": _place(difference.new_place)}
            for difference in found
        ],
        "headlines": None
        if effects is None
        else [vars(effect) | {"percent": effect.percent if effect.differs else 0.0} for effect in effects],
    }


def _place(place: Place | None) -> str | None:
    return None if place is None else str(place)


# git-install

LINE = "*.mdl diff=sdmodel merge=sdmodel"
"""The line of `.gitattributes` for models."""
_ATTRIBUTES = ".gitattributes"
_NAME_LINE = r"^([^[:space:]*|~:{}<>=].*)$"
"""Lines that git shows above a hunk: those that start with a name."""


@click.command("git-install", epilog="Example: sdmodel git-install")
@click.option("--uninstall", is_flag=True, help="Undo what this command has set up.")
def git_install(*, uninstall: bool) -> None:
    """Let git compare and merge the models of this repository by variable.

    This sets up, and prints, two things. The configuration of this clone says how models are shown (`git diff`,
    `git log -p`: equations in one layout, one line per view of the sketch) and merged (changes to different variables merge
    without conflict; a variable that both sides changed is a conflict that names it). `.gitattributes`, which can be
    committed, applies this to `*.mdl`. Everyone who clones the repository runs this command once.
    """
    top = _repository()
    if uninstall:
        _uninstall(top)
    else:
        _install(top)


def settings() -> dict[str, str]:
    """The settings in git's configuration; -P keeps Python from running a package `sdmodel` inside the repository."""
    program = f"{shlex.quote(sys.executable.replace(chr(92), '/'))} -P -m sdmodel"
    return {
        "diff.sdmodel.textconv": f"{program} git-text --",  # what follows is a file, whatever its name starts with
        "diff.sdmodel.xfuncname": _NAME_LINE,
        "merge.sdmodel.name": "models by variable",
        "merge.sdmodel.driver": f"{program} merge-file --marks %L -- %O %A %B %P",
    }


def _repository() -> Path:
    found = run_git("rev-parse", "--show-toplevel")
    if found.returncode:
        raise ModelError([Fault(str(Path.cwd()), "is not in a git repository with files; go to one, or `git init`")])
    return Path(os.fsdecode(found.stdout).removesuffix("\n").removesuffix("\r"))


def _install(top: Path) -> None:
    _check_program(top)
    for name, value in settings().items():
        _git("config", "--local", name, value)
        click.echo(f".git/config: {name} = {value}")
    path = top / _ATTRIBUTES
    old = _attributes(path)
    text = _text(old)
    if LINE in text.splitlines():
        click.echo(f"{_ATTRIBUTES}: has '{LINE}' already")
        return
    line_break = "" if text.endswith(("\n", "\r")) or not text else "\n"
    end = "" if line_break else "\n"  # the last line ends as before, so that the change can be undone
    _write(path, old, f"{text}{line_break}{LINE}{end}")
    click.echo(f"{_ATTRIBUTES}: '{LINE}' added; commit it for everyone who runs this command")


def _uninstall(top: Path) -> None:
    for section in ("diff.sdmodel", "merge.sdmodel"):
        if run_git("config", "--local", "--get-regexp", f"^{section.replace('.', '[.]')}[.]").stdout:
            _git("config", "--local", "--remove-section", section)
            click.echo(f".git/config: [{section.replace('.', ' ')}] removed")
    path = top / _ATTRIBUTES
    old = _attributes(path)
    text = _text(old)
    if LINE not in text.splitlines():
        click.echo(f"{_ATTRIBUTES}: has no line for sdmodel")
        return
    rest = "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\r\n") != LINE)
    rest = rest if text.endswith(("\n", "\r")) else rest.rstrip("\r\n")
    if rest:
        _write(path, old, rest)
    else:
        try:
            path.unlink()
        except OSError as cause:
            raise ModelError.from_text(unwritable(path, cause)) from cause
    click.echo(f"{_ATTRIBUTES}: '{LINE}' removed" + ("" if rest else ", and the file, which is empty now"))


def _check_program(top: Path) -> None:
    command = [sys.executable, "-P", "-m", "sdmodel", "--version"]
    if subprocess.run(command, cwd=top, capture_output=True, check=False).returncode:  # noqa: S603 - this very program
        what = "does not find sdmodel outside its checkout; install it (python -m pip install -e .) and try again"
        raise ModelError([Fault(sys.executable, what)])


def _git(*words: str) -> None:
    done = run_git(*words)
    if done.returncode:
        what = f"git cannot write it ({done.stderr.decode(errors='replace').strip()}); check its permissions"
        raise ModelError([Fault(".git/config", what)])


def _attributes(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.exists() else None
    except OSError as cause:
        raise ModelError([Fault(str(path), f"cannot be read ({cause.strerror}); check its permissions")]) from cause


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "surrogateescape")


def _write(path: Path, old: bytes | None, text: str) -> None:
    replace_files({path: (old, text.encode("utf-8", "surrogateescape"))}, error=ModelError.from_text)


# The commands that git calls


@click.command("git-text", hidden=True)
@click.argument("path")
def git_text(path: str) -> None:
    """Print the text of a model for git to compare: equations in standard form, each view of the sketch as one line.

    A file that cannot be read is printed as it is, since git must be able to show it too.
    """
    content = read_bytes(path, error=ModelError)
    with contextlib.suppress(ModelError):
        content = text_for_diff(Document.from_bytes(content, path)).encode()
    click.echo(content, nl=False)


_MARKS = 7
_FAILED = 255
_UTF8 = "utf-8"


@click.command("merge-file", hidden=True)
@click.argument("base")
@click.argument("ours")
@click.argument("theirs")
@click.argument("path", required=False)
@click.option("--marks", type=click.IntRange(1), default=_MARKS, help="Length of the conflict marks.")
@click.pass_context
def merge_file(context: click.Context, base: str, ours: str, theirs: str, path: str | None, *, marks: int) -> None:
    """Merge the changes of OURS and THEIRS to BASE into OURS, variable by variable; PATH is the name in messages.

    The exit code is 1 if there is a conflict: a variable that both sides changed is between git's marks in OURS. It is 255 if
    OURS cannot be written, so that git does not take it for a merge.
    """
    name = path or ours
    name = name if name.isprintable() else repr(name)
    try:
        documents = [_document(file, name) for file in (base, ours, theirs)]
        merge = merge_documents(*documents, marks=marks)
    except ModelError as error:
        context.exit(_merge_by_lines(base, ours, theirs, name, error, marks))
    try:
        write_file(Path(ours), _encoded(merge, documents[1]), force=True, error=ModelError.from_text)
    except ModelError as error:
        note(str(error))
        context.exit(_FAILED)
    for text in merge.notes:
        note(f"{name}: {text}")
    for variable in merge.conflicts:
        note(f"{name}: conflict in '{variable}', which both sides changed; keep one version between the marks")
    for fault in merge.faults:
        note(f"{fault}; this results from the changes of both sides together")
    context.exit(0 if merge.is_clean else 1)


def _document(path: str, name: str) -> Document:
    """One of the versions; an empty file, which git passes if there was none, has no blocks."""
    content = read_bytes(path, error=ModelError)
    return Document.from_bytes(content, name) if content.strip() else Document(name, "", _UTF8)


def _encoded(merge: Merge, ours: Document) -> bytes:
    """The merged text in our encoding, unless that lacks a character of theirs."""
    try:
        return merge.text.encode(ours.encoding)
    except UnicodeEncodeError:
        return merge.text.encode(_UTF8)


def _merge_by_lines(base: str, ours: str, theirs: str, name: str, error: ModelError, marks: int) -> int:
    """Let git merge by lines if a version is not a readable model; returns 1 if lines conflict."""
    note(f"{name}: is merged by lines: {error.faults[0].what}")
    labels = ("-L", "ours", "-L", "base", "-L", "theirs")
    done = run_git("merge-file", f"--marker-size={marks}", *labels, "--", ours, base, theirs)
    if done.returncode == _FAILED:
        note(f"{name}: git cannot merge it ({done.stderr.decode(errors='replace').strip()}); the file is ours")
    return min(done.returncode, 1)
