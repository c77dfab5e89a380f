"""A model held against data: the best point, what the data identify, and, if wanted, the posterior density around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..model import Integrator, Model
from ..scenario import Scenario
from .chain import Chain
from .diagnostics import Posterior, judge
from .identification import Identification, identify
from .likelihood import standardised
from .parameters import Parameter
from .posterior import Saved, Told, sample, starting_points
from .problem import Problem, make_problem, modelled_at
from .search import Evaluations, Search, find_best
from .series import Series

STARTS = 64
STEPS = 3000
SEED = 1
_SEEDS = 2**32


@dataclass(frozen=True, slots=True)
class Agreement:
    """One series before and after: root mean square errors in its units, and in standard deviations of its error."""

    name: str
    units: str
    count: int
    rmse: tuple[float, float]
    deviations: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a calibration finds; without a posterior the best point and what is known around it."""

    model: Model
    problem: Problem
    scenario: Scenario
    integrator: Integrator
    seed: int
    search: Search
    identification: Identification
    agreement: tuple[Agreement, ...]
    posterior: Posterior | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The constants that were free."""
        return self.problem.parameters


def calibrate_model(
    model: Model,
    series: Sequence[Series],
    parameters: Sequence[Parameter],
    *,
    scenario: Scenario | None = None,
    integrator: Integrator | None = None,
    starts: int = STARTS,
    seed: int = SEED,
    told: Evaluations | None = None,
) -> Calibration:
    """The values of free constants that agree best with series, from many starts, and what the data say of them.

    Everything that depends on chance is decided by `seed`. `told` is given how many points were simulated, as they are.

    Raises
    ------
    CalibrationError
        If there is nothing to fit, or no simulation that gives finite numbers.
    """
    if not 0 <= seed < _SEEDS:
        message = f"the seed is {seed}; give a whole number from 0 and below {_SEEDS}"
        raise CalibrationError(message)
    if starts < 1:
        message = f"{starts} starts are asked for; give at least 1"
        raise CalibrationError(message)
    given = scenario or Scenario("")
    problem = make_problem(model, series, parameters, scenario=given, integrator=integrator)
    search = find_best(problem, starts=starts, seed=seed, told=told)
    return Calibration(
        model, problem, given, integrator or model.integrator, seed, search,
        identify(problem.parameters, search), tuple(_agreements(problem, search.best.values)),
    )  # fmt: skip


def with_posterior(
    calibration: Calibration,
    *,
    steps: int,
    walkers: int,
    chain: Chain | None = None,
    saved: Saved | None = None,
    told: Told | None = None,
) -> Calibration:
    """The calibration with its posterior, from `steps` steps of `walkers` walkers, those of `chain` among them.

    Raises
    ------
    CalibrationError
        If what samples is not installed, or the walkers are too few.
    """
    least = 2 * len(calibration.parameters)
    if walkers < max(4, least) or walkers % 2:
        message = f"{walkers} walkers are asked for; give an even number from {max(4, least)} up, twice the constants at least"
        raise CalibrationError(message)
    if steps < 1:
        message = f"{steps} steps are asked for; give at least 1"
        raise CalibrationError(message)
    begin: Chain | NDArray[np.float64] = chain or starting_points(
        calibration.problem, calibration.search, calibration.identification, walkers, calibration.seed
    )
    walked = sample(calibration.problem, begin, steps, calibration.seed, saved=saved, told=told)
    return replace(calibration, posterior=judge(walked, calibration.parameters))


def marks(calibration: Calibration, walkers: int) -> dict[str, str]:
    """What the walk of a calibration belongs to: any other model, series, constants or settings make another one."""
    series = calibration.problem.series
    free = ((each.name, each.low, each.high, each.initial, each.prior) for each in calibration.parameters)
    numbers = (part.tobytes() for each in series for part in (each.times, each.values))
    said = ((each.name, str(each.model), *astuple(each.error)) for each in series)
    return {
        "model": calibration.model.sha256 or _digest([calibration.model.text]),
        "set of series": _digest([*map(repr, said), *(part.hex() for part in numbers)]),
        "set of free constants, bounds or priors": _digest(map(repr, free)),
        "scenario": _digest(repr((each.name, each.subscripts, each.values, each.table)) for each in calibration.scenario.changes),
        "integrator": calibration.integrator,
        "number of starts": str(calibration.search.starts),
        "number of walkers": str(walkers),
        "seed": str(calibration.seed),
    }  # fmt: skip


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _agreements(problem: Problem, best: NDArray[np.float64]) -> list[Agreement]:
    """How well each series agrees where the constants started and at the best point."""
    initial = [each.initial for each in problem.parameters]
    said = modelled_at(problem, np.array([initial, best]))
    gaps = standardised(problem.series, said)
    found, row = [], 0
    for each in problem.series:
        rows = slice(row, row + len(each.values))
        with np.errstate(invalid="ignore", over="ignore"):
            rmse = np.sqrt(np.mean((said[rows] - each.values[:, np.newaxis]) ** 2, axis=0))
            away = np.sqrt(np.mean(gaps[rows] ** 2, axis=0))
        found.append(
            Agreement(each.name, each.units, len(each.values), (float(rmse[0]), float(rmse[1])), (float(away[0]), float(away[1])))
        )  # fmt: skip
        row = rows.stop
    return found
