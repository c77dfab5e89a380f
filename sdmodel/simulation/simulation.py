"""Simulation: one function makes runs, and another prepares simulations that are run many times.

A single run is an ensemble of one member without member dimensions.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER, make_run
from ..errors import SimulationError, reports_memory
from ..model import (
    INTEGRATORS,
    NA,
    Cell,
    DelayOrder,
    Element,
    Integrator,
    Model,
    Plan,
    Start,
    cell_name,
    delay_orders,
    key,
    nearest,
    quote_name,
    quoted_cell,
    split_name,
)
from ..program import MOST_PARTS, NEVER, Grid, Program, compile_model
from ..resources import available_threads, check_memory
from ..scenario import Scenario, constant_values, merge_scenarios, range_violation, with_constants, with_tables
from ..vensim import read_scenario
from .execution import Job, Outcome, Progress, bytes_needed, execute
from .inputs import Constants, Inputs, read_inputs
from .timing import FINAL_TIME, SAME_TIME, Timing, timing_of

_MAX_SEARCHED = 2**25
"""The most numbers that the search for the first value that is not finite saves."""
_MAX_LISTED = 3
"""The most members that a warning names; the rest are counted."""

ScenarioLike = Scenario | str | Path | Sequence[Scenario | str | Path]


class RunWarning(UserWarning):
    """Something about a run that the user may not expect."""


class NotFiniteWarning(RunWarning):
    """Some values of a run are not finite."""


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
    progress: Progress | None = None,
    seed: int | None = None,
) -> xr.Dataset:
    r"""Simulate a model, once or for many values of its constants.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    constants : mapping or xarray.Dataset, optional
        Values of constants by name (`name` or `name[label]`), in the model's units. A number sets the constant for the whole
        run. A sequence gives one value per member of an ensemble. An `xarray.DataArray` adds its dimensions to the run;
        arrays with different dimensions give every combination. A dataset over `member` is a design. These values override
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
    progress : callable, optional
        Called with the number of finished members and the number of all members.
    seed : int, optional
        Seed to record in the attributes of the run.

    Returns
    -------
    xarray.Dataset
        The saved variables in the model's units, with dimensions `time`, the subscript ranges, then the dimensions along
        which `constants` vary. Attributes of each variable: `units`, `long_name` (the name in the model), `comment`,
        `equation` and `kind`.

    Raises
    ------
    ScenarioError
        If something is set that is not a constant of the model.
    SimulationError
        If the time settings are wrong, `save` names no variable of the model, or the run needs more than `memory`
        (OutOfMemoryError).

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
    """
    check_options(model, integrator, threads)
    changes = load_scenario(scenario)
    model = with_tables(model, changes)
    inputs = read_inputs(model, constant_values(model, changes), constants)
    compiled, order_remarks = with_orders(model, inputs)
    program = compile_model(compiled)
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied, moving_end=True)
    saved = _saved(model, program, save)
    job = make_job(program, timing, inputs, saved.rows, integrator or model.integrator)
    ends = None
    if FINAL_TIME.key in program.layout.plan.moving:
        job, ends = _find_ends(job, inputs, lambda job: _check_memory(job, inputs.count, threads, memory))
        timing = job.timing
    _check_memory(job, inputs.count, threads, memory)
    outcome = execute(job, inputs, threads=threads, progress=progress)
    if ends is not None:  # what a member does after its own end is not reported
        _set_after_end(outcome, timing, ends, 0.0)
    not_finite = _describe_not_finite(job, inputs, outcome)
    if ends is not None:
        _set_after_end(outcome, timing, ends, math.nan)
    values = _values(program, saved, outcome, inputs) | _constants(program, saved, inputs)
    attributes: dict[str, Any] = {
        "scenario": changes.text,
        "changes": _changes(model, inputs, changes),
        "scenario_name": changes.name,
        "integrator": job.integrator,
        "time_step": timing.time_step,
        "saveper": timing.time_step * timing.every,
    }
    inexact = _accuracy_remarks(job, outcome, inputs)
    settled = remarks_on_settings(model, timing, integrator)
    remarks = "\n".join([*settled, *order_remarks, *inexact, *_range_remarks(model, inputs)])
    optional = {
        "seed": seed,
        "not_finite": not_finite or None,
        "remarks": remarks or None,
        "inexact": len(inexact) or None,
    }
    attributes |= {name: value for name, value in optional.items() if value is not None}
    run = make_run(model, timing.saved, values, dims=inputs.members, attributes=attributes)
    for text, kind in ((remarks, RunWarning), (not_finite, NotFiniteWarning)):
        if text:
            warnings.warn(text, kind, stacklevel=2)
    return run


_CHOICE = (
    "the settings ask for Runge-Kutta of second order, with a number that Vensim's manual does not explain; "
    "it is run as {}; choose with --integrator rk2 or rk2-auto"
)


def remarks_on_settings(model: Model, timing: Timing, integrator: Integrator | None) -> list[str]:
    """Warnings about the times of a run, and about the integrator if it is the model's own."""
    chosen = _CHOICE.format(model.integrator) if integrator is None and model.integrator.startswith("rk2") else ""
    return [line for line in (*timing.remark.splitlines(), chosen) if line]


_ORDERS: WeakKeyDictionary[Model, tuple[DelayOrder, ...]] = WeakKeyDictionary()
"""The delay orders of models with their own constants."""


def with_orders(model: Model, inputs: Inputs) -> tuple[Model, list[str]]:
    """Return the model to compile, and warnings: the order of a DELAY N is part of its structure, and constants may decide it."""
    if model not in _ORDERS:
        _ORDERS[model] = delay_orders(model)
    if not _ORDERS[model]:
        return model, []
    low, high = (
        delay_orders(model, inputs.fixed | {cell: float(end(value)) for cell, value in inputs.varied.items()})
        for end in (np.min, np.max)
    )
    if low != high:
        message = "the members have a DELAY N or SMOOTH N of different orders; make one run for each order"
        raise SimulationError(message)
    remarks = list(dict.fromkeys(found.remark for found in (*low, *high) if found.remark))
    if len(remarks) > _MAX_LISTED:
        remarks[_MAX_LISTED:] = [f"and {len(remarks) - _MAX_LISTED} more orders of delays are changed like this"]
    return model if low == _ORDERS[model] else with_constants(model, inputs.fixed), remarks


def check_options(model: Model, integrator: str | None, threads: int | None = None) -> None:
    """Check the types and the values of the options of a run."""
    if not isinstance(model, Model):
        message = f"{type(model).__name__} is not a model; read one with read_model"
        raise SimulationError(message)
    if integrator not in {None, *INTEGRATORS}:
        message = f"integrator is {integrator!r}; it must be one of {', '.join(INTEGRATORS)}"
        raise SimulationError(message)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        message = f"threads is {threads!r}; it must be a whole number, at least 1"
        raise SimulationError(message)


def load_scenario(scenario: ScenarioLike | None) -> Scenario:
    """Merge scenarios, given as records or as files to read, into one; the last one wins."""
    if scenario is None:
        return Scenario("")
    parts = [scenario] if isinstance(scenario, Scenario | str | Path) else list(scenario)
    return merge_scenarios([part if isinstance(part, Scenario) else read_scenario(part) for part in parts])


@dataclass(frozen=True, slots=True)
class _Saved:
    """The elements to save, those that move and the constants, with their cells, and the rows of the former."""

    moving: tuple[tuple[Element, Grid], ...]
    constants: tuple[tuple[Element, Grid], ...]
    rows: NDArray[np.int64]


_SAVED: WeakKeyDictionary[Program, _Saved] = WeakKeyDictionary()
"""All elements of a program, which is what most runs save."""


def _saved(model: Model, program: Program, save: Iterable[str] | None) -> _Saved:
    if save is None and program in _SAVED:
        return _SAVED[program]
    pairs = [(element, program.grid(element)) for element in saved_elements(model, save)]
    moving = tuple(pair for pair in pairs if pair[0].kind != "constant")
    constants = tuple(pair for pair in pairs if pair[0].kind == "constant")
    found = _Saved(moving, constants, np.array([row for _, grid in moving for row in grid.rows], dtype=np.int64))
    if save is None:
        _SAVED[program] = found
    return found


def saved_elements(model: Model, save: Iterable[str] | None) -> list[Element]:
    """The elements to save, in the order of `save`, or all in the order of the file."""
    everything = [element for element in model if not element.hidden and element.kind != "lookup"]
    if save is None:
        return everything
    known = {element.key: element for element in everything}
    identifiers = {identifier: known[own] for own, identifier in model.identifiers.items() if own in known}
    found: dict[str, Element] = {}
    faults = []
    for name in [save] if isinstance(save, str) else map(str, save):
        bare = split_name(name)[0]
        element = known.get(key(name)) or known.get(key(bare)) or identifiers.get(bare)
        if element is None:
            close = nearest(bare, [other.name for other in everything])
            cure = f"did you mean '{close}'?" if close else "name elements of the model"
            faults.append(f"save: '{name}' is not in the model; {cure}")
        else:
            found[element.key] = element
    if not faults and not found:
        faults.append("save: the list is empty; name the variables to save, or leave it out to save all")
    if faults:
        raise SimulationError("\n".join(faults))
    return list(found.values())


def make_job(
    program: Program, timing: Timing, inputs: Inputs, rows: Sequence[int] | NDArray[np.int64], integrator: Integrator
) -> Job:
    """What to compute, for constants that are set."""
    known = dict(program.layout.plan.constants) | inputs.fixed
    given = np.array([known[cell] for cell in program.layout.inputs], dtype=float)
    varied_rows = np.array([program.row(cell) for cell in inputs.varied], dtype=np.int64)
    where = np.array(rows, dtype=np.int64)
    lagged = ~np.isin(where, _levels(program)) if integrator == "diff" else None
    tolerances = _tolerances(program.layout.plan, inputs) if integrator.endswith("-auto") else (0.0, 0.0)
    return Job(program, timing, where, integrator, given, varied_rows, lagged, tolerances)


def _levels(program: Program) -> list[int]:
    """The rows of what is known before a step is computed: Diff saves all else as it was at the saved time before."""
    plan = program.layout.plan
    known = [*plan.stocks, *plan.delays, *plan.samples]
    changing = {*plan.step, *known}
    constant = [own.cell for own in plan.start if own not in changing]
    return [program.row(cell) for cell in (*program.layout.inputs, *constant, *(own.cell for own in known))]


def _tolerances(plan: Plan, inputs: Inputs) -> tuple[float, float]:
    """The absolute and relative error that the model allows for each stock in a time step; Vensim's default is 0.001."""
    found = []
    for name in ("ABSOLUTE TOLERANCE", "RELATIVE TOLERANCE"):
        cell = Cell(key(name))
        value = Start(plan.model, inputs.fixed).read(cell) if cell.key in plan.model.elements else 0.001
        if not isinstance(value, float) or not value > 0 or cell in inputs.varied:
            message = f"{name} is {'varied between members' if cell in inputs.varied else value}; it must be one number above 0"
            raise SimulationError(message)
        found.append(value)
    return found[0], found[1]


def _accuracy_remarks(job: Job, outcome: Outcome, inputs: Inputs) -> list[str]:
    """A warning if an integrator with automatic steps cannot meet its tolerances."""
    missed = np.flatnonzero((outcome.inexact >= 0) & ((outcome.broken < 0) | (outcome.inexact < outcome.broken)))
    if not missed.size:
        return []
    time = job.timing.moments[2 * max(int(outcome.inexact[missed[0]]) - 1, 0)]
    which = f"member {missed[0]}: " if inputs.count > 1 else ""
    more = f" (and {missed.size - 1} more members)" if missed.size > 1 else ""
    what = f"{which}{MOST_PARTS} parts of a time step do not meet the tolerances of {job.integrator} from time {time:g}{more}"
    return [f"{what}; make TIME STEP smaller, or RELATIVE TOLERANCE and ABSOLUTE TOLERANCE larger"]


_MOST_GROWTH = 1_000_000
"""The most steps that a FINAL TIME which changes may add to a run."""


def _find_ends(job: Job, inputs: Inputs, check: Callable[[Job], None]) -> tuple[Job, NDArray[np.int64]]:
    """Find the step at which each member reaches a FINAL TIME that changes, and the job up to the last of them.

    A first run computes FINAL TIME at every step, for ever longer until every member has reached it.
    """
    rows = np.array([job.program.row(FINAL_TIME)], dtype=np.int64)
    steps = job.timing.steps
    while True:
        timing = replace(job.timing, steps=steps, every=1.0, remark="")
        search = replace(job, timing=timing, rows=rows, lagged=None)
        check(search)
        final = execute(search, inputs).values[:, 0, :]
        reached = timing.moments[::2, np.newaxis] >= final - SAME_TIME * timing.time_step
        if reached.any(axis=0).all():
            break
        going = final[-1, ~reached.any(axis=0)]
        longest = float(going.max())
        if not math.isfinite(longest):
            message = f"FINAL TIME becomes {longest}; it must be a number"
            raise SimulationError(message)
        if steps >= job.timing.steps + _MOST_GROWTH:
            message = f"FINAL TIME is still ahead of Time after {steps:,} steps; make it a number that a run reaches"
            raise SimulationError(message)
        needed = math.ceil((longest - timing.initial) / timing.time_step - SAME_TIME)
        steps = min(max(needed, 2 * steps, steps + 1), job.timing.steps + _MOST_GROWTH)
    ends = reached.argmax(axis=0).astype(np.int64)
    last = replace(job.timing, steps=int(ends.max()), remark="")
    remark = f"FINAL TIME changes during the run, which ends at {last.moments[-1]:g}"
    if ends.min() != ends.max():
        remark += f"; the first members end at {last.moments[2 * ends.min()]:g}, and have no values after their end"
    unsaved = last.moments[-1] - last.saved[-1] > SAME_TIME * last.time_step
    remark += f"; the last saved time is {last.saved[-1]:g}" if unsaved else ""
    kept = [line for line in job.timing.remark.splitlines() if line.startswith("SAVEPER")]
    return replace(job, timing=replace(last, remark="\n".join([*kept, remark]))), ends


def _values(program: Program, saved: _Saved, outcome: Outcome, inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    """The part of the outcome that belongs to each element, shape (times, labels, members)."""
    _blank_missing(program, outcome.values)
    values, members = {}, inputs.shape
    first, lines = 0, len(outcome.values)
    rows = [] if members else list(outcome.values[..., 0].T)  # quicker than to take each by itself
    for element, grid in saved.moving:
        for index in grid.undefined:
            outcome.values[:, first + index] = np.nan
        last = first + len(grid.cells)
        if grid.shape or members:
            values[element.key] = outcome.values[:, first:last].reshape(lines, *grid.shape, *members)
        else:
            values[element.key] = rows[first]
        first = last
    return values


def _constants(program: Program, saved: _Saved, inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    """The constants of a run, with member dimensions where they vary."""
    given = program.layout.plan.constants if not inputs.fixed else dict(program.layout.plan.constants) | inputs.fixed
    cells = [cell for _, grid in saved.constants for cell in grid.cells]
    fixed = np.array([given.get(cell, math.nan) for cell in cells])
    _blank_missing(program, fixed)
    values, first = {}, 0
    for element, grid in saved.constants:
        last = first + len(grid.cells)
        values[element.key] = fixed[first:last].reshape(grid.shape) if grid.shape else fixed[first, ...]
        if inputs.varied and not inputs.varied.keys().isdisjoint(grid.cells):
            frame = xr.DataArray(np.empty(inputs.shape), coords=inputs.members, dims=list(inputs.members))
            parts = [
                inputs.varied[cell].broadcast_like(frame).transpose(*inputs.members).values
                if cell in inputs.varied
                else np.full(inputs.shape, value)
                for cell, value in zip(grid.cells, fixed[first:last], strict=True)
            ]
            values[element.key] = np.array(parts).reshape((*grid.shape, *inputs.shape))
            _blank_missing(program, values[element.key])
        first = last
    return values


def _blank_missing(program: Program, values: NDArray[np.float64]) -> None:
    """Replace Vensim's missing value, and sums with it, by NaN if the model uses it."""
    if program.layout.plan.model.mentions_missing:
        values[values <= NA] = np.nan


def _changes(model: Model, inputs: Inputs, scenario: Scenario) -> str:
    """The changes of a run beyond the text of its scenario, as lines of a change file."""
    known = constant_values(model, scenario) if scenario.text else {}
    fixed = {cell: repr(value) for cell, value in inputs.fixed.items() if known.get(cell) != value}
    varied = {cell: f"over {', '.join(map(str, value.dims))}" for cell, value in inputs.varied.items()}
    lines = [f"{quoted_cell(model, cell)} = {text}" for cell, text in (*fixed.items(), *varied.items())]
    tables = [] if scenario.text else [change for change in scenario.changes if change.table is not None]
    return "\n".join([*lines, *(f"{quote_name(change.name, change.subscripts)}{change.table}" for change in tables)])


def _range_remarks(model: Model, inputs: Inputs) -> list[str]:
    """One sentence per constant that is set to a value outside its range in the model."""
    ends = {cell: (value, value) for cell, value in inputs.fixed.items()}
    ends |= {cell: (float(value.values.min()), float(value.values.max())) for cell, value in inputs.varied.items()}
    found = ((cell, range_violation(model.elements[cell.key], *both)) for cell, both in ends.items())
    return [
        f"'{cell_name(model, cell)}' is set to {out[0]:g}, outside its range: {out[1]}" for cell, out in found if out
    ]


def _set_after_end(outcome: Outcome, timing: Timing, ends: NDArray[np.int64], value: float) -> None:
    """Replace the values of each member after its last step, and forget what fails there."""
    np.copyto(outcome.values, value, where=timing.saved_steps[:, np.newaxis, np.newaxis] > ends)
    for when in (outcome.broken, outcome.inexact):
        when[when > ends] = int(NEVER)


def _check_memory(job: Job, count: int, threads: int | None, memory: str | float | None) -> None:
    """Check that a job fits into memory; the cure is that of its largest part."""
    needed = bytes_needed(job, count, threads or available_threads())
    check_memory(sum(needed.values()), memory, "the run", max(needed, key=lambda cure: needed[cure]))


def _blank_after_failure(job: Job, outcome: Outcome) -> NDArray[np.intp]:
    """Blank what is not finite after a stock of a member has failed, and return these members.

    Other values stay: a number that is not finite decides nothing, so that no comparison or lookup of the stock hides in them.
    """
    failed = np.flatnonzero(outcome.broken >= 0)
    for member in failed:
        values = outcome.values[:, :, member]
        values[(job.timing.saved_steps >= outcome.broken[member])[:, np.newaxis] & ~np.isfinite(values)] = np.nan
    return failed


def _describe_not_finite(job: Job, inputs: Inputs, outcome: Outcome) -> str:
    """Describe what is not finite, one line per member; an auxiliary that is not finite for a while harms nothing else."""
    doubtful = _blank_after_failure(job, outcome)
    with np.errstate(invalid="ignore", over="ignore"):
        if not doubtful.size and not np.isfinite(outcome.values.sum()):
            doubtful = np.flatnonzero(~np.isfinite(outcome.values).all(axis=(0, 1)))
    lines = [_first_failure(job, inputs, outcome, int(member)) for member in doubtful[:_MAX_LISTED]]
    if doubtful.size > _MAX_LISTED:
        lines.append(f"and {doubtful.size - _MAX_LISTED} more of {inputs.count} members are not finite")
    return "\n".join(lines)


def _first_failure(job: Job, inputs: Inputs, outcome: Outcome, member: int) -> str:
    """Describe the first cell of a member that is not finite: simulate it again, saving all cells at all steps.

    If they need too much memory, only at the start, at the step at which a stock or a saved value first fails, and at the one before.
    """
    given = job.given.copy()
    if inputs.varied:
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
    whole = Timing(job.timing.initial, job.timing.time_step, broken, 1)
    suspects = [replace(whole, steps=step, every=max(step, 1)) for step in sorted({0, max(broken - 1, 0), broken})]
    for timing in [whole] if whole.lines * len(rows) <= _MAX_SEARCHED else suspects:
        finite = np.isfinite(execute(replace(alone, timing=timing), Inputs()).values[..., 0])
        if not finite.all():
            line = int(finite.all(axis=1).argmin())
            cell = cells[int(finite[line].argmin())]
            cure = "look for a division by zero or a number that grows without bound"
            if any(cell == stock.cell for stock in plan.stocks):
                within = ", or there is a division by zero within the step" if job.integrator.startswith("rk") else ""
                cure = f"a smaller TIME STEP may help{within}"
            return f"{prefix}'{cell_name(plan.model, cell)}' is not finite from time {timing.saved[line]:g}; {cure}"
    return f"{prefix}some values are not finite"


@dataclass(frozen=True, eq=False)
class PreparedSimulation:
    """A prepared simulation: its saved `times`, in the model's unit, and the constants that it takes, `varied`."""

    times: NDArray[np.float64]
    varied: tuple[Cell, ...]
    _job: Job

    @reports_memory
    def values(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate constants, shape (members, varied cells); the result has shape (saved times, saved cells, members).

        What depends on a stock that stops being finite is NaN from then on. The values equal those of `simulate`,
        whichever members are computed together. A single member is computed twice, since the code for one member rounds
        differently.
        """
        count = len(points)
        columns = np.asarray(points, dtype=float).T
        columns = np.repeat(columns, 2, axis=1) if count == 1 else columns
        varied = {cell: xr.DataArray(column, dims=MEMBER) for cell, column in zip(self.varied, columns, strict=True)}
        members = xr.DataArray(np.empty(columns.shape[1]), dims=MEMBER)
        _check_memory(self._job, columns.shape[1], None, None)
        outcome = execute(self._job, Inputs(varied=varied, members={MEMBER: members}))
        _blank_after_failure(self._job, outcome)
        _blank_missing(self._job.program, outcome.values)
        return outcome.values[..., :count]


def prepare_simulation(
    model: Model,
    ranges: Mapping[Cell, tuple[float, float]],
    saved: Sequence[Cell],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    until: float = math.inf,
) -> PreparedSimulation:
    """Prepare a simulation in which constants vary within `ranges` and the cells `saved` are returned, without labels.

    It is compiled once and run many times, for searches and samplers. It ends at the first saved time from `until` on, or
    at FINAL TIME, which equations still see unchanged. Raises ScenarioError if the scenario sets something that is not a
    constant of the model, and SimulationError if the time settings are wrong, or depend on a constant that varies.
    """
    check_options(model, integrator)
    changes = load_scenario(scenario)
    model = with_tables(model, changes)
    inputs = Inputs({cell: value for cell, value in constant_values(model, changes).items() if cell not in ranges})
    inputs.varied |= {cell: xr.DataArray(np.array(ends), dims=MEMBER) for cell, ends in ranges.items()}
    program = compile_model(with_orders(model, inputs)[0])
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied)
    if until >= timing.initial:
        lines = int(np.searchsorted(timing.saved, until - SAME_TIME * timing.time_step))
        timing = replace(timing, steps=int(timing.saved_steps[min(lines, timing.lines - 1)]))
    job = make_job(program, timing, inputs, [program.row(cell) for cell in saved], integrator or model.integrator)
    return PreparedSimulation(timing.saved, tuple(ranges), job)
