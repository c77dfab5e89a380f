"""The extreme cases of a model: every constant with a range at odd values, alone and with each other one."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model import Cell, Element
from .subject import Subject

_WORK = 4e9
"""So many values are worked out at most: about a second on two cores of today."""
_FEWEST = 100
"""So many cases of one constant, and of two, are tried however large the model is."""
_SEED = 1
_ENDS = frozenset({"low", "high"})


@dataclass(frozen=True)
class Setting:
    """One constant at one value, or all its labels: what they become, how it is told, and whether its range allows it."""

    constant: Element
    told: str
    values: Mapping[Cell, float]
    inside: bool


@dataclass(frozen=True)
class Cases:
    """What is tried: single settings, then pairs; `possible` is how many there would be of all."""

    tried: tuple[tuple[Setting, ...], ...]
    possible: int

    def columns(self, first: int, last: int, base: Mapping[Cell, float]) -> dict[Cell, NDArray[np.float64]]:
        """The constants that some cases change, over those cases; `base` is what each has otherwise."""
        part = self.tried[first:last]
        columns: dict[Cell, NDArray[np.float64]] = {}
        for member, case in enumerate(part):
            for setting in case:
                for cell, value in setting.values.items():
                    if cell not in columns:
                        columns[cell] = np.full(len(part), base[cell])
                    columns[cell][member] = value
        return columns


def is_inside(case: Sequence[Setting]) -> bool:
    """Whether the ranges of the model allow a case."""
    return all(each.inside for each in case)


def told(case: Sequence[Setting]) -> str:
    """A case as a user would set it."""
    return " and ".join(f"'{each.constant.name}' {each.told}" for each in case)


def cases_of(subject: Subject, steps: int, without: Collection[str] = ()) -> Cases:
    """The cases of a model that a run of so many steps leaves time for: the single ones, and pairs of ends of ranges.

    Where there are too many, some are chosen by chance, the same ones every time. The constants whose keys are in
    `without` stay as they are.
    """
    constants = [each for each in subject.elements if _varies(each) and each.key not in without]
    settings = [_settings(subject, each) for each in constants]
    singles = [each for every in settings for each in every.values()]
    ends = [each for every in settings for name, each in every.items() if name in _ENDS]
    counts = [sum(name in _ENDS for name in every) for every in settings]
    pairs = (sum(counts) ** 2 - sum(count**2 for count in counts)) // 2
    stages = 4 if subject.integrator == "rk4" else 1
    affordable = int(_WORK / (max(1, len(subject.plan.step) + len(subject.plan.stocks)) * max(1, steps) * stages))
    alone = _chosen(singles, max(_FEWEST, affordable))
    together = _pairs(ends, pairs, max(_FEWEST, affordable - len(alone)))
    return Cases((*((each,) for each in alone), *together), len(singles) + pairs)


def _chosen(settings: Sequence[Setting], room: int) -> Sequence[Setting]:
    """So many of the settings, in their order."""
    if len(settings) <= room:
        return settings
    return [settings[place] for place in sorted(random.Random(_SEED).sample(range(len(settings)), room))]


def _pairs(ends: Sequence[Setting], possible: int, room: int) -> list[tuple[Setting, Setting]]:
    """So many of the pairs of settings of different constants, in their order."""
    if possible <= room:
        return [(one, two) for one, two in itertools.combinations(ends, 2) if one.constant is not two.constant]
    dice = random.Random(_SEED)
    found: set[tuple[int, int]] = set()
    while len(found) < room:
        one, two = sorted((dice.randrange(len(ends)), dice.randrange(len(ends))))
        if ends[one].constant is not ends[two].constant:
            found.add((one, two))
    return [(ends[one], ends[two]) for one, two in sorted(found)]


def settings_of(subject: Subject, constant: Element) -> tuple[Setting, ...]:
    """The odd values of one constant."""
    return tuple(_settings(subject, constant).values())


def _varies(element: Element) -> bool:
    return element.kind == "constant" and element.range is not None and not element.fixed


def _settings(subject: Subject, constant: Element) -> dict[str, Setting]:
    """The odd values of a constant by what they are called: each differs from what it is, and from the others."""
    own = {cell: value for cell, value in subject.plan.constants.items() if cell.key == constant.key}
    found: dict[str, Setting] = {}
    seen = [own]
    for name, values in _odd_values(constant, own):
        if values not in seen and all(map(math.isfinite, values.values())):
            seen.append(values)
            found[name] = Setting(constant, _words(name, values), values, _allowed(constant, values))
    return found


def _odd_values(constant: Element, own: Mapping[Cell, float]) -> Iterator[tuple[str, dict[Cell, float]]]:
    bounds = constant.range
    low, high = (bounds.minimum, bounds.maximum) if bounds else (None, None)
    for name, value in (("low", low), ("high", high), ("zero", 0.0)):
        if value is not None:
            yield name, dict.fromkeys(own, value)
    yield "tenfold", {cell: 10 * value for cell, value in own.items()}
    yield "a tenth", {cell: value / 10 for cell, value in own.items()}


def _words(name: str, values: Mapping[Cell, float]) -> str:
    different = set(values.values())
    return f"= {different.pop():g}" if len(different) == 1 else name


def _allowed(constant: Element, values: Mapping[Cell, float]) -> bool:
    bounds = constant.range
    low = -math.inf if bounds is None or bounds.minimum is None else bounds.minimum
    high = math.inf if bounds is None or bounds.maximum is None else bounds.maximum
    return all(low <= value <= high for value in values.values())
