"""The unit of each expression in an equation, found from the inside outwards, and the mismatches on the way.

What multiplies, divides, adds up and compares follows Vensim's units check
(https://www.vensim.com/documentation/22275.html); the units of functions are in the function table. A wrong sub-expression
is reported once: the expression around it accepts any unit from it.

Units that a model leaves open are unknowns of linear equations over the rationals. Exponents of units add up where
quantities multiply, so that "these two have the same unit" is a linear equation. Gaussian elimination finds every unit
that follows from the others, and the equations that contradict each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from sympy import Add, Expr, Function, Indexed, Mul, Pow, S, Symbol

from ...errors import Place
from ..algebra import VensimFunction, references_in, split_reference, walk
from ..evaluation import evaluate
from ..functions.row import FunctionRow
from ..functions.table import LOOKUPS, row_of
from ..records import Element, Equation, Model
from ..text import divides, equation_text, unsigned
from .dimensions import NOTHING, Form, Rational, Vocabulary, combine, is_known, raised
from .signatures import Rule, read_rule

_TIME = "time"
_FINEST = 1000
"""The largest denominator of an exponent: 0.333 stays as it is, and the rounding error of a third is removed."""
_MOST_ROWS = 60
"""Maximum number of equations that are searched for the cause of a contradiction."""
_MOST_PLACES = 8
"""Maximum number of places that are reported as the cause of a contradiction: a longer list helps nobody."""

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class _Row:
    """One equation between unknowns: a product that must be a pure number, and the place in the model that says so."""

    product: Form
    place: Place


@dataclass(slots=True)
class Unknowns:
    """Unknown units, their solutions so far, and the equations between them.

    `mentions` lists the equations that contain each unknown. `polymorphic` holds the unknown units of numbers in
    equations, which take the unit that their neighbours need.
    """

    count: int = 0
    solved: dict[int, Form] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)
    mentions: dict[int, list[int]] = field(default_factory=dict)
    polymorphic: set[int] = field(default_factory=set)

    def fresh(self, *, polymorphic: bool = False) -> Form:
        """Return a new unknown unit."""
        name = self.count
        self.count += 1
        if polymorphic:
            self.polymorphic.add(name)
        return {name: 1}

    def resolve(self, unit: Form) -> Form:
        """Return the unit with all solutions so far put in."""
        return self._resolve(unit, self.solved)

    def _resolve(self, unit: Form, among: Container[int]) -> Form:
        while True:
            name = next((part for part in unit if isinstance(part, int) and part in among), None)
            if name is None:
                return unit
            rest = {other: own for other, own in unit.items() if other != name}
            unit = combine(rest, self.solved[name], unit[name])

    def equate(self, left: Form, right: Form, place: Place) -> bool:
        """Set two units equal; return False, and change nothing, if they cannot be equal."""
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
        """Return the unit with every number in it made a pure number; elements without units stay unknown."""
        for name in [part for part in self.resolve(unit) if part in self.polymorphic]:
            self.equate({name: 1}, NOTHING, place)
        return self._resolve(unit, self.polymorphic) if self.polymorphic & unit.keys() else unit

    def is_literal(self, unit: Form) -> bool:
        """Whether a unit is that of a number alone, which can still be any unit."""
        unit = self.resolve(unit)
        return len(unit) == 1 and all(name in self.polymorphic and power == 1 for name, power in unit.items())

    def because(self, left: Form, right: Form) -> tuple[Place, ...]:
        """Return the places in the model that together keep two units from being equal, or none if they are many.

        The equations are independent, so the contradiction is a combination of them in one way only, and all of these
        places are needed.
        """
        product = combine(left, right, -1)
        rows = self._connected(product)
        if is_known(product) or len(rows) > _MOST_ROWS:
            return ()
        solver = Unknowns()
        for number, row in enumerate(rows):
            rest = solver.resolve({**row.product, f"row {number}": 1})
            solver._solve(max(name for name in rest if isinstance(name, int)), rest)
        used = solver.resolve(product)
        places = sorted({row.place for number, row in enumerate(rows) if f"row {number}" in used})
        return tuple(places) if len(places) <= _MOST_PLACES else ()

    def _solve(self, name: int, product: Form) -> None:
        """Solve a product that is a pure number for one of its unknowns."""
        exponent = product[name]
        rest = {other: own for other, own in product.items() if other != name}
        factor: Rational = -1 if exponent == 1 else Fraction(-1) / exponent
        self.solved[name] = raised(rest, factor)

    def _connected(self, product: Form) -> Sequence[_Row]:
        """Return the equations connected to a product by shared unknowns; the search stops when there are too many."""
        waiting = [name for name in product if isinstance(name, int)]
        reached = set(waiting)
        found: set[int] = set()
        while waiting and len(found) <= _MOST_ROWS:
            for number in self.mentions.get(waiting.pop(), ()):
                if number not in found:
                    found.add(number)
                    new = {name for name in self.rows[number].product if isinstance(name, int)} - reached
                    reached |= new
                    waiting += sorted(new)
        return [self.rows[number] for number in sorted(found)]


@dataclass(frozen=True, slots=True)
class UnitMismatch:
    """One place where units do not fit: the sub-expression, with the expected unit (`left`) and the actual one (`right`).

    It is an error, except for the input of a lookup and in a model that gives units only to time, where it is a warning.
    For units that cannot be read both are empty.
    """

    place: Place
    level: Level
    variable: str
    expression: str
    left: str
    right: str
    message: str


@dataclass(slots=True)
class Check:
    """The state of a check: the unit of each element, the mismatches found, and the inputs of lookups."""

    model: Model
    words: Vocabulary
    unknowns: Unknowns
    units: dict[str, Form] = field(default_factory=dict)
    time: Form = field(default_factory=dict)
    level: Level = "error"
    without: list[str] = field(default_factory=list)
    mismatches: list[UnitMismatch] = field(default_factory=list)
    inputs: list[tuple[Site, Expr, Form]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Site:
    """The equation that is being checked."""

    check: Check
    element: Element
    equation: Equation

    def place(self, part: Expr, whole: Expr) -> Place:
        """Return the place of a part of a sub-expression, or of the sub-expression if the part occurs more than once."""
        if sum(other == part for other in walk(self.equation.expression)) > 1:
            part = whole
        known = self.equation.parts.get(part)
        if known is None and isinstance(part, Symbol | Indexed):
            known = self.equation.places.get(split_reference(part)[0])
        return known or self.equation.place

    def same(self, left: Form, right: Form) -> bool:
        """Set two units equal and return True, or return False if they cannot be equal."""
        return self.check.unknowns.equate(left, right, self.equation.place)

    def text(self, unit: Form) -> str:
        """Return a unit as text, as far as it is known."""
        return self.check.words.text(self.check.unknowns.resolve(unit))

    def source(self, part: Expr) -> str:
        """Return a part of the equation as written in the model."""
        return equation_text(self.check.model, part)

    def report(self, place: Place, whole: Expr, left: Form, right: Form, what: str) -> None:
        """Record that a sub-expression expects one unit and has another."""
        unknowns = self.check.unknowns
        missing = unknowns.resolve(combine(left, right, -1))
        causes = [cause for cause in unknowns.because(left, right) if cause != self.equation.place]
        lines = list(dict.fromkeys(str(cause.line) for cause in causes))
        inferred = f"; units left out follow from line{'s' * (len(lines) > 1)} {', '.join(lines)}" if lines else ""
        self.check.mismatches.append(
            UnitMismatch(
                place=place,
                level=self.check.level,
                variable=self.element.name,
                expression=self.source(whole),
                left=self.text(left),
                right=self.text(right),
                message=f"{what}; {_cure(self.check, missing)}{inferred}",
            )
        )


def _cure(check: Check, missing: Form) -> str:
    """Return what to multiply or divide an expression by so that it gets the expected unit."""
    divisor = all(exponent < 0 for exponent in missing.values())
    factor = raised(missing, -1) if divisor else missing
    thing = "a time" if factor == check.unknowns.resolve(check.time) else "something"
    return f"{'divide' if divisor else 'multiply'} it by {thing} in {check.words.text(factor)}, or correct the units"


def unit_of(expression: Expr, site: Site, wanted: Form | None = None) -> Form:
    """Return the unit of an expression; `wanted` is the unit its context expects, which breaks ties between its parts."""
    if isinstance(expression, Symbol | Indexed):
        return _reference(expression, site)
    if isinstance(expression, Add):
        return _sum(expression, site, wanted)
    if isinstance(expression, Mul):
        return _product(expression, site)
    if isinstance(expression, Pow):
        return _power(expression, expression.args[0], expression.args[1], site)
    if isinstance(expression, VensimFunction | Function):
        return _call(expression, row_of(expression), site, wanted)
    return site.check.unknowns.fresh(polymorphic=True)


def _reference(expression: Expr, site: Site) -> Form:
    """Return the unit of an element; a range or a label that stands for its number is a number like any other."""
    name, _ = split_reference(expression)
    if name == _TIME:
        return site.check.time
    unit = site.check.units.get(name)
    return site.check.unknowns.fresh(polymorphic=True) if unit is None else unit


def _sum(expression: Expr, site: Site, wanted: Form | None) -> Form:
    units = [unit_of(term, site, wanted) for term in expression.args]
    agreed = _agreed(units, site, wanted)
    sound = True
    for term, unit in zip(expression.args, units, strict=True):
        if not site.check.unknowns.is_literal(unit) and not site.same(agreed, unit):
            sound = False
            part = unsigned(term)
            what = f"'{site.source(part)}' is in {site.text(unit)}, what it is added to in {site.text(agreed)}"
            site.report(site.place(part, expression), expression, agreed, unit, what)
    return agreed if sound else site.check.unknowns.fresh()


def _agreed(units: Sequence[Form], site: Site, wanted: Form | None) -> Form:
    """Return the unit that most of several units have; in a tie, the one that the context expects, else the first."""
    unknowns = site.check.unknowns
    given = [unit for unit in units if not unknowns.is_literal(unit)]
    known = [(frozenset(unknowns.resolve(unit).items()), unit) for unit in given if is_known(unknowns.resolve(unit))]
    if not known:
        return given[0] if given else unknowns.fresh(polymorphic=True)
    counts = Counter(unit for unit, _ in known)
    expected = None if wanted is None else frozenset(unknowns.resolve(wanted).items())
    tied = expected is not None and counts[expected] == max(counts.values())
    most = expected if tied else counts.most_common(1)[0][0]
    return next(written for unit, written in known if unit == most)


def _product(expression: Expr, site: Site) -> Form:
    """Return the unit of a product: numbers in it are pure numbers, unless there is nothing else."""
    unknowns = site.check.unknowns
    factors: list[tuple[Form, int]] = []
    for factor in expression.args:
        if divides(factor):
            factors.append((unit_of(factor.args[0], site), -1))
        elif factor is not S.NegativeOne:
            factors.append((unit_of(factor, site), 1))
    if all(unknowns.is_literal(unit) for unit, _ in factors):
        return unknowns.fresh(polymorphic=True)
    product: Form = NOTHING
    for unit, exponent in factors:
        product = combine(product, unknowns.ground(unit, site.equation.place), exponent)
    return product


def _power(whole: Expr, base: Expr, exponent: Expr, site: Site) -> Form:
    """Return the unit of a power: a number scales the exponents; any other exponent needs pure numbers on both sides."""
    unknowns = site.check.unknowns
    unit = unit_of(base, site)
    number = _number(exponent, site)
    if number is not None:
        literal = unknowns.is_literal(unit)
        return (
            unknowns.fresh(polymorphic=True) if literal else raised(unknowns.ground(unit, site.equation.place), number)
        )
    for part, own, role in ((base, unit, "base"), (exponent, unit_of(exponent, site), "exponent")):
        if not site.same(NOTHING, own):
            what = f"'{site.source(part)}' is the {role} of a power and in {site.text(own)}, where only a pure number is allowed"
            site.report(site.place(part, whole), whole, NOTHING, own, what)
    return NOTHING


def _number(exponent: Expr, site: Site) -> Rational | None:
    """Return the value of an exponent without names in it, or None."""
    if not exponent.is_Number and next(references_in(exponent), None) is not None:
        return None
    value = evaluate(site.check.model.subscripts, exponent, {}, lambda _: math.nan)
    return Fraction(value).limit_denominator(_FINEST) if math.isfinite(value) else None


def _call(call: Expr, row: FunctionRow, site: Site, wanted: Form | None) -> Form:
    """Return the unit of a function's result, and compare each argument with the function's rule."""
    if row.name == "POWER":
        return _power(call, call.args[0], call.args[1], site)
    rule = read_rule(row.units)
    pairs = [
        (part, pattern, unit_of(part, site))
        for part, pattern in zip(call.args, rule.patterns, strict=True)
        if pattern is not None
    ]
    expected = None if row.name in LOOKUPS else wanted
    meaning = _meaning(rule, [(pattern, unit) for _, pattern, unit in pairs], site, expected)
    if row.name in LOOKUPS:
        site.check.inputs.append((site, call, pairs[1][2]))
    unsure: set[str | int] = set()
    for (part, pattern, unit), argument in zip(pairs, row.arguments, strict=False):
        if site.check.unknowns.is_literal(unit) or site.same(_filled(pattern, meaning), unit):
            continue
        unsure |= set(pattern)
        needed = _filled(pattern, meaning)
        what = f"'{site.source(part)}', the {argument} of {row.name}, is in {site.text(unit)} and not in {site.text(needed)}"
        site.report(site.place(part, call), call, needed, unit, what)
    result = rule.result or NOTHING
    sure = (unsure - {"t"}).isdisjoint(result)
    return _filled(result, meaning) if sure else site.check.unknowns.fresh()


def _meaning(
    rule: Rule, arguments: Sequence[tuple[Form, Form]], site: Site, wanted: Form | None
) -> Mapping[str | int, Form]:
    """Return the unit of each letter of a rule in a call: the one that most arguments with that letter have."""
    meaning: dict[str | int, Form] = {"t": site.check.time}
    for letter in rule.letters:
        given = [
            raised(combine(unit, _filled(rest, meaning), -1), Fraction(1) / pattern[letter])
            for pattern, unit in arguments
            if letter in pattern and not site.check.unknowns.is_literal(unit)
            for rest in [{name: own for name, own in pattern.items() if name != letter}]
            if set(rest) <= {"t"}
        ]
        expected = wanted if rule.result == {letter: 1} else None
        alone = expected is not None and len(given) == 1 and is_known(site.check.unknowns.resolve(expected))
        meaning[letter] = expected if expected is not None and alone else _agreed(given, site, expected)
    return meaning


def _filled(pattern: Form, meaning: Mapping[str | int, Form]) -> Form:
    """Return a pattern with units for its letters."""
    unit: Form = NOTHING
    for letter, exponent in pattern.items():
        unit = combine(unit, meaning[letter], exponent)
    return unit
