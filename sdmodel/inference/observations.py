"""Observations: raw series of numbers at times, read from files, each number with its place in the file."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..dataset import decimal_year
from ..errors import Fault, ObservationError, Place
from ..files import LINE_END, decode_text, read_text
from ..model import NA, join_name, key, nearest, split_name
from ..numerals import number_cure
from ..vensim import read_data

_ENTRY = re.compile(
    r'[ \t]*+(?:"(?P<quoted>(?:[^"]|"")*+)"[ \t]*+(?=[,\r\n]|\Z)|(?P<bare>[^,\r\n]*+))(?P<end>,|\r\n|\r|\n|\Z)'
)
_COMMENT = re.compile(r"[ \t]*+#[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", re.ASCII)
_EXPORTED = re.compile(r"\ufeff?\s*\"?\s*time\b", re.IGNORECASE)

_TABLE = ", or Time before the names of series in a table with a column for each"
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
_Point = tuple[float, float, Row]
"""The time and the value of an observation, and the line that they come from."""


def read_rows(
    path: str | os.PathLike[str], columns: Sequence[str], optional: Sequence[str], *, instead: str = ""
) -> tuple[list[Row], list[Fault]]:
    """Read the named columns of a CSV file with a header; return its rows and the faults found in them.

    Lines that begin with `#` are comments. `instead` says what else the file may be, for a file that has none of the columns.
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
        close = {column: nearest(column, header) for column in missing}
        guesses = {column: f" (is it '{name}'?)" if name else "" for column, name in close.items()}
        cure = f"the first line must name {', '.join(columns)}"
        if len(missing) == len(columns) and not any(close.values()):
            what = (
                f"the first line names none of these columns: {', '.join(columns)}" if header else "the file is empty"
            )
            raise ObservationError([Fault(place, f"{what}; {cure if not header else f'write them there{instead}'}")])
        faults = [Fault(place, f"there is no column '{column}'{guess}; {cure}") for column, guess in guesses.items()]
        raise ObservationError(faults)
    positions = {column: header.index(column) for column in (*columns, *optional) if column in header}
    rows: list[Row] = []
    faults = []
    for line in lines[1:]:
        faults += [Fault(entry.place, _OPEN_QUOTE) for entry in line if not entry.closed]
        if len(line) > len(header):
            faults.append(Fault(line[len(header)].place, _TOO_MANY.format(len(line), len(header))))
        empty = Entry("", line[0].place)
        row = {column: line[at] if at < len(line) else empty for column, at in positions.items()}
        rows.append(row | {column: empty for column in optional if column not in positions})
    return rows, faults


def number_of(entry: Entry, faults: list[Fault]) -> float:
    """Return the number in an entry; if there is none, append the fault and return NaN."""
    if not _NUMBER.fullmatch(entry.text):
        cure = number_cure(entry.text, "write one such as 0.45 or 2e9")
        faults.append(Fault(entry.place, f"'{entry.text:.40}' is not a number; {cure}"))
        return math.nan
    value = float(entry.text)
    if math.isfinite(value):
        return value
    faults.append(Fault(entry.place, f"{entry.text:.40} is too large; write at most 1e308"))
    return math.nan


def time_of(entry: Entry, faults: list[Fault]) -> float:
    """Return the time in an entry, a date as a decimal year or a number in the model's unit of time; NaN with a fault."""
    if _NUMBER.fullmatch(entry.text):
        return number_of(entry, faults)
    what = f"'{entry.text:.40}' is not a date; write one such as 2025-06-30, or a number such as 2025.5"
    if _is_date(entry):
        try:
            return decimal_year(datetime.fromisoformat(entry.text))
        except ValueError as cause:
            what = f"the date {entry.text} does not exist ({cause}); write year-month-day"
    faults.append(Fault(entry.place, what))
    return math.nan


def parse_time(text: str, where: str) -> float:
    """Return the time that a text gives, a date as a decimal year or a number in the model's unit of time.

    Raises
    ------
    ObservationError
        If the text is neither; `where` is the place that the error names.
    """
    faults: list[Fault] = []
    value = time_of(Entry(text.strip(), Place(where, 1)), faults)
    if faults:
        raise ObservationError([Fault(where, fault.what) for fault in faults])
    return value


def _is_date(entry: Entry) -> bool:
    return _DATE.fullmatch(entry.text) is not None


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
        ends = [end.end() for end in LINE_END.finditer(text, match.start(), position)]
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
    """Return the series of several files together; a later file may continue a series of an earlier one.

    Raises
    ------
    ObservationError
        If two files contain a value of the same series at the same time, or give it in different units or kinds of times.
    """
    joined: dict[str, RawSeries] = {}
    faults: list[Fault] = []
    for table in tables:
        for name, series in table.series.items():
            joined[name] = _continued(joined[name], series, faults) if name in joined else series
    if faults:
        raise ObservationError(faults)
    return Observations(", ".join(table.path for table in tables), MappingProxyType(joined))


def _continued(first: RawSeries, second: RawSeries, faults: list[Fault]) -> RawSeries:
    """Return a series with the values that another file adds to it; append what does not fit to `faults`."""
    other = first.places[0].path
    if first.units and second.units and first.units != second.units:
        what = f"'{second.name}' has the unit '{second.units}' here and '{first.units}' in {other}; use one unit"
        faults.append(Fault(second.places[0], what))
    if first.dated != second.dated:
        kinds = ("dates", "numbers") if second.dated else ("numbers", "dates")
        what = f"'{second.name}' has {kinds[0]} as times here and {kinds[1]} in {other}; use one kind"
        faults.append(Fault(second.places[0], what))
    for place, time in zip(second.places, second.times, strict=True):
        if time in first.times:
            faults.append(Fault(place, f"'{second.name}' has a value at this time in {other} too; keep one of them"))
    order = np.argsort(np.concatenate([first.times, second.times]), kind="stable")
    times, values = (
        np.concatenate(pair)[order] for pair in ((first.times, second.times), (first.values, second.values))
    )
    places = first.places + second.places
    padded = [one.sources or ("",) * one.times.size for one in (first, second)]
    sources = (*padded[0], *padded[1]) if first.sources or second.sources else ()
    return replace(
        first, times=times, values=values, units=first.units or second.units,
        places=tuple(places[at] for at in order), sources=tuple(sources[at] for at in order) if sources else (),
    )  # fmt: skip


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
        found = {}
        for points in read_data(path).values():
            known = points.values != NA
            places = (points.place,) * int(known.sum())
            name = points.name
            times, values = points.times[known], points.values[known]
            found[series_key(name)] = RawSeries(name, times, values, "", places, dated=False)
        return Observations(os.fspath(path), MappingProxyType(found))
    rows, faults = read_rows(path, ("series", "date", "value"), ("unit", "source"), instead=_TABLE)
    series: dict[str, list[_Point]] = {}
    for row in rows:
        if not row["value"].text:
            continue
        before, title = len(faults), row["series"]
        time, value = time_of(row["date"], faults), number_of(row["value"], faults)
        if not title.text:
            faults.append(Fault(title.place, "the series has no name; write one in the column 'series'"))
        if len(faults) == before:
            series.setdefault(series_key(title.text), []).append((time, value, row))
    faults += [fault for points in series.values() for fault in _mixed([row for *_, row in points])]
    if not series and not faults:
        what = "has no observations; write one line with series, date and value for each"
        faults.append(Fault(os.fspath(path), what))
    if faults:
        raise ObservationError(faults)
    return Observations(os.fspath(path), MappingProxyType({name: _raw(points) for name, points in series.items()}))


def series_key(name: str, subscripts: Sequence[str] = ()) -> str:
    """Return the form under which two spellings of a series' name, labels in brackets included, are the same."""
    base, labels = split_name(name)
    return join_name(key(base), tuple(map(key, (*subscripts, *labels))))


def _is_exported(path: str | os.PathLike[str]) -> bool:
    """Whether a file has one of Vensim's formats rather than one row per observation."""
    if Path(path).suffix.lower() != ".csv":
        return True
    try:
        return _EXPORTED.match(decode_text(Path(path).read_bytes())) is not None
    except (OSError, ValueError):
        return False  # reading the file reports what is wrong


def _mixed(rows: list[Row]) -> Iterator[Fault]:
    """Report where a series changes its unit, or mixes dates and numbers."""
    name, unit, date = (rows[0][column] for column in ("series", "unit", "date"))
    for row in rows:
        if row["unit"].text != unit.text:
            what = f"'{name.text}' has the unit '{unit.text}' above and '{row['unit'].text}' here; make it two series"
            yield Fault(row["value"].place, what)
    for row in rows:
        if _is_date(row["date"]) != _is_date(date):
            yield Fault(row["date"].place, f"'{name.text}' mixes dates and numbers as times; use one kind")


def _raw(points: list[_Point]) -> RawSeries:
    """Sort the points of one series by time; duplicate times stay, since only the user of the series can judge them."""
    first = points[0][2]
    times, values, rows = zip(*sorted(points, key=lambda point: point[0]), strict=True)
    places, sources = tuple(row["value"].place for row in rows), tuple(row["source"].text for row in rows)
    name, unit, dated = first["series"].text, first["unit"].text, _is_date(first["date"])
    return RawSeries(name, np.array(times), np.array(values), unit, places, dated, sources)
