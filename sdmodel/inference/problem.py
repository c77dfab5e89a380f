"""The problem that a calibration solves: simulate many points at once and compare each with series and priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..comparison import interpolate
from ..errors import CalibrationError
from ..model import TIME, Cell, Integrator, Model, evaluate_arrays, key, plan, references_in, split_reference
from ..simulation import PreparedSimulation, ScenarioLike, prepare_simulation
from .likelihood import log_likelihood, residuals
from .parameters import Parameter
from .series import Series

PENALTY = 1e4
"""The standardised residual of every observation where a simulation fails: finite, so that a search turns back."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Free constants, series, and the simulation that connects them.

    `rows` locates each cell among the simulation's results; `peaks` are the largest logarithms of the prior densities.
    """

    parameters: tuple[Parameter, ...]
    series: tuple[Series, ...]
    simulation: PreparedSimulation
    rows: Mapping[Cell, int]
    peaks: tuple[float, ...]

    @property
    def observations(self) -> int:
        """The number of observations in all series."""
        return sum(len(series.values) for series in self.series)


def make_problem(
    model: Model,
    series: Sequence[Series],
    parameters: Sequence[Parameter],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
) -> Problem:
    """Prepare the simulation of a model for comparison with series at any values of its free constants."""
    if not sum(len(item.values) for item in series):
        message = "there are no observations to compare the model with; name series and dates within the run"
        raise CalibrationError(message)
    rows = {cell: row for row, cell in enumerate(dict.fromkeys(cell for item in series for cell in _cells(item)))}
    for cell in rows:
        _check_known(model, cell)
    ranges = {parameter.cell: (parameter.low, parameter.high) for parameter in parameters}
    last = max(float(item.times.max()) for item in series if item.times.size)
    simulation = prepare_simulation(model, ranges, list(rows), scenario=scenario, integrator=integrator, until=last)
    for item in series:
        _check_times(simulation.times, item.times)
    return Problem(tuple(parameters), tuple(series), simulation, rows, tuple(map(_peak, parameters)))


def modelled_at(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the model's values at every observation, in its units: shape (observations of all series, members).

    `points` has shape (members, parameters), in the units of each constant. Values between saved times are interpolated
    linearly. This is `evaluate_series` for a run without labels, which cost more than a simulation.
    """
    values = problem.simulation.values(points)
    times = problem.simulation.times

    def read(name: str, labels: tuple[str, ...]) -> NDArray[np.float64]:
        return times[:, np.newaxis] if name == TIME.key else values[:, problem.rows[Cell(name, labels)]]

    shape = (len(times), len(points))
    parts = (np.broadcast_to(evaluate_arrays(item.model, read), shape) for item in problem.series)
    return np.concatenate([
        interpolate(times, part, item.times) for item, part in zip(problem.series, parts, strict=True)
    ])  # fmt: skip


def log_prior(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural logarithm of the prior density at points of shape (members, parameters), shape (members,)."""
    densities = [parameter.log_density(points[:, place]) for place, parameter in enumerate(problem.parameters)]
    return np.sum(densities, axis=0)


def log_posterior(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of prior times likelihood, shape (members,); one call simulates all members.

    It is minus infinity outside the bounds, where nothing is simulated, and where a simulation fails.
    """
    density = log_prior(problem, points)
    inside = np.isfinite(density)
    if inside.any():
        density[inside] += log_likelihood(problem.series, modelled_at(problem, points[inside]))
    return np.where(np.isnan(density), -np.inf, density)


def residuals_at(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return standardised residuals of data and priors, shape (observations + parameters, members).

    Half the sum of their squares is minus the logarithm of the posterior, up to a constant; they are not finite where a
    simulation fails. The term of a prior of density p is sqrt(2 ln(max p / p)); that of a uniform prior is 0.
    """
    of_data = residuals(problem.series, modelled_at(problem, points))
    of_priors = np.zeros((len(problem.parameters), len(points)))
    for place, parameter in enumerate(problem.parameters):
        if parameter.prior is not None:
            below_peak = problem.peaks[place] - parameter.log_density(points[:, place])
            of_priors[place] = np.sqrt(2 * np.clip(below_peak, 0, PENALTY**2))
    return np.concatenate([of_data, of_priors])


def penalised(found: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Replace all residuals of a failed member by the penalty; also return which members failed."""
    failed = np.asarray(~np.isfinite(found).all(axis=0))
    return np.where(failed, PENALTY, found), failed


def _cells(series: Series) -> list[Cell]:
    """Return the cells of the model that a series is made of."""
    names = [split_reference(reference) for reference in references_in(series.model)]
    return [Cell(key(name), tuple(labels)) for name, labels in names if name != TIME.key]


def _check_known(model: Model, cell: Cell) -> None:
    """Check that a cell is one number at each time."""
    element = model.elements.get(cell.key)
    if element is None or element.kind == "lookup":
        message = f"'{cell.key}' is not a variable of the model; correct the formula of the series"
        raise CalibrationError(message)
    cells = (step.cell for step in (*plan(model).start, *plan(model).step, *plan(model).stocks))
    if cell not in plan(model).constants and cell not in set(cells):
        labels = f"[{', '.join(cell.labels)}]" if cell.labels else "without labels"
        message = f"'{element.name}' {labels} is not one number; name one of its labels in the formula of the series"
        raise CalibrationError(message)


def _check_times(saved: NDArray[np.float64], times: NDArray[np.float64]) -> None:
    """Check that observations lie within the run."""
    slack = 1e-9 * max(1.0, float(np.abs(saved).max()))
    outside = times[(times < saved[0] - slack) | (times > saved[-1] + slack)]
    if outside.size:
        message = f"an observation at {outside[0]:g} lies outside the run, {saved[0]:g} to {saved[-1]:g}; leave it out"
        raise CalibrationError(message)


def _peak(parameter: Parameter) -> float:
    """Return the largest logarithm of the prior density within the bounds, on a grid that is refined around its peak."""
    if parameter.prior is None:
        return 0.0
    grid = np.linspace(parameter.low, parameter.high, 1001)
    for _ in range(3):
        density = parameter.log_density(grid)
        density[~np.isfinite(density)] = -np.inf
        best = int(density.argmax())
        ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        grid = np.linspace(*ends, 1001)
    return float(density.max())
