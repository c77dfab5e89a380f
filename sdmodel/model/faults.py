"""What is wrong with a model that was read: everything at once, each at its place."""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Expr, Indexed, Symbol

from ..errors import Fault, ModelError, Place
from .algebra import Numbers, VensimFunction, referred, walk
from .functions import LOOKUPS
from .names import key, nearest
from .order import plan, spell
from .records import Element, Equation, Model
from .refusals import unknown_function
from .subscripts import Cell, SubscriptFault, bindings, cells_in

SETTINGS = ("INITIAL TIME", "FINAL TIME", "TIME STEP")
"""Without these there is no run."""


def faults_of(model: Model) -> tuple[Fault, ...]:
    """Every fault that keeps a model from running: names, subscripts, definitions, and then cycles."""
    faults = [*_missing_settings(model)]
    for element in model:
        faults += _double_definitions(model, element)
        for equation in element.equations:
            faults += _bad_left_side(model, element, equation)
            faults += _bad_references(model, equation)
    if not faults:
        faults += _undefined_cells(model)
    if not faults:
        try:
            plan(model)
        except ModelError as error:
            faults += error.faults
    return tuple(faults)


def _missing_settings(model: Model) -> Iterator[Fault]:
    for name in SETTINGS:
        if name not in model:
            yield Fault(Place(model.path, 1), f"{name} is not defined; a model needs {', '.join(SETTINGS)}")


def _double_definitions(model: Model, element: Element) -> Iterator[Fault]:
    seen: dict[tuple[str, ...], Place] = {}
    for equation in element.equations:
        if not _known_subscripts(model, equation):
            continue
        for labels, _ in bindings(model.subscripts, equation):
            if labels in seen:
                what = spell(model, Cell(element.key, labels))
                yield Fault(
                    equation.place, f"'{what}' is defined a second time; first at line {seen[labels].line}; delete one"
                )
                break
            seen[labels] = equation.place


def _known_subscripts(model: Model, equation: Equation) -> bool:
    names = [*equation.subscripts, *(name for each in equation.exceptions for name in each)]
    return all(name in model.subscripts or name in model.labels for name in names)


def _unknown_subscript(model: Model, name: str, place: Place) -> Fault:
    close = nearest(name, [*(each.name for each in model.subscripts.values()), *model.labels.values()])
    return Fault(
        place,
        f"'{name}' is neither a subscript range nor a label"
        + (f"; did you mean '{close}'?" if close else "; define it"),
    )


def _bad_left_side(model: Model, element: Element, equation: Equation) -> Iterator[Fault]:
    for name in (*equation.subscripts, *(name for each in equation.exceptions for name in each)):
        if name not in model.subscripts and name not in model.labels:
            yield _unknown_subscript(model, name, equation.place)
    count = len(element.equations[0].subscripts)
    if len(equation.subscripts) != count:
        yield Fault(
            equation.place,
            f"'{element.name}' has {len(equation.subscripts)} subscripts here and {count} before; use as many",
        )
    for exception in equation.exceptions:
        if len(exception) != len(equation.subscripts):
            yield Fault(equation.place, ":EXCEPT: names another number of subscripts than the left side; name as many")
    if isinstance(equation.expression, Numbers) and _known_subscripts(model, equation):
        cells = sum(1 for _ in bindings(model.subscripts, equation))
        given = len(equation.expression.values)
        if given not in {1, cells}:
            yield Fault(
                equation.place, f"'{element.name}' has {cells} elements here but {given} numbers; give one for each"
            )


def _bad_references(model: Model, equation: Equation) -> Iterator[Fault]:
    tables = {
        id(part.args[0])
        for part in walk(equation.expression)
        if isinstance(part, VensimFunction) and part.name in LOOKUPS
    }
    seen: set[Expr] = set()
    for part in walk(equation.expression):
        if isinstance(part, Symbol | Indexed) and (id(part) in tables or part not in seen):
            seen.add(part)
            fault = _bad_reference(model, equation, part, called=id(part) in tables)
            if fault:
                yield fault


def _bad_reference(model: Model, equation: Equation, part: Expr, *, called: bool) -> Fault | None:
    name, indices = referred(part)
    place = equation.places.get(name, equation.place)
    element = model.elements.get(name)
    if element is None:
        return _undefined(model, equation, name, place, called=called)
    if called and element.kind != "lookup":
        return Fault(place, f"'{element.name}' is not a lookup; write * for a product")
    if element.kind == "lookup" and not called:
        return Fault(place, f"'{element.name}' is a lookup; give it an argument: {element.name}(x)")
    wanted = len(element.equations[0].subscripts)
    if len(indices) != wanted:
        return Fault(place, f"'{element.name}' has {wanted} subscripts but {len(indices)} here; write {wanted}")
    unknown = (each for each in indices if each.rstrip("!") not in model.subscripts and each not in model.labels)
    odd = next(unknown, None)
    return None if odd is None else _unknown_subscript(model, odd, equation.places.get(odd, place))


def _undefined(model: Model, equation: Equation, name: str, place: Place, *, called: bool) -> Fault | None:
    """What to say of a name that is no element, unless it is Time, or a range or label that stands for its number."""
    if called:
        return Fault(place, unknown_function(name))
    if name == "time" or name.rstrip("!") in model.subscripts or name in model.labels:
        return None
    close = nearest(name, ["Time", *(each.name for each in model)])
    cure = f"did you mean '{close}'?" if close else "define it"
    return Fault(place, f"'{_written(equation, name)}' is not defined; {cure}")


def _written(equation: Equation, name: str) -> str:
    """An undefined name as the author spelt it, found by its key in the text of the equation."""
    words = name.split("_")
    text = " ".join(equation.text.split())
    start = key(text).find(name)
    return text[start : start + len(name)] if start >= 0 and len(key(text)) == len(text) else " ".join(words)


def _undefined_cells(model: Model) -> Iterator[Fault]:
    """References to labels that a partly defined element lacks."""
    defined = {
        element.key: {labels for equation in element.equations for labels, _ in bindings(model.subscripts, equation)}
        for element in model
        if element.dimensions
    }

    for element in model:
        for equation in element.equations:
            missing = None
            try:
                for _, binding in bindings(model.subscripts, equation):
                    for cell in cells_in(model.subscripts, equation.expression, binding):
                        if cell.labels and cell.labels not in defined.get(cell.key, {cell.labels}):
                            missing = cell
            except SubscriptFault as fault:
                yield Fault(equation.place, str(fault))
            if missing is not None:
                place = equation.places.get(missing.key, equation.place)
                yield Fault(place, f"'{spell(model, missing)}' has no equation; define it or leave it out")
