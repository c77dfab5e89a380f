"""Distributions as functions from a uniform number to a random one, by inversion: truncated exactly, and from one draw each.

A larger uniform number never gives a smaller result, and a parameter that moves a little moves the result a little, so that runs
with the same draws differ only by what differs in their constants. Each function writes code through an `Emitter`; with `PLAIN`,
whose registers are numbers, it computes.

What a loop must find (gamma, beta, counts) are functions of one member in machine code, and in Python the functions below of the
same names, which `QUANTILES` lists.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any, cast

from ...algebra import Table
from ..arithmetic import emit_log_gamma
from ..row import Emitter, R

FAR = 1e300
"""A bound beyond every number that a distribution gives."""
_MOST_VARIANCE = 1e6
"""Counts with a larger variance come from an expansion around the normal distribution; its error is below 1e-6 of probability."""

# Wichura (1988), algorithm AS 241, PPND16: polynomials from the constant up, numerator and denominator, in three regions
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_MIDDLE = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip
# West (2005), Better approximations to cumulative normal functions: from the highest power down
_WEST = (
    (3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931,
     220.206867912376),
    (8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831,
     793.826512519948, 440.413735824752),
)  # fmt: skip


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {"=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
)


class _Plain:
    """An `Emitter` whose registers are numbers: what it writes is computed at once, as the processor does it."""

    begun = late = early = dt = math.nan

    def constant(self, value: float) -> Any:
        return value

    def binary(self, sign: str, left: Any, right: Any) -> Any:
        if sign == "/":
            return left / right if right else math.nan if not left else math.copysign(math.inf, left)
        return left + right if sign == "+" else left - right if sign == "-" else left * right

    def compare(self, sign: str, left: Any, right: Any) -> Any:
        return _COMPARISONS[sign](left, right)

    def choose(self, condition: Any, then: Any, otherwise: Any) -> Any:
        return then if condition else otherwise

    def call(self, name: str, *arguments: Any) -> Any:
        try:
            return float(getattr(math, name)(*arguments))
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf if name == "log" and arguments == (0,) else math.nan

    def look_up(self, way: str, table: Table, x: Any) -> Any:
        from ..lookups import look_up

        return look_up(way, table, x)

    def quantile(self, name: str, *arguments: Any) -> Any:
        return QUANTILES[name](*arguments)


PLAIN = cast("Emitter[float]", _Plain())
"""Computes what the functions of this module write, from numbers."""


def _minimum(f: Emitter[R], x: R, y: R) -> R:
    return f.choose(f.compare("<", x, y), x, y)


def _maximum(f: Emitter[R], x: R, y: R) -> R:
    return f.choose(f.compare(">", x, y), x, y)


def _clip(f: Emitter[R], x: R, low: R, high: R) -> R:
    return _maximum(f, low, _minimum(f, x, high))


def _polynomial(f: Emitter[R], x: R, highest_first: Sequence[float]) -> R:
    total = f.constant(highest_first[0])
    for coefficient in highest_first[1:]:
        total = f.binary("+", f.binary("*", total, x), f.constant(coefficient))
    return total


def _ratio(f: Emitter[R], x: R, polynomials: tuple[Sequence[float], Sequence[float]]) -> R:
    above, below = (_polynomial(f, x, part[::-1]) for part in polynomials)
    return f.binary("/", above, below)


def _between(f: Emitter[R], u: R, low: R, high: R) -> R:
    """The number that divides the way from low to high as u divides that from 0 to 1."""
    return f.binary("+", low, f.binary("*", u, f.binary("-", high, low)))


def normal_point(f: Emitter[R], p: R) -> R:
    """Write the number below which a standard normal one lies with probability p."""
    q = f.binary("-", p, f.constant(0.5))
    central = f.binary("*", q, _ratio(f, f.binary("-", f.constant(0.180625), f.binary("*", q, q)), _CENTRE))
    negative = f.compare("<", q, f.constant(0.0))
    tail = f.choose(negative, p, f.binary("-", f.constant(1.0), p))
    r = f.call("sqrt", f.binary("-", f.constant(0.0), f.call("log", tail)))
    middle = _ratio(f, f.binary("-", r, f.constant(1.6)), _MIDDLE)
    last = _ratio(f, f.binary("-", r, f.constant(5.0)), _TAIL)
    size = f.choose(f.compare("<=", r, f.constant(5.0)), middle, last)
    outer = f.choose(negative, f.binary("-", f.constant(0.0), size), size)
    return f.choose(f.compare("<=", f.call("fabs", q), f.constant(0.425)), central, outer)


def normal_share(f: Emitter[R], z: R) -> R:
    """Write the probability that a standard normal number is below z."""
    size = _minimum(f, f.call("fabs", z), f.constant(38.0))
    density = f.call("exp", f.binary("*", f.constant(-0.5), f.binary("*", size, size)))
    near = f.binary("/", f.binary("*", density, _polynomial(f, size, _WEST[0])), _polynomial(f, size, _WEST[1]))
    fraction = f.binary("+", size, f.constant(0.65))
    for part in (4.0, 3.0, 2.0, 1.0):
        fraction = f.binary("+", size, f.binary("/", f.constant(part), fraction))
    far = f.binary("/", f.binary("/", density, fraction), f.constant(2.506628274631))
    tail = f.choose(f.compare("<", size, f.constant(7.07106781186547)), near, far)
    return f.choose(f.compare(">", z, f.constant(0.0)), f.binary("-", f.constant(1.0), tail), tail)


Shape = Callable[..., Any]
"""Writes a number of a distribution, from an emitter, a uniform number, the bounds of the result and parameters."""


def placed(shape: Shape) -> Shape:
    """The distribution with a shift and a stretch after its parameters, truncated after both, from min and max."""

    def write(f: Emitter[R], u: R, least: R, most: R, *rest: R) -> R:
        *parameters, shift, stretch = rest
        flat = f.compare("=", stretch, f.constant(0.0))
        ends = []
        for bound, far in ((least, -FAR), (most, FAR)):
            end = f.binary("/", f.binary("-", bound, shift), stretch)
            ends.append(f.choose(flat, f.constant(far), _clip(f, end, f.constant(-FAR), f.constant(FAR))))
        found = shape(f, u, _minimum(f, *ends), _maximum(f, *ends), *parameters)
        value = f.binary("+", shift, f.binary("*", stretch, found))
        return _clip(f, f.choose(flat, shift, value), least, most)

    return write


def uniform(f: Emitter[R], u: R, least: R, most: R) -> R:
    """Write a uniform number."""
    return _between(f, u, least, most)


def normal(f: Emitter[R], u: R, low: R, high: R) -> R:
    """Write a standard normal number."""
    point = normal_point(f, _between(f, u, normal_share(f, low), normal_share(f, high)))
    return _clip(f, point, f.constant(-40.0), f.constant(40.0))


def exponential(f: Emitter[R], u: R, low: R, high: R) -> R:
    """Write an exponential number with mean 1."""
    low = _maximum(f, low, f.constant(0.0))
    share = f.binary("-", f.constant(1.0), f.call("exp", f.binary("-", low, _maximum(f, high, low))))
    return f.binary("-", low, f.call("log", f.binary("-", f.constant(1.0), f.binary("*", u, share))))


def weibull(f: Emitter[R], u: R, low: R, high: R, shape: R) -> R:
    """Write a number of a Weibull distribution with mean 1: a power of an exponential number."""
    inverse = f.binary("/", f.constant(1.0), shape)
    mean = f.call("exp", emit_log_gamma(f, f.binary("+", f.constant(1.0), inverse)))
    ends = [f.call("pow", f.binary("*", _maximum(f, end, f.constant(0.0)), mean), shape) for end in (low, high)]
    return f.binary("/", f.call("pow", exponential(f, u, *ends), inverse), mean)


def triangular(f: Emitter[R], u: R, least: R, most: R, start: R, peak: R, stop: R) -> R:
    """Write a number of a triangle from start to stop, truncated to least and most."""
    width, rise, fall = f.binary("-", stop, start), f.binary("-", peak, start), f.binary("-", stop, peak)
    one = f.constant(1.0)

    def share(x: R) -> R:
        x = _clip(f, x, start, stop)
        left, right = f.binary("-", x, start), f.binary("-", stop, x)
        below = f.binary("/", f.binary("*", left, left), f.binary("*", width, rise))
        above = f.binary("/", f.binary("*", right, right), f.binary("*", width, fall))
        return f.choose(f.compare("<", x, peak), below, f.binary("-", one, above))

    # where the peak is an end, the part beyond it has no width
    at_stop = f.compare(">=", most, stop)
    to = f.choose(at_stop, one, share(most))
    p = _between(f, u, f.choose(f.compare("<=", least, start), f.constant(0.0), share(least)), to)
    rising = f.binary("+", start, f.call("sqrt", f.binary("*", p, f.binary("*", width, rise))))
    other = f.binary("*", f.binary("-", one, p), f.binary("*", width, fall))
    falling = f.binary("-", stop, f.call("sqrt", other))
    found = f.choose(f.compare("<=", f.binary("*", p, width), rise), rising, falling)
    return _clip(f, found, least, most)


def gamma(f: Emitter[R], u: R, low: R, high: R, order: R) -> R:
    """Write a gamma number of an order of at least 1."""
    order = _maximum(f, order, f.constant(1.0))
    return f.quantile("gamma", u, low, high, order, f.constant(0.0), emit_log_gamma(f, order))


def beta(f: Emitter[R], u: R, low: R, high: R, a: R, b: R) -> R:
    """Write a beta number."""
    logs = f.binary(
        "-", f.binary("+", emit_log_gamma(f, a), emit_log_gamma(f, b)), emit_log_gamma(f, f.binary("+", a, b))
    )
    return f.quantile("beta", u, low, high, a, b, logs)


def _counts(f: Emitter[R], u: R, low: R, high: R, first: R, growth: R) -> R:
    """Write a whole number from low to high, at least 0: k + 1 is (first + growth k) / (k + 1) times as likely as k.

    These are the Poisson, binomial and negative binomial distributions (Panjer 1981).
    """
    rest = f.binary("-", f.constant(1.0), growth)
    mean = f.binary("/", first, rest)
    variance = f.binary("/", mean, rest)
    many = f.compare(">", variance, f.constant(_MOST_VARIANCE))
    deviation = f.call("sqrt", variance)
    half = f.constant(0.5)
    ends = [
        f.binary("/", f.binary("-", f.binary(sign, end, half), mean), deviation)
        for sign, end in (("-", _maximum(f, low, f.constant(0.0))), ("+", high))
    ]
    z = normal(f, u, *ends)
    skew = f.binary("/", f.binary("+", f.constant(1.0), growth), rest)
    bend = f.binary("*", f.binary("/", f.binary("-", f.binary("*", z, z), f.constant(1.0)), f.constant(6.0)), skew)
    near = f.binary("+", f.binary("+", mean, f.binary("*", deviation, z)), f.binary("+", bend, half))
    about = _clip(f, f.call("floor", near), _maximum(f, low, f.constant(0.0)), high)
    none = f.constant(0.0)
    exact = f.quantile("counts", u, low, high, f.choose(many, none, first), f.choose(many, none, growth), none)
    return f.choose(many, about, exact)


def poisson(f: Emitter[R], u: R, low: R, high: R, mean: R) -> R:
    """Write a count of a Poisson distribution."""
    return _counts(f, u, low, high, _maximum(f, mean, f.constant(0.0)), f.constant(0.0))


def binomial(f: Emitter[R], u: R, low: R, high: R, probability: R, trials: R) -> R:
    """Write the number of successes in a number of trials; the rarer of success and failure is counted."""
    one, zero = f.constant(1.0), f.constant(0.0)
    count = _maximum(f, f.call("floor", f.binary("+", trials, f.constant(0.5))), zero)
    p = _clip(f, probability, zero, one)
    often = f.compare(">", p, f.constant(0.5))
    rare = f.choose(often, f.binary("-", one, p), p)
    odds = f.binary("/", rare, f.binary("-", one, rare))
    least = f.choose(often, f.binary("-", count, high), low)
    most = _minimum(f, f.choose(often, f.binary("-", count, low), high), count)
    part = f.choose(often, f.binary("-", one, u), u)
    found = _counts(f, part, least, most, f.binary("*", count, odds), f.binary("-", zero, odds))
    return f.choose(often, f.binary("-", count, found), found)


def negative_binomial(f: Emitter[R], u: R, low: R, high: R, probability: R, successes: R) -> R:
    """Write the number of trials until a number of successes."""
    count = _maximum(f, f.call("floor", f.binary("+", successes, f.constant(0.5))), f.constant(0.0))
    failing = f.binary("-", f.constant(1.0), _clip(f, probability, f.constant(0.0), f.constant(1.0)))
    low, high = f.binary("-", low, count), f.binary("-", high, count)
    return f.binary("+", count, _counts(f, u, low, high, f.binary("*", count, failing), failing))


def tabled(f: Emitter[R], u: R, low: R, high: R, table: Table) -> R:
    """Write a number whose density is a lookup, with straight lines between its points: the area below it is inverted."""
    points = sorted((x, max(y, 0.0)) for x, y in table.points)
    pairs = list(pairwise(points))
    areas = list(accumulate(((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairs), initial=0.0))
    if not areas[-1] > 0:
        return f.constant(points[0][0])
    slopes = [(y1 - y0) / (x1 - x0) if x1 > x0 else 0.0 for (x0, y0), (x1, y1) in pairs]
    parts = [(points[i][0], points[i][1], areas[i], slopes[i]) for i in range(len(pairs)) if areas[i + 1] > areas[i]]

    def piece(by: int, at: R) -> list[R]:
        """The columns of the part in which a place, or an area, lies."""
        return [f.look_up("backward", Table([(part[by], part[column]) for part in parts]), at) for column in range(4)]

    def area(end: R) -> R:
        end = _clip(f, end, f.constant(points[0][0]), f.constant(points[-1][0]))
        begin, height, below, slope = piece(0, end)
        width = f.binary("-", end, begin)
        mean = f.binary("+", height, f.binary("*", f.constant(0.5), f.binary("*", slope, width)))
        return _minimum(f, f.binary("+", below, f.binary("*", width, mean)), f.constant(areas[-1]))

    wanted = _between(f, u, area(low), area(high))
    begin, height, below, slope = piece(2, wanted)
    more = f.binary("*", f.constant(2.0), f.binary("-", wanted, below))
    root = f.binary("+", f.binary("*", height, height), f.binary("*", slope, more))
    total = f.binary("+", height, f.call("sqrt", _maximum(f, root, f.constant(0.0))))
    step = f.choose(f.compare(">", total, f.constant(0.0)), f.binary("/", more, total), f.constant(0.0))
    return f.binary("+", begin, step)


_MOST_STEPS = 100_000
_NEGLIGIBLE = 1e-18


def _count_point(u: float, low: float, high: float, first: float, growth: float, _: float) -> float:
    """The count of `_counts`: weights relative to the likeliest one, as far as they matter, added up from the smallest count."""
    low, high = max(math.ceil(low), 0.0), math.floor(high)
    mode = min(max(math.floor((first - growth) / (1 - growth)), low), high)
    weight = total = least = 1.0
    begin = mode
    while begin > low and weight >= _NEGLIGIBLE * total and mode - begin < _MOST_STEPS:
        weight *= begin / (first + growth * (begin - 1))
        begin, total, least = begin - 1, total + weight, weight
    weight, place = 1.0, mode
    while place < high and weight >= _NEGLIGIBLE * total and place - mode < _MOST_STEPS:
        weight *= (first + growth * place) / (place + 1)
        place, total = place + 1, total + weight
    weight = so_far = least
    while so_far < u * total and begin < place:
        weight *= (first + growth * begin) / (begin + 1)
        begin, so_far = begin + 1, so_far + weight
    return begin


def _gamma_point(u: float, low: float, high: float, order: float, *_: float) -> float:
    from scipy import special

    ends = (float(special.gammainc(order, max(end, 0.0))) for end in (low, high))
    return float(special.gammaincinv(order, _between(PLAIN, u, *ends)))


def _beta_point(u: float, low: float, high: float, a: float, b: float, _: float) -> float:
    from scipy import special

    ends = (float(special.betainc(a, b, min(max(end, 0.0), 1.0))) for end in (low, high))
    return float(special.betaincinv(a, b, _between(PLAIN, u, *ends)))


QUANTILES: Mapping[str, Callable[..., float]] = MappingProxyType(
    {"gamma": _gamma_point, "beta": _beta_point, "counts": _count_point}
)
"""What `Emitter.quantile` computes, by name: from a uniform number, bounds and three parameters."""
