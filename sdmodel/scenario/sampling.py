"""Sampling: a `.vsc` file and a file of samples as records, and the cells of a model that they vary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, Place, ScenarioError
from ..model import NOWHERE, Cell, Model, Table, cell_name, key, nearest
from .changes import constant_cells, split_name
from .distributions import Distribution, Steps, distribution_fault

SamplingMethod = Literal["univariate", "multivariate", "latin hypercube", "grid", "file"]

DEFAULT_SIMULATIONS = 200
"""Vensim's number of simulations where a file gives none (manual, "Sensitivity Control")."""
DEFAULT_SEED = 1234
"""Vensim's seed where a file gives none."""


@dataclass(frozen=True)
class Variation:
    """One line of a `.vsc` file: a constant, or cells of it, and the distribution or steps its values come from."""

    name: str
    subscripts: tuple[str, ...]
    distribution: Distribution | Steps
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, eq=False)
class Samples:
    """A file of samples: the names of its columns and their numbers, shape (samples, names), NaN for empty fields.

    `places` are the positions of the names in the file.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    path: str = ""
    places: tuple[Place, ...] = ()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Samples)
            and self.names == other.names
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Sampling:
    """A whole `.vsc` file: its first line, its variations, and the samples that the method "file" uses.

    `count` is the number of simulations (per constant if univariate; the number of divisions of each constant if a grid).
    `seed` 0 requests a fresh seed. `file` is the name of the file of samples as written, `rest` the remaining fields of the
    first line.
    """

    method: SamplingMethod
    count: int = DEFAULT_SIMULATIONS
    seed: int = DEFAULT_SEED
    variations: tuple[Variation, ...] = ()
    samples: Samples | None = None
    file: str = ""
    rest: tuple[str, ...] = ()
    path: str = field(default="", compare=False)
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SampledCell:
    """One cell that a design varies: its distribution or steps, or else the column of the samples that it takes."""

    cell: Cell
    distribution: Distribution | Steps | None
    place: Place | str
    source: int = 0


def sampled_cells(model: Model, sampling: Sampling) -> tuple[SampledCell, ...]:
    """Return the cells that the lines of a `.vsc` file vary, in the order of the file.

    Raises
    ------
    ScenarioError
        With every line that the model does not allow, or if nothing is varied.
    """
    faults: list[Fault] = []
    found: list[SampledCell] = []
    for variation in sampling.variations:
        where: Place | str = variation.place if variation.place.path else "design"
        distribution = _with_points(model, variation.distribution, where, faults)
        wrong = distribution_fault(distribution)
        if wrong:
            faults.append(Fault(where, f"'{variation.name}': {wrong}"))
        cells = _cells(model, variation.name, variation.subscripts, where, faults)
        found += [SampledCell(cell, distribution, where) for cell in cells]
    if not sampling.variations:
        what = "nothing is varied; write a line such as 'constant = RANDOM_UNIFORM(min,max)'"
        faults.append(Fault(sampling.path or "design", what))
    return _checked(model, found, faults)


def cells_in_file(model: Model, sampling: Sampling) -> tuple[SampledCell, ...]:
    """Return the cells that the columns of a file of samples set, in the order of the file."""
    samples = sampling.samples
    if samples is None:
        what = "method F names no file of samples; write its name in the fourth place of the first line"
        raise ScenarioError([Fault(sampling.path or "design", what)])
    faults: list[Fault] = []
    found: list[SampledCell] = []
    for column, text in enumerate(samples.names):
        where: Place | str = samples.places[column] if samples.places else samples.path or "samples"
        found += [SampledCell(cell, None, where, column) for cell in _cells(model, *split_name(text), where, faults)]
    return _checked(model, found, faults)


def _checked(model: Model, found: list[SampledCell], faults: list[Fault]) -> tuple[SampledCell, ...]:
    """The cells, once there are no faults and no cell occurs twice."""
    first: dict[Cell, SampledCell] = {}
    for sampled in found:
        known = first.setdefault(sampled.cell, sampled)
        if known is not sampled:
            what = f"'{cell_name(model, sampled.cell)}' is varied twice, first at {known.place}; keep one of the two"
            faults.append(Fault(sampled.place, what))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return tuple(found)


def _cells(model: Model, name: str, subscripts: Iterable[str], where: Place | str, faults: list[Fault]) -> list[Cell]:
    try:
        return constant_cells(model, name, subscripts, where=where)
    except ScenarioError as error:
        faults += error.faults
        return []


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
    lookups = [other.name for other in model if other.kind == "lookup" and not other.dimensions]
    close = nearest(distribution.lookup, lookups)
    cure = f"did you mean '{close}'?" if close else "name one without subscripts"
    faults.append(Fault(where, f"'{distribution.lookup}' is not a lookup of the model; {cure}"))
    return distribution
