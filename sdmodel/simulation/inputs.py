"""Constants as users give them - numbers, sequences, labelled arrays, a design - as one number per cell or one per member."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import Fault, ScenarioError
from ..model import Cell, Model, identifiers, key, labels_of
from ..scenario import constant_cells

_NAME = re.compile(r"\s*(?P<name>\"(?:[^\"\\]|\\.)*\"|[^\[\]]+?)\s*(?:\[(?P<subscripts>[^\]]*)\])?\s*", re.DOTALL)
_WHERE = "constants"

Constants = Mapping[str, Any] | xr.Dataset


@dataclass
class Inputs:
    """What is set: `fixed` for all members alike, `varied` with dimensions of `members` (name -> coordinate)."""

    fixed: dict[Cell, float] = field(default_factory=dict)
    varied: dict[Cell, xr.DataArray] = field(default_factory=dict)
    members: dict[str, xr.DataArray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each member dimension has."""
        return tuple(each.size for each in self.members.values())

    @property
    def count(self) -> int:
        """How many members there are; one where nothing varies."""
        return prod(self.shape)

    def columns(self, first: int, last: int) -> NDArray[np.float64]:
        """The varied constants of some members, shape (varied cells, members)."""
        where = np.unravel_index(np.arange(first, last), self.shape)
        index = dict(zip(self.members, where, strict=True))
        return np.array(
            [each.values[tuple(index[str(dim)] for dim in each.dims)] for each in self.varied.values()], dtype=float
        )


def read_inputs(model: Model, fixed: Mapping[Cell, float], constants: Constants | None) -> Inputs:
    """Constants by name, as a user gives them, over the changes of a scenario.

    Raises
    ------
    ScenarioError
        If a name is not a constant of the model, or a value is not made of numbers that fit it.
    """
    inputs = Inputs(dict(fixed))
    given = constants.data_vars if isinstance(constants, xr.Dataset) else constants or {}
    faults: list[Fault] = []
    for name, value in given.items():
        try:
            _read_one(model, inputs, str(name), value)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    return inputs


def _read_one(model: Model, inputs: Inputs, name: str, value: Any) -> None:
    match = _NAME.fullmatch(name)
    subscripts = match["subscripts"].split(",") if match and match["subscripts"] else []
    name = _spelling(model, match["name"] if match else name)
    cells = constant_cells(model, name, subscripts, where=_WHERE)
    array = _labelled(name, value)
    for cell in cells:
        _set(inputs, name, cell, _part(model, name, cell, array, subscripts))


def _spelling(model: Model, name: str) -> str:
    """The model's own name for a name that may be the Python identifier of a variable."""
    if key(name) in model.elements:
        return name
    own = {identifier: each for each, identifier in model.identifiers.items()}
    return own.get(name, name)


def _labelled(name: str, value: Any) -> xr.DataArray:
    """A value as an array with named dimensions; a plain sequence lies along `member`."""
    try:
        array = (
            value
            if isinstance(value, xr.DataArray)
            else xr.DataArray(np.asarray(value, dtype=float), dims=_plain(value))
        )
        array = array.astype(float)
    except (TypeError, ValueError):
        message = f"'{name}' is given {value!r}; give a number, a sequence of numbers or a labelled array"
        raise ScenarioError([Fault(_WHERE, message)]) from None
    if not np.isfinite(array.values).all():
        raise ScenarioError([Fault(_WHERE, f"'{name}' is given a value that is not finite; give numbers")])
    return array


def _plain(value: Any) -> tuple[str, ...]:
    return ("member",) * np.ndim(value)


def _part(model: Model, name: str, cell: Cell, array: xr.DataArray, subscripts: list[str]) -> xr.DataArray:
    """What an array gives one cell: its dimensions that are the element's ranges are taken at the cell's labels."""
    element = model.elements[cell.key]
    ranges = {each: model.subscripts[each] for each in element.dimensions if each in model.subscripts}
    named = dict(zip(identifiers(ranges), cell.labels, strict=False)) if not subscripts else {}
    for dim, label in named.items():
        match = next(
            (each for each in array.dims if key(str(each)) == dim or str(each) == identifiers([dim])[dim]), None
        )
        if match is None:
            continue
        labels = [key(str(each)) for each in array[match].values] if match in array.coords else []
        position = labels.index(label) if label in labels else -1
        if not labels and array.sizes[match] == len(labels_of(model.subscripts, dim)):
            position = labels_of(model.subscripts, dim).index(label)
        if position < 0:
            raise ScenarioError([Fault(_WHERE, f"'{name}' is given no value for '{label}'; give one for every label")])
        array = array.isel({match: position}, drop=True)
    return array


def _set(inputs: Inputs, name: str, cell: Cell, value: xr.DataArray) -> None:
    inputs.fixed.pop(cell, None)
    inputs.varied.pop(cell, None)
    if not value.dims:
        inputs.fixed[cell] = float(value)
        return
    for dim in map(str, value.dims):
        coordinate = value[dim]
        known = inputs.members.setdefault(dim, coordinate)
        if known.size != coordinate.size or not (known.values == coordinate.values).all():
            message = (
                f"'{name}' has other values of '{dim}' than what was given before; use the same, or another dimension"
            )
            raise ScenarioError([Fault(_WHERE, message)])
    inputs.varied[cell] = value
