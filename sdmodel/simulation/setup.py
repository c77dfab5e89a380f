"""What every run begins with: its model and constants, and the run that it goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER
from ..errors import SimulationError
from ..model import NOISE_SEED, Cell, Integrator, Model, key
from ..program import SEED_CELL, Program, compile_program
from ..scenario import MemberCourse, Scenario, constant_values, points_names, range_violation, with_tables
from ..vensim import ScenarioLike, load_scenario, under_scenario
from .continuation import Continuation, checked_time, continue_from, step_at
from .execution import Job
from .inputs import Constants, Inputs, Members, Noise, by_name, read_inputs, split_changes
from .jobs import make_job, with_orders
from .stocks import read_initial_values, with_initial_values
from .timing import MAY_MOVE, Timing, timing_of

Beginning = xr.Dataset | Mapping[str, Any]
"""A run to go on from, or initial values of stocks by name."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A model with the lookups of its scenario, its constants, its program, and the run that it goes on from."""

    model: Model
    changes: Scenario
    inputs: Inputs
    program: Program
    timing: Timing
    before: Continuation | None
    remarks: Sequence[str]

    def job(self, rows: Sequence[int] | NDArray[np.int64], integrator: Integrator | None) -> Job:
        """Return the job that saves some rows, by an integrator, or else that of the run before or of the model."""
        method = integrator or (self.before.integrator if self.before else self.model.integrator)
        job = make_job(self.program, self.timing, self.inputs, rows, method)
        return self.before.go_on(job, several=self.inputs.count > 1) if self.before else job


def set_up(
    model: Model,
    constants: Constants | None,
    *,
    scenario: ScenarioLike | None,
    start: Beginning | None,
    at: float | None,
    seed: int | None = None,
    members: Members | None = None,
) -> Setup:
    """Read what a user gives for a run; the arguments are those of `simulate`."""
    initial, before = _beginning(model, start, at)
    changes = load_scenario(scenario)
    changes = before.with_changes(changes) if before else changes
    model, changes = under_scenario(model, changes)
    constants, others, courses = split_changes(model, by_name(constants), changes)
    changes = replace(changes, changes=(*changes.changes, *others)) if others else changes
    whole = with_tables(model, changes)
    changes = _without_replaced(model, whole, changes, courses)
    model = with_initial_values(whole, initial)
    inputs = read_inputs(model, constant_values(model, changes), constants, members, courses)
    read_initial_values(model, inputs, initial)
    compiled, remarks = with_orders(model, inputs)
    program = compile_program(compiled)
    inputs.noise = noise_of(program, inputs, before, seed)
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied, may_move=MAY_MOVE)
    if before and at is not None:
        timing = replace(timing, first=step_at(timing, at))
    return Setup(model, changes, inputs, program, timing, before, [*remarks, *_courses_outside(whole, courses)])


def _courses_outside(model: Model, courses: Mapping[str, MemberCourse]) -> list[str]:
    """One sentence per course of members that leaves the range of its constant."""
    ends = {course.given: (model[course.change.name], course.values) for course in courses.values()}
    found = {
        name: range_violation(element, float(values.min()), float(values.max()))
        for name, (element, values) in ends.items()
    }
    return [f"'{name}' is set to {out[0]:g}, outside its range: {out[1]}" for name, out in found.items() if out]


def _without_replaced(model: Model, whole: Model, changes: Scenario, courses: Mapping[str, Any]) -> Scenario:
    """Leave out the points of courses, from the record of a run before, that another change or course has replaced."""
    made = {key(points_names(model, change)[0]) for change in changes.changes if change.by_member}
    replaced = made.difference(whole.elements).union(made.intersection(map(key, courses)))
    if not replaced:
        return changes
    return replace(changes, changes=tuple(change for change in changes.changes if key(change.name) not in replaced))


def noise_of(program: Program, inputs: Inputs, before: Continuation | None, seed: int | None) -> Noise:
    """Return what decides the random numbers: the seed of the user, else of the run before, else of the model.

    A seed becomes the value of NOISE SEED too, so that a run shows it.
    """
    own = before.noise if before else Noise()
    draws, cell = SEED_CELL in program.layout.row, Cell(NOISE_SEED)
    noise = Noise(own.seed if seed is None else seed, own.member, draws and MEMBER in inputs.members)
    constants = program.layout.plan.constants
    if draws and noise.seed is not None and cell not in constants:
        message = "NOISE SEED is computed in the model, which a seed cannot override; make it a constant"
        raise SimulationError(message)
    if (
        draws
        and noise.seed is not None
        and not program.layout.plan.model.elements[cell.key].hidden
        and cell not in inputs.varied
    ):
        inputs.fixed[cell] = float(noise.seed)
    return noise


def _beginning(
    model: Model, start: Beginning | None, at: float | None
) -> tuple[Mapping[str, Any], Continuation | None]:
    """The initial values of stocks that a user sets, and the run to go on from."""
    if not isinstance(start, Mapping | None):
        message = (
            f"start is {type(start).__name__}; give a run, as open_run returns it, or initial values of stocks by name"
        )
        raise SimulationError(message)
    if isinstance(start, xr.Dataset):
        if at is None:
            message = "start is a run; give the time at which to go on from it, at="
            raise SimulationError(message)
        return {}, continue_from(model, start, checked_time(at))
    if at is not None:
        message = "at is the time of a run to go on from; give the run, start="
        raise SimulationError(message)
    return cast("Mapping[str, Any]", start or {}), None
