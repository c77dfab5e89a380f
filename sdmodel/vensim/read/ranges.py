"""Subscript ranges: their labels in full, their mappings, and the range that the subscripts of an element span."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import Fault, FileFault, format_count
from ...model import MARK, Subscript, SubscriptMapping, display_name, key, unknown_function
from ..document import Document
from ..external.access import Access
from ..external.tables import TableProblemError, fault_of
from .grammar import Node
from .outside import file_function, labels_from
from .statements import RANGE_KINDS, Statement, subscript_keys
from .syntax import comment_of
from .table import Token, Tree

_NUMBERED = re.compile(r"^(.*?)(\d+)$", re.DOTALL)
_MOST = 100_000
"""Maximum number of labels in one range."""
_DEPTH = 50
_GUESSES = 20
"""Number of unknown functions for which a similar one is suggested."""


def subscripts_of(
    document: Document, statements: Sequence[Statement], unread: Container[str], access: Access
) -> tuple[dict[str, Subscript], list[Fault]]:
    """Return the ranges that a document declares in statements, by key in file order, and the faults in them.

    `unread` are the keys that unreadable blocks define; they may be ranges too. `access` reads labels from files. In place of those
    that it cannot read, a range has the labels that equations use and no range has, or one that its name describes.
    """
    found, faults = _declared(statements, _Declarations(document, unread, access))
    if any(isinstance(fault, FileFault) for fault in faults):
        known = {*found, *(label for subscript in found.values() for label in subscript.keys)}
        known |= {statement.key for statement in statements}
        used = dict.fromkeys(label for statement in statements for label in _subscripts_in(statement))
        stand_ins = tuple(display_name(label) for label in used if label not in known)
        return _declared(statements, _Declarations(document, unread, access, stand_ins))
    return found, faults


def _subscripts_in(statement: Statement) -> Iterator[str]:
    """Yield the keys of the subscripts that a statement uses."""
    yield from statement.subscripts
    waiting = [] if statement.kind in RANGE_KINDS else list(statement.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, Tree) and part.data == "subscripts":
            yield from (own.removesuffix(MARK) for own in subscript_keys(part))
        elif isinstance(part, Tree):
            waiting += part.children


def _declared(statements: Iterable[Statement], declarations: _Declarations) -> tuple[dict[str, Subscript], list[Fault]]:
    """Return the ranges of statements, with their mappings, and the faults in them."""
    document = declarations.document
    statements = [statement for statement in statements if statement.kind in RANGE_KINDS]
    for statement in statements:
        if statement.key in declarations.statements:
            declarations.fault(statement, f"the range '{display_name(statement.name)}' is declared twice; remove one")
        declarations.statements.setdefault(statement.key, statement)
    found: dict[str, Subscript] = {}
    for name, statement in declarations.statements.items():
        labels = declarations.labels(name)
        lists = [] if statement.kind == "alias" else [part for part in statement.body if isinstance(part, Tree)]
        trees = [tree for part in lists if part.data == "mappings" for tree in part.children]
        mappings = tuple(declarations.mapping(tree, statement) for tree in trees)
        comment = comment_of(document.slice(statement.segment.comment))
        place = document.place(statement.segment.start)
        repeated = declarations.repeated.get(name, "")
        found[name] = Subscript(display_name(statement.name), labels, mappings, comment, place, repeated)
    return found, declarations.faults


@dataclass(slots=True)
class _Declarations:
    """The declarations of a document while their labels are collected; `open` are the ranges in progress.

    `stand_ins` replace labels that cannot be read from a file.
    """

    document: Document
    unread: Container[str]
    access: Access
    stand_ins: tuple[str, ...] = ()
    statements: dict[str, Statement] = field(default_factory=dict)
    done: dict[str, tuple[str, ...]] = field(default_factory=dict)
    repeated: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, statement: Statement, what: str, token: Token | None = None) -> None:
        offset = 0 if token is None else token.start_pos or 0
        self.faults.append(Fault(self.document.place(statement.offset + offset), what))

    def labels(self, name: str) -> tuple[str, ...]:
        """Return the labels of a declared range, including those of the ranges that it lists."""
        if name in self.done:
            return self.done[name]
        statement = self.statements[name]
        if name in self.open or len(self.open) > _DEPTH:
            what = "lists itself" if name in self.open else f"nests other ranges more than {_DEPTH} levels deep"
            self.fault(statement, f"the range '{display_name(statement.name)}' {what}; list its labels")
            return ()
        self.open.append(name)
        labels: dict[str, str] = {}
        for item in _items(statement):
            found = self._expanded(item, statement)
            again = next((label for label in found if key(label) in labels), None)
            if again is not None and not (isinstance(item, Token) and key(item) in self.statements):
                self.repeated.setdefault(name, again)
            for label in found:
                labels.setdefault(key(label), label)
        self.open.pop()
        self.done[name] = tuple(labels.values())
        return self.done[name]

    def _listed(self, item: Node, statement: Statement) -> tuple[str, ...]:
        """Return the labels that one item stands for, each as often as its range lists it."""
        found = self._expanded(item, statement)
        if not isinstance(item, Token) or key(item) not in self.repeated:
            return found
        listing = self.statements[key(item)]
        return tuple(label for part in _items(listing) for label in self._expanded(part, listing))

    def _expanded(self, item: Node, statement: Statement) -> tuple[str, ...]:
        """Return the labels that one item of a list stands for."""
        if isinstance(item, Token):
            if key(item) in self.statements:
                return self.labels(key(item))
            if statement.kind == "alias" and key(item) not in self.unread:
                self.fault(statement, f"'{display_name(item)}' is not a range; declare it or correct the name", item)
            return (display_name(item),)
        if item.data == "numbered":
            return self._numbered(item, statement)
        if file_function(item):
            try:
                return labels_from(item, self.access)
            except TableProblemError as problem:
                place = self.document.place(statement.offset + (item.children[0].start_pos or 0))
                self.faults.append(fault_of(problem, place))
                return self.stand_ins or (f"{display_name(statement.name)} label",)
        guess = len(self.faults) < _GUESSES
        self.fault(statement, unknown_function(display_name(item.children[0]), guess=guess), item.children[0])
        return ()

    def _numbered(self, item: Node, statement: Statement) -> tuple[str, ...]:
        """Return the labels of `(c1-c5)`, from the first number to the last."""
        first, _, last = item.children
        parts = _NUMBERED.match(display_name(first)), _NUMBERED.match(display_name(last))
        if parts[0] is None or parts[1] is None or key(parts[0][1]) != key(parts[1][1]):
            self.fault(statement, f"'{first}-{last}' is not a range; write the same name with two numbers", first)
            return ()
        start, end = parts[0][2], parts[1][2]
        if max(len(start), len(end)) > 12 or not 0 <= int(end) - int(start) < _MOST:  # noqa: PLR2004 - more digits than any number of labels
            what = f"'{first}-{last}' has no labels or more than {_MOST:,}; write the smaller number first"
            self.fault(statement, what, first)
            return ()
        return tuple(f"{parts[0][1]}{number:0{len(start)}d}" for number in range(int(start), int(end) + 1))

    def mapping(self, tree: Node, statement: Statement) -> SubscriptMapping:
        """Return one mapping; a list of targets pairs item by item, and a range in it label by label."""
        target, *rest = tree.children
        if key(target) not in self.statements and key(target) not in self.unread:
            what = f"'{display_name(target)}' is not a range to map to; declare it or correct the name"
            self.fault(statement, what, target)
        if key(target) in self.statements:
            self.labels(key(target))
        repeats = key(target) in self.statements and not self.repeated.keys().isdisjoint((statement.key, key(target)))
        if not rest and not repeats:
            return SubscriptMapping(key(target))
        own: list[tuple[str, ...]] = [self._expanded(item, statement) for item in _items(statement)]
        others = [tuple(map(key, self._listed(item, statement))) for item in rest[1:] or [target]]
        if not rest:  # a label that is listed twice maps to both labels at its positions
            others = [(label,) for labels in others for label in labels]
        if len(own) != len(others):
            flat: list[tuple[str, ...]] = [(label,) for labels in own for label in labels]
            own = flat if len(flat) == len(others) else own
        if len(own) != len(others):
            self.fault(
                statement, f"{format_count(len(own), 'label')} cannot map to {len(others)}; list one for each", target
            )
            return SubscriptMapping(key(target))
        matched: dict[str, tuple[str, ...]] = {}
        for labels, targets in zip(own, others, strict=True):
            one_by_one = len(labels) > 1 and len(labels) == len(targets)
            goals_of = [(goal,) for goal in targets] if one_by_one else [targets] * len(labels)
            for label, goals in zip(labels, goals_of, strict=True):
                matched[key(label)] = (*matched.get(key(label), ()), *goals)
        return SubscriptMapping(key(target), tuple(matched.values()))


def _items(statement: Statement) -> list[Node]:
    if statement.kind == "alias":
        return list(statement.body)
    return [item for item in statement.body[1:] if isinstance(item, Token) or item.data != "mappings"]


def spanned(names: Sequence[str], subscripts: Mapping[str, Subscript]) -> str | None:
    """Return the key of the smallest range that contains all names at one position; a named range wins among equals."""
    distinct = list(dict.fromkeys(names))
    if len(distinct) == 1 and distinct[0] in subscripts:
        return distinct[0]
    labels = {label for name in distinct for label in (subscripts[name].keys if name in subscripts else (name,))}
    holding = [name for name, subscript in subscripts.items() if labels <= set(subscript.keys)]
    return min(holding, key=lambda name: (len(subscripts[name].labels), name not in distinct), default=None)
