"""Feedback loops and causal paths through given variables, with their polarity over the times of a run.

A loop is reinforcing if the product of the partial derivatives along it is positive, and balancing if it is negative
(Richardson 1995, Loop polarity, loop dominance, and the concept of dominant polarity, System Dynamics Review 11(1)). Over
variables with subscripts the sum of these products over all cells that the loop can pass decides.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...errors import LoopError, format_count
from ..names import display_name, join_name, key, nearest, split_name, suggest
from ..records import Element
from ..subscripts import Cell, labels_of
from .links import Link, Links, Pairs, Series, polarity_of, shares

_ROUNDING = 1e-12
"""A sum over cells that is a smaller fraction of its terms is zero but for rounding."""
_COMPARED = 16
"""Maximum number of equally short paths that are compared by how often they act."""
_MOST_ROUTES = 200
"""Maximum number of equally short paths per search: with subscripts there may be one per combination of labels."""


@dataclass(frozen=True, slots=True)
class CausalPath:
    r"""A path along links: a feedback loop if it is closed, else the effect of its first variable on its last.

    Parameters
    ----------
    variables : tuple[str, ...]
        The names along the path, in the spelling of the model; the first variable of a loop is not repeated at the end.
    links : tuple[Link, ...]
        The links from each variable to the next (of a loop also from the last to the first), with their polarities.
    times : tuple[float, ...]
        The saved times of the run, in the model's unit of time.
    signs : tuple[float, ...]
        The sign of the product of the derivatives along the path at each time: 1, 0 or -1, or NaN if it is unknown.
    closed : bool
        Whether the path is a feedback loop.

    Examples
    --------
    >>> from sdmodel import find_loops
    >>> from sdmodel.testing import tiny_model
    >>> (loop,) = find_loops(tiny_model("Stock = INTEG(-outflow, 100)\noutflow = Stock/5"))
    >>> loop.variables, loop.polarity
    (('Stock', 'outflow'), 'B')
    >>> [(link.cause, link.effect, link.polarity) for link in loop.links]
    [('Stock', 'outflow', '+'), ('outflow', 'Stock', '-')]
    >>> print(loop)
    Stock -> (+) outflow -> (-) Stock: B
    """

    variables: tuple[str, ...]
    links: tuple[Link, ...]
    times: tuple[float, ...]
    signs: tuple[float, ...]
    closed: bool

    def __str__(self) -> str:
        steps = [self.variables[0], *(f"({link.polarity}) {link.effect}" for link in self.links)]
        return f"{' -> '.join(steps)}: {self.polarity}"

    @property
    def polarity(self) -> str:
        """`R` or `B` for a loop, `+` or `-` for an open path; `mixed` if it changes, `0` if the path never acts."""
        positive, negative, _, unknown = self.shares
        return polarity_of("RB" if self.closed else "+-", positive, negative, unknown)

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """The shares of saved times at which the product is positive, negative, zero and unknown."""
        return shares(np.array(self.signs))

    @property
    def changes(self) -> tuple[tuple[float, str], ...]:
        """The times from which the polarity differs from before, with the new one; times without effect do not count."""
        acting = [(time, sign) for time, sign in zip(self.times, self.signs, strict=True) if sign in (1, -1)]
        names = "RB" if self.closed else "+-"
        return tuple((time, names[0 if sign > 0 else 1]) for (_, old), (time, sign) in pairwise(acting) if sign != old)


def causal_paths(links: Links, way_points: Sequence[str], *, closed: bool, limit: int) -> tuple[CausalPath, ...]:
    """Return the shortest loops, or open paths, through variables in the given order, the most often active first.

    A way point is `name` (any of its cells) or `name[label]`. A path that has no effect at any saved time, because a link
    has none or its links never act at the same time, is returned only if no other path passes the way points.

    Raises
    ------
    LoopError
        If a way point is not a variable that changes, or no path passes all way points.
    """
    stops = [_stop(links, way_point) for way_point in way_points]
    if len(stops) < (1 if closed else 2):
        message = "way points: too few; name at least " + ("one" if closed else "two: where the path begins and ends")
        raise LoopError(message)
    for place, stop in enumerate(stops):
        if any(other.cells & stop.cells for other in stops[:place]):
            message = f"way point '{_stop_name(links, stop.name)}': is named twice; a loop passes each variable once"
            raise LoopError(message)
    first = min(range(len(stops)), key=lambda place: len(stops[place].cells)) if closed else 0
    turned = [*stops[first:], *stops[:first]]
    paths: list[CausalPath] = []
    for graphs in (lambda: (links.active,), lambda: links.phases, lambda: (links.effects,)):
        routes = _shortest_routes(links, graphs(), turned, closed=closed)
        found = [_path(links, stops, route, closed=closed) for route in routes[:_COMPARED]]
        paths = paths or found
        if any(path.polarity != "0" for path in found):
            paths = found
            break
    if not paths:
        raise LoopError(_why_none(links, stops, closed=closed))
    return tuple(sorted(paths, key=lambda path: path.shares[2] + path.shares[3])[:limit])


def stock_loops(links: Links) -> Iterator[CausalPath]:
    """Yield the shortest loop through each stock that is in one, in the order of the file."""
    for element in links.model:
        if element.kind == "stock" and not element.hidden:
            try:
                yield from causal_paths(links, [element.name], closed=True, limit=1)
            except LoopError:
                continue


def independent_loops(links: Links) -> Iterator[CausalPath]:
    """Yield short loops that together have every link of feedback that acts in the run: each has one that none before it has.

    They are the shortest independent loop set of Oliva (2004), Model structure analysis through graph theory: partition heuristics
    and feedback structure decomposition, System Dynamics Review 20(4): the shortest loop of each link, the shortest first.
    """
    elements = links.model.elements
    found: list[tuple[str, ...]] = []
    graph = _variable_graph(links)
    order = {name: place for place, name in enumerate(graph)}
    for start in graph:
        before = {start: ""}
        for name in _breadth_first(graph, before):
            if start in graph[name]:
                route = [name]
                while before[route[-1]]:
                    route.append(before[route[-1]])
                found.append(tuple(reversed(route)))
    known: set[tuple[str, str]] = set()
    for names in sorted(found, key=len):
        link = (names[-1], names[0])
        begin = names.index(min(names, key=lambda name: (elements[name].kind != "stock", order[name])))
        for way in ((*names[begin:], *names[:begin]), link):  # the links of the first may never act together
            if link in known:
                break
            with suppress(LoopError):  # subscripts may part variables, so that no cell is in the loop
                way_points = [elements[name].name for name in dict.fromkeys(way)]
                (loop,) = causal_paths(links, way_points, closed=True, limit=1)
                own = {(key(step.cause), key(step.effect)) for step in loop.links}
                if not own <= known:
                    yield loop
                    known |= own


def _variable_graph(links: Links) -> dict[str, dict[str, None]]:
    """The variables that each acts on in the run, in the order of the file; what is inside delays is passed."""
    shown: dict[str, dict[str, None]] = {name: {} for name, own in links.model.elements.items() if not own.hidden}
    direct: dict[str, dict[str, None]] = {}
    for cause, effects in links.active.items():
        direct.setdefault(cause.key, {}).update(dict.fromkeys(effect.key for effect in effects))
    for name, reached in shown.items():
        waiting, seen = [name], {name}
        while waiting:
            for effect in direct.get(waiting.pop(), ()):
                if effect in shown:
                    reached.setdefault(effect)
                elif effect not in seen:
                    seen.add(effect)
                    waiting.append(effect)
    return shown


def _breadth_first(graph: Mapping[str, Iterable[str]], before: dict[str, str]) -> Iterator[str]:
    """Yield what can be reached from the only name in `before`, the nearest first, and note what is on the way to each."""
    waiting = list(before)
    for name in waiting:
        yield name
        for effect in graph[name]:
            if effect not in before:
                before[effect] = name
                waiting.append(effect)


def _stop(links: Links, written: str) -> _Stop:
    model = links.model
    name, labels = split_name(written, model.elements)
    element = model.elements.get(key(name))
    if element is None or element.hidden:
        close = nearest(name, model.names)
        cure = f"did you mean '{display_name(close)}'?" if close else "name a variable of the model"
        message = f"way point '{written}': is not in the model; {cure}"
        raise LoopError(message)
    allowed = _labels(links, element, written, labels) if labels else ()
    every = [cell for cell in links.effects if cell.key == element.key]
    cells = frozenset(cell for cell in every if all(map(frozenset.__contains__, allowed, cell.labels)))
    if not cells:
        what = "does not change during a run, so no loop passes it; name a variable that changes"
        message = f"way point '{written}': {what}"
        raise LoopError(message)
    if len(cells) == len(every):
        return _Stop(element.key, cells)
    ranges = {name: own.name for name, own in model.subscripts.items()}
    spelling = (ranges.get(key(label)) or model.labels[key(label)] for label in labels)
    return _Stop(join_name(element.key, tuple(spelling)), cells)


def _labels(links: Links, element: Element, written: str, labels: Sequence[str]) -> tuple[frozenset[str], ...]:
    """Return the labels that a way point allows along each dimension; a range stands for all of its labels."""
    model = links.model
    keys = list(map(key, labels))
    if len(keys) != len(element.dimensions):
        what = f"'{display_name(element.name)}' has {format_count(len(element.dimensions), 'subscript')}"
        message = f"way point '{written}': {what}; give a label for each, or no label"
        raise LoopError(message)
    for label, dimension in zip(keys, element.dimensions, strict=True):
        known = model.subscripts[dimension]
        if label not in model.subscripts and label not in known.positions:
            cure = suggest(label, known.labels, f"one of {', '.join(known.labels)}")
            message = f"way point '{written}': '{display_name(element.name)}' has no label '{label}'; {cure}"
            raise LoopError(message)
    return tuple(frozenset(labels_of(model.subscripts, label)) for label in keys)


def _why_none(links: Links, stops: Sequence[_Stop], *, closed: bool) -> str:
    """Return the message about the two way points without a path, or about a path that would cross itself."""
    for start, end in pairwise([*stops, stops[0]] if closed else stops):
        if not _reaches(links, start, end):
            if start is end:
                return f"'{_stop_name(links, start.name)}': is in no feedback loop; it acts on nothing that acts on it"
            return f"no path from '{_stop_name(links, start.name)}' to '{_stop_name(links, end.name)}'; name other way points"
    names = ", ".join(f"'{_stop_name(links, stop.name)}'" for stop in stops)
    return f"no path through {names} in that order that passes each variable once; name fewer, or another order"


def _reaches(links: Links, start: _Stop, end: _Stop) -> bool:
    waiting = [effect for cell in start.cells for effect in links.effects[cell]]
    seen = set(waiting)
    while waiting:
        new = links.effects[waiting.pop()].keys() - seen
        seen |= new
        waiting += new
    return bool(seen & end.cells)


def _path(links: Links, stops: Sequence[_Stop], route: _Route, *, closed: bool) -> CausalPath:
    """Return the path of a route: its links, without those inside delays, from the first way point, and its signs."""
    names = route
    if closed:  # begin with the first way point
        first = route.index(stops[0].name)
        names = (*route[first:-1], *route[:first], stops[0].name)
    parts = {stop.name: stop.cells for stop in stops}
    cells = [parts.get(name) or frozenset(cell for cell in links.effects if cell.key == name) for name in names]
    shown = [place for place, found in enumerate(cells) if not links.is_hidden(next(iter(found)))]
    legs: list[Pairs] = []  # the derivatives between shown variables, through the hidden elements on the way
    for start, end in pairwise(shown):
        leg: dict[Cell, dict[Cell, Series]] = {cell: {cell: np.ones(len(links.times))} for cell in sorted(cells[start])}
        for following in cells[start + 1 : end + 1]:
            leg = {cause: _onward(links.effects, found, following) for cause, found in leg.items()}
        legs.append(leg)
    used: list[dict[tuple[Cell, Cell], Series]] = [{} for _ in legs]
    total = np.zeros((2, len(links.times)))
    for cell in sorted(cells[0]):
        total += _walk(legs, {cell: np.ones(len(links.times))}, used, closed=closed)
    shown_names = [_stop_name(links, names[place]) for place in shown]
    signs_used = [shares(np.sign(list(pairs.values()))) for pairs in used]
    found = tuple(Link(*ends, *own) for ends, own in zip(pairwise(shown_names), signs_used, strict=True))
    product = np.where(np.abs(total[0]) <= _ROUNDING * total[1], 0.0, total[0])
    signs = tuple(map(float, np.sign(product)))
    variables = tuple(shown_names[:-1] if closed else shown_names)
    return CausalPath(variables, found, tuple(map(float, links.times)), signs, closed)


def _stop_name(links: Links, name: str) -> str:
    """Return the name of a stop in the spelling of the model."""
    elements = links.model.elements
    element, labels = split_name(name, elements)
    return join_name(display_name(elements[key(element)].name), labels)


def _onward(
    pairs: Pairs, found: Mapping[Cell, NDArray[np.float64]], following: frozenset[Cell] | None = None
) -> dict[Cell, Series]:
    """Multiply products so far, by cell, with the derivatives of the next leg, and add them up by the cell they reach."""
    arrived: dict[Cell, Series] = {}
    for cell, values in found.items():
        for effect, derivative in pairs.get(cell, {}).items():
            if following is None or effect in following:
                product = np.where((values == 0) | (derivative == 0), 0.0, values * derivative)
                arrived[effect] = arrived[effect] + product if effect in arrived else product
    return arrived


def _walk(
    legs: Sequence[Pairs], start: dict[Cell, Series], used: list[dict[tuple[Cell, Cell], Series]], *, closed: bool
) -> NDArray[np.float64]:
    """Return the product along the legs from one cell, summed over all ways to the end, and that of absolute values.

    The end of a loop is the cell itself. The result has shape (2, times). The derivatives of the pairs of cells that such
    a way passes are added to `used`.
    """
    signed, sizes = [start], start
    for leg in legs:
        signed.append(_onward(leg, signed[-1]))
        reached = ((cause, leg.get(cause, {})) for cause in sizes)
        sizes = _onward({cause: {end: np.abs(own) for end, own in found.items()} for cause, found in reached}, sizes)
    ends = start.keys() & signed[-1].keys() if closed else set(signed[-1])
    passed: set[Cell] = set(ends)
    for leg, causes, noted in zip(reversed(legs), reversed(signed[:-1]), reversed(used), strict=True):
        links = ((cause, effect, derivative) for cause in causes for effect, derivative in leg.get(cause, {}).items())
        pairs = {(cause, effect): derivative for cause, effect, derivative in links if effect in passed}
        noted.update(pairs)
        passed = {cause for cause, _ in pairs}
    zero = np.zeros_like(next(iter(start.values())))
    return np.array([sum((found[end] for end in ends), zero) for found in (signed[-1], sizes)])


@dataclass(frozen=True, slots=True)
class _Stop:
    """A variable on a path with all of its cells that may be passed; `name` distinguishes parts of one variable."""

    name: str
    cells: frozenset[Cell]


_Route = tuple[str, ...]
"""The names of the stops on a path and the keys of the elements between them, including hidden ones."""

_State = tuple[int, Cell]


@dataclass(eq=False)
class _Search:
    """A search from one cell: the distance of each state (number of stops passed, cell), and the states before it."""

    links: Links
    pairs: Pairs
    stops: Sequence[_Stop]
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

    def routes(self, end: _State) -> Iterator[_Route]:
        """Yield the names along every shortest path to an end, without repeats except at the end of a closed path."""
        waiting: list[tuple[_State, _Route]] = [(end, (self.name(end[1]),))]
        while waiting:
            state, names = waiting.pop()
            if state not in self.before:
                yield names
            for previous in reversed(self.before.get(state, [])):
                name = self.name(previous[1])
                closes = previous not in self.before and name == names[-1]
                if name not in names or closes:
                    waiting.append((previous, (name, *names)))


def _shortest_routes(
    links: Links, graphs: Iterable[Pairs], stops: Sequence[_Stop], *, closed: bool
) -> tuple[_Route, ...]:
    """Return the shortest paths in any of some graphs from the first stop to the last, or back to the first.

    The result is empty if there is no path. No path passes a variable twice.
    """
    found: dict[_Route, int] = {}
    for pairs, start in itertools.product(graphs, sorted(stops[0].cells)):
        home = _Stop(stops[0].name, frozenset({start}))
        ahead = [*stops[1:], home] if closed else stops[1:]
        search = _Search(links, pairs, ahead, {cell: stop.name for stop in ahead for cell in stop.cells})
        for end in search.run(start):
            for route in itertools.islice(search.routes(end), _MOST_ROUTES):
                found.setdefault(route, search.distance[end])
    least = min(found.values(), default=0)
    return tuple(route for route, cost in found.items() if cost == least)
