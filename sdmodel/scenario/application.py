"""What a change touches in a model: cells of its constants, or the table of a lookup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from types import MappingProxyType

from ..errors import Fault, Place, ScenarioError
from ..model import Cell, Element, Equation, Model, Numbers, bindings, key, labels_of, nearest
from .records import Change, Scenario


def constant_cells(model: Model, name: str, subscripts: Iterable[str] = (), *, where: Place | str = "") -> list[Cell]:
    """The cells of a constant that a name with subscripts stands for, row by row; without subscripts all of it.

    Raises
    ------
    ScenarioError
        If the model has no such constant, or the subscripts name nothing in it.
    """
    element = model.elements.get(key(name))
    wrong = _not_a_constant(model, name, element)
    if wrong or element is None:
        raise ScenarioError([Fault(where, wrong)])
    defined = [
        Cell(element.key, labels)
        for equation in element.equations
        for labels, _ in bindings(model.subscripts, equation)
    ]
    names = [key(each) for each in subscripts]
    if not names:
        return defined
    if len(names) != len(element.dimensions):
        message = f"'{element.name}' has {len(element.dimensions)} subscripts, not {len(names)}; write as many"
        raise ScenarioError([Fault(where, message)])
    wanted = [Cell(element.key, labels) for labels in product(*(labels_of(model.subscripts, each) for each in names))]
    known = set(defined)
    missing = next((cell for cell in wanted if cell not in known), None)
    if missing is not None:
        message = f"'{element.name}' has no element [{', '.join(missing.labels)}]; `sdmodel levers` lists the constants"
        raise ScenarioError([Fault(where, message)])
    return wanted


def _not_a_constant(model: Model, name: str, element: Element | None) -> str:
    """Why a name cannot be set, or nothing."""
    if element is None or element.hidden:
        close = nearest(name, [each.name for each in model if each.kind == "constant" and not each.hidden])
        cure = f"did you mean '{close}'?" if close else "`sdmodel levers` lists the constants"
        return f"'{name}' is not in the model; {cure}"
    if element.kind == "lookup":
        return f"'{element.name}' is a lookup; give it points: {element.name}((0,0),(1,1))"
    if element.kind != "constant":
        article = "an" if element.kind == "auxiliary" else "a"
        return f"'{element.name}' is {article} {element.kind}, not a constant; change its equation in the model"
    if element.fixed:
        return f"'{element.name}' is unchangeable (==); write = in the model to let scenarios set it"
    return ""


def constant_values(model: Model, scenario: Scenario) -> dict[Cell, float]:
    """The constants that a scenario sets, each in its own units; where it sets one twice the last holds.

    Raises
    ------
    ScenarioError
        With every change that the model does not allow.
    """
    values: dict[Cell, float] = {}
    faults: list[Fault] = []
    for change in scenario.changes:
        if change.table is not None:
            continue
        try:
            cells = constant_cells(model, change.name, change.subscripts, where=change.place)
            values |= _spread(change, cells)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    return values


def cell_values(model: Model, cells: Iterable[Cell], scenario: Scenario | None = None) -> dict[Cell, float]:
    """What cells of constants are, each in its own units: as the scenario sets them, else as the model does."""
    known: dict[Cell, float] = {}
    wanted = list(cells)
    for name in dict.fromkeys(cell.key for cell in wanted):
        for equation in model.elements[name].equations:
            own = equation.expression
            numbers = own if isinstance(own, Numbers) else Numbers([float(own)])
            bound = (Cell(name, labels) for labels, _ in bindings(model.subscripts, equation))
            known |= {cell: numbers.at(index) for index, cell in enumerate(bound)}
    known |= constant_values(model, scenario) if scenario else {}
    return {cell: known[cell] for cell in wanted}


def _spread(change: Change, cells: list[Cell]) -> dict[Cell, float]:
    if len(change.values) not in {1, len(cells)}:
        message = f"'{change.name}' has {len(cells)} elements but {len(change.values)} numbers; give one for each, or one for all"
        raise ScenarioError([Fault(change.place, message)])
    values = change.values * len(cells) if len(change.values) == 1 else change.values
    return dict(zip(cells, values, strict=True))


def with_tables(model: Model, scenario: Scenario) -> Model:
    """The model with the lookups that a scenario replaces; the same model if it replaces none.

    Raises
    ------
    ScenarioError
        If what it gives points to is not a lookup of the model.
    """
    elements = dict(model.elements)
    faults: list[Fault] = []
    for change in scenario.changes:
        if change.table is None:
            continue
        element = elements.get(key(change.name))
        if element is None or element.kind != "lookup":
            close = nearest(change.name, [each.name for each in model if each.kind == "lookup"])
            others = "see the lookups in the model" if any(each.kind == "lookup" for each in model) else "it has none"
            cure = f"did you mean '{close}'?" if close else others
            faults.append(Fault(change.place, f"'{change.name}' is not a lookup of the model; {cure}"))
            continue
        elements[element.key] = _with_table(model, element, change, faults)
    if faults:
        raise ScenarioError(faults)
    return replace(model, elements=MappingProxyType(elements)) if elements != dict(model.elements) else model


def _with_table(model: Model, element: Element, change: Change, faults: list[Fault]) -> Element:
    wanted = tuple(key(each) for each in change.subscripts)
    covered = [_covers(model, wanted, equation.subscripts) for equation in element.equations]
    if not any(covered):
        what = f"'{change.name}' has no equation for these subscripts; write them as the model does"
        faults.append(Fault(change.place, what))
    equations = tuple(
        replace(equation, expression=change.table) if covers else equation
        for equation, covers in zip(element.equations, covered, strict=True)
    )
    return replace(element, equations=equations)


def _covers(model: Model, wanted: tuple[str, ...], subscripts: tuple[str, ...]) -> bool:
    """Whether all that an equation defines lies in what a change names."""
    if not wanted:
        return True
    return len(wanted) == len(subscripts) and all(
        set(labels_of(model.subscripts, own)) <= set(labels_of(model.subscripts, other))
        for own, other in zip(subscripts, wanted, strict=True)
    )


def with_constants(model: Model, values: Mapping[Cell, float]) -> Model:
    """The model with other values of its constants written into it, each in its own units."""
    elements = dict(model.elements)
    for name in {cell.key for cell in values}:
        element = elements[name]
        equations = (_with_values(model, element.key, equation, values) for equation in element.equations)
        elements[name] = replace(element, equations=tuple(equations))
    return replace(model, elements=MappingProxyType(elements))


def _with_values(model: Model, name: str, equation: Equation, values: Mapping[Cell, float]) -> Equation:
    old = equation.expression
    kept = old if isinstance(old, Numbers) else Numbers([float(old)])
    cells = [Cell(name, labels) for labels, _ in bindings(model.subscripts, equation)]
    return replace(equation, expression=Numbers([values.get(cell, kept.at(index)) for index, cell in enumerate(cells)]))
