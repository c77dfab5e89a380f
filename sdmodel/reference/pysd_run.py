"""One run by PySD, and the same in the shape of ours: time on the exact grid, our names, dimensions and attributes."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..dataset import make_run
from ..errors import ReferenceError
from ..model import Element, Integrator, Model, key
from ..scenario import Change, Scenario, merge
from ..vensim import read_model, read_scenario
from .pysd_model import PysdModel, Variable, asking, change, opened, start

PYSD_NOTE = "PySD executes what the model file says as Python; use it for files you trust"
"""What a user is told before PySD runs."""


ScenarioLike = Scenario | str | Path | Sequence[Scenario | str | Path]


@dataclass(frozen=True, eq=False)
class PysdRecord:
    """What PySD gave: times, and by element key an array of shape (time, labels), in the element's units.

    `labels` are the labels of each axis of an element after time; `remarks` are PySD's own warnings.
    """

    times: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    labels: Mapping[str, tuple[tuple[str, ...], ...]]
    remarks: tuple[str, ...]


def simulate_with_pysd(
    path: str | Path,
    constants: Mapping[str, ArrayLike] | None = None,
    *,
    scenario: ScenarioLike | None = None,
    save: Sequence[str] | None = None,
    integrator: Integrator | None = None,
) -> xr.Dataset:
    """A run of a Vensim model by PySD; constants in their own units, `save` names the elements to keep (default: all).

    A constant with subscripts takes one number, or an array of its own shape; `name[label]` sets a part of it. They go over
    what `scenario` sets: one or several, or their files. PySD's remarks stand in the attribute `remarks`, one a line.

    Raises
    ------
    ModelError
        If the model itself has faults.
    ReferenceError
        If PySD cannot read or run the model, or is asked for more than Euler's method.
    """
    model = read_model(path)
    wanted = integrator or model.integrator
    if wanted != "euler":
        cure = "use the native engine, or ask for Euler with `--integrator euler`"
        message = f"{path}: PySD integrates with Euler only, not {wanted}; {cure}"
        raise ReferenceError(message)
    merged = _scenario(scenario)
    changes = (*merged.changes, *_changes(constants or {}))
    record = record_with_pysd(path, changes, save=save)
    values = {name: _aligned(model, model.elements[name], record) for name in record.values if name in model.elements}
    attributes = {
        "engine": "pysd",
        "integrator": wanted,
        "scenario": merged.text,
        "changes": "\n".join(map(_line, changes)),
        "remarks": "\n".join(record.remarks),
        "pysd": importlib.metadata.version("pysd"),
    }
    return make_run(model, record.times, values, attributes=attributes)


def record_with_pysd(
    path: str | Path, changes: Sequence[Change] = (), *, save: Sequence[str] | None = None
) -> PysdRecord:
    """What PySD makes of a model file on its own, for files that our reader refuses too.

    Two things differ from PySD's bare answer: whole numbers as initial values are taken as floats, and time is the
    start plus counted steps, not a running sum.

    Raises
    ------
    ReferenceError
        If PySD cannot read, change or run the model.
    """
    with opened(Path(path)) as model:
        kept = _kept(model, save)
        change(model, changes)
        names = [each.python for each in kept.values()]
        with asking(model.path):
            start(model)
            table = model.engine.run(return_columns=names, initial_condition="current", flatten_output=False)
        times = _times(model, table)
        labels = {name: _labels(model, each) for name, each in kept.items()}
        values = {name: _stacked(table[each.python], labels[name]) for name, each in kept.items()}
    return PysdRecord(times, values, labels, tuple(model.remarks))


def _changes(constants: Mapping[str, ArrayLike]) -> tuple[Change, ...]:
    """Named numbers as changes; `name[label, label]` names a part of a constant."""
    found = []
    for name, value in constants.items():
        bare, bracket, inside = name.partition("[")
        subscripts = tuple(part.strip() for part in inside.rstrip("] ").split(",")) if bracket else ()
        values = tuple(float(each) for each in np.asarray(value, dtype=np.float64).ravel())
        found.append(Change(bare.strip(), subscripts, values))
    return tuple(found)


def _scenario(scenario: ScenarioLike | None) -> Scenario:
    several = [] if scenario is None else [scenario] if isinstance(scenario, Scenario | str | Path) else scenario
    return merge([each if isinstance(each, Scenario) else read_scenario(each) for each in several])


def _line(change: Change) -> str:
    """A change as a line of a change file."""
    part = f"[{','.join(change.subscripts)}]" if change.subscripts else ""
    value = ", ".join(map(repr, change.values)) if change.table is None else str(change.table)
    return f"{change.name}{part} = {value}"


def _kept(model: PysdModel, save: Sequence[str] | None) -> dict[str, Variable]:
    """The elements whose values are kept, by key; a lookup has no value of its own."""
    wanted = [*model.variables] if save is None else [key(model.variable(name).name) for name in save]
    return {each: model.variables[each] for each in wanted if not model.engine.get_args(model.variables[each].python)}


def _times(model: PysdModel, table: Any) -> NDArray[np.float64]:
    """The times of the rows without what adding up the steps has lost, unless the step changes while the model runs."""
    times: NDArray[np.float64] = np.asarray(table.index, dtype=np.float64)
    if "step" in (model.engine.cache_type["time_step"], model.engine.cache_type["initial_time"]):
        return times
    initial, step = float(model.engine["initial_time"]), float(model.engine["time_step"])
    counts: NDArray[np.float64] = np.rint((times - initial) / step)
    return initial + counts * step


def _labels(model: PysdModel, variable: Variable) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(model.engine.subscripts[each]) for each in variable.ranges)


def _stacked(column: Any, labels: tuple[tuple[str, ...], ...]) -> NDArray[np.float64]:
    """The values of one element as one array; PySD gives a number where an array has one element only."""
    shape = tuple(map(len, labels))
    return np.stack([np.broadcast_to(np.asarray(each, dtype=np.float64), shape) for each in column])


def _aligned(model: Model, element: Element, record: PysdRecord) -> NDArray[np.float64]:
    """PySD's values of an element over our dimensions: the same labels in our order, a constant without time."""
    array = record.values[element.key]
    labels = record.labels[element.key]
    if len(labels) != len(element.dimensions):
        counts = f"{len(labels)} subscripts, not {len(element.dimensions)}"
        message = f"{model.path}: PySD gives '{element.name}' {counts}; use the native engine"
        raise ReferenceError(message)
    for axis, (theirs, dimension) in enumerate(zip(labels, element.dimensions, strict=True), start=1):
        place = {key(label): position for position, label in enumerate(theirs)}
        order = [place.get(each, len(theirs)) for each in model.subscripts[dimension].keys]
        missing = np.full_like(array.take([0], axis=axis), np.nan)
        array = np.concatenate([array, missing], axis=axis).take(order, axis=axis)
    return np.asarray(array[0]) if element.kind == "constant" else array
