"""The blocks of one name in a document: its equation, units, range, comment and group, to read and to set."""

from __future__ import annotations

import math
import re
from typing import Literal

from ...errors import Fault, ModelError, Place, format_count
from ...model import Range, display_name, number_text
from ..document import Document
from ..read.grammar import SyntaxProblemError, parse
from ..read.segments import Segment, Span, blank_comments
from ..read.syntax import LINE_END, one_line, units_of
from .layout import Edit, fill_lines, line_end, move_blocks

_KEYWORDS = re.compile(r"\s*(?::[A-Z ]+:\s*)*", re.IGNORECASE)
_DIVIDER = re.compile(r"[|~]")
_WIDTH = 80
"""Vensim breaks a comment at the blank before this column, with a backslash."""


class Block:
    """The blocks that define a name, or with subscripts one of them; fields are read from the document when needed.

    Setting a field changes only its bytes. If several blocks define a name, its units, range and comment are those of the
    first block that has them; they are set there, or else in the last block, where Vensim writes them.
    """

    __slots__ = ("document", "selector")

    def __init__(self, document: Document, selector: str) -> None:
        self.document, self.selector = document, selector

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The blocks and their fields."""
        return self.document.find(self.selector)

    @property
    def segment(self) -> Segment:
        """The first block."""
        return self.segments[0]

    @property
    def name(self) -> str:
        """The name that the block defines, in the author's spelling."""
        return display_name(self.document.head(self.segment).name)

    @property
    def place(self) -> Place:
        """The line and column of the first block."""
        return self.document.place(self.segment.start)

    @property
    def sign(self) -> str:
        """What follows the left-hand side: `=`, `(` before the points of a lookup, `:=`; empty for data without an equation."""
        found = self.document.head(self.segment)
        field = blank_comments(self.document.slice(self.segment.main))
        return "" if _KEYWORDS.fullmatch(field[found.operator.start :]) else found.sign

    @property
    def equation(self) -> str:
        """The right-hand side; setting it leaves all other text as it is."""
        return self.document.slice(self.document.right_side(self.segment))

    @equation.setter
    def equation(self, text: str) -> None:
        first, *others = self.segments
        if others:
            heads = " or ".join(" ".join(self.document.left(segment).split()) for segment in self.segments[:2])
            what = f"'{self.name}' is defined by {len(others) + 1} blocks; name one of them, such as {heads}"
            raise ModelError([Fault(self.place, what)])
        if self.sign == "(" and not text.lstrip().startswith("("):
            what = f"'{self.name}' is a lookup; write its points, as in '{self.name}((0,0),(1,1))'"
            raise ModelError([Fault(self.place, what)])
        if not self.sign:
            cure = "remove it, and add it with an equation"
            raise ModelError([Fault(self.place, f"'{self.name}' is a data variable, without an equation; {cure}")])
        start, end = self.document.right_side(first)
        main = first.main
        try:
            parse(blank_comments(self.document.text[main.start : start] + text + self.document.text[end : main.end]))
        except SyntaxProblemError as error:
            raise ModelError([Fault(self.place, error.problem.what)]) from None
        self.document.replace(Span(start, end), text)

    @property
    def units(self) -> str:
        """The units, without the range."""
        return units_of(self.document.slice(self._owner("units").units))[0]

    @units.setter
    def units(self, text: str) -> None:
        units = check_units(text, self.place)
        if units != self.units:
            owner = self._owner("units")
            self._set(owner, "units", units_field(self.document.slice(owner.units), units=units))

    @property
    def range(self) -> Range | None:
        """The bounds and step after the units; set as (minimum, maximum) or with a step, None for an open side."""
        return units_of(self.document.slice(self._owner("range").units))[1]

    @range.setter  # noqa: A003 - the property above is meant
    def range(self, limits: Range | tuple[float | None, ...] | None) -> None:
        found = check_range(limits, self.place)
        if found != self.range:
            owner = self._owner("range")
            self._set(owner, "units", units_field(self.document.slice(owner.units), limits=range_text(found)))

    @property
    def comment(self) -> str:
        """The comment as it is in the file, with its author's line breaks."""
        return self.document.slice(self._owner("comment").comment).strip()

    @comment.setter
    def comment(self, text: str) -> None:
        found = check_text(text, "a comment", self.place)
        if found != self.comment:
            owner = self._owner("comment")
            self._set(owner, "comment", comment_text(found, line_end(self.document.text, owner)))

    @property
    def group(self) -> str:
        """The group of the block, empty before the first; setting it moves the block to the end of another group."""
        return self.document.group(self.segment)

    @group.setter
    def group(self, name: str) -> None:
        document = self.document
        group = check_group(name, self.place)
        edits = move_blocks(document.text, document.segments, self.segments, group)
        document.change(edits, groups=int(bool(edits) and document.lacks_group(group)))

    @property
    def supplementary(self) -> bool:
        """Whether a block is marked as supplementary: nothing need use the element."""
        return any(self.document.slice(segment.supplementary).strip() for segment in self.segments)

    def _owner(self, field: str) -> Segment:
        """Return the first block that has a field, or else the last block."""
        for segment in self.segments:
            units, limits = units_of(self.document.slice(segment.units))
            if {"units": units, "range": limits, "comment": self.document.slice(segment.comment).strip()}[field]:
                return segment
        return self.segments[-1]

    def _set(self, segment: Segment, field: Literal["units", "comment"], content: str) -> None:
        """Set a field of a block: the blanks around it stay, and a missing field is added."""
        text, span = self.document.text, getattr(segment, field)
        raw, end = text[span.start : span.end], line_end(text, segment)
        before, after = ("\t", f"{end}\t") if LINE_END.search(text, segment.start, segment.end) else (" ", " ")
        broken = LINE_END.search(raw)
        edit = Edit(span, f"{before}{content}{after}")
        if text[span.start - 1] != "~":  # missing: it goes before the bar that ends the block
            new = f"~{before}{content}{after}"
            if field == "comment" and text[segment.units.start - 1] != "~":
                new = f"~{before}{after.removeprefix(' ')}{new}"
            bar = segment.end - 1
            edit = Edit(Span(bar, bar), new if text[bar - 1].isspace() else after + new)
        elif raw.strip():
            start = span.start + len(raw) - len(raw.lstrip())
            edit = Edit(Span(start, start + len(raw.strip())), content)
        elif broken:
            lead = span.start + broken.start()
            edit = Edit(Span(lead, lead), content if broken.start() else f"\t{content}")
        self.document.change([edit])


def check_text(text: str, what: str, place: Place | str) -> str:
    """Return a text without blanks around it, if a field can hold it."""
    divider = _DIVIDER.search(text)
    wrong = ""
    if divider:
        wrong = f"{what} cannot hold '{divider[0]}', which separates fields of the file; write another mark"
    elif any(not mark.isprintable() and not mark.isspace() for mark in text):
        wrong = f"{what} holds characters that are not text; leave them out"
    elif text.rstrip().endswith("\\"):
        wrong = f"{what} cannot end with a backslash, which joins lines; leave it out"
    if wrong:
        raise ModelError([Fault(place, wrong)])
    return text.strip()


def comment_text(text: str, end: str) -> str:
    """Return a comment as a field has it: several lines stay as they are, a long line is broken as Vensim breaks it."""
    if "\r" in text:
        return text
    if "\n" in text:
        return text.replace("\n", end)
    return fill_lines(text.split(" "), end, indent="", width=_WIDTH)


def check_group(name: str, place: Place | str) -> str:
    """Return the name of a group without the dot before it; it is empty for the part before the first header."""
    group = one_line(check_text(name, "the name of a group", place)).removeprefix(".").strip()
    if "*" in group or (name.strip() and not group):
        raise ModelError([Fault(place, f"'{name.strip()}' is not a name for a group; write letters and no '*'")])
    return group


def check_units(text: str, place: Place | str) -> str:
    """Return units on one line, if the field of units can hold them."""
    units = one_line(check_text(text, "a unit", place))
    if "[" in units or "]" in units:
        raise ModelError([Fault(place, "units cannot hold brackets, which enclose the range; set the range by itself")])
    return units


def check_range(limits: Range | tuple[float | None, ...] | None, place: Place | str) -> Range | None:
    """Return limits as a range: a minimum, a maximum and perhaps a step, None for an open side."""
    if limits is None:
        return None
    if not isinstance(limits, Range):
        if len(limits) not in (2, 3):
            what = f"a range has a minimum, a maximum and perhaps a step, not {format_count(len(limits), 'number')}"
            raise ModelError([Fault(place, what)])
        limits = Range(*limits)
    low, high, step = limits.minimum, limits.maximum, limits.step
    wrong = ""
    if not all(math.isfinite(bound) for bound in (low, high, step) if bound is not None):
        wrong = "a range needs finite numbers; leave a side open with '?'"
    elif low is not None and high is not None and low > high:
        wrong = f"the minimum {number_text(low)} is above the maximum {number_text(high)}; give the smaller one first"
    elif step is not None and step < 0:
        wrong = f"the step {number_text(step)} is below 0; give a positive number"
    if wrong:
        raise ModelError([Fault(place, wrong)])
    return limits


def units_field(field: str, *, units: str | None = None, limits: str | None = None) -> str:
    """Return a field of units with other units or with another range; what is None stays as it is."""
    field = field.strip()
    start = field.rindex("[") if units_of(field)[1] is not None else len(field)
    return f"{field[:start].rstrip() if units is None else units} {field[start:] if limits is None else limits}".strip()


def range_text(limits: Range | None) -> str:
    """Return a range in brackets, as the field of units has it."""
    if limits is None:
        return ""
    bounds = [limits.minimum, limits.maximum, *([] if limits.step is None else [limits.step])]
    return f"[{','.join('?' if bound is None else number_text(bound) for bound in bounds)}]"
