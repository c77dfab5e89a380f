"""The blocks of a document as statements: parsed, with their groups, and those of a macro set apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lark import Token

from ...errors import Fault
from ...model import Group, display, key
from ..document import Document
from .fields import comment_of, group_of
from .grammar import Node, SyntaxProblemError, parse
from .heads import left_name
from .segments import Segment, blanked

_HEADER = re.compile(r":MACRO:\s*(?P<name>[^(]*)\((?P<inputs>[^:)]*)(?::(?P<outputs>[^)]*))?\)", re.IGNORECASE)


ELEMENTS = frozenset({"assignment", "fixed", "lookup", "data"})
"""Kinds of statements that define elements."""
RANGES = frozenset({"range", "alias"})
"""Kinds of statements that declare subscript ranges."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One parsed block: what it is, what it defines, and where; `body` is the tree of its right-hand side.

    `offset` is where the block's main field begins in the document, `right` where its right-hand side does.
    """

    kind: str
    name: Token
    subscripts: tuple[str, ...]
    exceptions: tuple[tuple[str, ...], ...]
    body: Sequence[Node]
    offset: int
    right: int
    segment: Segment
    group: str

    @property
    def key(self) -> str:
        """The key of what the statement defines."""
        return key(self.name)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro of the file: its inputs and further outputs by key, and the statements between its marks."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    statements: tuple[Statement, ...]


@dataclass(slots=True)
class Statements:
    """Everything that a document states; `faults` are its syntax faults, those of its segments included.

    `unread` are the names that blocks define which cannot be read.
    """

    model: list[Statement] = field(default_factory=list)
    macros: dict[str, Macro] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def read_statements(document: Document) -> Statements:
    """The statements of a document in order, and every syntax fault in it."""
    found = Statements(faults=list(document.faults))
    header: Segment | None = None
    inside: list[Statement] = []
    for segment in document.segments:
        if segment.kind == "group":
            found.groups.append(
                Group(group_of(document.slice(segment.main)), comment_of(document.slice(segment.comment)))
            )
        elif segment.kind == "block":
            group = found.groups[-1].name if found.groups else ""
            statement = _statement(document, segment, group, found)
            if statement is not None:
                (found.model if header is None else inside).append(statement)
        elif segment.kind == "broken":
            found.unread.add(key(left_name(blanked(document.text[segment.start : segment.end]))))
        elif segment.kind in {"macro", "macro end"}:
            header = _macro(document, segment, header, inside, found)
            inside = []
    if header is not None:
        found.faults.append(Fault(document.place(header.start), "the macro is not ended; add ':END OF MACRO:'"))
    return found


def _macro(
    document: Document, mark: Segment, header: Segment | None, inside: list[Statement], found: Statements
) -> Segment | None:
    """Closes the macro that a mark ends, and tells which one it begins."""
    if (mark.kind == "macro") is (header is not None):
        what = "the macro before is not ended; add" if header else "no macro is open here; remove"
        found.faults.append(Fault(document.place(mark.start), f"{what} ':END OF MACRO:'"))
    for each in inside:
        if each.kind in RANGES:
            what = f"'{display(each.name)}' is a subscript range, which a macro cannot declare; declare it outside"
            found.faults.append(Fault(document.place(each.segment.start), what))
    if header is not None:
        parts = _HEADER.match(document.text, header.start, header.end)
        if parts is not None:
            own = tuple(each for each in inside if each.kind in ELEMENTS)
            macro = Macro(display(parts["name"]), _keys(parts["inputs"]), _keys(parts["outputs"]), own)
            found.macros[key(macro.name)] = macro
    return mark if mark.kind == "macro" else None


def _keys(names: str | None) -> tuple[str, ...]:
    return tuple(key(name) for name in (names or "").split(",") if name.strip())


def _statement(document: Document, segment: Segment, group: str, found: Statements) -> Statement | None:
    main = blanked(document.slice(segment.main))
    offset = segment.main.start
    if document.is_broken(segment):
        found.unread.add(key(left_name(main)))
        return None
    if not main.strip():
        found.faults.append(
            Fault(document.place(segment.start), "the block has no equation; write one or remove its '~' and '|'")
        )
        return None
    try:
        tree = parse(main)
    except SyntaxProblemError as error:
        found.unread.add(key(left_name(main)))
        found.faults.append(Fault(document.place(offset + error.problem.offset), error.problem.what))
        return None
    first, *rest = tree.children
    name, subscripts, exceptions = (first, (), ()) if isinstance(first, Token) else _left(first)
    right = segment.main.end
    if rest and isinstance(rest[0], Token):
        operator = rest[0]
        right = offset + ((operator.start_pos if operator.type == "OPEN" else operator.end_pos) or 0)
    return Statement(str(tree.data), name, subscripts, exceptions, rest, offset, right, segment, group)


def _left(tree: Node) -> tuple[Token, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    name, *rest = tree.children
    subscripts: tuple[str, ...] = ()
    exceptions: tuple[tuple[str, ...], ...] = ()
    for part in rest:
        if part.data == "subscripts":
            subscripts = tuple(subscript_keys(part))
        else:
            exceptions = tuple(tuple(subscript_keys(each)) for each in part.children)
    return name, subscripts, exceptions


def subscript_keys(tree: Node) -> list[str]:
    """The keys between a pair of brackets; `!` stays with the range that it marks."""
    found: list[str] = []
    for token in tree.children:
        if token.type == "BANG":
            found[-1] += "!"
        else:
            found.append(key(token))
    return found
