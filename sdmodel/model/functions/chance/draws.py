"""Random numbers: every call draws one uniform number at each time step, and a distribution makes its own of it (`inversion.py`).

Arguments are those of the Vensim reference manual: the result is multiplied by stretch, shift is added, and then it is truncated to
min and max. The numbers themselves are not Vensim's, whose generator hands them out in an order that it does not document. Here a
number depends on its place (the variable, the place in its equation and the labels), the time step, the member of an ensemble, and
the seed; so it stays the same where the rest of a model, or its constants, change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from sympy import Expr, Integer, Pow, S, Symbol

from ...algebra import add, divide, multiply, negate
from ..arithmetic import MAX
from ..row import Absent, Emitter, Expander, FunctionRow, Kind, R
from . import inversion
from .inversion import PLAIN, Shape, placed

DEFAULT_SEED = 4487556
"""The value that Vensim takes for NOISE SEED where a model has none."""
SEED, NOISE_SEED, MEMBER_NUMBER = "#seed", "noise_seed", "#member"
"""The keys of the constants that decide which numbers are drawn; those that a model lacks are added to it, hidden."""

_TIME_STEP = Symbol("time_step")
_NO_STEPS = Absent("a formula over arrays has no time steps")
_EXPANDED = Absent("it is expanded into a draw before it is compiled")
_MEDIAN = 0.5


def _emit_draw(f: Emitter[R], site: R, stream: R, noise_seed: R, seed: R, member: R) -> R:
    """The stream 0 depends on NOISE SEED, every other one on its own number alone, as in Vensim."""
    is_default = f.compare("=", stream, f.constant(0.0))
    return f.draw(site, f.choose(is_default, noise_seed, seed), stream, member)


DRAW = FunctionRow(
    "DRAW(site, stream, noise seed, seed, member)",
    "a uniform random number between 0 and 1",
    "1, 1, 1, 1, 1 -> 1",
    kinds=("site", "finite", "finite", "finite", "finite"),
    evaluate=lambda *_: _MEDIAN,
    arrays=_NO_STEPS,
    emit=_emit_draw,
    derivative=lambda *_: (S.Zero,) * 5,
    reads_time=True,
    draws=True,
)


def _slopes(count: int) -> Callable[..., Sequence[Expr]]:
    """What a shift adds to a number is known; of the other arguments the effect may have either sign."""
    return lambda *_: (S.NaN, S.Zero, S.Zero, *[S.NaN] * (count - 5), S.One, S.NaN)


def _of_a_draw(
    name: str, arguments: str, units: str, shape: Shape, derivative: Callable[..., Sequence[Expr]]
) -> FunctionRow:
    """The distribution as a function of a draw, which comes first."""
    count = arguments.count(",") + 2
    takes_table = arguments.startswith("table")
    finite: Kind = "finite"
    numbers = (finite,) * count
    kinds: tuple[Kind, ...] = (finite, "table", *numbers[2:]) if takes_table else numbers
    return FunctionRow(
        f"{name} OF(draw, {arguments})",
        "the number of a distribution that belongs to a draw",
        f"1, {units}",
        kinds=kinds,
        evaluate=lambda *values: float(shape(PLAIN, *values)),
        arrays=_NO_STEPS,
        emit=shape,
        derivative=derivative,
    )


def _row(
    name: str,
    arguments: str,
    meaning: str,
    units: str,
    shape: Shape,
    derivative: Callable[..., Sequence[Expr]] | None = None,
) -> FunctionRow:
    """A function that draws: `arguments` and their `units` without the stream, which comes last."""
    of_a_draw = _of_a_draw(name, arguments, units, shape, derivative or _slopes(arguments.count(",") + 2))
    takes, _, result = units.partition(" -> ")

    return _drawing(
        f"{name}({arguments}, stream)", meaning, f"{takes}, * -> {result}",
        lambda model, *values: of_a_draw.build(model.draw(values[-1]), *values[:-1]),
        lambda *values: of_a_draw.evaluate(_MEDIAN, *values[:-1]), kinds=(*of_a_draw.kinds[1:], "finite"),
    )  # fmt: skip


def _drawing(
    signature: str, meaning: str, units: str, expand: Callable[..., Expr], median: Callable[..., float], **pieces: Any
) -> FunctionRow:
    """A row that is expanded into draws; what must be known before a run takes the median instead."""
    return FunctionRow(
        signature, meaning, units, evaluate=median, arrays=_NO_STEPS, emit=_EXPANDED, derivative=_EXPANDED,
        expand=expand, draws=True, **pieces,
    )  # fmt: skip


def _tabled(f: Emitter[R], u: R, table: Any, least: R, most: R, shift: R, stretch: R) -> R:
    def shape(f: Emitter[R], u: R, low: R, high: R) -> R:
        return inversion.tabled(f, u, low, high, table)

    return placed(shape)(f, u, least, most, shift, stretch)


_NORMAL = _of_a_draw("NORMAL", "min, max, mean, deviation", "u, u, u, u -> u", placed(inversion.normal), _slopes(5))


def _pink_noise(model: Expander, mean: Expr, deviation: Expr, correlation_time: Expr, stream: Expr) -> Expr:
    """A stock that follows white noise: its standard deviation depends neither on the time step nor on the correlation time.

    It moves once a time step, by Euler's method, whatever the integrator. The noise is truncated to six standard deviations.
    """
    time = model.auxiliary(MAX.build(correlation_time, _TIME_STEP))
    share = divide(_TIME_STEP, time)
    spread = model.auxiliary(Pow(divide(add(Integer(2), negate(share)), share), S.Half, evaluate=False))

    def noise(size: Expr) -> Expr:
        white = _NORMAL.build(model.draw(stream), Integer(-6), Integer(6), S.Zero, S.One)
        return add(mean, multiply(deviation, size, white))

    initial, white = noise(S.One), noise(spread)
    return model.stock(lambda level: divide(add(white, negate(level)), time), initial, held=True)


_UNIFORM = _row(
    "RANDOM UNIFORM", "min, max", "a number between min and max, all equally likely", "u, u -> u", inversion.uniform,
    lambda u, least, most: (add(most, negate(least)), add(S.One, negate(u)), u),
)  # fmt: skip

# A row per function: what it is, and how a number of the distribution is made
# fmt: off
ROWS = (
    _drawing(
        "RANDOM 0 1()", "a number between 0 and 1, all equally likely", " -> 1",
        lambda model: cast("Any", _UNIFORM.expand)(model, S.Zero, S.One, S.Zero), lambda: _MEDIAN,
    ),
    _UNIFORM,
    _row("RANDOM NORMAL", "min, max, mean, deviation", "a normal number, truncated to min and max", "u, u, u, u -> u", placed(inversion.normal)),
    _row(
        "RANDOM EXPONENTIAL", "min, max, shift, stretch", "an exponential number with mean 1, stretched, shifted and truncated",
        "u, u, u, u -> u", placed(inversion.exponential),
    ),
    _row(
        "RANDOM GAMMA", "min, max, order, shift, stretch", "a gamma number of an order from 1 up, stretched, shifted and truncated",
        "u, u, 1, u, u -> u", placed(inversion.gamma),
    ),
    _row(
        "RANDOM BETA", "min, max, alpha, beta, shift, stretch", "a beta number, stretched, shifted and truncated",
        "u, u, 1, 1, u, u -> u", placed(inversion.beta),
    ),
    _row(
        "RANDOM WEIBULL", "min, max, shape, shift, stretch", "a Weibull number with mean 1, stretched, shifted and truncated",
        "u, u, 1, u, u -> u", placed(inversion.weibull),
    ),
    _row(
        "RANDOM TRIANGULAR", "min, max, start, peak, stop", "a number from a triangle with its peak between start and stop, truncated",
        "u, u, u, u, u -> u", inversion.triangular, lambda *_: (S.NaN,) * 6,
    ),
    _row(
        "RANDOM POISSON", "min, max, expected, shift, stretch", "a Poisson count, stretched, shifted and truncated",
        "u, u, *, u, u -> u", placed(inversion.poisson),
    ),
    _row(
        "RANDOM BINOMIAL", "min, max, probability, trials, shift, stretch",
        "the number of successes in a number of trials, stretched, shifted and truncated", "u, u, 1, *, u, u -> u", placed(inversion.binomial),
    ),
    _row(
        "RANDOM NEGATIVE BINOMIAL", "min, max, probability, successes, shift, stretch",
        "the number of trials until a number of successes, stretched, shifted and truncated",
        "u, u, 1, *, u, u -> u", placed(inversion.negative_binomial),
    ),
    _row(
        "RANDOM LOOKUP", "table, min, max, shift, stretch", "a number whose density is the table, stretched, shifted and truncated",
        "*, u, u, u, u -> u", _tabled, lambda *_: (S.NaN, S.Zero, S.Zero, S.Zero, S.One, S.NaN),
    ),
    _drawing(
        "RANDOM PINK NOISE(mean, standard deviation, correlation time, stream)", "a normal number that follows the one before, over a correlation time",
        "u, u, t, * -> u", _pink_noise, lambda mean, *_: mean, kinds=("finite",) * 4,
    ),
)
# fmt: on
