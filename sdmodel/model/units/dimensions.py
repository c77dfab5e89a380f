"""Units as an author writes them, and what they are: names with exponents, which multiply and divide.

Names are compared letter by letter but for case and blanks, and names that the model lists as synonyms are one
(https://www.vensim.com/documentation/ref_units_equiv.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from ..names import display, key

Rational = Fraction | int
Form = Mapping[str | int, Rational]
"""A product of units: the exponent of each name, and of each unknown unit, which is a number from 0 up."""

NOTHING: Form = MappingProxyType({})
"""The unit of a pure number."""

_DIMENSIONLESS = frozenset({"1", "dmnl", "dimensionless", "fraction"})
_UNSAID = frozenset({"", "?"})
_TOKEN = re.compile(r'\s*("[^"]*"|[*/^()]|[^*/^()"\s](?:[^*/^()"]*[^*/^()"\s])?)\s*')
_NAME = re.compile(r'"[^"]+"|[^*/^()"\[\]]+')
_EXPONENT = re.compile(
    r"\s*(?:\(\s*([-+]?\d{1,4}(?:\.\d{1,9})?)\s*(?:/\s*(\d{1,4}))?\s*\)|([-+]?\d{1,4}(?:\.\d{1,9})?))\s*"
)
_DEPTH = 50
_SHORTEST = 3
"""Letters of a singular from which a trailing s makes a plural: `m` and `ms` are two units."""


class UnitsProblem(Exception):  # noqa: N818 - caught inside the stage and told as a fault with its place
    """A text that is no unit; it says what is wrong and what to do."""


def combine(left: Form, right: Form, exponent: Rational = 1) -> dict[str | int, Rational]:
    """`left * right^exponent`."""
    product = dict(left)
    for name, own in right.items():
        power = product.get(name, 0) + own * exponent
        if power:
            product[name] = power
        else:
            product.pop(name, None)
    return product


def raised(unit: Form, exponent: Rational) -> dict[str | int, Rational]:
    """`unit^exponent`."""
    return {name: own * exponent for name, own in unit.items()} if exponent else {}


def is_known(unit: Form) -> bool:
    """Whether a product has no unknown in it."""
    return not any(isinstance(name, int) for name in unit)


def parse_units(text: str) -> dict[str, Rational]:
    """The unit that a text such as `$/(Person*Year)` means, by the keys of its names as written; `1` is no name."""
    reader = _Reader(text)
    unit = reader.product(0)
    if reader.at < len(text):
        message = f"'{text[reader.at]}' in the units '{text}' closes or follows nothing; remove it"
        raise UnitsProblem(message)
    return unit


@dataclass(slots=True)
class _Reader:
    """A text of units and how far it is read."""

    text: str
    at: int = 0

    def token(self) -> str:
        """The next token, left where it is; nothing at the end."""
        found = _TOKEN.match(self.text, self.at)
        return found[1] if found else self.text[self.at : self.at + 1]

    def skip(self) -> None:
        """Reads on behind the next token."""
        found = _TOKEN.match(self.text, self.at)
        self.at = found.end() if found else self.at + 1

    def product(self, depth: int) -> dict[str, Rational]:
        """Names multiplied and divided, from left to right."""
        unit = self.power(depth)
        while self.token() in {"*", "/"}:
            sign = 1 if self.token() == "*" else -1
            self.skip()
            unit = combine(unit, self.power(depth), sign)  # type: ignore[arg-type, assignment]
        return unit

    def power(self, depth: int) -> dict[str, Rational]:
        """A name or a product in parentheses, with its exponents."""
        unit = self.atom(depth)
        while self.token() == "^":
            self.skip()
            found = _EXPONENT.match(self.text, self.at)
            if found is None or not int(found[2] or 1):
                message = f"the units '{self.text}' have an exponent that is no number; write one such as Year^2"
                raise UnitsProblem(message)
            self.at = found.end()
            unit = raised(unit, Fraction(found[1] or found[3]) / int(found[2] or 1))  # type: ignore[arg-type, assignment]
        return unit

    def atom(self, depth: int) -> dict[str, Rational]:
        """One name, or a product in parentheses."""
        token = self.token()
        if token == "(" and depth < _DEPTH:  # noqa: S105 - a parenthesis
            self.skip()
            unit = self.product(depth + 1)
            if self.token() != ")":
                message = f"a '(' in the units '{self.text}' is not closed; add ')'"
                raise UnitsProblem(message)
            self.skip()
            return unit
        if not _NAME.fullmatch(token):
            raise UnitsProblem(_misplaced(token, self.text))
        self.skip()
        name = key(token)
        return {} if name == "1" else {name: 1}


def _misplaced(token: str, text: str) -> str:
    if token.startswith('"'):
        return f"a name in quotes in the units '{text}' is empty or not closed; write it between two"
    if any(mark in token for mark in "[]"):
        return f"the range in the units '{text}' cannot be read; write [minimum,maximum] or [minimum,maximum,step]"
    where = f"before '{token}'" if token else "at the end"
    return f"a name is missing in the units '{text}' {where}; write units such as $/(Person*Year)"


@dataclass(frozen=True)
class Vocabulary:
    """What the names of units in a model mean: the name that stands for each, empty where it is a pure number.

    `spelling` holds how the author first writes each.
    """

    meaning: Mapping[str, str]
    spelling: Mapping[str, str]

    def unit(self, text: str) -> Form | None:
        """The unit that a text means, none where the author says nothing."""
        if text.strip() in _UNSAID:
            return None
        found: Form = NOTHING
        for name, exponent in parse_units(text).items():
            meant = self.meaning.get(name, "" if name in _DIMENSIONLESS else name)
            found = combine(found, {meant: exponent}) if meant else found
        return found

    def text(self, unit: Form) -> str:
        """A unit as an author would write it; an unknown one is `?`."""
        parts = sorted(unit.items(), key=lambda item: (isinstance(item[0], int), str(item[0])))
        above = [self._power(name, exponent) for name, exponent in parts if exponent > 0]
        below = [self._power(name, -exponent) for name, exponent in parts if exponent < 0]
        if not below:
            return "*".join(above) or "Dmnl"
        divisor = below[0] if len(below) == 1 else f"({'*'.join(below)})"
        return f"{'*'.join(above) or '1'}/{divisor}"

    def _power(self, name: str | int, exponent: Rational) -> str:
        spelt = "?" if isinstance(name, int) else self.spelling.get(name, name)
        if exponent == 1:
            return spelt
        return f"{spelt}^{exponent}" if Fraction(exponent).denominator == 1 else f"{spelt}^({exponent})"


def vocabulary_of(texts: Iterable[str], synonyms: Sequence[Sequence[str]]) -> Vocabulary:
    """What the names in these texts of units mean under a model's synonyms.

    A name with an s behind another name of the model is that name's plural.
    """
    meaning = _groups(synonyms)
    spelling: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        for found in _TOKEN.finditer(text):
            spelling.setdefault(key(found[1]), display(found[1]))
    for name in spelling:
        single = name.removesuffix("s")
        if name != single and len(single) >= _SHORTEST and single in spelling and name not in meaning:
            meaning[name] = meaning.get(single, single)
    shown: dict[str, str] = {}
    for name, spelt in spelling.items():
        shown.setdefault(meaning.get(name, name), spelt)
    return Vocabulary(MappingProxyType(meaning), MappingProxyType(shown))


def _groups(synonyms: Sequence[Sequence[str]]) -> dict[str, str]:
    """Which name stands for each that a row of synonyms lists; rows that share a name are one."""
    meaning: dict[str, str] = {}
    for row in synonyms:
        names = [key(name) for name in row]
        heads = [meaning[name] for name in names if name in meaning]
        plain = "" in heads or any(name in _DIMENSIONLESS for name in names)
        head = "" if plain else next(iter(heads), names[0] if names else "")
        meaning |= {name: head for name, old in meaning.items() if old in heads}
        meaning |= dict.fromkeys(names, head)
    return meaning
