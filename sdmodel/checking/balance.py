"""Whether stocks change by what flows in and out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..model import Assignment, spell
from .findings import Finding
from .series import evaluated, series
from .subject import Subject
from .trial import simulated

_LOST = 1e-3
"""So large a part of its flows a stock may lose before it is told; rounding alone stays far below."""


def find_lost_flows(subject: Subject) -> Iterator[Finding]:
    """Stocks whose change, by Euler's method, is not the sum of their net flow over all steps.

    A stock that is larger than its flows by more digits than a number has swallows them whole.
    """
    step = float(subject.base.attrs["time_step"])
    if "not_finite" in subject.base.attrs or subject.base.attrs["saveper"] != step:
        return
    euler = subject.integrator == "euler"
    run = subject.base if euler else simulated(subject.model, subject.every_step, integrator="euler")
    told: set[str] = set()
    for stock in subject.plan.stocks:
        if stock.cell.key in told or stock.cell.key not in subject.keys:
            continue
        rate = evaluated(subject, run, stock.expression.args[0], stock.binding)
        if rate is None:
            continue
        values = series(subject, run, stock.cell)
        rate = np.broadcast_to(rate, values.shape)[:-1]
        lost = abs(float(values[-1] - values[0]) - float(rate.sum()) * step)
        moved = float(np.abs(rate).sum()) * step
        if lost > _LOST * moved:
            told.add(stock.cell.key)
            yield _lost(subject, stock, lost, moved)


def _lost(subject: Subject, stock: Assignment, lost: float, moved: float) -> Finding:
    element = subject.model.elements[stock.cell.key]
    name = spell(subject.model, stock.cell)
    what = (
        f"'{name}' changes by {lost:g} {element.units} less or more than its flows say, of {moved:g} that flow".replace(
            "  ", " "
        )
    )
    cure = "it is so large that they are lost in rounding; measure it in larger units, or from another zero"
    return Finding("warning", "balance", element.place, name, f"{what}; {cure}", {"lost": lost, "flow": moved})
