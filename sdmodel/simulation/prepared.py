"""A simulation prepared once and run many times with other constants, without labels, for searches and samplers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER
from ..model import NA, Cell, Integrator, Model
from ..program import compile_model
from ..scenario import constant_values, with_tables
from .execution import Job, execute
from .inputs import Inputs
from .simulation import ScenarioLike, check_options, load_scenario, with_orders
from .timing import Timing, timing_of

_ROUNDING = 1e-6
"""Tolerance, as a share of a step, for two times that are meant to be equal."""


@dataclass(frozen=True, eq=False)
class PreparedSimulation:
    """A prepared simulation: its saved `times`, in the model's unit, and the constants that it takes, `varied`."""

    times: NDArray[np.float64]
    varied: tuple[Cell, ...]
    _job: Job
    _missing: bool

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
        outcome = execute(self._job, Inputs(varied=varied, members={MEMBER: members}))
        values = outcome.values[..., :count]
        for member in np.flatnonzero(outcome.broken[:count] >= 0):
            values[-(-outcome.broken[member] // self._job.timing.every) :, :, member] = np.nan
        if self._missing:
            values[values <= NA] = np.nan
        return values


def prepare_simulation(
    model: Model,
    ranges: Mapping[Cell, tuple[float, float]],
    saved: Sequence[Cell],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    until: float = math.inf,
) -> PreparedSimulation:
    """Prepare a simulation in which constants vary within `ranges` and the cells `saved` are returned.

    It ends at the first saved time from `until` on, or at FINAL TIME, which equations still see unchanged.

    Raises
    ------
    ScenarioError
        If the scenario sets something that is not a constant of the model.
    SimulationError
        If the time settings are wrong, or depend on a constant that varies.
    """
    check_options(model, integrator, None)
    changes = load_scenario(scenario)
    model = with_tables(model, changes)
    inputs = Inputs({cell: value for cell, value in constant_values(model, changes).items() if cell not in ranges})
    inputs.varied |= {cell: xr.DataArray(np.array(ends), dims=MEMBER) for cell, ends in ranges.items()}
    program = compile_model(with_orders(model, inputs))
    plan, layout = program.layout.plan, program.layout
    timing = _shortened(timing_of(plan, inputs.fixed, inputs.varied), until)
    given = dict(plan.constants) | inputs.fixed
    job = Job(
        program,
        timing,
        np.array([program.row(cell) for cell in saved], dtype=np.int64),
        (integrator or model.integrator) == "rk4",
        np.array([given[cell] for cell in layout.inputs], dtype=float),
        np.array([program.row(cell) for cell in ranges], dtype=np.int64),
    )
    return PreparedSimulation(timing.saved, tuple(ranges), job, model.mentions_missing)


def _shortened(timing: Timing, until: float) -> Timing:
    """The same steps, up to the first saved time from `until` on."""
    if until < timing.initial:
        return timing
    lines = int(np.searchsorted(timing.saved, until - _ROUNDING * timing.time_step))
    return replace(timing, steps=min(timing.steps, lines * timing.every))
