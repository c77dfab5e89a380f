"""Runs against the first of them: changed constants, headline variables at dates, and the largest differences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...analysis import Changes, Comparison, changes_between, compare_runs
from ...comparison import (
    GroupRow,
    LargestDifference,
    Snapshot,
    ValueRange,
    common_times,
    group_by_lever,
    group_rows,
    run_differences,
    separate_runs,
    shown_as_ratios,
)
from ...dataset import MEMBER, RATIO, TIME, find_variable, has_variable
from ...errors import AnalysisError, format_count
from ...files import Location
from ...model import Table as Lookup
from ...model import join_name, key, split_name
from ...numerals import format_exact, format_number, format_percent
from ..output import Part, Result, Table, busy, line_width, note
from .headlines import headline_names, round_times
from .panels import first_panels, layout_of

_NAME_WIDTH, _COLUMN_WIDTH, _COLUMNS = 50, 18, 5
"""Characters of names, units and runs, of a column of dates, and the number of those columns at most."""
_MOST_CONSTANTS = 30
_MANY_RUNS = 2
"""With more other runs than this, a variable has one line per run, without the difference in units."""
_LABELS = 12
_GROUPED_HEADLINES = 4
"""Headline variables shown by default; each has a row for every value of the lever."""
_MOST_VALUES = 7
"""Values of a lever that a figure can show."""
_NAMED = 4


@dataclass(frozen=True)
class CompareOptions:
    """What to compare and how much to print: variables, times in the model's unit, thresholds, bands and figures.

    `figures` are the files for the runs and for their differences, with `every` panel or the first six.
    """

    names: tuple[str, ...]
    at: tuple[float, ...]
    absolute: float
    relative: float
    top: int
    bands: tuple[float, ...]
    figures: tuple[Path, Path] | None
    every: bool
    force: bool


def requested_names(options: CompareOptions, runs: Mapping[str, xr.Dataset]) -> list[str]:
    """The requested variables, else the headline variables of the first run that all runs have."""
    first, *others = runs.values()
    return list(options.names) or [
        name for name in headline_names(first) if all(has_variable(run, name) for run in others)
    ]


def requested_times(options: CompareOptions, runs: Mapping[str, xr.Dataset]) -> tuple[float, ...]:
    """The requested times, else a few round ones that all runs have, without the first, at which most runs are equal."""
    if options.at:
        return options.at
    times = shared_times(runs)
    columns = max(2, min(_COLUMNS, (line_width() - _NAME_WIDTH) // _COLUMN_WIDTH)) + 1
    places = round_times(times, columns) if times.size else times.astype(int)
    return tuple(map(float, times[places[1:] if places.size > 1 else places]))


def check_comparable(names: Sequence[str], times: Sized) -> None:
    """Check that runs share variables and times."""
    if not names:
        message = "the runs share no headline variable; choose with --on"
        raise AnalysisError(message)
    if not len(times):
        message = "the runs share no time; only --constants can compare them"
        raise AnalysisError(message)


def shared_times(runs: Mapping[str, xr.Dataset]) -> NDArray[np.float64]:
    """The stored times of the first run that lie within all other runs."""
    first, *others = runs.values()
    times = common_times(first, first)
    for other in others:
        times = times[np.isin(times, common_times(first, other))]
    return times


def plot_differences_to(
    runs: Mapping[str, xr.Dataset], differences: Mapping[str, xr.Dataset], names: Sequence[str], options: CompareOptions
) -> list[Path]:
    """Plot the differences of runs from the first, for the variables that differ; returns the file, if there is one."""
    from ...figures import plot_differences, save_figure

    first = next(iter(runs))
    known = [name for name in names if all(has_variable(run, name) for run in differences.values())]
    moved = [name for name in known if any(_moved(find_variable(run, name)) for run in differences.values())]
    if not moved or options.figures is None:
        note("no requested variable differs, so no differences are plotted")
        return []
    shown = first_panels(moved, every=options.every or bool(options.names))
    extrapolation = layout_of(runs[first]).extrapolation
    figure = plot_differences(first, runs[first], differences, shown, extrapolation=extrapolation)
    return [save_figure(figure, options.figures[1], force=options.force)]


def _moved(difference: xr.DataArray) -> bool:
    """Whether a difference is not always zero, or a ratio not always one."""
    return bool((difference != (1 if RATIO in difference.attrs else 0)).any())


def with_sign(text: str, value: float) -> str:
    """The text of a number, with a plus if it is positive."""
    return f"+{text}" if value > 0 else text


# Changed constants and lookups


def change_parts(changes: Changes, runs: Sequence[str], *, whole: bool = False) -> Iterator[Part]:
    """The constants and lookups that differ; unless `whole`, the first of them.

    Constants that some run lacks, because its model is another, come last.
    """
    ordered = sorted(changes.constants, key=lambda constant: None in constant.values)
    rows = [[join_name(item.name, item.subscripts), "", *map(_lookup, item.tables)] for item in changes.lookups]
    rows += [[item.name, item.units, *(_extent(value, item.units) for value in item.values)] for item in ordered]
    shown = rows if whole or len(rows) <= _MOST_CONSTANTS + 1 else rows[:_MOST_CONSTANTS]
    if rows:
        yield Table({"constant": "fold", "units": "fold"} | dict.fromkeys(runs, "right"), shown)
    else:
        yield "no constant differs\n"
    if len(shown) < len(rows):
        yield f"{len(rows)} constants differ; --constants shows {len(rows) - len(shown)} more\n"


def change_records(changes: Changes, runs: Sequence[str]) -> list[dict[str, Any]]:
    """The value of each changed constant in each run; two values where it varies over members."""
    constants = [
        {
            "name": item.name,
            "units": item.units,
            "values": dict(zip(runs, map(_extent_record, item.values), strict=True)),
        }
        for item in changes.constants
    ]
    lookups = [
        {
            "name": join_name(item.name, item.subscripts),
            "tables": {run: table and list(table.points) for run, table in zip(runs, item.tables, strict=True)},
        }
        for item in changes.lookups
    ]
    return constants + lookups


def changes_result(runs: Mapping[str, xr.Dataset]) -> Result:
    """Only the constants and lookups that differ."""
    changes = changes_between(runs)
    for text in changes.remarks:
        note(text)
    names = list(runs)
    return Result(lambda: change_records(changes, names), lambda: change_parts(changes, names, whole=True))


def _extent(extent: ValueRange | None, units: str) -> str:
    """The value of a constant, or the range of its values over members."""
    if extent is None:
        return "none"
    low, high = extent
    return format_exact(low) if not low < high else f"{format_number(low, units)} – {format_number(high, units)}"


def _extent_record(extent: ValueRange | None) -> float | list[float] | None:
    if extent is None:
        return None
    return list(extent) if extent[0] < extent[1] else extent[0]


def _lookup(table: Lookup | None) -> str:
    """A lookup in short: the number of its points and the range of its values."""
    if table is None:
        return "none"
    values = [y for _, y in table.points]
    return f"{format_count(len(values), 'point')}, {format_number(min(values))} – {format_number(max(values))}"


# Single runs


def runs_result(
    runs: Mapping[str, xr.Dataset], paths: Mapping[str, Location], options: CompareOptions, *, strict: bool
) -> Result:
    """What differs between single runs; if `strict`, the exit code is 1 where a difference exceeds the thresholds."""
    names, at = requested_names(options, runs), requested_times(options, runs)
    with busy("comparing"):
        found = compare_runs(runs, on=options.names, headlines=names, at=at)
    for text in (*found.changes.remarks, *found.remarks):
        note(text)
    beyond = [gap for gap in found.differences if gap.exceeds(options.absolute, options.relative)]
    figures = _plot_runs(runs, paths, names, options)
    differ = bool(beyond) or not found.differences
    return Result(
        lambda: _runs_record(found, beyond, paths, figures),
        lambda: _runs_parts(found, beyond, options),
        "gaps",
        figures=figures,
        exit_code=int(strict and differ),
    )


def _runs_parts(found: Comparison, beyond: Sequence[LargestDifference], options: CompareOptions) -> Iterator[Part]:
    yield from change_parts(found.changes, found.runs)
    moved = list(_first_labels([standing for standing in found.snapshots if _moves(standing)]))
    if moved:
        columns = {"at": "fold", "units": "fold", "run": "fold"}
        columns |= {f"{time:.10g}": "right" for time in moved[0].times}
        rows = [row for standing in moved for row in _standing_rows(standing, found.runs)]
        yield Table(columns, rows, spare=("units",))
    yield from _largest_parts(found, beyond, options)


def _first_labels(standings: Sequence[Snapshot]) -> Iterator[Snapshot]:
    """The first labels of each variable, with a note if there are more."""
    counts: Counter[str] = Counter()
    for standing in standings:
        variable = split_name(standing.name)[0]
        counts[variable] += 1
        if counts[variable] <= _LABELS:
            yield standing
    longer = [variable for variable, count in counts.items() if count > _LABELS]
    if longer:
        others = f" and of {len(longer) - 1} more" if len(longer) > 1 else ""
        note(f"the first {_LABELS} labels of '{longer[0]}'{others} are shown; --on 'name[label]' chooses others")


def _moves(standing: Snapshot) -> bool:
    """Whether some run has another number than the first; two missing numbers count as equal."""
    first, *others = standing.values
    pairs = (pair for other in others for pair in zip(first, other, strict=True))
    return any(one != other and not (math.isnan(one) and math.isnan(other)) for one, other in pairs)


def _standing_rows(standing: Snapshot, runs: Sequence[str]) -> Iterator[list[str]]:
    units = standing.units
    yield [standing.name, units, runs[0], *(_value(value, units) for value in standing.values[0])]
    short = len(runs) - 1 > _MANY_RUNS
    for place, run in enumerate(runs[1:], 1):
        values = [_value(value, units) for value in standing.values[place]]
        shares = [format_percent(share) for share in standing.per_cent(place)]
        if short:
            yield ["", "", run, *map(_with_share, values, shares)]
            continue
        differences = [with_sign(_value(value, units), value) for value in standing.differences(place)]
        yield ["", "", run, *values]
        yield ["", "", "", *map(_with_share, differences, shares)]


def _value(value: float, units: str) -> str:
    return "none" if math.isnan(value) else format_number(value, units)


def _with_share(value: str, share: str) -> str:
    """A number with its share in brackets, unless there is none or the number is zero."""
    return f"{value} ({share})" if share and value != "0" else value


def _largest_parts(found: Comparison, beyond: Sequence[LargestDifference], options: CompareOptions) -> Iterator[Part]:
    """The largest difference of each variable and run, or of each label if variables are named."""
    largest = list(beyond) if options.names else list(_one_per_variable(beyond))
    several = len(found.runs) > 2  # noqa: PLR2004 - two runs have columns of their own
    shown = largest[: options.top]
    if shown:
        head = {"largest difference in": "fold", "units": "fold"} | ({"run": "fold"} if several else {})
        ends = {found.runs[0]: "right", "then" if several else found.runs[1]: "right"}
        yield Table(
            head | {"at": "right"} | ends | {"difference": "right", "% of largest": "right"},
            [_gap_row(gap, several=several) for gap in shown],
        )
    variables, moved = ({gap.variable for gap in gaps} for gaps in (found.differences, beyond))
    thresholds = " by more than the thresholds" if options.absolute > 0 or options.relative > 0 else ""
    rest = len(largest) - len(shown)
    more = f"; --top {len(largest)} shows {rest:,} more" if rest else ""
    if variables:
        yield f"{len(moved):,} of {len(variables):,} variables differ{thresholds}{more}"
    for gap in beyond[: options.top]:
        if gap.without_number:
            times = f"{format_count(gap.without_number, 'time')}, from {gap.without_from:.10g}"
            note(f"'{gap.name}': only one of {found.runs[0]} and {gap.run} has a number at {times}")


def _one_per_variable(gaps: Iterable[LargestDifference]) -> Iterator[LargestDifference]:
    seen = set()
    for gap in gaps:
        if (gap.variable, gap.run) not in seen:
            seen.add((gap.variable, gap.run))
            yield gap


def _gap_row(gap: LargestDifference, *, several: bool) -> list[str]:
    distance = gap.after - gap.before
    share = "was 0" if math.isinf(gap.relative) else format_percent(math.copysign(100 * gap.relative, distance))
    values = (_value(value, gap.units) for value in (gap.before, gap.after))
    difference = with_sign(_value(distance, gap.units), distance)
    return [gap.name, gap.units, *([gap.run] if several else []), f"{gap.at:.10g}", *values, difference, share]


def _runs_record(
    found: Comparison, beyond: Sequence[LargestDifference], paths: Mapping[str, Location], figures: Sequence[Path]
) -> dict[str, Any]:
    return {
        "runs": {name: str(path) for name, path in paths.items()},
        "remarks": [*found.changes.remarks, *found.remarks],
        "constants": change_records(found.changes, found.runs),
        "headlines": [_standing_record(standing, found.runs) for standing in found.snapshots],
        "gaps": [asdict(gap) for gap in beyond],
        "compared": len(found.differences),
        "figures": [str(path) for path in figures],
    }


def _standing_record(standing: Snapshot, runs: Sequence[str]) -> dict[str, Any]:
    values = {
        run: {"values": standing.values[place]}
        | ({"differences": standing.differences(place), "per_cent": standing.per_cent(place)} if place else {})
        for place, run in enumerate(runs)
    }
    return {"name": standing.name, "units": standing.units, "times": standing.times, "runs": values}


def _plot_runs(
    runs: Mapping[str, xr.Dataset], paths: Mapping[str, Location], names: Sequence[str], options: CompareOptions
) -> list[Path]:
    if options.figures is None:
        return []
    from .run_figures import plot_runs_to

    target = options.figures[0]
    by_path = {paths[name]: run for name, run in runs.items()}
    plot_runs_to(by_path, target, names=options.names, every=options.every, force=options.force)
    first, *others = runs
    ratios = shown_as_ratios(runs[first], [runs[name] for name in others], names)
    found = {name: run_differences(runs[first], runs[name], names, ratios=ratios) for name in others}
    found = {name: differences for name, differences in found.items() if differences.sizes[TIME]}
    return [target, *plot_differences_to(runs, found, names, options)]


# Runs grouped by the value of a lever


def groups_result(
    runs: Mapping[str, xr.Dataset], lever: str, paths: Mapping[str, Location], options: CompareOptions
) -> Result:
    """Variables for each value of a constant."""
    singles = separate_runs(runs)
    groups = group_by_lever(singles, lever)
    names, at = requested_names(options, singles), requested_times(options, singles)
    check_comparable(names, at)
    shown = names if options.names else names[:_GROUPED_HEADLINES]
    if len(shown) < len(names):
        note(f"{len(shown)} of {len(names)} headline variables are shown; --on chooses others")
    _note_other_changes(singles, lever)
    rows = group_rows(groups, shown, at)
    figures = _plot_groups(groups, lever, shown, options)

    def record() -> dict[str, Any]:
        found: dict[str, Any] = {"runs": {name: str(path) for name, path in paths.items()}, "by": lever}
        fields = ("name", "units", "lever", "runs", "times", "mean", "least", "most")
        groups = [{field: getattr(row, field) for field in fields} for row in rows]
        return found | {"groups": groups, "figures": [str(path) for path in figures]}

    def parts() -> Iterator[Part]:
        columns = {"at": "fold", "units": "fold", lever: "right", "runs": "right"}
        columns |= {f"{time:.10g}": "right" for time in rows[0].times}
        yield Table(columns, list(_group_rows(rows)))

    return Result(record, parts, "groups", figures=figures)


def _note_other_changes(singles: Mapping[str, xr.Dataset], lever: str) -> None:
    """Note other differences between the runs, so that the lever is not held responsible for them."""
    changes = changes_between(singles)
    for text in changes.remarks:
        note(text)
    others = [constant.name for constant in changes.constants if key(constant.name) != key(lever)]
    if others:
        names = ", ".join(f"'{name}'" for name in others[:_NAMED]) + (" and others" if len(others) > _NAMED else "")
        note(f"the runs also differ in {names}")


def _group_rows(rows: Sequence[GroupRow]) -> Iterator[list[str]]:
    """A row for each value; for several runs the mean, with the least and the most."""
    before = ""
    for row in rows:
        heads = ["", ""] if row.name == before else [row.name, row.units]
        cells = (_group_cell(*values, row.units) for values in zip(row.mean, row.least, row.most, strict=True))
        yield [*heads, format_exact(row.lever), str(len(row.runs)), *cells]
        before = row.name


def _group_cell(mean: float, least: float, most: float, units: str) -> str:
    if np.isnan(mean):
        return "none"
    ends = [format_number(value, units) for value in (least, most)]
    return f"{format_number(mean, units)} ({' – '.join(ends)})" if ends[0] != ends[1] else format_number(mean, units)


def _plot_groups(
    groups: Mapping[float, Mapping[str, xr.Dataset]], lever: str, names: Sequence[str], options: CompareOptions
) -> list[Path]:
    if options.figures is None:
        return []
    from ...figures import plot_runs, save_figure

    places = np.unique(np.linspace(0, len(groups) - 1, min(_MOST_VALUES, len(groups))).round().astype(int))
    if len(places) < len(groups):
        note(f"{len(places)} of {len(groups)} values are plotted")
    values = [list(groups)[place] for place in places]
    lines = {f"{lever} = {format_exact(value)}": _mean(groups[value], names) for value in values}
    target = options.figures[0]
    extrapolation = layout_of(next(iter(lines.values()))).extrapolation
    save_figure(plot_runs(lines, names, extrapolation=extrapolation), target, force=options.force)
    return [target]


def _mean(group: Mapping[str, xr.Dataset], names: Sequence[str]) -> xr.Dataset:
    runs = [run[[find_variable(run, name).name for name in names]] for run in group.values()]
    if len(runs) == 1:
        changes, mean = next(iter(group)), runs[0]
    else:
        changes = f"the mean of {', '.join(group)}"
        joined = xr.concat(runs, MEMBER, join="inner", combine_attrs="override", coords="minimal", compat="override")
        mean = joined.mean(MEMBER, keep_attrs=True)
    return mean.assign_attrs(runs[0].attrs | {"scenario": "", "scenario_name": "", "changes": changes})
