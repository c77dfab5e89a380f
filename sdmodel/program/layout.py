"""The memory of a run: the rows of the workspace, one per cell and as wide as a block of members, and the arguments of the kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..model import MEMBER_NUMBER, SEED, Assignment, Cell, Plan
from .blocks import in_label_order
from .invariants import Part, find_invariants

SEED_CELL, MEMBER_CELL = Cell(SEED), Cell(MEMBER_NUMBER)
"""Constants of a model that draws random numbers: the seed of its streams, and the number of the member."""
PASSAGE_COLUMNS = 3
"""The numbers of each step that the history holds of a delay whose time may change."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The rows of the workspace of a block of members.

    Stocks come first, the held ones last among them; then as many rows each for their rates, for the two sums of Runge-Kutta, and
    for the beginning and the accepted result of a step with automatic parts; then constants, then all other cells. The cells of one
    equation are together. A DELAY FIXED has two more rows, for its input and for its length in steps; so has a delay whose time may
    change (a `passage`), one after the other; a SAMPLE IF TRUE has one more, for its held value. Then come the parts of
    equations that do not vary, and the reciprocals of divisors that do not. In a model with random numbers the last row holds the
    number of the time step.
    """

    plan: Plan
    stock_order: tuple[Assignment, ...]
    row: Mapping[Cell, int]
    inputs: tuple[Cell, ...]
    first_input: int
    delay_input: Mapping[Cell, int]
    delay_steps: Mapping[Cell, int]
    passage: Mapping[Cell, int]
    held: Mapping[Cell, int]
    invariant: Mapping[Part, int]
    reciprocal: Mapping[Cell | Part, int]
    rows: int

    @property
    def stocks(self) -> int:
        """The number of stocks."""
        return len(self.plan.stocks)

    @property
    def held_stocks(self) -> int:
        """The number of stocks that keep their value within a time step, the last ones."""
        return sum(stock.memory is not None and stock.memory.held for stock in self.plan.stocks)

    @property
    def step_row(self) -> int | None:
        """The row of the number of the time step, if the model draws random numbers."""
        return self.rows - 1 if SEED_CELL in self.row else None

    @property
    def computed(self) -> tuple[Cell, ...]:
        """The cells that are computed, in the order in which they are first."""
        return tuple(dict.fromkeys(own.cell for own in (*self.plan.start, *self.plan.step)))

    @property
    def columns(self) -> tuple[tuple[Cell, int], ...]:
        """What the history holds of each step: the input of each DELAY FIXED (0); of each passage that, its steps (1) and its value (2)."""
        passages = ((cell, part) for cell in self.passage for part in range(PASSAGE_COLUMNS))
        return (*((cell, 0) for cell in self.delay_input), *passages)

    def rate_row(self, index: int) -> int:
        """The row of the rate of the stock in row `index`."""
        return self.stocks + index


def lay_out(plan: Plan) -> Layout:
    """Give every cell of a plan a row."""
    ordered = (own for group in in_label_order(plan, plan.stocks) for own in group)
    stock_order = tuple(sorted(ordered, key=lambda own: own.memory is not None and own.memory.held))
    stocks = [stock.cell for stock in stock_order]
    inputs = tuple(plan.constants)
    first_input = 6 * len(stocks)
    row = {cell: index for index, cell in enumerate(stocks)}
    row |= {cell: first_input + index for index, cell in enumerate(inputs)}
    following = first_input + len(inputs)
    for group in in_label_order(plan, (*plan.start, *plan.step)):
        for own in group:
            if own.cell not in row:
                row[own.cell] = following
                following += 1
    delays, passages, samples = ([own.cell for own in cells] for cells in (plan.delays, plan.passages, plan.samples))
    found = find_invariants(plan)
    extra: list[dict[Any, int]] = []
    for keys in (
        delays,
        delays,
        samples,
        found.parts,
        found.divisors,
        [(cell, part) for cell in passages for part in (0, 1)],
    ):
        extra.append({key: following + index for index, key in enumerate(keys)})
        following += len(keys)
    delay_input, delay_steps, held, invariant, reciprocal, inputs_of = map(MappingProxyType, extra)
    return Layout(
        plan,
        stock_order,
        MappingProxyType(row),
        inputs,
        first_input,
        delay_input=delay_input,
        delay_steps=delay_steps,
        passage=MappingProxyType({cell: inputs_of[cell, 0] for cell in passages}),
        held=held,
        invariant=invariant,
        reciprocal=reciprocal,
        rows=following + (SEED_CELL in row),
    )


class Arguments(ctypes.Structure):
    """The arguments of the kernel, in memory; the type in the assembly is made from these fields.

    A block is `width` members. Strides are numbers of members.
    """

    _fields_ = (
        ("workspace", ctypes.c_void_p),  # of one thread: rows of the layout
        ("given", ctypes.c_void_p),  # one number per constant of the model
        ("varied", ctypes.c_int64),  # the number of constants that differ between members
        ("varied_rows", ctypes.c_void_p),  # their rows in the workspace
        ("varied_values", ctypes.c_void_p),  # their values: constants x members
        ("value_stride", ctypes.c_int64),
        ("results", ctypes.c_void_p),  # saved times x saved rows x members
        ("result_stride", ctypes.c_int64),
        ("saved", ctypes.c_int64),  # the number of rows to save
        ("saved_rows", ctypes.c_void_p),
        ("times", ctypes.c_void_p),  # beginning and middle of every step, and the end
        ("steps", ctypes.c_int64),
        ("every", ctypes.c_double),  # the number of steps between saved times; each is saved at the nearest step
        ("time_step", ctypes.c_double),
        ("lengths", ctypes.c_void_p),  # of every step, where they differ; null if all are as long as the first
        ("order", ctypes.c_int64),  # of the integrator: 1 for Euler, 2 or 4 for Runge-Kutta
        ("adaptive", ctypes.c_int64),  # 1 if Runge-Kutta cuts time steps into parts until both tolerances are met
        ("absolute", ctypes.c_double),
        ("relative", ctypes.c_double),
        ("first", ctypes.c_int64),  # block
        ("last", ctypes.c_int64),  # block, not included
        ("history", ctypes.c_void_p),  # of one thread: inputs of fixed delays at every step
        (
            "state",
            ctypes.c_void_p,
        ),  # the workspace of a block at the first step, to go on from there; null to begin at the start
        ("first_step", ctypes.c_int64),
        (
            "first_line",
            ctypes.c_int64,
        ),  # the saved time, counted from the start, that becomes the first line of results
        ("broken", ctypes.c_void_p),  # one number per member: the step at which a stock stops being finite, or NEVER
        ("inexact", ctypes.c_void_p),  # one number per member: the first step that misses the tolerances, or NEVER
    )

    @classmethod
    def types(cls, pointer: str) -> dict[str, str]:
        """The type of each field in LLVM assembly; `pointer` is that of addresses."""
        names = {ctypes.c_void_p: pointer, ctypes.c_int64: "i64", ctypes.c_double: "double"}
        return {name: names[kind] for name, kind in cls._fields_}
