"""Simulation: the function that makes runs.

A single run is an ensemble of one member without member dimensions.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER, make_run
from ..errors import format_count, reports_memory
from ..extras import made_once
from ..model import (
    NOWHERE,
    Cell,
    Element,
    Integrator,
    Model,
    cell_name,
    join_name,
    key,
    quote_name,
    quoted_cell,
    takes_model,
)
from ..program import MOST_PARTS, NEVER, SEED_CELL, Grids, Program
from ..scenario import (
    Scenario,
    constant_cells,
    constant_values,
    holds_points,
    is_course,
    range_violation,
    varies_by_member,
)
from ..vensim import ScenarioLike, change_text
from ..workers import Workers
from .continuation import EARLIER, RUN_MEMBER, RUN_SEED
from .data import Data, courses_by_name, with_data
from .execution import Job, Outcome, Progress, execute
from .inputs import Constants, Inputs, Members, by_name
from .jobs import (
    MAX_LISTED,
    blank_after_failure,
    blank_missing,
    changes_in_text,
    check_job_memory,
    check_options,
    noise_remark,
    remarks_on_settings,
    saved_elements,
)
from .schedule import find_ends, find_schedule
from .setup import Beginning, set_up
from .stocks import INITIAL, initial_record
from .timing import MAY_MOVE, SAVEPER, TIME_STEP, Timing

RANDOM_NUMBERS = "random_numbers"
"""The attribute of a run with random numbers that says where they come from."""
_MAX_SEARCHED = 2**25
"""The most numbers that the search for the first value that is not finite saves."""


class RunWarning(UserWarning):
    """Something about a run that the user may not expect."""


class NotFiniteWarning(RunWarning):
    """Some values of a run are not finite."""


@takes_model
@reports_memory
def simulate(
    model: Model,
    constants: Constants | None = None,
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    save: Iterable[str] | None = None,
    memory: str | float | None = None,
    threads: int | None = None,
    executor: Workers | None = None,
    progress: Progress | None = None,
    seed: int | None = None,
    members: Members | None = None,
    start: Beginning | None = None,
    at: float | None = None,
    data: Data | None = None,
) -> xr.Dataset:
    r"""Simulate a model, once or for many values of its constants.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    constants : mapping, xarray.Dataset or pandas.DataFrame, optional
        Values of constants by name (`name` or `name[label]`), in the model's units. A number sets the constant for the whole
        run. A sequence gives one value per member of an ensemble. An `xarray.DataArray` adds its dimensions to the run;
        arrays with different dimensions give every combination. A dataset over `member` is a design, and so is a data frame with
        a column for each constant. A lookup takes its points, `[(0, 0), (1, 1)]`. A constant may take a time course: a text such as
        "4 until 2027, then 1" or "linear: 4 at 2025, 1 at 2027", or an array along `time`, or a `pandas.Series` whose index has the
        name `time` or fractions; its values are steps that hold until the next, unless its `attrs` say
        `interpolation="linear"`. Steps come at the nearest time step. The index of any other series has the name of its
        dimension, or no name and the numbers from 0 on, for members. An array along `time` and
        `member`, or a `pandas.DataFrame` with a row for each time and a column for each member, gives every member a course of
        its own; arrays may have the subscript ranges of the constant too. These values override
        `scenario`.
    scenario : Scenario, path or sequence of them, optional
        Changes to constants and lookups, as records or `.cin` files; the last one wins.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        Integration method; the model's own by default.
    save : iterable of str, optional
        Names of the variables to save; all by default.
    memory : str or float, optional
        Memory limit, such as "1GiB" or a number of bytes; by default 80% of what is free on the machine, or in its
        container.
    threads : int, optional
        Number of threads; all processors by default. The numbers do not depend on it.
    executor : concurrent.futures.Executor or dask client, optional
        Other processes that compute the members of an ensemble, such as `WorkerProcesses`; each uses one thread, or `threads`.
        The numbers do not depend on it.
    progress : callable, optional
        Called with the number of finished members and the number of all members.
    seed : int, optional
        Seed of the random functions, from 0 to 2^32 - 1; overrides NOISE SEED, and is the seed of the other streams too. The
        members of an ensemble (dimension `member`) have different random numbers; runs along any other dimension, and runs with
        the same seed, have the same ones, so that they differ only by what their constants do.
    members : int or sequence of int, optional
        Number of members that differ by their random numbers, whether or not `constants` vary along `member` too; or the
        numbers of some members, as the coordinate `member` has them.
    start : xarray.Dataset or mapping, optional
        A run to go on from, with its stocks, delays and other memories, and with its constants as far as `constants` and
        `scenario` set no others. It is a run of one member; its model may differ in everything but the stocks and delays. Or a
        mapping from names of stocks (`name` or `name[label]`) to initial values, given as for `constants`.
    at : float, optional
        The time of the run `start` at which to go on, in the model's unit. It is the end of a time step.
    data : mapping, xarray.Dataset or pandas.DataFrame, optional
        Time courses of data variables by name, as `with_data` takes them, or for each member, as for `constants`.

    Returns
    -------
    xarray.Dataset
        The saved variables in the model's units, with dimensions `time`, the subscript ranges, then the dimensions along
        which `constants` vary. Attributes of each variable: `units`, `long_name` (the name in the model), `comment`,
        `equation` and `kind`. A run that goes on from another has the saved times from `at` on, and with the same constants the
        same numbers.

    Raises
    ------
    ScenarioError
        If something is set that is not a constant of the model, or in `start` not a stock, or in `data` not a data variable.
    DatasetError
        If `start` is not a run of one member with a complete record.
    SimulationError
        If `at` is not the end of a time step of the run, the time settings are wrong, `save` names no variable of the model, or
        the run needs more than `memory` (OutOfMemoryError).

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate * stock, 100)\nrate = 0.1", final=2)
    >>> sd.simulate(model)["stock"].values.round(2).tolist()
    [100.0, 110.0, 121.0]
    >>> run = sd.simulate(model, {"rate": [0.0, 0.2]}, save=["stock"])
    >>> run["stock"].dims, run["stock"].isel(time=-1).values.round(2).tolist()
    (('time', 'member'), [100.0, 144.0])
    >>> noisy = tiny_model("demand = RANDOM UNIFORM(0, 10, 0)")
    >>> sd.simulate(noisy, members=100)["demand"].sizes["member"]
    100
    >>> later = sd.simulate(model, {"rate": 0.5}, start=sd.simulate(model), at=1)
    >>> later["stock"].values.round(2).tolist()
    [110.0, 165.0]
    """
    check_options(integrator, threads)
    model, constants, members = _with_data(model, constants, members, data)
    setup = set_up(
        model, constants, scenario=scenario, start=start, at=at, seed=seed,
        members=members,
    )  # fmt: skip
    model, changes, inputs = setup.model, setup.changes, setup.inputs
    program, timing, before = setup.program, setup.timing, setup.before
    saved = _saved(model, program, save)
    job = setup.job(saved.moving.rows, integrator)
    ends = kept = None
    moving = program.layout.plan.moving
    if moving.intersection(cell.key for cell in MAY_MOVE):

        def check(job: Job) -> None:
            check_job_memory(job, inputs.count, threads, memory)

        if TIME_STEP.key in moving or SAVEPER.key in moving:
            job, kept = find_schedule(job, inputs, check)
        else:
            job, ends = find_ends(job, inputs, check)
        timing = job.timing
    check_job_memory(job, inputs.count, threads, memory)
    outcome = execute(job, inputs, threads=threads, progress=progress, executor=executor)
    if ends is not None:  # what a member does after its own end is not reported
        _set_after_end(outcome, timing, ends, 0.0)
    not_finite = _describe_not_finite(job, inputs, outcome)
    if ends is not None:
        _set_after_end(outcome, timing, ends, math.nan)
    inexact = _accuracy_remarks(job, outcome, inputs)
    settled = remarks_on_settings(model, timing, integrator)
    drawn = noise_remark(job, inputs)
    remarks = "\n".join(
        [*settled, *setup.remarks, *inexact, *_range_remarks(model, inputs), *_course_remarks(model, changes, timing)]
    )
    attributes = _record(model, inputs, changes, job, setup.timing) | ({} if seed is None else {"seed": seed})
    further = {
        RANDOM_NUMBERS: drawn,
        "not_finite": not_finite,
        "remarks": remarks,
        "inexact": len(inexact),
        EARLIER: before and before.record,
    }
    attributes |= {name: value for name, value in further.items() if value}
    times = timing.saved
    if kept is not None:
        outcome, times = replace(outcome, values=outcome.values[kept]), times[kept]
    blank_missing(program, outcome.values)
    values = saved.moving.split(outcome.values, inputs.shape) | _constants(job, saved, inputs)
    run = make_run(model, times, values, dims=inputs.members, attributes=attributes, alike=saved)
    for text, kind in ((remarks, RunWarning), (drawn, RunWarning), (not_finite, NotFiniteWarning)):
        if text:
            warnings.warn(text, kind, stacklevel=2)
    return run


def _with_data(
    model: Model, constants: Constants | None, members: Members | None, data: Data | None
) -> tuple[Model, Constants | None, Members | None]:
    """Give a model its data; courses that differ between members are with the constants of members, as the run takes them."""
    if data is None:
        return model, constants, members
    constants = by_name(constants)
    courses = courses_by_name(data)
    by_member = {name: course for name, course in courses.items() if varies_by_member(course)}
    common = {name: course for name, course in courses.items() if name not in by_member}
    if by_member and isinstance(constants, xr.Dataset):
        if members is None and model.draws and MEMBER in constants.coords:
            members = constants[MEMBER].values
        constants = {str(name): value for name, value in constants.data_vars.items()}
    if by_member:
        constants = {str(name): value for name, value in (constants or {}).items()} | by_member
    return with_data(model, common) if common else model, constants, members


@dataclass(frozen=True, eq=False)
class _Saved:
    """The elements to save, those that move and the constants, with their cells.

    `given` are the places of the latter among all constants, any for a cell without an equation.
    """

    moving: Grids
    constants: Grids
    given: NDArray[np.int64]


_SAVED: WeakKeyDictionary[Program, dict[tuple[str, ...] | None, _Saved]] = WeakKeyDictionary()
"""What the last few runs of a program saved, by the names that were asked for; without names, all elements."""
_MOST_SAVED = 4


@made_once
def _points(program: Program) -> tuple[Element, ...]:
    """The constants with the points of time courses."""
    return tuple(filter(holds_points, program.layout.plan.model))


def _saved(model: Model, program: Program, save: Iterable[str] | None) -> _Saved:
    known = _SAVED.setdefault(program, {})
    names = save if save is None else (save,) if isinstance(save, str) else tuple(map(str, save))
    if found := known.get(names):
        return found
    points = _points(program) if names is not None else ()  # without them a run cannot be repeated
    elements = dict.fromkeys(element.key for element in (*saved_elements(model, names), *points))
    grids = {name: program.grid(model.elements[name]) for name in elements}
    constants = Grids({name: grid for name, grid in grids.items() if model.elements[name].kind == "constant"})
    moving = Grids({name: grid for name, grid in grids.items() if name not in constants.grids})
    given = constants.rows - program.layout.first_input
    given[constants.undefined] = 0
    known.pop(next(iter(known)), None) if len(known) >= _MOST_SAVED else None
    known[names] = found = _Saved(moving, constants, given)
    return found


def _record(model: Model, inputs: Inputs, changes: Scenario, job: Job, timing: Timing) -> dict[str, Any]:
    """What a run keeps about its constants, and about its times as they are at the start."""
    attributes = {
        "scenario": changes.text,
        "changes": _changes(model, inputs, changes),
        "scenario_name": changes.name,
        "integrator": job.integrator,
        "time_step": timing.time_step,
        "saveper": timing.time_step * timing.every,
    }
    initial = initial_record(model, inputs)
    attributes |= {INITIAL: initial} if initial else {}
    if SEED_CELL in job.program.layout.row:
        attributes |= {} if inputs.noise.seed is None else {RUN_SEED: inputs.noise.seed}
        attributes |= {RUN_MEMBER: inputs.noise.member} if inputs.noise.member else {}
    return attributes


def _accuracy_remarks(job: Job, outcome: Outcome, inputs: Inputs) -> list[str]:
    """A warning if an integrator with automatic steps cannot meet its tolerances."""
    if not job.integrator.endswith("-auto"):
        return []
    missed = np.flatnonzero((outcome.inexact >= 0) & ((outcome.broken < 0) | (outcome.inexact < outcome.broken)))
    if not missed.size:
        return []
    time = job.timing.moments[2 * max(int(outcome.inexact[missed[0]]) - 1, 0)]
    which = f"member {missed[0]}: " if inputs.count > 1 else ""
    more = f" (and {format_count(missed.size - 1, 'more member')})" if missed.size > 1 else ""
    what = f"{which}{MOST_PARTS} parts of a time step do not meet the tolerances of {job.integrator} from time {time:g}{more}"
    return [f"{what}; make TIME STEP smaller, or RELATIVE TOLERANCE and ABSOLUTE TOLERANCE larger"]


def _constants(job: Job, saved: _Saved, inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    """The constants of a run, with member dimensions where they vary."""
    fixed = job.given[saved.given]
    fixed[saved.constants.undefined] = math.nan
    blank_missing(job.program, fixed)
    values, first = {}, 0
    for name, grid in saved.constants.grids.items():
        last = first + len(grid.rows)
        values[name] = fixed[first:last].reshape(grid.shape) if grid.axes else fixed[first, ...]
        if inputs.varied and not inputs.varied.keys().isdisjoint(grid.cells):
            frame = xr.DataArray(np.empty(inputs.shape), coords=inputs.members, dims=list(inputs.members))
            parts = [
                _over_members(inputs.varied[cell], frame) if cell in inputs.varied else np.full(inputs.shape, value)
                for cell, value in zip(grid.cells, fixed[first:last], strict=True)
            ]
            values[name] = np.array(parts).reshape((*grid.shape, *inputs.shape))
            blank_missing(job.program, values[name])
        first = last
    return values


def _over_members(value: xr.DataArray, frame: xr.DataArray) -> NDArray[np.float64]:
    """The values of a constant along all member dimensions, those of a frame."""
    return value.values if value.dims == frame.dims else value.broadcast_like(frame).transpose(*frame.dims).values


def _changes(model: Model, inputs: Inputs, scenario: Scenario) -> str:
    """The changes of a run beyond the text of its scenario, as lines of a change file."""
    written = changes_in_text(scenario)
    known = constant_values(model, written)
    fixed = {cell: repr(value) for cell, value in inputs.fixed.items() if known.get(cell) != value}
    varied = {cell: f"over {', '.join(map(str, value.dims))}" for cell, value in inputs.varied.items()}
    found = {cell: text for cell, text in (fixed | varied).items() if not model.elements[cell.key].hidden}
    lines = [f"{name} = {text}" for name, text in _whole_arrays(model, found).items()]
    own = {replace(change, place=NOWHERE) for change in written.changes}
    lines += [
        change_text(change)
        for change in scenario.changes
        if (is_course(model, change.name) if change.course not in {"", "data"} or change.table is None else True)
        and replace(change, place=NOWHERE) not in own
    ]
    return "\n".join(lines)


def _whole_arrays(model: Model, found: Mapping[Cell, str]) -> dict[str, str]:
    """Return texts about constants by name, with one for an array of which all cells vary together."""
    texts: dict[str, list[str]] = {}
    for cell, text in found.items():
        texts.setdefault(cell.key, []).append(text)
    names = {own: model.elements[own].name for own in texts}
    whole = {
        own for own, several in texts.items()
        if len(several) > 1 and several[0].startswith("over ") and {*several} == {several[0]}
        and len(several) == len(constant_cells(model, names[own]))
    }  # fmt: skip
    return {
        quote_name(names[cell.key]) if cell.key in whole else quoted_cell(model, cell): text
        for cell, text in found.items()
    }


def _range_remarks(model: Model, inputs: Inputs) -> list[str]:
    """One sentence per constant that is set to a value outside its range in the model."""
    ends = {cell: (value, value) for cell, value in inputs.fixed.items()}
    ends |= {cell: (float(value.values.min()), float(value.values.max())) for cell, value in inputs.varied.items()}
    found = ((cell, range_violation(model.elements[cell.key], *both)) for cell, both in ends.items())
    return [
        f"'{cell_name(model, cell)}' is set to {out[0]:g}, outside its range: {out[1]}" for cell, out in found if out
    ]


def _course_remarks(model: Model, changes: Scenario, timing: Timing) -> list[str]:
    """One sentence per time course that leaves the range of its constant, and per one that changes only outside the run."""
    last = {(key(change.name), change.subscripts): change for change in changes.changes}
    found = []
    for change in last.values():
        if change.table is None or change.by_member or change.course not in {"steps", "linear"}:
            continue
        times, values = zip(*change.table.points, strict=True)
        name = join_name(model[change.name].name, change.subscripts)
        if out := range_violation(model[change.name], min(values), max(values)):
            found.append(f"'{name}' is set to {out[0]:g}, outside its range: {out[1]}")
        moves = times[change.course == "steps" :]
        begin, end = timing.initial, timing.moments[-1]
        if len(times) > 1 and (moves[-1] <= begin or moves[0] > end):
            which = f"before the run begins at {begin:g}" if moves[-1] <= begin else f"after the run ends at {end:g}"
            found.append(f"the time course of '{name}' changes only {which}; check its times")
    return found


def _set_after_end(outcome: Outcome, timing: Timing, ends: NDArray[np.int64], value: float) -> None:
    """Replace the values of each member after its last step, and forget what fails there."""
    np.copyto(outcome.values, value, where=timing.saved_steps[:, np.newaxis, np.newaxis] > ends)
    for when in (outcome.broken, outcome.inexact):
        when[when > ends] = int(NEVER)


def _describe_not_finite(job: Job, inputs: Inputs, outcome: Outcome) -> str:
    """Describe what is not finite, one line per member; an auxiliary that is not finite for a while harms nothing else."""
    doubtful = blank_after_failure(job, outcome)
    total = np.einsum("ijk->", outcome.values)  # the quickest sum, without warnings
    if not doubtful.size and not math.isfinite(total):
        doubtful = np.flatnonzero(~np.isfinite(outcome.values).all(axis=(0, 1)))
    if not doubtful.size:
        return ""
    lines = [_first_failure(job, inputs, outcome, int(member)) for member in doubtful[:MAX_LISTED]]
    if doubtful.size > MAX_LISTED:
        lines.append(f"and {doubtful.size - MAX_LISTED} more of {inputs.count} members are not finite")
    return "\n".join(lines)


def _first_failure(job: Job, inputs: Inputs, outcome: Outcome, member: int) -> str:
    """Describe the first cell of a member that is not finite: simulate it again, saving all cells at all steps.

    If they need too much memory, only at the start, at the step at which a stock or a saved value first fails, and at the one before.
    """
    given = job.given.copy()
    if len(job.varied_rows):
        given[job.varied_rows - job.program.layout.first_input] = inputs.columns(member, member + 1)[:, 0]
    plan = job.program.layout.plan
    cells = job.program.layout.computed
    rows = np.array([job.program.row(cell) for cell in cells], dtype=np.int64)
    alone = replace(job, given=given, rows=rows, varied_rows=np.empty(0, dtype=np.int64), lagged=None)
    prefix = "" if inputs.count == 1 else f"member {member}: "
    broken = int(outcome.broken[member])
    if broken < 0:
        line = int(np.isfinite(outcome.values[:, :, member]).all(axis=1).argmin())
        broken = int(job.timing.saved_steps[line])
    first = job.timing.first
    whole = replace(job.timing, steps=broken, every=1)
    suspects = [
        replace(whole, steps=step, every=max(step, 1)) for step in sorted({first, max(broken - 1, first), broken})
    ]
    for timing in [whole] if whole.lines * len(rows) <= _MAX_SEARCHED else suspects:
        values = execute(replace(alone, timing=timing), Inputs()).values[..., 0]
        finite = np.isfinite(values)
        if not finite.all():
            line = int(finite.all(axis=1).argmin())
            cell = cells[int(finite[line].argmin())]
            cure = "look for a division by zero or a number that grows without bound"
            if (loop := plan.guesses(cell)) is not None:
                guess, last = (float(values[line][cells.index(own)]) for own in loop)
                cure = (
                    f"once around its loop still changes it from {guess:g} to {last:g}; give SIMULTANEOUS an initial value "
                    "that is nearer to a solution, or put a stock into the loop"
                )
            if (left := plan.residual(cell)) is not None:
                cure = (
                    f"the largest of what FIND ZERO makes zero is still {float(values[line][cells.index(left)]):g}; give it an "
                    "initial value that is nearer to a solution, or a larger tolerance"
                )
            if any(cell == stock.cell for stock in plan.stocks):
                within = ", or there is a division by zero within the step" if job.integrator.startswith("rk") else ""
                cure = f"a smaller TIME STEP may help{within}"
            return f"{prefix}'{cell_name(plan.model, cell)}' is not finite from time {timing.saved[line]:g}; {cure}"
    return f"{prefix}some values are not finite"
