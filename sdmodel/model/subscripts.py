"""Subscripts: which cells an equation defines, which cell a reference in it reads, and how many cells there are.

A line of text can ask for more numbers than any machine holds, so sizes are computed from the lengths of ranges first and
a model that is too large is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product, repeat
from typing import NamedTuple

from sympy import Add, Expr, Indexed, Mul, Symbol

from ..errors import Fault, Place
from ..extras import made_once
from .algebra import OpaqueCall, Slice, VensimFunction, is_reference, number, numbers_of, rebuild, split_reference, walk
from .functions.arithmetic import ABS
from .functions.logic import IF_THEN_ELSE
from .functions.reductions import is_reduction, reduction_ranges, unclaimed_ranges
from .functions.row import AXES
from .names import MARK, key
from .records import Element, Equation, Model, Subscript

MOST_CELLS = 10_000_000
"""Maximum number of cells of all elements of a model."""
MOST_TERMS = 1_000_000_000
"""Maximum number of numbers, references and operations of all equations, counted for every cell and every label of a SUM: what a
processor computes in about a second."""
MOST_WRITTEN = 3_000_000
"""Maximum number of these in equations whose cells depend on each other, which are written out cell by cell."""
MOST_HIDDEN = 200_000
"""Maximum number of elements with the hidden stocks and auxiliaries that delays, smooths and similar functions expand to."""

_REFERENCES = (Symbol, Indexed)
_READERS = (VensimFunction, Slice)

Binding = Mapping[str, str]
"""The label that each range on the left-hand side stands for in one cell, both as keys."""


class Cell(NamedTuple):
    """One number of a model: an element's key and the keys of its labels."""

    key: str
    labels: tuple[str, ...] = ()


TIME = Cell("time")
"""Time as a cell."""


class SubscriptFault(Exception):  # noqa: N818 - caught inside the stage and reported as a fault with its place
    """A subscript that does not name a cell."""


def labels_of(subscripts: Mapping[str, Subscript], name: str) -> tuple[str, ...]:
    """Return the labels of a range, or the label itself; all as keys."""
    found = subscripts.get(name.removesuffix(MARK))
    return (name,) if found is None else found.keys


def bindings(
    subscripts: Mapping[str, Subscript], equation: Equation
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Yield the labels of each cell that an equation defines, row by row, with the label of each range there."""
    if not (equation.subscripts or equation.exceptions):
        yield (), {}
        return

    def cells(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
        return product(*(labels_of(subscripts, name) for name in names))

    excluded = {labels for exception in equation.exceptions for labels in cells(exception)}
    for labels in cells(equation.subscripts):
        if labels not in excluded:
            yield labels, dict(zip(equation.subscripts, labels, strict=True))


def resolve(subscripts: Mapping[str, Subscript], name: str, binding: Binding) -> str:
    """Return the label of an index in a cell: bound, literal, or mapped from a bound range.

    Raises
    ------
    SubscriptFault
        If the name is neither a label nor a range that the left-hand side, or a mapping from it, determines.
    """
    if name in binding:
        return binding[name]
    found = subscripts.get(name)
    if found is None:
        if name.endswith(MARK):
            raise SubscriptFault(unclaimed_message(name))
        return name
    for bound in mapping_order(subscripts, name, binding):
        mapped = mapped_label(subscripts, found, bound, binding[bound])
        if mapped is not None:
            return mapped
    raise SubscriptFault(unbound_message(found))


def unbound_message(found: Subscript) -> str:
    """Return the message about a range that has no label in an equation."""
    return f"the range '{found.name}' is neither on the left-hand side nor mapped from it; add it there, or map it"


def unclaimed_message(name: str) -> str:
    """Return the message about a range that is marked with `!` outside of a reduction."""
    return f"'{name}' is outside of SUM, PROD, VMIN and VMAX; write ! only inside of them"


def mapping_order(subscripts: Mapping[str, Subscript], unbound: str, bound: Iterable[str]) -> list[str]:
    """Return bound ranges in the order in which they may give a label to an unbound one.

    Those that a mapping between the two names come first, since other ranges may have the same labels.
    """
    targets = {mapping.target for mapping in subscripts[unbound].mappings}

    def is_named(name: str) -> bool:
        source = subscripts.get(name.removesuffix(MARK))
        others = source.mappings if source else ()
        return name.removesuffix(MARK) in targets or any(mapping.target == unbound for mapping in others)

    return sorted(bound, key=lambda name: not is_named(name))


def mapped_label(subscripts: Mapping[str, Subscript], unbound: Subscript, bound: str, label: str) -> str | None:
    """Return the label of the unbound range for a label of the bound one, by a mapping in either direction."""
    for mapping in unbound.mappings:
        target = labels_of(subscripts, mapping.target)
        if label in target:
            for own, others in zip(unbound.keys, mapping.labels or [(other,) for other in target], strict=True):
                if label in others:
                    return own
    source = subscripts.get(bound.removesuffix(MARK))
    for mapping in source.mappings if source else ():
        target = labels_of(subscripts, mapping.target)
        if source is not None and set(unbound.keys) <= set(target) and label in source.positions:
            others = (mapping.labels or [(other,) for other in target])[source.positions[label]]
            return others[0] if others else None
    return None


def counts_labels(expression: Expr) -> bool:
    """Whether an expression is ELMCOUNT, whose argument is a range and not a number."""
    return isinstance(expression, VensimFunction) and expression.name == "ELMCOUNT"


def inner_bindings(
    subscripts: Mapping[str, Subscript], names: Sequence[str], binding: Binding
) -> Iterator[dict[str, str]]:
    """Yield the bindings inside a reduction: the outer one, with each marked range at each of its labels."""
    axes = [labels_of(subscripts, name.removesuffix(MARK)) for name in names]
    for labels in product(*axes):
        yield {**binding, **dict(zip(names, labels, strict=True))}


def copy_ranges(
    expressions: Iterable[Expr], taken: Sequence[str], subscripts: dict[str, Subscript], names: Container[str]
) -> dict[str, str]:
    """Return a copy of each range marked with `!` that no reduction claims; what is computed inside a SUM has a value for each label."""
    copies: dict[str, str] = {}
    for mark in dict.fromkeys(mark for expression in expressions for mark in unclaimed_ranges(expression)):
        found = subscripts[mark.removesuffix(MARK)]
        copy = replace(found, name=f"{found.name} in macros", comment=f"A copy of {found.name} for calls of macros.")
        while (
            (new := key(copy.name)) in names
            or new in (*taken, *copies.values())
            or subscripts.get(new, copy) != copy
            or any(new in subscript.positions for subscript in subscripts.values())
        ):
            copy = replace(copy, name=f"{copy.name} again")
        subscripts[new] = copy
        copies[mark] = new
    return copies


def with_slices(call: Expr, elements: Mapping[str, Element], subscripts: Mapping[str, Subscript]) -> Expr:
    """Return a call with a slice for each argument that is a whole array; one that cannot be a slice stays as it is.

    A range runs along itself, a label along the dimension of the variable. All numbers of a variable lie along its dimensions.
    """
    arguments = list(call.args)
    for index, kind in enumerate(call.row.kinds):
        name, indices = split_reference(arguments[index]) if isinstance(arguments[index], Indexed) else ("", ())
        count = AXES.get(kind, -1) or len(indices)
        dimensions = elements[name].dimensions if name in elements else ()
        if 0 < count <= len(indices) == len(dimensions):
            pairs = [*zip(indices, dimensions, strict=True)][-count:]
            ranges = [own if AXES[kind] and own in subscripts else dimension for own, dimension in pairs]
            arguments[index] = Slice(arguments[index], *map(Symbol, ranges))
    return call.func(*arguments)


def slice_cells(subscripts: Mapping[str, Subscript], part: Slice, binding: Binding) -> list[Cell]:
    """Return the cells of a slice, row by row over its ranges; the binding gives the labels of the other subscripts."""
    name, indices = split_reference(part.reference)
    before = [resolve(subscripts, index, binding) for index in indices[: len(indices) - len(part.ranges)]]
    return [Cell(name, (*before, *labels)) for labels in product(*(labels_of(subscripts, own) for own in part.ranges))]


def slice_place(subscripts: Mapping[str, Subscript], part: Slice, binding: Binding) -> int:
    """Return the position in a slice, from 0, of the number that its reference names."""
    _, indices = split_reference(part.reference)
    place = 0
    for index, own in zip(indices[len(indices) - len(part.ranges) :], part.ranges, strict=True):
        label, labels = resolve(subscripts, index, binding), labels_of(subscripts, own)
        place = place * len(labels) + labels.index(label)
    return place


def picked_cell(subscripts: Mapping[str, Subscript], call: Expr, binding: Binding) -> Cell | None:
    """Return the cell that a function picks from an array, if labels and numbers alone say which one; it reads no other.

    A place outside of the array has no cell, so the function is then computed in a run.
    """
    if not (isinstance(call, VensimFunction) and call.row.picks and isinstance(call.args[0], Slice)):
        return None
    array, place = call.args[0], _known_number(subscripts, call.args[1], binding)
    if place is None:
        return None
    cells = slice_cells(subscripts, array, binding)
    first = slice_place(subscripts, array, binding) if call.row.kinds[0] == "array" else 0
    nearest = first + math.floor(place + 0.5)
    return cells[nearest] if 0 <= nearest < len(cells) else None


def _known_number(subscripts: Mapping[str, Subscript], expression: Expr, binding: Binding) -> float | None:
    """Return the value of a sum or product of numbers, labels and numbers of labels; None for anything else."""
    if expression.is_Number:
        return float(expression)
    if counts_labels(expression):
        return float(len(labels_of(subscripts, split_reference(expression.args[0])[0])))
    if isinstance(expression, Symbol):
        known = expression.name in subscripts or any(expression.name in own.positions for own in subscripts.values())
        return position(subscripts, expression.name, binding) if known else None
    if not isinstance(expression, Add | Mul):
        return None
    parts = [_known_number(subscripts, part, binding) for part in expression.args]
    values = [part for part in parts if part is not None]
    join = sum if isinstance(expression, Add) else math.prod
    return float(join(values)) if len(values) == len(parts) else None


def result_place(subscripts: Mapping[str, Subscript], call: Expr, binding: Binding) -> int:
    """Return which number of a function that returns an array belongs to the cell of a binding.

    The last subscripts of the left-hand side count: labels by their position in the array that the function takes, and those that
    are not in it by their position in their own range.
    """
    array = next(argument for argument in call.args if isinstance(argument, Slice))
    place = 0
    for (name, label), own in zip(
        [*binding.items()][-call.row.spreads :], array.ranges[-call.row.spreads :], strict=True
    ):
        labels = labels_of(subscripts, own)
        found = labels if label in labels else labels_of(subscripts, name)
        place = place * len(labels) + found.index(label)
    return place


def cells_in(subscripts: Mapping[str, Subscript], expression: Expr, binding: Binding) -> Iterator[Cell]:
    """Yield every cell that an expression reads under a binding, including each label of a reduction and repeats.

    A range by its name alone, or marked as `range[range!]`, is the number of a label and reads no cell.

    Raises
    ------
    SubscriptFault
        If a range has no label under the binding.
    """
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _REFERENCES):
            name, indices = split_reference(part)
            if name in subscripts:
                resolve(subscripts, (indices or (name,))[0], binding)
            else:
                yield Cell(name, tuple([resolve(subscripts, index, binding) for index in indices]))
        elif isinstance(part, _READERS) and (cells := _cells_read(subscripts, part, binding)) is not None:
            yield from cells
        else:
            waiting += part.args[::-1]


def _cells_read(subscripts: Mapping[str, Subscript], part: Expr, binding: Binding) -> Iterable[Cell] | None:
    """Return the cells that a slice or a call reads, or None if these are those of its arguments."""
    if isinstance(part, Slice):
        return slice_cells(subscripts, part, binding)
    if picked := picked_cell(subscripts, part, binding):
        return (picked,)
    if is_reduction(part):
        inside = inner_bindings(subscripts, reduction_ranges(part), binding)
        return (cell for inner in inside for own in part.args for cell in cells_in(subscripts, own, inner))
    return () if counts_labels(part) else None


def has_choice(model: Model, expression: Expr) -> bool:
    """Whether an expression has a choice by an unchangeable constant, as VECTOR SELECT makes one."""
    return any(_choice(model, part) is not None for part in walk(expression))


def _choice(model: Model, expression: Expr) -> Expr | None:
    """Return the unchangeable constant with subscripts by which a part of VECTOR SELECT is chosen, or None."""
    if not (isinstance(expression, VensimFunction) and expression.row is IF_THEN_ELSE):
        return None
    condition = expression.args[0]
    if not (isinstance(condition, VensimFunction) and condition.row is ABS and isinstance(condition.args[0], Indexed)):
        return None
    element = model.elements.get(split_reference(condition.args[0])[0])
    return condition.args[0] if element is not None and element.fixed and element.kind == "constant" else None


def _chosen(model: Model, expression: Expr, binding: Binding) -> Expr | None:
    """Return the part of an expression that counts under a binding, where an unchangeable constant chooses it; else None."""
    if (constant := _choice(model, expression)) is None:
        return None
    (cell,) = cells_in(model.subscripts, constant, binding)
    value = _unchangeable(model).get(cell)
    return None if value is None else expression.args[1 if value else 2]


@made_once
def _unchangeable(model: Model) -> Mapping[Cell, float]:
    """Return the values of the unchangeable constants with subscripts."""
    found: dict[Cell, float] = {}
    for element in model.elements.values():
        if element.fixed and element.kind == "constant" and element.dimensions:
            for equation in element.equations:
                values = numbers_of(equation.expression).values
                cells = (Cell(element.key, labels) for labels, _ in bindings(model.subscripts, equation))
                found |= zip(cells, values if len(values) > 1 else repeat(values[0]), strict=False)
    return found


def chosen_cells(model: Model, expression: Expr, binding: Binding) -> Iterator[Cell]:
    """Yield every cell that an expression reads under a binding; of VECTOR SELECT, what unchangeable constants choose."""
    waiting = [(expression, binding)]
    while waiting:
        part, own = waiting.pop()
        if (chosen := _chosen(model, part, own)) is not None:
            waiting.append((chosen, own))
        elif not has_choice(model, part):
            yield from cells_in(model.subscripts, part, own)
        elif is_reduction(part):
            inside = inner_bindings(model.subscripts, reduction_ranges(part), own)
            waiting += [(argument, inner) for inner in inside for argument in part.args]
        else:
            waiting += [(argument, own) for argument in part.args]


def write_out(model: Model, expression: Expr, binding: Binding, read: Callable[[Cell], Expr]) -> Expr:
    """Return an expression for one cell: `read` replaces the cells in it, numbers replace ranges, terms replace reductions."""
    if is_reference(expression):
        name, indices = split_reference(expression)
        if name in model.subscripts or (not indices and name not in model.elements and name != TIME.key):
            return number(position(model.subscripts, (indices or (name,))[0], binding))
        return read(Cell(name, tuple(resolve(model.subscripts, index, binding) for index in indices)))
    if isinstance(expression, VensimFunction) and expression.row.rewrite:
        return write_out(model, expression.row.rewrite(*expression.args), binding, read)
    if (chosen := _chosen(model, expression, binding)) is not None:
        return write_out(model, chosen, binding, read)
    if picked := picked_cell(model.subscripts, expression, binding):
        return read(picked)
    if isinstance(expression, VensimFunction) and expression.row.takes_arrays:
        return _write_out_arrays(model, expression, binding, read)
    if is_reduction(expression):
        bound = inner_bindings(model.subscripts, reduction_ranges(expression), binding)
        return expression.row.written_out([write_out(model, expression.args[0], inner, read) for inner in bound])
    if counts_labels(expression):
        return number(len(labels_of(model.subscripts, split_reference(expression.args[0])[0])))
    parts = [write_out(model, argument, binding, read) for argument in expression.args]
    same = all(new is old for new, old in zip(parts, expression.args, strict=True))
    return expression if same else rebuild(expression, parts)


def _write_out_arrays(model: Model, call: Expr, binding: Binding, read: Callable[[Cell], Expr]) -> Expr:
    """Return a call of a function with the numbers of its arrays as arguments: what it reads, but no longer an expression."""
    parts: list[Expr] = []
    for argument in call.args:
        if isinstance(argument, Slice):
            parts += map(read, slice_cells(model.subscripts, argument, binding))
        else:
            parts.append(write_out(model, argument, binding, read))
    return OpaqueCall(*parts)


def position(subscripts: Mapping[str, Subscript], name: str, binding: Binding) -> float:
    """Return a range or a label as a number: the position of its label, from 1, in the largest range that lists it."""
    label = resolve(subscripts, name, binding)
    homes = [found for found in subscripts.values() if label in found.positions]
    if not homes:
        return 0.0
    return float(max(homes, key=lambda found: len(found.keys)).positions[label] + 1)


def count_cells(subscripts: Mapping[str, Subscript], names: Iterable[str]) -> int:
    """Return the number of cells that some subscripts span."""
    return math.prod([len(labels_of(subscripts, name)) for name in names])


def count_terms(subscripts: Mapping[str, Subscript], expression: Expr) -> int:
    """Return the number of parts of an expression for one cell, counting each label of a reduction."""
    if isinstance(expression, Indexed) or not expression.args:
        return 1
    inside = sum(count_terms(subscripts, argument) for argument in expression.args)
    return inside * count_cells(subscripts, reduction_ranges(expression)) if is_reduction(expression) else inside + 1


def too_many_cells(model: Model) -> Iterator[Fault]:
    """Yield a fault at the element with which a model exceeds the maximum number of cells."""
    total = 0
    for element, equation in ((owner, own) for owner in model for own in owner.equations):
        total += count_cells(model.subscripts, equation.subscripts)
        if total > MOST_CELLS:
            what = f"the model has more than {MOST_CELLS:,} cells with '{element.name}'"
            yield Fault(equation.place, f"{what}; give it fewer subscripts or shorter ranges")
            return


def too_many_terms(model: Model) -> Iterator[Fault]:
    """Yield a fault at the equation with which a model takes too long to compute; without ranges none does."""
    if not model.subscripts:
        return
    total = 0
    for element, equation in ((owner, own) for owner in model for own in owner.equations):
        if equation.expression.args:
            cells = count_cells(model.subscripts, equation.subscripts)
            total += cells * count_terms(model.subscripts, equation.expression)
        if total > MOST_TERMS:
            yield too_many_fault(model, element, equation.place)
            return


def too_many_fault(model: Model, element: Element, place: Place, *, written: bool = False) -> Fault:
    """Return the fault of an element with which a model has too many terms, `written` out cell by cell or not."""
    most, where = (MOST_WRITTEN, " in cells that depend on each other") if written else (MOST_TERMS, "")
    what = f"the equations have more than {most:,} terms{where} with '{model.owner_of(element).name}'"
    return Fault(place, f"{what}; sum over shorter ranges, or in steps")
