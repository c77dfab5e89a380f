"""What may change between runs of a model: named changes to its constants and lookups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Place
from ..model import NOWHERE, Table


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a change file: new numbers for a constant, in its own units, or a new table for a lookup.

    `values` holds one number for the whole of what `subscripts` name, or one for each of its elements, row by row.
    """

    name: str
    subscripts: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    table: Table | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Scenario:
    """A change file: its name (the file's, without the ending), what it says of itself, its changes, and its text."""

    name: str
    changes: tuple[Change, ...] = ()
    comment: str = ""
    text: str = ""


def merge(scenarios: Sequence[Scenario]) -> Scenario:
    """One scenario that does what several do in turn; the last one wins, as in Vensim."""
    return Scenario(
        name="+".join(scenario.name for scenario in scenarios),
        changes=tuple(change for scenario in scenarios for change in scenario.changes),
        comment=" ".join(scenario.comment for scenario in scenarios if scenario.comment),
        text="\n".join(scenario.text.rstrip("\n") for scenario in scenarios if scenario.text),
    )
