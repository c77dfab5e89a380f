"""`sdmodel diff`: what differs between two models, by variable and in numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click

from ...errors import Place
from ...model import key
from ...vensim import Difference, Document, compare_documents
from ..project import json_option
from ..revisions import Version, two_versions
from ..tables import note, print_json, terminal_width
from ..views.effects import Effect, effects_of, print_effects

_SHORT, _WIDEST, _COLUMN = 72, 110, 44
_CONTEXT = 6
"""Words around those that differ."""
_SILENT = frozenset({"comment", "units", "range", "group", "supplementary", "layout", "view", "sketch", "renamed"})
"""Kinds of differences that change no number."""


@click.command("diff", epilog="Example: sdmodel diff HEAD~3 HEAD")
@click.argument("old", required=False, metavar="[OLD]")
@click.argument("new", required=False, metavar="[NEW]")
@click.option("--model", metavar="MODEL", help="The model of which revisions are meant (default: the project's).")
@click.option("--no-run", is_flag=True, help="Leave out what the change does to the headlines.")
@click.option("--layout", is_flag=True, help="Tell too where only blanks, line breaks or spelling differ.")
@click.option("--exit-code", is_flag=True, help="Let the exit code be 1 if there is a difference in meaning.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    old: str | None,
    new: str | None,
    model: str | None,
    *,
    no_run: bool,
    layout: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Tell what differs between two models in meaning, variable by variable, and what that does to the headlines.

    OLD and NEW are files, revisions of git (HEAD~3), or files in them (HEAD~3:models/ai_compute.mdl). Without NEW, the
    file as it is now is held against OLD; without both, against HEAD. Blanks, line breaks and the spelling of names
    and numbers do not count; a new name is told as such if all who used the old one use it.
    """
    versions = two_versions(old, new, model)
    documents = [Document.from_bytes(version.content, version.name) for version in versions]
    found = compare_documents(*documents, layout=layout)
    meant = [each for each in found if each.kind != "layout"]
    effects = None if no_run or all(each.kind in _SILENT for each in found) else _effects(versions, found)
    if as_json:
        print_json(_record(versions, found, effects))
    else:
        _print(versions, found)
        print_effects(effects or [])
    context.exit(int(exit_code and bool(meant)))


def _effects(versions: tuple[Version, Version], found: Sequence[Difference]) -> list[Effect] | None:
    return effects_of(*versions, {key(each.new): each.old for each in found if each.kind == "renamed"})


def _print(versions: tuple[Version, Version], found: Sequence[Difference]) -> None:
    """The differences, a line for each that is short; of others the words that differ."""
    old, new = versions
    if not found:
        same = old.content == new.content
        click.echo(
            "no difference" if same else "no difference in meaning; only blanks, line breaks, order or spelling differ"
        )
        return
    width = min(_COLUMN, max(len(_name(each)) for each in found))
    before = ""
    for each in found:
        name = _name(each)
        for line in _lines(each, "" if name == before else name, width):
            click.echo(line)
        before = name
    if all(each.kind in ("view", "sketch") for each in found):
        note("only the sketch differs")


def _name(difference: Difference) -> str:
    if difference.kind in ("view", "sketch"):
        return f"view '{difference.name}'" if difference.name else "views"
    return f"settings: {difference.name}" if difference.kind == "settings" else difference.name


def _lines(difference: Difference, name: str, width: int) -> Iterator[str]:
    old, new = difference.old, difference.new
    head = f"{name:{width}}  {difference.kind:<10}"
    if difference.kind in ("sketch", "layout"):
        yield f"{head}  {new or 'only blanks, line breaks or spelling'}".rstrip()
    elif difference.kind in ("added", "removed") or (difference.kind == "view" and not (old and new)):
        yield from _one_sided(head, "-" if old else "+", old or new)
    elif len(old) + len(new) <= _SHORT and "\n" not in old + new:
        yield f"{head}  {old or '(none)'} -> {new or '(none)'}"
    else:
        yield head.rstrip()
        for sign, text in zip("-+", _differing(old.split(), new.split()), strict=True):
            yield from _folded(sign, text)


def _one_sided(head: str, sign: str, text: str) -> Iterator[str]:
    if len(text) <= _SHORT and "\n" not in text:
        yield f"{head}  {sign} {text}".rstrip()
        return
    yield head.rstrip()
    for line in text.splitlines():
        yield from _folded(sign, line)


def _folded(sign: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text or "(none)", min(_WIDEST, terminal_width() - 6), break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"    {sign if not number else ' '} {line}"


def _differing(old: list[str], new: list[str]) -> tuple[str, str]:
    """The words that differ in each of two texts, with a few around them."""
    shortest = min(len(old), len(new))
    start = next((place for place in range(shortest) if old[place] != new[place]), shortest)
    rest = shortest - start
    end = next((place for place in range(rest) if old[-1 - place] != new[-1 - place]), rest)
    first, last = max(0, start - _CONTEXT), max(0, end - _CONTEXT)
    return _part(old, first, last), _part(new, first, last)


def _part(words: list[str], first: int, last: int) -> str:
    told = " ".join(words[first : len(words) - last])
    return f"{'… ' if first else ''}{told}{' …' if last else ''}"


def _record(
    versions: tuple[Version, Version], found: Sequence[Difference], effects: Sequence[Effect] | None
) -> dict[str, Any]:
    """The answer as JSON has it."""
    old, new = versions
    return {
        "old": old.name,
        "new": new.name,
        "same_meaning": all(each.kind == "layout" for each in found),
        "same_text": old.content == new.content,
        "differences": [
            {
                "kind": each.kind,
                "name": each.name,
                "old": each.old,
                "new": each.new,
                "old_place": _place(each.old_place),
                "new_place": _place(each.new_place),
            }
            for each in found
        ],
        "headlines": None
        if effects is None
        else [vars(each) | {"percent": each.percent if each.differs else 0.0} for each in effects],
    }


def _place(place: Place | None) -> str | None:
    return None if place is None else str(place)
