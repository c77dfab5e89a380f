"""Subscripts: which cells an equation defines, which cell a reference in it reads, and how many cells there are.

A line of text can ask for more numbers than any machine holds, so sizes are computed from the lengths of ranges first and
a model that is too large is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from sympy import Expr, Indexed, Symbol

from ..errors import Fault, Place
from .algebra import VensimFunction, number, rebuild, split_reference
from .functions.table import REDUCTIONS
from .names import MARK
from .records import Element, Equation, Model, Subscript

MOST_CELLS = 1_000_000
"""Maximum number of cells of all elements of a model."""
MOST_TERMS = 1_000_000_000
"""Maximum number of numbers, references and operations of all equations, counted for every cell and every label of a SUM: what a
processor computes in about a second."""
MOST_WRITTEN = 3_000_000
"""Maximum number of these in equations whose cells depend on each other, which are written out cell by cell."""
MOST_HIDDEN = 200_000
"""Maximum number of cells of the stocks and auxiliaries that delays, smooths and similar functions expand to."""

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
    for bound, label in binding.items():
        mapped = mapped_label(subscripts, found, bound, label)
        if mapped is not None:
            return mapped
    raise SubscriptFault(unbound_message(found))


def unbound_message(found: Subscript) -> str:
    """Return the message about a range that has no label in an equation."""
    return f"the range '{found.name}' is neither on the left-hand side nor mapped from it; add it there, or map it"


def unclaimed_message(name: str) -> str:
    """Return the message about a range that is marked with `!` outside of a reduction."""
    return f"'{name}' is outside of SUM, PROD, VMIN and VMAX; write ! only inside of them"


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


def reduction_ranges(call: Expr) -> tuple[str, ...]:
    """Return the ranges that a reduction runs over: the indices with `!` in it that no reduction inside it claims."""
    return tuple(dict.fromkeys(name for argument in call.args for name in unclaimed_ranges(argument)))


def unclaimed_ranges(expression: Expr) -> tuple[str, ...]:
    """Return the indices with `!` in an expression that no reduction in it claims."""
    found: dict[str, None] = {}
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Indexed):
            found.update(dict.fromkeys(name for name in split_reference(part)[1] if name.endswith(MARK)))
        elif part.args and not is_reduction(part):
            waiting += reversed(part.args)
    return tuple(found)


def is_reduction(expression: Expr) -> bool:
    """Whether an expression is a SUM, PROD, VMIN or VMAX."""
    return isinstance(expression, VensimFunction) and expression.name in REDUCTIONS


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


def cells_in(subscripts: Mapping[str, Subscript], expression: Expr, binding: Binding) -> Iterator[Cell]:
    """Yield every cell that an expression reads under a binding, including each label of a reduction and repeats.

    A range by its name alone, or marked as `range[range!]`, is the number of a label and reads no cell.

    Raises
    ------
    SubscriptFault
        If a range has no label under the binding.
    """
    if isinstance(expression, Indexed | Symbol):
        name, indices = split_reference(expression)
        if name in subscripts:
            resolve(subscripts, (indices or (name,))[0], binding)
            return
        yield Cell(name, tuple(resolve(subscripts, index, binding) for index in indices))
    elif is_reduction(expression):
        for inner in inner_bindings(subscripts, reduction_ranges(expression), binding):
            for argument in expression.args:
                yield from cells_in(subscripts, argument, inner)
    elif not counts_labels(expression):
        for argument in expression.args:
            yield from cells_in(subscripts, argument, binding)


def write_out(model: Model, expression: Expr, binding: Binding, read: Callable[[Cell], Expr]) -> Expr:
    """Return an expression for one cell: `read` replaces the cells in it, numbers replace ranges, terms replace reductions."""
    if isinstance(expression, Symbol | Indexed):
        name, indices = split_reference(expression)
        if name in model.subscripts or (not indices and name not in model.elements and name != TIME.key):
            return number(position(model.subscripts, (indices or (name,))[0], binding))
        return read(Cell(name, tuple(resolve(model.subscripts, index, binding) for index in indices)))
    if is_reduction(expression):
        bound = inner_bindings(model.subscripts, reduction_ranges(expression), binding)
        return expression.row.written_out([write_out(model, expression.args[0], inner, read) for inner in bound])
    if counts_labels(expression):
        return number(len(labels_of(model.subscripts, split_reference(expression.args[0])[0])))
    parts = [write_out(model, argument, binding, read) for argument in expression.args]
    same = all(new is old for new, old in zip(parts, expression.args, strict=True))
    return expression if same else rebuild(expression, parts)


def position(subscripts: Mapping[str, Subscript], name: str, binding: Binding) -> float:
    """Return a range or a label as a number: the position of its label, from 1, in the largest range that lists it."""
    label = resolve(subscripts, name, binding)
    homes = [found for found in subscripts.values() if label in found.positions]
    if not homes:
        return 0.0
    return float(max(homes, key=lambda found: len(found.keys)).positions[label] + 1)


def count_cells(subscripts: Mapping[str, Subscript], names: Iterable[str]) -> int:
    """Return the number of cells that some subscripts span."""
    return math.prod(len(labels_of(subscripts, name)) for name in names)


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
