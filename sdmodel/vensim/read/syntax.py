"""Names, labels and numbers as Vensim's files write them and as users type them: how to split, read and quote them."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from ... import files
from ...model import CALENDAR_UNITS, Calendar, Integrator, Range, display_name, key, split_name
from .segments import NOTHING, QUOTED, Span

LINE_END = files.LINE_END
NUMBER = r"[-+]?\s*+(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"
BOUND = rf"\s*+{NUMBER}\s*+"
"""A number on the outer side of `<=`, as in `low <= name = value <= high`."""
BARE = r"[^\"\[\](){}=<>,;:|~!]++"
LABEL = rf"(?:\s*+{QUOTED}\s*+|{BARE})"
NAME = rf"(?P<name>\s*+{QUOTED}\s*+|{BARE})(?:\[(?P<subscripts>{LABEL}(?:,{LABEL})*+)\]\s*+)?"
"""`name` or `name[label, label]`, as groups `name` and `subscripts`."""
_CALENDAR = Calendar()
_FIRST_DAY = MappingProxyType({"37": _CALENDAR.year, "38": _CALENDAR.month, "39": _CALENDAR.day})
"""The lines of the settings with the date of Time 0, and what they are without them."""
_LABELS = re.compile(LABEL)
_NUMBERS = re.compile(NUMBER)


def split_labels(subscripts: str | None) -> tuple[str, ...]:
    """Return the labels between a pair of brackets as written, without quotes; a comma inside quotes splits nothing."""
    return tuple(display_name(label) for label in _LABELS.findall(subscripts or ""))


def label_keys(subscripts: str | None) -> tuple[str, ...]:
    """Return the keys of the names in a list that is separated by commas."""
    return tuple(key(label) for label in _LABELS.findall(subscripts or "") if label.strip())


def parse_number(text: str) -> float:
    """Return the number that a whole text is; raise `ValueError` if it is not one."""
    if not re.fullmatch(rf"\s*+{NUMBER}\s*+", text):
        message = f"'{' '.join(text.split()):.40}' is not a number"
        raise ValueError(message)
    return float("".join(text.split()))


def numbers_in(text: str) -> list[float]:
    """Return all numbers in a text, whatever separates them."""
    found = _NUMBERS.findall(text)
    try:
        return list(map(float, found))
    except ValueError:  # blanks after a sign
        return [float("".join(part.split())) for part in found]


_SUBSCRIPTS = rf"\[(?:{QUOTED}|[^\"\]])*+\]"
_HEAD = re.compile(
    rf"\s*+(?P<name>{QUOTED}\s*+|[^\"\[(=:<]++)(?P<subscripts>{_SUBSCRIPTS}\s*+)?"
    rf"(?::EXCEPT:\s*+(?:{_SUBSCRIPTS}[\s,]*+)+)?"
    r"(?::[A-Z][A-Z ]*:\s*+)*?(?P<operator>==|=|:=|:IS:|<->|:|\(|$)",
    re.IGNORECASE,
)
_CONTINUATION = re.compile(r"\\(?:[ \t]*(?:\r{0,2}\n|\r)|\t)[ \t]*")
_RANGE = re.compile(r"^(.*?)\[([^\[\]]*)\]\s*$", re.DOTALL)
_GROUP = re.compile(r"\*+\s*\.?([^\r\n*]*)")
METHODS: Mapping[str, Integrator] = MappingProxyType(
    {"0": "euler", "1": "rk4-auto", "2": "diff", "3": "rk2-auto", "4": "rk2", "5": "rk4"}
)
"""The integrator of each number in the settings. No page lists them: of both Runge-Kutta pairs, the lower number is taken as automatic."""


@dataclass(frozen=True, slots=True)
class Head:
    """The left-hand side of an equation: its name as written, its subscripts, and the span of its operator in the field.

    The opening parenthesis of a lookup belongs to the right-hand side, so a lookup's operator is empty.
    """

    name: str
    subscripts: tuple[str, ...]
    operator: Span = NOTHING
    sign: str = ""

    @property
    def key(self) -> str:
        """The key of what the equation defines."""
        return key(self.name)

    @property
    def subscript_keys(self) -> tuple[str, ...]:
        """The keys of the subscripts."""
        return tuple(map(key, self.subscripts))


@lru_cache(maxsize=1 << 14)  # an edit leaves most heads of a document unchanged
def head_of(main: str) -> Head:
    """Return the head of an equation without comments; a text that has no operator is all name."""
    found = _HEAD.match(main)
    if found is None:
        return Head(" ".join(main.split()), ())
    start, sign = found.start("operator"), found["operator"].strip("(")
    inside = (found["subscripts"] or "").strip()[1:-1]
    return Head(found["name"], split_labels(inside), Span(start, start + len(sign)), sign or found["operator"])


def left_name(main: str) -> str:
    """Return the name that an equation without comments defines."""
    return head_of(main).name


def parse_name(text: str) -> Head:
    """Return the head that a user means by `name` or `name[label, label]`, with or without quotes."""
    name, labels = split_name(text)
    return Head(name, tuple(filter(None, labels)))


def one_line(text: str) -> str:
    """Return a text on one line: continuations joined, white space as single spaces."""
    return " ".join(_CONTINUATION.sub("", text).split())


def comment_of(field: str) -> str:
    """Return the comment in a field: continuations joined, the author's own line breaks kept."""
    if not field or field.isspace():
        return ""
    lines = (" ".join(line.split()) for line in LINE_END.split(_CONTINUATION.sub("", field)))
    return "\n".join(lines).strip()


@lru_cache(maxsize=1 << 12)  # most units and ranges of a model serve many variables
def units_of(field: str) -> tuple[str, Range | None]:
    """Return the units as written and the range in brackets after them; other brackets belong to the units."""
    text = one_line(field)
    found = _RANGE.match(text)
    if found is None:
        return text, None
    try:
        bounds = [math.nan if part.strip() in {"", "?"} else float(part) for part in found[2].split(",")]
    except ValueError:
        return text, None
    if len(bounds) > 3:  # noqa: PLR2004 - a range has a minimum, a maximum and a step
        return text, None
    return found[1].strip(), Range(*(bound if math.isfinite(bound) else None for bound in bounds))


def group_of(header: str) -> str:
    """Return the name in a group's header, without the leading dot."""
    found = _GROUP.match(header)
    return " ".join(found[1].split()) if found else ""


def synonyms_of(settings: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of equivalent units, one per line that starts with `22:`."""
    rows = (line[3:].split(",") for line in settings if line.startswith("22:"))
    return tuple(tuple(name.strip() for name in row if name.strip()) for row in rows)


def integration_method(settings: Iterable[str]) -> str:
    """Return the number of the integrator, a key of `METHODS`, that line `15:` selects; without that line it is 0."""
    for line in settings:
        if line.startswith("15:"):
            parts = [part.strip() for part in line[3:].split(",")]
            return (parts[3] if len(parts) > 3 else "") or "0"  # noqa: PLR2004 - the fourth place
    return "0"


def calendar_of(settings: Iterable[str], units: str) -> Calendar:
    """Return the calendar of lines `37:` to `40:`, the date of Time 0 and the unit of Time; `units` serve without the last one."""
    found = {number: text for number, _, text in (line.strip().partition(":") for line in settings)}
    named = next((unit for unit in CALENDAR_UNITS if unit == units.lower().removesuffix("s")), _CALENDAR.unit)
    try:
        unit = CALENDAR_UNITS[int(found["40"])] if "40" in found else named
        date = dt.date(*(int(found[code]) if code in found else start for code, start in _FIRST_DAY.items()))
    except (ValueError, IndexError):
        return Calendar(unit=named)
    return Calendar(date.year, date.month, date.day, unit)
