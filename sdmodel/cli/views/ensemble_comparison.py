"""Ensembles against the first of them: quantiles of the differences of paired members, or each ensemble by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...analysis import Changes, changes_between
from ...comparison import MEDIAN, PairedDifferences, are_paired, levels_of, paired_differences, shown_as_ratios
from ...dataset import PROBABILITY
from ...errors import AnalysisError
from ...files import Location
from ..output import Part, Result, Table, busy, note
from .comparison import (
    CompareOptions,
    change_parts,
    change_records,
    check_comparable,
    plot_differences_to,
    requested_names,
    shared_times,
)
from .headlines import columns_of_times
from .members import (
    Spread,
    few_times,
    plot_members_to,
    spread_rows,
    spread_table,
    spreads_in,
    spreads_of,
)


@dataclass(frozen=True)
class PairedRun:
    """The differences of a run's members from those of the first run: quantiles, and shares above and below zero by name."""

    run: str
    members: int
    spreads: tuple[Spread, ...]
    above: Mapping[str, tuple[float, ...]]
    below: Mapping[str, tuple[float, ...]]


def ensembles_result(runs: Mapping[str, xr.Dataset], paths: Mapping[str, Location], options: CompareOptions) -> Result:
    """What differs between ensembles, or an ensemble and single runs."""
    if options.absolute or options.relative:
        message = "--abs and --rel compare single runs; of ensembles, quantiles of the differences are shown"
        raise AnalysisError(message)
    names, times = requested_names(options, runs), shared_times(runs)
    check_comparable(names, times)
    places = few_times(times, runs[next(iter(runs))], names)
    at = options.at or tuple(map(float, times[places[1:] if places.size > 1 else places]))
    first, *others = runs
    changes = changes_between(runs)
    for text in changes.remarks:
        note(text)
    paired = [name for name in others if are_paired(runs[first], runs[name])]
    unpaired = [name for name in others if name not in paired]
    with busy("reading the members"):
        differences = [_paired_run(runs[first], runs[name], name, (names, at, options)) for name in paired]
        apart = {
            name: tuple(spreads_of(runs[name], names, options.bands, at=options.at))
            for name in ([first, *unpaired] if unpaired else [])
        }
        figures = _plot(runs, paired, names, options)
    for name in unpaired:
        note(f"{first} and {name} have different designs, so their members are not pairs; each is shown by itself")
    return Result(
        lambda: _record(changes, differences, apart, paths, figures),
        lambda: _parts(changes, differences, apart, list(runs), options),
        "differences" if differences else "",
        figures=figures,
    )


def _paired_run(
    before: xr.Dataset, after: xr.Dataset, name: str, requested: tuple[Sequence[str], Sequence[float], CompareOptions]
) -> PairedRun:
    names, at, options = requested
    found = paired_differences(before, after, names, levels_of(options.bands), at=at)
    spreads = tuple(spreads_in(found.quantiles))
    return PairedRun(name, found.members, spreads, _shares(found, found.above), _shares(found, found.below))


def _shares(found: PairedDifferences, shares: xr.Dataset) -> dict[str, tuple[float, ...]]:
    """Shares of members by the name of their variable, read like quantiles of one level."""
    spread = shares.map(lambda share: share.expand_dims({PROBABILITY: [MEDIAN]}), keep_attrs=True)
    return {share.name: share.quantiles[MEDIAN] for share in spreads_in(spread)}


def _parts(
    changes: Changes,
    differences: Sequence[PairedRun],
    apart: Mapping[str, Sequence[Spread]],
    runs: Sequence[str],
    options: CompareOptions,
) -> Iterator[Part]:
    """Constants, then a table for each other run, or for each by itself."""
    yield from change_parts(changes, runs)
    for run in (run for run in differences if run.spreads):
        columns = columns_of_times(f"{run.run} - {runs[0]}", run.spreads[0].times)
        yield Table(columns, [row for spread in run.spreads for row in _rows(run, spread, options.bands)])
        pairs = f"{run.members:,} pairs of members" if run.members > 1 else "1 pair"
        yield f"{pairs}: medians, bands and shares are of the differences\n"
    for name, spreads in apart.items():
        yield spread_table(name, spreads, options.bands)


def _rows(run: PairedRun, spread: Spread, bands: Sequence[float]) -> Iterator[list[str]]:
    yield from spread_rows(spread, bands)
    shares = zip(run.above[spread.name], run.below[spread.name], strict=True)
    yield ["  above | below zero", "", *(_sides(above, below) for above, below in shares)]


def _sides(above: float, below: float) -> str:
    """The shares of members above and below zero; the rest are equal."""
    if np.isnan(above):
        return "none left"
    return f"{100 * above:.3g} | {100 * below:.3g} %" if above or below else "equal"


def _record(
    changes: Changes,
    differences: Sequence[PairedRun],
    apart: Mapping[str, Sequence[Spread]],
    paths: Mapping[str, Location],
    figures: Sequence[Path],
) -> dict[str, Any]:
    return {
        "runs": {name: str(path) for name, path in paths.items()},
        "remarks": list(changes.remarks),
        "constants": change_records(changes, list(paths)),
        "differences": [
            {
                "run": run.run,
                "members": run.members,
                "variables": [
                    vars(spread) | {"above_zero": run.above[spread.name], "below_zero": run.below[spread.name]}
                    for spread in run.spreads
                ],
            }
            for run in differences
        ],
        "unpaired": {name: [vars(spread) for spread in spreads] for name, spreads in apart.items()},
        "figures": [str(path) for path in figures],
    }


def _plot(
    runs: Mapping[str, xr.Dataset], paired: Sequence[str], names: Sequence[str], options: CompareOptions
) -> list[Path]:
    if options.figures is None:
        return []
    target = options.figures[0]
    every = options.every or bool(options.names)
    plot_members_to(runs, names, target, bands=options.bands, every=every, force=options.force)
    first, levels = next(iter(runs)), levels_of(options.bands)
    ratios = shown_as_ratios(runs[first], [runs[name] for name in paired], names)
    found = {
        name: paired_differences(runs[first], runs[name], names, levels, ratios=ratios).quantiles for name in paired
    }
    return [target, *(plot_differences_to(runs, found, names, options) if found else [])]
