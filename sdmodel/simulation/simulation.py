"""Simulation: one function makes runs, and another prepares simulations that are run many times.

A single run is an ensemble of one member without member dimensions.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER, make_run
from ..errors import SimulationError, reports_memory
from ..model import NA, Cell, Element, Integrator, Model, cell_name, delay_orders, key, nearest, split_name
from ..program import Program, compile_model
from ..scenario import Scenario, constant_values, merge_scenarios, range_violation, with_constants, with_tables
from ..vensim import read_scenario
from .execution import Job, Outcome, Progress, available_threads, bytes_needed, execute
from .inputs import Constants, Inputs, read_inputs
from .memory import check_memory
from .timing import SAME_TIME, Timing, timing_of

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
    integrator : {"euler", "rk4"}, optional
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
    _check_options(model, integrator, threads)
    changes = load_scenario(scenario)
    model = with_tables(model, changes)
    inputs = read_inputs(model, constant_values(model, changes), constants)
    program = compile_model(_with_orders(model, inputs))
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied)
    saved = _saved_elements(model, save)
    moving = [element for element in saved if element.kind != "constant"]
    rows = [row for element in moving for row in program.grid(element).rows]
    job = _job(program, timing, inputs, rows, integrator or model.integrator)
    _check_memory(job, inputs.count, threads, memory)
    outcome = execute(job, inputs, threads=threads, progress=progress)
    not_finite = _describe_not_finite(job, inputs, outcome)
    values = _values(program, moving, outcome, inputs) | _constants(program, saved, inputs)
    attributes: dict[str, Any] = {
        "scenario": changes.text,
        "changes": _changes(model, inputs, changes),
        "scenario_name": changes.name,
        "integrator": "rk4" if job.runge_kutta else "euler",
        "time_step": timing.time_step,
        "saveper": timing.time_step * timing.every,
    }
    remarks = "\n".join(filter(None, [timing.remark, *_range_remarks(model, inputs)]))
    optional = {"seed": seed, "not_finite": not_finite or None, "remarks": remarks or None}
    attributes |= {name: value for name, value in optional.items() if value is not None}
    run = make_run(model, timing.saved, values, dims=inputs.members, attributes=attributes)
    for text, kind in ((remarks, RunWarning), (not_finite, NotFiniteWarning)):
        if text:
            warnings.warn(text, kind, stacklevel=2)
    return run


_ORDERS: WeakKeyDictionary[Model, tuple[int, ...]] = WeakKeyDictionary()
"""The delay orders of models with their own constants."""


def _with_orders(model: Model, inputs: Inputs) -> Model:
    """Return the model to compile: the order of a DELAY N is part of its structure, and constants may decide it."""
    if model not in _ORDERS:
        _ORDERS[model] = delay_orders(model)
    if not _ORDERS[model]:
        return model
    low, high = (
        delay_orders(model, inputs.fixed | {cell: float(end(value)) for cell, value in inputs.varied.items()})
        for end in (np.min, np.max)
    )
    if low != high:
        message = "the members have a DELAY N or SMOOTH N of different orders; make one run for each order"
        raise SimulationError(message)
    return model if low == _ORDERS[model] else with_constants(model, inputs.fixed)


def _check_options(model: Model, integrator: str | None, threads: int | None) -> None:
    if not isinstance(model, Model):
        message = f"{type(model).__name__} is not a model; read one with read_model"
        raise SimulationError(message)
    if integrator not in {None, "euler", "rk4"}:
        message = f"integrator is {integrator!r}; it must be 'euler' or 'rk4'"
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


def _saved_elements(model: Model, save: Iterable[str] | None) -> list[Element]:
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


def _job(program: Program, timing: Timing, inputs: Inputs, rows: Sequence[int], integrator: Integrator) -> Job:
    known = dict(program.layout.plan.constants) | inputs.fixed
    given = np.array([known[cell] for cell in program.layout.inputs], dtype=float)
    varied_rows = np.array([program.row(cell) for cell in inputs.varied], dtype=np.int64)
    return Job(program, timing, np.array(rows, dtype=np.int64), integrator == "rk4", given, varied_rows)


def _values(
    program: Program, saved: Sequence[Element], outcome: Outcome, inputs: Inputs
) -> dict[str, NDArray[np.float64]]:
    """The part of the outcome that belongs to each element, shape (times, labels, members)."""
    values = {}
    first = 0
    _blank_missing(program, outcome.values)
    for element in saved:
        grid = program.grid(element)
        for index in grid.undefined:
            outcome.values[:, first + index] = np.nan
        part = outcome.values[:, first : first + len(grid.cells)]
        values[element.key] = part.reshape(len(part), *grid.shape, *inputs.shape)
        first += len(grid.cells)
    return values


def _constants(program: Program, saved: Sequence[Element], inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    """The constants of a run, with member dimensions where they vary."""
    given = dict(program.layout.plan.constants) | inputs.fixed
    frame = xr.DataArray(np.empty(inputs.shape), coords=inputs.members, dims=list(inputs.members))
    values = {}
    for element in saved:
        if element.kind != "constant":
            continue
        grid = program.grid(element)
        shape = inputs.shape if any(cell in inputs.varied for cell in grid.cells) else ()
        parts = [
            inputs.varied[cell].broadcast_like(frame).transpose(*inputs.members).values
            if cell in inputs.varied
            else np.full(shape, given.get(cell, np.nan), dtype=float)
            for cell in grid.cells
        ]
        values[element.key] = np.array(parts).reshape((*grid.shape, *shape))
        _blank_missing(program, values[element.key])
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
    lines = [f"{cell_name(model, cell)} = {text}" for cell, text in (*fixed.items(), *varied.items())]
    tables = [] if scenario.text else [change for change in scenario.changes if change.table is not None]
    return "\n".join([*lines, *(f"{change.name}{change.table}" for change in tables)])


def _range_remarks(model: Model, inputs: Inputs) -> list[str]:
    """One sentence per constant that is set to a value outside its range in the model."""
    ends = {cell: (value, value) for cell, value in inputs.fixed.items()}
    ends |= {cell: (float(value.values.min()), float(value.values.max())) for cell, value in inputs.varied.items()}
    found = ((cell, range_violation(model.elements[cell.key], *both)) for cell, both in ends.items())
    return [
        f"'{cell_name(model, cell)}' is set to {out[0]:g}, outside its range: {out[1]}" for cell, out in found if out
    ]


def _check_memory(job: Job, count: int, threads: int | None, memory: str | float | None) -> None:
    """Check that a job fits into memory; the cure is that of its largest part."""
    needed = bytes_needed(job, count, threads or available_threads())
    check_memory(sum(needed.values()), memory, "the run", max(needed, key=lambda cure: needed[cure]))


def _blank_after_failure(job: Job, outcome: Outcome) -> NDArray[np.intp]:
    """Blank the values of members after a stock has failed, and return these members."""
    failed = np.flatnonzero(outcome.broken >= 0)
    for member in failed:
        outcome.values[-(-outcome.broken[member] // job.timing.every) :, :, member] = np.nan
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
    """Describe the first cell of a member that is not finite: simulate it again up to the suspect steps, saving all cells.

    These are the start, and the step at which a stock or a saved value first fails, with the step before.
    """
    given = job.given.copy()
    if inputs.varied:
        given[job.varied_rows - job.program.layout.first_input] = inputs.columns(member, member + 1)[:, 0]
    plan = job.program.layout.plan
    cells = list(dict.fromkeys(assignment.cell for assignment in (*plan.start, *plan.step)))
    rows = np.array([job.program.row(cell) for cell in cells], dtype=np.int64)
    alone = replace(job, given=given, rows=rows, varied_rows=np.empty(0, dtype=np.int64))
    prefix = "" if inputs.count == 1 else f"member {member}: "
    broken = int(outcome.broken[member])
    if broken < 0:
        broken = int(np.isfinite(outcome.values[:, :, member]).all(axis=1).argmin()) * job.timing.every
    for step in sorted({0, max(broken - 1, 0), broken}):
        timing = Timing(job.timing.initial, job.timing.time_step, step, max(step, 1))
        finite = np.isfinite(execute(replace(alone, timing=timing), Inputs()).values[-1, :, 0])
        if not finite.all():
            cell = cells[int(finite.argmin())]
            hidden = plan.model.elements[cell.key].hidden  # made for a cell of the model
            shown = Cell(cell.key.split("#", maxsplit=1)[0], cell.labels) if hidden else cell
            cure = "look for a division by zero or a number that grows without bound"
            if any(cell == stock.cell for stock in plan.stocks):
                within = ", or there is a division by zero within the step" if job.runge_kutta else ""
                cure = f"a smaller TIME STEP may help{within}"
            return f"{prefix}'{cell_name(plan.model, shown)}' is not finite from time {timing.saved[-1]:g}; {cure}"
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

        Values are NaN from the time at which a stock of the member stops being finite. They equal those of `simulate`,
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
    _check_options(model, integrator, None)
    changes = load_scenario(scenario)
    model = with_tables(model, changes)
    inputs = Inputs({cell: value for cell, value in constant_values(model, changes).items() if cell not in ranges})
    inputs.varied |= {cell: xr.DataArray(np.array(ends), dims=MEMBER) for cell, ends in ranges.items()}
    program = compile_model(_with_orders(model, inputs))
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied)
    if until >= timing.initial:
        lines = int(np.searchsorted(timing.saved, until - SAME_TIME * timing.time_step))
        timing = replace(timing, steps=min(timing.steps, lines * timing.every))
    job = _job(program, timing, inputs, [program.row(cell) for cell in saved], integrator or model.integrator)
    return PreparedSimulation(timing.saved, tuple(ranges), job)
