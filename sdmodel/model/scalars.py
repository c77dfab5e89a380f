"""The same model without subscripts: every cell is a variable of its own, and what runs over a range is written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from sympy import Expr, Indexed, Symbol

from ..errors import Fault, ModelError
from .algebra import NA, TIME, Numbers, Table, add, multiply, number, rebuild, refer, referred
from .functions.table import FUNCTIONS
from .names import display, key
from .records import Element, Model
from .subscripts import (  # fmt: skip
    Binding,
    Cell,
    SubscriptFault,
    bindings,
    counts_labels,
    expanded,
    is_reduction,
    labels_of,
    marked,
    position,
    resolve,
)

_MOST = 20_000
"""Cells of a model that people may still want as text."""


@dataclass(frozen=True, eq=False)
class Scalars:
    """A model without subscripts, and what each cell of the model before is called in it; `renamed` are names that were taken."""

    model: Model
    names: Mapping[Cell, str]
    renamed: tuple[str, ...]


def without_subscripts(model: Model) -> Scalars:
    """Every cell as a variable named after its element and its labels, `price chat` for `price[chat]`; the rest as it is.

    A name that something else has gets a number. Each cell keeps units, range, comment and group of its element.

    Raises
    ------
    ModelError
        If a subscript stands for nothing, or the cells are too many.
    """
    names, renamed = _names(model)
    writer = _Writer(model, {cell: key(name) for cell, name in names.items()})
    elements: dict[str, Element] = {}
    for element in model:
        for equation in element.equations:
            for index, (labels, binding) in enumerate(bindings(model.subscripts, equation)):
                name = names[Cell(element.key, labels)]
                try:
                    expression = writer.at(equation.expression, index, binding)
                except SubscriptFault as fault:
                    raise ModelError([Fault(equation.place, str(fault))]) from None
                alone = replace(equation, expression=expression, subscripts=(), exceptions=())
                elements[key(name)] = replace(element, name=name, equations=(alone,), dimensions=(), hidden=False)
    made = replace(model, elements=MappingProxyType(elements), subscripts=MappingProxyType({}))
    return Scalars(made, MappingProxyType(names), renamed)


def _names(model: Model) -> tuple[dict[Cell, str], tuple[str, ...]]:
    """What each cell is called, and which names had to be changed."""
    cells = [Cell(each.key, labels) for each in model for equation in each.equations for labels, _ in bindings(model.subscripts, equation)]  # fmt: skip
    if len(cells) > _MOST:
        message = f"the model has {len(cells):,} cells, too many to write out; at most {_MOST:,}"
        raise ModelError([Fault(model.path, message)])
    taken = {element.key for element in model if not element.dimensions} | {"time"}
    names: dict[Cell, str] = {}
    renamed: list[str] = []
    for cell in dict.fromkeys(cells):
        element = model.elements[cell.key]
        plain = " ".join([display(element.name), *(display(model.labels.get(each, each)) for each in cell.labels)])
        name, count = plain, 1
        while cell.labels and key(name) in taken:
            count += 1
            name = f"{plain} {count}"
        taken.add(key(name))
        names[cell] = name
        if name != plain:
            renamed.append(name)
    return names, tuple(renamed)


@dataclass(frozen=True, eq=False)
class _Writer:
    """How an expression is said of one cell: `keys` are those of the variables that stand for cells."""

    model: Model
    keys: Mapping[Cell, str]

    def at(self, expression: Expr, index: int, binding: Binding) -> Expr:
        """What an equation says of the index-th of its cells."""
        if isinstance(expression, Numbers):
            return number(expression.at(index))
        return expression if isinstance(expression, Table) else self.part(expression, binding)

    def part(self, expression: Expr, binding: Binding) -> Expr:
        """A part of an equation with its ranges at the labels that they stand for."""
        if isinstance(expression, Symbol | Indexed):
            return self.reference(expression, binding)
        if is_reduction(expression):
            return self.reduction(expression, binding)
        if counts_labels(expression):
            return number(len(labels_of(self.model.subscripts, referred(expression.args[0])[0])))
        if not expression.args or isinstance(expression, Table):
            return expression
        parts = [self.part(each, binding) for each in expression.args]
        same = all(new is old for new, old in zip(parts, expression.args, strict=True))
        return expression if same else rebuild(expression, parts)

    def reference(self, expression: Expr, binding: Binding) -> Expr:
        """A cell by its own name; a range by itself is the number of its label."""
        name, indices = referred(expression)
        if not indices and (name in self.model.elements or name == TIME.name):
            return expression
        if not indices:
            return number(position(self.model.subscripts, name, binding))
        cell = Cell(name, tuple(resolve(self.model.subscripts, each, binding) for each in indices))
        return refer(self.keys[cell]) if cell in self.keys else number(NA)

    def reduction(self, expression: Expr, binding: Binding) -> Expr:
        """A SUM or one of its kin, term by term."""
        inner = expanded(self.model.subscripts, marked(expression), binding)
        return _WRITTEN_OUT[expression.name]([self.part(expression.args[0], each) for each in inner])


def _halved(name: str) -> Callable[[Sequence[Expr]], Expr]:
    """A function of two numbers over many: the halves apart, so that it does not nest deep."""

    def build(terms: Sequence[Expr]) -> Expr:
        if len(terms) == 1:
            return terms[0]
        half = len(terms) // 2
        return FUNCTIONS[name].build(build(terms[:half]), build(terms[half:]))

    return build


_WRITTEN_OUT: Mapping[str, Callable[[Sequence[Expr]], Expr]] = MappingProxyType(
    {
        "SUM": lambda terms: add(*terms) if len(terms) > 1 else terms[0],
        "PROD": lambda terms: multiply(*terms) if len(terms) > 1 else terms[0],
        "VMIN": _halved("MIN"),
        "VMAX": _halved("MAX"),
    }
)
