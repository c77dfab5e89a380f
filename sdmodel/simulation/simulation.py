"""One function simulates everything: a single run is an ensemble of one member without dimensions of its own."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import make_run
from ..errors import SimulationError
from ..model import NA, Element, Integrator, Model, delay_orders, key, nearest, spell
from ..program import Program, compile_model
from ..scenario import Scenario, constant_values, merge, with_constants, with_tables
from ..vensim import read_scenario
from .diagnosis import NotFiniteWarning, RunWarning, diagnose
from .execution import Job, Outcome, Progress, available_threads, bytes_needed, execute
from .inputs import Constants, Inputs, read_inputs
from .timing import Timing, timing_of

_SIZE = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?i?B?)\s*", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

ScenarioLike = Scenario | str | Path | Sequence[Scenario | str | Path]


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
    """The run of a model, dims time and its subscripts, then those along which `constants` vary; in the model's units.

    `constants` maps names (`name` or `name[label]`) to numbers, to labelled arrays whose dimensions the run then has, or to
    plain sequences along `member`; a dataset over `member` is a design. They go over what `scenario` sets. `save` names
    what is kept, all by default. `memory` bounds what the run may take ("1GiB"; half of the machine's by default).

    Raises
    ------
    ScenarioError
        If something is set that is not a constant of the model.
    SimulationError
        If the times make no run, `save` names nothing of the model's, or the result is larger than `memory`.
    """
    check_options(model, integrator, threads)
    changes = merged(scenario)
    model = with_tables(model, changes)
    inputs = read_inputs(model, constant_values(model, changes), constants)
    program = compile_model(with_orders(model, inputs))
    plan = program.layout.plan
    timing = timing_of(plan, inputs.fixed, inputs.varied)
    kept = _kept(model, save)
    saved = [each for each in kept if each.kind != "constant"]
    job = _job(program, timing, inputs, saved, (integrator or model.integrator) == "rk4")
    _check_memory(bytes_needed(job, inputs.count, threads or available_threads()), memory)
    outcome = execute(job, inputs, threads=threads, progress=progress)
    note = diagnose(job, inputs, outcome)
    values = _values(program, saved, outcome, inputs) | _constants(program, kept, inputs)
    attributes: dict[str, Any] = {
        "scenario": changes.text,
        "changes": _changes(model, inputs, changes),
        "scenario_name": changes.name,
        "integrator": "rk4" if job.runge_kutta else "euler",
        "time_step": timing.time_step,
        "saveper": timing.time_step * timing.every,
    }
    attributes |= {} if seed is None else {"seed": seed}
    attributes |= {"not_finite": note} if note else {}
    remarks = "\n".join(filter(None, [timing.remark, *_outside(model, inputs)]))
    attributes |= {"remarks": remarks} if remarks else {}
    run = make_run(model, timing.saved, values, dims=inputs.members, attributes=attributes)
    for text, kind in ((remarks, RunWarning), (note, NotFiniteWarning)):
        if text:
            warnings.warn(text, kind, stacklevel=2)
    return run


_ORDERS: WeakKeyDictionary[Model, tuple[int, ...]] = WeakKeyDictionary()


def with_orders(model: Model, inputs: Inputs) -> Model:
    """The model to compile: the order of a DELAY N is part of its structure, and constants may decide it."""
    if model not in _ORDERS:
        _ORDERS[model] = delay_orders(model)
    if not _ORDERS[model]:
        return model
    corners = [
        inputs.fixed | {cell: float(end(value)) for cell, value in inputs.varied.items()} for end in (np.min, np.max)
    ]
    wanted = [delay_orders(model, corner) for corner in corners]
    if wanted[0] != wanted[1]:
        message = "the members have a DELAY N or SMOOTH N of different orders; make one run for each order"
        raise SimulationError(message)
    return model if wanted[0] == _ORDERS[model] else with_constants(model, inputs.fixed)


def check_options(model: Model, integrator: str | None, threads: int | None) -> None:
    """Refuse what is no model, and options that are none."""
    if not isinstance(model, Model):
        message = f"{type(model).__name__} is not a model; read one with read_model"
        raise SimulationError(message)
    if integrator not in {None, "euler", "rk4"}:
        message = f"integrator is {integrator!r}; it must be 'euler' or 'rk4'"
        raise SimulationError(message)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        message = f"threads is {threads!r}; it must be a whole number from 1 up"
        raise SimulationError(message)


def merged(scenario: ScenarioLike | None) -> Scenario:
    """One scenario of all that is given, read from its files; of several, the last one wins."""
    if scenario is None:
        return Scenario("")
    several = [scenario] if isinstance(scenario, Scenario | str | Path) else list(scenario)
    return merge([each if isinstance(each, Scenario) else read_scenario(each) for each in several])


def _kept(model: Model, save: Iterable[str] | None) -> list[Element]:
    """The elements that a run keeps, in the order of the file."""
    everything = [each for each in model if not each.hidden and each.kind != "lookup"]
    if save is None:
        return everything
    known = {each.key: each for each in everything}
    identifiers = {identifier: known[each] for each, identifier in model.identifiers.items() if each in known}
    found: dict[str, Element] = {}
    faults = []
    for name in [save] if isinstance(save, str) else map(str, save):
        bare = name.split("[", maxsplit=1)[0]
        element = known.get(key(name)) or known.get(key(bare)) or identifiers.get(bare)
        if element is None:
            close = nearest(bare, [each.name for each in everything])
            cure = f"did you mean '{close}'?" if close else "name elements of the model"
            faults.append(f"save: '{name}' is not in the model; {cure}")
        else:
            found[element.key] = element
    if faults or not found:
        raise SimulationError(
            "\n".join(faults) or "save: names nothing; name what to keep, or leave it out to keep all"
        )
    return list(found.values())


def _job(program: Program, timing: Timing, inputs: Inputs, saved: Sequence[Element], runge_kutta: bool) -> Job:  # noqa: FBT001
    layout = program.layout
    rows = [row for element in saved for row in program.grid(element).rows]
    given = dict(layout.plan.constants) | inputs.fixed
    return Job(
        program,
        timing,
        np.array(rows, dtype=np.int64),
        runge_kutta,
        np.array([given[cell] for cell in layout.inputs], dtype=float),
        np.array([layout.row[cell] for cell in inputs.varied], dtype=np.int64),
    )


def _values(
    program: Program, saved: Sequence[Element], outcome: Outcome, inputs: Inputs
) -> dict[str, NDArray[np.float64]]:
    """Each element's part of the outcome, shape (times, labels, members); missing values are not numbers."""
    values = {}
    first = 0
    _blank_missing(program.layout.plan.model, outcome.values)
    for element in saved:
        grid = program.grid(element)
        for index in grid.undefined:
            outcome.values[:, first + index] = np.nan
        part = outcome.values[:, first : first + len(grid.cells)]
        values[element.key] = part.reshape(len(part), *grid.shape, *inputs.shape)
        first += len(grid.cells)
    return values


def _constants(program: Program, kept: Sequence[Element], inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    """The constants of a run, with member dimensions where they vary."""
    plan = program.layout.plan
    values = {}
    for element in kept:
        if element.kind != "constant":
            continue
        grid = program.grid(element)
        shape, cells = grid.shape, grid.cells
        parts: list[Any] = [inputs.fixed.get(cell, plan.constants.get(cell, np.nan)) for cell in cells]
        if any(cell in inputs.varied for cell in cells):
            for index, cell in enumerate(cells):
                whole = inputs.varied[cell].broadcast_like(_frame(inputs)) if cell in inputs.varied else None
                parts[index] = (
                    np.full(inputs.shape, parts[index]) if whole is None else whole.transpose(*inputs.members).values
                )
            values[element.key] = np.array(parts).reshape(*shape, *inputs.shape)
        else:
            values[element.key] = np.array(parts, dtype=float).reshape(shape)
        _blank_missing(plan.model, values[element.key])
    return values


def _blank_missing(model: Model, values: NDArray[np.float64]) -> None:
    """Shows Vensim's missing value, and sums of it, as what it means; only where the model mentions it."""
    if model.mentions_missing:
        values[values <= NA] = np.nan


def _frame(inputs: Inputs) -> xr.DataArray:
    return xr.DataArray(np.empty(inputs.shape), coords=inputs.members, dims=list(inputs.members))


def _changes(model: Model, inputs: Inputs, scenario: Scenario) -> str:
    """What a run changed beyond its scenario's text, as lines of a change file."""
    told = constant_values(model, scenario) if scenario.text else {}
    lines = [f"{spell(model, cell)} = {value!r}" for cell, value in inputs.fixed.items() if told.get(cell) != value]
    lines += [f"{spell(model, cell)} = over {', '.join(map(str, value.dims))}" for cell, value in inputs.varied.items()]
    tables = [] if scenario.text else [change for change in scenario.changes if change.table is not None]
    return "\n".join([*lines, *(f"{change.name}{change.table}" for change in tables)])


def _outside(model: Model, inputs: Inputs) -> list[str]:
    """What is set to a value outside the range that the model declares for it, a sentence each."""
    ends = {cell: (value, value) for cell, value in inputs.fixed.items()}
    ends |= {cell: (float(value.values.min()), float(value.values.max())) for cell, value in inputs.varied.items()}
    found = []
    for cell, (low, high) in ends.items():
        bounds = model.elements[cell.key].range
        if bounds is None:
            continue
        low_end = -np.inf if bounds.minimum is None else bounds.minimum
        high_end = np.inf if bounds.maximum is None else bounds.maximum
        if low < low_end or high > high_end:
            odd, limit = (low, f"below {low_end:g}") if low < low_end else (high, f"above {high_end:g}")
            found.append(f"'{spell(model, cell)}' is set to {odd:g}, outside its range: {limit}")
    return found


def _check_memory(needed: int, memory: str | float | None) -> None:
    allowed = _machine_memory() // 2 if memory is None else memory_bytes(memory)
    if needed > allowed:
        message = (
            f"the run takes {needed / 2**30:.2g} GiB of memory, more than {allowed / 2**30:.2g} GiB; "
            "save fewer variables, make SAVEPER longer, or run fewer members at a time"
        )
        raise SimulationError(message)


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not told on this system
        return 8 * 2**30


def memory_bytes(size: str | float) -> int:
    """The bytes of a size as users write it.

    Raises
    ------
    SimulationError
        If it is no size.
    """
    match = _SIZE.fullmatch(str(size))
    if match is None:
        message = f"memory is '{size}'; write a size like '1GiB' or '500MB'"
        raise SimulationError(message)
    unit = match["unit"].lower()
    base = 1024 if "i" in unit else 1000
    return round(float(match["number"]) * base ** _UNITS[unit.rstrip("ib")])
