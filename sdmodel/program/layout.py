"""The memory of a run: the rows of the workspace, one per cell and as wide as a block of members, and the arguments of the kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import (
    MEMBER_NUMBER,
    SEED,
    Assignment,
    Block,
    Cell,
    CellArray,
    CellMap,
    Column,
    Part,
    Plan,
    Slice,
    labels_of,
    new_array,
    references_in,
    split_reference,
)
from .invariants import Invariant, find_invariants

SEED_CELL, MEMBER_CELL = Cell(SEED), Cell(MEMBER_NUMBER)
"""Constants of a model that draws random numbers: the seed of its streams, and the number of the member."""
SHIFT_ROWS = 3
"""The rows of what a SHIFT IF TRUE reads at a step."""
PASSAGE_COLUMNS = 3
"""The numbers of each step that the history holds of a delay whose time may change."""
_LINE = 8
"""The numbers in a line of the processor's cache."""
_LONG = 4 * _LINE


@dataclass(frozen=True, eq=False)
class Layout:
    """The rows of the workspace of a block of members.

    Stocks come first, the held ones last among them; then as many rows each for their rates, for the two sums of Runge-Kutta, and
    for the beginning and the accepted result of a step with automatic parts; then constants, then all other cells. The cells of an
    element are together, in the order of its labels. A DELAY FIXED has two more rows, for its input and for its length in steps; so
    has a delay whose time may change (a `passage`), one after the other; a SAMPLE IF TRUE has one more, for its held value; a SHIFT IF
    TRUE has three, for its condition, whether it accumulates, and what enters. Then
    come the parts of equations that do not vary, the reciprocals of divisors that do not, and the scratch memory of functions of
    whole arrays. In a model with random numbers, or with functions of the past, the last row holds the number of the time step; and the
    one before it the address of the history, where functions read it.
    """

    plan: Plan
    stocks: int
    """The number of stocks."""
    held_stocks: int
    """The number of stocks that keep their value within a time step, the last ones."""
    direct: frozenset[str]
    """The keys of arrays of stocks that Euler advances in the loop which computes their rates."""
    first_direct: int
    """The first row of such a stock; they end where the held ones begin."""
    row: CellMap[int]
    constants: int
    """The number of constants."""
    delay_input: Mapping[Cell, int]
    delay_steps: Mapping[Cell, int]
    passage: Mapping[Cell, int]
    held: Mapping[Cell, int]
    shift: Mapping[Cell, int]
    invariant: Mapping[Invariant, int]
    reciprocal: Mapping[Cell | Invariant, int]
    scratch: int
    """The first row of the scratch memory."""
    rows: int
    reads_past: bool
    """Whether a function reads what went into a delay at earlier steps."""
    _arrays: dict[str, CellArray[int] | None] = field(default_factory=dict)

    @property
    def odd_row(self) -> int:
        """The row that is not zero if such a stock is not finite: the rate of the first, which Euler needs no row for."""
        return self.stocks + self.first_direct

    @property
    def first_input(self) -> int:
        """The first row of the constants."""
        return 6 * self.stocks

    @cached_property
    def given(self) -> NDArray[np.float64]:
        """The values of the constants in the model file, in the order of their rows."""
        values = np.empty(self.constants)
        for own, part in self.plan.constants.parts.items():
            array = self.row.parts.get(str(own))
            if isinstance(part, CellArray) and isinstance(array, CellArray):
                known = ~np.isnan(part.values)
                values[array.values[known] - self.first_input] = part.values[known]
            else:
                values[self.row[Cell(*own)] - self.first_input] = self.plan.constants[Cell(*own)]
        return values

    @cached_property
    def inputs(self) -> tuple[Cell, ...]:
        """The constants, in the order of their rows."""
        return tuple(sorted(self.plan.constants, key=self.row.__getitem__))

    @property
    def parts(self) -> int:
        """The number of cells that are written out, and of loops over cells: what the size of the code grows with."""
        return len(self.plan.at_start) + len(self.plan.unvarying) + len(self.plan.at_step) + len(self.plan.stock_parts)

    @property
    def step_row(self) -> int | None:
        """The row of the number of the time step, if the model draws random numbers or reads the past."""
        return self.rows - 1 if self.draws or self.reads_past else None

    @property
    def history_row(self) -> int | None:
        """The row of the address of the history, if the model reads the past."""
        return self.rows - 2 if self.reads_past else None

    @property
    def draws(self) -> bool:
        """Whether the model draws random numbers."""
        return SEED_CELL in self.row

    @property
    def computed(self) -> tuple[Cell, ...]:
        """The cells that are computed, in the order in which they are first."""
        return tuple(dict.fromkeys(own.cell for own in (*self.plan.start, *self.plan.step)))

    @property
    def columns(self) -> tuple[tuple[Cell, int], ...]:
        """What the history holds of each step: the input of each DELAY FIXED (0); of each passage that, its steps (1) and its value (2)."""
        passages = ((cell, part) for cell in self.passage for part in range(PASSAGE_COLUMNS))
        return (*((cell, 0) for cell in self.delay_input), *passages)

    @cached_property
    def column(self) -> Mapping[Cell, int]:
        """The place in the history of the input of each DELAY FIXED."""
        return {cell: place for place, cell in enumerate(self.delay_input)}

    def rows_of(self, name: str, columns: Sequence[Column], rank: int) -> NDArray[np.int64]:
        """The rows of the cells of an element with these labels, with one axis for each of a frame; -1 for cells that do not exist."""
        array = self.array(name) if columns else None
        if array is None:
            return np.full((1,) * rank, self.row.parts.get(Cell(name), -1) if not columns else -1)
        return array.take(columns, rank)

    def array(self, name: str) -> CellArray[int] | None:
        """The rows of an element with subscripts; None for a name without cells."""
        if name not in self._arrays:
            found = self.row.parts.get(name)
            self._arrays[name] = found if isinstance(found, CellArray) else self._gathered(name)
        return self._arrays[name]

    def _gathered(self, name: str) -> CellArray[int] | None:
        element = self.plan.model.elements.get(name)
        if element is None:
            return None
        array = new_array(self.plan.model.subscripts, element, -1)
        for labels in product(*array.positions):
            row = self.row.parts.get(Cell(name, labels))
            if isinstance(row, int):
                array.set(labels, row)
        return array


def lay_out(plan: Plan) -> Layout:
    """Give every cell of a plan a row."""
    rows = _Rows(plan)
    held = [own for own in plan.stock_parts if own.memory is not None and own.memory.held]
    direct = _direct(plan)
    rows.add(own for own in plan.stock_parts if own not in held and own.key not in direct)
    first_direct = rows.following
    rows.add(own for own in plan.stock_parts if own.key in direct)
    free = rows.following
    rows.add(held)
    stocks = rows.following
    rows.following = 6 * stocks
    rows.add_constants()
    constants = rows.following - 6 * stocks
    rows.aligned = True
    rows.add(own for own in (*plan.at_start, *plan.at_step) if not own.keeps("stock"))
    rows.finish()
    delays, passages, samples = ([own.cell for own in cells] for cells in (plan.delays, plan.passages, plan.samples))
    found = find_invariants(plan)
    extra: list[dict[Any, int]] = []
    for keys in (
        delays,
        delays,
        samples,
        found.parts,
        found.divisors,
        [(cell, place) for cell in passages for place in (0, 1)],
        [(own.cell, place) for own in plan.shifts for place in range(SHIFT_ROWS)],
    ):
        extra.append({key: rows.following + index for index, key in enumerate(keys)})
        rows.following += len(keys)
    delay_input, delay_steps, sampled, invariant, reciprocal, inputs_of, shift = map(MappingProxyType, extra)
    equations = (equation for element in plan.model for equation in element.equations)
    reads_past = any(call.row.reads_past for equation in equations for call in equation.calls)
    return Layout(
        plan,
        stocks,
        stocks - free,
        direct,
        first_direct,
        rows.row,
        constants,
        delay_input=delay_input,
        delay_steps=delay_steps,
        passage=MappingProxyType({cell: inputs_of[cell, 0] for cell in passages}),
        held=sampled,
        shift=MappingProxyType({own.cell: shift[own.cell, 0] for own in plan.shifts}),
        invariant=invariant,
        reciprocal=reciprocal,
        scratch=rows.following,
        rows=rows.following + _scratch(plan) + (SEED_CELL in rows.row or reads_past) + reads_past,
        reads_past=reads_past,
    )


def _direct(plan: Plan) -> frozenset[str]:
    """The keys of arrays whose rates read no stock, so that it does not matter which stock advances first."""
    stocks, others, found = {own.key for own in plan.stock_parts}, set[str](), set[str]()
    for own in plan.stock_parts:
        read = {split_reference(part)[0] for part in references_in(own.expression.args[0])}
        held = own.memory is not None and own.memory.held
        (found if isinstance(own, Block) and not held and stocks.isdisjoint(read) else others).add(own.key)
    return frozenset(found - others)


def _scratch(plan: Plan) -> int:
    """The most numbers that a function of whole arrays keeps while it computes."""
    most = 0
    for equation in (equation for element in plan.model for equation in element.equations):
        for call in equation.calls:
            if call.row.spreads:
                first = next(part for part in call.args if isinstance(part, Slice))
                most = max(most, call.row.scratch(len(labels_of(plan.model.subscripts, first.ranges[0]))))
    return most


@dataclass
class _Rows:
    """The rows so far, and the next one."""

    plan: Plan
    row: CellMap[int] = field(default_factory=CellMap)
    following: int = 0
    aligned: bool = False
    """Whether a long array begins a line of the processor's cache, which makes a single run some percent quicker."""

    def add(self, parts: Iterable[Part]) -> None:
        """Add the cells of parts that have no row yet: those of an element together, in the order of its labels."""
        by_key: dict[str, list[Part]] = {}
        for part in parts:
            by_key.setdefault(part.key, []).append(part)
        for key, own in by_key.items():
            if any(isinstance(part, Block) for part in own) or key in self.row.parts:
                array = self._array(key)
                wanted = np.zeros(array.values.shape, dtype=bool)
                for part in own:
                    wanted[array.index(part.columns, len(part.frame.lengths))] = True
                self._add_where(array, wanted & (array.values < 0))
                continue
            cells = dict.fromkeys(part.cell for part in own if isinstance(part, Assignment))
            if len(cells) > 1:
                positions = new_array(self.plan.model.subscripts, self.plan.model.elements[key], -1).positions
                cells = dict.fromkeys(
                    sorted(
                        cells, key=lambda cell: [own[label] for own, label in zip(positions, cell.labels, strict=True)]
                    )
                )
            for cell in cells:
                if cell not in self.row.parts:
                    self.row.parts[cell] = self.following
                    self.following += 1

    def add_constants(self) -> None:
        """Add the constants of the plan."""
        for own, part in self.plan.constants.parts.items():
            if isinstance(part, CellArray):
                self._add_where(self._array(str(own)), ~np.isnan(part.values))
            else:
                self.row.parts[own] = self.following
                self.following += 1

    def _array(self, key: str) -> CellArray[int]:
        array = self.row.parts.get(key)
        if not isinstance(array, CellArray):
            array = new_array(self.plan.model.subscripts, self.plan.model.elements[key], -1)
            self.row.parts[key] = array
        return array

    def finish(self) -> None:
        """Let the arrays have every cell of their elements."""
        for cell in [cell for cell in self.row.parts if isinstance(cell, Cell) and cell.key in self.row.parts]:
            self._array(cell.key).set(cell.labels, self.row.parts.pop(cell))

    def _add_where(self, array: CellArray[int], wanted: NDArray[np.bool_]) -> None:
        count = int(wanted.sum())
        if self.aligned and count >= _LONG:
            self.following += -self.following % _LINE
        array.values[wanted] = np.arange(self.following, self.following + count)
        self.following += count


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
