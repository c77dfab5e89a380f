"""What a run says at the times of observations, and how probable the observations are given the run or its constants."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import interpolate
from ..dataset import TIME, evaluate_formula, find_variable, member_blocks, member_dims
from ..errors import CalibrationError, DatasetError, Fault, ObservationError
from ..model import Cell, Integrator, Model, evaluate_arrays, join_name, key, plan, references_in, split_reference
from ..simulation import PreparedSimulation, ScenarioLike, check_memory, prepare_simulation
from .parameters import Equality, Parameter
from .series import Series, error_memory

PENALTY = 1e4
"""The standardised residual of every observation where a simulation fails: finite, so that a search turns back."""
_NUMBERS = 2**23
"""Numbers of a run that are read at a time: 64 MiB."""
_ROUNDING = 1e-9


def evaluate_series(series: Sequence[Series], run: xr.Dataset) -> NDArray[np.float64]:
    """Return a run's values of all series at their times, shape (observations of all series, members), in their units.

    Values between saved times are interpolated linearly. A run without members counts as one member; an ensemble that is
    opened lazily is read block by block.

    Raises
    ------
    ObservationError
        If the run lacks a variable that a series needs, or ends before the last observation of one.
    """
    names = _variables(series, run)
    saved = np.asarray(run[TIME].values, dtype=float)
    faults = []
    for item in series:
        outside = item.times[(item.times < saved[0] - _ROUNDING) | (item.times > saved[-1] + _ROUNDING)]
        if outside.size:
            what = f"{outside.size} of the observations of '{item.name}' lie outside the run, the first at {outside[0]:.7g}"
            cure = f"run the model over more than {saved[0]:.7g} to {saved[-1]:.7g}, or bound them with since and until"
            faults.append(Fault(item.place, f"{what}; {cure}"))
    if faults:
        raise ObservationError(faults)
    after = np.searchsorted(saved, np.concatenate([item.times for item in series]))
    needed = np.unique(np.clip(np.concatenate([after - 1, after]), 0, len(saved) - 1))
    part = run[[*names, TIME]].isel({TIME: needed})  # with its times, since a constant has none of its own
    dims = member_dims(part)
    members = math.prod(part.sizes[dim] for dim in dims)
    rows = sum(item.times.size for item in series)
    cure = "use fewer members or observations"
    check_memory(
        4 * 8 * rows * members, None, f"the comparison of {members:,} members with {rows:,} observations", cure
    )
    values = np.empty((rows, members))
    blocks = [(0, members, part)] if len(dims) != 1 else member_blocks(part, dims[0], _block_size(part, len(saved)))
    for first, last, block in blocks:
        loaded = block.load()
        for item, own in by_series(series, values):
            own[:, first:last] = interpolate(saved[needed], _over_members(loaded, item), item.times)
    return values


def split_series(series: Sequence[Series], run: xr.Dataset) -> tuple[tuple[Series, ...], tuple[Fault, ...]]:
    """Return the series whose variables a run contains, and the faults of the others."""
    held: list[Series] = []
    faults: list[Fault] = []
    for item in series:
        try:
            _variables([item], run)
        except ObservationError as error:
            faults += error.faults
        else:
            held.append(item)
    return tuple(held), tuple(faults)


def _variables(series: Sequence[Series], run: xr.Dataset) -> list[Hashable]:
    """Return the names, in a run, of the variables that the series need."""
    variables: dict[Hashable, None] = {}
    faults = []
    for item in series:
        for name, subscripts in dict.fromkeys(map(split_reference, references_in(item.model))):
            if name == TIME:
                continue
            try:
                variables[find_variable(run, join_name(name, subscripts).replace("_", " ")).name] = None
            except DatasetError as fault:
                faults.append(Fault(item.place, f"'{item.name}': {fault}"))
    if faults:
        raise ObservationError(faults)
    return list(variables)


def _block_size(part: xr.Dataset, times: int) -> int:
    """Return the number of members to read together; a store reads all times of a block together."""
    (dim,) = member_dims(part)
    variables = [variable for variable in part.data_vars.values() if dim in variable.dims]
    numbers = sum(variable.size // variable.sizes[dim] for variable in variables) // max(1, part.sizes[TIME]) * times
    return max(1, _NUMBERS // max(1, numbers))


def _over_members(block: xr.Dataset, series: Series) -> NDArray[np.float64]:
    """Evaluate a series in a block, shape (times, members)."""
    dims = (TIME, *member_dims(block))
    values = evaluate_formula(block, series.model)
    missing = {dim: block.sizes[dim] for dim in dims if dim not in values.dims}
    bare = values.drop_vars([name for name in values.coords if name in missing])
    return np.asarray(bare.expand_dims(missing).transpose(*dims).values, dtype=float).reshape(block.sizes[TIME], -1)


def standardised(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return observations minus modelled values in standard deviations of their errors, shape (observations, members).

    For a log error both are logarithms; a modelled value that is not above zero is then infinitely far away.
    """
    parts = []
    for item, values in by_series(series, modelled):
        observed, sd = item.values[:, np.newaxis], item.deviations[:, np.newaxis]
        with np.errstate(all="ignore"):
            if item.error.kind == "log":
                outside = np.where(np.isnan(values), np.nan, np.inf)
                errors = np.where(values > 0, np.log(observed) - np.log(values), outside)
            else:
                errors = observed - values
        parts.append(errors / sd)
    return np.concatenate(parts) if parts else np.empty((0, modelled.shape[1]))


def residuals(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the new part of each standardised error in its own standard deviation, shape (observations, members).

    If the model is right, these are independent standard normal numbers. For errors e that are correlated in time it is
    (e_i - rho_i e_(i-1))/sqrt(1 - rho_i^2), where rho_i is the correlation with the error before; other errors stay.
    """
    standardised_errors = standardised(series, modelled)
    for item, errors in by_series(series, standardised_errors):
        if item.error.correlation > 0:
            carried, new = (part[1:, np.newaxis] for part in error_memory(item))
            with np.errstate(invalid="ignore", over="ignore"):
                errors[1:] = (errors[1:] - carried * errors[:-1]) / new
    return standardised_errors


def log_likelihood(series: Sequence[Series], modelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural logarithm of the density of all observations for each member, shape (members,).

    It is normalised: for a log error it is the density of the lognormal distribution of the observation itself, so that
    error models can be compared. A member that is not finite at an observation has minus infinity.
    """
    errors = residuals(series, modelled)
    constant = 0.0
    for item in series:
        scale = item.deviations * item.values if item.error.kind == "log" else item.deviations
        constant -= float(np.sum(np.log(scale))) + 0.5 * math.log(2 * math.pi) * item.times.size
        if item.error.correlation > 0:
            constant -= float(np.sum(np.log(error_memory(item)[1])))
    with np.errstate(over="ignore", invalid="ignore"):
        density = constant - 0.5 * np.sum(errors * errors, axis=0)
    return np.where(np.isfinite(density), density, -np.inf)


def predictive_draws(
    series: Sequence[Series], modelled: NDArray[np.float64], seed: int | np.random.Generator
) -> NDArray[np.float64]:
    """Return simulated observations, modelled values with random errors, one per member, shape (observations, members).

    The errors are those of `series`, correlated where these are, from a random stream, or one that `seed` starts.
    """
    noise = np.random.default_rng(seed).standard_normal(modelled.shape)
    parts = []
    for (item, values), (_, errors) in zip(by_series(series, modelled), by_series(series, noise), strict=True):
        if item.error.correlation > 0:
            for place, (carried, new) in enumerate(zip(*error_memory(item), strict=True)):
                errors[place] = new * errors[place] + (carried * errors[place - 1] if place else 0)
        scaled = item.deviations[:, np.newaxis] * errors
        parts.append(values * np.exp(scaled) if item.error.kind == "log" else values + scaled)
    return np.concatenate(parts) if parts else modelled


def by_series(series: Sequence[Series], rows: NDArray[np.float64]) -> Iterator[tuple[Series, NDArray[np.float64]]]:
    """Yield each series with its rows, which are views."""
    row = 0
    for item in series:
        yield item, rows[row : row + item.times.size]
        row += item.times.size


@dataclass(frozen=True, eq=False)
class Problem:
    """Free constants, series, and the simulation that connects them.

    `rows` locates each cell among the simulation's results; `peaks` are the largest logarithms of the prior densities. The
    constants of `equal` have the values of free ones; `columns` are the parameters that the simulated constants take.
    """

    parameters: tuple[Parameter, ...]
    series: tuple[Series, ...]
    simulation: PreparedSimulation
    rows: Mapping[Cell, int]
    peaks: tuple[float, ...]
    equal: tuple[Equality, ...] = ()
    columns: tuple[int, ...] = ()

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
    equal: Sequence[Equality] = (),
) -> Problem:
    """Prepare the simulation of a model for comparison with series at any values of its free constants."""
    if not sum(len(item.values) for item in series):
        message = "there are no observations to compare the model with; name series and dates within the run"
        raise CalibrationError(message)
    references = dict.fromkeys(reference for item in series for reference in references_in(item.model))
    names = [(name, labels) for name, labels in map(split_reference, references) if name != TIME]
    cells = dict.fromkeys(Cell(key(name), tuple(labels)) for name, labels in names)
    for cell in cells:
        _check_known(model, cell)
    ranges = {parameter.cell: (parameter.low, parameter.high) for parameter in parameters}
    columns = [*range(len(parameters)), *(list(ranges).index(equality.source) for equality in equal)]
    ranges |= {equality.cell: ranges[equality.source] for equality in equal}
    last = max(float(item.times.max()) for item in series if item.times.size)
    simulation = prepare_simulation(model, ranges, list(cells), scenario=scenario, integrator=integrator, until=last)
    saved = simulation.times
    slack = 1e-9 * max(1.0, float(np.abs(saved).max()))
    times = np.concatenate([item.times for item in series])
    outside = (times < saved[0] - slack) | (times > saved[-1] + slack)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        name = next(
            item.name
            for item, end in zip(series, np.cumsum([item.times.size for item in series]), strict=True)
            if at < end
        )
        message = f"'{name}' has an observation at {times[at]:g}, outside the run, {saved[0]:g} to {saved[-1]:g}; bound it with since and until"
        raise CalibrationError(message)
    rows = {cell: row for row, cell in enumerate(cells)}
    peaks = tuple(map(_peak, parameters))
    return Problem(tuple(parameters), tuple(series), simulation, rows, peaks, tuple(equal), tuple(columns))


def modelled_at(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the model's values at every observation, in its units: shape (observations of all series, members).

    `points` has shape (members, parameters), in the units of each constant. Values between saved times are interpolated
    linearly. This is `evaluate_series` for a run without labels, which cost more than a simulation.
    """
    values = problem.simulation.values(points[:, problem.columns])
    times = problem.simulation.times

    def read(name: str, labels: tuple[str, ...]) -> NDArray[np.float64]:
        return times[:, np.newaxis] if name == TIME else values[:, problem.rows[Cell(name, labels)]]

    shape = (len(times), len(points))
    parts = (np.broadcast_to(evaluate_arrays(item.model, read), shape) for item in problem.series)
    return np.concatenate([
        interpolate(times, part, item.times) for item, part in zip(problem.series, parts, strict=True)
    ])  # fmt: skip


def log_posterior(problem: Problem, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of prior times likelihood, shape (members,); one call simulates all members.

    It is minus infinity outside the bounds, where nothing is simulated, and where a simulation fails.
    """
    densities = [parameter.log_density(points[:, place]) for place, parameter in enumerate(problem.parameters)]
    density = np.sum(densities, axis=0)
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


def _check_known(model: Model, cell: Cell) -> None:
    element = model.elements.get(cell.key)
    if element is None or element.kind == "lookup":
        message = f"'{cell.key}' is not a variable of the model; correct the formula of the series"
        raise CalibrationError(message)
    cells = (step.cell for step in (*plan(model).start, *plan(model).step, *plan(model).stocks))
    if cell not in plan(model).constants and cell not in set(cells):
        labels = f"[{', '.join(cell.labels)}]" if cell.labels else "without labels"
        message = f"'{element.name}' {labels} is not one number; name one of its labels in the formula of the series"
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
