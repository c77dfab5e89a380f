"""One name of a document and what is said of it: equation, units, range, comment and group, to read and to set."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import Fault, ModelError, Place
from ...model import Range, display
from ..document import Document
from ..read.fields import units_of
from ..read.grammar import SyntaxProblemError, parse
from ..read.segments import Segment, Span, blanked
from .filling import (
    Field,
    check_group,
    check_range,
    check_text,
    check_units,
    comment_text,
    fill,
    line_end,
    with_range,
    with_units,
)
from .layout import moved


class Block:
    """What defines a name, or with subscripts one part of it: what the document says there when it is asked.

    Setting something changes its bytes and no others. Where several blocks define a name, units, range and comment are
    those of the first that has them, and are set there, else in the last, where Vensim writes them.
    """

    __slots__ = ("asked", "document")

    def __init__(self, document: Document, asked: str) -> None:
        self.document, self.asked = document, asked

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Where the blocks and their fields stand."""
        return self.document.find(self.asked)

    @property
    def segment(self) -> Segment:
        """The first of them."""
        return self.segments[0]

    @property
    def name(self) -> str:
        """The name that the block defines, in the author's spelling."""
        return display(self.document.head(self.segment).name)

    @property
    def place(self) -> Place:
        """Where the block begins."""
        return self.document.place(self.segment.start)

    @property
    def equation(self) -> str:
        """What stands right of the operator; setting it leaves all other text alone."""
        return self.document.slice(self.document.right_side(self.segment))

    @equation.setter
    def equation(self, text: str) -> None:
        first, *others = self.segments
        if others:
            heads = " or ".join(" ".join(self.document.left(each).split()) for each in self.segments[:2])
            what = f"'{self.name}' is defined by {len(others) + 1} blocks; name one of them, such as {heads}"
            raise ModelError([Fault(self.place, what)])
        start, end = self.document.right_side(first)
        main = first.main
        try:
            parse(blanked(self.document.text[main.start : start] + text + self.document.text[end : main.end]))
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
            self._fill(owner, "units", with_units(self.document.slice(owner.units), units))

    @property
    def range(self) -> Range | None:
        """The bounds and step behind the units; it is set as (minimum, maximum), perhaps a step, None for an open side."""
        return units_of(self.document.slice(self._owner("range").units))[1]

    @range.setter  # noqa: A003 - the property above is meant
    def range(self, limits: Range | tuple[float | None, ...] | None) -> None:
        found = check_range(limits, self.place)
        if found != self.range:
            owner = self._owner("range")
            self._fill(owner, "units", with_range(self.document.slice(owner.units), found))

    @property
    def comment(self) -> str:
        """The comment field as it stands, lines broken as its author broke them."""
        return self.document.slice(self._owner("comment").comment).strip()

    @comment.setter
    def comment(self, text: str) -> None:
        found = check_text(text, "a comment", self.place)
        if found != self.comment:
            owner = self._owner("comment")
            self._fill(owner, "comment", comment_text(found, line_end(self.document.text, owner)))

    @property
    def group(self) -> str:
        """The group in which the block stands, empty before the first; setting it moves the block to the end of another."""
        return self.document.group(self.segment)

    @group.setter
    def group(self, name: str) -> None:
        document = self.document
        wanted = check_group(name, self.place)
        edits = moved(document.text, document.segments, self.segments, wanted)
        document.change(edits, groups=int(bool(edits) and document.lacks_group(wanted)))

    @property
    def supplementary(self) -> bool:
        """Whether the block says that nothing need use what it defines."""
        return any(self.document.slice(each.supplementary).strip() for each in self.segments)

    def _owner(self, what: str) -> Segment:
        """The block that tells something of the name, else the last one."""
        tells = _TELLS[what]
        return next((each for each in self.segments if tells(self.document, each)), self.segments[-1])

    def _fill(self, owner: Segment, field: Field, content: str) -> None:
        self.document.change(fill(self.document.text, owner, field, content))


_TELLS: dict[str, Callable[[Document, Segment], object]] = {
    "units": lambda document, segment: units_of(document.slice(segment.units))[0],
    "range": lambda document, segment: units_of(document.slice(segment.units))[1],
    "comment": lambda document, segment: document.slice(segment.comment).strip(),
}
"""Whether a block says something of what it defines."""
