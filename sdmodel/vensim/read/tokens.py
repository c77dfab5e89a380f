"""Names, labels and numbers as Vensim's files write them and as users type them: how to split, read and quote them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...model import display_name, key, quote_name
from .segments import QUOTED

LINE_END = re.compile(r"\r\n?|\n")
NUMBER = r"[-+]?\s*+(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"
BOUND = rf"\s*+{NUMBER}\s*+"
"""A number on the outer side of `<=`, as in `low <= name = value <= high`."""
_BARE = r"[^\"\[\](){}=<>,;:|~!]++"
_LABEL = rf"(?:\s*+{QUOTED}\s*+|{_BARE})"
NAME = rf"(?P<name>\s*+{QUOTED}\s*+|{_BARE})(?:\[(?P<subscripts>{_LABEL}(?:,{_LABEL})*+)\]\s*+)?"
"""`name` or `name[label, label]`, as groups `name` and `subscripts`."""
_LABELS = re.compile(_LABEL)
_NUMBERS = re.compile(NUMBER)


def split_labels(subscripts: str | None) -> tuple[str, ...]:
    """Return the labels between a pair of brackets as written, without quotes; a comma inside quotes splits nothing."""
    return tuple(display_name(label) for label in _LABELS.findall(subscripts or ""))


def label_keys(subscripts: str | None) -> tuple[str, ...]:
    """Return the keys of the names in a list that is separated by commas."""
    return tuple(key(label) for label in _LABELS.findall(subscripts or "") if label.strip())


def quote_cell(name: str, subscripts: Sequence[str] = ()) -> str:
    """Return `name[label,label]` as a file needs it, with quotes where they are required."""
    return f"{quote_name(name)}[{','.join(map(quote_name, subscripts))}]" if subscripts else quote_name(name)


def parse_number(text: str) -> float:
    """Return the number that a whole text is; raise `ValueError` if it is not one."""
    if not re.fullmatch(rf"\s*+{NUMBER}\s*+", text):
        message = f"'{' '.join(text.split()):.40}' is not a number"
        raise ValueError(message)
    return float("".join(text.split()))


def numbers_in(text: str) -> list[float]:
    """Return all numbers in a text, whatever separates them."""
    return [float("".join(part.split())) for part in _NUMBERS.findall(text)]
