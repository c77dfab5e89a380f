"""Names as Vensim compares them: case, blanks, underscores and line breaks do not matter."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_BLANKS = re.compile(r"[\s_]+")
_ODD = re.compile(r"\W+")
_LONGEST = 120
"""Letters of an identifier: on disk, names of variables have at most 255 bytes."""


def key(name: str) -> str:
    """The form of a name under which two spellings of it are the same; quotes are only delimiters."""
    return _BLANKS.sub("_", _unquoted(name.strip())).strip("_").lower() or "_"


def display(name: str) -> str:
    """The author's spelling on one line, without the quotes."""
    return _unquoted(" ".join(name.split()))


def _unquoted(text: str) -> str:
    """A name without the quotes around it, if it has them."""
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('\\"', '"') if quoted else text


def identifiers(keys: Iterable[str]) -> dict[str, str]:
    """A distinct Python identifier for each key, in order: what the variables of a dataset are called.

    Letters are composed, as Python and netCDF compose them.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for each in keys:
        base = _ODD.sub("_", unicodedata.normalize("NFKC", each)).strip("_") or "variable"
        base = f"v_{base}" if base[0].isdigit() else base
        base = base[:_LONGEST].encode()[: 2 * _LONGEST].decode(errors="ignore")
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        found[each] = name
    return found


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one most likely means, in its own spelling, or none."""
    spelling = {key(each): each for each in known}
    close = difflib.get_close_matches(key(name), spelling, n=1, cutoff=0.6)
    return spelling[close[0]] if close else None


@dataclass(slots=True)
class Guesses:
    """What misspelt names may mean, for the first few of a model: each guess is held against every name there is."""

    left: int = 20

    def nearest(self, name: str, known: Iterable[str]) -> str | None:
        """The known name that is most likely meant, or none."""
        self.left -= 1
        return nearest(name, known) if self.left >= 0 else None
