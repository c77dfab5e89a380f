"""The units of the arguments and the result of a function, read from its row in the table of functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .dimensions import Form, parse_units


@dataclass(frozen=True, slots=True)
class Rule:
    """The units of each argument and of the result, in letters that represent units; None where any unit is right."""

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
    patterns = [None if part.strip() == "*" else _pattern(part) for part in (*arguments.split(","), result)]
    return Rule(tuple(patterns[:-1]), patterns[-1])


def _pattern(text: str) -> Form:
    return {letter: exponent for letter, exponent in parse_units(text).items()}  # noqa: C416 - keys of another type
