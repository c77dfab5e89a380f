"""Names as Vensim compares them: case, blanks, underscores and line breaks do not matter."""

from __future__ import annotations

import difflib
import heapq
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

MARK = "!"
"""The end of the key of a range over which SUM or a similar function runs; no key of a name ends with it."""
_BLANKS = re.compile(r"[\s_]+")
_NAME_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^"\[\],]+|.', re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_MARKS = frozenset('"[],')
_LONGEST = 120
"""Maximum number of letters of an identifier: netCDF variables on disk have names of at most 255 bytes."""


_LIKELY, _MOST_SHARED = 60, 20_000
"""The most names that a mistyped name is compared with letter by letter, and of pairs of letters that choose these."""


@lru_cache(maxsize=2**17)
def key(name: str) -> str:
    """Return the form of a name in which two spellings of it are equal; quotes are only delimiters."""
    composed = name if name.isascii() else unicodedata.normalize("NFC", name)
    found = _BLANKS.sub("_", _unquote(composed.strip())).strip("_").lower() or "_"
    return f"{found}_" if found.endswith(MARK) else found


def display_name(name: str) -> str:
    """Return the name as written in the model, on one line and without quotes."""
    return _unquote(" ".join(name.split())).strip()


def _unquote(text: str) -> str:
    """Return a name without its quotes; it keeps them if it would look quoted without, so that they are removed only once."""
    if len(text) < 2 or text[0] != '"' or not _QUOTED.fullmatch(text):  # noqa: PLR2004 - a quote at either end
        return text
    bare = text[1:-1].replace('\\"', '"')
    return text if _QUOTED.fullmatch(bare) else bare


def split_name(text: str, elements: Container[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Split `name[label, label]` into the name and its labels, all without quotes.

    Brackets and commas inside quotes belong to a name, and so do all marks of a text whose key is in `elements`.
    """
    parts = _NAME_PART.findall(text.strip())
    if len(parts) < 2 or parts[-1] != "]" or "[" not in parts or key(text) in elements:  # noqa: PLR2004 - a bracket at either end
        return display_name(text), ()
    start = len(parts) - 1 - parts[::-1].index("[")
    return display_name("".join(parts[:start])), tuple(map(display_name, split_list("".join(parts[start + 1 : -1]))))


def join_name(name: str, labels: Sequence[str] = ()) -> str:
    """Return `name[label,label]` for people, with quotes only where `split_name` would find other parts without them."""
    text = f"{name}[{','.join(labels)}]" if labels else name
    if all(map(_MARKS.isdisjoint, (name, *labels))) or split_name(text) == (name, tuple(labels)):
        return text
    name, *labels = (part if _MARKS.isdisjoint(part) else in_quotes(part) for part in (name, *labels))
    return f"{name}[{','.join(labels)}]" if labels else name


def in_quotes(name: str) -> str:
    """Return a name in quotes, as a model file writes it."""
    return name if _QUOTED.fullmatch(name) else '"' + name.replace('"', '\\"') + '"'


def split_list(text: str) -> list[str]:
    """Split a list at its commas, except those inside quotes or brackets; the parts are as written, without outer blanks."""
    depth, found = 0, [""]
    for part in _NAME_PART.findall(text):
        depth = max(0, depth + (part == "[") - (part == "]"))
        if part == "," and depth == 0:
            found.append("")
        else:
            found[-1] += part
    return [part.strip() for part in found]


def identifiers(keys: Iterable[str]) -> dict[str, str]:
    """Return a distinct Python identifier for each key, in order: the names of variables in a dataset.

    Letters are composed (NFKC), as Python and netCDF compose them; vowel signs and accents stay with their letters. No two
    differ by case alone, since an ensemble has a folder for each, and file systems may not tell cases apart.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in keys:
        letters = unicodedata.normalize("NFKC", name)
        if not f"v{letters}".isidentifier():
            letters = "".join(mark if f"v{mark}".isidentifier() else " " for mark in letters)
        base = "_".join(letters.split()).strip("_") or "variable"
        base = base if base.isidentifier() else f"v_{base}"
        base = base[:_LONGEST].encode()[: 2 * _LONGEST].decode(errors="ignore")
        found[name] = next(own for own in numbered(base, "_") if own.casefold() not in taken)
        taken.add(found[name].casefold())
    return found


def numbered(name: str, mark: str = "-") -> Iterator[str]:
    """Yield a name, and then the same with a mark and 2, 3 and so on, for a search for one that is free."""
    yield name
    yield from (f"{name}{mark}{number}" for number in itertools.count(2))


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


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return what to do about a name that is not known: take the nearest known one, else `otherwise`."""
    close = nearest(name, known)
    return f"did you mean '{close}'?" if close else otherwise


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
