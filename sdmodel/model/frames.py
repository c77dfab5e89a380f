"""Equations over subscripts as arrays: which cells a reference reads in every cell of an equation at the same time.

An equation spans axes, one for each subscript on its left-hand side. What a reference in it reads follows from the labels along
these axes, so the work grows with the labels and, in NumPy, with the cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sympy import Expr

from ..extras import LazyModule
from .algebra import Slice, is_reference, split_reference
from .functions.reductions import is_reduction, reduction_ranges
from .names import MARK
from .records import Element, Equation, Subscript
from .subscripts import (
    Binding,
    Cell,
    SubscriptFault,
    counts_labels,
    labels_of,
    mapped_label,
    mapping_order,
    unbound_message,
    unclaimed_message,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

Column = tuple[int | None, Sequence[str]]
"""An axis, and the label at each place along it; or None and the only label."""

_Value = TypeVar("_Value")


class UnequalError(Exception):
    """The cells of an equation differ by more than where their numbers are."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The axes that an expression spans: their lengths, and the labels that each name stands for along one of them.

    `names` has the order of a `Binding`: a range that is mapped takes its label from the first name that determines it.
    """

    lengths: tuple[int, ...]
    names: Mapping[str, Column]

    @property
    def cells(self) -> int:
        """The number of cells."""
        return prod(self.lengths)

    def bindings(self) -> Iterator[dict[str, str]]:
        """Yield the label of each name in each cell, row by row."""
        for place in product(*map(range, self.lengths)):
            yield {name: own[0 if axis is None else place[axis]] for name, (axis, own) in self.names.items()}

    def bind(self, binding: Binding) -> Frame:
        """The frame in which some names stand for one label each."""
        if not binding:
            return self
        return Frame(self.lengths, {**self.names, **{name: (None, (label,)) for name, label in binding.items()}})

    def take(self, axis: int | None, places: Sequence[int]) -> Frame:
        """The frame of the cells at some places along one axis."""
        lengths = tuple(len(places) if own == axis else length for own, length in enumerate(self.lengths))
        return Frame(lengths, dict(zip(self.names, taken([*self.names.values()], axis, places), strict=True)))

    def inside(self, subscripts: Mapping[str, Subscript], names: Sequence[str]) -> Frame:
        """The frame inside of a reduction over ranges: it has one more axis for each."""
        return self._with(names, [labels_of(subscripts, name) for name in names])

    def _with(self, names: Sequence[str], axes: Sequence[Sequence[str]]) -> Frame:
        """The frame with more axes."""
        first = len(self.lengths)
        added = {name: (first + axis, labels) for axis, (name, labels) in enumerate(zip(names, axes, strict=True))}
        return Frame((*self.lengths, *map(len, axes)), {**self.names, **added})

    def column(self, subscripts: Mapping[str, Subscript], index: str) -> Column:
        """The labels of an index of a reference.

        Raises SubscriptFault if a range has no label here, and UnequalError if its labels come from several axes.
        """
        if index in self.names:
            return self.names[index]
        found = subscripts.get(index)
        if found is None:
            if index.endswith(MARK):
                raise SubscriptFault(unclaimed_message(index))
            return None, (index,)
        for bound in mapping_order(subscripts, index, self.names):
            axis, labels = self.names[bound]
            known = {label: mapped_label(subscripts, found, bound, label) for label in dict.fromkeys(labels)}
            mapped = [label for label in map(known.__getitem__, labels) if label is not None]
            if len(mapped) == len(labels):
                return axis, mapped
            if mapped:
                raise UnequalError
        raise SubscriptFault(unbound_message(found))

    def leaves(
        self, subscripts: Mapping[str, Subscript], expression: Expr
    ) -> Iterator[tuple[str, tuple[str, ...], Frame]]:
        """Yield every reference in an expression that reads cells: its name, its indices, and the frame around it."""
        if is_reference(expression):
            name, indices = split_reference(expression)
            if name in subscripts:
                self.column(subscripts, (indices or (name,))[0])
            else:
                yield name, indices, self
        elif isinstance(expression, Slice):
            name, indices = split_reference(expression.reference)
            along = [f"{place}{MARK}" for place, _ in enumerate(expression.ranges)]
            axes = [labels_of(subscripts, own) for own in expression.ranges]
            yield name, (*indices[: -len(along)], *along), self._with(along, axes)
        elif not counts_labels(expression):
            frame = self
            if is_reduction(expression):
                frame = self.inside(subscripts, reduction_ranges(expression))
            for argument in expression.args:
                yield from frame.leaves(subscripts, argument)


@dataclass(frozen=True, slots=True, eq=False)
class CellArray(Generic[_Value]):
    """A number for each cell of an element over its labels; `missing` where there is none."""

    positions: tuple[Mapping[str, int], ...]
    values: NDArray[Any]
    missing: float

    def at(self, labels: Sequence[str]) -> _Value | None:
        """The number of a cell; None if there is none."""
        try:
            value = self.values[tuple(own[label] for own, label in zip(self.positions, labels, strict=True))].item()
        except (KeyError, ValueError):
            return None
        return None if value == self.missing or value != value else value  # noqa: PLR0124 - nan

    def set(self, labels: Sequence[str], value: Any) -> None:
        """Set the number of a cell."""
        self.values[tuple(own[label] for own, label in zip(self.positions, labels, strict=True))] = value

    def index(self, columns: Sequence[Column], rank: int) -> tuple[NDArray[np.int64], ...]:
        """The places of the cells with these labels, to index `values` with; -1 where there is none."""
        found = []
        for own, (axis, labels) in zip(self.positions, columns, strict=True):
            shape = [-1 if place == axis else 1 for place in range(rank)]
            found.append(np.array([own.get(label, -1) for label in labels], dtype=np.int64).reshape(shape))
        return tuple(found)

    def take(self, columns: Sequence[Column], rank: int) -> NDArray[Any]:
        """The numbers of the cells with these labels, with one axis for each axis of the frame; 1 long where it does not matter."""
        index = self.index(columns, rank)
        values = self.values[index]
        for own in index:
            if (own < 0).any():
                values = np.where(own < 0, self.missing, values)
        return values

    def items(self) -> Iterator[tuple[tuple[str, ...], _Value]]:
        """Yield the labels and the number of each cell, row by row."""
        for labels, value in zip(product(*self.positions), self.values.ravel().tolist(), strict=True):
            if value != self.missing and value == value:  # noqa: PLR0124 - nan
                yield labels, value


class CellMap(Mapping[Cell, _Value]):
    """A number for each cell, by cell; elements with many cells have an array."""

    def __init__(self) -> None:
        self.parts: dict[Cell | str, _Value | CellArray[_Value]] = {}

    def __getitem__(self, cell: Cell) -> _Value:
        if cell in self.parts:
            return self.parts[cell]  # type: ignore[return-value]
        array = self.parts.get(cell[0])
        value = array.at(cell[1]) if isinstance(array, CellArray) else None
        if value is None:
            raise KeyError(cell)
        return value

    def __iter__(self) -> Iterator[Cell]:
        for own, part in self.parts.items():
            if isinstance(part, CellArray):
                yield from (Cell(str(own), labels) for labels, _ in part.items())
            else:
                yield Cell(*own)

    def __len__(self) -> int:
        return sum(count_defined(part) if isinstance(part, CellArray) else 1 for part in self.parts.values())


def count_defined(array: CellArray[_Value]) -> int:
    """The number of cells that have a number."""
    values = array.values
    return int(np.count_nonzero((values != array.missing) & (values == values)))  # noqa: PLR0124 - nan


def span(subscripts: Mapping[str, Subscript], equation: Equation) -> tuple[Frame, tuple[Column, ...]]:
    """The frame of an equation, and the labels of its cells for each subscript on the left-hand side.

    With exceptions there is only one axis, along the cells that are left.
    """
    axes = [labels_of(subscripts, name) for name in equation.subscripts]
    columns: tuple[Column, ...] = tuple(enumerate(axes))
    lengths = tuple(map(len, axes))
    if equation.exceptions:
        chosen = np.ones(lengths, dtype=bool)
        for exception in equation.exceptions:
            left_out = [set(labels_of(subscripts, name)) for name in exception]
            where = [
                [place for place, label in enumerate(axis) if label in own]
                for axis, own in zip(axes, left_out, strict=True)
            ]
            chosen[np.ix_(*where)] = False
        places = np.nonzero(chosen)
        columns = tuple((0, [axis[place] for place in own.tolist()]) for axis, own in zip(axes, places, strict=True))
        lengths = (len(places[0]),)
    return Frame(lengths, dict(zip(equation.subscripts, columns, strict=True))), columns


def taken(columns: Sequence[Column], axis: int | None, places: Sequence[int]) -> tuple[Column, ...]:
    """The labels at some places along one axis."""
    return tuple((own, [labels[place] for place in places] if own == axis else labels) for own, labels in columns)


def labels_read(columns: Sequence[Column]) -> Iterator[tuple[str, ...]]:
    """The labels of each cell that a reference reads, row by row over the axes of its labels."""
    lengths = {axis: len(labels) for axis, labels in columns}
    axes = {axis: lengths[axis] for axis in sorted(lengths, key=lambda axis: -1 if axis is None else axis)}
    for place in product(*map(range, axes.values())):
        at = dict(zip(axes, place, strict=True))
        yield tuple(labels[at[axis]] for axis, labels in columns)


def labels_at(frame: Frame, columns: Sequence[Column], place: int) -> tuple[str, ...]:
    """The labels that a reference reads in one cell of a frame, counted row by row."""
    at = [int(own) for own in np.unravel_index(place, frame.lengths)]
    return tuple(labels[0 if axis is None else at[axis]] for axis, labels in columns)


def positions_of(subscripts: Mapping[str, Subscript], element: Element) -> tuple[Mapping[str, int], ...]:
    """The place of each label along each dimension of an element."""
    axes: list[dict[str, int]] = [{} for _ in element.equations[0].subscripts] if element.equations else []
    whole = element.dimensions if len(element.equations) > 1 else ()
    for names in (whole, *(equation.subscripts for equation in element.equations)):
        for axis, name in zip(axes, names, strict=False):
            for label in labels_of(subscripts, name):
                axis.setdefault(label, len(axis))
    return tuple(axes)


def new_array(subscripts: Mapping[str, Subscript], element: Element, missing: float) -> CellArray[Any]:
    """An array for the cells of an element, all missing; of whole numbers if `missing` is one."""
    positions = positions_of(subscripts, element)
    values: NDArray[Any] = np.full([len(own) for own in positions], missing)
    return CellArray(positions, values, missing)
