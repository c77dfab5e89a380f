"""The sections of a report: headlines, differences, contributions of levers, levers, ensembles and provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..analysis import LEVER, Comparison, VariableAttribution, attributed_variables, contributions_to, model_of_run
from ..comparison import (
    MEASURES,
    ConstantDifference,
    LargestDifference,
    Outcome,
    Snapshot,
    outcome_of,
    quantiles,
    take_snapshots,
)
from ..dataset import MEMBER, PROBABILITY, TIME, has_variable, long_name, subscript_dims
from ..errors import ReportError, SdmodelError
from ..figures import Contributions, plot_bands, plot_runs, plot_wedges
from ..numerals import format_exact, format_number, format_signed
from ..scenario import Lever, find_levers
from .page import Image, Paragraph, Section, Table

_MOST_DIFFERENCES, _MOST_PANELS, _MOST_ATTRIBUTED = 15, 12, 3
_LEVELS = (0.05, 0.5, 0.95)
_LONG_ATTRIBUTES = frozenset({"model_text", "headlines", "levers"})
_KINDS = {
    "policy lever": "Policy levers",
    "uncertainty": "Uncertainties",
    "switch": "Switches",
    "constant": "Constants with a range",
}

Runs = Mapping[str, xr.Dataset]


def choose_headlines(runs: Runs, names: Sequence[str]) -> list[str]:
    """Return those of the named variables that all runs have; without any, headlines of the first run, stocks or others."""
    first = next(iter(runs.values()))
    listed = str(first.attrs.get("headlines", "")).splitlines()
    moving = [long_name(variable) for variable in first.data_vars.values() if TIME in variable.dims]
    stocks = [long_name(variable) for variable in first.data_vars.values() if variable.attrs.get("kind") == "stock"]
    for candidates in (names, listed, stocks[:_MOST_PANELS], moving[:_MOST_PANELS]):
        found = [name for name in candidates if all(has_variable(run, name) for run in runs.values())]
        if found:
            return found
    message = f"the runs {', '.join(runs)} have no variable in common; report on each separately"
    raise ReportError(message)


def headline_section(runs: Runs, names: Sequence[str], at: Sequence[float], picture: Figure | None) -> Section:
    """Show the headline variables of all runs over time, and side by side at some times."""
    figure = picture or plot_runs(runs, list(names)[:_MOST_PANELS])
    image = Image(figure, f"{', '.join(names)} over time in {', '.join(runs)}")
    return Section("Headlines", (image, *(_standings_table(runs, names, time) for time in at)))


def _standings_table(runs: Runs, names: Sequence[str], time: float) -> Table:
    """Return the value of each run at one time, and its difference from the first run."""
    first, *others = runs
    columns = ("", "units", first, *(column for name in others for column in (name, f"vs {first}")))
    rows = [_standing_row(standing) for standing in take_snapshots(runs, names, [time])]
    return Table(columns, tuple(rows), words=2, caption=f"At {time:.10g}")


def _standing_row(standing: Snapshot) -> tuple[str, ...]:
    row = [standing.name, standing.units, format_number(standing.values[0][0], standing.units)]
    for run in range(1, len(standing.values)):
        (share,) = standing.per_cent(run)
        row += [format_number(standing.values[run][0], standing.units), _format_percent(share)]
    return tuple(row)


def _format_percent(share: float) -> str:
    """Return a difference in percent with its sign and three digits; nothing if it is not finite."""
    if not np.isfinite(share):
        return ""
    if share == 0:
        return "0"
    decimals = int(np.clip(2 - np.floor(np.log10(abs(share))), 0, 3))
    return f"{share:+,.{decimals}f} %".replace("-", "\N{MINUS SIGN}")


def difference_section(runs: Runs, found: Comparison) -> Section:
    """Show the constants and lookups that differ between the runs, and the largest differences of variables."""
    changes = found.changes
    parts: list[Paragraph | Table] = [Paragraph(f"{remark}.") for remark in changes.remarks]
    if changes.constants:
        rows = tuple(
            (constant.name, constant.units, *(_format_range(extent) if extent else "" for extent in constant.values))
            for constant in changes.constants
        )
        parts.append(Table(("constant", "units", *runs), rows, words=2, caption="Constants that differ"))
    for lookup in changes.lookups:
        tables = "\n".join(f"{name}: {table}" for name, table in zip(runs, lookup.tables, strict=True))
        parts += [Paragraph(f"The lookup '{lookup.name}' differs:"), Paragraph(tables, code=True)]
    if not changes.constants and not changes.lookups:
        parts.append(Paragraph("All constants and lookups are the same."))
    moved = [gap for gap in found.differences if gap.absolute > 0 or gap.without_number]
    if moved:
        rows = tuple(_difference_row(gap) for gap in moved[:_MOST_DIFFERENCES])
        caption = f"Largest differences from {next(iter(runs))}, as a share of the variable's largest size there"
        if len(moved) > _MOST_DIFFERENCES:
            caption += f": the first {_MOST_DIFFERENCES} of {len(moved)}"
        columns = ("variable", "run", "units", "at", "before", "after", "difference", "share")
        parts.append(Table(columns, rows, words=3, caption=caption))
    return Section("What differs", tuple(parts))


def _format_range(extent: tuple[float, float]) -> str:
    """Return a value, or the smallest and the largest."""
    low, high = map(format_exact, extent)
    return low if low == high else f"{low} to {high}"


def _difference_row(gap: LargestDifference) -> tuple[str, ...]:
    values = (format_number(value, gap.units) for value in (gap.before, gap.after, gap.after - gap.before))
    share = 100 * float(np.copysign(gap.relative, gap.after - gap.before))
    return (gap.name, gap.run, gap.units, f"{gap.at:.10g}", *values, _format_percent(share))


def lever_section(runs: Runs, found: Comparison | None) -> Section | None:
    """List the levers of the first run's model, with the values of those that differ; None if the run has no model text."""
    first = next(iter(runs))
    try:
        levers = find_levers(model_of_run(runs[first], f"run '{first}'"))
    except SdmodelError:
        return None
    differing = {constant.constant: constant for constant in found.changes.constants} if found else {}
    tables = [
        _lever_table(title, [lever for lever in levers if lever.kind == kind], differing, list(runs))
        for kind, title in _KINDS.items()
        if any(lever.kind == kind for lever in levers)
    ]
    return Section("What can be changed", tuple(tables), folded=True) if tables else None


def _lever_table(
    title: str, levers: Sequence[Lever], differing: Mapping[str, ConstantDifference], runs: Sequence[str]
) -> Table:
    """List one kind of lever; those that differ between runs are highlighted."""
    rows, highlighted = [], set[int]()
    for index, lever in enumerate(levers):
        ends = ("any" if end is None else format_exact(end) for end in (lever.minimum, lever.maximum))
        in_runs = ""
        if lever.name in differing:
            highlighted.add(index)
            values = zip(runs, differing[lever.name].values, strict=True)
            in_runs = "; ".join(f"{run}: {_format_range(extent) if extent else ''}" for run, extent in values)
        value = _format_range((min(lever.values), max(lever.values)))
        rows.append((lever.name, lever.meaning, in_runs, value, " to ".join(ends), lever.units))
    columns = (title, "meaning and source", "in these runs", "in the model", "range", "units")
    return Table(columns, tuple(rows), words=3, strong=frozenset(highlighted))


def ensemble_section(name: str, run: xr.Dataset, names: Sequence[str], at: Sequence[float]) -> Section:
    """Show the median and the middle 90 % of the members of an ensemble, over time and at some times."""
    found = quantiles(run, names, _LEVELS)
    part = found.interp({TIME: list(at)})
    rows = []
    for variable in part.data_vars.values():
        units = str(variable.attrs.get("units", ""))
        for cell, values in _cells(variable):
            spreads = (
                f"{format_number(median, units)} ({format_number(low, units)} – {format_number(high, units)})"
                for low, median, high in values.transpose(TIME, PROBABILITY).values
            )
            rows.append((cell, units, *spreads))
    columns = ("", "units", *(f"{time:.10g}" for time in at))
    caption = f"{run.sizes[MEMBER]:,} members: the median, and the range of the middle 90 %"
    figure = plot_bands({name: found}, list(names)[:_MOST_PANELS])
    method, seed = (run.attrs.get(attribute, "unknown") for attribute in ("design_method", "seed"))
    parts = (
        Image(figure, f"median and bands of {', '.join(names)} over time"),
        Table(columns, tuple(rows), words=2, caption=caption),
        Paragraph(f"Sampling method: {method!s}, seed {seed}."),
    )
    return Section(f"Ensemble {name}", parts)


def _cells(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the name and the values of each cell of a variable."""
    dims = subscript_dims(variable)
    for position in np.ndindex(*(variable.sizes[dim] for dim in dims)):
        part = variable.isel(dict(zip(dims, position, strict=True)))
        labels = ",".join(str(part[dim].values) for dim in dims)
        yield (f"{long_name(variable)}[{labels}]" if labels else long_name(variable)), part


def attribution_section(name: str, found: xr.Dataset, names: Sequence[str]) -> Section:
    """Show what each lever contributes to the first variables: those that are named, if the attribution has them."""
    known = attributed_variables(found)
    variables = [variable for variable in names if variable in known] or known
    attributions = [contributions_to(found, variable) for variable in variables]
    shown = [part for part in attributions if not subscript_dims(part.baseline) and _moves(part)][:_MOST_ATTRIBUTED]
    ends = (
        str(found.attrs.get("baseline_name", "")) or "baseline",
        str(found.attrs.get("scenario_name", "")) or "scenario",
    )
    levers = json.loads(str(found.attrs["levers"]))
    members = int(found.attrs["members"])
    averaged = f"; means of {members:,} members, each run with and without each lever" if members > 1 else ""
    introduction = (
        f"Contribution of each lever of {ends[1]}: when it is changed alone, on average over all orders of changing the levers "
        f"(Shapley value; these add up to the total difference), and when it is changed last. "
        f"{found.attrs['runs']:,} runs, {found.attrs['method']}{averaged}."
    )
    changes = "\n".join(line for lines in levers.values() for line in lines)
    parts: list[Paragraph | Table | Image] = [Paragraph(introduction), Paragraph(changes, code=True)]
    if shown:
        figure = plot_wedges([_contributions(part) for part in shown], names=ends)
        alt = f"contributions of {', '.join(levers)} to {', '.join(part.name for part in shown)} over time"
        parts += [Image(figure, alt), *(_contribution_table(part) for part in shown)]
    else:
        parts.append(Paragraph("The levers do not change any of the variables."))
    return Section(f"Levers of {name}", tuple(parts))


def _moves(part: VariableAttribution) -> bool:
    return bool(np.nanmax(np.abs((part.scenario - part.baseline).values), initial=0.0) > 0)


def _contributions(part: VariableAttribution) -> Contributions:
    shares = part.contributions.sel(measure="shapley")
    return Contributions(part.name, part.units, part.baseline, part.scenario, shares)


def _contribution_table(part: VariableAttribution) -> Table:
    """Return all measures at the time of the largest difference."""
    differences = np.nan_to_num(np.abs((part.scenario - part.baseline).values))
    at = float(part.baseline[TIME].values[int(differences.argmax())])
    outcome = Outcome(at=at)
    contributions = outcome_of(part.contributions, outcome)
    total = float(outcome_of(part.scenario - part.baseline, outcome))
    spread = None if part.spread is None else outcome_of(part.spread, outcome)
    ranks = None if part.ranks_first is None else outcome_of(part.ranks_first, outcome)
    order = np.argsort(-np.abs(contributions.sel(measure="shapley").values), kind="stable")
    rows = []
    for lever in map(str, contributions[LEVER].values[order]):
        values = [float(contributions.sel({"measure": measure, LEVER: lever})) for measure in MEASURES]
        row = [lever, *map(format_signed, values), f"{100 * values[1] / total:.3g} %" if total else ""]
        if spread is not None and ranks is not None:
            ends = spread.sel({LEVER: lever}).transpose(PROBABILITY).values
            row += [
                f"{format_signed(float(ends[0]))} – {format_signed(float(ends[-1]))}",
                f"{100 * float(ranks.sel({LEVER: lever})):.3g} %",
            ]
        rows.append(tuple(row))
    more = ("90 % of members", "ranks first") if spread is not None else ()
    sums = [float(contributions.sel(measure=measure).sum()) for measure in MEASURES]
    rows.append(
        ("sum (of Shapley values: the total)", *map(format_signed, sums), "100 %" if total else "", *("" for _ in more))
    )
    columns = ("lever", "alone", "Shapley", "last", "share of total", *more)
    caption = f"{part.name}, {part.units}, at {at:.10g}, where the difference is greatest"
    return Table(columns, tuple(rows), caption=caption, strong=frozenset({len(rows) - 1}))


def provenance_section(name: str, run: xr.Dataset) -> Section:
    """Show the record of a run, and the texts of its scenario, baseline, design and changes."""
    record = {
        attribute: value
        for attribute, value in run.attrs.items()
        if attribute not in _LONG_ATTRIBUTES and str(value) != ""
    }
    record["model"] = Path(str(run.attrs["model"])).name
    texts = {key: str(record.pop(key)) for key in ("scenario", "baseline", "design", "changes") if key in record}
    rows = tuple((attribute.replace("_", " "), str(value)) for attribute, value in record.items())
    parts: list[Paragraph | Table] = [Table(("", ""), rows, words=2)]
    for heading, text in texts.items():
        parts += [Paragraph(f"{heading.capitalize()}:"), Paragraph(text.strip(), code=True)]
    return Section(f"Where {name} comes from", tuple(parts), folded=True)
