"""A model as a program: its layout, and machine code for one member alone and for as many members as fill a register."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..extras import made_once
from ..model import Cell, Element, Model, Unchanging, labels_of, missing_data, plan, unfinished_equations, without_gaps
from .assembly import module_text
from .layout import Layout, lay_out
from .machine import Code, assemble, host

QUICK_STEPS = 100_000
"""Time steps after which optimised code for one member has saved about the time that it takes to compile, for any model."""

_SAVED_STEPS = 1_000_000
"""Time steps of blocks after which code that stores only what is saved has saved about the time that it takes to compile."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells of an element over its dimensions, row by row: the row of each in the workspace, and which have no equation.

    A cell without an equation has row 0. The rows of a constant hold its given value, those of other elements the value at a step.
    """

    own: Cell
    """The element, or a cell of it that labels select."""
    axes: tuple[tuple[str, ...], ...]
    rows: NDArray[np.int64]
    undefined: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of labels along each dimension."""
        return tuple(map(len, self.axes))

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, also those without an equation."""
        return tuple(Cell(self.own.key, (*self.own.labels, *labels)) for labels in product(*self.axes))


@dataclass(frozen=True, eq=False)
class Grids:
    """Elements by name, or cells of them, whose rows are saved one after the other."""

    grids: Mapping[str, Grid]

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows of all cells, in order."""
        return np.concatenate([np.empty(0, dtype=np.int64), *(grid.rows for grid in self.grids.values())])

    @cached_property
    def undefined(self) -> NDArray[np.int64]:
        """The places in `rows` of cells without an equation."""
        starts = np.cumsum([0, *(len(grid.rows) for grid in self.grids.values())])
        parts = (first + grid.undefined for first, grid in zip(starts, self.grids.values(), strict=False))
        return np.concatenate([np.empty(0, dtype=np.int64), *parts])

    @cached_property
    def _single(self) -> bool:
        return not any(grid.axes for grid in self.grids.values())

    def split(self, values: NDArray[np.float64], members: tuple[int, ...] = ()) -> dict[str, NDArray[np.float64]]:
        """Return the values of each name, shape (times, labels, *members), as parts of `values`, shape (times, rows, members).

        Cells without an equation become nan.
        """
        if self.undefined.size:
            values[:, self.undefined] = np.nan
        rows = [] if members else list(values[..., 0].T)  # quicker than to take each by itself
        if rows and self._single:
            return dict(zip(self.grids, rows, strict=True))
        found, first = {}, 0
        for name, grid in self.grids.items():
            last = first + len(grid.rows)
            whole = grid.axes or members
            found[name] = values[:, first:last].reshape(len(values), *grid.shape, *members) if whole else rows[first]
            first = last
        return found


@dataclass(frozen=True, eq=False)
class Program(Unchanging):
    """A compiled model, which computes any member; safe to share between threads. Another process compiles it again, once."""

    layout: Layout
    _grids: dict[str, Grid] = field(default_factory=dict)
    _codes: dict[tuple[int, bool, bytes], Code] = field(default_factory=dict)
    _steps: Counter[object] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def __reduce__(self) -> tuple[Any, ...]:
        return compile_program, (self.layout.plan.model,)

    @property
    def given(self) -> NDArray[np.float64]:
        """The values of the constants in the model file, shape (constants,), each in its own units."""
        return self.layout.given.copy()

    def code(
        self,
        width: int,
        *,
        adaptive: bool = False,
        steps: int = QUICK_STEPS,
        saved: NDArray[np.int64] | None = None,
    ) -> Code:
        """Machine code for blocks of `width` members, compiled at the first call; `adaptive` to have automatic steps too.

        `steps` is the number of time steps of blocks that the caller is about to compute. Code for one member is compiled without
        optimisation until `QUICK_STEPS` have been asked for, since compiling takes longer than the few runs. If the caller
        looks only at the rows `saved`, code of its own for these does so after many steps.
        """
        rows = b"" if saved is None else saved.tobytes()
        with self._lock:
            self._steps[adaptive] += steps
            self._steps[width, adaptive, rows] += steps
            special = saved is not None and self._steps[width, adaptive, rows] >= _SAVED_STEPS
            quick = width == 1 and self._steps[adaptive] < QUICK_STEPS
            kind = width, adaptive, rows if special else b""
            code = self._codes.get(kind)
            if code is None or not (code.optimised or quick):
                text = module_text(
                    self.layout, width, host().mathematics, adaptive=adaptive, saved=saved if special else None
                )
                code = self._codes[kind] = assemble(text, alone=width == 1, quick=quick)
            return code

    def grid(self, element: Element) -> Grid:
        """Where the cells of an element are in the workspace."""
        if element.key not in self._grids:
            axes = tuple(labels_of(self.layout.plan.model.subscripts, own) for own in element.dimensions)
            rows = self.layout.rows_of(element.key, [*enumerate(axes)], len(axes)).ravel()
            self._grids[element.key] = Grid(Cell(element.key), axes, np.maximum(rows, 0), np.flatnonzero(rows < 0))
        return self._grids[element.key]

    def row(self, cell: Cell) -> int:
        """The row of a cell in the workspace."""
        return self.layout.row[cell]


@made_once
def compile_program(model: Model) -> Program:
    """Compile a model; a second call with the same model returns the same program.

    Raises
    ------
    ModelError
        If an equation is incomplete, elements depend on each other at one moment, or a data variable that equations read has no data at all.
    """
    if faults := [*unfinished_equations(model), *missing_data(model)]:
        raise ModelError(faults)
    return Program(lay_out(plan(without_gaps(model))))
