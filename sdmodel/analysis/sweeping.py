"""Sweeps: a grid of runs over the values of levers, alone or for every member of an ensemble."""

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
from ..model import Cell, Integrator, Model, identifiers, spell
from ..scenario import Design, Scenario, cell_values, constant_cells, parted
from ..simulation import Progress, RunWarning, ScenarioLike, memory_bytes, merged, simulate

_SAME = 1e-9
"""Values that close to each other, for their size, are one."""
_LISTED = 4


Values = Sequence[Any] | NDArray[Any] | xr.DataArray


@dataclass(frozen=True)
class _Lever:
    """A lever in a sweep: its cells, the dimension it has, its values in its own units, and what it is without the sweep.

    Cells that differ without the sweep have no base in common.
    """

    name: str
    dim: str
    cells: tuple[Cell, ...]
    values: NDArray[np.float64]
    base: float | None
    units: str

    @property
    def array(self) -> xr.DataArray:
        """The values along the lever's own dimension."""
        attributes = {"long_name": self.name, "units": self.units}
        coordinate = xr.Variable((self.dim,), self.values, attributes)
        return xr.DataArray(self.values, {self.dim: coordinate}, (self.dim,))

    @property
    def change(self) -> str:
        """What the sweep does with the lever, on a line of its record."""
        count, ends = len(self.values), f"{self.values[0]:g} to {self.values[-1]:g}"
        few = ", ".join(f"{each:g}" for each in self.values)
        return f"{self.name} = over {few if count <= _LISTED else f'{ends}, {count} values'}"


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
    progress: Progress | None = None,
) -> xr.Dataset:
    """The runs of all combinations of the values of levers: dims time, subscripts and one for each lever, in its own units.

    `levers` maps names (`name`, or `name[label]` for a cell of it) to values. Their dimensions are named as the constant is in
    a run, their coordinates are the values in ascending order, with the lever's own value, in the model with `scenario`,
    among them (unless `base` is false) and in the attribute `base`. With a `design` there is the dimension `member` besides:
    every member is run with every combination, so that members pair; a lever is swept even if the design draws it. `save`,
    `memory` and the rest are as for `simulate`; levers and what is drawn are always kept.

    Raises
    ------
    ScenarioError
        If a lever is not a constant of the model.
    AnalysisError
        If there are no levers or values, a constant is swept twice, or the result is larger than `memory`.
    """
    changes = merged(scenario)
    found = _levers(model, levers, changes, base=base)
    cells = {cell for lever in found for cell in lever.cells}
    drawn = _drawn(model, design, cells)
    options: dict[str, Any] = {"scenario": changes, "integrator": integrator, "threads": threads}
    options["save"] = _kept(model, save, [*cells, *(design.cells if design else ())])
    _check_size(model, math.prod([*(len(each.values) for each in found), *drawn.sizes.values()]), options, memory)
    constants: dict[str, Any] = {each.name: each.array for each in found} | {
        str(name): each for name, each in drawn.items()
    }
    run = simulate(model, constants, memory=memory, progress=progress, **options)
    for each in found:
        run[each.dim].attrs.update({} if each.base is None else {BASE: each.base})
    own = (line for line in str(run.attrs["changes"]).splitlines() if " = over " not in line)
    run.attrs["changes"] = "\n".join([*own, *(each.change for each in found)])
    return run.assign_attrs(design_record(design) if design else {})


def _levers(model: Model, levers: Mapping[str, Values], scenario: Scenario, *, base: bool) -> list[_Lever]:
    """The levers with their dimensions and values."""
    if not levers:
        message = "the sweep: has no levers; name at least one, with its values"
        raise AnalysisError(message)
    cells = {name: tuple(constant_cells(model, *parted(name), where="levers")) for name in levers}
    seen: dict[Cell, str] = {}
    for name, own in cells.items():
        again = next((cell for cell in own if cell in seen), None)
        if again is not None:
            message = f"'{name}': '{spell(model, again)}' is swept by '{seen[again]}' already; keep one of the two"
            raise AnalysisError(message)
        seen |= dict.fromkeys(own, name)
    dims = _dims(model, cells)
    return [
        _lever(model, name, dims[name], cells[name], _numbers(name, levers[name]), scenario, base=base)
        for name in levers
    ]


def _lever(
    model: Model,
    name: str,
    dim: str,
    cells: tuple[Cell, ...],
    values: NDArray[np.float64],
    scenario: Scenario,
    *,
    base: bool,
) -> _Lever:
    """A lever whose values are in order, its own among them if it is wanted; one that is nearly its own is its own."""
    element = model.elements[cells[0].key]
    own = set(cell_values(model, cells, scenario).values())
    value = own.pop() if len(own) == 1 else None
    if value is not None:
        near = np.abs(values - value) <= _SAME * max(abs(value), float(np.abs(values).max()))
        values = np.concatenate([values[~near], [value] if base or near.any() else []])
    spelt = spell(model, cells[0]) if parted(name)[1] and len(cells) == 1 else element.name
    return _Lever(spelt, dim, cells, np.unique(values), value, element.units)


def _numbers(name: str, values: Values) -> NDArray[np.float64]:
    """The values of a lever."""
    try:
        found = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim > 1 or not found.size or not np.isfinite(found).all():
        message = f"'{name}': is given {values!r:.60}; give a sequence of numbers"
        raise AnalysisError(message)
    return found


def _dims(model: Model, cells: Mapping[str, Sequence[Cell]]) -> dict[str, str]:
    """What the dimension of each lever is called: as the constant is in a run, or with labels where it is a part of one."""
    found: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for name, own in cells.items():
        key = own[0].key
        if not own[0].labels and model.identifiers[key] not in (DATE, MEMBER):
            found[name] = model.identifiers[key]
        else:
            wanted[name] = "_".join([key, *(own[0].labels if len(own) == 1 else ("values",))])
    names = identifiers((TIME, DATE, MEMBER, *model.elements, *model.subscripts, *wanted.values()))
    return found | {name: names[each] for name, each in wanted.items()}


def _drawn(model: Model, design: Design | None, swept: set[Cell]) -> xr.Dataset:
    """The constants that a design draws and no lever sets, along `member`."""
    if design is None:
        return xr.Dataset()
    both = [name for cell, name in zip(design.cells, design.names, strict=True) if cell in swept]
    if len(both) == len(design.cells):
        message = "the sweep: the design draws nothing but swept levers; draw another constant, or leave out the design"
        raise AnalysisError(message)
    if both:
        told = ", ".join(f"'{name}'" for name in both)
        warnings.warn(f"{told}: swept, so not drawn for each member", RunWarning, stacklevel=3)
    return design.dataset().drop_vars(both)


def _kept(model: Model, save: Iterable[str] | None, cells: Iterable[Cell]) -> list[str] | None:
    """What is saved: what is asked for, and what the runs differ in."""
    if save is None:
        return None
    asked = [save] if isinstance(save, str) else list(save)
    return [*asked, *dict.fromkeys(model.identifiers[cell.key] for cell in cells)]


def _check_size(model: Model, runs: int, options: Mapping[str, Any], memory: str | float | None) -> None:
    """Make sure that all runs fit, by the size of one, which takes no time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunWarning)
        one = simulate(model, **options)
    size = runs * sum(each.nbytes for each in one.data_vars.values() if TIME in each.dims)
    if memory is not None and size > memory_bytes(memory):
        message = (
            f"the sweep: {runs:,} runs take {size / 2**30:.3g} GiB, more than {memory}; "
            "take fewer values or members, save fewer variables, or allow more memory"
        )
        raise AnalysisError(message)
