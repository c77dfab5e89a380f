"""SIMULTANEOUS and FIND ZERO, which solve loops without a stock; `sdmodel/model/simultaneous.py` computes the loops."""

from __future__ import annotations

import math

from sympy import S

from .row import Absent, Emitter, FunctionRow, R

_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
"""How far, of its size and at least, a value may change once around its loop and count as the solution."""
_NO_ARRAYS = Absent("a formula over arrays has no loops")


def _solution(guess: float, last: float) -> float:
    return last if abs(last - guess) <= _RELATIVE * abs(last) + _ABSOLUTE else math.nan


def _emit_solution(f: Emitter[R], guess: R, last: R) -> R:
    allowed = f.binary("+", f.binary("*", f.constant(_RELATIVE), f.call("fabs", last)), f.constant(_ABSOLUTE))
    error = f.call("fabs", f.binary("-", last, guess))
    return f.choose(f.compare("<=", error, allowed), last, f.constant(math.nan))


SOLUTION = FunctionRow(
    "SOLUTION(guess, last)",
    "the last value of a loop, if it is that of the guess; else nan",
    "u, u -> u",
    kinds=("finite", "finite"),
    evaluate=_solution,
    arrays=_NO_ARRAYS,
    emit=_emit_solution,
    derivative=lambda *_: (S.Zero, S.One),
)
SIMULTANEOUS = FunctionRow(
    "SIMULTANEOUS(x, initial)",
    "x, which may depend on the result at the same time: the value that the loop reproduces, sought from initial at the start",
    "u, u -> u",
    kinds=("number", "branch"),
    evaluate=lambda x, _: x,
    arrays=_NO_ARRAYS,
    emit=Absent("its loop is computed for one guess after the other"),
    derivative=lambda *_: (S.One, S.Zero),
)
FIND_ZERO = FunctionRow(
    "FIND ZERO(x scale, z, z scale, initial, size, skip, tolerance, most rounds, method)",
    "the vector x, the variable that it defines, at which the vector z is zero, sought from initial at the start and then from the last x",
    "*, *, *, u, 1, 1, *, 1, 1 -> u",
    kinds=("branch",) * 9,
    evaluate=lambda *arguments: arguments[3](),
    arrays=_NO_ARRAYS,
    emit=Absent("its loop is computed for one guess after the other"),
    derivative=lambda *_: (*(S.Zero,) * 3, S.One, *(S.Zero,) * 5),
)
ZERO_FOUND = FunctionRow(
    "ZERO FOUND(x, largest, tolerance, z)",
    "x, if the largest z in its scale is not beyond the tolerance; else nan",
    "u, *, *, * -> u",
    kinds=("finite", "finite", "finite", "branch"),
    evaluate=lambda x, largest, tolerance, _: x if largest <= tolerance else math.nan,
    arrays=_NO_ARRAYS,
    emit=lambda f, x, largest, tolerance, _: f.choose(f.compare("<=", largest, tolerance), x, f.constant(math.nan)),
    derivative=lambda *_: (S.NaN,) * 4,
)
IF_FINITE = FunctionRow(
    "IF FINITE(x, otherwise)",
    "x where it is a number, else otherwise",
    "u, u -> u",
    evaluate=lambda x, otherwise: x if math.isfinite(x) else otherwise,
    arrays=_NO_ARRAYS,
    emit=lambda f, x, otherwise: f.choose(f.compare("=", f.binary("-", x, x), f.constant(0.0)), x, otherwise),
    derivative=lambda *_: (S.NaN, S.NaN),
)
ROWS = (SIMULTANEOUS, FIND_ZERO)
