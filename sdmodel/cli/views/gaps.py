"""Single runs against the first of them, as tables: headlines at dates, and the largest gap of each variable."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...analysis import Comparison, compare_runs
from ...comparison import Gap, Standing, differences_from
from ...dataset import TIME
from ...numerals import number
from ..question import Question, asked_names, asked_times, draw_differences, signed
from ..tables import note, patience, print_json, print_table
from .changed import print_changes, record_of

_SHORT = 2
"""Of more other runs than these, a headline has one line each, without the difference in units."""
_LABELS = 12
_LARGE = 1000.0
_SHARE = "% of largest"


def tell_runs(runs: Mapping[str, xr.Dataset], paths: Mapping[str, Path], question: Question) -> bool:
    """Tell what differs between single runs; whether there is a gap beyond the thresholds, or nothing to compare at all."""
    names, at = asked_names(question, runs), asked_times(question, runs)
    with patience("comparing"):
        found = compare_runs(runs, on=question.names, headlines=names, at=at)
    for text in (*found.changes.remarks, *found.remarks):
        note(text)
    beyond = [gap for gap in found.gaps if gap.exceeds(question.absolute, question.relative)]
    drawn = _draw(runs, paths, names, question)
    if question.as_json:
        print_json(_record(found, beyond, paths, drawn))
    else:
        _print(found, beyond, question)
        for path in drawn:
            click.echo(f"drawn in {path}")
    return bool(beyond) or not found.gaps


def _print(found: Comparison, beyond: Sequence[Gap], question: Question) -> None:
    """Constants, headlines, gaps, with what is the same in a sentence each."""
    print_changes(found.changes, found.runs)
    moved = list(_first_labels([each for each in found.standings if _moves(each)]))
    if moved:
        columns = {"at": "fold", "units": "fold", "run": "fold"}
        columns |= {f"{time:.10g}": "right" for time in moved[0].times}
        print_table(columns, (row for each in moved for row in _standing_rows(each, found.runs)))
    _print_gaps(found, beyond, question)


def _first_labels(standings: Sequence[Standing]) -> Iterator[Standing]:
    """The first labels of each variable, with a note on what is left out."""
    counts: Counter[str] = Counter()
    for each in standings:
        variable = each.name.partition("[")[0]
        counts[variable] += 1
        if counts[variable] <= _LABELS:
            yield each
    longer = [variable for variable, count in counts.items() if count > _LABELS]
    if longer:
        others = f" and of {len(longer) - 1} more" if len(longer) > 1 else ""
        note(
            f"the first {_LABELS} labels that differ are shown of '{longer[0]}'{others}; --on 'name[label]' chooses others"
        )


def _moves(standing: Standing) -> bool:
    """Whether some run has another number than the first; two that have none are the same."""
    first, *others = standing.values
    pairs = (pair for other in others for pair in zip(first, other, strict=True))
    return any(one != other and not (math.isnan(one) and math.isnan(other)) for one, other in pairs)


def _standing_rows(standing: Standing, runs: Sequence[str]) -> Iterator[list[str]]:
    """The values of the first run, then those of each other with how far they are from it."""
    units = standing.units
    yield [standing.name, units, runs[0], *(_told(each, units) for each in standing.values[0])]
    short = len(runs) - 1 > _SHORT
    for place, run in enumerate(runs[1:], 1):
        values = [_told(each, units) for each in standing.values[place]]
        shares = [_per_cent(each) for each in standing.per_cent(place)]
        if short:
            yield ["", "", run, *(_beside(*each) for each in zip(values, shares, strict=True))]
            continue
        gaps = [signed(_told(each, units), each) for each in standing.differences(place)]
        yield ["", "", run, *values]
        yield ["", "", "", *(_beside(*each) for each in zip(gaps, shares, strict=True))]


def _told(value: float, units: str) -> str:
    return "none" if math.isnan(value) else number(value, units)


def _per_cent(value: float) -> str:
    """A share in per cent to one decimal, as no reader looks for more."""
    return "" if math.isnan(value) else f"{value:+,.{0 if abs(value) >= _LARGE else 1}f} %"


def _beside(value: str, share: str) -> str:
    """A number with a share, unless there is none or the number is zero."""
    return f"{value} ({share})" if share and value != "0" else value


def _print_gaps(found: Comparison, beyond: Sequence[Gap], question: Question) -> None:
    """The largest gap of each variable and run, of its labels if it is asked for by name, and how many more there are."""
    largest = beyond if question.names else list(_largest(beyond))
    several = len(found.runs) > 2  # noqa: PLR2004 - two runs are told apart by columns
    shown = largest[: question.top]
    if shown:
        head = {"largest gap of": "fold", "units": "fold"} | ({"run": "fold"} if several else {})
        ends = {found.runs[0]: "right", "then" if several else found.runs[1]: "right"}
        print_table(
            head | {"at": "right"} | ends | {"gap": "right", _SHARE: "right"},
            (_gap_row(each, several=several) for each in shown),
        )
    variables, moved = ({gap.variable for gap in gaps} for gaps in (found.gaps, beyond))
    thresholds = question.absolute > 0 or question.relative > 0
    told = "differ by more than that" if thresholds else "differ"
    rest = len(largest) - len(shown)
    more = f"; --top {len(largest)} shows {rest:,} more" if rest else ""
    if variables:
        click.echo(f"{len(moved):,} of {len(variables):,} variables {told}{more}")
    for each in beyond[: question.top]:
        if each.without_number:
            note(
                f"'{each.name}': only one of {found.runs[0]} and {each.run} has a number at {each.without_number:,} times, the first {each.without_from:.10g}"
            )


def _largest(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """The first gap of each variable and run."""
    seen = set()
    for each in gaps:
        if (each.variable, each.run) not in seen:
            seen.add((each.variable, each.run))
            yield each


def _gap_row(gap: Gap, *, several: bool) -> list[str]:
    distance = gap.after - gap.before
    share = "was 0" if math.isinf(gap.relative) else _per_cent(math.copysign(100 * gap.relative, distance))
    values = (_told(each, gap.units) for each in (gap.before, gap.after))
    told = signed(_told(distance, gap.units), distance)
    return [gap.name, gap.units, *([gap.run] if several else []), f"{gap.at:.10g}", *values, told, share]


def _record(
    found: Comparison, beyond: Sequence[Gap], paths: Mapping[str, Path], drawn: Sequence[Path]
) -> dict[str, Any]:
    """All that is told as JSON has it, the gaps label by label."""
    return {
        "runs": {name: str(path) for name, path in paths.items()},
        "remarks": [*found.changes.remarks, *found.remarks],
        "constants": record_of(found.changes, found.runs),
        "headlines": [_standing_record(each, found.runs) for each in found.standings],
        "gaps": [asdict(each) for each in beyond],
        "compared": len(found.gaps),
        "figures": [str(each) for each in drawn],
    }


def _standing_record(standing: Standing, runs: Sequence[str]) -> dict[str, Any]:
    told = {
        run: {"values": standing.values[place]}
        | ({"differences": standing.differences(place), "per_cent": standing.per_cent(place)} if place else {})
        for place, run in enumerate(runs)
    }
    return {"name": standing.name, "units": standing.units, "times": standing.times, "runs": told}


def _draw(
    runs: Mapping[str, xr.Dataset], paths: Mapping[str, Path], names: Sequence[str], question: Question
) -> list[Path]:
    """The runs over time, and how far the others are from the first."""
    if question.pictures is None:
        return []
    from .pictures import draw_runs

    lines = question.pictures[0]
    draw_runs({paths[name]: run for name, run in runs.items()}, lines, names=question.names, force=question.force)
    first, *others = runs
    found = {name: differences_from(runs[first], runs[name], names) for name in others}
    return [
        lines,
        *draw_differences(runs, {name: each for name, each in found.items() if each.sizes[TIME]}, names, question),
    ]
