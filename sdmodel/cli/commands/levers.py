"""`sdmodel levers`: what a model lets its user change."""

from __future__ import annotations

import click

from ...numerals import exact
from ...scenario import Lever, find_levers
from ..project import json_option, model_argument, model_path, model_read
from ..tables import print_json, print_table

_COLUMNS = {"value": "right", "range": "left", "units": "fold", "meaning": "text"}
_SPARE = ("range", "units")


@click.command("levers", epilog="Example: sdmodel levers models/ai_compute.mdl")
@model_argument
@json_option
def command(model: str | None, *, as_json: bool) -> None:
    """List the policy levers, uncertainties and switches of a model with value, range, units and meaning.

    These are the constants in its groups "Policy levers", "Uncertainties" and "Switches"; of a model without such
    groups, all constants with a range.
    """
    path = model_path(model)
    levers = find_levers(model_read(path))
    if as_json:
        print_json([vars(lever) for lever in levers])
    elif levers:
        for kind in dict.fromkeys(lever.kind for lever in levers):
            rows = [_row(lever) for lever in levers if lever.kind == kind]
            print_table({kind: "fold"} | _COLUMNS, rows, spare=_SPARE)
    else:
        click.echo(f"{path}: has no constants with a range, and no group of levers", err=True)


def _row(lever: Lever) -> list[str]:
    different = sorted(set(lever.values))
    value = exact(different[0]) if len(different) == 1 else f"{exact(different[0])} to {exact(different[-1])}"
    bounds = (
        "" if lever.minimum is None and lever.maximum is None else f"{_bound(lever.minimum)} to {_bound(lever.maximum)}"
    )
    return [lever.name, value, bounds, lever.units, lever.meaning]


def _bound(value: float | None) -> str:
    return "any" if value is None else exact(value)
