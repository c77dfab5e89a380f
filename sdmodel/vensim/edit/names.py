"""Names in texts: where they are used, and which new names are allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...errors import Fault, ModelError
from ...model import FUNCTIONS, REFUSED, Model, display_name, key, quote_name
from ..document import Document
from ..read.segments import QUOTED, Span, blank_comments
from ..read.statements import read_statements
from ..read.syntax import parse_name
from ..read.tokens import quote_cell
from .edits import Edit

CLOCK = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")
"""Vensim's names for the times of a run."""
NOW = "Time"
"""The name of the current time, which no block defines."""

_FORMS = ("WITH LOOKUP", "TABBED ARRAY", "A FUNCTION OF")
_RESERVED = frozenset(map(key, (*FUNCTIONS, *REFUSED, *_FORMS, *CLOCK, NOW)))
_REFUSED = re.compile(r'[|~"\\]|[^\S ]')

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
    """A name in a text: its key, its place, and whether it is in brackets, as a subscript is."""

    key: str
    span: Span
    bracketed: bool


def find_names(text: str, *, start: int = 0, plain: bool = False) -> Iterator[Mention]:
    """Find the names in a text, except in comments in braces; `start` is added to their places.

    A `plain` text has one name or change per line, where a name may hold marks that equations put in quotes.
    """
    depth = 0
    for found in (_IN_LINES if plain else _IN_EQUATIONS).finditer(blank_comments(text)):
        if found["mark"]:
            depth += 1 if found["mark"] == "[" else -1
        elif found["name"]:
            name = found["name"].rstrip()
            yield Mention(key(name), Span(start + found.start(), start + found.start() + len(name)), depth > 0)


def replace_names(mentions: Iterable[Mention], old: str, new: str, *, is_label: bool) -> list[Edit]:
    """Return the edits that write a new name for a key: a variable's outside of brackets, a label's everywhere."""
    return [Edit(found.span, new) for found in mentions if found.key == old and (is_label or not found.bracketed)]


def label_keys(model: Model) -> frozenset[str]:
    """Return the keys of all labels of a model's subscript ranges."""
    return frozenset(key(label) for subscript in model.subscripts.values() for label in subscript.labels)


def new_head(text: str, document: Document, model: Model, *, old: str = "") -> str:
    """Return a new name with its subscripts, in quotes where it needs them; `old` is the key that it replaces."""
    head = parse_name(text)
    wrong = _refusal(head.name, document, model, old)
    if wrong:
        raise ModelError([Fault(document.path, f"'{display_name(text)}': {wrong}")])
    return quote_cell(head.name, head.subscripts)


def _refusal(name: str, document: Document, model: Model, old: str) -> str:
    wanted = key(name)
    odd = _REFUSED.search(name)
    if not name.strip() or wanted == "_":
        return "a name needs letters; write some"
    if odd:
        mark = f"'{odd[0]}'" if odd[0].isprintable() else "a line break or tab"
        return f"a name cannot hold {mark}, which separates fields of the file; leave it out"
    if wanted in _RESERVED:
        return "this is a reserved word of Vensim; choose another name"
    if wanted == old:
        return ""
    owner = _owner(wanted, document, model)
    return f"this name is taken {owner}; choose another name" if owner else ""


def _owner(wanted: str, document: Document, model: Model) -> str:
    """Describe what has a name already."""
    if wanted in document:
        return f"at {document.place(document.find(quote_name(wanted))[0].start)}"
    if wanted in label_keys(model):
        return "by a label of a subscript range"
    return "by a macro" if wanted in read_statements(document).macros else ""
