"""SMOOTH, DELAY, TREND and FORECAST as the ordinary stocks they are, and every other memory as an element of its own.

The equations are those of the Vensim reference manual: an order-n delay is a chain of n stocks, each emptied in 1/n of the
delay time. What is added is hidden, and named after the element that it serves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sympy import Expr, Integer, S, Symbol

from ..errors import Fault, ModelError
from .algebra import (
    Numbers,
    Table,
    VensimFunction,
    add,
    divide,
    multiply,
    negate,
    refer,
    references,
    referred,
    rewrite,
    walk,
)
from .evaluation import Start, evaluate
from .functions.table import FUNCTIONS
from .records import Element, Equation, Kind, Model
from .sizes import MOST_HIDDEN, count
from .subscripts import Cell, bindings, expanded, is_reduction, marked

INTEG = FUNCTIONS["INTEG"].build
ZIDZ = FUNCTIONS["ZIDZ"].build
DELAY_FIXED = FUNCTIONS["DELAY FIXED"].build
_LARGEST_ORDER = 1000
_NEXT_TO_WHOLE = 1e-6
_TIME_STEP = Symbol("time_step")

_ORDERED = frozenset({"SMOOTH N", "DELAY N"})

STATES = frozenset({"INTEG", "INITIAL", "REINITIAL", "ACTIVE INITIAL", "SAMPLE IF TRUE", "DELAY FIXED"})
"""Functions with a memory that stay, each at the top of an equation of its own."""


@dataclass
class _Site:
    """What all equations of a model share while it is expanded: its values at the start, and how many cells were made."""

    model: Model
    start: Start
    made: int = 0


@dataclass
class _Workshop:
    """The hidden elements made for one equation."""

    site: _Site
    element: Element
    equation: Equation
    serial: Callable[[], int]
    made: list[Element] = field(default_factory=list)

    @property
    def model(self) -> Model:
        """The model that is expanded."""
        return self.site.model

    def make(self, kind: Kind, call: Expr, build: Callable[[Expr], Expr]) -> Expr:
        """A reference to a new hidden element, whose expression `build` makes from that reference.

        It has the subscripts of the equation, and those of a SUM around the call.
        """
        extra = marked(call)
        subscripts = (*self.equation.subscripts, *extra)
        name = f"{self.element.key}#{self.serial()}"
        self._keep(
            name,
            kind,
            build(refer(name, *subscripts)),
            subscripts,
            [(*each, *extra) for each in self.equation.exceptions],
        )
        return refer(name, *subscripts)

    def share(self, reduction: Expr) -> Expr | None:
        """A SUM that is the same for many cells of the equation as an element of its own, worked out once for each it differs in."""
        used = {name for part in references(reduction) for name in (referred(part)[0], *referred(part)[1])} - set(
            marked(reduction)
        )
        ranges = [each for each in self.equation.subscripts if each in self.model.subscripts]
        if self.equation.exceptions:  # what is read for an excepted cell may not exist
            return None
        if any(each.endswith("!") or (each in self.model.subscripts and each not in ranges) for each in used):
            return None
        kept = tuple(each for each in ranges if each in used)
        if len(kept) == len(ranges):
            return None
        name = f"{self.element.key}#{self.serial()}"
        self._keep(name, "auxiliary", reduction, kept, ())
        return refer(name, *kept)

    def _keep(
        self,
        name: str,
        kind: Kind,
        expression: Expr,
        subscripts: tuple[str, ...],
        exceptions: Sequence[tuple[str, ...]],
    ) -> None:
        self.site.made += count(self.model.subscripts, subscripts)
        if self.site.made > MOST_HIDDEN:
            what = f"the delays and smooths come to more than {MOST_HIDDEN:,} hidden stocks with '{self.element.name}'"
            raise ModelError([Fault(self.equation.place, f"{what}; lower their order, or use DELAY FIXED")])
        equation = replace(self.equation, expression=expression, subscripts=subscripts, exceptions=tuple(exceptions))
        self.made.append(
            Element(
                name,
                kind,
                (equation,),
                tuple(each.rstrip("!") for each in subscripts),
                group=self.element.group,
                hidden=True,
            )
        )

    def stock(self, call: Expr, rate: Callable[[Expr], Expr], initial: Expr) -> Expr:
        """A hidden stock."""
        return self.make("stock", call, lambda level: INTEG(rate(level), initial))

    def auxiliary(self, call: Expr, expression: Expr) -> Expr:
        """A hidden auxiliary, so that a value used twice is worked out once."""
        return expression if not expression.args else self.make("auxiliary", call, lambda _: expression)


def _smooth(shop: _Workshop, call: Expr, parts: Sequence[Expr], order: int) -> Expr:
    value, time, initial = parts
    stage = shop.auxiliary(call, divide(time, Integer(order))) if order > 1 else time
    for _ in range(order):
        inflow = value
        value = shop.stock(call, lambda level, i=inflow: divide(add(i, negate(level)), stage), initial)  # type: ignore[misc]
    return value


def _delay(shop: _Workshop, call: Expr, parts: Sequence[Expr], order: int) -> Expr:
    time = parts[1]
    stage = shop.auxiliary(call, divide(time, Integer(order))) if order > 1 else time
    return _chain(shop, call, parts, [stage] * order)


def _delay_n(shop: _Workshop, call: Expr, parts: Sequence[Expr], order: int) -> Expr:
    """A delay whose stages see a delay time that changes one after another, each a step later, the last at least one.

    Vensim's manual says that the output rests on earlier delay times; that each stage lags one step behind the one before is
    what its output of a second-order delay shows.
    """
    time = parts[1]
    stage = shop.auxiliary(call, divide(time, Integer(order))) if order > 1 else time
    if _is_constant(shop.model, time):
        return _chain(shop, call, parts, [stage] * order)
    stages = [stage]
    while len(stages) < max(order, 2):
        earlier = stages[-1]
        stages.append(shop.make("auxiliary", call, lambda _, e=earlier: DELAY_FIXED(e, _TIME_STEP, e)))  # type: ignore[misc]
    return _chain(shop, call, parts, stages[-order:])


def _chain(shop: _Workshop, call: Expr, parts: Sequence[Expr], stages: Sequence[Expr]) -> Expr:
    """Stocks one behind the other, each emptied in the time of its stage; what leaves the last."""
    value, _, initial = parts
    for stage in stages:
        inflow = value
        level = shop.stock(
            call,
            lambda level, i=inflow, s=stage: add(i, negate(divide(level, s))),  # type: ignore[misc]
            multiply(initial, stage),
        )
        value = divide(level, stage)
    return value


def _is_constant(model: Model, expression: Expr) -> bool:
    """Whether an expression is arithmetic on numbers and constants, so that it surely stays as it is."""
    leaves = {referred(part)[0] for part in references(expression)}
    return not any(isinstance(part, VensimFunction) for part in walk(expression)) and all(
        name in model.elements and model.elements[name].kind == "constant" for name in leaves
    )


def _trend(shop: _Workshop, call: Expr, parts: Sequence[Expr], _: int) -> Expr:
    value, time, initial = parts
    value = shop.auxiliary(call, value)
    start = divide(value, add(S.One, multiply(initial, time)))
    average = shop.stock(call, lambda level: divide(add(value, negate(level)), time), start)
    return ZIDZ(add(value, negate(average)), multiply(time, FUNCTIONS["ABS"].build(average)))


def _forecast(shop: _Workshop, call: Expr, parts: Sequence[Expr], _: int) -> Expr:
    value, time, horizon = parts
    value = shop.auxiliary(call, value)
    average = shop.stock(call, lambda level: divide(add(value, negate(level)), time), value)
    trend = ZIDZ(add(value, negate(average)), multiply(time, average))
    return multiply(value, add(S.One, multiply(trend, horizon)))


_EXPANSIONS: Mapping[str, tuple[Callable[[_Workshop, Expr, Sequence[Expr], int], Expr], int]] = MappingProxyType(
    {
        "SMOOTH": (_smooth, 1),
        "SMOOTHI": (_smooth, 1),
        "SMOOTH3": (_smooth, 3),
        "SMOOTH3I": (_smooth, 3),
        "SMOOTH N": (_smooth, 0),
        "DELAY1": (_delay, 1),
        "DELAY1I": (_delay, 1),
        "DELAY3": (_delay, 3),
        "DELAY3I": (_delay, 3),
        "DELAY N": (_delay_n, 0),
        "TREND": (_trend, 0),
        "FORECAST": (_forecast, 0),
    }
)
"""How each is built, and its order; 0 where the call gives it or there is none."""


def expand(model: Model) -> Model:
    """The same model with nothing but stocks and simple states for memory; what was added is hidden.

    Raises
    ------
    ModelError
        If the order of a DELAY N or SMOOTH N is not a whole number from 1 up at the start, or too much would be added.
    """
    site = _Site(model, Start(model))
    elements: dict[str, Element] = {}
    for element in model:
        numbers = (n for n in range(1, 1_000_000) if f"{element.key}#{n}" not in model.elements)
        equations = []
        for equation in element.equations:
            shop = _Workshop(site, element, equation, lambda numbers=numbers: next(numbers))  # type: ignore[misc]
            equations.append(_expand_equation(shop))
            elements |= {made.key: made for made in shop.made}
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
    site = _Site(model, Start(model, given or {}))
    return tuple(
        _order(_Workshop(site, element, equation, int), part)
        for element in model
        for equation in element.equations
        for part in walk(equation.expression)
        if isinstance(part, VensimFunction) and part.name in _ORDERED
    )


def _expand_equation(shop: _Workshop) -> Equation:
    whole = shop.equation.expression
    if isinstance(whole, Table | Numbers) or not whole.args:
        return shop.equation

    def change(part: Expr) -> Expr | None:
        return _expand_call(shop, part) if isinstance(part, VensimFunction) else None

    if isinstance(whole, VensimFunction) and whole.name in STATES:
        arguments = [rewrite(argument, change) for argument in whole.args]
        same = all(new is old for new, old in zip(arguments, whole.args, strict=True))
        return shop.equation if same else replace(shop.equation, expression=whole.func(*arguments))
    expression = rewrite(whole, change)
    return shop.equation if expression is whole else replace(shop.equation, expression=expression)


def _expand_call(shop: _Workshop, call: VensimFunction) -> Expr | None:
    """What stands for a call inside an equation, or none if it stays."""
    if is_reduction(call):
        return shop.share(call)
    if call.name in STATES:
        return shop.make("stock" if call.name == "INTEG" else "auxiliary", call, lambda _: call)
    if call.name not in _EXPANSIONS:
        return None
    build, order = _EXPANSIONS[call.name]
    arguments = list(call.args)
    if call.name in _ORDERED:
        order = _order(shop, call)
        arguments.pop()
    if len(arguments) == 2:  # noqa: PLR2004 - without an initial value it starts at its input
        arguments.append(arguments[0])
    return build(shop, call, arguments, order)


def _order(shop: _Workshop, call: Expr) -> int:
    """The order of a delay: what its expression is at the start, for Vensim fixes it there.

    Vensim lowers it so far that no stage is shorter than a time step; for an array, the shortest delay decides.
    """
    subscripts, read = shop.model.subscripts, shop.site.start.read
    _, time, _, expression = call.args
    step = read(Cell("time_step"))
    lowest = float("inf")
    cells = (cell for _, cell in bindings(subscripts, shop.equation))
    for binding in (inner for cell in cells for inner in expanded(subscripts, marked(call), cell)):
        order, delay = (evaluate(subscripts, each, binding, read) for each in (expression, time))
        if not (1 <= order < _LARGEST_ORDER and abs(order - round(order)) <= _NEXT_TO_WHOLE):
            message = (
                f"the order of '{shop.element.name}' is {order:g} at the start; it must be a whole number from 1 to 999"
            )
            raise ModelError([Fault(shop.equation.place, message)])
        if isinstance(step, float) and step > 0 and delay >= 0:
            order = min(order, max(1.0, math.floor(delay / step)))
        lowest = min(lowest, order)
    return round(lowest) if lowest < _LARGEST_ORDER else 1
