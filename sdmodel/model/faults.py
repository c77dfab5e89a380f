"""What is wrong with a model that was read: everything at once, each at its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

from sympy import Expr, Indexed, Symbol

from ..errors import Fault, ModelError, Place
from .algebra import Numbers, Table, VensimFunction, referred, walk
from .functions.refused import unknown_function
from .functions.table import LOOKUPS
from .names import Guesses, key
from .order import TIME, plan, spell
from .records import Element, Equation, Model
from .sizes import MOST_CELLS, count, too_many_cells
from .subscripts import (
    Cell,
    SubscriptFault,
    bindings,
    counts_labels,
    expanded,
    is_reduction,
    labels_of,
    loose,
    marked,
    resolve,
    unclaimed,
)

SETTINGS = ("INITIAL TIME", "FINAL TIME", "TIME STEP")
"""Without these there is no run."""


def faults_of(model: Model) -> tuple[Fault, ...]:
    """Every fault that keeps a model from running: names, subscripts, definitions, and then cycles."""
    guesses = Guesses()
    faults = [*_missing_settings(model), *_bad_ranges(model)]
    large = [*too_many_cells(model)]
    for element in model:
        faults += _taken_name(model, element)
        faults += () if large else _double_definitions(model, element)
        for equation in element.equations:
            faults += _bad_left_side(model, element, equation, guesses)
            faults += _bad_references(model, equation, guesses)
            faults += _bad_marks(equation)
    faults += large
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


def _bad_ranges(model: Model) -> Iterator[Fault]:
    for name, subscript in model.subscripts.items():
        if name == TIME.key:
            yield Fault(subscript.place, f"{subscript.name} is Vensim's own; give the range another name")
        for mapping in subscript.mappings:
            target = model.subscripts.get(mapping.target)
            if target is not None and not mapping.labels and len(target.keys) != len(subscript.keys):
                counts = f"'{subscript.name}' has {len(subscript.keys)} labels and '{target.name}' {len(target.keys)}"
                yield Fault(subscript.place, f"{counts}; map a range to as many, or list which label goes with which")


def _taken_name(model: Model, element: Element) -> Iterator[Fault]:
    """An element whose name means something else already."""
    if element.key == TIME.key:
        yield Fault(element.place, f"{element.name} is Vensim's own; give this another name")
    elif element.key in model.subscripts or element.key in model.labels:
        what = "subscript range" if element.key in model.subscripts else "label"
        yield Fault(element.place, f"'{element.name}' is the name of a {what} too; give one of them another name")


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


def _unknown_subscript(model: Model, name: str, place: Place, guesses: Guesses) -> Fault:
    ranges = (each.name for each in model.subscripts.values())
    close = guesses.nearest(name, itertools.chain(ranges, model.labels.values()))
    return Fault(
        place,
        f"'{name}' is neither a subscript range nor a label"
        + (f"; did you mean '{close}'?" if close else "; define it"),
    )


def _bad_left_side(model: Model, element: Element, equation: Equation, guesses: Guesses) -> Iterator[Fault]:
    for name in (*equation.subscripts, *(name for each in equation.exceptions for name in each)):
        if name not in model.subscripts and name not in model.labels:
            yield _unknown_subscript(model, name, equation.place, guesses)
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
        cells = _cell_count(model, equation)
        given = len(equation.expression.values)
        if given not in {1, cells}:
            yield Fault(
                equation.place, f"'{element.name}' has {cells} elements here but {given} numbers; give one for each"
            )


def _cell_count(model: Model, equation: Equation) -> int:
    cells = count(model.subscripts, equation.subscripts)
    return (
        sum(1 for _ in bindings(model.subscripts, equation)) if equation.exceptions and cells <= MOST_CELLS else cells
    )


Role = Literal["number", "lookup", "range"]


def _uses(expression: Expr, role: Role = "number") -> Iterator[tuple[Expr, Role]]:
    """Every reference in an expression, and whatever stands where a lookup or a range must, with what it is used as."""
    if isinstance(expression, Symbol | Indexed) or role != "number":
        yield expression, role
        return
    first = _first_role(expression)
    for index, argument in enumerate(expression.args):
        yield from _uses(argument, "number" if index else first)


def _first_role(expression: Expr) -> Role:
    if isinstance(expression, VensimFunction) and expression.name in LOOKUPS:
        return "lookup"
    return "range" if counts_labels(expression) else "number"


def _bad_references(model: Model, equation: Equation, guesses: Guesses) -> Iterator[Fault]:
    for part, role in dict.fromkeys(_uses(equation.expression)):
        if role == "range":
            fault = _bad_count(model, equation, part)
        elif isinstance(part, Symbol | Indexed):
            fault = _bad_reference(model, equation, part, guesses, called=role == "lookup")
        elif isinstance(part, Table):
            fault = None
        else:
            fault = Fault(equation.place, f"'{part}' is no lookup; give the function the name of one first")
        if fault:
            yield fault


def _bad_count(model: Model, equation: Equation, part: Expr) -> Fault | None:
    name = referred(part)[0] if isinstance(part, Symbol | Indexed) else str(part)
    if isinstance(part, Symbol) and name in model.subscripts:
        return None
    place = equation.places.get(name, equation.place)
    return Fault(
        place, f"ELMCOUNT counts the labels of a range, and '{_written(equation, name)}' is none; name a range"
    )


def _bad_marks(equation: Equation) -> Iterator[Fault]:
    """What is marked with `!` and nothing runs over, and what runs over nothing."""
    for name in loose(equation.expression):
        yield Fault(equation.places.get(name.rstrip("!"), equation.place), unclaimed(name))
    for part in walk(equation.expression):
        if is_reduction(part) and not marked(part):
            what = f"{part.name} runs over no range; mark one with !, as in {part.name}(x[range!])"
            yield Fault(equation.place, what)


def _bad_reference(model: Model, equation: Equation, part: Expr, guesses: Guesses, *, called: bool) -> Fault | None:
    name, indices = referred(part)
    place = equation.places.get(name, equation.place)
    element = model.elements.get(name)
    if element is None:
        return _undefined(model, equation, name, place, guesses, called=called)
    if called and element.kind != "lookup":
        return Fault(place, f"'{element.name}' is not a lookup; write * for a product")
    if element.kind == "lookup" and not called:
        return Fault(place, f"'{element.name}' is a lookup; give it an argument: {element.name}(x)")
    wanted = len(element.equations[0].subscripts)
    if len(indices) != wanted:
        return Fault(place, f"'{element.name}' has {wanted} subscripts but {len(indices)} here; write {wanted}")
    unknown = (each for each in indices if each.rstrip("!") not in model.subscripts and each not in model.labels)
    odd = next(unknown, None)
    return None if odd is None else _unknown_subscript(model, odd, equation.places.get(odd, place), guesses)


def _undefined(
    model: Model, equation: Equation, name: str, place: Place, guesses: Guesses, *, called: bool
) -> Fault | None:
    """What to say of a name that is no element, unless it is Time, or a range or label that stands for its number."""
    if called:
        return Fault(place, unknown_function(name, guess=guesses.left > 0))
    if name == TIME.key or name in model.subscripts or name in model.labels:
        return None
    close = guesses.nearest(name, itertools.chain(["Time"], (each.name for each in model)))
    cure = f"did you mean '{close}'?" if close else "define it or correct the name"
    return Fault(place, f"'{_written(equation, name)}' is not defined; {cure}")


def _written(equation: Equation, name: str) -> str:
    """An undefined name as the author spelt it, found by its key in the text of the equation."""
    words = name.split("_")
    text = " ".join(equation.text.split())
    start = key(text).find(name)
    return text[start : start + len(name)] if start >= 0 and len(key(text)) == len(text) else " ".join(words)


def _undefined_cells(model: Model) -> Iterator[Fault]:
    """References to labels that a partly defined element lacks, and to ranges that stand for nothing."""
    defined: dict[str, set[tuple[str, ...]]] = {}
    for element in model:
        for equation in element.equations:
            for part in dict.fromkeys(part for part, role in _uses(equation.expression) if role != "range"):
                name, indices = referred(part) if isinstance(part, Symbol | Indexed) else ("", ())
                place = equation.places.get(name, equation.place)
                try:
                    missing = _missing_cell(model, equation, name, indices, defined)
                except SubscriptFault as fault:
                    yield Fault(place, str(fault))
                    continue
                if missing is not None:
                    yield Fault(place, f"'{spell(model, missing)}' has no equation; define it or leave it out")


def _missing_cell(
    model: Model,
    equation: Equation,
    name: str,
    indices: tuple[str, ...],
    defined: dict[str, set[tuple[str, ...]]],
) -> Cell | None:
    """The first cell without an equation that a reference reads; `defined` keeps the cells that elements have."""
    wanted = indices or ((name,) if name in model.subscripts else ())
    if not wanted or _surely_defined(model, equation, name, indices):
        return None
    if indices and name not in defined:
        own = model.elements[name].equations
        defined[name] = {labels for each in own for labels, _ in bindings(model.subscripts, each)}
    marks = tuple(dict.fromkeys(each for each in wanted if each.endswith("!")))
    for _, binding in bindings(model.subscripts, equation):
        for inner in expanded(model.subscripts, marks, binding):
            labels = tuple(resolve(model.subscripts, each, inner) for each in wanted)
            if indices and labels not in defined[name]:
                return Cell(name, labels)
    return None


def _surely_defined(model: Model, equation: Equation, name: str, indices: tuple[str, ...]) -> bool:
    """Whether an element without gaps has every label that its subscripts in an equation can mean."""
    element = model.elements.get(name)
    if element is None or len(element.equations) > 1 or element.equations[0].exceptions:
        return False
    return all(
        (index in equation.subscripts or index in model.labels or index.endswith("!"))
        and (index == own or _lies_in(model, index, own))
        for index, own in zip(indices, element.equations[0].subscripts, strict=True)
    )


def _lies_in(model: Model, index: str, own: str) -> bool:
    holds = model.subscripts[own].positions if own in model.subscripts else {own: 0}
    return all(label in holds for label in labels_of(model.subscripts, index))
