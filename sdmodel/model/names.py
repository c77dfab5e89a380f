"""Names as Vensim compares them: case, blanks, underscores and line breaks do not matter."""

from __future__ import annotations

import difflib
import heapq
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_BLANKS = re.compile(r"[\s_]+")
_NOT_WORD = re.compile(r"\W+")
_NAME_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^"\[\],]+|.', re.DOTALL)
_LONGEST = 120
"""Maximum number of letters of an identifier: netCDF variables on disk have names of at most 255 bytes."""


_LIKELY, _MOST_SHARED = 60, 20_000
"""The most names that a mistyped name is compared with letter by letter, and of pairs of letters that choose these."""


def key(name: str) -> str:
    """Return the form of a name in which two spellings of it are equal; quotes are only delimiters."""
    return _BLANKS.sub("_", _unquote(name.strip())).strip("_").lower() or "_"


def display_name(name: str) -> str:
    """Return the name as written in the model, on one line and without quotes."""
    return _unquote(" ".join(name.split()))


def _unquote(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('\\"', '"') if quoted else text


def split_name(text: str) -> tuple[str, tuple[str, ...]]:
    """Split `name[label, label]` into the name and its labels; brackets and commas inside quotes belong to a name."""
    text = text.strip()
    parts = _NAME_PART.findall(text)
    if len(parts) < 2 or parts[-1] != "]" or "[" not in parts:  # noqa: PLR2004 - a bracket at either end
        return text, ()
    start = len(parts) - 1 - parts[::-1].index("[")
    labels = [""]
    for part in parts[start + 1 : -1]:
        if part == ",":
            labels.append("")
        else:
            labels[-1] += part
    return "".join(parts[:start]).strip(), tuple(label.strip() for label in labels)


def identifiers(keys: Iterable[str]) -> dict[str, str]:
    """Return a distinct Python identifier for each key, in order: the names of variables in a dataset.

    Letters are composed (NFKC), as Python and netCDF compose them.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in keys:
        base = _NOT_WORD.sub("_", unicodedata.normalize("NFKC", name)).strip("_") or "variable"
        base = f"v_{base}" if base[0].isdigit() else base
        base = base[:_LONGEST].encode()[: 2 * _LONGEST].decode(errors="ignore")
        identifier, number = base, 1
        while identifier in taken:
            number += 1
            identifier = f"{base}_{number}"
        taken.add(identifier)
        found[name] = identifier
    return found


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a mistyped name most likely means, in its own spelling, or None."""
    sought, (spelling, holders) = key(name), _index(tuple(known))
    likely: Iterable[str] = spelling
    if len(spelling) > _LIKELY:  # a comparison letter by letter takes long: only of names that share the most pairs
        shared: Counter[str] = Counter()
        for pair in sorted(_pairs(sought) & holders.keys(), key=lambda pair: (len(holders[pair]), pair)):
            shared.update(holders[pair])
            if shared.total() > _MOST_SHARED:
                break
        likely = heapq.nlargest(_LIKELY, shared, key=lambda other: (shared[other] / (len(sought) + len(other)), other))
    close = difflib.get_close_matches(sought, likely, n=1, cutoff=0.6)
    return spelling[close[0]] if close else None


@lru_cache(maxsize=4)  # many names of a file may be mistyped
def _index(known: tuple[str, ...]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The spelling of each key, and the keys that have each pair of letters."""
    spelling = {key(candidate): candidate for candidate in known}
    holders: dict[str, list[str]] = {}
    for candidate in spelling:
        for pair in _pairs(candidate):
            holders.setdefault(pair, []).append(candidate)
    return spelling, holders


def _pairs(name: str) -> set[str]:
    """The pairs of neighbouring letters of a name, with its ends."""
    return {first + second for first, second in itertools.pairwise(f" {name} ")}


@dataclass(slots=True)
class Suggestions:
    """Suggestions for the first few mistyped names of a model: each one is compared with every name there is."""

    left: int = 20

    def nearest(self, name: str, known: Iterable[str]) -> str | None:
        """Return the most likely known name, or None; always None when no suggestions are left."""
        self.left -= 1
        return nearest(name, known) if self.left >= 0 else None
