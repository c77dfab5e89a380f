"""Functions with a memory: stocks and other states, and SMOOTH, DELAY, TREND and FORECAST, which expand into stocks.

The expansions are those of the Vensim reference manual: an order-n delay is a chain of n stocks, each emptied in 1/n of the delay
time. Derivatives are those of the value during a run, after the start; a stock's follow from its rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sympy import Expr, Integer, S, Symbol

from ..algebra import add, divide, multiply, negate
from .arithmetic import ABS, ZIDZ
from .logic import GREATER_OR_EQUAL, IF_THEN_ELSE
from .row import Absent, Expander, FunctionRow, Memory

_TIME_STEP = Symbol("time_step")
_NO_STEPS = Absent("a formula over arrays has no time steps")
_CARRIED = Absent("the loop over time steps carries the value from step to step")
_EXPANDED = Absent("it is expanded into stocks before it is compiled")


def _row(signature: str, meaning: str, units: str, **pieces: Any) -> FunctionRow:
    """A row; unless given, the function equals its initial value at the start, or without one its first argument."""
    arguments = signature.partition("(")[2].split(", ")
    at_start = next((index for index, argument in enumerate(arguments) if argument.startswith("initial")), 0)
    return FunctionRow(signature, meaning, units, arrays=_NO_STEPS, **{"at_start": at_start, **pieces})


def _state(
    signature: str, meaning: str, units: str, memory: Memory, derivative: Callable[..., Sequence[Expr]]
) -> FunctionRow:
    return _row(signature, meaning, units, emit=_CARRIED, derivative=derivative, memory=memory)


def expanded(signature: str, meaning: str, units: str, expand: Callable[..., Expr], **pieces: Any) -> FunctionRow:
    """A row of a function that becomes stocks and other states before anything is compiled."""
    return _row(signature, meaning, units, emit=_EXPANDED, derivative=_EXPANDED, expand=expand, **pieces)


def _stage(model: Expander, delay_time: Expr, order: Expr) -> Expr:
    """The time of one of the stages of a delay."""
    return delay_time if order == 1 else model.auxiliary(divide(delay_time, order))


def _of_order(order: int, *, material: bool) -> Callable[..., Expr]:
    """A material delay of an order, or an exponential average; without an initial value it starts in equilibrium with its input."""

    def expand(model: Expander, value: Expr, delay_time: Expr, initial: Expr | None = None) -> Expr:
        stages = [_stage(model, delay_time, Integer(order))] * order
        return _chain(model, value, value if initial is None else initial, stages, material=material)[-1]

    return expand


_smooth, _delay = (partial(_of_order, material=material) for material in (False, True))


def _smooth_n(model: Expander, value: Expr, delay_time: Expr, initial: Expr, _: Expr) -> Expr:
    order, orders = model.order()
    stages = [_stage(model, delay_time, order)] * orders[-1]
    return _last(order, orders, _chain(model, value, initial, stages, material=False, held=True))


def _last(order: Expr, orders: Sequence[int], values: Sequence[Expr]) -> Expr:
    """The value of the last stage of a delay: in each cell that of its own order, since all cells have as many stages."""
    chosen = values[orders[0] - 1]
    for number in orders[1:]:
        chosen = IF_THEN_ELSE.build(GREATER_OR_EQUAL.build(order, Integer(number)), values[number - 1], chosen)
    return chosen


def _delay_n(model: Expander, value: Expr, delay_time: Expr, initial: Expr, _: Expr) -> Expr:
    """A delay in which each stage sees a change of the delay time one time step after the stage before; the last at least one.

    The Vensim manual says that the output depends on earlier delay times; Vensim's output of a second-order delay shows that each
    stage lags one step behind the one before.
    """
    order, orders = model.order()
    stages = [_stage(model, delay_time, order)]
    if model.is_constant(delay_time):
        return _last(order, orders, _chain(model, value, initial, stages * orders[-1], held=True))
    while len(stages) < max(orders[-1], 2):
        stages.append(model.auxiliary(DELAY_FIXED.build(stages[-1], _TIME_STEP, stages[-1])))
    alone = _chain(model, value, initial, stages[1:2], held=True) if orders[0] == 1 else []
    longer = _chain(model, value, initial, stages, held=True) if orders[-1] > 1 else []
    return _last(order, orders, alone + longer[len(alone) :])


def _chain(
    model: Expander, value: Expr, initial: Expr, stages: Sequence[Expr], *, material: bool = True, held: bool = False
) -> list[Expr]:
    """The outputs of a chain of stocks: each is emptied in the time of its stage if `material`, else it follows the one before."""
    values: list[Expr] = []
    for stage in stages:

        def rate(level: Expr, inflow: Expr = values[-1] if values else value, stage: Expr = stage) -> Expr:
            if material:
                return add(inflow, negate(divide(level, stage)))
            return divide(add(inflow, negate(level)), stage)

        level = model.stock(rate, multiply(initial, stage) if material else initial, held=held)
        values.append(divide(level, stage) if material else level)
    return values


def _trend(model: Expander, value: Expr, average_time: Expr, initial: Expr) -> Expr:
    value = model.auxiliary(value)
    start = divide(value, add(S.One, multiply(initial, average_time)))
    average = model.stock(lambda level: divide(add(value, negate(level)), average_time), start)
    return ZIDZ.build(add(value, negate(average)), multiply(average_time, ABS.build(average)))


def _forecast(model: Expander, value: Expr, average_time: Expr, horizon: Expr) -> Expr:
    value = model.auxiliary(value)
    average = model.stock(lambda level: divide(add(value, negate(level)), average_time), value)
    trend = ZIDZ.build(add(value, negate(average)), multiply(average_time, average))
    return multiply(value, add(S.One, multiply(trend, horizon)))


# fmt: off
INTEG = _state(
    "INTEG(rate, initial)", "a stock: the initial value plus all that has flowed in since", "u/t, u -> u",
    Memory("stock", (1,), ()), Absent("a stock's derivatives are those of its rate"),
)
HELD_STOCK = _state(
    "HELD STOCK(rate, initial)", "a stage of SMOOTH N or DELAY N: it moves at the end of a time step only, as by Euler's method",
    "u/t, u -> u", Memory("stock", (1,), (), held=True), Absent("a stock's derivatives are those of its rate"),
)
DELAY_FIXED = _state(
    "DELAY FIXED(input, delay time, initial)", "input as it was one delay time ago, to the time step", "u, t, u -> u",
    Memory("delay", (1, 2), ()),
    lambda *_: (S.One, S.NaN, S.Zero),  # by the earlier input; by the delay time it depends on what has happened since
)
LATEST = _state(
    "LATEST INPUT(input, steps, initial)", "the last input that has been on its way for its number of steps", "u, 1, u -> u",
    Memory("passage", (2,), ()), lambda *_: (S.One, S.NaN, S.Zero),
)
ARRIVALS = _state(
    "ARRIVALS(input, steps, initial)", "the sum of the inputs that have been on their way for their number of steps", "u, 1, u -> u",
    Memory("passage", (2,), (), adds=True), lambda *_: (S.One, S.NaN, S.Zero),
)
INITIAL = _state("INITIAL(x)", "the value x has at the start", "u -> u", Memory("start", (0,), ()), lambda _: (S.Zero,))
SAMPLE_IF_TRUE = _state(
    "SAMPLE IF TRUE(condition, input, initial)", "input where the condition is true, else its last such value",
    "1, u, u -> u", Memory("sample", (0, 1, 2), (0, 1)),
    lambda condition, *_: (S.Zero, IF_THEN_ELSE.build(condition, S.One, S.Zero), S.Zero),
)
SHIFT_IF_TRUE = _row(
    "SHIFT IF TRUE(stock, condition, size, accumulates, entering)",
    "what leaves the last of size stocks, where the condition is true and each stock of an array moves to the next place; the first "
    "becomes entering; 0 where the condition is false, or the last one accumulates what comes to it",
    "u, 1, 1, 1, u -> u", memory=Memory("shift", (), ()), emit=_CARRIED, derivative=lambda *_: (S.NaN,) * 5, at_start=lambda *_: S.Zero,
)

ROWS = (
    INTEG,
    SHIFT_IF_TRUE,
    INITIAL,
    _state(
        "ACTIVE INITIAL(active, initial)", "active, with another value while the start is computed", "u, u -> u",
        Memory("nothing", (1,), (0,)), lambda *_: (S.One, S.Zero),
    ),
    _state("REINITIAL(x)", "the value x has at the start", "u -> u", Memory("start", (0,), ()), lambda _: (S.Zero,)),
    SAMPLE_IF_TRUE,
    DELAY_FIXED,
    expanded("SMOOTH(input, delay time)", "first-order exponential average", "u, t -> u", _smooth(1)),
    expanded("SMOOTHI(input, delay time, initial)", "first-order exponential average from an initial value", "u, t, u -> u", _smooth(1)),
    expanded("SMOOTH3(input, delay time)", "third-order exponential average", "u, t -> u", _smooth(3)),
    expanded("SMOOTH3I(input, delay time, initial)", "third-order exponential average from an initial value", "u, t, u -> u", _smooth(3)),
    expanded("SMOOTH N(input, delay time, initial, order)", "exponential average of a given order", "u, t, u, 1 -> u", _smooth_n),
    expanded("DELAY1(input, delay time)", "first-order material delay", "u, t -> u", _delay(1)),
    expanded("DELAY1I(input, delay time, initial)", "first-order material delay from an initial outflow", "u, t, u -> u", _delay(1)),
    expanded("DELAY3(input, delay time)", "third-order material delay", "u, t -> u", _delay(3)),
    expanded("DELAY3I(input, delay time, initial)", "third-order material delay from an initial outflow", "u, t, u -> u", _delay(3)),
    expanded("DELAYP(input, delay time)", "third-order material delay; after `:`, the variable that gets what is on the way", "u, t -> u", _delay(3)),
    expanded("DELAY N(input, delay time, initial, order)", "material delay of a given order", "u, t, u, 1 -> u", _delay_n),
    expanded("TREND(input, average time, initial trend)", "fractional growth per unit of time", "u, t, 1/t -> 1/t", _trend),
    expanded("FORECAST(input, average time, horizon)", "input extrapolated over the horizon by its trend", "u, t, t -> u", _forecast),
)
# fmt: on
