"""Place the free words of a diagram on a grid: near what they act on, with few crossings, and always in the same way.

Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983) over moves to free places and swaps of two words.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

_ROUNDS, _EFFORT = 160, 400_000
"""Maximum number of moves per word, and of moves times words and lines to compare with."""
_HOT, _COLD = 220.0, 4.0
_OVER, _CROSSING, _NEAR = 260.0, 90.0, 0.42
"""The cost of a line over a word and of a crossing, in units of length; and the height of a word as a fraction of a row."""
_SEED = 1

Spot = tuple[int, int]
"""A column and a row of the grid."""
Points = NDArray[np.float64]


@dataclass(eq=False)
class _Board:
    """Words by number with their places on the grid and coordinates, and the lines between them."""

    spots: list[Spot]
    lines: NDArray[np.intp]
    cell: Spot

    def __post_init__(self) -> None:
        ends_here = [(self.lines == word).any(axis=1) for word in range(len(self.spots))]
        self.touching = [np.flatnonzero(mask) for mask in ends_here]
        self.elsewhere = [np.flatnonzero(~mask) for mask in ends_here]
        self.places: Points = np.array(self.spots, dtype=float).reshape(-1, 2) * self.cell
        self.reach = _NEAR * self.cell[1]

    def put(self, word: int, spot: Spot) -> None:
        self.spots[word] = spot
        self.places[word] = (spot[0] * self.cell[0], spot[1] * self.cell[1])

    def cost(self, words: Sequence[int]) -> float:
        """Return the cost of the lines at some words, and of other lines that pass over these words."""
        near = reduce(np.union1d, (self.touching[word] for word in words))
        return self._lines_cost(near) + sum(self._under(word) for word in words)

    def _lines_cost(self, which: NDArray[np.intp]) -> float:
        if not len(which):
            return 0.0
        starts, ends = self.places[self.lines[which, 0]], self.places[self.lines[which, 1]]
        over = self._passes(starts, ends, self.places)
        over[np.arange(len(which))[:, None], self.lines[which]] = False
        crossings = self._crossings(which, starts, ends)
        return float(np.hypot(*(ends - starts).T).sum()) + _OVER * float(over.sum()) + _CROSSING * crossings

    def _under(self, word: int) -> float:
        """Return the cost of other lines that pass over a word."""
        starts, ends = (self.places[self.lines[self.elsewhere[word], end]] for end in (0, 1))
        return _OVER * float(self._passes(starts, ends, self.places[word : word + 1]).sum())

    def _passes(self, starts: Points, ends: Points, spots: Points) -> NDArray[np.bool_]:
        """Return whether each line comes near each place."""
        along = ends - starts
        length = np.maximum((along**2).sum(axis=1), 1.0)[:, None]
        offsets = spots[None] - starts[:, None]
        share = np.clip((offsets * along[:, None]).sum(axis=2) / length, 0, 1)
        distances = np.abs(offsets - share[..., None] * along[:, None])
        return (distances[..., 0] < 2 * self.reach) & (distances[..., 1] < self.reach)

    def _crossings(self, which: NDArray[np.intp], starts: Points, ends: Points) -> float:
        """Return the number of crossings of these lines with lines that end elsewhere."""
        a, b = starts[:, None], ends[:, None]
        c, d = self.places[self.lines[:, 0]][None], self.places[self.lines[:, 1]][None]
        apart = (self.lines[which][:, None, :, None] != self.lines[None, :, None, :]).all(axis=(2, 3))
        sides = _side(a, b, c) * _side(a, b, d) < 0
        return float((sides & (_side(c, d, a) * _side(c, d, b) < 0) & apart).sum())


def _side(a: Points, b: Points, c: Points) -> Points:
    """Return the side of the line from a to b on which c lies, as a sign."""
    ab, ac = b - a, c - a
    return np.asarray(ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0])


def place_words(
    fixed: Mapping[str, Spot],
    free: Sequence[str],
    lines: Sequence[tuple[str, str]],
    spots: Sequence[Spot],
    cell: Spot,
    effort: float = 1.0,
) -> dict[str, Spot]:
    """Return a place for each free word, so that the lines between words are short, seldom cross and avoid other words.

    `effort` is the part of the usual number of moves to try.
    """
    names = [*fixed, *free]
    number = {name: place for place, name in enumerate(names)}
    spare = list(spots)
    at: dict[str, Spot] = dict(fixed)
    neighbours: dict[str, list[str]] = {name: [] for name in names}
    for cause, effect in lines:
        neighbours[cause].append(effect)
        neighbours[effect].append(cause)
    for name in _in_turn(fixed, free, neighbours):
        known = [at[other] for other in neighbours[name] if other in at] or [*at.values()] or [(0, 0)]
        at[name] = min(spare, key=lambda spot: (sum(_distance(spot, other, cell) for other in known), spot))
        spare.remove(at[name])
    pairs = np.array([(number[a], number[b]) for a, b in lines], dtype=int).reshape(-1, 2)
    board = _Board([at[name] for name in names], pairs, cell)
    _anneal(board, [number[name] for name in free], spare, effort)
    return {name: board.spots[number[name]] for name in free}


def _in_turn(fixed: Mapping[str, Spot], free: Sequence[str], neighbours: Mapping[str, list[str]]) -> list[str]:
    """Return the free words, those with the most placed neighbours first."""
    done, waiting, order = set(fixed), list(free), []
    while waiting:
        name = max(waiting, key=lambda word: sum(other in done for other in neighbours[word]))
        waiting.remove(name)
        done.add(name)
        order.append(name)
    return order


def _anneal(board: _Board, free: Sequence[int], spare: list[Spot], effort: float) -> None:
    """Move and swap words; while the temperature is high, accept moves for the worse too."""
    generator = random.Random(_SEED)
    rounds = round(effort * min(_ROUNDS * len(free), _EFFORT // (len(board.spots) + len(board.lines))))
    for step in range(rounds):
        heat = _HOT * (_COLD / _HOT) ** (step / rounds)
        word = generator.choice(free)
        other = generator.choice(free) if (len(free) > 1 and generator.random() < 0.4) or not spare else None  # noqa: PLR2004 - fewer swaps than moves
        if other == word:
            continue
        words = [word] if other is None else [word, other]
        target = generator.randrange(len(spare)) if other is None else 0
        old = [board.spots[moved] for moved in words]
        new = [spare[target]] if other is None else old[::-1]
        before = board.cost(words)
        for moved, spot in zip(words, new, strict=True):
            board.put(moved, spot)
        change = board.cost(words) - before
        if change > 0 and generator.random() >= math.exp(-change / heat):
            for moved, spot in zip(words, old, strict=True):
                board.put(moved, spot)
        elif other is None:
            spare[target] = old[0]


def _distance(one: Spot, other: Spot, cell: Spot) -> float:
    return math.hypot((one[0] - other[0]) * cell[0], (one[1] - other[1]) * cell[1])
