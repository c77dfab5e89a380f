"""Names and numbers as Vensim's small files have them, so that what is written is read back the same."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...model import display
from ..read.segments import QUOTED

NUMBER = r"[-+]?\s*+(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"
BARE = r"[^\"\[\](){}=<>,;:|~!]++"
SUBSCRIPT = rf"(?:\s*+{QUOTED}\s*+|{BARE})"
NAME = rf"(?P<name>\s*+{QUOTED}\s*+|{BARE})(?:\[(?P<subscripts>{SUBSCRIPT}(?:,{SUBSCRIPT})*+)\]\s*+)?"
LINES = re.compile(r"\r\n?|\n")

_PLAIN = re.compile(r"[^\W\d](?:[\w $']*[\w$'])?")
_EACH = re.compile(SUBSCRIPT)


def quoted(name: str) -> str:
    """A name as a file has it: in quotes where it holds more than letters, digits and blanks."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '\\"') + '"'


def spelt(name: str, subscripts: Sequence[str] = ()) -> str:
    """A name with its subscripts as a file has them."""
    return f"{quoted(name)}[{','.join(map(quoted, subscripts))}]" if subscripts else quoted(name)


def parts_of(subscripts: str | None) -> tuple[str, ...]:
    """The subscripts between brackets, in the author's spelling."""
    return tuple(display(each) for each in _EACH.findall(subscripts or ""))


def number_of(text: str) -> float:
    """The number that a text is."""
    if not re.fullmatch(rf"\s*+{NUMBER}\s*+", text):
        message = f"'{' '.join(text.split()):.40}' is no number"
        raise ValueError(message)
    return float("".join(text.split()))
