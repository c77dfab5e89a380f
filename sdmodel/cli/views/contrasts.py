"""Ensembles against the first of them, as tables: quantiles of the differences of paired members, or side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import xarray as xr

from ...analysis import Changes, changes_between
from ...comparison import PairedDifferences, are_paired, paired_differences
from ...dataset import PROBABILITY
from ...errors import AnalysisError
from ..question import Question, asked_names, check_answerable, draw_differences, shared_times
from ..tables import note, patience, print_json, print_table
from .changed import print_changes, record_of
from .spread import Spread, draw_bands, few_times, levels_of, spread_rows, spreads_in, spreads_of

_SIDES = "  above | below zero"


@dataclass(frozen=True)
class Contrast:
    """How far the members of a run are above those of the first: spreads of the differences and shares by their names."""

    run: str
    members: int
    spreads: tuple[Spread, ...]
    above: Mapping[str, tuple[float, ...]]
    below: Mapping[str, tuple[float, ...]]


def tell_members(runs: Mapping[str, xr.Dataset], paths: Mapping[str, Path], question: Question) -> None:
    """Tell what differs between ensembles, or an ensemble and single runs."""
    if question.absolute or question.relative:
        message = "--abs and --rel: are for single runs; of ensembles, quantiles of the differences are told"
        raise AnalysisError(message)
    names, times = asked_names(question, runs), shared_times(runs)
    check_answerable(names, times)
    places = few_times(times)
    at = question.at or tuple(map(float, times[places[1:] if places.size > 1 else places]))
    first, *others = runs
    changes = changes_between(runs)
    for text in changes.remarks:
        note(text)
    paired = [name for name in others if are_paired(runs[first], runs[name])]
    with patience("reading the members"):
        contrasts = [_contrast(runs[first], runs[name], name, (names, at, question)) for name in paired]
        apart = {
            name: tuple(spreads_of(runs[name], names, question.bands, at=question.at))
            for name in [first, *others]
            if len(paired) < len(others) and name not in paired
        }
        drawn = _draw(runs, paired, names, question)
    for name in others:
        if name not in paired:
            note(
                f"{first} and {name} are of different designs, so that nothing pairs their members: each by itself is told"
            )
    if question.as_json:
        print_json(_record(changes, contrasts, apart, paths, drawn))
        return
    _print(changes, contrasts, apart, list(runs), question)
    for path in drawn:
        click.echo(f"drawn in {path}")


def _contrast(
    before: xr.Dataset, after: xr.Dataset, name: str, asked: tuple[Sequence[str], Sequence[float], Question]
) -> Contrast:
    """The differences of one run from the first at a few times."""
    names, at, question = asked
    found = paired_differences(before, after, names, levels_of(question.bands), at=at)
    return Contrast(
        name,
        found.members,
        tuple(spreads_in(found.quantiles)),
        _shares(found, found.above),
        _shares(found, found.below),
    )


def _shares(found: PairedDifferences, shares: xr.Dataset) -> dict[str, tuple[float, ...]]:
    """Shares of members by the name of what they are about; a share is told as a quantile of one level."""
    level = [0.5]
    spread = shares.map(lambda each: each.expand_dims({PROBABILITY: level}), keep_attrs=True)
    return {each.name: each.quantiles[level[0]] for each in spreads_in(spread)}


def _print(
    changes: Changes,
    contrasts: Sequence[Contrast],
    apart: Mapping[str, Sequence[Spread]],
    runs: Sequence[str],
    question: Question,
) -> None:
    """Constants, then a table for each other run, or for each by itself."""
    print_changes(changes, runs)
    for each in (each for each in contrasts if each.spreads):
        columns = {f"{each.run} less {runs[0]}": "fold", "units": "fold"}
        columns |= {f"{time:.10g}": "right" for time in each.spreads[0].times}
        print_table(columns, (row for spread in each.spreads for row in _rows(each, spread, question.bands)))
        pairs = f"{each.members:,} pairs of members" if each.members > 1 else "1 pair"
        click.echo(f"{pairs}: medians, bands and shares are of the differences\n")
    for name, spreads in apart.items():
        columns = {name: "fold", "units": "fold"} | {f"{time:.10g}": "right" for time in spreads[0].times}
        print_table(columns, (row for spread in spreads for row in spread_rows(spread, question.bands)))


def _rows(contrast: Contrast, spread: Spread, bands: Sequence[float]) -> Iterator[list[str]]:
    """The median and bands of a difference, and in which shares of members it is above and below zero."""
    yield from spread_rows(spread, bands)
    shares = zip(contrast.above[spread.name], contrast.below[spread.name], strict=True)
    yield [_SIDES, "", *(_sides(above, below) for above, below in shares)]


def _sides(above: float, below: float) -> str:
    """In which shares of members a difference is above and below zero; in the rest they are equal."""
    if np.isnan(above):
        return "none left"
    return f"{100 * above:.3g} | {100 * below:.3g} %" if above or below else "equal"


def _record(
    changes: Changes,
    contrasts: Sequence[Contrast],
    apart: Mapping[str, Sequence[Spread]],
    paths: Mapping[str, Path],
    drawn: Sequence[Path],
) -> dict[str, Any]:
    return {
        "runs": {name: str(path) for name, path in paths.items()},
        "remarks": list(changes.remarks),
        "constants": record_of(changes, list(paths)),
        "differences": [
            {
                "run": each.run,
                "members": each.members,
                "variables": [
                    vars(spread) | {"above_zero": each.above[spread.name], "below_zero": each.below[spread.name]}
                    for spread in each.spreads
                ],
            }
            for each in contrasts
        ],
        "unpaired": {name: [vars(each) for each in spreads] for name, spreads in apart.items()},
        "figures": [str(each) for each in drawn],
    }


def _draw(
    runs: Mapping[str, xr.Dataset], paired: Sequence[str], names: Sequence[str], question: Question
) -> list[Path]:
    """The runs with their bands, and those of the differences where members are paired."""
    if question.pictures is None:
        return []
    lines = question.pictures[0]
    draw_bands(runs, names, lines, bands=question.bands, force=question.force)
    first, levels = next(iter(runs)), levels_of(question.bands)
    found = {name: paired_differences(runs[first], runs[name], names, levels).quantiles for name in paired}
    return [lines, *(draw_differences(runs, found, names, question) if found else [])]
