"""Grids: the values that a lever takes in a sweep, as they are asked for and as the model's range fills them in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import Fault, ScenarioError
from ..model import Model, Range
from .application import constant_cells

_USUAL, _MOST = 11, 10_000
"""So many values where neither the user nor the model says how many; so many at most."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that are asked for of one lever, in its own units: listed, or so many from `low` to `high`.

    They lie evenly, or by equal factors if `logarithmic`. Without a count they take the steps of the model's range; without
    bounds they fill that range. `where` is what a fault names.
    """

    name: str
    subscripts: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    count: int | None = None
    logarithmic: bool = False
    where: str = "lever"


def grid_values(model: Model, grid: Grid) -> tuple[float, ...]:
    """The values that a lever takes, in its own units, short to write where they come from steps.

    Raises
    ------
    ScenarioError
        If it is not a constant of the model, its bounds are reversed, or there are no or too many values.
    """
    cells = constant_cells(model, grid.name, grid.subscripts, where=grid.where)
    if grid.values:
        return grid.values
    element = model.elements[cells[0].key]
    declared = element.range or Range()
    low, high = (declared.minimum, declared.maximum) if grid.low is None else (grid.low, grid.high)
    if low is None or high is None:
        what = f"'{element.name}' has no range in the model; write its bounds, as in '{element.name}=0:1:11'"
        raise ScenarioError([Fault(grid.where, what)])
    wrong = _wrong_with(grid, low, high)
    if wrong:
        raise ScenarioError([Fault(grid.where, f"'{element.name}' {wrong}")])
    values = _stepped(grid, low, high, declared.step)
    if not 1 < len(values) <= _MOST:
        what = f"'{element.name}' takes {len(values):,} values; give a count from 2 to {_MOST:,}, as in '{low:g}:{high:g}:11'"
        raise ScenarioError([Fault(grid.where, what)])
    return tuple(float(f"{each:.12g}") for each in values)


def _wrong_with(grid: Grid, low: float, high: float) -> str:
    """What is wrong with bounds and a count, or nothing."""
    if low > high:
        return f"goes from {low:g} to {high:g}; write the smaller bound first: {high:g}:{low:g}"
    if low == high:
        return f"begins and ends at {low:g}; write two bounds, or '={low:g}' for this value alone"
    if grid.logarithmic and low <= 0:
        return f"begins at {low:g}, from where no factor leads to {high:g}; begin above 0, or leave out 'log'"
    if grid.count is not None and not 1 < grid.count <= _MOST:
        return f"takes {grid.count:,} values between bounds; give a count from 2 to {_MOST:,}"
    return ""


def _stepped(grid: Grid, low: float, high: float, step: float | None) -> list[float] | range:
    """The values from a bound to the other, both among them, evenly, by equal factors, or by the steps of a range."""
    if grid.logarithmic:
        return [float(each) for each in np.geomspace(low, high, grid.count or _USUAL)]
    if grid.count is not None or not step or step <= 0:
        return [float(each) for each in np.linspace(low, high, grid.count or _USUAL)]
    whole = math.floor((high - low) / step * (1 + _ROUNDING))
    if whole > _MOST:
        return range(whole + 1)
    values = [low + place * step for place in range(whole + 1)]
    return values if math.isclose(values[-1], high, rel_tol=_ROUNDING) else [*values, high]
