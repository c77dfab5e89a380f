"""The order of evaluation, found cell by cell, since elements of one variable may depend on each other.

A run needs two orders: what is worked out once at the start, where a stock depends on its initial value, and what is worked out
at every step, where a stock is known. What depends on constants alone belongs to the start.
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
from .expansion import STATES, expand
from .records import Element, Equation, Model
from .sizes import too_many_terms
from .subscripts import Binding, Cell, SubscriptFault, bindings, cells_in

TIME = Cell("time")

_READ_AT_START: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"INTEG": (1,), "ACTIVE INITIAL": (1,), "DELAY FIXED": (1, 2)}
)
_READ_AT_STEP: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"INTEG": (), "ACTIVE INITIAL": (0,), "DELAY FIXED": (), "INITIAL": (), "REINITIAL": (), "SAMPLE IF TRUE": (0, 1)}
)
"""Which arguments of a function with a memory its value depends on."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One cell, what it is, and what the ranges in that expression stand for."""

    cell: Cell
    expression: Expr
    binding: Binding

    @property
    def state(self) -> str:
        """The name of the function with a memory that the expression is, or nothing."""
        return (
            self.expression.name
            if isinstance(self.expression, VensimFunction) and self.expression.name in STATES
            else ""
        )


@dataclass(frozen=True, eq=False)
class Plan:
    """What to compute for a model and when.

    `constants` and `tables` are given; `start` is in the order of the start and ends with every stock known; `step` is what
    a step works out, in order; `stocks`, `delays` and `samples` are the cells that carry over to the next.
    """

    model: Model
    constants: Mapping[Cell, float]
    tables: Mapping[Cell, Table]
    start: tuple[Assignment, ...]
    step: tuple[Assignment, ...]

    def _of(self, *states: str) -> tuple[Assignment, ...]:
        return tuple(each for each in self.start if each.state in states)

    @cached_property
    def stocks(self) -> tuple[Assignment, ...]:
        """Every stock, hidden ones too."""
        return self._of("INTEG")

    @cached_property
    def delays(self) -> tuple[Assignment, ...]:
        """Every DELAY FIXED."""
        return self._of("DELAY FIXED")

    @cached_property
    def samples(self) -> tuple[Assignment, ...]:
        """Every SAMPLE IF TRUE."""
        return self._of("SAMPLE IF TRUE")


def assignments(model: Model, element: Element) -> Iterator[tuple[Equation, int, Assignment]]:
    """Every cell of an element, with its equation and its place in it."""
    for equation in element.equations:
        for index, (labels, binding) in enumerate(bindings(model.subscripts, equation)):
            yield equation, index, Assignment(Cell(element.key, labels), equation.expression, binding)


def plan(model: Model) -> Plan:
    """The order in which a model is computed.

    Raises
    ------
    ModelError
        If elements depend on each other at one moment, naming the cycle, a subscript stands for nothing, or the model is
        too large to be computed.
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
        for equation, index, each in assignments(expanded, element):
            if isinstance(each.expression, Table):
                tables[each.cell] = each.expression
            elif isinstance(each.expression, Numbers):
                constants[each.cell] = _value_at(each.expression, index, equation, element)
            elif element.kind == "constant":
                constants[each.cell] = float(each.expression)
            else:
                computed[each.cell] = each
    graph = _Graph(expanded, computed)
    once = _once(graph)
    step_cells = [
        cell for cell in computed if cell not in once and computed[cell].state not in {"INTEG", "DELAY FIXED"}
    ]
    step = graph.sort(step_cells, graph.at_step, lambda cell: cell in once)
    roots = [cell for cell, each in computed.items() if cell in once or each.state not in {"", "ACTIVE INITIAL"}]
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
    """Which computed cells each computed cell reads, at the start and at a step."""

    model: Model
    computed: Mapping[Cell, Assignment]

    def at_start(self, cell: Cell) -> Sequence[Cell]:
        return self._start[cell]

    def at_step(self, cell: Cell) -> Sequence[Cell]:
        return self._step[cell]

    @cached_property
    def _start(self) -> dict[Cell, list[Cell]]:
        return {cell: self._reads(each, _READ_AT_START) for cell, each in self.computed.items()}

    @cached_property
    def _step(self) -> dict[Cell, list[Cell]]:
        return {
            cell: self._reads(each, _READ_AT_STEP) if each.state else self._start[cell]
            for cell, each in self.computed.items()
        }

    def _reads(self, each: Assignment, which: Mapping[str, tuple[int, ...]]) -> list[Cell]:
        arguments: Iterable[Expr] = (each.expression,)
        if each.state in which:
            arguments = (each.expression.args[index] for index in which[each.state])
        found: dict[Cell, None] = {}
        try:
            for argument in arguments:
                found.update(dict.fromkeys(cells_in(self.model.subscripts, argument, each.binding)))
        except SubscriptFault as fault:
            raise ModelError([Fault(self._place(each.cell), str(fault))]) from None
        return [cell for cell in found if cell in self.computed or cell == TIME]

    def _place(self, cell: Cell) -> Place:
        return self.model.elements[cell.key].place

    def sort(
        self, roots: Iterable[Cell], reads: Callable[[Cell], Sequence[Cell]], known: Callable[[Cell], bool]
    ) -> list[Cell]:
        """The roots and all they read that is not known yet, each after what it reads (depth first, without recursion)."""
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
        carried = reads == self.at_step and self.computed[cell].state in {
            "INTEG",
            "DELAY FIXED",
            "INITIAL",
            "REINITIAL",
        }
        return not carried and not known(cell)

    def _cycle(self, cells: Sequence[Cell]) -> Fault:
        names = [spell(self.model, cell) for cell in (*cells, cells[0])]
        # each cell was found while the one before it was worked out: that one reads it
        message = f"simultaneous equations: {' <- '.join(names)}; put a stock or a delay into the loop"
        return Fault(self._place(cells[0]), message)


def _once(graph: _Graph) -> set[Cell]:
    """The cells that never change: they read nothing but constants and their like, or are fixed at the start."""
    varies: set[Cell] = {TIME}
    readers: dict[Cell, list[Cell]] = {}
    for cell, each in graph.computed.items():
        if each.state in {"INITIAL", "REINITIAL"}:
            continue
        if each.state or _depends_on_time(each.expression):
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
    if isinstance(expression, VensimFunction) and expression.name in {"STEP", "RAMP", "PULSE", "PULSE TRAIN"}:
        return True
    return any(_depends_on_time(argument) for argument in expression.args)


def spell(model: Model, cell: Cell) -> str:
    """A cell as the author would write it."""
    element = model.elements.get(cell.key)
    name = element.name if element else cell.key
    if not cell.labels:
        return name
    return f"{name}[{', '.join(model.labels.get(label, label) for label in cell.labels)}]"
