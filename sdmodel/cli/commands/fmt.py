"""`sdmodel fmt`: a model's text in canonical form."""

from __future__ import annotations

import difflib
import re

import click

from ...errors import ModelError
from ...files import write_file
from ...vensim import Document, format_document, read_document, reformatted
from ..project import json_option, model_argument, model_path
from ..tables import note, print_json


@click.command("fmt", epilog="Example: sdmodel fmt models/ai_compute.mdl --check")
@model_argument
@click.option(
    "--check", is_flag=True, help="Write nothing; list what would change, with exit code 1 if anything would."
)
@click.option("--diff", "shown", is_flag=True, help="Write nothing; print the lines that would change.")
@click.option("--by-group", is_flag=True, help="Bring the blocks of each group together: ranges, then by name.")
@json_option
@click.pass_context
def command(
    context: click.Context, model: str | None, *, check: bool, shown: bool, by_group: bool, as_json: bool
) -> None:
    """Lay out the equations of a model in one form, and change nothing of what they mean.

    Each block is written as Vensim writes it; comments, the order of blocks, sketch and settings stay. MODEL is rewritten
    in place, and so it must be named, unless --check or --diff is given.
    """
    if model is None and not (check or shown):
        message = "name the model to be rewritten, or give --check or --diff"
        raise click.UsageError(message, context)
    path = model_path(model)
    document = read_document(path)
    text = format_document(document, by_group=by_group)
    changed = reformatted(document)
    differs = text != document.text
    if not (check or shown) and differs:
        write_file(path.resolve(), text.encode(document.encoding), force=True, error=ModelError)
    if as_json:
        blocks = [{"name": name, "place": str(place)} for name, place in changed]
        print_json(
            {"model": str(path), "differs": differs, "written": differs and not (check or shown), "blocks": blocks}
        )
    elif shown:
        click.echo("".join(_diff(document, text)), nl=False)
    elif check:
        for name, place in changed:
            click.echo(f"{place}: '{name}' is laid out otherwise")
    if not as_json:
        _tell(str(path), len(changed), differs=differs, written=not (check or shown))
    context.exit(int(differs and check))


def _diff(document: Document, text: str) -> list[str]:
    """The lines that a new text changes, as a unified diff."""
    before, after = (_lines(each) for each in (document.text, text))
    return list(difflib.unified_diff(before, after, document.path, f"{document.path} (formatted)"))


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in re.split(r"\r\n?|\n", text)]


def _tell(path: str, blocks: int, *, differs: bool, written: bool) -> None:
    if not differs:
        note(f"{path}: is in canonical form")
        return
    what = f"{blocks} {'block' if blocks == 1 else 'blocks'}" if blocks else "blank lines or the order of blocks"
    note(f"{path}: {what} {'laid out anew' if written else 'would be laid out anew; sdmodel fmt rewrites it'}")
