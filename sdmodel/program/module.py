"""A whole model as one module of LLVM's assembly language: the start, a step, and the loops around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..model import NEXT_TO_ZERO, Assignment
from .driver import driver_text
from .expressions import ARGUMENTS, PARAMETERS, Writer, write_moment
from .ir import Function
from .layout import Layout
from .mathematics import Mathematics
from .tables import Tables

LINES = 1000
"""About so many instructions share a function, so that the time to compile grows with the model and not with its square."""

Job = Callable[[Writer], None]


def module_text(layout: Layout, width: int, mathematics: Mathematics) -> str:
    """The assembly of a model for blocks of `width` members."""
    tables = Tables(width)
    start = _function("start", _start_jobs(layout), layout, tables, width)
    step = _function("step", _step_jobs(layout), layout, tables, width)
    return "\n".join([start, step, tables.text(), driver_text(layout, width), mathematics.text(width)])


def _function(name: str, jobs: Iterable[Job], layout: Layout, tables: Tables, width: int) -> str:
    """The jobs in order, cut into functions that one function calls in turn."""
    parts = [_part(layout, tables, width)]
    for job in jobs:
        if len(parts[-1].function.lines) > LINES:
            parts.append(_part(layout, tables, width))
        job(parts[-1])
    texts = []
    for index, part in enumerate(parts):
        texts += part.outlined
        texts.append(part.function.text(f"internal void @{name}_{index}({PARAMETERS}) nounwind noinline"))
    whole = Function(width)
    whole.lines += [f"  call void @{name}_{index}({ARGUMENTS})" for index in range(len(parts))]
    return "\n".join([*texts, whole.text(f"internal void @{name}({PARAMETERS}) nounwind")])


def _part(layout: Layout, tables: Tables, width: int) -> Writer:
    function = Function(width)
    write_moment(function)
    return Writer(layout, tables, function)


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
        yield _carry_job(each, layout.rate_row(index))
    for each in layout.plan.delays:
        yield _carry_job(each, layout.delay_input[each.cell])


def _step_job(each: Assignment) -> Job:
    def write(writer: Writer) -> None:
        if each.state == "SAMPLE IF TRUE":
            value = _sample(writer, each)
        else:
            expression = each.expression.args[0] if each.state == "ACTIVE INITIAL" else each.expression
            value = writer.number(expression, each.binding)
        writer.define(each.cell, value)

    return write


def _carry_job(each: Assignment, row: int) -> Job:
    """Works out what flows into a stock or a delay."""

    def write(writer: Writer) -> None:
        writer.function.store(writer.number(each.expression.args[0], each.binding), row)

    return write
