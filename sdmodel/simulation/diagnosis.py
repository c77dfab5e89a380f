"""What broke, where and when: the members of a run whose numbers cease to be finite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..model import Cell, spell
from .execution import Job, Outcome, execute
from .inputs import Inputs
from .timing import Timing

_TOLD = 3
"""So many members are told of by name; the rest are counted."""


class NotFiniteWarning(UserWarning):
    """Some values of a run are not finite."""


def diagnose(job: Job, inputs: Inputs, outcome: Outcome) -> str:
    """What is not finite, one line a member, or nothing; what comes after a broken stock is blanked.

    The run is kept up to there. An auxiliary that is not finite for a while harms nothing else and stays as it is.
    """
    broken = np.flatnonzero(outcome.broken >= 0)
    for member in broken:
        outcome.values[-(-outcome.broken[member] // job.timing.every) :, :, member] = np.nan
    doubtful = broken
    with np.errstate(invalid="ignore", over="ignore"):
        if not broken.size and not np.isfinite(outcome.values.sum()):
            doubtful = np.flatnonzero(~np.isfinite(outcome.values).all(axis=(0, 1)))
    if not doubtful.size:
        return ""
    lines = [_tell(job, inputs, int(member), alone=inputs.count == 1) for member in doubtful[:_TOLD]]
    if doubtful.size > _TOLD:
        lines.append(f"and {doubtful.size - _TOLD} more of {inputs.count} members are not finite")
    return "\n".join(lines)


def _tell(job: Job, inputs: Inputs, member: int, *, alone: bool) -> str:
    """Runs one member again, all of it saved at every step, and finds what fails first."""
    one = Inputs({}, {}, {})
    given = job.given.copy()
    if inputs.varied:
        given[job.varied_rows - job.program.layout.first_input] = inputs.columns(member, member + 1)[:, 0]
    plan = job.program.layout.plan
    cells = [each.cell for each in (*plan.step, *plan.stocks)]
    rows = np.array([job.program.row(cell) for cell in cells], dtype=np.int64)
    timing = Timing(job.timing.initial, job.timing.time_step, job.timing.steps, 1)
    detailed = replace(job, given=given, rows=rows, timing=timing, varied_rows=np.empty(0, dtype=np.int64))
    bad = ~np.isfinite(execute(detailed, one).values[:, :, 0])
    prefix = "" if alone else f"member {member}: "
    if not bad.any():
        return f"{prefix}some values are not finite"
    line = int(bad.any(axis=1).argmax())
    cell = cells[int(bad[line].argmax())]
    stocks = {each.cell for each in plan.stocks}
    cure = (
        "a smaller TIME STEP may help"
        if cell in stocks
        else "look for a division by zero or a number that grows without bound"
    )
    return f"{prefix}'{spell(plan.model, _shown(job, cell))}' is not finite from time {timing.saved[line]:g}; {cure}"


def _shown(job: Job, cell: Cell) -> Cell:
    """The cell, or the author's element that a hidden one serves."""
    hidden = job.program.layout.plan.model.elements[cell.key].hidden
    return Cell(cell.key.split("#", maxsplit=1)[0], cell.labels) if hidden else cell
