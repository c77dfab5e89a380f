"""Observations: raw series of numbers at times, read from files, each number with its place in the file."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..dataset import decimal_year
from ..errors import Fault, ObservationError, Place
from ..files import read_text
from ..model import NA, display_name, key, nearest
from ..scenario import split_name
from ..vensim import read_data

_ENTRY = re.compile(
    r'[ \t]*+(?:"(?P<quoted>(?:[^"]|"")*+)"[ \t]*+(?=[,\r\n]|\Z)|(?P<bare>[^,\r\n]*+))(?P<end>,|\r\n|\r|\n|\Z)'
)
_COMMENT = re.compile(r"[ \t]*+#[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_LINE_END = re.compile(r"\r\n|\r|\n")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", re.ASCII)
_EXPORTED = re.compile(rb"(?:\xef\xbb\xbf)?\s*\"?\s*time\b", re.IGNORECASE)
_FIRST_LINE_BYTES = 4096

_OPEN_QUOTE = 'a quote is not closed, or text follows it; write " around the whole entry and "" for a quote inside it'
_TOO_MANY = "this line has {} entries but the header names {}; put an entry that contains commas in quotes"


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a CSV file without surrounding quotes and blanks, its place, and whether its quotes are closed."""

    text: str
    place: Place
    closed: bool = True


Row = Mapping[str, Entry]
"""The entries of one line by column name; every column is present, an entry may be empty."""


@dataclass(frozen=True, slots=True)
class Time:
    """A time in a file: a number in the model's unit of time, or a date, converted to a decimal year."""

    value: float
    is_date: bool


def read_rows(
    path: str | os.PathLike[str], columns: Sequence[str], optional: Sequence[str]
) -> tuple[list[Row], list[Fault]]:
    """Read the named columns of a CSV file with a header; return its rows and the faults found in them.

    Lines that begin with `#` are comments.
    """
    name = os.fspath(path)
    lines = list(_lines(read_text(path, error=ObservationError, wanted="a .csv file"), name))
    header = [key(entry.text) for entry in lines[0]] if lines else []
    missing = [column for column in columns if column not in header]
    if missing:
        place = lines[0][0].place if lines else Place(name, 1)
        for mark, plural in _OTHER_SEPARATORS.items():
            if len(header) == 1 and mark in lines[0][0].text:
                raise ObservationError([Fault(place, f"entries are separated by {plural}; use commas")])
        raise ObservationError([Fault(place, _missing_column(column, header, columns)) for column in missing])
    positions = {column: header.index(column) for column in (*columns, *optional) if column in header}
    rows: list[Row] = []
    faults: list[Fault] = []
    for line in lines[1:]:
        faults += [Fault(entry.place, _OPEN_QUOTE) for entry in line if not entry.closed]
        if len(line) > len(header):
            faults.append(Fault(line[len(header)].place, _TOO_MANY.format(len(line), len(header))))
        empty = Entry("", line[0].place)
        row = {column: line[at] if at < len(line) else empty for column, at in positions.items()}
        rows.append(row | {column: empty for column in optional if column not in positions})
    return rows, faults


def _missing_column(name: str, header: Sequence[str], columns: Iterable[str]) -> str:
    close = nearest(name, header)
    guess = f" (is it '{close}'?)" if close else ""
    return f"there is no column '{name}'{guess}; the first line must name {', '.join(columns)}"


def number_of(entry: Entry) -> float | Fault:
    """Return the number in an entry, or the fault."""
    if not _NUMBER.fullmatch(entry.text):
        return Fault(entry.place, f"'{entry.text:.40}' is not a number; write one such as 0.45 or 2e9")
    value = float(entry.text)
    return value if math.isfinite(value) else Fault(entry.place, f"{entry.text:.40} is too large; write at most 1e308")


def time_of(entry: Entry) -> Time | Fault:
    """Return the time in an entry, a date as a decimal year or a number in the model's unit of time, or the fault."""
    if _NUMBER.fullmatch(entry.text):
        value = number_of(entry)
        return value if isinstance(value, Fault) else Time(value, is_date=False)
    if _DATE.fullmatch(entry.text):
        try:
            return Time(decimal_year(datetime.fromisoformat(entry.text)), is_date=True)
        except ValueError as cause:
            return Fault(entry.place, f"the date {entry.text} does not exist ({cause}); write year-month-day")
    what = f"'{entry.text:.40}' is not a date; write one such as 2025-06-30, or a number such as 2025.5"
    return Fault(entry.place, what)


def _lines(text: str, name: str) -> Iterator[list[Entry]]:
    """Yield the entries of each line, without comments and empty lines; a quoted entry may span several lines."""
    position, number, start = 0, 1, 0
    entries: list[Entry] = []
    while position < len(text):
        comment = None if entries else _COMMENT.match(text, position)
        match = comment or _ENTRY.match(text, position)
        if match is None:  # any text matches the unquoted form
            raise AssertionError
        if comment is None:
            inside = (match["bare"] if match["quoted"] is None else match["quoted"].replace('""', '"')).strip()
            at = len(match[0]) - len(match[0].lstrip(" \t"))
            closed = match["quoted"] is not None or not inside.startswith('"')
            entries.append(Entry(inside, Place(name, number, position - start + at + 1), closed))
        position = match.end()
        ends = [end.end() for end in _LINE_END.finditer(text, match.start(), position)]
        number, start = number + len(ends), ends[-1] if ends else start
        if comment is None and match["end"] != ",":
            if any(entry.text for entry in entries):
                yield entries
            entries = []
    if any(entry.text for entry in entries):
        yield entries


@dataclass(frozen=True, eq=False)
class RawSeries:
    """One series as published: `values` in `units` at `times`, both of shape (n,), in time order.

    Times are in the model's unit; where the file gives dates (`dated`), they are decimal years. `places` locates each value
    in the file; `sources` names who published each value, as far as the file says.
    """

    name: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    units: str
    places: tuple[Place, ...]
    dated: bool
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Observations:
    """The series of a file by key (lower case, underscores for blanks)."""

    path: str
    series: Mapping[str, RawSeries]


def join_observations(tables: Sequence[Observations]) -> Observations:
    """Return the series of several files together.

    Raises
    ------
    ObservationError
        If two files contain a series of the same name.
    """
    joined: dict[str, RawSeries] = {}
    faults = []
    for table in tables:
        for name, series in table.series.items():
            if name in joined:
                what = f"'{series.name}' is in {joined[name].places[0].path} too; keep it in one file"
                faults.append(Fault(series.places[0], what))
            joined.setdefault(name, series)
    if faults:
        raise ObservationError(faults)
    return Observations(", ".join(table.path for table in tables), MappingProxyType(joined))


def read_observations(path: str | os.PathLike[str]) -> Observations:
    r"""Read the series in a file of observations, each in its own units.

    A `.csv` file has the columns `series`, `date` and `value`, optionally `unit` and `source`, and any others, which are
    ignored. Rows without a value are skipped. Files that Vensim exports are read too: `.dat`, `.tab`, and tables whose
    first column is Time.

    Parameters
    ----------
    path : str or path
        The file. A date in it is a day such as 2025-06-30, which means its midnight, or a number in the model's unit of
        time.

    Returns
    -------
    Observations
        `series` maps the key of each name to a `RawSeries` with times, values and units.

    Raises
    ------
    ObservationError
        If an entry is not a number or a date, or a series mixes units or kinds of times; every such entry is listed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp(), "observations.csv")
    >>> _ = file.write_text("series,date,value,unit\nWeekly Users,2024-01-01,100,million\nWeekly Users,2025-01-01,400,million\n")
    >>> users = read_observations(file).series["weekly_users"]
    >>> users.times.tolist(), users.values.tolist(), users.units
    ([2024.0, 2025.0], [100.0, 400.0], 'million')
    """
    if _is_exported(path):
        return Observations(os.fspath(path), MappingProxyType(_exported(path)))
    rows, faults = read_rows(path, ("series", "date", "value"), ("unit", "source"))
    series: dict[str, list[_Point]] = {}
    for row in rows:
        if not row["value"].text:
            continue
        point = _point(row)
        if isinstance(point, list):
            faults += point
        else:
            series.setdefault(series_key(point.series), []).append(point)
    faults += [fault for points in series.values() for fault in _mixed(points)]
    if not series and not faults:
        faults.append(
            Fault(os.fspath(path), "has no observations; write one line with series, date and value for each")
        )
    if faults:
        raise ObservationError(faults)
    return Observations(os.fspath(path), MappingProxyType({name: _raw(points) for name, points in series.items()}))


def series_key(name: str, subscripts: Sequence[str] = ()) -> str:
    """Return the form under which two spellings of a series' name, labels in brackets included, are the same."""
    base, labels = split_name(name)
    labels = (*subscripts, *labels)
    return f"{key(base)}[{','.join(map(key, labels))}]" if labels else key(base)


def _is_exported(path: str | os.PathLike[str]) -> bool:
    """Whether a file has one of Vensim's formats rather than one row per observation."""
    if Path(path).suffix.lower() != ".csv":
        return True
    try:
        with Path(path).open("rb") as file:
            return _EXPORTED.match(file.readline(_FIRST_LINE_BYTES)) is not None
    except (OSError, ValueError):
        return False  # reading the file reports what is wrong


def _exported(path: str | os.PathLike[str]) -> dict[str, RawSeries]:
    """Read a file in one of Vensim's formats, without its missing values."""
    found = {}
    for points in read_data(path).values():
        known = points.values != NA
        places = (points.place,) * int(known.sum())
        name = display_name(points.name)
        found[series_key(name)] = RawSeries(name, points.times[known], points.values[known], "", places, dated=False)
    return found


@dataclass(frozen=True, slots=True)
class _Point:
    """One row of a file."""

    series: str
    time: float
    dated: bool
    value: float
    units: str
    place: Place
    date_place: Place
    source: str


def _point(row: Row) -> _Point | list[Fault]:
    """Return the observation in a row, or its faults."""
    time, value = time_of(row["date"]), number_of(row["value"])
    faults = [found for found in (time, value) if isinstance(found, Fault)]
    if not row["series"].text:
        faults.append(Fault(row["series"].place, "the series has no name; write one in the column 'series'"))
    if faults or isinstance(time, Fault) or isinstance(value, Fault):
        return faults
    places = row["value"].place, row["date"].place
    return _Point(row["series"].text, time.value, time.is_date, value, row["unit"].text, *places, row["source"].text)


def _mixed(points: list[_Point]) -> list[Fault]:
    """Report where a series changes its unit, or mixes dates and numbers."""
    first = points[0]
    faults = [
        Fault(
            point.place,
            f"'{first.series}' has the unit '{first.units}' above and '{point.units}' here; make it two series",
        )
        for point in points
        if point.units != first.units
    ]
    what = f"'{first.series}' mixes dates and numbers as times; use one kind"
    return [*faults, *(Fault(point.date_place, what) for point in points if point.dated != first.dated)]


def _raw(points: list[_Point]) -> RawSeries:
    """Sort the points of one series by time; duplicate times stay, since only the user of the series can judge them."""
    ordered = sorted(points, key=lambda point: point.time)
    first = points[0]
    return RawSeries(
        first.series,
        np.array([point.time for point in ordered]),
        np.array([point.value for point in ordered]),
        first.units,
        tuple(point.place for point in ordered),
        first.dated,
        tuple(point.source for point in ordered),
    )
