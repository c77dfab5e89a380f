"""Scenarios: named changes to a model's constants and lookups, the cells they affect, and the input of Vensim's optimiser."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from types import MappingProxyType
from weakref import WeakKeyDictionary

from sympy import Expr

from ..errors import Fault, Place, ScenarioError, format_count
from ..model import (
    FUNCTIONS,
    NOWHERE,
    TIME,
    Cell,
    Element,
    Equation,
    Model,
    Numbers,
    Subscript,
    Table,
    bindings,
    display_name,
    key,
    labels_of,
    make_reference,
    number,
    number_text,
    numbers_of,
    suggest,
)
from .member_courses import course_times, course_value, points_of, steps_at, times_text, with_member_data
from .records import Change, Scenario, TextChange


def merge_scenarios(scenarios: Sequence[Scenario]) -> Scenario:
    """Merge scenarios into one that applies them in order; the last change to a constant wins, as in Vensim."""
    return Scenario(
        name="+".join(scenario.name for scenario in scenarios if scenario.name),
        changes=tuple(change for scenario in scenarios for change in scenario.changes),
        comment=" ".join(scenario.comment for scenario in scenarios if scenario.comment),
        text="\n".join(scenario.text.rstrip("\n") for scenario in scenarios if scenario.text),
        texts=tuple(change for scenario in scenarios for change in scenario.texts),
    )


def changed_texts(own: Mapping[str, str], changes: Iterable[TextChange]) -> dict[str, str]:
    """Return the texts of the string variables of a model by key, after changes; the last change to one wins.

    Raises ScenarioError with every change of something that is not a string variable of the model.
    """
    texts, faults = dict(own), []
    for change in changes:
        if key(change.name) in texts:
            texts[key(change.name)] = change.text
            continue
        cure = suggest(change.name, map(display_name, texts), "name one that the model defines with :IS:")
        faults.append(Fault(change.place, f"'{change.name}' is not a string variable of the model; {cure}"))
    if faults:
        raise ScenarioError(faults)
    return texts


def constant_cells(
    model: Model,
    name: str,
    subscripts: Iterable[str] = (),
    *,
    exceptions: Iterable[Sequence[str]] = (),
    where: Place | str = "",
) -> list[Cell]:
    """Return the cells of a constant that a name with subscripts selects, row by row; all of them without subscripts.

    Raises ScenarioError if the model has no such constant, or the subscripts without the exceptions select nothing in it.
    """
    element = model.elements.get(key(name))
    wrong = _why_not_constant(model, name, element)
    if wrong or element is None:
        raise ScenarioError([Fault(where, wrong)])
    return _without(model, element, subscripts, exceptions, where)


def _without(
    model: Model, element: Element, subscripts: Iterable[str], exceptions: Iterable[Sequence[str]], where: Place | str
) -> list[Cell]:
    """Return the cells of an element that subscripts select and exceptions leave, row by row."""
    left_out = {cell for labels in exceptions for cell in select_cells(model, element, labels, where)}
    cells = [cell for cell in select_cells(model, element, subscripts, where) if cell not in left_out]
    if left_out and not cells:
        raise ScenarioError([Fault(where, f"'{element.name}': :EXCEPT: leaves nothing to change; remove it")])
    return cells


def select_cells(model: Model, element: Element, subscripts: Iterable[str], where: Place | str) -> list[Cell]:
    """Return the cells of an element that subscripts select, row by row; all of them without subscripts.

    Raises ScenarioError if the element has not that many subscripts, or no such cell.
    """
    defined = [cell for equation in element.equations for cell in _cells(model, element.key, equation)]
    names = [key(subscript) for subscript in subscripts]
    if not names:
        return defined
    if len(names) != len(element.dimensions):
        what = f"'{element.name}' has {format_count(len(element.dimensions), 'subscript')}, not {len(names)}; write one label for each"
        raise ScenarioError([Fault(where, what)])
    selected = [Cell(element.key, labels) for labels in product(*(labels_of(model.subscripts, name) for name in names))]
    known = set(defined)
    missing = next((cell for cell in selected if cell not in known), None)
    if missing is not None:
        cure = "write labels as in the model" if element.kind == "lookup" else "`sdmodel levers` lists the constants"
        what = f"'{element.name}' has no cell [{', '.join(missing.labels)}]; {cure}"
        raise ScenarioError([Fault(where, what)])
    return selected


def _cells(model: Model, name: str, equation: Equation) -> list[Cell]:
    return [Cell(name, labels) for labels, _ in bindings(model.subscripts, equation)]


def _why_not_constant(model: Model, name: str, element: Element | None) -> str:
    """Return why a scenario cannot set a name, or an empty text if it can."""
    if element is None or element.hidden:
        constants = [other.name for other in model if other.kind == "constant" and not other.hidden]
        cure = suggest(name, constants, "`sdmodel levers` lists the constants")
        return f"'{name}' is not in the model; {cure}"
    if element.kind == "lookup":
        return f"'{element.name}' is a lookup; give it points: {element.name}((0,0),(1,1))"
    if is_course(model, name):
        return f"'{element.name}' has a time course already; leave out one of the two"
    if element.kind != "constant":
        article = "an" if element.kind == "auxiliary" else "a"
        return f"'{element.name}' is {article} {element.kind}, not a constant; change its equation in the model"
    if element.fixed:
        return f"'{element.name}' is unchangeable (==); write = in the model to let scenarios set it"
    return ""


def constant_values(model: Model, scenario: Scenario) -> dict[Cell, float]:
    """Return the constants that a scenario sets, each in its own units; the last change to a constant wins.

    A model that `with_tables` has given a time course of a constant holds its other changes too; they are left out.

    Raises ScenarioError with every change that the model does not allow.
    """
    values: dict[Cell, float] = {}
    faults: list[Fault] = []
    if scenario.texts and changed_texts(model.texts, scenario.texts) != model.texts:
        what = f"'{scenario.texts[0].name}' is a text, which only the reader of a model changes; read the model with texts="
        raise ScenarioError([Fault(scenario.texts[0].place, what)])
    for change in scenario.changes:
        if change.table is not None or is_course(model, change.name):
            continue
        try:
            where, left_out = change.place, change.exceptions
            cells = constant_cells(model, change.name, change.subscripts, exceptions=left_out, where=where)
        except ScenarioError as error:
            faults += error.faults
            continue
        if len(change.values) not in {1, len(cells)}:
            what = f"'{change.name}' has {format_count(len(cells), 'cell')} but {format_count(len(change.values), 'number')}; give one per cell, or one for all"
            faults.append(Fault(change.place, what))
            continue
        values |= dict(zip(cells, change.values * (len(cells) // len(change.values)), strict=True))
    if faults:
        raise ScenarioError(faults)
    return values


def cell_values(model: Model, cells: Iterable[Cell], scenario: Scenario | None = None) -> dict[Cell, float]:
    """Return the values of cells of constants, each in its own units: the scenario's, or else the model's."""
    known: dict[Cell, float] = {}
    requested = list(cells)
    for name in dict.fromkeys(cell.key for cell in requested):
        for equation in model.elements[name].equations:
            numbers = numbers_of(equation.expression)
            known |= {cell: numbers.at(index) for index, cell in enumerate(_cells(model, name, equation))}
    known |= constant_values(model, scenario) if scenario else {}
    return {cell: known[cell] for cell in requested}


def with_constants(model: Model, values: Mapping[Cell, float]) -> Model:
    """Return the model with other values written into its constants, each in its own units."""
    elements = dict(model.elements)
    for name in {cell.key for cell in values}:
        equations = []
        for equation in elements[name].equations:
            old, cells = numbers_of(equation.expression), _cells(model, name, equation)
            new = Numbers([values.get(cell, old.at(index)) for index, cell in enumerate(cells)])
            equations.append(replace(equation, expression=new))
        elements[name] = replace(elements[name], equations=tuple(equations))
    return replace(model, elements=MappingProxyType(elements))


def with_tables(model: Model, scenario: Scenario) -> Model:
    """Return the model with the lookups that a scenario replaces, and its time courses in place of constants.

    The same model if there are none; the same one again for the same changes.

    Raises ScenarioError if the scenario gives points to something that is not a lookup of the model, or a time course to
    something that is not a constant.
    """
    coursed = {key(change.name) for change in scenario.changes if change.course not in {"", "data"}}
    changes = tuple(change for change in scenario.changes if change.table is not None or key(change.name) in coursed)
    if not changes:
        return model
    variants = _VARIANTS.setdefault(model, {})
    known = tuple(replace(change, place=NOWHERE) for change in changes)
    if known not in variants:
        made = _with_tables(model, changes, coursed)
        if made is model:
            return model
        variants[known] = made
        for oldest in [*variants][:-_KEPT]:
            del variants[oldest]
    return variants[known]


_VARIANTS: WeakKeyDictionary[Model, dict[tuple[Change, ...], Model]] = WeakKeyDictionary()
_KEPT = 16
"""The number of variants of a model that are kept, so that each is compiled once."""


def _with_tables(model: Model, changes: Iterable[Change], coursed: Collection[str]) -> Model:
    faults: list[Fault] = []
    elements, subscripts = _with_courses(model, changes, coursed, faults)
    for change in changes:
        if change.table is None or change.course:
            continue
        element = elements.get(key(change.name))
        if element is None or element.kind != "lookup":
            lookups = [other.name for other in model if other.kind == "lookup"]
            cure = suggest(change.name, lookups, "see the lookups in the model" if lookups else "it has none")
            faults.append(Fault(change.place, f"'{change.name}' is not a lookup of the model; {cure}"))
            continue
        try:
            cells = _without(model, element, change.subscripts, change.exceptions, change.place)
        except ScenarioError as error:
            faults += error.faults
            continue
        equations = (part for own in element.equations for part in _with_table(model, own, cells, change.table))
        elements[element.key] = replace(element, equations=tuple(equations))
    if faults:
        raise ScenarioError(faults)
    if elements == dict(model.elements):
        return model
    return replace(model, elements=MappingProxyType(elements), subscripts=MappingProxyType(subscripts))


def _with_courses(
    model: Model, changes: Iterable[Change], coursed: Collection[str], faults: list[Fault]
) -> tuple[dict[str, Element], dict[str, Subscript]]:
    """The elements and ranges of a model with time courses: of the constants that are `coursed`, and of data in each member."""
    elements, made = dict(model.elements), list[tuple[Element, Subscript]]()
    for name in coursed:
        try:
            elements[name], points = _with_course(model, name, [own for own in changes if key(own.name) == name])
            made += points
        except ScenarioError as error:
            faults += error.faults
    for change in changes:
        if change.course != "data":
            continue
        try:
            elements, points_and_times = with_member_data(model, elements, change)
            made.append(points_and_times)
        except ScenarioError as error:
            faults += error.faults
    elements |= {points.key: points for points, _ in made}
    return elements, {**model.subscripts, **{key(times.name): times for _, times in made}}


def is_course(model: Model, name: str) -> bool:
    """Whether `with_tables` has given a constant of that name a time course."""
    element = model.elements.get(key(name))
    first = element.equations[0].text if element and element.equations else ""
    return first.startswith(_COURSE)


_COURSE = "time course: "
"""The beginning of the text of an equation that is made from a time course."""


def _with_course(model: Model, name: str, changes: Sequence[Change]) -> tuple[Element, list[tuple[Element, Subscript]]]:
    """The constant of that name after changes that give it numbers or time courses, in order; the last one for a cell wins.

    With it come the points of courses that differ between members, and their times.
    """
    courses: dict[Cell, Change] = {}
    for change in changes:
        left_out = change.exceptions
        cells = constant_cells(model, change.name, change.subscripts, exceptions=left_out, where=change.place)
        for cell in cells:
            courses.pop(cell, None)
        courses |= dict.fromkeys(cells, change) if change.course else {}
    element = model.elements[name]
    if not courses:
        return element, []
    plain = Scenario("", tuple(change for change in changes if change.table is None))
    values = cell_values(model, select_cells(model, element, (), NOWHERE), plain)
    equations = tuple(
        Equation(
            _course(model, courses[cell], cell),
            cell.labels,
            text=_COURSE + course_text(courses[cell]),
            place=element.place,
        )
        if cell in courses
        else Equation(Numbers([value]), cell.labels, text=_COURSE + number_text(value), place=element.place)
        for cell, value in values.items()
    )
    points = [
        points_of(model, change, {cell: value for cell, value in values.items() if courses.get(cell) == change})
        for change in dict.fromkeys(courses.values())
        if change.by_member
    ]
    return replace(element, kind="auxiliary", equations=equations), points


def course_text(change: Change) -> str:
    """Return a time course as it is written in a change: `4 until 2027, then 1`, or `linear: 4 at 2025, 1 at 2027`."""
    if change.by_member:
        return f"by member: {change.course} at {times_text(course_times(change))}"
    points = [(number_text(time), number_text(value)) for time, value in (change.table.points if change.table else ())]
    if change.course == "linear":
        return "linear: " + ", ".join(f"{value} at {time}" for time, value in points)
    text = points[0][1]
    for time, value in points[1:]:
        text += f" until {time}, then {value}"
    return text


def course_fault(points: Sequence[tuple[float, float]]) -> str:
    """Return what is wrong with the points (time, value) of a time course, or an empty text."""
    times = [time for time, _ in points]
    if any(late <= early for early, late in pairwise(times)):
        return "the times of a time course must rise; write them in order"
    finite = all(map(math.isfinite, (*times[1:], *(value for _, value in points))))
    return "" if finite else "a number of a time course is not finite; give numbers"


def _course(model: Model, change: Change, cell: Cell) -> Expr:
    """A time course of a cell as an expression; steps come at time steps, as those of STEP do."""
    if change.by_member:
        return course_value(model, change, cell.labels, change.course, make_reference(TIME.key))
    table = change.table
    points = table.points if table else ()
    if change.course == "linear":
        return FUNCTIONS["LOOKUP"].build(table, make_reference(TIME.key))
    if len(points) == 1:
        return number(points[0][1])
    return steps_at([time for time, _ in points], [value for _, value in points])


def _with_table(model: Model, equation: Equation, cells: Iterable[Cell], table: Table) -> Iterator[Equation]:
    """Yield an equation of a lookup with another table; where only some of its cells change, one equation for each."""
    changed = {cell.labels for cell in cells}
    defined = [labels for labels, _ in bindings(model.subscripts, equation)]
    found = [labels for labels in defined if labels in changed]
    if len(found) == len(defined):
        yield replace(equation, expression=table)
        return
    yield replace(equation, exceptions=(*equation.exceptions, *found)) if found else equation
    yield from (replace(equation, subscripts=labels, exceptions=(), expression=table) for labels in found)
