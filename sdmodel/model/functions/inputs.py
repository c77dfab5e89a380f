"""Inputs from outside the model: functions of time and the calendar, GAME, and MESSAGE."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic

from sympy import Expr, S, Symbol

from ...extras import LazyModule
from ..algebra import multiply, negate
from ..calendar import date_measures
from .arithmetic import MAX, MIN, NEXT_TO_ZERO
from .logic import GREATER, GREATER_OR_EQUAL, LESS_OR_EQUAL, constant_almost_everywhere
from .lookups import look_up
from .row import Absent, Emitter, FunctionRow, Moment, R, from_numpy

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")

_TIME = Symbol("time")
_NO_TIME_STEP = Absent("a formula over arrays has no time step")


def _ramp(at: Moment, slope: Callable[[], float], start: float, end: float) -> float:
    return slope() * (min(at.begun, end) - start) if at.begun > start else 0.0


def _emit_ramp(f: Emitter[R], slope: R, start: R, end: R) -> R:
    reached = MIN.emit(f, f.begun, end)
    risen = f.binary("*", slope, f.binary("-", reached, start))
    return f.choose(f.compare(">", f.begun, start), risen, f.constant(0.0))


def _ramp_derivatives(slope: Expr, start: Expr, end: Expr) -> Sequence[Expr]:
    begun, ended = GREATER.build(_TIME, start), GREATER.build(_TIME, end)
    return RAMP.build(S.One, start, end), negate(multiply(slope, begun)), multiply(slope, begun, ended)


def _emit_all(f: Emitter[R], *conditions: R) -> R:
    """1 where all conditions hold."""
    whole, *rest = conditions
    for condition in rest:
        whole = f.logic("and", whole, condition)
    return f.choose(whole, f.constant(1.0), f.constant(0.0))


def _emit_pulse(f: Emitter[R], start: R, width: R) -> R:
    lasting = f.choose(f.compare("=", width, f.constant(0.0)), f.dt, width)
    end = f.binary("+", start, lasting)
    return _emit_all(f, f.compare(">", f.late, start), f.compare("<", f.late, end))


def _pulse_train(at: Moment, start: float, width: float, interval: float, end: float) -> float:
    """Each pulse is closed on the left, with a little slack, so that rounding cannot make one longer than another.

    With an interval of 0 they follow each other without a pause, as with any that is shorter than a pulse.
    """
    since = at.late - start + at.dt * NEXT_TO_ZERO
    phase = since - interval * math.floor(since / interval) if interval else 0.0
    return float(since >= 0 and at.early < end and phase < max(width, at.dt))


def _emit_pulse_train(f: Emitter[R], start: R, width: R, interval: R, end: R) -> R:
    slack = f.binary("*", f.dt, f.constant(NEXT_TO_ZERO))
    since = f.binary("+", f.binary("-", f.late, start), slack)
    cut = f.binary("*", interval, f.call("floor", f.binary("/", since, interval)))
    whole = f.choose(f.compare("=", interval, f.constant(0.0)), since, cut)
    lasting = MAX.emit(f, width, f.dt)
    shown = f.compare("<", f.binary("-", since, whole), lasting)
    pulse = _emit_all(f, f.compare(">=", since, f.constant(0.0)), shown, f.compare("<", f.early, end))
    return f.strict(pulse, whole)


class _Register(Generic[R]):
    """A register with Python's arithmetic, so that one formula serves numbers and code."""

    def __init__(self, f: Emitter[R], name: R) -> None:
        self.f, self.name = f, name

    def _with(self, sign: str, other: Any) -> _Register[R]:
        right = other.name if isinstance(other, _Register) else self.f.constant(float(other))
        return _Register(self.f, self.f.binary(sign, self.name, right))

    def __add__(self, other: Any) -> _Register[R]:
        return self._with("+", other)

    def __sub__(self, other: Any) -> _Register[R]:
        return self._with("-", other)

    def __mul__(self, other: Any) -> _Register[R]:
        return self._with("*", other)

    def __floordiv__(self, other: Any) -> _Register[R]:
        return _Register(self.f, self.f.call("floor", self._with("/", other).name))

    def __ge__(self, other: Any) -> Any:
        return self.f.compare(">=", self.name, self.f.constant(float(other)))


def _time_value(relative: float, offset: float, measure: float, now: float, initial: float, *calendar: float) -> float:
    begin = now if relative < 0.5 else initial  # noqa: PLR2004 - nearer to 0 than to 1
    found = date_measures(lambda test, then, otherwise: then if test else otherwise, begin + offset, *calendar)
    place = math.floor(measure + 0.5)
    return float(found[min(max(place, 0), len(found) - 1)])


def _emit_time_value(f: Emitter[R], relative: R, offset: R, measure: R, now: R, initial: R, *calendar: R) -> R:
    def pick(condition: R, then: _Register[R], otherwise: _Register[R]) -> _Register[R]:
        return _Register(f, f.choose(condition, then.name, otherwise.name))

    half = f.constant(0.5)
    begin = f.choose(f.compare("<", relative, half), now, initial)
    first, unit, length = (_Register(f, name) for name in calendar)
    found = date_measures(pick, _Register(f, f.binary("+", begin, offset)), first, unit, length)
    result = found[0].name
    for place, value in enumerate(found[1:]):
        result = f.choose(f.compare(">=", measure, f.constant(place + 0.5)), value.name, result)
    return result


def _time_value_derivatives(relative: Expr, _: Expr, measure: Expr, *others: Expr) -> Sequence[Expr]:
    """Only the time itself changes other than in jumps, and the second of a minute, whose derivative is left out."""
    is_time = LESS_OR_EQUAL.build(measure, S.Half)
    now, first = (multiply(is_time, test.build(relative, S.Half)) for test in (LESS_OR_EQUAL, GREATER_OR_EQUAL))
    return S.Zero, is_time, S.Zero, now, first, *[S.Zero] * (len(others) - 2)


# A row per function: what it is, how it is computed, how it is differentiated and shown
# fmt: off
STEP: FunctionRow = FunctionRow(
    "STEP(height, start)", "0, and height from start on", "u, t -> u", kinds=("branch", "finite"),
    evaluate=lambda at, height, start: height() if at.late > start else 0.0, arrays=_NO_TIME_STEP,
    emit=lambda f, height, start: f.choose(f.compare(">", f.late, start), height, f.constant(0.0)),
    derivative=lambda _, start: (STEP.build(S.One, start), S.Zero), reads_time=True,
)
RAMP = FunctionRow(
    "RAMP(slope, start, end)", "0 until start, then a rise by slope per unit of time until end", "u/t, t, t -> u",
    kinds=("branch", "finite", "finite"),
    evaluate=_ramp, arrays=_NO_TIME_STEP, emit=_emit_ramp,
    derivative=_ramp_derivatives, reads_time=True,
)
PULSE_TRAIN = FunctionRow(
    "PULSE TRAIN(start, width, interval, end)",
    "pulses of width, at least one time step, every interval from start to end", "t, t, t, t -> 1", kinds=("finite",) * 4,
    evaluate=_pulse_train, arrays=_NO_TIME_STEP, emit=_emit_pulse_train,
    derivative=constant_almost_everywhere, reads_time=True, stays_finite=True,
)

PLACE_IN_COURSE = FunctionRow(
    "PLACE IN COURSE(table)", "the table's next point at or after the middle of the time step", "v -> v", kinds=("table",),
    evaluate=lambda at, table: look_up("forward", table, at.late), arrays=_NO_TIME_STEP,
    emit=lambda f, table: f.look_up("forward", table, f.late),
    derivative=constant_almost_everywhere, reads_time=True, stays_finite=True,
)
"""What says how many steps of a time course have begun, each as STEP begins; no equation of a file calls it."""

ROWS = (
    STEP,
    RAMP,
    FunctionRow(
        "PULSE(start, width)", "1 from start on for width; a width of 0 means one time step", "t, t -> 1", kinds=("finite",) * 2,
        evaluate=lambda at, start, width: float(start < at.late < start + (width or at.dt)), arrays=_NO_TIME_STEP,
        emit=_emit_pulse,
        derivative=constant_almost_everywhere, reads_time=True, stays_finite=True,
    ),
    PULSE_TRAIN,
    FunctionRow(
        "GAME(x)", "x; in a game, what the player sets", "u -> u",
        evaluate=lambda x: x, arrays=from_numpy("asarray"), emit=lambda _, x: x,
        derivative=lambda _: (S.One,), latex="{0}",
    ),
    FunctionRow(
        "GET TIME VALUE(relative to, offset, measure, now, start, first day, unit, days per year)",
        "Time (relative to 0) or INITIAL TIME (1), offset later: itself (measure 0), or of its date the year (1), quarter (2), month "
        "(3), day of the month (4) or week (5, Sunday is 0), days (6), hour (7), minute (8), second (9), elapsed seconds (10)",
        "1, t, 1, t, t, *, *, * -> *", added=5, kinds=("finite",) * 8,
        evaluate=_time_value, arrays=Absent("a formula over arrays has no calendar"), emit=_emit_time_value,
        derivative=_time_value_derivatives,
    ),
    FunctionRow(
        "MESSAGE(display)", "1 where display is positive, else 0; the text before it is not shown", "1 -> 1", kinds=("finite",),
        evaluate=lambda display: float(display > 0), arrays=lambda display: np.where(display > 0, 1.0, 0.0),
        emit=lambda f, display: f.choose(f.compare(">", display, f.constant(0.0)), f.constant(1.0), f.constant(0.0)),
        derivative=constant_almost_everywhere, stays_finite=True,
    ),
)
# fmt: on
