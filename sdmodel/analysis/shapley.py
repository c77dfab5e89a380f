"""What levers contribute: from the runs of all subsets, or of sampled orders, to Shapley values over all members."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..comparison import MEASURES, interaction_weights, measure_weights
from ..scenario import all_subsets, antithetic_orders, nested_subsets
from ..simulation import NotFiniteWarning
from .contributions import BASELINE, DIFFERENCE, ERROR, INTERACTION, MEASURE, SCENARIO, SPREAD
from .lever_runs import BLOCK_BYTES, LeverRuns, Numbers

EXACT = 14
"""Largest number of levers of which all subsets are run."""


@dataclass(frozen=True, eq=False)
class Shares:
    """What levers contribute in some members, in the units of each variable; the first axes are (times, cells, members).

    `none` and `all_` are the values with no lever and with all levers moved; `measures` has the further axes (measures,
    levers), `interactions` (levers, levers), and `error`, the standard error of the Shapley values, (levers,).
    """

    none: Numbers
    all_: Numbers
    measures: Numbers
    interactions: Numbers | None = None
    error: Numbers | None = None


def runs_per_member(count: int, pairs: int | None) -> int:
    """Return the number of runs per member for a number of levers."""
    return 2**count if pairs is None else 2 * count + 2 + 2 * pairs * (count + 1)


def exact_shares(runs: LeverRuns, first: int, last: int) -> Shares:
    """Compute the contributions in some members from all subsets of the levers, block by block."""
    subsets = all_subsets(runs.count)
    weights = _weights(runs.count)
    step = max(1, BLOCK_BYTES // (runs.run_bytes * (last - first)))
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
    return Shares(none, all_, total[..., :measured].reshape(*none.shape, len(MEASURES), runs.count), interactions)


@cache
def _weights(count: int) -> Numbers:
    """Return the weights of all measures and all pairs, shape (subsets, measures * levers + pairs)."""
    rows = [measure_weights(count).reshape(-1, 2**count)]
    if count > 1:
        rows.append(interaction_weights(count)[np.tril_indices(count, -1)])
    return np.ascontiguousarray(np.concatenate(rows).T)


def sampled_shares(runs: LeverRuns, first: int, last: int, *, pairs: int, seed: int) -> Shares:
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
    step = max(1, BLOCK_BYTES // (runs.run_bytes * (last - first) * 2 * (runs.count + 1)))
    mean = spread = np.zeros(alone.shape)
    for start in range(0, pairs, step):
        for done, found in enumerate(_means_of_pairs(runs, orders[start : start + step], first, last), start + 1):
            change = found - mean
            mean = mean + change / done
            spread = spread + change * (found - mean)  # Welford (1962): the sum of squares around the mean
    error = np.sqrt(spread / (pairs * (pairs - 1)))
    return Shares(none, all_, np.stack([alone, mean, final], axis=-2), error=error)


def _means_of_pairs(runs: LeverRuns, orders: NDArray[np.intp], first: int, last: int) -> list[Numbers]:
    """Return the mean contributions in each pair of orders, shape (times, cells, members, levers)."""
    flat = orders.reshape(-1, runs.count)
    subsets = np.concatenate([nested_subsets(order) for order in flat])
    values = runs.values(subsets, first, last)
    steps = np.diff(values.reshape(*values.shape[:3], len(flat), runs.count + 1), axis=-1)
    places = np.argsort(flat, axis=-1)
    by_lever = np.take_along_axis(steps, np.broadcast_to(places, steps.shape), axis=-1)
    return [by_lever[..., place : place + 2, :].mean(axis=-2) for place in range(0, len(flat), 2)]


@dataclass(eq=False)
class Sums:
    """Sums of all shares over members, and, for an ensemble, the numbers of each member that quantiles need."""

    totals: dict[str, Numbers]
    members: dict[str, Numbers]

    def mean(self, name: str) -> Numbers:
        """Return the mean of a share over the members in which it is finite."""
        counted = self.totals[f"{name} counted"]
        return np.where(counted > 0, self.totals[name] / np.maximum(counted, 1), np.nan)


def sum_over_members(runs: LeverRuns, pairs: int | None, seed: int) -> Sums:
    """Compute the shares of all members, block by block."""
    size = max(1, BLOCK_BYTES // (runs.run_bytes * runs_per_member(runs.count, pairs and 1)))
    sums, finite = Sums({}, {}), 0
    for first in range(0, runs.members, size):
        last = min(first + size, runs.members)
        shares = (
            exact_shares(runs, first, last)
            if pairs is None
            else sampled_shares(runs, first, last, pairs=pairs, seed=seed)
        )
        finite += _add(sums, shares, first, runs.members)
    broken = runs.members - finite
    if broken:
        which = f"{broken:,} of {runs.members:,} members" if runs.members > 1 else "some of the runs"
        message = f"{which} are not finite at some time when levers are moved, and left out there; a smaller TIME STEP may help"
        warnings.warn(message, NotFiniteWarning, stacklevel=3)
    return sums


def _add(sums: Sums, shares: Shares, first: int, members: int) -> int:
    """Add the shares of some members; return how many of them are finite throughout."""
    parts = {BASELINE: shares.none, SCENARIO: shares.all_, MEASURE: shares.measures}
    parts |= {INTERACTION: shares.interactions} if shares.interactions is not None else {}
    parts |= {ERROR: shares.error**2} if shares.error is not None else {}
    for name, values in parts.items():
        finite = np.isfinite(values)
        added = {name: np.where(finite, values, 0.0).sum(axis=2), f"{name} counted": finite.sum(axis=2)}
        for total, part in added.items():
            sums.totals[total] = sums.totals[total] + part if total in sums.totals else part
    if members > 1:
        by_member = {SPREAD: shares.measures[..., MEASURES.index("shapley"), :], DIFFERENCE: shares.all_ - shares.none}
        for name, values in by_member.items():
            shape = (*values.shape[:2], members, *values.shape[3:])
            sums.members.setdefault(name, np.empty(shape))[:, :, first : first + values.shape[2]] = values
    return int(np.isfinite(shares.measures).all(axis=(0, 1, 3, 4)).sum())
