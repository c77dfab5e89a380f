"""Rows of functions that read the past, and the back end that computes them at the start, which has no past."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

from sympy import Expr, S

from ...algebra import Table
from ..chance.inversion import PLAIN
from ..lookups import areas_of
from ..row import Absent, Expander, FunctionRow, Kind, PastEmitter, R

_NO_STEPS = Absent("a formula over arrays has no time steps")

Shape = Callable[..., Any]
"""Writes a function of the past, from a `PastEmitter` and its arguments."""


class _AtStart:
    """Computes what functions of the past write, from numbers, before the first step."""

    steps = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(PLAIN, name)

    def logic(self, word: str, left: Any, right: Any) -> Any:
        return (left and right) if word == "and" else (left or right)

    def invert(self, truth: Any) -> Any:
        return not truth

    def strict(self, value: Any, *arguments: Any) -> Any:
        return value if all(map(math.isfinite, arguments)) else math.nan

    def real(self, counter: Any) -> Any:
        return float(counter)

    def past(self, series: Any, _: Any) -> Any:
        return series

    def repeat(self, body: Callable[..., Sequence[Any]], *state: Any) -> tuple[Any, ...]:
        counter, more = 0, True
        while more:
            counter += 1
            more, *state = body(counter, *state)  # type: ignore[assignment]
        return tuple(state)


AT_START = cast("PastEmitter[float]", _AtStart())
"""Computes what functions of the past give at the start."""


def reading(
    signature: str, meaning: str, units: str, shape: Shape, kinds: Sequence[Kind], **pieces: Any
) -> FunctionRow:
    """A row of a function that reads the past; how its value depends on the arguments of now is not known."""
    return FunctionRow(
        signature,
        meaning,
        units,
        kinds=tuple(kinds),
        evaluate=lambda *arguments: shape(AT_START, *arguments),
        arrays=_NO_STEPS,
        emit=shape,
        derivative=lambda *arguments: (S.NaN,) * len(arguments),
        reads_time=False,
        **pieces,
    )


def recorded(model: Expander, *inputs: Expr) -> Sequence[Expr]:
    """Hidden delays of one time step, whose inputs functions of the past read."""
    return model.states(lambda *_: list(inputs), *[S.Zero] * len(inputs))


_MOST_BEFORE = 1e5
"""The most time steps before the start that count: a time that is not a number has no end."""


def counts(f: PastEmitter[R], ago: R) -> R:
    """Write whether a step before the start is near enough to count."""
    return f.compare("<", f.real(ago), f.binary("+", f.steps, f.constant(_MOST_BEFORE)))


def larger(f: PastEmitter[R], x: R, y: R) -> R:
    """Write the larger of two numbers."""
    return f.choose(f.compare(">", x, y), x, y)


def smaller(f: PastEmitter[R], x: R, y: R) -> R:
    """Write the smaller of two numbers."""
    return f.choose(f.compare("<", x, y), x, y)


def share(f: PastEmitter[R], table: Table, part: R) -> R:
    """Write the share of the area under a table that lies in the first part of its width, a number from 0 to 1."""
    xs = [x for x, _ in table.points]
    areas, before, heights = areas_of(table)
    x = f.binary("+", f.constant(min(xs)), f.binary("*", part, f.constant(max(xs) - min(xs))))
    beyond = f.binary("-", x, f.look_up("backward", before, x))
    height = f.binary("+", f.look_up("backward", heights, x), f.look_up("between", table, x))
    piece = f.binary("*", beyond, f.binary("*", height, f.constant(0.5)))
    area = f.binary("+", f.look_up("backward", areas, x), piece)
    whole = max(areas.points, key=lambda point: point[0])[1]
    return f.binary("/", area, f.constant(whole))
