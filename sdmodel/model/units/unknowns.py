"""Units that an author leaves open, as unknowns of linear equations over the rationals.

Exponents of units add up where quantities multiply, so that "these two have the same unit" is a linear equation, and Gaussian
elimination finds every unit that the others settle, and what contradicts what.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ...errors import Place
from .dimensions import NOTHING, Form, Rational, combine, is_known, raised

_MOST = 60
"""Equations among which the cause of a contradiction is looked for."""
_FEW = 8
"""Places that are told as the cause of a contradiction: what more of them say together helps nobody."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One equation between unknowns: a product that has to be a pure number, and where the model says so."""

    product: Form
    place: Place


@dataclass(slots=True)
class Unknowns:
    """Unknown units, what is found out about them, and the equations that say so.

    `mentions` are the equations that each stands in. `polymorphic` are those of numbers in equations, which take the unit
    that their neighbours ask for.
    """

    count: int = 0
    solved: dict[int, Form] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)
    mentions: dict[int, list[int]] = field(default_factory=dict)
    polymorphic: set[int] = field(default_factory=set)

    def fresh(self, *, polymorphic: bool = False) -> Form:
        """A new unknown unit."""
        name = self.count
        self.count += 1
        if polymorphic:
            self.polymorphic.add(name)
        return {name: 1}

    def resolve(self, unit: Form) -> Form:
        """The unit with everything put in that is known by now."""
        return self._resolve(unit, self.solved)

    def _resolve(self, unit: Form, among: Container[int]) -> Form:
        while True:
            name = next((each for each in unit if isinstance(each, int) and each in among), None)
            if name is None:
                return unit
            rest = {each: own for each, own in unit.items() if each != name}
            unit = combine(rest, self.solved[name], unit[name])

    def equate(self, left: Form, right: Form, place: Place) -> bool:
        """Takes two units for the same; untrue, and nothing is taken, if they cannot be."""
        product = combine(left, right, -1)
        if not product:
            return True
        rest = self.resolve(product)
        free = [name for name in rest if isinstance(name, int)]
        if not free:
            return not rest
        self._solve(max(free), rest)
        for name in product:
            if isinstance(name, int):
                self.mentions.setdefault(name, []).append(len(self.rows))
        self.rows.append(_Row(product, place))
        return True

    def ground(self, unit: Form, place: Place) -> Form:
        """The unit with every number in it taken for a pure number; elements without units stay named in it."""
        for name in [each for each in self.resolve(unit) if each in self.polymorphic]:
            self.equate({name: 1}, NOTHING, place)
        return self._resolve(unit, self.polymorphic) if self.polymorphic & unit.keys() else unit

    def is_literal(self, unit: Form) -> bool:
        """Whether a unit is that of a number alone, which may still be any."""
        unit = self.resolve(unit)
        return len(unit) == 1 and all(name in self.polymorphic and power == 1 for name, power in unit.items())

    def because(self, left: Form, right: Form) -> tuple[Place, ...]:
        """Where the model says what keeps two units from being the same, if few places do: fewer would not contradict them.

        The equations at hand are independent, so that the contradiction is a combination of them in one way only.
        """
        product = combine(left, right, -1)
        rows = self._connected(product)
        if is_known(product) or len(rows) > _MOST:
            return ()
        trial = Unknowns()
        for number, row in enumerate(rows):
            rest = trial.resolve({**row.product, f"row {number}": 1})
            trial._solve(max(name for name in rest if isinstance(name, int)), rest)
        used = trial.resolve(product)
        places = sorted({row.place for number, row in enumerate(rows) if f"row {number}" in used})
        return tuple(places) if len(places) <= _FEW else ()

    def _solve(self, name: int, product: Form) -> None:
        """Keeps what an unknown is, given that a product with it is a pure number."""
        exponent = product[name]
        rest = {each: own for each, own in product.items() if each != name}
        factor: Rational = -1 if exponent == 1 else Fraction(-1) / exponent
        self.solved[name] = raised(rest, factor)

    def _connected(self, product: Form) -> Sequence[_Row]:
        """The equations that share unknowns with a product, or with one another; too many are not gathered to the end."""
        waiting = [name for name in product if isinstance(name, int)]
        reached = set(waiting)
        found: set[int] = set()
        while waiting and len(found) <= _MOST:
            for number in self.mentions.get(waiting.pop(), ()):
                if number not in found:
                    found.add(number)
                    new = {name for name in self.rows[number].product if isinstance(name, int)} - reached
                    reached |= new
                    waiting += sorted(new)
        return [self.rows[number] for number in sorted(found)]
