"""Gaps in data: which data variables lack data, whether equations need it, and `:NA:` in its place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from sympy import Add, Expr, Indexed, Mul, Pow, Symbol

from ...errors import Fault
from ..algebra import NA, Numbers, Slice, Table, number, rebuild, split_reference
from ..evaluation import evaluate
from ..functions.logic import IF_THEN_ELSE
from ..functions.table import FUNCTIONS, row_of
from ..records import Element, Model
from .variables import data_keyword, data_variables, has_points, points_in, points_name, with_points

_EQUAL, _UNEQUAL, _AND, _OR = (FUNCTIONS[name] for name in ("=", "<>", ":AND:", ":OR:"))
_PLAIN = (
    _EQUAL,
    _UNEQUAL,
    _AND,
    _OR,
    IF_THEN_ELSE,
    *(FUNCTIONS[name] for name in ("<", "<=", ">", ">=", ":NOT:", "MIN", "MAX")),
)


def missing_data(model: Model) -> Iterator[Fault]:
    """Yield a fault for each data variable that equations need and that has no data at all; such a model does not run.

    They do not need it where constants multiply it by 0 or choose something else, as switches between data and a model do.
    """
    yield from _lacking(model, needed=True)


def data_gaps(model: Model) -> Iterator[Fault]:
    """Yield a fault for each data variable that lacks data in some cells, or in all if nothing needs it; a run has :NA: there."""
    yield from _lacking(model, needed=False)


def without_gaps(model: Model) -> Model:
    """Return a model that has :NA: as the data of each cell without data."""
    missing = Table([(0.0, NA)])
    cells = [
        cell
        for _, points in data_variables(model)
        for cell, table in points_in(model, points).items()
        if not has_points(table)
    ]
    return with_points(model, dict.fromkeys(cells, missing)) if cells else model


def _lacking(model: Model, *, needed: bool) -> Iterator[Fault]:
    for element, points in data_variables(model):
        tables = points_in(model, points)
        lacking = [cell for cell, table in tables.items() if not has_points(table)]
        if lacking and needed == (len(lacking) == len(tables) and _is_needed(model, element)):
            labels = ", ".join(model.labels.get(label, label) for label in lacking[0].labels)
            which = f"'{element.name}[{labels}]'" if labels else f"'{element.name}'"
            more = f" (and {len(lacking) - 1} more of its cells)" if len(lacking) > 1 else ""
            what = f"{which} is a data variable without data{more}{'' if needed else ', and so :NA:'}"
            cure = "give a file that has it with --data FILE, or time courses in Python with data="
            yield Fault(element.place, f"{what}; {cure}")


def _is_needed(model: Model, element: Element) -> bool:
    """Whether the value of a data variable matters to another element; those that repeat its data count as itself."""
    points = points_name(element.key)
    missing = {element.key, points}
    for other in model.elements.values():
        if all(_repeats(model, own.expression, points) for own in other.equations):
            missing.add(other.key)
    settled = _Settled(model, frozenset(missing))
    return any(
        settled.needs(own.expression)
        for other in model.elements.values()
        if other.key not in missing
        for own in other.equations
    )


def _repeats(model: Model, expression: Expr, points: str) -> bool:
    return data_keyword(model, expression) is not None and split_reference(expression.args[0])[0] == points


@dataclass(slots=True)
class _Settled:
    """What any run of a model computes where some data is :NA:, as far as constants alone decide it."""

    model: Model
    missing: frozenset[str]
    known: dict[str, float] = field(default_factory=dict)

    def value(self, expression: Expr) -> float:
        """The value of an expression, or nan where it differs between times or runs."""
        if isinstance(expression, Symbol | Indexed):
            name, subscripts = split_reference(expression)
            return NA if name in self.missing else math.nan if subscripts else self._of(name)
        if expression.is_Number:
            return float(expression)
        if not isinstance(expression, Add | Mul | Pow):
            known = not isinstance(expression, Table | Numbers | Slice) and row_of(expression) in _PLAIN
            return self._logic(expression) if known else math.nan
        values = [self.value(part) for part in expression.args]
        if isinstance(expression, Mul) and 0 in values:
            return 0.0
        return self._computed(expression, values)

    def needs(self, expression: Expr) -> bool:
        """Whether the value of an expression differs with data in place of :NA:, as far as can be seen."""
        if isinstance(expression, Symbol | Indexed):
            return split_reference(expression)[0] in self.missing
        parts = expression.args
        if isinstance(expression, Mul) and self.value(expression) == 0:
            return False
        if parts and not isinstance(expression, Add | Mul | Pow | Table | Numbers | Slice):
            row = row_of(expression)
            if row is IF_THEN_ELSE and not math.isnan(chosen := self.value(parts[0])):
                parts = parts[1:2] if chosen else parts[2:]
            elif row in (_EQUAL, _UNEQUAL) and any(part.is_Number and float(part) == NA for part in parts):
                return False
        return any(self.needs(part) for part in parts)

    def _of(self, name: str) -> float:
        if name not in self.known:
            self.known[name] = math.nan  # for one that depends on itself
            element = self.model.elements.get(name)
            if element is not None and len(element.equations) == 1 and not element.dimensions:
                self.known[name] = self.value(element.equations[0].expression)
        return self.known[name]

    def _logic(self, expression: Expr) -> float:
        row, values = row_of(expression), [self.value(part) for part in expression.args]
        if row is IF_THEN_ELSE:
            return values[0] if math.isnan(values[0]) else values[1 if values[0] else 2]
        if row in (_EQUAL, _UNEQUAL) and NA in values and any(map(math.isnan, values)):
            return float(row is _UNEQUAL)  # what a model computes is not :NA:
        if row is _OR and any(value and not math.isnan(value) for value in values):
            return 1.0
        if row is _AND and 0 in values:
            return 0.0
        return self._computed(expression, values)

    def _computed(self, expression: Expr, values: list[float]) -> float:
        if any(map(math.isnan, values)):
            return math.nan
        return evaluate(
            self.model.subscripts, rebuild(expression, [number(value) for value in values]), {}, lambda _: math.nan
        )
