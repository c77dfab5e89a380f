"""Constants as users give them (numbers, sequences, labelled arrays, a design) as one number per cell or per member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER
from ..errors import Fault, ScenarioError
from ..model import Cell, Model, key, labels_of
from ..scenario import constant_cells, split_name

_WHERE = "constants"

Constants = Mapping[str, Any] | xr.Dataset


@dataclass
class Inputs:
    """The constants that are set: `fixed` for all members, `varied` along dimensions of `members` (name -> coordinate).

    `owners` are the constants given along a dimension without labels.
    """

    fixed: dict[Cell, float] = field(default_factory=dict)
    varied: dict[Cell, xr.DataArray] = field(default_factory=dict)
    members: dict[str, xr.DataArray] = field(default_factory=dict)
    owners: dict[str, list[tuple[Cell, xr.DataArray]]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each member dimension."""
        return tuple(coordinate.size for coordinate in self.members.values())

    @property
    def count(self) -> int:
        """The number of members; one if nothing varies."""
        return prod(self.shape)

    def columns(self, first: int, last: int) -> NDArray[np.float64]:
        """The varied constants of some members, shape (varied cells, members)."""
        index = dict(zip(self.members, np.unravel_index(np.arange(first, last), self.shape), strict=True))
        rows = [array.values[tuple(index[str(dim)] for dim in array.dims)] for array in self.varied.values()]
        return np.array(rows, dtype=float)


def read_inputs(model: Model, fixed: Mapping[Cell, float], constants: Constants | None) -> Inputs:
    """Read the constants that a user gives by name; they override the values that a scenario has `fixed`."""
    inputs = Inputs(dict(fixed))
    given = constants.data_vars if isinstance(constants, xr.Dataset) else constants or {}
    if not isinstance(given, Mapping):
        message = f"{type(constants).__name__} cannot hold constants; give a mapping of names to values"
        raise ScenarioError([Fault(_WHERE, message)])
    faults: list[Fault] = []
    for name, value in given.items():
        try:
            _read_one(model, inputs, str(name), value)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    _label_by_values(model, inputs)
    return inputs


def _label_by_values(model: Model, inputs: Inputs) -> None:
    """Label a dimension by the values of the only constant that varies along it."""
    for dim, owners in inputs.owners.items():
        users = [cell for cell, value in inputs.varied.items() if dim in value.dims]
        cell, array = owners[-1]
        if users == [cell] and dim != MEMBER:
            element = model.elements[cell.key]
            attributes = {"long_name": element.name, "units": element.units}
            inputs.members[dim] = xr.DataArray(array.values, dims=dim, attrs=attributes)


def _read_one(model: Model, inputs: Inputs, name: str, value: Any) -> None:
    name, subscripts = split_name(name)
    name = _model_name(model, name)
    cells = constant_cells(model, name, subscripts, where=_WHERE)
    array = _labelled(name, value)
    for cell, part in zip(cells, _parts(model, name, cells, array, subscripts), strict=True):
        _set(inputs, name, cell, part)
    dims = [str(dim) for dim in array.dims]
    if len(cells) == len(dims) == 1 and dims[0] not in array.coords:
        inputs.owners.setdefault(dims[0], []).append((cells[0], array))


def _model_name(model: Model, name: str) -> str:
    """The name in the model, for a name that may be the Python identifier of a variable."""
    if key(name) in model.elements:
        return name
    return {identifier: own for own, identifier in model.identifiers.items()}.get(name, name)


def _labelled(name: str, value: Any) -> xr.DataArray:
    """A value as an array with named dimensions; the dimension of a plain sequence is `member`."""
    plain = value if isinstance(value, xr.DataArray) else np.asarray(value)
    if plain.dtype.kind not in "biuf":
        message = f"'{name}' is given {value!r}; give a number, a sequence of numbers or a labelled array"
        raise ScenarioError([Fault(_WHERE, message)])
    if plain.ndim > 1 and not isinstance(plain, xr.DataArray):
        message = f"'{name}' is given {plain.ndim} dimensions without names; give an xarray.DataArray"
        raise ScenarioError([Fault(_WHERE, message)])
    if not np.isfinite(plain).all():
        raise ScenarioError([Fault(_WHERE, f"'{name}' is given a value that is not finite; give numbers")])
    if not plain.size:
        raise ScenarioError([Fault(_WHERE, f"'{name}' is given no values; give at least one")])
    array = plain if isinstance(plain, xr.DataArray) else xr.DataArray(plain, dims=(MEMBER,) * plain.ndim)
    if not all(isinstance(dim, str) for dim in array.dims):
        raise ScenarioError(
            [Fault(_WHERE, f"'{name}' has a dimension with a name that is not a text; give it another")]
        )
    return array.astype(float)


def _parts(
    model: Model, name: str, cells: Sequence[Cell], array: xr.DataArray, subscripts: Sequence[str]
) -> list[xr.DataArray]:
    """The part of an array for each cell: where its dimensions are the element's ranges, at the labels of the cell."""
    element = model.elements[cells[0].key]
    places: dict[str, tuple[int, dict[str, int]]] = {}
    for axis, range_ in enumerate(element.dimensions if not subscripts else ()):
        own = {key(range_), model.range_identifiers.get(range_, range_)}
        dim = next((name for name in array.dims if str(name) in own or key(str(name)) in own), None)
        if dim is not None:
            places[str(dim)] = axis, _places(model, range_, array, str(dim))
    inner = array.transpose(*places, ...)
    rest, coords = inner.dims[len(places) :], {dim: array[dim] for dim in array.dims if dim not in places}
    parts = []
    for cell in cells:
        labels = [(cell.labels[axis], known) for axis, known in places.values()]
        missing = next((label for label, known in labels if label not in known), None)
        if missing is not None:
            what = f"'{name}' is given no value for '{missing}'; give one for every label"
            raise ScenarioError([Fault(_WHERE, what)])
        index = tuple(known[label] for label, known in labels)
        parts.append(xr.DataArray(inner.values[index], coords, rest) if places else array)
    return parts


def _places(model: Model, range_: str, array: xr.DataArray, dim: str) -> dict[str, int]:
    """The position of each label of a range along a dimension: from its coordinate, or else in the order of the range."""
    if dim in array.coords:
        return {key(str(label)): place for place, label in enumerate(array[dim].values)}
    labels = labels_of(model.subscripts, range_)
    return {label: place for place, label in enumerate(labels)} if len(labels) == array.sizes[dim] else {}


def _set(inputs: Inputs, name: str, cell: Cell, value: xr.DataArray) -> None:
    inputs.fixed.pop(cell, None)
    inputs.varied.pop(cell, None)
    if not value.dims:
        inputs.fixed[cell] = float(value)
        return
    for dim in map(str, value.dims):
        coordinate = value[dim]
        known = inputs.members.setdefault(dim, coordinate)
        if not known.variable.equals(coordinate.variable):
            what = (
                f"'{name}' has other values of '{dim}' than the constants before it; use the same, or another dimension"
            )
            raise ScenarioError([Fault(_WHERE, what)])
    inputs.varied[cell] = value
