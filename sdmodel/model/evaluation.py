"""The value of an expression, worked out one number at a time.

Slow and plain on purpose: it settles what must be known before anything is compiled (the order of a DELAY N), and gives
tests a second reading of every operation to hold against the machine code.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sympy import Add, Expr, Function, Indexed, Mul, Pow, S, Symbol

from .algebra import Numbers, Table, VensimFunction, referred, rewrite
from .functions.table import FUNCTIONS, LOOKUPS
from .records import Equation, Model, Subscript
from .subscripts import Binding, Cell, bindings, cells_in, expanded, is_reduction, labels_of, marked, position, resolve

NEXT_TO_ZERO = 1e-6
"""Below this size a divisor counts as zero in ZIDZ and XIDZ (Vensim reference manual, XIDZ)."""

Read = Callable[[Cell], "float | Table"]
"""How an evaluation gets at the value of a cell, or at the table of a lookup."""


def evaluate(subscripts: Mapping[str, Subscript], expression: Expr, binding: Binding, read: Read) -> float:
    """The value of an expression under a binding, in its own units; what cannot be computed is not a number."""

    def value(part: Expr, bound: Binding = binding) -> float:
        return evaluate(subscripts, part, bound, read)

    if expression.is_Number:
        return float(expression)
    if isinstance(expression, Symbol | Indexed):
        return _read_number(subscripts, expression, binding, read)
    if isinstance(expression, Add | Mul | Pow):
        return _arithmetic(expression, value)
    if is_reduction(expression):
        values = [value(expression.args[0], inner) for inner in expanded(subscripts, marked(expression), binding)]
        return _REDUCE[expression.name](values)
    if isinstance(expression, VensimFunction):
        return _call(subscripts, expression, value, read, binding)
    return _guarded(_MATH[type(expression)], value(expression.args[0]))


def _arithmetic(expression: Expr, value: Callable[[Expr], float]) -> float:
    if isinstance(expression, Add):
        return _fold(lambda a, b: a + b, [value(term) for term in expression.args])
    if isinstance(expression, Mul):
        return _product(expression, value)
    return _guarded(math.pow, value(expression.base), value(expression.exp))


def _fold(operation: Callable[[float, float], float], values: list[float]) -> float:
    total = values[0]
    for each in values[1:]:
        total = operation(total, each)
    return total


def _read_number(subscripts: Mapping[str, Subscript], expression: Expr, binding: Binding, read: Read) -> float:
    name, indices = referred(expression)
    if not indices and (name.rstrip("!") in subscripts or name in binding):
        return position(subscripts, name, binding)
    found = read(Cell(name, tuple(resolve(subscripts, index, binding) for index in indices)))
    return math.nan if isinstance(found, Table) else found


def _product(expression: Expr, value: Callable[[Expr], float]) -> float:
    total = 1.0
    for index, factor in enumerate(expression.args):
        if isinstance(factor, Pow) and factor.exp is S.NegativeOne:
            total = quotient(total, value(factor.base))
        else:
            total = value(factor) if index == 0 else total * value(factor)
    return total


def quotient(dividend: float, divisor: float) -> float:
    """A division as the processor does it: by zero it is infinite, zero by zero is not a number."""
    if divisor != 0:
        return dividend / divisor
    return (
        math.nan
        if dividend == 0 or math.isnan(dividend)
        else math.copysign(math.inf, dividend * math.copysign(1, divisor))
    )


def _guarded(function: Callable[..., float], *arguments: float) -> float:
    try:
        return function(*arguments)
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError):
        return math.nan


def _call(
    subscripts: Mapping[str, Subscript],
    expression: VensimFunction,
    value: Callable[[Expr], float],
    read: Read,
    binding: Binding,
) -> float:
    name, arguments = expression.name, expression.args
    if name == "ELMCOUNT":
        return float(len(labels_of(subscripts, referred(arguments[0])[0].rstrip("!"))))
    if name in LOOKUPS:
        table = arguments[0]
        if not isinstance(table, Table):
            key, indices = referred(table)
            found = read(Cell(key, tuple(resolve(subscripts, index, binding) for index in indices)))
            if not isinstance(found, Table):
                return math.nan
            table = found
        return look_up(name, table, value(arguments[1]))
    if name == "IF THEN ELSE":
        return value(arguments[1] if value(arguments[0]) else arguments[2])
    if name in _AT_START:
        return value(arguments[_AT_START[name]])
    time = (read(Cell("time")), read(Cell("time_step"))) if FUNCTIONS[name].code in _OF_TIME else ()
    return _guarded(_OPERATIONS[FUNCTIONS[name].code if name not in _COMPARE else name], *map(value, arguments), *time)


def look_up(name: str, table: Table, x: float) -> float:
    """The value of a table at x, by the function of that name."""
    points = sorted(table.points, key=lambda point: point[0])
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    if name == "LOOKUP FORWARD":
        return ys[min(bisect_left(xs, x), len(xs) - 1)]
    if name == "LOOKUP BACKWARD":
        return ys[max(bisect_right(xs, x) - 1, 0)]
    if len(xs) == 1:
        return ys[0]
    within = name == "LOOKUP"
    x = min(max(x, xs[0]), xs[-1]) if within else x
    left = min(max(bisect_right(xs, x) - 1, 0), len(xs) - (1 if within else 2))
    width = xs[left + 1] - xs[left] if left + 1 < len(xs) else 0.0
    return ys[left] + (x - xs[left]) * ((ys[left + 1] - ys[left]) / width if width else 0.0)


def _xidz(dividend: float, divisor: float, otherwise: float = 0.0) -> float:
    return otherwise if abs(divisor) < NEXT_TO_ZERO else dividend / divisor


def _quantum(x: float, quantum: float) -> float:
    return x if quantum <= 0 else quantum * math.trunc(x / quantum)


def _step(height: float, start: float, time: float, step: float) -> float:
    return height if time + step / 2 > start else 0.0


def _ramp(slope: float, start: float, end: float, time: float, _step: float) -> float:
    return slope * (min(time, end) - start) if time > start else 0.0


def _pulse(start: float, width: float, time: float, step: float) -> float:
    return float(start < time + step / 2 < start + (width or step))


def _pulse_train(start: float, width: float, interval: float, end: float, time: float, step: float) -> float:
    since = time + step / 2 - start + step * NEXT_TO_ZERO
    phase = since - interval * math.floor(since / interval)
    return float(since >= 0 and time - step / 2 < end and phase < max(width, step))


_MATH: Mapping[type[Function], Callable[[float], float]] = MappingProxyType(
    {
        type(FUNCTIONS[name].build(Symbol("x"))): getattr(math, FUNCTIONS[name].code)
        for name in (
            "EXP",
            "LN",
            "SIN",
            "COS",
            "TAN",
            "ARCSIN",
            "ARCCOS",
            "ARCTAN",
            "SINH",
            "COSH",
            "TANH",
        )
    }
)

_REDUCE: Mapping[str, Callable[[list[float]], float]] = MappingProxyType(
    {
        "SUM": lambda values: _fold(lambda a, b: a + b, values),
        "PROD": lambda values: _fold(lambda a, b: a * b, values),
        "VMIN": min,
        "VMAX": max,
    }
)

_COMPARE = frozenset({"=", "<>", "<", "<=", ">", ">="})

_OPERATIONS: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "=": lambda a, b: float(a == b),
        "<>": lambda a, b: float(a != b),
        "<": lambda a, b: float(a < b),
        "<=": lambda a, b: float(a <= b),
        ">": lambda a, b: float(a > b),
        ">=": lambda a, b: float(a >= b),
        "and": lambda a, b: float(a != 0 and b != 0),
        "or": lambda a, b: float(a != 0 or b != 0),
        "not": lambda a: float(a == 0),
        "min": lambda a, b: min(b, a),
        "max": lambda a, b: max(b, a),
        "abs": abs,
        "logarithm": lambda x, base: math.log(x) / math.log(base),
        "pow": math.pow,
        "integer": math.trunc,
        "modulo": math.fmod,
        "quantum": _quantum,
        "zidz": _xidz,
        "xidz": _xidz,
        "same": lambda x: x,
        "step": _step,
        "ramp": _ramp,
        "pulse": _pulse,
        "pulse train": _pulse_train,
    }
)

_OF_TIME = frozenset({"step", "ramp", "pulse", "pulse train"})

_AT_START: Mapping[str, int] = MappingProxyType(
    {
        "INTEG": 1,
        "INITIAL": 0,
        "REINITIAL": 0,
        "ACTIVE INITIAL": 1,
        "SAMPLE IF TRUE": 2,
        "DELAY FIXED": 2,
        "SMOOTH": 0,
        "SMOOTHI": 2,
        "SMOOTH3": 0,
        "SMOOTH3I": 2,
        "SMOOTH N": 2,
        "DELAY1": 0,
        "DELAY1I": 2,
        "DELAY3": 0,
        "DELAY3I": 2,
        "DELAY N": 2,
        "TREND": 2,
        "FORECAST": 0,
    }
)
"""Which argument a function with a memory shows at the start."""


@dataclass
class Start:
    """The values of a model at its initial time, worked out as they are asked for; `given` replaces constants.

    `known` tells afterwards which cells the answers rest on.
    """

    model: Model
    given: Mapping[Cell, float] = field(default_factory=dict)
    known: dict[Cell, float | Table] = field(default_factory=dict)
    cells: dict[str, dict[tuple[str, ...], tuple[Equation, int, Binding]]] = field(default_factory=dict, repr=False)

    def read(self, cell: Cell) -> float | Table:
        """The value of a cell at the start; one that depends on itself is not a number.

        Each cell waits until what it reads is known: a chain may be as long as it likes, for nothing recurses along it.
        """
        root = _at_start(cell)
        waiting = {} if root in self.known else {root: self._needs(root)}
        while waiting:
            current, needs = next(reversed(waiting.items()))
            following = next((each for each in needs if each not in self.known), None) or self._settle(current)
            if following is None:
                waiting.popitem()
            elif following in waiting:
                self.known[following] = math.nan
            else:
                waiting[following] = self._needs(following)
        return self.known[root]

    def _settle(self, cell: Cell) -> Cell | None:
        """Works a cell out, or tells which cell it turns out to need first."""
        try:
            self.known[cell] = self.given[cell] if cell in self.given else self._work_out(cell)
        except _UnknownError as unknown:
            return unknown.cell
        return None

    def _get(self, cell: Cell) -> float | Table:
        named = _at_start(cell)
        if named not in self.known:
            raise _UnknownError(named)
        return self.known[named]

    def _needs(self, cell: Cell) -> Iterator[Cell]:
        """What a cell surely reads at the start; what it reads on a condition turns up as it is worked out."""
        found = None if cell in self.given else self._equation(cell)
        if found is None or isinstance(found[0].expression, Table | Numbers):
            return
        equation, _, binding = found
        expression = rewrite(equation.expression, _surely_read)
        for each in cells_in(self.model.subscripts, expression, binding):
            if each.key in self.model.elements or each.key == "time":
                yield _at_start(each)

    def _equation(self, cell: Cell) -> tuple[Equation, int, Binding] | None:
        """The equation of a cell, the place of the cell in it, and what its ranges stand for there."""
        element = self.model.elements.get(cell.key)
        if element is not None and cell.key not in self.cells:
            self.cells[cell.key] = {
                labels: (equation, index, binding)
                for equation in element.equations
                for index, (labels, binding) in enumerate(bindings(self.model.subscripts, equation))
            }
        return self.cells.get(cell.key, {}).get(cell.labels)

    def _work_out(self, cell: Cell) -> float | Table:
        found = self._equation(cell)
        if found is None:
            return math.nan
        equation, index, binding = found
        expression = equation.expression
        if isinstance(expression, Table):
            return expression
        if isinstance(expression, Numbers):
            return expression.at(index)
        return evaluate(self.model.subscripts, expression, binding, self._get)


class _UnknownError(Exception):
    """A cell whose value is asked for before it is known."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self.cell = cell


def _at_start(cell: Cell) -> Cell:
    """The cell that stands for another at the start: Time is INITIAL TIME then."""
    return Cell("initial_time") if cell.key == "time" else cell


def _surely_read(part: Expr) -> Expr | None:
    """What stands for a call when only what it reads whatever happens is asked for."""
    if not isinstance(part, VensimFunction):
        return None
    return (
        part.args[0]
        if part.name == "IF THEN ELSE"
        else part.args[_AT_START[part.name]]
        if part.name in _AT_START
        else None
    )
