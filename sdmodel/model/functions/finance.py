"""Financial functions: present values and straight-line depreciation, which expand into stocks and states.

The equations are those of the Vensim reference manual. Fiscal periods begin at INITIAL TIME.
"""

from __future__ import annotations

from sympy import Expr, Float, S, Symbol

from ..algebra import add, divide, inverse, multiply, negate
from .arithmetic import INTEGER, MAX
from .inputs import PULSE_TRAIN
from .logic import GREATER, IF_THEN_ELSE
from .memory import DELAY_FIXED, INITIAL, SAMPLE_IF_TRUE, expanded
from .row import Expander

_TIME_STEP, _INITIAL_TIME, _FINAL_TIME = map(Symbol, ("time_step", "initial_time", "final_time"))


def _first_factor(rate: Expr) -> Expr:
    """The discount factor of the end of the first step."""
    return inverse(add(S.One, multiply(rate, _TIME_STEP)))


def _present(accumulated: Expr, stream: Expr, discount: Expr, factor: Expr) -> Expr:
    """What has been accumulated and what flows now, until the end of the step."""
    return multiply(add(accumulated, multiply(stream, _TIME_STEP, discount)), factor)


def _present_value(model: Expander, stream: Expr, rate: Expr, initial: Expr, factor: Expr, *, at_end: bool) -> Expr:
    discount = model.stock(
        lambda level: divide(negate(multiply(level, rate)), add(S.One, multiply(rate, _TIME_STEP))),
        _first_factor(rate) if at_end else S.One,
    )
    accumulated = model.stock(lambda _: multiply(stream, discount), initial)
    return _present(accumulated, stream, discount, factor)


def _periods(lifetime: Expr, period: Expr) -> Expr:
    """The number of fiscal periods in a lifetime: a whole number, at least 1."""
    return MAX.build(S.One, INTEGER.build(add(divide(lifetime, period), Float(0.5))))


def _depreciation(model: Expander, stream: Expr, lifetime: Expr, period: Expr, initial: Expr) -> Expr:
    """What is invested now, and in the fiscal periods before this one that are not depreciated yet, as far as it differs from
    `initial`, by the number of periods.
    """
    count = model.auxiliary(INITIAL.build(_periods(lifetime, period)))
    length, constant = (model.auxiliary(INITIAL.build(part)) for part in (period, initial))
    total = model.stock(lambda _: add(stream, negate(constant)), S.Zero, held=True)
    begins = PULSE_TRAIN.build(_INITIAL_TIME, S.Zero, length, _FINAL_TIME)
    known = model.auxiliary(SAMPLE_IF_TRUE.build(begins, total, S.Zero))
    others = add(count, S.NegativeOne)
    written_off = model.auxiliary(DELAY_FIXED.build(known, multiply(others, length), S.Zero))
    earlier = IF_THEN_ELSE.build(GREATER.build(count, S.One), divide(add(known, negate(written_off)), length), S.Zero)
    return divide(add(stream, multiply(constant, others), earlier), count)


def _first_depreciation(stream: Expr, lifetime: Expr, period: Expr, initial: Expr) -> Expr:
    count = _periods(lifetime, period)
    return divide(add(stream, multiply(initial, add(count, S.NegativeOne))), count)


# fmt: off
ROWS = (
    expanded(
        "NPV(stream, discount rate, initial, factor)", "the net present value of a stream from the start until now",
        "u, 1/t, u*t, 1 -> u*t", lambda model, *arguments: _present_value(model, *arguments, at_end=False),
        at_start=lambda stream, _, initial, factor: _present(initial, stream, S.One, factor),
    ),
    expanded(
        "NPVE(stream, discount rate, initial, factor)",
        "the net present value of a stream from the start until now, each step valued at its end",
        "u, 1/t, u*t, 1 -> u*t", lambda model, *arguments: _present_value(model, *arguments, at_end=True),
        at_start=lambda stream, rate, initial, factor: _present(initial, stream, _first_factor(rate), factor),
    ),
    expanded(
        "DEPRECIATE STRAIGHTLINE(stream, lifetime, fiscal time, initial)",
        "an investment stream written off in equal parts over a lifetime, by fiscal periods; before the start it was initial",
        "u, t, t, u -> u", _depreciation, at_start=_first_depreciation,
    ),
)
# fmt: on
