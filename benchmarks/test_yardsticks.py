"""Numbers of a run against plain C programs of the same models (`yardsticks.py`), in turn in one process, by processor time."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_arrays import SIZES, epidemic
from yardsticks import compile_c, compiler, large_model_in_c

import sdmodel as sd
from sdmodel.program import Program, compile_program
from sdmodel.simulation.execution import Job, execute
from sdmodel.simulation.inputs import Inputs
from sdmodel.simulation.jobs import make_job
from sdmodel.simulation.timing import timing_of

pytestmark = [
    pytest.mark.benchmark(group="yardsticks in C"),
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler"),
]

_SECONDS = 2.0
"""How long both run in turn."""


def _job(program: Program, rows: list[int]) -> Job:
    timing = timing_of(program.layout.plan, {}, {})
    program.code(1)  # optimised
    return make_job(program, timing, Inputs(), rows, "euler")


def _compare(benchmark, job: Job, theirs: Callable[[], None], saved: np.ndarray) -> None:
    """Time both in turn, and record the quickest of each; their outputs must be equal."""
    quickest = dict.fromkeys(("ours", "c"), float("inf"))
    outcome = execute(job, Inputs())
    theirs()
    ours = outcome.values[..., 0]
    assert (np.abs(ours - saved).max(axis=0) <= 1e-9 * np.abs(ours).max(axis=0)).all()
    end = time.thread_time() + _SECONDS
    while time.thread_time() < end:
        for name, run in (("ours", lambda: execute(job, Inputs())), ("c", theirs)):
            began = time.thread_time()
            run()
            quickest[name] = min(quickest[name], time.thread_time() - began)
    benchmark.extra_info |= quickest
    benchmark.pedantic(execute, (job, Inputs()), rounds=5)


@pytest.mark.parametrize("variables", ["one variable", "all variables"])
def test_large_model(benchmark, path: Path, tmp_path: Path, variables: str):
    model = sd.read_model(path)
    program = compile_program(model)
    plan, row = program.layout.plan, program.layout.row
    moving = [own.cell for own in (*plan.stocks, *plan.step)]
    cells = moving if variables == "all variables" else list(program.grid(model["Level 7"]).cells)
    job = _job(program, [row[cell] for cell in cells])
    saved, moments = np.empty((job.timing.steps + 1, len(cells))), job.timing.moments
    run = large_model_in_c(plan, cells, tmp_path)
    run.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_double, ctypes.c_void_p]
    arguments = moments.ctypes.data, job.timing.steps, job.timing.time_step, saved.ctypes.data
    _compare(benchmark, job, lambda: run(*arguments), saved)


@pytest.mark.parametrize(("regions", "ages"), SIZES)
def test_epidemic(benchmark, tmp_path: Path, regions: int, ages: int):
    source = tmp_path / "epidemic.c"
    source.write_text(Path(__file__).with_name("epidemic.c").read_text("utf-8"), "utf-8")
    model = epidemic(regions, ages)
    program = compile_program(model)
    job = _job(program, list(program.grid(model["all infected"]).rows))
    saved = np.empty((job.timing.steps + 1, 1))
    run = compile_c(source, f"REGIONS={regions}", f"AGES={ages}")
    run.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_int, ctypes.c_void_p]
    arguments = 0.05, job.timing.time_step, job.timing.steps, saved.ctypes.data
    _compare(benchmark, job, lambda: run(*arguments), saved)
