"""The headlines of a run as a table: a line each, at a few round times."""

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

from ...dataset import TIME, find_variable, has_variable, long_name, member_dims, subscript_dims
from ...errors import DatasetError, SdmodelError
from ...model import key
from ...numerals import number
from ...vensim import read_savelist
from ..project import savelist_beside
from ..tables import note, print_table, terminal_width

HEADLINES = "headlines"
"""The attribute of a run that lists its headlines, one a line."""

_STOCKS = 12
_LABELS = 12
_COLUMNS = 12
_NAME, _COLUMN = 46, 9
_NEAR = 5


@dataclass(frozen=True)
class Line:
    """One line of a table: a variable, or one label of it, at some times, in its own units."""

    name: str
    units: str
    times: tuple[float, ...]
    values: tuple[float, ...]


def headline_names(run: xr.Dataset) -> tuple[str, ...]:
    """The names that a run, or the save list beside its model, lists, as far as it has them; else its stocks, else
    what changes, twelve of them.
    """
    listed = tuple(name for name in _listed(run) if has_variable(run, name))
    if listed:
        return listed
    moving = {name: each for name, each in run.data_vars.items() if TIME in each.dims}
    stocks = [long_name(each) for each in moving.values() if each.attrs.get("kind") == "stock"]
    names = stocks or [long_name(each) for each in moving.values()]
    if len(names) > _STOCKS:
        kind = "stocks" if stocks else "variables"
        note(f"headlines: {_STOCKS} of {len(names)} {kind}; a save list of the model's name beside it chooses them")
    return tuple(names[:_STOCKS])


def _listed(run: xr.Dataset) -> Sequence[str]:
    """The headlines in the record of a run; a run made from Python has none, and its model's save list stands in."""
    if HEADLINES in run.attrs:
        return str(run.attrs[HEADLINES]).splitlines()
    with contextlib.suppress(SdmodelError, OSError, ValueError):  # the path may be of another machine
        beside = savelist_beside(Path(str(run.attrs["model"])))
        return read_savelist(beside) if beside else ()
    return ()


def headline_lines(run: xr.Dataset, names: Sequence[str], *, quiet: bool = False) -> list[Line]:
    """Each headline at round times, label by label; over members, the median. What is left out is told unless `quiet`."""
    columns = max(3, min(_COLUMNS, (terminal_width() - _NAME) // _COLUMN))
    part = run.isel({TIME: round_times(run[TIME].values, columns)})
    variables = [find_variable(part, name) for name in names]
    longer = [each for each in variables if math.prod(each.sizes[dim] for dim in subscript_dims(each)) > _LABELS]
    if longer and not quiet:
        others = f" and of {len(longer) - 1} more" if len(longer) > 1 else ""
        note(f"the first {_LABELS} labels are shown of '{long_name(longer[0])}'{others}; `plot` draws name[label]")
    return [line for variable in variables for line in _lines(variable, part[TIME])]


def print_headlines(lines: Sequence[Line], time_units: str) -> None:
    """Print the table of headlines, each in its own units."""
    if not lines:
        return
    head = f"Time ({time_units})" if time_units else "Time"
    columns = {head: "fold", "units": "fold"} | {f"{time:.10g}": "right" for time in lines[0].times}
    print_table(
        columns, ([line.name, line.units, *(number(value, line.units) for value in line.values)] for line in lines)
    )


def round_times(times: NDArray[np.float64], columns: int) -> NDArray[np.intp]:
    """Positions of at most so many times, the first and the last among them.

    They are evenly apart, by a round step if one divides the run; else they are whole multiples of a round step.
    """
    if len(times) <= columns:
        return np.arange(len(times))
    span = float(times[-1] - times[0])
    counts = [count for count in range(columns - 1, 1, -1) if 2 * (count + 1) >= columns]
    even = [each for each in (_evenly(times, count) for count in counts) if each is not None]
    even.sort(key=lambda each: not _is_round(float(times[each[1]] - times[each[0]])))
    if even:
        return even[0]
    steps = (
        factor * 10.0**power
        for power in itertools.count(math.floor(math.log10(span / columns)))
        for factor in (1, 2, 5)
    )
    places = (_places(times, step) for step in steps)
    return next(each for each in places if len(each) <= max(2, columns))


def _evenly(times: NDArray[np.float64], count: int) -> NDArray[np.intp] | None:
    """Positions that part a run into so many equal spans, if it has stored those times and they are short to write."""
    wanted = np.linspace(times[0], times[-1], count + 1)
    nearest = np.array([int(np.abs(times - each).argmin()) for each in wanted])
    exactly = np.allclose(times[nearest], wanted, rtol=0, atol=1e-9 * (1 + np.abs(wanted).max()))
    return nearest if exactly and all(len(f"{each:.10g}") < _COLUMN - 2 for each in wanted) else None


def _is_round(step: float) -> bool:
    """Whether a step is one, two or five, or tens or tenths of them."""
    return f"{step:.6e}".partition("e")[0].rstrip("0").rstrip(".") in ("1", "2", "5")


def _places(times: NDArray[np.float64], step: float) -> NDArray[np.intp]:
    """Positions of the first time, the last, and those nearest to whole multiples of a step between them."""
    wanted = np.arange(math.ceil(times[0] / step), math.floor(times[-1] / step) + 1) * step
    nearest = [int(np.abs(times - each).argmin()) for each in (times[0], *wanted, times[-1])]
    return np.unique(nearest)


def check_name(name: str, runs: Mapping[str, xr.Dataset]) -> None:
    """Make sure that the runs have a variable; a word of a longer name leads to it."""
    for called, run in runs.items():
        try:
            find_variable(run, name)
        except DatasetError as fault:
            longer = [long_name(each) for each in run.data_vars.values() if key(name) in key(long_name(each))]
            if "did you mean" in str(fault) or not longer:
                message = f"run '{called}': {fault}"
            else:
                told = ", ".join(f"'{each}'" for each in longer[:_NEAR]) + (" or others" if len(longer) > _NEAR else "")
                message = f"run '{called}': '{name}' is not in the run; did you mean {told}?"
            raise DatasetError(message) from fault


def _lines(variable: xr.DataArray, times: xr.DataArray) -> Iterator[Line]:
    """A line for each label of a variable; a constant stays as it is."""
    units = str(variable.attrs.get("units", ""))
    variable = variable if TIME in variable.dims else variable.expand_dims({TIME: times})
    dims = subscript_dims(variable)
    places = list(itertools.product(*(range(variable.sizes[dim]) for dim in dims)))
    for place in places[:_LABELS]:
        part = variable.isel(dict(zip(dims, place, strict=True))).transpose(TIME, ...)
        labels = ",".join(str(variable.coords[dim].values[at]) for dim, at in zip(dims, place, strict=True))
        middle = np.median(part.values.reshape(len(times), -1), axis=1) if member_dims(part) else part.values
        name = f"{long_name(variable)}[{labels}]" if labels else long_name(variable)
        yield Line(name, units, tuple(map(float, times.values)), tuple(map(float, middle)))
