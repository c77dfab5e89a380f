"""The equations of a document part by part: what each part defines, and what it means whatever its layout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lark import Token

from ...model import display, key
from ..document import Document
from ..read.fields import group_of, one_line
from ..read.grammar import Node
from ..read.heads import left_name
from ..read.segments import Segment, blanked
from ..read.statements import Statement, read_statements

PartKind = Literal["block", "group", "macro", "macro end", "text"]
Meaning = tuple[Any, ...]
"""A tree of names, numbers and operators, in tuples; two equations that differ only in layout have equal ones."""

_KINDS: dict[str, PartKind] = {"group": "group", "macro": "macro", "macro end": "macro end", "block": "block"}
_TAIL = frozenset({"view", "record", "sketch end", "graph", "marker", "setting"})
_MACRO = re.compile(r":MACRO:\s*([^(]*)", re.IGNORECASE)
_FIGURE = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[^\s\d.]")
_ROWS = frozenset({"NUMBERS", "POINTS", "LIMITS", "TABBED"})
_VERBATIM = frozenset({"STRING", "REST"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the equations: a block, a group's header, a mark of a macro, or other text that is kept.

    `scope` is the key of the macro that a part stands in, `group` the name of its group; `statement` is None where a
    block cannot be read.
    """

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
    def subscripts(self) -> tuple[str, ...]:
        """The left-hand subscripts, with those that `:EXCEPT:` leaves out."""
        if self.statement is None:
            return ()
        left_out = (f"-{each}" for group in self.statement.exceptions for each in group)
        return (*self.statement.subscripts, *left_out)

    @property
    def is_range(self) -> bool:
        """Whether the part declares a range of subscripts."""
        return self.statement is not None and self.statement.kind in ("range", "alias")


def parts_of(document: Document) -> tuple[Part, ...]:
    """The parts of a document's equations in the order of the file; blank lines and the encoding are none."""
    found = read_statements(document)
    statements = [*found.model, *(each for macro in found.macros.values() for each in macro.statements)]
    return tuple(_parts(document, {each.segment.start: each for each in statements}))


def _parts(document: Document, statements: Mapping[int, Statement]) -> Iterator[Part]:
    scope = group = ""
    for segment in document.segments:
        if segment.kind in _TAIL:
            return
        text = document.text[segment.start : segment.end]
        if segment.kind == "encoding" or not text.strip():
            continue
        kind, name = _KINDS.get(segment.kind, "text"), ""
        if kind == "group":
            name = group = group_of(document.slice(segment.main))
        elif kind == "macro":
            found = _MACRO.match(text)
            name = display(found[1]) if found else ""
            scope = key(name)
        elif kind == "block" or segment.kind == "broken":
            name = display(left_name(blanked(document.slice(segment.main) or text)))
        yield Part(kind, name, segment, "" if kind == "macro" else scope, group, statements.get(segment.start))
        scope = "" if kind == "macro end" else scope


def tail_start(document: Document) -> int:
    """Where the sketch and the settings begin, the end of the text where there are none."""
    return next((each.start for each in document.segments if each.kind in _TAIL), len(document.text))


def meaning_of(document: Document, part: Part) -> Meaning:
    """What the right-hand side of a part says; of one that cannot be read, its words."""
    if part.statement is None:
        return ("text", " ".join(blanked(document.slice(part.segment.main) or whole_text(document, part)).split()))
    return body_meaning(part.statement.kind, part.statement.body)


def body_meaning(kind: str, body: object) -> Meaning:
    """What a parsed right-hand side says."""
    return (kind, *map(_meaning, body))  # type: ignore[call-overload] # lark's trees have no types


def _meaning(node: Node) -> Meaning:
    if not isinstance(node, Token):
        return (str(node.data), *map(_meaning, node.children))
    if node.type == "NAME":
        return ("NAME", key(node))
    if node.type == "NUMBER":
        return ("NUMBER", float(node))
    if node.type in _ROWS:
        return (node.type, *(_figure(each) for each in _FIGURE.findall(node)))
    text = one_line(node)
    return (node.type, text if node.type in _VERBATIM else text.replace("_", " ").upper())


def _figure(text: str) -> float | str:
    return float(text) if text[0].isdigit() or text[0] == "." else text


def renamed(meaning: Meaning, names: Mapping[str, str]) -> Meaning:
    """The same meaning where names are others."""
    if meaning[:1] == ("NAME",):
        return ("NAME", names.get(meaning[1], meaning[1]))
    return tuple(renamed(each, names) if isinstance(each, tuple) else each for each in meaning)


def names_in(meaning: Meaning) -> Iterator[str]:
    """The keys of the names that a meaning mentions."""
    if meaning[:1] == ("NAME",):
        yield meaning[1]
        return
    for each in meaning:
        if isinstance(each, tuple):
            yield from names_in(each)


def whole_text(document: Document, part: Part) -> str:
    """The text of a part as it stands."""
    return document.text[part.segment.start : part.segment.end]


def right_text(document: Document, part: Part) -> str:
    """The right-hand side of a part on one line, as its author wrote it, with the mark of a constant that is fixed."""
    main, statement = part.segment.main, part.statement
    if statement is None or statement.right >= main.end:
        return one_line(document.slice(main) or whole_text(document, part))
    text = one_line(document.text[statement.right : main.end])
    return f"== {text}" if statement.kind == "fixed" else text
