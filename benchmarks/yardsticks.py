"""The same models as plain C programs, compiled with all optimisation for this processor: how quick such a model can be.

`epidemic.c` is written by hand, as loops over arrays. The program of the large model is emitted here from the assignments of its
plan, in their order: one local variable for each value, lookups that search from the first point, Euler steps. It shares neither
assembly nor memory layout with sdmodel.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sympy import Add, Expr, Indexed, Mul, Pow, Symbol

from sdmodel.model import TIME, Cell, Plan, Table, product_factors, row_of, signed_terms, split_reference

FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")

_HEAD = """
#include <math.h>
#include <string.h>

static double look_up(const double (*points)[2], int count, double x)
{
    if (!(x > points[0][0]))
        return points[0][1];
    for (int i = 1; i < count; i++)
        if (x < points[i][0]) {
            double slope = (points[i][1] - points[i - 1][1]) / (points[i][0] - points[i - 1][0]);
            return points[i - 1][1] + (x - points[i - 1][0]) * slope;
        }
    return points[count - 1][1];
}
"""

_CALLS: Mapping[str, Callable[..., str]] = {
    "MAX": lambda a, b: f"({a} > {b} ? {a} : {b})",
    "MIN": lambda a, b: f"({a} < {b} ? {a} : {b})",
    "IF THEN ELSE": lambda condition, a, b: f"({condition} ? {a} : {b})",
    ">": lambda a, b: f"({a} > {b})",
    "STEP": lambda height, start: f"(time + step / 2 > {start} ? {height} : 0.0)",
    "EXP": lambda x: f"exp({x})",
    "LN": lambda x: f"log({x})",
}


def compiler() -> str | None:
    """The C compiler of this machine."""
    return shutil.which("cc")


def compile_c(source: Path, *definitions: str) -> Any:
    """Compile a C file next to it, and return its function `run`."""
    library = source.with_suffix(".so")
    command = [compiler() or "cc", *FLAGS, *(f"-D{own}" for own in definitions), str(source), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library)).run


def c_program(plan: Plan, saved: Sequence[Cell]) -> str:
    """A model without subscripts as a C program: `run(times, steps, step, saved)` saves some cells at every step.

    Raises KeyError for a function that only other models use.
    """
    names = {own.cell: f"v{index}" for index, own in enumerate((*plan.start, *plan.step))}
    names |= {cell: f"c{index}" for index, cell in enumerate(plan.constants)} | {TIME: "time"}
    tables = {table: f"table_{index}" for index, table in enumerate(plan.tables.values())}
    write = _Writer(names, plan, tables)
    moving = [own.cell for own in plan.step]
    local = dict.fromkeys(names[own.cell] for own in (*plan.start, *plan.step))
    lines = [_HEAD]
    for table, name in tables.items():
        points = ", ".join(f"{{{x!r}, {y!r}}}" for x, y in sorted(table.points))
        lines.append(f"static const double {name}[{len(table.points)}][2] = {{{points}}};")
    lines += [
        "void run(const double *times, int steps, double step, double *saved)",
        "{",
        f"    double {', '.join(local)};",
    ]
    lines += [f"    const double {names[cell]} = {value!r};" for cell, value in plan.constants.items()]
    lines.append("    double time = times[0];")
    lines += [f"    {names[own.cell]} = {write(_initial(own))};" for own in plan.start if own.cell not in moving]
    lines += ["    for (int k = 0; k <= steps; k++) {", "        time = times[2 * k];"]
    lines += [f"        {names[own.cell]} = {write(own.expression)};" for own in plan.step]
    lines += [f"        *saved++ = {names[cell]};" for cell in saved]
    lines += [
        f"        const double rate_{index} = {write(own.expression.args[0])};" for index, own in enumerate(plan.stocks)
    ]
    lines += [f"        {names[own.cell]} += step * rate_{index};" for index, own in enumerate(plan.stocks)]
    return "\n".join([*lines, "    }", "}", ""])


def _initial(own: Any) -> Expr:
    return own.expression.args[own.expression.row.at_start] if own.memory else own.expression


class _Writer:
    """Expressions in C."""

    def __init__(self, names: Mapping[Cell, str], plan: Plan, tables: Mapping[Table, str]) -> None:
        self.names, self.plan, self.tables = names, plan, tables

    def __call__(self, expression: Expr) -> str:
        if expression.is_Number:
            return repr(float(expression))
        if isinstance(expression, Symbol | Indexed):
            return self.names[Cell(*split_reference(expression))]
        if isinstance(expression, Add):
            return (
                "("
                + " ".join(f"{'+' if sign > 0 else '-'} {self(term)}" for term, sign in signed_terms(expression))
                + ")"
            )
        if isinstance(expression, Mul):
            (first, _), *rest = product_factors(expression)
            return "(" + self(first) + "".join(f" {'/' if divides else '*'} {self(own)}" for own, divides in rest) + ")"
        if isinstance(expression, Pow):
            base, exponent = self(expression.base), float(expression.exp)
            return f"(1.0 / {base})" if exponent == -1 else f"pow({base}, {exponent!r})"
        name, arguments = row_of(expression).name, expression.args
        if name == "LOOKUP":
            table = self.plan.tables[Cell(*split_reference(arguments[0]))]
            return f"look_up({self.tables[table]}, {len(table.points)}, {self(arguments[1])})"
        return _CALLS[name](*map(self, arguments))


def large_model_in_c(plan: Plan, saved: Sequence[Cell], folder: Path) -> Any:
    """The function `run` of `c_program`, compiled in a folder."""
    source = folder / f"large_{len(saved)}.c"
    source.write_text(c_program(plan, saved), "utf-8")
    return compile_c(source)
