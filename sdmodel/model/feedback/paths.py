"""The shortest paths along links that pass given cells in a given order."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..subscripts import Cell
from .links import Links, Pairs

_MOST_ROUTES = 200
"""Maximum number of equally short paths per search: with subscripts there may be one per combination of labels."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A variable on a path with all of its cells that may be passed; `name` distinguishes parts of one variable."""

    name: str
    cells: frozenset[Cell]


Route = tuple[str, ...]
"""The names of the stops on a path and the keys of the elements between them, including hidden ones."""

_State = tuple[int, Cell]


@dataclass(eq=False)
class _Search:
    """A search from one cell: the distance of each state (number of stops passed, cell), and the states before it."""

    links: Links
    pairs: Pairs
    stops: Sequence[Stop]
    names: Mapping[Cell, str]
    distance: dict[_State, int] = field(default_factory=dict)
    before: dict[_State, list[_State]] = field(default_factory=dict)
    passed: dict[_State, frozenset[str]] = field(default_factory=dict)

    def name(self, cell: Cell) -> str:
        return self.names.get(cell, cell.key)

    def following(self, state: _State) -> Iterator[_State]:
        """Yield the states one link further: at the next stop, or between stops."""
        reached, cell = state
        for effect in self.pairs[cell]:
            if effect in self.stops[reached].cells:
                yield reached + 1, effect
            elif effect not in self.names:
                yield reached, effect

    def run(self, start: Cell) -> list[_State]:
        """Return the ends of the shortest paths; links into hidden elements have no length."""
        first = (0, start)
        self.distance[first], self.passed[first] = 0, frozenset({self.name(start)})
        serial = itertools.count()
        waiting: list[tuple[int, int, _State]] = [(0, next(serial), first)]
        ends: list[_State] = []
        while waiting:
            cost, _, state = heapq.heappop(waiting)
            if cost > self.distance[state] or (ends and cost > self.distance[ends[0]]):
                continue
            if state[0] == len(self.stops):
                ends += [] if state in ends else [state]
                continue
            for following in self.following(state):
                if self.improve(state, following):
                    heapq.heappush(waiting, (self.distance[following], next(serial), following))
        return ends

    def improve(self, state: _State, following: _State) -> bool:
        """Record another path to a state; return whether it is shorter than those known."""
        name = self.name(following[1])
        home = following[0] == len(self.stops) and following[1] in self.stops[-1].cells
        if name in self.passed[state] and not home:
            return False
        cost = self.distance[state] + (0 if self.links.is_hidden(following[1]) else 1)
        known = self.distance.get(following)
        if known is not None and cost >= known:
            if cost == known and state not in self.before[following]:
                self.before[following].append(state)
            return False
        self.distance[following], self.before[following] = cost, [state]
        self.passed[following] = self.passed[state] | {name}
        return True

    def routes(self, end: _State) -> Iterator[Route]:
        """Yield the names along every shortest path to an end, without repeats except at the end of a closed path."""
        waiting: list[tuple[_State, Route]] = [(end, (self.name(end[1]),))]
        while waiting:
            state, names = waiting.pop()
            if state not in self.before:
                yield names
            for previous in reversed(self.before.get(state, [])):
                name = self.name(previous[1])
                closes = previous not in self.before and name == names[-1]
                if name not in names or closes:
                    waiting.append((previous, (name, *names)))


def shortest_routes(links: Links, graphs: Iterable[Pairs], stops: Sequence[Stop], *, closed: bool) -> tuple[Route, ...]:
    """Return the shortest paths in any of some graphs from the first stop to the last, or back to the first.

    The result is empty if there is no path. No path passes a variable twice.
    """
    found: dict[Route, int] = {}
    for pairs, start in itertools.product(graphs, sorted(stops[0].cells)):
        home = Stop(stops[0].name, frozenset({start}))
        ahead = [*stops[1:], home] if closed else stops[1:]
        search = _Search(links, pairs, ahead, {cell: stop.name for stop in ahead for cell in stop.cells})
        for end in search.run(start):
            for route in itertools.islice(search.routes(end), _MOST_ROUTES):
                found.setdefault(route, search.distance[end])
    least = min(found.values(), default=0)
    return tuple(route for route, cost in found.items() if cost == least)
