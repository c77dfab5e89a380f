"""Going on from the state of a run at one of its times: the run is repeated from its own record up to there, and its state kept.

The record of a run that went on from another holds that of the other in the attribute `earlier`, so that it can be repeated.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import xarray as xr

from ..dataset import (
    MEMBER,
    check_run,
    find_variable,
    has_variable,
    member_dims,
    model_content,
    model_encoding,
    recorded_texts,
)
from ..errors import DatasetError, SimulationError
from ..model import INTEGRATORS, Integrator, Model, cell_name
from ..program import Program, compile_program
from ..reading import model_from_text
from ..scenario import Scenario, changed_texts, constant_values, merge_scenarios, with_tables
from ..vensim import scenario_from_text, under_scenario
from .execution import Job, State, execute
from .inputs import Inputs, Noise, Points
from .jobs import make_job, with_orders
from .stocks import INITIAL, read_initial_values, with_initial_values
from .timing import FINAL_TIME, SAME_TIME, Timing, timing_of

EARLIER = "earlier"
"""The attribute of a run that went on from another: the stretches before it, as JSON."""
RUN_SEED, RUN_MEMBER = "noise_seed", "noise_member"
"""The attributes of a run with random numbers: a seed that is not its model's, and the number of the member it goes on from."""
_OVER = re.compile(r"^(?P<name>.*?)\s*=\s*over ", re.DOTALL)
"""A line of a record about a constant that differs between members."""
_DAMAGED = "start: the attribute '{}' of the run is damaged; make the run again"
_UNSOUND = (TypeError, ValueError, OverflowError)
"""What a record raises that does not hold what it should."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a run with constants of its own: what its record says, and the time at which it ends."""

    until: float
    scenario: str
    changes: str
    initial: dict[str, Any]
    integrator: str
    seed: int | None = None
    member: int = 0

    @property
    def noise(self) -> Noise:
        """What decides its random numbers."""
        return Noise(self.seed, self.member)


@dataclass(frozen=True, slots=True)
class Continuation:
    """A run to go on from: its model, its stretches up to that time, and the name of its scenario."""

    model: Model
    stretches: tuple[_Stretch, ...]
    name: str

    def with_changes(self, further: Scenario) -> Scenario:
        """The changes of the run at that time, with further ones after them."""
        last = self.stretches[-1]
        own = replace(_scenario(last), name=self.name, text=last.scenario)
        if further.texts and changed_texts(self.model.texts, further.texts) != self.model.texts:
            message = (
                f"a run that goes on from another keeps its texts; leave out the change of '{further.texts[0].name}'"
            )
            raise SimulationError(message)
        return merge_scenarios([own, further]) if further.changes else own

    @property
    def integrator(self) -> Integrator:
        """The integrator of the run at that time."""
        return cast("Integrator", self.stretches[-1].integrator)

    @property
    def noise(self) -> Noise:
        """What decides the random numbers of the run at that time."""
        return self.stretches[-1].noise

    @property
    def record(self) -> str:
        """What a run that goes on from here keeps about it."""
        return json.dumps([asdict(stretch) for stretch in self.stretches])

    def go_on(self, job: Job, *, several: bool) -> Job:
        """Return a job that goes on from the run, at the first step of the job's timing.

        `several` members are computed by other code than one alone, and so is what they begin with.
        """
        timing = job.timing
        state = self._repeat(job.program, timing, timing.first, several=several)
        if job.lagged is not None and timing.first_line:
            last = timing.step_of_line(timing.first_line - 1)
            before = self._repeat(job.program, timing, last, several=several)
            state = replace(state, before=before.workspace[job.rows])
        return replace(job, state=state)

    def _repeat(self, program: Program, timing: Timing, last: int, *, several: bool) -> State:
        """Repeat the run from its start to a step, the last or one before; return what a program knows there."""
        state, made = None, program
        for stretch in self.stretches:
            scenario, initial = _scenario(stretch), stretch.initial
            model = with_initial_values(with_tables(self.model, scenario), initial)
            inputs = Inputs(constant_values(model, scenario), noise=stretch.noise)
            read_initial_values(model, inputs, initial)
            before, made = made, compile_program(with_orders(model, inputs)[0])
            own = timing_of(made.layout.plan, inputs.fixed, inputs.varied, may_move=(FINAL_TIME,))
            if (own.initial, own.time_step) != (timing.initial, timing.time_step):
                message = "the run to go on from has another INITIAL TIME or TIME STEP; give the model the same"
                raise SimulationError(message)
            end = step_at(own, stretch.until)
            own = replace(own, steps=min(end, last), first=state.step if state else 0)
            job = make_job(made, own, inputs, [], cast("Integrator", stretch.integrator))
            job = replace(job, state=moved(state, before, made) if state else None, lagged=None)
            state = execute(job, Points(np.empty((0, 2 if several else 1))), keep=True).state
            if end > last:
                break
        return moved(cast("State", state), made, program)


def _scenario(stretch: _Stretch) -> Scenario:
    return scenario_from_text(f"{stretch.scenario}\n{stretch.changes}", "the record of the run.cin")


def moved(state: State, source: Program, target: Program) -> State:
    """Return the state of one program as another knows it, cell by cell, which computes all that no memory holds.

    Raises SimulationError if a cell with a memory is not in the state.
    """
    if source is target:
        return state
    old, new = source.layout, target.layout
    workspace = np.full(new.rows, np.nan)
    for places, known in ((new.row, old.row), (new.delay_steps, old.delay_steps), (new.held, old.held)):
        for cell, row in places.items():
            if cell in known:
                workspace[row] = state.workspace[known[cell]]
    plan = new.plan
    kept = [own.cell for own in plan.start if own.memory is not None and own.memory.kept != "nothing"]
    lacking = next((cell for cell in kept if cell not in old.row), None)
    if lacking is not None:
        message = f"the run to go on from has no '{cell_name(plan.model, lacking)}'; the model must have the same stocks and delays"
        raise SimulationError(message)
    columns = {column: place for place, column in enumerate(old.columns)}
    history = state.history[:, [columns[column] for column in new.columns]]
    return State(state.step, workspace, history)


def checked_time(time: float) -> float:
    """Return a time, or raise SimulationError if it is not a number."""
    if not isinstance(time, int | float | np.number):
        message = f"{time!r} is not a time; give a number, in the model's unit of time"
        raise SimulationError(message)
    return float(time)


def step_at(timing: Timing, time: float) -> int:
    """Return the number of steps from the start of a run to a time.

    Raises SimulationError if no step ends there.
    """
    exact = (time - timing.initial) / timing.time_step
    if not -SAME_TIME <= exact <= timing.steps + SAME_TIME:
        last = timing.moments[-1]
        message = f"{time:.10g} is outside the run, which goes from {timing.initial:.10g} to {last:.10g}; choose a time within it"
        raise SimulationError(message)
    if abs(exact - round(exact)) > SAME_TIME:
        near = sorted({math.floor(exact), math.ceil(exact)})
        times = " or ".join(f"{timing.moments[2 * step]:.10g}" for step in near)
        message = f"no time step ends at {time:.10g}; choose {times}"
        raise SimulationError(message)
    return round(exact)


def continue_from(model: Model, run: xr.Dataset, at: float) -> Continuation:
    """Read the record of a run, to go on from it at a time.

    Raises DatasetError if it is not a run of one member, or its record is not complete.
    """
    where = "start"
    check_run(run, where)
    record = run.attrs
    if record["engine"] != "native":
        message = f"{where}: the run was made by {record['engine']}; make it again without --engine"
        raise DatasetError(message)
    if record["model_sha256"] != model.sha256:
        content = model_content(run)
        if content is None:
            message = f"{where}: the record of the run does not hold the text of its model; make the run again"
            raise DatasetError(message)
        model = model_from_text(content, str(record["model"]), encoding=model_encoding(run))
    if member_dims(run):
        dim = member_dims(run)[0]
        message = f"{where}: the run has several members; choose one of them, such as run.isel({dim}=0)"
        raise DatasetError(message)
    changes = "\n".join(_with_value(run, line) for line in str(record.get("changes", "")).splitlines())
    if record["integrator"] not in INTEGRATORS:
        raise DatasetError(_DAMAGED.format("integrator"))
    own = _Stretch(
        math.inf,
        str(record.get("scenario", "")),
        changes,
        _initial_values(run),
        str(record["integrator"]),
        *_noise_of(run),
    )
    model, _ = under_scenario(model, Scenario("", texts=recorded_texts(run)))
    stretches = []
    for stretch in (*_earlier(run), own):
        stretches.append(replace(stretch, until=min(stretch.until, at)))
        if stretch.until > at:
            break
    return Continuation(model, tuple(stretches), str(record.get("scenario_name", "")))


def _noise_of(run: xr.Dataset) -> tuple[int | None, int]:
    """The seed of a run, if it is not that of its model, and the number of its member."""
    try:
        seed = run.attrs.get(RUN_SEED)
        member = run.attrs.get(RUN_MEMBER, run.coords.get(MEMBER, 0))
        return None if seed is None else int(seed), int(member)
    except _UNSOUND as cause:
        raise DatasetError(_DAMAGED.format(RUN_SEED)) from cause


def recorded_beginning(run: xr.Dataset) -> tuple[xr.Dataset | dict[str, Any] | None, float | None]:
    """Return what a run began with, as `simulate` takes it, `start` and `at`: the run holds that of the run before it, too.

    Raises DatasetError if its record is damaged.
    """
    if EARLIER in run.attrs:
        return run.isel(dict.fromkeys(member_dims(run), 0)), _earlier(run)[-1].until
    return _initial_values(run) or None, None


def _earlier(run: xr.Dataset) -> list[_Stretch]:
    """The stretches before a run."""
    found = _parsed(run, EARLIER, "[]")
    try:
        stretches = [_stretch(**own) for own in found]
    except _UNSOUND as cause:
        raise DatasetError(_DAMAGED.format(EARLIER)) from cause
    if EARLIER in run.attrs and not stretches:
        raise DatasetError(_DAMAGED.format(EARLIER))
    return stretches


def _stretch(*, until: Any, initial: Any, integrator: Any, seed: Any = None, member: Any = 0, **texts: Any) -> _Stretch:
    """A stretch as a record says it, which may say anything."""
    if not (math.isfinite(until) and isinstance(initial, dict) and integrator in INTEGRATORS):
        raise ValueError
    seed = None if seed is None else int(seed)
    texts = {name: str(text) for name, text in texts.items()}
    return _Stretch(until, initial=initial, integrator=integrator, seed=seed, member=int(member), **texts)


def _initial_values(run: xr.Dataset) -> dict[str, Any]:
    found = _parsed(run, INITIAL, "{}")
    if not isinstance(found, dict):
        raise DatasetError(_DAMAGED.format(INITIAL))
    return found


def _parsed(run: xr.Dataset, name: str, default: str) -> Any:
    try:
        return json.loads(str(run.attrs.get(name, default)))
    except ValueError as cause:
        raise DatasetError(_DAMAGED.format(name)) from cause


def _with_value(run: xr.Dataset, line: str) -> str:
    """A line of the record; one about a constant that differed between members says the value of the chosen member."""
    found = _OVER.match(line)
    if not found:
        return line
    if not has_variable(run, found["name"]) or member_dims(find_variable(run, found["name"])):
        message = f"start: the run does not hold its value of {found['name']}; make the run again with all variables"
        raise DatasetError(message)
    values = find_variable(run, found["name"]).values.ravel()
    return f"{found['name']} = {', '.join(repr(value) for value in values[~np.isnan(values)].tolist())}"
