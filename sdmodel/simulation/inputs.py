"""Constants as users give them (numbers, sequences, labelled arrays, a design) as one number per cell or per member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER
from ..errors import Fault, Place, ScenarioError, SimulationError, format_count, list_some
from ..model import Cell, Model, Table, key, quote_name, split_name
from ..scenario import (
    Change,
    MemberCourse,
    Scenario,
    is_course_array,
    named_cells,
    parts_of,
    points_names,
    read_course,
)
from ..vensim import looks_like_course, read_change

_WHERE = "constants"

Constants = Mapping[str, Any] | xr.Dataset | pd.DataFrame | pd.Series
Members = int | Sequence[int] | NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Noise:
    """What decides the random numbers of a run: its seed, if it is not that of the model, and the number of the member.

    `by_member` says that every member of an ensemble has its own number, that of the coordinate `member`.
    """

    seed: int | None = None
    member: int = 0
    by_member: bool = False

    def __post_init__(self) -> None:
        """Check the seed."""
        if self.seed is not None and not (isinstance(self.seed, int | np.integer) and 0 <= self.seed < 2**32):
            message = f"seed is {self.seed!r}; it must be a whole number from 0 to {2**32 - 1}"
            raise SimulationError(message)


@dataclass
class Inputs:
    """The constants that are set: `fixed` for all members, `varied` along dimensions of `members` (name -> coordinate).

    `owners` are the constants given along a dimension without labels. `noise` decides the random numbers; where it says so, they
    differ along the dimension `member`, and are the same along every other.
    """

    fixed: dict[Cell, float] = field(default_factory=dict)
    varied: dict[Cell, xr.DataArray] = field(default_factory=dict)
    members: dict[str, xr.DataArray] = field(default_factory=dict)
    owners: dict[str, list[tuple[Cell, xr.DataArray]]] = field(default_factory=dict)
    noise: Noise = field(default_factory=Noise)

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
        if self.noise.by_member:
            rows.append(self.members[MEMBER].values[index[MEMBER]])
        return np.array(rows, dtype=float)


@dataclass(frozen=True, slots=True)
class Points:
    """Constants as plain numbers, shape (constants, members): what `Inputs` says about members, without labels."""

    varied: NDArray[np.float64]

    @property
    def count(self) -> int:
        """The number of members."""
        return self.varied.shape[1]

    def columns(self, first: int, last: int) -> NDArray[np.float64]:
        """The constants of some members, shape (constants, members)."""
        return self.varied[:, first:last]


def by_name(constants: Constants | None) -> Mapping[str, Any] | xr.Dataset | None:
    """Return constants by name: of a table those of its columns, of a series those of its index.

    Raises ScenarioError if a name is there twice.
    """
    if not isinstance(constants, pd.DataFrame | pd.Series):
        return constants
    found = {str(name): value for name, value in constants.items()}
    if len(found) < len(constants.keys()):
        names = constants.keys()
        what = f"'{names[names.duplicated()][0]}' is there twice; name it once"
        raise ScenarioError([Fault(_WHERE, what)])
    return found


def read_inputs(
    model: Model,
    fixed: Mapping[Cell, float],
    constants: Constants | None,
    members: Members | None = None,
    courses: Mapping[str, MemberCourse] = MappingProxyType({}),
) -> Inputs:
    """Read the constants that a user gives by name; they override the values that a scenario has `fixed`.

    Members may differ by their random numbers alone: `members` of them, or those of a dataset without constants. The `courses`
    of members are by the name of the constant of the model that holds their points.
    """
    inputs = Inputs(dict(fixed))
    if members is not None:
        inputs.members[MEMBER] = _noisy_members(model, members)
    elif isinstance(constants, xr.Dataset) and MEMBER in constants.coords and model.draws:
        inputs.members[MEMBER] = constants[MEMBER]
    given = constants.data_vars if isinstance(constants, xr.Dataset) else constants or {}
    if not isinstance(given, Mapping):
        what = f"{type(constants).__name__} cannot hold constants; give a mapping of names to values"
        raise ScenarioError([Fault(_WHERE, what)])
    faults: list[Fault] = []
    settings = [partial(_read_one, model, inputs, str(name), value) for name, value in given.items()]
    settings += [partial(_set_course, model, inputs, points, course) for points, course in courses.items()]
    for setting in settings:
        try:
            setting()
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    numbers = inputs.members.get(MEMBER)
    if numbers is not None and model.draws and numbers.dtype.kind not in "iuf":
        what = f"the labels of 'member' are {numbers.values[:2].tolist()} ...; number them, since random numbers depend on the number"
        raise ScenarioError([Fault(_WHERE, what)])
    for dim, owners in inputs.owners.items():  # a dimension has the values of the only constant that varies along it
        users = [cell for cell, value in inputs.varied.items() if dim in value.dims]
        cell, array = owners[-1]
        if users == [cell] and dim != MEMBER:
            element = model.elements[cell.key]
            attributes = {"long_name": element.name, "units": element.units}
            inputs.members[dim] = xr.DataArray(array.values, dims=dim, attrs=attributes)
    return inputs


def _noisy_members(model: Model, members: Members) -> xr.DataArray:
    numbers = np.arange(members) if isinstance(members, int | np.integer) else np.asarray(members)
    wrong = ""
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size or numbers.min() < 0:
        wrong = f"are {members!r}; give a whole number from 1, or the numbers of members"
    elif not model.draws:
        wrong = "would all be equal, since the model has no random functions; vary a constant"
    if wrong:
        raise ScenarioError([Fault("members", wrong)])
    return xr.DataArray(numbers, {MEMBER: numbers}, MEMBER)


def _set_course(model: Model, inputs: Inputs, points: str, course: MemberCourse) -> None:
    """Set the constant with the points of a course in each member, once it has all members."""
    count = course.values.shape[-1]
    labels = np.arange(count) if course.members is None else course.members
    known, wrong = inputs.members.get(MEMBER), ""
    if known is not None and known.size != count:
        wrong = f"is given courses of {format_count(count, 'member')}, where the others have {known.size}"
    elif known is not None and (absent := [label for label in known.values.tolist() if label not in labels.tolist()]):
        wrong = f"is given no course for member {absent[0]}"
    if wrong:
        where = course.change.place.path
        raise ScenarioError([Fault(where, f"'{course.given}' {wrong}; give one course for each member")])
    _, _, cells = named_cells(model, points)
    dims = [model.range_identifiers[own] for own in model[points].dimensions]
    array = xr.DataArray(course.values, {MEMBER: labels}, [*dims, MEMBER])
    set_cells(model, inputs, points, cells, array if known is None else array.sel({MEMBER: known.values}), whole=True)


def split_changes(
    model: Model, constants: Constants | None, scenario: Scenario
) -> tuple[Constants | None, tuple[Change, ...], dict[str, MemberCourse]]:
    """Split what a user gives into numbers, and changes that come after a scenario: points (x, y) of lookups, and time courses.

    Courses that differ between members come with their numbers too, by the name of the constant that will hold these. Numbers for
    a constant that has a time course are changes as well. Raises ScenarioError if a lookup is given something else, a time course
    cannot be read, or a constant with a time course is given values of members.
    """
    if constants is None or not isinstance(constants, Mapping | xr.Dataset):
        return constants, (), {}
    coursed = {key(change.name) for change in scenario.changes if change.course}
    coursed |= {key(split_name(str(name), model.elements)[0]) for name, own in constants.items() if is_time_course(own)}
    rest: dict[str, Any] = {}
    changes: list[Change] = []
    courses: dict[str, MemberCourse] = {}
    faults: list[Fault] = []
    for name, value in constants.items():
        whole, labels = split_name(str(name), model.elements)
        element = model.elements.get(key(whole))
        is_lookup = element is not None and element.kind == "lookup" and not element.hidden
        if not is_lookup and key(whole) not in coursed:
            rest[str(name)] = value
            continue
        try:
            if is_course_array(value) and not is_lookup:
                found = read_course(model, str(name), value)
                if isinstance(found, MemberCourse):
                    courses[points_names(model, found.change)[0]] = found
                changes += [found.change] if isinstance(found, MemberCourse) else found
                continue
            if not is_lookup:
                whole, labels, _ = named_cells(model, str(name))
            change = _new_table(whole, value) if is_lookup else _course_or_number(whole, value)
            changes.append(replace(change, name=whole, subscripts=labels, place=Place(_WHERE, 1)))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    if isinstance(constants, xr.Dataset):
        return constants.drop_vars([name for name in constants.data_vars if name not in rest]), tuple(changes), courses
    return rest, tuple(changes), courses


def _new_table(name: str, value: Any) -> Change:
    try:
        points = np.array(value, dtype=float)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1:] != (2,) or not len(points) or not np.isfinite(points).all():  # noqa: PLR2004 - x and y
        raise ScenarioError([Fault(_WHERE, f"'{name}' is a lookup; give it points: [(0, 0), (1, 1)]")])
    return Change(name, table=Table([(x, y) for x, y in points.tolist()]))


def is_time_course(value: Any) -> bool:
    """Whether a value is the text of a time course, or an array, a table or a series over times."""
    return looks_like_course(value) if isinstance(value, str) else is_course_array(value)


def _course_or_number(name: str, value: Any) -> Change:
    if isinstance(value, str):
        return read_change(f"{quote_name(name)} = {value}", _WHERE)
    number = _labelled(name, value)
    if number.ndim:
        raise ScenarioError(
            [
                Fault(
                    _WHERE,
                    f"'{name}' has a time course, and so cannot have several numbers; leave out one of the two",
                )
            ]
        )
    return Change(name, values=(float(number),))


def _read_one(model: Model, inputs: Inputs, name: str, value: Any) -> None:
    name, subscripts, cells = named_cells(model, name)
    set_cells(model, inputs, name, cells, value, whole=not subscripts)


def set_cells(model: Model, inputs: Inputs, name: str, cells: Sequence[Cell], value: Any, *, whole: bool) -> None:
    """Set cells of a constant, or all of them if `whole`, to what a user gives for `name`."""
    array = _labelled(name, value)
    parts = parts_of(model, name, cells, array, whole=whole)
    for dim in map(str, parts[0].dims):  # all parts have the same
        if not inputs.members.setdefault(dim, parts[0][dim]).variable.equals(parts[0][dim].variable):
            what = (
                f"'{name}' has other values of '{dim}' than the constants before it; use the same, or another dimension"
            )
            raise ScenarioError([Fault(_WHERE, what)])
    for cell, part in zip(cells, parts, strict=True):
        inputs.fixed.pop(cell, None)
        inputs.varied.pop(cell, None)
        if part.dims:
            inputs.varied[cell] = part
        else:
            inputs.fixed[cell] = float(part)
    dims = [str(dim) for dim in array.dims]
    if len(cells) == len(dims) == 1 and dims[0] not in array.coords:
        inputs.owners.setdefault(dims[0], []).append((cells[0], array))


def _labelled(name: str, value: Any) -> xr.DataArray:
    """A value as an array with named dimensions; the dimension of a plain sequence is `member`.

    That of a series has the name of its index; without a name, the index must be the numbers from 0 on.
    """
    index = getattr(value, "index", None) if hasattr(value, "attrs") and not hasattr(value, "dims") else None
    if index is not None and index.name is not None:
        value = xr.DataArray(np.asarray(value), {index.name: np.asarray(index)}, [index.name])
    elif index is not None and not np.array_equal(np.asarray(index), np.arange(len(index))):
        what = f"'{name}' is given a series over {list_some([*map(repr, index.tolist())])}; name its index 'time', 'member' or a subscript range, or give its to_numpy(), one number for each member"
        raise ScenarioError([Fault(_WHERE, what)])
    try:
        plain = value if isinstance(value, xr.DataArray) else np.asarray(value)
    except ValueError:  # sequences of different lengths
        plain = np.array(None)
    dims: Any = plain.dims if isinstance(plain, xr.DataArray) else (MEMBER,) * plain.ndim
    wrong = ""
    if plain.dtype.kind not in "biuf":
        wrong = f"is given {value!r}; give a number, a sequence of numbers or a labelled array"
    elif plain.ndim > 1 and not isinstance(plain, xr.DataArray):
        wrong = f"is given {plain.ndim} dimensions without names; give an xarray.DataArray"
    elif not np.isfinite(plain).all():
        wrong = "is given a value that is not finite; give numbers"
    elif not plain.size:
        wrong = "is given no values; give at least one"
    elif not all(isinstance(dim, str) for dim in dims):
        wrong = "has a dimension with a name that is not a text; give it another"
    if wrong:
        raise ScenarioError([Fault(_WHERE, f"'{name}' {wrong}")])
    return (plain if isinstance(plain, xr.DataArray) else xr.DataArray(plain, dims=dims)).astype(float)
