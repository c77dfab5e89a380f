"""What a model is made of: immutable records that say what the author wrote and little that is derived from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from sympy import Expr

from ..errors import Place
from .algebra import NA, walk
from .names import identifiers, key

Kind = Literal["stock", "flow", "auxiliary", "constant", "lookup"]
Integrator = Literal["euler", "rk4"]

NOWHERE = Place("", 1)
_TIME = "time"


@dataclass(frozen=True, slots=True)
class Range:
    """The bounds and step of the units field, in the element's units; None where the author wrote `?` or nothing."""

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class SubscriptMapping:
    """Which labels of another range the labels of a range stand for; all are keys.

    `labels[i]` are the labels of the range `target` that the i-th label of the mapped range stands for; empty
    where the author gave no list, which means position by position.
    """

    target: str
    labels: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Subscript:
    """A subscript range: an ordered list of labels, in the author's spelling."""

    name: str
    labels: tuple[str, ...]
    mappings: tuple[SubscriptMapping, ...] = ()
    comment: str = ""
    place: Place = NOWHERE

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of the labels, in order."""
        return tuple(map(key, self.labels))

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """The place of each label in the range, from 0, by key."""
        return {label: place for place, label in enumerate(self.keys)}


@dataclass(frozen=True)
class Equation:
    """One equation of an element: the whole of it, or the part that its left-hand subscripts name.

    `subscripts` and `exceptions` hold keys of ranges or labels, one for each dimension. `expression` is SymPy's, in the
    author's form and never evaluated. `text` is the author's right-hand side. `places` tells where each name (a key) that
    the expression mentions first stands in the file, `parts` where each sum, product, power and call in it first begins.
    """

    expression: Expr
    subscripts: tuple[str, ...] = ()
    exceptions: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    place: Place = NOWHERE
    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    parts: Mapping[Expr, Place] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)


@dataclass(frozen=True)
class Element:
    """A stock, flow, auxiliary, constant or lookup, with every equation that defines it.

    `dimensions` are keys of subscript ranges, one for each left-hand subscript: the smallest declared range that holds
    every label the equations name there. `fixed` marks a constant written with `==`, which nothing may change; `hidden` an
    element that the author did not write, such as the level inside a SMOOTH.
    """

    name: str
    kind: Kind
    equations: tuple[Equation, ...]
    dimensions: tuple[str, ...] = ()
    units: str = ""
    range: Range | None = None
    comment: str = ""
    group: str = ""
    supplementary: bool = False
    fixed: bool = False
    hidden: bool = False

    @cached_property
    def key(self) -> str:
        """The name as Vensim compares it."""
        return key(self.name)

    @property
    def place(self) -> Place:
        """Where the first equation begins."""
        return self.equations[0].place if self.equations else NOWHERE


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the model's text: its name without the leading dot, and its comment."""

    name: str
    comment: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A model as its author wrote it; elements and subscripts by key, in the order of the file.

    `text` is the whole of the file, so that a run can be repeated from its own record; `sha256` is that of its bytes.
    """

    path: str
    elements: Mapping[str, Element]
    subscripts: Mapping[str, Subscript] = field(default_factory=lambda: MappingProxyType({}))
    groups: tuple[Group, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    integrator: Integrator = "euler"
    text: str = ""
    sha256: str = ""

    def __repr__(self) -> str:
        return f"<Model {self.path}: {len(self)} elements>"

    def __getitem__(self, name: str) -> Element:
        """The element of that name, however it is spelt."""
        return self.elements[key(name)]

    def __contains__(self, name: str) -> bool:
        return key(name) in self.elements

    def __iter__(self) -> Iterator[Element]:
        return iter(self.elements.values())

    def __len__(self) -> int:
        return len(self.elements)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The author's spelling of every label, by key."""
        ranges = self.subscripts.values()
        return MappingProxyType(
            {own: label for each in ranges for own, label in zip(each.keys, each.labels, strict=True)}
        )

    @cached_property
    def mentions_missing(self) -> bool:
        """Whether `:NA:` stands in some equation."""
        equations = (equation for element in self for equation in element.equations)
        return any(part == NA for equation in equations for part in walk(equation.expression) if part.is_Float)

    @cached_property
    def range_identifiers(self) -> Mapping[str, str]:
        """What the dimension of each subscript range is called in a dataset, by key: never the same as a variable."""
        names = identifiers((_TIME, *self.elements, *self.subscripts))
        return MappingProxyType({each: names[each] for each in self.subscripts})

    @cached_property
    def identifiers(self) -> Mapping[str, str]:
        """What the variable of each element is called in a dataset, by key."""
        names = identifiers((_TIME, *self.elements))
        return MappingProxyType({each: names[each] for each in self.elements})
