"""Random numbers a second time: Philox 4x32-10 from its paper, and every distribution of Vensim's manual by its inverse.

Nothing of the package is used; NumPy's own Philox has words of 64 bits. The share below a number comes from SciPy or a sum.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise

from scipy import special

Points = Sequence[tuple[float, float]]
Inverse = Callable[[float, float, float], float]

SEED = 4487556
"""What Vensim's manual gives for NOISE SEED where a model has none."""
ARGUMENTS = {
    "RANDOM 0 1": 0, "RANDOM UNIFORM": 3, "RANDOM NORMAL": 5, "RANDOM EXPONENTIAL": 5, "RANDOM GAMMA": 6, "RANDOM BETA": 7,
    "RANDOM WEIBULL": 6, "RANDOM TRIANGULAR": 6, "RANDOM POISSON": 6, "RANDOM BINOMIAL": 7, "RANDOM NEGATIVE BINOMIAL": 7,
    "RANDOM LOOKUP": 6, "RANDOM PINK NOISE": 4,
}  # fmt: skip
"""The number of arguments of each function."""
_WORD = 2**32


def uniform(place: str, step: int, member: int, stream: int) -> float:
    """The number between 0 and 1 of a place, such as `demand#1[north]`: 52 of the bits, and half a unit of the last."""
    site = int.from_bytes(blake2b(place.encode(), digest_size=8).digest(), "little")
    a, b, c, d = step, member, site % _WORD, site // _WORD
    first, second = SEED, stream
    for _ in range(10):
        high, low = divmod(0xD2511F53 * a, _WORD)
        other_high, other_low = divmod(0xCD9E8D57 * c, _WORD)
        a, b, c, d = other_high ^ b ^ first, other_low, high ^ d ^ second, low
        first, second = (first + 0x9E3779B9) % _WORD, (second + 0xBB67AE85) % _WORD
    return ((a + b * _WORD) // 2**12 + 0.5) / 2**52


def within(below: Callable[[float], float], inverse: Callable[[float], float]) -> Inverse:
    """The number between two bounds that belongs to a share of what lies between them."""

    def point(u: float, low: float, high: float) -> float:
        start = below(low)
        return min(max(inverse(start + u * (below(high) - start)), low), high)

    return point


def of_counts(chances: Callable[[int], float], least: int = 0) -> Inverse:
    """The same for whole numbers, by adding up the chance of each."""

    def point(u: float, low: float, high: float) -> float:
        first, last = max(math.ceil(low), least), min(math.floor(high), 400)
        sums = list(accumulate(chances(count) for count in range(first, last + 1)))
        return float(first + bisect_left(sums, u * sums[-1]))

    return point


def of_points(points: Points) -> Inverse:
    """The same for a density of straight lines between points."""
    xs = [x for x, _ in points]
    pieces = [(x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points)]
    areas = list(accumulate(pieces, initial=0.0))

    def height(x: float) -> float:
        left = min(bisect_right(xs, x) - 1, len(xs) - 2)
        (x0, y0), (x1, y1) = points[left], points[left + 1]
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)

    def below(x: float) -> float:
        x = min(max(x, xs[0]), xs[-1])
        left = min(bisect_right(xs, x) - 1, len(xs) - 2)
        return areas[left] + (x - xs[left]) * (points[left][1] + height(x)) / 2

    def inverse(area: float) -> float:
        low, high = xs[0], xs[-1]
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle) < area else (low, middle)
        return low

    return within(below, inverse)


def _normal() -> Inverse:
    return within(special.ndtr, special.ndtri)


def _exponential() -> Inverse:
    return within(lambda x: -math.expm1(-max(x, 0.0)), lambda p: -math.log1p(-p))


def _gamma(order: float) -> Inverse:
    return within(lambda x: special.gammainc(order, max(x, 0.0)), lambda p: special.gammaincinv(order, p))


def _beta(a: float, b: float) -> Inverse:
    return within(lambda x: special.betainc(a, b, min(max(x, 0.0), 1.0)), lambda p: special.betaincinv(a, b, p))


def _weibull(shape: float) -> Inverse:
    scale = 1 / math.gamma(1 + 1 / shape)
    return within(
        lambda x: -math.expm1(-((max(x, 0.0) / scale) ** shape)), lambda p: scale * (-math.log1p(-p)) ** (1 / shape)
    )


def _poisson(mean: float) -> Inverse:
    return of_counts(lambda k: math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)))


def _binomial(p: float, trials: float) -> Inverse:
    n = round(trials)
    return of_counts(lambda k: math.comb(n, k) * p**k * (1 - p) ** (n - k))


def _negative_binomial(p: float, successes: float) -> Inverse:
    n = round(successes)
    return of_counts(lambda k: math.comb(k - 1, n - 1) * p**n * (1 - p) ** (k - n), n)


SHAPES: dict[str, Callable[..., Inverse]] = {
    "RANDOM NORMAL": _normal,
    "RANDOM EXPONENTIAL": _exponential,
    "RANDOM GAMMA": _gamma,
    "RANDOM BETA": _beta,
    "RANDOM WEIBULL": _weibull,
    "RANDOM POISSON": _poisson,
    "RANDOM BINOMIAL": _binomial,
    "RANDOM NEGATIVE BINOMIAL": _negative_binomial,
    "RANDOM LOOKUP": of_points,
}
"""What belongs to a share of each distribution, from its parameters, before it is stretched and shifted."""


def draw(name: str, u: float, arguments: Sequence[float], table: Points | None = None) -> float:
    """The result of a function whose uniform number is `u`; `arguments` are those without the table and the stream."""
    if name == "RANDOM 0 1":
        return u
    low, high, *rest = arguments
    if name == "RANDOM UNIFORM":
        return low + u * (high - low)
    if name == "RANDOM TRIANGULAR":
        start, peak, stop = rest
        return of_points([(start, 0.0), (peak, 1.0), (stop, 0.0)])(u, low, high)
    *parameters, shift, stretch = rest
    inverse = SHAPES[name](*([table] if table else parameters))
    return shift + stretch * inverse(u, (low - shift) / stretch, (high - shift) / stretch)


def truncated_normal(u: float) -> float:
    """A standard normal number within six deviations, of which pink noise is made."""
    return _normal()(u, -6.0, 6.0)
