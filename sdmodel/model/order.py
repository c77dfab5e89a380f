"""The order of evaluation, found cell by cell, since cells of one variable may depend on each other.

A run needs two orders: the cells computed once at the start, where a stock depends on its initial value, and the cells
computed at every step, where the stocks are known. What depends on constants alone belongs to the start.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from weakref import WeakKeyDictionary

from sympy import Expr

from ..errors import Fault, ModelError, list_some
from .algebra import Numbers, Table, VensimFunction, walk
from .expansion import expand
from .functions.refused import UNFINISHED, Unfinished
from .functions.row import Memory
from .functions.solution import SOLUTION
from .names import join_name
from .records import Model
from .subscripts import TIME, Binding, Cell, SubscriptFault, bindings, cells_in, too_many_terms
from .text import quote_name


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One cell, its expression, and the labels that the ranges in the expression stand for."""

    cell: Cell
    expression: Expr
    binding: Binding

    @property
    def memory(self) -> Memory | None:
        """How that function carries its value from step to step."""
        return self.expression.row.memory if isinstance(self.expression, VensimFunction) else None

    def keeps(self, kind: str) -> bool:
        """Whether it carries its value in one of the ways of `Memory.kept`."""
        return self.memory is not None and self.memory.kept == kind

    def carries(self) -> bool:
        """Whether its value at a step is known before the step is computed."""
        return self.memory is not None and not self.memory.reads_at_step


@dataclass(frozen=True, eq=False)
class Plan:
    """What to compute for a model, and in which order.

    `constants` and `tables` are given. `start` lists the cells to compute at the start, after which every stock is known;
    `step` lists the cells to compute at each step. `stocks`, `delays` and `samples` carry over to the next step.
    """

    model: Model
    constants: Mapping[Cell, float]
    tables: Mapping[Cell, Table]
    start: tuple[Assignment, ...]
    step: tuple[Assignment, ...]

    @cached_property
    def moving(self) -> frozenset[str]:
        """The keys of the elements that are computed at each step."""
        return frozenset(own.cell.key for own in self.step)

    @cached_property
    def fixed(self) -> tuple[Assignment, ...]:
        """What depends on constants alone, in order, without what keeps the value of the start."""
        changing = {own.cell for own in self.step}
        return tuple(own for own in self.start if own.memory is None and own.cell not in changing)

    def guesses(self, cell: Cell) -> tuple[Cell, Cell] | None:
        """The last guess for a cell that SIMULTANEOUS solves, and what its loop makes of it; None for another cell."""
        own = next(own for own in (*self.start, *self.step) if own.cell == cell)
        if not (isinstance(own.expression, VensimFunction) and own.expression.row is SOLUTION):
            return None
        guess, last = cells_in(self.model.subscripts, own.expression, own.binding)
        return guess, last

    @cached_property
    def stocks(self) -> tuple[Assignment, ...]:
        """Every stock, including hidden ones; those that are held within a step come last."""
        found = [own for own in self.start if own.keeps("stock")]
        return tuple(sorted(found, key=lambda own: own.memory is not None and own.memory.held))

    @cached_property
    def delays(self) -> tuple[Assignment, ...]:
        """Every DELAY FIXED."""
        return tuple(own for own in self.start if own.keeps("delay"))

    @cached_property
    def passages(self) -> tuple[Assignment, ...]:
        """Every delay whose time may change."""
        return tuple(own for own in self.start if own.keeps("passage"))

    @cached_property
    def samples(self) -> tuple[Assignment, ...]:
        """Every SAMPLE IF TRUE."""
        return tuple(own for own in self.start if own.keeps("sample"))


def plan(model: Model) -> Plan:
    """Return the order in which a model is computed; the plan of a model is made once.

    Raises
    ------
    ModelError
        If an equation is incomplete, elements depend on each other at the same moment (the message names the cycle), a range
        has no label in an equation, or the model is too large to be computed.
    """
    if model not in _PLANS:
        _PLANS[model] = _make_plan(model)
    return _PLANS[model]


_PLANS: WeakKeyDictionary[Model, Plan] = WeakKeyDictionary()


def unfinished_equations(model: Model) -> Iterator[Fault]:
    """Yield a fault for each equation that only lists what a variable depends on, with A FUNCTION OF."""
    for element in model:
        for equation in element.equations:
            found = next((part for part in walk(equation.expression) if isinstance(part, Unfinished)), None)
            if found is not None:
                what = f"the equation of '{element.name}' is incomplete: {UNFINISHED} says only what it depends on"
                yield Fault(equation.parts.get(found, equation.place), f"{what}; write how")


def _make_plan(model: Model) -> Plan:
    if faults := [*unfinished_equations(model)]:
        raise ModelError(faults)
    expanded = expand(model)
    if faults := [*too_many_terms(expanded)]:
        raise ModelError(faults)
    constants: dict[Cell, float] = {}
    tables: dict[Cell, Table] = {}
    computed: dict[Cell, Assignment] = {}
    for element in expanded:
        for equation in element.equations:
            expression = equation.expression
            for index, (labels, binding) in enumerate(bindings(expanded.subscripts, equation)):
                cell = Cell(element.key, labels)
                if isinstance(expression, Table):
                    tables[cell] = expression
                elif isinstance(expression, Numbers):
                    if index >= len(expression.values) > 1:
                        message = f"'{element.name}' has more labels than numbers; give one number for each label"
                        raise ModelError([Fault(equation.place, message)])
                    constants[cell] = expression.at(index)
                elif element.kind == "constant":
                    constants[cell] = float(expression)
                else:
                    computed[cell] = Assignment(cell, expression, binding)
    return Plan(expanded, MappingProxyType(constants), MappingProxyType(tables), *_orders(expanded, computed))


def _orders(model: Model, computed: Mapping[Cell, Assignment]) -> tuple[tuple[Assignment, ...], tuple[Assignment, ...]]:
    """Return what to compute at the start and at each step, in order."""
    at_start: dict[Cell, list[Cell]] = {}
    at_step: dict[Cell, list[Cell]] = {}
    for cell, own in computed.items():
        at_start[cell] = _reads(model, own, own.memory.reads_at_start if own.memory else None, computed)
        at_step[cell] = _reads(model, own, own.memory.reads_at_step, computed) if own.memory else at_start[cell]
        if own.memory and own.keeps("sample"):  # it may read what it holds itself, first its initial value
            begins = _reads(model, own, own.memory.reads_at_start[-1:], computed)
            at_start[cell] = [other for other in at_start[cell] if other != cell or cell in begins]
            at_step[cell] = [other for other in at_step[cell] if other != cell]
    fixed = _fixed_cells(computed, at_step)
    carried = {cell for cell, own in computed.items() if own.carries()}
    known = fixed | carried
    step = _sort(model, [cell for cell in computed if cell not in known], at_step, known)
    roots = [cell for cell, own in computed.items() if cell in fixed or (own.memory and own.memory.kept != "nothing")]
    start = _sort(model, roots, at_start, ())
    return tuple(computed[cell] for cell in start), tuple(computed[cell] for cell in step)


def _reads(
    model: Model, assignment: Assignment, which: tuple[int, ...] | None, computed: Container[Cell]
) -> list[Cell]:
    """Return the computed cells, and Time, that an expression reads, or those that some of its arguments read."""
    expression = assignment.expression
    found: dict[Cell, None] = {}
    try:
        for argument in [expression] if which is None else [expression.args[index] for index in which]:
            found.update(dict.fromkeys(cells_in(model.subscripts, argument, assignment.binding)))
    except SubscriptFault as fault:
        raise ModelError([Fault(model.elements[assignment.cell.key].place, str(fault))]) from None
    return [cell for cell in found if cell in computed or cell == TIME]


def _sort(
    model: Model, roots: Iterable[Cell], reads: Mapping[Cell, Iterable[Cell]], known: Container[Cell]
) -> list[Cell]:
    """Sort the roots and everything they read that is not yet known, each after what it reads.

    A depth-first search without recursion, since chains of equations may be long.
    """
    done: dict[Cell, None] = {}
    active: dict[Cell, Iterator[Cell]] = {}
    for root in roots:
        if root in done:
            continue
        active[root] = iter(reads[root])
        while active:
            cell, pending = next(reversed(active.items()))
            following = next(
                (other for other in pending if other not in done and other != TIME and other not in known), None
            )
            if following is None:
                active.popitem()
                done[cell] = None
            elif following in active:
                # the search reached each cell from the one before it, which therefore reads it
                cycle = [*active][[*active].index(following) :]
                names = list_some([cell_name(model, cell) for cell in (*cycle, following)], join=" <- ")
                message = f"simultaneous equations: {names}; put a stock or a delay into the loop"
                raise ModelError([Fault(model.elements[following.key].place, message)])
            else:
                active[following] = iter(reads[following])
    return list(done)


def _fixed_cells(computed: Mapping[Cell, Assignment], at_step: Mapping[Cell, Iterable[Cell]]) -> set[Cell]:
    """Return the cells that never change: they read only constants and other such cells, or are fixed at the start."""
    varies: set[Cell] = {TIME}
    readers: dict[Cell, list[Cell]] = {}
    for cell, assignment in computed.items():
        if assignment.keeps("start"):
            continue
        if assignment.memory or _depends_on_time(assignment.expression):
            varies.add(cell)
        for read in at_step[cell]:
            readers.setdefault(read, []).append(cell)
    waiting = list(varies)
    while waiting:
        for reader in readers.get(waiting.pop(), ()):
            if reader not in varies:
                varies.add(reader)
                waiting.append(reader)
    return {cell for cell in computed if cell not in varies}


def _depends_on_time(expression: Expr) -> bool:
    own = isinstance(expression, VensimFunction) and expression.row.reads_time
    return own or any(map(_depends_on_time, expression.args))


def cell_name(model: Model, cell: Cell) -> str:
    """Return the name of a cell in the spelling of the model: `name[label,label]`, without quotes that nobody needs."""
    return join_name(*_spelling(model, cell))


def quoted_cell(model: Model, cell: Cell) -> str:
    """Return the name of a cell as a file needs it: `name[label,label]`, in quotes what Vensim would not read without."""
    return quote_name(*_spelling(model, cell))


def _spelling(model: Model, cell: Cell) -> tuple[str, tuple[str, ...]]:
    element = model.elements.get(cell.key)
    labels = tuple(model.labels.get(label, label) for label in cell.labels)
    return model.owner_of(element).name if element else cell.key, labels
