"""Time series from files for the data variables of a model, and for its equations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import Fault, ModelError, ObservationError
from ...files import read_bytes
from ...model import Cell, Model, Table, data_variables, key, nearest, points_in, split_name, with_points
from .access import Access, source_of
from .tables import TableProblemError

if TYPE_CHECKING:
    from ..files.data import Points

PathLike = str | os.PathLike[str]


def series_in(paths: Iterable[PathLike], *, required: bool = True) -> dict[Cell, str]:
    """Return the names of the series in files, as written, by cell; files that cannot be read count only if they are `required`.

    Raises
    ------
    ModelError
        If a file cannot be read.
    """
    from ..files.data import read_data

    found: dict[Cell, str] = {}
    for path in paths:
        try:
            found |= {cell_of(own): split_name(own.name)[0] for own in read_data(path).values()}
        except ObservationError as error:
            if required:
                raise ModelError(error.faults) from error
    return found


def with_data_files(model: Model, paths: Iterable[PathLike], *, required: bool = True) -> Model:
    """Return a model with the time series of files for its data variables; of a series in several files, the last one counts.

    Series of other variables and cells are left out. With `required`, each file must have a series for the model, and one for each
    data variable that it names; otherwise a `.vdf` that cannot be read is left out.

    Raises
    ------
    ModelError
        If a file cannot be read, or has no series for the model.
    """
    paths = list(paths)
    if not paths:
        return model
    from ..files.data import read_data

    sources = {source.path: source for source in model.sources}
    variables = {element.key: element.name for element, _ in data_variables(model)}
    cells = {cell for _, points in data_variables(model) for cell in points_in(model, points)}
    for path in paths:
        name = os.fspath(path)
        content = read_bytes(name, error=ModelError)
        try:
            series = read_data(name, content)
        except ObservationError as error:
            if not required and Path(name).suffix.lower().startswith(".vdf"):
                continue  # the settings often name runs, which the model may do without
            raise ModelError(error.faults) from error
        found = {cell_of(own): own for own in series.values()}
        known = {cell: own for cell, own in found.items() if cell in cells}  # a file often has more labels
        fitting = {cell.key for cell in known}
        strange = next((cell for cell in found if cell.key in variables and cell.key not in fitting), None)
        if not known and not required:
            continue
        if strange and required:
            what = (
                f"'{found[strange].name}' is not a cell of '{variables[strange.key]}'; write its labels as in the model"
            )
            raise ModelError([Fault(name, what)])
        if not known:
            close = next((near for cell in found if (near := nearest(cell.key, variables.values()))), None)
            cure = f"did you mean '{close}'?" if close else "name a file for its data variables, or leave it out"
            raise ModelError([Fault(name, f"no series of the file is a data variable of the model; {cure}")])
        model = with_points(model, {cell: _table(own) for cell, own in known.items()})
        source = source_of(Path(name), content, Path(model.path).resolve().parent, is_series=True)
        sources[source.path] = source
    return replace(model, sources=tuple(sources.values()))


def run_in(access: Access, given: str) -> Mapping[Cell, Table]:
    """Return the points in a run or data set that a model names; raises TableProblemError if it may not or cannot be read."""
    from ..files.data import read_data

    path = access.run_file(given)
    if path not in access.runs:
        try:
            series = read_data(path, access.content(path)).values()
        except ObservationError as error:
            raise TableProblemError(error.faults[0].what.removeprefix(f"{path}: ")) from error
        access.runs[path] = {cell_of(own): _table(own) for own in series}
    return access.runs[path]


def cell_of(series: Points) -> Cell:
    """Return the cell of a model that a series belongs to."""
    name, labels = split_name(series.name)
    return Cell(key(name), tuple(map(key, labels)))


def _table(series: Points) -> Table:
    return Table(list(zip(series.times.tolist(), series.values.tolist(), strict=True)))
