"""The equations of a document as parts, with their meaning apart from layout; its variables, and which were renamed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any, Literal

from ...errors import Place
from ...model import Range, display_name, key
from ..document import Document
from ..edit.names import find_names
from ..read.grammar import Node
from ..read.segments import Kind as SegmentKind
from ..read.segments import Segment, blank_comments
from ..read.statements import MACRO_HEAD, Statement, read_statements
from ..read.syntax import comment_of, group_of, left_name, one_line, units_of
from ..read.table import Token
from .tokens import comments_in

PartKind = Literal["block", "group", "macro", "macro end", "text"]
Meaning = tuple[Any, ...]
"""A tree of names, numbers and operators, in tuples; equations that differ only in layout have equal trees."""
Key = tuple[str, str]
"""The key of a macro, empty outside of macros, and that of a variable."""

_KINDS: dict[str, PartKind] = {"group": "group", "macro": "macro", "macro end": "macro end", "block": "block"}
_TAIL = frozenset({"view", "record", "sketch end", "graph", "marker", "setting"})
_FIGURE = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[^\s\d.]")
_ROWS = frozenset({"NUMBERS", "POINTS", "LIMITS", "TABBED"})
_OPERATOR = re.compile(r"\s*([*/()^,-])\s*")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a document's equations: a block, a group's header, a mark of a macro, or other text.

    `scope` is the key of the macro around the part, `group` the name of its group; `statement` is None for a block that
    cannot be read.
    """

    document: Document
    kind: PartKind
    name: str
    segment: Segment
    scope: str = ""
    group: str = ""
    statement: Statement | None = None

    @property
    def key(self) -> str:
        """The name as Vensim compares it."""
        return key(self.name)

    @property
    def text(self) -> str:
        """The text as it is."""
        return self.document.text[self.segment.start : self.segment.end]

    @property
    def place(self) -> Place:
        """The line and column."""
        return self.document.place(self.segment.start)

    @property
    def subscripts(self) -> tuple[str, ...]:
        """The left-hand subscripts, with those that `:EXCEPT:` leaves out."""
        if self.statement is None:
            return ()
        left_out = (f"-{label}" for group in self.statement.exceptions for label in group)
        return (*self.statement.subscripts, *left_out)

    @property
    def is_range(self) -> bool:
        """Whether the part declares a subscript range."""
        return self.statement is not None and self.statement.kind in ("range", "alias")


def parts_of(document: Document) -> tuple[Part, ...]:
    """Return the parts of a document's equations in order, without blank lines and the encoding."""
    found = read_statements(document)
    statements = [*found.model, *(statement for macro in found.macros.values() for statement in macro.statements)]
    by_start = {statement.segment.start: statement for statement in statements}
    parts: list[Part] = []
    scope = group = ""
    for segment in takewhile(lambda segment: segment.kind not in _TAIL, document.segments):
        text = document.text[segment.start : segment.end]
        if segment.kind == "encoding" or not text.strip():
            continue
        kind, name = _KINDS.get(segment.kind, "text"), ""
        if kind == "group":
            name = group = group_of(document.slice(segment.main))
        elif kind == "macro":
            macro = MACRO_HEAD.match(blank_comments(text))
            name = display_name(macro["name"]) if macro else ""
            scope = key(name)
        elif kind == "block" or segment.kind == "broken":
            name = display_name(left_name(blank_comments(document.slice(segment.main) or text)))
        own_scope = "" if kind == "macro" else scope
        parts.append(Part(document, kind, name, segment, own_scope, group, by_start.get(segment.start)))
        scope = "" if kind == "macro end" else scope
    return tuple(parts)


def tail_start(document: Document) -> int:
    """Return where the sketch and the settings begin, the end of the text if there are none."""
    return next((segment.start for segment in document.segments if segment.kind in _TAIL), len(document.text))


def text_of_kind(document: Document, kind: SegmentKind) -> str:
    """Return the text of all segments of a kind, as it is."""
    return "".join(document.text[part.start : part.end] for part in document.segments if part.kind == kind)


def meaning_of(part: Part) -> Meaning:
    """Return the meaning of a part's right-hand side; its words if it cannot be read."""
    if part.statement is None:
        words = blank_comments(part.document.slice(part.segment.main) or part.text).split()
        return ("text", " ".join(words))
    return body_meaning(part.statement.kind, part.statement.body)


def body_meaning(kind: str, body: object) -> Meaning:
    """Return the meaning of a parsed right-hand side."""
    return (kind, *map(_meaning, body))  # type: ignore[call-overload] # lark's trees have no types


def _meaning(node: Node) -> Meaning:
    if not isinstance(node, Token):
        return (str(node.data), *map(_meaning, node.children))
    if node.type == "NAME":
        return ("NAME", key(node))
    if node.type == "NUMBER":
        return ("NUMBER", float(node))
    if node.type in _ROWS:
        figures = _FIGURE.findall(node)
        return (node.type, *(float(text) if text[0].isdigit() or text[0] == "." else text for text in figures))
    if node.type == "REST":
        return (node.type, *_loose_meaning(str(node)))
    text = one_line(node)
    return (node.type, text if node.type == "STRING" else text.replace("_", " ").upper())


def _loose_meaning(text: str) -> Iterator[Meaning | str]:
    """Return the names in a text without grammar, such as a reality check, and what is between them without blanks."""
    plain, end = blank_comments(text), 0
    for found in find_names(text):
        yield _between(plain[end : found.span.start])
        yield ("NAME", found.key)
        end = found.span.end
    yield _between(plain[end:])


def _between(text: str) -> str:
    return one_line(text) if "'" in text else "".join(text.split()).upper()


def rename_in_meaning(meaning: Meaning, names: Mapping[str, str]) -> Meaning:
    """Return the same meaning with new names in place of old ones."""
    if meaning[:1] == ("NAME",):
        return ("NAME", names.get(meaning[1], meaning[1]))
    return tuple(rename_in_meaning(node, names) if isinstance(node, tuple) else node for node in meaning)


def names_in(meaning: Meaning) -> Iterator[str]:
    """Return the keys of the names in a meaning."""
    if meaning[:1] == ("NAME",):
        yield meaning[1]
        return
    for node in meaning:
        if isinstance(node, tuple):
            yield from names_in(node)


def right_text(part: Part) -> str:
    """Return the author's right-hand side on one line, with the mark of a constant that is fixed."""
    main, statement = part.segment.main, part.statement
    if statement is None or statement.right >= main.end:
        return one_line(part.document.slice(main) or part.text)
    text = one_line(part.document.text[statement.right : main.end])
    return f"== {text}" if statement.kind == "fixed" else text


@dataclass(frozen=True)
class Variable:
    """The blocks of one name; units and range are those of the first block that has some."""

    name: str
    parts: tuple[Part, ...]

    @property
    def first(self) -> Part:
        """The first block."""
        return self.parts[0]

    @property
    def key(self) -> Key:
        """The keys of the macro around the variable and of the variable."""
        return self.first.scope, self.first.key

    @cached_property
    def meanings(self) -> tuple[Meaning, ...]:
        """The meanings of the left-hand subscripts, with those of `:EXCEPT:`, and of the right-hand side of each block."""
        found = []
        for part in self.parts:
            groups = (part.statement.subscripts, *part.statement.exceptions) if part.statement else ()
            found.append((tuple(tuple(("NAME", label) for label in group) for group in groups), meaning_of(part)))
        return tuple(found)

    @cached_property
    def names(self) -> frozenset[str]:
        """The keys of all names in the blocks."""
        return frozenset(name for meaning in self.meanings for name in names_in(meaning))

    @cached_property
    def _units_and_ranges(self) -> list[tuple[str, Range | None]]:
        return [units_of(part.document.slice(part.segment.units)) for part in self.parts]

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
        fields = [comment_of(part.document.slice(part.segment.comment)) for part in self.parts]
        inside = [text for part in self.parts for text in comments_in(part.document.slice(part.segment.main))]
        return "\n".join(text for text in dict.fromkeys([*fields, *inside]) if text)

    @property
    def supplementary(self) -> bool:
        """Whether a block is marked as supplementary: nothing need use the variable."""
        return any(part.document.slice(part.segment.supplementary).strip() for part in self.parts)


@dataclass(frozen=True)
class Variables:
    """The variables of a document in the order of the file, and its other parts."""

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
    for identity, blocks in found.items():
        scope = f"{macros.get(identity[0], identity[0])}: " if identity[0] else ""
        by_key[identity] = Variable(scope + blocks[0].name, tuple(blocks))
    return Variables(by_key, tuple(others))


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


def renamed_meanings(variable: Variable, pairs: Mapping[Key, Key]) -> tuple[Meaning, ...]:
    """Return the meanings of a variable's blocks with the new names of renamed variables."""
    names = names_in_scope(pairs, variable.first.scope)
    if names.keys().isdisjoint(variable.names):
        return variable.meanings
    return tuple(rename_in_meaning(meaning, names) for meaning in variable.meanings)


def _candidates(removed: Mapping[Key, Variable], added: Mapping[Key, Variable]) -> dict[Key, Key]:
    """Pair variables of the same shape that have no rivals; comments tell rivals apart."""
    hidden = {name: "?" for _, name in (*removed, *added)}
    shapes: dict[tuple[object, ...], tuple[list[Variable], list[Variable]]] = {}
    for side, variables in enumerate((removed, added)):
        for variable in variables.values():
            meanings = tuple(rename_in_meaning(meaning, hidden) for meaning in variable.meanings)
            shape = variable.first.scope, variable.plain_units, variable.range, meanings
            shapes.setdefault(shape, ([], []))[side].append(variable)
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


def _is_renamed(key: Key, pairs: Mapping[Key, Key], old: Variables, new: Variables) -> bool:
    """Whether both documents agree that a variable was only renamed."""
    before, after = old.by_key[key], new.by_key[pairs[key]]
    if renamed_meanings(before, pairs) != after.meanings:
        return False
    users = {user: pairs.get(user, user) for user in old.users(key)}
    using = set(new.users(after.key))
    staying = {user for user in users.values() if user in new.by_key}
    known = {pairs.get(other, other) for other in old.by_key}
    if not staying <= using or any(user in known and user not in staying for user in using):
        return False
    unchanged = any(
        renamed_meanings(old.by_key[was], pairs) == new.by_key[now].meanings
        for was, now in users.items()
        if now in staying
    )
    return unchanged or bool(before.comment and before.comment == after.comment)
