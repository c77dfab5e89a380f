"""The experiment of a sensitivity analysis: factors that vary, responses that are measured, and the runs between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..comparison import Outcome
from ..errors import AnalysisError, Fault, ScenarioError
from ..model import Cell, Element, Integrator, Model, cell_name, key, labels_of, nearest, plan
from ..scenario import Distribution, Sampling, Scenario, Steps, constant_values, sampled_cells, split_name
from ..simulation import PreparedSimulation, Progress, ScenarioLike, prepare_simulation

_ON = "--on"
_TAIL = 0.05
"""Share of a distribution beyond each end, unless it is uniform and ends there."""
_BYTES = 2**26
"""Memory for the results of members that are computed together."""
_LEAST, _MOST = 256, 16_384
"""Number of members that are computed together: enough for all processors, few enough to show progress."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A constant, or one cell of it, with the value that it has in the model and the law that it varies by, in its units."""

    name: str
    cell: Cell
    units: str
    value: float
    law: Distribution | Steps

    def quantile(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values below which those shares of the distribution lie; steps are equally likely."""
        if isinstance(self.law, Distribution):
            return self.law.quantile(shares)
        places = np.floor(np.asarray(shares) * self.law.count).astype(int)
        return self.law.values[np.minimum(places, self.law.count - 1)]

    def between(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at shares from 0 to 1 of the way from the low end to the high end, by probability.

        The ends are the bounds of a uniform distribution and of steps, otherwise the 5 % and 95 % quantiles.
        """
        even = isinstance(self.law, Steps) or self.law.name == "RANDOM_UNIFORM"
        return self.quantile(shares if even else _TAIL + (1 - 2 * _TAIL) * np.asarray(shares))

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest possible value."""
        if isinstance(self.law, Distribution):
            return self.law.minimum, self.law.maximum
        return float(self.law.values[0]), float(self.law.values[-1])

    @property
    def ends(self) -> tuple[float, float]:
        """The low end and the high end."""
        low, high = self.between(np.array([0.0, 1.0]))
        return float(low), float(high)


def factors_of(model: Model, sampling: Sampling, scenario: Scenario) -> tuple[Factor, ...]:
    """Return the constants that a sensitivity file varies, cell by cell, with their values under a scenario.

    Raises
    ------
    AnalysisError
        If the constants come from a file of samples, which has no distributions.
    ScenarioError
        If a line does not suit the model, or there is none; every such line is listed.
    """
    if sampling.method == "file":
        where = sampling.path or "sampling"
        message = (
            f"{where}: a file of samples has no distributions; write a line such as "
            "'constant = RANDOM_UNIFORM(min,max)' for each constant, and another method"
        )
        raise AnalysisError(message)
    known = dict(plan(model).constants) | constant_values(model, scenario)
    factors = []
    for column in sampled_cells(model, sampling):
        if column.distribution is None:  # only columns of a file of samples have none
            message = "a column has no distribution"
            raise TypeError(message)
        units, value = model.elements[column.cell.key].units, float(known[column.cell])
        factors.append(Factor(cell_name(model, column.cell), column.cell, units, value, column.distribution))
    return tuple(factors)


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of one cell: `variable` is its name in the model, `units` are those of the outcome."""

    cell: Cell
    outcome: Outcome
    variable: str
    units: str

    def __str__(self) -> str:
        """The variable with its date or statistic."""
        between = " " if self.outcome.at is not None else ", "
        return f"{self.variable}{between}{self.outcome}"


def responses_of(model: Model, names: Iterable[str], outcomes: Sequence[Outcome]) -> tuple[Response, ...]:
    """Return every outcome of every named variable (`name` or `name[label]`), without repetitions.

    Raises
    ------
    AnalysisError
        If there is no name or no outcome.
    ScenarioError
        If a name is not a variable of the model, or means several numbers at a time; every such name is listed.
    """
    cells: list[Cell] = []
    faults: list[Fault] = []
    for name in names:
        found = _response_cell(model, name)
        if isinstance(found, Cell):
            cells.append(found)
        else:
            faults.append(Fault(_ON, found))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    if not cells or not outcomes:
        message = f'no outcome is requested; name a variable with {_ON} "name", and a date or a statistic'
        raise AnalysisError(message)
    time_units = model["INITIAL TIME"].units if "INITIAL TIME" in model else ""
    return tuple(
        Response(cell, outcome, cell_name(model, cell), outcome.units(model.elements[cell.key].units, time_units))
        for cell in dict.fromkeys(cells)
        for outcome in dict.fromkeys(outcomes)
    )


def _response_cell(model: Model, text: str) -> Cell | str:
    """Return the cell that a name means, or what is wrong with the name."""
    name, subscripts = split_name(text) if key(text) not in model.elements else (text, ())
    element = model.elements.get(key(name))
    if element is None or element.hidden:
        names = [known.name for known in model if not known.hidden and known.kind not in ("lookup", "constant")]
        close = nearest(name, names)
        return f"'{name}' is not in the model; " + (f"did you mean '{close}'?" if close else "name a variable of it")
    if element.kind in ("constant", "lookup"):
        return f"'{element.name}' is a {element.kind}, which does not vary; name a variable that depends on constants"
    known = [labels_of(model.subscripts, dimension) for dimension in element.dimensions]
    labels = tuple(map(key, subscripts))
    if len(labels) == len(known) and all(label in axis for label, axis in zip(labels, known, strict=True)):
        cell = Cell(element.key, labels)
        defined = any(cell == step.cell for step in (*plan(model).start, *plan(model).step))
        return cell if defined else f"'{cell_name(model, cell)}' has no equation; name a label that has one"
    return _wrong_labels(model, element, known, labels)


def _wrong_labels(model: Model, element: Element, known: Sequence[tuple[str, ...]], labels: tuple[str, ...]) -> str:
    if not known:
        return f"'{element.name}' has no subscripts; write its name alone"
    if len(labels) != len(known):
        example = cell_name(model, Cell(element.key, tuple(axis[0] for axis in known)))
        count = math.prod(map(len, known))
        return f"'{element.name}' is {count} numbers at a time; name one of them, such as '{example}'"
    wrong, axis = next((label, axis) for label, axis in zip(labels, known, strict=True) if label not in axis)
    close = nearest(wrong, axis)
    cure = f"did you mean '{close}'?" if close else f"it has {', '.join(axis)}"
    return f"'{element.name}' has no label '{wrong}'; {cure}"


@dataclass(frozen=True, eq=False)
class Experiment:
    """Factors, responses, and the simulation between them; `rows` locates each response among the simulation's results."""

    factors: tuple[Factor, ...]
    responses: tuple[Response, ...]
    simulation: PreparedSimulation
    rows: tuple[int, ...]

    @property
    def base(self) -> NDArray[np.float64]:
        """The factors' values in the model, shape (factors,), in the units of each."""
        return np.array([factor.value for factor in self.factors])

    def run(
        self, points: NDArray[np.float64], *, progress: Progress | None = None, together: int | None = None
    ) -> NDArray[np.float64]:
        """Return the outcomes, shape (members, responses), for factors of shape (members, factors), each in its units.

        They do not depend on how many members are computed `together`. Values that are not finite become NaN. `progress` is
        also called before the first member.
        """
        times = self.simulation.times
        member_bytes = 8 * len(times) * (1 + max(self.rows))
        size = together or int(np.clip(_BYTES // member_bytes, _LEAST, _MOST))
        answers = np.empty((len(points), len(self.responses)))
        if progress:
            progress(0, len(points))
        for first in range(0, len(points), size):
            part = slice(first, first + size)
            values = self.simulation.values(points[part])
            with np.errstate(all="ignore"):
                for place, (response, row) in enumerate(zip(self.responses, self.rows, strict=True)):
                    answers[part, place] = response.outcome.of(times, values[:, row])
            if progress:
                progress(min(first + size, len(points)), len(points))
        answers[~np.isfinite(answers)] = np.nan
        return answers


def make_experiment(
    model: Model,
    factors: Sequence[Factor],
    responses: Sequence[Response],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
) -> Experiment:
    """Prepare the simulation; where all responses are at dates, it ends at the last of them."""
    kept = list(dict.fromkeys(response.cell for response in responses))
    dates = [response.outcome.at for response in responses]
    ranges = {  # the model's own value need not lie within the bounds
        factor.cell: (min(factor.bounds[0], factor.value), max(factor.bounds[1], factor.value)) for factor in factors
    }
    simulation = prepare_simulation(
        model,
        ranges,
        kept,
        scenario=scenario,
        integrator=integrator,
        until=max(np.inf if date is None else date for date in dates),
    )
    rows = tuple(kept.index(response.cell) for response in responses)
    return Experiment(tuple(factors), tuple(responses), simulation, rows)
