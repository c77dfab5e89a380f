"""Runs by the value of a lever, as a table: what a variable is at a few dates, one row a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import xarray as xr

from ...analysis import changes_between
from ...comparison import GroupRow, group_rows, grouped_by, single_runs
from ...dataset import MEMBER, find_variable
from ...model import key
from ...numerals import exact, number
from ..question import Question, asked_names, asked_times, check_answerable
from ..tables import note, print_json, print_table

_FEW = 4
"""So many headlines are told if none is asked for; each has a row for every value."""
_MOST = 7
"""So many values a figure can tell apart."""
_NAMED = 4


def tell_groups(runs: Mapping[str, xr.Dataset], lever: str, paths: Mapping[str, Path], question: Question) -> None:
    """Tell what variables do for each value of a constant."""
    singles = single_runs(runs)
    groups = grouped_by(singles, lever)
    names, at = asked_names(question, singles), asked_times(question, singles)
    check_answerable(names, at)
    told = names if question.names else names[:_FEW]
    if len(told) < len(names):
        note(f"{len(told)} of {len(names)} headlines are told; --on chooses others")
    _note_others(singles, lever)
    rows = group_rows(groups, told, at)
    drawn = _draw(groups, lever, told, question)
    if question.as_json:
        record: dict[str, Any] = {"runs": {name: str(path) for name, path in paths.items()}, "by": lever}
        print_json(record | {"groups": [_record(each) for each in rows], "figures": [str(each) for each in drawn]})
        return
    _print(rows, next(iter(singles.values())), lever)
    for path in drawn:
        click.echo(f"drawn in {path}")


def _note_others(singles: Mapping[str, xr.Dataset], lever: str) -> None:
    """Say what else differs between runs, so that a lever is not held responsible for it."""
    changes = changes_between(singles)
    for text in changes.remarks:
        note(text)
    others = [each.name for each in changes.constants if key(each.name) != key(lever)]
    if others:
        told = ", ".join(f"'{each}'" for each in others[:_NAMED]) + (" and others" if len(others) > _NAMED else "")
        note(f"the runs differ in {told}, too")


def _print(rows: Sequence[GroupRow], first: xr.Dataset, lever: str) -> None:
    """A row for each value; of several runs the mean, with the least and the most."""
    columns = {"at": "fold", "units": "fold", lever: "right", "runs": "right"}
    columns |= {f"{time:.10g}": "right" for time in rows[0].times}
    print_table(columns, _rows(rows))


def _rows(rows: Sequence[GroupRow]) -> Iterator[list[str]]:
    before = ""
    for each in rows:
        heads = ["", ""] if each.name == before else [each.name, each.units]
        cells = (_cell(*values, each.units) for values in zip(each.mean, each.least, each.most, strict=True))
        yield [*heads, exact(each.lever), str(len(each.runs)), *cells]
        before = each.name


def _cell(mean: float, least: float, most: float, units: str) -> str:
    if np.isnan(mean):
        return "none"
    ends = [number(each, units) for each in (least, most)]
    return f"{number(mean, units)} ({' – '.join(ends)})" if ends[0] != ends[1] else number(mean, units)


def _record(row: GroupRow) -> dict[str, Any]:
    named = ("name", "units", "lever", "runs", "times", "mean", "least", "most")
    return {name: getattr(row, name) for name in named}


def _draw(
    groups: Mapping[float, Mapping[str, xr.Dataset]], lever: str, names: Sequence[str], question: Question
) -> list[Path]:
    """One line a value, the mean of its runs."""
    if question.pictures is None:
        return []
    from ...figures import plot_runs, save_figure

    places = np.unique(np.linspace(0, len(groups) - 1, min(_MOST, len(groups))).round().astype(int))
    if len(places) < len(groups):
        note(f"{len(places)} of {len(groups)} values are drawn")
    values = [list(groups)[place] for place in places]
    lines = {f"{lever} = {exact(value)}": _mean(groups[value], names) for value in values}
    target = question.pictures[0]
    save_figure(plot_runs(lines, names), target, force=question.force)
    return [target]


def _mean(group: Mapping[str, xr.Dataset], names: Sequence[str]) -> xr.Dataset:
    """The mean of runs over time, with what it is as their change."""
    runs = [run[[find_variable(run, name).name for name in names]] for run in group.values()]
    told = f"the mean of {', '.join(group)}" if len(runs) > 1 else next(iter(group))
    joined = (
        xr.concat(runs, MEMBER, join="inner", combine_attrs="override", coords="minimal", compat="override")
        if len(runs) > 1
        else runs[0]
    )
    found = joined.mean(MEMBER, keep_attrs=True) if len(runs) > 1 else joined
    return found.assign_attrs(runs[0].attrs | {"scenario": "", "scenario_name": "", "changes": told})
