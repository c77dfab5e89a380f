"""What `sdmodel diagram --run` shows of stored runs: the value of each variable at a date, or its change from run to run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...comparison import Outcome, position_of, relative_changes
from ...dataset import DATE, TIME, find_variable, has_variable, member_dims
from ...errors import DatasetError
from ...figures import Shade, Shades
from ...model import key
from ...numerals import number
from ...store import find_run, open_run
from ..moments import outcomes_of
from ..tables import note

_LARGEST = 1.0
_ROUND = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Ends of the scale of changes; what lies beyond 100 % looks as 100 % does."""


def shades_of(names: Sequence[str], folder: Path, date: str | None, variables: Iterable[str]) -> Shades:
    """The shades of variables, by the names that a sketch has them by, in one run or from one run to another."""
    runs = {name: _single(name, open_run(find_run(name, folder))) for name in names}
    first = next(iter(runs.values()))
    times = np.asarray(first[TIME].values, dtype=float)
    last = f"{times[-1]:.10g}"
    (at,) = outcomes_of((date or last,), (), times, dated=DATE in first.coords)
    for each in runs.values():
        outcomes_of((date or last,), (), np.asarray(each[TIME].values, dtype=float), dated=DATE in each.coords)
    known = [name for name in dict.fromkeys(variables) if all(has_variable(run, name) for run in runs.values())]
    if not known:
        message = f"run '{names[0]}': has no variable that the sketch shows; choose a run of this model"
        raise DatasetError(message)
    told = f"{date or last}"
    if len(runs) == 1:
        return _values(names[0], first, known, at, told)
    return _changes(names, list(runs.values()), known, at, told)


def _single(name: str, run: xr.Dataset) -> xr.Dataset:
    if member_dims(run):
        message = (
            f"run '{name}': has several members; choose a single run, or take one out with `sdmodel convert --member`"
        )
        raise DatasetError(message)
    return run


def _values(name: str, run: xr.Dataset, variables: Sequence[str], at: Outcome, date: str) -> Shades:
    """Each variable's value, on colours by its place within its own range over time."""
    shades = {}
    for each in variables:
        variable = find_variable(run, each)
        position = position_of(variable, at)
        place = None if not math.isfinite(position.place) else min(1.0, max(0.0, position.place))
        shades[key(each)] = Shade(place, _spread([number(value, str(variable.attrs.get("units", ""))) for value in _ends(position.values)]))  # fmt: skip
    meaning = f"Run {name} at {date}: value, coloured by its place between the variable's own least and largest over time; grey: constant"
    return Shades("value", meaning, ("least", "largest"), MappingProxyType(shades))


def _changes(
    names: Sequence[str], runs: Sequence[xr.Dataset], variables: Sequence[str], at: Outcome, date: str
) -> Shades:
    """The change of each variable in percent of what it was, the median over its labels, on colours around zero."""
    changes = {each: relative_changes(find_variable(runs[0], each), find_variable(runs[1], each), at) for each in variables}  # fmt: skip
    middles = {each: float(np.median(np.nan_to_num(values, nan=0.0))) for each, values in changes.items()}
    widest = max(abs(value) for value in middles.values())
    end = next((each for each in _ROUND if each >= widest), _LARGEST)
    shades = {
        key(each): Shade(0.5 + 0.5 * float(np.clip(middles[each] / end, -1, 1)), _spread([_percent(value) for value in _ends(values)]))
        for each, values in changes.items()
    }  # fmt: skip
    if not widest:
        note(f"the runs do not differ at {date} in what the sketch shows")
    beyond = " or beyond" if widest > end else ""
    meaning = f"Run {names[1]} against {names[0]} at {date}: change in % of its size; of arrays, the median{beyond and ', cut off at the ends'}"
    return Shades("change", meaning, (f"\u2212{100 * end:g} %", f"+{100 * end:g} %"), MappingProxyType(shades))


def _ends(values: NDArray[np.float64]) -> list[float]:
    """The least and the largest of the cells of an array, or the number there is."""
    return [float(values.min()), float(values.max())] if values.size > 1 else [float(values[0])]


def _spread(texts: Sequence[str]) -> str:
    """From the least to the largest, once where they are told by the same words."""
    return " \u2013 ".join(dict.fromkeys(texts)).replace("-", "\u2212")


def _percent(share: float) -> str:
    if math.isnan(share):
        return "?"
    if math.isinf(share):
        return "from 0"
    return f"{100 * share:+.3g} %" if share else "0 %"
