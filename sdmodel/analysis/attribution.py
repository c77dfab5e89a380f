"""Attribution: what each lever of a scenario contributes to its effect, over time and over the members of an ensemble."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import (
    MEASURES,
    Outcome,
    VariableAttribution,
    interaction_weights,
    largest_contributors,
    measure_weights,
    outcome_of,
    quantiles,
)
from ..dataset import ANALYSIS, MEMBER, PROBABILITY, TIME, find_variable, long_name, make_run
from ..errors import AnalysisError, DatasetError, Fault, ScenarioError
from ..model import (
    Cell,
    Element,
    Integrator,
    Model,
    bindings,
    display_name,
    join_name,
    key,
    labels_of,
    quoted_cell,
    split_name,
    suggest,
    takes_model,
)
from ..numerals import format_number, format_signed
from ..scenario import (
    Change,
    Design,
    Scenario,
    Subsets,
    all_subsets,
    antithetic_orders,
    cell_values,
    changed_texts,
    constant_values,
    merge_scenarios,
    nested_subsets,
)
from ..simulation import (
    NotFiniteWarning,
    PreparedSimulation,
    Progress,
    ScenarioLike,
    load_scenario,
    memory_bytes,
    prepare_simulation,
    simulate,
    under_scenario,
    with_member_numbers,
)
from ..vensim import change_text
from ..workers import Workers

LEVER, OTHER, MEASURE = "lever", "other_lever", "measure"
"""Dimensions: the levers, the levers again for pairs, and the measures of what a lever contributes."""
BASELINE, SCENARIO, INTERACTION = "baseline", "scenario", "interaction"
ERROR, SPREAD, DIFFERENCE, RANK = "standard_error", "spread", "difference_spread", "ranks_first"
"""Suffixes of the variables that accompany each variable: its values without and with all levers, the interaction of pairs,
the standard error of sampled Shapley values, and over members the quantiles of Shapley values, the quantiles of the whole
difference, and the share of members in which a lever contributes most."""
ATTRIBUTION = "attribution"
"""The value of the attribute `analysis` of an attribution."""

Numbers = NDArray[np.float64]

EXACT = 14
"""Largest number of levers of which all subsets are run."""
PAIRS = 500
"""Pairs of opposite orders that are sampled where there are too many subsets."""
_BLOCK_BYTES = 2**26
"""Bytes of results that are computed at a time."""
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over members."""
_COPIES = 3
"""Copies of the numbers of all members in memory while quantiles are computed."""


def greatest_difference(part: VariableAttribution) -> Outcome:
    """Return the stored time at which the scenario makes the greatest difference to a variable, over all its labels."""
    differences = np.nan_to_num(np.abs((part.scenario - part.baseline).transpose(TIME, ...).values))
    largest = differences.reshape(len(differences), -1).max(axis=1, initial=0.0)
    return Outcome(at=float(part.baseline[TIME].values[int(largest.argmax())]))


def contribution_rows(part: VariableAttribution, outcome: Outcome) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return what each lever contributes to one number at a date, as text: headings, and a row for each lever and the sum.

    The largest Shapley value is first. Over members, the last columns are the middle 90 % of members and the share of
    members in which a lever ranks first; the band in the row of the sum is that of the whole difference.
    """
    headings = ["lever", "alone", "Shapley", "last", "of the whole"]
    headings += ["standard error"] if part.standard_error is not None else []
    headings += ["90 % of members", "ranks first"] if part.spread is not None else []
    shares = outcome_of(part.contributions, outcome)
    total = float(outcome_of(part.scenario - part.baseline, outcome))
    sizes = np.nan_to_num(np.abs(shares.sel(measure="shapley").values))
    rows: list[tuple[str, ...]] = []
    for lever in map(str, shares[LEVER].values[np.argsort(-sizes, kind="stable")]):
        own = shares.sel({LEVER: lever})
        share = float(own.sel(measure="shapley")) / total if total else np.nan
        row = [lever, *(format_signed(float(own.sel(measure=measure))) for measure in MEASURES)]
        row.append(f"{100 * share:.3g} %" if np.isfinite(share) else "")
        if part.standard_error is not None:
            row.append(format_number(float(outcome_of(part.standard_error.sel({LEVER: lever}), outcome))))
        if part.spread is not None and part.ranks_first is not None:
            row.append(_band_text(outcome_of(part.spread.sel({LEVER: lever}), outcome)))
            row.append(f"{100 * float(outcome_of(part.ranks_first.sel({LEVER: lever}), outcome)):.3g} %")
        rows.append(tuple(row))
    sums = shares.sum(LEVER)
    whole = ["sum (Shapley: the whole)", *(format_signed(float(sums.sel(measure=measure))) for measure in MEASURES), ""]
    whole += [""] if part.standard_error is not None else []
    if part.spread is not None:
        whole += ["" if part.difference_spread is None else _band_text(outcome_of(part.difference_spread, outcome)), ""]
    return tuple(headings), [*rows, tuple(whole)]


def _band_text(quantiles_of: xr.DataArray) -> str:
    ends = quantiles_of.transpose(PROBABILITY).values
    return f"{format_signed(float(ends[0]))} – {format_signed(float(ends[-1]))}"


@takes_model
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
    executor: Workers | None = None,
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
        An ensemble: results are then means over its members, each run with and without each lever, with the same constants
        and the same random numbers.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        The integration method; the model's own by default.
    pairs : int, optional
        Number of pairs of opposite orders to sample. By default all subsets are run for up to 14 levers, and 500 pairs are
        sampled for more, with standard errors.
    seed : int, default 1
        Seed of the sampled orders.
    memory : str or float, default "1GiB"
        Limit for the results of all members.
    executor : concurrent.futures.Executor or dask client, optional
        Other processes that share the runs; see `simulate`. The numbers do not depend on it.
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
    model, start = under_scenario(model, baseline)
    whole = load_scenario(scenario)
    if changed_texts(model.texts, whole.texts) != model.texts:
        what = f"the text '{whole.texts[0].name}' is not a lever; change it in the baseline too (--from FILE)"
        raise ScenarioError([Fault(whole.texts[0].place, what)])
    model = design.model(model, start, whole) if design else model
    names = list(save)
    ends = (start, merge_scenarios([start, whole]))
    run, _ = (simulate(model, scenario=end, integrator=integrator, save=names) for end in ends)
    saved = ((name, run[variable]) for name, variable in model.identifiers.items() if variable in run.data_vars)
    elements = [model.elements[name] for name, variable in saved if TIME in variable.dims]
    if not elements:
        message = "attribution: only constants are requested, which no lever moves over time; name variables with --on"
        raise AnalysisError(message)
    levers = _levers(model, whole, start, groups or {}, design.cells if design else ())
    kept = [cell for element in elements for cell in _cells(model, element) if cell is not None]
    runs = _prepare_runs(model, levers, kept, baseline=start, design=design, integrator=integrator)
    if pairs is None and len(levers) > EXACT:
        pairs = PAIRS
    if pairs is not None and pairs < 2:  # noqa: PLR2004 - a standard error needs two
        message = "pairs: one pair of orders has no standard error; give at least 2"
        raise AnalysisError(message)
    _check_memory(runs, pairs, memory)
    done, total = 0, runs.members * _runs_per_member(runs.count, pairs)

    def runs_done(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(min(done, total), total)

    means, members = _sum_over_members(replace(runs, runs_done=runs_done, executor=executor), pairs, seed)
    record: dict[str, Any] = {
        ANALYSIS: ATTRIBUTION,
        "scenario": whole.text,
        "scenario_name": whole.name,
        "baseline": start.text,
        "baseline_name": start.name,
        "levers": json.dumps({lever.name: _change_lines(model, lever) for lever in levers}, ensure_ascii=False),
        "method": "all subsets" if pairs is None else f"{pairs} pairs of opposite orders",
        "runs": total,
        "members": runs.members,
    }
    record |= {} if pairs is None else {"seed": seed}
    return _dataset(runs, elements, means, members).assign_attrs(run.attrs | record)


def contributions_to(dataset: xr.Dataset, name: str) -> VariableAttribution:
    r"""Return what an attribution contains for one variable, in its units.

    Parameters
    ----------
    dataset : xarray.Dataset
        An attribution, as `attribute_levers` returns it.
    name : str
        A variable, `name` or `name[label]`, in any spelling that Vensim accepts.

    Returns
    -------
    VariableAttribution
        The contributions over measure, lever and time, the baseline and the scenario over time, and the rest that was computed.

    Raises
    ------
    DatasetError
        If the dataset is not an attribution, or lacks the variable.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.scenario import Scenario
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.vensim import read_change
    >>> model = tiny_model("Stock = INTEG(a*b, 0)\na = 1\nb = 1")
    >>> policy = Scenario("policy", (read_change("a = 2"), read_change("b = 3")))
    >>> part = sd.contributions_to(sd.attribute_levers(model, policy, save=["Stock"]), "stock")
    >>> part.at("last").contributions.sel(measure="shapley").values.ravel().tolist()
    [20.0, 30.0]
    """
    if dataset.attrs.get(ANALYSIS) != ATTRIBUTION:
        message = "the dataset: is not an attribution; make one with `sdmodel attribute`"
        raise DatasetError(message)
    found = find_variable(dataset, name)
    written = long_name(found)
    labels = split_name(written)[1]

    def companion(suffix: str) -> xr.DataArray | None:
        name = f"{found.name}_{suffix}"
        return find_variable(dataset, join_name(name, labels)) if name in dataset else None

    baseline, scenario = companion(BASELINE), companion(SCENARIO)
    if baseline is None or scenario is None:
        message = f"'{written}' is not a variable that contributions were computed for; `sdmodel show` lists them"
        raise DatasetError(message)
    rest = [companion(suffix) for suffix in (INTERACTION, ERROR, SPREAD, DIFFERENCE, RANK)]
    return VariableAttribution(written, str(found.attrs.get("units", "")), baseline, scenario, found, *rest)


def attributed_variables(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables that an attribution explains, as written in the model."""
    return [long_name(variable) for variable in dataset.data_vars.values() if MEASURE in variable.dims]


def _change_lines(model: Model, lever: _Lever) -> list[str]:
    values = [f"{quoted_cell(model, cell)} = {value:.10g}" for cell, value in lever.values.items()]
    return [*values, *map(change_text, lever.tables)]


def _runs_per_member(count: int, pairs: int | None) -> int:
    return 2**count if pairs is None else 2 * count + 2 + 2 * pairs * (count + 1)


def _check_memory(runs: _LeverRuns, pairs: int | None, memory: str | float) -> None:
    block = _runs_per_member(runs.count, pairs and 1) * runs.run_bytes
    copies = runs.run_bytes * runs.members * (runs.count + 2) * _COPIES if runs.members > 1 else 0
    needed = copies + min(block, _BLOCK_BYTES)
    if needed > memory_bytes(memory):
        cure = "allow that much with --memory, name fewer variables with --on, or use fewer members"
        message = f"memory: the contributions of {runs.members:,} members take {needed / 2**20:,.0f} MiB; {cure}"
        raise AnalysisError(message)


def _sum_over_members(runs: _LeverRuns, pairs: int | None, seed: int) -> tuple[dict[str, Numbers], dict[str, Numbers]]:
    """Compute the contributions in all members, block by block.

    Returned are their means over the members in which they are finite, and for an ensemble the numbers of each member that
    quantiles need.
    """
    size = max(1, _BLOCK_BYTES // (runs.run_bytes * _runs_per_member(runs.count, pairs and 1)))
    totals: dict[str, Numbers] = {}
    counts: dict[str, NDArray[np.intp]] = {}
    members: dict[str, Numbers] = {}
    broken = 0
    for first in range(0, runs.members, size):
        last = min(first + size, runs.members)
        parts = _exact_parts(runs, first, last) if pairs is None else _sampled_parts(runs, first, last, pairs, seed)
        for name, values in parts.items():
            finite = np.isfinite(values)
            total, count = np.where(finite, values, 0.0).sum(axis=2), finite.sum(axis=2)
            totals[name] = totals[name] + total if name in totals else total
            counts[name] = counts.get(name, 0) + count
        if runs.members > 1:
            shapley = parts[MEASURE][..., MEASURES.index("shapley"), :]
            for name, values in ((SPREAD, shapley), (DIFFERENCE, parts[SCENARIO] - parts[BASELINE])):
                shape = (*values.shape[:2], runs.members, *values.shape[3:])
                members.setdefault(name, np.empty(shape))[:, :, first:last] = values
        broken += int((~np.isfinite(parts[MEASURE]).all(axis=(0, 1, 3, 4))).sum())
    if broken:
        which = f"{broken:,} of {runs.members:,} members" if runs.members > 1 else "some of the runs"
        message = f"{which} are not finite at some time when levers are moved, and left out there; a smaller TIME STEP may help"
        warnings.warn(message, NotFiniteWarning, stacklevel=3)
    means = {
        name: np.where(counts[name] > 0, total / np.maximum(counts[name], 1), np.nan) for name, total in totals.items()
    }
    return means, members


def _exact_parts(runs: _LeverRuns, first: int, last: int) -> dict[str, Numbers]:
    """Compute the contributions in some members from all subsets of the levers, block by block.

    The numbers, by name and in the units of each variable, have the axes (times, cells, members); measures have the further
    axes (measures, levers), interactions (levers, levers), and the variance of sampled Shapley values (levers,).
    """
    subsets = all_subsets(runs.count)
    weights = _weights(runs.count)
    step = max(1, _BLOCK_BYTES // (runs.run_bytes * (last - first)))
    none = all_ = total = np.empty(0)
    for start in range(0, len(subsets), step):
        values = runs.values(subsets[start : start + step], first, last)
        if start == 0:
            none, total = values[..., 0].copy(), np.zeros((*values.shape[:3], weights.shape[1]))
        if start + step >= len(subsets):
            all_ = values[..., -1].copy()
        values -= none[..., None]  # weights add up to zero, and small differences of large numbers keep their digits
        total += values @ weights[start : start + step]
    measured, pairs = len(MEASURES) * runs.count, np.tril_indices(runs.count, -1)
    interactions = np.zeros((*none.shape, runs.count, runs.count))
    interactions[..., pairs[0], pairs[1]] = interactions[..., pairs[1], pairs[0]] = total[..., measured:]
    measures = total[..., :measured].reshape(*none.shape, len(MEASURES), runs.count)
    return {BASELINE: none, SCENARIO: all_, MEASURE: measures, INTERACTION: interactions}


@cache
def _weights(count: int) -> Numbers:
    """Return the weights of all measures and all pairs, shape (subsets, measures * levers + pairs)."""
    rows = [measure_weights(count).reshape(-1, 2**count)]
    if count > 1:
        rows.append(interaction_weights(count)[np.tril_indices(count, -1)])
    return np.ascontiguousarray(np.concatenate(rows).T)


def _sampled_parts(runs: _LeverRuns, first: int, last: int, pairs: int, seed: int) -> dict[str, Numbers]:
    """Compute the contributions in some members: alone and last exactly, Shapley values from pairs of opposite orders.

    Their standard errors come from the differences between pairs (Castro, Gomez and Tejada, 2009, Computers and Operations
    Research 36, for the estimate; Mitchell, Cooper, Frank and Holmes, 2022, JMLR 23, for opposite orders). Each order adds
    up to the whole difference, and so does their mean.
    """
    one = np.eye(runs.count, dtype=bool)
    ends = np.concatenate([np.zeros((1, runs.count), bool), np.ones((1, runs.count), bool), one, ~one])
    values = runs.values(ends, first, last)
    none, all_ = values[..., 0].copy(), values[..., 1].copy()
    alone = values[..., 2 : 2 + runs.count] - none[..., None]
    final = all_[..., None] - values[..., 2 + runs.count :]
    orders = antithetic_orders(runs.count, pairs, seed)
    step = max(1, _BLOCK_BYTES // (runs.run_bytes * (last - first) * 2 * (runs.count + 1)))
    mean = spread = np.zeros(alone.shape)
    for start in range(0, pairs, step):
        for done, found in enumerate(_means_of_pairs(runs, orders[start : start + step], first, last), start + 1):
            change = found - mean
            mean = mean + change / done
            spread = spread + change * (found - mean)  # Welford (1962): the sum of squares around the mean
    error = np.sqrt(spread / (pairs * (pairs - 1)))
    measures = np.stack([alone, mean, final], axis=-2)
    return {BASELINE: none, SCENARIO: all_, MEASURE: measures, ERROR: error**2}


def _means_of_pairs(runs: _LeverRuns, orders: NDArray[np.intp], first: int, last: int) -> list[Numbers]:
    """Return the mean contributions in each pair of orders, shape (times, cells, members, levers)."""
    flat = orders.reshape(-1, runs.count)
    subsets = np.concatenate([nested_subsets(order) for order in flat])
    values = runs.values(subsets, first, last)
    steps = np.diff(values.reshape(*values.shape[:3], len(flat), runs.count + 1), axis=-1)
    places = np.argsort(flat, axis=-1)
    by_lever = np.take_along_axis(steps, np.broadcast_to(places, steps.shape), axis=-1)
    return [by_lever[..., place : place + 2, :].mean(axis=-2) for place in range(0, len(flat), 2)]


def _cells(model: Model, element: Element) -> list[Cell | None]:
    """Return the cells of a variable in row-major order, None where it is not defined."""
    defined = {labels for equation in element.equations for labels, _ in bindings(model.subscripts, equation)}
    axes = [labels_of(model.subscripts, dimension) for dimension in element.dimensions]
    return [Cell(element.key, labels) if labels in defined else None for labels in product(*axes)]


def _dataset(
    runs: _LeverRuns, elements: Sequence[Element], means: Mapping[str, Numbers], members: Mapping[str, Numbers]
) -> xr.Dataset:
    """Label the numbers: the variables of the model with their companions, dimensions and units."""
    levers = [lever.name for lever in runs.levers]
    axes: dict[str, dict[str, Any]] = {
        MEASURE: {MEASURE: list(MEASURES), LEVER: levers},
        BASELINE: {},
        SCENARIO: {},
        INTERACTION: {LEVER: levers, OTHER: levers},
        ERROR: {LEVER: levers},
    }
    parts = [
        _labelled(runs, elements, np.sqrt(means[name]) if name == ERROR else means[name], dims, name)
        for name, dims in axes.items()
        if name in means
    ]
    if members:
        spread = members[SPREAD]
        ranks = np.moveaxis(largest_contributors(np.moveaxis(spread, -1, 0)), 0, -1)
        first = _labelled(runs, elements, np.nanmean(ranks, axis=2), {LEVER: levers}, RANK)
        for variable in first.data_vars.values():
            variable.attrs["units"] = "dmnl"
        along = {MEMBER: np.arange(runs.members)}
        by_member = (
            _labelled(runs, elements, np.moveaxis(spread, 2, -1), {LEVER: levers, **along}, SPREAD),
            _labelled(runs, elements, members[DIFFERENCE], along, DIFFERENCE),
        )
        parts += [first, *(quantiles(part, list(map(str, part.data_vars)), _LEVELS) for part in by_member)]
    return xr.merge([part.drop_attrs(deep=False) for part in parts], compat="equals", join="exact")


def _labelled(
    runs: _LeverRuns, elements: Sequence[Element], values: Numbers, dims: Mapping[str, Any], name: str
) -> xr.Dataset:
    """Make a dataset from numbers of shape (times, kept cells, dims); `name` is the suffix of companion variables."""
    model, variables, first = runs.model, {}, 0
    for element in elements:
        grid = _cells(model, element)
        known = [place for place, cell in enumerate(grid) if cell is not None]
        part = np.full((len(values), len(grid), *values.shape[2:]), np.nan)
        part[:, known] = values[:, first : first + len(known)]
        shape = [len(labels_of(model.subscripts, dimension)) for dimension in element.dimensions]
        variables[element.key] = part.reshape(len(values), *shape, *values.shape[2:])
        first += len(known)
    dataset = make_run(model, runs.times, variables, dims=dims)
    if name == MEASURE:
        return dataset
    for variable in dataset.data_vars.values():
        variable.attrs["long_name"] = f"{long_name(variable)}_{name}".replace("_", " ")
    return dataset.rename({variable: f"{variable}_{name}" for variable in dataset.data_vars})


@dataclass(frozen=True)
class _Lever:
    """What one lever of a scenario does: the constants that it sets, by cell in their units, and the lookups that it replaces."""

    name: str
    values: Mapping[Cell, float] = field(default_factory=dict)
    tables: tuple[Change, ...] = ()


def _levers(
    model: Model, scenario: Scenario, baseline: Scenario, groups: Mapping[str, Sequence[str]], sampled: Collection[Cell]
) -> tuple[_Lever, ...]:
    """Return the levers that a scenario moves away from the baseline, in its order; those of a group are one, named as it.

    A constant with subscripts is one lever. A constant that is set to its own value is not a lever, unless it is `sampled`,
    so that members have other values of it.
    """
    changed = constant_values(model, scenario)
    base = cell_values(model, changed, baseline)
    values: dict[str, dict[Cell, float]] = {}
    for cell, value in changed.items():
        if value != base[cell] or cell in sampled:
            values.setdefault(cell.key, {})[cell] = value
    tables: dict[str, list[Change]] = {}
    for change in scenario.changes:
        if change.table is not None:
            tables.setdefault(key(change.name), []).append(change)
    single: dict[str, _Lever] = {}
    for name in (*values, *tables):
        shown = display_name(model.elements[name].name if name in model.elements else tables[name][0].name)
        single[shown] = _Lever(shown, values.get(name, {}), tuple(tables.get(name, ())))
    if not single:
        message = f"scenario '{scenario.name}': moves nothing away from its baseline; name a change file with -c"
        raise AnalysisError(message)
    group_of = _groups_by_lever(single, groups)
    levers: dict[str, _Lever] = {}
    for lever in single.values():
        name = group_of.get(lever.name, lever.name)
        others = levers.get(name, _Lever(name))
        levers[name] = _Lever(name, {**others.values, **lever.values}, (*others.tables, *lever.tables))
    return tuple(levers.values())


def _groups_by_lever(single: Mapping[str, _Lever], groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    known = {key(name): name for name in single}
    group_of: dict[str, str] = {}
    for group, names in groups.items():
        if key(group) in known and key(group) not in map(key, names):
            message = f"group '{group}': a lever has this name; choose another one for the group"
            raise AnalysisError(message)
        for name in names:
            lever = known.get(key(name))
            if lever is None:
                cure = suggest(name, single, f"it moves {', '.join(single)}")
                message = f"group '{group}': the scenario does not move '{name}'; {cure}"
                raise AnalysisError(message)
            if group_of.setdefault(lever, group) != group:
                message = f"group '{group}': '{lever}' is in group '{group_of[lever]}' too; keep it in one"
                raise AnalysisError(message)
    return group_of


@dataclass(frozen=True, eq=False)
class _LeverRuns:
    """Runs of a model in which each of its `levers` may be moved or not; `kept` are the cells whose values count.

    `bases` are the values of `cells` where no lever is moved, shape (members, cells); `owner` is the lever that moves a cell,
    or -1, and `moved` is the value that it moves it to.
    """

    model: Model
    baseline: Scenario
    levers: tuple[_Lever, ...]
    kept: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    owner: NDArray[np.intp]
    moved: Numbers
    bases: Numbers
    integrator: Integrator | None = None
    runs_done: Callable[[int], None] = lambda _: None
    executor: Workers | None = None
    _simulations: dict[tuple[bool, ...], PreparedSimulation] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.levers)

    @property
    def members(self) -> int:
        """The number of members; 1 without an ensemble."""
        return len(self.bases)

    @property
    def times(self) -> Numbers:
        """The saved times, in the model's unit."""
        return self._simulation((False,) * self.count).times

    @property
    def run_bytes(self) -> int:
        """The size of the results of one run."""
        return 8 * len(self.times) * len(self.kept)

    def values(self, subsets: Subsets, first: int, last: int) -> Numbers:
        """Return the kept values, shape (times, kept cells, members, subsets), of the members from `first` to before `last`.

        Values are not a number from where a stock of a run is no longer finite.
        """
        tables = np.array([bool(lever.tables) for lever in self.levers])
        combinations, which = np.unique(subsets & tables, axis=0, return_inverse=True)
        shape = (len(self.times), len(self.kept), last - first, len(subsets))
        values = np.empty(shape) if len(combinations) > 1 else None
        for place, combination in enumerate(combinations):
            chosen = np.flatnonzero(which.ravel() == place)
            moves = subsets[chosen][:, self.owner] & (self.owner >= 0)
            points = np.where(moves[None], self.moved, self.bases[first:last, None, :])
            rows = points.reshape(len(points) * len(chosen), len(self.cells))  # a lookup or a course has no cells
            simulation = self._simulation(tuple(map(bool, combination)))
            part = simulation.values(rows, executor=self.executor)
            part = part.reshape(*shape[:3], len(chosen))
            if values is None:
                values = part
            else:
                values[..., chosen] = part
        self.runs_done((last - first) * len(subsets))
        return values if values is not None else np.empty(shape)

    def _simulation(self, combination: tuple[bool, ...]) -> PreparedSimulation:
        """Prepare the simulation in which some levers' lookups are replaced."""
        if combination not in self._simulations:
            tables = [
                Scenario(lever.name, lever.tables)
                for lever, moves in zip(self.levers, combination, strict=True)
                if moves and lever.tables
            ]
            ends = np.concatenate([self.bases, self.moved[None]])
            low, high = ends.min(axis=0).tolist(), ends.max(axis=0).tolist()
            ranges = dict(zip(self.cells, zip(low, high, strict=True), strict=True))
            scenario = merge_scenarios([self.baseline, *tables])
            self._simulations[combination] = prepare_simulation(
                self.model, ranges, self.kept, scenario=scenario, integrator=self.integrator
            )
        return self._simulations[combination]


def _prepare_runs(
    model: Model,
    levers: Sequence[_Lever],
    kept: Sequence[Cell],
    *,
    baseline: Scenario,
    design: Design | None = None,
    integrator: Integrator | None = None,
) -> _LeverRuns:
    """Prepare the runs of levers over a baseline, and over the members of a design."""
    owners = {cell: place for place, lever in enumerate(levers) for cell in lever.values}
    moved = {cell: value for lever in levers for cell, value in lever.values.items()}
    sampled = design.cells if design else ()
    cells = tuple(dict.fromkeys((*moved, *sampled)))
    known = cell_values(model, cells, baseline)
    bases = np.repeat([[known[cell] for cell in cells]], design.count if design else 1, axis=0).astype(float)
    if design:
        places = [cells.index(cell) for cell in sampled]
        bases[:, places] = design.values(0, design.count).T
        if model.draws:
            cells, bases = with_member_numbers(cells, bases)
    owner = np.array([owners.get(cell, -1) for cell in cells], dtype=np.intp)
    values = np.array([moved.get(cell, base) for cell, base in zip(cells, bases[0], strict=True)])
    return _LeverRuns(model, baseline, tuple(levers), tuple(kept), cells, owner, values, bases, integrator)
