"""Allocation of a scarce quantity, and markets: curves of demand and supply over a price or priority, and the price that clears.

A profile gives the curve of one requester: its type, centre, width and an extra number. The types are those of the Vensim reference
manual ("Specifying the Curves"): 0 a fixed quantity, 1 rectangular, 2 triangular, 3 normal, 4 exponential and 5 constant elasticity.
Each of 1 to 4 is the integral of the named density around the centre. The rectangle and the triangle are as wide as the width, which
is the standard deviation of the normal density, at least 0.05, and the scale of the exponential one. With constant elasticity the
quantity is reached at the centre, the width is the price beyond which the curve is cut off, and the extra number is the elasticity.

The price is found by halving the interval between the smallest and the largest number that a computer knows, which ends at two
neighbours after 64 steps. Where demand jumps between the two, as it does with a width of 0, what is left is shared in the proportion
of the jumps. Fixed quantities that exceed the supply share it in proportion, as in Vensim's output files.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from sympy import Expr, S

from ...extras import LazyModule
from ..algebra import NA, add, divide, multiply, negate
from .arithmetic import ABS, MAX, MIN
from .logic import GREATER, IF_THEN_ELSE, LESS_OR_EQUAL
from .row import Array, ArrayEmitter, Emitter, FunctionRow, R
from .vectors import NO_SLOPE, NO_SUBSCRIPTS, emit_by_number

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")

_LARGEST = sys.float_info.max
_STEPS = 64
"""Halvings of the interval between the smallest and the largest number until its ends are neighbours."""
_FURTHEST = 40.0
"""At this many widths from its centre a curve has its end value to the last bit."""
_NORMAL, _NARROWEST, _NORMAL_END = 3.0, 0.05, 5.0
"""The type of the normal density; its smallest standard deviation, and how many of them from its centre a price is looked for, which
both show in Vensim's output files."""
_CENTRE, _WIDTH, _EXTRA = 1, 2, 3

Profile = Sequence[float]
Read = Callable[[int], R]
"""Writes the number of a profile at a place: its type, centre, width or extra number."""

# Rational approximations by W. J. Cody, Mathematics of Computation 23 (1969), from the highest power down, numerator and denominator
_NEAR = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e0,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
     8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip


def emit_erfc(f: Emitter[R], x: R) -> R:
    """The complement of the error function, to a few units in the last place of 1."""

    def ratio(coefficients: Sequence[Sequence[float]], at: R) -> R:
        upper, lower = (
            reduce(lambda total, c: f.binary("+", f.binary("*", total, at), f.constant(c)), rest, f.constant(first))
            for first, *rest in coefficients
        )
        return f.binary("/", upper, lower)

    size = ABS.emit(f, x)
    square = f.binary("*", size, size)
    bell = f.call("exp", f.binary("-", f.constant(0.0), square))
    near = f.binary("-", f.constant(1.0), f.binary("*", x, ratio(_NEAR, square)))
    middle = f.binary("*", bell, ratio(_MIDDLE, size))
    inverse = f.binary("/", f.constant(1.0), square)
    tail = f.binary("-", f.constant(1 / math.sqrt(math.pi)), f.binary("*", inverse, ratio(_FAR, inverse)))
    far = f.binary("*", f.binary("/", bell, size), tail)
    beyond = f.choose(f.compare("<", size, f.constant(4.0)), middle, far)
    beyond = f.choose(f.compare("<", x, f.constant(0.0)), f.binary("-", f.constant(2.0), beyond), beyond)
    return f.choose(f.compare("<", size, f.constant(0.46875)), near, beyond)


def _rectangle(centre: float, width: float, price: float) -> float:
    left, right = centre - width / 2, centre + width / 2
    return 1.0 if price <= left else 0.0 if price >= right else (right - price) / width


def _emit_rectangle(f: Emitter[R], centre: R, width: R, price: R) -> R:
    half = f.binary("*", width, f.constant(0.5))
    left, right = f.binary("-", centre, half), f.binary("+", centre, half)
    within = f.binary("/", f.binary("-", right, price), width)
    above = f.choose(f.compare(">=", price, right), f.constant(0.0), within)
    return f.choose(f.compare("<=", price, left), f.constant(1.0), above)


def _rectangles(centre: Any, width: Any, price: Any) -> Any:
    left, right = centre - width / 2, centre + width / 2
    return np.where(price <= left, 1.0, np.where(price >= right, 0.0, (right - price) / width))


def _alloc_p_slopes(request: Expr, priority: Expr, width: Expr, price: Expr) -> Sequence[Expr]:
    """Within the width the part that is allocated changes by 1 over it; beyond it is level."""
    distance = add(price, negate(priority))
    inside = GREATER.build(width, multiply(S(2), ABS.build(distance)))
    slope = IF_THEN_ELSE.build(inside, divide(request, width), S.Zero)
    whole = LESS_OR_EQUAL.build(multiply(S(2), distance), negate(width))
    part = IF_THEN_ELSE.build(inside, add(S.Half, negate(divide(distance, width))), whole)
    return part, slope, multiply(slope, divide(distance, width)), negate(slope)


def _fraction(profile: Profile, price: float) -> float:
    """The part of the quantity that is demanded at a price, where it is not fixed and the elasticity not constant."""
    kind, centre, width = profile[:_EXTRA]
    if kind == 1:
        return _rectangle(centre, width, price)
    width = max(width, _NARROWEST) if kind == _NORMAL else width
    z = 0.0 if price == centre else (price - centre) / width if width else math.copysign(math.inf, price - centre)
    if kind == 2:  # noqa: PLR2004 - the types of the manual
        z = min(max(z, -0.5), 0.5)
        return 1 - 2 * (z + 0.5) ** 2 if z < 0 else 2 * (0.5 - z) ** 2
    if kind == _NORMAL:
        return math.erfc(z / math.sqrt(2)) / 2
    half = math.exp(-abs(z)) / 2
    return (1 - half if z < 0 else half) if kind == 4 else math.nan  # noqa: PLR2004


def _emit_fraction(f: Emitter[R], profile: Read[R], price: R) -> R:
    one, zero, half = f.constant(1.0), f.constant(0.0), f.constant(0.5)
    kind, centre, width = profile(0), profile(_CENTRE), profile(_WIDTH)
    spread = f.choose(f.compare("=", kind, f.constant(_NORMAL)), MAX.emit(f, width, f.constant(_NARROWEST)), width)
    z = f.binary("/", f.binary("-", price, centre), spread)
    z = f.choose(f.compare("=", price, centre), zero, z)
    cut = MIN.emit(f, MAX.emit(f, z, f.constant(-0.5)), half)
    left, right = f.binary("+", cut, half), f.binary("-", half, cut)
    two, below = f.constant(2.0), f.compare("<", z, zero)
    steep = f.binary("-", one, f.binary("*", two, f.binary("*", left, left)))
    triangle = f.choose(below, steep, f.binary("*", two, f.binary("*", right, right)))
    normal = f.binary("*", half, emit_erfc(f, f.binary("*", z, f.constant(math.sqrt(0.5)))))
    tail = f.binary("*", half, f.call("exp", f.binary("-", zero, ABS.emit(f, z))))
    exponential = f.choose(below, f.binary("-", one, tail), tail)
    curves = (_emit_rectangle(f, centre, width, price), triangle, normal, exponential)
    return emit_by_number(f, kind, dict(enumerate(curves, 1)))


def _extra(profile: Profile) -> float:
    return profile[_EXTRA] if len(profile) > _EXTRA else 0.0


def _elastic(ratio: float, exponent: float) -> float:
    return math.inf if ratio == 0 and exponent < 0 else math.pow(ratio, exponent)


def _demanded(profile: Profile, price: float) -> float:
    """The part of the quantity that is demanded at a price; with constant elasticity it may exceed 1."""
    if profile[0] == 5:  # noqa: PLR2004
        return _elastic(max(price, profile[_WIDTH]) / profile[_CENTRE], -_extra(profile))
    return 1.0 if profile[0] == 0 else _fraction(profile, price)


def _supplied(profile: Profile, price: float) -> float:
    if profile[0] == 5:  # noqa: PLR2004
        return _elastic(max(min(price, profile[_WIDTH]), 0) / profile[_CENTRE], _extra(profile))
    return 1.0 if profile[0] == 0 else 1 - _fraction(profile, price)


def _emit_demanded(f: Emitter[R], profile: Read[R], price: R) -> R:
    ratio = f.binary("/", MAX.emit(f, price, profile(_WIDTH)), profile(_CENTRE))
    elastic = f.call("pow", ratio, f.binary("-", f.constant(0.0), profile(_EXTRA)))
    return _emit_part(f, profile, _emit_fraction(f, profile, price), elastic)


def _emit_supplied(f: Emitter[R], profile: Read[R], price: R) -> R:
    most = MAX.emit(f, MIN.emit(f, price, profile(_WIDTH)), f.constant(0.0))
    elastic = f.call("pow", f.binary("/", most, profile(_CENTRE)), profile(_EXTRA))
    return _emit_part(f, profile, f.binary("-", f.constant(1.0), _emit_fraction(f, profile, price)), elastic)


def _emit_part(f: Emitter[R], profile: Read[R], fraction: R, elastic: R) -> R:
    part = f.choose(f.compare("=", profile(0), f.constant(5.0)), elastic, fraction)
    return f.choose(f.compare("=", profile(0), f.constant(0.0)), f.constant(1.0), part)


def _profile(f: ArrayEmitter[R], profiles: Array, place: R | None = None) -> Read[R]:
    """The numbers of the profile of a requester, or those of a vector that is one profile."""
    count = profiles.rows if place is None else profiles.columns

    def read(which: int) -> R:
        if which >= count:
            return f.constant(0.0)
        return f.get(profiles, which) if place is None else f.get(profiles, place, which)

    return read


def _halfway(low: float, high: float) -> float:
    """The number in the middle of two, in the order of all numbers, in which their bits are those of whole numbers."""

    def order(bits: int) -> int:
        return bits ^ 0x7FFFFFFFFFFFFFFF if bits < 0 else bits

    middle = sum(order(struct.unpack("<q", struct.pack("<d", end))[0]) for end in (low, high)) // 2
    return float(struct.unpack("<d", struct.pack("<q", order(middle)))[0])


def _clear(excess: Callable[[float], float], low: float = -_LARGEST, high: float = _LARGEST) -> tuple[float, float]:
    """Two neighbours between which the excess of demand, which falls with the price, becomes 0."""
    for _ in range(_STEPS):
        middle = _halfway(low, high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return low, high


def _emit_clear(f: ArrayEmitter[R], excess: Callable[[R], R], low: R, high: R) -> tuple[R, ...]:
    def body(_: R, low: R, high: R) -> Sequence[R]:
        middle = f.halfway(low, high)
        more = f.compare(">", excess(middle), f.constant(0.0))
        return [f.choose(more, middle, low), f.choose(more, high, middle)]

    return f.loop(_STEPS, body, low, high)


def _share(requests: Sequence[float], demand: Callable[[int, float], float], supply: float) -> list[float]:
    """What each gets: its request, if the supply is enough for all, else its demand at the price that clears."""
    if supply >= sum(requests):
        return list(requests)
    supply = max(supply, 0.0)

    def at(price: float) -> list[float]:
        return [demand(place, price) for place in range(len(requests))]

    most, least = (at(price) for price in _clear(lambda price: sum(at(price)) - supply))
    if sum(least) > supply:
        return [own * (supply / sum(least)) for own in least]
    jump = sum(most) - sum(least)
    part = min((supply - sum(least)) / jump, 1.0) if jump > 0 else 0.0
    return [own + part * (more - own) for more, own in zip(most, least, strict=True)]


def _emit_share(
    f: ArrayEmitter[R], count: int, request: Callable[[R], R], demand: Callable[[R, R], R], supply: R
) -> Array:
    """As `_share`; `request` and `demand` write those of the requester at a place."""
    zero, one = f.constant(0.0), f.constant(1.0)

    def total(amount: Callable[[R], R]) -> R:
        (found,) = f.loop(count, lambda place, so_far: [f.binary("+", so_far, amount(place))], zero)
        return found

    def wanted(price: R) -> R:
        return total(lambda place: demand(place, price))

    enough = f.compare(">=", supply, total(request))
    left = MAX.emit(f, supply, zero)
    bounds = (f.constant(-_LARGEST), f.constant(_LARGEST))
    low, high = _emit_clear(f, lambda price: f.binary("-", wanted(price), left), *bounds)
    most, least = wanted(low), wanted(high)
    jump = f.binary("-", most, least)
    part = MIN.emit(f, f.binary("/", f.binary("-", left, least), jump), one)
    part = f.choose(f.compare(">", jump, zero), part, zero)
    over, scale = f.compare(">", least, left), f.binary("/", left, least)
    results = f.scratch(count)

    def body(place: R) -> Sequence[R]:
        own = demand(place, high)
        shared = f.binary("+", own, f.binary("*", part, f.binary("-", demand(place, low), own)))
        shared = f.choose(over, f.binary("*", own, scale), shared)
        f.put_at(results, f.choose(enough, request(place), shared), place)
        return []

    f.loop(count, body)
    return results


def _allocate(requests: Sequence[float], profiles: Sequence[Profile], supply: float) -> list[float]:
    asked = [max(request, 0.0) for request in requests]
    return _share(asked, lambda i, price: asked[i] * min(_demanded(profiles[i], price), 1.0), supply)


def _emit_allocate(f: ArrayEmitter[R], requests: Array, profiles: Array, supply: R) -> Array:
    def request(place: R) -> R:
        return MAX.emit(f, f.get(requests, place), f.constant(0.0))

    def demand(place: R, price: R) -> R:
        part, one = _emit_demanded(f, _profile(f, profiles, place), price), f.constant(1.0)
        return f.binary("*", request(place), f.choose(f.compare(">", part, one), one, part))

    return _emit_share(f, requests.rows, request, demand, supply)


def _asked(requests: Sequence[float], size: float) -> list[float]:
    return [max(request, 0.0) if place < size else 0.0 for place, request in enumerate(requests)]


def _emit_asked(f: ArrayEmitter[R], requests: Array, size: R, place: R) -> R:
    asked = MAX.emit(f, f.get(requests, place), f.constant(0.0))
    return f.choose(f.compare("<", f.real(place), size), asked, f.constant(0.0))


def _by_priority(
    requests: Sequence[float], priorities: Sequence[float], size: float, width: float, supply: float
) -> list[float]:
    asked = _asked(requests, size)
    return _share(asked, lambda i, price: asked[i] * _rectangle(priorities[i], width, price), supply)


def _emit_by_priority(f: ArrayEmitter[R], requests: Array, priorities: Array, size: R, width: R, supply: R) -> Array:
    def request(place: R) -> R:
        return _emit_asked(f, requests, size, place)

    def demand(place: R, price: R) -> R:
        return f.binary("*", request(place), _emit_rectangle(f, f.get(priorities, place), width, price))

    return _emit_share(f, requests.rows, request, demand, supply)


def _market_priority(
    requests: Sequence[float], priorities: Sequence[float], size: float, width: float, supply: float
) -> float:
    asked = _asked(requests, size)

    def excess(price: float) -> float:
        return sum(own * _rectangle(at, width, price) for own, at in zip(asked, priorities, strict=True)) - supply

    return _clear(excess, min(priorities) - width / 2, max(priorities) + width / 2)[1]


def _emit_market_priority(f: ArrayEmitter[R], requests: Array, priorities: Array, size: R, width: R, supply: R) -> R:
    def excess(price: R) -> R:
        def body(place: R, so_far: R) -> Sequence[R]:
            part = _emit_rectangle(f, f.get(priorities, place), width, price)
            return [f.binary("+", so_far, f.binary("*", _emit_asked(f, requests, size, place), part))]

        (found,) = f.loop(requests.rows, body, f.constant(0.0))
        return f.binary("-", found, supply)

    def bounds(place: R, low: R, high: R) -> Sequence[R]:
        own = f.get(priorities, place)
        return [MIN.emit(f, own, low), MAX.emit(f, own, high)]

    low, high = f.loop(requests.rows, bounds, f.constant(_LARGEST), f.constant(-_LARGEST))
    half = f.binary("*", width, f.constant(0.5))
    return _emit_clear(f, excess, f.binary("-", low, half), f.binary("+", high, half))[1]


def _reach(profile: Profile) -> tuple[float, float]:
    """The prices beyond which a curve is level, but for rounding."""
    kind, centre, width = profile[:_EXTRA]
    if kind == 0:
        return _LARGEST, -_LARGEST
    far = _NORMAL_END * max(width, _NARROWEST) if kind == _NORMAL else _FURTHEST * width
    return (0.0, _LARGEST) if kind == 5 else (centre - far, centre + far)  # noqa: PLR2004


def _market_price(
    demands: Sequence[float], buyers: Sequence[Profile], supplies: Sequence[float], sellers: Sequence[Profile]
) -> float:
    def excess(price: float) -> float:
        bought = sum(own * _demanded(profile, price) for own, profile in zip(demands, buyers, strict=True))
        return bought - sum(own * _supplied(profile, price) for own, profile in zip(supplies, sellers, strict=True))

    lows, highs = zip(*map(_reach, (*buyers, *sellers)), strict=True)
    return _clear(excess, min(lows), max(highs))[1] if min(lows) < max(highs) else NA


def _emit_market_price(f: ArrayEmitter[R], demands: Array, buyers: Array, supplies: Array, sellers: Array) -> R:
    def total(quantities: Array, profiles: Array, curve: Callable[..., R], price: R) -> R:
        def body(place: R, so_far: R) -> Sequence[R]:
            part = curve(f, _profile(f, profiles, place), price)
            return [f.binary("+", so_far, f.binary("*", f.get(quantities, place), part))]

        (found,) = f.loop(quantities.rows, body, f.constant(0.0))
        return found

    def excess(price: R) -> R:
        bought = total(demands, buyers, _emit_demanded, price)
        return f.binary("-", bought, total(supplies, sellers, _emit_supplied, price))

    low, high = f.constant(_LARGEST), f.constant(-_LARGEST)
    for profiles in (buyers, sellers):

        def body(place: R, low: R, high: R, profiles: Array = profiles) -> Sequence[R]:
            profile = _profile(f, profiles, place)
            fixed, normal, elastic = (f.compare("=", profile(0), f.constant(number)) for number in (0.0, _NORMAL, 5.0))
            width = MAX.emit(f, profile(_WIDTH), f.constant(_NARROWEST))
            normal_end = f.binary("*", f.constant(_NORMAL_END), width)
            far = f.choose(normal, normal_end, f.binary("*", f.constant(_FURTHEST), profile(_WIDTH)))
            ends = []
            for sign, cut, none in (("-", 0.0, _LARGEST), ("+", _LARGEST, -_LARGEST)):
                end = f.choose(elastic, f.constant(cut), f.binary(sign, profile(_CENTRE), far))
                ends.append(f.choose(fixed, f.constant(none), end))
            return [MIN.emit(f, ends[0], low), MAX.emit(f, ends[1], high)]

        low, high = f.loop(profiles.rows, body, low, high)
    found = _emit_clear(f, excess, low, high)[1]
    return f.choose(f.compare("<", low, high), found, f.constant(NA))


# fmt: off
ROWS = (
    FunctionRow(
        "ALLOCATE AVAILABLE(request, profiles, available)",
        "what each gets of what is available, by the profiles of all: in whole if there is enough for all",
        "u, *, u -> u", kinds=("vector", "matrix", "finite"), spreads=1, scratch=lambda rows: rows,
        evaluate=_allocate, arrays=NO_SUBSCRIPTS, emit=_emit_allocate, derivative=NO_SLOPE,
    ),
    FunctionRow(
        "ALLOCATE BY PRIORITY(request, priority, size, width, supply)",
        "what each gets of a supply: those with higher priorities first, by more than the width apart",
        "u, v, 1, v, u -> u", kinds=("vector", "vector", "finite", "finite", "finite"), spreads=1, scratch=lambda rows: rows,
        evaluate=_by_priority, arrays=NO_SUBSCRIPTS, emit=_emit_by_priority, derivative=NO_SLOPE,
    ),
    FunctionRow(
        "MARKETP(request, priority, size, width, supply)", "the priority at which requests use up the supply, for ALLOC P",
        "u, v, 1, v, u -> v", kinds=("vector", "vector", "finite", "finite", "finite"),
        evaluate=_market_priority, arrays=NO_SUBSCRIPTS, emit=_emit_market_priority, derivative=NO_SLOPE,
    ),
    FunctionRow(
        "ALLOC P(request, priority, width, market priority)", "what a request with a priority gets at the market's priority",
        "u, v, v, v -> u", kinds=("finite",) * 4,
        evaluate=lambda request, priority, width, price: request * _rectangle(priority, width, price),
        arrays=lambda request, priority, width, price: request * _rectangles(priority, width, price),
        emit=lambda f, request, priority, width, price: f.binary("*", request, _emit_rectangle(f, priority, width, price)),
        derivative=_alloc_p_slopes,
    ),
    FunctionRow(
        "FIND MARKET PRICE(demand, demand profiles, supply, supply profiles)",
        "the price at which demand equals supply; :NA: where all quantities are fixed, so that no price changes them",
        "u, v, u, v -> v", kinds=("vector", "matrix", "vector", "matrix"), gives_missing=True,
        evaluate=_market_price, arrays=NO_SUBSCRIPTS, emit=_emit_market_price, derivative=NO_SLOPE,
    ),
    FunctionRow(
        "DEMAND AT PRICE(quantity, profile, price)", "the part of a quantity that is demanded at a price",
        "u, v, v -> u", kinds=("finite", "vector", "finite"),
        evaluate=lambda quantity, profile, price: quantity * _demanded(profile, price), arrays=NO_SUBSCRIPTS,
        emit=lambda f, quantity, profile, price: f.binary("*", quantity, _emit_demanded(f, _profile(f, profile), price)),
        derivative=NO_SLOPE,
    ),
    FunctionRow(
        "SUPPLY AT PRICE(quantity, profile, price)", "the part of a capacity that is supplied at a price",
        "u, v, v -> u", kinds=("finite", "vector", "finite"),
        evaluate=lambda quantity, profile, price: quantity * _supplied(profile, price), arrays=NO_SUBSCRIPTS,
        emit=lambda f, quantity, profile, price: f.binary("*", quantity, _emit_supplied(f, _profile(f, profile), price)),
        derivative=NO_SLOPE,
    ),
)
# fmt: on
