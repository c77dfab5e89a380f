"""What `sdmodel compare` is asked: variables, times, thresholds, and how much of the answer is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import common_times
from ..dataset import find_variable, has_variable
from ..errors import AnalysisError
from .tables import note, terminal_width
from .views.headlines import headline_names, round_times

_NAME, _COLUMN, _COLUMNS = 50, 18, 5
"""Letters of names, units and runs beside the columns of dates, of one such column, and how many there are at most."""


class PerCent(click.ParamType[float]):
    """A share in per cent, such as `5%`."""

    name = "per cent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number, 0.05 for 5 %."""
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).strip().removesuffix("%")) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share < float("inf"):
            self.fail(f"{value!r} is no per cent; write one from 0 up, such as 5%", param, ctx)
        return share


@dataclass(frozen=True)
class Question:
    """What is asked of runs: variables, times in the model's unit, thresholds, and how much of the answer is told.

    `pictures` are where the runs and their differences are drawn, if they are.
    """

    names: tuple[str, ...]
    at: tuple[float, ...]
    absolute: float
    relative: float
    top: int
    bands: tuple[float, ...]
    pictures: tuple[Path, Path] | None
    force: bool
    as_json: bool


def asked_names(question: Question, runs: Mapping[str, xr.Dataset]) -> list[str]:
    """The variables that are asked for, else the headlines of the first run that all have."""
    first, *others = runs.values()
    return list(question.names) or [
        name for name in headline_names(first) if all(has_variable(run, name) for run in others)
    ]


def check_answerable(names: Sequence[str], times: Sized) -> None:
    """Make sure that there is something to tell, at some time."""
    if not names:
        message = "the runs share no headline; choose with --on"
        raise AnalysisError(message)
    if not len(times):
        message = "the runs share no time; only --constants can compare them"
        raise AnalysisError(message)


def asked_times(question: Question, runs: Mapping[str, xr.Dataset]) -> tuple[float, ...]:
    """The times that are asked for, else a few round ones that all runs reach: the last, but not the first, when most are alike."""
    if question.at:
        return question.at
    times = shared_times(runs)
    columns = max(2, min(_COLUMNS, (terminal_width() - _NAME) // _COLUMN)) + 1
    places = round_times(times, columns) if times.size else times.astype(int)
    return tuple(map(float, times[places[1:] if places.size > 1 else places]))


def shared_times(runs: Mapping[str, xr.Dataset]) -> NDArray[np.float64]:
    """The stored times of the first run that lie within those of all others."""
    first, *others = runs.values()
    times = common_times(first, first)
    for each in others:
        times = times[np.isin(times, common_times(first, each))]
    return times


def draw_differences(
    runs: Mapping[str, xr.Dataset], differences: Mapping[str, xr.Dataset], names: Sequence[str], question: Question
) -> list[Path]:
    """Draw how far runs are from the first, of the variables in which one is; where it goes, or nothing if none is."""
    from ..figures import plot_differences, save_figure

    first = next(iter(runs))
    kept = [name for name in names if all(has_variable(each, name) for each in differences.values())]
    moved = [
        name for name in kept if any(bool((find_variable(each, name) != 0).any()) for each in differences.values())
    ]
    if not moved or question.pictures is None:
        note("nothing that is asked for differs, so that no differences are drawn")
        return []
    figure = plot_differences(first, runs[first], differences, moved)
    return [save_figure(figure, question.pictures[1], force=question.force)]


def signed(told: str, value: float) -> str:
    """A number that is told, with a plus if it is above zero."""
    return f"+{told}" if value > 0 else told


def names_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Files of runs by what they are called: their names, or the whole path where two have the same name."""
    unique = list(dict.fromkeys(paths))
    stems = [path.stem for path in unique]
    return {path.stem if stems.count(path.stem) == 1 else str(path.with_suffix("")): path for path in unique}
