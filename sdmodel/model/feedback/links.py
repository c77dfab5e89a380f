"""Links: which cell of a model acts on which other cell during a run, and in which direction.

The direction is the sign of a partial derivative, which SymPy finds, at every time of the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Basic, Expr, Float, Mul, S, Symbol

from ..algebra import VensimFunction, multiply, transform
from ..evaluation import evaluate, evaluate_arrays
from ..functions.solution import SOLUTION, ZERO_FOUND
from ..functions.table import ARRAY_FUNCTIONS
from ..order import Assignment, Plan
from ..records import Model
from ..simultaneous import zero_of
from ..subscripts import TIME, Cell, cells_in, write_out

Series = NDArray[np.float64]
"""One number per time of a run."""
Pairs = Mapping[Cell, Mapping[Cell, Series]]
"""The derivative of each effect with respect to each cause, by cause and then effect."""

_TIME_STEP = Cell("time_step")
_NEGLIGIBLE = 1e-12
"""A derivative smaller than this share of its largest value over time is rounding."""
_MARK = "\0"
"""The names of the symbols made here begin with it; no other name does."""


@dataclass(frozen=True, eq=False)
class Links:
    """The derivatives of a model's cells with respect to each other over the times of a run, by cause and then effect.

    The causes of a stock are those of its net flow; its initial value does not count.
    """

    model: Model
    times: Series
    effects: Pairs

    @cached_property
    def active(self) -> Pairs:
        """The links that have an effect, or an unknown one, at some time."""
        return {
            cause: {effect: values for effect, values in found.items() if np.any(values != 0)}
            for cause, found in self.effects.items()
        }

    @cached_property
    def phases(self) -> tuple[Pairs, ...]:
        """The sets of links that have an effect, or an unknown one, at the same time, each set once."""
        found = [(cause, effect, own) for cause, links in self.effects.items() for effect, own in links.items()]
        acting = np.array([own != 0 for *_, own in found], dtype=bool).reshape(len(found), len(self.times))
        phases = []
        for pattern in np.unique(acting, axis=1).T:
            pairs: dict[Cell, dict[Cell, Series]] = {cause: {} for cause in self.effects}
            for cause, effect, own in itertools.compress(found, pattern):
                pairs[cause][effect] = own
            phases.append(pairs)
        return tuple(phases)

    def is_hidden(self, cell: Cell) -> bool:
        """Whether a cell is not in the model file, such as the level inside a SMOOTH."""
        return self.model.elements[cell.key].hidden


@dataclass(frozen=True, slots=True)
class Link:
    """A link from one variable to another, with the shares of all saved times and labels at which it has each effect.

    The cause raises the effect, lowers it, does neither (`idle`), or has an unknown effect. `cause` and `effect` are names
    in the spelling of the model. In a loop only the labels that the loop can pass count.
    """

    cause: str
    effect: str
    raising: float
    lowering: float
    idle: float
    unknown: float

    @property
    def polarity(self) -> str:
        """`+` or `-`, `mixed` if both occur, `0` if there is never an effect, `unknown` if no effect is known."""
        return polarity_of("+-", self.raising, self.lowering, self.unknown)


def polarity_of(names: str, positive: float, negative: float, unknown: float) -> str:
    """Return the name of the polarity with these shares; `names` are the letters for positive and negative."""
    if positive and negative:
        return "mixed"
    if positive or negative:
        return names[0] if positive else names[1]
    return "unknown" if unknown else "0"


def shares(signs: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the shares of signs that are positive, negative, zero and unknown."""
    found = ((signs > 0), (signs < 0), (signs == 0), np.isnan(signs))
    raising, lowering, idle, unknown = (float(np.mean(where)) for where in found)
    return raising, lowering, idle, unknown


def find_links(plan: Plan, times: Series, values: Mapping[Cell, Series]) -> Links:
    """Find every link between cells that change during a run, from the values of all computed cells at its times.

    Symbols are numbered, so that cells of one equation have equal expressions: they share their derivatives, which are evaluated
    for many cells together.
    """
    run = _Run(plan, times, values)
    computed = (*plan.stocks, *plan.delays, *plan.shifts, *plan.step)
    moving = {own.cell: own for own in computed if run.original(own.cell) == own.cell}
    effects: dict[Cell, dict[Cell, Series]] = {cell: {} for cell in moving}
    equal: dict[Expr, list[tuple[Cell, _Read]]] = {}
    for effect, assignment in moving.items():
        expression, read = run.written(assignment)
        equal.setdefault(expression, []).append((effect, read))
        for cause in read:
            if cause in moving:
                effects[cause][effect] = times  # keeps the place
    for expression, found in equal.items():
        derive = _Derivatives(expression)
        for place in range(max(len(read) for _, read in found)):
            linked = [
                (read[place], effect, read) for effect, read in found if place < len(read) and read[place] in moving
            ]
            for cause, effect, derivative in run.derivatives(derive, place, linked):
                effects[cause][effect] = derivative
    return Links(plan.model, times, effects)


_Read = tuple[Cell, ...]
"""The cells for which the numbered symbols of an expression stand."""
_MOST_NUMBERS = 5_000_000
"""About as many numbers are in use at once while derivatives are evaluated."""


class _Derivatives:
    """The partial derivatives of an expression in numbered symbols."""

    def __init__(self, expression: Expr) -> None:
        self.terms: dict[Basic, list[Expr]] = {}  # of a long sum, each cause is in few terms
        for term in expression.args if isinstance(expression, Add) else (expression,):
            for symbol in term.free_symbols:
                self.terms.setdefault(symbol, []).append(term)

    def by(self, place: int) -> Expr:
        """The derivative with respect to the symbol with this number; nan where it is not known."""
        try:
            return transform(Add(*(term.diff(_symbol(place)) for term in self.terms.get(_symbol(place), ()))), _plain)
        except NotImplementedError:
            return S.NaN


@dataclass(frozen=True, eq=False)
class _Run:
    """A run of a plan: its times and the values of every computed cell at them."""

    plan: Plan
    times: Series
    values: Mapping[Cell, Series]

    @cached_property
    def guesses(self) -> Mapping[Cell, Assignment]:
        """The guesses in the loops that SIMULTANEOUS and FIND ZERO solve."""
        return {own.cell: own for own in self.plan.step if self.original(own.cell) != own.cell}

    def original(self, cell: Cell) -> Cell:
        """The cell itself, or the one for which it is a guess."""
        element = self.plan.model.elements.get(cell.key)
        return Cell(element.guess_of, cell.labels) if element and element.guess_of else cell

    def as_written(self, assignment: Assignment) -> Assignment:
        """The assignment itself, or what a cell that is solved for depends on: guesses, or what FIND ZERO makes zero."""
        call = assignment.expression
        if isinstance(call, VensimFunction) and call.row is ZERO_FOUND:
            return self.guesses[Cell(zero_of(assignment.key), assignment.cell.labels)]
        if not isinstance(call, VensimFunction) or call.row is not SOLUTION:
            return assignment
        _, last = cells_in(self.plan.model.subscripts, call, assignment.binding)
        return self.guesses[last]

    def written(self, assignment: Assignment) -> tuple[Expr, _Read]:
        """The expression of a cell in numbered symbols, and the cells that they stand for; for a stock that of its rate."""
        cells: dict[Cell, Symbol] = {}

        def read(cell: Cell) -> Expr:
            cell = self.original(cell)
            return self.plan.tables.get(cell) or cells.setdefault(cell, _symbol(len(cells)))

        assignment = self.as_written(assignment)
        driver = assignment.expression.args[0] if assignment.keeps("stock") else assignment.expression
        return write_out(self.plan.model, driver, assignment.binding, read), tuple(cells)

    def derivatives(
        self, derive: _Derivatives, place: int, linked: Sequence[tuple[Cell, Cell, _Read]]
    ) -> Iterator[tuple[Cell, Cell, Series]]:
        """Yield the causes and effects of links with the derivatives at every time, all those of one place in one expression.

        The unit is that of the effect divided by that of the cause; for a stock the derivative is that of its rate, per unit of
        time. A derivative that cannot be known is nan, one that is only rounding is zero.
        """
        derivative = derive.by(place) if linked else S.Zero
        together = max(1, _MOST_NUMBERS // (len(self.times) * (1 + len(derivative.free_symbols))))
        for first in range(0, len(linked), together):
            some = linked[first : first + together]
            values = self.series(derivative, [read for *_, read in some])
            largest = np.max(np.abs(values), axis=1, initial=0.0, where=np.isfinite(values), keepdims=True)
            for (cause, effect, _), own in zip(
                some, np.where(np.abs(values) <= _NEGLIGIBLE * largest, 0.0, values), strict=True
            ):
                yield cause, effect, own

    def read(self, cell: Cell) -> Series | np.float64:
        """The values of a cell; nan for one that the run lacks."""
        if cell == TIME:
            return self.times
        return self.values.get(cell, np.float64(self.plan.constants.get(cell, np.nan)))

    def series(self, expression: Expr, rows: Sequence[_Read]) -> NDArray[np.float64]:
        """The values of an expression in numbered symbols, at every time of the run in the columns, for some cells in each row.

        They are nan where one of the cells that it reads is, even if only a condition needs that. Tables and functions of time are evaluated number by number, everything else together.
        """
        shape = (len(rows), len(self.times))
        values: dict[str, NDArray[np.float64]] = {}
        for name in sorted(symbol.name for symbol in expression.free_symbols if symbol.name.startswith(_MARK)):
            values[name] = np.empty(shape)
            for row, read in zip(values[name], rows, strict=True):
                row[:] = self.read(read[int(name.removeprefix(_MARK))])
        clock = {
            cell.key: np.asarray(self.read(cell), dtype=float) for cell in (TIME, _TIME_STEP)
        }  # functions of time read these
        values |= clock

        def change(part: Expr) -> Expr | None:
            if not isinstance(part, VensimFunction) or part.name in ARRAY_FUNCTIONS:
                return None
            made = Symbol(f"{_MARK}made{len(values)}")
            read = {
                name: values[name] for name in {*(symbol.name for symbol in part.free_symbols), *clock} & values.keys()
            }
            values[made.name] = _one_by_one(part, read, shape)
            return made

        plain = transform(expression, change)
        unknown = sum(np.where(np.isnan(own), np.nan, 0.0) for own in values.values())
        return evaluate_arrays(plain, lambda name, _: values[name]) + np.broadcast_to(unknown, shape)


def _symbol(place: int) -> Symbol:
    return Symbol(f"{_MARK}{place}")


def _plain(part: Expr) -> Expr | None:
    """A replacement for a part that SymPy introduced and numbers lack, or that would make a branch not taken infinite."""
    if isinstance(part, Mul):
        return _switched(part)
    if part.args or not part.is_number:
        return None
    if not part.is_extended_real:
        return S.NaN
    return None if part.is_Number else Float(part)


def _switched(product: Mul) -> Expr | None:
    """A product with a switch between 1 and 0 as a choice, so that the branch not taken may be infinite."""
    for place, factor in enumerate(product.args):
        if isinstance(factor, VensimFunction) and factor.name == "IF THEN ELSE":
            condition, then, otherwise = factor.args
            rest = product.args[:place] + product.args[place + 1 :]
            chosen = rest[0] if len(rest) == 1 else multiply(*rest)
            if (then, otherwise) == (S.One, S.Zero):
                return factor.func(condition, chosen, S.Zero)
            if (then, otherwise) == (S.Zero, S.One):
                return factor.func(condition, S.Zero, chosen)
    return None


def _one_by_one(call: Expr, values: Mapping[str, NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.float64]:
    rows = {name: np.broadcast_to(value, shape).ravel().tolist() for name, value in values.items()}
    found = [evaluate({}, call, {}, lambda cell, at=at: rows[cell.key][at]) for at in range(shape[0] * shape[1])]  # type: ignore[misc]
    return np.reshape(np.array(found, dtype=np.float64), shape)
