"""Feedback loops and causal paths through given variables, with their polarity over the times of a run.

A loop is reinforcing if the product of the partial derivatives along it is positive, and balancing if it is negative
(Richardson 1995, Loop polarity, loop dominance, and the concept of dominant polarity, System Dynamics Review 11(1)). Over
variables with subscripts the sum of these products over all cells that the loop can pass decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...errors import LoopError
from ..names import display_name, key, nearest, split_name
from ..records import Element
from ..subscripts import Cell, labels_of
from .derivatives import Series
from .links import Link, Links, Pairs, polarity_of, shares
from .paths import Route, Stop, shortest_routes

_Used = dict[tuple[Cell, Cell], Series]
"""The derivatives of the pairs of cells that a loop passes."""
_ROUNDING = 1e-12
"""A sum over cells that is a smaller fraction of its terms is zero but for rounding."""
_COMPARED = 16
"""Maximum number of equally short paths that are compared by how often they act."""


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
    """

    variables: tuple[str, ...]
    links: tuple[Link, ...]
    times: tuple[float, ...]
    signs: tuple[float, ...]
    closed: bool

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
        raise LoopError(_why_none(links, stops, closed=closed))
    return tuple(sorted(paths, key=lambda path: path.shares[2] + path.shares[3])[:limit])


def _check(links: Links, stops: Sequence[Stop], *, closed: bool) -> None:
    """Raise an error if there are too few way points, or one is named twice."""
    if len(stops) < (1 if closed else 2):
        message = "way points: too few; name at least " + ("one" if closed else "two: where the path begins and ends")
        raise LoopError(message)
    for place, stop in enumerate(stops):
        if any(other.cells & stop.cells for other in stops[:place]):
            message = f"way point '{_stop_name(links, stop.name)}': is named twice; a loop passes each variable once"
            raise LoopError(message)


def _stop(links: Links, written: str) -> Stop:
    """Return the stop of a way point."""
    model = links.plan.model
    name, labels = (written, ()) if written in model else split_name(written)
    element = model.elements.get(key(name))
    if element is None or element.hidden:
        close = nearest(name, [element.name for element in model if not element.hidden])
        cure = f"did you mean '{display_name(close)}'?" if close else "name a variable of the model"
        message = f"way point '{written}': is not in the model; {cure}"
        raise LoopError(message)
    allowed = _labels(links, element, written, labels) if labels else ()
    cells = frozenset(
        cell
        for cell in _cells(links, element)
        if all(label in choice for label, choice in zip(cell.labels, allowed, strict=False))
    )
    if not cells:
        message = (
            f"way point '{written}': does not change during a run, so no loop passes it; name a variable that changes"
        )
        raise LoopError(message)
    if len(cells) == len(_cells(links, element)):
        return Stop(element.key, cells)
    return Stop(f"{element.key}[{', '.join(_label(links, label) for label in labels)}]", cells)


def _labels(links: Links, element: Element, written: str, labels: Sequence[str]) -> tuple[frozenset[str], ...]:
    """Return the labels that a way point allows along each dimension; a range stands for all of its labels."""
    model = links.plan.model
    wanted = list(map(key, labels))
    if len(wanted) != len(element.dimensions):
        message = (
            f"way point '{written}': '{display_name(element.name)}' has {len(element.dimensions)} subscripts; "
            f"give a label for each, or no label"
        )
        raise LoopError(message)
    for label, dimension in zip(wanted, element.dimensions, strict=True):
        known = model.subscripts[dimension]
        if label not in model.subscripts and label not in known.positions:
            close = nearest(label, known.labels)
            cure = f"did you mean '{close}'?" if close else f"one of {', '.join(known.labels)}"
            message = f"way point '{written}': '{display_name(element.name)}' has no label '{label}'; {cure}"
            raise LoopError(message)
    return tuple(frozenset(labels_of(model.subscripts, label)) for label in wanted)


def _label(links: Links, name: str) -> str:
    """Return the spelling of a label or a range in the model."""
    model = links.plan.model
    return model.subscripts[key(name)].name if key(name) in model.subscripts else model.labels[key(name)]


def _cells(links: Links, element: Element) -> list[Cell]:
    """Return the cells of an element that change during a run."""
    return [cell for cell in links.effects if cell.key == element.key]


def _why_none(links: Links, stops: Sequence[Stop], *, closed: bool) -> str:
    """Return the message about the two way points without a path, or about a path that would cross itself."""
    for start, end in pairwise([*stops, stops[0]] if closed else stops):
        if not _reaches(links, start, end):
            if start is end:
                return f"'{_stop_name(links, start.name)}': is in no feedback loop; it acts on nothing that acts on it"
            return f"no path from '{_stop_name(links, start.name)}' to '{_stop_name(links, end.name)}'; name other way points"
    names = ", ".join(f"'{_stop_name(links, stop.name)}'" for stop in stops)
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
    """Return the path of a route: its links, without those inside delays, from the first way point, and its signs."""
    names = route
    if closed:  # begin with the first way point
        start = route.index(stops[0].name)
        names = (*route[start:-1], *route[:start], stops[0].name)
    parts = {stop.name: stop.cells for stop in stops}
    cells = [parts.get(name) or frozenset(_cells(links, links.plan.model.elements[name])) for name in names]
    shown = [place for place, found in enumerate(cells) if not links.is_hidden(next(iter(found)))]
    legs = [_leg(links, cells[start : end + 1]) for start, end in pairwise(shown)]
    used: list[_Used] = [{} for _ in legs]
    total = np.zeros((2, len(links.times)))
    for cell in sorted(cells[0]):
        total += _walk(legs, {cell: np.ones(len(links.times))}, used, closed=closed)
    shown_names = [_stop_name(links, names[place]) for place in shown]
    found = tuple(
        Link(cause, effect, *shares(np.sign(list(pairs.values()))))
        for (cause, effect), pairs in zip(pairwise(shown_names), used, strict=True)
    )
    product = np.where(np.abs(total[0]) <= _ROUNDING * total[1], 0.0, total[0])
    signs = tuple(map(float, np.sign(product)))
    variables = tuple(shown_names[:-1] if closed else shown_names)
    return CausalPath(variables, found, tuple(map(float, links.times)), signs, closed)


def _stop_name(links: Links, name: str) -> str:
    """Return the name of a stop in the spelling of the model."""
    element, bracket, labels = name.partition("[")
    if name in links.plan.model.elements:
        element, bracket, labels = name, "", ""
    return display_name(links.plan.model.elements[element].name) + bracket + labels


def _leg(links: Links, cells: Sequence[frozenset[Cell]]) -> Pairs:
    """Return the derivatives from one shown variable to the next, through the hidden elements between them."""
    result: dict[Cell, dict[Cell, Series]] = {cell: {cell: np.ones(len(links.times))} for cell in sorted(cells[0])}
    for following in cells[1:]:
        result = {start: _onward(links.effects, found, following) for start, found in result.items()}
    return result


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


def _walk(legs: Sequence[Pairs], start: dict[Cell, Series], used: list[_Used], *, closed: bool) -> NDArray[np.float64]:
    """Return the product along the legs from one cell, summed over all ways to the end, and that of absolute values.

    The end of a loop is the cell itself. The result has shape (2, times). The derivatives of the pairs of cells that such
    a way passes are added to `used`.
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
    """Collect the derivatives on the ways to the ends, from the last leg backwards."""
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
    """Yield the shortest loop through each stock that is in one, in the order of the file."""
    for element in links.plan.model:
        if element.kind == "stock" and not element.hidden:
            try:
                yield from causal_paths(links, [element.name], closed=True, limit=1)
            except LoopError:
                continue
