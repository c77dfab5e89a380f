"""Delays whose material is on its way: DELAY CONVEYOR and DELAY PROFILE.

A conveyor moves all its material by a part of its length in each step, which the conveyance time of the step says, and loses a part
of it. An input fills the piece that passes while it comes in. What Vensim's manual leaves open, or says in two ways: in each step the
conveyance time of that step counts, at least a time step; and the profile says what comes out in each step from the start on, spread
over the initial conveyance time, so that the first value is the manual's, total by time, where the profile is level.

A profile delay spreads each input over time. What the manual leaves open: each input has the delay time of its own step; what comes out
at a step is the part of the profile from half a step before to half a step after, at the first step all before too; and before the start
inputs have grown by the same part in each step, so that the output begins with the initial value and goes on growing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Generic

from sympy import Expr, S, Symbol

from ...algebra import Table, add, divide, multiply, negate
from ..arithmetic import MAX
from ..memory import INITIAL, expanded
from ..row import Expander, Kind, PastEmitter, R
from .reading import counts, larger, reading, recorded, share, smaller

_TIME_STEP = Symbol("time_step")
_SHORTEST = 1e-3
"""The shortest delay time of a profile, in time steps."""
_FINITE: Kind = "finite"
_NUMBER: Kind = "number"


def _conveyed(
    f: PastEmitter[R],
    amounts: R,
    moves: R,
    kept: R,
    time: R,
    profile: Table,
    total: R,
    spread: R,
    first_time: R,
    step: R,
) -> R:
    """Write what leaves the end of a conveyor in this step, per unit of time: from inputs, moves and shares kept of the steps before."""
    zero, one, steps = f.constant(0.0), f.constant(1.0), f.steps
    now = smaller(f, f.binary("/", step, larger(f, time, step)), one)
    begins = f.binary("-", one, now)
    first_time, spread = larger(f, first_time, step), larger(f, spread, step)
    scale = f.binary("/", first_time, spread)
    farthest = larger(f, one, f.binary("/", spread, first_time))

    def body(ago: R, place: R, left: R, out: R) -> tuple[R, ...]:
        there = f.compare("<=", f.real(ago), steps)
        width = f.past(moves, ago)
        left = f.choose(there, f.binary("*", left, f.past(kept, ago)), left)
        end = f.choose(there, f.binary("+", place, width), place)
        inside = f.binary("-", smaller(f, end, one), larger(f, place, begins))
        leaves = f.logic("and", there, f.compare(">", inside, zero))
        part = f.binary("*", f.binary("/", inside, width), f.binary("*", f.past(amounts, ago), left))
        more = f.logic("and", f.compare("<", f.real(ago), steps), f.compare("<", end, farthest))
        return more, end, left, f.choose(leaves, f.binary("+", out, part), out)

    place, left, out = f.repeat(body, zero, one, zero)
    ends = [smaller(f, f.binary("*", end, scale), one) for end in (place, f.binary("+", place, now))]
    old = f.binary("-", share(f, profile, ends[1]), share(f, profile, ends[0]))
    out = f.binary("+", out, f.binary("*", f.binary("*", total, left), old))
    return f.binary("/", out, step)


CONVEYED = reading(
    "CONVEYED(amounts, moves, kept, time, profile, total, spread, first time, time step)",
    "what leaves the end of a conveyor, per unit of time",
    "*, *, *, *, *, *, *, *, * -> *",
    _conveyed,
    ("past", "past", "past", _FINITE, "table", *(_FINITE,) * 4),
)


def _conveyor(model: Expander, value: Expr, time: Expr, leak: Expr, profile: Expr, total: Expr, spread: Expr) -> Expr:
    time = model.auxiliary(time)
    move = divide(_TIME_STEP, MAX.build(time, _TIME_STEP))
    kept = MAX.build(add(S.One, negate(multiply(leak, _TIME_STEP))), S.Zero)  # no more leaks than there is
    past = recorded(model, multiply(value, _TIME_STEP), move, kept)
    known = [model.auxiliary(INITIAL.build(own)) for own in (total, spread, time)]
    return CONVEYED.build(*past, time, profile, *known, _TIME_STEP)


def _first_conveyed(_: Expr, time: Expr, __: Expr, profile: Expr, total: Expr, spread: Expr) -> Expr:
    return CONVEYED.build(S.Zero, S.Zero, S.Zero, time, profile, total, spread, time, _TIME_STEP)


def _after_zero(profile: Table) -> Sequence[tuple[float, float]]:
    """The points of a profile from 0 on: nothing comes out before it is put in."""
    points = profile.by_x
    if points[0][0] >= 0 or points[-1][0] <= 0:
        return points
    (x0, y0), (x1, y1) = next((one, other) for one, other in pairwise(points) if other[0] > 0)
    return [(0.0, y0 - x0 * (y1 - y0) / (x1 - x0)), *(point for point in points if point[0] > 0)]


def _mean(points: Sequence[tuple[float, float]]) -> float:
    """The mean of a distribution whose density is a line between points."""
    area = moment = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        area += (x1 - x0) * (y0 + y1) / 2
        moment += (x1 - x0) * (x0 * (2 * y0 + y1) + x1 * (y0 + 2 * y1)) / 6
    return moment / area if area > 0 else 1.0


class _Response(Generic[R]):
    """How an input comes out: the part of it in each later step, for a delay time."""

    def __init__(self, f: PastEmitter[R], profile: Table, step: R) -> None:
        """Scale the profile to a mean of one delay time."""
        points = _after_zero(profile)
        self.f, self.step, self.profile = f, step, Table(points)
        mean = _mean(points)
        self.first, self.last = points[0][0] / mean, points[-1][0] / mean

    def reached(self, ago: R, half: float, time: R) -> R:
        """Write how far the profile has come half a step before or after, in delay times."""
        f = self.f
        time = larger(f, time, f.binary("*", self.step, f.constant(_SHORTEST)))
        late = f.binary("+", f.real(ago), f.constant(half))
        return f.binary("/", f.binary("*", late, self.step), time)

    def part(self, ago: R, time: R) -> R:
        """Write the part of an input that comes out some steps after it."""
        f, width = self.f, self.f.constant(max(self.last - self.first, 1e-300))
        ends = []
        for half in (-0.5, 0.5):
            along = f.binary("/", f.binary("-", self.reached(ago, half, time), f.constant(self.first)), width)
            ends.append(share(f, self.profile, smaller(f, larger(f, along, f.constant(0.0)), f.constant(1.0))))
        is_first = f.compare("<", f.real(ago), f.constant(1.5))
        return f.binary("-", ends[1], f.choose(is_first, f.constant(0.0), ends[0]))

    def goes_on(self, ago: R, time: R) -> R:
        """Write whether more of an input comes out later."""
        before = self.f.compare("<", self.reached(ago, 0.5, time), self.f.constant(self.last))
        return self.f.logic("and", before, counts(self.f, ago))


def _grown(f: PastEmitter[R], _: R, profile: Table, time: R, growth: R, step: R) -> R:
    """Write what comes out at the start of inputs that have grown by a part per unit of time, to be one now."""
    response = _Response(f, profile, step)
    factor = f.binary("+", f.constant(1.0), f.binary("*", growth, step))

    def body(ago: R, size: R, total: R) -> tuple[R, ...]:
        size = f.binary("/", size, factor)
        total = f.binary("+", total, f.binary("*", size, response.part(ago, time)))
        return response.goes_on(ago, time), size, total

    return f.repeat(body, f.constant(1.0), f.constant(0.0))[1]


def _spread(
    f: PastEmitter[R],
    inputs: R,
    times: R,
    longest: R,
    profile: Table,
    first_time: R,
    growth: R,
    now: R,
    step: R,
) -> R:
    """Write what comes out of the inputs of the steps before, and of those before the start, which had grown to `now` at it."""
    response, steps, one = _Response(f, profile, step), f.steps, f.constant(1.0)
    factor = f.binary("+", one, f.binary("*", growth, step))

    def body(ago: R, size: R, total: R) -> tuple[R, ...]:
        there = f.compare("<=", f.real(ago), steps)
        size = f.choose(there, size, f.binary("/", size, factor))
        value = f.choose(there, f.past(inputs, ago), size)
        part = response.part(ago, f.choose(there, f.past(times, ago), first_time))
        return response.goes_on(ago, longest), size, f.binary("+", total, f.binary("*", value, part))

    return f.repeat(body, now, f.constant(0.0))[1]


GROWN = reading(
    "GROWN(past, profile, first time, growth, time step)",
    "what comes out at the start of inputs that have grown to one",
    "*, *, *, *, * -> *",
    _grown,
    ("past", "table", *(_FINITE,) * 3),
)
SPREAD = reading(
    "SPREAD(inputs, times, longest, profile, first time, growth, now, time step)",
    "what comes out of the inputs of the steps before",
    "*, *, *, *, *, *, *, * -> *",
    _spread,
    ("past", "past", _FINITE, "table", *(_FINITE,) * 4),
)


def _profile(model: Expander, profile: Expr, value: Expr, time: Expr, initial: Expr, growth: Expr) -> Expr:
    time, growth = model.auxiliary(time), model.auxiliary(INITIAL.build(growth))
    inputs, times = recorded(model, value, time)
    first_time = model.auxiliary(INITIAL.build(time))
    (longest,) = model.states(lambda so_far: [MAX.build(so_far, time)], time)
    first = GROWN.build(times, profile, first_time, growth, _TIME_STEP)
    now = model.auxiliary(INITIAL.build(divide(initial, first)))
    return SPREAD.build(inputs, times, longest, profile, first_time, growth, now, _TIME_STEP)


ROWS = (
    expanded(
        "DELAY CONVEYOR(input, conveyance time, leak, profile, total, initial conveyance time)",
        "input one conveyance time later, less what leaks on the way as a part per unit of time; the initial total comes out by the profile",
        "u, t, 1/t, *, u*t, t -> u",
        _conveyor,
        kinds=(*(_NUMBER,) * 3, "table", _NUMBER, _NUMBER),
        at_start=_first_conveyed,
    ),
    expanded(
        "DELAY PROFILE(profile, input, delay time, initial, growth)",
        "input spread over later times by the profile, with a mean of one delay time; inputs before the start grew, so that it begins with "
        "initial",
        "*, u, t, u, 1/t -> u",
        _profile,
        kinds=("table", *(_NUMBER,) * 4),
        at_start=3,
    ),
)
