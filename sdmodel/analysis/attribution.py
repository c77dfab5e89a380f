"""What each lever of a scenario contributes to what the scenario does, over time, and over the members of an ensemble."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from ..dataset import TIME
from ..errors import AnalysisError
from ..model import Element, Integrator, Model, spell
from ..scenario import Design, Scenario, cell_values, constant_values, merge
from ..simulation import Progress, ScenarioLike, memory_bytes, merged, simulate
from .game import SLAB, Game, game_of
from .gathering import gathered
from .labelling import cells_of, with_labels
from .levers import Move, levers_of
from .reduction import EXACT, runs_a_member
from .terms import ANALYSIS, ATTRIBUTION

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
    sums = gathered(_counted(order, progress), order.pairs, order.seed)
    attributes = ends[0].attrs | _record(order, start, whole)
    return with_labels(order.game, order.elements, sums).assign_attrs(attributes)


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
    """The game that a question is about."""
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
    kept = tuple(cell for element in elements for cell in cells_of(model, element) if cell is not None)
    game = game_of(model, levers, kept, baseline=start, design=design, integrator=integrator)
    sampled = pairs if pairs is not None else PAIRS if len(levers) > EXACT else None
    return _Order(game, elements, sampled, seed)


def _check_memory(order: _Order, memory: str | float) -> None:
    """Make sure that what is kept of all members fits."""
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


def _counted(order: _Order, progress: Progress | None) -> Game:
    """The game of an order, which tells of its runs as they are done."""
    done = 0

    def told(runs: int) -> None:
        nonlocal done
        done += runs
        if progress:
            progress(min(done, order.runs), order.runs)

    return replace(order.game, told=told)


def _record(order: _Order, start: Scenario, whole: Scenario) -> dict[str, Any]:
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
