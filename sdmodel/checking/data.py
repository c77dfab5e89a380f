"""Rules about data variables: each has data, from the start of the run to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from ..errors import Fault, FileFault
from ..model import Cell, Model, Start, Table, cell_name, data_gaps, data_variables, has_points, missing_data, points_in
from .checked_model import CheckedModel
from .findings import Finding, Level, file_finding

_SHOWN = 5
"""The most findings for one variable, which may have many cells."""


def find_unread_files(checked: CheckedModel) -> Iterator[Finding]:
    """Find files that the model reads and that are missing, or do not hold what it needs."""
    return map(file_finding, checked.model.unread_files)


def find_missing_data(checked: CheckedModel) -> Iterator[Finding]:
    """Find data variables without data; a run goes on where only some of their cells lack it, or nothing reads them."""
    rules: tuple[tuple[Level, Callable[[Model], Iterator[Fault]]], ...] = (
        ("error", missing_data),
        ("warning", data_gaps),
    )
    for level, find in rules:
        for fault in find(checked.model):
            if isinstance(fault, FileFault):
                continue
            yield Finding(level, "data", fault.where, fault.what[1:].partition("'")[0], fault.what)


def find_uncovered_times(checked: CheckedModel) -> Iterator[Finding]:
    """Find data that begins after the run or ends before it: its first and last value stand in for what is missing."""
    start = Start(checked.model)
    first, last = (start.read(Cell(name)) for name in ("initial_time", "final_time"))
    if isinstance(first, Table) or isinstance(last, Table):
        return
    for element, points in data_variables(checked.model):
        tables = {cell: table for cell, table in points_in(checked.model, points).items() if has_points(table)}
        found = (
            gap for cell, table in tables.items() for gap in _gaps(cell_name(checked.model, cell), table, first, last)
        )
        for message in islice(found, _SHOWN):
            yield Finding("warning", "data-times", element.place, element.name, message)


def _gaps(name: str, table: Table, first: float, last: float) -> Iterator[str]:
    """Yield what is missing at each end of the points of a cell."""
    begins, ends = table.points[0][0], table.points[-1][0]
    if begins > first:
        what = f"the data of '{name}' begins at {begins:g}, after INITIAL TIME, {first:g}"
        yield f"{what}; its first value, or :NA: with :RAW:, is used until then; give earlier data"
    if ends < last:
        what = f"the data of '{name}' ends at {ends:g}, before FINAL TIME, {last:g}"
        yield f"{what}; its last value, or :NA: with :RAW:, is used from then on; give later data"
