"""Running machine code on blocks of members: threads take ranges of members, each with its own workspace."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import Integrator
from ..program import Arguments, Program, host
from ..resources import available_threads
from ..workers import Workers, run_tasks
from .inputs import Inputs, Points
from .timing import Timing

_BATCH = 1024
"""Members that a thread takes at a time: enough to hide the cost of scheduling, few enough to show progress."""

_PART_BYTES = 2**24
"""The most bytes of results that another process sends back at a time."""
_PARTS = 16
"""The least number of parts into which many members are split for other processes, so that all of them are busy to the end."""

_CODE = 16384
"""About the number of bytes that the compiler takes for a cell that is written out, or for a loop over cells."""

Progress = Callable[[int, int], None]
"""Called with the number of members that are done, and of all members."""


@dataclass(frozen=True, slots=True)
class State:
    """All that one member knows at a step, after what is computed there: its workspace, shape (rows,), and the inputs of fixed
    delays, shape (step, delays).

    `before` are the values that it saved last before this step, shape (saved rows,), if they are known.
    """

    step: int
    workspace: NDArray[np.float64]
    history: NDArray[np.float64]
    before: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What to compute and what to save: `rows` of the workspace at every saved time.

    With a `state`, every member goes on from it, at the first step of `timing`. `lagged` marks the rows whose value at the saved time before is saved instead. `tolerances` are the absolute and relative
    error that an integrator with automatic steps allows.
    """

    program: Program
    timing: Timing
    rows: NDArray[np.int64]
    integrator: Integrator
    given: NDArray[np.float64]
    varied_rows: NDArray[np.int64]
    lagged: NDArray[np.bool_] | None = None
    tolerances: tuple[float, float] = (0.001, 0.001)
    state: State | None = None

    @property
    def order(self) -> int:
        """The order of the integrator."""
        return {"euler": 1, "diff": 1, "rk2": 2, "rk4": 4}[self.integrator.removesuffix("-auto")]

    @property
    def adaptive(self) -> bool:
        """Whether the integrator chooses its steps."""
        return self.integrator.endswith("-auto")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The saved values, shape (saved times, rows, members), and for each member the step at which its stocks stop being finite.

    `broken` is -1 for a member that stays finite. `inexact` is the step after which a member first misses the tolerances of an
    integrator with automatic steps, or -1. `state` is that at the last step, if it is kept.
    """

    values: NDArray[np.float64]
    broken: NDArray[np.int64]
    inexact: NDArray[np.int64]
    state: State | None = None


def padded(count: int) -> int:
    """The number of members that the code computes for `count` members: one, or else whole vector registers."""
    return 1 if count == 1 else -(-count // host().width) * host().width


def bytes_needed(job: Job, count: int, threads: int | None) -> dict[str, int]:
    """The peak memory of the parts of a job, results included, by what makes each of them smaller.

    A result is looked through for values that are not finite, which takes an eighth of it.
    """
    members, steps, lines, layout = padded(count), job.timing.steps, job.timing.lines, job.program.layout
    width, batch = (1, 1) if count == 1 else (host().width, min(_BATCH, members))
    batches = -(-members // _BATCH)
    threads = min(threads or available_threads(), batches) if batches > 1 else 1
    return {
        "save fewer variables, make SAVEPER longer, or run fewer members at a time": 9
        * members
        * (lines * len(job.rows) + 2),
        "make TIME STEP longer or FINAL TIME earlier": 16 * (steps + 1) + 8 * lines,
        "use a longer TIME STEP or fewer DELAY FIXED and other discrete delays": 8
        * threads
        * width
        * (steps + 1)
        * len(layout.columns),
        "use fewer subscripts or threads": 8 * threads * (width * layout.rows + 3 * batch * len(job.varied_rows))
        + _CODE * layout.parts,
    }


def execute(
    job: Job,
    inputs: Inputs | Points,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    keep: bool = False,
    executor: Workers | None = None,
) -> Outcome:
    """Compute every member; the numbers do not depend on how the work is split. `keep` the state of at most a block of equal ones.

    With an `executor`, other processes compute several members.
    """
    count = inputs.count
    if executor is not None and count > 1 and not keep:
        return _execute_elsewhere(job, inputs, executor, threads, progress or (lambda _, __: None))
    width = 1 if count == 1 else host().width
    steps = job.timing.steps * job.order * padded(count) // width
    code = job.program.code(width, adaptive=job.adaptive, steps=steps, saved=None if keep else job.rows)
    values = _aligned((job.timing.lines, len(job.rows), padded(count)))
    broken, inexact = np.empty(padded(count)), np.empty(padded(count))
    moments, state, layout = job.timing.moments, job.state, job.program.layout
    lengths = job.timing.schedule.lengths if job.timing.schedule else np.empty(0)
    known = np.repeat(state.workspace, width) if state else np.empty(0)
    kept: list[State] = []

    def compute(first: int) -> int:
        last = min(first + _BATCH, count)
        blocks = -(-(last - first) // width)
        columns = np.empty((0, blocks * width))
        if len(job.varied_rows):  # the last member is repeated to fill the last register
            own = inputs.columns(first, last)
            filling = np.repeat(own[:, -1:], blocks * width - (last - first), axis=1)
            columns = np.ascontiguousarray(np.concatenate([own, filling], axis=1))
        workspace = _aligned((layout.rows * width,))
        history = np.empty((job.timing.steps + 1, len(layout.columns), width))
        if state:
            history[: state.step] = state.history[..., np.newaxis]
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
            lengths=_address(lengths),
            order=job.order,
            adaptive=job.adaptive,
            absolute=job.tolerances[0],
            relative=job.tolerances[1],
            first=0,
            last=blocks,
            history=_address(history),
            state=_address(known),
            first_step=job.timing.first,
            first_line=job.timing.first_line,
            broken=_address(broken) + 8 * first,
            inexact=_address(inexact) + 8 * first,
        )
        code.run(arguments)
        if keep:
            step = job.timing.steps
            kept.append(State(step, workspace[: layout.rows * width : width].copy(), history[:step, :, 0].copy()))
        return last - first

    _in_batches(compute, count, threads, progress or (lambda _, __: None))
    if job.lagged is not None and len(values):
        for line in range(len(values) - 1, 0, -1):
            values[line, job.lagged] = values[line - 1, job.lagged]
        if state and state.before is not None:
            values[0, job.lagged] = state.before[job.lagged, np.newaxis]
    unfinished = broken[:count].astype(np.int64), inexact[:count].astype(np.int64)
    return Outcome(values[..., :count], *unfinished, kept[0] if keep else None)


def _execute_elsewhere(
    job: Job, inputs: Inputs | Points, executor: Workers, threads: int | None, report: Progress
) -> Outcome:
    """Compute members in other processes, which send back what they save."""
    count = inputs.count
    size = _BATCH * max(
        1, min(_PART_BYTES // (8 * _BATCH * max(1, job.timing.lines * len(job.rows))), -(-count // _BATCH) // _PARTS)
    )
    values = np.empty((job.timing.lines, len(job.rows), count))
    broken, inexact = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    tasks = (
        (job, inputs.columns(first, min(first + size, count)), first, threads or 1) for first in range(0, count, size)
    )
    done = 0
    for first, part in run_tasks(executor, _execute_part, tasks):
        place = slice(first, first + part.broken.size)
        values[..., place], broken[place], inexact[place] = part.values, part.broken, part.inexact
        done += part.broken.size
        report(done, count)
    return Outcome(values, broken, inexact)


def _execute_part(job: Job, columns: NDArray[np.float64], first: int, threads: int) -> tuple[int, Outcome]:
    """Compute some of several members; a single one is computed twice, since the code for one member rounds differently."""
    count = columns.shape[1]
    found = execute(job, Points(np.repeat(columns, 2, axis=1) if count == 1 else columns), threads=threads)
    return first, Outcome(found.values[..., :count], found.broken[:count], found.inexact[:count])


def _in_batches(compute: Callable[[int], int], count: int, threads: int | None, report: Progress) -> None:
    """Compute the members from 0, 1,024, ... on, in threads; `compute` returns the number of them."""
    if count <= _BATCH:
        report(compute(0), count)
        return
    done, batches = 0, range(0, count, _BATCH)
    with ThreadPoolExecutor(min(threads or available_threads(), len(batches))) as pool:
        try:
            for future in as_completed([pool.submit(compute, first) for first in batches]):
                done += future.result()
                report(done, count)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _aligned(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A new array that begins where a cache line does, so that no vector register is stored in two of them."""
    size = prod(shape)
    whole = np.empty(size + 8)
    begin = -_address(whole) % 64 // 8
    return whole[begin : begin + size].reshape(shape)


def _address(array: NDArray[Any]) -> int:
    """The memory address of a contiguous array; 0 for an empty one.

    Several times as fast as `array.ctypes`, which matters where a whole run takes some microseconds.
    """
    return ctypes.addressof(ctypes.c_char.from_buffer(array.data)) if array.size else 0
