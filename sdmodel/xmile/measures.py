"""Units as XMILE has them: definitions by other units, a hyphen between units that are multiplied, and names known to all models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import key
from .names import plain_name
from .tree import Node

_SHORT: Mapping[str, tuple[str, ...]] = {
    "Unitless": ("Dmnl",),
    **{
        f"{first}s": (f"{word}second", f"{word}seconds")
        for first, word in (("", ""), ("n", "nano"), ("u", "micro"), ("m", "milli"))
    },
    **{
        short: (long, f"{long}s")
        for short, long in zip(
            ("min", "hr", "wk", "mo", "qtr", "yr"), ("minute", "hour", "week", "month", "quarter", "year"), strict=True
        )
    },
}
"""The short names of units that the standard recommends for all models, with their long ones."""
_NAME = r'[^*/()^"-]+'
_TOKEN = re.compile(rf'\s+|"[^"]*"|\^\s*\(?\s*-?\s*[\d.]+|[*/()^"-]|[^\s*/()^"-](?:{_NAME}(?<!\s))?')
_LONGEST, _DEEPEST = 1000, 50
_PER = "per "


@dataclass(slots=True)
class Measures:
    """Names of units that are equal, and what a unit is in terms of others, by its key."""

    synonyms: tuple[tuple[str, ...], ...] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    """The definitions so far in terms of units that have none; empty while one is looked up."""

    def spell(self, text: str, depth: int = 0) -> str:
        """Return units with the definitions of those that have one, and `*` for a hyphen; a circular or huge definition is not used."""
        tokens = _TOKEN.findall(text)
        parts = [self._part(token, depth) for token in tokens]
        if len(parts) > 1:  # a definition stands in parentheses
            parts = [
                f"({own})" if len(own) > 1 and own != token and set(own) & {*"*/^"} else own
                for own, token in zip(parts, tokens, strict=True)
            ]
        return "".join(parts)

    def _part(self, token: str, depth: int) -> str:
        name = plain_name(token)
        own = key(name)
        if own in self.definitions and depth < _DEEPEST:
            if own not in self.spelled:
                self.spelled[own] = ""
                self.spelled[own] = self.spell(self.definitions[own], depth + 1)
            if 0 < len(self.spelled[own]) <= _LONGEST:
                return self.spelled[own]
        if name.lower().startswith(_PER):
            return f"1/{self._part(name[len(_PER) :], depth + 1)}"
        return {"-": "*"}.get(token, name if token.startswith('"') else token)


def measures_of(root: Node) -> Measures:
    """Return the units that a file defines, and the short names known to all models that it uses."""
    rows: list[tuple[str, ...]] = []
    definitions: dict[str, str] = {}
    named: set[str] = set()
    for unit in (unit for part in root.all("model_units") for unit in part.all("unit", "units")):
        names = [
            " ".join(name.split()) for name in (unit.attribute("name"), *(part.text for part in unit.all("alias")))
        ]
        named.update(map(key, names))
        if unit.is_set("disabled"):
            continue
        if len(names) > 1:
            rows.append(tuple(dict.fromkeys(names)))
        definitions |= dict.fromkeys(map(key, names if unit.text_of("eqn") else ()), unit.text_of("eqn"))
    used = {key(found[0].strip()) for text in _texts(root) for found in _TOKEN.finditer(text)}
    for short, long in _SHORT.items():
        if key(short) in used and not named.intersection(map(key, (short, *long))):
            rows.append((*long, short))
    return Measures(tuple(rows), definitions)


def _texts(node: Node) -> list[str]:
    """Return the texts of all units below a node."""
    texts, waiting = list[str](), [node]
    while waiting:
        part = waiting.pop()
        texts += (
            [part.text] if part.tag == "units" else [part.attribute("time_units")] if part.tag == "sim_specs" else []
        )
        waiting.extend(part.children)
    return texts


def units_text(units: str) -> str:
    """Return units as XMILE writes them, with a name that has a hyphen in quotes."""
    return re.sub(r'"[^"]*"|[^*/()^"]+', lambda found: _in_quotes(found[0]), units)


def _in_quotes(name: str) -> str:
    return f'"{name.strip()}"' if "-" in name and name[0] != '"' and not re.fullmatch(r"\s*-?[\d.]+\s*", name) else name
