"""Equations over subscripts as blocks of cells: what is computed in one loop, and the order of the blocks.

An equation becomes a block if no cell of its element depends on another one at the same moment, which is decided by the names
in the equations; cells of other equations are computed one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..model import (
    MARK,
    Assignment,
    Cell,
    Plan,
    Slice,
    VensimFunction,
    references_in,
    resolve,
    result_place,
    split_reference,
)

Group = tuple[Assignment, ...]
"""Cells with the same expression, in the order of their labels."""

FEWEST = 16
"""Fewer cells than this are written out one by one."""


def is_block(group: Group) -> bool:
    """Whether cells with the same expression are enough for a loop."""
    return len(group) >= FEWEST


def returns_array(own: Assignment) -> bool:
    """Whether the equation of a cell calls a function that returns an array, of which the cell is one number."""
    return isinstance(own.expression, VensimFunction) and own.expression.row.spreads > 0


class ArrayCalls:
    """The calls of functions that return arrays: each computes its cells together, as soon as the first of them is due.

    All of them read the same, so nothing that the call reads is due later.
    """

    def __init__(self, plan: Plan, row: Mapping[Cell, int], assignments: Iterable[Assignment]) -> None:
        self.plan = plan
        self.waiting: dict[tuple[Any, ...], dict[int, int]] = {}
        for own in filter(returns_array, assignments):
            place = result_place(plan.model.subscripts, own.expression, own.binding)
            self.waiting.setdefault(self._call(own), {})[place] = row[own.cell]

    def due(self, group: Group) -> Iterator[tuple[Assignment, dict[int, int]]]:
        """Yield a cell of each call that cells of a group belong to, and the rows of its numbers by their places; every call once."""
        for own in group:
            rows = self.waiting.pop(self._call(own), None)
            if rows:
                yield own, rows

    def _call(self, own: Assignment) -> tuple[Any, ...]:
        """An equation, and the labels that its call reads but for those along which its arrays lie."""
        subscripts = self.plan.model.subscripts
        found: list[str] = []
        for argument in own.expression.args:
            along = len(argument.ranges) if isinstance(argument, Slice) else 0
            for name, indices in map(split_reference, references_in(argument)):
                names = indices[: len(indices) - along] or ((name,) if name in subscripts else ())
                found += [resolve(subscripts, index, own.binding) for index in names if not index.endswith(MARK)]
        return own.cell.key, id(own.expression), *found


def in_label_order(plan: Plan, assignments: Iterable[Assignment]) -> list[Group]:
    """The cells of each equation together, in the order of the first of each; every cell once."""
    groups: dict[tuple[str, int, tuple[str, ...]], dict[Assignment, None]] = {}
    for own in assignments:
        groups.setdefault((own.cell.key, id(own.expression), tuple(own.binding)), {})[own] = None
    return [_sorted_by_labels(plan, tuple(group)) if len(group) > 1 else tuple(group) for group in groups.values()]


def _sorted_by_labels(plan: Plan, group: Group) -> Group:
    subscripts = plan.model.subscripts
    ranges = [(name, subscripts[name].positions) for name in group[0].binding if name in subscripts]
    return tuple(sorted(group, key=lambda own: [positions[own.binding[name]] for name, positions in ranges]))


def in_blocks(
    plan: Plan, assignments: Sequence[Assignment], reads: Callable[[Assignment], Iterable[Expr]]
) -> Iterator[Group]:
    """Yield blocks of cells, and single cells, each after what it reads; `assignments` are in such an order."""
    groups = in_label_order(plan, assignments)
    if not any(map(is_block, groups)):
        yield from ((own,) for own in assignments)
        return
    keys: dict[str, list[Group]] = {}
    for group in groups:
        keys.setdefault(group[0].cell.key, []).append(group)
    names = {
        key: {
            name
            for group in own
            for expression in reads(group[0])
            for name in (split_reference(reference)[0] for reference in references_in(expression))
            if name in keys
        }
        for key, own in keys.items()
    }
    number = {own: index for index, own in enumerate(assignments)}
    for component in _components(names):
        own = [group for key in component for group in keys[key]]
        if len(component) == 1 and component[0] not in names[component[0]]:
            for group in own:
                yield from [group] if is_block(group) else ((cell,) for cell in group)
        else:
            yield from ((cell,) for cell in sorted((cell for group in own for cell in group), key=number.__getitem__))


def _components(names: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Yield the names that depend on each other together, each after those that it depends on (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: dict[str, None] = {}
    for root in names:
        work: list[tuple[str, Iterator[str]]] = [] if root in index else [(root, iter(names[root]))]
        while work:
            name, pending = work[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                path[name] = None
            following = next(pending, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    found = [path.popitem()[0]]
                    while found[-1] != name:
                        found.append(path.popitem()[0])
                    yield found
            elif following not in index:
                work.append((following, iter(names[following])))
            elif following in path:
                low[name] = min(low[name], index[following])


def stride_of(grid: NDArray[np.int64]) -> int | None:
    """The distance between the numbers of each line, if it is the same everywhere; 0 for a single number."""
    if grid.shape[1] == 1:
        return 0
    steps = np.diff(grid)
    return int(steps.flat[0]) if (steps == steps.flat[0]).all() else None


def inner_length(block: Group) -> int:
    """The number of cells of a block that differ in their last label alone, if it is the same for all others."""
    lines = Counter(own.cell.labels[:-1] for own in block)
    length = lines[block[0].cell.labels[:-1]]
    in_lines = all(
        own.cell.labels[:-1] == block[index - index % length].cell.labels[:-1] for index, own in enumerate(block)
    )
    return length if set(lines.values()) == {length} and in_lines else len(block)


def read_at_start(own: Assignment) -> list[Expr]:
    """What the first value of a cell is computed from."""
    return [own.expression.args[index] for index in own.memory.reads_at_start] if own.memory else [own.expression]


def read_at_step(own: Assignment) -> list[Expr]:
    """What the value of a cell in a step is computed from."""
    return [own.expression.args[index] for index in own.memory.reads_at_step] if own.memory else [own.expression]
