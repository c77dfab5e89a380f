"""Subscript ranges: their labels written out, their mappings, and which range the subscripts of an element span."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lark import Token, Tree

from ...errors import Fault
from ...model import Subscript, SubscriptMapping, display, key, unknown_function
from ..document import Document
from .fields import comment_of
from .grammar import Node
from .statements import Statement

_NUMBERED = re.compile(r"^(.*?)(\d+)$", re.DOTALL)
_MOST = 100_000
"""Labels in one range: far more than anybody's, few enough to be written out."""
_DEPTH = 50
_GUESSES = 20
"""Unknown functions for which another is suggested."""


@dataclass(slots=True)
class _Reading:
    """The declarations of a document while their labels are written out; `open` are those being worked on."""

    document: Document
    statements: Mapping[str, Statement]
    unread: Container[str] = ()
    done: dict[str, tuple[str, ...]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, offset: int, what: str) -> None:
        self.faults.append(Fault(self.document.place(offset), what))


def subscripts_of(
    document: Document, statements: Iterable[Statement], unread: Container[str]
) -> tuple[dict[str, Subscript], list[Fault]]:
    """The ranges that a document declares, by key in the order of the file, and what is wrong with them.

    `unread` are names that blocks define which cannot be read: whether they are ranges is not known.
    """
    declared: dict[str, Statement] = {}
    reading = _Reading(document, declared, unread)
    for statement in statements:
        if statement.key in declared:
            reading.fault(statement.offset, f"the range '{display(statement.name)}' is declared twice; remove one")
        declared.setdefault(statement.key, statement)
    found = {
        name: Subscript(
            name=display(statement.name),
            labels=_labels(name, reading),
            mappings=_mappings(statement, reading),
            comment=comment_of(document.slice(statement.segment.comment)),
            place=document.place(statement.segment.start),
        )
        for name, statement in declared.items()
    }
    return found, reading.faults


def _labels(name: str, reading: _Reading) -> tuple[str, ...]:
    """The labels of a declared range, those of the ranges that it lists written out."""
    if name in reading.done:
        return reading.done[name]
    statement = reading.statements[name]
    if name in reading.open or len(reading.open) > _DEPTH:
        what = "lists itself" if name in reading.open else f"lists ranges more than {_DEPTH} deep"
        reading.fault(statement.offset, f"the range '{display(statement.name)}' {what}; list its labels")
        return ()
    reading.open.append(name)
    labels: dict[str, str] = {}
    for item in _items(statement):
        found = _expanded(item, statement, reading)
        again = next((label for label in found if key(label) in labels), None)
        if again is not None and not (isinstance(item, Token) and key(item) in reading.statements):
            what = f"the range '{display(statement.name)}' lists '{again}' twice; remove one"
            reading.fault(statement.offset, what)
        for label in found:
            labels.setdefault(key(label), label)
    reading.open.pop()
    reading.done[name] = tuple(labels.values())
    return reading.done[name]


def _items(statement: Statement) -> list[Node]:
    if statement.kind == "alias":
        return list(statement.body)
    return [item for item in statement.body[1:] if isinstance(item, Token) or item.data != "mappings"]


def _expanded(item: Node, statement: Statement, reading: _Reading) -> tuple[str, ...]:
    """The labels that one item of a list stands for."""
    if isinstance(item, Token):
        if key(item) in reading.statements:
            return _labels(key(item), reading)
        if statement.kind == "alias" and key(item) not in reading.unread:
            reading.fault(
                statement.offset + (item.start_pos or 0),
                f"'{display(item)}' is not a range; declare it or correct the name",
            )
        return (display(item),)
    first = item.children[0]
    if item.data == "numbered":
        return _numbered(item, statement, reading)
    guess = len(reading.faults) < _GUESSES
    reading.fault(statement.offset + (first.start_pos or 0), unknown_function(display(first), guess=guess))
    return ()


def _numbered(item: Node, statement: Statement, reading: _Reading) -> tuple[str, ...]:
    """The labels of `(c1-c5)`, from the first number to the last."""
    first, _, last = item.children
    parts = _NUMBERED.match(display(first)), _NUMBERED.match(display(last))
    if parts[0] is None or parts[1] is None or key(parts[0][1]) != key(parts[1][1]):
        reading.fault(
            statement.offset + (first.start_pos or 0),
            f"'{first}-{last}' is no range; write the same name with two numbers",
        )
        return ()
    start, end = parts[0][2], parts[1][2]
    if max(len(start), len(end)) > 12 or not 0 <= int(end) - int(start) < _MOST:  # noqa: PLR2004 - more digits than any count of labels
        reading.fault(
            statement.offset + (first.start_pos or 0),
            f"'{first}-{last}' has no labels or more than {_MOST:,}; give the smaller number first",
        )
        return ()
    return tuple(f"{parts[0][1]}{number:0{len(start)}d}" for number in range(int(start), int(end) + 1))


def _mappings(statement: Statement, reading: _Reading) -> tuple[SubscriptMapping, ...]:
    if statement.kind == "alias":
        return ()
    trees = [part for part in statement.body if isinstance(part, Tree) and part.data == "mappings"]
    return tuple(_mapping(each, statement, reading) for tree in trees for each in tree.children)


def _mapping(tree: Node, statement: Statement, reading: _Reading) -> SubscriptMapping:
    """What a range maps to; a list of targets goes item by item, and a range in it label by label."""
    target, *rest = tree.children
    where = statement.offset + target.start_pos
    if key(target) not in reading.statements and key(target) not in reading.unread:
        reading.fault(where, f"'{display(target)}' is not a range to map to; declare it or correct the name")
    if not rest:
        return SubscriptMapping(key(target))
    own: list[tuple[str, ...]] = [_expanded(item, statement, reading) for item in _items(statement)]
    others = [tuple(map(key, _expanded(item, statement, reading))) for item in rest[1:]]
    if len(own) != len(others):
        flat: list[tuple[str, ...]] = [(label,) for labels in own for label in labels]
        own = flat if len(flat) == len(others) else own
    if len(own) != len(others):
        reading.fault(where, f"{len(own)} labels cannot map to {len(others)}; list one for each")
        return SubscriptMapping(key(target))
    return SubscriptMapping(
        key(target), tuple(each for pair in zip(own, others, strict=True) for each in _matched(*pair))
    )


def _matched(own: Sequence[str], others: tuple[str, ...]) -> list[tuple[str, ...]]:
    if len(own) > 1 and len(own) == len(others):
        return [(other,) for other in others]
    return [others] * len(own)


def spanned(names: Sequence[str], subscripts: Mapping[str, Subscript]) -> str | None:
    """The key of the smallest range that holds everything named at one position, the author's choice among equals."""
    distinct = list(dict.fromkeys(names))
    if len(distinct) == 1 and distinct[0] in subscripts:
        return distinct[0]
    labels = {label for name in distinct for label in (subscripts[name].keys if name in subscripts else (name,))}
    holding = [name for name, subscript in subscripts.items() if labels <= set(subscript.keys)]
    return min(holding, key=lambda name: (len(subscripts[name].labels), name not in distinct), default=None)
