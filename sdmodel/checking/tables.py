"""Lookups that surprise: tables that turn, graphs that do not hold them, inputs beyond their ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

import numpy as np
from sympy import Expr

from ..model import Binding, Cell, Table, VensimFunction, bindings, referred, resolve, walk
from .findings import Finding
from .series import evaluated
from .subject import Subject

_SLACK = 1e-9
"""How far an input may pass the end of a table by rounding, relative to the table's width."""
_MOST_CELLS = 200
"""So many cells of an equation with subscripts are looked at."""


def find_turning(subject: Subject) -> Iterator[Finding]:
    """Tables that both rise and fall; few effects do, so that a turn is a slip or needs a reason.

    A table over time is a series, which may turn.
    """
    series = _of_time(subject)
    for element, equation, expression in subject.equations:
        for part in walk(expression):
            if isinstance(part, Table) and element.key not in series and _turns([y for _, y in part.points]):
                what = (
                    f"the table of '{element.name}' both rises and falls; check its points, or say why in the comment"
                )
                yield Finding("advice", "table-turns", equation.place, element.name, what)


def find_spilling(subject: Subject) -> Iterator[Finding]:
    """Tables with points outside of the graph that their author set up."""
    for element, equation, expression in subject.equations:
        for part in walk(expression):
            if isinstance(part, Table) and _spills(part):
                what = f"the table of '{element.name}' has points outside of its graph; widen the graph or correct them"
                yield Finding("advice", "table-graph", equation.place, element.name, what)


def find_passed(subject: Subject) -> Iterator[Finding]:
    """Tables that are looked up beyond their ends in the run as it stands, where they stay level."""
    for element, equation, expression in subject.equations:
        for call in dict.fromkeys(part for part in walk(expression) if _is_lookup(part)):
            bound = [binding for _, binding in islice(bindings(subject.model.subscripts, equation), _MOST_CELLS)]
            gaps = [gap for binding in bound if (gap := _gap(subject, call, binding)) is not None]
            if gaps:
                low, high, first, last = max(gaps, key=lambda gap: max(gap[2] - gap[0], gap[1] - gap[3]))
                what = (
                    f"'{element.name}' looks up from {low:g} to {high:g}, but the table goes from {first:g} to {last:g} and is "
                    "level beyond; extend the table, or bound its input on purpose"
                )
                numbers = {"low": low, "high": high, "first": first, "last": last}
                yield Finding("advice", "table-end", equation.place, element.name, what, numbers)


def _is_lookup(part: Expr) -> bool:
    return isinstance(part, VensimFunction) and part.name == "LOOKUP"


def _gap(subject: Subject, call: Expr, binding: Binding) -> tuple[float, float, float, float] | None:
    """The lowest and highest input of a lookup with the ends of its table, if the input passes them."""
    table, values = _table(subject, call.args[0], binding), evaluated(subject, subject.base, call.args[1], binding)
    if table is None or not table.points or values is None or not np.isfinite(values).all():
        return None
    places = [x for x, _ in table.points]
    low, high, first, last = float(values.min()), float(values.max()), min(places), max(places)
    slack = _SLACK * (last - first)
    return (low, high, first, last) if low < first - slack or high > last + slack else None


def _table(subject: Subject, table: Expr, binding: Binding) -> Table | None:
    """The table itself, or the one that a name stands for."""
    if isinstance(table, Table):
        return table
    name, labels = referred(table)
    return subject.plan.tables.get(
        Cell(name, tuple(resolve(subject.model.subscripts, each, binding) for each in labels))
    )


def _of_time(subject: Subject) -> set[str]:
    """The keys of what looks up a table at Time: the tables by name, and the equations with a table inside."""
    found = set()
    for element, _, expression in subject.equations:
        for part in walk(expression):
            if getattr(part, "name", "").startswith("LOOKUP") and "time" in map(str, part.args[1].free_symbols):
                found |= {element.key, str(part.args[0]).partition("[")[0]}
    return found


def _turns(values: Sequence[float]) -> bool:
    steps = [after - before for before, after in pairwise(values)]
    return any(step > 0 for step in steps) and any(step < 0 for step in steps)


def _spills(table: Table) -> bool:
    """Whether a point lies outside of the graph; corners that are all the same are no graph."""
    if table.limits is None:
        return False
    (left, bottom), (right, top) = table.limits
    if left >= right or bottom >= top:
        return False
    return any(not (left <= x <= right and bottom <= y <= top) for x, y in table.points)
