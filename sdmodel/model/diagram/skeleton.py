"""Where stocks and flows of a diagram stand on a grid: chains in rows, flows between neighbours, clouds at their ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from .structure import Flow, Structure

Spot = tuple[int, int]
"""A column and a row."""


@dataclass(frozen=True, slots=True)
class Pipe:
    """A flow on the grid: its valve, and at either end a stock's key, or the spot of a cloud.

    `upright` where it runs up or down at its valve. The corners lead from the valve to its ends, those at a stock as an offset
    from it in units of a diagram.
    """

    flow: Flow
    valve: Spot
    clouds: tuple[Spot, ...] = ()
    upright: bool = False
    shift: int = 0


@dataclass
class Skeleton:
    """Stocks and pipes with their spots; `taken` are all spots that nothing else may have, `corners` those of them where pipes turn."""

    stocks: dict[str, Spot] = field(default_factory=dict)
    pipes: list[Pipe] = field(default_factory=list)
    taken: set[Spot] = field(default_factory=set)
    corners: set[Spot] = field(default_factory=set)

    def keep(self, *spots: Spot) -> None:
        """Take spots."""
        self.taken.update(spots)

    def is_free(self, *spots: Spot) -> bool:
        """Whether nothing has those spots yet."""
        return not self.taken & set(spots)


def skeleton_of(structure: Structure, gap: int) -> Skeleton:
    """Stocks and flows on the grid, each chain of stocks in a row of its own with a gap of some rows between chains."""
    made = Skeleton()
    row = 0
    for chain in _chains(structure):
        own = [flow for flow in structure.flows if {flow.source, flow.target} & set(chain)]
        above = sum(1 for flow in own if flow.source is None or flow.target is None) > 2 * len(chain)
        row += gap + (1 if above else 0)
        _place_chain(made, chain, own, row)
        row = max(at for _, at in made.taken)
    return made


def _chains(structure: Structure) -> list[list[str]]:
    """The stocks that flows join, each chain with sources before what they fill, in the order of the model."""
    after: dict[str, list[str]] = {stock: [] for stock in structure.stocks}
    before: dict[str, list[str]] = {stock: [] for stock in structure.stocks}
    for flow in structure.flows:
        if flow.source and flow.target and flow.source != flow.target:
            after[flow.source].append(flow.target)
            before[flow.target].append(flow.source)
    chains: list[list[str]] = []
    seen: set[str] = set()
    for stock in sorted(structure.stocks, key=lambda each: bool(before[each])):
        if stock in seen:
            continue
        chain: list[str] = []
        waiting = [stock]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                chain.append(each)
                waiting += [*before[each][::-1], *after[each][::-1]]
        chains.append(chain)
    return sorted(chains, key=lambda chain: -len(chain))


def _place_chain(made: Skeleton, chain: Sequence[str], flows: Sequence[Flow], row: int) -> None:
    """A chain in a row: stocks two columns apart with valves between them, other flows around."""
    for place, stock in enumerate(chain):
        made.stocks[stock] = (2 * place + 2, row)
        made.keep(made.stocks[stock])
    for flow in sorted(flows, key=lambda each: each.source is None or each.target is None):
        if flow.source and flow.target:
            _place_between(made, flow)
        else:
            _place_outside(made, flow, chain)


def _place_between(made: Skeleton, flow: Flow) -> None:
    """A flow from stock to stock: straight between neighbours, else along a row above or below them."""
    (left, row), (right, _) = (made.stocks[str(flow.source)], made.stocks[str(flow.target)])
    middle = (left + right) // 2
    if abs(left - right) == 2 and made.is_free((middle, row)):  # noqa: PLR2004 - neighbours
        made.keep((middle, row))
        made.pipes.append(Pipe(flow, (middle, row)))
        return
    low, high = sorted((left, right))
    for away in count(1):
        for side in (-away, away):
            spots = [(column, row + side) for column in range(low, high + 1)]
            if made.is_free(*spots):
                made.keep(*spots)
                made.pipes.append(Pipe(flow, ((low + high) // 2, row + side), shift=12))
                return


def _place_outside(made: Skeleton, flow: Flow, chain: Sequence[str]) -> None:
    """A flow from or to outside: at a free side of its stock, else around a corner."""
    stock = str(flow.target or flow.source)
    column, row = made.stocks[stock]
    first, last = stock == chain[0], stock == chain[-1]
    for valve, cloud, upright, shift in _slots(column, row, inward=flow.source is None):
        sideways = not upright and valve[1] == row
        if sideways and not (first if valve[0] < column else last):
            continue
        corner = (column, valve[1])  # where the pipe turns, as others may too
        if made.is_free(valve, cloud, *(((column + 1, valve[1]),) if upright else ())) and (
            upright or sideways or made.is_free(corner) or corner in made.corners
        ):
            made.keep(valve, cloud, *(((column + 1, valve[1]),) if upright else ()))  # the name of an upright one
            if not (upright or sideways):
                made.keep(corner)
                made.corners.add(corner)
            made.pipes.append(Pipe(flow, valve, (cloud,), upright, shift))
            return


def _slots(column: int, row: int, *, inward: bool) -> Iterator[tuple[Spot, Spot, bool, int]]:
    """Where the valve and the cloud of a flow may be, the best first, whether upright, and how far aside it meets the stock."""
    sides = (-1, 1) if inward else (1, -1)
    for side in sides:
        yield (column + side, row), (column + 2 * side, row), False, 0
    for level in (-1, 1):
        yield (column, row + level), (column, row + 2 * level), True, 0
    for away in count(1):
        for level in (-away, away):
            for side in sides:
                yield (column + side, row + level), (column + 2 * side, row + level), False, 20 * side
