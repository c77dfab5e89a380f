"""When a run computes and when it saves: whole numbers of steps from the start, never a running sum of time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import SimulationError
from ..model import SETTINGS, Cell, Plan, Start, Table

_NAMES = {"initial_time": SETTINGS[0], "final_time": SETTINGS[1], "time_step": SETTINGS[2], "saveper": "SAVEPER"}
_WHOLE = 1e-6
"""How far a number of steps may be from whole, in steps."""

_MOST_STEPS = 1e9


@dataclass(frozen=True, slots=True)
class Timing:
    """The settings of a run, in the model's unit of time; `every` is how many steps lie between saved times.

    `remark` tells what a user may not expect of them, or nothing.
    """

    initial: float
    time_step: float
    steps: int
    every: int
    remark: str = ""

    @property
    def moments(self) -> NDArray[np.float64]:
        """The time of every step and of the middle of every step, shape (2 * steps + 1,); not to be written to."""
        return _moments(self)

    @property
    def lines(self) -> int:
        """How many times are saved."""
        return self.steps // self.every + 1

    @property
    def saved(self) -> NDArray[np.float64]:
        """The times that are saved."""
        return self.moments[:: 2 * self.every].copy()


@lru_cache(maxsize=16)
def _moments(timing: Timing) -> NDArray[np.float64]:
    halves = np.arange(2 * timing.steps + 1, dtype=float)
    per_unit = round(1 / timing.time_step)
    whole = per_unit and abs(per_unit * timing.time_step - 1) < _WHOLE**2  # a step of 0.1 then hits 0.3 itself
    return timing.initial + (halves / (2 * per_unit) if whole else halves * (timing.time_step / 2))


def timing_of(plan: Plan, given: Mapping[Cell, float], varied: Mapping[Cell, object]) -> Timing:
    """The settings of a run, as the model's equations give them at the start; `given` replaces constants."""
    moving = {each.cell.key for each in plan.step} & set(_NAMES)
    if moving:
        message = f"{_NAMES[min(moving)]} changes during the run, which is not supported; make it a constant"
        raise SimulationError(message)
    start = Start(plan.model, given)
    values: dict[str, float] = {}
    for name, spelt in _NAMES.items():
        if name == "saveper" and name not in plan.model.elements:
            values[name] = values["time_step"]
            continue
        value = start.read(Cell(name))
        if isinstance(value, Table) or not math.isfinite(value):
            message = f"{spelt} is {value} at the start; it must be a number"
            raise SimulationError(message)
        values[name] = value
    differs = next((cell for cell in varied if cell in start.known), None)
    if differs is not None:
        spelt = plan.model.elements[differs.key].name
        message = (
            f"'{spelt}' decides the times of a run and must be the same for all members; make one run for each value"
        )
        raise SimulationError(message)
    return _checked(values["initial_time"], values["final_time"], values["time_step"], values["saveper"])


def _checked(initial: float, final: float, time_step: float, saveper: float) -> Timing:
    if time_step <= 0:
        message = f"TIME STEP is {time_step:g}; it must be above 0"
        raise SimulationError(message)
    if final < initial:
        message = f"FINAL TIME is {final:g}, before INITIAL TIME, {initial:g}; make it later"
        raise SimulationError(message)
    steps = (final - initial) / time_step
    if steps > _MOST_STEPS:
        message = f"TIME STEP is {time_step:g}, which makes over a billion steps; make it larger"
        raise SimulationError(message)
    every = round(min(saveper / time_step, _MOST_STEPS))
    if every < 1 or abs(saveper / time_step - every) > _WHOLE * max(1, every):
        message = f"SAVEPER is {saveper:g}; it must be a whole multiple of TIME STEP, {time_step:g}; {max(every, 1) * time_step:g} would do"
        raise SimulationError(message)
    whole = math.floor(steps + _WHOLE)
    last = initial + whole // every * every * time_step
    left_out = final - last > _WHOLE * time_step
    remark = (
        f"FINAL TIME, {final:g}, is not saved: steps and SAVEPER lead to {last:g}; choose times that divide"
        if left_out
        else ""
    )
    return Timing(initial, time_step, whole, every, remark)
