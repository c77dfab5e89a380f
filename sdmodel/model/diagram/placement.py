"""Place the free words of a diagram on a grid: near what they act on, with few crossings, and always in the same way.

Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983) over moves to free places and swaps of two words.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    """Words by number with their coordinates, and the lines between them."""

    places: Points
    lines: NDArray[np.intp]
    reach: float
    touching: list[NDArray[np.intp]] = field(default_factory=list)
    elsewhere: list[NDArray[np.intp]] = field(default_factory=list)

    def __post_init__(self) -> None:
        ends_here = [(self.lines == word).any(axis=1) for word in range(len(self.places))]
        self.touching = [np.flatnonzero(mask) for mask in ends_here]
        self.elsewhere = [np.flatnonzero(~mask) for mask in ends_here]

    def cost(self, words: Sequence[int]) -> float:
        """Return the cost of the lines at some words, and of other lines that pass over these words."""
        near = self.touching[words[0]]
        if len(words) > 1:
            near = np.union1d(near, self.touching[words[1]])
        return self._lines_cost(near) + sum(self._under(word) for word in words)

    def _lines_cost(self, which: NDArray[np.intp]) -> float:
        if not len(which):
            return 0.0
        starts, ends = self.places[self.lines[which, 0]], self.places[self.lines[which, 1]]
        total = float(np.hypot(*(ends - starts).T).sum())
        over = self._passes(starts, ends, self.places)
        over[np.arange(len(which)), self.lines[which, 0]] = False
        over[np.arange(len(which)), self.lines[which, 1]] = False
        return total + _OVER * float(over.sum()) + _CROSSING * self._crossings(which, starts, ends)

    def _under(self, word: int) -> float:
        """Return the cost of other lines that pass over a word."""
        others = self.elsewhere[word]
        if not len(others):
            return 0.0
        starts, ends = self.places[self.lines[others, 0]], self.places[self.lines[others, 1]]
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
    cell: tuple[int, int],
) -> dict[str, Spot]:
    """Return a place for each free word, so that the lines between words are short, seldom cross and avoid other words."""
    names = [*fixed, *free]
    number = {name: place for place, name in enumerate(names)}
    open_spots = list(spots)
    at: dict[str, Spot] = dict(fixed)
    neighbours: dict[str, list[str]] = {name: [] for name in names}
    for cause, effect in lines:
        neighbours[cause].append(effect)
        neighbours[effect].append(cause)
    for name in _in_turn(fixed, free, neighbours):
        known = [at[other] for other in neighbours[name] if other in at] or [*at.values()] or [(0, 0)]
        best = min(open_spots, key=lambda spot: (sum(_distance(spot, other, cell) for other in known), spot))
        at[name] = best
        open_spots.remove(best)
    places = np.array([_unit(at[name], cell) for name in names], dtype=float).reshape(len(names), 2)
    pairs = np.array([(number[a], number[b]) for a, b in lines], dtype=int).reshape(-1, 2)
    board = _Board(places, pairs, _NEAR * cell[1])
    _anneal(board, at, [number[name] for name in free], names, open_spots, cell)
    return {name: at[name] for name in free}


def _in_turn(fixed: Mapping[str, Spot], free: Sequence[str], neighbours: Mapping[str, list[str]]) -> list[str]:
    """Return the free words, those with the most placed neighbours first."""
    done, waiting, order = set(fixed), list(free), []
    while waiting:
        name = max(waiting, key=lambda word: sum(other in done for other in neighbours[word]))
        waiting.remove(name)
        done.add(name)
        order.append(name)
    return order


def _anneal(
    board: _Board,
    at: dict[str, Spot],
    free: Sequence[int],
    names: Sequence[str],
    spare: list[Spot],
    cell: tuple[int, int],
) -> None:
    """Move and swap words; while the temperature is high, accept moves for the worse too."""
    generator = random.Random(_SEED)
    rounds = min(_ROUNDS * len(free), _EFFORT // (len(names) + len(board.lines)))
    for step in range(rounds):
        heat = _HOT * (_COLD / _HOT) ** (step / rounds)
        word = generator.choice(free)
        other = generator.choice(free) if (len(free) > 1 and generator.random() < 0.4) or not spare else None  # noqa: PLR2004 - fewer swaps than moves
        if other == word:
            continue
        words = [word] if other is None else [word, other]
        target = generator.randrange(len(spare)) if other is None else 0
        spot = spare[target] if other is None else at[names[other]]
        before, old = board.cost(words), at[names[word]]
        _put(board, at, names, word, spot, cell)
        if other is not None:
            _put(board, at, names, other, old, cell)
        change = board.cost(words) - before
        if change > 0 and generator.random() >= math.exp(-change / heat):
            _put(board, at, names, word, old, cell)
            if other is not None:
                _put(board, at, names, other, spot, cell)
        elif other is None:
            spare[target] = old


def _put(
    board: _Board, at: dict[str, Spot], names: Sequence[str], word: int, spot: Spot, cell: tuple[int, int]
) -> None:
    at[names[word]] = spot
    board.places[word] = _unit(spot, cell)


def _unit(spot: Spot, cell: tuple[int, int]) -> tuple[float, float]:
    return spot[0] * cell[0], spot[1] * cell[1]


def _distance(one: Spot, other: Spot, cell: tuple[int, int]) -> float:
    return math.hypot((one[0] - other[0]) * cell[0], (one[1] - other[1]) * cell[1])
