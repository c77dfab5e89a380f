"""Arithmetic: functions that depend only on their arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy import Expr, S

from ...extras import LazyModule
from ..algebra import add, divide, inverse, multiply, negate
from .logic import GREATER, GREATER_OR_EQUAL, IF_THEN_ELSE, LESS_OR_EQUAL, constant_almost_everywhere
from .row import Absent, Emitter, FunctionRow, Kind, R, from_numpy

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")

NEXT_TO_ZERO = 1e-6
"""Below this size a divisor counts as zero in ZIDZ and XIDZ (Vensim reference manual, XIDZ)."""

_FROM_SYMPY = Absent("SymPy has the function and differentiates it")


def _elementary(
    name: str, meaning: str, code: str, arrays: Callable[..., Any], algebra: type[sp.Function], kind: Kind = "number"
) -> FunctionRow:
    """A function of the C library that SymPy has too, built without evaluation."""
    return FunctionRow(
        f"{name}(x)",
        meaning,
        "1 -> 1",
        kinds=(kind,),
        evaluate=getattr(math, code),
        arrays=arrays,
        emit=lambda f, x: f.call(code, x),
        derivative=_FROM_SYMPY,
        algebra=lambda x: algebra(x, evaluate=False),
    )


def _extreme(
    name: str, meaning: str, sign: str, evaluate: Callable[..., float], arrays: Callable[..., Any], first: FunctionRow
) -> FunctionRow:
    """The function MIN or MAX: `sign` and `first` decide whether the first argument is the result."""

    def derivatives(x1: Expr, x2: Expr) -> Sequence[Expr]:
        chosen = first.build(x1, x2)
        return chosen, add(S.One, negate(chosen))

    return FunctionRow(
        f"{name}(x1, x2)",
        meaning,
        "u, u -> u",
        kinds=("finite", "finite"),
        evaluate=lambda x1, x2: evaluate(x2, x1),  # of 0 and -0 the second, as in the code
        arrays=arrays,
        emit=lambda f, x1, x2: f.choose(f.compare(sign, x1, x2), x1, x2),
        derivative=derivatives,
        latex=rf"\{name.lower()}\left({{0}}, {{1}}\right)",
        stays_finite=True,
    )


def _logarithm_derivatives(x: Expr, base: Expr) -> Sequence[Expr]:
    log_x, log_base = sp.log(x, evaluate=False), sp.log(base, evaluate=False)
    return inverse(multiply(x, log_base)), negate(divide(log_x, multiply(base, multiply(log_base, log_base))))


def _power_derivatives(base: Expr, exponent: Expr) -> Sequence[Expr]:
    value, lower = (sp.Pow(base, order, evaluate=False) for order in (exponent, add(exponent, S.NegativeOne)))
    return multiply(exponent, lower), multiply(value, sp.log(base, evaluate=False))


def _truncate(x: float) -> float:
    """The whole part of a number, with its sign where it is zero; an infinite one stays."""
    return math.copysign(math.trunc(x), x) if math.isfinite(x) else x


def _emit_quantum(f: Emitter[R], x: R, quantum: R) -> R:
    cut = f.binary("*", quantum, f.call("trunc", f.binary("/", x, quantum)))
    return f.choose(f.compare("<=", quantum, f.constant(0.0)), x, cut)


def _quantum_derivatives(x: Expr, quantum: Expr) -> Sequence[Expr]:
    whole = LESS_OR_EQUAL.build(quantum, S.Zero)
    return whole, IF_THEN_ELSE.build(whole, S.Zero, INTEGER.build(divide(x, quantum)))


def _guarded_quotient(signature: str, meaning: str, units: str) -> FunctionRow:
    """A quotient, or where the divisor counts as zero the last argument or 0."""

    def evaluate(dividend: float, divisor: float, otherwise: Callable[[], float] = float) -> float:
        return otherwise() if abs(divisor) < NEXT_TO_ZERO else dividend / divisor

    def arrays(dividend: Any, divisor: Any, otherwise: Any = 0.0) -> Any:
        return np.where(np.abs(divisor) < NEXT_TO_ZERO, otherwise, dividend / divisor)

    def emit(f: Emitter[R], dividend: R, divisor: R, otherwise: R | None = None) -> R:
        tiny = f.compare("<", f.call("fabs", divisor), f.constant(NEXT_TO_ZERO))
        return f.choose(tiny, f.constant(0.0) if otherwise is None else otherwise, f.binary("/", dividend, divisor))

    def derivative(dividend: Expr, divisor: Expr, *otherwise: Expr) -> Sequence[Expr]:
        slopes = (ZIDZ.build(S.One, divisor), negate(ZIDZ.build(dividend, multiply(divisor, divisor))))
        if not otherwise:
            return slopes
        usable = GREATER.build(ABS.build(divisor), sp.Float(NEXT_TO_ZERO))
        return *slopes, add(S.One, negate(usable))

    kinds: tuple[Kind, ...] = ("finite", "number", "branch")
    return FunctionRow(
        signature,
        meaning,
        units,
        kinds=kinds[: signature.count(",") + 1],
        evaluate=evaluate,
        arrays=arrays,
        emit=emit,
        derivative=derivative,
    )


_STIRLING = tuple(
    Fraction(*term) for term in ((1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188), (-691, 360360), (1, 156))
)
"""The coefficients of 1/z, 1/z^3 ... in Stirling's series for the logarithm of the gamma function."""
_LARGE = 8
"""From here on Stirling's series has all digits; a smaller x is moved up by as much."""


def _log_gamma(x: float) -> float:
    if x <= 0:
        raise ValueError
    return math.lgamma(x)


def _log_gamma_of_array(x: Any) -> Any:
    return np.vectorize(lambda one: math.lgamma(one) if one > 0 else math.nan, otypes=[float])(x)


def emit_log_gamma(f: Emitter[R], x: R) -> R:
    """Write the logarithm of the gamma function of a positive number."""
    small = f.compare("<", x, f.constant(_LARGE))
    z = f.choose(small, f.binary("+", x, f.constant(_LARGE)), x)
    product = x
    for step in range(1, _LARGE):
        product = f.binary("*", product, f.binary("+", x, f.constant(step)))
    product = f.choose(small, product, f.constant(1.0))
    inverse_z = f.binary("/", f.constant(1.0), z)
    square = f.binary("*", inverse_z, inverse_z)
    series = f.constant(float(_STIRLING[-1]))
    for term in reversed(_STIRLING[:-1]):
        series = f.binary("+", f.binary("*", series, square), f.constant(float(term)))
    value = f.binary("-", f.binary("*", f.binary("-", z, f.constant(0.5)), f.call("log", z)), z)
    value = f.binary("+", value, f.constant(math.log(2 * math.pi) / 2))
    value = f.binary("+", value, f.binary("*", series, inverse_z))
    value = f.binary("-", value, f.call("log", product))
    return f.choose(f.compare(">", x, f.constant(0.0)), value, f.constant(math.nan))


def _digamma(x: Expr) -> Sequence[Expr]:
    """The derivative of the series, term by term."""
    z = add(x, sp.Integer(_LARGE))
    below = [negate(inverse(add(x, sp.Integer(step)))) for step in range(_LARGE)]
    rest = [
        multiply(sp.Float(float(-(2 * place + 1) * term)), sp.Pow(z, sp.Float(-2 - 2 * place), evaluate=False))
        for place, term in enumerate(_STIRLING)
    ]
    return (add(sp.log(z, evaluate=False), divide(sp.Float(-0.5), z), *rest, *below),)


# A row per function: what it is, how it is computed, how it is differentiated and shown
# fmt: off
ABS = FunctionRow(
    "ABS(x)", "the absolute value of x", "u -> u",
    evaluate=abs, arrays=from_numpy("abs"), emit=lambda f, x: f.call("fabs", x),
    derivative=lambda x: (IF_THEN_ELSE.build(GREATER_OR_EQUAL.build(x, S.Zero), S.One, S.NegativeOne),),
    latex=r"\left|{0}\right|",
)
MIN = _extreme("MIN", "the smaller of two", "<", min, from_numpy("minimum"), LESS_OR_EQUAL)
MAX = _extreme("MAX", "the larger of two", ">", max, from_numpy("maximum"), GREATER_OR_EQUAL)
INTEGER = FunctionRow(
    "INTEGER(x)", "x without its decimals, rounded towards zero", "u -> u",
    evaluate=_truncate, arrays=from_numpy("trunc"), emit=lambda f, x: f.call("trunc", x),
    derivative=constant_almost_everywhere,
)
ZIDZ = _guarded_quotient(
    "ZIDZ(dividend, divisor)", "the quotient, or 0 where the divisor is smaller than 1e-6", "u, v -> u/v"
)
MODULO = FunctionRow(
    "MODULO(x, base)", "the remainder of a division, with the sign of x", "u, u -> u", kinds=("number", "finite"),
    evaluate=math.fmod, arrays=from_numpy("fmod"), emit=lambda f, x, base: f.binary("%", x, base),
    derivative=lambda x, base: (S.One, negate(INTEGER.build(divide(x, base)))), latex=r"{0} \bmod {1}",
)

ROWS = (
    ABS,
    MIN,
    MAX,
    _elementary("EXP", "e to the power x", "exp", from_numpy("exp"), sp.exp, "finite"),
    _elementary("LN", "the natural logarithm of x", "log", from_numpy("log"), sp.log),
    FunctionRow(
        "LOG(x, base)", "the logarithm of x to a base", "1, 1 -> 1", kinds=("number", "finite"),
        evaluate=lambda x, base: math.log(x) / math.log(base), arrays=lambda x, base: np.log(x) / np.log(base),
        emit=lambda f, x, base: f.binary("/", f.call("log", x), f.call("log", base)),
        derivative=_logarithm_derivatives, latex=r"\log_{{{1}}}\left({0}\right)",
    ),
    FunctionRow(
        "SQRT(x)", "the square root of x", "u -> u^0.5",
        evaluate=math.sqrt, arrays=from_numpy("sqrt"), emit=lambda f, x: f.call("sqrt", x),
        derivative=_FROM_SYMPY, algebra=lambda x: sp.Pow(x, S.Half, evaluate=False),
    ),
    FunctionRow(
        "POWER(base, exponent)", "base to the power exponent", "u, 1 -> *", kinds=("finite", "finite"),
        evaluate=math.pow, arrays=from_numpy("power"), emit=lambda f, base, exponent: f.call("pow", base, exponent),
        derivative=_power_derivatives, latex="{{{0}}}^{{{1}}}",
    ),
    _elementary("SIN", "the sine of x radians", "sin", from_numpy("sin"), sp.sin),
    _elementary("COS", "the cosine of x radians", "cos", from_numpy("cos"), sp.cos),
    _elementary("TAN", "the tangent of x radians", "tan", from_numpy("tan"), sp.tan),
    _elementary("ARCSIN", "the angle in radians with the sine x", "asin", from_numpy("arcsin"), sp.asin),
    _elementary("ARCCOS", "the angle in radians with the cosine x", "acos", from_numpy("arccos"), sp.acos),
    _elementary("ARCTAN", "the angle in radians with the tangent x", "atan", from_numpy("arctan"), sp.atan, "finite"),
    _elementary("SINH", "the hyperbolic sine of x", "sinh", from_numpy("sinh"), sp.sinh),
    _elementary("COSH", "the hyperbolic cosine of x", "cosh", from_numpy("cosh"), sp.cosh),
    _elementary("TANH", "the hyperbolic tangent of x", "tanh", from_numpy("tanh"), sp.tanh, "finite"),
    FunctionRow(
        "GAMMA LN(x)", "the natural logarithm of the gamma function of x, a positive number", "1 -> 1", kinds=("finite",),
        evaluate=_log_gamma, arrays=_log_gamma_of_array,
        emit=emit_log_gamma, derivative=_digamma, latex=r"\ln \Gamma\left({0}\right)",
    ),
    INTEGER,
    MODULO,
    FunctionRow(
        "QUANTUM(x, quantum)", "x rounded towards zero to a multiple of quantum", "u, u -> u", kinds=("number", "finite"),
        evaluate=lambda x, quantum: x if quantum <= 0 else quantum * _truncate(x / quantum),
        arrays=lambda x, quantum: np.where(quantum <= 0, x, quantum * np.trunc(x / quantum)), emit=_emit_quantum,
        derivative=_quantum_derivatives,
    ),
    ZIDZ,
    _guarded_quotient(
        "XIDZ(dividend, divisor, otherwise)",
        "the quotient, or otherwise where the divisor is smaller than 1e-6",
        "u, v, u/v -> u/v",
    ),
)
# fmt: on
