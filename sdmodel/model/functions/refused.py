"""Vensim's functions that do not run here, and what to use instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..names import nearest
from .table import FUNCTIONS

_INSTEAD = {
    "write the numbers into the model": (
        "GET XLS DATA, GET DIRECT DATA, GET XLS CONSTANTS, GET DIRECT CONSTANTS, GET XLS LOOKUPS, GET DIRECT LOOKUPS, "
        "GET XLS SUBSCRIPT, GET DIRECT SUBSCRIPT, GET VDF DATA, GET VDF CONSTANTS, GET VDF LOOKUPS, GET 123 DATA, "
        "GET 123 CONSTANTS, GET 123 LOOKUPS, GET ODBC DATA, GET ODBC CONSTANTS"
    ),
    "use a lookup of Time": (
        "GET DATA AT TIME, GET DATA BETWEEN TIMES, GET DATA FIRST TIME, GET DATA LAST TIME, GET DATA MEAN, GET DATA MIN, "
        "GET DATA MAX, GET DATA STDV, GET DATA TOTAL POINTS, TIME SHIFT, GET TIME VALUE, TIME BASE, VECTOR LOOKUP"
    ),
    "vary a constant over an ensemble": (
        "RANDOM 0 1, RANDOM UNIFORM, RANDOM NORMAL, RANDOM EXPONENTIAL, RANDOM POISSON, RANDOM BETA, RANDOM BINOMIAL, "
        "RANDOM GAMMA, RANDOM TRIANGULAR, RANDOM WEIBULL, RANDOM PINK NOISE, RANDOM LOOKUP, RANDOM NEGATIVE BINOMIAL"
    ),
    "use DELAY FIXED or DELAY N": "DELAY BATCH, DELAY CONVEYOR, CONVEYOR",
    "use DELAY N or DELAY FIXED": "DELAY INFORMATION, DELAYP, DELAY MATERIAL, DELAY PROFILE",
    "use IF THEN ELSE, EXP or a lookup": "SHIFT IF TRUE, SSHAPE, RAMP FROM TO",
    "write a second lookup": "LOOKUP AREA, LOOKUP INVERT, LOOKUP SLOPE",
    "use SUM with IF THEN ELSE": "VECTOR SELECT, VECTOR ELM MAP",
    "count with SUM and IF THEN ELSE": "VECTOR SORT ORDER, VECTOR RANK, VECTOR REORDER",
    "share with ratios, MIN and SUM": (
        "ALLOCATE AVAILABLE, ALLOCATE BY PRIORITY, FIND MARKET PRICE, DEMAND AT PRICE, SUPPLY AT PRICE"
    ),
    "use INTEG": "NPV, INTERNAL RATE OF RETURN, DEPRECIATE STRAIGHTLINE, DEPRECIATE BY SCHEDULE",
    "put a stock into the loop": "INVERT MATRIX, FIND ZERO, SIMULTANEOUS",
    "use INTEGER, LN or a lookup": "GAMMA LN, ROUND",
    "complete the equation": "A FUNCTION OF",
    "leave it out": "MESSAGE",
}

REFUSED: Mapping[str, str] = MappingProxyType(
    {name: instead for instead, names in _INSTEAD.items() for name in names.split(", ") if name not in FUNCTIONS}
)
"""What to use instead of each function of Vensim that does not run here, by its name."""


def unknown_function(name: str, *, guess: bool = True) -> str:
    """The message for a function that does not run: that Vensim has it, or else, with `guess`, the most similar name."""
    upper = " ".join(name.upper().replace("_", " ").split())
    if upper in REFUSED:
        return f"{upper} is not supported; {REFUSED[upper]}"
    close = nearest(upper, FUNCTIONS) if guess else None
    return f"'{name}' is neither a function nor a lookup; " + (
        f"did you mean {close}?" if close else "define it or correct the name"
    )
