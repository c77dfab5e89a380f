"""What runs have in common: scenarios, saved variables, and the job that the machine code gets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, ScenarioError, SimulationError, format_count
from ..extras import made_once
from ..model import (
    INTEGRATORS,
    NA,
    NOISE_SEED,
    RUN_SETTINGS,
    Cell,
    DelayOrder,
    Element,
    Integrator,
    Model,
    Plan,
    Source,
    Start,
    data_gaps,
    delay_orders,
    key,
    missing_data,
    split_name,
    suggest,
)
from ..program import MEMBER_CELL, SEED_CELL, Grid, Program
from ..resources import check_memory
from ..scenario import Scenario, with_constants
from ..vensim import scenario_from_text
from .execution import Job, Outcome, bytes_needed
from .inputs import Inputs
from .timing import Timing

MAX_LISTED = 3
"""The most members or delays that a warning names; the rest are counted."""

_NOISE_SEED = Cell(NOISE_SEED)


@made_once
def _own_orders(model: Model) -> tuple[DelayOrder, ...]:
    """The delay orders of a model with its own constants."""
    return delay_orders(model)


def with_orders(model: Model, inputs: Inputs) -> tuple[Model, list[str]]:
    """Return the model to compile, and warnings: the order of a DELAY N is part of its structure, and constants may decide it.

    They may also switch on data that the model lacks, which is refused.
    """
    _check_switches(model, inputs)
    if not _own_orders(model):
        return model, []
    low, high = (
        delay_orders(model, inputs.fixed | {cell: float(end(value)) for cell, value in inputs.varied.items()})
        for end in (np.min, np.max)
    )
    if low != high:
        message = "the members have a DELAY N or SMOOTH N of different orders; make one run for each order"
        raise SimulationError(message)
    remarks = list(dict.fromkeys(found.remark for found in (*low, *high) if found.remark))
    if len(remarks) > MAX_LISTED:
        remarks[MAX_LISTED:] = [f"and {format_count(len(remarks) - MAX_LISTED, 'more order')}"]
    return model if low == _own_orders(model) else with_constants(model, inputs.fixed), remarks


def _check_switches(model: Model, inputs: Inputs) -> None:
    changed = {cell.key: value for cell, value in inputs.fixed.items() if not cell.labels}
    for cell, array in inputs.varied.items():
        if not cell.labels and array.size:
            least, most = float(array.min()), float(array.max())
            changed[cell.key] = least if least == most else math.nan
    if changed and (faults := [*missing_data(model, changed)]):
        raise ModelError(faults)


def check_options(integrator: str | None, threads: int | None = None) -> None:
    """Check what a user gives as integrator and number of threads."""
    if integrator not in {None, *INTEGRATORS}:
        message = f"integrator is {integrator!r}; it must be one of {', '.join(INTEGRATORS)}"
        raise SimulationError(message)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        message = f"threads is {threads!r}; it must be a whole number, at least 1"
        raise SimulationError(message)


def changes_in_text(scenario: Scenario) -> Scenario:
    """Return the changes that the text of a scenario holds; a merged one may have others, from records without a text."""
    return _changes_in(scenario.text)


@lru_cache(maxsize=16)
def _changes_in(text: str) -> Scenario:
    try:
        return scenario_from_text(text)
    except ScenarioError:  # a text that was never that of a file
        return Scenario("")


_CHOICE = (
    "the settings ask for Runge-Kutta of second order, with a number that Vensim's manual does not explain; "
    "it is run as {}; choose with --integrator rk2 or rk2-auto"
)


def remarks_on_settings(model: Model, timing: Timing, integrator: Integrator | None) -> list[str]:
    """Warnings about the files that a model is read from, the times of a run, and the integrator if it is the model's own."""
    swapped = [f"{own.instead_of} is not there; {own.path} is read instead" for own in model.sources if own.instead_of]
    odd = [f"{own.path}: {_remark_on_cells(own)}" for own in model.sources if own.remark]
    chosen = _CHOICE.format(model.integrator) if integrator is None and model.integrator.startswith("rk2") else ""
    return [line for line in (*swapped, *odd, *_gaps(model), *timing.remark.splitlines(), chosen) if line]


@made_once
def _gaps(model: Model) -> list[str]:
    """Remarks on data variables that lack data in some cells."""
    gaps = [fault.what for fault in data_gaps(model)]
    more = [f"and {format_count(len(gaps) - MAX_LISTED, 'more data variable')}"] if len(gaps) > MAX_LISTED else []
    return [*gaps[:MAX_LISTED], *more]


def _remark_on_cells(source: Source) -> str:
    rest = source.odd_cells - 1
    return f"{source.remark} ({format_count(rest, 'more odd cell')})" if rest else source.remark


def noise_remark(job: Job, inputs: Inputs) -> str:
    """A remark about the random numbers of a run, empty if its model draws none."""
    plan = job.program.layout.plan
    if SEED_CELL not in plan.constants:
        return ""
    seeds = (inputs.noise.seed, inputs.fixed.get(_NOISE_SEED), plan.constants.get(_NOISE_SEED))
    seed = next((f" of the seed {found:.0f}" for found in seeds if found is not None), "")
    return f"the random numbers{'' if _NOISE_SEED in inputs.varied else seed} are sdmodel's own; Vensim draws others"


def deciding_cells(model: Model, given: Mapping[Cell, float]) -> set[Cell]:
    """Return what the times of a run, its tolerances and the orders of its delays depend on, and so its code."""
    start = Start(model, given)
    for name in (*RUN_SETTINGS, "ABSOLUTE TOLERANCE", "RELATIVE TOLERANCE"):
        if key(name) in model.elements:
            start.read(Cell(key(name)))
    delay_orders(model, start=start)
    return set(start.known)


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
            cure = suggest(bare, [other.name for other in everything], "name elements of the model")
            faults.append(f"save: '{name}' is not in the model; {cure}")
        else:
            found[element.key] = element
    if not faults and not found:
        faults.append("save: the list is empty; name the variables to save, or leave it out to save all")
    if faults:
        raise SimulationError("\n".join(faults))
    return list(found.values())


def named_grid(program: Program, model: Model, name: str) -> Grid:
    """Return the cells of a variable, or the one cell that labels select.

    Raises SimulationError if the model has no such variable or cell.
    """
    (element,) = saved_elements(model, [name])
    grid, labels = program.grid(element), split_name(name, model.elements)[1]
    if not labels:
        return grid
    cell = Cell(element.key, tuple(map(key, labels)))
    if cell not in grid.cells:
        message = f"save: '{name}' is not in the model; give one label for each of its {format_count(len(element.dimensions), 'subscript')}"
        raise SimulationError(message)
    return Grid(cell, (), np.array([program.row(cell)]), np.empty(0, dtype=np.int64))


def make_job(
    program: Program, timing: Timing, inputs: Inputs, rows: Sequence[int] | NDArray[np.int64], integrator: Integrator
) -> Job:
    """Return the job that computes a program with the fixed constants of `inputs` and saves some rows."""
    constants = program.layout.plan.constants
    known = dict(inputs.fixed)
    noise, numbered = inputs.noise, []
    if SEED_CELL in constants:
        seeds = [cell for cell in (SEED_CELL, _NOISE_SEED) if noise.seed is not None and cell in constants]
        known |= dict.fromkeys(seeds, float(noise.seed or 0)) | {MEMBER_CELL: float(noise.member)}
        numbered = [program.row(MEMBER_CELL)] if noise.by_member else []
    given = program.given
    for cell, value in known.items():
        if cell in constants:
            given[program.row(cell) - program.layout.first_input] = value
    varied_rows = np.array([*(program.row(cell) for cell in inputs.varied), *numbered], dtype=np.int64)
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


def check_job_memory(job: Job, count: int, threads: int | None, memory: str | float | None) -> None:
    """Check that a job fits into memory; the cure is that of its largest part."""
    needed = bytes_needed(job, count, threads)
    check_memory(sum(needed.values()), memory, "the run", max(needed, key=lambda cure: needed[cure]))


def blank_after_failure(job: Job, outcome: Outcome) -> NDArray[np.intp]:
    """Blank what is not finite after a stock of a member has failed, and return these members.

    Other values stay: a number that is not finite decides nothing, so that no comparison or lookup of the stock hides in them.
    """
    failed = np.flatnonzero(outcome.broken >= 0)
    for member in failed:
        values = outcome.values[:, :, member]
        values[(job.timing.saved_steps >= outcome.broken[member])[:, np.newaxis] & ~np.isfinite(values)] = np.nan
    return failed


def blank_missing(program: Program, values: NDArray[np.float64]) -> None:
    """Replace Vensim's missing value, and sums with it, by NaN if the model uses it."""
    if program.layout.plan.model.mentions_missing:
        values[values <= NA] = np.nan
