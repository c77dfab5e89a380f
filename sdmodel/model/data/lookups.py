"""Data variables as lookups alone, for what has no data: the points are those of lookups, and no function but theirs reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType

from sympy import Expr

from ..algebra import VensimFunction, is_reference, make_reference, split_reference, transform, walk
from ..functions.data import as_lookup
from ..names import key
from ..records import Model
from .variables import data_variables


def data_as_lookups(model: Model) -> Model:
    """Return the model with functions of lookups in place of functions of data; those stay that ask for more than a value at a time."""
    if not (data := {points.key: points for _, points in data_variables(model)}):
        return model
    elements = dict(model.elements)

    def reads(part: Expr) -> str:
        """The key of the data's points that a part of an expression reads; empty if it reads none."""
        is_read = isinstance(part, VensimFunction) and part.row.kinds[:1] == ("table",)
        name = split_reference(part.args[0])[0] if is_read and is_reference(part.args[0]) else ""
        return name if name in data else ""

    parts = {part for element in model for equation in element.equations for part in walk(equation.expression)}
    ways = Counter(points for points, _ in {(reads(part), part.name) for part in parts if reads(part)})

    def change(part: Expr) -> Expr | None:
        points = data.get(reads(part))
        others = [as_lookup(part.name, equation.expression) for equation in points.equations] if points else []
        if points is None or None in others:
            return None
        name = points.name if ways[points.key] == 1 else f"{points.name} {part.name.lower()}"
        found = [other for other in others if other is not None]
        equations = zip(points.equations, found, strict=True)
        elements[key(name)] = replace(
            points, name=name, equations=tuple(replace(own, expression=table) for own, (table, _) in equations)
        )
        reference = make_reference(key(name), *split_reference(part.args[0])[1])
        return found[0][1].build(reference, *part.args[1:])

    for element in model:
        changed = [transform(equation.expression, change) for equation in element.equations]
        if any(new is not equation.expression for new, equation in zip(changed, element.equations, strict=True)):
            equations = zip(element.equations, changed, strict=True)
            elements[element.key] = replace(
                element, equations=tuple(replace(equation, expression=new) for equation, new in equations)
            )
    return replace(model, elements=MappingProxyType(elements))
