"""Time series as Vensim exchanges them: `.dat` files of both layouts, and tables as `.csv` or `.tab`, time down or across."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import Fault, ObservationError, Place, ScenarioError
from ...model import NOWHERE, display, key
from ..read.segments import QUOTED
from .changes import read_text
from .spelling import LINES, NUMBER, number_of

_PAIR = re.compile(rf"\s*+(?P<time>{NUMBER})[\s,]++(?P<value>{NUMBER})(?=[\s,]|$)")
_LONE = re.compile(rf"\s*+{NUMBER}\s*+$")
_HEADER = re.compile(
    rf"\s*+(?P<name>(?:{QUOTED}|[^\"\[\]</\t]++)(?:\[(?:{QUOTED}|[^\"\[\]])*+\])?)\s*+(?:<[^<>]*>)?\s*+(?:/.*)?$"
)
_QUOTED = re.compile(QUOTED)
_TIME = re.compile(r"\"?\s*time\b", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Points:
    """A time series of a file: its name as written, times (n,) rising, values (n,) in the file's units, and its place."""

    name: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    place: Place = field(default=NOWHERE)


@dataclass(slots=True)
class _Series:
    """A series while its file is read: values by time; of two values at one time the later holds."""

    name: str
    place: Place
    values: dict[float, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """What a file holds while it is read."""

    path: str
    series: dict[str, _Series] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def named(self, name: str, place: Place) -> _Series:
        """The series of that name, a new one if there is none: Vensim joins what is written in several parts."""
        shown = " ".join(name.split())
        shown = display(shown) if _QUOTED.fullmatch(shown) else shown
        return self.series.setdefault(key(shown), _Series(shown, place))

    def fault(self, line: int, what: str, column: int = 1) -> None:
        self.faults.append(Fault(Place(self.path, line, column), what))


def read_data(path: str | os.PathLike[str]) -> Mapping[str, Points]:
    """The time series of a file by name as written, each with its subscripts in brackets.

    A table has times in its first column or row, headed by Time; a list has one value a line, the name with its labels
    before time and value (manual, "DLIST2VDF"); anything else is read as `.dat` (manual, "DAT Format").

    Raises
    ------
    ObservationError
        If the file cannot be read, with every line that does not fit, or if it has no series.
    """
    try:
        text = read_text(path)
    except ScenarioError as error:
        raise ObservationError(error.faults) from error
    reading = _Reading(os.fspath(path))
    try:
        _read(reading, text)
    except csv.Error as error:
        what = f"the file is no table or list of values ({error}); close its quotes, or export it again"
        reading.faults.append(Fault(reading.path, what))
    if not any(each.values for each in reading.series.values()) and not reading.faults:
        reading.faults.append(
            Fault(
                reading.path, "the file has no series with values; write a name, and below it a time and a value a line"
            )
        )
    if reading.faults:
        raise ObservationError(reading.faults)
    return {each.name: _points(each) for each in reading.series.values()}


def _read(reading: _Reading, text: str) -> None:
    """The series of a text by its layout."""
    lines = LINES.split(text)
    first = next((line for line in lines if line.strip()), "")
    mark = "," if Path(reading.path).suffix.lower() == ".csv" and "\t" not in first else "\t"
    if _TIME.match(first) and mark in first:
        _read_table(reading, list(csv.reader(lines, delimiter=mark)))
    else:
        _read_lines(reading, lines, mark)


def _points(series: _Series) -> Points:
    times = sorted(series.values)
    values = [series.values[time] for time in times]
    return Points(series.name, np.array(times, float), np.array(values, float), series.place)


def _read_lines(reading: _Reading, lines: Sequence[str], mark: str) -> None:
    """A name with the pairs below it, or a name before every pair."""
    current: _Series | None = None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    for number, line in numbered[1:] if numbered and _is_heading(numbered[0][1], mark) else numbered:
        listed = _listed(line, mark)
        pair = _PAIR.match(line)
        if listed:
            name, time, value = listed
            reading.named(name, Place(reading.path, number)).values[time] = value
        elif pair and current is None:
            reading.fault(number, "a time and a value stand before any name; write the name of their series above them")
        elif pair and current is not None:
            current.values[number_of(pair["time"])] = number_of(pair["value"])
        else:
            current = _headed(reading, number, line)


def _headed(reading: _Reading, number: int, line: str) -> _Series | None:
    """The series that a line names."""
    header = _HEADER.match(line)
    if header is None or _LONE.match(line):
        reading.fault(number, "this is neither a name nor a time and a value; write 'time value', or quote an odd name")
        return None
    return reading.named(header["name"], Place(reading.path, number, header.start("name") + 1))


def _listed(line: str, mark: str) -> tuple[str, float, float] | None:
    """Name, time and value of a line that has all three: texts first, which are the name and its labels."""
    parts = [part.strip() for part in next(csv.reader([line], delimiter=mark), []) if part.strip()]
    texts = list(_leading_texts(parts))
    numbers = parts[len(texts) :]
    if not texts or len(numbers) < 2 or not all(_LONE.match(each) for each in numbers[:2]):  # noqa: PLR2004 - time and value
        return None
    name = f"{texts[0]}[{','.join(texts[1:])}]" if len(texts) > 1 else texts[0]
    return name, number_of(numbers[0]), number_of(numbers[1])


def _is_heading(line: str, mark: str) -> bool:
    """Whether a line names the columns of a list: nothing but words, three or more."""
    parts = [part for part in line.split(mark) if part.strip()]
    return len(parts) > 2 and not any(_LONE.match(part) for part in parts)  # noqa: PLR2004 - name, time and value


def _leading_texts(parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        if _LONE.match(part):
            return
        yield part


def _read_table(reading: _Reading, rows: list[list[str]]) -> None:
    """A table whose first cell is Time: times across if the cell beside it is a number, down if it is a name."""
    numbered = [(number, row) for number, row in enumerate(rows, 1) if any(cell.strip() for cell in row)]
    start, header = numbered[0]
    across = all(_LONE.match(cell) for cell in header[1:] if cell.strip())
    if across:
        times = header[1:]
        for number, (name, *values) in numbered[1:]:
            series = reading.named(name, Place(reading.path, number))
            for column, cell in enumerate(values):
                _take(reading, series, number, times[column] if column < len(times) else "", cell)
        return
    columns = [reading.named(name, Place(reading.path, start)) if name.strip() else None for name in header[1:]]
    for number, (time, *values) in numbered[1:]:
        for column, cell in enumerate(values):
            owner = columns[column] if column < len(columns) else None
            if owner is not None:
                _take(reading, owner, number, time, cell)
            elif cell.strip():
                reading.fault(number, f"the value '{cell}' stands under no name; give its column one")


def _take(reading: _Reading, series: _Series, number: int, time: str, cell: str) -> None:
    """One cell of a table; an empty one is a value that is missing."""
    if not cell.strip():
        return
    try:
        series.values[number_of(time)] = number_of(cell)
    except ValueError as error:
        reading.fault(number, f"{error}; give numbers for times and values")
