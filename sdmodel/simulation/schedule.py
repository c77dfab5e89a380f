"""The times of a run whose FINAL TIME, TIME STEP or SAVEPER changes while it goes on: runs of these settings alone find them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import SimulationError
from ..model import Cell
from .execution import Job, execute
from .inputs import Inputs
from .timing import FINAL_TIME, SAME_TIME, SAVEPER, TIME_STEP, Schedule, Timing

_MOST_GROWTH = 1_000_000
"""The most steps that a FINAL TIME which changes may add to a run."""


def find_ends(job: Job, inputs: Inputs, check: Callable[[Job], None]) -> tuple[Job, NDArray[np.int64]]:
    """Find the step at which each member reaches a FINAL TIME that changes, and the job up to the last of them.

    A first run computes FINAL TIME at every step, over longer and longer times until every member has reached it.
    """
    rows = np.array([job.program.row(FINAL_TIME)], dtype=np.int64)
    steps = job.timing.steps
    while True:
        timing = replace(job.timing, steps=steps, every=1.0, remark="")
        search = replace(job, timing=timing, rows=rows, lagged=None)
        check(search)
        final = execute(search, inputs).values[:, 0, :]
        reached = timing.moments[2 * timing.first :: 2, np.newaxis] >= final - SAME_TIME * timing.time_step
        if reached.any(axis=0).all():
            break
        going = final[-1, ~reached.any(axis=0)]
        longest = float(going.max())
        if not math.isfinite(longest):
            message = f"FINAL TIME becomes {longest}; it must be a number"
            raise SimulationError(message)
        if steps >= job.timing.steps + _MOST_GROWTH:
            message = f"FINAL TIME is still ahead of Time after {steps:,} steps; make it a number that a run reaches"
            raise SimulationError(message)
        needed = math.ceil((longest - timing.initial) / timing.time_step - SAME_TIME)
        steps = min(max(needed, 2 * steps, steps + 1), job.timing.steps + _MOST_GROWTH)
    ends = reached.argmax(axis=0).astype(np.int64) + job.timing.first
    last = replace(job.timing, steps=int(ends.max()), remark="")
    remark = f"FINAL TIME changes during the run, which ends at {last.moments[-1]:g}"
    if ends.min() != ends.max():
        remark += f"; the first members end at {last.moments[2 * ends.min()]:g}, and have no values after their end"
    unsaved = last.moments[-1] - last.saved[-1] > SAME_TIME * last.time_step
    remark += f"; the last saved time is {last.saved[-1]:g}" if unsaved else ""
    kept = [line for line in job.timing.remark.splitlines() if line.startswith("SAVEPER")]
    return replace(job, timing=replace(last, remark="\n".join([*kept, remark]))), ends


_MOST_ROUNDS = 10_000
"""The most runs that find the lengths of time steps: each run settles the next of them, and all equal ones after it."""


def find_schedule(job: Job, inputs: Inputs, check: Callable[[Job], None]) -> tuple[Job, NDArray[np.int64]]:
    """Find the length of each time step, and the job with all of them, which saves every step; and the steps to save.

    TIME STEP at the beginning of a step is its length, and SAVEPER at a saved time is the time to the next. A run with guessed
    lengths shows whether they are right, and which is the first that is not.
    """
    _check_schedule(job)
    model = job.program.layout.plan.model
    cells = [cell for cell in (TIME_STEP, FINAL_TIME, SAVEPER) if cell.key in model.elements]
    rows = np.array([job.program.row(cell) for cell in cells], dtype=np.int64)
    lengths = np.full(max(job.timing.steps, 1) + 1, job.timing.time_step)
    for _ in range(_MOST_ROUNDS):
        timing = replace(job.timing, steps=len(lengths) - 1, every=1.0, remark="", schedule=_schedule(job, lengths))
        search = replace(job, timing=timing, rows=rows, lagged=None)
        check(search)
        found = execute(search, inputs).values
        settings = dict(zip(cells, found[..., 0].T, strict=True))
        computed = settings[TIME_STEP]
        wrong = np.flatnonzero(computed != lengths)
        right = int(wrong[0]) if wrong.size else len(lengths)  # the lengths before this step are known to be right
        settled = found[: right + 1]
        if not np.array_equal(settled, np.broadcast_to(settled[..., :1], settled.shape), equal_nan=True):
            message = "TIME STEP, SAVEPER or FINAL TIME differs between members; make one run for each member"
            raise SimulationError(message)
        last = _last_step(timing, settings, right)
        if last is not None:
            break
        if wrong.size:
            lengths = np.concatenate(
                [lengths[:right], np.where(computed[right:] > 0, computed[right:], computed[right])]
            )
        else:
            lengths = _longer(job, timing, lengths, float(settings[FINAL_TIME][-1]))
    else:
        message = f"TIME STEP changes at more than {_MOST_ROUNDS:,} times; make it a constant"
        raise SimulationError(message)
    times, used = timing.moments[: 2 * last + 1 : 2], lengths[: last + 1]
    kept = _saved_steps(times, used, settings.get(SAVEPER, used))
    remark = ""
    if used.min() < used.max():
        remark = f"TIME STEP changes during the run, between {used.min():g} and {used.max():g}, and the run ends at {times[-1]:g}"
    elif FINAL_TIME.key in job.program.layout.plan.moving:
        remark = f"FINAL TIME changes during the run, which ends at {times[-1]:g}"
    if kept[-1] != last:
        remark = f"{remark or f'the run ends at {times[-1]:g}'}; the last saved time is {times[kept[-1]]:g}"
    return replace(job, timing=replace(timing, steps=last, remark=remark)), kept


def _check_schedule(job: Job) -> None:
    what = "TIME STEP or SAVEPER changes during the run"
    message = ""
    if job.program.layout.columns and TIME_STEP.key in job.program.layout.plan.moving:
        message = f"{what}, and a DELAY FIXED counts time steps; make TIME STEP a constant"
    elif job.lagged is not None:
        message = f"{what}, which the integrator diff does not support; choose another one"
    elif job.timing.first:
        message = f"{what}, so that it cannot go on from another run; make it a constant"
    if message:
        raise SimulationError(message)


def _schedule(job: Job, lengths: NDArray[np.float64]) -> Schedule:
    """The times of steps; those of equal length in a row are counted from the first, so that rounding does not grow."""
    changes = [0, *(np.flatnonzero(np.diff(lengths[:-1])) + 1).tolist(), len(lengths) - 1]
    parts, begin = [], job.timing.initial
    for first, last in pairwise(changes):
        stretch = Timing(begin, float(lengths[first]), last - first, 1.0).moments
        parts.append(stretch[:-1])
        begin = float(stretch[-1])
    return Schedule(lengths, np.concatenate([*parts, [begin]]))


def _last_step(timing: Timing, settings: dict[Cell, NDArray[np.float64]], right: int) -> int | None:
    """The step at which a run ends: there FINAL TIME leaves no room for another one; None if no settled step is the last."""
    settled = slice(min(right + 1, timing.steps + 1))
    lengths, final = settings[TIME_STEP][settled], settings[FINAL_TIME][settled]
    times = timing.moments[::2][settled]
    for name, values in (("TIME STEP", lengths), ("FINAL TIME", final)):
        bad = np.flatnonzero(~np.isfinite(values) | ((values <= 0) & (name == "TIME STEP")))
        if bad.size:
            need = "a number above 0" if name == "TIME STEP" else "a number"
            message = f"{name} becomes {values[bad[0]]:g} at time {times[bad[0]]:g}; it must be {need}"
            raise SimulationError(message)
    reached = np.flatnonzero(times + lengths > final + SAME_TIME * lengths)
    return int(reached[0]) if reached.size else None


def _longer(job: Job, timing: Timing, lengths: NDArray[np.float64], final: float) -> NDArray[np.float64]:
    """More steps, as long as the last one, up to FINAL TIME as it is known."""
    needed = math.ceil((final - timing.moments[-1]) / lengths[-1] - SAME_TIME) + 1
    steps = len(lengths) + max(needed, 1)
    if steps > job.timing.steps + _MOST_GROWTH:
        message = f"FINAL TIME is still ahead of Time after {timing.steps:,} steps; make it a number that a run reaches, or TIME STEP longer"
        raise SimulationError(message)
    return np.concatenate([lengths, np.full(steps - len(lengths), lengths[-1])])


def _saved_steps(
    times: NDArray[np.float64], lengths: NDArray[np.float64], saveper: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The steps at which values are saved: the nearest to SAVEPER after the saved time before."""
    kept, due = [], float(times[0])
    for step, time in enumerate(times.tolist()):
        if time + lengths[step] / 2 > due:
            if not 0 < saveper[step] < math.inf:
                message = f"SAVEPER becomes {saveper[step]:g} at time {time:g}; it must be a number above 0"
                raise SimulationError(message)
            kept.append(step)
            due = (due if time - due <= lengths[step] / 2 else time) + float(saveper[step])
    return np.array(kept, dtype=np.int64)
