"""The variables of a document, ready to be compared with those of another one, and the detection of renamed variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...errors import Place
from ...model import Range
from ..document import Document
from ..read.syntax import comment_of, units_of
from .parts import Meaning, Part, meaning_of, names_in, parts_of, rename_in_meaning
from .tokens import comments_in

Key = tuple[str, str]
"""The key of a macro, empty outside of macros, and that of a variable."""

_OPERATOR = re.compile(r"\s*([*/()^,-])\s*")
_ANY_NAME = "?"


@dataclass(frozen=True)
class Variable:
    """The blocks of one name; units and range are those of the first block that has some."""

    name: str
    scope: str
    document: Document
    parts: tuple[Part, ...]

    @property
    def key(self) -> Key:
        """The keys of the macro around the variable and of the variable."""
        return self.scope, self.parts[0].key

    @property
    def group(self) -> str:
        """The group of the first block."""
        return self.parts[0].group

    @property
    def place(self) -> Place:
        """The line and column of the first block."""
        return self.document.place(self.parts[0].segment.start)

    @cached_property
    def meanings(self) -> tuple[Meaning, ...]:
        """The meanings of the left-hand subscripts and the right-hand side of each block."""
        return tuple((_left_meaning(part), meaning_of(self.document, part)) for part in self.parts)

    @cached_property
    def names(self) -> frozenset[str]:
        """The keys of all names in the blocks."""
        return frozenset(name for meaning in self.meanings for name in names_in(meaning))

    @cached_property
    def _units_and_ranges(self) -> list[tuple[str, Range | None]]:
        return [units_of(self.document.slice(part.segment.units)) for part in self.parts]

    @cached_property
    def units(self) -> str:
        """The units on one line."""
        return next((units for units, _ in self._units_and_ranges if units), "")

    @cached_property
    def range(self) -> Range | None:
        """The range after the units."""
        return next((limits for _, limits in self._units_and_ranges if limits), None)

    @property
    def plain_units(self) -> str:
        """The units without blanks around operators."""
        return _OPERATOR.sub(r"\1", self.units)

    @cached_property
    def comment(self) -> str:
        """The comments of all blocks, and those in braces inside their equations."""
        fields = [comment_of(self.document.slice(part.segment.comment)) for part in self.parts]
        inside = [text for part in self.parts for text in comments_in(self.document.slice(part.segment.main))]
        return "\n".join(text for text in dict.fromkeys([*fields, *inside]) if text)

    @property
    def supplementary(self) -> bool:
        """Whether a block is marked as supplementary: nothing need use the variable."""
        return any(self.document.slice(part.segment.supplementary).strip() for part in self.parts)


def _left_meaning(part: Part) -> Meaning:
    """Return the subscripts on the left-hand side, with those of `:EXCEPT:`."""
    if part.statement is None:
        return ()
    groups = (part.statement.subscripts, *part.statement.exceptions)
    return tuple(tuple(("NAME", label) for label in group) for group in groups)


@dataclass(frozen=True)
class Variables:
    """The variables of a document in the order of the file, and its other parts."""

    document: Document
    by_key: dict[Key, Variable]
    others: tuple[Part, ...]

    def users(self, key: Key) -> Iterator[Key]:
        """Return the variables that use another one; inside a macro, those of that macro."""
        scope, name = key
        for user, variable in self.by_key.items():
            if user != key and user[0] == scope and name in variable.names:
                yield user


def variables_of(document: Document) -> Variables:
    """Return the variables of a document, with the blocks of one name together."""
    found: dict[Key, list[Part]] = {}
    others: list[Part] = []
    for part in parts_of(document):
        if part.kind == "block":
            found.setdefault((part.scope, part.key), []).append(part)
        else:
            others.append(part)
    macros = {part.key: part.name for part in others if part.kind == "macro"}
    by_key = {}
    for key, blocks in found.items():
        scope, name = key[0], blocks[0].name
        by_key[key] = Variable(f"{macros.get(scope, scope)}: {name}" if scope else name, scope, document, tuple(blocks))
    return Variables(document, by_key, tuple(others))


def find_renames(old: Variables, new: Variables) -> dict[Key, Key]:
    """Return the new key of each renamed variable by its old key.

    A removed and an added variable are one renamed variable if three conditions hold with all new names put in: their
    blocks and units agree; the users of the one use the other, and nobody else does; and at least one of these users, or
    the comment, is unchanged otherwise.
    """
    removed = {key: variable for key, variable in old.by_key.items() if key not in new.by_key}
    added = {key: variable for key, variable in new.by_key.items() if key not in old.by_key}
    pairs = _candidates(removed, added)
    while True:
        wrong = [key for key in pairs if not _is_renamed(key, pairs, old, new)]
        if not wrong:
            return pairs
        pairs = {key: found for key, found in pairs.items() if key not in wrong}


def names_in_scope(pairs: Mapping[Key, Key], scope: str) -> dict[str, str]:
    """Return the new names by the old ones inside one macro, or outside of macros."""
    return {old[1]: new[1] for old, new in pairs.items() if old[0] == scope}


def _renamed_meanings(variable: Variable, pairs: Mapping[Key, Key]) -> tuple[Meaning, ...]:
    names = names_in_scope(pairs, variable.scope)
    if names.keys().isdisjoint(variable.names):
        return variable.meanings
    return tuple(rename_in_meaning(meaning, names) for meaning in variable.meanings)


def _candidates(removed: Mapping[Key, Variable], added: Mapping[Key, Variable]) -> dict[Key, Key]:
    """Pair variables of the same shape that have no rivals; comments tell rivals apart."""
    hidden = {name: _ANY_NAME for _, name in (*removed, *added)}
    shapes: dict[tuple[object, ...], tuple[list[Variable], list[Variable]]] = {}
    for side, variables in enumerate((removed, added)):
        for variable in variables.values():
            shapes.setdefault(_shape(variable, hidden), ([], []))[side].append(variable)
    pairs: dict[Key, Key] = {}
    for before, after in shapes.values():
        if len(before) == len(after) == 1:
            pairs[before[0].key] = after[0].key
            continue
        for variable in before:
            found = [other for other in after if other.comment == variable.comment]
            rivals = [other for other in before if other.comment == variable.comment]
            if variable.comment and len(found) == len(rivals) == 1:
                pairs[variable.key] = found[0].key
    return pairs


def _shape(variable: Variable, hidden: Mapping[str, str]) -> tuple[object, ...]:
    """Return the meaning of a variable apart from the names that were removed or added."""
    meanings = tuple(rename_in_meaning(meaning, hidden) for meaning in variable.meanings)
    return variable.scope, variable.plain_units, variable.range, meanings


def _is_renamed(key: Key, pairs: Mapping[Key, Key], old: Variables, new: Variables) -> bool:
    """Whether both documents agree that a variable was only renamed."""
    before, after = old.by_key[key], new.by_key[pairs[key]]
    if _renamed_meanings(before, pairs) != after.meanings:
        return False
    users = {user: pairs.get(user, user) for user in old.users(key)}
    using = set(new.users(after.key))
    staying = {user for user in users.values() if user in new.by_key}
    known = {pairs.get(other, other) for other in old.by_key}
    if not staying <= using or any(user in known and user not in staying for user in using):
        return False
    unchanged = any(
        _renamed_meanings(old.by_key[was], pairs) == new.by_key[now].meanings
        for was, now in users.items()
        if now in staying
    )
    return unchanged or bool(before.comment and before.comment == after.comment)
