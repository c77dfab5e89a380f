"""The internal rate of return: the interest rate at which a stream of money is worth nothing.

Vensim's manual says that the amounts of each fiscal period count at its end, and that the rate is one per period, from -1 to 1. What
it leaves open: fiscal periods begin at INITIAL TIME, the one of now counts as far as it has come, the initial amount counts at its own
time from that time on, and a period has at least one time step. Where a rate above zero and one below both fit, it is the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic

from sympy import Expr, Float, S, Symbol

from ...algebra import NA, add, multiply, negate
from ..arithmetic import NEXT_TO_ZERO
from ..memory import expanded
from ..row import Expander, Kind, PastEmitter, R
from .reading import larger, reading, recorded

_TIME, _TIME_STEP, _INITIAL_TIME = map(Symbol, ("time", "time_step", "initial_time"))
_FINITE: Kind = "finite"
_LOWEST = -1 + 1e-6
"""The lowest rate, one per period."""
_ROUNDS = 200.0
"""More steps than the search for a rate takes."""
_NEAR = 1e-9
"""A step of this part of the discount is the last one: as steps shrink with their squares, it ends where rounding does."""
_BETWEEN = 4.0
"""After this many steps one goes to the middle of the interval, so that it shrinks in any case."""


@dataclass(frozen=True, slots=True)
class _Amounts(Generic[R]):
    """The amounts of the steps before and of now, and the initial one some periods after the start."""

    f: PastEmitter[R]
    before: R
    now: R
    share: R
    """The part of a period that a time step is."""
    initial: R
    since: R

    def period(self, steps: R) -> R:
        """Write the number of the period that a step is in, from 1."""
        f = self.f
        late = f.binary("+", f.binary("*", steps, self.share), f.constant(NEXT_TO_ZERO))
        return f.binary("+", f.call("floor", late), f.constant(1.0))

    def worth(self, *discounts: R) -> list[tuple[R, R]]:
        """Write the value of everything at some discounts per period, and its derivative there (Horner's scheme)."""
        f, zero, steps, count = self.f, self.f.constant(0.0), self.f.steps, len(discounts)

        def body(ago: R, later: R, *sums: R) -> tuple[R, ...]:
            back = f.real(ago)
            there = f.compare("<=", back, steps)
            own = self.period(f.binary("-", steps, back))
            ends = f.logic("and", there, f.compare("<", own, later))
            amount = f.choose(there, f.past(self.before, ago), zero)
            slopes = [
                f.choose(ends, f.binary("+", f.binary("*", slope, discount), total), slope)
                for discount, total, slope in zip(discounts, sums, sums[count:], strict=False)
            ]
            totals = [
                f.binary("+", f.choose(ends, f.binary("*", total, discount), total), amount)
                for discount, total in zip(discounts, sums, strict=False)
            ]
            return f.compare("<", back, steps), f.choose(there, own, later), *totals, *slopes

        _, *sums = f.repeat(body, self.period(steps), *[self.now] * count, *[zero] * count)
        found = []
        for discount, total, slope in zip(discounts, sums[:count], sums[count:], strict=True):
            slope = f.binary("+", f.binary("*", slope, discount), total)  # noqa: PLW2901 - the first period ends too
            first = f.binary("*", self.initial, f.call("pow", discount, self.since))
            first_slope = f.binary("/", f.binary("*", first, self.since), discount)
            found.append((f.binary("+", f.binary("*", total, discount), first), f.binary("+", slope, first_slope)))
        return found

    def discount(self) -> tuple[R, R, R]:
        """Write whether there is a rate, its discount per period, and what the amounts are worth without a discount."""
        f, zero = self.f, self.f.constant(0.0)
        ends = [f.constant(1 / (1 + rate)) for rate in (1.0, 0.0, _LOWEST)]
        below, even, above = (value for value, _ in self.worth(*ends))
        grows, shrinks = _differ(f, below, even), _differ(f, even, above)
        found = f.logic("or", grows, shrinks)
        rises = f.compare("<", f.choose(grows, below, even), f.choose(grows, even, above))
        upward = f.choose(rises, f.constant(1.0), f.constant(-1.0))

        def search(count: R, guess: R, low: R, high: R) -> tuple[R, ...]:
            """Narrow the interval by one value; go on where the tangent there is zero, or now and then in the middle."""
            ((value, slope),) = self.worth(guess)
            under = f.compare("<", f.binary("*", value, upward), zero)
            low, high = f.choose(under, guess, low), f.choose(under, high, guess)
            change = f.binary("/", value, slope)
            crossing = f.binary("-", guess, change)
            within = f.logic("and", f.compare(">=", crossing, low), f.compare("<=", crossing, high))
            turn = f.binary("/", f.real(count), f.constant(_BETWEEN))
            within = f.logic("and", within, f.compare("<>", turn, f.call("floor", turn)))
            following = f.choose(within, crossing, f.call("sqrt", f.binary("*", low, high)))
            near = f.compare("<=", f.call("fabs", change), f.binary("*", guess, f.constant(_NEAR)))
            far = f.invert(near)  # also where the values are too large to have a tangent
            more = f.logic("and", f.logic("and", found, far), f.compare("<", f.real(count), f.constant(_ROUNDS)))
            return more, f.choose(far, following, crossing), low, high

        low, high = f.choose(grows, ends[0], ends[1]), f.choose(grows, ends[1], ends[2])
        return found, f.repeat(search, ends[1], low, high)[0], even


def _differ(f: PastEmitter[R], one: R, other: R) -> R:
    """Write whether zero is between two numbers, of which one may be zero."""
    zero = f.constant(0.0)
    pairs = ((one, other), (other, one))
    ways = [f.logic("and", f.compare("<=", low, zero), f.compare(">=", high, zero)) for low, high in pairs]
    return f.logic("and", f.logic("or", *ways), f.compare("<>", one, other))


def _rate(f: PastEmitter[R], before: R, now: R, period: R, initial: R, since: R, late: R, step: R) -> R:
    """Write the rate, with an initial amount `since` a time after the start, which is `late` ago."""
    zero, one = map(f.constant, (0.0, 1.0))
    length = larger(f, period, step)
    first = f.choose(f.compare(">=", late, zero), initial, zero)
    amounts: _Amounts[R] = _Amounts(f, before, now, f.binary("/", step, length), first, f.binary("/", since, length))
    found, discount, even = amounts.discount()
    growth = f.binary("/", one, discount)
    short = f.compare("<", period, step)
    growth = f.choose(short, f.call("pow", growth, f.binary("/", period, length)), growth)
    value = f.choose(found, f.binary("-", growth, one), f.constant(NA))
    return f.strict(f.choose(f.compare(">", period, zero), value, f.constant(math.nan)), even)


RATE = reading(
    "RATE OF AMOUNTS(amounts, now, fiscal period, initial, since, late, time step)",
    "the interest rate per fiscal period at which amounts are worth nothing",
    "u, u, t, u, t, t, t -> 1",
    _rate,
    ("past", *(_FINITE,) * 6),
    gives_missing=True,
)


def _arguments(stream: Expr, period: Expr, initial: Expr, initial_time: Expr) -> tuple[Expr, ...]:
    late = add(_TIME, multiply(Float(0.5), _TIME_STEP), negate(initial_time))
    since = add(initial_time, negate(_INITIAL_TIME))
    return multiply(stream, _TIME_STEP), period, initial, since, late, _TIME_STEP


def _internal_rate(model: Expander, *arguments: Expr) -> Expr:
    now, *others = _arguments(*arguments)
    now = model.auxiliary(now)
    return RATE.build(*recorded(model, now), now, *others)


ROWS = (
    expanded(
        "INTERNAL RATE OF RETURN(stream, fiscal period, initial, initial time)",
        "the interest rate per fiscal period at which a stream until now, and an initial amount at a time, are worth nothing; "
        ":NA: where no rate from -1 to 1 is one",
        "u, t, u*t, t -> 1",
        _internal_rate,
        at_start=lambda *arguments: RATE.build(S.Zero, *_arguments(*arguments)),
        gives_missing=True,
    ),
)
