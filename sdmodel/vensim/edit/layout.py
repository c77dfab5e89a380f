"""Where blocks stand in a file and how its author lays them out: places for new blocks, and how one is taken out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...model import key
from ..read.fields import group_of
from ..read.heads import head_of
from ..read.segments import Segment, Span, blanked
from .edits import Edit
from .filling import line_end

_STARS = "*" * 56
_CONTROL = "control"
_NUMBER = re.compile(r"\s*[-+\d.][-+.\deE\s,;]*$")


@dataclass(frozen=True, slots=True)
class Standing:
    """A segment of the equations, the group that it stands in, and whether it is inside a macro."""

    segment: Segment
    group: str
    in_macro: bool


def standings(text: str, segments: Iterable[Segment]) -> Iterator[Standing]:
    """The blocks and the headers of groups in order, each with the group that it belongs to."""
    group, in_macro = "", False
    for segment in segments:
        if segment.kind in ("macro", "macro end"):
            in_macro = segment.kind == "macro"
        elif segment.kind == "group":
            group = group_of(text[segment.main.start : segment.main.end])
        if segment.kind in ("group", "block"):
            yield Standing(segment, group, in_macro)


def is_control(group: str) -> bool:
    """Whether a group is the one in which Vensim keeps the times of a run."""
    return key(group).lstrip(".") == _CONTROL


def inserted(text: str, segments: Sequence[Segment], block: str, group: str) -> list[Edit]:
    """The edits that put a block behind the last one of its group; a group that there is not is begun.

    The group without a name is what stands before the first header.
    """
    standing = [each for each in standings(text, segments) if not each.in_macro]
    inside = [each.segment for each in standing if key(each.group) == key(group)]
    gap = _gap(text, segments)
    if inside:
        return [_behind(inside[-1], gap + block)]
    end = line_end(text)
    new = f"{_STARS}{end}\t.{group}{end}{_STARS}~{end}\t|{gap}{block}" if group else block
    control = next((each.segment for each in standing if each.segment.kind == "group" and is_control(each.group)), None)
    before = control and any(each.segment.start < control.start for each in standing)
    if control is not None and (before or not group):
        return [Edit(Span(control.start, control.start), new + _blank_before(text, segments, control, gap))]
    if standing:
        return [_behind(standing[-1].segment, gap + new)]
    first = next((each for each in segments if each.kind not in ("encoding", "blank")), None)
    start = first.start if first else len(text)
    return [Edit(Span(start, start), new + gap)]


def _behind(anchor: Segment, text: str) -> Edit:
    return Edit(Span(anchor.end, anchor.end), text)


def _gap(text: str, segments: Sequence[Segment]) -> str:
    """What stands between two blocks, most often."""
    found = Counter(
        text[blank.start : blank.end]
        for blank, behind in pairwise(segments)
        if blank.kind == "blank" and behind.kind == "block" and "\n" in text[blank.start : blank.end]
    )
    return found.most_common(1)[0][0] if found else line_end(text) * 2


def _blank_before(text: str, segments: Sequence[Segment], segment: Segment, gap: str) -> str:
    before = segments[segments.index(segment) - 1]
    return text[before.start : before.end] if before.kind == "blank" and before.start else gap


def removed(segments: Sequence[Segment], parts: Iterable[Segment]) -> list[Edit]:
    """The edits that take blocks out, each with the blank before it, or behind it where none is before."""
    found: list[Edit] = []
    taken: set[Segment] = set()
    for part in parts:
        index = segments.index(part)
        start, end = part.start, part.end
        before = segments[index - 1] if index else part
        behind = segments[index + 1] if index + 1 < len(segments) else part
        if before.kind == "blank" and before not in taken:
            taken.add(before)
            start = before.start
        elif behind.kind == "blank":
            taken.add(behind)
            end = behind.end
        found.append(Edit(Span(start, end), ""))
    return found


def moved(text: str, segments: Sequence[Segment], parts: Sequence[Segment], group: str) -> list[Edit]:
    """The edits that move blocks to the end of a group; none if they stand there."""
    there = {each.segment: each.group for each in standings(text, segments)}
    parts = [each for each in parts if key(there[each]) != key(group)]
    if not parts:
        return []
    block = _gap(text, segments).join(text[each.start : each.end] for each in parts)
    return [*removed(segments, parts), *inserted(text, segments, block, group)]


@dataclass(frozen=True, slots=True)
class Layout:
    """The blanks that an author puts around the parts of a block."""

    before: str
    after: str
    after_number: str
    ending: str
    lead: str

    def block(self, left: str, right: str, units: str, comment: str) -> str:
        """An equation as a block; the right-hand side of a lookup begins with its parenthesis."""
        if right.startswith("("):
            main = f"{left}{right}"
        else:
            after = self.after_number if _NUMBER.match(right) else self.after
            main = f"{left}{self.before}={after}{right}"
        fields = "".join(f"~{self.lead}{field}{self.ending}" for field in (units, comment))
        return f"{main}{self.ending}{fields}|"


def layout_of(text: str, segments: Sequence[Segment]) -> Layout:
    """How most blocks of a file are laid out; Vensim's own way where there is none to go by."""
    end = line_end(text)
    counts: dict[str, Counter[str]] = {name: Counter() for name in Layout.__slots__}
    for each in standings(text, segments):
        if each.segment.kind == "block" and not each.in_macro and not is_control(each.group):
            _count(text, each.segment, counts)
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


def _count(text: str, segment: Segment, counts: dict[str, Counter[str]]) -> None:
    """What one block says of its author's way."""
    main = text[segment.main.start : segment.main.end]
    head = head_of(blanked(main))
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
