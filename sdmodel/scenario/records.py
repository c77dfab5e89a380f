"""What the files beside a model say: changes and scenarios, and the constants and payoffs of an optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..errors import Place
from ..model import NOWHERE, Table

Course = Literal["", "steps", "linear", "data"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a change file: new values for a constant, in its own units, or a new table for a lookup.

    `values` holds one number for all cells that `subscripts` select and `exceptions` leave, or one per cell, row by row. With a
    `course`, the table holds the values of a constant by time: "steps", which hold until the next, or "linear" between them. One
    that is `by_member` holds times alone: the values are a constant of the model, an array over these times, which may differ
    between members. It may be that of a variable with "data", too.
    """

    name: str
    subscripts: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    table: Table | None = None
    place: Place = NOWHERE
    exceptions: tuple[tuple[str, ...], ...] = ()
    course: Course = ""
    by_member: bool = False


@dataclass(frozen=True, slots=True)
class TextChange:
    """One line of a change file that gives a string variable another text, `name :IS: 'text'`."""

    name: str
    text: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A change file: its name (the file's, without the ending), its changes, its comment, its text, and changes of string variables."""

    name: str
    changes: tuple[Change, ...] = ()
    comment: str = ""
    text: str = ""
    texts: tuple[TextChange, ...] = ()


@dataclass(frozen=True, slots=True)
class FreeConstant:
    """A constant that a search may change, with its bounds and initial value in its own units; None where not given.

    `tolerance` is the text after the bar, as written.
    """

    name: str
    subscripts: tuple[str, ...] = ()
    low: float | None = None
    initial: float | None = None
    high: float | None = None
    tolerance: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Optimisation:
    """A `.voc` file: the constants to search over, and its settings as written, by name in capitals."""

    free: tuple[FreeConstant, ...]
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class PayoffTerm:
    """One element of a payoff: the formulas for the model, the data (empty for a policy) and the weight, and its kind.

    `kind` is Vensim's code in capitals without the star, such as C, CG, CGL, P, PF or RI.
    """

    model: str
    data: str
    weight: str
    kind: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Payoff:
    """A `.vpd` file: its terms, in order."""

    terms: tuple[PayoffTerm, ...]
