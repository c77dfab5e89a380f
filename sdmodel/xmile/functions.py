"""XMILE's functions in terms of ours, after Vensim's public crosswalk of the two dialects and the XMILE specification.

A function that is not in the table here has the name and the meaning that it has in Vensim, as converters leave it in the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sympy import Expr, S

from ..model import (
    FUNCTIONS,
    NA,
    REFUSED,
    RUN_SETTINGS,
    add,
    divide,
    inverse,
    key,
    make_reference,
    multiply,
    negate,
    number,
    unknown_function,
)

LARGEST = 1.7976931348623157e308
"""What INF reads as: the largest number that there is."""
_TIME, _STEP, _START, _END = map(make_reference, ("time", "time_step", "initial_time", "final_time"))
TIMES: Mapping[str, Expr] = MappingProxyType(
    {"time": _TIME, "dt": _STEP, "starttime": _START, "stoptime": _END, "endtime": _END}
)
"""Names for times and the time step, by key."""
CONSTANTS: Mapping[str, Expr] = MappingProxyType({"pi": number(math.pi), "inf": number(LARGEST), ":na:": number(NA)})
LOOKUPS: Mapping[str, str] = MappingProxyType(
    {"continuous": "LOOKUP", "extrapolate": "LOOKUP EXTRAPOLATE", "discrete": "LOOKUP BACKWARD"}
)
"""The function that reads a graphical function of each type."""
REDUCTIONS: Mapping[str, str] = MappingProxyType(
    {"sum": "SUM", "prod": "PROD", "max": "VMAX", "min": "VMIN", "mean": "SUM"}
)
"""The function over the cells of an array, for a call with one argument."""
SETTINGS: Mapping[str, Expr] = MappingProxyType({key(name): make_reference(key(name)) for name in RUN_SETTINGS})
"""Vensim's names of the times of a run, which its export keeps; a variable of that name comes first."""


class UnsupportedError(Exception):
    """A part of an equation that cannot be expressed: what is wrong and what to do."""


def row(name: str, *arguments: Expr) -> Expr:
    """Return a call of a function of ours; one that does not run is refused by its name."""
    if name not in FUNCTIONS:
        raise UnsupportedError(unknown_function(name))
    return FUNCTIONS[name].build(*arguments)


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function of XMILE: its signature with optional arguments in brackets, and the expression that it becomes."""

    signature: str
    build: Callable[..., Expr]

    @property
    def counts(self) -> range:
        """The numbers of arguments that it takes."""
        required, _, optional = self.signature.partition("(")[2].rstrip(")]").partition("[")
        least = len([name for name in required.split(",") if name.strip(" ")])
        return range(least, least + len([name for name in optional.split(",") if name.strip(" []")]) + 1)


def floor(x: Expr) -> Expr:
    """Return the largest whole number that is not larger; INTEGER rounds towards zero."""
    if x.is_Number and x >= 0:
        return row("INTEGER", x)
    whole = row("INTEGER", x)
    return add(whole, negate(row("<", x, whole)))


def modulo(x: Expr, base: Expr) -> Expr:
    """Return the remainder with the sign of the divisor; MODULO has the sign of the dividend."""
    remainder = row("MODULO", x, base)
    return row("IF THEN ELSE", row("<", multiply(remainder, base), S.Zero), add(remainder, base), remainder)


def _pulse(magnitude: Expr, first: Expr = _START, interval: Expr = S.Zero) -> Expr:
    """Return a pulse of one time step that brings the magnitude, once or every interval."""
    once = row("PULSE", first, S.Zero)
    if interval == 0:
        return multiply(magnitude, once, inverse(_STEP))
    train = row("PULSE TRAIN", first, S.Zero, interval, add(_END, _STEP))
    if not interval.is_Number:
        train = row("IF THEN ELSE", row("=", interval, S.Zero), once, train)
    return multiply(magnitude, train, inverse(_STEP))


def _forecast(x: Expr, time: Expr, horizon: Expr, trend: Expr = S.Zero) -> Expr:
    if trend == 0:
        return row("FORECAST", x, time, horizon)
    return multiply(x, add(S.One, multiply(row("TREND", x, time, trend), horizon)))


def _lag(plain: str, with_initial: str) -> Callable[..., Expr]:
    def build(x: Expr, time: Expr, initial: Expr | None = None) -> Expr:
        return row(plain, x, time) if initial is None else row(with_initial, x, time, initial)

    return build


def _lag_n(name: str) -> Callable[..., Expr]:
    def build(x: Expr, time: Expr, order: Expr, initial: Expr | None = None) -> Expr:
        return row(name, x, time, x if initial is None else initial, order)

    return build


def _wave(shape: str) -> Callable[[Expr, Expr], Expr]:
    return lambda size, period: multiply(size, row(shape, multiply(number(2 * math.pi), _TIME, inverse(period))))


def _random(name: str, count: int, *between: Expr, lowest: Expr = S.Zero) -> Callable[..., Expr]:
    """Return the builder of a call with bounds, arguments, what Vensim's function takes besides, and the seed.

    Without a seed, the stream is that of seed 0; bounds come after the seed.
    """

    def build(*arguments: Expr) -> Expr:
        seed, low, high = (*arguments[count:], *(S.Zero, lowest, number(LARGEST))[len(arguments) - count :])
        return row(name, low, high, *arguments[:count], *between, seed)

    return build


def _uniform(low: Expr, high: Expr, seed: Expr = S.Zero) -> Expr:
    return row("RANDOM UNIFORM", low, high, seed)


_BUILTINS = (
    Builtin("INT(x)", floor),
    Builtin("LOG10(x)", lambda x: row("LOG", x, number(10))),
    Builtin("ROUND(x)", lambda x: floor(add(x, S.Half))),
    Builtin("PERCENT(fraction)", lambda x: multiply(x, number(100))),
    Builtin("SAFEDIV(dividend, divisor[, otherwise])", lambda x, y, *z: row("XIDZ" if z else "ZIDZ", x, y, *z)),
    Builtin("IF_THEN_ELSE(condition, then, otherwise)", lambda *parts: row("IF THEN ELSE", *parts)),
    Builtin("INIT(x)", lambda x: row("INITIAL", x)),
    Builtin("PREVIOUS(x, initial)", lambda x, initial: row("DELAY FIXED", x, _STEP, initial)),
    Builtin("DELAY(input, delay time[, initial])", lambda x, time, *i: row("DELAY FIXED", x, time, *(i or (x,)))),
    Builtin("DELAY1(input, delay time[, initial])", _lag("DELAY1", "DELAY1I")),
    Builtin("DELAY3(input, delay time[, initial])", _lag("DELAY3", "DELAY3I")),
    Builtin("DELAYN(input, delay time, order[, initial])", _lag_n("DELAY N")),
    Builtin("SMTH1(input, averaging time[, initial])", _lag("SMOOTH", "SMOOTHI")),
    Builtin("SMTH3(input, averaging time[, initial])", _lag("SMOOTH3", "SMOOTH3I")),
    Builtin("SMTHN(input, averaging time, order[, initial])", _lag_n("SMOOTH N")),
    Builtin(
        "TREND(input, averaging time[, initial trend])", lambda x, time, *i: row("TREND", x, time, *(i or (S.Zero,)))
    ),
    Builtin("FORCST(input, averaging time, horizon[, initial trend])", _forecast),
    Builtin("PULSE(magnitude, first time[, interval])", _pulse),
    Builtin(
        "RAMP(slope, start time[, end time])", lambda slope, start, *end: row("RAMP", slope, start, *(end or (_END,)))
    ),
    Builtin("STEP(height, start time)", lambda height, start: row("STEP", height, start)),
    Builtin("SINWAVE(amplitude, period)", _wave("SIN")),
    Builtin("COSWAVE(amplitude, period)", _wave("COS")),
    Builtin("RANDOM(minimum, maximum[, seed])", _uniform),
    Builtin("UNIFORM(minimum, maximum[, seed])", _uniform),
    Builtin("NORMAL(mean, deviation[, seed, minimum, maximum])", _random("RANDOM NORMAL", 2, lowest=number(-LARGEST))),
    Builtin(
        "EXPRND(mean[, seed, minimum, maximum])",
        lambda mean, *rest: _random("RANDOM EXPONENTIAL", 2)(S.Zero, mean, *rest),
    ),
    Builtin(  # its mean is that of a unit of time
        "POISSON(mean[, seed, minimum, maximum])",
        lambda mean, *rest: _random("RANDOM POISSON", 1, S.Zero, S.One)(multiply(mean, _STEP), *rest),
    ),
    Builtin("GAMMALN(x)", lambda x: row("GAMMA LN", x)),
    Builtin("LOOKUPINV(table, y)", lambda table, y: row("LOOKUP INVERT", table, y)),
    Builtin("LOOKUPAREA(table, start, end)", lambda table, start, end: row("LOOKUP AREA", table, start, end)),
    Builtin("NPV(stream, discount rate, initial, factor)", lambda *parts: row("NPV", *parts)),
)
BUILTINS: Mapping[str, Builtin] = MappingProxyType({key(own.signature.partition("(")[0]): own for own in _BUILTINS})
"""XMILE's functions that Vensim does not have under the same name, or with other arguments, by key."""
ROWS = MappingProxyType({key(name): found for name, found in FUNCTIONS.items()})
"""Our functions by key."""
_REFUSED = MappingProxyType({key(name): name for name in REFUSED})
_INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        own: cure
        for cure, names in {
            "vary a constant over an ensemble": (
                "LOGNORMAL, BETA, BINOMIAL, GAMMA, GEOMETRIC, INVNORM, LOGISTIC, MONTECARLO, NEGBINOMIAL, NORMALPINK, PARETO, TRIANGULAR, "
                "WEIBULL, LOOKUPRANDOM"
            ),
            "write DELAY(x, time)": "HISTORY",
            "define an auxiliary with the value": "ENDVAL, RUNCOUNT, SENSIRUNCOUNT, CLOCKTIME, SOFTWAREVERSION, SYSTEMCHANGE",
            "write the formula with stocks": (
                "COUNTER, PV, FV, PMT, IRR, DERIVN, CGROWTH, RUNCUM, RUNMAX, RUNMIN, RUNMEAN, RUNSTDDEV, PERCENTILE, NORMALCDF, FACTORIAL, COMBINATIONS, "
                "PERMUTATIONS, EXPBOUND, LOGISTICBOUND, INTERPOLATE, MAXSOFT, MINSOFT"
            ),
            "write x^(1/n)": "ROOTN",
            "use stocks and flows without it": (
                "CYCLETIME, THROUGHPUT, PROCTIME, REWORK, CAPACITY, CTFLOW, CTMAX, CTMEAN, CTMIN, CTSTDDEV, OSTATE, AGECOUNT, ATTRCOUNT, "
                "ATTRMAX, ATTRMEAN, ATTRMIN, ATTRSTDDEV"
            ),
            "sum over the array instead": "RANK, STDDEV, LOOKUPMAX, LOOKUPMIN, LOOKUPMEAN, MATRIXINVERT, SHORTESTPATH, TRAVERSALCOST",
            "complete the equation": "NAN, ISNAN",
            "read scores with `sdmodel loops`": "LOOPSCORE, PATHSCORE",
        }.items()
        for own in map(key, names.split(", "))
    }
)


def cure_of(own: str) -> str | None:
    """Return what to write instead of a function of Stella that does not run, by its key; None for other names."""
    return _INSTEAD.get(own)


def unknown_builtin(name: str) -> str:
    """Return the message about a function that is neither XMILE's nor ours, or that does not run."""
    cure = cure_of(key(name))
    return f"{name.upper()} is not supported; {cure}" if cure else unknown_function(_REFUSED.get(key(name), name))


def look_up(how: str, table: Expr, x: Expr) -> Expr:
    """Return the value of a graphical function of a type at x."""
    if how not in LOOKUPS:
        message = f"a graphical function of type '{how}' is unknown; write {', '.join(LOOKUPS)}"
        raise UnsupportedError(message)
    return row(LOOKUPS[how], table, x)


def quotient(x: Expr, y: Expr, *, safe: bool) -> Expr:
    """Return `x/y`, or with `safe` 0 where the divisor is zero (Stella's operator `//`)."""
    return row("ZIDZ", x, y) if safe else divide(x, y)
