"""The contributions of levers as tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...analysis import LEVER, OTHER, contribution_rows, contributions_to, greatest_difference
from ...comparison import Outcome, VariableAttribution, outcome_of
from ...dataset import PROBABILITY, TIME, describe_model, labels_along, subscript_dims, with_labels
from ...numerals import format_number, format_signed
from ..output import Part, Table, columns_beside, note
from .headlines import round_times
from .panels import layout_of

_COLUMNS, _WIDTH = 6, 10
"""Times shown at most, and the width of the column of one."""
_PAIRS = 5
_LEAST_SHARE = 0.01
"""A pair of levers is listed if its interaction is at least this share of the whole difference."""
_MOST_PLOTTED = 6


def parts_of(found: xr.Dataset, names: Sequence[str]) -> list[VariableAttribution]:
    """The attribution of some variables, label by label."""
    parts = []
    for name in names:
        whole = contributions_to(found, name)
        cells = labels_along(whole.baseline, subscript_dims(whole.baseline))
        parts += [contributions_to(found, with_labels(whole.name, labels)) if labels else whole for _, labels in cells]
    return parts


def moment_of(found: xr.Dataset, names: Sequence[str]) -> Outcome:
    """The stored time at which the scenario makes the greatest difference to the first of some variables."""
    return greatest_difference(parts_of(found, names[:1])[0])


def format_time(outcome: Outcome, found: xr.Dataset) -> str:
    """The time of an outcome; by default the last of the run."""
    at = outcome.at if outcome.at is not None else float(found[TIME].values[-1])
    return f"{at:.10g}"


def attribution_parts(
    found: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome], *, brief: bool
) -> Iterator[Part]:
    """The contributions of levers: one line per variable if `brief`, else over time and in all measures."""
    if brief:
        yield _summary(found, names, outcomes[0])
        note("name variables with --on for the contribution of each lever over time, alone and with others")
        return
    for part in parts_of(found, names):
        yield _over_time(part)
        for outcome in outcomes:
            when = format_time(outcome, found)
            yield _all_measures(part, outcome, when)
            yield from _strongest_pairs(part, outcome, when)


def _by_importance(part: VariableAttribution) -> list[str]:
    """The levers of a variable, the largest contribution over time first."""
    return [str(part.contributions[LEVER].values[place]) for place in np.argsort(-part.sizes, kind="stable")]


def _over_time(part: VariableAttribution) -> Table:
    """Shapley values at round times, between the variable without and with all levers."""
    times = part.baseline[TIME].values
    columns = columns_beside(
        [part.name, *(f"  {name}" for name in _by_importance(part))], [], width=_WIDTH, least=3, most=_COLUMNS
    )
    places = round_times(times, columns)
    headings = {f"{part.name}, {part.units}" if part.units else part.name: "fold"}
    headings |= {f"{times[place]:.10g}": "right" for place in places}

    def row(name: str, values: xr.DataArray) -> list[str]:
        return [name, *(format_signed(float(values.isel({TIME: place}))) for place in places)]

    def level(name: str, values: xr.DataArray) -> list[str]:
        return [name, *(format_number(float(values.isel({TIME: place})), part.units) for place in places)]

    levers = [row(f"  {name}", part.shapley.sel({LEVER: name})) for name in _by_importance(part)]
    whole = row("  all together", part.scenario - part.baseline)
    return Table(headings, [level("baseline", part.baseline), *levers, whole, level("scenario", part.scenario)])


def _all_measures(part: VariableAttribution, outcome: Outcome, when: str) -> Table:
    (_, *headings), rows = contribution_rows(part, outcome)
    units = f", {part.units}" if part.units else ""
    return Table({f"{part.name} at {when}{units}": "fold"} | dict.fromkeys(headings, "right"), rows)


def _strongest_pairs(part: VariableAttribution, outcome: Outcome, when: str) -> Iterator[Table]:
    if part.interaction is None or part.interaction.sizes[LEVER] < 2:  # noqa: PLR2004 - a pair
        return
    total = abs(float(outcome_of(part.scenario - part.baseline, outcome)))
    pairs = [pair for pair in _pairs(part, outcome)[:_PAIRS] if abs(pair[2]) > _LEAST_SHARE * total]
    if pairs:
        columns = {f"interaction at {when}": "fold", part.units or "interaction": "right"}
        yield Table(columns, [[f"{one} × {other}", format_signed(value)] for one, other, value in pairs])


def _pairs(part: VariableAttribution, outcome: Outcome) -> list[tuple[str, str, float]]:
    """All pairs of levers with their interaction, the strongest first."""
    if part.interaction is None:
        return []
    values = outcome_of(part.interaction, outcome).transpose(LEVER, OTHER).values
    names = list(map(str, part.interaction[LEVER].values))
    pairs = [(names[i], names[j], float(values[i, j])) for i in range(len(names)) for j in range(i + 1, len(names))]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))


def _summary(found: xr.Dataset, names: Sequence[str], outcome: Outcome) -> Table:
    columns = {f"at {format_time(outcome, found)}": "fold", "units": "fold", "baseline": "right", "scenario": "right",
               "difference": "right", "largest contributions": "text"}  # fmt: skip
    rows = []
    for part in parts_of(found, names):
        ends = [float(outcome_of(values, outcome)) for values in (part.baseline, part.scenario)]
        shares = outcome_of(part.shapley, outcome)
        order = np.argsort(-np.nan_to_num(np.abs(shares.values)), kind="stable")
        levers = [f"{shares[LEVER].values[place]} {format_signed(float(shares.values[place]))}" for place in order[:2]]
        levels = [format_number(value, part.units) for value in ends]
        difference = ends[1] - ends[0]
        rows.append(
            [part.name, part.units, *levels, format_signed(difference), ", ".join(levers) if difference else ""]
        )
    return Table(columns, rows)


def attribution_record(found: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All contributions to variables at some times."""
    variables = [
        _variable_record(part, outcome, format_time(outcome, found))
        for part in parts_of(found, names)
        for outcome in outcomes
    ]
    record = {"method": found.attrs["method"], "runs": found.attrs["runs"]}
    return record | {"levers": json.loads(str(found.attrs["levers"])), "variables": variables}


def _variable_record(part: VariableAttribution, outcome: Outcome, when: str) -> dict[str, Any]:
    contributions = outcome_of(part.contributions, outcome)
    levers = []
    for name in map(str, contributions[LEVER].values):
        own = contributions.sel({LEVER: name})
        lever: dict[str, Any] = {"lever": name}
        lever |= {str(measure): float(own.sel(measure=measure)) for measure in own["measure"].values}
        for field, values in (("standard_error", part.standard_error), ("ranks_first", part.ranks_first)):
            if values is not None:
                lever[field] = float(outcome_of(values.sel({LEVER: name}), outcome))
        if part.spread is not None:
            spread = outcome_of(part.spread.sel({LEVER: name}), outcome)
            levels = zip(spread[PROBABILITY].values, spread.values, strict=True)
            lever["quantiles"] = {f"{level:g}": float(value) for level, value in levels}
        levers.append(lever)
    ends = {"baseline": part.baseline, "scenario": part.scenario}
    numbers = {name: float(outcome_of(end, outcome)) for name, end in ends.items()}
    pairs = [{"levers": [one, other], "interaction": value} for one, other, value in _pairs(part, outcome)]
    return {"name": part.name, "units": part.units, "time": when, **numbers, "contributions": levers, "pairs": pairs}


# Figures


def plot_attribution_to(
    found: xr.Dataset,
    names: Sequence[str],
    moment: Outcome,
    targets: Sequence[Path],
    *,
    title: str,
    force: bool = False,
) -> list[Path]:
    """Plot wedges over time to the first target, and bars at one date to the second if there is one."""
    if not targets:
        return []
    from ...figures import plot_contributions, plot_wedges, save_figure

    ends = str(found.attrs["baseline_name"]) or "baseline", str(found.attrs["scenario_name"]) or "all levers moved"
    origin = _origin(found)
    parts = parts_of(found, names)
    shown = parts[:_MOST_PLOTTED]
    if len(shown) < len(parts):
        note(f"the first {len(shown)} of {len(parts)} variables are plotted; choose with --on")
    figures = [
        plot_wedges(shown, names=ends, title=title, extrapolation=layout_of(found).extrapolation, origin=origin),
        plot_contributions(
            [part.at(moment) for part in shown], when=format_time(moment, found), names=ends, title=title, origin=origin
        ),
    ]
    return [save_figure(figure, target, force=force) for figure, target in zip(figures, targets, strict=False)]


def _origin(found: xr.Dataset) -> list[str]:
    record = found.attrs
    levers = {name: "; ".join(lines) for name, lines in json.loads(str(record["levers"])).items()}
    changes = ", ".join(
        lines if lines.startswith(f"{name} =") else f"{name} ({lines})" for name, lines in levers.items()
    )
    members = f"; means of {record['members']} members" if record["members"] > 1 else ""
    return [
        f"{describe_model(found)}; {record['runs']} runs, {record['method']}{members}",
        f"{record['scenario_name'] or 'scenario'}: {changes}",
    ]
