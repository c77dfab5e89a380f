"""The section of an attribution in a report: what each lever contributes, over time and at its height."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from ..analysis import LEVER, Attributed, attributed, attributed_names
from ..comparison import MEASURES, Outcome, outcome_of
from ..dataset import PROBABILITY, TIME, subscript_dims
from ..figures import Contributions, plot_wedges
from ..numerals import signed
from .page import Cells, Picture, Section, Text

_MOST = 3
"""So many variables are drawn and told in full."""


def attribution_section(name: str, found: xr.Dataset, asked: list[str]) -> Section:
    """What each lever contributes to the first variables, of those asked for if it has them."""
    known = attributed_names(found)
    parts = [attributed(found, each) for each in [each for each in asked if each in known] or known]
    whole = [each for each in parts if not subscript_dims(each.baseline) and _moves(each)][:_MOST]
    ends = (
        str(found.attrs.get("baseline_name", "")) or "baseline",
        str(found.attrs.get("scenario_name", "")) or "scenario",
    )
    levers = json.loads(str(found.attrs["levers"]))
    lines = "\n".join(line for own in levers.values() for line in own)
    told = (
        f"What each lever of {ends[1]} contributes: alone, in the mean over all orders in which levers may be moved (Shapley), "
        f"which adds up to the whole, and moved last. {found.attrs['runs']:,} runs, {found.attrs['method']}{_members(found)}."
    )
    if not whole:
        return Section(
            f"Levers of {name}", (Text(told), Text(lines, code=True), Text("They move none of the variables."))
        )
    figure = plot_wedges([_drawn(each) for each in whole], names=ends)
    tables = [_table(each) for each in whole]
    alt = f"contributions of {', '.join(levers)} to {', '.join(each.name for each in whole)} over time"
    return Section(f"Levers of {name}", (Text(told), Text(lines, code=True), Picture(figure, alt), *tables))


def _members(found: xr.Dataset) -> str:
    members = int(found.attrs["members"])
    return f"; means of {members:,} members, each run with and without each lever" if members > 1 else ""


def _moves(part: Attributed) -> bool:
    return bool(np.nanmax(np.abs((part.scenario - part.baseline).values), initial=0.0) > 0)


def _drawn(part: Attributed) -> Contributions:
    shares = part.contributions.sel(measure="shapley")
    return Contributions(part.name, part.units, part.baseline, part.scenario, shares)


def _table(part: Attributed) -> Cells:
    """All measures at the time of the greatest difference."""
    gaps = np.nan_to_num(np.abs((part.scenario - part.baseline).values))
    at = float(part.baseline[TIME].values[int(gaps.argmax())])
    moment = Outcome(at=at)
    contributions = outcome_of(part.contributions, moment)
    total = float(outcome_of(part.scenario - part.baseline, moment))
    spread = None if part.spread is None else outcome_of(part.spread, moment)
    ranks = None if part.ranks_first is None else outcome_of(part.ranks_first, moment)
    order = np.argsort(-np.abs(contributions.sel(measure="shapley").values), kind="stable")
    rows = []
    for lever in (str(contributions[LEVER].values[place]) for place in order):
        values = [float(contributions.sel({"measure": each, LEVER: lever})) for each in MEASURES]
        row = [lever, *map(signed, values), f"{100 * values[1] / total:.3g} %" if total else ""]
        if spread is not None and ranks is not None:
            ends = spread.sel({LEVER: lever}).transpose(PROBABILITY).values
            row += [
                f"{signed(float(ends[0]))} – {signed(float(ends[-1]))}",
                f"{100 * float(ranks.sel({LEVER: lever})):.3g} %",
            ]
        rows.append(tuple(row))
    more = ("90 % of members", "ranks first") if spread is not None else ()
    sums = [float(contributions.sel(measure=each).sum()) for each in MEASURES]
    rows.append(("sum, of Shapley the whole", *map(signed, sums), "100 %" if total else "", *("" for _ in more)))
    columns = ("lever", "alone", "Shapley", "last", "of the whole", *more)
    caption = f"{part.name}, {part.units}, at {at:.10g}, where the difference is greatest"
    return Cells(columns, tuple(rows), caption=caption, strong=frozenset({len(rows) - 1}))
