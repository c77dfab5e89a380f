"""A whole model as one module of LLVM's assembly language: the start, a step, and the loops around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..model import NEXT_TO_ZERO, Assignment
from .driver import driver_text
from .expressions import Writer
from .ir import Function
from .layout import Layout
from .mathematics import Mathematics
from .tables import Tables

CHUNK = 60
"""So many jobs share a function, so that the time to compile grows with the model and not with its square."""

Job = Callable[[Writer], None]


def module_text(layout: Layout, width: int, mathematics: Mathematics) -> str:
    """The assembly of a model for blocks of `width` members."""
    tables = Tables(width)
    start = _function("start", [*_start_jobs(layout)], layout, tables, width)
    step = _function("step", [*_step_jobs(layout)], layout, tables, width)
    return "\n".join([start, step, tables.text(), driver_text(layout, width), mathematics.text(width)])


def _function(name: str, jobs: Sequence[Job], layout: Layout, tables: Tables, width: int) -> str:
    """The jobs in order, cut into functions that one function calls in turn."""
    parts = [jobs[first : first + CHUNK] for first in range(0, len(jobs), CHUNK)]
    texts = [_part(f"{name}_{index}", part, layout, tables, width) for index, part in enumerate(parts)]
    whole = Function(width)
    whole.lines += [
        f"  call void @{name}_{index}(ptr %ws, double %t, double %s, double %h)" for index in range(len(parts))
    ]
    return "\n".join(
        [*texts, whole.text(f"internal void @{name}(ptr noalias %ws, double %t, double %s, double %h) nounwind")]
    )


def _part(name: str, jobs: Sequence[Job], layout: Layout, tables: Tables, width: int) -> str:
    """A part of the jobs, for the moment `%now`; test inputs see the beginning of the step, and half a step later.

    So Vensim's manual has it: STEP, PULSE and RAMP stay as they are over a step of Runge-Kutta, and half a step is added to
    Time where it is compared, so that rounding cannot decide.
    """
    function = Function(width)
    number = function.number
    for register, value in (("now", "%t"), ("begun", "%s"), ("dt", "%h")):
        function.lines.append(f"  %{register} = fadd {number} {function.spread(value)}, {function.constant(-0.0)}")
    half = function.binary("fmul", "%dt", function.constant(0.5))
    function.lines.append(f"  %late = fadd {number} %begun, {half}")
    function.lines.append(f"  %early = fsub {number} %begun, {half}")
    writer = Writer(layout, tables, function)
    for job in jobs:
        job(writer)
    return function.text(f"internal void @{name}(ptr noalias %ws, double %t, double %s, double %h) nounwind noinline")


def _start_jobs(layout: Layout) -> Iterator[Job]:
    for each in layout.plan.start:
        yield _start_job(each)


def _start_job(each: Assignment) -> Job:
    """Works out a cell for the start: a stock is its initial value, and a delay shows what it begins with."""

    def write(writer: Writer) -> None:
        if each.state == "DELAY FIXED":
            _, time, initial = each.expression.args
            writer.function.store(_steps(writer, each, time), writer.layout.delay_steps[each.cell])
            value = writer.number(initial, each.binding)
        elif each.state == "SAMPLE IF TRUE":
            value = writer.number(each.expression.args[2], each.binding)
            writer.function.store(value, writer.layout.held[each.cell])
            value = _sample(writer, each)
        elif each.state:
            which = 1 if each.state in {"INTEG", "ACTIVE INITIAL"} else 0
            value = writer.number(each.expression.args[which], each.binding)
        else:
            value = writer.number(each.expression, each.binding)
        writer.define(each.cell, value)

    return write


def _steps(writer: Writer, each: Assignment, time: object) -> str:
    """The length of a DELAY FIXED in time steps: at least one, and half a step counts as one (Vensim's output files)."""
    f = writer.function
    steps = f.binary("fdiv", writer.number(time, each.binding), "%dt")
    rounded = f.call("floor", f.binary("fadd", steps, f.constant(0.5 + NEXT_TO_ZERO)))
    return f.choose(f.compare("ogt", rounded, f.constant(1.0)), rounded, f.constant(1.0))


def _sample(writer: Writer, each: Assignment) -> str:
    condition, source, _ = each.expression.args
    held = writer.function.load(writer.layout.held[each.cell])
    chosen = writer.truth(condition, each.binding)
    return writer.function.choose(chosen, writer.number(source, each.binding), held)


def _step_jobs(layout: Layout) -> Iterator[Job]:
    """A step: every cell that varies, then what the stocks and delays need to go on."""
    for each in layout.plan.step:
        yield _step_job(each)
    for index, each in enumerate(layout.plan.stocks):
        yield _carry_job(each, 0, layout.rate_row(index))
    for each in layout.plan.delays:
        yield _carry_job(each, 0, layout.delay_input[each.cell])


def _step_job(each: Assignment) -> Job:
    def write(writer: Writer) -> None:
        if each.state == "SAMPLE IF TRUE":
            value = _sample(writer, each)
        else:
            expression = each.expression.args[0] if each.state == "ACTIVE INITIAL" else each.expression
            value = writer.number(expression, each.binding)
        writer.define(each.cell, value)

    return write


def _carry_job(each: Assignment, argument: int, row: int) -> Job:
    def write(writer: Writer) -> None:
        writer.function.store(writer.number(each.expression.args[argument], each.binding), row)

    return write
