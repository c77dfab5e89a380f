"""The unit of each expression in an equation, found from the inside outwards, and what does not fit on the way.

What multiplies and divides, adds up and compares follows Vensim's units check
(https://www.vensim.com/documentation/22275.html), what a function takes and gives the table of functions. A sub-expression
that is wrong is told once: what stands around it takes any unit from it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from sympy import Add, Expr, Function, Indexed, Mul, Pow, S, Symbol

from ...errors import Place
from ..algebra import VensimFunction, references, referred, walk
from ..evaluation import evaluate
from ..functions.table import FUNCTIONS, LOOKUPS, FunctionRow
from ..records import Element, Equation, Model
from ..wording import divides, rows_of_sympy, unsigned, worded
from .dimensions import NOTHING, Form, Rational, Vocabulary, combine, is_known, raised
from .signatures import Rule, read_rule
from .unknowns import Unknowns

_TIME = "time"
_FINEST = 1000
"""The largest denominator of an exponent: 0.333 stays what it is, and rounding of a third is taken off."""


Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """One place where units do not fit: the sub-expression, the unit asked for on the left and the one found on the right.

    It is a warning for the input of a lookup, and in a model whose author gives units to nothing but time, else an error. A
    text of units that is none has no unit on either side.
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
    """What the equations of a model share: the unit of each element, what is found wrong, and the inputs of lookups."""

    model: Model
    words: Vocabulary
    unknowns: Unknowns
    units: dict[str, Form] = field(default_factory=dict)
    time: Form = field(default_factory=dict)
    level: Level = "error"
    without: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    inputs: list[tuple[Site, Expr, Form]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Site:
    """The equation that is looked at."""

    check: Check
    element: Element
    equation: Equation

    def place(self, part: Expr, whole: Expr) -> Place:
        """Where a part of a sub-expression begins, or the sub-expression if the part stands elsewhere too."""
        if sum(each == part for each in walk(self.equation.expression)) > 1:
            part = whole
        known = self.equation.parts.get(part)
        if known is None and isinstance(part, Symbol | Indexed):
            known = self.equation.places.get(referred(part)[0])
        return known or self.equation.place

    def same(self, left: Form, right: Form) -> bool:
        """Whether two units can be the same; from now on they are."""
        return self.check.unknowns.equate(left, right, self.equation.place)

    def text(self, unit: Form) -> str:
        """A unit as far as it is known."""
        return self.check.words.text(self.check.unknowns.resolve(unit))

    def word(self, part: Expr) -> str:
        """A part of the equation as the author would write it."""
        return worded(self.check.model, part)

    def tell(self, place: Place, whole: Expr, left: Form, right: Form, what: str) -> None:
        """Notes that a sub-expression asks for one unit and finds another."""
        unknowns = self.check.unknowns
        missing = unknowns.resolve(combine(left, right, -1))
        because = [each for each in unknowns.because(left, right) if each != self.equation.place]
        lines = list(dict.fromkeys(str(each.line) for each in because))
        settled = f"; units left out follow from line{'s' * (len(lines) > 1)} {', '.join(lines)}" if lines else ""
        self.check.doubts.append(
            Doubt(
                place=place,
                level=self.check.level,
                variable=self.element.name,
                expression=self.word(whole),
                left=self.text(left),
                right=self.text(right),
                message=f"{what}; {_cure(self.check, missing)}{settled}",
            )
        )


def _cure(check: Check, missing: Form) -> str:
    """What a unit has to be multiplied by to become the one that is asked for."""
    divisor = all(exponent < 0 for exponent in missing.values())
    factor = raised(missing, -1) if divisor else missing
    thing = "a time" if factor == check.unknowns.resolve(check.time) else "something"
    return f"{'divide' if divisor else 'multiply'} it by {thing} in {check.words.text(factor)}, or correct the units"


def unit_of(expression: Expr, site: Site, wanted: Form | None = None) -> Form:
    """The unit of an expression; `wanted` is what stands around it asks for, and tips the balance between its parts."""
    if isinstance(expression, Symbol | Indexed):
        return _reference(expression, site)
    if isinstance(expression, Add):
        return _sum(expression, site, wanted)
    if isinstance(expression, Mul):
        return _product(expression, site)
    if isinstance(expression, Pow):
        return _power(expression, expression.args[0], expression.args[1], site)
    if isinstance(expression, VensimFunction):
        return _call(expression, FUNCTIONS[expression.name], site, wanted)
    if isinstance(expression, Function):
        return _call(expression, FUNCTIONS[rows_of_sympy()[type(expression)]], site, wanted)
    return site.check.unknowns.fresh(polymorphic=True)


def _reference(expression: Expr, site: Site) -> Form:
    """The unit of an element; a range or a label that stands for its number is a number like any other."""
    name, _ = referred(expression)
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
            what = f"'{site.word(part)}' is in {site.text(unit)}, what it is added to in {site.text(agreed)}"
            site.tell(site.place(part, expression), expression, agreed, unit, what)
    return agreed if sound else site.check.unknowns.fresh()


def _agreed(units: Sequence[Form], site: Site, wanted: Form | None) -> Form:
    """The unit that most of several have; of as many, what stands around them asks for, or else the first."""
    unknowns = site.check.unknowns
    told = [unit for unit in units if not unknowns.is_literal(unit)]
    known = [(frozenset(unknowns.resolve(unit).items()), unit) for unit in told if is_known(unknowns.resolve(unit))]
    if not known:
        return told[0] if told else unknowns.fresh(polymorphic=True)
    counts = Counter(unit for unit, _ in known)
    asked = None if wanted is None else frozenset(unknowns.resolve(wanted).items())
    tipped = asked is not None and counts[asked] == max(counts.values())
    most = asked if tipped else counts.most_common(1)[0][0]
    return next(written for unit, written in known if unit == most)


def _product(expression: Expr, site: Site) -> Form:
    """Numbers are pure numbers here, unless there is nothing else."""
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
    """A power that is a number scales the exponents; any other needs a pure number on either side."""
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
            what = (
                f"'{site.word(part)}' is the {role} of a power and in {site.text(own)}, where only a number can stand"
            )
            site.tell(site.place(part, whole), whole, NOTHING, own, what)
    return NOTHING


def _number(exponent: Expr, site: Site) -> Rational | None:
    """What an exponent without names in it is, or nothing."""
    if not exponent.is_Number and next(references(exponent), None) is not None:
        return None
    value = evaluate(site.check.model.subscripts, exponent, {}, lambda _: math.nan)
    return Fraction(value).limit_denominator(_FINEST) if math.isfinite(value) else None


def _call(call: Expr, row: FunctionRow, site: Site, wanted: Form | None) -> Form:
    """The unit that a function gives, with each argument held against the function's rule."""
    if row.name == "POWER":
        return _power(call, call.args[0], call.args[1], site)
    rule = read_rule(row.units)
    pairs = [
        (part, pattern, unit_of(part, site))
        for part, pattern in zip(call.args, rule.patterns, strict=True)
        if pattern is not None
    ]
    asked = None if row.name in LOOKUPS else wanted
    meaning = _meaning(rule, [(pattern, unit) for _, pattern, unit in pairs], site, asked)
    if row.name in LOOKUPS:
        site.check.inputs.append((site, call, pairs[1][2]))
    unsure: set[str | int] = set()
    for (part, pattern, unit), argument in zip(pairs, row.arguments, strict=False):
        if site.check.unknowns.is_literal(unit) or site.same(_filled(pattern, meaning), unit):
            continue
        unsure |= set(pattern)
        asked = _filled(pattern, meaning)
        what = (
            f"'{site.word(part)}', the {argument} of {row.name}, is in {site.text(unit)} and not in {site.text(asked)}"
        )
        site.tell(site.place(part, call), call, asked, unit, what)
    result = rule.result or NOTHING
    sure = (unsure - {"t"}).isdisjoint(result)
    return _filled(result, meaning) if sure else site.check.unknowns.fresh()


def _meaning(
    rule: Rule, arguments: Sequence[tuple[Form, Form]], site: Site, wanted: Form | None
) -> Mapping[str | int, Form]:
    """What each letter of a rule stands for in a call: what most of the arguments that tell it say."""
    meaning: dict[str | int, Form] = {"t": site.check.time}
    for letter in rule.letters:
        told = [
            raised(combine(unit, _filled(rest, meaning), -1), Fraction(1) / pattern[letter])
            for pattern, unit in arguments
            if letter in pattern and not site.check.unknowns.is_literal(unit)
            for rest in [{name: own for name, own in pattern.items() if name != letter}]
            if set(rest) <= {"t"}
        ]
        asked = wanted if rule.result == {letter: 1} else None
        alone = asked is not None and len(told) == 1 and is_known(site.check.unknowns.resolve(asked))
        meaning[letter] = asked if asked is not None and alone else _agreed(told, site, asked)
    return meaning


def _filled(pattern: Form, meaning: Mapping[str | int, Form]) -> Form:
    """A pattern with units for its letters."""
    unit: Form = NOTHING
    for letter, exponent in pattern.items():
        unit = combine(unit, meaning[letter], exponent)
    return unit
