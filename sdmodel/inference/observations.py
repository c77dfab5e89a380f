"""What was observed: raw series of numbers at times, each number with its place in the file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, ObservationError, Place
from ..model import NA, display, key
from ..vensim import read_data
from .sheet import Row, number_of, read_rows, time_of

_EXPORTED = re.compile(rb"(?:\xef\xbb\xbf)?\s*\"?\s*time\b", re.IGNORECASE)
_LONGEST = 4096
"""Bytes of a first line that are looked at."""


@dataclass(frozen=True, eq=False)
class RawSeries:
    """One series as it was published: values in `units` at times, shape (n,), in the order of time.

    Times are the model's; where the file gives dates, `dated`, they are decimal years. `places` tells where each value is,
    `sources` who published each, as far as the file says.
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
    """The series of a file, by key."""

    path: str
    series: Mapping[str, RawSeries]


def joined_observations(tables: Sequence[Observations]) -> Observations:
    """The series of several files together.

    Raises
    ------
    ObservationError
        If two files have a series of one name.
    """
    found: dict[str, RawSeries] = {}
    faults = []
    for table in tables:
        for name, series in table.series.items():
            if name in found:
                told = f"'{series.name}' is in {found[name].places[0].path} too; keep it in one file"
                faults.append(Fault(series.places[0], told))
            found.setdefault(name, series)
    if faults:
        raise ObservationError(faults)
    return Observations(", ".join(table.path for table in tables), MappingProxyType(found))


def read_observations(path: str | os.PathLike[str]) -> Observations:
    """The series of a file of observations, each in its own units.

    A `.csv` file has the columns `series`, `date` and `value`, and may have `unit`, `source` and any others. A date is a day such as
    2025-06-30, which stands for its midnight, or a number, the model's time; a line without a value is left out. What
    Vensim exports is read too: a `.dat` or `.tab` file, or a table whose first column is Time.

    Raises
    ------
    ObservationError
        With every entry that is no number or no date, and every series that has no one unit.
    """
    if _is_exported(path):
        return Observations(os.fspath(path), MappingProxyType(_exported(path)))
    rows, faults = read_rows(path, ("series", "date", "value"), ("unit", "source"))
    found: dict[str, list[_Point]] = {}
    for row in rows:
        if not row["value"].text:
            continue
        point = _point(row)
        if isinstance(point, list):
            faults += point
        else:
            found.setdefault(series_key(point.series), []).append(point)
    faults += [fault for points in found.values() for fault in _mixed(points)]
    if not found and not faults:
        faults.append(Fault(os.fspath(path), "holds no observation; write a line with series, date and value for each"))
    if faults:
        raise ObservationError(faults)
    return Observations(os.fspath(path), MappingProxyType({name: _raw(points) for name, points in found.items()}))


def series_key(name: str, subscripts: Sequence[str] = ()) -> str:
    """The form of a series' name under which two spellings of it are the same, labels in brackets included."""
    base, bracket, inside = name.partition("[")
    labels = [*subscripts, *(inside.removesuffix("]").split(",") if bracket else ())]
    return f"{key(base)}[{','.join(map(key, labels))}]" if labels else key(base)


def _is_exported(path: str | os.PathLike[str]) -> bool:
    """Whether a file has Vensim's own form, not a line for each observation."""
    if Path(path).suffix.lower() != ".csv":
        return True
    try:
        with Path(path).open("rb") as file:
            return _EXPORTED.match(file.readline(_LONGEST)) is not None
    except (OSError, ValueError):
        return False  # whoever reads it tells


def _exported(path: str | os.PathLike[str]) -> dict[str, RawSeries]:
    """The series of a file in Vensim's form, without its missing values."""
    found = {}
    for points in read_data(path).values():
        known = points.values != NA
        places = (points.place,) * int(known.sum())
        name = display(points.name)
        found[series_key(name)] = RawSeries(name, points.times[known], points.values[known], "", places, dated=False)
    return found


@dataclass(frozen=True, slots=True)
class _Point:
    """One line of a file."""

    series: str
    time: float
    dated: bool
    value: float
    units: str
    place: Place
    date_place: Place
    source: str


def _point(row: Row) -> _Point | list[Fault]:
    """The observation in a line, or what is wrong with it."""
    time, value = time_of(row["date"]), number_of(row["value"])
    faults = [each for each in (time, value) if isinstance(each, Fault)]
    if not row["series"].text:
        faults.append(Fault(row["series"].place, "the series has no name; write one in the column 'series'"))
    if faults or isinstance(time, Fault) or isinstance(value, Fault):
        return faults
    places = row["value"].place, row["date"].place
    return _Point(row["series"].text, time.value, time.is_date, value, row["unit"].text, *places, row["source"].text)


def _mixed(points: list[_Point]) -> list[Fault]:
    """Where a series changes its unit, or from dates to numbers: nothing could be said of it as a whole."""
    first = points[0]
    faults = [
        Fault(each.place, f"'{first.series}' is in '{first.units}' before and in '{each.units}' here; write two series")
        for each in points
        if each.units != first.units
    ]
    wrong = (each for each in points if each.dated != first.dated)
    what = f"'{first.series}' has dates and numbers of time; write one kind"
    return [*faults, *(Fault(each.date_place, what) for each in wrong)]


def _raw(points: list[_Point]) -> RawSeries:
    """The points of one series in the order of time; equal times stay, for who uses the series to judge."""
    ordered = sorted(points, key=lambda point: point.time)
    first = points[0]
    return RawSeries(
        first.series,
        np.array([each.time for each in ordered]),
        np.array([each.value for each in ordered]),
        first.units,
        tuple(each.place for each in ordered),
        first.dated,
        tuple(each.source for each in ordered),
    )
