"""A model with its run as one WebAssembly module, for a browser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import __version__
from ..errors import Fault, ScenarioError, reports_memory
from ..model import NOISE_SEED, Cell, Integrator, Model, cell_name, split_name, takes_model
from ..program import EXPORTS, MEMBER_CELL, SEED_CELL, STATUS, EmbeddedRun, compile_program, emit_module
from ..scenario import constant_cells, constant_values, with_tables
from ..vensim import ScenarioLike, under_scenario
from .inputs import read_inputs
from .jobs import (
    check_options,
    deciding_cells,
    make_job,
    noise_remark,
    remarks_on_settings,
    saved_elements,
    with_orders,
)
from .timing import timing_of

FORMAT = 1
"""The version of the description."""
_WHERE = "inputs"
_OF_NOISE = {"noise_seed": Cell(NOISE_SEED), "seed": SEED_CELL, "member": MEMBER_CELL}


@dataclass(frozen=True, slots=True)
class WasmModule:
    """A model as a WebAssembly module: its bytes, and a description of its memory that can be written as JSON.

    See `compile_wasm` for what the description holds.
    """

    code: bytes
    description: dict[str, Any]


@takes_model
@reports_memory
def compile_wasm(
    model: Model,
    *,
    save: Iterable[str] | None = None,
    inputs: Iterable[str] | None = None,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
) -> WasmModule:
    r"""Compile a model to a WebAssembly module, which runs in a browser and computes the numbers of `simulate`.

    The module imports nothing but functions of JavaScript's `Math`, so that
    `await WebAssembly.instantiate(code, {Math})` loads it. It exports its `memory`, which never grows, and two functions.
    `run()` computes one member from the inputs in memory and puts the series of each output into memory; it returns 0, or 1
    if a stock or a saved value is not finite. `find_fault()` then returns the index in `cells` of the variable that fails
    first, or -1.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    save : iterable of str, optional
        Names of the variables to save; all but constants by default.
    inputs : iterable of str, optional
        Names of the constants to describe as inputs (`name` or `name[label]`); by default all that can be changed. Constants
        that decide the times of a run, its tolerances or the order of a delay are part of the code.
    scenario : Scenario, path or sequence of them, optional
        Changes to constants and lookups, as records or `.cin` files; the last one wins.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        Integration method; the model's own by default.

    Returns
    -------
    WasmModule
        `code`, the bytes of the module, and `description`, a dictionary:

        - `format`, the version of this description, and `version`, that of sdmodel;
        - `integrator`; `imports` and `exports`; `memory`, in bytes;
        - `time`: `units`, `initial`, `final`, `step` and the `saved` times;
        - `inputs`: the `cell` as messages name it, its `name`, `labels` and `units`, its `offset` in memory in bytes, and its
          `value`, a 64-bit float in these units;
        - `outputs`: the same without `value`; at `offset` stands one 64-bit float per saved time, NaN where it is missing;
        - `random`: offsets of the numbers that random functions depend on: `noise_seed` for the stream 0, `seed` for other
          streams, and the number of the `member`; empty for a model without random functions;
        - `status`: offsets of the step at which a stock first fails (`broken`) and of the first step that misses the
          tolerances (`inexact`), each -1 for none, and of the time of what `find_fault` finds (`fault_time`);
        - `cells`: the names for `find_fault`; `remarks`: what `simulate` warns of that does not depend on the inputs.

    Raises
    ------
    ScenarioError
        If `inputs` names something that is not a constant of the model, or that the code fixes.
    SimulationError
        If the time settings are wrong, FINAL TIME changes during the run, `save` names no variable of the model, or the
        module needs more memory or code than a page should have.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> module = sd.compile_wasm(tiny_model("stock = INTEG(rate * stock, 100)\nrate = 0.1", final=2), save=["stock"])
    >>> module.code[:4], module.description["imports"]
    (b'\x00asm', {'Math': []})
    >>> [(record["cell"], record["value"]) for record in module.description["inputs"]]
    [('rate', 0.1)]
    """
    check_options(integrator)
    model, changes = under_scenario(model, scenario)
    model = with_tables(model, changes)
    given = read_inputs(model, constant_values(model, changes), None)
    compiled, remarks = with_orders(model, given)
    program = compile_program(compiled)
    layout = program.layout
    timing = timing_of(layout.plan, given.fixed, {})
    elements = [element for element in saved_elements(model, save) if save is not None or element.kind != "constant"]
    cells = [cell for element in elements for cell in program.grid(element).cells if cell in layout.row]
    job = make_job(program, timing, given, [program.row(cell) for cell in cells], integrator or model.integrator)
    lagged = np.zeros(len(cells), dtype=bool) if job.lagged is None else job.lagged
    late = np.argsort(lagged, kind="stable")  # the lagged cells come last
    run = EmbeddedRun(
        given=job.given,
        rows=job.rows[late].tolist(),
        lagged=len(cells) - int(lagged.sum()),
        lines=timing.lines,
        steps=timing.steps,
        every=timing.every,
        time_step=timing.time_step,
        clock=timing.clock,
        order=job.order,
        adaptive=job.adaptive,
        tolerances=job.tolerances,
    )
    chosen = _chosen(model, inputs, deciding_cells(model, given.fixed))
    wasm = emit_module(program, run)
    place = {cell: wasm.given + 8 * index for index, cell in enumerate(layout.inputs)}
    series = {cells[own]: wasm.outputs + 8 * timing.lines * index for index, own in enumerate(late.tolist())}
    value = dict(zip(layout.inputs, job.given.tolist(), strict=True))
    times = timing.saved.tolist()
    description = {
        "format": FORMAT,
        "version": __version__,
        "integrator": job.integrator,
        "imports": {"Math": list(wasm.imports)},
        "exports": {name: name for name in ("memory", *EXPORTS)},
        "memory": wasm.memory,
        "time": {
            "units": model.time_units,
            "initial": timing.initial,
            "final": times[-1],
            "step": timing.time_step,
            "saved": times,
        },
        "inputs": [
            _record(model, cell) | {"offset": place[cell], "value": value[cell]} for cell in chosen if cell in place
        ],
        "random": {name: place[cell] for name, cell in _OF_NOISE.items() if cell in place},
        "outputs": [_record(model, cell) | {"offset": series[cell]} for cell in cells],
        "remarks": [
            *remarks_on_settings(model, timing, integrator),
            *remarks,
            *filter(None, [noise_remark(job, given)]),
        ],
        "status": {name: wasm.status + 8 * index for index, name in enumerate(STATUS)},
        "cells": [cell_name(layout.plan.model, cell) for cell in layout.computed],
    }
    return WasmModule(wasm.code, description)


def _record(model: Model, cell: Cell) -> dict[str, Any]:
    """How people know a cell."""
    element = model.elements[cell.key]
    labels = [model.labels.get(label, label) for label in cell.labels]
    return {"cell": cell_name(model, cell), "name": element.name, "labels": labels, "units": element.units}


def _chosen(model: Model, names: Iterable[str] | None, fixed: set[Cell]) -> list[Cell]:
    """The cells of the constants to describe as inputs."""
    if names is None:
        free = [element for element in model if element.kind == "constant" and not element.fixed and not element.hidden]
        return [cell for element in free for cell in constant_cells(model, element.name) if cell not in fixed]
    found: dict[Cell, None] = {}
    faults: list[Fault] = []
    for text in [names] if isinstance(names, str) else map(str, names):
        name, subscripts = split_name(text, model.elements)
        try:
            cells = constant_cells(model, name, subscripts, where=_WHERE)
        except ScenarioError as error:
            faults += error.faults
            continue
        found |= dict.fromkeys(cells)
        held = next((cell for cell in cells if cell in fixed), None)
        if held is not None:
            what = f"'{cell_name(model, held)}' decides the times of a run, its tolerances or the order of a delay"
            faults.append(Fault(_WHERE, f"{what}, which the code fixes; leave it out"))
    if faults:
        raise ScenarioError(faults)
    return list(found)
