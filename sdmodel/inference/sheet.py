"""A comma separated file as entries that know their places, so that a fault can point at the entry."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..dataset import decimal_year
from ..errors import Fault, ObservationError, Place
from ..files import read_text
from ..model import key, nearest

_ENTRY = re.compile(
    r'[ \t]*+(?:"(?P<quoted>(?:[^"]|"")*+)"[ \t]*+(?=[,\r\n]|\Z)|(?P<bare>[^,\r\n]*+))(?P<end>,|\r\n|\r|\n|\Z)'
)
_COMMENT = re.compile(r"[ \t]*+#[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_BREAK = re.compile(r"\r\n|\r|\n")
_MARKS = {";": "semicolons", "\t": "tabs"}
"""What spreadsheets may put between entries instead of commas."""
_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in one cell of a file, without quotes and blanks around it, where, and whether its quotes are closed."""

    text: str
    place: Place
    closed: bool = True


Row = Mapping[str, Entry]
"""The entries of one line by the name of their column; every column is there, an entry may be empty."""


@dataclass(frozen=True, slots=True)
class Time:
    """A time as a file tells it: a number of the model's own, or a date, which is a decimal year."""

    value: float
    is_date: bool


def read_rows(
    path: str | os.PathLike[str], columns: Sequence[str], others: Sequence[str]
) -> tuple[list[Row], list[Fault]]:
    """The lines of a file with a header, as far as `columns`, which must be there, and `others`, which may; and its faults.

    Lines that begin with `#` are comments.
    """
    name = os.fspath(path)
    lines = list(_lines(read_text(path, error=ObservationError, wanted="a .csv file"), name))
    header = [key(each.text) for each in lines[0]] if lines else []
    lacking = [each for each in columns if each not in header]
    if lacking:
        place = lines[0][0].place if lines else Place(name, 1)
        marks = [told for mark, told in _MARKS.items() if len(header) == 1 and mark in lines[0][0].text]
        if marks:
            raise ObservationError([Fault(place, f"{marks[0]} stand between the entries; put commas there")])
        raise ObservationError([Fault(place, _no_column(each, header, columns)) for each in lacking])
    wanted = {each: header.index(each) for each in (*columns, *others) if each in header}
    rows: list[Row] = []
    faults: list[Fault] = []
    for line in lines[1:]:
        faults += [Fault(each.place, _OPEN) for each in line if not each.closed]
        if len(line) > len(header):
            faults.append(Fault(line[len(header)].place, _MORE.format(len(line), len(header))))
        nothing = Entry("", line[0].place)
        row = {each: line[at] if at < len(line) else nothing for each, at in wanted.items()}
        rows.append(row | {each: nothing for each in others if each not in wanted})
    return rows, faults


_OPEN = 'a quote is not closed, or something stands behind it; write " around the whole entry and "" for one inside'
_MORE = "this line has {} entries but the header names {}; put an entry with commas in quotes"


def _no_column(name: str, header: Sequence[str], columns: Iterable[str]) -> str:
    close = nearest(name, header)
    guess = f" (is it '{close}'?)" if close else ""
    return f"there is no column '{name}'{guess}; let the first line name {', '.join(columns)}"


def number_of(entry: Entry) -> float | Fault:
    """The number that an entry is, in whatever units."""
    if not _NUMBER.fullmatch(entry.text):
        return Fault(entry.place, f"'{entry.text:.40}' is no number; write one such as 0.45 or 2e9")
    value = float(entry.text)
    return value if math.isfinite(value) else Fault(entry.place, f"{entry.text:.40} is too large; write at most 1e308")


def time_of(entry: Entry) -> Time | Fault:
    """The time that an entry is: a date as a decimal year, or a number of the model's own time."""
    if _NUMBER.fullmatch(entry.text):
        value = number_of(entry)
        return value if isinstance(value, Fault) else Time(value, is_date=False)
    if _DATE.fullmatch(entry.text):
        try:
            return Time(decimal_year(datetime.fromisoformat(entry.text)), is_date=True)
        except ValueError as cause:
            return Fault(entry.place, f"there is no such date as {entry.text} ({cause}); write year-month-day")
    what = f"'{entry.text:.40}' is no date; write one such as 2025-06-30, or a number such as 2025.5"
    return Fault(entry.place, what)


def _lines(text: str, name: str) -> Iterator[list[Entry]]:
    """The entries line by line, without comments and empty lines; a quoted entry may run over several lines."""
    position, number, start = 0, 1, 0
    entries: list[Entry] = []
    while position < len(text):
        comment = None if entries else _COMMENT.match(text, position)
        found = comment or _ENTRY.match(text, position)
        if found is None:  # every text is an entry: the bare form takes what is left
            raise AssertionError
        if comment is None:
            inside = (found["bare"] if found["quoted"] is None else found["quoted"].replace('""', '"')).strip()
            at = len(found[0]) - len(found[0].lstrip(" \t"))
            closed = found["quoted"] is not None or not inside.startswith('"')
            entries.append(Entry(inside, Place(name, number, position - start + at + 1), closed))
        position = found.end()
        breaks = [each.end() for each in _BREAK.finditer(text, found.start(), position)]
        number, start = number + len(breaks), breaks[-1] if breaks else start
        if comment is None and found["end"] != ",":
            if any(each.text for each in entries):
                yield entries
            entries = []
    if any(each.text for each in entries):
        yield entries
