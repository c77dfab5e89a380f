"""A whole model as one module of LLVM assembly: the start, a step, and the loops around them.

The row of each Vensim function says how it becomes instructions (`emit`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import chain, islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from ..errors import Fault, ModelError
from ..model import (
    MARK,
    NEXT_TO_ZERO,
    TIME,
    Assignment,
    Binding,
    Cell,
    Emitter,
    FunctionRow,
    Site,
    Table,
    VensimFunction,
    cell_name,
    inner_bindings,
    labels_of,
    position,
    product_factors,
    reduction_ranges,
    resolve,
    row_of,
    signed_terms,
    split_reference,
)
from .blocks import Group, in_blocks, in_label_order, is_block
from .driver import driver_text
from .invariants import Part, part_of
from .ir import DIVISORS, Function, Mathematics, literal, value_of
from .layout import Layout
from .random_numbers import random_text
from .tables import Tables

_LINES = 1000
"""A function gets about this many instructions, so that the time to compile grows with the model and not with its square."""

_TERMS = 64
"""A SUM of more terms than this is cut into functions of as many terms; a sum or product that is written out at `_LINES`."""

_Item = TypeVar("_Item")

_CLOCK = frozenset(("%now", "%begun", "%late", "%early", "%dt"))
"""The registers for time, which is always finite."""

_PARAMETERS = "ptr noalias %ws, double %t, double %s, double %h, ptr noalias %places"
_ARGUMENTS = "ptr %ws, double %t, double %s, double %h, ptr %places"
"""What every function that works on a block of members takes: workspace, time, beginning of the step, its length, what lookups remember."""


@dataclass
class _Writer(Function):
    """A function under construction that writes expressions of the model: an `Emitter` for the table of functions.

    A number that is not finite decides nothing. Its `zero` is 0, or nan if it is not finite; the result of what could hide it (a
    comparison, a lookup) is united with that zero. `zeros` holds the zeros of registers, also of truth values; None stands for 0.

    `known` holds the registers of cells that the function has computed or loaded already; `outlined` are functions that it calls.
    `found` holds the results of lookups, and `carrying` those that are nan by their own arithmetic where x is not finite.
    A function `in_step` reads what the start computed for it: parts of equations that do not vary, and reciprocals of divisors.
    """

    layout: Layout = field(kw_only=True)
    tables: Tables = field(kw_only=True)
    in_step: bool = False
    known: dict[Cell | Part, str] = field(default_factory=dict)
    keys: dict[str, Cell | Part] = field(default_factory=dict)
    zeros: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(_CLOCK))
    outlined: list[str] = field(default_factory=list)
    found: dict[tuple[str, Table, str], str] = field(default_factory=dict)
    carrying: set[str] = field(default_factory=set)

    begun, late, early, dt = "%begun", "%late", "%early", "%dt"
    whole_quotients = False
    """Whether it divides even by what is known beforehand: the check of a reciprocal is a branch, which a loop must not have."""

    def __post_init__(self) -> None:
        """Write the registers for time: `Moment` in the table of functions says what they mean."""
        for register, value in (("now", "%t"), ("begun", "%s"), ("dt", "%h")):
            self.lines.append(f"  %{register} = fadd {self.number} {self.spread(value)}, {self.constant(-0.0)}")
        half = self.binary("*", "%dt", self.constant(0.5))
        self.lines.append(f"  %late = fadd {self.number} %begun, {half}")
        self.lines.append(f"  %early = fsub {self.number} %begun, {half}")

    def define(self, cell: Cell, value: str) -> None:
        """Set the value of a cell, here and in the workspace."""
        self.known[cell] = value
        self.store(value, self.layout.row[cell])

    def write(self, expression: Expr, binding: Binding) -> str:
        """Write an expression, and return the register of its value."""
        if expression.is_Number:
            return self.constant(float(expression))
        if isinstance(expression, Symbol | Indexed):
            return self._reference(expression, binding)
        if self._is_kept(expression, binding):
            part = part_of(expression, binding)
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
        if self.width > 1:
            return self.tables.write(self, way, table, x)
        if (way, table, x) not in self.found:
            found, carries = self.tables.remember(self, way, table, x)
            self.found[way, table, x] = found
            self.carrying |= {found} if carries else set()
        return self.found[way, table, x]

    def draw(self, site: str, seed: str, stream: str, member: str) -> str:
        step = self.load(self.layout.step_row or 0)
        words = ", ".join(f"{self.number} {word}" for word in (seed, stream, step, member))
        return self.put(f"call {self.number} @draw({words}, i64 {site})")

    def quantile(self, name: str, *arguments: str) -> str:
        return self.call_by_member(f"quantile_{name}", *arguments)

    def _site(self, site: Site, binding: Binding) -> str:
        """The number of a place that draws."""
        subscripts = self.layout.plan.model.subscripts
        return str(site.number([resolve(subscripts, index, binding) for index in site.subscripts]))

    def _table(self, reference: Expr, binding: Binding) -> Table:
        return self.layout.plan.tables[self._cell(reference, binding)]

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
        return self.in_step and part_of(expression, binding) in self.layout.invariant

    def _load_once(self, key: Cell | Part, row: int) -> str:
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

    def keep_part(self, part: Part) -> None:
        """Write a part of an equation that does not vary."""
        register = self.write(part[0], dict(part[1]))
        self.known[part] = register
        self.store(register, self.layout.invariant[part])

    def keep_reciprocal(self, key: Cell | Part) -> None:
        """Write the reciprocal of a divisor; nan if the divisor is too small or too large."""
        row = self.layout.row[key] if isinstance(key, Cell) else self.layout.invariant[key]
        divisor = self._load_once(key, row)
        size = self.call("fabs", divisor)
        least, most = (self.constant(bound) for bound in DIVISORS)
        fits = self.logic("and", self.compare(">=", size, least), self.compare("<=", size, most))
        reciprocal = super().binary("/", self.constant(1.0), divisor)
        self.store(self.choose(fits, reciprocal, self.constant(math.nan)), self.layout.reciprocal[key])

    def _sum(self, expression: Expr, binding: Binding) -> str:
        def add(writer: _Writer, total: str, term: tuple[Expr, int]) -> str:
            return writer.binary("+" if term[1] > 0 else "-", total, writer.write(term[0], binding))

        rest = list(islice(signed_terms(expression), 1, None))
        return self._accumulate(rest, self.write(expression.args[0], binding), add, _LINES)

    def _product(self, expression: Expr, binding: Binding) -> str:
        (first, _), *rest = product_factors(expression)
        if first is S.NegativeOne and len(rest) == 1 and not rest[0][1]:
            return self.negative(self.write(rest[0][0], binding))

        def multiply(writer: _Writer, total: str, factor: tuple[Expr, bool]) -> str:
            return writer.binary("/" if factor[1] else "*", total, writer.write(factor[0], binding))

        return self._accumulate(rest, self.write(expression.args[0], binding), multiply, _LINES)

    def _power(self, base: Expr, exponent: Expr, binding: Binding) -> str:
        value = self.write(base, binding)
        if exponent is S.NegativeOne:
            return self.binary("/", self.constant(1.0), value)
        if exponent is S.Half:
            return self.call("sqrt", value)
        if exponent.is_Number and float(exponent) == 2:  # noqa: PLR2004 - exact, and the most common power
            return self.binary("*", value, value)
        power = self.write(exponent, binding)
        return self.strict(self.call("pow", value, power), value, power)

    def _call(self, row: FunctionRow, call: Expr, binding: Binding) -> str:
        arguments: list[Any] = []
        zeros = []
        for kind, part in zip(row.kinds, call.args, strict=True):
            if kind == "condition":
                arguments.append(self.truth(part, binding))
                zeros.append(self.zeros.get(arguments[-1]))
            elif kind == "table":
                arguments.append(part if isinstance(part, Table) else self._table(part, binding))
            elif kind == "range":
                labels = labels_of(self.layout.plan.model.subscripts, split_reference(part)[0].removesuffix(MARK))
                arguments.append(float(len(labels)))
            elif kind == "site":
                arguments.append(self._site(part, binding))
            else:
                arguments.append(self.write(part, binding))
                if kind == "finite":
                    zeros.append(self._zero(arguments[-1]))
        emitter: Emitter = self
        result = row.emit(emitter, *arguments)
        if row.gives_truth:
            return self._with_zero(result, *zeros)
        if result not in self.carrying:
            result = self._strict(result, *zeros)
        return self._with_zero(result, *zeros) if row.stays_finite else result

    def _reduce(self, row: FunctionRow, call: Expr, binding: Binding) -> str:
        def reduce(writer: _Writer, total: str, inner: Binding) -> str:
            return row.emit(writer, total, writer.write(call.args[0], inner))

        first, *rest = inner_bindings(self.layout.plan.model.subscripts, reduction_ranges(call), binding)
        return self._accumulate(rest, self.write(call.args[0], first), reduce, _TERMS)

    def _accumulate(
        self, items: Sequence[_Item], total: str, add: Callable[[_Writer, str, _Item], str], most: int
    ) -> str:
        """Add items to a total; more than `most` are cut into functions, which take the total and return the new one."""
        if len(items) <= most:
            for item in items:
                total = add(self, total, item)
            return total
        for begin in range(0, len(items), most):
            inner = _Writer(self.width, layout=self.layout, tables=self.tables, in_step=self.in_step)
            result = inner._accumulate(items[begin : begin + most], "%total", add, most)
            name = f"part_{next(self.tables.parts)}"
            head = f"internal {self.number} @{name}({_PARAMETERS}, {self.number} %total) nounwind noinline"
            self.outlined += [*inner.outlined, inner.text(head, f"ret {self.number} {result}")]
            total = self.put(f"call {self.number} @{name}({_ARGUMENTS}, {self.number} {total})")
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
        expression, binding = assignment.expression, assignment.binding
        if assignment.keeps("sample"):
            held = self.known[assignment.cell] = self.load(self.layout.held[assignment.cell])
            chosen = self.truth(expression.args[0], binding)
            value = self.choose(chosen, self.write(expression.args[1], binding), held)
            return self._strict(value, self.zeros.get(chosen))
        return self.write(expression.args[0] if assignment.memory else expression, binding)


_Job = Callable[[_Writer], None]
"""Something to compute, written into a function."""


class _NotUniformError(Exception):
    """The cells of a block differ by more than where their numbers are."""


@dataclass
class _LoopWriter(_Writer):
    """The body of a loop over the cells of a block: each number is read from where that of the cell is, and all else is the same.

    A binding here holds only the labels of sums around an expression; each cell adds its own. The loop runs over the last labels
    (`%j`, of `inner`) within one over the others (`%o`); `%i` counts cells. With `only_even` it refuses rows that are not evenly
    spaced. `columns` are the labels of each index so far, and `data` the lists that it reads.
    """

    block: Group = ()
    inner: int = 1
    only_even: bool = False
    columns: dict[tuple[str, tuple[tuple[str, str], ...]], Sequence[str]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)

    whole_quotients = True

    def look_up(self, way: str, table: Table, x: str) -> str:
        return self.tables.write(self, way, table, x)

    def _labels(self, index: str, inner: Binding) -> Sequence[str]:
        """The label of an index of a reference in each cell; `inner` are the labels of the sums around it."""
        if index in inner:
            return [inner[index]] * len(self.block)
        subscripts = self.layout.plan.model.subscripts
        is_mapped = index in subscripts and index not in self.block[0].binding
        part = index, tuple(inner.items()) if is_mapped else ()
        if part not in self.columns:
            self.columns[part] = [resolve(subscripts, index, {**own.binding, **inner}) for own in self.block]
        return self.columns[part]

    def _site(self, site: Site, binding: Binding) -> str:
        numbers = [super(_LoopWriter, self)._site(site, {**own.binding, **binding}) for own in self.block]
        where = self.put(f"getelementptr inbounds i64, ptr {self._store_data('i64', numbers)}, i64 %i")
        return self.put(f"load i64, ptr {where}")

    def _cells(self, reference: Expr, inner: Binding) -> list[tuple[str, tuple[str, ...]]]:
        """The cell that a reference reads, for each cell of the block; equal to a `Cell`, and quicker."""
        name, indices = split_reference(reference)
        labels = [self._labels(index, inner) for index in indices]
        return [(name, own) for own in zip(*labels, strict=True)] if labels else [(name, ())] * len(self.block)

    def _table(self, reference: Expr, binding: Binding) -> Table:
        first, *others = {self.layout.plan.tables[Cell(*cell)] for cell in self._cells(reference, binding)}
        if others:
            raise _NotUniformError
        return first

    def _reference(self, expression: Expr, binding: Binding) -> str:
        part = part_of(expression, binding)
        if part not in self.known:
            self.known[part] = self._find(expression, binding)
        return self.known[part]

    def _find(self, expression: Expr, binding: Binding) -> str:
        cells, layout = self._cells(expression, binding), self.layout
        if cells[0] == TIME:
            return "%now"
        rows = np.array([layout.row.get(cell, -1) for cell in cells])  # type: ignore[call-overload]
        if (rows >= 0).all():
            register = self.put(f"load {self.number}, ptr {self._place(rows)}, align {8 * self.width}")
            if ((rows >= layout.first_input) & (rows < layout.first_input + len(layout.inputs))).all():
                self.zeros[register] = None
            return register
        if (rows >= 0).any():
            raise _NotUniformError
        bindings = ({**own.binding, **binding} for own in self.block)
        positions = [super(_LoopWriter, self)._reference(expression, own) for own in bindings]
        if len(set(positions)) == 1:
            return positions[0]
        table = self._store_data("double", [literal(value_of(position) or 0.0) for position in positions])
        where = self.put(f"getelementptr inbounds double, ptr {table}, i64 %i")
        return self.spread(self.put(f"load double, ptr {where}"))

    def _place(self, rows: NDArray[np.int64]) -> str:
        """The address of the row of each cell: from evenly spaced rows if they are, else from a list of them."""
        grid = rows.reshape(-1, self.inner)
        inner, outer = _stride(grid), _stride(grid[:, :1].T)
        if inner is None and self.only_even:
            raise _NotUniformError
        if inner is None:
            return self._address("%i", rows.tolist())
        first = self._address("%o", grid[:, 0].tolist()) if outer is None else self._address("%o", int(rows[0]), outer)
        return self._shift(first, "%j", inner)

    def _address(self, counter: str, rows: Sequence[int] | int, stride: int = 0) -> str:
        if isinstance(rows, int):
            where = self.put(f"getelementptr inbounds double, ptr %ws, i64 {rows * self.width}")
            return self._shift(where, counter, stride)
        table = self._store_data("i64", [str(row * self.width) for row in rows])
        listed = self.put(f"getelementptr inbounds i64, ptr {table}, i64 {counter}")
        return self.put(f"getelementptr inbounds double, ptr %ws, i64 {self.put(f'load i64, ptr {listed}')}")

    def _shift(self, where: str, counter: str, stride: int) -> str:
        if not stride:
            return where
        offset = self.put(f"mul i64 {counter}, {stride * self.width}")
        return self.put(f"getelementptr inbounds double, ptr {where}, i64 {offset}")

    def _store_data(self, kind: str, values: Sequence[str]) -> str:
        listed = f"[{len(values)} x {kind}] [{', '.join(f'{kind} {value}' for value in values)}]"
        if listed not in self.data:
            self.data[listed] = f"@data_{next(self.tables.parts)}"
        return self.data[listed]

    def _accumulate(
        self, items: Sequence[_Item], total: str, add: Callable[[_Writer, str, _Item], str], most: int
    ) -> str:
        if len(items) > _LINES:
            raise _NotUniformError
        return super()._accumulate(items, total, add, max(most, len(items)))

    def loop(self, name: str, expression: Expr, rows: Sequence[int]) -> str:
        """The function that computes the expression for each cell, into rows that follow each other."""
        if list(rows) != list(range(rows[0], rows[0] + len(rows))):
            raise _NotUniformError
        entry, self.lines = self.lines, []
        value = self.write(expression, {})
        lines = [
            *entry,
            f"  %out = getelementptr inbounds double, ptr %to, i64 {rows[0] * self.width}",
            "  br label %outer",
            "outer:",
            "  %o = phi i64 [ 0, %entry ], [ %o2, %inner_done ]",
            f"  %begin = mul i64 %o, {self.inner}",
            "  br label %body",
            "body:",
            "  %j = phi i64 [ 0, %outer ], [ %j2, %body ]",
            "  %i = add i64 %begin, %j",
            *self.lines,
            f"  %out_at = mul i64 %i, {self.width}",
            "  %out_of = getelementptr inbounds double, ptr %out, i64 %out_at",
            f"  store {self.number} {value}, ptr %out_of, align {8 * self.width}",
            "  %j2 = add i64 %j, 1",
            f"  %j_more = icmp ult i64 %j2, {self.inner}",
            "  br i1 %j_more, label %body, label %inner_done",
            "inner_done:",
            "  %o2 = add i64 %o, 1",
            f"  %o_more = icmp ult i64 %o2, {len(rows) // self.inner}",
            "  br i1 %o_more, label %outer, label %done",
            "done:",
        ]
        self.lines = ["entry:", *lines]
        head = f"internal void @{name}(ptr noalias %ws, ptr noalias %to, double %t, double %s, double %h) nounwind noinline"
        data = [f"{name} = private unnamed_addr constant {listed}" for listed, name in self.data.items()]
        return "\n".join([*data, *self.outlined, self.text(head)])


def _stride(grid: NDArray[np.int64]) -> int | None:
    """The distance between the numbers of each line, if it is the same everywhere; 0 for a single number."""
    if grid.shape[1] == 1:
        return 0
    steps = np.diff(grid)
    return int(steps.flat[0]) if (steps == steps.flat[0]).all() else None


def _inner_length(block: Group) -> int:
    """The number of cells of a block that differ in their last label alone, if it is the same for all others."""
    lines = Counter(own.cell.labels[:-1] for own in block)
    length = lines[block[0].cell.labels[:-1]]
    in_lines = all(
        own.cell.labels[:-1] == block[index - index % length].cell.labels[:-1] for index, own in enumerate(block)
    )
    return length if set(lines.values()) == {length} and in_lines else len(block)


def _write_block(
    writer: _Writer,
    block: Group,
    expression: Expr,
    rows: Sequence[int],
    one_by_one: Callable[[_Writer, Assignment], None],
) -> None:
    """Write a loop over a block of cells, or each by itself where they differ too much.

    A single loop is best, if every number is in evenly spaced rows; else there are two, one within the other.
    """
    name = f"loop_{next(writer.tables.parts)}"
    columns: dict[tuple[str, tuple[tuple[str, str], ...]], Sequence[str]] = {}
    for inner, only_even in ((len(block), True), (_inner_length(block), False)):
        body = _LoopWriter(
            writer.width,
            layout=writer.layout,
            tables=writer.tables,
            block=block,
            inner=inner,
            only_even=only_even,
            columns=columns,
        )
        with suppress(_NotUniformError):
            writer.outlined.append(body.loop(name, expression, rows))
            writer.lines.append(f"  call void @{name}(ptr %ws, ptr %ws, double %t, double %s, double %h)")
            return
    for own in block:
        one_by_one(writer, own)


def module_text(layout: Layout, width: int, mathematics: Mathematics, *, adaptive: bool = False) -> str:
    """The assembly of a model for blocks of `width` members; `adaptive` to have automatic steps too."""
    tables = Tables(width, mathematics)
    kept: list[_Job] = [partial(_Writer.keep_part, part=part) for part in layout.invariant]
    if width > 1 and mathematics.fused:  # one member alone divides about as quickly
        kept += [partial(_Writer.keep_reciprocal, key=key) for key in layout.reciprocal]
    texts = [
        _function("start", chain(_start_jobs(layout, layout.plan.start), kept), layout, tables),
        _function("update", chain(_start_jobs(layout, layout.plan.fixed), kept), layout, tables),
        _function("step", chain(_step_jobs(layout), _rate_jobs(layout)), layout, tables, in_step=True),
    ]
    drawing = [] if layout.step_row is None else [random_text(width)]
    driver = driver_text(layout, width, places=tables.places, adaptive=adaptive)
    return "\n".join([*texts, tables.text(), driver, *drawing, mathematics.text(width)])


def _start_jobs(layout: Layout, assignments: Sequence[Assignment]) -> Iterator[_Job]:
    def write(f: _Writer, own: Assignment) -> None:
        f.define(own.cell, f.start_value(own))

    for group in in_blocks(layout.plan, assignments, _read_at_start):
        first = group[0]
        if is_block(group) and (first.memory is None or first.memory.kept in {"stock", "start"}):
            rows = [layout.row[own.cell] for own in group]
            (expression,) = _read_at_start(first)
            yield partial(_write_block, block=group, expression=expression, rows=rows, one_by_one=write)
        else:
            yield from (partial(write, own=own) for own in group)


def _read_at_start(own: Assignment) -> list[Expr]:
    return [own.expression.args[index] for index in own.memory.reads_at_start] if own.memory else [own.expression]


def _step_jobs(layout: Layout) -> Iterator[_Job]:
    def write(f: _Writer, own: Assignment) -> None:
        f.define(own.cell, f.step_value(own))

    for group in in_blocks(layout.plan, layout.plan.step, _read_at_step):
        if is_block(group) and group[0].memory is None:
            rows = [layout.row[own.cell] for own in group]
            yield partial(_write_block, block=group, expression=group[0].expression, rows=rows, one_by_one=write)
        else:
            yield from (partial(write, own=own) for own in group)


def _read_at_step(own: Assignment) -> list[Expr]:
    return [own.expression.args[index] for index in own.memory.reads_at_step] if own.memory else [own.expression]


def _rate_jobs(layout: Layout) -> Iterator[_Job]:
    """The rates of stocks, and the inputs of delays, with the steps that they take if those may change."""
    rate = {own: layout.rate_row(index) for index, own in enumerate(layout.stock_order)}

    def write(f: _Writer, own: Assignment) -> None:
        row = rate[own] if own in rate else layout.delay_input[own.cell]
        f.store(f.write(own.expression.args[0], own.binding), row)

    for group in in_label_order(layout.plan, layout.stock_order):
        if is_block(group):
            rows = [rate[own] for own in group]
            yield partial(
                _write_block, block=group, expression=group[0].expression.args[0], rows=rows, one_by_one=write
            )
        else:
            yield from (partial(write, own=own) for own in group)
    yield from (partial(write, own=own) for own in layout.plan.delays)
    for own in layout.plan.passages:
        for part in (0, 1):
            yield partial(_write_to, row=layout.passage[own.cell] + part, own=own, part=part)


def _write_to(f: _Writer, row: int, own: Assignment, part: int) -> None:
    """Write an argument of the function of a cell into a row."""
    f.store(f.write(own.expression.args[part], own.binding), row)


def _function(name: str, jobs: Iterable[_Job], layout: Layout, tables: Tables, *, in_step: bool = False) -> str:
    """The jobs in order, cut into functions that one function calls in turn."""
    texts: list[str] = []
    names: list[str] = []

    def finish(writer: _Writer) -> None:
        names.append(f"{name}_{len(names)}")
        texts.extend(writer.outlined)
        texts.append(writer.text(f"internal void @{names[-1]}({_PARAMETERS}) nounwind noinline"))

    writer = _Writer(tables.width, layout=layout, tables=tables, in_step=in_step)
    for job in jobs:
        if len(writer.lines) > _LINES:
            finish(writer)
            writer = _Writer(tables.width, layout=layout, tables=tables, in_step=in_step)
        job(writer)
    finish(writer)
    whole = Function(tables.width)
    whole.lines += [f"  call void @{part}({_ARGUMENTS})" for part in names]
    return "\n".join([*texts, whole.text(f"internal void @{name}({_PARAMETERS}) nounwind")])
