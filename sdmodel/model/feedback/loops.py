"""Feedback loops, found by way points in the graph of links, with their polarity over the times of a run.

A loop is reinforcing where the product of the partial derivatives along it is positive, and balancing where it is negative
(Richardson 1995, Loop polarity, loop dominance, and the concept of dominant polarity, System Dynamics Review 11(1)). Over
variables with subscripts it is the sum of those products over all cells that the loop can pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...errors import LoopError
from ..names import display, key, nearest
from ..records import Element
from ..subscripts import Cell, labels_of
from .derivatives import Series
from .links import Link, Links, Pairs, polarity_of, shares
from .paths import Route, Stop, shortest_routes

_Used = dict[tuple[Cell, Cell], Series]
"""The derivatives of those pairs of cells that a loop passes."""
_ROUNDING = 1e-12
"""A sum over cells so small a part of its terms is what rounding leaves of zero."""
_COMPARED = 16
"""So many equally short ways are compared by how often they act."""


@dataclass(frozen=True, slots=True)
class CausalPath:
    """A way along links: a feedback loop if it is closed, else how its first variable acts on its last.

    `signs` are those of the product of derivatives at each of `times`: 1, 0 or -1, or not a number where it is unknown.
    """

    variables: tuple[str, ...]
    links: tuple[Link, ...]
    times: tuple[float, ...]
    signs: tuple[float, ...]
    closed: bool

    @property
    def polarity(self) -> str:
        """Of a loop `R` or `B`, of an open path `+` or `-`; `mixed` where it changes, `0` where it never acts."""
        positive, negative, _, unknown = self.shares
        return polarity_of("RB" if self.closed else "+-", positive, negative, unknown)

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """The shares of saved times at which the product is positive, negative, zero and unknown."""
        return shares(np.array(self.signs))

    @property
    def changes(self) -> tuple[tuple[float, str], ...]:
        """From when on it has another polarity than before, and which; times at which it does nothing do not count."""
        acting = [(time, sign) for time, sign in zip(self.times, self.signs, strict=True) if sign in (1, -1)]
        names = "RB" if self.closed else "+-"
        return tuple((time, names[0 if sign > 0 else 1]) for (_, old), (time, sign) in pairwise(acting) if sign != old)


def causal_paths(links: Links, way_points: Sequence[str], *, closed: bool, limit: int) -> tuple[CausalPath, ...]:
    """The shortest loop, or open path, through variables in that order, and others as short: the most often active first.

    A way point is `name`, any cell of it, or `name[label]`. A path without effect at every saved time, since links of it
    have none or are never at work together, is taken only where no other leads through the way points.

    Raises
    ------
    LoopError
        If a way point is no variable that changes, or no path leads through all of them.
    """
    stops = [_stop(links, each) for each in way_points]
    _check(links, stops, closed=closed)
    first = min(range(len(stops)), key=lambda place: len(stops[place].cells)) if closed else 0
    turned = [*stops[first:], *stops[:first]]
    paths: list[CausalPath] = []
    for graphs in (lambda: (links.active,), lambda: links.phases, lambda: (links.effects,)):
        routes = shortest_routes(links, graphs(), turned, closed=closed)
        found = [_path(links, stops, route, closed=closed) for route in routes[:_COMPARED]]
        paths = paths or found
        if any(path.polarity != "0" for path in found):
            paths = found
            break
    if not paths:
        raise LoopError(_gap(links, stops, closed=closed))
    return tuple(sorted(paths, key=lambda path: path.shares[2] + path.shares[3])[:limit])


def _check(links: Links, stops: Sequence[Stop], *, closed: bool) -> None:
    """Refuse way points that make no way."""
    if len(stops) < (1 if closed else 2):
        message = "way points: too few; name at least " + ("one" if closed else "two, where the path begins and ends")
        raise LoopError(message)
    for place, stop in enumerate(stops):
        twice = next((each for each in stops[:place] if each.cells & stop.cells), None)
        if twice is not None:
            message = f"way point '{_spelt(links, stop.name)}': is named twice; a loop passes each variable once"
            raise LoopError(message)


def _stop(links: Links, written: str) -> Stop:
    """The cells that a way point means."""
    model = links.plan.model
    whole, _, inside = written.strip().removesuffix("]").rpartition("[")
    labelled = bool(whole) and written.strip().endswith("]") and written not in model
    name = whole if labelled else written
    element = model.elements.get(key(name))
    if element is None or element.hidden:
        close = nearest(name, [each.name for each in model if not each.hidden])
        cure = f"did you mean '{display(close)}'?" if close else "name a variable of the model"
        message = f"way point '{written}': is not in the model; {cure}"
        raise LoopError(message)
    allowed = _labels(links, element, written, inside) if labelled else ()
    cells = frozenset(
        cell
        for cell in _cells(links, element)
        if all(own in each for own, each in zip(cell.labels, allowed, strict=False))
    )
    if not cells:
        message = f"way point '{written}': does not change during a run, so that no loop passes it; name what does"
        raise LoopError(message)
    if len(cells) == len(_cells(links, element)):
        return Stop(element.key, cells)
    return Stop(f"{element.key}[{', '.join(_label(links, each) for each in inside.split(','))}]", cells)


def _labels(links: Links, element: Element, written: str, inside: str) -> tuple[frozenset[str], ...]:
    """The labels that a way point allows along each dimension of its variable; a range stands for each of its own."""
    model = links.plan.model
    wanted = [key(each) for each in inside.split(",")]
    if len(wanted) != len(element.dimensions):
        message = (
            f"way point '{written}': '{display(element.name)}' has {len(element.dimensions)} subscripts; "
            f"name a label for each, or none"
        )
        raise LoopError(message)
    for label, dimension in zip(wanted, element.dimensions, strict=True):
        known = model.subscripts[dimension]
        if label not in model.subscripts and label not in known.positions:
            close = nearest(label, known.labels)
            cure = f"did you mean '{close}'?" if close else f"one of {', '.join(known.labels)}"
            message = f"way point '{written}': '{display(element.name)}' has no label '{label}'; {cure}"
            raise LoopError(message)
    return tuple(frozenset(labels_of(model.subscripts, each)) for each in wanted)


def _label(links: Links, name: str) -> str:
    """The author's spelling of a label or a range."""
    model = links.plan.model
    return model.subscripts[key(name)].name if key(name) in model.subscripts else model.labels[key(name)]


def _cells(links: Links, element: Element) -> list[Cell]:
    """The cells of an element that change during a run."""
    return [each for each in links.effects if each.key == element.key]


def _gap(links: Links, stops: Sequence[Stop], *, closed: bool) -> str:
    """Between which way points there is no way, or that the way would have to cross itself."""
    for start, end in pairwise([*stops, stops[0]] if closed else stops):
        if not _reaches(links, start, end):
            if start is end:
                return f"'{_spelt(links, start.name)}': is in no feedback loop; it acts on nothing that acts on it"
            return f"no path from '{_spelt(links, start.name)}' to '{_spelt(links, end.name)}'; name other way points"
    names = ", ".join(f"'{_spelt(links, stop.name)}'" for stop in stops)
    return f"no path through {names} in that order that passes each variable once; name fewer, or another order"


def _reaches(links: Links, start: Stop, end: Stop) -> bool:
    waiting = [effect for cell in start.cells for effect in links.effects[cell]]
    seen = set(waiting)
    while waiting:
        new = links.effects[waiting.pop()].keys() - seen
        seen |= new
        waiting += new
    return bool(seen & end.cells)


def _path(links: Links, stops: Sequence[Stop], route: Route, *, closed: bool) -> CausalPath:
    """The record of a route: its links without those inside delays, from the first way point on, and its sign over time."""
    names = _from(route, stops[0].name) if closed else route
    parts = {stop.name: stop.cells for stop in stops}
    cells = [parts.get(name) or _all_cells(links, name) for name in names]
    shown = [place for place, found in enumerate(cells) if not links.is_hidden(next(iter(found)))]
    legs = [_leg(links, cells[start : end + 1]) for start, end in pairwise(shown)]
    used: list[_Used] = [{} for _ in legs]
    total = np.zeros((2, len(links.times)))
    for start in sorted(cells[0]):
        total += _walk(legs, {start: np.ones(len(links.times))}, used, closed=closed)
    spelt = [_spelt(links, names[place]) for place in shown]
    found = tuple(
        Link(cause, effect, *shares(np.sign(list(each.values()))))
        for (cause, effect), each in zip(pairwise(spelt), used, strict=True)
    )
    product = np.where(np.abs(total[0]) <= _ROUNDING * total[1], 0.0, total[0])
    signs = tuple(map(float, np.sign(product)))
    return CausalPath(tuple(spelt[:-1] if closed else spelt), found, tuple(map(float, links.times)), signs, closed)


def _from(route: Route, first: str) -> Route:
    """A loop, told from another of its variables on."""
    place = route.index(first)
    return (*route[place:-1], *route[:place], first)


def _all_cells(links: Links, name: str) -> frozenset[Cell]:
    return frozenset(_cells(links, links.plan.model.elements[name]))


def _spelt(links: Links, name: str) -> str:
    """The author's spelling of a stop."""
    element, bracket, labels = name.partition("[")
    if name in links.plan.model.elements:
        element, bracket, labels = name, "", ""
    return display(links.plan.model.elements[element].name) + bracket + labels


def _leg(links: Links, cells: Sequence[frozenset[Cell]]) -> Pairs:
    """The derivatives from one variable to the next that is the author's, through what is hidden between them."""
    result: dict[Cell, dict[Cell, Series]] = {cell: {cell: np.ones(len(links.times))} for cell in sorted(cells[0])}
    for following in cells[1:]:
        result = {start: _onward(links.effects, found, following) for start, found in result.items()}
    return result


def _onward(
    pairs: Pairs, found: Mapping[Cell, NDArray[np.float64]], following: frozenset[Cell] | None = None
) -> dict[Cell, Series]:
    """What has come so far, by cell, times the derivatives of one leg more, added up by the cell where it arrives."""
    arrived: dict[Cell, Series] = {}
    for cell, values in found.items():
        for effect, derivative in pairs.get(cell, {}).items():
            if following is None or effect in following:
                product = np.where((values == 0) | (derivative == 0), 0.0, values * derivative)
                arrived[effect] = arrived[effect] + product if effect in arrived else product
    return arrived


def _walk(legs: Sequence[Pairs], start: dict[Cell, Series], used: list[_Used], *, closed: bool) -> NDArray[np.float64]:
    """The product along the legs from one cell, over all ways back to it (or on to the end), and that of absolute values.

    Shape (2, times). `used` takes the derivatives of those pairs of cells that such a way passes.
    """
    signed, sizes = [start], start
    for leg in legs:
        signed.append(_onward(leg, signed[-1]))
        sizes = _onward({cause: {e: np.abs(d) for e, d in found.items()} for cause, found in leg.items()}, sizes)
    ends = start.keys() & signed[-1].keys() if closed else set(signed[-1])
    _note_used(legs, signed, ends, used)
    zero = np.zeros_like(next(iter(start.values())))
    return np.array([sum((found[end] for end in ends), zero) for found in (signed[-1], sizes)])


def _note_used(
    legs: Sequence[Pairs], reached: Sequence[Mapping[Cell, Series]], ends: set[Cell], used: list[_Used]
) -> None:
    """Collect the derivatives that lie on a way to the ends, from the last leg backwards."""
    for leg, causes, noted in zip(reversed(legs), reversed(reached[:-1]), reversed(used), strict=True):
        pairs = {
            (cause, effect): derivative
            for cause in causes
            for effect, derivative in leg.get(cause, {}).items()
            if effect in ends
        }
        noted.update(pairs)
        ends = {cause for cause, _ in pairs}


def stock_loops(links: Links) -> Iterator[CausalPath]:
    """The shortest loop through each stock that is in one, stock by stock in the order of the file."""
    for element in links.plan.model:
        if element.kind == "stock" and not element.hidden:
            try:
                yield from causal_paths(links, [element.name], closed=True, limit=1)
            except LoopError:
                continue
