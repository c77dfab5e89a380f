"""Sweeps: runs over a grid of lever values, once or for every member of an ensemble."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import BASE, DATE, MEMBER, TIME
from ..ensemble import design_record
from ..errors import AnalysisError
from ..model import Cell, Integrator, Model, cell_name, identifiers, key, split_name, takes_model
from ..scenario import Design, Scenario, cell_values, constant_cells
from ..simulation import Progress, RunWarning, ScenarioLike, memory_bytes, simulate, under_scenario
from ..workers import Workers

_SAME = 1e-9
"""Relative difference up to which two values count as equal."""
_LISTED = 4

Values = Sequence[Any] | NDArray[Any] | xr.DataArray


@dataclass(frozen=True)
class _Lever:
    """A lever of a sweep: its cells, its dimension, its values in its own units, and its value without the sweep.

    `base` is None if its cells differ without the sweep.
    """

    name: str
    dim: str
    cells: tuple[Cell, ...]
    values: NDArray[np.float64]
    base: float | None
    units: str

    @property
    def array(self) -> xr.DataArray:
        coordinate = xr.Variable((self.dim,), self.values, {"long_name": self.name, "units": self.units})
        return xr.DataArray(self.values, {self.dim: coordinate}, (self.dim,))

    @property
    def change(self) -> str:
        """The line of the run's record that describes the lever."""
        count, ends = len(self.values), f"{self.values[0]:g} to {self.values[-1]:g}"
        few = ", ".join(f"{value:g}" for value in self.values)
        return f"{self.name} = over {few if count <= _LISTED else f'{ends}, {count} values'}"


@takes_model
def sweep_levers(
    model: Model,
    levers: Mapping[str, Values],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    save: Iterable[str] | None = None,
    design: Design | None = None,
    base: bool = True,
    memory: str | float | None = None,
    threads: int | None = None,
    executor: Workers | None = None,
    progress: Progress | None = None,
    seed: int | None = None,
) -> xr.Dataset:
    r"""Run a model for all combinations of lever values.

    Parameters
    ----------
    model : Model
        The model.
    levers : mapping of str to sequence of float
        Constants, `name` or `name[label]` for one cell, with their values in their own units.
    scenario : Scenario, path, or sequence of these, optional
        Changes that apply to all runs.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        The integration method; the model's own by default.
    save : iterable of str, optional
        Variables to keep; all by default. Levers and sampled constants are always kept.
    design : Design, optional
        An ensemble: every member is run with every combination. A lever is swept even if the design samples it.
    base : bool, default True
        Whether each lever also takes its own value, that of the model with `scenario`.
    memory : str or float, optional
        Limit for the result, such as "4GiB".
    threads : int, optional
        Number of threads; all processors by default.
    executor : concurrent.futures.Executor or dask client, optional
        Other processes that share the runs; see `simulate`. The numbers do not depend on it.
    progress : callable, optional
        Called with the number of runs done and their total.
    seed : int, optional
        Seed of random functions, as for `simulate`: all combinations of lever values have the same random numbers.

    Returns
    -------
    Dataset
        Variables have the dimensions time, subscripts, one for each lever (its values in ascending order; the attribute
        `base` is its own value), and `member` with a design.

    Raises
    ------
    ScenarioError
        If a lever is not a constant of the model.
    AnalysisError
        If there are no levers or values, a constant is swept twice, or the result is larger than `memory`.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(rate, 0)\nrate = 2")
    >>> runs = sd.sweep_levers(model, {"rate": [1, 3]})
    >>> runs["rate"].values.tolist(), runs["stock"].isel(time=-1).values.tolist()
    ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])
    """
    model, changes = under_scenario(model, scenario)
    swept = _levers(model, levers, changes, base=base)
    cells = {cell for lever in swept for cell in lever.cells}
    sampled = _sampled(design, cells)
    options: dict[str, Any] = {"scenario": changes, "integrator": integrator, "threads": threads, "seed": seed}
    if save is not None:
        own = (cell.key for cell in (*cells, *(design.cells if design else ())))
        varied = dict.fromkeys(model.identifiers[name] for name in own if name in model.elements)
        options["save"] = [*([save] if isinstance(save, str) else save), *varied]
    members, whole = (design.count, design.model(model)) if design else (1, model)
    _check_size(whole, math.prod([*(len(lever.values) for lever in swept), members]), options, memory)
    constants: dict[str, Any] = {lever.name: lever.array for lever in swept}
    constants |= sampled
    noisy = design.count if design and model.draws else None
    run = simulate(model, constants, memory=memory, progress=progress, executor=executor, members=noisy, **options)
    for lever in swept:
        run[lever.dim].attrs.update({} if lever.base is None else {BASE: lever.base})
    others = (line for line in str(run.attrs["changes"]).splitlines() if " = over " not in line)
    run.attrs["changes"] = "\n".join([*others, *(lever.change for lever in swept)])
    return run.assign_attrs(design_record(design) if design else {})


def _levers(model: Model, levers: Mapping[str, Values], scenario: Scenario, *, base: bool) -> list[_Lever]:
    """Return the levers with their dimensions and sorted values; with `base`, also their own values."""
    if not levers:
        message = "the sweep: has no levers; name at least one, with its values"
        raise AnalysisError(message)
    cells = {name: tuple(constant_cells(model, *split_name(name, model.elements), where="levers")) for name in levers}
    seen: dict[Cell, str] = {}
    for name, lever_cells in cells.items():
        again = next((cell for cell in lever_cells if cell in seen), None)
        if again is not None:
            message = f"'{name}': '{cell_name(model, again)}' is swept by '{seen[again]}' already; keep one of the two"
            raise AnalysisError(message)
        seen |= dict.fromkeys(lever_cells, name)
    dims = _dims(model, cells)
    made = []
    for name, lever_cells in cells.items():
        values = _numbers(name, levers[name])
        own_values = set(cell_values(model, lever_cells, scenario).values())
        own = own_values.pop() if len(own_values) == 1 else None
        if own is not None:  # a value that nearly equals it is replaced by it
            near = np.abs(values - own) <= _SAME * max(abs(own), float(np.abs(values).max()))
            values = np.concatenate([values[~near], [own] if base or near.any() else []])
        element = model.elements[lever_cells[0].key]
        full_name = (
            cell_name(model, lever_cells[0])
            if split_name(name, model.elements)[1] and len(lever_cells) == 1
            else element.name
        )
        made.append(_Lever(full_name, dims[name], lever_cells, np.unique(values), own, element.units))
    return made


def _numbers(name: str, values: Values) -> NDArray[np.float64]:
    try:
        numbers = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim > 1 or not numbers.size or not np.isfinite(numbers).all():
        message = f"'{name}': the values are {values!r:.60}; give a sequence of numbers"
        raise AnalysisError(message)
    return numbers


def _dims(model: Model, cells: Mapping[str, Sequence[Cell]]) -> dict[str, str]:
    """Name the dimension of each lever as the constant in a run, or with labels if the lever is a part of a constant."""
    dims: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, lever_cells in cells.items():
        own = lever_cells[0].key
        if not lever_cells[0].labels and model.identifiers[own] not in (DATE, MEMBER):
            dims[name] = model.identifiers[own]
        else:
            others[name] = "_".join([own, *(lever_cells[0].labels if len(lever_cells) == 1 else ("values",))])
    names = identifiers((TIME, DATE, MEMBER, *model.elements, *model.subscripts, *others.values()))
    return dims | {name: names[identifier] for name, identifier in others.items()}


def _sampled(design: Design | None, swept: set[Cell]) -> dict[str, xr.DataArray]:
    """Return the constants that a design samples and no lever sets, along `member`."""
    if design is None:
        return {}
    coursed = {key(course.change.name): course.change.name for course in design.courses}
    again = next((coursed[cell.key] for cell in swept if cell.key in coursed), None)
    if again is not None:
        message = f"the sweep: '{again}' has a course of its own in each member of the design; sweep another lever"
        raise AnalysisError(message)
    both = [name for cell, name in zip(design.cells, design.names, strict=True) if cell in swept]
    if both and len(both) == len(design.cells):
        message = "the sweep: the design samples only swept levers; sample another constant, or leave out the design"
        raise AnalysisError(message)
    if both:
        names = ", ".join(f"'{name}'" for name in both)
        warnings.warn(f"{names}: swept, so not sampled for each member", RunWarning, stacklevel=3)
    return {name: values for name, values in design.constants().items() if name not in both}


def _check_size(model: Model, runs: int, options: Mapping[str, Any], memory: str | float | None) -> None:
    """Check that all runs fit, by the size of one, which takes no time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunWarning)
        one = simulate(model, **options)
    size = runs * sum(variable.nbytes for variable in one.data_vars.values() if TIME in variable.dims)
    if memory is not None and size > memory_bytes(memory):
        cure = "use fewer values or members, save fewer variables, or allow more memory"
        message = f"the sweep: {runs:,} runs take {size / 2**30:.3g} GiB, more than {memory}; {cure}"
        raise AnalysisError(message)
