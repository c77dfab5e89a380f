"""PySD's own model of a file: read from a copy, its constants and lookups changed, its states made floats.

PySD writes the model's text into Python source and runs that. Another process would run the same text with the same
rights, so it would guard nothing and cost a second a run: PySD runs in this process, on a copy in a temporary folder.
"""

from __future__ import annotations

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

from ..errors import ReferenceError
from ..model import display, key, nearest
from ..scenario import Change

_DATA_ENDINGS = frozenset({".xls", ".xlsx", ".csv", ".tab", ".dat", ".txt"})
_DATA_LIMIT = 32 * 1024 * 1024
_TIME = "time"
_CONTROL = frozenset({"initial_time", "final_time", "time_step", "saveper"})
_PREFIX = "sdmodel-pysd-"
_COPY = re.compile(rf"[^\s'\"]*{_PREFIX}[^\s/'\"]*/(?:model/)?")


@dataclass(frozen=True, slots=True)
class Variable:
    """What PySD knows of one element: its names, its ranges in PySD's spelling, and its kind."""

    name: str
    python: str
    ranges: tuple[str, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class PysdModel:
    """A model that PySD has read: PySD's own object, its elements by key, and in the end what PySD remarked, in order."""

    path: Path
    engine: Any
    variables: Mapping[str, Variable]
    remarks: list[str]

    def variable(self, name: str) -> Variable:
        """The element of that name, however it is spelt."""
        found = self.variables.get(key(name))
        if found is None:
            close = nearest(name, [each.name for each in self.variables.values()])
            cure = f"did you mean '{close}'?" if close else "name one of its elements"
            message = f"{self.path}: '{display(name)}' is not in the model; {cure}"
            raise ReferenceError(message)
        return found


@contextmanager
def opened(path: Path) -> Iterator[PysdModel]:
    """PySD's model of a copy of the file, which lasts as long as the context; the file's own folder stays untouched."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import pysd

        copy = _copied(path, Path(folder))
        remarks: list[str] = []
        with asking(path):
            engine = pysd.read_vensim(str(copy))
        yield PysdModel(path, engine, _variables(engine), remarks)
        own = [str(each.message) for each in caught if isinstance(each.message, UserWarning)]
        remarks += dict.fromkeys(map(_on_one_line, own))


@contextmanager
def asking(path: Path) -> Iterator[None]:
    """Whatever goes wrong while PySD runs the model's text, told in one line."""
    try:
        yield
    except Exception as fault:
        said = f"{type(fault).__name__}: {_on_one_line(str(fault))}"
        message = f"{path}: PySD cannot run the model: {said}; use the native engine"
        raise ReferenceError(message) from fault


def _on_one_line(text: str) -> str:
    """The start of what PySD says, without the path of our temporary copy; its first line is often a name only."""
    return textwrap.shorten(_COPY.sub("", text), 240, placeholder=" ...").rstrip(" .;:")


def _copied(path: Path, folder: Path) -> Path:
    """A copy of the model under a name of ours, with the data files beside it while they are small.

    The name matters: PySD writes `<name>.py` next to the model, and `<macro>.py` for each macro.
    """
    copy = folder / "model" / "model.mdl"
    copy.parent.mkdir()
    try:
        shutil.copyfile(path, copy)
    except OSError as fault:
        message = f"{path}: the model cannot be read: {fault.strerror}; check its name"
        raise ReferenceError(message) from fault
    beside = [each for each in path.parent.iterdir() if each.suffix.lower() in _DATA_ENDINGS and each.is_file()]
    if sum(each.stat().st_size for each in beside) <= _DATA_LIMIT:
        for each in beside:
            shutil.copyfile(each, copy.parent / each.name)
    return copy


def _variables(engine: Any) -> dict[str, Variable]:
    table = engine.doc.astype(object).where(engine.doc.notna(), None)
    found = (
        Variable(
            name=display(row["Real Name"]),
            python=row["Py Name"],
            ranges=tuple(row["Subscripts"] or ()),
            kind=row["Type"] or "",
        )
        for row in table.to_dict("records")
    )
    return {key(each.name): each for each in found if each.python != _TIME}


def change(model: PysdModel, changes: Sequence[Change]) -> None:
    """Give constants and lookups other numbers, each in its own units."""
    for each in changes:
        variable = model.variable(each.name)
        new = _lookup(model, variable, each) if each.table is not None else _constant(model, variable, each)
        if variable.python in _CONTROL:
            model.engine.time.set_control_vars(**{variable.python: new})
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.engine.set_components({variable.python: new})


def _lookup(model: PysdModel, variable: Variable, wanted: Change) -> object:
    if variable.kind != "Lookup" or variable.ranges or wanted.table is None:
        message = f"{model.path}: PySD cannot change '{variable.name}' as a table; change a lookup without subscripts"
        raise ReferenceError(message)
    import pandas as pd

    xs, ys = zip(*wanted.table.points, strict=True)
    return pd.Series(data=ys, index=xs)


def _constant(model: PysdModel, variable: Variable, wanted: Change) -> float | xr.DataArray:
    """The whole of a constant, an array over its ranges if it has any, with the wanted numbers put in."""
    if variable.kind != "Constant":
        message = f"{model.path}: '{variable.name}' is not a constant; name one of the model's constants"
        raise ReferenceError(message)
    ranges = [list(model.engine.subscripts[each]) for each in variable.ranges]
    if wanted.subscripts and len(wanted.subscripts) != len(ranges):
        counts = f"{len(ranges)} subscripts, not {len(wanted.subscripts)}"
        message = f"{model.path}: '{variable.name}' has {counts}; correct them"
        raise ReferenceError(message)
    names = wanted.subscripts or variable.ranges
    places = [_positions(model, each, labels) for each, labels in zip(names, ranges, strict=True)]
    values, size = np.array(wanted.values, dtype=np.float64), math.prod(map(len, places))
    if values.size not in (1, size):
        takes = "1 number" if size == 1 else f"1 or {size} numbers"
        message = f"{model.path}: '{variable.name}' takes {takes}, not {values.size}; correct them"
        raise ReferenceError(message)
    whole = np.array(model.engine[variable.python], dtype=np.float64)
    whole[np.ix_(*places)] = values.reshape([len(each) for each in places]) if values.size > 1 else values[0]
    return (
        xr.DataArray(whole, dict(zip(variable.ranges, ranges, strict=True)), variable.ranges)
        if ranges
        else float(whole)
    )


def _positions(model: PysdModel, name: str, labels: Sequence[str]) -> list[int]:
    """Where a label, or the labels of a range, stand among the labels of one dimension."""
    own = [key(each) for each in labels]
    ranges = {key(each): [key(label) for label in members] for each, members in model.engine.subscripts.items()}
    wanted = ranges.get(key(name), [key(name)])
    if not set(wanted) <= set(own):
        message = (
            f"{model.path}: '{name}' is neither one of {', '.join(labels)} nor a range of them; correct the subscript"
        )
        raise ReferenceError(message)
    return [own.index(each) for each in wanted]


def start(model: PysdModel) -> None:
    """Set all states to their initial values, as floats.

    PySD keeps a state whole that begins with whole numbers, and a smooth then loses the decimals of its first step.
    """
    model.engine.initialize()
    _float_states(model.engine)


def _float_states(engine: Any) -> None:
    for stateful in engine._stateful_elements.values():  # noqa: SLF001 - the states have no public name
        if hasattr(stateful, "_stateful_elements"):
            _float_states(stateful)
        elif isinstance(stateful.state, np.ndarray | xr.DataArray) and stateful.state.dtype.kind in "iu":
            stateful.state = np.asarray(stateful.state, dtype=np.float64)
