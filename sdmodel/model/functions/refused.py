"""Vensim's functions that do not run here, by name, with what to use in their place."""

from __future__ import annotations

from types import MappingProxyType

from ..names import nearest
from .table import FUNCTIONS

REFUSED = MappingProxyType(
    dict.fromkeys(
        (
            "GET XLS DATA",
            "GET DIRECT DATA",
            "GET XLS CONSTANTS",
            "GET DIRECT CONSTANTS",
            "GET XLS LOOKUPS",
            "GET DIRECT LOOKUPS",
            "GET XLS SUBSCRIPT",
            "GET DIRECT SUBSCRIPT",
            "GET VDF DATA",
            "GET VDF CONSTANTS",
            "GET VDF LOOKUPS",
            "GET 123 DATA",
            "GET 123 CONSTANTS",
            "GET 123 LOOKUPS",
            "GET ODBC DATA",
            "GET ODBC CONSTANTS",
        ),
        "write the numbers into the model",
    )
    | dict.fromkeys(
        (
            "GET DATA AT TIME",
            "GET DATA BETWEEN TIMES",
            "GET DATA FIRST TIME",
            "GET DATA LAST TIME",
            "GET DATA MEAN",
            "GET DATA MIN",
            "GET DATA MAX",
            "GET DATA STDV",
            "GET DATA TOTAL POINTS",
            "TIME SHIFT",
            "GET TIME VALUE",
            "TIME BASE",
            "VECTOR LOOKUP",
        ),
        "use a lookup of Time",
    )
    | dict.fromkeys(
        (
            "RANDOM 0 1",
            "RANDOM UNIFORM",
            "RANDOM NORMAL",
            "RANDOM EXPONENTIAL",
            "RANDOM POISSON",
            "RANDOM BETA",
            "RANDOM BINOMIAL",
            "RANDOM GAMMA",
            "RANDOM TRIANGULAR",
            "RANDOM WEIBULL",
            "RANDOM PINK NOISE",
            "RANDOM LOOKUP",
            "RANDOM NEGATIVE BINOMIAL",
        ),
        "vary a constant over an ensemble",
    )
    | dict.fromkeys(("DELAY BATCH", "DELAY CONVEYOR", "CONVEYOR"), "use DELAY FIXED or DELAY N")
    | dict.fromkeys(("DELAY INFORMATION", "DELAYP", "DELAY MATERIAL", "DELAY PROFILE"), "use DELAY N or DELAY FIXED")
    | dict.fromkeys(("SHIFT IF TRUE", "SSHAPE", "RAMP FROM TO"), "use IF THEN ELSE, EXP or a lookup")
    | dict.fromkeys(("LOOKUP AREA", "LOOKUP INVERT", "LOOKUP SLOPE"), "write a second lookup")
    | dict.fromkeys(("VECTOR SELECT", "VECTOR ELM MAP"), "use SUM with IF THEN ELSE")
    | dict.fromkeys(("VECTOR SORT ORDER", "VECTOR RANK", "VECTOR REORDER"), "count with SUM and IF THEN ELSE")
    | dict.fromkeys(
        ("ALLOCATE AVAILABLE", "ALLOCATE BY PRIORITY", "FIND MARKET PRICE", "DEMAND AT PRICE", "SUPPLY AT PRICE"),
        "share with ratios, MIN and SUM",
    )
    | dict.fromkeys(
        ("NPV", "INTERNAL RATE OF RETURN", "DEPRECIATE STRAIGHTLINE", "DEPRECIATE BY SCHEDULE"), "use INTEG"
    )
    | dict.fromkeys(("INVERT MATRIX", "FIND ZERO", "SIMULTANEOUS"), "put a stock into the loop")
    | dict.fromkeys(("GAMMA LN", "ROUND"), "use INTEGER, LN or a lookup")
    | dict.fromkeys(("A FUNCTION OF",), "complete the equation")
    | {"MESSAGE": "leave it out"},
)
"""Functions of Vensim's that do not run here, with what to use in their place."""


def unknown_function(name: str, *, guess: bool = True) -> str:
    """What to say of a function that does not run: that it is Vensim's, or, as a guess, what was probably meant."""
    upper = " ".join(name.upper().replace("_", " ").split())
    if upper in REFUSED:
        return f"{upper} is not supported; {REFUSED[upper]}"
    close = nearest(upper, FUNCTIONS) if guess else None
    return f"'{name}' is neither a function nor a lookup; " + (
        f"did you mean {close}?" if close else "define it or correct the name"
    )
