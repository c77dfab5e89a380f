"""An ensemble of any size in bounded memory: one slab of members is simulated while the one before is stored."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import MEMBER
from ..errors import EnsembleError
from ..model import Integrator, Model, spell
from ..scenario import Design, with_tables
from ..simulation import NotFiniteWarning, Progress, RunWarning, ScenarioLike, memory_bytes, merged, simulate
from ..store import Ensemble, add_members, added_to, block_members, create_ensemble, ensemble_record, is_ensemble

DESIGN, DIGEST = "design", "design_sha256"
"""Attributes of an ensemble: the text of the `.vsc` file that its design comes from, and the hash of all its numbers."""

_SLAB_BYTES = 2**27
_HELD = 4
"""So many times the results of a slab fit into the memory allowed: one is simulated while another is stored."""
_SAME: Mapping[str, str] = {
    "model_sha256": "the model",
    "scenario": "the scenario",
    "changes": "the changes",
    DIGEST: "the design",
    "members_wanted": "the number of members",
    "integrator": "the integrator",
    "time_step": "TIME STEP",
    "saveper": "SAVEPER",
    "variable_order": "the list of what is saved",
}
"""What must not differ when an ensemble goes on, and what a user calls it."""


@dataclass(frozen=True)
class _Order:
    """Everything that a slab of members is simulated by; `outside` gathers what is drawn from outside its range."""

    model: Model
    design: Design
    options: Mapping[str, Any]
    outside: set[str] = field(default_factory=set)

    def members(self, first: int, last: int, progress: Progress | None = None) -> xr.Dataset:
        """The run of some members; one alone is simulated twice, since code for a single run rounds otherwise."""
        drawn = self.design.dataset(first, last)
        self._look(np.array([each.values for each in drawn.data_vars.values()]))
        alone = drawn.sizes[MEMBER] == 1
        if alone:
            drawn = drawn.isel({MEMBER: [0, 0]})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotFiniteWarning)
            warnings.simplefilter("ignore", RunWarning)
            run = simulate(self.model, drawn, progress=progress, **self.options)
        return run.isel({MEMBER: [0]}) if alone else run

    def _look(self, values: NDArray[np.float64]) -> None:
        """Notice the constants whose values leave the range that the model declares."""
        for cell, name, low, high in zip(
            self.design.cells, self.design.names, values.min(axis=1), values.max(axis=1), strict=True
        ):
            bounds = self.model.elements[cell.key].range
            least, most = (None, None) if bounds is None else (bounds.minimum, bounds.maximum)
            if (least is not None and low < least) or (most is not None and high > most):
                self.outside.add(name)

    def with_tables_set(self) -> _Order:
        """The same order with the scenario's lookups in the model, so that it is compiled once for all slabs."""
        scenario = self.options["scenario"]
        model = with_tables(self.model, scenario)
        rest = replace(scenario, changes=tuple(each for each in scenario.changes if each.table is None))
        return replace(self, model=model, options={**self.options, "scenario": rest})


def run_ensemble(
    model: Model,
    design: Design,
    path: str | os.PathLike[str],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    save: Iterable[str] | None = None,
    memory: str | float = "1GiB",
    threads: int | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    force: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> Path:
    """Simulate all members of a design and store them in the Zarr folder `path`, which is returned.

    What is drawn is saved beside what `save` names. The process grows by less than `memory`. The numbers depend neither
    on it nor on `threads`, nor on interruptions: `resume` goes on with what is stored, and does nothing if it is whole.

    Raises
    ------
    EnsembleError
        If a block of members does not fit into the memory, or what is stored is of another order than what is to go on.
    StoreError
        If the folder exists and neither `resume` nor `force` is given, or the disk is full; blocks that are stored stay.
    """
    target = Path(path)
    order = _Order(model, design, _options(model, design, scenario, integrator, save, threads))
    template = order.members(0, min(2, design.count))
    template.attrs = _record(template, model, design) | dict(attributes or {})
    slab = _slab_members(template, design.count, memory_bytes(memory))
    if not (resume and is_ensemble(target)):
        create_ensemble(_spread(template, model, design), target, count=design.count, force=force)
    with added_to(target) as ensemble:
        _check_same(template, design.count, target)  # even of a new one: another process may have taken its name
        _stream(order.with_tables_set(), ensemble, slab, progress)
    for text in (str(template.attrs.get("remarks", "")), _outside(order)):
        if text:
            warnings.warn(text, RunWarning, stacklevel=2)
    return target


def _outside(order: _Order) -> str:
    """Which constants are drawn from outside their ranges, or nothing."""
    told = ", ".join(f"'{name}'" for name in sorted(order.outside))
    return f"some members have values outside the range of {told}" if told else ""


def _options(
    model: Model,
    design: Design,
    scenario: ScenarioLike | None,
    integrator: Integrator | None,
    save: Iterable[str] | None,
    threads: int | None,
) -> dict[str, Any]:
    """The options of `simulate` for every slab; what is drawn is always kept."""
    names = None
    if save is not None:
        given = [save] if isinstance(save, str) else list(save)
        names = [*given, *dict.fromkeys(model.identifiers[cell.key] for cell in design.cells)]
    return {"scenario": merged(scenario), "integrator": integrator, "save": names, "threads": threads}


def design_record(design: Design) -> dict[str, Any]:
    """What a run whose members a design draws tells of it."""
    return {DESIGN: design.text, DIGEST: design.digest, "design_method": design.method, "seed": design.seed}


def _record(template: xr.Dataset, model: Model, design: Design) -> dict[str, Any]:
    """The attributes of a few members as those of the ensemble: with its design, without what those few alone tell."""
    drawn = tuple(f"'{spell(model, cell)}' is set to " for cell in design.cells)
    remarks = [line for line in str(template.attrs.get("remarks", "")).splitlines() if not line.startswith(drawn)]
    own = {name: value for name, value in template.attrs.items() if name not in ("not_finite", "remarks")}
    changes = [line for line in str(own["changes"]).splitlines() if not line.endswith(f" = over {MEMBER}")]
    own["changes"] = "\n".join(changes)  # what is drawn is told by the design
    return own | design_record(design) | ({"remarks": "\n".join(remarks)} if remarks else {})


def _slab_members(template: xr.Dataset, count: int, memory: int) -> int:
    """How many members are simulated at a time: whole blocks, as many as the memory holds several times over."""
    block = block_members(template, count)
    size = template.nbytes // template.sizes[MEMBER]
    if block * size * _HELD > memory:
        needed = math.ceil(block * size * _HELD / 2**20)
        message = f"memory: {memory / 2**20:,.3g} MiB do not hold {block} members; allow {needed:,}MiB or save less"
        raise EnsembleError(message)
    return block * max(1, min(memory // _HELD, _SLAB_BYTES) // (block * size))


def _spread(template: xr.Dataset, model: Model, design: Design) -> xr.Dataset:
    """The template with all drawn constants along members, whether or not its few members differ in them."""
    drawn = {model.identifiers[cell.key] for cell in design.cells}
    level = [name for name in drawn if name in template and MEMBER not in template[name].dims]
    spread = {name: template[name].expand_dims({MEMBER: template.sizes[MEMBER]}, -1) for name in level}
    return template.assign(spread)


def _check_same(template: xr.Dataset, count: int, path: Path) -> None:
    """Make sure that a stored ensemble is what its members would be added to."""
    stored = ensemble_record(path)[0]
    wanted = template.attrs | {"members_wanted": count, "variable_order": "\n".join(map(str, template.data_vars))}
    differ = [told for name, told in _SAME.items() if stored.get(name, "") != wanted.get(name, "")]
    if differ:
        message = (
            f"{path}: cannot go on, {' and '.join(differ)} differ{'s' if len(differ) == 1 else ''} from what it was begun "
            "with; give the same again, choose another name, or make it anew with --force"
        )
        raise EnsembleError(message)


def _stream(order: _Order, ensemble: Ensemble, slab: int, progress: Progress | None) -> None:
    """Simulate what is not stored yet, one slab while the one before is written."""
    count = ensemble.count
    with _writer() as pool:
        pending: Future[None] | None = None
        for first in range(ensemble.done, count, slab):
            last = min(first + slab, count)
            run = order.members(first, last, _shifted(progress, first, count))
            if pending is not None:
                pending.result()
            pending = pool.submit(add_members, ensemble, run)
            del run
        if pending is not None:
            pending.result()


@contextmanager
def _writer() -> Iterator[ThreadPoolExecutor]:
    """One thread that stores; whatever breaks off the work, what it has in hand is stored first."""
    with ThreadPoolExecutor(1, thread_name_prefix="store") as pool:
        yield pool


def _shifted(progress: Progress | None, first: int, count: int) -> Progress | None:
    """Progress of a slab as progress of the whole."""
    return None if progress is None else lambda done, _: progress(first + done, count)
