"""`sdmodel edit`: changes in a model's file that leave every other byte alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from ...errors import Fault, ModelError
from ...model import Kind, Range
from ...vensim import OpenDocument, open_document, split_statement
from ..project import force_option, model_path
from ..tables import note, patience

_OPEN = "?"
_KINDS = get_args(Kind)
_HELP = {"help_option_names": ["-h", "--help"]}

Way = list[Sequence[str]]
"""The words of the commands that take an edit back."""


class _Edits(click.Group):
    """Subcommands with a model's file before them, which may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and self._is_model(args):
            ctx.obj = args[0]
            args = args[1:]
        return super().parse_args(ctx, args)

    def _is_model(self, args: Sequence[str]) -> bool:
        """Whether the first word is a file: it is no subcommand, and one follows or its ending says so."""
        if args[0] in self.commands:
            return False
        return Path(args[0]).suffix.lower() == ".mdl" or any(word in self.commands for word in args[1:2])


@click.group(
    "edit",
    cls=_Edits,
    context_settings=_HELP,
    subcommand_metavar="[MODEL] COMMAND ...",
    options_metavar="",
    epilog='Example: sdmodel edit models/ai_compute.mdl set "price elasticity = 0.9" --dry-run',
)
def command() -> None:
    """Change a model's file: equations, units, ranges, comments and groups, and add, rename and remove elements.

    Only the bytes that must change do; order, line ends, settings and the sketch stay. The edited model is checked before
    it is saved: one with a new fault is not. Files beside the model follow a renaming. Edits from Python: `open_document`.
    """


def _editing(edit: Callable[..., Way]) -> Callable[..., Any]:
    """Makes a subcommand of a function that edits a document and says what takes the edit back."""

    @click.option("--dry-run", is_flag=True, help="Print what would change as a diff, and change nothing.")
    @click.option(
        "-o", "--output", metavar="FILE", help="Write the model here and leave its file, and those beside it, alone."
    )
    @force_option
    @click.pass_obj
    def edited(model: str | None, /, *, dry_run: bool, output: str | None, force: bool, **given: Any) -> None:
        path = model_path(model)
        with patience(f"editing {path.name}"):
            document = open_document(path)
            back = edit(document, **given)
            document.check()
        if dry_run:
            click.echo(document.difference(), nl=False)
            return
        with patience(f"saving {path.name}"):
            saved = document.save(output, force=force)
        for each in saved:
            click.echo(f"saved in {each}")
        if not saved:
            note(f"{path}: says so already; nothing is changed")
        elif output is None:
            for words in back:
                note(f"back by: {shlex.join(['sdmodel', 'edit', str(path), *words])}")

    edited.__doc__ = edit.__doc__
    return edited


@click.command("set", short_help="Set equations.", epilog='Example: sdmodel edit set "price elasticity = 0.9"')
@click.argument("statements", nargs=-1, required=True, metavar='"NAME = EQUATION" ...')
@_editing
def _set(document: OpenDocument, statements: tuple[str, ...]) -> Way:
    """Set equations. An element that several blocks define is named with the subscripts of one: "x[a] = 1"."""
    before = []
    for name, equation in map(split_statement, statements):
        block = document[name]
        before.append(
            name
            + (block.equation if equation.startswith("(") and _is_lookup(block.equation) else f" = {block.equation}")
        )
        block.equation = equation
    return [["set", *before]]


def _is_lookup(equation: str) -> bool:
    return equation.startswith(("((", "(["))


@click.command(
    "add",
    short_help="Add an element, in the sketch too.",
    epilog='Example: sdmodel edit add "order backlog per fab = Chips On Order/Fab Capacity" --units Year',
)
@click.argument("statement", metavar='"NAME = EQUATION"')
@click.option("--kind", type=click.Choice(_KINDS), help="What it must be; a stock's equation may be its start alone.")
@click.option("--units", default="", metavar="UNITS", help="Its units.")
@click.option("--range", "limits", nargs=2, metavar="MIN MAX", help="Its range; ? leaves a side open.")
@click.option("--comment", default="", metavar="TEXT", help="Its comment.")
@click.option("--group", metavar="NAME", help="The group whose end it goes to (default: of most of its causes).")
@click.option("--view", metavar="NAME", help="The view to draw it in (default: that which shows most of its causes).")
@click.option(
    "--from", "source", default="", metavar="STOCK", help="The stock that a flow drains; its equation gets it."
)
@click.option("--to", "sink", default="", metavar="STOCK", help="The stock that a flow fills; its equation gets it.")
@_editing
def _add(document: OpenDocument, statement: str, limits: tuple[str, str] | None, **given: Any) -> Way:
    """Add an element, in the sketch too, with arrows from its causes; with --from and --to a flow with valve and pipes."""
    name, equation = split_statement(statement)
    stocks = [each for each in (given["source"], given["sink"]) if each]
    before = [f"{each} = {document[each].equation}" for each in stocks if len(document[each].segments) == 1]
    view = document.add(name, equation, range=None if limits is None else _limits(limits), **given)
    if not view:
        note(f"{document.path}: has no sketch that can be read, so that '{name}' is not drawn")
    return [["set", *before], ["remove", name]] if before else [["remove", name]] * (not stocks)


@click.command(
    "rename",
    short_help="Rename everywhere, beside the model too.",
    epilog='Example: sdmodel edit rename "ordering" "order rate" --dry-run',
)
@click.argument("old")
@click.argument("new")
@click.option("--model-only", is_flag=True, help="Leave the files beside the model alone.")
@_editing
def _rename(document: OpenDocument, old: str, new: str, *, model_only: bool) -> Way:
    """Rename a variable, a subscript range or a label: in equations, sketch and settings, and beside the model.

    Beside it are change files, sensitivity files with their samples, save lists, payoffs, searches, observed series and
    figures, in its folder and the folders in that; in a folder with several models, those of its name.
    """
    spelling = document[old].name if old in document else old
    document.rename(old, new, everywhere=not model_only)
    return [["rename", new, spelling, *["--model-only"] * model_only]]


@click.command(
    "remove", short_help="Remove what nothing uses.", epilog='Example: sdmodel edit remove "unused constant"'
)
@click.argument("name")
@_editing
def _remove(document: OpenDocument, name: str) -> Way:
    """Remove an element that nothing uses, with its words and arrows in the sketch."""
    block = document[name]
    several, equation = len(block.segments) > 1, block.equation
    left = document.document.left(block.segment)
    told = [("--units", block.units), ("--comment", block.comment), ("--group", block.group)]
    limits = ["--range", *_bounds(block.range)[:2]] if block.range else []
    document.remove(name)
    if several:
        return []
    statement = left + equation if _is_lookup(equation) else f"{left} = {equation}"
    return [["add", statement, *limits, *(word for option, text in told if text for word in (option, text))]]


@click.command("units", short_help="Set units.", epilog='Example: sdmodel edit units "price elasticity" dmnl')
@click.argument("name")
@click.argument("units")
@_editing
def _units(document: OpenDocument, name: str, units: str) -> Way:
    """Set the units of an element; its range stays."""
    before = document[name].units
    document[name].units = units
    return [["units", name, before]]


@click.command(
    "comment",
    short_help="Set a comment.",
    epilog='Example: sdmodel edit comment "price elasticity" "Demand per price, in logarithms."',
)
@click.argument("name")
@click.argument("text")
@_editing
def _comment(document: OpenDocument, name: str, text: str) -> Way:
    """Set the comment of an element; a long one is broken into lines as Vensim breaks it."""
    before = document[name].comment
    document[name].comment = text
    return [["comment", name, before]]


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
@click.option("--none", "without", is_flag=True, help="Take the range away.")
@_editing
def _range(
    document: OpenDocument, name: str, minimum: str | None, maximum: str | None, step: str | None, *, without: bool
) -> Way:
    """Set the range of an element: minimum, maximum and perhaps a step; ? leaves a side open."""
    if without is (minimum is not None) or (minimum is None) is not (maximum is None):
        message = "give a minimum and a maximum, or --none"
        raise click.UsageError(message)
    before = document[name].range
    given = [each for each in (minimum, maximum, step) if each is not None]
    document[name].range = None if without else _limits(given)
    return [["range", name, *(_bounds(before) if before else ["--none"])]]


@click.command(
    "group", short_help="Move to another group.", epilog='Example: sdmodel edit group "price elasticity" Uncertainties'
)
@click.argument("name")
@click.argument("group")
@_editing
def _group(document: OpenDocument, name: str, group: str) -> Way:
    """Move an element to the end of a group, which is begun if there is none of that name."""
    before = document[name].group
    document[name].group = group
    return [["group", name, before]]


def _limits(given: Sequence[str]) -> Range:
    """The range that some words say."""
    bounds = []
    for text in given:
        try:
            bounds.append(None if text.strip() == _OPEN else float(text))
        except ValueError as cause:
            raise ModelError([Fault("range", f"'{text}' is no number; write one, or ? for an open side")]) from cause
    return Range(*bounds)


def _bounds(limits: Range) -> list[str]:
    """A range as words."""
    bounds = [limits.minimum, limits.maximum, *([] if limits.step is None else [limits.step])]
    return [_OPEN if each is None else repr(each).removesuffix(".0") for each in bounds]


for _each in (_set, _add, _rename, _remove, _units, _comment, _range, _group):
    command.add_command(_each)
