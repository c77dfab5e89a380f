"""Time courses that differ between members: their points become a constant of the model, an array over their times.

Members then differ by numbers alone, which reach every run, store and process as those of any other constant do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from sympy import Expr, Symbol

from ..errors import Fault, ScenarioError
from ..model import (
    FUNCTIONS,
    NA,
    PLACE_IN_COURSE,
    Cell,
    Element,
    Equation,
    Model,
    Numbers,
    Slice,
    Subscript,
    Table,
    VensimFunction,
    add,
    divide,
    key,
    labels_of,
    make_reference,
    multiply,
    negate,
    number,
    number_text,
    points_name,
    reads_computed,
    split_reference,
    transform,
)
from .records import Change

POINTS_TEXT = "the course of "
"""The beginning of the text of the equation of a constant that holds points."""
_READ = {"LOOKUP": "linear", "LOOKUP FORWARD": "forward", "LOOKUP BACKWARD": "backward", "GET DATA AT TIME": "at time"}
"""How the functions that read one value of data read its points."""
_BETWEEN = "GET DATA BETWEEN TIMES"
_MANY = 5
"""From this number on, evenly spaced times are written as their range."""
_OF_TIMES = frozenset({"GET DATA FIRST TIME", "GET DATA LAST TIME", "GET DATA TOTAL POINTS"})
"""Functions of data that need no values of its points."""


def course_times(change: Change) -> tuple[float, ...]:
    """Return the times of a time course."""
    return tuple(time for time, _ in change.table.points) if change.table else ()


def evenly_spaced(first: float, last: float, step: float) -> tuple[float, ...]:
    """Return the times from the first to the last, one step apart."""
    return tuple(first + place * step for place in range(round((last - first) / step) + 1))


def times_text(times: Sequence[float]) -> str:
    """Return times as a record has them: one by one, or `0 to 100 by 1` where many are evenly spaced."""
    if len(times) >= _MANY and len(times) - 1 == (times[-1] - times[0]) / (times[1] - times[0]):
        ends = times[0], times[-1], times[1] - times[0]
        if times == evenly_spaced(*ends):
            return "{} to {} by {}".format(*map(number_text, ends))
    return ", ".join(map(number_text, times))


def points_names(model: Model, change: Change) -> tuple[str, str]:
    """Return the names of the constant with the points of a time course, and of its range of times; the model has neither."""
    base = " ".join(
        [model[change.name].name, *(model.labels.get(label, label) for label in map(key, change.subscripts))]
    )
    names = f"{base} course", f"{base} times"
    while {*map(key, names)} & {*model.elements, *model.subscripts}:
        base += " member"
        names = f"{base} course", f"{base} times"
    return names


def holds_points(element: Element) -> bool:
    """Whether an element is the constant with the points of a time course."""
    return any(own.text.startswith(POINTS_TEXT) for own in element.equations[:1])


def points_of(model: Model, change: Change, values: Mapping[Cell, float]) -> tuple[Element, Subscript]:
    """Return the constant with the points of a time course, and the range of its times.

    It has the subscripts of the variable too, unless labels select a part of it, which has one course. Until it is set, it has
    the `values` of the variable at all times.
    """
    owner, times = model[change.name], course_times(change)
    name, range_name = points_names(model, change)
    of_times = Subscript(range_name, tuple(map(number_text, times)), place=owner.place)
    dimensions = () if change.subscripts else owner.dimensions
    cells = [Cell(owner.key)]
    for dimension in dimensions:
        labels = labels_of(model.subscripts, dimension)
        cells = [Cell(owner.key, (*cell.labels, label)) for cell in cells for label in labels]
    whole = [values.get(cell, 0.0) for cell in cells] if not change.subscripts else [next(iter(values.values()))]
    numbers = Numbers([value for value in whole for _ in times])
    own = (*dimensions, key(range_name))
    text = f"{POINTS_TEXT}{owner.name} in each member"
    equation = Equation(numbers, own, text=text, place=owner.place)
    return Element(name, "constant", (equation,), own, owner.units, comment=text), of_times


def course_value(model: Model, change: Change, labels: Sequence[str], way: str, time: Expr) -> Expr:
    """Return the value of a time course at a time, from the constant with its points.

    It is found as a lookup finds it, with the same operations in the same order, so that it has the same last digit.
    """
    name, range_name = map(key, points_names(model, change))
    times = course_times(change)
    own = () if change.subscripts else tuple(labels)
    array = Slice(make_reference(name, *own, key(number_text(times[0]))), Symbol(range_name))

    def at(place: Expr) -> Expr:
        return FUNCTIONS["VECTOR ELM MAP"].build(array, place)

    def by_time(values: Sequence[float], read: str = "LOOKUP BACKWARD") -> Expr:
        return FUNCTIONS[read].build(Table(list(zip(times, map(float, values), strict=True))), time)

    places = range(len(times))
    if len(times) == 1 and way != "at time":
        return at(number(0))
    if way == "steps":
        return at(steps_at(times, places))
    if way != "linear":
        return at(by_time(places, next(name for name, own in _READ.items() if own == way)))
    rise = add(at(by_time([*places[1:], places[-1]])), negate(at(by_time(places))))
    width = by_time([*(late - early for early, late in pairwise(times)), 1.0])
    within = FUNCTIONS["MIN"].build(FUNCTIONS["MAX"].build(time, number(times[0])), number(times[-1]))
    along = add(within, negate(by_time(times)))
    return add(at(by_time(places)), multiply(along, divide(rise, width)))


def _between(model: Model, change: Change, labels: Sequence[str], time: Expr, mode: Expr) -> Expr:
    """Return what GET DATA BETWEEN TIMES reads: `:NA:` beyond the ends, else the value in the way of its mode."""
    choose, reaches = FUNCTIONS["IF THEN ELSE"].build, FUNCTIONS[">="].build
    times = Table([(own, 0.0) for own in course_times(change)])
    inside = reaches(FUNCTIONS[_BETWEEN].build(times, time, number(-1)), number(0))
    values = {way: course_value(model, change, labels, way, time) for way in ("forward", "linear", "backward")}
    early = choose(reaches(mode, number(-0.5)), values["linear"], values["backward"])
    return choose(inside, choose(reaches(mode, number(0.5)), values["forward"], early), number(NA))


def steps_at(times: Sequence[float], values: Sequence[float]) -> Expr:
    """Return values that change at times, as STEP does; the first holds before its time too, and the last until the end."""
    last = times[-1]
    beyond = last + max(abs(last), 1.0)
    return PLACE_IN_COURSE.build(Table(list(zip((*times[1:], beyond), map(float, values), strict=True))))


def with_member_data(
    model: Model, elements: Mapping[str, Element], change: Change
) -> tuple[dict[str, Element], tuple[Element, Subscript]]:
    """Return elements in which every value of a data variable comes from a constant with its points; and that, with its times.

    Raises ScenarioError if the variable is not data, or a function reads it that needs all points at once.
    """
    element, points = model.elements.get(key(change.name)), model.elements.get(points_name(key(change.name)))
    if element is None or points is None:
        raise ScenarioError([Fault(change.place, f"'{change.name}' is not a data variable of the model; name one")])
    times, faults = course_times(change), list[Fault]()
    known = Table([(time, 0.0) for time in times])

    def read(part: Expr) -> Expr | None:
        if not isinstance(part, VensimFunction) or "table" not in part.row.kinds:
            return None
        table = part.args[part.row.kinds.index("table")]
        name, labels = ("", ()) if isinstance(table, Table) else split_reference(table)
        computed = reads_computed(part)
        if not computed and (name != points.key or part.name in _OF_TIMES):
            return None
        if part.name == _BETWEEN and not computed:
            return _between(model, change, labels, part.args[1], part.args[2])
        if computed or part.name not in _READ:
            function = part.name.split()[0] if part.name.startswith("CUMULATE") else part.name
            what = f"'{element.name}' has a course of its own in each member, which {function} cannot read"
            faults.append(
                Fault(change.place, f"{what}; give the result as data of its own, or make one run for each member")
            )
            return None
        return course_value(model, change, labels, _READ[part.name], part.args[1])

    changed = dict(elements)
    for other in elements.values():
        parts = tuple(replace(own, expression=transform(own.expression, read)) for own in other.equations)
        if any(new.expression is not old.expression for new, old in zip(parts, other.equations, strict=True)):
            changed[other.key] = replace(other, equations=parts)
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    changed[points.key] = replace(points, equations=tuple(replace(own, expression=known) for own in points.equations))
    return changed, points_of(model, change, {})
