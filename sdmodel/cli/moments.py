"""Dates and statistics over time as users type them: `--at 2028`, `--at 2028-07-01`, `--over max`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..comparison import STATISTICS, Outcome
from ..dataset import decimal_year
from ..errors import DatasetError

at_option = click.option(
    "--at", "dates", multiple=True, metavar="DATE", help="A time of the model, or a day such as 2028-07-01."
)
over_option = click.option(
    "--over",
    "statistics",
    multiple=True,
    type=click.Choice(list(STATISTICS)),
    help="A statistic over the whole run instead of a date.",
)


def outcomes_of(
    dates: Sequence[str], statistics: Sequence[str], times: NDArray[np.float64], *, dated: bool
) -> tuple[Outcome, ...]:
    """The outcomes that are asked for, of a run with these stored times; `dated` says that it counts in years."""
    moments = tuple(Outcome(at=_moment(each, times, dated=dated)) for each in dates)
    return (*moments, *(Outcome(each) for each in statistics))


def _moment(text: str, times: NDArray[np.float64], *, dated: bool) -> float:
    """A date in the model's unit of time, made sure that it lies in the run."""
    value = _number(text)
    if value is None and dated:
        value = _day(text)
    if value is None:
        cure = "write a time of the model, or a day such as 2028-07-01" if dated else "write a time of the model"
        message = f"--at: {text!r} is no date; {cure}"
        raise DatasetError(message)
    first, last = float(times[0]), float(times[-1])
    if not first <= value <= last:
        message = f"--at: {text} is outside the run; give a date from {first:.10g} to {last:.10g}"
        raise DatasetError(message)
    return value


def _number(text: str) -> float | None:
    try:
        value: Any = float(text)
    except ValueError:
        return None
    return float(value) if np.isfinite(value) else None


def _day(text: str) -> float | None:
    try:
        return decimal_year(datetime.fromisoformat(text.strip()))
    except ValueError:
        return None
