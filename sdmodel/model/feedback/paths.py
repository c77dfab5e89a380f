"""The shortest ways through the graph of links that pass given cells in a given order."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..subscripts import Cell
from .links import Links, Pairs

_MOST = 200
"""So many equally short ways are looked at: in an array there may be one for each combination of labels."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A variable on a way: all cells of it that may be passed; `name` tells apart parts of one variable."""

    name: str
    cells: frozenset[Cell]


Route = tuple[str, ...]
"""The names of the stops on a way, and the keys of the elements between them, hidden ones too."""

_State = tuple[int, Cell]


@dataclass(eq=False)
class _Search:
    """One search from one cell: how far each cell is, after so many stops, and which cells lie before it."""

    links: Links
    pairs: Pairs
    stops: Sequence[Stop]
    names: Mapping[Cell, str]
    far: dict[_State, int] = field(default_factory=dict)
    before: dict[_State, list[_State]] = field(default_factory=dict)
    passed: dict[_State, frozenset[str]] = field(default_factory=dict)

    def name(self, cell: Cell) -> str:
        return self.names.get(cell, cell.key)

    def following(self, state: _State) -> Iterator[_State]:
        """Where one link leads: to the next stop, or on between stops."""
        reached, cell = state
        for effect in self.pairs[cell]:
            if effect in self.stops[reached].cells:
                yield reached + 1, effect
            elif effect not in self.names:
                yield reached, effect

    def run(self, start: Cell) -> list[_State]:
        """The ends of the shortest ways; links into what the author did not write cost nothing."""
        first = (0, start)
        self.far[first], self.passed[first] = 0, frozenset({self.name(start)})
        serial = itertools.count()
        waiting: list[tuple[int, int, _State]] = [(0, next(serial), first)]
        ends: list[_State] = []
        while waiting:
            cost, _, state = heapq.heappop(waiting)
            if cost > self.far[state] or (ends and cost > self.far[ends[0]]):
                continue
            if state[0] == len(self.stops):
                ends += [] if state in ends else [state]
                continue
            for each in self.following(state):
                if self.improve(state, each):
                    heapq.heappush(waiting, (self.far[each], next(serial), each))
        return ends

    def improve(self, state: _State, following: _State) -> bool:
        """Take note of one more way to a cell; tells whether it is shorter than those known."""
        name = self.name(following[1])
        home = following[0] == len(self.stops) and following[1] in self.stops[-1].cells
        if name in self.passed[state] and not home:
            return False
        cost = self.far[state] + (0 if self.links.is_hidden(following[1]) else 1)
        known = self.far.get(following)
        if known is not None and cost >= known:
            if cost == known and state not in self.before[following]:
                self.before[following].append(state)
            return False
        self.far[following], self.before[following] = cost, [state]
        self.passed[following] = self.passed[state] | {name}
        return True

    def routes(self, end: _State) -> Iterator[Route]:
        """The names along every shortest way to an end, none twice but the end of a way that closes."""
        waiting: list[tuple[_State, Route]] = [(end, (self.name(end[1]),))]
        while waiting:
            state, names = waiting.pop()
            if state not in self.before:
                yield names
            for each in reversed(self.before.get(state, [])):
                name = self.name(each[1])
                closes = each not in self.before and name == names[-1]
                if name not in names or closes:
                    waiting.append((each, (name, *names)))


def shortest_routes(links: Links, graphs: Iterable[Pairs], stops: Sequence[Stop], *, closed: bool) -> tuple[Route, ...]:
    """The shortest ways in any of some graphs from the first stop to the last, or round to the first again.

    None is there where there is no way. No way passes a variable twice.
    """
    found: dict[Route, int] = {}
    for pairs, start in itertools.product(graphs, sorted(stops[0].cells)):
        home = Stop(stops[0].name, frozenset({start}))
        ahead = [*stops[1:], home] if closed else stops[1:]
        search = _Search(links, pairs, ahead, {cell: stop.name for stop in ahead for cell in stop.cells})
        for end in search.run(start):
            for route in itertools.islice(search.routes(end), _MOST):
                found.setdefault(route, search.far[end])
    least = min(found.values(), default=0)
    return tuple(route for route, cost in found.items() if cost == least)
