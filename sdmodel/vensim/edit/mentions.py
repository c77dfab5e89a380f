"""Where a text mentions names: equations, change files and lists alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...model import key
from ..read.segments import QUOTED, Span, blanked
from .edits import Edit

_LETTER = r"(?:[\w$'.&%#@?]|[^\x00-\x7f])"
_MARKS = r"\"*\[\](){}=<>,;:|~!"
_TOKENS = (
    r"|(?P<other>'[^'\r\n]*'|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|:[A-Za-z][A-Za-z \t]*:)|(?P<mark>[\[\]])|[\s\S]"
)
_IN_EQUATIONS = re.compile(rf"(?P<name>{QUOTED}|(?:[^\W\d]|[^\x00-\x7f]){_LETTER}*(?:\s+{_LETTER}+)*){_TOKENS}")
_IN_LINES = re.compile(
    rf"(?P<name>{QUOTED}|(?![-+]?[\d.]+(?:[eE][-+]?\d+)?\s*(?:$|[\[\](){{}}=<>,;:|~!]))[^\s{_MARKS}][^\r\n{_MARKS}]*){_TOKENS}",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a text: its key, where it stands, and whether in brackets, as a subscript does."""

    key: str
    span: Span
    bracketed: bool


def mentions(text: str, *, start: int = 0, plain: bool = False) -> Iterator[Mention]:
    """The names in a text, comments in braces left out; `start` is added to where each stands.

    A `plain` text has one name or change a line, where a name may hold marks that equations put in quotes.
    """
    depth = 0
    for found in (_IN_LINES if plain else _IN_EQUATIONS).finditer(blanked(text)):
        if found["mark"]:
            depth += 1 if found["mark"] == "[" else -1
        elif found["name"]:
            name = found["name"].rstrip()
            yield Mention(key(name), Span(start + found.start(), start + found.start() + len(name)), depth > 0)


def respelt(found: Iterable[Mention], old: str, new: str, *, is_label: bool) -> list[Edit]:
    """The edits that put a new spelling where a key is mentioned: variables outside of brackets, labels everywhere."""
    return [Edit(each.span, new) for each in found if each.key == old and (is_label or not each.bracketed)]
