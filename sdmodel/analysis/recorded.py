"""What the record of a run says of constants and lookups that it was stored without: its model's text, with its changes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

from ..dataset import TIME, make_run
from ..errors import ScenarioError, StoreError
from ..files import encoded
from ..model import NA, Cell, Element, Model, Numbers, Table, bindings, display, labels_of
from ..scenario import Change, Scenario, constant_values, merge, with_tables
from ..vensim import model_from_text, read_change, scenario_from_text

_OVER = re.compile(r"\s*(?P<name>[^\[=]+?)\s*(?:\[.*\])?\s*= over ")
"""The line of a record that says of a constant that it varies over members."""


@dataclass(frozen=True)
class LookupDifference:
    """A lookup that is not the same in all runs: its table in each, none where a run's model has none."""

    name: str
    subscripts: tuple[str, ...]
    tables: tuple[Table | None, ...]


def recorded_model(run: xr.Dataset, name: str) -> Model:
    """The model of a stored run, from its own record; `name` is what a fault calls the run.

    Raises
    ------
    StoreError
        If the record lacks its text.
    """
    record = run.attrs
    content = encoded(str(record.get("model_text", "")), str(record["model_sha256"]))
    if content is None:
        message = f"{name}: its record does not hold the text of its model; run {record['model']} again"
        raise StoreError(message)
    return _model(content, str(record["model"]))


@functools.lru_cache(maxsize=2)
def _model(content: bytes, path: str) -> Model:
    """Runs that are compared have a model in common, as a rule."""
    return model_from_text(content, path)


def recorded_changes(run: xr.Dataset) -> Scenario:
    """What a run changed, by its record: its scenario, then what else was set to numbers or tables."""
    told = [line for line in str(run.attrs.get("changes", "")).splitlines() if line.strip() and not _OVER.match(line)]
    return merge([scenario_from_text(str(run.attrs.get("scenario", ""))), Scenario("", tuple(map(_change, told)))])


def _change(line: str) -> Change:
    """A change as a record has it, whose name may lack the quotes that it needs in a file."""
    try:
        return read_change(line)
    except ScenarioError:
        name, *rest = re.split(r"\s*([\[=(])", line, maxsplit=1)
        return read_change(f'"{name}"{"".join(rest)}')


def with_recorded_constants(run: xr.Dataset, name: str) -> xr.Dataset:
    """A run with all constants of its model: those that it was stored without have the value that its record tells.

    What its record says to vary over members, and was not stored, stays away.
    """
    model = recorded_model(run, name)
    lines = filter(None, map(_OVER.match, str(run.attrs.get("changes", "")).splitlines()))
    varied = {model[line["name"]].key for line in lines if line["name"] in model}
    lacking = [
        each
        for each in model
        if each.kind == "constant" and model.identifiers[each.key] not in run.variables and each.key not in varied
    ]
    if not lacking:
        return run
    changed = constant_values(model, recorded_changes(run))
    values = {each.key: _values(model, each, changed) for each in lacking}
    return run.assign(make_run(model, run[TIME].values, values).data_vars)


def differing_lookups(runs: Mapping[str, xr.Dataset]) -> list[LookupDifference]:
    """The lookups that are not the same in all runs because a scenario replaces them, by the records of the runs."""
    changes = {name: recorded_changes(run) for name, run in runs.items()}
    if not any(change.table for scenario in changes.values() for change in scenario.changes):
        return []
    tables = [_tables(recorded_model(run, name), changes[name]) for name, run in runs.items()]
    found = []
    for spelt in dict.fromkeys(spelt for each in tables for spelt in each):
        given = tuple(each.get(spelt) for each in tables)
        if any(each != given[0] for each in given):
            found.append(LookupDifference(*spelt, given))
    return found


def _tables(model: Model, scenario: Scenario) -> dict[tuple[str, tuple[str, ...]], Table]:
    """The tables of a model with a scenario, by name and subscripts."""
    return {
        (display(element.name), equation.subscripts): equation.expression
        for element in with_tables(model, scenario)
        for equation in element.equations
        if element.kind == "lookup" and isinstance(equation.expression, Table)
    }


def _values(model: Model, element: Element, changed: Mapping[Cell, float]) -> np.ndarray:
    """The numbers of a constant, shape (labels of each dimension); not a number where no equation defines one."""
    axes = [labels_of(model.subscripts, each) for each in element.dimensions]
    own: dict[Cell, float] = {}
    for equation in element.equations:
        given = equation.expression
        for index, (labels, _) in enumerate(bindings(model.subscripts, equation)):
            own[Cell(element.key, labels)] = given.at(index) if isinstance(given, Numbers) else float(given)
    cells = [Cell(element.key, labels) for labels in product(*axes)]
    numbers = np.array([changed.get(cell, own.get(cell, np.nan)) for cell in cells])
    return np.where(numbers <= NA, np.nan, numbers).reshape([len(axis) for axis in axes])
