"""The runs of a sweep as tables and figures: outcomes by the values of levers; over members, their medians and bands."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...comparison import (
    LEFT_OUT,
    MEDIAN,
    Outcome,
    differences_from_base,
    outcome_of,
    outcome_ranges,
    quantiles,
    share_with_largest_range,
)
from ...dataset import BASE, MEMBER, PROBABILITY, base_positions, find_variable, held_positions, lever_dims, long_name
from ...errors import format_count
from ...numerals import format_band, format_number
from ..output import Part, Table, line_width, note
from .headlines import labelled_with_note
from .panels import first_panels, layout_of, scales_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVELS = (0.05, MEDIAN, 0.95)
"""The median, and the ends of the band that holds 90 % of members."""

_FIRST_WIDTH, _HEADING_WIDTH = 24, 15
_SCREEN, _ROWS, _TABLE_HEAD = 45, 40, 6
"""Lines of a screen, rows of a table at most, and lines above them."""
_VALUES_ACROSS = 8
"""Values of the second lever shown at least, in several blocks if necessary."""
_MAPS = 6
"""Maps of a figure at most."""


@dataclass(frozen=True)
class SweepOutcome:
    """One outcome of one variable, or of one label of it, over levers: `values`, and `differences` from the base.

    Over members both have a dimension `probability`: the ends of a band and the median. Without a base, `differences` is
    None.
    """

    name: str
    outcome: str
    units: str
    values: xr.DataArray
    differences: xr.DataArray | None

    @property
    def title(self) -> str:
        """Name, outcome and units."""
        return f"{self.name} {self.outcome}" + (f" ({self.units})" if self.units else "")

    @property
    def over_members(self) -> bool:
        """Whether its values are quantiles over members."""
        return PROBABILITY in self.values.dims


def sweep_outcomes(run: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome]) -> list[SweepOutcome]:
    """The outcomes of variables of a sweep, label by label."""
    return [
        _sweep_outcome(full_name, str(outcome), part)
        for name in names
        for outcome in outcomes
        for full_name, part in labelled_with_note(outcome_of(find_variable(run, name), outcome))
    ]


def _sweep_outcome(name: str, outcome: str, values: xr.DataArray) -> SweepOutcome:
    """One outcome; differences are taken member by member before quantiles are."""
    named = values.assign_attrs(long_name=name)
    differences = differences_from_base(named) if base_positions(named) else None
    if MEMBER in named.dims:
        named = _quantiles(named)
        differences = None if differences is None else _quantiles(differences)
        if named.attrs[LEFT_OUT]:
            note(
                f"'{name}' {outcome}: not finite in up to {format_count(named.attrs[LEFT_OUT], 'member')}, which are left out"
            )
    return SweepOutcome(name, outcome, str(values.attrs.get("units", "")), named, differences)


def _quantiles(values: xr.DataArray) -> xr.DataArray:
    return next(iter(quantiles(xr.Dataset({"values": values}), "values", LEVELS).data_vars.values()))


def lever_records(run: xr.Dataset) -> list[dict[str, Any]]:
    """The levers of a sweep with their values."""
    return [
        {
            "name": long_name(run[dim]),
            "dimension": dim,
            "units": run[dim].attrs.get("units", ""),
            "values": run[dim].values.tolist(),
            "base": run[dim].attrs.get(BASE),
        }
        for dim in lever_dims(run)
    ]


def cell_records(outcome: SweepOutcome) -> list[dict[str, Any]]:
    """Every cell of an outcome's grid."""
    levers = [outcome.values[dim] for dim in lever_dims(outcome.values)]
    names, values = [long_name(lever) for lever in levers], [lever.values.tolist() for lever in levers]
    cells = _cells(outcome.values)
    differences = None if outcome.differences is None else _cells(outcome.differences)
    found = []
    for at in np.ndindex(*(lever.size for lever in levers)):
        settings = {name: along[place] for name, along, place in zip(names, values, at, strict=True)}
        cell: dict[str, Any] = {"levers": settings, "value": _cell_record(cells[at])}
        found.append(cell | ({} if differences is None else {"difference": _cell_record(differences[at])}))
    return found


def _cells(values: xr.DataArray) -> NDArray[np.float64]:
    """The numbers of a grid, shape (levers, 1), or over members (levers, probabilities)."""
    whole = values if PROBABILITY in values.dims else values.expand_dims(PROBABILITY, -1)
    return np.asarray(whole.transpose(*lever_dims(values), PROBABILITY).values, dtype=float)


def _cell_record(cell: NDArray[np.float64]) -> float | dict[str, float]:
    """A number, or the median of members with the ends of their band."""
    if cell.size == 1:
        return float(cell[0])
    return dict(zip(("low", "median", "high"), map(float, cell), strict=True))


def sweep_parts(run: xr.Dataset, outcomes: Sequence[SweepOutcome]) -> Iterator[Part]:
    """As many outcomes, and as many values of levers, as a screen holds."""
    dims = lever_dims(run)
    rows = len(_shown_places(run[dims[0]], _ROWS))
    if rows < run.sizes[dims[0]]:
        note(f"{rows} of {run.sizes[dims[0]]:,} values of '{long_name(run[dims[0]])}' are shown; --format csv has all")
    if len(dims) == 1 and MEMBER not in run.dims:
        room = max(1, (line_width() - _FIRST_WIDTH) // (_HEADING_WIDTH + 3))
        yield _table_of_outcomes(run[dims[0]], outcomes[:room])
    else:
        room = max(1, _SCREEN // ((rows + _TABLE_HEAD) * (2 if len(dims) > 1 and MEMBER in run.dims else 1)))
        for outcome in outcomes[:room]:
            yield from (_member_table if len(dims) == 1 else _matrices)(outcome)
    if len(outcomes) > room:
        note(f"{room} of {len(outcomes)} outcomes are shown; --on chooses others, --format csv has all")


def _table_of_outcomes(lever: xr.DataArray, outcomes: Sequence[SweepOutcome]) -> Table:
    columns = {_title(lever): "left"} | {_heading(outcome): "right" for outcome in outcomes}
    rows = [
        [label, *(format_number(float(outcome.values[at]), outcome.units) for outcome in outcomes)]
        for at, label in _labels(lever)
    ]
    return Table(columns, rows)


def _heading(outcome: SweepOutcome) -> str:
    lines = textwrap.wrap(f"{outcome.name} {outcome.outcome}", _HEADING_WIDTH, break_long_words=False)
    return "\n".join(filter(None, [*lines, outcome.units]))


def _member_table(outcome: SweepOutcome) -> Iterator[Part]:
    """One lever over members: its values down; median and band of the outcome and of its paired difference across."""
    lever = outcome.values[lever_dims(outcome.values)[0]]
    yield outcome.title
    columns = {_title(lever): "left", "median": "right", "90 % of members": "right"}
    parts = [_cells(outcome.values)]
    if outcome.differences is not None:
        columns |= {"difference from base": "right", "90 % of differences": "right"}
        parts.append(_cells(outcome.differences))
    rows = [
        [label, *(_cell_text(part[at], outcome.units, band=band) for part in parts for band in (False, True))]
        for at, label in _labels(lever)
    ]
    yield Table(columns, rows)


def _matrices(outcome: SweepOutcome) -> Iterator[Part]:
    """Two levers, one down and one across, others at their own value; over members medians, then paired differences."""
    title = f"{outcome.title}{', median of members' if outcome.over_members else ''}"
    yield from _matrix(outcome.values, title, outcome.units, band=False)
    if outcome.over_members and outcome.differences is not None:
        title = f"{outcome.title}, 90 % of differences from the base"
        yield from _matrix(outcome.differences, title, outcome.units, band=True)


def _matrix(values: xr.DataArray, title: str, units: str, *, band: bool) -> Iterator[Part]:
    """The first lever down, the second across, with as many of its values as fit on a line."""
    shown = lever_dims(values)[:2]
    places = held_positions(values, shown)
    held = "".join(f", {long_name(values[dim])} at {float(values[dim][at]):.6g}" for dim, at in places.items())
    part = values.isel(places)
    down, across = (part[dim] for dim in shown)
    cells = _cells(part)
    rows = [(label, [_cell_text(cell, units, band=band) for cell in cells[at]]) for at, label in _labels(down)]
    labels = [label for _, label in _labels(across, across.size)]
    width = max(len(text) for row in (labels, *(row for _, row in rows)) for text in row)
    first = max(len(text) for text in (_title(down), *(label for label, _ in rows)))
    room = max(_VALUES_ACROSS, (line_width() - first - 3) // (width + 3))
    chosen = _shown_places(across, room)
    left_out = f", {len(chosen)} of {len(labels)} values" if len(chosen) < len(labels) else ""
    yield f"{title}{held}\nacross: {_title(across)}{left_out}"
    columns = {_title(down): "left"} | {labels[at]: "right" for at in chosen}
    yield Table(columns, [[label, *(row[at] for at in chosen)] for label, row in rows])


def _cell_text(cell: NDArray[np.float64], units: str, *, band: bool) -> str:
    if cell.size == 1:
        return format_number(float(cell[0]), units)
    low, middle, high = map(float, cell)
    return format_band(low, high, units) if band else format_number(middle, units)


def _shown_places(lever: xr.DataArray, room: int) -> list[int]:
    """At most `room` places along a lever, evenly from the first to the last, with its base."""
    if lever.size <= room:
        return list(range(lever.size))
    chosen = {int(place) for place in np.linspace(0, lever.size - 1, room).round()}
    own = base_positions(lever).get(str(lever.name))
    if own is not None and own not in chosen and room > 2:  # noqa: PLR2004 - the ends stay
        replaced = min(chosen - {0, lever.size - 1}, key=lambda place: abs(place - own))
        chosen = chosen - {replaced} | {own}
    return sorted(chosen)


def _title(lever: xr.DataArray) -> str:
    units = str(lever.attrs.get("units", ""))
    return long_name(lever) + (f" ({units})" if units else "")


def _labels(lever: xr.DataArray, room: int = _ROWS) -> Iterator[tuple[int, str]]:
    """The places of a lever that are shown, with their values; its own value is marked."""
    own = base_positions(lever).get(str(lever.name))
    for at in _shown_places(lever, room):
        yield at, f"{float(lever.values[at]):.15g}{' (base)' if at == own else ''}"


@dataclass(frozen=True)
class Ranking:
    """How far each lever alone moves an outcome, the largest range first, with the lever's values and the outcome's.

    Over members numbers are medians, and `first` is the share of members in which a lever moves the outcome most.
    """

    name: str
    outcome: str
    units: str
    members: int
    levers: list[dict[str, Any]]


def ranked_levers(runs: Sequence[xr.Dataset], names: Sequence[str], outcomes: Sequence[Outcome]) -> list[Ranking]:
    """Rankings of the levers of sweeps over one lever each, by outcomes of variables, label by label."""
    levers = [long_name(run[lever_dims(run)[0]]) for run in runs]
    return [
        _ranking(str(outcome), dict(zip(levers, parts, strict=True)))
        for name in names
        for outcome in outcomes
        for parts in zip(
            *(list(labelled_with_note(outcome_of(find_variable(run, name), outcome))) for run in runs), strict=True
        )
    ]


def _ranking(outcome: str, parts: Mapping[str, tuple[str, xr.DataArray]]) -> Ranking:
    by_lever = {lever: part for lever, (_, part) in parts.items()}
    ranges = outcome_ranges(by_lever)
    shares = share_with_largest_range(ranges)
    middle = ranges.median(MEMBER) if MEMBER in ranges.dims else ranges
    levers = [
        _lever_range(lever, part) | {"range": float(middle[at]), "first": float(shares[at])}
        for at, (lever, part) in enumerate(by_lever.items())
    ]
    name, part = next(iter(parts.values()))
    levers.sort(key=lambda lever: -lever["range"])
    return Ranking(name, outcome, str(part.attrs.get("units", "")), part.sizes.get(MEMBER, 1), levers)


def _lever_range(lever: str, outcome: xr.DataArray) -> dict[str, Any]:
    dim = lever_dims(outcome)[0]
    middle = outcome.median(MEMBER) if MEMBER in outcome.dims else outcome
    values, units = outcome[dim].values, outcome[dim].attrs.get("units", "")
    ends = {"least": float(middle.min()), "most": float(middle.max())}
    return {"lever": lever, "lever_units": units, "low": float(values[0]), "high": float(values[-1])} | ends


def ranking_parts(rankings: Sequence[Ranking]) -> Iterator[Part]:
    """As many rankings as a screen holds."""
    room = max(1, _SCREEN // (len(rankings[0].levers) + _TABLE_HEAD)) if rankings else 0
    for ranking in rankings[:room]:
        members = f", medians of {ranking.members:,} members" if ranking.members > 1 else ""
        units = f" ({ranking.units})" if ranking.units else ""
        yield f"{ranking.name} {ranking.outcome}{units}{members}"
        yield _ranking_table(ranking)
    if len(rankings) > room:
        note(f"{room} of {len(rankings)} outcomes are shown; --on chooses others, --format csv has all")


def _ranking_table(ranking: Ranking) -> Table:
    many = ranking.members > 1
    columns = {"lever": "fold", "from": "right", "to": "right", "units": "fold"}
    columns |= dict.fromkeys(("least", "most", "range"), "right") | ({"first in": "right"} if many else {})
    rows = [
        [lever["lever"], f"{lever['low']:.6g}", f"{lever['high']:.6g}", lever["lever_units"]]
        + [format_number(lever[name], ranking.units) for name in ("least", "most", "range")]
        + ([f"{100 * lever['first']:.3g} %"] if many else [])
        for lever in ranking.levers
    ]
    return Table(columns, rows)


# Figures


def plot_sweep_to(
    run: xr.Dataset,
    names: Sequence[str],
    target: Path,
    *,
    outcomes: Sequence[Outcome] = (),
    title: str | None = None,
    logarithmic: bool = False,
    every: bool = True,
    force: bool = False,
) -> Path:
    """Plot a sweep to a file."""
    from ...figures import save_figure

    are_maps = outcomes and len(lever_dims(run)) > 1
    names = names if are_maps else first_panels(names, every=every)
    figure = sweep_figure(run, names, outcomes=outcomes, title=title, logarithmic=logarithmic)
    return save_figure(figure, target, force=force)


def sweep_figure(
    run: xr.Dataset,
    names: Sequence[str],
    *,
    outcomes: Sequence[Outcome] = (),
    title: str | None = None,
    logarithmic: bool = False,
) -> Figure:
    """The figure of a sweep: maps of `outcomes` over two levers, else lines over time; over members, differences."""
    from ...figures import plot_heat_map, plot_sweep

    if outcomes and len(lever_dims(run)) > 1:
        across = lever_dims(run)[1::-1]  # as in the table: the second lever across, the first along the other axis
        return plot_heat_map(_maps(run, names, outcomes), levers=across, title=title)
    page = layout_of(run)
    style: Any = {"scales": scales_of(page, names), "extrapolation": page.extrapolation}
    return plot_sweep(_over_time(run, names), names, title=title, logarithmic=logarithmic, **style)


def _maps(run: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome]) -> xr.Dataset:
    """Outcomes label by label, as many as fit on a page; over members, medians."""
    found = [
        part.reset_coords(drop=True).assign_attrs(long_name=full_name)
        for name in names
        for outcome in outcomes
        for full_name, part in labelled_with_note(outcome_of(find_variable(run, name), outcome))
        if lever_dims(part) == lever_dims(run)
    ]
    if len(found) > _MAPS:
        note(f"the figure shows {_MAPS} of {len(found)} outcomes; --on chooses others")
    shown = [_median(part) for part in found[:_MAPS]]
    return xr.Dataset({str(place): part for place, part in enumerate(shown)}, attrs=_with_member_count(run))


def _median(values: xr.DataArray) -> xr.DataArray:
    if MEMBER not in values.dims:
        return values
    outcome = f"{values.attrs.get('outcome', '')}, median of members"
    return values.median(MEMBER, keep_attrs=True).assign_attrs(outcome=outcome)


def _over_time(run: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """A sweep as its figure shows it: over members, quantiles of the difference from the same member at the base."""
    if MEMBER not in run.dims:
        return run
    own = run.isel({dim: at for dim, at in base_positions(run).items() if dim != lever_dims(run)[0]})
    found = {name: find_variable(own, name) for name in names}
    paired = {
        name: differences_from_base(variable).assign_attrs(long_name=f"{long_name(variable)}: difference from base")
        for name, variable in found.items()
        if base_positions(variable)
    }
    spread = quantiles(xr.Dataset(found | paired, attrs=_with_member_count(run)), list(found), LEVELS)
    return spread.rename({old: name for old, name in zip(spread.data_vars, names, strict=True) if old != name})


def _with_member_count(run: xr.Dataset) -> dict[str, object]:
    return dict(run.attrs) | ({"members": run.sizes[MEMBER]} if MEMBER in run.dims else {})
