"""The head of an equation, what stands left of its right-hand side: the name that it defines, with subscripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ...model import display, key
from ..files.spelling import parts_of
from .segments import QUOTED, Span

_SUBSCRIPTS = rf"\[(?:{QUOTED}|[^\"\]])*+\]"
_HEAD = re.compile(
    rf"\s*+(?P<name>{QUOTED}\s*+|[^\"\[(=:<]++)(?P<subscripts>{_SUBSCRIPTS}\s*+)?"
    rf"(?::EXCEPT:\s*+(?:{_SUBSCRIPTS}[\s,]*+)+)?"
    r"(?::[A-Z][A-Z ]*:\s*+)*?(?P<operator>==|=|:=|:IS:|<->|:|\(|$)",
    re.IGNORECASE,
)
_ASKED = re.compile(rf"(?P<name>{QUOTED}|[^\[\]]*?)\s*(?:\[(?P<subscripts>(?:{QUOTED}|[^\"\[\]])*)\])?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a main field: its name as written, its subscripts, and where its operator stands in the field.

    Of a lookup the opening parenthesis belongs to the right-hand side, so that its operator is empty.
    """

    name: str
    subscripts: tuple[str, ...]
    operator: Span
    sign: str

    @property
    def key(self) -> str:
        """The key of what the equation defines."""
        return key(self.name)

    @property
    def subscript_keys(self) -> tuple[str, ...]:
        """The keys of the subscripts."""
        return tuple(map(key, self.subscripts))


@lru_cache(maxsize=1 << 14)  # of a document most heads stay as they are from one edit to the next
def head_of(main: str) -> Head:
    """The head of an equation, its comments blanked out; of what has none, all of it is the name."""
    found = _HEAD.match(main)
    if found is None:
        return Head(" ".join(main.split()), (), Span(0, 0), "")
    start, sign = found.start("operator"), found["operator"].strip("(")
    inside = (found["subscripts"] or "").strip()[1:-1]
    return Head(found["name"], parts_of(inside), Span(start, start + len(sign)), sign or found["operator"])


def left_name(main: str) -> str:
    """The name that an equation, its comments blanked out, defines."""
    return head_of(main).name


def asked(name: str) -> Head:
    """What a user means by `name` or `name[label, label]`, with odd characters in quotes or without them."""
    found = _ASKED.fullmatch(name.strip())
    inside = found["subscripts"] if found else None
    return Head(display(found["name"] if found else name), parts_of(inside), Span(0, 0), "")
