"""Time courses as labelled arrays and tables over time: those that all members share, and those that differ between members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..errors import Fault, Place, ScenarioError
from ..extras import LazyModule
from ..model import Cell, Element, Model, Table, join_name, key, labels_of, points_name, split_name
from .changes import constant_cells, course_fault, select_cells
from .member_courses import course_times
from .records import Change, Course

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray
else:  # both take too long to load for commands that only read a model
    np, xr = LazyModule("numpy"), LazyModule("xarray")

_TIME, _MEMBER = "time", "member"


@dataclass(frozen=True, eq=False)
class MemberCourse:
    """A time course that differs between members: its change, and its values, shape (labels of each subscript, times, members).

    `members` are their labels, if they have any. `given` is the name that the user writes.
    """

    change: Change
    values: NDArray[np.float64]
    members: NDArray[Any] | None
    given: str


@dataclass(frozen=True)
class DesignCourse:
    """A time course that differs between the members of a design: its change, and the dimensions and shape of its points."""

    change: Change
    dims: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The name of what has the course, with its labels."""
        return join_name(self.change.name, self.change.subscripts)

    def array(self, rows: NDArray[np.float64], members: NDArray[np.int64]) -> xr.DataArray:
        """Return the course of some members as `simulate` takes it, from a row for each point."""
        coords = {_TIME: [*course_times(self.change)], _MEMBER: members}
        way = {} if self.change.course == "data" else {"interpolation": self.change.course}
        return xr.DataArray(rows.reshape(*self.shape, -1), coords, [*self.dims, _TIME, _MEMBER], attrs=way)


def is_course_array(value: Any) -> bool:
    """Whether a value is an array over time, a table, or a series over times.

    The index of such a series has the name `time`, or holds fractions or dates; dates are refused later, with a cure.
    """
    if hasattr(value, "dims") and hasattr(value, "coords"):
        return any(map(_is_time, value.dims))
    index = getattr(value, "index", None) if hasattr(value, "attrs") else None
    if index is None or hasattr(value, "columns") or _is_time(index.name):
        return index is not None
    return index.name != _MEMBER and (index.dtype.kind in "fmM" or hasattr(index, "asfreq"))


def _is_time(name: Any) -> bool:
    return str(name).lower() == _TIME


def varies_by_member(value: Any) -> bool:
    """Whether a value is a table of courses, with a column for each member, or an array over time and members."""
    return is_course_array(value) and (hasattr(value, "columns") or _MEMBER in getattr(value, "dims", ()))


KEYWORD_DECIDES = "its keyword in the model, such as :HOLD BACKWARD:, decides what holds between the times of data; leave out the interpolation"


def read_course(model: Model, name: str, value: Any) -> tuple[Change, ...] | MemberCourse:
    """Return the time course of a constant, or of a data variable in each member, from an array, a table or a series.

    Raises ScenarioError if it is not one number for each time, and for each member and label.
    """
    whole, labels = split_name(name, model.elements)
    whole = _spelling(model, whole)
    points = model.elements.get(points_name(key(whole)))
    where = "constants" if points is None else "data"
    if points is not None:
        element = model[whole]
        if labels:
            what = (
                f"'{name}' is given courses of members for one label; give one array of '{element.name}' for all labels"
            )
            raise ScenarioError([Fault(where, what)])
        cells = [Cell(element.key, own.labels) for own in select_cells(model, points, (), where)]
    else:
        whole, labels, cells = named_cells(model, name)
        element = model[whole]
    array = _checked(element, name, value, where)
    times = tuple(map(float, array[_TIME].values.tolist()))
    way = "data" if points is not None else cast("Course", str(array.attrs.get("interpolation", "steps")))
    place = Place(where, 1)
    parts = parts_of(model, name, cells, array, whole=not labels, where=where)
    for part in parts:
        others = [str(dim) for dim in part.dims if dim not in {_TIME, _MEMBER}]
        if others:
            own = ", ".join(f"'{model.range_identifiers[own]}'" for own in element.dimensions) or "none"
            what = f"'{name}' has the dimension '{others[0]}'; a course has 'time', 'member' and the subscript ranges of the variable ({own})"
            raise ScenarioError([Fault(where, what)])
    if _MEMBER not in array.dims:
        if labels or not element.dimensions:
            parts, cells = parts[:1], [Cell(element.key, tuple(map(key, labels)))]
        return tuple(
            Change(
                element.name, cell.labels, place=place, course=way,
                table=Table(list(zip(times, part.values.tolist(), strict=True))),
            )
            for cell, part in zip(cells, parts, strict=True)
        )  # fmt: skip
    change = Change(
        element.name, labels, table=Table([(time, 0.0) for time in times]), place=place, course=way, by_member=True
    )
    columns = [part.transpose(_TIME, _MEMBER).values for part in parts]
    axes = () if labels else tuple(labels_of(model.subscripts, own) for own in element.dimensions)
    values = np.zeros((*map(len, axes), *columns[0].shape))
    for cell, column in zip(cells if axes else [Cell(element.key)], columns, strict=False):
        values[tuple(own.index(label) for own, label in zip(axes, cell.labels, strict=True))] = column
    members = array[_MEMBER].values if _MEMBER in array.coords else None
    return MemberCourse(change, values, members, name)


def read_member_courses(model: Model, courses: Mapping[str, Any]) -> list[MemberCourse]:
    """Return the time courses of the members of a design, given by name.

    Raises ScenarioError with every value that is not a time course of members.
    """
    found: list[MemberCourse] = []
    faults: list[Fault] = []
    for name, value in courses.items():
        wrong = f"is given {type(value).__name__}; give an xarray.DataArray over time and member, or a pandas.DataFrame"
        if is_course_array(value):
            wrong = "has one course for all members; give it in a scenario, or as a change of the model's constants"
            try:
                course = read_course(model, name, value)
            except ScenarioError as error:
                faults += error.faults
                continue
            if isinstance(course, MemberCourse):
                found.append(course)
                continue
        faults.append(Fault("courses", f"'{name}' {wrong}"))
    if faults:
        raise ScenarioError(faults)
    return found


def _checked(element: Element, name: str, value: Any, where: str) -> xr.DataArray:
    """A course as an array over time, once its times, members and numbers are as they must be."""
    array = value if isinstance(value, xr.DataArray) else _from_pandas(value)
    array = array.rename({dim: _TIME for dim in array.dims if _is_time(dim) and dim != _TIME})
    course, wrong = str(array.attrs.get("interpolation", "steps")), ""
    if array.dtype.kind not in "biuf" or _TIME not in array.coords or array[_TIME].dtype.kind not in "iuf":
        wrong = "a time course has numbers over numbers of time; give times as numbers in the model's unit, not as dates or positions"
    elif not array.size:
        wrong = "there are no values; give at least one"
    elif where == "data" and "interpolation" in array.attrs:
        wrong = KEYWORD_DECIDES
    elif course not in {"steps", "linear"}:
        wrong = f"the interpolation is {course!r}; choose 'steps' or 'linear'"
    else:
        times = array[_TIME].values
        missing = np.argwhere(~np.isfinite(array.values))
        wrong = course_fault([(time, 0.0) for time in times.tolist()])
        if _MEMBER in array.coords and len({*(members := array[_MEMBER].values.tolist())}) < len(members):
            wrong = "two courses have the same label of 'member'; give each member one"
        if not wrong and missing.size:
            at = {
                str(dim): array[dim].values[place] if dim in array.coords else place
                for dim, place in zip(array.dims, missing[0], strict=True)
            }
            wrong = f"there is no finite number at {', '.join(f'{dim} {label}' for dim, label in at.items())}; give one"
    if wrong:
        raise ScenarioError([Fault(where, f"'{name}': {wrong}")])
    return array.astype(float)


def _from_pandas(value: Any) -> xr.DataArray:
    dims = {_TIME: value.index.to_numpy()}
    if hasattr(value, "columns"):
        dims[_MEMBER] = value.columns.to_numpy()
    return xr.DataArray(value.to_numpy(), dims, [*dims], attrs=dict(value.attrs))


def named_cells(model: Model, name: str) -> tuple[str, tuple[str, ...], list[Cell]]:
    """Find a constant by its name, `name[label]` or Python identifier; return its name and labels, and the cells they select."""
    name, subscripts = split_name(name, model.elements)
    name = _spelling(model, name)
    return name, subscripts, constant_cells(model, name, subscripts, where="constants")


def _spelling(model: Model, name: str) -> str:
    """The name of a variable that may be given as its Python identifier."""
    if key(name) in model.elements:
        return name
    return {identifier: own for own, identifier in model.identifiers.items()}.get(name, name)


def parts_of(
    model: Model, name: str, cells: Sequence[Cell], array: xr.DataArray, *, whole: bool, where: str = "constants"
) -> list[xr.DataArray]:
    """The part of an array for each cell: where its dimensions are the element's ranges, at the labels of the cell."""
    element = model.elements[cells[0].key]
    places: dict[str, tuple[int, dict[str, int]]] = {}
    for axis, range_ in enumerate(element.dimensions if whole else ()):
        own = {key(range_), model.range_identifiers.get(range_, range_)}
        dim = next((name for name in array.dims if str(name) in own or key(str(name)) in own), None)
        if dim is not None:
            places[str(dim)] = axis, _places(model, name, range_, array, str(dim), where)
    inner = array.transpose(*places, ...)
    rest, coords = inner.dims[len(places) :], {dim: array[dim] for dim in array.dims if dim not in places}
    parts = []
    for cell in cells:
        labels = [(cell.labels[axis], known) for axis, known in places.values()]
        absent = next((label for label, known in labels if label not in known), None)
        if absent is not None:
            raise ScenarioError([Fault(where, f"'{name}' is given no value for '{absent}'; give one for every label")])
        index = tuple(known[label] for label, known in labels)
        parts.append(xr.DataArray(inner.values[index], coords, rest) if places else array)
    return parts


def _places(model: Model, name: str, range_: str, array: xr.DataArray, dim: str, where: str) -> dict[str, int]:
    """The position of each label of a range along a dimension: from its coordinate, or else in the order of the range."""
    labels, wrong = labels_of(model.subscripts, range_), ""
    given = [key(str(label)) for label in array[dim].values] if dim in array.coords else [*labels]
    places = {label: place for place, label in enumerate(given)}
    if len(given) != array.sizes[dim]:
        wrong = f"has {array.sizes[dim]} values along '{dim}', which has {len(given)} labels; give one for every label"
    elif len(places) < len(given):
        wrong = f"has two values for one label of '{dim}'; give one for every label"
    elif other := next((label for label in given if label not in labels), ""):
        wrong = f"is given a value for '{other}', which is not a label of '{dim}'; leave it out"
    if wrong:
        raise ScenarioError([Fault(where, f"'{name}' {wrong}")])
    return places
