"""A model as a WebAssembly module: the assembly of the native code, with what surrounds it in the memory of the module.

`run` computes one member from the constants in memory, and leaves one series per saved cell in memory. `find_fault` finds the cell
that fails first. Elementary functions are those of JavaScript's `Math`, which the caller gives as the module of that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

import numpy as np
from numpy.typing import NDArray

from ..errors import SimulationError
from ..model import NA
from .assembly import module_text
from .compiled import Program
from .ir import LIBM, Mathematics, literal
from .layout import Arguments
from .machine import emit_wasm
from .wasm_linker import link

EXPORTS = ("run", "find_fault")
"""The functions of a module."""
STATUS = ("broken", "inexact", "fault_time")
"""The numbers at `status`: the first two as in `Arguments`, then the time that belongs to the result of `find_fault`."""

_MODULE = "Math."
_MATHEMATICS = Mathematics(1, {name: _MODULE + name for name in LIBM})
"""Names that LLVM does not know: some functions of the C library it would replace by others, which JavaScript lacks."""
_SEARCHED = 2**17
"""About the most numbers that are saved at a time to find the first that is not finite."""
_LIMITS = {
    "memory": (2**28, "save fewer variables, or make SAVEPER or TIME STEP longer"),
    "code": (2**21, "use fewer subscripts"),
}
"""The most bytes for a page, and what to do: browsers on phones refuse larger memory, and larger code takes long to load and to compile."""
_SHORTEST = 16
"""More characters of assembly than this never become a single byte of code."""


@dataclass(frozen=True, slots=True)
class EmbeddedRun:
    """The run that a module computes, with the fields of `Arguments` of the same names.

    `rows` are saved; those from the number `lagged` on show their value at the saved time before. A time is the number of half
    steps times `clock[0]`, divided by `clock[1]`, plus `clock[2]`.
    """

    given: NDArray[np.float64]
    rows: Sequence[int]
    lagged: int
    lines: int
    steps: int
    every: float
    time_step: float
    clock: tuple[float, float, float]
    order: int
    adaptive: bool
    tolerances: tuple[float, float]


@dataclass(frozen=True, slots=True)
class WasmProgram:
    """A module, the functions of `Math` that it imports, the bytes of its memory, and the addresses of what is there.

    `given` are the constants and `outputs` the saved series, one after another, and `status` the numbers of `STATUS`.
    """

    code: bytes
    imports: tuple[str, ...]
    memory: int
    given: int
    outputs: int
    status: int


def emit_module(program: Program, run: EmbeddedRun) -> WasmProgram:
    """Compile a program for a browser.

    Raises
    ------
    SimulationError
        If the module needs more memory or code than a page should have, or LLVM cannot emit it.
    """
    layout, saved = program.layout, len(run.rows)
    cells = [layout.row[cell] for cell in layout.computed]
    group = min(max(_SEARCHED, saved * run.lines) // (run.steps + 1) or 1, len(cells))
    counts = {
        "workspace": layout.rows,
        "times": 2 * run.steps + 1,
        "history": (run.steps + 1) * len(layout.columns),
        "results": max(saved * run.lines, group * (run.steps + 1)),
        "outputs": saved * run.lines,
        "status": len(STATUS),
    }
    _check_size("memory", 8 * sum(counts.values()))
    text = module_text(layout, 1, _MATHEMATICS, adaptive=run.adaptive)
    _check_size("code", len(text) // _SHORTEST)
    own = _surroundings(run, cells, group, missing=layout.plan.model.mentions_missing)
    declared = [f"@{name} = external global [{count} x double], align 8" for name, count in counts.items()]
    remainder = _REMAINDER if " frem " in text else ""
    emitted = emit_wasm("\n".join([text, *declared, own, remainder]), [*EXPORTS, "fmod"])
    linked = link(emitted, exports=EXPORTS, reserved={name: 8 * count for name, count in counts.items()})
    _check_size("code", len(linked.code))
    places = linked.addresses
    imports = tuple(name.removeprefix(_MODULE) for name in linked.imports)
    return WasmProgram(linked.code, imports, linked.memory, places["given"], places["outputs"], places["status"])


def _check_size(what: str, size: int) -> None:
    most, cure = _LIMITS[what]
    if size > most:
        needed, allowed = size / 2**20, most / 2**20
        message = (
            f"the WebAssembly module needs {needed:,.3g} MiB of {what}, above the {allowed:g} MiB of a page; {cure}"
        )
        raise SimulationError(message)


def _surroundings(run: EmbeddedRun, cells: Sequence[int], group: int, *, missing: bool) -> str:
    """The functions that the module exports, and their data."""
    arguments: dict[str, float | str] = {
        **dict.fromkeys(Arguments.types("ptr"), 0),
        **{name: f"@{name}" for name in ("workspace", "given", "results", "times", "history")},
        "varied_rows": "null",
        "varied_values": "null",
        "state": "null",
        "lengths": "null",
        "result_stride": 1,
        "steps": run.steps,
        "order": run.order,
        "adaptive": int(run.adaptive),
        "last": 1,
        "time_step": literal(run.time_step),
        "absolute": literal(run.tolerances[0]),
        "relative": literal(run.tolerances[1]),
        "broken": "@status",
        "inexact": "getelementptr (double, ptr @status, i32 1)",
    }

    def call(**more: str) -> str:
        values = arguments | more
        passed = (f"{kind} {values[name]}" for name, kind in Arguments.types("ptr").items())
        return f"call void @blocks({', '.join(passed)})"

    every = literal(run.every)
    sizes = {
        "run": call(saved=str(len(run.rows)), saved_rows="@saved_rows", every=every),
        "search": call(saved="%n", saved_rows="%rows", every=literal(1.0)),
        "every": every,
        "last_moment": 2 * run.steps,
        "multiply": literal(run.clock[0]),
        "divide": literal(run.clock[1]),
        "begin": literal(run.clock[2]),
        "lines": run.lines,
        "saved": len(run.rows),
        "lagged": run.lagged,
        "missing": literal(NA if missing else np.nan),
        "nan": literal(np.nan),
        "cells": len(cells),
        "group": group,
        "moments": run.steps + 1,
    }
    given = ", ".join(f"double {literal(value)}" for value in run.given)
    return "\n".join(
        [
            f"@given = global [{len(run.given)} x double] [{given}]",
            *(
                f"@{name} = internal constant [{len(rows)} x i64] [{', '.join(f'i64 {row}' for row in rows)}]"
                for name, rows in (("saved_rows", run.rows), ("cell_rows", cells))
            ),
            _RUN.substitute(sizes),
            _FIND_FAULT.substitute(sizes),
        ]
    )


_RUN = Template("""
define internal void @set_times() nounwind {
entry:
  br label %each
each:
  %k = phi i32 [ 0, %entry ], [ %k2, %each ]
  %k_real = sitofp i32 %k to double
  %multiplied = fmul double %k_real, $multiply
  %since = fdiv double %multiplied, $divide
  %time = fadd double %since, $begin
  %p = getelementptr inbounds double, ptr @times, i32 %k
  store double %time, ptr %p
  %k2 = add i32 %k, 1
  %more = icmp ule i32 %k2, $last_moment
  br i1 %more, label %each, label %done
done:
  ret void
}

; computes a member, and puts the series of each saved cell together; returns 1 if a stock or a saved value is not finite
; after a stock has failed, what is not finite is nan, and so is a missing value
define i32 @run() nounwind {
entry:
  call void @set_times()
  $run
  %broken = load double, ptr @status
  %failed = fcmp oge double %broken, 0.0
  br label %line
line:
  %l = phi i32 [ 0, %entry ], [ %l2, %line_done ]
  %bad = phi i1 [ %failed, %entry ], [ %bad2, %line_done ]
  %l_real = sitofp i32 %l to double
  %due = fmul double %l_real, $every
  %due_near = fadd double %due, 5.0e-1
  %step = call double @llvm.floor.f64(double %due_near)
  %is_late = fcmp oge double %step, %broken
  %after = and i1 %failed, %is_late
  %not_first = icmp ne i32 %l, 0
  br label %series
series:
  %o = phi i32 [ 0, %line ], [ %o2, %series ]
  %bad1 = phi i1 [ %bad, %line ], [ %bad2, %series ]
  %is_lagged = icmp uge i32 %o, $lagged
  %back = and i1 %is_lagged, %not_first
  %lag = zext i1 %back to i32
  %from_line = sub i32 %l, %lag
  %from_begin = mul i32 %from_line, $saved
  %from = add i32 %from_begin, %o
  %p_from = getelementptr inbounds double, ptr @results, i32 %from
  %value = load double, ptr %p_from
  %zero = fsub double %value, %value
  %odd = fcmp uno double %zero, 0.0
  %bad2 = or i1 %bad1, %odd
  %blank = and i1 %after, %odd
  %is_missing = fcmp ole double %value, $missing
  %hidden = or i1 %blank, %is_missing
  %shown = select i1 %hidden, double $nan, double %value
  %to_begin = mul i32 %o, $lines
  %to = add i32 %to_begin, %l
  %p_to = getelementptr inbounds double, ptr @outputs, i32 %to
  store double %shown, ptr %p_to
  %o2 = add i32 %o, 1
  %o_more = icmp ult i32 %o2, $saved
  br i1 %o_more, label %series, label %line_done
line_done:
  %l2 = add i32 %l, 1
  %l_more = icmp ult i32 %l2, $lines
  br i1 %l_more, label %line, label %done
done:
  %result = zext i1 %bad2 to i32
  ret i32 %result
}
""")

_FIND_FAULT = Template("""
; returns the first cell, in the order of computation, that is not finite at the first step at which one is, or -1
; a group of cells is saved at a time, at every step
define i32 @find_fault() nounwind {
entry:
  br label %group
group:
  %g = phi i32 [ 0, %entry ], [ %g2, %group_done ]
  %step = phi i32 [ $moments, %entry ], [ %step2, %group_done ]
  %cell = phi i32 [ -1, %entry ], [ %cell2, %group_done ]
  %g_more = icmp ult i32 %g, $cells
  br i1 %g_more, label %search, label %done
search:
  %rest = sub i32 $cells, %g
  %is_last = icmp ult i32 %rest, $group
  %n_short = select i1 %is_last, i32 %rest, i32 $group
  %n = zext i32 %n_short to i64
  %rows = getelementptr inbounds i64, ptr @cell_rows, i32 %g
  $search
  %end = mul i32 %step, %n_short
  br label %each
each:
  %i = phi i32 [ 0, %search ], [ %i2, %next ]
  %i_more = icmp ult i32 %i, %end
  br i1 %i_more, label %look, label %group_done
look:
  %p = getelementptr inbounds double, ptr @results, i32 %i
  %value = load double, ptr %p
  %zero = fsub double %value, %value
  %odd = fcmp uno double %zero, 0.0
  br i1 %odd, label %found, label %next
next:
  %i2 = add i32 %i, 1
  br label %each
found:
  %at_step = udiv i32 %i, %n_short
  %within = urem i32 %i, %n_short
  %at_cell = add i32 %g, %within
  br label %group_done
group_done:
  %step2 = phi i32 [ %step, %each ], [ %at_step, %found ]
  %cell2 = phi i32 [ %cell, %each ], [ %at_cell, %found ]
  %g2 = add i32 %g, $group
  br label %group
done:
  %moment = shl i32 %step, 1
  %none = icmp slt i32 %cell, 0
  %known = select i1 %none, i32 0, i32 %moment
  %p_time = getelementptr inbounds double, ptr @times, i32 %known
  %time = load double, ptr %p_time
  %p_fault = getelementptr inbounds double, ptr @status, i32 2
  store double %time, ptr %p_fault
  ret i32 %cell
}
""")

_REMAINDER = """
; the C library's remainder, for LLVM's `frem`: what is left of |x| when |y| times powers of two are taken from it, all of which is exact
define double @fmod(double %x, double %y) nounwind {
entry:
  %a = call double @llvm.fabs.f64(double %x)
  %b = call double @llvm.fabs.f64(double %y)
  %x_zero = fsub double %x, %x
  %x_odd = fcmp uno double %x_zero, 0.0
  %no_divisor = fcmp ueq double %b, 0.0
  %undefined = or i1 %x_odd, %no_divisor
  br i1 %undefined, label %nan, label %grow
nan:
  ret double 0x7FF8000000000000
grow:
  %t = phi double [ %b, %entry ], [ %t2, %grow ]
  %t2 = fadd double %t, %t
  %more = fcmp ole double %t2, %a
  br i1 %more, label %grow, label %shrink
shrink:
  %rest = phi double [ %a, %grow ], [ %rest3, %take ]
  %part = phi double [ %t, %grow ], [ %part2, %take ]
  %going = fcmp oge double %rest, %b
  br i1 %going, label %take, label %done
take:
  %fits = fcmp oge double %rest, %part
  %rest2 = fsub double %rest, %part
  %rest3 = select i1 %fits, double %rest2, double %rest
  %part2 = fmul double %part, 5.0e-1
  br label %shrink
done:
  %signed = call double @llvm.copysign.f64(double %rest, double %x)
  ret double %signed
}
"""
