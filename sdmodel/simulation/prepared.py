"""Prepared simulations: a model that is compiled for many light calls with other constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..dataset import MEMBER
from ..errors import Fault, ScenarioError, SimulationError, format_count, list_some, reports_memory
from ..model import Cell, Integrator, Model, Unchanging, cell_name, split_name, takes_model
from ..program import MEMBER_CELL, Grids, Program, compile_program
from ..scenario import Scenario, cell_values, constant_values, is_course, named_cells, with_tables
from ..vensim import ScenarioLike, under_scenario
from ..workers import Workers
from .execution import Job, execute
from .inputs import Inputs, Points
from .jobs import (
    blank_after_failure,
    blank_missing,
    check_job_memory,
    check_options,
    deciding_cells,
    make_job,
    named_grid,
    with_orders,
)
from .setup import noise_of
from .timing import SAME_TIME, timing_of


@dataclass(frozen=True, eq=False)
class PreparedSimulation(Unchanging):
    r"""A compiled model, called with numbers and returning arrays, as optimisers and samplers want it; see `compile_model`.

    It can be pickled; another process compiles the model again, once. Threads may share it.

    Attributes
    ----------
    times : numpy.ndarray
        The saved times, shape (times,), in the model's unit.
    constants : tuple of str
        The constants that a call takes, in order: `name` or `name[label]`.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate*stock, 100)\nrate = 0.1", final=2)
    >>> run = sd.compile_model(model, save=["stock"], constants=["rate"])
    >>> run.times, run.constants
    (array([0., 1., 2.]), ('rate',))
    """

    times: NDArray[np.float64] = field(repr=False)
    constants: tuple[str, ...]
    _job: Job = field(repr=False)
    _again: Callable[[], PreparedSimulation] = field(repr=False)
    _saved: Grids = field(default_factory=lambda: Grids({}), repr=False)
    _threads: int | None = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._again, ()

    @property
    def _listed(self) -> str:
        return list_some(self.constants) or "none"

    @reports_memory
    def __call__(self, constants: ArrayLike = ()) -> dict[str, NDArray[np.float64]]:
        """Simulate with these constants.

        Parameters
        ----------
        constants : array_like
            One number for each of `constants`, in its own units, shape (constants,), or a number alone where there is only one; or
            several sets of them, shape (members, constants).

        Returns
        -------
        dict of str to numpy.ndarray
            The values of each saved variable, by its name as given to `compile_model`, in the model's units: shape
            (times, labels of each subscript range), with the members first where there are several. What depends on a stock
            that stops being finite is NaN from then on, without a warning. The numbers are those of `simulate`; as there, one
            member alone may be rounded otherwise than among others. All members have the same random numbers.

        Raises
        ------
        ScenarioError
            If the shape is wrong, or a number is not finite.
        OutOfMemoryError
            If the members need too much memory at a time.
        """
        try:
            points = np.asarray(constants, dtype=float)
        except (TypeError, ValueError) as cause:
            what = f"{type(constants).__name__} does not hold numbers alone; give an array with one for each of {self._listed}"
            raise ScenarioError([Fault("constants", what)]) from cause
        if points.ndim == 0 and len(self.constants) == 1:
            points = points[np.newaxis]
        if points.ndim not in {1, 2} or points.shape[-1] != len(self.constants):
            count = len(self.constants)
            what = f"the shape is {points.shape}; give {format_count(count, 'number')} ({self._listed}), or rows of {count}"
            raise ScenarioError([Fault("constants", what)])
        if not np.isfinite(points).all():
            raise ScenarioError([Fault("constants", "a value is not finite; give numbers")])
        members = points.shape[:-1]
        values = self.values(points) if members else self._values(points[:, np.newaxis])
        found = self._saved.split(values, members)
        return {name: np.moveaxis(array, -1, 0) for name, array in found.items()} if members else found

    @reports_memory
    def values(self, points: NDArray[np.float64], *, executor: Workers | None = None) -> NDArray[np.float64]:
        """Simulate several members, shape (members, constants); the result has shape (saved times, saved cells, members).

        The values equal those of `simulate` for several members, whichever are computed together, also by the other processes
        of an `executor`. A single member is computed twice, since the code for one member rounds differently.
        """
        count = len(points)
        columns = np.asarray(points, dtype=float).T
        if count == 0:
            return np.empty((len(self.times), len(self._job.rows), 0))
        check_job_memory(self._job, max(count, 2), self._threads, None)
        columns = np.repeat(columns, 2, axis=1) if count == 1 else columns
        return self._values(columns, executor)[..., :count]

    def _values(self, columns: NDArray[np.float64], executor: Workers | None = None) -> NDArray[np.float64]:
        outcome = execute(self._job, Points(columns), threads=self._threads, executor=executor)
        blank_after_failure(self._job, outcome)
        blank_missing(self._job.program, outcome.values)
        return outcome.values


@takes_model
def compile_model(
    model: Model,
    *,
    save: Iterable[str],
    constants: Iterable[str] = (),
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    until: float | None = None,
    threads: int | None = None,
    seed: int | None = None,
) -> PreparedSimulation:
    r"""Compile a model for many calls that change some of its constants and return some of its variables.

    A call costs little more than the simulation itself. Use `simulate` for a run with labels, units and warnings.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    save : iterable of str
        The variables that a call returns, `name` or `name[label]`.
    constants : iterable of str
        The constants that a call takes, `name` or `name[label]`. A name with subscripts takes one number for each label, row by
        row.
    scenario : Scenario, path or sequence of them, optional
        Changes to constants and lookups that hold in every call, as records or `.cin` files.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        Integration method; the model's own by default.
    until : float, optional
        End at the first saved time from this one on, in the model's unit of time; at FINAL TIME by default.
    threads : int, optional
        Number of threads for many members; all processors by default. The numbers do not depend on it.
    seed : int, optional
        Seed of random functions, as for `simulate`. Unlike there, all sets of constants have the random numbers of a single
        run, so that an optimiser sees what its constants do and no noise.

    Returns
    -------
    PreparedSimulation
        Call it with numbers for `constants`.

    Raises
    ------
    ScenarioError
        If `constants` or the scenario name something that is not a constant of the model.
    SimulationError
        If `save` names no variable of the model, or a constant decides the times of a run or the order of a delay, and so
        cannot change between calls.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate*stock, 100)\nrate = 0.1", final=2)
    >>> run = sd.compile_model(model, save=["stock"], constants=["rate"])
    >>> run([0.1])["stock"].round(2)
    array([100., 110., 121.])
    >>> run([[0.0], [0.2]])["stock"].round(2)
    array([[100., 100., 100.],
           [100., 120., 144.]])
    """
    check_options(integrator, threads)
    if until is not None and (not isinstance(until, int | float | np.number) or math.isnan(until)):
        message = f"until is {until!r}; give a time of the model, a number"
        raise SimulationError(message)
    model, changes = under_scenario(model, scenario)
    wanted, taken = _listed(save), _listed(constants)
    cells = [cell for name in taken for cell in named_cells(model, name)[2]]
    twice = next((cell for index, cell in enumerate(cells) if cell in cells[:index]), None)
    if twice is not None:
        raise ScenarioError([Fault("constants", f"'{cell_name(model, twice)}' is given twice; name it once")])
    coursed = next((name for name in taken if is_course(with_tables(model, changes), split_name(name)[0])), None)
    if coursed is not None:
        raise ScenarioError(
            [Fault("constants", f"'{coursed}' has a time course in the scenario; leave out one of the two")]
        )
    deciding = deciding_cells(model, constant_values(model, changes))
    decisive = next((cell for cell in cells if cell in deciding), None)
    if decisive is not None:
        name = cell_name(model, decisive)
        message = f"'{name}' decides the times of a run, its tolerances or the order of a delay; set it in a scenario"
        raise SimulationError(message)
    again = partial(
        compile_model,
        model,
        save=wanted,
        constants=taken,
        scenario=changes,
        integrator=integrator,
        until=until,
        threads=threads,
        seed=seed,
    )
    saved = Grids({})

    def rows(program: Program) -> NDArray[np.int64]:
        nonlocal saved
        saved = Grids({name: named_grid(program, model, name) for name in wanted})
        return saved.rows

    own = {cell: (value, value) for cell, value in cell_values(model, cells).items()}
    job = _prepare(model, own, rows, changes, integrator, math.inf if until is None else until, seed)
    if until is not None and until < job.timing.initial:
        message = f"until is {until:.10g}, before the run begins; give a time from {job.timing.initial:.10g}"
        raise SimulationError(message)
    check_job_memory(job, 1, threads, None)
    names = tuple(cell_name(model, cell) for cell in cells)
    return PreparedSimulation(job.timing.saved, names, job, again, saved, threads)


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(map(str, names))


def with_member_numbers(
    cells: Sequence[Cell], points: NDArray[np.float64]
) -> tuple[tuple[Cell, ...], NDArray[np.float64]]:
    """Return cells and their values in each member, shape (members, cells), with one more: the number of the member.

    It gives every member of a model with random functions numbers of its own, those that it has in `simulate`.
    """
    return (*cells, MEMBER_CELL), np.column_stack([points, np.arange(len(points))])


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

    It is what `compile_model` returns, for cells; only its `values` are of use. It ends at the first saved time from `until`
    on, or at FINAL TIME, which equations still see unchanged. Raises ScenarioError if the scenario sets something that is not
    a constant of the model, and SimulationError if the time settings are wrong, or depend on a constant that varies.
    """
    check_options(integrator, None)
    model, changes = under_scenario(model, scenario)
    again = partial(prepare_simulation, model, ranges, saved, scenario=changes, integrator=integrator, until=until)
    job = _prepare(model, ranges, lambda program: [program.row(cell) for cell in saved], changes, integrator, until)
    return PreparedSimulation(job.timing.saved, tuple(cell_name(model, cell) for cell in ranges), job, again)


def _prepare(
    model: Model,
    ranges: Mapping[Cell, tuple[float, float]],
    rows: Callable[[Program], Sequence[int] | NDArray[np.int64]],
    changes: Scenario,
    integrator: Integrator | None,
    until: float,
    seed: int | None = None,
) -> Job:
    """The job of a prepared simulation; `rows` are those to save."""
    model = with_tables(model, changes)
    inputs = Inputs({cell: value for cell, value in constant_values(model, changes).items() if cell not in ranges})
    inputs.varied |= {cell: xr.DataArray(np.array(ends), dims=MEMBER) for cell, ends in ranges.items()}
    program = compile_program(with_orders(model, inputs)[0])
    inputs.noise = noise_of(program, inputs, None, seed)
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied)
    if until >= timing.initial:
        lines = int(np.searchsorted(timing.saved, until - SAME_TIME * timing.time_step))
        timing = replace(timing, steps=int(timing.saved_steps[min(lines, timing.lines - 1)]))
    return make_job(program, timing, inputs, rows(program), integrator or model.integrator)
