"""The lines of a sketch as records: every character is kept, and each field can be read by its place.

Vensim's manual describes the fields in "Sketch Information" (ref_sketch_format.html) and "Objects" (24305.html).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ...model import key
from ..document import Document
from ..read.segments import QUOTED, Span
from ..read.tokens import LINE_END

ARROW, VARIABLE, VALVE, COMMENT = 1, 10, 11, 12
"""Kinds of records."""
NUMBER, NAME, POSITION = 1, 2, slice(3, 5)
"""Places of the fields of a word."""
SOURCE, TARGET = 2, 3
"""Places of the numbers of the two words that an arrow joins."""
ATTACHED = 32
"""The bit of a word's shape that marks a flow's name below its valve."""
OWN, TEXT_BELOW, CONTROL = 1, 4, 8
"""Bits of a word: it is not a shadow variable, its text is on the line below, it is an input or output control."""
CLOUD = "48"
"""The text of a cloud or valve."""
VIEW_START = ("\\\\\\---///", "\\\\---///")
"""Beginnings of the line with which a view starts."""

ViewId = tuple[str, int]
"""The name of a view, and its number among the views of that name."""

_WORDS = frozenset({VARIABLE, VALVE, COMMENT, 30, 31})
_SHAPE, _BITS = 7, 8
_HEAD = ("V300", "*", "$")
_FIELD = re.compile(rf"{QUOTED}(?=,|\Z)|[^,]*")
_WHOLE = re.compile(r"-?\d{1,9}")


@dataclass(frozen=True)
class Record:
    """One line of a sketch, with the line below it if that is its text, and its offset in the document."""

    text: str
    start: int = 0

    @cached_property
    def line(self) -> str:
        """The first line, without its line end."""
        return LINE_END.split(self.text, 1)[0]

    @property
    def below(self) -> str:
        """The line below that belongs to the record, without its line end; empty if there is none."""
        return self.text[self._below :].rstrip("\r\n")

    @property
    def _below(self) -> int:
        found = LINE_END.search(self.text)
        return found.end() if found else len(self.text)

    @property
    def span(self) -> Span:
        """The place of the record in the document."""
        return Span(self.start, self.start + len(self.text))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields of the first line; a quoted name is one field."""
        return split_fields(self.line)

    @cached_property
    def kind(self) -> int:
        """The kind of a word or arrow; 0 for a line that is neither."""
        if len(self.fields) <= NAME or not self.fields[0].isdecimal():
            return 0
        return (whole_number(self.fields[0]) or 0) if whole_number(self.fields[NUMBER]) is not None else 0

    @property
    def number(self) -> int:
        """The number by which arrows refer to a record; 0 for a line without one."""
        return (whole_number(self.fields[NUMBER]) or 0) if self.kind else 0

    @property
    def is_word(self) -> bool:
        """Whether the record is an object other than an arrow."""
        return self.kind in _WORDS

    @property
    def ends(self) -> tuple[int, ...]:
        """The numbers of the two words that an arrow joins; empty for anything else."""
        found = [whole_number(field) for field in self.fields[SOURCE : TARGET + 1]] if self.kind == ARROW else []
        numbers = tuple(number for number in found if number is not None)
        return numbers if len(numbers) > 1 else ()

    @property
    def variable(self) -> str:
        """The key of the variable that a word shows; empty for anything else."""
        return key(self.fields[NAME]) if self.kind == VARIABLE else ""

    @property
    def name(self) -> Span | None:
        """The place in the document of the variable's name in a word or a control."""
        if self.variable:
            start = sum(len(field) + 1 for field in self.fields[:NAME])
            return Span(self.start + start, self.start + start + len(self.fields[NAME]))
        if self.kind == COMMENT and self._bits & CONTROL:
            name, *others = split_fields(self.below)
            if others:
                return Span(self.start + self._below, self.start + self._below + len(name))
        return None

    @property
    def shown(self) -> str:
        """The key of the variable that a word or a control shows; empty for anything else."""
        return key(self.text[self.name.start - self.start : self.name.end - self.start]) if self.name else ""

    @property
    def is_cloud(self) -> bool:
        """Whether the record is the cloud at the end of a flow."""
        return self.kind == COMMENT and self.fields[NAME] == CLOUD and not self._bits & (TEXT_BELOW | CONTROL)

    @property
    def is_attached(self) -> bool:
        """Whether the record is a flow's name that belongs to its valve."""
        return self.is_word and bool(self._whole_field(_SHAPE) & ATTACHED)

    @property
    def is_shadow(self) -> bool:
        """Whether the record is a shadow variable."""
        return self.kind == VARIABLE and not self._bits & OWN

    @property
    def has_text_below(self) -> bool:
        """Whether the text of a comment is on the line below."""
        return self.kind == COMMENT and bool(self._bits & TEXT_BELOW)

    @property
    def _bits(self) -> int:
        return self._whole_field(_BITS)

    def _whole_field(self, place: int) -> int:
        return (whole_number(self.fields[place]) or 0) if place < len(self.fields) else 0


@dataclass(frozen=True, slots=True)
class ViewText:
    """One view in the file: its name, the lines at its head, and its records in order."""

    name: str
    head: tuple[Record, ...]
    records: tuple[Record, ...]

    @property
    def text(self) -> str:
        """The whole view."""
        return "".join(record.text for record in (*self.head, *self.records))

    @property
    def span(self) -> Span:
        """The place of the view in the document."""
        return Span(self.head[0].start, (*self.head, *self.records)[-1].span.end)


def split_fields(text: str) -> tuple[str, ...]:
    """Split a text at its commas, except those inside a quoted name."""
    if '"' not in text:
        return tuple(text.split(","))
    found, position = [], 0
    while position <= len(text):
        match = _FIELD.match(text, position)
        assert match is not None  # noqa: S101 - the pattern also matches nothing
        found.append(match.group())
        position = match.end() + 1
    return tuple(found)


def whole_number(field: str) -> int | None:
    """Return the whole number in a field, None if there is no such number."""
    text = field.strip()
    return int(text) if _WHOLE.fullmatch(text) else None


def view_texts(document: Document) -> Iterator[ViewText]:
    """Return the views of a document in order, with every character."""
    segments = (segment for segment in document.segments if segment.kind in ("view", "record"))
    head: list[Record] = []
    records: list[Record] = []
    for segment in segments:
        record = Record(document.text[segment.start : segment.end], segment.start)
        if record.text.startswith(VIEW_START):
            if head:
                yield _view_text(head, records)
            head, records = [record], []
        elif not records and record.text.startswith(_HEAD):
            head.append(record)
        else:
            below = next(segments, None) if record.has_text_below else None
            records.append(Record(document.text[segment.start : below.end], segment.start) if below else record)
    if head:
        yield _view_text(head, records)


def _view_text(head: list[Record], records: list[Record]) -> ViewText:
    names = (record.text[1:].strip() for record in head if record.text.startswith("*"))
    return ViewText(next(names, ""), tuple(head), tuple(records))


def views_by_name(document: Document) -> dict[ViewId, ViewText]:
    """Return the views of a document by name; views of one name are numbered."""
    seen: Counter[str] = Counter()
    found: dict[ViewId, ViewText] = {}
    for view in view_texts(document):
        found[view.name, seen[view.name]] = view
        seen[view.name] += 1
    return found
