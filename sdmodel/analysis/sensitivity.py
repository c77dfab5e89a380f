"""Sensitivity analysis: how much constants matter to outcomes, moved one at a time, along trajectories, or all together.

A tornado moves one factor after the other between its ends. Morris's elementary effects and Sobol's indices come from SALib.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import Outcome, OutcomeLike, as_outcome
from ..errors import AnalysisError, Fault, ScenarioError
from ..extras import check_extra, load_extra
from ..model import Cell, Integrator, Model, cell_name, key, labels_of, plan, split_name, suggest, takes_model
from ..scenario import Distribution, Sampling, Scenario, Steps, constant_values, sampled_cells
from ..simulation import PreparedSimulation, Progress, ScenarioLike, prepare_simulation, under_scenario
from ..vensim import default_sampling
from ..workers import Workers

_Measures = Mapping[str, NDArray[Any]]
"""Numbers by name: of shape (factors,), (factors, factors) for pairs, or () for all factors together."""

_RESAMPLES, _NORMAL = 200, 1.96
"""Samples of a bootstrap, and standard deviations in half of a 95 % interval."""
IMPORTANCE: Mapping[str, str] = MappingProxyType({"tornado": "swing", "morris": "mu_star", "sobol": "ST"})
"""The measure of each method by which constants are ranked."""

_EXTRA, _TASK = "sensitivity", "the method"
_PLACES = np.linspace(0.0, 1.0, 5)
"""Places between its ends at which a tornado tries a constant: a peak inside is not visible at the ends."""
_ROUNDING, _CONSTANT = 1e-9, 1e-12
"""Share of an outcome by which it may turn back, and share by which it may vary in all, because of rounding."""
_LARGEST = 50_000_000
"""Largest number of values in the points of a method: 400 MB."""
_TAIL = 0.05
"""Share of a distribution beyond each end, unless it is uniform and ends there."""
_BYTES = 2**26
"""Memory for the results of members that are computed together."""
_LEAST, _MOST = 256, 16_384
"""Number of members that are computed together: enough for all processors, few enough to show progress."""
_LOST = 0.1
"""Largest share of trajectories or samples that may be lost; with more, the rest says little about the whole."""


@takes_model
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
    executor: Workers | None = None,
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
        Which constants vary and how, as in a `.vsc` file. By default those of `default_sampling`. A constant with
        subscripts varies cell by cell.
    scenario : Scenario, path, or sequence of these, optional
        Changes that apply to all runs.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        The integration method; the model's own by default.
    seed : int, optional
        Seed of `morris` and `sobol`; that of `sampling` by default, and 0 means a random one.
    trajectories, levels : int, default 20 and 4
        Size of `morris`: trajectories * (constants + 1) runs.
    samples : int, default 1024
        Size of `sobol`, a power of two: samples * (constants + 2) runs.
    second_order : bool, default False
        Whether `sobol` also measures pairs, with samples * (2 * constants + 2) runs.
    executor : concurrent.futures.Executor or dask client, optional
        Other processes that share the runs; see `simulate`. The numbers do not depend on it.
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
    if method not in IMPORTANCE:
        message = f"method is {method!r}; it must be one of {', '.join(IMPORTANCE)}"
        raise AnalysisError(message)
    check_method_extra(method)
    sampling = sampling or default_sampling(model)
    model, changes = under_scenario(model, scenario)
    factors = factors_of(model, sampling, changes)
    requested = [outcomes] if isinstance(outcomes, OutcomeLike) else outcomes
    measured = list(map(as_outcome, requested))
    responses = responses_of(model, [names] if isinstance(names, str) else names, measured)
    experiment = make_experiment(model, factors, responses, scenario=changes, integrator=integrator)
    start = (sampling.seed if seed is None else seed) or secrets.randbelow(2**31 - 1) + 1
    settings: dict[str, int] = {}
    if method == "tornado":
        layout = _tornado(factors, experiment.base)
    elif method == "morris":
        layout = _morris(factors, trajectories, levels, start)
        settings = {"trajectories": trajectories, "levels": levels, "seed": start}
    else:
        layout = _sobol(factors, samples, start, pairs=second_order)
        settings = {"samples": samples, "seed": start}
    answers = experiment.run(np.vstack([layout.points, experiment.base]), progress=progress, executor=executor)
    measures = [_measures(layout, answers[:-1, place], response) for place, response in enumerate(responses)]
    found = _dataset(experiment, measures, answers, IMPORTANCE[method])
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
    return found.assign_attrs(record | settings)


def check_method_extra(method: str) -> None:
    """Check before any work that the package that a method needs is installed.

    Raises
    ------
    AnalysisError
        If it is not installed; the message says how to install it.
    """
    if method != "tornado":
        check_extra(_EXTRA, task=_TASK, error=AnalysisError)


def _measures(layout: _Layout, answers: NDArray[np.float64], response: Response) -> _Measures:
    """Compute the measures of one response, without the groups in which an outcome is missing."""
    groups: NDArray[np.bool_] = np.isfinite(answers.reshape(-1, layout.together).sum(axis=1))
    lost = np.count_nonzero(~groups)
    if layout.together > 1 and lost > _LOST * groups.size:
        broken = f"{np.count_nonzero(np.isnan(answers)):,} of {answers.size:,} runs"
        effect = f"so that {lost:,} of {groups.size:,} groups of runs are lost, too many to rank constants"
        cure = "narrow the ranges of the constants, or make TIME STEP smaller"
        message = f"'{response}' is not finite in {broken}, {effect}; {cure}"
        raise AnalysisError(message)
    kept = np.repeat(groups, layout.together)
    return layout.measure(answers[kept], kept)


def _dataset(
    experiment: Experiment, measures: Sequence[_Measures], answers: NDArray[np.float64], importance: str
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


@dataclass(frozen=True, eq=False)
class _Layout:
    """Points of shape (runs, factors), in the units of each factor.

    `together` successive points form a group: if one of them has no outcome, the whole group is left out; a method with
    groups of 1 leaves out single points. `measure` computes measures from the outcomes and the flags, shape (runs,), of the
    runs that they come from.
    """

    points: NDArray[np.float64]
    together: int
    measure: Callable[[NDArray[np.float64], NDArray[np.bool_]], _Measures]


def _tornado(factors: Sequence[Factor], base: NDArray[np.float64]) -> _Layout:
    """Move each factor to five places from its low end to its high end, evenly by probability, others at the base."""
    points = np.tile(base, (len(factors) * _PLACES.size, 1))
    for place, factor in enumerate(factors):
        points[place * _PLACES.size : (place + 1) * _PLACES.size, place] = factor.between(_PLACES)
    return _Layout(points, 1, _tornado_measures)


def _tornado_measures(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> _Measures:
    """`low` and `high` are the outcomes at the ends, `least` and `most` the finite extremes, `swing` their difference.

    A swing that rounding explains is 0. `bent` says whether the outcome goes both up and down between the ends.
    """
    outcomes = np.full(kept.size, np.nan)
    outcomes[kept] = answers
    rows = outcomes.reshape(-1, _PLACES.size)
    least, most = np.fmin.reduce(rows, axis=1), np.fmax.reduce(rows, axis=1)
    swing = np.where(np.isfinite(rows).sum(axis=1) > 1, most - least, np.nan)
    swing[swing <= _CONSTANT * np.fmax(np.abs(least), np.abs(most))] = 0.0
    bent = []
    for row in rows:
        finite = row[np.isfinite(row)]
        steps, small = np.diff(finite), _ROUNDING * np.abs(finite).max(initial=0.0)
        bent.append(bool((steps > small).any() and (steps < -small).any()))
    return {
        "low": rows[:, 0],
        "high": rows[:, -1],
        "least": least,
        "most": most,
        "swing": swing,
        "bent": np.array(bent),
    }


def _morris(factors: Sequence[Factor], count: int, levels: int, seed: int) -> _Layout:
    """Sample trajectories on which one factor after the other takes a step (Morris, Technometrics 33, 1991).

    `mu`, `mu_star` and `sigma` are the mean of the effects, of their sizes (Campolongo et al., Environmental Modelling &
    Software 22, 2007) and their standard deviation, in units of the outcome for the whole way between the ends of a factor;
    `mu_star_conf` is half of the 95 % interval.
    """
    if count < 2:  # noqa: PLR2004 - a deviation needs two
        message = f"trajectories: {count} is too few; give at least 2, better 20"
        raise AnalysisError(message)
    if levels < 2 or levels % 2:  # noqa: PLR2004 - a step is half of them
        message = f"levels: {levels} is not an even number; Morris's method needs one, such as 4"
        raise AnalysisError(message)
    group = len(factors) + 1
    _check_size(count * group, factors, f"fewer trajectories than {count:,}")
    sampler, analyzer, problem = _salib("morris", factors)
    shares = sampler.sample(problem, count, num_levels=levels, seed=seed)
    points = np.column_stack([factor.between(shares[:, place]) for place, factor in enumerate(factors)])

    def measure(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> _Measures:
        found = analyzer.analyze(problem, shares[kept], answers, num_levels=levels, seed=seed)
        return {name: np.asarray(found[name], dtype=float) for name in ("mu", "mu_star", "mu_star_conf", "sigma")}

    return _Layout(points, group, measure)


def _sobol(factors: Sequence[Factor], count: int, seed: int, *, pairs: bool) -> _Layout:
    """Sample Sobol's sequence in Saltelli's scheme (Computer Physics Communications 181, 2010) from whole distributions.

    `S1` is the share of the outcome's variance due to a factor alone, `ST` includes its interactions with others, `S2` is
    the share of a pair beyond its single shares; each `_conf` is half of the 95 % interval. `S1_sum` is the share of all
    factors alone, and `doubt` says why the shares are not credible, if they are not. `mean` and `sd` are those of the outcome.
    An outcome that does not vary has no shares.
    """
    if count < 2 or count & (count - 1):  # noqa: PLR2004 - the first power that has a variance
        near = 1 << max(2, count.bit_length())
        cure = f"give {near // 2:,} or {near:,}"
        message = f"samples: {count:,} is not a power of two, which Sobol's sequence needs; {cure}"
        raise AnalysisError(message)
    group = (2 if pairs else 1) * len(factors) + 2
    _check_size(count * group, factors, f"fewer samples than {count:,}")
    sampler, analyzer, problem = _salib("sobol", factors)
    shares = sampler.sample(problem, count, calc_second_order=pairs, seed=seed)
    points = np.column_stack([factor.quantile(shares[:, place]) for place, factor in enumerate(factors)])

    def measure(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> _Measures:
        independent = np.concatenate([answers[::group], answers[group - 1 :: group]])
        measures: dict[str, Any] = {"mean": np.array(independent.mean()), "sd": np.array(independent.std())}
        names = ("S1", "S1_conf", "ST", "ST_conf", *(("S2", "S2_conf") if pairs else ()))
        if np.ptp(answers) <= _CONSTANT * np.abs(answers).max():
            shape = {True: (len(factors), len(factors)), False: (len(factors),)}
            measures |= {"S1_sum": np.array(np.nan), "S1_sum_conf": np.array(np.nan), "doubt": np.array("")}
            return measures | {name: np.full(shape[name.startswith("S2")], np.nan) for name in names}
        found = analyzer.analyze(problem, answers, calc_second_order=pairs, seed=seed)
        whole = _sum_of_shares(answers.reshape(-1, group), len(factors), seed)
        measures |= dict(zip(("S1_sum", "S1_sum_conf"), map(np.array, whole), strict=True))
        measures |= {name: np.asarray(found[name], dtype=float) for name in names}
        return measures | {"doubt": np.array(_doubt(measures))}

    return _Layout(points, group, measure)


def _sum_of_shares(answers: NDArray[np.float64], factors: int, seed: int) -> tuple[float, float]:
    """Return the sum of all S1 and half of its 95 % interval, by resampling groups, shape (groups, runs of a group).

    The shares come from the same runs, so that the interval of their sum does not follow from their own intervals.
    """
    scaled = (answers - answers.mean()) / answers.std()
    first, last = scaled[:, 0], scaled[:, -1]
    terms = last * (scaled[:, 1 : 1 + factors] - first[:, np.newaxis]).sum(axis=1)
    places = np.random.default_rng(seed).integers(len(terms), size=(len(terms), _RESAMPLES))
    drawn = terms[places].mean(axis=0) / np.concatenate([first[places], last[places]]).var(axis=0)
    return float(terms.mean() / np.concatenate([first, last]).var()), float(_NORMAL * np.nanstd(drawn, ddof=1))


def _doubt(measures: Mapping[str, Any]) -> str:
    """Say why the shares of all factors are not credible; empty if nothing speaks against them."""
    total, half = float(measures["S1_sum"]), float(measures["S1_sum_conf"])
    first = int(np.argmax(measures["ST"]))
    if total - half > 1:
        return f"the S1 add up to {total:.2f} \N{PLUS-MINUS SIGN} {half:.2f}, more than 1"
    if total + half < 0:
        return f"the S1 add up to {total:.2f} \N{PLUS-MINUS SIGN} {half:.2f}, less than 0"
    if 2 * measures["ST_conf"][first] >= measures["ST"][first]:
        return "the 95 % interval of the largest ST is wider than its value"
    return "" if 2 * half < max(total, 1 - total) else "the 95 % interval of the sum of S1 is wider than its value"


def _salib(name: str, factors: Sequence[Factor]) -> tuple[Any, Any, dict[str, Any]]:
    """Load SALib's sampler and analyzer of a method, and describe the factors as shares of their distributions."""
    names = [factor.name for factor in factors]
    sampler, analyzer = (
        load_extra(f"SALib.{part}.{name}", extra=_EXTRA, task=_TASK, error=AnalysisError)
        for part in ("sample", "analyze")
    )
    return sampler, analyzer, {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _check_size(runs: int, factors: Sequence[Factor], cure: str) -> None:
    if runs * len(factors) > _LARGEST:
        message = f"{runs:,} runs of {len(factors)} constants are too many; ask for {cure}, or vary fewer constants"
        raise AnalysisError(message)


@dataclass(frozen=True, slots=True)
class Factor:
    """A constant, or one cell of it, with the value that it has in the model and the law that it varies by, in its units."""

    name: str
    cell: Cell
    units: str
    value: float
    law: Distribution | Steps

    def quantile(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values below which those shares of the distribution lie; steps are equally likely."""
        if isinstance(self.law, Distribution):
            return self.law.quantile(shares)
        places = np.floor(np.asarray(shares) * self.law.count).astype(int)
        return self.law.values[np.minimum(places, self.law.count - 1)]

    def between(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at shares from 0 to 1 of the way from the low end to the high end, by probability.

        The ends are the bounds of a uniform distribution and of steps, otherwise the 5 % and 95 % quantiles.
        """
        even = isinstance(self.law, Steps) or self.law.name == "RANDOM_UNIFORM"
        return self.quantile(shares if even else _TAIL + (1 - 2 * _TAIL) * np.asarray(shares))

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest possible value."""
        if isinstance(self.law, Distribution):
            return self.law.minimum, self.law.maximum
        return float(self.law.values[0]), float(self.law.values[-1])

    @property
    def ends(self) -> tuple[float, float]:
        """The low end and the high end."""
        low, high = self.between(np.array([0.0, 1.0]))
        return float(low), float(high)


def factors_of(model: Model, sampling: Sampling, scenario: Scenario) -> tuple[Factor, ...]:
    """Return the constants that a sensitivity file varies, cell by cell, with their values under a scenario.

    Raises
    ------
    AnalysisError
        If the constants come from a file of samples, which has no distributions.
    ScenarioError
        If a line does not suit the model, or there is none; every such line is listed.
    """
    if sampling.method == "file":
        where = sampling.path or "sampling"
        cure = "write a line such as 'constant = RANDOM_UNIFORM(min,max)' for each constant, and another method"
        message = f"{where}: a file of samples has no distributions; {cure}"
        raise AnalysisError(message)
    known = dict(plan(model).constants) | constant_values(model, scenario)
    laws = ((column.cell, column.distribution) for column in sampled_cells(model, sampling))
    return tuple(
        Factor(cell_name(model, cell), cell, model.elements[cell.key].units, float(known[cell]), law)
        for cell, law in laws
        if law is not None  # only columns of a file of samples have none
    )


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of one cell: `variable` is its name in the model, `units` are those of the outcome."""

    cell: Cell
    outcome: Outcome
    variable: str
    units: str

    def __str__(self) -> str:
        between = " " if self.outcome.at is not None else ", "
        return f"{self.variable}{between}{self.outcome}"


def responses_of(
    model: Model, names: Iterable[str], outcomes: Sequence[Outcome], *, where: str = "--on"
) -> tuple[Response, ...]:
    """Return every outcome of every named variable (`name` or `name[label]`), without repetitions; errors name `where`.

    Raises
    ------
    AnalysisError
        If there is no name or no outcome.
    ScenarioError
        If a name is not a variable of the model, or means several numbers at a time; every such name is listed.
    """
    cells: list[Cell] = []
    faults: list[Fault] = []
    for name in names:
        found = single_cell(model, name)
        if isinstance(found, Cell):
            cells.append(found)
        else:
            faults.append(Fault(where, found))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    if not cells or not outcomes:
        message = 'no outcome is requested; name a variable with --on "name", and a date or a statistic'
        raise AnalysisError(message)
    return tuple(
        Response(cell, outcome, cell_name(model, cell), outcome.units(model.elements[cell.key].units, model.time_units))
        for cell in dict.fromkeys(cells)
        for outcome in dict.fromkeys(outcomes)
    )


def single_cell(model: Model, text: str, *, constants: bool = False) -> Cell | str:
    """Return the cell that a name means, or what is wrong with the name; `constants` says whether it may be a constant."""
    name, subscripts = split_name(text, model.elements)
    element = model.elements.get(key(name))
    if element is None or element.hidden:
        names = [known.name for known in model if not known.hidden and known.kind not in ("lookup", "constant")]
        return f"'{name}' is not in the model; {suggest(name, names, 'name a variable of it')}"
    if element.kind == "lookup" or (element.kind == "constant" and not constants):
        return f"'{element.name}' is a {element.kind}, which does not vary; name a variable that depends on constants"
    known = [labels_of(model.subscripts, dimension) for dimension in element.dimensions]
    labels = tuple(map(key, subscripts))
    if len(labels) == len(known) and all(label in axis for label, axis in zip(labels, known, strict=True)):
        cell = Cell(element.key, labels)
        order = plan(model)
        defined = cell in order.constants or any(cell == step.cell for step in (*order.start, *order.step))
        return cell if defined else f"'{cell_name(model, cell)}' has no equation; name a label that has one"
    if not known:
        return f"'{element.name}' has no subscripts; write its name alone"
    if len(labels) != len(known):
        example = cell_name(model, Cell(element.key, tuple(axis[0] for axis in known)))
        count = math.prod(map(len, known))
        return f"'{element.name}' is {count} numbers at a time; name one of them, such as '{example}'"
    wrong, axis = next((label, axis) for label, axis in zip(labels, known, strict=True) if label not in axis)
    cure = suggest(wrong, axis, f"it has {', '.join(axis)}")
    return f"'{element.name}' has no label '{wrong}'; {cure}"


@dataclass(frozen=True, eq=False)
class Experiment:
    """Factors, responses, and the simulation between them; `rows` locates each response among the simulation's results."""

    factors: tuple[Factor, ...]
    responses: tuple[Response, ...]
    simulation: PreparedSimulation
    rows: tuple[int, ...]

    @property
    def base(self) -> NDArray[np.float64]:
        """The factors' values in the model, shape (factors,), in the units of each."""
        return np.array([factor.value for factor in self.factors])

    def run(
        self,
        points: NDArray[np.float64],
        *,
        progress: Progress | None = None,
        together: int | None = None,
        executor: Workers | None = None,
    ) -> NDArray[np.float64]:
        """Return the outcomes, shape (members, responses), for factors of shape (members, factors), each in its units.

        They do not depend on how many members are computed `together`. Values that are not finite become NaN. `progress` is
        also called before the first member.
        """
        times = self.simulation.times
        member_bytes = 8 * len(times) * (1 + max(self.rows))
        size = together or int(np.clip(_BYTES // member_bytes, _LEAST, _MOST))
        answers = np.empty((len(points), len(self.responses)))
        if progress:
            progress(0, len(points))
        for first in range(0, len(points), size):
            part = slice(first, first + size)
            values = self.simulation.values(points[part], executor=executor)
            with np.errstate(all="ignore"):
                for place, (response, row) in enumerate(zip(self.responses, self.rows, strict=True)):
                    answers[part, place] = response.outcome.of(times, values[:, row])
            if progress:
                progress(min(first + size, len(points)), len(points))
        answers[~np.isfinite(answers)] = np.nan
        return answers


def make_experiment(
    model: Model,
    factors: Sequence[Factor],
    responses: Sequence[Response],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
) -> Experiment:
    """Prepare the simulation; where all responses are at dates, it ends at the last of them."""
    kept = list(dict.fromkeys(response.cell for response in responses))
    last = max(np.inf if response.outcome.at is None else response.outcome.at for response in responses)
    ranges = {  # the model's own value need not lie within the bounds
        factor.cell: (min(factor.bounds[0], factor.value), max(factor.bounds[1], factor.value)) for factor in factors
    }
    simulation = prepare_simulation(model, ranges, kept, scenario=scenario, integrator=integrator, until=last)
    rows = tuple(kept.index(response.cell) for response in responses)
    return Experiment(tuple(factors), tuple(responses), simulation, rows)
