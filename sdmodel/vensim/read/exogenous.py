"""Names that equations use and nothing defines: to Vensim, data variables. They are taken for that where a file has their data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...errors import Place
from ...model import (
    NO_POINTS,
    NOW,
    TIME,
    Cell,
    Element,
    Equation,
    data_reference,
    data_value,
    points_name,
    references_in,
    split_reference,
)
from .elements import dimensions_of
from .translation import Names


def undefined_names(elements: Mapping[str, Element], names: Names) -> dict[str, Place]:
    """Return the keys that equations read and nothing defines, each with the place of its first use."""
    known = {TIME.key, *elements, *names.subscripts, *names.labels}
    found: dict[str, Place] = {}
    for equation in (own for element in elements.values() for own in element.equations):
        for name in (split_reference(part)[0] for part in references_in(equation.expression)):
            if name not in known:
                found.setdefault(name, equation.places.get(name, equation.place))
    return found


def exogenous_elements(names: Names, wanted: Mapping[str, Place], series: Mapping[Cell, str]) -> Iterator[Element]:
    """Yield the data variables that files have series for, each with the hidden lookup for its points.

    `wanted` are keys with their places, `series` the names of series as written, by cell; those with other labels are left out.
    """
    cells: dict[str, list[tuple[str, ...]]] = {}
    for cell in (own for own in series if names.labels.issuperset(own.labels)):
        cells.setdefault(cell.key, []).append(cell.labels)
    for name, place in wanted.items():
        if name in cells:
            yield from _data_variable(name, series[Cell(name, cells[name][0])], cells[name], place, names)


def _data_variable(
    name: str, shown: str, cells: Sequence[tuple[str, ...]], place: Place, names: Names
) -> Iterator[Element]:
    dimensions = dimensions_of(shown, cells, place, names)
    values = [data_value(data_reference(name, *labels), NOW, "") for labels in cells]
    equations = [Equation(value, labels, place=place) for value, labels in zip(values, cells, strict=True)]
    points = [Equation(NO_POINTS, labels, place=place) for labels in cells]
    yield Element(shown, "auxiliary", tuple(equations), dimensions)
    yield Element(points_name(shown), "lookup", tuple(points), dimensions, hidden=True)
