"""What a model lets its user change: its policy levers, uncertainties and switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..model import Element, Model, Numbers, key

_GROUPS = {"policy_levers": "policy lever", "uncertainties": "uncertainty", "switches": "switch"}
_CLOCK = frozenset({"initial_time", "final_time", "time_step", "saveper"})


@dataclass(frozen=True)
class Lever:
    """A constant that may change: its values now, its range and units, and what its author says of it, source and all."""

    name: str
    kind: str
    values: tuple[float, ...]
    minimum: float | None
    maximum: float | None
    step: float | None
    units: str
    meaning: str


def find_levers(model: Model) -> tuple[Lever, ...]:
    """The constants in a model's groups "Policy levers", "Uncertainties" and "Switches", kind by kind in the order of the file.

    Of a model without such groups, all constants with a range.
    """
    return tuple(_levers(model))


def _levers(model: Model) -> Iterator[Lever]:
    grouped = [(each, kind) for group, kind in _GROUPS.items() for each in model if key(each.group) == group]
    ranged = [(each, "constant") for each in model if each.range is not None and each.key not in _CLOCK]
    for element, kind in grouped or ranged:
        if element.kind == "constant" and not element.fixed and not element.hidden:
            yield _lever(element, kind)


def _lever(element: Element, kind: str) -> Lever:
    bounds = element.range
    minimum, maximum, step = (bounds.minimum, bounds.maximum, bounds.step) if bounds else (None, None, None)
    meaning = " ".join(element.comment.split())
    return Lever(element.name, kind, _values(element), minimum, maximum, step, element.units, meaning)


def _values(element: Element) -> tuple[float, ...]:
    """The numbers of a constant, equation by equation."""
    found: list[float] = []
    for equation in element.equations:
        expression = equation.expression
        found += expression.values if isinstance(expression, Numbers) else [float(expression)]
    return tuple(found)
