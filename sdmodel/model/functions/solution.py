"""SIMULTANEOUS, which solves a loop without a stock; `sdmodel/model/simultaneous.py` computes the loop."""

from __future__ import annotations

import math

from sympy import S

from .row import Absent, Emitter, FunctionRow

_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
"""How far, of its size and at least, a value may change once around its loop and count as the solution."""
_NO_ARRAYS = Absent("a formula over arrays has no loops")


def _solution(guess: float, last: float) -> float:
    return last if abs(last - guess) <= _RELATIVE * abs(last) + _ABSOLUTE else math.nan


def _emit_solution(f: Emitter, guess: str, last: str) -> str:
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
ROWS = (SIMULTANEOUS,)
