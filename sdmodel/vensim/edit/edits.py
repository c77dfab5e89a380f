"""Edits of a text: spans and their new text, applied together and taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..read.segments import Span


@dataclass(frozen=True, slots=True)
class Edit:
    """A span of a text and its new text; an empty span inserts, an empty text removes."""

    span: Span
    text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> tuple[str, list[Edit]]:
    """Return the text after all edits, whose spans are those of the text before, and the edits that undo them.

    Edits at one place keep their order. They must not overlap.
    """
    pieces: list[str] = []
    back: list[Edit] = []
    position = moved = 0
    for edit in sorted(edits, key=lambda edit: edit.span):
        span, new = edit.span, edit.text
        if span.start < position:
            message = f"edits overlap at offset {span.start}"
            raise ValueError(message)
        pieces += [text[position : span.start], new]
        start = span.start + moved
        back.append(Edit(Span(start, start + len(new)), text[span.start : span.end]))
        moved += len(new) - (span.end - span.start)
        position = span.end
    pieces.append(text[position:])
    return "".join(pieces), back
