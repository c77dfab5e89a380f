"""Equations as PySD's parser of XMILE gives them, in our algebra; what Vensim's language lacks is refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from sympy import Expr, S

from ..model import (  # fmt: skip
    FUNCTIONS,
    Element,
    Equation,
    Numbers,
    Subscript,
    Table,
    add,
    divide,
    inverse,
    key,
    multiply,
    negate,
    number,
    power,
    refer,
)


class Unknown(Exception):  # noqa: N818 - caught inside the stage and told as a fault of its element
    """What has no word in Vensim's language."""


@dataclass(slots=True)
class Words:
    """What names mean: ranges, tables with how they are read between their points, all elements, and the ranges of arrays; by key.

    `made` are elements that stand for what must have a name in Vensim, `notes` what changed on the way.
    """

    ranges: dict[str, Subscript]
    tables: Mapping[str, str]
    names: set[str]
    arrays: Mapping[str, tuple[str, ...]]
    made: list[Element] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    name: str = ""
    subscripts: tuple[str, ...] = ()

    def begin(self, name: str, subscripts: tuple[str, ...]) -> None:
        """Tell whose equation comes next."""
        self.name, self.subscripts = name, subscripts


_TIMES = MappingProxyType({"time": "time", "dt": "time_step", "starttime": "initial_time", "stoptime": "final_time"})
_TIME_STEP = refer("time_step")
_LOOKUPS = {"interpolate": "LOOKUP", "extrapolate": "LOOKUP EXTRAPOLATE", "hold_backward": "LOOKUP BACKWARD"}
"""How a table is read, by PySD's word for it."""


def expression_of(words: Words, tree: Any) -> Expr:
    """The expression that a tree of PySD's means."""
    if isinstance(tree, int | float | np.number):
        return _number(float(tree))
    if isinstance(tree, np.ndarray):
        return Numbers(tree.ravel().tolist())
    kind = type(tree).__name__.removesuffix("Structure")
    if kind not in _TREES:
        message = f"{kind} is not supported"
        raise Unknown(message)
    return _TREES[kind](words, tree)


def _number(value: float) -> Expr:
    if not math.isfinite(value):
        message = f"the number {value} is not supported"
        raise Unknown(message)
    return number(value)


def _reference(words: Words, tree: Any) -> Expr:
    """An element; a name that is none may be a range, or XMILE's word for a time."""
    name = key(tree.reference)
    subscripts = tuple(map(key, tree.subscripts.subscripts)) if tree.subscripts else ()
    if name not in words.names and name in _TIMES:
        return refer(_TIMES[name])
    if any(each in ("*", "_") for each in subscripts):
        message = f"'{tree.reference}[*]' is not supported"
        raise Unknown(message)
    if not subscripts and len(words.arrays.get(name, ())) == len(words.subscripts):
        subscripts = words.subscripts  # within an array, another one by its name alone means the same place
    return refer(name, *subscripts)


def _arithmetic(words: Words, tree: Any) -> Expr:
    """Sums, products and powers, each from left to right but powers from right to left."""
    first, *rest = (expression_of(words, each) for each in tree.arguments)
    operators = tree.operators
    if operators == ["negative"]:
        return negate(first)
    if operators[0] == "^":
        *bases, whole = [first, *rest]
        for base in reversed(bases):
            whole = power(base, whole)
        return whole
    pairs = list(zip(operators, rest, strict=True))
    if operators[0] in "+-":
        return add(first, *(each if operator == "+" else negate(each) for operator, each in pairs))
    return multiply(first, *(each if operator == "*" else inverse(each) for operator, each in pairs))


def _logic(words: Words, tree: Any) -> Expr:
    """Comparisons and their joins, from left to right."""
    first, *rest = (expression_of(words, each) for each in tree.arguments)
    if tree.operators == [":NOT:"]:
        return FUNCTIONS[":NOT:"].build(first)
    for operator, each in zip(tree.operators, rest, strict=True):
        first = FUNCTIONS[operator.upper()].build(first, each)
    return first


def _table(words: Words, tree: Any) -> Expr:
    """The points of a table, and its corners where they differ."""
    points = list(zip(map(float, tree.x), map(float, tree.y), strict=True))
    (left, right), (low, high) = tree.x_limits, tree.y_limits
    return Table(points, ((float(left), float(low)), (float(right), float(high))))


def _inline(words: Words, tree: Any) -> Expr:
    """A table inside an equation; one that is not read along straight lines gets a name, as Vensim asks."""
    x, points, how = expression_of(words, tree.argument), _table(words, tree.lookups), tree.lookups.type
    if how == "interpolate":
        return FUNCTIONS["LOOKUP"].build(points, x)
    name = f"{words.name} table"
    while key(name) in words.names:
        name += " 2"
    words.names.add(key(name))
    words.made.append(Element(name, "lookup", (Equation(points, words.subscripts),)))
    return _looked_up(how, refer(key(name), *words.subscripts), x)


def _looked_up(how: str, table: Expr, x: Expr) -> Expr:
    if how not in _LOOKUPS:
        message = f"a table read by '{how}' is not supported"
        raise Unknown(message)
    return FUNCTIONS[_LOOKUPS[how]].build(table, x)


def _stock(words: Words, tree: Any) -> Expr:
    """A stock; one that may not become negative loses at most what it holds in a step, which Euler's method makes exact."""
    rate, initial = expression_of(words, tree.flow), expression_of(words, tree.initial)
    if tree.non_negative:
        own = refer(key(words.name), *words.subscripts)
        rate = FUNCTIONS["MAX"].build(rate, negate(divide(own, _TIME_STEP)))
        words.notes.append(f"'{words.name}' may not become negative: its net flow is kept above -stock/TIME STEP")
    return FUNCTIONS["INTEG"].build(rate, initial)


def _lag(plain: Mapping[float, str], general: str) -> Callable[[Words, Any], Expr]:
    """Delays and smooths, by their order."""

    def build(words: Words, tree: Any) -> Expr:
        time = tree.delay_time if hasattr(tree, "delay_time") else tree.smooth_time
        parts = [expression_of(words, each) for each in (tree.input, time, tree.initial)]
        if isinstance(tree.order, int | float) and tree.order in plain:
            return FUNCTIONS[plain[tree.order]].build(*parts)
        return FUNCTIONS[general].build(*parts, expression_of(words, tree.order))

    return build


def _forecast(words: Words, tree: Any) -> Expr:
    if tree.initial_trend != 0:
        message = "FORCST with an initial trend is not supported"
        raise Unknown(message)
    return _built("FORECAST", words, (tree.input, tree.average_time, tree.horizon))


def _built(name: str, words: Words, arguments: Sequence[Any]) -> Expr:
    return FUNCTIONS[name].build(*(expression_of(words, each) for each in arguments))


def _call(words: Words, tree: Any) -> Expr:
    """A call of a function, or of a table by its name."""
    name, arguments = key(tree.function.reference), tree.arguments
    if name in words.tables:
        (x,) = (expression_of(words, each) for each in arguments)
        return _looked_up(words.tables[name], _reference(words, tree.function), x)
    if not arguments and name in _TIMES:
        return refer(_TIMES[name])
    if name in _OVER and len(arguments) == 1:
        return FUNCTIONS[_OVER[name]].build(_whole(words, arguments[0]))
    if name in _CALLS:
        return _CALLS[name](*(expression_of(words, each) for each in arguments))
    row = _ROWS.get(name)
    if row is None or len(row.arguments) != len(arguments):
        message = f"the function {name.upper()} with {len(arguments)} arguments is not supported"
        raise Unknown(message)
    return row.build(*(expression_of(words, each) for each in arguments))


def _whole(words: Words, tree: Any) -> Expr:
    """An array over all of its ranges, as functions over arrays take it in Vensim."""
    ranges = words.arrays.get(key(getattr(tree, "reference", "")), ())
    if not ranges or tree.subscripts or not set(ranges) <= set(words.ranges):
        message = "a function over anything but a whole array is not supported"
        raise Unknown(message)
    return refer(key(tree.reference), *(f"{each}!" for each in ranges))


def _pulse(start: Expr, magnitude: Expr) -> Expr:
    """XMILE's pulse gives its magnitude within one step."""
    return multiply(magnitude, inverse(_TIME_STEP), FUNCTIONS["PULSE"].build(start, S.Zero))


def _pulses(start: Expr, interval: Expr, magnitude: Expr) -> Expr:
    train = FUNCTIONS["PULSE TRAIN"].build(start, S.Zero, interval, refer("final_time"))
    return multiply(magnitude, inverse(_TIME_STEP), train)


def _log(x: Expr) -> Expr:
    return FUNCTIONS["LOG"].build(x, number(10))


_ROWS = {key(name): row for name, row in FUNCTIONS.items()}
_OVER = {"vmin_xmile": "VMIN", "vmax_xmile": "VMAX", "sum": "SUM", "prod": "PROD"}
_CALLS: Mapping[str, Callable[..., Expr]] = MappingProxyType(
    {
        "pi": lambda: number(math.pi),
        "log10": _log,
        "xpulse": _pulse,
        "xpulse_train": _pulses,
        "xramp": lambda slope, start: FUNCTIONS["RAMP"].build(slope, start, refer("final_time")),
    }
)
"""What XMILE has under another name, or with other arguments."""

_TREES: Mapping[str, Callable[[Words, Any], Expr]] = MappingProxyType(
    {
        "Reference": _reference,
        "Arithmetic": _arithmetic,
        "Logic": _logic,
        "Call": _call,
        "Lookups": _table,
        "InlineLookups": _inline,
        "Integ": _stock,
        "Initial": lambda words, tree: _built("INITIAL", words, (tree.initial,)),
        "Game": lambda words, tree: _built("GAME", words, (tree.expression,)),
        "Delay": _lag({1: "DELAY1I", 3: "DELAY3I"}, "DELAY N"),
        "DelayN": _lag({}, "DELAY N"),
        "Smooth": _lag({1: "SMOOTHI", 3: "SMOOTH3I"}, "SMOOTH N"),
        "SmoothN": _lag({}, "SMOOTH N"),
        "DelayFixed": lambda words, tree: _built("DELAY FIXED", words, (tree.input, tree.delay_time, tree.initial)),
        "Trend": lambda words, tree: _built("TREND", words, (tree.input, tree.average_time, tree.initial_trend)),
        "Forecast": _forecast,
    }
)
"""How each of PySD's structures is read."""
