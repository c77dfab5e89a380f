"""Sketches as records: views of words and arrows, as stored in a model file or laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from ...errors import Place
from ..names import key
from ..records import NOWHERE, Kind

WordKind = Literal["variable", "valve", "cloud", "comment", "control", "picture"]
Shape = Literal["default", "clear", "box", "round"]
Colour = tuple[int, int, int]
_SIGNS: Mapping[str, float] = MappingProxyType({"+": 1.0, "s": 1.0, "-": -1.0, "o": -1.0})
"""The effects that the letters at an arrow stand for: more, same, less, opposite."""


@dataclass(frozen=True, slots=True)
class Lettering:
    """The font of a text as far as it is given: face, size in points, and marks such as `B` and `I` for bold and italic."""

    face: str = ""
    points: float | None = None
    marks: str = ""
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """An object of a view: a variable, valve, cloud, comment, control or picture.

    x grows to the right and y downwards; both sizes are halves, in the view's units.

    The default shape is a box for a stock and nothing for other variables. `shadow` marks a shadow variable, `attached`
    the name of a flow that moves with its valve, and `upright` a valve on a pipe that runs up or down. The lettering holds
    only what differs from the view's.
    """

    number: int
    kind: WordKind
    text: str
    x: int
    y: int
    half_width: int
    half_height: int
    shape: Shape = "default"
    shadow: bool = False
    attached: bool = False
    upright: bool = False
    hidden: bool = False
    lettering: Lettering = Lettering()
    border: Colour | None = None
    fill: Colour | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from one word to another, by their numbers: an influence, or with `pipe` half of a flow from its valve.

    `form` is its course: straight, an arc of the circle through `points[0]`, or a path from point to point. `polarity` is
    one letter or empty. `head` says whether the end has an arrow head, `initial` whether only the value at the start
    depends on the cause.
    """

    number: int
    source: int
    target: int
    form: Literal["straight", "arc", "path"] = "straight"
    points: tuple[tuple[int, int], ...] = ()
    pipe: bool = False
    head: bool = True
    polarity: str = ""
    thickness: int = 0
    delayed: bool = False
    initial: bool = False
    hidden: bool = False
    colour: Colour | None = None
    place: Place = NOWHERE


@dataclass(frozen=True)
class View:
    """One page of a sketch; `density` is the number of its units per inch."""

    name: str
    words: tuple[Word, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    lettering: Lettering = Lettering()
    arrow_colour: Colour | None = None
    density: int = 96
    place: Place = NOWHERE

    @cached_property
    def by_number(self) -> Mapping[int, Word]:
        """The words by the numbers that arrows refer to."""
        return MappingProxyType({word.number: word for word in self.words})

    @cached_property
    def polarities(self) -> Mapping[tuple[str, str], float]:
        """The signs of the arrows that have a polarity, and of pipes into and out of stocks, by the keys of cause and effect."""
        shown = {word.number: key(word.text) for word in self.words if word.kind == "variable"}
        pairs = zip(self.words, self.words[1:], strict=False)
        shown |= {valve.number: key(flow.text) for valve, flow in pairs if valve.kind == "valve" and flow.attached}
        found = {}
        for arrow in self.arrows:
            sign = (1.0 if arrow.head else -1.0) if arrow.pipe else _SIGNS.get(arrow.polarity.lower())
            if sign is not None and arrow.source in shown and arrow.target in shown:
                found[shown[arrow.source], shown[arrow.target]] = sign
        return MappingProxyType(found)


@dataclass(frozen=True)
class Sketch:
    """All views of a model, and the kind of each element by key, as far as its equations can be read."""

    path: str
    sha256: str = ""
    views: tuple[View, ...] = ()
    kinds: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, name: str) -> View | None:
        """Return the first view of that name, in the same spelling or one that Vensim treats as equal."""
        exact = (view for view in self.views if view.name == name)
        alike = (view for view in self.views if key(view.name) == key(name))
        return next(exact, None) or next(alike, None)
