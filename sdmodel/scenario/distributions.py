"""What a constant is drawn from: Vensim's random distributions within bounds, and its VECTOR of steps.

Vensim draws again until a value lies within the bounds (manual, "Sensitivity Distributions"), which is the law truncated to
them; here the truncated distribution function is inverted, so that one number from [0, 1) makes one value.
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

from . import laws
from .laws import Continuous, Discrete, Pairs

_ROUNDING = 1e-12
"""A bound that is meant to be a whole number may miss it by so much."""
_FARTHEST = 1e300
_LEAST = {"RANDOM_TRIANGULAR": 1e-9, "RANDOM_LOOKUP": 1e-9}
"""The part of a law of straight lines below which its inverse keeps no digits."""
_SPREAD = 60.0
"""Standard deviations from the mean beyond which a whole number has no chance that a double can tell."""
_WIDEST = 10_000_000
"""Whole numbers whose chances are listed, or steps; a law that spreads wider is as good as continuous."""


@dataclass(frozen=True, slots=True)
class Row:
    """A distribution of the table: its arguments behind the two bounds, its law, and what they may not be."""

    parameters: tuple[str, ...]
    law: Continuous | Discrete | None
    wrong: Callable[..., str]


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
        """How many numbers there are."""
        return math.floor((self.maximum - self.minimum) / self.increment * (1 + 1e-12) + 1e-9) + 1


@dataclass(frozen=True, slots=True)
class Distribution:
    """One of Vensim's random distributions as a line of a `.vsc` file has it: a name of `DISTRIBUTIONS` and its numbers.

    The first two arguments are the bounds. `lookup` names the table that RANDOM_LOOKUP takes for its density, `points` are
    those of that table once the model is known.
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
        """The values below which the parts `u` of the truncated distribution lie, in the constant's units; u in [0, 1)."""
        form = _form(self)
        if form.values is not None:
            return form.values[np.minimum(np.searchsorted(form.edges, u, side="right"), len(form.values) - 1)]
        u = np.asarray(u, dtype=float)
        found = np.empty(u.shape)
        low = form.below + u * form.mass
        rising = low <= 0.5  # noqa: PLR2004 - the median, on either side of which the smaller tail is counted from
        found[rising] = form.law.from_below(low[rising], *form.parameters)
        high = form.above + (1 - u[~rising]) * form.mass
        found[~rising] = form.law.from_above(high, *form.parameters)
        return np.clip(form.shift + form.stretch * found, self.minimum, self.maximum)

    @np.errstate(all="ignore")
    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The natural logarithm of the truncated density at `x`, of the probability for whole numbers; -inf outside."""
        form = _form(self)
        x = np.asarray(x, dtype=float)
        inside = (x >= self.minimum) & (x <= self.maximum)
        if form.values is not None:
            at = np.minimum(np.searchsorted(form.values, x), len(form.values) - 1)
            return np.where(form.values[at] == x, form.log_masses[at], -np.inf)
        z = (np.where(inside, x, self.minimum) - form.shift) / form.stretch
        found = form.law.log_density(z, *form.parameters) - math.log(form.stretch) - math.log(form.mass)
        return np.where(inside, found, -np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """A distribution made ready: the law and its numbers with the part of it within the bounds, or a list of values."""

    law: Any = None
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
    """The distribution made ready; what lies within the bounds is counted from the smaller tail, which keeps its digits."""
    law, parameters, shift, stretch = _located(distribution)
    if isinstance(law, Discrete):
        return _listed(law, parameters, shift, stretch, distribution.arguments[:2])
    low, high = ((bound - shift) / stretch for bound in distribution.arguments[:2])
    below, above = float(law.below(low, *parameters)), float(law.above(high, *parameters))
    mass = 1 - below - above
    if below > 0.5:  # noqa: PLR2004 - the median
        mass = float(law.above(low, *parameters)) - above
    elif above > 0.5:  # noqa: PLR2004 - the median
        mass = float(law.below(high, *parameters)) - below
    return _Form(law, parameters, shift, stretch, below, above, mass)


def _located(distribution: Distribution) -> tuple[Any, tuple[float, ...], float, float]:
    """The law of a distribution, its own parameters, and the shift and stretch of its standard variable."""
    row = DISTRIBUTIONS[distribution.name]
    low, high, *rest = distribution.arguments
    law = laws.polygon(distribution.points) if row.law is None else row.law
    if not rest:
        return law, (), low, high - low
    if distribution.name == "RANDOM_TRIANGULAR":
        return law, tuple(rest), 0.0, 1.0
    return law, tuple(rest[:-2]), rest[-2], rest[-1]


def _listed(
    law: Discrete, parameters: tuple[float, ...], shift: float, stretch: float, bounds: tuple[float, ...]
) -> _Form:
    """The whole numbers between the bounds with the chance of each."""
    mean, spread = law.moments(*parameters)
    least, most = law.support(parameters)
    reach = _SPREAD * (spread + 1)
    ends = [min(max((bound - shift) / stretch, -_FARTHEST), _FARTHEST) for bound in bounds]
    slack = [_ROUNDING * max(1, abs(end)) for end in ends]
    first = math.ceil(max(ends[0] - slack[0], least, mean - reach))
    last = math.floor(min(ends[1] + slack[1], most, mean + reach))
    if last < first:
        return _Form(mass=0.0)
    numbers = np.arange(first, last + 1, dtype=float)
    logs = law.log_mass(numbers, *parameters)
    top = logs.max()
    if not math.isfinite(top):
        return _Form(mass=0.0)
    masses = np.exp(logs - top)
    edges = np.cumsum(masses)
    total = edges[-1]
    values = np.clip(shift + stretch * numbers, bounds[0], bounds[1])
    return _Form(values=values, edges=edges / total, log_masses=logs - top - math.log(total))


def _is_positive(name: str, value: float) -> str:
    return "" if value > 0 else f"{name} is {value:g}; give a number above 0"


def _fine(*_: float) -> str:
    return ""


def _triangle_wrong(start: float, peak: float, stop: float) -> str:
    if not start < stop:
        return f"start {start:g} is not below stop {stop:g}; give the smaller one first"
    return (
        ""
        if start <= peak <= stop
        else f"peak {peak:g} lies outside of start {start:g} and stop {stop:g}; put it between"
    )


def _chance_wrong(chance: float, count: float, *, zero: bool) -> str:
    if not (0 if zero else 1e-12) <= chance <= 1:
        return f"P is {chance:g}; give a probability {'from 0' if zero else 'above 0 and up'} to 1"
    return "" if count >= 1 and count == int(count) else f"N is {count:g}; give a whole number from 1"


def _shape_wrong(name: str, value: float) -> str:
    """What is wrong with a shape for which the inverse of a distribution function keeps no digits."""
    return "" if 1e-3 <= value <= 1e6 else f"{name} is {value:g}; give a number from 0.001 to 1,000,000"  # noqa: PLR2004


def _beta_wrong(a: float, b: float) -> str:
    return _shape_wrong("A", a) or _shape_wrong("B", b)


def _order_wrong(order: float) -> str:
    if order < 1:
        return f"order is {order:g}, for which Vensim takes 1; give a number from 1"
    return _shape_wrong("order", order)


_TAIL = ("shift", "stretch")

DISTRIBUTIONS: Mapping[str, Row] = MappingProxyType(
    {
        "RANDOM_BETA": Row(("A", "B", *_TAIL), laws.BETA, _beta_wrong),
        "RANDOM_BINOMIAL": Row(("P", "N", *_TAIL), laws.BINOMIAL, functools.partial(_chance_wrong, zero=True)),
        "RANDOM_EXPONENTIAL": Row(_TAIL, laws.EXPONENTIAL, _fine),
        "RANDOM_GAMMA": Row(("order", *_TAIL), laws.GAMMA, _order_wrong),
        "RANDOM_LOOKUP": Row(_TAIL, None, _fine),
        "RANDOM_NEGATIVE_BINOMIAL": Row(
            ("P", "N", *_TAIL), laws.NEGATIVE_BINOMIAL, functools.partial(_chance_wrong, zero=False)
        ),
        "RANDOM_NORMAL": Row(("mean", "sd"), laws.NORMAL, _fine),
        "RANDOM_POISSON": Row(("mean", *_TAIL), laws.POISSON, functools.partial(_is_positive, "mean")),
        "RANDOM_TRIANGULAR": Row(("start", "peak", "stop"), laws.TRIANGULAR, _triangle_wrong),
        "RANDOM_UNIFORM": Row((), laws.UNIFORM, _fine),
        "RANDOM_WEIBULL": Row(("shape", *_TAIL), laws.WEIBULL, functools.partial(_shape_wrong, "shape")),
    }
)
"""Every random distribution of Vensim's sensitivity control by name, with what follows its bounds (manual, "Sensitivity
Distributions"): `shift` is added to what `stretch` has multiplied, BETA has alpha A and beta B, EXPONENTIAL, GAMMA and
WEIBULL start at 0 with mean 1, BINOMIAL counts successes in N trials of chance P and NEGATIVE_BINOMIAL trials until N
successes, LOOKUP takes a lookup of the model for its density."""


def signature(name: str) -> str:
    """How a distribution, or VECTOR, is written."""
    if name == "VECTOR":
        return "VECTOR(min,max,increment)"
    lookup = ("lookup",) if name == "RANDOM_LOOKUP" else ()
    return f"{name}({','.join(('min', 'max', *lookup, *DISTRIBUTIONS[name].parameters))})"


@np.errstate(all="ignore")
def wrong_with(distribution: Distribution | Steps) -> str:
    """What keeps a distribution from having values, with its cure, or nothing; without its points a LOOKUP may be fine."""
    if isinstance(distribution, Steps):
        return _steps_wrong(distribution)
    name, arguments = distribution.name, distribution.arguments
    row = DISTRIBUTIONS[name]
    if len(arguments) != len(row.parameters) + 2:
        return f"{name} is given {len(arguments)} numbers; write {signature(name)}"
    if not all(map(math.isfinite, arguments)):
        return f"{name} is given a number that is not finite; write {signature(name)}"
    low, high, *rest = arguments
    if not low < high:
        return f"the minimum {low:g} is not below the maximum {high:g}; write {signature(name)}"
    located, own = ([], rest) if name == "RANDOM_TRIANGULAR" else (rest[-2:], rest[:-2])
    wrong = row.wrong(*own) or (_is_positive(row.parameters[-1], located[1]) if located else "")
    return wrong or _mass_wrong(distribution)


def _mass_wrong(distribution: Distribution) -> str:
    """Whether nothing of the law lies within the bounds."""
    if distribution.name == "RANDOM_LOOKUP":
        if not distribution.points:
            return ""
        wrong = laws.points_wrong(distribution.points)
        if wrong:
            return f"the lookup '{distribution.lookup}' {wrong}; a density needs points above zero"
    law, parameters, *_ = _located(distribution)
    if isinstance(law, Discrete) and not 2 * _SPREAD * law.moments(*parameters)[1] < _WIDEST:
        return f"{distribution.name} spreads over too many whole numbers; write RANDOM_NORMAL with its mean and sd"
    if _form(distribution).mass > _LEAST.get(distribution.name, 0.0):
        return ""
    low, high = distribution.arguments[:2]
    return f"{distribution.name} has no value between {low:g} and {high:g}; widen the bounds or move the distribution"


def _steps_wrong(steps: Steps) -> str:
    if not all(map(math.isfinite, (steps.minimum, steps.maximum, steps.increment))):
        return f"VECTOR is given a number that is not finite; write {signature('VECTOR')}"
    if not steps.minimum <= steps.maximum:
        return f"the minimum {steps.minimum:g} is above the maximum {steps.maximum:g}; write {signature('VECTOR')}"
    if not steps.increment > 0:
        return f"the increment is {steps.increment:g}; give a number above 0"
    return "" if steps.count <= _WIDEST else f"VECTOR has {steps.count:,} steps; give a larger increment"
