"""Which of several levers are moved together: all subsets of them, or orders in which they are moved one after another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Subsets = NDArray[np.bool_]


def every_subset(count: int) -> Subsets:
    """All subsets of some levers, shape (2^levers, levers): subset k moves lever i where bit i of k is set."""
    codes = np.arange(1 << count)[:, None]
    return (codes >> np.arange(count) & 1).astype(bool)


def antithetic_orders(count: int, pairs: int, seed: int) -> NDArray[np.intp]:
    """Orders of some levers drawn at random, each with its own reverse, shape (pairs, 2, levers).

    Each pair has a random stream of its own, so that it does not depend on how many are drawn. What an order and its
    reverse say of a lever errs in opposite directions where levers help or hinder each other.
    """
    drawn = np.array([np.random.default_rng([seed, pair]).permutation(count) for pair in range(pairs)], dtype=np.intp)
    drawn = drawn.reshape(pairs, count)
    return np.stack([drawn, drawn[:, ::-1]], axis=1)


def prefixes(order: NDArray[np.intp]) -> Subsets:
    """The subsets through which levers are moved in an order, shape (levers + 1, levers): from none to all."""
    count = len(order)
    place = np.empty(count, dtype=np.intp)
    place[order] = np.arange(count)
    return np.arange(count + 1)[:, None] > place
