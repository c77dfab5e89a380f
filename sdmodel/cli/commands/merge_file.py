"""`sdmodel merge-file`: the merge driver that git calls; three versions of a model into one, by variable."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import ModelError
from ...files import read_bytes, write_file
from ...vensim import Document, Merge, merge_documents
from ..revisions import run_git

_MARKS = 7
_UTF8 = "utf-8"


@click.command("merge-file", hidden=True)
@click.argument("base")
@click.argument("ours")
@click.argument("theirs")
@click.argument("path", required=False)
@click.option("--marks", type=click.IntRange(1), default=_MARKS, help="Characters of a conflict's marks.")
@click.pass_context
def command(context: click.Context, base: str, ours: str, theirs: str, path: str | None, *, marks: int) -> None:
    """Merge what OURS and THEIRS made of BASE into OURS, variable by variable; PATH is what messages call it.

    The exit code is 1 if a person must decide: a variable that both sides changed stands between git's marks in OURS.
    """
    told = path or ours
    try:
        documents = [_document(each, told) for each in (base, ours, theirs)]
        merge = merge_documents(*documents, marks=marks)
    except ModelError as error:
        context.exit(_by_line(base, ours, theirs, told, error, marks))
    write_file(Path(ours), _bytes(merge, documents[1]), force=True, error=ModelError)
    for lost in merge.notes:
        click.echo(f"{told}: {lost}", err=True)
    for name in merge.conflicts:
        click.echo(f"{told}: conflict in '{name}', which both sides changed; keep one between the marks", err=True)
    for fault in merge.faults:
        click.echo(f"{fault}; this comes of both sides together", err=True)
    context.exit(0 if merge.is_clean else 1)


def _document(path: str, told: str) -> Document:
    """One of the versions; a file that is empty, as git's is where there was none, has no blocks."""
    content = read_bytes(path, error=ModelError)
    return Document.from_bytes(content, told) if content.strip() else Document(told, "", _UTF8)


def _bytes(merge: Merge, ours: Document) -> bytes:
    """The merged text in our encoding, unless that lacks a character of theirs."""
    try:
        return merge.text.encode(ours.encoding)
    except UnicodeEncodeError:
        return merge.text.encode(_UTF8)


def _by_line(base: str, ours: str, theirs: str, told: str, fault: ModelError, marks: int) -> int:
    """What git makes of the three by lines, where one of them is no model that can be read; 1 if lines clash."""
    click.echo(f"{told}: is merged by lines: {fault.faults[0].what}", err=True)
    labels = ("-L", "ours", "-L", "base", "-L", "theirs")
    done = run_git("merge-file", f"--marker-size={marks}", *labels, ours, base, theirs)
    return min(done.returncode, 1)
