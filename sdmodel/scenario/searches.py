"""What Vensim's optimiser is told: which constants it may move, and what makes a run good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..errors import Place
from ..model import NOWHERE


@dataclass(frozen=True, slots=True)
class Free:
    """A constant that a search may move, between bounds from an initial value, all in its own units; None where not given.

    `tolerance` is what stands behind a bar, as written.
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
    """A `.voc` file: the constants to search over, and its settings by name in capitals, as written."""

    free: tuple[Free, ...]
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Term:
    """One element of a payoff: formulas of the model, of the data (empty for a policy) and of the weight, and its kind.

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

    terms: tuple[Term, ...]
