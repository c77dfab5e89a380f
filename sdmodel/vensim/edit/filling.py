"""What a field of a block says, put where it stands, in the way the block is written."""

from __future__ import annotations

import math
import re
from typing import Literal

from ...errors import Fault, ModelError, Place
from ...model import Range, digits
from ..read.fields import one_line, units_of
from ..read.segments import Segment, Span
from .edits import Edit

Field = Literal["units", "comment"]

_LINE_END = re.compile(r"\r\n?|\n")
_DIVIDER = re.compile(r"[|~]")
_WIDTH = 80
"""Vensim breaks a comment at the blank before this column, with a backslash."""


def fill(text: str, segment: Segment, field: Field, content: str) -> list[Edit]:
    """The edits that make a field of a block say something; what stands around it stays, and a missing field is added."""
    span: Span = getattr(segment, field)
    if text[span.start - 1] != "~":
        return _added(text, segment, field, content) if content else []
    raw = text[span.start : span.end]
    if raw.strip():
        start = span.start + len(raw) - len(raw.lstrip())
        return [Edit(Span(start, start + len(raw.strip())), content)]
    broken = _LINE_END.search(raw)
    if broken:
        lead = span.start + broken.start()
        return [Edit(Span(lead, lead), content if broken.start() else f"\t{content}")]
    end = line_end(text, segment)
    return [Edit(span, f"\t{content}{end}\t" if _is_tall(text, segment) else f" {content} ")]


def _added(text: str, segment: Segment, field: Field, content: str) -> list[Edit]:
    """A field that a block lacks, before the bar that ends the block, and the one that must stand before it."""
    end = line_end(text, segment)
    before, after = ("\t", f"{end}\t") if _is_tall(text, segment) else (" ", " ")
    bar = segment.end - 1
    new = f"~{before}{content}{after}"
    if field == "comment" and text[segment.units.start - 1] != "~":
        new = f"~{before}{after.removeprefix(' ')}{new}"
    lead = "" if text[bar - 1].isspace() else after
    return [Edit(Span(bar, bar), lead + new)]


def _is_tall(text: str, segment: Segment) -> bool:
    """Whether a block takes several lines."""
    return _LINE_END.search(text, segment.start, segment.end) is not None


def line_end(text: str, segment: Segment | None = None) -> str:
    """The line end that a block uses, else the one that the text begins with."""
    inside = _LINE_END.search(text, segment.start, segment.end) if segment else None
    found = inside or _LINE_END.search(text)
    return found.group() if found else "\n"


def check_text(text: str, what: str, place: Place | str) -> str:
    """A text without blanks around it, if a field can hold it."""
    divider = _DIVIDER.search(text)
    if divider:
        told = f"{what} cannot hold '{divider[0]}', by which Vensim divides the file; write another mark"
        raise ModelError([Fault(place, told)])
    if any(not mark.isprintable() and not mark.isspace() for mark in text):
        raise ModelError([Fault(place, f"{what} holds marks that are no text; leave them out")])
    if text.rstrip().endswith("\\"):
        raise ModelError([Fault(place, f"{what} cannot end with a backslash, which joins lines; leave it out")])
    return text.strip()


def comment_text(text: str, end: str) -> str:
    """A comment as a field has it: one of several lines as it is, a long line broken as Vensim breaks it."""
    if "\r" in text:
        return text
    if "\n" in text:
        return text.replace("\n", end)
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) + 1 > _WIDTH:
            lines.append(f"{line} \\")
            line = word
        else:
            line = f"{line} {word}" if line else word
    return f"{end}\t\t".join([*lines, line])


def check_group(name: str, place: Place | str) -> str:
    """The name of a group on one line, without the dot before it; none is what stands before the first header."""
    group = one_line(check_text(name, "the name of a group", place)).removeprefix(".").strip()
    if "*" in group or (name.strip() and not group):
        raise ModelError([Fault(place, f"'{name.strip()}' is no name of a group; write letters and no '*'")])
    return group


def check_units(text: str, place: Place | str) -> str:
    """Units on one line.

    Raises
    ------
    ModelError
        If they cannot stand in the field of units, or would be read as a range.
    """
    units = one_line(check_text(text, "a unit", place))
    if "[" in units or "]" in units:
        raise ModelError([Fault(place, "units cannot hold brackets, in which the range stands; set that by itself")])
    return units


def check_range(limits: Range | tuple[float | None, ...] | None, place: Place | str) -> Range | None:
    """Limits as a range: a minimum, a maximum and perhaps a step, None where there is none."""
    if limits is None or isinstance(limits, Range):
        found = limits
    elif len(limits) in (2, 3):
        found = Range(*limits)
    else:
        raise ModelError(
            [Fault(place, f"a range has a minimum, a maximum and perhaps a step, not {len(limits)} numbers")]
        )
    wrong = _wrong_with(found) if found else ""
    if wrong:
        raise ModelError([Fault(place, wrong)])
    return found


def _wrong_with(limits: Range) -> str:
    numbers = [each for each in (limits.minimum, limits.maximum, limits.step) if each is not None]
    if not all(map(math.isfinite, numbers)):
        return "a range takes finite numbers; leave a side open with '?'"
    if limits.minimum is not None and limits.maximum is not None and limits.minimum > limits.maximum:
        return f"the minimum {digits(limits.minimum)} is above the maximum {digits(limits.maximum)}; give the smaller one first"
    if limits.step is not None and limits.step < 0:
        return f"the step {digits(limits.step)} is below 0; give a number above"
    return ""


def with_units(field: str, units: str) -> str:
    """What the field of units says with other units; the range stays as it is written."""
    stripped = field.strip()
    brackets = stripped[stripped.rindex("[") :] if units_of(field)[1] is not None else ""
    return f"{units} {brackets}".strip()


def with_range(field: str, limits: Range | None) -> str:
    """What the field of units says with another range; the units stay as they are written."""
    stripped = field.strip()
    units = stripped[: stripped.rindex("[")] if units_of(field)[1] is not None else stripped
    return f"{units.rstrip()} {_brackets(limits)}".strip()


def _brackets(limits: Range | None) -> str:
    if limits is None:
        return ""
    bounds = [limits.minimum, limits.maximum, *([] if limits.step is None else [limits.step])]
    return f"[{','.join('?' if each is None else digits(each) for each in bounds)}]"
