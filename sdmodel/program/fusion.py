"""Fusion of loops: flows that only stocks of the same shape read are computed in the loop that advances these.

Such a flow then stays in a register, while a loop of its own would write it to memory and the next one read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..model import (
    Assignment,
    Binding,
    Block,
    Part,
    Plan,
    UnequalError,
    VensimFunction,
    references_in,
    split_reference,
    walk,
)
from .layout import Layout
from .tables import Tables
from .writer import LoopWriter, Result

_TOGETHER = 8
"""The most rates in one loop, since a processor follows few rows of memory at a time."""
_LONG = 32
"""The shortest last axis along which a loop of one member, which has one for each axis, is worth it."""
_BY_CELL = frozenset({"number", "finite", "condition", "branch", "table"})
"""Arguments of functions that read nothing of other cells, of the past, or of the place of the call."""


@dataclass
class StockLoop(LoopWriter):
    """A loop over the rates of stocks, or one that also advances the stocks; it computes the flows `fused` itself.

    `stocks` are those of the loop. Each cell reads only its own values of them, which are read before any is replaced.
    """

    advances: bool = False
    fused: Mapping[str, Block] = field(default_factory=dict)
    stocks: Mapping[str, Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        read = (_names(own.expression.args[0]) for own in self.stocks.values())
        self.has_flows = not self.fused.keys().isdisjoint(chain.from_iterable(read))

    def _find(self, expression: Expr, binding: Binding) -> str:
        name, indices = split_reference(expression)
        flow = self.fused.get(name)
        own = flow or (self.stocks.get(name) if self.advances else None)
        if own is None:
            return super()._find(expression, binding)
        rows = self.layout.rows_of(name, self._columns(indices, binding), self.rank)
        if not np.array_equal(rows, _rows(self.layout, own)):
            raise UnequalError
        return self.write(flow.expression, {}) if flow else self._load(rows, "%to")

    def results(self, results: Sequence[Result]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Write all rates before a stock changes."""
        rates = [(self.write(expression, {}), rows) for expression, rows in results]
        for rate, rows in rates:
            yield self.advance(self._load(rows, "%to"), rate) if self.advances else rate, rows


def groups_of(parts: Iterable[Part]) -> Iterator[list[Block] | Assignment]:
    """Blocks that are alike, as many as one loop computes, and the cells between them."""
    waiting: list[Block] = []
    for part in (*parts, None):
        if waiting and not (isinstance(part, Block) and len(waiting) < _TOGETHER and _is_alike(waiting[0], part)):
            yield waiting
            waiting = []
        if isinstance(part, Block):
            waiting.append(part)
        elif part is not None:
            yield part


def direct_groups(layout: Layout) -> list[list[Block]]:
    """The arrays of stocks that advance as soon as their rates are known, in order, those together that one loop advances."""
    direct = (own for own in layout.plan.stock_parts if own.key in layout.direct)
    blocks = sorted(direct, key=lambda own: layout.direct[own.key])
    return [group for group in groups_of(blocks) if isinstance(group, list)]


def fused_flows(layout: Layout, tables: Tables, saved: NDArray[np.int64]) -> dict[str, Block]:
    """The flows that the loops over stocks compute, by key; nobody looks at them, since they are not `saved`.

    `tables` are those of a trial, and not used further.
    """
    plan = layout.plan
    stocks, parts = {own.key for own in plan.stock_parts}, Counter(own.key for own in plan.at_step)
    readers, elsewhere = _readers(plan)

    def fits(own: Part, stock: Block, inside: set[str]) -> bool:
        """Whether only what is in a loop reads a flow, and it reads no stock that is not."""
        return (
            isinstance(own, Block)
            and _is_alike(stock, own)
            and parts[own.key] == 1
            and own.key not in elsewhere
            and readers[own.key] <= inside
            and stocks.isdisjoint(_names(own.expression) - inside)
            and _is_by_cell(own.expression)
            and not np.isin(_rows(layout, own), saved).any()
        )

    found: dict[str, Block] = {}
    for group in direct_groups(layout):
        inside, fused = {own.key for own in group}, dict[str, Block]()
        for own in reversed(plan.at_step):
            if own.key in readers and fits(own, group[0], inside):
                fused[own.key] = cast("Block", own)
                inside.add(own.key)
        frame, results = group[0].frame, [(own.expression.args[0], _rows(layout, own)) for own in group]
        kind = partial(StockLoop, tables.width, layout=layout, tables=tables, frame=frame, advances=True, fused=fused)
        for merged in (True, False) if tables.width > 1 or frame.lengths[-1] >= _LONG else (True,):
            with suppress(UnequalError):
                kind(merged=merged, stocks={own.key: own for own in group}).loop("trial_0", results)
                found |= fused
                break
    return found


def _readers(plan: Plan) -> tuple[dict[str, set[str]], set[str]]:
    """The keys of what reads each name at a step, and the names that are read in other cells too."""
    readers: dict[str, set[str]] = {}
    elsewhere = set[str]()
    for own in (*plan.at_step, *(own for own in plan.at_start if own.memory is not None)):
        for name in _names(own.expression):
            readers.setdefault(name, set()).add(own.key)
        calls = (call for call in _calls(own.expression) if not _BY_CELL.issuperset(call.row.kinds))
        elsewhere |= set(chain.from_iterable(map(_names, calls)))
    return readers, elsewhere


def _rows(layout: Layout, own: Block) -> NDArray[np.int64]:
    return layout.rows_of(own.key, own.columns, len(own.frame.lengths))


def _is_alike(one: Block, other: Block) -> bool:
    """Whether two blocks have the same frame."""
    return one.frame.lengths == other.frame.lengths and one.frame.names == other.frame.names


def _names(expression: Expr) -> set[str]:
    return {split_reference(part)[0] for part in references_in(expression)}


def _calls(expression: Expr) -> Iterator[VensimFunction]:
    return (part for part in walk(expression) if isinstance(part, VensimFunction))


def _is_by_cell(expression: Expr) -> bool:
    return all(call.row.memory is None and _BY_CELL.issuperset(call.row.kinds) for call in _calls(expression))
