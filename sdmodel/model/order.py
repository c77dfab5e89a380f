"""The order of evaluation: of whole equations over subscripts, and cell by cell where cells of one variable depend on each other.

A run needs two orders: the cells computed once at the start, where a stock depends on its initial value, and the cells
computed at every step, where the stocks are known. What depends on constants alone belongs to the start.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product, repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from sympy import Expr

from ..errors import Fault, ModelError, list_some
from ..extras import LazyModule, made_once
from .algebra import (
    Numbers,
    Slice,
    Table,
    VensimFunction,
    is_reference,
    numbers_of,
    references_in,
    split_reference,
    walk,
)
from .data.computed import with_computed_points
from .evaluation import evaluate
from .expansion import expand
from .frames import CellArray, CellMap, Column, Frame, UnequalError, labels_read, new_array, span, taken
from .functions.reductions import is_reduction
from .functions.refused import UNFINISHED, Unfinished
from .functions.row import FunctionRow, Memory
from .functions.solution import SOLUTION, ZERO_FOUND
from .names import join_name
from .records import Element, Equation, Model
from .subscripts import (
    MOST_WRITTEN,
    TIME,
    Binding,
    Cell,
    SubscriptFault,
    bindings,
    cells_in,
    chosen_cells,
    count_cells,
    count_terms,
    has_choice,
    labels_of,
    resolve,
    too_many_fault,
    too_many_terms,
)
from .text import quote_name

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")


FEWEST = 16
"""Equations with fewer cells than this are computed cell by cell."""


class _Computed:
    """What assignments and blocks have in common: an expression, and how it carries its value."""

    __slots__ = ()
    expression: Expr

    @property
    def returns_array(self) -> bool:
        """Whether it calls a function that returns an array, of which each cell is one number."""
        return isinstance(self.expression, VensimFunction) and self.expression.row.spreads > 0

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

    def read(self, at: Literal["start", "step"]) -> Sequence[Expr]:
        """The expressions that its value reads at the start, or at a step."""
        if self.memory is None:
            return [self.expression]
        which = self.memory.reads_at_start if at == "start" else self.memory.reads_at_step
        return [self.expression.args[index] for index in which]


@dataclass(frozen=True, slots=True, eq=False)
class Assignment(_Computed):
    """One cell, its expression, and the labels that the ranges in the expression stand for."""

    cell: Cell
    expression: Expr
    binding: Binding

    @property
    def key(self) -> str:
        """The key of the element."""
        return self.cell.key

    @property
    def frame(self) -> Frame:
        """The frame of the expression, which has no axis."""
        return Frame((), {}).bind(self.binding)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The labels of the cell."""
        return tuple((None, (label,)) for label in self.cell.labels)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Assignment]:
        yield self


@dataclass(frozen=True, slots=True, eq=False)
class Block(_Computed):
    """All cells of an equation with many, none of which depends on another at the same moment.

    `columns` are the labels of its cells, for each subscript on the left-hand side.
    """

    key: str
    expression: Expr
    frame: Frame
    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return self.frame.cells

    def __iter__(self) -> Iterator[Assignment]:
        for place, binding in zip(product(*map(range, self.frame.lengths)), self.frame.bindings(), strict=True):
            labels = tuple(own[place[axis]] for axis, own in self.columns if axis is not None)
            yield Assignment(Cell(self.key, labels), self.expression, binding)

    def slices(self, subscript: int) -> Iterator[Block]:
        """Yield the cells with each label of one subscript as a block of their own."""
        along, labels = self.columns[subscript]
        for label in dict.fromkeys(labels):
            places = [place for place, own in enumerate(labels) if own == label]
            frame, columns = self.frame.take(along, places), taken(self.columns, along, places)
            yield Block(self.key, self.expression, frame, columns)


Part = Assignment | Block


@dataclass(frozen=True, eq=False)
class Plan:
    """What to compute for a model, and in which order.

    `constants` and `tables` are given. `at_start` lists what to compute at the start, after which every stock is known; `at_step`
    what to compute at each step; `unvarying` what depends on constants alone, without what keeps the value of the start. Each is a
    cell or a block of cells. `stocks`, `delays` and `samples` carry over to the next step.
    """

    model: Model
    constants: CellMap[float]
    tables: Mapping[Cell, Table]
    at_start: tuple[Part, ...]
    at_step: tuple[Part, ...]
    unvarying: tuple[Part, ...]

    @cached_property
    def moving(self) -> frozenset[str]:
        """The keys of the elements that are computed at each step."""
        return frozenset(own.key for own in self.at_step)

    @cached_property
    def start(self) -> tuple[Assignment, ...]:
        """Every cell that is computed at the start."""
        return tuple(chain.from_iterable(self.at_start))

    @cached_property
    def step(self) -> tuple[Assignment, ...]:
        """Every cell that is computed at each step."""
        return tuple(chain.from_iterable(self.at_step))

    @cached_property
    def stock_parts(self) -> tuple[Part, ...]:
        """Every stock, including hidden ones; those that are held within a step come last."""
        found = [own for own in self.at_start if own.keeps("stock")]
        return tuple(sorted(found, key=lambda own: own.memory is not None and own.memory.held))

    @cached_property
    def shifts(self) -> Mapping[Assignment, tuple[Cell, ...]]:
        """Every SHIFT IF TRUE, with the stocks that it moves, in their order."""
        found = (own for part in self.at_start if part.keeps("shift") for own in part)
        return {own: _shifted(self.model, own) for own in found}

    def guesses(self, cell: Cell) -> tuple[Cell, Cell] | None:
        """The last guess for a cell that SIMULTANEOUS solves, and what its loop makes of it; None for another cell."""
        if (own := self._solved(cell, SOLUTION)) is None:
            return None
        guess, last = cells_in(self.model.subscripts, own.expression, own.binding)
        return guess, last

    def residual(self, cell: Cell) -> Cell | None:
        """The largest of what FIND ZERO makes zero for a cell; None for a cell that it does not solve for."""
        own = self._solved(cell, ZERO_FOUND)
        return None if own is None else next(cells_in(self.model.subscripts, own.expression.args[1], own.binding))

    def _solved(self, cell: Cell, row: FunctionRow) -> Assignment | None:
        """The assignment of a cell that a function solves for; None for another cell."""
        own = next(own for own in (*self.start, *self.step) if own.cell == cell)
        return own if isinstance(own.expression, VensimFunction) and own.expression.row is row else None

    @cached_property
    def stocks(self) -> tuple[Assignment, ...]:
        """The cells of every stock, in the same order."""
        return tuple(chain.from_iterable(self.stock_parts))

    @cached_property
    def delays(self) -> tuple[Assignment, ...]:
        """Every DELAY FIXED."""
        return tuple(own for part in self.at_start if part.keeps("delay") for own in part)

    @cached_property
    def passages(self) -> tuple[Assignment, ...]:
        """Every delay whose time may change."""
        return tuple(own for part in self.at_start if part.keeps("passage") for own in part)

    @cached_property
    def samples(self) -> tuple[Assignment, ...]:
        """Every SAMPLE IF TRUE."""
        return tuple(own for part in self.at_start if part.keeps("sample") for own in part)


@made_once
def plan(model: Model) -> Plan:
    """Return the order in which a model is computed; the plan of a model is made once.

    Raises
    ------
    ModelError
        If an equation is incomplete, elements depend on each other at the same moment (the message names the cycle), a range
        has no label in an equation, or the model is too large to be computed.
    """
    if faults := [*unfinished_equations(model)]:
        raise UnfinishedError(faults)
    expanded = expand(with_computed_points(model))
    if faults := [*too_many_terms(expanded)]:
        raise ModelError(faults)
    constants: CellMap[float] = CellMap()
    tables: dict[Cell, Table] = {}
    computed: list[Part] = []
    for name, element in expanded.elements.items():
        for equation in element.equations:
            expression = equation.expression
            if isinstance(expression, Table):
                tables |= {Cell(name, labels): expression for labels, _ in bindings(expanded.subscripts, equation)}
            elif isinstance(expression, Numbers) or element.kind == "constant":
                _add_constants(expanded, constants, element, equation)
            else:
                computed += _parts(expanded, element, equation)
    made = Plan(expanded, constants, MappingProxyType(tables), *_Ordering(expanded, computed).orders())
    _check_shifts(made)
    return made


class UnfinishedError(ModelError):
    """Equations only list what a variable depends on."""


def unfinished_equations(model: Model) -> Iterator[Fault]:
    """Yield a fault for each equation that only lists what a variable depends on, with A FUNCTION OF."""
    for element in model:
        for equation in element.equations:
            for found in [call for call in equation.calls if isinstance(call, Unfinished)][:1]:
                what = f"the equation of '{element.name}' is incomplete: {UNFINISHED} says only what it depends on"
                yield Fault(equation.parts.get(found, equation.place), f"{what}; write how")


def _check_shifts(made: Plan) -> None:
    """Raise an error if a SHIFT IF TRUE moves what is not a stock."""
    stocks = {own.cell for own in made.stocks} if made.shifts else set()
    for own, cells in made.shifts.items():
        if (other := next((cell for cell in cells if cell not in stocks), None)) is not None:
            what = (
                f"SHIFT IF TRUE would move '{cell_name(made.model, other)}', which is not a stock; define it with INTEG"
            )
            raise ModelError([Fault(made.model.elements[own.key].place, what)])


def _shifted(model: Model, own: Assignment) -> tuple[Cell, ...]:
    """The stocks that a SHIFT IF TRUE moves: from the one that it names on, along the last subscript."""
    reference, _, size, *_ = own.expression.args
    name, indices = split_reference(reference) if is_reference(reference) else ("", ())
    element, what = model.elements.get(name), ""
    if element is None or not indices or element.kind != "stock":
        shown = f"'{element.name}'" if element else "an expression"
        what = f"moves the elements of a stock with subscripts, and its first argument is {shown}; name the first element to move"
    elif references_in(size) and not all(
        name in model.subscripts for name, _ in map(split_reference, references_in(size))
    ):
        what = "needs to know how many elements it moves before the run; write a number or ELMCOUNT(range) as its size"
    if what:
        raise ModelError([Fault(model.elements[own.key].place, f"SHIFT IF TRUE {what}")])
    count = math.floor(evaluate(model.subscripts, size, own.binding, lambda _: math.nan) + 0.5)
    *before, label = (resolve(model.subscripts, index, own.binding) for index in indices)
    labels = labels_of(model.subscripts, model.elements[name].dimensions[-1])
    first = labels.index(label) if label in labels else 0
    if not 2 <= count <= len(labels) - first:  # noqa: PLR2004 - one element has no other to move to
        cell = cell_name(model, Cell(name, (*before, label)))
        what = f"SHIFT IF TRUE cannot move {count} elements from '{cell}' on; its size must be from 2 to {len(labels) - first}"
        raise ModelError([Fault(model.elements[own.key].place, what)])
    return tuple(Cell(name, (*before, following)) for following in labels[first : first + count])


def _add_constants(model: Model, constants: CellMap[float], element: Element, equation: Equation) -> None:
    """Add the numbers of an equation to the constants of a model."""
    subscripts, values = model.subscripts, numbers_of(equation.expression).values
    if count_cells(subscripts, equation.subscripts) < FEWEST and element.key not in constants.parts:
        cells = [Cell(element.key, labels) for labels, _ in bindings(subscripts, equation)]
        constants.parts.update(zip(cells, values if len(values) > 1 else repeat(values[0]), strict=False))
        count = len(cells)
    else:
        array = constants.parts.get(element.key)
        if not isinstance(array, CellArray):
            array = constants.parts[element.key] = new_array(subscripts, element, math.nan)
        frame, columns = span(subscripts, equation)
        count = frame.cells
        if 1 < len(values) < count:
            given: Any = 0.0
        else:
            given = values[0] if len(values) == 1 else np.array(values[:count]).reshape(frame.lengths)
        array.values[array.index(columns, len(frame.lengths))] = given
    if count > len(values) > 1:
        message = f"'{element.name}' has more labels than numbers; give one number for each label"
        raise ModelError([Fault(equation.place, message)])


def _parts(model: Model, element: Element, equation: Equation) -> Iterable[Part]:
    """The cells of an equation as a block, or each by itself where there are few or they keep values of their own."""
    row = equation.expression.row if isinstance(equation.expression, VensimFunction) else None
    if row is not None and row.spreads:
        return [Block(element.key, equation.expression, *span(model.subscripts, equation))]
    plain = row is None or row.memory is None or row.memory.kept in {"stock", "start"}
    if plain and count_cells(model.subscripts, equation.subscripts) >= FEWEST:
        block = Block(element.key, equation.expression, *span(model.subscripts, equation))
        return [block] if len(block) >= FEWEST else block
    return [
        Assignment(Cell(element.key, labels), equation.expression, binding)
        for labels, binding in bindings(model.subscripts, equation)
    ]


class _Graph:
    """Which parts read which at a moment, by number; a block whose cells depend on each other becomes slices, or its cells.

    Slices are enough where cells depend on those before them along one subscript, such as the passes of a search. `origin` has the
    number of the part that each came from.
    """

    def __init__(
        self, model: Model, computed: Sequence[Part], moment: Literal["start", "step"], known: _Graph | None = None
    ) -> None:
        """Connect the parts; `known` is the graph of another moment, at which most parts read the same."""
        self.model, self.moment = model, moment
        self.parts, self.origin = list(computed), list(range(len(computed)))
        self.unequal: set[int] = set(known.unequal) if known else set()
        self._connect(known.whole if known else None)
        self.whole: Sequence[dict[int, None]] = self.reads
        """What the parts read before blocks became slices or cells."""
        unequal = self.unequal
        pieces = self._cells(unequal)
        for recursive in self._recursive():
            blocks = {number: self.parts[number] for number in recursive if number not in unequal}
            steps = self._labels_of_steps(blocks.values())
            pieces |= {number: found for number, own in blocks.items() if len(found := _sliced(own, steps)) > 1}
        if pieces:
            self._replace(pieces)
        if cells := self._cells(chain(self.unequal, *self._recursive())):
            self._replace(cells)
        self.unequal = unequal

    def _replace(self, pieces: Mapping[int, Sequence[Part]]) -> None:
        """Put other parts in the place of some, and connect them all."""
        found = [
            (own, self.origin[number]) for number, part in enumerate(self.parts) for own in pieces.get(number, (part,))
        ]
        self.parts, self.origin, self.unequal = [own for own, _ in found], [origin for _, origin in found], set()
        self._connect()

    def _labels_of_steps(self, blocks: Collection[Part]) -> set[str]:
        """The labels that blocks read of each other along subscripts of which they have other labels themselves."""
        keys, subscripts, found = {own.key for own in blocks}, self.model.subscripts, set[str]()
        for own in blocks:
            leaves = (own.frame.leaves(subscripts, expression) for expression in own.read(self.moment))
            for name, indices, frame in chain.from_iterable(leaves):
                columns = [frame.column(subscripts, index) for index in indices] if name in keys else []
                for axis, labels in columns:
                    mine = [list(column) for along, column in own.columns if along == axis]
                    if list(labels) not in mine and not all(map(set(labels).isdisjoint, mine)):
                        found.update(labels)
        return found

    def _recursive(self) -> Iterator[list[int]]:
        """Yield the blocks of which cells depend on each other, together."""
        if any(isinstance(part, Block) for part in self.parts):
            for component in _components(self.reads):
                if len(component) > 1 or component[0] in self.reads[component[0]]:
                    yield [number for number in component if isinstance(self.parts[number], Block)]

    def _cells(self, numbers: Iterable[int]) -> dict[int, Sequence[Part]]:
        """The cells of blocks; raises ModelError where these are too many."""
        found: dict[int, Sequence[Part]] = {}
        total = 0
        for number in sorted(set(numbers)):
            part = self.parts[number]
            if isinstance(part, Block):
                found[number] = [*part]
                total += len(part) * count_terms(self.model.subscripts, part.expression)
            if total > MOST_WRITTEN:
                element = self.model.elements[part.key]
                raise ModelError([too_many_fault(self.model, element, element.place, written=True)])
        return found

    def _connect(self, known: Sequence[dict[int, None]] | None = None) -> None:
        """Find what each part reads, and which read Time; `known` is what those without a memory read."""
        self.singles: dict[Cell, int] = {}
        self.arrays: dict[str, CellArray[int]] = {}
        self.owners: dict[str, int] = {}
        counts = self.counts = Counter([part.key for part in self.parts])
        many = {part.key for part in self.parts if isinstance(part, Block)}
        for number, part in enumerate(self.parts):
            if part.key not in many:
                self.singles[part.cell] = number  # type: ignore[union-attr]
            elif counts[part.key] == 1:
                self.owners[part.key] = number
            else:
                self._own(number, part)
        self.reads_time: set[int] = set()
        self.reads = [
            known[number] if known and part.memory is None else self._reads(number, part)
            for number, part in enumerate(self.parts)
        ]

    def _own(self, number: int, part: Part) -> None:
        if part.key not in self.arrays:
            self.arrays[part.key] = new_array(self.model.subscripts, self.model.elements[part.key], -1)
        array = self.arrays[part.key]
        array.values[array.index(part.columns, len(part.frame.lengths))] = number

    def _reads(self, number: int, part: Part) -> dict[int, None]:
        """The parts that a part reads, in the order of its expression."""
        found: dict[int, None] = {}
        begins: dict[int, None] = {}
        try:
            for expression in part.read(self.moment):
                found.update(self._read_by(number, part, expression))
            if part.memory and part.keeps("sample"):  # it may read what it holds itself, first its initial value
                begins = self._read_by(number, part, part.expression.args[part.memory.reads_at_start[-1]])
        except SubscriptFault as fault:
            raise ModelError([Fault(self.model.elements[part.key].place, str(fault))]) from None
        except UnequalError:
            self.unequal.add(number)
        if part.keeps("sample") and not (self.moment == "start" and number in begins):
            found.pop(number, None)
        return found

    def _read_by(self, number: int, part: Part, expression: Expr) -> dict[int, None]:
        """The parts that an expression of a part reads."""
        subscripts, found = self.model.subscripts, dict[int, None]()
        if isinstance(part, Assignment) and (cells := self._cells_read(part, expression)) is not None:
            for cell in cells:
                read = self.singles.get(cell)
                if read is not None:
                    found[read] = None
                elif cell.key in self.owners:
                    found[self.owners[cell.key]] = None
                elif cell.key in self.arrays:
                    found |= {} if (own := self.arrays[cell.key].at(cell.labels)) is None else {own: None}
                elif cell == TIME:
                    self.reads_time.add(number)
            return found
        for name, indices, frame in part.frame.leaves(subscripts, expression):
            columns = [frame.column(subscripts, index) for index in indices]
            found |= dict.fromkeys(self._owners_of(name, columns, len(frame.lengths)))
            if name == TIME.key:
                self.reads_time.add(number)
        return found

    def _cells_read(self, part: Assignment, expression: Expr) -> Iterable[Cell] | None:
        """The cells that an expression of a part reads, or None if it is read by ranges."""
        if not (self.model.subscripts and _is_wide(expression)):
            return cells_in(self.model.subscripts, expression, part.binding)
        return chosen_cells(self.model, expression, part.binding) if has_choice(self.model, expression) else None

    def _owners_of(self, name: str, columns: Sequence[Column], rank: int) -> Iterable[int]:
        """The parts that compute the cells with these labels."""
        if name in self.owners:
            return [self.owners[name]]
        if name in self.arrays:
            own = np.unique(self.arrays[name].take(columns, rank))
            return own[own >= 0].tolist()
        if name not in self.counts:
            return ()
        read = (self.singles.get(Cell(name, labels)) for labels in labels_read(columns))
        return [own for own in read if own is not None]


def _sliced(block: Any, steps: Container[str]) -> list[Part]:
    """A block as slices along the subscripts that have the labels of steps; as its cells where a slice has few."""
    pieces: list[Any] = [block]
    for subscript, (_, labels) in enumerate(() if block.returns_array else block.columns):
        if any(label in steps for label in labels):
            pieces = [own for piece in pieces for own in piece.slices(subscript)]
    return [*chain.from_iterable([own] if len(own) >= FEWEST else own for own in pieces)]


def _is_wide(expression: Expr) -> bool:
    """Whether an expression is read by ranges rather than by cells: it has a reduction, and no array, of which it may pick a cell."""
    parts = [*walk(expression)]
    return any(map(is_reduction, parts)) and not any(isinstance(part, Slice) for part in parts)


@dataclass(frozen=True, slots=True)
class _Ordering:
    """The search for the orders of evaluation."""

    model: Model
    computed: Sequence[Part]

    def orders(self) -> tuple[tuple[Part, ...], tuple[Part, ...], tuple[Part, ...]]:
        """What to compute at the start, at each step, and again when constants change, in order."""
        step = _Graph(self.model, self.computed, "step")
        start = _Graph(self.model, self.computed, "start", step)
        fixed = _fixed_parts(step)
        carried = {number for number, own in enumerate(step.parts) if own.carries()}
        known = fixed | carried
        moving = _sort(step, [number for number in range(len(step.parts)) if number not in known], known)
        unvarying = {step.origin[number] for number in fixed}
        roots = [
            number
            for number, own in enumerate(start.parts)
            if start.origin[number] in unvarying or (own.memory and own.memory.kept != "nothing")
        ]
        first = _sort(start, roots, ())
        again = (number for number in first if start.origin[number] in unvarying and start.parts[number].memory is None)
        return (
            tuple(start.parts[number] for number in first),
            tuple(step.parts[number] for number in moving),
            tuple(start.parts[number] for number in again),
        )


def _sort(graph: _Graph, roots: Iterable[int], known: Container[int]) -> list[int]:
    """Sort the roots and everything they read that is not yet known, each after what it reads.

    A depth-first search without recursion, since chains of equations may be long.
    """
    reads, model = graph.reads, graph.model
    done: dict[int, None] = {}
    active: dict[int, Iterator[int]] = {}
    for root in roots:
        if root in done:
            continue
        active[root] = iter(reads[root])
        while active:
            number, pending = next(reversed(active.items()))
            following = next((other for other in pending if other not in done and other not in known), None)
            if following is None:
                active.popitem()
                done[number] = None
            elif following in active:
                # the search reached each part from the one before it, which therefore reads it
                cycle = [*active][[*active].index(following) :]
                cells = [next(iter(graph.parts[other])).cell for other in (*cycle, following)]
                names = list_some([cell_name(model, cell) for cell in cells], join=" <- ")
                message = f"simultaneous equations: {names}; put a stock or a delay into the loop"
                raise ModelError([Fault(model.elements[cells[0].key].place, message)])
            else:
                active[following] = iter(reads[following])
    return list(done)


def _components(reads: Sequence[Iterable[int]]) -> Iterator[list[int]]:
    """Yield the numbers of parts that depend on each other together (Tarjan's algorithm)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    path: dict[int, None] = {}
    for root in range(len(reads)):
        work: list[tuple[int, Iterator[int]]] = [] if root in index else [(root, iter(reads[root]))]
        while work:
            number, pending = work[-1]
            if number not in index:
                index[number] = low[number] = len(index)
                path[number] = None
            following = next(pending, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[number])
                if low[number] == index[number]:
                    found = [path.popitem()[0]]
                    while found[-1] != number:
                        found.append(path.popitem()[0])
                    yield found
            elif following not in index:
                work.append((following, iter(reads[following])))
            elif following in path:
                low[number] = min(low[number], index[following])


def _fixed_parts(graph: _Graph) -> set[int]:
    """Return the parts that never change: they read only constants and other such parts, or are fixed at the start."""
    varies: set[int] = set()
    readers: dict[int, list[int]] = {}
    for number, own in enumerate(graph.parts):
        if own.keeps("start"):
            continue
        if number in graph.reads_time or own.memory or _depends_on_time(own.expression):
            varies.add(number)
        for read in graph.reads[number]:
            readers.setdefault(read, []).append(number)
    waiting = list(varies)
    while waiting:
        for reader in readers.get(waiting.pop(), ()):
            if reader not in varies:
                varies.add(reader)
                waiting.append(reader)
    return {number for number in range(len(graph.parts)) if number not in varies}


def _depends_on_time(expression: Expr) -> bool:
    return any(isinstance(part, VensimFunction) and part.row.reads_time for part in walk(expression))


def cell_name(model: Model, cell: Cell) -> str:
    """Return the name of a cell in the spelling of the model: `name[label,label]`, without quotes."""
    return join_name(*_spelling(model, cell))


def quoted_cell(model: Model, cell: Cell) -> str:
    """Return the name of a cell as a file needs it: `name[label,label]`, in quotes what Vensim would not read without."""
    return quote_name(*_spelling(model, cell))


def _spelling(model: Model, cell: Cell) -> tuple[str, tuple[str, ...]]:
    element = model.elements.get(cell.key)
    own = (label for label in cell.labels if not (element and element.guess_of and "#" in label))
    labels = tuple(model.labels.get(label, label) for label in own)
    return model.owner_of(element).name if element else cell.key, labels
