"""Running machine code on blocks of members: threads take ranges of members, each with its own workspace."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Arguments, Program, host
from .inputs import Inputs
from .timing import Timing

_ALIGNMENT = 64
_BATCH = 1024
"""Members that a thread takes at a time: enough to hide the cost of scheduling, few enough to show progress."""

Progress = Callable[[int, int], None]
"""Called with the number of members that are done, and of all members."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to compute and what to save: `rows` of the workspace at every saved time."""

    program: Program
    timing: Timing
    rows: NDArray[np.int64]
    runge_kutta: bool
    given: NDArray[np.float64]
    varied_rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The saved values, shape (saved times, rows, members), and for each member the step at which its stocks stop being finite.

    `broken` is -1 for a member that stays finite.
    """

    values: NDArray[np.float64]
    broken: NDArray[np.int64]


def padded(count: int) -> int:
    """The number of members that the code computes for `count` members: one, or else whole vector registers."""
    return 1 if count == 1 else -(-count // host().width) * host().width


def bytes_needed(job: Job, count: int, threads: int) -> int:
    """The peak memory of a job, results included."""
    lines = job.timing.lines
    result = 8 * lines * len(job.rows) * padded(count) + 16 * job.timing.steps
    width = host().width if count > 1 else 1
    layout = job.program.layout
    workspace = 8 * width * (layout.rows + (job.timing.steps + 1) * len(layout.delay_input))
    inputs = 8 * min(_BATCH, padded(count)) * len(job.varied_rows)
    return result + threads * (workspace + inputs) + 8 * padded(count)


def execute(job: Job, inputs: Inputs, *, threads: int | None = None, progress: Progress | None = None) -> Outcome:
    """Compute every member; the numbers do not depend on how the work is split."""
    count = inputs.count
    values = np.empty((job.timing.lines, len(job.rows), padded(count)))
    broken = np.empty(padded(count))
    moments = job.timing.moments
    batches = [(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH)]
    job.program.code(1 if count == 1 else host().width)

    def compute(batch: tuple[int, int]) -> int:
        _compute(job, inputs, batch, moments, values, broken)
        return batch[1] - batch[0]

    if len(batches) == 1:
        done = compute(batches[0])
        if progress:
            progress(done, count)
    else:
        _run_threads(compute, batches, min(threads or available_threads(), len(batches)), count, progress)
    return Outcome(values[..., :count], broken[:count].astype(np.int64))


def available_threads() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_threads(
    compute: Callable[[tuple[int, int]], int],
    batches: Sequence[tuple[int, int]],
    threads: int,
    count: int,
    progress: Progress | None,
) -> None:
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for future in as_completed([pool.submit(compute, batch) for batch in batches]):
                done += future.result()
                if progress:
                    progress(done, count)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _compute(
    job: Job,
    inputs: Inputs,
    batch: tuple[int, int],
    moments: NDArray[np.float64],
    values: NDArray[np.float64],
    broken: NDArray[np.float64],
) -> None:
    first, last = batch
    width = 1 if inputs.count == 1 else host().width
    blocks = -(-(last - first) // width)
    columns = _columns(inputs, first, last, blocks * width)
    layout = job.program.layout
    workspace = _aligned(layout.rows * width)
    history = np.empty((job.timing.steps + 1) * len(layout.delay_input) * width)
    arguments = Arguments(
        workspace=_address(workspace),
        given=_address(job.given),
        varied=len(job.varied_rows),
        varied_rows=_address(job.varied_rows),
        varied_values=_address(columns),
        value_stride=columns.shape[1],
        results=_address(values) + 8 * first,
        result_stride=values.shape[2],
        saved=len(job.rows),
        saved_rows=_address(job.rows),
        times=_address(moments),
        steps=job.timing.steps,
        every=job.timing.every,
        time_step=job.timing.time_step,
        runge_kutta_4=job.runge_kutta,
        first=0,
        last=blocks,
        history=_address(history),
        broken=_address(broken) + 8 * first,
    )
    job.program.code(width).run(arguments)


def _address(array: NDArray[Any]) -> int:
    """The memory address of a contiguous array; 0 for an empty one.

    Several times as fast as `array.ctypes`, which matters where a whole run takes some microseconds.
    """
    return ctypes.addressof(ctypes.c_char.from_buffer(array.data)) if array.size else 0


def _columns(inputs: Inputs, first: int, last: int, size: int) -> NDArray[np.float64]:
    """The varied constants of a batch; the last member is repeated to fill the last register."""
    if not inputs.varied:
        return np.empty((0, size))
    columns = inputs.columns(first, last)
    filling = np.repeat(columns[:, -1:], size - (last - first), axis=1)
    return np.ascontiguousarray(np.concatenate([columns, filling], axis=1))


def _aligned(size: int) -> NDArray[np.float64]:
    """Uninitialised memory, aligned for vector registers."""
    memory = np.empty(size + _ALIGNMENT // 8)
    offset = (-_address(memory) % _ALIGNMENT) // 8
    return memory[offset : offset + size]
