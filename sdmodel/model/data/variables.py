"""Data variables: their points are a hidden lookup, and they look it up at Time in the way that their keyword says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from sympy import Expr, Symbol

from ..algebra import NA, Table, VensimFunction, is_reference, make_reference, number, split_reference, transform, walk
from ..functions.data import AT_TIME, TOTALLED
from ..functions.table import FUNCTIONS
from ..names import MARK, key
from ..records import Element, Model
from ..subscripts import Cell, bindings

NOW = Symbol("time")
"""The current time, at which a data variable looks up its points."""
_POINTS = "#data"
NO_POINTS = Table([(0.0, math.nan)])
"""The points of a data variable before it has data."""
_WAYS = {"": "LOOKUP", "INTERPOLATE": "LOOKUP", "LOOK FORWARD": "LOOKUP FORWARD", "HOLD BACKWARD": "LOOKUP BACKWARD"}
_KEYWORDS = {name: f":{word}:" for word, name in _WAYS.items() if word != "INTERPOLATE"} | {
    "LOOKUP": "",
    AT_TIME.name: ":RAW:",
}
_KEYWORDS |= {row.name: _KEYWORDS[read] for (_, read), row in TOTALLED.items() if read in _KEYWORDS}
"""The keyword of each function with which a data variable looks up its points, or what CUMULATE makes of those of another one."""


def points_name(name: str) -> str:
    """Return the name, or key, of the hidden lookup with the points of a data variable."""
    return f"{name}{_POINTS}"


def data_value(points: Expr, time: Expr, keyword: str, *, total: str = "") -> Expr:
    """Return the value of a data variable at a time, or that of what CUMULATE or CUMULATEF, the `total`, makes of it.

    `keyword` is `:INTERPOLATE:`, `:RAW:` and so on, or empty.
    """
    word = " ".join(keyword.strip(": \t\r\n").upper().split())
    read = AT_TIME if word == "RAW" else FUNCTIONS[_WAYS[word]]
    return (TOTALLED[total, read.name] if total else read).build(points, time)


def computed_data(
    expression: Expr, keyword: str, data_behind: Callable[[Expr], tuple[str, tuple[str, ...]] | None]
) -> Expr:
    """Return computed data with its keyword, which holds for all data that it reads; `:RAW:` data is :NA: where one of them is.

    `data_behind` returns the data variable with points that a part of the expression names, with its subscripts, or None.
    """
    read: list[Expr] = []

    def with_keyword(part: Expr) -> Expr | None:
        found = data_behind(part)
        if found is None or any(index.endswith(MARK) for index in found[1]):
            return None
        read.append(data_value(data_reference(found[0], *found[1]), NOW, keyword))
        return read[-1]

    if not keyword:
        return expression
    value = transform(expression, with_keyword)
    for own in read if "RAW" in keyword.upper() else []:
        value = FUNCTIONS["IF THEN ELSE"].build(FUNCTIONS["="].build(own, number(NA)), number(NA), value)
    return value


def data_equation(model: Model, expression: Expr) -> tuple[str, Expr] | None:
    """Return what `computed_data` made an expression from: the keyword, and the expression with names of data; None for others."""

    def data_behind(part: Expr) -> tuple[str, tuple[str, ...]] | None:
        name, subscripts = split_reference(part) if is_reference(part) else ("", ())
        return (name, subscripts) if points_name(name) in model.elements else None

    found = (data_keyword(model, part) for part in walk(expression))
    for keyword in sorted({own or ":INTERPOLATE:" for own in found if own is not None}):

        def plain(part: Expr, keyword: str = keyword) -> Expr | None:
            if data_keyword(model, part) is None or part != data_value(part.args[0], NOW, keyword):
                return None
            name, subscripts = split_reference(part.args[0])
            return make_reference(name.removesuffix(_POINTS), *subscripts)

        inner = [expression]
        while isinstance(inner[-1], VensimFunction) and inner[-1].name == "IF THEN ELSE":
            inner.append(inner[-1].args[2])
        for own in inner:
            written = transform(own, plain)
            if written is not own and computed_data(written, keyword, data_behind) == expression:
                return keyword, written
    return None


def data_keyword(model: Model, expression: Expr) -> str | None:
    """Return the keyword, or an empty text, with which an expression reads a data variable; None if it does not read one."""
    if not isinstance(expression, VensimFunction) or expression.name not in _KEYWORDS:
        return None
    points = expression.args[0]
    name = split_reference(points)[0] if is_reference(points) else ""
    hidden = name in model.elements and model.elements[name].hidden
    return _KEYWORDS[expression.name] if hidden and name.endswith(_POINTS) else None


def data_reference(name: str, *subscripts: str) -> Expr:
    """Return a reference to the points of a data variable by its key."""
    return make_reference(points_name(name), *subscripts)


def reads_computed(expression: Expr) -> bool:
    """Whether an expression calls a function of data that reads all points of data, with a variable that is computed."""
    is_of_data = isinstance(expression, VensimFunction) and expression.row.arguments[:1] == ("data",)
    data = expression.args[0] if is_of_data else NOW
    return is_of_data and is_reference(data) and not split_reference(data)[0].endswith(_POINTS)


def data_variables(model: Model) -> Iterator[tuple[Element, Element]]:
    """Yield the data variables of a model, each with the hidden lookup that has its points."""
    for element in model:
        points = model.elements.get(points_name(element.key))
        if points is not None and points.hidden:
            yield element, points


def points_in(model: Model, points: Element) -> dict[Cell, Table]:
    """Return the points of a data variable by cell, the cell being one of the variable; some may be `NO_POINTS`."""
    own = key(points.name).removesuffix(_POINTS)
    return {
        Cell(own, labels): equation.expression
        for equation in points.equations
        for labels, _ in bindings(model.subscripts, equation)
    }


def has_points(table: Table) -> bool:
    """Whether a data variable has data."""
    return not math.isnan(table.points[0][1])


def with_points(model: Model, given: Mapping[Cell, Table]) -> Model:
    """Return the model with points for cells of its data variables; cells of anything else are ignored."""
    elements = dict(model.elements)
    names = {cell.key for cell in given}
    for element, points in data_variables(model):
        if element.key in names:
            known = points_in(model, points) | {cell: table for cell, table in given.items() if cell.key == element.key}
            first = points.equations[0]
            elements[points.key] = replace(
                points,
                equations=tuple(
                    replace(first, expression=table, subscripts=cell.labels, exceptions=())
                    for cell, table in known.items()
                ),
            )
    return replace(model, elements=MappingProxyType(elements))
