"""Check that the units of a model fit together, and infer the units of elements that have none.

The unit of each expression is found from the inside outwards. What multiplies, divides, adds up and compares follows Vensim's
units check (https://www.vensim.com/documentation/22275.html); the units of functions are in the function table. A wrong
sub-expression is reported once: the expression around it accepts any unit from it.

Units that a model leaves open are unknowns of linear equations over the rationals. Exponents of units add up where
quantities multiply, so that "these two have the same unit" is a linear equation. Gaussian elimination finds every unit
that follows from the others, and the equations that contradict each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from sympy import Add, Expr, Function, Mul, Pow, S

from ...errors import Place
from ..algebra import (
    Slice,
    VensimFunction,
    is_reference,
    product_factors,
    references_in,
    split_reference,
    unsigned,
    walk,
)
from ..evaluation import evaluate
from ..functions.row import FunctionRow
from ..functions.table import LOOKUPS, row_of
from ..records import Element, Equation, Model
from ..subscripts import TIME
from ..text import equation_text
from .dimensions import (
    NOTHING,
    Form,
    Rational,
    Rule,
    UnitSyntaxError,
    Vocabulary,
    combine,
    is_known,
    raised,
    read_rule,
    vocabulary_of,
)

_CLOCK = ("initial_time", "time_step", "final_time", "saveper")
"""Elements in the model's unit of time; the first that has units determines it."""
_FINEST = 1000
"""The largest denominator of an exponent: 0.333 stays as it is, and the rounding error of a third is removed."""
_MOST_ROWS = 60
"""Maximum number of equations that are searched for the cause of a contradiction."""
_MOST_PLACES = 8
"""Maximum number of places that are reported as the cause of a contradiction: a longer list does not help."""

Level = Literal["error", "warning"]


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


@dataclass(frozen=True, slots=True)
class UnitReport:
    """The mismatches in the units of a model, in the order of the file, and the units of elements without units.

    `inferred` maps keys to the units that follow from the equations; `open` lists the keys whose units follow from nothing.
    """

    mismatches: tuple[UnitMismatch, ...]
    inferred: Mapping[str, str]
    open: tuple[str, ...]


def check_units(model: Model) -> UnitReport:
    """Check the units of a model and infer those of elements without units."""
    check = _begin(model)
    for element in _ordered(model, check.without):
        for equation in element.equations:
            site, own = _Site(check, element, equation), check.units[element.key]
            unit = _unit_of(equation.expression, site, own)
            if not check.unknowns.is_literal(unit) and not site.same(own, unit):
                what = f"'{element.name}' is in {site.text(own)}, its equation in {site.text(unit)}"
                site.report(equation.place, equation.expression, own, unit, what)
    _check_inputs(check)
    resolved = {name: check.unknowns.resolve(check.units[name]) for name in check.without}
    shown = {name: unit for name, unit in resolved.items() if not model.elements[name].hidden}
    return UnitReport(
        mismatches=tuple(sorted(dict.fromkeys(check.mismatches), key=lambda found: (found.place, found.message))),
        inferred=MappingProxyType({name: check.words.text(unit) for name, unit in shown.items() if is_known(unit)}),
        open=tuple(name for name, unit in shown.items() if not is_known(unit)),
    )


def formula_units(model: Model, formula: Expr, *, over_time: bool = False) -> tuple[str, tuple[str, ...]]:
    """Return the units of a formula over a model's variables, or of its integral over time, and what does not fit in it."""
    check = _begin(model)
    check.mismatches.clear()  # those of the model are not the formula's
    site = _Site(check, Element("the formula", "auxiliary", ()), Equation(formula))
    unit = check.unknowns.resolve(_unit_of(formula, site))
    if over_time:
        unit = combine(unit, check.unknowns.resolve(check.time))
    return check.words.text(unit), tuple(mismatch.message for mismatch in check.mismatches)


def _begin(model: Model) -> _Check:
    """Return the check before the first equation: units in the model, unknown units for the rest, and the unit of time."""
    words = vocabulary_of([element.units for element in model if not element.hidden], model.synonyms)
    check = _Check(model, words, _Unknowns())
    units = {name: _declared(check, element) for name, element in model.elements.items()}
    check.without = [name for name, unit in units.items() if unit is None]
    for name in sorted(units):
        check.units[name] = check.unknowns.fresh() if units[name] is None else units[name]  # type: ignore[assignment]
    if set(model.elements) - set(check.without) <= set(_CLOCK):
        check.level = "warning"
    clock = [name for name in _CLOCK if name in check.units]
    declared = [name for name in clock if name not in check.without]
    check.time = check.units[[*declared, *clock][0]] if clock else check.unknowns.fresh()
    for name in clock:
        element = model.elements[name]
        if not check.unknowns.equate(check.time, check.units[name], element.place):
            left, right = words.text(check.time), words.text(check.units[name])
            what = f"'{element.name}' is in {right}, '{model.elements[declared[0]].name}' in {left}"
            what += "; give both the model's unit of time"
            check.mismatches.append(UnitMismatch(element.place, "error", element.name, element.name, left, right, what))
    return check


def _declared(check: _Check, element: Element) -> Form | None:
    """Return the units in the model; the units of hidden elements depend on where their macro is called."""
    try:
        return None if element.hidden else check.words.unit(element.units)
    except UnitSyntaxError as problem:
        mismatch = UnitMismatch(element.place, "error", element.name, element.units, "", "", str(problem))
        check.mismatches.append(mismatch)
        return check.unknowns.fresh()


def _ordered(model: Model, without: Sequence[str]) -> Iterator[Element]:
    """Yield elements without units, each after those it reads so that its equation determines it first; then the rest.

    Elements are sorted by name, so that the order of the file makes no difference.
    """
    left = set(without)
    stack = sorted(left, reverse=True)
    opened: set[str] = set()
    while stack:
        name = stack[-1]
        inner: list[str] = []
        if name in left and name not in opened:
            parts = (part for own in model.elements[name].equations for part in references_in(own.expression))
            inner = sorted(({split_reference(part)[0] for part in parts} & left) - opened - {name})
        opened.add(name)
        stack += reversed(inner)
        if not inner:
            stack.pop()
            if name in left:
                left.discard(name)
                yield model.elements[name]
    yield from (model.elements[name] for name in sorted(set(model.elements) - set(without)))


def _check_inputs(check: _Check) -> None:
    """Report inputs of lookups that are not pure numbers: a change of units would need other tables.

    Vensim warns of them too (https://www.vensim.com/documentation/22280.html). A lookup of time is a time series and is
    not reported.
    """
    for site, call, found in check.inputs:
        unit = check.unknowns.resolve(found)
        if unit and is_known(unit) and unit != check.unknowns.resolve(check.time):
            part, wrong, right = call.args[1], site.text(unit), check.words.text({})
            what = f"'{site.source(part)}', the input of a lookup, is in {wrong}"
            what += f"; divide it by a normal value in {wrong}, so that the table holds for any unit"
            place, text = site.place(part, call), site.source(call)
            check.mismatches.append(UnitMismatch(place, "warning", site.element.name, text, right, wrong, what))


@dataclass(slots=True)
class _Unknowns:
    """Unknown units, their solutions so far, and the equations between them.

    A row is an equation: a product that must be a pure number, and the place in the model that says so. `mentions` lists the equations that contain each unknown. `polymorphic` holds the unknown units of numbers in
    equations, which take the unit that their neighbours need.
    """

    count: int = 0
    solved: dict[int, Form] = field(default_factory=dict)
    rows: list[tuple[Form, Place]] = field(default_factory=list)
    mentions: dict[int, list[int]] = field(default_factory=dict)
    polymorphic: set[int] = field(default_factory=set)

    def fresh(self, *, polymorphic: bool = False) -> Form:
        name = self.count
        self.count += 1
        if polymorphic:
            self.polymorphic.add(name)
        return {name: 1}

    def resolve(self, unit: Form) -> Form:
        return self._resolve(unit, self.solved)

    def _resolve(self, unit: Form, among: Container[int]) -> Form:
        waiting = [name for name in unit if isinstance(name, int) and name in among]
        found = dict(unit)
        while waiting:
            name = waiting.pop()
            power = found.pop(name, 0)  # nothing if it has cancelled, or was waiting twice
            for other, own in self.solved[name].items() if power else ():
                found[other] = found.get(other, 0) + own * power
                if not found[other]:
                    del found[other]
                elif isinstance(other, int) and other in among:
                    waiting.append(other)
        return found

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
        self.rows.append((product, place))
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
        solver = _Unknowns()
        for number, (row, _) in enumerate(rows):
            rest = solver.resolve({**row, f"row {number}": 1})
            solver._solve(max(name for name in rest if isinstance(name, int)), rest)
        used = solver.resolve(product)
        places = sorted({place for number, (_, place) in enumerate(rows) if f"row {number}" in used})
        return tuple(places) if len(places) <= _MOST_PLACES else ()

    def _solve(self, name: int, product: Form) -> None:
        """Solve for one of its unknowns a product that must be a pure number."""
        exponent = product[name]
        rest = {other: own for other, own in product.items() if other != name}
        factor: Rational = -1 if exponent == 1 else Fraction(-1) / exponent
        self.solved[name] = raised(rest, factor)

    def _connected(self, product: Form) -> list[tuple[Form, Place]]:
        """Return the equations connected to a product by shared unknowns; the search stops when there are too many."""
        waiting = [name for name in product if isinstance(name, int)]
        reached = set(waiting)
        found: set[int] = set()
        while waiting and len(found) <= _MOST_ROWS:
            for number in self.mentions.get(waiting.pop(), ()):
                if number not in found:
                    found.add(number)
                    new = {name for name in self.rows[number][0] if isinstance(name, int)} - reached
                    reached |= new
                    waiting += sorted(new)
        return [self.rows[number] for number in sorted(found)]


@dataclass(slots=True)
class _Check:
    """The state of a check: the unit of each element, the mismatches found, and the inputs of lookups."""

    model: Model
    words: Vocabulary
    unknowns: _Unknowns
    units: dict[str, Form] = field(default_factory=dict)
    time: Form = field(default_factory=dict)
    level: Level = "error"
    without: list[str] = field(default_factory=list)
    mismatches: list[UnitMismatch] = field(default_factory=list)
    inputs: list[tuple[_Site, Expr, Form]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Site:
    """The equation that is being checked."""

    check: _Check
    element: Element
    equation: Equation

    def place(self, part: Expr, whole: Expr) -> Place:
        """Return the place of a part of a sub-expression, or that of the sub-expression if the part occurs more than once."""
        if sum(other == part for other in walk(self.equation.expression)) > 1:
            part = whole
        known = self.equation.parts.get(part)
        if known is None and is_reference(part):
            known = self.equation.places.get(split_reference(part)[0])
        return known or self.equation.place

    def same(self, left: Form, right: Form) -> bool:
        return self.check.unknowns.equate(left, right, self.equation.place)

    def text(self, unit: Form) -> str:
        return self.check.words.text(self.check.unknowns.resolve(unit))

    def source(self, part: Expr) -> str:
        """Return the text of a part, without the limit 0 that XMILE sets outside of the equation."""
        if isinstance(part, VensimFunction) and part.name == "MAX" and part.args[0] == 0 and not self.is_written("MAX"):
            part = part.args[1]
        return equation_text(self.check.model, part)

    def is_written(self, function: str) -> bool:
        """Whether an equation may have the name of a function, which in XMILE a stock or a limit does not."""
        return function in self.equation.text.upper() or not self.equation.text

    def report(self, place: Place, whole: Expr, left: Form, right: Form, what: str) -> None:
        """Record that a sub-expression expects one unit and has another, and what would give it the expected one."""
        check = self.check
        causes = [cause for cause in check.unknowns.because(left, right) if cause != self.equation.place]
        lines = list(dict.fromkeys(str(cause.line) for cause in causes))
        inferred = f"; units left out follow from line{'s' * (len(lines) > 1)} {', '.join(lines)}" if lines else ""
        missing = check.unknowns.resolve(combine(left, right, -1))
        divisor = all(exponent < 0 for exponent in missing.values())
        factor = raised(missing, -1) if divisor else missing
        thing = "a time" if factor == check.unknowns.resolve(check.time) else "something"
        cure = (
            f"{'divide' if divisor else 'multiply'} it by {thing} in {check.words.text(factor)}, or correct the units"
        )
        name, text, message = self.element.name, self.source(whole), f"{what}; {cure}{inferred}"
        mismatch = UnitMismatch(place, check.level, name, text, self.text(left), self.text(right), message)
        check.mismatches.append(mismatch)


def _unit_of(expression: Expr, site: _Site, context: Form | None = None) -> Form:
    """Return the unit of an expression; `context` is the unit that is expected there, which breaks ties between its parts."""
    if isinstance(expression, Slice):
        return _unit_of(expression.reference, site, context)
    if is_reference(expression):
        name, _ = split_reference(expression)
        unit = site.check.time if name == TIME.key else site.check.units.get(name)
        if unit is not None:
            return unit
    if isinstance(expression, Add):
        return _sum(expression, site, context)
    if isinstance(expression, Mul):
        return _product(expression, site)
    if isinstance(expression, Pow):
        return _power(expression, expression.args[0], expression.args[1], site)
    if isinstance(expression, VensimFunction | Function):
        return _call(expression, row_of(expression), site, context)
    return site.check.unknowns.fresh(polymorphic=True)  # a number, or a range or a label that stands for one


def _sum(expression: Expr, site: _Site, context: Form | None) -> Form:
    units = [_unit_of(term, site, context) for term in expression.args]
    agreed = _agreed(units, site, context)
    sound = True
    for term, unit in zip(expression.args, units, strict=True):
        if not site.check.unknowns.is_literal(unit) and not site.same(agreed, unit):
            sound = False
            part = unsigned(term)
            what = f"'{site.source(part)}' is in {site.text(unit)}, what it is added to in {site.text(agreed)}"
            site.report(site.place(part, expression), expression, agreed, unit, what)
    return agreed if sound else site.check.unknowns.fresh()


def _agreed(units: Sequence[Form], site: _Site, context: Form | None) -> Form:
    """Return the unit that most of several units have; in a tie, the one that the context expects, else the first."""
    unknowns = site.check.unknowns
    given = [unit for unit in units if not unknowns.is_literal(unit)]
    known = [(frozenset(unknowns.resolve(unit).items()), unit) for unit in given if is_known(unknowns.resolve(unit))]
    if not known:
        return given[0] if given else unknowns.fresh(polymorphic=True)
    counts = Counter(unit for unit, _ in known)
    expected = None if context is None else frozenset(unknowns.resolve(context).items())
    tied = expected is not None and counts[expected] == max(counts.values())
    most = expected if tied else counts.most_common(1)[0][0]
    return next(written for unit, written in known if unit == most)


def _product(expression: Expr, site: _Site) -> Form:
    """Return the unit of a product: numbers in it are pure numbers, unless there is nothing else."""
    unknowns = site.check.unknowns
    parts = [
        (part, -1 if divides else 1)
        for part, divides in product_factors(expression)
        if part is not S.NegativeOne or divides
    ]
    units = [(_unit_of(part, site), exponent) for part, exponent in parts]
    if all(unknowns.is_literal(unit) for unit, _ in units):
        return unknowns.fresh(polymorphic=True)
    product: Form = NOTHING
    for unit, exponent in units:
        product = combine(product, unknowns.ground(unit, site.equation.place), exponent)
    return product


def _power(whole: Expr, base: Expr, exponent: Expr, site: _Site) -> Form:
    """Return the unit of a power: a number scales the exponents; any other exponent needs pure numbers on both sides."""
    unknowns = site.check.unknowns
    unit = _unit_of(base, site)
    if exponent.is_Number or next(references_in(exponent), None) is None:
        value = evaluate(site.check.model.subscripts, exponent, {}, lambda _: math.nan)
        if math.isfinite(value) and unknowns.is_literal(unit):
            return unknowns.fresh(polymorphic=True)
        if math.isfinite(value):
            number = Fraction(value).limit_denominator(_FINEST)
            return raised(unknowns.ground(unit, site.equation.place), number)
    for part, own, role in ((base, unit, "base"), (exponent, _unit_of(exponent, site), "exponent")):
        if not site.same(NOTHING, own):
            what = f"'{site.source(part)}' is the {role} of a power and in {site.text(own)}, where only a pure number is allowed"
            site.report(site.place(part, whole), whole, NOTHING, own, what)
    return NOTHING


def _call(call: Expr, row: FunctionRow, site: _Site, context: Form | None) -> Form:
    """Return the unit of a function's result, and compare each argument with the function's rule."""
    if row.name == "POWER":
        return _power(call, call.args[0], call.args[1], site)
    rule = read_rule(row.units)
    places = zip(call.args, rule.patterns, row.arguments, strict=False)
    parts = [(part, pattern, name, _unit_of(part, site)) for part, pattern, name in places if pattern is not None]
    expected = None if row.name in LOOKUPS else context
    meaning = _meaning(rule, [(pattern, unit) for _, pattern, _, unit in parts], site, expected)
    if row.name in LOOKUPS and len(parts) > 1:  # the first and last time of data have no input
        site.check.inputs.append((site, call, parts[1][3]))
    unsure: set[str | int] = set()
    for part, pattern, argument, unit in parts:
        needed = _filled(pattern, meaning)
        if not site.check.unknowns.is_literal(unit) and not site.same(needed, unit):
            unsure |= set(pattern)
            role = f", the {argument} of {row.name}," if site.is_written(row.name) else ""
            what = f"'{site.source(part)}'{role} is in {site.text(unit)} and not in {site.text(needed)}"
            site.report(site.place(part, call), call, needed, unit, what)
    if rule.result is None or not (unsure - {"t"}).isdisjoint(rule.result):
        return site.check.unknowns.fresh()
    return _filled(rule.result, meaning)


def _meaning(
    rule: Rule, arguments: Sequence[tuple[Form, Form]], site: _Site, context: Form | None
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
        expected = context if rule.result == {letter: 1} else None
        alone = expected is not None and len(given) == 1 and is_known(site.check.unknowns.resolve(expected))
        meaning[letter] = expected if expected is not None and alone else _agreed(given, site, expected)
    return meaning


def _filled(pattern: Form, meaning: Mapping[str | int, Form]) -> Form:
    unit: Form = NOTHING
    for letter, exponent in pattern.items():
        unit = combine(unit, meaning[letter], exponent)
    return unit
