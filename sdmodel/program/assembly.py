"""A whole model as one module of LLVM assembly: the start, a step, and the loops around them.

The row of each Vensim function says how it becomes instructions (`emit`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain, islice
from typing import Any, TypeVar

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
from .driver import driver_text
from .ir import Function, Mathematics
from .layout import Layout
from .tables import Tables

_LINES = 1000
"""A function gets about this many instructions, so that the time to compile grows with the model and not with its square."""

_TERMS = 64
"""A SUM of more terms than this is cut into functions of as many terms; a sum or product that is written out at `_LINES`."""

_Item = TypeVar("_Item")

_CLOCK = frozenset(("%now", "%begun", "%late", "%early", "%dt"))
"""The registers for time, which is always finite."""

_PARAMETERS = "ptr noalias %ws, double %t, double %s, double %h"
_ARGUMENTS = "ptr %ws, double %t, double %s, double %h"
"""What every function that works on a block of members takes: workspace, time, beginning of the step, its length."""


@dataclass
class _Writer(Function):
    """A function under construction that writes expressions of the model: an `Emitter` for the table of functions.

    A number that is not finite decides nothing. Its `zero` is 0, or nan if it is not finite; the result of what could hide it (a
    comparison, a lookup) is united with that zero. `zeros` holds the zeros of registers, also of truth values; None stands for 0.

    `known` holds the registers of cells that the function has computed or loaded already; `outlined` are functions that it calls.
    """

    layout: Layout = field(kw_only=True)
    tables: Tables = field(kw_only=True)
    known: dict[Cell, str] = field(default_factory=dict)
    zeros: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(_CLOCK))
    outlined: list[str] = field(default_factory=list)

    begun, late, early, dt = "%begun", "%late", "%early", "%dt"

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
        if isinstance(expression, VensimFunction) and expression.row.gives_truth:
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
        return self.tables.write(self, way, table, x)

    def _cell(self, reference: Expr, binding: Binding) -> Cell:
        name, indices = split_reference(reference)
        return Cell(name, tuple(resolve(self.layout.plan.model.subscripts, index, binding) for index in indices))

    def _reference(self, expression: Expr, binding: Binding) -> str:
        cell, model = self._cell(expression, binding), self.layout.plan.model
        if cell == TIME:
            return "%now"
        if cell in self.layout.row:
            if cell not in self.known:
                self.known[cell] = self.load(self.layout.row[cell])
                if cell in self.layout.plan.constants:  # the simulator refuses constants that are not finite
                    self.zeros[self.known[cell]] = None
            return self.known[cell]
        if cell.key in model.subscripts and cell.labels:
            return self.constant(position(model.subscripts, cell.labels[0], binding))
        if cell.labels or cell.key in model.elements:
            message = f"'{cell_name(model, cell)}' has no equation; define it"
            raise ModelError([Fault(model.elements[cell.key].place, message)])
        return self.constant(position(model.subscripts, cell.key, binding))

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
                arguments.append(
                    part if isinstance(part, Table) else self.layout.plan.tables[self._cell(part, binding)]
                )
            elif kind == "range":
                labels = labels_of(self.layout.plan.model.subscripts, split_reference(part)[0].removesuffix(MARK))
                arguments.append(float(len(labels)))
            else:
                arguments.append(self.write(part, binding))
                if kind == "finite":
                    zeros.append(self._zero(arguments[-1]))
        emitter: Emitter = self
        result = row.emit(emitter, *arguments)
        if row.gives_truth:
            return self._with_zero(result, *zeros)
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
            inner = _Writer(self.width, layout=self.layout, tables=self.tables)
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
            initial = self.write(expression.args[expression.row.at_start], binding)
            return self.strict(initial, steps)
        value = self.write(expression.args[expression.row.at_start], binding)
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


def module_text(layout: Layout, width: int, mathematics: Mathematics, *, adaptive: bool = False) -> str:
    """The assembly of a model for blocks of `width` members; `adaptive` to have automatic steps too."""
    tables, plan = Tables(width), layout.plan
    start = (lambda f, a=own: f.define(a.cell, f.start_value(a)) for own in plan.start)
    step = (lambda f, a=own: f.define(a.cell, f.step_value(a)) for own in plan.step)
    inputs = [(stock, layout.rate_row(index)) for index, stock in enumerate(plan.stocks)]
    inputs += [(delay, layout.delay_input[delay.cell]) for delay in plan.delays]
    rates = (lambda f, a=own, r=row: f.store(f.write(a.expression.args[0], a.binding), r) for own, row in inputs)
    update = (lambda f, a=own: f.define(a.cell, f.start_value(a)) for own in plan.fixed)
    texts = [
        _function("start", start, layout, tables),
        _function("update", update, layout, tables),
        _function("step", chain(step, rates), layout, tables),
    ]
    return "\n".join([*texts, tables.text(), driver_text(layout, width, adaptive=adaptive), mathematics.text(width)])


def _function(name: str, jobs: Iterable[Callable[[_Writer], None]], layout: Layout, tables: Tables) -> str:
    """The jobs in order, cut into functions that one function calls in turn."""
    parts = [_Writer(tables.width, layout=layout, tables=tables)]
    for job in jobs:
        if len(parts[-1].lines) > _LINES:
            parts.append(_Writer(tables.width, layout=layout, tables=tables))
        job(parts[-1])
    texts = []
    for index, part in enumerate(parts):
        texts += [*part.outlined, part.text(f"internal void @{name}_{index}({_PARAMETERS}) nounwind noinline")]
    whole = Function(tables.width)
    whole.lines += [f"  call void @{name}_{index}({_ARGUMENTS})" for index in range(len(parts))]
    return "\n".join([*texts, whole.text(f"internal void @{name}({_PARAMETERS}) nounwind")])
