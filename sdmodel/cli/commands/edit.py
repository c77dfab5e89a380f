"""`sdmodel edit` and `fmt`: changes to a model file that leave every other byte alone, and its text in standard form."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from ...errors import Fault, ModelError, format_count
from ...files import LINE_END, replace_files
from ...model import Kind, Range, join_name
from ...vensim import (
    Document,
    OpenDocument,
    format_document,
    open_document,
    read_document,
    split_statement,
    unformatted_parts,
)
from ..locations import given_encoding, model_path
from ..options import encoding_option, force_option, plain_model_argument
from ..output import Part, Result, busy, note, output_options

_OPEN = "?"
_KINDS = get_args(Kind)

UndoCommands = list[Sequence[str]]
"""The words of the commands that undo an edit."""


class _EditGroup(click.Group):
    """Subcommands that follow an optional model file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and self._is_model(args):
            ctx.obj = args[0]
            args = args[1:]
        return super().parse_args(ctx, args)

    def _is_model(self, args: Sequence[str]) -> bool:
        """Whether the first word is a file: it is not a subcommand, and one follows it or it ends in .mdl."""
        if args[0] in self.commands:
            return False
        return Path(args[0]).suffix.lower() == ".mdl" or any(word in self.commands for word in args[1:2])


@click.group(
    "edit",
    cls=_EditGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="[MODEL] COMMAND ...",
    options_metavar="",
    epilog='Example: sdmodel edit models/ai_compute.mdl set "price elasticity = 0.9" --dry-run',
)
def edit() -> None:
    """Change a model file: equations, units, ranges, comments and groups; add, rename and remove elements.

    Only the bytes that must change do; order, line ends, settings and the sketch stay. The edited model is checked before
    it is saved, and is not saved if it has a new fault. Files beside the model follow a renaming. In Python, use
    `open_document`.
    """


def _editing(change: Callable[..., UndoCommands]) -> Callable[..., Any]:
    """Make a subcommand from a function that edits a document and returns the commands that undo the edit."""

    @click.option("--dry-run", is_flag=True, help="Print the change as a diff, and write nothing.")
    @click.option(
        "-o", "--output", metavar="FILE", help="Write the edited model to this file and change no other file."
    )
    @force_option
    @encoding_option
    @click.pass_obj
    def edited(model: str | None, /, *, dry_run: bool, output: str | None, force: bool, **given: Any) -> None:
        path = model_path(model)
        with busy(f"editing {path.name}"):
            document = open_document(path, encoding=given_encoding())
            undo = change(document, **given)
            document.check()
        if dry_run:
            click.echo(document.difference(), nl=False)
            return
        with busy(f"saving {path.name}"):
            saved = document.save(output, force=force)
        for file in saved:
            click.echo(f"saved in {file}")
        if not saved:
            note(f"{path}: is like that already; nothing changed")
        elif output is None:
            for words in undo:
                named = ["--encoding", document.document.encoding] if given_encoding() else []
                note(f"undo with: {shlex.join(['sdmodel', 'edit', str(path), *words, *named])}")

    edited.__doc__ = change.__doc__
    return edited


@click.command("set", short_help="Set equations.", epilog='Example: sdmodel edit set "price elasticity = 0.9"')
@click.argument("statements", nargs=-1, required=True, metavar='"NAME = EQUATION" ...')
@_editing
def _set(document: OpenDocument, statements: tuple[str, ...]) -> UndoCommands:
    """Set equations. For an element with several equations, give the subscripts of one: "x[a] = 1"."""
    before = []
    for name, equation in map(split_statement, statements):
        block = document[name]
        before.append(name + ("" if block.sign == "(" else " = ") + block.equation)
        block.equation = equation
    return [["set", *before]]


@click.command(
    "add",
    short_help="Add an element, also in the sketch.",
    epilog='Example: sdmodel edit add "order backlog per fab = Chips On Order/Fab Capacity" --units Year',
)
@click.argument("statement", metavar='"NAME = EQUATION"')
@click.option(
    "--kind", type=click.Choice(_KINDS), help="Its kind; for a stock, the equation may be the initial value alone."
)
@click.option("--units", default="", metavar="UNITS", help="Its units.")
@click.option("--range", "limits", nargs=2, metavar="MIN MAX", help="Its range; ? for an open end.")
@click.option("--comment", default="", metavar="TEXT", help="Its comment.")
@click.option("--group", metavar="NAME", help="The group to add it to (default: that of most of its causes).")
@click.option("--view", metavar="NAME", help="The view to draw it in (default: the one that shows most of its causes).")
@click.option(
    "--from",
    "source",
    default="",
    metavar="STOCK",
    help="The stock that this flow drains; it is added to the stock's equation.",
)
@click.option(
    "--to",
    "sink",
    default="",
    metavar="STOCK",
    help="The stock that this flow fills; it is added to the stock's equation.",
)
@_editing
def _add(document: OpenDocument, statement: str, limits: tuple[str, str] | None, **given: Any) -> UndoCommands:
    """Add an element, also in the sketch with arrows from its causes; with --from or --to, a flow with valve and pipes."""
    name, equation = split_statement(statement)
    stocks = [stock for stock in (given["source"], given["sink"]) if stock]
    before = [f"{stock} = {document[stock].equation}" for stock in stocks if len(document[stock].segments) == 1]
    view = document.add(name, equation, range=None if limits is None else _limits(limits), **given)
    if not view:
        note(f"{document.path}: has no readable sketch, so '{name}' is not drawn")
    return [["set", *before], ["remove", name]] if before else [["remove", name]] * (not stocks)


@click.command(
    "rename",
    short_help="Rename everywhere, also in the files beside the model.",
    epilog='Example: sdmodel edit rename "ordering" "order rate" --dry-run',
)
@click.argument("old")
@click.argument("new")
@click.option("--model-only", is_flag=True, help="Do not change the files beside the model.")
@_editing
def _rename(document: OpenDocument, old: str, new: str, *, model_only: bool) -> UndoCommands:
    """Rename a variable, a subscript range or a label: in equations, sketch, settings and the files beside the model.

    These files are change files, sensitivity files with their samples, save lists, payoffs, optimisation files, time series, observed
    series and figures, in the model's folder and its subfolders; if a folder has several models, those of its name.
    """
    spelling = join_name(document[old].name) if old in document else old
    document.rename(old, new, everywhere=not model_only)
    return [["rename", new, spelling, *["--model-only"] * model_only]]


@click.command(
    "remove", short_help="Remove an unused element.", epilog='Example: sdmodel edit remove "unused constant"'
)
@click.argument("name")
@_editing
def _remove(document: OpenDocument, name: str) -> UndoCommands:
    """Remove an element that nothing uses, with its words and arrows in the sketch."""
    block = document[name]
    several, equation = len(block.segments) > 1, block.equation
    left, sign = document.document.left(block.segment), block.sign
    fields = [("--units", block.units), ("--comment", block.comment), ("--group", block.group)]
    limits = ["--range", *_bounds(block.range)[:2]] if block.range else []
    document.remove(name)
    if several or sign not in {"=", "("}:  # which `add` does not write
        return []
    return [
        [
            "add",
            left + ("" if sign == "(" else " = ") + equation,
            *limits,
            *(word for option, text in fields if text for word in (option, text)),
        ]
    ]


def _field_command(field: str, value: str, short_help: str, example: str, text: str) -> click.Command:
    """A subcommand that sets one field of an element."""

    def change(document: OpenDocument, **given: str) -> UndoCommands:
        block = document[given["name"]]
        before = getattr(block, field)
        setattr(block, field, given[value])
        return [[field, given["name"], before]]

    change.__doc__ = text
    arguments = click.argument("name")(click.argument(value)(_editing(change)))
    return click.command(field, short_help=short_help, epilog=f"Example: sdmodel edit {field} {example}")(arguments)


_FIELDS = (
    _field_command("units", "units", "Set units.", '"price elasticity" dmnl', "Set the units of an element; its range stays."),
    _field_command(
        "comment", "text", "Set a comment.", '"price elasticity" "Demand per price, in logarithms."',
        "Set the comment of an element; a long one is wrapped as Vensim wraps it.",
    ),
    _field_command(
        "group", "group", "Move to another group.", '"price elasticity" Uncertainties',
        "Move an element to the end of a group; a new group is created if there is none of that name.",
    ),
)  # fmt: skip


@click.command(
    "range",
    short_help="Set a range.",
    context_settings={"ignore_unknown_options": True},
    epilog='Example: sdmodel edit range "price elasticity" 0.3 1.8 0.1',
)
@click.argument("name")
@click.argument("minimum", required=False)
@click.argument("maximum", required=False)
@click.argument("step", required=False)
@click.option("--none", "without", is_flag=True, help="Remove the range.")
@_editing
def _range(
    document: OpenDocument, name: str, minimum: str | None, maximum: str | None, step: str | None, *, without: bool
) -> UndoCommands:
    """Set the range of an element: minimum, maximum and optionally a step; ? for an open end."""
    if without is (minimum is not None) or (minimum is None) is not (maximum is None):
        message = "give a minimum and a maximum, or --none"
        raise click.UsageError(message)
    before = document[name].range
    given = [text for text in (minimum, maximum, step) if text is not None]
    document[name].range = None if without else _limits(given)
    return [["range", name, *(_bounds(before) if before else ["--none"])]]


def _limits(given: Sequence[str]) -> Range:
    bounds = []
    for text in given:
        try:
            bounds.append(None if text.strip() == _OPEN else float(text))
        except ValueError as cause:
            raise ModelError([Fault("range", f"'{text}' is not a number; write one, or ? for an open end")]) from cause
    return Range(*bounds)


def _bounds(limits: Range) -> list[str]:
    bounds = [limits.minimum, limits.maximum, *([] if limits.step is None else [limits.step])]
    return [_OPEN if bound is None else repr(bound).removesuffix(".0") for bound in bounds]


for _subcommand in (_set, _add, _rename, _remove, *_FIELDS, _range):
    edit.add_command(_subcommand)


# fmt


@click.command("fmt", epilog="Example: sdmodel fmt models/ai_compute.mdl --check")
@plain_model_argument
@encoding_option
@click.option("--check", is_flag=True, help="Write nothing; list what would change, and exit with 1 if anything would.")
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; print the lines that would change.")
@click.option("--by-group", is_flag=True, help="Bring the blocks of each group together: ranges, then by name.")
@output_options
@click.pass_context
def fmt(context: click.Context, *, model: str | None, check: bool, show_diff: bool, by_group: bool) -> Result:
    """Write the equations of a model in one standard layout, without changing their meaning.

    Each block is written as Vensim writes it; comments, the order of blocks, sketch and settings stay. MODEL is rewritten
    in place, so it must be named unless --check or --diff is given.
    """
    dry_run = check or show_diff
    if model is None and not dry_run:
        message = "name the model to rewrite, or give --check or --diff"
        raise click.UsageError(message, context)
    path = model_path(model)
    document = read_document(path, encoding=given_encoding())
    text = format_document(document, by_group=by_group)
    changed = unformatted_parts(document)
    differs = text != document.text
    if differs and not dry_run:
        replace_files({path.resolve(): (bytes(document), text.encode(document.encoding))}, error=ModelError.from_text)

    def parts() -> Iterator[Part]:
        if show_diff and differs:
            yield "".join(_line_diff(document, text)).removesuffix("\n")
        elif check:
            yield from (f"{place}: '{name}' has another layout" for name, place in changed)
        _note_format(str(path), len(changed), differs=differs, written=not dry_run)

    def record() -> dict[str, Any]:
        blocks = [{"name": name, "place": str(place)} for name, place in changed]
        return {"model": str(path), "differs": differs, "written": differs and not dry_run, "blocks": blocks}

    return Result(record, parts, "blocks", exit_code=int(differs and check))


def _line_diff(document: Document, text: str) -> Iterator[str]:
    before, after = ([f"{line}\n" for line in LINE_END.split(version)] for version in (document.text, text))
    return difflib.unified_diff(before, after, document.path, f"{document.path} (formatted)")


def _note_format(path: str, blocks: int, *, differs: bool, written: bool) -> None:
    if not differs:
        note(f"{path}: is in standard form")
        return
    what = format_count(blocks, "block") if blocks else "blank lines or the order of blocks"
    note(f"{path}: {what} {'rewritten' if written else 'would change; sdmodel fmt rewrites the file'}")
