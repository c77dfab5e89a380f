"""A parser from lark's table for the grammar: it makes the same trees as lark in a fraction of the time.

The table is computed by lark, which takes longer to load than to read a model, and is kept in the user's cache as JSON. What
the parser does not accept goes to lark, which says why.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ... import __version__
from ...cache import cached

_END = "$END"
_GRAMMAR = Path(__file__).with_name("grammar.lark")


class Token(str):
    """A piece of text with the name of its terminal and where it is."""

    __slots__ = ("end_pos", "start_pos", "type")

    type: str
    start_pos: int
    end_pos: int


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


@dataclass(frozen=True, slots=True)
class Parser:
    """A table of the grammar: by state, the pattern of what may follow, and what to do with each symbol.

    A number from 0 on is the state that follows a symbol, a negative one a rule to apply before it. `steps` are the states
    after all rules that leave a value as it is, of which there are many between a name and an equation.
    """

    start: int
    end: int
    rules: tuple[_Rule, ...]
    states: tuple[dict[str, int], ...]
    patterns: tuple[str, ...]
    ignored: str
    _compiled: dict[int, re.Pattern[str]] = field(default_factory=dict)
    _steps: dict[tuple[int, int, str], int] = field(default_factory=dict)

    def parse(self, text: str) -> Any:
        """Return the tree of a text, or None if the text is not in the language."""
        path, position = [self.start], 0
        values: list[Any] = []
        length = len(text)
        while True:
            state = path[-1]
            kind, begin = _END, position
            while position < length:
                found = (self._compiled.get(state) or self._compile(state)).match(text, position)
                if found is None:
                    return None
                begin, position = position, found.end()
                if found.lastgroup != self.ignored:
                    kind = str(found.lastgroup)
                    break
            target = self._reduce(path, values, kind)
            if target is None:
                return None
            if kind == _END:
                return values[0]
            token = Token(text[begin:position])
            token.type, token.start_pos, token.end_pos = kind, begin, position
            path.append(target)
            values.append(token)

    def _reduce(self, path: list[int], values: list[Any], kind: str) -> int | None:
        """Apply all rules that end before a terminal, and return the state after it; None if it may not follow."""
        while True:
            state = path[-1]
            action = self.states[state].get(kind)
            if action is None or action >= 0:
                return action
            rule = self.rules[-1 - action]
            if rule.is_step:
                place = (path[-2], state, kind)
                after = self._steps.get(place)
                path[-1] = self._steps[place] = self._after_steps(*place) if after is None else after
            else:
                size = rule.size
                value = rule.value(values[-size:])
                del path[-size:], values[-size:]
                path.append(self.states[path[-1]][rule.origin])
                values.append(value)
            if kind == _END and path[-1] == self.end:
                return self.end

    def _after_steps(self, before: int, state: int, kind: str) -> int:
        action = self.states[state].get(kind)
        while action is not None and action < 0 and self.rules[-1 - action].is_step:
            state = self.states[before][self.rules[-1 - action].origin]
            action = self.states[state].get(kind)
        return state

    def _compile(self, state: int) -> re.Pattern[str]:
        self._compiled[state] = found = re.compile(self.patterns[state])
        return found


@cache
def parser() -> Parser:
    """The parser of the grammar."""
    grammar = _GRAMMAR.read_text(encoding="utf-8")
    table = json.loads(cached("grammar", f"{__version__}\n{grammar}", lambda: json.dumps(_table()).encode()))
    rules = tuple(
        _Rule(origin, size, name, single, kept and tuple(map(tuple, kept)), size == 1 and single and kept is None)
        for origin, size, name, single, kept in table["rules"]
    )
    patterns = tuple(table["patterns"][index] for index in table["pattern_of"])
    return Parser(table["start"], table["end"], rules, tuple(table["states"]), patterns, table["ignored"])


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
    lexers = [frontend.lexer.lexers[state] for state in range(len(states))]
    patterns = ["|".join(f"(?P<{part.name}>{part.pattern.to_regexp()})" for part in own.terminals) for own in lexers]
    known = {pattern: number for number, pattern in enumerate(dict.fromkeys(patterns))}
    (ignored,) = lexers[0].ignore_types
    return {
        "start": table.start_states["start"],
        "end": table.end_states["start"],
        "rules": [_rule(rule) for rule in rules],
        "states": states,
        "patterns": list(known),
        "pattern_of": [known[pattern] for pattern in patterns],
        "ignored": ignored,
    }


def _number(rules: dict[Any, int], rule: Any) -> int:
    return rules.setdefault(rule, len(rules))


def _rule(rule: Any) -> list[Any]:
    origin = str(rule.origin.name)
    parts = [(index, part) for index, part in enumerate(rule.expansion) if not (part.is_term and part.filter_out)]
    kept = [(index, not part.is_term and part.name.startswith("_")) for index, part in parts]
    plain = len(kept) == len(rule.expansion) and not any(is_helper for _, is_helper in kept)
    name = None if origin.startswith("_") else str(rule.alias or origin)
    return [origin, len(rule.expansion), name, rule.options.expand1 and not rule.alias, None if plain else kept]
