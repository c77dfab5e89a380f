"""Financial functions: present values and depreciation, which expand into stocks and states.

The equations are those of the Vensim reference manual. Straight-line depreciation has fiscal periods from INITIAL TIME on. What the
manual leaves open of a schedule: the initial depreciation is a rate, as the result is, in the fiscal period that contains the start and
in each one after it; a single number holds for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Float, Integer, S, Symbol

from ..algebra import Slice, add, divide, inverse, make_reference, multiply, negate, split_reference
from ..names import MARK
from .arithmetic import INTEGER, MAX, MODULO
from .inputs import PULSE_TRAIN
from .logic import GREATER, IF_THEN_ELSE
from .memory import DELAY_FIXED, INITIAL, SAMPLE_IF_TRUE, expanded
from .reductions import SUM
from .row import Expander
from .vectors import REORDER

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


def _total(vector: Expr) -> Expr:
    """The sum of a vector."""
    name, indices = split_reference(vector.args[0])
    return SUM.build(make_reference(name, *indices[:-1], f"{vector.args[1].name}{MARK}"))


def _at(series: Expr, place: Expr) -> Expr:
    return REORDER.build(series, place) if isinstance(series, Slice) else series


def _by_schedule(
    model: Expander, stream: Expr, schedule: Expr, initial: Expr, lifetime: Expr, fiscal_start: Expr
) -> Expr:
    """The parts of what is invested now, and of what was in each fiscal period before this one, that this one writes off."""
    count = model.size(schedule, *[initial] * isinstance(initial, Slice))
    period = model.auxiliary(INITIAL.build(divide(lifetime, Integer(count))))
    into = model.auxiliary(INITIAL.build(MODULO.build(add(fiscal_start, negate(_INITIAL_TIME)), period)))
    to_next = IF_THEN_ELSE.build(GREATER.build(into, S.Zero), into, add(into, period))
    first = model.auxiliary(add(_INITIAL_TIME, to_next))
    begins = model.auxiliary(PULSE_TRAIN.build(first, S.Zero, period, _FINAL_TIME))
    total = model.stock(lambda _: stream, S.Zero, held=True)
    elapsed = _elapsed(model, begins)

    def moved(before: Sequence[Expr]) -> list[Expr]:
        """All that had been invested when this fiscal period, the one before it and so on began."""
        return [IF_THEN_ELSE.build(begins, new, old) for new, old in zip([total, *before[:-1]], before, strict=True)]

    before = model.states(lambda *own: moved(own), *[S.Zero] * count)
    invested = list(map(model.auxiliary, moved(before)))
    whole = _total(schedule)
    parts = [multiply(_at(schedule, S.Zero), stream)]
    for place in range(1, count):
        during = divide(add(invested[place - 1], negate(invested[place])), period)
        parts.append(multiply(_at(schedule, Integer(place)), during))
    remains = GREATER.build(Float(count - 0.5), elapsed)
    return add(divide(add(*parts), whole), IF_THEN_ELSE.build(remains, _at(initial, elapsed), S.Zero))


def _elapsed(model: Expander, begins: Expr) -> Expr:
    """The number of times that something has begun, now included."""
    (before,) = model.states(lambda own: [add(own, begins)], S.Zero)
    return model.auxiliary(add(before, begins))


def _first_by_schedule(stream: Expr, schedule: Expr, initial: Expr, *_: Expr) -> Expr:
    return add(divide(multiply(_at(schedule, S.Zero), stream), _total(schedule)), _at(initial, S.Zero))


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
    expanded(
        "DEPRECIATE BY SCHEDULE(stream, schedule, initial, lifetime, fiscal start)",
        "an investment stream written off by a schedule, a vector with the part of each fiscal period, plus the depreciation of earlier investments",
        "u, *, u, t, t -> u", _by_schedule, at_start=_first_by_schedule, kinds=("number", "vector", "series", "number", "number"),
    ),
)
# fmt: on
