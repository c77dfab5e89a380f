"""The file beside a model that says which observations are held against what of it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Indexed

from ..errors import Fault, ObservationError
from ..model import Model, evaluate_arrays, key, nearest
from .mentions import data_formula, model_formula, model_units, series_in
from .observations import Observations, RawSeries, series_key
from .series import ErrorKind, ErrorModel, Series
from .sheet import Entry, Row, number_of, read_rows, time_of

_COLUMNS = ("name", "model", "data", "error", "size")
_OTHERS = ("note", "since", "until", "correlation")
_YEARS = frozenset({"year", "years", "yr", "yrs"})
_PERCENT = re.compile(r"\s*%$")


def joined_series(files: Sequence[tuple[Series, ...]]) -> tuple[Series, ...]:
    """The series of several mapping files together.

    Raises
    ------
    ObservationError
        If two files have a series of one name.
    """
    known: dict[str, Series] = {}
    faults = []
    for each in (series for file in files for series in file):
        if key(each.name) in known:
            told = f"'{each.name}' is in {known[key(each.name)].place.path} too; give one of them another name"
            faults.append(Fault(each.place, told))
        known.setdefault(key(each.name), each)
    if faults:
        raise ObservationError(faults)
    return tuple(known.values())


def read_series(path: str | os.PathLike[str], observations: Observations, model: Model) -> tuple[Series, ...]:
    """The series that a mapping file makes of observations, in its order, each in its own units.

    A line has a `name`, a formula over the `model`, one over the series of the observations (`data`), and the `error` model
    with its `size`; `since` and `until`, which may be left empty, bound the times used, both included. A formula over
    several series holds at the times at which all of them have a value. Lines of one name are one series, if they agree in
    all but `data` and its bounds: so a sum may gain parts as these begin to be published. A `correlation`, in the model's
    unit of time, says how long the errors of a series last: those of two points dt apart have the correlation
    exp(-dt/correlation); where it is empty they are independent.

    Raises
    ------
    ObservationError
        With every line that pairs something with nothing, and every observation that its error model cannot take.
    """
    rows, faults = read_rows(path, _COLUMNS, _OTHERS)
    found = series_of_rows(rows, observations, model, faults)
    if not rows and not faults:
        faults.append(Fault(os.fspath(path), f"pairs nothing; write a line with {', '.join(_COLUMNS)} for each series"))
    if faults:
        raise ObservationError(dict.fromkeys(faults))
    return found


def series_of_rows(
    rows: Iterable[Row], observations: Observations, model: Model, faults: list[Fault]
) -> tuple[Series, ...]:
    """The series that lines with the columns of a mapping file make; what is wrong with them joins `faults`."""
    parts: dict[str, list[_Part]] = {}
    for row in rows:
        line = _line(row, observations, model, faults)
        made = None if line is None else _paired(line, observations, model, faults)
        if made is not None:
            parts.setdefault(key(made.series.name), []).append(made)
    return tuple(_united(each, faults) for each in parts.values())


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the file, read: formulas, error model, and the times between which it holds."""

    row: Row
    model: Expr
    data: Expr
    error: ErrorModel
    since: float
    until: float


def _line(row: Row, observations: Observations, model: Model, faults: list[Fault]) -> _Line | None:
    """What a line says, or nothing if any of it is wrong."""
    before = len(faults)
    if not row["name"].text:
        faults.append(Fault(row["name"].place, "the series has no name; write one in the column 'name'"))
    over_model = model_formula(row["model"], model, faults)
    over_data = data_formula(row["data"], observations, faults)
    error = _error_model(row["error"], row["size"], faults)
    lasting = _correlation(row["correlation"], faults)
    since, until = _bound(row["since"], -math.inf, faults), _bound(row["until"], math.inf, faults)
    if since > until:
        faults.append(Fault(row["until"].place, "until is before since; exchange them"))
    if len(faults) > before or over_model is None or over_data is None or error is None:
        return None
    return _Line(row, over_model, over_data, replace(error, correlation=lasting), since, until)


def _error_model(kind: Entry, size: Entry, faults: list[Fault]) -> ErrorModel | None:
    """The error model of a line; a share may be written in per cent."""
    known = get_args(ErrorKind)
    word = kind.text.lower()
    share = _PERCENT.search(size.text) is not None
    value = number_of(replace(size, text=_PERCENT.sub("", size.text)))
    if word not in known:
        close = nearest(word, known)
        cure = f"did you mean '{close}'?" if close else f"write one of {', '.join(known)}"
        faults.append(Fault(kind.place, f"'{kind.text:.40}' is no error model; {cure}"))
    elif share and word == "absolute":
        faults.append(Fault(size.place, "an absolute error is in the units of the series; write it without %"))
    if isinstance(value, Fault):
        faults.append(value)
    elif value <= 0:
        faults.append(Fault(size.place, f"the size of an error is {size.text}; write a number above zero"))
    elif word in known:
        return ErrorModel(cast("ErrorKind", word), value / 100 if share else value)
    return None


def _correlation(entry: Entry, faults: list[Fault]) -> float:
    """The correlation time that an entry is, or 0 if it is empty."""
    if not entry.text:
        return 0.0
    value = number_of(entry)
    if isinstance(value, float) and value > 0:
        return value
    told = f"the correlation time of the errors is {entry.text:.40}"
    cure = "write a number above zero in the model's unit of time, or nothing for independent errors"
    faults.append(value if isinstance(value, Fault) else Fault(entry.place, f"{told}; {cure}"))
    return 0.0


def _bound(entry: Entry, otherwise: float, faults: list[Fault]) -> float:
    """The time that an entry is, or `otherwise` if it is empty."""
    if not entry.text:
        return otherwise
    found = time_of(entry)
    if isinstance(found, Fault):
        faults.append(found)
        return otherwise
    return found.value


@dataclass(frozen=True, eq=False)
class _Part:
    """The series that one line makes, and all times of the observations that it draws on."""

    series: Series
    every: NDArray[np.float64]


def _paired(line: _Line, observations: Observations, model: Model, faults: list[Fault]) -> _Part | None:
    """The series that a line makes of the observations, or nothing if they do not allow it."""
    entry = line.row["data"]
    raw = {name: observations.series[name] for name in series_in(line.data)}
    wrong = [*_misdated(entry, raw.values(), model), *_doubled(line, raw.values())]
    every = np.unique(np.concatenate([each.times for each in raw.values()]))
    inside = every[(every >= line.since) & (every <= line.until)]
    shared = inside[np.all([np.isin(inside, each.times) for each in raw.values()], axis=0)]
    if not shared.size and not wrong:
        told = f"'{entry.text:.80}' has no value at any time that its series share{_between(line)}"
        wrong = [Fault(entry.place, f"{told}; change since and until, or leave a series out")]
    if wrong:
        faults += wrong
        return None
    picked = {name: each.values[np.isin(each.times, shared)] for name, each in raw.items()}
    values = np.broadcast_to(
        evaluate_arrays(line.data, lambda name, labels: picked[series_key(name, labels)]), shared.shape
    )
    faults += _unfit(line, raw, shared, values)
    units = model_units(line.model, model) or (next(iter(raw.values())).units if _is_single(line.data) else "")
    name, text, note = (line.row[column] for column in ("name", "model", "note"))
    left_out = tuple(_left_out(raw.values(), every, inside))
    series = Series(
        name.text, line.model, text.text, shared, values, line.error, units, name.place, note.text, left_out,
        tuple(_sources(raw.values(), shared)),
    )  # fmt: skip
    return _Part(series, every)


def _sources(raw: Iterable[RawSeries], times: NDArray[np.float64]) -> dict[str, None]:
    """Who published the values at some times, each once."""
    used = [each.sources[at] for each in raw for at in np.flatnonzero(np.isin(each.times, times)) if each.sources]
    return dict.fromkeys(filter(None, used))


def _is_single(expression: Expr) -> bool:
    """Whether a formula is nothing but one name."""
    return bool(expression.is_Symbol) or isinstance(expression, Indexed)


def _between(line: _Line) -> str:
    since, until = line.row["since"].text, line.row["until"].text
    return (f" since {since}" if since else "") + (f" until {until}" if until else "")


def _misdated(entry: Entry, raw: Iterable[RawSeries], model: Model) -> list[Fault]:
    """Dates say nothing to a model that does not count in years."""
    units = model["INITIAL TIME"].units if "INITIAL TIME" in model else ""
    dated = next((each for each in raw if each.dated), None)
    if dated is None or units.lower() in _YEARS:
        return []
    what = f"'{dated.name}' has dates, but the model counts time in '{units}'; write numbers of that time instead"
    return [Fault(entry.place, what)]


def _doubled(line: _Line, raw: Iterable[RawSeries]) -> Iterator[Fault]:
    """Two values at one time are two statements, of which nobody has chosen one."""
    for each in raw:
        used = (each.times >= line.since) & (each.times <= line.until)
        for at in np.flatnonzero(used[1:] & (np.diff(each.times) == 0)) + 1:
            what = f"'{each.name}' has another value at this time, {each.values[at - 1]:g}; keep one of them"
            yield Fault(each.places[at], what)


def _unfit(
    line: _Line, raw: Mapping[str, RawSeries], times: NDArray[np.float64], values: NDArray[np.float64]
) -> Iterator[Fault]:
    """Observations that have no size under the error model of their series."""
    alone = next(iter(raw.values())) if _is_single(line.data) else None
    for time, value in zip(times, values, strict=True):
        kind = line.error.kind
        if not math.isfinite(value):
            what = "is not finite; leave that time out with since and until"
        elif (kind == "log" and value <= 0) or (kind == "relative" and value == 0):
            what = f"is {value:g}, which a {kind} error cannot take; write an absolute error, or leave that time out"
        else:
            continue
        place = line.row["data"].place if alone is None else alone.places[int(np.searchsorted(alone.times, time))]
        yield Fault(place, f"'{line.row['name'].text}' at {time:.7g} {what}")


def _left_out(raw: Iterable[RawSeries], every: NDArray[np.float64], inside: NDArray[np.float64]) -> Iterator[str]:
    """How many times are not used, and why."""
    if len(inside) < len(every):
        yield f"{len(every) - len(inside)} outside of since and until"
    for each in raw:
        absent = len(np.setdiff1d(inside, each.times))
        if absent:
            yield f"{absent} without a value of '{each.name}'"


def _united(parts: Sequence[_Part], faults: list[Fault]) -> Series:
    """The lines of one name as one series."""
    series = [part.series for part in parts]
    first = series[0]
    if len(series) == 1:
        return first
    for each in series[1:]:
        if each.model != first.model or each.error != first.error:
            told = f"'{first.name}' has another model or error in line {first.place.line}"
            faults.append(Fault(each.place, f"{told}; write the same in both, or give this one another name"))
    times = np.concatenate([each.times for each in series])
    lines = np.concatenate([np.full(each.times.size, place) for place, each in enumerate(series)])
    order = np.argsort(times, kind="stable")
    for at in np.flatnonzero(np.diff(times[order]) == 0) + 1:
        told = f"'{first.name}' has another value at {times[order[at]]:.7g}, by a line above"
        faults.append(Fault(series[lines[order[at]]].place, f"{told}; part its lines with since and until"))
    unused = np.setdiff1d(np.concatenate([part.every for part in parts]), times).size
    left_out = (f"{unused} outside of all its lines, or without a value of every series",) if unused else ()
    values = np.concatenate([each.values for each in series])
    sources = tuple(dict.fromkeys(source for each in series for source in each.sources))
    return replace(first, times=times[order], values=values[order], left_out=left_out, sources=sources)
