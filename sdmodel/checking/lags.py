"""Time constants too short for the TIME STEP."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sympy import Expr, Indexed, Mul, Pow, S, Symbol

from ..model import Cell, Element, Equation, VensimFunction, key, references, referred, walk
from .findings import Finding
from .subject import Subject

_STAGES: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("SMOOTH", "SMOOTHI", "DELAY1", "DELAY1I", "TREND", "FORECAST"), 1),
        **dict.fromkeys(("SMOOTH3", "SMOOTH3I", "DELAY3", "DELAY3I"), 3),
    }
)
"""Into how many stages a function parts its delay time, its second argument."""
_FEWEST = 2.0
"""A stage takes at least so many steps: Euler's method oscillates below two (Sterman 2000, appendix A)."""


def find_short(subject: Subject) -> Iterator[Finding]:
    """Delays and drains of stocks whose time constant is shorter than two steps for each stage."""
    step = subject.time_step
    if not math.isfinite(step) or step <= 0:
        return
    for element, equation, expression in subject.equations:
        for time, stages in [*_delays(expression), *_drains(subject, expression)]:
            value = _shortest(subject, time)
            if value / stages < _FEWEST * step * (1 - 1e-9):
                yield _finding(subject, element, equation, (time, value, stages), step)


def _finding(
    subject: Subject, element: Element, equation: Equation, lag: tuple[Expr, float, int], step: float
) -> Finding:
    time, value, stages = lag
    name = "its delay time" if time.is_Number else f"'{subject.model.elements[referred(time)[0]].name}'"
    parts = f" for {stages} stages" if stages > 1 else ""
    cure = (
        f"take a TIME STEP of {value / stages / 4:.3g} or less, or a longer delay"
        if value > 0
        else "it must be above 0"
    )
    what = f"in '{element.name}', {name} is {value:g}{parts}, less than {_FEWEST:g} steps of {step:g} a stage; {cure}"
    return Finding("warning", "time-constant", equation.place, element.name, what, {"value": value, "time step": step})


def _delays(expression: Expr) -> Iterator[tuple[Expr, int]]:
    """The delay times of functions with hidden stocks, and in how many stages each is parted."""
    for part in walk(expression):
        if isinstance(part, VensimFunction) and part.name in _STAGES:
            yield part.args[1], _STAGES[part.name]


def _drains(subject: Subject, expression: Expr) -> Iterator[tuple[Expr, int]]:
    """The constants, in the model's unit of time, by which something made of a stock is divided."""
    for part in walk(expression):
        if not isinstance(part, Mul):
            continue
        divisors = [each.base for each in part.args if isinstance(each, Pow) and each.exp is S.NegativeOne]
        rest = [each for each in part.args if not (isinstance(each, Pow) and each.exp is S.NegativeOne)]
        if any(_is_stock(subject, name) for each in rest for name in references(each)):
            yield from ((divisor, 1) for divisor in divisors if _is_time(subject, divisor))


def _is_stock(subject: Subject, name: Expr) -> bool:
    element = subject.model.elements.get(referred(name)[0])
    return element is not None and element.kind == "stock"


def _is_time(subject: Subject, divisor: Expr) -> bool:
    """Whether a divisor is a constant in the unit of TIME STEP."""
    if not isinstance(divisor, Symbol | Indexed):
        return False
    name = referred(divisor)[0]
    if name not in subject.keys:  # TIME STEP itself divides where a stock may be emptied at once
        return False
    units, clock = subject.model.elements[name].units, subject.model["TIME STEP"].units
    return bool(units) and _singular(units) == _singular(clock)


def _singular(units: str) -> str:
    return key(units).removesuffix("s")


def _shortest(subject: Subject, time: Expr) -> float:
    """The smallest value of a number or of a constant, infinity for what changes."""
    if time.is_Number:
        return float(time)
    if not isinstance(time, Symbol | Indexed):
        return math.inf
    name, labels = referred(time)
    constants = subject.plan.constants
    exactly = constants.get(Cell(name, labels))
    own = [value for cell, value in constants.items() if cell.key == name] if exactly is None else [exactly]
    return min(own, default=math.inf)
