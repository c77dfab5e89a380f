"""The constants that a calibration may move: their bounds, where they start, and what was believed of them before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError, Fault, Place, ScenarioError
from ..model import Cell, Model, key, plan, references, referred, spell
from ..scenario import Distribution, Free, Sampling, Scenario, constant_cells, constant_values

DEFAULT_GROUP = "Uncertainties"
"""The group of a model whose constants are free where nobody says which are."""

_OPTION = "--free"
_BOUNDS = re.compile(r"(?P<name>.*?)(?:=(?P<low>[^=:]*):(?P<high>[^=:]*))?", re.DOTALL)
_QUOTED = re.compile(r'"[^"]*"')
_LOGARITHMIC = 100.0
"""Bounds that far apart, both above nothing, are searched by their logarithm."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A constant that may move between `low` and `high` from `initial`, all in its own units; no prior means uniform."""

    name: str
    cell: Cell
    units: str
    low: float
    high: float
    initial: float
    prior: Distribution | None = None

    @property
    def logarithmic(self) -> bool:
        """Whether a search steps along its logarithm."""
        return self.low > 0 and self.high / self.low >= _LOGARITHMIC

    def log_density(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The natural logarithm of the prior density, per unit of the constant; minus infinity outside the bounds."""
        inside = (values >= self.low) & (values <= self.high)
        if self.prior is None:
            return np.where(inside, -math.log(self.high - self.low), -np.inf)
        density = np.full(values.shape, -np.inf)
        density[inside] = self.prior.log_density(values[inside])
        return density

    def spread(self) -> float:
        """The standard deviation of the prior within the bounds, in the units of the constant."""
        if self.prior is None:
            return (self.high - self.low) / math.sqrt(12)
        values = self.prior.quantile((np.arange(4000) + 0.5) / 4000)
        inside = values[(values >= self.low) & (values <= self.high)]
        return float(inside.std()) if inside.size > 1 else (self.high - self.low) / math.sqrt(12)

    def from_unit(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at shares from 0 to 1 of the way between the bounds, which themselves are met exactly."""
        if self.logarithmic:
            values = self.low * (self.high / self.low) ** shares
        else:
            values = self.low + (self.high - self.low) * shares
        ends = np.where(shares >= 1, self.high, np.where(shares <= 0, self.low, values))
        return np.clip(ends, self.low, self.high)

    def to_unit(self, values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """How far values are on the way between the bounds, from 0 to 1."""
        if self.logarithmic:
            return np.log(np.asarray(values) / self.low) / math.log(self.high / self.low)
        return (np.asarray(values) - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for: a constant, bounds where they are told, and where it starts."""

    where: Place | str
    name: str
    subscripts: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    initial: float | None = None


def free_constants(
    model: Model,
    texts: Sequence[str] = (),
    *,
    listed: Sequence[Free] = (),
    prior: Sampling | None = None,
    scenario: Scenario | None = None,
    moving: Iterable[str] = (),
) -> tuple[Parameter, ...]:
    """The constants that are free: those of `texts` (`name` or `name=low:high`) and of an optimisation file.

    Bounds are those told, else those of the prior, else the range that the model declares. Where neither is given they are
    those with a prior, else the group Uncertainties as far as it has ranges and `moving` names (keys of variables that
    are held against data) depend on it.

    Raises
    ------
    CalibrationError
        If nothing is free.
    ScenarioError
        With every constant that is unknown, unchangeable, without bounds, or outside of them.
    """
    priors = _priors(model, prior)
    wishes = _wishes(texts, listed) or [_Wish(_OPTION, cell.key, cell.labels) for cell in priors]
    if not wishes:
        wishes = [_Wish(_OPTION, element) for element in _default(model, moving)]
    if not wishes:
        message = (
            f'no constant is free; name some with {_OPTION} "name=low:high", or give constants of the group '
            f"{DEFAULT_GROUP} a range [low,high] in the model"
        )
        raise CalibrationError(message)
    known = dict(plan(model).constants) | constant_values(model, scenario or Scenario(""))
    found: dict[Cell, Parameter] = {}
    faults: list[Fault] = []
    for wish in wishes:
        try:
            made = _parameters(model, wish, known, priors)
        except ScenarioError as error:
            faults += error.faults
            continue
        twice = (each for each in made if each.cell in found)
        faults += [Fault(wish.where, f"'{each.name}' is named twice; name it once") for each in twice]
        found |= {each.cell: each for each in made}
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return tuple(found.values())


def unit_points(parameters: Sequence[Parameter], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points, shape (members, parameters), as shares of the way between the bounds."""
    return np.column_stack([each.to_unit(points[:, place]) for place, each in enumerate(parameters)])


def real_points(parameters: Sequence[Parameter], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points, shape (members, parameters), in the units of each constant, from shares of the way between the bounds."""
    return np.column_stack([each.from_unit(shares[:, place]) for place, each in enumerate(parameters)])


def causes(model: Model, names: Iterable[str]) -> set[str]:
    """The keys of everything that those names (keys) depend on, themselves included."""
    found: set[str] = set()
    waiting = [name for name in names if name in model.elements]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for equation in model.elements[name].equations:
            mentioned = {referred(each)[0] for each in references(equation.expression)}
            waiting += [each for each in mentioned if each in model.elements]
    return found


def _default(model: Model, moving: Iterable[str]) -> list[str]:
    """The constants of the group of uncertainties that have a whole range and on which something held against data depends."""
    wanted = causes(model, moving)
    return [
        each.key
        for each in model
        if key(each.group) == key(DEFAULT_GROUP) and each.kind == "constant" and not each.fixed
        and each.range and None not in (each.range.minimum, each.range.maximum) and each.key in wanted
    ]  # fmt: skip


def _wishes(texts: Sequence[str], listed: Sequence[Free]) -> list[_Wish]:
    """What the command line and an optimisation file ask for; the command line's word on a constant is the last."""
    typed = [_typed(text) for text in texts]
    named = {(key(each.name), tuple(map(key, each.subscripts))) for each in typed}
    from_file = [
        _Wish(each.place, each.name, each.subscripts, each.low, each.high, each.initial)
        for each in listed
        if (key(each.name), tuple(map(key, each.subscripts))) not in named
    ]
    return [*typed, *from_file]


def _typed(text: str) -> _Wish:
    """`name`, `name=low:high` or `name[label]=low:high`."""
    match = _BOUNDS.fullmatch(text)
    name, low, high = text.strip(), None, None
    if match and match["low"] is not None:
        name = match["name"]
        try:
            low, high = float(match["low"]), float(match["high"])
        except ValueError:
            message = f"'{text}' has bounds that are no numbers; write \"name=low:high\""
            raise ScenarioError([Fault(_OPTION, message)]) from None
    elif "=" in _QUOTED.sub("", name):
        message = f"'{text}' says no bounds; write \"{text.partition('=')[0].strip()}=low:high\""
        raise ScenarioError([Fault(_OPTION, message)])
    whole, bracket, inside = name.strip().partition("[")
    labels = tuple(part.strip() for part in inside.rstrip("] ").split(",")) if bracket else ()
    return _Wish(_OPTION, whole.strip(), labels, low, high)


def _priors(model: Model, prior: Sampling | None) -> dict[Cell, tuple[Distribution, Place]]:
    """The distribution of each constant that a sensitivity file has one for."""
    found: dict[Cell, tuple[Distribution, Place]] = {}
    faults: list[Fault] = []
    for each in prior.variations if prior else ():
        density = each.distribution
        if not isinstance(density, Distribution) or not _is_density(density):
            what = f"the prior of '{each.name}' has no density; use RANDOM_UNIFORM, RANDOM_NORMAL or another that has"
            faults.append(Fault(each.place, what))
            continue
        try:
            cells = constant_cells(model, each.name, each.subscripts, where=each.place)
            found |= dict.fromkeys(cells, (density, each.place))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    return found


def priors_unused(model: Model, prior: Sampling, parameters: Sequence[Parameter]) -> list[str]:
    """The constants, as the model spells them, that have a prior and are not free, so that it says nothing.

    Raises
    ------
    ScenarioError
        If a prior is not a density, or is of no constant of the model.
    """
    free = {each.cell for each in parameters}
    return [spell(model, cell) for cell in _priors(model, prior) if cell not in free]


def _is_density(distribution: Distribution) -> bool:
    """Whether a distribution is spread over an interval and not over separate numbers, and is known without a model."""
    if distribution.lookup and not distribution.points:
        return False
    between = distribution.quantile(np.array([0.3, 0.5, 0.7])) + 1e-7 * (distribution.maximum - distribution.minimum)
    return bool(np.isfinite(distribution.log_density(between)).any())


def _parameters(
    model: Model, wish: _Wish, known: Mapping[Cell, float], priors: Mapping[Cell, tuple[Distribution, Place]]
) -> list[Parameter]:
    """A constant with its bounds, one for each of its cells."""
    cells = constant_cells(model, wish.name, wish.subscripts, where=wish.where)
    return [_checked(model, wish, cell, known, priors.get(cell)) for cell in cells]


def _checked(
    model: Model,
    wish: _Wish,
    cell: Cell,
    known: Mapping[Cell, float],
    prior: tuple[Distribution, Place] | None,
) -> Parameter:
    name = spell(model, cell)
    low, high = _bounds(model, wish, cell, prior)
    if not math.isfinite(high - low):
        what = f"'{name}' has bounds that are not finite, or too far apart; write smaller numbers"
        raise ScenarioError([Fault(wish.where, what)])
    if low >= high:
        what = f"'{name}' has the bounds {low:g} to {high:g}; write the lower one first, and a higher one behind it"
        raise ScenarioError([Fault(wish.where, what)])
    initial = float(known.get(cell, math.nan)) if wish.initial is None else wish.initial
    if not low <= initial <= high:
        what = f"'{name}' starts at {initial:g}, outside its bounds {low:g} to {high:g}; widen them, or start it inside"
        raise ScenarioError([Fault(wish.where, what)])
    made = Parameter(name, cell, model.elements[cell.key].units, low, high, initial, prior and prior[0])
    if made.prior and not np.isfinite(made.log_density(np.linspace(low, high, 101))).any():
        where = prior[1] if prior else wish.where
        raise ScenarioError([Fault(where, f"the prior of '{name}' leaves nothing between {low:g} and {high:g}")])
    return replace(made, prior=None) if made.prior and made.prior.name == "RANDOM_UNIFORM" else made


def _bounds(model: Model, wish: _Wish, cell: Cell, prior: tuple[Distribution, Place] | None) -> tuple[float, float]:
    """Bounds as told, each else that of the prior, else that of the model's range; a prior narrows what is told."""
    declared = model.elements[cell.key].range
    ends = prior[0] if prior else declared
    low = wish.low if wish.low is not None or ends is None else ends.minimum
    high = wish.high if wish.high is not None or ends is None else ends.maximum
    if low is None or high is None:
        name = spell(model, cell)
        what = f"'{name}' has no range [low,high] in the model; write {_OPTION} \"{name}=low:high\""
        raise ScenarioError([Fault(wish.where, what)])
    if prior and low < high:
        return max(low, prior[0].minimum), min(high, prior[0].maximum)
    return low, high
