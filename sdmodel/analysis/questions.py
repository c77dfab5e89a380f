"""What is asked of a model: outcomes of single numbers, which a variable with subscripts has one of for each label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..comparison import Outcome
from ..errors import AnalysisError, Fault, ScenarioError
from ..model import Cell, Element, Model, key, labels_of, nearest, plan, spell
from ..scenario import parted

_ON = "--on"


@dataclass(frozen=True, slots=True)
class Question:
    """The outcome of one cell: `variable` is how its author spells it, `units` are those of the answer."""

    cell: Cell
    outcome: Outcome
    variable: str
    units: str

    def __str__(self) -> str:
        """The variable with its date or statistic."""
        between = " " if self.outcome.at is not None else ", "
        return f"{self.variable}{between}{self.outcome}"


def questions_of(model: Model, names: Iterable[str], outcomes: Sequence[Outcome]) -> tuple[Question, ...]:
    """Every outcome of every variable that is named, `name` or `name[label]`, each once.

    Raises
    ------
    AnalysisError
        If nothing is asked.
    ScenarioError
        With every name that is no variable of the model, or stands for several numbers at a time.
    """
    cells: list[Cell] = []
    faults: list[Fault] = []
    for name in names:
        found = _cell(model, name)
        if isinstance(found, Cell):
            cells.append(found)
        else:
            faults.append(Fault(_ON, found))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    if not cells or not outcomes:
        message = f'nothing is asked; name a variable with {_ON} "name", and a date or a statistic of it'
        raise AnalysisError(message)
    time_units = model["INITIAL TIME"].units if "INITIAL TIME" in model else ""
    return tuple(
        Question(cell, each, spell(model, cell), each.units(model.elements[cell.key].units, time_units))
        for cell in dict.fromkeys(cells)
        for each in dict.fromkeys(outcomes)
    )


def _cell(model: Model, text: str) -> Cell | str:
    """The cell that a name means, or what is wrong with the name."""
    name, subscripts = parted(text) if key(text) not in model.elements else (text, ())
    element = model.elements.get(key(name))
    if element is None or element.hidden:
        close = nearest(
            name, [each.name for each in model if not each.hidden and each.kind not in ("lookup", "constant")]
        )
        return f"'{name}' is not in the model; " + (
            f"did you mean '{close}'?" if close else "name one of its variables"
        )
    if element.kind in ("constant", "lookup"):
        return f"'{element.name}' is a {element.kind}, which nothing moves; name a variable that depends on constants"
    known = [labels_of(model.subscripts, each) for each in element.dimensions]
    labels = tuple(map(key, subscripts))
    if len(labels) == len(known) and all(label in own for label, own in zip(labels, known, strict=True)):
        cell = Cell(element.key, labels)
        has = any(cell == each.cell for each in (*plan(model).start, *plan(model).step))
        return cell if has else f"'{spell(model, cell)}' has no equation; name a label that has one"
    return _unlabelled(model, element, known, labels)


def _unlabelled(model: Model, element: Element, known: Sequence[tuple[str, ...]], labels: tuple[str, ...]) -> str:
    """What is wrong with labels that are none of an element."""
    example = spell(model, Cell(element.key, tuple(own[0] for own in known)))
    if not known:
        return f"'{element.name}' has no subscripts; write its name alone"
    if len(labels) != len(known):
        return (
            f"'{element.name}' is {math.prod(map(len, known))} numbers at a time; name one of them, such as '{example}'"
        )
    odd, own = next((label, own) for label, own in zip(labels, known, strict=True) if label not in own)
    close = nearest(odd, own)
    return f"'{element.name}' has no label '{odd}'; " + (
        f"did you mean '{close}'?" if close else f"it has {', '.join(own)}"
    )
