"""A ranking of levers as a table, sentences, a record and a figure."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from ...analysis import LEVER, OUTCOME, TextColumn, ranking_answers, ranking_columns, single_cell
from ...dataset import PROBABILITY
from ...model import Cell, Model, key
from ..output import Part, Table, busy, line_width

_OTHERS = 3
_HEADING, _NARROWEST, _BETWEEN = 12, 16, 3
"""Characters: of a line of a heading, of a lever's name at least, and between columns."""
_MAIN, _MAIN_OVER_MEMBERS = 4, 5
"""The number of columns that stand beside the names of levers: up to the marginal effect, or up to the share that ranks first."""
_MONEY = re.compile(r"\$|€|£|(?<![a-z])(?:dollars?|euros?|usd|eur|gbp|cny|jpy|inr)(?![a-z])", re.IGNORECASE)
"""What the units of money contain."""


def other_outcomes(model: Model, listed: Iterable[str], target: str) -> list[str]:
    """The headline variables beside a target: one per unit other than its own, money over time first, then other money."""
    own, per_time = single_cell(model, target), key(model["TIME STEP"].units if "TIME STEP" in model else "")
    if not isinstance(own, Cell):
        return []
    by_units: dict[str, str] = {}
    for name in listed:
        cell = single_cell(model, name)
        if isinstance(cell, Cell):
            by_units.setdefault(key(model.elements[cell.key].units), name)
    by_units.pop(key(model.elements[own.key].units), None)

    def order(units: str) -> int:
        money = _MONEY.search(units.replace("_", " "))
        return 0 if money and per_time and f"/{per_time}" in units else 1 if money else 2

    return [by_units[units] for units in sorted(by_units, key=order)][:_OTHERS]


def ranking_parts(found: xr.Dataset) -> Iterator[Part]:
    """The table of levers, the best first, and sentences that answer which, how sure, and whether it pays."""
    yield _table(found)
    yield from ranking_answers(found)


def _table(found: xr.Dataset) -> Table:
    """One line per lever, if its name and what matters most fit in a line; otherwise the name is broken."""
    first, *others = ranking_columns(found)
    headings = [_heading(column) for column in others]
    beside = _MAIN_OVER_MEMBERS if PROBABILITY in found.dims else _MAIN
    widths = (
        max(map(len, (*heading.splitlines(), *column.cells))) for heading, column in zip(headings, others, strict=True)
    )
    room = line_width() - _BETWEEN - sum(width + _BETWEEN for width in [*widths][:beside])
    names = (first.heading, *first.cells)
    width = max(_NARROWEST, min(room, max(map(len, names))))
    cells = [[_broken(name, width) for name in first.cells], *(column.cells for column in others)]
    kinds = {_broken(first.heading, width): "left"} | dict.fromkeys(headings, "right")
    return Table(kinds, list(zip(*cells, strict=True)))


def _heading(column: TextColumn) -> str:
    parts = (column.heading, column.units.replace("_", " "))
    return "\n".join(_broken(part, _HEADING) for part in parts if part)


def _broken(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


def ranking_record(found: xr.Dataset) -> dict[str, Any]:
    """The whole ranking."""
    names = [str(name) for name in found[OUTCOME].values]
    outcomes = [
        {"name": name, "units": str(found["units"].values[place]), "when": str(found["when"].values[place])}
        | {"baseline": float(found["baseline"].values[place])}
        | _quantiles(found, "baseline_spread", {OUTCOME: place})
        for place, name in enumerate(names)
    ]
    changes = json.loads(str(found.attrs["levers"]))
    levers = []
    for place in range(found.sizes[LEVER]):
        lever = found.isel({LEVER: place})
        record: dict[str, Any] = {"lever": str(lever[LEVER].values)}
        record |= {"units": str(lever["lever_units"].values), "range": str(lever["source"].values)}
        record |= {name: float(lever[name].values) for name in ("low", "high", "present", "chosen")}
        record |= {"end": str(lever["side"].values), "changes": changes.get(record["lever"], [])}
        record |= {"effects": dict(zip(names, map(float, lever["effect"].values), strict=True))}
        record["marginal"] = float(lever["marginal"].values)
        if PROBABILITY in found.dims:
            record |= {"ranks_first": float(lever["ranks_first"].values), "left_out": int(lever["left_out"].values)}
            record |= _quantiles(found, "effect_spread", {LEVER: place, OUTCOME: 0})
        levers.append(record)
    whole = {
        name: found.attrs[name]
        for name in ("goal", "value", "rate", "since", "until", "members", "runs")
        if name in found.attrs
    }
    return whole | {"outcomes": outcomes, "levers": levers}


def _quantiles(found: xr.Dataset, name: str, places: dict[str, int]) -> dict[str, Any]:
    if name not in found:
        return {}
    values = found[name].isel(places)
    return {
        "quantiles": {
            f"{level:g}": float(value) for level, value in zip(values[PROBABILITY].values, values.values, strict=True)
        }
    }


def plot_ranking_to(found: xr.Dataset, target: Path, *, title: str, force: bool = False) -> Path:
    """Plot a ranking to a file."""
    from ...figures import plot_ranking, save_figure

    with busy(f"plotting {target.name}"):
        return save_figure(plot_ranking(found, title=title), target, force=force)
