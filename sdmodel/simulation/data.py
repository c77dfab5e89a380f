"""Time courses that a user gives for data variables, as labelled arrays over time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..dataset import TIME, given_points
from ..errors import Fault, ScenarioError
from ..model import (
    GIVEN_DATA,
    Cell,
    Element,
    Model,
    Source,
    Table,
    data_variables,
    key,
    points_in,
    split_name,
    suggest,
    takes_model,
    with_points,
)
from ..scenario import KEYWORD_DECIDES, parts_of, varies_by_member

Data = Mapping[str, Any] | xr.Dataset | pd.DataFrame
_WHERE = "data"


@takes_model
def with_data(model: Model, data: Data) -> Model:
    r"""Return a model with time courses for its data variables.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    data : mapping, xarray.Dataset or pandas.DataFrame
        Time courses by name (`name` or `name[label]`), in the model's units. Each is an `xarray.DataArray` with the dimension
        `time` and one for each subscript range of the variable, or a `pandas.Series` whose index is time. NaN is a missing
        value. The columns of a data frame are names.

    Returns
    -------
    Model
        The model with these points; other data variables keep theirs. Runs of it hold the points, so that they can be repeated.

    Raises
    ------
    ScenarioError
        If something is given that is not a data variable of the model, or is not numbers over time.

    Examples
    --------
    >>> import pandas as pd
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("demand\nserved = 0.5 * demand", final=2)
    >>> model = sd.with_data(model, {"demand": pd.Series([10.0, 30.0], index=[0, 2])})
    >>> sd.simulate(model)["served"].values.tolist()
    [5.0, 10.0, 15.0]
    """
    faults: list[Fault] = []
    given: dict[Cell, Table] = {}
    known = {element.key: (element, points) for element, points in data_variables(model)}
    for name, course in courses_by_name(data).items():
        bare, subscripts = split_name(name, model.elements)
        found = known.get(key(bare)) or known.get(_by_identifier(model, bare))
        if found is None:
            names = [element.name for element, _ in known.values()]
            cure = suggest(bare, names, "name one that is declared without an equation or reads a file")
            faults.append(Fault(_WHERE, f"'{name}' is not a data variable of the model; {cure}"))
            continue
        try:
            given |= _tables(model, *found, tuple(map(key, subscripts)), course)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    model = with_points(model, given)
    digest = hashlib.sha256(given_points(model).encode()).hexdigest()
    others = tuple(source for source in model.sources if source.path != GIVEN_DATA)
    return replace(model, sources=(*others, Source(GIVEN_DATA, digest)))


def courses_by_name(data: Data) -> dict[str, Any]:
    """Return the time courses by name; raises ScenarioError for what has no names, such as the path of a file."""
    if not isinstance(data, Mapping | pd.DataFrame):
        what = f"{type(data).__name__} cannot hold time courses; give a mapping of names to them"
        raise ScenarioError([Fault(_WHERE, f"{what}, and a file to read_model(path, data=FILE)")])
    return {str(name): course for name, course in data.items()}


def _by_identifier(model: Model, name: str) -> str:
    return next((own for own, identifier in model.identifiers.items() if identifier == name), "")


def _tables(model: Model, element: Element, points: Element, labels: tuple[str, ...], course: Any) -> dict[Cell, Table]:
    if varies_by_member(course):
        what = f"'{element.name}' has courses of its members; give them to simulate with data=, or to make_design with courses="
        raise ScenarioError([Fault(_WHERE, what)])
    array = course if isinstance(course, xr.DataArray) else _from_pandas(element, course)
    if TIME not in array.dims or TIME not in array.coords:
        what = (
            f"'{element.name}' is given no times; give an xarray.DataArray with the coordinate time, or a pandas.Series"
        )
        raise ScenarioError([Fault(_WHERE, what)])
    if array.dtype.kind not in "biuf" or array[TIME].dtype.kind not in "iuf" or np.isinf(array.values).any():
        what = f"'{element.name}' is given something that is not numbers over numbers of time; give finite numbers, NaN for missing"
        raise ScenarioError([Fault(_WHERE, what)])
    if "interpolation" in array.attrs:
        raise ScenarioError([Fault(_WHERE, f"'{element.name}': {KEYWORD_DECIDES}")])
    cells = [cell for cell in points_in(model, points) if not labels or cell.labels == labels]
    if not cells:
        what = f"'{element.name}' has no cell [{', '.join(labels)}]; write labels as in the model"
        raise ScenarioError([Fault(_WHERE, what)])
    found = {}
    for cell, part in zip(
        cells, parts_of(model, element.name, cells, array.astype(float), whole=not labels), strict=True
    ):
        if part.dims != (TIME,):
            what = f"'{element.name}' is given the dimensions {', '.join(map(str, array.dims))}"
            raise ScenarioError([Fault(_WHERE, f"{what}; give time and its subscript ranges")])
        pairs = zip(part[TIME].values.tolist(), part.values.tolist(), strict=True)
        kept = sorted((float(time), value) for time, value in pairs if value == value)  # noqa: PLR0124 - NaN is missing
        if not kept:
            raise ScenarioError(
                [Fault(_WHERE, f"'{element.name}' is given only missing values; give at least one number")]
            )
        found[cell] = Table(list(dict(kept).items()))
    return found


def _from_pandas(element: Element, course: Any) -> xr.DataArray:
    """A series as an array over time."""
    index = getattr(course, "index", None)
    if index is None or getattr(course, "ndim", 0) != 1:
        what = f"'{element.name}' is given {type(course).__name__}; give an xarray.DataArray with the coordinate time, or a pandas.Series"
        raise ScenarioError([Fault(_WHERE, what)])
    return xr.DataArray(np.asarray(course), {TIME: np.asarray(index)}, [TIME])


def points_from(text: str) -> dict[Cell, Table]:
    """Return the points that a run holds, as `given_points` writes them."""
    return {Cell(name, tuple(labels)): Table(points) for name, labels, points in json.loads(text)}
