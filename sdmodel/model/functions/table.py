"""Vensim's functions in one table: what each means, takes and gives, its derivative, how it is computed and set.

A row's `units` reads `argument, argument -> result`: `u` and `v` are any units (the same letter, the same units), `t` the
model's unit of time, `1` dimensionless, `*` anything. Meanings follow the Vensim reference manual
(https://www.vensim.com/documentation/); what the manual leaves open follows Vensim's own output files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import sympy as sp
from sympy import Expr, S

from ..algebra import TIME, Table, VensimFunction, add, divide, inverse, multiply, negate

Partials = Callable[..., Sequence[Expr]]


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """One function: `build` makes the algebra from the arguments, `code` names the operation that computes it.

    `arguments` are their names as the manual gives them. `code` is empty for what is expanded into other algebra before
    anything is computed.
    """

    name: str
    arguments: tuple[str, ...]
    meaning: str
    units: str
    build: Callable[..., Expr]
    code: str = ""

    @property
    def signature(self) -> str:
        """How a call of it looks."""
        return f"{self.name}({', '.join(self.arguments)})"


def _own(
    name: str, arguments: str, meaning: str, units: str, code: str, latex: str = "", partials: Partials | None = None
) -> FunctionRow:
    """A row for a function that SymPy lacks, with the class that stands for it."""
    attributes = {"name": name, "latex": latex, "partials": None if partials is None else staticmethod(partials)}
    symbolic = type("".join(word.capitalize() for word in name.split()), (VensimFunction,), attributes)
    return FunctionRow(name, _names(arguments), meaning, units, symbolic, code)


def _sympy(name: str, arguments: str, meaning: str, units: str, code: str, function: type[sp.Function]) -> FunctionRow:
    """A row for a function that SymPy has, called without evaluation."""
    return FunctionRow(name, _names(arguments), meaning, units, lambda x: function(x, evaluate=False), code)


def _names(arguments: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in arguments.split(",") if part.strip())


def _flat(count: int) -> Partials:
    """Derivatives of a function that is constant almost everywhere."""
    return lambda *_: (S.Zero,) * count


def _comparison(name: str, sign: str, meaning: str) -> FunctionRow:
    return _own(name, "left, right", meaning, "u, u -> 1", "compare", f"\\left({{0}} {sign} {{1}}\\right)", _flat(2))


def _call(name: str, *arguments: Expr) -> Expr:
    return FUNCTIONS[name].build(*arguments)


def _extreme(condition: str) -> Partials:
    def partials(left: Expr, right: Expr) -> Sequence[Expr]:
        chosen = _call(condition, left, right)
        return chosen, add(S.One, negate(chosen))

    return partials


def _choice(condition: Expr, then: Expr, otherwise: Expr) -> Sequence[Expr]:
    choose = FUNCTIONS["IF THEN ELSE"].build
    return S.Zero, choose(condition, S.One, S.Zero), choose(condition, S.Zero, S.One)


def _guarded_quotient(dividend: Expr, divisor: Expr, *otherwise: Expr) -> Sequence[Expr]:
    """Derivatives of a quotient that gives way where the divisor is next to zero."""
    guard = FUNCTIONS["ZIDZ"].build
    slopes = (guard(S.One, divisor), negate(guard(dividend, multiply(divisor, divisor))))
    if not otherwise:
        return slopes
    usable = _call(">", _call("ABS", divisor), sp.Float(1e-6))
    return *slopes, add(S.One, negate(usable))


def _integer_power(base: Expr, exponent: Expr) -> Sequence[Expr]:
    value = sp.Pow(base, exponent, evaluate=False)
    return (
        multiply(exponent, sp.Pow(base, add(exponent, S.NegativeOne), evaluate=False)),
        multiply(value, sp.log(base, evaluate=False)),
    )


def _logarithm(x: Expr, base: Expr) -> Sequence[Expr]:
    log_x, log_base = sp.log(x, evaluate=False), sp.log(base, evaluate=False)
    return (
        inverse(multiply(x, log_base)),
        negate(divide(log_x, multiply(base, multiply(log_base, log_base)))),
    )


def _sign(x: Expr) -> Sequence[Expr]:
    return (_call("IF THEN ELSE", _call(">=", x, S.Zero), S.One, S.NegativeOne),)


def _quantum(x: Expr, quantum: Expr) -> Sequence[Expr]:
    whole = _call("<=", quantum, S.Zero)
    return whole, _call("IF THEN ELSE", whole, S.Zero, _call("INTEGER", divide(x, quantum)))


def _step(height: Expr, start: Expr) -> Sequence[Expr]:
    return FUNCTIONS["STEP"].build(S.One, start), S.Zero


def _ramp(slope: Expr, start: Expr, end: Expr) -> Sequence[Expr]:
    begun, ended = _call(">", TIME, start), _call(">", TIME, end)
    return _call("RAMP", S.One, start, end), negate(multiply(slope, begun)), multiply(slope, begun, ended)


def _lookup(*, onward: bool) -> Partials:
    """The slope of the line that x lies on; beyond the ends it is level, unless the end lines go on there."""

    def partials(table: Expr, x: Expr) -> Sequence[Expr]:
        if not isinstance(table, Table):
            message = "the slope of a lookup follows from its points; put the table in the place of its name"
            raise NotImplementedError(message)
        points = sorted(table.points, key=lambda point: point[0])
        slopes = [
            (left, (above - below) / (right - left) if right > left else 0.0)
            for (left, below), (right, above) in pairwise(points)
        ]
        if not onward or not slopes:
            slopes = [(math.nextafter(points[0][0], -math.inf), 0.0), *slopes, (points[-1][0], 0.0)]
        return S.Zero, _call("LOOKUP BACKWARD", Table(slopes), x)

    return partials


def _sample(condition: Expr, value: Expr, initial: Expr) -> Sequence[Expr]:
    return S.Zero, _call("IF THEN ELSE", condition, S.One, S.Zero), S.Zero


def _past(value: Expr, delay_time: Expr, initial: Expr) -> Sequence[Expr]:
    """Derivatives of what a delay shows: by its input of one delay time ago; by the delay time, unknown."""
    return S.One, S.NaN, S.Zero


def _modulo(dividend: Expr, divisor: Expr) -> Sequence[Expr]:
    return S.One, negate(FUNCTIONS["INTEGER"].build(divide(dividend, divisor)))


_ROWS = (
    # Comparison and logic: truth is 1, untruth 0, and any number but 0 counts as true.
    _comparison("=", "=", "1 where both sides are the same number"),
    _comparison("<>", "\\neq", "1 where the sides differ"),
    _comparison("<", "<", "1 where the left side is smaller"),
    _comparison("<=", "\\leq", "1 where the left side is not larger"),
    _comparison(">", ">", "1 where the left side is larger"),
    _comparison(">=", "\\geq", "1 where the left side is not smaller"),
    _own(":AND:", "left, right", "1 where both are true", "1, 1 -> 1", "and", "{0} \\land {1}", _flat(2)),
    _own(":OR:", "left, right", "1 where one is true", "1, 1 -> 1", "or", "{0} \\lor {1}", _flat(2)),
    _own(":NOT:", "condition", "1 where the condition is 0", "1 -> 1", "not", "\\lnot {0}", _flat(1)),
    _own(
        "IF THEN ELSE",
        "condition, then, otherwise",
        "one of two values; only the chosen one matters",
        "1, u, u -> u",
        "choose",
        "\\begin{{cases}} {1} & {0} \\\\ {2} & \\text{{otherwise}} \\end{{cases}}",
        _choice,
    ),
    # Arithmetic
    _own("ABS", "x", "the size of x without its sign", "u -> u", "abs", "\\left|{0}\\right|", _sign),
    _own("MIN", "x1, x2", "the smaller of two", "u, u -> u", "min", "\\min\\left({0}, {1}\\right)", _extreme("<=")),
    _own("MAX", "x1, x2", "the larger of two", "u, u -> u", "max", "\\max\\left({0}, {1}\\right)", _extreme(">=")),
    _sympy("EXP", "x", "e to the power x", "1 -> 1", "exp", sp.exp),
    _sympy("LN", "x", "natural logarithm", "1 -> 1", "log", sp.log),
    _own(
        "LOG",
        "x, base",
        "logarithm of x to a base",
        "1, 1 -> 1",
        "logarithm",
        "\\log_{{{1}}}\\left({0}\\right)",
        _logarithm,
    ),
    FunctionRow("SQRT", ("x",), "square root", "u -> u^0.5", lambda x: sp.Pow(x, S.Half, evaluate=False), "power"),
    _own(
        "POWER", "base, exponent", "base to the power exponent", "u, 1 -> *", "pow", "{{{0}}}^{{{1}}}", _integer_power
    ),
    _sympy("SIN", "x", "sine of x radians", "1 -> 1", "sin", sp.sin),
    _sympy("COS", "x", "cosine of x radians", "1 -> 1", "cos", sp.cos),
    _sympy("TAN", "x", "tangent of x radians", "1 -> 1", "tan", sp.tan),
    _sympy("ARCSIN", "x", "the angle in radians whose sine is x", "1 -> 1", "asin", sp.asin),
    _sympy("ARCCOS", "x", "the angle in radians whose cosine is x", "1 -> 1", "acos", sp.acos),
    _sympy("ARCTAN", "x", "the angle in radians whose tangent is x", "1 -> 1", "atan", sp.atan),
    _sympy("SINH", "x", "hyperbolic sine", "1 -> 1", "sinh", sp.sinh),
    _sympy("COSH", "x", "hyperbolic cosine", "1 -> 1", "cosh", sp.cosh),
    _sympy("TANH", "x", "hyperbolic tangent", "1 -> 1", "tanh", sp.tanh),
    _own("INTEGER", "x", "x without its decimals, towards zero", "u -> u", "integer", "", _flat(1)),
    _own(
        "MODULO",
        "x, base",
        "the rest of a division, with the sign of x",
        "u, u -> u",
        "modulo",
        "{0} \\bmod {1}",
        _modulo,
    ),
    _own("QUANTUM", "x, quantum", "x cut towards zero to a multiple of quantum", "u, u -> u", "quantum", "", _quantum),
    _own(
        "ZIDZ",
        "dividend, divisor",
        "the quotient, or 0 where the divisor is smaller than 1e-6",
        "u, v -> u/v",
        "zidz",
        "",
        _guarded_quotient,
    ),
    _own(
        "XIDZ",
        "dividend, divisor, otherwise",
        "the quotient, or otherwise where the divisor is smaller than 1e-6",
        "u, v, u/v -> u/v",
        "xidz",
        "",
        _guarded_quotient,
    ),
    # Functions of time
    _own("STEP", "height, start", "0, and height from start on", "u, t -> u", "step", "", _step),
    _own(
        "RAMP",
        "slope, start, end",
        "0 until start, then a rise by slope a unit of time until end",
        "u/t, t, t -> u",
        "ramp",
        "",
        _ramp,
    ),
    _own(
        "PULSE",
        "start, width",
        "1 from start on for width; a width of 0 means one time step",
        "t, t -> 1",
        "pulse",
        "",
        _flat(2),
    ),
    _own(
        "PULSE TRAIN",
        "start, width, interval, end",
        "pulses of width, at least one time step, every interval from start to end",
        "t, t, t, t -> 1",
        "pulse train",
        "",
        _flat(4),
    ),
    # Lookups: the first argument is a table or the name of one.
    _own(
        "LOOKUP",
        "table, x",
        "the table at x: straight lines between the points, level beyond the ends",
        "v, u -> v",
        "lookup",
        "",
        _lookup(onward=False),
    ),
    _own(
        "LOOKUP EXTRAPOLATE",
        "table, x",
        "as a lookup, with the end lines drawn on",
        "v, u -> v",
        "lookup extrapolate",
        "",
        _lookup(onward=True),
    ),
    _own(
        "LOOKUP FORWARD",
        "table, x",
        "the table's next point at or after x",
        "v, u -> v",
        "lookup forward",
        "",
        _flat(2),
    ),
    _own(
        "LOOKUP BACKWARD",
        "table, x",
        "the table's last point at or before x",
        "v, u -> v",
        "lookup backward",
        "",
        _flat(2),
    ),
    # What has a memory. INTEG, DELAY FIXED, SAMPLE IF TRUE and INITIAL are states; the rest expands into INTEG. Derivatives
    # are those of the value during a run, when a start is past; a stock's follow from its rate.
    _own("INTEG", "rate, initial", "a stock: the initial value and all that flowed since", "u/t, u -> u", "integ"),
    _own("INITIAL", "x", "the value x has at the start", "u -> u", "initial", "", _flat(1)),
    _own(
        "ACTIVE INITIAL",
        "active, initial",
        "active, with another value while the start is worked out",
        "u, u -> u",
        "active initial",
        "",
        lambda *_: (S.One, S.Zero),
    ),
    _own("REINITIAL", "x", "the value x has at the start", "u -> u", "initial", "", _flat(1)),
    _own(
        "SAMPLE IF TRUE",
        "condition, input, initial",
        "input where the condition is true, else its last such value",
        "1, u, u -> u",
        "sample",
        "",
        _sample,
    ),
    _own(
        "DELAY FIXED",
        "input, delay time, initial",
        "input as it was one delay time ago, to the time step",
        "u, t, u -> u",
        "delay fixed",
        "",
        _past,
    ),
    _own("SMOOTH", "input, delay time", "first-order exponential average", "u, t -> u", ""),
    _own(
        "SMOOTHI",
        "input, delay time, initial",
        "first-order exponential average from an initial value",
        "u, t, u -> u",
        "",
    ),
    _own("SMOOTH3", "input, delay time", "third-order exponential average", "u, t -> u", ""),
    _own(
        "SMOOTH3I",
        "input, delay time, initial",
        "third-order exponential average from an initial value",
        "u, t, u -> u",
        "",
    ),
    _own(
        "SMOOTH N", "input, delay time, initial, order", "exponential average of a given order", "u, t, u, 1 -> u", ""
    ),
    _own("DELAY1", "input, delay time", "first-order material delay", "u, t -> u", ""),
    _own(
        "DELAY1I",
        "input, delay time, initial",
        "first-order material delay from an initial outflow",
        "u, t, u -> u",
        "",
    ),
    _own("DELAY3", "input, delay time", "third-order material delay", "u, t -> u", ""),
    _own(
        "DELAY3I",
        "input, delay time, initial",
        "third-order material delay from an initial outflow",
        "u, t, u -> u",
        "",
    ),
    _own("DELAY N", "input, delay time, initial, order", "material delay of a given order", "u, t, u, 1 -> u", ""),
    _own("TREND", "input, average time, initial trend", "fractional growth a unit of time", "u, t, 1/t -> 1/t", ""),
    _own(
        "FORECAST",
        "input, average time, horizon",
        "input extrapolated over the horizon by its trend",
        "u, t, t -> u",
        "",
    ),
    _own("GAME", "x", "x; in a game, what the player sets", "u -> u", "same", "{0}", lambda _: (S.One,)),
    # Over a subscript range, marked with `!` in the argument; differentiated when written out, label by label
    _own("SUM", "x", "the sum over the marked ranges", "u -> u", "sum", "\\sum {0}"),
    _own("PROD", "x", "the product over the marked ranges", "1 -> 1", "prod", "\\prod {0}"),
    _own("VMIN", "x", "the smallest over the marked ranges", "u -> u", "vmin", "\\min {0}"),
    _own("VMAX", "x", "the largest over the marked ranges", "u -> u", "vmax", "\\max {0}"),
    _own("ELMCOUNT", "range", "how many labels a range has", "* -> 1", "elmcount"),
)

FUNCTIONS = MappingProxyType({row.name: row for row in _ROWS})
"""Every function that runs, by Vensim's name."""

LOOKUPS = frozenset({"LOOKUP", "LOOKUP EXTRAPOLATE", "LOOKUP FORWARD", "LOOKUP BACKWARD"})
REDUCTIONS = frozenset({"SUM", "PROD", "VMIN", "VMAX"})
