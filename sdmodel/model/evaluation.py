"""The value of an expression: one number at a time, or for whole arrays at the same time.

Scalar evaluation is slow and plain on purpose: it settles what must be known before anything is compiled (the order of a
DELAY N), and gives tests a second computation of every operation to compare with the machine code. Evaluation over arrays serves
statements about runs and sums of observed series.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from sympy import Add, Expr, Mul, Pow, S, Symbol

from ..extras import LazyModule
from .algebra import (
    Numbers,
    Slice,
    Table,
    VensimFunction,
    add,
    is_reference,
    product_factors,
    split_reference,
    transform,
)
from .functions.reductions import unclaimed_ranges
from .functions.row import AXES, Kind, Moment
from .functions.table import row_of
from .names import MARK
from .records import Equation, Model, Subscript
from .subscripts import (
    TIME,
    Binding,
    Cell,
    bindings,
    cells_in,
    inner_bindings,
    labels_of,
    picked_cell,
    position,
    resolve,
    result_place,
    slice_cells,
    slice_place,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

Read = Callable[[Cell], "float | Table"]
"""Returns the value of a cell, or the table of a lookup."""
ReadArray = Callable[[str, tuple[str, ...]], Any]
"""Returns the values of a name, by its key and the keys of its subscripts, as an array or a number."""

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
        if is_reference(expression):
            name, indices = split_reference(expression)
            if name in self.subscripts or (not indices and name in self.binding):
                return position(self.subscripts, (indices or (name,))[0], self.binding)
            found = self.cell(expression)
            return math.nan if isinstance(found, Table) else found
        if isinstance(expression, Add):
            return reduce(operator.add, map(self.number, expression.args))
        if isinstance(expression, Mul):
            total = 1.0
            for factor, divides in product_factors(expression):
                value = self.number(factor)
                total = quotient(total, value) if divides else total * value
            return total
        if isinstance(expression, Pow):
            base, exponent = self.number(expression.base), self.number(expression.exp)
            if way := _way_of_power(expression.exp):
                return _guarded(_POWERS[way], base)
            return _guarded(math.pow, base, exponent) if math.isfinite(base) and math.isfinite(exponent) else math.nan
        return self.call(expression)

    def cell(self, expression: Expr) -> float | Table:
        name, indices = split_reference(expression)
        return self.read(Cell(name, tuple(resolve(self.subscripts, index, self.binding) for index in indices)))

    def call(self, expression: Expr) -> float:
        row = row_of(expression)
        if row.at_start is not None:
            return self.number(row.initial_value(expression.args))
        if picked := picked_cell(self.subscripts, expression, self.binding):
            found = self.read(picked)
            return math.nan if isinstance(found, Table) else found
        if row.rewrite:
            return self.number(row.rewrite(*expression.args))
        try:
            arguments = list(map(self.argument, row.kinds, expression.args))
        except _NotFiniteError:
            return math.nan
        if row.reads_time:
            time, step = (self.number(Symbol(name)) for name in ("time", "time_step"))
            arguments.insert(0, Moment(time, step))
        found = _guarded(row.evaluate, *arguments)
        return found[result_place(self.subscripts, expression, self.binding)] if isinstance(found, list) else found

    def argument(self, kind: Kind, expression: Expr) -> Any:
        match kind:
            case "number":
                return self.number(expression)
            case "finite" | "condition":
                value = self.number(expression)
                if not math.isfinite(value):
                    raise _NotFiniteError
                return value if kind == "finite" else value != 0
            case "branch":
                return partial(self.number, expression)
            case "table":
                table = expression if isinstance(expression, Table) else self.cell(expression)
                return table if isinstance(table, Table) else _NO_TABLE
            case "site" | "past":  # nothing is in the past of the start
                return 0.0
            case "range":
                return float(len(labels_of(self.subscripts, split_reference(expression)[0].removesuffix(MARK))))
            case "terms":
                return self.terms(expression)
            case "vector" | "series" | "matrix" | "array":
                return self.array(kind, expression)

    def terms(self, expression: Expr) -> list[float]:
        inner = inner_bindings(self.subscripts, unclaimed_ranges(expression), self.binding)
        terms = [evaluate(self.subscripts, expression, binding, self.read) for binding in inner]
        if not all(map(math.isfinite, terms)):
            raise _NotFiniteError
        return terms

    def array(self, kind: Kind, part: Slice) -> Any:
        values = [self.read(cell) for cell in slice_cells(self.subscripts, part, self.binding)]
        if kind == "array":
            return values, slice_place(self.subscripts, part, self.binding)
        if not all(isinstance(value, float) and math.isfinite(value) for value in values):
            raise _NotFiniteError
        columns = len(labels_of(self.subscripts, part.ranges[-1]))
        return values if AXES[kind] == 1 else [values[i : i + columns] for i in range(0, len(values), columns)]


class _NotFiniteError(Exception):
    """An argument that must be finite is not."""


def quotient(dividend: float, divisor: float) -> float:
    """A division as the processor does it: by zero it is infinite, zero by zero is nan."""
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend * math.copysign(1, divisor))


_POWERS: Mapping[str, Callable[[float], float]] = {
    "reciprocal": lambda base: quotient(1.0, base),
    "sqrt": math.sqrt,
    "square": lambda base: base * base,
}
"""Ways to compute a power that need no logarithm, and so hold for infinity too, by NumPy's names."""


def _way_of_power(exponent: Expr) -> str:
    """How a power is computed, as in the machine code; empty for a general one."""
    if exponent is S.NegativeOne or exponent is S.Half:
        return "sqrt" if exponent is S.Half else "reciprocal"
    return "square" if exponent.is_Number and float(exponent) == 2 else ""  # noqa: PLR2004 - the most common power


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError):
        return math.nan


def evaluate_arrays(expression: Expr, read: ReadArray) -> NDArray[np.float64]:
    """The values of a formula, in its own units; the shape is that to which everything it reads broadcasts.

    True is 1 and false is 0, as in Vensim. As in a run, a test of a number that is not finite gives nan.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_values(expression, read), dtype=float)


def _values(expression: Expr, read: ReadArray) -> NDArray[np.float64] | np.float64:
    if expression.is_Number:
        return np.float64(expression)
    if is_reference(expression):
        return np.asarray(read(*split_reference(expression)), dtype=float)
    if isinstance(expression, Mul):
        total: NDArray[np.float64] | np.float64 = np.float64(1)
        for factor, divides in product_factors(expression):
            total = total / _values(factor, read) if divides else total * _values(factor, read)
        return total
    values = [_values(argument, read) for argument in expression.args]
    if isinstance(expression, Add):
        return np.sum(np.stack(np.broadcast_arrays(*values)), axis=0) if len(values) > 2 else values[0] + values[1]  # noqa: PLR2004 - pairs need no stack
    if isinstance(expression, Pow):
        if way := _way_of_power(expression.exp):
            return np.asarray(getattr(np, way)(values[0]))
        return np.power(values[0], values[1]) - sum(value - value for value in values)
    row = row_of(expression)
    strict = [value for kind, value in zip(row.kinds, values, strict=True) if kind in {"finite", "condition"}]
    return row.arrays(*values) - sum(value - value for value in strict)  # nan where one is not finite


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
            following = next((cell for cell in needs if cell not in self.known), None)
            if following is None:
                try:
                    self.known[current] = self.given[current] if current in self.given else self._compute(current)
                    waiting.popitem()
                    continue
                except _UnknownError as unknown:
                    (following,) = unknown.args
            if following in waiting:
                self.known[following] = math.nan
            else:
                waiting[following] = self._needs(following)
        return self.known[root]

    def _needs(self, cell: Cell) -> Iterator[Cell]:
        """What a cell reads at the start in any case; what it reads on a condition is found while it is computed."""
        found = None if cell in self.given else self._equation(cell)
        if found is not None and not isinstance(found[0].expression, Table | Numbers):
            expression = transform(found[0].expression, _read_in_any_case)
            for needed in cells_in(self.model.subscripts, expression, found[2]):
                if needed.key in self.model.elements or needed == TIME:
                    yield _at_start(needed)

    def _equation(self, cell: Cell) -> tuple[Equation, int, Binding] | None:
        """The equation of a cell, the place of the cell in it, and the label that each range means there."""
        if cell.key in self.model.elements and cell.key not in self.cells:
            self.cells[cell.key] = {
                labels: (equation, index, binding)
                for equation in self.model.elements[cell.key].equations
                for index, (labels, binding) in enumerate(bindings(self.model.subscripts, equation))
            }
        return self.cells.get(cell.key, {}).get(cell.labels)

    def _compute(self, cell: Cell) -> float | Table:
        found = self._equation(cell)
        if found is None:
            return math.nan
        equation, index, binding = found
        expression = equation.expression
        if isinstance(expression, Table | Numbers):
            return expression if isinstance(expression, Table) else expression.at(index)

        def get(needed: Cell) -> float | Table:
            named = _at_start(needed)
            if named not in self.known:
                raise _UnknownError(named)
            return self.known[named]

        return evaluate(self.model.subscripts, expression, binding, get)


class _UnknownError(Exception):
    """A cell, the only argument, is read before its value is known."""


def _at_start(cell: Cell) -> Cell:
    """The cell that another equals at the start: Time is INITIAL TIME then."""
    return Cell("initial_time") if cell == TIME else cell


def _read_in_any_case(part: Expr) -> Expr | None:
    """What a call certainly reads at the start, in its place."""
    if not isinstance(part, VensimFunction):
        return None
    if "branch" in part.row.kinds:
        certain = [argument for kind, argument in zip(part.row.kinds, part.args, strict=True) if kind != "branch"]
        return certain[0] if len(certain) == 1 else add(*certain)
    return None if part.row.at_start is None else part.row.initial_value(part.args)
