"""The input of Vensim's optimiser: the constants it may change, and the payoff that says how good a run is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..errors import Place
from ..model import NOWHERE


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
