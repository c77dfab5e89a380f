"""What each lever of a scenario contributes to what the scenario does, over time, and over the members of an ensemble."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import MEASURES, first_in_rank, quantiles
from ..dataset import MEMBER, TIME, long_name, make_run
from ..errors import AnalysisError
from ..model import Cell, Element, Integrator, Model, bindings, labels_of, spell
from ..scenario import Design, Scenario, cell_values, constant_values, merge
from ..simulation import NotFiniteWarning, Progress, ScenarioLike, memory_bytes, merged, simulate
from .game import SLAB, Game, game_of
from .levers import Move, levers_of
from .reduction import EXACT, Shares, exact_shares, runs_a_member, sampled_shares
from .terms import (
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
    beside,
)

Numbers = NDArray[np.float64]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over members that are kept."""
PAIRS = 500
"""Pairs of orders that are drawn where subsets are too many."""
_COPIES = 3
"""So many times what is kept of all members is held while quantiles are taken."""


@dataclass(frozen=True, eq=False)
class _Order:
    """What is asked: the game, the elements that count, and how it is to be answered."""

    game: Game
    elements: tuple[Element, ...]
    pairs: int | None
    seed: int

    @property
    def runs(self) -> int:
        """How many runs it takes."""
        return self.game.members * runs_a_member(self.game.count, self.pairs)


@dataclass(eq=False)
class _Sums:
    """What is gathered over members: means of all shares, and, of an ensemble, the numbers of each member."""

    means: dict[str, Numbers]
    members: dict[str, Numbers]


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
    """What each constant or lookup that a scenario moves contributes to the variables `save`, in their units, over time.

    Each variable has the dimensions `measure` (alone: the lever moved by itself; shapley: its mean over all orders in which
    the levers may be moved; last: moved after all others) and `lever`; Shapley values add up to what the scenario does.
    Variables beside it, by `attributed`, hold the baseline, the scenario and the pairwise interaction index. Constants of
    `groups` count as one lever each. Up to 14 levers all subsets are run, more are sampled by `pairs` of opposite orders
    (500 by default), with standard errors. With a `design` everything is a mean over its members, each run with and
    without each lever, and quantiles of Shapley values and the share of members in which each lever ranks first stand beside.

    Raises
    ------
    ScenarioError
        If a scenario sets what is no constant of the model.
    AnalysisError
        If the scenario moves nothing, a group is wrong, or what is kept of all members does not fit into `memory`.
    SimulationError
        If `save` names nothing of the model's, or a lever decides the times of a run.
    """
    start, whole = merged(baseline), merged(scenario)
    both = merge([start, whole])
    names = list(save)
    ends = [simulate(model, scenario=each, integrator=integrator, save=names) for each in (start, both)]
    order = _order(model, start, whole, ends[0], groups, design, integrator, pairs, seed)
    if order.pairs is not None and order.pairs < 2:  # noqa: PLR2004 - a spread needs two
        message = "pairs: one pair of orders has no spread; ask for at least 2"
        raise AnalysisError(message)
    _check_memory(order, memory)
    sums = _gathered(_counted(order, progress))
    attributes = ends[0].attrs | _record(order, start, whole, both)
    return _dataset(order, sums, attributes)


def _order(
    model: Model,
    start: Scenario,
    whole: Scenario,
    run: xr.Dataset,
    groups: Mapping[str, Sequence[str]] | None,
    design: Design | None,
    integrator: Integrator | None,
    pairs: int | None,
    seed: int,
) -> _Order:
    """The game that a question is about.

    Raises
    ------
    AnalysisError
        If nothing moves, or nothing that counts can.
    """
    elements = tuple(
        model.elements[each]
        for each, own in model.identifiers.items()
        if own in run.data_vars and TIME in run[own].dims
    )
    if not elements:
        message = "attribution: constants alone are asked for, which no lever moves over time; name variables with --on"
        raise AnalysisError(message)
    base = cell_values(model, constant_values(model, whole), start)
    levers = levers_of(model, whole, base, groups, drawn=design.cells if design else ())
    kept = tuple(cell for element in elements for cell in _grid(model, element) if cell is not None)
    game = game_of(model, levers, kept, baseline=start, design=design, integrator=integrator)
    sampled = pairs if pairs is not None else PAIRS if len(levers) > EXACT else None
    return _Order(game, elements, sampled, seed)


def _check_memory(order: _Order, memory: str | float) -> None:
    """Make sure that what is kept of all members fits.

    Raises
    ------
    AnalysisError
        If it does not.
    """
    game = order.game
    block = runs_a_member(game.count, None if order.pairs is None else 1) * game.run_bytes
    kept = game.run_bytes * game.members * (game.count + 2) * _COPIES if game.members > 1 else 0
    needed, allowed = kept + min(block, SLAB), memory_bytes(memory)
    if needed > allowed:
        message = (
            f"memory: the contributions of {game.members:,} members take {needed / 2**20:,.0f} MiB; allow so much with "
            "--memory, name fewer variables with --on, or take fewer members"
        )
        raise AnalysisError(message)


def _grid(model: Model, element: Element) -> list[Cell | None]:
    """The cells of a variable row by row, none where it is not defined."""
    defined = {
        Cell(element.key, labels)
        for equation in element.equations
        for labels, _ in bindings(model.subscripts, equation)
    }
    axes = [labels_of(model.subscripts, each) for each in element.dimensions]
    cells = (Cell(element.key, labels) for labels in product(*axes))
    return [cell if cell in defined else None for cell in cells]


def _counted(order: _Order, progress: Progress | None) -> _Order:
    """The same order that tells of its runs as they are done."""
    done = 0

    def told(runs: int) -> None:
        nonlocal done
        done += runs
        if progress:
            progress(min(done, order.runs), order.runs)

    return replace(order, game=replace(order.game, told=told))


def _gathered(order: _Order) -> _Sums:
    """The shares of all members, block by block."""
    game = order.game
    size = max(1, SLAB // (game.run_bytes * runs_a_member(game.count, order.pairs and 1)))
    sums, known = _Sums({}, {}), 0
    for first in range(0, game.members, size):
        last = min(first + size, game.members)
        shares = (
            exact_shares(game, first, last)
            if order.pairs is None
            else sampled_shares(game, first, last, pairs=order.pairs, seed=order.seed)
        )
        known += _add(sums, shares, first, game.members)
    broken = game.members - known
    if broken:
        message = (
            f"{broken:,} of {game.members:,} members" if game.members > 1 else "some of the runs"
        ) + " are not finite at some time when levers are moved, and left out there; a smaller TIME STEP may help"
        warnings.warn(message, NotFiniteWarning, stacklevel=3)
    return sums


def _add(sums: _Sums, shares: Shares, first: int, members: int) -> int:
    """Add the shares of some members, and tell how many of them are finite throughout."""
    parts = {BASELINE: shares.none, SCENARIO: shares.all_, MEASURE: shares.measures}
    parts |= {INTERACTION: shares.interactions} if shares.interactions is not None else {}
    parts |= {ERROR: shares.error**2} if shares.error is not None else {}
    for name, values in parts.items():
        finite = np.isfinite(values)
        summed, counted = np.where(finite, values, 0.0).sum(axis=2), finite.sum(axis=2)
        for total, each in ((name, summed), (f"{name} counted", counted)):
            sums.means[total] = sums.means[total] + each if total in sums.means else each
    if members > 1:
        each = {SPREAD: shares.measures[..., MEASURES.index("shapley"), :], DIFFERENCE: shares.all_ - shares.none}
        for name, values in each.items():
            shape = (*values.shape[:2], members, *values.shape[3:])
            sums.members.setdefault(name, np.empty(shape))[:, :, first : first + values.shape[2]] = values
    return int(np.isfinite(shares.measures).all(axis=(0, 1, 3, 4)).sum())


def _mean(sums: _Sums, name: str) -> Numbers:
    """The mean of a share over those members in which it is a number."""
    counted = sums.means[f"{name} counted"]
    return np.where(counted > 0, sums.means[name] / np.maximum(counted, 1), np.nan)


def _record(order: _Order, start: Scenario, whole: Scenario, both: Scenario) -> dict[str, Any]:
    """What an attribution says of itself beside what its baseline does."""
    game = order.game
    told: dict[str, Any] = {
        ANALYSIS: ATTRIBUTION,
        "scenario": whole.text,
        "scenario_name": whole.name,
        "baseline": start.text,
        "baseline_name": start.name,
        "levers": json.dumps({lever.name: _told(game.model, lever) for lever in game.levers}, ensure_ascii=False),
        "method": "all subsets" if order.pairs is None else f"{order.pairs} pairs of opposite orders",
        "runs": order.runs,
        "members": game.members,
    }
    return told | ({"seed": order.seed} if order.pairs is not None else {})


def _told(model: Model, lever: Move) -> list[str]:
    """What a lever sets, as lines of a change file."""
    values = [f"{spell(model, cell)} = {value:.10g}" for cell, value in lever.values.items()]
    return [*values, *(f"{change.name}{change.table}" for change in lever.tables)]


def _dataset(order: _Order, sums: _Sums, attributes: Mapping[str, Any]) -> xr.Dataset:
    """Everything by name, with the attributes of a run."""
    levers = [lever.name for lever in order.game.levers]
    axes: dict[str, dict[str, Any]] = {
        "": {MEASURE: list(MEASURES), LEVER: levers},
        BASELINE: {},
        SCENARIO: {},
        INTERACTION: {LEVER: levers, OTHER: levers},
        ERROR: {LEVER: levers},
    }
    means = {what: _mean(sums, what or MEASURE) for what in axes if (what or MEASURE) in sums.means}
    if ERROR in means:
        means[ERROR] = np.sqrt(means[ERROR])
    parts = [_named(_made(order, values, axes[what]), what) for what, values in means.items()]
    if sums.members:
        spread, difference = sums.members[SPREAD], sums.members[DIFFERENCE]
        ranks = np.moveaxis(first_in_rank(np.moveaxis(spread, -1, 0)), 0, -1)
        parts.append(_named(_made(order, np.nanmean(ranks, axis=2), {LEVER: levers}), RANK, units="dmnl"))
        members = np.arange(order.game.members)
        for what, values, dims in (
            (SPREAD, np.moveaxis(spread, 2, -1), {LEVER: levers, MEMBER: members}),
            (DIFFERENCE, difference, {MEMBER: members}),
        ):
            whole = _made(order, values, dims)
            parts.append(_named(quantiles(whole, list(map(str, whole.data_vars)), LEVELS), what))
    return xr.merge([each.drop_attrs(deep=False) for each in parts], compat="equals", join="exact").assign_attrs(
        dict(attributes)
    )


def _made(order: _Order, values: Numbers, dims: Mapping[str, Any]) -> xr.Dataset:
    """Numbers of shape (times, kept cells, dims) as a dataset by variable."""
    model, found, first = order.game.model, {}, 0
    for element in order.elements:
        grid = _grid(model, element)
        known = [place for place, cell in enumerate(grid) if cell is not None]
        part = np.full((len(values), len(grid), *values.shape[2:]), np.nan)
        part[:, known] = values[:, first : first + len(known)]
        shape = [len(labels_of(model.subscripts, each)) for each in element.dimensions]
        found[element.key] = part.reshape(len(values), *shape, *values.shape[2:])
        first += len(known)
    return make_run(model, order.game.times, found, dims=dims)


def _named(dataset: xr.Dataset, what: str, *, units: str | None = None) -> xr.Dataset:
    """The same dataset with all variables named for what they tell."""
    if not what:
        return dataset
    for each in dataset.data_vars.values():
        each.attrs["long_name"] = beside(long_name(each), what).replace("_", " ")
        each.attrs |= {} if units is None else {"units": units}
    return dataset.rename({name: beside(str(name), what) for name in dataset.data_vars})
