"""Which cells of a model the lines of a `.vsc` file, or the columns of a file of samples, stand for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import Fault, Place, ScenarioError
from ..model import Cell, Model, Table, key, nearest, spell
from .application import constant_cells
from .distributions import Distribution, Steps, wrong_with
from .sampling import Sampling


@dataclass(frozen=True, slots=True)
class Column:
    """One cell that a design varies: what it is drawn from, or which column of the samples it is."""

    cell: Cell
    distribution: Distribution | Steps | None
    place: Place | str
    source: int = 0


def columns_of(model: Model, sampling: Sampling) -> tuple[Column, ...]:
    """The cells that the lines of a `.vsc` file vary, in the order of the file.

    Raises
    ------
    ScenarioError
        With every line that the model does not allow, or if there is none.
    """
    faults: list[Fault] = []
    columns: list[Column] = []
    for each in sampling.variations:
        where: Place | str = each.place if each.place.path else "design"
        distribution = _with_points(model, each.distribution, where, faults)
        wrong = wrong_with(distribution)
        if wrong:
            faults.append(Fault(where, f"'{each.name}': {wrong}"))
        columns += [
            Column(cell, distribution, where) for cell in _cells(model, each.name, each.subscripts, where, faults)
        ]
    if not sampling.variations:
        what = "nothing is varied; write a line such as 'constant = RANDOM_UNIFORM(min,max)'"
        faults.append(Fault(sampling.path or "design", what))
    return _checked(model, columns, faults)


def sampled_columns(model: Model, sampling: Sampling) -> tuple[Column, ...]:
    """The cells that the columns of a file of samples give, in the order of the file."""
    samples = sampling.samples
    if samples is None:
        what = "method F names no file of samples; write its name in the fourth place of the first line"
        raise ScenarioError([Fault(sampling.path or "design", what)])
    faults: list[Fault] = []
    columns: list[Column] = []
    for index, name in enumerate(samples.names):
        where: Place | str = samples.places[index] if samples.places else samples.path or "samples"
        own, subscripts = parted(name)
        columns += [Column(cell, None, where, index) for cell in _cells(model, own, subscripts, where, faults)]
    return _checked(model, columns, faults)


def parted(name: str) -> tuple[str, tuple[str, ...]]:
    """A name with subscripts in brackets as the name and the subscripts."""
    name = name.strip()
    head, bracket, inside = name.rpartition("[")
    if not bracket or not inside.endswith("]"):
        return name, ()
    return head.strip(), tuple(part.strip() for part in inside[:-1].split(","))


def _cells(model: Model, name: str, subscripts: Iterable[str], where: Place | str, faults: list[Fault]) -> list[Cell]:
    try:
        return constant_cells(model, name, subscripts, where=where)
    except ScenarioError as error:
        faults += error.faults
        return []


def _checked(model: Model, columns: list[Column], faults: list[Fault]) -> tuple[Column, ...]:
    """The columns, if nothing is wrong with them and none stands twice."""
    first: dict[Cell, Column] = {}
    for column in columns:
        known = first.setdefault(column.cell, column)
        if known is not column:
            what = f"'{spell(model, column.cell)}' is varied twice, first at {known.place}; keep one of the two"
            faults.append(Fault(column.place, what))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return tuple(columns)


def _with_points(
    model: Model, distribution: Distribution | Steps, where: Place | str, faults: list[Fault]
) -> Distribution | Steps:
    """The distribution with the points of the lookup that it names."""
    if isinstance(distribution, Steps) or distribution.name != "RANDOM_LOOKUP" or distribution.points:
        return distribution
    element = model.elements.get(key(distribution.lookup))
    table = element.equations[0].expression if element and len(element.equations) == 1 else None
    if isinstance(table, Table) and element is not None and not element.dimensions:
        return replace(distribution, points=table.points)
    close = nearest(distribution.lookup, [each.name for each in model if each.kind == "lookup" and not each.dimensions])
    cure = f"did you mean '{close}'?" if close else "name one without subscripts"
    faults.append(Fault(where, f"'{distribution.lookup}' is not a lookup of the model; {cure}"))
    return distribution
