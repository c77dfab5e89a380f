"""What does not vary in time within the equations of a step: parts to compute once, at the start, and divisors."""

from __future__ import annotations

from dataclasses import dataclass, field

from sympy import Expr, Indexed, Mul, Symbol

from ..model import (
    Assignment,
    Binding,
    Cell,
    Plan,
    Slice,
    VensimFunction,
    cells_in,
    counts_labels,
    divides,
    is_reduction,
    unsigned,
    walk,
)

_MOST_CELLS = 20_000
"""In a larger model, whose time to compile matters most, nothing is sought."""

Invariant = tuple[Expr, tuple[tuple[str, str], ...]]
"""An expression and the labels of the ranges in it."""


@dataclass(frozen=True, slots=True)
class Invariants:
    """The parts of equations that do not vary in time, beyond cells and numbers, and the cells and parts that something is divided by."""

    parts: tuple[Invariant, ...] = ()
    divisors: tuple[Cell | Invariant, ...] = ()


def invariant_of(expression: Expr, binding: Binding) -> Invariant:
    """An expression in an equation, as a key."""
    return expression, tuple(binding.items())


def find_invariants(plan: Plan) -> Invariants:
    """Look through everything that is computed at each step, but for equations that become loops."""
    if sum(map(len, (*plan.at_start, *plan.at_step))) > _MOST_CELLS:
        return Invariants()
    search = _Search(plan)
    parts = (*plan.at_step, *plan.stock_parts, *plan.delays)
    for own in (part for part in parts if isinstance(part, Assignment)):
        memory = own.memory
        arguments = own.expression.args
        read = [arguments[index] for index in memory.reads_at_step or (0,)] if memory else [own.expression]
        for expression in read:
            if search.visit(expression, own.binding):
                search.collect(expression, own.binding)
    return Invariants(tuple(search.parts), tuple(search.divisors))


def _reads_time(expression: Expr) -> bool:
    """Whether the function at the top of an expression depends on time itself."""
    return isinstance(expression, VensimFunction) and (expression.row.reads_time or expression.row.memory is not None)


@dataclass
class _Search:
    """The parts and divisors that are found so far."""

    plan: Plan
    fixed: set[Cell] = field(init=False)
    parts: dict[Invariant, None] = field(default_factory=dict)
    divisors: dict[Cell | Invariant, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the cells that do not vary."""
        moving = {own.cell for own in self.plan.step}
        once = (own for own in self.plan.start if own.memory is None or own.keeps("start"))
        self.fixed = {*self.plan.constants, *self.plan.tables, *(own.cell for own in once if own.cell not in moving)}

    def visit(self, expression: Expr, binding: Binding) -> bool:
        """Whether an expression does not vary; the largest fixed parts of one that does are collected."""
        subscripts = self.plan.model.subscripts
        if counts_labels(expression):
            return True
        if is_reduction(expression) or isinstance(expression, Symbol | Indexed | Slice):
            reads_time = any(map(_reads_time, walk(expression)))
            return not reads_time and all(cell in self.fixed for cell in cells_in(subscripts, expression, binding))
        fixed = [self.visit(argument, binding) for argument in expression.args]
        if all(fixed) and not _reads_time(expression):
            return True
        for index, argument in enumerate(expression.args):
            if fixed[index]:
                is_first = index == 0
                if isinstance(expression, Mul) and divides(argument) and not is_first:
                    self._collect_divisor(argument.base, binding)
                else:
                    self.collect(argument if is_first else unsigned(argument), binding)
        return False

    def collect(self, expression: Expr, binding: Binding) -> None:
        """Note a part that does not vary, unless it is a number or a cell."""
        if not isinstance(expression, Symbol | Indexed | Slice) and expression.args:
            self.parts[invariant_of(expression, binding)] = None

    def _collect_divisor(self, divisor: Expr, binding: Binding) -> None:
        self.collect(divisor, binding)
        if isinstance(divisor, Symbol | Indexed):
            self.divisors |= dict.fromkeys(cells_in(self.plan.model.subscripts, divisor, binding))
        elif divisor.args:
            self.divisors[invariant_of(divisor, binding)] = None
