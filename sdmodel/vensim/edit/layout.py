"""The layout of a model file: groups of blocks, places for new blocks, and the author's way of writing a block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...model import key
from ..read.segments import Segment, Span, blank_comments
from ..read.syntax import group_of, head_of
from ..read.tokens import LINE_END
from .edits import Edit

_STARS = "*" * 56
_CONTROL = "control"
_NUMBER = re.compile(r"\s*[-+\d.][-+.\deE\s,;]*$")


def line_end(text: str, segment: Segment | None = None) -> str:
    """Return the first line end of a block, else the first one of the text."""
    inside = LINE_END.search(text, segment.start, segment.end) if segment else None
    found = inside or LINE_END.search(text)
    return found.group() if found else "\n"


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
    return key(group).lstrip(".") == _CONTROL


def insert_block(text: str, segments: Sequence[Segment], block: str, group: str) -> list[Edit]:
    """Return the edits that put a block after the last one of its group, which is created if it does not exist.

    The group without a name is the part before the first header.
    """
    grouped = [item for item in grouped_segments(text, segments) if not item.in_macro]
    inside = [item.segment for item in grouped if key(item.group) == key(group)]
    blank = _usual_blank(text, segments)
    if inside:
        return [_insert_after(inside[-1], blank + block)]
    end = line_end(text)
    new = f"{_STARS}{end}\t.{group}{end}{_STARS}~{end}\t|{blank}{block}" if group else block
    control = next((item.segment for item in grouped if item.segment.kind == "group" and is_control(item.group)), None)
    if control is not None and (not group or any(item.segment.start < control.start for item in grouped)):
        before = segments[segments.index(control) - 1]
        after = text[before.start : before.end] if before.kind == "blank" and before.start else blank
        return [Edit(Span(control.start, control.start), new + after)]
    if grouped:
        return [_insert_after(grouped[-1].segment, blank + new)]
    first = next((segment for segment in segments if segment.kind not in ("encoding", "blank")), None)
    start = first.start if first else len(text)
    return [Edit(Span(start, start), new + blank)]


def _insert_after(segment: Segment, text: str) -> Edit:
    return Edit(Span(segment.end, segment.end), text)


def _usual_blank(text: str, segments: Sequence[Segment]) -> str:
    """Return the most frequent blank between two blocks."""
    found = Counter(
        text[blank.start : blank.end]
        for blank, behind in pairwise(segments)
        if blank.kind == "blank" and behind.kind == "block" and "\n" in text[blank.start : blank.end]
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

    def block(self, left: str, right: str, units: str, comment: str) -> str:
        """Return an equation as a block; the right-hand side of a lookup begins with its parenthesis."""
        if right.startswith("("):
            main = f"{left}{right}"
        else:
            after = self.after_number if _NUMBER.match(right) else self.after
            main = f"{left}{self.before}={after}{right}"
        fields = "".join(f"~{self.lead}{field}{self.ending}" for field in (units, comment))
        return f"{main}{self.ending}{fields}|"


def layout_of(text: str, segments: Sequence[Segment]) -> Layout:
    """Return the layout of most blocks of a file, or Vensim's own where there are none to go by."""
    end = line_end(text)
    counts: dict[str, Counter[str]] = {name: Counter() for name in Layout.__slots__}
    for item in grouped_segments(text, segments):
        if item.segment.kind == "block" and not item.in_macro and not is_control(item.group):
            _count_blanks(text, item.segment, counts)
    counts["after"] = counts["after"] or counts["after_number"]
    usual = {
        "before": "",
        "after": f"{end}\t",
        "after_number": _most(counts["after"], f"{end}\t"),
        "ending": f"{end}\t",
        "lead": "\t",
    }
    return Layout(**{name: _most(counts[name], usual[name]) for name in usual})


def _most(counts: Counter[str], usual: str) -> str:
    return counts.most_common(1)[0][0] if counts else usual


def _count_blanks(text: str, segment: Segment, counts: dict[str, Counter[str]]) -> None:
    main = text[segment.main.start : segment.main.end]
    head = head_of(blank_comments(main))
    if head.sign != "=":
        return
    left, right = main[: head.operator.start], main[head.operator.end :]
    counts["before"][left[len(left.rstrip()) :]] += 1
    after = right[: len(right) - len(right.lstrip())]
    counts["after_number" if _NUMBER.match(right) else "after"][after] += 1
    units = text[segment.units.start : segment.units.end]
    if units.strip():
        counts["ending"][main[len(main.rstrip()) :]] += 1
        counts["lead"][units[: len(units) - len(units.lstrip())]] += 1
