"""The value of an expression, computed one number at a time.

Slow and plain on purpose: it settles what must be known before anything is compiled (the order of a DELAY N), and gives tests a
second computation of every operation to compare with the machine code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add
from typing import Any

from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from .algebra import Numbers, Table, VensimFunction, split_reference, transform
from .functions.row import Kind, Moment
from .functions.table import row_of
from .records import Equation, Model, Subscript
from .subscripts import (
    Binding,
    Cell,
    bindings,
    cells_in,
    inner_bindings,
    labels_of,
    position,
    resolve,
    unclaimed_ranges,
)

Read = Callable[[Cell], "float | Table"]
"""Returns the value of a cell, or the table of a lookup."""

_NO_TABLE = Table([(0.0, math.nan)])


def evaluate(subscripts: Mapping[str, Subscript], expression: Expr, binding: Binding, read: Read) -> float:
    """The value of an expression under a binding, in its own units; nan where it cannot be computed."""
    return _Evaluation(subscripts, binding, read).number(expression)


@dataclass(slots=True)
class _Evaluation:
    subscripts: Mapping[str, Subscript]
    binding: Binding
    read: Read

    def number(self, expression: Expr) -> float:
        if expression.is_Number:
            return float(expression)
        if isinstance(expression, Symbol | Indexed):
            return self.reference(expression)
        if isinstance(expression, Add):
            return reduce(add, map(self.number, expression.args))
        if isinstance(expression, Mul):
            return self.product(expression)
        if isinstance(expression, Pow):
            return _guarded(math.pow, self.number(expression.base), self.number(expression.exp))
        return self.call(expression)

    def reference(self, expression: Expr) -> float:
        name, indices = split_reference(expression)
        if not indices and (name.rstrip("!") in self.subscripts or name in self.binding):
            return position(self.subscripts, name, self.binding)
        found = self.cell(expression)
        return math.nan if isinstance(found, Table) else found

    def cell(self, expression: Expr) -> float | Table:
        name, indices = split_reference(expression)
        return self.read(Cell(name, tuple(resolve(self.subscripts, index, self.binding) for index in indices)))

    def product(self, expression: Expr) -> float:
        total = 1.0
        for index, factor in enumerate(expression.args):
            if isinstance(factor, Pow) and factor.exp is S.NegativeOne:
                total = quotient(total, self.number(factor.base))
            else:
                total = self.number(factor) if index == 0 else total * self.number(factor)
        return total

    def call(self, expression: Expr) -> float:
        row = row_of(expression)
        if row.at_start is not None:
            return self.number(expression.args[row.at_start])
        arguments = map(self.argument, row.kinds, expression.args)
        if not row.reads_time:
            return _guarded(row.evaluate, *arguments)
        time, step = (self.number(Symbol(name)) for name in ("time", "time_step"))
        return _guarded(row.evaluate, Moment(time, step), *arguments)

    def argument(self, kind: Kind, expression: Expr) -> Any:
        match kind:
            case "number":
                return self.number(expression)
            case "condition":
                return self.number(expression) != 0
            case "branch":
                return partial(self.number, expression)
            case "table":
                table = expression if isinstance(expression, Table) else self.cell(expression)
                return table if isinstance(table, Table) else _NO_TABLE
            case "range":
                return float(len(labels_of(self.subscripts, split_reference(expression)[0].rstrip("!"))))
            case "terms":
                inner = inner_bindings(self.subscripts, unclaimed_ranges(expression), self.binding)
                return [evaluate(self.subscripts, expression, binding, self.read) for binding in inner]


def quotient(dividend: float, divisor: float) -> float:
    """A division as the processor does it: by zero it is infinite, zero by zero is nan."""
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend * math.copysign(1, divisor))


def _guarded(function: Callable[..., float], *arguments: Any) -> float:
    try:
        return function(*arguments)
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError):
        return math.nan


@dataclass
class Start:
    """The values of a model at its initial time, computed when they are read; `given` replaces constants.

    `known` collects every cell that the answers depend on.
    """

    model: Model
    given: Mapping[Cell, float] = field(default_factory=dict)
    known: dict[Cell, float | Table] = field(default_factory=dict)
    cells: dict[str, dict[tuple[str, ...], tuple[Equation, int, Binding]]] = field(default_factory=dict, repr=False)

    def read(self, cell: Cell) -> float | Table:
        """The value of a cell at the start; nan for one that depends on itself.

        Each cell waits until what it reads is known. A chain may have any length, since nothing recurses along it.
        """
        root = _at_start(cell)
        waiting = {} if root in self.known else {root: self._needs(root)}
        while waiting:
            current, needs = next(reversed(waiting.items()))
            following = next((cell for cell in needs if cell not in self.known), None) or self._settle(current)
            if following is None:
                waiting.popitem()
            elif following in waiting:
                self.known[following] = math.nan
            else:
                waiting[following] = self._needs(following)
        return self.known[root]

    def _settle(self, cell: Cell) -> Cell | None:
        """Compute a cell, or return the cell that must be known first."""
        try:
            self.known[cell] = self.given[cell] if cell in self.given else self._compute(cell)
        except _UnknownError as unknown:
            return unknown.cell
        return None

    def _get(self, cell: Cell) -> float | Table:
        named = _at_start(cell)
        if named not in self.known:
            raise _UnknownError(named)
        return self.known[named]

    def _needs(self, cell: Cell) -> Iterator[Cell]:
        """What a cell reads at the start in any case; what it reads on a condition is found while it is computed."""
        found = None if cell in self.given else self._equation(cell)
        if found is None or isinstance(found[0].expression, Table | Numbers):
            return
        equation, _, binding = found
        expression = transform(equation.expression, _read_in_any_case)
        for needed in cells_in(self.model.subscripts, expression, binding):
            if needed.key in self.model.elements or needed.key == "time":
                yield _at_start(needed)

    def _equation(self, cell: Cell) -> tuple[Equation, int, Binding] | None:
        """The equation of a cell, the place of the cell in it, and the label that each range means there."""
        element = self.model.elements.get(cell.key)
        if element is not None and cell.key not in self.cells:
            self.cells[cell.key] = {
                labels: (equation, index, binding)
                for equation in element.equations
                for index, (labels, binding) in enumerate(bindings(self.model.subscripts, equation))
            }
        return self.cells.get(cell.key, {}).get(cell.labels)

    def _compute(self, cell: Cell) -> float | Table:
        found = self._equation(cell)
        if found is None:
            return math.nan
        equation, index, binding = found
        expression = equation.expression
        if isinstance(expression, Table):
            return expression
        if isinstance(expression, Numbers):
            return expression.at(index)
        return evaluate(self.model.subscripts, expression, binding, self._get)


class _UnknownError(Exception):
    """A cell is read before its value is known."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self.cell = cell


def _at_start(cell: Cell) -> Cell:
    """The cell that another equals at the start: Time is INITIAL TIME then."""
    return Cell("initial_time") if cell.key == "time" else cell


def _read_in_any_case(part: Expr) -> Expr | None:
    """What a call certainly reads at the start, in its place."""
    if not isinstance(part, VensimFunction):
        return None
    if "branch" in part.row.kinds:
        return part.args[0]
    return None if part.row.at_start is None else part.args[part.row.at_start]
