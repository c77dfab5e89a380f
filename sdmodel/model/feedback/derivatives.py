"""Partial derivatives of the expression of a cell, and their values over the times of a run."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Float, Indexed, Integer, Mul, S, Symbol

from ..algebra import VensimFunction, multiply, rebuild, split_reference, transform
from ..arrays import evaluate_arrays
from ..evaluation import evaluate
from ..functions.table import ARRAY_FUNCTIONS, row_of
from ..order import TIME, Assignment, Plan
from ..subscripts import (
    Binding,
    Cell,
    counts_labels,
    inner_bindings,
    is_reduction,
    labels_of,
    position,
    reduction_ranges,
    resolve,
)

Series = NDArray[np.float64]
"""One number per time of a run."""

_TIME_STEP = Cell("time_step")
_NEGLIGIBLE = 1e-12
"""A derivative smaller than this share of its largest value over time is rounding."""
_MARK = "\0"
"""The names of the symbols made here begin with it; no other name does."""


@dataclass(frozen=True, eq=False)
class Form:
    """What drives a cell, as algebra: a numbered symbol per cell it reads, the table of each lookup, every SUM written out.

    Cells of one equation have equal expressions, so that one derivative serves them all; `cells` lists the cell of each number.
    """

    expression: Expr
    cells: tuple[Cell, ...]


@dataclass(frozen=True, eq=False)
class Readings:
    """The results of a run of a plan: its times, and the values of every computed cell at them."""

    plan: Plan
    times: Series
    values: Mapping[Cell, Series]
    known: dict[tuple[Expr, int], Expr] = field(default_factory=dict, repr=False)

    def read(self, cell: Cell) -> Series | np.float64:
        """The values of a cell; nan for one that the run lacks."""
        if cell == TIME:
            return self.times
        return self.values.get(cell, np.float64(self.plan.constants.get(cell, np.nan)))

    def derivative(self, form: Form, place: int) -> Expr:
        """The partial derivative of a form by the cell of that number, computed once for all cells of the form."""
        known = (form.expression, place)
        if known not in self.known:
            self.known[known] = _derivative(form.expression, _symbol(place))
        return self.known[known]


def derivatives(readings: Readings, assignment: Assignment, causes: Container[Cell]) -> Iterator[tuple[Cell, Series]]:
    """The partial derivative of a cell by each cell that it reads among `causes`, at every time.

    The unit is that of the cell divided by that of the cause; for a stock the derivative is that of its rate, per unit of time. A
    derivative that cannot be known is nan, one that is only rounding is zero.
    """
    form = written_out(readings.plan, assignment)
    for place, cause in enumerate(form.cells):
        if cause in causes:
            values = series(readings, readings.derivative(form, place), form.cells)
            largest = np.max(np.abs(values[np.isfinite(values)]), initial=0.0)
            yield cause, np.where(np.abs(values) <= _NEGLIGIBLE * largest, 0.0, values)


def written_out(plan: Plan, assignment: Assignment) -> Form:
    """What drives a cell during a run: the rate of a stock, otherwise its expression."""
    numbers: dict[Cell, Symbol] = {}
    expression = assignment.expression.args[0] if assignment.state == "INTEG" else assignment.expression
    return Form(_written_out(plan, expression, assignment.binding, numbers), tuple(numbers))


def _written_out(plan: Plan, expression: Expr, binding: Binding, numbers: dict[Cell, Symbol]) -> Expr:
    subscripts = plan.model.subscripts
    if isinstance(expression, Symbol | Indexed):
        return _reference(plan, expression, binding, numbers)
    if is_reduction(expression):
        inner = inner_bindings(subscripts, reduction_ranges(expression), binding)
        return row_of(expression).written_out([_written_out(plan, expression.args[0], at, numbers) for at in inner])
    if counts_labels(expression):
        return Integer(len(labels_of(subscripts, split_reference(expression.args[0])[0])))
    if not expression.args:
        return expression
    return rebuild(expression, [_written_out(plan, part, binding, numbers) for part in expression.args])


def _reference(plan: Plan, expression: Expr, binding: Binding, numbers: dict[Cell, Symbol]) -> Expr:
    subscripts = plan.model.subscripts
    name, indices = split_reference(expression)
    if not indices and (name.rstrip("!") in subscripts or name in binding):
        return Float(position(subscripts, name, binding))
    cell = Cell(name, tuple(resolve(subscripts, index, binding) for index in indices))
    return plan.tables[cell] if cell in plan.tables else numbers.setdefault(cell, _symbol(len(numbers)))


def _symbol(place: int) -> Symbol:
    return Symbol(f"{_MARK}{place}")


def _derivative(expression: Expr, symbol: Symbol) -> Expr:
    """The partial derivative, or nan where a function has none."""
    try:
        return transform(expression.diff(symbol), _plain)
    except NotImplementedError:
        return S.NaN


def _plain(part: Expr) -> Expr | None:
    """A replacement for a part that SymPy introduced and numbers lack, or that would make a branch not taken infinite."""
    if isinstance(part, Mul):
        return _switched(part)
    if part.args or not part.is_number:
        return None
    if not part.is_extended_real:
        return S.NaN
    return None if part.is_Number else Float(part)


def _switched(product: Mul) -> Expr | None:
    """A product with a switch between 1 and 0 as a choice, so that the branch not taken may be infinite."""
    for place, factor in enumerate(product.args):
        if isinstance(factor, VensimFunction) and factor.name == "IF THEN ELSE":
            condition, then, otherwise = factor.args
            rest = product.args[:place] + product.args[place + 1 :]
            chosen = rest[0] if len(rest) == 1 else multiply(*rest)
            if (then, otherwise) == (S.One, S.Zero):
                return factor.func(condition, chosen, S.Zero)
            if (then, otherwise) == (S.Zero, S.One):
                return factor.func(condition, S.Zero, chosen)
    return None


def series(readings: Readings, expression: Expr, cells: Sequence[Cell]) -> Series:
    """The values of an expression in numbered symbols of cells, at every time of a run.

    Tables and functions of time are evaluated time by time, everything else for all times together.
    """
    values = {f"{_MARK}{place}": readings.read(cell) for place, cell in enumerate(cells)}
    values |= {cell.key: readings.read(cell) for cell in (TIME, _TIME_STEP)}  # functions of time read these

    def change(part: Expr) -> Expr | None:
        if not isinstance(part, VensimFunction) or part.name in ARRAY_FUNCTIONS:
            return None
        made = _symbol(len(values))
        values[made.name] = _time_by_time(part, values, len(readings.times))
        return made

    plain = transform(expression, change)
    found = evaluate_arrays(plain, lambda name, _: values[name])
    return np.broadcast_to(found, readings.times.shape).astype(float)


def _time_by_time(call: Expr, values: Mapping[str, Series | np.float64], count: int) -> Series:
    rows = {name: np.broadcast_to(value, (count,)).tolist() for name, value in values.items()}

    def value(at: int) -> float:
        return evaluate({}, call, {}, lambda cell: rows[cell.key][at])

    return np.array([value(at) for at in range(count)], dtype=np.float64)
