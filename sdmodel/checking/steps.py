"""The integration error: the same model with half its TIME STEP, and by the other method."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..model import Cell, Element, spell
from .findings import Finding, Level
from .subject import Subject
from .trial import simulated

_TOLERATED = 0.01
"""The largest difference, relative to a stock's largest size, that is taken for harmless."""


@dataclass(frozen=True, slots=True)
class _Gap:
    """The largest difference of a stock between two runs, relative to its largest size, and when."""

    name: str
    size: float
    time: float


def find_step_error(subject: Subject) -> Iterator[Finding]:
    """Stocks that move by more than 1 % when TIME STEP is halved, by the model's own method."""
    if not _can_vary(subject):
        return
    step = subject.time_step
    halved = simulated(subject.model, {"TIME STEP": step / 2, **_saved(subject)})
    gaps = _gaps(subject, subject.base, halved)
    if gaps:
        cure = "halve TIME STEP until it no longer matters"
        text = f"with half the TIME STEP of {step:g} {_told(subject, gaps)}; {cure}{_fixed_delays(subject)}"
        yield _finding(subject, "warning", "time-step", text, gaps)


def find_method_error(subject: Subject) -> Iterator[Finding]:
    """Stocks that move by more than 1 % between Euler's method and fourth-order Runge-Kutta."""
    if not _can_vary(subject):
        return
    own = subject.integrator
    other = simulated(subject.model, subject.every_step, integrator="rk4" if own == "euler" else "euler")
    gaps = _gaps(subject, subject.base, other)
    if not gaps:
        return
    step = f"{subject.time_step:g}"
    if own == "euler":
        text = f"by Runge-Kutta at TIME STEP {step} {_told(subject, gaps)}; shorten TIME STEP, or let the model ask for RK4"
        yield _finding(subject, "warning", "method", text, gaps)
    else:
        text = f"by Euler's method at TIME STEP {step} {_told(subject, gaps)}; keep Runge-Kutta, or shorten TIME STEP"
        yield _finding(subject, "advice", "method", text, gaps)


def _can_vary(subject: Subject) -> bool:
    """Whether TIME STEP is a number that may be set, and the run as it stands one to compare with."""
    clock = subject.model["TIME STEP"]
    finite = "not_finite" not in subject.base.attrs
    return finite and clock.kind == "constant" and not clock.fixed and math.isfinite(subject.time_step)


def _saved(subject: Subject) -> dict[str, float]:
    """What saves the run of half the step at the times of the other, as far as the model allows."""
    return {"SAVEPER": subject.time_step} if Cell("saveper") in subject.plan.constants else {}


def _gaps(subject: Subject, run: xr.Dataset, other: xr.Dataset) -> list[_Gap]:
    """The stocks that differ by too much at the times that both runs have, the worst first."""
    times = run["time"].values
    _, ours, theirs = np.intersect1d(np.round(times, 9), np.round(other["time"].values, 9), return_indices=True)
    found = []
    for element in _stocks(subject):
        one, two = subject.values(run, element.key)[ours], subject.values(other, element.key)[theirs]
        gap = _relative(one, two).reshape(len(one), -1)
        at, label = np.unravel_index(int(gap.argmax()), gap.shape)
        if gap[at, label] > _TOLERATED:
            found.append(_Gap(_cell_name(subject, element, int(label)), float(gap[at, label]), float(times[ours[at]])))
    return sorted(found, key=lambda gap: -gap.size)


def _relative(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far two courses are apart, relative to the largest size of the second; infinity where it alone breaks off."""
    finite = np.isfinite(one) & np.isfinite(two)
    peak = float(np.abs(two[np.isfinite(two)]).max(initial=0.0))
    gap = np.abs(np.subtract(one, two, where=finite, out=np.zeros_like(one)))
    return np.where(np.isfinite(one) & ~finite, np.inf, gap / peak if peak else gap)


def _stocks(subject: Subject) -> list[Element]:
    return [each for each in subject.elements if each.kind == "stock"]


def _cell_name(subject: Subject, element: Element, index: int) -> str:
    """The name of one cell of an element, by its place among all its labels."""
    labels = [*product(*(subject.model.subscripts[dim].keys for dim in element.dimensions))]
    return spell(subject.model, Cell(element.key, labels[index]))


def _told(subject: Subject, gaps: list[_Gap]) -> str:
    worst, stocks = gaps[0], len(_stocks(subject))
    others = f" ({len(gaps)} of {stocks} stocks move by more than 1 %)" if stocks > 1 else ""
    moves = f"moves by {100 * worst.size:.3g} % of its peak" if math.isfinite(worst.size) else "is not finite"
    return f"'{worst.name}' {moves} at {worst.time:g}{others}"


def _fixed_delays(subject: Subject) -> str:
    """The delays that are cut to whole steps, which move with TIME STEP whatever the method."""
    names = list(dict.fromkeys(spell(subject.model, each.cell).partition("#")[0] for each in subject.plan.delays))
    return f"; DELAY FIXED in {', '.join(map(repr, names[:3]))} is cut to whole steps" if names else ""


def _finding(subject: Subject, level: Level, rule: str, text: str, gaps: list[_Gap]) -> Finding:
    numbers = {"difference": gaps[0].size, "time": gaps[0].time, "stocks": float(len(gaps))}
    return Finding(level, rule, subject.model["TIME STEP"].place, gaps[0].name, text, numbers)
