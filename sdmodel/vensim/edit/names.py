"""Names in texts: where they are used, which new names are allowed, and renaming everywhere in a model file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...errors import Fault, ModelError
from ...model import FUNCTIONS, REFUSED, UNFINISHED, WHOLE_EQUATIONS, Model, display_name, key, nearest, quote_name
from ..document import Document
from ..read.segments import QUOTED, Span, blank_comments
from ..read.statements import read_statements
from ..read.syntax import parse_name
from ..sketch.views import view_texts
from .layout import Edit, grouped_segments

CLOCK = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")
"""Vensim's names for the times of a run."""
NOW = "Time"
"""The name of the current time, which no block defines."""

_FORMS = ("WITH LOOKUP", "TABBED ARRAY", UNFINISHED)
_RESERVED = frozenset(map(key, (*FUNCTIONS, *REFUSED, *WHOLE_EQUATIONS, *_FORMS, NOW)))
_REFUSED = re.compile(r'[|~"\\]|[^\S ]')

_LETTER = r"(?:[\w$'.&%#@?]|[^\x00-\x7f])"
_MARKS = r"\"*\[\](){}=<>,;:|~!"
_TOKENS = (
    r"|(?P<other>'[^'\r\n]*'|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|:[A-Za-z][A-Za-z \t]*:)|(?P<mark>[\[\]])|[\s\S]"
)
_IN_EQUATIONS = re.compile(rf"(?P<name>{QUOTED}|(?:[^\W\d]|[^\x00-\x7f]){_LETTER}*(?:\s+{_LETTER}+)*){_TOKENS}")
_IN_LINES = re.compile(
    rf"(?P<name>{QUOTED}|(?![-+]?[\d.]+(?:[eE][-+]?\d+)?\s*(?:(?![^\r\n])|[\[\](){{}}=<>,;:|~!]))[^\s{_MARKS}][^\r\n{_MARKS}]*){_TOKENS}"
)
_LINES = {
    "graph": re.compile(rf"(?P<before>:(?:VAR|X-AXIS|Y-AXIS)\s+)(?P<name>{QUOTED}|[^\r\n\[|]*)", re.IGNORECASE),
    "setting": re.compile(rf"(?P<before>[456]:)(?P<name>{QUOTED}|[^\r\n\[]*)"),
}
"""Lines below the sketch that hold a name; settings 4, 5 and 6 are the selections of Vensim's workbench."""


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


@dataclass(frozen=True, slots=True)
class Renaming:
    """An old key and a new name; a label is also used in brackets, a variable is not."""

    old: str
    new: str
    is_label: bool


def replace_names(mentions: Iterable[Mention], *changes: Renaming) -> list[Edit]:
    """Return the edits that rename in a text."""
    by_key = {change.old: change for change in changes}
    found = ((mention, by_key[mention.key]) for mention in mentions if mention.key in by_key)
    return [Edit(mention.span, change.new) for mention, change in found if change.is_label or not mention.bracketed]


def label_keys(model: Model) -> frozenset[str]:
    """Return the keys of all labels of a model's subscript ranges."""
    return frozenset(key(label) for subscript in model.subscripts.values() for label in subscript.labels)


def new_head(text: str, document: Document, model: Model, *, old: str = "") -> str:
    """Return a new name with its subscripts, in quotes where it needs them; `old` is the key that it replaces."""
    head = parse_name(text)
    name, odd, wrong, owner = head.key, _REFUSED.search(head.name), "", ""
    if not head.name.strip() or name == "_":
        wrong = "a name needs letters; write some"
    elif odd:
        mark = f"'{odd[0]}'" if odd[0].isprintable() else "a line break or tab"
        wrong = f"a name cannot hold {mark}, which separates fields of the file; leave it out"
    elif name in _RESERVED:
        wrong = "this is a reserved word of Vensim; choose another name"
    elif name == old:
        pass  # only its spelling changes
    elif name in document:
        owner = f"at {document.place(document.find(quote_name(name))[0].start)}"
    elif name in label_keys(model):
        owner = "by a label of a subscript range"
    elif name in read_statements(document).macros:
        owner = "by a macro"
    if owner:
        wrong = f"this name is taken {owner}; choose another name"
    if wrong:
        raise ModelError([Fault(document.path, f"'{display_name(text)}': {wrong}")])
    return quote_name(head.name, head.subscripts)


def plan_renaming(document: Document, model: Model, old: str, new: str) -> Renaming:
    """Check that a name can be replaced by another one."""
    labels = label_keys(model)
    name = key(parse_name(old).name)
    wrong = ""
    if name in map(key, (*CLOCK, NOW)):
        wrong = "Vensim needs this name; keep it"
    elif parse_name(old).subscripts or parse_name(new).subscripts:
        wrong = "a name is renamed with all of its subscripts; leave out the subscripts"
    elif name in labels and name not in document:
        wrong = _numbered_label(document, name)
    elif name not in document:
        close = nearest(old, [element.name for element in model if key(element.name) in document] + sorted(labels))
        cure = f"did you mean '{close}'?" if close else "see the names that the model defines"
        wrong = f"is not defined; {cure}"
    if wrong:
        raise ModelError([Fault(document.path, f"'{display_name(old)}': {wrong}")])
    return Renaming(name, new_head(new, document, model, old=name), name in labels or name in model.subscripts)


def _numbered_label(document: Document, label: str) -> str:
    """Refuse a label of a numbered row such as `(a1-a9)`, of which only the ends are written."""
    for block in document.blocks:
        main = blank_comments(document.slice(block.main))
        if document.head(block).sign == ":" and any(found.key == label for found in find_names(main)):
            row = re.search(r"\([^():,]*-[^():,]*\)", main)
            if row is None or all(found.key != label for found in find_names(row[0])):
                return ""
    return "is one of a numbered row of labels; list the labels one by one first"


def rename_in_document(document: Document, *changes: Renaming) -> list[Edit]:
    """Return the edits that rename in equations, the sketch, graphs and settings."""
    edits: list[Edit] = []
    new = {change.old: change.new for change in changes}
    for segment in document.segments:
        text = document.text[segment.start : segment.end]
        if segment.kind == "broken" and any(found.key in new for found in find_names(text)):
            what = "this part cannot be read, and it uses the name; correct it first"
            raise ModelError([Fault(document.place(segment.start), what)])
        pattern = _LINES.get(segment.kind)
        line = pattern.match(document.text, segment.start, segment.end) if pattern else None
        if line and key(line["name"]) in new:
            edits.append(_rename_span(document, Span(*line.span("name")), new[key(line["name"])]))
    for view in view_texts(document):
        records = (record for record in view.records if record.name and record.shown in new)
        edits += [_rename_span(document, record.name, new[record.shown]) for record in records if record.name]
    return [*edits, *_in_equations(document, changes)]


def _rename_span(document: Document, span: Span, new: str) -> Edit:
    """Return the edit that writes the new name and leaves the blanks after the old one."""
    return Edit(Span(span.start, span.start + len(document.slice(span).rstrip())), new)


def _in_equations(document: Document, changes: Sequence[Renaming]) -> Iterator[Edit]:
    # macros use the model's names with a dollar after them
    in_macros = [replace(change, old=f"{change.old}$", new=f"{change.new}$") for change in changes]
    for grouped in grouped_segments(document.text, document.segments):
        segment = grouped.segment
        if segment.kind == "block":
            names = find_names(document.slice(segment.main), start=segment.main.start)
            found = replace_names(names, *(in_macros if grouped.in_macro else changes))
            if wrong := next((edit for edit in found if grouped.in_macro and edit.text.startswith('"')), None):
                what = f"the macro uses '{document.slice(wrong.span)}', and a name in quotes cannot have the dollar"
                raise ModelError([Fault(document.place(wrong.span.start), f"{what}; choose a plain one")])
            yield from found
