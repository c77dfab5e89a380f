"""Calibration of a model: the best point, what the data identify, and, if requested, the posterior around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..model import Integrator, Model, takes_model
from ..scenario import Scenario
from .likelihood import Problem, by_series, make_problem, modelled_at, standardised
from .optimum import Evaluations, Identification, Search, find_best, identify
from .parameters import Equality, Parameter
from .posterior import Chain, Checkpoint, Posterior, check_posterior_extra, judge, sample, starting_points
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
    """The result of a calibration: the best point and its surroundings, and the posterior if it was sampled."""

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
        """The free constants."""
        return self.problem.parameters


@takes_model
def calibrate_model(
    model: Model,
    series: Sequence[Series],
    parameters: Sequence[Parameter],
    *,
    scenario: Scenario | None = None,
    integrator: Integrator | None = None,
    starts: int = STARTS,
    seed: int = SEED,
    equal: Sequence[Equality] = (),
    progress: Evaluations | None = None,
) -> Calibration:
    r"""Find the values of free constants that agree best with observed series, and what the data say about them.

    Parameters
    ----------
    model : Model
        The model.
    series : sequence of Series
        What `read_series` returns.
    parameters : sequence of Parameter
        The free constants, with bounds in their own units and optional priors; `sdmodel.inference.free_constants` makes
        them from texts such as `"rate=1:4"`.
    scenario : Scenario, optional
        Changes of other constants under which the model is calibrated.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        The integration method; the model's own by default.
    starts : int, default 64
        Number of starting points, spread over the bounds, in addition to the model's own values.
    seed : int, default 1
        Seed of everything random, from 0 to 2^32 - 1. The same seed gives the same numbers.
    equal : sequence of Equality, optional
        Constants that have the values of free ones, in the search and in every draw.
    progress : callable, optional
        Called with the number of points simulated since the last call.

    Returns
    -------
    Calibration
        `search.best.values` are the best values, in the order of `parameters`; `agreement` compares each series before and
        after; `identification` says which directions the data determine.

    Raises
    ------
    CalibrationError
        If there is nothing to fit, or no simulation gives finite numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import sdmodel as sd
    >>> from sdmodel.errors import Place
    >>> from sdmodel.inference import ErrorModel, Series, free_constants
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(rate, 0)\nrate = 2")
    >>> times, values, error = np.array([1.0, 2.0]), np.array([3.0, 6.0]), ErrorModel("absolute", 0.5)
    >>> seen = Series("seen", sd.read_formula("Stock"), "Stock", times, values, error, "kg", Place("example", 1))
    >>> found = sd.calibrate_model(model, [seen], free_constants(model, ["rate=0:10"]), starts=4)
    >>> round(float(found.search.best.values[0]), 6)
    3.0
    """
    if not 0 <= seed < _SEEDS:
        message = f"the seed is {seed}; give a whole number from 0 to {_SEEDS - 1}"
        raise CalibrationError(message)
    if starts < 1:
        message = f"the number of starts is {starts}; give at least 1"
        raise CalibrationError(message)
    given = scenario or Scenario("")
    problem = make_problem(model, series, parameters, scenario=given, integrator=integrator, equal=equal)
    search = find_best(problem, starts=starts, seed=seed, progress=progress)
    return Calibration(
        model, problem, given, integrator or model.integrator, seed, search,
        identify(problem.parameters, search), tuple(_agreements(problem, search.best.values)),
    )  # fmt: skip


def sample_posterior(
    calibration: Calibration,
    *,
    steps: int,
    walkers: int,
    chain: Chain | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Evaluations | None = None,
) -> Calibration:
    r"""Sample the posterior of a calibration: all values of the free constants that agree with the data well enough.

    Parameters
    ----------
    calibration : Calibration
        What `calibrate_model` returns.
    steps : int
        Number of steps of each walker, including those of `chain`.
    walkers : int
        Number of walkers: even, and at least twice the number of free constants.
    chain : Chain, optional
        The steps made so far, which are continued exactly as if they had never stopped.
    checkpoint : callable, optional
        Called with the chain after every step.
    progress : callable, optional
        Called with the number of points proposed since the last call.

    Returns
    -------
    Calibration
        The same with its `posterior`: `chain.points` of shape (steps, walkers, constants), in the units of each constant, and
        `marginals`, one per constant, with its interval and diagnostics.

    Raises
    ------
    CalibrationError
        If the extra `calibrate` is not installed, or there are too few walkers or steps.

    Examples
    --------
    >>> import numpy as np
    >>> import sdmodel as sd
    >>> from sdmodel.errors import Place
    >>> from sdmodel.inference import ErrorModel, Series, free_constants
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(rate, 0)\nrate = 2")
    >>> times, values, error = np.array([1.0, 2.0]), np.array([3.0, 6.0]), ErrorModel("absolute", 0.5)
    >>> seen = Series("seen", sd.read_formula("Stock"), "Stock", times, values, error, "kg", Place("example", 1))
    >>> found = sd.calibrate_model(model, [seen], free_constants(model, ["rate=0:10"]), starts=4)
    >>> sd.sample_posterior(found, steps=50, walkers=8).posterior.chain.points.shape
    (50, 8, 1)
    """
    check_posterior_extra()
    least = max(4, 2 * len(calibration.parameters))
    if walkers < least or walkers % 2:
        cure = f"give an even number, at least {least} (twice the number of constants)"
        message = f"the number of walkers is {walkers}; {cure}"
        raise CalibrationError(message)
    if steps < 1:
        message = f"the number of steps is {steps}; give at least 1"
        raise CalibrationError(message)
    start: Chain | NDArray[np.float64] = chain or starting_points(
        calibration.problem, calibration.search, calibration.identification, walkers, calibration.seed
    )
    walked = sample(calibration.problem, start, steps, calibration.seed, checkpoint=checkpoint, progress=progress)
    return replace(calibration, posterior=judge(walked, calibration.parameters))


def fingerprints(calibration: Calibration, walkers: int) -> dict[str, str]:
    """Return what a chain depends on, as hashes or texts by name: another model, series or setting gives another chain."""
    return problem_fingerprints(
        calibration.model, calibration.problem, calibration.scenario, calibration.integrator
    ) | {
        "number of starts": str(calibration.search.starts),
        "number of walkers": str(walkers),
        "seed": str(calibration.seed),
    }


def problem_fingerprints(model: Model, problem: Problem, scenario: Scenario, integrator: Integrator) -> dict[str, str]:
    """Return what the posterior density depends on, as hashes or texts by name."""
    free = ((one.name, one.low, one.high, one.initial, one.prior) for one in problem.parameters)
    changes = (
        (one.name, one.subscripts, one.values, one.table, *one.exceptions, *filter(None, [one.course]))
        for one in scenario.changes
    )
    numbers = (part.tobytes() for item in problem.series for part in (item.times, item.values))
    texts = ((item.name, str(item.model), *astuple(item.error)) for item in problem.series)
    return {
        "model": model.sha256 or digest_of([model.text]),
        "set of series": digest_of([*map(repr, texts), *(part.hex() for part in numbers)]),
        "set of free constants, bounds or priors": digest_of(map(repr, (*free, *problem.equal))),
        "scenario": digest_of(map(repr, (*changes, *((one.name, one.text) for one in scenario.texts)))),
        "integrator": integrator,
    }


def digest_of(parts: Iterable[str]) -> str:
    """Return the hash of texts in order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _agreements(problem: Problem, best: NDArray[np.float64]) -> list[Agreement]:
    """Compare each series at the initial values and at the best point."""
    initial = [parameter.initial for parameter in problem.parameters]
    modelled = modelled_at(problem, np.array([initial, best]))
    errors = standardised(problem.series, modelled)
    agreements = []
    pairs = zip(by_series(problem.series, modelled), by_series(problem.series, errors), strict=True)
    for (item, values), (_, sds) in pairs:
        with np.errstate(invalid="ignore", over="ignore"):
            before, after = np.sqrt(np.mean((values - item.values[:, np.newaxis]) ** 2, axis=0)).tolist()
            sd_before, sd_after = np.sqrt(np.mean(sds**2, axis=0)).tolist()
        rmse, deviations = (before, after), (sd_before, sd_after)
        agreements.append(Agreement(item.name, item.units, len(item.values), rmse, deviations))
    return agreements
