"""A whole model as one module of LLVM assembly: the start, a step, and the loops around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..model import (
    MARK,
    Assignment,
    Block,
    Frame,
    Part,
    Slice,
    UnequalError,
    references_in,
    resolve,
    result_place,
    split_reference,
)
from .arrays import Routines
from .driver import driver_text
from .fusion import StockLoop, direct_groups, fused_flows, groups_of
from .ir import LOOP_ARGUMENTS, OPTIONAL, Function, Mathematics
from .layout import Layout
from .random_numbers import random_text
from .tables import Tables
from .writer import ARGUMENTS, LINES, PARAMETERS, LoopWriter, Result, Writer

_OPTIONAL = re.compile(rf"^.*{OPTIONAL.format('([0-9]+)')}\n", re.MULTILINE)

_Job = Callable[[Writer], None]
"""Something to compute, written into a function."""


def module_text(
    layout: Layout,
    width: int,
    mathematics: Mathematics,
    *,
    adaptive: bool = False,
    saved: NDArray[np.int64] | None = None,
) -> str:
    """The assembly of a model for blocks of `width` members; `adaptive` to have automatic steps too.

    If only the rows `saved` are looked at after a step, no other is stored that nothing reads, and loops over stocks compute the
    flows that nothing else reads.
    """
    tables = Tables(width, mathematics, Routines(width, layout))
    kept: list[_Job] = [partial(Writer.keep_part, part=part) for part in layout.invariant]
    if width > 1 and mathematics.fused:  # one member alone divides about as quickly
        kept += [partial(Writer.keep_reciprocal, key=key) for key in layout.reciprocal]
    start = [
        _function("start", chain(_start_jobs(layout, layout.plan.at_start), kept), layout, tables),
        _function("update", chain(_start_jobs(layout, layout.plan.unvarying), kept), layout, tables),
    ]
    tables.read[:] = False
    fused: Mapping[str, Block] = {}
    if saved is not None:
        fused = fused_flows(layout, Tables(width, mathematics, Routines(width, layout)), saved)
    steps = [
        _function("step", chain(_step_jobs(layout, fused), _rate_jobs(layout)), layout, tables, in_step=True),
        _function("rates", _direct_jobs(layout, fused, advances=False), layout, tables, in_step=True),
        _function("advance_direct", _direct_jobs(layout, fused, advances=True), layout, tables, in_step=True),
    ]
    if saved is not None:
        memories = (*layout.delay_input, *layout.passage, *layout.held, *layout.shift)
        tables.read[[*saved, *(layout.row[cell] for cell in memories)]] = True
        steps = [_OPTIONAL.sub(lambda found: found[0] if tables.read[int(found[1])] else "", text) for text in steps]
    drawing = [random_text(width)] if layout.draws else []
    driver = driver_text(layout, width, places=tables.places, adaptive=adaptive)
    return "\n".join([*start, *steps, tables.text(), driver, *drawing, mathematics.text(width)])


def _jobs(
    layout: Layout, parts: Sequence[Part], read: Callable[[Block], Expr], value: Callable[[Writer, Assignment], str]
) -> Iterator[_Job]:
    """Everything that is computed at the start or at a step, in order; `read` is the expression of a block then."""

    def write(f: Writer, own: Assignment) -> None:
        f.define(own.cell, value(f, own))

    for part in parts:
        if part.returns_array:
            yield from _array_jobs(layout, part)
        elif isinstance(part, Block):
            yield from _block_jobs(layout, [part], read, write)
        else:
            yield partial(write, own=part)


def _start_jobs(layout: Layout, parts: Sequence[Part]) -> Iterator[_Job]:
    return _jobs(layout, parts, lambda block: block.read("start")[0], Writer.start_value)


def _step_jobs(layout: Layout, fused: Mapping[str, Block]) -> Iterator[_Job]:
    parts = [own for own in layout.plan.at_step if own.key not in fused]
    return _jobs(layout, parts, lambda block: block.expression, Writer.step_value)


def _array_jobs(layout: Layout, part: Part) -> Iterator[_Job]:
    """The calls of a function that returns an array: one for all cells that read the same."""
    subscripts = layout.plan.model.subscripts
    calls: dict[tuple[str, ...], tuple[Assignment, dict[int, int]]] = {}
    for own in part:
        _, results = calls.setdefault(_labels_read(layout, own), (own, {}))
        results[result_place(subscripts, own.expression, own.binding)] = layout.row[own.cell]
    for own, results in calls.values():
        yield partial(Writer.write_array, own=own, results=results)


def _labels_read(layout: Layout, own: Assignment) -> tuple[str, ...]:
    """The labels that a call reads in a cell, but for those along which its arrays lie."""
    subscripts, found = layout.plan.model.subscripts, list[str]()
    for argument in own.expression.args:
        along = len(argument.ranges) if isinstance(argument, Slice) else 0
        for name, indices in map(split_reference, references_in(argument)):
            names = indices[: len(indices) - along] or ((name,) if name in subscripts else ())
            found += [resolve(subscripts, index, own.binding) for index in names if not index.endswith(MARK)]
    return tuple(found)


def _direct_jobs(layout: Layout, fused: Mapping[str, Block], *, advances: bool) -> Iterator[_Job]:
    """The rates of stocks that Euler can advance at the same time, or also that."""

    def write(f: Writer, own: Assignment) -> None:
        row, rate = layout.row[own.cell], f.write(own.expression.args[0], own.binding)
        f.store(*(f.advance(f.load(row), rate), row) if advances else (rate, layout.stocks + row))

    def kind(blocks: Sequence[Block]) -> Callable[..., LoopWriter]:
        return partial(StockLoop, advances=advances, fused=fused, stocks={own.key: own for own in blocks})

    below = 0 if advances else layout.stocks
    for group in direct_groups(layout):
        yield from _block_jobs(layout, group, lambda block: block.expression.args[0], write, below, kind)


def _rate_jobs(layout: Layout) -> Iterator[_Job]:
    """The rates of other stocks, and the inputs of delays, with the steps that they take if those may change."""

    def write(f: Writer, own: Assignment) -> None:
        row = layout.delay_input[own.cell] if own.keeps("delay") else layout.stocks + layout.row[own.cell]
        f.store(f.write(own.expression.args[0], own.binding), row)

    stocks = (own for own in layout.plan.stock_parts if own.key not in layout.direct)
    for group in groups_of([*stocks, *layout.plan.delays]):
        if isinstance(group, list):
            yield from _block_jobs(layout, group, lambda block: block.expression.args[0], write, layout.stocks)
        else:
            yield partial(write, own=group)
    for own in layout.plan.shifts:
        for row, place in enumerate((1, 3, 4)):
            yield partial(_write_to, row=layout.shift[own.cell] + row, own=own, place=place)
    for own in layout.plan.passages:
        for place in (0, 1):
            yield partial(_write_to, row=layout.passage[own.cell] + place, own=own, place=place)


def _write_to(f: Writer, row: int, own: Assignment, place: int) -> None:
    """Write an argument of the function of a cell into a row."""
    f.store(f.write(own.expression.args[place], own.binding), row)


def _block_jobs(
    layout: Layout,
    blocks: Sequence[Block],
    read: Callable[[Block], Expr],
    write: Callable[..., None],
    below: int = 0,
    kind: Callable[[Sequence[Block]], Callable[..., LoopWriter]] = lambda _: LoopWriter,
) -> Iterator[_Job]:
    """Write blocks as one loop, `below` their own rows, else each as a loop, or cell by cell; `kind` is the loop over some of them.

    Together they read from memory once what they share.
    """
    results = [
        (read(block), layout.rows_of(block.key, block.columns, len(block.frame.lengths)) + below) for block in blocks
    ]
    done: list[bool] = []

    def loop(f: Writer, which: slice) -> None:
        done.append(_write_loop(f, blocks[0].frame, results[which], kind(blocks[which])))

    yield partial(loop, which=slice(None))
    if done.pop():
        return
    for place, block in enumerate(blocks):
        if len(blocks) > 1:
            yield partial(loop, which=slice(place, place + 1))
        if len(blocks) == 1 or not done.pop():
            yield from (partial(write, own=own) for own in block)


def _write_loop(writer: Writer, frame: Frame, results: Sequence[Result], kind: Callable[..., LoopWriter]) -> bool:
    """Write a loop over the cells of a frame, if they do not differ too much; whether they do not.

    A single loop is best, if every number is in evenly spaced rows; else there is one for each axis, within each other. Several
    results are written by a single loop or not at all, unless it computes flows that are nowhere else.
    """
    name = f"loop_{next(writer.tables.parts)}"
    for merged in (True, False):
        body = kind(writer.width, layout=writer.layout, tables=writer.tables, frame=frame, merged=merged)
        if not (merged or len(results) == 1 or body.has_flows):
            break
        with suppress(UnequalError):
            writer.outlined.append(body.loop(name, results))
            if body.odd:
                writer.add_odd(writer.put(f"call {writer.number} @{name}({LOOP_ARGUMENTS})"))
            else:
                writer.lines.append(f"  call void @{name}({LOOP_ARGUMENTS})")
            return True
    return False


def _function(name: str, jobs: Iterable[_Job], layout: Layout, tables: Tables, *, in_step: bool = False) -> str:
    """The jobs in order, cut into functions that one function calls in turn.

    Each keeps what does not fit into registers on a stack aligned to a whole register, so that no access crosses a cache line.
    """
    aligned = f" alignstack({8 * tables.width})" if tables.width > 1 else ""
    texts: list[str] = []
    names: list[str] = []

    def finish(writer: Writer) -> None:
        if writer.odd:
            row = layout.odd_row * tables.width
            writer.note_odd(writer.put(f"getelementptr inbounds double, ptr %ws, i64 {row}"))
        names.append(f"{name}_{len(names)}")
        texts.extend(writer.outlined)
        texts.append(writer.text(f"internal void @{names[-1]}({PARAMETERS}) nounwind noinline{aligned}"))

    writer = Writer(tables.width, layout=layout, tables=tables, in_step=in_step)
    for job in jobs:
        if len(writer.lines) > LINES:
            finish(writer)
            writer = Writer(tables.width, layout=layout, tables=tables, in_step=in_step)
        job(writer)
    finish(writer)
    whole = Function(tables.width)
    whole.lines += [f"  call void @{part}({ARGUMENTS})" for part in names]
    return "\n".join([*texts, whole.text(f"internal void @{name}({PARAMETERS}) nounwind")])
