"""What a cell answers to: the partial derivatives of its expression, and their values over the times of a run."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Float, Indexed, Integer, Mul, S, Symbol

from ..algebra import VensimFunction, add, multiply, rebuild, referred, rewrite
from ..arrays import ARRAY_FUNCTIONS, evaluate_arrays
from ..evaluation import evaluate
from ..functions.table import FUNCTIONS
from ..order import TIME, Assignment, Plan
from ..subscripts import Binding, Cell, counts_labels, expanded, is_reduction, labels_of, marked, position, resolve

Series = NDArray[np.float64]
"""A number at each time of a run."""

_TIME_STEP = Cell("time_step")
_NEGLIGIBLE = 1e-12
"""So small a part of its largest size is rounding: of a derivative over time."""
_MARK = "\0"
"""What the names of the symbols made here begin with; no other name does."""


@dataclass(frozen=True, eq=False)
class Form:
    """What drives a cell, as algebra: a numbered symbol for each cell it reads, the table for each lookup, every SUM written out.

    Cells of one equation have equal expressions, so that one derivative serves them all; `cells` are what the numbers mean.
    """

    expression: Expr
    cells: tuple[Cell, ...]


@dataclass(frozen=True, eq=False)
class Readings:
    """What a run of a plan says: its times, and the values of every computed cell at them."""

    plan: Plan
    times: Series
    values: Mapping[Cell, Series]
    known: dict[tuple[Expr, int], Expr] = field(default_factory=dict, repr=False)

    def read(self, cell: Cell) -> Series | np.float64:
        """The values of a cell; those of one that the run lacks are not numbers."""
        if cell == TIME:
            return self.times
        return self.values.get(cell, np.float64(self.plan.constants.get(cell, np.nan)))

    def derivative(self, form: Form, place: int) -> Expr:
        """The partial derivative of a form by the cell of that number, worked out once for all cells of the form."""
        known = (form.expression, place)
        if known not in self.known:
            self.known[known] = _derivative(form.expression, _symbol(place))
        return self.known[known]


def derivatives(readings: Readings, assignment: Assignment, causes: Container[Cell]) -> Iterator[tuple[Cell, Series]]:
    """The partial derivative of a cell by each cell it reads that is among causes, at every time.

    Units are those of the cell by those of the cause; that of a stock is its rate's, so a unit of time less. What cannot be
    known is not a number, what is only rounding is zero.
    """
    form = written_out(readings.plan, assignment)
    for place, cause in enumerate(form.cells):
        if cause in causes:
            values = series(readings, readings.derivative(form, place), form.cells)
            largest = np.max(np.abs(values[np.isfinite(values)]), initial=0.0)
            yield cause, np.where(np.abs(values) <= _NEGLIGIBLE * largest, 0.0, values)


def written_out(plan: Plan, assignment: Assignment) -> Form:
    """What drives a cell from moment to moment: the rate of a stock, else its expression."""
    numbers: dict[Cell, Symbol] = {}
    expression = assignment.expression.args[0] if assignment.state == "INTEG" else assignment.expression
    return Form(_written_out(plan, expression, assignment.binding, numbers), tuple(numbers))


def _written_out(plan: Plan, expression: Expr, binding: Binding, numbers: dict[Cell, Symbol]) -> Expr:
    subscripts = plan.model.subscripts
    if isinstance(expression, Symbol | Indexed):
        return _reference(plan, expression, binding, numbers)
    if is_reduction(expression):
        inner = expanded(subscripts, marked(expression), binding)
        terms = [_written_out(plan, expression.args[0], each, numbers) for each in inner]
        return terms[0] if len(terms) == 1 else _TERM_BY_TERM[expression.name](terms)
    if counts_labels(expression):
        return Integer(len(labels_of(subscripts, referred(expression.args[0])[0])))
    if not expression.args:
        return expression
    return rebuild(expression, [_written_out(plan, each, binding, numbers) for each in expression.args])


def _reference(plan: Plan, expression: Expr, binding: Binding, numbers: dict[Cell, Symbol]) -> Expr:
    subscripts = plan.model.subscripts
    name, indices = referred(expression)
    if not indices and (name.rstrip("!") in subscripts or name in binding):
        return Float(position(subscripts, name, binding))
    cell = Cell(name, tuple(resolve(subscripts, index, binding) for index in indices))
    return plan.tables[cell] if cell in plan.tables else numbers.setdefault(cell, _symbol(len(numbers)))


def _symbol(place: int) -> Symbol:
    return Symbol(f"{_MARK}{place}")


def _pairwise(name: str) -> Callable[[Sequence[Expr]], Expr]:
    return lambda terms: reduce(FUNCTIONS[name].build, terms)


_TERM_BY_TERM: Mapping[str, Callable[[Sequence[Expr]], Expr]] = MappingProxyType(
    {
        "SUM": lambda terms: add(*terms),
        "PROD": lambda terms: multiply(*terms),
        "VMIN": _pairwise("MIN"),
        "VMAX": _pairwise("MAX"),
    }
)


def _derivative(expression: Expr, symbol: Symbol) -> Expr:
    """The partial derivative, or what is not a number where the table of functions has none."""
    try:
        return rewrite(expression.diff(symbol), _plain)
    except NotImplementedError:
        return S.NaN


def _plain(part: Expr) -> Expr | None:
    """What stands for a part that algebra brought in and numbers do not know, or that would spoil a branch not taken."""
    if isinstance(part, Mul):
        return _switched(part)
    if part.args or not part.is_number:
        return None
    if not part.is_extended_real:
        return S.NaN
    return None if part.is_Number else Float(part)


def _switched(product: Mul) -> Expr | None:
    """A product with a switch of 1 and 0 as a choice, so that what is not chosen may be infinite."""
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

    Tables and functions of time are worked out time by time, all else for all times at once.
    """
    values = {f"{_MARK}{place}": readings.read(cell) for place, cell in enumerate(cells)}
    values |= {cell.key: readings.read(cell) for cell in (TIME, _TIME_STEP)}  # what functions of time read

    def change(part: Expr) -> Expr | None:
        if not isinstance(part, VensimFunction) or part.name in ARRAY_FUNCTIONS:
            return None
        made = _symbol(len(values))
        values[made.name] = _time_by_time(part, values, len(readings.times))
        return made

    plain = rewrite(expression, change)
    found = evaluate_arrays(plain, lambda name, _: values[name])
    return np.broadcast_to(found, readings.times.shape).astype(float)


def _time_by_time(call: Expr, values: Mapping[str, Series | np.float64], count: int) -> Series:
    rows = {name: np.broadcast_to(each, (count,)).tolist() for name, each in values.items()}

    def value(at: int) -> float:
        return evaluate({}, call, {}, lambda cell: rows[cell.key][at])

    return np.array([value(at) for at in range(count)], dtype=np.float64)
