"""The same simulation over and over with other constants: what a search or a sampler asks for, without labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..model import NA, Cell, Integrator, Model
from ..program import compile_model
from ..scenario import constant_values, with_tables
from .execution import Job, execute
from .inputs import Inputs
from .simulation import ScenarioLike, check_options, merged, with_orders
from .timing import Timing, timing_of

_DIM = "member"
_ROUNDING = 1e-6
"""A part of a step by which a saved time may lie before another that it is."""


@dataclass(frozen=True, eq=False)
class Repetition:
    """A simulation made ready: `times` are the saved ones, in the model's unit; `varied` are the constants that it takes."""

    times: NDArray[np.float64]
    varied: tuple[Cell, ...]
    _job: Job
    _missing: bool

    def values(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is kept, shape (saved times, kept cells, members), for constants of shape (members, varied cells).

        Values are not numbers from where a stock of the member ceases to be finite. They are those of `simulate`, and the
        same whichever members are computed together; none is computed alone, since code for one member rounds otherwise.
        """
        count = len(points)
        columns = np.asarray(points, dtype=float).T
        columns = np.repeat(columns, 2, axis=1) if count == 1 else columns
        varied = {cell: xr.DataArray(column, dims=_DIM) for cell, column in zip(self.varied, columns, strict=True)}
        members = xr.DataArray(np.empty(columns.shape[1]), dims=_DIM)
        outcome = execute(self._job, Inputs(varied=varied, members={_DIM: members}))
        values = outcome.values[..., :count]
        for member in np.flatnonzero(outcome.broken[:count] >= 0):
            values[-(-outcome.broken[member] // self._job.timing.every) :, :, member] = np.nan
        if self._missing:
            values[values <= NA] = np.nan
        return values


def prepare(
    model: Model,
    ranges: Mapping[Cell, tuple[float, float]],
    kept: Sequence[Cell],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    until: float = math.inf,
) -> Repetition:
    """The simulation of a model made ready to be repeated: constants vary within `ranges`, `kept` is what it gives back.

    It ends at the first saved time that is not before `until`, or with the run; FINAL TIME stays what it is for equations.

    Raises
    ------
    ScenarioError
        If the scenario sets something that is not a constant of the model.
    SimulationError
        If the times make no run, or a constant that varies decides them.
    """
    check_options(model, integrator, None)
    changes = merged(scenario)
    model = with_tables(model, changes)
    inputs = Inputs({cell: value for cell, value in constant_values(model, changes).items() if cell not in ranges})
    inputs.varied |= {cell: xr.DataArray(np.array(ends), dims=_DIM) for cell, ends in ranges.items()}
    program = compile_model(with_orders(model, inputs))
    plan, layout = program.layout.plan, program.layout
    timing = _shortened(timing_of(plan, inputs.fixed, inputs.varied), until)
    given = dict(plan.constants) | inputs.fixed
    job = Job(
        program,
        timing,
        np.array([program.row(cell) for cell in kept], dtype=np.int64),
        (integrator or model.integrator) == "rk4",
        np.array([given[cell] for cell in layout.inputs], dtype=float),
        np.array([program.row(cell) for cell in ranges], dtype=np.int64),
    )
    return Repetition(timing.saved, tuple(ranges), job, model.mentions_missing)


def _shortened(timing: Timing, until: float) -> Timing:
    """The same steps, as far as the first saved time that is not before another."""
    if until < timing.initial:  # before the run there is nothing to end at
        return timing
    lines = int(np.searchsorted(timing.saved, until - _ROUNDING * timing.time_step))
    return replace(timing, steps=min(timing.steps, lines * timing.every))
