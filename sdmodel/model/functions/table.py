"""The table of all functions, in families: one row per function (see `row.py` for what a row holds).

Meanings follow the Vensim reference manual (https://www.vensim.com/documentation/). What the manual leaves open follows Vensim's
own output files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sympy import Expr, Function, Symbol

from ..algebra import VensimFunction
from . import (
    allocation,
    arithmetic,
    data,
    discrete,
    finance,
    inputs,
    logic,
    lookups,
    memory,
    reductions,
    solution,
    vectors,
)
from .chance import draws
from .past import conveyors, queues, returns
from .row import Absent, FunctionRow

_FAMILIES = (
    logic, arithmetic, inputs, lookups, data, memory, discrete, finance, returns, queues, conveyors, draws, reductions, vectors, allocation, solution,
)  # fmt: skip

FUNCTIONS: Mapping[str, FunctionRow] = MappingProxyType({row.name: row for family in _FAMILIES for row in family.ROWS})
"""Every function that runs, by Vensim's name."""

if len(FUNCTIONS) != sum(len(family.ROWS) for family in _FAMILIES):
    _TWICE = "two rows of the table of functions have the same name"
    raise ValueError(_TWICE)

ARRAY_FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: row.arrays for name, row in FUNCTIONS.items() if not isinstance(row.arrays, Absent)}
)
"""The functions that a formula over arrays may use, by Vensim's name: those that need nothing but their arguments."""

LOOKUPS = frozenset(
    row.name
    for row in (*FUNCTIONS.values(), *data.TOTALLED.values())
    if row.kinds[:1] == ("table",) and row.units[0] != "*"
)
"""The functions that look up in a table, their first argument."""
REDUCTIONS = frozenset(name for name, row in FUNCTIONS.items() if "terms" in row.kinds)

_OF_SYMPY: Mapping[type[Expr], FunctionRow] = MappingProxyType(
    {
        type(built): row
        for row in FUNCTIONS.values()
        if row.algebra and isinstance(built := row.build(*map(Symbol, row.arguments)), Function)
    }
)


def row_of(call: Expr) -> FunctionRow:
    """The row of the function that an expression calls."""
    return call.row if isinstance(call, VensimFunction) else _OF_SYMPY[type(call)]
