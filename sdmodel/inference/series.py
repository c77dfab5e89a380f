"""Series: formulas over a model, what was observed of them, and how far the two may differ.

They come from a mapping file next to the model, or from a Vensim payoff definition.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..errors import Fault, ObservationError, Place, ScenarioError
from ..model import (
    Cell,
    Model,
    display_name,
    evaluate_arrays,
    is_reference,
    join_name,
    key,
    labels_of,
    nearest,
    plan,
    references_in,
    split_reference,
    suggest,
)
from ..numerals import YEAR_UNITS
from ..scenario import Payoff, PayoffTerm
from ..vensim import read_formula
from .observations import Entry, Observations, RawSeries, Row, number_of, read_rows, series_key, time_of

ErrorKind = Literal["absolute", "relative", "log"]

_SUFFIX = ".series.csv"
_TIME = "time"
_COLUMNS = ("name", "model", "data", "error", "size")
_OPTIONAL = ("note", "since", "until", "correlation", "lag", "within")
_SAME = 1e-9
"""Tolerance for two dates that are meant to be the same."""
_PERCENT = re.compile(r"\s*%$")
_PAYOFF_ERRORS: Mapping[str, tuple[str, float]] = {"C": ("absolute", -1), "CL": ("log", -1), "CK": ("absolute", 0.5)}
"""The error model of each kind of payoff term, and the power of its weight that is one standard deviation (manual,
"Extended Payoffs": *C weighs differences, *CL those of logarithms, and the weight of *CK is a variance)."""


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """How far an observation y may lie from the model's value x: `size` is one standard deviation.

    absolute: y ~ N(x, size), in the units of y. relative: y ~ N(x, size |y|), a share of the observation, so that the weight
    is fixed as it is in Vensim's payoffs. log: ln y ~ N(ln x, size), for errors that are factors.

    With a `correlation` time above 0, in the model's unit of time, the standardised errors of a series are a stationary
    Ornstein-Uhlenbeck process: two errors that lie dt apart have the correlation exp(-dt/correlation).
    """

    kind: ErrorKind
    size: float
    correlation: float = 0.0


@dataclass(frozen=True, eq=False)
class Series:
    """A formula over a model and its observations: `values` at model times `times`, shape (n,), both in `units`.

    `left_out` says which observations are not used, and why; `sources` names who published those that are. `lag` is the time
    from the date of an observation to its publication, in the model's unit.
    """

    name: str
    model: Expr
    model_text: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    error: ErrorModel
    units: str
    place: Place
    note: str = ""
    left_out: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    lag: float = 0.0

    def __post_init__(self) -> None:
        """Check that correlated errors have increasing times."""
        wrong = np.flatnonzero(np.diff(self.times) <= 0)
        if wrong.size and self.error.correlation > 0:
            at = self.times[wrong[0] + 1]
            what = f"'{self.name}' has correlated errors and a repeated or earlier time at {at:.7g}"
            cure = "keep one value per time, in order, or leave its correlation empty"
            raise ObservationError([Fault(self.place, f"{what}; {cure}")])

    @property
    def deviations(self) -> NDArray[np.float64]:
        """One standard deviation of each observation, shape (n,), in `units`; of its logarithm for a log error."""
        sizes = np.full(self.values.shape, float(self.error.size))
        return sizes * np.abs(self.values) if self.error.kind == "relative" else sizes


def find_series_file(model_path: str | os.PathLike[str]) -> Path | None:
    """Return the file that pairs a model with observations, `MODEL.series.csv` next to `MODEL.mdl`, if it exists."""
    path = Path(model_path).with_suffix(_SUFFIX)
    return path if path.is_file() else None


def error_memory(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how each standardised error follows from the one before it: the share exp(-dt/correlation) carried over and
    the share sqrt(1 - that^2) that is new, both of shape (n,). The first error and independent errors are all new.

    Source: Uhlenbeck and Ornstein (1930), Phys. Rev. 36:823-841; sampled at times, the process is autoregressive of first
    order, so that each error depends on earlier ones through the last one alone.
    """
    carried, new = np.zeros(series.times.size), np.ones(series.times.size)
    if series.error.correlation > 0:
        spacing = np.diff(series.times) / series.error.correlation
        carried[1:], new[1:] = np.exp(-spacing), np.sqrt(-np.expm1(-2 * spacing))
    return carried, new


def join_series(files: Sequence[tuple[Series, ...]]) -> tuple[Series, ...]:
    """Return the series of several mapping files together.

    Raises
    ------
    ObservationError
        If two files contain a series of the same name.
    """
    known: dict[str, Series] = {}
    faults = []
    for series in (series for file in files for series in file):
        if key(series.name) in known:
            what = f"'{series.name}' is in {known[key(series.name)].place.path} too; give one of them another name"
            faults.append(Fault(series.place, what))
        known.setdefault(key(series.name), series)
    if faults:
        raise ObservationError(faults)
    return tuple(known.values())


def series_between(series: Sequence[Series], since: float, until: float) -> tuple[Series, ...]:
    """Return the series with their observations between two times, both included; those without any are left out.

    Raises
    ------
    ObservationError
        If no series has an observation between them.
    """
    found = []
    for item in series:
        used = (item.times >= since) & (item.times <= until)
        if used.any():
            unused = f"{int((~used).sum())} outside --since and --until"
            left_out = item.left_out if used.all() else (*item.left_out, unused)
            found.append(replace(item, times=item.times[used], values=item.values[used], left_out=left_out))
    if not found and series:
        what = f"no series has an observation between {since:.7g} and {until:.7g}; choose other times"
        raise ObservationError([Fault("--since, --until", what)])
    return tuple(found)


def read_series(path: str | os.PathLike[str], observations: Observations, model: Model) -> tuple[Series, ...]:
    r"""Read a mapping file, which pairs formulas over a model with observations.

    Parameters
    ----------
    path : str or path
        A `.csv` file with the columns `name`, `model` (a formula over the model), `data` (a formula over the observed
        series), `error` (`absolute`, `relative` or `log`) and `size` (one standard deviation; `10%` for a share), and
        optionally `note`, `since`, `until`, `correlation`, `lag` and `within`. `since` and `until` bound the times that are
        used, both included. `lag` is the time from the date of an observation to its publication, which back-tests respect.
        Within a span of `within`, the dates of the series in a formula count as the same: those of the first. All spans are
        in the model's unit of time. `correlation` is the time, in the model's unit, over which errors persist: those of two points dt apart
        have the correlation exp(-dt/correlation); without it errors are independent.
    observations : Observations
        What `read_observations` returns. A formula over several series holds at the times at which all have a value (see
        `within`).
    model : Model
        The model that the formulas refer to.

    Returns
    -------
    tuple of Series
        One series per name, in the order of the file, each in its own units. Rows of one name form one series if they
        differ only in `data` and its bounds: a sum can gain terms as these begin to be published.

    Raises
    ------
    ObservationError
        If a row names something unknown or pairs nothing, or an observation does not suit its error model; every such
        place is listed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "observations.csv").write_text("series,date,value\nseen,1,2.5\nseen,2,4.5\n")
    >>> _ = (folder / "m.series.csv").write_text("name,model,data,error,size\nstock,Stock,seen,absolute,0.5\n")
    >>> model = tiny_model("Stock = INTEG(rate, 0)\nrate = 2")
    >>> (series,) = sd.read_series(folder / "m.series.csv", sd.read_observations(folder / "observations.csv"), model)
    >>> series.name, series.values.tolist(), series.deviations.tolist()
    ('stock', [2.5, 4.5], [0.5, 0.5])
    """
    rows, faults = read_rows(path, _COLUMNS, _OPTIONAL)
    series = _series_of_rows(rows, observations, model, faults)
    if not rows and not faults:
        faults.append(Fault(os.fspath(path), f"has no rows; write one with {', '.join(_COLUMNS)} for each series"))
    if faults:
        raise ObservationError(dict.fromkeys(faults))
    return series


def _series_of_rows(
    rows: Iterable[Row], observations: Observations, model: Model, faults: list[Fault]
) -> tuple[Series, ...]:
    """Make the series of rows with the columns of a mapping file; append what is wrong with them to `faults`."""
    parts: dict[str, list[_Part]] = {}
    for row in rows:
        part = _read_row(row, observations, model, faults)
        if part is not None:
            parts.setdefault(key(part[0].name), []).append(part)
    return tuple(_united(part, faults) for part in parts.values())


_Part = tuple[Series, NDArray[np.float64]]
"""The series of one row, and all times of the observations that it draws on."""


def _read_row(row: Row, observations: Observations, model: Model, faults: list[Fault]) -> _Part | None:
    """Parse a row and make its series from the observations; return None if either is wrong."""
    before = len(faults)
    title, data = row["name"], row["data"]
    if not title.text:
        faults.append(Fault(title.place, "the series has no name; write one in the column 'name'"))
    over_model = _formula(row["model"], lambda name, labels: _wrong_element(name, labels, model), faults)
    over_data = _formula(data, lambda name, labels: _wrong_data(name, labels, observations), faults)
    error = _error_model(row, faults)
    since, until = (
        time_of(row[column], faults) if row[column].text else default
        for column, default in (("since", -math.inf), ("until", math.inf))
    )
    lag, within = (_duration(row[column], faults) for column in ("lag", "within"))
    if since > until:
        faults.append(Fault(row["until"].place, "until is before since; swap them"))
    if len(faults) > before or over_model is None or over_data is None or error is None:
        return None
    names = (series_key(*split_reference(reference)) for reference in references_in(over_data))
    raw = {name: observations.series[name] for name in names}
    dated = next((one.name for one in raw.values() if one.dated), None)
    if dated is not None and model.time_units.lower() not in YEAR_UNITS:
        what = f"'{dated}' has dates, but the model counts time in '{model.time_units}'; write numbers in that unit instead"
        faults.append(Fault(data.place, what))
    faults += _duplicated(raw.values(), since, until)
    all_times = np.unique(np.concatenate([one.times for one in raw.values()]))
    inside = all_times[(all_times >= since) & (all_times <= until)]
    shared, places = _joined(raw, inside, within)
    if not shared.size and len(faults) == before:
        between = "".join(f" {word} {row[word].text}" for word in ("since", "until") if row[word].text)
        what = f"'{data.text:.80}' has no value at any time that its series share{between}"
        faults.append(Fault(data.place, f"{what}; change since and until, or leave a series out"))
    if len(faults) > before:
        return None
    joined = {name: one.values[places[name]] for name, one in raw.items()}
    values = evaluate_arrays(over_data, lambda name, labels: joined[series_key(name, labels)])
    values = np.broadcast_to(values, shared.shape)
    only = next(iter(raw.values())) if is_reference(over_data) else None
    faults += _unsuitable(row, error.kind, only, shared, values)
    element = model.elements.get(split_reference(over_model)[0]) if is_reference(over_model) else None
    units = (element.units if element else "") or (only.units if only else "")
    sourced = ((one.sources, places[name]) for name, one in raw.items() if one.sources)  # a file may have none
    sources = dict.fromkeys(filter(None, (texts[place] for texts, used in sourced for place in used)))
    series = Series(
        title.text, over_model, row["model"].text, shared, values, error, units, title.place, row["note"].text,
        _left_out(raw, all_times, inside, shared, within), tuple(sources), lag,
    )  # fmt: skip
    return series, all_times


def _joined(
    raw: Mapping[str, RawSeries], inside: NDArray[np.float64], within: float
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.intp]]]:
    """Return the times at which a formula has a value, shape (n,), and the places of each series' values there, by key.

    The dates of the first series count. Each other series contributes its value nearest to a date, at most `within` away and
    used once.
    """
    times = next(iter(raw.values())).times
    times = times[np.isin(times, inside)]
    kept, places = np.ones(times.size, dtype=bool), {}
    for name, one in raw.items():
        usable = np.flatnonzero(np.isin(one.times, inside))
        if not (usable.size and times.size):
            return np.empty(0), {other: np.empty(0, dtype=np.intp) for other in raw}
        own = one.times[usable]
        closest = _nearest_places(own, times)
        used_once = _nearest_places(times, own)[closest] == np.arange(times.size)
        kept &= (np.abs(own[closest] - times) <= within + _SAME) & used_once
        places[name] = usable[closest]
    return times[kept], {name: used[kept] for name, used in places.items()}


def _nearest_places(times: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return where the nearest of some times, in order, is to each of others; of two as near the earlier one."""
    after = np.minimum(np.searchsorted(times, at), times.size - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(at - times[before]) <= np.abs(times[after] - at), before, after)


def _left_out(
    raw: Mapping[str, RawSeries],
    all_times: NDArray[np.float64],
    inside: NDArray[np.float64],
    shared: NDArray[np.float64],
    within: float,
) -> tuple[str, ...]:
    """Say how many dates of the series in a formula are not used, and why."""
    others = np.setdiff1d(inside, shared)
    unused = {"outside since and until": all_times.size - inside.size}
    for one in raw.values():
        near = np.abs(one.times[_nearest_places(one.times, others)] - others) <= within + _SAME
        unused[f"without a value of '{one.name}'"] = int(others.size - near.sum())
    return tuple(f"{count} {why}" for why, count in unused.items() if count)


def _duration(entry: Entry, faults: list[Fault]) -> float:
    """Return a time span in the model's unit; an empty entry is 0."""
    value = number_of(entry, faults) if entry.text else 0.0
    if value < 0:
        faults.append(
            Fault(entry.place, f"{entry.text} is below zero; write a time span in the model's unit, or nothing")
        )
    return value


def _formula(entry: Entry, fault_in: Callable[[str, tuple[str, ...]], str], faults: list[Fault]) -> Expr | None:
    """Parse a formula; `fault_in` says what is wrong with a name and its subscripts, or returns an empty text."""
    try:
        expression = read_formula(entry.text, str(entry.place))
    except ScenarioError as error:
        faults += [Fault(entry.place, fault.what) for fault in error.faults]
        return None
    names = list(dict.fromkeys(map(split_reference, references_in(expression))))
    wrong = [what for what in (fault_in(*name) for name in names) if what]
    if all(name == _TIME for name, _ in names):
        wrong = [f"'{entry.text:.40}' names no variable; write a formula over at least one"]
    faults += [Fault(entry.place, what) for what in wrong]
    return None if wrong else expression


def _wrong_data(name: str, subscripts: tuple[str, ...], observations: Observations) -> str:
    if series_key(name, subscripts) in observations.series:
        return ""
    shown = join_name(name, subscripts)
    cure = suggest(shown, [series.name for series in observations.series.values()], "use a name from that file")
    return f"'{shown}' is not a series of {observations.path}; {cure}"


def _wrong_element(name: str, subscripts: tuple[str, ...], model: Model) -> str:
    """Say why a name is not one number of the model at each time."""
    element = model.elements.get(name)
    if element is None or element.hidden:
        if name == _TIME and not subscripts:
            return ""
        close = nearest(name, model.names)
        cure = f"did you mean '{display_name(close)}'?" if close else f"name a variable of {model.path}"
        return f"'{name.replace('_', ' ')}' is not in the model; {cure}"
    if element.kind == "lookup":
        return f"'{display_name(element.name)}' is a lookup; name a variable that uses it"
    name = display_name(element.name)
    if len(subscripts) != len(element.dimensions):
        ranges = ", ".join(display_name(model.subscripts[dimension].name) for dimension in element.dimensions)
        if not ranges:
            return f"'{name}' has no subscripts; leave the brackets out"
        return f"'{name}' has the subscripts {ranges}; write one label for each: {name}[label]"
    for dimension, label in zip(element.dimensions, subscripts, strict=True):
        known = labels_of(model.subscripts, dimension)
        if key(label) not in known:
            names = [display_name(model.labels[other]) for other in known]
            cure = suggest(label, names, f"it has {', '.join(names)}")
            return f"'{name}' has no label '{label}'; {cure}"
    return ""


def _error_model(row: Row, faults: list[Fault]) -> ErrorModel | None:
    """Parse the error model of a row; a share may be written in per cent, an empty correlation time means 0."""
    kind, size, correlation = (row[column] for column in ("error", "size", "correlation"))
    known, word = get_args(ErrorKind), kind.text.lower()
    share = _PERCENT.search(size.text) is not None
    if word not in known:
        cure = suggest(word, known, f"write one of {', '.join(known)}")
        faults.append(Fault(kind.place, f"'{kind.text:.40}' is not an error model; {cure}"))
    elif share and word == "absolute":
        faults.append(Fault(size.place, "an absolute error is in the units of the series; write it without %"))
    value = number_of(replace(size, text=_PERCENT.sub("", size.text)), faults)
    if value <= 0:
        faults.append(Fault(size.place, f"the size of an error is {size.text}; write a number above zero"))
    memory = number_of(correlation, faults) if correlation.text else 0.0
    if memory <= 0 and correlation.text:
        what = f"the correlation time of the errors is {correlation.text:.40}"
        cure = "write a number above zero in the model's unit of time, or leave it empty for independent errors"
        faults.append(Fault(correlation.place, f"{what}; {cure}"))
    if word not in known:
        return None
    return ErrorModel(cast("ErrorKind", word), value / 100 if share else value, memory)


def _duplicated(raw: Iterable[RawSeries], since: float, until: float) -> Iterator[Fault]:
    for series in raw:
        used = (series.times >= since) & (series.times <= until)
        for at in np.flatnonzero(used[1:] & (np.diff(series.times) == 0)) + 1:
            what = f"'{series.name}' has another value at this time, {series.values[at - 1]:g}; keep one of them"
            yield Fault(series.places[at], what)


def _unsuitable(
    row: Row, kind: str, only: RawSeries | None, times: NDArray[np.float64], values: NDArray[np.float64]
) -> Iterator[Fault]:
    """Report observations that do not suit the error model of their series."""
    for time, value in zip(times, values, strict=True):
        if not math.isfinite(value):
            what = "is not finite; exclude that time with since and until"
        elif (kind == "log" and value <= 0) or (kind == "relative" and value == 0):
            what = f"is {value:g}, which does not suit a {kind} error; use an absolute error, or exclude that time"
        else:
            continue
        place = row["data"].place if only is None else only.places[int(np.searchsorted(only.times, time))]
        yield Fault(place, f"'{row['name'].text}' at {time:.7g} {what}")


def _united(parts: Sequence[_Part], faults: list[Fault]) -> Series:
    series = [part for part, _ in parts]
    first = series[0]
    if len(series) == 1:
        return first
    for other in series[1:]:
        if other.model != first.model or other.error != first.error or other.lag != first.lag:
            what = f"'{first.name}' has another model, error or lag in line {first.place.line}"
            faults.append(Fault(other.place, f"{what}; write the same in both, or give this one another name"))
    times = np.concatenate([part.times for part in series])
    lines = np.concatenate([np.full(part.times.size, place) for place, part in enumerate(series)])
    order = np.argsort(times, kind="stable")
    for at in np.flatnonzero(np.diff(times[order]) == 0) + 1:
        what = f"'{first.name}' has another value at {times[order[at]]:.7g} from a line above"
        faults.append(Fault(series[lines[order[at]]].place, f"{what}; separate its lines with since and until"))
    unused = np.setdiff1d(np.concatenate([all_times for _, all_times in parts]), times).size
    left_out = (f"{unused} outside all its lines, or without a value of every series",) if unused else ()
    values = np.concatenate([part.values for part in series])
    sources = tuple(dict.fromkeys(source for part in series for source in part.sources))
    return replace(first, times=times[order], values=values[order], left_out=left_out, sources=sources)


def series_from_payoff(payoff: Payoff, observations: Observations, model: Model) -> tuple[Series, ...]:
    """Return the series that the calibration terms of a Vensim payoff make of observations, each in its own units.

    The sum of ((model - data) weight)^2 that Vensim minimises is -2 times a normal log likelihood with the standard
    deviation 1/weight. Observations outside the run are left out, as Vensim does.

    Raises
    ------
    ObservationError
        If a term is not such a sum, or a name is unknown; every such term is listed.
    """
    faults: list[Fault] = []
    rows = [row for term in payoff.terms if (row := _payoff_row(term, model, faults)) is not None]
    series = _series_of_rows(rows, observations, model, faults)
    if faults:
        raise ObservationError(dict.fromkeys(faults))
    return series


def _payoff_row(term: PayoffTerm, model: Model, faults: list[Fault]) -> Row | None:
    """Write a payoff term, whose weight may be a formula over constants of the model, as a row of a mapping file."""
    if term.kind not in _PAYOFF_ERRORS:
        known = f"write one of {', '.join(f'*{kind}' for kind in _PAYOFF_ERRORS)}, or a series file"
        cure = known if term.kind.startswith("C") else "calibration needs data; remove it"
        faults.append(Fault(term.place, f"*{term.kind} is not a sum of squares over data; {cure}"))
        return None
    constants = plan(model).constants
    try:
        expression = read_formula(term.weight, str(term.place))
        weight = float(evaluate_arrays(expression, lambda name, labels: constants[Cell(name, labels)]))
    except ScenarioError as error:
        faults.append(Fault(term.place, error.faults[0].what))
        return None
    except KeyError as missing:
        what = f"depends on '{missing.args[0].key}', which is not a constant; write a number"
        faults.append(Fault(term.place, f"the weight '{term.weight}' {what}"))
        return None
    if not (math.isfinite(weight) and weight > 0):
        faults.append(Fault(term.place, f"the weight '{term.weight}' is {weight:g}; write a number above 0"))
        return None
    kind, power = _PAYOFF_ERRORS[term.kind]
    ends = {name: repr(constants[Cell(time)]) for name, time in (("since", "initial_time"), ("until", "final_time"))}
    texts = {"name": term.model, "model": term.model, "data": term.data, "error": kind, "size": repr(weight**power)}
    return {
        name: Entry(text, term.place)
        for name, text in (texts | ends | {"note": "", "correlation": "", "lag": "", "within": ""}).items()
    }
