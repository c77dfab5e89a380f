"""`sdmodel levers`: what a model lets its user change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from ..model import Element, Model, Numbers, key
from .project import json_option, model_argument, model_path, model_read
from .tables import exact, print_json, print_table

_GROUPS = {"policy_levers": "policy lever", "uncertainties": "uncertainty", "switches": "switch"}
_CLOCK = frozenset({"initial_time", "final_time", "time_step", "saveper"})
_COLUMNS = {"value": "right", "range": "left", "units": "fold", "meaning": "text"}
_SPARE = ("range", "units")


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


@click.command("levers", epilog="Example: sdmodel levers models/ai_compute.mdl")
@model_argument
@json_option
def command(model: str | None, *, as_json: bool) -> None:
    """List the policy levers, uncertainties and switches of a model with value, range, units and meaning.

    These are the constants in its groups "Policy levers", "Uncertainties" and "Switches"; of a model without such
    groups, all constants with a range.
    """
    path = model_path(model)
    levers = list(_levers(model_read(path)))
    if as_json:
        print_json([vars(lever) for lever in levers])
    elif levers:
        for kind in dict.fromkeys(lever.kind for lever in levers):
            rows = [_row(lever) for lever in levers if lever.kind == kind]
            print_table({kind: "fold"} | _COLUMNS, rows, spare=_SPARE)
    else:
        click.echo(f"{path}: has no constants with a range, and no group of levers", err=True)


def _levers(model: Model) -> Iterator[Lever]:
    """The levers of a model, kind by kind, in the order of the file."""
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


def _row(lever: Lever) -> list[str]:
    different = sorted(set(lever.values))
    value = exact(different[0]) if len(different) == 1 else f"{exact(different[0])} to {exact(different[-1])}"
    bounds = (
        "" if lever.minimum is None and lever.maximum is None else f"{_bound(lever.minimum)} to {_bound(lever.maximum)}"
    )
    return [lever.name, value, bounds, lever.units, lever.meaning]


def _bound(value: float | None) -> str:
    return "any" if value is None else exact(value)
