"""Attribution: what each lever of a scenario contributes to its effect, over time and over the members of an ensemble."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from ..comparison import MEASURES, largest_contributors, quantiles
from ..dataset import MEMBER, TIME, long_name, make_run
from ..errors import AnalysisError
from ..model import Cell, Element, Integrator, Model, bindings, cell_name, labels_of
from ..scenario import Design, Scenario, cell_values, constant_values, merge_scenarios
from ..simulation import Progress, ScenarioLike, load_scenario, memory_bytes, simulate
from .contributions import (
    ANALYSIS,
    ATTRIBUTION,
    BASELINE,
    DIFFERENCE,
    ERROR,
    INTERACTION,
    LEVER,
    MEASURE,
    OTHER,
    RANK,
    SCENARIO,
    SPREAD,
    companion_name,
)
from .lever_runs import BLOCK_BYTES, LeverRuns, Move, Numbers, levers_of, make_lever_runs
from .shapley import EXACT, Sums, runs_per_member, sum_over_members

PAIRS = 500
"""Pairs of opposite orders that are sampled where there are too many subsets."""
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over members."""
_COPIES = 3
"""Copies of the numbers of all members in memory while quantiles are computed."""


@dataclass(frozen=True, eq=False)
class _Request:
    """The runs of an attribution, the elements that it explains, and how Shapley values are computed."""

    lever_runs: LeverRuns
    elements: tuple[Element, ...]
    pairs: int | None
    seed: int

    @property
    def runs(self) -> int:
        """The total number of runs."""
        return self.lever_runs.members * runs_per_member(self.lever_runs.count, self.pairs)


def attribute_levers(
    model: Model,
    scenario: ScenarioLike,
    *,
    save: Iterable[str],
    baseline: ScenarioLike | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    design: Design | None = None,
    integrator: Integrator | None = None,
    pairs: int | None = None,
    seed: int = 1,
    memory: str | float = "1GiB",
    progress: Progress | None = None,
) -> xr.Dataset:
    r"""Attribute the effect of a scenario to its levers, the constants and lookups that it changes.

    Parameters
    ----------
    model : Model
        The model.
    scenario : Scenario, path, or sequence of these
        The changes whose effect is explained.
    save : iterable of str
        The variables to explain.
    baseline : Scenario, path, or sequence of these, optional
        Changes that apply with and without the scenario; none by default.
    groups : mapping of str to sequence of str, optional
        Levers that count as one, under the name of the group.
    design : Design, optional
        An ensemble: results are then means over its members, each run with and without each lever.
    integrator : {"euler", "rk4"}, optional
        The integration method; the model's own by default.
    pairs : int, optional
        Number of pairs of opposite orders to sample. By default all subsets are run for up to 14 levers, and 500 pairs are
        sampled for more, with standard errors.
    seed : int, default 1
        Seed of the sampled orders.
    memory : str or float, default "1GiB"
        Limit for the results of all members.
    progress : callable, optional
        Called with the number of runs done and their total.

    Returns
    -------
    Dataset
        Each variable, in its units, has the dimensions time, subscripts, `measure` and `lever`. Measures are `alone` (the
        lever moved by itself), `shapley` (its mean over all orders of moving the levers; these add up to the whole effect)
        and `last` (moved after all others). Companion variables contain the baseline, the scenario and the interaction of
        pairs; with a design also quantiles of the Shapley values and the share of members in which each lever ranks first.
        `sdmodel.analysis.contributions_to` returns all of this for one variable.

    Raises
    ------
    ScenarioError
        If a scenario sets something that is not a constant of the model.
    AnalysisError
        If the scenario moves nothing, a group is wrong, or the results of all members exceed `memory`.
    SimulationError
        If `save` names nothing in the model, or a lever sets the times of a run.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.scenario import Scenario
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.vensim import read_change
    >>> model = tiny_model("Stock = INTEG(a*b, 0)\na = 1\nb = 1")
    >>> policy = Scenario("policy", (read_change("a = 2"), read_change("b = 3")))
    >>> found = sd.attribute_levers(model, policy, save=["Stock"])
    >>> found["stock"].sel(measure="shapley").isel(time=-1).values.round(6).tolist()
    [20.0, 30.0]
    """
    start, whole = load_scenario(baseline), load_scenario(scenario)
    both = merge_scenarios([start, whole])
    names = list(save)
    ends = [simulate(model, scenario=end, integrator=integrator, save=names) for end in (start, both)]
    request = _request(model, start, whole, ends[0], groups, design, integrator, pairs, seed)
    if request.pairs is not None and request.pairs < 2:  # noqa: PLR2004 - a standard error needs two
        message = "pairs: one pair of orders has no standard error; give at least 2"
        raise AnalysisError(message)
    _check_memory(request, memory)
    lever_runs, done = request.lever_runs, 0

    def runs_done(runs: int) -> None:
        nonlocal done
        done += runs
        if progress:
            progress(min(done, request.runs), request.runs)

    sums = sum_over_members(replace(lever_runs, runs_done=runs_done), request.pairs, request.seed)
    attributes = ends[0].attrs | _record(request, start, whole)
    return _dataset(lever_runs, request.elements, sums).assign_attrs(attributes)


def _request(
    model: Model,
    start: Scenario,
    whole: Scenario,
    run: xr.Dataset,
    groups: Mapping[str, Sequence[str]] | None,
    design: Design | None,
    integrator: Integrator | None,
    pairs: int | None,
    seed: int,
) -> _Request:
    """Prepare the runs of an attribution."""
    elements = tuple(
        model.elements[name]
        for name, variable in model.identifiers.items()
        if variable in run.data_vars and TIME in run[variable].dims
    )
    if not elements:
        message = "attribution: only constants are requested, which no lever moves over time; name variables with --on"
        raise AnalysisError(message)
    base = cell_values(model, constant_values(model, whole), start)
    levers = levers_of(model, whole, base, groups, sampled=design.cells if design else ())
    kept = tuple(cell for element in elements for cell in _cells(model, element) if cell is not None)
    lever_runs = make_lever_runs(model, levers, kept, baseline=start, design=design, integrator=integrator)
    sampled = pairs if pairs is not None else PAIRS if len(levers) > EXACT else None
    return _Request(lever_runs, elements, sampled, seed)


def _check_memory(request: _Request, memory: str | float) -> None:
    """Check that the results of all members fit."""
    runs = request.lever_runs
    block = runs_per_member(runs.count, None if request.pairs is None else 1) * runs.run_bytes
    kept = runs.run_bytes * runs.members * (runs.count + 2) * _COPIES if runs.members > 1 else 0
    needed, allowed = kept + min(block, BLOCK_BYTES), memory_bytes(memory)
    if needed > allowed:
        message = (
            f"memory: the contributions of {runs.members:,} members take {needed / 2**20:,.0f} MiB; allow that much with "
            "--memory, name fewer variables with --on, or use fewer members"
        )
        raise AnalysisError(message)


def _record(request: _Request, start: Scenario, whole: Scenario) -> dict[str, Any]:
    """Return the attributes of an attribution in addition to those of its baseline."""
    runs = request.lever_runs
    record: dict[str, Any] = {
        ANALYSIS: ATTRIBUTION,
        "scenario": whole.text,
        "scenario_name": whole.name,
        "baseline": start.text,
        "baseline_name": start.name,
        "levers": json.dumps(
            {lever.name: _change_lines(runs.model, lever) for lever in runs.levers}, ensure_ascii=False
        ),
        "method": "all subsets" if request.pairs is None else f"{request.pairs} pairs of opposite orders",
        "runs": request.runs,
        "members": runs.members,
    }
    return record | ({"seed": request.seed} if request.pairs is not None else {})


def _change_lines(model: Model, lever: Move) -> list[str]:
    """Write what a lever sets as lines of a change file."""
    values = [f"{cell_name(model, cell)} = {value:.10g}" for cell, value in lever.values.items()]
    return [*values, *(f"{change.name}{change.table}" for change in lever.tables)]


def _cells(model: Model, element: Element) -> list[Cell | None]:
    """Return the cells of a variable in row-major order, None where it is not defined."""
    defined = {
        Cell(element.key, labels)
        for equation in element.equations
        for labels, _ in bindings(model.subscripts, equation)
    }
    axes = [labels_of(model.subscripts, dimension) for dimension in element.dimensions]
    cells = (Cell(element.key, labels) for labels in product(*axes))
    return [cell if cell in defined else None for cell in cells]


def _dataset(runs: LeverRuns, elements: Sequence[Element], sums: Sums) -> xr.Dataset:
    """Label the numbers: the variables of the model with their companions, dimensions and units."""
    levers = [lever.name for lever in runs.levers]
    axes: dict[str, dict[str, Any]] = {
        "": {MEASURE: list(MEASURES), LEVER: levers},
        BASELINE: {},
        SCENARIO: {},
        INTERACTION: {LEVER: levers, OTHER: levers},
        ERROR: {LEVER: levers},
    }
    means = {suffix: sums.mean(suffix or MEASURE) for suffix in axes if (suffix or MEASURE) in sums.totals}
    if ERROR in means:
        means[ERROR] = np.sqrt(means[ERROR])
    parts = [_renamed(_labelled(runs, elements, values, axes[suffix]), suffix) for suffix, values in means.items()]
    if sums.members:
        spread, difference = sums.members[SPREAD], sums.members[DIFFERENCE]
        ranks = np.moveaxis(largest_contributors(np.moveaxis(spread, -1, 0)), 0, -1)
        first = _labelled(runs, elements, np.nanmean(ranks, axis=2), {LEVER: levers})
        parts.append(_renamed(first, RANK, units="dmnl"))
        members = np.arange(runs.members)
        for suffix, values, dims in (
            (SPREAD, np.moveaxis(spread, 2, -1), {LEVER: levers, MEMBER: members}),
            (DIFFERENCE, difference, {MEMBER: members}),
        ):
            whole = _labelled(runs, elements, values, dims)
            parts.append(_renamed(quantiles(whole, list(map(str, whole.data_vars)), _LEVELS), suffix))
    return xr.merge([part.drop_attrs(deep=False) for part in parts], compat="equals", join="exact")


def _labelled(runs: LeverRuns, elements: Sequence[Element], values: Numbers, dims: Mapping[str, Any]) -> xr.Dataset:
    """Make a dataset by variable from numbers of shape (times, kept cells, dims)."""
    model, variables, first = runs.model, {}, 0
    for element in elements:
        grid = _cells(model, element)
        known = [place for place, cell in enumerate(grid) if cell is not None]
        part = np.full((len(values), len(grid), *values.shape[2:]), np.nan)
        part[:, known] = values[:, first : first + len(known)]
        shape = [len(labels_of(model.subscripts, dimension)) for dimension in element.dimensions]
        variables[element.key] = part.reshape(len(values), *shape, *values.shape[2:])
        first += len(known)
    return make_run(model, runs.times, variables, dims=dims)


def _renamed(dataset: xr.Dataset, suffix: str, *, units: str | None = None) -> xr.Dataset:
    """Rename all variables to companions of that suffix."""
    if not suffix:
        return dataset
    for variable in dataset.data_vars.values():
        variable.attrs["long_name"] = companion_name(long_name(variable), suffix).replace("_", " ")
        variable.attrs |= {} if units is None else {"units": units}
    return dataset.rename({name: companion_name(str(name), suffix) for name in dataset.data_vars})
