"""What files hold in place of a run's dates, texts and yes-or-no values, and how they become a run again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..dataset import DATE
from ..errors import StoreError

ORDER = "variable_order"
"""The attribute of a file that keeps the order of the model, which files forget."""
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError)
"""What readers of files raise on one that is damaged or of another kind."""

_EPOCH = "seconds since 1970-01-01"

AS_STORED: Mapping[str, tuple[Callable[[Any], Any], Any, dict[str, str]]] = {
    **dict.fromkeys("fiu", (np.asarray, None, {})),
    "b": (lambda values: values.astype("i1"), "i1", {"dtype": "bool"}),
    "M": (lambda values: values.astype("datetime64[s]").astype("int64"), "i8", {"units": _EPOCH}),
    "U": (lambda values: values.astype(object), str, {}),
}
"""For each kind of NumPy's arrays how it is stored, as what type (its own if none), and what tells its reader so."""


def check_attributes(run: xr.Dataset, target: Path) -> None:
    """Attributes are texts, numbers, or lists of one of them: what else there is in Python, other readers do not know."""
    holders = {"the run": run.attrs} | {f"'{name}'": each.attrs for name, each in run.variables.items()}
    for holder, attributes in holders.items():
        for name, value in attributes.items():
            if not isinstance(name, str) or np.asarray(value).dtype.kind not in "Ufiu" or np.ndim(value) > 1:
                told = " ".join(repr(value).split())
                message = f"{target}: attribute {name!r} of {holder} is {told:.60}; make it a text or a number"
                raise StoreError(message)


def besides(run: xr.Dataset) -> dict[str, set[Hashable]]:
    """The coordinates beside dimensions, with the dimensions that each lies along."""
    return {str(name): set(each.dims) for name, each in run.coords.items() if name not in run.dims}


def coordinates_told(beside: Mapping[str, set[Hashable]], dims: Iterable[Hashable]) -> dict[str, str]:
    """The attribute by which readers that know the CF conventions find dates and other coordinates beside dimensions."""
    own = set(dims)
    names = [name for name, each in beside.items() if each.issubset(own)]
    return {"coordinates": " ".join(names)} if names else {}


def as_saved(stored: xr.Dataset) -> xr.Dataset:
    """Undo what the file format does to a run: the order of its variables, dates, text labels, plain numbers."""
    plain = stored.drop_encoding()
    order = str(plain.attrs.pop(ORDER, "\n".join(map(str, plain.data_vars)))).splitlines()
    others = {name: each for name, each in plain.variables.items() if name not in order}
    run = xr.Dataset({name: plain.variables[name] for name in order}, others, plain.attrs)
    if DATE in run.coords and run[DATE].attrs.get("units") == _EPOCH:
        dates = run[DATE].values.astype("datetime64[s]").astype("datetime64[ns]")
        kept = {name: value for name, value in run[DATE].attrs.items() if name not in ("units", "calendar")}
        run = run.assign_coords({DATE: (run[DATE].dims, dates, kept)})
    for name in [name for name, each in run.coords.items() if each.dtype.kind in "OT"]:
        texts = np.array(run[name].values.tolist(), dtype=str)
        run = run.assign_coords({name: (run[name].dims, texts, run[name].attrs)})
    for attributes in (run.attrs, *(each.attrs for each in run.variables.values())):
        attributes.update({name: each.item() for name, each in attributes.items() if isinstance(each, np.generic)})
    return run
