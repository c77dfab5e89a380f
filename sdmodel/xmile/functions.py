"""XMILE's functions in terms of ours, after Vensim's public crosswalk of the two dialects and the XMILE specification.

A function that is not in the table here has the name and the meaning that it has in Vensim, as converters leave it in the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sympy import Expr, S

from ..model import (
    FUNCTIONS,
    MARK,
    NA,
    REFUSED,
    RUN_SETTINGS,
    Table,
    add,
    divide,
    inverse,
    key,
    make_reference,
    multiply,
    negate,
    number,
    power,
    unknown_function,
)
from .syntax import Term

LARGEST = 1.7976931348623157e308
"""What INF reads as: the largest number that there is."""
_LEAST = number(1e-300)
"""Least number whose logarithm is taken for a bound."""
_NOT_GIVEN: Mapping[str, Term] = {
    "seed": Term("number", 0, "0"),
    "minimum": Term("negative", 0, parts=(Term("number", 0, repr(LARGEST)),)),
    "maximum": Term("number", 0, repr(LARGEST)),
}
"""What NAN in place of an optional argument stands for."""
_TIME, _STEP, _START, _END = map(make_reference, ("time", "time_step", "initial_time", "final_time"))
_SINCE_START = add(_TIME, negate(_START))
_HIGHEST_ORDER = 20
"""Highest order of a derivative."""
TIMES: Mapping[str, Expr] = MappingProxyType(
    {"time": _TIME, "dt": _STEP, "starttime": _START, "stoptime": _END, "endtime": _END}
)
"""Names for times and the time step, by key."""
CONSTANTS: Mapping[str, Expr] = MappingProxyType(
    {"pi": number(math.pi), "inf": number(LARGEST), ":na:": number(NA), "runcount": S.Zero}
)
"""Names for numbers, by key; every run here is the first."""
LOOKUPS: Mapping[str, str] = MappingProxyType(
    {"continuous": "LOOKUP", "extrapolate": "LOOKUP EXTRAPOLATE", "discrete": "LOOKUP BACKWARD"}
)
"""The function that reads a graphical function of each type."""
REDUCTIONS: Mapping[str, str] = MappingProxyType(
    {"sum": "SUM", "prod": "PROD", "max": "VMAX", "min": "VMIN", "mean": "SUM", "stddev": "SUM"}
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

    def given(self, parts: tuple[Term, ...]) -> Iterator[Term]:
        """Yield the arguments of a call; NAN, or nothing, stands for a seed or bound that is not given."""
        optional = self.signature.partition("[")[2].rstrip(")]").split(",")
        names = ["" for _ in range(self.counts.start)] + [name.strip() for name in optional if name.strip()]
        for part, name in zip(parts, names + [""] * len(parts), strict=False):
            is_empty = part.kind == "name" and key(part.text) == "nan"
            yield _NOT_GIVEN[name] if is_empty and name in _NOT_GIVEN else part


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


def _plain(x: Expr) -> Expr:
    """Return a number as one without units, which XMILE takes where others want none: divided by 1 of its unit."""
    return row("ZIDZ", x, S.One)


def _annuity(rate: Expr, periods: Expr) -> tuple[Expr, Expr]:
    """Return what 1 grows to over a number of periods, and what payments of 1 at the end of each come to."""
    growth = power(add(S.One, rate), periods)
    if rate.is_Number:
        return growth, periods if rate == 0 else divide(add(growth, S.NegativeOne), rate)
    some = divide(add(growth, S.NegativeOne), rate)
    return growth, row("IF THEN ELSE", row("=", rate, S.Zero), periods, some)


def _future_value(rate: Expr, periods: Expr, payment: Expr, present: Expr) -> Expr:
    growth, payments = _annuity(rate, periods)
    return negate(add(multiply(present, growth), multiply(payment, payments)))


def _present_value(rate: Expr, periods: Expr, payment: Expr, future: Expr) -> Expr:
    growth, payments = _annuity(rate, periods)
    return negate(divide(add(future, multiply(payment, payments)), growth))


def _payment(rate: Expr, periods: Expr, present: Expr, future: Expr) -> Expr:
    growth, payments = _annuity(rate, periods)
    return negate(divide(add(multiply(present, growth), future), payments))


def _net_present_value(stream: Expr, rate: Expr, initial: Expr | None = None, factor: Expr | None = None) -> Expr:
    """Return Stella's value, which starts with the initial value and adds what comes later; with a factor, that of Vensim."""
    if initial is not None and factor is not None:
        return row("NPV", stream, rate, initial, factor)
    discount = power(inverse(add(S.One, rate)), _plain(_SINCE_START))
    before = add(_plain(stream) if initial is None else initial, negate(multiply(stream, _STEP)))
    return row("NPV", multiply(stream, discount), S.Zero, before, S.One)


def _rate_of_return(stream: Expr, missing: Expr = CONSTANTS[":na:"]) -> Expr:
    """Return the rate per unit of time, from that per time step, which lies between wider limits."""
    found = row("INTERNAL RATE OF RETURN", stream, _STEP, S.Zero, _START)
    rate = add(power(add(S.One, found), row("ZIDZ", S.One, _STEP)), S.NegativeOne)
    return row("IF THEN ELSE", row(">=", found, S.NegativeOne), rate, missing)


def _counter(start: Expr, end: Expr) -> Expr:
    """Return the time since the start, which starts again at the end; a hundredth of a time step makes up for rounding."""
    length = add(end, negate(start))
    rounds = row("INTEGER", divide(add(_SINCE_START, multiply(number(0.01), _STEP)), length))
    return add(start, _SINCE_START, negate(multiply(length, rounds)))


def _derivative(x: Expr, order: Expr) -> Expr:
    """Return the difference quotient of an order; it is 0 until there are enough earlier values."""
    if not order.is_Number or order not in range(_HIGHEST_ORDER + 1):
        message = f"the order of DERIVN is not a whole number from 0 to {_HIGHEST_ORDER}; write one"
        raise UnsupportedError(message)
    value = x
    for _ in range(int(order)):
        value = divide(add(value, negate(row("DELAY FIXED", value, _STEP, value))), _STEP)
    early = row("<", _SINCE_START, multiply(add(order, number(-0.5)), _STEP))
    return value if order == 0 else row("IF THEN ELSE", early, S.Zero, value)


def _compound_growth(percentage: Expr) -> Expr:
    """Return the fraction per unit of time with which a stock grows by a percentage in each, whatever the time step."""
    growth = power(add(S.One, divide(percentage, number(100))), _plain(_STEP))
    return divide(add(growth, S.NegativeOne), _STEP)


def _root(x: Expr, order: Expr) -> Expr:
    """Return the root of an order; that of a negative number is negative for an odd order."""
    root, opposite = power(x, inverse(order)), negate(power(negate(x), inverse(order)))
    if order.is_Number:
        odd: Expr = S.One if order % 2 == 1 else S.Zero
    else:
        odd = row("=", row("MODULO", order, number(2)), S.One)
    return root if odd == 0 else row("IF THEN ELSE", row(":AND:", row("<", x, S.Zero), odd), opposite, root)


def _ways(*numbers: Expr, divisors: Sequence[Expr] = ()) -> Expr:
    """Return a product of factorials divided by others, a whole number."""
    logarithms = [row("GAMMA LN", add(x, S.One)) for x in (*numbers, *divisors)]
    terms = [*logarithms[: len(numbers)], *map(negate, logarithms[len(numbers) :])]
    return row("INTEGER", add(row("EXP", add(*terms) if len(terms) > 1 else terms[0]), S.Half))


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


def _lognormal(mean: Expr, deviation: Expr, *rest: Expr) -> Expr:
    """Return e to the power of a normal number with a mean and deviation; bounds are those of the result."""
    bounds = [row("LN", row("MAX", bound, _LEAST)) for bound in rest[1:]]
    return row("EXP", _random("RANDOM NORMAL", 2, lowest=number(-LARGEST))(mean, deviation, *rest[:1], *bounds))


def _exponential(seed: Expr = S.Zero) -> Expr:
    """Return an exponential number with mean 1, of which other distributions are made."""
    return row("RANDOM EXPONENTIAL", S.Zero, number(LARGEST), S.Zero, S.One, seed)


def _chance(probability: Expr, seed: Expr = S.Zero) -> Expr:
    """Return 1 with a probability in percent per unit of time, else 0."""
    happens = row("<", _uniform(S.Zero, number(100), seed), multiply(probability, _STEP))
    return row("IF THEN ELSE", happens, S.One, S.Zero)


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
    Builtin("LOGNORMAL(mean, deviation[, seed, minimum, maximum])", _lognormal),
    Builtin("BETA(alpha, beta[, seed, minimum, maximum])", _random("RANDOM BETA", 2, S.Zero, S.One)),
    Builtin(
        "BINOMIAL(trials, probability[, seed, minimum, maximum])",
        lambda trials, chance, *rest: _random("RANDOM BINOMIAL", 2, S.Zero, S.One)(chance, trials, *rest),
    ),
    Builtin(
        "GAMMA(shape, scale[, seed, minimum, maximum])",
        lambda shape, scale, *rest: _random("RANDOM GAMMA", 3)(shape, S.Zero, scale, *rest),
    ),
    Builtin(
        "TRIANGULAR(minimum, mode, maximum[, seed])",
        lambda low, mode, high, seed=S.Zero: row("RANDOM TRIANGULAR", low, high, low, mode, high, seed),
    ),
    Builtin(
        "WEIBULL(shape, scale[, seed])",
        lambda shape, scale, *seed: multiply(scale, power(_exponential(*seed), inverse(shape))),
    ),
    Builtin(
        "PARETO(shape, scale[, seed])",
        lambda shape, scale, *seed: multiply(scale, row("EXP", divide(_exponential(*seed), shape))),
    ),
    Builtin(
        "LOGISTIC(mean, scale[, seed])",
        lambda mean, scale, *seed: add(
            mean, multiply(scale, row("LN", add(row("EXP", _exponential(*seed)), S.NegativeOne)))
        ),
    ),
    Builtin("MONTECARLO(probability[, seed])", _chance),
    Builtin("FACTORIAL(n)", _ways),
    Builtin("COMBINATIONS(n, r)", lambda n, r: _ways(n, divisors=(r, add(n, negate(r))))),
    Builtin("PERMUTATIONS(n, r)", lambda n, r: _ways(n, divisors=(add(n, negate(r)),))),
    Builtin("LOGN(x)", lambda x: row("LN", x)),
    Builtin("ROOTN(x, order)", _root),
    Builtin("CGROWTH(percentage)", _compound_growth),
    Builtin("DERIVN(input, order)", _derivative),
    Builtin("COUNTER(start, end)", _counter),
    Builtin("ENDVAL(input[, initial])", lambda x, *initial: row("INITIAL", *(initial or (x,)))),
    Builtin("FV(rate, periods, payment, present value)", _future_value),
    Builtin("PV(rate, periods, payment, future value)", _present_value),
    Builtin("PMT(rate, periods, present value, future value)", _payment),
    Builtin("IRR(stream[, missing])", _rate_of_return),
    Builtin("GAMMALN(x)", lambda x: row("GAMMA LN", x)),
    Builtin("NPV(stream, discount rate[, initial, factor])", _net_present_value),
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
            "vary a constant over an ensemble": "GEOMETRIC, NEGBINOMIAL, NORMALPINK, LOOKUPRANDOM",
            "define an auxiliary with the value": "SENSIRUNCOUNT, SENSIRUNTOTAL, CLOCKTIME, SOFTWAREVERSION, SYSTEMCHANGE",
            "write the formula with stocks": (
                "RUNCUM, RUNMAX, RUNMIN, RUNMEAN, RUNSTDDEV, PERCENTILE, EXPBOUND, LOGISTICBOUND, MAXSOFT, MINSOFT"
            ),
            "read it from a graphical function": "NORMALCDF, INVNORM, LOOKUPMAX, LOOKUPMIN, MLPANN",
            "divide LOOKUPAREA by the width": "LOOKUPMEAN",
            "use stocks and flows without it": (
                "CYCLETIME, THROUGHPUT, PROCTIME, REWORK, CAPACITY, CTFLOW, CTMAX, CTMEAN, CTMIN, CTSTDDEV, OSTATE, AGECOUNT, ATTRCOUNT, "
                "ATTRMAX, ATTRMEAN, ATTRMIN, ATTRSTDDEV"
            ),
            "sum over the array instead": "MATRIXINVERT, SHORTESTPATH, TRAVERSALCOST",
            "write RANK(array, place, second array)": "RANK",
            "write STDDEV(array)": "STDDEV, ARRAYSTDDEV",
            "write HISTORY(x, time)": "HISTORY",
            "write LOOKUPAREA(table, to, from)": "LOOKUPAREA",
            "write LOOKUPINV(table, y)": "LOOKUPINV",
            "write INTERPOLATE(array, x) with an x for each dimension": "INTERPOLATE",
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


def standard_deviation(x: Expr, count: Expr) -> Expr:
    """Return the standard deviation of cells around their mean."""
    difference = add(x, negate(divide(row("SUM", x), count)))
    return row("SQRT", divide(row("SUM", power(difference, number(2))), count))


def smaller_cells(others: Sequence[Expr], own: Sequence[Expr]) -> Expr:
    """Return how many cells of an array come before one, by the first of several values in which they differ."""
    pairs = [*zip(others, own, strict=True)]
    before = row("<", *pairs.pop())
    for pair in reversed(pairs):
        before = row(":OR:", row("<", *pair), row(":AND:", row("=", *pair), before))
    return row("SUM", row("IF THEN ELSE", before, S.One, S.Zero))


def cell_with(before: Expr, number_of_cell: Expr, place: Expr) -> Expr:
    """Return the number of the cell that a number of others come before, which makes its place; 0 for a place that there is not."""
    found = row(":AND:", row("<=", add(before, S.One), place), row("<", place, add(before, number(2))))
    return row("SUM", row("IF THEN ELSE", found, number_of_cell, S.Zero))


def interpolate(points: Expr, places: Mapping[str, Expr]) -> Expr:
    """Return the value between the cells of an array, at a place from 0 to 1 along each of its dimensions."""
    weights = []
    for name, place in places.items():
        last = add(row("ELMCOUNT", make_reference(name)), S.NegativeOne)
        inside = row("MIN", S.One, row("MAX", S.Zero, place))
        own = add(make_reference(name, f"{name}{MARK}"), S.NegativeOne)
        distance = row("ABS", add(multiply(inside, last), negate(own)))
        weights.append(row("MAX", S.Zero, add(S.One, negate(distance))))
    return row("SUM", multiply(points, *weights))


def history(x: Expr, time: Expr, is_constant: Callable[[Expr], bool]) -> Expr:
    """Return an earlier value, at a time or a while ago, neither of which changes; 0 before the start and after now."""
    if is_constant(time):
        reached = row("<=", time, add(_TIME, multiply(number(0.01), _STEP)))
        soon = row("<=", _TIME, add(time, multiply(number(0.01), _STEP)))
        inside = row(":AND:", reached, row(">=", time, _START))
        return row("IF THEN ELSE", inside, row("SAMPLE IF TRUE", soon, x, x), S.Zero)
    others = [part for part in time.args if part != _TIME]
    ago = negate(add(*others)) if len(others) > 1 else negate(others[0]) if others else S.Zero
    if time != _TIME and not (time.is_Add and len(others) == len(time.args) - 1 and is_constant(ago)):
        message = "HISTORY is for a constant time, or TIME less a constant; write one of these"
        raise UnsupportedError(message)
    now = row("IF THEN ELSE", row("<", ago, S.Zero), S.Zero, x)
    past = row(">", ago, multiply(S.Half, _STEP))
    return x if time == _TIME else row("IF THEN ELSE", past, row("DELAY FIXED", x, ago, S.Zero), now)


def area_under(table: Expr, points: Table, how: str, to: Expr | None = None, start: Expr | None = None) -> Expr:
    """Return the area under a graphical function between two ends in any order; beyond its points there is none, or that of its lines."""
    first, last = (number(end(x for x, _ in points.points)) for end in (min, max))
    ends = (first if start is None else start, last if to is None else to)
    low, high = row("MIN", *ends), row("MAX", *ends)

    def within(x: Expr) -> Expr:
        return row("MAX", first, row("MIN", last, x))

    def beyond(low: Expr, high: Expr) -> Expr:
        heights = add(row(LOOKUPS[how], table, low), row(LOOKUPS[how], table, high))
        return multiply(add(high, negate(low)), heights, S.Half)

    whole = row("LOOKUP AREA", table, within(low), within(high))
    if how == "continuous":
        return whole
    before = beyond(row("MIN", low, first), row("MIN", high, first))
    return add(whole, before, beyond(row("MAX", low, last), row("MAX", high, last)))


def inverse_of(table: Expr, points: Table, how: str, y: Expr) -> Expr:
    """Return the first x at which a graphical function has a value; an end, or its line, for a value that it does not reach."""
    own = sorted(points.points) * (2 if len(points.points) == 1 else 1)
    values = [value for _, value in own]
    ends = ((own[0], own[1]), (own[-1], own[-2]))
    below, above = ends if values[0] <= values[-1] else ends[::-1]

    def beyond(end: tuple[float, float], inner: tuple[float, float]) -> Expr:
        rise = end[1] - inner[1] if how == "extrapolate" else 0.0
        if not rise:
            return number(end[0])
        return add(number(end[0]), multiply(number((end[0] - inner[0]) / rise), add(y, number(-end[1]))))

    found = row("IF THEN ELSE", row(">", y, number(max(values))), beyond(*above), row("LOOKUP INVERT", table, y))
    return row("IF THEN ELSE", row("<", y, number(min(values))), beyond(*below), found)


def look_up(how: str, table: Expr, x: Expr) -> Expr:
    """Return the value of a graphical function of a type at x."""
    if how not in LOOKUPS:
        message = f"a graphical function of type '{how}' is unknown; write {', '.join(LOOKUPS)}"
        raise UnsupportedError(message)
    return row(LOOKUPS[how], table, x)


def quotient(x: Expr, y: Expr, *, safe: bool) -> Expr:
    """Return `x/y`, or with `safe` 0 where the divisor is zero (Stella's operator `//`)."""
    return row("ZIDZ", x, y) if safe else divide(x, y)
