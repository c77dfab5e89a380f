"""Run a Vensim model with PySD and return the run in our form: time on the exact grid, our names, dimensions and attributes.

PySD translates the model's text to Python source and runs that. A separate process would run the same text with the same
rights, so it would protect nothing and cost a second per run: PySD runs in this process, on a copy in a temporary folder.
"""

from __future__ import annotations

import importlib.metadata
import math
import re
import shutil
import tempfile
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..dataset import make_run
from ..errors import ReferenceEngineError, format_count
from ..model import (
    RUN_SETTING_KEYS,
    Element,
    Integrator,
    Model,
    display_name,
    key,
    quote_name,
    split_name,
    suggest,
)
from ..reading import read_model
from ..scenario import Change
from ..vensim import ScenarioLike, load_scenario

_DATA_ENDINGS = frozenset({".xls", ".xlsx", ".csv", ".tab", ".dat", ".txt"})
_DATA_LIMIT = 32 * 1024 * 1024
_PREFIX = "sdmodel-pysd-"
_COPY_PATH = re.compile(rf"[^\s'\"]*{_PREFIX}[^\s/'\"]*/(?:model/)?")


@dataclass(frozen=True, slots=True)
class Variable:
    """An element of PySD's model: its names, its ranges in PySD's spelling, and its kind."""

    name: str
    python: str
    ranges: tuple[str, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class PysdModel:
    """A model that PySD has read: PySD's own object, its elements by key, and PySD's warnings after the run."""

    path: Path
    engine: Any
    variables: Mapping[str, Variable]
    remarks: list[str]

    def variable(self, name: str) -> Variable:
        """Return the element of that name in any spelling."""
        found = self.variables.get(key(name))
        if found is None:
            cure = suggest(name, [variable.name for variable in self.variables.values()], "name one of its elements")
            message = f"{self.path}: '{display_name(name)}' is not in the model; {cure}"
            raise ReferenceEngineError(message)
        return found


@contextmanager
def _open_model(path: Path, encoding: str | None) -> Iterator[PysdModel]:
    """Open a copy of the file with PySD for the duration of the context; the folder of the file stays untouched."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import pysd

        copy = _copy_model(path, Path(folder))
        remarks: list[str] = []
        with _pysd_errors(path):
            engine = pysd.read_vensim(str(copy), encoding=encoding)
        yield PysdModel(path, engine, _variables(engine), remarks)
        own = [str(warning.message) for warning in caught if isinstance(warning.message, UserWarning)]
        remarks += dict.fromkeys(map(_on_one_line, own))


@contextmanager
def _pysd_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as fault:
        text = f"{type(fault).__name__}: {_on_one_line(str(fault))}"
        message = f"{path}: PySD cannot run the model: {text}; use the native engine"
        raise ReferenceEngineError(message) from fault


def _on_one_line(text: str) -> str:
    """Return the start of a message of PySD, without the path of our temporary copy."""
    return textwrap.shorten(_COPY_PATH.sub("", text), 240, placeholder=" ...").rstrip(" .;:")


def _copy_model(path: Path, folder: Path) -> Path:
    """Copy the model under a fixed name, with the data files in its folder if they are not too large.

    The name matters: PySD writes `<name>.py` next to the model, and `<macro>.py` for each macro.
    """
    copy = folder / "model" / "model.mdl"
    copy.parent.mkdir()
    try:
        shutil.copyfile(path, copy)
    except OSError as fault:
        message = f"{path}: the model cannot be read: {fault.strerror}; check its name"
        raise ReferenceEngineError(message) from fault
    data = [file for file in path.parent.iterdir() if file.suffix.lower() in _DATA_ENDINGS and file.is_file()]
    if sum(file.stat().st_size for file in data) <= _DATA_LIMIT:
        for file in data:
            shutil.copyfile(file, copy.parent / file.name)
    return copy


def _variables(engine: Any) -> dict[str, Variable]:
    columns = engine.doc.astype(object).where(engine.doc.notna(), None)[["Real Name", "Py Name", "Subscripts", "Type"]]
    found = (
        Variable(display_name(name), python, tuple(ranges or ()), kind or "")
        for name, python, ranges, kind in columns.itertuples(index=False)
    )
    return {key(variable.name): variable for variable in found if variable.python != "time"}


def _apply_changes(model: PysdModel, changes: Sequence[Change]) -> None:
    """Set constants and lookups to other numbers, in their own units."""
    import pandas as pd

    for change in changes:
        variable = model.variable(change.name)
        if change.table is None:
            new: object = _constant(model, variable, change)
        elif variable.kind == "Lookup" and not variable.ranges:
            xs, ys = zip(*change.table.points, strict=True)
            new = pd.Series(data=ys, index=xs)
        else:
            cure = "change a lookup without subscripts"
            message = f"{model.path}: PySD cannot change '{variable.name}' as a table; {cure}"
            raise ReferenceEngineError(message)
        if variable.python in RUN_SETTING_KEYS:
            model.engine.time.set_control_vars(**{variable.python: new})
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.engine.set_components({variable.python: new})


def _constant(model: PysdModel, variable: Variable, change: Change) -> float | xr.DataArray:
    """Return the whole constant, an array over its ranges if it has any, with the given numbers put in."""
    if variable.kind != "Constant":
        message = f"{model.path}: '{variable.name}' is not a constant; name one of the model's constants"
        raise ReferenceEngineError(message)
    if change.exceptions:
        message = f"{model.path}: '{variable.name}' is changed with :EXCEPT:; for PySD, write one line for each label"
        raise ReferenceEngineError(message)
    ranges = [list(model.engine.subscripts[name]) for name in variable.ranges]
    if change.subscripts and len(change.subscripts) != len(ranges):
        counts = f"{format_count(len(ranges), 'subscript')}, not {len(change.subscripts)}"
        message = f"{model.path}: '{variable.name}' has {counts}; correct them"
        raise ReferenceEngineError(message)
    names = change.subscripts or variable.ranges
    places = [_positions(model, name, labels) for name, labels in zip(names, ranges, strict=True)]
    values, size = np.array(change.values, dtype=np.float64), math.prod(map(len, places))
    if values.size not in (1, size):
        takes = "1 number" if size == 1 else f"1 or {size} numbers"
        message = f"{model.path}: '{variable.name}' takes {takes}, not {values.size}; correct them"
        raise ReferenceEngineError(message)
    whole = np.array(model.engine[variable.python], dtype=np.float64)
    whole[np.ix_(*places)] = values.reshape(list(map(len, places))) if values.size > 1 else values[0]
    if not ranges:
        return float(whole)
    return xr.DataArray(whole, dict(zip(variable.ranges, ranges, strict=True)), variable.ranges)


def _positions(model: PysdModel, name: str, labels: Sequence[str]) -> list[int]:
    """Return the positions of a label, or of the labels of a range, among the labels of one dimension."""
    own = [key(label) for label in labels]
    ranges = {key(known): [key(label) for label in members] for known, members in model.engine.subscripts.items()}
    chosen = ranges.get(key(name), [key(name)])
    if not set(chosen) <= set(own):
        known = f"one of {', '.join(labels)} nor a range of them"
        message = f"{model.path}: '{name}' is neither {known}; correct the subscript"
        raise ReferenceEngineError(message)
    return [own.index(label) for label in chosen]


def _float_states(engine: Any) -> None:
    """Store all states as floats; PySD stores one that begins with whole numbers as integers.

    A smooth then loses the decimals of its first step.
    """
    for stateful in engine._stateful_elements.values():  # noqa: SLF001 - the states have no public name
        if hasattr(stateful, "_stateful_elements"):
            _float_states(stateful)
        elif isinstance(stateful.state, np.ndarray | xr.DataArray) and stateful.state.dtype.kind in "iu":
            stateful.state = np.asarray(stateful.state, dtype=np.float64)


PYSD_NOTE = "PySD executes what the model file says as Python; use it for files you trust"
"""The warning that is printed before PySD runs."""


@dataclass(frozen=True, eq=False)
class PysdRecord:
    """A run by PySD: times, and by element key an array of shape (time, labels), in the element's units.

    `labels` are the labels of each axis of an element after time; `remarks` are PySD's warnings.
    """

    times: NDArray[np.float64]
    arrays: Mapping[str, NDArray[np.float64]]
    labels: Mapping[str, tuple[tuple[str, ...], ...]]
    remarks: tuple[str, ...]


def simulate_with_pysd(
    path: str | Path,
    constants: Mapping[str, ArrayLike] | None = None,
    *,
    scenario: ScenarioLike | None = None,
    save: Sequence[str] | None = None,
    integrator: Integrator | None = None,
    encoding: str | None = None,
) -> xr.Dataset:
    """Run a Vensim model with PySD; `save` names the elements to save (default: all).

    `constants` are in their own units and override `scenario`, which is one or several scenarios or their files. A constant
    with subscripts takes one number or an array of its own shape; `name[label]` sets a part of it. The attribute `remarks`
    holds PySD's warnings, one per line.

    Raises
    ------
    ModelError
        If the model itself has faults.
    ReferenceError
        If PySD cannot read or run the model, or another method than Euler's is requested.
    """
    model = read_model(path, encoding=encoding)
    method = integrator or model.integrator
    if method != "euler":
        cure = "use the native engine, or ask for Euler with `--integrator euler`"
        message = f"{path}: PySD integrates with Euler only, not {method}; {cure}"
        raise ReferenceEngineError(message)
    merged = load_scenario(scenario)
    if merged.texts:
        message = f"{merged.texts[0].place}: PySD does not change the texts of a model; use the native engine"
        raise ReferenceEngineError(message)
    arrays = ((name, np.asarray(value, dtype=np.float64)) for name, value in (constants or {}).items())
    constant_changes = (Change(*split_name(name), tuple(array.ravel().tolist())) for name, array in arrays)
    changes = (*merged.changes, *constant_changes)
    record = record_with_pysd(path, changes, save=save, encoding=encoding)
    values = {name: _align(model, model.elements[name], record) for name in record.arrays if name in model.elements}
    attributes = {
        "engine": "pysd",
        "integrator": method,
        "scenario": merged.text,
        "changes": "\n".join(map(_line, changes)),
        "remarks": "\n".join(record.remarks),
        "pysd": importlib.metadata.version("pysd"),
    }
    return make_run(model, record.times, values, attributes=attributes)


def record_with_pysd(
    path: str | Path,
    changes: Sequence[Change] = (),
    *,
    save: Sequence[str] | None = None,
    encoding: str | None = None,
) -> PysdRecord:
    """Run a model file with PySD alone, also a file that our own reader refuses.

    Two things differ from PySD's own results: whole numbers as initial values are taken as floats, and time is the
    start plus counted steps, not a running sum.

    Raises
    ------
    ReferenceError
        If PySD cannot read, change or run the model.
    """
    with _open_model(Path(path), encoding) as model:
        keys = [*model.variables] if save is None else [key(model.variable(name).name) for name in save]
        known = {name: model.variables[name] for name in keys}
        saved = {name: variable for name, variable in known.items() if not model.engine.get_args(variable.python)}
        _apply_changes(model, changes)
        names = [variable.python for variable in saved.values()]
        with _pysd_errors(model.path):
            model.engine.initialize()
            _float_states(model.engine)
            table = model.engine.run(return_columns=names, initial_condition="current", flatten_output=False)
        times = _times(model, table)
        subscripts = model.engine.subscripts
        labels = {own: tuple(tuple(subscripts[name]) for name in found.ranges) for own, found in saved.items()}
        values = {name: _stack(table[variable.python], labels[name]) for name, variable in saved.items()}
    return PysdRecord(times, values, labels, tuple(model.remarks))


def _line(change: Change) -> str:
    value = ", ".join(map(repr, change.values)) if change.table is None else str(change.table)
    return f"{quote_name(change.name, change.subscripts)} = {value}"


def _times(model: PysdModel, table: Any) -> NDArray[np.float64]:
    """Return the times of the rows without accumulated rounding errors, unless the time step changes during the run."""
    times: NDArray[np.float64] = np.asarray(table.index, dtype=np.float64)
    if "step" in (model.engine.cache_type["time_step"], model.engine.cache_type["initial_time"]):
        return times
    initial, step = float(model.engine["initial_time"]), float(model.engine["time_step"])
    counts: NDArray[np.float64] = np.rint((times - initial) / step)
    return initial + counts * step


def _stack(column: Any, labels: tuple[tuple[str, ...], ...]) -> NDArray[np.float64]:
    """Return the values of one element as one array; PySD gives a number where an array has only one element."""
    shape = tuple(map(len, labels))
    return np.stack([np.broadcast_to(np.asarray(values, dtype=np.float64), shape) for values in column])


def _align(model: Model, element: Element, record: PysdRecord) -> NDArray[np.float64]:
    """Return PySD's values of an element over our dimensions: the labels in our order, a constant without time."""
    array = record.arrays[element.key]
    labels = record.labels[element.key]
    if len(labels) != len(element.dimensions):
        counts = f"{format_count(len(labels), 'subscript')}, not {len(element.dimensions)}"
        message = f"{model.path}: PySD gives '{element.name}' {counts}; use the native engine"
        raise ReferenceEngineError(message)
    for axis, (theirs, dimension) in enumerate(zip(labels, element.dimensions, strict=True), start=1):
        place = {key(label): position for position, label in enumerate(theirs)}
        order = [place.get(label, len(theirs)) for label in model.subscripts[dimension].keys]
        missing = np.full_like(array.take([0], axis=axis), np.nan)
        array = np.concatenate([array, missing], axis=axis).take(order, axis=axis)
    return np.asarray(array[0]) if element.kind == "constant" else array
