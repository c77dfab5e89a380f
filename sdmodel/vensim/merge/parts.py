"""The equations of a document as parts: the name that each part defines, and its meaning apart from its layout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lark import Token

from ...model import display_name, key
from ..document import Document
from ..read.grammar import Node
from ..read.segments import Segment, blank_comments
from ..read.statements import Statement, read_statements
from ..read.syntax import group_of, left_name, one_line

PartKind = Literal["block", "group", "macro", "macro end", "text"]
Meaning = tuple[Any, ...]
"""A tree of names, numbers and operators, in tuples; equations that differ only in layout have equal trees."""

_KINDS: dict[str, PartKind] = {"group": "group", "macro": "macro", "macro end": "macro end", "block": "block"}
_TAIL = frozenset({"view", "record", "sketch end", "graph", "marker", "setting"})
_MACRO = re.compile(r":MACRO:\s*([^(]*)", re.IGNORECASE)
_FIGURE = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[^\s\d.]")
_ROWS = frozenset({"NUMBERS", "POINTS", "LIMITS", "TABBED"})
_VERBATIM = frozenset({"STRING", "REST"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the equations: a block, a group's header, a mark of a macro, or other text.

    `scope` is the key of the macro around the part, `group` the name of its group; `statement` is None for a block that
    cannot be read.
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
    return tuple(_parts(document, {statement.segment.start: statement for statement in statements}))


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
            name = display_name(found[1]) if found else ""
            scope = key(name)
        elif kind == "block" or segment.kind == "broken":
            name = display_name(left_name(blank_comments(document.slice(segment.main) or text)))
        yield Part(kind, name, segment, "" if kind == "macro" else scope, group, statements.get(segment.start))
        scope = "" if kind == "macro end" else scope


def tail_start(document: Document) -> int:
    """Return where the sketch and the settings begin, the end of the text if there are none."""
    return next((segment.start for segment in document.segments if segment.kind in _TAIL), len(document.text))


def meaning_of(document: Document, part: Part) -> Meaning:
    """Return the meaning of a part's right-hand side; its words if it cannot be read."""
    if part.statement is None:
        return (
            "text",
            " ".join(blank_comments(document.slice(part.segment.main) or whole_text(document, part)).split()),
        )
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
        return (node.type, *(_figure(text) for text in _FIGURE.findall(node)))
    text = one_line(node)
    return (node.type, text if node.type in _VERBATIM else text.replace("_", " ").upper())


def _figure(text: str) -> float | str:
    return float(text) if text[0].isdigit() or text[0] == "." else text


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


def whole_text(document: Document, part: Part) -> str:
    """Return the text of a part as it is."""
    return document.text[part.segment.start : part.segment.end]


def right_text(document: Document, part: Part) -> str:
    """Return the author's right-hand side on one line, with the mark of a constant that is fixed."""
    main, statement = part.segment.main, part.statement
    if statement is None or statement.right >= main.end:
        return one_line(document.slice(main) or whole_text(document, part))
    text = one_line(document.text[statement.right : main.end])
    return f"== {text}" if statement.kind == "fixed" else text
