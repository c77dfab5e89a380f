"""From runs of subsets of levers to what each lever contributes: exactly from all of them, else from orders at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..comparison import MEASURES, interaction_weights, measure_weights
from ..scenario import antithetic_orders, every_subset, prefixes
from .game import SLAB, Game

Numbers = NDArray[np.float64]

EXACT = 14
"""So many levers at most are taken in all their subsets."""


@dataclass(frozen=True, eq=False)
class Shares:
    """What levers contribute in some members, each in the units of the variable; the first axes are (times, cells, members).

    `none` and `all_` are the values with no lever moved and with all of them; `measures` has further (measures, levers),
    `interactions` (levers, levers), `error` is the standard error of the Shapley values, (levers,).
    """

    none: Numbers
    all_: Numbers
    measures: Numbers
    interactions: Numbers | None = None
    error: Numbers | None = None


def runs_a_member(count: int, pairs: int | None) -> int:
    """How many runs the contributions of some levers take, each member."""
    return 2**count if pairs is None else 2 * count + 2 + 2 * pairs * (count + 1)


def exact_shares(game: Game, first: int, last: int) -> Shares:
    """The contributions in some members, from all subsets of the levers, slab by slab."""
    subsets = every_subset(game.count)
    weights = _weights(game.count)
    step = max(1, SLAB // (game.run_bytes * (last - first)))
    none = all_ = total = np.empty(0)
    for start in range(0, len(subsets), step):
        values = game.values(subsets[start : start + step], first, last)
        if start == 0:
            none, total = values[..., 0].copy(), np.zeros((*values.shape[:3], weights.shape[1]))
        if start + step >= len(subsets):
            all_ = values[..., -1].copy()
        values -= none[..., None]  # weights add up to zero, and small differences of large numbers keep their digits
        total += values @ weights[start : start + step]
    measured, pairs = len(MEASURES) * game.count, np.tril_indices(game.count, -1)
    interactions = np.zeros((*none.shape, game.count, game.count))
    interactions[..., pairs[0], pairs[1]] = interactions[..., pairs[1], pairs[0]] = total[..., measured:]
    return Shares(none, all_, total[..., :measured].reshape(*none.shape, len(MEASURES), game.count), interactions)


@cache
def _weights(count: int) -> Numbers:
    """The weights of all measures and of all pairs, one below the other, shape (subsets, measures * levers + pairs)."""
    rows = [measure_weights(count).reshape(-1, 2**count)]
    if count > 1:
        rows.append(interaction_weights(count)[np.tril_indices(count, -1)])
    return np.ascontiguousarray(np.concatenate(rows).T)


def sampled_shares(game: Game, first: int, last: int, *, pairs: int, seed: int) -> Shares:
    """The contributions in some members: alone and last exactly, Shapley values from pairs of opposite orders.

    Their standard errors come from the differences between pairs (Castro, Gomez and Tejada, 2009, Computers and Operations
    Research 36, for the estimate; Mitchell, Cooper, Frank and Holmes, 2022, JMLR 23, for opposite orders). Each order adds
    up to the whole, so that their mean does too.
    """
    one = np.eye(game.count, dtype=bool)
    ends = np.concatenate([np.zeros((1, game.count), bool), np.ones((1, game.count), bool), one, ~one])
    values = game.values(ends, first, last)
    none, all_ = values[..., 0].copy(), values[..., 1].copy()
    alone = values[..., 2 : 2 + game.count] - none[..., None]
    final = all_[..., None] - values[..., 2 + game.count :]
    orders = antithetic_orders(game.count, pairs, seed)
    step = max(1, SLAB // (game.run_bytes * (last - first) * 2 * (game.count + 1)))
    mean = spread = np.zeros(alone.shape)
    for start in range(0, pairs, step):
        for done, found in enumerate(_of_pairs(game, orders[start : start + step], first, last), start + 1):
            change = found - mean
            mean = mean + change / done
            spread = spread + change * (found - mean)  # Welford (1962): the sum of squares around the mean
    error = np.sqrt(spread / (pairs * (pairs - 1)))
    return Shares(none, all_, np.stack([alone, mean, final], axis=-2), error=error)


def _of_pairs(game: Game, orders: NDArray[np.intp], first: int, last: int) -> list[Numbers]:
    """The mean contributions in each pair of orders, shape (times, cells, members, levers)."""
    flat = orders.reshape(-1, game.count)
    subsets = np.concatenate([prefixes(order) for order in flat])
    values = game.values(subsets, first, last)
    steps = np.diff(values.reshape(*values.shape[:3], len(flat), game.count + 1), axis=-1)
    places = np.argsort(flat, axis=-1)
    given = np.take_along_axis(steps, np.broadcast_to(places, steps.shape), axis=-1)
    return [given[..., place : place + 2, :].mean(axis=-2) for place in range(0, len(flat), 2)]
