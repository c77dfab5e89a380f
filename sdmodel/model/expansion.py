"""Expansion: SMOOTH, DELAY, TREND and FORECAST become ordinary stocks, and every other memory an element of its own.

The row of each function says how it expands (`functions/memory.py`). The elements that are added are hidden, and named after the
element that they serve.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sympy import Expr

from ..errors import Fault, ModelError
from .algebra import Numbers, Table, VensimFunction, make_reference, references_in, split_reference, transform, walk
from .evaluation import Start, evaluate
from .functions.memory import INTEG
from .functions.row import Expander
from .records import Element, Equation, Kind, Model
from .subscripts import MOST_HIDDEN, Cell, bindings, count_cells, inner_bindings, is_reduction, reduction_ranges

_LARGEST_ORDER = 1000
_NEXT_TO_WHOLE = 1e-6


@dataclass
class _Expansion:
    """What all equations of a model share: its values at the start, and the number of hidden cells so far."""

    model: Model
    start: Start
    cells: int = 0


@dataclass
class _Builder:
    """Makes the hidden elements of one equation."""

    expansion: _Expansion
    element: Element
    equation: Equation
    serials: Iterator[int]
    made: list[Element] = field(default_factory=list)

    @property
    def model(self) -> Model:
        return self.expansion.model

    def expand(self) -> Equation:
        """The equation without the calls that became elements."""
        whole = self.equation.expression
        if isinstance(whole, Table | Numbers) or not whole.args:
            return self.equation

        def change(part: Expr) -> Expr | None:
            return self._replacement(part) if isinstance(part, VensimFunction) else None

        if isinstance(whole, VensimFunction) and whole.row.memory:
            arguments = [transform(argument, change) for argument in whole.args]
            same = all(new is old for new, old in zip(arguments, whole.args, strict=True))
            return self.equation if same else replace(self.equation, expression=whole.func(*arguments))
        expression = transform(whole, change)
        return self.equation if expression is whole else replace(self.equation, expression=expression)

    def _replacement(self, call: VensimFunction) -> Expr | None:
        """What replaces a call inside an equation, or None if it stays."""
        if is_reduction(call):
            return self._share(call)
        if call.row.memory:
            return self.add("stock" if call.row.memory.kept == "stock" else "auxiliary", call, lambda _: call)
        expander: Expander = _Call(self, call)
        return call.row.expand(expander, *call.args) if call.row.expand else None

    def add(self, kind: Kind, call: Expr, build: Callable[[Expr], Expr]) -> Expr:
        """A reference to a new hidden element, with the expression that `build` makes from that reference.

        It has the subscripts of the equation, and those of a SUM around the call.
        """
        extra = reduction_ranges(call)
        subscripts = (*self.equation.subscripts, *extra)
        name = f"{self.element.key}#{next(self.serials)}"
        reference = make_reference(name, *subscripts)
        self._keep(name, kind, build(reference), subscripts, [(*cell, *extra) for cell in self.equation.exceptions])
        return reference

    def _share(self, reduction: Expr) -> Expr | None:
        """A SUM that is the same for many cells of the equation as an element of its own, computed once per distinct value."""
        used = {
            name for part in references_in(reduction) for name in (split_reference(part)[0], *split_reference(part)[1])
        } - set(reduction_ranges(reduction))
        ranges = [name for name in self.equation.subscripts if name in self.model.subscripts]
        if self.equation.exceptions:  # what is read for an excepted cell may not exist
            return None
        if any(name.endswith("!") or (name in self.model.subscripts and name not in ranges) for name in used):
            return None
        kept = tuple(name for name in ranges if name in used)
        if len(kept) == len(ranges):
            return None
        name = f"{self.element.key}#{next(self.serials)}"
        self._keep(name, "auxiliary", reduction, kept, ())
        return make_reference(name, *kept)

    def _keep(
        self,
        name: str,
        kind: Kind,
        expression: Expr,
        subscripts: tuple[str, ...],
        exceptions: Sequence[tuple[str, ...]],
    ) -> None:
        self.expansion.cells += count_cells(self.model.subscripts, subscripts)
        if self.expansion.cells > MOST_HIDDEN:
            what = f"the delays and smooths come to more than {MOST_HIDDEN:,} hidden stocks with '{self.element.name}'"
            raise ModelError([Fault(self.equation.place, f"{what}; lower their order, or use DELAY FIXED")])
        equation = replace(self.equation, expression=expression, subscripts=subscripts, exceptions=tuple(exceptions))
        dimensions = tuple(subscript.rstrip("!") for subscript in subscripts)
        self.made.append(Element(name, kind, (equation,), dimensions, group=self.element.group, hidden=True))

    def order(self, call: Expr) -> int:
        """The order of a delay: the value of its expression at the start, where Vensim fixes it.

        Vensim lowers it until no stage is shorter than a time step; for an array, the shortest delay decides.
        """
        subscripts, read = self.model.subscripts, self.expansion.start.read
        _, time, _, expression = call.args
        step = read(Cell("time_step"))
        lowest = float("inf")
        cells = (cell for _, cell in bindings(subscripts, self.equation))
        for binding in (inner for cell in cells for inner in inner_bindings(subscripts, reduction_ranges(call), cell)):
            order, delay = (evaluate(subscripts, part, binding, read) for part in (expression, time))
            if not (1 <= order < _LARGEST_ORDER and abs(order - round(order)) <= _NEXT_TO_WHOLE):
                what = f"the order of '{self.element.name}' is {order:g} at the start; it must be a whole number from 1 to 999"
                raise ModelError([Fault(self.equation.place, what)])
            if isinstance(step, float) and step > 0 and delay >= 0:
                order = min(order, max(1.0, math.floor(delay / step)))
            lowest = min(lowest, order)
        return round(lowest) if lowest < _LARGEST_ORDER else 1


@dataclass(frozen=True, slots=True)
class _Call:
    """One call that is expanded, as the rows of functions see it (`Expander`)."""

    builder: _Builder
    call: Expr

    @property
    def order(self) -> int:
        return self.builder.order(self.call)

    def stock(self, rate: Callable[[Expr], Expr], initial: Expr) -> Expr:
        return self.builder.add("stock", self.call, lambda level: INTEG.build(rate(level), initial))

    def auxiliary(self, expression: Expr) -> Expr:
        return expression if not expression.args else self.builder.add("auxiliary", self.call, lambda _: expression)

    def is_constant(self, expression: Expr) -> bool:
        elements = self.builder.model.elements
        leaves = {split_reference(part)[0] for part in references_in(expression)}
        return not any(isinstance(part, VensimFunction) for part in walk(expression)) and all(
            name in elements and elements[name].kind == "constant" for name in leaves
        )


def expand(model: Model) -> Model:
    """The same model with only stocks and simple states for memory; the elements that are added are hidden.

    Raises
    ------
    ModelError
        If the order of a DELAY N or SMOOTH N is not a whole number from 1 up at the start, or too much would be added.
    """
    expansion = _Expansion(model, Start(model))
    elements: dict[str, Element] = {}
    for element in model:
        serials = (n for n in range(1, 1_000_000) if f"{element.key}#{n}" not in model.elements)
        equations = []
        for equation in element.equations:
            builder = _Builder(expansion, element, equation, serials)
            equations.append(builder.expand())
            elements |= {made.key: made for made in builder.made}
        changed = any(new is not old for new, old in zip(equations, element.equations, strict=True))
        elements[element.key] = replace(element, equations=tuple(equations)) if changed else element
    return replace(model, elements=MappingProxyType(elements))


def delay_orders(model: Model, given: Mapping[Cell, float] | None = None) -> tuple[int, ...]:
    """The order of every DELAY N and SMOOTH N, in the order of the file; `given` replaces constants.

    Raises
    ------
    ModelError
        If an order is not a whole number from 1 up at the start.
    """
    expansion = _Expansion(model, Start(model, given or {}))
    return tuple(
        _Builder(expansion, element, equation, iter(())).order(part)
        for element in model
        for equation in element.equations
        for part in walk(equation.expression)
        if isinstance(part, VensimFunction) and "order" in part.row.arguments
    )
