"""Sensitivity analysis: how much constants matter to outcomes, moved one at a time, along trajectories, or all together."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import Outcome
from ..errors import AnalysisError
from ..model import Integrator, Model
from ..scenario import Sampling
from ..simulation import Progress, ScenarioLike, load_scenario
from ..vensim import sampling_of_ranges
from .experiment import Experiment, Factor, Response, factors_of, make_experiment, responses_of
from .methods import Layout, Measures, Settings, morris, sobol, tornado

OutcomeLike = Outcome | float | int | str
"""An outcome, a date, or the name of a statistic over time."""

_METHODS: Mapping[str, Callable[[Sequence[Factor], NDArray[np.float64], Settings], Layout]] = MappingProxyType(
    {"tornado": tornado, "morris": morris, "sobol": sobol}
)
IMPORTANCE: Mapping[str, str] = MappingProxyType({"tornado": "swing", "morris": "mu_star", "sobol": "ST"})
"""The measure of each method by which constants are ranked."""

_LOST = 0.1
"""Largest share of trajectories or samples that may be lost; with more, the rest says little about the whole."""


def find_sensitivities(
    model: Model,
    names: str | Iterable[str],
    outcomes: OutcomeLike | Sequence[OutcomeLike] = "last",
    *,
    method: str = "tornado",
    sampling: Sampling | None = None,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    seed: int | None = None,
    trajectories: int = 20,
    levels: int = 4,
    samples: int = 1024,
    second_order: bool = False,
    progress: Progress | None = None,
) -> xr.Dataset:
    r"""Measure how much outcomes of variables depend on constants, and rank the constants.

    Parameters
    ----------
    model : Model
        The model.
    names : str or iterable of str
        Variables, `name` or `name[label]`.
    outcomes : str, float, Outcome, or sequence of these, default "last"
        Outcomes of each variable: names of statistics over time, such as "last" or "max", and dates in the model's unit of
        time.
    method : {"tornado", "morris", "sobol"}, default "tornado"
        `tornado` moves each constant alone between its ends: the bounds of a uniform distribution, otherwise the 5 % and
        95 % quantiles. `morris` moves one constant after the other along random trajectories between the ends. `sobol`
        samples all constants from their whole distributions.
    sampling : Sampling, optional
        Which constants vary and how, as in a `.vsc` file. By default the constants of the group Uncertainties vary
        uniformly over their ranges. A constant with subscripts varies cell by cell.
    scenario : Scenario, path, or sequence of these, optional
        Changes that apply to all runs.
    integrator : {"euler", "rk4"}, optional
        The integration method; the model's own by default.
    seed : int, optional
        Seed of `morris` and `sobol`; that of `sampling` by default, and 0 means a random one.
    trajectories, levels : int, default 20 and 4
        Size of `morris`: trajectories * (constants + 1) runs.
    samples : int, default 1024
        Size of `sobol`, a power of two: samples * (constants + 2) runs.
    second_order : bool, default False
        Whether `sobol` also measures pairs, with samples * (2 * constants + 2) runs.
    progress : callable, optional
        Called with the number of runs done and their total.

    Returns
    -------
    Dataset
        Measures over `outcome` and `parameter`, with `rank` from 1. `tornado`: `low`, `high`, `least`, `most`, `swing` and
        `bent` (the outcome goes both up and down), in units of the outcome. `morris`: `mu`, `mu_star`, `mu_star_conf` and
        `sigma`. `sobol`: `S1`, `ST`, `S2`, shares of the variance, each with `_conf`, and `mean` and `sd` of the outcome.
        These names and the 95 % intervals are SALib's. `base` is the outcome of the unchanged model. Runs that are not
        finite are counted in `not_finite`; the trajectories or samples that they belong to are left out.

    Raises
    ------
    AnalysisError
        If the method or its numbers are invalid, SALib is not installed, constants come from a file of samples, or too many
        runs are not finite.
    ScenarioError
        If a variable, or a constant that varies, is not in the model.
    SimulationError
        If the times are invalid, or a constant that varies sets them.
    DatasetError
        If a date lies outside the run.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.scenario import Distribution, Sampling, Variation
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(a + 3*b, 0)\na = 1\nb = 1")
    >>> uniform = Distribution("RANDOM_UNIFORM", (0.0, 2.0))
    >>> sampling = Sampling("multivariate", variations=(Variation("a", (), uniform), Variation("b", (), uniform)))
    >>> found = sd.find_sensitivities(model, "Stock", sampling=sampling)
    >>> found["swing"].values.tolist(), found["rank"].values.tolist()
    ([[20.0, 60.0]], [[2, 1]])
    """
    if method not in _METHODS:
        message = f"method is {method!r}; it must be one of {', '.join(_METHODS)}"
        raise AnalysisError(message)
    sampling = sampling or sampling_of_ranges(model)
    changes = load_scenario(scenario)
    factors = factors_of(model, sampling, changes)
    requested = [outcomes] if isinstance(outcomes, OutcomeLike) else outcomes
    responses = responses_of(model, [names] if isinstance(names, str) else names, list(map(_outcome, requested)))
    experiment = make_experiment(model, factors, responses, scenario=changes, integrator=integrator)
    start = (sampling.seed if seed is None else seed) or secrets.randbelow(2**31 - 1) + 1
    settings = Settings(start, trajectories, levels, samples, second_order)
    layout = _METHODS[method](factors, experiment.base, settings)
    answers = experiment.run(np.vstack([layout.points, experiment.base]), progress=progress)
    measures = [_measures(layout, answers[:-1, place], response) for place, response in enumerate(responses)]
    found = _dataset(experiment, measures, answers, IMPORTANCE[method])
    used = {"morris": ("trajectories", "levels", "seed"), "sobol": ("samples", "seed")}.get(method, ())
    record: dict[str, Any] = {
        "model": model.path,
        "model_sha256": model.sha256,
        "scenario": changes.text,
        "scenario_name": changes.name,
        "integrator": integrator or model.integrator,
        "method": method,
        "importance": IMPORTANCE[method],
        "runs": len(answers),
    }
    return found.assign_attrs(record | {name: getattr(settings, name) for name in used})


def _outcome(requested: OutcomeLike) -> Outcome:
    if isinstance(requested, Outcome):
        return requested
    return Outcome(requested) if isinstance(requested, str) else Outcome(at=float(requested))


def _measures(layout: Layout, answers: NDArray[np.float64], response: Response) -> Measures:
    """Compute the measures of one response, without the groups in which an outcome is missing."""
    groups: NDArray[np.bool_] = np.isfinite(answers.reshape(-1, layout.together).sum(axis=1))
    lost = np.count_nonzero(~groups)
    if layout.together > 1 and lost > _LOST * groups.size:
        message = (
            f"'{response}' is not finite in {np.count_nonzero(np.isnan(answers)):,} of {answers.size:,} runs, so that {lost:,} of "
            f"{groups.size:,} groups of runs are lost, too many to rank constants; narrow the ranges of the constants, or "
            "make TIME STEP smaller"
        )
        raise AnalysisError(message)
    kept = np.repeat(groups, layout.together)
    return layout.measure(answers[kept], kept)


def _dataset(
    experiment: Experiment, measures: Sequence[Measures], answers: NDArray[np.float64], importance: str
) -> xr.Dataset:
    """Label the measures of all responses by factor, with ranks; the last of the answers is the base."""
    names = [factor.name for factor in experiment.factors]
    variables = {
        name: (("outcome", "parameter", "other")[: 1 + first.ndim], np.array([response[name] for response in measures]))
        for name, first in measures[0].items()
    }
    order = np.argsort(-variables[importance][1], axis=1, kind="stable")  # NaN comes last
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, len(names) + 1)[np.newaxis], axis=1)
    ends = np.array([factor.ends for factor in experiment.factors])
    coords: dict[str, Any] = {
        "outcome": [str(response) for response in experiment.responses],
        "variable": ("outcome", [response.variable for response in experiment.responses]),
        "outcome_units": ("outcome", [response.units for response in experiment.responses]),
        "parameter": names,
        "parameter_units": ("parameter", [factor.units for factor in experiment.factors]),
        "value": ("parameter", experiment.base),
        "low_value": ("parameter", ends[:, 0]),
        "high_value": ("parameter", ends[:, 1]),
    }
    if any("other" in dims for dims, _ in variables.values()):
        coords["other"] = names
    return xr.Dataset(variables, coords).assign(
        rank=(("outcome", "parameter"), ranks),
        base=("outcome", answers[-1]),
        not_finite=("outcome", np.isnan(answers).sum(axis=0)),
    )
