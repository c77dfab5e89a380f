"""The headline variables of a run as a table, at a few round times."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...dataset import (
    TIME,
    find_in_order,
    find_variable,
    has_variable,
    labels_along,
    long_name,
    member_dims,
    spelled_names,
    subscript_dims,
    with_labels,
)
from ...errors import DatasetError, SdmodelError
from ...model import key
from ...numerals import format_number
from ...vensim import read_savelist, save_list_of
from ..output import Table, columns_beside, note
from ..requests import HEADLINES

_STOCKS = 12
_LABELS = 12
_COLUMNS = 12
_COLUMN_WIDTH = 10
_SUGGESTED = 5


@dataclass(frozen=True)
class Line:
    """One variable, or one label of it, at a few times, in its own units."""

    name: str
    units: str
    times: tuple[float, ...]
    values: tuple[float, ...]


def headline_names(run: xr.Dataset) -> tuple[str, ...]:
    """The headline variables of a run: those listed in its record or beside its model, else stocks, else what varies."""
    listed = tuple(name for name in _listed(run) if has_variable(run, name))
    if listed:
        return listed
    stocks = spelled_names(run, lambda variable: TIME in variable.dims and variable.attrs.get("kind") == "stock")
    names = stocks or spelled_names(run, lambda variable: TIME in variable.dims)
    if len(names) > _STOCKS:
        kind = "stocks" if stocks else "variables"
        note(f"the first {_STOCKS} of {len(names)} {kind} are shown; a save list beside the model chooses headlines")
    return tuple(names[:_STOCKS])


def shared_headlines(runs: Sequence[xr.Dataset]) -> list[str]:
    """The headline variables of the first run that all runs have."""
    names = [name for name in headline_names(runs[0]) if all(has_variable(run, name) for run in runs)]
    if not names:
        message = "the runs share no headline variable; choose with --on"
        raise DatasetError(message)
    return names


def _listed(run: xr.Dataset) -> Sequence[str]:
    """The list in a run's record; runs made from Python have none, so the save list of their model is used."""
    if HEADLINES in run.attrs:
        return str(run.attrs[HEADLINES]).splitlines()
    with contextlib.suppress(SdmodelError, OSError, ValueError):  # the path may belong to another machine
        path = save_list_of(Path(str(run.attrs["model"])))
        return read_savelist(path) if path else ()
    return ()


def headline_lines(run: xr.Dataset, names: Sequence[str], *, quiet: bool = False) -> list[Line]:
    """Variables at round times, label by label; over members, the median. Notes what is left out unless `quiet`."""
    variables = find_in_order(run, names)
    columns = columns_for(variables, width=_COLUMN_WIDTH, least=3, most=_COLUMNS)
    places = round_times(run[TIME].values, columns)
    longer = [long_name(variable) for variable in variables if _label_count(variable) > _LABELS]
    if longer and not quiet:
        others = f" and of {len(longer) - 1} more" if len(longer) > 1 else ""
        note(f"the first {_LABELS} labels of '{longer[0]}'{others} are shown; `plot --on 'name[label]'` shows others")
    times = run[TIME].isel({TIME: places})
    parts = (variable.isel({TIME: places}) if TIME in variable.dims else variable for variable in variables)
    return [line for part in parts for line in _lines(part, times)]


def columns_for(variables: Sequence[xr.DataArray], *others: str, width: int, least: int, most: int) -> int:
    """The number of columns of a width that fit beside the names and units of variables, and beside `others`."""
    names = [name for variable in variables for name, _ in labelled(variable)]
    units = [str(variable.attrs.get("units", "")) for variable in variables]
    return columns_beside([*names, *others], units, width=width, least=least, most=most)


def _label_count(variable: xr.DataArray) -> int:
    return math.prod(variable.sizes[dim] for dim in subscript_dims(variable))


def headline_tables(lines: Sequence[Line], run: xr.Dataset) -> Iterator[Table]:
    """The table of headline variables, each in its own units."""
    if not lines:
        return
    rows = [[line.name, line.units, *(format_number(value, line.units) for value in line.values)] for line in lines]
    yield Table(columns_of_times(time_heading(run), lines[0].times), rows)


def columns_of_times(heading: str, times: Sequence[float]) -> dict[str, str]:
    """The columns of a table with a name, its units, and a number at each time."""
    return {heading: "fold", "units": "fold"} | {f"{time:.10g}": "right" for time in times}


def time_heading(run: xr.Dataset) -> str:
    """The heading of the names in a table over time: the time with its units."""
    units = str(run[TIME].attrs.get("units", ""))
    return f"Time ({units})" if units else "Time"


def round_times(times: NDArray[np.float64], columns: int) -> NDArray[np.intp]:
    """Positions of at most `columns` times, the first and the last among them.

    They are evenly spaced, by a round step if one divides the run; otherwise they are multiples of a round step.
    """
    if len(times) <= columns:
        return np.arange(len(times))
    span = float(times[-1] - times[0])
    counts = [count for count in range(columns - 1, 1, -1) if 2 * (count + 1) >= columns]
    even = [places for count in counts if (places := _evenly_spaced(times, count)) is not None]
    even.sort(key=lambda places: not _is_round(float(times[places[1]] - times[places[0]])))
    if even:
        return even[0]
    steps = (
        factor * 10.0**power
        for power in itertools.count(math.floor(math.log10(span / columns)))
        for factor in (1, 2, 5)
    )
    candidates = (_at_multiples(times, step) for step in steps)
    return next(places for places in candidates if len(places) <= max(2, columns))


def _evenly_spaced(times: NDArray[np.float64], count: int) -> NDArray[np.intp] | None:
    """Positions that divide a run into `count` equal spans, if those times are stored and short to write."""
    exact = np.linspace(times[0], times[-1], count + 1)
    nearest = np.array([int(np.abs(times - time).argmin()) for time in exact])
    stored = np.allclose(times[nearest], exact, rtol=0, atol=1e-9 * (1 + np.abs(exact).max()))
    return nearest if stored and all(len(f"{time:.10g}") < _COLUMN_WIDTH - 2 for time in exact) else None


def _is_round(step: float) -> bool:
    return f"{step:.6e}".partition("e")[0].rstrip("0").rstrip(".") in ("1", "2", "5")


def _at_multiples(times: NDArray[np.float64], step: float) -> NDArray[np.intp]:
    """Positions of the first time, the last, and those nearest to multiples of a step between them."""
    multiples = np.arange(math.ceil(times[0] / step), math.floor(times[-1] / step) + 1) * step
    return np.unique([int(np.abs(times - time).argmin()) for time in (times[0], *multiples, times[-1])])


def check_name(name: str, runs: Mapping[str, xr.Dataset]) -> None:
    """Check that all runs have a variable; the error suggests longer names that contain this one."""
    for run_name, run in runs.items():
        try:
            find_variable(run, name)
        except DatasetError as error:
            longer = [other for other in spelled_names(run, lambda _: True) if key(name) in key(other)]
            if "did you mean" in str(error) or not longer:
                message = f"run '{run_name}': {error}"
            else:
                names = ", ".join(f"'{other}'" for other in longer[:_SUGGESTED])
                message = f"run '{run_name}': '{name}' is not in the run; did you mean {names}"
                message += " or others?" if len(longer) > _SUGGESTED else "?"
            raise DatasetError(message) from error


def labelled(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """The first labels of a variable, each with its full name."""
    dims = subscript_dims(variable)
    for place, labels in itertools.islice(labels_along(variable, dims), _LABELS):
        yield with_labels(long_name(variable), labels), variable.isel(dict(zip(dims, place, strict=True)))


def labelled_with_note(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """The first labels of a variable; a note says if there are more."""
    if _label_count(variable) > _LABELS:
        note(f"the first {_LABELS} labels of '{long_name(variable)}' are shown; `plot --on 'name[label]'` shows others")
    return labelled(variable)


def _lines(variable: xr.DataArray, times: xr.DataArray) -> Iterator[Line]:
    """A line for each label of a variable; a constant is the same at all times."""
    units = str(variable.attrs.get("units", ""))
    variable = variable if TIME in variable.dims else variable.expand_dims({TIME: times})
    for name, part in labelled(variable):
        values = part.transpose(TIME, ...)
        middle = np.median(values.values.reshape(len(times), -1), axis=1) if member_dims(part) else values.values
        yield Line(name, units, tuple(map(float, times.values)), tuple(map(float, middle)))
