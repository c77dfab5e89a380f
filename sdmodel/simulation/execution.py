"""Blocks of members through machine code: threads over ranges of blocks, each with a workspace of its own."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Program, host
from .inputs import Inputs
from .timing import Timing

_ALIGNMENT = 64
_PIECE = 1024
"""So many members are handed to a thread at once: enough to forget the cost of handing over, few enough to tell progress."""

Progress = Callable[[int, int], None]
"""Told how many members are done, of how many."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to compute and what to keep: `rows` of the workspace at every saved time."""

    program: Program
    timing: Timing
    rows: NDArray[np.int64]
    runge_kutta: bool
    given: NDArray[np.float64]
    varied_rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`values` has shape (saved times, rows, members); `broken` the step at which a member's stocks cease to be finite.

    `broken` is -1 for a member that stays finite.
    """

    values: NDArray[np.float64]
    broken: NDArray[np.int64]


def padded(count: int) -> int:
    """How many members the code computes to get that many: one alone, else whole registers."""
    return 1 if count == 1 else -(-count // host().width) * host().width


def bytes_needed(job: Job, count: int, threads: int) -> int:
    """The memory that a job takes at its height, results included."""
    lines = job.timing.lines
    result = 8 * lines * len(job.rows) * padded(count) + 16 * job.timing.steps
    width = host().width if count > 1 else 1
    layout = job.program.layout
    workspace = 8 * width * (layout.rows + (job.timing.steps + 1) * len(layout.delay_input))
    inputs = 8 * min(_PIECE, padded(count)) * len(job.varied_rows)
    return result + threads * (workspace + inputs) + 8 * padded(count)


def execute(job: Job, inputs: Inputs, *, threads: int | None = None, progress: Progress | None = None) -> Outcome:
    """Computes every member; the numbers do not depend on how the work is split."""
    count = inputs.count
    values = np.empty((job.timing.lines, len(job.rows), padded(count)))
    broken = np.empty(padded(count))
    moments = job.timing.moments
    pieces = [(first, min(first + _PIECE, count)) for first in range(0, count, _PIECE)]
    job.program.code(1 if count == 1 else host().width)

    def compute(piece: tuple[int, int]) -> int:
        _compute(job, inputs, piece, moments, values, broken)
        return piece[1] - piece[0]

    if len(pieces) == 1:
        done = compute(pieces[0])
        if progress:
            progress(done, count)
    else:
        _share(compute, pieces, min(threads or available_threads(), len(pieces)), count, progress)
    return Outcome(values[..., :count], broken[:count].astype(np.int64))


def available_threads() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(
    compute: Callable[[tuple[int, int]], int],
    pieces: Sequence[tuple[int, int]],
    threads: int,
    count: int,
    progress: Progress | None,
) -> None:
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for future in as_completed([pool.submit(compute, piece) for piece in pieces]):
                done += future.result()
                if progress:
                    progress(done, count)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _compute(
    job: Job,
    inputs: Inputs,
    piece: tuple[int, int],
    moments: NDArray[np.float64],
    values: NDArray[np.float64],
    broken: NDArray[np.float64],
) -> None:
    first, last = piece
    width = 1 if inputs.count == 1 else host().width
    blocks = -(-(last - first) // width)
    columns = _columns(inputs, first, last, blocks * width)
    layout = job.program.layout
    workspace = _aligned(layout.rows * width)
    history = np.empty((job.timing.steps + 1) * len(layout.delay_input) * width)
    job.program.code(width).run(
        _address(workspace), _address(job.given), len(job.varied_rows), _address(job.varied_rows), _address(columns),
        columns.shape[1], _address(values) + 8 * first, values.shape[2], len(job.rows), _address(job.rows),
        _address(moments), job.timing.steps, job.timing.every, job.timing.time_step, int(job.runge_kutta), 0, blocks,
        _address(history), _address(broken) + 8 * first,
    )  # fmt: skip


def _address(array: NDArray[Any]) -> int:
    """Where the numbers of a contiguous array begin; 0 for an array without any.

    Several times quicker than `array.ctypes`, which matters where a whole run takes some microseconds.
    """
    return ctypes.addressof(ctypes.c_char.from_buffer(array.data)) if array.size else 0


def _columns(inputs: Inputs, first: int, last: int, size: int) -> NDArray[np.float64]:
    """The varied constants of a piece; the last member fills up the last register."""
    if not inputs.varied:
        return np.empty((0, size))
    columns = inputs.columns(first, last)
    filling = np.repeat(columns[:, -1:], size - (last - first), axis=1)
    return np.ascontiguousarray(np.concatenate([columns, filling], axis=1))


def _aligned(size: int) -> NDArray[np.float64]:
    """Uninitialised memory that begins where a register's load likes it to."""
    memory = np.empty(size + _ALIGNMENT // 8)
    offset = (-_address(memory) % _ALIGNMENT) // 8
    return memory[offset : offset + size]
