"""Time series as Vensim exchanges them: both layouts of `.dat` files, `.csv` or `.tab` tables with time down or across, and `.vdf`."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat, takewhile, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ...errors import Fault, ObservationError, Place
from ...extras import load_extra
from ...files import read_bytes, text_of
from ...model import NOWHERE, display_name, join_name, key
from ...numerals import number_cure
from ..read.segments import QUOTED
from ..read.syntax import LINE_END, NUMBER, parse_number

_PAIR = re.compile(rf"\s*+(?P<time>{NUMBER})[\s,]++(?P<value>{NUMBER})(?=[\s,]|$)")
_DECIMAL_COMMA = re.compile(r"\s*+\S+\s++[-+]?\d+,\d")
"""A time, blanks, and a value with a comma."""
_NUMBER = re.compile(rf"\s*+{NUMBER}\s*+$")
_HEADER = re.compile(
    rf"\s*+(?P<name>(?:{QUOTED}|[^\"\[\]</\t]++)(?:\[(?:{QUOTED}|[^\"\[\]])*+\])?)\s*+(?:<[^<>]*>)?\s*+(?:/.*)?$"
)
_QUOTED = re.compile(QUOTED)
_TIME = re.compile(r"\"?\s*+time\s*+(?:\([^()]*\)\s*+)?\"?\s*+$", re.IGNORECASE)
"""The first cell of a table that has titles above, with or without a unit."""
TIME_HEADING = re.compile(r"\"?\s*time\b", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Points:
    """A time series of a file: its name as written, rising times (n,), values (n,) in the file's units, and its place."""

    name: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    place: Place = field(default=NOWHERE)


@dataclass(slots=True)
class _Series:
    """A series while its file is read: values by time; if a time occurs twice, the later value counts."""

    name: str
    place: Place
    values: dict[float, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """The series and faults found so far in a file."""

    path: str
    series: dict[str, _Series] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def named(self, name: str, line: int, column: int = 1) -> _Series:
        """Return the series of that name, a new one if necessary: Vensim joins the parts of a series."""
        shown = " ".join(name.split())
        shown = join_name(display_name(shown)) if _QUOTED.fullmatch(shown) else shown
        return self.series.setdefault(key(shown), _Series(shown, Place(self.path, line, column)))

    def fault(self, line: int, what: str) -> None:
        self.faults.append(Fault(Place(self.path, line), what))

    def add(self, series: _Series, number: int, time: str, cell: str) -> None:
        """Add one cell of a table; an empty cell is a missing value."""
        if not cell.strip():
            return
        try:
            series.values[parse_number(time)] = parse_number(cell)
        except ValueError as error:
            odd = cell if _NUMBER.match(time) else time
            self.fault(number, f"{error}; {number_cure(odd, 'write numbers for times and values')}")


def read_data(path: str | os.PathLike[str], content: bytes | None = None) -> Mapping[str, Points]:
    """Return the time series of a file by name as written, each with its subscripts in brackets; `content` if it was read before.

    A table has times in its first column or row, with the header Time. A list has one value per line, with the name and
    its labels before time and value (manual, "DLIST2VDF"). Runs and data sets of Vensim (`.vdf`, `.vdfx`) are read by pysimlin.
    Anything else is read as `.dat` (manual, "DAT Format").

    Raises
    ------
    ObservationError
        If the file cannot be read or has no series, with every line that does not fit, or if pysimlin is needed and missing.
    """
    read = read_bytes(path, error=ObservationError) if content is None else content
    if Path(path).suffix.lower().startswith(".vdf"):
        return _read_vdf(os.fspath(path), read)
    text = text_of(read, path, error=ObservationError)
    reading = _Reading(os.fspath(path))
    lines = LINE_END.split(text)
    first = next((line for line in lines if line.strip()), "")
    mark = "," if Path(path).suffix.lower() == ".csv" and "\t" not in first else "\t"
    try:
        if (head := _heading(lines, mark)) is not None:
            _read_table(reading, list(csv.reader(lines[head:], delimiter=mark)), head)
        elif what := _other_table(lines, mark):
            reading.fault(lines.index(first) + 1, what)
        else:
            _read_lines(reading, lines, mark)
    except csv.Error as error:
        what = f"the file is not a table or a list of values ({error}); close its quotes, or export it again"
        reading.faults.append(Fault(reading.path, what))
    if not any(series.values for series in reading.series.values()) and not reading.faults:
        what = "the file has no series with values; write a name, and below it a time and a value per line"
        reading.faults.append(Fault(reading.path, what))
    if reading.faults:
        raise ObservationError(reading.faults)
    points = {}
    for series in reading.series.values():
        times = sorted(series.values)
        values = np.array([series.values[time] for time in times], float)
        points[series.name] = Points(series.name, np.array(times, float), values, series.place)
    return points


def _read_vdf(path: str, content: bytes) -> Mapping[str, Points]:
    """Read a run or data set in Vensim's own format; pysimlin opens files alone, so it is given a copy of what was read."""
    simlin = load_extra(
        "simlin", extra="vdf", task=f"{path}: reading Vensim's own format", error=ObservationError.from_text
    )
    with TemporaryDirectory() as folder:
        copy = Path(folder, "copy.vdf")
        copy.write_bytes(content)
        try:
            table = simlin.load_vdf(copy)
        except simlin.SimlinError as error:
            cause = str(error).rpartition(" failed: ")[2]
            what = f"pysimlin cannot read the file ({cause}); export it from Vensim as .dat, .csv or .tab"
            raise ObservationError([Fault(path, what)]) from error
    points = {}
    for column in table.columns:
        name, bracket, labels = column.removesuffix("]").rpartition("[") if column.endswith("]") else (column, "", "")
        whole = join_name(display_name(name), tuple(map(display_name, labels.split(","))) if bracket else ())
        known = table[column].dropna()
        if len(known):
            points[whole] = Points(whole, known.index.to_numpy(float), known.to_numpy(float), Place(path, 1))
    if not points:
        raise ObservationError([Fault(path, "the file has no series with values; store variables in Vensim's run")])
    return points


def _read_lines(reading: _Reading, lines: Sequence[str], mark: str) -> None:
    """Read names with pairs of time and value below them, or lines with name, time and value."""
    current: _Series | None = None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    for number, line in numbered[1:] if numbered and _is_heading(numbered[0][1], mark) else numbered:
        listed = _listed(line, mark)
        pair = _PAIR.match(line)
        if listed:
            name, (time, value, *others) = listed
            if others:
                reading.fault(
                    number, f"'{name}' has a time and several values; write Time and the times above the table"
                )
            reading.named(name, number).values[time] = value
        elif pair and current is None:
            reading.fault(number, "there is no name above this time and value; write the name of their series there")
        elif pair and _DECIMAL_COMMA.match(line):
            reading.fault(number, f"'{line.split()[1]}' has a comma; write it with a point")
        elif pair and current is not None:
            current.values[parse_number(pair["time"])] = parse_number(pair["value"])
        elif mark in line and _TIME.match(line.split(mark)[0]):
            reading.fault(number, "here begins a table with times; delete the lines above it")
            return
        elif (header := _HEADER.match(line)) and not _NUMBER.match(line):
            current = reading.named(header["name"], number, header.start("name") + 1)
        else:
            current = None
            what = "this is neither a name nor a time and a value; write 'time value', or quote an odd name"
            reading.fault(number, what)


def _listed(line: str, mark: str) -> tuple[str, list[float]] | None:
    """Return the name, and the time and value, of a line that has all three; labels, if any, follow the name."""
    parts = [part.strip() for part in next(csv.reader([line], delimiter=mark), []) if part.strip()]
    texts = list(takewhile(lambda part: not _NUMBER.match(part), parts))
    numbers = list(map(parse_number, takewhile(_NUMBER.match, parts[len(texts) :])))
    if not texts or len(numbers) < 2:  # noqa: PLR2004 - time and value
        return None
    return join_name(display_name(texts[0]), tuple(texts[1:])), numbers


def _is_heading(line: str, mark: str) -> bool:
    """Whether a line names the columns of a list: three or more texts."""
    parts = [part for part in line.split(mark) if part.strip()]
    return len(parts) > 2 and not any(map(_NUMBER.match, parts))  # noqa: PLR2004 - name, time and value


def _heading(lines: Sequence[str], mark: str) -> int | None:
    """Return the place of the line that begins with Time and names columns; above it may be titles, but no series."""
    titles = 0
    for place, line in enumerate(lines):
        if mark in line and (_TIME.match(line.split(mark)[0]) if titles else TIME_HEADING.match(line)):
            return place
        titles += bool(line.strip())
        if _PAIR.match(line) or _NUMBER.match(line.split(mark)[0]) or _listed(line, mark):
            return None
    return None


def _other_table(lines: Sequence[str], mark: str) -> str:
    """Return what is wrong with a table that has other separators, or whose first heading is not Time; or nothing."""
    first, second = [*(line for line in lines if line.strip()), "", ""][:2]
    if TIME_HEADING.match(first) and ";" in first:
        return "the columns are separated by semicolons; save the table with commas, and with points in numbers"
    titles, cells = ([cell.strip() for cell in line.split(mark)] for line in (first, second))
    numbers = [*map(bool, map(_NUMBER.match, cells))]
    if len(titles) == len(cells) > 1 and all(numbers) and not any(map(_NUMBER.match, titles)):
        return f"the first heading of the table is '{titles[0]:.40}'; write Time there"
    return ""


def _read_table(reading: _Reading, rows: list[list[str]], above: int) -> None:
    """Read a table whose first cell is Time, `above` lines below the start; if the next cell is a number, times run across."""
    numbered = [(number, row) for number, row in enumerate(rows, 1 + above) if any(cell.strip() for cell in row)]
    start, header = numbered[0]
    if all(_NUMBER.match(cell) for cell in header[1:] if cell.strip()):
        times = header[1:]
        for number, (name, *values) in numbered[1:]:
            series = reading.named(name, number)
            for time, cell in zip_longest(times, values, fillvalue=""):
                reading.add(series, number, time, cell)
        return
    plain = ((name, _QUOTED.sub("", name)) for name in header[1:])
    for name in (name for name, own in plain if own.count("[") != own.count("]")):
        reading.fault(start, f"the bracket in '{name.strip():.40}' is not closed; put a name with commas in quotes")
    columns = [reading.named(name, start) if name.strip() else None for name in header[1:]]
    counts = Counter(column.name for column in columns if column is not None)
    for name in (name for name, count in counts.items() if count > 1):
        reading.fault(start, f"'{name}' is the heading of several columns; delete all but one")
    for number, (time, *values) in numbered[1:]:
        for column, cell in zip(chain(columns, repeat(None)), values):  # noqa: B905 - the first has no end
            if column is not None:
                reading.add(column, number, time, cell)
            elif cell.strip():
                reading.fault(number, f"the value '{cell}' has no name above it; give its column one")
