"""The model under check, with what several rules ask of it, worked out once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Expr

from ..errors import SdmodelError, SimulationError
from ..model import (
    Cell,
    Element,
    Equation,
    Integrator,
    Model,
    Plan,
    UnitReport,
    check_units,
    key,
    plan,
    references,
    referred,
)
from ..vensim import Document, read_savelist
from .trial import simulated

CLOCK = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")
"""The settings of a run."""
_ENDING = ".lst"


@dataclass(frozen=True, eq=False)
class Subject:
    """A model that can be read, whatever a scenario changes in it, and the text that it stands in."""

    model: Model

    @cached_property
    def document(self) -> Document:
        """The text of the model, cut into segments."""
        return Document.from_bytes(self.model.text.encode("utf-8", "surrogatepass"), self.model.path)

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """What the author wrote, without the settings of the run."""
        clock = set(map(key, CLOCK))
        return tuple(each for each in self.model if not each.hidden and each.key not in clock)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of those elements."""
        return frozenset(each.key for each in self.elements)

    @property
    def equations(self) -> Iterator[tuple[Element, Equation, Expr]]:
        """Every equation of those elements, with its expression."""
        return ((each, equation, equation.expression) for each in self.elements for equation in each.equations)

    @cached_property
    def used(self) -> frozenset[str]:
        """The keys of what some other element reads."""
        return frozenset(
            referred(part)[0]
            for element in self.model
            for equation in element.equations
            for part in references(equation.expression)
            if referred(part)[0] != element.key
        )

    @cached_property
    def headlines(self) -> frozenset[str]:
        """Keys of what the save list beside the model names; a list that cannot be read names nothing."""
        beside = Path(self.model.path).with_suffix(_ENDING)
        with contextlib.suppress(SdmodelError, OSError, ValueError):
            if beside.is_file():
                return frozenset(key(name.partition("[")[0]) for name in read_savelist(beside))
        return frozenset()

    @cached_property
    def plan(self) -> Plan:
        """What is computed, with the hidden stocks of delays."""
        return plan(self.model)

    @cached_property
    def units(self) -> UnitReport:
        """Which units do not fit, and which follow for what has none."""
        return check_units(self.model)

    @cached_property
    def time_step(self) -> float:
        """TIME STEP in the model's unit of time; not a number where it is computed."""
        return self.plan.constants.get(Cell("time_step"), float("nan"))

    @property
    def integrator(self) -> Integrator:
        """The method that the model asks for."""
        return self.model.integrator

    @cached_property
    def asked(self) -> xr.Dataset:
        """The run at the times that the model asks for, without its variables: what they say of themselves."""
        return simulated(self.model, save=["TIME STEP"])

    @cached_property
    def base(self) -> xr.Dataset:
        """The run of the model as it stands, saved at every step if that is not too much."""
        _ = self.asked  # SAVEPER may not fit, which the run at every step would hide
        try:
            return simulated(self.model, self.every_step)
        except SimulationError:
            return simulated(self.model)

    @cached_property
    def every_step(self) -> dict[str, float]:
        """What to set so that every step is saved."""
        return {"SAVEPER": self.time_step} if Cell("saveper") in self.plan.constants else {}

    def values(self, run: xr.Dataset, name: str) -> NDArray[np.float64]:
        """The values of an element, by its key, in a run: shape (times or 1, labels of its dimensions, members)."""
        variable = run.variables[self.model.identifiers[name]]  # bare: coordinates would be gathered from all variables
        values = np.asarray(variable.values, dtype=float)
        return values if "time" in variable.dims else values[np.newaxis]
