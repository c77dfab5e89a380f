"""Parses the blocks of a document into statements, with their groups; the statements of macros are separate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import Fault
from ...model import MARK, Group, display_name, key
from ..document import Document
from .grammar import Node, SyntaxProblemError, parse
from .segments import QUOTED, Segment, blank_comments
from .syntax import comment_of, group_of, head_of, label_keys
from .table import Token

_NAMES = rf"(?:{QUOTED}|[^\":)])*"
MACRO_HEAD = re.compile(
    rf":MACRO:\s*(?P<name>(?:{QUOTED}|[^\"(])*)\((?P<inputs>{_NAMES})(?::(?P<outputs>{_NAMES}))?\)", re.IGNORECASE
)

ELEMENT_KINDS = frozenset({"assignment", "fixed", "lookup", "data"})
RANGE_KINDS = frozenset({"range", "alias"})


class Statement(NamedTuple):
    """One parsed block: its kind, the name it defines and its place; `body` is the tree of its right-hand side.

    `key` is the key of the name, `offset` is the start of the block's main field in the document, `right` the start of its right-hand side.
    """

    kind: str
    name: Token
    key: str
    subscripts: tuple[str, ...]
    exceptions: tuple[tuple[str, ...], ...]
    body: Sequence[Node]
    offset: int
    right: int
    segment: Segment
    group: str

    @property
    def is_string(self) -> bool:
        """Whether it defines a string variable, `name :IS: 'text'`."""
        return self.kind == "skipped" and self.body[0].type == "IS"

    @property
    def is_reality_check(self) -> bool:
        """Whether it is a constraint or a test input of a Reality Check."""
        return self.kind == "skipped" and self.body[0].type == "CHECK"


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro of the file: its inputs and additional outputs by key, and the statements inside it."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    statements: tuple[Statement, ...]


@dataclass(slots=True)
class Statements:
    """All statements of a document; `faults` are its syntax faults, including those of its segments.

    `unread` are the keys that unreadable blocks define.
    """

    model: list[Statement] = field(default_factory=list)
    macros: dict[str, Macro] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def read_statements(document: Document) -> Statements:
    """Return the statements of a document in order, and every syntax fault in it."""
    found = Statements(faults=list(document.faults))
    header: Segment | None = None
    inside: list[Statement] = []
    for segment in document.segments:
        if segment.kind == "group":
            group = group_of(document.slice(segment.main))
            found.groups.append(Group(group, comment_of(document.slice(segment.comment))))
        elif segment.kind == "block":
            statement = _statement(document, segment, found)
            if statement is not None:
                (found.model if header is None else inside).append(statement)
        elif segment.kind == "broken":
            found.unread.add(head_of(blank_comments(document.text[segment.start : segment.end])).key)
        elif segment.kind in {"macro", "macro end"}:
            header = _macro(document, segment, header, inside, found)
            inside = []
    if header is not None:
        found.faults.append(Fault(document.place(header.start), "the macro does not end; add ':END OF MACRO:'"))
    return found


def _macro(
    document: Document, mark: Segment, header: Segment | None, inside: list[Statement], found: Statements
) -> Segment | None:
    """Close the macro that a mark ends, and return the mark if it opens another one."""
    if (mark.kind == "macro") is (header is not None):
        what = "the macro before this does not end; add" if header else "no macro is open here; remove"
        found.faults.append(Fault(document.place(mark.start), f"{what} ':END OF MACRO:'"))
    for statement in inside:
        if statement.kind in RANGE_KINDS:
            what = f"'{display_name(statement.name)}' is a subscript range; declare it outside of the macro"
            found.faults.append(Fault(document.place(statement.segment.start), what))
    if header is not None:
        parts = MACRO_HEAD.match(blank_comments(document.text[header.start : header.end]))
        if parts is not None:
            own = tuple(statement for statement in inside if statement.kind in ELEMENT_KINDS)
            macro = Macro(display_name(parts["name"]), label_keys(parts["inputs"]), label_keys(parts["outputs"]), own)
            found.macros[key(macro.name)] = macro
    return mark if mark.kind == "macro" else None


def _statement(document: Document, segment: Segment, found: Statements) -> Statement | None:
    main = blank_comments(document.slice(segment.main))
    offset = segment.main.start
    if document.is_broken(segment):
        found.unread.add(head_of(main).key)
        return None
    if not main.strip():
        what = "the block has no equation; write one or remove its '~' and '|'"
        found.faults.append(Fault(document.place(segment.start), what))
        return None
    try:
        tree = parse(main)
    except SyntaxProblemError as error:
        found.unread.add(head_of(main).key)
        found.faults.append(Fault(document.place(offset + error.problem.offset), error.problem.what))
        return None
    first, *rest = tree.children
    name: Token
    brackets: list[Node]
    name, *brackets = [first] if isinstance(first, Token) else first.children
    subscripts: tuple[str, ...] = ()
    exceptions: tuple[tuple[str, ...], ...] = ()
    for part in brackets:
        if part.data == "subscripts":
            subscripts = tuple(subscript_keys(part))
        else:
            exceptions = tuple(tuple(subscript_keys(exception)) for exception in part.children)
    right = segment.main.end
    marks = [part for part in rest if isinstance(part, Token)]
    if marks and (tree.data != "data" or marks[-1].type == "DEFINED"):
        operator = marks[-1] if tree.data == "data" else marks[0]
        right = offset + ((operator.start_pos if operator.type == "OPEN" else operator.end_pos) or 0)
    group = found.groups[-1].name if found.groups else ""
    return Statement(str(tree.data), name, key(name), subscripts, exceptions, rest, offset, right, segment, group)


def subscript_keys(tree: Node) -> list[str]:
    """Return the keys between a pair of brackets; `!` stays with the range that it marks."""
    found: list[str] = []
    for token in tree.children:
        if token.type == "BANG":
            found[-1] += MARK
        else:
            found.append(key(token))
    return found
