"""`sdmodel levers`, `check`, `loops`: what a model lets you change, what is wrong with it, its loops; `new`: a copy of one."""

from __future__ import annotations

import math
import os
import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ...errors import Fault, ModelError, ScenarioError, format_count, shorten
from ...files import place_folder, temporary_folder, unwritable
from ...model import Model, cell_name, split_name
from ...numerals import format_exact
from ...scenario import (
    Lever,
    Scenario,
    cell_values,
    constant_cells,
    find_levers,
    lever_of,
    merge_scenarios,
    plausible_ranges,
)
from ...vensim import plausible_sampling
from ..locations import load_model, model_path
from ..options import RunOptions, changes_option, model_argument, model_data_options, option_group, scenarios_option
from ..output import Part, Result, Table, busy, line_width, note, output_options
from ..project import MODEL_ENDINGS, installed_models
from ..requests import read_scenarios

if TYPE_CHECKING:
    from ...checking import Finding, Level
    from ...model import CausalPath, Link

_LEVER_COLUMNS = {"value": "right", "range": "left", "units": "fold", "meaning": "text"}
_SENTENCE_END = re.compile(r"[.?!] +(?=[A-ZÀ-Þ])")


@click.command("levers", epilog='Example: sdmodel levers models/ai_compute.mdl "hurdle rate"')
@click.argument("words", nargs=-1, metavar="[MODEL] [NAME]...")
@click.option("--all", "every", is_flag=True, help="List every constant that can be changed.")
@click.option("--long", "in_full", is_flag=True, help="Print the whole meaning of each lever, with its sources.")
@model_data_options
@output_options
def levers(words: tuple[str, ...], *, every: bool, in_full: bool) -> Result:
    """List the policy levers, uncertainties and switches of a model, one per line: value, units, range and meaning.

    These are the constants in its groups "Policy levers", "Uncertainties" and "Switches"; for a model without such groups,
    all constants with a range, and without ranges all constants. NAME shows all that is known of one lever, or of any constant: its value for each label, its
    range in the model, its plausible range in MODEL.vsc beside the model, and its whole comment.
    """
    first, names = words[:1], words[1:]
    if first and not (
        Path(first[0]).suffix.lower() in MODEL_ENDINGS or (os.path.lexists(first[0]) and not Path(first[0]).is_dir())
    ):
        first, names = (), words
    path = model_path(first[0] if first else None)
    model = load_model(path, without_data=True)
    if names:
        return _lever_details(model, names)
    _note_unread(path, model, "its values are left out")
    found = find_levers(model, every=every)
    more = 0 if every else len(find_levers(model, every=True)) - len(found)

    def parts() -> Iterator[Part]:
        for kind in dict.fromkeys(lever.kind for lever in found):
            own = [lever for lever in found if lever.kind == kind]
            if in_full:
                columns = {kind: "fold"} | _LEVER_COLUMNS
                yield Table(columns, [_lever_row(lever) for lever in own], spare=("units", "range"))
            else:
                columns = {kind: "left", "value": "right", "units": "left", "range": "left", "meaning": "cut"}
                yield Table(columns, [_lever_line(lever) for lever in own], spare=("meaning", "range", "units"))
        if not found:
            note(f"{path}: has no constants to change")
        elif more:
            note(f"{format_count(more, 'more constant')} can be changed; --all lists them")

    return Result(lambda: [vars(lever) for lever in found], parts)


def _note_unread(path: Path, model: Model, effect: str) -> None:
    if model.unread_files:
        note(f"{path}: data from files cannot be read, so {effect}; `sdmodel check` lists the files")


def _lever_line(lever: Lever) -> list[str]:
    """A lever in one line; what the comment says of its source is left out, if it says more."""
    name, value, extent, units, meaning = _lever_row(lever)
    end = _SENTENCE_END.search(meaning)
    is_source = end is not None and ": " in meaning[: end.start()]  # such as "judgement: low 1, high 2."
    return [name, value, units, extent, meaning[end.end() :] if end and is_source else meaning]


def _lever_row(lever: Lever) -> list[str]:
    known = sorted(
        {value for value in lever.values if not math.isnan(value)}
    )  # others are in files that cannot be read
    value = " to ".join(dict.fromkeys(map(format_exact, (*known[:1], *known[-1:]))))
    return [lever.name, value, _extent(lever), lever.units, lever.meaning]


def _extent(lever: Lever) -> str:
    """The range of a lever in the model; nothing if it has none."""
    if lever.minimum is None and lever.maximum is None:
        return ""
    return _between(lever.minimum, lever.maximum)


def _between(low: float | None, high: float | None) -> str:
    return " to ".join("any" if bound is None else format_exact(bound) for bound in (low, high))


@dataclass(frozen=True)
class _CellValue:
    """One cell of a constant: its value and the ends of its plausible range, in its units."""

    name: str
    value: float
    plausible: tuple[float, float] | None


def _lever_details(model: Model, names: Sequence[str]) -> Result:
    """All that is known of some constants; an error for every name that is not a constant."""
    sampling = plausible_sampling(model)
    plausible = plausible_ranges(model, sampling) if sampling else {}
    found: list[tuple[Lever, list[_CellValue]]] = []
    faults: list[Fault] = []
    for text in names:
        name, labels = split_name(text, model.elements)
        try:
            cells = constant_cells(model, name, labels, where="NAME")
        except ScenarioError as error:
            faults += error.faults
            continue
        values = cell_values(model, cells)
        known = [_CellValue(cell_name(model, cell), value, plausible.get(cell)) for cell, value in values.items()]
        found.append((lever_of(model[name]), known))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))

    def parts() -> Iterator[Part]:
        for lever, values in found:
            rows = [["kind", lever.kind], ["units", lever.units], ["range in the model", _extent(lever)]]
            for cell in values:
                own = "" if len(values) == 1 else f" of {cell.name}"
                rows.append([f"value{own}", "" if math.isnan(cell.value) else format_exact(cell.value)])
                rows.append([f"plausible range{own}", "" if cell.plausible is None else _between(*cell.plausible)])
            rows.append(["meaning", lever.meaning])
            yield Table({"": "fold", lever.name: "text"}, [row for row in rows if row[1]])

    return Result(lambda: [vars(lever) | {"cells": list(map(vars, values))} for lever, values in found], parts)


# check

_ADVICE_SHOWN = 3
"""Findings shown of a rule that only advises, unless it is requested with --only."""
_PLACE_SHARE = 4
"""Places longer than this part of a line are shown without the folder of the file, so that the message stays beside them."""
_NEEDED_TO_RUN = ("run", "file", "data", "incomplete")
"""The rules that a model breaks, if their findings are errors, when it does not run."""
_LEVELS: tuple[Level, ...] = ("error", "warning", "advice")


def _check_rule(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Check names of rules; they are listed by `check --rules`."""
    from ...checking import RULES

    for name in names:
        click.Choice(list(RULES)).convert(name, parameter, context)
    return names


@click.command("check", epilog="Example: sdmodel check models/ai_compute.mdl --skip comment --strict")
@model_argument
@scenarios_option
@click.option(
    "--level", type=click.Choice(_LEVELS), default="advice", show_default=True, help="The lowest level to show."
)
@click.option(
    "--only", multiple=True, callback=_check_rule, metavar="RULE", help="Check only this rule; may be repeated."
)
@click.option("--skip", multiple=True, callback=_check_rule, metavar="RULE", help="Skip this rule; may be repeated.")
@click.option("--static", is_flag=True, help="Skip rules that run the model.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.option("--rules", "list_rules", is_flag=True, help="List the rules and check nothing.")
@click.option("--reality", is_flag=True, help="Test the model's Reality Checks instead, each in a run of its own.")
@output_options
def check(
    *,
    model: str | None,
    scenarios: tuple[str, ...],
    level: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    static: bool,
    strict: bool,
    list_rules: bool,
    reality: bool,
) -> Result:
    """List all errors and doubts of a model: where, what is wrong, and what to do.

    An error keeps the model from running or makes its numbers meaningless; a warning casts doubt on its numbers; advice
    makes it easier to read and to trust. The exit code is 1 if there is an error.

    With --reality, each constraint of the model (:THE CONDITION: ... :IMPLIES: ...) is tested in a run in which its condition
    is made true. The exit code is 1 if one is violated or cannot be tested.
    """
    from ...checking import RULES, check_model, fault_findings, ordered

    if list_rules:
        return _rules_result()
    if reality and (only or skip or static):
        message = "--reality tests no rules; leave out --only, --skip and --static"
        raise click.UsageError(message)
    path = model_path(model)
    changes = read_scenarios(scenarios, path)
    if reality:
        return _reality_result(path, changes)
    with busy(f"checking {path.name}"):
        try:
            loaded = load_model(path, merge_scenarios(changes).texts, without_data=True)
            found = check_model(loaded, scenario=changes, only=only, skip=skip, static=static)
        except ModelError as error:
            found = ordered(fault_findings(error))
    shown = [finding for finding in found if _LEVELS.index(finding.level) <= _LEVELS.index(level)]
    if any(RULES[finding.rule].find is None for finding in found):
        note(f"{path}: cannot be read, so nothing else was checked; correct these errors and check again")
    elif not static and any(finding.rule in _NEEDED_TO_RUN and finding.level == "error" for finding in found):
        note(f"{path}: does not run, so only its text was checked; correct these errors and check again")
    fatal = {"error", "warning"} if strict else {"error"}
    return Result(
        lambda: [_finding_record(finding) for finding in shown],
        lambda: _finding_parts(shown, only),
        exit_code=int(any(finding.level in fatal for finding in found)),
    )


def _reality_result(path: Path, changes: Sequence[Scenario]) -> Result:
    """The tests of the constraints of a model, one line each."""
    from ...checking import Outcome, check_reality

    with busy(f"testing {path.name}"):
        loaded = load_model(path, merge_scenarios(changes).texts)
        found = check_reality(loaded, scenario=changes)

    def parts() -> Iterator[Part]:
        if not found:
            yield f"{path}: has no Reality Checks"
            return
        columns = {"outcome": "left", "place": "fold", "constraint": "left", "message": "text"}
        yield Table(columns, [[one.outcome, _short(str(one.place)), one.name, one.message] for one in found])
        counts = Counter(one.outcome for one in found)
        yield ", ".join(f"{counts[outcome]} {outcome}" for outcome in get_args(Outcome))

    def records() -> list[dict[str, Any]]:
        return [
            vars(one)
            | {"place": str(one.place), "variable": one.variable or None, "numbers": dict(one.numbers)}
            | {"file": one.place.path, "line": one.place.line, "column": one.place.column}
            for one in found
        ]

    return Result(records, parts, exit_code=int(any(one.outcome != "passed" for one in found)))


def _finding_parts(found: Sequence[Finding], only: Sequence[str]) -> Iterator[Part]:
    if found:
        wrap = textwrap.TextWrapper(
            line_width(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        yield "\n".join([*map(wrap.fill, _finding_lines(found, only)), ""])
    counts = Counter(finding.level for finding in found)
    yield ", ".join(
        f"{counts[level]} {level if level == 'advice' or counts[level] == 1 else level + 's'}" for level in _LEVELS
    )


def _finding_lines(found: Sequence[Finding], only: Sequence[str]) -> Iterator[str]:
    """A line for each finding, as compilers print them; for advice, the first few of each rule and the number of the rest."""
    counts = Counter((finding.level, finding.rule) for finding in found)
    seen: Counter[tuple[Level, str]] = Counter()
    for finding in found:
        kind = (finding.level, finding.rule)
        seen[kind] += 1
        rest = counts[kind] - _ADVICE_SHOWN
        whole = finding.level != "advice" or finding.rule in only or rest <= 1
        if whole or seen[kind] <= _ADVICE_SHOWN:
            yield f"{finding.place}: {finding.level}: {shorten(finding.message)} [{finding.rule}]"
        elif seen[kind] == counts[kind]:
            yield f"and {rest} more {finding.level} [{finding.rule}]; --only {finding.rule} shows them all"


def _short(place: str) -> str:
    """A place, without its folder if it is long."""
    return place if len(place) <= line_width() // _PLACE_SHARE else Path(place).name


def _rules_result() -> Result:
    from ...checking import RULES

    rules = list(RULES.values())
    columns = {"rule": "left", "level": "left", "needs": "left", "says": "text"}
    rows = [[rule.name, rule.level, "a run" if rule.dynamic else "the text", rule.says] for rule in rules]
    return Result(
        lambda: [
            {"rule": rule.name, "level": rule.level, "says": rule.says, "runs the model": rule.dynamic}
            for rule in rules
        ],
        lambda: [Table(columns, rows)],
    )


def _finding_record(finding: Finding) -> dict[str, Any]:
    from ...errors import Place

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


# loops

_LOOP_POLARITY = {
    "R": "reinforcing loop (R)",
    "B": "balancing loop (B)",
    "mixed": "loop of changing polarity",
    "0": "loop without effect in this run",
    "unknown": "loop of unknown polarity",
}
_PATH_POLARITY = {
    "+": "more of '{0}' makes more of '{1}' (+)",
    "-": "more of '{0}' makes less of '{1}' (-)",
    "mixed": "'{0}' acts on '{1}' both ways",
    "0": "'{0}' has no effect on '{1}' along this path in this run",
    "unknown": "the polarity of '{0}' on '{1}' is unknown",
}
_CHANGES_SHOWN = 6


@click.command("loops", epilog='Example: sdmodel loops --through "Investor Sentiment" --through "total shipments"')
@click.option(
    "--through",
    multiple=True,
    metavar="NAME",
    help="A variable on the loop; repeated in the order of the loop. `name[label]` picks a label.",
)
@click.option("--path", "is_open", is_flag=True, help="End at the last variable and do not close the loop.")
@click.option(
    "--limit", type=click.IntRange(1), default=1, show_default=True, help="Number of equally short loops to find."
)
@click.option(
    "--independent",
    is_flag=True,
    help="List loops, the shortest first, that together have every link of feedback that acts in the run.",
)
@option_group("run_from", RunOptions, model_argument, scenarios_option, changes_option)
@output_options
def loops(*, through: tuple[str, ...], is_open: bool, limit: int, independent: bool, run_from: RunOptions) -> Result:
    """Find the shortest feedback loop through variables, with the polarity of each link and of the loop.

    The model is run. A link is + where more of the cause makes more of the effect at a saved time, by its partial
    derivative; for a stock, where it makes the stock rise faster. A loop is R (reinforcing) or B (balancing) by the product
    of its links, and mixed where that changes. Links without effect in the run are avoided if there is another way.
    Without --through, the shortest loop through each stock is listed; --independent lists those that explain a model (Oliva
    2004), each with a link that none before it has.

    A causal loop diagram, with equations that are A FUNCTION OF their causes, is not run. Its links have the polarity at
    their arrows, or are unknown, and --independent is the default.
    """
    from ...checking import find_loops, find_paths, is_unfinished

    if is_open and not through:
        message = "--path needs its variables: --through NAME"
        raise click.UsageError(message)
    if independent and through:
        message = "--independent lists the loops of the whole model; leave out --through"
        raise click.UsageError(message)
    request = run_from.request()
    model = request.load_model(without_data=True)
    _note_unread(request.model, model, "the polarity of what depends on it is unknown")
    if not (runs := not is_unfinished(model)):
        note(f"{request.model}: has incomplete equations, so that it is not run; polarities are those drawn at arrows")
    with busy(f"finding loops of {request.model.name}"):
        if is_open:
            found = find_paths(model, through, scenario=request.scenario, limit=limit)
        else:
            found = find_loops(model, through, scenario=request.scenario, limit=limit, independent=independent)

    def parts() -> Iterator[Part]:
        if through:
            for path in found:
                yield from _path_parts(path, runs=runs)
        elif found:
            yield _loop_list(found, runs=runs)
        else:
            note(f"{request.model}: has no feedback loop" + (" through a stock" if runs else ""))

    return Result(lambda: [_path_record(path) for path in found], parts)


def _path_parts(path: CausalPath, *, runs: bool) -> Iterator[Part]:
    columns = {"cause": "fold", "link": "left", "effect": "fold", "without effect": "right"}
    if not runs:
        del columns["without effect"]
    yield Table(columns, [_link_row(link)[: len(columns)] for link in path.links])
    polarity = (_LOOP_POLARITY if path.closed else _PATH_POLARITY)[path.polarity]
    title = polarity.format(path.variables[0], path.variables[-1])
    title += f", {len(path.links)} link{'s' * (len(path.links) != 1)}"
    yield f"{title}: {'; '.join(_time_shares(path))}\n" if runs else f"{title}\n"


def _link_row(link: Link) -> list[str]:
    sign = link.polarity
    if sign == "mixed":
        sign = f"mixed: + {_percent(link.raising)}, - {_percent(link.lowering)}"
    return [link.cause, sign, link.effect, _percent(link.idle) if link.idle else ""]


def _time_shares(path: CausalPath) -> Iterator[str]:
    names = ("R", "B") if path.closed else ("+", "-")
    for name, share in zip((*names, "no effect", "unknown"), path.shares, strict=True):
        if share:
            yield f"{name} {_percent(share)} of the time"
    if path.changes:
        listed = ", ".join(f"{name} from {time:.10g}" for time, name in path.changes[:_CHANGES_SHOWN])
        rest = len(path.changes) - _CHANGES_SHOWN
        yield listed + (f" and {format_count(rest, 'more change')}" if rest > 0 else "")


def _loop_list(found: Sequence[CausalPath], *, runs: bool) -> Table:
    if not runs:
        drawn = [[path.polarity, str(len(path.links)), _around(path)] for path in found]
        return Table({"polarity": "left", "links": "right", "loop": "text"}, drawn)
    columns = {"stock": "fold", "polarity": "left", "links": "right", "acts": "right", "loop": "text"}
    rows = [
        [
            path.variables[0],
            path.polarity,
            str(len(path.links)),
            _percent(path.shares[0] + path.shares[1]),
            _around(path),
        ]
        for path in found
    ]
    return Table(columns, rows, spare=("acts",))


def _around(path: CausalPath) -> str:
    return " -> ".join((*path.variables, path.variables[0]))


def _percent(share: float) -> str:
    whole = f"{100 * share:.0f}"
    return f"{100 * share:.1g} %" if whole == "0" and share else f"{whole} %"


def _path_record(path: CausalPath) -> dict[str, Any]:
    positive, negative, idle, unknown = path.shares
    fields = ("cause", "effect", "polarity", "raising", "lowering", "idle", "unknown")
    return {
        "variables": path.variables,
        "closed": path.closed,
        "polarity": path.polarity,
        "positive": positive,
        "negative": negative,
        "idle": idle,
        "unknown": unknown,
        "changes": [{"time": time, "polarity": name} for time, name in path.changes],
        "links": [{field: getattr(link, field) for field in fields} for link in path.links],
    }


# new


@click.command("new", epilog="Example: sdmodel new my-model")
@click.argument("folder")
def new(folder: str) -> None:
    """Copy the model that comes with sdmodel into FOLDER, with its scenarios, ensembles, lists and data.

    The files are in `FOLDER/models`, which must not exist. Commands that run in FOLDER then use this copy and store runs in
    `FOLDER/runs`; the copy can be edited, the model in the installed package cannot.
    """
    source, target = installed_models(), Path(folder, "models")
    made = target if os.path.lexists(folder) else Path(folder)  # a new folder appears with all that is in it
    try:
        with temporary_folder(made) as copy:
            count = _copy_files(source, copy / target.relative_to(made))
            place_folder(copy, made, force=False)
    except (OSError, ValueError) as cause:
        taken = f"{made}: exists already; choose another folder"
        raise ModelError.from_text(taken if os.path.lexists(made) else unwritable(made, cause)) from cause
    enter = [] if Path(folder).resolve() == Path.cwd() else [f"cd {shlex.quote(folder)}"]
    steps = [*enter, "sdmodel levers", "sdmodel run -c power-first", 'sdmodel edit set "price elasticity = 0.9"']
    click.echo("\n  ".join([f"{target}: {format_count(count, 'file')} copied; continue with", *steps]))


def _copy_files(source: Path, target: Path) -> int:
    """Copy the files of a folder, whose permissions stay behind: installed files may be read-only."""
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    for path in files:
        if not (target / path).parent.is_dir():
            (target / path).parent.mkdir(parents=True)
        (target / path).write_bytes((source / path).read_bytes())
    return len(files)
