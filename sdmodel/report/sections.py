"""The sections of a report: what stored runs say, what differs between them, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..analysis import Comparison, recorded_model
from ..comparison import ConstantDifference, Gap, Standing, quantiles, standings_of
from ..dataset import MEMBER, PROBABILITY, TIME, has_variable, long_name
from ..errors import ReportError, SdmodelError
from ..figures import plot_bands, plot_runs
from ..numerals import exact, number
from ..scenario import Lever, find_levers
from .page import Cells, Picture, Section, Text

_GAPS, _PANELS = 15, 12
_LEVELS = (0.05, 0.5, 0.95)
_LONG = frozenset({"model_text", "headlines", "levers"})
_KINDS = {
    "policy lever": "Policy levers",
    "uncertainty": "Uncertainties",
    "switch": "Switches",
    "constant": "Constants with a range",
}

Runs = Mapping[str, xr.Dataset]


def headlines_of(runs: Runs, names: Sequence[str]) -> list[str]:
    """The variables of those names that all runs have; if there are none, what the first run lists, else what moves in it."""
    first = next(iter(runs.values()))
    listed = str(first.attrs.get("headlines", "")).splitlines()
    moving = [long_name(each) for each in first.data_vars.values() if TIME in each.dims]
    stocks = [long_name(each) for each in first.data_vars.values() if each.attrs.get("kind") == "stock"]
    for wanted in (names, listed, stocks[:_PANELS], moving[:_PANELS]):
        found = [name for name in wanted if all(has_variable(run, name) for run in runs.values())]
        if found:
            return found
    message = f"the runs {', '.join(runs)} have no variable in common; report on each by itself"
    raise ReportError(message)


def headline_section(runs: Runs, names: Sequence[str], at: Sequence[float], picture: Figure | None) -> Section:
    """What the runs say of their headlines: side by side at each date, and over time."""
    tables = [_standings(runs, names, moment) for moment in at]
    figure = picture or plot_runs(runs, list(names)[:_PANELS])
    alt = f"{', '.join(names)} over time in {', '.join(runs)}"
    return Section("Headlines", (Picture(figure, alt), *tables))


def _standings(runs: Runs, names: Sequence[str], moment: float) -> Cells:
    """One date: each run's value, and how far it is from the first run's."""
    first, *others = runs
    columns = ("", "units", first, *(part for name in others for part in (name, f"against {first}")))
    rows = [_standing(each) for each in standings_of(runs, names, [moment])]
    return Cells(columns, tuple(rows), words=2, caption=f"At {moment:.10g}")


def _standing(standing: Standing) -> tuple[str, ...]:
    cells = [standing.name, standing.units, number(standing.values[0][0], standing.units)]
    for run in range(1, len(standing.values)):
        (share,) = standing.per_cent(run)
        cells += [number(standing.values[run][0], standing.units), per_cent(share)]
    return tuple(cells)


def per_cent(share: float) -> str:
    """A difference in per cent with its sign; nothing where there is none to tell."""
    if not np.isfinite(share):
        return ""
    return "0" if share == 0 else f"{share:+,.{_decimals(share)}f} %".replace("-", "\N{MINUS SIGN}")


def _decimals(share: float) -> int:
    """How many decimals a share needs to have three digits."""
    return int(np.clip(2 - np.floor(np.log10(abs(share))), 0, 3))


def difference_section(runs: Runs, found: Comparison) -> Section:
    """What was changed between the runs, and which variables it moved most."""
    changes = found.changes
    parts: list[Text | Cells] = [Text(f"{remark}.") for remark in changes.remarks]
    if changes.constants:
        rows = tuple((each.name, each.units, *map(_extent, each.values)) for each in changes.constants)
        parts.append(Cells(("constant", "units", *runs), rows, words=2, caption="Constants that differ"))
    for lookup in changes.lookups:
        told = "\n".join(f"{name}: {table}" for name, table in zip(runs, lookup.tables, strict=True))
        parts += [Text(f"The lookup '{lookup.name}' differs:"), Text(told, code=True)]
    if not changes.constants and not changes.lookups:
        parts.append(Text("No constant and no lookup differs."))
    moved = [gap for gap in found.gaps if gap.absolute > 0 or gap.without_number]
    if moved:
        rows = tuple(_gap(gap) for gap in moved[:_GAPS])
        caption = f"Largest differences from {next(iter(runs))}, as a share of the variable's largest size there"
        if len(moved) > _GAPS:
            caption += f": the first {_GAPS} of {len(moved)}"
        columns = ("variable", "run", "units", "at", "before", "after", "difference", "share")
        parts.append(Cells(columns, rows, words=3, caption=caption))
    return Section("What differs", tuple(parts))


def _extent(extent: tuple[float, float] | None) -> str:
    """The value of a constant in a run, or its least and largest."""
    if extent is None:
        return ""
    low, high = map(exact, extent)
    return low if low == high else f"{low} to {high}"


def _gap(gap: Gap) -> tuple[str, ...]:
    values = (number(each, gap.units) for each in (gap.before, gap.after, gap.after - gap.before))
    share = 100 * float(np.copysign(gap.relative, gap.after - gap.before))
    return (gap.name, gap.run, gap.units, f"{gap.at:.10g}", *values, per_cent(share))


def lever_section(runs: Runs, found: Comparison | None) -> Section | None:
    """What the model of the first run lets its user change, with what differs between several; none if it tells none."""
    first = next(iter(runs))
    try:
        levers = find_levers(recorded_model(runs[first], f"run '{first}'"))
    except SdmodelError:
        return None
    differing = {each.constant: each for each in found.changes.constants} if found else {}
    tables = [
        _levers(title, [each for each in levers if each.kind == kind], differing, list(runs))
        for kind, title in _KINDS.items()
        if any(each.kind == kind for each in levers)
    ]
    return Section("What can be changed", tuple(tables), folded=True) if tables else None


def _levers(
    title: str, levers: Sequence[Lever], differing: Mapping[str, ConstantDifference], runs: Sequence[str]
) -> Cells:
    """One kind of lever; those that differ between runs stand out."""
    rows, strong = [], set[int]()
    for place, lever in enumerate(levers):
        values = sorted(set(lever.values))
        value = exact(values[0]) if len(values) == 1 else f"{exact(values[0])} to {exact(values[-1])}"
        ends = ["any" if end is None else exact(end) for end in (lever.minimum, lever.maximum)]
        found = differing.get(lever.name)
        told = (
            "; ".join(f"{run}: {_extent(each)}" for run, each in zip(runs, found.values, strict=True)) if found else ""
        )
        if found:
            strong.add(place)
        rows.append((lever.name, lever.meaning, told, value, " to ".join(ends), lever.units))
    columns = (title, "meaning and source", "in these runs", "in the model", "range", "units")
    return Cells(columns, tuple(rows), words=3, strong=frozenset(strong))


def ensemble_section(name: str, run: xr.Dataset, names: Sequence[str], at: Sequence[float]) -> Section:
    """The middle 90 % and the median of the members of an ensemble, at dates and over time."""
    found = quantiles(run, names, _LEVELS)
    part = found.interp({TIME: list(at)})
    rows = []
    for variable in (part[each] for each in part.data_vars):
        units = str(variable.attrs.get("units", ""))
        for spelt, label in labelled(variable):
            ordered = label.transpose(TIME, PROBABILITY).values
            rows.append(
                (
                    spelt,
                    units,
                    *(
                        f"{number(mid, units)} ({number(low, units)} – {number(high, units)})"
                        for low, mid, high in ordered
                    ),
                )
            )
    columns = ("", "units", *(f"{moment:.10g}" for moment in at))
    caption = f"{run.sizes[MEMBER]:,} members: the median, and what the middle 90 % reach from and to"
    figure = plot_bands({name: found}, list(names)[:_PANELS])
    told = Text(f"Drawn by: {run.attrs.get('design_method', 'unknown')!s}, seed {run.attrs.get('seed', 'unknown')}.")
    return Section(
        f"Ensemble {name}",
        (
            Picture(figure, f"median and bands of {', '.join(names)} over time"),
            Cells(columns, tuple(rows), words=2, caption=caption),
            told,
        ),
    )


def labelled(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """A variable label by label, with the name of each."""
    dims = [dim for dim in variable.dims if variable[dim].attrs.get("kind") == "subscript"]
    for place in np.ndindex(*(variable.sizes[dim] for dim in dims)):
        part = variable.isel(dict(zip(dims, place, strict=True)))
        labels = ",".join(str(part[dim].values) for dim in dims)
        yield (f"{long_name(variable)}[{labels}]" if labels else long_name(variable)), part


def provenance_sections(runs: Runs) -> list[Section]:
    """Where each run comes from: everything that its record says, and the text of its scenario."""
    return [_provenance(name, run) for name, run in runs.items()]


def _provenance(name: str, run: xr.Dataset) -> Section:
    record = {each: value for each, value in run.attrs.items() if each not in _LONG and str(value) != ""}
    record["model"] = Path(str(run.attrs["model"])).name
    texts = {each: str(record.pop(each)) for each in ("scenario", "baseline", "design", "changes") if each in record}
    rows = tuple((each.replace("_", " "), str(value)) for each, value in record.items())
    parts: list[Text | Cells] = [Cells(("", ""), rows, words=2)]
    for each, text in texts.items():
        parts += [Text(f"{each.capitalize()}:"), Text(text.strip(), code=True)]
    return Section(f"Where {name} comes from", tuple(parts), folded=True)
