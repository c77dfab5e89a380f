"""A FUNCTION OF: what Vensim writes for a variable of a sketch whose equation says no more yet than what it depends on."""

from __future__ import annotations

from functools import lru_cache

from sympy import Expr, S

from ..algebra import VensimFunction
from .row import Absent, FunctionRow

UNFINISHED = "A FUNCTION OF"


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
