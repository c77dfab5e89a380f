"""Levers: the constants that a model offers for change, the values they take in a sweep, and subsets of them moved together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..errors import Fault, ScenarioError
from ..extras import LazyModule
from ..model import RUN_SETTING_KEYS, Element, Model, Range, key, numbers_of, takes_model
from .changes import constant_cells

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

_GROUPS = {"policy_levers": "policy lever", "uncertainties": "uncertainty", "switches": "switch"}
_DEFAULT_COUNT, _MAX_COUNT = 11, 10_000
"""The number of values where neither the user nor the model gives one, and the largest number allowed."""
_ROUNDING = 1e-9

Subsets: TypeAlias = "NDArray[np.bool_]"


@dataclass(frozen=True)
class Lever:
    """A constant that a user may change: its present values, range, units, and the model's comment on it, sources included."""

    name: str
    kind: str
    values: tuple[float, ...]
    minimum: float | None
    maximum: float | None
    step: float | None
    units: str
    meaning: str


@takes_model
def find_levers(model: Model, *, every: bool = False) -> tuple[Lever, ...]:
    """List the constants that a model offers for change: its policy levers, uncertainties and switches.

    These are the constants in the model's groups "Policy levers", "Uncertainties" and "Switches". For a model without
    such groups they are all constants that have a range, and without ranges all constants.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    every : bool, optional
        List all constants but the time settings, in the order of the file.

    Returns
    -------
    tuple of Lever
        One `Lever` per constant, group by group in the order of the file. Its attributes are `name`; `kind` ("policy lever",
        "uncertainty", "switch" or "constant"); `values`, one number per cell; `minimum`, `maximum` and `step` of the range,
        None where the model has none; `units`; and `meaning`, the model's comment.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import model_text
    >>> from sdmodel.vensim import model_from_text
    >>> equations = "Tax Rate = 0.2 ~ Dmnl [0,0.5,0.05] ~ Share of income. | Income = 100 ~ Dollar ~ |"
    >>> model = model_from_text(model_text(equations), "tax.mdl")
    >>> for lever in sd.find_levers(model):
    ...     print(lever.name, lever.values, lever.minimum, lever.maximum, lever.step, lever.meaning)
    Tax Rate (0.2,) 0.0 0.5 0.05 Share of income.
    """
    constants = [one for one in model if one.kind == "constant" and not one.fixed and not one.hidden]
    grouped = [one for group in _GROUPS for one in constants if key(one.group) == group]
    others = [one for one in constants if one.key not in RUN_SETTING_KEYS]
    ranged = [one for one in others if one.range is not None]
    return tuple(map(lever_of, others if every else grouped or ranged or others))


def lever_of(constant: Element) -> Lever:
    """Return what a model says about one of its constants, whether or not the model offers it for change."""
    own, meaning = constant.range or Range(), " ".join(constant.comment.split())
    values = tuple(value for equation in constant.equations for value in numbers_of(equation.expression).values)
    kind = _GROUPS.get(key(constant.group), "constant")
    return Lever(constant.name, kind, values, own.minimum, own.maximum, own.step, constant.units, meaning)


def is_policy_lever(element: Element) -> bool:
    """Return whether an element is a constant that policy can change, so that its value is a choice and not chance."""
    return element.kind == "constant" and _GROUPS.get(key(element.group)) == "policy lever"


def range_violation(element: Element, low: float, high: float) -> tuple[float, str] | None:
    """Compare the smallest and largest value of a constant with its range in the model.

    Returns the first value outside the range and a text such as "above 1", or None if both lie inside.
    """
    bounds = element.range or Range()
    if bounds.minimum is not None and low < bounds.minimum:
        return low, f"below {bounds.minimum:g}"
    if bounds.maximum is not None and high > bounds.maximum:
        return high, f"above {bounds.maximum:g}"
    return None


@dataclass(frozen=True, slots=True)
class Grid:
    """The requested values of one lever, in its own units: a list, or `count` values from `low` to `high`.

    The values are equally spaced, or spaced by equal factors if `logarithmic`. Without a count they follow the step of the
    model's range; without bounds they cover that range. Errors name `where`.
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
    """Return the values that a lever takes in a sweep, in its own units, rounded to 12 digits where they are computed.

    Raises ScenarioError if the lever is not a constant of the model, its bounds are reversed, or the number of values is
    below 2 or too large.
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
    wrong = _grid_fault(grid, low, high)
    if wrong:
        raise ScenarioError([Fault(grid.where, f"'{element.name}' {wrong}")])
    values = _spaced(grid, low, high, declared.step)
    if not 1 < len(values) <= _MAX_COUNT:
        what = f"'{element.name}' takes {len(values):,} values; give a count from 2 to {_MAX_COUNT:,}, as in '{low:g}:{high:g}:11'"
        raise ScenarioError([Fault(grid.where, what)])
    return tuple(float(f"{value:.12g}") for value in values)


def _grid_fault(grid: Grid, low: float, high: float) -> str:
    """What is wrong with bounds and a count, or an empty text."""
    if low > high:
        return f"goes from {low:g} to {high:g}; write the smaller bound first: {high:g}:{low:g}"
    if low == high:
        return f"begins and ends at {low:g}; write two bounds, or '={low:g}' for this value alone"
    if grid.logarithmic and low <= 0:
        return f"begins at {low:g}, which no factor takes to {high:g}; begin above 0, or leave out 'log'"
    if grid.count is not None and not 1 < grid.count <= _MAX_COUNT:
        return f"takes {grid.count:,} values between bounds; give a count from 2 to {_MAX_COUNT:,}"
    return ""


def _spaced(grid: Grid, low: float, high: float, step: float | None) -> list[float] | range:
    """The values between two bounds, both included: equally spaced, by equal factors, or by the step of a range."""
    if grid.logarithmic:
        return [float(value) for value in np.geomspace(low, high, grid.count or _DEFAULT_COUNT)]
    if grid.count is not None or not step or step <= 0:
        return [float(value) for value in np.linspace(low, high, grid.count or _DEFAULT_COUNT)]
    whole = math.floor((high - low) / step * (1 + _ROUNDING))
    if whole > _MAX_COUNT:
        return range(whole + 1)
    values = [low + place * step for place in range(whole + 1)]
    return values if math.isclose(values[-1], high, rel_tol=_ROUNDING) else [*values, high]


def all_subsets(count: int) -> Subsets:
    """Return all subsets of some levers, shape (2^levers, levers): subset k moves lever i where bit i of k is set."""
    codes = np.arange(1 << count)[:, None]
    return (codes >> np.arange(count) & 1).astype(bool)


def antithetic_orders(count: int, pairs: int, seed: int) -> NDArray[np.intp]:
    """Return random orders of some levers, each with its reverse, shape (pairs, 2, levers).

    Each pair has its own random stream, so it does not depend on the number of pairs. Where levers reinforce or weaken each
    other, an order and its reverse err in opposite directions about a lever, and their mean errs less.
    """
    orders = np.array([np.random.default_rng([seed, pair]).permutation(count) for pair in range(pairs)], dtype=np.intp)
    orders = orders.reshape(pairs, count)
    return np.stack([orders, orders[:, ::-1]], axis=1)


def nested_subsets(order: NDArray[np.intp]) -> Subsets:
    """Return the subsets that arise when levers are moved in an order, shape (levers + 1, levers): from none to all."""
    return np.arange(len(order) + 1)[:, None] > np.argsort(order)
