"""The times of a run: whole numbers of steps from the start, never a running sum, so that rounding does not grow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..errors import SimulationError
from ..model import RUN_SETTINGS, Cell, Plan, Start, Table, evaluate, key

INITIAL_TIME, FINAL_TIME = Cell("initial_time"), Cell("final_time")
TIME_STEP, SAVEPER = Cell("time_step"), Cell("saveper")
MAY_MOVE = (TIME_STEP, SAVEPER, FINAL_TIME)
"""The settings that may change during a run."""
_NAMES = {key(name): name for name in RUN_SETTINGS}
SAME_TIME = 1e-6
"""Tolerance, in steps, for a number of steps that is meant to be whole, or for two times that are meant to be equal."""
_MAX_STEPS = 1e9
_MOST_KEPT = 2**20
"""The most steps whose times are kept for the next run."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Time steps of different lengths: the length of each and of one after the last, and the times as in `Timing.moments`."""

    lengths: NDArray[np.float64]
    moments: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Timing:
    """The time settings of a run, in the model's unit of time; `every` is the number of steps between saved times.

    It need not be whole: values are saved at the nearest step. `remark` is a warning for the user, or empty. A run that goes on
    from a state begins at the step `first`, and saves only from there on, at the same steps as the whole run. With a `schedule`,
    `time_step` is the length of the first step only.
    """

    initial: float
    time_step: float
    steps: int
    every: float
    remark: str = ""
    first: int = 0
    schedule: Schedule | None = None

    @property
    def moments(self) -> NDArray[np.float64]:
        """The times of every step and of the middle of every step, shape (2 * steps + 1,); shared, so do not change them."""
        if self.schedule:
            return self.schedule.moments[: 2 * self.steps + 1]
        return _moments(self) if self.steps < _MOST_KEPT else _moments.__wrapped__(self)

    @property
    def first_line(self) -> int:
        """The number of saved times before the first step."""
        return _lines_until(self.first - 1, self.every) if self.first else 0

    @property
    def clock(self) -> tuple[float, float, float]:
        """How a time follows from a number of half steps: times the first, divided by the second, plus the third."""
        per_unit = round(min(1 / self.time_step, _MAX_STEPS))
        whole = per_unit and abs(per_unit * self.time_step - 1) < SAME_TIME**2  # a step of 0.1 then hits 0.3 itself
        return (1.0, 2.0 * per_unit, self.initial) if whole else (self.time_step / 2, 1.0, self.initial)

    @property
    def lines(self) -> int:
        """The number of saved times."""
        return _lines_until(self.steps, self.every) - self.first_line

    def step_of_line(self, line: int) -> int:
        """The step of a saved time, counted from the start of the whole run."""
        return int(_saved_step(line, self.every))

    @property
    def saved_steps(self) -> NDArray[np.int64]:
        """The steps at which values are saved."""
        return np.asarray(
            _saved_step(np.arange(self.first_line, self.first_line + self.lines), self.every), dtype=np.int64
        )

    @property
    def saved(self) -> NDArray[np.float64]:
        """The saved times; shared, so do not change them."""
        if self.schedule:
            return self.schedule.moments[2 * self.saved_steps]
        return _saved(self) if self.steps < _MOST_KEPT else _saved.__wrapped__(self)


def _saved_step(line: Any, every: float) -> Any:
    """The step at which a line of results is saved, computed as in the driver of the machine code."""
    return np.floor(line * every + 0.5)


@lru_cache(maxsize=64)
def _lines_until(step: int, every: float) -> int:
    """The number of saved times up to a step."""
    most = int(step / every) + 2
    return most - next(late for late in range(3) if _saved_step(most - late - 1, every) <= step)


@lru_cache(maxsize=16)
def _moments(timing: Timing) -> NDArray[np.float64]:
    return _times(timing, np.arange(2 * timing.steps + 1, dtype=float))


@lru_cache(maxsize=16)
def _saved(timing: Timing) -> NDArray[np.float64]:
    times = _times(timing, timing.saved_steps.astype(float) * 2)
    times.flags.writeable = False
    return times


def _times(timing: Timing, halves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The times after numbers of half steps, which are overwritten."""
    multiply, divide, begin = timing.clock
    halves *= multiply
    halves /= divide
    halves += begin
    return halves


def timing_of(
    plan: Plan, given: Mapping[Cell, float], varied: Mapping[Cell, object], *, may_move: tuple[Cell, ...] = ()
) -> Timing:
    """Read the settings of a run from the model's equations at the start; `given` replaces constants.

    Settings in `may_move` may change during the run.
    """
    if given or varied:
        return _timing_of(plan, given, varied, may_move)
    known = _KNOWN.setdefault(plan, {})
    if may_move not in known:
        known[may_move] = _timing_of(plan, given, varied, may_move)
    return known[may_move]


_KNOWN: WeakKeyDictionary[Plan, dict[tuple[Cell, ...], Timing]] = WeakKeyDictionary()
"""The settings of models with their own constants."""


def _timing_of(
    plan: Plan, given: Mapping[Cell, float], varied: Mapping[Cell, object], may_move: tuple[Cell, ...]
) -> Timing:
    for cell in (TIME_STEP, SAVEPER, FINAL_TIME):  # SAVEPER often equals TIME STEP
        if cell.key in plan.moving and cell not in may_move:
            message = f"{_NAMES[cell.key]} changes during the run, which is not supported here; make it a constant"
            raise SimulationError(message)
    start, known = Start(plan.model, given), dict[Cell, float | Table]()
    if INITIAL_TIME.key in plan.moving:  # it reads Time, which is 0 until it is known
        before = Start(plan.model, {**given, INITIAL_TIME: 0.0})
        equation = plan.model.elements[INITIAL_TIME.key].equations[0]
        begin = evaluate(plan.model.subscripts, equation.expression, {}, before.read)
        start, known = Start(plan.model, {**given, INITIAL_TIME: begin}), before.known
    values: dict[str, float] = {}
    for name, setting in _NAMES.items():
        if name == "saveper" and name not in plan.model.elements:
            values[name] = values["time_step"]
            continue
        value = start.read(Cell(name))
        if isinstance(value, Table) or not math.isfinite(value):
            message = f"{setting} is {value} at the start; it must be a number"
            raise SimulationError(message)
        values[name] = value
    known |= start.known
    differs = next((cell for cell in varied if cell in known), None)
    if differs is not None:
        name = plan.model.elements[differs.key].name
        message = f"'{name}' decides the times of a run and must be the same for all members; make one run per value"
        raise SimulationError(message)
    return _timing(*(values[name] for name in _NAMES))


def _timing(initial: float, final: float, time_step: float, saveper: float) -> Timing:
    if time_step <= 0:
        message = f"TIME STEP is {time_step:g}; it must be above 0"
        raise SimulationError(message)
    if final < initial:
        message = f"FINAL TIME is {final:g}, before INITIAL TIME, {initial:g}; make it later"
        raise SimulationError(message)
    steps = (final - initial) / time_step
    if steps > _MAX_STEPS:
        message = f"TIME STEP is {time_step:g}, which gives over a billion steps; make it larger"
        raise SimulationError(message)
    every = saveper / time_step
    if not 0 < every <= _MAX_STEPS:
        message = f"SAVEPER is {saveper:g}; it must be above 0, and at most a billion times TIME STEP, {time_step:g}"
        raise SimulationError(message)
    nearest = max(1.0, round(every))
    beside = abs(every - nearest) > SAME_TIME * nearest
    remarks = [
        f"SAVEPER, {saveper:g}, is not a multiple of TIME STEP, {time_step:g}: values are saved at the nearest step"
    ]
    timing = Timing(initial, time_step, math.floor(steps + SAME_TIME), max(1.0, round(every, 9)) if beside else nearest)
    last = initial + float(_saved_step(timing.lines - 1, timing.every)) * time_step
    if final - last > SAME_TIME * time_step:
        what = f"FINAL TIME, {final:g}, is not saved: the last saved time is {last:g}"
        remarks.append(f"{what}; choose a TIME STEP and SAVEPER that divide")
    return replace(timing, remark="\n".join(remarks if beside else remarks[1:]))
