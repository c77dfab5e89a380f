"""What a formula is worth over time: its discounted integral, for many runs at once."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..dataset import TIME
from ..errors import AnalysisError, Fault, ScenarioError
from ..model import Cell, Model, evaluate_arrays, formula_units, join_name, references_in, split_reference
from ..scenario import Scenario, cell_values
from ..simulation import RunWarning
from ..vensim import read_formula
from .sensitivity import single_cell

_POLICY_START = ("policy_start_date", "policy_start", "policy_start_time")
"""Keys of constants from which on levers act, where a model has one."""
_POINTS = 8
"""Points of Gauss's rule between two saved times: far more than the discount factor needs."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Worth:
    """A formula over cells of a model, the units of its integral over time, and how that integral is discounted.

    `weights` are those of the saved times of a run, shape (times,).
    """

    text: str
    formula: Expr
    cells: Mapping[tuple[str, tuple[str, ...]], Cell]
    units: str
    rate: float
    since: float
    until: float
    weights: Numbers = field(default_factory=lambda: np.empty(0))

    def of(self, times: Numbers, values: Numbers, rows: Mapping[Cell, int]) -> Numbers:
        """Compute the discounted integral, shape (runs,), of values of shape (times, cells, runs)."""
        used = np.flatnonzero(self.weights)  # elsewhere the formula need not be finite

        def read(name: str, labels: tuple[str, ...]) -> Numbers:
            cell = self.cells.get((name, labels))
            return times[used, None] if cell is None else values[used, rows[cell]]

        course = np.broadcast_to(evaluate_arrays(self.formula, read), (len(used), values.shape[2]))
        amounts = np.ascontiguousarray((self.weights[used, None] * course).T)
        return np.asarray(amounts.sum(axis=1))  # along each row, so that no sum depends on how many runs there are


def read_worth(
    model: Model, text: str, rate: float, since: float | None, until: float | None, scenario: Scenario
) -> Worth:
    """Read a formula over a model's variables, and check its names, its units, and the rate."""
    if not (math.isfinite(rate) and rate > -1):
        message = f"rate: {rate:g} is not a discount rate; give a share per unit of time, such as 0.1"
        raise AnalysisError(message)
    formula = read_formula(text, "--value")
    cells: dict[tuple[str, tuple[str, ...]], Cell] = {}
    faults: list[Fault] = []
    for name, labels in dict.fromkeys(map(split_reference, references_in(formula))):
        if name == TIME:
            continue
        found = single_cell(model, join_name(name, labels).replace("_", " "), constants=True)
        if isinstance(found, Cell):
            cells[name, labels] = found
        else:
            faults.append(Fault("--value", found))
    if not cells and not faults:
        faults.append(Fault("--value", f"'{text:.40}' names no variable; write a formula over at least one"))
    if faults:
        raise ScenarioError(faults)
    units, mismatches = formula_units(model, formula, over_time=True)
    for mismatch in mismatches:
        warnings.warn(f"--value: {mismatch}", RunWarning, stacklevel=3)
    units = "" if mismatches or "?" in units else units
    start = _policy_start(model, scenario) if since is None else since
    return Worth(" ".join(text.split()), formula, cells, units, rate, start, math.inf if until is None else until)


def _policy_start(model: Model, scenario: Scenario) -> float:
    """The time from which on levers act, by the name of a constant; minus infinity where none has such a name."""
    found = (model.elements[name] for name in _POLICY_START if name in model.elements)
    constants = (element for element in found if element.kind == "constant" and not element.dimensions)
    cell = next((Cell(element.key) for element in constants), None)
    return -math.inf if cell is None else cell_values(model, [cell], scenario)[cell]


def discount_weights(times: Numbers, since: float, until: float, rate: float) -> Numbers:
    """Return the weights of values at some times in their discounted integral, shape (times,), in the units of time.

    The integral goes from `since` to `until`; a unit of time after `since` a value counts 1/(1 + rate) as much. It is exact
    for values that change linearly between the times.
    """
    inside = times[(times > since) & (times < until)]
    knots = np.concatenate([[since], inside, [until]])
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    half = np.diff(knots)[:, None] / 2
    at = (knots[:-1, None] + half + half * nodes).ravel()
    amounts = (half * weights).ravel() * (1 + rate) ** -(at - since)
    before = np.clip(np.searchsorted(times, at, side="right") - 1, 0, max(len(times) - 2, 0))
    share = (at - times[before]) / (times[before + 1] - times[before])
    total = np.zeros(len(times))
    np.add.at(total, before, amounts * (1 - share))
    np.add.at(total, before + 1, amounts * share)
    return total


def within_run(worth: Worth, times: Numbers) -> Worth:
    """Return the value with its times in place of infinite ones."""
    first, last = float(times[0]), float(times[-1])
    since = first if worth.since == -math.inf else worth.since
    until = last if worth.until == math.inf else worth.until
    if not first <= since < until <= last:
        message = f"the value: is counted from {since:.10g} to {until:.10g}, but the run goes from {first:.10g} to {last:.10g}"
        message += "; give two dates within it, the earlier first"
        raise AnalysisError(message)
    return replace(worth, since=since, until=until, weights=discount_weights(times, since, until, worth.rate))
