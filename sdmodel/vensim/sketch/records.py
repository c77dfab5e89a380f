"""The lines of a sketch as records with their spans, to change or to take out: what each shows and what it joins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...model import key
from ..document import Document
from ..read.segments import QUOTED, Segment, Span

_ARROW = re.compile(r"1,(?P<number>\d{1,9}),(?P<source>\d{1,9}),(?P<target>\d{1,9}),")
_WORD = re.compile(rf"(?P<kind>1[0-2]|3[01]),(?P<number>\d{{1,9}}),(?P<name>{QUOTED}|[^,\r\n]*)(?P<rest>[^\r\n]*)")
_BELOW = re.compile(rf"(?P<name>{QUOTED}|[^,\r\n]*),")
_VARIABLE, _VALVE, _COMMENT = "10", "11", "12"
_CLOUD = "48"
_SHAPE, _BITS = 5, 6
_ATTACHED, _NEXT_LINE, _CONTROL, _IN = 32, 4, 8, 1


NOWHERE = Span(0, 0)
"""Where nothing stands."""


@dataclass(frozen=True, slots=True)
class Record:
    """One word or arrow of a view, with the line of text below it if it has one.

    `name` is where the variable stands that it shows, an empty span if it shows none; an arrow has two `ends`.
    """

    view: int
    span: Span
    number: int
    name: Span = NOWHERE
    ends: tuple[int, ...] = ()
    is_valve: bool = False
    is_cloud: bool = False
    is_attached: bool = False
    is_shadow: bool = False
    fields: int = 0


def records_of(document: Document) -> Iterator[Record]:
    """The words and arrows of a document's sketch in order; lines that are neither are passed over."""
    view = -1
    lines = (each for each in document.segments if each.kind in ("view", "record"))
    for segment in lines:
        if segment.kind == "view":
            view += document.text.startswith("\\\\", segment.start)
            continue
        arrow = _ARROW.match(document.text, segment.start, segment.end)
        if arrow:
            ends = (int(arrow["source"]), int(arrow["target"]))
            yield Record(view, Span(segment.start, segment.end), int(arrow["number"]), ends=ends)
        elif word := _WORD.match(document.text, segment.start, segment.end):
            yield _word(document, view, segment, word, lines)


def _word(document: Document, view: int, segment: Segment, word: re.Match[str], lines: Iterator[Segment]) -> Record:
    fields = word["rest"].split(",")
    shape, bits = (_whole(fields[place]) if place < len(fields) else 0 for place in (_SHAPE, _BITS))
    is_comment = word["kind"] == _COMMENT
    name = Span(*word.span("name")) if word["kind"] == _VARIABLE else NOWHERE
    end = segment.end
    if is_comment and bits & (_NEXT_LINE | _CONTROL):
        below = next(lines, segment)
        end = below.end
        told = _BELOW.match(document.text, below.start, below.end) if bits & _CONTROL else None
        name = Span(*told.span("name")) if told else name
    return Record(
        view,
        Span(segment.start, end),
        int(word["number"]),
        name,
        is_valve=word["kind"] == _VALVE,
        is_cloud=is_comment and word["name"] == _CLOUD and not bits & (_NEXT_LINE | _CONTROL),
        is_attached=bool(shape & _ATTACHED),
        is_shadow=word["kind"] == _VARIABLE and not bits & _IN,
        fields=len(fields) + 2,
    )


def _whole(text: str) -> int:
    return int(text.strip()) if re.fullmatch(r"\d{1,9}", text.strip()) else 0


def shown_key(document: Document, record: Record) -> str:
    """The key of the variable that a record shows, or nothing."""
    return key(document.slice(record.name)) if record.name.end > record.name.start else ""
