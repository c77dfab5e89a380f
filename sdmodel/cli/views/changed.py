"""What was changed between runs, as a table: constants that differ, one column a run, and lookups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ...analysis import Changes
from ...comparison import Extent
from ...model import Table
from ...numerals import exact, number
from ..tables import print_table

_MOST = 30
"""So many constants are told beside other things."""


def print_changes(changes: Changes, runs: Sequence[str], *, whole: bool = False) -> None:
    """Print the constants and lookups that differ, with units; the first of them unless the `whole` is asked for.

    Those that some run does not have at all, its model being another, come last.
    """
    ordered = sorted(changes.constants, key=lambda each: None in each.values)
    rows = [[_lookup(each.name, each.subscripts), "", *map(_table, each.tables)] for each in changes.lookups]
    rows += [[each.name, each.units, *(_extent(value, each.units) for value in each.values)] for each in ordered]
    shown = rows if whole or len(rows) <= _MOST + 1 else rows[:_MOST]
    if rows:
        print_table({"constant": "fold", "units": "fold"} | dict.fromkeys(runs, "right"), shown)
    else:
        click.echo("no constant differs\n")
    if len(shown) < len(rows):
        click.echo(f"{len(rows)} constants differ; --constants shows {len(rows) - len(shown)} more\n")


def record_of(changes: Changes, runs: Sequence[str]) -> list[dict[str, Any]]:
    """The same as JSON has it: the value of each constant in each run, two where it varies over members."""
    constants = [
        {"name": each.name, "units": each.units, "values": dict(zip(runs, map(_plain, each.values), strict=True))}
        for each in changes.constants
    ]
    lookups = [
        {
            "name": _lookup(each.name, each.subscripts),
            "tables": {run: table and list(table.points) for run, table in zip(runs, each.tables, strict=True)},
        }
        for each in changes.lookups
    ]
    return constants + lookups


def _extent(extent: Extent | None, units: str) -> str:
    """The value of a constant, or what members have it drawn from and to."""
    if extent is None:
        return "none"
    low, high = extent
    return exact(low) if not low < high else f"{number(low, units)} – {number(high, units)}"


def _plain(extent: Extent | None) -> float | list[float] | None:
    if extent is None:
        return None
    return list(extent) if extent[0] < extent[1] else extent[0]


def _lookup(name: str, subscripts: Sequence[str]) -> str:
    return f"{name}[{','.join(subscripts)}]" if subscripts else name


def _table(table: Table | None) -> str:
    """A lookup in short: how many points it has, and what they reach from and to."""
    if table is None:
        return "none"
    heights = [y for _, y in table.points]
    return f"{len(heights)} points, {number(min(heights))} – {number(max(heights))}"
