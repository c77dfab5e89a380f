"""Feedback loops of a model as it runs: the run is made, and the loops are found in what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..model import CausalPath, Cell, Links, Model, Plan, causal_paths, find_links, plan, stock_loops
from ..scenario import Scenario
from .inspection import changed
from .trial import simulated

ScenarioLike = Scenario | str | Path | Sequence[Scenario | str | Path]


def find_loops(
    model: Model, through: str | Sequence[str] = (), *, scenario: ScenarioLike = (), limit: int = 1
) -> tuple[CausalPath, ...]:
    """The shortest feedback loop through variables in the given order, and up to `limit` others that are as short.

    A way point is `name`, or `name[label]` where only that label counts. Without way points, the shortest loop through
    each stock. Polarity is that of the product of derivatives along the loop at each saved time of the model's run.

    Raises
    ------
    LoopError
        If a way point is no variable that changes, or no loop leads through all of them.
    ScenarioError
        If the scenario cannot be read, or changes what the model does not let it.
    SimulationError
        If the model cannot be run.
    """
    links = _links(model, scenario)
    names = [through] if isinstance(through, str) else list(through)
    return causal_paths(links, names, closed=True, limit=limit) if names else tuple(stock_loops(links))


def find_paths(
    model: Model, through: str | Sequence[str], *, scenario: ScenarioLike = (), limit: int = 1
) -> tuple[CausalPath, ...]:
    """The shortest way from the first of some variables to the last, through the others in order; as `find_loops`.

    Raises
    ------
    LoopError
        If a way point is no variable that changes, or no path leads through all of them.
    """
    names = [through] if isinstance(through, str) else list(through)
    return causal_paths(_links(model, scenario), names, closed=False, limit=limit)


_LINKS: WeakKeyDictionary[Model, Links] = WeakKeyDictionary()


def _links(model: Model, scenario: ScenarioLike) -> Links:
    """The links of a model in its run; those of the model as it stands are kept with it."""
    altered = changed(model, scenario)
    if altered not in _LINKS:
        _LINKS[altered] = _run_links(altered)
    return _LINKS[altered]


def _run_links(model: Model) -> Links:
    computed = plan(model)
    elements = {name: replace(each, hidden=False) for name, each in computed.model.elements.items()}
    shown = replace(computed.model, elements=MappingProxyType(elements))
    run = simulated(shown)
    return find_links(computed, np.asarray(run["time"].values, dtype=float), _values(shown, computed, run))


def _values(model: Model, computed: Plan, run: xr.Dataset) -> Mapping[Cell, NDArray[np.float64]]:
    """The values of every computed cell at the saved times."""
    count = run.sizes["time"]
    found: dict[Cell, NDArray[np.float64]] = {}
    for assignment in (*computed.start, *computed.step):
        cell = assignment.cell
        element = model.elements[cell.key]
        variable = run.variables[model.identifiers[cell.key]]
        places = tuple(
            model.subscripts[dimension].positions[label]
            for dimension, label in zip(element.dimensions, cell.labels, strict=True)
        )
        where: Any = (..., *places)  # of what changes, at every time
        found[cell] = np.broadcast_to(np.asarray(variable.values, dtype=float)[where], (count,))
    return found
