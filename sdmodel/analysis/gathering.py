"""The shares of levers over all members of an ensemble: means, and the numbers of each member that quantiles are taken of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..comparison import MEASURES
from ..simulation import NotFiniteWarning
from .game import SLAB, Game
from .reduction import Shares, exact_shares, runs_a_member, sampled_shares
from .terms import BASELINE, DIFFERENCE, ERROR, INTERACTION, MEASURE, SCENARIO, SPREAD

Numbers = NDArray[np.float64]


@dataclass(eq=False)
class Sums:
    """What is gathered over members: means of all shares, and, of an ensemble, the numbers of each member."""

    means: dict[str, Numbers]
    members: dict[str, Numbers]

    def mean(self, name: str) -> Numbers:
        """The mean of a share over those members in which it is a number."""
        counted = self.means[f"{name} counted"]
        return np.where(counted > 0, self.means[name] / np.maximum(counted, 1), np.nan)


def gathered(game: Game, pairs: int | None, seed: int) -> Sums:
    """The shares of all members, block by block."""
    size = max(1, SLAB // (game.run_bytes * runs_a_member(game.count, pairs and 1)))
    sums, known = Sums({}, {}), 0
    for first in range(0, game.members, size):
        last = min(first + size, game.members)
        shares = (
            exact_shares(game, first, last)
            if pairs is None
            else sampled_shares(game, first, last, pairs=pairs, seed=seed)
        )
        known += _add(sums, shares, first, game.members)
    broken = game.members - known
    if broken:
        message = (
            f"{broken:,} of {game.members:,} members" if game.members > 1 else "some of the runs"
        ) + " are not finite at some time when levers are moved, and left out there; a smaller TIME STEP may help"
        warnings.warn(message, NotFiniteWarning, stacklevel=3)
    return sums


def _add(sums: Sums, shares: Shares, first: int, members: int) -> int:
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
