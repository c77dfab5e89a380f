"""Ensembles of any size in bounded memory: one slab of members is simulated while the slab before is stored.

With an executor, other processes simulate and store the slabs, in any order; this one records what is stored.
"""

from __future__ import annotations

import math
import os
import pickle
import time
import warnings
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from ..dataset import DIGEST, MEMBER, NOISE_ALONE
from ..errors import EnsembleError, reports_memory
from ..files import Location
from ..model import RUN_SETTINGS, Integrator, Model, cell_name, key, plan, takes_model
from ..scenario import Design, range_violation, with_tables
from ..simulation import (
    RANDOM_NUMBERS,
    RUN_SEED,
    NotFiniteWarning,
    Progress,
    RunWarning,
    ScenarioLike,
    memory_bytes,
    simulate,
    under_scenario,
)
from ..store import (
    Block,
    Ensemble,
    add_members,
    checked_path,
    create_ensemble,
    ensemble_record,
    exists,
    is_ensemble,
    members_per_block,
    open_for_append,
    open_for_writing,
    record_blocks,
    write_members,
)
from ..workers import Workers, run_tasks

_SLAB_BYTES = 2**27
_SLABS_ALONE, _SLABS = 8, 32
"""The least number of slabs: in this process, which loses one if it is interrupted, and for others, so that all are busy to the end."""
_SLABS_IN_MEMORY = 4
"""The number of slabs that fit into the memory limit: one is simulated while another is stored."""
_RECORDS_APART = 0.25
"""Seconds between records of what other processes have stored; a cluster stores faster than an address takes records."""
_FIXED: Mapping[str, str] = {
    "model_sha256": "the model",
    "scenario": "the scenario",
    "changes": "the changes",
    DIGEST: "the design",
    "members_wanted": "the number of members",
    "integrator": "the integrator",
    RUN_SEED: "the seed of the random numbers",
    "time_step": "TIME STEP",
    "saveper": "SAVEPER",
    "variable_order": "the list of saved variables",
}
"""The attributes that must not change when an ensemble is resumed, and what a user calls them."""


@dataclass(frozen=True)
class _RunRequest:
    """Everything that is needed to simulate members.

    `outside` collects the constants that leave their ranges, `inexact` the integrator that missed its tolerances, if any.
    """

    model: Model
    design: Design
    options: Mapping[str, Any]
    outside: set[str] = field(default_factory=set)
    inexact: set[str] = field(default_factory=set)

    def simulate(self, first: int, last: int, progress: Progress | None = None) -> xr.Dataset:
        """Simulate some members; a single one is simulated twice, since the code for one member rounds differently."""
        constants = self.design.constants(first, last)
        for cell, name in zip(self.design.cells, self.design.names, strict=True):
            if name in constants:  # but for the points of time courses
                ends = (float(constants[name].values.min()), float(constants[name].values.max()))
                self.outside.update([name] if range_violation(self.model.elements[cell.key], *ends) else [])
        for course in self.design.courses:
            values = constants[course.name].values
            if range_violation(self.model[course.change.name], float(values.min()), float(values.max())):
                self.outside.add(course.name)
        alone = last - first == 1
        if alone:
            constants = {name: _twice(values) for name, values in constants.items()}
        members = np.arange(first, first + 2 if alone else last) if self.model.draws else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotFiniteWarning)
            warnings.simplefilter("ignore", RunWarning)
            report = None if progress is None else lambda done, _: progress(first + done, self.design.count)
            run = simulate(self.model, constants, members=members, progress=report, **self.options)
        self.inexact.update([str(run.attrs["integrator"])] if run.attrs.pop("inexact", None) else [])
        return run.isel({MEMBER: [0]}) if alone else run


def _twice(values: xr.DataArray) -> xr.DataArray:
    """The constants of one member, and again as those of the next."""
    first = values[MEMBER].values[0]
    return values.isel({MEMBER: [0, 0]}).assign_coords({MEMBER: [first, first + 1]})


@takes_model
@reports_memory
def run_ensemble(
    model: Model,
    design: Design,
    path: str | os.PathLike[str],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
    seed: int | None = None,
    save: Iterable[str] | None = None,
    memory: str | float = "1GiB",
    threads: int | None = None,
    executor: Workers | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    force: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> Location:
    r"""Simulate all members of a design and store them in a Zarr folder.

    The numbers depend neither on `memory`, `threads` or `executor`, nor on interruptions.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    design : Design
        The constants of the members, as `make_design` returns them.
    path : path
        The folder to write, usually with the ending `.zarr`; or an address such as "s3://bucket/a.zarr", which fsspec writes.
        Two processes must not write to one address at the same time, which nothing there prevents.
    scenario : Scenario, path or sequence of them, optional
        Changes to the constants that the design leaves alone, and to lookups.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        Integration method; the model's own by default.
    seed : int, optional
        Seed of random functions, as for `simulate`; every member has random numbers of its own.
    save : iterable of str, optional
        Names of the variables to save, besides the sampled constants; all by default.
    memory : str or float, default "1GiB"
        The most memory that the process may need in addition, such as "500MB" or a number of bytes; with an executor, each of
        its processes.
    threads : int, optional
        Number of threads; all processors by default, and one in each process of an executor.
    executor : concurrent.futures.Executor or dask client, optional
        Other processes, here or on other machines, that simulate the members and store them; `path` must mean the same folder
        to all of them. `WorkerProcesses` makes some on this machine. Members whose process dies are simulated again; an executor
        that does not replace such a process ends with an error, and `resume` continues.
    progress : callable, optional
        Called with the number of finished members and the number of all members.
    resume : bool, default False
        Continue an unfinished ensemble; does nothing if it is complete.
    force : bool, default False
        Replace an existing ensemble, once the first block of members of the new one is stored.
    attributes : mapping, optional
        Further attributes of the ensemble.

    Returns
    -------
    pathlib.Path
        The folder, which `open_run` opens.

    Raises
    ------
    EnsembleError
        If a block of members does not fit into `memory`, or the stored ensemble was begun with other settings.
    StoreError
        If the folder exists and neither `resume` nor `force` is given, or the disk is full; stored blocks stay.

    Examples
    --------
    >>> import tempfile
    >>> import sdmodel as sd
    >>> from sdmodel.scenario import Distribution, Sampling, Variation
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate * stock, 100)\nrate = 0.1", final=2)
    >>> rate = Variation("rate", (), Distribution("RANDOM_UNIFORM", (0.0, 0.2)))
    >>> design = sd.make_design(model, Sampling("multivariate", variations=(rate,)), count=50)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sd.open_run(sd.run_ensemble(model, design, f"{folder}/growth.zarr"))
    ...     run["stock"].dims, run.sizes["member"]
    (('time', 'member'), 50)
    """
    target = checked_path(path)
    model, changes = under_scenario(model, scenario)
    identifiers = design.model(model).identifiers
    sampled = list(dict.fromkeys(identifiers[cell.key] for cell in design.cells))
    kept = dict.fromkeys(identifiers[cell.key] for cell in design.cells if cell.key in model.elements)
    names = None if save is None else [*([save] if isinstance(save, str) else save), *kept]  # points are always saved
    options = {"scenario": changes, "integrator": integrator, "save": names, "threads": threads, "seed": seed}
    request = _RunRequest(model, design, options)
    moving = next((name for name in RUN_SETTINGS if key(name) in plan(model).moving), "")
    if moving:
        message = f"{moving} changes during the run, so that members may end at different times; make it a constant"
        raise EnsembleError(message)
    template = request.simulate(0, min(2, design.count))
    template.attrs = _attributes(template, model, design) | dict(attributes or {})
    slab = _slab_members(
        template, design.count, memory_bytes(memory), least=_SLABS_ALONE if executor is None else _SLABS
    )
    # with the lookups in the model, it is compiled only once for all slabs
    rest = replace(changes, changes=tuple(change for change in changes.changes if change.table is None))
    request = replace(request, model=with_tables(model, changes), options=options | {"scenario": rest})
    if not (resume and is_ensemble(target)):
        equal = [name for name in sampled if name in template and MEMBER not in template[name].dims]
        spread = {name: template[name].expand_dims({MEMBER: template.sizes[MEMBER]}, -1) for name in equal}
        # an old ensemble is only replaced by one that can be resumed
        first = request.simulate(0, min(slab, design.count), progress) if force and exists(target) else None
        create_ensemble(template.assign(spread), target, count=design.count, force=force, first=first)
        del first
    with open_for_append(target) as ensemble:
        _check_same(template, design.count, target)  # of a new one too: another process may have taken its name
        if executor is None:
            _stream(request, ensemble, slab, progress)
        else:
            _share(request, ensemble, slab, executor, progress)
    outside = ", ".join(f"'{name}'" for name in sorted(request.outside))
    remark = f"some members have values outside the range of {outside}" if outside else ""
    inexact = [f"some members do not meet the tolerances of {name}; make TIME STEP smaller" for name in request.inexact]
    own = (str(template.attrs.get(name, "")) for name in ("remarks", RANDOM_NUMBERS))
    for text in (*own, remark, *inexact):
        if text:
            warnings.warn(text, RunWarning, stacklevel=2)
    return target


def design_record(design: Design) -> dict[str, Any]:
    """Return the attributes that describe the design of a run's members."""
    method = design.method if design.cells else NOISE_ALONE
    return {"design": design.text, DIGEST: design.digest, "design_method": method, "seed": design.seed}


def _attributes(template: xr.Dataset, model: Model, design: Design) -> dict[str, Any]:
    """The attributes of the ensemble: those of a few members, with the design, without what holds for these few alone."""
    names = (*(cell_name(model, cell) for cell in design.cells), *(course.name for course in design.courses))
    sampled = ("member ", *(f"'{name}' is set to " for name in names))
    remarks = [line for line in str(template.attrs.get("remarks", "")).splitlines() if not line.startswith(sampled)]
    own = {name: value for name, value in template.attrs.items() if name not in ("not_finite", "remarks")}
    changes = [line for line in str(own["changes"]).splitlines() if not line.endswith(f" = over {MEMBER}")]
    own["changes"] = "\n".join(changes)  # the design describes the sampled constants
    return own | design_record(design) | ({"remarks": "\n".join(remarks)} if remarks else {})


def _slab_members(template: xr.Dataset, count: int, memory: int, *, least: int) -> int:
    """The number of members to simulate at a time: whole blocks, as many as the memory holds several times over.

    There are `least` slabs or more, as far as there are blocks.
    """
    block = members_per_block(template, count)
    size = template.nbytes // template.sizes[MEMBER]
    if block * size * _SLABS_IN_MEMORY > memory:
        needed = math.ceil(block * size * _SLABS_IN_MEMORY / 2**20)
        message = f"memory: {memory / 2**20:,.3g} MiB cannot hold {block} members; allow {needed:,}MiB or save less"
        raise EnsembleError(message)
    fitting = min(memory // _SLABS_IN_MEMORY, _SLAB_BYTES) // (block * size)
    return block * max(1, min(fitting, count // (block * least)))


def _check_same(template: xr.Dataset, count: int, path: Location) -> None:
    """Check that the stored ensemble was begun with the same settings."""
    stored = ensemble_record(path)[0]
    current = template.attrs | {"members_wanted": count, "variable_order": "\n".join(map(str, template.data_vars))}
    differ = [text for name, text in _FIXED.items() if stored.get(name, "") != current.get(name, "")]
    if differ:
        verb = "differs" if len(differ) == 1 else "differ"
        message = (
            f"{path}: cannot be resumed, {' and '.join(differ)} {verb} from those it was begun with; "
            "give the same again, choose another name, or start over with --force"
        )
        raise EnsembleError(message)


def _stream(request: _RunRequest, ensemble: Ensemble, slab: int, progress: Progress | None) -> None:
    """Simulate the members that are not stored yet, one slab while the slab before is written."""
    with ThreadPoolExecutor(1, thread_name_prefix="store") as pool:  # on an error it finishes the block being written
        pending: Future[None] | None = None
        for first, last in _slabs(ensemble, slab):
            run = request.simulate(first, last, progress)
            if pending is not None:
                pending.result()
            pending = pool.submit(add_members, ensemble, run, first)
            del run
        if pending is not None:
            pending.result()


def _slabs(ensemble: Ensemble, slab: int) -> list[tuple[int, int]]:
    """The members that are not stored yet, slab by slab."""
    return [
        (first, min(first + slab, last)) for start, last in ensemble.missing() for first in range(start, last, slab)
    ]


@dataclass(frozen=True)
class _Report:
    """What another process says about the members that it has stored."""

    blocks: list[Block]
    outside: set[str]
    inexact: set[str]


def _share(request: _RunRequest, ensemble: Ensemble, slab: int, executor: Workers, progress: Progress | None) -> None:
    """Have other processes simulate and store the members that are not stored yet, and record what they have stored."""
    options = dict(request.options) | {"threads": request.options["threads"] or 1}
    rest = replace(request, design=request.design.part(0, 0), options=options, outside=set(), inexact=set())
    text = zlib.compress(pickle.dumps(rest), 1)
    whole = request.design.part(0, 0) is request.design
    done = ensemble.done
    tasks = (
        (text, ensemble.path, ensemble.fingerprint, first, last, None if whole else request.design.part(first, last))
        for first, last in _slabs(ensemble, slab)
    )
    written: list[Block] = []
    recorded = time.monotonic()
    try:
        for report in run_tasks(executor, _store_slab, tasks):
            written += report.blocks
            if time.monotonic() - recorded > _RECORDS_APART:
                record_blocks(ensemble, written)
                written, recorded = [], time.monotonic()
            request.outside.update(report.outside)
            request.inexact.update(report.inexact)
            done += sum(block.last - block.first for block in report.blocks)
            if progress:
                progress(done, ensemble.count)
    finally:
        record_blocks(ensemble, written)


def _store_slab(text: bytes, path: Location, fingerprint: str, first: int, last: int, design: Design | None) -> _Report:
    """Simulate and store some members in another process."""
    request = _request(text)
    request = replace(request, design=design or request.design, outside=set(), inexact=set())
    ensemble = open_for_writing(path, fingerprint)
    blocks = write_members(ensemble, request.simulate(first, last), first)
    return _Report(blocks, request.outside, request.inexact)


@lru_cache(maxsize=2)
def _request(text: bytes) -> _RunRequest:
    """The request that a process gets again for every slab."""
    request: _RunRequest = pickle.loads(zlib.decompress(text))  # noqa: S301 - made by the process that shares the work
    return request
