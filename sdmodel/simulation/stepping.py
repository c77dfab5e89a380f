"""Simulations that a program takes step by step, for games and for models that are coupled with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, ScenarioError, SimulationError, reports_memory
from ..model import Cell, Integrator, Model, cell_name, key, nearest, split_name, takes_model
from ..scenario import named_cells, select_cells
from ..vensim import ScenarioLike
from .continuation import checked_time, step_at
from .execution import Job, State, execute
from .inputs import Constants, Points
from .jobs import blank_missing, check_options, deciding_cells, named_grid, saved_elements
from .setup import Beginning, set_up
from .timing import timing_of

_ALONE = Points(np.empty((0, 1)))
_WHERE = "set"


class OpenSimulation:
    r"""A simulation that stands at a time step; `open_simulation` makes one.

    `step` goes on, `set` changes constants and stocks from there on, and `simulation["name"]` is a value now. A copy, such as
    `copy.copy(simulation)`, goes its own way, and it can be pickled.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate*stock, 100)\nrate = 0.1", final=3)
    >>> game = sd.open_simulation(model)
    >>> while not game.finished:
    ...     game.set("rate", 0.5 if game["stock"] < 120 else 0)
    ...     game.step()
    >>> game.time, game["stock"]
    (3.0, 150.0)
    """

    def __init__(self, job: Job, state: State, locked: frozenset[Cell]) -> None:
        self._job, self._state, self._locked = job, state, locked

    def __repr__(self) -> str:
        return f"<OpenSimulation of {self._model.path} at {self.time:.10g}>"

    def __copy__(self) -> OpenSimulation:
        return OpenSimulation(self._job, self._state, self._locked)

    def __getitem__(self, name: str) -> Any:
        """Return the value of a variable now: a number, or an array over the labels of its subscript ranges."""
        grid = named_grid(self._job.program, self._model, name)
        values = self._state.workspace[grid.rows]
        values[grid.undefined] = np.nan
        blank_missing(self._job.program, values)
        return values.reshape(grid.shape) if grid.shape else float(values[0])

    def _ipython_key_completions_(self) -> list[str]:
        return [element.name for element in saved_elements(self._model, None)]

    @property
    def _model(self) -> Model:
        return self._job.program.layout.plan.model

    @property
    def time(self) -> float:
        """The time now, in the model's unit."""
        return float(self._job.timing.moments[2 * self._state.step])

    @property
    def finished(self) -> bool:
        """Whether the simulation is at FINAL TIME."""
        return self._state.step >= self._job.timing.steps

    @property
    def state(self) -> dict[str, float]:
        """The values of all stocks now, by name: `name` or `name[label]`. `set` takes them."""
        stocks = (own.cell for own in self._job.program.layout.plan.stocks)
        shown = [cell for cell in stocks if not self._model.elements[cell.key].hidden]
        rows = [self._job.program.row(cell) for cell in shown]
        return dict(
            zip((cell_name(self._model, cell) for cell in shown), self._state.workspace[rows].tolist(), strict=True)
        )

    def step(self, count: int = 1) -> None:
        """Go on by a number of time steps.

        Raises
        ------
        SimulationError
            If that is beyond FINAL TIME, or not a number of steps.
        """
        if not isinstance(count, int | np.integer) or count < 0:
            message = f"{count!r} is not a number of steps; give a whole number, at least 0"
            raise SimulationError(message)
        if not 0 <= count <= self._job.timing.steps - self._state.step:
            last = float(self._job.timing.moments[-1])
            message = f"{count} steps from {self.time:.10g} end beyond FINAL TIME, {last:.10g}; take fewer"
            raise SimulationError(message)
        self._go_to(self._state.step + count)

    def run_until(self, time: float) -> None:
        """Go on to a time, in the model's unit.

        Raises
        ------
        SimulationError
            If no time step ends there, or it is before now or beyond FINAL TIME.
        """
        count = step_at(self._job.timing, checked_time(time)) - self._state.step
        if count < 0:
            message = (
                f"{time:.10g} is before now, {self.time:.10g}; a simulation does not go back: copy it before it goes on"
            )
            raise SimulationError(message)
        self.step(count)

    def set(self, name: str | Mapping[str, Any], value: Any = None) -> None:
        """Set a constant or a stock from now on, `name` or `name[label]`; or several, given as a mapping.

        Without a label, all cells get the number, or each its own from an array as `simulation["name"]` returns it. What depends on it now changes at the same time; what the model keeps from its
        start, such as INITIAL, does not.

        Raises
        ------
        ScenarioError
            If the name is not that of a constant or a stock of the model, a constant decides the times of the run or the order of
            a delay, or a value is not finite.
        """
        given, workspace = self._job.given.copy(), self._state.workspace.copy()
        for own, number in (name if isinstance(name, Mapping) else {name: value}).items():
            stock = self._model.elements.get(key(split_name(own, self._model.elements)[0]))
            if stock is not None and stock.kind == "stock" and not stock.hidden:
                cells = select_cells(self._model, stock, split_name(own, self._model.elements)[1], _WHERE)
                workspace[[self._job.program.row(cell) for cell in cells]] = _numbers(own, number, len(cells))
                continue
            cells = self._constants(own)
            if not self._locked.isdisjoint(cells):
                what = f"'{own}' decides the times of the run, its tolerances or the order of a delay; set it when you open the simulation"
                raise ScenarioError([Fault(_WHERE, what)])
            rows = [self._job.program.row(cell) - self._job.program.layout.first_input for cell in cells]
            given[rows] = _numbers(own, number, len(cells))
        self._job = replace(self._job, given=given)
        self._state = replace(self._state, workspace=workspace)
        self._go_to(self._state.step)

    def _constants(self, name: str) -> list[Cell]:
        """The cells of a constant; what the model does not have may be a stock that is misspelt."""
        try:
            return named_cells(self._model, name)[2]
        except ScenarioError:
            whole = split_name(name, self._model.elements)[0]
            known = [own.name for own in self._model if own.kind in {"stock", "constant"} and not own.hidden]
            if key(whole) in self._model.elements or not (close := nearest(whole, known)):
                raise
            raise ScenarioError([Fault(_WHERE, f"'{whole}' is not in the model; did you mean '{close}'?")]) from None

    @reports_memory
    def _go_to(self, step: int) -> None:
        """Compute from the state to a step, which may be the same again, with other constants or stocks."""
        timing = replace(self._job.timing, first=self._state.step, steps=step)
        outcome = execute(replace(self._job, timing=timing, state=self._state), _ALONE, keep=True)
        self._state = cast("State", outcome.state)


def _numbers(name: str, value: Any, count: int) -> NDArray[np.float64]:
    """The numbers for some cells: one for all, or one for each."""
    found = np.ravel(value)
    if found.dtype.kind not in "biuf" or found.size not in {1, count} or not np.isfinite(found).all():
        several = f", or an array of {count}" if count > 1 else ""
        raise ScenarioError([Fault(_WHERE, f"'{name}' is given {value!r}; give a number{several}")])
    return found.astype(float)


@takes_model
def open_simulation(
    model: Model,
    constants: Constants | None = None,
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    start: Beginning | None = None,
    at: float | None = None,
    seed: int | None = None,
) -> OpenSimulation:
    r"""Open a simulation that is taken step by step.

    Without changes on the way it computes the numbers of `simulate`.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    constants : mapping, optional
        Values of constants by name, as for `simulate`, but of one member.
    scenario : Scenario, path or sequence of them, optional
        Changes to constants and lookups, as records or `.cin` files; the last one wins.
    integrator : {"euler", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        Integration method; the model's own by default. "diff" computes as "euler" does; only what a run saves differs.
    start : xarray.Dataset or mapping, optional
        A run to go on from, or initial values of stocks by name, as for `simulate`.
    at : float, optional
        The time of the run `start` at which to go on.
    seed : int, optional
        Seed of the random functions, as for `simulate`.

    Returns
    -------
    OpenSimulation
        The simulation at its start, or at `at`.

    Raises
    ------
    ScenarioError
        If something is set that is not a constant of the model, or in `start` not a stock, or has several members.
    SimulationError
        If the time settings are wrong, FINAL TIME changes during the run, or `at` is not the end of a time step.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(inflow, 5)\ninflow = rate*2\nrate = 1", final=3)
    >>> simulation = sd.open_simulation(model)
    >>> simulation.step()
    >>> simulation.set({"rate": 10, "stock": 0})
    >>> simulation["inflow"], simulation.state
    (20.0, {'stock': 0.0})
    >>> simulation.step(2)
    >>> simulation.time, simulation["stock"], simulation.finished
    (3.0, 40.0, True)
    """
    check_options(integrator, None)
    setup = set_up(model, constants, scenario=scenario, start=start, at=at, seed=seed)
    if setup.inputs.members:
        raise ScenarioError([Fault("constants", "have several members; give one number for each constant")])
    timing_of(setup.program.layout.plan, setup.inputs.fixed, {})  # raises the error of a FINAL TIME that changes
    locked = frozenset(deciding_cells(setup.model, setup.inputs.fixed))
    job = replace(setup.job([], integrator), lagged=None)
    first = replace(job.timing, steps=job.timing.first)
    state = execute(replace(job, timing=first), _ALONE, keep=True).state
    return OpenSimulation(replace(job, state=None), cast("State", state), locked)
