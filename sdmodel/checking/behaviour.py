"""Rules about the run of the unchanged model: values that are not finite, outside their range, or lost in rounding."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from sympy import Expr

from ..model import (
    Binding,
    Cell,
    Table,
    VensimFunction,
    bindings,
    cell_name,
    data_gaps,
    has_points,
    resolve,
    split_reference,
    walk,
)
from .checked_model import CheckedModel, first_not_finite, run_quietly
from .findings import Finding

_LOST = 1e-3
"""The fraction of its flows that a stock may lose before it is reported; rounding alone stays far below."""
_SLACK = 1e-9
"""The distance by which an input may pass the end of a table by rounding, relative to the table's width."""
_MOST_CELLS = 200
"""Maximum number of cells of an equation that are checked."""


def find_remarks(checked: CheckedModel) -> Iterator[Finding]:
    """Find the remarks of the run, such as a FINAL TIME that no step reaches."""
    known = {fault.what for fault in data_gaps(checked.model)}  # of the rule about data
    for remark in filter(None, str(checked.requested_run.attrs.get("remarks", "")).splitlines()):
        if remark in known:
            continue
        yield Finding("warning", "run", checked.model["FINAL TIME"].place, "", remark)


def find_not_finite(checked: CheckedModel) -> Iterator[Finding]:
    """Find the first value that is not finite."""
    message = str(checked.base_run.attrs.get("not_finite", ""))
    if message:
        name, time = first_not_finite(checked.base_run) or ("", float("nan"))
        place = checked.model[name].place if name in checked.model else checked.model.path
        yield Finding("error", "not-finite", place, name, message, {"time": time})


def find_outside_range(checked: CheckedModel) -> Iterator[Finding]:
    """Find values outside of the range in the units field, of which Vensim warns during a run."""
    for element in checked.model:
        bounds = element.range
        if bounds is None or element.hidden or element.kind == "lookup":
            continue
        low, high = bounds.minimum, bounds.maximum
        if low is not None and high is not None and low > high:
            what = f"the range of '{element.name}' goes from {low:g} down to {high:g}; exchange them"
            yield Finding("warning", "range", element.place, element.name, what)
            continue
        if element.kind == "constant":  # from the model, since the run changes SAVEPER
            values = np.array([[value for cell, value in checked.plan.constants.items() if cell.key == element.key]])
        else:
            values = checked.values(checked.base_run, element.key)
        for limit, passes, where in ((low, np.less, "below its minimum"), (high, np.greater, "above its maximum")):
            if limit is None or not (outside := passes(values, limit)).any():
                continue
            first = int(outside.reshape(len(outside), -1).any(axis=1).argmax())
            distance = np.where(outside, np.abs(values - limit), -1.0)
            farthest = float(values.flat[int(distance.argmax())])
            start = float(values[first][outside[first]].flat[0])
            numbers = {"value": start, "bound": limit, "farthest": farthest}
            when = ""
            if len(values) > 1:
                numbers["time"] = float(checked.base_run["time"].values[first])
                when = f" at {numbers['time']:g}" + (f" and {farthest:g} at its farthest" if farthest != start else "")
            what = f"'{element.name}' is {start:g}{when}, {where} {limit:g}; correct the range or what drives it"
            yield Finding("warning", "range", element.place, element.name, what, numbers)


def find_lost_flows(checked: CheckedModel) -> Iterator[Finding]:
    """Find stocks whose change by Euler's method is not the sum of their net flow over all steps.

    A stock that is larger than its flows by more digits than a number has does not change at all.
    """
    step = float(checked.base_run.attrs["time_step"])
    if "not_finite" in checked.base_run.attrs or checked.base_run.attrs["saveper"] != step:
        return
    euler = checked.model.integrator in ("euler", "diff")
    run = checked.base_run if euler else run_quietly(checked.model, checked.every_step, integrator="euler")
    reported: set[str] = set()
    for stock in checked.plan.stocks:
        if stock.cell.key in reported or stock.cell.key not in checked.keys:
            continue
        rate = checked.evaluate(run, stock.expression.args[0], stock.binding)
        if rate is None:
            continue
        values = checked.cell_values(run, stock.cell)
        rate = np.broadcast_to(rate, values.shape)[:-1]
        lost = abs(float(values[-1] - values[0]) - float(rate.sum()) * step)
        moved = float(np.abs(rate).sum()) * step
        if lost > _LOST * moved:
            reported.add(stock.cell.key)
            element, name = checked.model.elements[stock.cell.key], cell_name(checked.model, stock.cell)
            amount = f"{lost:g} {element.units}".rstrip()
            what = f"'{name}' changes by {amount} more or less than its flows, which come to {moved:g}"
            cure = "it is so large that they are lost in rounding; measure it in larger units, or from another zero"
            numbers = {"lost": lost, "flow": moved}
            yield Finding("warning", "balance", element.place, name, f"{what}; {cure}", numbers)


def find_table_ends(checked: CheckedModel) -> Iterator[Finding]:
    """Find tables that are read beyond their ends, where they stay level."""
    for element, equation, expression in checked.equations:
        calls = (part for part in walk(expression) if isinstance(part, VensimFunction) and part.name == "LOOKUP")
        for call in dict.fromkeys(calls):
            bound = [binding for _, binding in islice(bindings(checked.model.subscripts, equation), _MOST_CELLS)]
            passed = [ends for binding in bound if (ends := _passed_ends(checked, call, binding)) is not None]
            if passed:
                low, high, first, last = max(passed, key=lambda ends: max(ends[2] - ends[0], ends[1] - ends[3]))
                where = f"looks up from {low:g} to {high:g}, but the table goes from {first:g} to {last:g}"
                cure = "extend the table, or bound its input on purpose"
                what = f"'{element.name}' {where} and is level beyond; {cure}"
                numbers = {"low": low, "high": high, "first": first, "last": last}
                yield Finding("advice", "table-end", equation.place, element.name, what, numbers)


def _passed_ends(checked: CheckedModel, call: Expr, binding: Binding) -> tuple[float, float, float, float] | None:
    """Return the lowest and highest input of a lookup and the ends of its table, if the input passes them."""
    table, values = call.args[0], checked.evaluate(checked.base_run, call.args[1], binding)
    if not isinstance(table, Table):
        name, labels = split_reference(table)
        cell = Cell(name, tuple(resolve(checked.model.subscripts, label, binding) for label in labels))
        table = checked.plan.tables.get(cell)
    if table is None or not table.points or not has_points(table) or values is None or not np.isfinite(values).all():
        return None
    places = [x for x, _ in table.points]
    low, high, first, last = float(values.min()), float(values.max()), min(places), max(places)
    slack = _SLACK * (last - first)
    return (low, high, first, last) if low < first - slack or high > last + slack else None
