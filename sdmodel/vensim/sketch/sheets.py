"""The views of a sketch as lines: which line is which record, so that two sketches can be held against each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ...model import key
from ..document import Document
from ..read.segments import QUOTED

ARROW, VARIABLE, COMMENT = 1, 10, 12
"""Kinds of records."""
NUMBER, NAME, POSITION = 1, 2, slice(3, 5)
"""Where fields of a word stand."""
SOURCE, TARGET = 2, 3
"""Where an arrow has the numbers of what it joins."""

SheetId = tuple[str, int]
"""The name of a view, and its number among those of that name."""

_START = "\\\\"
_HEAD = ("V300", "*", "$")
_RECORD = re.compile(r"(\d{1,9}),(\d{1,9}),")
_FIELD = re.compile(rf"(?:{QUOTED}|[^,])*")
_BITS, _TEXT_BELOW = 8, 4


@dataclass(frozen=True, slots=True)
class Record:
    """A word or an arrow of a view with its lines as they stand; `kind` and `number` are 0 where it is neither."""

    kind: int
    number: int
    text: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What stands between the commas; a quoted name is one field."""
        return fields_of(self.text)

    @property
    def variable(self) -> str:
        """The key of the variable that a word is about, empty for anything else."""
        fields = self.fields if self.kind == VARIABLE else ()
        return key(fields[NAME]) if len(fields) > NAME else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One view: its name, the lines at its head, and its records in order."""

    name: str
    head: str
    records: tuple[Record, ...]

    @property
    def text(self) -> str:
        """The whole view as it stands."""
        return self.head + "".join(record.text for record in self.records)


def fields_of(text: str) -> tuple[str, ...]:
    """The fields of a record."""
    found, position = [], 0
    while position <= len(text):
        match = _FIELD.match(text, position)
        assert match is not None  # noqa: S101 - the pattern takes nothing too
        found.append(match.group())
        position = match.end() + 1
    return tuple(found)


def sheets_of(document: Document) -> tuple[Sheet, ...]:
    """The views of a document in order, every character of them kept."""
    return tuple(_sheets(document))


def sheets_by_name(document: Document) -> dict[SheetId, Sheet]:
    """The views of a document by name, those of one name numbered."""
    seen: Counter[str] = Counter()
    found: dict[SheetId, Sheet] = {}
    for sheet in sheets_of(document):
        found[sheet.name, seen[sheet.name]] = sheet
        seen[sheet.name] += 1
    return found


def _sheets(document: Document) -> Iterator[Sheet]:
    lines = (document.text[each.start : each.end] for each in document.segments if each.kind in ("view", "record"))
    head: list[str] = []
    records: list[Record] = []
    below = False
    for line in lines:
        if below:
            records[-1] = Record(records[-1].kind, records[-1].number, records[-1].text + line)
            below = False
        elif line.startswith(_START):
            if head:
                yield _sheet(head, records)
            head, records = [line], []
        elif not records and line.startswith(_HEAD):
            head.append(line)
        else:
            records.append(_record(line))
            below = _has_text_below(records[-1])
    if head:
        yield _sheet(head, records)


def _sheet(head: list[str], records: list[Record]) -> Sheet:
    names = (line[1:].strip() for line in head if line.startswith("*"))
    return Sheet(next(names, ""), "".join(head), tuple(records))


def _record(line: str) -> Record:
    found = _RECORD.match(line)
    return Record(int(found[1]), int(found[2]), line) if found else Record(0, 0, line)


def _has_text_below(record: Record) -> bool:
    """Whether the words of a comment stand on the line below."""
    if record.kind != COMMENT:
        return False
    bits = record.fields[_BITS : _BITS + 1]
    return bool(bits) and bits[0].strip().isdecimal() and bool(int(bits[0].strip()) & _TEXT_BELOW)
