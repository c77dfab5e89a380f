"""Vensim's random distributions within bounds, and its VECTOR of steps, from which constants are sampled.

Vensim samples again until a value lies within the bounds (manual, "Sensitivity Distributions"). That is the distribution
truncated to the bounds; here its distribution function is inverted, so that one number from [0, 1) gives one value.

Before shift, stretch and bounds, a continuous distribution has both tails, their inverses and the logarithm of the density,
so that either tail keeps its digits; a discrete one has the logarithm of the probability of each whole number. Formulas:
Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions (1994); Johnson, Kemp and Kotz, Univariate Discrete
Distributions (2005). `scipy.stats` has all of these but the polygon. It is not used because its exponential, gamma, Weibull,
triangular and discrete distributions differ from these in the last digit, and stored ensembles must be reproduced bit for bit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..errors import format_count
from ..extras import LazyModule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

_P = ParamSpec("_P")
_T = TypeVar("_T")


Pairs = tuple[tuple[float, float], ...]

_ROUNDING = 1e-12
"""Tolerance for a bound that is meant to be a whole number."""
_FARTHEST = 1e300
_LEAST = {"RANDOM_TRIANGULAR": 1e-9, "RANDOM_LOOKUP": 1e-9}
"""The smallest probability within the bounds for which the inverse of a piecewise linear density keeps digits."""
_SPREAD = 60.0
"""Standard deviations from the mean beyond which the probability of a whole number underflows."""
_WIDEST = 10_000_000
"""The largest number of whole numbers listed with their probabilities, or of steps."""


@dataclass(frozen=True, slots=True)
class Continuous:
    """A distribution with a density; each function takes an array and then the parameters."""

    below: Callable[..., Any]
    above: Callable[..., Any]
    from_below: Callable[..., Any]
    from_above: Callable[..., Any]
    log_density: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Discrete:
    """A distribution of whole numbers: their log probability, the smallest and largest of them, mean and standard deviation."""

    log_mass: Callable[..., Any]
    support: Callable[[tuple[float, ...]], tuple[float, float]]
    moments: Callable[..., tuple[float, float]]


def _special() -> Any:
    from scipy import special  # takes too long to load at every start

    return special


def _quietly(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Keep NumPy from warning of numbers that are not finite."""

    @functools.wraps(work)
    def quiet(*args: _P.args, **options: _P.kwargs) -> _T:
        with np.errstate(all="ignore"):
            return work(*args, **options)

    return quiet


def _log(values: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(values)


UNIFORM = Continuous(
    below=lambda z: np.clip(z, 0, 1),
    above=lambda z: np.clip(1 - z, 0, 1),
    from_below=lambda p: p,
    from_above=lambda q: 1 - q,
    log_density=lambda z: np.where((z >= 0) & (z <= 1), 0.0, -np.inf),
)

NORMAL = Continuous(
    below=lambda z: _special().ndtr(z),
    above=lambda z: _special().ndtr(-z),
    from_below=lambda p: _special().ndtri(p),
    from_above=lambda q: -_special().ndtri(q),
    log_density=lambda z: -0.5 * z**2 - 0.5 * np.log(2 * np.pi),
)

EXPONENTIAL = Continuous(
    below=lambda z: -np.expm1(-np.maximum(z, 0)),
    above=lambda z: np.exp(-np.maximum(z, 0)),
    from_below=lambda p: -np.log1p(-p),
    from_above=lambda q: -_log(q),
    log_density=lambda z: np.where(z >= 0, -np.maximum(z, 0), -np.inf),
)

GAMMA = Continuous(
    below=lambda z, order: _special().gammainc(order, order * np.maximum(z, 0)),
    above=lambda z, order: _special().gammaincc(order, order * np.maximum(z, 0)),
    from_below=lambda p, order: _special().gammaincinv(order, p) / order,
    from_above=lambda q, order: _special().gammainccinv(order, q) / order,
    log_density=lambda z, order: np.where(
        z >= 0,
        _special().xlogy(order - 1, np.maximum(z, 0)) - order * z + order * np.log(order) - _special().gammaln(order),
        -np.inf,
    ),
)

BETA = Continuous(
    below=lambda z, a, b: _special().betainc(a, b, np.clip(z, 0, 1)),
    above=lambda z, a, b: _special().betaincc(a, b, np.clip(z, 0, 1)),
    from_below=lambda p, a, b: _special().betaincinv(a, b, p),
    from_above=lambda q, a, b: _special().betainccinv(a, b, q),
    log_density=lambda z, a, b: np.where(
        (z >= 0) & (z <= 1),
        _special().xlogy(a - 1, np.clip(z, 0, 1))
        + _special().xlog1py(b - 1, -np.clip(z, 0, 1))
        - _special().betaln(a, b),
        -np.inf,
    ),
)


def _weibull_scale(shape: float) -> float:
    return float(np.exp(-_special().gammaln(1 + 1 / shape)))


WEIBULL = Continuous(
    below=lambda z, shape: -np.expm1(-((np.maximum(z, 0) / _weibull_scale(shape)) ** shape)),
    above=lambda z, shape: np.exp(-((np.maximum(z, 0) / _weibull_scale(shape)) ** shape)),
    from_below=lambda p, shape: _weibull_scale(shape) * (-np.log1p(-p)) ** (1 / shape),
    from_above=lambda q, shape: _weibull_scale(shape) * (-_log(q)) ** (1 / shape),
    log_density=lambda z, shape: np.where(
        z >= 0,
        np.log(shape / _weibull_scale(shape))
        + _special().xlogy(shape - 1, np.maximum(z, 0) / _weibull_scale(shape))
        - (np.maximum(z, 0) / _weibull_scale(shape)) ** shape,
        -np.inf,
    ),
)


def _triangle(z: Any, start: float, peak: float, stop: float) -> tuple[Any, Any]:
    """The shares of the area of a triangle left and right of a point."""
    z = np.clip(z, start, stop)
    width, rise, fall = stop - start, peak - start, stop - peak
    left = (z - start) ** 2 / (width * (rise or 1))
    right = (stop - z) ** 2 / (width * (fall or 1))
    rising = z < peak
    return np.where(rising, left, 1 - right), np.where(rising, 1 - left, right)


def _triangle_point(left: Any, right: Any, start: float, peak: float, stop: float) -> Any:
    """The point of a triangle with these shares of its area on either side."""
    width, rise, fall = stop - start, peak - start, stop - peak
    rising = start + np.sqrt(left * width * rise)
    return np.where(left * width < rise, rising, stop - np.sqrt(right * width * fall))


def _triangle_log_density(z: Any, start: float, peak: float, stop: float) -> Any:
    width, rise, fall = stop - start, peak - start, stop - peak
    height = np.where(z < peak, (z - start) / (rise or 1), (stop - z) / fall if fall else 1.0)
    inside = (z >= start) & (z <= stop)
    return np.where(inside, _log(2 / width * np.where(inside, np.maximum(height, 0), 0)), -np.inf)


TRIANGULAR = Continuous(
    below=lambda z, *corners: _triangle(z, *corners)[0],
    above=lambda z, *corners: _triangle(z, *corners)[1],
    from_below=lambda p, *corners: _triangle_point(p, 1 - p, *corners),
    from_above=lambda q, *corners: _triangle_point(1 - q, q, *corners),
    log_density=_triangle_log_density,
)


def polygon(points: Pairs) -> Continuous:
    """Return the distribution with a density proportional to a table: linear between its points, zero beyond them."""
    xs, ys = np.array(sorted(points)).T
    areas = np.diff(xs) * (ys[:-1] + ys[1:]) / 2
    total = areas.sum()
    left = np.concatenate(([0.0], np.cumsum(areas))) / total
    right = np.concatenate((np.cumsum(areas[::-1])[::-1], [0.0])) / total
    ys = ys / total
    slopes = np.diff(ys) / np.where(np.diff(xs) > 0, np.diff(xs), 1)

    def piece(z: Any) -> Any:
        return np.clip(np.searchsorted(xs, z, side="right") - 1, 0, len(xs) - 2)

    def below(z: Any) -> Any:
        z = np.clip(z, xs[0], xs[-1])
        at = piece(z)
        step = z - xs[at]
        return left[at] + step * (ys[at] + slopes[at] * step / 2)

    def above(z: Any) -> Any:
        z = np.clip(z, xs[0], xs[-1])
        at = piece(z)
        step = xs[at + 1] - z
        return right[at + 1] + step * (ys[at + 1] - slopes[at] * step / 2)

    def from_below(p: Any) -> Any:
        at = np.clip(np.searchsorted(left, p, side="right") - 1, 0, len(xs) - 2)
        return xs[at] + _leg(p - left[at], ys[at], slopes[at], np.diff(xs)[at])

    def from_above(q: Any) -> Any:
        at = np.clip(len(xs) - np.searchsorted(right[::-1], q, side="right"), 1, len(xs) - 1)
        return xs[at] - _leg(q - right[at], ys[at], -slopes[at - 1], np.diff(xs)[at - 1])

    def log_density(z: Any) -> Any:
        at = piece(z)
        inside = (z >= xs[0]) & (z <= xs[-1])
        return np.where(inside, _log(np.where(inside, np.maximum(ys[at] + slopes[at] * (z - xs[at]), 0), 0)), -np.inf)

    return Continuous(below, above, from_below, from_above, log_density)


def _leg(area: Any, height: Any, slope: Any, width: Any) -> Any:
    """The width under a straight line that encloses an area: the stable root of a quadratic."""
    area = np.maximum(area, 0)
    bottom = height + np.sqrt(np.maximum(height**2 + 2 * slope * area, 0))
    return np.clip(2 * area / np.where(bottom > 0, bottom, 1), 0, width)


def points_fault(points: Sequence[tuple[float, float]]) -> str:
    """Return why a table cannot be a density, or an empty text."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return "has fewer than two points"
    xs, ys = np.array(sorted(points)).T
    if (ys < 0).any():
        return "has a point below zero"
    if np.abs((xs, ys)).max() > 1e100:  # noqa: PLR2004 - beyond it a slope may be too small for a double
        return "has points too far out"
    widths = np.diff(xs)
    if ((widths > 0) & (widths < 1e-100)).any():  # noqa: PLR2004 - over less a slope may be too large for a double
        return "has points too close together"
    return "" if (widths * (ys[:-1] + ys[1:])).sum() > 0 else "is zero everywhere"


def _binomial_log_mass(k: Any, chance: float, trials: float) -> Any:
    special = _special()
    ways = special.gammaln(trials + 1) - special.gammaln(k + 1) - special.gammaln(trials - k + 1)
    return ways + special.xlogy(k, chance) + special.xlog1py(trials - k, -chance)


def _negative_binomial_log_mass(k: Any, chance: float, successes: float) -> Any:
    special = _special()
    ways = special.gammaln(k) - special.gammaln(successes) - special.gammaln(k - successes + 1)
    return ways + special.xlogy(successes, chance) + special.xlog1py(k - successes, -chance)


BINOMIAL = Discrete(
    log_mass=_binomial_log_mass,
    support=lambda numbers: (0.0, numbers[-1]),
    moments=lambda chance, trials: (trials * chance, (trials * chance * (1 - chance)) ** 0.5),
)

NEGATIVE_BINOMIAL = Discrete(
    log_mass=_negative_binomial_log_mass,
    support=lambda numbers: (numbers[-1], np.inf),
    moments=lambda chance, successes: (successes / chance, (successes * (1 - chance)) ** 0.5 / chance),
)

POISSON = Discrete(
    log_mass=lambda k, mean: _special().xlogy(k, mean) - mean - _special().gammaln(k + 1),
    support=lambda _: (0.0, np.inf),
    moments=lambda mean: (mean, mean**0.5),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A distribution of the table: its arguments after the two bounds, its standard form, and the check of its parameters."""

    parameters: tuple[str, ...]
    standard: Continuous | Discrete | None
    fault: Callable[..., str] = lambda *_: ""


@dataclass(frozen=True, slots=True)
class Steps:
    """Vensim's VECTOR(minimum,maximum,increment): the numbers from one bound to the other, in steps."""

    minimum: float
    maximum: float
    increment: float

    @property
    def values(self) -> NDArray[np.float64]:
        """The numbers, shape (steps,); the last is the maximum where the steps meet it to rounding."""
        return self.minimum + self.increment * np.arange(self.count, dtype=np.float64)

    @property
    def count(self) -> int:
        """The number of values."""
        return math.floor((self.maximum - self.minimum) / self.increment * (1 + 1e-12) + 1e-9) + 1


@dataclass(frozen=True, slots=True)
class Distribution:
    """One of Vensim's random distributions as in a line of a `.vsc` file: a name in `DISTRIBUTIONS` and its arguments.

    The first two arguments are the bounds. `lookup` names the table that RANDOM_LOOKUP uses as its density; `points` are the
    points of that table once the model is known.
    """

    name: str
    arguments: tuple[float, ...]
    lookup: str = ""
    points: Pairs = ()

    @property
    def minimum(self) -> float:
        """The lower bound."""
        return self.arguments[0]

    @property
    def maximum(self) -> float:
        """The upper bound."""
        return self.arguments[1]

    @_quietly
    def quantile(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the quantiles of the truncated distribution at `u` in [0, 1), in the constant's units."""
        form = _form(self)
        if form.values is not None:
            return form.values[np.minimum(np.searchsorted(form.edges, u, side="right"), len(form.values) - 1)]
        u = np.asarray(u, dtype=float)
        found = np.empty(u.shape)
        low = form.below + u * form.mass
        rising = low <= 0.5  # noqa: PLR2004 - from the median on, the upper tail is the smaller one
        found[rising] = form.standard.from_below(low[rising], *form.parameters)
        high = form.above + (1 - u[~rising]) * form.mass
        found[~rising] = form.standard.from_above(high, *form.parameters)
        return np.clip(form.shift + form.stretch * found, self.minimum, self.maximum)

    @_quietly
    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the natural logarithm of the truncated density (of the probability, for whole numbers) at `x`; -inf outside."""
        form = _form(self)
        x = np.asarray(x, dtype=float)
        inside = (x >= self.minimum) & (x <= self.maximum)
        if form.values is not None:
            at = np.minimum(np.searchsorted(form.values, x), len(form.values) - 1)
            return np.where(form.values[at] == x, form.log_masses[at], -np.inf)
        z = (np.where(inside, x, self.minimum) - form.shift) / form.stretch
        found = form.standard.log_density(z, *form.parameters) - math.log(form.stretch) - math.log(form.mass)
        return np.where(inside, found, -np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """A distribution ready for use: its standard form and the probability within the bounds, or a list of values."""

    standard: Any = None
    parameters: tuple[float, ...] = ()
    shift: float = 0.0
    stretch: float = 1.0
    below: float = 0.0
    above: float = 0.0
    mass: float = 1.0
    values: NDArray[np.float64] | None = None
    edges: Any = None
    log_masses: Any = None


@functools.lru_cache(maxsize=1024)
@_quietly
def _form(distribution: Distribution) -> _Form:
    """Prepare a distribution; the probability within the bounds is computed from the smaller tail, which keeps its digits."""
    standard, parameters, shift, stretch = _located(distribution)
    if isinstance(standard, Discrete):
        return _listed(distribution)
    low, high = ((bound - shift) / stretch for bound in distribution.arguments[:2])
    below, above = float(standard.below(low, *parameters)), float(standard.above(high, *parameters))
    mass = 1 - below - above
    if below > 0.5:  # noqa: PLR2004 - the median
        mass = float(standard.above(low, *parameters)) - above
    elif above > 0.5:  # noqa: PLR2004 - the median
        mass = float(standard.below(high, *parameters)) - below
    return _Form(standard, parameters, shift, stretch, below, above, mass)


def _located(distribution: Distribution) -> tuple[Any, tuple[float, ...], float, float]:
    """The standard form of a distribution, its parameters, and the shift and stretch of its standard variable."""
    row = DISTRIBUTIONS[distribution.name]
    low, high, *rest = distribution.arguments
    standard = polygon(distribution.points) if row.standard is None else row.standard
    if not rest:
        return standard, (), low, high - low
    if distribution.name == "RANDOM_TRIANGULAR":
        return standard, tuple(rest), 0.0, 1.0
    return standard, tuple(rest[:-2]), rest[-2], rest[-1]


def _listed(distribution: Distribution) -> _Form:
    standard, parameters, shift, stretch = _located(distribution)
    bounds = distribution.arguments[:2]
    mean, spread = standard.moments(*parameters)
    least, most = standard.support(parameters)
    reach = _SPREAD * (spread + 1)
    ends = [min(max((bound - shift) / stretch, -_FARTHEST), _FARTHEST) for bound in bounds]
    slack = [_ROUNDING * max(1, abs(end)) for end in ends]
    first = math.ceil(max(ends[0] - slack[0], least, mean - reach))
    last = math.floor(min(ends[1] + slack[1], most, mean + reach))
    if last < first:
        return _Form(mass=0.0)
    numbers = np.arange(first, last + 1, dtype=float)
    logs = standard.log_mass(numbers, *parameters)
    top = logs.max()
    if not math.isfinite(top):
        return _Form(mass=0.0)
    masses = np.exp(logs - top)
    edges = np.cumsum(masses)
    total = edges[-1]
    values = np.clip(shift + stretch * numbers, bounds[0], bounds[1])
    return _Form(values=values, edges=edges / total, log_masses=logs - top - math.log(total))


def _positive_fault(name: str, value: float) -> str:
    return "" if value > 0 else f"{name} is {value:g}; give a number above 0"


def _triangle_fault(start: float, peak: float, stop: float) -> str:
    if not start < stop:
        return f"start {start:g} is not below stop {stop:g}; give the smaller one first"
    if not math.isfinite((stop - start) * (stop - start)):
        return f"start {start:g} and stop {stop:g} are too far apart; give numbers up to 1e150"
    inside = start <= peak <= stop
    return "" if inside else f"peak {peak:g} lies outside of start {start:g} and stop {stop:g}; put it between"


def _trials_fault(least: float, chance: float, count: float) -> str:
    if not least <= chance <= 1:
        return f"P is {chance:g}; give a probability {'above 0 and up' if least else 'from 0'} to 1"
    return "" if count >= 1 and count == int(count) else f"N is {count:g}; give a whole number from 1"


def _shape_fault(name: str, value: float) -> str:
    """Refuse shapes for which the inverse of the distribution function keeps no digits."""
    return "" if 1e-3 <= value <= 1e6 else f"{name} is {value:g}; give a number from 0.001 to 1,000,000"  # noqa: PLR2004


def _order_fault(order: float) -> str:
    low = f"order is {order:g}, for which Vensim takes 1; give a number from 1" if order < 1 else ""
    return low or _shape_fault("order", order)


_TAIL = ("shift", "stretch")

DISTRIBUTIONS: Mapping[str, Row] = {
    "RANDOM_BETA": Row(("A", "B", *_TAIL), BETA, lambda a, b: _shape_fault("A", a) or _shape_fault("B", b)),
    "RANDOM_BINOMIAL": Row(("P", "N", *_TAIL), BINOMIAL, functools.partial(_trials_fault, 0)),
    "RANDOM_EXPONENTIAL": Row(_TAIL, EXPONENTIAL),
    "RANDOM_GAMMA": Row(("order", *_TAIL), GAMMA, _order_fault),
    "RANDOM_LOOKUP": Row(_TAIL, None),
    "RANDOM_NEGATIVE_BINOMIAL": Row(("P", "N", *_TAIL), NEGATIVE_BINOMIAL, functools.partial(_trials_fault, 1e-12)),
    "RANDOM_NORMAL": Row(("mean", "sd"), NORMAL),
    "RANDOM_POISSON": Row(("mean", *_TAIL), POISSON, functools.partial(_positive_fault, "mean")),
    "RANDOM_TRIANGULAR": Row(("start", "peak", "stop"), TRIANGULAR, _triangle_fault),
    "RANDOM_UNIFORM": Row((), UNIFORM),
    "RANDOM_WEIBULL": Row(("shape", *_TAIL), WEIBULL, functools.partial(_shape_fault, "shape")),
}
"""Every random distribution of Vensim's sensitivity control by name, with the arguments after its bounds (manual,
"Sensitivity Distributions"). The standard variable is multiplied by `stretch`, then `shift` is added. BETA has alpha A and
beta B; EXPONENTIAL, GAMMA and WEIBULL start at 0 with mean 1; BINOMIAL counts successes in N trials with probability P;
NEGATIVE_BINOMIAL counts trials until N successes; LOOKUP uses a lookup of the model as its density."""


def distribution_syntax(name: str) -> str:
    """Return how a distribution, or VECTOR, is written in a `.vsc` file."""
    if name == "VECTOR":
        return "VECTOR(min,max,increment)"
    lookup = ("lookup",) if name == "RANDOM_LOOKUP" else ()
    return f"{name}({','.join(('min', 'max', *lookup, *DISTRIBUTIONS[name].parameters))})"


@_quietly
def distribution_fault(distribution: Distribution | Steps) -> str:
    """Return why a distribution has no values and what to do, or an empty text.

    A RANDOM_LOOKUP without its points, which come from the model, counts as right.
    """
    if isinstance(distribution, Steps):
        return _steps_fault(distribution)
    name, arguments = distribution.name, distribution.arguments
    row = DISTRIBUTIONS[name]
    if len(arguments) != len(row.parameters) + 2:
        return f"{name} is given {format_count(len(arguments), 'number')}; write {distribution_syntax(name)}"
    if not all(map(math.isfinite, arguments)):
        return f"{name} is given a number that is not finite; write {distribution_syntax(name)}"
    low, high, *rest = arguments
    if not low < high:
        return f"the minimum {low:g} is not below the maximum {high:g}; write {distribution_syntax(name)}"
    located, own = ([], rest) if name == "RANDOM_TRIANGULAR" else (rest[-2:], rest[:-2])
    fault = row.fault(*own) or (_positive_fault(row.parameters[-1], located[1]) if located else "")
    return fault or _mass_fault(distribution)


def _mass_fault(distribution: Distribution) -> str:
    """Return what is wrong if the distribution has no probability within its bounds."""
    if distribution.name == "RANDOM_LOOKUP":
        if not distribution.points:
            return ""
        fault = points_fault(distribution.points)
        if fault:
            return f"the lookup '{distribution.lookup}' {fault}; a density needs points above zero"
    standard, parameters, *_ = _located(distribution)
    if isinstance(standard, Discrete) and not 2 * _SPREAD * standard.moments(*parameters)[1] < _WIDEST:
        return f"{distribution.name} spreads over too many whole numbers; write RANDOM_NORMAL with its mean and sd"
    if _form(distribution).mass > _LEAST.get(distribution.name, 0.0):
        return ""
    low, high = distribution.arguments[:2]
    return f"{distribution.name} has no value between {low:g} and {high:g}; widen the bounds or move the distribution"


def _steps_fault(steps: Steps) -> str:
    if not all(map(math.isfinite, (steps.minimum, steps.maximum, steps.increment))):
        return f"VECTOR is given a number that is not finite; write {distribution_syntax('VECTOR')}"
    if not steps.minimum <= steps.maximum:
        return f"the minimum {steps.minimum:g} is above the maximum {steps.maximum:g}; write {distribution_syntax('VECTOR')}"
    if not steps.increment > 0:
        return f"the increment is {steps.increment:g}; give a number above 0"
    return "" if steps.count <= _WIDEST else f"VECTOR has {steps.count:,} steps; give a larger increment"
