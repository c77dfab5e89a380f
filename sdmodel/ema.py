"""Vensim models in the EMA workbench: its model class, run by this package instead of Vensim or PySD.

The workbench is an optional package (`pip install "sdmodel[ema]"`), so `SdModel` is imported from here, not from `sdmodel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import Fault, ScenarioError, SimulationError
from .extras import load_extra
from .model import Model
from .reading import read_model
from .scenario import named_cells
from .simulation import PreparedSimulation, ScenarioLike, compile_model, load_scenario

_workbench = load_extra("ema_workbench", extra="ema", task="sdmodel.ema", error=SimulationError)
_models = load_extra("ema_workbench.em_framework.model", extra="ema", task="sdmodel.ema", error=SimulationError)
_TIME = "Time"


class SdModel(_models.SingleReplication):  # type: ignore[name-defined] # the workbench has no types
    r"""A Vensim model for the EMA workbench, in place of its `VensimModel` or `PysdModel`.

    Each experiment is one call of the compiled model (see `compile_model`); every process compiles it once. Uncertainties,
    levers and constants of the workbench are constants of the model, `name` or `name[label]`; a name with subscripts gives all
    its labels the same number, or each its own if the value is an array, row by row. Outcomes are variables of the model,
    `name` or `name[label]`: over time, shape (times,), unless the outcome has a function. As with `VensimModel`, the
    outcome `TIME` holds the saved times, which the workbench's figures need.

    What stops being finite is NaN from then on; the experiment counts as completed.

    Parameters
    ----------
    name : str
        A name of letters and digits, for the table of experiments.
    mdl_file : path or Model
        The model file, or a model that `read_model` returned.
    cin_file : Scenario, path or sequence of them, optional
        Changes to constants and lookups that hold in every experiment, unless the experiment sets the same constant.

    Attributes
    ----------
    mdl_file, cin_file
        As given. A policy may contain either, for instance `Policy("fast", cin_file="fast.cin")`; it holds for that policy
        only.

    Raises
    ------
    SdmodelError
        If the file is not a model. When experiments run, a name or value that the model does not take is an error of the
        workbench, `EMAError`, with the message of this package.

    Examples
    --------
    >>> from ema_workbench import RealParameter, TimeSeriesOutcome, perform_experiments  # doctest: +SKIP
    >>> from sdmodel.ema import SdModel  # doctest: +SKIP
    >>> model = SdModel("epidemic", "docs/examples/epidemic.mdl")  # doctest: +SKIP
    >>> model.uncertainties = [RealParameter("infectivity", 0.02, 0.05)]  # doctest: +SKIP
    >>> model.outcomes = [TimeSeriesOutcome("beds needed")]  # doctest: +SKIP
    >>> experiments, outcomes = perform_experiments(model, 100)  # doctest: +SKIP
    >>> outcomes["beds needed"].shape  # doctest: +SKIP
    (100, 181)
    """

    def __init__(self, name: str, mdl_file: str | Path | Model, *, cin_file: ScenarioLike | None = None) -> None:
        super().__init__(name)
        self._compiled: dict[tuple[tuple[str, ...], ...], tuple[PreparedSimulation, list[int]]] = {}
        self._replaced: dict[str, Any] = {}
        self.mdl_file = mdl_file
        self.cin_file = cin_file
        self.outcomes.extend(_workbench.TimeSeriesOutcome("TIME", variable_name=_TIME))

    @property
    def mdl_file(self) -> str | Path | Model:
        """The model file, or a model; setting it reads the file."""
        return self._mdl_file

    @mdl_file.setter
    def mdl_file(self, mdl_file: str | Path | Model) -> None:
        self._model = mdl_file if isinstance(mdl_file, Model) else read_model(mdl_file)
        self._mdl_file = mdl_file
        self._compiled.clear()

    @property
    def cin_file(self) -> ScenarioLike | None:
        """The changes that hold in every experiment."""
        return self._cin_file

    @cin_file.setter
    def cin_file(self, cin_file: ScenarioLike | None) -> None:
        self._changes = load_scenario(cin_file)
        self._cin_file = cin_file
        self._compiled.clear()

    def model_init(self, policy: Any) -> None:
        """Prepare for a policy, as the workbench asks; what the policy before it set on this object is undone."""
        for name, value in self._replaced.items():
            setattr(self, name, value)
        self._replaced = {name: getattr(self, name) for name in policy if hasattr(self, name)}
        super().model_init(policy)

    def run_experiment(self, experiment: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
        """Run one experiment: constants by name in, the variables of all outcomes out, shape (times, labels)."""
        names = tuple(experiment)
        outputs = {variable for outcome in self.outcomes for variable in outcome.variable_name}
        saved = tuple(sorted(outputs - {_TIME}))
        if (names, saved) not in self._compiled:
            run = compile_model(self._model, save=saved, constants=names, scenario=self._changes)
            self._compiled[names, saved] = run, [len(named_cells(self._model, name)[2]) for name in names]
        run, counts = self._compiled[names, saved]
        numbers = [_numbers(name, experiment[name], count) for name, count in zip(names, counts, strict=True)]
        return {_TIME: run.times} | run(np.concatenate([np.empty(0), *numbers]))


def _numbers(name: str, value: ArrayLike, count: int) -> NDArray[np.float64]:
    """The numbers for all cells of a constant."""
    try:
        return np.broadcast_to(np.ravel(np.asarray(value, dtype=float)), count)
    except (TypeError, ValueError):
        what = f"{value!r} is not a value of '{name}'; give a number, or an array of {count}"
        raise ScenarioError([Fault("experiment", what)]) from None
