"""How files hold a run's dates, texts and Booleans, and how a file becomes a run again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..dataset import DATE
from ..errors import StoreError

ORDER = "variable_order"
"""The attribute of a file that keeps the order of the variables, which file formats lose."""
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError)
"""What readers of files raise on one that is damaged or of another kind."""

_EPOCH = "seconds since 1970-01-01"

ENCODINGS: Mapping[str, tuple[Callable[[Any], Any], Any, dict[str, str]]] = {
    **dict.fromkeys("fiu", (np.asarray, None, {})),
    "b": (lambda values: values.astype("i1"), "i1", {"dtype": "bool"}),
    "M": (lambda values: values.astype("datetime64[s]").astype("int64"), "i8", {"units": _EPOCH}),
    "U": (lambda values: values.astype(object), str, {}),
}
"""For each kind of NumPy array: the conversion, the stored type (None: its own), and the attributes that readers need."""


def check_attributes(run: xr.Dataset, target: Path) -> None:
    """Check that attributes are texts, numbers or lists of them; other readers do not know other Python objects."""
    holders = {"the run": run.attrs} | {f"'{name}'": variable.attrs for name, variable in run.variables.items()}
    for holder, attributes in holders.items():
        for name, value in attributes.items():
            if not isinstance(name, str) or np.asarray(value).dtype.kind not in "Ufiu" or np.ndim(value) > 1:
                text = " ".join(repr(value).split())
                message = f"{target}: attribute {name!r} of {holder} is {text:.60}; make it a text or a number"
                raise StoreError(message)


def auxiliary_coordinates(run: xr.Dataset) -> dict[str, set[Hashable]]:
    """Return the coordinates that are not dimensions, with the dimensions of each."""
    return {str(name): set(coordinate.dims) for name, coordinate in run.coords.items() if name not in run.dims}


def coordinates_attribute(auxiliary: Mapping[str, set[Hashable]], dims: Iterable[Hashable]) -> dict[str, str]:
    """Return the attribute of the CF conventions that lists the auxiliary coordinates of a variable with these dimensions."""
    own = set(dims)
    names = [name for name, needed in auxiliary.items() if needed.issubset(own)]
    return {"coordinates": " ".join(names)} if names else {}


def decode(stored: xr.Dataset) -> xr.Dataset:
    """Make a run from a file's content: restore the order of variables, dates, text labels and plain numbers."""
    plain = stored.drop_encoding()
    order = str(plain.attrs.pop(ORDER, "\n".join(map(str, plain.data_vars)))).splitlines()
    others = {name: variable for name, variable in plain.variables.items() if name not in order}
    run = xr.Dataset({name: plain.variables[name] for name in order}, others, plain.attrs)
    if DATE in run.coords and run[DATE].attrs.get("units") == _EPOCH:
        dates = run[DATE].values.astype("datetime64[s]").astype("datetime64[ns]")
        attributes = {name: value for name, value in run[DATE].attrs.items() if name not in ("units", "calendar")}
        run = run.assign_coords({DATE: (run[DATE].dims, dates, attributes)})
    for name in [name for name, coordinate in run.coords.items() if coordinate.dtype.kind in "OT"]:
        texts = np.array(run[name].values.tolist(), dtype=str)
        run = run.assign_coords({name: (run[name].dims, texts, run[name].attrs)})
    for attributes in (run.attrs, *(variable.attrs for variable in run.variables.values())):
        attributes.update({name: value.item() for name, value in attributes.items() if isinstance(value, np.generic)})
    return run
