"""Functions that move from step to step: SINTEG, a stock within limits, and discrete delays.

The delay time of an input is that of the moment at which it is put in, in whole time steps as in DELAY FIXED. What the manual leaves
open: SINTEG rounds to the nearest multiple, and a batch has just its size, so that the rest waits for the next.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Float, S, Symbol

from ..algebra import NA, add, divide, multiply, negate
from .arithmetic import ABS, INTEGER, MAX, MIN, NEXT_TO_ZERO
from .logic import GREATER, GREATER_OR_EQUAL, IF_THEN_ELSE, LESS_OR_EQUAL
from .memory import ARRIVALS, LATEST, expanded
from .row import NOTHING_DUE, Expander

_TIME, _TIME_STEP = map(Symbol, ("time", "time_step"))


def _restricted(value: Expr, limits: Sequence[Expr]) -> Expr:
    """A value within limits; one that is `:NA:` does not count."""
    least, most, quantum, special, threshold = limits
    if not _is_missing(quantum):
        count = divide(value, quantum)
        half = IF_THEN_ELSE.build(GREATER_OR_EQUAL.build(count, S.Zero), Float(0.5), Float(-0.5))
        value = _where_given(quantum, multiply(quantum, INTEGER.build(add(count, half))), value)
    if not _is_missing(special):
        near = LESS_OR_EQUAL.build(ABS.build(add(value, negate(special))), threshold)
        value = _where_given(special, IF_THEN_ELSE.build(near, special, value), value)
    if not _is_missing(least):
        value = _where_given(least, MAX.build(value, least), value)
    if not _is_missing(most):
        value = _where_given(most, MIN.build(value, most), value)
    return value


def _is_missing(limit: Expr) -> bool:
    return bool(limit.is_Number) and float(limit) == NA


def _where_given(limit: Expr, value: Expr, otherwise: Expr) -> Expr:
    if limit.is_Number:
        return value
    return IF_THEN_ELSE.build(GREATER.build(limit, Float(NA / 2)), value, otherwise)


def _sinteg(model: Expander, rate: Expr, initial: Expr, *limits: Expr) -> Expr:
    """The integral, and what the limits have added to it until the step before."""
    if all(map(_is_missing, limits)):
        return model.stock(lambda _: rate, initial)
    level = model.stock(lambda _: rate, initial)
    (added,) = model.states(lambda before: [add(_restricted(add(level, before), limits), negate(level))], S.Zero)
    return _restricted(add(level, added), limits)


def _is_done(batch: Expr, finish: Expr) -> Expr:
    """1 if a batch is in process and completed by the middle of this step."""
    late = add(_TIME, multiply(Float(0.5), _TIME_STEP))
    return multiply(GREATER.build(batch, S.Zero), GREATER_OR_EQUAL.build(late, finish))


def _batch(
    model: Expander, inflow: Expr, size: Expr, duration: Expr, batch: Expr, completion: Expr, backlog: Expr
) -> Expr:
    """A step hands out the batch that is completed, and takes the next one out of the backlog if none is in process."""

    def following(waiting: Expr, in_process: Expr, finish: Expr) -> Sequence[Expr]:
        done = _is_done(in_process, finish)
        left = IF_THEN_ELSE.build(done, S.Zero, in_process)
        enough = GREATER_OR_EQUAL.build(waiting, multiply(size, Float(1 - NEXT_TO_ZERO)))
        begins = multiply(enough, LESS_OR_EQUAL.build(left, S.Zero))
        taken = IF_THEN_ELSE.build(begins, size, S.Zero)
        return (
            add(waiting, multiply(inflow, _TIME_STEP), negate(taken)),
            add(left, taken),
            IF_THEN_ELSE.build(begins, add(_TIME, duration), finish),
        )

    _, in_process, finish = model.states(following, backlog, batch, completion)
    return IF_THEN_ELSE.build(_is_done(in_process, finish), divide(in_process, _TIME_STEP), S.Zero)


def _first_batch(*arguments: Expr) -> Expr:
    batch, completion = arguments[3:5]
    return IF_THEN_ELSE.build(_is_done(batch, completion), divide(batch, _TIME_STEP), S.Zero)


def _steps(delay_time: Expr) -> Expr:
    """A delay time in time steps: at least one, and half a step counts as one."""
    steps = INTEGER.build(add(divide(delay_time, _TIME_STEP), Float(0.5 + NEXT_TO_ZERO)))
    return MAX.build(steps, S.One)


def _information(model: Expander, value: Expr, delay_time: Expr, initial: Expr) -> Expr:
    return model.auxiliary(LATEST.build(value, _steps(delay_time), initial))


def _material(model: Expander, value: Expr, delay_time: Expr, initial: Expr, missing: Expr) -> Expr:
    arrived = model.auxiliary(ARRIVALS.build(value, _steps(delay_time), initial))
    nothing = LESS_OR_EQUAL.build(arrived, Float(NOTHING_DUE))
    return IF_THEN_ELSE.build(nothing, missing, arrived)


# fmt: off
ROWS = (
    expanded(
        "DELAY INFORMATION(input, delay time, initial)",
        "input as it was one delay time ago; where that changes, newer inputs replace older ones, and the last one is held",
        "u, t, u -> u", _information,
    ),
    expanded(
        "DELAY MATERIAL(input, delay time, initial, missing)",
        "each input one delay time later; what arrives at the same time is added, and where nothing does, the value is missing",
        "u, t, u, u -> u", _material,
    ),
    expanded(
        "SINTEG(rate, initial, least, most, quantum, special, threshold)",
        "a stock from least to most, a multiple of quantum, and special where it is within threshold of that; :NA:, or nothing at the end, leaves a limit out",
        "u/t, u, u, u, u, u, u -> u", _sinteg, optional=5, at_start=lambda _, initial, *limits: _restricted(initial, limits),
    ),
    expanded(
        "DELAY BATCH(input, size, duration, initial batch, completion time, backlog)",
        "input collected into batches of a size, each handed out in one step when its processing is completed",
        "u, u*t, t, u*t, t, u*t -> u", _batch, at_start=_first_batch,
    ),
)
# fmt: on
