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


class RunWarning(UserWarning):
    """Something about a run that its user may not expect."""


class NotFiniteWarning(RunWarning):
    """Some values of a run are not finite."""


def diagnose(job: Job, inputs: Inputs, outcome: Outcome) -> str:
    """What is not finite, one line a member, or nothing; what comes after a broken stock is blanked.

    The run is kept up to there. An auxiliary that is not finite for a while harms nothing else and stays as it is.
    """
    doubtful = np.flatnonzero(outcome.broken >= 0)
    for member in doubtful:
        outcome.values[-(-outcome.broken[member] // job.timing.every) :, :, member] = np.nan
    with np.errstate(invalid="ignore", over="ignore"):
        if not doubtful.size and not np.isfinite(outcome.values.sum()):
            doubtful = np.flatnonzero(~np.isfinite(outcome.values).all(axis=(0, 1)))
    if not doubtful.size:
        return ""
    lines = [_tell(job, inputs, outcome, int(member)) for member in doubtful[:_TOLD]]
    if doubtful.size > _TOLD:
        lines.append(f"and {doubtful.size - _TOLD} more of {inputs.count} members are not finite")
    return "\n".join(lines)


def _tell(job: Job, inputs: Inputs, outcome: Outcome, member: int) -> str:
    """What fails first in a member: it is run again up to the steps in question, and all its cells looked at there."""
    given = job.given.copy()
    if inputs.varied:
        given[job.varied_rows - job.program.layout.first_input] = inputs.columns(member, member + 1)[:, 0]
    plan = job.program.layout.plan
    cells = list(dict.fromkeys(each.cell for each in (*plan.start, *plan.step)))
    rows = np.array([job.program.row(cell) for cell in cells], dtype=np.int64)
    alone = replace(job, given=given, rows=rows, varied_rows=np.empty(0, dtype=np.int64))
    prefix = "" if inputs.count == 1 else f"member {member}: "
    for step in _steps_in_question(job, outcome, member):
        timing = Timing(job.timing.initial, job.timing.time_step, step, max(step, 1))
        finite = np.isfinite(execute(replace(alone, timing=timing), Inputs()).values[-1, :, 0])
        if not finite.all():
            cell = cells[int(finite.argmin())]
            name = spell(plan.model, _shown(job, cell))
            return f"{prefix}'{name}' is not finite from time {timing.saved[-1]:g}; {_cure(job, cell)}"
    return f"{prefix}some values are not finite"


def _steps_in_question(job: Job, outcome: Outcome, member: int) -> list[int]:
    """Where to look: the start, and where a stock broke or a saved value first fails, with the step before."""
    broken = int(outcome.broken[member])
    if broken < 0:
        broken = int(np.isfinite(outcome.values[:, :, member]).all(axis=1).argmin()) * job.timing.every
    return sorted({0, max(broken - 1, 0), broken})


def _cure(job: Job, cell: Cell) -> str:
    if any(cell == each.cell for each in job.program.layout.plan.stocks):
        within = ", or a division by zero within the step is to blame" if job.runge_kutta else ""
        return f"a smaller TIME STEP may help{within}"
    return "look for a division by zero or a number that grows without bound"


def _shown(job: Job, cell: Cell) -> Cell:
    """The cell, or the author's element that a hidden one serves."""
    hidden = job.program.layout.plan.model.elements[cell.key].hidden
    return Cell(cell.key.split("#", maxsplit=1)[0], cell.labels) if hidden else cell
