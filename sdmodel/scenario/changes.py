"""Scenarios: named changes to a model's constants and lookups, the cells they affect, and the input of Vensim's optimiser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType

from ..errors import Fault, Place, ScenarioError
from ..model import NOWHERE, Cell, Element, Equation, Model, Numbers, Table, bindings, key, labels_of, nearest


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a change file: new values for a constant, in its own units, or a new table for a lookup.

    `values` holds one number for all cells that `subscripts` select and `exceptions` leave, or one per cell, row by row.
    """

    name: str
    subscripts: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    table: Table | None = None
    place: Place = NOWHERE
    exceptions: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A change file: its name (the file's, without the ending), its changes, its comment, and its text."""

    name: str
    changes: tuple[Change, ...] = ()
    comment: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class FreeConstant:
    """A constant that a search may change, with its bounds and initial value in its own units; None where not given.

    `tolerance` is the text after the bar, as written.
    """

    name: str
    subscripts: tuple[str, ...] = ()
    low: float | None = None
    initial: float | None = None
    high: float | None = None
    tolerance: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Optimisation:
    """A `.voc` file: the constants to search over, and its settings as written, by name in capitals."""

    free: tuple[FreeConstant, ...]
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class PayoffTerm:
    """One element of a payoff: the formulas for the model, the data (empty for a policy) and the weight, and its kind.

    `kind` is Vensim's code in capitals without the star, such as C, CG, CGL, P, PF or RI.
    """

    model: str
    data: str
    weight: str
    kind: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Payoff:
    """A `.vpd` file: its terms, in order."""

    terms: tuple[PayoffTerm, ...]


def merge_scenarios(scenarios: Sequence[Scenario]) -> Scenario:
    """Merge scenarios into one that applies them in order; the last change to a constant wins, as in Vensim."""
    return Scenario(
        name="+".join(scenario.name for scenario in scenarios),
        changes=tuple(change for scenario in scenarios for change in scenario.changes),
        comment=" ".join(scenario.comment for scenario in scenarios if scenario.comment),
        text="\n".join(scenario.text.rstrip("\n") for scenario in scenarios if scenario.text),
    )


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
    left_out = {cell for labels in exceptions for cell in _select(model, element, labels, where)}
    cells = [cell for cell in _select(model, element, subscripts, where) if cell not in left_out]
    if left_out and not cells:
        raise ScenarioError([Fault(where, f"'{element.name}': :EXCEPT: leaves nothing to change; remove it")])
    return cells


def _select(model: Model, element: Element, subscripts: Iterable[str], where: Place | str) -> list[Cell]:
    """Return the cells of an element that subscripts select, row by row; all of them without subscripts."""
    defined = [cell for equation in element.equations for cell in _cells(model, element.key, equation)]
    names = [key(subscript) for subscript in subscripts]
    if not names:
        return defined
    if len(names) != len(element.dimensions):
        what = f"'{element.name}' has {len(element.dimensions)} subscripts, not {len(names)}; write one label for each"
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
        close = nearest(name, constants)
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
    """Return the constants that a scenario sets, each in its own units; the last change to a constant wins.

    Raises ScenarioError with every change that the model does not allow.
    """
    values: dict[Cell, float] = {}
    faults: list[Fault] = []
    for change in scenario.changes:
        if change.table is not None:
            continue
        try:
            where, left_out = change.place, change.exceptions
            cells = constant_cells(model, change.name, change.subscripts, exceptions=left_out, where=where)
        except ScenarioError as error:
            faults += error.faults
            continue
        if len(change.values) not in {1, len(cells)}:
            what = f"'{change.name}' has {len(cells)} cells but {len(change.values)} numbers; give one per cell, or one for all"
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
            numbers = numbers_of(equation)
            known |= {cell: numbers.at(index) for index, cell in enumerate(_cells(model, name, equation))}
    known |= constant_values(model, scenario) if scenario else {}
    return {cell: known[cell] for cell in requested}


def numbers_of(equation: Equation) -> Numbers:
    """Return the numbers of a constant's equation."""
    expression = equation.expression
    return expression if isinstance(expression, Numbers) else Numbers([float(expression)])


def with_constants(model: Model, values: Mapping[Cell, float]) -> Model:
    """Return the model with other values written into its constants, each in its own units."""
    elements = dict(model.elements)
    for name in {cell.key for cell in values}:
        equations = []
        for equation in elements[name].equations:
            old, cells = numbers_of(equation), _cells(model, name, equation)
            new = Numbers([values.get(cell, old.at(index)) for index, cell in enumerate(cells)])
            equations.append(replace(equation, expression=new))
        elements[name] = replace(elements[name], equations=tuple(equations))
    return replace(model, elements=MappingProxyType(elements))


def with_tables(model: Model, scenario: Scenario) -> Model:
    """Return the model with the lookups that a scenario replaces; the same model if it replaces none.

    Raises ScenarioError if the scenario gives points to something that is not a lookup of the model.
    """
    changes = [(change, change.table) for change in scenario.changes if change.table is not None]
    if not changes:
        return model
    elements = dict(model.elements)
    faults: list[Fault] = []
    for change, table in changes:
        element = elements.get(key(change.name))
        if element is None or element.kind != "lookup":
            lookups = [other.name for other in model if other.kind == "lookup"]
            close = nearest(change.name, lookups)
            others = "see the lookups in the model" if lookups else "it has none"
            cure = f"did you mean '{close}'?" if close else others
            faults.append(Fault(change.place, f"'{change.name}' is not a lookup of the model; {cure}"))
            continue
        try:
            cells = _without(model, element, change.subscripts, change.exceptions, change.place)
        except ScenarioError as error:
            faults += error.faults
            continue
        equations = (part for own in element.equations for part in _with_table(model, own, cells, table))
        elements[element.key] = replace(element, equations=tuple(equations))
    if faults:
        raise ScenarioError(faults)
    return replace(model, elements=MappingProxyType(elements)) if elements != dict(model.elements) else model


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
