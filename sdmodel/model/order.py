"""The order of evaluation, found cell by cell, since cells of one variable may depend on each other.

A run needs two orders: the cells computed once at the start, where a stock depends on its initial value, and the cells
computed at every step, where the stocks are known. What depends on constants alone belongs to the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from weakref import WeakKeyDictionary

from sympy import Expr

from ..errors import Fault, ModelError, Place
from .algebra import Numbers, Table, VensimFunction
from .expansion import expand
from .functions.row import Memory
from .records import Element, Equation, Model
from .subscripts import Binding, Cell, SubscriptFault, bindings, cells_in, too_many_terms

TIME = Cell("time")
"""Time as a cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One cell, its expression, and the labels that the ranges in the expression stand for."""

    cell: Cell
    expression: Expr
    binding: Binding

    @property
    def state(self) -> str:
        """The name of the function with memory that the expression calls, or an empty string."""
        return self.expression.name if self.memory else ""

    @property
    def memory(self) -> Memory | None:
        """How that function carries its value from step to step."""
        return self.expression.row.memory if isinstance(self.expression, VensimFunction) else None

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

    def _with_memory(self, kind: str) -> tuple[Assignment, ...]:
        return tuple(own for own in self.start if own.memory and own.memory.kept == kind)

    @cached_property
    def stocks(self) -> tuple[Assignment, ...]:
        """Every stock, including hidden ones."""
        return self._with_memory("stock")

    @cached_property
    def delays(self) -> tuple[Assignment, ...]:
        """Every DELAY FIXED."""
        return self._with_memory("delay")

    @cached_property
    def samples(self) -> tuple[Assignment, ...]:
        """Every SAMPLE IF TRUE."""
        return self._with_memory("sample")


def assignments(model: Model, element: Element) -> Iterator[tuple[Equation, int, Assignment]]:
    """Yield every cell of an element with its equation and its position in the equation."""
    for equation in element.equations:
        for index, (labels, binding) in enumerate(bindings(model.subscripts, equation)):
            yield equation, index, Assignment(Cell(element.key, labels), equation.expression, binding)


def plan(model: Model) -> Plan:
    """Return the order in which a model is computed; the plan of a model is made once.

    Raises
    ------
    ModelError
        If elements depend on each other at the same moment (the message names the cycle), a range has no label
        in an equation, or the model is too large to be computed.
    """
    if model not in _PLANS:
        _PLANS[model] = _make_plan(model)
    return _PLANS[model]


_PLANS: WeakKeyDictionary[Model, Plan] = WeakKeyDictionary()


def _make_plan(model: Model) -> Plan:
    expanded = expand(model)
    if faults := [*too_many_terms(expanded)]:
        raise ModelError(faults)
    constants: dict[Cell, float] = {}
    tables: dict[Cell, Table] = {}
    computed: dict[Cell, Assignment] = {}
    for element in expanded:
        for equation, index, assignment in assignments(expanded, element):
            cell, expression = assignment.cell, assignment.expression
            if isinstance(expression, Table):
                tables[cell] = expression
            elif isinstance(expression, Numbers):
                constants[cell] = _value_at(expression, index, equation, element)
            elif element.kind == "constant":
                constants[cell] = float(expression)
            else:
                computed[cell] = assignment
    graph = _Graph(expanded, computed)
    fixed = _fixed_cells(graph)
    step_cells = [cell for cell, own in computed.items() if cell not in fixed and not own.carries()]
    step = graph.sort(step_cells, graph.at_step, lambda cell: cell in fixed)
    roots = [cell for cell, own in computed.items() if cell in fixed or (own.memory and own.memory.kept != "nothing")]
    start = graph.sort(roots, graph.at_start, lambda _: False)
    return Plan(
        expanded,
        MappingProxyType(constants),
        MappingProxyType(tables),
        tuple(computed[cell] for cell in start),
        tuple(computed[cell] for cell in step),
    )


def _value_at(numbers: Numbers, index: int, equation: Equation, element: Element) -> float:
    if index >= len(numbers.values) > 1:
        message = f"'{element.name}' has more labels than numbers; give one number for each label"
        raise ModelError([Fault(equation.place, message)])
    return numbers.at(index)


@dataclass(frozen=True, eq=False)
class _Graph:
    """The computed cells that each computed cell reads, at the start and at a step."""

    model: Model
    computed: Mapping[Cell, Assignment]

    def at_start(self, cell: Cell) -> Sequence[Cell]:
        return self._start[cell]

    def at_step(self, cell: Cell) -> Sequence[Cell]:
        return self._step[cell]

    @cached_property
    def _start(self) -> dict[Cell, list[Cell]]:
        return {
            cell: self._reads(own, own.memory.reads_at_start if own.memory else None)
            for cell, own in self.computed.items()
        }

    @cached_property
    def _step(self) -> dict[Cell, list[Cell]]:
        return {
            cell: self._reads(own, own.memory.reads_at_step) if own.memory else self._start[cell]
            for cell, own in self.computed.items()
        }

    def _reads(self, assignment: Assignment, which: tuple[int, ...] | None) -> list[Cell]:
        """Return the computed cells that an expression reads, or those that some of its arguments read."""
        expression = assignment.expression
        arguments = [expression] if which is None else [expression.args[index] for index in which]
        found: dict[Cell, None] = {}
        try:
            for argument in arguments:
                found.update(dict.fromkeys(cells_in(self.model.subscripts, argument, assignment.binding)))
        except SubscriptFault as fault:
            raise ModelError([Fault(self._place(assignment.cell), str(fault))]) from None
        return [cell for cell in found if cell in self.computed or cell == TIME]

    def _place(self, cell: Cell) -> Place:
        return self.model.elements[cell.key].place

    def sort(
        self, roots: Iterable[Cell], reads: Callable[[Cell], Sequence[Cell]], known: Callable[[Cell], bool]
    ) -> list[Cell]:
        """Sort the roots and everything they read that is not yet known, each after what it reads.

        A depth-first search without recursion, since chains of equations may be long.
        """
        done: dict[Cell, None] = {}
        active: dict[Cell, Iterator[Cell]] = {}
        for root in roots:
            if root in done:
                continue
            active[root] = iter(reads(root))
            while active:
                cell, pending = next(reversed(active.items()))
                following = next(
                    (c for c in pending if c not in done and c != TIME and self._pending(c, reads, known)), None
                )
                if following is None:
                    active.popitem()
                    done[cell] = None
                elif following in active:
                    raise ModelError([self._cycle([*active][[*active].index(following) :])])
                else:
                    active[following] = iter(reads(following))
        return list(done)

    def _pending(self, cell: Cell, reads: Callable[[Cell], Sequence[Cell]], known: Callable[[Cell], bool]) -> bool:
        return not (reads == self.at_step and self.computed[cell].carries()) and not known(cell)

    def _cycle(self, cells: Sequence[Cell]) -> Fault:
        names = [cell_name(self.model, cell) for cell in (*cells, cells[0])]
        # the search reached each cell from the one before it, which therefore reads it
        message = f"simultaneous equations: {' <- '.join(names)}; put a stock or a delay into the loop"
        return Fault(self._place(cells[0]), message)


def _fixed_cells(graph: _Graph) -> set[Cell]:
    """Return the cells that never change: they read only constants and other such cells, or are fixed at the start."""
    varies: set[Cell] = {TIME}
    readers: dict[Cell, list[Cell]] = {}
    for cell, assignment in graph.computed.items():
        if assignment.memory and assignment.memory.kept == "start":
            continue
        if assignment.memory or _depends_on_time(assignment.expression):
            varies.add(cell)
        for read in graph.at_step(cell):
            readers.setdefault(read, []).append(cell)
    waiting = list(varies)
    while waiting:
        for reader in readers.get(waiting.pop(), ()):
            if reader not in varies:
                varies.add(reader)
                waiting.append(reader)
    return {cell for cell in graph.computed if cell not in varies}


def _depends_on_time(expression: Expr) -> bool:
    if isinstance(expression, VensimFunction) and expression.row.reads_time:
        return True
    return any(_depends_on_time(argument) for argument in expression.args)


def cell_name(model: Model, cell: Cell) -> str:
    """Return the name of a cell in the spelling of the model: `name[label, label]`, without quotes."""
    element = model.elements.get(cell.key)
    name = element.name if element else cell.key
    if not cell.labels:
        return name
    return f"{name}[{', '.join(model.labels.get(label, label) for label in cell.labels)}]"
