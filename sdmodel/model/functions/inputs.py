"""Inputs from outside the model: functions of time, and GAME."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sympy import Expr, S, Symbol

from ..algebra import multiply, negate
from .arithmetic import MAX, MIN, NEXT_TO_ZERO
from .logic import GREATER, constant_almost_everywhere
from .row import Absent, Emitter, FunctionRow, Moment, from_numpy

_TIME = Symbol("time")
_NO_TIME_STEP = Absent("a formula over arrays has no time step")


def _ramp(at: Moment, slope: Callable[[], float], start: float, end: float) -> float:
    return slope() * (min(at.begun, end) - start) if at.begun > start else 0.0


def _emit_ramp(f: Emitter, slope: str, start: str, end: str) -> str:
    reached = MIN.emit(f, f.begun, end)
    risen = f.binary("*", slope, f.binary("-", reached, start))
    return f.choose(f.compare(">", f.begun, start), risen, f.constant(0.0))


def _ramp_derivatives(slope: Expr, start: Expr, end: Expr) -> Sequence[Expr]:
    begun, ended = GREATER.build(_TIME, start), GREATER.build(_TIME, end)
    return RAMP.build(S.One, start, end), negate(multiply(slope, begun)), multiply(slope, begun, ended)


def _emit_all(f: Emitter, *conditions: str) -> str:
    """1 where all conditions hold."""
    whole, *rest = conditions
    for condition in rest:
        whole = f.logic("and", whole, condition)
    return f.choose(whole, f.constant(1.0), f.constant(0.0))


def _emit_pulse(f: Emitter, start: str, width: str) -> str:
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


def _emit_pulse_train(f: Emitter, start: str, width: str, interval: str, end: str) -> str:
    slack = f.binary("*", f.dt, f.constant(NEXT_TO_ZERO))
    since = f.binary("+", f.binary("-", f.late, start), slack)
    cut = f.binary("*", interval, f.call("floor", f.binary("/", since, interval)))
    whole = f.choose(f.compare("=", interval, f.constant(0.0)), since, cut)
    lasting = MAX.emit(f, width, f.dt)
    shown = f.compare("<", f.binary("-", since, whole), lasting)
    pulse = _emit_all(f, f.compare(">=", since, f.constant(0.0)), shown, f.compare("<", f.early, end))
    return f.strict(pulse, whole)


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

ROWS = (
    STEP,
    RAMP,
    FunctionRow(
        "PULSE(start, width)", "1 from start on for width; a width of 0 means one time step", "t, t -> 1", kinds=("finite",) * 2,
        evaluate=lambda at, start, width: float(start < at.late < start + (width or at.dt)), arrays=_NO_TIME_STEP,
        emit=_emit_pulse,
        derivative=constant_almost_everywhere, reads_time=True, stays_finite=True,
    ),
    FunctionRow(
        "PULSE TRAIN(start, width, interval, end)",
        "pulses of width, at least one time step, every interval from start to end", "t, t, t, t -> 1", kinds=("finite",) * 4,
        evaluate=_pulse_train, arrays=_NO_TIME_STEP, emit=_emit_pulse_train,
        derivative=constant_almost_everywhere, reads_time=True, stays_finite=True,
    ),
    FunctionRow(
        "GAME(x)", "x; in a game, what the player sets", "u -> u",
        evaluate=lambda x: x, arrays=from_numpy("asarray"), emit=lambda _, x: x,
        derivative=lambda _: (S.One,), latex="{0}",
    ),
)
# fmt: on
