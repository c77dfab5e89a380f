"""What a run is: an `xr.Dataset` with a fixed choice of dimensions, coordinates and attributes."""

from __future__ import annotations

import functools
import platform
from collections.abc import Collection, Hashable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Expr

from . import __version__
from .errors import DatasetError
from .model import Element, Model, display, evaluate_arrays, key, nearest, references, referred

TIME = "time"
DATE = "date"
MEMBER = "member"
"""The dimension of an ensemble."""
PROBABILITY = "probability"
"""The dimension of quantiles over members."""
BLOCK = "members_in_a_block"
"""The attribute of a stored ensemble that tells how many members lie, and are read, together."""
BASE = "base"
"""The attribute of a lever's dimension that tells the lever's own value, which is among those along the dimension."""
PROVENANCE = ("model", "model_sha256", "integrator", "engine", "created")
"""Attributes that every run has."""

_YEARS = frozenset({"year", "years", "yr", "yrs"})
_DATED = (1678.0, 2262.0)
_LONGEST = 200
"""Bytes of a dimension's name, of which files allow 255."""


def make_run(
    model: Model,
    times: NDArray[np.float64],
    values: Mapping[str, Any],
    *,
    dims: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The run of a model: `values` by element key, shape (time, labels of each dimension, members), in their own units.

    Constants come without the time axis. A value without the member dimensions `dims` (name -> coordinate, with its
    attributes if it is a DataArray) holds for all members; a constant keeps only those along which it varies.

    Raises
    ------
    DatasetError
        If a member dimension has the name of something else in the run.
    """
    members = {name: _member_coordinate(name, labels) for name, labels in (dims or {}).items()}
    elements = [model.elements[each] for each in values]
    ranges = model.range_identifiers
    _check_names(members, (TIME, DATE, *ranges.values()))
    named = {model.identifiers[each.key]: each for each in elements}
    variables = {name: _variable(name, each, values[each.key], ranges, members) for name, each in named.items()}
    _check_names(members, [name for name, each in variables.items() if each.dims != (name,)])
    coordinates: dict[str, Any] = {TIME: ((TIME,), np.asarray(times, dtype=float), _time_attributes(model))}
    coordinates |= _label_coordinates(model, elements, ranges)
    coordinates |= {name: each for name, each in members.items() if name not in variables}
    dates = _dates(model, times)
    if dates is not None and DATE not in variables:
        coordinates[DATE] = ((TIME,), dates, {"long_name": "Date"})
    return xr.Dataset(variables, coordinates, _provenance(model, values) | dict(attributes or {}))


def check_run(dataset: xr.Dataset, name: str) -> None:
    """Make sure that a dataset is a run.

    Raises
    ------
    DatasetError
        If it lacks time or the attributes that tell where it comes from.
    """
    if not isinstance(dataset, xr.Dataset):
        message = f"{name}: is not a run of a model but a {type(dataset).__name__}; give what `simulate` returns"
        raise DatasetError(message)
    lacking = [each for each in PROVENANCE if each not in dataset.attrs]
    timed = dataset.sizes.get(TIME, 0) and TIME in dataset.coords and dataset.coords[TIME].dtype.kind in "fiu"
    if not timed or lacking:
        what = f"attribute {lacking[0]!r}" if lacking else "time"
        message = f"{name}: is not a run of a model, it lacks its {what}; make one with `sdmodel run`"
        raise DatasetError(message)


def find_variable(run: xr.Dataset, name: str) -> xr.DataArray:
    """The variable of that name, spelt as Vensim allows; `name[label]` picks one of its labels.

    Raises
    ------
    DatasetError
        If the run has no such variable or label; it says which is the nearest.
    """
    known = _known_names(run)
    whole, _, inside = name.strip().removesuffix("]").rpartition("[")
    if key(name) in known or not whole or not name.strip().endswith("]"):
        return run[_known(run, known, name)]
    variable = run[_known(run, known, whole)]
    return _at_labels(variable, [part.strip() for part in inside.split(",")])


def has_variable(run: xr.Dataset, name: str) -> bool:
    """Whether a run has a variable of that name, and the label in it."""
    try:
        find_variable(run, name)
    except DatasetError:
        return False
    return True


def evaluate_formula(run: xr.Dataset, expression: Expr) -> xr.DataArray:
    """The values of a formula over the variables of a run and `Time`, with the dimensions of what it reads.

    Raises
    ------
    DatasetError
        If the run lacks a variable that the formula mentions.
    """
    names = list(dict.fromkeys(map(referred, references(expression))))
    arrays = [_mentioned(run, *name) for name in names]
    broadcast = xr.broadcast(*arrays)
    values = dict(zip(names, (each.values for each in broadcast), strict=True))
    result = evaluate_arrays(expression, lambda name, subscripts: values[name, subscripts])
    frame = broadcast[0] if broadcast else xr.DataArray(0.0)
    return xr.DataArray(result, frame.coords, frame.dims)


def _mentioned(run: xr.Dataset, name: str, subscripts: tuple[str, ...]) -> xr.DataArray:
    """What a formula means by a name; the names of a run come before its time."""
    if name == TIME and not subscripts:
        return run[TIME]
    return find_variable(run, f"{name}[{','.join(subscripts)}]" if subscripts else name)


def headlines(run: xr.Dataset, names: Iterable[str]) -> dict[str, xr.DataArray]:
    """The variables of those names, by the author's spelling; every name that is missing is told at once.

    Raises
    ------
    DatasetError
        If the run lacks some of them.
    """
    found: dict[str, xr.DataArray] = {}
    faults: list[str] = []
    for name in names:
        try:
            variable = find_variable(run, name)
        except DatasetError as fault:
            faults.append(str(fault))
        else:
            found[long_name(variable)] = variable
    if faults:
        raise DatasetError("\n".join(faults))
    return found


def long_name(variable: xr.DataArray) -> str:
    """The author's spelling of a variable's name."""
    return str(variable.attrs.get("long_name", variable.name))


def subscript_dims(variable: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """The dimensions that are subscript ranges of the model."""
    return tuple(str(dim) for dim in variable.dims if _is_subscript(variable, dim))


def member_dims(variable: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """The dimensions along which runs differ: neither time nor a subscript range."""
    return tuple(str(dim) for dim in variable.dims if dim != TIME and not _is_subscript(variable, dim))


def lever_dims(variable: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """The dimensions along which constants have values, in order: member dimensions whose coordinate is named after a constant."""
    arrays = (
        [variable] if isinstance(variable, xr.DataArray) else sorted(variable.values(), key=lambda each: -each.ndim)
    )
    ordered = dict.fromkeys(dim for each in arrays for dim in member_dims(each))  # a dataset's own order is by chance
    return tuple(dim for dim in ordered if dim in variable.coords and "long_name" in variable[dim].attrs)


def base_places(values: xr.DataArray | xr.Dataset) -> dict[str, int]:
    """Where along each lever's dimension its own value stands; nothing of those whose own value is not there."""
    found: dict[str, int] = {}
    for dim in lever_dims(values):
        places = np.flatnonzero(values[dim].values == values[dim].attrs.get(BASE, np.nan))
        found |= {dim: int(places[0])} if places.size else {}
    return found


def held_places(values: xr.DataArray | xr.Dataset, shown: Collection[str]) -> dict[str, int]:
    """Where along their dimensions the levers are held that are not shown: at their own values, else in the middle."""
    own = base_places(values)
    return {dim: own.get(dim, values.sizes[dim] // 2) for dim in lever_dims(values) if dim not in shown}


def dates_of(years: NDArray[np.float64]) -> NDArray[Any]:
    """The dates of decimal years, to the second: the first of January and that fraction of the year's length."""
    whole = np.floor(years)
    starts = (whole.astype(int) - 1970).astype("datetime64[Y]")
    first, after = starts.astype("datetime64[s]"), (starts + 1).astype("datetime64[s]")
    seconds = np.rint((years - whole) * (after - first).astype(float))
    dates: NDArray[Any] = (first + seconds.astype("timedelta64[s]")).astype("datetime64[ns]")
    return dates


def decimal_year(date: datetime) -> float:
    """The decimal year of a date, from which `dates_of` makes the same date again: its share of the year's own length."""
    moment = date.replace(tzinfo=UTC)
    first = datetime(moment.year, 1, 1, tzinfo=UTC)
    days = 366 if moment.year % 4 == 0 and (moment.year % 100 != 0 or moment.year % 400 == 0) else 365
    return moment.year + (moment - first).total_seconds() / (86400 * days)


def _is_subscript(variable: xr.DataArray | xr.Dataset, dim: Hashable) -> bool:
    return dim in variable.coords and variable.coords[dim].attrs.get("kind") == "subscript"


def _dimension_names(element: Element, ranges: Mapping[str, str]) -> tuple[str, ...]:
    """The dimensions of an element; a range that comes again is numbered, since no array may have a dimension twice."""
    names: list[str] = []
    for each in element.dimensions:
        count = 1 + sum(other == each for other in element.dimensions[: len(names)])
        names.append(ranges[each] if count == 1 else f"{ranges[each]}_{count}")
    return tuple(names)


def _variable(
    name: str, element: Element, value: Any, ranges: Mapping[str, str], members: Mapping[str, xr.Variable]
) -> xr.Variable:
    """One element's values with their dimensions and attributes; a constant keeps the dimension of its own name."""
    constant = element.kind == "constant"
    own = (*(() if constant else (TIME,)), *_dimension_names(element, ranges))
    array = np.asarray(value, dtype=float)
    names = own if array.ndim == len(own) else (*own, *members)
    if array.ndim != len(names):
        message = f"'{element.name}' has shape {array.shape}; it must have the dimensions {', '.join(names) or 'none'}"
        raise DatasetError(message)
    variable = xr.Variable(names, array, _attributes(element))
    for dim in members if constant and len(names) > len(own) else ():
        first = variable.isel({dim: 0})
        variable = first if dim != name and bool((variable == first).all()) else variable
    return variable


def _attributes(element: Element) -> dict[str, str | float]:
    """What the model says of an element."""
    described: dict[str, str | float] = {
        "long_name": display(element.name),
        "units": element.units,
        "comment": element.comment,
        "equation": "; ".join(" ".join(equation.text.split()) for equation in element.equations),
        "kind": element.kind,
        "group": element.group,
    }
    if element.range is not None:
        bounds = {"minimum": element.range.minimum, "maximum": element.range.maximum}
        described |= {name: bound for name, bound in bounds.items() if bound is not None}
    return described


def _member_coordinate(name: str, labels: Any) -> xr.Variable:
    attributes = labels.attrs if isinstance(labels, xr.DataArray | xr.Variable) else {}
    return xr.Variable((name,), np.asarray(labels), attributes)


def _label_coordinates(model: Model, elements: Iterable[Element], ranges: Mapping[str, str]) -> dict[str, xr.Variable]:
    """The labels of every range that some element has as a dimension."""
    used = {
        name: model.subscripts[each]
        for element in elements
        for name, each in zip(_dimension_names(element, ranges), element.dimensions, strict=True)
    }
    return {
        name: xr.Variable(
            (name,),
            np.array([display(label) for label in subscript.labels], dtype=str),
            {"long_name": display(subscript.name), "kind": "subscript"},
        )
        for name, subscript in used.items()
    }


def _check_names(members: Iterable[str], others: Collection[str]) -> None:
    """A member dimension has a plain name, which it may share only with the constant that it varies."""
    for dim in members:
        plain = dim.isprintable() and dim == dim.strip() and "/" not in dim
        if not dim or not plain or len(dim.encode()) > _LONGEST:
            message = f"dimension {dim!r:.60}: this is no name; use letters, digits and _, at most {_LONGEST}"
            raise DatasetError(message)
        if dim in others:
            message = f"dimension '{dim}': the run has something else of that name; call the dimension otherwise"
            raise DatasetError(message)


def _time_units(model: Model) -> str:
    return model["INITIAL TIME"].units if "INITIAL TIME" in model else ""


def _time_attributes(model: Model) -> dict[str, str]:
    return {"long_name": "Time", "units": _time_units(model)}


def _dates(model: Model, times: NDArray[np.float64]) -> NDArray[Any] | None:
    """Dates beside decimal years, where the model counts in years and nanoseconds reach that far."""
    low, high = _DATED
    if key(_time_units(model)) not in _YEARS or not np.all((times >= low) & (times <= high)):
        return None
    return dates_of(np.asarray(times, dtype=float))


def _provenance(model: Model, values: Mapping[str, Any]) -> dict[str, str | float]:
    """Where a run comes from, as far as the model tells."""
    found: dict[str, str | float] = {
        "model": model.path,
        "model_sha256": model.sha256,
        "model_text": model.text,
        "scenario": "",
        "changes": "",
        "integrator": model.integrator,
        "engine": "native",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
    }
    for name in ("time_step", "saveper"):
        if name in values and np.ndim(values[name]) == 0:
            found[name] = float(values[name])
    return found


@functools.cache
def _versions() -> str:
    """What the numbers may depend on, as `name version` pairs."""
    found = [f"sdmodel {__version__}", f"python {platform.python_version()}"]
    for name in ("numpy", "llvmlite", "sympy", "xarray"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _known_names(run: xr.Dataset) -> dict[str, str]:
    """What each variable may be called, by key: as in Python, or better, as its author spells it.

    Datasets make an array with all its coordinates of each variable that is asked for; its bare form is enough here.
    """
    coordinates = set(run.coords)
    found = {
        str(name): str(each.attrs.get("long_name", name))
        for name, each in run.variables.items()
        if name not in coordinates or each.attrs.get("kind", "subscript") != "subscript"
    }
    return {key(name): name for name in found} | {key(spelt): name for name, spelt in found.items()}


def _known(run: xr.Dataset, known: Mapping[str, str], name: str) -> str:
    if key(name) in known:
        return known[key(name)]
    close = nearest(name, [*known.values(), *(long_name(run[each]) for each in known.values())])
    cure = f"did you mean '{close}'?" if close else "`sdmodel show RUN` lists what it holds"
    message = f"'{display(name)}' is not in the run; {cure}"
    raise DatasetError(message)


def _at_labels(variable: xr.DataArray, labels: list[str]) -> xr.DataArray:
    """The part of a variable that some labels name, in the order of its subscripts; a range stands for it all."""
    dims = subscript_dims(variable)
    if len(labels) > len(dims):
        message = f"'{long_name(variable)}' has {len(dims)} subscripts; write at most so many labels"
        raise DatasetError(message)
    chosen: dict[Hashable, int] = {}
    for dim, label in zip(dims, labels, strict=False):
        coordinate = variable.coords[dim]
        known = {key(str(each)): position for position, each in enumerate(coordinate.values)}
        if key(label) in known:
            chosen[dim] = known[key(label)]
        elif key(label) not in (key(dim), key(long_name(coordinate))):
            close = nearest(label, map(str, coordinate.values))
            cure = f"did you mean '{close}'?" if close else f"one of {', '.join(map(str, coordinate.values))}"
            message = f"'{long_name(variable)}' has no label '{label}'; {cure}"
            raise DatasetError(message)
    part = variable.isel(chosen)
    spelt = ",".join(str(variable.coords[dim].values[place]) for dim, place in chosen.items())
    return part.assign_attrs(long_name=f"{long_name(variable)}[{spelt}]") if spelt else part
