"""What a calibration asks of a model: what it says where data say something, and how well both agree, for many points at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..model import TIME, Cell, Integrator, Model, evaluate_arrays, key, plan, references, referred
from ..simulation import Repetition, ScenarioLike, prepare
from .likelihood import log_likelihood, residuals
from .parameters import Parameter
from .series import Series

PENALTY = 1e4
"""The standardised residual of every observation where a simulation fails: finite, so that a search turns back."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Free constants, series, and the simulation between them.

    `lines` and `shares` tell where each series' dates lie among the saved times: behind which one, and how far to the
    next. `peaks` are the largest logarithms of the prior densities.
    """

    parameters: tuple[Parameter, ...]
    series: tuple[Series, ...]
    repetition: Repetition
    rows: Mapping[Cell, int]
    lines: tuple[NDArray[np.int64], ...]
    shares: tuple[NDArray[np.float64], ...]
    peaks: tuple[float, ...]

    @property
    def observations(self) -> int:
        """How many observations there are in all series."""
        return sum(len(each.values) for each in self.series)


def make_problem(
    model: Model,
    series: Sequence[Series],
    parameters: Sequence[Parameter],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
) -> Problem:
    """The simulation of a model made ready to be held against series for any values of its free constants."""
    if not sum(len(each.values) for each in series):
        message = "there is no observation to hold the model against; name series and dates within the run"
        raise CalibrationError(message)
    rows = {cell: row for row, cell in enumerate(dict.fromkeys(cell for each in series for cell in _cells(each)))}
    for cell in rows:
        _check_known(model, cell)
    ranges = {each.cell: (each.low, each.high) for each in parameters}
    last = max(float(each.times.max()) for each in series if each.times.size)
    repetition = prepare(model, ranges, list(rows), scenario=scenario, integrator=integrator, until=last)
    places = [_places(repetition.times, each.times) for each in series]
    return Problem(
        tuple(parameters),
        tuple(series),
        repetition,
        rows,
        tuple(lines for lines, _ in places),
        tuple(shares for _, shares in places),
        tuple(map(_peak, parameters)),
    )


def modelled_at(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the model says at every observation, in its units: shape (observations of all series, members).

    `points` has shape (members, parameters), in the units of each constant. Between saved times values are interpolated
    linearly. It is what `modelled` says of a run, without the run's labels, which cost more than a simulation.
    """
    values = problem.repetition.values(points)
    times = problem.repetition.times[:, np.newaxis]

    def read(name: str, labels: tuple[str, ...]) -> NDArray[np.float64]:
        return times if name == TIME.key else values[:, problem.rows[Cell(name, labels)]]

    shape = (len(times), len(points))
    parts = []
    for series, lines, shares in zip(problem.series, problem.lines, problem.shares, strict=True):
        whole = np.broadcast_to(evaluate_arrays(series.model, read), shape)
        before, after, share = whole[lines], whole[np.minimum(lines + 1, len(whole) - 1)], shares[:, np.newaxis]
        with np.errstate(invalid="ignore", over="ignore"):
            parts.append(np.where(share == 0, before, before + share * (after - before)))
    return np.concatenate(parts)


def log_prior(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The natural logarithm of the prior density at points of shape (members, parameters), shape (members,)."""
    densities = [each.log_density(points[:, place]) for place, each in enumerate(problem.parameters)]
    return np.sum(densities, axis=0)


def log_posterior(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of prior times likelihood, up to the data's own density, shape (members,); one call simulates all.

    It is minus infinity outside the bounds, where nothing is simulated, and where a simulation fails.
    """
    found = log_prior(problem, points)
    inside = np.isfinite(found)
    if inside.any():
        found[inside] += log_likelihood(problem.series, modelled_at(problem, points[inside]))
    return np.where(np.isnan(found), -np.inf, found)


def residuals_at(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardised residuals of data and priors, shape (observations + parameters, members), half whose squares add up
    to minus the logarithm of the posterior and a constant; not finite where a simulation fails.

    The term of a prior of density p is sqrt(2 ln(max p / p)); that of a uniform prior is 0.
    """
    of_data = residuals(problem.series, modelled_at(problem, points))
    of_priors = np.zeros((len(problem.parameters), len(points)))
    for place, each in enumerate(problem.parameters):
        if each.prior is not None:
            short = problem.peaks[place] - each.log_density(points[:, place])
            of_priors[place] = np.sqrt(2 * np.clip(short, 0, PENALTY**2))
    return np.concatenate([of_data, of_priors])


def penalised(found: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Residuals with all of a failed member's replaced by a large number, and which members failed."""
    failed = np.asarray(~np.isfinite(found).all(axis=0))
    return np.where(failed, PENALTY, found), failed


def _cells(series: Series) -> list[Cell]:
    """What of the model a series is made of."""
    found = [referred(each) for each in references(series.model)]
    return [Cell(key(name), tuple(labels)) for name, labels in found if name != TIME.key]


def _check_known(model: Model, cell: Cell) -> None:
    """Whatever a series names must be one number at a time."""
    element = model.elements.get(cell.key)
    if element is None or element.kind == "lookup":
        message = f"'{cell.key}' is no variable of the model; correct the formula of the series"
        raise CalibrationError(message)
    known = {each.cell for each in (*plan(model).start, *plan(model).step)} | set(plan(model).constants)
    if cell not in known and cell not in {each.cell for each in plan(model).stocks}:
        labels = f"[{', '.join(cell.labels)}]" if cell.labels else "without labels"
        message = f"'{element.name}' {labels} is not one number; name one of its labels in the formula of the series"
        raise CalibrationError(message)


def _places(saved: NDArray[np.float64], times: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Behind which saved time each date lies, and how far to the next, from 0 to 1."""
    slack = 1e-9 * max(1.0, float(np.abs(saved).max()))
    outside = times[(times < saved[0] - slack) | (times > saved[-1] + slack)]
    if outside.size:
        message = f"an observation at {outside[0]:g} lies outside the run, {saved[0]:g} to {saved[-1]:g}; leave it out"
        raise CalibrationError(message)
    within = np.clip(times, saved[0], saved[-1])
    lines = np.clip(np.searchsorted(saved, within, side="right") - 1, 0, max(len(saved) - 2, 0))
    if len(saved) == 1:
        return lines, np.zeros(len(times))
    steps = saved[lines + 1] - saved[lines]
    return lines, (within - saved[lines]) / steps


def _peak(parameter: Parameter) -> float:
    """The largest logarithm of the prior density within the bounds, found on a grid and then within its best interval."""
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
