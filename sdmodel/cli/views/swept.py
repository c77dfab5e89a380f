"""What the runs of a sweep say, as tables: outcomes by the values of levers, and over members their medians and bands."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...comparison import LEFT_OUT, Outcome, from_base, lever_ranges, outcome_of, quantiles, shares_first
from ...dataset import BASE, MEMBER, PROBABILITY, base_places, find_variable, held_places, lever_dims, long_name
from ...numerals import number
from ..tables import note, print_table, terminal_width
from .spread import MEDIAN, labelled, reach

LEVELS = (0.05, MEDIAN, 0.95)
"""The median, and the ends of the band that holds 90 % of members."""

_FIRST, _HEAD = 24, 15
"""So wide is the column of lever values; so many letters of a name stand on a line above a column."""
_SCREEN, _ROWS = 45, 40
"""Lines of a screen, and those of them that a table may have."""
_HEADER = 6


@dataclass(frozen=True)
class Swept:
    """One outcome of one variable, or of one label of it, over levers: `values`, and `differences` from the base.

    Over members both have a dimension `probability`: the ends of a band and the median. Without a base there are no
    differences.
    """

    name: str
    outcome: str
    units: str
    values: xr.DataArray
    differences: xr.DataArray | None

    @property
    def title(self) -> str:
        """What it is, with its units."""
        return f"{self.name} {self.outcome}" + (f" ({self.units})" if self.units else "")

    @property
    def many(self) -> bool:
        """Whether it is over members."""
        return PROBABILITY in self.values.dims


def swept_outcomes(run: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome]) -> list[Swept]:
    """The outcomes of variables of a sweep, label by label."""
    return [
        _swept(name, str(outcome), part)
        for each in names
        for outcome in outcomes
        for name, part in labelled(outcome_of(find_variable(run, each), outcome))
    ]


def _swept(name: str, outcome: str, values: xr.DataArray) -> Swept:
    """One outcome; its paired differences are made before the members are told together."""
    named = values.assign_attrs(long_name=name)
    differences = from_base(named) if base_places(named) else None
    if MEMBER in named.dims:
        named = _told(named)
        differences = None if differences is None else _told(differences)
        if named.attrs[LEFT_OUT]:
            note(f"'{name}' {outcome}: of up to {named.attrs[LEFT_OUT]:,} members it is not finite; they are left out")
    return Swept(name, outcome, str(values.attrs.get("units", "")), named, differences)


def _told(values: xr.DataArray) -> xr.DataArray:
    """The quantiles of values over members."""
    return next(iter(quantiles(xr.Dataset({"values": values}), "values", LEVELS).data_vars.values()))


def levers_told(run: xr.Dataset) -> list[dict[str, Any]]:
    """The levers of a sweep with their values, for machines."""
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


def cells_told(swept: Swept) -> list[dict[str, Any]]:
    """Every cell of an outcome's grid, for machines."""
    levers = [swept.values[dim] for dim in lever_dims(swept.values)]
    names, values = [long_name(each) for each in levers], [each.values.tolist() for each in levers]
    cells, differences = _cells(swept.values), None if swept.differences is None else _cells(swept.differences)
    found = []
    for at in np.ndindex(*(each.size for each in levers)):
        told = {name: along[place] for name, along, place in zip(names, values, at, strict=True)}
        cell: dict[str, Any] = {"levers": told, "value": _plain(cells[at])}
        found.append(cell | ({} if differences is None else {"difference": _plain(differences[at])}))
    return found


def _cells(values: xr.DataArray) -> NDArray[np.float64]:
    """The numbers of a grid, shape (levers, 1), or over members (levers, probabilities)."""
    whole = values if PROBABILITY in values.dims else values.expand_dims(PROBABILITY, -1)
    return np.asarray(whole.transpose(*lever_dims(values), PROBABILITY).values, dtype=float)


def _plain(cell: NDArray[np.float64]) -> float | dict[str, float]:
    """A number, or the median of members with the ends of their band."""
    if cell.size == 1:
        return float(cell[0])
    return dict(zip(("low", "median", "high"), map(float, cell), strict=True))


def print_swept(run: xr.Dataset, swept: Sequence[Swept]) -> None:
    """Print as many outcomes, and as many values of levers, as a screen holds."""
    dims = lever_dims(run)
    rows = len(_fitting(run[dims[0]], _ROWS))
    if rows < run.sizes[dims[0]]:
        note(f"{rows} of {run.sizes[dims[0]]:,} values of '{long_name(run[dims[0]])}' are shown; --json tells all")
    if len(dims) == 1 and MEMBER not in run.dims:
        room = max(1, (terminal_width() - _FIRST) // (_HEAD + 3))
        _print_beside(run[dims[0]], swept[:room])
    else:
        room = max(1, _SCREEN // ((rows + _HEADER) * (2 if len(dims) > 1 and MEMBER in run.dims else 1)))
        for each in swept[:room]:
            (_print_members if len(dims) == 1 else _print_matrices)(each)
    if len(swept) > room:
        note(f"{room} of {len(swept)} outcomes are shown; --on chooses others, --json tells all")


def _print_beside(lever: xr.DataArray, swept: Sequence[Swept]) -> None:
    """One lever: its values down, outcomes across."""
    columns = {_title(lever): "left"} | {_head(each): "right" for each in swept}
    rows = ([label, *(number(float(each.values[at]), each.units) for each in swept)] for at, label in _labels(lever))
    print_table(columns, rows)


def _head(swept: Swept) -> str:
    """The head of a narrow column."""
    lines = textwrap.wrap(f"{swept.name} {swept.outcome}", _HEAD, break_long_words=False)
    return "\n".join(filter(None, [*lines, swept.units]))


def _print_members(swept: Swept) -> None:
    """One lever and members: its values down, the median and the band across, and those of the paired difference."""
    lever = swept.values[lever_dims(swept.values)[0]]
    click.echo(swept.title)
    columns = {_title(lever): "left", "median": "right", "90 % of members": "right"}
    parts = [_cells(swept.values)]
    if swept.differences is not None:
        columns |= {"difference from base": "right", "90 % of differences": "right"}
        parts.append(_cells(swept.differences))
    rows = (
        [label, *(_told_cell(part[at], swept.units, band=band) for part in parts for band in (False, True))]
        for at, label in _labels(lever)
    )
    print_table(columns, rows)


def _print_matrices(swept: Swept) -> None:
    """Two levers: one down and one across, all others at their own value; over members medians, then paired differences."""
    _print_matrix(swept.values, f"{swept.title}{', median of members' if swept.many else ''}", swept.units, band=False)
    if swept.many and swept.differences is not None:
        _print_matrix(swept.differences, f"{swept.title}, 90 % of differences from the base", swept.units, band=True)


def _print_matrix(values: xr.DataArray, title: str, units: str, *, band: bool) -> None:
    """The first lever down, the second across, as many of its values as the line has room for."""
    shown = lever_dims(values)[:2]
    places = held_places(values, shown)
    held = "".join(f", {long_name(values[dim])} at {float(values[dim][at]):.6g}" for dim, at in places.items())
    part = values.isel(places)
    down, across = (part[dim] for dim in shown)
    cells = _cells(part)
    rows = [(label, [_told_cell(each, units, band=band) for each in cells[at]]) for at, label in _labels(down)]
    labels = [label for _, label in _labels(across, across.size)]
    width = max(len(text) for row in (labels, *(row for _, row in rows)) for text in row)
    chosen = _fitting(across, max(2, (terminal_width() - _FIRST - len(_title(down))) // (width + 3)))
    left_out = f", {len(chosen)} of {len(labels)} values" if len(chosen) < len(labels) else ""
    click.echo(f"{title}{held}\nacross: {_title(across)}{left_out}")
    columns = {_title(down): "left"} | {labels[at]: "right" for at in chosen}
    print_table(columns, ([label, *(row[at] for at in chosen)] for label, row in rows))


def _told_cell(cell: NDArray[np.float64], units: str, *, band: bool) -> str:
    """A number, the median of members, or their band."""
    if cell.size == 1:
        return number(float(cell[0]), units)
    low, middle, high = map(float, cell)
    return reach(low, high, units) if band else number(middle, units)


def _fitting(lever: xr.DataArray, room: int) -> list[int]:
    """So many places along a lever, evenly from the first to the last, its base among them."""
    if lever.size <= room:
        return list(range(lever.size))
    chosen = {int(each) for each in np.linspace(0, lever.size - 1, room).round()}
    own = base_places(lever).get(str(lever.name))
    if own is not None and own not in chosen and room > 2:  # noqa: PLR2004 - the ends stay
        chosen = chosen - {min(chosen - {0, lever.size - 1}, key=lambda each: abs(each - own))} | {own}
    return sorted(chosen)


def _title(lever: xr.DataArray) -> str:
    units = str(lever.attrs.get("units", ""))
    return long_name(lever) + (f" ({units})" if units else "")


def _labels(lever: xr.DataArray, room: int = _ROWS) -> Iterator[tuple[int, str]]:
    """The values of a lever that are shown, its own marked."""
    own = base_places(lever).get(str(lever.name))
    for at in _fitting(lever, room):
        yield at, f"{float(lever.values[at]):.6g}{' (base)' if at == own else ''}"


@dataclass(frozen=True)
class Ranking:
    """How far levers alone move an outcome, the one that moves it most first, each with its values and what they lead to.

    Over members numbers are medians, and `first` is the share of members in which a lever moves the outcome most.
    """

    name: str
    outcome: str
    units: str
    members: int
    levers: list[dict[str, Any]]


def ranked_levers(runs: Sequence[xr.Dataset], names: Sequence[str], outcomes: Sequence[Outcome]) -> list[Ranking]:
    """The rankings of the levers of sweeps of one lever each, by outcomes of variables, label by label."""
    return [
        _ranking(str(outcome), dict(zip((long_name(run[lever_dims(run)[0]]) for run in runs), parts, strict=True)))
        for each in names
        for outcome in outcomes
        for parts in zip(*(list(labelled(outcome_of(find_variable(run, each), outcome))) for run in runs), strict=True)
    ]


def _ranking(outcome: str, parts: Mapping[str, tuple[str, xr.DataArray]]) -> Ranking:
    found = {lever: part for lever, (_, part) in parts.items()}
    ranges = lever_ranges(found)
    shares = shares_first(ranges)
    middle = ranges.median(MEMBER) if MEMBER in ranges.dims else ranges
    told = [
        _reached(lever, part) | {"range": float(middle[at]), "first": float(shares[at])}
        for at, (lever, part) in enumerate(found.items())
    ]
    name, part = next(iter(parts.values()))
    told.sort(key=lambda each: -each["range"])
    return Ranking(name, outcome, str(part.attrs.get("units", "")), part.sizes.get(MEMBER, 1), told)


def _reached(lever: str, outcome: xr.DataArray) -> dict[str, Any]:
    """Between which values a lever moves, and an outcome with it."""
    dim = lever_dims(outcome)[0]
    middle = outcome.median(MEMBER) if MEMBER in outcome.dims else outcome
    values, units = outcome[dim].values, outcome[dim].attrs.get("units", "")
    ends = {"least": float(middle.min()), "most": float(middle.max())}
    return {"lever": lever, "lever_units": units, "low": float(values[0]), "high": float(values[-1])} | ends


def print_rankings(rankings: Sequence[Ranking]) -> None:
    """Print as many rankings as a screen holds."""
    room = max(1, _SCREEN // (len(rankings[0].levers) + _HEADER)) if rankings else 0
    for each in rankings[:room]:
        _print_ranking(each)
    if len(rankings) > room:
        note(f"{room} of {len(rankings)} outcomes are shown; --on chooses others, --json tells all")


def _print_ranking(ranking: Ranking) -> None:
    many = ranking.members > 1
    title = f"{ranking.name} {ranking.outcome}" + (f" ({ranking.units})" if ranking.units else "")
    click.echo(f"{title}{f', medians of {ranking.members:,} members' if many else ''}")
    columns = {"lever": "fold", "from": "right", "to": "right", "units": "fold"}
    columns |= dict.fromkeys(("least", "most", "range"), "right") | ({"first in": "right"} if many else {})
    rows = (
        [each["lever"], f"{each['low']:.6g}", f"{each['high']:.6g}", each["lever_units"]]
        + [number(each[name], ranking.units) for name in ("least", "most", "range")]
        + ([f"{100 * each['first']:.3g} %"] if many else [])
        for each in ranking.levers
    )
    print_table(columns, rows)
