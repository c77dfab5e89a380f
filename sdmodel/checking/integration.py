"""Rules about integration: the errors of TIME STEP and of the method, and delays that are too short for TIME STEP."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Expr, Indexed, Mul, Pow, S, Symbol

from ..model import Cell, VensimFunction, cell_name, key, references_in, split_reference, walk
from .checked_model import CheckedModel, run_quietly
from .findings import Finding, Level

_TOLERATED = 0.01
"""The largest harmless difference, relative to a stock's largest size."""
_STAGES = {
    **dict.fromkeys(("SMOOTH", "SMOOTHI", "DELAY1", "DELAY1I", "TREND", "FORECAST"), 1),
    **dict.fromkeys(("SMOOTH3", "SMOOTH3I", "DELAY3", "DELAY3I"), 3),
}
"""The number of stages into which a function splits its delay time, its second argument."""
_ORDERED = frozenset({"DELAY N", "SMOOTH N"})
"""The functions whose fourth argument is their number of stages; a run lowers it, and says so, to fit the first delay time."""
_FEWEST_STEPS = 2.0
"""Minimum number of steps per stage: Euler's method oscillates below two (Sterman 2000, appendix A)."""


def find_step_error(checked: CheckedModel) -> Iterator[Finding]:
    """Find stocks that move by more than 1 % when TIME STEP is halved, with the model's own method.

    A model that draws random numbers draws others, and twice as many, with half the TIME STEP: its stocks move anyway.
    """
    if checked.model.draws or not _can_vary(checked):
        return
    step = checked.time_step
    halved = run_quietly(checked.model, {"TIME STEP": step / 2, **checked.every_step})
    delays = (
        own for own in checked.plan.delays if str(own.expression.args[1]) != key("TIME STEP")
    )  # others last a step
    cells = (delay.cell for delay in delays)
    names = list(dict.fromkeys(cell_name(checked.plan.model, cell) for cell in cells))
    rounded = f"; DELAY FIXED in {', '.join(map(repr, names[:3]))} is cut to whole steps" if names else ""
    cure = f"halve TIME STEP until it no longer matters{rounded}"
    yield from _compare(checked, halved, "warning", "time-step", f"with half the TIME STEP of {step:g}", cure)


def find_method_error(checked: CheckedModel) -> Iterator[Finding]:
    """Find stocks that move by more than 1 % between Euler's method and fourth-order Runge-Kutta."""
    if not _can_vary(checked):
        return
    step = f"{checked.time_step:g}"
    if checked.model.integrator in ("euler", "diff"):
        other = run_quietly(checked.model, checked.every_step, integrator="rk4")
        cure = "shorten TIME STEP, or set the model to RK4"
        yield from _compare(checked, other, "warning", "method", f"by Runge-Kutta at TIME STEP {step}", cure)
    else:
        other = run_quietly(checked.model, checked.every_step, integrator="euler")
        cure = "keep Runge-Kutta, or shorten TIME STEP"
        yield from _compare(checked, other, "advice", "method", f"by Euler's method at TIME STEP {step}", cure)


def _can_vary(checked: CheckedModel) -> bool:
    """Whether TIME STEP is a number that can be set, and the run of the unchanged model is finite."""
    setting = checked.model["TIME STEP"]
    finite = "not_finite" not in checked.base_run.attrs
    return finite and setting.kind == "constant" and not setting.fixed and math.isfinite(checked.time_step)


def _compare(
    checked: CheckedModel, other: xr.Dataset, level: Level, rule: str, change: str, cure: str
) -> Iterator[Finding]:
    """Report the stock that another run moves most, at the times that both runs have, if that is too much."""
    times = checked.base_run["time"].values
    _, ours, theirs = np.intersect1d(np.round(times, 9), np.round(other["time"].values, 9), return_indices=True)
    stocks = [element for element in checked.elements if element.kind == "stock"]
    found: list[tuple[float, str, float]] = []
    for stock in stocks:
        one, two = checked.values(checked.base_run, stock.key)[ours], checked.values(other, stock.key)[theirs]
        sizes = _relative(one, two).reshape(len(one), -1)
        at, index = np.unravel_index(int(sizes.argmax()), sizes.shape)
        if sizes[at, index] > _TOLERATED:
            labels = [*product(*(checked.model.subscripts[name].keys for name in stock.dimensions))][index]
            name = cell_name(checked.model, Cell(stock.key, labels))
            found.append((float(sizes[at, index]), name, float(times[ours[at]])))
    if found:
        size, name, time = max(found, key=lambda difference: difference[0])
        others = f" ({len(found)} of {len(stocks)} stocks move by more than 1 %)" if len(stocks) > 1 else ""
        moves = f"moves by {100 * size:.3g} % of its peak" if math.isfinite(size) else "is not finite"
        text = f"{change} '{name}' {moves} at {time:g}{others}; {cure}"
        numbers = {"difference": size, "time": time, "stocks": float(len(found))}
        yield Finding(level, rule, checked.model["TIME STEP"].place, name, text, numbers)


def _relative(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the difference relative to the largest size of the second run; infinity if only that one is not finite."""
    finite = np.isfinite(one) & np.isfinite(two)
    peak = float(np.abs(two[np.isfinite(two)]).max(initial=0.0))
    difference = np.abs(np.subtract(one, two, where=finite, out=np.zeros_like(one)))
    return np.where(np.isfinite(one) & ~finite, np.inf, difference / peak if peak else difference)


def find_short_delays(checked: CheckedModel) -> Iterator[Finding]:
    """Find delays and drains of stocks whose time constant is shorter than two steps per stage."""
    step = checked.time_step
    if not math.isfinite(step) or step <= 0:
        return
    for element, equation, expression in checked.equations:
        calls = [part for part in walk(expression) if isinstance(part, VensimFunction)]
        delays = [(call.args[1], _STAGES[call.name]) for call in calls if call.name in _STAGES]
        ordered = [call for call in calls if call.name in _ORDERED and call.args[3].is_Number]
        constant = [*delays, *_drains(checked, expression)]
        varying = [*delays, *((call.args[1], int(call.args[3])) for call in ordered)]
        shortest = [(time, stages, _shortest(checked, time)) for time, stages in constant]
        shortest += [(time, stages, _shortest_in_run(checked, time)) for time, stages in varying]
        for time, stages, value in shortest:
            if value / stages >= _FEWEST_STEPS * step * (1 - 1e-9):
                continue
            name = "its delay time" if time.is_Number else f"'{checked.model.elements[split_reference(time)[0]].name}'"
            parts = f" for {stages} stages" if stages > 1 else ""
            cure = f"take a TIME STEP of {value / stages / 4:.3g} or less, or a longer delay"
            cure = cure if value > 0 else "it must be above 0"
            what = f"in '{element.name}', {name} is {value:g}{parts}, less than {_FEWEST_STEPS:g} steps of {step:g} per stage"
            numbers = {"value": value, "time step": step}
            yield Finding("warning", "time-constant", equation.place, element.name, f"{what}; {cure}", numbers)


def _drains(checked: CheckedModel, expression: Expr) -> Iterator[tuple[Expr, int]]:
    """Yield the constants, in the model's unit of time, by which a product with a stock is divided."""
    elements = checked.model.elements
    for part in (part for part in walk(expression) if isinstance(part, Mul)):
        divisors = [factor.base for factor in part.args if isinstance(factor, Pow) and factor.exp is S.NegativeOne]
        rest = [factor for factor in part.args if not (isinstance(factor, Pow) and factor.exp is S.NegativeOne)]
        names = (split_reference(name)[0] for factor in rest for name in references_in(factor))
        if any(name in elements and elements[name].kind == "stock" for name in names):
            yield from ((divisor, 1) for divisor in divisors if _is_time(checked, divisor))


def _is_time(checked: CheckedModel, divisor: Expr) -> bool:
    """Whether a divisor is a constant in the unit of TIME STEP."""
    if not isinstance(divisor, Symbol | Indexed):
        return False
    name = split_reference(divisor)[0]
    if name not in checked.keys:  # TIME STEP itself is a divisor where a stock may be emptied in one step
        return False
    units, unit_of_time = checked.model.elements[name].units, checked.model["TIME STEP"].units
    return bool(units) and key(units).removesuffix("s") == key(unit_of_time).removesuffix("s")


def _shortest(checked: CheckedModel, time: Expr) -> float:
    """Return the smallest value of a number or a constant, or infinity for what is computed."""
    if time.is_Number:
        return float(time)
    if not isinstance(time, Symbol | Indexed):
        return math.inf
    name, labels = split_reference(time)
    constants = checked.plan.constants
    exact = constants.get(Cell(name, labels))
    own = [value for cell, value in constants.items() if cell.key == name] if exact is None else [exact]
    return min(own, default=math.inf)


def _shortest_in_run(checked: CheckedModel, time: Expr) -> float:
    """Return the smallest finite value of a computed variable in the base run, or infinity for anything else."""
    name = split_reference(time)[0] if isinstance(time, Symbol | Indexed) else ""
    if name not in checked.keys or any(cell.key == name for cell in checked.plan.constants):
        return math.inf
    values = checked.values(checked.base_run, name)
    return float(values[np.isfinite(values)].min(initial=math.inf))
