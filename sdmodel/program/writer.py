"""Expressions of the model as LLVM assembly, for one cell or in loops over many.

The row of each Vensim function says how it becomes instructions (`emit`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from itertools import islice
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from ..errors import Fault, ModelError
from ..model import (
    AXES,
    MARK,
    NEXT_TO_ZERO,
    TIME,
    Assignment,
    Binding,
    Cell,
    Column,
    Emitter,
    Frame,
    FunctionRow,
    Site,
    Slice,
    Table,
    UnequalError,
    VensimFunction,
    cell_name,
    count_cells,
    inner_bindings,
    labels_of,
    labels_read,
    picked_cell,
    position,
    product_factors,
    reduction_ranges,
    resolve,
    row_of,
    signed_terms,
    slice_cells,
    slice_place,
    split_reference,
)
from .arrays import Operand, Past, Rows
from .invariants import Invariant, invariant_of
from .ir import DIVISORS, Function, literal, loop_text, value_of
from .layout import Layout
from .tables import TableChoice, Tables

LINES = 1000
"""A function gets about this many instructions, so that the time to compile grows with the model and not with its square."""

_NO_AXES = Frame((), {})

_Item = TypeVar("_Item")

_CLOCK = frozenset(("%now", "%begun", "%late", "%early", "%dt"))
"""The registers for time, which is always finite."""

PARAMETERS = "ptr noalias %ws, double %t, double %s, double %h, ptr noalias %places"
ARGUMENTS = "ptr %ws, double %t, double %s, double %h, ptr %places"
"""What every function that works on a block of members takes: workspace, time, beginning of the step, its length, what lookups
remember; loops remember nothing."""


@dataclass
class Writer(Function):
    """A function under construction that writes expressions of the model: an `Emitter` for the table of functions.

    A number that is not finite decides nothing. Its `zero` is 0, or nan if it is not finite; the result of what could hide it (a
    comparison, a lookup) is united with that zero. `zeros` holds the zeros of registers, also of truth values; None stands for 0.

    `known` holds registers of cells that the function has computed or loaded; `outlined` are functions that it calls; `found` holds
    the results of lookups, and `carrying` those that are nan by their own arithmetic where x is not finite.
    A function `in_step` reads what the start computed for it: parts of equations that do not vary, and reciprocals of divisors.
    """

    layout: Layout = field(kw_only=True)
    tables: Tables = field(kw_only=True)
    in_step: bool = False
    known: dict[Cell | Invariant, str] = field(default_factory=dict)
    keys: dict[str, Cell | Invariant] = field(default_factory=dict)
    zeros: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(_CLOCK))
    outlined: list[str] = field(default_factory=list)
    found: dict[tuple[str, Table, str], str] = field(default_factory=dict)
    carrying: set[str] = field(default_factory=set)
    odd: str = ""
    """The register that is not zero if a stock that this function advances is not finite."""

    frame: Frame = field(default=_NO_AXES)
    """The cells that it writes for at the same time."""

    begun, late, early, dt = "%begun", "%late", "%early", "%dt"
    most_terms = 64
    """A SUM of more terms than this is a loop over its terms."""
    whole_quotients = False
    """Whether it divides even by what is known beforehand: the check of a reciprocal is a branch, which a loop must not have."""

    def __post_init__(self) -> None:
        """Write the registers for time: `Moment` in the table of functions says what they mean."""
        for register, value in (("now", "%t"), ("begun", "%s"), ("dt", "%h")):
            self.lines.append(f"  %{register} = fadd {self.number} {self.spread(value)}, {self.constant(-0.0)}")
        half = self.binary("*", "%dt", self.constant(0.5))
        self.lines.append(f"  %late = fadd {self.number} %begun, {half}")
        self.lines.append(f"  %early = fsub {self.number} %begun, {half}")

    def load(self, row: int) -> str:
        """Read a row of the workspace, and note that it is read."""
        self.tables.read[row] = True
        return super().load(row)

    def define(self, cell: Cell, value: str) -> None:
        """Set the value of a cell, here and in the workspace; the second may be left out of a step."""
        self.known[cell] = value
        self.store(value, self.layout.row[cell], optional=self.in_step)

    def advance(self, stock: str, rate: str) -> str:
        """Write what Euler makes of a stock in a step."""
        following = self.binary("+", stock, self.binary("*", self.dt, rate))
        self.add_odd(self.binary("-", following, following))
        return following

    def add_odd(self, zero: str) -> None:
        """Note a number that is not zero if a stock is not finite."""
        self.odd = self.union(self.odd, zero) if self.odd else zero

    def note_odd(self, where: str) -> None:
        """Let a number in memory no longer be zero if a stock is not finite."""
        self.lines.append(f"  %odd_before = load {self.number}, ptr {where}, align {8 * self.width}")
        odd = self.union("%odd_before", self.odd)
        self.lines.append(f"  store {self.number} {odd}, ptr {where}, align {8 * self.width}")

    def write(self, expression: Expr, binding: Binding) -> str:
        """Write an expression, and return the register of its value."""
        if expression.is_Number:
            return self.constant(float(expression))
        if isinstance(expression, Symbol | Indexed):
            return self._reference(expression, binding)
        if self._is_kept(expression, binding):
            part = invariant_of(expression, binding)
            return self._load_once(part, self.layout.invariant[part])
        if isinstance(expression, Add):
            return self._sum(expression, binding)
        if isinstance(expression, Mul):
            return self._product(expression, binding)
        if isinstance(expression, Pow):
            return self._power(expression.base, expression.exp, binding)
        row = row_of(expression)
        if "terms" in row.kinds:
            return self._reduce(row, expression, binding)
        value = self._call(row, expression, binding)
        if not row.gives_truth:
            return value
        zero = self.zeros.get(value)
        return self._with_zero(self._strict(self.choose(value, self.constant(1.0), self.constant(0.0)), zero), zero)

    def truth(self, expression: Expr, binding: Binding) -> str:
        """Write a condition, and return the register of its truth value; any number but 0 is true."""
        is_truth = isinstance(expression, VensimFunction) and expression.row.gives_truth
        if is_truth and not self._is_kept(expression, binding):
            return self._call(expression.row, expression, binding)
        value = self.write(expression, binding)
        truth = self.compare("<>", value, self.constant(0.0))
        return self._with_zero(truth, self._zero(value))

    def _zero(self, value: str) -> str | None:
        """Write 0, or nan where a number is not finite; None for one that is always finite."""
        if not value.startswith("%"):  # a literal
            return None
        if value not in self.zeros:
            self.zeros[value] = self.binary("-", value, value)
        return self.zeros[value]

    def strict(self, value: str, *arguments: str) -> str:
        """Write a number that is nan where one of the arguments is not finite."""
        return self._strict(value, *map(self._zero, arguments))

    def _strict(self, value: str, *zeros: str | None) -> str:
        """Write a number that is nan where a zero is."""
        found = dict.fromkeys(filter(None, zeros))
        return self.union(value, reduce(self.union, found)) if found else value

    def _with_zero(self, value: str, *zeros: str | None) -> str:
        """Let a truth value, or a number that is finite where its arguments are, carry the zeros of the arguments."""
        found = dict.fromkeys(filter(None, zeros))
        self.zeros[value] = reduce(self.union, found) if found else None
        return value

    def look_up(self, way: str, table: Table, x: str) -> str:
        """Write the value of a table at x."""
        if self.width > 1:
            return self.tables.write(self, way, table, x)
        if (way, table, x) not in self.found:
            found, carries = self.tables.remember(self, way, table, x)
            self.found[way, table, x] = found
            self.carrying |= {found} if carries else set()
        return self.found[way, table, x]

    def draw(self, site: str, seed: str, stream: str, member: str) -> str:
        """Write a random number of a stream, at this step and for each member."""
        step = self.load(self.layout.step_row or 0)
        words = ", ".join(f"{self.number} {word}" for word in (seed, stream, step, member))
        return self.put(f"call {self.number} @draw({words}, i64 {site})")

    def quantile(self, name: str, *arguments: str) -> str:
        """Write a quantile of a distribution, for each member in turn."""
        return self.call_by_member(f"quantile_{name}", *arguments)

    def _site(self, site: Site, binding: Binding) -> str:
        """The number of a place that draws."""
        subscripts = self.layout.plan.model.subscripts
        return str(site.number([resolve(subscripts, index, binding) for index in site.subscripts]))

    def _table(self, reference: Expr, binding: Binding) -> Table | TableChoice:
        return self.layout.plan.tables[self._cell(reference, binding)]

    def _known_table(self, part: Expr, binding: Binding) -> Table | TableChoice:
        return part if isinstance(part, Table) else self._table(part, binding)

    def _cell(self, reference: Expr, binding: Binding) -> Cell:
        name, indices = split_reference(reference)
        return Cell(name, tuple(resolve(self.layout.plan.model.subscripts, index, binding) for index in indices))

    def _reference(self, expression: Expr, binding: Binding) -> str:
        cell, model = self._cell(expression, binding), self.layout.plan.model
        if cell == TIME:
            return "%now"
        if cell in self.layout.row:
            if cell in self.known:
                return self.known[cell]
            register = self._load_once(cell, self.layout.row[cell])
            if cell in self.layout.plan.constants:  # the simulator refuses constants that are not finite
                self.zeros[register] = None
            return register
        if cell.key in model.subscripts and cell.labels:
            return self.constant(position(model.subscripts, cell.labels[0], binding))
        if cell.labels or cell.key in model.elements:
            message = f"'{cell_name(model, cell)}' has no equation; define it"
            raise ModelError([Fault(model.elements[cell.key].place, message)])
        return self.constant(position(model.subscripts, cell.key, binding))

    def _is_kept(self, expression: Expr, binding: Binding) -> bool:
        """Whether the value is in the workspace since the start."""
        return self.in_step and invariant_of(expression, binding) in self.layout.invariant

    def _load_once(self, key: Cell | Invariant, row: int) -> str:
        """Read a row of the workspace, which does not change within this function."""
        if key not in self.known:
            self.known[key] = self.load(row)
            self.keys[self.known[key]] = key
        return self.known[key]

    def binary(self, sign: str, left: str, right: str) -> str:
        """Write arithmetic on two numbers; a divisor that is known beforehand becomes a factor, if that changes no bit."""
        if sign != "/":
            return super().binary(sign, left, right)
        divisor = value_of(right)
        reciprocal = "" if divisor is None else self._literal_reciprocal(divisor)
        if divisor is not None and reciprocal and abs(math.frexp(divisor)[0]) == 0.5:  # noqa: PLR2004 - a power of two
            return super().binary("*", left, reciprocal)
        key = self.keys.get(right)
        if self.width > 1 and self.in_step and key is not None and key in self.layout.reciprocal:
            reciprocal = self.load(self.layout.reciprocal[key])
        if not reciprocal or self.whole_quotients or not self.tables.mathematics.fused:
            return super().binary(sign, left, right)
        arguments = ", ".join(f"{self.number} {value}" for value in (left, right, reciprocal))
        return self.put(f"call {self.number} @m_divide({arguments})")

    def _literal_reciprocal(self, divisor: float) -> str:
        least, most = DIVISORS
        return self.constant(1 / divisor) if least <= abs(divisor) <= most else ""

    def keep_part(self, part: Invariant) -> None:
        """Write a part of an equation that does not vary."""
        register = self.write(part[0], dict(part[1]))
        self.known[part] = register
        self.store(register, self.layout.invariant[part])

    def keep_reciprocal(self, key: Cell | Invariant) -> None:
        """Write the reciprocal of a divisor; nan if the divisor is too small or too large."""
        row = self.layout.row[key] if isinstance(key, Cell) else self.layout.invariant[key]
        divisor = self._load_once(key, row)
        size = self.call("fabs", divisor)
        least, most = (self.constant(bound) for bound in DIVISORS)
        fits = self.logic("and", self.compare(">=", size, least), self.compare("<=", size, most))
        reciprocal = super().binary("/", self.constant(1.0), divisor)
        self.store(self.choose(fits, reciprocal, self.constant(math.nan)), self.layout.reciprocal[key])

    def _sum(self, expression: Expr, binding: Binding) -> str:
        def add(writer: Writer, total: str, term: tuple[Expr, int]) -> str:
            return writer.binary("+" if term[1] > 0 else "-", total, writer.write(term[0], binding))

        rest = list(islice(signed_terms(expression), 1, None))
        return self._accumulate(rest, self.write(expression.args[0], binding), add, LINES)

    def _product(self, expression: Expr, binding: Binding) -> str:
        (first, _), *rest = product_factors(expression)
        if first is S.NegativeOne and len(rest) == 1 and not rest[0][1]:
            return self.negative(self.write(rest[0][0], binding))

        def multiply(writer: Writer, total: str, factor: tuple[Expr, bool]) -> str:
            return writer.binary("/" if factor[1] else "*", total, writer.write(factor[0], binding))

        return self._accumulate(rest, self.write(expression.args[0], binding), multiply, LINES)

    def _power(self, base: Expr, exponent: Expr, binding: Binding) -> str:
        value = self.write(base, binding)
        if exponent is S.NegativeOne or exponent is S.Half:
            return self.call("sqrt", value) if exponent is S.Half else self.binary("/", self.constant(1.0), value)
        if exponent.is_Number and float(exponent) == 2:  # noqa: PLR2004 - exact, and the most common power
            return self.binary("*", value, value)
        power = self.write(exponent, binding)
        return self.strict(self.call("pow", value, power), value, power)

    def write_array(self, own: Assignment, results: dict[int, int]) -> None:
        """Write a call of a function that returns an array; `results` are the rows of its numbers, by their places."""
        self.tables.routines.spread(self, own.expression.row, self._operands(own.expression, own.binding), results)

    def _operands(self, call: Expr, binding: Binding) -> list[Operand]:
        """Write the arguments of a function of whole arrays or of the past."""
        write: dict[str, Callable[[Expr, Binding], Operand]] = {"past": self._past, "table": self._known_table}
        write |= {kind: partial(self._rows, named=not count) for kind, count in AXES.items()}
        pairs = zip(call.row.kinds, call.args, strict=True)
        return [write.get(kind, self.write)(part, binding) for kind, part in pairs]

    def _past(self, reference: Expr, binding: Binding) -> Past:
        """The column of the history with the inputs of a delay."""
        return Past(str(self.layout.column[self._cell(reference, binding)]))

    def _rows(self, part: Slice, binding: Binding, *, named: bool) -> Rows:
        """The rows of an array, and where in it the number that it names is."""
        subscripts = self.layout.plan.model.subscripts
        rows = [self.layout.row[cell] for cell in slice_cells(subscripts, part, binding)]
        columns = len(labels_of(subscripts, part.ranges[-1])) if len(part.ranges) > 1 else 1
        place = self.constant(float(slice_place(subscripts, part, binding))) if named else ""
        self.tables.read[rows] = True
        return self.tables.routines.rows(rows, columns, place)

    def _picked(self, call: Expr, binding: Binding) -> str:
        """Read the number that a function picks from an array, where it is known which one; else an empty text."""
        cell = picked_cell(self.layout.plan.model.subscripts, call, binding)
        return self._load_once(cell, self.layout.row[cell]) if cell else ""

    def _call(self, row: FunctionRow, call: Expr, binding: Binding) -> str:
        if row.has_routine:
            picked = self._picked(call, binding)
            return picked or self.tables.routines.call(self, row, self._operands(call, binding))
        arguments, zeros = list[Any](), []
        for kind, part in zip(row.kinds, call.args, strict=True):
            if kind == "condition":
                arguments.append(self.truth(part, binding))
                zeros.append(self.zeros.get(arguments[-1]))
            elif kind == "table":
                arguments.append(self._known_table(part, binding))
            elif kind == "range":
                labels = labels_of(self.layout.plan.model.subscripts, split_reference(part)[0].removesuffix(MARK))
                arguments.append(float(len(labels)))
            elif kind == "site":
                arguments.append(self._site(part, binding))
            else:
                arguments.append(self.write(part, binding))
                if kind == "finite":
                    zeros.append(self._zero(arguments[-1]))
        emitter: Emitter[str] = self
        result = row.emit(emitter, *arguments)
        if row.gives_truth:
            return self._with_zero(result, *zeros)
        if result not in self.carrying:
            result = self._strict(result, *zeros)
        return self._with_zero(result, *zeros) if row.stays_finite else result

    def _reduce(self, row: FunctionRow, call: Expr, binding: Binding) -> str:
        subscripts, ranges = self.layout.plan.model.subscripts, reduction_ranges(call)
        if count_cells(subscripts, ranges) > self.most_terms:
            with suppress(UnequalError):
                return self._fold(row, call, binding)

        def reduce(writer: Writer, total: str, inner: Binding) -> str:
            return row.emit(writer, total, writer.write(call.args[0], inner))

        first, *rest = inner_bindings(subscripts, ranges, binding)
        return self._accumulate(rest, self.write(call.args[0], first), reduce, LINES)

    def _fold(self, row: FunctionRow, call: Expr, binding: Binding) -> str:
        """Write a reduction over many labels: its first term, and a call of a function that goes through the others."""
        subscripts, ranges = self.layout.plan.model.subscripts, reduction_ranges(call)
        outer = [axis for axis, length in enumerate(self.frame.lengths) if length > 1]
        first = self.write(call.args[0], next(inner_bindings(subscripts, ranges, binding)))
        frame = self.frame.bind(binding).inside(subscripts, ranges)
        body = LoopWriter(self.width, layout=self.layout, tables=self.tables, frame=frame)
        name = f"fold_{next(self.tables.parts)}"
        self.outlined.append(body.fold(name, row, call.args[0], len(self.frame.lengths)))
        counters = "".join(f", i64 {self.counter(axis)}" for axis in outer)
        return self.put(
            f"call {self.number} @{name}(ptr %ws, double %t, double %s, double %h, {self.number} {first}{counters})"
        )

    def counter(self, axis: int) -> str:
        """The place along an axis of a loop."""
        return f"%k{axis}"

    def _accumulate(
        self, items: Sequence[_Item], total: str, add: Callable[[Writer, str, _Item], str], most: int
    ) -> str:
        """Add items to a total; more than `most` are cut into functions, which take the total and return the new one."""
        if len(items) <= most:
            for item in items:
                total = add(self, total, item)
            return total
        for begin in range(0, len(items), most):
            inner = Writer(self.width, layout=self.layout, tables=self.tables, in_step=self.in_step)
            result = inner._accumulate(items[begin : begin + most], "%total", add, most)
            name = f"part_{next(self.tables.parts)}"
            head = f"internal {self.number} @{name}({PARAMETERS}, {self.number} %total) nounwind noinline"
            self.outlined += [*inner.outlined, inner.text(head, f"ret {self.number} {result}")]
            total = self.put(f"call {self.number} @{name}({ARGUMENTS}, {self.number} {total})")
        return total

    def start_value(self, assignment: Assignment) -> str:
        """Write the value of a cell that is computed once, or the initial value of one with a memory."""
        cell, expression, binding = assignment.cell, assignment.expression, assignment.binding
        if assignment.memory is None:
            return self.write(expression, binding)
        if assignment.keeps("delay"):
            # The length in time steps: at least one, and half a step counts as one (Vensim's output files).
            steps = self.binary("/", self.write(expression.args[1], binding), self.dt)
            rounded = self.call("floor", self.binary("+", steps, self.constant(0.5 + NEXT_TO_ZERO)))
            length = self.choose(self.compare(">", rounded, self.constant(1.0)), rounded, self.constant(1.0))
            self.store(self.strict(length, steps), self.layout.delay_steps[cell])
            initial = self.write(expression.row.initial_value(expression.args), binding)
            return self.strict(initial, steps)
        value = self.write(expression.row.initial_value(expression.args), binding)
        if assignment.keeps("sample"):
            self.store(value, self.layout.held[cell])
            return self.step_value(assignment)
        return value

    def step_value(self, assignment: Assignment) -> str:
        """Write the value of a cell that is computed at each step."""
        expression, binding = assignment.expression, assignment.binding
        if assignment.keeps("sample"):
            held = self.known[assignment.cell] = self.load(self.layout.held[assignment.cell])
            chosen = self.truth(expression.args[0], binding)
            value = self.choose(chosen, self.write(expression.args[1], binding), held)
            return self._strict(value, self.zeros.get(chosen))
        return self.write(expression.args[0] if assignment.memory else expression, binding)


Result = tuple[Expr, NDArray[np.int64]]
"""An expression, and the row of each cell."""


@dataclass
class LoopWriter(Writer):
    """The body of loops over the cells of a frame: each number is read from where that of the cell is, and all else is the same.

    A binding here holds only the labels of sums around an expression; each cell has its own. `%k0`, `%k1`, ... are the places along
    the axes. A `merged` frame has one loop for all axes, and refuses rows that are not evenly spaced along it. `data` are the lists
    that the body reads; `apart` numbers of neighbouring cells are not next to each other in memory.
    """

    merged: bool = False
    apart: int = 0
    data: dict[str, str] = field(default_factory=dict)

    whole_quotients = True
    most_terms = 128
    has_flows = False  # whether it computes values that are in no row

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.frame.lengths)

    def _columns(self, indices: Sequence[str], binding: Binding) -> list[Column]:
        frame, subscripts = self.frame.bind(binding), self.layout.plan.model.subscripts
        return [frame.column(subscripts, index) for index in indices]

    def _table(self, reference: Expr, binding: Binding) -> Table | TableChoice:
        name, indices = split_reference(reference)
        columns = self._columns(indices, binding)
        found = [self.layout.plan.tables[Cell(name, labels)] for labels in labels_read(columns)]
        if len(set(found)) == 1:
            return found[0]
        axes = sorted({axis for axis, _ in columns if axis is not None})
        return TableChoice(tuple(found), self._along(axes))

    def _site(self, site: Site, binding: Binding) -> str:
        columns = self._columns(site.subscripts, binding)
        numbers = [str(site.number(list(labels))) for labels in labels_read(columns)]
        return numbers[0] if len(numbers) == 1 else self._datum("i64", numbers, columns)

    def _past(self, reference: Expr, binding: Binding) -> Past:
        name, indices = split_reference(reference)
        columns = self._columns(indices, binding)
        found = [str(self.layout.column[Cell(name, labels)]) for labels in labels_read(columns)]
        return Past(found[0] if len(found) == 1 else self._datum("i64", found, columns))

    def look_up(self, way: str, table: Table | TableChoice, x: str) -> str:
        """Write the value of a table at x, or of that of each cell."""
        if isinstance(table, TableChoice):
            return self.tables.write_choice(self, way, table, x)
        return self.tables.write(self, way, table, x)

    def _rows(self, part: Slice, binding: Binding, *, named: bool) -> Rows:
        indices = split_reference(part.reference)[1]
        before, along = indices[: -len(part.ranges)], indices[-len(part.ranges) :]
        fixed = [*labels_read(self._columns(before, binding))]
        if len(set(fixed)) > 1:
            raise UnequalError
        array = super()._rows(part, dict(zip(before, fixed[0], strict=True)), named=False)
        if not named:
            return array
        columns, subscripts = self._columns(along, binding), self.layout.plan.model.subscripts
        bound = (dict(zip(along, labels, strict=True)) for labels in labels_read(columns))
        places = [float(slice_place(subscripts, part, own)) for own in bound]
        return replace(array, place=self._known(places, columns))

    def _picked(self, call: Expr, binding: Binding) -> str:
        subscripts, row = self.layout.plan.model.subscripts, self.layout.row
        cells = [picked_cell(subscripts, call, own) for own in self.frame.bind(binding).bindings()]
        if not any(cells):
            return ""
        if not all(cells):
            raise UnequalError
        rows = np.array([row[cell] for cell in cells if cell]).reshape(self.frame.lengths)
        return self._load(rows)

    def _load(self, rows: NDArray[np.int64], memory: str = "%ws") -> str:
        self.apart += bool((np.diff(rows.ravel() if self.merged else rows) != 1).any())
        return self.put(f"load {self.number}, ptr {self._place(rows, memory)}, align {8 * self.width}")

    def _reference(self, expression: Expr, binding: Binding) -> str:
        part = invariant_of(expression, binding)
        if part not in self.known:
            self.known[part] = self._find(expression, binding)
        return self.known[part]

    def _find(self, expression: Expr, binding: Binding) -> str:
        name, indices = split_reference(expression)
        layout, model = self.layout, self.layout.plan.model
        if name == TIME.key:
            return "%now"
        if name in model.subscripts or name not in model.elements:
            return self._position(name, indices, binding)
        rows = layout.rows_of(name, self._columns(indices, binding), self.rank)
        if (rows < 0).any():
            raise UnequalError
        register = self._load(rows)
        if ((rows >= layout.first_input) & (rows < layout.first_input + layout.constants)).all():
            self.zeros[register] = None  # the simulator refuses constants that are not finite
        return register

    def _position(self, name: str, indices: Sequence[str], binding: Binding) -> str:
        """The number of a label of a range."""
        subscripts = self.layout.plan.model.subscripts
        ((axis, labels),) = self._columns([*indices, name][:1], binding)
        values = {label: position(subscripts, label, {}) for label in dict.fromkeys(labels)}
        return self._known([values[label] for label in labels], [(axis, labels)])

    def _known(self, numbers: Sequence[float], columns: Sequence[Column]) -> str:
        """A number that is known for all labels along some columns."""
        if len(set(numbers)) == 1:
            return self.constant(numbers[0])
        return self.spread(self._datum("double", [*map(literal, numbers)], columns))

    def _datum(self, kind: str, values: Sequence[str], columns: Sequence[Column]) -> str:
        """Read the value of a cell from a list for all labels along some columns."""
        place = self._along(sorted({axis for axis, _ in columns if axis is not None}))
        where = self.put(f"getelementptr inbounds {kind}, ptr {self._store_data(kind, values)}, i64 {place}")
        return self.put(f"load {kind}, ptr {where}")

    def _along(self, axes: Sequence[int]) -> str:
        """The place of a cell among those along some axes."""
        if self.merged and len(axes) < sum(length > 1 for length in self.frame.lengths):
            raise UnequalError
        if self.merged:
            return self.counter(0)
        place = ""
        for axis in axes:
            if self.frame.lengths[axis] == 1:
                continue
            if place:
                place = self.put(f"mul i64 {place}, {self.frame.lengths[axis]}")
                place = self.put(f"add i64 {place}, {self.counter(axis)}")
            else:
                place = self.counter(axis)
        return place or "0"

    def _place(self, rows: NDArray[np.int64], memory: str = "%ws") -> str:
        """The address of the row of each cell: steps along the axes where rows have them, else from a list."""
        self.tables.read[rows] = True
        used = [axis for axis, length in enumerate(rows.shape) if length > 1]
        first = int(rows.flat[0])
        if not used:
            return self._row(memory, first)
        if self.merged:
            steps = np.diff(rows.ravel())
            if rows.size < self.frame.cells or (steps != steps[0]).any():
                raise UnequalError
            return self._shift(self._row(memory, first), self.counter(0), int(steps[0]))
        offsets = {
            axis: rows[tuple(slice(None) if own == axis else 0 for own in range(self.rank))] - first for axis in used
        }
        mesh = np.ix_(*(offsets.get(axis, np.zeros(1, np.int64)) for axis in range(self.rank)))
        if not np.array_equal(first + sum(mesh), rows):
            return self._listed(memory, rows.ravel(), self._along(used))
        where = self._row(memory, first)
        for axis, offset in offsets.items():
            step = int(offset[1])
            if (offset == step * np.arange(len(offset))).all():
                where = self._shift(where, self.counter(axis), step)
            else:
                where = self._listed(where, offset, self.counter(axis))
        return where

    def _row(self, memory: str, row: int) -> str:
        return self.put(f"getelementptr inbounds double, ptr {memory}, i64 {row * self.width}")

    def _shift(self, where: str, counter: str, stride: int) -> str:
        if not stride:
            return where
        offset = self.put(f"mul i64 {counter}, {stride * self.width}")
        return self.put(f"getelementptr inbounds double, ptr {where}, i64 {offset}")

    def _listed(self, where: str, rows: NDArray[np.int64], counter: str) -> str:
        table = self._store_data("i64", [str(row) for row in (rows * self.width).tolist()])
        listed = self.put(f"getelementptr inbounds i64, ptr {table}, i64 {counter}")
        return self.put(f"getelementptr inbounds double, ptr {where}, i64 {self.put(f'load i64, ptr {listed}')}")

    def _store_data(self, kind: str, values: Sequence[str]) -> str:
        listed = f"[{len(values)} x {kind}] [{', '.join(f'{kind} {value}' for value in values)}]"
        if listed not in self.data:
            self.data[listed] = f"@data_{next(self.tables.parts)}"
        return self.data[listed]

    def _accumulate(
        self, items: Sequence[_Item], total: str, add: Callable[[Writer, str, _Item], str], most: int
    ) -> str:
        return super()._accumulate(items, total, add, max(most, len(items)))

    def loop(self, name: str, results: Sequence[Result]) -> str:
        """The function that computes each expression for each cell, into its rows, which no other expression reads."""
        entry, self.lines = self.lines, []
        for value, rows in self.results(results):
            self.lines.append(f"  store {self.number} {value}, ptr {self._place(rows, '%to')}, align {8 * self.width}")
        if self.odd:
            self.note_odd("%odd")
        lengths = [self.frame.cells] if self.merged else self.frame.lengths
        axes = [(axis, length) for axis, length in enumerate(lengths) if length > 1]
        lanes = self.tables.mathematics.lanes if self.width == 1 else 1
        return self._whole(loop_text(name, axes, entry, self.lines, lanes, self.apart, self.number if self.odd else ""))

    def results(self, results: Sequence[Result]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Write each value, and say in which row of each cell it belongs."""
        return ((self.write(expression, {}), rows) for expression, rows in results)

    def fold(self, name: str, row: FunctionRow, term: Expr, first: int) -> str:
        """The function that adds the terms along the axes from the `first` on, but for the first term, to a total."""
        entry, self.lines = self.lines, []
        inner = [axis for axis in range(first, self.rank) if self.frame.lengths[axis] > 1]
        rest = "%i"
        for axis in reversed(inner[1:]):
            length = self.frame.lengths[axis]
            self.lines.append(f"  %k{axis} = urem i64 {rest}, {length}")
            rest = self.put(f"udiv i64 {rest}, {length}")
        self.lines.append(f"  %k{inner[0]} = add i64 {rest}, 0")
        total = row.emit(self, "%total", self.write(term, {}))
        self.lines = [
            "entry:",
            *entry,
            "  br label %body",
            "body:",
            "  %i = phi i64 [ 1, %entry ], [ %i2, %body ]",
            f"  %total = phi {self.number} [ %first, %entry ], [ {total}, %body ]",
            *self.lines,
            "  %i2 = add i64 %i, 1",
            f"  %more = icmp ult i64 %i2, {prod(self.frame.lengths[first:])}",
            "  br i1 %more, label %body, label %done",
            "done:",
        ]
        counters = "".join(f", i64 %k{axis}" for axis in range(first) if self.frame.lengths[axis] > 1)
        taken = f"ptr noalias %ws, double %t, double %s, double %h, {self.number} %first{counters}"
        head = f"internal {self.number} @{name}({taken}) nounwind noinline"
        return self._whole(self.text(head, f"ret {self.number} {total}"))

    def _whole(self, text: str) -> str:
        data = [f"{name} = private unnamed_addr constant {listed}" for listed, name in self.data.items()]
        return "\n".join([*data, *self.outlined, text])
