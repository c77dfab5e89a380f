"""`sdmodel check`: every fault and doubt of a model at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from ...checking import LEVELS, RULES, Finding, Level, check_model
from ...errors import Place
from ...vensim import read_scenario
from ..project import json_option, model_argument, model_path, scenario_path
from ..tables import note, patience, print_json, print_table

_SHOWN = 3
"""So many findings of a rule that only advises are shown, unless the rule is asked for by name."""
_RULE = click.Choice(list(RULES))


@click.command("check", epilog="Example: sdmodel check models/ai_compute.mdl --skip comment --strict")
@model_argument
@click.option(
    "-c", "scenarios", multiple=True, metavar="FILE.cin", help="Check the model with this change file; the last wins."
)
@click.option("--level", type=click.Choice(LEVELS), default="advice", show_default=True, help="The least that is told.")
@click.option("--only", multiple=True, type=_RULE, metavar="RULE", help="Only this rule, whole; may be repeated.")
@click.option("--skip", multiple=True, type=_RULE, metavar="RULE", help="All but this rule; may be repeated.")
@click.option("--static", is_flag=True, help="Leave out what needs the model to run.")
@click.option("--strict", is_flag=True, help="Let warnings make the exit code 1 too.")
@click.option("--rules", "listed", is_flag=True, help="List the rules and check nothing.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    model: str | None,
    scenarios: tuple[str, ...],
    level: Level,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    *,
    static: bool,
    strict: bool,
    listed: bool,
    as_json: bool,
) -> None:
    """Tell every fault and doubt of a model with its place, what is wrong and what to do.

    An error keeps the model from running or its numbers from meaning anything; a warning is a doubt about its numbers;
    advice makes it easier to read and to trust. The exit code is 1 if there is an error.
    """
    if listed:
        _print_rules(as_json=as_json)
        return
    path = model_path(model)
    changes = [read_scenario(scenario_path(each)) for each in scenarios]
    with patience(f"checking {path.name}"):
        found = check_model(path, scenario=changes, only=only, skip=skip, static=static)
    shown = [each for each in found if LEVELS.index(each.level) <= LEVELS.index(level)]
    if as_json:
        print_json([_record(each) for each in shown])
    else:
        _print_findings(shown, only)
    if any(RULES[each.rule].find is None for each in found):
        note(f"{path}: cannot be read, so that nothing else was checked; mend these faults and check again")
    elif any(each.rule == "run" and each.level == "error" for each in found):
        note(f"{path}: does not run, so that only its text was checked; mend this and check again")
    fatal = {"error", "warning"} if strict else {"error"}
    context.exit(int(any(each.level in fatal for each in found)))


def _print_findings(found: Sequence[Finding], only: Sequence[str]) -> None:
    """The findings as a table, with their counts below it."""
    if found:
        columns = {"level": "left", "place": "fold", "rule": "left", "message": "text"}
        print_table(columns, _rows(found, only))
    counts = Counter(each.level for each in found)
    told = [f"{counts[each]} {each if each == 'advice' or counts[each] == 1 else each + 's'}" for each in LEVELS]
    click.echo(", ".join(told))


def _rows(found: Sequence[Finding], only: Sequence[str]) -> Iterator[list[str]]:
    """A row for each finding; of advice by one rule the first few, and then how much more there is."""
    counts = Counter((each.level, each.rule) for each in found)
    seen: Counter[tuple[Level, str]] = Counter()
    for each in found:
        kind = (each.level, each.rule)
        seen[kind] += 1
        rest = counts[kind] - _SHOWN
        whole = each.level != "advice" or each.rule in only or rest <= 1
        if whole or seen[kind] <= _SHOWN:
            yield [each.level, str(each.place), each.rule, each.message]
        elif seen[kind] == counts[kind]:
            yield [each.level, "", each.rule, f"and {rest} more; --only {each.rule} shows them all"]


def _print_rules(*, as_json: bool) -> None:
    """The table of rules."""
    rules = list(RULES.values())
    if as_json:
        print_json([{"rule": r.name, "level": r.level, "says": r.says, "runs the model": r.dynamic} for r in rules])
        return
    columns = {"rule": "left", "level": "left", "needs": "left", "says": "text"}
    print_table(columns, ([r.name, r.level, "a run" if r.dynamic else "the text", r.says] for r in rules))


def _record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it: place in one piece and in its parts."""
    place = finding.place
    parts = (place.path, place.line, place.column) if isinstance(place, Place) else (place or None, None, None)
    return {
        "level": finding.level,
        "rule": finding.rule,
        "place": str(place),
        **dict(zip(("file", "line", "column"), parts, strict=True)),
        "variable": finding.variable or None,
        "message": finding.message,
        "numbers": dict(finding.numbers),
    }
