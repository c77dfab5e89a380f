"""The form of a run: an `xr.Dataset` with fixed dimensions, coordinates and attributes, and ways to find variables in it."""

from __future__ import annotations

import calendar
import functools
import itertools
import json
import platform
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Expr

from . import __version__
from .errors import DatasetError, format_count
from .extras import made_once
from .files import decode, encode_text, reading_as
from .model import (
    GIVEN_DATA,
    Element,
    Model,
    data_variables,
    display_name,
    evaluate_arrays,
    has_points,
    join_name,
    key,
    points_in,
    references_in,
    split_name,
    split_reference,
    suggest,
)
from .numerals import YEAR_UNITS
from .scenario import TextChange

TIME = "time"
DATE = "date"
MEMBER = "member"
"""The dimension of an ensemble."""
PROBABILITY = "probability"
"""The dimension of quantiles over members."""
MODEL_ERROR = "model_error"
"""The attribute of quantiles that include the model error of a back-test: the name of the file that has it."""
RATIO = "is_ratio"
"""The attribute of a variable that is divided by its baseline, where others have it subtracted."""
ANALYSIS = "analysis"
"""The attribute that says which analysis a dataset is."""
BLOCK = "members_in_a_block"
"""The attribute of a stored ensemble with the number of members that are stored, and read, together."""
BASE = "base"
"""The attribute of a lever's dimension with the lever's value in the model, if it is among those along the dimension."""
DIGEST = "design_sha256"
"""The attribute of an ensemble with a hash of everything that decides the constants of its members."""
NOISE_ALONE = "random functions alone"
"""How the members of an ensemble were sampled that differ by their random numbers only."""
SOURCES = "sources"
"""The attribute with the files that the data of a run comes from: a hash and a path in each line, `*` before time series."""
POINTS = "points"
"""The attribute with the points of data variables, of a run that was given some from Python."""
TEXTS = "texts"
"""The attribute with the texts of the model's string variables, as JSON, of a run whose model has some."""
TEXT = "model_text"
"""The attribute of a run with the text of its model: UTF-8 bytes as an array, which prints short; a text in files."""
ENCODING = "model_encoding"
"""The attribute with the encoding of a model's file that its bytes do not show."""
PROVENANCE = ("model", "model_sha256", "integrator", "engine", "created")
"""Attributes that every run has."""

_DATED = (1678.0, 2262.0)
"""The years that nanoseconds since 1970 can express."""
_MAX_NAME = 200
"""Bytes of a dimension's name; files allow 255."""


def make_run(
    model: Model,
    times: NDArray[np.float64],
    values: Mapping[str, Any],
    *,
    dims: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
    alike: Hashable = None,
) -> xr.Dataset:
    """Make the dataset of a run from `values` by element key, shape (time, labels of each dimension, members).

    Constants have no time axis. `dims` are the member dimensions with their coordinates. A value without them holds for all
    members; a constant keeps only those along which it varies. Single runs of a model that are `alike` have the same variables
    in the same order, as arrays of floats: those with the same times are checked once. Raises DatasetError if a member dimension has the name of
    something else in the run.
    """
    times = np.array(times, dtype=float)
    created = _provenance(model, values) | dict(attributes or {})
    if dims or alike is None:
        return _make_run(model, times, values, dims or {}).assign_attrs(created)
    frames = _FRAMES.setdefault(model, {})
    kind = (times.tobytes(), alike)
    if frame := frames.get(kind):
        return frame.fill(values, created)
    found = _make_run(model, times, values, {}).assign_attrs(created)
    if frame := _frame_of(found, [model.identifiers[name] for name in values]):
        frames.pop(next(iter(frames)), None) if len(frames) >= _MOST_FRAMES else None
        frames[kind] = frame
    return found


def _labels(given: Any) -> NDArray[Any]:
    """Labels of members as an array, in which texts are texts: those from pandas are Python objects."""
    labels = np.asarray(given)
    texts = labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels)
    return labels.astype(str) if texts else labels


def _make_run(
    model: Model, times: NDArray[np.float64], values: Mapping[str, Any], dims: Mapping[str, Any]
) -> xr.Dataset:
    members = {name: xr.Variable((name,), _labels(own), getattr(own, "attrs", {})) for name, own in dims.items()}
    elements = [model.elements[name] for name in values]
    ranges = model.range_identifiers
    _check_names(members, (TIME, DATE, *ranges.values()))
    variables = {}
    for element in elements:
        name = model.identifiers[element.key]
        variables[name] = _variable(name, element, values[element.key], ranges, members)
    _check_names(members, [name for name, variable in variables.items() if variable.dims != (name,)])
    coordinates: dict[str, Any] = {TIME: ((TIME,), times, {"long_name": "Time", "units": model.time_units})}
    used = {
        name: model.subscripts[dimension]
        for element in elements
        for name, dimension in zip(_dimension_names(element, ranges), element.dimensions, strict=True)
    }
    for name, subscript in used.items():
        labels = np.array([display_name(label) for label in subscript.labels], dtype=str)
        coordinates[name] = ((name,), labels, {"long_name": display_name(subscript.name), "kind": "subscript"})
    coordinates |= {name: labels for name, labels in members.items() if name not in variables}
    dated = key(model.time_units) in YEAR_UNITS and np.all((times >= _DATED[0]) & (times <= _DATED[1]))
    if dated and DATE not in variables:
        coordinates[DATE] = ((TIME,), dates_of(times), {"long_name": "Date"})
    return xr.Dataset(variables, coordinates)


_SLOTS = ("_attrs", "_data", "_dims", "_encoding")
_MOST_FRAMES = 4


@dataclass(frozen=True, slots=True)
class _Frame:
    """The dataset of a single run without its values: checked once, and filled for each run of the model with these times.

    `variables` are the name, dimensions and attributes of each variable, `coordinates` all others.
    To make and check hundreds of variables takes many times as long as the run; xarray has no public way around it.
    """

    variables: tuple[tuple[str, tuple[Hashable, ...], dict[Any, Any]], ...]
    coordinates: Mapping[str, xr.Variable]
    dims: Mapping[Hashable, int]
    indexes: Mapping[Hashable, Any]

    def fill(self, values: Mapping[str, Any], attributes: dict[str, Any]) -> xr.Dataset:
        """Return the dataset with values, in the order of `variables`."""
        made: dict[Any, xr.Variable] = {}
        new = object.__new__
        for (name, dims, own), array in zip(self.variables, values.values(), strict=True):
            variable = new(xr.Variable)  # as `_variable_of`, here without the call
            variable._dims, variable._data, variable._attrs, variable._encoding = dims, array, own.copy(), None  # noqa: SLF001 - as above
            made[name] = variable
        for name, old in self.coordinates.items():
            data = old._data.copy() if isinstance(old._data, np.ndarray) else old._data  # noqa: SLF001 - an index is immutable
            made[name] = _variable_of(type(old), old.dims, data, old.attrs)
        return xr.Dataset._construct_direct(  # noqa: SLF001 - as above
            made, set(self.coordinates), dict(self.dims), attributes, dict(self.indexes)
        )


_FRAMES: WeakKeyDictionary[Model, dict[Any, _Frame]] = WeakKeyDictionary()
"""The frames of the last few kinds of runs of a model, by their times and variables."""


def _variable_of(kind: type[xr.Variable], dims: Any, data: Any, attributes: dict[Any, Any]) -> xr.Variable:
    """Make a variable as its class does, without checks."""
    made = object.__new__(kind)
    made._dims, made._data, made._attrs, made._encoding = dims, data, attributes.copy(), None
    return made


def _frame_of(run: xr.Dataset, names: Sequence[str]) -> _Frame | None:
    """Return the frame of a run that was made with all checks, or None if xarray's classes are not as expected."""
    variables = {str(name): variable for name, variable in run.variables.items()}
    own = {name: variables.pop(name) for name in names}
    plain = all(type(variable) is xr.Variable for variable in own.values())
    as_expected = xr.Variable.__slots__ == _SLOTS and hasattr(xr.Dataset, "_construct_direct")
    if not (plain and as_expected and set(variables) == set(run.coords) and [*run.variables] == [*own, *variables]):
        return None
    entries = tuple((name, variable.dims, dict(variable.attrs)) for name, variable in own.items())
    coordinates = {name: variable.copy() for name, variable in variables.items()}
    return _Frame(entries, coordinates, dict(run.sizes), dict(run.xindexes))


def check_run(dataset: xr.Dataset, name: str) -> None:
    """Check that a dataset is a run; `name` is what the error calls it.

    Raises DatasetError if it lacks time, or one of the attributes in `PROVENANCE`.
    """
    if not isinstance(dataset, xr.Dataset):
        message = f"{name}: is not a run of a model but a {type(dataset).__name__}; give what `simulate` returns"
        raise DatasetError(message)
    lacking = [attribute for attribute in PROVENANCE if attribute not in dataset.attrs]
    timed = dataset.sizes.get(TIME, 0) and TIME in dataset.coords and dataset.coords[TIME].dtype.kind in "fiu"
    if not timed or lacking:
        what = f"attribute {lacking[0]!r}" if lacking else "time"
        message = f"{name}: is not a run of a model, it lacks its {what}; make one with `sdmodel run`"
        raise DatasetError(message)


def find_variable(run: xr.Dataset, name: str) -> xr.DataArray:
    """Find a variable by its name in any spelling that Vensim accepts; `name[label]` selects one of its labels.

    Raises DatasetError if the run has no such variable or label; the message suggests the nearest one.
    """
    plain = key(name)
    found = run.variables[plain] if plain in run.data_vars else None
    if found is not None and key(str(found.attrs.get("long_name", plain))) == plain:
        return run[plain]  # without a look at all others
    return _Finder(run).find(name)


def arrays_of(run: xr.Dataset) -> Callable[[Hashable], xr.DataArray]:
    """Return what gives the variables of a run as `run[name]` does.

    That looks at all variables of the run to find the coordinates; here variables with the same dimensions share them.
    """
    coordinates = set(run.coords)
    alike: dict[tuple[Hashable, ...], xr.DataArray] = {}

    def array(name: Hashable) -> xr.DataArray:
        bare = run.variables[name]
        if name in coordinates:
            return run[name]
        if bare.dims in alike:
            return xr.DataArray(bare, alike[bare.dims].coords, name=name)
        return alike.setdefault(bare.dims, run[name])

    return array


class _Finder:
    """Finds the variables of a run by their names in the model."""

    def __init__(self, run: xr.Dataset) -> None:
        self.array, coordinates = arrays_of(run), set(run.coords)
        self.names = {
            str(name): str(variable.attrs.get("long_name", name))
            for name, variable in run.variables.items()
            if name not in coordinates or variable.attrs.get("kind", "subscript") != "subscript"
        }
        self.known = {key(name): name for name in self.names} | {key(own): name for name, own in self.names.items()}

    def find(self, name: str) -> xr.DataArray:
        """Find a variable, or raise a DatasetError."""
        whole, labels = split_name(name, self.known)
        if key(whole) not in self.known:
            spellings = [*self.known.values(), *(self.names[own] for own in self.known.values())]
            cure = suggest(whole, spellings, "`sdmodel show RUN` lists what it holds")
            message = f"'{display_name(whole)}' is not in the run; {cure}"
            raise DatasetError(message)
        variable = self.array(self.known[key(whole)])
        return _at_labels(variable, labels) if labels else variable


def find_in_order(run: xr.Dataset, names: Iterable[str]) -> list[xr.DataArray]:
    """Find variables by their names, as `find_variable` does, in their order."""
    return list(map(_Finder(run).find, names))


def has_variable(run: xr.Dataset, name: str) -> bool:
    """Whether a run has a variable of that name, and the label if it has one."""
    try:
        find_variable(run, name)
    except DatasetError:
        return False
    return True


def evaluate_formula(run: xr.Dataset, expression: Expr) -> xr.DataArray:
    """Evaluate a formula over the variables of a run and `Time`; the result has the dimensions of these.

    Raises DatasetError if the run lacks a variable of the formula.
    """
    names = list(dict.fromkeys(map(split_reference, references_in(expression))))
    spelled = [join_name(*name) for name in names]
    finder = _Finder(run)
    broadcast = xr.broadcast(*(run[TIME] if name == TIME else finder.find(name) for name in spelled))
    values = dict(zip(names, (array.values for array in broadcast), strict=True))
    result = evaluate_arrays(expression, lambda name, subscripts: values[name, subscripts])
    frame = broadcast[0] if broadcast else xr.DataArray(0.0)
    return xr.DataArray(result, frame.coords, frame.dims)


def find_variables(run: xr.Dataset, names: Iterable[str]) -> dict[str, xr.DataArray]:
    """Find several variables, by their names in the model; the error lists every name that is missing.

    Raises DatasetError if the run lacks some of them.
    """
    found: dict[str, xr.DataArray] = {}
    faults: list[str] = []
    finder = _Finder(run)
    for name in names:
        try:
            variable = finder.find(name)
        except DatasetError as fault:
            faults.append(str(fault))
        else:
            found[long_name(variable)] = variable
    if faults:
        raise DatasetError("\n".join(faults))
    return found


def bare_variables(run: xr.Dataset) -> dict[str, xr.Variable]:
    """Return the variables of a run by name, without coordinates: `run[name]` looks at every variable to find those of one."""
    coordinates = set(run.coords)
    return {str(name): variable for name, variable in run.variables.items() if name not in coordinates}


def spelled_names(run: xr.Dataset, chosen: Callable[[xr.Variable], bool]) -> list[str]:
    """Return the names of chosen variables of a run as the model spells them."""
    bare = bare_variables(run).items()
    return [str(variable.attrs.get("long_name", name)) for name, variable in bare if chosen(variable)]


def long_name(variable: xr.DataArray) -> str:
    """Return the name of a variable as the model spells it."""
    return str(variable.attrs.get("long_name", variable.name))


def describe_model(run: xr.Dataset) -> str:
    """Say which model a run is of: the name of its file and the start of its hash."""
    name, sha256 = (str(run.attrs.get(attribute, "")) for attribute in ("model", "model_sha256"))
    return f"Model {Path(name).name}, sha256 {sha256[:12]}"


def describe_sampling(run: xr.Dataset) -> str:
    """Say how the members of an ensemble were sampled, if it is recorded: the method, and the seed if it counts."""
    method = str(run.attrs.get("design_method", ""))
    return f"{method}, seed {run.attrs.get('seed')}" if method not in ("", NOISE_ALONE) else method


def subscript_dims(variable: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Return the dimensions that are subscript ranges of the model."""
    return tuple(str(dim) for dim in variable.dims if _is_subscript(variable, dim))


def member_dims(variable: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Return the dimensions along which runs differ: neither time nor a subscript range."""
    return tuple(str(dim) for dim in variable.dims if dim != TIME and not _is_subscript(variable, dim))


def labels_along(variable: xr.DataArray, dims: Sequence[str]) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Iterate over all combinations of labels along some dimensions: their positions and their labels."""
    labels = [[*map(str, variable.coords[dim].values)] for dim in dims]
    yield from zip(itertools.product(*(range(len(own)) for own in labels)), itertools.product(*labels), strict=True)


def with_labels(name: str, labels: Sequence[str]) -> str:
    """Return a name with labels, after those that it has already."""
    if not labels:
        return name
    whole, others = split_name(name)
    return join_name(whole, (*others, *labels))


def lever_dims(variable: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Return the dimensions of levers, in order: member dimensions whose coordinate has the name of a constant."""
    if isinstance(variable, xr.DataArray):
        dims = [variable.dims]
    else:
        dims = sorted((own.dims for own in bare_variables(variable).values()), key=lambda own: -len(own))
    members = member_dims(variable)
    ordered = dict.fromkeys(
        dim for own in dims for dim in map(str, own) if dim in members
    )  # a dataset's own order is arbitrary
    return tuple(dim for dim in ordered if dim in variable.coords and "long_name" in variable[dim].attrs)


def base_positions(values: xr.DataArray | xr.Dataset) -> dict[str, int]:
    """Return the position of each lever's own value along its dimension, for the levers that have it there."""
    found: dict[str, int] = {}
    for dim in lever_dims(values):
        places = np.flatnonzero(values[dim].values == values[dim].attrs.get(BASE, np.nan))
        found |= {dim: int(places[0])} if places.size else {}
    return found


def held_positions(values: xr.DataArray | xr.Dataset, shown: Collection[str]) -> dict[str, int]:
    """Return the positions of the levers that a figure does not show: at their own values, or else in the middle."""
    own = base_positions(values)
    return {dim: own.get(dim, values.sizes[dim] // 2) for dim in lever_dims(values) if dim not in shown}


def member_blocks(run: xr.Dataset, dim: str, most: int = 1) -> Iterator[tuple[int, int, xr.Dataset]]:
    """Split a run into blocks of members: the first member of each, the end, and the part of the run.

    Blocks are whole blocks of a stored ensemble, as many as fit into `most` members, but at least one.
    """
    stored = int(run.attrs.get(BLOCK, 1))
    step = max(1, most // stored) * stored
    count = run.sizes[dim]
    for first in range(0, count, step):
        last = min(first + step, count)
        yield first, last, run.isel({dim: slice(first, last)})


def dates_of(years: NDArray[np.float64]) -> NDArray[Any]:
    """Convert decimal years to dates, to the second: 1 January plus that fraction of the year's length."""
    whole = np.floor(years)
    starts = (whole.astype(int) - 1970).astype("datetime64[Y]")
    first, after = starts.astype("datetime64[s]"), (starts + np.timedelta64(1, "Y")).astype("datetime64[s]")
    seconds = np.rint((years - whole) * (after - first).astype(float))
    dates: NDArray[Any] = (first + seconds.astype("timedelta64[s]")).astype("datetime64[ns]")
    return dates


def decimal_year(date: datetime) -> float:
    """Convert a date to a decimal year; `dates_of` converts it back."""
    moment = date.replace(tzinfo=UTC)
    first = datetime(moment.year, 1, 1, tzinfo=UTC)
    return moment.year + (moment - first).total_seconds() / (86400 * (365 + calendar.isleap(moment.year)))


def _is_subscript(variable: xr.DataArray | xr.Dataset, dim: Hashable) -> bool:
    return dim in variable.coords and variable.coords[dim].attrs.get("kind") == "subscript"


def _dimension_names(element: Element, ranges: Mapping[str, str]) -> tuple[str, ...]:
    """The dimensions of an element; a repeated range gets a number, since an array may not have a dimension twice."""
    counts = (element.dimensions[: axis + 1].count(own) for axis, own in enumerate(element.dimensions))
    pairs = zip(element.dimensions, counts, strict=True)
    return tuple(ranges[dimension] if count == 1 else f"{ranges[dimension]}_{count}" for dimension, count in pairs)


def _variable(
    name: str, element: Element, value: Any, ranges: Mapping[str, str], members: Mapping[str, xr.Variable]
) -> xr.Variable:
    """The values of an element with dimensions and attributes; a constant drops the members along which it is the same."""
    constant = element.kind == "constant"
    own = (*(() if constant else (TIME,)), *_dimension_names(element, ranges))
    array = np.asarray(value, dtype=float)
    names = own if array.ndim == len(own) else (*own, *members)
    if array.ndim != len(names):
        message = f"'{element.name}' has shape {array.shape}; it must have the dimensions {', '.join(names) or 'none'}"
        raise DatasetError(message)
    attributes: dict[str, str | float] = {
        "long_name": join_name(display_name(element.name)),
        "units": element.units,
        "comment": element.comment,
        "equation": "; ".join(" ".join(equation.text.split()) for equation in element.equations),
        "kind": element.kind,
        "group": element.group,
    }
    if element.range is not None:
        bounds = {"minimum": element.range.minimum, "maximum": element.range.maximum}
        attributes |= {name: bound for name, bound in bounds.items() if bound is not None}
    variable = xr.Variable(names, array, attributes)
    for dim in members if constant and len(names) > len(own) else ():
        first = variable.isel({dim: 0})
        variable = first if dim != name and bool((variable == first).all()) else variable
    return variable


def _check_names(members: Iterable[str], others: Collection[str]) -> None:
    """Check the names of member dimensions, which may equal only the name of the constant that varies along them."""
    for dim in members:
        plain = dim.isprintable() and dim == dim.strip() and "/" not in dim
        if not dim or not plain or len(dim.encode()) > _MAX_NAME:
            message = f"dimension {dim!r:.60}: is not a valid name; use letters, digits and _, at most {_MAX_NAME}"
            raise DatasetError(message)
        if dim in others:
            message = f"dimension '{dim}': the run has something else with that name; rename the dimension"
            raise DatasetError(message)


def _provenance(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that say where a run comes from, as far as the model knows."""
    steps = {name: float(values[name]) for name in ("time_step", "saveper") if np.ndim(values.get(name, ())) == 0}
    return _origin(model) | {"created": datetime.now(UTC).isoformat(timespec="seconds")} | steps


@made_once
def _origin(model: Model) -> dict[str, Any]:
    """The attributes of all runs of a model."""
    found: dict[str, Any] = {
        "model": model.path,
        "model_sha256": model.sha256,
        TEXT: text_attribute(model.text),
        "scenario": "",
        "changes": "",
        "integrator": model.integrator,
        "engine": "native",
        "versions": _versions(),
    }
    if encoding := named_encoding(model):
        found[ENCODING] = encoding
    if model.sources:
        found[SOURCES] = "\n".join(f"{own.sha256} {'*' if own.is_series else ' '}{own.path}" for own in model.sources)
    if any(source.path == GIVEN_DATA for source in model.sources):
        found[POINTS] = given_points(model)
    if model.texts:
        found[TEXTS] = json.dumps(dict(model.texts))
    return found


def text_attribute(text: str) -> NDArray[np.uint8]:
    """Return the attribute `TEXT` of a run in memory."""
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)


def text_of(attributes: Mapping[Any, Any]) -> str:
    """Return the text of the model from the attributes of a run, in memory or in a file; empty if they have none."""
    found = attributes.get(TEXT, "")
    return found if isinstance(found, str) else bytes(found).decode("utf-8", "surrogatepass")


def model_content(run: xr.Dataset) -> bytes | None:
    """Return the bytes of the model file of a run, or None if its record lacks them or contradicts itself."""
    return encode_text(text_of(run.attrs), str(run.attrs["model_sha256"]), str(run.attrs.get(ENCODING, "")))


@made_once
def named_encoding(model: Model) -> str | None:
    """Return the encoding of a model's file, if a reader of its bytes cannot find it."""
    if model.encoding == "utf-8":
        return None
    with reading_as("cp1252"):
        found = decode(model.text.encode(model.encoding))[1]
    return None if found == model.encoding else model.encoding


def model_encoding(run: xr.Dataset) -> str | None:
    """Return the encoding of the bytes of the model file of a run, where their reader must know it."""
    return str(run.attrs[ENCODING]) if ENCODING in run.attrs else None


def recorded_texts(run: xr.Dataset) -> tuple[TextChange, ...]:
    """Return the texts that the string variables of a model had in a run, as changes; none if its record is damaged."""
    try:
        found = json.loads(str(run.attrs.get(TEXTS, "{}")))
        return tuple(TextChange(name, text) for name, text in found.items() if isinstance(text, str))
    except (ValueError, AttributeError):
        return ()


def given_points(model: Model) -> str:
    """The points of all data variables of a model as JSON: a list of key, labels and points for each cell."""
    return json.dumps(
        [
            (cell.key, cell.labels, table.points)
            for _, points in data_variables(model)
            for cell, table in points_in(model, points).items()
            if has_points(table)
        ]
    )


@functools.cache
def _versions() -> str:
    found = [f"sdmodel {__version__}", f"python {platform.python_version()}"]
    for name in ("numpy", "llvmlite", "sympy", "xarray"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _at_labels(variable: xr.DataArray, labels: Collection[str]) -> xr.DataArray:
    """The part of a variable at some labels, in the order of its subscripts; the name of a range selects all its labels."""
    dims = subscript_dims(variable)
    if len(labels) > len(dims):
        message = f"'{long_name(variable)}' has {format_count(len(dims), 'subscript')}; write at most as many labels"
        raise DatasetError(message)
    chosen: dict[Hashable, int] = {}
    for dim, label in zip(dims, labels, strict=False):
        coordinate = variable.coords[dim]
        known = {key(str(own)): position for position, own in enumerate(coordinate.values)}
        if key(label) in known:
            chosen[dim] = known[key(label)]
        elif key(label) not in (key(dim), key(long_name(coordinate))):
            cure = suggest(label, map(str, coordinate.values), f"one of {', '.join(map(str, coordinate.values))}")
            message = f"'{long_name(variable)}' has no label '{label}'; {cure}"
            raise DatasetError(message)
    part = variable.isel(chosen)
    names = [str(variable.coords[dim].values[place]) for dim, place in chosen.items()]
    return part.assign_attrs(long_name=with_labels(long_name(variable), names)) if names else part
