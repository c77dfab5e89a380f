"""`sdmodel loops`: feedback loops through variables of a model, link by link, with their polarity in its run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from ...checking import find_loops, find_paths
from ...model import CausalPath, Link
from ...vensim import read_scenario
from ..making import Order, changes_option, ordered_scenario, scenarios_option
from ..project import json_option, model_argument, model_path, model_read, scenario_path
from ..tables import note, patience, print_json, print_table

_LOOP = {
    "R": "reinforcing loop (R)",
    "B": "balancing loop (B)",
    "mixed": "loop of changing polarity",
    "0": "loop without effect in this run",
    "unknown": "loop of unknown polarity",
}
_PATH = {
    "+": "more of '{0}' makes more of '{1}' (+)",
    "-": "more of '{0}' makes less of '{1}' (-)",
    "mixed": "'{0}' acts on '{1}' both ways",
    "0": "'{0}' has no effect on '{1}' along this path in this run",
    "unknown": "'{0}' acts on '{1}' in a way that cannot be told",
}
_CHANGES = 6
"""So many changes of polarity are told one by one."""


@click.command("loops", epilog='Example: sdmodel loops --through "Investor Sentiment" --through "total shipments"')
@model_argument
@click.option(
    "--through",
    multiple=True,
    metavar="NAME",
    help="A variable on the loop, in the order of the loop; `name[label]` for one label of it.",
)
@click.option("--path", "is_open", is_flag=True, help="End at the last variable and do not close the loop.")
@click.option("--limit", type=click.IntRange(1), default=1, show_default=True, help="So many of equally short loops.")
@scenarios_option
@changes_option
@json_option
def command(
    model: str | None,
    through: tuple[str, ...],
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    limit: int,
    *,
    is_open: bool,
    as_json: bool,
) -> None:
    """Find the shortest feedback loop through variables, and tell the polarity of each link and of the whole.

    The model is run, and a link is + where more of the cause makes more of the effect at a saved time, by its partial
    derivative; on a stock, where it makes it rise faster. A loop is R (reinforcing) or B (balancing) by the product of its
    links, and mixed where that changes. Links without effect in the run are left out if there is another way.
    Without --through, the shortest loop through each stock is listed.
    """
    if is_open and not through:
        message = "--path needs the variables that it leads --through"
        raise click.UsageError(message)
    path = model_path(model)
    given = model_read(path)
    scenario = ordered_scenario(Order(path, tuple(read_scenario(scenario_path(each)) for each in scenarios), changes))
    with patience(f"finding loops of {path.name}"):
        find = find_paths if is_open else find_loops
        found = find(given, through, scenario=scenario, limit=limit)
    if as_json:
        print_json([_record(each) for each in found])
    elif through:
        for each in found:
            _print_path(each)
    elif found:
        _print_list(found)
    else:
        note(f"{path}: has no feedback loop through a stock")


def _print_path(path: CausalPath) -> None:
    """A loop or a path link by link, and then what it is."""
    columns = {"cause": "fold", "link": "left", "effect": "fold", "without effect": "right"}
    print_table(columns, (_link_row(each) for each in path.links))
    click.echo(f"{_titled(path)}, {len(path.links)} link{'s' * (len(path.links) != 1)}: {'; '.join(_told(path))}\n")


def _link_row(link: Link) -> list[str]:
    sign = link.polarity
    if sign == "mixed":
        sign = f"mixed: + {_percent(link.raising)}, - {_percent(link.lowering)}"
    return [link.cause, sign, link.effect, _percent(link.idle) if link.idle else ""]


def _titled(path: CausalPath) -> str:
    said = (_LOOP if path.closed else _PATH)[path.polarity]
    return said.format(path.variables[0], path.variables[-1])


def _told(path: CausalPath) -> Iterator[str]:
    """For how much of the run it has which sign, and when that changes."""
    names = ("R", "B") if path.closed else ("+", "-")
    for name, share in zip((*names, "no effect", "unknown"), path.shares, strict=True):
        if share:
            yield f"{name} {_percent(share)} of the time"
    if path.changes:
        listed = ", ".join(f"{name} from {time:.10g}" for time, name in path.changes[:_CHANGES])
        yield listed + (f" and {len(path.changes) - _CHANGES} more changes" if len(path.changes) > _CHANGES else "")


def _print_list(found: Sequence[CausalPath]) -> None:
    """One line for each loop."""
    columns = {"stock": "fold", "polarity": "left", "links": "right", "acts": "right", "loop": "text"}
    rows = (
        [
            each.variables[0],
            each.polarity,
            str(len(each.links)),
            _percent(each.shares[0] + each.shares[1]),
            " -> ".join((*each.variables, each.variables[0])),
        ]
        for each in found
    )
    print_table(columns, rows, spare=("acts",))


def _percent(share: float) -> str:
    whole = f"{100 * share:.0f}"
    return f"{100 * share:.1g} %" if whole == "0" and share else f"{whole} %"


def _record(path: CausalPath) -> dict[str, Any]:
    """A loop or a path as JSON has it."""
    positive, negative, idle, unknown = path.shares
    return {
        "variables": path.variables,
        "closed": path.closed,
        "polarity": path.polarity,
        "positive": positive,
        "negative": negative,
        "idle": idle,
        "unknown": unknown,
        "changes": [{"time": time, "polarity": name} for time, name in path.changes],
        "links": [
            {
                "cause": each.cause,
                "effect": each.effect,
                "polarity": each.polarity,
                "raising": each.raising,
                "lowering": each.lowering,
                "idle": each.idle,
                "unknown": each.unknown,
            }
            for each in path.links
        ],
    }
