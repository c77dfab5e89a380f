"""Units as text and as dimensions: names with exponents, which multiply and divide.

Names are compared without regard to case and blanks, and names that the model lists as synonyms are equal
(https://www.vensim.com/documentation/ref_units_equiv.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from types import MappingProxyType

from ..names import display_name, key

Rational = Fraction | int
Form = Mapping[str | int, Rational]
"""A product of units: the exponent of each name, and of each unknown unit, which is a number from 0 up."""

NOTHING: Form = MappingProxyType({})
"""The unit of a pure number."""

_DIMENSIONLESS = frozenset({"1", "dmnl", "dimensionless", "fraction"})
_UNSPECIFIED = frozenset({"", "?"})
_TOKEN = re.compile(r'\s*("[^"]*"|[*/^()]|[^*/^()"\s](?:[^*/^()"]*[^*/^()"\s])?)\s*')
_NAME = re.compile(r'"[^"]+"|[^*/^()"\[\]]+')
_EXPONENT = re.compile(
    r"\s*(?:\(\s*([-+]?\d{1,4}(?:\.\d{1,9})?)\s*(?:/\s*(\d{1,4}))?\s*\)|([-+]?\d{1,4}(?:\.\d{1,9})?))\s*"
)
_DEPTH = 50
_SHORTEST = 3
"""Minimum length of a singular whose plural has a trailing s: `m` and `ms` are two units."""


class UnitSyntaxError(Exception):
    """A text that is not a unit; the message says what is wrong and what to do."""


def combine(left: Form, right: Form, exponent: Rational = 1) -> dict[str | int, Rational]:
    """Return `left * right^exponent`."""
    product = dict(left)
    for name, power in right.items():  # a product of many units is made factor by factor
        product[name] = product.get(name, 0) + power * exponent
        if not product[name]:
            del product[name]
    return product


def raised(unit: Form, exponent: Rational) -> dict[str | int, Rational]:
    """Return `unit^exponent`."""
    return {name: own * exponent for name, own in unit.items()} if exponent else {}


def is_known(unit: Form) -> bool:
    """Whether a product contains no unknown unit."""
    return not any(isinstance(name, int) for name in unit)


def parse_units(text: str) -> dict[str, Rational]:
    """Return the unit of a text such as `$/(Person*Year)`, by the keys of its names; `1` is not a name."""
    reader = _Reader(text)
    unit = reader.product(0)
    if reader.at < len(text):
        message = f"'{text[reader.at]}' in the units '{text}' does not belong there; remove it"
        raise UnitSyntaxError(message)
    return unit


@dataclass(slots=True)
class _Reader:
    """A text of units and the position up to which it has been read."""

    text: str
    at: int = 0

    def token(self) -> str:
        found = _TOKEN.match(self.text, self.at)
        return found[1] if found else self.text[self.at : self.at + 1]

    def skip(self) -> None:
        found = _TOKEN.match(self.text, self.at)
        self.at = found.end() if found else self.at + 1

    def product(self, depth: int) -> dict[str, Rational]:
        unit = self.power(depth)
        while self.token() in {"*", "/"}:
            sign = 1 if self.token() == "*" else -1
            self.skip()
            unit = combine(unit, self.power(depth), sign)  # type: ignore[arg-type, assignment]
        return unit

    def power(self, depth: int) -> dict[str, Rational]:
        """Read a name or a product in parentheses, with its exponents."""
        unit = self.atom(depth)
        while self.token() == "^":
            self.skip()
            found = _EXPONENT.match(self.text, self.at)
            if found is None or not int(found[2] or 1):
                message = f"the units '{self.text}' have an exponent that is not a number; write one such as Year^2"
                raise UnitSyntaxError(message)
            self.at = found.end()
            unit = raised(unit, Fraction(found[1] or found[3]) / int(found[2] or 1))  # type: ignore[arg-type, assignment]
        return unit

    def atom(self, depth: int) -> dict[str, Rational]:
        token = self.token()
        if token == "(" and depth < _DEPTH:  # noqa: S105 - a parenthesis
            self.skip()
            unit = self.product(depth + 1)
            if self.token() != ")":
                message = f"a '(' in the units '{self.text}' is not closed; add ')'"
                raise UnitSyntaxError(message)
            self.skip()
            return unit
        if not _NAME.fullmatch(token):
            raise UnitSyntaxError(_misplaced(token, self.text))
        self.skip()
        name = key(token)
        return {} if name == "1" else {name: 1}


@dataclass(frozen=True, slots=True)
class Rule:
    """The units of a function's arguments and result, in letters that represent units; None where any unit is right."""

    patterns: tuple[Form | None, ...]
    result: Form | None

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters for which a call determines units, in the order of the arguments."""
        found = (letter for pattern in self.patterns for letter in pattern or ())
        return tuple(dict.fromkeys(str(letter) for letter in found if letter != "t"))


@cache
def read_rule(text: str) -> Rule:
    """Read the `units` of a row of the table of functions."""
    arguments, _, result = text.partition(" -> ")
    parts = [part.strip() for part in (*filter(None, arguments.split(",")), result)]
    patterns: list[Form | None] = [
        None if part == "*" else {letter: own for letter, own in parse_units(part).items()}  # noqa: C416 - keys of another type
        for part in parts
    ]
    return Rule(tuple(patterns[:-1]), patterns[-1])


def _misplaced(token: str, text: str) -> str:
    if token.startswith('"'):
        return f"a name in quotes in the units '{text}' is empty or not closed; write the name between two quotes"
    if any(mark in token for mark in "[]"):
        return f"the range in the units '{text}' cannot be read; write [minimum,maximum] or [minimum,maximum,step]"
    where = f"before '{token}'" if token else "at the end"
    return f"a name is missing in the units '{text}' {where}; write units such as $/(Person*Year)"


@dataclass(frozen=True)
class Vocabulary:
    """The units of a model: the name that stands for each name, empty for a pure number.

    `spelling` holds the first spelling of each name in the model.
    """

    meaning: Mapping[str, str]
    spelling: Mapping[str, str]

    def unit(self, text: str) -> Form | None:
        """Return the unit of a text, or None for an empty text or `?`."""
        if text.strip() in _UNSPECIFIED:
            return None
        found: Form = NOTHING
        for name, exponent in parse_units(text).items():
            meant = self.meaning.get(name, "" if name in _DIMENSIONLESS else name)
            found = combine(found, {meant: exponent}) if meant else found
        return found

    def text(self, unit: Form) -> str:
        """Return a unit as text; an unknown unit is `?`."""
        parts = sorted(unit.items(), key=lambda item: (isinstance(item[0], int), str(item[0])))
        above = [self._power(name, exponent) for name, exponent in parts if exponent > 0]
        below = [self._power(name, -exponent) for name, exponent in parts if exponent < 0]
        if not below:
            return "*".join(above) or "Dmnl"
        divisor = below[0] if len(below) == 1 else f"({'*'.join(below)})"
        return f"{'*'.join(above) or '1'}/{divisor}"

    def _power(self, name: str | int, exponent: Rational) -> str:
        text = "?" if isinstance(name, int) else self.spelling.get(name, name)
        if exponent == 1:
            return text
        return f"{text}^{exponent}" if Fraction(exponent).denominator == 1 else f"{text}^({exponent})"


def vocabulary_of(texts: Iterable[str], synonyms: Sequence[Sequence[str]]) -> Vocabulary:
    """Return the vocabulary of some texts of units under a model's synonyms.

    A name that is another name of the model with an added s is the plural of that name.
    """
    meaning = _groups(synonyms)
    spelling: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        for found in _TOKEN.finditer(text):
            spelling.setdefault(key(found[1]), display_name(found[1]))
    for name in spelling:
        single = name.removesuffix("s")
        if name != single and len(single) >= _SHORTEST and single in spelling and name not in meaning:
            meaning[name] = meaning.get(single, single)
    shown: dict[str, str] = {}
    for name, text in spelling.items():
        shown.setdefault(meaning.get(name, name), text)
    return Vocabulary(MappingProxyType(meaning), MappingProxyType(shown))


def _groups(synonyms: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the name that stands for each name in the lists of synonyms; lists that share a name are joined."""
    meaning: dict[str, str] = {}
    for row in synonyms:
        names = [key(name) for name in row]
        heads = [meaning[name] for name in names if name in meaning]
        plain = "" in heads or any(name in _DIMENSIONLESS for name in names)
        head = "" if plain else next(iter(heads), names[0] if names else "")
        meaning |= {name: head for name, old in meaning.items() if old in heads}
        meaning |= dict.fromkeys(names, head)
    return meaning
