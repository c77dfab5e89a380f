"""Free constants of a calibration: their bounds, where they start, and their prior distributions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError, Fault, Place, ScenarioError
from ..model import Cell, Model, cell_name, key, plan, references_in, split_reference
from ..scenario import Distribution, FreeConstant, Sampling, Scenario, constant_cells, constant_values
from ..vensim import read_bounds

_DEFAULT_GROUP = "Uncertainties"
"""The group of a model whose constants are free unless the user names others."""

_OPTION = "--free"
_LOGARITHMIC = 100.0
"""Positive bounds with at least this ratio are searched on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class Equality:
    """A constant that has the value of a free one in every member."""

    cell: Cell
    source: Cell


@dataclass(frozen=True, slots=True)
class Parameter:
    """A constant that may vary between `low` and `high` from `initial`, all in its own units; no prior means uniform."""

    name: str
    cell: Cell
    units: str
    low: float
    high: float
    initial: float
    prior: Distribution | None = None

    @property
    def logarithmic(self) -> bool:
        """Whether a search uses the logarithm of the constant."""
        return self.low > 0 and self.high / self.low >= _LOGARITHMIC

    def log_density(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the natural logarithm of the prior density, per unit of the constant; minus infinity outside the bounds."""
        inside = (values >= self.low) & (values <= self.high)
        if self.prior is None:
            return np.where(inside, -math.log(self.high - self.low), -np.inf)
        density = np.full(values.shape, -np.inf)
        density[inside] = self.prior.log_density(values[inside])
        return density

    def spread(self) -> float:
        """Return the standard deviation of the prior within the bounds, in the units of the constant."""
        if self.prior is None:
            return (self.high - self.low) / math.sqrt(12)
        values = self.prior.quantile((np.arange(4000) + 0.5) / 4000)
        inside = values[(values >= self.low) & (values <= self.high)]
        return float(inside.std()) if inside.size > 1 else (self.high - self.low) / math.sqrt(12)

    def from_unit(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at shares from 0 to 1 of the way between the bounds; 0 and 1 give the exact bounds."""
        if self.logarithmic:
            values = self.low * (self.high / self.low) ** shares
        else:
            values = self.low + (self.high - self.low) * shares
        ends = np.where(shares >= 1, self.high, np.where(shares <= 0, self.low, values))
        return np.clip(ends, self.low, self.high)

    def to_unit(self, values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return how far values are on the way between the bounds, from 0 to 1."""
        if self.logarithmic:
            return np.log(np.asarray(values) / self.low) / math.log(self.high / self.low)
        return (np.asarray(values) - self.low) / (self.high - self.low)


_Request = tuple[Place | str, FreeConstant]
"""A constant that the user frees, and where the user does so: a place in a file, or an option."""


def free_constants(
    model: Model,
    texts: Sequence[str] = (),
    *,
    listed: Sequence[FreeConstant] = (),
    prior: Sampling | None = None,
    scenario: Scenario | None = None,
    moving: Iterable[str] = (),
) -> tuple[Parameter, ...]:
    """Return the constants that are free: those of `texts` (`name` or `name=low:high`) and of an optimisation file.

    Bounds are those given, else those of the prior, else the range declared in the model. Without `texts` and `listed`, the
    free constants are those with a prior, else those of the group Uncertainties that have a range and on which a variable
    of `moving` (keys of variables that are compared with data) depends.

    Raises
    ------
    CalibrationError
        If nothing is free.
    ScenarioError
        If a constant is unknown, unchangeable, without bounds, or outside its bounds; every such constant is listed.
    """
    priors = _priors(model, prior)
    typed: list[_Request] = [(_OPTION, _parse(text)) for text in texts]
    named = {_cell(free) for _, free in typed}
    requests = typed + [(free.place, free) for free in listed if _cell(free) not in named]
    requests = requests or [(_OPTION, FreeConstant(cell.key, cell.labels)) for cell in priors]
    if not requests:
        relevant = causes(model, moving)
        group = (one for one in model if key(one.group) == key(_DEFAULT_GROUP) and one.key in relevant)
        constants = (one for one in group if one.kind == "constant" and not one.fixed)
        ranged = (one for one in constants if one.range and None not in (one.range.minimum, one.range.maximum))
        requests = [(_OPTION, FreeConstant(one.key)) for one in ranged]
    if not requests:
        cure = f"or give constants of the group {_DEFAULT_GROUP} a range [low,high] in the model"
        message = f'no constant is free; name some with {_OPTION} "name=low:high", {cure}'
        raise CalibrationError(message)
    known = dict(plan(model).constants) | constant_values(model, scenario or Scenario(""))
    parameters: dict[Cell, Parameter] = {}
    faults: list[Fault] = []
    for where, free in requests:
        try:
            cells = constant_cells(model, free.name, free.subscripts, where=where)
            made = [_parameter(model, (where, free), cell, known, priors.get(cell)) for cell in cells]
        except ScenarioError as error:
            faults += error.faults
            continue
        repeated = (parameter for parameter in made if parameter.cell in parameters)
        faults += [Fault(where, f"'{parameter.name}' is named twice; name it once") for parameter in repeated]
        parameters |= {parameter.cell: parameter for parameter in made}
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return tuple(parameters.values())


def unit_points(parameters: Sequence[Parameter], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert points, shape (members, parameters), to shares of the way between the bounds."""
    return np.column_stack([parameter.to_unit(points[:, place]) for place, parameter in enumerate(parameters)])


def real_points(parameters: Sequence[Parameter], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert shares of the way between the bounds to points, shape (members, parameters), in the constants' units."""
    return np.column_stack([parameter.from_unit(shares[:, place]) for place, parameter in enumerate(parameters)])


def causes(model: Model, names: Iterable[str]) -> set[str]:
    """Return the keys of everything that variables (keys) depend on, themselves included."""
    found: set[str] = set()
    waiting = [name for name in names if name in model.elements]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            references = (references_in(equation.expression) for equation in model.elements[name].equations)
            mentioned = {split_reference(reference)[0] for used in references for reference in used}
            waiting += [other for other in mentioned if other in model.elements]
    return found


def _cell(free: FreeConstant) -> Cell:
    return Cell(key(free.name), tuple(map(key, free.subscripts)))


def _parse(text: str) -> FreeConstant:
    name, labels, bounds = read_bounds(text, _OPTION)
    low, high = bounds or (None, None)
    return FreeConstant(name, labels, low=low, high=high)


def _priors(model: Model, prior: Sampling | None) -> dict[Cell, tuple[Distribution, Place]]:
    """Return the distribution of each constant in a sensitivity file."""
    priors: dict[Cell, tuple[Distribution, Place]] = {}
    faults: list[Fault] = []
    for variation in prior.variations if prior else ():
        density = variation.distribution
        if not isinstance(density, Distribution) or not _is_density(density):
            what = f"the prior of '{variation.name}' has no density; use RANDOM_UNIFORM, RANDOM_NORMAL or another that has one"
            faults.append(Fault(variation.place, what))
            continue
        try:
            cells = constant_cells(model, variation.name, variation.subscripts, where=variation.place)
            priors |= dict.fromkeys(cells, (density, variation.place))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    return priors


def unused_priors(model: Model, prior: Sampling, parameters: Sequence[Parameter]) -> list[str]:
    """Return the names of constants that have a prior but are not free, so that the prior has no effect.

    Raises
    ------
    ScenarioError
        If a prior is not a density, or its constant is not in the model.
    """
    free = {parameter.cell for parameter in parameters}
    return [cell_name(model, cell) for cell in _priors(model, prior) if cell not in free]


def _is_density(distribution: Distribution) -> bool:
    """Whether a distribution is continuous, and known without a model."""
    if distribution.lookup and not distribution.points:
        return False
    between = distribution.quantile(np.array([0.3, 0.5, 0.7])) + 1e-7 * (distribution.maximum - distribution.minimum)
    return bool(np.isfinite(distribution.log_density(between)).any())


def _parameter(
    model: Model, request: _Request, cell: Cell, known: Mapping[Cell, float], prior: tuple[Distribution, Place] | None
) -> Parameter:
    """Check a free constant. Its bounds are the user's, else those of the prior, else the model's; a prior narrows them."""
    where, free = request
    name, element = cell_name(model, cell), model.elements[cell.key]
    ends = prior[0] if prior else element.range
    low = free.low if free.low is not None or ends is None else ends.minimum
    high = free.high if free.high is not None or ends is None else ends.maximum
    if low is None or high is None:
        what = f"'{name}' has no range [low,high] in the model; write {_OPTION} \"{name}=low:high\""
        raise ScenarioError([Fault(where, what)])
    if prior and low < high:
        low, high = max(low, prior[0].minimum), min(high, prior[0].maximum)
    if not math.isfinite(high - low):
        what = f"'{name}' has bounds that are not finite, or too far apart; write smaller numbers"
        raise ScenarioError([Fault(where, what)])
    if low >= high:
        what = f"'{name}' has the bounds {low:g} to {high:g}; write the lower one first, then a higher one"
        raise ScenarioError([Fault(where, what)])
    initial = float(known.get(cell, math.nan)) if free.initial is None else free.initial
    if not low <= initial <= high:
        what = f"'{name}' starts at {initial:g}, outside its bounds {low:g} to {high:g}; widen them, or start it inside"
        raise ScenarioError([Fault(where, what)])
    made = Parameter(name, cell, element.units, low, high, initial, prior and prior[0])
    if prior and not np.isfinite(made.log_density(np.linspace(low, high, 101))).any():
        what = f"the prior of '{name}' is zero between {low:g} and {high:g}; change the prior or the bounds"
        raise ScenarioError([Fault(prior[1], what)])
    return replace(made, prior=None) if prior and prior[0].name == "RANDOM_UNIFORM" else made
