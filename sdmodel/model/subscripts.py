"""What subscripts mean: which cells an equation defines, and which cell a reference inside it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from sympy import Expr, Indexed, Symbol

from .algebra import VensimFunction, referred
from .functions.table import REDUCTIONS
from .records import Equation, Subscript

Binding = Mapping[str, str]
"""The label that each range on the left-hand side stands for in one cell, both as keys."""


class Cell(NamedTuple):
    """One number of a model: an element's key and the keys of its labels."""

    key: str
    labels: tuple[str, ...] = ()


class SubscriptFault(Exception):  # noqa: N818 - caught inside the stage and told as a fault with its place
    """A subscript that names nothing here."""


def labels_of(subscripts: Mapping[str, Subscript], name: str) -> tuple[str, ...]:
    """The labels of a range, or the label itself; all as keys."""
    found = subscripts.get(name.rstrip("!"))
    return (name,) if found is None else found.keys


def bindings(
    subscripts: Mapping[str, Subscript], equation: Equation
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Each cell's labels that an equation defines, row by row, with what its ranges stand for there."""
    axes = [labels_of(subscripts, name) for name in equation.subscripts]
    excluded = {
        cell
        for exception in equation.exceptions
        for cell in product(*(labels_of(subscripts, name) for name in exception))
    }
    for labels in product(*axes):
        if labels not in excluded:
            yield labels, dict(zip(equation.subscripts, labels, strict=True))


def resolve(subscripts: Mapping[str, Subscript], name: str, binding: Binding) -> str:
    """The label that an index means in a cell: bound, literal, or mapped from a bound range.

    Raises
    ------
    SubscriptFault
        If the name is neither a label nor a range that the left-hand side, or a mapping from it, ties down.
    """
    if name in binding:
        return binding[name]
    found = subscripts.get(name)
    if found is None:
        if name.endswith("!"):
            raise SubscriptFault(unclaimed(name))
        return name
    for bound, label in binding.items():
        mapped = _mapped(subscripts, found, bound, label)
        if mapped is not None:
            return mapped
    message = f"the range '{found.name}' stands for nothing here; put it on the left-hand side, or map it"
    raise SubscriptFault(message)


def unclaimed(name: str) -> str:
    """What to say of a marked range that nothing runs over."""
    return f"'{name}' stands outside of SUM, PROD, VMIN and VMAX; write ! only inside of them"


def _mapped(subscripts: Mapping[str, Subscript], wanted: Subscript, bound: str, label: str) -> str | None:
    """The label of `wanted` that stands for `label` of the bound range, by a mapping in either direction."""
    for mapping in wanted.mappings:
        target = labels_of(subscripts, mapping.target)
        if label in target:
            for own, others in zip(wanted.keys, mapping.labels or [(each,) for each in target], strict=True):
                if label in others:
                    return own
    source = subscripts.get(bound.rstrip("!"))
    for mapping in source.mappings if source else ():
        target = labels_of(subscripts, mapping.target)
        if source is not None and set(wanted.keys) <= set(target) and label in source.positions:
            others = (mapping.labels or [(each,) for each in target])[source.positions[label]]
            return others[0] if others else None
    return None


def marked(call: Expr) -> tuple[str, ...]:
    """The ranges that a reduction runs over: the indices with `!` in it that no reduction inside it claims."""
    return tuple(dict.fromkeys(name for argument in call.args for name in loose(argument)))


def loose(expression: Expr) -> tuple[str, ...]:
    """The indices with `!` in an expression that no reduction in it claims."""
    found: dict[str, None] = {}
    _marks(expression, found)
    return tuple(found)


def _marks(expression: Expr, found: dict[str, None]) -> None:
    if isinstance(expression, Indexed | Symbol):
        found.update(dict.fromkeys(name for name in referred(expression)[1] if name.endswith("!")))
    elif not is_reduction(expression):
        for argument in expression.args:
            _marks(argument, found)


def is_reduction(expression: Expr) -> bool:
    """Whether an expression is a SUM or one of its kin."""
    return isinstance(expression, VensimFunction) and expression.name in REDUCTIONS


def counts_labels(expression: Expr) -> bool:
    """Whether an expression is ELMCOUNT, whose argument is a range and no number."""
    return isinstance(expression, VensimFunction) and expression.name == "ELMCOUNT"


def expanded(subscripts: Mapping[str, Subscript], names: Sequence[str], binding: Binding) -> Iterator[dict[str, str]]:
    """The bindings inside a reduction: the outer one, with each marked range at each of its labels in turn."""
    axes = [labels_of(subscripts, name.rstrip("!")) for name in names]
    for labels in product(*axes):
        yield {**binding, **dict(zip(names, labels, strict=True))}


def cells_in(subscripts: Mapping[str, Subscript], expression: Expr, binding: Binding) -> Iterator[Cell]:
    """Every cell that an expression reads under a binding, reductions written out, repeats included.

    A range by its name alone is the number of a label, and reads none.

    Raises
    ------
    SubscriptFault
        If a range stands for nothing under the binding.
    """
    if isinstance(expression, Indexed | Symbol):
        name, indices = referred(expression)
        if not indices and name in subscripts:
            resolve(subscripts, name, binding)
            return
        yield Cell(name, tuple(resolve(subscripts, index, binding) for index in indices))
    elif is_reduction(expression):
        for inner in expanded(subscripts, marked(expression), binding):
            for argument in expression.args:
                yield from cells_in(subscripts, argument, inner)
    elif not counts_labels(expression):
        for argument in expression.args:
            yield from cells_in(subscripts, argument, binding)


def position(subscripts: Mapping[str, Subscript], name: str, binding: Binding) -> float:
    """What a range or a label is as a number: the place of its label, from 1, in the largest range that lists it."""
    label = resolve(subscripts, name, binding)
    homes = [found for found in subscripts.values() if label in found.positions]
    if not homes:
        return 0.0
    return float(max(homes, key=lambda found: len(found.keys)).positions[label] + 1)
