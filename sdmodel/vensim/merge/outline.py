"""A document variable by variable: all that its blocks say of each, ready to be held against another document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ...errors import Place
from ...model import Range
from ..document import Document
from ..read.fields import comment_of, units_of
from .parts import Meaning, Part, meaning_of, names_in, parts_of
from .pieces import comments_in

Key = tuple[str, str]
"""The key of a macro, empty outside of macros, and that of a variable."""

_AROUND = re.compile(r"\s*([*/()^,-])\s*")


@dataclass(frozen=True)
class Variable:
    """What the blocks of one name say; units and range are those of the first block that has some."""

    name: str
    scope: str
    document: Document
    parts: tuple[Part, ...]

    @property
    def key(self) -> Key:
        """The key of the variable and of the macro it stands in."""
        return self.scope, self.parts[0].key

    @property
    def group(self) -> str:
        """The group of the first block."""
        return self.parts[0].group

    @property
    def place(self) -> Place:
        """Where the first block begins."""
        return self.document.place(self.parts[0].segment.start)

    @property
    def is_range(self) -> bool:
        """Whether the name is a range of subscripts."""
        return self.parts[0].is_range

    @cached_property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the left-hand subscripts and the right-hand side of each block say."""
        return tuple((_left(part), meaning_of(self.document, part)) for part in self.parts)

    @cached_property
    def names(self) -> frozenset[str]:
        """The keys of all names that the blocks mention."""
        return frozenset(name for meaning in self.meanings for name in names_in(meaning))

    @cached_property
    def units(self) -> str:
        """The units on one line."""
        return next((units for units, _ in self._measures if units), "")

    @cached_property
    def range(self) -> Range | None:
        """The range behind the units."""
        return next((limits for _, limits in self._measures if limits), None)

    @property
    def plain_units(self) -> str:
        """The units without blanks that mean nothing."""
        return _AROUND.sub(r"\1", self.units)

    @cached_property
    def comment(self) -> str:
        """The comments of all blocks, and those in braces inside their equations."""
        told = [comment_of(self.document.slice(part.segment.comment)) for part in self.parts]
        inside = [each for part in self.parts for each in comments_in(self.document.slice(part.segment.main))]
        return "\n".join(each for each in dict.fromkeys([*told, *inside]) if each)

    @property
    def supplementary(self) -> bool:
        """Whether a block says that nothing need use the variable."""
        return any(self.document.slice(part.segment.supplementary).strip() for part in self.parts)

    @cached_property
    def _measures(self) -> list[tuple[str, Range | None]]:
        return [units_of(self.document.slice(part.segment.units)) for part in self.parts]


def _left(part: Part) -> Meaning:
    """The subscripts on the left-hand side, with those of `:EXCEPT:`."""
    if part.statement is None:
        return ()
    groups = (part.statement.subscripts, *part.statement.exceptions)
    return tuple(tuple(("NAME", each) for each in group) for group in groups)


@dataclass(frozen=True)
class Outline:
    """The variables of a document in the order of the file, and its other parts."""

    document: Document
    variables: dict[Key, Variable]
    others: tuple[Part, ...]

    def users(self, key: Key) -> Iterator[Key]:
        """The variables whose blocks mention another; inside a macro, those of that macro."""
        scope, name = key
        for each, variable in self.variables.items():
            if each != key and each[0] == scope and name in variable.names:
                yield each


def outline_of(document: Document) -> Outline:
    """The variables of a document, blocks of one name together."""
    found: dict[Key, list[Part]] = {}
    others: list[Part] = []
    for part in parts_of(document):
        if part.kind == "block":
            found.setdefault((part.scope, part.key), []).append(part)
        else:
            others.append(part)
    macros = {part.key: part.name for part in others if part.kind == "macro"}
    variables = {
        key: Variable(
            f"{macros.get(key[0], key[0])}: {blocks[0].name}" if key[0] else blocks[0].name,
            key[0],
            document,
            tuple(blocks),
        )
        for key, blocks in found.items()
    }
    return Outline(document, variables, tuple(others))
