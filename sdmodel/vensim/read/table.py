"""A parser from lark's table for the grammar: it makes the same trees as lark in a fraction of the time.

The table is computed by lark, which takes longer to load than to read a model, and is kept in the user's cache as JSON. What
the parser does not accept goes to lark, which says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ... import __version__
from ...cache import cached

_END = "$END"
_GRAMMAR = Path(__file__).with_name("grammar.lark")
_MOST_KEPT = 50_000
"""Maximum number of stacks that are kept from one text to the next; all public test models together need seven thousand."""


class Token(str):
    """A piece of text with the name of its terminal and where it is."""

    __slots__ = ("start_pos", "type")

    type: str
    start_pos: int

    @property
    def end_pos(self) -> int:
        """Where it ends."""
        return self.start_pos + len(self)


@dataclass(slots=True)
class Tree:
    """A node: the name of its rule, and trees and tokens."""

    data: str
    children: list[Any]


@dataclass(frozen=True, slots=True)
class _Rule:
    """How to make a node of the topmost values: their number, and which of them are children, if not all.

    The children of a helper rule, which has no name, become those of the node around it. `single` rules with one child are
    replaced by the child; those that always do so are `steps`.
    """

    origin: str
    size: int
    name: str | None
    single: bool
    kept: tuple[tuple[int, bool], ...] | None
    is_step: bool

    def value(self, values: list[Any]) -> Any:
        """Return a node, the children of a helper rule, or the only child."""
        children = values
        if self.kept is not None:
            children = []
            for index, is_helper in self.kept:
                if not is_helper:
                    children.append(values[index])
                elif children:
                    children += values[index]
                else:  # its children are no longer needed: a long chain grows in one list
                    children = values[index]
        if self.name is None or (self.single and len(children) == 1):
            return children if self.name is None else children[0]
        return Tree(self.name, children)


@dataclass(slots=True, eq=False)
class _Stack:
    """The states on the way to a place in a text, the last one on top of the others; texts that begin alike share them.

    `moves` are what follows a symbol here, found once: the rules to apply before it, and the stack after it.
    """

    state: int
    below: _Stack | None = None
    above: dict[int, _Stack] = field(default_factory=dict)
    moves: dict[str, tuple[tuple[_Rule, ...], _Stack]] = field(default_factory=dict)

    def pop(self, count: int) -> _Stack:
        """Return the stack without its topmost states."""
        found = self
        for _ in range(count):
            found = found.below or found
        return found


@dataclass(slots=True)
class Parser:
    """A table of the grammar: by state, the pattern of what may follow, and what to do with each symbol.

    What to do is a number, the state that follows a symbol, or a rule to apply before it. A pattern also finds the end of
    the text.
    """

    start: int
    end: int
    states: tuple[dict[str, Any], ...]
    patterns: tuple[str, ...]
    ignored: str
    _matches: dict[int, Callable[[str, int], re.Match[str] | None]] = field(default_factory=dict)
    _bottom: _Stack = field(init=False)
    _kept: int = _MOST_KEPT

    def parse(self, text: str) -> Any:
        """Return the tree of a text, or None if the text is not in the language."""
        if self._kept >= _MOST_KEPT:
            self._bottom, self._kept = _Stack(self.start), 0
        stack, position = self._bottom, 0
        values: list[Any] = []
        matches, ignored = self._matches, self.ignored
        while True:
            found = (matches.get(stack.state) or self._match(stack.state))(text, position)
            if found is None:
                return None
            kind = found.lastgroup or _END
            position = found.end()
            if kind == ignored:
                continue
            move = stack.moves.get(kind) or self._move(stack, kind)
            if move is None:
                return None
            rules, stack = move
            for rule in rules:
                values[-rule.size :] = [rule.value(values[-rule.size :])]
            if kind == _END:
                return values[0]
            token = Token(found[kind])
            token.type, token.start_pos = kind, position - len(token)
            values.append(token)

    def _move(self, stack: _Stack, kind: str) -> tuple[tuple[_Rule, ...], _Stack] | None:
        """Return the rules that end before a symbol, but for steps, and the stack after it; None if it may not follow."""
        rules, top = [], stack
        while isinstance(action := self.states[top.state].get(kind), _Rule):
            below = top.pop(action.size)
            top = self._push(below, self.states[below.state][action.origin])
            rules += [] if action.is_step else [action]
            if kind == _END and top.state == self.end:
                action = self.end
                break
        if action is None:
            return None
        move = tuple(rules), self._push(top, action)
        if self._kept < _MOST_KEPT:
            stack.moves[kind] = move
        return move

    def _push(self, stack: _Stack, state: int) -> _Stack:
        """Return a stack with another state on top."""
        found = stack.above.get(state) or _Stack(state, stack)
        if self._kept < _MOST_KEPT:
            stack.above[state] = found
            self._kept += 1
        return found

    def _match(self, state: int) -> Callable[[str, int], re.Match[str] | None]:
        self._matches[state] = found = re.compile(self.patterns[state]).match
        return found


@cache
def parser() -> Parser:
    """The parser of the grammar."""
    grammar = _GRAMMAR.read_text(encoding="utf-8")
    decisive = "\n".join((__version__, grammar, Path(__file__).read_text(encoding="utf-8")))
    table = json.loads(cached("grammar", decisive, lambda: json.dumps(_table()).encode()))
    rules = [
        _Rule(origin, size, name, single, kept and tuple(map(tuple, kept)), size == 1 and single and kept is None)
        for origin, size, name, single, kept in table["rules"]
    ]
    states = tuple(
        {kind: rules[-1 - action] if action < 0 else action for kind, action in own.items()} for own in table["states"]
    )
    patterns = tuple(table["patterns"][index] for index in table["pattern_of"])
    return Parser(table["start"], table["end"], states, patterns, table["ignored"])


@cache
def lark_parser() -> Any:
    """Lark's own parser, which explains what is wrong with a text."""
    from lark import Lark

    grammar = _GRAMMAR.read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _table() -> dict[str, Any]:
    """Return lark's table as plain lists and mappings."""
    frontend = lark_parser().parser
    table = frontend.parser._parse_table  # noqa: SLF001 - a test compares the trees with lark's
    rules: dict[Any, int] = {}
    states = []
    for state in range(len(table.states)):
        actions = table.states[state].items()
        states.append(
            {str(name): arg if isinstance(arg, int) else -1 - _number(rules, arg) for name, (_, arg) in actions}
        )
    patterns = [_pattern(frontend.lexer.lexers[state]) for state in range(len(states))]
    known = {pattern: number for number, pattern in enumerate(dict.fromkeys(patterns))}
    (ignored,) = frontend.lexer.lexers[0].ignore_types
    return {
        "start": table.start_states["start"],
        "end": table.end_states["start"],
        "rules": [_rule(rule) for rule in rules],
        "states": states,
        "patterns": list(known),
        "pattern_of": [known[pattern] for pattern in patterns],
        "ignored": ignored,
    }


def _pattern(lexer: Any) -> str:
    """Return the pattern of the symbols that may follow a state, and of the end.

    Blanks before them are skipped; a name may begin with a blank that is not in ASCII, so such a first one is a symbol to ignore.
    """
    known = [(part.name, part.pattern.to_regexp()) for part in lexer.terminals]
    takes_blanks = any(re.match(own, " ") for name, own in known if name not in lexer.ignore_types)
    kinds = "|".join([*(f"(?P<{name}>{own})" for name, own in known), r"\Z"])
    return f"(?:{kinds})" if takes_blanks else rf"(?:(?a:\s)\s*+)?+(?:{kinds})"


def _number(rules: dict[Any, int], rule: Any) -> int:
    return rules.setdefault(rule, len(rules))


def _rule(rule: Any) -> list[Any]:
    origin = str(rule.origin.name)
    parts = [(index, part) for index, part in enumerate(rule.expansion) if not (part.is_term and part.filter_out)]
    kept = [(index, not part.is_term and part.name.startswith("_")) for index, part in parts]
    plain = len(kept) == len(rule.expansion) and not any(is_helper for _, is_helper in kept)
    name = None if origin.startswith("_") else str(rule.alias or origin)
    return [origin, len(rule.expansion), name, rule.options.expand1 and not rule.alias, None if plain else kept]
