"""Which constants matter to an outcome: each moved alone, along trajectories, or all of them together."""

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
from ..simulation import Progress, ScenarioLike, merged
from ..vensim import sampling_of_ranges
from .factors import Factor, factors_of
from .indices import morris, sobol
from .layouts import Layout, Measures, Settings
from .questions import Question, questions_of
from .tornado import tornado
from .trial import Trial, make_trial

Asked = Outcome | float | int | str
"""A date, or the name of a statistic over time."""

_METHODS: Mapping[str, Callable[[Sequence[Factor], NDArray[np.float64], Settings], Layout]] = MappingProxyType(
    {"tornado": tornado, "morris": morris, "sobol": sobol}
)
IMPORTANCE: Mapping[str, str] = MappingProxyType({"tornado": "swing", "morris": "mu_star", "sobol": "ST"})
"""The measure of each method by which constants are ranked."""

_LOST = 0.1
"""The part of trajectories or samples that may be lost; with more, the rest says little of the whole."""


def find_sensitivities(
    model: Model,
    names: str | Iterable[str],
    outcomes: Asked | Sequence[Asked] = "last",
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
    """How much outcomes of variables move with constants: a dataset over `outcome` and `parameter`, with ranks from 1.

    Each of `names`, `name` or `name[label]`, has each of the `outcomes`: dates in the model's unit of time, and statistics over time
    by their names in `STATISTICS`.

    `sampling` says which constants vary and how, as a `.vsc` file does; without it the constants of the group
    Uncertainties vary evenly over their ranges. A constant with subscripts varies cell by cell.

    `tornado` moves each constant alone between its ends, which are the bounds of an even distribution, else its quantiles
    of 5 % and 95 %: `low`, `high`, `least`, `most`, `swing` and `bent`, in units of the outcome. `morris` does so along
    `trajectories` over `levels` of probability between the ends: `mu`, `mu_star`, `mu_star_conf` and `sigma`. `sobol`
    draws all constants from their whole distributions, `samples` times (constants + 2): `S1`, `ST` and, with
    `second_order`, `S2`, shares of the variance, each with `_conf`; beside them `mean` and `sd` of the outcome. Names
    and intervals of 95 % are SALib's. `base` are the outcomes where nothing moves.

    Runs that are not finite are counted in `not_finite`; of Morris and Sobol the trajectories or samples that they belong
    to are left out. Seed 0 draws a fresh one; without it the sampling's own holds.

    Raises
    ------
    AnalysisError
        If the method or its numbers are none, SALib is not installed, constants come from a file of samples, or too many
        runs are not finite.
    ScenarioError
        If a variable, or a constant that varies, is not the model's.
    SimulationError
        If the times make no run, or a constant that varies decides them.
    DatasetError
        If a date lies outside the run.
    """
    if method not in _METHODS:
        message = f"method is {method!r}; it must be one of {', '.join(_METHODS)}"
        raise AnalysisError(message)
    sampling = sampling or sampling_of_ranges(model)
    changes = merged(scenario)
    factors = factors_of(model, sampling, changes)
    wanted = [outcomes] if isinstance(outcomes, Asked) else outcomes
    asked = questions_of(model, [names] if isinstance(names, str) else names, list(map(_outcome, wanted)))
    trial = make_trial(model, factors, asked, scenario=changes, integrator=integrator)
    settings = Settings(_seed(sampling, seed), trajectories, levels, samples, second_order)
    layout = _METHODS[method](factors, trial.base, settings)
    answers = trial.answers(np.vstack([layout.points, trial.base]), progress=progress)
    measures = [_measures(layout, answers[:-1, place], each) for place, each in enumerate(asked)]
    found = _dataset(trial, measures, answers, IMPORTANCE[method])
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


def _outcome(asked: Asked) -> Outcome:
    """What is asked of a variable, by its date or its name."""
    if isinstance(asked, Outcome):
        return asked
    return Outcome(asked) if isinstance(asked, str) else Outcome(at=float(asked))


def _seed(sampling: Sampling, seed: int | None) -> int:
    """Where chance begins: as told, else as the sampling says; 0 asks for a fresh one."""
    wanted = sampling.seed if seed is None else seed
    return wanted or secrets.randbelow(2**31 - 1) + 1


def _measures(layout: Layout, answers: NDArray[np.float64], question: Question) -> Measures:
    """What the answers to one question say, without the groups that lack one."""
    groups: NDArray[np.bool_] = np.isfinite(answers.reshape(-1, layout.together).sum(axis=1))
    lost = np.count_nonzero(~groups)
    if layout.together > 1 and lost > _LOST * groups.size:
        message = (
            f"'{question}' is not finite in {np.count_nonzero(np.isnan(answers)):,} of {answers.size:,} runs, so that {lost:,} of "
            f"{groups.size:,} groups that belong together are lost, too many to tell what matters; narrow the ranges of the "
            "constants, or make TIME STEP smaller"
        )
        raise AnalysisError(message)
    kept = np.repeat(groups, layout.together)
    return layout.measure(answers[kept], kept)


def _dataset(trial: Trial, measures: Sequence[Measures], answers: NDArray[np.float64], importance: str) -> xr.Dataset:
    """The measures of all questions under the names of the factors, with ranks; the last of the answers are the base."""
    names = [each.name for each in trial.factors]
    variables = {
        name: (("outcome", "parameter", "other")[: 1 + first.ndim], np.array([each[name] for each in measures]))
        for name, first in measures[0].items()
    }
    order = np.argsort(-variables[importance][1], axis=1, kind="stable")  # what is not a number comes last
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, len(names) + 1)[np.newaxis], axis=1)
    ends = np.array([each.ends for each in trial.factors])
    coords: dict[str, Any] = {
        "outcome": [str(each) for each in trial.questions],
        "variable": ("outcome", [each.variable for each in trial.questions]),
        "outcome_units": ("outcome", [each.units for each in trial.questions]),
        "parameter": names,
        "parameter_units": ("parameter", [each.units for each in trial.factors]),
        "value": ("parameter", trial.base),
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
