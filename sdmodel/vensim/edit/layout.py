"""Edits of a text, and the layout of a model file: groups, places for new blocks, the author's way of writing a block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...model import key
from ..read.segments import Segment, Span, blank_comments
from ..read.syntax import LINE_END, group_of, head_of

_STARS = "*" * 56
_WIDTH = 78
"""Characters of a line before Vensim continues an equation on the next."""
_NUMBER = re.compile(r"\s*[-+\d.][-+.\deE\s,;]*$")


@dataclass(frozen=True, slots=True)
class Edit:
    """A span of a text and its new text; an empty span inserts, an empty text removes."""

    span: Span
    text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> tuple[str, list[Edit]]:
    """Return the text after all edits, which have spans of the text before, and the edits that undo them.

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


def line_end(text: str, segment: Segment | None = None) -> str:
    """Return the first line end of a block, else the first one of the text."""
    inside = LINE_END.search(text, segment.start, segment.end) if segment else None
    found = inside or LINE_END.search(text)
    return found.group() if found else "\n"


def fill_lines(words: Sequence[str], end: str, *, indent: str = "\t", width: int = _WIDTH) -> str:
    """Write words on as many lines as they need, continued as Vensim does; `end` is the line end."""
    lines: list[str] = []
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return indent + f" \\{end}\t\t".join([*lines, line])


@dataclass(frozen=True, slots=True)
class GroupedSegment:
    """A segment of the equations, its group, and whether it is inside a macro."""

    segment: Segment
    group: str
    in_macro: bool


def grouped_segments(text: str, segments: Iterable[Segment]) -> Iterator[GroupedSegment]:
    """Return the blocks and the headers of groups in order, each with its group."""
    group, in_macro = "", False
    for segment in segments:
        if segment.kind in ("macro", "macro end"):
            in_macro = segment.kind == "macro"
        elif segment.kind == "group":
            group = group_of(text[segment.main.start : segment.main.end])
        if segment.kind in ("group", "block"):
            yield GroupedSegment(segment, group, in_macro)


def is_control(group: str) -> bool:
    """Whether a group is the one in which Vensim keeps the times of a run."""
    return key(group).lstrip(".") == "control"


def insert_block(text: str, segments: Sequence[Segment], block: str, group: str) -> list[Edit]:
    """Return the edits that put a block after the last one of its group, which is created if it does not exist.

    The group without a name is the part before the first header.
    """
    grouped = [item for item in grouped_segments(text, segments) if not item.in_macro]
    inside = [item.segment for item in grouped if key(item.group) == key(group)]
    blank = _usual_blank(text, segments)
    if inside:
        return [Edit(Span(inside[-1].end, inside[-1].end), blank + block)]
    end = line_end(text)
    new = f"{_STARS}{end}\t.{group}{end}{_STARS}~{end}\t|{blank}{block}" if group else block
    control = next((item.segment for item in grouped if item.segment.kind == "group" and is_control(item.group)), None)
    if control is not None and (not group or any(item.segment.start < control.start for item in grouped)):
        before = segments[segments.index(control) - 1]
        after = text[before.start : before.end] if before.kind == "blank" and before.start else blank
        return [Edit(Span(control.start, control.start), new + after)]
    if grouped:
        last = grouped[-1].segment.end
        return [Edit(Span(last, last), blank + new)]
    start = next((segment.start for segment in segments if segment.kind not in ("encoding", "blank")), len(text))
    return [Edit(Span(start, start), new + blank)]


def _usual_blank(text: str, segments: Sequence[Segment]) -> str:
    """Return the most frequent blank between two blocks."""
    found = Counter(
        text[blank.start : blank.end]
        for blank, behind in pairwise(segments)
        if blank.kind == "blank" and behind.kind == "block" and LINE_END.search(text, blank.start, blank.end)
    )
    return found.most_common(1)[0][0] if found else line_end(text) * 2


def remove_blocks(segments: Sequence[Segment], blocks: Iterable[Segment]) -> list[Edit]:
    """Return the edits that remove blocks, each with the blank before it, or after it where there is none before."""
    found: list[Edit] = []
    taken: set[Segment] = set()
    for block in blocks:
        index = segments.index(block)
        start, end = block.start, block.end
        before = segments[index - 1] if index else block
        behind = segments[index + 1] if index + 1 < len(segments) else block
        if before.kind == "blank" and before not in taken:
            taken.add(before)
            start = before.start
        elif behind.kind == "blank":
            taken.add(behind)
            end = behind.end
        found.append(Edit(Span(start, end), ""))
    return found


def move_blocks(text: str, segments: Sequence[Segment], blocks: Sequence[Segment], group: str) -> list[Edit]:
    """Return the edits that move blocks to the end of a group, except those that are in it."""
    groups = {item.segment: item.group for item in grouped_segments(text, segments)}
    blocks = [block for block in blocks if key(groups[block]) != key(group)]
    if not blocks:
        return []
    joined = _usual_blank(text, segments).join(text[block.start : block.end] for block in blocks)
    return [*remove_blocks(segments, blocks), *insert_block(text, segments, joined, group)]


@dataclass(frozen=True, slots=True)
class Layout:
    """The blanks that an author writes around the fields of a block."""

    before: str
    after: str
    after_number: str
    ending: str
    lead: str

    def block(self, left: str, right: str, units: str, comment: str, *, is_lookup: bool) -> str:
        """Return an equation as a block; a lookup has no equals sign before its parenthesis."""
        after = self.after_number if _NUMBER.match(right) else self.after
        sign = "" if is_lookup else f"{self.before}={after}"
        fields = "".join(f"~{self.lead}{field}{self.ending}" for field in (units, comment))
        return f"{left}{sign}{right}{self.ending}{fields}|"


def layout_of(text: str, segments: Sequence[Segment]) -> Layout:
    """Return the layout of most blocks of a file, or Vensim's own where there are none to go by."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in Layout.__slots__}
    for item in grouped_segments(text, segments):
        segment = item.segment
        main = text[segment.main.start : segment.main.end]
        head = head_of(blank_comments(main))
        if segment.kind != "block" or item.in_macro or is_control(item.group) or head.sign != "=":
            continue
        left, right = main[: head.operator.start], main[head.operator.end :]
        counts["before"][left[len(left.rstrip()) :]] += 1
        counts["after_number" if _NUMBER.match(right) else "after"][right[: len(right) - len(right.lstrip())]] += 1
        units = text[segment.units.start : segment.units.end]
        if units.strip():
            counts["ending"][main[len(main.rstrip()) :]] += 1
            counts["lead"][units[: len(units) - len(units.lstrip())]] += 1
    counts["after"] = counts["after"] or counts["after_number"]
    counts["after_number"] = counts["after_number"] or counts["after"]
    own = {"before": "", "lead": "\t"}
    usual = {name: own.get(name, f"{line_end(text)}\t") for name in counts}
    return Layout(**{name: max(found, key=found.__getitem__, default=usual[name]) for name, found in counts.items()})
