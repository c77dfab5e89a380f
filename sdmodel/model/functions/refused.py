"""Vensim's functions that do not run here and what to use instead, and the place of an equation still to be written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from sympy import Expr, S

from ..algebra import VensimFunction
from ..names import nearest
from .data import TOTALS
from .row import Absent, FunctionRow
from .table import FUNCTIONS

_INSTEAD = {
    "export it as text (.dat, .csv) or a workbook (.xlsx)": (
        "GET 123 DATA, GET 123 CONSTANTS, GET 123 LOOKUPS, GET ODBC DATA, GET ODBC CONSTANTS"
    ),
    "use DELAY CONVEYOR": "CONVEYOR",
    "it is a macro of C-LEARN and C-ROADS, not a function of Vensim: copy its :MACRO: block": "SSHAPE, SAMPLE UNTIL, RAMP FROM TO",
    "use NPV or NPVE": "NET PRESENT VALUE",
    "use INTEGER(x + 0.5)": "ROUND",
    "use RC STEP, which needs no other run": "RC COMPARE, RC COMPARE CHECK",
    "write it only in Reality Checks, directly after a comparison; `sdmodel check --reality` tests them": (
        "RC DECAY, RC DECAY CHECK, RC GROW, RC GROW CHECK, RC RAMP, RC RAMP CHECK, RC STEP, RC STEP CHECK"
    ),
}

REFUSED: Mapping[str, str] = MappingProxyType(
    {name: instead for instead, names in _INSTEAD.items() for name in names.split(", ") if name not in FUNCTIONS}
)
"""What to use instead of each function of Vensim that does not run here, by its name."""

_FOREIGN = {
    "IF": "IF THEN ELSE(condition, x, y)",
    "TABHL": "the name of the lookup, as in table(x)",
}
"""Functions of other languages, and what Vensim writes."""

FILE_FUNCTIONS = frozenset(
    f"GET {source} {what}" for source in ("DIRECT", "XLS") for what in ("DATA", "CONSTANTS", "LOOKUPS", "SUBSCRIPT")
) | {"GET VDF DATA", "GET VDF CONSTANTS", "GET VDF LOOKUPS"}
"""The functions that read from files, each of which must be a whole equation."""
WHOLE_EQUATIONS = FILE_FUNCTIONS | {*TOTALS, "TIME SHIFT", "TIME BASE", "X IF MISSING"}
"""Functions that stand alone on the right-hand side, never inside an expression."""


def unknown_function(name: str, *, guess: bool = True) -> str:
    """The message for a function that does not run: that Vensim has it, or else, with `guess`, the most similar name.

    A name that is most similar to a function that does not run either is never taken for one that does.
    """
    upper = " ".join(name.upper().replace("_", " ").split())
    if upper in REFUSED:
        return f"{upper} is not supported; {REFUSED[upper]}"
    if upper in {*TOTALS, "TIME SHIFT", "X IF MISSING"}:
        return f"{upper} must be the whole right-hand side of a data equation; write a variable of its own, name := {upper}(...)"
    if upper in WHOLE_EQUATIONS:
        return f"{upper} must be the whole right-hand side; give it a variable of its own"
    if upper == "TABBED ARRAY":
        return "TABBED ARRAY takes only numbers, with blanks between them; leave out commas and names"
    if upper in _FOREIGN:
        return f"{upper} is not a function of Vensim; write {_FOREIGN[upper]}"
    close = nearest(upper, (*FUNCTIONS, *REFUSED)) if guess else None
    cure = f"did you mean {close}?" if close else "define it or correct the name"
    if close and close in REFUSED:
        cure = f"{close}, if you mean that, is not supported: {REFUSED[close]}"
    return f"'{name}' is neither a function nor a lookup; {cure}"


UNFINISHED = "A FUNCTION OF"
"""What Vensim writes for a variable of a sketch whose equation says no more yet than what it depends on."""


class Unfinished(VensimFunction):
    """The causes of a variable without an equation; a minus stands before those that lower it."""

    name = UNFINISHED

    @property
    def row(self) -> FunctionRow:
        """A row for as many causes as there are, without any way to compute."""
        return _row(len(self.args))


def unfinished(*causes: Expr) -> Expr:
    """Return the place of an equation that is still to be written."""
    return Unfinished(*(causes or (S.Zero,)))


@lru_cache
def _row(count: int) -> FunctionRow:
    nothing = Absent("the equation is still to be written")
    causes = [f"cause {place + 1}" for place in range(count)]
    return FunctionRow(
        f"{UNFINISHED}({', '.join(causes)})",
        "what these causes determine in a way that is still to be written",
        f"{', '.join('*' * count)} -> *",
        algebra=Unfinished,
        evaluate=nothing,
        arrays=nothing,
        emit=nothing,
        derivative=nothing,
    )
