"""Expansion: SMOOTH, DELAY, TREND and FORECAST become ordinary stocks, and every other memory an element of its own.

The row of each function says how it expands (`functions/memory.py`). The elements that are added are hidden, and named after the
element that they serve.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType
from typing import NoReturn

from sympy import Expr, Integer, Symbol

from ..errors import Fault, ModelError
from .algebra import (
    Numbers,
    Site,
    Table,
    VensimFunction,
    is_reference,
    make_reference,
    references_in,
    split_reference,
    transform,
    walk,
)
from .evaluation import Start, evaluate
from .functions.chance.draws import DEFAULT_SEED, DRAW, MEMBER_NUMBER, NOISE_SEED, SEED
from .functions.memory import DELAY_FIXED, HELD_STOCK, INTEG
from .functions.past.queues import QUEUES
from .functions.reductions import is_reduction, reduction_ranges
from .functions.row import Expander
from .names import MARK
from .records import Element, Equation, Kind, Model
from .simultaneous import solve_loops
from .subscripts import (
    MOST_CELLS,
    MOST_HIDDEN,
    Binding,
    Cell,
    bindings,
    count_cells,
    inner_bindings,
    labels_of,
    resolve,
)

_LARGEST_ORDER = 1000
_NEXT_TO_WHOLE = 1e-6


@dataclass
class _Builder:
    """Expands a model equation by equation; `elements` are those so far, `kept` the number of hidden ones, and `cells` of their cells."""

    model: Model
    start: Start
    elements: dict[str, Element] = field(default_factory=dict)
    cells: int = 0
    kept: int = 0
    element: Element = field(init=False)
    equation: Equation = field(init=False)
    serials: Iterator[int] = field(init=False)
    draws: int = 0
    drew: bool = False

    def expand(self, element: Element) -> Element:
        """The element without the calls that became elements."""
        self.element = element
        known = self.model.elements
        self.serials = (n for n in count(1) if f"{element.key}#{n}" not in known)
        equations = tuple(map(self._expand_equation, element.equations))
        same = all(map(operator.is_, equations, element.equations))
        return element if same else replace(element, equations=equations)

    def _expand_equation(self, equation: Equation) -> Equation:
        whole = equation.expression
        stays = isinstance(whole, VensimFunction) and bool(whole.row.memory or whole.row.spreads)
        if not any(call.row.expands for call in equation.calls[stays:]):
            return equation
        self.equation, self.draws = equation, 0
        if stays:
            arguments = [transform(argument, self._replacement) for argument in whole.args]
            same = all(new is old for new, old in zip(arguments, whole.args, strict=True))
            expression = whole if same else whole.func(*arguments)
        else:
            expression = transform(whole, self._replacement)
        return equation if expression is whole else replace(equation, expression=expression)

    def _replacement(self, call: Expr) -> Expr | None:
        """What replaces a part of an equation, or None if it stays."""
        if not isinstance(call, VensimFunction):
            return None
        if is_reduction(call):
            plain = call.row.rewrite(*call.args) if call.row.rewrite else None
            return self._split_draws(call) or self._share(call, plain or call) or plain
        if call.row.memory or call.row.spreads:
            stock = call.row.memory and call.row.memory.kept == "stock"
            return self.add("stock" if stock else "auxiliary", call, lambda _: call)
        if call.row.expand is None:
            return None
        expander: Expander = _Call(self, call)
        self._check_profiles(call)
        return call.row.expand(expander, *call.args)

    def _check_profiles(self, call: VensimFunction) -> None:
        """Raise an error if a profile, which spreads an amount, does not say how."""
        for argument, kind, role in zip(call.args, call.row.kinds, call.row.arguments, strict=True):
            if kind == "table" and role == "profile":
                for _, table in self._values(argument):
                    xs, ys = zip(*table.points, strict=True) if isinstance(table, Table) else ((0, 1), (1, 1))
                    if min(ys) < 0 or max(ys) <= 0 or len(set(xs)) == 1:
                        what = f"{call.row.name} spreads an amount by its profile, which needs two points or more, none below zero and one above"
                        place = self.equation.parts.get(call, self.equation.place)
                        raise ModelError([Fault(place, f"{what}; change the lookup")])

    def add(self, kind: Kind, call: Expr, build: Callable[[Expr], Expr]) -> Expr:
        """A reference to a new hidden element, with the expression that `build` makes from that reference."""
        return self.add_all(kind, call, lambda own: [build(own)], 1)[0]

    def add_all(self, kind: Kind, call: Expr, build: Callable[..., Sequence[Expr]], count: int) -> Sequence[Expr]:
        """References to new hidden elements, with the expressions that `build` makes from all of the references.

        They have the subscripts of the equation, and those of a SUM around the call.
        """
        extra = reduction_ranges(call)
        subscripts = (*self.equation.subscripts, *extra)
        names = [f"{self.element.key}#{next(self.serials)}" for _ in range(count)]
        references = [make_reference(name, *subscripts) for name in names]
        exceptions = tuple((*cell, *extra) for cell in self.equation.exceptions)
        for name, expression in zip(names, build(*references), strict=True):
            self._keep(name, kind, _with_ranges(expression, extra), subscripts, exceptions)
        return references

    def draw(self, stream: Expr) -> Expr:
        """A draw of its own in each cell of the equation: a place is the variable, and the number of the draw in its equation."""
        self.draws, self.drew = self.draws + 1, True
        site = Site(f"{self.element.key}#{self.draws}", self.equation.subscripts)
        return DRAW.build(site, stream, *map(make_reference, (NOISE_SEED, SEED, MEMBER_NUMBER)))

    def _split_draws(self, reduction: Expr) -> Expr | None:
        """A SUM in which every term draws a number of its own; None for one without draws."""
        changed = _with_ranges(reduction, reduction_ranges(reduction))
        return None if changed is reduction else changed

    def _share(self, reduction: Expr, written: Expr) -> Expr | None:
        """A SUM that is the same for many cells of the equation as an element of its own, computed once per distinct value.

        `written` is what the element computes.
        """
        read = map(split_reference, references_in(reduction))
        used = {name for own, indices in read for name in (own, *indices)} - set(reduction_ranges(reduction))
        ranges = [name for name in self.equation.subscripts if name in self.model.subscripts]
        if self.equation.exceptions:  # what is read for an excepted cell may not exist
            return None
        if any(name.endswith(MARK) or (name in self.model.subscripts and name not in ranges) for name in used):
            return None
        kept = tuple(name for name in ranges if name in used)
        if len(kept) == len(ranges):
            return None
        name = f"{self.element.key}#{next(self.serials)}"
        self._keep(name, "auxiliary", written, kept, ())
        return make_reference(name, *kept)

    def named(self, role: str, expression: Expr) -> Expr:
        """A reference to a hidden element of the variable, with the equations that each of its own adds."""
        equation, name = self.equation, f"{self.element.key}#{role}"
        found = self.elements.pop(name, None)
        for subscripts, value in self._values(expression):
            kind: Kind = "lookup" if isinstance(value, Table) else "auxiliary"
            exceptions = equation.exceptions if subscripts == equation.subscripts else ()
            self._keep(name, kind, value, subscripts, exceptions)
            equations = (*(found.equations if found else ()), *self.elements[name].equations)
            dimensions = self.element.dimensions
            found = replace(self.elements[name], equations=equations, dimensions=dimensions)
            self.elements[name] = found
        return make_reference(name, *equation.subscripts)

    def _values(self, expression: Expr) -> Iterator[tuple[tuple[str, ...], Expr]]:
        """An expression in the cells of the equation; for a lookup the table of each cell, once if they have the same."""
        subscripts, equation = self.model.subscripts, self.equation
        name, indices = split_reference(expression) if is_reference(expression) else ("", ())
        if name not in self.model.elements or self.model.elements[name].kind != "lookup":
            yield equation.subscripts, expression
            return
        found: dict[tuple[str, ...], Expr] = {}
        for labels, binding in bindings(subscripts, equation):
            table = self.start.read(Cell(name, tuple(resolve(subscripts, index, binding) for index in indices)))
            found[labels] = table if isinstance(table, Table) else Table([(0, 0)])
        if len(set(found.values())) == 1:
            yield equation.subscripts, next(iter(found.values()))
        else:
            yield from found.items()

    def _keep(
        self,
        name: str,
        kind: Kind,
        expression: Expr,
        subscripts: tuple[str, ...],
        exceptions: tuple[tuple[str, ...], ...],
    ) -> None:
        self.cells, self.kept = self.cells + count_cells(self.model.subscripts, subscripts), self.kept + 1
        most = MOST_CELLS if self.cells > MOST_CELLS else MOST_HIDDEN if self.kept > MOST_HIDDEN else 0
        if most:
            what = f"the delays and smooths come to more than {most:,} hidden stocks with '{self.element.name}'"
            raise ModelError([Fault(self.equation.place, f"{what}; lower their order, or use DELAY FIXED")])
        equation = replace(self.equation, expression=expression, subscripts=subscripts, exceptions=exceptions)
        ranges = dict(zip(self.equation.subscripts, self.element.dimensions, strict=True))  # that of a label
        dimensions = tuple(ranges.get(own, own) for own in (subscript.removesuffix(MARK) for subscript in subscripts))
        hidden = Element(name, kind, (equation,), dimensions, group=self.element.group, hidden=True)
        self.elements[hidden.key] = hidden


def _with_ranges(expression: Expr, ranges: tuple[str, ...]) -> Expr:
    """An expression that draws another number for each label of some ranges."""

    def change(part: Expr) -> Expr | None:
        return Site(part.name, dict.fromkeys((*part.subscripts, *ranges))) if isinstance(part, Site) else None

    return transform(expression, change)


@dataclass(frozen=True, slots=True)
class DelayOrder:
    """The order of a DELAY N or SMOOTH N in one cell, and a warning if it is not the one that the model asks for."""

    order: int
    remark: str = field(default="", compare=False)


def _orders(start: Start, element: Element, equation: Equation, call: Expr) -> list[DelayOrder]:
    """The order of a delay in every cell of its equation, and for every label of a SUM around it.

    It is the value of its expression at the start, where Vensim fixes it, rounded; Vensim lowers it until no stage is shorter
    than a time step.
    """
    subscripts = start.model.subscripts
    cells = (binding for _, binding in bindings(subscripts, equation))
    inner = (inner for cell in cells for inner in inner_bindings(subscripts, reduction_ranges(call), cell))
    return [_order(start, element, equation, call, binding) for binding in inner]


def _order(start: Start, element: Element, equation: Equation, call: Expr, binding: Binding) -> DelayOrder:
    _, time, _, expression = call.args
    order, delay = (evaluate(start.model.subscripts, part, binding, start.read) for part in (expression, time))
    used = math.floor(order + 0.5) if math.isfinite(order) else 0
    if not 1 <= used < _LARGEST_ORDER:
        what = f"the order of '{element.name}' is {order:g} at the start; it must be a whole number from 1 to 999"
        raise ModelError([Fault(equation.place, what)])
    own = (label for name, label in binding.items() if not name.endswith(MARK))
    cell = ", ".join(start.model.labels.get(label, label) for label in own)
    name = f"'{element.name}[{cell}]'" if cell else f"'{element.name}'"
    remark = ""
    if abs(order - used) > _NEXT_TO_WHOLE:
        remark = f"the order of {name} is {order:g} at the start, not a whole number; it is rounded to {used}"
    step = start.read(Cell("time_step"))
    if isinstance(step, float) and step > 0 and delay >= 0 and delay / step < used - _NEXT_TO_WHOLE:
        asked, used = used, max(1, math.floor(delay / step + _NEXT_TO_WHOLE))
        what = f"the delay time of {name} is {delay:g} at the start, less than {asked} time steps of {step:g} for its order"
        cure = f"a TIME STEP of at most {delay / asked:g} keeps it" if delay > 0 else "make the delay time longer"
        remark = f"{what}; the order is lowered to {used}; {cure}"
    return DelayOrder(used, remark)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call that is expanded, as the rows of functions see it (`Expander`)."""

    builder: _Builder
    call: Expr

    def order(self) -> tuple[Expr, tuple[int, ...]]:
        builder = self.builder
        found = [one.order for one in _orders(builder.start, builder.element, builder.equation, self.call)]
        different = tuple(sorted(set(found)))
        if len(different) > 1:
            return builder.add("constant", self.call, lambda _: Numbers(found)), different
        return Integer(different[0] if different else 1), different or (1,)

    def stock(self, rate: Callable[[Expr], Expr], initial: Expr, *, held: bool = False) -> Expr:
        row = HELD_STOCK if held else INTEG
        return self.builder.add("stock", self.call, lambda level: row.build(rate(level), initial))

    def draw(self, stream: Expr) -> Expr:
        return self.builder.draw(stream)

    def states(self, following: Callable[..., Sequence[Expr]], *initial: Expr) -> Sequence[Expr]:
        def build(*own: Expr) -> Sequence[Expr]:
            step = Symbol("time_step")
            return [
                DELAY_FIXED.build(value, step, first) for value, first in zip(following(*own), initial, strict=True)
            ]

        return self.builder.add_all("auxiliary", self.call, build, len(initial))

    def named(self, role: str, expression: Expr) -> Expr:
        whole = self.builder.equation.expression
        if not isinstance(whole, VensimFunction) or whole.row is not self.call.row:
            self._fail("must be the whole right-hand side; give it a variable of its own")
        return self.builder.named(role, expression)

    def parts_of(self, variable: Expr, *roles: str) -> Sequence[Expr]:
        model = self.builder.model
        name, indices = split_reference(variable) if is_reference(variable) else ("", ())
        element = model.elements.get(name)
        calls = [equation.expression for equation in element.equations] if element else []
        makes = all(isinstance(call, VensimFunction) and set(roles) <= call.row.roles for call in calls)
        if not calls or not makes:
            makers = " or ".join(row.name for row in QUEUES if set(roles) <= row.roles)
            self._fail(f"needs a queue, and '{element.name if element else variable}' is none; define it with {makers}")
        return [make_reference(f"{name}#{role}", *indices) for role in roles]

    def _fail(self, what: str) -> NoReturn:
        equation = self.builder.equation
        raise ModelError([Fault(equation.parts.get(self.call, equation.place), f"{self.call.row.name} {what}")])

    def size(self, *vectors: Expr) -> int:
        model = self.builder.model
        sizes = []
        for vector in vectors:
            label, labels = split_reference(vector.args[0])[1][-1], labels_of(model.subscripts, vector.args[1].name)
            sizes.append(len(labels))
            what = f"takes vectors of one length, not of {sizes[0]} and {sizes[-1]} elements; give them the same range"
            if label not in model.subscripts and label != labels[0]:
                shown, first = (f"'{model.labels[name]}'" for name in (label, labels[0]))
                what = f"takes a whole vector, by the name of its first element; write {first} instead of {shown}"
            elif sizes[-1] == sizes[0]:
                continue
            self._fail(what)
        return sizes[0]

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
    builder = _Builder(model, Start(model))
    for name, element in model.elements.items():
        builder.elements[name] = builder.expand(element)
    if builder.drew:
        for name, value in ((NOISE_SEED, DEFAULT_SEED), (SEED, DEFAULT_SEED), (MEMBER_NUMBER, 0)):
            builder.elements.setdefault(name, Element(name, "constant", (Equation(Numbers([value])),), hidden=True))
    return solve_loops(replace(model, elements=MappingProxyType(builder.elements)))


def delay_orders(
    model: Model, given: Mapping[Cell, float] | None = None, *, start: Start | None = None
) -> tuple[DelayOrder, ...]:
    """The order of every DELAY N and SMOOTH N in every cell, in the order of the file; `given` replaces constants.

    A `start` that is given instead knows afterwards what the orders depend on.

    Raises
    ------
    ModelError
        If an order is not a number from 1 up at the start.
    """
    start = start or Start(model, given or {})
    return tuple(
        order
        for element in model
        for equation in element.equations
        for part in walk(equation.expression)
        if isinstance(part, VensimFunction) and part.row.arguments[-1:] == ("order",)
        for order in _orders(start, element, equation, part)
    )
