"""Vensim's random distributions within bounds, and its VECTOR of steps, from which constants are sampled.

Vensim samples again until a value lies within the bounds (manual, "Sensitivity Distributions"). That is the distribution
truncated to the bounds; here its distribution function is inverted, so that one number from [0, 1) gives one value.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import probability
from .probability import Continuous, Discrete, Pairs

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
class Row:
    """A distribution of the table: its arguments after the two bounds, its standard form, and the check of its parameters."""

    parameters: tuple[str, ...]
    standard: Continuous | Discrete | None
    fault: Callable[..., str]


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

    @np.errstate(all="ignore")
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

    @np.errstate(all="ignore")
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
@np.errstate(all="ignore")
def _form(distribution: Distribution) -> _Form:
    """Prepare a distribution; the probability within the bounds is computed from the smaller tail, which keeps its digits."""
    standard, parameters, shift, stretch = _located(distribution)
    if isinstance(standard, Discrete):
        return _listed(standard, parameters, shift, stretch, distribution.arguments[:2])
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
    standard = probability.polygon(distribution.points) if row.standard is None else row.standard
    if not rest:
        return standard, (), low, high - low
    if distribution.name == "RANDOM_TRIANGULAR":
        return standard, tuple(rest), 0.0, 1.0
    return standard, tuple(rest[:-2]), rest[-2], rest[-1]


def _listed(
    standard: Discrete, parameters: tuple[float, ...], shift: float, stretch: float, bounds: tuple[float, ...]
) -> _Form:
    """The whole numbers between the bounds with their probabilities."""
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


def _no_fault(*_: float) -> str:
    return ""


def _triangle_fault(start: float, peak: float, stop: float) -> str:
    if not start < stop:
        return f"start {start:g} is not below stop {stop:g}; give the smaller one first"
    if not math.isfinite((stop - start) * (stop - start)):
        return f"start {start:g} and stop {stop:g} are too far apart; give numbers up to 1e150"
    return (
        ""
        if start <= peak <= stop
        else f"peak {peak:g} lies outside of start {start:g} and stop {stop:g}; put it between"
    )


def _trials_fault(chance: float, count: float, *, zero: bool) -> str:
    if not (0 if zero else 1e-12) <= chance <= 1:
        return f"P is {chance:g}; give a probability {'from 0' if zero else 'above 0 and up'} to 1"
    return "" if count >= 1 and count == int(count) else f"N is {count:g}; give a whole number from 1"


def _shape_fault(name: str, value: float) -> str:
    """Refuse shapes for which the inverse of the distribution function keeps no digits."""
    return "" if 1e-3 <= value <= 1e6 else f"{name} is {value:g}; give a number from 0.001 to 1,000,000"  # noqa: PLR2004


def _beta_fault(a: float, b: float) -> str:
    return _shape_fault("A", a) or _shape_fault("B", b)


def _order_fault(order: float) -> str:
    if order < 1:
        return f"order is {order:g}, for which Vensim takes 1; give a number from 1"
    return _shape_fault("order", order)


_TAIL = ("shift", "stretch")

DISTRIBUTIONS: Mapping[str, Row] = MappingProxyType(
    {
        "RANDOM_BETA": Row(("A", "B", *_TAIL), probability.BETA, _beta_fault),
        "RANDOM_BINOMIAL": Row(("P", "N", *_TAIL), probability.BINOMIAL, functools.partial(_trials_fault, zero=True)),
        "RANDOM_EXPONENTIAL": Row(_TAIL, probability.EXPONENTIAL, _no_fault),
        "RANDOM_GAMMA": Row(("order", *_TAIL), probability.GAMMA, _order_fault),
        "RANDOM_LOOKUP": Row(_TAIL, None, _no_fault),
        "RANDOM_NEGATIVE_BINOMIAL": Row(
            ("P", "N", *_TAIL), probability.NEGATIVE_BINOMIAL, functools.partial(_trials_fault, zero=False)
        ),
        "RANDOM_NORMAL": Row(("mean", "sd"), probability.NORMAL, _no_fault),
        "RANDOM_POISSON": Row(("mean", *_TAIL), probability.POISSON, functools.partial(_positive_fault, "mean")),
        "RANDOM_TRIANGULAR": Row(("start", "peak", "stop"), probability.TRIANGULAR, _triangle_fault),
        "RANDOM_UNIFORM": Row((), probability.UNIFORM, _no_fault),
        "RANDOM_WEIBULL": Row(("shape", *_TAIL), probability.WEIBULL, functools.partial(_shape_fault, "shape")),
    }
)
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


@np.errstate(all="ignore")
def distribution_fault(distribution: Distribution | Steps) -> str:
    """Return why a distribution has no values and what to do, or an empty text.

    A RANDOM_LOOKUP without its points, which come from the model, counts as right.
    """
    if isinstance(distribution, Steps):
        return _steps_fault(distribution)
    name, arguments = distribution.name, distribution.arguments
    row = DISTRIBUTIONS[name]
    if len(arguments) != len(row.parameters) + 2:
        return f"{name} is given {len(arguments)} numbers; write {distribution_syntax(name)}"
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
        fault = probability.points_fault(distribution.points)
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
