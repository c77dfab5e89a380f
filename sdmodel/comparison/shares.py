"""How much each of several levers contributes to what all of them do together: as weights of the runs of their subsets.

A run of subset k moves lever i where bit i of k is set; v(S) is any number of that run. Each measure is a weighted sum of v
over all subsets, so that the same weights serve every variable, time and member.
"""

from __future__ import annotations

from math import factorial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Measure = Literal["alone", "shapley", "last"]

MEASURES: tuple[Measure, ...] = ("alone", "shapley", "last")
"""The lever moved first and alone, its mean over all orders, and the lever moved last, when all others are."""


def measure_weights(count: int) -> Numbers:
    """The weights of all measures, shape (measures, levers, 2^levers).

    The Shapley value is the sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)) (Shapley, 1953, "A value for
    n-person games"); over all levers it adds up to v(all) - v(none), which alone and last need not.
    """
    codes = np.arange(1 << count)
    sizes = np.bitwise_count(codes).astype(int)
    orders = np.array([factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)])
    weights = np.zeros((len(MEASURES), count, len(codes)))
    for lever in range(count):
        bit = 1 << lever
        without = codes[codes & bit == 0]
        weights[0, lever, [bit, 0]] = 1.0, -1.0
        weights[1, lever, without | bit] = orders[sizes[without]]
        weights[1, lever, without] = -orders[sizes[without]]
        weights[2, lever, [-1, len(codes) - 1 - bit]] = 1.0, -1.0
    return weights


def interaction_weights(count: int) -> Numbers:
    """The weights of the pairwise Shapley interaction index, shape (levers, levers, 2^levers), symmetric, zero with itself.

    The sum over S without i and j of |S|! (n - |S| - 2)! / (n - 1)! (v(S + i + j) - v(S + i) - v(S + j) + v(S)): above zero
    where two levers do more together than each for itself. Source: Grabisch and Roubens (1999), Int. J. Game Theory 28.
    """
    codes = np.arange(1 << count)
    sizes = np.bitwise_count(codes).astype(int)
    orders = np.array(
        [factorial(size) * factorial(count - size - 2) / factorial(count - 1) for size in range(count - 1)]
    )
    weights = np.zeros((count, count, len(codes)))
    for one in range(count):
        for other in range(one):
            first, second = 1 << one, 1 << other
            without = codes[codes & (first | second) == 0]
            share = orders[sizes[without]]
            pair = weights[one, other]
            pair[without | first | second], pair[without] = share, share
            pair[without | first], pair[without | second] = -share, -share
            weights[other, one] = pair
    return weights


def first_in_rank(contributions: Numbers) -> Numbers:
    """Which lever contributes most, as 1 and 0, shape (levers, ...), by size whatever its sign; nobody where all are zero.

    Levers that contribute equally share the place.
    """
    sizes = np.abs(contributions)
    most = sizes.max(axis=0)
    first = (sizes == most) & (most > 0)
    return np.asarray(np.where(np.isfinite(most), first / np.maximum(first.sum(axis=0), 1), np.nan), dtype=float)
