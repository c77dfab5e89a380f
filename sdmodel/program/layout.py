"""Where each number of a run lives while it runs: one row for each cell, as wide as the members computed together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..model import Cell, Plan


@dataclass(frozen=True, eq=False)
class Layout:
    """The rows of the workspace of a block of members.

    Stocks come first, then as many rows each for their rates and for the two sums of Runge-Kutta; then constants, then all
    other cells. A DELAY FIXED has a row more for its input and one for its length in steps; a SAMPLE IF TRUE one for what it holds.
    """

    plan: Plan
    row: Mapping[Cell, int]
    inputs: tuple[Cell, ...]
    first_input: int
    delay_input: Mapping[Cell, int]
    delay_steps: Mapping[Cell, int]
    held: Mapping[Cell, int]
    rows: int

    @property
    def stocks(self) -> int:
        """How many stocks there are."""
        return len(self.plan.stocks)

    def rate_row(self, index: int) -> int:
        """The row of the rate of the stock in row `index`."""
        return self.stocks + index


def lay_out(plan: Plan) -> Layout:
    """A row for every cell of a plan."""
    stocks = [each.cell for each in plan.stocks]
    inputs = tuple(plan.constants)
    first_input = 4 * len(stocks)
    row = {cell: index for index, cell in enumerate(stocks)}
    row |= {cell: first_input + index for index, cell in enumerate(inputs)}
    following = first_input + len(inputs)
    for each in (*plan.start, *plan.step):
        if each.cell not in row:
            row[each.cell] = following
            following += 1
    extra: list[dict[Cell, int]] = []
    for cells in (plan.delays, plan.delays, plan.samples):
        extra.append({each.cell: following + index for index, each in enumerate(cells)})
        following += len(cells)
    delay_input, delay_steps, held = (MappingProxyType(each) for each in extra)
    return Layout(plan, MappingProxyType(row), inputs, first_input, delay_input, delay_steps, held, following)
