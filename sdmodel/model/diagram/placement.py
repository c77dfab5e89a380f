"""Place the free words of a diagram on a grid: near what they act on, with few crossings, and always in the same way.

Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983) whose step moves one word to one of several free places, chosen by their
costs at the temperature (the heat bath of Creutz 1980); the costs of all these places are computed together.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOVES = 60
"""The number of moves per word."""
_PLACES, _SEGMENTS = 16, 120
"""The most places that a word is compared at, and about the most lines from them."""
_HOT, _COLD = 220.0, 4.0
_OVER, _CROSSING, _NEAR = 260.0, 90.0, 0.42
"""The cost of a line over a word and of a crossing, in units of length; and the height of a word as a fraction of a row."""
_SEED = 1

Spot = tuple[int, int]
"""A column and a row of the grid."""
Numbers = NDArray[np.floating]
Whole = NDArray[np.intp]


@dataclass(eq=False)
class _Board:
    """Words by number with their places on the grid and coordinates, and the lines between them."""

    spots: list[Spot]
    lines: Whole
    cell: Spot

    def __post_init__(self) -> None:
        self.x, self.y = self._coordinates(self.spots)
        self.starts, self.ends = self.lines.T
        self.height = np.float32(_NEAR * self.cell[1])
        touching = [(self.lines == word).any(axis=1) for word in range(len(self.spots))]
        self.others = [self.lines[own].sum(axis=1) - word for word, own in enumerate(touching)]
        self.elsewhere = [np.flatnonzero(~own) for own in touching]

    def _coordinates(self, spots: Sequence[Spot]) -> tuple[Numbers, Numbers]:
        across, along = zip(*spots, strict=True)
        return np.array(across, np.float32) * self.cell[0], np.array(along, np.float32) * self.cell[1]

    def put(self, word: int, spot: Spot) -> None:
        self.spots[word] = spot
        self.x[word], self.y[word] = spot[0] * self.cell[0], spot[1] * self.cell[1]

    def costs(self, word: int, spots: Sequence[Spot]) -> Numbers:
        """Return the cost of a word at each of some places: of its lines, and of other lines that pass over it."""
        x, y = (own[:, None] for own in self._coordinates(spots))
        rest = self.elsewhere[word]
        from_, to = self.starts[rest], self.ends[rest]
        ax, ay, bx, by = self.x[from_], self.y[from_], self.x[to], self.y[to]
        found = _OVER * self._near(ax, ay, bx - ax, by - ay, x, y).sum(axis=1, dtype=float)
        others = self.others[word]
        if not len(others):
            return found
        ox, oy = self.x[others], self.y[others]
        dx, dy = ox - x, oy - y
        found += np.sqrt(dx * dx + dy * dy).sum(axis=1, dtype=float)
        x, y, dx, dy = x[..., None], y[..., None], dx[..., None], dy[..., None]
        over = self._near(x, y, dx, dy, self.x, self.y)
        over[:, :, word] = over[:, range(len(others)), others] = False
        found += _OVER * over.sum(axis=(1, 2))
        left = dx * (ay - y) - dy * (ax - x)  # the side of the line on which the others begin, and end
        right = dx * (by - y) - dy * (bx - x)
        px, py = bx - ax, by - ay
        own = px * (y - ay) - py * (x - ax)
        end = px * (oy[:, None] - ay) - py * (ox[:, None] - ax)
        apart = (from_ != others[:, None]) & (to != others[:, None])
        crossing = (left * right < 0) & (own * end < 0) & apart
        return found + _CROSSING * crossing.sum(axis=(1, 2))

    def _near(self, ax: Numbers, ay: Numbers, dx: Numbers, dy: Numbers, x: Numbers, y: Numbers) -> NDArray[np.bool_]:
        """Return whether lines from a along d come near places."""
        x, y = x - ax, y - ay
        share = (x * dx + y * dy) / np.maximum(dx * dx + dy * dy, np.float32(1))
        share = np.minimum(np.maximum(share, np.float32(0)), np.float32(1))
        return (np.abs(x - share * dx) < 2 * self.height) & (np.abs(y - share * dy) < self.height)


def place_words(
    fixed: Mapping[str, Spot],
    free: Sequence[str],
    lines: Sequence[tuple[str, str]],
    spots: Sequence[Spot],
    cell: Spot,
    moves: int,
) -> dict[str, Spot]:
    """Return a place for each free word, so that the lines between words are short, rarely cross and avoid other words.

    `moves` is the most moves to try.
    """
    names = [*fixed, *free]
    number = {name: place for place, name in enumerate(names)}
    neighbours: dict[str, list[str]] = {name: [] for name in names}
    for cause, effect in lines:
        neighbours[cause].append(effect)
        neighbours[effect].append(cause)
    at = _first_places(fixed, _in_turn(fixed, free, neighbours), neighbours, sorted(spots), cell)
    taken = set(at.values())
    spare = [spot for spot in spots if spot not in taken]
    pairs = np.array([(number[a], number[b]) for a, b in lines], dtype=int).reshape(-1, 2)
    board = _Board([at[name] for name in names], pairs, cell)
    _anneal(board, [number[name] for name in free], spare, moves)
    return {name: board.spots[number[name]] for name in free}


def _first_places(
    fixed: Mapping[str, Spot],
    free: Sequence[str],
    neighbours: Mapping[str, list[str]],
    spots: Sequence[Spot],
    cell: Spot,
) -> dict[str, Spot]:
    """Return the places of all words: one after the other gets the place nearest to its neighbours so far, or to all words."""
    at: dict[str, Spot] = dict(fixed)
    grid = np.array(spots, dtype=float) * cell

    def distances(spot: Spot) -> Numbers:
        offsets = grid - np.array(spot, dtype=float) * cell
        found: Numbers = np.sqrt((offsets * offsets).sum(axis=1))
        return found

    taken = np.zeros(len(spots))
    everywhere = sum(map(distances, fixed.values()), np.zeros(len(spots)))
    for name in free:
        known = [distances(at[other]) for other in neighbours[name] if other in at]
        place = int(((sum(known) if known else everywhere) + taken).argmin())
        at[name] = spots[place]
        taken[place] = np.inf
        everywhere += distances(at[name])
    return at


def _in_turn(fixed: Mapping[str, Spot], free: Sequence[str], neighbours: Mapping[str, list[str]]) -> list[str]:
    """Return the free words, those with the most placed neighbours first."""
    placed = {name: sum(other in fixed for other in neighbours[name]) for name in free}
    order = []
    while placed:
        name = max(placed, key=placed.__getitem__)
        del placed[name]
        order.append(name)
        for other in neighbours[name]:
            if other in placed:
                placed[other] += 1
    return order


def _anneal(board: _Board, free: Sequence[int], spare: list[Spot], moves: int) -> None:
    """Move words; while the temperature is high, to places for the worse too."""
    generator = random.Random(_SEED)
    rounds = min(_MOVES * len(free), moves) if spare else 0
    turn: list[int] = []
    for step in range(rounds):
        heat = _HOT * (_COLD / _HOT) ** (step / rounds)
        turn = turn or generator.sample(free, len(free))
        word = turn.pop()
        count = max(2, min(_PLACES, len(spare), _SEGMENTS // max(1, len(board.others[word]))))
        chosen = generator.sample(range(len(spare)), min(count, len(spare)))
        costs = board.costs(word, [board.spots[word], *(spare[place] for place in chosen)]).tolist()
        least = min(costs)
        (best,) = generator.choices(range(len(costs)), [math.exp((least - cost) / heat) for cost in costs])
        if best:
            place = chosen[best - 1]
            old = board.spots[word]
            board.put(word, spare[place])
            spare[place] = old
