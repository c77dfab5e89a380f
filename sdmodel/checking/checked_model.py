"""The model being checked, with the facts and runs that several rules need, each computed once."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Expr

from ..errors import Fault, SdmodelError, SimulationError
from ..model import (
    NOISE_SEED,
    RUN_SETTINGS,
    Binding,
    Cell,
    Element,
    Equation,
    Model,
    Plan,
    SubscriptFault,
    UnitReport,
    check_units,
    evaluate_arrays,
    key,
    plan,
    position,
    references_in,
    resolve,
    split_name,
    split_reference,
    unfinished_equations,
)
from ..scenario import constant_values, with_constants, with_tables
from ..vensim import ScenarioLike, read_savelist, save_list_of, under_scenario

_NOT_FINITE = re.compile(r"'(?P<name>.+?)' is not finite from time (?P<time>\S+);")


def with_scenario(model: Model, scenario: ScenarioLike) -> Model:
    """Return the model with the changes of a scenario written into it."""
    model, loaded = under_scenario(model, scenario)
    changed = with_tables(model, loaded)
    return with_constants(changed, constant_values(changed, loaded)) if loaded.changes else model


def run_quietly(model: Model, constants: Mapping[str, Any] | xr.Dataset | None = None, **options: Any) -> xr.Dataset:
    """Run a model without its warnings, which become findings; the simulator is imported only where it is needed.

    Diff, which shows auxiliaries of an earlier time beside stocks, runs as Euler: rules compare values of one time.
    """
    from ..simulation import RunWarning, simulate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunWarning)
        own = "euler" if model.integrator == "diff" else model.integrator
        return simulate(model, constants, **{"integrator": own} | options)


def first_not_finite(run: xr.Dataset) -> tuple[str, float] | None:
    """Return the name of the first variable of a run that is not finite, with the time, or None if all are finite."""
    match = _NOT_FINITE.search(str(run.attrs.get("not_finite", "")))
    return (split_name(match["name"])[0], float(match["time"])) if match else None


@dataclass(frozen=True, eq=False)
class CheckedModel:
    """A model that can be read, with any scenario already written into it."""

    model: Model

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """The elements in the model file, without the settings of the run."""
        settings = set(map(key, RUN_SETTINGS))
        return tuple(element for element in self.model if not element.hidden and element.key not in settings)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of these elements."""
        return frozenset(element.key for element in self.elements)

    @property
    def equations(self) -> Iterator[tuple[Element, Equation, Expr]]:
        """Every equation of these elements, with its expression."""
        return ((element, own, own.expression) for element in self.elements for own in element.equations)

    @cached_property
    def used(self) -> frozenset[str]:
        """The keys of elements that another element reads, and of the seed that random functions read."""
        found = ((element, references_in(own.expression)) for element in self.model for own in element.equations)
        names = ((element.key, self._owner(split_reference(part)[0])) for element, parts in found for part in parts)
        drawn = [NOISE_SEED] if self.model.draws else []
        return frozenset([*(name for user, name in names if name != user), *drawn])

    def _owner(self, name: str) -> str:
        """The key of the element whose hidden part has a key, as the points of a data variable do; else the key itself."""
        element = self.model.elements.get(name)
        return self.model.owner_of(element).key if element else name

    @cached_property
    def listed(self) -> tuple[str, ...]:
        """The names in the save list beside the model; none without one."""
        with contextlib.suppress(SdmodelError, OSError, ValueError):
            path = save_list_of(self.model.path)
            return read_savelist(path) if path else ()
        return ()

    @cached_property
    def headlines(self) -> tuple[str, ...]:
        """The names of the headline variables: those in the save list, else the stocks."""
        known = self.model.elements
        listed = tuple(
            name
            for name in self.listed
            if (whole := split_name(name, known)[0]) in self.model and self.model[whole].kind != "lookup"
        )
        return listed or tuple(element.name for element in self.elements if element.kind == "stock")

    @cached_property
    def plan(self) -> Plan:
        """The order of computation, including the hidden stocks of delays."""
        return plan(self.model)

    @cached_property
    def unfinished(self) -> tuple[Fault, ...]:
        """A fault for each incomplete equation; with any, there is no order of computation and no run."""
        return tuple(unfinished_equations(self.model))

    @cached_property
    def units(self) -> UnitReport:
        """The mismatches of units, and the units inferred for elements without units."""
        return check_units(self.model)

    @cached_property
    def time_step(self) -> float:
        """TIME STEP in the model's unit of time; NaN if it is computed, or the model is incomplete."""
        return math.nan if self.unfinished else self.plan.constants.get(Cell("time_step"), math.nan)

    @cached_property
    def requested_run(self) -> xr.Dataset:
        """The run with the model's own SAVEPER, without its variables: its times and attributes."""
        return run_quietly(self.model, save=["TIME STEP"])

    @cached_property
    def base_run(self) -> xr.Dataset:
        """The run of the unchanged model, saved at every step if that is not too much."""
        _ = self.requested_run  # SAVEPER may be invalid, which the run saved at every step would hide
        try:
            return run_quietly(self.model, self.every_step)
        except SimulationError:
            return run_quietly(self.model)

    @cached_property
    def every_step(self) -> dict[str, float]:
        """The constants to set so that every step is saved."""
        return {"SAVEPER": self.time_step} if Cell("saveper") in self.plan.constants else {}

    def values(self, run: xr.Dataset, name: str) -> NDArray[np.float64]:
        """Return the values of an element, by its key: shape (times or 1, labels of its dimensions, members)."""
        variable = run.variables[self.model.identifiers[name]]  # a DataArray would collect coordinates, which is slow
        values = np.asarray(variable.values, dtype=float)
        return values if "time" in variable.dims else values[np.newaxis]

    def cell_values(self, run: xr.Dataset, cell: Cell) -> NDArray[np.float64]:
        """Return the values of one cell in a run of one member, shape (times or 1,), in its own units."""
        element = self.model.elements[cell.key]
        values = self.values(run, cell.key)
        for dimension, label in zip(element.dimensions, cell.labels, strict=True):
            values = values[:, self.model.subscripts[dimension].positions[label]]
        return values

    def evaluate(self, run: xr.Dataset, expression: Expr, binding: Binding) -> NDArray[np.float64] | None:
        """Evaluate an expression over a run, shape (times or 1,) or (); None if it needs more than arithmetic."""
        subscripts = self.model.subscripts

        def read(name: str, labels: tuple[str, ...]) -> NDArray[np.float64]:
            if name == "time":
                return np.asarray(run["time"].values, dtype=float)
            if not labels and (name in subscripts or name in binding):
                return np.asarray(position(subscripts, name, binding))
            return self.cell_values(run, Cell(name, tuple(resolve(subscripts, label, binding) for label in labels)))

        try:
            return evaluate_arrays(expression, read)
        except (KeyError, NotImplementedError, SubscriptFault):  # a hidden element, a function with memory, a sum
            return None
