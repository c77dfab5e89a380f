"""Numbers of a run, cell by cell: what an element is over time, and what an expression comes to."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Expr

from ..model import Binding, Cell, SubscriptFault, evaluate_arrays, position, resolve
from .subject import Subject


def series(subject: Subject, run: xr.Dataset, cell: Cell) -> NDArray[np.float64]:
    """One cell over a run of one member, shape (times or 1,), in its own units."""
    element = subject.model.elements[cell.key]
    values = subject.values(run, cell.key)
    for dim, label in zip(element.dimensions, cell.labels, strict=True):
        values = values[:, subject.model.subscripts[dim].positions[label]]
    return values


def evaluated(subject: Subject, run: xr.Dataset, expression: Expr, binding: Binding) -> NDArray[np.float64] | None:
    """An expression over a run, shape (times or 1,) or of a number; none where it needs more than arithmetic."""
    subscripts = subject.model.subscripts

    def read(name: str, labels: tuple[str, ...]) -> NDArray[np.float64]:
        if name == "time":
            return np.asarray(run["time"].values, dtype=float)
        if not labels and (name in subscripts or name in binding):
            return np.asarray(position(subscripts, name, binding))
        return series(subject, run, Cell(name, tuple(resolve(subscripts, each, binding) for each in labels)))

    try:
        return evaluate_arrays(expression, read)
    except (KeyError, SubscriptFault):  # a function with a memory, a sum over labels, a hidden element
        return None
